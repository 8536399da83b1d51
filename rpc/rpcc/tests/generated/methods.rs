//! Each method that compiles can be called, on a proxy and on a reference to one, whether declared
//! or inherited; the names that could not are refused.

use std::io;
use std::path::Path;

use peers_rpcc::{Compiler, Diagnostics, Output};

use crate::tools::check;

/// Methods of `std` that every proxy has.
const REFUSED: [&str; 13] = [
    "borrow",
    "borrow_mut",
    "clone",
    "clone_from",
    "clone_into",
    "clone_to_uninit",
    "deref",
    "deref_mut",
    "fmt",
    "into",
    "to_owned",
    "try_into",
    "type_id",
];

/// Lists what generated code declares itself.
const HELPERS: [&str; 3] = ["new", "caller", "bind"];

/// Other names that mean something in Rust, or in generated code.
const CALLABLE: [&str; 55] = [
    "add",
    "arguments",
    "as_mut",
    "as_ref",
    "base",
    "by_ref",
    "call",
    "cmp",
    "collect",
    "count",
    "default",
    "drop",
    "eq",
    "error",
    "event",
    "extend",
    "filter",
    "forget",
    "from",
    "ge",
    "get",
    "hash",
    "index",
    "into_iter",
    "iter",
    "lt",
    "map",
    "max",
    "method",
    "min",
    "name",
    "ne",
    "neg",
    "next",
    "not",
    "or",
    "partial_cmp",
    "put",
    "raise",
    "read",
    "reply",
    "send",
    "serve",
    "size_of",
    "source",
    "state",
    "take",
    "then",
    "to_string",
    "try_from",
    "type",
    "unwrap",
    "wait",
    "within",
    "write",
];

/// Traits whose methods come into question.
const TRAITS: &str = "use std::any::Any; use std::borrow::{Borrow, BorrowMut, ToOwned}; use std::cmp::{Eq, Ord, PartialEq};\n\
    use std::fmt::{Debug, Display, Write}; use std::hash::{Hash, Hasher}; use std::io::{Read, Seek};\n\
    use std::iter::{Extend, Iterator, Sum}; use std::ops::{Add, Deref, DerefMut, Index, Neg, Not};\n";

fn compile(text: &str) -> Result<Output, Diagnostics> {
    Compiler::with_loader(|path: &Path| match path.to_str() {
        Some("methods.rpc") => Ok(text.into()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    })
    .compile("methods.rpc")
}

#[test]
fn what_could_not_be_called_is_refused_with_a_hint() {
    for name in REFUSED.into_iter().chain(HELPERS) {
        let errors = compile(&format!("interface a {{ {name}(x: string) -> u8 }}"))
            .expect_err(&format!("`{name}` is accepted"));
        let error = errors.iter().next().expect("there is one");
        assert!(error.message.contains(name), "{}", error.message);
        assert_eq!(error.help, Some("give it another Rust name with `:name`"), "{name}");
        let named = format!("interface a {{ {name}(x: string) -> u8 :name other }}");
        assert!(compile(&named).is_ok(), "{name}");
        let chosen = format!("interface a {{ other(x: string) -> u8 :name {name} }}");
        assert!(compile(&chosen).is_err(), "{name}");
    }
}

#[test]
fn what_is_accepted_can_be_called() {
    let methods = CALLABLE.map(|name| format!("{name}(x: string) -> u8\n")).concat();
    let text = format!(
        "interface base {{ {methods} }}\ninterface derived extends base {{ more() }}\n\
         interface farther extends derived {{ most() }}"
    );
    let rust = compile(&text).unwrap_or_else(|errors| panic!("{errors}")).rust;
    let calls = CALLABLE.map(|name| format!("drop(proxy.r#{name}(\"x\"));\n")).concat();
    let mut program = format!("#![allow(unused)]\nmod api {{ {rust} }}\n{TRAITS}");
    for proxy in ["Base", "Derived", "Farther"] {
        for form in ["", "&", "&&", "&mut "] {
            let kind = form.replace("&mut ", "mutable").replace('&', "reference");
            program += &format!(
                "fn {}_{kind}(proxy: {form}api::{proxy}Proxy) {{ {calls} }}\n",
                proxy.to_lowercase()
            );
        }
    }
    check("methods", "rustc", &["--crate-type", "lib", "--emit", "metadata"], &program);
}

/// The list is whole: nothing else that `std` gives to every type, or generated code to every
/// proxy, is a method of it.
#[test]
fn each_refused_name_would_indeed_be_another_method() {
    let rust = compile("interface base { m() }\ninterface derived extends base { n() }")
        .unwrap_or_else(|errors| panic!("{errors}"))
        .rust;
    let program = format!(
        "#![allow(unused)]\nmod api {{ {rust} }}\n{TRAITS}\
         fn with(proxy: api::DerivedProxy) {{\n\
             let _: &api::DerivedProxy = proxy.borrow();\n\
             let _: api::DerivedProxy = proxy.clone();\n\
             let _: &api::BaseProxy = proxy.deref();\n\
             let _: api::DerivedProxy = proxy.to_owned();\n\
             let _: std::any::TypeId = proxy.type_id();\n\
             let mut other = proxy.clone();\n\
             other.clone_from(&proxy);\n\
             proxy.clone_into(&mut other);\n\
             let _: &mut api::DerivedProxy = other.borrow_mut();\n\
             let _: &mut api::DerivedProxy = (&mut other).deref_mut();\n\
             let _: Result<api::DerivedProxy, _> = other.try_into();\n\
             let _: api::DerivedProxy = proxy.into();\n\
         }}\n\
         fn shown(proxy: &api::DerivedProxy, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{ proxy.fmt(f) }}\n"
    );
    check("methods_refused", "rustc", &["--crate-type", "lib", "--emit", "metadata"], &program);
}
