//! The inner poll of a shard, as something that the runtime can wait for.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Becomes readable when `poll` has events.
///
/// # Errors
/// No more file descriptors.
pub fn readiness(poll: &mio::Poll) -> io::Result<AsyncFd<OwnedFd>> {
    use std::os::fd::{AsRawFd, BorrowedFd};
    // SAFETY: `poll` owns the descriptor and lives beyond this borrow.
    let borrowed = unsafe { BorrowedFd::borrow_raw(poll.as_raw_fd()) };
    let own = borrowed.as_fd().try_clone_to_owned()?;
    // SAFETY: the descriptor is owned by the `AsyncFd`, and nothing replaces or closes it there.
    unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) }.map_err(io::Error::from)
}
