//! The tutorial's registry, as the examples in this crate's documentation use it: what rpcc writes
//! for it.

include!("golden/registry.rs");
