//! Characters that cannot be seen, or that change what is seen of others: none of them reaches the
//! terminal of whoever reads a message, and those that no language needs reach no generated code.

use crate::text::is_invisible;
use std::path::Path;

/// The most bytes of a name or a text in a message.
const LONGEST: usize = 400;

/// Returns true for what an interface file may not hold: control characters, what sets the
/// direction of text, and what is ignorable by default. Tabs and line feeds are for the caller to
/// judge. Fewer than [`is_invisible`]: the spaces of other languages may stand in documentation.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns true for the hidden characters that scripts and emoji need to join or to separate their
/// neighbours.
const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
}

/// Returns true for a character that may not stand in an interface file behind `before`: hidden
/// ones, but joiners behind what they can join.
pub(crate) fn is_forbidden(c: char, before: Option<char>) -> bool {
    let joins = |before: char| {
        let seen = !before.is_ascii() && !is_hidden(before);
        seen || (c == '\u{200d}' && before == '\u{fe0f}')
    };
    is_hidden(c) && c != '\t' && !(is_joiner(c) && before.is_some_and(joins))
}

/// Returns a text with what cannot be seen in it spelled out, not too long for a message.
pub fn visible(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() >= LONGEST {
            shown.push_str("...");
            break;
        }
        if is_invisible(c) {
            shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns a path as [`visible`] text.
pub(crate) fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy())
}

/// Returns a character that cannot be seen replaced by one that can be seen and has as many bytes,
/// so that places in a text stay where they are. Those of one byte are for whoever draws the text:
/// there is a picture of each.
pub(crate) fn replaced(c: char) -> char {
    match c.len_utf8() {
        1 => c,
        _ if !is_invisible(c) => c,
        2 => '\u{bf}',
        3 => '\u{fffd}',
        _ => '\u{1f6ab}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_spelled_out_and_replaced_in_place() {
        assert_eq!(visible("a\u{1b}[31m\u{200e}b\u{e0041}"), r"a\u{1b}[31m\u{200e}b\u{e0041}");
        assert_eq!(visible("é€𝄞 "), "é€𝄞 ");
        assert_eq!(visible("a\u{a0}\u{3164}\u{fe0f}\u{fdd0}"), r"a\u{a0}\u{3164}\u{fe0f}\u{fdd0}");
        for c in ('\0'..=char::MAX).filter(|c| is_hidden(*c)) {
            assert!(is_invisible(c), "{c:?}");
        }
        for c in ('\0'..=char::MAX).filter(|c| is_invisible(*c)) {
            assert_eq!(replaced(c).len_utf8(), c.len_utf8(), "{c:?}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(visible(&"x".repeat(400)), "x".repeat(400));
        assert_eq!(visible(&"x".repeat(401)), "x".repeat(400) + "...");
    }

    #[test]
    fn joiners_stand_behind_what_they_can_join() {
        let allowed = |text: &str| {
            let mut before = None;
            text.chars().all(|c| !is_forbidden(c, before.replace(c)))
        };
        assert!(allowed("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}"), "a family");
        assert!(allowed("\u{2764}\u{fe0f}\u{200d}\u{1f525}"), "a heart on fire");
        assert!(allowed("\u{645}\u{6cc}\u{200c}\u{62e}"), "a word of Persian");
        assert!(
            !allowed("ab\u{200d}c")
                && !allowed("\u{200c}")
                && !allowed("\u{1f525}\u{200d}\u{200d}")
        );
    }
}
