//! Descriptions that live as long as the process, as those of generated code do. Each is made once,
//! whoever asks for it, and never freed; so there is a limit to all of them together.
//!
//! Invariants:
//! 1. Equal descriptions are one. Kept by `room_is_taken_up_to_the_limit`.
//! 2. What would go beyond the limits is not made. Kept by `room_is_taken_up_to_the_limit`.

use peers_rpc::{Convention, Interface, InterfaceFile, Method};
use peers_rpcc::Schema;
use peers_rpcc::schema::{self, FileId, InterfaceId, MethodId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most methods that a process describes at run time.
pub const MOST_METHODS: usize = 16_384;

/// The most bytes that all these descriptions take.
pub const MOST_BYTES: usize = 2 << 20;

/// This process describes as many methods at run time as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "more than {MOST_METHODS} methods, or {} MiB of interfaces, were made in this process",
            MOST_BYTES >> 20
        )
    }
}

impl std::error::Error for Full {}

static TABLE: Mutex<Table> = Mutex::new(Table {
    names: BTreeSet::new(),
    methods: BTreeMap::new(),
    files: BTreeMap::new(),
    interfaces: BTreeMap::new(),
    count: 0,
    bytes: 0,
});

struct Table {
    names: BTreeSet<&'static str>,
    /// By id: two descriptions of one id differ in what is no part of the id.
    methods: BTreeMap<u64, Vec<&'static Method>>,
    files: BTreeMap<&'static str, Vec<&'static InterfaceFile>>,
    interfaces: BTreeMap<&'static str, Vec<&'static Interface>>,
    count: usize,
    bytes: usize,
}

fn table() -> MutexGuard<'static, Table> {
    // Each step leaves the table whole.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a name for ever.
pub(crate) fn name(text: &str) -> Result<&'static str, Full> {
    table().name(text)
}

/// Keeps the description of an interface, with the text of its files.
pub(crate) fn interface(schema: &Schema, id: InterfaceId) -> Result<&'static Interface, Full> {
    table().interface(schema, id)
}

impl Table {
    /// Takes room, or none.
    fn charge(&mut self, bytes: usize) -> Result<(), Full> {
        let all = self.bytes.checked_add(bytes).filter(|all| *all <= MOST_BYTES).ok_or(Full)?;
        self.bytes = all;
        Ok(())
    }

    fn name(&mut self, text: &str) -> Result<&'static str, Full> {
        if let Some(known) = self.names.get(text) {
            return Ok(known);
        }
        self.charge(text.len() + size_of::<&str>())?;
        let kept: &'static str = Box::leak(text.into());
        self.names.insert(kept);
        Ok(kept)
    }

    fn row<T: Copy>(&mut self, items: &[T]) -> Result<&'static [T], Full> {
        self.charge(size_of_val(items))?;
        Ok(Box::leak(items.into()))
    }

    fn method(
        &mut self,
        schema: &Schema,
        id: MethodId,
        convention: schema::Convention,
    ) -> Result<&'static Method, Full> {
        let declared = schema.method(id);
        let throws = declared.throws().iter().map(|class| self.name(&schema.type_name(*class)));
        let throws = throws.collect::<Result<Vec<_>, _>>()?;
        let (timeout, wire_id) = (declared.timeout(), schema.wire_id(id));
        let name = self.name(&schema.method_name(id))?;
        let rust_name = self.name(declared.rust_name())?;
        let signature = self.name(&schema.signature(id))?;
        let doc = self.name(&declared.docs().join("\n"))?;
        let deprecated = declared.deprecated().map(|text| self.name(text)).transpose()?;
        let convention = convention_of(convention);
        let known = self.methods.get(&wire_id).into_iter().flatten().find(|known| {
            // Texts are interned before they are compared, so that equal ones are one.
            (known.name, known.rust_name, known.signature, known.doc)
                == (name, rust_name, signature, doc)
                && (known.convention, known.timeout) == (convention, timeout)
                && (known.throws, known.deprecated) == (&throws[..], deprecated)
        });
        if let Some(known) = known {
            return Ok(known);
        }
        if self.count == MOST_METHODS {
            return Err(Full);
        }
        self.charge(size_of::<Method>())?;
        let throws = self.row(&throws)?;
        let method: &'static Method = Box::leak(Box::new(Method {
            id: wire_id,
            name,
            rust_name,
            signature,
            convention,
            timeout,
            throws,
            doc,
            deprecated,
        }));
        self.count += 1;
        self.methods.entry(wire_id).or_default().push(method);
        Ok(method)
    }

    fn file(&mut self, schema: &Schema, id: FileId) -> Result<&'static InterfaceFile, Full> {
        let (name, text) = (self.name(&schema.file(id).name())?, schema.print(id));
        let known = self.files.get(name).into_iter().flatten().find(|known| known.text == text);
        if let Some(known) = known {
            return Ok(known);
        }
        self.charge(size_of::<InterfaceFile>() + text.len())?;
        let text: &'static str = Box::leak(text.into());
        let file: &'static InterfaceFile = Box::leak(Box::new(InterfaceFile { name, text }));
        self.files.entry(name).or_default().push(file);
        Ok(file)
    }

    fn interface(&mut self, schema: &Schema, id: InterfaceId) -> Result<&'static Interface, Full> {
        let declared = schema.interface(id);
        let name = self.name(&schema.interface_name(id))?;
        let methods = declared.methods().map(|(id, how)| self.method(schema, id, how));
        let mut methods = methods.collect::<Result<Vec<_>, _>>()?;
        // Requests are looked up by id, by halves.
        methods.sort_by_key(|method| method.id);
        let files = schema.reached(declared.file());
        let files = files.into_iter().map(|file| self.file(schema, file));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let same = |known: &&&'static Interface| {
            let mut both = known.methods.iter().zip(&methods);
            known.methods.len() == methods.len()
                && both.all(|(one, other)| std::ptr::eq(*one, *other))
                && known.files == files
        };
        if let Some(known) = self.interfaces.get(name).into_iter().flatten().find(same) {
            return Ok(known);
        }
        self.charge(size_of::<Interface>())?;
        let (methods, files) = (self.row(&methods)?, self.row(&files)?);
        let interface: &'static Interface = Box::leak(Box::new(Interface { name, methods, files }));
        self.interfaces.entry(name).or_default().push(interface);
        Ok(interface)
    }
}

const fn convention_of(convention: schema::Convention) -> Convention {
    match convention {
        schema::Convention::Plain => Convention::Plain,
        schema::Convention::Async => Convention::Async,
        schema::Convention::Event => Convention::Event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_up_to_the_limit() {
        let mut table = Table {
            names: BTreeSet::new(),
            methods: BTreeMap::new(),
            files: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            count: 0,
            bytes: MOST_BYTES - 100,
        };
        assert!(table.name(&"x".repeat(50)).is_ok());
        assert_eq!(table.name(&"y".repeat(50)), Err(Full));
        assert!(table.name(&"x".repeat(50)).is_ok(), "what is known takes no room");
        assert!(table.names.len() == 1 && table.bytes <= MOST_BYTES);
    }
}
