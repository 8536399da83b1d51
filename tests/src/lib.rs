//! Holds what the tests of the whole share: where things are in the source tree, and how to run the
//! real binaries.
//!
//! Tests of one crate stand in that crate; here stand those that need several, or the tree itself.

#![forbid(unsafe_code)]

/// Stands with the compiler's tests, which cannot use this crate: it depends on the
/// compiler, whose package has to hold its own tests.
#[path = "../../rpc/rpcc/tests/difference/mod.rs"]
pub mod difference;
mod elision;
pub mod picture;
pub mod raw;
pub mod remarks;
pub mod rooms;
pub mod stage;
pub mod transcript;
pub mod trial;
pub mod victim;

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// All files below `folder` with this ending, in order, leaving out build output.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// A path as the reader of a failed test wants to see it.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Returns the path of one of the workspace's binaries, built as this test was and up to date.
/// While it is being built, standard error says so, also where a test's output is captured.
///
/// # Panics
/// When it cannot be built.
pub fn binary(package: &str, name: &str) -> PathBuf {
    // One at a time: else each cargo complains that it waits for the others.
    static ONE: Mutex<()> = Mutex::new(());
    let _building = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let test = std::env::current_exe().expect("a test runs from a file");
    let folder = test.parent().and_then(Path::parent).expect("in target/PROFILE/deps");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", package, "--bin", name]).current_dir(root());
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let mut build = cargo.stderr(Stdio::piped()).spawn().expect("cargo runs");
    let said = BufReader::new(build.stderr.take().expect("a pipe"));
    for line in said.lines().map_while(Result::ok).filter(|line| !is_usual(line)) {
        // What eprintln! says is captured. Nobody there to read it is no failure.
        drop(writeln!(io::stderr(), "building {name} for a test: {}", line.trim_start()));
    }
    let built = build.wait().expect("cargo ends");
    assert!(built.success(), "cannot build {name}");
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Returns whether cargo says this when there was nothing to do.
fn is_usual(line: &str) -> bool {
    line.trim_start().starts_with("Finished ")
}

/// The Rust of the tutorial and of the short answers, compiled and run.
#[cfg(doctest)]
mod tutorial {
    #[doc = include_str!("../../docs/how-to.md")]
    mod how_to {}
    #[doc = include_str!("../../docs/tutorial/1-registry.md")]
    mod registry {}
    #[doc = include_str!("../../docs/tutorial/2-calls.md")]
    mod calls {}
    #[doc = include_str!("../../docs/tutorial/3-p2p.md")]
    mod p2p {}
    #[doc = include_str!("../../docs/tutorial/5-numbers.md")]
    mod numbers {}
    #[doc = include_str!("../../docs/tutorial/6-data.md")]
    mod data {}
    #[doc = include_str!("../../docs/tutorial/7-native-objects.md")]
    mod native_objects {}
    #[doc = include_str!("../../docs/tutorial/8-events.md")]
    mod events {}
    #[doc = include_str!("../../docs/tutorial/13-keys.md")]
    mod keys {}
}
