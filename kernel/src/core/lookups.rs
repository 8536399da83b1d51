//! Looks names up on threads of its own: the system's resolver blocks, takes as long as it likes
//! and cannot be stopped.
//!
//! Invariants:
//! 1. A name is looked up once at a time, whoever asks: callers that ask meanwhile share the
//!    answer. Kept by `callers_share_a_look_up_and_each_has_its_own_patience`.
//! 2. At most [`THREADS`] threads of this file's own look names up; one that is stuck keeps its
//!    thread. Offloaded work never waits for a name. Kept by `start`,
//!    `two_names_that_hang_delay_no_third`.
//! 3. Each caller gets an answer within [`PATIENCE`], whatever the resolver does. Kept by
//!    `a_look_up_that_does_not_end_is_given_up_after_five_seconds`.
//! 4. A name that nobody waits for any more, and whose turn has not come, is not looked up. Kept by
//!    `a_fourth_name_that_nobody_knows_waits_for_its_turn_and_no_longer_than_its_caller`.
//! 5. Names whose last look-up took long, or takes long now, have half of the threads at most; all
//!    that were not answered soon before have one less than all. So who dials names that hang,
//!    again and again or for the first time, leaves a thread to those that are known to be
//!    answered. Kept by `names_that_hang_again_and_again_leave_half_of_the_threads_to_others` and
//!    `names_that_hang_for_the_first_time_leave_a_thread_to_those_that_were_answered_before`.
//! 6. At most [`WAITING`] names wait for their turn. Kept by
//!    `so_many_names_wait_for_their_turn_and_not_one_more`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::handle::Handle;
use crate::core::task::Plain;
use crate::core::timers::TimerId;
use crate::host::names::{LookUpResult, usable};
use crate::host::os::look_up;
use crate::host::ready::Resolved;
use crate::host::time::Instant;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// Look-ups that run at a time.
const THREADS: usize = 4;
/// Look-ups that run at a time of names that are known to take long.
const SLOW_THREADS: usize = THREADS / 2;
/// Look-ups that run at a time of names that are not known to be answered soon.
const UNPROVEN_THREADS: usize = THREADS - 1;
/// A look-up that takes so long takes long.
const LONG: Duration = Duration::from_secs(1);
/// Names that are remembered for how long their look-ups took, of each kind.
const REMEMBERED: usize = 64;
/// Names that wait for their turn.
const WAITING: usize = 256;
/// The time that a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The rest of what a caller does, with the answer. Runs no user code.
type Then = Box<dyn FnOnce(&Rc<Core>, LookUpResult)>;

/// All names that one loop looks up.
#[derive(Default)]
pub(crate) struct Lookups {
    names: RefCell<BTreeMap<String, Asked>>,
    /// Names whose turn has not come.
    queue: RefCell<VecDeque<String>>,
    running: Cell<usize>,
    /// Names whose last look-up took long, the latest at the end.
    slow: RefCell<VecDeque<String>>,
    /// Names that were answered soon when they were last looked up, likewise.
    proven: RefCell<VecDeque<String>>,
    next_caller: Cell<u64>,
}

#[derive(Default)]
struct Asked {
    callers: Vec<Caller>,
    /// `Some` iff it is being looked up: since when.
    running: Option<Instant>,
}

struct Caller {
    number: u64,
    patience: TimerId,
    then: Then,
}

impl Lookups {
    /// Looks a name up for a caller.
    #[track_caller]
    pub(crate) fn ask(
        &self,
        core: &Rc<Core>,
        name: &str,
        then: impl FnOnce(&Rc<Core>, LookUpResult) + 'static,
    ) {
        if self.queue.borrow().len() >= WAITING && !self.names.borrow().contains_key(name) {
            let text = format!("{name} was not looked up: {WAITING} other names wait for that");
            let refuse = |core: &Rc<Core>| then(core, Err((ErrorKind::ResourceBusy, text)));
            return core.push(core.cause.get(), Plain::boxed(Location::caller(), refuse));
        }
        let number = self.next_caller.get();
        self.next_caller.set(number + 1);
        let impatient = name.to_owned();
        let give_up = move |core: &Rc<Core>| core.lookups.give_up(core, &impatient, number);
        let task = Plain::boxed(Location::caller(), give_up);
        let patience = core.with_cause(Cause::NONE, || core.at(core.now() + PATIENCE, task));
        let mut names = self.names.borrow_mut();
        if !names.contains_key(name) {
            self.queue.borrow_mut().push_back(name.to_owned());
        }
        let asked = names.entry(name.to_owned()).or_default();
        asked.callers.push(Caller { number, patience, then: Box::new(then) });
        drop(names); // a simulated look-up may end at once, and asks for them
        self.start(core);
    }

    /// Starts look-ups for names whose turn has come.
    fn start(&self, core: &Rc<Core>) {
        while self.running.get() < THREADS {
            let Some(name) = self.next(core.now()) else { return };
            if let Some(asked) = self.names.borrow_mut().get_mut(&name) {
                asked.running = Some(core.now());
            }
            self.running.set(self.running.get() + 1);
            debug_assert!(self.running.get() <= THREADS, "so many names at a time, and no more");
            if let Err(error) = look_up(core, &name) {
                self.finish(core, &name, &Err((error.kind(), error.to_string())));
            }
        }
    }

    /// Returns the first name whose turn it is.
    fn next(&self, now: Instant) -> Option<String> {
        let (names, slow, proven) = (self.names.borrow(), self.slow.borrow(), self.proven.borrow());
        let (mut slow_ones, mut unproven) = (0, 0);
        for (name, asked) in names.iter() {
            let Some(since) = asked.running else { continue };
            slow_ones += usize::from(now.since(since) >= LONG || slow.contains(name));
            unproven += usize::from(!proven.contains(name));
        }
        let may_run = |name: &String| {
            let as_slow = slow_ones < SLOW_THREADS || !slow.contains(name);
            as_slow && (unproven < UNPROVEN_THREADS || proven.contains(name))
        };
        let mut queue = self.queue.borrow_mut();
        let at = queue.iter().position(may_run)?;
        queue.remove(at)
    }

    /// Remembers for how long a name was looked up.
    fn remember(&self, name: &str, took: Duration) {
        let (mut slow, mut proven) = (self.slow.borrow_mut(), self.proven.borrow_mut());
        slow.retain(|other| other != name);
        proven.retain(|other| other != name);
        let known = if took >= LONG { &mut slow } else { &mut proven };
        known.push_back(name.to_owned());
        if known.len() > REMEMBERED {
            known.pop_front();
        }
    }

    /// Tells all callers what a look-up has found.
    fn finish(&self, core: &Rc<Core>, name: &str, answer: &LookUpResult) {
        self.running.set(self.running.get() - 1);
        let asked = self.names.borrow_mut().remove(name);
        if let Some(since) = asked.as_ref().and_then(|asked| asked.running) {
            self.remember(name, core.now() - since);
        }
        for Caller { patience, then, .. } in asked.into_iter().flat_map(|asked| asked.callers) {
            core.cancel(patience);
            then(core, answer.clone());
        }
        self.start(core);
    }

    /// Tells a caller that has waited long enough.
    fn give_up(&self, core: &Rc<Core>, name: &str, number: u64) {
        let mut names = self.names.borrow_mut();
        let Some(asked) = names.get_mut(name) else { return };
        let found = asked.callers.iter().position(|caller| caller.number == number);
        let Some(caller) = found.map(|at| asked.callers.remove(at)) else { return };
        let mut text = format!("the look-up of {name} did not end in {PATIENCE:?}");
        if asked.running.is_none() {
            let others = self.running.get();
            text = format!("{name} was not looked up: {others} other look-ups hang");
            // Nobody waits for it any more, and it has not begun: it need not be looked up.
            if asked.callers.is_empty() {
                names.remove(name);
                self.queue.borrow_mut().retain(|queued| queued != name);
            }
        }
        drop(names);
        text.push_str("; does this machine's name service answer?");
        (caller.then)(core, Err((ErrorKind::TimedOut, text)))
    }

    /// Forgets all callers.
    pub(crate) fn clear(&self) -> Vec<impl Sized + use<>> {
        self.queue.borrow_mut().clear();
        let names = std::mem::take(&mut *self.names.borrow_mut());
        names.into_values().flat_map(|asked| asked.callers).map(|caller| caller.then).collect()
    }

    /// Returns the names that are looked up or wait for it.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.borrow().keys().cloned().collect()
    }
}

/// Begins to look a name up; the answer comes as a task. A simulated host answers after a time of
/// its own.
fn look_up(core: &Rc<Core>, name: &str) -> io::Result<()> {
    let (born, name) = (Location::caller(), name.to_owned());
    if let Some((after, places)) = core.host().simulated_name(&name) {
        let answer = usable(&name, places.into_iter().map(Resolved::Sim).collect());
        let finish = move |core: &Rc<Core>| core.lookups.finish(core, &name, &answer);
        let task = Plain::boxed(born, finish);
        core.with_cause(Cause::NONE, || core.at(core.now() + after, task));
        return Ok(());
    }
    let home = core.inbox.shared().clone();
    look_up::look_up(name, move |name, answer| {
        let name = name.to_owned();
        home.post(born, move |handle: &Handle| {
            handle.core.lookups.finish(&handle.core, &name, &answer);
        });
    })
}
