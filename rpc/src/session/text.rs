//! Text from outside on its way to a log or a terminal: escaped, cut, and not too much of it.
//!
//! Invariant: two texts that differ are shown differently, unless they were cut or one spells an
//! escape.

use peers_wire::is_invisible;
use std::fmt;

/// Shows outside text on one line: whatever is invisible (control characters, line breaks,
/// bidirectional marks, spaces other than the space, joiners, fillers: see
/// [`is_invisible`](peers_kernel::is_invisible)) is written as an escape, and what is
/// longer than [`Escaped::LIMIT`] bytes is cut with a mark.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl Escaped<'_> {
    /// The most bytes of one field that are shown.
    pub const LIMIT: usize = 4_096;
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, Self::LIMIT)
    }
}

/// Shows such a text in a line of a log: cut at `limit` bytes.
pub(crate) struct Brief<'a>(pub(crate) &'a str, pub(crate) usize);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, self.1)
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str, limit: usize) -> fmt::Result {
    use fmt::Write as _;
    for (at, c) in text.char_indices() {
        if at >= limit {
            return write!(f, "… ({} bytes)", text.len());
        }
        if is_invisible(c) { write!(f, "{}", c.escape_unicode())? } else { f.write_char(c)? }
    }
    Ok(())
}

/// Shows anything displayable as one field of a log line.
pub(crate) fn logged(what: &impl fmt::Display) -> String {
    Brief(&what.to_string(), 1_024).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_starts_a_line() {
        let hostile = "a\u{1b}[2J\r\nb\u{202e}c\u{7f}\u{9b}d";
        let shown = Escaped(hostile).to_string();
        assert_eq!(shown, "a\\u{1b}[2J\\u{d}\\u{a}b\\u{202e}c\\u{7f}\\u{9b}d");
        assert!(!shown.contains(is_invisible));
    }

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        for (hidden, shown) in [
            ("a\u{a0}b", "a\\u{a0}b"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("\u{ad}\u{200d}\u{2060}\u{180e}", "\\u{ad}\\u{200d}\\u{2060}\\u{180e}"),
            ("\u{2003}\u{202f}\u{3000}", "\\u{2003}\\u{202f}\\u{3000}"),
            ("\u{fe0f}\u{e0100}\u{34f}", "\\u{fe0f}\\u{e0100}\\u{34f}"),
            ("\u{3164}\u{115f}\u{2800}", "\\u{3164}\\u{115f}\\u{2800}"),
            ("\u{e000}\u{fffe}\u{e0041}", "\\u{e000}\\u{fffe}\\u{e0041}"),
        ] {
            assert_eq!(Escaped(hidden).to_string(), shown);
        }
    }

    #[test]
    fn ordinary_text_of_any_script_is_left_alone() {
        let text = "Muad'Dib \"a\\b\" — пустыня 沙丘 🏜 e\u{301} हिन्दी ภาษาไทย";
        assert_eq!(Escaped(text).to_string(), text);
    }

    #[test]
    fn a_megabyte_is_cut() {
        let text = "x".repeat(1 << 20);
        assert_eq!(Brief(&text, 256).to_string(), format!("{}… (1048576 bytes)", "x".repeat(256)));
    }
}
