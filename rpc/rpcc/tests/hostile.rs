//! No input makes the compiler panic, hang or run out of stack: mutations of all golden files, from
//! fixed seeds.

use std::path::Path;
use std::{fs, thread};

use peers_rpcc::fuzz;

/// Xorshift: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit.max(1)
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rpc") {
                files.push(path);
            }
        }
    }
    files.sort();
    files.into_iter().map(|file| fs::read(file).expect("it can be read")).collect()
}

/// Changes a text in one place: a byte, a cut, a doubled part, a token, a part of another text.
fn mutate(text: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    const TOKENS: [&str; 20] = [
        "{",
        "}",
        "(",
        ")",
        "<",
        ">",
        ",",
        ":",
        ".",
        "->",
        "\"",
        "/*",
        "///",
        "\n",
        "interface",
        "extends",
        "override",
        "list<",
        "import \"x.rpc\"",
        "\u{202e}",
    ];
    let (from, to) = {
        let (a, b) = (random.below(text.len() + 1), random.below(text.len() + 1));
        (a.min(b), a.max(b))
    };
    match random.below(6) {
        0 => {
            let byte = u8::try_from(random.below(256)).unwrap_or(0);
            text.splice(from..(from + 1).min(text.len()), [byte]);
        }
        1 => drop(text.drain(from..to)),
        2 => {
            let part = text[from..to.min(from + 200)].to_vec();
            text.splice(to..to, part);
        }
        3 | 4 => {
            let token = TOKENS[random.below(TOKENS.len())];
            text.splice(from..from, token.bytes());
        }
        _ => {
            let other = &corpus[random.below(corpus.len())];
            let start = random.below(other.len());
            let end = (start + random.below(100)).min(other.len());
            text.splice(from..from, other[start..end].iter().copied());
        }
    }
    text.truncate(1 << 14);
}

#[test]
fn mutated_files_do_not_panic() {
    let corpus = corpus();
    assert!(corpus.len() > 50);
    let mut random = Random(0x5eed_0f1d_1e55_0001);
    for round in 0..6000 {
        let mut text = corpus[round % corpus.len()].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut text, &corpus, &mut random);
        }
        fuzz::interface(&text);
    }
}

#[test]
fn every_prefix_is_survived() {
    for text in corpus() {
        for end in 0..text.len().min(600) {
            fuzz::interface(&text[..end]);
        }
    }
}

/// Nesting that would overflow a stack if anything followed it by recursion.
#[test]
fn deep_nesting_needs_no_stack() {
    let deep = |open: &str| format!("struct a {{ x: {} }}", open.repeat(20_000));
    let texts =
        [deep("list<"), deep("("), deep("map<u8,"), "{".repeat(20_000), "/*".repeat(20_000)];
    let small = thread::Builder::new().stack_size(256 << 10);
    let done = small.spawn(move || texts.iter().for_each(|text| fuzz::interface(text.as_bytes())));
    done.expect("a thread can be made").join().expect("no stack overflow, no panic");
}
