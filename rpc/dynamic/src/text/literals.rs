//! Numbers, texts and bytes, as Python spells them.

use super::parse::{Parsed, Parser};
use crate::fit::out_of_range;
use crate::types;
use crate::value::{Numbers, Value};
use peers_rpcc::schema::Scalar;

impl<'t> Parser<'t> {
    pub(super) fn scalar(&mut self, scalar: Scalar) -> Parsed<Value> {
        Ok(match scalar {
            Scalar::Bool => Value::Bool(self.truth()?),
            Scalar::F32 => Value::F32(self.f32()?),
            Scalar::F64 => Value::F64(self.f64()?),
            Scalar::String => Value::String(self.string()?),
            Scalar::Bytes => Value::Bytes(self.bytes()?),
            Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64 => {
                Value::Int(self.integer(scalar)?)
            }
            _ => Value::Uint(self.integer(scalar)?),
        })
    }

    /// Reads the numbers of a list, and its end.
    pub(super) fn numbers(&mut self, scalar: Scalar) -> Parsed<Value> {
        macro_rules! integers {
            ($($variant:ident),*) => {
                match scalar {
                    $(Scalar::$variant => {
                        Numbers::$variant(self.all(|parser| parser.integer(scalar))?)
                    })*
                    Scalar::Bool => Numbers::Bool(self.all(Self::truth)?),
                    Scalar::F32 => Numbers::F32(self.all(Self::f32)?),
                    _ => Numbers::F64(self.all(Self::f64)?),
                }
            };
        }
        Ok(Value::Numbers(integers!(I8, I16, I32, I64, U8, U16, U32, U64)))
    }

    fn all<T>(&mut self, one: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        self.row(']', |parser, at| {
            let item = one(parser);
            items.push(item.map_err(|mut error| {
                error.path.insert_str(0, &format!("[{at}]"));
                error
            })?);
            Ok(())
        })?;
        Ok(items)
    }

    /// Takes the characters of a number, with the place where they begin.
    pub(super) fn number(&mut self) -> (usize, &'t str) {
        self.space();
        let (start, rest) = (self.at, self.rest());
        let unsigned = rest.trim_start_matches(['+', '-']);
        let hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
        let mut before = '+';
        let goes_on = |c: char| {
            // A sign may stand in front, and in front of an exponent.
            let sign = matches!(c, '+' | '-');
            let exponent = sign && !hex && matches!(before, 'e' | 'E');
            let first = sign && before == '+';
            before = if first { '-' } else { c };
            first || exponent || (!sign && (c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        };
        let end = rest.find({
            let mut goes_on = goes_on;
            move |c| !goes_on(c)
        });
        let token = &rest[..end.unwrap_or(rest.len())];
        self.at += token.len();
        (start, token)
    }

    /// Reads an integer within the range of its type.
    fn integer<T: TryFrom<i128>>(&mut self, scalar: Scalar) -> Parsed<T> {
        let what = format!("a number of type `{}`", scalar.name());
        let (start, token) = self.number();
        let Some(number) = whole(token) else {
            self.at = start;
            return Err(self.expected(&what));
        };
        let (least, most) = types::range(scalar).unwrap_or_default();
        let fits = (least..=most).contains(&number);
        match T::try_from(number) {
            Ok(number) if fits => Ok(number),
            _ => Err(self.error_at(start, out_of_range(scalar, token).what)),
        }
    }

    fn f32(&mut self) -> Parsed<f32> {
        // Not by way of an f64, which would round twice.
        self.float(|token| token.parse().ok(), f32::is_infinite)
    }

    fn f64(&mut self) -> Parsed<f64> {
        self.float(|token| token.parse().ok(), f64::is_infinite)
    }

    fn float<T: Copy>(
        &mut self,
        read: impl Fn(&str) -> Option<T>,
        is_infinite: impl Fn(T) -> bool,
    ) -> Parsed<T> {
        let (start, token) = self.number();
        let (plain, said_infinite) = match decimal(token) {
            Some(plain) => (plain, token.trim_start_matches(['+', '-']) == "inf"),
            None => {
                self.at = start;
                return Err(self.expected("a number, `nan` or `inf`"));
            }
        };
        match read(&plain) {
            // Whoever means infinity says so.
            Some(number) if !is_infinite(number) || said_infinite => Ok(number),
            _ => Err(self.error_at(start, format!("{token} is too large"))),
        }
    }

    /// Reads a text in quotes.
    pub(super) fn string(&mut self) -> Parsed<String> {
        let Some(quote) = self.peek().filter(|c| matches!(c, '\'' | '"')) else {
            return Err(self.expected("a string in quotes"));
        };
        let mut text = String::new();
        self.quoted(quote, |parser, c, escaped| {
            let code = if escaped { parser.escape(c, true)? } else { Some(u32::from(c)) };
            if let Some(code) = code {
                let Some(c) = char::from_u32(code) else {
                    return Err(parser.error_at(parser.at, format!("U+{code:04X} is no character")));
                };
                text.push(c);
            }
            Ok(())
        })?;
        Ok(text)
    }

    /// Reads bytes in quotes, behind a `b`.
    pub(super) fn bytes(&mut self) -> Parsed<Vec<u8>> {
        self.space();
        let quote = self.rest().strip_prefix('b').and_then(|rest| rest.chars().next());
        let Some(quote) = quote.filter(|c| matches!(c, '\'' | '"')) else {
            return Err(self.expected("bytes, as in `b'\\x00a'`,"));
        };
        self.at += 1;
        let mut bytes = Vec::new();
        self.quoted(quote, |parser, c, escaped| {
            let code = if escaped { parser.escape(c, false)? } else { Some(u32::from(c)) };
            if let Some(code) = code {
                let byte = u8::try_from(code).ok().filter(|byte| escaped || byte.is_ascii());
                let Some(byte) = byte else {
                    let what = format!("`{c}` is no byte: write its bytes as `\\x…`");
                    return Err(parser.error_at(parser.at, what));
                };
                bytes.push(byte);
            }
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Calls `one` with each character in quotes; with the one behind a backslash if it is escaped.
    fn quoted(
        &mut self,
        quote: char,
        mut one: impl FnMut(&mut Self, char, bool) -> Parsed<()>,
    ) -> Parsed<()> {
        let start = self.at;
        self.at += 1;
        loop {
            let mut next = self.rest().chars();
            let Some(c) = next.next() else {
                return Err(self.error_at(start, "this is never closed"));
            };
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(()),
                '\\' => {
                    let Some(escaped) = next.next() else {
                        return Err(self.error_at(start, "this is never closed"));
                    };
                    self.at += escaped.len_utf8();
                    one(self, escaped, true)?;
                }
                c => one(self, c, false)?,
            }
        }
    }

    /// Reads the code of an escape, of which the first character was taken; `None` for a line that
    /// goes on.
    fn escape(&mut self, c: char, is_text: bool) -> Parsed<Option<u32>> {
        let start = self.at - c.len_utf8() - 1;
        Ok(Some(match c {
            '\n' => return Ok(None),
            '\\' | '\'' | '"' => u32::from(c),
            'a' => 7,
            'b' => 8,
            't' => 9,
            'n' => 10,
            'v' => 11,
            'f' => 12,
            'r' => 13,
            '0'..='7' => {
                self.at -= 1;
                let rest = self.rest().as_bytes();
                let octal = rest.iter().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
                self.digits(octal, 8, start)?
            }
            'x' => self.digits(2, 16, start)?,
            'u' if is_text => self.digits(4, 16, start)?,
            'U' if is_text => self.digits(8, 16, start)?,
            _ => return Err(self.error_at(start, format!("there is no escape `\\{c}`"))),
        }))
    }

    fn digits(&mut self, count: usize, radix: u32, start: usize) -> Parsed<u32> {
        let digits = self.rest().get(..count);
        let digits = digits.filter(|digits| digits.chars().all(|c| c.is_digit(radix)));
        match digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()) {
            Some(code) => {
                self.at += count;
                Ok(code)
            }
            None => Err(self.error_at(start, format!("this escape needs {count} digits"))),
        }
    }
}

/// Returns the digits of a number without its `_`, each of which stands between two digits.
fn without_lines(digits: &str) -> Option<String> {
    let lined = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    (!lined && !digits.is_empty()).then(|| digits.replace('_', ""))
}

/// Reads an integer in any of Python's spellings.
pub(super) fn whole(token: &str) -> Option<i128> {
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    let (radix, digits) = match unsigned.get(..2) {
        Some("0x" | "0X") => (16, &unsigned[2..]),
        Some("0o" | "0O") => (8, &unsigned[2..]),
        Some("0b" | "0B") => (2, &unsigned[2..]),
        _ => (10, unsigned),
    };
    let digits = without_lines(digits)?;
    // As in Python: elsewhere a zero in front means octal.
    let zeros = radix == 10 && digits.len() > 1 && digits.starts_with('0');
    if zeros || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    // What does not fit an i128 is beyond every type.
    let number = i128::from_str_radix(&digits, radix).unwrap_or(i128::MAX);
    Some(if token.starts_with('-') { -number } else { number })
}

/// Spells a decimal number as Rust reads it; `None` if it is none.
pub(super) fn decimal(token: &str) -> Option<String> {
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    if matches!(unsigned, "nan" | "inf") {
        return Some(token.into());
    }
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned, None),
    };
    let (before, behind) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| {
        let lined = if text.is_empty() { Some(String::new()) } else { without_lines(text) };
        lined.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let some = !before.is_empty() || !behind.is_empty();
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    (some && digits(before) && digits(behind) && exponent).then(|| token.replace('_', ""))
}
