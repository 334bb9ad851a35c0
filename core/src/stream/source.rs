//! What else a shard's poll may watch: sockets that are no client's.

use std::os::fd::RawFd;

/// A socket that belongs to an endpoint: a link to a program, a connection to another server. It
/// lives on one shard and does its own reading and writing there.
pub trait Source {
    /// What is watched. The same as long as it is.
    fn raw_fd(&self) -> RawFd;

    /// The socket has something to tell. Readiness is told once: read and write until the socket
    /// says that it has no more, or ask for another call by `shard::Local::schedule`. `buffer` is the
    /// shard's, to read into.
    fn ready(&self, ready: Ready, buffer: &mut [u8]);
}

/// What a socket tells. A call that nobody but the source itself asked for has neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    /// Perhaps there is something to read, or the end.
    pub read: bool,
    /// Perhaps there is room to write.
    pub write: bool,
}

/// Names a source on its shard. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);
