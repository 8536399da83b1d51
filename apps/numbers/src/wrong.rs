//! Lists what can be wrong with a number, or with what is asked of it.

use crate::{Number, OperationFailed};
use peers_rpc::Error;
use std::fmt;

/// Says why there is no result. Nodes raise it as [`OperationFailed`], with these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// A text with something else than decimal digits, or without any.
    NotDecimal,
    /// Bytes that begin with a zero, so that there are two ways to write one number.
    LeadingZeros,
    /// A number of more than [`Number::MAX_BITS`] bits.
    TooLong,
    /// A size that a random number cannot have here.
    RandomSize {
        /// The bits asked for.
        bits: u32,
    },
    /// A size that a prime cannot have, here or anywhere.
    PrimeSize {
        /// The bits asked for.
        bits: u32,
    },
    /// The number and the modulus have a common divisor.
    NoInverse,
    /// There is no remainder of a division by zero.
    ZeroModulus,
    /// Nobody waits for the result any more.
    Stopped,
}

impl Wrong {
    /// Raises the exception that the interface declares.
    #[track_caller]
    pub(crate) fn raise(self) -> Error {
        OperationFailed::new(self.to_string()).raise()
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = |from: u32| format!("{from} to {} bits", Number::MAX_MADE);
        match self {
            Self::NotDecimal => f.write_str("not a number: decimal digits make one"),
            Self::LeadingZeros => f.write_str("not a number: its bytes begin with a zero"),
            Self::TooLong => write!(f, "too long: numbers have at most {} bits", Number::MAX_BITS),
            Self::RandomSize { bits } => {
                write!(f, "{bits} bits: random numbers are made with {}", sizes(1))
            }
            Self::PrimeSize { bits } => write!(f, "{bits} bits: primes are made with {}", sizes(2)),
            Self::NoInverse => f.write_str("no inverse: the numbers have a common divisor"),
            Self::ZeroModulus => f.write_str("the modulus is zero"),
            Self::Stopped => f.write_str("stopped: nobody waits for the result"),
        }
    }
}

impl std::error::Error for Wrong {}
