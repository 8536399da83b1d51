//! The interface text itself, for tools that ask a program what it serves: one static for each file
//! that an interface of the output needs, in the output's own module.

use std::collections::BTreeSet;

use super::lines::Lines;
use crate::model::{InterfaceId, ItemId, Model};
use crate::names;
use crate::print;
use crate::source::FileId;

/// Writes the statics.
pub(super) fn emit(model: &Model, out: &mut Lines) {
    let described = (0..model.files.len()).map(FileId).filter(|file| describes(model, *file));
    let needed: BTreeSet<FileId> = described.flat_map(|file| model.reached(file)).collect();
    for file in needed {
        let (rpc, name) = (&model.rpc, &model.file(file).stem);
        out.blank();
        // An interface that nobody uses takes its text along.
        out.line("#[allow(dead_code)]");
        let ty = format!("{rpc}::InterfaceFile");
        out.open(format!("static {}: {ty} = {ty} {{", constant(model, file)));
        out.line(format!("name: \"{name}.rpc\","));
        let text = print::print(model, file).replace('\\', "\\\\").replace('"', "\\\"");
        out.line(format!("text: \"\\\n{text}\","));
        out.close("};");
    }
}

/// True iff the output describes an interface of this file.
fn describes(model: &Model, file: FileId) -> bool {
    let file = model.file(file);
    let interface = |item: &ItemId| matches!(item, ItemId::Interface(_));
    file.elsewhere.is_none() && file.items.iter().any(interface)
}

/// Returns the paths of the files that an interface needs, its own first, from where it is
/// described.
pub(super) fn of(model: &Model, id: InterfaceId) -> Vec<String> {
    let own = model.interface(id).file;
    debug_assert!(describes(model, own), "what is elsewhere is described there");
    let up = if own == FileId(0) { "" } else { "super::" };
    let path = |file: FileId| format!("&{up}{}", constant(model, file));
    model.reached(own).into_iter().map(path).collect()
}

/// A name that nothing declared can have: it ends in `_`.
fn constant(model: &Model, file: FileId) -> String {
    names::screaming(&model.file(file).stem) + "_FILE_"
}
