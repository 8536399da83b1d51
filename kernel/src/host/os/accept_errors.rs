//! Judges the errors of `accept`: most are those of one connection, and none ends a listener.

use rustix::io::Errno;
use std::io::{self, ErrorKind};

/// Says what an error of `accept` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AcceptAction {
    /// Nobody is waiting.
    Done,
    /// Goes on to the next: that connection is gone.
    Next,
    /// The system has no resources, or something we do not know has happened: rest.
    Rest,
}

/// Returns what to do after an error of `accept`.
pub(crate) fn judge(error: &io::Error) -> AcceptAction {
    match error.kind() {
        ErrorKind::WouldBlock => AcceptAction::Done,
        ErrorKind::Interrupted | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {
            AcceptAction::Next
        }
        // Linux reports errors that are already pending on the new connection as errors of accept.
        _ => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(
                Errno::PROTO
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NOPROTOOPT
                | Errno::NONET
                | Errno::OPNOTSUPP
                | Errno::PERM
                | Errno::TIMEDOUT,
            ) => AcceptAction::Next,
            _ => AcceptAction::Rest,
        },
    }
}

/// Returns what whoever runs the program can do about an error of accepting, to stand behind it.
pub(crate) fn advice_on(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => {
            "; raise the limit of open files (ulimit -n), or lower that of connections"
        }
        Some(Errno::NFILE) => "; the whole machine has no files left to open",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_of_accept_ends_a_listener() {
        for (errno, action) in [
            (Errno::AGAIN, AcceptAction::Done),
            (Errno::INTR, AcceptAction::Next),
            (Errno::CONNABORTED, AcceptAction::Next),
            (Errno::PROTO, AcceptAction::Next),
            (Errno::HOSTUNREACH, AcceptAction::Next),
            (Errno::MFILE, AcceptAction::Rest),
            (Errno::NFILE, AcceptAction::Rest),
            (Errno::NOBUFS, AcceptAction::Rest),
            (Errno::NOMEM, AcceptAction::Rest),
            (Errno::INVAL, AcceptAction::Rest),
        ] {
            assert_eq!(judge(&errno.into()), action, "{errno:?}");
        }
    }

    #[test]
    fn what_to_do_is_said_where_something_can_be_done() {
        assert!(advice_on(&Errno::MFILE.into()).contains("ulimit -n"));
        assert!(advice_on(&Errno::NFILE.into()).contains("the whole machine"));
        assert_eq!(advice_on(&Errno::CONNABORTED.into()), "");
    }
}
