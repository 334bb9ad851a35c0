//! What Autobahn's test suite asks of a decoder, class by class, with its numbers.
//! Its cases about timing, echoes and closing handshakes are the host's.

use switchboard_websocket::OpCode::{Binary, Close, Continuation, Ping, Pong, Text};
use switchboard_websocket::ProtocolError::{self, *};
use switchboard_websocket::{OpCode, Role};

use crate::support::{LIMITS, RSV1};
use crate::support::{Outcome, Seen, check, decode, frame, frames, text};

/// A server is sent these frames, cut in every way.
#[track_caller]
fn case(list: &[(char, OpCode, &[u8])], seen: &[Seen], error: Option<ProtocolError>) {
    check(Role::Server, &frames(list), seen, error);
}

/// For what is too long to be cut at every byte.
fn at_once(stream: &[u8]) -> Outcome {
    let whole = decode(Role::Server, &LIMITS, [stream]);
    for size in [997, 1460, 4096] {
        assert_eq!(decode(Role::Server, &LIMITS, stream.chunks(size)), whole, "in {size}s");
    }
    whole
}

#[test]
fn class_1_messages_of_every_length() {
    for len in [0, 125, 126, 127, 128, 65_535, 65_536] {
        let payload = vec![b'*'; len];
        let stream = frames(&[('+', Text, &payload), ('+', Binary, &payload)]);
        let seen = vec![text(&"*".repeat(len)), Seen::Binary(payload)];
        assert_eq!(at_once(&stream), (seen, None), "{len}");
    }
}

#[test]
fn class_2_pings_and_pongs() {
    for payload in [b"".as_slice(), b"Hello", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", &[0xfe; 125]] {
        case(&[('+', Ping, payload)], &[Seen::Ping(payload.to_vec())], None);
        case(&[('+', Pong, payload)], &[Seen::Pong(payload.to_vec())], None);
    }
    case(&[('+', Ping, &[0xfe; 126])], &[], Some(ControlTooLong));
    let pings: Vec<Vec<u8>> = (0..10).map(|i| format!("payload-{i}").into_bytes()).collect();
    let list: Vec<_> = pings.iter().map(|ping| ('+', Ping, ping.as_slice())).collect();
    case(&list, &pings.iter().cloned().map(Seen::Ping).collect::<Vec<_>>(), None);
}

#[test]
fn class_3_reserved_bits() {
    for bits in (0x10..=0x70).step_by(0x10) {
        for opcode in [Text, Binary, Ping, Pong, Close] {
            let mut bad = frame(Role::Server, true, opcode, b"Hello");
            bad[0] |= bits;
            let stream = [frame(Role::Server, true, Text, b"first"), bad].concat();
            check(Role::Server, &stream, &[text("first")], Some(ReservedBits));
        }
    }
    assert_eq!(RSV1, 0x40);
}

#[test]
fn class_4_reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let mut bad = frame(Role::Server, true, Text, b"reserved opcode payload");
        bad[0] = 0x80 | opcode;
        let stream = [frame(Role::Server, true, Text, b"first"), bad].concat();
        check(Role::Server, &stream, &[text("first")], Some(ReservedOpcode(opcode)));
    }
}

#[test]
fn class_5_fragments() {
    let (one, two) = (b"fragment1".as_slice(), b"fragment2".as_slice());
    let whole = text("fragment1fragment2");
    let ping = Seen::Ping(b"ping".to_vec());
    // 5.1, 5.2
    case(&[('-', Ping, one), ('+', Continuation, two)], &[], Some(ControlFragmented));
    case(&[('-', Pong, one), ('+', Continuation, two)], &[], Some(ControlFragmented));
    // 5.3 to 5.5
    case(&[('-', Text, one), ('+', Continuation, two)], std::slice::from_ref(&whole), None);
    // 5.6 to 5.8
    case(
        &[('-', Text, one), ('+', Ping, b"ping"), ('+', Continuation, two)],
        &[ping.clone(), whole.clone()],
        None,
    );
    // 5.9 to 5.14
    for fin in ['-', '+'] {
        let stray = ('+', Text, b"Hello".as_slice());
        case(&[(fin, Continuation, one), stray], &[], Some(ContinuationWithoutStart));
    }
    // 5.15 to 5.17
    case(
        &[('-', Text, one), ('+', Continuation, two), ('-', Continuation, b"3"), ('+', Text, b"4")],
        std::slice::from_ref(&whole),
        Some(ContinuationWithoutStart),
    );
    // 5.18
    case(&[('-', Text, one), ('+', Text, two)], &[], Some(MessageInsideMessage));
    // 5.19, 5.20
    case(
        &[
            ('-', Text, one),
            ('-', Continuation, two),
            ('+', Ping, b"ping"),
            ('-', Continuation, b"3"),
            ('-', Continuation, b"4"),
            ('+', Ping, b"ping"),
            ('+', Continuation, b"5"),
        ],
        &[ping.clone(), ping, text("fragment1fragment2345")],
        None,
    );
}

#[test]
fn class_6_1_to_6_3_texts_in_fragments() {
    case(&[('+', Text, b"")], &[text("")], None);
    case(
        &[('-', Text, b""), ('-', Continuation, b""), ('+', Continuation, b"")],
        &[text("")],
        None,
    );
    case(
        &[('-', Text, b""), ('-', Continuation, b"middle"), ('+', Continuation, b"")],
        &[text("middle")],
        None,
    );
    let valid = "Hello-µ@ßöäüàá-UTF-8!!";
    case(&[('+', Text, valid.as_bytes())], &[text(valid)], None);
    for cut in 0..=valid.len() {
        let (one, two) = valid.as_bytes().split_at(cut);
        case(&[('-', Text, one), ('+', Continuation, two)], &[text(valid)], None);
    }
    let octets: Vec<_> = valid.as_bytes().chunks(1).map(|o| ('-', Continuation, o)).collect();
    let list = [&[('-', Text, b"".as_slice())], &octets[..], &[('+', Continuation, b"")]].concat();
    case(&list, &[text(valid)], None);
    let invalid = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited";
    case(&[('+', Text, invalid)], &[], Some(TextNotUtf8));
    for cut in 0..=invalid.len() {
        let (one, two) = invalid.split_at(cut);
        case(&[('-', Text, one), ('+', Continuation, two)], &[], Some(TextNotUtf8));
    }
}

#[test]
fn class_6_4_a_wrong_byte_is_refused_at_once() {
    let (valid, wrong, rest) =
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", b"\xf4\x90\x80\x80", b"edited");
    let refused = (vec![], Some(TextNotUtf8));
    let waits = (vec![], None);
    // 6.4.1: the second fragment is wrong, and the third never needed.
    let list = [('-', Text, valid.as_slice()), ('-', Continuation, wrong)];
    assert_eq!(at_once(&frames(&list[..1])), waits);
    assert_eq!(at_once(&frames(&list)), refused);
    // 6.4.2: it is the second byte of it that is wrong.
    let first = [valid.as_slice(), &wrong[..1]].concat();
    let list = [('-', Text, first.as_slice()), ('-', Continuation, &wrong[1..2])];
    assert_eq!(at_once(&frames(&list[..1])), waits);
    assert_eq!(at_once(&frames(&list)), refused);
    // 6.4.3, 6.4.4: the same inside one frame.
    let whole = frame(Role::Server, true, Text, &[valid.as_slice(), wrong, rest].concat());
    for len in 0..whole.len() {
        let expected = if len < 6 + valid.len() + 2 { &waits } else { &refused };
        assert_eq!(decode(Role::Server, &LIMITS, [&whole[..len]]), *expected, "{len}");
        assert_eq!(decode(Role::Server, &LIMITS, whole[..len].chunks(1)), *expected, "{len}");
    }
}

#[test]
fn class_6_5_to_6_23_what_is_utf8_and_what_is_not() {
    let valid = [
        "hello$world",
        "hello¢world",
        "hello€world",
        "hello\u{24b62}world",
        "κόσμε",
        "\0",
        "\u{80}",
        "\u{800}",
        "\u{10000}",
        "\u{7f}",
        "\u{7ff}",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{1fffe}",
        "\u{1ffff}",
        "\u{10fffe}",
        "\u{feff}",
        "\u{fdd0}",
    ];
    for valid in valid {
        case(&[('+', Text, valid.as_bytes())], &[text(valid)], None);
    }
    // 6.6: κόσμε byte by byte is right only at the ends of its letters.
    let word = "κόσμε";
    for len in 1..word.len() {
        let part = &word.as_bytes()[..len];
        match std::str::from_utf8(part) {
            Ok(right) => case(&[('+', Text, part)], &[text(right)], None),
            Err(_) => case(&[('+', Text, part)], &[], Some(TextNotUtf8)),
        }
    }
    #[rustfmt::skip]
    let invalid: [&[u8]; 44] = [
        // 6.8, 6.11: longer than there are characters.
        b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xf7\xbf\xbf\xbf",
        b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf", b"\xf4\x90\x80\x80",
        // 6.12: continuations alone.
        b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf\x80\xbf", b"\x80\xbf\x80\xbf\x80\xbf",
        // 6.13: beginnings alone.
        b"\xc0 \xc1 \xc2 ", b"\xdf ", b"\xe0 \xe1 ", b"\xef ", b"\xf0 \xf1 ", b"\xf7 ", b"\xf8 ", b"\xfd ",
        // 6.14: the last byte is missing.
        b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf",
        // 6.15: all of these, one after another.
        b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf",
        // 6.16: bytes that there are not.
        b"\xfe", b"\xff", b"\xfe\xfe\xff\xff",
        // 6.17 to 6.19: longer than needed.
        b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf",
        b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80",
        // 6.20, 6.21: surrogates, alone and in pairs.
        b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf",
    ];
    for invalid in invalid {
        case(&[('+', Text, invalid)], &[], Some(TextNotUtf8));
        case(&[('+', Binary, invalid)], &[Seen::Binary(invalid.to_vec())], None);
    }
}

#[test]
fn class_7_1_nothing_counts_after_close() {
    let bye = Seen::Close(Some((1000, String::new())));
    let close = ('+', Close, b"\x03\xe8".as_slice());
    for late in [close, ('+', Ping, b"late"), ('+', Text, b"late"), ('-', Continuation, b"?")] {
        case(&[close, late], std::slice::from_ref(&bye), None);
    }
    // 7.1.5: a message that is not finished is forgotten.
    case(&[('-', Text, b"1"), close, ('+', Continuation, b"2")], &[bye], None);
}

#[test]
fn class_7_3_and_7_5_what_a_close_carries() {
    let of = |payload: &[u8]| case(&[('+', Close, payload)], &[closed(payload)], None);
    of(b"");
    of(b"\x03\xe8");
    of(b"\x03\xe8Hello World!");
    of(&[b"\x03\xe8".as_slice(), &[b'*'; 123]].concat());
    case(&[('+', Close, b"a")], &[], Some(CloseCodeCutShort));
    let long = [b"\x03\xe8".as_slice(), &[b'*'; 124]].concat();
    case(&[('+', Close, &long)], &[], Some(ControlTooLong));
    let reason = b"\x03\xe8\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited";
    case(&[('+', Close, reason)], &[], Some(CloseReasonNotUtf8));
}

#[test]
fn class_7_7_to_7_13_close_codes() {
    let right = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    let wrong = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    for code in right.map(u16::to_be_bytes) {
        case(&[('+', Close, &code)], &[closed(&code)], None);
        let with_reason = [&code[..], b"reason"].concat();
        case(&[('+', Close, &with_reason)], &[closed(&with_reason)], None);
    }
    for code in wrong {
        let payload = u16::to_be_bytes(code);
        case(&[('+', Close, &payload)], &[], Some(CloseCodeInvalid(code)));
        let with_reason = [&payload[..], b"reason"].concat();
        case(&[('+', Close, &with_reason)], &[], Some(CloseCodeInvalid(code)));
    }
}

fn closed(payload: &[u8]) -> Seen {
    Seen::Close(payload.split_first_chunk().map(|(code, reason)| {
        (u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned())
    }))
}

#[test]
fn class_9_and_10_large_messages_in_fragments() {
    for fragment in [64, 256, 1300, 4096, 65_536] {
        let payload = vec![b'*'; 65_536];
        let mut stream = frame(Role::Server, false, Binary, b"");
        for part in payload.chunks(fragment) {
            stream.extend(frame(Role::Server, false, Continuation, part));
        }
        stream.extend(frame(Role::Server, true, Continuation, b""));
        assert_eq!(at_once(&stream), (vec![Seen::Binary(payload)], None), "{fragment}");
    }
}
