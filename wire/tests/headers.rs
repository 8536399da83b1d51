//! Promise: the table of frames in `docs/wire-protocol.md` is what the reader of frames keeps:
//! which numbers are kinds, and which lengths, flags and ids each may have. At the bound and one
//! beyond.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_wire::Deframer;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

const PAGE: &str = include_str!("../../docs/wire-protocol.md");

/// One row of the table.
#[derive(Debug)]
struct Row {
    /// Flags that may be set, each with the lengths of the body then.
    lengths: BTreeMap<u8, RangeInclusive<u32>>,
    has_id: bool,
}

/// The rows by number; those that only say what is reserved are not among them.
fn table() -> BTreeMap<u8, Row> {
    let rows = PAGE.lines().skip_while(|line| !line.starts_with("| kind | number |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let mut table = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let &[_, number, flags, id, length] = &cells[..] else { panic!("{row}") };
        let Ok(number) = number.parse() else { continue };
        let mut lengths = BTreeMap::new();
        let (plain, traced) = length.split_once("; traced ").unwrap_or((length, ""));
        lengths.insert(0, range(plain));
        match flags {
            "none" => assert_eq!(traced, ""),
            "1 = traced" => drop(lengths.insert(1, range(&format!("at least {traced}")))),
            other => panic!("{other}"),
        }
        let earlier = table.insert(number, Row { lengths, has_id: id != "0" });
        assert!(earlier.is_none(), "{row}");
    }
    table
}

fn range(words: &str) -> RangeInclusive<u32> {
    match words.strip_prefix("at least ") {
        Some(least) => least.parse().unwrap()..=u32::MAX,
        None if words == "any" => 0..=u32::MAX,
        None => words.parse().unwrap()..=words.parse().unwrap(),
    }
}

/// Returns whether a header is taken. The body is left out: a header is judged before it comes.
fn is_taken(kind: u8, length: u32, flags: u8, reserved: u16, id: u64) -> bool {
    let mut header = length.to_be_bytes().to_vec();
    header.extend([kind, flags]);
    header.extend(reserved.to_be_bytes());
    header.extend(id.to_be_bytes());
    Deframer::new(u32::MAX).next(&mut &header[..]).is_ok()
}

#[test]
fn the_page_names_twelve_kinds() {
    let numbers: Vec<u8> = table().into_keys().collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 128]);
}

#[test]
fn a_kind_has_the_lengths_that_the_page_gives_it() {
    for (kind, Row { lengths, .. }) in table() {
        for (flags, lengths) in lengths {
            let (least, most) = lengths.into_inner();
            assert!(is_taken(kind, least, flags, 0, 0), "{kind}: {least} with flags {flags}");
            assert!(is_taken(kind, most, flags, 0, 0), "{kind}: {most} with flags {flags}");
            if let Some(less) = least.checked_sub(1) {
                assert!(!is_taken(kind, less, flags, 0, 0), "{kind}: {less} with flags {flags}");
            }
            if let Some(more) = most.checked_add(1) {
                assert!(!is_taken(kind, more, flags, 0, 0), "{kind}: {more} with flags {flags}");
            }
        }
    }
}

#[test]
fn a_kind_has_the_flags_and_ids_that_the_page_gives_it() {
    for (kind, Row { lengths, has_id }) in table() {
        let length = *lengths.values().last().unwrap().start();
        for flags in 0..=u8::MAX {
            let taken = is_taken(kind, length, flags, 0, 0);
            assert_eq!(taken, lengths.contains_key(&flags), "{kind}: flags {flags:#x}");
        }
        for id in [1, u64::MAX] {
            assert_eq!(is_taken(kind, length, 0, 0, id), has_id, "{kind}: id {id}");
        }
        for reserved in [1, 0x8000] {
            assert!(!is_taken(kind, length, 0, reserved, 0), "{kind}: reserved {reserved}");
        }
    }
}

#[test]
fn every_other_number_is_skipped_from_129_on_and_refused_below() {
    let table = table();
    for kind in (0..=u8::MAX).filter(|kind| !table.contains_key(kind)) {
        for (length, flags, id) in [(0, 0, 0), (7, 0xff, u64::MAX)] {
            assert_eq!(is_taken(kind, length, flags, 0, id), kind >= 129, "{kind}");
        }
    }
    assert!(PAGE.contains("| *data channels* | 32 to 47 |"));
    assert!(PAGE.contains("| *ignorable* | 129 to 255 |"));
}
