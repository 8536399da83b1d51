//! Accepting connections: who may, how many, and what is bound on each.

use crate::link::context::LinkContext;
use crate::link::endpoint::Endpoint;
use crate::link::name::{Route, ip};
use crate::link::reject::Farewell;
use crate::link::{Admits, Link};
use crate::security::allow::{Allow, Asked};
use crate::security::{Security, SecurityError};
use crate::session::CloseReason;
use crate::{AlreadyBound, Error, ErrorKind, InsecureBind};
use peers_kernel::{Address, PublicKey, Stream};
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// A place where connections are accepted. Dropping it stops that; connections accepted before live
/// on.
pub struct Listener {
    inner: peers_kernel::Listener,
    context: std::rc::Weak<LinkContext>,
    /// Some iff it is sealed.
    seal: Option<Seal>,
}

/// Holds what a sealed listener proves itself with, and whom it admits.
#[derive(Clone)]
struct Seal {
    own: PublicKey,
    allow: Allow,
}

impl Listener {
    #[track_caller]
    pub(crate) fn open(
        context: &Rc<LinkContext>,
        address: &Address,
        security: Option<Security>,
        accept: impl FnMut(Endpoint) -> Result<(), AlreadyBound> + 'static,
    ) -> Result<Self, Error> {
        let is_private = security.is_none();
        // Before anything is opened: what others can reach needs a word of the program.
        let seal = match security {
            None if !address.is_local() => {
                let refused = InsecureBind { address: address.clone() };
                return Err(ErrorKind::InsecureBind(refused).into());
            }
            None | Some(Security::Insecure) => None,
            Some(Security::Sealed(allow)) => Some(Seal { own: own_key(context, address)?, allow }),
        };
        let address = if seal.is_some() { &address.without_key() } else { address };
        let acceptor = Rc::new(Acceptor {
            context: Rc::downgrade(context),
            farewell: context.farewell.clone(),
            address: RefCell::new(address.clone()),
            is_private,
            seal: seal.clone(),
            accept: RefCell::new(Box::new(accept)),
            last: RefCell::default(),
        });
        let open = acceptor.clone();
        let take = move |stream| open.accept(stream);
        let inner = match is_private {
            true => context.handle.listen_privately(address, take)?,
            false => context.handle.listen(address, take)?,
        };
        if let Some(bytes) = context.limits.socket_buffers {
            inner.set_buffers(bytes)?;
        }
        acceptor.address.replace(inner.address().clone());
        Ok(Self { inner, context: Rc::downgrade(context), seal })
    }

    /// Returns where it listens, as others are to dial it: the address as given, port 0 replaced by
    /// the real one, with the key of this side if it is sealed.
    pub fn address(&self) -> Address {
        let address = self.inner.address();
        self.seal.as_ref().map_or_else(|| address.clone(), |seal| address.with_key(seal.own))
    }

    /// Asks the policy soon, from a task of its own, whether those may stay whom it has let in.
    /// That is done every 15 seconds anyway. Who may not is told that its key is off the list, and
    /// its connection ends. Of no effect unless the listener is [sealed](Security::Sealed).
    pub fn recheck(&self) {
        if let (Some(context), Some(seal)) = (self.context.upgrade(), &self.seal) {
            context.ask_again_soon(&seal.allow);
        }
    }
}

/// Returns the key that is proven to whoever dials the address.
fn own_key(context: &LinkContext, address: &Address) -> Result<PublicKey, Error> {
    let Some(own) = context.own.key() else {
        return Err(ErrorKind::Security(SecurityError::NoIdentity).into());
    };
    match address.key() {
        Some(other) if other != own => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("cannot listen on {address}: our key is {own}"),
        )
        .into()),
        _ => Ok(own),
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
    /// Set iff no policy was stated.
    is_private: bool,
    seal: Option<Seal>,
    accept: RefCell<Accept>,
    /// Holds the route of the last connection: the next one shares what it can.
    last: RefCell<Option<Route>>,
}

impl Acceptor {
    fn accept(self: &Rc<Self>, stream: Stream) {
        let Some(context) = self.context.upgrade().filter(|context| !context.shutdown.ended.get())
        else {
            return self.part(stream, &CloseReason::RpcGone);
        };
        if self.is_private
            && let Some(other) = stream.credentials().filter(|other| !other.is_as_mighty())
        {
            context.counters.borrow_mut().strangers += 1;
            let (at, user) = (self.address.borrow(), other.uid);
            return context.log(format_args!("turned user {user} away, who may not use {at}"));
        }
        let dialler = stream.peer().unwrap_or_else(|_| Address::unix(""));
        // Before a link is made: a crowd must cost less than what it takes the place of.
        if let Some(why) = crowded(&context, &dialler) {
            context.counters.borrow_mut().crowded += 1;
            context.log(format_args!("turned a connection from {dialler} away: {why}"));
            return self.part(stream, &CloseReason::Crowded(why));
        }
        context.counters.borrow_mut().accepted += 1;
        let here = stream.local().unwrap_or_else(|_| self.address.borrow().clone());
        let route = Route::accepted(dialler, here, self.last.borrow().as_ref());
        self.last.replace(Some(route.clone()));
        let link = Link::accepted(&context, route);
        if self.seal.is_none() {
            // Nothing is read before this is over.
            link.attach(stream);
            return self.bind(&link);
        }
        match context.own.accepting(&context.handle) {
            Ok(layer) => {
                let admission: Rc<dyn Admits> = self.clone();
                link.wait_for(Rc::downgrade(&admission));
                link.attach_sealed(stream, layer);
            }
            Err(error) => link.end(CloseReason::Security(error)),
        }
    }

    /// Ends a connection that is not used. Before the proof of a key, nothing is said.
    fn part(&self, stream: Stream, reason: &CloseReason) {
        if self.seal.is_none() {
            self.farewell.say(stream, reason);
        }
    }

    /// Binds objects, before the first request is heard, so that none finds nothing.
    fn bind(&self, link: &Rc<Link>) {
        let mut entrant = Entrant { link, decided: false };
        let bound = (self.accept.borrow_mut())(Endpoint::of(link));
        entrant.decided = true;
        if let Err(error) = bound {
            link.close(CloseReason::BindFailed(error));
        }
    }
}

impl Admits for Acceptor {
    fn admit(&self, link: &Rc<Link>, peer: PublicKey) -> bool {
        let (context, Some(Seal { allow, .. })) = (link.context(), &self.seal) else {
            return false;
        };
        if !context.allows(allow, &peer, Asked::Comes) {
            context.counters.borrow_mut().strangers += 1;
            link.end_soon(CloseReason::Security(SecurityError::Stranger { key: peer }));
            return false;
        }
        // The policy is the program's, and may have ended the connection.
        if !link.is_open() {
            return false;
        }
        link.go_on_with(peer);
        if context.is_crowded_by(&peer) {
            context.counters.borrow_mut().crowded += 1;
            link.close(CloseReason::Crowded("too many with that key"));
            return true;
        }
        context.note_admitted(link, &peer, allow);
        context.survive(|| self.bind(link));
        true
    }
}

/// A connection for which objects are being bound. If that panics, its peer is told that there are
/// none.
struct Entrant<'a> {
    link: &'a Rc<Link>,
    decided: bool,
}

impl Drop for Entrant<'_> {
    fn drop(&mut self) {
        if !self.decided {
            self.link.close(CloseReason::AcceptPanicked);
        }
    }
}

fn is_remote(source: &IpAddr) -> bool {
    !Address::is_local_host(source)
}

/// The time that a connection has before it may have to give its place to another.
const LEAST_TIME: Duration = Duration::from_secs(1);

const SILENT: &str = "too many that have not said hello";

/// Returns why one more connection from there is too many, if it is. If it is because too many have
/// not said hello, the oldest of them ends instead, so that silence locks nobody out.
fn crowded(context: &LinkContext, dialler: &Address) -> Option<&'static str> {
    let limits = &context.limits;
    let links = context.links.borrow();
    if links.len() >= context.connections {
        return Some("too many connections");
    }
    // What runs on this machine shares one address, and is no stranger.
    let source = ip(dialler).filter(is_remote)?;
    let (mut half_open, mut same) = (0, 0);
    let mut oldest: Option<&Rc<Link>> = None;
    for (_, link) in links.iter() {
        let Some(other) = link.source().filter(is_remote) else { continue };
        same += usize::from(other == source);
        if !link.has_met_peer() {
            half_open += 1;
            oldest = oldest.filter(|oldest| oldest.id() < link.id()).or(Some(link));
        }
    }
    if same >= limits.per_source {
        return Some("too many from that address");
    }
    if half_open < limits.half_open {
        return None;
    }
    let oldest = oldest.cloned();
    drop(links);
    let now = context.handle.now();
    let old = |link: &Rc<Link>| {
        link.waits_for_hello_since().is_some_and(|since| now.since(since) > LEAST_TIME)
    };
    let Some(oldest) = oldest.filter(old) else { return Some(SILENT) };
    context.counters.borrow_mut().crowded += 1;
    oldest.close(CloseReason::Crowded(SILENT));
    None
}

#[cfg(test)]
pub(crate) mod counts {
    use super::*;
    use crate::doc::LocalNode;
    use crate::{Context, Limits, Rpc};
    use peers_kernel::{Cont, Handle, Kernel};

    /// An object that has nothing.
    pub(crate) struct Nothing;

    impl LocalNode for Nothing {
        fn put(&mut self, _: &Context<'_, Self>, _: String, _: String) {}
        fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
            Ok(key)
        }
    }

    /// Tells how the endpoint ends, once it has.
    pub(crate) fn ended(handle: &Handle, endpoint: &Endpoint) -> Rc<RefCell<Option<CloseReason>>> {
        let end = Rc::new(RefCell::new(None));
        let slot = end.clone();
        let tell = move |reason: Result<CloseReason, Error>| *slot.borrow_mut() = reason.ok();
        endpoint.on_close(Cont::new(handle, tell));
        end
    }

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
    fn the_oldest_that_is_silent_gives_its_place_to_who_comes() {
        let (mut kernel, rpc) = place(|limits| limits.half_open = 2);
        let count = |rpc: &Rpc| rpc.context().links.borrow().len();
        let from = |n: u32| inet(&format!("192.0.2.{n}"));
        let mut pass = |millis| {
            let end = kernel.handle().now() + Duration::from_millis(millis);
            kernel.run_until(end).expect("nobody panics");
        };
        assert_eq!(come(&rpc, &from(1)), Ok(()));
        pass(600);
        assert_eq!(come(&rpc, &from(2)), Ok(()));
        pass(400);
        assert_eq!(come(&rpc, &from(3)), Err(SILENT), "none has had more than a second");
        pass(1);
        assert_eq!(come(&rpc, &from(3)), Ok(()));
        let sources = rpc.context().all_links().iter().filter_map(|link| link.source()).count();
        assert_eq!((count(&rpc), sources), (2, 2));
        let there = |n: u32| {
            let at = from(n);
            rpc.context().all_links().iter().any(|link| link.source() == ip(&at))
        };
        assert!(!there(1) && there(2) && there(3), "the oldest has gone");
        assert_eq!(come(&rpc, &from(4)), Err(SILENT), "the next has had its second not yet");
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
