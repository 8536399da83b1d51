//! Accepting connections: who may, how many, and what is bound on each.

use crate::api::rpc::Security;
use crate::link::Link;
use crate::link::context::LinkContext;
use crate::link::endpoint::Endpoint;
use crate::link::name::{Route, ip};
use crate::link::reject::Farewell;
use crate::session::CloseReason;
use crate::{AlreadyBound, Error, ErrorKind, InsecureBind};
use peers_kernel::{Address, Stream};
use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

/// A place where connections are accepted. Dropping it stops that; connections accepted before live
/// on.
pub struct Listener {
    inner: peers_kernel::Listener,
}

impl Listener {
    #[track_caller]
    pub(crate) fn open(
        context: &Rc<LinkContext>,
        address: &Address,
        security: Option<Security>,
        accept: impl FnMut(Endpoint) -> Result<(), AlreadyBound> + 'static,
    ) -> Result<Self, Error> {
        // Before anything is opened: what others can reach needs a word of the program.
        if security.is_none() && !address.is_local() {
            let refused = InsecureBind { address: address.clone() };
            return Err(ErrorKind::InsecureBind(refused).into());
        }
        let acceptor = Rc::new(Acceptor {
            context: Rc::downgrade(context),
            farewell: context.farewell.clone(),
            address: RefCell::new(address.clone()),
            accept: RefCell::new(Box::new(accept)),
            last: RefCell::default(),
        });
        let open = acceptor.clone();
        let inner = context.handle.listen(address, move |stream| open.accept(stream))?;
        if let Some(bytes) = context.limits.socket_buffers {
            inner.set_buffers(bytes)?;
        }
        acceptor.address.replace(inner.address().clone());
        Ok(Self { inner })
    }

    /// Returns where it listens: the address as given, port 0 replaced by the real one.
    pub fn address(&self) -> Address {
        self.inner.address().clone()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address()).finish_non_exhaustive()
    }
}

type Accept = Box<dyn FnMut(Endpoint) -> Result<(), AlreadyBound>>;

/// Holds what runs for each connection.
struct Acceptor {
    context: std::rc::Weak<LinkContext>,
    farewell: Rc<Farewell>,
    address: RefCell<Address>,
    accept: RefCell<Accept>,
    /// Holds the route of the last connection: the next one shares what it can.
    last: RefCell<Option<Route>>,
}

impl Acceptor {
    fn accept(&self, stream: Stream) {
        let Some(context) = self.context.upgrade().filter(|context| !context.shutdown.ended.get())
        else {
            return self.farewell.say(stream, &CloseReason::RpcGone);
        };
        let dialler = stream.peer().unwrap_or_else(|_| Address::unix(""));
        // Before a link is made: a crowd must cost less than what it takes the place of.
        if let Some(why) = crowded(&context, &dialler) {
            context.counters.borrow_mut().crowded += 1;
            context.log(format_args!("turned a connection from {dialler} away: {why}"));
            return self.farewell.say(stream, &CloseReason::Crowded(why));
        }
        context.counters.borrow_mut().accepted += 1;
        let here = stream.local().unwrap_or_else(|_| self.address.borrow().clone());
        let route = Route::accepted(dialler, here, self.last.borrow().as_ref());
        self.last.replace(Some(route.clone()));
        let link = Link::accepted(&context, route);
        // Objects are bound before the first byte is read, so that no request finds none.
        let mut entrant = Entrant { link: &link, stream: Some(stream) };
        let bound = (self.accept.borrow_mut())(Endpoint::of(&link));
        match bound {
            Ok(()) => entrant.enter(),
            Err(error) => entrant.leave(CloseReason::BindFailed(error)),
        }
    }
}

/// A connection for which objects are being bound. If that panics, its peer is told that there are
/// none.
struct Entrant<'a> {
    link: &'a Rc<Link>,
    /// Some iff nothing was decided yet.
    stream: Option<Stream>,
}

impl Entrant<'_> {
    fn enter(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.link.attach(stream);
        }
    }

    fn leave(&mut self, reason: CloseReason) {
        if let Some(stream) = self.stream.take() {
            self.link.attach(stream);
            self.link.close(reason);
        }
    }
}

impl Drop for Entrant<'_> {
    fn drop(&mut self) {
        self.leave(CloseReason::AcceptPanicked);
    }
}

fn is_remote(source: &IpAddr) -> bool {
    !source.to_canonical().is_loopback()
}

/// Returns why one more connection from there is too many, if it is.
fn crowded(context: &LinkContext, dialler: &Address) -> Option<&'static str> {
    let limits = &context.limits;
    let links = context.links.borrow();
    if links.len() >= context.connections {
        return Some("too many connections");
    }
    // What runs on this machine shares one address, and is no stranger.
    let source = ip(dialler).filter(is_remote)?;
    let mut half_open = 0;
    let mut same = 0;
    for (_, link) in links.iter() {
        let Some(other) = link.source().filter(is_remote) else { continue };
        half_open += usize::from(!link.has_met_peer());
        same += usize::from(other == source);
    }
    match () {
        () if half_open >= limits.half_open => Some("too many that have not said hello"),
        () if same >= limits.per_source => Some("too many from that address"),
        () => None,
    }
}

#[cfg(test)]
pub(crate) mod counts {
    use super::*;
    use crate::{Limits, Rpc};
    use peers_kernel::Kernel;

    fn inet(host: &str) -> Address {
        Address::inet(host, 1)
    }

    /// Makes a process with small limits; its connections are accepted by [`come`].
    fn place(change: impl FnOnce(&mut Limits)) -> (Kernel, Rpc) {
        let kernel = Kernel::simulated(1);
        let mut limits = Limits::default();
        change(&mut limits);
        let rpc = Rpc::with_limits(&kernel.handle(), limits);
        (kernel, rpc)
    }

    /// Accepts a connection from there, unless it is turned away.
    fn come(rpc: &Rpc, from: &Address) -> Result<(), &'static str> {
        match crowded(rpc.context(), from) {
            Some(why) => Err(why),
            None => {
                Link::accepted(
                    rpc.context(),
                    Route::accepted(from.clone(), inet("192.0.2.100"), None),
                );
                Ok(())
            }
        }
    }

    pub(crate) fn connections_are_counted_whatever_they_are() {
        let (_kernel, rpc) = place(|limits| limits.connections = Some(3));
        rpc.connect("sim:elsewhere");
        assert_eq!(come(&rpc, &Address::unix("/a")), Ok(()));
        assert_eq!(come(&rpc, &inet("127.0.0.1")), Ok(()));
        assert_eq!(come(&rpc, &inet("127.0.0.1")), Err("too many connections"));
    }

    pub(crate) fn one_source_has_only_so_many() {
        let (_kernel, rpc) = place(|limits| limits.per_source = 2);
        for _ in 0..2 {
            assert_eq!(come(&rpc, &inet("192.0.2.1")), Ok(()));
        }
        assert_eq!(come(&rpc, &inet("192.0.2.1")), Err("too many from that address"));
        assert_eq!(come(&rpc, &inet("192.0.2.2")), Ok(()), "another one is not concerned");
    }

    pub(crate) fn only_so_many_may_be_silent() {
        let (_kernel, rpc) = place(|limits| limits.half_open = 2);
        for place in 0..5 {
            rpc.connect(&Address::sim(place.to_string())); // dialled: none of those that count
            assert_eq!(come(&rpc, &inet("127.0.0.1")), Ok(()));
        }
        for n in 1..=2 {
            assert_eq!(come(&rpc, &inet(&format!("192.0.2.{n}"))), Ok(()));
        }
        assert_eq!(come(&rpc, &inet("192.0.2.3")), Err("too many that have not said hello"));
    }

    #[test]
    fn this_machine_may_do_as_it_likes() {
        let (_kernel, rpc) = place(|limits| (limits.half_open, limits.per_source) = (1, 1));
        for host in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost"] {
            for _ in 0..3 {
                assert_eq!(come(&rpc, &inet(host)), Ok(()), "{host}");
            }
        }
        assert_eq!(come(&rpc, &Address::unix("/a")), Ok(()));
        assert_eq!(come(&rpc, &inet("192.0.2.1")), Ok(()));
        assert!(come(&rpc, &inet("192.0.2.1")).is_err());
    }
}
