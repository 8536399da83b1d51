//! From text to tokens. Comments vanish here, doc comments become tokens.
//!
//! Invariants:
//! 1. The last token is [`Token::End`]. Kept by `every_prefix_is_survived`.
//! 2. Every character that may not stand in the generated Rust is reported here, so that later
//!    stages can copy text. Kept by `joiners_stand_behind_what_they_can_join`,
//!    `bad_files_become_the_expected_errors`.

use crate::diagnostics::{Report, Reports};
use crate::source::{FileId, Span};
use crate::visible::{is_forbidden, is_hidden};

/// A word of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name or keyword: a letter, then letters, digits and `_`.
    Word(String),
    /// A number with its unit, as written: `10s`, `1.5m`, `0`.
    Number(String),
    /// A string, with its escapes replaced.
    Text(String),
    /// The text of one `///` line.
    Doc(String),
    /// One of `{ } ( ) < > , ; : . -> =`.
    Mark(&'static str),
    /// The end of the file.
    End,
}

impl Token {
    /// Returns how an error message names it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Number(number) => format!("`{number}`"),
            Self::Text(_) => "a string".into(),
            Self::Doc(_) => "a doc comment".into(),
            Self::Mark(mark) => format!("`{mark}`"),
            Self::End => "the end of the file".into(),
        }
    }
}

/// A token, where it stands, and whether it is the first of its line.
#[derive(Clone, Debug)]
pub(crate) struct Lexeme {
    pub(crate) token: Token,
    pub(crate) span: Span,
    pub(crate) starts_line: bool,
}

const MARKS: [&str; 12] = ["->", "{", "}", "(", ")", "<", ">", ",", ";", ":", ".", "="];

/// Cuts a text into tokens. What is not a token is reported and skipped.
pub(crate) fn lex(file: FileId, text: &str, reports: &mut Reports) -> Vec<Lexeme> {
    let mut lexer = Lexer { file, text, at: 0, starts_line: true, lexemes: Vec::new(), reports };
    // Editors of other systems begin a file with a mark of its encoding.
    if text.starts_with('\u{feff}') {
        lexer.at = '\u{feff}'.len_utf8();
    }
    while !lexer.reports.is_full() && lexer.step() {}
    let end = lexer.span(text.len());
    lexer.lexemes.push(Lexeme { token: Token::End, span: end, starts_line: true });
    lexer.lexemes
}

struct Lexer<'t> {
    file: FileId,
    text: &'t str,
    at: usize,
    starts_line: bool,
    lexemes: Vec<Lexeme>,
    reports: &'t mut Reports,
}

impl Lexer<'_> {
    /// Takes one token, comment or run of white space; false at the end.
    fn step(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        if first == '\n' {
            self.starts_line = true;
            self.at += 1;
        } else if first == ' ' || first == '\t' || rest.starts_with("\r\n") {
            self.at += 1;
        } else if rest.starts_with("//") {
            self.line_comment();
        } else if rest.starts_with("/*") {
            self.block_comment();
        } else if first.is_ascii_alphabetic() {
            let length = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
            self.push(Token::Word(rest[..length].into()), length);
        } else if first.is_ascii_digit() {
            let length = number_length(rest);
            self.push(Token::Number(rest[..length].into()), length);
        } else if first == '"' {
            self.text_token();
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            self.push(Token::Mark(mark), mark.len());
        } else {
            self.stray(first);
        }
        true
    }

    fn span(&self, start: usize) -> Span {
        Span { file: self.file, start, end: start }
    }

    fn push(&mut self, token: Token, length: usize) {
        let span = Span { end: self.at + length, ..self.span(self.at) };
        self.lexemes.push(Lexeme { token, span, starts_line: self.starts_line });
        self.starts_line = false;
        self.at += length;
    }

    /// Describes what is wrong with the next `length` bytes.
    fn wrong(&self, length: usize, title: impl Into<String>, label: &str) -> Report {
        Report::new(Span { end: self.at + length, ..self.span(self.at) }, title, label)
    }

    /// Takes a `//` comment; `///`, but not `////`, is a doc comment.
    fn line_comment(&mut self) {
        let rest = &self.text[self.at..];
        let length = run(rest, |c| c != '\n');
        let line = rest[..length].trim_end();
        self.check_characters(length);
        match line.strip_prefix("///") {
            Some(doc) if !doc.starts_with('/') => {
                let doc = doc.strip_prefix(' ').unwrap_or(doc);
                self.push(Token::Doc(doc.into()), line.len());
                self.at += length - line.len();
            }
            _ => self.at += length,
        }
    }

    fn block_comment(&mut self) {
        let rest = &self.text[self.at..];
        match rest[2..].find("*/") {
            Some(length) => {
                // What stands behind a comment of several lines is the first of its line.
                self.starts_line |= rest[..length + 2].contains('\n');
                self.check_characters(length + 4);
                self.at += length + 4;
            }
            None => {
                self.reports.push(self.wrong(2, "this comment is never closed", "opened here"));
                self.at = self.text.len();
            }
        }
    }

    fn text_token(&mut self) {
        let rest = &self.text[self.at..];
        let mut value = String::new();
        let mut characters = rest.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.check_characters(at);
                    return self.push(Token::Text(value), at + 1);
                }
                '\n' => break,
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                    Some((next, other)) if other != '\n' => {
                        let start = self.at;
                        self.at += at;
                        let length = next - at + other.len_utf8();
                        let report = self.wrong(length, "unknown escape in a string", "");
                        let help = "`\\\"` and `\\\\` are the only escapes";
                        self.reports.push(report.help(help));
                        self.at = start;
                    }
                    _ => break,
                },
                _ => value.push(c),
            }
        }
        // It ends with its line, so that one quote that was forgotten does not hide the rest.
        let length = run(rest, |c| c != '\n');
        let report = self.wrong(1, "this string is never closed", "opened here");
        self.reports.push(report.help("a string ends with `\"` on the line where it began"));
        self.push(Token::Text(value), rest[..length].trim_end().len());
    }

    /// Reports what must not reach generated code, nor a reader: hidden characters. Lines may end
    /// as on Windows.
    fn check_characters(&mut self, length: usize) {
        let start = self.at;
        let plain = |byte: &u8| matches!(byte, b' '..=b'~');
        // The likely case, without looking at characters.
        if self.text.as_bytes()[start..start + length].iter().all(plain) {
            return;
        }
        let mut before = None;
        for (at, c) in self.text[start..start + length].char_indices() {
            let ends_line = match c {
                '\n' => true,
                '\r' => matches!(self.text.as_bytes().get(start + at + 1), None | Some(b'\n')),
                _ => false,
            };
            if !ends_line && is_forbidden(c, before) {
                self.at = start + at;
                self.forbidden(c);
                if self.reports.is_full() {
                    break;
                }
            }
            before = Some(c);
        }
        self.at = start;
    }

    fn forbidden(&mut self, c: char) {
        let title = format!("invisible character U+{:04X}", u32::from(c));
        let report = self.wrong(c.len_utf8(), title, "it cannot be seen here");
        let help = "remove it: characters that control, turn round or hide text are not allowed";
        self.reports.push(report.help(help));
    }

    fn stray(&mut self, first: char) {
        let length = first.len_utf8();
        if is_hidden(first) {
            self.forbidden(first);
        } else if first == '_' {
            // The whole name is skipped, or its rest would be reported as another one.
            self.reports.push(self.wrong(length, "a name starts with a letter", "not with `_`"));
            self.at += run(&self.text[self.at..], |c| c.is_ascii_alphanumeric() || c == '_');
            return;
        } else {
            let report = self.wrong(length, unexpected(first), "");
            let help = match first {
                '\'' => Some("texts stand in `\"`"),
                '[' => Some("a list is written `list<type>`"),
                _ if first.is_whitespace() => Some("write a space as the space bar does"),
                _ if first.is_alphabetic() => {
                    Some("names consist of the letters a to z, digits and `_`")
                }
                _ => None,
            };
            self.reports.push(match help {
                Some(help) => report.help(help),
                None => report,
            });
        }
        self.at += length;
    }
}

/// Returns how many bytes of leading characters satisfy `wanted`.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

/// Digits, then perhaps a fraction, then perhaps a unit.
fn number_length(text: &str) -> usize {
    let mut length = run(text, |c| c.is_ascii_digit());
    if let Some(fraction) = text[length..].strip_prefix('.') {
        let digits = run(fraction, |c| c.is_ascii_digit());
        length += if digits > 0 { 1 + digits } else { 0 };
    }
    length + run(&text[length..], |c| c.is_ascii_alphanumeric() || c == '_')
}

/// Names a character; those that leave nothing on the screen by their numbers.
fn unexpected(c: char) -> String {
    if c.is_whitespace() {
        format!("unexpected character U+{:04X}", u32::from(c))
    } else {
        format!("unexpected character `{c}`")
    }
}
