//! Promise: each test of calls that asks for a simulated world is also played in others: with other
//! seeds, one task a turn, little room, and in small pieces.
//!
//! Scenarios of `everywhere!` are, and a file's other tests are named in its `in_other_worlds!`,
//! with the worlds that they are not for, and why.

use peers_tests::root;
use std::fs;

/// Files whose tests stay in the worlds that they ask for, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("attribution.rs", "its logger keeps the lines of all worlds, but for the tests it names"),
    ("nothing_grows.rs", "it does everything very often already"),
    ("process_memory.rs", "its amounts are for whole frames and default windows"),
];

/// The names of a file's tests that make a simulated world themselves.
fn simulated(text: &str) -> Vec<&str> {
    let tests = text.split("\n#[test]\n").skip(1);
    let made = tests.filter(|test| {
        test.split("\n}\n").next().is_some_and(|body| body.contains("Field::simulated("))
    });
    made.filter_map(|test| test.split("fn ").nth(1)?.split('(').next()).collect()
}

#[test]
fn no_test_stays_in_a_world_of_its_own() {
    let folder = root().join("rpc/tests");
    let (mut missing, mut seen) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).expect("the tests of calls").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let exempt = EXEMPT.iter().any(|(file, _)| *file == name);
        if exempt || !name.ends_with(".rs") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).expect("a test");
        let listed = text.split("in_other_worlds! {").nth(1).unwrap_or_default();
        for test in simulated(&text) {
            seen += 1;
            let is_listed = |end| listed.contains(&format!("    {test}{end}"));
            if !is_listed(";") && !is_listed(",") {
                missing.push(format!("{name}: {test}"));
            }
        }
    }
    assert!(seen > 50, "{seen} tests were found");
    assert!(missing.is_empty(), "name these in `in_other_worlds!`: {missing:#?}");
}

#[test]
fn whoever_is_exempt_is_there() {
    for (file, _) in EXEMPT {
        assert!(root().join("rpc/tests").join(file).exists(), "{file}");
    }
}
