//! The one place that orders what happens to the topics of one shard.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::conf::TopicLimits;
use crate::shard::{ConnId, JoinRefused, Joined, Mail, Published, Subscription, TopicMail};
use crate::stream::{Clock, Tick};

use super::topic::Topic;

/// The topics whose home is one shard.
#[derive(Debug)]
pub struct Home {
    shards: usize,
    limits: TopicLimits,
    topics: HashMap<Arc<str>, Topic>,
    /// Number of the topic made last; the home's index is in its upper bits.
    last_id: u64,
    /// Topics that lost their last member, each at most once, about the oldest first: until when,
    /// which. Checked when it comes up: the topic may have members again, or had some since.
    emptied: VecDeque<(Tick, Arc<str>)>,
}

/// Where mail for a shard is put.
type Post<'a> = &'a mut dyn FnMut(usize, Mail);

impl Home {
    /// The home on shard `index` of `shards`.
    pub fn new(index: usize, shards: usize, limits: TopicLimits) -> Self {
        Self {
            shards,
            limits,
            topics: HashMap::new(),
            last_id: (index as u64) << 48,
            emptied: VecDeque::new(),
        }
    }

    /// Does what a mail asks for; what follows from it goes to `post`.
    pub fn handle(&mut self, mail: TopicMail, now: Tick, post: Post<'_>) {
        self.forget(now);
        match mail {
            TopicMail::Subscribe { conn, uid, topic, how } => {
                self.subscribe(conn, uid, topic, &how, post);
            }
            TopicMail::Unsubscribe { conn, topic } => self.unsubscribe(conn, &topic, now, post),
            TopicMail::Publish { topic, message, retain, except } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    publish(topic, &message, except, post);
                    if retain {
                        topic.retain(message, self.limits.history_bytes_max);
                    }
                }
            }
        }
    }

    fn subscribe(
        &mut self,
        conn: ConnId,
        uid: u64,
        name: Arc<str>,
        how: &Subscription,
        post: Post<'_>,
    ) {
        let outcome = self.join(conn, uid, &name, how, post);
        let snapshot = match outcome {
            Ok(_) if how.snapshot => self.topics.get(&name).map(Topic::snapshot),
            _ => None,
        };
        let joined = Joined { conn, name, key: how.key.clone(), outcome, snapshot };
        post(conn.shard(), Mail::Joined(Box::new(joined)));
    }

    fn join(
        &mut self,
        conn: ConnId,
        uid: u64,
        name: &Arc<str>,
        how: &Subscription,
        post: Post<'_>,
    ) -> Result<u64, JoinRefused> {
        if !self.topics.contains_key(name) {
            self.make_room()?;
            self.last_id += 1;
            self.topics.insert(Arc::clone(name), Topic::new(self.last_id, self.shards));
        }
        let topic = self.topics.get_mut(name).ok_or(JoinRefused::TooManyTopics)?;
        let new = topic.join(conn, uid, how).ok_or(JoinRefused::KeyTaken)?;
        if let (true, Some(message)) = (new, &how.joined) {
            publish(topic, message, Some(conn), post);
        }
        Ok(topic.id)
    }

    fn unsubscribe(&mut self, conn: ConnId, name: &Arc<str>, now: Tick, post: Post<'_>) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        let Some(member) = topic.part(conn) else { return };
        post(conn.shard(), Mail::Parted { conn, topic: topic.id });
        if let Some(message) = member.left {
            publish(topic, &message, None, post);
        }
        if !topic.members.is_empty() {
            return;
        }
        if !topic.has_history() {
            self.topics.remove(name);
            return;
        }
        topic.empty_until = Clock::after(now, self.limits.keep_empty);
        if !std::mem::replace(&mut topic.in_emptied, true) {
            self.emptied.push_back((topic.empty_until, Arc::clone(name)));
        }
    }

    /// Drops empty topics whose time is over.
    fn forget(&mut self, now: Tick) {
        while self.emptied.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    /// If need be, drops topics that have been empty for longest.
    fn make_room(&mut self) -> Result<(), JoinRefused> {
        // The limit is the host's; each home has its share.
        let most = self.limits.topics_max.div_ceil(self.shards);
        while self.topics.len() >= most {
            if self.emptied.is_empty() {
                return Err(JoinRefused::TooManyTopics);
            }
            self.forget_oldest();
        }
        Ok(())
    }

    /// Takes the front out of `emptied`, and drops its topic unless that had members since.
    fn forget_oldest(&mut self) {
        let Some((until, name)) = self.emptied.pop_front() else { return };
        let Some(topic) = self.topics.get_mut(&name) else { return };
        if !topic.members.is_empty() {
            topic.in_emptied = false;
        } else if topic.empty_until == until {
            self.topics.remove(&name);
        } else {
            self.emptied.push_back((topic.empty_until, name));
        }
    }
}

/// Numbers an event and sends one reference to each shard that has members.
fn publish(topic: &mut Topic, message: &Arc<Published>, except: Option<ConnId>, post: Post<'_>) {
    topic.seq += 1;
    for (shard, members) in topic.members_by_shard.iter().enumerate() {
        if *members > 0 {
            let message = Arc::clone(message);
            post(shard, Mail::Deliver { topic: topic.id, message, except });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use switchboard_websocket::Kind;

    use super::*;

    fn home(topics_max: usize) -> Home {
        let keep_empty = Duration::from_secs(10);
        Home::new(0, 1, TopicLimits { topics_max, history_bytes_max: 100, keep_empty })
    }

    fn text(text: &'static str) -> Arc<Published> {
        Arc::new(Published { kind: Kind::Text, payload: Bytes::from_static(text.as_bytes()) })
    }

    fn how(key: &'static str) -> Box<Subscription> {
        Box::new(Subscription {
            key: Bytes::from_static(key.as_bytes()),
            joined: Some(text("joined")),
            left: Some(text("left")),
            history_messages: 3,
            snapshot: true,
            ..Subscription::default()
        })
    }

    fn conn(slot: usize) -> ConnId {
        ConnId::new(0, slot, 1)
    }

    /// What follows, in the order in which it was posted, one short line for each.
    fn run(home: &mut Home, now: Tick, mail: TopicMail) -> Vec<String> {
        let mut lines = Vec::new();
        home.handle(mail, now, &mut |shard, mail| {
            assert_eq!(shard, 0);
            lines.push(match mail {
                Mail::Joined(joined) => match (&joined.outcome, &joined.snapshot) {
                    (Ok(_), Some(snapshot)) => format!(
                        "in seq {} members {} history {:?}",
                        snapshot.seq,
                        snapshot.members.iter().map(|m| str(&m.key)).collect::<Vec<_>>().join(","),
                        snapshot
                            .history
                            .iter()
                            .map(|m| format!("{}:{}", m.seq, str(&m.message.payload)))
                            .collect::<Vec<_>>()
                    ),
                    (outcome, _) => format!("{outcome:?}"),
                },
                Mail::Parted { conn, .. } => format!("out {conn}"),
                Mail::Deliver { message, except, .. } => {
                    let except = except.map_or(String::new(), |conn| format!(" but {conn}"));
                    format!("{}{except}", str(&message.payload))
                }
                other => format!("{other:?}"),
            });
        });
        lines
    }

    fn str(bytes: &Bytes) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn subscribe(home: &mut Home, slot: usize, topic: &str, key: &'static str) -> Vec<String> {
        let mail =
            TopicMail::Subscribe { conn: conn(slot), uid: 7, topic: topic.into(), how: how(key) };
        run(home, 0, mail)
    }

    fn unsubscribe(home: &mut Home, now: Tick, slot: usize, topic: &str) -> Vec<String> {
        run(home, now, TopicMail::Unsubscribe { conn: conn(slot), topic: topic.into() })
    }

    fn publish(home: &mut Home, topic: &str, payload: &'static str) -> Vec<String> {
        let message = text(payload);
        let topic = topic.into();
        run(home, 0, TopicMail::Publish { topic, message, retain: true, except: None })
    }

    #[test]
    fn a_member_sees_those_before_it_and_the_last_messages() {
        let mut home = home(10);
        assert_eq!(
            subscribe(&mut home, 1, "t", "ann"),
            ["joined but 0.1.1", "in seq 1 members ann history []"]
        );
        for payload in ["a", "b", "c", "d"] {
            assert_eq!(publish(&mut home, "t", payload), [payload]);
        }
        assert_eq!(
            subscribe(&mut home, 2, "t", "bob"),
            ["joined but 0.2.1", r#"in seq 6 members ann,bob history ["3:b", "4:c", "5:d"]"#]
        );
        assert_eq!(unsubscribe(&mut home, 0, 1, "t"), ["out 0.1.1", "left"]);
        assert_eq!(unsubscribe(&mut home, 0, 1, "t"), Vec::<String>::new());
    }

    #[test]
    fn a_key_is_one_members_until_it_leaves() {
        let mut home = home(10);
        subscribe(&mut home, 1, "t", "ann");
        assert_eq!(subscribe(&mut home, 2, "t", "ann"), ["Err(KeyTaken)"]);
        assert_eq!(subscribe(&mut home, 2, "other", "ann").len(), 2);
        unsubscribe(&mut home, 0, 1, "t");
        assert_eq!(
            subscribe(&mut home, 2, "t", "ann").last().unwrap(),
            "in seq 1 members ann history []",
            "a topic without members and history is a new one"
        );
    }

    #[test]
    fn a_second_subscription_replaces_the_key_and_announces_nothing() {
        let mut home = home(10);
        subscribe(&mut home, 1, "t", "ann");
        assert_eq!(subscribe(&mut home, 1, "t", "eve"), ["in seq 1 members eve history []"]);
        assert_eq!(subscribe(&mut home, 2, "t", "ann").len(), 2);
        assert_eq!(subscribe(&mut home, 1, "t", "ann"), ["Err(KeyTaken)"]);
        assert_eq!(
            subscribe(&mut home, 3, "t", "x").last().unwrap(),
            "in seq 3 members eve,ann,x history []"
        );
    }

    #[test]
    fn members_without_a_key_do_not_exclude_each_other() {
        let mut home = home(10);
        for slot in 1..4 {
            assert_eq!(subscribe(&mut home, slot, "t", "").len(), 2);
        }
    }

    #[test]
    fn an_empty_topic_keeps_its_history_for_a_time() {
        for (later, expected) in [(90, 1), (200, 0)] {
            let mut home = home(10);
            subscribe(&mut home, 1, "t", "ann");
            publish(&mut home, "t", "a");
            unsubscribe(&mut home, 0, 1, "t");
            unsubscribe(&mut home, later, 9, "other");
            assert_eq!(home.topics.len(), expected, "at tick {later}");
        }
    }

    #[test]
    fn a_topic_that_had_members_again_counts_from_its_last_end() {
        let mut home = home(10);
        subscribe(&mut home, 1, "t", "ann");
        publish(&mut home, "t", "a");
        for now in [0, 60] {
            unsubscribe(&mut home, now, 1, "t");
            assert_eq!(home.emptied.len(), 1);
            subscribe(&mut home, 1, "t", "ann");
        }
        unsubscribe(&mut home, 70, 1, "t");
        unsubscribe(&mut home, 150, 9, "other");
        assert_eq!(home.topics.len(), 1);
        unsubscribe(&mut home, 172, 9, "other");
        assert_eq!((home.topics.len(), home.emptied.len()), (0, 0));
    }

    #[test]
    fn too_many_topics_drop_the_one_that_is_empty_for_longest() {
        let mut home = home(2);
        for (slot, topic) in [(1, "a"), (2, "b")] {
            subscribe(&mut home, slot, topic, "k");
            publish(&mut home, topic, "kept");
        }
        assert_eq!(subscribe(&mut home, 3, "c", "k"), ["Err(TooManyTopics)"]);
        unsubscribe(&mut home, 0, 2, "b");
        unsubscribe(&mut home, 0, 1, "a");
        assert_eq!(subscribe(&mut home, 3, "c", "k").len(), 2);
        assert!(!home.topics.contains_key("b"));
        assert!(home.topics.contains_key("a"));
    }

    #[test]
    fn history_is_bounded_in_bytes() {
        let mut home = home(10);
        subscribe(&mut home, 1, "t", "ann");
        publish(
            &mut home,
            "t",
            "0123456789012345678901234567890123456789012345678901234567890123456789",
        );
        publish(&mut home, "t", "0123456789012345678901234567890123456789");
        let snapshot = subscribe(&mut home, 2, "t", "bob").pop().unwrap();
        assert!(snapshot.contains(r#"["3:0123456789"#), "{snapshot}");
    }
}
