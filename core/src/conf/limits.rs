//! `<limits>`: those of an endpoint over those of the top.

use std::time::Duration;

use super::Limits;
use super::datatype::{ByteSize, TimeInterval};
use super::raw::{Given, RawLimits};
use super::settle::{Settling, bytes, number, value};

impl Settling<'_> {
    /// `raw` over `top`; the top itself has nothing below it.
    pub(super) fn limits(
        &mut self,
        raw: &RawLimits,
        top: Option<&RawLimits>,
        path: &str,
    ) -> Limits {
        let layers = Layers { raw, top };
        let message_bytes_max = layers.bytes(|raw| &raw.max_message_size).unwrap_or_default();
        let frame_bytes_max = layers.bytes(|raw| &raw.max_frame_size);
        // An endpoint that sets none has all that the host has.
        let own = |given: &Option<Given<ByteSize>>| given.as_ref().map(bytes).filter(|b| *b > 0);
        let limits = Limits {
            connections_max: layers.given(|raw| &raw.max_connections).map_or(0, number),
            message_bytes_max,
            frame_bytes_max: frame_bytes_max.unwrap_or(message_bytes_max),
            header_bytes_max: layers.bytes(|raw| &raw.max_header_size).unwrap_or_default(),
            backlog_bytes_soft: layers.bytes(|raw| &raw.soft_backlog).unwrap_or_default(),
            backlog_bytes_max: layers.bytes(|raw| &raw.max_backlog).unwrap_or_default(),
            memory_bytes_max: own(&raw.max_memory),
            slow_timeout: layers.time(|raw| &raw.slow_timeout),
            handshake_timeout: layers.time(|raw| &raw.handshake_timeout),
            idle_timeout: unless_zero(layers.time(|raw| &raw.idle_timeout)),
            ping_interval: unless_zero(layers.time(|raw| &raw.ping_interval)),
            ping_timeout: layers.time(|raw| &raw.ping_timeout),
            close_timeout: layers.time(|raw| &raw.close_timeout),
        };
        self.marks(raw, &limits, path);
        limits
    }

    /// The soft mark is not above the hard one.
    fn marks(&mut self, raw: &RawLimits, limits: &Limits, path: &str) {
        let (soft, hard) = (limits.backlog_bytes_soft, limits.backlog_bytes_max);
        let given = |given: &Option<Given<ByteSize>>| {
            let tag = given.as_ref().map(Given::tag)?;
            self.places.place(tag).map(|_| tag)
        };
        let (soft_at, hard_at) = (given(&raw.soft_backlog), given(&raw.max_backlog));
        let wrong = [soft_at, hard_at].into_iter().flatten();
        if soft <= hard || wrong.clone().any(|tag| self.faults.known(self.places, tag)) {
            return;
        }
        let (soft, hard) = (size(soft), size(hard));
        match (soft_at, hard_at) {
            (Some(tag), _) => {
                let message =
                    format!("{soft} is above max-backlog, which is {hard}; raise that too");
                self.faults.of(self.places, tag, &format!("{path} soft-backlog"), message);
            }
            (None, Some(tag)) => {
                let message =
                    format!("{hard} is below soft-backlog, which is {soft}; lower that too");
                self.faults.of(self.places, tag, &format!("{path} max-backlog"), message);
            }
            (None, None) => {}
        }
    }
}

/// What a section says itself, over what the top says.
struct Layers<'r> {
    raw: &'r RawLimits,
    top: Option<&'r RawLimits>,
}

/// One of the limits.
type Field<T> = fn(&RawLimits) -> &Option<Given<T>>;

impl<'r> Layers<'r> {
    fn given<T>(&self, field: Field<T>) -> Option<&'r Given<T>> {
        field(self.raw).as_ref().or_else(|| field(self.top?).as_ref())
    }

    fn bytes(&self, field: Field<ByteSize>) -> Option<usize> {
        self.given(field).map(bytes)
    }

    fn time(&self, field: Field<TimeInterval>) -> Duration {
        self.given(field).map(|given| value(given).0).unwrap_or_default()
    }
}

fn unless_zero(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}

/// `4MB` rather than 4194304, where it is that.
pub(super) fn size(bytes: usize) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    let whole = |(unit, _): &&(usize, &str)| bytes >= *unit && bytes.is_multiple_of(*unit);
    units.iter().find(whole).map_or(bytes.to_string(), |(u, name)| format!("{}{name}", bytes / u))
}
