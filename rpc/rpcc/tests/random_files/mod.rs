//! Interface files made by chance, which are always right: two files, one of which imports the
//! other, with all that the language has.

#![allow(dead_code, unreachable_pub, reason = "other packages take it by its path")]
#![allow(clippy::let_underscore_must_use, reason = "writing to a text never fails")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Xorshift: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % limit.max(1)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }
}

const SCALARS: [&str; 14] = [
    "bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "string", "bytes",
    "value",
];

/// Scalars that have an order.
const KEYS: usize = 10;

/// The files `root.rpc` and `other.rpc`.
pub fn files(seed: u64) -> BTreeMap<String, String> {
    let mut random = Random::new(seed);
    let mut other = Maker { random: &mut random, text: String::new(), types: Vec::new(), of: "o" };
    other.file("");
    let (known, imported) = (other.types.clone(), other.text.clone());
    let types = known.into_iter().map(|(name, ordered)| (format!("other.{name}"), ordered));
    let types = types.collect();
    let mut root = Maker { random: &mut random, text: String::new(), types, of: "r" };
    root.text.push_str("import \"other.rpc\"\n");
    root.file(" extends other.o_first");
    BTreeMap::from([("root.rpc".into(), root.text), ("other.rpc".into(), imported)])
}

struct Maker<'r> {
    random: &'r mut Random,
    text: String,
    /// Types that may be used, and whether they have an order.
    types: Vec<(String, bool)>,
    /// Begins all names of the file.
    of: &'static str,
}

impl Maker<'_> {
    fn file(&mut self, extends: &str) {
        for at in 0..self.random.below(5) {
            self.docs();
            let name = format!("{}_type{at}", self.of);
            let own = self.random.one_in(3).then(|| name.clone());
            let ordered = if self.random.one_in(2) {
                self.structure(&name, own.as_deref())
            } else {
                self.enumeration(&name, own.as_deref())
            };
            self.types.push((name, ordered));
        }
        let of = self.of;
        let fields = self.fields(true, None).0;
        let _ = writeln!(self.text, "exception {of}_wrong{fields}\nexception {of}_busy");
        self.interface(&format!("{of}_first"), extends);
        let base = format!(" extends {of}_first");
        self.interface(&format!("{of}_second"), &base);
    }

    fn docs(&mut self) {
        for _ in 0..self.random.below(3) {
            let line =
                self.random.pick(&["", " A doc.", "   an `indented` \\ \"one\"", "bare", " ünï"]);
            let _ = writeln!(self.text, "///{line}");
        }
    }

    /// `ordered` if it must have an order; says whether it has.
    fn ty(&mut self, depth: usize, ordered: bool) -> (String, bool) {
        let roll = self.random.below(if depth == 0 { 6 } else { 12 });
        if roll < 5 {
            let scalar = self.random.below(SCALARS.len());
            let has = !(SCALARS[scalar].starts_with('f') || SCALARS[scalar] == "value");
            return if has || !ordered {
                (SCALARS[scalar].into(), has)
            } else {
                (SCALARS[scalar % KEYS % 9].into(), true)
            };
        }
        let depth = depth.saturating_sub(1);
        match roll {
            6 | 7 => wrap("list", self.ty(depth, ordered)),
            8 => wrap("set", self.ty(depth, true)),
            9 => wrap("option", self.ty(depth, ordered)),
            10 => {
                let (key, (value, has)) = (self.ty(depth, true).0, self.ty(depth, ordered));
                (format!("map<{key}, {value}>"), has)
            }
            11 => {
                let (first, second) = (self.ty(depth, ordered), self.ty(depth, ordered));
                (format!("({},{})", first.0, second.0), first.1 && second.1)
            }
            _ => {
                let fit: Vec<_> =
                    self.types.iter().filter(|ty| ty.1 || !ordered).cloned().collect();
                let at = self.random.below(fit.len());
                fit.get(at).cloned().unwrap_or_else(|| ("u16".into(), true))
            }
        }
    }

    /// `(a: t, b: u)`; the last may lead back to `own`.
    fn fields(&mut self, docs: bool, own: Option<&str>) -> (String, bool) {
        let (mut text, mut all) = (String::from("("), true);
        let count = 1 + self.random.below(4);
        for at in 0..count {
            if docs && self.random.one_in(5) {
                text.push_str("\n/// Of a field.\n");
            }
            let (ty, ordered) = self.ty(2, false);
            let _ = write!(text, "f{at}: {ty},");
            all &= ordered;
        }
        if let Some(own) = own {
            let held = self.random.pick(&["option<", "list<", "option<option<"]);
            let close = ">".repeat(held.matches('<').count());
            let _ = write!(text, "own: {held}{own}{close}");
        }
        text.push(')');
        (text, all)
    }

    fn structure(&mut self, name: &str, own: Option<&str>) -> bool {
        let (fields, ordered) = self.fields(true, own);
        let fields = &fields[1..fields.len() - 1];
        let _ = writeln!(self.text, "struct {name} {{ {fields} }}");
        ordered
    }

    fn enumeration(&mut self, name: &str, own: Option<&str>) -> bool {
        let mut all = true;
        let _ = writeln!(self.text, "enum {name} {{ empty, last()");
        for variant in ["some", "one", "Null", "set"] {
            if self.random.one_in(2) {
                self.docs();
                let (fields, ordered) = self.fields(false, own);
                let _ = writeln!(self.text, "{variant}{fields}");
                all &= ordered;
            }
        }
        self.text.push_str("}\n");
        all
    }

    fn interface(&mut self, name: &str, extends: &str) {
        self.docs();
        let _ = writeln!(self.text, "interface {name}{extends} {{");
        if !extends.is_empty() && self.random.one_in(2) {
            let how = if extends.ends_with("r_first") { "" } else { " :async" };
            let base =
                if how.is_empty() { "override r_first_last" } else { "override o_first_last" };
            let _ = writeln!(self.text, "{base}{how}");
        }
        for at in 0..self.random.below(5) {
            self.docs();
            let arguments = self.fields(true, None).0;
            let _ = write!(self.text, "m{at}_{name}{arguments}");
            self.method();
        }
        // Plain in one file, `:async` in the other.
        let how = if name.starts_with('r') { ":async" } else { "" };
        let _ = writeln!(self.text, "{name}_last() {how}\n}}");
    }

    fn method(&mut self) {
        if self.random.one_in(4) {
            self.text.push_str(" :event\n");
            return;
        }
        if self.random.one_in(2) {
            let (ty, _) = self.ty(3, false);
            let _ = write!(self.text, " -> {ty}");
        }
        let of = self.of;
        for said in [
            format!(" :throws {of}_wrong"),
            format!(" :throws {of}_busy"),
            " :async".into(),
            format!(" :timeout {}", self.random.pick(&["0", "1ms", "2.5s", "60s", "1h"])),
            " :deprecated \"a \\\"b\\\"\"".into(),
        ] {
            if self.random.one_in(3) {
                self.text.push_str(&said);
            }
        }
        self.text.push('\n');
    }
}

fn wrap(container: &str, (ty, ordered): (String, bool)) -> (String, bool) {
    (format!("{container}<{ty}>"), ordered)
}
