//! Frames that were changed by chance: nothing panics, and what is taken can be written again.

use switchboard_protocol::{Assembly, Frame, Limits, Reader, Side, encode_frame, parse};

use crate::words::vectors;

/// The same numbers on every run: a fault that is found is found again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.next() as u8,
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                3 => bytes.insert(at, self.next() as u8),
                _ if bytes.len() > 16 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        if self.below(2) == 0 && bytes.len() >= 16 {
            // The length is mended, so that the fault is in the body.
            let len = (bytes.len() - 16) as u32;
            bytes[..4].copy_from_slice(&len.to_le_bytes());
        }
    }
}

#[test]
fn mutated_frames_do_no_harm() {
    let files = ["link.txt", "stream.txt", "topics.txt", "read.txt", "bad.txt"];
    let short: Vec<_> =
        files.into_iter().flat_map(vectors).filter(|vector| vector.bytes.len() < 1000).collect();
    let mut random = Random(0x5eed);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..60_000 {
        let vector = &short[round % short.len()];
        let mut bytes = vector.bytes.clone();
        random.mutate(&mut bytes);
        let limits = Limits::new(vector.side);
        match parse(&bytes, &limits) {
            Ok(None) => {}
            Err(fault) => {
                refused += 1;
                assert!(!fault.to_string().is_empty() && fault.error.goaway_code().0 != 0);
            }
            Ok(Some((frame, len))) => {
                taken += 1;
                assert!(len <= bytes.len() && !format!("{frame:?}").is_empty());
                check_again(&frame, &limits);
            }
        }
    }
    assert!(taken > 5_000 && refused > 5_000, "{taken} taken, {refused} refused");
}

/// What was read, written and read again is the same.
fn check_again(frame: &Frame<'_>, limits: &Limits) {
    let mut out = Vec::new();
    encode_frame(&mut out, frame);
    if let Frame::Skipped(_) = frame {
        return assert!(out.is_empty());
    }
    let again = parse(&out, limits);
    assert_eq!(again, Ok(Some((*frame, out.len()))));
}

#[test]
fn a_reader_survives_a_stream_of_mutated_frames() {
    let vectors: Vec<_> = vectors("stream.txt");
    let mut random = Random(0xfeed);
    for _ in 0..2_000 {
        let mut reader = Reader::new(Limits::new(Side::Endpoint));
        let mut assembly = Assembly::default();
        let mut bytes = Vec::new();
        for _ in 0..8 {
            let mut frame = vectors[random.below(vectors.len())].bytes.clone();
            frame.truncate(1000);
            random.mutate(&mut frame);
            bytes.extend(frame);
        }
        for piece in bytes.chunks(1 + random.below(200)) {
            reader.feed(piece);
            // As many tries as there can be frames.
            for _ in 0..=bytes.len() / 16 {
                match reader.read() {
                    Ok(Some(Frame::Data(data))) => drop(assembly.push(&data, 500)),
                    Ok(Some(_)) | Err(_) => {}
                    Ok(None) => break,
                }
            }
        }
        assert!(assembly.waiting_bytes() <= 500 && reader.waiting_bytes() <= bytes.len());
    }
}
