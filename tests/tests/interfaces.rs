//! Promise: the compiled interfaces that the tests of `peers-rpc` include are what the compiler
//! writes today. That crate does not depend on the compiler, so they are kept near their sources.
//!
//! `UPDATE_GOLDEN=1 cargo test` rewrites them.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_rpcc::Compiler;
use peers_tests::difference::assert_same;
use peers_tests::root;
use std::path::Path;
use std::{env, fs};

fn compare(interface: &Path, kept: &Path) {
    let output = Compiler::new().compile(interface).unwrap();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(kept, &output.rust).unwrap();
    }
    let what = format!("{}, which UPDATE_GOLDEN=1 rewrites,", kept.display());
    assert_same(&fs::read_to_string(kept).unwrap(), &output.rust, &what);
}

#[test]
fn the_compiled_interfaces_of_the_rpc_tests_are_fresh() {
    let folder = root().join("rpc/tests/interfaces");
    for name in ["hands", "nests", "probe", "shelf", "old/stock", "new/stock"] {
        let kept = folder.join("golden").join(name.replace('/', "_")).with_extension("rs");
        compare(&folder.join(name).with_extension("rpc"), &kept);
    }
}

#[test]
fn the_compiled_interface_of_the_dynamic_tests_is_fresh() {
    let folder = root().join("rpc/dynamic/tests/interfaces");
    compare(&folder.join("kinds.rpc"), &folder.join("golden/kinds.rs"));
}

/// A published crate is built from its own files, so the documentation of `peers-rpc` has a copy of
/// what it shows.
#[test]
fn the_compiled_interface_of_the_rpc_documentation_is_fresh() {
    let registry = root().join("rpc/rpcc/tests/golden/registry/registry.rpc");
    compare(&registry, &root().join("rpc/src/doc/golden/registry.rs"));
}
