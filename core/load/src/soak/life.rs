//! What one connection is to do, from its first byte to its end. All of it is drawn before it
//! begins, so it comes again with the same seed.

use std::time::Duration;

use switchboard_websocket::deflate::WindowBits;
use switchboard_websocket::handshake::deflate::Offer;

use super::Target;
use super::content::Sizes;
use crate::random::Random;

/// How a connection ends, or what it does that others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It waits for its echoes, then sends Close.
    Leaves,
    /// It sends Close right behind its messages, whose echoes it is owed yet.
    LeavesAtOnce,
    /// The same, and ends its side of the stream behind the Close.
    LeavesWithFin,
    /// It ends its side of the stream without a Close, which nothing is owed.
    Fin,
    /// Reset while it speaks TLS for the first time; without TLS, in the request.
    ResetInTls,
    /// Reset before its request is whole.
    ResetInRequest,
    /// Reset when the request has left.
    ResetBeforeAnswer,
    /// Reset behind a message; echoes may be on their way.
    ResetBetween,
    /// Reset between two fragments.
    ResetInMessage,
    /// Reset inside a frame.
    ResetInFrame,
    /// It reads nothing for a while, but sends; then it reads all and leaves.
    Naps,
    /// The same for longer than its endpoint suffers: it may be closed with 1013.
    Sleeps,
    /// From some message on it reads little at a time; then it leaves.
    ReadsSlowly,
    /// It says little and answers pings for a long time, then leaves.
    Idles,
}

/// How many of a thousand connections, where the endpoint suffers sleepers for long, and where not.
const SHARES: [(Fate, u64, u64); 14] = [
    (Fate::Leaves, 260, 260),
    (Fate::LeavesAtOnce, 120, 60),
    (Fate::LeavesWithFin, 60, 40),
    (Fate::Fin, 60, 40),
    (Fate::ResetInTls, 40, 30),
    (Fate::ResetInRequest, 40, 30),
    (Fate::ResetBeforeAnswer, 40, 30),
    (Fate::ResetBetween, 40, 30),
    (Fate::ResetInMessage, 40, 30),
    (Fate::ResetInFrame, 40, 30),
    (Fate::Naps, 120, 90),
    (Fate::Sleeps, 0, 150),
    (Fate::ReadsSlowly, 80, 50),
    (Fate::Idles, 60, 50),
];

impl Fate {
    /// All, in the order of reports.
    pub const ALL: [Self; 14] = {
        let mut all = [Self::Leaves; 14];
        let mut at = 0;
        while at < all.len() {
            all[at] = SHARES[at].0;
            at += 1;
        }
        all
    };

    /// A few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaves => "close",
            Self::LeavesAtOnce => "close behind messages",
            Self::LeavesWithFin => "close and half close",
            Self::Fin => "half close",
            Self::ResetInTls => "reset in TLS handshake",
            Self::ResetInRequest => "reset in request",
            Self::ResetBeforeAnswer => "reset before answer",
            Self::ResetBetween => "reset between messages",
            Self::ResetInMessage => "reset in message",
            Self::ResetInFrame => "reset in frame",
            Self::Naps => "reads nothing, for short",
            Self::Sleeps => "reads nothing, for long",
            Self::ReadsSlowly => "reads slowly",
            Self::Idles => "idle",
        }
    }

    /// Whether its connection is reset before it is open.
    pub(super) fn is_early(self) -> bool {
        matches!(self, Self::ResetInTls | Self::ResetInRequest | Self::ResetBeforeAnswer)
    }

    /// Whether its last message is never finished.
    pub(super) fn is_broken_off(self) -> bool {
        matches!(self, Self::ResetInMessage | Self::ResetInFrame)
    }

    /// Whether the server owes it every echo and a Close.
    pub(super) fn is_owed_all(self) -> bool {
        use Fate::{Idles, Leaves, LeavesAtOnce, LeavesWithFin, Naps, ReadsSlowly};
        matches!(self, Leaves | LeavesAtOnce | LeavesWithFin | Naps | ReadsSlowly | Idles)
    }

    /// Whether it sends Close without waiting for its echoes.
    pub(super) fn is_hasty(self) -> bool {
        matches!(self, Self::LeavesAtOnce | Self::LeavesWithFin)
    }
}

/// The script of one connection.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) fate: Fate,
    /// Which of its slot's it is.
    pub(super) number: u32,
    pub(super) messages: u32,
    /// So many may be on their way.
    pub(super) depth: usize,
    pub(super) sizes: Sizes,
    /// How long it says nothing after a message, at most.
    pub(super) rest_max: Duration,
    /// Before which message it ceases to read, or to read much, and for how long.
    pub(super) pause_at: u32,
    pub(super) pause: Duration,
    /// The most bytes of one write.
    pub(super) write_bytes_max: usize,
    pub(super) receive_buffer_is_small: bool,
    pub(super) deflate: Option<Offer>,
    /// A reset waits so long, so that some of what left before has been worked off.
    pub(super) delay: Duration,
}

/// What it says in a row while it does not read.
const FLOOD_MESSAGES: u32 = 200;
/// The least that it does not read, or reads slowly.
const SHORT: Duration = Duration::from_millis(50);

impl Life {
    pub(super) fn draw(target: &Target, number: u32, random: &mut Random) -> Self {
        let fate = fate(target, random);
        let mut life = Self {
            fate,
            number,
            messages: random.spread(1, 100) as u32,
            depth: random.spread(1, 32),
            sizes: Sizes::Mixed,
            rest_max: Duration::from_millis(random.spread(1, 1000) as u64),
            pause_at: 0,
            pause: Duration::ZERO,
            write_bytes_max: if random.percent(50) { usize::MAX } else { random.spread(64, 65536) },
            receive_buffer_is_small: random.percent(20),
            deflate: (target.deflate && random.percent(90)).then(|| offer(random)),
            delay: Duration::from_millis(random.below(30)),
        };
        life.pause_at = random.below(u64::from(life.messages)) as u32;
        let between = |min: Duration, max: Duration, random: &mut Random| {
            min + (max - min).mul_f64(random.below(1000) as f64 / 1000.0)
        };
        match fate {
            Fate::Naps => {
                // So short that a server never loses its patience for it.
                life.pause = between(SHORT, (target.slow_timeout / 10).max(SHORT), random);
                life.depth = 64;
            }
            Fate::ReadsSlowly => {
                life.pause = between(SHORT, (target.slow_timeout / 10).max(SHORT), random);
                life.receive_buffer_is_small = true;
            }
            Fate::Sleeps => {
                life.pause = between(target.slow_timeout * 3 / 2, target.slow_timeout * 3, random);
                life.messages = FLOOD_MESSAGES;
                life.depth = FLOOD_MESSAGES as usize;
                life.sizes = Sizes::Large;
                life.pause_at = 0;
                life.rest_max = Duration::ZERO;
                life.write_bytes_max = usize::MAX;
                life.receive_buffer_is_small = true;
            }
            Fate::Idles => {
                life.messages = 3;
                life.depth = 1;
                life.rest_max = target.idle_max;
            }
            _ => {}
        }
        life
    }
}

fn fate(target: &Target, random: &mut Random) -> Fate {
    let share = |row: &(Fate, u64, u64)| if target.is_hasty { row.2 } else { row.1 };
    let mut place = random.below(SHARES.iter().map(share).sum());
    let row = SHARES.iter().find(|row| {
        let is_it = place < share(row);
        place = place.saturating_sub(share(row));
        is_it
    });
    match row.map_or(Fate::Leaves, |row| row.0) {
        Fate::ResetInTls if target.tls.is_none() => Fate::ResetInRequest,
        fate => fate,
    }
}

/// Half of them leave all to the server.
fn offer(random: &mut Random) -> Offer {
    if random.percent(50) {
        return Offer::default();
    }
    let bits = |random: &mut Random| WindowBits::new(9 + random.below(7) as u8);
    Offer {
        server_no_context_takeover: random.percent(30),
        client_no_context_takeover: random.percent(30),
        server_max_window_bits: if random.percent(50) { bits(random) } else { None },
        client_max_window_bits: if random.percent(70) { bits(random) } else { None },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use switchboard_websocket::Url;

    use super::*;

    #[test]
    fn every_fate_comes_and_comes_again() {
        let mut target = Target::new("test", Url::parse("ws://a/").unwrap());
        target.is_hasty = true;
        let fates = |seed: u64| -> Vec<Fate> {
            let draw =
                |slot| Life::draw(&target, 0, &mut Random::of(&[seed, u64::from(slot)])).fate;
            (0..1000u32).map(draw).collect()
        };
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
        let seen: BTreeSet<Fate> = fates(1).into_iter().collect();
        // Without TLS there is nothing to be reset in it.
        let all = Fate::ALL.into_iter().filter(|fate| *fate != Fate::ResetInTls);
        assert_eq!(seen, all.collect());
    }
}
