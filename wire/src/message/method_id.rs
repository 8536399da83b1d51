//! The hash that turns a method's signature into its number on the wire: FNV-1a with 64 bits, and
//! nothing else. It identifies, it does not protect: never key a table by it without checking what
//! was found.

/// Returns the number of the method with this canonical signature, for example
/// `registry.node.get(string)->string`.
///
/// ```
/// const GET: u64 = peers_wire::method_id("registry.node.get(string)->string");
/// assert_ne!(GET, peers_wire::method_id("registry.node.put(string,string)->()"));
/// ```
#[must_use]
pub const fn method_id(signature: &str) -> u64 {
    let bytes = signature.as_bytes();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::method_id;

    #[test]
    fn published_test_values() {
        assert_eq!(method_id(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(method_id("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(method_id("foobar"), 0x8594_4171_f739_67e8);
    }
}
