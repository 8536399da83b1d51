//! Text from outside on its way to a log or a terminal: escaped, cut, and not too much of it.

use std::fmt;

/// Shows outside text on one line: control characters, line breaks, escape sequences and bidirectional marks are
/// written as escapes, and what is longer than [`Escaped::LIMIT`] bytes is cut with a mark.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Escaped<'_> {
    /// The most bytes of one field that are shown.
    pub(crate) const LIMIT: usize = 4_096;
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, Self::LIMIT)
    }
}

/// The same for a line of a log: cut at `limit` bytes.
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
        if is_harmful(c) { write!(f, "{}", c.escape_unicode())? } else { f.write_char(c)? }
    }
    Ok(())
}

/// Control characters, and the marks that change the direction of what follows.
fn is_harmful(c: char) -> bool {
    let marks = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    let embeddings = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || marks || embeddings
}

/// Anything displayable as one field of a log line.
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
        assert!(!shown.chars().any(is_harmful));
    }

    #[test]
    fn ordinary_text_of_any_script_is_left_alone() {
        let text = "Muad'Dib — пустыня 沙丘 🏜";
        assert_eq!(Escaped(text).to_string(), text);
    }

    #[test]
    fn a_megabyte_is_cut() {
        let text = "x".repeat(1 << 20);
        assert_eq!(Brief(&text, 256).to_string(), format!("{}… (1048576 bytes)", "x".repeat(256)));
    }
}
