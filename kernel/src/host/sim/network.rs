//! The simulated network: clock, event heap, connections and faults, shared by all processes of a
//! world.
//!
//! No kernel in here: a process is a number that wants a turn. The operations of one socket are in
//! `ends`.
//!
//! Invariants:
//! 1. Time is that of the event handled last; it never goes back. Kept by `tests/simulation.rs`.
//! 2. Events of one instant are handled in an order drawn from the seed. Kept by
//!    `the_seed_decides_which_ready_connection_comes_first`.
//! 3. Every decision is drawn from the one generator, and nothing iterates over a randomly keyed
//!    map. Kept by `the_same_seed_dials_the_same_way`.

use crate::host::Mode;
use crate::host::ready::{Key, Readiness};
use crate::host::rng::ForkedRng;
use crate::host::sim::connection::{End, EndStage, SimListener};
use crate::host::sim::lane::Parcel;
use crate::host::sim::trace::Trace;
use crate::host::sim::turns::{Turns, Wanted};
use crate::host::time::Instant;
use rand_core::Rng as _;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Says how far time moves when a process always has something to do, so that an endless chain of
/// tasks cannot stop the clock.
pub(crate) const TURN: Duration = Duration::from_micros(100);
/// Connections that wait to be accepted before diallers have to try again.
const BACKLOG: usize = 128;
/// Says how long a dialler waits before it tries again.
const SYN_RETRY: Duration = Duration::from_millis(100);
/// The longest that a look-up takes unless the world says otherwise.
const LOOK_UP: Duration = Duration::from_millis(10);
/// Says how long a parcel travels unless the world says otherwise.
const LATENCY: RangeInclusive<Duration> = Duration::from_micros(100)..=Duration::from_millis(2);

/// A process, by its place in the world.
pub(crate) type Process = usize;
/// An end of a connection or a listener; never used twice.
pub(crate) type Id = u64;

/// Something that is going to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Tells that the process has something to do.
    Turn(Process),
    /// A dialler's wish reaches whom it dials.
    Syn(Id),
    /// A parcel for that end may be due.
    Arrive(Id),
}

/// An event and its place among all: by instant, then by what was drawn, then by what was planned
/// first.
#[derive(Clone, Copy, Debug)]
struct Planned {
    /// The instant, what was drawn, and a number that grows, from the highest bits down.
    order: u128,
    event: Event,
}

impl Planned {
    fn new(at: Instant, tie: u32, serial: u64, event: Event) -> Self {
        let tie = u64::from(tie) << 32 | serial & u64::from(u32::MAX);
        Self { order: u128::from(at.as_nanos()) << 64 | u128::from(tie), event }
    }

    fn at(&self) -> Instant {
        Instant::from_nanos((self.order >> 64) as u64)
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) rng: ForkedRng,
    pub(crate) trace: Trace,
    pub(crate) latency: RangeInclusive<Duration>,
    events: BinaryHeap<Reverse<Planned>>,
    next_id: u64,
    pub(crate) hosts: Vec<HostState>,
    pub(crate) ends: BTreeMap<Id, End>,
    pub(crate) listeners: BTreeMap<Id, SimListener>,
    pub(crate) names: BTreeMap<String, Id>,
    /// The results of look-ups, and the time they take if that is not left to chance.
    pub(crate) aliases: BTreeMap<String, (Vec<String>, Option<Duration>)>,
    /// Pairs of processes between which nothing passes, the smaller first.
    partition: BTreeSet<(Process, Process)>,
    /// Diallers whose wish is held up by the partition.
    held: Vec<Id>,
    /// True iff one kernel alone moves the clock, and nobody asks for turns.
    pub(crate) solo: bool,
    /// The most bytes that a socket takes or gives at once, of little; a 32nd of much. And how
    /// often that is so.
    pub(crate) pieces: (usize, u64),
}

/// Holds what the network knows about a process.
#[derive(Debug, Default)]
pub(crate) struct HostState {
    pub(crate) name: String,
    pub(crate) alive: bool,
    /// True iff panics of its handlers are survived, and do not fail whoever runs the world.
    pub(crate) lenient: bool,
    pub(crate) refusing: bool,
    pub(crate) exhausted: bool,
    /// True iff its peers count as working while it does.
    pub(crate) peers_on_other_cpu: bool,
    pub(crate) stalled_until: Instant,
    /// Until when its handlers are at work, as they say.
    pub(crate) busy_until: Instant,
    /// True iff it was stopped and does not continue yet.
    pub(crate) stopped: bool,
    /// True iff it was stopped in its wait, which ends with that.
    pub(crate) interrupted: bool,
    /// True iff its last turn has not looked outside yet.
    pub(crate) in_turn: bool,
    /// Ends and listeners that may be ready: all that are, and perhaps some more.
    pub(crate) maybe_ready: BTreeSet<Id>,
    pub(crate) turns: Turns,
}

impl Net {
    pub(crate) fn new(seed: u64, solo: bool) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            now: Instant::default(),
            rng: ForkedRng::from_seed(&bytes, Mode::Simulated),
            trace: Trace::default(),
            latency: LATENCY,
            events: BinaryHeap::new(),
            next_id: 0,
            hosts: Vec::new(),
            ends: BTreeMap::new(),
            listeners: BTreeMap::new(),
            names: BTreeMap::new(),
            aliases: BTreeMap::new(),
            partition: BTreeSet::new(),
            held: Vec::new(),
            solo,
            pieces: (0, 0),
        }
    }

    pub(crate) fn fresh_id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    // ---- chance

    /// Draws a number from 0 to `most`.
    pub(crate) fn draw(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => self.rng.next_u64() % count,
            None => self.rng.next_u64(),
        }
    }

    /// Draws: true once in `times`.
    pub(crate) fn chance(&mut self, times: u64) -> bool {
        self.draw(times - 1) == 0
    }

    fn delay(&mut self) -> Duration {
        let (least, most) = (*self.latency.start(), *self.latency.end());
        let spread = u64::try_from(most.saturating_sub(least).as_nanos()).unwrap_or(u64::MAX);
        least + Duration::from_nanos(self.draw(spread))
    }

    // ---- events

    pub(crate) fn schedule(&mut self, at: Instant, event: Event) {
        let (tie, serial) = (self.rng.next_u32(), self.fresh_id());
        self.events.push(Reverse(Planned::new(at, tie, serial, event)));
    }

    pub(crate) fn next_event(&self) -> Option<Instant> {
        self.events.peek().map(|Reverse(planned)| planned.at())
    }

    /// Handles the next event if it is due by `limit`. A process whose turn has come is for the
    /// caller to turn.
    pub(crate) fn step(&mut self, limit: Instant) -> Step {
        if self.next_event().is_none_or(|at| at > limit) {
            return Step::Nothing;
        }
        let Some(Reverse(planned)) = self.events.pop() else { return Step::Nothing };
        let (at, event) = (planned.at(), planned.event);
        // An event may be overdue where one kernel alone has moved the clock on.
        self.now = self.now.max(at);
        match event {
            Event::Turn(process) => {
                if self.take_turn(process, at) {
                    self.note(1, process as u64, 0);
                    return Step::Turn(process);
                }
            }
            Event::Syn(id) => {
                self.note(14, id, 0);
                self.syn(id)
            }
            Event::Arrive(id) => self.arrive(id),
        }
        debug_assert!(self.check(event), "{event:?} left its end in disorder");
        Step::Handled
    }

    /// Returns whether what the event was about is in order: run after each.
    fn check(&self, event: Event) -> bool {
        let (Event::Syn(id) | Event::Arrive(id)) = event else { return true };
        let Some(end) = self.ends.get(&id) else { return true };
        let known = end.peer().is_none_or(|peer| self.ends.contains_key(&peer));
        known && end.inbound.is_sound() && (end.is_closed() || end.inbound.is_bounded())
    }

    fn take_turn(&mut self, process: Process, at: Instant) -> bool {
        let now = self.now;
        let host = &mut self.hosts[process];
        // Another turn was asked for at an earlier time, and this event is what is left of it.
        if !host.turns.take(at) {
            return false;
        }
        if host.stopped {
            return false; // it asks for one when it continues
        }
        let until = host.stalled_until.max(host.busy_until);
        if until > now {
            self.want_turn(process, until);
            return false;
        }
        host.alive
    }

    /// Returns the time as a process sees it: that of the world, or later if its handlers are at
    /// work.
    pub(crate) fn clock(&self, process: Process) -> Instant {
        self.now.max(self.hosts[process].busy_until)
    }

    /// Gives a process a turn at `at`, unless one is due before.
    pub(crate) fn want_turn(&mut self, process: Process, at: Instant) {
        let at = at.max(self.now);
        match self.hosts[process].turns.want(at) {
            // One kernel alone is not asked to turn.
            _ if self.solo => {}
            Wanted::DueBefore => {}
            Wanted::Plan => self.schedule(at, Event::Turn(process)),
            // Chance goes on as if it were planned anew, so that each seed's run stays what it was.
            Wanted::Planned => drop((self.rng.next_u32(), self.fresh_id())),
        }
    }

    /// Notes that something about an end or a listener has changed that its process may want to
    /// know.
    pub(crate) fn touch(&mut self, process: Process, id: Id) {
        self.hosts[process].maybe_ready.insert(id);
        self.want_turn(process, self.now);
    }

    pub(crate) fn note(&mut self, what: u64, which: u64, detail: u64) {
        self.trace.word(self.now.as_nanos());
        self.trace.word(what << 56 ^ which);
        self.trace.word(detail);
    }

    // ---- what is ready

    /// Returns everything that is ready for a process, in an order drawn from the seed, and now and
    /// then something that is not.
    pub(crate) fn collect(&mut self, process: Process, ready: &mut Vec<(Key, Readiness)>) {
        let before = ready.len();
        for id in std::mem::take(&mut self.hosts[process].maybe_ready) {
            // Level-triggered: what is ready stays so until it was read or written.
            if let Some(found) = self.readiness(id) {
                ready.push(found);
                self.hosts[process].maybe_ready.insert(id);
            } else if let Some(alarm) = self.false_alarm(id) {
                ready.push(alarm);
            }
        }
        // Programs must not come to rely on an order that no system promises.
        for left in (before + 1..ready.len()).rev() {
            let other = before + self.draw((left - before) as u64) as usize;
            ready.swap(left, other);
        }
        self.note(2, process as u64, (ready.len() - before) as u64);
    }

    // ---- names

    /// Returns the time that the look-up of a name takes, and what it finds.
    pub(crate) fn look_up(&mut self, name: &str) -> Option<(Duration, Vec<String>)> {
        let (found, took) = self.aliases.get(name).cloned()?;
        let spread = u64::try_from(LOOK_UP.as_nanos()).unwrap_or(u64::MAX);
        let took = took.unwrap_or_else(|| Duration::from_nanos(self.draw(spread)));
        Some((took, found))
    }

    // ---- the network

    /// Puts a parcel on its way to an end.
    pub(crate) fn send(&mut self, to: Id, parcel: Parcel) {
        let sender = self.ends.get(&to).map(|end| end.peer_process);
        let now = sender.map_or(self.now, |sender| self.clock(sender));
        let at = now + self.delay();
        if let Some(end) = self.ends.get_mut(&to) {
            let at = end.inbound.send(at, parcel);
            self.schedule(at, Event::Arrive(to));
        }
    }

    pub(crate) fn dial_again(&mut self, id: Id) {
        let at = self.now + self.delay();
        self.schedule(at, Event::Syn(id));
    }

    fn is_parted(&self, one: Process, other: Process) -> bool {
        self.partition.contains(&(one.min(other), one.max(other)))
    }

    /// Handles a dialler's wish that arrives.
    fn syn(&mut self, dialler: Id) {
        let Some(end) = self.ends.get(&dialler) else { return };
        // It was refused or reset meanwhile.
        if end.stage != EndStage::Dialling {
            return;
        }
        let from = end.process;
        let listener = self.names.get(&end.remote).copied();
        let Some((id, listener)) = listener.and_then(|id| Some((id, self.listeners.get(&id)?)))
        else {
            return self.send(dialler, Parcel::Refused);
        };
        let process = listener.process;
        if self.is_parted(from, process) {
            return self.held.push(dialler);
        }
        if listener.backlog.len() >= BACKLOG {
            return self.schedule(self.now + SYN_RETRY, Event::Syn(dialler));
        }
        if self.hosts[process].refusing {
            return self.send(dialler, Parcel::Refused);
        }
        self.note(3, dialler, id);
        self.introduce(dialler, id);
        self.send(dialler, Parcel::Accepted);
        self.touch(process, id);
    }

    /// Delivers the parcels for an end that are due.
    fn arrive(&mut self, id: Id) {
        if !self.partition.is_empty()
            && let Some(end) = self.ends.get(&id)
            && self.is_parted(end.process, end.peer_process)
        {
            return;
        }
        while let Some(parcel) =
            self.ends.get_mut(&id).and_then(|end| end.inbound.take_due(self.now))
        {
            self.deliver(id, parcel)
        }
    }

    // ---- faults

    /// Holds everything up that passes between the two groups, until [`Net::heal`].
    pub(crate) fn part(&mut self, some: &[Process], others: &[Process]) {
        for &one in some {
            self.partition.extend(others.iter().map(|&other| (one.min(other), one.max(other))));
        }
    }

    /// Lets everything pass again; what was held up arrives.
    pub(crate) fn heal(&mut self) {
        self.partition.clear();
        for id in std::mem::take(&mut self.held) {
            self.dial_again(id);
        }
        let waiting = self.ends.iter().filter(|(_, end)| end.inbound.is_in_flight());
        let waiting: Vec<Id> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            let at = self.now + self.delay();
            self.schedule(at, Event::Arrive(id));
        }
    }

    /// Breaks every connection between two processes, at both ends and at once.
    pub(crate) fn cut(&mut self, one: Process, other: Process) {
        let between = |end: &End| {
            (end.process, end.peer_process) == (one, other)
                || (end.process, end.peer_process) == (other, one)
        };
        let ends: Vec<Id> =
            self.ends.iter().filter(|(_, end)| between(end)).map(|(id, _)| *id).collect();
        for id in ends {
            self.break_end(id)
        }
    }

    /// Kills a process: the system closes what it had open, its listeners are gone, and its peers
    /// hear the end of the stream where it had read all that they sent, else a reset.
    pub(crate) fn crash(&mut self, process: Process) {
        self.hosts[process].alive = false;
        self.set_free(process);
        let of_process = |(id, owner): (&Id, Process)| (owner == process).then_some(*id);
        let listeners: Vec<Id> = self
            .listeners
            .iter()
            .map(|(id, listener)| (id, listener.process))
            .filter_map(of_process)
            .collect();
        let ends: Vec<Id> =
            self.ends.iter().map(|(id, end)| (id, end.process)).filter_map(of_process).collect();
        for id in listeners {
            self.close_listener(id)
        }
        for id in ends {
            self.close(id)
        }
        self.hosts[process].maybe_ready.clear();
    }

    /// Describes the first socket that is still open.
    pub(crate) fn left_open(&self) -> Option<String> {
        let ends = self.ends.values().filter(|end| end.is_held());
        let ends = ends.map(|end| (end.process, format!("connection to {}", end.remote)));
        let listeners =
            self.listeners.values().map(|listener| (listener.process, "listener".to_owned()));
        let (process, what) = ends.chain(listeners).next()?;
        let name = &self.hosts[process].name;
        Some(format!("a {what} of {name} is open though all have ended: something owns itself"))
    }

    /// Notes that a process has ended: it neither works nor stands still any more.
    pub(crate) fn set_free(&mut self, process: Process) {
        let now = self.now;
        let host = &mut self.hosts[process];
        (host.stopped, host.interrupted, host.in_turn) = (false, false, false);
        (host.stalled_until, host.busy_until) = (now, now);
    }
}

/// Says what [`Net::step`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// No event is due.
    Nothing,
    Handled,
    /// Tells that the process must be turned.
    Turn(Process),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_open_names_each_socket_until_it_is_closed() {
        let mut net = Net::new(1, false);
        let name = "here".to_owned();
        net.hosts.push(HostState { name, alive: true, ..HostState::default() });
        assert_eq!(net.left_open(), None);
        let key = |slot| Key { slot, generation: 1 };
        let listener = net.open_listener(0, key(1), "there").unwrap();
        assert!(net.left_open().is_some_and(|text| text.contains("a listener of here is open")));
        let end = net.dial(0, key(2), "there").unwrap();
        while net.step(Instant::FAR) != Step::Nothing {}
        net.close_listener(listener);
        assert!(net.left_open().is_some_and(|text| text.contains("connection to there of here")));
        net.close(end);
        assert_eq!(net.left_open(), None, "what nobody has accepted is nobody's");
    }
}
