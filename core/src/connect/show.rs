//! Events as a person, a pipe or a program reads them.

use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};
use switchboard_websocket::Kind;

use super::error::Error;
use super::hex;
use super::input::Terminal;
use super::options::Options;
use crate::client::Dialled;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Us,
    Server,
}

/// Where events are shown.
pub(super) struct Show {
    form: Form,
    terminal: Option<Terminal>,
    colour: bool,
}

enum Form {
    /// Arrows, codes, and bytes in rows.
    Person,
    /// Payloads, one a line; the rest goes to standard error.
    Lines,
    /// One object a line.
    Json,
}

impl Show {
    /// `terminal` is the one that lines are edited on, if any.
    pub(super) fn new(json: bool, terminal: Option<Terminal>) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let form = match (json, is_terminal) {
            (true, _) => Form::Json,
            (false, true) => Form::Person,
            (false, false) => Form::Lines,
        };
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { form, terminal, colour: is_terminal && !no_colour }
    }

    pub(super) fn open(&mut self, options: &Options, opened: &Dialled) -> Result<(), Error> {
        let text = |value| String::from_utf8_lossy(value);
        let headers: Vec<Value> =
            opened.headers.iter().map(|(name, value)| json!([name, text(value)])).collect();
        let (url, compression) = (options.url.to_string(), compression(opened));
        let mut line = format!("connected to {url}");
        if let Some(name) = &opened.subprotocol {
            line += &format!(", subprotocol {name}");
        }
        // Who has asked for it wants to know.
        if options.compression.is_some() {
            line += &format!(", compression: {}", compression.as_deref().unwrap_or("declined"));
        }
        self.event(
            &json!({"event": "open", "url": url, "subprotocol": opened.subprotocol,
                "compression": compression, "headers": headers}),
            &harmless(&line),
        )
    }

    pub(super) fn message(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Error> {
        let text = String::from_utf8_lossy(payload);
        match (&self.form, kind) {
            (Form::Json, Kind::Text) => {
                self.json(&json!({"event": "message", "kind": "text", "text": text}))
            }
            (Form::Json, Kind::Binary) => {
                self.json(&json!({"event": "message", "kind": "binary", "hex": hex::line(payload)}))
            }
            (Form::Lines, Kind::Text) => self.raw(payload),
            (Form::Lines, Kind::Binary) => self.raw(hex::line(payload).as_bytes()),
            (Form::Person, Kind::Text) => {
                let line = format!("{} {}", self.in_colour("32", "<"), harmless(&text));
                self.line(&line)
            }
            (Form::Person, Kind::Binary) => {
                let arrow = self.in_colour("32", "<");
                let rows = hex::dump(payload);
                self.line(format!("{arrow} {} bytes\n{rows}", payload.len()).trim_end())
            }
        }
    }

    /// A Ping from the server.
    pub(super) fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.control("ping", payload)
    }

    /// The answer to one of ours.
    pub(super) fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.control("pong", payload)
    }

    fn control(&mut self, what: &str, payload: &[u8]) -> Result<(), Error> {
        match self.form {
            Form::Json => self.json(&json!({"event": what, "hex": hex::line(payload)})),
            Form::Lines => Ok(()),
            Form::Person => {
                let payload = String::from_utf8_lossy(payload);
                let line = format!("{what} {}", harmless(&payload));
                self.dim(line.trim_end())
            }
        }
    }

    /// The connection is over.
    pub(super) fn close(&mut self, code: Option<u16>, reason: &str, by: By) -> Result<(), Error> {
        let who = if by == By::Us { "client" } else { "server" };
        let event =
            json!({"event": "close", "code": code.unwrap_or(1005), "reason": reason, "by": who});
        let code = code.map_or("without a code".to_owned(), |code| code.to_string());
        let line = format!("closed by the {who}: {code} {}", harmless(reason));
        self.event(&event, line.trim_end())
    }

    /// What ended it badly.
    pub(super) fn error(&mut self, error: &Error) {
        // If even this cannot be printed, the exit status says it.
        let _ = match self.form {
            Form::Json => {
                let message = error.to_string();
                let status = error.http_status();
                self.json(&json!({"event": "error", "message": message, "status": status}))
            }
            _ => {
                // The prompt is gone then, and what came before is there.
                self.terminal = None;
                let colour = self.colour && io::stderr().is_terminal();
                let name = if colour { "\x1b[31mswitchboard\x1b[0m" } else { "switchboard" };
                eprintln!("{name}: {}", harmless(&error.to_string()));
                Ok(())
            }
        };
    }

    /// What is no payload.
    fn event(&mut self, event: &Value, line: &str) -> Result<(), Error> {
        match self.form {
            Form::Json => self.json(event),
            Form::Lines => {
                eprintln!("{line}");
                Ok(())
            }
            Form::Person => self.dim(line),
        }
    }

    fn dim(&mut self, line: &str) -> Result<(), Error> {
        let line = self.in_colour("2", line);
        self.line(&line)
    }

    fn in_colour(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn json(&mut self, event: &Value) -> Result<(), Error> {
        self.line(&event.to_string())
    }

    fn line(&mut self, line: &str) -> Result<(), Error> {
        match &mut self.terminal {
            Some(terminal) => {
                terminal.print(line);
                Ok(())
            }
            None => self.raw(line.as_bytes()),
        }
    }

    fn raw(&mut self, line: &[u8]) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        let written = out.write_all(line).and_then(|()| out.write_all(b"\n"));
        written.and_then(|()| out.flush()).map_err(Error::Output)
    }
}

/// What the server answered, if it compresses.
fn compression(opened: &Dialled) -> Option<String> {
    opened.deflate?;
    let is_it = |name: &str| name.eq_ignore_ascii_case("Sec-WebSocket-Extensions");
    let mut values = opened.headers.iter().filter(|(name, _)| is_it(name)).map(|(_, value)| value);
    let answer = values.find(|value| !value.is_empty())?;
    Some(String::from_utf8_lossy(answer).into_owned())
}

/// Nothing that a server says may steer a terminal: control characters are shown, not obeyed.
fn harmless(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\tb\nc ä€"), "a\tb\nc ä€");
        assert_eq!(harmless("\x1b[2J\r\u{9b}x\0"), "\\u{1b}[2J\\r\\u{9b}x\\u{0}");
    }
}
