//! What is switched on in the terminal and off again. Whoever comes first to [`leave`] does it, nobody twice.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr},
};

use super::notices::{KEEP_TITLE, RETURN_TITLE};

/// Alternate screen, bracketed paste, focus told, cursor hidden.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?1004h\x1b[?25l";
/// The same without the alternate screen: entering that twice would forget the cursor's place on the main one.
const AGAIN: &[u8] = b"\x1b[?2004h\x1b[?1004h\x1b[?25l";
/// Undone in the reverse order; attributes first, so that none leaks to the main screen.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1004l\x1b[?2004l\x1b[?1049l";

const OUT: u8 = 0;
const IN: u8 = 1;
const LEAVING: u8 = 2;
static STATE: AtomicU8 = AtomicU8::new(OUT);
/// The window has a title of ours, and its own is kept by the terminal.
static TITLED: AtomicBool = AtomicBool::new(false);
/// The settings found, put back bit by bit.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

pub(super) fn enter() -> io::Result<()> {
    let found = tcgetattr(rustix::stdio::stdin())?;
    let mut raw = found.clone();
    raw.make_raw();
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    STATE.store(IN, Ordering::SeqCst);
    let set = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw);
    set.map_err(io::Error::from).and_then(|()| write(ENTER)).inspect_err(|_| leave())
}

pub(super) fn reclaim() -> io::Result<()> {
    let mut raw = tcgetattr(rustix::stdio::stdin())?;
    raw.make_raw();
    tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw)?;
    write(AGAIN)
}

/// Gives the terminal back. Errors are ignored: the terminal may be gone, and there is nobody to tell.
pub(super) fn leave() {
    if STATE.compare_exchange(IN, LEAVING, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        if TITLED.swap(false, Ordering::SeqCst) {
            let _ = write(RETURN_TITLE);
        }
        let _ = write(LEAVE);
        restore_settings();
        STATE.store(OUT, Ordering::SeqCst);
    }
}

/// Writes the sequence of a title; before the first one the terminal is asked to keep the one it has.
pub(super) fn write_title(sequence: &[u8]) -> io::Result<()> {
    if !TITLED.swap(true, Ordering::SeqCst) {
        write(KEEP_TITLE)?;
    }
    write(sequence)
}

/// Whether the terminal is still not given back completely.
pub(super) fn held() -> bool {
    STATE.load(Ordering::SeqCst) != OUT
}

/// The settings alone: never waits, for when writing does.
pub(super) fn restore_settings() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(before) = before {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &before);
    }
}

/// Throws away what was written and nobody read, which frees a thread that waits to write more.
pub(super) fn discard_output() {
    let _ = tcflush(rustix::stdio::stdout(), QueueSelector::OFlush);
}

/// Throws away what came in and nobody read: answers of the terminal to another program would be taken for keys.
pub(super) fn discard_input() {
    let _ = tcflush(rustix::stdio::stdin(), QueueSelector::IFlush);
}

/// All of `bytes`, past every buffer. Waits for a terminal that does not read.
pub(super) fn write(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Whoever shares the terminal with us made it non-blocking.
            Err(Errno::AGAIN) => wait_writable()?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait_writable() -> io::Result<()> {
    let stdout = rustix::stdio::stdout();
    match poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
