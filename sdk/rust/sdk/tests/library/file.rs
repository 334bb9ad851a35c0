//! Builds plugins with nothing but cargo or cc, and reads them as a host does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use object::elf::FileHeader64;
use object::read::elf::{ElfFile64, FileHeader, SectionHeader};
use object::{Endianness, Object, ObjectSymbol};

fn checked(command: &mut Command) {
    let output = command.output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Where cargo has put the bundled plugins, built with `--gc-sections` as always.
pub(crate) fn bundled(profile: &'static str) -> PathBuf {
    static DEV: OnceLock<PathBuf> = OnceLock::new();
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    let (once, directory) = if profile == "dev" { (&DEV, "debug") } else { (&RELEASE, "release") };
    once.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
        checked(
            Command::new(env!("CARGO"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .args(["build", "--locked", "--profile", profile])
                .args(["-p", "switchboard-plugin-echo", "-p", "switchboard-plugin-chat"])
                .arg("--target-dir")
                .arg(&target),
        );
        target.join(directory)
    })
    .clone()
}

/// The example in C.
pub(crate) fn upper() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build_upper).clone()
}

fn build_upper() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libupper.so");
    checked(
        Command::new("cc")
            .current_dir(root)
            .args(["-shared", "-fPIC", "-I", "sdk/c/include", "-o"])
            .arg(&library)
            .arg("examples/plugin-c/upper.c"),
    );
    library
}

/// The description of the note, and the data symbols that the file exports.
fn inspected(path: &Path) -> (Vec<Vec<u8>>, Vec<String>) {
    let bytes = std::fs::read(path).unwrap();
    let data = bytes.as_slice();
    let header = FileHeader64::<Endianness>::parse(data).unwrap();
    let endian = header.endian().unwrap();
    let mut notes = Vec::new();
    for section in header.section_headers(endian, data).unwrap() {
        let Some(mut found) = section.notes(endian, data).unwrap() else { continue };
        while let Some(note) = found.next().unwrap() {
            if note.name() == b"SWBD" {
                assert_eq!(note.n_type(endian).0, 1);
                notes.push(note.desc().to_vec());
            }
        }
    }
    let file = ElfFile64::<Endianness>::parse(data).unwrap();
    let exported = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .map(|symbol| symbol.name().unwrap().to_owned())
        .filter(|name| !name.starts_with("rust_") && !name.starts_with("__rust"))
        .collect();
    (notes, exported)
}

fn check(path: &Path, id: &str, version: &str) {
    let (notes, exported) = inspected(path);
    let path = path.display();
    assert_eq!(exported, ["switchboard_entry_v1"], "{path}");
    // ABI 1.0, never blocks, id, version.
    let expected = [&[1, 0, 0, 0, 1, 0, 0, 0], id.as_bytes(), b"\0", version.as_bytes(), b"\0"];
    assert_eq!(notes, [expected.concat()], "{path}");
}

#[test]
fn a_plugin_in_rust_has_its_note_and_its_one_symbol() {
    for profile in ["dev", "release"] {
        let directory = bundled(profile);
        let version = env!("CARGO_PKG_VERSION"); // all packages here have the same
        check(&directory.join("libecho.so"), "org.switchboard.echo", version);
        check(&directory.join("libchat.so"), "org.switchboard.chat", version);
    }
}

#[test]
fn a_plugin_in_c_has_the_same() {
    check(&upper(), "org.switchboard.upper", "1.0.0");
}
