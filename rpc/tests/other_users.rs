//! Promise: a Unix socket for which no policy was stated is for processes of the same user, and
//! root's, alone: nobody else can open it, and who could is turned away.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::{Address, Context, Error, Peer, Rpc, Security, SyncEndpoint, spawn_loop};
use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::{env, fs, process};

/// Says in the environment of the child what it calls.
const AT: &str = "PEERS_TEST_CALLS";
/// A user without rights.
const NOBODY: u32 = 65_534;

struct Nothing;

impl LocalNode for Nothing {
    fn put(&mut self, _: &Context<'_, Self>, _: String, _: String) {}
    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        Ok(key)
    }
}

/// The child: what the others run as another user.
#[test]
fn caller() {
    let Ok(at) = env::var(AT) else { return };
    let peers = spawn_loop().unwrap();
    let node: NodeProxy<SyncEndpoint> = NodeProxy::new(peers.connect(at).unwrap());
    match node.get("x").wait() {
        Ok(_) => println!("answered"),
        Err(error) => println!("failed: {error}"),
    }
}

/// What the call came to; none where this process may not become another user.
fn call_as(user: u32, at: &Address) -> Option<String> {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "caller", "--nocapture"]).env(AT, at.to_string());
    let output = child.stderr(Stdio::null()).uid(user).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn socket(name: &str) -> PathBuf {
    env::temp_dir().join(format!("peers-users-{}-{name}", process::id()))
}

/// Serves at the path with that policy while `work` goes on, which may change the file's rights.
fn serving<R: Send + 'static>(
    path: &Path,
    for_all: bool,
    work: impl FnOnce() -> R,
) -> (R, Vec<Peer>) {
    let at = Address::unix(path);
    let peers = peers_rpc::spawn_loop_with(Default::default(), move |_, rpc: &Rpc| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = seen.clone();
        let service = rpc.serve_with(
            for_all.then_some(Security::Insecure),
            at,
            Nothing,
            move |cx, endpoint| {
                log.borrow_mut().push(endpoint.peer());
                LocalNode::bind(cx, endpoint)
            },
        );
        SEEN.with(|place| *place.borrow_mut() = Some(seen));
        service.unwrap()
    })
    .unwrap();
    let result = work();
    let seen = peers.with(|_| SEEN.with(|seen| seen.borrow().as_ref().unwrap().borrow().clone()));
    (result, seen.unwrap())
}

thread_local! {
    static SEEN: RefCell<Option<Rc<RefCell<Vec<Peer>>>>> = const { RefCell::new(None) };
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
}

#[test]
fn another_user_cannot_open_it_and_is_turned_away_if_it_can() {
    let path = socket("private");
    let at = Address::unix(&path);
    let (said, seen) = serving(&path, false, || {
        let shut = call_as(NOBODY, &at)?;
        open_to_all(&path);
        Some((shut, call_as(NOBODY, &at)?))
    });
    let Some((shut, open)) = said else {
        return println!("skipped: another_user_cannot_open_it: this user cannot become another");
    };
    if !shut.contains("failed:") && !shut.contains("answered") {
        return println!(
            "skipped: another_user_cannot_open_it: the other user cannot run the test"
        );
    }
    assert!(shut.contains("failed:") && open.contains("failed:"), "{shut}; {open}");
    assert_eq!(seen, [], "nothing was bound for it");
}

#[test]
fn our_own_processes_and_those_of_root_are_let_in_and_named() {
    let path = socket("own");
    let at = Address::unix(&path);
    let (said, seen) = serving(&path, false, move || call_as_ourselves(&at));
    assert!(said.contains("answered"), "{said}");
    let [Peer::User { pid: Some(_), .. }] = seen[..] else { panic!("{seen:?}") };
}

fn call_as_ourselves(at: &Address) -> String {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "caller", "--nocapture"]).env(AT, at.to_string());
    String::from_utf8_lossy(&child.output().unwrap().stdout).into_owned()
}

#[test]
fn a_policy_takes_the_place_of_both() {
    let path = socket("policy");
    let at = Address::unix(&path);
    let (said, seen) = serving(&path, true, || {
        open_to_all(&path);
        call_as(NOBODY, &at)
    });
    let Some(said) = said.filter(|said| said.contains("answered") || said.contains("failed:"))
    else {
        return println!("skipped: a_policy_takes_the_place_of_both: no other user runs the test");
    };
    assert!(said.contains("answered"), "{said}");
    let [Peer::User { uid: NOBODY, .. }] = seen[..] else { panic!("{seen:?}") };
}
