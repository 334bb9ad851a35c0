//! An endpoint that does what the client tells it to.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use switchboard_sdk::*;

pub(crate) struct Probe {
    host: Host,
    /// Where clients are handed to that are answered by the test.
    late: Mutex<Option<Sender<Conn>>>,
}

/// Says in the log that it was dropped.
pub(crate) struct Session {
    host: Host,
    path: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.host.info(&format!("dropped {}", self.path));
        assert!(self.path != "/panic-in-drop", "drop");
    }
}

/// The test that runs on this thread takes late clients here.
pub(crate) fn late_clients() -> Receiver<Conn> {
    let (sender, receiver) = channel();
    LATE.set(Some(sender));
    receiver
}

thread_local! {
    static LATE: std::cell::Cell<Option<Sender<Conn>>> = const { std::cell::Cell::new(None) };
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.host.info("endpoint dropped");
    }
}

impl Endpoint for Probe {
    type Session = Session;

    fn create(setup: &Setup) -> Result<Self, Error> {
        assert!(setup.setting("panic").is_none(), "create");
        setup.only(&["depth", "log"])?;
        let depth: u8 = setup.parse_or("depth", 3)?;
        if let Some(text) = setup.setting("log") {
            let line = format!("{} {} {depth} {text}", setup.route(), setup.name());
            setup.host().debug(&line);
        }
        Ok(Self { host: setup.host(), late: Mutex::new(LATE.take()) })
    }

    fn start(&self) -> Result<(), Error> {
        self.host.log(Level::Trace, "start");
        Ok(())
    }

    fn open(&self, conn: &Conn, request: &Request<'_>) -> Result<Opened<Session>, Reject> {
        let session = Session { host: self.host, path: request.path.to_owned() };
        let how = Accept::new().subprotocol("v2").header("x-a", "1").header("x-b", "2");
        let gone = || Reject::new(403, "gone").header("x-why", "gone");
        match request.path {
            "/request" => self.host.info(&format!("{request:?}")),
            "/cookie" => self.host.info(request.header("Cookie").unwrap_or("none")),
            "/with" => return Ok(Opened::accept_with(session, how)),
            "/reject" => return Err(gone()),
            "/panic" => panic!("open"),
            "/later" => {
                if let Some(late) = &*self.late.lock().unwrap() {
                    late.send(*conn).unwrap();
                }
                return Ok(Opened::later(session));
            }
            "/reject-then-later" => {
                conn.reject(&gone()).unwrap();
                return Ok(Opened::later(session));
            }
            "/reject-then-accept" => conn.reject(&gone()).unwrap(),
            "/reject-twice" => {
                conn.reject(&gone()).unwrap();
                return Err(gone());
            }
            "/accept-then-later" => {
                conn.accept(&how).unwrap();
                return Ok(Opened::later(session));
            }
            "/accept-twice" => conn.accept(&how).unwrap(),
            _ => {}
        }
        Ok(Opened::accept(session))
    }

    fn message(
        &self,
        conn: &Conn,
        session: &mut Session,
        message: Message<'_>,
    ) -> Result<Handled, Error> {
        match message.text() {
            Some("panic") => {
                session.path.push_str("-half");
                panic!("message {}", message.seq())
            }
            Some("error") => return Err(Error::new("no such thing")),
            Some("parse") => drop("x".parse::<u8>()?),
            Some("defer") => return Ok(Handled::Deferred),
            Some("ack") => conn.ack(message.seq() - 1)?,
            Some("close") => conn.close(1000, "bye")?,
            Some("log") => conn.log(Level::Warn, "careful"),
            Some("subscribe") => conn.subscribe("room", &Subscription::new())?,
            Some("join") => conn.subscribe(
                "room",
                &Subscription::new()
                    .key("ann")
                    .metadata("Ann")
                    .joined("in")
                    .left(&b"out"[..])
                    .history(50)
                    .snapshot(),
            )?,
            Some("leave") => conn.unsubscribe("room")?,
            Some("publish") => conn.host().publish("room", Publication::new("hi"))?,
            Some("retain") => {
                let what = Publication::new(message).retain().except(conn);
                conn.host().publish("room", what)?;
            }
            _ => {
                if conn.send(message)? == Sent::Pressure {
                    self.host.info("pressure");
                }
            }
        }
        Ok(Handled::Done)
    }

    fn writable(&self, conn: &Conn, session: &mut Session) {
        assert!(session.path != "/panic-in-writable", "writable");
        let _ = conn.send_text("again");
    }

    fn subscribed(&self, conn: &Conn, session: &mut Session, snapshot: &Snapshot<'_>) {
        assert!(session.path != "/panic-in-subscribed", "subscribed");
        if session.path == "/later" {
            conn.reject(&Reject::new(403, "not you")).unwrap();
            session.path.push_str("-used-after");
        }
        let members: Vec<_> = snapshot
            .members
            .iter()
            .map(|member| {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                format!("{} {} {}", member.conn_uid, text(member.key), text(member.metadata))
            })
            .collect();
        let history: Vec<_> = snapshot
            .history
            .iter()
            .map(|kept| format!("{} {:?}", kept.seq, kept.message))
            .collect();
        let key = String::from_utf8_lossy(snapshot.key);
        self.host.info(&format!(
            "{:?} {} {key} {} {members:?} {history:?}",
            snapshot.result, snapshot.topic, snapshot.seq
        ));
    }

    fn closed(&self, conn: &Conn, session: &mut Session, end: &Closed<'_>) {
        assert!(session.path != "/panic-in-closed", "closed");
        conn.log(Level::Info, &format!("{:?} {} {}", end.why, end.code, end.reason));
    }

    fn drain(&self, why: Drain, deadline: Option<Duration>) {
        self.host.warn(&format!("drain {why:?} {deadline:?}"));
    }

    fn stop(&self) {
        self.host.error("stop");
    }
}
