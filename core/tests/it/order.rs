//! Sends to one connection from several threads and from its callbacks: none lost, each sender's in
//! order, and those that happen one after another in that order whoever sends them. Also where each
//! message is compressed with those before it.

use std::time::Instant;

use switchboard_websocket::handshake::deflate::Offer;

use crate::fixtures::probe_host;
use crate::support::{Client, Event, Ws};

/// Threads that send, beside the callbacks.
const THREADS: u8 = 4;
/// Parts in which the callbacks send theirs, each when the client asks for it.
const CHUNKS: u32 = 50;
/// A flag of the last message of a chunk: see the probe.
const CHUNK_END: u8 = 0x80;

fn binary(ws: &mut Ws) -> Vec<u8> {
    match ws.next() {
        Event::Binary(payload) => payload,
        other => panic!("{other:?}"),
    }
}

fn number(message: &[u8]) -> u32 {
    u32::from_le_bytes(message.try_into().expect("a number has four bytes"))
}

/// Has `messages` sent, and reads them. How often a thread was told to wait.
fn flood(inside: &str, dial: fn(&str) -> Ws, messages: u32) -> u64 {
    let each = messages / (u32::from(THREADS) + 1);
    let host = probe_host(inside, "");
    let mut ws = dial(&host.addr("main"));
    let begin = Instant::now();
    ws.text(&format!("flood {THREADS} {each} {}", each.div_ceil(CHUNKS)));
    ws.text("more");
    let mut next = [0; THREADS as usize + 1];
    // How often the sender changes tells whether they send at the same time.
    let (mut changes, mut last) = (0, 0);
    for _ in 0..each * next.len() as u32 {
        let message = binary(&mut ws);
        let sender = message[0] & !CHUNK_END;
        let expected = &mut next[usize::from(sender)];
        assert_eq!(number(&message[1..]), *expected, "of sender {sender}");
        *expected += 1;
        if message[0] & CHUNK_END != 0 && *expected < each {
            ws.text("more");
        }
        changes += u64::from(sender != last);
        last = sender;
    }
    println!("{messages} messages in {:?}, {changes} changes of the sender", begin.elapsed());
    assert_eq!(next, [each; THREADS as usize + 1]);
    assert!(changes > 100, "the senders took turns {changes} times: nothing was shown");
    ws.text("refused");
    match ws.next() {
        Event::Text(refused) => refused.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

const NARROW: &str = "<limits>\nsoft-backlog 4KB\nmax-backlog 16KB\n</limits>";
const DEDICATED: &str = "compression dedicated\ncompression-threshold 0";

fn plain(addr: &str) -> Ws {
    Client::ws(addr, "/probe")
}

fn deflating(addr: &str) -> Ws {
    Client::deflating(addr, "/probe", &Offer::default())
}

#[test]
fn each_senders_messages_arrive_in_order_and_none_is_lost() {
    flood("", plain, 10_000_000);
}

#[test]
fn a_sender_that_was_refused_is_woken_and_loses_nothing() {
    let refused = flood(NARROW, plain, 500_000);
    assert!(refused > 100, "refused {refused} times: nothing was shown");
}

#[test]
fn each_senders_messages_arrive_in_order_under_compression() {
    let refused = flood(&format!("{DEDICATED}\n{NARROW}"), deflating, 100_000);
    assert!(refused > 100, "refused {refused} times: nothing was shown");
}

#[test]
fn what_happens_before_is_seen_before() {
    relay("", plain, 100_000);
}

#[test]
fn what_happens_before_is_seen_before_under_compression() {
    relay(DEDICATED, deflating, 20_000);
}

fn relay(inside: &str, dial: fn(&str) -> Ws, messages: u32) {
    const PLAYERS: u8 = 3;
    let host = probe_host(inside, "");
    let mut ws = dial(&host.addr("main"));
    ws.text(&format!("relay {PLAYERS} {messages} 88172645463325252"));
    let (mut from_callback, mut last) = (0, 0);
    for expected in 0..messages {
        let message = binary(&mut ws);
        let (sender, next) = (message[4], message[5]);
        assert_eq!(number(&message[..4]), expected, "sent by {sender}");
        assert_eq!(sender, last, "{expected} was sent by one that had not the token");
        last = next;
        from_callback += u32::from(sender == PLAYERS);
        if next == PLAYERS {
            ws.text("play");
        }
    }
    assert!(from_callback > messages / 8, "{from_callback} were sent by callbacks");
    ws.text("echo all is well");
    ws.expect_text("all is well");
}
