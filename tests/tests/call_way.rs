//! Promise: the way of a lone call, in `docs/call-way.txt`, leads through functions that are there;
//! its picture and its numbers in `docs/architecture.md` are those of the list.
//!
//! The list is written by `tests/counts/way`.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_tests::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::{env, fs};

const LIST: &str = "docs/call-way.txt";
const PICTURE: &str = "docs/call-way.svg";

/// Where the first step stands, and the room of a step and of a file.
const LEFT: usize = 250;
const TOP: usize = 40;
const STEP: usize = 2;
const ROW: usize = 14;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The steps: a file, and the function in it that is entered.
fn steps(list: &str) -> Vec<(&str, &str)> {
    list.lines().map(|line| line.split_once(' ').unwrap()).collect()
}

fn files(steps: &[(&'static str, &'static str)]) -> BTreeSet<&'static str> {
    steps.iter().map(|(file, _)| *file).collect()
}

/// How often the way goes from one file to another.
fn changes(steps: &[(&str, &str)]) -> usize {
    steps.iter().zip(steps.iter().skip(1)).filter(|(one, next)| one.0 != next.0).count()
}

fn summary(steps: &[(&'static str, &'static str)]) -> String {
    let functions: BTreeSet<_> = steps.iter().collect();
    format!(
        "{} steps, {} changes of file; {} functions in {} files",
        steps.len(),
        changes(steps),
        functions.len(),
        files(steps).len()
    )
}

/// Draws a line from step to step, a row for each file.
fn draw(steps: &[(&'static str, &'static str)]) -> String {
    let rows: BTreeMap<&str, usize> =
        files(steps).into_iter().enumerate().map(|(row, file)| (file, TOP + row * ROW)).collect();
    let (width, height) = (LEFT + steps.len() * STEP + 20, TOP + rows.len() * ROW + 10);
    let mut body = String::new();
    for (file, y) in &rows {
        writeln!(body, "<text x=\"10\" y=\"{}\">{file}</text>", y + 4).unwrap();
        writeln!(body, "<path class=\"row\" d=\"M{LEFT} {y}H{width}\"/>").unwrap();
    }
    let points: Vec<String> = steps
        .iter()
        .enumerate()
        .map(|(at, (file, _))| format!("{},{}", LEFT + at * STEP, rows[file]))
        .collect();
    let style = "text{font:11px sans-serif;fill:#222}.row{stroke:#dde5ec}\
                 polyline{fill:none;stroke:#258;stroke-width:1}";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>The way of a lone call</title>\n<style>{style}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"20\">The way of a lone call, left to right: {}</text>\n\
         {body}<polyline points=\"{}\"/>\n</svg>\n",
        summary(steps),
        points.join(" ")
    )
}

#[test]
fn each_function_on_the_way_of_a_lone_call_stands_in_its_file() {
    let list: &'static str = read(LIST).leak();
    let steps = steps(list);
    assert!(steps.len() > 100, "a way leads through all layers");
    let text: BTreeMap<&str, String> =
        files(&steps).into_iter().map(|file| (file, read(file))).collect();
    let mut missing: Vec<_> = steps
        .iter()
        .filter(|(file, function)| {
            let at = format!("fn {function}");
            let behind = |(at_byte, _): (usize, &str)| {
                text[file][at_byte + at.len()..].starts_with(['(', '<'])
            };
            !text[file].match_indices(&at).any(behind)
        })
        .collect();
    missing.sort_unstable();
    missing.dedup();
    assert!(missing.is_empty(), "not there any more, run tests/counts/way: {missing:?}");
}

/// Run with `PEERS_DRAW=1` to draw it anew.
#[test]
fn the_picture_of_a_lone_calls_way_is_current() {
    let list: &'static str = read(LIST).leak();
    let drawn = draw(&steps(list));
    if env::var_os("PEERS_DRAW").is_some() {
        fs::write(root().join(PICTURE), &drawn).unwrap();
    }
    assert!(read(PICTURE) == drawn, "out of date, run this test with PEERS_DRAW=1");
}

#[test]
fn the_numbers_in_the_text_are_those_of_the_list() {
    let list: &'static str = read(LIST).leak();
    let numbers = summary(&steps(list));
    assert!(read("docs/architecture.md").contains(&numbers), "the way is now: {numbers}");
}
