//! Promise: each library is built from the files of its own package, so that it builds where
//! nothing else of this tree is.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use peers_tests::{files, root};

/// The libraries, and their folders.
const LIBRARIES: [(&str, &str); 7] = [
    ("peers-kernel", "kernel"),
    ("peers-wire", "wire"),
    ("peers-rpc", "rpc"),
    ("peers-rpcc", "rpc/rpcc"),
    ("peers-secure", "rpc/secure"),
    ("peers-dynamic", "rpc/dynamic"),
    ("peers-service", "rpc/service"),
];

/// The files that a package consists of, as cargo says.
fn packaged(package: &str) -> BTreeSet<PathBuf> {
    let list = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline", "-p", package])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    String::from_utf8(list.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// The paths that a source file includes, as they are written: literals in `include…!` and `#[path
/// = …]`.
fn included(text: &str) -> Vec<&str> {
    let starts = ["include!(\"", "include_str!(\"", "include_bytes!(\"", "#[path = \""];
    let literals = |start: &&'static str| {
        let rest = text.split(*start).skip(1);
        rest.filter_map(|rest| rest.split_once('"')).map(|(path, _)| path).collect::<Vec<_>>()
    };
    starts.iter().flat_map(literals).collect()
}

/// A path without `..`, as far as it does not lead out.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir if plain.pop() => {}
            part => plain.push(part),
        }
        plain
    })
}

#[test]
fn libraries_are_built_from_their_own_files() {
    let mut seen = 0;
    for (package, folder) in LIBRARIES {
        let (folder, packaged) = (root().join(folder), packaged(package));
        assert!(packaged.contains(Path::new("src/lib.rs")), "{package} has a library");
        for path in files(&folder.join("src"), ".rs") {
            let file = path.strip_prefix(&folder).unwrap();
            assert!(packaged.contains(file), "{package} leaves out {}", file.display());
            for name in included(&fs::read_to_string(&path).unwrap()) {
                let target = plain(&file.parent().unwrap().join(name));
                let what = format!("{package}: {} includes {name}", file.display());
                assert!(packaged.contains(&target), "{what}, which is no file of that package");
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "the documentation of peers-rpc includes an interface");
}

/// They depend on nothing of ours, and all three show text of others.
#[test]
fn each_package_that_shows_text_has_the_same_rule() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let wire = read("wire/src/text/invisible.rs");
    for file in ["kernel/src/host/text.rs", "rpc/rpcc/src/text.rs"] {
        assert!(read(file) == wire, "{file} is not the file of wire: copy it");
    }
}
