//! The tutorial's registry, as the examples in this crate's documentation use it: what rpcc writes for it.

include!("../rpcc/tests/golden/registry/registry.rs");
