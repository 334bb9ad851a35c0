//! The end of either side reaches the other, behind all that was said before.
//!
//! A Close passes through, and the other side's answer comes back the same way. A client that has
//! left, or was closed by the host, is a 1001 to the server. A server that has left or broken a rule
//! is a 1014 to the client, one that sent too much a 1009. RFC 6455, sections 7.1 and 7.4.1.
//!
//! A server that broke a rule is still told what the client has to say to all before that: the
//! client gets a ping behind it, and its pong says that it has seen it.

use std::rc::Weak;
use std::time::Duration;

use switchboard_websocket::{CloseCode, ProtocolError, write_close};
use tokio::time::sleep;

use super::super::links;
use super::{Client, Section, State, Upstream};
use crate::client::mask;
use crate::endpoint::{Closed, Farewell, Why};
use crate::shard::{self, Bound, Control, Mail, Sent};
use crate::stream::Outbox;

/// A rule that the server broke, while the client is asked for the last time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    error: ProtocolError,
    /// Payload of the ping, so that its pong is known from others.
    token: [u8; 4],
}

/// A client that answers no ping within this time has nothing to say.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Upstream {
    /// The client's end, behind all of its messages.
    pub(in super::super) fn client_closed(&self, end: &Closed<'_>) -> Farewell {
        let mut state = self.state.borrow_mut();
        if state.fault.is_some() {
            state.client = Client::Gone;
            self.fail(&mut state);
            return Farewell::Now;
        }
        if state.transport.is_none() || state.heard || state.deaf {
            state.client = Client::Gone;
            return Farewell::Now;
        }
        let passed_on = end.why == Why::Client && end.code != 1006;
        match (passed_on, CloseCode::new(end.code)) {
            (true, None) => self.say(&mut state, None),
            (true, Some(code)) => self.say(&mut state, Some((code, end.reason))),
            (false, _) => self.say(&mut state, Some((CloseCode::GOING_AWAY, end.reason))),
        }
        // Nobody reads any more what the server still says.
        state.deaf = end.code == 1006 || end.why == Why::Slow;
        state.paused &= !state.deaf;
        self.schedule_in(&mut state);
        if state.deaf {
            state.client = Client::Gone;
            return Farewell::Now;
        }
        state.client = Client::Leaving;
        Farewell::Later
    }

    /// Puts our Close behind what waits, once, and begins the time of the end.
    pub(super) fn say(&self, state: &mut State, close: Option<(CloseCode, &str)>) {
        if !std::mem::replace(&mut state.said, true) {
            state.outbox.push_with(|out| write_close(out, close, Some(mask())));
        }
        if !std::mem::replace(&mut state.timed, true) {
            tokio::task::spawn_local(cut_late(Weak::clone(&self.own)));
        }
    }

    /// The server does not speak as it should.
    pub(super) fn broke_a_rule(&self, state: &mut State, error: ProtocolError) {
        self.log(format_args!("it broke a rule: {error}"));
        state.deaf = true;
        let fault = Fault { error, token: mask() };
        state.fault = Some(fault);
        let is_asked = state.client == Client::Open && !state.said && {
            let Section { owner, shards, .. } = &*self.section;
            let sent = shards.control(self.conn, owner, Control::Ping, &fault.token, Bound::Sender);
            matches!(sent, Sent::Taken | Sent::Pressure)
        };
        if is_asked {
            tokio::task::spawn_local(fail_late(Weak::clone(&self.own)));
        } else {
            self.fail(state);
        }
    }

    /// Whether a pong of the client is the one that is waited for. Then it has said all.
    pub(super) fn is_last_word(&self, state: &mut State, control: Control, payload: &[u8]) -> bool {
        let is_it = control == Control::Pong
            && state.fault.is_some_and(|fault| fault.token.as_slice() == payload);
        if is_it {
            self.fail(state);
        }
        is_it
    }

    /// Ends both sides for the rule that the server broke, once.
    fn fail(&self, state: &mut State) {
        let Some(Fault { error, .. }) = state.fault.take() else { return };
        let code = match error {
            ProtocolError::MessageTooBig { .. } | ProtocolError::FrameTooBig { .. } => {
                CloseCode::TOO_BIG
            }
            _ => CloseCode::BAD_GATEWAY,
        };
        self.end_client(state, code, "the server behind broke a rule");
        self.say(state, Some((error.close_code(), "")));
        self.schedule_in(state);
    }

    /// The server has ended the stream, or it broke.
    pub(super) fn lost(&self, state: &mut State) {
        self.fail(state);
        if !state.heard && !state.deaf && state.client == Client::Open {
            self.log(format_args!("it ended the connection without a Close"));
        }
        if !state.heard {
            self.end_client(state, CloseCode::BAD_GATEWAY, "the server behind is gone");
        }
        self.over(state);
    }

    /// The client's end if it is there, our farewell if it waits for one.
    fn end_client(&self, state: &mut State, code: CloseCode, reason: &str) {
        match std::mem::replace(&mut state.client, Client::Gone) {
            Client::Open => {
                let Section { owner, shards, .. } = &*self.section;
                // It may have ended meanwhile.
                let _ = shards.close(self.conn, owner.number, code, reason.to_owned());
            }
            Client::Leaving => self.post(Mail::Farewell(self.conn)),
            Client::Gone => {}
        }
    }

    /// Lets the socket go.
    fn over(&self, state: &mut State) {
        if let (Some(id), Some(shard)) = (self.id.take(), shard::current()) {
            shard.unwatch(id);
        }
        let transport = state.transport.take();
        if let Some(transport) = transport.filter(|_| state.heard && state.outbox.is_empty()) {
            transport.finish();
        }
        state.outbox = Outbox::default();
        state.input = Vec::new();
        // Nothing is to be said to it any more.
        drop(links::remove(self.session));
    }

    /// Ends it without further ado.
    pub(super) fn cut(&self, reason: &str) {
        let mut state = self.state.borrow_mut();
        if state.transport.is_some() {
            self.end_client(&mut state, CloseCode::BAD_GATEWAY, reason);
            self.over(&mut state);
        }
    }
}

/// Ends a connection to a server that broke a rule, whose client does not answer.
async fn fail_late(upstream: Weak<Upstream>) {
    let Some(limits) = upstream.upgrade().map(|up| up.section.settings.limits.close_timeout) else {
        return;
    };
    sleep(limits.min(LAST_WORDS)).await;
    if let Some(upstream) = upstream.upgrade() {
        upstream.fail(&mut upstream.state.borrow_mut());
    }
}

/// Ends a connection whose end takes too long.
async fn cut_late(upstream: Weak<Upstream>) {
    let Some(limits) = upstream.upgrade().map(|up| up.section.settings.limits.close_timeout) else {
        return;
    };
    sleep(limits).await;
    if let Some(upstream) = upstream.upgrade() {
        upstream.cut("");
    }
}
