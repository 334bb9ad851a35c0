//! What nobody may guess: masks of frames and keys of handshakes. RFC 6455, sections 4.1 and 5.3.

use std::cell::RefCell;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Bytes taken from the system at once.
const POOL_BYTES: usize = 1024;

struct Pool {
    bytes: [u8; POOL_BYTES],
    /// Bytes up to here are used.
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
}

/// A mask for one frame.
pub fn mask() -> [u8; 4] {
    take()
}

/// What the key of one handshake is made of.
pub(super) fn key() -> [u8; 16] {
    take()
}

fn take<const N: usize>() -> [u8; N] {
    POOL.with_borrow_mut(|pool| {
        if pool.used + N > POOL_BYTES {
            fill(&mut pool.bytes);
            pool.used = 0;
        }
        let mut taken = [0; N];
        taken.copy_from_slice(&pool.bytes[pool.used..pool.used + N]);
        pool.used += N;
        taken
    })
}

/// # Panics
/// The system has no getrandom(2), which Linux has had since 3.17.
fn fill(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => panic!("getrandom: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mask_is_as_the_one_before() {
        let masks: std::collections::HashSet<_> = (0..1000).map(|_| mask()).collect();
        assert!(masks.len() > 990, "{} of 1000 differ", masks.len());
        assert_ne!(key(), key());
    }
}
