//! Calls from other threads: a loop on a thread of its own, proxies that are `Send`, calls that
//! block their caller.
//!
//! A [`SyncEndpoint`] is a name, not a pointer: what it names lives on the loop's thread and is
//! looked up there. The loop takes no lock for a request, and a thread that was told `Ok` has a
//! place for its request already (see `room`): nothing that is posted to the loop can fail there
//! without somebody being told.

mod call;
mod endpoint;
mod peers;

pub use call::{Started, SyncCall, SyncCancel};
pub use endpoint::SyncEndpoint;
pub use peers::{Peers, spawn_loop, spawn_loop_with};

use crate::api::rpc::Rpc;
use crate::interface::error::{Misuse, Overload};
use crate::link::context::Shared;
use crate::session::permits::Room;
use crate::{Error, ErrorKind};
use peers_kernel::{INBOX, PostError, Remote};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests of other threads that may be on their way to one loop. The rest of its inbox is left
/// for everything else.
const MOST_UNDER_WAY: usize = INBOX / 2;

static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The processes (in the sense of [`Rpc`]) of this loop's thread that other threads may name.
    static HERE: RefCell<BTreeMap<u64, Named>> = const { RefCell::new(BTreeMap::new()) };
}

/// Holds what a name stands for, and how other threads reach it.
struct Named {
    rpc: Weak<Rpc>,
    shared: Weak<Shared>,
    remote: Remote,
    inbox: Arc<Room>,
}

fn enlist(rpc: &Rc<Rpc>, remote: Remote) -> u64 {
    let name = NEXT.fetch_add(1, Ordering::Relaxed);
    let shared = rpc.shared();
    let inbox =
        shared.inbox.get_or_init(|| Arc::new(Room::new(MOST_UNDER_WAY, usize::MAX))).clone();
    let (rpc, shared) = (Rc::downgrade(rpc), Rc::downgrade(shared));
    HERE.with_borrow_mut(|here| {
        here.retain(|_, named| named.shared.strong_count() > 0);
        here.insert(name, Named { rpc, shared, remote, inbox });
    });
    name
}

fn find(name: u64) -> Option<Rc<Rpc>> {
    HERE.with_borrow(|here| here.get(&name)?.rpc.upgrade())
}

fn find_shared(name: u64) -> Option<Rc<Shared>> {
    HERE.with_borrow(|here| here.get(&name)?.shared.upgrade())
}

/// Posts what may be refused while the inbox is full.
fn post(remote: &Remote, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    remote.post(move |_| work()).map_err(refused)
}

fn refused(error: PostError) -> Error {
    match error {
        PostError::Full => ErrorKind::Overloaded(Overload::Inbox).into(),
        _ => loop_gone(),
    }
}

fn loop_gone() -> Error {
    ErrorKind::Misuse(Misuse::LoopGone).into()
}
