//! Messages: what frames mean. Requests and replies live in `call`, the ends of calls and of
//! connections in `outcome`, a connection's own frames in `control`. When a message may be sent,
//! and what to do about it, lives in no file here.

mod call;
mod control;
mod method_id;
mod outcome;

pub use call::{CallHead, Trace, put_bytes_reply, put_call, put_event, put_reply, put_request};
pub use control::{Cancel, Credit, HalfClose, Hello, NodeId, Ping, Pong};
pub use method_id::method_id;
pub use outcome::{Bye, ByeCode, Exception, Refused, RefusedCode};

use crate::Error;
use crate::codec::Reader;
use crate::frame::{Frame, Kind};

/// A frame with its body read.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the variants are the kinds, their fields the types above")]
pub enum Message<'a> {
    Hello(Hello),
    Call {
        call: u64,
        head: CallHead,
        args: Reader<'a>,
    },
    Event {
        head: CallHead,
        args: Reader<'a>,
    },
    Reply {
        call: u64,
        value: Reader<'a>,
    },
    Exception {
        call: u64,
        exception: Exception<'a>,
    },
    Refused {
        call: u64,
        refused: Refused<'a>,
    },
    Cancel(Cancel),
    Credit(Credit),
    Ping(Ping),
    Pong(Pong),
    Bye(Bye<'a>),
    HalfClose(HalfClose),
    /// Of no meaning to this version.
    Ignorable,
}

impl<'a> Message<'a> {
    /// Reads a frame. Arguments and values are left to whoever knows their types.
    ///
    /// # Errors
    /// Whatever is wrong with the body.
    #[inline]
    pub fn decode(frame: &Frame<'a>) -> Result<Self, Error> {
        let call = frame.call;
        Ok(match frame.kind {
            Kind::Call => {
                let (head, args) = CallHead::decode(frame)?;
                Self::Call { call, head, args }
            }
            Kind::Event => {
                let (head, args) = CallHead::decode(frame)?;
                Self::Event { head, args }
            }
            Kind::Reply => Self::Reply { call, value: Reader::new(frame.body) },
            Kind::Exception => Self::Exception { call, exception: Exception::decode(frame.body)? },
            Kind::Refused => Self::Refused { call, refused: Refused::decode(frame.body)? },
            Kind::Cancel => Self::Cancel(Cancel { call }),
            Kind::Credit => Self::Credit(Credit::decode(frame.body)?),
            Kind::Ping => Self::Ping(Ping { number: call }),
            Kind::Pong => Self::Pong(Pong { number: call }),
            Kind::Hello => Self::Hello(Hello::decode(frame.body)?),
            Kind::Bye => Self::Bye(Bye::decode(frame.body)?),
            Kind::HalfClose => Self::HalfClose(HalfClose),
            Kind::Ignorable(_) => Self::Ignorable,
        })
    }
}
