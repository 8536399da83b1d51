//! The text form of values: one printer and one parser, both driven by the type. It reads like
//! Python, so that people know it, and says exactly which value is meant.
//!
//! | type | text |
//! |---|---|
//! | `bool`, integers | `True`, `42`, `0xff`, `1_000` |
//! | floats | the shortest that reads back, `nan`, `inf`, `-inf` |
//! | `string`, `bytes` | `'dune'`, `b'\x00a'`, with Python's escapes |
//! | `list`, `set`, tuples | `[1, 2]`, `{1, 2}`, `set()`, `(1, 'a')` |
//! | `map` | `{'a': 1}` |
//! | `option` | `None` or the value; of an option or a `value`, `None` or `some(x)` |
//! | structs, enums | `point(x=1.0)`, `circle(radius=1.0)`, `empty`, `None()` |
//! | `value` | as above, and `1u`, `name(f=1)`, `'a b'('c d'=1)` |
//!
//! Invariants:
//! 1. What was printed reads as the same value, all NaNs as one. Kept by
//!    `what_was_printed_reads_as_the_same_value`.

mod any;
mod literals;
mod parse;
mod print;

pub use parse::{TextError, parse};

/// Words that an option, a truth value or a `value` could be taken for.
pub(super) const WORDS: [&str; 3] = ["None", "True", "False"];

/// Returns whether a word is spelled as names are.
pub(super) fn is_name(word: &str) -> bool {
    let begins = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
