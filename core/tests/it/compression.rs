//! permessage-deflate (RFC 7692): what is agreed on, what ends a connection, what a bomb costs, and that
//! whoever compresses, or does not, hears the same.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchboard_websocket::handshake::deflate::{Offer, WindowBits};

use crate::fixtures::{conf, install_probe};
use crate::support::room::SLOW;
use crate::support::{self, Client, EXTENSIONS, Event, Home, Host, Ws, frame};

/// FIN, RSV1 and the opcode of a text: a compressed message, RFC 7692, section 6.
const TEXT: u8 = 0xc1;
const BINARY: u8 = 0xc2;
const RSV1: u8 = 0x40;
const FIN: u8 = 0x80;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;

const MIB: usize = 1 << 20;
/// Those that compress.
const PATHS: [&str; 2] = ["/shared", "/dedicated"];

/// A host that echoes at `/off`, `/shared` and `/dedicated`.
fn start(more: &str) -> (Host, String) {
    let section = |mode| {
        format!(
            "<websocket /{mode}>\ncompression {mode}\ncompression-threshold 0\n<plugin echo/>\n</websocket>\n"
        )
    };
    let sections: String = ["off", "shared", "dedicated"].map(section).concat();
    let host = Host::start(&support::conf(&format!("{more}\n{sections}")));
    let addr = host.addr("main");
    (host, addr)
}

fn deflating(addr: &str, path: &str) -> Ws {
    Client::deflating(addr, path, &Offer::default())
}

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("the RFC knows it")
}

// ---- the handshake

/// What the host answers to these headers.
fn check_answer(addr: &str, path: &str, offers: &[&str], status: u16, answer: Option<&str>) {
    let headers: Vec<_> = offers.iter().map(|offer| (EXTENSIONS, *offer)).collect();
    let response = Client::connect(addr).upgrade(path, &headers);
    assert_eq!(response.status, status, "{path}: {offers:?}");
    assert_eq!(response.header("sec-websocket-extensions"), answer, "{path}: {offers:?}");
}

#[test]
fn the_first_offer_that_can_be_taken_is() {
    let (_host, addr) = start("");
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    #[rustfmt::skip]
    let table: [(&[&str], _, Option<&str>); 8] = [
        (&["permessage-deflate"],                                       "/off",       None),
        (&["permessage-deflate"],                                       "/shared",    Some(both)),
        (&["permessage-deflate"],                                       "/dedicated", Some("permessage-deflate")),
        (&["permessage-deflate; client_max_window_bits"],               "/dedicated",
         Some("permessage-deflate; client_max_window_bits=12")),
        (&["permessage-deflate; unknown, permessage-deflate; server_max_window_bits=9, permessage-deflate"],
         "/dedicated", Some("permessage-deflate; server_max_window_bits=9")),
        (&["x-other; a=1; b=\"2\", permessage-deflate; server_max_window_bits=16", "permessage-deflate"],
         "/dedicated", Some("permessage-deflate")),
        (&["permessage-bzip2, x-webkit-deflate-frame", "foo"],          "/shared",    None),
        (&["permessage-deflate; server_max_window_bits"],               "/shared",    None),
    ];
    for (offers, path, answer) in table {
        check_answer(&addr, path, offers, 101, answer);
    }
}

#[test]
fn what_is_no_list_of_extensions_is_refused_with_400() {
    let (_host, addr) = start("");
    let good = "permessage-deflate";
    for bad in ["a b", "a;", "a; =1", "a; b=", "a; b=\"", "a; b=\"c d\"", "permessage-deflate; ;"] {
        for path in ["/off", "/shared", "/dedicated"] {
            check_answer(&addr, path, &[bad], 400, None);
            check_answer(&addr, path, &[good, bad], 400, None);
        }
    }
}

// ---- what ends a connection

/// Where both have agreed on compression, these bytes end the connection with `code`, and no other.
fn check_refused(addr: &str, bytes: &[u8], code: u16) {
    for path in PATHS {
        let mut bystander = deflating(addr, path);
        let mut ws = deflating(addr, path);
        ws.echo("before");
        ws.raw(bytes);
        ws.expect_close(code);
        ws.expect_eof();
        bystander.echo("still served");
        deflating(addr, path).echo("served as well");
    }
}

/// A deflate block of bytes as they are, without the end that a sender leaves out: RFC 1951, section
/// 3.2.4, and RFC 7692, section 7.2.3.3.
fn stored(payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).expect("a block is short");
    [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes(), payload, &[0]].concat()
}

#[test]
fn a_stored_block_is_a_message() {
    let (_host, addr) = start("");
    for path in PATHS {
        let mut ws = deflating(&addr, path);
        ws.raw(&frame(TEXT, &stored("Grüße".as_bytes())));
        ws.expect_text("Grüße");
        ws.raw(&frame(TEXT, &stored(b"")));
        ws.expect_text("");
        // One that says that it is compressed need not be one that refers to nothing.
        ws.raw(
            &[frame(TEXT & !FIN, b""), frame(GOES_ON, b""), frame(ENDS, &stored(b"x"))].concat(),
        );
        ws.expect_text("x");
    }
}

#[test]
fn a_compressed_message_without_agreement_is_refused() {
    let (_host, addr) = start("");
    for path in ["/off", "/shared", "/dedicated"] {
        let mut ws = Client::ws(&addr, path);
        ws.echo("before");
        ws.raw(&frame(TEXT, &stored(b"hello")));
        ws.expect_close(1002);
        ws.expect_eof();
    }
}

#[test]
fn only_the_first_frame_of_a_message_says_that_it_is_compressed() {
    let (_host, addr) = start("");
    for control in [0x88, 0x89, 0x8a] {
        check_refused(&addr, &frame(control | RSV1, b""), 1002);
    }
    let begun = frame(TEXT & !FIN, &stored(b"hello"));
    check_refused(&addr, &[&begun[..], &frame(ENDS | RSV1, b"")].concat(), 1002);
    let begun = frame(TEXT & !FIN & !RSV1, b"hello");
    check_refused(&addr, &[&begun[..], &frame(GOES_ON | RSV1, b"")].concat(), 1002);
    for other in [0x20, 0x10] {
        check_refused(&addr, &frame(TEXT | other, &stored(b"hello")), 1002);
    }
}

#[test]
fn what_cannot_be_inflated_is_refused_with_1007() {
    let (_host, addr) = start("");
    #[rustfmt::skip]
    let broken: [&[u8]; 5] = [
        b"\x07",                           // a block of the type that there is not
        &[0xff; 100],                      // the same
        b"\x00\x05\x00\x00\x00hello\x00",  // a length that does not agree with its complement
        b"\x00\x05\x00\xfa\xffhel",        // a block that is cut
        b"\x02\xde\xff\x0f\x00",           // as 32768 bytes ago, where nothing was
    ];
    for payload in broken {
        check_refused(&addr, &frame(BINARY, payload), 1007);
        // The same in the smallest fragments.
        let first = frame(BINARY & !FIN, b"");
        let rest: Vec<u8> = payload.iter().flat_map(|byte| frame(GOES_ON, &[*byte])).collect();
        check_refused(&addr, &[first, rest, frame(ENDS, b"")].concat(), 1007);
    }
}

#[test]
fn a_text_that_inflates_to_something_else_is_refused_with_1007() {
    let (_host, addr) = start("");
    for bad in [&b"bad \xff"[..], b"\xed\xa0\x80", b"cut \xe2\x82"] {
        check_refused(&addr, &frame(TEXT, &stored(bad)), 1007);
        let (first, rest) = bad.split_at(bad.len() - 1);
        let (first, rest) = (stored(first), stored(rest));
        check_refused(&addr, &[frame(TEXT & !FIN, &first), frame(ENDS, &rest)].concat(), 1007);
    }
}

// ---- bombs

/// A deflate stream of a few hundred thousand bytes that inflates to `len` zeros, or some less: a
/// zero, and "258 bytes as one byte ago" again and again, in the fixed codes (RFC 1951, section
/// 3.2.6), of which 8 make 13 bytes.
fn zeros(len: usize) -> Vec<u8> {
    let (mut bytes, mut bit) = (vec![0], 0);
    let mut push = |code: &str| {
        for one in code.bytes() {
            if bit == 8 {
                bytes.push(0);
                bit = 0;
            }
            *bytes.last_mut().expect("there is one") |= u8::from(one == b'1') << bit;
            bit += 1;
        }
    };
    push("010"); // not the last block; fixed codes, the lower bit first
    push("00110000");
    for _ in 0..len / 258 {
        push("1100010100000");
    }
    push("0000000"); // the block's end
    push("000"); // an empty one begins
    bytes
}

#[test]
fn zeros_that_fit_come_back() {
    let (_host, addr) = start("<limits>\nmax-message-size 1MB\n</limits>");
    for path in PATHS {
        let mut ws = deflating(&addr, path);
        ws.raw(&frame(BINARY, &zeros(MIB)));
        ws.expect_binary(&vec![0; 1 + MIB / 258 * 258]);
    }
}

#[test]
fn a_bomb_is_refused_with_1009_and_costs_no_more_than_the_limit() {
    let (host, addr) = start("worker-threads 1\n<limits>\nmax-message-size 1MB\n</limits>");
    let bomb = zeros(170 * MIB);
    assert!(bomb.len() < 11 * MIB / 10, "{} bytes are too many for themselves", bomb.len());
    for path in PATHS {
        // What a message of this length costs anyway, in and out.
        let mut ws = deflating(&addr, path);
        ws.binary(&vec![7; MIB]);
        ws.expect_binary(&vec![7; MIB]);
    }
    let before = host.peak_bytes();
    for path in PATHS {
        for fragments in [1, 2, 1000] {
            let mut ws = deflating(&addr, path);
            ws.echo("before");
            let chunk = bomb.len().div_ceil(fragments);
            let mut first = BINARY & !FIN;
            for part in bomb.chunks(chunk) {
                // It may be closed long before the last.
                if ws.client().try_send(&frame(first, part)).is_err() {
                    break;
                }
                first = GOES_ON;
            }
            ws.expect_close(1009);
        }
    }
    let grown = host.peak_bytes() - before;
    assert!(grown < 3 * MIB / 2, "{grown} bytes for messages of at most 1 MB");
    deflating(&addr, "/shared").echo("still served");
}

// ---- topics

/// Sections with the probe for each mode, whose clients meet in topics.
fn probes(more: &str) -> Host {
    let home = Home::new();
    install_probe(&home, "probe");
    let section = |mode| {
        format!(
            "<websocket /{mode}>\ncompression {mode}\ncompression-window 32KB\n<plugin probe/>\n</websocket>\n"
        )
    };
    let sections: String = ["off", "shared", "dedicated"].map(section).concat();
    Host::start_in(home, &conf(&format!("{more}\n{sections}")))
}

fn text(ws: &mut Ws) -> String {
    match ws.next() {
        Event::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn subscribed(mut ws: Ws) -> Ws {
    ws.text("subscribe news");
    assert!(text(&mut ws).starts_with("subscribed "));
    ws
}

/// Hexadecimal digits that are never alike.
fn noise(len: usize, seed: u64) -> String {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let digit = |_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        char::from(b"0123456789abcdef"[(random >> 60) as usize])
    };
    (0..len).map(digit).collect()
}

#[test]
fn all_subscribers_hear_the_same_however_they_compress() {
    const ROUNDS: usize = 100;
    // None of them is too slow, however busy the machine is.
    let host = probes("worker-threads 3\n<limits>\nmax-backlog 64MB\n</limits>");
    let addr = host.addr("main");
    let alone = Offer { server_no_context_takeover: true, ..Offer::default() };
    let narrow = |bits, offer| Offer { server_max_window_bits: Some(bits), ..offer };
    let offers = [
        Offer::default(),
        narrow(bits(8), Offer::default()),
        narrow(bits(9), Offer::default()),
        narrow(bits(12), Offer::default()),
        alone,
        narrow(bits(8), alone),
        narrow(bits(10), alone),
    ];
    let mut subscribers = vec![
        subscribed(Client::ws(&addr, "/off")),
        subscribed(Client::ws(&addr, "/shared")),
        subscribed(Client::ws(&addr, "/dedicated")),
    ];
    for offer in &offers {
        for path in PATHS {
            subscribers.push(subscribed(Client::deflating(&addr, path, offer)));
        }
    }
    // Below the threshold, above it, longer than the narrow windows, and nothing that gets shorter.
    let words =
        ["a".to_owned(), "b".repeat(100), noise(300, 1), noise(5000, 2), "d".repeat(70_000)];
    let publish = |word: &str, path| {
        let mut ws = deflating(&addr, path);
        for from in 0..ROUNDS {
            ws.text(&format!("publish news {word} {from} {}", from + 1));
            ws.echo_of_probe("done");
        }
    };
    let total = ROUNDS * words.len();
    let collect = |mut ws: Ws| -> Vec<String> { (0..total).map(|_| text(&mut ws)).collect() };
    let seen: Vec<Vec<String>> = std::thread::scope(|scope| {
        let collectors: Vec<_> =
            subscribers.into_iter().map(|ws| scope.spawn(move || collect(ws))).collect();
        for (word, path) in words.iter().zip(PATHS.into_iter().cycle()) {
            scope.spawn(move || publish(word, path));
        }
        collectors.into_iter().map(|collector| collector.join().unwrap()).collect()
    });
    for (subscriber, sequence) in seen.iter().enumerate() {
        let same = sequence.iter().zip(&seen[0]).position(|(own, first)| own != first);
        assert_eq!(same, None, "subscriber {subscriber} hears something else from there on");
    }
    for word in &words {
        let of_word = |line: &&String| line.split(' ').next() == Some(word);
        let published = seen[0].iter().filter(of_word);
        let expected = (0..ROUNDS).map(|number| format!("{word} {number}"));
        assert!(published.cloned().eq(expected), "messages are lost or out of order");
    }
}

impl Ws {
    fn echo_of_probe(&mut self, text: &str) {
        self.text(&format!("echo {text}"));
        self.expect_text(text);
    }
}

/// A listener whose sockets hold little, so that messages wait in the host.
const NARROW: &str = "<listener narrow>\naddress ./narrow.sock\n</listener>";

/// What comes to one that does not read for a while is all there, in order. It is 2.4 MB, and a
/// socket holds 208 KiB.
fn check_sleeper(path: &str, offer: Option<&Offer>) {
    const ROUNDS: usize = 400;
    let limits = "<limits>\nsoft-backlog 64MB\nmax-backlog 256MB\n</limits>";
    let host = probes(&format!("worker-threads 1\n{NARROW}\n{limits}"));
    let narrow = host.addr("narrow");
    let mut listener = subscribed(Client::ws(&host.addr("main"), "/off"));
    let mut sleeper = subscribed(match offer {
        Some(offer) => Client::deflating(&narrow, path, offer),
        None => Client::ws(&narrow, path),
    });
    let mut published = VecDeque::new();
    let mut answered = VecDeque::new();
    for round in 0..ROUNDS {
        // Each is said twice, so that there is something to refer to.
        let word = noise(3000 + round, round as u64 / 2);
        sleeper.text(&format!("echo direct {word}"));
        answered.push_back(Event::Text(format!("direct {word}")));
        sleeper.text(&format!("publish news {word} {round} {}", round + 1));
        published.push_back(Event::Text(format!("{word} {round}")));
        sleeper.ping(format!("{round}").as_bytes());
        answered.push_back(Event::Pong(format!("{round}").into_bytes()));
        sleeper.text("echo short");
        answered.push_back(Event::Text("short".to_owned()));
        // By then all of it is written or waits.
        listener.expect(&published[round]);
    }
    while !published.is_empty() || !answered.is_empty() {
        let event = sleeper.next();
        let queue = if published.front() == Some(&event) { &mut published } else { &mut answered };
        let expected = queue.pop_front().expect("nothing comes that nobody sent");
        assert!(event == expected, "{} are still to come", published.len() + answered.len());
    }
    sleeper.echo_of_probe("awake");
}

#[test]
fn what_waits_for_one_that_sleeps_is_all_there_when_it_wakes() {
    let narrow = Offer { server_max_window_bits: Some(bits(9)), ..Offer::default() };
    let alone = Offer { server_no_context_takeover: true, ..Offer::default() };
    check_sleeper("/dedicated", Some(&Offer::default()));
    check_sleeper("/dedicated", Some(&narrow));
    check_sleeper("/dedicated", Some(&alone));
    check_sleeper("/dedicated", None);
    check_sleeper("/shared", Some(&Offer::default()));
}

#[test]
fn one_that_reads_too_slowly_is_closed_with_1013_behind_whole_messages() {
    for path in PATHS {
        let limits = "<limits>\nsoft-backlog 64KB\nmax-backlog 256KB\n</limits>";
        let host = probes(&format!("worker-threads 1\n{NARROW}\n{limits}"));
        let mut listener = subscribed(deflating(&host.addr("main"), path));
        let mut sleeper = subscribed(deflating(&host.addr("narrow"), path));
        let mut said = 0;
        while !host.log().contains(SLOW) {
            assert!(said < 1000, "4 MB wait for it");
            let word = noise(4000, said);
            listener.text(&format!("publish news {word} {said} {}", said + 1));
            listener.expect_text(&format!("{word} {said}"));
            said += 1;
        }
        let mut heard = 0;
        loop {
            match sleeper.next() {
                Event::Text(text) => assert_eq!(text, format!("{} {heard}", noise(4000, heard))),
                Event::Close(Some((1013, reason))) => break assert_eq!(reason, "reads too slowly"),
                other => panic!("{other:?}"),
            }
            heard += 1;
        }
        assert!(0 < heard && heard < said, "{heard} of {said}");
        listener.echo_of_probe("still served");
    }
}

#[test]
fn others_are_answered_while_one_that_wakes_is_sent_what_waits() {
    const MESSAGES: usize = 30_000;
    let host = probes(&format!("worker-threads 1\n{NARROW}"));
    let mut bystander = subscribed(Client::ws(&host.addr("main"), "/off"));
    let mut sleeper = subscribed(deflating(&host.addr("narrow"), "/dedicated"));
    let word = noise(64, 1);
    // Few at a time: a socket holds a number of writes, however short they are.
    for from in (0..MESSAGES).step_by(10) {
        bystander.text(&format!("publish news {word} {from} {}", from + 10));
        for number in from..from + 10 {
            bystander.expect_text(&format!("{word} {number}"));
        }
    }
    let heard = AtomicUsize::new(0);
    let mut answers = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..MESSAGES {
                sleeper.expect_text(&format!("{word} {number}"));
                heard.fetch_add(1, Ordering::Relaxed);
            }
        });
        // What the socket held has been read by then, and much still waits.
        let counted = MESSAGES / 3..MESSAGES * 2 / 3;
        while heard.load(Ordering::Relaxed) < counted.end {
            bystander.echo_of_probe("still served");
            answers += usize::from(counted.contains(&heard.load(Ordering::Relaxed)));
        }
    });
    assert!(answers > 20, "{answers} answers while thousands of messages were compressed");
}
