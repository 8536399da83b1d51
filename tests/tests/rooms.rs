//! Promise: each crate is built in floors. A room uses itself and those on lower floors; no two
//! folders use each other, at any depth, and no more than three files go round in a circle.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_tests::picture::draw;
use peers_tests::rooms::{Uses, between_folders, circles, uses};
use peers_tests::{files, root, shown};
use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

/// The floors of a crate, lowest first; rooms in one row do not use each other.
struct House {
    src: &'static str,
    floors: &'static [&'static [&'static str]],
    /// Files that belong to no floor: fronts, and functions for fuzzing.
    outside: &'static [&'static str],
    /// Circles of more than three files that stay, and why.
    circles: &'static [(&'static [&'static str], &'static str)],
}

const HOUSES: [House; 1] = [House {
    src: "kernel/src",
    floors: &[&["host"], &["core"], &["node"], &["io"], &["kernel"], &["loop_thread", "world"]],
    outside: &["fuzz.rs", "sim.rs"],
    circles: &[(
        &[
            "core",
            "core::budget",
            "core::cause",
            "core::cont",
            "core::handle",
            "core::lookups",
            "core::offload",
            "core::panics",
            "core::receiver",
            "core::remote",
            "core::rng",
            "core::sources",
            "core::task",
            "core::timers",
            "core::turn_end",
        ],
        "a task, a source and the end of a turn are given the core that they run on, and the core \
         holds them",
    )],
}];

fn read(house: &House) -> Uses {
    uses(&root().join(house.src), house.outside)
}

#[test]
fn rooms_use_lower_floors_only() {
    for house in &HOUSES {
        let rooms = between_folders(&read(house), "");
        let floor = |room: &str| house.floors.iter().position(|floor| floor.contains(&room));
        for (room, used) in &rooms {
            let own = floor(room);
            assert!(own.is_some(), "{}: {room} has no floor here", house.src);
            for lower in used {
                assert!(floor(lower) < own, "{}: {room} uses {lower}", house.src);
            }
        }
        for room in house.floors.iter().copied().flatten() {
            assert!(rooms.contains_key(*room), "{}: there is no {room}", house.src);
        }
    }
}

#[test]
fn no_two_folders_use_each_other() {
    for house in &HOUSES {
        let uses = read(house);
        let parents = uses.keys().filter_map(|module| module.rsplit_once("::"));
        let rooms: BTreeSet<&str> = parents.map(|(parent, _)| parent).chain([""]).collect();
        for room in rooms {
            let folders: BTreeSet<String> =
                folders_in(&root().join(house.src).join(room.replace("::", "/")));
            for circle in circles(&between_folders(&uses, room)) {
                let of_folders = circle.iter().filter(|name| folders.contains(*name)).count();
                assert!(of_folders < 2, "{}: {room} has the circle {circle:?}", house.src);
            }
        }
    }
}

fn folders_in(path: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn at_most_three_files_go_round_in_a_circle() {
    for house in &HOUSES {
        let found = circles(&read(house));
        for circle in &found {
            let known = house.circles.iter().any(|(members, _)| members[..] == circle[..]);
            assert!(circle.len() <= 3 || known, "{}: {circle:?}", house.src);
        }
        for (members, why) in house.circles {
            let stays = found.iter().any(|circle| members[..] == circle[..]);
            assert!(stays, "{}: {members:?} ({why}) are no such circle any more", house.src);
        }
    }
}

/// Words that reach for the system, and the files outside the kernel's `host` that may say them.
const OF_THE_SYSTEM: [&str; 7] = [
    "rustix::",
    "socket2::",
    "signal_hook::",
    "to_socket_addrs",
    "std::fs",
    "process::Command",
    "thread::Builder",
];

#[test]
fn the_kernel_reaches_for_the_system_in_its_host_only() {
    let may = |name: &str| {
        name.starts_with("kernel/src/host/")
            || name == "kernel/src/core/offload.rs" // its workers
            || name == "kernel/src/loop_thread.rs" // the thread that it is about
    };
    for path in files(&root().join("kernel/src"), ".rs") {
        let name = shown(&path);
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for (at, line) in code.lines().enumerate() {
            let said = OF_THE_SYSTEM.iter().find(|word| line.contains(**word));
            let comment = line.trim_start().starts_with("//");
            assert!(comment || said.is_none() || may(&name), "{name}:{}: {line}", at + 1);
        }
    }
}

/// Run with `PEERS_DRAW=1` to draw it anew.
#[test]
fn the_picture_of_the_kernel_is_current() {
    let house = &HOUSES[0];
    let title = "peers-kernel: a room uses itself and rooms on lower floors";
    let drawn = draw(title, &read(house), house.floors);
    let path = root().join("docs/kernel-rooms.svg");
    if env::var_os("PEERS_DRAW").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == drawn, "docs/kernel-rooms.svg is out of date: run this test with PEERS_DRAW=1");
}
