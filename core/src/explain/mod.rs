//! `switchboard explain`: which section answers a request, and why the others do not.
//!
//! It asks the same table as the host. `asked` makes a request of what was typed, and `show` says
//! what came of it.

mod asked;
mod show;

use clap::Args;

use crate::conf::{Mount, Settings};
use crate::route::{Asked, Found, Miss, Table, decode, miss};

use asked::Wanted;

/// What is asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// A path, percent-encoded as clients send it, or a whole url such as ws://localhost:8080/chat
    #[arg(value_name = "PATH|URL")]
    target: String,
    /// The host that the request names; without it one that no section names, or that of the url
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The listener that it comes to; without it each, or that of the url
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
}

/// What is said about a request.
#[derive(Debug)]
pub struct Explained {
    /// A section answers, on one of the listeners at least.
    pub answered: bool,
    /// For a person.
    pub text: String,
}

/// What answers, and why the others do not.
///
/// # Errors
/// A sentence on what cannot be asked for.
pub fn explain(settings: &Settings, options: &Options) -> Result<Explained, String> {
    let (answered, text) = said(settings, &Wanted::new(settings, options)?);
    Ok(Explained { answered, text })
}

/// Whether a section answers, and all that is said about it.
fn said(settings: &Settings, wanted: &Wanted) -> (bool, String) {
    let path = match decode(&wanted.path) {
        Ok(path) => path,
        Err(bad) => return (false, format!("400 to every request: {bad}\n")),
    };
    if wanted.listeners.is_empty() {
        return (false, show::unheard(settings, wanted));
    }
    let names: Vec<_> = settings.listeners.iter().map(|known| known.name.clone()).collect();
    let (mut answered, mut text) = (false, String::new());
    for listener in &wanted.listeners {
        let host = &wanted.host;
        let asked = Asked { listeners: &names, listener: *listener, host, path: &path };
        let told = Told::of(settings, asked);
        answered |= told.websocket.winner.is_some() || told.http.winner.is_some();
        text.push_str(&show::told(settings, asked, &told));
    }
    (answered, text)
}

/// What the sections have to do with a request.
struct Told {
    websocket: Kind,
    http: Kind,
}

/// The sections of one kind, by their indices.
struct Kind {
    /// Who answers, and what is left of the path.
    winner: Option<(usize, String)>,
    /// Why another does not that may have been meant.
    others: Vec<(usize, Miss)>,
}

impl Told {
    fn of(settings: &Settings, asked: Asked<'_>) -> Self {
        let websockets: Vec<_> = settings.websockets.iter().map(|one| &one.mount).collect();
        let https: Vec<_> = settings.https.iter().map(|one| &one.mount).collect();
        Self { websocket: Kind::of(&websockets, asked), http: Kind::of(&https, asked) }
    }
}

impl Kind {
    fn of(mounts: &[&Mount], asked: Asked<'_>) -> Self {
        let entries = mounts.iter().map(|mount| (*mount).clone()).zip(0..).collect();
        let table: Table<usize> = Table::new(entries, asked.listeners);
        let found = table.find(asked.listener, asked.host, asked.path);
        let winner = found.map(|Found { target, below }| (*target, below.to_owned()));
        let won = winner.as_ref().map(|(index, _)| *index);
        let others = (0..mounts.len()).filter(|index| Some(*index) != won);
        let others = others
            .filter_map(|index| {
                Some((index, miss(mounts[index], won.map(|won| mounts[won]), asked)?))
            })
            .filter(|(_, miss)| *miss != Miss::Path);
        Self { others: others.collect(), winner }
    }
}
