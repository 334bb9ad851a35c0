//! Random messages, cut into random frames, that arrive in random pieces.

use proptest::collection::vec;
use proptest::prelude::*;
use switchboard_websocket::{CloseCode, OpCode, Role};
use switchboard_websocket::{write_close, write_message, write_ping, write_pong};

use crate::support::{LIMITS, Seen, decode, frame};

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

fn message() -> impl Strategy<Value = Seen> {
    prop_oneof![
        "\\PC{0,80}".prop_map(Seen::Text),
        vec(any::<u8>(), 0..400).prop_map(Seen::Binary),
        vec(any::<u8>(), 65_530..65_540).prop_map(Seen::Binary),
    ]
}

fn control() -> impl Strategy<Value = Seen> {
    prop_oneof![
        vec(any::<u8>(), 0..=125).prop_map(Seen::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Seen::Pong),
    ]
}

fn close() -> impl Strategy<Value = Seen> {
    let code = prop_oneof![1000_u16..=1003, 1007_u16..=1014, 3000_u16..=4999];
    proptest::option::of((code, "\\PC{0,30}")).prop_map(Seen::Close)
}

/// The frame of a control event, as our own writers make it.
fn write_control(out: &mut Vec<u8>, event: &Seen, mask: Option<[u8; 4]>) {
    match event {
        Seen::Ping(payload) => write_ping(out, payload, mask),
        Seen::Pong(payload) => write_pong(out, payload, mask),
        Seen::Close(close) => {
            let close = close.as_ref().map(|(code, reason)| {
                (CloseCode::new(*code).expect("only such are made"), reason.as_str())
            });
            write_close(out, close, mask);
        }
        Seen::Text(_) | Seen::Binary(_) => unreachable!("a message is no control frame"),
    }
}

fn payload(message: &Seen) -> (OpCode, &[u8]) {
    match message {
        Seen::Text(text) => (OpCode::Text, text.as_bytes()),
        Seen::Binary(bytes) => (OpCode::Binary, bytes),
        _ => unreachable!("a control frame is no message"),
    }
}

/// Cuts `bytes` into pieces of these sizes, over and over; the last is what is left.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if *size >= bytes.len() {
            break;
        }
        let (piece, rest) = bytes.split_at(*size);
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

/// How far apart cuts are: often tiny, sometimes wide.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..8_usize, 8..300_usize, 1000..70_000_usize], 1..20)
}

fn mask_for(to: Role, mask: [u8; 4]) -> Option<[u8; 4]> {
    (to == Role::Server).then_some(mask)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_written_is_read(
        to in role(),
        mask: [u8; 4],
        messages in vec(message(), 0..5),
        end in proptest::option::of(close()),
        arriving in sizes(),
    ) {
        let mask = mask_for(to, mask);
        let mut stream = Vec::new();
        for message in &messages {
            let (opcode, payload) = payload(message);
            let kind = match opcode {
                OpCode::Text => switchboard_websocket::Kind::Text,
                _ => switchboard_websocket::Kind::Binary,
            };
            write_message(&mut stream, kind, payload, mask);
        }
        let mut expected = messages;
        if let Some(end) = end {
            write_control(&mut stream, &end, mask);
            expected.push(end);
        }
        prop_assert_eq!(decode(to, &LIMITS, cut(&stream, &arriving)), (expected, None));
    }

    #[test]
    fn fragments_and_what_stands_between_them_are_put_in_order(
        to in role(),
        mask: [u8; 4],
        messages in vec((message(), sizes()), 1..4),
        controls in vec(vec(control(), 0..3), 1..10),
        arriving in sizes(),
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        let mut controls = controls.iter().cycle();
        for (message, fragment_sizes) in messages {
            let (first_opcode, payload) = payload(&message);
            let fragments = cut(payload, &fragment_sizes);
            for (i, fragment) in fragments.iter().enumerate() {
                let opcode = if i == 0 { first_opcode } else { OpCode::Continuation };
                let fin = i + 1 == fragments.len();
                stream.extend(frame(to, fin, opcode, fragment));
                if fin {
                    expected.push(message.clone());
                }
                for control in controls.next().into_iter().flatten() {
                    write_control(&mut stream, control, mask_for(to, mask));
                    expected.push(control.clone());
                }
            }
        }
        prop_assert_eq!(decode(to, &LIMITS, cut(&stream, &arriving)), (expected, None));
    }

    #[test]
    fn any_bytes_at_all_are_read_alike_however_they_arrive(
        to in role(),
        bytes in vec(prop_oneof![Just(0x00), Just(0x01), Just(0x80), Just(0x81), Just(0x82),
            Just(0x89), Just(0x88), Just(0x85), any::<u8>()], 0..200),
        arriving in sizes(),
    ) {
        let whole = decode(to, &LIMITS, [bytes.as_slice()]);
        prop_assert_eq!(decode(to, &LIMITS, cut(&bytes, &arriving)), whole.clone());
        prop_assert_eq!(decode(to, &LIMITS, bytes.chunks(1)), whole);
    }
}
