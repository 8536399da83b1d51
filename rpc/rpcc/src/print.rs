//! The normal form of an interface file: what it means, spelled in one way. Comments, `:borrowed`,
//! folders of imports and `in` are no part of it, since they mean nothing to a peer.
//!
//! Invariants:
//! 1. The normal form of a normal form is the same text. Kept by `it_is_spelled_in_one_way`,
//!    `every_interface_file_of_the_tree_has_one`.
//! 2. It has the ids of the file that it was made from, and compares to it as "nothing changed".
//!    Kept by `every_interface_file_of_the_tree_has_one`.

use std::time::Duration;

use crate::model::{
    Convention, Field, Interface, InterfaceId, ItemId, Kind, Method, MethodId, Model, Ty, TypeDef,
    TypeId, Variant,
};
use crate::names;
use crate::source::FileId;

/// Units of time, the longest first, in milliseconds.
const UNITS: [(&str, u128); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Returns the normal form of a file of a model.
pub(crate) fn print(model: &Model, file: FileId) -> String {
    let mut printer = Printer { model, file, text: String::new(), indent: 0 };
    for import in &model.file(file).imports {
        printer.line(&format!("import \"{}.rpc\"", model.file(*import).stem));
    }
    for item in &model.file(file).items {
        // A blank line in front of each declaration but the first.
        if !printer.text.is_empty() {
            printer.text.push('\n');
        }
        match item {
            ItemId::Type(id) => printer.ty(model.ty(*id)),
            ItemId::Interface(id) => printer.interface(*id),
        }
    }
    printer.text
}

struct Printer<'m> {
    model: &'m Model,
    /// Names of other files are written with their stems.
    file: FileId,
    text: String,
    indent: usize,
}

impl Printer<'_> {
    fn line(&mut self, line: &str) {
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n("    ", self.indent));
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn docs(&mut self, docs: &[String]) {
        for doc in docs {
            // The reader takes one space off, so that further ones are the text's own.
            let line = if doc.is_empty() { "///".into() } else { format!("/// {doc}") };
            self.line(&line);
        }
    }

    fn ty(&mut self, ty: &TypeDef) {
        self.docs(&ty.docs);
        let name = &ty.name.text;
        match &ty.kind {
            Kind::Exception(fields) if fields.is_empty() => {
                self.line(&format!("exception {name}"));
            }
            Kind::Exception(fields) => self.row(&format!("exception {name}"), fields, ""),
            Kind::Struct(fields) => self.block(&format!("struct {name}"), fields, |out, field| {
                out.docs(&field.docs);
                let line = out.field(field);
                out.line(&line);
            }),
            Kind::Enum(variants) => self.block(&format!("enum {name}"), variants, Self::variant),
        }
    }

    fn variant(&mut self, variant: &Variant) {
        self.docs(&variant.docs);
        if variant.fields.is_empty() {
            self.line(&variant.name.text);
        } else {
            self.row(&variant.name.text, &variant.fields, "");
        }
    }

    /// Writes `before { … }`, each part in lines of its own.
    fn block<T>(&mut self, before: &str, parts: &[T], part: impl Fn(&mut Self, &T)) {
        if parts.is_empty() {
            return self.line(&format!("{before} {{}}"));
        }
        self.line(&format!("{before} {{"));
        self.indent += 1;
        parts.iter().for_each(|one| part(self, one));
        self.indent -= 1;
        self.line("}");
    }

    /// Writes `before(fields)after` in one line; in several if a field is documented.
    fn row(&mut self, before: &str, fields: &[Field], after: &str) {
        if fields.iter().all(|field| field.docs.is_empty()) {
            let fields = fields.iter().map(|field| self.field(field));
            let fields = fields.collect::<Vec<_>>().join(", ");
            return self.line(&format!("{before}({fields}){after}"));
        }
        self.line(&format!("{before}("));
        self.indent += 1;
        for field in fields {
            self.docs(&field.docs);
            let line = self.field(field) + ",";
            self.line(&line);
        }
        self.indent -= 1;
        self.line(&format!("){after}"));
    }

    fn field(&self, field: &Field) -> String {
        format!("{}: {}", field.name.text, self.spell(&field.ty))
    }

    fn spell(&self, ty: &Ty) -> String {
        match ty {
            Ty::Scalar(scalar) => scalar.name().into(),
            Ty::List(of) => format!("list<{}>", self.spell(of)),
            Ty::Set(of) => format!("set<{}>", self.spell(of)),
            Ty::Map(key, value) => format!("map<{}, {}>", self.spell(key), self.spell(value)),
            Ty::Option { of, .. } => format!("option<{}>", self.spell(of)),
            Ty::Tuple(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.spell(part)).collect();
                format!("({})", parts.join(", "))
            }
            Ty::Named(id) => self.named(*id),
        }
    }

    /// Returns a name as this file says it.
    fn named(&self, id: TypeId) -> String {
        let ty = self.model.ty(id);
        if ty.file == self.file { ty.name.text.clone() } else { self.model.type_name(id) }
    }

    fn base(&self, id: InterfaceId) -> String {
        let base = self.model.interface(id);
        if base.file == self.file { base.name.text.clone() } else { self.model.interface_name(id) }
    }

    fn interface(&mut self, id: InterfaceId) {
        let interface = self.model.interface(id);
        self.docs(&interface.docs);
        let mut before = format!("interface {}", interface.name.text);
        if let Some(base) = interface.base {
            before.push_str(" extends ");
            before.push_str(&self.base(base));
        }
        let overrides = self.overrides(interface);
        if overrides.is_empty() && interface.methods.is_empty() {
            return self.line(&format!("{before} {{}}"));
        }
        self.line(&format!("{before} {{"));
        self.indent += 1;
        overrides.iter().for_each(|line| self.line(line));
        interface.methods.iter().for_each(|method| self.method(method));
        self.indent -= 1;
        self.line("}");
    }

    /// Returns the overrides that callers could notice if they looked: those of the convention.
    fn overrides(&self, interface: &Interface) -> Vec<String> {
        let Some(base) = interface.base else { return Vec::new() };
        let inherited = &self.model.interface(base).flat;
        // Inherited methods stand first, and in the order that they have in the base.
        debug_assert!(inherited.len() <= interface.flat.len(), "a base has no other methods");
        let changed = inherited.iter().zip(&interface.flat).filter(|(before, after)| {
            debug_assert_eq!(before.0, after.0, "in the base's order");
            before.1.convention != after.1.convention
        });
        changed
            .map(|(_, (method, style))| self.overriding(base, *method, style.convention))
            .collect()
    }

    fn overriding(&self, base: InterfaceId, id: MethodId, convention: Convention) -> String {
        let method = self.model.method(id);
        let name = &method.name.text;
        let named = |other: &MethodId| self.model.method(*other).name.text == *name;
        let overloads = self.model.interface(base).flat.iter().filter(|(id, _)| named(id)).count();
        let mut line = format!("override {name}");
        if overloads > 1 {
            // An override is found by the bare names of its types, whatever file they are of.
            line.push_str(&self.model.canonical_arguments(method).replace(',', ", "));
        }
        if convention == Convention::Async {
            line.push_str(" :async");
        }
        line
    }

    fn method(&mut self, method: &Method) {
        self.docs(&method.docs);
        let result = method.result.as_ref().map(|ty| format!(" -> {}", self.spell(ty)));
        let after = result.unwrap_or_default() + &self.directives(method);
        self.row(&method.name.text, &method.arguments, &after);
    }

    fn directives(&self, method: &Method) -> String {
        let mut said = match method.style.convention {
            Convention::Plain => String::new(),
            Convention::Event => " :event".into(),
            Convention::Async => " :async".into(),
        };
        if let Some(timeout) = method.timeout {
            said.push_str(&format!(" :timeout {}", time(timeout)));
        }
        if !method.throws.is_empty() {
            let throws = method.throws.iter().map(|id| self.named(*id));
            said.push_str(&format!(" :throws {}", throws.collect::<Vec<_>>().join(", ")));
        }
        // A name that is the usual one says nothing.
        if method.rust != names::snake(&method.name.text) {
            said.push_str(&format!(" :name {}", method.rust));
        }
        if let Some(text) = &method.deprecated {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            said.push_str(&format!(" :deprecated \"{text}\""));
        }
        said
    }
}

/// Returns a time-out in the longest unit that it is a whole number of.
fn time(timeout: Duration) -> String {
    let milliseconds = timeout.as_millis();
    if milliseconds == 0 {
        return "0".into();
    }
    let whole = UNITS.iter().find(|(_, scale)| milliseconds.is_multiple_of(*scale));
    whole.map_or_else(String::new, |(unit, scale)| format!("{}{unit}", milliseconds / scale))
}
