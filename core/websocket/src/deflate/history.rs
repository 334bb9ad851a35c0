//! The window of one direction: the last bytes of what was compressed, before compression.

/// Holds at most a window, and no more memory than twice of what has passed through it.
#[derive(Debug, Default)]
pub(crate) struct History {
    bytes: Vec<u8>,
}

impl History {
    /// What the next message may refer to.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A message has passed. Of all of them, the last `window_bytes` are kept.
    pub(crate) fn push(&mut self, message: &[u8], window_bytes: usize) {
        let message = tail(message, window_bytes);
        let kept = self.bytes.len().min(window_bytes - message.len());
        self.bytes.drain(..self.bytes.len() - kept);
        let len = kept + message.len();
        if len > self.bytes.capacity() {
            self.bytes.reserve_exact((2 * len).min(window_bytes) - kept);
        }
        self.bytes.extend_from_slice(message);
    }

    /// The heap memory that is held.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The last bytes, at most `len` of them.
pub(crate) fn tail(bytes: &[u8], len: usize) -> &[u8] {
    &bytes[bytes.len().saturating_sub(len)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_and_no_more() {
        let all: Vec<u8> = (0..=255).cycle().take(5000).collect();
        for step in [1, 7, 100, 255, 256, 257, 1000] {
            let mut history = History::default();
            let mut passed = 0;
            for message in all.chunks(step) {
                history.push(message, 256);
                passed += message.len();
                assert_eq!(history.bytes(), tail(&all[..passed], 256), "{step} {passed}");
                assert!(history.capacity() <= 256.min(2 * passed), "{step} {passed}");
            }
        }
    }

    #[test]
    fn nothing_is_held_for_nothing() {
        let mut history = History::default();
        history.push(b"", 1 << 15);
        assert_eq!((history.bytes(), history.capacity()), (b"".as_slice(), 0));
    }
}
