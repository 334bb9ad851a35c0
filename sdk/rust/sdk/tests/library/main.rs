//! The plugins as files: what a host finds in them without loading them, and what they do then.
#![allow(unsafe_code, clippy::unwrap_used)]

mod bundled;
#[allow(dead_code)] // the other tests use the rest
#[path = "../contract/fake.rs"]
mod fake;
mod file;
