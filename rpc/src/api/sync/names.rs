//! Names that other threads hold of a process and its loop, and the way there.

use crate::api::rpc::Rpc;
use crate::interface::error::{Misuse, Overload};
use crate::link::context::LinkContext;
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
    pub(super) static HERE: RefCell<BTreeMap<u64, Named>> = const { RefCell::new(BTreeMap::new()) };
}

/// Holds what a name stands for, and how other threads reach it.
pub(super) struct Named {
    pub(super) rpc: Weak<Rpc>,
    pub(super) context: Weak<LinkContext>,
    pub(super) remote: Remote,
    pub(super) inbox: Arc<Room>,
}

pub(super) fn enlist(rpc: &Rc<Rpc>, remote: Remote) -> u64 {
    let name = NEXT.fetch_add(1, Ordering::Relaxed);
    let context = rpc.context();
    let inbox =
        context.inbox.get_or_init(|| Arc::new(Room::new(MOST_UNDER_WAY, usize::MAX))).clone();
    let (rpc, context) = (Rc::downgrade(rpc), Rc::downgrade(context));
    HERE.with_borrow_mut(|here| {
        here.retain(|_, named| named.context.strong_count() > 0);
        here.insert(name, Named { rpc, context, remote, inbox });
    });
    name
}

pub(super) fn find(name: u64) -> Option<Rc<Rpc>> {
    HERE.with_borrow(|here| here.get(&name)?.rpc.upgrade())
}

pub(super) fn find_context(name: u64) -> Option<Rc<LinkContext>> {
    HERE.with_borrow(|here| here.get(&name)?.context.upgrade())
}

/// Posts what may be refused while the inbox is full.
pub(super) fn post(remote: &Remote, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    remote.post(move |_| work()).map_err(refused)
}

pub(super) fn refused(error: PostError) -> Error {
    match error {
        PostError::Full => ErrorKind::Overloaded(Overload::Inbox).into(),
        _ => loop_gone(),
    }
}

pub(super) fn loop_gone() -> Error {
    ErrorKind::Misuse(Misuse::LoopGone).into()
}
