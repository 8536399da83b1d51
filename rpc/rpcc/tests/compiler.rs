//! The compiler as a library: loaders, limits, what diagnostics tell.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use peers_rpcc::{Compiler, Diagnostics, Output};

mod difference;

use difference::assert_same;

fn compile(text: &str) -> Result<Output, Diagnostics> {
    Compiler::with_loader(|_| Ok(text.into())).compile("test.rpc")
}

fn messages(result: Result<Output, Diagnostics>) -> Vec<String> {
    let Err(diagnostics) = result else { panic!("there is no error") };
    diagnostics.iter().map(|diagnostic| diagnostic.message.to_string()).collect()
}

#[test]
fn imports_are_asked_for_by_joined_paths() {
    let asked = RefCell::new(Vec::new());
    let compiler = Compiler::with_loader(|path| {
        asked.borrow_mut().push(path.to_path_buf());
        Ok(match path.to_string_lossy().as_ref() {
            "a/b/root.rpc" => "import \"../c/one.rpc\"\nimport \"./two.rpc\"".into(),
            "a/c/one.rpc" => "import \"../b/two.rpc\"".into(),
            _ => "struct x { y: u8 }".into(),
        })
    });
    let output = compiler.compile("./a/./b/root.rpc").expect("all is well");
    let expected = ["a/b/root.rpc", "a/c/one.rpc", "a/b/two.rpc"].map(PathBuf::from);
    assert_eq!(*asked.borrow(), expected, "each file is read once");
    assert_eq!(output.files, expected);
}

#[test]
fn what_cannot_be_read_is_told() {
    let failing = |kind: io::ErrorKind| Compiler::with_loader(move |_| Err(io::Error::from(kind)));
    let errors =
        failing(io::ErrorKind::NotFound).compile("a.rpc").map(|_| ()).expect_err("no file");
    assert_eq!(
        errors.to_string(),
        "error: cannot read `a.rpc`: there is no such file\n\n1 error\n"
    );
    let denied = failing(io::ErrorKind::PermissionDenied).compile("a.rpc");
    assert_eq!(messages(denied), ["cannot read `a.rpc`: permission denied"]);
}

#[test]
fn files_have_a_limit() {
    let large = " ".repeat((1 << 20) + 1);
    assert_eq!(
        messages(compile(&large)),
        ["cannot read `test.rpc`: it has more than 1048576 bytes"]
    );
    assert!(compile(&large[1..]).is_ok());
}

#[test]
fn the_ending_counts() {
    let compiler = Compiler::with_loader(|_| Ok("struct a { x: u8 }".into()));
    assert_eq!(messages(compiler.compile("a.idl")), ["`a.idl` is no interface file"]);
    assert_eq!(
        messages(compiler.compile("u8.rpc")),
        ["`u8` cannot be the name of an interface file"]
    );
}

#[test]
fn imports_have_a_limit() {
    let compiler = Compiler::with_loader(|path: &Path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let next = stem.trim_start_matches("file").parse::<u32>().unwrap_or_default() + 1;
        Ok(format!("import \"file{next}.rpc\""))
    });
    let expected = "cannot import `file256.rpc`: more than 256 files are imported";
    assert_eq!(messages(compiler.compile("file0.rpc")), [expected]);
}

#[test]
fn methods_have_a_limit() {
    let mut text = String::from("interface base {\n");
    (0..1000).for_each(|n| writeln!(text, "m{n}()").expect("strings grow"));
    text.push_str("}\n");
    (0..16).for_each(|n| {
        writeln!(text, "interface derived{n} extends base {{}}").expect("strings grow")
    });
    let expected = "more than 16384 methods, inherited ones included";
    assert_eq!(messages(compile(&text)), [expected]);
}

#[test]
fn long_chains_of_types_and_interfaces_are_no_recursion() {
    let chain = |line: &dyn Fn(u32, u32) -> String| (1..8000).map(|n| line(n, n - 1)).collect();
    let structs: String = chain(&|n, before| format!("struct s{n} {{ x: s{before} }}\n"));
    let expected = "what `s100` contains goes 101 steps deep, and Rust cannot go deeper than 100";
    assert_eq!(messages(compile(&format!("struct s0 {{ x: f64 }}\n{structs}"))), [expected]);
    let faces: String = chain(&|n, before| format!("interface a{n} extends a{before} {{}}\n"));
    let expected = "`a64` extends more than 63 interfaces in a row";
    assert_eq!(messages(compile(&format!("interface a0 {{ m() }}\n{faces}"))), [expected]);
    // A circle of them is long, too, whichever type one begins with.
    let circle: String = chain(&|n, before| format!("struct s{n} {{ x: option<s{before}> }}\n"));
    let circle = format!("struct s0 {{ x: list<s7999> }}\n{circle}");
    assert_eq!(messages(compile(&circle)).len(), 1);
}

#[test]
fn diagnostics_say_where() {
    let errors = compile("struct a { x: u8 }\nstruct b { y: ä }\n").expect_err("a stray letter");
    let found: Vec<_> = errors.iter().map(|error| (error.line, error.column)).collect();
    assert_eq!(found, [(2, 15)]);
    let errors = compile("struct a { x: u8 }\nstruct b { ü: zz }\n").expect_err("a stray letter");
    let first = errors.iter().next().expect("there is one");
    assert_eq!((first.file, first.line, first.column), (Path::new("test.rpc"), 2, 12));
    assert!(first.help.is_some());
    assert!(errors.render(true).contains("\u{1b}["), "colours on demand");
    assert!(!errors.render(false).contains('\u{1b}'));
}

#[test]
fn only_so_many_errors_are_shown() {
    let mut text = String::new();
    (0..60).for_each(|n| writeln!(text, "enum e{n} {{}}").expect("strings grow"));
    let errors = compile(&text).expect_err("no variants");
    assert_eq!(errors.len(), 60);
    assert!(errors.to_string().ends_with("error: 10 more not shown\n\n60 errors\n"));
}

/// Whatever is wrong, describing it takes little: neither one long line nor very many errors are
/// shown as a whole.
#[test]
fn what_is_shown_of_errors_is_bounded() {
    let word = "x".repeat(1000);
    for text in [
        "\u{1}".repeat(1 << 20),
        "!".repeat(1 << 20),
        "\n!".repeat(1 << 19),
        "\u{20ac} ".repeat((1 << 20) / 4),
        format!("struct {}", "a".repeat(1 << 19)).repeat(2),
        format!("struct a {{ {word}: {word} }}\n").repeat(500),
        "struct a { x: y }".repeat((1 << 20) / 17),
        "struct a { x: y }\n".repeat((1 << 20) / 18),
        format!("struct a {{ {} }}", "x: option<y>, ".repeat((1 << 20) / 15)),
        format!("interface a {{ {} }}", "m(x: y) ".repeat((1 << 20) / 10)),
        format!("/*{}", "\u{1b}".repeat((1 << 20) - 2)),
        format!("/// {}", "\u{200e}".repeat((1 << 20) / 4)),
        "\"".repeat(1 << 20),
        "import \"a.rpc\"\n".repeat((1 << 20) / 15),
    ] {
        let what: String = text.chars().take(20).collect();
        let errors = compile(&text).expect_err(&what);
        let shown = errors.to_string();
        assert!(shown.len() < 100_000, "{what:?} shows {} bytes", shown.len());
        let longest = shown.lines().map(|line| line.chars().count()).max();
        assert!(longest < Some(900), "{what:?} shows a line of {longest:?} characters");
        assert!(errors.iter().count() <= 1000 && !errors.is_empty());
        let hidden =
            |c: char| c.is_control() && c != '\n' || ('\u{200b}'..='\u{200f}').contains(&c);
        assert!(!shown.contains(hidden), "{what:?}");
        assert!(errors.iter().all(|error| !error.message.contains(hidden)), "{what:?}");
    }
}

#[test]
fn names_of_files_in_messages_are_harmless() {
    let compiler = Compiler::with_loader(|_| Ok("struct".into()));
    let errors = compiler.compile("a\u{1b}[31m\u{202e}/b.rpc").expect_err("no struct").to_string();
    assert!(errors.contains(r"--> a\u{1b}[31m\u{202e}/b.rpc:1:7"), "{errors}");
    let missing = Compiler::with_loader(|_| Err(io::Error::from(io::ErrorKind::NotFound)));
    let errors = missing.compile("a\u{7}.rpc").expect_err("no file").to_string();
    assert!(errors.contains(r"cannot read `a\u{7}.rpc`"), "{errors}");
}

#[test]
fn the_same_text_gives_the_same_rust() {
    let text = include_str!("golden/types/types.rpc");
    let rust = || compile(text).expect("it is well").rust;
    assert_same(&rust(), &rust(), "the second output");
}

/// Windows line ends and a byte order mark are not worth a difference.
#[test]
fn line_ends_make_no_difference() {
    let text = include_str!("golden/types/types.rpc");
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let rust = |text: &str| compile(text).expect("it is well").rust;
    assert_same(&rust(text), &rust(&windows), "what becomes of it with line ends of Windows");
}
