//! Neither side is read faster than the other one reads, and nothing is left behind.

use std::time::Duration;

use super::{Server, echo, on_unix, pair, pair_on_unix, pair_with, ws};
use crate::support::{Client, Event, Host, Ws, echo_conf, frame};

const MESSAGES: usize = 800;
const MESSAGE_BYTES: usize = 64 << 10;
/// Between two messages that a slow client reads.
const PACE: Duration = Duration::from_millis(50);
/// What waits in the host and in the buffers of the kernel is less, and far less than is sent.
const MEMORY_BYTES_MAX: usize = 16 << 20;

/// Message `number`: no two are alike.
fn payload(number: usize) -> Vec<u8> {
    (0..MESSAGE_BYTES).map(|at| ((at / 8) * 31 + at + number) as u8).collect()
}

/// It as the server sends it, in a frame without a mask.
fn unmasked(number: usize) -> Vec<u8> {
    let len = (MESSAGE_BYTES as u64).to_be_bytes();
    [b"\x82\x7f".as_slice(), &len, &payload(number)].concat()
}

/// Message `number` comes next, perhaps behind pings, which are answered.
fn expect_between_pings(ws: &mut Ws, number: usize) {
    loop {
        match ws.next() {
            Event::Ping(payload) => ws.pong(&payload),
            Event::Close(close) => panic!("{close:?} instead of message {number}"),
            event => return assert!(event == Event::Binary(payload(number)), "message {number}"),
        }
    }
}

fn check_memory(host: &Host, before: usize) {
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES_MAX, "the host has grown by {grown} bytes");
}

#[test]
fn a_slow_client_slows_its_server() {
    let (host, mut ws, mut server) = pair();
    let before = host.resident_bytes();
    let bytes: Vec<u8> = (0..MESSAGES).flat_map(unmasked).collect();
    let sent = server.send_until_stalled(&bytes);
    assert!(sent < bytes.len() / 2, "the host has taken {sent} bytes that nobody reads");
    check_memory(&host, before);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.raw(&bytes[sent..]);
            server.close(Some((1000, "all of it")));
        });
        for number in 0..MESSAGES {
            assert!(ws.next() == Event::Binary(payload(number)), "message {number}");
        }
        assert_eq!(ws.expect_close(1000), "all of it");
    });
    check_memory(&host, before);
}

#[test]
fn a_slow_client_that_has_closed_gets_what_its_server_says_behind_that() {
    let (_host, mut ws, mut server) = pair_with("", "<limits>\nclose-timeout 60s\n</limits>");
    ws.close(1000, "all of it");
    server.expect_close(1000);
    let bytes: Vec<u8> = (0..MESSAGES).flat_map(unmasked).collect();
    let sent = server.send_until_stalled(&bytes);
    assert!(sent < bytes.len() / 2, "the host has taken {sent} bytes that nobody reads");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.raw(&bytes[sent..]);
            server.close(Some((1000, "")));
        });
        for number in 0..MESSAGES {
            assert!(ws.next() == Event::Binary(payload(number)), "message {number}");
        }
        ws.expect_close(1000);
    });
}

#[test]
fn a_slow_server_slows_its_client() {
    let (host, mut ws, mut server) = pair();
    let before = host.resident_bytes();
    let bytes: Vec<u8> = (0..MESSAGES).flat_map(|number| frame(0x82, &payload(number))).collect();
    let sent = ws.client().send_until_stalled(&bytes);
    assert!(sent < bytes.len() / 2, "the host has taken {sent} bytes that nobody reads");
    check_memory(&host, before);
    let mut sender = ws.client().sender();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            sender.send_raw(&bytes[sent..]);
            sender.send_raw(&frame(0x88, b"\x03\xe8all of it"));
        });
        for number in 0..MESSAGES {
            assert!(server.next() == Event::Binary(payload(number)), "message {number}");
        }
        assert_eq!(server.expect_close(1000), "all of it");
        server.close(Some((1000, "")));
        ws.expect_close(1000);
    });
    check_memory(&host, before);
}

#[test]
fn both_ways_at_once_nobody_waits_for_ever() {
    let (_behind, host) = echo("");
    let mut ws = ws(&host);
    let mut sender = ws.client().sender();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..MESSAGES {
                sender.send_raw(&frame(0x82, &payload(number)));
            }
        });
        for number in 0..MESSAGES {
            assert!(ws.next() == Event::Binary(payload(number)), "message {number}");
        }
    });
}

#[test]
fn pings_that_nobody_takes_take_no_memory() {
    let (host, mut ws, _server) = pair();
    let before = host.resident_bytes();
    let pings = frame(0x89, &[7; 125]).repeat(200_000);
    ws.client().send_until_stalled(&pings);
    check_memory(&host, before);

    let (host, _ws, mut server) = pair();
    let before = host.resident_bytes();
    let ping = [b"\x89\x7d".as_slice(), &[7; 125]].concat();
    server.send_until_stalled(&ping.repeat(200_000));
    check_memory(&host, before);
}

#[test]
fn a_server_that_reads_nothing_is_given_up() {
    let (host, mut ws, _server) = pair_with("", "<limits>\nslow-timeout 1s\n</limits>");
    let bytes = frame(0x82, &payload(0)).repeat(MESSAGES);
    ws.client().send_until_stalled(&bytes);
    assert_eq!(ws.expect_close(1014), "the server behind reads nothing");
    assert!(host.log().contains("behind it: it reads nothing"), "{}", host.log());
}

#[test]
fn a_server_that_waits_for_its_client_is_not_blamed_for_it() {
    let limits = "slow-timeout 3s\nclose-timeout 1m";
    let (host, mut ws, mut server) = pair_on_unix(&format!("<limits>\n{limits}\n</limits>"));
    let bytes: Vec<u8> = (0..MESSAGES).flat_map(unmasked).collect();
    std::thread::scope(|scope| {
        // Like one with a single thread it reads nothing before all has left.
        let server = scope.spawn(move || {
            server.raw(&bytes);
            loop {
                match server.next() {
                    Event::Binary(_) | Event::Pong(_) => {}
                    event => return event,
                }
            }
        });
        let mut heard = ws.next();
        ws.client().send_until_stalled(&frame(0x82, &payload(0)).repeat(MESSAGES));
        // The client's time begins anew; that of a server that takes nothing would not. On a machine
        // that is held up the first may be over already.
        let mut left = 20;
        while let (Event::Binary(_), 1..) = (&heard, left) {
            (heard, left) = (ws.next(), left - 1);
        }
        host.wait_for_log("the client reads too slowly");
        while let Event::Binary(_) = heard {
            heard = ws.next();
        }
        assert!(matches!(heard, Event::Close(Some((1013, _)))), "{heard:?}");
        let end = server.join().unwrap();
        assert!(matches!(&end, Event::Close(Some((1001, _)))), "{end:?} instead of a Close 1001");
    });
    assert!(!host.log().contains("the server"), "{}", host.log());
}

#[test]
fn a_ping_behind_what_is_read_slowly_is_waited_for() {
    let limits = "ping-interval 0.5s\nping-timeout 2s\nsoft-backlog 16MB\nmax-backlog 32MB";
    let (_host, mut ws, mut server) = pair_on_unix(&format!("<limits>\n{limits}\n</limits>"));
    server.raw(&(0..160).flat_map(unmasked).collect::<Vec<u8>>());
    read_slowly(&mut ws, 160);
    ws.text("still here");
    server.expect(&Event::Text("still here".to_owned()));
}

#[test]
fn a_ping_of_a_host_behind_is_waited_for_as_well() {
    let behind = "<limits>\nping-interval 0.5s\nping-timeout 2s\n</limits>";
    let behind = Host::start(&echo_conf(behind));
    let limits = "<limits>\nping-interval 0\nsoft-backlog 16MB\nmax-backlog 32MB\n</limits>";
    let host = on_unix(&format!("ws://{}/echo", behind.addr("main")), limits);
    let mut ws = ws(&host);
    (0..160).for_each(|number| ws.binary(&payload(number)));
    read_slowly(&mut ws, 160);
    ws.binary(&payload(160));
    expect_between_pings(&mut ws, 160);
}

/// Reads `count` messages, the first few so slowly that it takes far longer than an answer may.
fn read_slowly(ws: &mut Ws, count: usize) {
    let pacer = Host::start(&echo_conf("<limits>\nping-interval 0.5s\n</limits>"));
    let mut pacer = Client::ws(&pacer.addr("main"), "/echo");
    for number in 0..count {
        if number % 6 == 0 && number < 60 {
            pacer.expect(&Event::Ping(Vec::new()));
            pacer.pong(b"");
        }
        expect_between_pings(ws, number);
    }
}

#[test]
fn a_server_hears_of_a_client_that_reads_slowly() {
    // Its ping waits behind the messages.
    let limits = "<limits>\nsoft-backlog 16MB\nmax-backlog 32MB\n</limits>";
    let (_host, mut ws, mut server) = pair_on_unix(limits);
    server.raw(&(0..160).flat_map(unmasked).collect::<Vec<u8>>());
    server.ping(b"there?");
    let heard = read_until_pong(&mut ws, &mut server, b"there?", 160);
    (heard..160).for_each(|number| expect_between_pings(&mut ws, number));
    ws.expect(&Event::Ping(b"there?".to_vec()));

    // It may have sent one, but is not read, for seconds: until half of that has left.
    let (_host, mut ws, mut server) = pair_on_unix(limits);
    let bytes: Vec<u8> = (0..MESSAGES).flat_map(unmasked).collect();
    let sent = server.send_until_stalled(&bytes);
    assert!(sent < bytes.len(), "the host has taken it all");
    read_until_pong(&mut ws, &mut server, b"", sent / unmasked(0).len());
}

/// The client reads one message after the other, slowly, until the server gets a pong, which must be
/// before message `end`. Returns how many it has read.
fn read_until_pong(ws: &mut Ws, server: &mut Server, payload: &[u8], end: usize) -> usize {
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        scope.spawn(move || {
            server.expect(&Event::Pong(payload.to_vec()));
            tell.send(()).unwrap();
        });
        let mut heard = 0;
        while told.recv_timeout(PACE).is_err() {
            assert!(heard < end, "the server has heard nothing");
            expect_between_pings(ws, heard);
            heard += 1;
        }
        heard
    })
}

#[test]
fn a_client_that_reads_a_little_and_then_nothing_is_closed() {
    // The server waits from the mark down to half of it: the client stops between the two.
    let limits = "soft-backlog 16MB\nmax-backlog 64MB\nslow-timeout 5s\nping-interval 0";
    let (host, mut ws, mut server) = pair_on_unix(&format!("<limits>\n{limits}\n</limits>"));
    let bytes: Vec<u8> = (0..MESSAGES).flat_map(unmasked).collect();
    let sent = server.send_until_stalled(&bytes);
    assert!(sent < bytes.len(), "the host has taken it all");
    for number in 0..(4 << 20) / MESSAGE_BYTES {
        assert!(ws.next() == Event::Binary(payload(number)), "message {number}");
    }
    host.wait_for_log("the client reads too slowly");
}

#[test]
fn a_client_that_reads_nothing_is_closed_and_the_server_told() {
    // What the kernel leaves of a message of 1 MB is more than the mark.
    let limits = "<limits>\nslow-timeout 1s\nsoft-backlog 1KB\n</limits>";
    let (host, _ws, mut server) = pair_with("", limits);
    let message = [b"\x82\x7f".as_slice(), &(1_u64 << 20).to_be_bytes(), &vec![1; 1 << 20]];
    server.send_until_stalled(&message.concat().repeat(20));
    host.wait_for_log("the client reads too slowly");
    server.expect_close(1001);
}

#[test]
fn five_hundred_connections_come_and_go_without_a_trace() {
    let (behind, host) = echo("");
    ws(&host).echo("warm");
    let before = (host.settled_files(usize::MAX), behind.settled_files(usize::MAX));
    for round in 0..5 {
        let mut all: Vec<_> = (0..100).map(|_| ws(&host)).collect();
        for (number, ws) in all.iter_mut().enumerate() {
            ws.echo(&format!("{round} {number}"));
        }
        for (number, mut ws) in all.into_iter().enumerate() {
            match number % 3 {
                0 => drop(ws),
                1 => ws.close(1000, "and away"),
                _ => {
                    ws.close(1000, "");
                    ws.expect_close(1000);
                    ws.expect_eof();
                }
            }
        }
    }
    assert!(host.settled_files(before.0) <= before.0);
    assert!(behind.settled_files(before.1) <= before.1);
}
