//! The service, as tarpc writes it.

#![allow(missing_docs, reason = "the macro writes items without documentation")]

/// Holds the calls that are measured.
#[tarpc::service]
pub trait Bench {
    /// The value under `key`.
    async fn get(key: String) -> String;
    /// Sends `data` back.
    async fn echo(data: Vec<u8>) -> Vec<u8>;
    /// Takes `data`.
    async fn push(data: Vec<u8>);
}
