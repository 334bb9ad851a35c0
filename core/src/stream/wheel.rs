//! Timers of a shard: one coarse wheel for all of its connections.
//!
//! A connection has at most one entry. When it comes up the connection says when it wants to be
//! looked at next, so a deadline that moves with every message costs nothing when it moves.

use std::time::{Duration, Instant};

/// A point in time, in steps of a tenth of a second since the shard began. Good for 13 years.
pub type Tick = u32;

/// No time at all.
pub const NEVER: Tick = Tick::MAX;

const TICK: Duration = Duration::from_millis(100);
const SLOTS: usize = 1024;

/// Turns instants into ticks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The tick that has begun.
    pub fn now(&self) -> Tick {
        let ticks = self.start.elapsed().as_millis() / TICK.as_millis();
        Tick::try_from(ticks).unwrap_or(NEVER - 1)
    }

    /// When `tick` begins.
    pub fn instant(&self, tick: Tick) -> Instant {
        self.start + TICK * tick
    }

    /// How long it is from one tick to a later one.
    pub fn between(from: Tick, to: Tick) -> Duration {
        TICK * to.saturating_sub(from)
    }

    /// The first tick at which `after` has surely passed since `from`.
    pub fn after(from: Tick, after: Duration) -> Tick {
        let ticks = after.as_millis().div_ceil(TICK.as_millis()) + 1;
        Tick::try_from(ticks).map_or(NEVER - 1, |ticks| from.saturating_add(ticks).min(NEVER - 1))
    }
}

/// Who is to be looked at when. Entries farther away than the wheel turns come up early.
#[derive(Debug)]
pub struct Wheel<T> {
    slots: Vec<Vec<T>>,
    /// The next tick to be worked off.
    next: Tick,
    /// No entry comes up before it.
    earliest: Tick,
    entries: usize,
}

impl<T> Wheel<T> {
    /// An empty one that begins at tick 0.
    pub fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            next: 0,
            earliest: NEVER,
            entries: 0,
        }
    }

    /// `entry` comes up at `tick`, or before; returns when.
    pub fn add(&mut self, tick: Tick, entry: T) -> Tick {
        let tick = tick.clamp(self.next, self.next + SLOTS as Tick - 1);
        self.slots[tick as usize % SLOTS].push(entry);
        self.earliest = self.earliest.min(tick);
        self.entries += 1;
        tick
    }

    /// When the next entry comes up, or [`NEVER`].
    pub fn earliest(&self) -> Tick {
        self.earliest
    }

    /// Moves what has come up until `now` into `due`.
    pub fn advance(&mut self, now: Tick, due: &mut Vec<T>) {
        if self.entries == 0 || self.earliest > now {
            self.next = self.next.max(now);
            if self.entries == 0 {
                self.earliest = NEVER;
            }
            return;
        }
        let turns = (now - self.next).min(SLOTS as Tick - 1);
        for tick in self.next..=self.next + turns {
            // With its memory: what a busy tick needed would stay in each slot.
            let slot = std::mem::take(&mut self.slots[tick as usize % SLOTS]);
            self.entries -= slot.len();
            due.extend(slot);
        }
        // What comes up at `now` once more is looked at with the next tick.
        self.next = now + 1;
        self.earliest = self.first_from(self.next);
    }

    fn first_from(&self, tick: Tick) -> Tick {
        if self.entries == 0 {
            return NEVER;
        }
        (tick..tick + SLOTS as Tick)
            .find(|tick| !self.slots[*tick as usize % SLOTS].is_empty())
            .unwrap_or(NEVER)
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel<u32>, now: Tick) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.advance(now, &mut due);
        due.sort_unstable();
        due
    }

    #[test]
    fn entries_come_up_in_their_tick_and_once() {
        let mut wheel = Wheel::new();
        for tick in [5, 5, 7, 300] {
            assert_eq!(wheel.add(tick, tick), tick);
        }
        assert_eq!(wheel.earliest(), 5);
        assert_eq!(due(&mut wheel, 4), [0; 0]);
        assert_eq!(due(&mut wheel, 6), [5, 5]);
        assert_eq!(wheel.earliest(), 7);
        assert_eq!(due(&mut wheel, 299), [7]);
        assert_eq!(due(&mut wheel, 5000), [300]);
        assert_eq!(wheel.earliest(), NEVER);
        assert_eq!(due(&mut wheel, 9000), [0; 0]);
    }

    #[test]
    fn what_a_busy_time_needed_is_given_back() {
        let mut wheel = Wheel::new();
        for tick in 0..100 {
            (0..1000).for_each(|entry| _ = wheel.add(tick, entry));
            assert_eq!(due(&mut wheel, tick).len(), 1000);
        }
        assert_eq!(wheel.slots.iter().map(Vec::capacity).sum::<usize>(), 0);
    }

    #[test]
    fn an_entry_beyond_the_wheel_comes_up_early() {
        let mut wheel = Wheel::new();
        due(&mut wheel, 50);
        let tick = wheel.add(1_000_000, 1);
        assert!(tick < 1_000_000);
        assert_eq!(due(&mut wheel, tick), [1]);
    }

    #[test]
    fn an_entry_in_the_past_comes_up_next() {
        let mut wheel = Wheel::new();
        wheel.add(3, 3);
        due(&mut wheel, 500);
        let tick = wheel.add(10, 10);
        assert_eq!(due(&mut wheel, tick), [10]);
    }

    #[test]
    fn a_delay_has_passed_when_its_tick_begins() {
        assert_eq!(Clock::after(10, Duration::from_millis(100)), 12);
        assert_eq!(Clock::after(10, Duration::from_millis(101)), 13);
        assert_eq!(Clock::after(10, Duration::MAX), NEVER - 1);
    }
}
