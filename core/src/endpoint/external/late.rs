//! How much a program may say to streams that have gone.

use std::time::{Duration, Instant};

use switchboard_protocol::ErrorCode;

use super::incoming::Fault;

/// Frames at once: what is on its way when many clients are lost in one moment.
const AT_ONCE: u32 = 100_000;
/// One more for each such pause.
const PAUSE: Duration = Duration::from_micros(100);

/// Late frames of one link. Some are nobody's fault, as the end of a stream crosses with them; a
/// program that says them for ever costs the host its time for nothing.
pub(super) struct Late {
    /// When all that came would have been within the pace.
    paid_until: Instant,
}

impl Late {
    pub(super) fn new(now: Instant) -> Self {
        Self { paid_until: now }
    }

    /// Notes one that was read at `now`.
    pub(super) fn count(&mut self, now: Instant) -> Result<(), Fault> {
        let paid_until = self.paid_until.max(now) + PAUSE;
        if paid_until > now + PAUSE * AT_ONCE {
            let text = "it goes on sending to streams that have ended".to_owned();
            return Err(Fault { code: ErrorCode::LIMIT, text });
        }
        self.paid_until = paid_until;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_frames_have_a_bound() {
        let begin = Instant::now();
        let mut late = Late::new(begin);
        assert!((0..AT_ONCE).all(|_| late.count(begin).is_ok()));
        assert!(late.count(begin).is_err());
        assert!(late.count(begin + PAUSE).is_ok());
        assert!(late.count(begin + PAUSE).is_err());
        let later = begin + PAUSE * AT_ONCE * 3;
        assert!(
            (0..AT_ONCE).all(|_| late.count(later).is_ok()),
            "what was not used up is not kept"
        );
        assert!(late.count(later).is_err());
    }
}
