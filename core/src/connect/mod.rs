//! `switchboard connect`: a WebSocket client for people and for pipes.
//! It shares the client and the codec with the host, and works against any server.

mod dial;
mod error;
mod frames;
mod hex;
mod input;
mod options;
mod session;
mod show;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use tokio::sync::mpsc;

pub use options::Options;

use error::Error;
use input::Input;
use session::Session;
use show::Show;

/// Connects, and returns when the connection is over: see `--help` for the status.
pub fn run(options: &Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("switchboard: {error}");
            return ExitCode::FAILURE;
        }
    };
    let status = runtime.block_on(connect(options));
    // A name that is still being resolved, or a line that is still being read, is not waited for.
    runtime.shutdown_background();
    status.into()
}

/// Returns the exit status.
async fn connect(options: &Options) -> u8 {
    let mut show = Show::new(options.json, None);
    let ended = talk(options, &mut show).await;
    let Err(error) = ended else { return 0 };
    show.error(&error);
    error.exit_status()
}

async fn talk(options: &Options, show: &mut Show) -> Result<(), Error> {
    let dialled = dial::dial(options).await?;
    show.open(options, &dialled)?;
    let input = if options.echo { input::none() } else { input(options, show) };
    let agreed = dialled.deflate;
    Session::new(options, show, agreed.as_ref()).run(dialled, input).await
}

/// Whoever types, or a pipe.
fn input(options: &Options, show: &mut Show) -> mpsc::Receiver<Input> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    // A terminal that cannot be edited on, such as a printer, still gives lines.
    let terminal = if is_terminal { input::terminal().ok() } else { None };
    match terminal {
        Some((input, terminal)) => {
            *show = Show::new(options.json, Some(terminal));
            input
        }
        None => input::pipe(),
    }
}
