//! Compares output with what a document shows of it: elisions stand for anything, and what differs
//! by chance from run to run is no difference.

/// Returns whether output is what the document shows, `...` standing for any number of lines.
pub(crate) fn lines_match(expected: &[&str], shown: &[String]) -> bool {
    match (expected.split_first(), shown.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), _) => {
            (0..=shown.len()).any(|skip| lines_match(rest, &shown[skip..]))
        }
        (Some((line, expected)), Some((first, shown))) => {
            line_matches(line, first) && lines_match(expected, shown)
        }
        _ => false,
    }
}

/// Returns whether a line is what the document shows, `[..]` standing for any text.
pub(crate) fn line_matches(expected: &str, shown: &str) -> bool {
    let (expected, shown) = (without_chance(expected), without_chance(shown));
    let mut parts = expected.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| shown.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    match last {
        None => rest.is_empty(),
        Some(part) => shown.ends_with(part),
    }
}

/// A line without what differs from run to run: node ids, and the dialler's port in an accepted
/// endpoint's name.
pub(crate) fn without_chance(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("]@{") {
        let head = &rest[..at];
        let id = head.rfind('[').map_or(at, |open| open + 1);
        out.push_str(&head[..id]);
        out.push_str("ID]@");
        rest = &rest[at + 2..];
        if let Some(name) = rest.strip_prefix("{{{AF_INET:127.0.0.1:") {
            let port = name.find('}').unwrap_or(0);
            out.push_str("{{{AF_INET:127.0.0.1:PORT");
            rest = &name[port..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_match_up_to_chance_and_elision() {
        assert!(line_matches("a[..]c", "abbc") && !line_matches("a[..]c", "abb"));
        let shown = "rpc error: [75d4]@{{{AF_INET:127.0.0.1:47503}:{AF_INET:127.0.0.1:5000}}}: x";
        let other = "rpc error: [9f00a]@{{{AF_INET:127.0.0.1:1}:{AF_INET:127.0.0.1:5000}}}: x";
        assert!(line_matches(shown, other));
        assert!(!line_matches(shown, &other.replace("5000", "5001")));
        assert!(!line_matches(shown, &other.replace(": x", ": y")));
        let lines = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert!(lines_match(&["a", "...", "c"], &lines) && lines_match(&["...", "c"], &lines));
        assert!(!lines_match(&["a", "c"], &lines) && !lines_match(&["a", "b"], &lines));
    }
}
