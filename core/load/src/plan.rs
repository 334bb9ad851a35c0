//! What is to be done.

use std::ops::Range;
use std::time::Duration;

use switchboard_websocket::Url;

/// A run. [`Plan::new`] has sensible values for all but the URL.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whom to dial.
    pub url: Url,
    /// How many connections there are at a time.
    pub connections: usize,
    /// The number of the first, as a sender. Runs that hear each other have different ones.
    pub first_sender: u32,
    /// Over how many threads they are spread.
    pub threads: usize,
    /// What they do.
    pub mode: Mode,
    /// When they are done.
    pub goal: Goal,
    /// Messages a second that each connection sends at most; as fast as it goes if `None`. Each then
    /// has a time of its own, from which its latency counts: a server that stands still does not
    /// hide that by what it keeps from being sent.
    pub rate: Option<f64>,
    /// What is sent in so much time from the start has no latency: connections open then.
    pub warm_up: Duration,
    /// The shortest and the longest message, in bytes. None is shorter than 16, which its number
    /// takes. Sizes are spread evenly over the orders of magnitude between.
    pub bytes: (usize, usize),
    /// Text, binary, or both.
    pub kinds: Kinds,
    /// So many messages of a hundred are sent in fragments, some with a Ping between.
    pub fragmented_percent: u8,
    /// What some of the connections do wrong.
    pub faults: Faults,
    /// Who else is heard. Their messages are checked and counted, in every mode but `Chat`.
    pub others: Vec<Others>,
    /// A text that each connection sends first. What is answered is not counted.
    pub hello: Option<String>,
    /// The size of each socket's receive buffer, as the system is asked for it.
    pub receive_buffer_bytes: Option<usize>,
    /// How long connections may take to open, missing messages to come, and the answer to a Close.
    pub patience: Duration,
    /// Makes messages and choices; the same seed makes the same ones.
    pub seed: u64,
}

/// Senders of another run with the same seed and kinds, whose messages come too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Others {
    /// Their numbers.
    pub senders: Range<u32>,
    /// The sizes of their messages, as in their plan.
    pub bytes: (usize, usize),
}

/// What connections do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each sends, and expects its messages back in their order.
    Echo {
        /// So many may be on their way.
        depth: usize,
    },
    /// Each is open and answers pings.
    Idle,
    /// Each counts what comes; messages of another run's senders with the same seed are checked.
    Receive,
    /// Each reads nothing until the time is over, then what has come. That the server ends it before
    /// is no fault.
    Stall,
    /// Each joins the room of the bundled plugin `chat` that the URL names, says its messages, and
    /// expects everybody's, in the order in which each sender sent them.
    Chat,
}

/// When a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Each connection has sent so many messages.
    Messages(u64),
    /// So much time has passed since the start.
    Duration(Duration),
}

/// Kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// Only text.
    Text,
    /// Only binary.
    Binary,
    /// Half of each.
    Both,
}

/// Of a hundred connections, how many do what a good client does not. Their number is at most 100
/// together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Reset the connection after some messages, and come back.
    pub abort_percent: u8,
    /// Say and read nothing any more after some messages, but do not go.
    pub vanish_percent: u8,
    /// Read no more than 10 KB a second.
    pub slow_percent: u8,
    /// Close in order after some messages, and come back.
    pub churn_percent: u8,
}

impl Plan {
    /// One connection that echoes for ten seconds.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            connections: 1,
            first_sender: 0,
            threads: 1,
            mode: Mode::Echo { depth: 1 },
            goal: Goal::Duration(Duration::from_secs(10)),
            rate: None,
            warm_up: Duration::ZERO,
            bytes: (16, 1024),
            kinds: Kinds::Both,
            fragmented_percent: 0,
            faults: Faults::default(),
            others: Vec::new(),
            hello: None,
            receive_buffer_bytes: None,
            patience: Duration::from_secs(10),
            seed: 1,
        }
    }

    /// The numbers of its connections.
    pub(crate) fn senders(&self) -> Range<u32> {
        self.first_sender..self.first_sender + self.connections as u32
    }

    /// What the connection of this number does wrong, if anything.
    pub(crate) fn habit(&self, sender: u32) -> Habit {
        let Faults { abort_percent, vanish_percent, slow_percent, churn_percent } = self.faults;
        // 37 and 100 have no common divisor: each hundred connections has exactly the shares.
        let mut place = (u64::from(sender) * 37 % 100) as u8;
        for (share, habit) in [
            (abort_percent, Habit::Abort),
            (vanish_percent, Habit::Vanish),
            (slow_percent, Habit::Slow),
            (churn_percent, Habit::Churn),
        ] {
            if place < share {
                return habit;
            }
            place -= share;
        }
        Habit::Good
    }
}

/// What a connection does besides the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    Good,
    Abort,
    Vanish,
    Slow,
    Churn,
}

impl Habit {
    /// Whether the server owes this client every message, and an end in order.
    pub(crate) fn is_owed_all(self) -> bool {
        matches!(self, Self::Good | Self::Churn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_hundred_connections_the_shares_are_exact() {
        let mut plan = Plan::new(Url::parse("ws://a/").unwrap());
        plan.faults =
            Faults { abort_percent: 5, vanish_percent: 1, slow_percent: 10, churn_percent: 20 };
        let count = |habit| (300..400).filter(|sender| plan.habit(*sender) == habit).count();
        let habits = [Habit::Abort, Habit::Vanish, Habit::Slow, Habit::Churn, Habit::Good];
        assert_eq!(habits.map(count), [5, 1, 10, 20, 64]);
    }
}
