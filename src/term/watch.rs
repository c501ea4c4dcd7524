//! What ends or stops us from outside: signals, and a terminal that goes away. Watched off the screen's
//! thread, because that one may be waiting for a terminal that nobody reads.

use std::{io, os::fd::AsFd as _, process, thread, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::Signal,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::modes;

/// How long the screen's thread has for an orderly end before its output is thrown away …
const ORDERLY: Duration = Duration::from_millis(500);
/// … and how often that is tried, before the process ends without it.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(100);

/// What must not wait behind anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgent {
    End(Ending),
    /// SIGTSTP: give the terminal back and stop.
    Stop,
    /// SIGCONT: whoever ran meanwhile may have left anything on the screen.
    Continued,
}

/// Why we are to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Signal(i32),
    /// The terminal was hung up or closed.
    TerminalGone,
}

impl Ending {
    /// What the process ends with: 128 and the signal's number, as shells count.
    pub fn exit_code(self) -> u8 {
        let signal = match self {
            Self::Signal(number) => number,
            Self::TerminalGone => Signal::HUP.as_raw(),
        };
        128 + u8::try_from(signal).unwrap_or(0)
    }
}

/// Reports the signals that concern a screen, for as long as the receiver lives; the ends [`insist`].
/// Must be called within a runtime.
pub fn watch_signals(to: &mpsc::Sender<Urgent>) -> io::Result<()> {
    let end = |signal: Signal| (signal, Urgent::End(Ending::Signal(signal.as_raw())));
    for (number, urgent) in [
        end(Signal::TERM),
        end(Signal::HUP),
        end(Signal::INT),
        end(Signal::QUIT),
        (Signal::TSTP, Urgent::Stop),
        (Signal::CONT, Urgent::Continued),
    ] {
        let mut signals = signal(SignalKind::from_raw(number.as_raw()))?;
        let to = to.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                // While another program has the terminal, an interrupt is for that one.
                if let Urgent::End(ending) = urgent
                    && modes::held()
                {
                    insist(ending.exit_code());
                }
                if to.send(urgent).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

/// Reports when the terminal is hung up, and [`insist`]s.
///
/// crossterm 0.29 reads a hung-up terminal in a busy loop and reports nothing (crossterm#793), and SIGHUP
/// does not always reach us (sudo, nohup, a wrapper), so we ask the kernel ourselves: a poll for no
/// events wakes only for POLLHUP and POLLERR.
pub fn watch_hangup(to: mpsc::Sender<Urgent>) -> io::Result<()> {
    thread::Builder::new().name("hang-up".into()).spawn(move || {
        let stdin = io::stdin();
        let stdin = stdin.as_fd();
        while let Err(Errno::INTR) = poll(&mut [PollFd::new(&stdin, PollFlags::empty())], None) {}
        insist(Ending::TerminalGone.exit_code());
        let _ = to.blocking_send(Urgent::End(Ending::TerminalGone));
    })?;
    Ok(())
}

/// From now on the terminal is given back within a second and a half: should the screen's thread be stuck
/// writing, what it wrote is thrown away so that it can go on; should that not help, the process ends
/// here, with `code`. Does nothing once the terminal is given back.
pub fn insist(code: u8) {
    let started = thread::Builder::new().name("insist".into()).spawn(move || {
        thread::sleep(ORDERLY);
        for _ in 0..TRIES {
            if !modes::held() {
                return;
            }
            modes::discard_output();
            thread::sleep(BETWEEN);
        }
        if modes::held() {
            modes::restore_settings();
            process::exit(code.into());
        }
    });
    if let Err(error) = started {
        tracing::error!("no thread to insist on the end with: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_a_shell_reports() {
        let codes = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM]
            .map(|signal| Ending::Signal(signal.as_raw()).exit_code());
        assert_eq!(codes, [129, 130, 131, 143]);
        assert_eq!(Ending::TerminalGone.exit_code(), 129);
    }
}
