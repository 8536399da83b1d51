//! Reads which file of a crate uses which, from the `crate::` and `super::` paths that stand in it,
//! in `use` lines or elsewhere, and from those of `mod.rs` into its own folder. What a `mod.rs`
//! shows of a file counts as that file's. Tests are left out.

use crate::files;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Says which modules of a crate each of its modules uses, by names such as `io::pipe::read`.
/// `lib.rs` is left out.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

/// A path as it stands in a file, below what it begins with.
struct Found {
    /// How many modules `super` goes up; none for `crate`.
    up: Option<usize>,
    parts: Vec<String>,
}

/// Reads the sources below `src`, without those of `left_out`.
///
/// # Panics
/// If a file cannot be read, or a path leads to no module: then this reader is wrong.
pub fn uses(src: &Path, left_out: &[&str]) -> Uses {
    let mut texts = BTreeMap::new();
    for path in files(src, ".rs") {
        let name = path.strip_prefix(src).unwrap_or(&path).display().to_string();
        if name.contains("golden/") || left_out.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file is readable");
        let module = name.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        texts.insert(module, code(&text));
    }
    for tests in test_modules(&texts) {
        let below = format!("{tests}::");
        texts.retain(|module, _| *module != tests && !module.starts_with(&below));
    }
    let front = texts.remove("lib").expect("a crate has a front page");
    let mut exports = exports("", &front);
    exports.extend(texts.iter().flat_map(|(module, text)| self::exports(module, text)));
    let modules: BTreeSet<String> = texts.keys().cloned().collect();
    let mut uses = Uses::new();
    for (module, text) in &texts {
        let below = own_children(&modules, module);
        let found = paths(text).into_iter().chain(relative(text, &below)).filter_map(|found| {
            let path = absolute(module, &found);
            resolve(&modules, &exports, &path)
        });
        uses.insert(module.clone(), found.filter(|used| used != module).collect());
    }
    uses
}

/// Modules that are files of their own and only there for tests, taken from the declarations that
/// [`code`] leaves.
fn test_modules(texts: &BTreeMap<String, String>) -> Vec<String> {
    let declared = |(module, text): (&String, &String)| {
        let after = text.split("#[cfg(test)]\nmod ").skip(1);
        let names = after.filter_map(|rest| Some(rest.split_once(';')?.0.to_owned()));
        names.map(|name| format!("{module}::{name}")).collect::<Vec<_>>()
    };
    texts.iter().flat_map(declared).collect()
}

/// The modules in a module's own folder, by their short names.
fn own_children(modules: &BTreeSet<String>, module: &str) -> Vec<String> {
    let below = modules.iter().filter_map(|other| other.strip_prefix(module)?.strip_prefix("::"));
    below.filter(|name| !name.contains("::")).map(str::to_owned).collect()
}

/// The `use` lines of a module into its own folder.
fn relative(text: &str, children: &[String]) -> Vec<Found> {
    let mut found = Vec::new();
    for rest in text.split("use ").skip(1) {
        let mut parts = Vec::new();
        tree(Vec::new(), rest.split(';').next().unwrap_or_default(), &mut parts);
        let own = parts.into_iter().filter(|path| children.contains(&path[0]));
        found.extend(own.map(|parts| Found { up: Some(0), parts }));
    }
    found
}

/// The text without comments and in-file tests.
fn code(text: &str) -> String {
    // Other attributes may stand between.
    let after = |at: usize| text[at..].lines().find(|line| !line.starts_with("#["));
    let begins = |line: &str| line.contains("mod ") && line.ends_with('{');
    let in_file = |at: &usize| after(*at).is_some_and(begins);
    let mut tests = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at);
    let end = tests.find(in_file).unwrap_or(text.len());
    let lines = text[..end].lines();
    lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Which module each name comes from that a module shows of others; "" is the front page.
fn exports(module: &str, text: &str) -> BTreeMap<Vec<String>, String> {
    let mut exports = BTreeMap::new();
    let shown = text.split("pub use ").skip(1).chain(text.split("pub(crate) use ").skip(1));
    for line in shown {
        let mut parts = Vec::new();
        tree(Vec::new(), line.split(';').next().unwrap_or_default(), &mut parts);
        for mut path in parts {
            path.retain(|part| part != "self" && part != "crate");
            if let Some(name) = path.pop() {
                let room = Some(module.to_owned()).filter(|module| !module.is_empty());
                let from = room.clone().into_iter().chain(path);
                let name: Vec<String> = split(module).chain([name]).collect();
                exports.insert(name, from.collect::<Vec<_>>().join("::"));
            }
        }
    }
    exports
}

fn split(module: &str) -> impl Iterator<Item = String> + '_ {
    module.split("::").filter(|part| !part.is_empty()).map(str::to_owned)
}

/// All paths that begin with `crate::` or `super::`.
fn paths(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for (word, of_crate) in [("crate::", true), ("super::", false)] {
        for (at, _) in text.match_indices(word) {
            let before = text[..at].chars().next_back();
            let inside = before.is_some_and(|c| c.is_alphanumeric() || "_$:".contains(c));
            if inside {
                continue; // the second of two, or another name's end
            }
            let (mut rest, mut up) = (&text[at + word.len()..], 1);
            while let Some(higher) = rest.strip_prefix("super::") {
                (rest, up) = (higher, up + 1);
            }
            let mut parts = Vec::new();
            tree(Vec::new(), one(rest), &mut parts);
            let up = (!of_crate).then_some(up);
            found.extend(parts.into_iter().map(|parts| Found { up, parts }));
        }
    }
    found
}

/// The beginning of `text` that is one path, with its group.
fn one(text: &str) -> &str {
    let (mut depth, mut end) = (0, text.len());
    for (at, c) in text.char_indices() {
        match c {
            '{' if depth > 0 || text[..at].ends_with("::") || at == 0 => depth += 1,
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    end = at + 1;
                    break;
                }
            }
            _ if depth > 0 || c.is_alphanumeric() || c == '_' || c == ':' => {}
            _ => {
                end = at;
                break;
            }
        }
    }
    &text[..end]
}

/// Takes a tree of paths such as `a::{b, c::{d, e}}` apart.
fn tree(before: Vec<String>, text: &str, found: &mut Vec<Vec<String>>) {
    let text = text.trim();
    let Some((path, group)) = text.split_once('{') else {
        let plain = text.split(" as ").next().unwrap_or_default();
        let parts = plain.split("::").map(str::trim).filter(|part| !part.is_empty());
        found.push(before.into_iter().chain(parts.map(str::to_owned)).collect());
        return;
    };
    let mut before = before;
    before.extend(path.split("::").map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned));
    let group = group.trim().strip_suffix('}').unwrap_or(group);
    let (mut depth, mut from) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[from..at].trim().is_empty() {
                    tree(before.clone(), &group[from..at], found);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

fn absolute(module: &str, found: &Found) -> Vec<String> {
    let Some(up) = found.up else { return found.parts.clone() };
    let own: Vec<&str> = module.split("::").collect();
    let kept = own.len().saturating_sub(up);
    own[..kept].iter().map(|part| (*part).to_owned()).chain(found.parts.clone()).collect()
}

/// The module that a path leads into; none for the front page's own items.
fn resolve(
    modules: &BTreeSet<String>,
    exports: &BTreeMap<Vec<String>, String>,
    path: &[String],
) -> Option<String> {
    let mut begins = (1..=path.len()).rev().map(|n| &path[..n]);
    begins.find_map(|begin| {
        let name = begin.join("::");
        let shown = exports.get(begin).filter(|from| modules.contains(*from));
        shown.cloned().or_else(|| modules.contains(&name).then_some(name))
    })
}

/// The circles among what uses what: each a set of names that all reach each other, of two or more.
pub fn circles(uses: &Uses) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        uses.keys().map(|from| (from, reached(uses, from))).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in &reach {
        let back = to.iter().filter(|other| reach.get(*other).is_some_and(|r| r.contains(from)));
        let mut circle: Vec<String> = back.map(|name| (*name).clone()).collect();
        circle.sort();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reached<'a>(uses: &'a Uses, from: &'a String) -> BTreeSet<&'a String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(one) = next.pop() {
        for used in uses.get(one).into_iter().flatten() {
            if found.insert(used) {
                next.push(used);
            }
        }
    }
    found
}

/// Which folder uses which, of those that lie side by side below `room` ("" is the crate). A file
/// counts as a folder of its own, and what lies below a folder as that folder.
pub fn between_folders(uses: &Uses, room: &str) -> Uses {
    let inner = |module: &String| -> Option<String> {
        let rest = match room {
            "" => module.as_str(),
            room => module.strip_prefix(room)?.strip_prefix("::")?,
        };
        rest.split("::").next().map(str::to_owned)
    };
    let mut folders = Uses::new();
    for (from, to) in uses {
        let Some(from) = inner(from) else { continue };
        let others = to.iter().filter_map(inner).filter(|to| *to != from).collect::<Vec<_>>();
        folders.entry(from).or_default().extend(others);
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let mut shown: Vec<String> = paths(text)
            .into_iter()
            .map(|found| format!("{}{}", found.up.unwrap_or(0), found.parts.join("::")))
            .collect();
        shown.sort();
        shown
    }

    #[test]
    fn paths_are_read_wherever_they_stand() {
        assert_eq!(read("use crate::{a::B, c::{d, e::F}};"), ["0a::B", "0c::d", "0c::e::F"]);
        assert_eq!(read("fn f(x: crate::a::B) -> super::c::D {"), ["0a::B", "1c::D"]);
        assert_eq!(read("super::super::x(y)"), ["2x"]);
        assert_eq!(read("$crate::x; mycrate::y; a::super_::z"), Vec::<String>::new());
        assert_eq!(read("pub(in crate::link) struct X { y: u8 }"), ["0link"]);
    }

    #[test]
    fn tests_in_a_file_are_no_code() {
        let plain = "use a;\n#[cfg(test)]\nmod tests {\n use b;\n}";
        assert_eq!(code(plain), "use a;");
        assert_eq!(code(&plain.replace("\nmod", "\n#[allow(x, reason = \"\")]\nmod")), "use a;");
    }

    fn graph(edges: &[(&str, &[&str])]) -> Uses {
        let own = |to: &&str| (*to).to_owned();
        edges.iter().map(|(from, to)| ((*from).to_owned(), to.iter().map(own).collect())).collect()
    }

    #[test]
    fn circles_are_found_however_long() {
        let uses = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["a", "d"]), ("d", &[])]);
        assert_eq!(circles(&uses), [["a", "b", "c"]]);
        assert!(circles(&graph(&[("a", &["b"]), ("b", &[])])).is_empty());
    }

    #[test]
    fn folders_count_with_all_below_them() {
        let uses = graph(&[("x::a", &["y::b::c"]), ("y::b::c", &["y::d"]), ("y::d", &["x::a"])]);
        assert_eq!(circles(&between_folders(&uses, "")), [["x", "y"]]);
        assert!(circles(&between_folders(&uses, "y")).is_empty());
    }
}
