//! `max-memory`: what all clients together may hold. The guilty pay, and nobody else notices.

use std::iter::repeat_with;

use crate::support::room::{Guest, SLOW, check_closed_as_slow, start_chat};
use crate::support::{Client, Event, Host, Ws, echo_conf, frame};

/// Nothing but the lack of memory closes anybody.
const PATIENT: &str = "soft-backlog 16MB\nmax-backlog 256MB\nslow-timeout 1h\nclose-timeout 1s";
const SHORT: &str = "memory is short, closed with 1013";

fn start_echo(limits: &str) -> Host {
    Host::start(&format!(
        "<limits>\n{PATIENT}\nping-interval 0\n{limits}\n</limits>\n{}",
        echo_conf("")
    ))
}

#[test]
fn subscribers_that_fill_the_memory_are_closed_and_the_others_go_on() {
    let host = start_chat(&format!("{PATIENT}\nmax-memory 4MB"));
    let (mut talker, mut listener) = (Guest::join(&host, "talker"), Guest::join(&host, "listener"));
    let sleepers = ["ann", "bob", "eve"].map(|name| (name, Guest::join(&host, name)));
    let before = host.resident_bytes();
    let mut said = 0;
    while host.log().matches(SLOW).count() < sleepers.len() {
        said += 1;
        // The kernel's buffers take some of it.
        assert!(said < 1000, "100 MB wait for each of three clients");
        let text = format!("{said} {}", "x".repeat(99_000));
        talker.say(&text);
        talker.wait_for_text(&text);
        listener.wait_for_text(&text);
    }
    host.wait_for_log("/chat: max-memory: its clients hold ");
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes for a budget of 4 MB");
    for (name, sleeper) in sleepers {
        talker.wait_until_left(name);
        check_closed_as_slow(sleeper);
    }
    talker.say("on we go");
    listener.wait_for_text("on we go");
}

#[test]
fn a_client_without_progress_is_closed_within_its_patience_when_memory_is_short() {
    let host = start_echo("max-memory 1MB");
    let mut bystander = Client::ws(&host.addr("main"), "/echo");
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    let message = frame(0x82, &[1; 16 << 10]);
    ws.client().send_until_stalled(&message.repeat(6400));
    host.wait_for_log(SLOW);
    bystander.echo("still served");
}

#[test]
fn unfinished_messages_that_fill_the_memory_are_closed() {
    let host = start_echo("max-memory 2MB");
    let mut bystander = Client::ws(&host.addr("main"), "/echo");
    let begun: Vec<Ws> = repeat_with(|| {
        let mut ws = Client::ws(&host.addr("main"), "/echo");
        let whole = frame(0x82, &[7; 1 << 20]);
        ws.raw(&whole[..900_000]);
        ws
    })
    .take(4)
    .collect();
    host.wait_for_log("max-memory: all clients hold ");
    host.wait_for_log(SHORT);
    bystander.echo("still served");
    // Those that were closed are told why, and there is room again for one that finishes.
    let closed = begun.into_iter().map(|mut ws| match ws.next() {
        Event::Close(Some((1013, reason))) => reason,
        Event::End | Event::Reset => String::new(),
        other => panic!("{other:?}"),
    });
    assert!(closed.take(2).any(|reason| reason == "memory is short"));
    bystander.binary(&vec![7; 1 << 20]);
    bystander.expect_binary(&vec![7; 1 << 20]);
}

#[test]
fn a_client_that_goes_on_with_its_message_when_memory_is_short_gets_no_more_of_it() {
    let host = start_echo("max-memory 1MB\nmax-message-size 16MB");
    let before = host.resident_bytes();
    let whole = frame(0x82, &vec![7; 16 << 20]);
    let mut begun: Vec<Ws> =
        repeat_with(|| Client::ws(&host.addr("main"), "/echo")).take(20).collect();
    for ws in &mut begun {
        // Whether it is closed before all of this has come or behind it.
        let _ = ws.client().try_send(&whole[..15 << 20]);
    }
    let mut bystander = Client::ws(&host.addr("main"), "/echo");
    bystander.echo("still served");
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes for a budget of 1 MB");
}

#[test]
fn unfinished_messages_wait_as_long_as_there_is_room() {
    let host = start_echo("max-memory 8MB");
    let message = vec![7; 1 << 20];
    let whole = frame(0x82, &message);
    let start = || {
        let mut ws = Client::ws(&host.addr("main"), "/echo");
        ws.raw(&whole[..900_000]);
        ws
    };
    for mut ws in repeat_with(start).take(3).collect::<Vec<_>>() {
        ws.raw(&whole[900_000..]);
        ws.expect_binary(&message);
    }
    assert!(!host.log().contains("max-memory"), "{}", host.log());
}
