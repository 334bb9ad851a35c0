//! The bundled plugin echo: sends each message back as it came.
//!
//! It changes nothing and keeps nothing, except what a slow client has no room for.

use std::collections::VecDeque;

use switchboard_sdk::*;

struct Echo;

impl Endpoint for Echo {
    /// Messages that wait for room, in their order.
    type Session = VecDeque<Kept>;

    fn create(setup: &Setup) -> Result<Self, Error> {
        setup.only(&[])?;
        Ok(Self)
    }

    fn open(&self, _: &Conn, _: &Request<'_>) -> Result<Opened<Self::Session>, Reject> {
        Ok(Opened::accept(VecDeque::new()))
    }

    fn message(
        &self,
        conn: &Conn,
        waiting: &mut Self::Session,
        message: Message<'_>,
    ) -> Result<Handled, Error> {
        if waiting.is_empty() {
            match conn.send(message) {
                Ok(_) => return Ok(Handled::Done),
                Err(SendError::Again) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if waiting.len() == WAITING_MESSAGES_MAX {
            return Err(Error::new("the client sends, but does not read"));
        }
        waiting.push_back(message.keep());
        Ok(Handled::Deferred)
    }

    fn writable(&self, conn: &Conn, waiting: &mut Self::Session) {
        while let Some(first) = waiting.front() {
            match conn.send(first) {
                Ok(_) => {
                    let _ = conn.ack(first.seq());
                    waiting.pop_front();
                }
                Err(SendError::Again) => return,
                Err(_) => {
                    waiting.clear();
                    let _ = conn.close(1011, "a message could not be sent back");
                }
            }
        }
    }
}

/// A client for which so many wait is closed.
const WAITING_MESSAGES_MAX: usize = 64;

export!(Echo, id = "org.switchboard.echo", never_blocks = true);
