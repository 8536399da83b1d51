//! Compiles the interface; needs capnp.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    capnpc::CompilerCommand::new().file("bench.capnp").run()?;
    Ok(())
}
