//! First stage: each declaration gets an id, each name that is used finds its declaration.

use std::collections::BTreeMap;

use super::directives;
use crate::diagnostics::{MAX_SUGGESTED, Report, Reports};
use crate::load::{Loaded, ParsedFile};
use crate::model::{
    Field, File, Interface, InterfaceId, ItemId, Kind, Method, Model, Ty, TypeDef, TypeId, Variant,
};
use crate::names;
use crate::source::{FileId, Sources};
use crate::syntax::ast::{self, CONTAINERS, ItemKind, Name, Scalar, TypeKind};

/// The most arguments of a method and parts of a tuple: what the codec implements.
const MAX_PARTS: usize = 12;

/// Lists what types are called elsewhere, and here.
const ELSEWHERE: [(&str, &str); 15] = [
    ("array", "list"),
    ("byte", "u8"),
    ("char", "string"),
    ("dict", "map"),
    ("double", "f64"),
    ("float", "f32"),
    ("HashMap", "map"),
    ("HashSet", "set"),
    ("int", "i32"),
    ("isize", "i64"),
    ("long", "i64"),
    ("str", "string"),
    ("uint", "u32"),
    ("usize", "u64"),
    ("vec", "list"),
];

/// Resolves all files.
pub(super) fn resolve(loaded: &Loaded, sources: &Sources, reports: &mut Reports) -> Model {
    let mut resolver = Resolver { loaded, scopes: Vec::new(), model: Model::default(), reports };
    resolver.declare(sources);
    for (at, parsed) in loaded.files.iter().enumerate() {
        for item in &parsed.tree.items {
            resolver.item(FileId(at), item);
        }
    }
    resolver.model
}

/// Resolves the base of an interface, types and exceptions, in the scope of a file.
pub(super) struct Resolver<'r> {
    loaded: &'r Loaded,
    /// Holds what each file declares.
    scopes: Vec<BTreeMap<&'r str, (ItemId, &'r ast::Item)>>,
    model: Model,
    pub(super) reports: &'r mut Reports,
}

/// Declarations.
impl<'r> Resolver<'r> {
    /// Gives out ids in the order in which `item` is going to fill them in.
    fn declare(&mut self, sources: &Sources) {
        let (mut types, mut interfaces) = (0, 0);
        for (at, parsed) in self.loaded.files.iter().enumerate() {
            let mut scope = BTreeMap::new();
            let mut items = Vec::new();
            for item in &parsed.tree.items {
                let id = if let ItemKind::Interface { .. } = item.kind {
                    interfaces += 1;
                    ItemId::Interface(InterfaceId(interfaces - 1))
                } else {
                    types += 1;
                    ItemId::Type(TypeId(types - 1))
                };
                items.push(id);
                self.declare_item(&mut scope, id, item);
            }
            self.scopes.push(scope);
            self.model.files.push(file(parsed, &sources.get(FileId(at)).path, items));
        }
    }

    fn declare_item(
        &mut self,
        scope: &mut BTreeMap<&'r str, (ItemId, &'r ast::Item)>,
        id: ItemId,
        item: &'r ast::Item,
    ) {
        let name = item.name.text.as_str();
        if is_built_in(name) {
            let title = format!("`{name}` is a built-in type");
            self.reports.push(Report::new(item.name.span, title, "choose another name"));
        } else if let Some((_, first)) = scope.get(name) {
            let title = format!("`{name}` is declared twice");
            let report = Report::new(item.name.span, title, "again here");
            self.reports.push(report.and(first.name.span, "first here"));
        } else {
            scope.insert(name, (id, item));
        }
    }

    fn item(&mut self, file: FileId, item: &ast::Item) {
        let kind = match &item.kind {
            ItemKind::Exception(fields) => Kind::Exception(self.fields(file, fields)),
            ItemKind::Struct(fields) => Kind::Struct(self.fields(file, fields)),
            ItemKind::Enum(variants) => Kind::Enum(self.variants(file, item, variants)),
            ItemKind::Interface { base, methods, .. } => {
                return self.interface(file, item, base.as_ref(), methods);
            }
        };
        let rust = self.type_name(&item.name);
        let docs = item.docs.clone();
        let name = item.name.clone();
        let (total, default) = (true, true);
        self.model.types.push(TypeDef { file, docs, name, rust, kind, total, default });
    }

    fn variants(
        &mut self,
        file: FileId,
        item: &ast::Item,
        variants: &[ast::VariantDecl],
    ) -> Vec<Variant> {
        if variants.is_empty() {
            let title = format!("the enum `{}` has no variants", item.name.text);
            self.reports.push(Report::new(item.name.span, title, "no value of it can exist"));
        }
        let resolved = variants.iter().map(|variant| Variant {
            docs: variant.docs.clone(),
            name: variant.name.clone(),
            rust: self.variant_name(&variant.name),
            fields: self.fields(file, &variant.fields),
        });
        let resolved: Vec<_> = resolved.collect();
        self.distinct(resolved.iter().map(|variant| (&variant.name, variant.rust.as_str())));
        resolved
    }

    fn interface(
        &mut self,
        file: FileId,
        item: &ast::Item,
        base: Option<&ast::Path>,
        methods: &[ast::MethodDecl],
    ) {
        self.type_name(&item.name);
        let base = base.and_then(|path| self.base(file, path));
        let methods = methods.iter().map(|method| self.method(file, method)).collect();
        let (docs, name) = (item.docs.clone(), item.name.clone());
        let flat = Vec::new();
        self.model.interfaces.push(Interface { file, docs, name, base, methods, flat });
    }

    fn method(&mut self, file: FileId, method: &ast::MethodDecl) -> Method {
        let reported = self.reports.len();
        let arguments = self.fields(file, &method.arguments);
        if arguments.len() > MAX_PARTS {
            let title = format!("`{}` has more than {MAX_PARTS} arguments", method.name.text);
            let report = Report::new(method.name.span, title, "");
            self.reports.push(report.help("put some of them into a struct"));
        }
        let result = method.result.as_ref().and_then(|ty| self.ty(file, ty));
        let said = directives::of_method(self, file, method);
        let rust = match &said.name {
            Some(rust) => self.chosen_name(rust),
            None => self.value_name(&method.name),
        };
        let resolved = Method {
            docs: method.docs.clone(),
            name: method.name.clone(),
            rust,
            arguments,
            result,
            style: said.style,
            timeout: said.timeout,
            throws: said.throws,
            deprecated: said.deprecated,
        };
        // Whether there is anything to borrow is known only if its types are.
        if self.reports.len() == reported {
            self.reports.extend(directives::idle(&method.directives, &resolved, said.style));
        }
        resolved
    }

    fn fields(&mut self, file: FileId, fields: &[ast::FieldDecl]) -> Vec<Field> {
        let mut resolved = Vec::new();
        for field in fields {
            let rust = self.value_name(&field.name);
            if let Some(ty) = self.ty(file, &field.ty) {
                let (docs, name) = (field.docs.clone(), field.name.clone());
                resolved.push(Field { docs, name, rust, ty });
            }
        }
        self.distinct(resolved.iter().map(|field| (&field.name, field.rust.as_str())));
        resolved
    }
}

/// Names in Rust.
impl Resolver<'_> {
    /// Reports parts of one declaration whose names are the same in Rust.
    fn distinct<'n>(&mut self, parts: impl Iterator<Item = (&'n Name, &'n str)>) {
        let mut seen: BTreeMap<&str, &Name> = BTreeMap::new();
        for (name, rust) in parts {
            let Some(first) = seen.get(rust) else {
                seen.insert(rust, name);
                continue;
            };
            let title = if first.text == name.text {
                format!("`{}` is there twice", name.text)
            } else {
                format!("`{}` and `{}` are both `{rust}` in Rust", first.text, name.text)
            };
            let report = Report::new(name.span, title, "again here");
            self.reports.push(report.and(first.span, "first here"));
        }
    }

    fn impossible(&mut self, name: &Name, rust: &str) {
        let title = format!("`{}` cannot be a name in Rust", name.text);
        let label = format!("`{rust}` is a keyword that cannot be escaped");
        self.reports.push(Report::new(name.span, title, label).help("choose another name"));
    }

    /// Returns the Rust name of a field, an argument or a method.
    fn value_name(&mut self, name: &Name) -> String {
        let rust = names::snake(&name.text);
        if names::is_impossible(&rust) {
            self.impossible(name, &rust);
        }
        rust
    }

    /// Returns the Rust name that `:name` gives.
    fn chosen_name(&mut self, name: &Name) -> String {
        let rust = self.value_name(name);
        if rust != name.text {
            let title = format!("`{}` does not look like a method of Rust", name.text);
            let report = Report::new(name.span, title, "").help(format!("write `:name {rust}`"));
            self.reports.push(report);
        }
        rust
    }

    fn variant_name(&mut self, name: &Name) -> String {
        let rust = names::camel(&name.text);
        if names::is_impossible(&rust) {
            self.impossible(name, &rust);
        }
        rust
    }

    fn type_name(&mut self, name: &Name) -> String {
        let rust = names::camel(&name.text);
        if names::is_prelude(&rust) && !is_built_in(&name.text) {
            let title = format!("`{}` would hide Rust's `{rust}`", name.text);
            self.reports.push(Report::new(name.span, title, "").help("choose another name"));
        }
        rust
    }
}

/// Uses of names.
impl<'r> Resolver<'r> {
    fn ty(&mut self, file: FileId, ty: &ast::Type) -> Option<Ty> {
        let boxed = |ty: Option<Ty>| ty.map(Box::new);
        Some(match &ty.kind {
            TypeKind::Scalar(scalar) => Ty::Scalar(*scalar),
            TypeKind::List(of) => Ty::List(boxed(self.ty(file, of))?),
            TypeKind::Set(of) => Ty::Set(boxed(self.ty(file, of))?),
            TypeKind::Map(key, value) => {
                let key = boxed(self.ty(file, key));
                Ty::Map(key?, boxed(self.ty(file, value))?)
            }
            TypeKind::Option(of) => Ty::Option { of: boxed(self.ty(file, of))?, boxed: false },
            TypeKind::Tuple(parts) => {
                if !(2..=MAX_PARTS).contains(&parts.len()) {
                    let title = format!("a tuple has 2 to {MAX_PARTS} parts, not {}", parts.len());
                    let help = match parts.len() {
                        0 => {
                            "a method without result has no `->`; for nothing, declare `struct nothing {}`"
                        }
                        1 => "leave out the parentheses",
                        _ => "put some of them into a struct",
                    };
                    self.reports.push(Report::new(ty.span, title, "").help(help));
                    return None;
                }
                let parts: Vec<_> = parts.iter().map(|part| self.ty(file, part)).collect();
                Ty::Tuple(parts.into_iter().collect::<Option<_>>()?)
            }
            TypeKind::Named(path) => Ty::Named(self.named_type(file, path)?),
        })
    }

    fn named_type(&mut self, file: FileId, path: &ast::Path) -> Option<TypeId> {
        let (id, item) = self.find(file, path, "type")?;
        match (id, &item.kind) {
            (ItemId::Type(id), ItemKind::Struct(_) | ItemKind::Enum(_)) => Some(id),
            _ => self.wrong_kind(path, item, "a struct or an enum"),
        }
    }

    fn base(&mut self, file: FileId, path: &ast::Path) -> Option<InterfaceId> {
        let (id, item) = self.find(file, path, "interface")?;
        match id {
            ItemId::Interface(id) => Some(id),
            ItemId::Type(_) => self.wrong_kind(path, item, "an interface"),
        }
    }

    pub(super) fn exception(&mut self, file: FileId, path: &ast::Path) -> Option<TypeId> {
        let (id, item) = self.find(file, path, "exception")?;
        match (id, &item.kind) {
            (ItemId::Type(id), ItemKind::Exception(_)) => Some(id),
            _ => self.wrong_kind(path, item, "an exception"),
        }
    }

    fn wrong_kind<T>(&mut self, path: &ast::Path, item: &ast::Item, wanted: &str) -> Option<T> {
        let title = format!("`{}` is {}, not {wanted}", path.name.text, item.kind.describe());
        let report = Report::new(path.span(), title, "used here");
        self.reports.push(report.and(item.name.span, "declared here"));
        None
    }

    /// Returns what a path refers to; `kind` is what the message calls it.
    fn find(
        &mut self,
        file: FileId,
        path: &ast::Path,
        kind: &str,
    ) -> Option<(ItemId, &'r ast::Item)> {
        let name = path.name.text.as_str();
        let scope = match &path.stem {
            None => file,
            Some(stem) => self.imported(file, stem)?,
        };
        if let Some(found) = self.scopes[scope.0].get(name) {
            return Some(*found);
        }
        if path.stem.is_none() {
            let imports = self.loaded.files[file.0].imports.iter().map(|(import, _)| *import);
            let holders: Vec<_> =
                imports.filter(|id| self.scopes[id.0].contains_key(name)).collect();
            // What the file declares itself comes first, so that an import cannot change its
            // meaning.
            match holders[..] {
                [] => {}
                [one] => return self.scopes[one.0].get(name).copied(),
                _ => return self.ambiguous(path, &holders),
            }
        }
        let title = format!("there is no {kind} `{name}`");
        let report = Report::new(path.name.span, title, "");
        let report = match self.suggestion(scope, name) {
            Some(suggestion) => report.help(suggestion),
            None => report,
        };
        self.reports.push(report);
        None
    }

    fn imported(&mut self, file: FileId, stem: &Name) -> Option<FileId> {
        let imports = &self.loaded.files[file.0].imports;
        let named = |id: &FileId| self.loaded.files[id.0].stem == stem.text;
        let found = imports.iter().map(|(id, _)| *id).find(named);
        if found.is_none() {
            let title = format!("`{}` is not imported", stem.text);
            let help = format!("begin the file with `import \"{}.rpc\"`", stem.text);
            self.reports.push(Report::new(stem.span, title, "").help(help));
        }
        found
    }

    /// Reports a plain name that more than one import declares: it finds what an imported file
    /// declares if only one of them does.
    fn ambiguous<T>(&mut self, path: &ast::Path, holders: &[FileId]) -> Option<T> {
        let name = path.name.text.as_str();
        let title = format!("`{name}` is declared by more than one import");
        let choices = holders.iter().map(|id| format!("`{}.{name}`", self.loaded.files[id.0].stem));
        let help = format!("write {}", choices.collect::<Vec<_>>().join(" or "));
        self.reports.push(Report::new(path.name.span, title, "").help(help));
        None
    }

    /// Returns a name that may have been meant.
    fn suggestion(&self, scope: FileId, name: &str) -> Option<String> {
        // Each costs a look at every name that there is.
        if self.reports.len() >= MAX_SUGGESTED {
            return None;
        }
        let elsewhere = ELSEWHERE.iter().find(|(there, _)| there.eq_ignore_ascii_case(name));
        if let Some((_, here)) = elsewhere {
            return Some(format!("did you mean `{here}`?"));
        }
        let declared = self.scopes[scope.0].keys().copied();
        let built_in = Scalar::ALL.iter().map(|entry| entry.1).chain(CONTAINERS);
        let candidates: Vec<_> = declared.chain(built_in).collect();
        names::nearest(name, &candidates).map(|near| format!("did you mean `{near}`?"))
    }
}

fn is_built_in(name: &str) -> bool {
    Scalar::named(name).is_some() || CONTAINERS.contains(&name)
}

fn file(parsed: &ParsedFile, path: &std::path::Path, items: Vec<ItemId>) -> File {
    let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (file_name, stem) = (file_name.unwrap_or_default(), parsed.stem.clone());
    let imports = parsed.imports.iter().map(|(file, _)| *file).collect();
    File { file_name, stem, imports, items, elsewhere: None }
}
