//! The twin against the headers: each size, offset and constant, through the C compiler.
//!
//! Nothing can be left out. The struct patterns below name every Rust field, and the headers' own
//! text is searched for what the lists here do not name. Parameters of functions are not compared.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::mem::offset_of;

use switchboard_abi::*;

/// One `_Static_assert` for each fact about the twin.
#[derive(Default)]
struct Facts {
    lines: String,
    structs: BTreeSet<&'static str>,
    /// `struct.field`
    fields: BTreeSet<String>,
    constants: BTreeSet<&'static str>,
}

impl Facts {
    fn field(&mut self, name: &'static str, field: &str, offset: usize, size: usize) {
        // `self` is a word of Rust.
        let field = if field == "this" { "self" } else { field };
        self.fields.insert(format!("{name}.{field}"));
        self.hold(
            &format!("offsetof({name}, {field}) == {offset}"),
            &format!("{name}.{field}: Rust says offset {offset}"),
        );
        self.hold(
            &format!("sizeof((({name} *)0)->{field}) == {size}"),
            &format!("{name}.{field}: Rust says {size} bytes"),
        );
    }

    fn whole(&mut self, name: &'static str, size: usize, align: usize) {
        self.structs.insert(name);
        self.hold(&format!("sizeof({name}) == {size}"), &format!("{name}: Rust says {size} bytes"));
        self.hold(
            &format!("_Alignof({name}) == {align}"),
            &format!("{name}: Rust says alignment {align}"),
        );
    }

    fn number(&mut self, name: &'static str, value: i128) {
        self.constants.insert(name);
        self.hold(&format!("{name} == {value}"), &format!("{name}: Rust says {value}"));
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.constants.insert(name);
        self.hold(
            &format!("__builtin_strcmp({name}, \"{value}\") == 0"),
            &format!("{name}: Rust says {value}"),
        );
    }

    fn hold(&mut self, condition: &str, otherwise: &str) {
        writeln!(self.lines, "_Static_assert({condition}, \"{otherwise}\");").expect("a String");
    }
}

fn size_of_field<T, F>(_field: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! structs {
    ($facts:ident: $($name:ident { $($field:ident),* $(,)? })*) => {$(
        // Does not compile when the Rust struct has a field that is not listed.
        let _ = |$name { $($field: _),* }: &$name| ();
        $($facts.field(
            stringify!($name),
            stringify!($field),
            offset_of!($name, $field),
            size_of_field(|whole: &$name| &whole.$field),
        );)*
        $facts.whole(stringify!($name), size_of::<$name>(), align_of::<$name>());
    )*};
}

macro_rules! numbers {
    ($facts:ident: $($name:ident)*) => { $($facts.number(stringify!($name), i128::from($name));)* };
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    structs! { facts:
        sb_bytes { ptr, len }
        sb_pair { name, value }
        sb_sink { size, reserved, ctx, write }
        sb_open {
            size, flags, conn_uid, method, scheme, authority, target, route, path, query, peer,
            local, subprotocol, subprotocols, n_subprotocols, headers, n_headers, state,
            state_format, acked,
        }
        sb_message { size, kind, seq, data, buf, flags, reserved }
        sb_closed { size, why, code, reserved, reserved2, reason }
        sb_config { size, reserved, route, name, settings, n_settings }
        sb_accept { size, flags, subprotocol, headers, n_headers }
        sb_reject { size, status, reserved, headers, n_headers, body }
        sb_host {
            size, abi_major, abi_minor, ctx, name, version, accept, reject, send, send_buf, close,
            ack, retain, buf_new, buf_data, buf_ref, buf_unref, log, extension,
        }
        sb_plugin {
            size, flags, this, start, open, message, writable, closed, export_state, drain, stop,
            destroy, extension,
        }
        sb_entry { size, abi_major, abi_minor, flags, id, version, build, create }
        sb_note_head { abi_major, abi_minor, flags }

        sb_topic_message { kind, reserved, data }
        sb_subscribe { size, flags, key, metadata, joined, left, history_messages, reserved }
        sb_publish { size, flags, message, except }
        sb_topics { size, reserved, subscribe, unsubscribe, publish }
        sb_topic_member { conn_uid, key, metadata }
        sb_topic_retained { seq, message }
        sb_topic_snapshot {
            size, status, topic, key, seq, members, n_members, history, n_history,
        }
        sb_topic_events { size, reserved, subscribed }
    }
    numbers! { facts:
        SB_ABI_MAJOR SB_ABI_MINOR
        SB_OK SB_PRESSURE SB_DEFERRED
        SB_E_AGAIN SB_E_CLOSED SB_E_TOO_BIG SB_E_INVALID SB_E_DENIED SB_E_NOMEM SB_E_UNSUPPORTED
        SB_E_BUSY SB_E_PANIC SB_E_TIMEOUT SB_E_FAILED
        SB_TEXT SB_BINARY
        SB_LOG_ERROR SB_LOG_WARN SB_LOG_INFO SB_LOG_DEBUG SB_LOG_TRACE
        SB_OPEN_RESUMED SB_OPEN_TLS
        SB_MESSAGE_REPLAY
        SB_WHY_CLIENT SB_WHY_LOCAL SB_WHY_IDLE SB_WHY_SLOW SB_WHY_SHUTDOWN SB_WHY_MIGRATED
        SB_WHY_FAULT SB_WHY_ERROR
        SB_DRAIN_NONE SB_DRAIN_SHUTDOWN SB_DRAIN_UPGRADE SB_DRAIN_OVERLOAD
        SB_ENTRY_NEVER_BLOCKS SB_NOTE_TYPE
        SB_SUBSCRIBE_SNAPSHOT SB_PUBLISH_RETAIN
    }
    facts.text("SB_ENTRY_SYMBOL", SB_ENTRY_SYMBOL);
    facts.text("SB_NOTE_SECTION", SB_NOTE_SECTION);
    facts.text("SB_NOTE_NAME", SB_NOTE_NAME);
    facts.text("SB_TOPICS_ID", SB_TOPICS_ID.to_str().expect("ASCII"));
    facts
}

#[test]
fn the_twin_has_the_layout_and_the_values_of_the_headers() {
    let facts = facts();
    if let Some(text) = verdict(&facts.lines) {
        panic!("the twin and the headers have drifted apart:\n{text}");
    }
}

#[test]
fn a_drift_is_named() {
    let mut facts = Facts::default();
    facts.number("SB_TEXT", 9);
    facts.field("sb_plugin", "this", 4, 8);
    facts.text("SB_NOTE_NAME", "OTHER");
    let text = verdict(&facts.lines).expect("none of it is true");
    for said in
        ["SB_TEXT: Rust says 9", "sb_plugin.self: Rust says offset 4", "SB_NOTE_NAME: Rust says"]
    {
        assert!(text.contains(said), "{said} is missing in:\n{text}");
    }
}

fn verdict(lines: &str) -> Option<String> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let file = format!("layout-{}.c", FILES.fetch_add(1, Ordering::Relaxed));
    let source =
        format!("#include <switchboard/plugin.h>\n#include <switchboard/topics.h>\n{lines}");
    common::complaints("cc", &["-std=c11"], &file, &source)
}

#[test]
fn nothing_in_the_headers_is_missing_here() {
    let facts = facts();
    for name in ["plugin.h", "topics.h"] {
        let path = common::include_dir().join("switchboard").join(name);
        let text = without_comments(&std::fs::read_to_string(path).expect("the header"));
        for (name, fields) in structs(&text) {
            assert!(facts.structs.contains(name.as_str()), "struct {name} has no twin");
            for field in fields {
                let field = format!("{name}.{field}");
                assert!(facts.fields.contains(&field), "{field} has no twin");
            }
        }
        for name in constants(&text) {
            assert!(facts.constants.contains(name), "{name} has no twin");
        }
    }
}

#[test]
fn no_constant_of_the_twin_is_missing_here() {
    let facts = facts();
    for source in [include_str!("../src/plugin.rs"), include_str!("../src/topics.rs")] {
        let names = source.lines().filter_map(|line| {
            Some(line.strip_prefix("pub const ")?.split_once(':').expect("a constant has a type").0)
        });
        for name in names {
            assert!(facts.constants.contains(name), "{name} is not compared");
        }
    }
}

fn without_comments(text: &str) -> String {
    let mut left = String::new();
    let mut rest = text;
    while let Some((code, comment)) = rest.split_once("/*") {
        left.push_str(code);
        rest = comment.split_once("*/").expect("a comment has an end").1;
    }
    left + rest
}

/// Each `typedef struct NAME { ... }` with the names of its fields.
fn structs(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for piece in text.split("typedef struct ").skip(1) {
        let Some((name, body)) = piece.split_once('{') else { continue };
        let name = name.trim();
        if name.contains(';') {
            continue; // declared only
        }
        let body = body.split_once("\n}").expect("a struct has an end").0;
        found.push((name.to_owned(), body.split(';').flat_map(names_declared).collect()));
    }
    assert!(!found.is_empty(), "a header without structs");
    found
}

/// `uint16_t a, b` declares a and b, `void (*f)(int)` declares f.
fn names_declared(declaration: &str) -> Vec<String> {
    let declaration = declaration.trim();
    if declaration.is_empty() {
        return Vec::new();
    }
    // The first `(*` is the function's name unless it returns a pointer, where it still is.
    if let Some((_, name)) = declaration.split_once("(*") {
        return vec![name.split_once(')').expect("(*name)").0.to_owned()];
    }
    let last_word =
        |part: &str| part.rsplit([' ', '*', '\n']).next().expect("rsplit yields one").to_owned();
    declaration.split(',').map(|part| last_word(part.trim())).collect()
}

/// Each `#define SB_NAME value`; not the macros with parameters, nor those that are attributes.
fn constants(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
        .filter(|(name, value)| !name.contains('(') && !value.trim().is_empty())
        .map(|(name, _)| name)
        .filter(|name| !["SB_PUBLIC", "SB_IN_NOTE", "SB_EXTERN_C"].contains(name))
        .collect()
}
