//! The tables of the specification say what the code does.

use switchboard_protocol::{
    ErrorCode, FrameType, LinkState, Place, Side, StreamState, Tag, Take, flags,
};

use crate::words::spec;

/// Rows of every table whose head begins with these cells.
fn rows(head: &str) -> Vec<Vec<String>> {
    let text = spec("endpoint-protocol.md");
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.trim();
        inside = line.starts_with(head) || inside && line.starts_with('|');
        if inside && !line.starts_with(head) && !line.starts_with("|---") {
            let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            found.push(cells.collect());
        }
    }
    assert!(!found.is_empty(), "no table {head}");
    found
}

fn frame_type(name: &str) -> FrameType {
    let found = FrameType::ALL.iter().find(|kind| kind.name() == name);
    *found.unwrap_or_else(|| panic!("no frame {name}"))
}

fn side_and_type(cell: &str) -> (Side, FrameType) {
    let (side, name) = cell.split_once(' ').expect("a side and a name");
    let side = if side == "h" { Side::Host } else { Side::Endpoint };
    (side, frame_type(name))
}

#[test]
fn the_table_of_frames_is_the_code() {
    let rows = rows("| type | name | from |");
    assert_eq!(rows.len(), FrameType::ALL.len());
    for row in rows {
        let [number, name, from, stream, aux, bits, _, feature] = &row[..] else {
            panic!("not eight cells: {row:?}")
        };
        let kind = frame_type(name);
        assert_eq!(*number, format!("0x{:02x}", kind as u8), "{name}");
        assert_eq!(from.contains('h'), kind.is_from(Side::Host), "{name}");
        assert_eq!(from.contains('e'), kind.is_from(Side::Endpoint), "{name}");
        let place = match stream.as_str() {
            "0" => Place::Link,
            "n" => Place::Stream,
            _ => Place::Both,
        };
        assert_eq!((kind.place(), kind.has_aux()), (place, !aux.is_empty()), "{name}");
        let mut all = 0;
        for word in bits.split([' ', ',']).filter_map(|word| word.parse::<u8>().ok()) {
            all |= word;
        }
        assert_eq!(kind.flags(Side::Host) | kind.flags(Side::Endpoint), all, "{name}");
        let side = if kind.is_from(Side::Host) { Side::Host } else { Side::Endpoint };
        let needed = feature.split('`').nth(1);
        assert_eq!(kind.feature(side), needed, "{name}");
    }
    assert_eq!(FrameType::Data.flags(Side::Endpoint) & flags::REPLAY, 0);
    assert_eq!(FrameType::Ack.feature(Side::Endpoint), None);
}

#[test]
fn the_table_of_streams_is_the_code() {
    let rows = rows("| frame | Opening |");
    for row in &rows {
        let (side, kind) = side_and_type(&row[0]);
        for (state, cell) in StreamState::ALL.into_iter().zip(&row[1..]) {
            let said = match state.step(side, kind) {
                Err(error) => error.reset_code().map_or("?", |code| match code {
                    ErrorCode::PROTOCOL => "error",
                    _ => "?",
                }),
                Ok((_, Take::Ignore)) => "ignored",
                Ok((next, Take::Take)) => next.name(),
            };
            assert_eq!(said, cell, "{} in {}", row[0], state.name());
        }
    }
    let of_streams = FrameType::ALL.iter().filter(|kind| kind.place() != Place::Link);
    let both = |kind: &&FrameType| kind.is_from(Side::Host) && kind.is_from(Side::Endpoint);
    let cells = of_streams.clone().count() + of_streams.filter(both).count();
    // OPEN makes a stream; MCAST names streams.
    assert_eq!(rows.len(), cells - 1 + 1);
}

#[test]
fn the_table_of_the_link_is_the_code() {
    for row in rows("| frame | Fresh |") {
        let (side, kind) = side_and_type(&row[0]);
        for (state, cell) in LinkState::ALL.into_iter().zip(&row[1..]) {
            let said = match state.step(side, kind) {
                Err(_) => "error",
                Ok((_, Take::Ignore)) => "ignored",
                Ok((next, Take::Take)) => next.name(),
            };
            assert_eq!(said, cell, "{} in {}", row[0], state.name());
        }
    }
}

#[test]
fn the_numbers_of_tags_and_codes_are_the_code() {
    for row in rows("| tag | name |") {
        let number = row[0].parse().expect("a tag's number");
        assert_eq!(Tag(number).name(), row[1]);
    }
    for row in rows("| code | name |").iter().filter(|row| !row[0].is_empty()) {
        let number = row[0].parse().expect("a code");
        assert_eq!(ErrorCode(number).name(), row[1]);
    }
}

#[test]
fn the_smallest_endpoint_says_what_the_specification_shows() {
    use switchboard_protocol::{Accept, Close, Data, Frame, Hello, Ready, Why, encode_frame};

    let text = spec("endpoint-protocol.md");
    let section = text.split("## 2. ").nth(1).and_then(|rest| rest.split("\n## 3.").next());
    let mut shown = Vec::new();
    for block in section.expect("section 2").split("```").skip(1).step_by(2) {
        for line in block.lines() {
            // The bytes stand before the words, which begin after four blanks.
            let bytes = line.trim().split("    ").next().unwrap_or_default();
            let byte = |digits| u8::from_str_radix(digits, 16).expect("hexadecimal digits");
            shown.extend(bytes.split_whitespace().map(byte));
        }
    }
    let mut out = Vec::new();
    Hello { lanes: 0, uncounted: true, ..Hello::simple() }.encode(&mut out);
    Ready { ready: true, text: "" }.encode(&mut out);
    assert_eq!(out.len(), 68);
    Accept { stream: 1, ..Accept::default() }.encode(&mut out);
    let hello = Data { stream: 1, seq: 1, text: true, payload: b"hello", ..Data::default() };
    hello.encode(&mut out);
    encode_frame(&mut out, &Frame::Closed { stream: 1 });
    Close { stream: 1, code: 1000, why: Why::NONE, reason: "bye" }.encode(&mut out);
    assert_eq!(shown, out);
}
