//! Promise: what comes behind our own end is thrown away only up to a bound. Who sends on and on is
//! not read for ever at whatever speed it sends: it gets our last words, if it reads, and is cut.
//! Who sends a little and stops is left its time.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::sim::World;
use peers_kernel::{Address, Cont, Handle, Input, Instant, Kernel, Outlet, Stream, Wait};
use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

const DISCARDS: usize = 64 << 10;
const LAST: &[u8] = b"our last words";

/// A listener that says its last words at the first byte, and closes.
fn brief(handle: &Handle, at: &Address, ordinary: bool) -> peers_kernel::Listener {
    let accept = move |stream: Stream| {
        stream.start(move |outlet, _| {
            outlet.write(LAST).unwrap();
            match ordinary {
                true => outlet.close(),
                false => outlet.close_discarding(Duration::from_secs(5), DISCARDS),
            }
        });
    };
    handle.listen(at, accept).unwrap()
}

/// A simulated sender: what it has heard, what the system has taken of it, when it was cut.
#[derive(Clone, Default)]
struct Sender {
    heard: Rc<RefCell<Vec<u8>>>,
    taken: Rc<Cell<u64>>,
    cut: Rc<Cell<Option<Instant>>>,
}

impl Sender {
    fn start(&self, handle: &Handle, stream: Stream, chunk: usize) {
        let this = self.clone();
        let outlet = stream.start(move |_, input| {
            // It does not care that we have ended.
            if let Input::Bytes(bytes) = input {
                this.heard.borrow_mut().extend_from_slice(bytes);
            }
        });
        send(self.clone(), handle.clone(), outlet, chunk);
    }
}

/// Looks each millisecond whether more can be sent.
fn send(this: Sender, handle: Handle, outlet: Outlet, chunk: usize) {
    this.taken.set(this.taken.get().max(outlet.written()));
    if !outlet.is_open() {
        return this.cut.set(Some(handle.now()));
    }
    if outlet.buffered() == 0 {
        outlet.write_chunk(vec![0; chunk]).unwrap();
    }
    let timers = handle.clone();
    timers.after(Duration::from_millis(1), move || send(this, handle, outlet, chunk));
}

fn simulated(chunk: usize, ordinary: bool) -> (Sender, Duration) {
    let mut world = World::new(1);
    let at: Address = "sim:brief".parse().unwrap();
    let to = at.clone();
    world.process("brief", move |kernel| brief(&kernel.handle(), &at, ordinary));
    let sender = Sender::default();
    let this = sender.clone();
    world.process("sender", move |kernel| {
        let handle = kernel.handle();
        let clock = handle.clone();
        let k = Cont::new(&handle, move |stream: io::Result<Stream>| {
            this.start(&clock, stream.unwrap(), chunk);
        });
        handle.connect(&to, k);
    });
    world.run_for(Duration::from_secs(20));
    let cut = sender.cut.get().expect("it is cut").since(Instant::default());
    (sender, cut)
}

#[test]
fn an_endless_sender_gets_our_output_and_is_cut() {
    let (sender, cut) = simulated(256 << 10, false);
    assert_eq!(*sender.heard.borrow(), LAST);
    assert!(cut <= Duration::from_millis(500), "{cut:?}");
    let taken = sender.taken.get();
    assert!(taken <= 3 << 20, "{taken} bytes: what the buffers hold, and little more");
}

#[test]
fn a_sender_of_little_keeps_its_linger_time() {
    let (sender, cut) = simulated(1, false);
    assert_eq!(*sender.heard.borrow(), LAST);
    assert!(cut >= Duration::from_secs(5) && cut <= Duration::from_secs(6), "{cut:?}");
}

#[test]
fn close_discards_more_but_not_for_ever() {
    let (sender, cut) = simulated(256 << 10, true);
    assert_eq!(*sender.heard.borrow(), LAST);
    let taken = sender.taken.get();
    assert!((16 << 20..24 << 20).contains(&taken), "{taken}");
    assert!(cut < Duration::from_secs(2), "{cut:?}");
}

/// Closed from outside its handler, which could still be told something.
#[test]
fn after_close_the_handler_hears_nothing() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let heard = Rc::new(RefCell::new(Vec::new()));
        let (at, log): (Address, _) = ("sim:brief".parse().unwrap(), heard.clone());
        let to = at.clone();
        world.process("brief", move |kernel| {
            let handle = kernel.handle();
            let timers = handle.clone();
            let accept = move |stream: Stream| {
                let log = log.clone();
                let outlet =
                    stream.start(move |_, input| log.borrow_mut().push(format!("{input:?}")));
                timers.after(Duration::from_secs(1), move || outlet.close());
            };
            handle.listen(&at, accept).unwrap()
        });
        world.process("sender", move |kernel| {
            let handle = kernel.handle();
            let timers = handle.clone();
            let k = Cont::new(&handle, move |stream: io::Result<Stream>| {
                let outlet = stream.unwrap().start(|_, _| ());
                timers.clone().after(Duration::from_secs(2), move || {
                    outlet.write(b"late").unwrap();
                    timers.after(Duration::from_secs(1), move || outlet.close());
                });
            });
            handle.connect(&to, k);
        });
        world.run_for(Duration::from_secs(20));
        assert!(heard.borrow().is_empty(), "seed {seed}: {heard:?}");
    }
}

/// Writes zeros until that fails: how many, and what can be read afterwards.
fn flood(mut socket: impl Read + Write) -> (usize, Vec<u8>) {
    let (zeros, mut sent, mut heard) = (vec![0; 1 << 20], 0, Vec::new());
    socket.write_all(b"first").unwrap();
    let mut last = vec![0; LAST.len()];
    socket.read_exact(&mut last).unwrap();
    heard.extend(last);
    while let Ok(count) = socket.write(&zeros) {
        sent += count;
    }
    (sent, heard)
}

fn real(at: &Address, dial: impl FnOnce(&Address) -> (usize, Vec<u8>) + Send + 'static) {
    let mut kernel = Kernel::new().unwrap();
    let handle = kernel.handle();
    let listener = brief(&handle, at, false);
    let address = listener.address().clone();
    let sender = thread::spawn(move || dial(&address));
    while !sender.is_finished() {
        let soon = handle.now() + Duration::from_millis(20);
        kernel.turn(Wait::Until(soon)).unwrap();
    }
    let (sent, heard) = sender.join().unwrap();
    assert_eq!(heard, LAST);
    assert!(sent <= 32 << 20, "{sent} bytes were taken: more than systems hold");
    // The loop is idle afterwards.
    let end = handle.now() + Duration::from_secs(1);
    while handle.dump().sources() > 1 && handle.now() < end + Duration::from_secs(20) {
        kernel.turn(Wait::Until(handle.now() + Duration::from_millis(20))).unwrap();
    }
    assert_eq!(handle.dump().sources(), 1, "the listener");
}

#[test]
fn over_tcp() {
    real(&"inet:localhost:0".parse().unwrap(), |address| {
        let Address::Inet { port, .. } = address else { panic!("{address}") };
        flood(TcpStream::connect(("127.0.0.1", *port)).unwrap())
    });
}

#[test]
fn over_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("peers-discard-{}", std::process::id()));
    real(&Address::unix(path), |address| {
        let Address::Unix { path, .. } = address else { panic!("{address}") };
        flood(UnixStream::connect(path).unwrap())
    });
}
