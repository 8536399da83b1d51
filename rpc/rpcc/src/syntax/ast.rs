//! The tree that the parser builds: what was written, where. Nothing here is resolved.

use std::time::Duration;

use crate::source::Span;

/// A name and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// `name`, or `stem.name` for something imported.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub(crate) stem: Option<Name>,
    pub(crate) name: Name,
}

impl Path {
    pub(crate) fn span(&self) -> Span {
        self.stem.as_ref().map_or(self.name.span, |stem| stem.span.to(self.name.span))
    }
}

/// A type as written.
#[derive(Clone, Debug)]
pub(crate) struct Type {
    pub(crate) kind: TypeKind,
    pub(crate) span: Span,
}

/// Says what kind of type was written.
#[derive(Clone, Debug)]
pub(crate) enum TypeKind {
    Scalar(Scalar),
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Option(Box<Type>),
    Tuple(Vec<Type>),
    Named(Path),
}

/// A built-in type without parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `bool`.
    Bool,
    /// `i8`.
    I8,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `u8`.
    U8,
    /// `u16`.
    U16,
    /// `u32`.
    U32,
    /// `u64`.
    U64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `string`.
    String,
    /// `bytes`.
    Bytes,
    /// `value`, which says itself what it is.
    Value,
}

impl Scalar {
    /// All of them, with their names and their Rust types, in order of declaration. The type of
    /// the last is one of the crate that generated code is written against.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 14] = [
        (Self::Bool, "bool", "::std::primitive::bool"),
        (Self::I8, "i8", "::std::primitive::i8"),
        (Self::I16, "i16", "::std::primitive::i16"),
        (Self::I32, "i32", "::std::primitive::i32"),
        (Self::I64, "i64", "::std::primitive::i64"),
        (Self::U8, "u8", "::std::primitive::u8"),
        (Self::U16, "u16", "::std::primitive::u16"),
        (Self::U32, "u32", "::std::primitive::u32"),
        (Self::U64, "u64", "::std::primitive::u64"),
        (Self::F32, "f32", "::std::primitive::f32"),
        (Self::F64, "f64", "::std::primitive::f64"),
        (Self::String, "string", "::std::string::String"),
        (Self::Bytes, "bytes", "::std::vec::Vec<::std::primitive::u8>"),
        (Self::Value, "value", "::wire::Value"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
    }

    /// Its name in interface files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Its Rust type; `rpc` is the path of the crate that generated code is written against.
    pub(crate) fn rust(self, rpc: &str) -> String {
        let rust = Self::ALL[self as usize].2;
        if self == Self::Value { format!("{rpc}{rust}") } else { rust.into() }
    }

    /// Returns true for types whose values can be compared exactly.
    pub(crate) fn is_total(self) -> bool {
        !matches!(self, Self::F32 | Self::F64 | Self::Value)
    }
}

/// The built-in types with parameters.
pub(crate) const CONTAINERS: [&str; 4] = ["list", "set", "map", "option"];

/// `name: type`: a field or an argument.
#[derive(Clone, Debug)]
pub(crate) struct FieldDecl {
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    pub(crate) ty: Type,
}

/// A variant of an enum.
#[derive(Clone, Debug)]
pub(crate) struct VariantDecl {
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    pub(crate) fields: Vec<FieldDecl>,
}

/// A method of an interface.
#[derive(Clone, Debug)]
pub(crate) struct MethodDecl {
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    pub(crate) arguments: Vec<FieldDecl>,
    pub(crate) result: Option<Type>,
    pub(crate) directives: Vec<Directive>,
}

/// `override name …`: another style for an inherited method.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) name: Name,
    /// `Some` iff a list of argument types chooses among overloads.
    pub(crate) arguments: Option<Vec<Type>>,
    pub(crate) result: Option<Type>,
    pub(crate) directives: Vec<Directive>,
}

/// A directive and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Directive {
    pub(crate) kind: DirectiveKind,
    pub(crate) span: Span,
}

/// Says what a directive says.
#[derive(Clone, Debug)]
pub(crate) enum DirectiveKind {
    Event,
    Async,
    Borrowed,
    /// Zero is for ever.
    Timeout(Duration),
    Throws(Vec<Path>),
    Name(Name),
    Deprecated(String),
}

impl DirectiveKind {
    /// Returns the word behind the colon.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Async => "async",
            Self::Borrowed => "borrowed",
            Self::Timeout(_) => "timeout",
            Self::Throws(_) => "throws",
            Self::Name(_) => "name",
            Self::Deprecated(_) => "deprecated",
        }
    }
}

/// A declaration of a file.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) docs: Vec<String>,
    pub(crate) name: Name,
    pub(crate) kind: ItemKind,
}

/// Says what is declared.
#[derive(Clone, Debug)]
pub(crate) enum ItemKind {
    Exception(Vec<FieldDecl>),
    Struct(Vec<FieldDecl>),
    Enum(Vec<VariantDecl>),
    Interface { base: Option<Path>, methods: Vec<MethodDecl>, overrides: Vec<Override> },
}

impl ItemKind {
    /// Returns its name with its article, as messages name it.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Exception(_) => "an exception",
            Self::Struct(_) => "a struct",
            Self::Enum(_) => "an enum",
            Self::Interface { .. } => "an interface",
        }
    }
}

/// `import "path"`, `import "path" in a::b`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) path: String,
    pub(crate) span: Span,
    /// `Some` iff the Rust of the file is somewhere else: the parts of its path, at least one.
    pub(crate) place: Option<Vec<Name>>,
}

/// A file.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileTree {
    pub(crate) imports: Vec<Import>,
    pub(crate) items: Vec<Item>,
}
