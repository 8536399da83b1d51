//! Interfaces and methods made from a schema, and calls of them.

use crate::decode::{decode, decode_arguments, decode_named};
use crate::encode::{Typed, encode_fields};
use crate::fit::{Fit, Misfit};
use crate::value::Value;
use crate::{Full, intern};
use peers_rpc::wire::{self, Decode, Encode, Encoded, Reader, Writer};
use peers_rpc::{Caller, Convention, Error, ErrorKind};
use peers_rpcc::Schema;
use peers_rpcc::schema::{Field, InterfaceId, MethodId, Ty};
use std::fmt;
use std::sync::Arc;

/// All bytes that are left: the arguments or the result of a method, which knows how to read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest(pub Vec<u8>);

impl Encode for Rest {
    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&self.0);
    }
}

impl<'a> Decode<'a> for Rest {
    const MIN_SIZE: usize = 0;

    fn decode(r: &mut Reader<'a>) -> Result<Self, wire::Error> {
        let all = r.rest().len();
        r.take(all).map(|bytes| Self(bytes.to_vec()))
    }
}

/// Says why values could not be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Unfit {
    /// One is not of its type.
    Misfit(Misfit),
    /// The whole is over a limit of the wire.
    Wire(wire::Error),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misfit(misfit) => misfit.fmt(f),
            Self::Wire(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Unfit {}

impl From<Misfit> for Unfit {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}

impl From<wire::Error> for Unfit {
    fn from(error: wire::Error) -> Self {
        Self::Wire(error)
    }
}

/// An interface, as calls and objects need it. It is described once and for ever, within
/// [limits](crate::MOST_METHODS).
#[derive(Clone, Debug)]
pub struct Interface {
    schema: Arc<Schema>,
    id: InterfaceId,
    description: &'static peers_rpc::Interface,
}

impl Interface {
    /// Describes an interface of a schema.
    ///
    /// # Errors
    /// If this process describes as much as it may.
    pub fn new(schema: &Arc<Schema>, id: InterfaceId) -> Result<Self, Full> {
        let description = intern::interface(schema, id)?;
        Ok(Self { schema: schema.clone(), id, description })
    }

    /// Its name, `stem.interface`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.description.name
    }

    /// Its description, as generated code has one; with the text of its files.
    #[must_use]
    pub fn description(&self) -> &'static peers_rpc::Interface {
        self.description
    }

    /// Lists all its methods, inherited ones first.
    pub fn methods(&self) -> impl Iterator<Item = Method> + '_ {
        let methods = self.schema.interface(self.id).methods();
        methods.filter_map(|(id, _)| self.method(self.schema.wire_id(id)))
    }

    /// Finds the method with this id on the wire.
    #[must_use]
    pub fn method(&self, wire_id: u64) -> Option<Method> {
        let description = self.description.method(wire_id)?;
        let mut methods = self.schema.interface(self.id).methods();
        let (id, _) = methods.find(|(id, _)| self.schema.wire_id(*id) == wire_id)?;
        Some(Method { schema: self.schema.clone(), id, description })
    }

    /// Finds the method with this Rust name, which `:name` may have set: no other has it.
    #[must_use]
    pub fn find(&self, rust_name: &str) -> Option<Method> {
        let mut methods = self.description.methods.iter();
        self.method(methods.find(|method| method.rust_name == rust_name)?.id)
    }
}

/// A method, as calls and objects need it.
#[derive(Clone, Debug)]
pub struct Method {
    schema: Arc<Schema>,
    id: MethodId,
    description: &'static peers_rpc::Method,
}

impl Method {
    /// Its description, as generated code has one.
    #[must_use]
    pub fn description(&self) -> &'static peers_rpc::Method {
        self.description
    }

    /// Returns the schema that it is of.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Its arguments.
    #[must_use]
    pub fn arguments(&self) -> &[Field] {
        self.schema.method(self.id).arguments()
    }

    /// Returns the type of its result, if it has one.
    #[must_use]
    pub fn result(&self) -> Option<&Ty> {
        self.schema.method(self.id).result()
    }

    /// Returns how it ends.
    #[must_use]
    pub fn convention(&self) -> Convention {
        self.description.convention
    }

    /// Writes arguments, one for each.
    ///
    /// # Errors
    /// If one is not of its type, or the whole is over a limit.
    pub fn encode_arguments(&self, values: &[Value]) -> Result<Vec<u8>, Unfit> {
        let fields = self.arguments();
        Fit::new(&self.schema).fields(fields, values)?;
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        encode_fields(&self.schema, fields, values, &mut writer);
        writer.finish()?;
        Ok(bytes)
    }

    /// Reads arguments.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes.
    pub fn decode_arguments(&self, bytes: &[u8]) -> Result<Vec<Value>, wire::Error> {
        let mut reader = Reader::new(bytes);
        let values = decode_arguments(&self.schema, self.arguments(), &mut reader)?;
        reader.finish()?;
        Ok(values)
    }

    /// Writes a result; `None` iff the method has none.
    ///
    /// # Errors
    /// If it is not of its type, or over a limit.
    pub fn encode_result(&self, value: Option<&Value>) -> Result<Vec<u8>, Unfit> {
        match (self.result(), value) {
            (None, None) => Ok(Vec::new()),
            (Some(ty), Some(value)) => Ok(wire::to_vec(&Typed::new(&self.schema, ty, value)?)?),
            (None, Some(_)) => Err(Misfit::new("the method has no result").into()),
            (Some(_), None) => Err(Misfit::new("the method has a result").into()),
        }
    }

    /// Reads a result; `None` iff the method has none.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes.
    pub fn decode_result(&self, bytes: &[u8]) -> Result<Option<Value>, wire::Error> {
        let mut reader = Reader::new(bytes);
        let value = self.result().map(|ty| decode(&self.schema, ty, &mut reader)).transpose()?;
        reader.finish()?;
        Ok(value)
    }

    /// Reads the exception that an error carries, by its arguments, with its class: `None` if it
    /// carries none, one that the schema does not know, or one of another shape.
    #[must_use]
    pub fn raised(&self, error: &Error) -> Option<(String, Value)> {
        let ErrorKind::Raised(raised) = error.kind() else { return None };
        let id = self.schema.type_named(&raised.class)?;
        let mut reader = Reader::new(&raised.data);
        let value = decode_named(&self.schema, id, &mut reader).ok()?;
        Some((raised.class.clone(), value))
    }

    /// Describes a call; [`decode_result`](Self::decode_result) reads what comes back.
    ///
    /// # Errors
    /// If an argument is not of its type, or all are over a limit.
    pub fn call<C: Caller>(&self, caller: &C, arguments: &[Value]) -> Result<C::Call<Rest>, Unfit> {
        let bytes = self.encode_arguments(arguments)?;
        Ok(caller.call(self.description, Encoded(&bytes)))
    }

    /// Sends an event.
    ///
    /// # Errors
    /// If an argument is not of its type, or all are over a limit; inside, what is known at once of
    /// the endpoint.
    pub fn event<C: Caller>(
        &self,
        caller: &C,
        arguments: &[Value],
    ) -> Result<Result<(), Error>, Unfit> {
        let bytes = self.encode_arguments(arguments)?;
        Ok(caller.event(self.description, Encoded(&bytes)))
    }
}
