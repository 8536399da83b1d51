//! Doc comments: text written for an interface file, made safe for rustdoc, which reads links, HTML and code to be tested
//! into it.

use super::lines::Lines;

/// Writes the docs of an item, or `otherwise` if it has none.
pub(super) fn emit(docs: &[String], otherwise: &str, out: &mut Lines) {
    let lines = escaped(docs);
    if lines.is_empty() {
        return out.line(format!("/// {otherwise}"));
    }
    for line in lines {
        out.line(format!("/// {line}").trim_end());
    }
}

/// Writes one more paragraph.
pub(super) fn paragraph(text: &str, out: &mut Lines) {
    out.line("///");
    out.line(format!("/// {text}"));
}

/// The lines as rustdoc must see them to show what was written.
pub(super) fn escaped(docs: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fenced = false;
    for doc in docs {
        if doc.trim_start().starts_with("```") {
            fenced = !fenced;
            lines.push(if fenced { "```text".into() } else { "```".into() });
        } else if fenced {
            lines.push(doc.replace('\t', "    ").trim_end().into());
        } else {
            lines.push(line(doc));
        }
    }
    if fenced {
        lines.push("```".into());
    }
    let blank = |line: &&String| line.is_empty();
    let end = lines.len() - lines.iter().rev().take_while(blank).count();
    lines.truncate(end);
    let start = lines.iter().take_while(blank).count();
    lines.split_off(start)
}

/// One line outside of code blocks: at most three columns of indentation, so that it does not become one.
fn line(doc: &str) -> String {
    let words = doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let indent = doc.chars().take_while(|c| c.is_whitespace()).count().min(3);
    let mut out = " ".repeat(if words.is_empty() { 0 } else { indent });
    let mut rest = words.as_str();
    while let Some(first) = rest.chars().next() {
        let taken = if first == '`' {
            code(rest, &mut out)
        } else if rest.starts_with("http://") || rest.starts_with("https://") {
            url(rest, &mut out)
        } else {
            if matches!(first, '[' | ']' | '<' | '>' | '\\') && !(out.is_empty() && first == '>') {
                out.push('\\');
            }
            out.push(first);
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

/// Copies a code span that ends on this line; a backtick without partner becomes text.
fn code(text: &str, out: &mut String) -> usize {
    let ticks = text.len() - text.trim_start_matches('`').len();
    let mut at = ticks;
    while let Some(next) = text[at..].find('`') {
        at += next;
        let found = text[at..].len() - text[at..].trim_start_matches('`').len();
        at += found;
        if found == ticks {
            out.push_str(&text[..at]);
            return at;
        }
    }
    (0..ticks).for_each(|_| out.push_str("\\`"));
    ticks
}

/// Copies an address as a link.
fn url(text: &str, out: &mut String) -> usize {
    let ends =
        |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '`' | '"');
    let end = text.find(ends).unwrap_or(text.len());
    let address = text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']);
    out.push_str(&format!("<{address}>"));
    address.len()
}
