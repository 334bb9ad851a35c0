//! Where messages come from: lines of a pipe, or a terminal on which they are edited.
//! Each is read by a thread of its own, because neither can be waited for otherwise.

use std::io::{self, BufRead, Write};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor, ExternalPrinter};
use tokio::sync::mpsc;

/// What the user does.
#[derive(Debug)]
pub(super) enum Input {
    /// One line, without its end.
    Line(Vec<u8>),
    /// No more lines: the end of the pipe, or Ctrl-D.
    End,
    /// Ctrl-C on a terminal that is edited on; elsewhere it is a signal.
    Interrupt,
}

/// So many lines are read before they can be sent.
const LINES_MAX: usize = 16;

/// Nothing is read, and nothing comes.
pub(super) fn none() -> mpsc::Receiver<Input> {
    mpsc::channel(1).1
}

/// Lines of standard input.
pub(super) fn pipe() -> mpsc::Receiver<Input> {
    let (to, lines) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            // An input that cannot be read has ended.
            if !matches!(input.read_until(b'\n', &mut line), Ok(1..)) {
                break;
            }
            if line.ends_with(b"\n") {
                line.pop();
            }
            if line.ends_with(b"\r") {
                line.pop();
            }
            if to.blocking_send(Input::Line(line)).is_err() {
                return;
            }
        }
        let _ = to.blocking_send(Input::End);
    });
    lines
}

/// A terminal in the hands of a line editor.
pub(super) struct Terminal {
    printer: Box<dyn FnMut(String) -> bool + Send>,
    /// How it was, and is left.
    before: Termios,
}

/// Lines of a terminal, and how to print above the one that is being edited.
pub(super) fn terminal() -> io::Result<(mpsc::Receiver<Input>, Terminal)> {
    let before = tcgetattr(io::stdin())?;
    let conf = Config::builder().auto_add_history(true).build();
    let mut editor =
        Editor::<(), MemHistory>::with_history(conf.clone(), MemHistory::with_config(&conf))
            .map_err(io::Error::other)?;
    let mut printer = editor.create_external_printer().map_err(io::Error::other)?;
    let (to, lines) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        loop {
            let input = match editor.readline("> ") {
                Ok(line) => Input::Line(line.into_bytes()),
                Err(ReadlineError::Interrupted) => Input::Interrupt,
                Err(_) => Input::End,
            };
            let is_over = matches!(input, Input::End);
            if to.blocking_send(input).is_err() || is_over {
                return;
            }
        }
    });
    let printer = Box::new(move |text| printer.print(text).is_ok());
    Ok((lines, Terminal { printer, before }))
}

impl Terminal {
    /// Prints lines above the prompt.
    pub(super) fn print(&mut self, lines: &str) {
        let printed = (self.printer)(format!("{lines}\n"));
        if !printed {
            // The editor has ended.
            println!("{lines}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The editor takes the texts one by one, and one may wait: when the second of these, which
        // show nothing, is taken, all before them has been printed.
        for _ in 0..2 {
            (self.printer)("\x1b[A\n".to_owned());
        }
        // The editor still has the terminal in its own mode, and a prompt on it.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        print!("\r\x1b[K");
        let _ = io::stdout().flush();
    }
}
