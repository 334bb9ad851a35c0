//! Every vector, both ways.

use std::collections::BTreeSet;

use switchboard_protocol::{
    Answer, Assembly, Frame, FrameError, FrameType, Limits, ParseError, Reader, Side, encode_frame,
    parse,
};

use crate::describe::describe;
use crate::words::{Vector, vectors};

const GOOD: [&str; 3] = ["link.txt", "stream.txt", "topics.txt"];

fn good() -> Vec<Vector> {
    GOOD.into_iter().flat_map(vectors).collect()
}

#[test]
fn bytes_mean_what_the_vectors_say() {
    for vector in good().into_iter().chain(vectors("read.txt")) {
        let (frame, len) = parse(&vector.bytes, &limits(vector.side))
            .unwrap_or_else(|error| panic!("{}: {error}", vector.name))
            .unwrap_or_else(|| panic!("{} is not complete", vector.name));
        assert_eq!(len, vector.bytes.len(), "{}", vector.name);
        assert_eq!(describe(&frame, &vector.bytes), vector.meaning, "{}", vector.name);
    }
}

#[test]
fn what_was_read_is_written_to_the_same_bytes() {
    for vector in good() {
        let Ok(Some((frame, _))) = parse(&vector.bytes, &limits(vector.side)) else {
            panic!("{} is refused", vector.name)
        };
        let mut out = b"before".to_vec();
        encode_frame(&mut out, &frame);
        assert_eq!(out[6..], vector.bytes, "{}", vector.name);
    }
}

#[test]
fn every_type_has_a_vector_for_each_side() {
    let seen: BTreeSet<_> =
        good().iter().map(|vector| (vector.side == Side::Host, vector.bytes[4])).collect();
    for &kind in FrameType::ALL {
        for side in [Side::Host, Side::Endpoint] {
            let there = seen.contains(&(side == Side::Host, kind as u8));
            assert_eq!(there, kind.is_from(side), "{} from {side:?}", kind.name());
        }
    }
}

#[test]
fn a_frame_is_not_there_before_its_last_byte() {
    for vector in good().into_iter().chain(vectors("read.txt")) {
        let limits = limits(vector.side);
        // Of long ones the ends are looked at.
        let len = vector.bytes.len();
        for cut in (0..len).filter(|cut| *cut < 300 || len - cut < 100) {
            assert_eq!(parse(&vector.bytes[..cut], &limits), Ok(None), "{} to {cut}", vector.name);
        }
    }
}

#[test]
fn a_reader_finds_frames_however_the_bytes_are_split() {
    for side in [Side::Host, Side::Endpoint] {
        let short = |vector: &Vector| vector.side == side && vector.bytes.len() < 1000;
        let vectors: Vec<_> = good().into_iter().filter(short).collect();
        let all: Vec<u8> = vectors.iter().flat_map(|vector| vector.bytes.clone()).collect();
        for cut in 0..all.len() {
            check_reader(side, &vectors, [&all[..cut], &all[cut..]]);
        }
        check_reader(side, &vectors, all.chunks(1));
        check_reader(side, &vectors, all.chunks(7));
    }
}

fn check_reader<'a>(side: Side, vectors: &[Vector], pieces: impl IntoIterator<Item = &'a [u8]>) {
    let mut reader = Reader::new(limits(side));
    let mut expected = vectors.iter();
    for piece in pieces {
        reader.feed(piece);
        while let Some(frame) = reader.read().expect("good frames") {
            let vector = expected.next().expect("no more frames than were written");
            assert_eq!(describe(&frame, &vector.bytes), vector.meaning);
        }
    }
    assert_eq!((expected.count(), reader.waiting_bytes()), (0, 0));
}

#[test]
fn bad_frames_are_refused_with_the_answer_that_the_vectors_say() {
    for vector in vectors("bad.txt") {
        match parse(&vector.bytes, &limits(vector.side)) {
            Err(fault) => assert_eq!(answer(&fault), vector.meaning, "{}", vector.name),
            taken => panic!("{}: {taken:?}", vector.name),
        }
    }
}

#[test]
fn a_reader_goes_on_behind_a_frame_that_costs_a_stream() {
    for vector in vectors("bad.txt").iter().filter(|vector| vector.meaning.starts_with("RESET")) {
        let mut bytes = vector.bytes.clone();
        encode_frame(&mut bytes, &Frame::Ping(*b"and then"));
        let mut reader = Reader::new(limits(vector.side));
        for (at, byte) in bytes.chunks(1).enumerate() {
            reader.feed(byte);
            let last = at + 1 == bytes.len();
            match reader.read() {
                Ok(None) => assert!(!last),
                Ok(Some(frame)) => assert!(last && frame == Frame::Ping(*b"and then")),
                Err(_) => assert_eq!(at + 1, vector.bytes.len(), "{}", vector.name),
            }
        }
    }
}

#[test]
fn bad_fragments_are_refused_with_the_answer_that_the_vectors_say() {
    for vector in vectors("bad-fragments.txt") {
        let mut reader = Reader::new(limits(vector.side));
        reader.feed(&vector.bytes);
        let mut assembly = Assembly::default();
        let mut found = Ok(());
        while let Some(frame) = reader.read().expect("good frames") {
            assert_eq!(found, Ok(()), "{}: the last one is bad, not one before", vector.name);
            let Frame::Data(data) = frame else { panic!("{}: not DATA", vector.name) };
            found = assembly
                .push(&data, 1024)
                .map(drop)
                .map_err(|error| ParseError { header: data.header(), error });
        }
        let fault = found.expect_err(&vector.name);
        assert_eq!(answer(&fault), vector.meaning, "{}", vector.name);
    }
}

#[test]
fn every_fault_has_a_code_for_the_link() {
    assert_eq!(FrameError::LinkFlow.reset_code(), None);
    assert_eq!(FrameError::LinkFlow.goaway_code(), FrameError::Flow.goaway_code());
    assert_eq!(FrameError::Flow.reset_code(), Some(FrameError::Flow.goaway_code()));
}

fn answer(fault: &ParseError) -> String {
    let debug = format!("{:?}", fault.error);
    let word = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    match fault.answer() {
        Answer::GoAway(code) => format!("GOAWAY code={} error={word}", code.0),
        Answer::Reset(stream, code) => {
            format!("RESET stream={stream} code={} error={word}", code.0)
        }
    }
}

fn limits(from: Side) -> Limits {
    Limits::new(from)
}
