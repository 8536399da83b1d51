//! Reads hostile addresses, for the fuzz target and for a test with seeded mutations: nothing may
//! panic, and what is an address must print as what it is read from.

use crate::Address;

/// Reads `data` as an address. If it is one, its printed form must be the same address.
///
/// # Panics
/// If it is not.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Address>() {
        Ok(address) => {
            let again = address.to_string().parse();
            assert_eq!(again.as_ref(), Ok(&address), "{text:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty(), "an error has words"),
    }
}
