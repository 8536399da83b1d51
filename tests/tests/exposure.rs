//! Nobody listens for the whole world by accident.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::{Address, AlreadyBound, Endpoint, ErrorKind, InsecureBind, Kernel, Rpc, Security};

#[test]
fn listening_for_everybody_needs_a_word() {
    let kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    let rpc = Rpc::new(&kernel.handle());
    let accept = |_: Endpoint| -> Result<(), AlreadyBound> { Ok(()) };
    for open in ["inet:0.0.0.0:0", "inet:[::]:0", "inet:192.0.2.1:0", "inet:example.org:0"] {
        let address: Address = open.parse().unwrap();
        let error = rpc.listen(&address, accept).unwrap_err();
        let refused = ErrorKind::InsecureBind(InsecureBind { address });
        assert_eq!(*error.kind(), refused);
        let words = error.to_string();
        assert!(words.contains("--insecure") && words.contains("Security::Insecure"), "{words}");
    }
    for private in ["inet:localhost:0", "inet:127.0.0.1:0", "inet:127.1.2.3:0", "inet:[::1]:0"] {
        rpc.listen(private, accept).unwrap();
    }
    rpc.listen_with(Security::Insecure, "inet:0.0.0.0:0", accept).unwrap(); // closed again at once
}
