//! What is wrong with an interface file, and how it is shown. The only file that knows `annotate-snippets`.
//!
//! Invariant: diagnostics are shown in the order of files and places, whatever order they were found in.

use std::fmt;
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::source::{Sources, Span};

/// The most errors shown in one run: beyond that, they are counted.
const MAX_SHOWN: usize = 50;

/// How many errors of a stage get a name that may have been meant: finding it takes time.
pub(crate) const MAX_SUGGESTED: usize = 10;

/// One error while it is being described.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    title: String,
    span: Span,
    label: String,
    others: Vec<(Span, String)>,
    help: Option<String>,
}

impl Report {
    /// An error at `span`; `label` stands beside the caret and may be empty.
    pub(crate) fn new(span: Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        let (title, label) = (title.into(), label.into());
        Self { title, span, label, others: Vec::new(), help: None }
    }

    /// Points at a second place.
    pub(crate) fn and(mut self, span: Span, label: impl Into<String>) -> Self {
        self.others.push((span, label.into()));
        self
    }

    /// Says what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.set_help(help);
        self
    }

    /// Says what to do about it.
    pub(crate) fn set_help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
}

/// The errors found in an interface file and what it imports.
///
/// `Display` shows all of them with source lines and carets, without colours; [`render`](Self::render) chooses.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    sources: Sources,
    reports: Vec<Report>,
}

/// One error: what and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostic<'d> {
    /// What is wrong, in one line.
    pub message: &'d str,
    /// What to do about it, if that is known.
    pub help: Option<&'d str>,
    /// The file, as it was named or found through an import.
    pub file: &'d Path,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Diagnostics {
    pub(crate) fn new(sources: Sources, mut reports: Vec<Report>) -> Self {
        reports.sort_by_key(|report| report.span);
        Self { sources, reports }
    }

    /// How many errors there are; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reports.len()
    }

    /// Never true of what a [`Compiler`](crate::Compiler) returns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// The errors, in the order of files and places.
    pub fn iter(&self) -> impl Iterator<Item = Diagnostic<'_>> {
        self.reports.iter().map(|report| {
            let source = self.sources.get(report.span.file);
            let (line, column) = source.line_column(report.span.start);
            Diagnostic {
                message: &report.title,
                help: report.help.as_deref(),
                file: &source.path,
                line,
                column,
            }
        })
    }

    /// All errors as text for a terminal, with or without colours, ending in a line that counts them.
    #[must_use]
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut text = String::new();
        for report in self.reports.iter().take(MAX_SHOWN) {
            text.push_str(&self.render_one(report, &renderer));
            text.push_str("\n\n");
        }
        let count = self.reports.len();
        if count > MAX_SHOWN {
            text.push_str(&format!("error: {} more not shown\n\n", count - MAX_SHOWN));
        }
        text.push_str(&format!("{count} error{}\n", if count == 1 { "" } else { "s" }));
        text
    }

    fn render_one(&self, report: &Report, renderer: &Renderer) -> String {
        let files =
            report.others.iter().map(|(span, _)| span.file).filter(|f| *f != report.span.file);
        let mut files: Vec<_> = files.collect();
        files.dedup();
        files.insert(0, report.span.file);
        // A file that could not be read has nothing to show.
        files.retain(|file| !self.sources.get(*file).text.is_empty());
        let snippets = files.into_iter().map(|file| {
            let source = self.sources.get(file);
            let path = source.path.to_string_lossy().into_owned();
            let mut snippet = Snippet::source(source.text.as_str()).path(path);
            if report.span.file == file {
                let caret = AnnotationKind::Primary.span(report.span.start..report.span.end);
                snippet = snippet.annotation(caret.label(report.label.as_str()));
            }
            for (span, label) in report.others.iter().filter(|(span, _)| span.file == file) {
                let mark = AnnotationKind::Context.span(span.start..span.end);
                snippet = snippet.annotation(mark.label(label.as_str()));
            }
            snippet
        });
        let mut group = Level::ERROR.primary_title(report.title.as_str()).elements(snippets);
        if let Some(help) = &report.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
