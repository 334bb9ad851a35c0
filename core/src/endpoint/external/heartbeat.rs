//! Whether the program is still there.

use std::sync::Weak;
use std::time::Duration;

use rustix::process::Pid;
use switchboard_protocol::{Frame, LinkState, encode_frame};

use super::link::Link;
use super::supervisor::Event;

/// PINGs without any frame in answer after which a link is dead.
const PINGS_MAX: u32 = 3;

/// Sends PINGs after silence, as long as the link lives. On the link's shard.
pub(super) async fn watch(link: Weak<Link>) {
    // The program says in its HELLO what it wants; until then, and without, it is asked for anew.
    let mut every = Duration::from_secs(1);
    loop {
        tokio::time::sleep(every).await;
        let Some(link) = link.upgrade() else { return };
        let mut state = link.lock();
        if state.phase == LinkState::Over {
            return;
        }
        let inner = &mut state.inner;
        if inner.heartbeat_ms == 0 {
            continue;
        }
        every = Duration::from_millis(inner.heartbeat_ms.into());
        if inner.last_heard.elapsed() < every {
            continue;
        }
        if inner.pings >= PINGS_MAX && link.child.is_some_and(is_traced) {
            continue;
        }
        if inner.pings >= PINGS_MAX {
            drop(state);
            let text = format!("it gave no sign of life for {every:?}, four times in a row");
            // Its own words first: SIGABRT leaves a core that can be looked at.
            let _ = link.events.send(Event::Dead(link.number));
            return link.lost(&text);
        }
        inner.pings += 1;
        let opaque = u64::from(inner.pings).to_le_bytes();
        encode_frame(&mut inner.out, &Frame::Ping(opaque));
        drop(state);
        link.flush_soon();
    }
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
