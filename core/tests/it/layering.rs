//! The order of the modules in `core/src/lib.rs` is the way of a message, and each uses only those
//! below it. This reads paths, not the language: a sign at the door, not a wall.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn a_module_uses_only_those_below_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let order = declared(&fs::read_to_string(source.join("lib.rs")).unwrap());
    assert!(order.len() > 10, "lib.rs is not understood: {order:?}");
    let mut wrong = Vec::new();
    let mut files = files_below(&source);
    files.sort();
    for file in files {
        let path: Vec<_> = module_of(file.strip_prefix(&source).unwrap());
        // `main` is another crate, and `lib` uses nothing.
        let Some(at) = path.first().and_then(|own| place(&order, own)) else { continue };
        for (line, used) in modules_used(&fs::read_to_string(&file).unwrap(), path.len()) {
            if place(&order, &used).is_some_and(|used| used < at) {
                let (file, own) = (file.display(), &path[0]);
                wrong.push(format!("{file}:{line}: `{own}` uses `{used}`, which stands above it"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n\nA module of core/src uses only those below it in lib.rs: {}.\n\
         Perhaps what both need belongs in a lower module; or a trait of the lower one, which the \
         upper one implements, turns the arrow round. If the order itself is wrong, change it in \
         lib.rs and in ARCHITECTURE.md.",
        wrong.join("\n"),
        order.join(", "),
    );
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    let in_depth_two = "
        use crate::front;
        use crate::{conf::{self, Limits}, route::Table, self as _,
            listener};
        fn f() { crate::server::serve() }
        use super::sibling;
        use super::super::stream::Tick;
        use super::super::{shard, topics::{endpoint}};
        use other_crate::library;
        /// [`crate::log`]
    ";
    let seen = modules_used(in_depth_two, 2);
    let names: Vec<_> = seen.iter().map(|(line, name)| (*line, name.as_str())).collect();
    let expected = [
        (2, "front"),
        (3, "conf"),
        (3, "route"),
        (3, "self"),
        (3, "listener"),
        (5, "server"),
        (7, "stream"),
        (8, "shard"),
        (8, "topics"),
        (10, "log"),
    ];
    assert_eq!(names, expected);
    assert_eq!(modules_used("use super::conf; use super::super::x;", 1), [(1, "conf".to_owned())]);
}

/// The names of `pub mod` lines, in their order.
fn declared(lib: &str) -> Vec<String> {
    let name = |line: &str| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned);
    lib.lines().filter_map(name).collect()
}

fn place(order: &[String], name: &str) -> Option<usize> {
    order.iter().position(|known| known == name)
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true => files_below(&path),
        false => vec![path],
    });
    files.filter(|file| file.extension().is_some_and(|end| end == "rs")).collect()
}

/// `connection/row.rs` is `connection::row`, `connection/mod.rs` is `connection`.
fn module_of(file: &Path) -> Vec<String> {
    let names = file.with_extension("");
    let names = names.iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name != "mod").collect()
}

/// The modules of the crate that a module, `depth` below its root, names: with their lines.
fn modules_used(text: &str, depth: usize) -> Vec<(usize, String)> {
    let climb = "super::".repeat(depth);
    let mut used = Vec::new();
    for root in ["crate::", &climb] {
        for (at, _) in text.match_indices(root) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || "_:".contains(before)) {
                continue;
            }
            let line = text[..at].matches('\n').count() + 1;
            let names = heads(&text[at + root.len()..]);
            used.extend(names.into_iter().filter(|name| name != "super").map(|name| (line, name)));
        }
    }
    used.sort_by_key(|(line, _)| *line);
    used
}

/// The first names of `a::b` or of `{a::b, c::{d, e}, f}`.
fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![head(path)];
    };
    let (mut depth, mut names, mut begin) = (0, Vec::new(), 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                names.push(head(group[begin..at].trim_start()));
                begin = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn head(path: &str) -> String {
    path.chars().take_while(|next| next.is_alphanumeric() || *next == '_').collect()
}
