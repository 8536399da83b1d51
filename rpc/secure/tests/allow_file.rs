//! Promise: a list of keys can be edited while the program runs, and a mistake in it lets nobody
//! in.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::folder::Folder;
use common::identity;
use peers_rpc::kernel::PublicKey;
use peers_rpc::{Asked, Kernel};
use peers_secure::AllowFile;
use std::fs;
use std::time::Duration;

/// Runs the kernel until the list says so of `key`.
fn until(kernel: &mut Kernel, list: &AllowFile, key: PublicKey, said: Option<bool>) {
    for _ in 0..600 {
        if list.names(&key) == said {
            return;
        }
        let handle = kernel.handle();
        let stop = handle.clone();
        handle.after(Duration::from_millis(50), move || stop.stop());
        kernel.run().unwrap();
    }
    panic!("the list goes on saying {:?}", list.names(&key));
}

#[test]
fn a_list_that_is_edited_is_read_again() {
    let (folder, mut kernel) = (Folder::new("edited"), Kernel::new().unwrap());
    let (alice, bob) = (identity(1).key(), identity(2).key());
    let path = folder.with("friends", &format!("{alice} alice\n"), 0o644);
    let list = AllowFile::open(&kernel.handle(), &path).unwrap();
    assert_eq!((list.names(&alice), list.names(&bob)), (Some(true), Some(false)));
    assert_eq!((list.name(&alice).as_deref(), list.name(&bob)), (Some("alice"), None));
    fs::write(&path, format!("{bob}\n")).unwrap();
    until(&mut kernel, &list, bob, Some(true));
    assert_eq!(list.names(&alice), Some(false));
    fs::write(&path, format!("{bob}\n07fe\n{alice}\n")).unwrap();
    until(&mut kernel, &list, alice, Some(true));
    assert_eq!(list.names(&bob), Some(true), "a bad line is void, and no more");
    fs::remove_file(&path).unwrap();
    until(&mut kernel, &list, alice, None);
    let allow = list.allow();
    assert!(!allow.allows(&alice, Asked::Comes), "nobody new comes");
    assert!(allow.allows(&alice, Asked::Stays), "who is in stays");
    folder.with("friends", &format!("{alice}\n"), 0o666);
    assert_eq!(list.names(&alice), None, "whoever can write it decides who comes");
    folder.with("friends", &format!("{alice}\n"), 0o600);
    until(&mut kernel, &list, alice, Some(true));
}

#[test]
fn opening_a_list_with_a_mistake_fails_and_says_where() {
    let (folder, kernel) = (Folder::new("mistake"), Kernel::new().unwrap());
    let key = identity(1).key();
    let open = |path| AllowFile::open(&kernel.handle(), path).unwrap_err().to_string();
    let path = folder.with("friends", &format!("# mine\n{key}\n{key}x bob\n"), 0o600);
    assert_eq!(
        open(path.clone()),
        format!("{}, line 3: `{key}x` is no key: 64 hex digits", path.display())
    );
    let path = folder.with("friends", "", 0o664);
    assert!(open(path).contains("can be written by others (mode 0664): chmod go-w "));
    let path = folder.with("friends", &"#".repeat((1 << 20) + 1), 0o600);
    assert!(open(path).contains("it has more than 1048576 bytes"));
    assert!(open(folder.0.join("missing")).contains("missing cannot be read: No such file"));
}

#[test]
fn a_simulated_world_has_no_files() {
    let error = AllowFile::open(&Kernel::simulated(1).handle(), "friends").unwrap_err();
    assert_eq!(error.to_string(), "a simulated world has no files: use Allow::keys");
}
