//! Write Switchboard endpoints in Rust.
