//! Promise: the code says what must hold and why, names what keeps it, and calls one thing by one
//! word.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_tests::remarks::{Remarks, is_of_name, without_literals, without_tests};
use peers_tests::{files, root, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Says how many comments stand inside functions, per thousand lines, at least. The bounds rise
/// with what is reached, and never fall.
const COMMENTS: [(&str, f64); 6] = [
    ("kernel/src", 15.0),
    ("wire/src", 16.0),
    ("rpc/src", 14.0),
    ("rpc/rpcc/src", 11.8),
    ("rpc/service/src", 12.0),
    ("apps", 11.8),
];

#[test]
fn functions_say_what_must_hold_and_why() {
    for (folder, bound) in COMMENTS {
        let found = Remarks::below(&root().join(folder));
        let density = found.density();
        assert!(
            density >= bound,
            "{folder}: {} comments inside functions, {density:.1} per 1,000 lines, less than \
             {bound}: say at branches what must hold, and why",
            found.comments
        );
        println!("{folder}: {density:.1} comments per 1,000 lines");
    }
}

/// Folders whose functions are documented by what they do.
const DOCUMENTED: [&str; 7] = [
    "kernel/src",
    "wire/src",
    "rpc/src",
    "rpc/rpcc/src",
    "rpc/service/src",
    "rpc/dynamic/src",
    "apps",
];

/// Functions that may open otherwise, in a hundred: now and then the verb is not the first word.
const OTHERWISE: usize = 3;

#[test]
fn functions_are_documented_by_what_they_do() {
    for folder in DOCUMENTED {
        let (mut all, mut others) = (0, Vec::new());
        for path in files(&root().join(folder), ".rs") {
            let name = shown(&path);
            if name.contains("/tests/") || name.contains("/golden/") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for opening in openings(without_tests(&text)) {
                all += 1;
                if !is_verb(opening) {
                    others.push(format!("{name}: {opening}"));
                }
            }
        }
        assert!(all > 20, "{folder}: {all} functions are documented");
        assert!(
            others.len() * 100 <= all * OTHERWISE,
            "begin with a verb, as in \"Returns the name.\":\n{}",
            others.join("\n")
        );
    }
}

/// The first lines of the comments that document functions.
fn openings(text: &str) -> Vec<&str> {
    let (mut found, mut opening) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        match line.strip_prefix("///") {
            Some(doc) => opening = opening.or_else(|| Some(doc.trim_start())),
            None if line.starts_with("#[") => {}
            None => {
                let words: Vec<&str> = line.split(' ').take(4).collect();
                found.extend(opening.take().filter(|_| words.contains(&"fn")));
            }
        }
    }
    found
}

/// Returns whether a sentence begins with a verb: "Returns", "Lists: …".
fn is_verb(sentence: &str) -> bool {
    let word = sentence.split([' ', ',', '.', ':']).next().unwrap_or_default();
    let nouns = ["Bytes", "Calls of", "Items", "Links", "Places", "Requests", "This"];
    word.ends_with('s') && word.len() > 2 && !nouns.iter().any(|noun| sentence.starts_with(noun))
}

/// Folders whose names the glossary binds.
const BOUND: [&str; 3] = ["kernel/src", "wire/src", "rpc/src"];

/// Names that others have given.
const FOREIGN: [&str; 2] = ["dead_code", "spare_capacity"];

/// Words of the glossary's third column that names below a folder still contain.
const NOT_YET: [(&str, &[&str]); 1] = [("rpc/src", &["said"])];

/// One word for one thing: `docs/style.md` says which, and which are not to be used.
#[test]
fn names_keep_to_the_glossary() {
    let style = fs::read_to_string(root().join("docs/style.md")).unwrap();
    let banned: Vec<String> = style
        .lines()
        .filter(|line| line.starts_with("| ") && !line.contains("do not use"))
        .flat_map(|line| {
            let last = line.trim_end_matches('|').rsplit('|').next().unwrap();
            last.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert!(banned.len() > 15, "the glossary refuses {banned:?}");
    let mut found = BTreeSet::new();
    for path in BOUND.iter().flat_map(|folder| files(&root().join(folder), ".rs")) {
        let name = shown(&path);
        let text = without_literals(without_tests(&fs::read_to_string(&path).unwrap()));
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let names: BTreeSet<String> = code
            .flat_map(|line| line.split(|c: char| !is_of_name(c)).map(str::to_owned))
            .filter(|name| !FOREIGN.contains(&name.as_str()))
            .collect();
        for word in &banned {
            let allowed = NOT_YET
                .iter()
                .any(|(folder, words)| name.starts_with(folder) && words.contains(&word.as_str()));
            let part = format!("_{word}_");
            let fits = |name: &&String| format!("_{}_", in_words(name)).contains(&part);
            let uses = names.iter().filter(fits).filter(|_| !allowed);
            found.extend(uses.map(|used| format!("{name}: `{used}` contains `{word}`")));
        }
    }
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "docs/style.md has other words for these:\n{}", found.join("\n"));
}

/// The words of a name: `PeerCpu` and `PEER_CPU` are `peer_cpu`.
fn in_words(name: &str) -> String {
    if !name.chars().any(char::is_lowercase) {
        return name.to_lowercase();
    }
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.extend(c.to_lowercase());
    }
    words
}

/// Crates in which a type name names one type.
const NAMED: [&str; 7] = [
    "kernel/src",
    "wire/src",
    "rpc/src",
    "rpc/rpcc/src",
    "rpc/service/src",
    "rpc/secure/src",
    "rpc/dynamic/src",
];

#[test]
fn type_names_are_unique_within_a_crate() {
    for folder in NAMED {
        let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in files(&root().join(folder), ".rs") {
            if shown(&path).contains("/golden/") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for name in without_tests(&text).lines().filter_map(declared_type) {
                places.entry(name).or_default().push(shown(&path));
            }
        }
        for (name, found) in places {
            assert!(found.len() == 1, "{name} is declared by {}", found.join(" and by "));
        }
    }
}

/// The name of the type that a line at the margin declares.
fn declared_type(line: &str) -> Option<String> {
    let rest = line
        .strip_prefix("pub")
        .map_or(line, |rest| rest.trim_start_matches(|c: char| c != ' ').trim_start());
    let rest = ["struct ", "enum ", "trait ", "type ", "union "]
        .iter()
        .find_map(|word| rest.strip_prefix(word))?;
    Some(rest.chars().take_while(|c| is_of_name(*c)).collect())
}

/// Crates whose files name, behind each numbered invariant, what keeps it.
const KEPT: [&str; 9] = [
    "kernel",
    "wire",
    "rpc",
    "apps/p2p",
    "apps/numbers",
    "rpc/service",
    "rpc/dynamic",
    "rpc/rpcc",
    "rpc/secure",
];

/// An invariant ends with "Kept by" and at least one of these: a file of tests, the name of a test,
/// the name of a function that asserts it or audits it, or the types, where the compiler sees to
/// it.
#[test]
fn each_numbered_invariant_names_what_keeps_it() {
    for crate_ in KEPT {
        let folder = root().join(crate_);
        let sources = files(&folder.join("src"), ".rs");
        let mut texts: Vec<String> = Vec::new();
        let system = files(&root().join("tests/tests"), ".rs");
        for path in files(&folder, ".rs").into_iter().chain(system) {
            texts.push(fs::read_to_string(path).unwrap());
        }
        let mut count = 0;
        for path in sources {
            let text = fs::read_to_string(&path).unwrap();
            for invariant in invariants(&text) {
                count += 1;
                if let Err(fault) = keeper(&folder, &texts, &invariant) {
                    panic!("{}: {fault}: {invariant}", shown(&path));
                }
            }
        }
        assert!(count > 0, "{crate_} has no numbered invariants");
    }
}

/// The numbered paragraphs of a front page, each on one line.
fn invariants(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines().map_while(|line| line.strip_prefix("//!")) {
        let numbered = line.trim_start().split_once(". ").filter(|(number, _)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        match numbered {
            Some((_, beginning)) => found.push(beginning.to_owned()),
            None if is_open && line.starts_with("    ") => {
                let last = found.last_mut().unwrap();
                last.push(' ');
                last.push_str(line.trim());
            }
            None => {}
        }
        is_open = numbered.is_some() || (is_open && line.starts_with("    "));
    }
    found
}

/// Looks up what an invariant says that it is kept by.
fn keeper(folder: &Path, texts: &[String], invariant: &str) -> Result<(), String> {
    let (_, keepers) = invariant.rsplit_once("Kept by ").ok_or("names nothing that keeps it")?;
    if keepers.trim_end_matches('.') == "the types" {
        return Ok(());
    }
    let names: Vec<&str> = keepers.split('`').skip(1).step_by(2).collect();
    if names.is_empty() {
        return Err("names nothing that keeps it".to_owned());
    }
    for name in names {
        let found = match name.ends_with(".rs") || name.contains('/') {
            true => folder.join(name).exists() || root().join(name).exists(),
            false => texts.iter().any(|text| is_test(text, name) || asserts(text, name)),
        };
        if !found {
            return Err(format!("`{name}` is no file, no test and no function that asserts"));
        }
    }
    Ok(())
}

/// Returns whether a test of that name stands in a source.
fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let named = format!("fn {name}(");
    // The macro writes the attribute.
    let marks = |line: &&str| *line == "#[test]" || line.starts_with("everywhere!");
    let is_marked = |at: usize| lines[at.saturating_sub(4)..at].iter().any(marks);
    lines.iter().enumerate().any(|(at, line)| line.starts_with(&named) && is_marked(at))
}

/// Returns whether a function of that name asserts something.
fn asserts(text: &str, name: &str) -> bool {
    let text = without_tests(text);
    text.match_indices(&format!("fn {name}")).any(|(at, found)| {
        let behind = &text[at + found.len()..];
        if !behind.starts_with(['(', '<']) {
            return false;
        }
        let margin = text[..at].rsplit('\n').next().unwrap_or_default();
        let margin = &margin[..margin.len() - margin.trim_start().len()];
        let body = behind.split(&format!("\n{margin}}}")).next().unwrap_or_default();
        // An audit runs behind each simulated world, and tells what is broken.
        let tells = name.starts_with("audit") && body.contains("Err(");
        tells || ["assert!(", "assert_eq!(", "assert_ne!("].iter().any(|word| body.contains(word))
    })
}

/// Words that a sentence of a document may have. A list of several sentences reads better than one
/// long one.
const SENTENCE: usize = 41;

#[test]
fn sentences_in_documents_are_short() {
    let mut documents = files(&root().join("docs"), ".md");
    documents.push(root().join("README.md"));
    let mut long = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        // Every other part stands between fences.
        for prose in text.split("```").step_by(2) {
            for sentence in paragraphs(prose).iter().flat_map(|text| sentences(text)) {
                let words = sentence.split_whitespace().count();
                if words > SENTENCE {
                    long.push(format!("{}: {words} words: {sentence}", shown(&document)));
                }
            }
        }
    }
    assert!(long.is_empty(), "write several sentences:\n{}", long.join("\n"));
}

/// Paragraphs and items of lists, each on one line. Headings, tables and contents are left out.
fn paragraphs(prose: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in prose.lines() {
        let is_item = ["* ", "- "].iter().any(|mark| line.trim_start().starts_with(mark));
        let is_prose = !line.starts_with(['#', '|']) && !line.starts_with("Contents:");
        if is_item || !is_prose || line.trim().is_empty() {
            found.push(String::new());
        }
        if is_prose {
            let last = found.last_mut().unwrap();
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    found
}

/// Cuts a paragraph behind full stops that a capital letter or code follows.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(['.', '!', '?']) {
        let behind = text[at + 1..].trim_start_matches([')', '*', '`']);
        let next = behind.trim_start().chars().next();
        let begins = |c: char| c.is_uppercase() || "`*([".contains(c);
        if behind.starts_with(' ') && next.is_some_and(begins) {
            found.push(&text[start..=at]);
            start = at + 1;
        }
    }
    found.push(&text[start..]);
    found
}
