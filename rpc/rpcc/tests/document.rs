//! The description of the language says what the compiler does.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use peers_rpcc::Compiler;

const PAGE: &str = include_str!("../../../docs/interface-language.md");

/// The blocks of the page that are marked with `kind`.
fn blocks(kind: &str) -> Vec<&'static str> {
    let opening = format!("```{kind}\n");
    let starts = PAGE.split(opening.as_str()).skip(1);
    starts.map(|rest| rest.split("\n```").next().unwrap_or_default()).collect()
}

/// The examples by the names in their first lines.
fn files() -> BTreeMap<String, String> {
    let file = |text: &str| {
        let name = text.lines().next().and_then(|line| line.strip_prefix("// "));
        (name.expect("the first line names the file").to_string(), text.to_string())
    };
    blocks("rpc").into_iter().map(file).collect()
}

fn compile(files: &BTreeMap<String, String>, name: &str) -> Result<String, String> {
    let compiler = Compiler::with_loader(|path: &Path| {
        let text = files.get(path.to_string_lossy().as_ref());
        text.cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    });
    compiler.compile(name).map(|output| output.rust).map_err(|errors| errors.to_string())
}

#[test]
fn examples_compile() {
    let files = files();
    assert!(files.len() >= 7);
    for name in files.keys() {
        if let Err(errors) = compile(&files, name) {
            panic!("{errors}");
        }
    }
}

#[test]
fn ids_are_those_that_the_compiler_writes() {
    let rust = compile(&files(), "p2p.rpc").unwrap_or_else(|errors| panic!("{errors}"));
    let rows = PAGE.lines().filter(|line| line.contains(")->") && line.contains("| `0x"));
    let mut checked = 0;
    for row in rows {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let at = rust.find(&format!("/// `{}`", cells[2])).expect("the method is there");
        let constant = rust[at..].lines().nth(1).unwrap_or_default().replace('_', "");
        assert!(constant.contains(cells[3]), "{} is not {}", cells[2], cells[3]);
        checked += 1;
    }
    assert_eq!(checked, 3);
}

#[test]
fn the_error_shown_is_the_error_reported() {
    let text = "\n\ninterface a {\n    get(key: string) -> string\n\n    \
                get(key: string, visited: list<string>) -> string\n}\n";
    let files = BTreeMap::from([("p2p.rpc".to_string(), text.to_string())]);
    let errors = compile(&files, "p2p.rpc").expect_err("an overload without a name");
    let shown = *blocks("text").last().expect("there is an error on the page");
    assert!(errors.starts_with(shown), "{errors}");
}

#[test]
fn every_built_in_word_is_described() {
    let words = [
        "bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "string",
        "bytes", "value",
    ];
    let fields = words.map(|word| format!("x{word}: {word}")).join(", ");
    let text = format!("struct a {{ {fields} }}");
    let files = BTreeMap::from([("a.rpc".to_string(), text)]);
    assert!(compile(&files, "a.rpc").is_ok());
    let directives = ["event", "async", "borrowed", "timeout", "throws", "name", "deprecated"];
    for word in words {
        assert!(PAGE.contains(&format!("`{word}`")), "{word} is not described");
    }
    for word in directives {
        assert!(PAGE.contains(&format!("| `:{word}")), ":{word} is not described");
    }
}
