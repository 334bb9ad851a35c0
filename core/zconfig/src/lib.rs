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
//! It is that of ZConfig 4. Bytes are strict UTF-8; a line ends at `\n`; white space around it
//! counts for nothing; there is no continuation, no quoting and no comment after a value.
//!
//! | line | meaning |
//! |---|---|
//! | empty, `# ...` | nothing |
//! | `key value` | the value is the rest of the line |
//! | `<type>`, `<type name>` ... `</type>` | a section |
//! | `<type/>`, `<type name/>` | an empty section |
//! | `%define name value` | `$name` and `${name}` in any later value |
//! | `%include file` | the lines of that file, as if they stood here |
//! | `%import package` | recorded in [`Tree::imports`] |
//!
//! `$(NAME)` is an environment variable and `$$` a dollar sign. Types, names and `%define` names
//! are lower-cased, keys are left to the schema.
//!
//! # Where it differs from ZConfig, on purpose
//!
//! - A section also keeps its name as written ([`Section::raw_name`]), because a URL prefix has
//!   case.
//! - Every error has a file, a line and a column, also those of substitution, of a missing include
//!   and of a byte that is not UTF-8. Several errors are reported together.
//! - An `%include` of a file that is being read is an error that shows the way round; so is
//!   one more than [`INCLUDE_DEPTH_MAX`] files deep. URLs other than `file:` are refused.
//! - Nothing is imported by `%import`; what to say to it is left to the reader of the tree.
//! - A byte order mark at the very beginning of a file is skipped.
//! - An end that finds no section, after `<websocket /chat/>` has made an empty one, is told that
//!   `<websocket /chat/ >` was meant.
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

pub use error::{Error, ErrorKind};
pub use line::is_space;
pub use loader::{FsLoader, Loader, join};
pub use parse::{INCLUDE_DEPTH_MAX, Reader, parse};
pub use source::{Pos, Sources};
pub use tree::{Entry, Import, Key, Section, Tree};
