//! Compiles the interface.

fn main() {
    peers_rpcc::compile("chat.rpc");
}
