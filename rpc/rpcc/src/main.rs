//! `rpcc`: the interface compiler on the command line.
fn main() {}
