//! Addresses as programs name them: parsed, or as text.

use peers_kernel::{Address, AddressError};

/// Names an address: an [`Address`], or its text such as `inet:localhost:5000`.
///
/// ```
/// use peers_rpc::{Address, ToAddress};
///
/// let parsed: Address = "inet:localhost:5000".parse()?;
/// assert_eq!("inet:localhost:5000".to_address()?, parsed);
/// assert_eq!(parsed.to_address()?, parsed);
/// assert!("localhost:5000".to_address().is_err());
/// # Ok::<(), peers_rpc::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no address",
    label = "expected a `&str` such as \"inet:localhost:5000\", or an `Address`"
)]
pub trait ToAddress {
    /// Returns the address that is named.
    ///
    /// # Errors
    /// If the text is no address.
    fn to_address(&self) -> Result<Address, AddressError>;

    /// Returns the name as it was written, for messages.
    #[doc(hidden)]
    fn as_written(&self) -> String;
}

impl ToAddress for Address {
    fn to_address(&self) -> Result<Address, AddressError> {
        Ok(self.clone())
    }

    fn as_written(&self) -> String {
        self.to_string()
    }
}

impl ToAddress for str {
    fn to_address(&self) -> Result<Address, AddressError> {
        self.parse()
    }

    fn as_written(&self) -> String {
        self.to_owned()
    }
}

impl ToAddress for String {
    fn to_address(&self) -> Result<Address, AddressError> {
        self.parse()
    }

    fn as_written(&self) -> String {
        self.clone()
    }
}

impl<T: ToAddress + ?Sized> ToAddress for &T {
    fn to_address(&self) -> Result<Address, AddressError> {
        (**self).to_address()
    }

    fn as_written(&self) -> String {
        (**self).as_written()
    }
}
