//! The bundled plugin chat: rooms, who is in them, and what was said last.
//!
//! It remembers nothing that connections share: members and history of a room live in a topic of
//! the host, where the next version of this plugin finds them.

mod protocol;
mod rules;

use std::collections::VecDeque;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{FromClient, ToClient};
use switchboard_sdk::*;

struct Chat {
    host: Host,
    route: String,
    /// `history`: messages that a room keeps.
    history_messages: u32,
    /// `max-name`
    name_chars_max: usize,
    /// `max-text`
    text_chars_max: usize,
}

/// One client in one room.
struct Session {
    room: String,
    topic: String,
    guest: Guest,
    /// Answers that wait for room in the client's queue, in their order.
    waiting: VecDeque<String>,
}

enum Guest {
    Outside,
    /// Has asked for this name; `subscribed` will tell.
    Joining(String),
    Inside(String),
}

impl Endpoint for Chat {
    type Session = Session;

    fn create(setup: &Setup) -> Result<Self, Error> {
        setup.only(&["history", "max-name", "max-text"])?;
        Ok(Self {
            host: setup.host(),
            route: setup.route().to_owned(),
            history_messages: number(setup, "history", 50, 0..=1000)?,
            name_chars_max: number(setup, "max-name", 32, 4..=200)?,
            text_chars_max: number(setup, "max-text", 2000, 1..=100_000)?,
        })
    }

    fn open(&self, _conn: &Conn, request: &Request<'_>) -> Result<Opened<Session>, Reject> {
        let no_room = || Reject::new(404, "There is no such room.");
        let room = rules::room(request.path).ok_or_else(no_room)?;
        let topic = rules::topic(&self.route, room).ok_or_else(no_room)?;
        let (guest, waiting) = (Guest::Outside, VecDeque::new());
        Ok(Opened::accept(Session { room: room.to_owned(), topic, guest, waiting }))
    }

    fn message(
        &self,
        conn: &Conn,
        session: &mut Session,
        message: Message<'_>,
    ) -> Result<Handled, Error> {
        let said = message.text().ok_or_else(|| "send text, not bytes".to_owned());
        let done = said.and_then(protocol::parse).and_then(|said| match said {
            FromClient::Join { name } => self.join(conn, session, &name),
            FromClient::Say { text } => self.say(session, &text),
        });
        if let Err(reason) = done {
            session.tell(conn, &ToClient::Error { reason: &reason })?;
        }
        Ok(Handled::Done)
    }

    fn subscribed(&self, conn: &Conn, session: &mut Session, snapshot: &Snapshot<'_>) {
        let told = match std::mem::replace(&mut session.guest, Guest::Outside) {
            Guest::Joining(name) => self.answer_join(conn, session, name, snapshot),
            guest => {
                session.guest = guest;
                Ok(())
            }
        };
        if told.is_err_and(|error| error != SendError::Closed) {
            let _ = conn.close(1013, "You read too slowly.");
        }
    }

    fn writable(&self, conn: &Conn, session: &mut Session) {
        while let Some(first) = session.waiting.front() {
            match conn.send_text(first) {
                Ok(_) => drop(session.waiting.pop_front()),
                Err(SendError::Again) => return,
                Err(_) => {
                    session.waiting.clear();
                    let _ = conn.close(1011, "An answer could not be sent.");
                }
            }
        }
    }
}

impl Chat {
    /// An error is a sentence for the client, here and in `say`.
    fn join(&self, conn: &Conn, session: &mut Session, wish: &str) -> Result<(), String> {
        match session.guest {
            Guest::Outside => {}
            Guest::Joining(_) | Guest::Inside(_) => return Err("you have joined already".into()),
        }
        let name = rules::name(wish, self.name_chars_max)?;
        let (key, joined) = (rules::key(name), ToClient::Joined { name }.to_json());
        let left = ToClient::Left { name }.to_json();
        let how = Subscription::new()
            .key(&key)
            .metadata(name)
            .joined(&joined)
            .left(&left)
            .history(self.history_messages)
            .snapshot();
        conn.subscribe(&session.topic, &how).map_err(refusal)?;
        session.guest = Guest::Joining(name.to_owned());
        Ok(())
    }

    fn say(&self, session: &Session, text: &str) -> Result<(), String> {
        let name = match &session.guest {
            Guest::Inside(name) => name,
            Guest::Joining(_) => return Err("wait for the welcome".into()),
            Guest::Outside => return Err("join first".into()),
        };
        let text = rules::text(text, self.text_chars_max)?;
        let message = ToClient::Message { name, text, time: now_ms() }.to_json();
        self.host.publish(&session.topic, Publication::new(&message).retain()).map_err(refusal)
    }

    fn answer_join(
        &self,
        conn: &Conn,
        session: &mut Session,
        name: String,
        snapshot: &Snapshot<'_>,
    ) -> Result<(), SendError> {
        match snapshot.result {
            Ok(()) => {
                session.welcome(conn, &name, snapshot)?;
                session.guest = Guest::Inside(name);
                Ok(())
            }
            Err(SendError::Busy) => {
                let suggestion = rules::suggestion(&name, self.name_chars_max);
                let answer = ToClient::NameTaken { name: &name, suggestion: &suggestion };
                session.tell(conn, &answer)
            }
            Err(error) => session.tell(conn, &ToClient::Error { reason: &refusal(error) }),
        }
    }
}

impl Session {
    /// Sends an answer, or keeps it until there is room. `Again`: too many are kept.
    fn tell(&mut self, conn: &Conn, answer: &ToClient<'_>) -> Result<(), SendError> {
        let text = answer.to_json();
        if self.waiting.is_empty() {
            match conn.send_text(&text) {
                Err(SendError::Again) => {}
                sent => return sent.map(drop),
            }
        }
        if self.waiting.len() == WAITING_ANSWERS_MAX {
            return Err(SendError::Again);
        }
        self.waiting.push_back(text);
        Ok(())
    }

    fn welcome(
        &mut self,
        conn: &Conn,
        name: &str,
        snapshot: &Snapshot<'_>,
    ) -> Result<(), SendError> {
        let members: Vec<_> = snapshot
            .members
            .iter()
            .map(|member| String::from_utf8_lossy(member.metadata).into_owned())
            .collect();
        // Anybody may have published to the topic; what is no JSON is nothing for these clients.
        let history: Vec<_> = snapshot
            .history
            .iter()
            .filter_map(|kept| serde_json::from_slice(kept.message.bytes()).ok())
            .collect();
        let room = self.room.clone();
        let mut history = history.as_slice();
        loop {
            let welcome = ToClient::Welcome { room: &room, name, members: &members, history };
            match self.tell(conn, &welcome) {
                // Rather the newer half of it than no welcome.
                Err(SendError::TooBig) if !history.is_empty() => {
                    history = &history[history.len().div_ceil(2)..];
                }
                told => return told,
            }
        }
    }
}

/// Why the host did not do it, as a sentence for the client.
fn refusal(error: SendError) -> String {
    match error {
        SendError::Again => "busy, try again".to_owned(),
        SendError::TooBig => "that is too long".to_owned(),
        SendError::NoMemory => "there are too many rooms".to_owned(),
        other => format!("that failed: {other}"),
    }
}

/// A setting within its range. An error names the key.
fn number<T>(setup: &Setup, key: &str, default: T, range: RangeInclusive<T>) -> Result<T, Error>
where
    T: FromStr<Err: Display> + PartialOrd + Display,
{
    let (low, high) = (range.start(), range.end());
    if let Some(value) = setup.setting(key)
        && !value.parse().is_ok_and(|number| range.contains(&number))
    {
        let text = format!("{key} {value}: must be a whole number from {low} to {high}");
        return Err(Error::new(text));
    }
    setup.parse_or(key, default)
}

/// Milliseconds since 1970; 0 on a machine whose clock stands before that.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A client for which so many answers wait is closed.
const WAITING_ANSWERS_MAX: usize = 64;

export!(Chat, id = "org.switchboard.chat", never_blocks = true);
