//! What the compiler makes of whole files: Rust that is right to the letter, errors that read well.
//!
//! `UPDATE_GOLDEN=1 cargo test` rewrites the expected files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use peers_rpcc::Compiler;

/// All files below a folder of `tests` that end in `.rpc` and have an expected file beside them, or should have.
fn inputs(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let (mut folders, mut inputs) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rpc") {
                inputs.push(path);
            }
        }
    }
    inputs.sort();
    inputs
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
    assert_eq!(text, found, "{} differs; UPDATE_GOLDEN=1 rewrites it", expected.display());
}

#[test]
fn good_files_become_the_expected_rust() {
    let inputs = inputs("golden");
    assert!(inputs.len() >= 2);
    for input in inputs {
        let rust = compile(&input).unwrap_or_else(|errors| panic!("{errors}"));
        compare(&input.with_extension("rs"), &rust);
    }
}

#[test]
fn generated_rust_is_formatted() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.rustfmt.toml");
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2024", "--config-path"]).arg(config);
    rustfmt.args(["--config", "use_small_heuristics=Max"]);
    rustfmt.args(inputs("golden").iter().map(|input| input.with_extension("rs")));
    let output = rustfmt.output().expect("rustfmt can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
