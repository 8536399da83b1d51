//! Promise: whoever waits where nobody may wait, or continues where nothing continues, is told by
//! the compiler what to write instead; and generated code compiles in a package that calls the
//! library by another name. The compiler is run on small programs; what they are linked against is
//! built already, so that a program takes a fraction of a second.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_rpcc::Compiler;
use peers_tests::root;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// Builds `peers-rpc` as this test was, and returns where cargo says that it is.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "peers-rpc", "--lib"]);
        cargo.args(["--message-format", "json"]).current_dir(root());
        if env::current_exe().unwrap().components().any(|part| part.as_os_str() == "release") {
            cargo.arg("--release");
        }
        let output = cargo.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let mut texts = said.split('"');
        let error = String::from_utf8_lossy(&output.stderr);
        PathBuf::from(
            texts
                .find(|text| text.ends_with("/libpeers_rpc.rlib"))
                .unwrap_or_else(|| panic!("{error}")),
        )
    })
}

/// What the compiler says of a program, nothing if it compiles.
fn compiled(name: &str, program: &str) -> String {
    compiled_with("peers_rpc", name, program)
}

/// Compiles a program that knows the library under another name.
fn compiled_with(library_name: &str, name: &str, program: &str) -> String {
    let library = library();
    let folder = env::temp_dir().join(format!("peers-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}.rs"));
    fs::write(&file, program).unwrap();
    let dependencies = [library.parent().unwrap().to_owned(), library.with_file_name("deps")];
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata"]);
    rustc.arg("--extern").arg(format!("{library_name}={}", library.display()));
    for dependency in dependencies {
        rustc.arg("-L").arg(format!("dependency={}", dependency.display()));
    }
    let output = rustc.arg("--out-dir").arg(&folder).arg(&file).output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

fn assert_says(said: &str, texts: &[&str]) {
    for text in texts {
        assert!(said.contains(text), "the compiler does not say: {text}\n{said}");
    }
}

#[test]
fn what_is_right_compiles() {
    let program = "
        pub fn f(call: peers_rpc::Call<String>, k: peers_rpc::Reply<String>) { call.then(k); }
        pub fn g(call: peers_rpc::SyncCall<String>) -> Result<String, peers_rpc::Error> {
            call.wait()
        }";
    assert_eq!(compiled("right", program), "");
}

/// The generated code of an interface with an exception, a struct, and methods of all kinds.
#[test]
fn generated_code_uses_the_library_by_the_name_that_it_was_told() {
    let interface = "
        exception gone(when: u64)
        struct place { name: string, near: list<string> }
        interface walker {
            stop(why: option<string>) :event
            walk(to: place) -> place :throws gone :timeout 10s
        }";
    let loader = |_: &Path| Ok(interface.to_owned());
    let told = Compiler::with_loader(loader).crate_path("calls").compile("walk.rpc").unwrap();
    let of_old = Compiler::with_loader(loader).compile("walk.rpc").unwrap();
    assert_eq!(compiled_with("calls", "renamed", &told.rust), "");
    let said = compiled_with("calls", "untold", &of_old.rust);
    assert_says(&said, &["peers_rpc"]);
}

#[test]
fn two_interfaces_share_the_rust_types_of_a_third() {
    let loader = |path: &Path| {
        Ok(match path.to_str().unwrap() {
            "places.rpc" => "struct place { name: string }",
            "walker.rpc" => {
                "import \"places.rpc\" in crate::places
                interface walker { here() -> places.place }"
            }
            _ => {
                "import \"places.rpc\" in crate::places
                interface guide { way(to: places.place) -> string }"
            }
        }
        .to_owned())
    };
    let module = |name: &str| {
        let generated = Compiler::with_loader(loader).compile(format!("{name}.rpc")).unwrap();
        format!("pub mod {name} {{ {} }}\n", generated.rust)
    };
    let uses = "
        pub fn f(walker: &walker::WalkerProxy, guide: &guide::GuideProxy, k: peers_rpc::Reply<places::Place>) {
            walker.here().then(k);
            drop(guide.way(&places::Place { name: String::new() }));
        }";
    let program = ["places", "walker", "guide"].map(module).concat() + uses;
    assert_eq!(compiled("shares", &program), "");
}

#[test]
fn waiting_on_the_loop_is_told_to_continue() {
    let program = "pub fn f(call: peers_rpc::Call<String>) { drop(call.wait()); }";
    let said = compiled("waits", program);
    assert_says(
        &said,
        &[
            "a call that is made on the loop cannot be waited for",
            "`wait` would stop the loop that brings the reply",
            "on the loop, write `.then(cx.on_any(|state, cx, answer| ..))`",
            "on another thread, call through `peers.connect(..)`",
        ],
    );
}

#[test]
fn continuing_on_a_thread_is_told_to_wait() {
    let program = "
        pub fn f(call: peers_rpc::SyncCall<String>, k: peers_rpc::Reply<String>) { call.then(k); }";
    let said = compiled("continues", program);
    assert_says(
        &said,
        &[
            "a call of a thread that may wait has no continuation",
            "continuations run on the loop",
            "write `.wait()?` here, or `.start()?` to wait later",
            "a proxy made on the loop has `then`",
        ],
    );
}
