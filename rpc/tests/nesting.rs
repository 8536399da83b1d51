//! Promise: a value of a type that contains itself may be 64 levels deep and no deeper, whichever
//! way it contains itself, both written and read. Levels are lists, sets, maps, records of
//! self-describing values, and options that lead back.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use std::fmt::Debug;

use nests::{
    Atlas, Deep, Even, Herd, Holder, Keyed, Link, Odd, Pair, Perhaps, Sparse, Term, Tree, Twice,
};
use peers_rpc::wire::{self, Decode, Encode, Error, Value, from_slice, limits, to_vec};

#[allow(unreachable_pub, reason = "generated code does not know where it is included")]
mod nests {
    include!("interfaces/golden/nests.rs");
}

const LIMIT: usize = limits::DEPTH as usize;

/// Checks that `leaf`, which has `own` levels, can be put into itself until it has as many as are
/// allowed, and once more only by other programs, whose bytes are then refused. `spell` does with
/// bytes what `wrap` does with values.
fn bounded<T>(own: usize, leaf: T, wrap: impl Fn(T) -> T, spell: impl Fn(Vec<u8>) -> Vec<u8>)
where
    T: for<'a> Decode<'a> + Encode + Clone + Debug + PartialEq,
{
    let too_deep = Error::TooDeep { limit: limits::DEPTH };
    let mut bytes = to_vec(&leaf).unwrap();
    let mut value = leaf;
    for level in own..LIMIT {
        value = wrap(value);
        bytes = spell(bytes);
        assert_eq!(to_vec(&value).as_ref(), Ok(&bytes), "written, level {}", level + 1);
        assert_eq!(from_slice::<T>(&bytes).as_ref(), Ok(&value), "read, level {}", level + 1);
    }
    assert_eq!(to_vec(&wrap(value)), Err(too_deep.clone()), "written, one beyond");
    assert_eq!(from_slice::<T>(&spell(bytes)), Err(too_deep), "read, one beyond");
}

/// A structure whose only field is spelled as `head` and `bytes`.
fn structure(head: &[u8], bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(head.len() + bytes.len()).unwrap();
    [&length.to_be_bytes(), head, bytes].concat()
}

const ONE: [u8; 4] = 1u32.to_be_bytes();

#[test]
fn options_that_lead_back_are_levels() {
    let link = |inner| Link { next: Some(Box::new(inner)) };
    bounded(0, Link { next: None }, link, |inner| structure(&[1], &inner));
    let pair = |inner| Pair { next: Some(Box::new((7, inner))) };
    bounded(0, Pair { next: None }, pair, |inner| structure(&[1, 7], &inner));
}

#[test]
fn options_in_each_other_are_one_level() {
    let twice = |inner| Twice { next: Some(Some(Box::new(inner))) };
    bounded(0, Twice { next: Some(None) }, twice, |inner| structure(&[1, 1], &inner));
}

/// Each of two types that contain each other is a level.
#[test]
fn types_that_contain_each_other_are_levels() {
    let even = |levels: usize| {
        let mut value = Even { odd: None };
        for _ in 0..levels / 2 {
            value = Even { odd: Some(Box::new(Odd { even: Some(Box::new(value)) })) };
        }
        value
    };
    let allowed = even(LIMIT);
    assert_eq!(from_slice(&to_vec(&allowed).unwrap()), Ok(allowed.clone()));
    let beyond = Odd { even: Some(Box::new(allowed.clone())) };
    assert_eq!(to_vec(&beyond), Err(Error::TooDeep { limit: limits::DEPTH }));
    let beyond = structure(&[1], &to_vec(&allowed).unwrap());
    assert_eq!(from_slice::<Odd>(&beyond), Err(Error::TooDeep { limit: limits::DEPTH }));
}

#[test]
fn lists_sets_and_maps_are_levels() {
    let list = |inner| Tree { kids: vec![inner] };
    bounded(1, Tree { kids: Vec::new() }, list, |inner| structure(&ONE, &inner));
    let set = |inner| Herd { members: [inner].into() };
    bounded(1, Herd::default(), set, |inner| structure(&ONE, &inner));
    let value = |inner| Atlas { pages: [(9, inner)].into() };
    bounded(1, Atlas::default(), value, |inner| structure(&[0, 0, 0, 1, 9], &inner));
    let key = |inner| Keyed { names: [(inner, 9)].into() };
    bounded(1, Keyed::default(), key, |inner| structure(&ONE, &[&inner[..], &[9]].concat()));
}

/// The list between makes the level; the option beside it, which needs no box, makes none.
#[test]
fn lists_and_options_together_are_one_level() {
    let sparse = |inner| Sparse { kids: vec![Some(inner)] };
    bounded(1, Sparse::default(), sparse, |inner| structure(&[0, 0, 0, 1, 1], &inner));
    let perhaps = |inner| Perhaps { kids: Some(vec![inner]) };
    bounded(0, Perhaps::default(), perhaps, |inner| structure(&[1, 0, 0, 0, 1], &inner));
}

#[test]
fn enums_as_such_are_no_levels() {
    let not = |inner| Term::Not { of: Some(Box::new(inner)) };
    bounded(0, Term::Unknown, not, |inner| [&[0, 0, 0, 1, 1][..], &inner].concat());
    let all = |inner| Term::All { of: vec![inner] };
    bounded(0, Term::Unknown, all, |inner| [&[0, 0, 0, 2, 0, 0, 0, 1][..], &inner].concat());
}

/// What describes itself has as many levels as are left where it stands.
#[test]
fn values_in_types_share_their_levels() {
    let lists = |levels| (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let leaf = Holder { next: None, of: lists(LIMIT / 2) };
    let wrap = |inner| Holder { next: Some(Box::new(inner)), of: Value::Null };
    bounded(LIMIT / 2, leaf, wrap, |inner| structure(&[1], &[&inner[..], &[0]].concat()));
}

/// An exception is a value like others: it reaches its catcher with 64 levels.
#[test]
fn exceptions_are_as_deep_as_values() {
    let link =
        (0..LIMIT).fold(Link { next: None }, |inner, _| Link { next: Some(Box::new(inner)) });
    let deep = Deep::new(link);
    assert_eq!(wire::from_slice(&wire::to_vec(&deep).unwrap()), Ok(deep.clone()));
    let beyond = Deep::new(Link { next: Some(Box::new(deep.r#where)) });
    assert_eq!(wire::to_vec(&beyond), Err(Error::TooDeep { limit: limits::DEPTH }));
}
