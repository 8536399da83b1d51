//! Takes the bytes of a session. The socket, and when it is written, are the endpoint's.

/// Takes what a session writes: bytes that are to leave in this order.
///
/// ```
/// use peers_rpc::session::Output;
/// let mut out: Vec<u8> = b"head".to_vec();
/// out.chunk(b" and body".to_vec());
/// assert_eq!(out, b"head and body");
/// ```
pub trait Output {
    /// Returns the end of the output, to be appended to. A session never touches what it finds
    /// there.
    fn bytes(&mut self) -> &mut Vec<u8>;

    /// Appends a block that is in memory of its own already, so that a vectored write can take it
    /// without a copy.
    fn chunk(&mut self, bytes: Vec<u8>);
}

impl Output for Vec<u8> {
    fn bytes(&mut self) -> &mut Vec<u8> {
        self
    }

    fn chunk(&mut self, bytes: Vec<u8>) {
        self.extend_from_slice(&bytes);
    }
}

/// Says how far the output has come. Positions count bytes from the start of the connection.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Bytes put into the output.
    pub(super) queued: u64,
    /// Bytes of those that the socket has taken.
    pub(super) written: u64,
}

/// Cuts the output back to what it was before: a program's own `Encode` may panic in the middle of
/// a frame.
struct Whole<'a> {
    bytes: &'a mut Vec<u8>,
    before: usize,
}

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.before);
    }
}

impl Meter {
    /// Runs `write` on the end of `out` and counts what it appended.
    #[inline]
    pub(super) fn put<R>(
        &mut self,
        out: &mut impl Output,
        write: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> R {
        let bytes = out.bytes();
        let mut whole = Whole { before: bytes.len(), bytes };
        let result = write(whole.bytes);
        self.queued += (whole.bytes.len() - whole.before) as u64;
        whole.before = usize::MAX;
        result
    }

    /// Hands `bytes` to `out` as they are.
    pub(super) fn chunk(&mut self, out: &mut impl Output, bytes: Vec<u8>) {
        self.queued += bytes.len() as u64;
        out.chunk(bytes);
    }

    /// Counts the bytes that wait for the socket.
    #[inline]
    pub(super) fn waiting(&self) -> u64 {
        self.queued - self.written
    }
}
