//! Promise: the text form says exactly which value is meant: what was printed reads as the same
//! value, and what is wrong is told by its path and its column.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod kinds;

use kinds::{Random, named, schema, schema_of, value};
use peers_dynamic::{Schema, Typed, Value, parse};
use peers_rpcc::schema::{Kind, Ty};

/// A schema with one field of a type, beside some types to use, and the type of the field.
fn of(ty: &str) -> (std::sync::Arc<Schema>, Ty) {
    let schema = schema_of(&format!(
        "struct holder {{ it: {ty} }}
        struct point {{ x: f64, y: option<f64> }}
        struct nothing {{}}
        enum shape {{ empty, circle(radius: f64), None, True, some(x: u8), last(of: option<u8>) }}
        struct link {{ next: option<link> }}"
    ));
    let holder = schema.type_named("test.holder").unwrap();
    let Kind::Struct(fields) = schema.ty(holder).kind() else { panic!("it is a struct") };
    let ty = fields[0].ty().clone();
    (schema, ty)
}

/// Reads a text and prints it again.
fn again(ty: &str, text: &str) -> String {
    let (schema, ty) = of(ty);
    let value = parse(&schema, &ty, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    Typed::new(&schema, &ty, &value).unwrap().to_string()
}

fn error(ty: &str, text: &str) -> String {
    let (schema, ty) = of(ty);
    parse(&schema, &ty, text).map(|value| panic!("{text} is {value:?}")).unwrap_err().to_string()
}

#[test]
fn what_was_printed_reads_as_the_same_value() {
    let schema = schema();
    for name in ["scalars", "point", "shape", "key", "containers", "options", "tree", "wrong"] {
        let ty = named(&schema, &format!("kinds.{name}"));
        for seed in 1..=800 {
            let mut random = Random::new(seed);
            let depth = 1 + random.below(4);
            let value = value(&schema, &ty, &mut random, depth);
            let text = Typed::new(&schema, &ty, &value).unwrap().to_string();
            assert!(!text.contains(peers_rpc::wire::is_invisible), "{text:?}");
            let read = parse(&schema, &ty, &text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(read, value, "{text}");
        }
    }
}

#[test]
fn no_text_makes_the_parser_panic() {
    let schema = schema();
    const PIECES: [&str; 24] = [
        "(", ")", "[", "]", "{", "}", ",", "=", ":", "'", "b'", "\\x", "\\", "None", "some(",
        "set()", "1", "-", "e", "_", "0x", "é", " ", "tree(",
    ];
    for seed in 1..=3_000 {
        let mut random = Random::new(seed);
        let name = ["containers", "options", "tree", "scalars"][random.below(4)];
        let ty = named(&schema, &format!("kinds.{name}"));
        let made = value(&schema, &ty, &mut random, 3);
        let mut text = Typed::new(&schema, &ty, &made).unwrap().to_string();
        for _ in 0..3 {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[random.below(places.len())];
            text.insert_str(at, PIECES[random.below(PIECES.len())]);
        }
        match parse(&schema, &ty, &text) {
            Ok(value) => drop(Typed::new(&schema, &ty, &value).unwrap().to_string()),
            Err(error) => assert!((1..=text.chars().count() + 1).contains(&error.column)),
        }
    }
}

#[test]
fn truth_values_and_integers() {
    assert_eq!(again("bool", " True "), "True");
    assert_eq!(error("bool", "true"), "column 1: `True` or `False` is expected, not `true`");
    for (text, shown) in [
        ("42", "42"),
        ("0xff", "255"),
        ("1_000", "1000"),
        ("-0", "0"),
        ("+7", "7"),
        ("0o17", "15"),
        ("0b11", "3"),
    ] {
        assert_eq!(again("i32", text), shown);
    }
    assert_eq!(again("i64", "-9223372036854775808"), "-9223372036854775808");
    assert_eq!(again("u64", "18_446_744_073_709_551_615"), "18446744073709551615");
    assert_eq!(error("u8", "256"), "column 1: 256 is no `u8`, which goes from 0 to 255");
    assert_eq!(error("u8", "-1"), "column 1: -1 is no `u8`, which goes from 0 to 255");
    for wrong in ["1__0", "_1", "1_", "007", "0x", "1.0", "1e3", "0xg", "", "'1'"] {
        assert!(error("u32", wrong).contains("a number of type `u32` is expected"), "{wrong}");
    }
}

#[test]
fn floats() {
    for (text, shown) in [
        ("1", "1.0"),
        ("0.1", "0.1"),
        (".5", "0.5"),
        ("5.", "5.0"),
        ("1e100", "1e100"),
        ("-1_0.5e-3", "-0.0105"),
        ("nan", "nan"),
        ("-nan", "nan"),
        ("inf", "inf"),
        ("-inf", "-inf"),
        ("-0.0", "-0.0"),
    ] {
        assert_eq!(again("f64", text), shown);
    }
    assert_eq!(again("f32", "0.1"), "0.1");
    assert_eq!(error("f32", "1e39"), "column 1: 1e39 is too large");
    assert_eq!(error("f64", "1e400"), "column 1: 1e400 is too large");
    for wrong in ["", ".", "e1", "1e", "infinity", "0x1", "1_.0"] {
        assert!(error("f64", wrong).contains("is expected"), "{wrong}");
    }
}

#[test]
fn texts_and_bytes() {
    assert_eq!(again("string", r#""it's""#), r#""it's""#);
    assert_eq!(again("string", r#"'say "it\'s"'"#), r#"'say "it\'s"'"#);
    assert_eq!(again("string", r"'\x41\u0042\U00000043\104\a\0'"), r"'ABCD\x07\x00'");
    assert_eq!(again("string", "'\u{1b}\u{200e}\u{e0041}é'"), r"'\x1b\u200e\U000e0041é'");
    assert_eq!(again("string", "'a\\\nb'"), "'ab'");
    assert_eq!(again("bytes", r"b'\x00a\xff'"), r"b'\x00a\xff'");
    assert_eq!(again("bytes", r#"b"it's""#), r#"b"it's""#);
    assert_eq!(error("string", "'abc"), "column 1: this is never closed");
    assert_eq!(error("string", r"'a\q'"), r"column 3: there is no escape `\q`");
    assert!(error("string", r"'\ud800'").contains("U+D800 is no character"));
    assert!(error("string", r"'\xé'").contains("this escape needs 2 digits"));
    assert!(error("bytes", "b'é'").contains("`é` is no byte"));
    assert!(error("bytes", r"b'\u0041'").contains(r"there is no escape `\u`"));
    assert!(error("bytes", "'a'").contains("is expected"));
    assert!(error("string", "b'a'").contains("a string in quotes is expected"));
}

#[test]
fn lists_sets_tuples_and_maps() {
    assert_eq!(again("list<u8>", "[ 1,2, ]"), "[1, 2]");
    assert_eq!(again("list<string>", "[]"), "[]");
    assert_eq!(again("set<u8>", "{2, 1}"), "{1, 2}");
    assert_eq!(again("set<u8>", "set()"), "set()");
    assert_eq!(again("(u8, string)", "(1, 'a')"), "(1, 'a')");
    assert_eq!(again("map<string, u8>", "{'b': 2, 'a': 1}"), "{'a': 1, 'b': 2}");
    assert_eq!(again("map<string, u8>", "{}"), "{}");
    assert_eq!(again("map<i8, set<u8>>", "{1: set(), -1: {1}}"), "{-1: {1}, 1: set()}");
    assert_eq!(error("set<u8>", "{}"), "column 2: an empty set is written `set()`");
    assert_eq!(error("set<u8>", "{1, 2, 1}"), "column 8: this is in the set already");
    assert_eq!(error("map<u8, u8>", "{1: 2, 1: 3}"), "column 8: this key is in the map already");
    assert_eq!(error("(u8, u8)", "(1)"), "column 2: 2 parts are expected, not 1");
    assert!(error("(u8, u8)", "(1, 2, 3)").contains("`)` behind 2 parts is expected"));
    assert_eq!(error("list<u8>", "[1 2]"), "column 4: `,` or `]` is expected, not `2`");
    assert_eq!(error("list<u8>", "[1"), "column 3: `,` or `]` is expected, not the end");
    assert_eq!(error("u8", "1 2"), "column 3: the end of the text is expected, not `2`");
}

#[test]
fn options_say_which_none_is_meant() {
    assert_eq!(again("option<u32>", "None"), "None");
    assert_eq!(again("option<u32>", "5"), "5");
    for text in ["None", "some(None)", "some(5)"] {
        assert_eq!(again("option<option<u32>>", text), text);
        assert_eq!(again("option<value>", text), text);
    }
    assert_eq!(again("option<option<value>>", "some(some(None))"), "some(some(None))");
    assert!(error("option<option<u32>>", "5").contains("`None` or `some(…)` is expected"));
    assert!(error("option<u32>", "some(5)").contains("a number of type `u32` is expected"));
    // Variants of such names are told from the option's own words.
    assert_eq!(again("option<shape>", "None"), "None");
    assert_eq!(again("option<shape>", "None()"), "None()");
    assert_eq!(again("option<shape>", "some(x=1)"), "some(x=1)");
    assert_eq!(again("option<option<shape>>", "some(some(x=1))"), "some(some(x=1))");
    assert_eq!(again("option<option<shape>>", "some(None())"), "some(None())");
}

#[test]
fn structs_and_enums() {
    assert_eq!(again("point", "point(y=2, x=1)"), "point(x=1.0, y=2.0)");
    assert_eq!(again("point", "point(x=1)"), "point(x=1.0, y=None)");
    assert_eq!(again("nothing", "nothing()"), "nothing()");
    assert_eq!(again("shape", "circle(radius=1)"), "circle(radius=1.0)");
    assert_eq!(again("shape", "empty()"), "empty");
    assert_eq!(again("shape", "None"), "None()");
    assert_eq!(again("shape", "True()"), "True()");
    assert_eq!(again("shape", "last()"), "last(of=None)");
    assert_eq!(error("point", "point(y=1)"), "column 1: `x` is missing");
    assert_eq!(error("point", "point(x=1, x=2)"), "column 12: `x` is there twice");
    assert_eq!(error("point", "point(z=1)"), "column 7: one of `x`, `y` is expected, not `z`");
    assert_eq!(error("point", "dot(x=1)"), "column 1: `point(…)` is expected, not `dot`");
    assert_eq!(
        error("shape", "square"),
        "column 1: a variant of `shape` is expected, not `square`"
    );
    assert_eq!(error("shape", "circle"), "column 7: `(` is expected, not the end");
}

#[test]
fn values_that_say_themselves_what_they_are() {
    for text in [
        "None",
        "True",
        "1",
        "-9223372036854775808",
        "1u",
        "18446744073709551615u",
        "1.0",
        "1e100",
        "nan",
        "-inf",
        "'a'",
        r"b'\xff'",
        "[1, 'a', []]",
        "{1: 2, 1: 3, 'a': {}}",
        "name(f=1)",
        "name()",
        "None()",
        "'a b'('c d'=1, e=2u)",
        "''()",
    ] {
        assert_eq!(again("value", text), text);
    }
    assert_eq!(again("value", "0xff"), "255");
    assert_eq!(again("value", "1e3"), "1000.0");
    let large = error("value", "9223372036854775808");
    assert!(large.contains("write `9223372036854775808u`"), "{large}");
    assert!(error("value", "-1u").contains("-1u is no `u64`"));
    assert!(error("value", "name").contains("a value is expected"));
}

#[test]
fn errors_tell_the_path_and_the_column() {
    assert_eq!(
        error("list<point>", "[point(x=1), point(x='a')]"),
        "column 22: [1].x: a number, `nan` or `inf` is expected, not `'`"
    );
    assert_eq!(
        error("map<string, list<u8>>", "{'é': [1, 300]}"),
        "column 11: [0].value[1]: 300 is no `u8`, which goes from 0 to 255"
    );
    let hidden = error("shape", "\u{1b}[2J");
    assert!(!hidden.contains('\u{1b}'), "{hidden:?}");
}

#[test]
fn depth_is_that_of_the_wire() {
    let links = |n: usize| "link(next=".repeat(n) + "None" + &")".repeat(n);
    // Each link but the innermost holds another in a box.
    assert_eq!(again("link", &links(65)), links(65));
    assert!(error("link", &links(66)).contains("nested deeper than 64"));
    let lists = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert_eq!(again("value", &lists(64)), lists(64));
    assert!(error("value", &lists(65)).contains("nested deeper than 64"));
    assert!(error("value", &lists(100_000)).contains("nested deeper than 64"));
    let (schema, ty) = of("link");
    let deep = (0..64).fold(Value::none(), |link, _| Value::some(Value::Struct(vec![link])));
    assert!(Typed::new(&schema, &ty, &Value::Struct(vec![deep])).is_ok());
}
