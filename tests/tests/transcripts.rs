//! Every transcript of the documents is typed and compared: what the reader is told to expect is
//! what happens.

use peers_tests::transcript::{Session, fences};
use peers_tests::{binary, files, root, shown};
use std::fs;

/// The binaries that transcripts may run.
const BINARIES: [(&str, &str); 5] = [
    ("peers-registry", "registry"),
    ("peers-p2p", "p2p"),
    ("peers-numbers", "numbers"),
    ("peers-rpcc", "rpcc"),
    ("peers-chat", "chat"),
];

#[test]
fn every_transcript_of_the_tutorial_is_true() {
    let documents = files(&root().join("docs/tutorial"), ".md");
    assert!(!documents.is_empty(), "there is a tutorial");
    let mut typed = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        let binaries = BINARIES.map(|(package, name)| (name, binary(package, name)));
        let mut session = Session::new(binaries);
        for fence in fences(&text) {
            session.run(&fence).unwrap_or_else(|problem| panic!("{}: {problem}", shown(&document)));
            typed += 1;
        }
    }
    assert!(typed > 0, "the tutorial has transcripts");
}
