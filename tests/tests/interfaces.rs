//! Promise: the compiled interfaces that the tests of `peers-rpc` include are what the compiler writes today. That crate does
//! not depend on the compiler, so they are kept near their sources.
//!
//! `UPDATE_GOLDEN=1 cargo test` rewrites them.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_rpcc::Compiler;
use std::path::Path;
use std::{env, fs};

#[test]
fn the_compiled_interfaces_of_the_rpc_tests_are_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpc/tests/interfaces");
    for name in ["nests", "probe", "shelf", "old/stock", "new/stock"] {
        let output = Compiler::new().compile(folder.join(name).with_extension("rpc")).unwrap();
        let kept = folder.join("golden").join(name.replace('/', "_")).with_extension("rs");
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&kept, &output.rust).unwrap();
        }
        let found = fs::read_to_string(&kept).unwrap();
        assert!(found == output.rust, "{} differs; UPDATE_GOLDEN=1 rewrites it", kept.display());
    }
}
