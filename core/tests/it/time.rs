//! Limits in time. A test waits for the event, and never asks that it come soon: only that it comes,
//! in its order, and not too early.

use std::time::{Duration, Instant};

use crate::fixtures::probe_host;
use crate::support::room::{Guest, SLOW, check_closed_as_slow, start_chat};
use crate::support::{Client, Event, Got, Handshake, Host, PATIENCE, echo_conf, frame};

/// A clock that runs from before whatever the host counts from.
struct Watch(Instant);

impl Watch {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// At least so much has passed.
    fn check(&self, least: Duration) {
        let passed = self.0.elapsed();
        assert!(passed >= least, "{passed:?} instead of at least {least:?}");
    }
}

const HALF: Duration = Duration::from_millis(500);
const SECOND: Duration = Duration::from_secs(1);

// Before the handshake

fn start_impatient() -> Host {
    Host::start(&format!("<limits>\nhandshake-timeout 1s\n</limits>\n{}", echo_conf("")))
}

#[test]
fn a_client_that_sends_nothing_is_dropped() {
    let host = start_impatient();
    let watch = Watch::start();
    let mut client = Client::connect(&host.addr("main"));
    client.expect_eof();
    watch.check(SECOND);
}

#[test]
fn a_byte_now_and_then_does_not_extend_the_handshake() {
    let host = start_impatient();
    let watch = Watch::start();
    let mut client = Client::connect(&host.addr("main"));
    // It would take a minute.
    let head = b"GET /echo HTTP/1.1\r\nX-Long: ".iter().copied().chain([b'x'; 300]);
    let got = client.drip(head, HALF / 2);
    assert_ne!(got, Got::Bytes);
    watch.check(SECOND);
    assert!(watch.0.elapsed() < PATIENCE, "the bytes have put it off");
}

#[test]
fn half_a_handshake_is_dropped() {
    let host = start_impatient();
    let watch = Watch::start();
    let mut client = Client::connect(&host.addr("main"));
    let whole = Handshake::new("/echo").bytes();
    client.send_raw(&whole[..whole.len() - 2]);
    client.read_to_end();
    watch.check(SECOND);
}

#[test]
fn a_client_that_asks_nothing_more_is_dropped() {
    let host = start_impatient();
    let mut client = Client::connect(&host.addr("main"));
    let watch = Watch::start();
    assert_eq!(client.get("/nothing").status, 404);
    client.read_to_end();
    watch.check(SECOND);
}

#[test]
fn the_handshake_timeout_ends_with_the_handshake() {
    let host = start_impatient();
    let mut silent = Client::connect(&host.addr("main"));
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    // Both connected at nearly the same time. When one is dropped, so would be the other.
    silent.expect_eof();
    let mut silent = Client::connect(&host.addr("main"));
    silent.expect_eof();
    ws.echo("still here");
}

// After it

fn start_with(limits: &str) -> Host {
    Host::start(&echo_conf(&format!("<limits>\n{limits}\n</limits>")))
}

#[test]
fn a_connection_without_messages_is_closed() {
    let host = start_with("idle-timeout 1s");
    let watch = Watch::start();
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    assert_eq!(ws.expect_close(1001), "idle for too long");
    watch.check(SECOND);
    ws.close(1001, "");
    ws.expect_eof();
}

#[test]
fn messages_put_off_the_idle_timeout_and_pongs_do_not() {
    let host = start_with("idle-timeout 3s\nping-interval 0.5s");
    let watch = Watch::start();
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    for _ in 0..8 {
        ws.expect(&Event::Ping(Vec::new()));
        ws.echo("not idle");
    }
    watch.check(8 * HALF);
    let watch = Watch::start();
    ws.echo("the last message");
    while let Event::Ping(payload) = ws.next_unless_close(1001) {
        ws.pong(&payload);
    }
    watch.check(3 * SECOND);
}

#[test]
fn a_silent_client_is_pinged_and_stays_if_it_answers() {
    let host = start_with("ping-interval 0.5s\nping-timeout 1h");
    let watch = Watch::start();
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    for count in 1..4 {
        ws.expect(&Event::Ping(Vec::new()));
        watch.check(count * HALF);
        ws.pong(b"");
    }
    ws.echo("still here");
}

#[test]
fn a_client_that_does_not_answer_a_ping_is_closed() {
    let host = start_with("ping-interval 0.5s\nping-timeout 1s\nclose-timeout 0.5s");
    let watch = Watch::start();
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    ws.expect(&Event::Ping(Vec::new()));
    watch.check(HALF);
    assert_eq!(ws.expect_close(1001), "no answer to a ping");
    watch.check(HALF + SECOND);
    ws.expect_over();
    watch.check(HALF + SECOND + HALF);
}

#[test]
fn without_limits_nobody_is_asked_anything() {
    let host = start_with("ping-interval 0\nidle-timeout 0");
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    let other = start_with("ping-interval 0.5s");
    let mut other = Client::ws(&other.addr("main"), "/echo");
    for _ in 0..3 {
        other.expect(&Event::Ping(Vec::new()));
        other.pong(b"");
    }
    ws.echo("the first that comes");
}

#[test]
fn a_client_that_does_not_answer_our_close_is_cut() {
    let host = start_with("idle-timeout 0.5s\nclose-timeout 1s");
    let watch = Watch::start();
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    ws.expect_close(1001);
    ws.expect_over();
    watch.check(HALF + SECOND);
}

#[test]
fn a_client_that_answers_our_close_is_not_kept_waiting() {
    let host = start_with("idle-timeout 0.5s\nclose-timeout 1h");
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    ws.expect_close(1001);
    ws.close(1001, "");
    ws.expect_eof();
}

#[test]
fn a_client_that_does_not_hang_up_is_cut() {
    let host = start_with("max-connections 1\nclose-timeout 1s");
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    let watch = Watch::start();
    ws.raw(b"\xff\xff");
    ws.expect_close(1002);
    ws.expect_eof();
    // Its place is free when the host has given up waiting.
    while Client::connect(&host.addr("main")).upgrade("/echo", &[]).status != 101 {
        assert!(watch.0.elapsed() < PATIENCE, "it keeps its place");
    }
    watch.check(SECOND);
}

// Slow readers

#[test]
fn a_subscriber_whose_queue_is_full_is_closed_and_the_others_go_on() {
    let host = start_chat("soft-backlog 64KB\nmax-backlog 1MB\nslow-timeout 1h\nclose-timeout 1s");
    let (mut talker, mut listener) = (Guest::join(&host, "talker"), Guest::join(&host, "listener"));
    let sleeper = Guest::join(&host, "sleeper");
    let mut said = 0;
    while !host.log().contains(SLOW) {
        said += 1;
        // The kernel's buffers take some of it, but not so much.
        assert!(said < 1000, "the host keeps 100 MB for a client that does not read");
        let text = format!("{said} {}", "x".repeat(99_000));
        talker.say(&text);
        talker.wait_for_text(&text);
        listener.wait_for_text(&text);
    }
    talker.wait_until_left("sleeper");
    talker.say("on we go");
    listener.wait_for_text("on we go");
    check_closed_as_slow(sleeper);
}

#[test]
fn a_slow_client_that_reads_again_is_told_why() {
    let host = start_chat("soft-backlog 64KB\nmax-backlog 8MB\nslow-timeout 1h\nclose-timeout 1m");
    let mut talker = Guest::join(&host, "talker");
    let mut sleeper = Guest::join(&host, "sleeper");
    let mut said = 0;
    while !host.log().contains(SLOW) {
        said += 1;
        let text = format!("{said} {}", "x".repeat(99_000));
        talker.say(&text);
        talker.wait_for_text(&text);
    }
    // What waited is dropped, up to the end of the message that had begun to leave; 8 MB of it.
    let mut heard = 0;
    let reason = loop {
        match sleeper.ws.next() {
            Event::Text(_) => heard += 1,
            Event::Close(Some((1013, reason))) => break reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason, "reads too slowly");
    assert!(heard + 80 < said, "{heard} of {said}");
}

#[test]
fn a_subscriber_that_makes_no_progress_is_closed_and_the_others_go_on() {
    let host = start_chat("soft-backlog 64KB\nmax-backlog 1GB\nslow-timeout 1s\nclose-timeout 1s");
    let (mut talker, mut listener) = (Guest::join(&host, "talker"), Guest::join(&host, "listener"));
    let sleeper = Guest::join(&host, "sleeper");
    let watch = Watch::start();
    // More than the kernel's buffers take.
    for number in 0..200 {
        let text = format!("{number} {}", "x".repeat(99_000));
        talker.say(&text);
        talker.wait_for_text(&text);
        listener.wait_for_text(&text);
    }
    host.wait_for_log(SLOW);
    watch.check(SECOND);
    talker.wait_until_left("sleeper");
    talker.say("on we go");
    listener.wait_for_text("on we go");
    check_closed_as_slow(sleeper);
}

#[test]
fn a_client_that_only_sends_is_closed() {
    // Nothing but the limit itself would wake the host.
    let host = start_with("slow-timeout 1s\nping-interval 0\nclose-timeout 1s");
    let mut bystander = Client::ws(&host.addr("main"), "/echo");
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    let watch = Watch::start();
    let message = frame(0x82, &[1; 16 << 10]);
    ws.client().send_until_stalled(&message.repeat(3200));
    host.wait_for_log(SLOW);
    watch.check(SECOND);
    bystander.echo("still served");
}

#[test]
fn a_client_that_does_not_read_what_others_say_is_not_read() {
    let limits = "soft-backlog 64KB\nmax-backlog 1GB\nslow-timeout 1h\nping-interval 0";
    let host = probe_host(&format!("<limits>\n{limits}\n</limits>"), "");
    let mut ws = Client::ws(&host.addr("main"), "/probe");
    ws.text("subscribe news");
    ws.expect_text("subscribed 0");
    let mut other = Client::ws(&host.addr("main"), "/probe");
    // More than the kernel's buffers take.
    other.text(&format!("publish news {} 0 200", "x".repeat(99_000)));
    // Nobody hears it, so it has no answer that could say "pressure".
    let command = format!("publish nothing {} 0 0", "x".repeat(16 << 10));
    let message = frame(0x81, command.as_bytes());
    let sent = ws.client().send_until_stalled(&message.repeat(3200));
    assert!(sent < 3200 * message.len(), "the host takes it all");
}

#[test]
fn a_client_that_reads_a_little_and_then_nothing_is_closed() {
    // Reading pauses at the mark and goes on at half of it: the client stops between the two.
    let limits = "soft-backlog 16MB\nmax-backlog 64MB\nslow-timeout 12s\nping-interval 0";
    let host = start_with(&format!("{limits}\nclose-timeout 1s"));
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    let message = frame(0x82, &[1; 16 << 10]);
    let sent = ws.client().send_until_stalled(&message.repeat(6400));
    assert!(sent < 6400 * message.len(), "the host takes it all");
    for _ in 0..(4 << 20) / message.len() {
        ws.next();
    }
    host.wait_for_log(SLOW);
}

#[test]
fn a_slow_subscriber_that_does_read_hears_everything() {
    let host = start_chat("soft-backlog 64KB\nmax-backlog 1GB\nslow-timeout 5s");
    let mut talker = Guest::join(&host, "talker");
    let mut late = Guest::join(&host, "late");
    let text = |number: usize| format!("{number} {}", "x".repeat(99_000));
    for number in 0..200 {
        talker.say(&text(number));
        talker.wait_for_text(&text(number));
    }
    for number in 0..200 {
        let heard = late.hear();
        assert!(heard["text"] == text(number), "{number}: {}", heard["type"]);
    }
}

#[test]
fn a_client_that_does_not_read_a_file_is_cut() {
    let root = tempfile::tempdir().unwrap();
    let big = std::fs::File::create(root.path().join("big")).unwrap();
    big.set_len(64 << 20).unwrap();
    let root = root.path().display();
    let section = format!("<http / >\n<static>\npath {root}\n</static>\n</http>\n");
    let limits = "<limits>\nslow-timeout 1s\n</limits>\n";
    let host = Host::start(&format!("{limits}{}{section}", echo_conf("")));
    let watch = Watch::start();
    let mut client = Client::connect(&host.addr("main"));
    client.send_raw(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    host.wait_for_log("reads too slowly");
    watch.check(SECOND);
}
