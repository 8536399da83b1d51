//! Generated code compiles without a warning, as part of a library and of a program.

use crate::tools::{check, crate_of};

const DENIED: &str = "#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]\n\
    #![deny(elided_lifetimes_in_paths, unused_must_use)]\n//! Generated.\n";

#[test]
fn libraries_compile_without_warnings() {
    let text = crate_of(DENIED, "/// Generated.\npub mod");
    check("library", "rustc", &["--crate-type", "lib", "--emit", "metadata"], &text);
}

#[test]
fn programs_compile_without_warnings() {
    let text = crate_of("#![deny(warnings)]\n", "mod") + "fn main() {}\n";
    check("program", "rustc", &["--crate-type", "bin", "--emit", "metadata"], &text);
}

#[test]
fn documentation_is_without_warnings() {
    let text =
        crate_of("#![deny(warnings, rustdoc::all)]\n//! Generated.\n", "/// Generated.\npub mod");
    check("documentation", "rustdoc", &[], &text);
}

/// Whatever looks like code in a doc comment would be run as a test.
#[test]
fn documentation_has_no_tests() {
    let text = crate_of("", "pub mod");
    let printed = check("doc_tests", "rustdoc", &["--test"], &text);
    assert!(printed.contains("running 0 tests"), "{printed}");
}
