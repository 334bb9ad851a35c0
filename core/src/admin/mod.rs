//! The control socket: HTTP with JSON over a Unix socket, for whoever looks after the host, and the
//! commands that ask there.
//!
//! A [`Socket`] is bound before anything is started, so that a second host ends before it does
//! harm. `serving` takes its clients, `routes` says what may be asked, `gathering` finds the answer
//! in a running [`Host`], and `report` is the shape in which it is told. On the other side `asking`
//! asks, and `command` has `show` make text of what came back, with `table`s; `running` asks
//! for those who only want to know whether there is one. `docs/control-api.md` is for
//! those who ask by other means.

mod asking;
mod command;
mod gathering;
mod report;
mod routes;
mod running;
mod serving;
mod show;
mod socket;
mod table;

pub use command::{Options, Question, run};
pub use gathering::Host;
pub use running::{Running, running};
pub use socket::{Socket, SocketError};
