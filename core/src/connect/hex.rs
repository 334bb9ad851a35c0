//! Hex digits: as a user writes them, and as messages are shown.

/// Bytes from digits, with blanks between them or not.
pub(super) fn read(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().filter(|c| !c.is_ascii_whitespace());
    let digits = digits.map(|c| Some(c.to_digit(16)? as u8)).collect::<Option<Vec<u8>>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// On one line, as [`read`] takes them.
pub(super) fn line(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sixteen bytes a line, with their place before them and their letters behind.
pub(super) fn dump(bytes: &[u8]) -> String {
    let rows = bytes.chunks(16).enumerate().map(|(row, bytes)| {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let letter = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        };
        let letters: String = bytes.iter().map(letter).collect();
        format!("{:08x}  {:<47}  |{letters}|", row * 16, digits.join(" "))
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_in_pairs() {
        #[rustfmt::skip]
        let table: [(&str, Option<&[u8]>); 8] = [
            ("",            Some(b"")),
            ("00ff",        Some(b"\x00\xff")),
            (" 0A\tb0\r ",  Some(b"\x0a\xb0")),
            ("0 0",         Some(b"\x00")),
            ("0",           None),
            ("0x00",        None),
            ("0g",          None),
            ("ää",          None),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read(&line(&all)), Some(all));
    }

    #[test]
    fn a_dump_has_sixteen_bytes_a_line() {
        assert_eq!(dump(b""), "");
        assert_eq!(
            dump(b"Hello, \x00\xffworld!!\n"),
            "00000000  48 65 6c 6c 6f 2c 20 00 ff 77 6f 72 6c 64 21 21  |Hello, ..world!!|\n\
             00000010  0a                                               |.|"
        );
    }
}
