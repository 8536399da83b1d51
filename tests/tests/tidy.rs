//! The house rules that a machine can see: who imports whom, how long files are, which names nobody
//! may use.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_tests::{files, root, shown};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says which of our crates a package may depend on, at run time and at build time.
const LAYERS: [(&str, &[&str]); 13] = [
    ("kernel", &[]),
    ("wire", &[]),
    ("rpc", &["peers-kernel", "peers-wire"]),
    ("rpc/rpcc", &[]),
    ("rpc/service", &["peers-rpc", "peers-secure"]),
    ("rpc/secure", &["peers-rpc"]),
    ("rpc/dynamic", &["peers-rpc", "peers-rpcc"]),
    ("apps/registry", &["peers-rpc", "peers-rpcc", "peers-service"]),
    ("apps/p2p", &["peers-registry", "peers-rpc", "peers-rpcc", "peers-service"]),
    ("apps/numbers", &["peers-rpc", "peers-rpcc", "peers-service"]),
    ("docs/tutorial/chat", &["peers-rpc", "peers-rpcc", "peers-service"]),
    (
        "tests",
        &[
            "peers-rpc",
            "peers-wire",
            "peers-rpcc",
            "peers-dynamic",
            "peers-secure",
            "peers-service",
            "peers-registry",
            "peers-p2p",
            "peers-numbers",
        ],
    ),
    ("tests/counts", &["peers-rpc", "peers-wire", "peers-rpcc"]),
];

/// The names at the top level, beside files that begin with a dot.
const TOP: [&str; 13] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "apps",
    "docs",
    "findings",
    "kernel",
    "rpc",
    "tests",
    "wire",
];

/// The one file that may say `unsafe`.
const UNSAFE: &str = "kernel/src/host/os/poller.rs";

/// Files that read a clock, wait, or start threads, and why they may.
const HOST_SEAM: [&str; 8] = [
    "kernel/src/host/os/clock.rs",
    "kernel/src/host/os/poller.rs",
    "kernel/src/host/os/epoll.rs",
    "kernel/src/core/offload.rs",
    "kernel/src/loop_thread.rs",
    "kernel/src/host/os/lines.rs",
    "kernel/src/host/os/look_up.rs",
    "rpc/service/src/log_lines.rs", // the date of a line
];

fn library_sources() -> Vec<PathBuf> {
    let src = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "src");
    let all = ["kernel", "wire", "rpc", "apps"]
        .iter()
        .flat_map(|crate_| files(&root().join(crate_), ".rs"));
    all.filter(|path| src(path) && !is_golden(path)).collect()
}

/// Golden files are compared with what the compiler writes, so other tests judge them.
fn is_golden(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "golden")
}

/// A source file up to its in-file tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file is readable");
    match text.find("#[cfg(test)]\nmod ") {
        Some(tests) => text[..tests].to_owned(),
        None => text,
    }
}

/// The lines of a file that are code, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines.filter(|(_, line)| !line.starts_with("//"))
}

#[test]
fn imports_point_downwards_only() {
    for (folder, allowed) in LAYERS {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let mut for_tests = false;
        for line in manifest.lines().map(str::trim) {
            for_tests =
                if line.starts_with('[') { line == "[dev-dependencies]" } else { for_tests };
            if for_tests && folder == "rpc" {
                continue; // its tests run programs
            }
            let name: String =
                line.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
            if name.starts_with("peers-") {
                assert!(allowed.contains(&name.as_str()), "{folder} must not depend on {name}");
            }
        }
    }
}

#[test]
fn every_member_of_the_workspace_has_a_layer() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|line| line.starts_with("members")).unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(LAYERS.iter().any(|(folder, _)| *folder == member), "{member} has no layer here");
    }
}

#[test]
fn the_top_level_is_closed() {
    for entry in fs::read_dir(root()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let known = name.starts_with('.') || name == "target";
        assert!(known || TOP.contains(&name.as_str()), "{name} does not belong on the top level");
    }
}

#[test]
fn unsafe_code_stands_in_one_small_file() {
    for path in library_sources() {
        let name = shown(&path);
        if name == UNSAFE {
            let lines = code(&path).lines().count();
            assert!(lines <= 250, "{name} has {lines} lines: keep what must be believed small");
            continue;
        }
        for (line, text) in code_lines(&code(&path)) {
            let says = text.contains("unsafe ") || text.contains("unsafe{");
            let attribute = text.contains("unsafe_code") || text.contains("\"");
            assert!(!says || attribute, "{name}:{line}: {text}");
        }
    }
}

#[test]
fn nothing_is_async() {
    let banned = [
        concat!("async ", "fn"),
        concat!("async ", "move"),
        concat!(".aw", "ait"),
        concat!("tok", "io::"),
    ];
    for path in files(&root(), ".rs") {
        let name = shown(&path);
        if name.starts_with("tests/versus") || name.starts_with("tests/fuzz") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (line, text) in code_lines(&text) {
            for word in banned {
                assert!(!text.contains(word), "{name}:{line}: {text}");
            }
        }
    }
}

#[test]
fn clocks_threads_and_sockets_stay_behind_the_host_seam() {
    let banned = [
        "Instant::now(",
        "SystemTime::now(",
        "thread::sleep(",
        "thread::spawn(",
        "TcpStream::",
        "TcpListener::",
    ];
    for path in library_sources() {
        let name = shown(&path);
        if HOST_SEAM.contains(&name.as_str()) {
            continue;
        }
        for (line, text) in code_lines(&code(&path)) {
            for word in banned {
                assert!(!text.contains(word), "{name}:{line}: {text}");
            }
        }
    }
}

#[test]
fn files_are_short_enough_to_read() {
    for path in files(&root(), ".rs") {
        let name = shown(&path);
        if name.contains("/golden/") || name.starts_with("tests/versus") {
            continue;
        }
        let lines = code(&path).lines().count();
        assert!(lines <= 500, "{name} has {lines} lines without its tests: divide it");
    }
}

/// A sentence about an item has a subject and an active verb. One in fifty may begin with a clause
/// as its subject.
#[test]
fn doc_comments_begin_with_what_the_item_does() {
    let clause = [
        "What", "Whatever", "Whether", "Who", "Whoever", "Whom", "Whose", "Which", "How", "Where",
        "When", "Why", "That", "Those",
    ];
    let (mut all, mut clauses, mut same) = (0, Vec::new(), Vec::new());
    for path in files(&root(), ".rs").iter().filter(|path| !is_golden(path)) {
        let text = fs::read_to_string(path).unwrap();
        let mut before = None;
        for (at, line) in text.lines().map(str::trim).enumerate() {
            let mark = ["///", "//!"].into_iter().find(|mark| line.starts_with(mark));
            if let Some(opening) =
                mark.filter(|_| mark != before).map(|mark| line[mark.len()..].trim())
            {
                all += 1;
                let place = format!("{}:{}: {opening}", shown(path), at + 1);
                let word = opening.split(|c: char| !c.is_alphabetic()).next().unwrap();
                if opening.starts_with("The same") {
                    same.push(place);
                } else if clause.contains(&word) {
                    clauses.push(place);
                }
            }
            before = mark;
        }
    }
    assert!(same.is_empty(), "say what it is the same as:\n{}", same.join("\n"));
    assert!(
        clauses.len() * 50 <= all,
        "{} of {all} doc comments are clauses: begin with a verb.\n{}",
        clauses.len(),
        clauses.join("\n")
    );
}

/// Rows of tables are left out, since they cannot be wrapped.
#[test]
fn comments_wrap_at_a_hundred_columns() {
    let mut long = Vec::new();
    for path in files(&root(), ".rs").iter().filter(|path| !is_golden(path)) {
        let text = fs::read_to_string(path).unwrap();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.chars().count() > 100) {
            let trailing = line
                .find(" // ")
                .is_some_and(|start| line[..start].matches('"').count().is_multiple_of(2));
            let comment = line.trim_start().starts_with("//") && !line.contains("//! |");
            if comment || trailing {
                long.push(format!("{}:{}", shown(path), at + 1));
            }
        }
    }
    assert!(long.is_empty(), "comments beyond column 100: wrap them.\n{}", long.join("\n"));
}

#[test]
fn every_file_says_what_lives_in_it() {
    for path in library_sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no front page", shown(&path));
    }
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let banned = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ign", "ore"),
    ];
    for path in files(&root(), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        for (at, line) in text.lines().enumerate() {
            for word in banned {
                assert!(!line.contains(word), "{}:{}: {line}", shown(&path), at + 1);
            }
        }
    }
}

#[test]
fn every_crate_forbids_unsafe_code() {
    for (folder, _) in LAYERS {
        let front = fs::read_to_string(root().join(folder).join("src/lib.rs")).unwrap();
        let word =
            if folder == "kernel" { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
        assert!(front.contains(word), "{folder}/src/lib.rs lacks {word}");
    }
}

/// Links of documents to files of the tree.
#[test]
fn links_in_documents_lead_somewhere() {
    let mut documents = files(&root().join("docs"), ".md");
    documents.push(root().join("README.md"));
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        let folder = document.parent().unwrap();
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(folder.join(file).exists(), "{}: {target} does not exist", shown(&document));
        }
    }
}

/// A row of the table of faults is worth what its test is worth.
#[test]
fn each_fault_in_the_table_has_a_test_that_exists() {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.starts_with("| ") && !line.contains("---") && !line.contains("| test |")
        })
        .collect();
    assert!(rows.len() > 30, "the table of faults has {} rows", rows.len());
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            assert!(root().join(test).is_file(), "{test} does not exist: {row}");
        }
    }
}

/// The names and versions of everything that our crates link, tests and build scripts apart.
fn linked_crates() -> BTreeMap<String, String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--offline", "-e", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).unwrap();
    let words = lines.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    });
    words.filter(|(name, _)| !name.starts_with("peers-")).collect()
}

#[test]
fn every_dependency_is_justified() {
    let decisions = fs::read_to_string(root().join("docs/decisions.md")).unwrap();
    for name in linked_crates().keys() {
        assert!(
            decisions.contains(&format!("`{name}`")),
            "docs/decisions.md does not say why `{name}`"
        );
    }
}

/// Who does not encrypt pays nothing for it.
#[test]
fn no_library_below_links_cryptography() {
    for package in ["peers-kernel", "peers-wire", "peers-rpc"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "-p", package, "-e", "normal", "--prefix", "none"])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).unwrap();
        for library in ["rustls", "graviola", "aws-lc", "ring ", "peers-secure"] {
            let linked = tree.lines().find(|line| line.starts_with(library));
            assert_eq!(linked, None, "{package} links {library}");
        }
    }
}

/// Only one file knows where ciphers come from.
#[test]
fn one_module_names_the_libraries_of_ciphers() {
    for path in library_sources() {
        let name = shown(&path);
        if name.starts_with("rpc/secure/src/primitives/") {
            continue;
        }
        for (line, text) in code_lines(&code(&path)) {
            for library in ["graviola::", "aws_lc_rs::aead", "aws_lc_rs::sig", "aws_lc_rs::hmac"] {
                assert!(!text.contains(library), "{name}:{line}: {text}");
            }
        }
    }
}

#[test]
fn no_runtime_is_linked() {
    for name in linked_crates().keys() {
        for runtime in
            ["tokio", "async-std", "smol", "futures", "mio", "async-io", "async-executor"]
        {
            assert!(!name.starts_with(runtime), "{name} is linked");
        }
    }
}
