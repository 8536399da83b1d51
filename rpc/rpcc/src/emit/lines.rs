//! Writing lines, laid out as rustfmt lays them out: four columns for each level, at most 100
//! columns, lists in one line or one part per line.

const WIDTH: usize = 100;

/// From how many lines on a function is said to be long.
const LONG: usize = 60;

/// Text that grows by lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    indent: usize,
    /// A blank line is due before the next line, unless that closes or follows an opening.
    blank: bool,
}

impl Lines {
    /// Adds a line at the present level.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        if std::mem::take(&mut self.blank) {
            self.text.push('\n');
        }
        let line = line.as_ref();
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n("    ", self.indent));
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Separates what follows by a blank line.
    pub(super) fn blank(&mut self) {
        self.blank = !self.text.is_empty() && !self.text.ends_with("{\n");
    }

    /// Adds a line and goes one level down.
    pub(super) fn open(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.indent += 1;
    }

    /// Goes one level up.
    pub(super) fn leave(&mut self) {
        self.indent -= 1;
    }

    /// Goes one level up and adds a line.
    pub(super) fn close(&mut self, line: impl AsRef<str>) {
        self.indent -= 1;
        self.blank = false;
        self.line(line);
    }

    /// Adds the lines of a function body behind its signature, with what keeps clippy quiet if
    /// there are many.
    pub(super) fn body(&mut self, signature: impl FnOnce(&mut Self), body: impl FnOnce(&mut Self)) {
        let mut inside = Self { text: String::new(), indent: self.indent + 1, blank: false };
        body(&mut inside);
        // Known only when it is written, and the attribute has to stand in front.
        if inside.text.lines().count() > LONG {
            self.line("#[allow(clippy::too_many_lines)]");
        }
        signature(self);
        self.text.push_str(&inside.text);
        self.line("}");
    }

    /// Returns true iff a line fits at the present level.
    pub(super) fn fits(&self, line: &str) -> bool {
        let room = WIDTH.saturating_sub(self.indent * 4);
        // Most lines have as many bytes as characters.
        line.len() <= room || line.chars().take(room + 1).count() <= room
    }

    /// Adds `before`, the parts and `after`: in one line, or each part in a line of its own.
    pub(super) fn list(&mut self, before: &str, parts: &[String], after: &str) {
        let line = format!("{before}{}{after}", parts.join(", "));
        if self.fits(&line) || parts.is_empty() {
            return self.line(line);
        }
        self.open(before);
        for part in parts {
            let (name, ty) = split(part, ": ");
            self.typed(name, ty, ",");
        }
        self.leave();
        let (arrow, ty) = split(after, " -> ");
        let (ty, end) =
            ty.split_at(ty.rfind([' ', ';']).filter(|_| !arrow.is_empty()).unwrap_or(0));
        if arrow.is_empty() { self.line(after) } else { self.result(arrow, ty, end) }
    }

    /// Adds the line with the type of a result, which may be wider by two columns, and what ends
    /// the signature: a brace goes to the next line sooner the deeper it stands.
    fn result(&mut self, arrow: &str, ty: &str, end: &str) {
        let (line, indent) = (format!("{arrow}{ty}"), self.indent * 4);
        let width = indent + line.chars().count();
        if width > WIDTH + 2 {
            self.broken(arrow, ty, end);
        } else if end == " {" && width + end.len() + indent > WIDTH {
            self.line(line);
            self.line("{");
        } else {
            self.line(line + end);
        }
    }

    /// Goes one level down behind a list that ended in `{`.
    pub(super) fn nest(&mut self) {
        self.indent += 1;
    }

    /// Adds `before { parts }`, in one line or each part in a line of its own.
    pub(super) fn braces(&mut self, before: &str, parts: &[String]) {
        self.call_braces("", before, parts, "");
    }

    /// Adds `call before { parts } after`, in one line or each part in a line of its own.
    pub(super) fn call_braces(&mut self, call: &str, before: &str, parts: &[String], after: &str) {
        let line = format!("{call}{before} {{ {} }}{after}", parts.join(", "));
        if self.fits(&line) {
            return self.line(line);
        }
        self.open(format!("{call}{before} {{"));
        for part in parts {
            self.line(format!("{part},"));
        }
        self.close(format!("}}{after}"));
    }

    /// Opens the arm of a match for a pattern with fields.
    pub(super) fn arm(&mut self, before: &str, fields: &[String]) {
        let line = format!("{before} {{ {} }} => {{", fields.join(", "));
        if self.fits(&line) {
            return self.open(line);
        }
        self.call_braces("", before, fields, " => {");
        self.nest();
    }

    /// Adds a call of a macro with a writer, a format string and arguments.
    pub(super) fn format_macro(&mut self, name: &str, format: &str, arguments: &[String]) {
        let line = format!("{name}(f, {format}, {})", arguments.join(", "));
        if self.fits(&line) {
            return self.line(line);
        }
        self.open(format!("{name}("));
        self.line("f,");
        self.line(format!("{format},"));
        arguments.iter().for_each(|argument| self.line(format!("{argument},")));
        self.close(")");
    }

    /// Adds `pub use module::{…};`.
    pub(super) fn uses(&mut self, module: &str, names: &[String]) {
        if let [name] = names {
            return self.line(format!("pub use {module}::{name};"));
        }
        let line = format!("pub use {module}::{{{}}};", names.join(", "));
        if self.fits(&line) {
            return self.line(line);
        }
        self.open(format!("pub use {module}::{{"));
        self.fill(names);
        self.close("};");
    }

    /// Adds parts, each with a comma, as many to a line as fit.
    fn fill(&mut self, parts: &[String]) {
        let mut line = String::new();
        for part in parts {
            let longer = format!("{line}{}{part},", if line.is_empty() { "" } else { " " });
            // A part that is too long by itself has a line of its own.
            if self.fits(&longer) || line.is_empty() {
                line = longer;
            } else {
                self.line(std::mem::replace(&mut line, format!("{part},")));
            }
        }
        self.line(line);
    }

    /// Adds `#[derive(…)]` for traits of `std`.
    pub(super) fn derive(&mut self, traits: &[&str]) {
        let traits: Vec<_> = traits.iter().map(|name| format!("::std::{name}")).collect();
        let joined = traits.join(", ");
        // An attribute is broken before its line is full.
        if self.fits(&format!("#[derive({joined})]    ")) {
            return self.line(format!("#[derive({joined})]"));
        }
        self.open("#[derive(");
        if self.fits(&format!("{joined},")) {
            self.line(format!("{joined},"));
        } else {
            traits.iter().for_each(|name| self.line(format!("{name},")));
        }
        self.close(")]");
    }

    /// Adds a field: its type stands in a line of its own if that makes it fit.
    pub(super) fn field(&mut self, name: &str, ty: &str) {
        if self.fits(&format!("{name} {ty},")) || !self.fits(&format!("    {ty},")) {
            return self.typed(&format!("{name} "), ty, ",");
        }
        self.open(name);
        self.line(format!("{ty},"));
        self.leave();
    }

    /// Adds `let name = (parts);`, the tuple in a line of its own if that makes it fit.
    pub(super) fn tuple(&mut self, name: &str, parts: &[String]) {
        // What has one part is a tuple by its comma.
        let comma = if parts.len() == 1 { "," } else { "" };
        let tuple = format!("({}{comma});", parts.join(", "));
        let line = format!("let {name} = {tuple}");
        if self.fits(&line) {
            return self.line(line);
        }
        if !self.fits(&format!("    {tuple}")) {
            return self.list(&format!("let {name} = ("), parts, ");");
        }
        self.open(format!("let {name} ="));
        self.line(tuple);
        self.leave();
    }

    /// Adds `name call(parts)`: the call in a line of its own, or each part in one, as it fits.
    pub(super) fn assigned(&mut self, name: &str, call: &str, parts: &[String], after: &str) {
        let line = format!("{call}{}{after}", parts.join(", "));
        if self.fits(&format!("{name} {line}")) || !self.fits(&format!("    {line}")) {
            return self.list(&format!("{name} {call}"), parts, after);
        }
        self.open(name);
        self.line(line);
        self.leave();
    }

    /// Adds a line that ends in a type and `after`, breaking the type where it does not fit.
    pub(super) fn typed(&mut self, before: &str, ty: &str, after: &str) {
        let line = format!("{before}{ty}{after}");
        if self.fits(&line) { self.line(line) } else { self.broken(before, ty, after) }
    }

    /// Adds `before`, a type with each of its parts in a line of its own, and `after`.
    fn broken(&mut self, before: &str, ty: &str, after: &str) {
        let Some((open, close)) = brackets(ty) else {
            return self.line(format!("{before}{ty}{after}"));
        };
        self.open(format!("{before}{}", &ty[..=open]));
        for part in parts(&ty[open + 1..close]) {
            self.typed("", part, ",");
        }
        self.close(format!("{}{after}", &ty[close..]));
    }

    /// Returns the whole text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Cuts behind the first `mark`; without one, all of the text is the second part.
fn split<'t>(text: &'t str, mark: &str) -> (&'t str, &'t str) {
    text.split_at(text.find(mark).map_or(0, |at| at + mark.len()))
}

/// Returns where a type is broken: at its first brackets, or at those of the tuple that is all
/// there is between them.
fn brackets(ty: &str) -> Option<(usize, usize)> {
    let open = ty.find(['<', '('])?;
    let (close, inner) = (closing(ty, open), open + 1);
    if ty[inner..].starts_with('(') && closing(ty, inner) + 1 == close {
        return Some((inner, close - 1));
    }
    Some((open, close))
}

/// Returns where the bracket that opens at `open` closes.
fn closing(ty: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in ty.char_indices().skip(open) {
        depth += nesting(c);
        if depth == 0 {
            return at;
        }
    }
    ty.len()
}

/// Returns the parts of a type between commas, brackets left whole.
fn parts(types: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let top = types.split(move |c| {
        depth += nesting(c);
        depth == 0 && c == ','
    });
    top.map(str::trim)
}

const fn nesting(c: char) -> i32 {
    match c {
        '<' | '(' | '[' => 1,
        '>' | ')' | ']' => -1,
        _ => 0,
    }
}
