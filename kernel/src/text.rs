//! Says which characters a reader of a log or a terminal cannot see.

/// Characters that the standard library takes for printable and that show as nothing, or as nothing
/// but a gap: fillers, variation selectors, joiners of combining marks.
fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

/// Returns whether text that holds `c` should show it as an escape: it begins a line, moves the
/// cursor, turns the direction of what follows, or cannot be told from nothing or from a space.
pub fn is_invisible(c: char) -> bool {
    if matches!(c, '\'' | '"' | '\\') {
        return false;
    }
    // Behind a letter, since a combining mark is only escaped where it stands alone.
    let mut behind_a_letter = [b'a'; 5];
    let length = 1 + c.encode_utf8(&mut behind_a_letter[1..]).len();
    let shown = std::str::from_utf8(&behind_a_letter[..length]).unwrap_or_default();
    shown.escape_debug().count() > 2 || is_blank(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_is_left_alone() {
        for c in "azAZ09'\"\\ ~é沙🏜ह\u{301}\u{e31}".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
    }

    #[test]
    fn what_does_not_show_or_does_something_is_found() {
        for c in "\0\t\n\r\u{1b}\u{7f}\u{9b}\u{a0}\u{ad}\u{200b}\u{200d}\u{200e}\u{2028}\u{202e}\u{2066}\u{3000}\u{feff}\u{fe0f}\u{3164}\u{e000}\u{e0041}".chars() {
            assert!(is_invisible(c), "{c:?}");
        }
    }
}
