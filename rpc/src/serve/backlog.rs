//! Takes turns among the connections of a process whose requests wait for a turn of the loop.
//!
//! As long as little waits, what waits comes before what arrives next. Once a connection has waited
//! for several turns, requests are many or large, and then it is the other way round: whoever asks
//! for something now and then does not stand behind those that have asked for very much at once.
//!
//! Invariants:
//! 1. A link is here once iff a request of it waits, in line or set aside.
//! 2. There is a task or a timer that goes on iff a link is in line, and a timer that looks again
//!    iff one is set aside.
//! 3. At least every other turn is for those who wait.

use crate::link::context::LinkContext;
use crate::link::{Link, Signs};
use peers_kernel::{Cause, Instant};
use std::rc::Rc;
use std::time::Duration;

/// Who has waited for so long shows that what waits takes more than a few turns.
const BEHIND: Duration = Duration::from_millis(5);
/// Says how long a turn then takes for who waits: mostly one request, if it is a large one.
const SLICE: Duration = Duration::from_micros(250);
/// Says how often links that are set aside are looked at.
const LOOK: Duration = Duration::from_millis(25);

/// What is done now for those in line; however it ends, it goes on if any are left.
struct Going<'a> {
    context: &'a LinkContext,
    behind: bool,
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        let more = !self.context.backlog.line.borrow().is_empty();
        self.context.backlog.goes_on.set(more);
        if more {
            self.context.go_on_later(self.behind);
        }
    }
}

/// A link whose turn it is; however that ends, it stands in line again if requests are left.
struct Turn(Rc<Link>);

impl Drop for Turn {
    fn drop(&mut self) {
        if self.0.is_deferring() {
            self.0.context().enlist(&self.0);
        }
    }
}

impl LinkContext {
    /// Lets a link wait for its turn, unless it does already.
    pub(super) fn enlist(&self, link: &Link) {
        if link.shows(Signs::ENLISTED) {
            return;
        }
        link.show(Signs::ENLISTED, true);
        self.backlog.line.borrow_mut().push_back((link.key(), self.handle.now()));
        if !self.backlog.goes_on.replace(true) {
            self.go_on_later(false);
        }
    }

    /// What is said now takes long: those who come next are to be asked whether there is time left.
    /// There is none while others wait.
    pub(crate) fn takes_long(&self) {
        if self.backlog.goes_on.get() {
            self.handle.spend_all();
        } else {
            self.handle.spend_exactly();
        }
    }

    /// Goes on in its place among all tasks, or behind what arrives meanwhile.
    fn go_on_later(&self, behind: bool) {
        let me = self.me.clone();
        let go_on = move || {
            if let Some(context) = me.upgrade() {
                context.go_on();
            }
        };
        self.handle.with_cause(Cause::NONE, || {
            if behind {
                self.handle.at(self.handle.now(), go_on);
            } else {
                self.handle.schedule(go_on);
            }
        });
    }

    /// Lets those in line start their requests, one after the other, while the budget lasts. If
    /// they have waited for long, one of them does for a little while, unless something else was
    /// done in this turn: its answer is not to wait for the end of that.
    fn go_on(&self) {
        let now = self.handle.now();
        let mut going = Going { context: self, behind: false };
        while let Some((link, since)) = self.next_in_line(now) {
            going.behind = now.since(since) >= BEHIND;
            if going.behind && self.handle.spent() > 1 && !self.backlog.stood_back.replace(true) {
                return self.step_back(&link, since);
            }
            self.backlog.stood_back.set(false);
            let turn = Turn(link);
            turn.0.start_deferred(match going.behind {
                true => self.handle.exact_clock() + SLICE,
                false => Instant::FAR,
            });
            drop(turn);
            if going.behind || !self.handle.spend() {
                return;
            }
        }
    }

    /// The first link in line that has a use for its turn. Those that have none are set aside.
    fn next_in_line(&self, now: Instant) -> Option<(Rc<Link>, Instant)> {
        loop {
            let (link, since) = self.backlog.line.borrow_mut().pop_front()?;
            let Some(link) = self.link(link) else { continue };
            if link.waits_for_reader(now) {
                self.set_aside(&link);
                continue;
            }
            link.show(Signs::ENLISTED, false);
            return Some((link, since));
        }
    }

    /// Puts a link back to the front of the line.
    fn step_back(&self, link: &Rc<Link>, since: Instant) {
        link.show(Signs::ENLISTED, true);
        self.backlog.line.borrow_mut().push_front((link.key(), since));
    }

    /// Lets a link wait until its peer goes on reading; while memory is scarce, its calls are
    /// refused instead.
    fn set_aside(&self, link: &Rc<Link>) {
        if self.memory.is_tight() {
            link.turn_waiting_away();
        }
        self.backlog.aside.borrow_mut().push(link.key());
        if !self.backlog.looks.replace(true) {
            self.look_aside_later();
        }
    }

    fn look_aside_later(&self) {
        let me = self.me.clone();
        self.handle.with_cause(Cause::NONE, || {
            self.handle.after(LOOK, move || {
                if let Some(context) = me.upgrade() {
                    context.look_aside();
                }
            })
        });
    }

    /// Lets those stand in line again that have a use for it.
    fn look_aside(&self) {
        self.backlog.looks.set(false);
        let now = self.handle.now();
        let aside = self.backlog.aside.take();
        for link in aside.into_iter().filter_map(|link| self.link(link)) {
            if link.waits_for_reader(now) {
                self.set_aside(&link);
            } else {
                link.show(Signs::ENLISTED, false);
                if link.is_deferring() {
                    self.enlist(&link);
                }
            }
        }
    }
}
