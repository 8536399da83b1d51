//! Tests what the compiler makes of whole files: Rust that is right to the letter, errors that read
//! well.
//!
//! `UPDATE_GOLDEN=1 cargo test` rewrites the expected files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use peers_rpcc::Compiler;

mod difference;

use difference::assert_same;

fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    paths
}

/// `golden/NAME/NAME.rpc`; beside it stands `NAME.rs`.
fn good() -> Vec<PathBuf> {
    let file = |folder: PathBuf| {
        let name = folder.file_name().expect("a folder has a name").to_owned();
        folder.join(name).with_extension("rpc")
    };
    entries("golden").into_iter().map(file).collect()
}

/// `bad/NAME.rpc`; beside it stands `NAME.err`. What they import is in folders.
fn bad() -> Vec<PathBuf> {
    let is_input = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rpc");
    entries("bad").into_iter().filter(is_input).collect()
}

/// Compiles with paths shown relative to the folder of the file.
fn compile(path: &Path) -> Result<String, String> {
    let folder = path.parent().expect("a file has a folder");
    let compiler = Compiler::with_loader(|file| fs::read_to_string(folder.join(file)));
    let name = path.file_name().expect("a file has a name");
    compiler.compile(name).map(|output| output.rust).map_err(|errors| errors.to_string())
}

fn compare(expected: &Path, found: &str) {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(expected, found).expect("the expected file can be written");
    }
    let text = fs::read_to_string(expected).unwrap_or_default();
    assert_same(&text, found, &format!("{}, which UPDATE_GOLDEN=1 rewrites,", expected.display()));
}

#[test]
fn good_files_become_the_expected_rust() {
    for input in good() {
        let rust = compile(&input).unwrap_or_else(|errors| panic!("{errors}"));
        compare(&input.with_extension("rs"), &rust);
    }
}

/// Returns what rustfmt makes of a text.
fn formatted(rust: &str) -> String {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.rustfmt.toml");
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--config", "use_small_heuristics=Max", "--config-path"]);
    rustfmt.arg(config).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut rustfmt = rustfmt.spawn().expect("rustfmt can be run");
    let mut input = rustfmt.stdin.take().expect("its input is a pipe");
    input.write_all(rust.as_bytes()).expect("it reads its input");
    drop(input);
    let output = rustfmt.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("it writes text")
}

#[test]
fn generated_rust_is_formatted() {
    for input in good() {
        let rust = compile(&input).unwrap_or_else(|errors| panic!("{errors}"));
        let what = format!("what becomes of {} and is formatted", input.display());
        assert_same(&formatted(&rust), &rust, &what);
    }
}

#[test]
fn bad_files_become_the_expected_errors() {
    assert!(bad().len() > 40);
    for input in bad() {
        let errors = compile(&input).expect_err(&format!("{} has no error", input.display()));
        compare(&input.with_extension("err"), &errors);
    }
}
