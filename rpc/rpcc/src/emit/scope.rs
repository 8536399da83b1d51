//! Knows which Rust names a file declares, and which of them the output passes on from imported
//! files.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{InterfaceId, ItemId, Model, TypeId};
use crate::names;
use crate::source::FileId;

/// The type parameter of proxies: a type of this name has to be told from it.
const PARAMETER: &str = "C";

/// The Rust names that belong to an interface.
pub(super) struct InterfaceNames {
    pub(super) proxy: String,
    /// The proxy for threads that wait.
    pub(super) blocking: String,
    pub(super) local: String,
    /// The static that describes it.
    pub(super) description: String,
    pub(super) serve: String,
    pub(super) ids: String,
    pub(super) methods: String,
}

/// Returns the names of an interface.
pub(super) fn interface(model: &Model, id: InterfaceId) -> InterfaceNames {
    let name = &model.interface(id).name.text;
    let (camel, snake) = (names::camel(name), names::snake(name));
    InterfaceNames {
        proxy: format!("{camel}Proxy"),
        blocking: format!("Blocking{camel}"),
        local: format!("Local{camel}"),
        description: names::screaming(name),
        serve: format!("serve_{snake}"),
        ids: format!("{snake}_ids"),
        methods: format!("{snake}_methods"),
    }
}

/// Returns all names that an item declares in its module.
pub(crate) fn declared(model: &Model, item: ItemId) -> Vec<String> {
    let mut declared = public(model, item);
    if let ItemId::Interface(id) = item {
        let names = interface(model, id);
        declared.extend([names.serve, names.ids, names.methods]);
    }
    declared
}

/// Returns the public names among them.
fn public(model: &Model, item: ItemId) -> Vec<String> {
    match item {
        ItemId::Type(id) => vec![model.ty(id).rust.clone()],
        ItemId::Interface(id) => {
            let names = interface(model, id);
            vec![names.local, names.description, names.proxy, names.blocking]
        }
    }
}

/// Returns the files that are imported: all but the first.
pub(crate) fn imported(model: &Model) -> impl Iterator<Item = FileId> + use<> {
    (1..model.files.len()).map(FileId)
}

/// Returns the files that become modules: those that are imported, but of those that are elsewhere
/// only the ones whose interfaces something in the output extends.
pub(crate) fn modules(model: &Model) -> Vec<FileId> {
    let here = |file: &FileId| model.file(*file).elsewhere.is_none();
    let extended = extended(model);
    let needed = |file: &FileId| extended.iter().any(|id| model.interface(*id).file == *file);
    imported(model).filter(|file| here(file) || needed(file)).collect()
}

/// Returns the interfaces of files elsewhere that those of the output extend, and that these
/// extend.
pub(super) fn extended(model: &Model) -> BTreeSet<InterfaceId> {
    let elsewhere = |id: InterfaceId| model.file(model.interface(id).file).elsewhere.is_some();
    let all = (0..model.interfaces.len()).map(InterfaceId);
    let bases = all.filter(|id| !elsewhere(*id)).flat_map(|id| {
        std::iter::successors(model.interface(id).base, |base| model.interface(*base).base)
    });
    bases.filter(|id| elsewhere(*id)).collect()
}

/// Returns the module of a file.
pub(crate) fn module(model: &Model, file: FileId) -> String {
    names::escape(&names::snake(&model.file(file).stem))
}

/// Says how the output passes on what imported files declare.
pub(crate) struct PassedOn {
    /// Says how many items have a public name.
    count: BTreeMap<String, usize>,
}

impl PassedOn {
    pub(crate) fn new(model: &Model) -> Self {
        Self::of(model, &(0..model.files.len()).map(FileId).collect::<Vec<_>>())
    }

    /// Counts the names of the output that is made from the first of these files, which imports the
    /// others.
    pub(crate) fn of(model: &Model, files: &[FileId]) -> Self {
        let mut count = BTreeMap::new();
        for item in files.iter().flat_map(|file| &model.file(*file).items) {
            for name in public(model, *item) {
                *count.entry(name).or_default() += 1;
            }
        }
        Self { count }
    }

    /// Returns the names of an item in its module and in the output. A name that several items have
    /// gets the name of the module in front.
    pub(crate) fn names(&self, model: &Model, item: ItemId) -> Vec<(String, String)> {
        let stem = &model.file(model.file_of(item)).stem;
        let shown = |name: String| {
            let unique = self.count.get(&name) == Some(&1);
            let shown = if unique { name.clone() } else { prefixed(stem, &name) };
            (name, shown)
        };
        public(model, item).into_iter().map(shown).collect()
    }
}

/// Returns `RegistryNodeProxy`, `REGISTRY_NODE`.
fn prefixed(stem: &str, name: &str) -> String {
    if name.chars().any(|c| c.is_ascii_lowercase()) {
        names::camel(stem) + name
    } else {
        format!("{}_{name}", names::screaming(stem))
    }
}

/// Returns the module that has the public names of an imported file, as the output's own module
/// reaches it.
pub(super) fn public_module(model: &Model, file: FileId) -> String {
    let here = || format!("self::{}", module(model, file));
    model.file(file).elsewhere.as_ref().map_or_else(here, |elsewhere| elsewhere.path.clone())
}

/// Returns the name that something public of an imported file has in that module.
pub(super) fn public_name(model: &Model, file: FileId, name: String) -> String {
    let elsewhere = model.file(file).elsewhere.as_ref();
    elsewhere.and_then(|elsewhere| elsewhere.renamed.get(&name).cloned()).unwrap_or(name)
}

/// Returns how something public that `file` declares is reached from the module of `from`.
fn public_path(model: &Model, from: FileId, file: FileId, name: &str) -> String {
    match &model.file(file).elsewhere {
        Some(elsewhere) => {
            format!("{}::{}", elsewhere.path, public_name(model, file, name.into()))
        }
        None => path(model, from, file, name),
    }
}

/// Returns how something in the module of `file` is reached from the module of `from`.
fn path(model: &Model, from: FileId, file: FileId, name: &str) -> String {
    if from == file && name == PARAMETER {
        format!("self::{name}")
    } else if from == file {
        name.into()
    } else if from == FileId(0) {
        format!("{}::{name}", module(model, file))
    } else {
        format!("super::{}::{name}", module(model, file))
    }
}

/// Returns how a type is reached from the module of `from`.
pub(super) fn type_path(model: &Model, from: FileId, id: TypeId) -> String {
    public_path(model, from, model.ty(id).file, &model.ty(id).rust)
}

/// Returns how the proxy of an interface is reached from the module of `from`.
pub(super) fn proxy_path(model: &Model, from: FileId, id: InterfaceId) -> String {
    public_path(model, from, model.interface(id).file, &interface(model, id).proxy)
}

/// Returns how what an interface has for generated code alone is reached from the module of `from`.
pub(super) fn interface_path(model: &Model, from: FileId, id: InterfaceId, name: &str) -> String {
    path(model, from, model.interface(id).file, name)
}
