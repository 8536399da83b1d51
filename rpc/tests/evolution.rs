//! Promise: an interface may grow. Trailing `option` fields of a struct that one side does not know
//! are skipped, those that are not sent are none; new methods disturb nobody; and what really
//! differs is said in words.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, everywhere};
use peers_rpc::{
    AlreadyBound, Context, Cx, Endpoint, Error, ErrorKind, Interface, Limits, Refusal,
};
use peers_rpc::{stub, wire};

/// The first version of the interface.
#[allow(clippy::all, unreachable_pub, dead_code)]
mod old {
    include!("interfaces/golden/old_stock.rs");
}

/// The later version: the struct has two more fields, and there is one method more.
#[allow(clippy::all, unreachable_pub, dead_code)]
mod new {
    include!("interfaces/golden/new_stock.rs");
}

/// Gives back what it was given last.
#[derive(Default)]
struct OldStock(Vec<old::Item>);

impl old::LocalStock for OldStock {
    fn store(&mut self, _: &Context<'_, Self>, item: old::Item) -> Result<old::Item, Error> {
        self.0.push(item.clone());
        Ok(item)
    }
}

#[derive(Default)]
struct NewStock(Vec<new::Item>);

impl new::LocalStock for NewStock {
    fn store(&mut self, _: &Context<'_, Self>, item: new::Item) -> Result<new::Item, Error> {
        self.0.push(item.clone());
        let tags = Some(vec!["stored".to_owned()]);
        Ok(new::Item { colour: Some("red".to_owned()), tags, ..item })
    }

    fn count(&mut self, _: &Context<'_, Self>) -> Result<u32, Error> {
        Ok(u32::try_from(self.0.len()).unwrap())
    }
}

everywhere! {
    fn an_old_client_with_a_new_server(field: &mut Field) {
        let bind = new::LocalStock::bind;
        let server = field.peer_serving("server", Limits::default(), NewStock::default(), bind);
        let client = field.peer("client");
        let stock: old::StockProxy = old::StockProxy::new(client.rpc().connect(server.address()));
        let item = old::Item { name: "spice".into(), count: 7 };
        let back = field.outcome(&client, stock.store(&item)).unwrap();
        assert_eq!(back, item, "what it does not know was skipped");
        let stored = server.look(|stock| stock.0.clone());
        let expected = new::Item { name: "spice".into(), count: 7, colour: None, tags: None };
        assert_eq!(stored, [expected], "what was not sent is none");
    }
}

everywhere! {
    fn a_new_client_with_an_old_server(field: &mut Field) {
        let bind = old::LocalStock::bind;
        let server = field.peer_serving("server", Limits::default(), OldStock::default(), bind);
        let client = field.peer("client");
        let stock: new::StockProxy = new::StockProxy::new(client.rpc().connect(server.address()));
        let tags = Some(vec!["from Arrakis".to_owned()]);
        let item = new::Item { name: "spice".into(), count: 7, colour: Some("red".into()), tags };
        let back = field.outcome(&client, stock.store(&item)).unwrap();
        assert_eq!(back, new::Item { colour: None, tags: None, ..item });
        assert_eq!(server.look(|stock| stock.0.clone()), [old::Item { name: "spice".into(), count: 7 }]);

        let error = field.outcome(&client, stock.count()).unwrap_err();
        let refusal = Refusal::UnknownMethod("stock.stock.count");
        assert_eq!(error.kind(), &ErrorKind::Refused(refusal));
        let again = field.outcome(&client, stock.store(&back)).unwrap();
        assert_eq!(again, back, "and everything else goes on");
    }
}

#[test]
fn versions_agree_about_the_ids_of_what_they_share() {
    let shared: Vec<u64> = old::STOCK.methods.iter().map(|method| method.id).collect();
    assert!(shared.iter().all(|id| new::STOCK.method(*id).is_some()));
    assert_eq!((old::STOCK.methods.len(), new::STOCK.methods.len()), (1, 2));
}

// ---- what really differs

/// Takes a number where the interface says a struct, and answers with one.
static LIAR: Interface =
    Interface::new("liar", &[&new::stock_methods::STORE, &new::stock_methods::COUNT]);

fn lie(_: &mut (), _: &Context<'_, ()>, call: stub::Incoming<'_>) -> stub::Served {
    match call.method() {
        new::stock_ids::STORE => call.plain(|(_,): (u8,)| Ok(0_u8)),
        _ => call.plain(|(): ()| Ok("three")),
    }
}

fn bind_liar(cx: &Cx<()>, endpoint: &Endpoint) -> Result<(), AlreadyBound> {
    endpoint.bind(cx, &LIAR, lie)
}

everywhere! {
    fn arguments_that_do_not_decode_are_refused_with_the_reason(field: &mut Field) {
        let server = field.peer_serving("server", Limits::default(), (), bind_liar);
        let client = field.peer("client");
        let stock: new::StockProxy = new::StockProxy::new(client.rpc().connect(server.address()));
        let error = field.outcome(&client, stock.store(&new::Item::default())).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused(Refusal::BadArguments(_))), "{error}");
        assert!(error.is_unexecuted());
    }
}

everywhere! {
    fn a_reply_that_does_not_decode_is_named(field: &mut Field) {
        let server = field.peer_serving("server", Limits::default(), (), bind_liar);
        let client = field.peer("client");
        let stock: new::StockProxy = new::StockProxy::new(client.rpc().connect(server.address()));
        let error = field.outcome(&client, stock.count()).unwrap_err();
        let ErrorKind::BadReply { method, expected, .. } = error.kind() else { panic!("{error}") };
        assert_eq!((*method, *expected), ("stock.stock.count", "u32"));
        let error = field.outcome(&client, stock.count()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadReply { .. }), "the connection lives on: {error}");
    }
}

#[test]
fn a_field_that_is_required_may_not_be_missing() {
    let short = wire::to_vec(&("spice".to_owned(),)).unwrap();
    assert!(wire::from_slice::<old::Item>(&short).is_err());
}
