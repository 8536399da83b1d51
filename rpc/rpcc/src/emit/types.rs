//! Structs, enums and exceptions, and how they travel.

use super::lines::Lines;
use super::{docs, lints, rust};
use crate::model::{Field, Kind, Model, Ty, TypeDef, TypeId, Variant};
use crate::names;
use crate::syntax::ast::Scalar;

/// Writes a type and its implementations.
pub(super) fn emit(model: &Model, id: TypeId, out: &mut Lines) {
    let ty = model.ty(id);
    out.blank();
    match &ty.kind {
        Kind::Exception(fields) => {
            let shown = format!("`{}{}`.", ty.name.text, model.show_fields(fields));
            structure(model, id, fields, &shown, out);
            constructor(model, ty, fields, out);
            exception(model, id, fields, out);
        }
        Kind::Struct(fields) => {
            let shown = format!("`{}`.", model.type_name(id));
            structure(model, id, fields, &shown, out);
            travel_fields(&model.rpc, ty, fields, out);
        }
        Kind::Enum(variants) => enumeration(model, id, variants, out),
    }
}

fn derive(ty: &TypeDef, out: &mut Lines) {
    let mut derives = vec!["clone::Clone", "fmt::Debug", "cmp::PartialEq"];
    if ty.total {
        derives.extend(["cmp::Eq", "hash::Hash", "cmp::PartialOrd", "cmp::Ord"]);
    }
    if ty.default {
        derives.push("default::Default");
    }
    out.derive(&derives);
}

/// Returns the line that documents a field or variant which has no docs of its own.
fn shown(model: &Model, field: &Field) -> String {
    format!("`{}: {}`.", field.name.text, model.show(&field.ty))
}

fn structure(model: &Model, id: TypeId, fields: &[Field], shown_as: &str, out: &mut Lines) {
    let ty = model.ty(id);
    docs::emit(&ty.docs, shown_as, out);
    derive(ty, out);
    // An exception is made by its constructor, which is allowed to be unused.
    let unused = lints::unused(ty.file).filter(|_| !matches!(ty.kind, Kind::Exception(_)));
    lints::allow(unused.into_iter().chain(lints::of_fields(ty)), out);
    if fields.is_empty() {
        return out.line(format!("pub struct {};", ty.rust));
    }
    out.open(format!("pub struct {} {{", ty.rust));
    for field in fields {
        docs::emit(&field.docs, &shown(model, field), out);
        let rust = rust::field(model, id, &field.ty);
        out.field(&format!("pub {}:", names::escape(&field.rust)), &rust);
    }
    out.close("}");
}

fn constructor(model: &Model, ty: &TypeDef, fields: &[Field], out: &mut Lines) {
    out.blank();
    lints::allow(lints::unused(ty.file), out);
    out.open(format!("impl {} {{", ty.rust));
    out.line("/// The exception with these arguments.");
    let name = |field: &Field| names::escape(&field.rust);
    let parameter =
        |field: &Field| format!("{}: {}", name(field), rust::converted(model, ty.file, &field.ty));
    let long = (fields.len() > 7).then_some("clippy::too_many_arguments");
    lints::allow(long.into_iter().chain(lints::of_fields(ty)), out);
    let parameters: Vec<_> = fields.iter().map(parameter).collect();
    if fields.is_empty() {
        out.open("pub fn new() -> Self {");
        out.line("Self");
    } else {
        out.list("pub fn new(", &parameters, ") -> Self {");
        out.nest();
        let values = fields.iter().map(|field| match field.ty {
            Ty::Scalar(Scalar::String | Scalar::Bytes) => {
                format!("{0}: ::std::convert::Into::into({0})", name(field))
            }
            _ => name(field),
        });
        out.braces("Self", &values.collect::<Vec<_>>());
    }
    out.close("}");
    out.blank();
    raise(&model.rpc, out);
    out.close("}");
}

fn raise(rpc: &str, out: &mut Lines) {
    out.line("/// The exception as an error, raised at the caller's line.");
    out.line("#[track_caller]");
    out.open(format!("pub fn raise(self) -> {rpc}::Error {{"));
    out.line(format!("{rpc}::Error::raise(&self)"));
    out.close("}");
}

fn exception(model: &Model, id: TypeId, fields: &[Field], out: &mut Lines) {
    let ty = model.ty(id);
    out.blank();
    out.open(format!("impl {}::Exception for {} {{", model.rpc, ty.rust));
    out.line(format!("const CLASS: &'static ::std::primitive::str = \"{}\";", model.type_name(id)));
    out.close("}");
    out.blank();
    out.line(format!("impl ::std::error::Error for {} {{}}", ty.rust));
    out.blank();
    out.open(format!("impl ::std::fmt::Display for {} {{", ty.rust));
    let f = if fields.is_empty() { "_" } else { "f" };
    out.open(format!(
        "fn fmt(&self, {f}: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {{"
    ));
    display(fields, out);
    out.close("}");
    out.close("}");
    travel_fields(&model.rpc, ty, fields, out);
}

fn display(fields: &[Field], out: &mut Lines) {
    let name = |field: &Field| format!("self.{}", names::escape(&field.rust));
    match fields {
        [] => out.line("::std::result::Result::Ok(())"),
        [Field { ty: Ty::Scalar(Scalar::String), .. }] => {
            out.line(format!("f.write_str(&{})", name(&fields[0])));
        }
        _ => {
            let format = fields.iter().map(|field| match field.ty {
                Ty::Scalar(Scalar::Bytes) => "{:?}",
                Ty::Scalar(_) => "{}",
                _ => "{:?}",
            });
            let format = format!("\"{}\"", format.collect::<Vec<_>>().join(", "));
            out.format_macro(
                "::std::write!",
                &format,
                &fields.iter().map(name).collect::<Vec<_>>(),
            );
        }
    }
}

fn enumeration(model: &Model, id: TypeId, variants: &[Variant], out: &mut Lines) {
    let ty = model.ty(id);
    docs::emit(&ty.docs, &format!("`{}`.", model.type_name(id)), out);
    derive(ty, out);
    let lints = lints::of_fields(ty).chain(lints::of_variants(ty, variants));
    lints::allow(lints::unused(ty.file).into_iter().chain(lints), out);
    out.open(format!("pub enum {} {{", ty.rust));
    for variant in variants {
        docs::emit(&variant.docs, &format!("`{}`.", variant.name.text), out);
        if variant.fields.is_empty() {
            out.line(format!("{},", variant.rust));
            continue;
        }
        out.open(format!("{} {{", variant.rust));
        for field in &variant.fields {
            docs::emit(&field.docs, &shown(model, field), out);
            let rust = rust::field(model, id, &field.ty);
            out.field(&format!("{}:", names::escape(&field.rust)), &rust);
        }
        out.close("},");
    }
    out.close("}");
    let encode = |out: &mut Lines| encode_variants(variants, out);
    travel(&model.rpc, ty, encode, |out| decode_variants(model, id, variants, out), out);
}

/// Writes `Encode` and `Decode`, with bodies that write to `w` and read from `r`.
fn travel(
    rpc: &str,
    ty: &TypeDef,
    encode: impl FnOnce(&mut Lines),
    decode: impl FnOnce(&mut Lines),
    out: &mut Lines,
) {
    out.blank();
    out.open(format!("impl {rpc}::wire::Encode for {} {{", ty.rust));
    let signature = format!("fn encode(&self, w: &mut {rpc}::wire::Writer<'_>) {{");
    out.body(|out| out.line(signature), encode);
    out.close("}");
    out.blank();
    out.open(format!("impl<'a> {rpc}::wire::Decode<'a> for {} {{", ty.rust));
    out.line("const MIN_SIZE: ::std::primitive::usize = 4;");
    out.blank();
    let reader = format!("r: &mut {rpc}::wire::Reader<'a>");
    let result = format!(") -> ::std::result::Result<Self, {rpc}::wire::Error> {{");
    out.body(|out| out.list("fn decode(", &[reader], &result), decode);
    out.close("}");
}

/// Does what `travel` does, for structs and exceptions. Depth is counted by what stands between a
/// type and itself: lists, sets, maps and boxes.
fn travel_fields(rpc: &str, ty: &TypeDef, fields: &[Field], out: &mut Lines) {
    travel(rpc, ty, |out| encode_fields(fields, out), |out| decode_fields(fields, out), out);
}

fn encode_fields(fields: &[Field], out: &mut Lines) {
    if fields.is_empty() {
        return out.line("w.structure(|_| {});");
    }
    out.open("w.structure(|w| {");
    for field in fields {
        out.line(format!("w.write(&self.{});", names::escape(&field.rust)));
    }
    out.close("});");
}

fn decode_fields(fields: &[Field], out: &mut Lines) {
    if fields.is_empty() {
        out.line("r.structure()?;");
        return out.line("::std::result::Result::Ok(Self)");
    }
    out.line("let mut fields = r.structure()?;");
    out.line("let r = &mut *fields;");
    let required =
        fields.len() - fields.iter().rev().take_while(|field| field.is_optional()).count();
    let read = |(at, field): (usize, &Field)| {
        let read = if at < required { "read" } else { "trailing" };
        format!("{}: r.{read}()?", names::escape(&field.rust))
    };
    let reads: Vec<_> = fields.iter().enumerate().map(read).collect();
    out.call_braces("::std::result::Result::Ok(", "Self", &reads, ")");
}

fn encode_variants(variants: &[Variant], out: &mut Lines) {
    out.open("match self {");
    for (at, variant) in variants.iter().enumerate() {
        let name = |field: &Field| names::escape(&field.rust);
        let binding = |field: &Field| binding(field);
        if variant.fields.is_empty() {
            out.line(format!("Self::{} => w.variant({at}),", variant.rust));
            continue;
        }
        let fields = variant.fields.iter().map(|field| {
            if binding(field) == name(field) {
                name(field)
            } else {
                format!("{}: {}", name(field), binding(field))
            }
        });
        out.arm(&format!("Self::{}", variant.rust), &fields.collect::<Vec<_>>());
        out.line(format!("w.variant({at});"));
        for field in &variant.fields {
            out.line(format!("w.write({});", binding(field)));
        }
        out.close("}");
    }
    out.close("}");
}

/// Returns the variable that holds a field of a variant.
fn binding(field: &Field) -> String {
    rust::variable(field, &["w"])
}

fn decode_variants(model: &Model, id: TypeId, variants: &[Variant], out: &mut Lines) {
    out.open("match r.variant()? {");
    for (at, variant) in variants.iter().enumerate() {
        let read = |field: &Field| format!("{}: r.read()?", names::escape(&field.rust));
        let reads: Vec<_> = variant.fields.iter().map(read).collect();
        if reads.is_empty() {
            out.line(format!("{at} => ::std::result::Result::Ok(Self::{}),", variant.rust));
        } else {
            out.call_braces(
                &format!("{at} => ::std::result::Result::Ok("),
                &format!("Self::{}", variant.rust),
                &reads,
                "),",
            );
        }
    }
    let name = model.type_name(id);
    out.open("found => {");
    let parts = ["r".into(), format!("\"{name}\""), "found".into()];
    let call = format!("{}::wire::Reader::unknown_variant(", model.rpc);
    out.assigned("let error =", &call, &parts, ");");
    out.line("::std::result::Result::Err(error)");
    out.close("}");
    out.close("}");
}
