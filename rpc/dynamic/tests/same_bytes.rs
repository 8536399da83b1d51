//! Promise: values travel byte for byte as those of generated code do, and what generated code
//! refuses is refused for the same reason.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod kinds;

use kinds::{Random, generated as g, named, schema, schema_of, value};
use peers_dynamic::{Typed, Value, decode};
use peers_rpc::wire::{self, DecodeOwned, Encode, Error, Reader, limits};
use peers_rpcc::Schema;
use peers_rpcc::schema::Ty;

fn read(schema: &Schema, ty: &Ty, bytes: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader::new(bytes);
    let value = decode(schema, ty, &mut reader)?;
    reader.finish()?;
    Ok(value)
}

fn write(schema: &Schema, ty: &Ty, value: &Value) -> Vec<u8> {
    wire::to_vec(&Typed::new(schema, ty, value).unwrap()).unwrap()
}

/// A tree of so many links, whose bytes nobody has checked.
fn links(count: usize) -> Vec<u8> {
    let whole = |next: &[u8]| {
        let fields = [&[0, 0, 0, 1], next, &[0; 9]].concat();
        [&u32::try_from(fields.len()).unwrap().to_be_bytes()[..], &fields].concat()
    };
    (0..count).fold(whole(&[0]), |tree, _| whole(&[&[1], &tree[..]].concat()))
}

/// What generated code makes of bytes, and of what it read from them.
fn by_generated<T: DecodeOwned + Encode>(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    wire::from_slice::<T>(bytes).map(|value| wire::to_vec(&value).unwrap())
}

fn spoil(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = u8::try_from(random.below(4)).unwrap(),
            2 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            3 if at + 4 < bytes.len() => bytes.copy_within(at.., 0),
            _ => bytes.insert(at.min(bytes.len()), u8::try_from(random.below(3)).unwrap()),
        }
    }
}

fn agree<T: DecodeOwned + Encode>(name: &str) {
    let schema = schema();
    let ty = named(&schema, &format!("kinds.{name}"));
    let mut refused = 0;
    for seed in 1..=1_500 {
        let mut random = Random::new(seed);
        let depth = 1 + random.below(4);
        let made = value(&schema, &ty, &mut random, depth);
        let mut bytes = write(&schema, &ty, &made);
        assert_eq!(by_generated::<T>(&bytes).as_ref(), Ok(&bytes), "{name} of {seed}");
        assert_eq!(read(&schema, &ty, &bytes), Ok(made), "{name} of {seed}");
        spoil(&mut bytes, &mut random);
        let expected = by_generated::<T>(&bytes);
        let found = read(&schema, &ty, &bytes).map(|value| write(&schema, &ty, &value));
        refused += usize::from(expected.is_err());
        assert_eq!(found, expected, "{name} of {seed}, spoiled: {bytes:?}");
    }
    assert!(refused > 200, "only {refused} were spoiled");
}

#[test]
fn numbers_and_texts() {
    agree::<g::Scalars>("scalars");
    agree::<g::Point>("point");
}

#[test]
fn enums_and_exceptions() {
    agree::<g::Shape>("shape");
    agree::<g::Key>("key");
    agree::<g::Wrong>("wrong");
}

#[test]
fn lists_sets_and_maps() {
    agree::<g::Containers>("containers");
}

#[test]
fn options_that_may_be_missing() {
    agree::<g::Options>("options");
}

#[test]
fn what_contains_itself() {
    agree::<g::Tree>("tree");
}

#[test]
fn sets_and_maps_are_read_in_any_order_and_written_in_one() {
    let schema = schema_of("struct s { of: set<(u8, i8)>, by: map<u8, u8> }");
    let ty = named(&schema, "test.s");
    let mixed = [0, 0, 0, 20, 0, 0, 0, 3, 2, 0, 1, 255, 1, 0, 0, 0, 0, 2, 9, 1, 3, 2, 0];
    let bytes = [&[0, 0, 0, 18], &mixed[4..22]].concat();
    let value = read(&schema, &ty, &bytes).unwrap();
    let sorted = [0, 0, 0, 18, 0, 0, 0, 3, 1, 255, 1, 0, 2, 0, 0, 0, 0, 2, 3, 2, 9, 1];
    assert_eq!(write(&schema, &ty, &value), sorted);
}

#[test]
fn levels_end_where_those_of_generated_code_do() {
    let schema = schema();
    let ty = named(&schema, "kinds.tree");
    let leaf = |next: Value| {
        Value::Struct(vec![
            Value::Uint(1),
            next,
            Value::none(),
            Value::List(Vec::new()),
            Value::map(Vec::new()).unwrap(),
        ])
    };
    let chain =
        |links: usize| (0..links).fold(leaf(Value::none()), |tree, _| leaf(Value::some(tree)));
    // The list in the innermost is a level, too.
    let deepest = chain(limits::DEPTH as usize - 1);
    let bytes = write(&schema, &ty, &deepest);
    assert_eq!(read(&schema, &ty, &bytes), Ok(deepest));
    assert_eq!(by_generated::<g::Tree>(&bytes).as_ref(), Ok(&bytes));
    for count in 60..=70 {
        let bytes = links(count);
        let found = read(&schema, &ty, &bytes).map(|value| write(&schema, &ty, &value));
        assert_eq!(found, by_generated::<g::Tree>(&bytes), "{count} links");
    }
    let too_deep = read(&schema, &ty, &links(64));
    assert_eq!(too_deep, Err(Error::TooDeep { limit: limits::DEPTH }));
    let misfit = Typed::new(&schema, &ty, &chain(limits::DEPTH as usize)).map(|_| ()).unwrap_err();
    assert!(misfit.to_string().ends_with("nested deeper than 64"), "{misfit}");
}

#[test]
fn four_mebibytes_of_numbers_are_read() {
    let schema = schema_of("struct s { of: list<u16> }");
    let ty = named(&schema, "test.s");
    let numbers = vec![7_u16; 2 << 20];
    let value = Value::Struct(vec![Value::from(numbers)]);
    let bytes = write(&schema, &ty, &value);
    assert_eq!(read(&schema, &ty, &bytes), Ok(value));
}

#[test]
fn what_would_unfold_past_the_budget_is_refused_before_it_is_made() {
    let schema = schema_of("struct s { of: list<option<u8>> }");
    let ty = named(&schema, "test.s");
    let count = 4_u32 << 20;
    let mut bytes = (count + 4).to_be_bytes().to_vec();
    bytes.extend(count.to_be_bytes());
    bytes.resize(bytes.len() + count as usize, 0);
    let refused = read(&schema, &ty, &bytes);
    assert!(matches!(refused, Err(Error::TooMuchMemory { .. })), "{refused:?}");
}

#[test]
fn values_of_another_type_are_told_by_their_path() {
    let schema = schema_of("struct s { rows: list<p> }\nstruct p { x: u8, y: option<string> }");
    let ty = named(&schema, "test.s");
    let row = |x: u64, y: Value| Value::Struct(vec![Value::Uint(x), y]);
    let told = |rows: Vec<Value>| {
        let value = Value::Struct(vec![Value::List(rows)]);
        Typed::new(&schema, &ty, &value).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        told(vec![row(1, Value::none()), row(256, Value::none())]),
        "rows[1].x: 256 is no `u8`, which goes from 0 to 255"
    );
    assert_eq!(
        told(vec![row(1, Value::some(Value::Uint(1)))]),
        "rows[0].y: `string` is expected, not a number without a sign"
    );
    assert_eq!(told(vec![Value::Struct(Vec::new())]), "rows[0]: 2 fields are expected, not 0");
}
