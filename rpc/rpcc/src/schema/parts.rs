//! Parts of a schema tell here of themselves. The [`Schema`](super::Schema) answers all questions
//! that need the names of others.

use std::time::Duration;

use crate::model::{
    Convention, Field, File, Interface, InterfaceId, ItemId, Kind, Method, MethodId, Ty, TypeDef,
    TypeId, Variant,
};
use crate::source::FileId;

impl File {
    /// Its name, `STEM.rpc`, without a folder.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.rpc", self.stem)
    }

    /// Its name without the ending: the first part of every name on the wire.
    #[must_use]
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// Returns the files that it imports itself, in order.
    #[must_use]
    pub fn imports(&self) -> &[FileId] {
        &self.imports
    }

    /// Its declarations, in order.
    #[must_use]
    pub fn items(&self) -> &[ItemId] {
        &self.items
    }
}

impl TypeDef {
    /// Returns the file that declares it.
    #[must_use]
    pub const fn file(&self) -> FileId {
        self.file
    }

    /// Its bare name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.text
    }

    /// Its documentation, line by line.
    #[must_use]
    pub fn docs(&self) -> &[String] {
        &self.docs
    }

    /// Its fields or variants.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Returns whether its values have an order: no floats and no `value` in it.
    #[must_use]
    pub const fn is_ordered(&self) -> bool {
        self.total
    }
}

impl Field {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.text
    }

    /// Its documentation, line by line.
    #[must_use]
    pub fn docs(&self) -> &[String] {
        &self.docs
    }

    /// Its type.
    #[must_use]
    pub const fn ty(&self) -> &Ty {
        &self.ty
    }
}

impl Variant {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.text
    }

    /// Its documentation, line by line.
    #[must_use]
    pub fn docs(&self) -> &[String] {
        &self.docs
    }

    /// Its fields.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

impl Method {
    /// Its name on the wire, which overloads share.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.text
    }

    /// Its name in Rust, which `:name` may have set: no other method of its interface has it.
    #[must_use]
    pub fn rust_name(&self) -> &str {
        &self.rust
    }

    /// Its documentation, line by line.
    #[must_use]
    pub fn docs(&self) -> &[String] {
        &self.docs
    }

    /// Its arguments.
    #[must_use]
    pub fn arguments(&self) -> &[Field] {
        &self.arguments
    }

    /// Returns the type of its result, if it has one.
    #[must_use]
    pub const fn result(&self) -> Option<&Ty> {
        self.result.as_ref()
    }

    /// Returns how it ends where it is declared; an interface that extends that one may have it
    /// otherwise.
    #[must_use]
    pub const fn convention(&self) -> Convention {
        self.style.convention
    }

    /// Returns the time-out that it declares; zero is for ever.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns the exceptions that it declares.
    #[must_use]
    pub fn throws(&self) -> &[TypeId] {
        &self.throws
    }

    /// Returns the text of `:deprecated`.
    #[must_use]
    pub fn deprecated(&self) -> Option<&str> {
        self.deprecated.as_deref()
    }
}

impl Interface {
    /// Returns the file that declares it.
    #[must_use]
    pub const fn file(&self) -> FileId {
        self.file
    }

    /// Its bare name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.text
    }

    /// Its documentation, line by line.
    #[must_use]
    pub fn docs(&self) -> &[String] {
        &self.docs
    }

    /// Returns the interface that it extends.
    #[must_use]
    pub const fn base(&self) -> Option<InterfaceId> {
        self.base
    }

    /// Returns all its methods, inherited ones first, each with how it ends here.
    pub fn methods(&self) -> impl ExactSizeIterator<Item = (MethodId, Convention)> {
        self.flat.iter().map(|(method, style)| (*method, style.convention))
    }

    /// Returns the methods that it declares itself, if it is the interface `id`.
    pub(super) fn declared(&self, id: InterfaceId) -> impl Iterator<Item = MethodId> + use<> {
        (0..self.methods.len()).map(move |index| MethodId { interface: id, index })
    }
}

impl MethodId {
    /// Returns the interface that declares it.
    #[must_use]
    pub const fn interface(self) -> InterfaceId {
        self.interface
    }
}
