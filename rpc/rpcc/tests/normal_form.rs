//! Promise: a schema prints each file in one way, which means the same as what was read: the same
//! ids, nothing changed, and printing it again gives the same text.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use peers_rpcc::schema::{Convention, Kind, Ty};
use peers_rpcc::{Compiler, Schema};

mod difference;
mod random_files;

use difference::assert_same;

fn schema_of(files: &BTreeMap<String, String>, root: &str) -> Schema {
    let load = |path: &Path| {
        let name = path.to_string_lossy();
        files.get(name.as_ref()).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    Compiler::with_loader(load).schema(root).unwrap_or_else(|errors| panic!("{errors}\n{files:#?}"))
}

/// Checks all that the normal form promises.
fn holds(schema: &Schema) {
    let printed = schema.printed();
    let root = schema.file(schema.root()).name();
    let again = schema_of(&printed, &root);
    for (name, text) in again.printed() {
        assert_same(&printed[&name], &text, "what was printed and is printed again");
    }
    assert_eq!(again.method_ids(), schema.method_ids());
    assert_eq!(Schema::compare(schema, &again), []);
    assert_eq!(Schema::compare(&again, schema), []);
}

fn text(root: &str) -> Schema {
    let file = BTreeMap::from([("test.rpc".to_owned(), root.to_owned())]);
    schema_of(&file, "test.rpc")
}

fn printed(schema: &Schema) -> String {
    schema.print(schema.root())
}

/// All interface files below a folder, but those that are wrong on purpose.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "bad" {
            files_below(&path, found);
        } else if name.ends_with(".rpc") {
            found.push(path);
        }
    }
}

#[test]
fn every_interface_file_of_the_tree_has_one() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A package that was unpacked stands alone.
    let tree = package.join("../..");
    let whole = tree.join("apps").is_dir();
    let mut files = Vec::new();
    files_below(if whole { &tree } else { package }, &mut files);
    files.sort();
    let mut count = 0;
    for file in files {
        // Some are halves of a test about files that do not fit each other.
        let Ok(schema) = Compiler::new().schema(&file) else { continue };
        holds(&schema);
        count += 1;
    }
    assert!(count >= 30, "only {count} were found");
}

#[test]
fn generated_files_have_one() {
    for seed in 1..=150 {
        let files = random_files::files(seed);
        let schema = schema_of(&files, "root.rpc");
        holds(&schema);
    }
}

#[test]
fn it_is_spelled_in_one_way() {
    let read = r#"
        // A comment.
        exception busy()
        /// Where.
        ///   And how far.
        struct point { /// Left to right.
            x: f64; y: f64 /* down */ }
        struct nothing {}
        enum shape { empty(), circle(center: point, /// In metres.
            radius: f64) }
        interface node {
            /// Maps.
            put(key: string, value: bytes) :event :borrowed
            get( key : string )->option<list<u8>> :throws busy :timeout 90s
            get(key: string, n: map<u8,(bool,value)>) -> point :name get_n :deprecated "say \"get\" \\ no" :async
            all() :timeout 0 :name all
        }
    "#;
    let expected = r#"exception busy

/// Where.
///   And how far.
struct point {
    /// Left to right.
    x: f64
    y: f64
}

struct nothing {}

enum shape {
    empty
    circle(
        center: point,
        /// In metres.
        radius: f64,
    )
}

interface node {
    /// Maps.
    put(key: string, value: bytes) :event
    get(key: string) -> option<list<u8>> :timeout 90s :throws busy
    get(key: string, n: map<u8, (bool, value)>) -> point :async :name get_n :deprecated "say \"get\" \\ no"
    all() :timeout 0
}
"#;
    let schema = text(read);
    assert_same(expected, &printed(&schema), "the normal form");
    holds(&schema);
}

#[test]
fn imports_lose_their_folders_and_names_gain_their_files() {
    let files = BTreeMap::from([
        ("a/root.rpc".to_owned(), ROOT.to_owned()),
        ("b/registry.rpc".to_owned(), REGISTRY.to_owned()),
    ]);
    let schema = schema_of(&files, "a/root.rpc");
    let expected = r#"import "registry.rpc"

interface plus extends registry.node {
    override get(string) :async
    find(keys: set<registry.key>) -> registry.key :throws registry.no_such
}

interface less extends plus {
    override get(string)
}

interface same extends registry.node {}
"#;
    assert_same(expected, &printed(&schema), "the normal form");
    holds(&schema);
}

const ROOT: &str = r#"
import "../b/registry.rpc" in peers_registry::wire
interface plus extends node {
    find(keys: set<key>) -> key :throws no_such
    override get(string) :async :borrowed
}
interface less extends plus { override get(a: string) -> registry.key }
interface same extends registry.node { override put :borrowed }
"#;

const REGISTRY: &str = "
exception no_such
struct key { text: string }
interface node {
    put(key: key, text: string) :event
    get(text: string) -> key
    get(text: string, more: string) -> key :name get_more
}
";

#[test]
fn time_outs_keep_their_length() {
    for (said, shown) in [
        ("1ms", "1ms"),
        ("1.5s", "1500ms"),
        ("60s", "1m"),
        ("90m", "90m"),
        ("2h", "2h"),
        ("0.1s", "100ms"),
        ("0", "0"),
    ] {
        let schema = text(&format!("interface a {{ b() :timeout {said} }}"));
        assert!(printed(&schema).contains(&format!(":timeout {shown}\n")), "{}", printed(&schema));
        holds(&schema);
    }
}

#[test]
fn a_schema_tells_what_it_was_made_of() {
    let files = BTreeMap::from([
        ("root.rpc".to_owned(), ROOT.replace("../b/", "")),
        ("registry.rpc".to_owned(), REGISTRY.to_owned()),
    ]);
    let schema = schema_of(&files, "root.rpc");
    let plus = schema.interface_named("root.plus").expect("it is declared");
    let base = schema.interface(plus).base().expect("it extends another");
    assert_eq!(schema.interface_name(base), "registry.node");
    let methods: Vec<_> = schema.interface(plus).methods().collect();
    let shown = methods.iter().map(|(id, convention)| (schema.method_name(*id), *convention));
    let shown: Vec<_> = shown.collect();
    assert_eq!(
        shown,
        [
            ("registry.node.put".to_owned(), Convention::Event),
            ("registry.node.get".to_owned(), Convention::Async),
            ("registry.node.get".to_owned(), Convention::Plain),
            ("root.plus.find".to_owned(), Convention::Plain),
        ]
    );
    assert_eq!(schema.method(methods[2].0).rust_name(), "get_more");
    assert_eq!(schema.canonical(methods[1].0), "registry.node.get(string)->key");
    let key = schema.type_named("registry.key").expect("it is declared");
    assert!(matches!(schema.ty(key).kind(), Kind::Struct(fields) if fields[0].name() == "text"));
    let find = schema.method(methods[3].0);
    assert_eq!(find.result(), Some(&Ty::Named(key)));
    assert_eq!(schema.type_name(find.throws()[0]), "registry.no_such");
    let reached: Vec<_> =
        schema.reached(schema.root()).into_iter().map(|id| schema.file(id).name()).collect();
    assert_eq!(reached, ["root.rpc", "registry.rpc"]);
    assert_eq!(schema.reached(schema.interface(base).file()).len(), 1);
    assert!(schema.type_named("registry.node").is_none() && schema.type_named("key").is_none());
}

#[test]
fn two_schemas_are_compared_as_check_does() {
    let before = text("interface a { b() -> u8 }");
    let after = text("interface a { b() -> u16 }");
    let told: Vec<_> = Schema::compare(&before, &after).iter().map(ToString::to_string).collect();
    assert_eq!(told, ["incompatible: `b() -> u8` of `test.a` became `b() -> u16`"]);
}
