//! Generated code means the same wherever it lands: among names that hide what Rust declares,
//! traits whose methods come before others, macros called like those of the standard library.

use crate::tools::{check, elsewhere, golden, include};

/// Types, variants and modules in place of the prelude's and of primitive ones.
const TYPES: &str = "
    pub struct Vec { pub x: f32 }
    pub struct Option<'a>(pub &'a ());
    pub enum String { A }
    pub struct Box;
    pub type Result<T> = ::std::result::Result<T, ::std::boxed::Box<dyn ::std::error::Error>>;
    pub enum HostileAnswer { Ok(()), Err(()), Some(()), None }
    pub use HostileAnswer::*;
    pub struct Cow;
    pub struct BTreeMap;
    pub struct BTreeSet;
    pub struct Duration;
    pub struct Error;
    pub struct Endpoint;
    pub mod std {}
    pub mod core {}
    pub mod alloc {}
    pub mod peers_rpc {}
    pub mod wire {}
    pub struct bool; pub struct str; pub type usize = (); pub struct u8; pub struct u16; pub struct u32;
    pub struct u64; pub struct i8; pub struct i16; pub struct i32; pub struct i64; pub trait f64 {}
";

/// Traits in place of the prelude's, all of them implemented for everything.
const TRAITS: [&str; 36] = [
    "Into",
    "From",
    "TryInto",
    "TryFrom",
    "AsRef",
    "AsMut",
    "Sized",
    "Send",
    "Sync",
    "Unpin",
    "Copy",
    "Drop",
    "Fn",
    "FnMut",
    "FnOnce",
    "Iterator",
    "IntoIterator",
    "Extend",
    "DoubleEndedIterator",
    "ExactSizeIterator",
    "FromIterator",
    "Clone",
    "Debug",
    "Display",
    "Default",
    "Eq",
    "Hash",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "ToOwned",
    "ToString",
    "Deref",
    "Encode",
    "Decode",
    "Caller",
];

/// Methods of a trait that everything has, by value and therefore before those which take a
/// reference.
const METHODS: [&str; 40] = [
    "into",
    "from",
    "as_ref",
    "as_mut",
    "read",
    "write",
    "write_str",
    "write_fmt",
    "structure",
    "trailing",
    "variant",
    "unknown_variant",
    "nested",
    "encode",
    "decode",
    "method",
    "plain",
    "event",
    "later",
    "unknown",
    "call",
    "caller",
    "bind",
    "new",
    "deref",
    "deref_mut",
    "clone",
    "fmt",
    "eq",
    "cmp",
    "partial_cmp",
    "hash",
    "default",
    "to_owned",
    "get",
    "put",
    "iter",
    "map",
    "branch",
    "from_residual",
];

/// Macros in place of those of the standard library.
const MACROS: [&str; 17] = [
    "vec",
    "format",
    "matches",
    "write",
    "writeln",
    "print",
    "println",
    "eprintln",
    "panic",
    "assert",
    "assert_eq",
    "debug_assert",
    "todo",
    "unreachable",
    "concat",
    "stringify",
    "format_args",
];

fn traits() -> String {
    let named = |name: &&str| {
        let method = name.to_lowercase();
        format!("pub trait {name} {{ fn {method}_(&self) {{}} }} impl<T> {name} for T {{}}\n")
    };
    TRAITS.iter().map(named).collect()
}

fn methods() -> String {
    let method = |name: &&str| format!("fn {name}(self) where Self: ::std::marker::Sized {{}}\n");
    let methods: String = METHODS.iter().map(method).collect();
    format!("pub trait Hostile {{ {methods} }} impl<T> Hostile for T {{}}\n")
}

fn macros() -> String {
    let named = |name: &&str| {
        format!("macro_rules! {name} {{ ($($any:tt)*) => {{ compile_error!(\"{name}\") }} }}\n")
    };
    MACROS.iter().map(named).collect()
}

/// Lints that are of no interest here.
const QUIET: &str = "#![allow(dead_code, unused, non_camel_case_types)]\n";

/// Each golden file in a module of its own, behind `names`.
fn among(names: &str) -> String {
    let module = |name: String| format!("mod module_{name} {{ {names} {} }}\n", include(&name));
    golden().into_iter().map(module).collect::<String>() + &elsewhere("pub mod")
}

fn compiles(name: &str, text: &str) {
    let text = format!("{QUIET}{text}");
    check(name, "rustc", &["--crate-type", "lib", "--emit", "metadata"], &text);
}

#[test]
fn among_types_named_like_those_of_rust() {
    compiles("hostile_types", &among(TYPES));
}

#[test]
fn among_traits_named_like_those_of_rust() {
    compiles("hostile_traits", &among(&traits()));
}

#[test]
fn among_traits_whose_methods_come_first() {
    compiles("hostile_methods", &among(&methods()));
}

#[test]
fn among_macros_named_like_those_of_rust() {
    compiles("hostile_macros", &(macros() + &among("")));
}

/// Names may also come from elsewhere, all at once.
#[test]
fn among_names_that_a_glob_brings() {
    let all = format!("mod hostile {{ {TYPES} {} {} }}\n", traits(), methods());
    compiles("hostile_globs", &(among("use crate::hostile::*;") + &all));
}

#[test]
fn among_names_of_all_kinds() {
    compiles("hostile_all", &among(&format!("{TYPES} {} {}", traits(), methods())));
}

/// Without anything that Rust brings along.
#[test]
fn without_a_prelude() {
    let text = among("").replace("include!", "::std::include!");
    compiles("hostile_prelude", &format!("#![no_implicit_prelude]\n{text}"));
}

/// At the root of a crate, where names of modules and of crates meet.
#[test]
fn at_the_root_of_a_crate() {
    let names = format!("{TYPES} {} {}", traits(), methods());
    compiles("hostile_root", &format!("{names}\n{}", include("p2p")));
}

/// A crate may be called like an imported file.
#[test]
fn beside_a_crate_named_like_an_import() {
    let arguments =
        ["--crate-type", "lib", "--emit", "metadata", "--extern", "registry=nowhere.rmeta"];
    let text = include("p2p") + "\npub fn same(of: &NodeProxy) -> &NodeProxy { of }\n";
    check("hostile_crate", "rustc", &arguments, &text);
}
