//! The memory of the program: short pieces are jemalloc's, long ones the system's.
//!
//! Connections that open at once leave small rows between large buffers that are free again;
//! jemalloc keeps the two apart, where glibc held three times what was in use. A message that grows
//! to megabytes is better off with pages of its own: they move when it grows, where a copy needs
//! both places, and go back to the system the moment they are free.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};

use tikv_jemallocator::Jemalloc;

/// What a program sets as its `#[global_allocator]`, if it has called [`settle`] first thing in
/// `main`, or else with more memory held by the system's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allocator;

/// From this length on a piece has pages of its own.
const LONG_BYTES_MIN: usize = 256 << 10;

/// jemalloc reads this before `main`. What is free for a second goes back to the system; a thread of
/// its own sees to that, so that a host where nothing happens any more gives back what it does not
/// need.
// SAFETY: nothing else has this name, and it is what jemalloc declares under it: a pointer that is
// never written, to text that ends with a zero.
#[unsafe(export_name = "_rjem_malloc_conf")]
static CONF: &[u8; 43] = b"background_thread:true,dirty_decay_ms:1000\0";

/// Has the system give every long piece pages of its own. Left to itself it keeps the first one's
/// when that is freed, and from then on puts such a length among the others.
pub(crate) fn settle() {
    let bytes = libc::c_int::try_from(LONG_BYTES_MIN).unwrap_or(libc::c_int::MAX);
    // SAFETY: any thread may call it at any time.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, bytes) };
}

fn is_long(bytes: usize) -> bool {
    bytes >= LONG_BYTES_MIN
}

// SAFETY: each piece is given back to the one it came from, which its length tells, and both keep
// the contract of `GlobalAlloc`.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is that of the callee.
        unsafe {
            if is_long(layout.size()) { System.alloc(layout) } else { Jemalloc.alloc(layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            if is_long(layout.size()) {
                System.alloc_zeroed(layout)
            } else {
                Jemalloc.alloc_zeroed(layout)
            }
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: as above; of this length it came from the same.
        unsafe {
            if is_long(layout.size()) {
                System.dealloc(piece, layout);
            } else {
                Jemalloc.dealloc(piece, layout);
            }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above. A piece that changes sides is copied as far as it reaches in both, and
        // given back only if there is another.
        unsafe {
            match (is_long(layout.size()), is_long(bytes)) {
                (true, true) => System.realloc(piece, layout, bytes),
                (false, false) => Jemalloc.realloc(piece, layout, bytes),
                _ => {
                    let moved =
                        self.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(piece, bytes.min(layout.size()));
                        self.dealloc(piece, layout);
                    }
                    moved
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_keeps_its_bytes_whichever_side_it_comes_to() {
        let short = LONG_BYTES_MIN - 1;
        for (from, to) in [
            (16, short),
            (short, LONG_BYTES_MIN),
            (LONG_BYTES_MIN, 4 * LONG_BYTES_MIN),
            (4 * LONG_BYTES_MIN, 3 * LONG_BYTES_MIN),
            (LONG_BYTES_MIN, short),
        ] {
            let layout = Layout::from_size_align(from, 16).unwrap();
            let kept = from.min(to);
            // SAFETY: each piece is of the layout that it is used and given back with.
            unsafe {
                let piece = Allocator.alloc_zeroed(layout);
                assert!((0..from).all(|at| *piece.add(at) == 0), "{from}");
                (0..from).for_each(|at| *piece.add(at) = (at % 251) as u8);
                let piece = Allocator.realloc(piece, layout, to);
                assert!((0..kept).all(|at| *piece.add(at) == (at % 251) as u8), "{from} to {to}");
                Allocator.dealloc(piece, Layout::from_size_align(to, 16).unwrap());
            }
        }
    }
}
