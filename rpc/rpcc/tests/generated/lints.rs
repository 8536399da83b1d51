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

fn run(command: &mut Command, what: &str) {
    let output = command.output().expect("the command can be run");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
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
    run(rustc.arg(tests().join("generated/stand_in.rs")), "stand-in");
}

fn golden() -> Vec<PathBuf> {
    let names = ["documented", "names", "p2p", "registry", "tree", "types", "wide"];
    names.iter().map(|name| tests().join(format!("golden/{name}/{name}.rs"))).collect()
}

/// Compiles each golden file as `around` says, with `INCLUDE` where it is included.
fn compile(name: &str, kind: &str, around: &str) {
    let folder = scratch(name);
    stand_in(&folder);
    for file in golden() {
        let source = folder.join("generated.rs");
        let text = around.replace("INCLUDE", &format!("include!({file:?});"));
        fs::write(&source, text).expect("the source can be written");
        let mut rustc = tool("rustc", &folder);
        rustc.args(["--crate-type", kind, "--emit", "metadata", "--extern", "peers_rpc"]);
        rustc.arg("--out-dir").arg(&folder);
        run(rustc.arg(&source), &file.display().to_string());
    }
}

#[test]
fn libraries_compile_without_warnings() {
    compile("library", "lib", &format!("{DENIED}INCLUDE"));
}

#[test]
fn programs_compile_without_warnings() {
    compile("program", "bin", &format!("{DENIED}INCLUDE\nfn main() {{}}\n"));
}

#[test]
fn modules_of_programs_compile_without_warnings() {
    compile("module", "bin", "#![deny(warnings)]\nmod generated { INCLUDE }\nfn main() {}\n");
}

#[test]
fn documentation_is_without_warnings() {
    let folder = scratch("documentation");
    stand_in(&folder);
    for file in golden() {
        let source = folder.join("generated.rs");
        let text =
            format!("#![deny(warnings, rustdoc::all)]\n//! Generated.\ninclude!({file:?});\n");
        fs::write(&source, text).expect("the source can be written");
        let mut rustdoc = tool("rustdoc", &folder);
        rustdoc.args(["--extern", "peers_rpc", "--out-dir"]).arg(folder.join("html"));
        run(rustdoc.arg(&source), &file.display().to_string());
    }
}
