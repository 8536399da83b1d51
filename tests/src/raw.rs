//! A client that speaks bytes over a real socket, and may say anything.
//!
//! Every wait has a deadline that no working test meets.

use peers_rpc::Address;
use peers_rpc::wire::{
    Bye, ByeCode, CallHead, Deframer, Encode, Frame, HEADER, HalfClose, Header, Hello, Kind,
    NodeId, PREAMBLE, from_slice, limits, method_id, put_call, put_event,
};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Says how long a test waits for one thing.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The method `echo(string)->string` of the trial.
pub const ECHO: u64 = method_id("trial.trial.echo(string)->string");
/// The method `hold(string)->string` of the trial.
pub const HOLD: u64 = method_id("trial.trial.hold(string)->string");
/// The event `note(string)->()` of the trial.
pub const NOTE: u64 = method_id("trial.trial.note(string)->()");

/// A frame, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Holds what it is for.
    pub kind: Kind,
    /// The call that it speaks of.
    pub call: u64,
    /// Its body.
    pub body: Vec<u8>,
}

impl Said {
    /// The body as a value.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn text(&self) -> String {
        from_slice(&self.body).expect("a string")
    }
}

/// Returns what a side says first: the preamble and a hello with the default limits.
pub fn greeting() -> Vec<u8> {
    let mut bytes = PREAMBLE.to_vec();
    Hello::new(NodeId::from_bits(0xbad)).put(&mut bytes);
    bytes
}

/// A call with these arguments.
pub fn call(id: u64, method: u64, arguments: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    let head = CallHead::new(method);
    put_call(&mut bytes, u32::MAX, id, &head, arguments).expect("it fits");
    bytes
}

/// An event with these arguments.
pub fn event(method: u64, arguments: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_event(&mut bytes, u32::MAX, &CallHead::new(method), arguments).expect("it fits");
    bytes
}

/// A frame with any header and body, however wrong.
pub fn frame(length: u32, kind: u8, flags: u8, call: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend([kind, flags, 0, 0]);
    bytes.extend(call.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The frames in `bytes`, which end with a whole one.
///
/// # Panics
/// When they are no frames.
#[track_caller]
pub fn frames(mut bytes: &[u8]) -> Vec<Said> {
    let mut deframer = Deframer::new(limits::FRAME);
    let mut said = Vec::new();
    while let Some(Frame { kind, call, body, .. }) = deframer.next(&mut bytes).expect("frames") {
        said.push(Said { kind, call, body: body.to_vec() });
    }
    assert_eq!(deframer.pending(), 0, "it ends inside a frame");
    said
}

/// One connection.
#[derive(Debug)]
pub struct Raw {
    socket: TcpStream,
}

impl Raw {
    /// Connects, and says nothing.
    ///
    /// # Panics
    /// When nobody listens there.
    #[track_caller]
    pub fn connect(address: &Address) -> Self {
        Self::over(TcpStream::connect(socket_addr(address)).expect("somebody listens"))
    }

    /// Connects, says hello, and reads the other side's.
    ///
    /// # Panics
    /// When that does not work.
    #[track_caller]
    pub fn greeted(address: &Address) -> Self {
        let mut raw = Self::connect(address);
        raw.send(&greeting());
        raw.read_greeting();
        raw
    }

    /// Speaks over a connection that there is.
    ///
    /// # Panics
    /// When the system does not take a deadline for it.
    #[track_caller]
    pub fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        socket.set_write_timeout(Some(PATIENCE)).expect("a deadline");
        socket.set_nodelay(true).expect("no delay");
        Self { socket }
    }

    /// The socket under it.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Writes everything. That the other side has closed meanwhile is no error: what it said first
    /// can still be read.
    ///
    /// # Panics
    /// When it takes nothing for too long.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        match self.socket.write_all(bytes) {
            Err(error) if is_late(&error) => panic!("it does not read: {error}"),
            Ok(()) | Err(_) => {}
        }
    }

    /// Calls `echo`.
    #[track_caller]
    pub fn echo(&mut self, id: u64, text: &str) {
        self.send(&call(id, ECHO, &(text,)));
    }

    /// Waits until everything that was sent before has been started, by a call with that id.
    ///
    /// # Panics
    /// When that does not happen.
    #[track_caller]
    pub fn settle(&mut self, id: u64) {
        self.echo(id, "all of it");
        assert_eq!(self.reply_to(id), "all of it");
    }

    /// Ends this side's half, and says so first: answers still come.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn finish(&mut self) {
        let mut last = Vec::new();
        HalfClose.put(&mut last);
        self.send(&last);
        self.hang_up();
    }

    /// Ends this side's half without a word, as the system does for a process that was killed.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn hang_up(&self) {
        self.socket.shutdown(Shutdown::Write).expect("an open connection");
    }

    /// Reads the other side's preamble and hello.
    ///
    /// # Panics
    /// When something else comes.
    #[track_caller]
    pub fn read_greeting(&mut self) -> Hello {
        let mut preamble = [0; PREAMBLE.len()];
        self.socket.read_exact(&mut preamble).expect("a preamble");
        assert_eq!(preamble, PREAMBLE);
        let said = self.read().expect("a hello");
        assert_eq!(said.kind, Kind::Hello);
        Hello::decode(&said.body).expect("a hello")
    }

    /// Returns whether the other side begins to speak before it ends the connection.
    ///
    /// # Panics
    /// When it does neither.
    #[track_caller]
    pub fn is_greeted(&mut self) -> bool {
        self.fill(&mut [0; PREAMBLE.len()])
    }

    /// The next frame; `None` when the other side has ended the connection, in whatever way.
    ///
    /// # Panics
    /// When nothing comes for too long, or no frame.
    #[track_caller]
    pub fn read(&mut self) -> Option<Said> {
        let mut bytes = [0; HEADER];
        if !self.fill(&mut bytes) {
            return None;
        }
        let header = Header::from_bytes(&bytes).expect("a header");
        let mut body = vec![0; header.length as usize];
        let whole = self.fill(&mut body);
        whole.then_some(Said { kind: header.kind, call: header.call, body })
    }

    /// Fills `bytes`; false if the connection ends before.
    #[track_caller]
    fn fill(&mut self, bytes: &mut [u8]) -> bool {
        match self.socket.read_exact(bytes) {
            Ok(()) => true,
            Err(error) if is_late(&error) => panic!("nothing comes: {error}"),
            Err(_) => false,
        }
    }

    /// All frames until the other side ends the connection.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<Said> {
        std::iter::from_fn(|| self.read()).collect()
    }

    /// Reads until `call` is answered with a value, and gives that value, a string.
    ///
    /// # Panics
    /// When it is answered otherwise, or the connection ends.
    #[track_caller]
    pub fn reply_to(&mut self, call: u64) -> String {
        let said = self.answer_to(call);
        assert_eq!(said.kind, Kind::Reply, "{said:?}");
        said.text()
    }

    /// Reads until `call` is answered in whatever way.
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn answer_to(&mut self, call: u64) -> Said {
        while let Some(said) = self.read() {
            if said.call == call
                && matches!(said.kind, Kind::Reply | Kind::Exception | Kind::Refused)
            {
                return said;
            }
        }
        panic!("the connection ended before call {call} was answered")
    }

    /// Waits until the other side has ended the connection, and gives the goodbye it said, if it
    /// came through.
    #[track_caller]
    pub fn bye(&mut self) -> Option<ByeCode> {
        let bye = self.rest().into_iter().rfind(|said| said.kind == Kind::Bye)?;
        Bye::decode(&bye.body).ok().map(|bye| bye.code)
    }

    /// Returns how a connection ends whose greeting was not read.
    #[track_caller]
    pub fn bye_after_greeting(&mut self) -> Option<ByeCode> {
        self.read_greeting();
        self.bye()
    }

    /// Reads so many bytes and forgets them.
    ///
    /// # Panics
    /// When they do not come.
    #[track_caller]
    pub fn read_exactly(&mut self, count: usize) {
        assert!(self.fill(&mut vec![0; count]), "the connection ended before {count} bytes");
    }

    /// Returns whatever bytes come until the other side ends the connection.
    ///
    /// # Panics
    /// When it does not end it.
    #[track_caller]
    pub fn drain(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.socket.read_to_end(&mut bytes) {
            Err(error) if is_late(&error) => panic!("it is not closed: {error}"),
            Ok(_) | Err(_) => bytes,
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Returns where an address is for std.
///
/// # Panics
/// For addresses that are not of IPv4 loopback.
pub fn socket_addr(address: &Address) -> SocketAddr {
    match address {
        Address::Inet { port, .. } => ([127, 0, 0, 1], *port).into(),
        other => panic!("{other} has no socket of std"),
    }
}
