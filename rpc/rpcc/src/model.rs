//! Holds what a set of interface files means, resolved and checked: the checker makes it, emitter
//! and comparison read it.
//!
//! Invariants:
//! 1. Every id in a model is of that model, every name in it can be written in Rust, and no two
//!    names of one Rust scope are the same. Kept by `libraries_compile_without_warnings`,
//!    `each_refused_name_would_indeed_be_another_method`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::source::FileId;
use crate::syntax::ast::{Name, Scalar};

/// A struct, enum or exception of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub(crate) usize);

/// An interface of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub(crate) usize);

/// A method, by the interface that declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodId {
    pub(crate) interface: InterfaceId,
    pub(crate) index: usize,
}

/// A declaration, in a file's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemId {
    /// A struct, an enum or an exception.
    Type(TypeId),
    /// An interface.
    Interface(InterfaceId),
}

/// A type, resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
    /// A built-in type without parameters.
    Scalar(Scalar),
    /// `list<T>`.
    List(Box<Self>),
    /// `set<T>`.
    Set(Box<Self>),
    /// `map<K, V>`.
    Map(Box<Self>, Box<Self>),
    /// `option<T>`.
    Option {
        /// The type of what it may hold.
        of: Box<Self>,
        /// True iff the option holds, with no other option between, a type that leads back to the
        /// one it stands in: such an option is a level of depth.
        boxed: bool,
    },
    /// `(T, U, …)`, of two to twelve parts.
    Tuple(Vec<Self>),
    /// A struct or an enum.
    Named(TypeId),
}

impl Ty {
    /// Returns true iff it is spelled otherwise as the type of an argument that is lent.
    pub(crate) fn is_lent(&self) -> bool {
        match self {
            Self::Scalar(scalar) => matches!(scalar, Scalar::String | Scalar::Bytes),
            Self::List(of) | Self::Set(of) | Self::Option { of, .. } => of.is_lent(),
            Self::Map(key, value) => key.is_lent() || value.is_lent(),
            Self::Tuple(parts) => parts.iter().any(Self::is_lent),
            Self::Named(_) => false,
        }
    }

    /// Returns true iff it is spelled otherwise as the type of a result that may be lent.
    pub(crate) fn is_lent_as_result(&self) -> bool {
        match self {
            Self::Scalar(scalar) => {
                matches!(scalar, Scalar::String | Scalar::Bytes | Scalar::Value)
            }
            Self::List(_) | Self::Set(_) | Self::Map(..) | Self::Named(_) => true,
            Self::Option { of, .. } => of.is_lent_as_result(),
            Self::Tuple(parts) => parts.iter().any(Self::is_lent_as_result),
        }
    }
}

/// A field or an argument.
#[derive(Clone, Debug)]
pub struct Field {
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    /// In snake case, not escaped.
    pub(crate) rust: String,
    pub(crate) ty: Ty,
}

impl Field {
    /// Returns true iff its values may be missing at the end of a struct.
    pub(crate) const fn is_optional(&self) -> bool {
        matches!(self.ty, Ty::Option { .. })
    }
}

/// A variant of an enum.
#[derive(Clone, Debug)]
pub struct Variant {
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    pub(crate) rust: String,
    pub(crate) fields: Vec<Field>,
}

/// Says what a type consists of.
#[derive(Clone, Debug)]
pub enum Kind {
    /// An exception, by its arguments.
    Exception(Vec<Field>),
    /// A struct, by its fields.
    Struct(Vec<Field>),
    /// An enum, by its variants.
    Enum(Vec<Variant>),
}

/// A struct, enum or exception.
#[derive(Clone, Debug)]
pub struct TypeDef {
    pub(crate) file: FileId,
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    pub(crate) rust: String,
    pub(crate) kind: Kind,
    /// Its values can be compared exactly: no floats, no self-describing values in it.
    pub(crate) total: bool,
    /// It has a default.
    pub(crate) default: bool,
}

impl TypeDef {
    /// Returns all fields, those of all variants included.
    pub(crate) fn fields(&self) -> Box<dyn Iterator<Item = &Field> + '_> {
        match &self.kind {
            Kind::Exception(fields) | Kind::Struct(fields) => Box::new(fields.iter()),
            Kind::Enum(variants) => Box::new(variants.iter().flat_map(|variant| &variant.fields)),
        }
    }

    /// Returns what `fields` does, to change them.
    pub(crate) fn fields_mut(&mut self) -> Box<dyn Iterator<Item = &mut Field> + '_> {
        match &mut self.kind {
            Kind::Exception(fields) | Kind::Struct(fields) => Box::new(fields.iter_mut()),
            Kind::Enum(variants) => {
                Box::new(variants.iter_mut().flat_map(|variant| &mut variant.fields))
            }
        }
    }
}

/// Says how a method ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// It returns its result.
    Plain,
    /// It is `:async`: it is given a reply to resume.
    Async,
    /// It is an `:event`: nobody waits for it.
    Event,
}

/// Says how a method is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) convention: Convention,
    /// It is lent its arguments, and one that returns may return what it only lends.
    pub(crate) borrowed: bool,
}

impl Style {
    /// Returns true iff the result may be lent.
    pub(crate) fn lends_result(self) -> bool {
        self.borrowed && self.convention == Convention::Plain
    }
}

/// A method where it is declared.
#[derive(Clone, Debug)]
pub struct Method {
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    /// In snake case, not escaped.
    pub(crate) rust: String,
    pub(crate) arguments: Vec<Field>,
    pub(crate) result: Option<Ty>,
    pub(crate) style: Style,
    /// `Some` iff `:timeout` is; zero is for ever.
    pub(crate) timeout: Option<Duration>,
    pub(crate) throws: Vec<TypeId>,
    pub(crate) deprecated: Option<String>,
}

impl Method {
    /// Returns true iff anything of it is lent if it is implemented in this style.
    pub(crate) fn lends(&self, style: Style) -> bool {
        let lent = |argument: &Field| argument.ty.is_lent();
        (style.borrowed && self.arguments.iter().any(lent))
            || (style.lends_result() && self.result.as_ref().is_some_and(Ty::is_lent_as_result))
    }
}

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    pub(crate) file: FileId,
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    pub(crate) base: Option<InterfaceId>,
    /// Holds those it declares itself.
    pub(crate) methods: Vec<Method>,
    /// All methods with their final styles: inherited ones first.
    pub(crate) flat: Vec<(MethodId, Style)>,
}

/// A file.
#[derive(Clone, Debug)]
pub struct File {
    /// With its ending, without its folder.
    pub(crate) file_name: String,
    pub(crate) stem: String,
    /// The files that it imports itself, in the order in which it does.
    pub(crate) imports: Vec<FileId>,
    pub(crate) items: Vec<ItemId>,
    /// `Some` iff its Rust is not part of the output, but somewhere else.
    pub(crate) elsewhere: Option<Elsewhere>,
}

/// Where the Rust of a file is that an `import … in …` leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    /// The module that passes its names on: `::peers_registry`, `crate::common`.
    pub(crate) path: String,
    /// Names that the module has given others: it was compiled from a file that imports this one.
    pub(crate) renamed: BTreeMap<String, String>,
}

/// A set of files; the one the user named is the first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// The Rust path of the crate that generated code is written against.
    pub(crate) rpc: String,
    pub(crate) files: Vec<File>,
    pub(crate) types: Vec<TypeDef>,
    pub(crate) interfaces: Vec<Interface>,
}

impl Model {
    pub(crate) fn file(&self, id: FileId) -> &File {
        &self.files[id.0]
    }

    pub(crate) fn ty(&self, id: TypeId) -> &TypeDef {
        &self.types[id.0]
    }

    pub(crate) fn interface(&self, id: InterfaceId) -> &Interface {
        &self.interfaces[id.0]
    }

    pub(crate) fn method(&self, id: MethodId) -> &Method {
        &self.interface(id.interface).methods[id.index]
    }

    /// Returns a file and everything that it imports, directly or not, itself first.
    pub(crate) fn reached(&self, from: FileId) -> Vec<FileId> {
        let mut reached = vec![from];
        let mut next = 0;
        while let Some(file) = reached.get(next) {
            for import in self.file(*file).imports.clone() {
                if !reached.contains(&import) {
                    reached.push(import);
                }
            }
            next += 1;
        }
        reached
    }

    /// Returns the name of a declaration.
    pub(crate) fn name(&self, item: ItemId) -> &Name {
        match item {
            ItemId::Type(id) => &self.ty(id).name,
            ItemId::Interface(id) => &self.interface(id).name,
        }
    }

    /// Returns the file of a declaration.
    pub(crate) fn file_of(&self, item: ItemId) -> FileId {
        match item {
            ItemId::Type(id) => self.ty(id).file,
            ItemId::Interface(id) => self.interface(id).file,
        }
    }

    /// Returns `stem.name` of a type: the wire class of an exception.
    pub(crate) fn type_name(&self, id: TypeId) -> String {
        let ty = self.ty(id);
        format!("{}.{}", self.file(ty.file).stem, ty.name.text)
    }

    /// Returns `stem.interface`.
    pub(crate) fn interface_name(&self, id: InterfaceId) -> String {
        let interface = self.interface(id);
        format!("{}.{}", self.file(interface.file).stem, interface.name.text)
    }

    /// Returns `stem.interface.method`.
    pub(crate) fn method_name(&self, id: MethodId) -> String {
        format!("{}.{}", self.interface_name(id.interface), self.method(id).name.text)
    }

    /// Returns how a type is spelled on the wire: no spaces, structs and enums by their bare names.
    pub(crate) fn canonical(&self, ty: &Ty) -> String {
        match ty {
            Ty::Scalar(scalar) => scalar.name().into(),
            Ty::List(of) => format!("list<{}>", self.canonical(of)),
            Ty::Set(of) => format!("set<{}>", self.canonical(of)),
            Ty::Map(key, value) => {
                format!("map<{},{}>", self.canonical(key), self.canonical(value))
            }
            Ty::Option { of, .. } => format!("option<{}>", self.canonical(of)),
            Ty::Tuple(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.canonical(part)).collect();
                format!("({})", parts.join(","))
            }
            Ty::Named(id) => self.ty(*id).name.text.clone(),
        }
    }

    /// Returns `(argument types)`, canonically.
    pub(crate) fn canonical_arguments(&self, method: &Method) -> String {
        let types = method.arguments.iter().map(|argument| self.canonical(&argument.ty));
        format!("({})", types.collect::<Vec<_>>().join(","))
    }

    /// Returns the result, canonically; `()` if there is none.
    pub(crate) fn canonical_result(&self, method: &Method) -> String {
        method.result.as_ref().map_or_else(|| "()".into(), |ty| self.canonical(ty))
    }

    /// Returns `stem.interface.method(argument types)->result`: what the id of a method is the hash
    /// of.
    pub(crate) fn canonical_method(&self, id: MethodId) -> String {
        let method = self.method(id);
        let arguments = self.canonical_arguments(method);
        format!("{}{arguments}->{}", self.method_name(id), self.canonical_result(method))
    }

    /// Returns the id of a method on the wire.
    pub(crate) fn wire_id(&self, id: MethodId) -> u64 {
        fnv1a(self.canonical_method(id).as_bytes())
    }

    /// Returns `(name: type, ...)`, for people.
    pub(crate) fn show_fields(&self, fields: &[Field]) -> String {
        let show = |field: &Field| format!("{}: {}", field.name.text, self.show(&field.ty));
        format!("({})", fields.iter().map(show).collect::<Vec<_>>().join(", "))
    }

    /// Returns a type for people: as on the wire, with spaces behind commas.
    pub(crate) fn show(&self, ty: &Ty) -> String {
        self.canonical(ty).replace(',', ", ")
    }

    /// Returns `name(argument: type, ...) -> type`, for people.
    pub(crate) fn signature(&self, method: &Method) -> String {
        let arguments = self.show_fields(&method.arguments);
        let result = method.result.as_ref().map(|ty| format!(" -> {}", self.show(ty)));
        format!("{}{arguments}{}", method.name.text, result.unwrap_or_default())
    }
}

/// Hashes by FNV-1a with 64 bits.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
