//! Whether the program is still there.

use std::sync::Weak;
use std::time::Duration;

use switchboard_protocol::{Frame, LinkState, encode_frame};

use super::link::Link;
use super::program::Event;

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
