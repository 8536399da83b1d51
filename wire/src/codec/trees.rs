//! Spells sets and maps: a count and the elements, or a key and a value each. All other types live
//! in `codec`.
//!
//! Invariants:
//! 1. Elements are written in the order of their keys, and read in any. Kept by
//!    `trees_are_read_in_any_order`.
//! 2. A key that comes twice is an error. Kept by `each_bad_vector_gives_its_error`.
//! 3. What a tree takes is charged before it grows. Kept by
//!    `small_maps_cannot_unfold_into_much_memory`.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::{Decode, Encode, Reader, Writer};
use crate::{Error, limits};

impl<T: Encode> Encode for BTreeSet<T> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.elements(self.len(), |w| self.iter().for_each(|item| item.encode(w)));
    }
}

impl<'a, T: Decode<'a> + Ord> Decode<'a> for BTreeSet<T> {
    const MIN_SIZE: usize = 4;

    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        let count = tree_count::<T>(r)?;
        r.nested(|r| tree(r, count, |item| item, Self::insert))
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.elements(self.len(), |w| {
            for (key, value) in self {
                key.encode(w);
                value.encode(w);
            }
        });
    }
}

impl<'a, K: Decode<'a> + Ord, V: Decode<'a>> Decode<'a> for BTreeMap<K, V> {
    const MIN_SIZE: usize = 4;

    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        let count = tree_count::<(K, V)>(r)?;
        r.nested(|r| {
            tree(
                r,
                count,
                |(key, _)| key,
                |map: &mut Self, (key, value)| map.insert(key, value).is_none(),
            )
        })
    }
}

/// The number of elements that a node of a tree has room for.
const NODE: usize = 11;

/// The number of elements in order that tell that all are: room for more is made only then.
const SORTED: usize = 2 * NODE;
const _: () = assert!(SORTED < limits::CAPACITY_HINT);

/// Reads the count of a set or map, and charges what its tree takes: nodes, of which all but the
/// root are at least half full. A million maps of one large element would otherwise take ten times
/// what they were charged.
fn tree_count<'a, T: Decode<'a>>(r: &mut Reader<'a>) -> Result<usize, Error> {
    let memory = size_of::<T>();
    let count = r.count(T::MIN_SIZE, memory.saturating_mul(2))?;
    // A tree of one element takes a whole node.
    if count > 0 {
        r.charge_memory(memory.saturating_mul(NODE))?;
    }
    Ok(count)
}

/// Reads `count` elements. While each key is greater than the one before, as they are written, no
/// key comes twice, and a tree made of all of them at once takes less time and less memory than one
/// that grows. From the first that is not, they are put in one by one by `insert`, which says
/// whether the key is new; and from the beginning if one node holds them all, for which gathering
/// them would take longer.
fn tree<'a, T: Decode<'a>, K: Ord, C: Default + FromIterator<T>>(
    r: &mut Reader<'a>,
    count: usize,
    key: impl Fn(&T) -> &K,
    insert: impl Fn(&mut C, T) -> bool,
) -> Result<C, Error> {
    // Few fit one node, and go there at once. Many are gathered, since a tree made of what is in
    // order is made at once; at the first that is not in order, it is grown one by one.
    let mut grown = (count <= NODE).then(C::default);
    let room = if grown.is_some() { 0 } else { count.min(SORTED) };
    let mut ascending: Vec<T> = Vec::with_capacity(room);
    for _ in 0..count {
        // Only when so many have come: a count alone must not take memory.
        if ascending.len() == SORTED {
            ascending.reserve(count.min(limits::CAPACITY_HINT) - SORTED);
        }
        let offset = r.offset();
        let item = T::decode(r)?;
        if grown.is_none() && ascending.last().is_none_or(|last| key(last) < key(&item)) {
            ascending.push(item);
            continue;
        }
        let tree = grown.get_or_insert_with(|| mem::take(&mut ascending).into_iter().collect());
        // One of two would be lost, and which of them is nobody's choice.
        if !insert(tree, item) {
            return Err(Error::Duplicate { offset });
        }
    }
    Ok(grown.unwrap_or_else(|| ascending.into_iter().collect()))
}
