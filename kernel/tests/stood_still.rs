//! Promise: what came while the process was stopped between its work and its wait may have been
//! there since its work ended: nobody interrupts a wait that has not begun. In virtual time, where
//! the end of a turn takes the time of the stop.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_kernel::{Address, Cont, Handle, Input, Instant, Kernel, Outlet, Stream, TurnEnd, Wait};
use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Instant {
    Instant::default() + Duration::from_secs(seconds)
}

/// The process is stopped for so long behind the last task of a turn.
struct Stop {
    handle: Handle,
    span: Duration,
}

impl TurnEnd for Stop {
    fn turn_ends(self: Rc<Self>) {
        self.handle.take_time(self.span);
    }
}

/// Holds what a connection of a kernel with itself has heard.
struct Heard {
    kernel: Kernel,
    /// When it was heard, and since when it may have been there.
    times: Rc<RefCell<Vec<(Instant, Instant)>>>,
    outlet: Outlet,
}

fn heard(seed: u64) -> Heard {
    let mut kernel = Kernel::simulated(seed);
    let (handle, times) = (kernel.handle(), Rc::new(RefCell::new(Vec::new())));
    let (clock, log) = (handle.clone(), times.clone());
    let here: Address = "sim:here".parse().unwrap();
    let serve = move |stream: Stream| {
        let (clock, log) = (clock.clone(), log.clone());
        stream.start(move |_, input| {
            if let Input::Bytes(_) = input {
                log.borrow_mut().push((clock.now(), clock.arrived()));
            }
        });
    };
    let _listener = handle.listen(&here, serve).unwrap();
    let outlet = Rc::new(Cell::new(None));
    let place = outlet.clone();
    let started =
        move |stream: io::Result<Stream>| place.set(Some(stream.unwrap().start(|_, _| ())));
    handle.connect(&here, Cont::new(&handle, started));
    kernel.run_until(at(1)).unwrap();
    Heard { kernel, times, outlet: outlet.take().unwrap() }
}

/// Something is sent at 1 s and arrives at least 100 us later; before that the process is stopped
/// for so long, and looks. Returns when it heard of it, and since when that may have been there.
fn heard_behind(seed: u64, span: Duration) -> (Instant, Instant) {
    let mut heard = heard(seed);
    let handle = heard.kernel.handle();
    heard.outlet.write(b"x").unwrap();
    let stops = handle.clone();
    handle.after(Duration::from_micros(50), move || {
        stops.at_turn_end(Rc::new(Stop { handle: stops.clone(), span }));
    });
    // Nothing else is due for long.
    heard.kernel.run_until(at(1_000)).unwrap();
    let times = heard.times.take();
    assert_eq!(times.len(), 1, "seed {seed}: {times:?}");
    times[0]
}

#[test]
fn what_came_behind_the_last_task_is_dated_from_that() {
    for seed in 0..10 {
        let (when, since) = heard_behind(seed, 60 * SECOND);
        assert!(when >= at(61) && when <= at(62), "seed {seed}: {when:?}");
        assert!(since >= at(1) && since <= at(1) + SECOND / 1_000, "seed {seed}: {since:?}");
    }
}

#[test]
fn a_way_to_the_wait_of_less_than_a_second_is_no_stop() {
    for seed in 0..10 {
        let (when, since) = heard_behind(seed, SECOND - SECOND / 1_000);
        assert_eq!(since, when, "seed {seed}");
        let (when, since) = heard_behind(seed, SECOND);
        assert!(since < when, "seed {seed}: {since:?}");
    }
}

/// The handler takes long, and knows it. Meanwhile something else comes, which is read in a later
/// turn: with real sockets, which hold it as soon as it was written.
#[test]
fn what_came_while_a_handler_took_long_is_dated_from_what_it_handled() {
    let mut kernel = Kernel::new().unwrap();
    let (handle, heard) = (kernel.handle(), Rc::new(RefCell::new(Vec::new())));
    let (clock, log) = (handle.clone(), heard.clone());
    let other = Rc::new(RefCell::new(None::<TcpStream>));
    let peer = other.clone();
    let serve = move |stream: Stream| {
        let (clock, log, peer) = (clock.clone(), log.clone(), peer.clone());
        stream.start(move |_, input| {
            let Input::Bytes(_) = input else { return };
            if log.borrow().is_empty() {
                let began = clock.now();
                while clock.clock() < began + SECOND / 50 {}
                peer.borrow_mut().as_mut().unwrap().write_all(b"meanwhile").unwrap();
            }
            log.borrow_mut().push((clock.now(), clock.arrived()));
        });
    };
    let listener = handle.listen(&"inet:localhost:0".parse().unwrap(), serve).unwrap();
    let Address::Inet { host, port, .. } = listener.address() else { panic!("an inet address") };
    let mut stream = TcpStream::connect((host.as_str(), *port)).unwrap();
    stream.write_all(b"first").unwrap();
    other.replace(Some(stream));
    let end = kernel.remote().now() + 30 * SECOND;
    while heard.borrow().len() < 2 {
        kernel.turn(Wait::No).unwrap();
        assert!(kernel.remote().now() < end, "heard: {:?}", heard.borrow());
    }
    let [(first, _), (then, since)] = heard.borrow()[..] else { panic!("two") };
    assert!(then > first && since <= first, "heard at {then:?}, there since {since:?}");
}
