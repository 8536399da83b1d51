//! Decides what the directives of a method say together, and which of them exclude each other.

use std::time::Duration;

use super::resolve::Resolver;
use crate::diagnostics::{Report, Reports};
use crate::model::{Convention, Method, Style, TypeId};
use crate::source::{FileId, Span};
use crate::syntax::ast::{self, Directive, DirectiveKind, Name};

/// The directives of a method.
pub(super) struct Said {
    pub(super) style: Style,
    pub(super) timeout: Option<Duration>,
    pub(super) throws: Vec<TypeId>,
    /// The Rust name, from `:name`.
    pub(super) name: Option<Name>,
    pub(super) deprecated: Option<String>,
}

/// Reads the directives of `method`, of the file `file`.
pub(super) fn of_method(
    resolver: &mut Resolver<'_>,
    file: FileId,
    method: &ast::MethodDecl,
) -> Said {
    let mut said = Said {
        style: style(&method.directives),
        timeout: None,
        throws: Vec::new(),
        name: None,
        deprecated: None,
    };
    repeated(&method.directives, resolver.reports);
    if said.style.convention == Convention::Event {
        event(method, resolver.reports);
    }
    for directive in &method.directives {
        match &directive.kind {
            DirectiveKind::Event | DirectiveKind::Async | DirectiveKind::Borrowed => {}
            DirectiveKind::Timeout(timeout) => said.timeout = Some(*timeout),
            DirectiveKind::Deprecated(text) => said.deprecated = Some(text.clone()),
            DirectiveKind::Name(name) => said.name = Some(name.clone()),
            DirectiveKind::Throws(paths) => {
                for path in paths {
                    throws(resolver, file, path, &mut said.throws);
                }
            }
        }
    }
    said
}

/// Returns what the directives say about how the method is implemented.
pub(super) fn style(directives: &[Directive]) -> Style {
    let says = |word| find(directives, word).is_some();
    let convention = if says("event") {
        Convention::Event
    } else if says("async") {
        Convention::Async
    } else {
        Convention::Plain
    };
    Style { convention, borrowed: says("borrowed") }
}

/// Returns the first directive of this name.
pub(super) fn find<'d>(directives: &'d [Directive], word: &str) -> Option<&'d Directive> {
    directives.iter().find(|directive| directive.kind.word() == word)
}

/// Returns what is wrong with a `:borrowed` that leaves everything in `method` as it is.
pub(super) fn idle(directives: &[Directive], method: &Method, style: Style) -> Option<Report> {
    let directive = find(directives, "borrowed").filter(|_| !method.lends(style))?;
    let title = format!("there is nothing in `{}` that could be borrowed", method.name.text);
    let mut help = String::from("of arguments, `string` and `bytes` can be borrowed");
    match style.convention {
        Convention::Plain => help.push_str("; of results, all but numbers and `bool`"),
        Convention::Async => help.push_str("; a `Reply` owns its value"),
        Convention::Event => {}
    }
    Some(Report::new(directive.span, title, "remove this").help(help))
}

fn throws(resolver: &mut Resolver<'_>, file: FileId, path: &ast::Path, thrown: &mut Vec<TypeId>) {
    let Some(exception) = resolver.exception(file, path) else { return };
    if thrown.contains(&exception) {
        let title = format!("`{}` is thrown twice", path.name.text);
        resolver.reports.push(Report::new(path.span(), title, "say it once"));
    } else {
        thrown.push(exception);
    }
}

/// Reports directives that are there twice; only `:throws` may be.
pub(super) fn repeated(directives: &[Directive], reports: &mut Reports) {
    for (at, directive) in directives.iter().enumerate() {
        let word = directive.kind.word();
        let first = find(&directives[..at], word);
        if let Some(first) = first.filter(|_| word != "throws") {
            let report =
                Report::new(directive.span, format!("`:{word}` is there twice"), "again here");
            reports.push(report.and(first.span, "first here"));
        }
    }
}

/// Reports what an event cannot have.
fn event(method: &ast::MethodDecl, reports: &mut Reports) {
    // Of an event nobody hears anything, so whatever would be told is refused.
    let mut refuse = |span: Span, what: &str, why: &str| {
        let title = format!("the event `{}` cannot {what}", method.name.text);
        reports.push(Report::new(span, title, why).help("remove this or `:event`"));
    };
    if let Some(result) = &method.result {
        refuse(result.span, "have a result", "nobody waits for it");
    }
    for directive in &method.directives {
        match directive.kind {
            DirectiveKind::Throws(_) => refuse(directive.span, "throw", "nobody would be told"),
            DirectiveKind::Timeout(_) => refuse(directive.span, "time out", "nobody waits for it"),
            DirectiveKind::Async => {
                refuse(directive.span, "be `:async`", "there is nothing to reply")
            }
            _ => {}
        }
    }
}
