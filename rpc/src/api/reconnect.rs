//! Staying connected to an address: dialling again after every end, with patience.

use crate::{CloseReason, Dialler, Endpoint, Error, ToAddress};
use peers_kernel::{Cause, Cx, Instant};
use rand_core::Rng as _;
use std::time::Duration;

/// The most that is waited before the first new attempt; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The most that is ever waited between two attempts. A connection that lasted longer was a
/// success.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Says what happens on each new connection.
type Meet<S> = Box<dyn FnMut(&mut S, &Cx<S>, &Endpoint, u32)>;

/// An address that a node wants to be connected to.
struct Contact<S: 'static> {
    dialler: Dialler,
    /// What is no address fails each time.
    address: Box<dyn ToAddress>,
    meet: Meet<S>,
    /// Attempts without lasting success.
    failures: u32,
}

/// Dials `address` now and again whenever the connection ends or cannot be made, until the node or
/// the [`Rpc`](crate::Rpc) is gone. Connections are never closed for being unused.
///
/// `meet` runs inside the node for each attempt, with the new endpoint, before anything is known of
/// its fate, and the number of attempts that failed before it: the place to bind objects and to
/// introduce oneself. Whoever turns out to be the wrong peer is closed, which is a failed attempt.
///
/// Waits are random, up to a ceiling that doubles from 50 ms to 30 s, so that a crowd does not come
/// back all at once.
#[track_caller]
pub fn stay_connected<S: 'static>(
    cx: &Cx<S>,
    dialler: &Dialler,
    address: impl ToAddress,
    meet: impl FnMut(&mut S, &Cx<S>, &Endpoint, u32) + 'static,
) {
    let (dialler, written) = (dialler.clone(), address.as_written());
    let address = address.to_address().map_or_else(
        |_| Box::new(written) as Box<dyn ToAddress>,
        |address| Box::new(address) as Box<dyn ToAddress>,
    );
    let contact = Contact { dialler, address, meet: Box::new(meet), failures: 0 };
    // Whatever asked for it, these connections are made on nobody's behalf.
    cx.handle().with_cause(Cause::NONE, || cx.schedule(|state, cx| contact.dial(state, cx)));
}

impl<S: 'static> Contact<S> {
    fn dial(mut self, state: &mut S, cx: &Cx<S>) {
        // The process ends.
        let Some(endpoint) = self.dialler.connect(&*self.address) else { return };
        // Else it would be closed as unused, and dialled again, for ever.
        endpoint.set_keepalive(Duration::ZERO);
        (self.meet)(state, cx, &endpoint, self.failures);
        let dialled = cx.handle().now();
        let ended = move |_: &mut S, cx: &Cx<S>, _: Result<CloseReason, Error>| {
            self.dial_again(cx, dialled);
        };
        endpoint.on_close(cx.on_any(ended));
    }

    fn dial_again(mut self, cx: &Cx<S>, dialled: Instant) {
        let lasted = cx.handle().now() - dialled >= LONGEST_WAIT;
        // A peer that accepts and closes at once is no success: the waits go on growing.
        self.failures = if lasted { 1 } else { self.failures.saturating_add(1) };
        let ceiling = FIRST_WAIT.saturating_mul(1 << (self.failures - 1).min(16)).min(LONGEST_WAIT);
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        let wait = Duration::from_nanos(cx.handle().rng().next_u64() % nanos);
        cx.after(wait, |state, cx| self.dial(state, cx));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Listener, Rpc};
    use peers_kernel::sim::{ProcessId, World};
    use peers_kernel::{Address, Node};
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Says when each attempt was made, and how many had failed before it.
    type Attempts = Rc<RefCell<Vec<(Instant, u32)>>>;

    fn place() -> Address {
        "sim:place".parse().unwrap()
    }

    /// A process that wants to be connected to a place.
    fn caller(world: &mut World) -> (ProcessId, Attempts) {
        let attempts = Attempts::default();
        let log = attempts.clone();
        let process = world.process("caller", |kernel| {
            let rpc = Rpc::new(&kernel.handle());
            let node: Node<Attempts> = kernel.node(log);
            let meet = |log: &mut Attempts, cx: &Cx<Attempts>, _: &Endpoint, failures| {
                log.borrow_mut().push((cx.handle().now(), failures));
            };
            stay_connected(&node.cx(), &rpc.dialler(), &place(), meet);
            (node, rpc)
        });
        (process, attempts)
    }

    fn server(world: &mut World) -> ProcessId {
        world.process("place", |kernel| {
            let rpc = Rpc::new(&kernel.handle());
            let listener: Listener = rpc.listen(&place(), |_| Ok(())).unwrap();
            (listener, rpc)
        })
    }

    fn waits(attempts: &Attempts) -> Vec<Duration> {
        attempts.borrow().windows(2).map(|two| two[1].0 - two[0].0).collect()
    }

    #[test]
    fn attempts_become_rarer_and_never_end() {
        let mut world = World::new(1);
        let (_, attempts) = caller(&mut world);
        world.run_for(Duration::from_secs(3_600));
        let waits = waits(&attempts);
        assert!(waits.len() > 120, "an hour holds 120 of the longest waits: {}", waits.len());
        assert!(waits[..3].iter().all(|wait| *wait < Duration::from_millis(300)), "{waits:?}");
        let longest = waits.iter().max().unwrap();
        assert!(
            (Duration::from_secs(25)..Duration::from_secs(31)).contains(longest),
            "{longest:?}"
        );
        let counted: Vec<u32> = attempts.borrow().iter().map(|(_, failures)| *failures).collect();
        assert!(counted.iter().copied().eq(0..counted.len() as u32));
    }

    #[test]
    fn a_connection_that_lasted_makes_up_for_all_failures() {
        let mut world = World::new(2);
        let (_, attempts) = caller(&mut world);
        world.run_for(Duration::from_secs(300));
        let place = server(&mut world);
        // Longer than any unused connection is kept by itself.
        world.run_for(Duration::from_secs(1_000));
        let before = attempts.borrow().len();
        world.crash(place);
        world.run_for(Duration::from_secs(1));
        let after = attempts.borrow()[before..].to_vec();
        assert_eq!(after.first().map(|(_, failures)| *failures), Some(1), "{after:?}");
        assert!(after.len() > 1, "soon again: {after:?}");
    }

    #[test]
    fn two_callers_do_not_come_back_together() {
        let run = |seed| {
            let mut world = World::new(seed);
            let (_, attempts) = caller(&mut world);
            world.run_for(Duration::from_secs(60));
            waits(&attempts)
        };
        assert_ne!(run(1), run(2));
        assert_eq!(run(1), run(1));
    }
}
