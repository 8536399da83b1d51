//! An endpoint as what calls and events go through.

use super::{Call, Plan};
use crate::Error;
use crate::interface::Method;
use crate::interface::caller::Caller;
use crate::link::buffers::MOST_FOR_ARGUMENTS;
use crate::link::endpoint::Endpoint;
use peers_wire::{DecodeOwned, Encode, Writer};

impl Endpoint {
    /// Encodes arguments, once, into memory that the process lends to one call after the other.
    #[inline(always)]
    fn encode(&self, arguments: impl Encode) -> Result<Vec<u8>, Error> {
        let mut memory = self.context().buffers.lend_for_arguments();
        let mut writer = Writer::with_limit(&mut memory, MOST_FOR_ARGUMENTS);
        arguments.encode(&mut writer);
        match writer.finish() {
            Ok(()) => Ok(memory),
            Err(peers_wire::Error::OutputTooLarge { size, .. }) => {
                self.context().buffers.take_arguments_back(memory);
                self.encode_many(size, &arguments)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Encodes arguments of so many bytes, which will leave from the memory that they are encoded
    /// into.
    #[cold]
    fn encode_many(&self, size: usize, arguments: &impl Encode) -> Result<Vec<u8>, Error> {
        let mut memory = self.handle().pooled_buffer_for(size);
        peers_wire::append(&mut memory, arguments)?;
        Ok(memory)
    }
}

impl Caller for Endpoint {
    type Call<T: DecodeOwned + Send + 'static> = Call<T>;

    #[inline(always)]
    fn call<T: DecodeOwned + Send + 'static>(
        &self,
        method: &'static Method,
        arguments: impl Encode,
    ) -> Call<T> {
        Call::new(self.clone(), Plan::new(method, self.encode(arguments)))
    }

    fn event(&self, method: &'static Method, arguments: impl Encode) -> Result<(), Error> {
        let link = self.link().ok_or_else(|| self.gone())?;
        link.event(method, self.encode(arguments)?)
    }
}
