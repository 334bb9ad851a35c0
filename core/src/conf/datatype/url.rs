//! Where a forward leads.

use switchboard_websocket::{Url, UrlError};

use super::{Datatype, Wrong};

impl Datatype for Url {
    fn parse(text: &str) -> Result<Self, Wrong> {
        Self::parse(text).map_err(|error| match error {
            UrlError::Scheme => Wrong::expected(
                "ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or ws+unix:/PATH/OF/SOCKET:/PATH",
            ),
            error => format!("a url such as ws://127.0.0.1:9000/app ({error})").into(),
        })
    }
}
