//! Real shared libraries, compiled by `cc`, against the loader: good ones, and all the others.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests, but not in what they share

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use switchboard::library::{Libraries, Library, LoadError, ProbeCommand, find, inspect};
use tempfile::TempDir;

/// A directory of plugins, and a host's libraries.
struct Fixture {
    home: TempDir,
    libraries: Libraries,
}

impl Fixture {
    fn new() -> Self {
        Self::with_timeout(Duration::from_secs(10))
    }

    fn with_timeout(timeout: Duration) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("plugins")).unwrap();
        // Whatever the umask is.
        mode(&home.path().join("plugins"), 0o755);
        let probe = ProbeCommand {
            program: env!("CARGO_BIN_EXE_switchboard").into(),
            args: vec!["plugin-probe".into()],
            timeout,
            create_timeout: timeout,
        };
        let libraries = Libraries::new(home.path().join("private"), probe).unwrap();
        Self { home, libraries }
    }

    fn plugins(&self) -> PathBuf {
        self.home.path().join("plugins")
    }

    /// Compiles a fixture to `<name>.so`.
    fn compile(&self, source: &str) -> PathBuf {
        self.compile_as(source, source, &[])
    }

    fn compile_as(&self, source: &str, name: &str, flags: &[&str]) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let to = self.plugins().join(format!("{name}.so"));
        let status = Command::new("cc")
            .args(["-std=c99", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-fPIC", "-shared"])
            .args(flags)
            .arg("-I")
            .arg(root.join("../sdk/c/include"))
            .arg("-o")
            .arg(&to)
            .arg(root.join("tests/it/fixtures").join(format!("{source}.c")))
            .status()
            .expect("a C compiler is installed");
        assert!(status.success(), "{source}.c does not compile");
        mode(&to, 0o755);
        to
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.plugins().join(name);
        fs::write(&path, bytes).unwrap();
        mode(&path, 0o644);
        path
    }

    fn load(&self, file: &Path) -> Arc<Library> {
        self.libraries.load(file).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The file is refused, by a sentence that names it and contains `reason`; no copy stays.
    #[track_caller]
    fn refused(&self, file: &Path, reason: &str) -> LoadError {
        let error = self.libraries.load(file).unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains(file.to_str().unwrap()), "{sentence}");
        assert!(sentence.contains(reason), "{sentence}");
        assert!(!sentence.contains("private"), "names the private copy: {sentence}");
        assert_eq!(self.copies(), Vec::<PathBuf>::new());
        error
    }

    fn copies(&self) -> Vec<PathBuf> {
        let entries = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        entries(&self.home.path().join("private"))
            .filter(|path| path.is_dir())
            .flat_map(|host| entries(&host).collect::<Vec<_>>())
            .filter(|path| path.extension().is_some_and(|extension| extension == "so"))
            .collect()
    }
}

fn answer(library: &Library) -> i32 {
    let create = library.entry().create.unwrap();
    // SAFETY: the fixture's create() looks at none of its arguments.
    #[allow(unsafe_code)]
    unsafe {
        create(ptr::null(), ptr::null(), ptr::null_mut(), ptr::null_mut())
    }
}

/// The files below `directory` that this process has mapped.
fn mapped(directory: &Path) -> HashSet<String> {
    let directory = fs::canonicalize(directory).unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let paths = maps.lines().filter_map(|line| line.find('/').map(|at| line[at..].to_owned()));
    paths.filter(|path| path.starts_with(directory.to_str().unwrap())).collect()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn a_plugin_loads_and_tells_who_it_is() {
    let fixture = Fixture::new();
    let file = fixture.compile("good");
    let library = fixture.load(&file);
    assert_eq!(library.id, "org.example.good");
    assert_eq!(library.version, "1.4.2");
    assert_eq!(library.build, "a fixture");
    assert_eq!(library.file, file);
    assert_eq!(library.bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(library.entry().abi_major, 1);
    assert_eq!(answer(&library), 1);
    assert_eq!(fixture.copies(), std::slice::from_ref(&library.copy));
    assert_eq!(fs::metadata(&library.copy).unwrap().permissions().mode() & 0o777, 0o500);
}

#[test]
fn equal_content_is_one_mapping_under_whatever_name() {
    let fixture = Fixture::new();
    let first = fixture.compile("good");
    let second = fixture.plugins().join("second.so");
    fs::copy(&first, &second).unwrap();
    let link = fixture.plugins().join("link.so");
    symlink("second.so", &link).unwrap();

    let library = fixture.load(&first);
    for file in [&first, &second, &link] {
        assert!(Arc::ptr_eq(&library, &fixture.load(file)));
    }
    assert_eq!(mapped(fixture.home.path()).len(), 1);
}

#[test]
fn loads_at_the_same_time_are_one_mapping() {
    let fixture = Fixture::new();
    let file = fixture.compile("good");
    let libraries: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| fixture.load(&file))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(libraries.iter().all(|library| Arc::ptr_eq(library, &libraries[0])));
    assert_eq!(mapped(fixture.home.path()).len(), 1);
}

#[test]
fn a_replaced_file_is_another_library_and_the_old_one_lives() {
    let fixture = Fixture::new();
    let file = fixture.compile_as("good", "good", &["-DANSWER=1"]);
    let old = fixture.load(&file);
    // In place, which would kill whoever had mapped this very file.
    let new = fixture.compile_as("good", "new", &["-DANSWER=2"]);
    fs::copy(&new, &file).unwrap();
    let new = fixture.load(&file);
    assert!(!Arc::ptr_eq(&old, &new));
    assert_eq!((answer(&old), answer(&new)), (1, 2));
    // By removal.
    fs::remove_file(&file).unwrap();
    assert_eq!((answer(&old), answer(&new)), (1, 2));
    assert_eq!(mapped(fixture.home.path()).len(), 2);
}

#[test]
fn libraries_outlive_their_host() {
    let fixture = Fixture::new();
    let file = fixture.compile_as("good", "good", &["-DANSWER=3"]);
    let library = fixture.load(&file);
    drop(fixture);
    assert_eq!(answer(&library), 3);
}

#[test]
fn what_is_no_plugin_is_refused_by_its_bytes() {
    let fixture = Fixture::new();
    let text = fixture.write("text.so", b"#!/bin/sh\necho hello\n");
    fixture.refused(&text, "is not a shared library");
    let empty = fixture.write("empty.so", b"");
    fixture.refused(&empty, "is empty");
    let no_plugin = fixture.compile("no_plugin");
    fixture.refused(&no_plugin, "is a shared library but not a Switchboard plugin");
    let future = fixture.compile("future_abi");
    fixture.refused(&future, "was made for plugin ABI 7, this host speaks 1");
    let no_entry = fixture.compile("no_entry");
    fixture.refused(&no_entry, "does not export switchboard_entry_v1");
    fixture.refused(&fixture.plugins(), "is not a regular file");
    let pipe = fixture.plugins().join("pipe.so");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    fixture.refused(&pipe, "is not a regular file");
    let huge = fixture.write("huge.so", b"\x7fELF");
    fs::File::options().write(true).open(&huge).unwrap().set_len((256 << 20) + 1).unwrap();
    fixture.refused(&huge, "has 268435457 bytes, more than");
    fixture.refused(&fixture.plugins().join("absent.so"), "No such file");
}

#[test]
fn a_file_cut_short_is_refused_wherever_it_was_cut() {
    let fixture = Fixture::new();
    let good = fs::read(fixture.compile("good")).unwrap();
    for end in [good.len() / 2, 63, 64, 5, good.len() - 1] {
        let cut = fixture.write("cut.so", &good[..end]);
        fixture.refused(&cut, "is cut short");
    }
}

#[test]
fn what_was_built_for_another_use_is_refused() {
    let fixture = Fixture::new();
    let good = fs::read(fixture.compile("good")).unwrap();
    for (at, byte, reason) in [
        (4, 1, "is for 32-bit machines"),
        (5, 2, "is for big-endian machines"),
        (16, 2, "but not a shared library; link it with -shared"),
        (18, 243, "is for RISC-V"),
        (19, 77, "is for a machine of ELF number"),
    ] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        fixture.refused(&fixture.write("foreign.so", &bytes), reason);
    }
}

#[test]
fn a_plugin_that_crashes_while_loading_is_refused() {
    let fixture = Fixture::new();
    let file = fixture.compile("crash_on_load");
    let error = fixture.refused(&file, "killed by SIGSEGV while loading");
    assert!(matches!(error, LoadError::Probe { .. }));
    let file = fixture.compile("exit_on_load");
    fixture.refused(&file, "ended the process (exit status: 0) while loading");
}

#[test]
fn a_plugin_that_hangs_while_loading_is_refused_in_time_and_leaves_no_process() {
    let fixture = Fixture::with_timeout(Duration::from_secs(1));
    let file = fixture.compile("hang_on_load");
    let begin = Instant::now();
    fixture.refused(&file, "did not finish loading in 1s");
    assert!(begin.elapsed() < Duration::from_secs(8));
    let private = fixture.home.path().join("private");
    assert!(!command_lines().iter().any(|line| line.contains(private.to_str().unwrap())));
}

fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap();
    let lines = processes.map(|process| fs::read(process.unwrap().path().join("cmdline")));
    lines.flatten().map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}

#[test]
fn what_a_plugin_prints_while_loading_does_no_harm() {
    let fixture = Fixture::new();
    let file = fixture.compile("noisy_on_load");
    // Not mapped here: it would crash this process at its end.
    let outcome = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .arg("plugin-probe")
        .arg(&file)
        .output()
        .unwrap();
    assert!(outcome.status.success(), "{outcome:?}");
    let line = String::from_utf8(outcome.stdout).unwrap();
    let expected = "a line, and half of switchboard-plugin-loads abi=1.0 id=org.example.good \
                    version=\"1.4.2\" build=\"a fixture\" blocks=false\n";
    assert_eq!(line, expected);
}

#[test]
fn a_missing_symbol_is_named() {
    let fixture = Fixture::new();
    let file = fixture.compile("undefined_symbol");
    fixture.refused(&file, "undefined symbol: nobody_has_this");
}

#[test]
fn an_entry_that_contradicts_its_note_is_refused() {
    let fixture = Fixture::new();
    let file = fixture.compile("entry_mismatch");
    fixture.refused(&file, "\"org.example.note\" in its note but \"org.example.entry\" in its");
    let file = fixture.compile("no_create");
    fixture.refused(&file, "create is NULL");
}

#[test]
fn what_others_may_write_is_refused() {
    let fixture = Fixture::new();
    let file = fixture.compile("good");
    let elsewhere = fixture.home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let link = elsewhere.join("good.so");
    symlink(&file, &link).unwrap();

    mode(&file, 0o666);
    fixture.refused(&file, "everybody may write");
    mode(&file, 0o644);
    for writable in [0o777, 0o1777] {
        mode(&fixture.plugins(), writable);
        fixture.refused(&file, "everybody may write");
        fixture.refused(&link, "everybody may write");
    }
    mode(&fixture.plugins(), 0o755);
    mode(&elsewhere, 0o777);
    fixture.refused(&link, "everybody may write");
    mode(&elsewhere, 0o755);
    assert_eq!(answer(&fixture.load(&link)), 1);
}

#[test]
fn what_belongs_to_others_is_refused() {
    let fixture = Fixture::new();
    let file = fixture.compile("good");
    if chown(&file, Some(12345), None).is_err() {
        return; // only root may give a file away
    }
    fixture.refused(&file, "belongs to user 12345");
    chown(&file, Some(0), None).unwrap();
    chown(fixture.plugins(), Some(12345), None).unwrap();
    fixture.refused(&file, "belongs to user 12345");
    chown(fixture.plugins(), Some(0), None).unwrap();
    mode(&file, 0o775);
    fixture.refused(&file, "group 0 may write");
}

#[test]
fn a_probe_that_does_not_start_is_an_error_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let mut probe = ProbeCommand::this_program();
    probe.program = "/nowhere/switchboard".into();
    let fixture = Fixture {
        libraries: Libraries::new(home.path().join("p"), probe).unwrap(),
        ..Fixture::new()
    };
    let file = fixture.compile("good");
    let error = fixture.libraries.load(&file).unwrap_err();
    assert!(error.to_string().contains("/nowhere/switchboard does not start"), "{error}");
}

#[test]
fn a_name_is_looked_up_in_order() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.plugins(), fixture.home.path().join("second"));
    fs::create_dir(&second).unwrap();
    let path = [first.clone(), second.clone()];

    let error = find(&path, "echo").unwrap_err().to_string();
    let tried = [
        first.join("libecho.so"),
        first.join("echo.so"),
        second.join("libecho.so"),
        second.join("echo.so"),
    ];
    let places: Vec<_> = tried.iter().map(|path| path.to_str().unwrap()).collect();
    assert!(error.contains(&format!("no plugin \"echo\": looked for {}", places.join(", "))));

    for (file, found) in tried.iter().rev().zip(tried.iter().rev()) {
        fs::write(file, "").unwrap();
        assert_eq!(find(&path, "echo").unwrap(), *found);
    }
    let direct = second.join("echo.so");
    assert_eq!(find(&[], direct.to_str().unwrap()).unwrap(), direct);
    assert!(find(&[], "./no/such.so").unwrap_err().to_string().contains("./no/such.so"));
    assert!(find(&[], "echo").unwrap_err().to_string().contains("plugin-path names no directory"));
}

#[test]
fn no_bytes_make_the_inspection_panic() {
    let fixture = Fixture::new();
    let good = fs::read(fixture.compile_as("good", "good", &["-s"])).unwrap();
    assert!(inspect(&good).is_ok());
    let mut random = Random(0x5eed);
    let mut accepted = 0;
    for case in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(8) {
            // Half of the changes go where the structure is: the headers, and the last kilobytes.
            let at = match random.below(4) {
                0 => random.below(1024.min(bytes.len())),
                1 => bytes.len() - 1 - random.below(2048.min(bytes.len())),
                _ => random.below(bytes.len()),
            };
            bytes[at] = match random.below(3) {
                0 => 0xff,
                1 => 0,
                _ => random.below(256) as u8,
            };
        }
        if case % 4 == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        accepted += usize::from(inspect(&bytes).is_ok());
    }
    // Most changes hit code or padding, which the inspection does not judge.
    assert!(accepted > 0);
    for end in 0..good.len().min(4096) {
        assert!(inspect(&good[..end]).is_err());
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }
}
