//! How much may be sent: windows, seen by who sends and by who grants.

use crate::FrameError;

/// In a HELLO, a HELLO_OK or a CREDIT: this is not counted.
pub const UNCOUNTED: u32 = u32::MAX;

/// A number that may fall below zero, or that nobody counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Counted(i64),
    Uncounted,
}

impl Left {
    fn new(granted: u32) -> Self {
        if granted == UNCOUNTED { Self::Uncounted } else { Self::Counted(granted.into()) }
    }

    fn is_positive(self) -> bool {
        match self {
            Self::Counted(left) => left > 0,
            Self::Uncounted => true,
        }
    }

    fn spend(&mut self, spent: u64) {
        if let Self::Counted(left) = self {
            *left = left.saturating_sub_unsigned(spent);
        }
    }

    fn add(&mut self, granted: u32) {
        match self {
            _ if granted == UNCOUNTED => *self = Self::Uncounted,
            Self::Counted(left) => *left = left.saturating_add_unsigned(granted.into()),
            Self::Uncounted => {}
        }
    }

    fn get(self) -> Option<i64> {
        match self {
            Self::Counted(left) => Some(left),
            Self::Uncounted => None,
        }
    }
}

/// What the sender of one direction may still send, on a stream or on the link.
///
/// A message may begin while bytes and messages are above zero, however long it is: the window then
/// falls below zero, and what it owes is paid by the credit that follows. So no message is too long
/// for a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    bytes: Left,
    messages: Left,
}

impl Window {
    /// The window of a stream at its beginning.
    pub fn new(bytes: u32, messages: u32) -> Self {
        Self { bytes: Left::new(bytes), messages: Left::new(messages) }
    }

    /// The window of a link: whole frames in bytes, see [`Header::frame_bytes`]; messages are not
    /// counted.
    ///
    /// [`Header::frame_bytes`]: crate::Header::frame_bytes
    pub fn link(bytes: u32) -> Self {
        Self::new(bytes, UNCOUNTED)
    }

    /// On a stream: a message may begin. On a link: a frame may be sent.
    pub fn is_open(&self) -> bool {
        self.bytes.is_positive() && self.messages.is_positive()
    }

    /// Notes what was sent: bytes of payload, and 1 with the first frame of a message.
    pub fn spend(&mut self, bytes: usize, messages: u32) {
        self.bytes.spend(bytes as u64);
        self.messages.spend(messages.into());
    }

    /// Takes a CREDIT.
    pub fn add(&mut self, bytes: u32, messages: u32) {
        self.bytes.add(bytes);
        self.messages.add(messages);
    }

    /// Bytes left, below zero if some are owed; `None` if they are not counted.
    pub fn bytes(&self) -> Option<i64> {
        self.bytes.get()
    }

    /// Messages left; `None` if they are not counted.
    pub fn messages(&self) -> Option<i64> {
        self.messages.get()
    }
}

/// The same window, kept by the side that grants it: it sees when the other one sends too much, and
/// gathers what is done with until a CREDIT is worth a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    window: Window,
    bytes: Due,
    messages: Due,
}

/// What is to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    owed: u64,
    /// From here on it is worth a frame: half of the window.
    worth: u64,
}

impl Due {
    fn new(granted: u32) -> Self {
        Self { owed: 0, worth: u64::from(granted / 2).max(1) }
    }

    fn take(&mut self) -> u32 {
        let taken = u32::try_from(self.owed).unwrap_or(UNCOUNTED).min(UNCOUNTED - 1);
        self.owed -= u64::from(taken);
        taken
    }
}

impl Grant {
    /// What a stream is granted at its beginning.
    pub fn new(bytes: u32, messages: u32) -> Self {
        let window = Window::new(bytes, messages);
        Self { window, bytes: Due::new(bytes), messages: Due::new(messages) }
    }

    /// What the link is granted.
    pub fn link(bytes: u32) -> Self {
        Self::new(bytes, UNCOUNTED)
    }

    /// Notes what came on a stream; `begins` with the first frame of a message.
    ///
    /// # Errors
    /// A message began without credit.
    pub fn received(&mut self, bytes: usize, begins: bool) -> Result<(), FrameError> {
        if begins && !self.window.is_open() {
            return Err(FrameError::Flow);
        }
        self.window.spend(bytes, begins.into());
        Ok(())
    }

    /// Notes a frame that came on the link, with its header.
    ///
    /// # Errors
    /// It came without credit.
    pub fn received_frame(&mut self, frame_bytes: usize) -> Result<(), FrameError> {
        self.received(frame_bytes, true).map_err(|_| FrameError::LinkFlow)
    }

    /// Notes what is done with, and says what to put into a CREDIT if it is time for one.
    pub fn done(&mut self, bytes: usize, messages: u32) -> Option<(u32, u32)> {
        // What is not counted is not given back.
        if self.window.bytes().is_some() {
            self.bytes.owed = self.bytes.owed.saturating_add(bytes as u64);
        }
        if self.window.messages().is_some() {
            self.messages.owed = self.messages.owed.saturating_add(messages.into());
        }
        let worth =
            self.bytes.owed >= self.bytes.worth || self.messages.owed >= self.messages.worth;
        worth.then(|| {
            let (bytes, messages) = (self.bytes.take(), self.messages.take());
            self.window.add(bytes, messages);
            (bytes, messages)
        })
    }

    /// What the other side may still send, as far as this side knows.
    pub fn window(&self) -> &Window {
        &self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_longer_than_the_window_is_sent_on_debt() {
        let mut window = Window::new(10, 4);
        window.spend(100, 1);
        assert_eq!((window.bytes(), window.messages()), (Some(-90), Some(3)));
        assert!(!window.is_open());
        window.add(90, 0);
        assert!(!window.is_open(), "nothing left is not enough");
        window.add(1, 0);
        assert!(window.is_open());
    }

    #[test]
    fn empty_messages_are_not_free() {
        let mut window = Window::new(10, 2);
        window.spend(0, 1);
        assert!(window.is_open());
        window.spend(0, 1);
        assert!(!window.is_open());
    }

    #[test]
    fn what_is_not_counted_never_ends() {
        let mut window = Window::new(UNCOUNTED, UNCOUNTED);
        window.spend(usize::MAX, u32::MAX);
        window.add(1, 1);
        assert!(window.is_open());
        assert_eq!((window.bytes(), window.messages()), (None, None));
        let mut window = Window::new(1, 1);
        window.spend(5, 5);
        window.add(UNCOUNTED, UNCOUNTED);
        assert!(window.is_open());
        let mut grant = Grant::new(UNCOUNTED, UNCOUNTED);
        assert_eq!(grant.received(usize::MAX, true), Ok(()));
        assert_eq!(grant.done(usize::MAX, u32::MAX), None);
    }

    #[test]
    fn arithmetic_saturates() {
        let mut window = Window::new(1, 1);
        window.spend(usize::MAX, u32::MAX);
        window.spend(usize::MAX, u32::MAX);
        assert_eq!(window.bytes(), Some(i64::MIN));
        let mut window = Window { bytes: Left::Counted(i64::MAX), messages: Left::new(1) };
        window.add(UNCOUNTED - 1, 1);
        assert_eq!(window.bytes(), Some(i64::MAX));
    }

    #[test]
    fn credit_goes_back_when_it_is_worth_a_frame() {
        let mut grant = Grant::new(100, 10);
        assert_eq!(grant.received(60, true), Ok(()));
        assert_eq!(grant.done(49, 0), None);
        assert_eq!(grant.done(11, 1), Some((60, 1)));
        assert_eq!(grant.window(), &Window::new(100, 10));
        for _ in 0..10 {
            assert_eq!(grant.received(0, true), Ok(()));
        }
        assert_eq!(grant.received(0, true), Err(FrameError::Flow));
        assert_eq!(grant.done(0, 4), None);
        assert_eq!(grant.done(0, 1), Some((0, 5)));
    }

    #[test]
    fn a_message_that_has_begun_may_go_on() {
        let mut grant = Grant::new(1, 1);
        assert_eq!(grant.received(5, true), Ok(()));
        assert_eq!(grant.received(5, false), Ok(()));
        assert_eq!(grant.received(0, true), Err(FrameError::Flow));
    }

    #[test]
    fn a_window_of_one_byte_is_given_back() {
        let mut grant = Grant::link(1);
        assert_eq!(grant.received_frame(20), Ok(()));
        assert_eq!(grant.received_frame(20), Err(FrameError::LinkFlow));
        assert_eq!(grant.done(20, 0), Some((20, 0)));
        assert_eq!(grant.received_frame(20), Ok(()));
    }

    #[test]
    fn both_sides_agree_when_all_has_arrived() {
        let mut window = Window::new(1000, 7);
        let mut grant = Grant::new(1000, 7);
        let mut waiting = std::collections::VecDeque::new();
        let mut random = 1_u32;
        for _ in 0..100_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let len = (random >> 16) as usize % 900;
            if window.is_open() {
                window.spend(len, 1);
                assert_eq!(grant.received(len, true), Ok(()));
                waiting.push_back(len);
            }
            if random & 4 != 0 || !window.is_open() {
                let len = waiting.pop_front().expect("a closed window has something under way");
                if let Some((bytes, messages)) = grant.done(len, 1) {
                    window.add(bytes, messages);
                }
            }
            assert_eq!(&window, grant.window());
        }
    }
}
