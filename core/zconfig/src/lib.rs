//! The grammar of `zope.conf`: text to a tree with positions, without serde.
//!
//! It knows lines, sections, `%define`, `%include` and substitution; it does not know which
//! keys exist, what their values mean, or which sections may be doubled.
//!
//! ```
//! # struct Nothing;
//! # impl switchboard_zconfig::Loader for Nothing {
//! #     fn read(&self, _: &std::path::Path) -> std::io::Result<Vec<u8>> {
//! #         Ok(b"%define NAME /Chat\n<websocket /Chat>\n  title on $name\n</websocket>\n".into())
//! #     }
//! #     fn variable(&self, _: &str) -> Option<String> { None }
//! # }
//! # let loader = Nothing;
//! // zope.conf:  %define NAME /Chat
//! //             <websocket /Chat>
//! //               title on $name
//! //             </websocket>
//! let tree = switchboard_zconfig::parse("zope.conf".as_ref(), &loader).expect("a good conf");
//! let section = tree.root.sections().next().expect("one section");
//! assert_eq!(section.header(), "<websocket /Chat>");
//! assert_eq!(section.keys().next().expect("one key").value, "on /Chat");
//! assert_eq!(section.at.to_string(), "zope.conf:2");
//! ```
//!
//! # The grammar
//!
//! It is that of ZConfig 4.3, and `core/tests/zconfig` compares the two. Bytes are strict UTF-8;
//! a line ends at `\n` and nowhere else; white space around it ([`is_space`]) counts for nothing;
//! there is no continuation, no quoting and no comment after a value.
//!
//! | line | meaning |
//! |---|---|
//! | empty, `# ...` | nothing |
//! | `key value` | the value is the rest of the line, or empty |
//! | `<type>`, `<type name>` ... `</type>` | a section |
//! | `<type/>`, `<type name/>` | an empty section |
//! | `%define name value` | `$name` and `${name}` in any later value |
//! | `%include file` | the lines of that file, as if they stood here; it balances by itself |
//! | `%import package` | recorded in [`Tree::imports`], each once |
//!
//! Keys, types and names are any characters but white space and parentheses. Types, names and
//! `%define` names are lower-cased, keys are left to the schema. `$(NAME)` is an environment
//! variable and `$$` a dollar sign; values and the arguments of directives are substituted once,
//! from left to right. `%include` takes a URL, relative to the file: `%20` is a blank, and there
//! are no patterns.
//!
//! # Where it differs from ZConfig, on purpose
//!
//! The names are those by which the comparison counts them; nothing else may differ.
//!
//! | name | here | ZConfig |
//! |---|---|---|
//! | `place-of-substitution`, `place-of-include`, `place-of-import` | every error has file, line and column | none for a bad `$`, a file that cannot be opened, a bad component name |
//! | `place-of-bad-utf8` | the same for a byte that is not UTF-8 | Python's error for the whole file |
//! | `byte-order-mark` | skipped at the very beginning of a file | a part of the first word |
//! | `cycle` | an `%include` of a file that is being read is an error that shows the way round | goes on until Python's stack ends |
//! | `depth` | no file is more than [`INCLUDE_DEPTH_MAX`] includes away | no limit but that |
//! | `length` | all together comes to no more than [`TEXT_BYTES_MAX`] | no limit |
//! | `remote` | only `file:` URLs of this machine; `x:y` is a URL | fetches others; `package:` imports; `x:` is a drive |
//! | `localhost` | `file://localhost/a` is `/a` | looks for `/localhost/a` |
//! | `directory-of-a-file` | what a file includes is relative to where it lies; encoded dots (`%2E`) are dots | relative to the URL by which it was included, so `%2F`, `%2E%2E` and `?` count as letters |
//! | `import-of-anything` | nothing is imported; what to say to it is left to the reader of the tree | loads the component, or fails |
//! | `variable-not-utf8` | as if there were no such variable | its bytes as surrogates |
//!
//! Some of it does not show in a tree, or not to ZConfig: a section also keeps its name as written
//! ([`Section::raw_name`]), because a URL prefix has case; several errors are reported together; an
//! end that finds no section, after `<websocket /chat/>` has made an empty one, is told that
//! `<websocket /chat/ >` was meant. Which letters are upper case is for the Unicode tables of Rust
//! and of Python to say, and these may be of different years.
#![forbid(unsafe_code)]

mod define;
mod directive;
mod error;
mod line;
mod loader;
mod nesting;
mod parse;
mod source;
mod tree;

pub use define::TEXT_BYTES_MAX;
pub use error::{Error, ErrorKind};
pub use line::is_space;
pub use loader::{FsLoader, Loader, join};
pub use parse::{INCLUDE_DEPTH_MAX, Reader, parse};
pub use source::{Pos, Sources};
pub use tree::{Entry, Import, Key, Section, Tree};
