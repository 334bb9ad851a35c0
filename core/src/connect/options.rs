//! What the command line says, in types that cannot be wrong.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use switchboard_websocket::Url;
use switchboard_websocket::handshake::deflate::Offer;
use switchboard_websocket::handshake::{is_reserved, is_token};

/// A client for WebSockets: a terminal to type into, or a filter for lines
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Options {
    /// ws://HOST[:PORT]/PATH, wss://HOST[:PORT]/PATH, or ws+unix:/path/to.sock:/PATH
    #[arg(value_name = "URL", value_parser = Url::parse)]
    pub(super) url: Url,
    /// Sends one more header with the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(String, String)>,
    /// Offers a subprotocol; may be repeated, the best first
    #[arg(short, long = "subprotocol", value_name = "NAME", value_parser = subprotocol)]
    pub(super) subprotocols: Vec<String>,
    /// Sends an Origin, as a browser does
    #[arg(short, long, value_name = "ORIGIN")]
    pub(super) origin: Option<String>,
    /// Offers permessage-deflate, with parameters as RFC 7692 has them, or with
    /// client_max_window_bits, which leaves all to the server
    #[arg(long, value_name = "PARAMETERS", num_args = 0..=1, require_equals = true)]
    #[arg(value_parser = str::parse::<Offer>, default_missing_value = "client_max_window_bits")]
    pub(super) compression: Option<Offer>,
    /// Sends messages of fewer bytes as they are, not compressed
    #[arg(long, value_name = "BYTES", default_value = "64", requires = "compression")]
    pub(super) compression_threshold: u32,
    /// Trusts the certificates in this file (PEM), not those that the system trusts, to sign that
    /// of a wss:// server
    #[arg(long, value_name = "FILE")]
    pub(super) cacert: Option<PathBuf>,
    /// Sends binary messages: each line is hex digits, or @FILE
    #[arg(short, long)]
    pub(super) binary: bool,
    /// Prints one JSON object a line for each event
    #[arg(long)]
    pub(super) json: bool,
    /// At the end of the input, waits until so many messages have come, then closes
    #[arg(short, long, value_name = "COUNT")]
    pub(super) expect: Option<u64>,
    /// At the end of the input, stays so much longer
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) wait: Option<Duration>,
    /// Sends a ping so often, and gives up if nothing came since the one before
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) ping: Option<Duration>,
    /// Sends each message back as it came, until the server closes or Ctrl-C; reads no input
    #[arg(long, conflicts_with_all = ["binary", "expect", "wait"])]
    pub(super) echo: bool,
    /// How long to wait for the connection, for each message that --expect asks for, and for the
    /// answer to a close
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub(super) timeout: Duration,
}

const AFTER_HELP: &str = "\
On a terminal, lines are edited and have a history; messages appear above the prompt. Ctrl-D or
Ctrl-C closes with 1000, a second Ctrl-C ends at once.

With a pipe, each line of the input is one message, and each message that comes is one line of the
output: text as it is, binary in hex digits. At the end of the input the connection is closed with
1000, after --expect and --wait; what the server still says before it answers is printed.

With --compression messages are compressed both ways, if the server wants that; what it answered is
shown. --compression='client_no_context_takeover; server_max_window_bits=10' binds both sides: no
message of ours refers to those before, none of the server's reaches back further than 2^10 bytes. An
answer that does not fit the offer is a wrong handshake.

With --echo it is a client for servers that test clients: `ws://HOST:9001/runCase?case=1&agent=me`
of the Autobahn testsuite, for one.

Exit status:
   0  closed with 1000 or 1001 or without a code, or by us
   1  closed with any other code, cut, a rule of the protocol broken, or --expect not met
  64  wrong usage, also a --cacert that cannot be read
  65  a line of the input is not UTF-8, no hex digits, or a file that cannot be read
  69  the server cannot be reached
  76  the server does not open a WebSocket: another status than 101, a wrong handshake, or none of
      TLS that can be trusted";

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'NAME: VALUE'")?;
    if !is_token(name) {
        return Err(format!("{name:?} is no name of a header"));
    }
    // Host is the one that a person may want to be another than the URL says.
    if is_reserved(name) && !name.eq_ignore_ascii_case("host") {
        return Err(format!("the handshake itself decides about {name}"));
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn subprotocol(text: &str) -> Result<String, String> {
    if is_token(text) { Ok(text.to_owned()) } else { Err("it must be one token".to_owned()) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let duration = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    let sane = duration.filter(|duration| *duration <= Duration::from_secs(1_000_000));
    sane.ok_or_else(|| "expected a number of seconds, such as 2 or 0.5".to_owned())
}
