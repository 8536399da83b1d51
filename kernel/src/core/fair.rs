//! A bounded queue that is shared out: those who put things into it get their turns one after the
//! other, and their places too.
//!
//! Pure data: no thread, no clock. What is queued, and who has a share, is for others to say.
//!
//! Invariants:
//! 1. `order` names each share that has a line once, and no other; no line is empty. Kept by
//!    `push`.
//! 2. What one share has put in leaves in that order; between shares, each gives one in turn,
//!    unless it has as much in hand as it may. Kept by `shares_take_turns_whoever_came_first`.
//! 3. `len` counts what is in all lines together. Kept by `remove`.
//! 4. `in_hand` counts what has left for a share and is not done, and has no zeros. Kept by `done`.

use std::collections::{BTreeMap, VecDeque};

/// On whose account something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Share {
    /// The program's own.
    Own,
    /// Somebody's whom the program serves: who told, and their name there.
    Of(usize, u64),
    /// Stands for somebody who cannot be told any more.
    Unknown,
}

/// A queue with a line for each share.
#[derive(Debug)]
pub(crate) struct Fair<J> {
    lines: BTreeMap<Share, VecDeque<J>>,
    order: VecDeque<Share>,
    len: usize,
    in_hand: BTreeMap<Share, usize>,
    places: usize,
    hands: usize,
}

impl<J> Fair<J> {
    /// Makes an empty one with so many places, of which one share may have so many in hand.
    pub(crate) const fn new(places: usize, hands: usize) -> Self {
        let in_hand = BTreeMap::new();
        Self { lines: BTreeMap::new(), order: VecDeque::new(), len: 0, in_hand, places, hands }
    }

    /// Returns whether a share may put in one more: the program itself as long as there is room,
    /// everybody else while it has fewer than half of what the others leave.
    pub(crate) fn has_room(&self, share: Share) -> bool {
        let own = self.lines.get(&share).map_or(0, VecDeque::len);
        let left = self.places - (self.len - own);
        match share {
            Share::Own => own < left,
            Share::Of(..) | Share::Unknown => 2 * own < left,
        }
    }

    /// Puts something in, whether there is room or not.
    pub(crate) fn push(&mut self, share: Share, job: J) {
        let line = self.lines.entry(share).or_default();
        if line.is_empty() {
            self.order.push_back(share);
        }
        line.push_back(job);
        self.len += 1;
        debug_assert!(self.is_sound());
    }

    /// Takes the first of the share whose turn it is, to be told when it is [`done`](Self::done).
    pub(crate) fn pop(&mut self) -> Option<(Share, J)> {
        let has_hands = |share: &Share| self.in_hand.get(share).is_none_or(|n| *n < self.hands);
        let at = self.order.iter().position(has_hands)?;
        let share = self.order.remove(at)?;
        let line = self.lines.get_mut(&share)?;
        let job = line.pop_front()?;
        self.len -= 1;
        *self.in_hand.entry(share).or_default() += 1;
        if line.is_empty() {
            self.lines.remove(&share);
        } else {
            // To the end: the others have their turn before its next.
            self.order.push_back(share);
        }
        debug_assert!(self.is_sound());
        Some((share, job))
    }

    /// Notes that something that a share had in hand is done.
    pub(crate) fn done(&mut self, share: Share) {
        if let Some(count) = self.in_hand.get_mut(&share) {
            *count -= 1;
            if *count == 0 {
                self.in_hand.remove(&share);
            }
        }
        debug_assert!(self.is_sound());
    }

    /// Returns whether all that the front page promises holds now.
    fn is_sound(&self) -> bool {
        let named = self.order.iter().all(|share| self.lines.contains_key(share));
        let lines = named && self.order.len() == self.lines.len();
        let filled = self.lines.values().all(|line| !line.is_empty());
        let counted = self.len == self.lines.values().map(VecDeque::len).sum::<usize>();
        lines && filled && counted && self.in_hand.values().all(|count| *count > 0)
    }

    /// Takes out what one share has in it that is not wanted any more.
    pub(crate) fn remove(&mut self, share: Share, unwanted: impl Fn(&J) -> bool) -> Vec<J> {
        let Some(line) = self.lines.get_mut(&share) else { return Vec::new() };
        let (removed, kept): (VecDeque<J>, VecDeque<J>) = line.drain(..).partition(unwanted);
        *line = kept;
        if line.is_empty() {
            self.lines.remove(&share);
            self.order.retain(|other| *other != share);
        }
        self.len -= removed.len();
        debug_assert!(self.is_sound());
        removed.into()
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Vec<J> {
        let Self { lines, order, len, .. } = self;
        order.clear();
        *len = 0;
        std::mem::take(lines).into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Share = Share::Of(0, 1);
    const B: Share = Share::Of(0, 2);

    fn all(fair: &mut Fair<i32>) -> Vec<i32> {
        std::iter::from_fn(|| fair.pop().map(|(_, job)| job)).collect()
    }

    #[test]
    fn shares_take_turns_whoever_came_first() {
        let mut fair = Fair::new(100, 9);
        (0..5).for_each(|n| fair.push(A, n));
        (10..12).for_each(|n| fair.push(B, n));
        fair.push(Share::Own, 20);
        assert_eq!(all(&mut fair), [0, 10, 20, 1, 11, 2, 3, 4]);
    }

    #[test]
    fn a_share_has_half_of_what_the_others_leave_and_the_program_all_of_it() {
        let mut fair = Fair::new(100, 9);
        let mut fill = |share| {
            let mut count = 0;
            while fair.has_room(share) {
                fair.push(share, ());
                count += 1;
            }
            count
        };
        assert_eq!((fill(A), fill(B)), (50, 25));
        assert_eq!(fill(Share::Own), 25);
        assert_eq!((fill(A), fill(Share::Unknown), fill(Share::Own)), (0, 0, 0));
    }

    #[test]
    fn what_is_removed_makes_room_and_costs_nobody_its_turn() {
        let mut fair = Fair::new(100, 9);
        (0..50).for_each(|n| fair.push(A, n));
        (50..53).for_each(|n| fair.push(B, n));
        assert!(!fair.has_room(A));
        assert_eq!(fair.remove(A, |n| *n != 7).len(), 49);
        assert!(fair.has_room(A));
        assert_eq!(fair.remove(Share::Own, |_| true), []);
        assert_eq!(all(&mut fair), [7, 50, 51, 52]);
        fair.push(A, 1);
        fair.push(B, 2);
        assert_eq!(fair.remove(A, |_| true), [1]);
        assert_eq!(all(&mut fair), [2]);
    }

    #[test]
    fn a_share_at_its_limit_waits_and_others_do_not() {
        let mut fair = Fair::new(100, 2);
        (0..4).for_each(|n| fair.push(A, n));
        assert_eq!(all(&mut fair), [0, 1]);
        fair.push(B, 10);
        assert_eq!(all(&mut fair), [10]);
        fair.done(A);
        assert_eq!(all(&mut fair), [2]);
        fair.done(B);
        assert_eq!(all(&mut fair), []);
        (0..2).for_each(|_| fair.done(A));
        assert_eq!(all(&mut fair), [3]);
        fair.done(A);
        assert!(fair.in_hand.is_empty() && fair.lines.is_empty());
    }

    proptest! {
        /// Against a plain list: nothing is lost, nothing comes twice, each share's own order
        /// stays.
        #[test]
        fn nothing_is_lost(steps in prop::collection::vec((0_u8..5, 0_u64..3), 0..200)) {
            let mut fair = Fair::new(1_000, 2);
            let mut model: Vec<(u64, usize)> = Vec::new();
            let mut in_hand = [0_i32; 3];
            for (n, (step, who)) in steps.into_iter().enumerate() {
                let share = Share::Of(0, who);
                match step {
                    0 | 1 => {
                        fair.push(share, (who, n));
                        model.push((who, n));
                    }
                    2 => {
                        let taken = fair.pop();
                        let free = |(who, _): &(u64, usize)| in_hand[*who as usize] < 2;
                        prop_assert_eq!(taken.is_none(), !model.iter().any(free));
                        if let Some((_, taken)) = taken {
                            in_hand[taken.0 as usize] += 1;
                            let first = model.iter().position(|(of, _)| *of == taken.0);
                            prop_assert_eq!(first.map(|at| model.remove(at)), Some(taken));
                        }
                    }
                    3 => {
                        fair.done(share);
                        in_hand[who as usize] = (in_hand[who as usize] - 1).max(0);
                    }
                    _ => {
                        let odd = |job: &(u64, usize)| job.1 % 2 == 1;
                        let removed = fair.remove(share, odd);
                        let meant = |job: &(u64, usize)| job.0 == who && odd(job);
                        let expected: Vec<_> = model.iter().copied().filter(meant).collect();
                        model.retain(|job| !meant(job));
                        prop_assert_eq!(removed, expected);
                    }
                }
                prop_assert_eq!(fair.len, model.len());
                prop_assert_eq!(fair.order.len(), fair.lines.len());
                prop_assert_eq!(fair.in_hand.values().sum::<usize>(), in_hand.iter().sum::<i32>() as usize);
            }
            prop_assert_eq!(fair.clear().len(), model.len());
            prop_assert!(fair.pop().is_none() && fair.has_room(A));
        }
    }
}
