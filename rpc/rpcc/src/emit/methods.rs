//! The private modules of an interface: ids to match on, descriptions of methods.

use std::time::Duration;

use super::lines::Lines;
use super::{constant, scope};
use crate::model::{Convention, Interface, InterfaceId, MethodId, Model};
use crate::source::FileId;

/// Writes the ids of the methods that an interface declares and the descriptions of those whose
/// description is new: the same and the overridden ones.
pub(super) fn emit(model: &Model, id: InterfaceId, out: &mut Lines) {
    let names = scope::interface(model, id);
    let interface = model.interface(id);
    if !interface.methods.is_empty() {
        out.blank();
        out.open(format!("pub(crate) mod {} {{", names.ids));
        for index in 0..interface.methods.len() {
            let method = MethodId { interface: id, index };
            out.line(format!("/// `{}`", model.canonical_method(method)));
            let constant = constant(model.method(method));
            out.line(format!("pub(crate) const {constant}: u64 = {};", hex(model.wire_id(method))));
        }
        out.close("}");
    }
    let described: Vec<_> = described(model, id).collect();
    if described.is_empty() {
        return;
    }
    out.blank();
    out.open(format!("pub(crate) mod {} {{", names.methods));
    for (method, convention) in described {
        out.blank();
        description(model, id, method, convention, out);
    }
    out.close("}");
}

/// Returns the methods that need a description in the module of an interface.
fn described(model: &Model, id: InterfaceId) -> impl Iterator<Item = (MethodId, Convention)> {
    let flat = model.interface(id).flat.iter().map(|(method, style)| (*method, style.convention));
    flat.filter(move |(method, convention)| describer(model, id, *method, *convention) == id)
}

/// Returns the interface whose module describes a method with the convention it has in `id`.
pub(super) fn describer(
    model: &Model,
    id: InterfaceId,
    method: MethodId,
    convention: Convention,
) -> InterfaceId {
    let same = |interface: &Interface| {
        let mut flat = interface.flat.iter();
        flat.any(|(other, style)| *other == method && style.convention == convention)
    };
    let mut at = id;
    while at != method.interface {
        match model.interface(at).base {
            Some(base) if same(model.interface(base)) => at = base,
            _ => return at,
        }
    }
    at
}

fn description(
    model: &Model,
    id: InterfaceId,
    method_id: MethodId,
    convention: Convention,
    out: &mut Lines,
) {
    let method = model.method(method_id);
    let file = model.interface(id).file;
    let rpc = &model.rpc;
    out.open(format!("pub(crate) static {}: {rpc}::Method = {rpc}::Method {{", constant(method)));
    out.line(format!("id: {},", id_path(model, file, method_id)));
    out.line(format!("name: \"{}\",", model.method_name(method_id)));
    out.line(format!("rust_name: \"{}\",", method.rust));
    out.line(format!("signature: \"{}\",", model.signature(method)));
    out.line(format!("convention: {rpc}::Convention::{convention:?},"));
    out.line(format!("timeout: {},", timeout(method.timeout)));
    let throws = method.throws.iter().map(|class| format!("\"{}\"", model.type_name(*class)));
    out.list("throws: &[", &throws.collect::<Vec<_>>(), "],");
    out.line(format!("doc: {:?},", method.docs.join("\n")));
    let deprecated =
        method.deprecated.as_ref().map(|text| format!("::std::option::Option::Some({text:?})"));
    out.line(format!(
        "deprecated: {},",
        deprecated.unwrap_or_else(|| "::std::option::Option::None".into())
    ));
    out.close("};");
}

/// Returns how the id of a method is reached from a module inside that of `file`.
fn id_path(model: &Model, file: FileId, method: MethodId) -> String {
    let names = scope::interface(model, method.interface);
    let name = format!("{}::{}", names.ids, constant(model.method(method)));
    format!("super::{}", scope::interface_path(model, file, method.interface, &name))
}

fn timeout(timeout: Option<Duration>) -> String {
    match timeout {
        None => "::std::option::Option::None".into(),
        Some(Duration::ZERO) => "::std::option::Option::Some(::std::time::Duration::ZERO)".into(),
        Some(timeout) if timeout.subsec_millis() == 0 => {
            format!(
                "::std::option::Option::Some(::std::time::Duration::from_secs({}))",
                grouped(timeout.as_secs())
            )
        }
        Some(timeout) => {
            let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            format!(
                "::std::option::Option::Some(::std::time::Duration::from_millis({}))",
                grouped(milliseconds)
            )
        }
    }
}

/// Returns `1_234_567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns `0x0123_4567_89ab_cdef`.
fn hex(id: u64) -> String {
    let part = |shift: u32| (id >> shift) & 0xffff;
    format!("0x{:04x}_{:04x}_{:04x}_{:04x}", part(48), part(32), part(16), part(0))
}
