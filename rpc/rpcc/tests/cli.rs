//! The program `rpcc`: arguments, messages, exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

mod difference;

use difference::assert_same;

const GOOD: &str = "tests/golden/registry/registry.rpc";

fn rpcc(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpcc"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command.output().expect("rpcc can be run")
}

/// Exit code, stdout, stderr.
fn outcome(arguments: &[&str]) -> (i32, String, String) {
    let output = rpcc(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the folder can be emptied");
    }
    folder
}

#[test]
fn files_are_compiled_into_a_folder() {
    let folder = scratch("cli_compile");
    let path = folder.to_string_lossy().into_owned();
    let arguments = [GOOD, "tests/golden/p2p/p2p.rpc", "-o", &path];
    assert_eq!(outcome(&arguments), (0, String::new(), String::new()));
    for name in ["registry", "p2p"] {
        let text = |path: &Path| fs::read_to_string(path).expect("it can be read");
        let written = text(&folder.join(name).with_extension("rs"));
        assert_same(&text(Path::new(&format!("tests/golden/{name}/{name}.rs"))), &written, name);
    }
}

#[test]
fn errors_are_shown_and_told_by_the_exit_code() {
    let path = scratch("cli_errors").to_string_lossy().into_owned();
    let (code, out, err) = outcome(&["tests/bad/enums.rpc", GOOD, "-o", &path]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("--> tests/bad/enums.rpc:1:6"), "{err}");
    assert!(
        Path::new(&path).join("registry.rs").exists(),
        "the good file is compiled all the same"
    );
    let (code, _, err) = outcome(&["nowhere.rpc", "-o", &path]);
    assert_eq!(
        (code, err.lines().next()),
        (1, Some("error: cannot read `nowhere.rpc`: there is no such file"))
    );
}

#[test]
fn versions_are_compared() {
    let check = |name: &str, file: [&str; 2]| {
        let paths = [("old", file[0]), ("new", file[1])];
        let [old, new] =
            paths.map(|(version, file)| format!("tests/check/{name}/{version}/{file}.rpc"));
        outcome(&["check", &old, &new])
    };
    for (name, file, code) in [
        ("methods", ["service"; 2], 1),
        ("types", ["types"; 2], 1),
        ("stand_ins", ["grid"; 2], 1),
        ("renamed", ["before", "after"], 1),
        ("compatible", ["registry"; 2], 0),
        ("nothing", ["registry"; 2], 0),
        ("borrowed", ["shelf"; 2], 0),
        ("places", ["v"; 2], 1),
        ("variants", ["v"; 2], 1),
        ("containers", ["v"; 2], 1),
        ("inherited", ["v"; 2], 1),
        ("exceptions", ["v"; 2], 1),
        ("calls", ["v"; 2], 1),
        ("shared", ["v"; 2], 0),
    ] {
        let (found, out, err) = check(name, file);
        let expected = Path::new("tests/check").join(name).join("expected.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &out).expect("the expected file can be written");
        }
        assert_same(&fs::read_to_string(&expected).unwrap_or_default(), &out, name);
        assert_eq!((found, err.as_str()), (code, ""), "{name}");
    }
}

#[test]
fn versions_that_are_wrong_cannot_be_compared() {
    let (code, out, err) = outcome(&["check", GOOD, "tests/bad/enums.rpc"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("no variants"), "{err}");
}

#[test]
fn wrong_usage_is_told() {
    for (arguments, expected) in [
        (&[][..], "no file given"),
        (&[GOOD][..], "say where to write: `-o DIR`"),
        (&["check", GOOD][..], "`check` takes two files"),
        (&["--frobnicate"][..], "invalid option '--frobnicate'"),
        (&[GOOD, "-o"][..], "missing argument"),
        (&[GOOD, "-o", "x", "--crate"][..], "missing argument"),
        (
            &[GOOD, "tests/check/nothing/old/registry.rpc", "-o", "x"][..],
            "both be written to registry.rs",
        ),
    ] {
        let (code, out, err) = outcome(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    let (code, _, err) =
        outcome(&["tests/bad/esc\u{1b}\u{200e}.rpc", "-o", "Cargo.toml/be\u{1b}low"]);
    assert_eq!(code, 2);
    assert!(err.starts_with(r"rpcc: cannot make Cargo.toml/be\u{1b}low"), "{err}");
    let (code, _, err) = outcome(&[GOOD, "-o", "Cargo.toml/below"]);
    assert_eq!(code, 2);
    assert!(err.starts_with("rpcc: cannot make Cargo.toml/below"), "{err}");
}

#[test]
fn the_crate_that_the_rust_uses_can_be_named() {
    let folder = scratch("cli_crate");
    let path = folder.to_string_lossy().into_owned();
    assert_eq!(outcome(&[GOOD, "-o", &path, "--crate", "my_calls"]).0, 0);
    let rust = fs::read_to_string(folder.join("registry.rs")).expect("it was written");
    assert!(rust.contains("::my_calls::Caller") && !rust.contains("peers_rpc"), "{rust}");
    assert_eq!(outcome(&[GOOD, "-o", &path, "--crate", "crate::calls"]).0, 0);
    let rust = fs::read_to_string(folder.join("registry.rs")).expect("it was written");
    assert!(rust.contains("<C: crate::calls::Caller"), "{rust}");
    for wrong in ["", "my-calls", "super::calls", "a::", "a b", "::", "self", "5"] {
        let (code, out, err) = outcome(&[GOOD, "-o", &path, "--crate", wrong]);
        assert_eq!((code, out.as_str()), (1, ""), "{wrong:?}");
        let expected = format!("error: `{wrong}` cannot be the crate that generated code uses");
        assert!(err.starts_with(&expected), "{wrong:?}: {err}");
    }
}

#[test]
fn a_file_named_twice_is_compiled_once() {
    let path = scratch("cli_twice").to_string_lossy().into_owned();
    let again = format!("./{GOOD}");
    assert_eq!(outcome(&[GOOD, &again, GOOD, "-o", &path]), (0, String::new(), String::new()));
}

/// What cannot be printed is told, by words and by the exit code; nobody who listens is no error.
#[test]
fn output_that_cannot_be_written_is_told() {
    let run = |out: fs::File| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rpcc"));
        let output = command.arg("--help").stdout(out).output().expect("rpcc can be run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let (code, err) = run(full);
    assert_eq!(code, Some(3));
    assert!(err.starts_with("rpcc: cannot write the output: "), "{err}");
}

#[test]
fn help_and_version_are_printed() {
    let (code, out, err) = outcome(&["--help"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("rpcc check OLD NEW"));
    assert!(out.lines().all(|line| line.len() <= 80), "help fits on a terminal");
    let (code, out, _) = outcome(&["-V"]);
    assert_eq!((code, out), (0, format!("rpcc {}\n", env!("CARGO_PKG_VERSION"))));
}
