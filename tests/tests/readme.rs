//! Checks that what the README shows is there.

use peers_tests::difference::assert_same;
use peers_tests::root;
use std::fs;

#[test]
fn the_program_in_the_readme_is_an_example_that_compiles() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let example = root().join("apps/registry/examples/small.rs");
    let example = fs::read_to_string(example).unwrap();
    let (_, program) = example.split_once("\n\n").unwrap();
    let blocks = readme.split("```rust\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let longest = blocks.map(|(block, _)| block).max_by_key(|block| block.len()).unwrap();
    assert_same(program, longest, "the program in the README");
    // Besides imports and the struct: 15 lines.
    let (_, lines) = program.split_once("\n\nimpl").unwrap();
    assert!(lines.lines().count() <= 15, "{}", lines.lines().count());
}

/// Whatever else the README shows of Rust stands in the example next to it, line for line.
#[test]
fn the_callers_in_the_readme_are_an_example_that_compiles() {
    let lines_of =
        |text: &str| -> String { text.lines().map(str::trim).collect::<Vec<_>>().join("\n") };
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let example = root().join("apps/registry/examples/callers.rs");
    let compiled = lines_of(&fs::read_to_string(example).unwrap());
    let blocks = readme.split("```rust\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let callers: Vec<&str> =
        blocks.map(|(block, _)| block).filter(|block| !block.contains("fn main")).collect();
    assert_eq!(callers.len(), 2, "one that waits and one that does not");
    for shown in callers {
        assert!(compiled.contains(lines_of(shown).trim()), "no such lines compile:\n{shown}");
    }
}

#[test]
fn the_readme_shows_the_demonstration_as_it_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let binary = peers_tests::binary("peers-registry", "registry");
    let output = std::process::Command::new(binary).arg("demo").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    // Everything but process ids, ports and node ids is the same in every run.
    let chance = |line: &str| line.chars().any(|c| c.is_ascii_digit());
    let lines: Vec<&str> =
        printed.lines().filter(|line| !chance(line) && !line.is_empty()).collect();
    assert!(lines.len() > 8, "{printed}");
    for line in lines {
        assert!(readme.lines().any(|shown| shown == line), "the README lacks: {line}");
    }
    let raised = |text: &str| {
        text.split_once("[node.rs:")
            .and_then(|(_, rest)| rest.split_once(']'))
            .map(|(line, _)| line.to_owned())
    };
    assert_eq!(raised(&readme), raised(&printed), "the line that raises");
}
