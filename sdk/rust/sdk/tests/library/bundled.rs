//! The plugins, loaded, against the host in memory.

use std::ffi::CStr;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use serde_json::{Value, json};
use switchboard_abi::*;

use crate::fake::{Client, Fake, Plugin, bytes};
use crate::file;

fn entry(path: &Path) -> &'static sb_entry {
    // SAFETY: the plugins of this checkout, which run nothing when they are loaded.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.unwrap();
    // SAFETY: what stands behind that symbol, by the header.
    let entry = unsafe { *library.get::<*const sb_entry>(SB_ENTRY_SYMBOL.as_bytes()).unwrap() };
    std::mem::forget(library); // never unmapped
    // SAFETY: it is constant data of a library that stays mapped.
    unsafe { &*entry }
}

fn text(text: *const std::ffi::c_char) -> &'static str {
    // SAFETY: strings of an entry have their terminating zero.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap()
}

#[test]
fn the_entry_says_who_it_is() {
    let entry = entry(&file::bundled("dev").join("libecho.so"));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(entry.size as usize, size_of::<sb_entry>());
    assert_eq!((entry.abi_major, entry.abi_minor), (SB_ABI_MAJOR, SB_ABI_MINOR));
    assert_eq!(entry.flags, SB_ENTRY_NEVER_BLOCKS);
    assert_eq!(text(entry.id), "org.switchboard.echo");
    assert_eq!(text(entry.version), version);
    assert_eq!(text(entry.build), format!("switchboard-plugin-echo {version}"));
}

#[test]
fn echo_sends_back_and_keeps_what_has_no_room() {
    let entry = entry(&file::bundled("release").join("libecho.so"));
    let plugin = Plugin::of(entry, Fake::new(), &[]).unwrap();
    let client = plugin.open(1, b"");
    assert_eq!(plugin.text(&client, 1, "a"), SB_OK);
    plugin.host.next("send", SB_E_AGAIN);
    assert_eq!(plugin.message(&client, SB_BINARY, 2, b"b"), SB_DEFERRED);
    assert_eq!(plugin.text(&client, 3, "c"), SB_DEFERRED);
    assert_eq!(plugin.host.calls(), ["accept 1 []", "send 1 1 a", "send 1 2 b"]);

    plugin.host.next("send", SB_OK);
    plugin.host.next("send", SB_E_AGAIN);
    plugin.writable(&client);
    assert_eq!(plugin.host.calls(), ["send 1 2 b", "ack 1 2", "send 1 1 c"]);
    plugin.writable(&client);
    assert_eq!(plugin.host.calls(), ["send 1 1 c", "ack 1 3"]);
    assert_eq!(plugin.text(&client, 4, "d"), SB_OK);
    plugin.closed(client);
    plugin.destroy();
}

#[test]
fn echo_does_not_keep_without_end() {
    let entry = entry(&file::bundled("release").join("libecho.so"));
    let plugin = Plugin::of(entry, Fake::new(), &[]).unwrap();
    let client = plugin.open(1, b"");
    plugin.host.next("send", SB_E_AGAIN);
    let statuses: Vec<_> = (1..=65).map(|seq| plugin.text(&client, seq, "x")).collect();
    assert_eq!(statuses[..64], [SB_DEFERRED; 64]);
    assert_eq!(statuses[64], SB_E_FAILED);
}

#[test]
fn upper_answers_in_upper_case() {
    let plugin = Plugin::of(entry(&file::upper()), Fake::new(), &[]).unwrap();
    let client = plugin.open(1, b"");
    assert_eq!(plugin.text(&client, 1, "hello, z\u{e9}"), SB_OK);
    assert_eq!(plugin.message(&client, SB_BINARY, 2, b"ab"), SB_OK);
    plugin.host.next("send_buf", SB_PRESSURE);
    assert_eq!(plugin.text(&client, 3, ""), SB_OK);
    plugin.host.next("send_buf", SB_E_CLOSED);
    assert_eq!(plugin.text(&client, 4, ""), SB_E_CLOSED);
    assert_eq!(
        plugin.host.calls(),
        [
            "accept 1 []",
            "send_buf 1 1 10 HELLO, Z\u{e9}",
            "send_buf 1 2 2 ab",
            "send_buf 1 1 0 ",
            "send_buf 1 1 0 "
        ]
    );
    plugin.closed(client);
    plugin.destroy();
}

/// One client in the chat, with what a test asks of it.
struct Guest<'a> {
    plugin: &'a Plugin,
    client: Client,
    seq: u64,
}

impl<'a> Guest<'a> {
    fn new(plugin: &'a Plugin, path: &str) -> Self {
        let client = plugin.open(1, path.as_bytes());
        assert_eq!(plugin.host.calls(), ["accept 1 []"]);
        Self { plugin, client, seq: 0 }
    }

    fn says(&mut self, message: &Value) {
        self.seq += 1;
        assert_eq!(self.plugin.text(&self.client, self.seq, &message.to_string()), SB_OK);
    }

    /// The one answer that was sent to it.
    fn hears(&self) -> Value {
        let calls = self.plugin.host.calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        serde_json::from_str(calls[0].strip_prefix("send 1 1 ").unwrap()).unwrap()
    }

    fn hears_error(&self, reason: &str) {
        assert_eq!(self.hears(), json!({"type": "error", "reason": reason}));
    }

    fn joins(&mut self, name: &str) -> Vec<String> {
        self.says(&json!({"type": "join", "name": name}));
        self.plugin.host.calls()
    }

    fn subscribed(
        &self,
        status: sb_status,
        members: &[sb_topic_member],
        history: &[sb_topic_retained],
    ) {
        let topic = sb_topic_snapshot {
            size: u32::try_from(size_of::<sb_topic_snapshot>()).unwrap(),
            status,
            topic: bytes("chat:/probe:tea"),
            key: bytes("ann"),
            seq: 1,
            members: members.as_ptr(),
            n_members: members.len(),
            history: history.as_ptr(),
            n_history: history.len(),
        };
        self.plugin.subscribed(&self.client, &topic);
    }
}

fn chat(settings: &[(&str, &str)]) -> Result<Plugin, (i32, String)> {
    Plugin::of(entry(&file::bundled("dev").join("libchat.so")), Fake::new(), settings)
}

fn ann() -> [sb_topic_member; 1] {
    [sb_topic_member { conn_uid: 101, key: bytes("ann"), metadata: bytes("Ann") }]
}

fn retained(text: &'static str) -> sb_topic_retained {
    let message = sb_topic_message { kind: SB_TEXT, reserved: 0, data: bytes(text) };
    sb_topic_retained { seq: 1, message }
}

#[test]
fn a_guest_joins_is_welcome_and_speaks() {
    let plugin = chat(&[]).unwrap();
    let mut guest = Guest::new(&plugin, "/tea");
    assert_eq!(
        guest.joins(" Ann "),
        [concat!(
            "subscribe 1 chat:/probe:tea key=ann metadata=Ann ",
            r#"joined=1:{"type":"joined","name":"Ann"} left=1:{"type":"left","name":"Ann"} "#,
            "history=50 flags=1"
        )]
    );
    guest.says(&json!({"type": "say", "text": "too early"}));
    guest.hears_error("wait for the welcome");

    let message = r#"{"type":"message","name":"bob","text":"hi","time":7}"#;
    guest.subscribed(SB_OK, &ann(), &[retained(message), retained("no JSON")]);
    let history = [serde_json::from_str::<Value>(message).unwrap()];
    assert_eq!(
        guest.hears(),
        json!({
            "type": "welcome", "room": "tea", "name": "Ann", "members": ["Ann"], "history": history,
        })
    );

    guest.says(&json!({"type": "say", "text": "hello"}));
    let calls = plugin.host.calls();
    let said = calls[0].strip_prefix("publish chat:/probe:tea 1:").unwrap();
    let said: Value =
        serde_json::from_str(said.strip_suffix(" flags=1 except=0").unwrap()).unwrap();
    assert_eq!((&said["type"], &said["name"]), (&json!("message"), &json!("Ann")));
    assert_eq!(said["text"], "hello");
    assert!(said["time"].as_u64().unwrap() > 1_700_000_000_000);

    plugin.host.next("publish", SB_E_AGAIN);
    guest.says(&json!({"type": "say", "text": "hello"}));
    assert_eq!(plugin.host.calls()[1], r#"send 1 1 {"type":"error","reason":"busy, try again"}"#);
    plugin.closed(guest.client);
    assert!(plugin.host.calls().is_empty());
}

#[test]
fn a_name_that_is_taken_is_answered_with_another() {
    let plugin = chat(&[]).unwrap();
    let mut guest = Guest::new(&plugin, "");
    assert!(guest.joins("ann")[0].starts_with("subscribe 1 chat:/probe:lobby key=ann "));
    guest.subscribed(SB_E_BUSY, &[], &[]);
    assert_eq!(guest.hears(), json!({"type": "name-taken", "name": "ann", "suggestion": "ann-2"}));
    assert!(guest.joins("ann-2")[0].contains("key=ann-2 "));
    guest.subscribed(SB_E_NOMEM, &[], &[]);
    guest.hears_error("there are too many rooms");
}

#[test]
fn what_makes_no_sense_is_answered_and_the_connection_stays() {
    let plugin = chat(&[("max-name", "5"), ("max-text", "3")]).unwrap();
    let mut guest = Guest::new(&plugin, "/tea");
    guest.says(&json!({"type": "say", "text": "hi"}));
    guest.hears_error("join first");
    guest.says(&json!({"type": "join", "name": "longer"}));
    guest.hears_error("the name is longer than 5 characters");
    guest.says(&json!("x"));
    guest.hears_error("not a JSON object");
    assert_eq!(plugin.message(&guest.client, SB_BINARY, 9, b"x"), SB_OK);
    guest.hears_error("send text, not bytes");
    plugin.host.next("subscribe", SB_E_AGAIN);
    guest.says(&json!({"type": "join", "name": "ann"}));
    assert!(plugin.host.calls()[1].contains("busy, try again"));

    guest.joins("ann");
    guest.says(&json!({"type": "join", "name": "ann"}));
    guest.hears_error("you have joined already");
    guest.subscribed(SB_OK, &ann(), &[]);
    guest.hears();
    guest.says(&json!({"type": "say", "text": "four"}));
    guest.hears_error("the text is longer than 3 characters");
    guest.says(&json!({"type": "join", "name": "bob"}));
    guest.hears_error("you have joined already");
}

#[test]
fn a_welcome_that_is_too_big_is_sent_with_less_history() {
    let plugin = chat(&[]).unwrap();
    let mut guest = Guest::new(&plugin, "/tea");
    guest.joins("ann");
    plugin.host.next("send", SB_E_TOO_BIG);
    guest.subscribed(SB_OK, &ann(), &[retained("1"), retained("2"), retained("3")]);
    let calls = plugin.host.calls();
    assert!(calls[0].ends_with(r#""history":[1,2,3]}"#));
    assert!(calls[1].ends_with(r#""history":[3]}"#));
    assert_eq!(calls.len(), 2);
}

#[test]
fn answers_wait_for_room_in_their_order() {
    let plugin = chat(&[]).unwrap();
    let mut guest = Guest::new(&plugin, "/tea");
    plugin.host.next("send", SB_E_AGAIN);
    guest.says(&json!({"type": "one"}));
    guest.says(&json!({"type": "two"}));
    assert_eq!(plugin.host.calls().len(), 1);
    plugin.writable(&guest.client);
    let calls = plugin.host.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls[0].contains("one") && calls[1].contains("two"));
}

#[test]
fn there_are_paths_without_a_room_and_settings_without_sense() {
    let plugin = chat(&[]).unwrap();
    plugin.open(1, b"/a/b");
    assert_eq!(plugin.host.calls(), ["reject 1 404 There is no such room."]);
    let table = [
        ("history", "1001", "history 1001: must be a whole number from 0 to 1000"),
        ("max-name", "x", "max-name x: must be a whole number from 4 to 200"),
        ("max-nam", "3", "unknown key max-nam in <config>"),
    ];
    for (key, value, expected) in table {
        assert_eq!(chat(&[(key, value)]).err().unwrap().1, expected);
    }
}
