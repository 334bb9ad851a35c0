//! Many WebSocket clients that know what must come back, and say what did not.
//!
//! Every message has a sender and a number, and its size, kind and bytes follow from them: so what
//! is lost, doubled, reordered, changed, or comes to the wrong connection has a name. It works
//! against any server that echoes; `switchboard bench` is its command line.
//!
//! ```no_run
//! use switchboard_load::{Goal, Plan, run};
//! use switchboard_websocket::Url;
//!
//! let mut plan = Plan::new(Url::parse("ws://127.0.0.1:8080/echo")?);
//! plan.connections = 200;
//! plan.goal = Goal::Messages(100);
//! let report = run(&plan)?;
//! assert!(report.is_well(), "{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

// A module uses only those below it.
pub mod soak;

mod worker;

mod client;

mod dial;

mod check;
mod message;

mod report;

mod histogram;
mod plan;
mod random;

pub use check::{Finding, Findings};
pub use histogram::Histogram;
pub use plan::{Faults, Goal, Kinds, Mode, Others, Plan};
pub use report::Report;
pub use worker::{Error, run};
