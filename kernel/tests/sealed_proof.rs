//! Promise: on a connection with a secure layer nothing is heard and nothing is sealed before the
//! peer has proven its key and the listener has let it in, who is asked once.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod toy;

use common::{Heard, dialled, everywhere, run_until, streams, strict_kernel, turns_in};
use peers_kernel::{Address, Input, Kernel, Listen, Outlet, PublicKey, Stream};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;
use toy::{Ask, CLIENT, Log, SERVER};

/// A listener that notes what it is asked and hears, and answers as it is told.
#[derive(Default)]
struct Door {
    heard: Heard,
    asked: RefCell<Vec<PublicKey>>,
    answers: Cell<Answer>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Answer {
    #[default]
    Yes,
    No,
    Panic,
    /// Yes, but it closes the connection.
    Close,
}

impl Listen for Door {
    fn hear(self: Rc<Self>, _: &Outlet, input: Input<'_>) -> bool {
        assert_eq!(self.asked.borrow().len(), 1, "heard {input:?} of somebody unknown");
        self.heard.note(input);
        true
    }

    fn proven(self: Rc<Self>, outlet: &Outlet, peer: PublicKey) -> bool {
        assert_eq!(outlet.peer_key(), Some(peer));
        self.asked.borrow_mut().push(peer);
        assert!(self.answers.get() != Answer::Panic, "as it was told to");
        if self.answers.get() == Answer::Close {
            outlet.close();
        }
        self.answers.get() != Answer::No
    }

    fn born(&self) -> &'static Location<'static> {
        Location::caller()
    }
}

fn seal_both(ends: (Stream, Stream), rounds: u32) -> (Stream, Rc<Log>, Stream, Rc<Log>) {
    let (dialler, acceptor) = (Rc::new(Log::default()), Rc::new(Log::default()));
    let dialled = ends.0.secure(toy::dialling(&dialler, rounds));
    let accepted = ends.1.secure(toy::accepting(&acceptor, rounds));
    (dialled, dialler, accepted, acceptor)
}

#[test]
fn what_is_written_before_arrives_once_the_peer_is_let_in() {
    everywhere("before", |kernel, at| {
        let ends = streams(kernel, at);
        let (dialled, dialler, accepted, acceptor) = seal_both(ends, 1);
        let (client, server) = (Rc::<Door>::default(), Rc::<Door>::default());
        let (ours, theirs) =
            (dialled.start_for(client.clone()), accepted.start_for(server.clone()));
        assert_eq!((ours.peer_key(), theirs.peer_key()), (None, None));
        ours.write(b"how do you do").unwrap();
        theirs.write(b"hello").unwrap();
        run_until(kernel, "both words", || {
            client.heard.len() == 5 && server.heard.text() == "how do you do"
        });
        assert_eq!((ours.peer_key(), theirs.peer_key()), (Some(SERVER), Some(CLIENT)));
        assert_eq!(*client.asked.borrow(), [SERVER]);
        assert_eq!(*server.asked.borrow(), [CLIENT]);
        assert_eq!((ours.written(), theirs.written()), (13, 5), "plain bytes are counted");
        for log in [dialler, acceptor] {
            let asked = log.asked.borrow();
            let place = |ask| asked.iter().position(|other| *other == ask);
            assert!(place(Ask::Seal) > place(Ask::Peer), "{asked:?}");
        }
    });
}

#[test]
fn the_first_flight_leaves_at_once() {
    everywhere("first", |kernel, at| {
        let (dialled, accepted) = streams(kernel, at);
        let heard = Heard::default();
        let _theirs = heard.listen_to(accepted);
        let log = Rc::new(Log::default());
        let _dialled = dialled.secure(toy::dialling(&log, 1)); // which nobody starts
        run_until(kernel, "the flight", || heard.len() > 0);
        assert_eq!(heard.bytes.borrow()[0], toy::HELLO);
        assert_eq!((log.count(Ask::Begin), log.count(Ask::Seal)), (1, 0));
    });
}

#[test]
fn who_is_not_let_in_gets_nothing_and_is_told() {
    for answer in [Answer::No, Answer::Panic] {
        everywhere("refused", |kernel, at| {
            kernel.set_strict(false);
            let ends = streams(kernel, at);
            let (dialled, _, accepted, acceptor) = seal_both(ends, 1);
            let (client, server) = (Rc::<Door>::default(), Rc::<Door>::default());
            server.answers.set(answer);
            let ours = dialled.start_for(client.clone());
            let theirs = accepted.start_for(server.clone());
            ours.write(b"a request").unwrap();
            theirs.write(b"a secret").unwrap();
            run_until(kernel, "the end", || client.heard.is_over() && !theirs.is_open());
            let told = client.heard.failed.borrow().unwrap();
            assert_eq!(told, std::io::ErrorKind::PermissionDenied, "its words have arrived");
            assert_eq!(server.asked.borrow().len(), 1);
            assert_eq!((server.heard.len(), server.heard.is_over()), (0, false));
            assert_eq!((acceptor.count(Ask::Seal), acceptor.count(Ask::Refuse)), (0, 1));
            assert_eq!((acceptor.opened.get(), theirs.written()), (0, 0));
            run_until(kernel, "nobody holds the listener", || Rc::strong_count(&server) == 1);
        });
    }
}

#[test]
fn waiting_for_the_proof_does_not_keep_the_loop_awake() {
    let mut kernel = strict_kernel();
    let ends = streams(&mut kernel, &common::any_port());
    let log = Rc::new(Log::default());
    let ours = ends.0.secure(toy::dialling(&log, 1)).start(|_, _| {});
    ours.write(b"a request").unwrap();
    let before = turns_in(&mut kernel, Duration::from_millis(100));
    assert!(before < 50, "{before} turns although nothing happens");
    assert_eq!(ours.buffered(), 9, "it waits");
    drop(ends.1);
}

#[test]
fn what_is_written_and_closed_before_still_arrives() {
    everywhere("closed", |kernel, at| {
        let ends = streams(kernel, at);
        let (dialled, _, accepted, acceptor) = seal_both(ends, 1);
        let (client, server) = (Rc::<Door>::default(), Rc::<Door>::default());
        let ours = dialled.start_for(client.clone());
        let _theirs = accepted.start_for(server.clone());
        ours.write(b"last words").unwrap();
        ours.close();
        run_until(kernel, "the end", || server.heard.is_over());
        assert_eq!((server.heard.text().as_str(), server.heard.ended.get()), ("last words", true));
        assert_eq!(client.asked.borrow().len(), 1, "it was asked, although it listens no more");
        assert_eq!((client.heard.len(), client.heard.is_over()), (0, false));
        assert_eq!(Rc::strong_count(&client), 1, "nobody holds it");
        assert_eq!(acceptor.opened.get(), 10);
    });
}

#[test]
fn what_an_unwanted_peer_was_to_hear_is_not_sent_by_closing() {
    everywhere("closed-no", |kernel, at| {
        let ends = streams(kernel, at);
        let (dialled, dialler, accepted, _) = seal_both(ends, 1);
        let (client, server) = (Rc::<Door>::default(), Rc::<Door>::default());
        client.answers.set(Answer::No);
        let ours = dialled.start_for(client.clone());
        let _theirs = accepted.start_for(server.clone());
        ours.write(b"a secret").unwrap();
        ours.close();
        run_until(kernel, "the end", || server.heard.is_over());
        assert_eq!((server.heard.len(), dialler.count(Ask::Seal)), (0, 0));
        assert_eq!(Rc::strong_count(&client), 1, "nobody holds it");
    });
}

#[test]
fn closing_while_it_is_asked_sends_what_was_written() {
    everywhere("closing", |kernel, at| {
        let ends = streams(kernel, at);
        let (dialled, _, accepted, _) = seal_both(ends, 1);
        let (client, server) = (Rc::<Door>::default(), Rc::<Door>::default());
        client.answers.set(Answer::Close);
        let ours = dialled.start_for(client.clone());
        let _theirs = accepted.start_for(server.clone());
        ours.write(b"last words").unwrap();
        run_until(kernel, "the end", || server.heard.is_over());
        assert_eq!((server.heard.text().as_str(), server.heard.ended.get()), ("last words", true));
        assert!(!client.heard.is_over(), "who has closed hears nothing more");
    });
}

#[test]
fn closing_before_with_nothing_to_say_ends_at_once() {
    everywhere("silent", |kernel, at| {
        let (dialled, accepted) = streams(kernel, at);
        let log = Rc::new(Log::default());
        let over = Rc::new(Cell::new(None));
        let ours = dialled.secure(toy::dialling(&log, 1)).start(|_, _| {});
        let told = over.clone();
        ours.on_closed(move |clean| told.set(Some(clean)));
        ours.close();
        let began = kernel.handle().now();
        run_until(kernel, "the end", || over.get().is_some());
        assert!(kernel.handle().now().since(began) < Duration::from_secs(4), "without lingering");
        drop(accepted);
    });
}

/// Bytes behind the proof in the same piece are neither opened before the answer nor lost.
#[test]
fn what_comes_with_the_proof_is_heard_after_the_answer() {
    let mut kernel = Kernel::simulated(3);
    let (dialled, accepted) = streams(&mut kernel, &Address::sim("together"));
    let (server, log) = (Rc::<Door>::default(), Rc::new(Log::default()));
    let theirs = accepted.secure(toy::accepting(&log, 0)).start_for(server.clone());
    let all = [
        toy::record(toy::HELLO, 0, CLIENT.as_bytes()),
        toy::record(toy::DATA, 1, b"one"),
        toy::record(toy::DATA, 2, b"two"),
        toy::record(toy::CLOSE, 3, b""),
    ];
    let ours = dialled.start(|_, _| {});
    ours.write(&all.concat()).unwrap();
    run_until(&mut kernel, "the end", || server.heard.is_over());
    assert_eq!((server.heard.text().as_str(), server.heard.ended.get()), ("onetwo", true));
    let asked = log.asked.borrow();
    let first = asked.iter().position(|ask| *ask == Ask::Open).unwrap();
    let second = asked[first + 1..].iter().position(|ask| *ask == Ask::Open).unwrap() + first + 1;
    assert!(asked[first..second].contains(&Ask::Peer), "the rest waits for the answer: {asked:?}");
    assert!(theirs.is_open());
}

#[test]
fn a_paused_stream_shakes_no_hands_until_it_goes_on() {
    everywhere("paused", |kernel, at| {
        let ends = streams(kernel, at);
        let (dialled, _, accepted, acceptor) = seal_both(ends, 1);
        let (client, server) = (Rc::<Door>::default(), Rc::<Door>::default());
        let _ours = dialled.start_for(client.clone());
        let theirs = accepted.start_for(server.clone());
        theirs.pause();
        let end = kernel.handle().now() + Duration::from_millis(50);
        kernel.run_until(end).unwrap();
        assert_eq!(acceptor.count(Ask::Open), 0);
        theirs.resume();
        run_until(kernel, "the proof", || !server.asked.borrow().is_empty());
    });
}

#[test]
fn a_connection_without_a_layer_has_no_key() {
    let mut kernel = strict_kernel();
    let at = common::any_port();
    let server = common::echo_server(&kernel.handle(), &at);
    let stream = dialled(&mut kernel, server.address()).unwrap();
    assert_eq!(stream.outlet().peer_key(), None);
}
