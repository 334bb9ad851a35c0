//! `switchboard conf tree`: what the parser makes of a text, for programs that compare or read it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use switchboard_zconfig::{Error, FsLoader, Pos, Reader, Section, Tree};

/// Prints conf files as trees: lines, sections and substitution, and nothing of what keys mean
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Options {
    /// One line of JSON a file, the only form there is
    #[arg(long, required = true)]
    json: bool,
    /// The conf files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

const AFTER_HELP: &str = "\
A good file is
  {\"type\":null,\"name\":null,\"pos\":null,\"items\":[[KEY,VALUE]..],\"item_pos\":[[FILE,LINE]..],
   \"sections\":[SECTION..],\"imports\":[PACKAGE..]}
and a section the same without imports, with its type and name in lower case and the place of its
header. Keys are as written, values after substitution, both in the order of the file. A bad file is
  {\"error\":{\"file\":FILE,\"line\":LINE,\"message\":TEXT}}
with the first error; line 0 is the file as a whole. Exit status: 0, or 78 if a file is bad.";

/// Prints a line for each file. Says whether all were good.
pub fn print(options: &Options, environment: impl Iterator<Item = (String, String)>) -> bool {
    let loader = FsLoader::new(environment);
    let mut good = true;
    let mut out = std::io::stdout().lock();
    for file in &options.files {
        let mut reader = Reader::new(&loader);
        let tree = reader.read(file);
        let error = reader.errors().first();
        good &= error.is_none();
        let line = error.map_or_else(|| tree_json(&tree), error_json);
        // Whoever closed the pipe wants no more lines.
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    good
}

/// Sections nest without limit, so what is open is kept here and not on the stack.
fn tree_json(tree: &Tree) -> String {
    let mut out = String::new();
    begin(&mut out, &tree.root);
    let mut open = vec![tree.root.sections()];
    while let Some(rest) = open.last_mut() {
        if let Some(section) = rest.next() {
            if out.ends_with('}') {
                out.push(',');
            }
            begin(&mut out, section);
            open.push(section.sections());
        } else {
            open.pop();
            out.push_str(if open.is_empty() { "]" } else { "]}" });
        }
    }
    let imports: Vec<_> = tree.imports.iter().map(|import| &import.package).collect();
    put(&mut out, format_args!(",\"imports\":{}}}", json!(imports)));
    out
}

/// A section up to the first of those in it.
fn begin(out: &mut String, section: &Section) {
    let root = section.type_name.is_empty();
    let type_name = (!root).then_some(&section.type_name);
    let at = (!root).then(|| place(&section.at));
    let items: Vec<_> = section.keys().map(|key| (&key.key, &key.value)).collect();
    let places: Vec<_> = section.keys().map(|key| place(&key.at)).collect();
    put(out, format_args!("{{\"type\":{},\"name\":{}", json!(type_name), json!(section.name)));
    put(out, format_args!(",\"pos\":{},\"items\":{}", json!(at), json!(items)));
    put(out, format_args!(",\"item_pos\":{},\"sections\":[", json!(places)));
}

fn place(at: &Pos) -> (String, u32) {
    (at.file.to_string_lossy().into_owned(), at.line)
}

fn error_json(error: &Error) -> String {
    let (file, line) = place(&error.at);
    json!({ "error": { "file": file, "line": line, "message": error.kind.to_string() } })
        .to_string()
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = out.write_fmt(text);
}
