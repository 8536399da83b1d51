//! Promise: two people who have exchanged keys talk encrypted by the options of each program, and
//! everybody else is told in words what is missing. Real processes, on this machine.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]
#![cfg(target_os = "linux")]

use peers_service::NodeProcess;
use peers_tests::binary;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, sync_channel};

/// A folder with key files, and the program that uses them.
struct Person {
    folder: PathBuf,
    program: PathBuf,
}

impl Person {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("peers-keys-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self { folder, program: binary("peers-registry", "registry") }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// What the program prints with these words: on standard output if all went well, else on
    /// standard error.
    fn run(&self, words: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.program).args(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn keygen(&self, name: &str) -> String {
        self.run(&["keygen", &self.path(name)]).unwrap()
    }

    fn serve(&self, words: &[&str]) -> (NodeProcess, Receiver<String>) {
        let (send, lines) = sync_channel(1_000);
        let words = [&["serve", "inet:127.0.0.1:0"], words].concat();
        (NodeProcess::start_into(Path::new(&self.program), words, &send).unwrap(), lines)
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

#[test]
fn whoever_knows_the_key_of_a_node_talks_to_it_and_to_nobody_else() {
    let me = Person::new("dialler");
    let (key, other) = (me.keygen("node.key"), me.keygen("other.key"));
    let (node, _lines) = me.serve(&["--key", &me.path("node.key")]);
    let address = node.address().to_string();
    assert!(address.starts_with(&format!("inet:{key}@127.0.0.1:")), "{address}");
    let place = node.address().without_key().to_string();

    assert_eq!(me.run(&["put", &address, "arrakis", "dune"]), Ok(String::new()));
    assert_eq!(me.run(&["get", &address, "arrakis"]).unwrap(), "dune");
    // Who has only the place learns the key, and compares it with what the owner says.
    assert_eq!(me.run(&["key", &place]).unwrap(), key);
    assert_eq!(me.run(&["key", &address]).unwrap(), key);

    let wrong = address.replace(&key, &other);
    let error = me.run(&["get", &wrong, "arrakis"]).unwrap_err();
    let said = format!("the other side is not {other}: it showed {key}; nothing was sent to it");
    assert!(error.contains(&said), "{error}");
    let error = me.run(&["get", &place, "arrakis"]).unwrap_err();
    assert!(error.contains("encrypted? put its key into the address"), "{error}");
}

#[test]
fn a_node_with_a_list_serves_whom_it_names() {
    let me = Person::new("friends");
    let (friend, key) = (me.keygen("friend.key"), me.keygen("node.key"));
    let stranger = me.keygen("stranger.key");
    fs::write(me.path("friends"), format!("# who may come\n{friend} friend\n")).unwrap();
    let (node, _lines) = me.serve(&["--key", &me.path("node.key"), "--allow", &me.path("friends")]);
    let address = node.address().to_string();
    let put = ["put", &address, "arrakis", "dune"];
    assert_eq!(me.run(&[&put[..], &["--key", &me.path("friend.key")]].concat()), Ok(String::new()));

    let with = me.path("stranger.key");
    let error = me.run(&[&put[..], &["--key", &with]].concat()).unwrap_err();
    let said = format!("does not admit our key {stranger}: its owner can add it to the list");
    assert!(error.contains(&said) && !error.contains("give --key"), "{error}");
    // A key that was made for this run alone is on no list.
    let error = me.run(&put).unwrap_err();
    assert!(error.contains("\ngive --key FILE with a key on its list"), "{error}");
    assert!(address.contains(&key));
}

#[test]
fn what_would_go_in_clear_text_is_refused_until_somebody_says_so() {
    let me = Person::new("clear");
    let error = me.run(&["get", "inet:example.org:5000", "arrakis"]).unwrap_err();
    let said = "inet:example.org:5000 would be dialled in clear text: write its key";
    assert!(error.contains(said), "{error}");
    let error = me.run(&["serve", "inet:0.0.0.0:0"]).unwrap_err();
    assert!(error.contains("Security::Sealed (--key FILE on command lines)"), "{error}");
    let key = me.keygen("my.key");
    let words = ["serve", "inet:127.0.0.1:0", "--insecure", "--key", &me.path("my.key")];
    assert!(me.run(&words).unwrap_err().contains("give one of them"));

    // Sealed at a node that is not.
    let (node, _lines) = me.serve(&[]);
    let place = node.address().to_string();
    let sealed = place.replace("inet:", &format!("inet:{key}@"));
    let error = me.run(&["get", &sealed, "arrakis"]).unwrap_err();
    let said = "the other side speaks in clear text; nothing was sent to it";
    assert!(error.contains(said), "{error}");
    assert!(me.run(&["key", &place]).unwrap_err().contains("speaks in clear text"));
}

#[test]
fn key_files_and_lists_that_others_could_change_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let me = Person::new("files");
    let key = me.keygen("my.key");
    assert!(me.run(&["keygen", &me.path("my.key")]).is_err(), "no key is ever written over");
    let set = |name: &str, mode| {
        fs::set_permissions(me.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("my.key", 0o644);
    let serve = |words: &[&str]| {
        me.run(&[&["serve", "inet:127.0.0.1:0", "--key", &me.path("my.key")], words].concat())
    };
    let error = serve(&[]).unwrap_err();
    assert!(error.contains("can be read by others (mode 0644): chmod 600 "), "{error}");
    set("my.key", 0o600);
    fs::write(me.path("friends"), format!("{key} me\n")).unwrap();
    set("friends", 0o664);
    let error = serve(&["--allow", &me.path("friends")]).unwrap_err();
    assert!(error.contains("can be written by others (mode 0664)"), "{error}");
    set("friends", 0o644);
    fs::write(me.path("friends"), "not a key\n").unwrap();
    let error = serve(&["--allow", &me.path("friends")]).unwrap_err();
    assert!(error.contains("line 1"), "{error}");
}
