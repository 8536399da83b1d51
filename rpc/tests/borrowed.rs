//! Promise: a `:borrowed` method is lent what arrives and may lend what its object holds, and
//! nobody else can tell: callers get the same answers, exceptions and refusals, from small values
//! and from large ones that travel in memory of their own.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Peer, everywhere};
use peers_rpc::{Caller, Context, Error, ErrorKind, Interface, Limits, Refusal, Reply, wire};
use shelf::{DeepShelfProxy, LocalDeepShelf, LocalShelf, NoSuchKey, Place, ShelfProxy};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The interface that these tests call: see `interfaces/shelf.rpc`.
#[allow(clippy::all, unreachable_pub, dead_code)]
mod shelf {
    include!("interfaces/golden/shelf.rs");
}

/// Large enough to travel in memory of its own.
const LARGE: usize = 1 << 20;

/// Holds what is on a shelf of either kind.
#[derive(Default)]
struct Things {
    texts: BTreeMap<String, String>,
    data: BTreeMap<String, Vec<u8>>,
    words: Vec<String>,
    places: BTreeMap<String, Place>,
}

impl Things {
    fn text(&self, key: &str) -> Result<&str, Error> {
        self.texts.get(key).map(String::as_str).ok_or_else(|| NoSuchKey::new(key).raise())
    }

    fn load(&self, key: &str) -> Result<Cow<'_, [u8]>, Error> {
        let data = self.data.get(key).ok_or_else(|| NoSuchKey::new(key).raise())?;
        Ok(Cow::Borrowed(data))
    }

    fn learn(&mut self, words: &[&str], but: Option<&str>) -> Cow<'_, [String]> {
        let kept = words.iter().filter(|word| Some(**word) != but);
        self.words.extend(kept.map(|word| (*word).to_owned()));
        Cow::Borrowed(&self.words)
    }

    fn keep(&mut self, key: String, text: String) -> &str {
        self.texts.entry(key).insert_entry(text).into_mut()
    }

    fn most(
        &mut self,
        weights: &BTreeMap<&str, u32>,
        among: &BTreeSet<&[u8]>,
        places: Vec<(&str, Place)>,
    ) -> Option<(Cow<'_, str>, Cow<'_, Place>)> {
        self.places.extend(places.into_iter().map(|(key, place)| (key.to_owned(), place)));
        let weights = weights.iter().filter(|(key, _)| among.contains(key.as_bytes()));
        let (key, _) = weights.max_by_key(|(_, weight)| **weight)?;
        let place = self.places.get(*key)?;
        Some((Cow::Owned((*key).to_owned()), Cow::Borrowed(place)))
    }
}

#[derive(Default)]
struct Shelf(Things);

impl LocalShelf for Shelf {
    fn get(&mut self, _: &Context<'_, Self>, key: &str) -> Result<Cow<'_, str>, Error> {
        self.0.text(key).map(Cow::Borrowed)
    }

    fn shout(&mut self, _: &Context<'_, Self>, text: &str) -> Result<Cow<'_, str>, Error> {
        Ok(Cow::Owned(text.to_uppercase()))
    }

    fn turn(&mut self, _: &Context<'_, Self>, data: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Owned(data.iter().rev().copied().collect()))
    }

    fn put(&mut self, _: &Context<'_, Self>, key: &str, data: &[u8]) {
        self.0.data.insert(key.to_owned(), data.to_owned());
    }

    fn load(&mut self, _: &Context<'_, Self>, key: &str) -> Result<Cow<'_, [u8]>, Error> {
        self.0.load(key)
    }

    fn learn(
        &mut self,
        _: &Context<'_, Self>,
        words: Vec<&str>,
        but: Option<&str>,
    ) -> Result<Cow<'_, [String]>, Error> {
        Ok(self.0.learn(&words, but))
    }

    fn most(
        &mut self,
        _: &Context<'_, Self>,
        weights: BTreeMap<&str, u32>,
        among: BTreeSet<&[u8]>,
        places: Vec<(&str, Place)>,
    ) -> Result<Option<(Cow<'_, str>, Cow<'_, Place>)>, Error> {
        Ok(self.0.most(&weights, &among, places))
    }

    fn later(&mut self, cx: &Context<'_, Self>, key: &str, reply: Reply<String>) {
        let key = key.to_owned();
        cx.schedule(move |shelf, _| reply.resume(shelf.0.text(&key).map(str::to_owned)));
    }

    fn keep(&mut self, _: &Context<'_, Self>, key: String, text: String) -> Result<String, Error> {
        Ok(self.0.keep(key, text).to_owned())
    }
}

/// Serves them with the styles turned round.
#[derive(Default)]
struct DeepShelf(Things);

impl LocalDeepShelf for DeepShelf {
    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        self.0.text(&key).map(str::to_owned)
    }

    fn shout(&mut self, cx: &Context<'_, Self>, text: &str, reply: Reply<String>) {
        let loud = text.to_uppercase();
        cx.schedule(move |_, _| reply.ok(loud));
    }

    fn turn(&mut self, _: &Context<'_, Self>, data: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Owned(data.iter().rev().copied().collect()))
    }

    fn put(&mut self, _: &Context<'_, Self>, key: String, data: Vec<u8>) {
        self.0.data.insert(key, data);
    }

    fn load(&mut self, _: &Context<'_, Self>, key: &str) -> Result<Cow<'_, [u8]>, Error> {
        self.0.load(key)
    }

    fn learn(
        &mut self,
        _: &Context<'_, Self>,
        words: Vec<&str>,
        but: Option<&str>,
    ) -> Result<Cow<'_, [String]>, Error> {
        Ok(self.0.learn(&words, but))
    }

    fn most(
        &mut self,
        _: &Context<'_, Self>,
        weights: BTreeMap<&str, u32>,
        among: BTreeSet<&[u8]>,
        places: Vec<(&str, Place)>,
    ) -> Result<Option<(Cow<'_, str>, Cow<'_, Place>)>, Error> {
        Ok(self.0.most(&weights, &among, places))
    }

    fn later(&mut self, _: &Context<'_, Self>, key: &str) -> Result<Cow<'_, str>, Error> {
        self.0.text(key).map(Cow::Borrowed)
    }

    fn keep(
        &mut self,
        _: &Context<'_, Self>,
        key: &str,
        text: &str,
    ) -> Result<Cow<'_, str>, Error> {
        Ok(Cow::Borrowed(self.0.keep(key.to_owned(), text.to_owned())))
    }

    fn all(&mut self, _: &Context<'_, Self>) -> Result<Cow<'_, BTreeMap<String, Vec<u8>>>, Error> {
        Ok(Cow::Borrowed(&self.0.data))
    }
}

/// A client, and two servers that do the same: one with the styles of `shelf`, one with those of
/// `deep_shelf`.
struct Shop {
    client: Peer,
    servers: (Peer<Shelf>, Peer<DeepShelf>),
    plain: ShelfProxy,
    deep: DeepShelfProxy,
}

impl Shop {
    fn new(field: &mut Field) -> Self {
        let client = field.peer("client");
        let limits = Limits::default;
        let plain = field.peer_serving("plain", limits(), Shelf::default(), LocalShelf::bind);
        let deep = field.peer_serving("deep", limits(), DeepShelf::default(), LocalDeepShelf::bind);
        let [to_plain, to_deep] =
            [plain.address(), deep.address()].map(|address| client.rpc().connect(address));
        Self {
            client,
            servers: (plain, deep),
            plain: ShelfProxy::new(to_plain),
            deep: DeepShelfProxy::new(to_deep),
        }
    }

    /// Both, as callers that know only `shelf` see them.
    fn shelves(&self) -> [ShelfProxy; 2] {
        [self.plain.clone(), (*self.deep).clone()]
    }
}

/// Bytes that say where they stand.
fn bytes(seed: usize, size: usize) -> Vec<u8> {
    (0..size).map(|n| ((n >> 8) + n + seed) as u8).collect()
}

everywhere! {
    fn what_is_lent_arrives(field: &mut Field) {
        let shop = Shop::new(field);
        let client = &shop.client;
        for shelf in shop.shelves() {
            assert_eq!(field.outcome(client, shelf.keep("arrakis", "dune")).unwrap(), "dune");
            assert_eq!(field.outcome(client, shelf.get("arrakis")).unwrap(), "dune");
            assert_eq!(field.outcome(client, shelf.later("arrakis")).unwrap(), "dune");
            assert_eq!(field.outcome(client, shelf.shout("spice ß")).unwrap(), "SPICE SS");
            assert_eq!(field.outcome(client, shelf.keep("", "")).unwrap(), "");
            assert_eq!(field.outcome(client, shelf.get("")).unwrap(), "");
        }
    }
}

everywhere! {
    fn so_do_its_parts(field: &mut Field) {
        let shop = Shop::new(field);
        let client = &shop.client;
        let words = ["spice", "worm", "spice", ""].map(str::to_owned);
        let weights = [("worm", 3), ("spice", 7), ("water", 9)];
        let weights = weights.map(|(key, weight)| (key.to_owned(), weight)).into();
        let among = ["worm", "spice", "none"].map(|key| key.as_bytes().to_owned()).into();
        let place = Place { name: "deep desert".to_owned(), x: -1 };
        let places = [("spice".to_owned(), place.clone())];
        for shelf in shop.shelves() {
            let but = Some("spice");
            assert_eq!(field.outcome(client, shelf.learn(&words, but)).unwrap(), ["worm", ""]);
            let all = field.outcome(client, shelf.learn(&words[..1], None)).unwrap();
            assert_eq!(all, ["worm", "", "spice"]);
            assert_eq!(field.outcome(client, shelf.most(&weights, &among, [])).unwrap(), None);
            let most = field.outcome(client, shelf.most(&weights, &among, &places)).unwrap();
            assert_eq!(most, Some(("spice".to_owned(), place.clone())));
        }
    }
}

everywhere! {
    fn exceptions_are_raised_as_ever(field: &mut Field) {
        let shop = Shop::new(field);
        for shelf in shop.shelves() {
            let raised = [
                field.outcome(&shop.client, shelf.get("caladan")).unwrap_err(),
                field.outcome(&shop.client, shelf.later("caladan")).unwrap_err(),
                field.outcome(&shop.client, shelf.load("caladan")).unwrap_err(),
            ];
            for error in raised {
                assert_eq!(error.get::<NoSuchKey>(), Some(NoSuchKey::new("caladan")), "{error}");
            }
        }
    }
}

everywhere! {
    fn large_values_are_lent_like_small_ones(field: &mut Field) {
        field.large_frames();
        let shop = Shop::new(field);
        field.take_time();
        for round in 0..4 {
            for shelf in shop.shelves() {
                let (sent, small) = (bytes(round, LARGE), bytes(round, 5));
                shelf.put("large", &sent).unwrap();
                shelf.put("small", &small).unwrap();
                assert!(field.outcome(&shop.client, shelf.load("large")).unwrap() == sent);
                assert_eq!(field.outcome(&shop.client, shelf.load("small")).unwrap(), small);
                // Alone among the arguments, it is one run of bytes.
                let text = "worm".repeat(LARGE / 4);
                let loud = field.outcome(&shop.client, shelf.shout(&text)).unwrap();
                assert!(loud == text.to_uppercase());
                let turned = field.outcome(&shop.client, shelf.turn(&sent)).unwrap();
                assert!(turned.iter().rev().eq(&sent));
            }
        }
        let all = field.outcome(&shop.client, shop.deep.all()).unwrap();
        let sizes = [("large".to_owned(), LARGE), ("small".to_owned(), 5)];
        assert!(all == sizes.map(|(key, size)| (key, bytes(3, size))).into());
    }
}

everywhere! {
    fn neither_way_out_shows_in_what_arrives(field: &mut Field) {
        field.large_frames();
        let shop = Shop::new(field);
        for shelf in shop.shelves() {
            // Small values leave the short way, others are written like everything else.
            for size in [0, 1, 2047, 2048, 2049, 5000] {
                let sent = bytes(size, size);
                shelf.put("some", &sent).unwrap();
                assert_eq!(field.outcome(&shop.client, shelf.load("some")).unwrap(), sent);
                let text = "w".repeat(size);
                assert_eq!(field.outcome(&shop.client, shelf.keep("some", &text)).unwrap(), text);
                assert_eq!(field.outcome(&shop.client, shelf.get("some")).unwrap(), text);
            }
        }
    }
}

everywhere! {
    fn what_is_too_large_to_be_lent_is_an_error_for_its_caller(field: &mut Field) {
        field.large_frames();
        let mut limits = Limits::default();
        limits.frame = 16 << 10;
        let most = 16 * 1024 - 4; // behind its length
        let shop = Shop::new(field);
        let sparing = field.peer_with("sparing", limits);
        let (plain, deep) = &shop.servers;
        let own = [plain.address(), deep.address()]
            .map(|address| ShelfProxy::new(sparing.rpc().connect(address)));
        for (shelf, own) in shop.shelves().into_iter().zip(own) {
            for (size, fits) in [(most, true), (most + 1, false), (2 * most, false)] {
                shelf.put("some", bytes(size, size)).unwrap();
                field.outcome(&shop.client, shelf.load("some")).unwrap();
                field.outcome(&shop.client, shelf.keep("some", "w".repeat(size))).unwrap();
                let data = field.outcome(&sparing, own.load("some"));
                let text = field.outcome(&sparing, own.get("some"));
                let sizes = [data.map(|data| data.len()), text.map(|text| text.len())];
                for outcome in sizes {
                    match outcome {
                        Ok(received) => assert_eq!((fits, received), (true, size)),
                        Err(error) => {
                            let (size, limit) = (size as u64 + 4, 16 << 10);
                            assert_eq!(error.kind(), &ErrorKind::TooLarge { size, limit });
                            assert!(!fits, "{size} bytes: {error}");
                        }
                    }
                }
            }
            assert_eq!(field.outcome(&sparing, own.shout("on")).unwrap(), "ON");
        }
    }
}

everywhere! {
    fn what_is_no_text_is_refused(field: &mut Field) {
        field.large_frames();
        let shop = Shop::new(field);
        field.take_time();
        let no_text = |size| [vec![b'a'; size], vec![0xff]].concat();
        for shelf in shop.shelves() {
            for size in [3, LARGE, LARGE, LARGE] {
                let shout = &shelf::shelf_methods::SHOUT;
                let call = shelf.caller().call::<String>(shout, (no_text(size),));
                let error = field.outcome(&shop.client, call).unwrap_err();
                let reason = wire::Error::BadUtf8 { offset: 4 + size }.to_string();
                let refused = ErrorKind::Refused(Refusal::BadArguments(reason));
                assert_eq!(error.kind(), &refused);
            }
            assert_eq!(field.outcome(&shop.client, shelf.shout("on")).unwrap(), "ON");
        }
    }
}

#[test]
fn callers_and_tools_see_no_difference() {
    let described = |interface: &Interface| {
        let methods = interface.methods.iter();
        methods.map(|method| (method.id, method.signature)).collect::<BTreeMap<_, _>>()
    };
    let (plain, deep) = (described(&shelf::SHELF), described(&shelf::DEEP_SHELF));
    assert_eq!(plain.len(), 9);
    assert!(plain.iter().all(|(id, signature)| deep.get(id) == Some(signature)));
    let same = |name: &str| {
        let [plain, deep] = [&shelf::SHELF, &shelf::DEEP_SHELF]
            .map(|interface| interface.methods.iter().find(|method| method.rust_name == name));
        std::ptr::eq(*plain.unwrap(), *deep.unwrap())
    };
    assert!(["get", "put", "keep", "load"].into_iter().all(same), "only borrowing differs");
    assert!(!same("shout") && !same("later"), "these became asynchronous, or plain");
}
