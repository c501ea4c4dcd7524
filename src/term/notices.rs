//! Calling whoever is not looking: the bell, notifications of the desktop, and the title of the window.
//!
//! Text reaches the terminal in none of these but cut and without control characters, whoever cleaned it before:
//! inside a sequence a single one would end it, and what follows would be obeyed.

use crate::core::text::{Shown, fit};

/// The terminal's bell.
pub(super) const BELL: &[u8] = b"\x07";
/// Keeps the title that the window has (XTWINOPS 22), and gives it back. In between an empty title, for terminals that
/// keep none: better none than one that is not true any more.
pub(super) const KEEP_TITLE: &[u8] = b"\x1b[22;0t";
pub(super) const RETURN_TITLE: &[u8] = b"\x1b]2;\x07\x1b[23;0t";

/// Terminals that would show the sequences, or do not know them.
const WITHOUT: &[&str] = &["dumb", "linux"];
/// Columns of a notification or a title.
const LONGEST: usize = 200;

/// What is known of the terminal, from its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kind {
    /// TERM.
    pub(super) name: String,
    /// `TERM_PROGRAM`.
    pub(super) program: String,
    /// Inside tmux, by TMUX and TERM: one alone may be inherited by something else.
    pub(super) tmux: bool,
    /// `VTE_VERSION` is set: GNOME's terminal and its relatives.
    pub(super) vte: bool,
}

impl Kind {
    pub(super) fn of_environment() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let name = variable("TERM");
        let multiplexed = name.starts_with("tmux") || name.starts_with("screen");
        Self {
            tmux: multiplexed && !variable("TMUX").is_empty(),
            program: variable("TERM_PROGRAM"),
            vte: !variable("VTE_VERSION").is_empty(),
            name,
        }
    }

    fn knows_sequences(&self) -> bool {
        !WITHOUT.contains(&self.name.as_str())
    }

    /// Which of the two ways to notify it knows; both where that cannot be told.
    fn ways(&self) -> &'static [Way] {
        const OSC_9: &[&str] = &["iTerm.app", "WezTerm", "ghostty", "kitty"];
        let nine = OSC_9.contains(&self.program.as_str())
            || ["xterm-kitty", "xterm-ghostty", "wezterm", "foot"].iter().any(|name| self.name.starts_with(name));
        let seven = self.vte || self.name.starts_with("rxvt");
        match (nine, seven) {
            (true, _) => &[Way::Osc9],
            (false, true) => &[Way::Osc777],
            (false, false) => &[Way::Osc9, Way::Osc777],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Osc9,
    Osc777,
}

/// The bytes that have the desktop show `text`; `None` where the terminal cannot.
pub(super) fn notification(text: &Shown, kind: &Kind) -> Option<Vec<u8>> {
    if !kind.knows_sequences() {
        return None;
    }
    let text = harmless(text);
    let one = |way: &Way| match way {
        // Never a number first: `9;4;` is a progress bar to some.
        Way::Osc9 => format!("\x1b]9;dogwatch: {text}\x07"),
        // Semicolons part its fields.
        Way::Osc777 => format!("\x1b]777;notify;dogwatch;{}\x07", text.replace(';', ",")),
    };
    let through = |sequence: String| if kind.tmux { through_tmux(&sequence) } else { sequence };
    Some(kind.ways().iter().map(one).map(through).collect::<String>().into_bytes())
}

/// The bytes that give the window the title `text`; `None` where the terminal cannot.
pub(super) fn title(text: &Shown, kind: &Kind) -> Option<Vec<u8>> {
    kind.knows_sequences().then(|| format!("\x1b]2;{}\x07", harmless(text)).into_bytes())
}

/// tmux hands on what is wrapped so, where it is set to; else it drops it whole.
fn through_tmux(sequence: &str) -> String {
    format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
}

fn harmless(text: &Shown) -> String {
    fit(text.as_str(), LONGEST).chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> Kind {
        Kind { name: name.to_owned(), ..Kind::default() }
    }

    fn text(bytes: Option<Vec<u8>>) -> String {
        String::from_utf8(bytes.expect("bytes")).expect("text")
    }

    #[test]
    fn a_hostile_title_ends_no_sequence_and_begins_none() {
        let hostile = Shown::line("x\x07\x1b]0;owned\x07\x1b[2J\u{9b}2J\u{9d}0;y\u{9c}\x1b\\;9;4;1\n\u{202e}z");

        let made = [text(notification(&hostile, &kind("xterm"))), text(title(&hostile, &kind("xterm")))];

        assert_eq!(made[0].matches('\x1b').count(), 2, "one for each way: {:?}", made[0]);
        assert_eq!(made[0].matches('\x07').count(), 2, "{:?}", made[0]);
        assert_eq!(made[1].matches('\x1b').count(), 1, "{:?}", made[1]);
        assert!(made[1].ends_with('\x07') && made[1].matches('\x07').count() == 1, "{:?}", made[1]);
        let controls = |text: &str| text.chars().filter(|c| c.is_control() && !matches!(c, '\x1b' | '\x07')).count();
        assert_eq!(made.iter().map(|made| controls(made)).sum::<usize>(), 0);
        assert_eq!(made[0].split("\x1b]777;").nth(1).expect("osc 777").matches(';').count(), 2, "its own two");
    }

    #[test]
    fn a_terminal_is_called_in_the_way_it_knows_once() {
        let ways = |kind: &Kind| {
            let made = text(notification(&Shown::line("disk full"), kind));
            (made.matches("\x1b]9;").count(), made.matches("\x1b]777;").count())
        };
        assert_eq!(ways(&kind("xterm-kitty")), (1, 0));
        assert_eq!(ways(&kind("rxvt-unicode-256color")), (0, 1));
        assert_eq!(ways(&Kind { vte: true, ..kind("xterm-256color") }), (0, 1));
        assert_eq!(ways(&Kind { program: "WezTerm".into(), ..kind("xterm-256color") }), (1, 0));
        assert_eq!(ways(&kind("xterm-256color")), (1, 1));
        for without in ["linux", "dumb"] {
            assert_eq!(notification(&Shown::line("x"), &kind(without)), None);
            assert_eq!(title(&Shown::line("x"), &kind(without)), None);
        }
    }

    #[test]
    fn tmux_is_asked_to_hand_it_on() {
        let tmux = Kind { tmux: true, ..kind("tmux-256color") };

        let made = text(notification(&Shown::line("disk full"), &tmux));

        assert!(made.starts_with("\x1bPtmux;\x1b\x1b]9;dogwatch: disk full\x07\x1b\\"), "{made:?}");
        assert_eq!(text(title(&Shown::line("a"), &tmux)), "\x1b]2;a\x07", "tmux has titles of its own");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let made = text(title(&Shown::line(&"x".repeat(900)), &kind("xterm")));

        assert!(made.chars().count() < LONGEST + 10, "{}", made.len());
    }
}
