//! Draws the floors of a crate as an SVG: a box for each room with the files in it, and for each
//! box how many paths lead from it to which lower room.

use crate::rooms::Uses;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const WIDTH: usize = 960;
const MARGIN: usize = 16;
const LINE: usize = 18;
/// Characters of the font in a hundred pixels, somewhat fewer than there are.
const PER_HUNDRED: usize = 13;

/// A box: its name, the files in it, and the folders in it.
struct Room {
    name: String,
    files: Vec<String>,
    inner: Vec<Self>,
}

/// Draws `floors`, given lowest first, of what uses what.
pub fn draw(title: &str, uses: &Uses, floors: &[&[&str]]) -> String {
    let mut body = String::new();
    let mut y = MARGIN + 2 * LINE;
    for floor in floors.iter().rev() {
        let width = (WIDTH - MARGIN * (floor.len() + 1)) / floor.len();
        let rooms: Vec<Room> = floor.iter().map(|name| room(uses, name)).collect();
        let height = rooms.iter().map(|room| height(room, width)).max().unwrap_or_default() + LINE;
        for (place, room) in rooms.iter().enumerate() {
            let x = MARGIN + place * (width + MARGIN);
            shape(&mut body, room, (x, y), (width, height), 0);
            let used = lower(uses, &room.name);
            text(&mut body, (x + MARGIN, y + height - LINE / 2), "used", &used);
        }
        y += height + MARGIN;
    }
    let style = "text{font:13px sans-serif;fill:#222}.name{font-weight:bold}.used{fill:#666}\
                 rect{stroke:#789;stroke-width:1}.deep0{fill:#eef3f8}.deep1{fill:#fff}";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{style}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" fill=\"#fff\" stroke=\"none\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\">{title}</text>\n{body}</svg>\n",
        MARGIN + LINE
    )
}

/// The room of this path, such as `io::pipe`, with all below it.
fn room(uses: &Uses, path: &str) -> Room {
    let below = format!("{path}::");
    let parts = uses.keys().filter_map(|module| module.strip_prefix(&below));
    let names: BTreeSet<&str> = parts.map(|part| part.split("::").next().unwrap_or(part)).collect();
    let is_folder = |name: &&str| {
        let inner = format!("{below}{name}::");
        uses.keys().any(|module| module.starts_with(&inner))
    };
    let (folders, files): (Vec<&str>, Vec<&str>) = names.into_iter().partition(is_folder);
    let inner = folders.iter().map(|name| room(uses, &format!("{below}{name}"))).collect();
    let files = files.into_iter().map(str::to_owned).collect();
    Room { name: path.to_owned(), files, inner }
}

/// The files of a room as lines that fit.
fn lines(room: &Room, width: usize) -> Vec<String> {
    let most = (width - 2 * MARGIN) * PER_HUNDRED / 100;
    let mut lines: Vec<String> = Vec::new();
    for file in &room.files {
        match lines.last_mut() {
            Some(line) if line.len() + 3 + file.len() <= most => {
                line.push_str(" \u{b7} ");
                line.push_str(file);
            }
            _ => lines.push(file.clone()),
        }
    }
    lines
}

fn inner_width(room: &Room, width: usize) -> usize {
    (width - MARGIN * (room.inner.len() + 1)) / room.inner.len().max(1)
}

fn height(room: &Room, width: usize) -> usize {
    let inner = room.inner.iter().map(|inner| height(inner, inner_width(room, width)));
    let inner = inner.max().map_or(0, |height| height + MARGIN / 2);
    LINE * (1 + lines(room, width).len()) + inner + LINE
}

fn shape(
    body: &mut String,
    room: &Room,
    (x, y): (usize, usize),
    (width, tall): (usize, usize),
    deep: usize,
) {
    let _infallible = writeln!(
        body,
        "<rect class=\"deep{deep}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{tall}\" rx=\"6\"/>"
    );
    let name = room.name.rsplit("::").next().unwrap_or(&room.name);
    text(body, (x + MARGIN, y + LINE), "name", name);
    let mut at = y + LINE;
    for line in lines(room, width) {
        at += LINE;
        text(body, (x + MARGIN, at), "file", &line);
    }
    let each = inner_width(room, width);
    let tallest = room.inner.iter().map(|inner| height(inner, each)).max().unwrap_or_default();
    for (place, inner) in room.inner.iter().enumerate() {
        let corner = (x + MARGIN + place * (each + MARGIN), at + MARGIN / 2);
        shape(body, inner, corner, (each, tallest), 1);
    }
}

fn text(body: &mut String, (x, y): (usize, usize), class: &str, words: &str) {
    let _infallible = writeln!(body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{words}</text>");
}

/// Says how often a room uses which others.
fn lower(uses: &Uses, room: &str) -> String {
    let within = |module: &str| module == room || module.starts_with(&format!("{room}::"));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, used) in uses.iter().filter(|(from, _)| within(from)) {
        for to in used.iter().filter(|to| !within(to)) {
            *counts.entry(to.split("::").next().unwrap_or(to)).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return "uses no other room".to_owned();
    }
    let shown = counts.iter().map(|(room, count)| format!("{room} {count}"));
    format!("uses {}", shown.collect::<Vec<_>>().join(", "))
}
