//! Topics, both ways.

use std::ptr::null;

use switchboard_abi::*;

use crate::fake::{Client, Plugin, bytes};
use crate::probe::Probe;

fn opened() -> (Plugin, Client) {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let client = plugin.open(1, b"/x");
    plugin.host.calls();
    (plugin, client)
}

#[test]
fn what_is_asked_for_reaches_the_host() {
    let (plugin, client) = opened();
    for (seq, text) in [(1, "subscribe"), (2, "join"), (3, "publish"), (4, "retain"), (5, "leave")]
    {
        assert_eq!(plugin.text(&client, seq, text), SB_OK);
    }
    assert_eq!(
        plugin.host.calls(),
        [
            "subscribe 1 room key= metadata= joined=0: left=0: history=0 flags=0",
            "subscribe 1 room key=ann metadata=Ann joined=1:in left=2:out history=50 flags=1",
            "publish room 1:hi flags=0 except=0",
            "publish room 1:retain flags=1 except=1",
            "unsubscribe 1 room",
        ]
    );
}

#[test]
fn a_refusal_reaches_the_author() {
    let (plugin, client) = opened();
    plugin.host.next("publish", SB_E_AGAIN);
    assert_eq!(plugin.text(&client, 1, "publish"), SB_E_FAILED);
    assert_eq!(plugin.host.calls()[1], "log 2 connection 101: message failed: the queue is full");
}

#[test]
fn a_snapshot_is_handed_over_whole() {
    let (plugin, client) = opened();
    let members = [
        sb_topic_member { conn_uid: 7, key: bytes("ann"), metadata: bytes("Ann") },
        sb_topic_member { conn_uid: 101, key: sb_bytes::EMPTY, metadata: sb_bytes::EMPTY },
    ];
    let message = |kind, data: &'static [u8]| sb_topic_message {
        kind,
        reserved: 0,
        data: sb_bytes::new(data),
    };
    let history = [
        sb_topic_retained { seq: 3, message: message(SB_TEXT, b"hi") },
        sb_topic_retained { seq: 5, message: message(SB_BINARY, b"\x01") },
        // No text, whatever it says.
        sb_topic_retained { seq: 6, message: message(SB_TEXT, b"\xff") },
    ];
    let mut topic = sb_topic_snapshot {
        size: u32::try_from(size_of::<sb_topic_snapshot>()).unwrap(),
        status: SB_OK,
        topic: bytes("room"),
        key: bytes("bob"),
        seq: 9,
        members: members.as_ptr(),
        n_members: members.len(),
        history: history.as_ptr(),
        n_history: history.len(),
    };
    plugin.subscribed(&client, &topic);
    assert_eq!(
        plugin.host.calls(),
        [concat!(
            r#"log 3 Ok(()) room bob 9 ["7 ann Ann", "101  "] "#,
            r#"["3 Text(\"hi\")", "5 Binary([1])", "6 Binary([255])"]"#
        )]
    );

    topic.status = SB_E_BUSY;
    (topic.members, topic.n_members) = (null(), 0);
    (topic.history, topic.n_history) = (null(), 0);
    plugin.subscribed(&client, &topic);
    assert_eq!(plugin.host.calls(), ["log 3 Err(Busy) room bob 9 [] []"]);

    // A host that writes less.
    topic.size = u32::try_from(std::mem::offset_of!(sb_topic_snapshot, seq)).unwrap();
    plugin.subscribed(&client, &topic);
    assert_eq!(plugin.host.calls(), ["log 3 Err(Busy) room bob 0 [] []"]);
}
