//! A node of the network in the place of a plain registry: its client, as it was built, does not
//! notice.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_service::NodeProcess;
use peers_tests::binary;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

fn run(binary: &Path, words: &[&str]) -> Output {
    Command::new(binary).args(words).output().unwrap()
}

#[test]
fn the_registrys_client_works_with_a_p2p_node() {
    let (registry, p2p) = (binary("peers-registry", "registry"), binary("peers-p2p", "p2p"));
    let (lines, printed) = sync_channel(64);
    let far = NodeProcess::start_into(&p2p, ["serve", "inet:localhost:0"], &lines).unwrap();
    let far_address = far.address().to_string();
    let (unread, _) = sync_channel(0); // its lines go nowhere
    let serve = ["serve", "inet:localhost:0", &far_address];
    let near = NodeProcess::start_into(&p2p, serve, &unread).unwrap();
    let near_address = near.address().to_string();
    while !printed.recv_timeout(Duration::from_secs(20)).unwrap().contains("]: add peer ") {}
    // The far node asks the near one, which knows it by then.
    assert_eq!(run(&p2p, &["get-all", &far_address, "arrakis"]).status.code(), Some(0));

    let put = run(&registry, &["put", &far_address, "arrakis", "dune"]);
    assert_eq!((put.status.code(), put.stdout, put.stderr), (Some(0), vec![], vec![]));
    // The near node has not got it; the search that finds it goes unnoticed.
    let get = run(&registry, &["get", &near_address, "arrakis"]);
    assert_eq!(String::from_utf8_lossy(&get.stdout), "dune\n");
    assert_eq!(get.status.code(), Some(0));

    let missing = run(&registry, &["get", &near_address, "Muad'Dib"]);
    assert_eq!(missing.status.code(), Some(1));
    let text = String::from_utf8_lossy(&missing.stderr);
    let (head, tail) = text.split_once("remote exception: [").expect(&text);
    assert!(head.starts_with("registry: rpc error: [") && head.ends_with("}}}: "), "{text}");
    assert!(tail.ends_with("] ::no_such_key: Muad'Dib\n"), "{text}");
}
