//! What the directives of a method say together, and which of them exclude each other.

use std::time::Duration;

use super::resolve::Resolver;
use crate::diagnostics::Report;
use crate::model::{Convention, TypeId};
use crate::source::{FileId, Span};
use crate::syntax::ast::{self, Directive, DirectiveKind, Name};

/// The directives of a method.
pub(super) struct Said {
    pub(super) convention: Convention,
    pub(super) timeout: Option<Duration>,
    pub(super) throws: Vec<TypeId>,
    /// The Rust name, from `:name`.
    pub(super) name: Option<Name>,
    pub(super) deprecated: Option<String>,
}

/// Reads the directives of `method`, of the file `file`.
pub(super) fn of_method(resolver: &mut Resolver<'_>, file: FileId, method: &ast::Method) -> Said {
    let mut said = Said {
        convention: convention(&method.directives),
        timeout: None,
        throws: Vec::new(),
        name: None,
        deprecated: None,
    };
    repeated(&method.directives, resolver.reports);
    if said.convention == Convention::Event {
        event(method, resolver.reports);
    }
    for directive in &method.directives {
        match &directive.kind {
            DirectiveKind::Event | DirectiveKind::Async => {}
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

/// What the directives say about how the method is implemented.
pub(super) fn convention(directives: &[Directive]) -> Convention {
    let says = |word| directives.iter().any(|directive| directive.kind.word() == word);
    if says("event") {
        Convention::Event
    } else if says("async") {
        Convention::Async
    } else {
        Convention::Plain
    }
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
pub(super) fn repeated(directives: &[Directive], reports: &mut Vec<Report>) {
    for (at, directive) in directives.iter().enumerate() {
        let word = directive.kind.word();
        let first = directives[..at].iter().find(|first| first.kind.word() == word);
        if let Some(first) = first.filter(|_| word != "throws") {
            let report =
                Report::new(directive.span, format!("`:{word}` is there twice"), "again here");
            reports.push(report.and(first.span, "first here"));
        }
    }
}

/// Reports what an event cannot have.
fn event(method: &ast::Method, reports: &mut Vec<Report>) {
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
