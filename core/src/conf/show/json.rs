//! A conf for programs that read it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Effective, Line, Section, Source};

impl Effective {
    /// The conf in JSON, on one line: values as they are, and the source of each.
    ///
    /// `switchboard conf show --help` has the form.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = String::new();
        section(&mut out, &self.root);
        out.push('\n');
        out
    }
}

/// By hand, so that names stand before what they name.
fn section(out: &mut String, here: &Section) {
    let kind = Some(here.kind.name).filter(|name| !name.is_empty());
    put(
        out,
        format_args!("{{\"type\":{},\"name\":{},", text(&json!(kind)), text(&json!(here.name))),
    );
    put(out, format_args!("\"origin\":{},\"keys\":[", origin(here.source.as_ref())));
    let keys: Vec<String> = here.lines.iter().map(key).collect();
    put(out, format_args!("{}],\"sections\":[", keys.join(",")));
    for (index, inner) in here.sections.iter().filter(|inner| !inner.is_idle()).enumerate() {
        if index > 0 {
            out.push(',');
        }
        section(out, inner);
    }
    out.push_str("]}");
}

fn key(line: &Line) -> String {
    let (name, value) = (text(&json!(line.key)), text(&json!(line.value)));
    let (hidden, origin) = (line.is_hidden(), origin(Some(&line.source)));
    format!("{{\"key\":{name},\"value\":{value},\"hidden\":{hidden},\"origin\":{origin}}}")
}

fn origin(source: Option<&Source>) -> String {
    text(&match source {
        None => Value::Null,
        Some(Source::File(at)) => json!({ "file": at.file.to_string_lossy(), "line": at.line }),
        Some(Source::Environment(name)) => json!({ "environment": name }),
        Some(Source::Override(path)) => json!({ "override": path }),
        Some(Source::Default) => json!("default"),
        Some(Source::Computed) => json!("computed"),
    })
}

/// JSON escapes the control characters of ASCII; those that it may leave are escaped too, as a
/// terminal obeys them.
fn text(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' => put(&mut out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = out.write_fmt(text);
}
