//! What goes wrong before there is a call, as errors of the one type: the system's, addresses',
//! binding's. And exceptions, which `?` raises.

use crate::interface::Exception;
use crate::{AlreadyBound, Error, ErrorKind};
use peers_kernel::AddressError;
use std::io;

/// An error that was on its way through the system's type is the same again.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => {
                let (kind, text) = (error.kind(), error.to_string());
                Self::new(ErrorKind::Io { kind, text })
            }
        }
    }
}

/// For code that speaks the system's errors.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Io { kind, .. } => *kind,
            ErrorKind::InsecureBind(_) | ErrorKind::Security(_) => io::ErrorKind::PermissionDenied,
            ErrorKind::BadAddress(_) => io::ErrorKind::InvalidInput,
            ErrorKind::TimedOut { .. } => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Self::new(ErrorKind::BadAddress(error))
    }
}

impl From<AlreadyBound> for Error {
    fn from(error: AlreadyBound) -> Self {
        Self::new(ErrorKind::AlreadyBound(error))
    }
}

/// Raises an exception where `?` stands.
impl<E: Exception> From<E> for Error {
    #[track_caller]
    fn from(exception: E) -> Self {
        Self::raise(&exception)
    }
}
