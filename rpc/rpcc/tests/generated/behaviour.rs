//! Tests what generated proxies send and generated dispatchers do with it.

use std::collections::BTreeSet;

use crate::golden::{names, p2p, registry, shared, tree, types};
use crate::stub::{Incoming, Served};
use crate::wire::{self, Reader};
use crate::{Binding, Context, Convention, Cx, Endpoint, Error, Exception, Proxy, Reply};

/// Binds `S` and gives the bound dispatcher a request.
fn serve<S: 'static>(
    state: &mut S,
    bind: impl Fn(&Cx<S>) -> Result<(), crate::AlreadyBound>,
    method: u64,
    arguments: &[u8],
) -> Served {
    let cx = Cx(std::cell::Cell::new(None));
    bind(&cx).expect("methods are in order");
    let serve = cx.0.get().expect("something was bound");
    serve(state, &Context(&cx, &Binding), Incoming { method, arguments })
}

struct Peer {
    log: Vec<String>,
}

impl p2p::LocalP2pNode for Peer {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        self.log.push(format!("put {key} {value}"));
    }

    fn get(&mut self, _: &Context<'_, Self>, key: String, reply: Reply<String>) {
        reply.ok(key + "!");
    }

    fn get_from(
        &mut self,
        _: &Context<'_, Self>,
        key: String,
        visited: Vec<String>,
        reply: Reply<String>,
    ) {
        reply.ok(format!("{key} {visited:?}"));
    }

    fn get_all(&mut self, _: &Context<'_, Self>, key: String, reply: Reply<BTreeSet<String>>) {
        self.log.push(key);
        drop(reply);
    }

    fn get_all_from(
        &mut self,
        _: &Context<'_, Self>,
        _: String,
        visited: Vec<String>,
        reply: Reply<BTreeSet<String>>,
    ) {
        reply.ok(visited.into_iter().collect());
    }

    fn add_peer(&mut self, _: &Context<'_, Self>, id: String) -> Result<String, Error> {
        Err(Error(id))
    }
}

fn peer(method: u64, arguments: &[u8]) -> (Served, Vec<String>) {
    let mut peer = Peer { log: Vec::new() };
    let bind = |cx: &Cx<Peer>| <Peer as p2p::LocalP2pNode>::bind(cx, &Endpoint);
    let served = serve(&mut peer, bind, method, arguments);
    (served, peer.log)
}

#[test]
fn a_client_of_the_base_interface_is_served_by_an_extension() {
    let call = registry::NodeProxy::new(Endpoint).get("arrakis");
    assert_eq!(call.method.name, "registry.node.get");
    let (served, _) = peer(call.method.id, &call.bytes);
    assert_eq!(served, Served::Later(Some(wire::to_bytes(&"arrakis!"))));
}

#[test]
fn a_derived_proxy_calls_inherited_methods() {
    let proxy = p2p::P2pNodeProxy::new(Endpoint);
    assert_eq!(proxy.get("a").method.id, registry::NodeProxy::new(Endpoint).get("a").method.id);
    let call = proxy.get_from("a", ["b".to_string()]);
    let (served, _) = peer(call.method.id, &call.bytes);
    assert_eq!(served, Served::Later(Some(wire::to_bytes(&"a [\"b\"]"))));
}

#[test]
fn each_convention_ends_its_own_way() {
    let proxy: p2p::P2pNodeProxy = Proxy::new(Endpoint);
    let call = proxy.add_peer("me");
    assert_eq!(peer(call.method.id, &call.bytes).0, Served::Plain(Err(Error("me".into()))));
    let put = p2p::P2P_NODE.methods.iter().find(|method| method.rust_name == "put");
    let put = put.expect("it is inherited");
    assert_eq!(put.convention, Convention::Event);
    let (served, log) = peer(put.id, &wire::to_bytes(&("a", "b")));
    assert_eq!((served, log), (Served::Event, vec!["put a b".to_string()]));
    assert_eq!(peer(7, &[]).0, Served::Unknown);
    assert_eq!(peer(put.id, &[0, 0]).0, Served::Bad(wire::Error::Truncated));
}

#[test]
fn an_override_changes_the_description_and_not_the_id() {
    let describe = |interface: &crate::Interface| {
        let method = interface.methods.iter().find(|method| method.rust_name == "get");
        method.map(|method| (method.id, method.convention))
    };
    let (base, derived) = (describe(&registry::NODE), describe(&p2p::P2P_NODE));
    assert_eq!(base.map(|base| base.0), derived.map(|derived| derived.0));
    assert_eq!(base.map(|base| base.1), Some(Convention::Plain));
    assert_eq!(derived.map(|derived| derived.1), Some(Convention::Async));
}

/// Two files that import a third `in` one module have its types, not copies of them.
#[test]
fn what_is_imported_in_a_module_is_of_that_module() {
    fn same<T>(_: &T, _: &T) {}
    same(&registry::NoSuchKey::new("a"), &shared::NoSuchKey::new("a"));
    let keeper = shared::KeeperProxy::new(Endpoint);
    same::<registry::NodeProxy>(&keeper, &registry::NodeProxy::new(Endpoint));
    let basket = shared::Basket {
        wood: tree::Node::default(),
        leaf: Some(tree::Cell { here: true }),
        label: shared::Tag { text: "oak".into(), inner: tree::RightCell { width: 1.5 } },
    };
    assert_eq!(Reader::new(&wire::to_bytes(&basket)).read(), Ok(basket.clone()));
    assert_eq!(keeper.get("a").method.id, registry::NODE.methods[1].id);
    assert_eq!(keeper.keep("a", &basket, Some("note")).method.rust_name, "keep");
    let garden: &tree::GardenProxy = &shared::GardenerProxy::new(Endpoint);
    assert_eq!(garden.count(&tree::LeftCell::default()).method.name, "left.garden.count");
    let ids = |interface: &crate::Interface| {
        interface.methods.iter().map(|method| method.id).collect::<BTreeSet<_>>()
    };
    assert!(ids(&shared::GARDENER).is_superset(&ids(&tree::JUNGLE)));
}

#[test]
fn optional_arguments_are_lent() {
    let keeper = shared::KeeperProxy::new(Endpoint);
    let sent = keeper.weigh(Some(&[]), None, Some(b"ab"), Some(7));
    let owned = (Some(Vec::<shared::Basket>::new()), None::<shared::Basket>);
    let owned = (owned.0, owned.1, Some(b"ab".to_vec()), Some(7_u32));
    assert_eq!(sent.bytes, wire::to_bytes(&owned));
    assert_eq!(keeper.weigh(None, None, None, None).bytes.len(), 4);
}

#[test]
fn exceptions_are_raised_where_it_says_so() {
    let raised = registry::NoSuchKey::new("a").raise();
    assert_eq!(raised, Error(format!("registry.no_such_key:{}: a", line!() - 1)));
    let blocking: registry::BlockingNode = registry::NodeProxy::new(crate::SyncEndpoint);
    assert_eq!(blocking.get("a").method.rust_name, "get");
}

#[test]
fn ids_are_hashes_of_spellings() {
    let hash = |text: &str| {
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    let call = registry::NodeProxy::new(Endpoint).get("");
    assert_eq!(call.method.id, hash("registry.node.get(string)->string"));
    let call = p2p::P2pNodeProxy::new(Endpoint).get_all_from("", Vec::new());
    assert_eq!(call.method.id, hash("p2p.p2p_node.get_all(string,list<string>)->set<string>"));
}

#[test]
fn exceptions_print_their_arguments() {
    assert_eq!(registry::NoSuchKey::new("Muad'Dib").to_string(), "Muad'Dib");
    assert_eq!(registry::NoSuchKey::CLASS, "registry.no_such_key");
    assert_eq!(p2p::NoSuchKey::CLASS, registry::NoSuchKey::CLASS);
    assert_eq!(types::TooLarge::new(3, 2, "less").to_string(), "3, 2, less");
    assert_eq!(types::Busy::new().to_string(), "");
    let place = types::Point { x: 1.0, y: 2.5, label: None };
    let at = types::At::new(place.clone(), [1, 2], wire::Value(0.5), None);
    assert_eq!(at.to_string(), format!("{place:?}, [1, 2], 0.5, None"));
}

#[test]
fn structs_and_enums_come_back_as_they_were() {
    let shape = types::Shape::Line {
        from: types::Point::default(),
        to: types::Point { x: 1.0, y: -1.0, label: Some("b".into()) },
    };
    assert_eq!(Reader::new(&wire::to_bytes(&shape)).read(), Ok(shape));
    let leaf = tree::Node { value: 1, ..tree::Node::default() };
    let node = tree::Node {
        next: Some(Box::new(leaf.clone())),
        children: vec![leaf.clone(), leaf.clone()],
        named: [("a".to_string(), leaf.clone())].into(),
        twin: Some(Box::new((leaf, 2))),
        value: 3,
    };
    assert_eq!(Reader::new(&wire::to_bytes(&node)).read(), Ok(node));
    let answer = names::Answer::NotSure { r: "r".into(), w: 1 };
    assert_eq!(Reader::new(&wire::to_bytes(&answer)).read(), Ok(answer));
}

#[test]
fn unknown_variants_are_errors() {
    let read = Reader::new(&[0, 0, 0, 9]).read::<types::Colour>();
    assert_eq!(read, Err(wire::Error::UnknownVariant("types.colour", 9)));
}

#[test]
fn types_that_contain_themselves_leave_depth_to_the_codec() {
    let within = |node| tree::Node { next: Some(Box::new(node)), ..tree::Node::default() };
    let node = (0..8).fold(tree::Node::default(), |node, _| within(node));
    assert_eq!(Reader::new(&wire::to_bytes(&node)).read(), Ok(node.clone()));
    let bytes = wire::to_bytes(&within(node));
    assert_eq!(Reader::new(&bytes).read::<tree::Node>(), Err(wire::Error::TooDeep));
}

/// Trailing options may be missing in what an older program sends; what a newer one added is
/// skipped.
#[test]
fn structs_grow_at_the_end() {
    let point = types::Point { x: 1.0, y: 2.0, label: Some("here".into()) };
    let bytes = wire::to_bytes(&(&point, 7_u8));
    let mut newer = bytes.clone();
    let end = bytes.len() - 1;
    newer.splice(end..end, [1, 2, 3]);
    newer[3] += 3;
    assert_eq!(Reader::new(&newer).read::<(types::Point, u8)>(), Ok((point, 7)));
    let mut older = bytes[..20].to_vec();
    older[3] = 16;
    older.push(7);
    let read = Reader::new(&older).read::<(types::Point, u8)>();
    assert_eq!(read, Ok((types::Point { x: 1.0, y: 2.0, label: None }, 7)));
}

/// Each interface carries the normal form of its own file, and then of all that this one imports.
#[test]
fn interfaces_carry_the_text_of_their_files() {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = package.join("tests/golden/tree/tree.rpc");
    let schema = peers_rpcc::Compiler::new().schema(file).expect("it compiles");
    let printed = schema.printed();
    let files = tree::FOREST.files;
    assert_eq!(files[0].name, "tree.rpc");
    assert_eq!(files.len(), 3, "it imports two");
    for file in files {
        assert_eq!(file.text, printed[file.name]);
    }
    let names: Vec<_> = p2p::P2P_NODE.files.iter().map(|file| file.name).collect();
    assert_eq!(names, ["p2p.rpc", "registry.rpc"]);
    let names: Vec<_> = registry::NODE.files.iter().map(|file| file.name).collect();
    assert_eq!(names, ["registry.rpc"]);
}
