//! The terminal itself: taken over, drawn on, and given back exactly as it was, whatever ends the program.
//!
//! Everything written goes through [`Terminal`], one write a frame; nothing here waits for the terminal
//! longer than [`insist`] allows once the program is to end.

mod clipboard;
mod fitness;
mod input;
mod modes;
mod notices;
mod painter;
mod panics;
mod watch;

use std::io;

use ratatui::Frame;

pub use fitness::{Unfit, check, colour_wanted};
pub use input::{Input, Keyboard, read, translate};
pub use watch::{Ending, Urgent, insist, watch_hangup, watch_signals};

use notices::Kind;
use painter::{Painter, Stdout, Tty as _};
use panics::Hook;

use crate::core::text::Shown;

/// The terminal while it is ours: raw, on the alternate screen, pastes bracketed, focus told,
/// cursor hidden.
///
/// Dropping it undoes all of that, once; so does a panic of the thread that entered.
pub struct Terminal {
    screen: ratatui::Terminal<Painter<Stdout>>,
    kind: Kind,
    /// The sequence of the title that the window has.
    title: Option<Vec<u8>>,
    /// Another program draws on it.
    lent: bool,
    _hook: Hook,
}

impl Terminal {
    /// Takes the terminal over. `colour` false keeps every colour from being written.
    ///
    /// From here on a panic of this thread gives the terminal back, says what happened on standard
    /// error and ends with 101; a panic of another thread only calls `broke` with a cleaned line.
    pub fn enter(colour: bool, broke: impl Fn(String) + Send + Sync + 'static) -> io::Result<Self> {
        let screen = ratatui::Terminal::new(Painter::new(Stdout, colour))?;
        let hook = Hook::install(broke);
        modes::enter()?;
        Ok(Self { screen, kind: Kind::of_environment(), title: None, lent: false, _hook: hook })
    }

    /// Columns and rows, as far as they are drawn on.
    pub fn size(&self) -> (u16, u16) {
        let size = Stdout.size();
        (size.width, size.height)
    }

    /// Draws a frame and writes what differs from the last one; nothing at all when nothing does.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.screen.draw(view).map(|_| ())
    }

    /// Puts `text` on the clipboard of the terminal (OSC 52), where the terminal knows how and the
    /// text is not too long for it.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let kind = std::env::var("TERM").unwrap_or_default();
        clipboard::sequence(text, &kind).map_or(Ok(()), |bytes| modes::write(&bytes))
    }

    /// Rings the bell.
    pub fn ring(&mut self) -> io::Result<()> {
        modes::write(notices::BELL)
    }

    /// Has the desktop show `text`, where the terminal knows how (OSC 9 or OSC 777). While another program draws, only
    /// the bell can be heard: a longer sequence could fall into the middle of one of its own.
    pub fn notify(&mut self, text: &Shown) -> io::Result<()> {
        if self.lent {
            return self.ring();
        }
        notices::notification(text, &self.kind).map_or(Ok(()), |bytes| modes::write(&bytes))
    }

    /// Gives the window a title (OSC 2), until the terminal is given back.
    pub fn set_title(&mut self, text: &Shown) -> io::Result<()> {
        self.title = notices::title(text, &self.kind);
        if self.lent { Ok(()) } else { self.write_title() }
    }

    fn write_title(&self) -> io::Result<()> {
        self.title.as_ref().map_or(Ok(()), |bytes| modes::write_title(bytes))
    }

    /// Gives the terminal back and stops this process; returns when it is continued, with the terminal
    /// taken over again and the next frame drawn in full.
    pub fn suspend(&mut self) -> io::Result<()> {
        modes::leave();
        // SIGSTOP: our own handler for SIGTSTP stays in place, and an orphaned process group cannot ignore it.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
        self.enter_again()
    }

    /// Gives the terminal to another program, until [`Terminal::take_back`]. The keyboard must be held by then.
    pub fn lend(&mut self) {
        self.lent = true;
        modes::leave();
    }

    /// Takes the terminal over again, however the other program left it; the next frame is drawn in full.
    pub fn take_back(&mut self) -> io::Result<()> {
        modes::restore_settings();
        self.lent = false;
        self.enter_again()?;
        modes::discard_input();
        Ok(())
    }

    fn enter_again(&mut self) -> io::Result<()> {
        modes::enter()?;
        self.write_title()?;
        self.screen.backend_mut().forget();
        self.screen.clear()
    }

    /// Sets the modes again and draws the next frame in full: after a stop that we did not ask for.
    pub fn reclaim(&mut self) -> io::Result<()> {
        modes::reclaim()?;
        self.write_title()?;
        self.screen.backend_mut().forget();
        self.screen.clear()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        modes::leave();
    }
}
