//! What a file says about itself, read from its bytes: is it a plugin, whose, and for which ABI.
//!
//! Nothing of the file runs here. Loading a library runs its constructors, so every question that
//! the bytes can answer is asked before.

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader, SectionHeader, Sym};
use switchboard_abi::{SB_ABI_MAJOR, SB_ENTRY_SYMBOL, SB_NOTE_NAME, SB_NOTE_TYPE, sb_note_head};

/// What a plugin's ELF note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The minor of plugin ABI 1 that it was built with. Any is fine: tables only grow.
    pub abi_minor: u16,
    /// The low half of the entry's flags.
    pub flags: u32,
    /// `com.example.chat`
    // Invariant: 1 to 128 letters, digits, '.', '-', '_'; it becomes part of a file name.
    pub id: String,
    /// `1.4.2`
    pub version: String,
}

/// Why a file is no plugin for this host. The sentences follow the file's name and a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// It does not begin as an ELF file does.
    #[error("is not a shared library; give the compiled plugin")]
    NotElf,
    /// A program, an object file or a core dump.
    #[error("is an ELF file, but not a shared library; link it with -shared")]
    NotShared,
    /// 32 bits or big-endian.
    #[error("is for {0} machines; build it for 64-bit little-endian {HOST_NAME}")]
    ForeignClass(&'static str),
    /// Another processor.
    #[error("is for {0}; build it for {HOST_NAME}")]
    ForeignMachine(String),
    /// Parts of it lie behind its end.
    #[error("is cut short ({0}); copy it again")]
    CutShort(&'static str),
    /// It contradicts itself.
    #[error("is a damaged ELF file ({0}); build or copy it again")]
    Damaged(&'static str),
    /// No note: any other library.
    #[error(
        "is a shared library but not a Switchboard plugin; SB_PLUGIN() or export! makes it one"
    )]
    NoNote,
    /// The note breaks the rules of `plugin.h`.
    #[error("has a malformed plugin note ({0}); make it with SB_PLUGIN() or export!")]
    BadNote(&'static str),
    /// Two plugins were linked into one file.
    #[error("holds two plugins, {0} and {1}; link each into a library of its own")]
    TwoPlugins(String, String),
    /// Another major of the ABI.
    #[error("was made for plugin ABI {0}, this host speaks {SB_ABI_MAJOR}; {hint}", hint = abi_hint(*.0))]
    Abi(u16),
    /// The note is there, the symbol is not.
    #[error(
        "has the note of a plugin but does not export {SB_ENTRY_SYMBOL}; is it hidden or stripped?"
    )]
    NoEntry,
}

/// Reads the note of the plugin whose file has these bytes.
///
/// # Errors
/// The first thing that makes it unfit for this host.
pub fn inspect(bytes: &[u8]) -> Result<Note, InspectError> {
    let header = header(bytes)?;
    let segments = header
        .program_headers(LE, bytes)
        .map_err(|_| InspectError::CutShort("its program headers are missing"))?;
    let sections = header
        .section_headers(LE, bytes)
        .map_err(|_| InspectError::CutShort("its section headers are missing"))?;
    check_extent(bytes, segments, sections)?;
    let note = note(bytes, segments, sections)?;
    check_entry(bytes, header, sections)?;
    Ok(note)
}

fn header(bytes: &[u8]) -> Result<&FileHeader64<LE>, InspectError> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(InspectError::NotElf);
    }
    match (bytes.get(4).copied(), bytes.get(5).copied()) {
        (Some(class), _) if class == elf::ELFCLASS32.0 => {
            return Err(InspectError::ForeignClass("32-bit"));
        }
        (_, Some(order)) if order == elf::ELFDATA2MSB.0 => {
            return Err(InspectError::ForeignClass("big-endian"));
        }
        _ => {}
    }
    let size = size_of::<FileHeader64<LE>>();
    if bytes.len() < size {
        return Err(InspectError::CutShort("its header is incomplete"));
    }
    let header = FileHeader64::<LE>::parse(bytes)
        .map_err(|_| InspectError::Damaged("its identification is unknown"))?;
    if header.e_type(LE) != elf::ET_DYN {
        return Err(InspectError::NotShared);
    }
    let machine = header.e_machine(LE);
    if machine != HOST_MACHINE {
        return Err(InspectError::ForeignMachine(machine_name(machine)));
    }
    Ok(header)
}

/// The kernel maps a segment that the file does not hold, and the first touch is a SIGBUS.
fn check_extent(
    bytes: &[u8],
    segments: &[ProgramHeader64<LE>],
    sections: &[SectionHeader64<LE>],
) -> Result<(), InspectError> {
    let inside = |(offset, size): (u64, u64)| {
        offset.checked_add(size).is_some_and(|end| end <= bytes.len() as u64)
    };
    let loaded = segments.iter().filter(|s| s.p_type(LE) == elf::PT_LOAD);
    if !loaded.map(|s| s.file_range(LE)).all(inside) {
        return Err(InspectError::CutShort("a segment lies behind its end"));
    }
    if !sections.iter().skip(1).filter_map(|s| s.file_range(LE)).all(inside) {
        return Err(InspectError::CutShort("a section lies behind its end"));
    }
    Ok(())
}

/// Finds the note in the segments, or in the sections if a linker script dropped the segment.
///
/// A library may carry notes of several majors; the one that this host speaks counts.
fn note(
    bytes: &[u8],
    segments: &[ProgramHeader64<LE>],
    sections: &[SectionHeader64<LE>],
) -> Result<Note, InspectError> {
    let in_segments = segments.iter().filter_map(|s| s.notes(LE, bytes).ok().flatten());
    let in_sections = sections.iter().filter_map(|s| s.notes(LE, bytes).ok().flatten());
    let mut ours: Option<Note> = None;
    let mut foreign = None;
    for desc in in_segments.chain(in_sections).flat_map(descriptions) {
        match parse(desc) {
            Err(InspectError::Abi(major)) => foreign = Some(InspectError::Abi(major)),
            Err(error) => return Err(error),
            Ok(note) => match &ours {
                // The same note, seen in its segment and in its section.
                Some(first) if *first == note => {}
                Some(first) => {
                    return Err(InspectError::TwoPlugins(first.id.clone(), note.id));
                }
                None => ours = Some(note),
            },
        }
    }
    ours.ok_or(foreign.unwrap_or(InspectError::NoNote))
}

/// The descriptions of all our notes; a damaged note ends its list, as nothing says where it ends.
fn descriptions(notes: NoteIterator<'_, FileHeader64<LE>>) -> impl Iterator<Item = &[u8]> {
    notes
        .map_while(Result::ok)
        .filter(|note| note.name() == SB_NOTE_NAME.as_bytes() && note.n_type(LE).0 == SB_NOTE_TYPE)
        .map(|note| note.desc())
}

fn parse(desc: &[u8]) -> Result<Note, InspectError> {
    // What follows the major belongs to it, so nothing else is looked at before.
    let (major, rest) = split_u16(desc)?;
    if major != SB_ABI_MAJOR {
        return Err(InspectError::Abi(major));
    }
    let (abi_minor, rest) = split_u16(rest)?;
    let (flags, rest) = rest.split_first_chunk::<4>().ok_or(TOO_SHORT)?;
    let (id, rest) = split_text(rest)?;
    let (version, _) = split_text(rest)?;
    if !is_id(id) {
        return Err(InspectError::BadNote(
            "its id is not 1 to 128 letters, digits, '.', '-' and '_'",
        ));
    }
    if version.chars().any(char::is_control) {
        return Err(InspectError::BadNote("its version has control characters"));
    }
    Ok(Note {
        abi_minor,
        flags: u32::from_le_bytes(*flags),
        id: id.to_owned(),
        version: version.to_owned(),
    })
}

const TOO_SHORT: InspectError = InspectError::BadNote("it is too short");
// The layout that `parse` reads by hand.
const _: () = assert!(size_of::<sb_note_head>() == 8);

fn split_u16(bytes: &[u8]) -> Result<(u16, &[u8]), InspectError> {
    let (number, rest) = bytes.split_first_chunk::<2>().ok_or(TOO_SHORT)?;
    Ok((u16::from_le_bytes(*number), rest))
}

fn split_text(bytes: &[u8]) -> Result<(&str, &[u8]), InspectError> {
    let end = bytes.iter().position(|&byte| byte == 0).ok_or(TOO_SHORT)?;
    let text = str::from_utf8(&bytes[..end])
        .map_err(|_| InspectError::BadNote("its text is not UTF-8"))?;
    Ok((text, &bytes[end + 1..]))
}

/// The rule for `sb_entry.id`.
fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// A file without section headers is legal; then `dlsym` finds out.
fn check_entry(
    bytes: &[u8],
    header: &FileHeader64<LE>,
    sections: &[SectionHeader64<LE>],
) -> Result<(), InspectError> {
    if sections.is_empty() {
        return Ok(());
    }
    let symbols = header
        .sections(LE, bytes)
        .and_then(|sections| sections.symbols(LE, bytes, elf::SHT_DYNSYM))
        .map_err(|_| InspectError::Damaged("its symbol table is unreadable"))?;
    let is_entry = |symbol: &&elf::Sym64<LE>| {
        !symbol.is_undefined(LE)
            && symbols.symbol_name(LE, symbol) == Ok(SB_ENTRY_SYMBOL.as_bytes())
    };
    symbols.iter().find(is_entry).map(|_| ()).ok_or(InspectError::NoEntry)
}

fn abi_hint(major: u16) -> &'static str {
    if major > SB_ABI_MAJOR {
        "use a newer host, or build the plugin with this host's SDK"
    } else {
        "build the plugin with this host's SDK"
    }
}

fn machine_name(machine: elf::Machine) -> String {
    match machine {
        elf::EM_X86_64 => "x86-64".into(),
        elf::EM_AARCH64 => "aarch64".into(),
        elf::EM_RISCV => "RISC-V".into(),
        elf::EM_PPC64 => "POWER".into(),
        elf::EM_S390 => "s390".into(),
        other => format!("a machine of ELF number {}", other.0),
    }
}

const ID_BYTES_MAX: usize = 128;

#[cfg(target_arch = "x86_64")]
const HOST_MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "x86_64")]
const HOST_NAME: &str = "x86-64";
#[cfg(target_arch = "aarch64")]
const HOST_MACHINE: elf::Machine = elf::EM_AARCH64;
#[cfg(target_arch = "aarch64")]
const HOST_NAME: &str = "aarch64";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(desc: &[u8], expected: Result<(&str, &str), InspectError>) {
        let expected = expected.map(|(id, version)| Note {
            abi_minor: 2,
            flags: 1,
            id: id.into(),
            version: version.into(),
        });
        assert_eq!(parse(desc), expected);
    }

    #[test]
    fn a_note_is_major_minor_flags_id_version() {
        check(b"\x01\0\x02\0\x01\0\0\0a.b-c_D9\x001.4.2\0", Ok(("a.b-c_D9", "1.4.2")));
        check(b"\x01\0\x02\0\x01\0\0\0a\0\0", Ok(("a", "")));
        check(b"\x01\0\x02\0\x01\0\0\0a\x001\0padding", Ok(("a", "1")));
    }

    #[test]
    fn a_note_cut_at_any_byte_is_refused() {
        let whole = b"\x01\0\x02\0\x01\0\0\0a\x001\0";
        for end in 0..whole.len() {
            check(&whole[..end], Err(TOO_SHORT));
        }
    }

    #[test]
    fn of_a_foreign_major_only_the_number_is_read() {
        check(b"\x07\0", Err(InspectError::Abi(7)));
        check(b"\0\0\xff", Err(InspectError::Abi(0)));
    }

    #[test]
    fn an_id_that_could_leave_its_directory_is_refused() {
        for id in ["", "a/b", "a b", "a\n", "\u{e4}", &"x".repeat(129)] {
            let desc = [b"\x01\0\x02\0\x01\0\0\0", id.as_bytes(), b"\x001\0"].concat();
            assert!(matches!(parse(&desc), Err(InspectError::BadNote(_))), "{id:?}");
        }
    }
}
