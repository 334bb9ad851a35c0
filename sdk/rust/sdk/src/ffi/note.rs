//! The ELF note that tells a host what a file is, as `SB_PLUGIN()` of the header makes it.

use switchboard_abi::*;

use super::host::size_of_u32;

/// The bytes of the section, of which the last `N` are id and version.
#[repr(C, align(4))]
pub struct Note<const N: usize> {
    name_size: u32,
    desc_size: u32,
    kind: u32,
    name: [u8; 8],
    head: sb_note_head,
    text: [u8; N],
}

impl<const N: usize> Note<N> {
    /// `text` is as [`joined`] makes it.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub const fn new(flags: u64, text: [u8; N]) -> Self {
        assert!(N < 4096, "id and version are far too long");
        Self {
            name_size: SB_NOTE_NAME.len() as u32 + 1,
            desc_size: size_of_u32::<sb_note_head>() + N as u32,
            kind: SB_NOTE_TYPE,
            name: padded(SB_NOTE_NAME),
            head: sb_note_head {
                abi_major: SB_ABI_MAJOR,
                abi_minor: SB_ABI_MINOR,
                flags: flags as u32,
            },
            text,
        }
    }
}

/// Id and version, each with its terminating zero.
#[must_use]
pub const fn joined<const N: usize>(id: &str, version: &str) -> [u8; N] {
    check_id(id);
    assert!(N == id.len() + version.len() + 2);
    let mut text = [0; N];
    text.split_at_mut(id.len()).0.copy_from_slice(id.as_bytes());
    text.split_at_mut(id.len() + 1)
        .1
        .split_at_mut(version.len())
        .0
        .copy_from_slice(version.as_bytes());
    text
}

/// A text with its terminating zero.
#[must_use]
pub const fn terminated<const N: usize>(text: &str) -> [u8; N] {
    assert!(N == text.len() + 1);
    let mut bytes = [0; N];
    bytes.split_at_mut(text.len()).0.copy_from_slice(text.as_bytes());
    bytes
}

/// Stops the build of a plugin whose id no host would take.
const fn check_id(id: &str) {
    let bytes = id.as_bytes();
    assert!(!bytes.is_empty(), "the id of a plugin is empty");
    let mut at = 0;
    while at < bytes.len() {
        let known = bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'.' | b'-' | b'_');
        assert!(known, "the id of a plugin consists of letters, digits, '.', '-' and '_'");
        at += 1;
    }
}

const fn padded(name: &str) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.split_at_mut(name.len()).0.copy_from_slice(name.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_version_end_with_a_zero_each() {
        assert_eq!(&joined::<7>("a.b", "10"), b"a.b\x0010\0");
        assert_eq!(&terminated::<3>("10"), b"10\0");
    }

    #[test]
    fn the_note_is_laid_out_as_the_header_says() {
        let note = Note::<7>::new(1, joined("a.b", "10"));
        assert_eq!((note.name_size, note.desc_size, note.kind), (5, 8 + 7, 1));
        assert_eq!(&note.name, b"SWBD\0\0\0\0");
        assert_eq!(std::mem::offset_of!(Note<7>, head), 20);
        assert_eq!(std::mem::offset_of!(Note<7>, text), 28);
        assert_eq!(size_of::<Note<7>>(), 36);
    }

    #[test]
    #[should_panic(expected = "consists of letters")]
    fn an_id_with_a_blank_is_refused() {
        check_id("a b");
    }
}
