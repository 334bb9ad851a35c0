//! The callbacks as a host calls them, against a host that only writes down what it is asked.
#![allow(unsafe_code, clippy::unwrap_used)]

mod fake;
mod later;
mod lifecycle;
mod messages;
mod opening;
mod panics;
mod probe;
mod topics;
