//! Frames and messages (RFC 6455, sections 5 to 8): what is answered, and what ends a connection.

use crate::support::{Client, Event, Host, Ws, echo_conf, frame};

/// FIN and the opcode of a text, RFC 6455, section 5.2.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// The same without FIN.
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;

fn start() -> (Host, String) {
    let host = Host::start(&echo_conf(""));
    let addr = host.addr("main");
    (host, addr)
}

/// These bytes end the connection with `code`, and no other one.
fn check_refused(addr: &str, bytes: &[u8], code: u16) {
    let mut bystander = Client::ws(addr, "/echo");
    let mut ws = Client::ws(addr, "/echo");
    ws.echo("before");
    ws.raw(bytes);
    ws.expect_close(code);
    ws.expect_eof();
    bystander.echo("still served");
    Client::ws(addr, "/echo").echo("served as well");
}

#[test]
fn a_frame_without_a_mask_is_refused() {
    let (_host, addr) = start();
    check_refused(&addr, b"\x81\x05hello", 1002);
    check_refused(&addr, b"\x89\x00", 1002);
    check_refused(&addr, b"\x88\x02\x03\xe8", 1002);
}

#[test]
fn a_reserved_bit_is_refused() {
    let (_host, addr) = start();
    for bit in [0x40, 0x20, 0x10, 0x70] {
        check_refused(&addr, &frame(TEXT | bit, b"hello"), 1002);
    }
    check_refused(&addr, &frame(PING | 0x40, b""), 1002);
}

#[test]
fn a_reserved_opcode_is_refused() {
    let (_host, addr) = start();
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        check_refused(&addr, &frame(0x80 | opcode, b""), 1002);
    }
}

#[test]
fn a_control_frame_is_short_and_whole() {
    let (_host, addr) = start();
    for opcode in [CLOSE, PING, PONG] {
        check_refused(&addr, &frame(opcode, &[b'a'; 126]), 1002);
        check_refused(&addr, &frame(opcode & 0x0f, b""), 1002);
    }
    // By the declared length, before the payload comes.
    check_refused(&addr, &frame(PING, &[b'a'; 70_000])[..14], 1002);
}

#[test]
fn a_length_is_written_in_its_shortest_form() {
    let (_host, addr) = start();
    check_refused(&addr, b"\x81\xfe\x00\x05mask\0\0\0\0\0", 1002);
    check_refused(&addr, b"\x82\xff\0\0\0\0\0\0\x01\0mask", 1002);
    check_refused(&addr, b"\x82\xff\x80\0\0\0\0\0\0\0mask", 1002);
}

#[test]
fn fragments_come_in_order_and_from_one_message() {
    let (_host, addr) = start();
    check_refused(&addr, &frame(GOES_ON, b"lost"), 1002);
    check_refused(&addr, &frame(ENDS, b"lost"), 1002);
    let two = [frame(TEXT_BEGINS, b"one"), frame(TEXT, b"two")].concat();
    check_refused(&addr, &two, 1002);
    let two = [frame(BINARY_BEGINS, b"one"), frame(TEXT_BEGINS, b"two")].concat();
    check_refused(&addr, &two, 1002);
}

#[test]
fn a_text_that_is_not_utf8_is_refused() {
    let (_host, addr) = start();
    for bad in [
        &b"\xff"[..],
        b"hello \xc3",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    ] {
        check_refused(&addr, &frame(TEXT, bad), 1007);
        let middle = bad.len() / 2;
        let split = [frame(TEXT_BEGINS, &bad[..middle]), frame(ENDS, &bad[middle..])].concat();
        check_refused(&addr, &split, 1007);
    }
}

#[test]
fn a_text_that_cannot_become_utf8_is_refused_at_once() {
    let (_host, addr) = start();
    // The message is not complete, and will never be.
    check_refused(&addr, &frame(TEXT_BEGINS, b"\xce\xba\xed\xa0"), 1007);
    let split = [frame(TEXT_BEGINS, b"\xf4"), frame(GOES_ON, b"\x90")].concat();
    check_refused(&addr, &split, 1007);
    // Neither is the frame.
    check_refused(&addr, &frame(TEXT, &[b"a\xff".as_slice(), &[b'b'; 98]].concat())[..10], 1007);
}

#[test]
fn a_character_may_be_split_between_fragments_and_binary_may_be_anything() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    let text = "κόσμε 🌍";
    for at in 0..=text.len() {
        let (head, tail) = text.as_bytes().split_at(at);
        ws.raw(&[frame(TEXT_BEGINS, head), frame(ENDS, tail)].concat());
        ws.expect_text(text);
    }
    ws.binary(b"\xff\xfe\x00\xed\xa0\x80");
    ws.expect_binary(b"\xff\xfe\x00\xed\xa0\x80");
}

#[test]
fn a_message_over_the_limit_is_refused_before_it_has_come() {
    let host = Host::start(&echo_conf("<limits>\nmax-message-size 1000\n</limits>"));
    let addr = host.addr("main");
    let mut ws = Client::ws(&addr, "/echo");
    ws.binary(&[1; 1000]);
    ws.expect_binary(&[1; 1000]);
    // Only the header comes: nothing of what it declares.
    check_refused(&addr, &frame(BINARY, &[1; 1001])[..8], 1009);
    check_refused(&addr, b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask", 1009);
    let two = [frame(BINARY_BEGINS, &[1; 600]), frame(ENDS, &[1; 401])[..8].to_vec()].concat();
    check_refused(&addr, &two, 1009);
    let many = [frame(TEXT_BEGINS, b""), frame(GOES_ON, &[b'a'; 125]).repeat(9)].concat();
    check_refused(&addr, &many, 1009);
}

#[test]
fn a_frame_has_a_limit_of_its_own() {
    let host = Host::start(&echo_conf("<limits>\nmax-frame-size 500\n</limits>"));
    let addr = host.addr("main");
    check_refused(&addr, &frame(BINARY, &[1; 501])[..8], 1009);
    let mut ws = Client::ws(&addr, "/echo");
    let three = [frame(BINARY_BEGINS, &[1; 500]), frame(GOES_ON, &[1; 500]), frame(ENDS, &[])];
    ws.raw(&three.concat());
    ws.expect_binary(&[1; 1000]);
}

#[test]
fn a_close_is_answered_with_its_code() {
    let (_host, addr) = start();
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 4999] {
        let mut ws = Client::ws(&addr, "/echo");
        ws.close(code, "äh, bye");
        ws.expect_close(code);
        ws.expect_eof();
    }
    let mut ws = Client::ws(&addr, "/echo");
    ws.raw(&frame(CLOSE, b""));
    ws.expect(&Event::Close(None));
    ws.expect_eof();
    let mut ws = Client::ws(&addr, "/echo");
    ws.close(1000, &"x".repeat(123));
    ws.expect_close(1000);
}

#[test]
fn a_close_with_what_may_not_be_on_the_wire_is_refused() {
    let (_host, addr) = start();
    for code in [0_u16, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        check_refused(&addr, &frame(CLOSE, &code.to_be_bytes()), 1002);
    }
    check_refused(&addr, &frame(CLOSE, b"\x03"), 1002);
    check_refused(&addr, &frame(CLOSE, b"\x03\xe8bye \xff"), 1007);
    check_refused(&addr, &frame(CLOSE, b"\x03\xe8bye \xc3"), 1007);
}

#[test]
fn nothing_after_a_close_counts() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    let behind = [frame(TEXT, b"too late"), frame(PING, b"too late"), vec![0xff; 100]].concat();
    ws.raw(&[frame(CLOSE, &1000_u16.to_be_bytes()), behind].concat());
    ws.expect_close(1000);
    ws.expect_eof();
}

#[test]
fn a_ping_is_answered_with_its_payload_also_between_fragments() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    for payload in [&b""[..], b"hello", &[0xff; 125]] {
        ws.ping(payload);
        ws.expect(&Event::Pong(payload.to_vec()));
    }
    ws.raw(&frame(TEXT_BEGINS, b"be"));
    ws.ping(b"between");
    ws.expect(&Event::Pong(b"between".to_vec()));
    ws.pong(b"unasked");
    ws.raw(&frame(ENDS, b"gun"));
    ws.expect_text("begun");
}

#[test]
fn replies_and_pongs_keep_their_order() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    let batch = [frame(TEXT, b"one"), frame(PING, b"two"), frame(BINARY, b"three")];
    ws.raw(&[batch.concat(), frame(PING, b"four")].concat());
    ws.expect_text("one");
    ws.expect(&Event::Pong(b"two".to_vec()));
    ws.expect_binary(b"three");
    ws.expect(&Event::Pong(b"four".to_vec()));
}

#[test]
fn sixty_four_fragments_with_pings_between_are_one_message() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    for number in 0..64_u8 {
        let first = if number == 0 { BINARY_BEGINS } else { GOES_ON };
        ws.raw(&frame(first | if number == 63 { 0x80 } else { 0 }, &[number; 300]));
        ws.ping(&[number]);
    }
    for number in 0..63_u8 {
        ws.expect(&Event::Pong(vec![number]));
    }
    let whole: Vec<u8> = (0..64_u8).flat_map(|number| [number; 300]).collect();
    ws.expect_binary(&whole);
    ws.expect(&Event::Pong(vec![63]));
}

#[test]
fn empty_messages_are_messages() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    ws.text("");
    ws.expect_text("");
    ws.binary(b"");
    ws.expect_binary(b"");
    ws.raw(&[frame(TEXT_BEGINS, b""), frame(GOES_ON, b""), frame(ENDS, b"")].concat());
    ws.expect_text("");
}

#[test]
fn every_length_comes_back_whole() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    for length in [1, 125, 126, 127, 16_383, 16_384, 65_535, 65_536, 65_537, 262_144, 1 << 20] {
        let payload = noise(length, length);
        ws.binary(&payload);
        ws.expect_binary(&payload);
    }
}

#[test]
fn bytes_may_come_one_by_one() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    let bytes = [
        frame(TEXT_BEGINS, "κό".as_bytes()),
        frame(PING, b"!"),
        frame(ENDS, "σμε".as_bytes()),
        frame(BINARY, &[9; 200]),
        frame(CLOSE, b"\x03\xe8bye"),
    ];
    for byte in bytes.concat() {
        ws.raw(&[byte]);
    }
    ws.expect(&Event::Pong(b"!".to_vec()));
    ws.expect_text("κόσμε");
    ws.expect_binary(&[9; 200]);
    ws.expect_close(1000);
    ws.expect_eof();
}

#[test]
fn what_comes_before_a_bad_frame_is_answered_before_the_close() {
    let (_host, addr) = start();
    for (bad, code) in [
        (b"\x81\x05hello".to_vec(), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(BINARY, &vec![0; 2 << 20]), 1009),
    ] {
        let mut ws = Client::ws(&addr, "/echo");
        let good = [frame(TEXT, b"one"), frame(PING, b"two"), frame(TEXT, b"three")].concat();
        ws.raw(&[good, bad].concat());
        ws.expect_text("one");
        ws.expect(&Event::Pong(b"two".to_vec()));
        ws.expect_text("three");
        ws.expect_close(code);
        ws.expect_eof();
    }
}

#[test]
fn what_comes_before_a_close_is_answered_before_the_close() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    ws.raw(&[frame(TEXT, b"last words"), frame(CLOSE, b"\x0f\xa0done")].concat());
    ws.expect_text("last words");
    ws.expect_close(4000);
    ws.expect_eof();
}

#[test]
fn a_client_that_says_close_and_ends_its_side_of_the_stream_is_answered() {
    let (_host, addr) = start();
    for _ in 0..20 {
        let mut ws = Client::ws(&addr, "/echo");
        let close = frame(0x88, &[&1000_u16.to_be_bytes()[..], b"done"].concat());
        ws.raw(&[frame(0x81, b"last words"), close].concat());
        ws.client().finish();
        ws.expect_text("last words");
        ws.expect_close(1000);
        ws.expect_eof();
    }
}

#[test]
fn what_waits_in_the_hosts_queue_leaves_before_the_close() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    let payloads: Vec<_> = (0..60).map(|number| noise(64 << 10, number)).collect();
    let messages = payloads.iter().flat_map(|payload| frame(BINARY, payload));
    let bytes: Vec<u8> = messages.chain(frame(CLOSE, b"\x03\xe8")).collect();
    in_background(&mut ws, bytes, |ws| {
        for payload in &payloads {
            ws.expect_binary(payload);
        }
        ws.expect_close(1000);
        ws.expect_eof();
    });
}

#[test]
fn rubbish_behind_a_bad_frame_does_not_swallow_the_close() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    ws.raw(&[frame(TEXT, b"good"), frame(0x83, b"bad"), vec![0xaa; 100_000]].concat());
    ws.expect_text("good");
    ws.expect_close(1002);
    ws.expect_eof();
}

#[test]
fn an_abrupt_end_ends_that_connection_alone() {
    let (_host, addr) = start();
    let mut bystander = Client::ws(&addr, "/echo");
    for bytes in [&b""[..], b"\x81", &frame(TEXT, b"cut short")[..9], &frame(TEXT_BEGINS, b"a")] {
        let mut ws = Client::ws(&addr, "/echo");
        ws.raw(bytes);
        drop(ws);
        bystander.echo("still served");
        // One that only ends its own direction is answered, and its end is seen.
        let mut ws = Client::ws(&addr, "/echo");
        ws.raw(&frame(TEXT, b"last words"));
        ws.client().finish();
        ws.expect_text("last words");
        ws.expect_over();
    }
}

#[test]
fn ten_thousand_messages_in_one_write_come_back_in_order() {
    let (_host, addr) = start();
    let mut ws = Client::ws(&addr, "/echo");
    let bytes = (0..10_000).flat_map(|number| frame(TEXT, number.to_string().as_bytes()));
    in_background(&mut ws, bytes.collect(), |ws| {
        for number in 0..10_000 {
            ws.expect_text(&number.to_string());
        }
    });
}

#[test]
fn a_client_that_does_not_read_is_not_read_either_and_loses_nothing() {
    const MESSAGES: usize = 3200;
    const MESSAGE_BYTES: usize = 16 << 10;
    const GROWTH_BYTES_MAX: usize = 40 << 20;
    let (host, addr) = start();
    let mut bystander = Client::ws(&addr, "/echo");
    bystander.echo("before");
    let before = host.resident_bytes();
    let mut ws = Client::ws(&addr, "/echo");
    let bytes: Vec<u8> =
        (0..MESSAGES).flat_map(|number| frame(BINARY, &noise(MESSAGE_BYTES, number))).collect();
    let sent = ws.client().send_until_stalled(&bytes);
    assert!(sent < bytes.len(), "the host takes whatever comes");
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes of memory for a client that does not read");
    bystander.echo("still served");
    in_background(&mut ws, bytes[sent..].to_vec(), |ws| {
        for number in 0..MESSAGES {
            ws.expect_binary(&noise(MESSAGE_BYTES, number));
        }
    });
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes of memory after all has come back");
    ws.echo("and on it goes");
}

/// Sends `bytes` while `read` reads: neither waits for the other.
fn in_background(ws: &mut Ws, bytes: Vec<u8>, read: impl FnOnce(&mut Ws)) {
    let mut sender = ws.client().sender();
    let sending = std::thread::spawn(move || sender.send_raw(&bytes));
    read(ws);
    sending.join().expect("all was sent");
}

/// Bytes that differ from place to place and from message to message.
fn noise(length: usize, seed: usize) -> Vec<u8> {
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes = (0..length).map(|_| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    bytes.collect()
}
