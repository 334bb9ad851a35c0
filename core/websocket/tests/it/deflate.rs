//! Compressed messages: RFC 7692, its examples, its rules, and its limits.

use proptest::collection::vec;
use proptest::prelude::*;
use switchboard_websocket::OpCode::{Binary, Close, Continuation, Ping, Pong, Text};
use switchboard_websocket::ProtocolError::{self, *};
use switchboard_websocket::deflate::{Agreed, Deflater, Engine, WindowBits};
use switchboard_websocket::{Decoder, FrameHeader, Kind, Limits, OpCode, Role, apply_mask};
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush};

use crate::puff::puff;
use crate::support::{LIMITS, Outcome, RSV1, Seen, decode_with, frame, text};

const ALONE: Agreed = Agreed {
    server_no_context_takeover: true,
    client_no_context_takeover: true,
    server_max_window_bits: WindowBits::MAX,
    client_max_window_bits: WindowBits::MAX,
};

/// Feeds the pieces to a decoder that inflates in an engine that lends so many.
fn inflate<'a>(
    role: Role,
    agreed: &Agreed,
    limits: &Limits,
    lent_max: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut engine = Engine::with_lent_max(lent_max);
    let mut decoder = Decoder::with_deflate(role, agreed);
    decode_with(&mut decoder, pieces, |decoder, piece, at| {
        decoder.next_in(&mut engine, limits, piece, at).map(|event| event.map(Seen::from))
    })
}

/// The stream gives these events and then this error: whole, byte by byte, split anywhere, with an
/// engine of its own, and with one that lends nothing.
#[track_caller]
fn check(agreed: &Agreed, bytes: &[u8], seen: &[Seen], error: Option<ProtocolError>) {
    let expected = (seen.to_vec(), error);
    for lent_max in [0, 1] {
        let inflate = |pieces: &[&[u8]]| {
            inflate(Role::Server, agreed, &LIMITS, lent_max, pieces.iter().copied())
        };
        assert_eq!(inflate(&[bytes]), expected, "whole, {lent_max}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(inflate(&single), expected, "byte by byte, {lent_max}");
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(inflate(&[first, second]), expected, "split at {cut}, {lent_max}");
        }
    }
    let mut decoder = Decoder::with_deflate(Role::Server, agreed);
    let own = decode_with(&mut decoder, bytes.chunks(3), |decoder, piece, at| {
        decoder.next(&LIMITS, piece, at).map(|event| event.map(Seen::from))
    });
    assert_eq!(own, expected, "an engine of its own");
}

/// Bits, opcode and payload of a frame.
type Listed<'a> = (&'a str, OpCode, &'a [u8]);

/// Frames for a server. `+` has FIN, `-` has not; with `*` behind, RSV1 is set.
fn frames(list: &[Listed<'_>]) -> Vec<u8> {
    let frame = |(bits, opcode, payload): &Listed<'_>| {
        let mut frame = frame(Role::Server, bits.starts_with('+'), *opcode, payload);
        frame[0] |= if bits.ends_with('*') { RSV1 } else { 0 };
        frame
    };
    list.iter().flat_map(frame).collect()
}

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

#[test]
fn the_examples_of_the_rfc_are_read() {
    #[rustfmt::skip]
    let table: [(&[Listed<'_>], &[Seen]); 6] = [
        // Section 7.2.3.1: one block, whole and in fragments.
        (&[("+*", Text, HELLO)],                                        &[text("Hello")]),
        (&[("-*", Text, &HELLO[..3]), ("+", Continuation, &HELLO[3..])], &[text("Hello")]),
        // 7.2.3.2: the second one reaches back into the first.
        (&[("+*", Text, HELLO), ("+*", Text, b"\xf2\x00\x11\x00\x00")], &[text("Hello"), text("Hello")]),
        // 7.2.3.3: without compression.
        (&[("+*", Text, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")], &[text("Hello")]),
        // 7.2.3.4: a block with BFINAL.
        (&[("+*", Text, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")],          &[text("Hello")]),
        // 7.2.3.5: two blocks.
        (&[("+*", Text, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")], &[text("Hello")]),
    ];
    for (list, seen) in table {
        check(&Agreed::default(), &frames(list), seen, None);
    }
}

#[test]
fn an_empty_message_is_one_byte() {
    // Section 7.2.3.6.
    check(&ALONE, &frames(&[("+*", Text, b"\x00")]), &[text("")], None);
    let pieces =
        [("-*", Binary, b"".as_slice()), ("-", Continuation, b"\x00"), ("+", Continuation, b"")];
    check(&ALONE, &frames(&pieces), &[Seen::Binary(vec![])], None);
    check(&ALONE, &frames(&[("+*", Text, b"")]), &[], Some(DeflateInvalid));
}

#[test]
fn blocks_that_say_they_are_the_last_may_be_followed() {
    let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00".as_slice();
    let three = [last, last, HELLO].concat();
    check(&ALONE, &frames(&[("+*", Text, &three)]), &[text("HelloHelloHello")], None);
    // Nothing is missing where the last block is the last.
    check(&ALONE, &frames(&[("+*", Text, last)]), &[text("Hello")], None);
    // The window is still there: in the same message, and in the next.
    let again = b"\xf2\x00\x11\x00\x00".as_slice();
    let both = [last, again].concat();
    check(&ALONE, &frames(&[("+*", Text, &both)]), &[text("HelloHello")], None);
    check(
        &Agreed::default(),
        &frames(&[("+*", Text, last), ("+*", Text, again)]),
        &[text("Hello"), text("Hello")],
        None,
    );
}

#[test]
fn without_takeover_nothing_is_there_to_reach_back_to() {
    let list = frames(&[("+*", Text, HELLO), ("+*", Text, b"\xf2\x00\x11\x00\x00")]);
    check(&ALONE, &list, &[text("Hello")], Some(DeflateInvalid));
}

#[test]
fn a_message_as_it_is_stays_out_of_the_window() {
    check(
        &Agreed::default(),
        &frames(&[
            ("+*", Text, HELLO),
            ("+", Text, b"Other"),
            ("-", Binary, b"Ot"),
            ("+", Ping, b"?"),
            ("+", Continuation, b"her"),
            ("+*", Text, b"\xf2\x00\x11\x00\x00"),
        ]),
        &[
            text("Hello"),
            text("Other"),
            Seen::Ping(b"?".to_vec()),
            Seen::Binary(b"Other".to_vec()),
            text("Hello"),
        ],
        None,
    );
}

#[test]
fn control_frames_between_fragments_are_not_compressed() {
    check(
        &Agreed::default(),
        &frames(&[
            ("-*", Text, &HELLO[..2]),
            ("+", Ping, b"1"),
            ("-", Continuation, &HELLO[2..6]),
            ("+", Pong, b""),
            ("+", Continuation, &HELLO[6..]),
            ("+", Close, b"\x03\xe8"),
        ]),
        &[
            Seen::Ping(b"1".to_vec()),
            Seen::Pong(vec![]),
            text("Hello"),
            Seen::Close(Some((1000, String::new()))),
        ],
        None,
    );
}

#[test]
fn rsv1_stands_only_in_the_first_frame_of_a_message() {
    for opcode in [Ping, Pong, Close, Continuation] {
        check(&ALONE, &frames(&[("+*", opcode, b"")])[..6], &[], refused(opcode));
        let inside = frames(&[("-*", Text, HELLO), ("+*", opcode, b"")]);
        check(&ALONE, &inside, &[], Some(ReservedBits));
    }
    let other_bits = |bits: u8| [0x81 | bits, 0x80, 1, 2, 3, 4];
    for bits in [0x20, 0x10, 0x60] {
        check(&ALONE, &other_bits(bits), &[], Some(ReservedBits));
    }
    // Without an extension: nowhere.
    let plain = frames(&[("+*", Text, HELLO)]);
    let mut decoder = Decoder::new(Role::Server);
    assert_eq!(decoder.next(&LIMITS, &mut plain.clone(), &mut 0), Err(ReservedBits));
}

fn refused(opcode: OpCode) -> Option<ProtocolError> {
    Some(if opcode == Continuation { ContinuationWithoutStart } else { ReservedBits })
}

#[test]
fn what_is_no_deflate_is_refused() {
    #[rustfmt::skip]
    let table: [&[u8]; 8] = [
        b"\x06",                                // a block type that there is not
        b"\x00\x05\x00\x00\x00Hello\x00",       // a length and its complement that disagree
        b"\x00\x05\x00\xfa\xffHel",             // ends in a block
        b"\xf2\x48\xcd\xc9\xc9",                // the same
        b"\xf2\x48\xcd\xc9\xc9\x07",            // ends without an empty block
        b"\xf2\x00\x11\x00\x00",                // reaches back beyond the beginning
        b"\x00\x00\x00\xff\xff",                // an empty block that was not cut
        b"Hello",
    ];
    for payload in table {
        check(&ALONE, &frames(&[("+*", Binary, payload)]), &[], Some(DeflateInvalid));
    }
}

#[test]
fn an_inflated_text_is_refused_at_its_first_wrong_byte() {
    // Autobahn 6.4, compressed: without compression, so that each byte is a byte.
    let payload = b"\x00\x0c\x00\xf3\xff\xce\xba\xf4\x90\x80\x80edited";
    for bits in ["+*", "-*"] {
        let stream = frames(&[(bits, Text, payload)]);
        let wrong = 6 + 5 + 3;
        let inflate = |len: usize| inflate(Role::Server, &ALONE, &LIMITS, 1, [&stream[..len]]);
        assert_eq!(inflate(wrong), (vec![], None));
        assert_eq!(inflate(wrong + 1), (vec![], Some(TextNotUtf8)));
    }
    // A character that is cut through by the end.
    let cut = b"\x00\x02\x00\xfd\xff\xe2\x98\x00";
    check(&ALONE, &frames(&[("+*", Text, cut)]), &[], Some(TextNotUtf8));
    check(&ALONE, &frames(&[("+*", Binary, cut)]), &[Seen::Binary(vec![0xe2, 0x98])], None);
}

#[test]
fn of_two_faults_the_first_is_told() {
    let text_first = b"\x00\x01\x00\xfe\xff\xff\x06";
    check(&ALONE, &frames(&[("+*", Text, text_first)]), &[], Some(TextNotUtf8));
    check(&ALONE, &frames(&[("+*", Binary, text_first)]), &[], Some(DeflateInvalid));
    let long = [b"\x00\x0c\x00\xf3\xff12345\xff789012".as_slice(), b"\x00"].concat();
    let stream = frames(&[("+*", Text, &long)]);
    for (limit, error) in [(10, TextNotUtf8), (6, TextNotUtf8), (5, MessageTooBig { limit: 5 })] {
        let limits = Limits { message_bytes_max: limit, ..LIMITS };
        for size in 1..=stream.len() {
            let told = inflate(Role::Server, &ALONE, &limits, 1, stream.chunks(size));
            assert_eq!(told, (vec![], Some(error)), "{limit} in pieces of {size}");
        }
    }
    let block_first = b"\x06\x00\x01\x00\xfe\xff\xff";
    check(&ALONE, &frames(&[("+*", Text, block_first)]), &[], Some(DeflateInvalid));
}

/// What a server sends, whole messages, and the frames that it makes of them.
fn sent(role: Role, agreed: &Agreed, min: u32, messages: &[Seen]) -> Vec<u8> {
    let (mut engine, mut out) = (Engine::default(), Vec::new());
    let mut deflater = Deflater::new(role, agreed, min);
    let mask = (role == Role::Client).then_some([1, 2, 3, 4]);
    for message in messages {
        let (kind, payload) = match message {
            Seen::Text(text) => (Kind::Text, text.as_bytes()),
            Seen::Binary(bytes) => (Kind::Binary, bytes.as_slice()),
            _ => unreachable!("only messages are compressed"),
        };
        deflater.write_message(&mut engine, &mut out, kind, payload, mask);
    }
    out
}

/// Not compressible.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn a_message_is_compressed_if_it_is_long_enough_and_gains() {
    let long = "abc".repeat(100);
    let first_byte = |message: Seen, min| sent(Role::Server, &ALONE, min, &[message])[0];
    assert_eq!(first_byte(text(&long), 300), 0xc1);
    assert_eq!(first_byte(text(&long), 301), 0x81);
    assert_eq!(first_byte(Seen::Binary(noise(1000)), 0), 0x82);
    assert_eq!(first_byte(text(""), 0), 0x81);
    assert_eq!(first_byte(text("ab"), 0), 0x81);
}

#[test]
fn what_did_not_gain_is_not_in_the_window_either() {
    let agreed = Agreed::default();
    let incompressible = Seen::Binary(noise(5000));
    let messages = vec![
        text(&"abc".repeat(100)),
        incompressible.clone(),
        incompressible,
        text(&"abc".repeat(90)),
    ];
    let stream = sent(Role::Client, &agreed, 0, &messages);
    check(&agreed, &stream, &messages, None);
    assert!(stream.len() > 10_000, "the second was not taken from the first");
}

#[test]
fn short_messages_help_each_other_though_the_first_gains_nothing() {
    let short = text("{\"a\":1,\"b\":[2,3]}");
    let lengths = |agreed| -> Vec<usize> {
        let stream = sent(Role::Server, agreed, 0, &vec![short.clone(); 3]);
        unframed(stream).iter().map(|(_, _, payload)| payload.len()).collect()
    };
    assert_eq!(lengths(&ALONE), [17, 17, 17]);
    let with_takeover = lengths(&Agreed::default());
    assert!(with_takeover[0] <= 17 + 8 && with_takeover[1] < 8, "{with_takeover:?}");
}

#[test]
fn a_bomb_costs_the_limit_and_stops_there() {
    // 4 GiB of zeros, as a thousandth of that many bytes: one block repeated.
    let limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: usize::MAX };
    let mut engine = Engine::default();
    let mut deflater = Deflater::new(Role::Client, &ALONE, 0);
    let mut zeros = Vec::new();
    deflater.write_message(&mut engine, &mut zeros, Kind::Binary, &vec![0; 1 << 24], Some([0; 4]));
    let (header, _) = FrameHeader::parse(&zeros).unwrap().unwrap();
    assert!(header.rsv1 && header.payload_len < 20_000);

    let mut decoder = Decoder::with_deflate(Role::Server, &ALONE);
    let before = engine.counts().inflated_to;
    let mut at = 0;
    let refused = decoder.next_in(&mut engine, &limits, &mut zeros, &mut at);
    assert_eq!(refused, Err(MessageTooBig { limit: 1 << 20 }));
    assert_eq!(engine.counts().inflated_to - before, (1 << 20) + 1, "not one byte more");
    assert_eq!(decoder.buffered_bytes(), 0);

    // The same in small pieces: memory grows to the limit, not beyond.
    let mut decoder = Decoder::with_deflate(Role::Server, &ALONE);
    let mut zeros = Vec::new();
    deflater.write_message(&mut engine, &mut zeros, Kind::Binary, &vec![0; 1 << 24], Some([0; 4]));
    let mut most = 0;
    let refused = zeros.chunks_mut(7).find_map(|piece| {
        let refused = decoder.next_in(&mut engine, &limits, piece, &mut 0).err();
        most = most.max(decoder.buffered_bytes());
        refused
    });
    assert_eq!(refused, Some(MessageTooBig { limit: 1 << 20 }));
    assert!(most <= (1 << 21) + (64 << 10), "{most}");
}

#[test]
fn a_message_exactly_at_the_limit_is_taken() {
    for len in [0, 1, 100, 16_383, 16_384, 16_385, 40_000] {
        for payload in [vec![b'x'; len], noise(len)] {
            let message = Seen::Binary(payload);
            let stream = sent(Role::Client, &ALONE, 0, std::slice::from_ref(&message));
            let limits = |max| Limits { message_bytes_max: max, frame_bytes_max: 1 << 20 };
            let taken = inflate(Role::Server, &ALONE, &limits(len), 1, [stream.as_slice()]);
            assert_eq!(taken, (vec![message], None), "{len}");
            if let Some(limit) = len.checked_sub(1) {
                let refused = inflate(Role::Server, &ALONE, &limits(limit), 1, [stream.as_slice()]);
                assert_eq!(refused, (vec![], Some(MessageTooBig { limit })), "{len}");
            }
        }
    }
}

#[test]
fn empty_blocks_without_end_are_refused_too() {
    let limits = Limits { message_bytes_max: 1000, frame_bytes_max: 1 << 20 };
    let wire_max = 1000 + 125 + 64;
    let blocks = b"\x00\x00\x00\xff\xff".repeat(300);
    let of = |len: usize| frames(&[("+*", Binary, &[&blocks[..len / 5 * 5], b"\0"].concat())]);
    let taken = inflate(Role::Server, &ALONE, &limits, 1, [of(wire_max - 1).as_slice()]);
    assert_eq!(taken, (vec![Seen::Binary(vec![])], None));
    let refused = inflate(Role::Server, &ALONE, &limits, 1, [of(wire_max + 5).as_slice()]);
    assert_eq!(refused, (vec![], Some(MessageTooBig { limit: 1000 })));
    let fragments: Vec<u8> = std::iter::once(frames(&[("-*", Binary, b"")]))
        .chain(blocks.chunks(5).map(|block| frames(&[("-", Continuation, block)])))
        .flatten()
        .collect();
    for lent_max in [0, 1] {
        let refused = inflate(Role::Server, &ALONE, &limits, lent_max, [fragments.as_slice()]);
        assert_eq!(refused, (vec![], Some(MessageTooBig { limit: 1000 })));
    }
}

#[test]
fn unfinished_messages_hold_only_what_is_lent_or_what_came() {
    let mut engine = Engine::with_lent_max(10);
    let mut begun = frames(&[("-*", Binary, &HELLO[..2])]);
    let mut empty = frames(&[("-*", Binary, b"")]);
    let mut decoders: Vec<Decoder> =
        (0..1000).map(|_| Decoder::with_deflate(Role::Server, &ALONE)).collect();
    let mut held = |decoder: &mut Decoder, bytes: &mut Vec<u8>| {
        decoder.next_in(&mut engine, &LIMITS, &mut bytes.clone(), &mut 0).unwrap();
        decoder.buffered_bytes()
    };
    assert_eq!(held(&mut decoders[0], &mut empty), 0, "a header alone costs nothing");
    let mut fresh: Vec<Decoder> = decoders.split_off(1);
    let all: Vec<usize> = fresh.iter_mut().map(|decoder| held(decoder, &mut begun)).collect();
    assert!(all[..10].iter().all(|held| (47_000..50_000).contains(held)), "{:?}", &all[..10]);
    assert!(all[10..].iter().all(|held| *held < 32), "{:?}", &all[10..20]);
    // Who goes gives back.
    fresh.truncate(9);
    let mut next = Decoder::with_deflate(Role::Server, &ALONE);
    assert!(held(&mut next, &mut begun) > 47_000);
}

#[test]
fn every_window_is_kept_within() {
    // Repetitions at every distance up to 40 KB, alone and with takeover.
    let letters = noise(200);
    let mut payload = Vec::new();
    for i in 0..400_usize {
        payload.extend_from_slice(&letters[i * 7 % 150..][..10 + i % 40]);
        payload.extend_from_slice(&noise(i * 37 % 211)[..]);
    }
    for bits in 8..=15 {
        let bits = WindowBits::new(bits).unwrap();
        let agreed = Agreed { server_max_window_bits: bits, ..Agreed::default() };
        let (mut engine, mut window) = (Engine::default(), Vec::new());
        let mut deflater = Deflater::new(Role::Server, &agreed, 0);
        let mut farthest_of_all = 0;
        for message in payload.chunks(999).chain([payload.as_slice()]) {
            let mut frame = Vec::new();
            deflater.write_message(&mut engine, &mut frame, Kind::Binary, message, None);
            let (header, used) = FrameHeader::parse(&frame).unwrap().unwrap();
            if !header.rsv1 {
                continue;
            }
            let (inflated, farthest) = puff(window.clone(), &frame[used..]).expect("it is deflate");
            assert!(inflated == message, "{bits}");
            assert!(farthest <= bits.bytes(), "{farthest} is beyond 2^{bits}");
            farthest_of_all = farthest.max(farthest_of_all);
            window.extend_from_slice(message);
            assert!(deflater.window_bytes() <= bits.bytes());
        }
        assert!(farthest_of_all > bits.bytes() / 4, "{farthest_of_all} of 2^{bits}");
    }
}

/// Messages of which each has something of those before, near and far.
fn conversation() -> Vec<Vec<u8>> {
    let words = noise(3000);
    let message = |i: usize| {
        let (near, far) = (i * 97 % 2000, i * 1709 % 2900);
        [&words[near..near + 60], format!("message {i}").as_bytes(), &words[far..far + 90]].concat()
    };
    (0..300).map(message).chain([noise(40_000)]).chain((0..20).map(message)).collect()
}

#[test]
fn a_peer_with_a_context_of_its_own_reads_and_is_read() {
    // What nearly all others do: one zlib stream for the whole connection, flushed after each
    // message.
    let messages = conversation();
    for bits in 9..=15_u8 {
        let window = WindowBits::new(bits).unwrap();
        let agreed = Agreed {
            server_max_window_bits: window,
            client_max_window_bits: window,
            ..Agreed::default()
        };
        let (mut engine, mut theirs) = (Engine::default(), Inflate::new(false, bits));
        let mut ours = Deflater::new(Role::Server, &agreed, 0);
        for message in &messages {
            let mut frame = Vec::new();
            ours.write_message(&mut engine, &mut frame, Kind::Binary, message, None);
            let (header, used) = FrameHeader::parse(&frame).unwrap().unwrap();
            if header.rsv1 {
                frame.extend_from_slice(b"\x00\x00\xff\xff");
                let mut out = vec![0; message.len() + 1];
                let before = theirs.total_out();
                theirs.decompress(&frame[used..], &mut out, InflateFlush::SyncFlush).unwrap();
                out.truncate((theirs.total_out() - before) as usize);
                assert!(out == *message, "written for a window of 2^{bits}");
            }
        }

        let mut theirs = Deflate::new(6, false, bits);
        let mut ours = Decoder::with_deflate(Role::Client, &agreed);
        for message in &messages {
            let mut out = vec![0; 2 * message.len() + 100];
            let before = theirs.total_out();
            theirs.compress(message, &mut out, DeflateFlush::SyncFlush).unwrap();
            out.truncate((theirs.total_out() - before) as usize - 4);
            let mut stream = frame(Role::Client, true, Binary, &out);
            stream[0] |= RSV1;
            let event = ours.next_in(&mut engine, &LIMITS, &mut stream, &mut 0).unwrap();
            let event = event.map(Seen::from);
            assert!(event == Some(Seen::Binary(message.clone())), "read, a window of 2^{bits}");
        }
        assert_eq!(ours.window_bytes(), window.bytes());
    }
}

#[test]
fn a_frame_may_be_shared_by_all_that_have_no_takeover() {
    let mut engine = Engine::default();
    let payload = "to all of you ".repeat(20);
    let narrow = Agreed { server_max_window_bits: WindowBits::MIN, ..ALONE };
    for agreed in [ALONE, narrow] {
        let deflater = Deflater::new(Role::Server, &agreed, 0);
        let bits = deflater.shares().expect("without takeover");
        let frame = engine.shared_frame(bits, Kind::Text, payload.as_bytes()).unwrap();
        for _ in 0..3 {
            let seen = inflate(Role::Client, &agreed, &LIMITS, 1, [frame.as_slice()]);
            assert_eq!(seen, (vec![text(&payload)], None));
        }
        assert_eq!(engine.shared_frame(bits, Kind::Binary, &noise(500)), None);
    }
    assert_eq!(Deflater::new(Role::Server, &Agreed::default(), 0).shares(), None);
}

#[test]
fn an_engine_counts_what_it_does() {
    let mut engine = Engine::default();
    let mut deflater = Deflater::new(Role::Client, &ALONE, 10);
    let mut out = Vec::new();
    for payload in [&[b'x'; 1000][..], &noise(100), b"short"] {
        deflater.write_message(&mut engine, &mut out, Kind::Binary, payload, Some([7; 4]));
    }
    let deflated = engine.counts();
    assert_eq!((deflated.deflated_from, deflated.not_deflated), (1000, 100));
    assert!((5..50).contains(&deflated.deflated_to));
    let mut decoder = Decoder::with_deflate(Role::Server, &ALONE);
    let mut at = 0;
    while decoder.next_in(&mut engine, &LIMITS, &mut out, &mut at).unwrap().is_some() {}
    let counts = engine.counts();
    assert_eq!((counts.inflated_from, counts.inflated_to), (deflated.deflated_to, 1000));
}

/// The frames of a stream: RSV1, opcode, and payload without its mask.
fn unframed(mut stream: Vec<u8>) -> Vec<(u8, OpCode, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Ok(Some((header, used))) = FrameHeader::parse(&stream) {
        let mut payload = stream.split_off(used);
        stream = payload.split_off(header.payload_len as usize);
        apply_mask(&mut payload, header.mask.unwrap_or_default(), 0);
        frames.push((if header.rsv1 { RSV1 } else { 0 }, header.opcode, payload));
    }
    frames
}

fn with_bits(mut frame: Vec<u8>, bits: u8) -> Vec<u8> {
    frame[0] |= bits;
    frame
}

fn agreements() -> impl Strategy<Value = Agreed> {
    (any::<bool>(), any::<bool>(), 8..=15_u8, 8..=15_u8).prop_map(|(server, client, s, c)| Agreed {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
        server_max_window_bits: WindowBits::new(s).unwrap_or_default(),
        client_max_window_bits: WindowBits::new(c).unwrap_or_default(),
    })
}

fn message() -> impl Strategy<Value = Seen> {
    prop_oneof![
        "\\PC{0,60}".prop_map(Seen::Text),
        ("[a-c]{1,8}", 0..3000_usize).prop_map(|(word, count)| Seen::Text(word.repeat(count))),
        vec(0..4_u8, 0..600).prop_map(Seen::Binary),
        vec(any::<u8>(), 0..600).prop_map(Seen::Binary),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_one_side_deflates_the_other_inflates(
        server_sends in any::<bool>(),
        agreed in agreements(),
        messages in vec(message(), 1..12),
        min in 0..200_u32,
        piece in 1..5000_usize,
        lent_max in 0..2_usize,
    ) {
        let (from, to) =
            if server_sends { (Role::Server, Role::Client) } else { (Role::Client, Role::Server) };
        let stream = sent(from, &agreed, min, &messages);
        let seen = inflate(to, &agreed, &LIMITS, lent_max, stream.chunks(piece));
        prop_assert_eq!(seen, (messages, None));
    }

    #[test]
    fn a_compressed_message_may_be_cut_into_frames_anywhere(
        to_server in any::<bool>(),
        agreed in agreements(),
        messages in vec(message(), 1..6),
        fragment in 1..400_usize,
        piece in 1..5000_usize,
        lent_max in 0..2_usize,
    ) {
        // Autobahn 12 and 13, which let each side cut as it likes.
        let (from, to) =
            if to_server { (Role::Client, Role::Server) } else { (Role::Server, Role::Client) };
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for ((bits, opcode, payload), message) in
            unframed(sent(from, &agreed, 0, &messages)).into_iter().zip(messages)
        {
            let mut parts: Vec<&[u8]> = payload.chunks(fragment).collect();
            parts.resize(parts.len().max(1), b"");
            for (at, part) in parts.iter().enumerate() {
                let is_last = at + 1 == parts.len();
                let (bits, opcode) = if at == 0 { (bits, opcode) } else { (0, Continuation) };
                stream.extend(with_bits(frame(to, is_last, opcode, part), bits));
                if !is_last {
                    stream.extend(frame(to, true, Ping, &[at as u8]));
                    expected.push(Seen::Ping(vec![at as u8]));
                }
            }
            expected.push(message);
        }
        let seen = inflate(to, &agreed, &LIMITS, lent_max, stream.chunks(piece));
        prop_assert_eq!(seen, (expected, None));
    }

    #[test]
    fn any_bytes_as_deflate_are_read_alike_however_they_arrive(
        agreed in agreements(),
        payloads in vec(vec(any::<u8>(), 0..60), 1..4),
        piece in 1..20_usize,
        lent_max in 0..2_usize,
    ) {
        let stream: Vec<u8> =
            payloads.iter().flat_map(|payload| frames(&[("+*", Binary, payload)])).collect();
        let whole = inflate(Role::Server, &agreed, &LIMITS, 1, [stream.as_slice()]);
        let pieces = inflate(Role::Server, &agreed, &LIMITS, lent_max, stream.chunks(piece));
        prop_assert_eq!(pieces, whole);
    }
}

#[test]
fn messages_that_are_given_up_leave_nothing_behind() {
    let agreed = Agreed { server_no_context_takeover: true, ..Agreed::default() };
    let mut state = 1_u64;
    let mut noise = |count: usize| {
        let byte = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..count).map(byte).collect::<Vec<u8>>()
    };
    let (mut engine, mut out) = (Engine::default(), Vec::new());
    let mut deflater = Deflater::new(Role::Server, &agreed, 0);
    for count in (0..20).flat_map(|_| (1..2000).step_by(97).chain([9000, 70_000])) {
        let payload = noise(count);
        out.clear();
        deflater.write_message(&mut engine, &mut out, Kind::Binary, &payload, None);
        // It is sent as it is.
        assert_eq!((out[0], &out[out.len() - count..]), (0x82, &payload[..]));
    }
    out.clear();
    deflater.write_message(&mut engine, &mut out, Kind::Text, &[b'a'; 1000], None);
    assert!(out[0] == 0xc1 && out.len() < 100, "{} bytes", out.len());
}
