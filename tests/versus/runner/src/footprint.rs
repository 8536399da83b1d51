//! Measures what a small program of ours takes before it does anything: its build from nothing, its
//! size, its memory.

use crate::root;
use crate::run::Running;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};

/// A folder that is removed in the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}

/// Builds the registry in a folder of its own, and prints a table.
///
/// # Errors
/// When it cannot be built or run.
pub(crate) fn print() -> io::Result<()> {
    let scratch = Scratch(env::temp_dir().join(format!("versus-build-{}", std::process::id())));
    let began = Instant::now();
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "--package", "peers-registry"]);
    cargo.current_dir(root()).env("CARGO_TARGET_DIR", &scratch.0);
    succeed(&mut cargo)?;
    let seconds = began.elapsed().as_secs_f64();
    let program = scratch.0.join("release/registry");
    let stripped = scratch.0.join("stripped");
    succeed(Command::new("strip").arg("-o").arg(&stripped).arg(&program))?;
    println!("\nA small program, `apps/registry`:\n");
    println!("| what | |\n|---|---|");
    println!("| release build from nothing, dependencies too | {seconds:.0} s |");
    println!("| stripped binary | {:.2} MB |", fs::metadata(&stripped)?.len() as f64 / 1e6);
    let (all, own) = listening(&program)?;
    println!("| resident when it listens | {all:.2} MB, {own:.2} MB without its files |");
    Ok(())
}

/// Megabytes that it has resident when it listens: all, and those that no file backs.
fn listening(program: &Path) -> io::Result<(f64, f64)> {
    let mut command = Command::new(program);
    command.args(["serve", "inet:127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running(command.spawn()?);
    let mut said = String::new();
    if let Some(out) = running.0.stdout.take() {
        BufReader::new(out).read_line(&mut said)?;
    }
    let pid = running.0.id();
    let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let megabytes = |name: &str| -> Option<f64> {
        let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kilobytes * 1024.0 / 1e6)
    };
    megabytes("Rss:")
        .zip(megabytes("Anonymous:"))
        .ok_or_else(|| io::Error::other(format!("the memory of {} cannot be read", said.trim())))
}

fn succeed(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}
