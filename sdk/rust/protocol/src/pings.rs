//! How often a side may ask whether the other is there.

use std::time::Duration;

use crate::{FrameError, FrameType};

/// PINGs that are taken at once.
const AT_ONCE: u32 = 10;
/// From one to the next, when that many came.
const PAUSE: Duration = Duration::from_millis(100);

/// Counts the PINGs of the other side: ten at once, and one more in each 100 ms. What was written
/// slowly may be read at once, by a side that was stopped in between; no more than three PINGs that
/// obey the rules can wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PingMeter {
    /// When all that came would have been within the pace.
    paid_until: Duration,
}

impl PingMeter {
    /// Notes a PING that was read at `now`, counted from any beginning.
    ///
    /// # Errors
    /// There were too many. The link is to be ended.
    pub fn count(&mut self, now: Duration) -> Result<(), FrameError> {
        let paid_until = self.paid_until.max(now) + PAUSE;
        if paid_until > now + PAUSE * AT_ONCE {
            return Err(FrameError::TooMany(FrameType::Ping));
        }
        self.paid_until = paid_until;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Result<(), FrameError> = Err(FrameError::TooMany(FrameType::Ping));

    fn check(at_ms: &[u64], last: Result<(), FrameError>) {
        let mut meter = PingMeter::default();
        let (end, before) = at_ms.split_last().expect("there are some");
        for at in before {
            assert_eq!(meter.count(Duration::from_millis(*at)), Ok(()), "at {at} of {at_ms:?}");
        }
        assert_eq!(meter.count(Duration::from_millis(*end)), last, "{at_ms:?}");
    }

    #[test]
    fn ten_come_at_once_and_one_in_100_ms() {
        check(&[0; 10], Ok(()));
        check(&[0; 11], REFUSED);
        check(&[5000; 11], REFUSED);
        let at_the_pace: Vec<_> = (0..1000).map(|at| at * 100).collect();
        check(&at_the_pace, Ok(()));
        let too_fast: Vec<_> = (0..20).map(|at| at * 50).collect();
        check(&too_fast, REFUSED);
    }

    #[test]
    fn who_was_stopped_reads_what_waited() {
        let slow = (0..50).map(|at| at * 100);
        let all: Vec<_> = slow.chain([9000; 10]).collect();
        check(&all, Ok(()));
    }
}
