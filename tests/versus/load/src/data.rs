//! Makes keys and values, equal for every system.

use std::collections::HashMap;
use std::rc::Rc;

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

/// All keys with their values: what a client asks for and compares with, made once and shared by
/// its tasks.
#[derive(Clone, Debug)]
pub struct Words(Rc<[(String, String)]>);

impl Words {
    /// All of them.
    pub fn all() -> Self {
        Self(keys().into_iter().map(|key| (key.clone(), value(&key))).collect())
    }

    /// The key with this number, and its value; numbers go round.
    pub fn at(&self, number: usize) -> (&str, &str) {
        let (key, value) = &self.0[number % self.0.len()];
        (key, value)
    }
}

/// Returns what every server looks keys up in.
pub fn table() -> HashMap<String, String> {
    keys().into_iter().map(|key| (key.clone(), value(&key))).collect()
}
