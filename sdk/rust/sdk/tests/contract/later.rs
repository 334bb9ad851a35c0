//! Clients that are answered after `open` has returned.

use std::ptr::null;

use switchboard_abi::*;
use switchboard_sdk::{Accept, Reject, SendError};

use crate::fake::{Plugin, bytes};
use crate::probe::{Probe, late_clients};

#[test]
fn a_client_is_accepted_from_another_thread() {
    let late = late_clients();
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, b"/later");
    assert_eq!((client.status, client.has_session()), (SB_OK, true));
    assert!(plugin.host.calls().is_empty());
    let conn = late.recv().unwrap();
    std::thread::spawn(move || conn.accept(&Accept::new()).unwrap()).join().unwrap();
    assert_eq!(plugin.text(&client, 1, "hi"), SB_OK);
    assert_eq!(conn.reject(&Reject::new(403, "")), Err(SendError::Denied));
    plugin.closed(client);
    assert_eq!(
        plugin.host.calls(),
        [
            "accept 1 []",
            "send 1 1 hi",
            "reject 1 403 ",
            "log 3 connection 101: Client 1001 away",
            "log 3 dropped /later",
        ]
    );
}

#[test]
fn a_refused_client_is_dropped_where_it_is_refused() {
    let late = late_clients();
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, b"/later");
    assert!(client.has_session());
    let conn = late.recv().unwrap();
    std::thread::spawn(move || conn.reject(&Reject::new(403, "no")).unwrap()).join().unwrap();
    assert_eq!(plugin.host.calls(), ["reject 1 403 no", "log 3 dropped /later"]);
}

#[test]
fn a_client_that_leaves_before_the_answer_is_closed() {
    let late = late_clients();
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, b"/later");
    plugin.closed(client);
    plugin.host.next("reject", SB_E_CLOSED);
    let conn = late.recv().unwrap();
    assert_eq!(conn.reject(&Reject::new(403, "no")), Err(SendError::Closed));
    let drops = plugin.host.calls().iter().filter(|call| call.contains("dropped")).count();
    assert_eq!(drops, 1);
}

#[test]
fn a_client_refused_inside_a_callback_is_dropped_when_that_returns() {
    let late = late_clients();
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, b"/later");
    drop(late);
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
    plugin.subscribed(&client, &topic);
    assert_eq!(
        plugin.host.calls(),
        ["reject 1 403 not you", "log 3 Ok(()) room  1 [] []", "log 3 dropped /later-used-after"]
    );
}

#[test]
fn answers_that_race_with_open_lose_no_session() {
    let late = late_clients();
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let rejecter = std::thread::spawn(move || {
        late.iter().for_each(|conn| conn.reject(&Reject::new(403, "")).unwrap());
    });
    for conn in 1..=2000 {
        assert_eq!(plugin.open(conn, b"/later").status, SB_OK);
    }
    let host = plugin.host;
    plugin.destroy(); // drops the sender, which ends the thread
    rejecter.join().unwrap();
    let calls = host.calls();
    assert_eq!(calls.iter().filter(|call| call.contains("dropped /later")).count(), 2000);
}
