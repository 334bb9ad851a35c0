//! Answers to a handshake that come after `open` has returned.

use crate::fixtures::probe_host;
use crate::support::{Client, Handshake, Host, Ws};

fn start() -> Host {
    // All connections are on one shard, which one callback can hold.
    probe_host("", "worker-threads 1")
}

fn ask(ws: &mut Ws, command: &str, answer: &str) {
    ws.text(command);
    ws.expect_text(answer);
}

/// A client that waits for its answer.
fn ask_late(host: &Host, key: &str) -> Client {
    let mut client = Client::connect(&host.addr("main"));
    client.send_raw(&Handshake::new(&format!("/probe/late/{key}")).bytes());
    client
}

#[test]
fn a_client_that_is_rejected_late_leaves_its_topics() {
    let host = start();
    let mut ws = Client::ws(&host.addr("main"), "/probe");
    let mut late = ask_late(&host, "a");
    ask(&mut ws, "enroll a room", "done");
    ask(&mut ws, "answer a reject", "done");
    assert_eq!(late.response().status, 418);
    // In a topic without members nothing is numbered.
    ws.text("publish room x 0 3");
    ask(&mut ws, "subscribe room", "subscribed 0");
}
