//! Peers that are killed or stop half-way, and descriptors that are used again: each call has one
//! end, and nobody hears what was meant for another.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::kernel::sim::World;
use peers_rpc::kernel::{Budget, Wait};
use peers_rpc::wire::{HalfClose, Kind};
use peers_rpc::{CloseReason, Cont, Error, ErrorKind, Instant, Kernel, Limits, Rpc};
use peers_tests::raw::{ECHO, HOLD, Raw, call, frames, greeting};
use peers_tests::stage::{Actor, Line};
use peers_tests::trial::TrialProxy;
use peers_tests::victim::Victim;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn every_pending_call_fails_once_in_the_turn_that_sees_the_peer_killed() {
    const CALLS: usize = 1_000;
    let mut victim = Victim::start(VICTIM);
    let mut kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    kernel.set_budget(Budget { tasks: 8_192, time: secs(60) });
    let handle = kernel.handle();
    let rpc = Rpc::new(&handle);
    let node: TrialProxy = TrialProxy::new(rpc.connect(victim.address()));
    let outcomes: Rc<Vec<Cell<u32>>> = Rc::new((0..CALLS).map(|_| Cell::new(0)).collect());
    for n in 0..CALLS {
        let outcomes = outcomes.clone();
        node.hold("x").forever().then(Cont::new(&handle, move |outcome: Result<String, Error>| {
            let error = outcome.expect_err("nobody answers");
            assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
            outcomes[n].set(outcomes[n].get() + 1);
        }));
    }
    let done = || outcomes.iter().filter(|count| count.get() > 0).count();
    let mut turn = || kernel.turn(Wait::Until(handle.now() + Duration::from_millis(20))).unwrap();
    while victim.honest().holds().wait() != Ok(CALLS as u32) {
        turn();
    }
    assert_eq!((node.caller().pending(), done()), (CALLS, 0));

    victim.process().kill().unwrap();
    while done() == 0 {
        turn();
    }
    assert_eq!(done(), CALLS, "all of them in the turn that has seen the end");
    assert!(outcomes.iter().all(|count| count.get() == 1));
    assert_eq!(node.caller().pending(), 0);
}

#[test]
fn who_half_closes_gets_exactly_the_replies_it_is_owed() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    let plain: Vec<u8> = (0..100).flat_map(|id| call(id, ECHO, &("owed",))).collect();
    raw.send(&plain);
    raw.finish();
    let replies = replies_before_bye(&mut raw);
    assert_eq!(replies, (0..100).collect::<Vec<_>>(), "exactly the replies that were owed");

    let mut raw = victim.greeted();
    let held: Vec<u8> = (0..100).flat_map(|id| call(id, HOLD, &("owed later",))).collect();
    raw.send(&held);
    raw.finish();
    while victim.honest().holds().wait() != Ok(100) {}
    assert_eq!(victim.honest().release(true).wait(), Ok(100));
    let replies: BTreeSet<u64> = replies_before_bye(&mut raw).into_iter().collect();
    assert_eq!(replies, (0..100).collect());
    victim.assert_well();
}

/// The calls that are answered until the other side says goodbye.
fn replies_before_bye(raw: &mut Raw) -> Vec<u64> {
    let mut said = raw.rest();
    assert_eq!(said.pop().map(|last| last.kind), Some(Kind::Bye));
    assert!(said.iter().all(|said| said.kind == Kind::Reply), "{said:?}");
    said.iter().map(|said| said.call).collect()
}

/// An end that was not announced is one at once: nothing that was owed is waited for.
#[test]
fn a_bare_end_is_an_end() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    raw.send(&call(1, HOLD, &("never",)));
    raw.settle(2);
    raw.hang_up();
    assert!(raw.rest().iter().all(|said| said.call == 0), "no answer");
    victim.assert_well();
}

#[test]
fn a_half_closed_connection_lingers_for_five_seconds_at_most() {
    let mut world = World::new(27);
    let server = Actor::enter(&mut world, "server", Limits::default());
    let process = world.process("line", |_| ());
    let line = world.with(process, |handle| Line::dial(handle, &server.address));
    let at = |seconds| Instant::default() + secs(seconds);
    world.run_until(at(1));
    line.say(&[greeting(), call(1, HOLD, &("never",))].concat());
    world.run_until(at(2));
    let end = server.end_of(&server.rpc.endpoints()[0]);
    let mut last = Vec::new();
    HalfClose.put(&mut last);
    line.say(&last);
    line.outlet().finish();
    world.run_until(at(6));
    assert!(end.borrow().is_none(), "its reply is waited for");
    world.run_until(at(8));
    let (when, why) = end.borrow_mut().take().unwrap();
    assert_eq!(why, CloseReason::Lingered, "{when:?}");
    assert!(frames(&line.heard()[8..]).iter().all(|said| said.call == 0));
}

/// Connections come and go while requests and answers are under way, so that descriptors are used
/// again at once. Nobody hears what was meant for another.
#[test]
fn nobody_hears_what_was_meant_for_the_last_owner_of_a_descriptor() {
    let victim = Victim::start(VICTIM);
    let mut raws: Vec<Raw> = Vec::new();
    for cycle in 0..1_500 {
        let text = format!("cycle {cycle}");
        let mut raw = victim.raw();
        raw.send(&greeting());
        (0..5).for_each(|id| raw.echo(id, &text));
        match cycle % 5 {
            0 => drop(raw), // answers are under way: a reset
            1 => raw.finish(),
            2 => raws.push(raw),
            3 => {
                raw.read_greeting();
                assert!((0..5).all(|id| raw.reply_to(id) == text));
            }
            _ => {
                socket2::SockRef::from(raw.socket()).set_linger(Some(Duration::ZERO)).unwrap();
            }
        }
        if raws.len() == 20 {
            for (n, mut raw) in raws.drain(..).enumerate() {
                raw.read_greeting();
                let first = raw.reply_to(0);
                assert!(first.starts_with("cycle "), "{n}: {first}");
                assert!((1..5).all(|id| raw.reply_to(id) == first));
            }
        }
    }
    victim.assert_well();
}
