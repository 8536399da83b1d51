//! Promise: a process that stood still judges nothing by its clock before it has looked at what
//! came meanwhile. Requests whose time passed while it stood are refused, never executed; replies
//! that came in time are not discarded.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Desk, Field, Got, Peer, ProbeProxy, in_other_worlds, limits, millis, secs};
use peers_rpc::ErrorKind;
use std::time::Duration;

const SEEDS: std::ops::Range<u64> = 0..5;

struct Scene {
    field: Field,
    client: Peer,
    server: Peer,
    node: ProbeProxy,
}

fn scene(seed: u64) -> Scene {
    let mut field = Field::simulated(seed);
    let patient = || limits(|limits| limits.peer_timeout = secs(1_000));
    let (client, server, node) = field.pair_with(patient(), patient());
    field.outcome(&client, node.context()).unwrap();
    field.pass(secs(1));
    Scene { field, client, server, node }
}

impl Scene {
    fn stop(&mut self, peer: fn(&Self) -> &Peer) {
        let process = peer(self).process();
        self.field.world().stop(process);
    }

    fn resume(&mut self, peer: fn(&Self) -> &Peer) {
        let process = peer(self).process();
        self.field.world().resume(process);
    }

    fn ask(&mut self, count: usize, text: &str, time: Duration) -> Vec<Got<String>> {
        let (ks, gots): (Vec<_>, Vec<_>) =
            (0..count).map(|_| Got::new(self.client.handle())).unzip();
        let (node, text) = (self.node.clone(), text.to_owned());
        self.field.on(&self.client, move || {
            for k in ks {
                node.echo(&*text).within(time).then(k);
            }
        });
        gots
    }
}

fn all_time_out(gots: &[Got<String>], seed: u64) {
    for got in gots {
        let error = got.take().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "seed {seed}: {error}");
    }
}

#[test]
fn requests_whose_time_passed_while_the_server_stood_still_are_never_executed() {
    for seed in SEEDS {
        for stands in [6, 60] {
            let mut scene = scene(seed);
            scene.stop(|scene| &scene.server);
            scene.field.pass(millis(200));
            let calls = scene.ask(250, "too late", secs(5));
            let patient = scene.ask(3, "in time", Duration::ZERO);
            scene.field.pass(secs(stands));
            all_time_out(&calls, seed);
            scene.resume(|scene| &scene.server);
            for outcome in scene.field.outcomes(&patient) {
                assert_eq!(outcome.unwrap(), "in time");
            }
            assert_eq!(scene.server.heard(), ["in time"; 3], "seed {seed}, {stands} s");
            // Who was late is forgiven: the connection works, and deadlines count from now again.
            let next = scene.ask(1, "next", secs(5));
            assert_eq!(scene.field.outcomes(&next)[0].as_ref().unwrap(), "next");
        }
    }
}

#[test]
fn that_is_so_however_many_reads_it_takes_to_get_them_all() {
    for seed in SEEDS {
        let mut scene = scene(seed);
        scene.stop(|scene| &scene.server);
        let calls = scene.ask(60, &"x".repeat(1_000), secs(5));
        scene.field.pass(secs(8));
        all_time_out(&calls, seed);
        scene.resume(|scene| &scene.server);
        scene.field.pass(secs(8));
        assert_eq!(scene.server.heard(), [""; 0], "seed {seed}");
    }
}

#[test]
fn a_reply_that_came_in_time_is_not_discarded_by_a_clock_that_went_on() {
    for seed in SEEDS {
        let mut scene = scene(seed);
        let server = scene.server.process();
        scene.field.world().stall(server, millis(200));
        let calls = scene.ask(100, &"x".repeat(500), secs(1));
        scene.field.pass(millis(100)); // all requests have left
        scene.stop(|scene| &scene.client);
        scene.field.pass(secs(3));
        scene.resume(|scene| &scene.client);
        let outcomes = scene.field.outcomes(&calls);
        let lost = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!(lost, 0, "seed {seed}: replies that lay in the socket");
    }
}

#[test]
fn a_reply_that_did_not_come_in_time_is_missed_as_soon_as_the_process_goes_on() {
    for seed in SEEDS {
        let mut scene = scene(seed);
        let (client, held) = (&scene.client, scene.node.hold("never"));
        let got = scene.field.start(client, held.within(secs(1)));
        scene.field.pass(millis(500));
        scene.stop(|scene| &scene.client);
        scene.field.pass(secs(3));
        scene.resume(|scene| &scene.client);
        scene.field.pass(millis(20));
        all_time_out(&[got], seed);
    }
}

#[test]
fn a_peer_that_sends_and_sends_does_not_put_off_what_did_not_come_in_time() {
    for seed in SEEDS {
        let mut scene = scene(seed);
        let got = {
            let held = scene.node.hold("never").within(secs(1));
            scene.field.start(&scene.client, held)
        };
        scene.field.leaves_work_behind("the server sends events without end");
        // The server calls back without end, so that something is unread at any time.
        let back = scene.server.accepted()[0].clone();
        let cx = scene.server.cx();
        scene.field.on(&scene.server, move || chatter(&cx, &ProbeProxy::new(back)));
        scene.field.pass(secs(1) + millis(200));
        all_time_out(&[got], seed);
    }
}

/// Sends events all the time.
fn chatter(cx: &peers_rpc::Cx<Desk>, node: &ProbeProxy) {
    for _ in 0..50 {
        let _full = node.note("x".repeat(500));
    }
    let (again, node) = (cx.clone(), node.clone());
    cx.after(millis(1), move |_, _| chatter(&again, &node));
}

#[test]
fn a_frame_of_which_the_rest_lay_in_the_socket_is_no_slow_one() {
    for seed in SEEDS {
        let mut scene = scene(seed);
        let large = scene.ask(1, &"x".repeat(1_000_000), Duration::ZERO);
        scene.field.pass(millis(3)); // it has begun to arrive
        scene.stop(|scene| &scene.server);
        scene.field.pass(secs(29));
        scene.resume(|scene| &scene.server);
        assert_eq!(scene.field.outcomes(&large)[0].as_ref().unwrap().len(), 1_000_000, "{seed}");
    }
}

#[test]
fn a_frame_of_which_the_rest_could_not_be_sent_is_no_slow_one() {
    for seed in SEEDS {
        let mut scene = scene(seed);
        let large = scene.ask(1, &"x".repeat(2_000_000), Duration::ZERO);
        scene.field.pass(millis(3)); // it has begun to arrive
        scene.stop(|scene| &scene.server);
        scene.field.pass(millis(100));
        scene.stop(|scene| &scene.client); // the rest waits there
        scene.field.pass(secs(60));
        scene.resume(|scene| &scene.server);
        scene.field.pass(millis(500));
        scene.resume(|scene| &scene.client);
        assert_eq!(scene.field.outcomes(&large)[0].as_ref().unwrap().len(), 2_000_000, "{seed}");
    }
}

#[test]
fn two_that_stood_still_together_find_each_other_alive() {
    for seed in SEEDS {
        let mut field = Field::simulated(seed);
        let (client, server, node) = field.met_pair();
        let other = field.dial(&client, &server);
        field.outcome(&client, other.context()).unwrap();
        let held: Vec<_> = (0..500)
            .map(|n| field.start(&client, node.hold(n.to_string()).within(secs(5))))
            .collect();
        field.pass(secs(14));
        for got in held {
            assert!(got.take().is_err(), "nobody answers");
        }
        // Its pings of these seconds are not answered before both go on.
        let (first, second) = (client.process(), server.process());
        field.world().stop(first);
        field.pass(secs(6));
        field.world().stop(second);
        field.pass(secs(60));
        field.world().resume(second);
        field.pass(secs(2));
        field.world().resume(first);
        field.pass(secs(1));
        for node in [&node, &other] {
            assert_eq!(field.outcome(&client, node.echo("alive")).unwrap(), "alive", "seed {seed}");
        }
    }
}

#[test]
fn requests_whose_time_passed_while_the_server_was_stopped_at_work_are_never_executed() {
    for seed in SEEDS {
        let mut scene = scene(seed);
        // As the loop sees it, a handler that takes so long is one in which it was stopped.
        scene.server.when_asked(|_: &mut Desk, cx, _, text, reply| {
            cx.handle().take_time(secs(8));
            reply.ok(text);
        });
        let (client, asked) = (&scene.client, scene.node.ask("at work").forever());
        let asked = scene.field.start(client, asked);
        let before = scene.ask(100, "too late", secs(5)); // behind it in the same turn
        scene.field.pass(secs(2));
        let meanwhile = scene.ask(100, "too late", secs(5));
        let patient = scene.ask(3, "in time", Duration::ZERO);
        scene.field.pass(secs(10));
        assert_eq!(asked.take().unwrap(), "at work");
        all_time_out(&before, seed);
        all_time_out(&meanwhile, seed);
        assert!(patient.iter().all(|got| got.take().unwrap() == "in time"), "seed {seed}");
        let late = scene.server.heard().iter().filter(|text| *text == "too late").count();
        assert_eq!(late, 0, "seed {seed}: executed after their deadline");
    }
}

in_other_worlds! {
    requests_whose_time_passed_while_the_server_stood_still_are_never_executed,
        not SmallPieces: "a short read says that nothing more lies in the socket";
    that_is_so_however_many_reads_it_takes_to_get_them_all;
    a_reply_that_came_in_time_is_not_discarded_by_a_clock_that_went_on,
        not LittleRoom: "some calls wait for credit meanwhile";
    a_reply_that_did_not_come_in_time_is_missed_as_soon_as_the_process_goes_on;
    a_peer_that_sends_and_sends_does_not_put_off_what_did_not_come_in_time;
    a_frame_of_which_the_rest_lay_in_the_socket_is_no_slow_one,
        not SmallPieces: "its frames are larger";
    a_frame_of_which_the_rest_could_not_be_sent_is_no_slow_one,
        not SmallPieces: "its frames are larger";
    two_that_stood_still_together_find_each_other_alive;
    requests_whose_time_passed_while_the_server_was_stopped_at_work_are_never_executed,
        not SmallPieces: "a short read says that nothing more lies in the socket";
}
