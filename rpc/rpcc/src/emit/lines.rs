//! Writing lines, laid out as rustfmt lays them out: four columns for each level, at most 100 columns, lists in one line
//! or one part per line.

const WIDTH: usize = 100;

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

    /// Goes one level up and adds a line.
    pub(super) fn close(&mut self, line: impl AsRef<str>) {
        self.indent -= 1;
        self.blank = false;
        self.line(line);
    }

    /// True iff a line fits at the present level.
    pub(super) fn fits(&self, line: &str) -> bool {
        self.indent * 4 + line.chars().count() <= WIDTH
    }

    /// Adds `before`, the parts and `after`: in one line, or each part in a line of its own.
    pub(super) fn list(&mut self, before: &str, parts: &[String], after: &str) {
        let line = format!("{before}{}{after}", parts.join(", "));
        if self.fits(&line) || parts.is_empty() {
            return self.line(line);
        }
        self.open(before);
        for part in parts {
            self.line(format!("{part},"));
        }
        self.close(after);
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

    /// Adds a macro call whose first two arguments, writer and format string, share a line.
    pub(super) fn format_macro(&mut self, name: &str, parts: &[String]) {
        self.list(&format!("{name}("), parts, ")");
    }

    /// Adds `pub use module::{…};`, filling lines.
    pub(super) fn uses(&mut self, module: &str, names: &[String]) {
        if let [name] = names {
            return self.line(format!("pub use {module}::{name};"));
        }
        let line = format!("pub use {module}::{{{}}};", names.join(", "));
        if self.fits(&line) {
            return self.line(line);
        }
        self.open(format!("pub use {module}::{{"));
        let mut line = String::new();
        for name in names {
            let longer = format!("{line}{}{name},", if line.is_empty() { "" } else { " " });
            if self.fits(&longer) {
                line = longer;
            } else {
                self.line(std::mem::replace(&mut line, format!("{name},")));
            }
        }
        self.line(line);
        self.close("};");
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}
