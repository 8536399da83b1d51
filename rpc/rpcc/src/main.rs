//! `rpcc`: the interface compiler on the command line. Compiling and comparing are the library's;
//! here are arguments, messages and exit codes.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use peers_rpcc::{Compiler, Diagnostics, same_output, visible};

const HELP: &str = "\
Compiles interface files to Rust.

Usage:
  rpcc FILE... -o DIR     writes DIR/NAME.rs for each NAME.rpc
  rpcc check OLD NEW      says what changed between two versions of a file, and
                          whether old and new programs understand each other

Options:
  -o, --output DIR        where to write; the folder is made if it is missing
      --crate PATH        the crate that the Rust uses, if not `peers_rpc`: its
                          name in Cargo.toml, or a path that begins with `crate`
  -h, --help              prints this
  -V, --version           prints the version

Files that are imported are found from the importing file. They are compiled
into the same output, unless the import says `in` which Rust module they are.

Exit codes: 0 done, or the versions are compatible; 1 a file is wrong, or the
versions are incompatible; 2 wrong usage, or versions that cannot be compared;
3 the output could not be written.
";

/// Says what the arguments ask for.
enum Task {
    Compile { files: Vec<PathBuf>, folder: PathBuf, compiler: Compiler<'static> },
    Check { old: PathBuf, new: PathBuf },
    Print(String),
}

fn main() -> ExitCode {
    let task = match parse(lexopt::Parser::from_env()) {
        Ok(task) => task,
        Err(error) => {
            complain(&error.to_string(), "\nTry `rpcc --help`.\n");
            return ExitCode::from(2);
        }
    };
    ExitCode::from(match task {
        Task::Compile { files, folder, compiler } => compile_all(&files, &folder, &compiler),
        Task::Check { old, new } => check(&old, &new),
        Task::Print(text) => print(&text),
    })
}

fn parse(mut arguments: lexopt::Parser) -> Result<Task, lexopt::Error> {
    use lexopt::prelude::*;
    let mut values: Vec<OsString> = Vec::new();
    let mut folder: Option<PathBuf> = None;
    let mut compiler = Compiler::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('o') | Long("output") => folder = Some(arguments.value()?.into()),
            Long("crate") => compiler = compiler.crate_path(arguments.value()?.string()?),
            Short('h') | Long("help") => return Ok(Task::Print(HELP.into())),
            Short('V') | Long("version") => {
                return Ok(Task::Print(format!("rpcc {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Value(value) => values.push(value),
            _ => return Err(argument.unexpected()),
        }
    }
    match (values.as_slice(), folder) {
        ([word, versions @ ..], None) if word == "check" => match versions {
            [old, new] => Ok(Task::Check { old: old.into(), new: new.into() }),
            _ => Err("`check` takes two files: the old version and the new one".into()),
        },
        ([], _) => Err("no file given".into()),
        (_, None) => Err("say where to write: `-o DIR`".into()),
        (_, Some(folder)) => {
            let files = values.into_iter().map(PathBuf::from).collect();
            Ok(Task::Compile { files, folder, compiler })
        }
    }
}

fn compile_all(files: &[PathBuf], folder: &Path, compiler: &Compiler<'_>) -> u8 {
    let mut written: BTreeMap<&OsStr, &Path> = BTreeMap::new();
    for file in files {
        let first = *written.entry(file.file_stem().unwrap_or_default()).or_insert(file);
        // Before anything is written: the second would replace what the first became.
        if let Some(problem) = same_output(first, file) {
            complain(&problem, "\n");
            return 2;
        }
    }
    if let Err(error) = fs::create_dir_all(folder) {
        complain(&format!("cannot make {}: {error}", folder.display()), "\n");
        return 2;
    }
    // All of them, also behind one that is wrong: its errors are told with those of the others.
    written.into_values().map(|file| compile(file, folder, compiler)).max().unwrap_or(0)
}

fn compile(file: &Path, folder: &Path, compiler: &Compiler<'_>) -> u8 {
    let output = match compiler.compile(file) {
        Ok(output) => output,
        Err(diagnostics) => return wrong(&diagnostics, 1),
    };
    let name = Path::new(file.file_stem().unwrap_or_default()).with_extension("rs");
    let target = folder.join(name);
    match fs::write(&target, output.rust) {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("cannot write {}: {error}", target.display()), "\n");
            2
        }
    }
}

fn check(old: &Path, new: &Path) -> u8 {
    let changes = match Compiler::new().compare(old, new) {
        Ok(changes) => changes,
        Err(diagnostics) => return wrong(&diagnostics, 2),
    };
    let breaking = changes.iter().filter(|change| !change.compatible).count();
    let mut text: String = changes.iter().map(|change| format!("{change}\n")).collect();
    text.push_str(&match (changes.len(), breaking) {
        (0, _) => "nothing changed on the wire\n".into(),
        (all, 0) => format!("compatible: {all} change{}\n", plural(all)),
        (_, breaking) => format!("incompatible: {breaking} breaking change{}\n", plural(breaking)),
    });
    print(&text).max(u8::from(breaking > 0))
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Shows diagnostics, in colour on a terminal.
fn wrong(diagnostics: &Diagnostics, code: u8) -> u8 {
    let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    tell(&diagnostics.render(colours));
    code
}

/// Writes to stdout; a reader that went away is its own business.
fn print(text: &str) -> u8 {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write the output: {error}"), "\n");
            3
        }
        _ => 0,
    }
}

/// Says what is wrong; names of files and arguments may hold anything.
fn complain(problem: &str, after: &str) {
    tell(&format!("rpcc: {}{after}", visible(problem)));
}

/// Writes to stderr, where nothing can be done about an error.
fn tell(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}
