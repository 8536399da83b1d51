//! Third stage: what interfaces inherit and override, and the ids of methods.

use std::collections::BTreeMap;

use super::directives;
use crate::diagnostics::{MAX_SUGGESTED, Report, Reports};
use crate::load::Loaded;
use crate::model::{Convention, InterfaceId, Method, MethodId, Model, Style};
use crate::names;
use crate::source::Span;
use crate::syntax::ast::{self, Directive, ItemKind, TypeKind};

/// The most methods of a run, inherited ones counted for each interface that has them.
const MAX_METHODS: usize = 16_384;

/// The most interfaces in a row, each of which extends the next: a proxy dereferences to that of
/// its base, and Rust goes so only so far.
const MAX_BASES: usize = 64;

/// The most overloads shown in one error.
const MAX_LISTED: usize = 5;

/// Completes the interfaces of a model.
pub(super) fn check(model: &mut Model, loaded: &Loaded, reports: &mut Reports) {
    let trees = overrides(loaded);
    let Some(order) = bases_first(model, reports) else { return };
    if let Some(id) = too_long(model, &order) {
        let name = &model.interface(id).name;
        let title =
            format!("`{}` extends more than {} interfaces in a row", name.text, MAX_BASES - 1);
        let report = Report::new(name.span, title, "the first with too many");
        return reports.push(report.help("let it extend an earlier one, or bind two interfaces"));
    }
    let mut count = 0;
    for id in order {
        let mut flat = Flat { model, id, methods: Vec::new(), reports };
        flat.inherit();
        flat.overrides(trees[id.0]);
        flat.declare();
        // While it grows: a few lines can inherit far more methods than memory holds.
        count += flat.methods.len();
        if count > MAX_METHODS {
            let title = format!("more than {MAX_METHODS} methods, inherited ones included");
            reports.push(Report::new(model.interface(id).name.span, title, "too many here"));
            return;
        }
        let methods = flat.methods;
        model.interfaces[id.0].flat = methods;
    }
    collisions(model, Model::wire_id, reports);
}

/// Returns the first interface with too many others in a row that it extends.
fn too_long(model: &Model, order: &[InterfaceId]) -> Option<InterfaceId> {
    let mut length = vec![1; model.interfaces.len()];
    order.iter().copied().find(|id| {
        if let Some(base) = model.interface(*id).base {
            length[id.0] = length[base.0] + 1;
        }
        length[id.0] > MAX_BASES
    })
}

/// Returns the overrides of each interface.
fn overrides(loaded: &Loaded) -> Vec<&[ast::Override]> {
    let items = loaded.files.iter().flat_map(|parsed| &parsed.tree.items);
    let overrides = items.filter_map(|item| match &item.kind {
        ItemKind::Interface { overrides, .. } => Some(overrides.as_slice()),
        _ => None,
    });
    overrides.collect()
}

/// Returns all interfaces, each behind the one it extends; `None` iff some extend each other.
fn bases_first(model: &Model, reports: &mut Reports) -> Option<Vec<InterfaceId>> {
    let mut order = Vec::new();
    // 0: not reached, otherwise the number of the walk that reached it.
    let mut reached = vec![0; model.interfaces.len()];
    for start in 0..model.interfaces.len() {
        let mut chain = Vec::new();
        let mut at = Some(InterfaceId(start));
        while let Some(id) = at.filter(|id| reached[id.0] == 0) {
            reached[id.0] = start + 1;
            chain.push(id);
            at = model.interface(id).base;
        }
        if let Some(id) = at.filter(|id| reached[id.0] == start + 1) {
            let name = &model.interface(id).name;
            let title = format!("`{}` extends itself", name.text);
            let report = Report::new(name.span, title, "");
            let others = chain.iter().skip_while(|other| **other != id).skip(1);
            let report = others.fold(report, |report, other| {
                report.and(model.interface(*other).name.span, "extended on the way")
            });
            reports.push(report);
            return None;
        }
        // The chain goes up; what is extended comes first.
        order.extend(chain.into_iter().rev());
    }
    Some(order)
}

/// One interface while its methods are put together.
struct Flat<'c> {
    model: &'c Model,
    id: InterfaceId,
    methods: Vec<(MethodId, Style)>,
    reports: &'c mut Reports,
}

impl Flat<'_> {
    fn inherit(&mut self) {
        if let Some(base) = self.model.interface(self.id).base {
            self.methods = self.model.interface(base).flat.clone();
        }
    }

    /// Changes the styles of inherited methods.
    fn overrides(&mut self, overrides: &[ast::Override]) {
        let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, (method, _)) in self.methods.iter().enumerate() {
            named.entry(&self.model.method(*method).name.text).or_default().push(at);
        }
        let mut done: BTreeMap<MethodId, Span> = BTreeMap::new();
        for overriding in overrides {
            let named = named.get(overriding.name.text.as_str()).map_or(&[][..], Vec::as_slice);
            let Some(at) = self.overridden(overriding, named) else { continue };
            let (method, before) = self.methods[at];
            if let Some(first) = done.insert(method, overriding.name.span) {
                let title = format!("`{}` is overridden twice", overriding.name.text);
                let report = Report::new(overriding.name.span, title, "again here");
                self.reports.push(report.and(first, "first here"));
            } else if let Some(style) = self.style(overriding, method, before) {
                self.methods[at].1 = style;
            }
        }
    }

    /// Returns the one inherited method that an override means, of those with its name.
    fn overridden(&mut self, overriding: &ast::Override, named: &[usize]) -> Option<usize> {
        let name = overriding.name.text.as_str();
        let types = overriding.arguments.as_ref().map(|types| spell_all(types));
        let fits = |at: &&usize| {
            let method = self.model.method(self.methods[**at].0);
            types.as_ref().is_none_or(|types| *types == self.model.canonical_arguments(method))
        };
        let fitting: Vec<_> = named.iter().filter(fits).copied().collect();
        if let [one] = fitting[..] {
            return Some(one);
        }
        let report = match (fitting.is_empty(), named.is_empty()) {
            (true, true) => {
                let title = format!("`{name}` overrides nothing");
                Report::new(overriding.name.span, title, "").help(self.nothing_to_override(name))
            }
            (true, false) => {
                let title = format!("no inherited `{name}` has these arguments");
                self.list(Report::new(overriding.name.span, title, ""), named)
            }
            (false, _) => {
                let title = format!("more than one `{name}` is inherited");
                let report = Report::new(overriding.name.span, title, "");
                let report = self.list(report, named);
                report.help(format!("say which: `override {name}(argument types)`"))
            }
        };
        self.reports.push(report);
        None
    }

    fn list(&self, report: Report, methods: &[usize]) -> Report {
        methods.iter().take(MAX_LISTED).fold(report, |report, at| {
            let method = self.model.method(self.methods[*at].0);
            report.and(method.name.span, "this one is inherited")
        })
    }

    fn nothing_to_override(&self, name: &str) -> String {
        if self.model.interface(self.id).base.is_none() {
            return "only an interface that `extends` another has something to override".into();
        }
        let names = self.methods.iter().map(|entry| self.model.method(entry.0).name.text.as_str());
        let candidates =
            if self.reports.len() < MAX_SUGGESTED { names.collect() } else { Vec::new() };
        match names::nearest(name, &candidates) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "to declare a new method, leave out `override`".into(),
        }
    }

    /// Returns the style that an override gives to a method that is inherited with `before`.
    fn style(
        &mut self,
        overriding: &ast::Override,
        method: MethodId,
        before: Style,
    ) -> Option<Style> {
        let declared = self.model.method(method);
        directives::repeated(&overriding.directives, self.reports);
        let mut style = directives::style(&overriding.directives);
        // An override cannot say `:event`, and what it says nothing of stays.
        if before.convention == Convention::Event {
            style.convention = Convention::Event;
        }
        let Some(report) = self.refusal(overriding, declared, before, style) else {
            return Some(style);
        };
        self.reports.push(report.and(declared.name.span, "the inherited method"));
        None
    }

    /// Returns what is wrong with an override that changes the style of `method`.
    fn refusal(
        &self,
        overriding: &ast::Override,
        method: &Method,
        before: Style,
        after: Style,
    ) -> Option<Report> {
        let (name, said) = (&overriding.name, &overriding.directives);
        let result = self.model.canonical_result(method);
        if let Some(other) = overriding.result.as_ref().filter(|ty| spell(ty) != result) {
            let title = format!("an override cannot change the result of `{}`", name.text);
            return Some(Report::new(other.span, title, "another type here"));
        }
        let forbidden =
            |directive: &&Directive| !matches!(directive.kind.word(), "async" | "borrowed");
        if let Some(directive) = said.iter().find(forbidden) {
            let title = format!("an override cannot say `:{}`", directive.kind.word());
            return Some(Report::new(directive.span, title, "only `:async` and `:borrowed`"));
        }
        if let Some(directive) =
            directives::find(said, "async").filter(|_| before.convention == Convention::Event)
        {
            let title = format!("the event `{}` cannot become `:async`", name.text);
            return Some(Report::new(directive.span, title, "an event stays one"));
        }
        let unchanged = || {
            let title = format!("this override of `{}` changes nothing", name.text);
            Report::new(name.span, title, "remove it")
        };
        directives::idle(said, method, after).or_else(|| (before == after).then(unchanged))
    }

    /// Adds the interface's own methods.
    fn declare(&mut self) {
        let interface = self.model.interface(self.id);
        let mut rust_names = BTreeMap::new();
        let mut spellings = BTreeMap::new();
        for (id, _) in &self.methods {
            let method = self.model.method(*id);
            rust_names.insert(method.rust.as_str(), *id);
            spellings.insert(self.spelling(method), *id);
        }
        for (index, method) in interface.methods.iter().enumerate() {
            let id = MethodId { interface: self.id, index };
            let spelling = self.spelling(method);
            let clash = spellings.get(&spelling).or_else(|| rust_names.get(method.rust.as_str()));
            // Both maps: two spellings may be one name in Rust, and one spelling two names.
            if let Some(other) = clash {
                let report = self.clash(*other, method);
                self.reports.push(report);
                continue;
            }
            rust_names.insert(&method.rust, id);
            spellings.insert(spelling, id);
            self.methods.push((id, method.style));
        }
        if self.methods.is_empty() && interface.methods.is_empty() {
            let title = format!("the interface `{}` has no methods", interface.name.text);
            self.reports.push(Report::new(interface.name.span, title, ""));
        }
    }

    /// Returns what makes two methods of one interface the same.
    fn spelling(&self, method: &Method) -> String {
        method.name.text.clone() + &self.model.canonical_arguments(method)
    }

    fn clash(&self, id: MethodId, method: &Method) -> Report {
        let (other, name) = (self.model.method(id), &method.name);
        let first = if id.interface == self.id { "first here" } else { "inherited from here" };
        let arguments = self.model.canonical_arguments(method);
        if other.name.text != name.text {
            let title = format!(
                "`{}` and `{}` are both `{}` in Rust",
                other.name.text, name.text, method.rust
            );
            let report = Report::new(name.span, title, "").and(other.name.span, first);
            return report.help("give one of them another name with `:name`");
        }
        if arguments != self.model.canonical_arguments(other) {
            let title = format!("`{}` is overloaded and needs a Rust name of its own", name.text);
            let report = Report::new(name.span, title, "").and(other.name.span, first);
            return report.help(format!("add `:name {}`", self.suggested(other, method)));
        }
        let title = format!("`{}{arguments}` is declared twice", name.text);
        let report = Report::new(name.span, title, "").and(other.name.span, first);
        if id.interface == self.id {
            return report;
        }
        report.help(format!("to implement it differently, write `override {} :async`", name.text))
    }

    /// Returns a Rust name for an overload: what it has that the other has not.
    fn suggested(&self, other: &Method, method: &Method) -> String {
        let has = |name: &str| other.arguments.iter().any(|argument| argument.rust == name);
        let more = method.arguments.iter().map(|argument| argument.rust.as_str());
        let more: Vec<_> = more.filter(|name| !has(name)).collect();
        let plain = names::snake(&method.name.text);
        if more.is_empty() {
            format!("{plain}_other")
        } else {
            format!("{plain}_with_{}", more.join("_and_"))
        }
    }
}

/// Returns a type as the wire spells it.
fn spell(ty: &ast::Type) -> String {
    match &ty.kind {
        TypeKind::Scalar(scalar) => scalar.name().into(),
        TypeKind::List(of) => format!("list<{}>", spell(of)),
        TypeKind::Set(of) => format!("set<{}>", spell(of)),
        TypeKind::Map(key, value) => format!("map<{},{}>", spell(key), spell(value)),
        TypeKind::Option(of) => format!("option<{}>", spell(of)),
        TypeKind::Tuple(parts) => spell_all(parts),
        TypeKind::Named(path) => path.name.text.clone(),
    }
}

fn spell_all(types: &[ast::Type]) -> String {
    format!("({})", types.iter().map(spell).collect::<Vec<_>>().join(","))
}

/// Reports methods whose ids are the same although their spellings are not.
fn collisions(model: &Model, id_of: fn(&Model, MethodId) -> u64, reports: &mut Reports) {
    let mut seen: BTreeMap<u64, MethodId> = BTreeMap::new();
    for (at, interface) in model.interfaces.iter().enumerate() {
        for index in 0..interface.methods.len() {
            let id = MethodId { interface: InterfaceId(at), index };
            let wire = id_of(model, id);
            // Ids are hashes, so that two spellings may have one; peers could not tell them apart.
            let Some(first) = seen.get(&wire) else {
                seen.insert(wire, id);
                continue;
            };
            let spelled = [*first, id].map(|id| model.canonical_method(id));
            let title =
                format!("`{}` and `{}` have the same id {wire:#018x}", spelled[0], spelled[1]);
            let report = Report::new(model.method(id).name.span, title, "the second");
            let report = report.and(model.method(*first).name.span, "the first");
            reports.push(report.help("rename one of them or an argument type of it"));
        }
    }
}
