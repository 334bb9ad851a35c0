//! What clients and rooms say to each other, in JSON. Not who may say it when.

use serde::Serialize;
use serde_json::Value;

/// What a client may say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromClient {
    Join { name: String },
    Say { text: String },
}

/// An error is a sentence for the client.
pub(crate) fn parse(text: &str) -> Result<FromClient, String> {
    let value: Value = serde_json::from_str(text).map_err(|_| "not JSON".to_owned())?;
    let Value::Object(fields) = value else { return Err("not a JSON object".to_owned()) };
    let field = |name: &str| fields.get(name).and_then(Value::as_str);
    match field("type") {
        Some("join") => {
            let name = field("name").ok_or("join needs a name")?.to_owned();
            Ok(FromClient::Join { name })
        }
        Some("say") => {
            let text = field("text").ok_or("say needs a text")?.to_owned();
            Ok(FromClient::Say { text })
        }
        Some(other) => Err(format!("unknown type {:?}", shortened(other))),
        None => Err("the type is missing".to_owned()),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(32).collect()
}

/// What a client is told. `Joined`, `Left` and `Message` come through the room's topic.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum ToClient<'a> {
    Welcome { room: &'a str, name: &'a str, members: &'a [String], history: &'a [Value] },
    NameTaken { name: &'a str, suggestion: &'a str },
    Joined { name: &'a str },
    Left { name: &'a str },
    Message { name: &'a str, text: &'a str, time: u64 },
    Error { reason: &'a str },
}

impl ToClient<'_> {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and values are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_may_say_is_understood() {
        let join = |name: &str| FromClient::Join { name: name.to_owned() };
        let say = |text: &str| FromClient::Say { text: text.to_owned() };
        let table = [
            (r#"{"type":"join","name":"ann"}"#, join("ann")),
            (r#" { "name" : "\u00e4" , "more" : [1] , "type" : "join" } "#, join("ä")),
            (r#"{"type":"say","text":"hello"}"#, say("hello")),
            (r#"{"type":"say","text":""}"#, say("")),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_gets_a_reason() {
        let deep = "[".repeat(1000);
        let table = [
            ("", "not JSON"),
            ("hello", "not JSON"),
            (r#"{"type":"say","text":"#, "not JSON"),
            (r#"["join","ann",null]"#, "not a JSON object"),
            ("7", "not a JSON object"),
            (&deep, "not JSON"),
            (r#"{"type":"join","name":7}"#, "join needs a name"),
            (r#"{"type":["join"]}"#, "the type is missing"),
            ("{}", "the type is missing"),
            (r#"{"type":"dance"}"#, r#"unknown type "dance""#),
            (r#"{"type":"join"}"#, "join needs a name"),
            (r#"{"type":"say","name":"ann"}"#, "say needs a text"),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_a_client_is_told_is_as_the_readme_says() {
        let members = ["ann".to_owned(), "bob".to_owned()];
        let history = [serde_json::json!({"type": "left"})];
        let table = [
            (
                ToClient::Welcome {
                    room: "lobby",
                    name: "ann",
                    members: &members,
                    history: &history,
                },
                r#"{"type":"welcome","room":"lobby","name":"ann","members":["ann","bob"],"history":[{"type":"left"}]}"#,
            ),
            (
                ToClient::NameTaken { name: "ann", suggestion: "ann-2" },
                r#"{"type":"name-taken","name":"ann","suggestion":"ann-2"}"#,
            ),
            (ToClient::Joined { name: "a\"b" }, r#"{"type":"joined","name":"a\"b"}"#),
            (ToClient::Left { name: "ann" }, r#"{"type":"left","name":"ann"}"#),
            (
                ToClient::Message { name: "ann", text: "hi", time: 7 },
                r#"{"type":"message","name":"ann","text":"hi","time":7}"#,
            ),
            (ToClient::Error { reason: "no" }, r#"{"type":"error","reason":"no"}"#),
        ];
        for (message, expected) in table {
            assert_eq!(message.to_json(), expected);
        }
    }
}
