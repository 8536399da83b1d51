//! The lines of a source text that an error shows: those around its places, cut where they are
//! long, without characters that cannot be seen.
//!
//! Invariants:
//! 1. What an excerpt holds is bounded by the number of its places, not by the size of the source.
//!    Kept by `long_lines_are_cut_around_their_places`.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::source::Span;
use crate::visible::replaced;

/// The most bytes of a line that stand before and behind a place.
const AROUND: usize = 100;

/// The most bytes of a line that is shown whole.
const LONG: usize = 300;

/// The most lines between two places; farther ones are left out.
const FAR: usize = 200;

/// Part of a source, as a text of its own.
pub(crate) struct Excerpt {
    pub(crate) text: String,
    /// The number of its first line.
    pub(crate) first_line: usize,
    /// Says where a piece of the source begins, where it stands in the text, and how long it is.
    pieces: BTreeMap<usize, (usize, usize)>,
}

impl Excerpt {
    /// Returns the excerpt of `source` that shows all `places`, the first of which counts if they
    /// are far from each other.
    pub(crate) fn new(source: &str, places: impl Iterator<Item = Span>) -> Self {
        let mut marked: BTreeMap<usize, Range<usize>> = BTreeMap::new();
        for place in places {
            for at in [place.start, place.end.max(place.start)] {
                // The end of the file is shown behind its last line.
                let last = if at == source.len() { at.saturating_sub(1) } else { at };
                let before = &source.as_bytes()[..last];
                let start =
                    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
                let range = marked.entry(start).or_insert(at..at);
                *range = range.start.min(at)..range.end.max(at);
            }
        }
        let mut excerpt = Self { text: String::new(), first_line: 1, pieces: BTreeMap::new() };
        let Some(first) = marked.keys().next().copied() else { return excerpt };
        excerpt.first_line = source[..first].matches('\n').count() + 1;
        let mut before = first;
        for (start, range) in marked {
            excerpt.between(&source[before..start], before);
            let end = source[start..].find('\n').map_or(source.len(), |newline| start + newline);
            excerpt.line(source, start..end, range);
            before = (end + 1).min(source.len());
        }
        excerpt
    }

    /// Adds the lines between two with places: whole if they are few and short, else as empty ones,
    /// which are not shown.
    fn between(&mut self, lines: &str, at: usize) {
        // Two places may be a whole file apart, and what lies between is not what is wrong.
        let few = lines.len() <= FAR * 10;
        if few && lines.matches('\n').count() <= FAR {
            return self.piece(lines, at);
        }
        lines.matches('\n').for_each(|newline| self.text.push_str(newline));
    }

    /// Adds a line, or the part of it around `places`.
    fn line(&mut self, source: &str, line: Range<usize>, places: Range<usize>) {
        let text = &source[line.clone()];
        if text.len() <= LONG {
            self.piece(text, line.start);
        } else {
            let end = (places.end + AROUND).min(places.start + LONG).min(line.end);
            // A cut inside a character would be no text.
            let start = floor(source, places.start.saturating_sub(AROUND).max(line.start));
            let end = floor(source, end);
            if start > line.start {
                self.text.push_str("...");
            }
            self.piece(&source[start..end], start);
            if end < line.end {
                self.text.push_str("...");
            }
        }
        if line.end < source.len() {
            self.text.push('\n');
        }
    }

    fn piece(&mut self, text: &str, at: usize) {
        self.pieces.insert(at, (self.text.len(), text.len()));
        self.text.extend(text.chars().map(replaced));
    }

    /// Returns where a place of the source stands in the text.
    pub(crate) fn place(&self, span: Span) -> Range<usize> {
        let start = self.offset(span.start);
        start..self.offset(span.end).max(start)
    }

    fn offset(&self, at: usize) -> usize {
        let piece = self.pieces.range(..=at).next_back();
        let offset = piece.map_or(0, |(start, (offset, length))| {
            // The line end belongs to the line.
            offset + (at - start).min(length + 1)
        });
        offset.min(self.text.len())
    }
}

/// Returns the nearest boundary of characters at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    const fn span(start: usize, end: usize) -> Span {
        Span { file: FileId(0), start, end }
    }

    /// Checks that an excerpt has at each place what the source has there.
    fn same(source: &str, places: &[Span]) -> Excerpt {
        let excerpt = Excerpt::new(source, places.iter().copied());
        for place in places {
            let found = &excerpt.text[excerpt.place(*place)];
            assert_eq!(found, &source[place.start..place.end], "{:?}", excerpt.text);
        }
        excerpt
    }

    #[test]
    fn short_sources_are_shown_as_they_are() {
        let excerpt = same("one\ntwo\nthree\nfour", &[span(4, 7), span(14, 18)]);
        assert_eq!((excerpt.text.as_str(), excerpt.first_line), ("two\nthree\nfour", 2));
        let excerpt = same("one", &[span(3, 3)]);
        assert_eq!(excerpt.text, "one");
        assert_eq!(same("", &[span(0, 0)]).text, "");
        let end = same("one\n", &[span(4, 4)]);
        assert_eq!((end.text.as_str(), end.first_line, end.place(span(4, 4))), ("one\n", 1, 4..4));
    }

    #[test]
    fn long_lines_are_cut_around_their_places() {
        let line = "é".repeat(100_000);
        let excerpt = same(&line, &[span(100_000, 100_002)]);
        assert!(excerpt.text.len() < 300 && excerpt.text.starts_with("...é"), "{}", excerpt.text);
        let excerpt = same(&line, &[span(100_000, 100_002), span(199_998, 200_000)][..1]);
        assert!(excerpt.text.len() < 300);
        let whole = Excerpt::new(&line, [span(0, line.len())].into_iter());
        assert!(whole.text.len() < 400);
    }

    #[test]
    fn lines_between_far_places_are_empty() {
        let text = "x\n".repeat(100_000);
        let excerpt = same(&text, &[span(0, 1), span(199_998, 199_999)]);
        assert!(excerpt.text.len() < 100_010);
    }

    #[test]
    fn hidden_characters_are_replaced_in_place() {
        let excerpt = same("a\u{fffd}b", &[span(4, 5)]);
        assert_eq!(excerpt.text, "a\u{fffd}b");
        let excerpt = Excerpt::new("\u{ad}\u{200e}b", [span(5, 6)].into_iter());
        assert_eq!(excerpt.text, "\u{bf}\u{fffd}b");
    }
}
