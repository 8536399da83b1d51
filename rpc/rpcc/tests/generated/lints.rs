//! Generated code compiles without a warning, as part of a library and of a program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const DENIED: &str = "#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]\n\
    #![deny(elided_lifetimes_in_paths, unused_must_use)]\n//! Generated.\n";

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A folder of its own for what a test compiles.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

/// Runs a command that must succeed; returns what it prints.
fn run(command: &mut Command, what: &str) -> String {
    let output = command.output().expect("the command can be run");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A compiler that finds the stand-in in `folder`, after that was made.
fn tool(name: &str, folder: &Path) -> Command {
    let mut tool = Command::new(name);
    tool.args(["--edition", "2024", "-L"]).arg(folder);
    tool
}

fn stand_in(folder: &Path) {
    let mut rustc = tool("rustc", folder);
    rustc.args(["--crate-type", "lib", "--crate-name", "peers_rpc", "--emit", "metadata"]);
    rustc.arg("--out-dir").arg(folder);
    run(rustc.arg(tests().join("generated/stand_in/mod.rs")), "stand-in");
}

/// All golden files as modules of one crate, each declared by `module`, and one at its root.
fn crate_of(attributes: &str, module: &str) -> String {
    let include = |name: &str| format!("include!({:?});", tests().join(golden(name)));
    let modules = ["borrowed", "documented", "names", "p2p", "registry", "tree", "types", "wide"];
    let modules = modules.map(|name| format!("{module} module_{name} {{ {} }}\n", include(name)));
    format!("{attributes}{}\n{}", include("p2p"), modules.concat())
}

fn golden(name: &str) -> String {
    format!("golden/{name}/{name}.rs")
}

/// Runs a tool of Rust over a crate that uses the stand-in, in a folder of its own.
fn check(name: &str, program: &str, arguments: &[&str], text: &str) -> String {
    let folder = scratch(name);
    stand_in(&folder);
    let source = folder.join("generated.rs");
    fs::write(&source, text).expect("the source can be written");
    let mut tool = tool(program, &folder);
    tool.args(arguments).args(["--extern", "peers_rpc", "--out-dir"]).arg(folder.join("out"));
    run(tool.arg(&source), name)
}

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
