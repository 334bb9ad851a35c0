//! People in a chat room, some of whom do not listen.

use serde_json::{Value, json};

use super::{Client, Event, Host, Ws, conf};

/// Somebody in a chat room.
pub(crate) struct Guest {
    pub(crate) ws: Ws,
    /// Who has left while it was there.
    left: Vec<String>,
}

impl Guest {
    pub(crate) fn join(host: &Host, name: &str) -> Self {
        let ws = Client::ws(&host.addr("main"), "/chat");
        let mut guest = Self { ws, left: Vec::new() };
        guest.ws.text(&json!({"type": "join", "name": name}).to_string());
        guest.wait_for(|heard| heard["type"] == "welcome" && heard["name"] == name);
        guest
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.ws.text(&json!({"type": "say", "text": text}).to_string());
    }

    pub(crate) fn hear(&mut self) -> Value {
        let heard: Value = match self.ws.next() {
            Event::Text(text) => serde_json::from_str(&text).expect("chat speaks JSON"),
            other => panic!("{other:?}"),
        };
        if heard["type"] == "left" {
            self.left.extend(heard["name"].as_str().map(str::to_owned));
        }
        heard
    }

    /// Skips what was said before.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) {
        while !wanted(&self.hear()) {}
    }

    pub(crate) fn wait_until_left(&mut self, name: &str) {
        while !self.left.iter().any(|left| left == name) {
            self.hear();
        }
    }

    pub(crate) fn wait_for_text(&mut self, text: &str) {
        self.wait_for(|heard| heard["type"] == "message" && heard["text"] == text);
    }
}

/// A host with a chat under `/chat`; `limits` are keys of its section.
pub(crate) fn start_chat(limits: &str) -> Host {
    Host::start(&conf(&format!(
        "<websocket /chat>
           <limits>
             {limits}
             ping-interval 0
           </limits>
           <plugin chat>
             <config>
               history 0
               max-text 100000
             </config>
           </plugin>
         </websocket>"
    )))
}

/// What `sleeper` finds when it wakes up: whole messages, then 1013 or a cut.
pub(crate) fn check_closed_as_slow(mut sleeper: Guest) {
    loop {
        match sleeper.ws.next() {
            Event::Text(_) => {}
            Event::Close(Some((1013, reason))) => {
                assert_eq!(reason, "reads too slowly");
                return;
            }
            Event::End | Event::Reset => return,
            other => panic!("{other:?}"),
        }
    }
}

/// What the host's log says of it.
pub(crate) const SLOW: &str = "the client reads too slowly, closed with 1013";
