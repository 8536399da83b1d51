//! The same keys and values for every system.

use std::collections::HashMap;

/// Keys in the table.
pub const KEYS: usize = 1_000;

/// Bytes of a key.
pub const KEY_SIZE: usize = 16;

/// Bytes of a value.
pub const VALUE_SIZE: usize = 2 * KEY_SIZE;

/// The key with this number.
pub fn key(number: usize) -> String {
    format!("key-{:012}", number % KEYS)
}

/// All keys, in order.
pub fn keys() -> Vec<String> {
    (0..KEYS).map(key).collect()
}

/// The value that every server keeps under `key`.
pub fn value(key: &str) -> String {
    format!("{key}{key}")
}

/// What every server looks keys up in.
pub fn table() -> HashMap<String, String> {
    keys().into_iter().map(|key| (key.clone(), value(&key))).collect()
}
