//! Runs in a fuzzer, and in the tests on mutations of known files. No part of the interface of this
//! crate.

use std::io;
use std::path::Path;

use crate::compiler::Compiler;
use crate::schema::Schema;
use crate::source::MAX_FILE;

/// Compiles any bytes, which may import themselves and a file that is well, shows what is wrong,
/// and compares the file with itself.
///
/// # Panics
/// If the compiler does, or if a file differs from itself.
pub fn interface(bytes: &[u8]) {
    const IMPORTED: &str =
        "exception no_such_key(key: string)\ninterface node { get(key: string) -> string }";
    let text = String::from_utf8_lossy(bytes);
    let compiler = Compiler::with_loader(|path: &Path| match path.to_str() {
        Some("fuzzed.rpc") => Ok(text.clone().into_owned()),
        Some("imported/good.rpc" | "registry.rpc" | "x.rpc") => Ok(IMPORTED.into()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    });
    match compiler.compile("fuzzed.rpc") {
        Ok(output) => {
            assert!(output.rust.ends_with('\n'), "Rust is whole lines");
            let changes = compiler.compare("fuzzed.rpc", "fuzzed.rpc");
            assert!(
                changes.is_ok_and(|changes| changes.is_empty()),
                "a file is compatible with itself"
            );
            normal_form(&compiler);
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "a failure has a reason");
            assert!(diagnostics.render(false).ends_with('\n'), "diagnostics are whole lines");
        }
    }
}

/// Checks that the normal form of whatever compiles means the same, and is its own normal form.
fn normal_form(compiler: &Compiler<'_>) {
    let Ok(schema) = compiler.schema("fuzzed.rpc") else { panic!("it was compiled") };
    let printed = schema.printed();
    // Qualified names and indentation may take a file over the limit.
    if printed.values().any(|text| text.len() > MAX_FILE) {
        return;
    }
    let again = Compiler::with_loader(|path: &Path| {
        let name = path.to_string_lossy();
        printed.get(name.as_ref()).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    });
    let again = match again.schema("fuzzed.rpc") {
        Ok(again) => again,
        Err(errors) => panic!("a normal form does not compile: {errors}\n{printed:?}"),
    };
    assert_eq!(again.printed(), printed, "a normal form is its own");
    assert!(Schema::compare(&schema, &again).is_empty(), "a normal form changes nothing");
    assert_eq!(again.method_ids(), schema.method_ids(), "nor any id");
}
