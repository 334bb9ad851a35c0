//! `open`: accepted, refused, and what the client asked.

use switchboard_abi::*;

use crate::fake::Plugin;
use crate::probe::Probe;

fn check(path: &[u8], expected: &[&str], status: sb_status, session: bool) {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, path);
    assert_eq!(plugin.host.calls(), expected);
    assert_eq!((client.status, client.has_session()), (status, session));
}

#[test]
fn a_client_is_accepted() {
    check(b"", &["accept 1 []"], SB_OK, true);
}

#[test]
fn a_client_is_accepted_with_subprotocol_and_headers() {
    check(b"/with", &["accept 1 [v2] x-a: 1 x-b: 2"], SB_OK, true);
}

#[test]
fn a_client_is_refused() {
    let expected = ["reject 1 403 x-why: gone gone"];
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, b"/reject");
    let mut calls = plugin.host.calls();
    calls.retain(|call| !call.contains("dropped"));
    assert_eq!(calls, expected);
    assert_eq!((client.status, client.has_session()), (SB_OK, false));
}

#[test]
fn a_path_that_is_not_utf8_is_a_bad_request() {
    check(b"/\xff", &["reject 1 400 Bad request: not UTF-8"], SB_OK, false);
}

#[test]
fn the_request_is_handed_over_whole() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    plugin.open(1, b"/request");
    let said = plugin.host.calls().remove(0);
    for word in [
        "conn_uid: 101",
        "method: \"GET\"",
        "scheme: \"wss\"",
        "authority: \"example.org\"",
        "target: \"/probe/x?q=1\"",
        "route: \"/probe\"",
        "path: \"/request\"",
        "query: \"q=1\"",
        "peer: \"192.0.2.1:40000\"",
        "local: \"192.0.2.2:443\"",
        "subprotocol: \"v1\"",
        "subprotocols: [\"v2\", \"v1\"]",
        "(\"x-raw\", [255])",
        "tls: true",
    ] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    plugin.open(2, b"/cookie");
    assert_eq!(plugin.host.calls(), ["log 3 a=b", "accept 2 []"]);
}

#[test]
fn a_client_that_has_left_before_the_answer_is_closed_later() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    plugin.host.next("accept", SB_E_CLOSED);
    let client = plugin.open(1, b"/x");
    assert_eq!((client.status, client.has_session()), (SB_OK, true));
    plugin.closed(client);
    assert_eq!(
        plugin.host.calls(),
        ["accept 1 []", "log 3 connection 101: Client 1001 away", "log 3 dropped /x"]
    );
}

#[test]
fn a_client_that_has_left_before_the_refusal_is_closed_without_a_session() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    plugin.host.next("reject", SB_E_CLOSED);
    let client = plugin.open(1, b"/reject");
    assert_eq!((client.status, client.has_session()), (SB_OK, false));
    plugin.host.calls();
    plugin.closed(client);
    assert!(plugin.host.calls().is_empty());
}

#[test]
fn an_answer_that_the_host_does_not_take_refuses_the_client() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    plugin.host.next("accept", SB_E_INVALID);
    let client = plugin.open(1, b"/x");
    assert_eq!((client.status, client.has_session()), (SB_E_INVALID, false));
    assert_eq!(plugin.host.calls(), ["accept 1 []", "log 3 dropped /x"]);

    plugin.host.next("reject", SB_E_INVALID);
    assert_eq!(plugin.open(2, b"/reject").status, SB_E_INVALID);
}

#[test]
fn an_endpoint_that_answers_twice_is_taken_at_its_first_word() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let cases = [
        (1, "/accept-twice", true),
        (2, "/accept-then-later", true),
        (3, "/reject-then-accept", false),
        (4, "/reject-then-later", false),
        (5, "/reject-twice", false),
    ];
    for (conn, path, kept) in cases {
        let client = plugin.open(conn, path.as_bytes());
        assert_eq!((client.status, client.has_session()), (SB_OK, kept), "{path}");
        let dropped = format!("log 3 dropped {path}");
        let drops = plugin.host.calls().iter().filter(|call| **call == dropped).count();
        assert_eq!(drops, usize::from(!kept), "{path}");
        plugin.closed(client);
        let drops = plugin.host.calls().iter().filter(|call| **call == dropped).count();
        assert_eq!(drops, usize::from(kept), "{path}, closed");
    }
}
