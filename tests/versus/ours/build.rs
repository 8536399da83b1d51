//! Compiles the interface.

fn main() {
    peers_rpcc::compile("bench.rpc");
}
