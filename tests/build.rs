//! Compiles the interface that the tests attack.

fn main() {
    peers_rpcc::compile("trial.rpc");
}
