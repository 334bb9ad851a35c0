//! Whether the program is still there.

use std::sync::Weak;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use switchboard_protocol::{Frame, LinkState, encode_frame};

use super::link::{Inner, Link};
use super::supervisor::Event;

/// Between two looks; less if the heartbeat is faster.
const TICK: Duration = Duration::from_secs(1);
/// So long a program takes nothing before it is named.
const STALL: Duration = Duration::from_secs(2);
/// PINGs without any frame in answer after which a link is dead.
const PINGS_MAX: u32 = 3;

/// Sends PINGs after silence, and names a program that takes nothing, as long as the link lives. On the
/// link's shard.
pub(super) async fn watch(link: Weak<Link>) {
    let mut every = TICK;
    loop {
        tokio::time::sleep(every).await;
        let Some(link) = link.upgrade() else { return };
        let mut state = link.lock();
        if state.phase == LinkState::Over {
            return;
        }
        link.name_stall(&mut state.inner);
        // The program says in its HELLO what it wants; until then, and without, it is not asked.
        let beat = Duration::from_millis(state.inner.heartbeat_ms.into());
        if !beat.is_zero() {
            every = TICK.min(beat);
        }
        let (sent, silence) = (state.inner.pings, state.inner.last_heard.elapsed());
        // A host that was stopped has not listened in between, so it asks as slowly as ever.
        let since = state.inner.last_asked.max(state.inner.last_heard);
        if beat.is_zero() || since.elapsed() < beat {
            continue;
        }
        if sent < PINGS_MAX {
            (state.inner.pings, state.inner.last_asked) = (sent + 1, Instant::now());
            encode_frame(&mut state.inner.out, &Frame::Ping(u64::from(sent).to_le_bytes()));
            drop(state);
            link.flush_soon();
        } else if !link.child.is_some_and(is_traced) {
            drop(state);
            let text = format!("it gave no sign of life for {silence:?}");
            // Its own words first: SIGABRT leaves a core that can be looked at.
            let _ = link.events.send(Event::Dead(link.number));
            return link.lost(&text);
        }
    }
}

impl Link {
    /// Says once that streams wait because the program takes nothing.
    fn name_stall(&self, inner: &mut Inner) {
        let open = inner.window.is_open();
        if inner.out.is_empty() && (open || inner.blocked.is_empty()) {
            inner.stall = Stall::default();
            return;
        }
        let Stall { held_since, told } = &mut inner.stall;
        if *told || held_since.get_or_insert_with(Instant::now).elapsed() < STALL {
            return;
        }
        *told = true;
        let (prefix, waiting, bytes) = (&self.about.prefix, inner.blocked.len(), inner.out.len());
        if !inner.out.is_empty() {
            tracing::warn!("{prefix}: it does not read: {bytes} bytes and {waiting} clients wait");
        } else {
            tracing::warn!("{prefix}: it gives no credit for the link: {waiting} clients wait");
        }
    }
}

/// Since when a link takes nothing.
#[derive(Debug, Default)]
pub(super) struct Stall {
    held_since: Option<Instant>,
    told: bool,
}

/// True if a debugger holds the process: it may be silent for as long as somebody looks at it.
fn is_traced(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    status.is_ok_and(|status| has_tracer(&status))
}

fn has_tracer(status: &str) -> bool {
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|pid| pid.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debugger_is_seen() {
        assert!(has_tracer("Name:\tfeed\nTracerPid:\t4711\nUid:\t0\n"));
        assert!(!has_tracer("Name:\tfeed\nTracerPid:\t0\nUid:\t0\n"));
        assert!(!has_tracer(""));
    }
}
