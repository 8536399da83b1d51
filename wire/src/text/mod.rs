//! Text of others, shown so that nobody is deceived by it.

mod invisible;
mod quoted;

pub use invisible::is_invisible;
pub use quoted::Quoted;
