//! The interface compiler.

#[path = "../../../rpc/rpcc/benches/interface/mod.rs"]
mod interface;

use peers_rpcc::Compiler;

pub(crate) fn compile(lines: u64) {
    let text = interface::text(lines);
    let compiler = Compiler::with_loader(|_| Ok(text.clone()));
    let output = compiler.compile("map.rpc").expect("the file is well");
    assert!(output.rust.len() as u64 > lines, "it has become Rust");
}
