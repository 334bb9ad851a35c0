//! How streams end.

use switchboard_protocol::{ErrorCode, LinkState, Reject, Reset, StreamState};
use switchboard_websocket::CloseCode;

use super::link::{Inner, Link};
use super::stream::Stream;
use crate::endpoint::is_fit_for_response;
use crate::shard::{self, Answer, ConnId, Mail};

impl Link {
    /// The program does not let the client in.
    pub(super) fn reject(&self, conn: ConnId, reject: &Reject<'_>) {
        let fit =
            |pair: &switchboard_protocol::Pair<'_>| is_fit_for_response(pair.name, pair.value);
        let headers = reject
            .headers
            .iter()
            .filter(fit)
            .map(|pair| (pair.name.to_ascii_lowercase(), pair.value.to_vec()))
            .collect();
        let body = reject.body.as_bytes().to_vec();
        let reject = shard::Reject { status: reject.status, headers, body };
        let _ = self.about.shards.answer(conn, self.about.number, Answer::Reject(reject));
    }

    /// The program broke a rule on a stream, or there is no room for what it says there: RESET.
    pub(super) fn reset_from_here(
        &self,
        inner: &mut Inner,
        stream: u32,
        code: ErrorCode,
        text: &str,
    ) {
        let Some(row) = inner.streams.remove(&stream) else { return };
        let prefix = &self.about.prefix;
        Reset { stream, code, text }.encode(&mut inner.out);
        if code == ErrorCode::LIMIT {
            tracing::warn!("{prefix}: stream {stream} is reset: {text}");
            self.drop_client(&row, CloseCode::TRY_AGAIN_LATER, "", 503);
        } else {
            tracing::error!("{prefix}: it broke the protocol on stream {stream}: {text}");
            self.drop_client(&row, CloseCode::INTERNAL, "", 502);
        }
        self.flush_soon();
    }

    /// The stream of a client has gone.
    pub(super) fn drop_client(&self, row: &Stream, code: CloseCode, reason: &str, status: u16) {
        let (about, conn) = (&self.about, row.conn);
        match row.state {
            _ if row.ending => self.post(conn, Mail::Farewell(conn)),
            StreamState::Opening => {
                let body = b"the program that answers here failed\n".to_vec();
                let reject = shard::Reject { status, headers: Vec::new(), body };
                let _ = about.shards.answer(conn, about.number, Answer::Reject(reject));
            }
            _ => {
                let mail = Mail::Close(conn, code, reason.to_owned());
                let _ = about.shards.post(conn, about.number, mail);
            }
        }
    }

    /// The link has ended: its clients are closed with 1012, those not answered yet get 503.
    pub(super) fn give_up(&self) {
        let mut state = self.lock();
        state.phase = LinkState::Over;
        state.inner.said.tell_dropped(&self.about.prefix);
        let streams = std::mem::take(&mut state.inner.streams);
        drop(state);
        for row in streams.into_values() {
            self.drop_client(&row, CloseCode::RESTART, "the program has ended", 503);
        }
    }
}
