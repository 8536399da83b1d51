//! Compiles the interface.

fn main() {
    peers_rpcc::compile("numbers.rpc");
}
