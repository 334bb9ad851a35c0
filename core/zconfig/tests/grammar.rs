//! The grammar as a whole: files in memory to trees and errors.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use switchboard_zconfig::{Entry, Loader, Reader, Section, parse};

/// Files and variables that are only here.
#[derive(Default)]
struct Memory(HashMap<String, Vec<u8>>);

impl Memory {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect())
    }
}

impl Loader for Memory {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let name = file.to_str().expect("test paths are UTF-8");
        self.0.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/me".into())
    }
}

/// `type:name{key=value; ...}`, short enough for a table.
fn short(section: &Section) -> String {
    let entries: Vec<String> = section
        .entries
        .iter()
        .map(|entry| match entry {
            Entry::Key(key) => format!("{}={}", key.key, key.value),
            Entry::Section(section) => short(section),
        })
        .collect();
    let name = section.name.as_ref().map(|name| format!(":{name}")).unwrap_or_default();
    let empty = if section.empty { "/" } else { "" };
    format!("{}{name}{empty}{{{}}}", section.type_name, entries.join("; "))
}

fn errors(files: &[(&str, &str)]) -> Vec<String> {
    let memory = Memory::of(files);
    let mut reader = Reader::new(&memory);
    reader.read(files[0].0.as_ref());
    reader.errors().iter().map(|e| format!("{}:{}: {}", e.at, e.at.column, e.kind)).collect()
}

#[test]
fn valid_texts_become_trees() {
    let cases = [
        ("", "{}"),
        ("\n\n# nothing\n", "{}"),
        ("k v", "{k=v}"),
        ("K\r\nK  a  b \r\n", "{K=; K=a  b}"),
        ("\u{feff}k v\n", "{k=v}"),
        ("<A B>\nk v\n</a>\n", "{a:b{k=v}}"),
        ("<a/>\n<a b/>\n<a //>\n", "{a/{}; a:b/{}; a:/ /{}}"),
        ("<a / >\n</a >\n", "{a:/{}}"),
        ("<a>\n<b>\n<c/>\nk v\n</b>\nl w\n</a>", "{a{b{c/{}; k=v}; l=w}}"),
        ("<É Ü>\n</É>\n", "{é:ü{}}"),
        ("%define X 1\n<a>\n%define y $x$x\n</a>\nk $y ${Y}", "{a{}; k=11 11}"),
        ("%define x\nk [$x]\n", "{k=[]}"),
        ("%define x 1\n%define X 1\n", "{}"),
        ("%define d $$x\nk $d $$d\n", "{k=$x $d}"),
        ("k $(HOME)/x\n", "{k=/home/me/x}"),
        // Neither keys nor names are substituted.
        ("$k v\n<$a $b/>\n", "{$k=v; $a:$b/{}}"),
        ("k v \u{1c}\n", "{k=v}"),
        ("k\u{a0}v\u{200b}\n", "{k=v\u{200b}}"),
    ];
    for (text, expected) in cases {
        let tree = parse("z.conf".as_ref(), &Memory::of(&[("z.conf", text)]));
        let expected = expected.replace("a:/ /", "a://");
        assert_eq!(short(&tree.expect(text).root), expected, "{text:?}");
    }
}

#[test]
fn each_error_has_its_place() {
    let cases = [
        ("ok 1\n  (k v\n", "z.conf:2:3: malformed configuration data"),
        ("<a>\n</a\n", "z.conf:2:1: malformed section end"),
        ("k\n<a> # x\n</a>\n", "z.conf:2:1: malformed section start"),
        ("<a b c>\n</a>\n", "z.conf:1:1: malformed section header"),
        (
            "<a>\n<b>\n</a>\n",
            "z.conf:3:1: unbalanced section end: </a> stands where </b> of z.conf:2 is",
        ),
        ("<a>\n</b>\n</a>\n", "z.conf:2:1: unbalanced section end"),
        ("<a>\n</ a>\n", "z.conf:2:1: unbalanced section end"),
        ("<a b>\n</a b>\n", "z.conf:2:1: unbalanced section end"),
        ("</>\n", "z.conf:1:1: unexpected section end"),
        (" </a>\n", "z.conf:1:2: unexpected section end: no <a> is open here"),
        (
            "<a>\nk v\n\n",
            "z.conf:3:1: unclosed sections not allowed: the file ends before </a> of z.conf:1",
        ),
        ("<a>k</a>\n", "z.conf:1:1: unclosed sections not allowed"),
        ("% define a\n", "z.conf:1:1: missing or unrecognized directive"),
        ("  %DEFINE a\n", "z.conf:1:3: unknown directive: '%DEFINE'"),
        ("%define\n", "z.conf:1:1: missing argument to %define directive"),
        ("%include \n", "z.conf:1:1: missing argument to %include directive"),
        ("%define a-b 1\n", "z.conf:1:9: not a substitution legal name: 'a-b'"),
        ("%define a 1\n%define A 2\n", "z.conf:2:9: cannot redefine 'a': it is '1' since z.conf:1"),
        ("k a $Nope\n", "z.conf:1:5: no replacement for '$Nope'"),
        ("k é $\n", "z.conf:1:5: illegal lone '$' at end of source"),
        ("k ${a\n", "z.conf:1:3: '${a' not followed by '}'"),
        ("%include b.conf\n", "z.conf:1:10: cannot read b.conf: there is no such file"),
        ("%include a # b\n", "z.conf:1:10: fragment identifiers are not supported"),
        ("%include http://x/y\n", "z.conf:1:10: %include takes files of this machine only"),
        ("%import a..b\n", "z.conf:1:9: illegal schema component name: 'a..b'"),
        ("%include z.conf\n", "z.conf:1:10: %include cycle: z.conf -> z.conf"),
    ];
    for (text, expected) in cases {
        let found = errors(&[("z.conf", text)]);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert!(found[0].starts_with(expected), "{text:?}: {}", found[0]);
    }
}

#[test]
fn a_section_that_was_made_empty_by_its_slash_is_told_so() {
    let found = errors(&[("z.conf", "<websocket /chat/>\nk v\n</websocket>\n")]);
    let expected = "z.conf:3:1: unexpected section end: no <websocket> is open here; \
                    '/>' makes a section empty; write <websocket /chat/ >";
    assert_eq!(found, [expected]);
    let found = errors(&[("z.conf", "<http />\n<static />\nk v\n</static>\n</http>\n<a>\n</a>\n")]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].ends_with("write <http / > for the name /"), "{}", found[1]);
}

#[test]
fn what_stands_in_such_a_section_belongs_to_it() {
    let memory = Memory::of(&[("z.conf", "<a /b/>\n<c/>\nk v\n</a>\nl w\n")]);
    let mut reader = Reader::new(&memory);
    let tree = reader.read("z.conf".as_ref());
    assert_eq!(short(&tree.root), "{a:/b{c/{}; k=v}; l=w}");
}

#[test]
fn all_errors_are_found_in_one_reading() {
    let text = "(x\n<a b c>\nk $nope\n</a>\n</b>\n%wrong\n<c>\n<d>\n</c>\n<e>\n";
    let found = errors(&[("z.conf", text)]);
    let lines: Vec<_> = found.iter().map(|e| e.split(':').nth(1).expect("a line")).collect();
    assert_eq!(lines, ["1", "2", "3", "5", "6", "9", "10"], "{found:#?}");
}

#[test]
fn a_missing_definition_is_reported_once() {
    let found = errors(&[("z.conf", "%define a $nope\nk $a\n%define b $a\nl $b\n")]);
    assert_eq!(found.len(), 1, "{found:?}");
    let found = errors(&[("z.conf", "%include none.conf\nk $a\nl $\n")]);
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn errors_end_somewhere() {
    let found = errors(&[("z.conf", &"(\n".repeat(1000))]);
    assert_eq!(found.len(), 100);
    assert!(found[99].contains("too many errors"), "{}", found[99]);
}

#[test]
fn an_include_stands_for_its_lines() {
    let files = [
        ("/etc/z.conf", "<a>\n%include sub/b.conf\nk $x\n</a>\n%include sub/c%20d.conf\n"),
        ("/etc/sub/b.conf", "%define x 1\nb $X\n%include ../e.conf\n"),
        ("/etc/sub/c d.conf", "<c/>\n"),
        ("/etc/e.conf", "e v\n"),
    ];
    let tree = parse("/etc/z.conf".as_ref(), &Memory::of(&files)).expect("good files");
    assert_eq!(short(&tree.root), "{a{b=1; e=v; k=1}; c/{}}");
    let section = tree.root.sections().next().expect("a section");
    let places: Vec<_> = section.keys().map(|key| key.at.to_string()).collect();
    assert_eq!(places, ["/etc/sub/b.conf:2", "/etc/e.conf:1", "/etc/z.conf:3"]);
}

#[test]
fn each_file_balances_by_itself() {
    let found = errors(&[("a", "<x>\n%include b\n</x>\n"), ("b", "</x>\n")]);
    assert_eq!(found, ["b:1:1: unexpected section end: no <x> is open here"]);
    let found = errors(&[("a", "%include b\n</x>\n"), ("b", "<x>\n")]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("b:1:1: unclosed sections"), "{}", found[0]);
}

#[test]
fn a_cycle_shows_its_way_round() {
    let files = [("a", "%include b\n"), ("b", "%include c\n"), ("c", "\n%include ./b\n")];
    assert_eq!(
        errors(&files),
        ["c:2:10: %include cycle: b -> c -> b; a file cannot include itself"]
    );
}

#[test]
fn includes_go_sixty_four_deep() {
    let chain = |n: u32| {
        let last = (format!("f{n}"), "k v".to_string());
        let way = (0..n).map(|i| (format!("f{i}"), format!("%include f{}\n", i + 1)));
        way.chain([last]).collect::<Vec<_>>()
    };
    let run = |files: &[(String, String)]| {
        let files: Vec<_> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        errors(&files)
    };
    assert!(run(&chain(64)).is_empty());
    assert_eq!(run(&chain(65)), ["f64:1:10: %include goes deeper than 64 files"]);
}

/// The error behind `"z.conf:"`, of a conf that must have one.
fn too_long(files: &[(&str, &str)]) -> String {
    let found = errors(files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("the conf comes to more than 64 MB"), "{found:?}");
    found[0].clone()
}

#[test]
fn a_value_that_doubles_again_and_again_ends_somewhere() {
    let double = |i: usize| format!("%define x{} $x{}$x{}\n", i + 1, i, i);
    let doubled: String = (0..60).map(double).collect();
    let found = too_long(&[("z.conf", &format!("%define x0 0123456789abcdef\n{doubled}<a>\n"))]);
    assert!(found.starts_with("z.conf:22:9: "), "{found}");
    let keys = "k $x16\n".repeat(100);
    let doubled: String = (0..16).map(double).collect();
    let found = too_long(&[("z.conf", &format!("%define x0 0123456789abcdef\n{doubled}{keys}"))]);
    assert!(found.starts_with("z.conf:79:3: "), "{found}");
}

#[test]
fn variables_and_short_lines_end_somewhere() {
    let file = |text: &str| too_long(&[("z.conf", text)]);
    // "/home/me" for each.
    let found = file(&format!("k {}", "$(HOME)".repeat(9 << 20)));
    assert!(found.starts_with("z.conf:1:"), "{found}");
    let found = file(&"y\n".repeat(2 << 20));
    assert!(found.starts_with("z.conf:9"), "{found}");
}

#[test]
fn a_message_has_a_length_whatever_a_reference_stands_for() {
    let doubled: String = (0..12).map(|i| format!("%define x{} $x{i}$x{i}\n", i + 1)).collect();
    let begin = format!("%define x0 abcdefghijklmnop\n{doubled}");
    for line in ["%include $x12", "%include ftp://$x12", "%import a..$x12", "%define x12 b"] {
        let found = errors(&[("z.conf", &format!("{begin}{line}\n"))]);
        assert!(found.len() == 1 && found[0].len() < 400, "{line}: {found:?}");
    }
}

#[test]
fn files_that_include_others_twice_end_somewhere() {
    let names: Vec<_> = (0..=40).map(|i| format!("f{i}")).collect();
    let twice = |i: usize| format!("%include f{}\n", i + 1).repeat(2);
    let texts: Vec<_> = (0..40).map(twice).chain([String::new()]).collect();
    let files: Vec<_> =
        names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
    too_long(&files);
}

#[test]
fn a_file_without_an_end_is_not_read_to_it() {
    let loader = switchboard_zconfig::FsLoader::default();
    let errors = parse("/dev/zero".as_ref(), &loader).expect_err("it has no end");
    let message = "/dev/zero: the conf comes to more than 64 MB";
    assert!(errors.len() == 1 && errors[0].to_string().starts_with(message), "{errors:?}");
}

#[test]
fn a_byte_that_is_not_utf8_is_named_with_its_line() {
    let mut memory = Memory::default();
    memory.0.insert("bom.conf".into(), b"\xef\xbb\xbfcaf\xe9\n".into());
    let errors = parse("bom.conf".as_ref(), &memory).expect_err("not UTF-8");
    assert_eq!((errors[0].at.line, errors[0].at.column), (1, 4), "the mark is no character");
    memory.0.insert("z.conf".into(), b"ok v\nk \xc3\xa9 caf\xe9\n".into());
    let errors = parse("z.conf".as_ref(), &memory).expect_err("not UTF-8");
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].at.line, errors[0].at.column), (2, 8));
    assert_eq!(errors[0].to_string(), "z.conf:2: not UTF-8: byte 0xE9; save the file as UTF-8");
}

#[test]
fn imports_are_recorded_once() {
    let text = "%import relstorage\n<a>\n%import relstorage\n%import b.c\n</a>\n";
    let tree = parse("z".as_ref(), &Memory::of(&[("z", text)])).expect("good");
    let names: Vec<_> = tree.imports.iter().map(|i| (i.package.as_str(), i.at.line)).collect();
    assert_eq!(names, [("relstorage", 1), ("b.c", 4)]);
}

#[test]
fn positions_name_header_end_key_and_value() {
    let text = "\n  <a b>\n   key   value\n  </a>\n<c/>\n";
    let tree = parse("z".as_ref(), &Memory::of(&[("z", text)])).expect("good");
    let place = |at: &switchboard_zconfig::Pos| (at.line, at.column);
    let sections: Vec<_> = tree.root.sections().collect();
    assert_eq!((place(&sections[0].at), place(&sections[0].end)), ((2, 3), (4, 3)));
    assert_eq!((place(&sections[1].at), place(&sections[1].end)), ((5, 1), (5, 1)));
    let key = sections[0].keys().next().expect("a key");
    assert_eq!((place(&key.at), place(&key.value_at)), ((3, 4), (3, 10)));
}

#[test]
fn several_files_share_their_definitions() {
    let memory = Memory::of(&[("a", "%define x 1\n"), ("b", "k $x\n%define x 2\n")]);
    let mut reader = Reader::new(&memory);
    reader.read("a".as_ref());
    assert_eq!(short(&reader.read("b".as_ref()).root), "{k=1}");
    assert_eq!(reader.errors().len(), 1);
    assert_eq!(reader.sources().line(&reader.errors()[0].at), Some("%define x 2"));
}

#[test]
fn depth_costs_no_stack() {
    let text = "<a>\n".repeat(300_000) + &"</a>\n".repeat(300_000);
    let tree = parse("z".as_ref(), &Memory::of(&[("z", &text)])).expect("good");
    assert_eq!(tree.root.sections().count(), 1);
}

#[test]
fn no_bytes_make_it_panic() {
    // Every short text over an alphabet of what means something to the grammar.
    let alphabet =
        ["<", ">", "/", "a", " ", "\n", "%define ", "%include ", "$", "{", "(", ")", "é"];
    let mut texts = vec![String::new()];
    for _ in 0..4 {
        texts = texts.iter().flat_map(|t| alphabet.map(|piece| format!("{t}{piece}"))).collect();
        for text in &texts {
            let memory = Memory::of(&[("z", text)]);
            if let Err(errors) = parse("z".as_ref(), &memory) {
                assert!(errors.iter().all(|e| e.at.line > 0 && e.width > 0), "{text:?}");
            }
        }
    }
}

#[test]
fn the_file_system_loader_reads_files_and_says_why_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("z.conf");
    std::fs::write(&file, "home $(HOME)\n%include .\n").expect("written");
    let loader = switchboard_zconfig::FsLoader::new([("HOME".into(), "/h".into())]);
    let mut reader = Reader::new(&loader);
    assert_eq!(short(&reader.read(&file).root), "{home=/h}");
    let message = reader.errors()[0].to_string();
    assert!(message.ends_with("it is a directory"), "{message}");
}
