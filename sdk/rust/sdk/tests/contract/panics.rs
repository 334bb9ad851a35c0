//! A panic in each callback: it is logged, it ends the connection, and nothing else.

use std::ptr::null;
use std::time::Duration;

use switchboard_abi::*;
use switchboard_sdk::*;

use crate::fake::{Plugin, bytes};
use crate::probe::Probe;

fn assert_panic(line: &str, start: &str) {
    assert!(line.starts_with(start), "{line}");
    assert!(line.contains(".rs:"), "no place in {line}");
}

#[test]
fn in_message_it_poisons_the_session() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let (client, other) = (plugin.open(1, b"/x"), plugin.open(2, b"/y"));
    plugin.host.calls();
    assert_eq!(plugin.text(&client, 7, "panic"), SB_E_PANIC);
    assert_panic(&plugin.host.calls()[0], "log 1 connection 101: panic in message: message 7, at ");

    // The author does not see the session again, not even in `closed`.
    assert_eq!(plugin.text(&client, 8, "hi"), SB_E_PANIC);
    plugin.writable(&client);
    plugin.closed(client);
    assert_eq!(plugin.host.calls(), ["close 1 1011 ", "log 3 dropped /x-half"]);

    assert_eq!(plugin.text(&other, 1, "hi"), SB_OK);
    assert_eq!(plugin.host.calls(), ["send 2 1 hi"]);
}

#[test]
fn in_open_it_refuses_the_client() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, b"/panic");
    assert_eq!((client.status, client.has_session()), (SB_E_PANIC, false));
    let calls = plugin.host.calls();
    let said = calls.iter().find(|call| call.contains("panic in")).unwrap();
    assert_panic(said, "log 1 connection 101: panic in open: open, at ");
}

#[test]
fn in_writable_and_subscribed_it_closes_the_connection() {
    let topic = sb_topic_snapshot {
        size: u32::try_from(size_of::<sb_topic_snapshot>()).unwrap(),
        status: SB_OK,
        topic: bytes("room"),
        key: sb_bytes::EMPTY,
        seq: 1,
        members: null(),
        n_members: 0,
        history: null(),
        n_history: 0,
    };
    for name in ["writable", "subscribed"] {
        let plugin = Plugin::create::<Probe>(&[]).unwrap();
        let path = format!("/panic-in-{name}");
        let client = plugin.open(1, path.as_bytes());
        plugin.host.calls();
        if name == "writable" {
            plugin.writable(&client);
        } else {
            plugin.subscribed(&client, &topic);
        }
        let calls = plugin.host.calls();
        assert_panic(&calls[0], &format!("log 1 connection 101: panic in {name}: {name}, at "));
        assert_eq!(calls[1..], ["close 1 1011 "]);
        plugin.closed(client);
        assert_eq!(plugin.host.calls(), [format!("log 3 dropped {path}")]);
    }
}

#[test]
fn in_closed_and_in_drop_it_is_logged() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let (first, second) = (plugin.open(1, b"/panic-in-closed"), plugin.open(2, b"/panic-in-drop"));
    plugin.host.calls();
    plugin.closed(first);
    let calls = plugin.host.calls();
    assert_panic(&calls[0], "log 1 connection 101: panic in closed: closed, at ");
    assert_eq!(calls[1..], ["log 3 dropped /panic-in-closed"]);
    plugin.closed(second);
    let calls = plugin.host.calls();
    assert_panic(&calls[2], "log 1 connection 102: panic in drop of a session: drop, at ");
}

#[test]
fn in_create_it_is_told_to_the_administrator() {
    let (status, said) = Plugin::create::<Probe>(&[("panic", "")]).err().unwrap();
    assert_eq!(status, SB_E_PANIC);
    assert_panic(&said, "panic in create: create, at ");
}

/// Panics wherever no client is concerned.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("drop");
    }
}

impl Endpoint for Bomb {
    type Session = ();

    fn create(_setup: &Setup) -> Result<Self, Error> {
        Ok(Self)
    }

    fn start(&self) -> Result<(), Error> {
        panic!("start")
    }

    fn open(&self, _: &Conn, _: &Request<'_>) -> Result<Opened<()>, Reject> {
        Ok(Opened::accept(()))
    }

    fn message(&self, _: &Conn, _: &mut (), _: Message<'_>) -> Result<Handled, Error> {
        Ok(Handled::Done)
    }

    fn drain(&self, _why: Drain, _deadline: Option<Duration>) {
        panic!("drain")
    }

    fn stop(&self) {
        panic!("stop")
    }
}

#[test]
fn in_the_life_of_an_instance_it_is_logged() {
    let plugin = Plugin::create::<Bomb>(&[]).unwrap();
    let host = plugin.host;
    assert_eq!(plugin.start(), SB_E_PANIC);
    plugin.drain(SB_DRAIN_SHUTDOWN, 1500);
    assert_eq!(plugin.stop(), SB_E_PANIC);
    plugin.destroy();
    let calls = host.calls();
    let expected = ["start: start", "drain: drain", "stop: stop", "drop of the endpoint: drop"];
    assert_eq!(calls.len(), expected.len());
    for (line, expected) in calls.iter().zip(expected) {
        assert_panic(line, &format!("log 1 panic in {expected}, at "));
    }
}
