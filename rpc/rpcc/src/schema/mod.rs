//! The meaning of a file and its imports, for programs: read by [`Compiler::schema`], to be looked
//! at, printed and compared. Nothing here can be changed.
//!
//! ```
//! use peers_rpcc::{Compiler, Schema};
//!
//! let text = "interface echo { say(text: string) -> string // back\n}";
//! let compiler = Compiler::with_loader(|_path| Ok(text.into()));
//! let schema = compiler.schema("echo.rpc")?;
//! let echo = schema.interface_named("echo.echo").expect("it is declared there");
//! let (say, _) = schema.interface(echo).methods().next().expect("it has a method");
//! assert_eq!(schema.signature(say), "say(text: string) -> string");
//! assert_eq!(
//!     schema.print(schema.root()),
//!     "interface echo {\n    say(text: string) -> string\n}\n"
//! );
//! assert!(Schema::compare(&schema, &schema).is_empty());
//! # Ok::<(), peers_rpcc::Diagnostics>(())
//! ```
//!
//! Ids ([`FileId`], [`TypeId`], [`InterfaceId`], [`MethodId`]) belong to the schema that gave them
//! out; with another one they name something else, or nothing, which panics.
//!
//! [`Compiler::schema`]: crate::Compiler::schema

mod parts;

use std::collections::BTreeMap;

use crate::compat::{self, Change};
use crate::model::Model;
pub use crate::model::{
    Convention, Field, File, Interface, InterfaceId, ItemId, Kind, Method, MethodId, Ty, TypeDef,
    TypeId, Variant,
};
use crate::print;
pub use crate::source::FileId;
pub use crate::syntax::ast::Scalar;

/// A file and everything it imports, resolved and checked.
#[derive(Clone, Debug)]
pub struct Schema {
    model: Model,
}

impl Schema {
    pub(crate) fn new(model: Model) -> Self {
        Self { model }
    }

    /// Prints the normal form of a file: declarations in their order, documentation, the directives
    /// `:event`, `:async`, `:timeout`, `:throws`, `:name` and `:deprecated`, imports by file name,
    /// imported types as `stem.name`.
    ///
    /// What is printed means the same to every peer, and printing it again changes nothing.
    #[must_use]
    pub fn print(&self, file: FileId) -> String {
        print::print(&self.model, file)
    }

    /// Prints all files, by their names `STEM.rpc`.
    #[must_use]
    pub fn printed(&self) -> BTreeMap<String, String> {
        let named = |file| (self.file(file).name(), self.print(file));
        self.files().map(named).collect()
    }

    /// Compares two versions of a file, as `rpcc check` does: by what old and new programs
    /// understand of each other.
    #[must_use]
    pub fn compare(old: &Self, new: &Self) -> Vec<Change> {
        compat::compare(&old.model, &new.model)
    }
}

/// Ids.
impl Schema {
    /// Returns the file that was asked for.
    #[must_use]
    pub const fn root(&self) -> FileId {
        FileId(0)
    }

    /// Returns all files, that one first.
    pub fn files(&self) -> impl ExactSizeIterator<Item = FileId> + use<> {
        (0..self.model.files.len()).map(FileId)
    }

    /// Returns all structs, enums and exceptions.
    pub fn types(&self) -> impl ExactSizeIterator<Item = TypeId> + use<> {
        (0..self.model.types.len()).map(TypeId)
    }

    /// Returns all interfaces.
    pub fn interfaces(&self) -> impl ExactSizeIterator<Item = InterfaceId> + use<> {
        (0..self.model.interfaces.len()).map(InterfaceId)
    }

    /// Returns the file with this stem.
    #[must_use]
    pub fn file_named(&self, stem: &str) -> Option<FileId> {
        self.files().find(|id| self.file(*id).stem() == stem)
    }

    /// Returns the struct, enum or exception of this name, `stem.name`.
    #[must_use]
    pub fn type_named(&self, name: &str) -> Option<TypeId> {
        let (stem, name) = name.split_once('.')?;
        let fits = |id: &TypeId| {
            let ty = self.ty(*id);
            ty.name() == name && self.file(ty.file()).stem() == stem
        };
        self.types().find(fits)
    }

    /// Returns the interface of this name, `stem.name`.
    #[must_use]
    pub fn interface_named(&self, name: &str) -> Option<InterfaceId> {
        let (stem, name) = name.split_once('.')?;
        let fits = |id: &InterfaceId| {
            let interface = self.interface(*id);
            interface.name() == name && self.file(interface.file()).stem() == stem
        };
        self.interfaces().find(fits)
    }

    /// Returns a file and everything that it imports, directly or not, itself first.
    #[must_use]
    pub fn reached(&self, file: FileId) -> Vec<FileId> {
        self.model.reached(file)
    }
}

/// What ids name.
impl Schema {
    /// Returns a file.
    #[must_use]
    pub fn file(&self, id: FileId) -> &File {
        self.model.file(id)
    }

    /// Returns a struct, enum or exception.
    #[must_use]
    pub fn ty(&self, id: TypeId) -> &TypeDef {
        self.model.ty(id)
    }

    /// Returns an interface.
    #[must_use]
    pub fn interface(&self, id: InterfaceId) -> &Interface {
        self.model.interface(id)
    }

    /// Returns a method where it is declared.
    #[must_use]
    pub fn method(&self, id: MethodId) -> &Method {
        self.model.method(id)
    }

    /// Returns the full name of a type, `stem.name`: that of an exception travels as its class.
    #[must_use]
    pub fn type_name(&self, id: TypeId) -> String {
        self.model.type_name(id)
    }

    /// Returns the full name of an interface, `stem.name`.
    #[must_use]
    pub fn interface_name(&self, id: InterfaceId) -> String {
        self.model.interface_name(id)
    }

    /// Returns the full name of a method, `stem.interface.method`.
    #[must_use]
    pub fn method_name(&self, id: MethodId) -> String {
        self.model.method_name(id)
    }

    /// Returns the declaration of a method for people, without directives: `get(key: string) ->
    /// string`.
    #[must_use]
    pub fn signature(&self, id: MethodId) -> String {
        self.model.signature(self.method(id))
    }

    /// Returns a type for people, as signatures spell it.
    #[must_use]
    pub fn show(&self, ty: &Ty) -> String {
        self.model.show(ty)
    }

    /// Returns the text that the id of a method is the hash of: `stem.interface.method(argument
    /// types)->result`.
    #[must_use]
    pub fn canonical(&self, id: MethodId) -> String {
        self.model.canonical_method(id)
    }

    /// Returns the id of a method on the wire.
    #[must_use]
    pub fn wire_id(&self, id: MethodId) -> u64 {
        self.model.wire_id(id)
    }

    /// Returns the wire ids of all methods where they are declared, by their canonical spellings.
    #[must_use]
    pub fn method_ids(&self) -> BTreeMap<String, u64> {
        let methods =
            self.interfaces().flat_map(|interface| self.interface(interface).declared(interface));
        methods.map(|id| (self.canonical(id), self.wire_id(id))).collect()
    }
}
