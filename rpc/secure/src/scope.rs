//! Gives rustls's objects what belongs to one handshake.
//!
//! Rustls wants its parts `'static` and shared among threads, so they cannot hold a handshake's
//! generator or expected key. They find them here: around each call of rustls, and only there, this
//! thread's scope is set. Outside, whatever needs it fails. No code of the program runs inside.

use peers_rpc::kernel::{ForkedRng, PublicKey};
use rand_core::Rng as _;
use std::cell::RefCell;
use zeroize::{Zeroize as _, Zeroizing};

/// Belongs to one handshake. The secrets are wiped when it is dropped; so is the generator.
pub(crate) struct Scope {
    rng: ForkedRng,
    /// The key that the other side must show; a listener takes any.
    pub(crate) expected: Option<PublicKey>,
    /// The key that the other side showed, proven or not.
    pub(crate) found: Option<PublicKey>,
    /// The traffic secrets: a dialler's, and a listener's.
    pub(crate) dialler: Option<[u8; 32]>,
    pub(crate) listener: Option<[u8; 32]>,
}

impl Scope {
    pub(crate) fn new(rng: ForkedRng, expected: Option<PublicKey>) -> Box<Self> {
        Box::new(Self { rng, expected, found: None, dialler: None, listener: None })
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.dialler.zeroize();
        self.listener.zeroize();
    }
}

thread_local! {
    /// A box, so that moving it in and out leaves no secret behind.
    static SCOPE: RefCell<Option<Box<Scope>>> = const { RefCell::new(None) };
}

/// Takes the scope back on every way out, a panic's too.
struct Inside<'a>(&'a mut Option<Box<Scope>>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.0 = SCOPE.try_with(|here| here.try_borrow_mut().ok()?.take()).ok().flatten();
    }
}

/// Runs `f`, a call of rustls, with `scope` set. A scope inside another one does not occur, and
/// would end the outer handshake.
pub(crate) fn within<R>(scope: &mut Option<Box<Scope>>, f: impl FnOnce() -> R) -> R {
    let own = scope.take();
    SCOPE.with(|here| *here.borrow_mut() = own);
    let _inside = Inside(scope);
    f()
}

/// Calls `f` with this thread's scope, if one is set.
pub(crate) fn with<R>(f: impl FnOnce(&mut Scope) -> R) -> Option<R> {
    SCOPE.with(|here| here.try_borrow_mut().ok()?.as_deref_mut().map(f))
}

/// Draws random bytes from the scope. Nothing outside a handshake.
pub(crate) fn draw<const N: usize>() -> Option<Zeroizing<[u8; N]>> {
    with(|scope| {
        let mut bytes = Zeroizing::new([0; N]);
        scope.fill(&mut bytes[..]);
        bytes
    })
}
