//! Reads sources as text: what is code, what is a comment, and what stands inside a function.
//! In-file tests are left out.

use crate::files;
use std::fs;
use std::path::Path;

/// Counts what sources say inside their functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Comments inside functions. Lines of comment that follow each other are one.
    pub comments: usize,
    /// Lines that are not empty.
    pub lines: usize,
}

impl Remarks {
    /// Counts all sources below `folder`, tests and golden files left out.
    ///
    /// # Panics
    /// If a file cannot be read.
    pub fn below(folder: &Path) -> Self {
        let mut all = Self::default();
        for path in files(folder, ".rs") {
            let beside = |part: &str| path.components().any(|found| found.as_os_str() == part);
            if beside("tests") || beside("golden") || beside("benches") {
                continue;
            }
            let one = Self::of(&fs::read_to_string(&path).expect("a source file is readable"));
            all.comments += one.comments;
            all.lines += one.lines;
        }
        all
    }

    /// Counts one source.
    pub fn of(source: &str) -> Self {
        let text = without_literals(without_tests(source));
        let (mut found, mut place) = (Self::default(), Place::default());
        let mut follows_another = false;
        for line in text.lines().map(str::trim) {
            let (code, comment) = line.split_at(line.find("//").unwrap_or(line.len()));
            let is_remark = !comment.is_empty() && !is_doc(comment);
            let alone = code.is_empty() && !comment.is_empty();
            if is_remark && place.is_inside_function() && !(alone && follows_another) {
                found.comments += 1;
            }
            found.lines += usize::from(!line.is_empty());
            follows_another = alone;
            place.pass(code);
        }
        found
    }

    /// Comments per thousand lines.
    pub fn density(self) -> f64 {
        1_000.0 * self.comments as f64 / self.lines.max(1) as f64
    }
}

fn is_doc(comment: &str) -> bool {
    comment.starts_with("///") || comment.starts_with("//!")
}

/// A source up to its in-file tests.
pub fn without_tests(source: &str) -> &str {
    // Other attributes may stand between.
    let begins = |at: &usize| {
        let item = source[*at..].lines().find(|line| !line.starts_with("#["));
        item.is_some_and(|line| line.starts_with("mod "))
    };
    let mut tests = source.match_indices("#[cfg(test)]\n").map(|(at, _)| at);
    tests.find(begins).map_or(source, |at| &source[..at])
}

/// Says which blocks are open at a place in a source.
#[derive(Default)]
struct Place {
    depth: usize,
    /// The depths at which functions have begun that have not ended.
    functions: Vec<usize>,
    /// Iff a function was named whose block has not begun.
    is_named: bool,
}

impl Place {
    fn is_inside_function(&self) -> bool {
        !self.functions.is_empty()
    }

    /// Goes on behind a line of code without literals.
    fn pass(&mut self, code: &str) {
        self.is_named |= names_function(code);
        for c in code.chars() {
            match c {
                '{' => {
                    self.depth += 1;
                    if std::mem::take(&mut self.is_named) {
                        self.functions.push(self.depth);
                    }
                }
                '}' => {
                    self.functions.pop_if(|begun| *begun == self.depth);
                    self.depth = self.depth.saturating_sub(1);
                }
                // A function of a trait, without a block.
                ';' if self.functions.is_empty() => self.is_named = false,
                _ => {}
            }
        }
    }
}

/// Returns whether a line has `fn` and a name; a type such as `fn(u8)` has none.
fn names_function(code: &str) -> bool {
    code.match_indices("fn ").any(|(at, word)| {
        let before = code[..at].chars().next_back();
        let behind = code[at + word.len()..].chars().next();
        !before.is_some_and(is_of_name) && behind.is_some_and(is_of_name)
    })
}

/// Returns whether names consist of such characters.
pub fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A source with spaces in place of all that stands in literals. Comments stay.
pub fn without_literals(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let in_name = text.chars().next_back().is_some_and(is_of_name);
        let comment = rest.starts_with("//").then(|| rest.find('\n').unwrap_or(rest.len()));
        let literal = match c {
            '"' => Some(string(rest)),
            'r' if !in_name => raw_string(rest),
            '\'' => character(rest),
            _ => None,
        };
        let (token, behind) = rest.split_at(comment.or(literal).unwrap_or_else(|| c.len_utf8()));
        if comment.is_none() && literal.is_some() {
            text.extend(token.chars().map(|c| if c == '\n' { c } else { ' ' }));
        } else {
            text.push_str(token);
        }
        rest = behind;
    }
    text
}

/// The length of the string that begins here.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string that begins here, if one does.
fn raw_string(text: &str) -> Option<usize> {
    let marks = text[1..].chars().take_while(|c| *c == '#').count();
    let start = 1 + marks;
    if !text[start..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(marks));
    let length = text[start + 1..].find(&end)?;
    Some(start + 1 + length + end.len())
}

/// The length of the character that begins here; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let mut inside = text.char_indices().skip(1);
    let (_, first) = inside.next()?;
    if first == '\\' {
        inside.next(); // it may be a quote
        return inside.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    inside.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_comments_in_functions_once_a_row() {
        let source = "// not inside\n\
            /// Documented.\n\
            fn one<'a>(x: &'a str) -> char {\n\
            \x20   // the first,\n\
            \x20   // which has two lines\n\
            \x20   let brace = '{'; // the second\n\
            \n\
            \x20   // the third\n\
            \x20   let text = \"// no comment } \\\" \"; let raw = r#\"// nor \"this\" }\"#;\n\
            \x20   brace\n\
            }\n\
            // not inside either\n\
            trait T { fn f(&self); }\n\
            struct S {\n\
            \x20   // a field's\n\
            \x20   call: fn(u8),\n\
            }\n\
            #[cfg(test)]\nmod tests { fn two() { // tests do not count\n } }\n";
        assert_eq!(Remarks::of(source), Remarks { comments: 3, lines: 16 });
        let allowed = source.replace("\nmod tests", "\n#[allow(x, reason = \"why\")]\nmod tests");
        assert_eq!(Remarks::of(&allowed), Remarks::of(source));
    }

    #[test]
    fn blanks_literals_and_nothing_else() {
        let kept = "let it = b'x'; // isn't \"it\"\nfn f<'a>() {}";
        assert_eq!(without_literals(kept), kept.replace("'x'", "   "));
        assert_eq!(without_literals("a(\"b\\\"c\", '\\'', 'd')"), "a(      ,     ,    )");
    }
}
