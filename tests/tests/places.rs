//! What the documents say of the code's places is true: each file, function and test that
//! docs/where.md names is there.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_tests::root;
use std::fs;

/// A line of a table: what programs notice, and who decides and keeps it.
struct Place {
    file: String,
    function: String,
    test: String,
}

fn places() -> Vec<Place> {
    let text = fs::read_to_string(root().join("docs/where.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let place = |row: &str| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, file, function, test] = cells[..] else { panic!("not four cells: {row}") };
        let [file, function, test] = [file, function, test].map(|cell| cell.replace('`', ""));
        Place { file, function, test }
    };
    rows.map(place).collect()
}

#[test]
fn files_functions_and_tests_are_where_they_are_said_to_be() {
    let places = places();
    assert!(places.len() > 40, "only {} places were read", places.len());
    let mut wrong = Vec::new();
    for Place { file, function, test } in &places {
        let code = fs::read_to_string(root().join(file)).unwrap_or_default();
        let has = |end: char| code.contains(&format!("fn {function}{end}"));
        if !has('(') && !has('<') {
            wrong.push(format!("{file} has no function {function}"));
        }
        if !fs::read_to_string(root().join(test))
            .is_ok_and(|text| text.contains("#[test]") || text.contains("everywhere!"))
        {
            wrong.push(format!("{test} is no file of tests"));
        }
    }
    assert!(wrong.is_empty(), "docs/where.md:\n{}", wrong.join("\n"));
}
