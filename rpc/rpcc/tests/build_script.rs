//! `peers_rpcc::compile` as a build script calls it. It may end its process, so the tests start
//! themselves as children.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

mod difference;

use difference::assert_same;

/// Names what the child compiles, one after the other; set iff this process is one.
const CHILD: &str = "RPCC_TEST_CHILD";

#[test]
fn child() {
    if let Some(paths) = env::var_os(CHILD) {
        env::split_paths(&paths).for_each(peers_rpcc::compile);
        println!("went on");
    }
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

fn build(package: &Path, out: Option<&Path>, path: &str) -> Output {
    let mut child = Command::new(env::current_exe().expect("a test has a file"));
    child.args(["--exact", "child", "--nocapture"]).env(CHILD, path);
    child.env("CARGO_MANIFEST_DIR", package).env_remove("OUT_DIR");
    if let Some(out) = out {
        child.env("OUT_DIR", out);
    }
    child.output().expect("a test can be run")
}

#[test]
fn the_output_is_written_and_all_inputs_are_watched() {
    let out = scratch("build_good");
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/p2p");
    let output = build(&package, Some(&out), "p2p.rpc");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("cargo::rerun-if-changed=p2p.rpc\n"), "{text}");
    assert!(text.contains("cargo::rerun-if-changed=../registry/registry.rpc\n"), "{text}");
    assert!(text.contains("went on"));
    let text = |folder: &Path| fs::read_to_string(folder.join("p2p.rs")).expect("it can be read");
    assert_same(&text(&package), &text(&out), "p2p.rs");
}

#[test]
fn errors_end_the_build_readably() {
    let out = scratch("build_bad");
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let output = build(&package, Some(&out), "enums.rpc");
    assert_eq!(output.status.code(), Some(1));
    let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&stdout).contains("went on"));
    let expected = fs::read_to_string(package.join("enums.err")).expect("it is there");
    assert!(stderr.contains(expected.trim_end()), "{stderr}");
    assert!(!out.join("enums.rs").exists());
}

/// The second would replace the first, and nobody would know which one is meant.
#[test]
fn two_files_of_one_name_end_the_build() {
    let out = scratch("build_twice");
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let both = "golden/registry/registry.rpc:check/nothing/old/registry.rpc";
    let output = build(&package, Some(&out), both);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let expected = "golden/registry/registry.rpc and check/nothing/old/registry.rpc would both be \
                    written to registry.rs: rename one of them";
    assert!(stderr.contains(expected), "{stderr}");
    let text = |path: PathBuf| fs::read_to_string(path).expect("it can be read");
    let first = text(package.join("golden/registry/registry.rs"));
    assert_same(&first, &text(out.join("registry.rs")), "what was written first");
    // One file, however it is called, may be compiled twice; and files of different names beside
    // each other.
    let again =
        "golden/registry/registry.rpc:golden/p2p/../registry/registry.rpc:golden/p2p/p2p.rpc";
    assert_eq!(build(&package, Some(&out), again).status.code(), Some(0));
}

#[test]
fn outside_of_build_scripts_it_says_so() {
    let output = build(Path::new("."), None, "enums.rpc");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("OUT_DIR is not set"));
}
