//! Measures how much a turn does, and who was at it when it took too long.
//!
//! Reading the clock costs more than a small task, so the first tasks of a turn are timed one by
//! one and the rest in batches, unless a batch lately took a turn's time; a ring remembers the
//! birth places of a batch. Units inside a task are larger, and each looks at a clock that is cheap
//! and a little behind. Invariants:
//! 1. A turn never starts a task after its budget is known to be spent. Kept by
//!    `a_turn_runs_as_many_tasks_as_its_budget_and_at_least_one`.
//! 2. Between two readings of the clock lie at most [`BATCH`] tasks. Kept by `charge`.
//! 3. On a simulated clock only what tasks say that they take counts, and their number. Kept by
//!    `slow_tasks_spend_the_budget_of_their_turns`.

use crate::core::panics::Whose;
use crate::host::Host;
use crate::host::throttle::may_log;
use crate::host::time::Instant;
use std::cell::Cell;
use std::panic::Location;
use std::time::Duration;

/// Holds what one turn may spend on tasks before it looks at sockets, timers and other threads
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Tasks run, and units charged by [`Handle::spend`](crate::Handle::spend). At least one task
    /// is always run.
    pub tasks: u32,
    /// Time taken. A task is never interrupted: this decides whether another one is started.
    pub time: Duration,
}

impl Default for Budget {
    /// Returns 1,024 tasks or 1 ms.
    fn default() -> Self {
        Self { tasks: 1024, time: Duration::from_millis(1) }
    }
}

/// Tasks between two readings of the clock.
const BATCH: u32 = 64;
/// Units charged inside a task between two readings of the clock.
const UNITS: u32 = 32;
/// Tasks at the beginning of a turn that are timed one by one.
const EXACT: u32 = 4;
/// Tasks that are timed one by one after a batch that was slow.
const EXACT_AFTER_SLOW: u32 = 1024;
/// A handler that runs longer than this is named in the log.
const SLOW: Duration = Duration::from_millis(50);

/// Counts and times the tasks of a turn.
pub(crate) struct Meter {
    budget: Cell<Budget>,
    began: Cell<Instant>,
    /// Says when its time is over.
    until: Cell<Instant>,
    /// Its number: of two turns the clock may say the same.
    turn: Cell<u64>,
    /// Units charged in this turn.
    used: Cell<u32>,
    /// The clock is read when this many units are used.
    next_check: Cell<u32>,
    /// Says when a task last ended that was timed.
    checked: Cell<Instant>,
    /// Tasks yet to be timed one by one because a batch was slow.
    suspicious: Cell<u32>,
    /// Says where the handler was made that runs.
    here: Cell<&'static Location<'static>>,
    /// Says that of the handlers that ran when the latest units ended, by the units used before
    /// each.
    places: [Cell<&'static Location<'static>>; BATCH as usize],
    /// Names of some of them, by the same, each with the turn and the units used before it.
    names: [Cell<(u64, u32, &'static str)>; BATCH as usize],
    /// Units used before the first task that is not timed yet.
    cleared: Cell<u32>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            budget: Cell::new(Budget::default()),
            began: Cell::default(),
            until: Cell::default(),
            turn: Cell::new(1),
            used: Cell::new(0),
            next_check: Cell::new(1),
            checked: Cell::default(),
            suspicious: Cell::new(0),
            here: Cell::new(Location::caller()),
            places: [const { Cell::new(Location::caller()) }; BATCH as usize],
            names: [const { Cell::new((0, 0, "")) }; BATCH as usize],
            cleared: Cell::new(0),
        }
    }

    pub(crate) fn set_budget(&self, budget: Budget) {
        self.budget.set(budget);
        self.limit_time();
    }

    /// Sets when the time is over. A clock that is behind must not make time of none.
    fn limit_time(&self) {
        let (began, time) = (self.began.get(), self.budget.get().time);
        self.until.set(if time.is_zero() { Instant::default() } else { began + time });
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget.get()
    }

    /// Begins a turn.
    pub(crate) fn begin(&self, now: Instant) {
        self.began.set(now);
        self.limit_time();
        self.turn.set(self.turn.get() + 1);
        self.checked.set(now);
        self.cleared.set(0);
        self.used.set(0);
        self.next_check.set(1);
    }

    /// Lets the next task be charged only by [`check`](Self::check).
    pub(crate) fn interrupt(&self) {
        self.next_check.set(0)
    }

    /// Charges one task; false if the turn may not start it before [`check`](Self::check) says so.
    #[inline]
    pub(crate) fn tick(&self) -> bool {
        let used = self.used.get();
        let free = used < self.next_check.get();
        if free {
            self.count(used);
        }
        free
    }

    /// Begins another unit behind so many.
    #[inline]
    fn count(&self, used: u32) {
        self.places[(used % BATCH) as usize].set(self.here.get());
        self.used.set(used.wrapping_add(1));
    }

    /// Returns when the tasks of this turn, or if they run those of the one before, were known to
    /// be over.
    pub(crate) fn tasks_ended(&self) -> Instant {
        self.checked.get()
    }

    /// Returns whether the turn has not taken its time by `now`, which may be a little behind.
    #[inline]
    pub(crate) fn has_time(&self, now: Instant) -> bool {
        now < self.until.get()
    }

    /// Charges one unit of work inside a task that [`tick`](Self::tick) did not; false if the
    /// turn's budget is spent.
    pub(crate) fn spend(&self, host: &dyn Host) -> bool {
        self.charge(host.now(), UNITS)
    }

    /// Notes whose handler starts now.
    #[inline]
    pub(crate) fn running(&self, born: &'static Location<'static>) {
        self.here.set(born);
    }

    /// Notes what the handler does that runs now.
    #[inline]
    pub(crate) fn name(&self, name: &'static str) {
        let used = self.used.get();
        self.names[(used % BATCH) as usize].set((self.turn.get(), used, name));
    }

    /// Returns what the task after so many units is to be called.
    fn called(&self, used: u32) -> String {
        match self.whose(used) {
            Whose { born, name: Some(name) } => format!("{name}, made at {born}"),
            Whose { born, name: None } => format!("the one made at {born}"),
        }
    }

    fn whose(&self, used: u32) -> Whose {
        let at = (used % BATCH) as usize;
        let (turn, before, name) = self.names[at].get();
        // The ring keeps names of earlier rounds, which are somebody else's.
        let named = (turn, before) == (self.turn.get(), used);
        let born = if used == self.used.get() { &self.here } else { &self.places[at] };
        Whose { born: born.get(), name: named.then_some(name) }
    }

    /// Returns whose handler started last, and what it is at.
    pub(crate) fn last(&self) -> Whose {
        self.whose(self.used.get())
    }

    /// Returns whose handler started last.
    #[inline]
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.here.get()
    }

    /// Ends the turn's tasks: times what was not timed yet.
    pub(crate) fn finish(&self, host: &dyn Host) {
        if self.used.get() != self.cleared.get() {
            self.time(host.now())
        }
    }

    /// Reads the clock, and charges one task if the budget allows.
    pub(crate) fn check(&self, host: &dyn Host) -> bool {
        let now = host.now();
        self.time(now);
        let watched = self.suspicious.get();
        self.suspicious.set(watched.saturating_sub(1));
        let exact = watched > 0 || self.used.get() < EXACT;
        self.charge(now, if exact { 1 } else { BATCH })
    }

    /// Charges one unit if the budget allows, and looks again after `units`.
    fn charge(&self, now: Instant, units: u32) -> bool {
        let (used, budget) = (self.used.get(), self.budget.get());
        let limit = budget.tasks.max(1);
        // Of two that are asked, neither starts once one bound is reached.
        if used >= limit || !self.has_time(now) {
            return false;
        }
        debug_assert!(units <= BATCH, "the ring remembers no more than a batch");
        self.next_check.set(used.saturating_add(units).min(limit));
        self.count(used);
        true
    }

    /// Times the handlers since the last reading of the clock, and complains if that was long.
    fn time(&self, now: Instant) {
        let before = self.checked.replace(now);
        let cleared = self.cleared.replace(self.used.get());
        let took = now.as_nanos().saturating_sub(before.as_nanos());
        if took >= SLOW.as_nanos() as u64 {
            self.complain(now.since(before), cleared)
        } else if took >= self.until.get().as_nanos().saturating_sub(self.began.get().as_nanos()) {
            self.suspicious.set(EXACT_AFTER_SLOW)
        }
    }

    #[cold]
    fn complain(&self, took: Duration, cleared: u32) {
        let used = self.used.get();
        let count = used.saturating_sub(cleared).min(BATCH);
        let mut names: Vec<String> = (0..count).map(|back| self.called(used - back)).collect();
        names.dedup();
        // Nobody knows which of them it was, so the next ones are told apart.
        if names.len() > 1 {
            self.suspicious.set(EXACT_AFTER_SLOW);
        }
        if names.is_empty() || !may_log() {
            return;
        }
        match &names[..] {
            [name] => log::warn!("slow handler: {took:?} in {name}"),
            names => log::warn!(
                "slow handler: {took:?} in one of {count} tasks: {}; the next ones are timed one by one",
                names.join("; ")
            ),
        }
    }
}
