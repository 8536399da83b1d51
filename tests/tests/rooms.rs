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

const KERNEL: House = House {
    src: "kernel/src",
    floors: &[&["host"], &["core"], &["node"], &["io"], &["kernel"], &["loop_thread", "world"]],
    outside: &["fuzz.rs", "sim.rs"],
    circles: &[
        (
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
        ),
        (
            &["io::outlet", "io::pipe", "io::pipe::read", "io::pipe::rest", "io::stream"],
            "who listens to a stream is lent its outlet, and both are ends of the same pipe",
        ),
    ],
};

const RPC: House = House {
    src: "rpc/src",
    floors: &[
        &["limits", "security"],
        &["session"],
        &["interface"],
        &["link"],
        &["call", "serve"],
        &["process"],
        &["api"],
    ],
    outside: &["session/fuzz.rs", "doc/mod.rs"],
    circles: &[(
        &[
            "session",
            "session::answer",
            "session::audit",
            "session::expire",
            "session::request",
            "session::round_trip",
        ],
        "what a session holds is driven by functions of the session",
    )],
};

const WIRE: House = House {
    src: "wire/src",
    floors: &[&["limits", "opening", "text"], &["error"], &["codec"], &["frame"], &["message"]],
    outside: &["fuzz.rs"],
    circles: &[],
};

const DYNAMIC: House = House {
    src: "rpc/dynamic/src",
    floors: &[
        &["types", "value"],
        &["fit", "intern"],
        &["decode", "encode"],
        &["interface", "text"],
        &["serve"],
    ],
    outside: &[],
    circles: &[],
};

const SERVICE: House = House {
    src: "rpc/service/src",
    floors: &[
        &["output"],
        &["advice", "arguments", "child", "log_lines", "typed"],
        &["keys"],
        &["serve", "shared_output"],
    ],
    outside: &[],
    circles: &[],
};

const RPCC: House = House {
    src: "rpc/rpcc/src",
    floors: &[
        &["names", "source", "text"],
        &["visible"],
        &["excerpt"],
        &["diagnostics"],
        &["syntax"],
        &["load", "model"],
        &["compat", "print"],
        &["emit", "schema"],
        &["check"],
        &["compiler"],
        &["build"],
    ],
    outside: &["fuzz.rs", "main.rs"],
    circles: &[],
};

/// What is checked.
static HOUSES: [House; 6] = [KERNEL, WIRE, RPC, DYNAMIC, SERVICE, RPCC];

/// Crates without floors, of which only circles are looked for, and files that are left out.
const WITHOUT_FLOORS: [(&str, &[&str]); 1] = [("rpc/secure/src", &["fuzz.rs"])];

/// All crates of which circles are looked for, with what uses what.
fn all() -> impl Iterator<Item = (&'static str, Uses)> {
    let houses = HOUSES.iter().map(|house| (house.src, read(house)));
    houses
        .chain(WITHOUT_FLOORS.iter().map(|(src, outside)| (*src, uses(&root().join(src), outside))))
}

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
    for (src, uses) in all() {
        let parents = uses.keys().filter_map(|module| module.rsplit_once("::"));
        let rooms: BTreeSet<&str> = parents.map(|(parent, _)| parent).chain([""]).collect();
        for room in rooms {
            let folders: BTreeSet<String> =
                folders_in(&root().join(src).join(room.replace("::", "/")));
            for circle in circles(&between_folders(&uses, room)) {
                let of_folders = circle.iter().filter(|name| folders.contains(*name)).count();
                assert!(of_folders < 2, "{src}: {room} has the circle {circle:?}");
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
    for (src, uses) in all() {
        let known = HOUSES.iter().find(|house| house.src == src).map_or(&[][..], |h| h.circles);
        let found = circles(&uses);
        for circle in &found {
            let known = known.iter().any(|(members, _)| members[..] == circle[..]);
            assert!(circle.len() <= 3 || known, "{src}: {circle:?}");
        }
        for (members, why) in known {
            let stays = found.iter().any(|circle| members[..] == circle[..]);
            assert!(stays, "{src}: {members:?} ({why}) are no such circle any more");
        }
    }
}

/// Words that reach for the system, and what may say them outside the kernel's `host`.
const OF_THE_SYSTEM: [&str; 8] = [
    "rustix::",
    "socket2::",
    "signal_hook::",
    "to_socket_addrs",
    "std::fs",
    "process::Command",
    "thread::Builder",
    "thread::spawn",
];

/// Files and folders of libraries that may say some of these words, and why.
const MAY: [(&str, &str); 6] = [
    ("kernel/src/host/", "the seam to the system"),
    ("kernel/src/core/offload.rs", "its workers are threads"),
    ("kernel/src/loop_thread.rs", "it is about a thread"),
    ("rpc/rpcc/", "a compiler reads and writes files"),
    ("rpc/secure/", "it reads key files and lists of keys"),
    ("rpc/service/", "what binaries share starts processes for demonstrations"),
];

#[test]
fn libraries_reach_for_the_system_in_the_kernels_host_only() {
    let sources = ["kernel", "wire", "rpc"].map(|crate_| files(&root().join(crate_), ".rs"));
    for path in sources.iter().flatten() {
        let name = shown(path);
        if !name.contains("/src/") || MAY.iter().any(|(may, _)| name.starts_with(may)) {
            continue;
        }
        for (at, line) in lines(path) {
            let said = OF_THE_SYSTEM.iter().find(|word| line.contains(**word));
            assert!(said.is_none(), "{name}:{at}: {line}");
        }
    }
}

#[test]
fn applications_leave_threads_to_the_kernel() {
    for path in files(&root().join("apps"), ".rs") {
        let name = shown(&path);
        if name.contains("/src/") {
            let found = lines(&path).into_iter().find(|(_, line)| line.contains("thread::"));
            assert_eq!(found, None, "{name}");
        }
    }
}

#[test]
fn the_session_knows_nothing_of_the_kernel_but_its_unit_of_time() {
    for path in files(&root().join("rpc/src/session"), ".rs") {
        for (at, line) in lines(&path) {
            let known = line.replace("use peers_kernel::Instant;", "");
            assert!(!known.contains("peers_kernel"), "{}:{at}: {line}", shown(&path));
        }
    }
}

#[test]
fn front_pages_have_few_rooms_in_the_order_of_the_floors() {
    // The compiler is one way through many small files: its rooms are more, and listed by name.
    for house in HOUSES.iter().filter(|house| house.src != RPCC.src) {
        let front = lines(&root().join(house.src).join("lib.rs"));
        let rooms: Vec<&str> = front.iter().filter_map(|(_, line)| room_of(line)).collect();
        assert!(rooms.len() <= 10, "{}: {rooms:?}", house.src);
        let floors: Vec<&str> = house.floors.concat();
        let shown = rooms.into_iter().filter(|room| floors.contains(room));
        let floor = |room: &&str| house.floors.iter().position(|floor| floor.contains(room));
        assert!(shown.map(|room| floor(&room)).is_sorted(), "{}: {floors:?}", house.src);
    }
}

/// The module that a line of a front page declares.
fn room_of(line: &str) -> Option<&str> {
    line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')
}

/// The lines of a file that are code, up to its tests, with their numbers.
fn lines(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines().enumerate().map(|(at, line)| (at + 1, line.trim().to_owned()));
    lines.filter(|(_, line)| !line.starts_with("//")).collect()
}

/// Run with `PEERS_DRAW=1` to draw them anew.
#[test]
fn the_pictures_of_the_rooms_are_current() {
    for (house, name) in [(KERNEL, "kernel"), (WIRE, "wire"), (RPC, "rpc")] {
        let title = format!("peers-{name}: a room uses itself and rooms on lower floors");
        let drawn = draw(&title, &read(&house), house.floors);
        let path = root().join(format!("docs/{name}-rooms.svg"));
        if env::var_os("PEERS_DRAW").is_some() {
            fs::write(&path, &drawn).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == drawn, "{name}: out of date, run this test with PEERS_DRAW=1");
    }
}
