//! `sb_buf`: bytes that the host owns and counts references to.

use std::sync::atomic::{AtomicUsize, Ordering, fence};

use bytes::Bytes;
use switchboard_abi::sb_buf;

struct Buffer {
    references: AtomicUsize,
    /// From a `Box<[u8]>`; no Rust reference to it is kept, for the plugin writes there.
    bytes: *mut [u8],
}

/// One reference to a buffer. Given to a plugin as a pointer and taken back from it.
pub(super) struct BufferRef(*mut Buffer);

// SAFETY: the count is atomic; the bytes are changed only by a plugin that holds the only reference.
unsafe impl Send for BufferRef {}
// SAFETY: as above.
unsafe impl Sync for BufferRef {}

impl BufferRef {
    /// `len` zeroed bytes. `None`: no memory.
    pub(super) fn zeroed(len: usize) -> Option<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).ok()?;
        bytes.resize(len, 0);
        Some(Self::of(bytes))
    }

    /// A copy. `None`: no memory.
    pub(super) fn copy_of(source: &[u8]) -> Option<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(source.len()).ok()?;
        bytes.extend_from_slice(source);
        Some(Self::of(bytes))
    }

    fn of(bytes: Vec<u8>) -> Self {
        let bytes = Box::into_raw(bytes.into_boxed_slice());
        Self(Box::into_raw(Box::new(Buffer { references: AtomicUsize::new(1), bytes })))
    }

    /// Hands the reference to the plugin.
    pub(super) fn into_raw(self) -> *mut sb_buf {
        let raw = self.0;
        std::mem::forget(self);
        raw.cast()
    }

    /// Takes a reference back. `None` for NULL.
    ///
    /// # Safety
    /// The plugin ensures that `raw` comes from `into_raw` and that it gives a reference up for it.
    pub(super) unsafe fn from_raw(raw: *mut sb_buf) -> Option<Self> {
        if raw.is_null() { None } else { Some(Self(raw.cast())) }
    }

    /// The bytes, for the plugin.
    pub(super) fn data(&self) -> (*mut u8, usize) {
        // SAFETY: this reference keeps the buffer alive.
        let bytes = unsafe { (*self.0).bytes };
        (bytes.cast(), bytes.len())
    }

    /// The bytes without a copy; the reference is given back when they are dropped.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for BufferRef {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: this reference keeps the buffer alive, and by the ABI a plugin writes to it only
        // while it holds the one reference there is, not during a call that reads it.
        unsafe { &*(*self.0).bytes }
    }
}

impl Clone for BufferRef {
    fn clone(&self) -> Self {
        // SAFETY: this reference keeps the buffer alive.
        unsafe { (*self.0).references.fetch_add(1, Ordering::Relaxed) };
        Self(self.0)
    }
}

impl Drop for BufferRef {
    fn drop(&mut self) {
        // SAFETY: this reference keeps the buffer alive until here.
        if unsafe { (*self.0).references.fetch_sub(1, Ordering::Release) } == 1 {
            fence(Ordering::Acquire);
            // SAFETY: it was the last one, and both pointers came from a `Box`.
            let buffer = unsafe { Box::from_raw(self.0) };
            // SAFETY: as above.
            drop(unsafe { Box::from_raw(buffer.bytes) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_lives_as_long_as_its_last_reference() {
        let buffer = BufferRef::copy_of(b"abc").unwrap();
        let raw = buffer.clone().into_raw();
        let bytes = buffer.into_bytes();
        // SAFETY: `raw` is the reference given up above.
        let again = unsafe { BufferRef::from_raw(raw) }.unwrap();
        drop(bytes);
        assert_eq!(again.as_ref(), b"abc");
        assert_eq!(BufferRef::zeroed(3).unwrap().as_ref(), [0, 0, 0]);
        assert!(BufferRef::zeroed(usize::MAX / 2).is_none());
    }
}
