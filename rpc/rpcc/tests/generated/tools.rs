//! Running the tools of Rust over generated code, against the stand-in for `peers_rpc`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A folder of its own for what a test compiles.
pub(crate) fn scratch(name: &str) -> PathBuf {
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
    tool.args(["--edition", "2024", "-L"]).arg(folder.join("stand_in"));
    tool
}

fn stand_in(folder: &Path) {
    let mut rustc = tool("rustc", folder);
    rustc.args(["--crate-type", "lib", "--crate-name", "peers_rpc", "--emit", "link"]);
    rustc.arg("--out-dir").arg(folder.join("stand_in"));
    run(rustc.arg(tests().join("generated/stand_in/mod.rs")), "stand-in");
}

/// The names of all golden files.
pub(crate) fn golden() -> Vec<String> {
    let entries = fs::read_dir(tests().join("golden")).expect("the folder is there");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("it can be read"))).collect();
    names.sort();
    assert!(names.len() >= 8, "the golden files are there");
    names
}

/// The line that includes a golden file.
pub(crate) fn include(name: &str) -> String {
    format!("include!({:?});", tests().join(format!("golden/{name}/{name}.rs")))
}

/// The modules that a golden file imports `in`, inside one that is declared by `module`.
pub(crate) fn elsewhere(module: &str) -> String {
    let public = if module.contains("pub") { module } else { "pub(crate) mod" };
    let inner = |name| format!("{public} {name} {{ {} }}\n", include(name));
    format!("{module} golden {{ {} {} }}\n", inner("registry"), inner("tree"))
}

/// All golden files as modules of one crate, each declared by `module`, and one at its root.
pub(crate) fn crate_of(attributes: &str, module: &str) -> String {
    let modules = golden().into_iter();
    let modules = modules.map(|name| format!("{module} module_{name} {{ {} }}\n", include(&name)));
    let modules = modules.collect::<String>() + &elsewhere(module);
    format!("{attributes}{}\n{modules}", include("p2p"))
}

/// Runs a tool of Rust over a crate that uses the stand-in, in a folder of its own.
pub(crate) fn check(name: &str, program: &str, arguments: &[&str], text: &str) -> String {
    let folder = scratch(name);
    stand_in(&folder);
    let source = folder.join("generated.rs");
    fs::write(&source, text).expect("the source can be written");
    let mut tool = tool(program, &folder);
    tool.args(arguments).args(["--extern", "peers_rpc", "--out-dir"]).arg(folder.join("out"));
    run(tool.arg(&source), name)
}
