//! Runs in a fuzzer, and in the tests on mutations of known files. No part of the interface of this
//! crate.

use std::io;
use std::path::Path;

use crate::compiler::Compiler;

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
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "a failure has a reason");
            assert!(diagnostics.render(false).ends_with('\n'), "diagnostics are whole lines");
        }
    }
}
