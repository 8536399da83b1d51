//! Says which characters a reader of a log or a terminal cannot see. The packages of wire format,
//! kernel and interface compiler, which depend on nothing of ours, hold a copy each, and a test
//! compares them.
//!
//! Escaped wherever text of a peer or a file is shown, by the names of Unicode's classes:
//!
//! * `Cc` control characters, `Cf` formats (among them all that set the direction of text), `Zl`
//!   and `Zp` line and paragraph separators, `Zs` spaces but the space itself;
//! * `Default_Ignorable_Code_Point`: fillers, variation selectors, joiners, tags;
//! * letters and symbols whose shape is blank;
//! * `Co` private use, and `Cn`: noncharacters, and what the standard library's version of Unicode
//!   has not assigned. What shows them, if anything does, is not known.

/// Characters that the standard library takes for printable and that show as nothing, or as nothing
/// but a gap: what is ignorable by default and neither format nor unassigned, and blank shapes.
const fn is_blank(c: char) -> bool {
    let ignorable = matches!(c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}');
    ignorable || matches!(c, '\u{2800}' | '\u{13441}'..='\u{13446}' | '\u{16fe4}' | '\u{1d159}')
}

/// Returns whether text that holds `c` should show it as an escape: it begins a line, moves the
/// cursor, turns the direction of what follows, or cannot be told from nothing or from a space.
pub fn is_invisible(c: char) -> bool {
    if matches!(c, ' '..='~') {
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
        for c in "azAZ09'\"\\ ~é沙🏜ह\u{301}\u{e31}ß\u{2014}\u{fffd}".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
    }

    /// Each class that the front page names, by its ends and some of what lies between.
    #[test]
    fn what_does_not_show_or_does_something_is_found() {
        let classes = [
            ("Cc", "\0\t\n\r\u{1b}\u{1f}\u{7f}\u{80}\u{9b}\u{9f}"),
            ("Cf", "\u{ad}\u{600}\u{605}\u{6dd}\u{70f}\u{feff}\u{fff9}\u{fffb}\u{110bd}\u{13430}"),
            (
                "direction",
                "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}",
            ),
            ("Zl and Zp", "\u{2028}\u{2029}"),
            ("Zs", "\u{a0}\u{1680}\u{2000}\u{2003}\u{200a}\u{202f}\u{205f}\u{3000}"),
            ("blank", "\u{2800}\u{13441}\u{13446}\u{16fe4}\u{1d159}"),
            ("Co", "\u{e000}\u{f8ff}\u{f0000}\u{10fffd}"),
            ("Cn", "\u{378}\u{e0080}\u{fdd0}\u{fdef}\u{fffe}\u{ffff}\u{1ffff}\u{10fffe}\u{10ffff}"),
        ];
        for (class, characters) in classes {
            for c in characters.chars() {
                assert!(is_invisible(c), "{class}: {c:?} U+{:04X}", u32::from(c));
            }
        }
    }

    /// `Default_Ignorable_Code_Point` of Unicode 14, which later versions have not changed.
    #[test]
    fn what_is_ignorable_by_default_is_found() {
        let ranges = [
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{115f}'..='\u{1160}',
            '\u{17b4}'..='\u{17b5}',
            '\u{180b}'..='\u{180f}',
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{3164}'..='\u{3164}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{ffa0}'..='\u{ffa0}',
            '\u{fff0}'..='\u{fff8}',
            '\u{1bca0}'..='\u{1bca3}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e0fff}',
        ];
        for c in ranges.into_iter().flatten() {
            assert!(is_invisible(c), "U+{:04X}", u32::from(c));
        }
    }
}
