//! The border to C, and the only module with `unsafe`. What an author sees stands outside.
//!
//! What every block here relies on is the contract in `plugin.h`: pointers that the host hands over
//! are valid for the length of the call, its own table as long as the process.

mod host;
mod instance;
mod note;
mod parked;
mod read;
mod session;

pub(crate) use host::Link;
pub use instance::entry;
pub use note::{Note, joined, terminated};
