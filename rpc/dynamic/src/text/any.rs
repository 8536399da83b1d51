//! Values of `value`: the text alone says what they are.

use super::literals::{decimal, whole};
use super::parse::{Parsed, Parser};
use peers_rpc::wire::{Record, Value};

impl Parser<'_> {
    /// Reads any value, each list, map and record one level deeper.
    pub(super) fn any(&mut self) -> Parsed<Value> {
        let first = self.peek();
        let rest = self.rest();
        match first {
            Some('[') => {
                self.at += 1;
                self.nested(Self::any_list)
            }
            Some('{') => {
                self.at += 1;
                self.nested(Self::any_map)
            }
            Some('\'' | '"') => {
                let text = self.string()?;
                // A name that is none stands in quotes in front of its fields.
                if self.take('(') { self.record(text) } else { Ok(Value::String(text)) }
            }
            Some('b') if rest.starts_with("b'") || rest.starts_with("b\"") => {
                self.bytes().map(Value::Bytes)
            }
            Some('0'..='9' | '+' | '-' | '.') => self.any_number(),
            _ => self.any_word(),
        }
    }

    fn any_list(&mut self) -> Parsed<Value> {
        let mut items = Vec::new();
        self.row(']', |parser, _| {
            items.push(parser.any()?);
            Ok(())
        })?;
        Ok(Value::List(items))
    }

    fn any_map(&mut self) -> Parsed<Value> {
        let mut pairs = Vec::new();
        self.row('}', |parser, _| {
            let key = parser.any()?;
            parser.need(':')?;
            pairs.push((key, parser.any()?));
            Ok(())
        })?;
        Ok(Value::Map(pairs))
    }

    fn any_word(&mut self) -> Parsed<Value> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.expected("a value"));
        }
        if !self.is_bare(word) {
            self.at += word.len();
            self.need('(')?;
            return self.record(word.into());
        }
        let value = match word {
            "None" => Value::Null,
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "nan" => Value::Float(f64::NAN),
            "inf" => Value::Float(f64::INFINITY),
            // A record without fields keeps its parentheses, so that a word is never guessed at.
            _ => return Err(self.expected("a value")),
        };
        self.at += word.len();
        Ok(value)
    }

    /// Reads the fields of a record, whose parenthesis was taken.
    fn record(&mut self, name: String) -> Parsed<Value> {
        self.nested(|parser| {
            let mut fields = Vec::new();
            parser.row(')', |parser, _| {
                let word = parser.word();
                let name = if word.is_empty() { parser.string()? } else { word.to_owned() };
                parser.at += word.len();
                parser.need('=')?;
                fields.push((name, parser.any()?));
                Ok(())
            })?;
            Ok(Value::Record(Box::new(Record { name, fields })))
        })
    }

    fn any_number(&mut self) -> Parsed<Value> {
        let (start, token) = self.number();
        if let Some(digits) = token.strip_suffix('u')
            && let Some(number) = whole(digits)
        {
            let large = || self.error_at(start, format!("{token} is no `u64`"));
            return u64::try_from(number).map(Value::Uint).map_err(|_| large());
        }
        if let Some(number) = whole(token) {
            let large =
                || format!("{token} is too large for a number with a sign: write `{token}u`");
            return i64::try_from(number)
                .map(Value::Int)
                .map_err(|_| self.error_at(start, large()));
        }
        let number = decimal(token).and_then(|plain| plain.parse::<f64>().ok());
        match number {
            Some(number) if number.is_finite() || token.ends_with("inf") || number.is_nan() => {
                Ok(Value::Float(number))
            }
            Some(_) => Err(self.error_at(start, format!("{token} is too large"))),
            None => {
                self.at = start;
                Err(self.expected("a number"))
            }
        }
    }
}
