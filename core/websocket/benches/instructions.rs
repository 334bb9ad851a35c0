//! How many instructions the codec takes, counted by valgrind: a number that a busy machine does
//! not change.
//!
//! `make instructions` shows a table, and fails if time is not linear in the number of fragments;
//! with `linear` behind it, it does only the latter, as `make test` wants it.
//! Each case is this program again, under cachegrind, with and without work; the difference counts.

use std::hint::black_box;
use std::process::{Command, ExitCode};

use switchboard_websocket::deflate::{Agreed, Deflater, Engine};
use switchboard_websocket::{Decoder, Event, Kind, Limits, OpCode, Role};
use switchboard_websocket::{apply_mask, encode_header, write_message};

const LIMITS: Limits = Limits { message_bytes_max: 1 << 26, frame_bytes_max: 1 << 26 };
const MASK: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

/// What is done `count` times.
type Case = (&'static str, usize, fn(usize));

const CASES: [Case; 9] = [
    ("decode a text of 125 bytes", 10_000, |count| decode(count, 125)),
    ("decode a text of 1 KiB", 1000, |count| decode(count, 1024)),
    ("decode a text of 64 KiB", 100, |count| decode(count, 64 << 10)),
    ("write a text of 125 bytes", 10_000, |count| write(count, 125)),
    ("write a text of 64 KiB", 100, |count| write(count, 64 << 10)),
    ("deflate 150 bytes alone", 1000, |count| deflate(count, &alone())),
    ("deflate 150 bytes with takeover", 1000, |count| deflate(count, &Agreed::default())),
    ("inflate 150 bytes alone", 1000, |count| inflate(count, &alone())),
    ("inflate 150 bytes with takeover", 1000, |count| inflate(count, &Agreed::default())),
];

/// One message of so many fragments of 64 bytes.
const FRAGMENTS: [usize; 7] = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];
const FRAGMENT_BYTES: usize = 64;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.as_slice() {
        [name, count] => {
            run(name, count.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        [only] if only == "linear" => linear(),
        _ => {
            for (name, count, _) in CASES {
                let each = (counted(name, count) - counted(name, 0)) / count as u64;
                println!("{name:<36}{each:>12}");
            }
            linear()
        }
    }
}

fn run(name: &str, count: usize) {
    match name {
        "fragments" => fragments(count, None),
        "compressed" => fragments(count, Some(&alone())),
        _ => CASES.iter().filter(|case| case.0 == name).for_each(|case| (case.2)(count)),
    }
}

/// Twice the fragments must take less than 2.3 times the instructions.
fn linear() -> ExitCode {
    let mut is_linear = true;
    for name in ["fragments", "compressed"] {
        let counts = FRAGMENTS.map(|count| counted(name, count) - counted(name, 0));
        for (at, count) in FRAGMENTS.iter().enumerate() {
            print!("{:<36}{:>12}", format!("{name}, {count}"), counts[at] / *count as u64);
            match at.checked_sub(1).map(|before| counts[at] as f64 / counts[before] as f64) {
                Some(growth) => {
                    is_linear &= growth < 2.3;
                    println!("  {growth:.2} times of half as many");
                }
                None => println!(),
            }
        }
    }
    if is_linear {
        ExitCode::SUCCESS
    } else {
        eprintln!("twice the fragments took 2.3 times the instructions, or more");
        ExitCode::FAILURE
    }
}

/// The instructions of this program with these arguments.
fn counted(name: &str, count: usize) -> u64 {
    let program = std::env::current_exe().expect("a program knows its path");
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &count.to_string()])
        .output()
        .expect("valgrind is there");
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| {
        let (head, count) = line.rsplit_once(':')?;
        head.ends_with("refs").then(|| count.trim().replace(',', ""))
    });
    count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

fn alone() -> Agreed {
    Agreed {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..Agreed::default()
    }
}

fn message(number: usize) -> Vec<u8> {
    format!(
        "{{\"id\":{number},\"user\":\"user-{}\",\"type\":\"chat.message\",\"room\":\"lobby\",\
         \"text\":\"hello, this is number {number} of them\",\"sent\":{}}}",
        number * 31 % 997,
        1_700_000_000 + number * 13
    )
    .into_bytes()
}

fn decode(count: usize, len: usize) {
    let mut bytes = Vec::new();
    write_message(&mut bytes, Kind::Text, &vec![b'x'; len], MASK);
    let mut decoder = Decoder::new(Role::Server);
    for _ in 0..count {
        // What was unmasked is masked again by the next turn: the same work, and no copy.
        let mut at = 0;
        let event = decoder.next(&LIMITS, &mut bytes, &mut at).ok().flatten();
        assert!(black_box(event).is_some());
        let payload = bytes.len() - len;
        apply_mask(&mut bytes[payload..], MASK.unwrap_or_default(), 0);
    }
}

fn write(count: usize, len: usize) {
    let payload = vec![b'x'; len];
    let mut out = Vec::new();
    for _ in 0..count {
        out.clear();
        write_message(&mut out, Kind::Text, black_box(&payload), None);
    }
}

fn deflate(count: usize, agreed: &Agreed) {
    let (mut engine, mut out) = (Engine::default(), Vec::new());
    let mut deflater = Deflater::new(Role::Server, agreed, 0);
    for number in 0..count {
        out.clear();
        deflater.write_message(&mut engine, &mut out, Kind::Text, &message(number), None);
    }
}

fn inflate(count: usize, agreed: &Agreed) {
    let (mut engine, mut bytes) = (Engine::default(), Vec::new());
    let mut deflater = Deflater::new(Role::Server, agreed, 0);
    // So many in any case, that deflating is no part of the difference.
    for number in 0..1000 {
        deflater.write_message(&mut engine, &mut bytes, Kind::Text, &message(number), None);
    }
    let mut decoder = Decoder::with_deflate(Role::Client, agreed);
    let mut at = 0;
    for _ in 0..count.min(1000) {
        let event = decoder.next_in(&mut engine, &LIMITS, &mut bytes, &mut at).ok().flatten();
        assert!(black_box(event).is_some());
    }
}

/// One message in so many fragments, each a read of its own.
fn fragments(count: usize, agreed: Option<&Agreed>) {
    let mut engine = Engine::default();
    let mut decoder = match agreed {
        Some(agreed) => Decoder::with_deflate(Role::Server, agreed),
        None => Decoder::new(Role::Server),
    };
    let mut payload = [b'x'; FRAGMENT_BYTES];
    if agreed.is_some() {
        // A block without compression, which every fragment can be.
        payload[..5].copy_from_slice(&[0, 59, 0, !59, !0]);
    }
    let last = (count > 0).then_some(count);
    for at in (0..count).chain(last) {
        let is_last = Some(at) == last;
        let opcode = if at == 0 { OpCode::Text } else { OpCode::Continuation };
        let part = match (is_last, agreed) {
            (false, _) => &payload[..],
            (true, Some(_)) => &[0],
            (true, None) => &[],
        };
        let rsv1 = at == 0 && agreed.is_some();
        let mut header = [0; 14];
        let used = encode_header(&mut header, is_last, rsv1, opcode, part.len(), MASK);
        let mut bytes = [&header[..used], part].concat();
        apply_mask(&mut bytes[used..], MASK.unwrap_or_default(), 0);
        let event = decoder.next_in(&mut engine, &LIMITS, &mut bytes, &mut 0);
        let event = event.expect("it is right");
        assert_eq!(matches!(event, Some(Event::Message { .. })), is_last);
    }
}
