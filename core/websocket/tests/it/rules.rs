//! The rules of RFC 6455 for what may follow what, each kept and each broken.

use switchboard_websocket::OpCode::{Binary, Close, Continuation, Ping, Pong, Text};
use switchboard_websocket::ProtocolError::{self, *};
use switchboard_websocket::{Decoder, OpCode, Role};

use crate::support::{LIMITS, Seen, check, frame, frames, text};

/// A server is sent these frames, and sees these events and no error.
#[track_caller]
fn accepted(list: &[(char, OpCode, &[u8])], seen: &[Seen]) {
    check(Role::Server, &frames(list), seen, None);
}

/// A server is sent these frames, and sees these events before this error.
#[track_caller]
fn refused(list: &[(char, OpCode, &[u8])], seen: &[Seen], error: ProtocolError) {
    check(Role::Server, &frames(list), seen, Some(error));
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // Section 5.7.
    check(Role::Client, b"\x81\x05Hello", &[text("Hello")], None);
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    check(Role::Server, masked, &[text("Hello")], None);
    check(Role::Client, b"\x01\x03Hel\x80\x02lo", &[text("Hello")], None);
    check(Role::Client, b"\x89\x05Hello", &[Seen::Ping(b"Hello".to_vec())], None);
    let pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    check(Role::Server, pong, &[Seen::Pong(b"Hello".to_vec())], None);
}

#[test]
fn messages_of_every_length_form_are_read() {
    for len in [0, 1, 125, 126, 127, 128, 300] {
        let payload = vec![b'x'; len];
        for role in [Role::Server, Role::Client] {
            let stream = [frame(role, true, Binary, &payload), frame(role, true, Text, &payload)];
            let seen = [
                Seen::Binary(payload.clone()),
                Seen::Text(String::from_utf8_lossy(&payload).into()),
            ];
            check(role, &stream.concat(), &seen, None);
        }
    }
}

#[test]
fn control_frames_may_stand_between_fragments() {
    accepted(
        &[
            ('-', Text, b"a"),
            ('+', Ping, b"1"),
            ('-', Continuation, b"b"),
            ('+', Pong, b"22"),
            ('+', Ping, b""),
            ('+', Continuation, b"c"),
            ('+', Binary, b"d"),
        ],
        &[
            Seen::Ping(b"1".to_vec()),
            Seen::Pong(b"22".to_vec()),
            Seen::Ping(vec![]),
            text("abc"),
            Seen::Binary(b"d".to_vec()),
        ],
    );
}

#[test]
fn empty_fragments_are_fragments() {
    accepted(&[('-', Text, b""), ('-', Continuation, b""), ('+', Continuation, b"")], &[text("")]);
    accepted(
        &[('-', Text, b""), ('+', Continuation, b"a"), ('+', Text, b"")],
        &[text("a"), text("")],
    );
    refused(&[('-', Binary, b""), ('+', Text, b"")], &[], MessageInsideMessage);
}

#[test]
fn a_continuation_needs_a_message() {
    refused(&[('+', Continuation, b"a")], &[], ContinuationWithoutStart);
    refused(&[('+', Text, b"a"), ('-', Continuation, b"")], &[text("a")], ContinuationWithoutStart);
    refused(
        &[('-', Text, b"a"), ('+', Continuation, b"b"), ('+', Continuation, b"c")],
        &[text("ab")],
        ContinuationWithoutStart,
    );
}

#[test]
fn a_message_inside_a_message_is_refused() {
    for opcode in [Text, Binary] {
        refused(
            &[('-', Text, b"a"), ('+', Ping, b""), ('+', opcode, b"b")],
            &[Seen::Ping(vec![])],
            MessageInsideMessage,
        );
    }
}

#[test]
fn a_fragmented_ping_is_refused() {
    for opcode in [Ping, Pong, Close] {
        refused(&[('+', Text, b"a"), ('-', opcode, b"")], &[text("a")], ControlFragmented);
    }
}

#[test]
fn a_ping_of_126_bytes_is_refused() {
    accepted(&[('+', Ping, &[7; 125])], &[Seen::Ping(vec![7; 125])]);
    refused(&[('+', Ping, &[7; 126])], &[], ControlTooLong);
}

#[test]
fn reserved_bits_and_opcodes_are_refused() {
    for bits in [0x40, 0x20, 0x10, 0x70] {
        for opcode in [Text, Binary, Ping, Pong, Close] {
            let byte = 0x80 | bits | opcode as u8;
            check(Role::Server, &[byte, 0x80, 1, 2, 3, 4], &[], Some(ReservedBits));
        }
        let continuation = [&frames(&[('-', Text, b"a")])[..], &[0x80 | bits, 0x80, 1, 2, 3, 4]];
        check(Role::Server, &continuation.concat(), &[], Some(ReservedBits));
    }
    for opcode in [0x3, 0x7, 0xb, 0xf] {
        check(Role::Server, &[0x80 | opcode], &[], Some(ReservedOpcode(opcode)));
    }
}

#[test]
fn a_server_wants_masks_and_a_client_refuses_them() {
    check(Role::Server, b"\x81\x01a", &[], Some(Unmasked));
    check(Role::Client, b"\x81\x811234P", &[], Some(Masked));
    check(Role::Server, b"\x89\x00", &[], Some(Unmasked));
    check(Role::Client, b"\x89\x801234", &[], Some(Masked));
    // A mask of zeros is a mask.
    check(Role::Server, b"\x81\x81\0\0\0\0a", &[text("a")], None);
}

#[test]
fn a_length_in_a_longer_form_is_refused() {
    check(Role::Client, b"\x81\x7e\x00\x01a", &[], Some(LengthNotMinimal));
    check(Role::Client, b"\x81\x7f\x80\0\0\0\0\0\0\0", &[], Some(LengthTopBit));
}

#[test]
fn a_close_frame_is_read() {
    accepted(&[('+', Close, b"")], &[Seen::Close(None)]);
    accepted(&[('+', Close, b"\x03\xe8")], &[Seen::Close(Some((1000, String::new())))]);
    accepted(
        &[('+', Text, b"a"), ('+', Close, b"\x0f\xa0bye \xe2\x82\xac")],
        &[text("a"), Seen::Close(Some((4000, "bye €".to_owned())))],
    );
    let longest = [b"\x03\xe8".as_slice(), &[b'x'; 123]].concat();
    accepted(&[('+', Close, &longest)], &[Seen::Close(Some((1000, "x".repeat(123))))]);
}

#[test]
fn a_bad_close_frame_is_refused() {
    refused(&[('+', Close, b"\x03")], &[], CloseCodeCutShort);
    refused(&[('-', Text, b"a"), ('+', Close, b"\x03\xe8\xff")], &[], CloseReasonNotUtf8);
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        let payload = u16::to_be_bytes(code);
        refused(&[('+', Close, &payload)], &[], CloseCodeInvalid(code));
    }
}

#[test]
fn nothing_is_parsed_after_close() {
    accepted(&[('+', Close, b""), ('+', Text, b"late"), ('-', Ping, b"")], &[Seen::Close(None)]);
    accepted(
        &[('-', Text, b"begun"), ('+', Close, b""), ('+', Text, b"late")],
        &[Seen::Close(None)],
    );
}

#[test]
fn a_text_may_be_cut_through_its_characters() {
    let (hello, snow) = ("Grüße".as_bytes(), "☃".as_bytes());
    accepted(&[('+', Text, hello)], &[text("Grüße")]);
    accepted(
        &[
            ('-', Text, &hello[..3]),
            ('+', Ping, &snow[..1]),
            ('-', Continuation, &hello[3..]),
            ('-', Continuation, &snow[..1]),
            ('-', Continuation, b""),
            ('-', Continuation, &snow[1..2]),
            ('+', Continuation, &snow[2..]),
        ],
        &[Seen::Ping(snow[..1].to_vec()), text("Grüße☃")],
    );
}

#[test]
fn a_text_that_is_not_utf8_is_refused() {
    refused(&[('+', Text, b"a\xff")], &[], TextNotUtf8);
    refused(&[('+', Text, b"\xe2\x98")], &[], TextNotUtf8);
    refused(&[('-', Text, b"\xe2\x98"), ('+', Continuation, b"")], &[], TextNotUtf8);
    refused(&[('-', Text, b"\xe2\x98"), ('+', Continuation, b"a")], &[], TextNotUtf8);
    refused(&[('-', Text, b"\xed\xa0"), ('+', Ping, b"")], &[], TextNotUtf8);
    // A new text owes nothing to the one before it, nor does a binary message.
    accepted(
        &[('+', Binary, b"\xe2\x98"), ('+', Text, b"a")],
        &[Seen::Binary(b"\xe2\x98".to_vec()), text("a")],
    );
    accepted(
        &[('-', Binary, b"\xff"), ('+', Continuation, b"\xfe")],
        &[Seen::Binary(vec![0xff, 0xfe])],
    );
}

#[test]
fn a_wrong_byte_is_refused_before_its_frame_is_whole() {
    // Autobahn 6.4: the first byte that cannot be right is 0x90, behind 0xf4.
    let payload = b"\xce\xba\xf4\x90\x80\x80edited";
    let whole = frame(Role::Server, true, Text, payload);
    let first = frame(Role::Server, false, Text, payload);
    for stream in [whole, first] {
        let wrong = 6 + 3;
        check(Role::Server, &stream[..wrong], &[], None);
        check(Role::Server, &stream[..=wrong], &[], Some(TextNotUtf8));
    }
}

#[test]
fn a_whole_message_is_returned_where_it_lies() {
    let mut input = frame(Role::Server, true, Text, b"in place");
    let payload_at = input[6..].as_ptr();
    let mut decoder = Decoder::new(Role::Server);
    let mut at = 0;
    let event = decoder.next(&LIMITS, &mut input, &mut at).unwrap();
    let Some(switchboard_websocket::Event::Message { payload, .. }) = event else {
        panic!("{event:?}")
    };
    assert_eq!(payload.as_ptr(), payload_at);
    assert_eq!((decoder.buffered_bytes(), at), (0, input.len()));
}

#[test]
fn idle_is_only_between_messages() {
    let mut decoder = Decoder::new(Role::Server);
    let mut idle_after = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let mut at = 0;
        while decoder.next(&LIMITS, &mut bytes, &mut at).unwrap().is_some() {}
        (decoder.is_idle(), decoder.buffered_bytes() > 0)
    };
    let fragment = frame(Role::Server, false, Text, b"begun");
    let end = frame(Role::Server, true, Continuation, b"");
    let ping = frame(Role::Server, true, Ping, b"?");

    assert_eq!(idle_after(b""), (true, false));
    assert_eq!(idle_after(&ping[..1]), (false, false), "in a header");
    assert_eq!(idle_after(&ping[1..6]), (false, false), "before a payload");
    assert_eq!(idle_after(&ping[6..]), (true, false));
    assert_eq!(idle_after(&fragment[..8]), (false, true), "in a payload");
    assert_eq!(idle_after(&fragment[8..]), (false, true), "in a message");
    assert_eq!(idle_after(&ping), (false, true), "still in a message");
    assert_eq!(idle_after(&end), (true, false));
    assert_eq!(
        idle_after(&[fragment, frame(Role::Server, true, Close, b"")].concat()),
        (true, false)
    );
}
