//! Doc comments: text written for an interface file, made safe for rustdoc, which reads links, HTML
//! and code to be tested into it.

use super::lines::Lines;

/// The most bytes of a code span: what would be longer is text.
const LONGEST_SPAN: usize = 500;

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

/// Returns the lines as rustdoc must see them to show what was written.
pub(super) fn escaped(docs: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut fenced = false;
    // How far the lines of the present list item are indented; 0 outside of lists.
    let mut hang = 0;
    for doc in docs {
        if doc.trim_start().starts_with("```") {
            fenced = !fenced;
            lines.push(if fenced { "```text".into() } else { "```".into() });
            hang = 0;
        } else if fenced {
            lines.push(doc.replace('\t', "    ").trim_end().into());
        } else {
            let begins_paragraph = lines.last().is_none_or(String::is_empty);
            let indent = indentation(doc, begins_paragraph, &mut hang);
            lines.push(" ".repeat(indent) + &line(doc));
        }
    }
    // An open fence would take in whatever is generated behind it.
    if fenced {
        lines.push("```".into());
    }
    let blank = |line: &&String| line.is_empty();
    let end = lines.len() - lines.iter().rev().take_while(blank).count();
    lines.truncate(end);
    let start = lines.iter().take_while(blank).count();
    lines.split_off(start)
}

/// Returns how far to indent a line outside of code blocks: as far as the list item it belongs to,
/// never so far that it becomes code.
fn indentation(doc: &str, begins_paragraph: bool, hang: &mut usize) -> usize {
    let text = doc.trim_start();
    let indented = doc.len() - text.len();
    if text.is_empty() {
        return 0;
    }
    if let Some(width) = marker(text) {
        let indent = if *hang > 0 { indented.min(3) } else { 0 };
        *hang = indent + width;
        return indent;
    }
    if begins_paragraph && indented == 0 {
        *hang = 0;
    }
    *hang
}

/// Returns the width of `- ` or `1. ` in front of a list item.
fn marker(text: &str) -> Option<usize> {
    if text.starts_with(['-', '*', '+']) {
        return text[1..].starts_with(' ').then_some(2);
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let ends = text[digits..].starts_with(". ") || text[digits..].starts_with(") ");
    ((1..=9).contains(&digits) && ends).then_some(digits + 2)
}

/// Returns one line outside of code blocks, without indentation. The text of a deprecation is one,
/// too.
pub(super) fn line(doc: &str) -> String {
    let words = doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::new();
    let mut rest = words.as_str();
    while let Some(first) = rest.chars().next() {
        let taken = if first == '`' {
            code(rest, &mut out)
        } else if rest.starts_with("http://") || rest.starts_with("https://") {
            url(rest, &mut out)
        } else if rest.starts_with("~~~") {
            // Would begin a code block, which rustdoc would run.
            out.push_str("\\~\\~\\~");
            3
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
        if at > LONGEST_SPAN {
            break;
        }
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
