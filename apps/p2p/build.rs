//! Compiles the interface.

fn main() {
    peers_rpcc::compile("p2p.rpc");
}
