//! Promise: requests and events of one endpoint start in the order in which they were sent; replies
//! come in any order.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, everywhere, limits};
use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::{Context, Error, Limits};

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

everywhere! {
    fn events_and_calls_start_in_the_order_sent(field: &mut Field) {
        // Half of them are never answered, and keep their credits.
        let many = limits(|limits| limits.request_window = 4_095);
        let (client, server, node) = field.pair_with(Limits::default(), many);
        let calls: Vec<Got<String>> = (0..3_000).filter_map(|n| {
            let text = n.to_string();
            let (k, got) = Got::new(client.handle());
            match n % 4 {
                0 => node.note(text).unwrap(),
                1 => node.echo(text).then(k),
                2 => node.hold(text).then(k),
                _ => node.ask(text).then(k),
            }
            (n % 4 == 1).then_some(got)
        }).collect();
        field.on(&client, || ());
        for outcome in field.outcomes(&calls) {
            outcome.unwrap();
        }
        field.until(|| server.heard().len() == 3_000);
        assert_eq!(server.heard(), numbers(0..3_000), "more than the peer's grant before its hello");
    }
}

everywhere! {
    fn requests_that_waited_for_credit_keep_their_place(field: &mut Field) {
        let few = limits(|limits| limits.request_window = 64);
        let (client, server, node) = field.pair_with(Limits::default(), few);
        for n in 0..1_000 {
            let text = n.to_string();
            match n % 2 {
                0 => node.note(text).unwrap(),
                _ => node.echo(text).then(Got::new(client.handle()).0),
            }
        }
        field.on(&client, || ());
        field.until(|| server.heard().len() == 1_000);
        assert_eq!(server.heard(), numbers(0..1_000));
    }
}

everywhere! {
    fn large_arguments_do_not_overtake_small_ones(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = field.met_pair();
        let text = |n: usize| format!("{n}:{}", "x".repeat(if n.is_multiple_of(3) { 200_000 } else { 10 }));
        for n in 0..40 {
            node.note(text(n)).unwrap();
        }
        field.on(&client, || ());
        field.until(|| server.heard().len() == 40);
        assert!(server.heard() == (0..40).map(text).collect::<Vec<_>>());
    }
}

everywhere! {
    fn replies_come_in_the_order_given(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let calls: Vec<_> = (0..5).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        field.until(|| server.holds() == 5);
        for n in [3, 0, 4, 1, 2] {
            assert!(!calls[n].is_done());
            field.answer(&server, &n.to_string(), Ok("done"));
            field.until(|| calls[n].is_done());
        }
        assert!(field.outcomes(&calls).into_iter().all(|outcome| outcome.is_ok()));
    }
}

everywhere! {
    fn a_slow_call_holds_nobody_up(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let slow = field.start(&client, node.hold("slow"));
        assert_eq!(field.outcome(&client, node.echo("quick")).unwrap(), "quick");
        assert!(!slow.is_done());
        assert_eq!(server.heard(), ["slow", "quick"]);
    }
}

/// Numbers what it is told.
struct Register(Vec<(String, String)>);

impl LocalNode for Register {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        self.0.push((key, value));
    }

    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        let found = self.0.iter().rev().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.clone()).ok_or_else(|| Error::failed("not there"))
    }
}

everywhere! {
    fn a_get_behind_a_put_sees_its_value(field: &mut Field) {
        let server = field.peer_serving("server", Limits::default(), Register(Vec::new()), LocalNode::bind);
        let client = field.peer("client");
        let n: NodeProxy = NodeProxy::new(client.rpc().connect(server.address()));
        for n_th in 0..100 {
            let value = n_th.to_string();
            n.put("arrakis", &value).unwrap();
            assert_eq!(field.outcome(&client, n.get("arrakis")).unwrap(), value);
        }
    }
}
