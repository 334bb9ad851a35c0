//! `message` and what it comes to, and the statuses of sends.

use switchboard_abi::*;

use crate::fake::{Client, Fake, Plugin};
use crate::probe::Probe;

fn opened() -> (Plugin, Client) {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, b"/x");
    plugin.host.calls();
    (plugin, client)
}

#[test]
fn text_and_bytes_come_back_as_they_came() {
    let (plugin, client) = opened();
    assert_eq!(plugin.text(&client, 1, "h\u{e9}"), SB_OK);
    assert_eq!(plugin.message(&client, SB_BINARY, 2, b"\x01"), SB_OK);
    assert_eq!(plugin.message(&client, SB_BINARY, 3, b""), SB_OK);
    assert_eq!(plugin.host.calls(), ["send 1 1 h\u{e9}", "send 1 2 \u{1}", "send 1 2 "]);
}

#[test]
fn each_status_of_send_reaches_the_author() {
    let (plugin, client) = opened();
    let table = [
        (SB_PRESSURE, SB_OK, "log 3 pressure"),
        (
            SB_E_CLOSED,
            SB_E_CLOSED,
            "log 4 connection 101: message failed: the connection has ended",
        ),
        (SB_E_AGAIN, SB_E_FAILED, "log 2 connection 101: message failed: the queue is full"),
        (
            SB_E_TOO_BIG,
            SB_E_FAILED,
            "log 2 connection 101: message failed: longer than a limit allows",
        ),
    ];
    for (of_send, of_message, line) in table {
        plugin.host.next("send", of_send);
        assert_eq!(plugin.text(&client, 1, "x"), of_message);
        assert_eq!(plugin.host.calls(), ["send 1 1 x", line]);
    }
}

#[test]
fn a_message_is_deferred_and_acknowledged_later() {
    let (plugin, client) = opened();
    assert_eq!(plugin.text(&client, 1, "defer"), SB_DEFERRED);
    assert_eq!(plugin.text(&client, 2, "ack"), SB_OK);
    assert_eq!(plugin.host.calls(), ["ack 1 1"]);
}

#[test]
fn an_error_says_why_and_the_session_lives_on() {
    let (plugin, client) = opened();
    assert_eq!(plugin.text(&client, 1, "error"), SB_E_FAILED);
    assert_eq!(plugin.text(&client, 2, "parse"), SB_E_FAILED);
    plugin.closed(client);
    assert_eq!(
        plugin.host.calls(),
        [
            "log 2 connection 101: message failed: no such thing",
            "log 2 connection 101: message failed: invalid digit found in string",
            "log 3 connection 101: Client 1001 away",
            "log 3 dropped /x",
        ]
    );
}

#[test]
fn the_rest_of_the_handle_reaches_the_host() {
    let (plugin, client) = opened();
    for (seq, text) in [(1, "close"), (2, "log")] {
        assert_eq!(plugin.text(&client, seq, text), SB_OK);
    }
    plugin.writable(&client);
    assert_eq!(
        plugin.host.calls(),
        ["close 1 1000 bye", "log 2 connection 101: careful", "send 1 1 again"]
    );
}

#[test]
fn a_kind_of_a_later_abi_is_not_supported() {
    let (plugin, client) = opened();
    assert_eq!(plugin.message(&client, 9, 1, b""), SB_E_UNSUPPORTED);
    assert!(plugin.host.calls().is_empty());
}

#[test]
fn a_function_that_the_host_does_not_know_is_not_supported() {
    let size = std::mem::offset_of!(sb_host, close) + size_of::<usize>();
    let plugin = Plugin::create_on::<Probe>(Fake::of_size(size), &[]).unwrap();
    let client = plugin.open(1, b"/x");
    plugin.host.calls();
    assert_eq!(plugin.text(&client, 1, "close"), SB_OK);
    // Neither ack, nor log, nor topics stand in so short a table.
    for (seq, text) in [(2, "ack"), (3, "subscribe"), (4, "publish"), (5, "leave")] {
        assert_eq!(plugin.text(&client, seq, text), SB_E_FAILED, "{text}");
    }
    assert_eq!(plugin.text(&client, 6, "log"), SB_OK);
    assert_eq!(plugin.host.calls(), ["close 1 1000 bye"]);
}
