//! Dialling: what an address asks for, and who must be there.

use crate::interface::address::ToAddress;
use crate::link::Link;
use crate::link::context::LinkContext;
use crate::link::endpoint::Endpoint;
use crate::session::CloseReason;
use peers_kernel::{Address, Cause, Cont};
use std::fmt;
use std::io;
use std::rc::Rc;

/// Dials without owning: for handlers, which must not hold the `Rpc` that holds them.
#[derive(Clone)]
pub struct Dialler {
    context: std::rc::Weak<LinkContext>,
}

impl Dialler {
    pub(super) fn of(context: &Rc<LinkContext>) -> Self {
        Self { context: Rc::downgrade(context) }
    }

    /// Dials, as [`Rpc::connect`](crate::Rpc::connect) does; `None` if the `Rpc` is gone or
    /// closing.
    pub fn connect(&self, address: impl ToAddress) -> Option<Endpoint> {
        let context = self.context.upgrade()?;
        let over = context.shutdown.has_begun();
        (!over).then(|| connect(&context, &address))
    }
}

pub(super) fn connect(context: &Rc<LinkContext>, named: &dyn ToAddress) -> Endpoint {
    match named.to_address() {
        Ok(address) => dial(context, &address),
        Err(error) => {
            let link = Link::dialled(context, &Address::unix(""));
            let (address, text) = (named.as_written(), error.to_string());
            let kind = io::ErrorKind::InvalidInput;
            link.end(CloseReason::ConnectFailed { address, kind, text });
            Endpoint::of(&link)
        }
    }
}

fn dial(context: &Rc<LinkContext>, address: &Address) -> Endpoint {
    let link = Link::dialled(context, address);
    let endpoint = Endpoint::of(&link);
    if context.shutdown.has_begun() {
        link.end(CloseReason::RpcGone);
        return endpoint;
    }
    if let Err(refused) = context.own.may_dial(address) {
        link.end(CloseReason::Security(refused));
        return endpoint;
    }
    // Weak: a dial that takes long keeps no process alive. Whoever is reached then is told.
    let (weak, to, farewell) = (Rc::downgrade(&link), address.clone(), context.farewell.clone());
    context.handle.with_cause(Cause::NONE, || {
        let k = Cont::new(&context.handle, move |result: io::Result<_>| {
            match (weak.upgrade(), result) {
                (Some(link), result) => link.dialled_to(&to, result),
                // Who was to be there was not asked to prove it: then nothing is said.
                (None, Ok(stream)) if to.key().is_none() => {
                    farewell.say(stream, &CloseReason::Local);
                }
                (None, _) => {}
            }
        });
        context.handle.connect_within(&address.without_key(), context.limits.connect, k);
    });
    endpoint
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialler").finish_non_exhaustive()
    }
}
