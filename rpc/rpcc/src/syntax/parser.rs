//! From tokens to the tree, by recursive descent.
//!
//! Invariants:
//! 1. Every loop consumes a token or ends. Kept by `mutated_files_do_not_panic`.
//! 2. Recursion happens only in types and stops at [`MAX_NESTING`]. Kept by
//!    `deep_nesting_needs_no_stack`.
//! 3. After an error parsing goes on behind the next place where something can begin. Kept by
//!    `bad_files_become_the_expected_errors`.

use super::ast::{
    CONTAINERS, FieldDecl, FileTree, Import, Item, ItemKind, MethodDecl, Name, Override, Path,
    Scalar, Type, TypeKind, VariantDecl,
};
use super::lexer::{Lexeme, Token, lex};
use crate::diagnostics::{Report, Reports};
use crate::names;
use crate::source::{FileId, Span};

/// Says how deep types may be nested: `list<list<…>>`.
const MAX_NESTING: usize = 16;

/// The words that begin a declaration.
const ITEMS: [&str; 5] = ["import", "exception", "struct", "enum", "interface"];

/// Parses a text. Whatever is wrong is reported; the tree holds what could be read.
pub(crate) fn parse(file: FileId, text: &str, reports: &mut Reports) -> FileTree {
    let before = reports.len();
    let lexemes = lex(file, text, reports);
    // Behind what is not a token, everything looks wrong.
    let mut echoes = Reports::default();
    let reports = if reports.len() == before { reports } else { &mut echoes };
    Parser { lexemes, at: 0, nesting: 0, reports }.file()
}

/// The error was reported; whoever gets this goes on at the next sensible place.
pub(super) struct Reported;

/// The outcome of parsing a part of a file.
pub(super) type Parsed<T> = Result<T, Reported>;

pub(super) struct Parser<'r> {
    lexemes: Vec<Lexeme>,
    at: usize,
    nesting: usize,
    reports: &'r mut Reports,
}

/// Tokens.
impl Parser<'_> {
    fn lexeme(&self) -> &Lexeme {
        // The last lexeme is the end, and `advance` never goes behind it.
        &self.lexemes[self.at]
    }

    pub(super) fn token(&self) -> &Token {
        &self.lexeme().token
    }

    pub(super) fn span(&self) -> Span {
        self.lexeme().span
    }

    pub(super) fn advance(&mut self) -> Span {
        let span = self.span();
        self.at = (self.at + 1).min(self.lexemes.len() - 1);
        span
    }

    fn is_mark(&self, mark: &str) -> bool {
        matches!(self.token(), Token::Mark(found) if *found == mark)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.token(), Token::Word(found) if found == word)
    }

    pub(super) fn take(&mut self, mark: &str) -> Option<Span> {
        self.is_mark(mark).then(|| self.advance())
    }

    pub(super) fn report(&mut self, report: Report) {
        self.reports.push(report);
    }

    /// Reports that something else was expected here.
    pub(super) fn expected<T>(&mut self, what: &str) -> Parsed<T> {
        let found = self.token().describe();
        let report = Report::new(self.span(), format!("expected {what}, found {found}"), "");
        self.report(report);
        Err(Reported)
    }

    /// Reports that something is missing at the end of the line, if the line ends here.
    pub(super) fn same_line(&mut self, what: &str) -> Parsed<()> {
        if !self.lexeme().starts_line {
            return Ok(());
        }
        let title = format!("expected {what}, found the end of the line");
        let report = Report::new(self.before(), title, "behind this");
        self.report(report);
        Err(Reported)
    }

    fn expect(&mut self, mark: &str, after: &str) -> Parsed<Span> {
        match self.take(mark) {
            Some(span) => Ok(span),
            None => self.expected(&format!("`{mark}` {after}")),
        }
    }

    pub(super) fn name(&mut self, what: &str) -> Parsed<Name> {
        match self.token() {
            Token::Word(text) => {
                let text = text.clone();
                Ok(Name { text, span: self.advance() })
            }
            _ => self.expected(what),
        }
    }

    fn docs(&mut self) -> Vec<String> {
        let mut docs = Vec::new();
        while let Token::Doc(line) = self.token() {
            docs.push(line.clone());
            self.advance();
        }
        docs
    }
}

/// Declarations.
impl Parser<'_> {
    fn file(&mut self) -> FileTree {
        let mut file = FileTree::default();
        loop {
            let docs_at = self.span();
            let docs = self.docs();
            if *self.token() == Token::End {
                self.no_docs(docs_at, &docs);
                return file;
            }
            let start = self.at;
            // What is wrong with one declaration must not hide what is wrong with the next.
            if self.item(docs, docs_at, &mut file).is_err() {
                self.skip_to_item(start);
            }
        }
    }

    /// Reports doc comments that nothing follows.
    fn no_docs(&mut self, at: Span, docs: &[String]) {
        if !docs.is_empty() {
            let report = Report::new(at, "this doc comment documents nothing", "");
            self.report(report.help("write `//` for a comment that is not documentation"));
        }
    }

    /// Goes on at the next word at the start of a line that begins a declaration.
    fn skip_to_item(&mut self, start: usize) {
        // At least one token, or the same one would be reported for ever.
        if self.at == start {
            self.advance();
        }
        while *self.token() != Token::End {
            if self.begins_item() {
                return;
            }
            self.advance();
        }
    }

    fn item(&mut self, docs: Vec<String>, docs_at: Span, file: &mut FileTree) -> Parsed<()> {
        let Token::Word(word) = self.token() else {
            return self.expected("`import`, `exception`, `struct`, `enum` or `interface`");
        };
        let word = word.clone();
        if !ITEMS.contains(&word.as_str()) {
            return Err(self.unknown_item(&word));
        }
        self.advance();
        if word == "import" {
            self.no_docs(docs_at, &docs);
            let import = self.import()?;
            file.imports.push(import);
            return Ok(());
        }
        let name = self.name(&format!("a name behind `{word}`"))?;
        let kind = match word.as_str() {
            "exception" => ItemKind::Exception(self.exception_fields()?),
            "struct" => ItemKind::Struct(self.block(Self::field)?),
            "enum" => ItemKind::Enum(self.block(Self::variant)?),
            _ => self.interface()?,
        };
        self.take(";");
        file.items.push(Item { docs, name, kind });
        Ok(())
    }

    fn unknown_item(&mut self, word: &str) -> Reported {
        let title = format!(
            "expected `import`, `exception`, `struct`, `enum` or `interface`, found `{word}`"
        );
        let report = Report::new(self.span(), title, "");
        self.report(match names::nearest(word, &ITEMS) {
            Some(near) => report.help(format!("did you mean `{near}`?")),
            None => report,
        });
        Reported
    }

    fn import(&mut self) -> Parsed<Import> {
        let Token::Text(path) = self.token() else {
            return self.expected("a path in quotes behind `import`");
        };
        let path = path.clone();
        let span = self.advance();
        let place = if self.is_word("in") { Some(self.place()?) } else { None };
        self.take(";");
        Ok(Import { path, span, place })
    }

    /// Reads `in a::b`: where in Rust the types of an imported file are.
    fn place(&mut self) -> Parsed<Vec<Name>> {
        self.advance();
        let what = "the path of a Rust module behind `in`";
        self.same_line(what)?;
        let mut parts = vec![self.name(what)?];
        while let Some(colon) = self.take(":") {
            // `::` is two tokens here, since a single colon begins a directive.
            if !self.is_mark(":") || self.span().start != colon.end {
                return self.expected("`::` between the parts of a Rust path");
            }
            self.advance();
            self.same_line("a name behind `::`")?;
            parts.push(self.name("a name behind `::`")?);
        }
        if self.is_mark(".") || self.is_mark("->") {
            return self.expected("`::`, a new line or `;`");
        }
        Ok(parts)
    }

    fn exception_fields(&mut self) -> Parsed<Vec<FieldDecl>> {
        if self.is_mark("(") { self.parentheses(Self::field) } else { Ok(Vec::new()) }
    }

    fn interface(&mut self) -> Parsed<ItemKind> {
        let base = if self.is_word("extends") {
            self.advance();
            Some(self.path("the name of an interface behind `extends`")?)
        } else {
            None
        };
        if self.is_mark(",") {
            let report = Report::new(self.span(), "an interface extends at most one other", "");
            self.report(report.help("let the other one extend this one, or bind both interfaces"));
            return Err(Reported);
        }
        if self.is_mark(":") {
            let report = Report::new(self.span(), "expected `{` or `extends`, found `:`", "");
            self.report(report.help("write `interface A extends B`"));
            return Err(Reported);
        }
        let open = self.expect("{", "to open the interface")?;
        let (mut methods, mut overrides) = (Vec::new(), Vec::new());
        loop {
            let docs_at = self.span();
            let docs = self.docs();
            if self.take("}").is_some() {
                self.no_docs(docs_at, &docs);
                return Ok(ItemKind::Interface { base, methods, overrides });
            }
            // A forgotten brace is reported where it was opened, not at all that follows.
            if *self.token() == Token::End || self.begins_item() {
                return self.unclosed(open);
            }
            let start = self.at;
            // `override(…)` is a method of that name.
            let parsed = if self.is_word("override") && !self.next_is("(") {
                self.no_docs_on_override(docs_at, &docs);
                self.advance();
                self.overriding().map(|overriding| overrides.push(overriding))
            } else {
                self.method(docs).map(|method| methods.push(method))
            };
            if parsed.and_then(|()| self.end_of_method()).is_err() {
                self.skip_to_method(start)?;
            }
        }
    }

    /// Returns true iff a declaration begins here, as far as one can tell from its first word.
    fn begins_item(&self) -> bool {
        let begins = ITEMS.iter().any(|word| self.is_word(word));
        begins && self.lexeme().starts_line && !self.next_is("(")
    }

    fn unclosed<T>(&mut self, open: Span) -> Parsed<T> {
        let title = format!("expected a method or `}}`, found {}", self.token().describe());
        let report = Report::new(self.span(), title, "").and(open, "this is not closed");
        self.report(report);
        Err(Reported)
    }

    fn no_docs_on_override(&mut self, at: Span, docs: &[String]) {
        if !docs.is_empty() {
            let report = Report::new(at, "an override has no documentation of its own", "");
            self.report(report.help("it keeps that of the method it overrides; write `//`"));
        }
    }

    fn next_is(&self, mark: &str) -> bool {
        let next = self.lexemes.get(self.at + 1).map(|lexeme| &lexeme.token);
        matches!(next, Some(Token::Mark(found)) if *found == mark)
    }

    /// Methods end with their line or with `;`.
    fn end_of_method(&mut self) -> Parsed<()> {
        if self.take(";").is_some() || self.is_mark("}") || self.lexeme().starts_line {
            return Ok(());
        }
        self.expected("a directive, `;` or a new line")
    }

    /// Goes on at the next line or `}`; fails where the interface cannot go on.
    fn skip_to_method(&mut self, start: usize) -> Parsed<()> {
        // At least one token, or the same one would be reported for ever.
        if self.at == start && !self.is_mark("}") {
            self.advance();
        }
        loop {
            if *self.token() == Token::End || self.begins_item() {
                return Err(Reported);
            }
            if self.is_mark("}") || (self.lexeme().starts_line && self.at > start) {
                return Ok(());
            }
            self.advance();
        }
    }

    fn method(&mut self, docs: Vec<String>) -> Parsed<MethodDecl> {
        let name = self.name("a method or `}`")?;
        if !self.is_mark("(") {
            return self.expected("`(` behind the name of a method");
        }
        let arguments = self.parentheses(Self::field)?;
        let result = self.result()?;
        let directives = self.directives()?;
        Ok(MethodDecl { docs, name, arguments, result, directives })
    }

    fn overriding(&mut self) -> Parsed<Override> {
        let name = self.name("the name of a method behind `override`")?;
        let arguments =
            if self.is_mark("(") { Some(self.parentheses(Self::override_argument)?) } else { None };
        let result = self.result()?;
        let directives = self.directives()?;
        Ok(Override { name, arguments, result, directives })
    }

    /// Reads `type` or `name: type`.
    fn override_argument(&mut self) -> Parsed<Type> {
        if matches!(self.token(), Token::Word(_)) && self.next_is(":") {
            self.advance();
            self.advance();
        }
        self.ty()
    }

    fn result(&mut self) -> Parsed<Option<Type>> {
        if self.take("->").is_none() {
            return Ok(None);
        }
        self.ty().map(Some)
    }

    fn field(&mut self) -> Parsed<FieldDecl> {
        let docs = self.docs();
        let name = self.name("a name")?;
        self.expect(":", &format!("and a type behind `{}`", name.text))?;
        let ty = self.ty()?;
        Ok(FieldDecl { docs, name, ty })
    }

    fn variant(&mut self) -> Parsed<VariantDecl> {
        let docs = self.docs();
        let name = self.name("a variant")?;
        let fields = if self.is_mark("(") { self.parentheses(Self::field)? } else { Vec::new() };
        Ok(VariantDecl { docs, name, fields })
    }

    /// Reads `{ … }`: parts end with their line, with `,` or with `;`.
    fn block<T>(&mut self, part: fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect("{", "to open the block")?;
        let mut parts = Vec::new();
        loop {
            if self.take("}").is_some() {
                return Ok(parts);
            }
            parts.push(part(self)?);
            let separated = self.take(",").or_else(|| self.take(";")).is_some();
            if !separated && !self.is_mark("}") && !self.lexeme().starts_line {
                return self.expected("`,`, a new line or `}`");
            }
        }
    }

    /// Reads `( … )`: parts are separated by `,`.
    fn parentheses<T>(&mut self, part: fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect("(", "")?;
        let mut parts = Vec::new();
        while self.take(")").is_none() {
            parts.push(part(self)?);
            if self.take(",").is_none() && !self.is_mark(")") {
                return self.expected("`,` or `)`");
            }
        }
        Ok(parts)
    }
}

/// Types.
impl Parser<'_> {
    pub(super) fn path(&mut self, what: &str) -> Parsed<Path> {
        let name = self.name(what)?;
        if self.take(".").is_none() {
            return Ok(Path { stem: None, name });
        }
        let stem = Some(name);
        let name = self.name("a name behind `.`")?;
        Ok(Path { stem, name })
    }

    fn ty(&mut self) -> Parsed<Type> {
        if self.nesting == MAX_NESTING {
            let title = format!("types are nested deeper than {MAX_NESTING}");
            let report = Report::new(self.span(), title, "");
            self.report(report.help("name an inner part of it with a `struct`"));
            return Err(Reported);
        }
        self.nesting += 1;
        let parsed = self.ty_inside();
        self.nesting -= 1;
        parsed
    }

    fn ty_inside(&mut self) -> Parsed<Type> {
        let start = self.span();
        if self.is_mark("(") {
            let parts = self.parentheses(Self::ty)?;
            let span = start.to(self.before());
            return Ok(Type { kind: TypeKind::Tuple(parts), span });
        }
        let path = self.path("a type")?;
        let word = path.name.text.as_str();
        if path.stem.is_none()
            && let Some(scalar) = Scalar::named(word)
        {
            return Ok(Type { kind: TypeKind::Scalar(scalar), span: start });
        }
        if path.stem.is_none() && CONTAINERS.contains(&word) {
            return self.container(&path.name);
        }
        if self.is_mark("<") {
            return self.not_generic(&path);
        }
        let span = path.span();
        Ok(Type { kind: TypeKind::Named(path), span })
    }

    fn container(&mut self, name: &Name) -> Parsed<Type> {
        let of = if name.text == "map" { "<key, value>" } else { "<type>" };
        self.expect("<", &format!("behind `{0}`: `{0}{of}`", name.text))?;
        let first = Box::new(self.ty()?);
        let kind = match name.text.as_str() {
            "list" => TypeKind::List(first),
            "set" => TypeKind::Set(first),
            "option" => TypeKind::Option(first),
            _ => {
                self.expect(",", "and the type of the values of the map")?;
                TypeKind::Map(first, Box::new(self.ty()?))
            }
        };
        let end = self.expect(">", &format!("to close `{}<`", name.text))?;
        Ok(Type { kind, span: name.span.to(end) })
    }

    fn not_generic<T>(&mut self, path: &Path) -> Parsed<T> {
        let title = format!("`{}` has no type parameters", path.name.text);
        let report = Report::new(self.span(), title, "");
        self.report(report.help("only `list`, `set`, `map` and `option` have them"));
        Err(Reported)
    }

    /// Returns the token that was taken last.
    pub(super) fn before(&self) -> Span {
        self.lexemes[self.at.saturating_sub(1)].span
    }
}
