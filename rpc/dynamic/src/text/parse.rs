//! Reading: by recursive descent, each step told by the type what to expect.
//!
//! Invariants:
//! 1. Every loop consumes a character or ends. Kept by `no_text_makes_the_parser_panic`.
//! 2. Recursion is bounded by levels and steps. Kept by `depth_is_that_of_the_wire`.
//! 3. An error knows the path to the part that is wrong, and the column. Kept by
//!    `errors_tell_the_path_and_the_column`.

use super::{WORDS, is_name};
use crate::fit::MOST_STEPS;
use crate::types;
use crate::value::{Repeated, Value, ascending};
use peers_rpc::Escaped;
use peers_rpc::wire::limits;
use peers_rpcc::Schema;
use peers_rpcc::schema::{Field, Kind, Scalar, Ty, TypeId};
use std::fmt;

/// Says why a text is no value of a type, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// Leads to the part that is wrong: `visited[3].name`; empty for the whole.
    pub path: String,
    /// Counts characters, from 1.
    pub column: usize,
    /// Holds what is wrong.
    pub what: String,
}

impl TextError {
    /// Puts a step in front of the path: seen from what contains it.
    fn inside(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.column)?;
        let path = self.path.trim_start_matches('.');
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        // It quotes the text, which somebody else may have written.
        Escaped(&self.what).fmt(f)
    }
}

impl std::error::Error for TextError {}

/// The outcome of reading a part.
pub(super) type Parsed<T> = Result<T, TextError>;

/// Reads the text form of a value.
///
/// # Errors
/// Where and why the text is no value of that type.
pub fn parse(schema: &Schema, ty: &Ty, text: &str) -> Result<Value, TextError> {
    let mut parser = Parser { schema, text, at: 0, depth: limits::DEPTH, steps: MOST_STEPS };
    let value = parser.value(ty)?;
    parser.space();
    if parser.rest().is_empty() {
        return Ok(value);
    }
    Err(parser.expected("the end of the text"))
}

pub(super) struct Parser<'t> {
    schema: &'t Schema,
    text: &'t str,
    /// Always between two characters.
    pub(super) at: usize,
    depth: u32,
    steps: u32,
}

/// Characters.
impl<'t> Parser<'t> {
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Returns the next character that is no space.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.space();
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    pub(super) fn need(&mut self, c: char) -> Parsed<()> {
        if self.take(c) { Ok(()) } else { Err(self.expected(&format!("`{c}`"))) }
    }

    /// Returns the name that comes next, not taken; empty if none does.
    pub(super) fn word(&mut self) -> &'t str {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let word = &rest[..end.unwrap_or(rest.len())];
        if is_name(word) { word } else { "" }
    }

    /// Returns whether a name comes next that stands alone: no parenthesis follows.
    pub(super) fn is_bare(&mut self, word: &str) -> bool {
        self.word() == word && !self.rest()[word.len()..].trim_start().starts_with('(')
    }

    pub(super) fn error_at(&self, at: usize, what: impl Into<String>) -> TextError {
        let column = self.text.get(..at).unwrap_or(self.text).chars().count() + 1;
        TextError { path: String::new(), column, what: what.into() }
    }

    /// Makes the error that something else was expected here.
    pub(super) fn expected(&mut self, what: &str) -> TextError {
        self.space();
        let rest = self.rest();
        let found = match (self.word(), rest.chars().next()) {
            (_, None) => "the end".into(),
            ("", Some(c)) => format!("`{c}`"),
            (word, _) => format!("`{}`", word.chars().take(40).collect::<String>()),
        };
        self.error_at(self.at, format!("{what} is expected, not {found}"))
    }

    /// Reads one level deeper.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(self.error_at(self.at, format!("nested deeper than {}", limits::DEPTH)));
        };
        self.depth = depth;
        let result = read(self);
        self.depth += 1;
        result
    }

    /// Reads items with commas between, up to `close`; `one` is told which it is.
    pub(super) fn row(
        &mut self,
        close: char,
        mut one: impl FnMut(&mut Self, usize) -> Parsed<()>,
    ) -> Parsed<()> {
        for at in 0.. {
            if self.take(close) {
                break;
            }
            one(self, at)?;
            if !self.take(',') {
                if !self.take(close) {
                    return Err(self.expected(&format!("`,` or `{close}`")));
                }
                break;
            }
        }
        Ok(())
    }
}

/// Values.
impl Parser<'_> {
    fn value(&mut self, ty: &Ty) -> Parsed<Value> {
        // Steps that are no levels of depth cost stack, too.
        let Some(steps) = self.steps.checked_sub(1) else {
            return Err(self.error_at(self.at, "too many values in each other"));
        };
        self.steps = steps;
        let value = self.value_inside(ty);
        self.steps += 1;
        value
    }

    fn value_inside(&mut self, ty: &Ty) -> Parsed<Value> {
        match ty {
            Ty::Scalar(Scalar::Value) => self.any().map(Value::Any),
            Ty::Scalar(scalar) => self.scalar(*scalar),
            Ty::List(of) => {
                self.need('[')?;
                match types::number_of(of) {
                    Some(scalar) => self.nested(|parser| parser.numbers(scalar)),
                    None => self.nested(|parser| parser.items(of, ']')).map(Value::List),
                }
            }
            Ty::Set(of) => self.set(of),
            Ty::Map(key, of) => {
                self.need('{')?;
                self.nested(|parser| parser.map(key, of))
            }
            Ty::Option { of, boxed } => self.option(of, *boxed),
            Ty::Tuple(parts) => self.tuple(parts),
            Ty::Named(id) => self.named(*id),
        }
    }

    fn items(&mut self, of: &Ty, close: char) -> Parsed<Vec<Value>> {
        let mut items = Vec::new();
        self.row(close, |parser, at| {
            let item = parser.value(of).map_err(|error| error.inside(&format!("[{at}]")))?;
            items.push(item);
            Ok(())
        })?;
        Ok(items)
    }

    fn set(&mut self, of: &Ty) -> Parsed<Value> {
        if self.word() == "set" {
            self.at += "set".len();
            self.need('(')?;
            self.need(')')?;
            return self.nested(|_| Ok(Value::Set(Vec::new())));
        }
        if !self.take('{') {
            return Err(self.expected("`{` or `set()`"));
        }
        if self.peek() == Some('}') {
            // In Python this is a map, and people would take it for one.
            return Err(self.error_at(self.at, "an empty set is written `set()`"));
        }
        let mut places = Vec::new();
        let items = self.nested(|parser| {
            let mut items = Vec::new();
            parser.row('}', |parser, at| {
                parser.space();
                places.push(parser.at);
                let item = parser.value(of).map_err(|error| error.inside(&format!("[{at}]")))?;
                items.push(item);
                Ok(())
            })?;
            Ok(items)
        })?;
        let twice = |Repeated(at)| self.error_at(places[at], "this is in the set already");
        ascending(items, |item| item).map_err(twice).map(Value::Set)
    }

    fn map(&mut self, key: &Ty, of: &Ty) -> Parsed<Value> {
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        self.row('}', |parser, at| {
            parser.space();
            places.push(parser.at);
            let one = parser.value(key).map_err(|error| error.inside(&format!("[{at}].key")))?;
            parser.need(':')?;
            let value = parser.value(of).map_err(|error| error.inside(&format!("[{at}].value")))?;
            entries.push((one, value));
            Ok(())
        })?;
        let twice = |Repeated(at)| self.error_at(places[at], "this key is in the map already");
        ascending(entries, |(key, _)| key).map_err(twice).map(Value::Map)
    }

    fn option(&mut self, of: &Ty, boxed: bool) -> Parsed<Value> {
        if self.is_bare("None") {
            self.at += "None".len();
            return Ok(Value::none());
        }
        if types::needs_some(of) {
            // The value may be a `None` of its own.
            if self.word() != "some" {
                return Err(self.expected("`None` or `some(…)`"));
            }
            self.at += "some".len();
            self.need('(')?;
            let value = self.held(of, boxed)?;
            self.need(')')?;
            return Ok(Value::some(value));
        }
        self.held(of, boxed).map(Value::some)
    }

    fn held(&mut self, of: &Ty, boxed: bool) -> Parsed<Value> {
        // A box is a level, as it is on the wire.
        if boxed { self.nested(|parser| parser.value(of)) } else { self.value(of) }
    }

    fn tuple(&mut self, parts: &[Ty]) -> Parsed<Value> {
        self.need('(')?;
        let start = self.at;
        let mut values = Vec::new();
        self.row(')', |parser, at| {
            let Some(ty) = parts.get(at) else {
                return Err(parser.expected(&format!("`)` behind {} parts", parts.len())));
            };
            values.push(parser.value(ty).map_err(|error| error.inside(&format!("[{at}]")))?);
            Ok(())
        })?;
        if values.len() < parts.len() {
            let what = format!("{} parts are expected, not {}", parts.len(), values.len());
            return Err(self.error_at(start, what));
        }
        Ok(Value::Tuple(values))
    }

    fn named(&mut self, id: TypeId) -> Parsed<Value> {
        let ty = self.schema.ty(id);
        let (start, word) = (self.at, self.word());
        let start = start + (self.at - start);
        match ty.kind() {
            Kind::Struct(fields) | Kind::Exception(fields) => {
                if word != ty.name() {
                    return Err(self.expected(&format!("`{}(…)`", ty.name())));
                }
                self.at += word.len();
                self.need('(')?;
                self.fields(fields, start).map(Value::Struct)
            }
            Kind::Enum(variants) => {
                let Some(at) = variants.iter().position(|variant| variant.name() == word) else {
                    return Err(self.expected(&format!("a variant of `{}`", ty.name())));
                };
                self.at += word.len();
                let fields = variants[at].fields();
                let values = if self.take('(') {
                    self.fields(fields, start)?
                } else if fields.is_empty() {
                    Vec::new()
                } else {
                    return Err(self.expected("`(`"));
                };
                Ok(Value::Enum(u32::try_from(at).unwrap_or(u32::MAX), values))
            }
        }
    }

    /// Reads `name=value, …)`, in any order; options may be missing.
    fn fields(&mut self, fields: &[Field], start: usize) -> Parsed<Vec<Value>> {
        let mut values: Vec<Option<Value>> = vec![None; fields.len()];
        self.row(')', |parser, _| {
            let word = parser.word();
            let Some(at) = fields.iter().position(|field| field.name() == word) else {
                let names = fields.iter().map(|field| format!("`{}`", field.name()));
                let names = names.collect::<Vec<_>>().join(", ");
                let names = if names.is_empty() { "`)`".into() } else { format!("one of {names}") };
                return Err(parser.expected(&names));
            };
            if values[at].is_some() {
                return Err(parser.error_at(parser.at, format!("`{word}` is there twice")));
            }
            parser.at += word.len();
            parser.need('=')?;
            let value = parser.value(fields[at].ty());
            values[at] = Some(value.map_err(|error| error.inside(&format!(".{word}")))?);
            Ok(())
        })?;
        let whole = fields.iter().zip(values).map(|(field, value)| match value {
            Some(value) => Ok(value),
            None if matches!(field.ty(), Ty::Option { .. }) => Ok(Value::none()),
            None => Err(self.error_at(start, format!("`{}` is missing", field.name()))),
        });
        whole.collect()
    }

    /// Reads a truth value: the word alone.
    pub(super) fn truth(&mut self) -> Parsed<bool> {
        let word = self.word();
        match word {
            "True" | "False" => {
                debug_assert!(WORDS.contains(&word), "variants of these names are marked");
                self.at += word.len();
                Ok(word == "True")
            }
            _ => Err(self.expected("`True` or `False`")),
        }
    }
}
