//! Holds what server and client share: the interface, and how an address is written.

#![forbid(unsafe_code)]

use peers_rpc::Address;
use versus_load::Options;

peers_rpc::include_rpc!("bench");

/// The address in the flags: `HOST:PORT` or `unix:/path`.
///
/// # Errors
/// When it is neither.
pub fn address(options: &Options) -> Result<Address, Box<dyn std::error::Error>> {
    let text = match options.unix_path() {
        Some(_) => options.addr.clone(),
        None => format!("inet:{}", options.addr),
    };
    Ok(text.parse()?)
}
