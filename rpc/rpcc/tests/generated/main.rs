//! Tests what generated code does, compiled against a stand-in for `peers_rpc`; and that it
//! compiles without a warning wherever it is included.

extern crate self as peers_rpc;

mod behaviour;
mod hostile;
mod limits;
mod lints;
mod methods;
#[allow(dead_code)] // generated code decides what is needed
mod stand_in;
mod tools;

pub use stand_in::*;

/// The generated files, each in a module.
#[allow(unreachable_pub)] // in a test, nothing is reachable
#[allow(deprecated)]
pub(crate) mod golden {
    pub(crate) mod borrowed {
        include!("../golden/borrowed/borrowed.rs");
    }
    pub(crate) mod documented {
        include!("../golden/documented/documented.rs");
    }
    pub(crate) mod everywhere {
        include!("../golden/everywhere/everywhere.rs");
    }
    pub(crate) mod names {
        include!("../golden/names/names.rs");
    }
    pub(crate) mod p2p {
        include!("../golden/p2p/p2p.rs");
    }
    pub(crate) mod registry {
        include!("../golden/registry/registry.rs");
    }
    pub(crate) mod shared {
        include!("../golden/shared/shared.rs");
    }
    pub(crate) mod spans {
        include!("../golden/spans/spans.rs");
    }
    pub(crate) mod tree {
        include!("../golden/tree/tree.rs");
    }
    pub(crate) mod types {
        include!("../golden/types/types.rs");
    }
    pub(crate) mod wide {
        include!("../golden/wide/wide.rs");
    }
}
