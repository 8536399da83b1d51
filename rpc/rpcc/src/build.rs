//! The compiler as a line of `build.rs`. Speaks cargo's protocol on stdout; errors go to stderr, where cargo shows them.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use crate::compiler::Compiler;

/// Compiles an interface file, for a build script: `registry.rpc` becomes `registry.rs` in cargo's `OUT_DIR`, from
/// where `peers_rpc::include_rpc!("registry")` includes it.
///
/// `path` is relative to the package. Cargo is told to run the script again when the file or something it imports
/// changes. If anything is wrong, the errors are printed and the process exits with code 1, which ends the build.
///
/// ```no_run
/// // build.rs
/// fn main() {
///     peers_rpcc::compile("registry.rpc");
/// }
/// ```
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a build script talks to cargo")]
#[expect(clippy::needless_doctest_main, reason = "the example is a whole build script")]
pub fn compile(path: impl AsRef<Path>) {
    match to_out_dir(path.as_ref()) {
        Ok(files) => {
            for file in files {
                println!("cargo::rerun-if-changed={}", file.display());
            }
        }
        Err(message) => {
            eprintln!("{}", message.trim_end());
            process::exit(1);
        }
    }
}

/// Compiles and writes; returns the files to watch, or what is to be printed.
fn to_out_dir(path: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: call this from build.rs")?;
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let compiler = Compiler::with_loader(|file| fs::read_to_string(package.join(file)));
    let output = compiler.compile(path).map_err(|diagnostics| diagnostics.to_string())?;
    let name = path.with_extension("rs");
    let name = name.file_name().ok_or_else(|| format!("{} is not a file", path.display()))?;
    let target = Path::new(&folder).join(name);
    fs::write(&target, output.rust)
        .map_err(|error| format!("cannot write {}: {error}", target.display()))?;
    Ok(output.files)
}
