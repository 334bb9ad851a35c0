//! What a peer may make a decoder hold: what it has sent, up to a limit, and no more.

use switchboard_websocket::OpCode::{Binary, Continuation, Ping, Text};
use switchboard_websocket::ProtocolError::{FrameTooBig, MessageTooBig};
use switchboard_websocket::{Decoder, Event, Limits, Role};

use crate::support::{Seen, check_within, frame, frames};

const SMALL: Limits = Limits { message_bytes_max: 10, frame_bytes_max: 6 };

#[test]
fn a_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 96, "{}", size_of::<Decoder>());
}

#[test]
fn what_is_exactly_at_the_limit_is_taken() {
    let stream = frames(&[
        ('+', Binary, b"123456"),
        ('-', Binary, b"123456"),
        ('+', Ping, b"longer than six"),
        ('+', Continuation, b"7890"),
    ]);
    let seen = [
        Seen::Binary(b"123456".to_vec()),
        Seen::Ping(b"longer than six".to_vec()),
        Seen::Binary(b"1234567890".to_vec()),
    ];
    check_within(&SMALL, Role::Server, &stream, &seen, None);
}

#[test]
fn a_frame_over_the_limit_is_refused_at_its_header() {
    let header = &frame(Role::Server, true, Binary, b"1234567")[..6];
    check_within(&SMALL, Role::Server, header, &[], Some(FrameTooBig { limit: 6 }));
}

#[test]
fn a_message_over_the_limit_is_refused_at_the_header_that_crosses_it() {
    let first = frame(Role::Server, false, Text, b"123456");
    let second = frame(Role::Server, false, Continuation, b"78901");
    let stream = [&first, &second[..6]].concat();
    check_within(&SMALL, Role::Server, &stream, &[], Some(MessageTooBig { limit: 10 }));

    let wide_frames = Limits { frame_bytes_max: 100, ..SMALL };
    let header = &frame(Role::Server, true, Text, b"12345678901")[..6];
    check_within(&wide_frames, Role::Server, header, &[], Some(MessageTooBig { limit: 10 }));
}

#[test]
fn the_longest_length_there_is_overflows_nothing() {
    let none = Limits { message_bytes_max: usize::MAX, frame_bytes_max: usize::MAX };
    let stream = b"\x02\x01a\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xffbcd";
    check_within(&none, Role::Client, stream, &[], None);
    let limit = 1 << 20;
    let some = Limits { message_bytes_max: limit, ..none };
    check_within(&some, Role::Client, stream, &[], Some(MessageTooBig { limit }));
}

#[test]
fn a_limit_that_is_lowered_holds_at_once() {
    let mut input = frame(Role::Server, true, Binary, b"123456");
    let (first, second) = input.split_at_mut(9);
    let mut decoder = Decoder::new(Role::Server);
    assert_eq!(decoder.next(&SMALL, first, &mut 0), Ok(None));
    let lower = Limits { message_bytes_max: 5, ..SMALL };
    assert_eq!(decoder.next(&lower, second, &mut 0), Err(MessageTooBig { limit: 5 }));
}

#[test]
fn a_declared_gigabyte_reserves_nothing() {
    let limits = Limits { message_bytes_max: 1 << 30, frame_bytes_max: 1 << 30 };
    let mut decoder = Decoder::new(Role::Client);
    let mut header = *b"\x82\x7f\0\0\0\0\x40\0\0\0";
    assert_eq!(decoder.next(&limits, &mut header, &mut 0), Ok(None));
    assert_eq!(decoder.buffered_bytes(), 0);
    for came in (100..=10_000).step_by(100) {
        assert_eq!(decoder.next(&limits, &mut [0; 100], &mut 0), Ok(None));
        assert!(decoder.buffered_bytes() <= 2 * came, "{came}: {}", decoder.buffered_bytes());
    }
}

#[test]
fn many_fragments_make_one_message() {
    let (count, size) = (65_536, 64);
    let limits = Limits { message_bytes_max: count * size, frame_bytes_max: size };
    let fragment = frame(Role::Server, false, Continuation, &[b'x'; 64]);
    let mut decoder = Decoder::new(Role::Server);
    let mut feed = |mut bytes: Vec<u8>| match decoder.next(&limits, &mut bytes, &mut 0) {
        Ok(Some(Event::Message { payload, .. })) => Some(payload.len()),
        other => {
            assert_eq!(other, Ok(None));
            None
        }
    };
    assert_eq!(feed(frame(Role::Server, false, Text, b"")), None);
    for _ in 0..count {
        assert_eq!(feed(fragment.clone()), None);
    }
    assert_eq!(feed(frame(Role::Server, true, Continuation, b"")), Some(count * size));
    assert!(decoder.is_idle());
}
