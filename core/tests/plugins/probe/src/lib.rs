//! A plugin for tests: it does what the client's request or message tells it, also what no plugin
//! should do.
//!
//! Paths: `/panic`, `/reject`, `/late/KEY` (answered by the command `answer KEY ...` of another
//! connection), `/hold/KEY?FILE` (see `reject_while_held`), any other is accepted. The query names the connection for the command `ended`.
//! Messages are commands; the first word says which: see `Probe::obey`.

mod flood;
mod ledger;
mod relay;
mod threads;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flood::{Flood, Own};
use ledger::{Counted, Ledger};
use relay::Relay;
use switchboard_sdk::*;
use threads::Threads;
use worker::Worker;

struct Probe {
    host: Host,
    /// `greeting`, the one setting.
    greeting: String,
    /// Commands `count` until now.
    count: AtomicU64,
    ledger: Arc<Ledger>,
    threads: Threads,
}

struct Session {
    name: String,
    /// The callback that is to panic.
    panics_in: Option<&'static str>,
    flood: Option<(Arc<Flood>, Own)>,
    relay: Option<Arc<Relay>>,
    worker: Option<Arc<Worker>>,
    /// Tells the ledger when the session is dropped.
    _counted: Counted,
}

impl Endpoint for Probe {
    type Session = Session;

    fn create(setup: &Setup) -> Result<Self, Error> {
        setup.only(&["greeting"])?;
        Ok(Self {
            host: setup.host(),
            greeting: setup.setting("greeting").unwrap_or("none").to_owned(),
            count: AtomicU64::new(0),
            ledger: Arc::default(),
            threads: Threads::default(),
        })
    }

    fn open(&self, conn: &Conn, request: &Request<'_>) -> Result<Opened<Session>, Reject> {
        let session = || Session {
            name: request.query.to_owned(),
            panics_in: None,
            flood: None,
            relay: None,
            worker: None,
            _counted: Ledger::opened(&self.ledger),
        };
        match request.path {
            "/panic" => panic!("as the path says"),
            "/reject" => Err(teapot()),
            path if path.starts_with("/hold/") => {
                self.reject_while_held(&path["/hold/".len()..], request.query);
                Err(teapot())
            }
            path => match path.strip_prefix("/late/") {
                Some(key) => {
                    let session = session();
                    self.ledger.is_late(key, *conn);
                    Ok(Opened::later(session))
                }
                None => Ok(Opened::accept(session())),
            },
        }
    }

    fn message(
        &self,
        conn: &Conn,
        session: &mut Session,
        message: Message<'_>,
    ) -> Result<Handled, Error> {
        let text = message.text().ok_or_else(|| Error::new("commands are text"))?;
        let (command, rest) = text.split_once(' ').unwrap_or((text, ""));
        if command == "defer" {
            let worker = session.worker.get_or_insert_with(|| Worker::start(&self.threads, *conn));
            worker.take(message.keep());
            return Ok(Handled::Deferred);
        }
        if command == "keep" {
            return Ok(Handled::Deferred);
        }
        self.obey(conn, session, command, rest)?;
        Ok(Handled::Done)
    }

    fn writable(&self, conn: &Conn, session: &mut Session) {
        session.panic_in("writable");
        if let Some((flood, own)) = &mut session.flood {
            flood.has_room();
            own.go_on(*conn);
        }
    }

    fn subscribed(&self, conn: &Conn, session: &mut Session, snapshot: &Snapshot<'_>) {
        session.panic_in("subscribed");
        let answer = match snapshot.result {
            Ok(()) => format!("subscribed {}", snapshot.seq),
            Err(error) => error.to_string(),
        };
        conn.send_text(&answer).expect("an answer finds room");
    }

    fn closed(&self, conn: &Conn, session: &mut Session, end: &Closed<'_>) {
        let ended = format!("client has ended with {} {}", end.code, end.reason);
        conn.log(Level::Info, &ended);
        let how = format!("{:?} {} {}", end.why, end.code, end.reason);
        self.ledger.closed(&session.name, how.trim_end());
        session.panic_in("closed");
    }

    fn stop(&self) {
        self.ledger.is_over();
        self.threads.join();
    }
}

impl Probe {
    fn obey(
        &self,
        conn: &Conn,
        session: &mut Session,
        command: &str,
        rest: &str,
    ) -> Result<(), Error> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (command, words.as_slice()) {
            ("echo", _) => drop(conn.send_text(rest)?),
            ("setting", []) => drop(conn.send_text(&self.greeting)?),
            ("count", []) => {
                let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
                conn.send_text(&count.to_string())?;
            }
            ("panic", _) => panic!("{rest}"),
            ("panic-in", ["closed"]) => session.panics_in = Some("closed"),
            ("panic-in", ["subscribed"]) => session.panics_in = Some("subscribed"),
            // More than the soft mark: writable follows.
            ("panic-in", ["writable"]) => {
                session.panics_in = Some("writable");
                conn.send_binary(&vec![0; 1 << 20])?;
            }
            ("fail", _) => return Err(Error::new(rest)),
            ("close", [code, ..]) => {
                let reason = rest.split_once(' ').map_or("", |(_, reason)| reason);
                conn.close(code.parse()?, reason)?;
            }
            ("stats", []) => drop(conn.send_text(&self.ledger.stats())?),
            ("await", ["dropped", count]) => {
                let (conn, count) = (*conn, count.parse()?);
                self.apart(move |ledger| conn.send_text(&ledger.await_dropped(count)?).ok());
            }
            ("await", ["late", key]) => {
                let (conn, key) = (*conn, (*key).to_owned());
                self.apart(move |ledger| {
                    ledger.await_late(&key)?;
                    conn.send_text("it waits").ok()
                });
            }
            ("ended", [name]) => {
                let (conn, name) = (*conn, (*name).to_owned());
                self.apart(move |ledger| conn.send_text(&ledger.await_end(&name)?).ok());
            }
            ("answer", [key, how]) => {
                let (conn, key, how) = (*conn, (*key).to_owned(), (*how).to_owned());
                self.apart(move |ledger| {
                    let late = ledger.await_late(&key)?;
                    let answered = match how.as_str() {
                        "accept" => late.accept(&Accept::new().header("x-late", "yes")),
                        _ => late.reject(&teapot()),
                    };
                    let said = answered.map_or_else(|error| error.to_string(), |()| "done".into());
                    conn.send_text(&said).ok()
                });
            }
            // A client that is not answered yet.
            ("enroll", [key, topic]) => {
                let (conn, key, topic) = (*conn, (*key).to_owned(), (*topic).to_owned());
                self.apart(move |ledger| {
                    let late = ledger.await_late(&key)?;
                    late.subscribe(&topic, &Subscription::new().snapshot()).ok()?;
                    conn.send_text("done").ok()
                });
            }
            ("subscribe", [topic]) => {
                conn.subscribe(topic, &Subscription::new().snapshot())?;
            }
            ("publish", [topic, name, from, to]) => {
                let (from, to): (u32, u32) = (from.parse()?, to.parse()?);
                for number in from..to {
                    let message = format!("{name} {number}");
                    self.host.publish(topic, Publication::new(&message))?;
                }
            }
            ("flood", [threads, count, chunk]) => {
                let flood = Flood::start(&self.threads, *conn, threads.parse()?, count.parse()?);
                let own = Own::new(threads.parse()?, count.parse()?, chunk.parse()?);
                session.flood = Some((flood, own));
            }
            ("more", []) => {
                let (_, own) = session.flood.as_mut().ok_or_else(|| Error::new("no flood"))?;
                own.more(*conn);
            }
            ("refused", []) => {
                let (flood, _) = session.flood.as_ref().ok_or_else(|| Error::new("no flood"))?;
                conn.send_text(&flood.refused().to_string())?;
            }
            ("relay", [threads, count, seed]) => {
                let (threads, count, seed) = (threads.parse()?, count.parse()?, seed.parse()?);
                session.relay = Some(Relay::start(&self.threads, *conn, threads, count, seed));
            }
            ("play", []) => {
                session.relay.as_ref().ok_or_else(|| Error::new("no relay"))?.play_in_callback();
            }
            _ => return Err(Error::new(format!("no such command: {command} {rest}"))),
        }
        Ok(())
    }

    /// Keeps the shard busy until `file` is there, and has another thread reject a client meanwhile.
    fn reject_while_held(&self, key: &str, file: &str) {
        self.host.log(Level::Info, "holds the shard");
        while !std::path::Path::new(file).exists() {
            std::thread::yield_now();
        }
        let late = self.ledger.await_late(key).expect("it runs");
        std::thread::spawn(move || late.reject(&teapot())).join().expect("it does not panic").ok();
    }

    /// Does what waits for something, on a thread of its own.
    fn apart(&self, call: impl FnOnce(&Ledger) -> Option<Sent> + Send + 'static) {
        let ledger = Arc::clone(&self.ledger);
        self.threads.start(move || {
            // The client that asked may have left.
            let _ = call(&ledger);
        });
    }
}

impl Session {
    fn panic_in(&self, callback: &str) {
        assert!(self.panics_in != Some(callback), "in {callback}, as told");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some((flood, _)) = &self.flood {
            flood.is_over();
        }
        if let Some(relay) = &self.relay {
            relay.is_over();
        }
        if let Some(worker) = &self.worker {
            worker.is_over();
        }
    }
}

fn teapot() -> Reject {
    Reject::new(418, "I am a teapot.\n").header("x-why", "tea")
}

export!(Probe, id = "org.switchboard.test.probe");
