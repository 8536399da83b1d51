//! Nobody listens for the whole world by accident.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::{Address, AlreadyBound, Endpoint, InsecureBind, Kernel, Rpc, Security};

#[test]
fn listening_for_everybody_needs_a_word() {
    let kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    let rpc = Rpc::new(&kernel.handle());
    let accept = |_: Endpoint| -> Result<(), AlreadyBound> { Ok(()) };
    for open in ["inet:0.0.0.0:0", "inet:[::]:0", "inet:192.0.2.1:0", "inet:example.org:0"] {
        let address: Address = open.parse().unwrap();
        let error = rpc.listen(&address, accept).unwrap_err();
        let refused = error.get_ref().and_then(|error| error.downcast_ref::<InsecureBind>());
        assert_eq!(refused.map(|refused| &refused.address), Some(&address), "{error}");
        let words = error.to_string();
        assert!(words.contains("--insecure") && words.contains("Security::Insecure"), "{words}");
    }
    for private in ["inet:localhost:0", "inet:127.0.0.1:0", "inet:127.1.2.3:0", "inet:[::1]:0"] {
        rpc.listen(&private.parse().unwrap(), accept).unwrap();
    }
    let everybody = "inet:0.0.0.0:0".parse().unwrap();
    rpc.listen_with(Security::Insecure, &everybody, accept).unwrap(); // closed again at once
}
