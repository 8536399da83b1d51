//! Byte streams as users see them: a connection that nobody listens to yet, and what is heard once
//! somebody does.
//!
//! All state is in the pipe. Dialling is in `dial`, accepting in `listener`.

use crate::host::public_key::PublicKey;
use crate::host::socket::Credentials;
use crate::io::address::Address;
use crate::io::outlet::Outlet;
use crate::io::pipe::Pipe;
use crate::io::secure_layer::SecureLayer;
use crate::node::Cx;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// Tells a stream's handler what happens. `End` and `Failed` come last, and only one of them, once;
/// then the handler is dropped.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes that arrived: at least one, at most 48 KiB, cut wherever the network cut them.
    Bytes(&'a [u8]),
    /// The peer sends no more. It may still read: write the rest through an outlet, then let go of
    /// all outlets, or [`finish`](Outlet::finish) or [`close`](Outlet::close).
    End,
    /// The connection broke; it is closed already.
    Failed(io::Error),
}

/// Hears what arrives on a connection: see [`Stream::start_for`]. Where a connection has an object
/// of its own, this needs no memory; else [`Stream::start`] takes a closure.
///
/// ```
/// use peers_kernel::{Input, Listen, Outlet, Stream};
/// use std::cell::Cell;
/// use std::panic::Location;
/// use std::rc::Rc;
///
/// struct Counter { bytes: Cell<usize> }
///
/// impl Listen for Counter {
///     fn hear(self: Rc<Self>, _: &Outlet, input: Input<'_>) -> bool {
///         if let Input::Bytes(bytes) = input {
///             self.bytes.set(self.bytes.get() + bytes.len());
///         }
///         true
///     }
///
///     fn born(&self) -> &'static Location<'static> {
///         Location::caller()
///     }
/// }
///
/// fn count(stream: Stream) -> Rc<Counter> {
///     let counter = Rc::new(Counter { bytes: Cell::new(0) });
///     stream.start_for(counter.clone());
///     counter
/// }
/// ```
pub trait Listen {
    /// Hears what has arrived. Each time it is a task of its own; a panic is logged, and the
    /// connection lives on. False if nobody listens any more: then the connection is closed.
    fn hear(self: Rc<Self>, outlet: &Outlet, input: Input<'_>) -> bool;

    /// Decides whether the peer may come in, whose key has just been proven. On a connection with a
    /// [secure layer](Stream::secure) this is asked once, before anything is heard and before
    /// anything that was written is sent. If it is false, or panics, the peer is told that it is
    /// not wanted, the connection is closed, and nothing is heard of it any more.
    fn proven(self: Rc<Self>, _outlet: &Outlet, _peer: PublicKey) -> bool {
        true
    }

    /// Returns where it was made, for reports about it.
    fn born(&self) -> &'static Location<'static>;
}

/// A closure that listens.
struct ClosureListener<H> {
    born: &'static Location<'static>,
    /// Borrowed while it runs, and it runs once at a time.
    handler: RefCell<H>,
}

impl<H: FnMut(&Outlet, Input<'_>) -> bool> Listen for ClosureListener<H> {
    fn hear(self: Rc<Self>, outlet: &Outlet, input: Input<'_>) -> bool {
        (self.handler.borrow_mut())(outlet, input)
    }

    fn born(&self) -> &'static Location<'static> {
        self.born
    }
}

/// A connection over TCP, a Unix socket or a simulated network, that nobody listens to yet. Closes
/// on drop: at once, or if something was written, as [`Outlet::close`] does.
///
/// [`start`](Self::start) hands it over to the kernel. From then on it lives until one of these: it
/// is closed through an [`Outlet`]; it fails; both halves have ended; the peer has ended its half
/// and no outlet is left; the kernel ends.
///
/// ```
/// use peers_kernel::{Handle, Input, Stream};
///
/// fn echo(stream: Stream) {
///     stream.start(|outlet, input| {
///         if let Input::Bytes(bytes) = input
///             && outlet.write(bytes).is_err()
///         {
///             outlet.close() // it sends and does not read
///         }
///     });
/// }
/// ```
#[must_use = "a stream that is dropped is closed"]
pub struct Stream {
    pipe: Rc<Pipe>,
}

impl Stream {
    pub(crate) fn new(pipe: Rc<Pipe>) -> Self {
        Self { pipe }
    }

    /// Calls `handler` for everything that arrives, each time as a task of its own. If it panics,
    /// that is logged and the connection lives on.
    #[track_caller]
    pub fn start(self, mut handler: impl FnMut(&Outlet, Input<'_>) + 'static) -> Outlet {
        self.listen(Location::caller(), move |outlet: &Outlet, input: Input<'_>| {
            handler(outlet, input);
            true
        })
    }

    /// Does what [`start`](Self::start) does, inside the node of `cx`. When the node is gone, the
    /// connection is closed as soon as something arrives.
    #[track_caller]
    pub fn start_in<S: 'static>(
        self,
        cx: &Cx<S>,
        mut handler: impl FnMut(&mut S, &Cx<S>, &Outlet, Input<'_>) + 'static,
    ) -> Outlet {
        let cx = cx.clone();
        self.listen(Location::caller(), move |outlet: &Outlet, input: Input<'_>| {
            cx.visit(|state, cx| handler(state, cx, outlet, input)).is_some()
        })
    }

    /// Does what [`start`](Self::start) does, for something that is there already: no handler needs
    /// to be made for the connection. It is held until the connection is closed, or has told its
    /// end.
    pub fn start_for(self, listener: Rc<dyn Listen>) -> Outlet {
        self.pipe.start(listener);
        self.pipe.outlet()
    }

    fn listen<H>(self, born: &'static Location<'static>, handler: H) -> Outlet
    where
        H: FnMut(&Outlet, Input<'_>) -> bool + 'static,
    {
        self.start_for(Rc::new(ClosureListener { born, handler: RefCell::new(handler) }))
    }

    /// Covers the connection with a secure layer, and sends what that says first. What is written
    /// from now on is sealed, and what is heard was opened; both wait until the layer knows who the
    /// peer is, and [`Listen::proven`] lets it in. The handshake goes on while the stream is read:
    /// that is, once it is started, and not while it is paused.
    ///
    /// A connection that breaks the layer's rules fails with the layer's error, and one that ends
    /// without its last record with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    pub fn secure(self, layer: Box<dyn SecureLayer>) -> Self {
        self.pipe.secure(layer);
        self
    }

    /// Returns which process is at the other end of a Unix socket. Linux knows; elsewhere, and of
    /// other connections, it is `None`.
    pub fn credentials(&self) -> Option<Credentials> {
        self.pipe.credentials()
    }

    /// Returns the writing end, for use before the handler is called, or outside of it.
    pub fn outlet(&self) -> Outlet {
        self.pipe.outlet()
    }

    /// Lets the system hold about this many bytes in each direction, instead of as many as it finds
    /// best: several megabytes for a peer that does not read. For servers whose peers may all stop
    /// reading; it costs speed over long distances. Linux counts its own overhead and allows twice
    /// the number. Means nothing in a simulation.
    ///
    /// # Errors
    /// If the connection is gone already.
    pub fn set_buffers(&self, bytes: usize) -> io::Result<()> {
        self.pipe.set_buffers(bytes)
    }

    /// Lets the system hold what was written for so long, about, if the peer takes nothing of it;
    /// then the connection fails with [`TimedOut`](io::ErrorKind::TimedOut). Without it that can be
    /// for ever: a peer that does not read tells the system that it is there, and
    /// [`stalled`](Outlet::stalled) tells only of what the system has no room for. Means something
    /// on Linux over TCP only, and nothing in a simulation.
    ///
    /// # Errors
    /// If the connection is gone already.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.pipe.set_patience(patience)
    }

    /// Returns the address of our end.
    ///
    /// # Errors
    /// If the connection is gone already.
    pub fn local(&self) -> io::Result<Address> {
        self.pipe.local()
    }

    /// Returns the address of the other end.
    ///
    /// # Errors
    /// If the connection is gone already.
    pub fn peer(&self) -> io::Result<Address> {
        self.pipe.peer()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.pipe.abandon()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("peer", &self.peer().ok()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kernel, Wait};
    use std::cell::Cell;
    use std::time::Duration;

    #[test]
    fn what_was_sent_leaves_no_memory_behind() {
        let mut kernel = Kernel::simulated(7);
        let handle = kernel.handle();
        let here: Address = "sim:here".parse().expect("an address");
        let heard = Rc::new(Cell::new(0));
        let count = heard.clone();
        let listener = handle.listen(&here, move |stream| {
            let count = count.clone();
            stream.start(move |_, input| {
                if let Input::Bytes(bytes) = input {
                    count.set(count.get() + bytes.len());
                }
            });
        });
        let _listener = listener.expect("nobody else is there");
        let pipe = Rc::new(RefCell::new(None));
        let dialled = pipe.clone();
        let k = crate::Cont::new(&handle, move |stream: io::Result<Stream>| {
            let stream = stream.expect("somebody listens");
            let pipe = stream.pipe.clone();
            let outlet = stream.start(|_, _| {});
            outlet.write(b"some").expect("room");
            outlet.write_chunk(vec![0; 5000]).expect("room");
            outlet.write_vec(&mut b"more".to_vec()).expect("room");
            assert!(pipe.holds_memory());
            dialled.replace(Some((pipe, outlet)));
        });
        handle.connect(&here, k);
        while heard.get() < 5008 {
            let soon = handle.now() + Duration::from_millis(1);
            kernel.turn(Wait::Until(soon)).expect("a turn");
        }
        let (pipe, outlet) = pipe.take().expect("it was dialled");
        assert!(!pipe.holds_memory());
        outlet.write_vec(&mut Vec::new()).expect("nothing always fits");
        assert!(!pipe.holds_memory());
    }
}
