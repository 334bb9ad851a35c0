//! How much memory clients may hold: what waits for them, and what they have not finished to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The bytes that the clients of one endpoint hold, within those of the whole host. A message that
/// waits for several clients counts for each of them.
///
/// It counts and judges; what follows is done where a connection is known. When it is short, a
/// client that makes no progress is closed; when it is full, a send to a client that holds something
/// is refused. What a client needs to take its next step is never refused, so a full budget is
/// passed by a message a connection at most.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    most: usize,
    /// It was short, and has not been half empty since.
    told: AtomicBool,
    host: Option<Arc<Budget>>,
}

impl Budget {
    /// The host's, of so many bytes; `None` is no limit.
    #[must_use]
    pub fn of_host(most: Option<usize>) -> Self {
        let most = most.unwrap_or(usize::MAX);
        Self { used: AtomicUsize::new(0), most, told: AtomicBool::new(false), host: None }
    }

    /// An endpoint's, within that of the host.
    #[must_use]
    pub fn within(host: &Arc<Self>, most: Option<usize>) -> Self {
        Self { host: Some(Arc::clone(host)), ..Self::of_host(most) }
    }

    /// True if no more ought to be taken.
    pub fn is_full(&self) -> bool {
        self.own_is_full() || self.host.as_ref().is_some_and(|host| host.own_is_full())
    }

    /// True if little is left: less than an eighth. What is refused at the brim would else keep it
    /// from ever being full.
    pub fn is_short(&self) -> bool {
        self.own_is_short() || self.host.as_ref().is_some_and(|host| host.own_is_short())
    }

    /// Bytes that are counted now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that may be counted; `None` is no limit.
    pub fn most(&self) -> Option<usize> {
        (self.most != usize::MAX).then_some(self.most)
    }

    /// What a connection held before and holds now. Returns the budget that has become short, once
    /// until half of it is free again, so that it can be told.
    pub fn change(&self, before: usize, now: usize) -> Option<&Self> {
        let own = self.change_own(before, now).then_some(self);
        let host = self.host.as_ref().and_then(|host| host.change(before, now));
        own.or(host)
    }

    /// True if it is the host's.
    pub fn is_of_host(&self) -> bool {
        self.host.is_none()
    }

    /// True if half as much again is held, so that waiting for a client would not do.
    pub fn is_overrun(&self) -> bool {
        let overrun = |budget: &Self| budget.used() > budget.most.saturating_add(budget.most / 2);
        overrun(self) || self.host.as_deref().is_some_and(overrun)
    }

    fn own_is_full(&self) -> bool {
        self.used() > self.most
    }

    fn own_is_short(&self) -> bool {
        self.used() > self.most - self.most / 8
    }

    fn change_own(&self, before: usize, now: usize) -> bool {
        if now <= before {
            let used = self.used.fetch_sub(before - now, Ordering::Relaxed) - (before - now);
            if used <= self.most / 2 && self.told.load(Ordering::Relaxed) {
                self.told.store(false, Ordering::Relaxed);
            }
            return false;
        }
        let used = self.used.fetch_add(now - before, Ordering::Relaxed) + (now - before);
        used > self.most - self.most / 8 && !self.told.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_full_by_its_own_budget_or_by_the_hosts() {
        let host = Arc::new(Budget::of_host(Some(100)));
        let (one, other) = (Budget::within(&host, Some(60)), Budget::within(&host, None));
        assert!(one.change(0, 53).is_none());
        assert!(!one.is_short());
        assert_eq!(one.change(53, 60).and_then(Budget::most), Some(60));
        assert!(one.is_short() && !one.is_full(), "a budget may be used up");
        one.change(60, 61);
        assert!(one.is_full() && !other.is_short());
        assert!(other.change(0, 40).is_some_and(Budget::is_of_host));
        assert!(other.is_full());
        one.change(61, 0);
        assert!(!one.is_short() && !other.is_short());
        assert_eq!((one.used(), other.used(), host.used()), (0, 40, 40));
    }

    #[test]
    fn it_tells_once_until_half_of_it_is_free() {
        let budget = Budget::of_host(Some(100));
        assert!(budget.change(0, 101).is_some());
        for (before, now) in [(101, 80), (80, 102), (102, 51), (51, 110)] {
            assert!(budget.change(before, now).is_none());
        }
        assert!(budget.change(110, 50).is_none());
        assert!(budget.change(50, 88).is_none());
        assert!(budget.change(88, 89).is_some());
    }
}
