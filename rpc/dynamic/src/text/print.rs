//! Printing: the shortest spelling that the parser reads as the same value.

use super::{WORDS, is_name};
use crate::encode::Typed;
use crate::types;
use crate::value::{Numbers, Value};
use peers_rpc::wire;
use peers_rpcc::Schema;
use peers_rpcc::schema::{Field, Kind, Ty, TypeId};
use std::fmt;

/// Prints the text form.
impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer { schema: self.schema, text: String::new() };
        printer.value(self.ty, self.value);
        f.write_str(&printer.text)
    }
}

struct Printer<'s> {
    schema: &'s Schema,
    text: String,
}

impl Printer<'_> {
    /// Prints items with commas between, in brackets.
    fn row<T>(&mut self, brackets: [&str; 2], items: &[T], one: impl Fn(&mut Self, &T)) {
        self.text.push_str(brackets[0]);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.text.push_str(", ");
            }
            one(self, item);
        }
        self.text.push_str(brackets[1]);
    }

    fn value(&mut self, ty: &Ty, value: &Value) {
        match (ty, value) {
            (Ty::Scalar(_), value) => self.scalar(value),
            (Ty::List(_), Value::Numbers(numbers)) => self.numbers(numbers),
            (Ty::List(of), Value::List(items)) => {
                self.row(["[", "]"], items, |out, item| out.value(of, item));
            }
            // Empty braces are a map.
            (Ty::Set(_), Value::Set(items)) if items.is_empty() => self.text.push_str("set()"),
            (Ty::Set(of), Value::Set(items)) => {
                self.row(["{", "}"], items, |out, item| out.value(of, item));
            }
            (Ty::Map(key, of), Value::Map(entries)) => {
                self.row(["{", "}"], entries, |out, entry| {
                    out.value(key, &entry.0);
                    out.text.push_str(": ");
                    out.value(of, &entry.1);
                })
            }
            (Ty::Option { .. }, Value::Option(None)) => self.text.push_str("None"),
            (Ty::Option { of, .. }, Value::Option(Some(value))) if types::needs_some(of) => {
                self.text.push_str("some(");
                self.value(of, value);
                self.text.push(')');
            }
            (Ty::Option { of, .. }, Value::Option(Some(value))) => self.value(of, value),
            (Ty::Tuple(parts), Value::Tuple(values)) => {
                let pairs: Vec<_> = parts.iter().zip(values).collect();
                self.row(["(", ")"], &pairs, |out, (ty, value)| out.value(ty, value));
            }
            (Ty::Named(id), value) => self.named(*id, value),
            _ => debug_assert!(false, "the value fits its type"),
        }
    }

    fn scalar(&mut self, value: &Value) {
        match value {
            Value::Bool(value) => self.text.push_str(truth(*value)),
            Value::Int(number) => self.text.push_str(&number.to_string()),
            Value::Uint(number) => self.text.push_str(&number.to_string()),
            Value::F32(number) if number.is_nan() => self.text.push_str("nan"),
            // What is shortest for an f32 is not what is shortest for the f64 of the same value.
            Value::F32(number) => self.text.push_str(&format!("{number:?}")),
            Value::F64(number) => self.float(*number),
            Value::String(text) => quote(text, &mut self.text),
            Value::Bytes(bytes) => quote_bytes(bytes, &mut self.text),
            Value::Any(value) => self.any(value),
            _ => debug_assert!(false, "the value fits its type"),
        }
    }

    fn float(&mut self, number: f64) {
        // The sign of a NaN is no part of its value.
        let shown = if number.is_nan() { "nan".into() } else { format!("{number:?}") };
        self.text.push_str(&shown);
    }

    fn numbers(&mut self, numbers: &Numbers) {
        macro_rules! rows {
            ($($variant:ident),*) => {
                match numbers {
                    $(Numbers::$variant(items) => {
                        self.row(["[", "]"], items, |out, item| out.scalar(&Value::from(*item)));
                    })*
                }
            };
        }
        rows!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64);
    }

    fn named(&mut self, id: TypeId, value: &Value) {
        let ty = self.schema.ty(id);
        match (ty.kind(), value) {
            (Kind::Struct(fields) | Kind::Exception(fields), Value::Struct(values)) => {
                self.text.push_str(ty.name());
                self.fields(fields, values);
            }
            (Kind::Enum(variants), Value::Enum(at, values)) => {
                let Some(variant) = usize::try_from(*at).ok().and_then(|at| variants.get(at))
                else {
                    return debug_assert!(false, "the value fits its type");
                };
                self.text.push_str(variant.name());
                // A variant of such a name must not be taken for what the word means elsewhere.
                if !values.is_empty() || WORDS.contains(&variant.name()) {
                    self.fields(variant.fields(), values);
                }
            }
            _ => debug_assert!(false, "the value fits its type"),
        }
    }

    fn fields(&mut self, fields: &[Field], values: &[Value]) {
        let pairs: Vec<_> = fields.iter().zip(values).collect();
        self.row(["(", ")"], &pairs, |out, (field, value)| {
            out.text.push_str(field.name());
            out.text.push('=');
            out.value(field.ty(), value);
        });
    }

    fn any(&mut self, value: &wire::Value) {
        match value {
            wire::Value::Null => self.text.push_str("None"),
            wire::Value::Bool(value) => self.text.push_str(truth(*value)),
            wire::Value::Int(number) => self.text.push_str(&number.to_string()),
            wire::Value::Uint(number) => self.text.push_str(&format!("{number}u")),
            wire::Value::Float(number) => self.float(*number),
            wire::Value::String(text) => quote(text, &mut self.text),
            wire::Value::Bytes(bytes) => quote_bytes(bytes, &mut self.text),
            wire::Value::List(items) => self.row(["[", "]"], items, Self::any),
            // As they were written: keys of these may repeat, and have no order.
            wire::Value::Map(pairs) => self.row(["{", "}"], pairs, |out, (key, value)| {
                out.any(key);
                out.text.push_str(": ");
                out.any(value);
            }),
            wire::Value::Record(record) => {
                self.name(&record.name);
                self.row(["(", ")"], &record.fields, |out, (name, value)| {
                    out.name(name);
                    out.text.push('=');
                    out.any(value);
                });
            }
            _ => debug_assert!(false, "the wire has no other values"),
        }
    }

    /// Prints a name, in quotes if it is none.
    fn name(&mut self, name: &str) {
        if is_name(name) { self.text.push_str(name) } else { quote(name, &mut self.text) }
    }
}

const fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// Returns the quotes that Python takes: the other ones only if that saves escapes.
fn quotes(single: bool, double: bool) -> char {
    if single && !double { '"' } else { '\'' }
}

fn quote(text: &str, out: &mut String) {
    let quote = quotes(text.contains('\''), text.contains('"'));
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            // No terminal acts on what is printed.
            c if wire::is_invisible(c) => {
                let code = u32::from(c);
                out.push_str(&match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

fn quote_bytes(bytes: &[u8], out: &mut String) {
    let quote = quotes(bytes.contains(&b'\''), bytes.contains(&b'"'));
    out.push('b');
    out.push(quote);
    for byte in bytes {
        match *byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if char::from(byte) == quote => out.extend(['\\', quote]),
            byte @ b' '..=b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
}
