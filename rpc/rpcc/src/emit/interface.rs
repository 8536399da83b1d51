//! An interface: its proxy, the trait to implement, the function that serves it, its description.

use super::lines::Lines;
use super::{constant, docs, files, lints, methods, proxy, rust, scope};
use crate::model::{Convention, InterfaceId, Method, MethodId, Model, Style};
use crate::names;
use crate::source::FileId;

/// Variables of the functions of the trait and of the function that serves it.
const TAKEN: [&str; 3] = ["state", "cx", "reply"];

/// Says how many parameters a method of the trait may have besides its arguments: `self`, `cx` and
/// `reply`.
const SERVED: usize = 3;

/// Writes everything that belongs to an interface.
pub(super) fn emit(model: &Model, id: InterfaceId, out: &mut Lines) {
    proxy::emit(model, id, out);
    local(model, id, out);
    serve(model, id, out);
    description(model, id, out);
    methods::emit(model, id, out);
}

/// Writes the trait that an implementation implements.
fn local(model: &Model, id: InterfaceId, out: &mut Lines) {
    let (names, interface) = (scope::interface(model, id), model.interface(id));
    let name = model.interface_name(id);
    out.blank();
    docs::emit(&interface.docs, &format!("An implementation of `{name}`."), out);
    if !docs::escaped(&interface.docs).is_empty() {
        docs::paragraph(
            &format!("Implement this to serve `{name}`, and [`bind`](Self::bind) it."),
            out,
        );
    }
    let method = |(id, style): &(MethodId, Style)| (model.method(*id), style.lends_result());
    let methods = interface.flat.iter().map(method);
    let lints = lints::of_methods(methods, SERVED);
    lints::allow(lints::unused(interface.file).into_iter().chain(lints), out);
    out.open(format!("pub trait {}: ::std::marker::Sized + 'static {{", names.local));
    for (method, style) in &interface.flat {
        let method_docs = &model.method(*method).docs;
        docs::emit(method_docs, &format!("Serves `{}`.", model.method_name(*method)), out);
        trait_method(model, interface.file, model.method(*method), *style, out);
        out.blank();
    }
    bind(&model.rpc, &names, &name, out);
    out.close("}");
}

fn trait_method(model: &Model, file: FileId, method: &Method, style: Style, out: &mut Lines) {
    let spell = if style.borrowed { rust::lent } else { rust::owned };
    let result = match &method.result {
        Some(ty) if style.lends_result() => rust::lent_result(model, file, ty),
        result => rust::result(model, file, result.as_ref()),
    };
    let rpc = &model.rpc;
    let mut parameters = vec!["&mut self".into(), format!("cx: &{rpc}::Context<'_, Self>")];
    for argument in &method.arguments {
        let name = rust::variable(argument, &TAKEN);
        parameters.push(format!("{name}: {}", spell(model, file, &argument.ty)));
    }
    let after = match style.convention {
        Convention::Plain => format!(") -> ::std::result::Result<{result}, {rpc}::Error>;"),
        Convention::Event => ");".into(),
        Convention::Async => {
            parameters.push(format!("reply: {rpc}::Reply<{result}>"));
            ");".into()
        }
    };
    out.list(&format!("fn {}(", names::escape(&method.rust)), &parameters, &after);
}

fn bind(rpc: &str, names: &scope::InterfaceNames, name: &str, out: &mut Lines) {
    out.line(format!("/// Serves `{name}` on `endpoint`, until that ends."));
    out.line("///");
    out.line("/// # Errors");
    out.line("/// If it is served there already, or one of its methods by another object.");
    let parameters = [format!("cx: &{rpc}::Cx<Self>"), format!("endpoint: &{rpc}::Endpoint")];
    let after = format!(") -> ::std::result::Result<(), {rpc}::AlreadyBound> {{");
    out.list("fn bind(", &parameters, &after);
    out.nest();
    out.line(format!("endpoint.bind(cx, &{}, {}::<Self>)", names.description, names.serve));
    out.close("}");
}

/// Writes the function that decodes a request and calls the implementation.
fn serve(model: &Model, id: InterfaceId, out: &mut Lines) {
    let (names, interface) = (scope::interface(model, id), model.interface(id));
    out.blank();
    let rpc = &model.rpc;
    let parameters = [
        "state: &mut S".into(),
        format!("cx: &{rpc}::Context<'_, S>"),
        format!("call: {rpc}::stub::Incoming<'_>"),
    ];
    let after = format!(") -> {rpc}::stub::Served {{");
    let before = format!("fn {}<S: {}>(", names.serve, names.local);
    let signature = |out: &mut Lines| out.list(&before, &parameters, &after);
    let body = |out: &mut Lines| {
        out.open(format!("match {rpc}::stub::Incoming::method(&call) {{"));
        for (method, style) in &interface.flat {
            arm(model, interface.file, *method, style.convention, out);
        }
        out.line("_ => call.unknown(),");
        out.close("}");
    };
    out.body(signature, body);
}

/// Writes the arm of one method, laid out in the first way that fits.
fn arm(model: &Model, file: FileId, id: MethodId, convention: Convention, out: &mut Lines) {
    let method = model.method(id);
    let ids = scope::interface(model, id.interface).ids;
    let pattern = format!("{ids}::{}", constant(method));
    let pattern = scope::interface_path(model, file, id.interface, &pattern);
    let variables: Vec<_> =
        method.arguments.iter().map(|argument| rust::variable(argument, &TAKEN)).collect();
    let kind = match convention {
        Convention::Plain => "plain",
        Convention::Event => "event",
        Convention::Async => "later",
    };
    let reply = if convention == Convention::Async { ", reply" } else { "" };
    let call = format!("call.{kind}(|{}{reply}|", rust::tuple(&variables));
    let function = format!("state.{}(", names::escape(&method.rust));
    let mut passed: Vec<String> = vec!["cx".into()];
    passed.extend(variables.iter().cloned());
    passed.extend((!reply.is_empty()).then(|| "reply".into()));

    let expression = format!("{call} {function}{}))", passed.join(", "));
    let line = format!("{pattern} => {expression},");
    if out.fits(&line) {
        out.line(line);
    } else if out.fits(&format!("    {expression}")) {
        out.open(format!("{pattern} => {{"));
        out.line(expression);
        out.close("}");
    } else if out.fits(&format!("{pattern} => {call} {{")) {
        out.open(format!("{pattern} => {call} {{"));
        out.list(&function, &passed, ")");
        out.close("}),");
    } else {
        out.open(format!("{pattern} => call.{kind}(|arguments{reply}| {{"));
        out.list("let (", &variables, ") = arguments;");
        out.list(&function, &passed, ")");
        out.close("}),");
    }
}

/// Writes the static that describes the interface, methods in ascending order of id.
fn description(model: &Model, id: InterfaceId, out: &mut Lines) {
    let (names, interface) = (scope::interface(model, id), model.interface(id));
    let name = model.interface_name(id);
    out.blank();
    out.line(format!("/// What `{name}` consists of, for tools."));
    let mut methods = interface.flat.clone();
    methods.sort_by_cached_key(|(method, _)| model.wire_id(*method));
    let path = |(method, style): &(MethodId, Style)| {
        let describer = methods::describer(model, id, *method, style.convention);
        let module = scope::interface(model, describer).methods;
        let name = format!("{module}::{}", constant(model.method(*method)));
        format!("&{}", scope::interface_path(model, interface.file, describer, &name))
    };
    let methods: Vec<_> = methods.iter().map(path).collect();

    let rpc = &model.rpc;
    let before = format!("pub static {}: {rpc}::Interface =", names.description);
    let start = format!("{rpc}::Interface {{");
    let (all, files) = (methods.join(", "), files::of(model, id));
    let line =
        format!("{start} name: \"{name}\", methods: &[{all}], files: &[{}] }};", files.join(", "));
    if out.fits(&format!("{before} {line}")) {
        out.line(format!("{before} {line}"));
    } else if out.fits(&format!("    {line}")) {
        out.open(before);
        out.line(line);
        out.leave();
    } else {
        out.open(format!("{before} {start}"));
        out.line(format!("name: \"{name}\","));
        out.list("methods: &[", &methods, "],");
        out.list("files: &[", &files, "],");
        out.close("};");
    }
}
