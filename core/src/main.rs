//! Arguments, and the exit status.

mod allocator;

use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use switchboard::admin::Question;
use switchboard::conf::{self, ConfErrors, LogLevel, Settings};
use switchboard::endpoint::plugin;
use switchboard::explain::Explained;
use switchboard::{admin, bench, check, connect, explain, library, log, server, tree};

use allocator::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// A host for WebSocket applications.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, infer_subcommands = false)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    conf: Conf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the host in the foreground (the default)
    Serve(Conf),
    /// Checks the conf and says what is wrong with it
    Check(Conf),
    /// Says which section answers a path, and why the others do not
    Explain {
        #[command(flatten)]
        conf: Conf,
        #[command(flatten)]
        options: explain::Options,
    },
    /// Shows what a conf file says
    #[command(subcommand)]
    Conf(ConfCommand),
    /// Says how the running host is: its conf, listeners, endpoints, memory and shards
    Status(Ask),
    /// Lists the connections of the running host
    Connections {
        #[command(flatten)]
        ask: Ask,
        /// Only those of this endpoint
        #[arg(long, value_name = "PREFIX")]
        endpoint: Option<String>,
        /// At most so many, up to 10000 [default: 100]
        #[arg(long, value_name = "COUNT")]
        limit: Option<u32>,
    },
    /// Lists the plugins that the running host has loaded
    Plugins(Ask),
    /// Has the running host stop, and waits until it has
    Stop(Ask),
    /// A WebSocket client: a terminal to type into, or a filter for lines
    Connect(connect::Options),
    /// A load generator: many clients at once, which check every byte that comes back
    Bench(bench::Options),
    /// Loads a plugin and says what it is; the host runs this in a child
    #[command(hide = true, name = "plugin-probe")]
    PluginProbe {
        /// The library.
        file: PathBuf,
        /// Makes an instance by the settings on standard input, and destroys it
        #[arg(long)]
        create: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ConfCommand {
    /// The parsed text alone, whatever its keys may mean
    Tree(tree::Options),
    /// What holds: every directive with its value after all layers, as a conf
    #[command(after_long_help = conf::SHOW_HELP)]
    Show {
        #[command(flatten)]
        conf: Conf,
        /// In JSON, with the origin of each value
        #[arg(long)]
        json: bool,
        /// Says before each line where it is from
        #[arg(long)]
        origin: bool,
    },
    /// Every directive that there is, in Markdown: docs/conf-reference.md
    Reference,
}

#[derive(Debug, Args)]
struct Conf {
    /// The conf file
    #[arg(short, long, value_name = "FILE", default_value = "zope.conf")]
    conf: PathBuf,
    /// Sets one key over the conf file: -X limits/max-message-size=2MB
    #[arg(short = 'X', value_name = "PATH/KEY=VALUE")]
    set: Vec<String>,
}

/// A running host is asked over its control socket, which the conf names.
#[derive(Debug, Args)]
struct Ask {
    #[command(flatten)]
    conf: Conf,
    #[command(flatten)]
    options: admin::Options,
}

/// sysexits.h: not available.
const UNAVAILABLE: u8 = 69;
/// sysexits.h: wrong usage.
const USAGE: u8 = 64;
/// sysexits.h: bad conf.
const BAD_CONF: u8 = 78;

fn main() -> ExitCode {
    allocator::settle();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let status = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return status.into();
        }
    };
    match arguments.command {
        None => serve(&arguments.conf),
        Some(Command::Serve(conf)) => serve(&conf),
        Some(Command::Check(conf)) => check(&conf),
        Some(Command::Explain { conf, options }) => match load(&conf) {
            Ok(settings) => explain(&settings, &options),
            Err(status) => status,
        },
        Some(Command::Conf(ConfCommand::Tree(options))) => {
            if tree::print(&options, environment()) {
                ExitCode::SUCCESS
            } else {
                BAD_CONF.into()
            }
        }
        Some(Command::Conf(ConfCommand::Show { conf, json, origin })) => show(&conf, json, origin),
        Some(Command::Conf(ConfCommand::Reference)) => print(&conf::reference()),
        Some(Command::Status(how)) => ask(&how, &Question::Status),
        Some(Command::Connections { ask: how, endpoint, limit }) => {
            ask(&how, &Question::Connections { endpoint, limit })
        }
        Some(Command::Plugins(how)) => ask(&how, &Question::Plugins),
        Some(Command::Stop(how)) => ask(&how, &Question::Stop),
        Some(Command::Connect(options)) => connect::run(&options),
        Some(Command::Bench(options)) => bench::bench(&options),
        Some(Command::PluginProbe { file, create: false }) => library::probe_main(&file),
        Some(Command::PluginProbe { file, create: true }) => plugin::rehearse_main(&file),
    }
}

fn serve(conf: &Conf) -> ExitCode {
    let settings = match load(conf) {
        Ok(settings) => settings,
        Err(status) => return status,
    };
    log::start(settings.log_level);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    match server::serve(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchboard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(conf: &Conf) -> ExitCode {
    let settings = match load(conf) {
        Ok(settings) => settings,
        Err(status) => return status,
    };
    log::start(LogLevel::Off);
    let check::Checked { problems, warnings } = check::check(&settings);
    for warning in settings.warnings.iter().chain(&warnings) {
        eprintln!("warning: {warning}");
    }
    if problems.is_empty() {
        println!("{}: the conf is well", conf.conf.display());
        return ExitCode::SUCCESS;
    }
    for problem in problems {
        eprintln!("{problem}");
    }
    BAD_CONF.into()
}

fn show(conf: &Conf, json: bool, origin: bool) -> ExitCode {
    match conf::effective(&conf.conf, environment(), &conf.set) {
        Ok(effective) if json => print(&effective.json()),
        Ok(effective) => print(&effective.text(origin)),
        Err(errors) => bad_conf(&errors),
    }
}

fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever closed the pipe wants no more of it.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("switchboard: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn explain(settings: &Settings, options: &explain::Options) -> ExitCode {
    match explain::explain(settings, options) {
        Ok(Explained { answered, text }) => {
            let printed = print(&text);
            if answered { printed } else { ExitCode::FAILURE }
        }
        Err(wrong) => {
            eprintln!("switchboard: {wrong}");
            USAGE.into()
        }
    }
}

fn ask(ask: &Ask, question: &Question) -> ExitCode {
    if let Some(socket) = &ask.options.socket {
        return admin::run(socket, &ask.options, question);
    }
    match load(&ask.conf) {
        Ok(Settings { admin: Some(admin), .. }) => {
            admin::run(&admin.socket, &ask.options, question)
        }
        Ok(_) => {
            let conf = ask.conf.conf.display();
            eprintln!(
                "switchboard: {conf}: there is no <admin>, so the host has no control socket; \
                 write '<admin>' and '</admin>', each on its own line"
            );
            UNAVAILABLE.into()
        }
        Err(status) => status,
    }
}

fn load(conf: &Conf) -> Result<Settings, ExitCode> {
    conf::load(&conf.conf, environment(), &conf.set).map_err(|errors| bad_conf(&errors))
}

fn bad_conf(errors: &ConfErrors) -> ExitCode {
    eprint!("{}", conf::render(errors, std::io::stderr().is_terminal()));
    BAD_CONF.into()
}

/// The variables that are text; one that is not cannot stand in a conf.
fn environment() -> impl Iterator<Item = (String, String)> {
    let texts = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(texts)
}
