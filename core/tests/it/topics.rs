//! Topics: one order for all, and a room whose members are known at every moment.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fixtures::{conf, probe_host};
use crate::support::{Client, Event, Host, Ws};

fn text(ws: &mut Ws) -> String {
    match ws.next() {
        Event::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_subscribers_see_the_same_order() {
    const SUBSCRIBERS: usize = 10;
    const PUBLISHERS: [&str; 4] = ["ann", "bob", "eve", "joe"];
    const MESSAGES: usize = 20_000;
    /// Messages that are published in one callback.
    const BATCH: usize = 100;
    // Connections go to the shard that has the fewest.
    let host = probe_host("", "worker-threads 4");
    let addr = host.addr("main");
    let subscribers: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let mut ws = Client::ws(&addr, "/probe");
            ws.text("subscribe news");
            assert!(text(&mut ws).starts_with("subscribed "));
            ws
        })
        .collect();
    let publish = |name: &str| {
        let mut ws = Client::ws(&addr, "/probe");
        for from in (0..MESSAGES).step_by(BATCH) {
            ws.text(&format!("publish news {name} {from} {}", from + BATCH));
            // The others have their turn.
            ws.text("echo done");
            ws.expect_text("done");
        }
    };
    let collect = |mut ws: Ws| -> Vec<String> {
        (0..PUBLISHERS.len() * MESSAGES).map(|_| text(&mut ws)).collect()
    };
    let seen: Vec<Vec<String>> = std::thread::scope(|scope| {
        let collectors: Vec<_> =
            subscribers.into_iter().map(|ws| scope.spawn(move || collect(ws))).collect();
        for name in PUBLISHERS {
            scope.spawn(move || publish(name));
        }
        collectors.into_iter().map(|collector| collector.join().unwrap()).collect()
    });
    for (subscriber, sequence) in seen.iter().enumerate() {
        let same = sequence.iter().zip(&seen[0]).position(|(own, first)| own != first);
        assert_eq!(same, None, "subscriber {subscriber} sees another order from there on");
    }
    for name in PUBLISHERS {
        let of_name = |line: &&String| line.starts_with(name);
        let published = seen[0].iter().filter(of_name);
        let expected = (0..MESSAGES).map(|number| format!("{name} {number}"));
        assert!(published.cloned().eq(expected), "{name}'s messages are lost or out of order");
    }
    let changes = seen[0].windows(2).filter(|pair| pair[0][..3] != pair[1][..3]).count();
    assert!(changes > 20, "the publishers took turns {changes} times: nothing was shown");
}

/// A host with a chat, with connections on several shards.
fn chat(topics: &str) -> Host {
    let section = "<websocket /chat>\n<plugin chat/>\n</websocket>";
    Host::start(&conf(&format!("worker-threads 3\n{topics}\n{section}")))
}

/// What the room says next.
fn said(ws: &mut Ws) -> Value {
    let text = text(ws);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

/// Asks to join, and returns what it came to.
fn join(ws: &mut Ws, name: &str) -> Value {
    ask_to_join(ws, name);
    said(ws)
}

fn ask_to_join(ws: &mut Ws, name: &str) {
    ws.text(&format!(r#"{{"type":"join","name":"{name}"}}"#));
}

fn member(host: &Host, room: &str, name: &str) -> (Ws, Value) {
    let mut ws = Client::ws(&host.addr("main"), &format!("/chat/{room}"));
    let welcome = join(&mut ws, name);
    assert_eq!(welcome["type"], "welcome", "{welcome}");
    (ws, welcome)
}

fn say(ws: &mut Ws, text: &str) {
    ws.text(&format!(r#"{{"type":"say","text":"{text}"}}"#));
}

/// Closes, and reads until the host has closed: by then it has left its rooms.
fn leave(mut ws: Ws) {
    ws.close(1000, "");
    while !matches!(ws.next(), Event::End) {}
}

/// A member that keeps a list of the members by what it hears.
struct Observer {
    ws: Ws,
    members: BTreeSet<String>,
    marks: u32,
}

impl Observer {
    fn join(host: &Host, room: &str) -> Self {
        let (ws, welcome) = member(host, room, "observer");
        let members = welcome["members"].as_array().unwrap();
        let members = members.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        Self { ws, members, marks: 0 }
    }

    /// Hears one event; the text if it was a message.
    fn hear(&mut self) -> Option<String> {
        let event = said(&mut self.ws);
        let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str() {
            Some("joined") => {
                let new = self.members.insert(field("name"));
                assert!(new, "{event}: it was a member already");
            }
            Some("left") => {
                let known = self.members.remove(&field("name"));
                assert!(known, "{event}: it was no member");
            }
            Some("message") => return Some(field("text")),
            _ => panic!("{event}"),
        }
        None
    }

    /// Hears all that has happened until now.
    fn catch_up(&mut self) {
        self.marks += 1;
        let mark = format!("mark {}", self.marks);
        say(&mut self.ws, &mark);
        while self.hear().as_ref() != Some(&mark) {}
    }
}

#[test]
fn joined_and_left_tell_who_is_there() {
    const CLIENTS: usize = 50;
    let host = chat("");
    let mut observer = Observer::join(&host, "tea");
    let mut clients: Vec<Option<Ws>> = (0..CLIENTS).map(|_| None).collect();
    let name = |number: usize| format!("client {number}");
    let mut random = Random(0x5eed);
    for round in 0..40 {
        // Not every welcome is waited for before the client leaves again.
        let (mut joining, mut hasty) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..20 {
            let number = random.below(CLIENTS);
            match clients[number].take() {
                None => {
                    let mut ws = Client::ws(&host.addr("main"), "/chat/tea");
                    ask_to_join(&mut ws, &name(number));
                    joining.insert(number);
                    clients[number] = Some(ws);
                }
                Some(ws) => {
                    leave(ws);
                    if joining.remove(&number) {
                        hasty.insert(number);
                    }
                }
            }
        }
        for number in joining {
            let ws = clients[number].as_mut().expect("it has not left");
            // The name may still be that of a hasty one before it.
            while said(ws)["type"] != "welcome" {
                ask_to_join(ws, &name(number));
            }
        }
        // Some go without a word; the observer hears of it soon.
        let here: Vec<_> = (0..CLIENTS).filter(|number| clients[*number].is_some()).collect();
        if round % 4 == 0 && !here.is_empty() {
            let number = here[random.below(here.len())];
            observer.catch_up();
            clients[number] = None;
            while observer.members.contains(&name(number)) {
                observer.hear();
            }
        }
        observer.catch_up();
        for number in hasty {
            while clients[number].is_none() && observer.members.contains(&name(number)) {
                observer.hear();
            }
        }
        let here = (0..CLIENTS).filter(|number| clients[*number].is_some()).map(name);
        let here: BTreeSet<_> = here.chain(["observer".to_owned()]).collect();
        assert_eq!(observer.members, here, "in round {round}");
    }
    // A newcomer is told the same.
    let (_ws, welcome) = member(&host, "tea", "newcomer");
    observer.catch_up();
    let told = welcome["members"].as_array().unwrap();
    let told: BTreeSet<_> = told.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(told, observer.members);
}

#[test]
fn history_outlives_the_last_member_for_the_time_of_keep_empty() {
    let host = chat("<topics>\nkeep-empty 1m\n</topics>");
    let (mut ann, _) = member(&host, "tea", "ann");
    let (bob, _) = member(&host, "tea", "bob");
    for text in ["one", "two", "three"] {
        say(&mut ann, text);
    }
    leave(ann);
    leave(bob);
    let (_ws, welcome) = member(&host, "tea", "eve");
    let history = welcome["history"].as_array().unwrap();
    let texts: Vec<_> = history.iter().map(|kept| kept["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert_eq!(welcome["members"], serde_json::json!(["eve"]));
}

#[test]
fn a_name_is_free_again_when_its_holder_has_gone() {
    let host = chat("");
    let mut observer = Observer::join(&host, "tea");
    for _ in 0..20 {
        let (ann, _) = member(&host, "tea", "ann");
        let mut other = Client::ws(&host.addr("main"), "/chat/tea");
        let taken = join(&mut other, "Ann");
        assert_eq!(taken["type"], "name-taken", "{taken}");
        observer.catch_up();
        // No Close: the socket is gone.
        drop(ann);
        while observer.members.contains("ann") {
            observer.hear();
        }
        let welcome = join(&mut other, "Ann");
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        leave(other);
        observer.catch_up();
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }
}
