//! Expanded keys, shared by the connections of a thread: most connections are idle most of the
//! time, and an expanded key takes 832 bytes.

use crate::primitives::{Aead, Library};
use std::cell::RefCell;

/// Expanded keys that a thread keeps: those of sixteen busy connections.
const ROOM: usize = 32;

/// Says where the expanded form of a key may be found. A number stands for one key for ever.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    slot: usize,
}

struct Expanded {
    /// Of whom this is; zero is nobody.
    number: u64,
    used: u64,
    key: Aead,
}

struct Table {
    entries: Vec<Expanded>,
    numbers: u64,
    clock: u64,
}

thread_local! {
    static TABLE: RefCell<Table> =
        const { RefCell::new(Table { entries: Vec::new(), numbers: 0, clock: 0 }) };
}

impl Place {
    pub(crate) fn new() -> Self {
        let number = TABLE.try_with(|table| {
            let mut table = table.borrow_mut();
            table.numbers += 1;
            table.numbers
        });
        Self { number: number.unwrap_or(0), slot: 0 }
    }

    /// Calls `f` with the expanded form of `key`, which is always the same for this place.
    pub(crate) fn with<R>(
        &mut self,
        library: Library,
        key: &[u8; 16],
        f: impl FnOnce(&Aead) -> R,
    ) -> R {
        let mut f = Some(f);
        let done = TABLE.try_with(|table| {
            let mut table = table.borrow_mut();
            let f = f.take()?;
            Some(f(table.entry(self, library, key)))
        });
        match (done, f) {
            (Ok(Some(result)), _) => result,
            // The thread is ending, and its table is gone.
            (_, Some(f)) => f(&Aead::new(library, key)),
            (_, None) => unreachable!("what was taken was called"),
        }
    }
}

/// The key of a connection that has ended, or has got another, is wiped.
impl Drop for Place {
    fn drop(&mut self) {
        // If the table is gone, so is its key.
        let _gone = TABLE.try_with(|table| {
            let mut table = table.borrow_mut();
            if let Some(at) = table.entries.iter().position(|entry| entry.number == self.number) {
                table.entries.swap_remove(at);
            }
        });
    }
}

impl Table {
    fn entry(&mut self, place: &mut Place, library: Library, key: &[u8; 16]) -> &Aead {
        self.clock += 1;
        let found = self.entries.get(place.slot).is_some_and(|entry| entry.number == place.number);
        if !found {
            place.slot = self.slot_for(place.number, library, key);
        }
        let entry = &mut self.entries[place.slot];
        entry.used = self.clock;
        &entry.key
    }

    /// Finds the key, or expands it in place of the one that has not been used for longest.
    fn slot_for(&mut self, number: u64, library: Library, key: &[u8; 16]) -> usize {
        if let Some(at) = self.entries.iter().position(|entry| entry.number == number) {
            return at;
        }
        let expanded = Expanded { number, used: 0, key: Aead::new(library, key) };
        if self.entries.len() < ROOM {
            self.entries.push(expanded);
            return self.entries.len() - 1;
        }
        let oldest = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.used);
        let at = oldest.map_or(0, |(at, _)| at);
        self.entries[at] = expanded;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(place: &mut Place, key: u8) -> [u8; 16] {
        place.with(Library::Graviola, &[key; 16], |aead| aead.seal(&[0; 12], b"", &mut []))
    }

    fn expanded() -> usize {
        TABLE.with(|table| table.borrow().entries.len())
    }

    #[test]
    fn many_connections_share_a_bounded_table_and_each_has_its_own_key() {
        let mut places: Vec<(u8, Place)> = (0..100).map(|key| (key, Place::new())).collect();
        let fresh = |key: u8| Aead::new(Library::Graviola, &[key; 16]).seal(&[0; 12], b"", &mut []);
        for step in 0..1000_usize {
            let (key, place) = &mut places[step * step % 97];
            assert_eq!(tag(place, *key), fresh(*key));
            assert!(expanded() <= ROOM);
        }
        drop(places);
        assert_eq!(expanded(), 0, "what ended is wiped");
    }

    #[test]
    fn the_least_recently_used_goes() {
        let mut places: Vec<Place> = (0..ROOM).map(|_| Place::new()).collect();
        for (key, place) in places.iter_mut().enumerate() {
            tag(place, key as u8);
        }
        tag(&mut places[0], 0);
        let mut newcomer = Place::new();
        tag(&mut newcomer, 99);
        let numbers: Vec<u64> =
            TABLE.with(|table| table.borrow().entries.iter().map(|entry| entry.number).collect());
        assert!(numbers.contains(&places[0].number) && !numbers.contains(&places[1].number));
    }
}
