//! What is at a limit of the language compiles: the Rust compiler can read what becomes of it. One
//! beyond is refused in words.

use std::io;
use std::path::Path;

use peers_rpcc::{Compiler, Diagnostics, Output};

use crate::tools::check;

/// Compiles the first of some files, given by name and text.
fn compile(files: &[(String, String)]) -> Result<Output, Diagnostics> {
    let compiler = Compiler::with_loader(|path: &Path| {
        let file = files.iter().find(|(name, _)| Path::new(name) == path);
        file.map(|(_, text)| text.clone()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    });
    compiler.compile(&files[0].0)
}

fn one(text: impl Into<String>) -> Vec<(String, String)> {
    vec![("limit.rpc".into(), text.into())]
}

/// Returns what a program does with a type: sends, receives, copies, compares and prints it.
fn used(name: &str) -> String {
    format!(
        "
        struct Node;
        impl api::LocalUser for Node {{
            fn plain(&mut self, _: &peers_rpc::Context<'_, Self>, x: api::{name})
                -> Result<api::{name}, peers_rpc::Error> {{ Ok(x.clone()) }}
            fn later(&mut self, _: &peers_rpc::Context<'_, Self>, x: api::{name},
                reply: peers_rpc::Reply<Option<Vec<api::{name}>>>) {{ reply.ok(Some(vec![x])); }}
        }}
        pub fn bind(cx: &peers_rpc::Cx<Node>, at: &peers_rpc::Endpoint) {{
            drop(<Node as api::LocalUser>::bind(cx, at));
        }}
        pub fn call(proxy: &api::UserProxy, x: &api::{name}) -> String {{
            drop(proxy.plain(x));
            drop(proxy.later(x));
            std::thread::spawn({{ let kept = Some(vec![x.clone()]); move || kept }});
            format!(\"{{:?}} {{}}\", x, *x == x.clone())
        }}"
    )
}

/// Checks that rustc takes what becomes of `files`.
fn fits(name: &str, files: &[(String, String)], program: &str) {
    let rust = compile(files).unwrap_or_else(|errors| panic!("{name}: {errors}")).rust;
    let text = format!("#![allow(dead_code)]\npub mod api {{ {rust} }}\n{program}");
    // To machine code takes long.
    let whole = ["structs", "mixed", "circle"].contains(&name);
    let emit = if whole { "link" } else { "metadata" };
    check(&format!("limit_{name}"), "rustc", &["--crate-type", "lib", "--emit", emit], &text);
}

fn refused(files: &[(String, String)], words: &str) {
    let Err(errors) = compile(files) else { panic!("accepted: {words}") };
    let messages: Vec<_> = errors.iter().map(|error| error.message).collect();
    assert!(messages.iter().any(|message| message.contains(words)), "{words}: {messages:?}");
}

/// `count` structs, each of which holds the one before as `held` says; an interface uses the last
/// one.
fn chain(count: usize, held: &str) -> String {
    let last = count - 1;
    let of = |at: usize| {
        let held = held.replace("T", &format!("t{}", at.wrapping_sub(1)));
        let held = if at == 0 { "u8".into() } else { held };
        format!("struct t{at} {{ x: {held} }}\n")
    };
    let user = format!(
        "interface user {{ plain(x: t{last}) -> t{last}\n later(x: t{last}) -> option<list<t{last}>> :async }}"
    );
    (0..count).map(of).collect::<String>() + &user
}

#[test]
fn types_go_100_steps_deep() {
    // What uses the last type takes six steps more: an option, a list, and the method itself.
    for (name, held, most) in [
        ("structs", "T", 94),
        ("options", "option<T>", 47),
        ("tuples", "(u8, T)", 47),
        ("lists", "list<T>", 19),
        ("sets", "set<T>", 19),
        ("maps", "map<u8, T>", 19),
        ("keys", "map<T, u8>", 19),
        ("mixed", "option<list<(u8, map<string, T>)>>", 9),
    ] {
        fits(name, &one(chain(most, held)), &used(&format!("T{}", most - 1)));
        refused(&one(chain(most + 1, held)), "steps deep, and Rust cannot go deeper than 100");
    }
}

/// Types that contain each other in a circle are entered once.
#[test]
fn circles_of_types_go_100_steps_deep() {
    let circle = |count: usize| {
        let of = |at: usize| format!("struct t{at} {{ x: option<t{}> }}\n", (at + 1) % count);
        let user =
            "interface user { plain(x: t0) -> t0\n later(x: t0) -> option<list<t0>> :async }";
        (0..count).map(of).collect::<String>() + user
    };
    fits("circle", &one(circle(23)), &used("T0"));
    refused(&one(circle(24)), "steps deep");
}

#[test]
fn interfaces_extend_63_others_in_a_row() {
    let faces = |count: usize| {
        let extends = |at: usize| match at {
            0 => String::new(),
            _ => format!("extends face{}", at - 1),
        };
        let face = |at: usize| format!("interface face{at} {} {{ m{at}(x: u8) }}\n", extends(at));
        (0..count).map(face).collect::<String>()
    };
    let call = "pub fn call(of: &api::Face63Proxy) { drop(of.m0(1)); drop(of.m63(1)); }";
    fits("faces", &one(faces(64)), call);
    refused(&one(faces(65)), "extends more than 63 interfaces in a row");
}

#[test]
fn as_many_files_as_there_may_be_can_import_each_other_in_a_row() {
    let files = |count: usize| -> Vec<_> {
        let file = |at: usize| {
            let import = format!("import \"file{}.rpc\"\n", at + 1);
            let import = if at + 1 < count { import } else { String::new() };
            (format!("file{at}.rpc"), format!("{import}struct t{at} {{ x: u8 }}\n"))
        };
        (0..count).map(file).collect()
    };
    fits("files", &files(256), "");
    refused(&files(257), "more than 256 files are imported");
}

#[test]
fn structs_have_512_fields_and_enums_4096_variants() {
    let fields = |count: usize| (0..count).map(|at| format!("f{at}: u8\n")).collect::<String>();
    let arguments = |count: usize| fields(count).trim_end().replace('\n', ", ");
    let variants = |count: usize| (0..count).map(|at| format!("v{at}\n")).collect::<String>();
    let text = |fields_: usize, variants_: usize| {
        format!(
            "struct a {{ {} }}\nexception b({})\nenum c {{ {} }}\nenum d {{ e({}) }}",
            fields(fields_),
            arguments(fields_),
            variants(variants_),
            arguments(fields_)
        )
    };
    fits("fields", &one(text(512, 4096)), "");
    refused(&one(text(513, 1)), "`a` has more than 512 fields");
    refused(&one(text(513, 1)), "`b` has more than 512 fields");
    refused(&one(text(513, 1)), "the variant `e` has more than 512 fields");
    refused(&one(text(1, 4097)), "`c` has more than 4096 variants");
}

#[test]
fn types_nest_16_deep() {
    let nested = |depth: usize| {
        let open = |at: usize| if at.is_multiple_of(2) { "option<" } else { "list<" };
        let open: String = (1..depth).map(open).collect();
        format!(
            "struct t0 {{ x: {open}u8{0} }}\ninterface user {{ plain(x: t0) -> t0\n \
             later(x: t0) -> option<list<t0>> :async }}",
            ">".repeat(depth - 1)
        )
    };
    fits("nested", &one(nested(16)), &used("T0"));
    refused(&one(nested(17)), "types are nested deeper than 16");
}

#[test]
fn methods_have_12_arguments_and_tuples_12_parts() {
    let text = |count: usize| {
        let arguments: Vec<_> = (0..count).map(|at| format!("a{at}: string")).collect();
        let parts = vec!["u8"; count].join(", ");
        format!("interface a {{ m({}) -> ({parts}) }}", arguments.join(", "))
    };
    fits("arguments", &one(text(12)), "");
    refused(&one(text(13)), "`m` has more than 12 arguments");
    refused(&one(text(13)), "a tuple has 2 to 12 parts, not 13");
}
