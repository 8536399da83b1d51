//! Shows what two texts differ in, for the message of a failed test: the lines that differ and a
//! few around them.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its share, and other crates too"
)]

/// The lines that are shown around those that differ.
const AROUND: usize = 3;

/// The farthest line to look at for one that both texts have again.
const WINDOW: usize = 400;

/// The most lines of a message.
const LONGEST: usize = 60;

/// Fails if two texts differ, and shows the lines that do. `what` says which texts they are.
#[track_caller]
pub fn assert_same(expected: &str, found: &str, what: &str) {
    if expected != found {
        panic!("{what} differs (- expected, + found):\n{}", difference(expected, found));
    }
}

/// The lines that differ, each with its number: `-` those expected, `+` those found.
pub fn difference(expected: &str, found: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (expected.split('\n').collect(), found.split('\n').collect());
    let mut shown = Vec::new();
    let (mut i, mut j, mut last) = (0, 0, 0);
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        // What follows the last difference, and what comes before this one.
        let start = i.saturating_sub(AROUND).max(last);
        if start > last && last > 0 {
            shown.push("      ...".to_owned());
        }
        shown.extend((start..i).map(|at| line(' ', at, before[at])));
        let (gone, come) = again(&before[i..], &after[j..]);
        shown.extend((i..i + gone).map(|at| line('-', at, before[at])));
        shown.extend((j..j + come).map(|at| line('+', at, after[at])));
        (i, j) = (i + gone, j + come);
        let same = before[i..].iter().zip(&after[j..]).take_while(|(one, other)| one == other);
        last = i + same.take(AROUND).count();
        shown.extend((i..last).map(|at| line(' ', at, before[at])));
        (i, j) = (last, j + last - i);
    }
    let more = shown.len().saturating_sub(LONGEST);
    shown.truncate(LONGEST);
    if more > 0 {
        shown.push(format!("      and {more} lines more"));
    }
    shown.join("\n")
}

/// Counts the lines of each text before one that both have.
fn again(before: &[&str], after: &[&str]) -> (usize, usize) {
    let farthest = WINDOW.min(before.len() + after.len());
    for sum in 1..=farthest {
        for gone in 0..=sum.min(before.len()) {
            let come = sum - gone;
            if before.get(gone).is_some_and(|line| after.get(come) == Some(line)) {
                return (gone, come);
            }
        }
    }
    (before.len(), after.len())
}

/// A line as it is; spaces at its end and what a terminal would not show are spelled.
fn line(mark: char, at: usize, text: &str) -> String {
    let hidden = text.ends_with(char::is_whitespace)
        || text.chars().any(|c| c.is_control() || !c.is_ascii() && !c.is_alphanumeric());
    let text = if hidden { format!("{text:?}") } else { text.to_owned() };
    format!("{:>4} {mark} {text}", at + 1)
}
