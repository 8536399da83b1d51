//! Holds what is wrong with an interface file, and shows it. The only file that knows
//! `annotate-snippets`.
//!
//! Invariants:
//! 1. Diagnostics are shown in the order of files and places, whatever order they were found in.
//!    Kept by `diagnostics_say_where`.
//! 2. What is kept and shown of them is bounded, whatever is wrong and however long its lines are.
//!    Kept by `only_so_many_errors_are_shown`, `what_is_shown_of_errors_is_bounded`.
//! 3. Nothing hidden reaches a terminal. Kept by `names_of_files_in_messages_are_harmless`,
//!    `hidden_characters_are_spelled_out_and_replaced_in_place`.

use std::fmt;
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::excerpt::Excerpt;
use crate::source::{Sources, Span};
use crate::visible::{shown, visible};

/// The most errors kept of one run: beyond that, they are counted, and reading ends.
const MAX_KEPT: usize = 1_000;

/// The most errors shown in one run: beyond that, they are counted.
const MAX_SHOWN: usize = 50;

/// The most bytes shown, give or take one error.
const MAX_BYTES: usize = 64 << 10;

/// Says how many errors of a stage get a name that may have been meant: finding it takes time.
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
    /// Makes an error at `span`; `label` stands beside the caret and may be empty.
    pub(crate) fn new(span: Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        let (title, label) = (visible(&title.into()), visible(&label.into()));
        Self { title, span, label, others: Vec::new(), help: None }
    }

    /// Points at a second place.
    pub(crate) fn and(mut self, span: Span, label: impl Into<String>) -> Self {
        self.others.push((span, visible(&label.into())));
        self
    }

    /// Says what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(visible(&help.into()));
        self
    }
}

/// The errors found so far, the first of them kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    kept: Vec<Report>,
    more: usize,
}

impl Reports {
    pub(crate) fn push(&mut self, report: Report) {
        // Counted all the same, so that nobody takes the first thousand for all.
        if self.is_full() { self.more += 1 } else { self.kept.push(report) }
    }

    pub(crate) fn extend(&mut self, reports: impl IntoIterator<Item = Report>) {
        reports.into_iter().for_each(|report| self.push(report));
    }

    pub(crate) const fn len(&self) -> usize {
        self.kept.len() + self.more
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Returns true iff no more are kept.
    pub(crate) const fn is_full(&self) -> bool {
        self.kept.len() >= MAX_KEPT
    }
}

/// The errors found in an interface file and what it imports.
///
/// `Display` shows the first of them with source lines and carets, without colours;
/// [`render`](Self::render) chooses.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    sources: Sources,
    reports: Vec<Report>,
    /// Counts those that were not kept.
    more: usize,
}

/// One error: what and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostic<'d> {
    /// Holds what is wrong, in one line.
    pub message: &'d str,
    /// Holds what to do about it, if that is known.
    pub help: Option<&'d str>,
    /// The file, as it was named or found through an import.
    pub file: &'d Path,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Diagnostics {
    pub(crate) fn new(sources: Sources, reports: Reports) -> Self {
        let Reports { kept: mut reports, more } = reports;
        reports.sort_by_key(|report| report.span);
        Self { sources, reports, more }
    }

    /// Counts the errors; there is at least one. A file with a thousand is not read to its end.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.reports.len() + self.more
    }

    /// Returns false for all that a [`Compiler`](crate::Compiler) returns.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// Returns the errors, in the order of files and places; of very many, the first thousand that
    /// were found.
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

    /// Returns the errors as text for a terminal, with or without colours, ending in a line that
    /// counts them. At most 50 are shown, and of long lines what stands around the error.
    #[must_use]
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let (mut text, mut shown) = (String::new(), 0);
        for report in self.reports.iter().take(MAX_SHOWN) {
            // Few errors may be long as well: their names and labels are the file's.
            if text.len() > MAX_BYTES {
                break;
            }
            text.push_str(&self.render_one(report, &renderer));
            text.push_str("\n\n");
            shown += 1;
        }
        let count = self.len();
        if count > shown {
            text.push_str(&format!("error: {} more not shown\n\n", count - shown));
        }
        text.push_str(&format!("{count} error{}\n", if count == 1 { "" } else { "s" }));
        text
    }

    fn render_one(&self, report: &Report, renderer: &Renderer) -> String {
        let files =
            report.others.iter().map(|(span, _)| span.file).filter(|f| *f != report.span.file);
        let mut files: Vec<_> = files.collect();
        files.dedup();
        // The place of the error is shown first, whatever file it is in.
        files.insert(0, report.span.file);
        // A file that could not be read has nothing to show.
        files.retain(|file| !self.sources.get(*file).text.is_empty());
        let excerpts = files.into_iter().map(|file| {
            let here = |(span, _): &&(Span, String)| span.file == file;
            let others = report.others.iter().filter(here).map(|(span, _)| *span);
            let first = Some(report.span).filter(|span| span.file == file);
            (file, Excerpt::new(&self.sources.get(file).text, first.into_iter().chain(others)))
        });
        let excerpts: Vec<_> = excerpts.collect();
        let snippets = excerpts.iter().map(|(file, excerpt)| {
            let source = Snippet::source(excerpt.text.as_str()).line_start(excerpt.first_line);
            let mut snippet = source.path(shown(&self.sources.get(*file).path));
            if report.span.file == *file {
                let caret = AnnotationKind::Primary.span(excerpt.place(report.span));
                snippet = snippet.annotation(caret.label(report.label.as_str()));
            }
            for (span, label) in report.others.iter().filter(|(span, _)| span.file == *file) {
                let mark = AnnotationKind::Context.span(excerpt.place(*span));
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
