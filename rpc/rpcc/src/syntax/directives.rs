//! Directives: the words behind colons that follow a method.

use std::time::Duration;

use super::ast::{Directive, DirectiveKind, Name, Scalar};
use super::lexer::Token;
use super::parser::{Parsed, Parser, Reported};
use crate::diagnostics::Report;
use crate::names;
use crate::source::Span;

const DIRECTIVES: [&str; 7] =
    ["event", "async", "borrowed", "timeout", "throws", "name", "deprecated"];

/// Units of time and their nanoseconds.
const UNITS: [(&str, u128); 4] =
    [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];

/// Deadlines travel as milliseconds in 32 bits.
const MAX_NANOSECONDS: u128 = u32::MAX as u128 * 1_000_000;

impl Parser<'_> {
    /// Reads all directives that follow.
    pub(super) fn directives(&mut self) -> Parsed<Vec<Directive>> {
        let mut directives = Vec::new();
        while let Some(colon) = self.take(":") {
            self.same_line("a directive behind `:`")?;
            let word = self.name("a directive behind `:`")?;
            let kind = self.directive(&word)?;
            directives.push(Directive { kind, span: colon.to(self.before()) });
        }
        Ok(directives)
    }

    fn directive(&mut self, word: &Name) -> Parsed<DirectiveKind> {
        match word.text.as_str() {
            "event" => Ok(DirectiveKind::Event),
            "async" => Ok(DirectiveKind::Async),
            "borrowed" => Ok(DirectiveKind::Borrowed),
            "timeout" => self.timeout(),
            "throws" => self.throws(),
            "name" => {
                self.same_line("a Rust name behind `:name`")?;
                Ok(DirectiveKind::Name(self.name("a Rust name behind `:name`")?))
            }
            "deprecated" => self.deprecated(),
            _ => Err(self.unknown_directive(word)),
        }
    }

    fn unknown_directive(&mut self, word: &Name) -> Reported {
        let title = format!("there is no directive `:{}`", word.text);
        let help = match names::nearest(&word.text, &DIRECTIVES) {
            Some(near) => format!("did you mean `:{near}`?"),
            None if Scalar::named(&word.text).is_some() => {
                format!("to declare a result, write `-> {}`", word.text)
            }
            None => {
                "there are `:event`, `:async`, `:borrowed`, `:timeout`, `:throws`, `:name` and `:deprecated`"
                    .into()
            }
        };
        self.report(Report::new(word.span, title, "").help(help));
        Reported
    }

    fn throws(&mut self) -> Parsed<DirectiveKind> {
        self.same_line("an exception behind `:throws`")?;
        let mut classes = vec![self.path("an exception behind `:throws`")?];
        while self.take(",").is_some() {
            classes.push(self.path("an exception behind `,`")?);
        }
        Ok(DirectiveKind::Throws(classes))
    }

    fn deprecated(&mut self) -> Parsed<DirectiveKind> {
        let what = "a string behind `:deprecated` that says what to use instead";
        self.same_line(what)?;
        let Token::Text(text) = self.token() else {
            return self.expected(what);
        };
        let text = text.clone();
        self.advance();
        Ok(DirectiveKind::Deprecated(text))
    }

    fn timeout(&mut self) -> Parsed<DirectiveKind> {
        let what = "a time behind `:timeout`, such as `10s`";
        self.same_line(what)?;
        let Token::Number(written) = self.token() else {
            return self.expected(what);
        };
        let written = written.clone();
        let span = self.advance();
        match duration(&written, span) {
            Ok(timeout) => Ok(DirectiveKind::Timeout(timeout)),
            Err(report) => {
                self.report(report);
                Err(Reported)
            }
        }
    }
}

/// Reads `10s`, `1.5m`, `250ms`, `0`.
fn duration(written: &str, span: Span) -> Result<Duration, Report> {
    let digits = written.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(written.len());
    let (number, unit) = written.split_at(digits);
    let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        if unit.is_empty() && number == "0" {
            return Ok(Duration::ZERO);
        }
        let title = format!("`{written}` is not a time");
        return Err(Report::new(span, title, "")
            .help("write a number and `ms`, `s`, `m` or `h`; 0 is for ever"));
    };
    let too_long = || {
        let title = format!("a time-out of {written} is too long");
        Report::new(span, title, "at most 1193h").help("write 0 for a call without time-out")
    };
    let nanoseconds = scaled(number, *scale).ok_or_else(too_long)?;
    if nanoseconds > MAX_NANOSECONDS {
        return Err(too_long());
    }
    if nanoseconds > 0 && nanoseconds < 1_000_000 {
        let title = format!("a time-out of {written} is too short");
        return Err(Report::new(span, title, "at least 1ms"));
    }
    // Up, so that no time-out that was written becomes none at all.
    let milliseconds = u64::try_from(nanoseconds.div_ceil(1_000_000)).map_err(|_| too_long())?;
    Ok(Duration::from_millis(milliseconds))
}

/// Returns a decimal number times `scale`, cut to an integer; `None` if it is too large.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut value = whole.parse::<u64>().ok().map(u128::from)?.checked_mul(scale)?;
    let mut unit = scale;
    // More digits than the unit has decimals change nothing.
    for digit in fraction.bytes().take(18) {
        unit /= 10;
        value += u128::from(digit - b'0') * unit;
    }
    Some(value)
}
