//! Promise: one object may serve several interfaces with methods in common on one connection, and
//! what was bound last answers these. Two objects may not: whoever binds the second is told, and so
//! is the peer if nothing is served for that.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Peer, everywhere};
use hands::{BodyProxy, LeftHandProxy, LocalBody, LocalLeftHand, LocalRightHand, RightHandProxy};
use peers_rpc::wire::ByeCode;
use peers_rpc::{
    AlreadyBound, CloseReason, Context, Cx, Endpoint, Error, ErrorKind, Limits, Refusal, Reply,
};

#[allow(clippy::all, unreachable_pub, missing_docs)]
mod hands {
    include!("interfaces/golden/hands.rs");
}

/// It says who it was asked as.
#[derive(Default)]
struct Person {
    touched: Vec<&'static str>,
}

impl LocalBody for Person {
    fn name(&mut self, _: &Context<'_, Self>) -> Result<String, Error> {
        Ok("body".to_owned())
    }

    fn touch(&mut self, _: &Context<'_, Self>) {
        self.touched.push("body");
    }
}

impl LocalLeftHand for Person {
    fn name(&mut self, _: &Context<'_, Self>) -> Result<String, Error> {
        Ok("left".to_owned())
    }

    fn touch(&mut self, _: &Context<'_, Self>) {
        self.touched.push("left");
    }

    fn wave(&mut self, _: &Context<'_, Self>) -> Result<String, Error> {
        Ok("waves".to_owned())
    }
}

impl LocalRightHand for Person {
    fn name(&mut self, _: &Context<'_, Self>, reply: Reply<String>) {
        reply.ok("right".to_owned());
    }

    fn touch(&mut self, _: &Context<'_, Self>) {
        self.touched.push("right");
    }

    fn shake(&mut self, _: &Context<'_, Self>) -> Result<String, Error> {
        Ok("shakes".to_owned())
    }
}

type Bind = fn(&Cx<Person>, &Endpoint) -> Result<(), AlreadyBound>;

/// A server whose objects `bind` binds, a client, and its endpoint.
fn meet(field: &mut Field, bind: Bind) -> (Peer<Person>, Peer, Endpoint) {
    let server = field.peer_serving("server", Limits::default(), Person::default(), bind);
    let client = field.peer("client");
    let endpoint = field.dial(&client, &server).caller().clone();
    (server, client, endpoint)
}

everywhere! {
    fn an_object_serves_two_extensions_of_one_interface(field: &mut Field) {
        let (server, client, endpoint) = meet(field, |cx, endpoint| {
            LocalLeftHand::bind(cx, endpoint)?;
            LocalRightHand::bind(cx, endpoint)
        });
        let left: LeftHandProxy = LeftHandProxy::new(endpoint.clone());
        let right: RightHandProxy = RightHandProxy::new(endpoint);
        left.touch().unwrap();
        assert_eq!(field.outcome(&client, left.wave()).unwrap(), "waves");
        assert_eq!(field.outcome(&client, right.shake()).unwrap(), "shakes");
        assert_eq!(field.outcome(&client, left.name()).unwrap(), "right", "what was bound last");
        assert_eq!(field.outcome(&client, right.name()).unwrap(), "right");
        assert_eq!(server.look(|person| person.touched.clone()), ["right"], "by one of them, once");
    }
}

everywhere! {
    fn whichever_of_them_was_bound_last_answers(field: &mut Field) {
        let orders: [(Bind, &str); 3] = [
            (|cx, at| LocalRightHand::bind(cx, at).and_then(|()| LocalLeftHand::bind(cx, at)), "left"),
            (|cx, at| LocalBody::bind(cx, at).and_then(|()| LocalRightHand::bind(cx, at)), "right"),
            (|cx, at| LocalLeftHand::bind(cx, at).and_then(|()| LocalBody::bind(cx, at)), "body"),
        ];
        for (n, (bind, answers)) in orders.into_iter().enumerate() {
            let name = format!("server{n}");
            let server = field.peer_serving(&name, Limits::default(), Person::default(), bind);
            let client = field.peer(&format!("client{n}"));
            // Two connections, since those that bind the same share what they can.
            for _ in 0..2 {
                let body: BodyProxy = BodyProxy::new(field.dial(&client, &server).caller().clone());
                assert_eq!(field.outcome(&client, body.name()).unwrap(), answers);
            }
        }
    }
}

everywhere! {
    fn two_objects_may_not_share_a_method(field: &mut Field) {
        let (server, client, endpoint) = meet(field, LocalLeftHand::bind);
        let left: LeftHandProxy = LeftHandProxy::new(endpoint.clone());
        assert_eq!(field.outcome(&client, left.name()).unwrap(), "left");
        let other = field.peer_serving("other", Limits::default(), Person::default(), LocalBody::bind);
        let at = server.accepted()[0].clone();
        let error = LocalRightHand::bind(&other.cx(), &at).unwrap_err();
        assert!(error.method.starts_with("hands.body."), "{error}");
        // The first goes on, the second serves nothing here.
        let right: RightHandProxy = RightHandProxy::new(endpoint);
        assert_eq!(field.outcome(&client, left.name()).unwrap(), "left");
        let error = field.outcome(&client, right.shake()).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Refused(Refusal::UnknownMethod("hands.right_hand.shake")));
    }
}

everywhere! {
    fn one_interface_is_bound_once_even_for_one_object(field: &mut Field) {
        let (server, client, endpoint) = meet(field, LocalLeftHand::bind);
        let left: LeftHandProxy = LeftHandProxy::new(endpoint);
        assert_eq!(field.outcome(&client, left.name()).unwrap(), "left");
        let again = LocalLeftHand::bind(&server.cx(), &server.accepted()[0]);
        assert!(again.is_err());
    }
}

everywhere! {
    fn a_peer_whose_objects_cannot_be_bound_is_told(field: &mut Field) {
        let (server, client, endpoint) = meet(field, |cx, endpoint| {
            LocalLeftHand::bind(cx, endpoint)?;
            LocalRightHand::bind(cx, endpoint)?;
            LocalRightHand::bind(cx, endpoint)
        });
        let left: LeftHandProxy = LeftHandProxy::new(endpoint.clone());
        let error = field.outcome(&client, left.wave()).unwrap_err();
        let ErrorKind::Disconnected(CloseReason::PeerBye { code, text }) = error.kind() else {
            panic!("{error}");
        };
        assert_eq!(*code, ByeCode::Internal);
        assert!(text.starts_with("nothing can be served here: hands."), "{text}");
        assert!(text.contains(" is bound on this endpoint already"), "{text}");

        let ended = server.watch(&server.accepted()[0]);
        field.until(|| ended.is_done());
        let reason = ended.take().unwrap();
        let CloseReason::BindFailed(AlreadyBound { method }) = reason else { panic!("{reason}") };
        assert!(text.contains(method), "both are told of the same one");
        assert_eq!(server.rpc().endpoints().len(), 0);
    }
}
