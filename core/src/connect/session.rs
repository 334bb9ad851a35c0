//! An open connection: what is typed goes out, what comes is shown, until one side closes.

use std::io;
use std::time::Duration;

use switchboard_websocket::deflate::Agreed;
use switchboard_websocket::{
    CloseCode, Decoder, Event, Kind, Limits, write_close, write_ping, write_pong,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::error::Error;
use super::frames::{self, Frames};
use super::input::Input;
use super::show::{By, Show};
use super::{Options, hex};
use crate::client::{Dialled, Stream, mask};

/// A message may be so long; a person reads it.
const LIMITS: Limits = Limits { message_bytes_max: 1 << 30, frame_bytes_max: 1 << 30 };
/// Nothing more is typed in while so much waits to leave.
const WAITING_BYTES_MAX: usize = 256 << 10;

/// The life of one connection.
pub(super) struct Session<'a> {
    options: &'a Options,
    show: &'a mut Show,
    decoder: Decoder,
    frames: Frames,
    /// What has not left yet.
    out: Vec<u8>,
    /// What was written may wait in the stream: TLS has a buffer.
    is_unflushed: bool,
    lines: u64,
    input_is_over: bool,
    /// Messages that have come.
    got: u64,
    stage: Stage,
    /// When the stage is over, if time ends it.
    stage_end: Option<Instant>,
    /// When to ping, and whether anything has come since the last one.
    ping_at: Option<Instant>,
    is_silent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Input is taken.
    Open,
    /// `--expect`: the input has ended, and not all that is expected has come.
    Expecting,
    /// `--wait`.
    Waiting,
    /// Our Close frame is on its way, the server's is awaited.
    Closing,
    /// The server's Close frame has come; our answer leaves.
    Closed,
}

/// How the connection ended.
struct Ended {
    close: Option<(u16, String)>,
    by: By,
}

enum Turn {
    Wrote(io::Result<usize>),
    Read(io::Result<usize>),
    Input(Option<Input>),
    Time,
    Signal,
}

impl<'a> Session<'a> {
    /// `agreed` is how both sides compress, if they do.
    pub(super) fn new(options: &'a Options, show: &'a mut Show, agreed: Option<&Agreed>) -> Self {
        Self {
            options,
            show,
            decoder: frames::decoder(agreed),
            frames: Frames::new(agreed, options.compression_threshold),
            out: Vec::new(),
            is_unflushed: false,
            lines: 0,
            input_is_over: options.echo,
            got: 0,
            stage: Stage::Open,
            stage_end: None,
            ping_at: options.ping.map(|every| Instant::now() + every),
            is_silent: false,
        }
    }

    /// Returns when the connection is over.
    pub(super) async fn run(
        mut self,
        dialled: Dialled,
        mut input: mpsc::Receiver<Input>,
    ) -> Result<(), Error> {
        let (mut reader, mut writer) = tokio::io::split(dialled.socket.into_stream());
        let ended = match self.drive(dialled.early, &mut reader, &mut writer, &mut input).await {
            Ok(ended) => ended,
            Err(Error::Protocol(error)) => {
                // RFC 6455, section 7.1.7: the server is told, if it still listens.
                let close = Some((error.close_code(), ""));
                write_close(&mut self.out, close, Some(mask()));
                let told = async {
                    writer.write_all(&self.out).await?;
                    writer.flush().await
                };
                let _ = tokio::time::timeout(Duration::from_secs(1), told).await;
                return Err(error.into());
            }
            Err(error) => return Err(error),
        };
        // What TLS calls an end; the server may have gone already.
        let _ = tokio::time::timeout(Duration::from_secs(1), writer.shutdown()).await;
        let (code, reason) = ended.close.unzip();
        self.show.close(code, reason.as_deref().unwrap_or_default(), ended.by)?;
        self.judge(code, ended.by)
    }

    fn judge(&self, code: Option<u16>, by: By) -> Result<(), Error> {
        if let Some(expected) = self.options.expect.filter(|expected| self.got < *expected) {
            return Err(Error::Expected { got: self.got, expected });
        }
        match code {
            Some(code) if by == By::Server && code != 1000 && code != 1001 => {
                Err(Error::ClosedWith(code))
            }
            _ => Ok(()),
        }
    }

    async fn drive(
        &mut self,
        mut bytes: Vec<u8>,
        reader: &mut ReadHalf<Box<dyn Stream>>,
        writer: &mut WriteHalf<Box<dyn Stream>>,
        input: &mut mpsc::Receiver<Input>,
    ) -> Result<Ended, Error> {
        // Before anything is shown, since what is shown may move somebody to interrupt.
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut ended = self.take(&mut bytes)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            if self.out.is_empty()
                && !self.is_unflushed
                && let Some(ended) = ended.take()
            {
                return Ok(ended);
            }
            // On a terminal, Ctrl-C comes as input: it must be seen in the later stages too.
            let has_room = self.out.len() < WAITING_BYTES_MAX || self.stage > Stage::Open;
            let takes_input = has_room && !self.input_is_over;
            // What comes goes out again: a server that reads nothing is not read either.
            let reads = ended.is_none() && (has_room || !self.options.echo);
            let has_output = self.is_unflushed || !self.out.is_empty();
            let time = [self.stage_end, self.ping_at].into_iter().flatten().min();
            let turn = tokio::select! {
                wrote = put(writer, &self.out), if has_output => Turn::Wrote(wrote),
                read = reader.read(&mut buffer), if reads => Turn::Read(read),
                line = input.recv(), if takes_input => Turn::Input(line),
                () = sleep_until(time.unwrap_or_else(Instant::now)), if time.is_some() => Turn::Time,
                _ = interrupts.recv() => Turn::Signal,
            };
            match turn {
                Turn::Wrote(Ok(count)) => {
                    self.out.drain(..count);
                    self.is_unflushed = count > 0;
                }
                // The server has ended after its Close frame, as it may. Or: what it said before it
                // went may still be there to be read.
                Turn::Wrote(Err(_)) if ended.is_some() || self.stage == Stage::Closing => {
                    self.out.clear();
                    self.is_unflushed = false;
                }
                Turn::Wrote(Err(error)) => return Err(error.into()),
                Turn::Read(Ok(0)) => return self.stream_ended(),
                Turn::Read(Ok(count)) => {
                    self.is_silent = false;
                    ended = self.take(&mut buffer[..count])?;
                }
                Turn::Read(Err(error)) => return Err(error.into()),
                Turn::Input(Some(Input::Line(line))) => self.send(&line)?,
                Turn::Input(Some(Input::End) | None) => {
                    self.input_is_over = true;
                    if self.stage == Stage::Open {
                        self.input_ended();
                    }
                }
                Turn::Input(Some(Input::Interrupt)) | Turn::Signal => {
                    if self.stage >= Stage::Closing {
                        return Err(Error::Impatient);
                    }
                    self.close();
                }
                Turn::Time => self.time()?,
            }
        }
    }

    /// Shows what has come. Returns something when the server has closed.
    fn take(&mut self, bytes: &mut [u8]) -> Result<Option<Ended>, Error> {
        let mut at = 0;
        while let Some(event) = self.decoder.next(&LIMITS, bytes, &mut at)? {
            match event {
                Event::Message { kind, payload } => {
                    self.got += 1;
                    self.show.message(kind, payload)?;
                    if self.options.echo && self.stage == Stage::Open {
                        self.frames.write(&mut self.out, kind, payload);
                    }
                    if self.stage == Stage::Expecting {
                        self.stage_end = Some(Instant::now() + self.options.timeout);
                    }
                }
                Event::Ping(payload) => {
                    write_pong(&mut self.out, payload, Some(mask()));
                    self.show.ping(payload)?;
                }
                Event::Pong(payload) => self.show.pong(payload)?,
                Event::Close(close) => {
                    let code = close.map(|close| close.code);
                    let close = close.map(|close| (close.code.get(), close.reason.to_owned()));
                    let by = self.closed_with(code);
                    return Ok(Some(Ended { close, by }));
                }
            }
        }
        if self.stage == Stage::Expecting && self.has_all() {
            self.wait();
        }
        Ok(None)
    }

    /// The server's Close frame has come. Returns who closed first.
    fn closed_with(&mut self, code: Option<CloseCode>) -> By {
        let by = if self.stage == Stage::Closing { By::Us } else { By::Server };
        if by == By::Server {
            // Section 5.5.1: the answer echoes the code.
            write_close(&mut self.out, code.map(|code| (code, "")), Some(mask()));
        }
        self.stage = Stage::Closed;
        self.stage_end = Some(Instant::now() + self.options.timeout);
        self.ping_at = None;
        by
    }

    fn stream_ended(&self) -> Result<Ended, Error> {
        match self.stage {
            // We have said goodbye, and the server went without a word.
            Stage::Closing => Ok(Ended { close: None, by: By::Us }),
            _ => Err(Error::NoClose),
        }
    }

    fn send(&mut self, line: &[u8]) -> Result<(), Error> {
        self.lines += 1;
        if self.stage != Stage::Open {
            return Ok(());
        }
        let wrong = |reason: String| Error::Input { line: self.lines, reason };
        let text = str::from_utf8(line);
        let text = text.map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        if !self.options.binary {
            self.frames.write(&mut self.out, Kind::Text, line);
            return Ok(());
        }
        let payload = match text.strip_prefix('@') {
            Some(file) => std::fs::read(file).map_err(|error| wrong(format!("{file}: {error}")))?,
            None => hex::read(text).ok_or_else(|| {
                wrong("expected pairs of hex digits, or @ and the name of a file".to_owned())
            })?,
        };
        self.frames.write(&mut self.out, Kind::Binary, &payload);
        Ok(())
    }

    fn has_all(&self) -> bool {
        self.options.expect.is_none_or(|expected| self.got >= expected)
    }

    fn input_ended(&mut self) {
        if self.has_all() {
            return self.wait();
        }
        self.stage = Stage::Expecting;
        self.stage_end = Some(Instant::now() + self.options.timeout);
    }

    fn wait(&mut self) {
        let Some(wait) = self.options.wait else { return self.close() };
        self.stage = Stage::Waiting;
        self.stage_end = Some(Instant::now() + wait);
    }

    fn close(&mut self) {
        write_close(&mut self.out, Some((CloseCode::NORMAL, "")), Some(mask()));
        self.stage = Stage::Closing;
        self.stage_end = Some(Instant::now() + self.options.timeout);
        self.ping_at = None;
    }

    fn time(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.stage_end.is_some_and(|end| end <= now) {
            match self.stage {
                Stage::Open => self.stage_end = None,
                // The verdict falls when the connection is over.
                Stage::Expecting | Stage::Waiting => self.close(),
                Stage::Closing => return Err(Error::NoCloseAnswer(self.options.timeout)),
                // Only our answer did not leave.
                Stage::Closed => {
                    self.out.clear();
                    self.is_unflushed = false;
                }
            }
        }
        if let (Some(at), Some(every)) = (self.ping_at, self.options.ping)
            && at <= now
        {
            if self.is_silent {
                return Err(Error::NoPong);
            }
            self.is_silent = true;
            write_ping(&mut self.out, b"switchboard", Some(mask()));
            self.ping_at = Some(now + every);
        }
        Ok(())
    }
}

/// Writes some of `out`; when all of it is written, sees to it that it leaves. Whatever is not done
/// when nobody waits any more can be done later.
async fn put(writer: &mut WriteHalf<Box<dyn Stream>>, out: &[u8]) -> io::Result<usize> {
    if out.is_empty() {
        writer.flush().await?;
        return Ok(0);
    }
    writer.write(out).await
}
