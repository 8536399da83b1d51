//! Says when a process's next turn is due, and which of the planned events tells so.
//!
//! Invariants:
//! 1. The turn that is due has an event at its instant. Kept by
//!    `a_turn_that_is_due_has_an_event_and_is_taken_once`.
//! 2. Turns before a timer that stays the same leave no events behind. Kept by
//!    `turns_before_the_same_timer_plan_one_event_for_it`.

use crate::host::time::Instant;

/// Says what is to be done for a turn that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing: another one is due before.
    DueBefore,
    /// Nothing: an event is planned for it.
    Planned,
    /// An event must be planned.
    Plan,
}

/// The turns of one process.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Says when the next one is due; an event for another time is out of date.
    due: Option<Instant>,
    /// Names an instant at which another event is planned, which can be used again: most processes
    /// wait for the same timer, turn after turn.
    idle: Option<Instant>,
}

impl Turns {
    /// Wants a turn at `at`, unless one is due before.
    pub(crate) fn want(&mut self, at: Instant) -> Wanted {
        if self.due.is_some_and(|due| due <= at) {
            return Wanted::DueBefore;
        }
        let put_off = self.due.replace(at);
        let is_planned = self.idle == Some(at);
        // Of two events that are left over one is forgotten, and comes to nothing.
        if put_off.is_some() || is_planned {
            self.idle = put_off;
        }
        debug_assert_ne!(self.idle, self.due, "one event is for one turn");
        if is_planned { Wanted::Planned } else { Wanted::Plan }
    }

    /// Takes the turn of the event that was planned for `at`; false if it is out of date.
    pub(crate) fn take(&mut self, at: Instant) -> bool {
        let is_due = self.due == Some(at);
        let event = if is_due { &mut self.due } else { &mut self.idle };
        event.take_if(|planned| *planned == at);
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn turns_before_the_same_timer_plan_one_event_for_it() {
        let mut turns = Turns::default();
        assert_eq!(turns.want(at(1_000)), Wanted::Plan);
        for nanos in 1..1_000 {
            assert_eq!(turns.want(at(nanos)), Wanted::Plan);
            assert!(turns.take(at(nanos)));
            assert_eq!(turns.want(at(1_000)), Wanted::Planned, "its event is there still");
        }
        assert!(turns.take(at(1_000)) && !turns.take(at(1_000)));
    }

    proptest::proptest! {
        #[test]
        fn a_turn_that_is_due_has_an_event_and_is_taken_once(
            steps in proptest::collection::vec(proptest::option::of(0..20_u64), 1..200)
        ) {
            let (mut turns, mut events, mut now) = (Turns::default(), Vec::new(), 0);
            for step in steps {
                match step {
                    Some(ahead) => {
                        let due = turns.due.map_or(now + ahead, |due| due.as_nanos().min(now + ahead));
                        if turns.want(at(now + ahead)) == Wanted::Plan {
                            events.push(now + ahead);
                        }
                        proptest::prop_assert_eq!(turns.due, Some(at(due)));
                    }
                    None => {
                        events.sort_unstable();
                        let Some(first) = (!events.is_empty()).then(|| events.remove(0)) else { continue };
                        now = first;
                        let due = turns.due == Some(at(first));
                        proptest::prop_assert_eq!(turns.take(at(first)), due);
                    }
                }
                let all = turns.due.into_iter().chain(turns.idle);
                proptest::prop_assert!(all.map(Instant::as_nanos).all(|due| events.contains(&due)));
            }
        }
    }
}
