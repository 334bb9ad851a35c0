//! The Rust twin of `sdk/c/include/switchboard/plugin.h` and `topics.h`.
//!
//! The C headers are the contract: what a field means, who owns what and which thread may call is
//! said there and not repeated here. This crate is layout only; a test compares each size and
//! offset with the C compiler's. It has no dependency and calls nothing.
#![no_std]
#![allow(non_camel_case_types, missing_docs)]

use core::ffi::{c_char, c_void};

mod plugin;
mod topics;

pub use plugin::*;
pub use topics::*;

/// A plugin's or a host's opaque pointer.
pub type Opaque = *mut c_void;
/// A zero-terminated string that lives as long as its owner.
pub type CString = *const c_char;
