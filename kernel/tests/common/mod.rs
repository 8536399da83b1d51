//! Holds what the tests over real sockets share: addresses, deadlines, and one-line servers.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its share of it")]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::{Address, Cont, Handle, Input, Kernel, Listener, Outlet, Stream};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// Says how long any test may take before it counts as hanging.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A kernel over real sockets in which a panic of a handler is one of the test.
pub fn strict_kernel() -> Kernel {
    let kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    kernel
}

/// Any free port of the loopback interface.
pub fn any_port() -> Address {
    "inet:127.0.0.1:0".parse().unwrap()
}

/// A path for a Unix socket that no other test of any process uses.
pub fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("peers-kernel-{}-{name}", std::process::id()))
}

/// For std's sockets.
pub fn socket_addr(address: &Address) -> SocketAddr {
    match address {
        Address::Inet { host, port, .. } => format!("{host}:{port}").parse().unwrap(),
        other => panic!("{other} is no inet address"),
    }
}

/// Turns until `done` or the deadline, which is a failure.
pub fn run_until(kernel: &mut Kernel, what: &str, done: impl Fn() -> bool) {
    let end = kernel.handle().now() + DEADLINE;
    while !done() {
        // A turn waits after it has run its tasks, so what they did shows only when the wait is
        // over: keep it short.
        let soon = kernel.handle().now() + Duration::from_millis(2);
        kernel.turn(peers_kernel::Wait::Until(soon)).unwrap();
        assert!(kernel.handle().now() < end, "never came: {what}");
    }
}

/// Returns how many turns a kernel takes in that span of time: few if it waits, very many if
/// something keeps it awake.
pub fn turns_in(kernel: &mut Kernel, span: Duration) -> usize {
    let end = kernel.handle().now() + span;
    let mut turns = 0;
    while kernel.handle().now() < end {
        kernel.turn(peers_kernel::Wait::Until(end)).unwrap();
        turns += 1;
    }
    turns
}

/// Everything one end of a connection hears.
#[derive(Clone, Default)]
pub struct Heard {
    pub bytes: Rc<RefCell<Vec<u8>>>,
    pub ended: Rc<Cell<bool>>,
    pub failed: Rc<RefCell<Option<io::ErrorKind>>>,
}

impl Heard {
    pub fn note(&self, input: Input<'_>) {
        assert!(!self.is_over(), "heard {input:?} after the end");
        match input {
            Input::Bytes(bytes) => {
                assert!(!bytes.is_empty() && bytes.len() <= 48 * 1024);
                self.bytes.borrow_mut().extend_from_slice(bytes);
            }
            Input::End => self.ended.set(true),
            Input::Failed(error) => *self.failed.borrow_mut() = Some(error.kind()),
        }
    }

    pub fn is_over(&self) -> bool {
        self.ended.get() || self.failed.borrow().is_some()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.borrow().clone()).unwrap()
    }

    pub fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    pub fn listen_to(&self, stream: Stream) -> Outlet {
        let heard = self.clone();
        stream.start(move |_, input| heard.note(input))
    }
}

/// Listens, and sends back what arrives.
pub fn echo_server(handle: &Handle, at: &Address) -> Listener {
    let serve = |stream: Stream| {
        stream.start(|outlet, input| {
            if let Input::Bytes(bytes) = input {
                outlet.write(bytes).unwrap();
            }
        });
    };
    handle.listen(at, serve).unwrap()
}

/// Dials, and puts what came of it into the slot.
pub fn dial(handle: &Handle, to: &Address) -> Rc<RefCell<Option<io::Result<Stream>>>> {
    let slot = Rc::new(RefCell::new(None));
    let filled = slot.clone();
    handle.connect(to, Cont::new(handle, move |outcome| *filled.borrow_mut() = Some(outcome)));
    slot
}

/// Dials and waits for the outcome.
pub fn dialled(kernel: &mut Kernel, to: &Address) -> io::Result<Stream> {
    let slot = dial(&kernel.handle(), to);
    run_until(kernel, "the outcome of dialling", || slot.borrow().is_some());
    slot.take().unwrap()
}

/// Listens, dials, and returns both ends, started with handlers that note what they hear.
pub fn pair(kernel: &mut Kernel, at: &Address) -> (Outlet, Heard, Outlet, Heard) {
    let (dialled, accepted) = streams(kernel, at);
    let (ours, theirs) = (Heard::default(), Heard::default());
    (ours.listen_to(dialled), ours, theirs.listen_to(accepted), theirs)
}

/// Runs a test over TCP, over a Unix socket and in a simulated world.
pub fn everywhere(name: &str, test: impl Fn(&mut Kernel, &Address)) {
    let simulated = Kernel::simulated(7);
    for (mut kernel, at) in [
        (strict_kernel(), any_port()),
        (strict_kernel(), Address::unix(socket_path(name))),
        (simulated, Address::sim(name)),
    ] {
        test(&mut kernel, &at);
    }
}

/// Listens, dials, and returns both ends, which nobody has started yet: the dialled one first.
pub fn streams(kernel: &mut Kernel, at: &Address) -> (Stream, Stream) {
    let accepted = Rc::new(RefCell::new(None));
    let slot = accepted.clone();
    let accept = move |stream: Stream| *slot.borrow_mut() = Some(stream);
    let listener = kernel.handle().listen(at, accept).unwrap();
    let dialled = dialled(kernel, listener.address()).unwrap();
    run_until(kernel, "a connection", || accepted.borrow().is_some());
    (dialled, accepted.take().unwrap())
}
