//! Records what was measured, on what, when: the lines above the tables.

use crate::root;
use std::fs;
use std::process::Command;

/// Packages whose versions belong to the figures.
const PACKAGES: [&str; 5] = ["capnp-rpc", "polling", "tarpc", "tokio", "tonic"];

/// Prints it, as text of a document.
pub(crate) fn print(rounds: usize, seconds: f64) {
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    let changed = if said("git", &["status", "--porcelain", "-uno"]).is_empty() {
        ""
    } else {
        " with changes"
    };
    println!(
        "{}, commit `{commit}`{changed}; {rounds} rounds of {seconds} s. {}, {} cores, Linux {}, {}, loopback.",
        said("date", &["+%Y-%m-%d"]),
        processor(),
        std::thread::available_parallelism().map_or(1, |count| count.get()),
        said("uname", &["-r"]),
        said("rustc", &["--version"]),
    );
    println!("{}.\n", versions().join(", "));
}

/// The first line that a program says; nothing, if it cannot be run.
fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).current_dir(root()).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("an unknown processor", |line| line.trim_start_matches([' ', '\t', ':'])).to_owned()
}

/// The systems' versions, from the lock file, and redis's own word.
fn versions() -> Vec<String> {
    let lock = fs::read_to_string(root().join("tests/versus/Cargo.lock")).unwrap_or_default();
    let version = |package: &str| {
        let after = lock.split(&format!("name = \"{package}\"\nversion = \"")).nth(1)?;
        Some(format!("{package} {}", after.split('"').next()?))
    };
    let mut versions: Vec<_> = PACKAGES.into_iter().filter_map(version).collect();
    let redis = said("redis-server", &["--version"]);
    if let Some(version) = redis.split_whitespace().find_map(|word| word.strip_prefix("v=")) {
        versions.push(format!("redis {version}"));
    }
    versions
}
