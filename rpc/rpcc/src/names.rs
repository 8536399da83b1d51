//! Names: how those of the language become those of Rust.
//!
//! Invariants:
//! 1. What these functions return for a name of the language is an identifier of Rust, or a keyword
//!    that [`is_impossible`] knows. Kept by `keywords_are_escaped`.

/// Keywords of Rust, reserved ones included, up to edition 2024.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Lists what Rust's prelude declares: a type of such a name would change the meaning of generated
/// code.
const PRELUDE: [&str; 33] = [
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Into",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Self",
    "Send",
    "Some",
    "String",
    "Sync",
    "Vec",
];

/// Returns true for keywords that Rust does not let anybody escape.
pub(crate) fn is_impossible(name: &str) -> bool {
    matches!(name, "self" | "super" | "crate" | "Self")
}

/// Returns true for type names that the prelude has taken.
pub(crate) fn is_prelude(name: &str) -> bool {
    PRELUDE.contains(&name)
}

/// Returns the words of a name: `getAll`, `get_all` and `GetAll` have the same two, `HTTPServer`
/// has `http` and `server`.
fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut begins = true;
    for (at, &c) in characters.iter().enumerate() {
        if c == '_' {
            begins = true;
            continue;
        }
        let before = at.checked_sub(1).map(|before| characters[before]);
        let after_lower = before.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let before_lower = characters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let after_upper = before.is_some_and(|c| c.is_ascii_uppercase());
        // `HTTPServer`: a capital letter behind others begins a word only if small ones follow.
        begins |= c.is_ascii_uppercase() && (after_lower || (after_upper && before_lower));
        match words.last_mut() {
            Some(word) if !begins => word.push(c.to_ascii_lowercase()),
            _ => words.push(c.to_ascii_lowercase().to_string()),
        }
        begins = false;
    }
    words
}

/// Returns `get_all`, not escaped.
pub(crate) fn snake(name: &str) -> String {
    words(name).join("_")
}

/// Returns `GET_ALL`.
pub(crate) fn screaming(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// Returns `GetAll`.
pub(crate) fn camel(name: &str) -> String {
    let mut camel = String::new();
    for word in words(name) {
        camel.push_str(&word[..1].to_ascii_uppercase());
        camel.push_str(&word[1..]);
    }
    camel
}

/// Returns the name as it is written in Rust: keywords become `r#keyword`.
pub(crate) fn escape(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.into() }
}

/// Returns the candidate that differs least from `name`, if one is near enough to be meant.
pub(crate) fn nearest<'c>(name: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let near = candidates.iter().map(|candidate| (distance(name, candidate), *candidate));
    let (distance, candidate) = near.min_by_key(|(distance, _)| *distance)?;
    // Farther ones are other words, not misspelt ones.
    (distance <= name.len() / 3).then_some(candidate)
}

/// Returns how many letters must be inserted, removed or replaced.
fn distance(a: &str, b: &str) -> usize {
    // The work grows with the product of the lengths, and names may be as long as a file.
    if a.len().abs_diff(b.len()) > 8 || a.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_by_case_and_underscores() {
        for (name, snake_case, camel_case) in [
            ("get", "get", "Get"),
            ("get_all", "get_all", "GetAll"),
            ("getAll", "get_all", "GetAll"),
            ("GetAll", "get_all", "GetAll"),
            ("GCD", "gcd", "Gcd"),
            ("HTTPServer", "http_server", "HttpServer"),
            ("x2y", "x2y", "X2y"),
            ("p2p_node", "p2p_node", "P2pNode"),
            ("key_2", "key_2", "Key2"),
            ("a__b_", "a_b", "AB"),
            ("X", "x", "X"),
        ] {
            assert_eq!((snake(name).as_str(), camel(name).as_str()), (snake_case, camel_case));
            assert_eq!(screaming(name), snake_case.to_ascii_uppercase());
        }
    }

    #[test]
    fn keywords_are_escaped() {
        assert_eq!(escape("type"), "r#type");
        assert_eq!(escape("kind"), "kind");
        assert!(is_impossible("self") && !is_impossible("type"));
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("asynch", &["event", "async"]), Some("async"));
        assert_eq!(nearest("strin", &["string", "struct"]), Some("string"));
        assert_eq!(nearest("nothing", &["string"]), None);
        assert_eq!(nearest("a", &["b"]), None);
        assert_eq!(nearest("anything", &[]), None);
    }
}
