//! Promise: a key file that others can read is not used, and words say what to do.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::folder::Folder;
use common::identity;
use peers_secure::{Identity, KeyError};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

fn error(text: &str) -> String {
    Identity::from_pem(text).unwrap_err().to_string()
}

#[test]
fn a_key_goes_to_a_new_file_of_its_user_and_comes_back() {
    let (folder, me) = (Folder::new("saved"), identity(1));
    let path = folder.0.join("me.key");
    me.save_new(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&format!("peers key {}\n-----BEGIN PRIVATE KEY-----\n", me.key())));
    assert_eq!(Identity::load(&path).unwrap().key(), me.key());
    let again = me.save_new(&path).unwrap_err();
    assert!(matches!(again, KeyError::Unwritten { .. }), "{again}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is never written over");
}

#[test]
fn a_key_that_others_can_read_is_refused_with_a_way_out() {
    let (folder, me) = (Folder::new("open"), identity(1));
    for mode in [0o644, 0o604, 0o602, 0o601] {
        let path = folder.with("me.key", &me.to_pem(), mode);
        let shown = path.display();
        assert_eq!(
            Identity::load(&path).unwrap_err().to_string(),
            format!(
                "{shown} can be read by others (mode {mode:04o}): chmod 600 {shown}; \
                 if somebody has read it, make a new one"
            )
        );
    }
    for mode in [0o600, 0o400] {
        assert!(Identity::load(folder.with("me.key", &me.to_pem(), mode)).is_ok(), "{mode:o}");
    }
}

#[test]
fn what_is_no_key_file_is_refused_in_words() {
    let folder = Folder::new("none");
    for (path, words) in [
        (folder.0.join("missing"), "missing cannot be read: No such file"),
        (folder.0.clone(), "cannot be read: this is no regular file"),
        (folder.with("empty", "", 0o600), "empty: there is no Ed25519 key in it"),
        (folder.with("large", &"x".repeat(70_000), 0o600), "it has more than 65536 bytes"),
    ] {
        let error = Identity::load(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let pipe = folder.0.join("pipe");
    if Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        assert!(Identity::load(&pipe).is_err(), "and nobody waits for its other end");
    }
}

#[test]
fn the_line_in_front_must_be_that_of_the_key() {
    let (me, other) = (identity(1), identity(2));
    let pem = me.to_pem();
    let bare = pem.split_once('\n').unwrap().1;
    assert_eq!(Identity::from_pem(bare).unwrap().key(), me.key(), "it may be missing");
    let wrong = format!("peers key {}\n{bare}", other.key());
    assert_eq!(
        error(&wrong),
        format!("its first line says {}, but the key is {}", other.key(), me.key())
    );
    assert!(error(&format!("peers key 07fe\n{bare}")).contains("is followed by no key"));
}

/// Keys that other software wrote, made with openssl 3.0.19.
#[test]
fn keys_of_openssl_are_read_and_other_kinds_refused() {
    // `openssl genpkey -algorithm ed25519`; its public half is what `openssl pkey -pubout` says.
    let pem = "-----BEGIN PRIVATE KEY-----\n\
               MC4CAQAwBQYDK2VwBCIEIBERERERERERERERERERERERERERERERERERERERERER\n\
               -----END PRIVATE KEY-----\n";
    let key = "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737";
    assert_eq!(Identity::from_pem(pem).unwrap().key().to_string(), key);
    let lines = pem.replace('\n', "\r\n");
    assert_eq!(Identity::from_pem(&lines).unwrap().key().to_string(), key);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(error(encrypted), "the key is encrypted: write it without a password");
    for text in [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIBERERERERERERERERERERERERERERERERERERERERER\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBERERERERERERERERERERERERERERERERERERERERE=\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQ!wBQYDK2VwBCIEIBERERERERERERERERERERERERERERERERERERERERER\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBERERERERERERERERERERERERERERERERERERERERER\n",
    ] {
        assert_eq!(error(text), "there is no Ed25519 key in it: make one with keygen", "{text}");
    }
}

/// The other way round, where openssl is there.
#[test]
fn openssl_reads_our_keys() {
    let (folder, me) = (Folder::new("openssl"), identity(3));
    let path = folder.0.join("me.key");
    me.save_new(&path).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&path);
    let Ok(output) = openssl.output() else {
        println!("skipped: no openssl here");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout[output.stdout.len() - 32..], me.key().0);
}

#[test]
fn what_is_shown_of_an_identity_is_public() {
    let me = identity(1);
    assert_eq!(format!("{me:?}"), format!("Identity({})", me.key()));
}
