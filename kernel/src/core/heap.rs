//! A priority queue with four children per place: half as deep as a binary one, so that with a
//! million entries, when each level costs a look at distant memory, taking the least one costs
//! half.
//!
//! Invariant: no entry is greater than one of its children, which for place `n` are at `4n + 1` to
//! `4n + 4`.

/// A heap whose least entry is at the top.
pub(crate) struct Heap<T> {
    entries: Vec<T>,
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

const CHILDREN: usize = 4;

impl<T: Copy + Ord> Heap<T> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the least entry.
    pub(crate) fn peek(&self) -> Option<T> {
        self.entries.first().copied()
    }

    pub(crate) fn push(&mut self, entry: T) {
        self.entries.push(entry);
        self.rise(self.entries.len() - 1, entry)
    }

    /// Takes the least entry.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.entries.pop()?;
        let Some(least) = self.peek() else { return Some(last) };
        self.sink(0, last);
        Some(least)
    }

    /// Keeps only what `keep` wants, in time proportional to what there was.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.entries.retain(keep);
        // From the last parent up: when a place is sunk, the heaps below it are in order.
        let parents = self.entries.len().div_ceil(CHILDREN);
        for place in (0..parents).rev() {
            self.sink(place, self.entries[place])
        }
        debug_assert!(self.is_ordered(), "no entry is greater than one of its children");
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear()
    }

    fn is_ordered(&self) -> bool {
        (1..self.entries.len()).all(|n| self.entries[(n - 1) / CHILDREN] <= self.entries[n])
    }

    /// Puts `entry` at `place` or above.
    fn rise(&mut self, mut place: usize, entry: T) {
        let entries = &mut self.entries[..];
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if entries[parent] <= entry {
                break;
            }
            entries[place] = entries[parent];
            place = parent;
        }
        entries[place] = entry;
    }

    /// Puts `entry` at `place` or below.
    fn sink(&mut self, mut place: usize, entry: T) {
        let entries = &mut self.entries[..];
        loop {
            let first = place * CHILDREN + 1;
            let end = entries.len().min(first + CHILDREN);
            let Some((offset, least)) = least(entries.get(first..end).unwrap_or(&[])) else {
                break;
            };
            if entry <= least {
                break;
            }
            entries[place] = least;
            place = first + offset;
        }
        entries[place] = entry;
    }
}

/// Returns the least of a few, and where it is.
fn least<T: Copy + Ord>(few: &[T]) -> Option<(usize, T)> {
    let mut best = (0, *few.first()?);
    for (offset, entry) in few.iter().enumerate().skip(1) {
        if *entry < best.1 {
            best = (offset, *entry);
        }
    }
    Some(best)
}

#[cfg(test)]
mod tests {
    use super::Heap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pops_in_order_after_pushes_and_retain(mut numbers in prop::collection::vec(0_u32..1000, 0..200), modulus in 1_u32..4) {
            let mut heap = Heap::default();
            numbers.iter().for_each(|n| heap.push(*n));
            let keep = |n: &u32| n.is_multiple_of(modulus);
            heap.retain(keep);
            numbers.retain(keep);
            numbers.sort_unstable();
            prop_assert_eq!(heap.len(), numbers.len());
            prop_assert_eq!(std::iter::from_fn(|| heap.pop()).collect::<Vec<_>>(), numbers);
        }
    }
}
