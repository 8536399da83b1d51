//! Promise: the kernel's front page names each file that catches panics, and no other.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_tests::{files, root};
use std::collections::BTreeSet;
use std::fs;

/// The file's code without its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

#[test]
fn the_kernels_front_page_names_each_file_that_catches_panics() {
    let src = root().join("kernel/src");
    let catches = |code: &str| code.contains("catch_unwind(") || code.contains(".catch(");
    let catching: BTreeSet<String> = files(&src, ".rs")
        .into_iter()
        .filter(|path| catches(code(&fs::read_to_string(path).unwrap())))
        .map(|path| path.strip_prefix(&src).unwrap().display().to_string())
        .collect();
    let front = fs::read_to_string(src.join("lib.rs")).unwrap();
    let table = front.split("These layers catch panics").nth(1).unwrap();
    let table = table.split("# Where to look").next().unwrap();
    let named: BTreeSet<String> =
        table.split('`').filter(|word| word.ends_with(".rs")).map(str::to_owned).collect();
    assert_eq!(named, catching);
    assert!(named.len() > 5, "several layers do");
}
