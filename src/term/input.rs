//! What comes from the keyboard, in our own words. What we have no word for is dropped here.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::mpsc;

use crate::core::keys::{Chord, Key};

/// Something the person at the terminal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Key(Chord),
    /// Bracketed paste, as it came but for its line ends (`\n`). Not cleaned.
    Pasted(String),
    /// The window has another size; ask [`Terminal::size`](super::Terminal::size) for it.
    Resized,
    /// The terminal came to the front.
    FocusGained,
    FocusLost,
}

/// How long the keyboard's thread may take to let go.
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread that reads the keyboard. While it is held it reads nothing, so that another program gets the keys.
#[derive(Debug, Clone, Default)]
pub struct Keyboard(Arc<(Mutex<Hold>, Condvar)>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Hold {
    #[default]
    Free,
    Asked,
    Held,
}

/// As long as this lives, nothing is read.
#[derive(Debug)]
pub struct Held(Keyboard);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set(Hold::Free);
    }
}

impl Keyboard {
    fn set(&self, hold: Hold) {
        let (state, changed) = &*self.0;
        *state.lock().unwrap_or_else(PoisonError::into_inner) = hold;
        changed.notify_all();
    }

    /// Waits until the thread reads no more; `None` when it does not let go.
    pub fn hold(&self) -> Option<Held> {
        self.set(Hold::Asked);
        // crossterm waits for the keyboard without an end, and wakes for nothing else but this.
        let _ = kill_process(getpid(), Signal::WINCH);
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(state, PATIENCE, |hold| *hold == Hold::Asked);
        let is_held = *waited.unwrap_or_else(PoisonError::into_inner).0 == Hold::Held;
        let held = Held(self.clone());
        is_held.then_some(held)
    }

    /// The thread itself: waits here while it is to be held.
    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == Hold::Asked {
            *state = Hold::Held;
            changed.notify_all();
            drop(changed.wait_while(state, |hold| *hold == Hold::Held));
        }
    }
}

/// Reads the keyboard on a thread of its own, as long as the receiver lives. The channel closes when
/// reading is not possible any more.
///
/// Not on the runtime: crossterm 0.29 never comes back from reading a terminal that was hung up
/// (crossterm#793), and a runtime waits for its workers when it ends.
pub fn read(to: mpsc::Sender<Input>) -> io::Result<Keyboard> {
    let keyboard = Keyboard::default();
    let held = keyboard.clone();
    thread::Builder::new().name("keyboard".into()).spawn(move || {
        loop {
            held.pass();
            // A sequence that crossterm's parser does not survive (`ESC [ 0 ; 0 R`) costs that sequence only.
            let input = match catch_unwind(AssertUnwindSafe(crossterm::event::read)) {
                Ok(Ok(event)) => translate(&event),
                Ok(Err(_)) => return,
                Err(_) => None,
            };
            if to.is_closed() || input.is_some_and(|input| to.blocking_send(input).is_err()) {
                return;
            }
        }
    })?;
    Ok(keyboard)
}

/// An event of the terminal, if it is one of ours.
pub fn translate(event: &Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => chord(key).map(Input::Key),
        Event::Paste(text) => Some(Input::Pasted(text.replace("\r\n", "\n").replace('\r', "\n"))),
        Event::Resize(..) => Some(Input::Resized),
        Event::FocusGained => Some(Input::FocusGained),
        Event::FocusLost => Some(Input::FocusLost),
        Event::Key(_) | Event::Mouse(_) => None,
    }
}

fn chord(event: &KeyEvent) -> Option<Chord> {
    let known = KeyModifiers::SHIFT | KeyModifiers::CONTROL | KeyModifiers::ALT;
    // A key with `super` belongs to the desktop: read as the plain key, it would act.
    if !known.contains(event.modifiers) {
        return None;
    }
    let mut chord = Chord {
        ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
        alt: event.modifiers.contains(KeyModifiers::ALT),
        shift: event.modifiers.contains(KeyModifiers::SHIFT),
        key: key(event.code)?,
    };
    match (chord.key, event.code) {
        (_, KeyCode::BackTab) => chord.shift = true,
        // 0x08 is what the backspace key of some terminals sends.
        (Key::Char('h'), _) if chord.ctrl => {
            chord.ctrl = false;
            chord.key = Key::Backspace;
        }
        (Key::Char(c), _) => {
            let mut upper = c.to_uppercase();
            if let (true, Some(only), None) = (chord.shift, upper.next(), upper.next()) {
                chord.key = Key::Char(only);
            }
            chord.shift = false;
        }
        _ => {}
    }
    Some(chord)
}

fn key(code: KeyCode) -> Option<Key> {
    Some(match code {
        KeyCode::Char(c) if !c.is_control() => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab | KeyCode::BackTab => Key::Tab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::F(number) => Key::Function(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<String> {
        match translate(&Event::Key(KeyEvent::new(code, modifiers))) {
            Some(Input::Key(chord)) => Some(chord.to_string()),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_are_named_as_in_the_table_of_keys() {
        let none = KeyModifiers::NONE;
        let shift = KeyModifiers::SHIFT;
        let ctrl = KeyModifiers::CONTROL;
        for (code, modifiers, name) in [
            (KeyCode::Char('j'), none, "j"),
            (KeyCode::Char('R'), shift, "R"),
            (KeyCode::Char('r'), shift, "R"),
            (KeyCode::Char('?'), shift, "?"),
            (KeyCode::Char('ß'), shift, "ß"),
            (KeyCode::Char(' '), none, "space"),
            (KeyCode::Char('c'), ctrl, "ctrl-c"),
            (KeyCode::Char('h'), ctrl, "backspace"),
            (KeyCode::Char('x'), KeyModifiers::ALT, "alt-x"),
            (KeyCode::Tab, none, "tab"),
            (KeyCode::BackTab, shift, "shift-tab"),
            (KeyCode::BackTab, none, "shift-tab"),
            (KeyCode::Down, shift, "shift-down"),
            (KeyCode::PageDown, none, "pgdn"),
            (KeyCode::F(2), none, "f2"),
        ] {
            assert_eq!(pressed(code, modifiers).as_deref(), Some(name), "{code:?} {modifiers:?}");
        }
    }

    #[test]
    fn what_is_not_meant_for_us_is_no_key() {
        assert_eq!(pressed(KeyCode::Char('a'), KeyModifiers::SUPER), None);
        assert_eq!(pressed(KeyCode::Char('\u{85}'), KeyModifiers::NONE), None);
        assert_eq!(pressed(KeyCode::Insert, KeyModifiers::NONE), None);
        let released = KeyEvent::new_with_kind(KeyCode::Char('a'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(translate(&Event::Key(released)), None);
    }

    #[test]
    fn a_keyboard_that_does_not_let_go_is_not_held_and_one_that_does_goes_on_afterwards() {
        let keyboard = Keyboard::default();
        assert!(keyboard.hold().is_none());

        let (reader, (passed, seen)) = (keyboard.clone(), std::sync::mpsc::channel());
        let thread = thread::spawn(move || {
            while passed.send(()).is_ok() {
                reader.pass();
            }
        });
        let held = keyboard.hold().expect("held");
        while seen.try_recv().is_ok() {}
        assert!(seen.try_recv().is_err(), "it stands still");
        drop(held);
        assert!(seen.recv_timeout(PATIENCE).is_ok(), "it goes on");
        drop(seen);
        thread.join().expect("thread");
    }

    #[test]
    fn a_held_key_repeats() {
        let held = KeyEvent::new_with_kind(KeyCode::Down, KeyModifiers::NONE, KeyEventKind::Repeat);
        assert!(matches!(translate(&Event::Key(held)), Some(Input::Key(_))));
    }

    #[test]
    fn pasted_lines_end_with_newlines() {
        let pasted = translate(&Event::Paste("a\r\nb\rc\nd".into()));
        assert_eq!(pasted, Some(Input::Pasted("a\nb\nc\nd".into())));
    }
}
