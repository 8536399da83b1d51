//! The proxy of an interface: a method for each of its own, and a way to its base's proxy.

use super::lines::Lines;
use super::{constant, docs, lints, rust, scope};
use crate::model::{Convention, InterfaceId, Method, MethodId, Model};
use crate::names;
use crate::source::FileId;

/// Writes the proxy.
pub(super) fn emit(model: &Model, id: InterfaceId, out: &mut Lines) {
    let names = scope::interface(model, id);
    let interface = model.interface(id);
    let (rpc, proxy) = (&model.rpc, &names.proxy);
    let base = interface.base.map(|base| scope::proxy_path(model, interface.file, base));
    out.blank();
    let name = model.interface_name(id);
    out.line(format!("/// Calls `{name}` on whoever is at the other end."));
    out.derive(&["clone::Clone", "fmt::Debug"]);
    out.open(format!("pub struct {proxy}<C: {rpc}::Caller = {rpc}::Endpoint> {{"));
    out.line(base.as_ref().map_or_else(|| "caller: C,".into(), |base| format!("base: {base}<C>,")));
    out.close("}");
    blocking(model, id, out);
    inherent(model, id, base.as_deref(), out);
    out.blank();
    out.open(format!("impl<C: {rpc}::Caller> {rpc}::Proxy<C> for {proxy}<C> {{"));
    constructor("fn", base.as_deref(), out);
    out.close("}");
    if let Some(base) = base {
        out.blank();
        out.open(format!("impl<C: {rpc}::Caller> ::std::ops::Deref for {proxy}<C> {{"));
        out.line(format!("type Target = {base}<C>;"));
        out.blank();
        out.open("fn deref(&self) -> &Self::Target {");
        out.line("&self.base");
        out.close("}");
        out.close("}");
    }
}

/// Writes the name of the proxy that is used by threads which wait.
fn blocking(model: &Model, id: InterfaceId, out: &mut Lines) {
    let (names, interface) = (scope::interface(model, id), model.interface(id));
    out.blank();
    let name = model.interface_name(id);
    out.line(format!("/// Calls `{name}` from any thread but the loop's, and waits."));
    lints::allow(lints::unused(interface.file), out);
    let proxy = format!("{}<{}::SyncEndpoint>", names.proxy, model.rpc);
    out.assigned(&format!("pub type {} =", names.blocking), &proxy, &[], ";");
}

fn constructor(function: &str, base: Option<&str>, out: &mut Lines) {
    out.open(format!("{function} new(caller: C) -> Self {{"));
    match base {
        None => out.line("Self { caller }"),
        Some(base) => out.line(format!("Self {{ base: {base}::new(caller) }}")),
    }
    out.close("}");
}

fn inherent(model: &Model, id: InterfaceId, base: Option<&str>, out: &mut Lines) {
    let (names, interface) = (scope::interface(model, id), model.interface(id));
    out.blank();
    let unused = lints::unused(interface.file).into_iter();
    let lints = unused.chain(lints::of_inherent(&interface.methods));
    let methods = interface.methods.iter().map(|method| (method, false));
    lints::allow(lints.chain(lints::of_methods(methods, 1)), out);
    out.open(format!("impl<C: {}::Caller> {}<C> {{", model.rpc, names.proxy));
    out.line("/// A proxy that calls through `caller`.");
    constructor("pub fn", base, out);
    if base.is_none() {
        out.blank();
        out.line("/// What it calls through.");
        out.open("pub fn caller(&self) -> &C {");
        out.line("&self.caller");
        out.close("}");
    }
    let caller = caller(model, id);
    for index in 0..interface.methods.len() {
        out.blank();
        method(model, MethodId { interface: id, index }, &caller, out);
    }
    out.close("}");
}

/// Spells the way of a method of the proxy to its caller. The proxy that has it is asked by name:
/// in a method call, a trait of whoever includes this could come first.
fn caller(model: &Model, id: InterfaceId) -> String {
    let bases = std::iter::successors(Some(id), |id| model.interface(*id).base);
    let root = bases.last().filter(|root| *root != id);
    root.map_or_else(
        || "&self.caller".into(),
        |root| {
            let file = model.interface(id).file;
            format!("{}::caller(&self.base)", scope::proxy_path(model, file, root))
        },
    )
}

fn method(model: &Model, id: MethodId, caller: &str, out: &mut Lines) {
    let method = model.method(id);
    let file = model.interface(id.interface).file;
    documentation(model, id, out);
    if let Some(text) = &method.deprecated {
        out.line(format!("#[deprecated(note = {:?})]", docs::line(text)));
    }
    let mut parameters = vec!["&self".to_string()];
    for argument in &method.arguments {
        let ty = rust::parameter(model, file, &argument.ty);
        parameters.push(format!("{}: {ty}", names::escape(&argument.rust)));
    }
    let after = format!(") -> {} {{", returned(model, file, method));
    out.list(&format!("pub fn {}(", names::escape(&method.rust)), &parameters, &after);
    out.nest();
    let kind = if method.style.convention == Convention::Event { "event" } else { "call" };
    let encoded: Vec<_> = method.arguments.iter().map(rust::encoded).collect();
    let description = scope::interface(model, id.interface).methods;
    let description = format!("&{description}::{}", constant(method));
    let call = format!("{}::Caller::{kind}(", model.rpc);
    let line = format!("{call}{caller}, {description}, {})", rust::tuple(&encoded));
    if out.fits(&line) {
        out.line(line);
    } else {
        out.tuple("arguments", &encoded);
        out.list(&call, &[caller.into(), description, "arguments".into()], ")");
    }
    out.close("}");
}

fn returned(model: &Model, file: FileId, method: &Method) -> String {
    if method.style.convention == Convention::Event {
        return format!("::std::result::Result<(), {}::Error>", model.rpc);
    }
    format!("C::Call<{}>", rust::result(model, file, method.result.as_ref()))
}

fn documentation(model: &Model, id: MethodId, out: &mut Lines) {
    let method = model.method(id);
    docs::emit(&method.docs, &format!("Calls `{}`.", model.method_name(id)), out);
    if !method.throws.is_empty() {
        let throws = method.throws.iter().map(|class| format!("`{}`", model.type_name(*class)));
        docs::paragraph(&format!("Raises {}.", throws.collect::<Vec<_>>().join(", ")), out);
    }
}
