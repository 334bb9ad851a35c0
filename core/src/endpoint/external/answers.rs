//! What the program says on a stream.

use switchboard_protocol::{
    Accept, Close, Data, ErrorCode, Frame, FrameError, FrameType, HEADER_BYTES, Side, Take,
};
use switchboard_websocket::{CloseCode, Kind, handshake, is_utf8};

use super::incoming::Fault;
use super::link::{Inner, Link};
use super::said::because;
use super::stream::Stream;
use crate::endpoint::is_fit_for_response;
use crate::shard::{self, Answer, Bound, Mail, Payload, Sent};

/// What ends one stream.
pub(super) struct Refused(pub(super) ErrorCode, pub(super) String);

impl From<FrameError> for Refused {
    fn from(error: FrameError) -> Self {
        Self(error.reset_code().unwrap_or(ErrorCode::PROTOCOL), error.to_string())
    }
}

impl Link {
    pub(super) fn handle_stream(
        &self,
        frame: &Frame<'_>,
        kind: FrameType,
        inner: &mut Inner,
    ) -> Result<(), Fault> {
        let stream = frame.stream();
        if let Frame::Data(data) = frame {
            self.count(HEADER_BYTES + data.payload.len(), inner)?;
        }
        let Inner { streams, ids, out, .. } = inner;
        let Some(row) = streams.get_mut(&stream) else {
            ids.check_dead(stream)?;
            return inner.late.count(inner.last_heard);
        };
        let before = row.state;
        let step = row.state.step(Side::Endpoint, kind);
        let outcome = match step {
            Ok((_, Take::Ignore)) => return Ok(()),
            Ok((next, Take::Take)) => {
                row.state = next;
                self.handle_row(frame, row, out)
            }
            Err(error) => Err(error.into()),
        };
        let conn = row.conn;
        if let Err(Refused(code, text)) = outcome {
            row.state = before;
            self.reset_from_here(inner, stream, code, &text);
            return Ok(());
        }
        match frame {
            Frame::Closed { .. } => {
                streams.remove(&stream);
                self.post(conn, Mail::Farewell(conn));
            }
            Frame::Reject(reject) => {
                let ending = row.ending;
                streams.remove(&stream);
                // Of a client that has left it stands for CLOSED.
                if ending {
                    self.post(conn, Mail::Farewell(conn));
                } else {
                    self.reject(conn, reject);
                }
            }
            Frame::Reset(reset) => {
                row.state = before;
                let Some(row) = streams.remove(&stream) else { return Ok(()) };
                let text = because(reset.text);
                tracing::warn!("{}: it resets stream {stream}{text}", self.about.prefix);
                let too_big = reset.code == ErrorCode::TOO_BIG;
                let code = if too_big { CloseCode::TOO_BIG } else { CloseCode::INTERNAL };
                let status = if reset.code == ErrorCode::LIMIT { 503 } else { 502 };
                self.drop_client(&row, code, "", status);
            }
            Frame::Credit(_) => {
                self.advance(stream, inner);
            }
            Frame::Subscribe(subscribe) => self.subscribe(subscribe, inner),
            Frame::Unsubscribe { topic, .. } => self.unsubscribe(conn, stream, *topic, inner),
            Frame::Deliver { topic, .. } => self.deliver(conn, *topic, inner),
            _ => {}
        }
        Ok(())
    }

    /// What concerns one stream alone.
    fn handle_row(
        &self,
        frame: &Frame<'_>,
        row: &mut Stream,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let about = &self.about;
        match frame {
            Frame::Accept(accept) => {
                let answer = Answer::Accept(accepted(accept)?);
                // The client may have left; the host's CLOSE tells.
                let _ = about.shards.answer(row.conn, about.number, answer);
            }
            Frame::Data(data) => self.data(data, row, out)?,
            Frame::Credit(credit) => row.window.add(credit.bytes, credit.messages),
            Frame::Ack { upto, .. } if *upto > row.delivered => {
                return Err(FrameError::NeverDelivered(*upto).into());
            }
            Frame::Close(Close { code, reason, .. }) => {
                let refused = || Refused(ErrorCode::PROTOCOL, format!("close code {code}"));
                let code = CloseCode::new(*code).ok_or_else(refused)?;
                // Sends go on until the host's CLOSE is answered, so the gate stays open.
                let mail = Mail::Close(row.conn, code, (*reason).to_owned());
                let _ = about.shards.post(row.conn, about.number, mail);
            }
            _ => {}
        }
        Ok(())
    }

    fn data(&self, data: &Data<'_>, row: &mut Stream, out: &mut Vec<u8>) -> Result<(), Refused> {
        row.grant.received(data.payload.len(), row.incoming.is_idle())?;
        let whole = row.incoming.push(data, self.about.message_bytes_max)?;
        let Some(whole) = whole else {
            row.charge.set(row.incoming.waiting_bytes());
            if self.about.owner.budget.is_full() {
                let text = "no room for an unfinished message: max-memory is used up";
                return Err(Refused(ErrorCode::LIMIT, text.into()));
            }
            return Ok(());
        };
        // It counts for its client from here on.
        row.charge.set(0);
        if whole.text && !is_utf8(&whole.payload) {
            return Err(FrameError::MessageNotUtf8.into());
        }
        let kind = if whole.text { Kind::Text } else { Kind::Binary };
        self.pass_on(data.stream, row, kind, Payload::Borrowed(&whole.payload), out);
        Ok(())
    }

    /// Sends a whole message to the client of a stream. Its credit goes back when the client's queue
    /// has room.
    pub(super) fn pass_on(
        &self,
        stream: u32,
        row: &mut Stream,
        kind: Kind,
        payload: Payload<'_>,
        out: &mut Vec<u8>,
    ) {
        let (about, len) = (&self.about, payload.len());
        // Behind a message that was refused nothing may follow.
        if row.gone || row.overrun {
            return row.give_back(stream, len, 1, out);
        }
        // The window bounds what waits, also if a message is longer than all of it: a program that
        // counts is made to wait, and its client not closed.
        let counts = row.grant.window().bytes().is_some();
        let bound = if counts { Bound::Sender } else { Bound::Marks };
        match about.shards.send(row.conn, &about.owner, kind, payload, bound) {
            Sent::Pressure => {
                row.withheld.0 += len;
                row.withheld.1 += 1;
            }
            Sent::Again => {
                row.overrun = true;
                let prefix = &about.prefix;
                tracing::warn!("{prefix}: it sends more than the client of stream {stream} reads");
                let mail = Mail::Close(row.conn, CloseCode::TRY_AGAIN_LATER, String::new());
                // It may have ended meanwhile.
                let _ = about.shards.post(row.conn, about.number, mail);
            }
            Sent::Taken | Sent::Closed | Sent::Denied => row.give_back(stream, len, 1, out),
        }
    }
}

fn accepted(accept: &Accept<'_>) -> Result<shard::Accept, Refused> {
    let subprotocol = accept.subprotocol;
    if !subprotocol.is_empty() && !handshake::is_token(subprotocol) {
        let text = format!("the subprotocol {subprotocol:?} is no token");
        return Err(Refused(ErrorCode::PROTOCOL, text));
    }
    let mut headers = Vec::new();
    for pair in accept.headers.iter() {
        if !is_fit_for_response(pair.name, pair.value) {
            let text = format!("the header {:?} is not an endpoint's to set", pair.name);
            return Err(Refused(ErrorCode::PROTOCOL, text));
        }
        headers.push((pair.name.to_ascii_lowercase(), pair.value.to_vec()));
    }
    let subprotocol = (!subprotocol.is_empty()).then(|| subprotocol.to_owned());
    Ok(shard::Accept { subprotocol, headers })
}
