//! The compiler on a long file, from its text to the text of the Rust. Run with
//! `cargo bench -p peers-rpcc`.

#[path = "../../../kernel/benches/harness/mod.rs"]
mod harness;
mod interface;

use harness::{report, say, timed};
use peers_rpcc::Compiler;

fn main() {
    for (name, lines) in [("100", 100), ("1,000", 1_000), ("10,000", 10_000)] {
        let text = interface::text(lines);
        let compiler = Compiler::with_loader(|_| Ok(text.clone()));
        let mut rust = String::new();
        let best = report(&format!("a line of a file of {name} lines"), "-", lines, || {
            timed(|| rust = compiler.compile("map.rpc").expect("the file is well").rust)
        });
        let per_second = lines as f64 / best.as_secs_f64() / 1e3;
        let what = format!("{per_second:.0} k lines, {} lines of Rust", rust.lines().count());
        say("  in a second", &what);
    }
}
