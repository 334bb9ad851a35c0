//! The format of `sdk/spec/vectors`.

use std::path::PathBuf;

use switchboard_protocol::Side;

/// One line of a file.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) side: Side,
    pub(crate) bytes: Vec<u8>,
    pub(crate) meaning: String,
}

pub(crate) fn spec(path: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec").join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

pub(crate) fn vectors(file: &str) -> Vec<Vector> {
    let text = spec(&format!("vectors/{file}"));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let found: Vec<_> = lines.map(vector).collect();
    assert!(!found.is_empty(), "{file} has no vectors");
    found
}

fn vector(line: &str) -> Vector {
    let columns: Vec<_> = line.split(" | ").collect();
    let [name, side, bytes, meaning] = columns[..] else { panic!("not four columns: {line}") };
    let side = match side {
        "h" => Side::Host,
        "e" => Side::Endpoint,
        _ => panic!("{name}: no side"),
    };
    let bytes = bytes.split(' ').flat_map(piece).collect();
    Vector { name: name.to_owned(), side, bytes, meaning: meaning.to_owned() }
}

fn piece(piece: &str) -> Vec<u8> {
    let (digits, times) = match piece.split_once('*') {
        Some((digits, times)) => (digits, times.parse().expect("a number after *")),
        None => (piece, 1),
    };
    assert!(digits.len().is_multiple_of(2), "half a byte in {piece}");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect::<Vec<_>>().repeat(times)
}
