//! A child process with a time limit, whose output is read and whose end is certain.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// How a trial ended.
pub(super) struct Outcome {
    /// `None`: it was killed, as its time was over.
    pub(super) status: Option<ExitStatus>,
    /// The last of what it wrote.
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// A running child, the leader of its process group. Dropped, it and its group are killed.
pub(super) struct Trial {
    child: Child,
    /// Readable once the child has ended.
    end: OwnedFd,
    stdout: Output<ChildStdout>,
    stderr: Output<ChildStderr>,
    reaped: bool,
}

impl Trial {
    /// `command` pipes both outputs and makes a process group.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let prepared = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())
            .map_err(io::Error::from)
            .and_then(|end| Ok((end, Output::of(child.stdout.take())?)))
            .and_then(|(end, stdout)| Ok((end, stdout, Output::of(child.stderr.take())?)));
        match prepared {
            Ok((end, stdout, stderr)) => Ok(Self { child, end, stdout, stderr, reaped: false }),
            Err(error) => {
                let _ = child.kill().and_then(|()| child.wait());
                Err(error)
            }
        }
    }

    /// Waits until it ends, or ends it.
    pub(super) fn finish(mut self, timeout: Duration) -> io::Result<Outcome> {
        let by_itself = self.wait(Instant::now() + timeout)?;
        let status = self.reap()?;
        self.stdout.read();
        self.stderr.read();
        Ok(Outcome {
            status: by_itself.then_some(status),
            stdout: std::mem::take(&mut self.stdout.last),
            stderr: std::mem::take(&mut self.stderr.last),
        })
    }

    /// Reads its output until it ends (true) or the time is over (false).
    fn wait(&mut self, until: Instant) -> io::Result<bool> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let left = Timespec::try_from(left).ok();
            let mut waiting = vec![PollFd::new(&self.end, PollFlags::IN)];
            waiting.extend(self.stdout.pipe.iter().map(|p| PollFd::new(p, PollFlags::IN)));
            waiting.extend(self.stderr.pipe.iter().map(|p| PollFd::new(p, PollFlags::IN)));
            match poll(&mut waiting, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ended = waiting.first().is_some_and(|end| !end.revents().is_empty());
            if ended {
                return Ok(true);
            }
            self.stdout.read();
            self.stderr.read();
        }
    }

    /// Kills what is left of the group, then reaps its leader: until then nobody else can get the
    /// group's number.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        self.reaped = true;
        self.child.wait()
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.reap();
        }
    }
}

/// One output of the child, of which the end is kept.
struct Output<Pipe> {
    /// `None` once it is at its end.
    pipe: Option<Pipe>,
    // Invariant: last.len() <= KEPT_BYTES_MAX
    last: Vec<u8>,
}

impl<Pipe: Read + AsFd> Output<Pipe> {
    fn of(pipe: Option<Pipe>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pipe, last: Vec::new() })
    }

    /// Reads what is there, up to a pipe's capacity, so that a child which never stops writing
    /// does not keep its host from looking at the clock.
    fn read(&mut self) {
        let mut piece = [0; KEPT_BYTES_MAX];
        for _ in 0..PIECES_MAX {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut piece) {
                Ok(0) => self.pipe = None,
                Ok(len) => self.keep(&piece[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        let excess = (self.last.len() + piece.len()).saturating_sub(KEPT_BYTES_MAX);
        self.last.drain(..excess.min(self.last.len()));
        self.last.extend_from_slice(piece);
    }
}

const KEPT_BYTES_MAX: usize = 4096;
const PIECES_MAX: usize = 16;
