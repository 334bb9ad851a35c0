//! The states of a stream and of a link, and which frame may come in which: the tables of the
//! specification's sections 6 and 7. Both sides keep the same, each moved by what it sends and by
//! what it reads.

use crate::{FrameError, FrameType, Side};

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamState {
    /// OPEN was sent, the answer awaited.
    Opening,
    /// Accepted.
    Open,
    /// The endpoint has asked for the end.
    Asked,
    /// The host has sent CLOSE; CLOSED is awaited.
    Ending,
    /// Over. Frames that are still under way are ignored.
    Gone,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It counts.
    Take,
    /// It was on its way when the stream went on without it. What it cost of the link's window is
    /// given back all the same.
    Ignore,
}

impl StreamState {
    /// Every state, in the order of the specification.
    pub const ALL: [Self; 5] = [Self::Opening, Self::Open, Self::Asked, Self::Ending, Self::Gone];

    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "Opening",
            Self::Open => "Open",
            Self::Asked => "Asked",
            Self::Ending => "Ending",
            Self::Gone => "Gone",
        }
    }

    /// What a frame on the stream makes of it.
    ///
    /// # Errors
    /// The frame has no place in this state.
    pub fn step(self, from: Side, kind: FrameType) -> Result<(Self, Take), FrameError> {
        let refused = Err(FrameError::WrongState { kind, state: self });
        if kind == FrameType::Open {
            return refused;
        }
        if self == Self::Gone {
            return Ok((self, Take::Ignore));
        }
        let step = match from {
            Side::Host => self.step_host(kind),
            Side::Endpoint => self.step_endpoint(kind),
        };
        step.map_or(refused, Ok)
    }

    fn step_host(self, kind: FrameType) -> Option<(Self, Take)> {
        use FrameType as F;
        let next = match (self, kind) {
            (_, F::Reset) => Self::Gone,
            (_, F::Credit) => self,
            (Self::Ending | Self::Gone, _) => return None,
            (_, F::Close) => Self::Ending,
            (_, F::Subscribed) => self,
            (Self::Open | Self::Asked, F::Data | F::Ack | F::Export | F::Unexport) => self,
            (Self::Open | Self::Asked, F::Handoff) => Self::Gone,
            _ => return None,
        };
        Some((next, Take::Take))
    }

    fn step_endpoint(self, kind: FrameType) -> Option<(Self, Take)> {
        use FrameType as F;
        let next = match (self, kind) {
            (_, F::Reset) => Self::Gone,
            (Self::Opening, F::Accept) => Self::Open,
            (Self::Opening | Self::Ending, F::Reject) => Self::Gone,
            (Self::Opening | Self::Open, F::Close) => Self::Asked,
            (Self::Ending, F::Closed) => Self::Gone,
            (Self::Ending, F::Accept | F::Close | F::Credit | F::Ack | F::State)
            | (Self::Asked, F::Close)
            | (Self::Asked | Self::Ending, F::Subscribe | F::Unsubscribe | F::Deliver) => {
                return Some((self, Take::Ignore));
            }
            (Self::Opening, F::Credit | F::State | F::Subscribe | F::Unsubscribe | F::Deliver)
            | (Self::Open, F::Subscribe | F::Unsubscribe | F::Deliver)
            | (Self::Open | Self::Asked, F::Credit | F::Ack | F::State)
            | (Self::Open | Self::Asked | Self::Ending, F::Data | F::Multicast) => self,
            _ => return None,
        };
        Some((next, Take::Take))
    }
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkState {
    /// HELLO is awaited.
    Fresh,
    /// HELLO_OK is awaited.
    Offered,
    /// Everything may come.
    Agreed,
    /// One side has said GOAWAY.
    Over,
}

impl LinkState {
    /// Every state, in the order of the specification.
    pub const ALL: [Self; 4] = [Self::Fresh, Self::Offered, Self::Agreed, Self::Over];

    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "Fresh",
            Self::Offered => "Offered",
            Self::Agreed => "Agreed",
            Self::Over => "Over",
        }
    }

    /// What a frame makes of the link, whichever stream it stands on.
    ///
    /// # Errors
    /// The frame does not come in this state.
    pub fn step(self, from: Side, kind: FrameType) -> Result<(Self, Take), FrameError> {
        use FrameType as F;
        let next = match (self, from, kind) {
            (Self::Over, _, _) => return Ok((self, Take::Ignore)),
            (_, _, F::GoAway) => Self::Over,
            (Self::Fresh, Side::Endpoint, F::Hello) => Self::Offered,
            (Self::Offered, Side::Host, F::HelloOk) => Self::Agreed,
            (Self::Offered, Side::Endpoint, F::Ready | F::Log) => self,
            (Self::Agreed, _, F::Hello | F::HelloOk) => return Err(FrameError::WrongTime(kind)),
            (Self::Agreed, _, _) => self,
            _ => return Err(FrameError::WrongTime(kind)),
        };
        Ok((next, Take::Take))
    }
}

/// The stream numbers of one link: they rise, and none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamIds {
    last: u32,
}

impl StreamIds {
    /// The host's next number; `None` if the link has used them up.
    pub fn allot(&mut self) -> Option<u32> {
        self.last = self.last.checked_add(1)?;
        Some(self.last)
    }

    /// The endpoint notes the number of an OPEN.
    ///
    /// # Errors
    /// It is not above all before it.
    pub fn opened(&mut self, stream: u32) -> Result<(), FrameError> {
        if stream <= self.last {
            return Err(FrameError::NotNew(stream));
        }
        self.last = stream;
        Ok(())
    }

    /// A frame for a stream that is not among the living: it is to be ignored if the stream lived.
    ///
    /// # Errors
    /// It never did.
    pub fn check_dead(&self, stream: u32) -> Result<(), FrameError> {
        if stream <= self.last { Ok(()) } else { Err(FrameError::NeverOpened(stream)) }
    }

    /// The highest number so far; 0 if there is none.
    pub fn last(&self) -> u32 {
        self.last
    }
}

/// The version that both speak, if there is one. Each range is from the oldest to the newest.
pub fn common_version(ours: (u16, u16), theirs: (u16, u16)) -> Option<u16> {
    let newest = ours.1.min(theirs.1);
    (newest >= ours.0.max(theirs.0)).then_some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_end() {
        let mut ids = StreamIds::default();
        assert_eq!((ids.allot(), ids.allot()), (Some(1), Some(2)));
        assert_eq!(ids.check_dead(2), Ok(()));
        assert_eq!(ids.check_dead(3), Err(FrameError::NeverOpened(3)));
        assert_eq!(ids.opened(2), Err(FrameError::NotNew(2)));
        assert_eq!(ids.opened(u32::MAX), Ok(()));
        assert_eq!((ids.allot(), ids.last()), (None, u32::MAX));
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        assert_eq!(common_version((1, 3), (1, 2)), Some(2));
        assert_eq!(common_version((1, 1), (1, 1)), Some(1));
        assert_eq!(common_version((1, 1), (2, 3)), None);
        assert_eq!(common_version((4, 5), (2, 3)), None);
    }

    #[test]
    fn both_may_end_a_stream_at_once() {
        use FrameType as F;
        // The two CLOSE cross: each side sees its own first.
        let steps = |mut state: StreamState, frames: &[(Side, F)]| {
            for &(from, kind) in frames {
                state = state.step(from, kind).expect("an allowed frame").0;
            }
            state
        };
        let (host, endpoint) = (Side::Host, Side::Endpoint);
        let at_host = [(host, F::Close), (endpoint, F::Close), (endpoint, F::Closed)];
        let at_endpoint = [(endpoint, F::Close), (host, F::Close), (endpoint, F::Closed)];
        assert_eq!(steps(StreamState::Open, &at_host), StreamState::Gone);
        assert_eq!(steps(StreamState::Open, &at_endpoint), StreamState::Gone);
    }
}
