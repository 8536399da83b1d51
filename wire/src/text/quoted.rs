//! Shows text of a peer in the form of a literal, for `Debug` and wherever it stands in quotes.

use super::is_invisible;
use std::fmt::{self, Write};

/// Shows a text as its `Debug` form does, with escapes also for what the standard library leaves as
/// it is though it cannot be seen, such as fillers and variation selectors.
///
/// ```
/// assert_eq!(format!("{:?}", peers_wire::Quoted("a\u{3164}\n")), r#""a\u{3164}\n""#);
/// ```
#[derive(Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Debug for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{:?}", self.0)
    }
}

/// Passes on what is written to it, with escapes for what cannot be seen.
struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match is_invisible(c) {
            true => write!(self.0, "{}", c.escape_unicode()),
            false => self.0.write_char(c),
        })
    }
}
