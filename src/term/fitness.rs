//! Whether there is a terminal to draw on. Asked before anything is written to it.

use std::{
    env,
    ffi::OsStr,
    io::{self, IsTerminal as _},
};

/// Why there can be no screen here, and what there can be instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "the screen needs a terminal, and standard {0} is none; `dogwatch serve` runs without a screen, \
         `dogwatch incident list`, `dogwatch oncall` and `dogwatch delivery list` print lines"
    )]
    NotATerminal(&'static str),
    #[error(
        "this terminal cannot show a screen (TERM=dumb); `dogwatch incident list`, `dogwatch oncall` and \
         `dogwatch delivery list` print lines"
    )]
    Dumb,
}

impl Unfit {
    /// What the process ends with: 2 is wrong usage, 1 cannot be done here.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NotATerminal(_) => 2,
            Self::Dumb => 1,
        }
    }
}

/// Whether a screen can be shown on this process's terminal.
pub fn check() -> Result<(), Unfit> {
    judge(io::stdin().is_terminal(), io::stdout().is_terminal(), env::var_os("TERM").as_deref())
}

fn judge(input: bool, output: bool, kind: Option<&OsStr>) -> Result<(), Unfit> {
    match (input, output) {
        (false, _) => Err(Unfit::NotATerminal("input")),
        (_, false) => Err(Unfit::NotATerminal("output")),
        // An unknown or unset TERM is tried: every terminal of today knows the few sequences we write.
        _ if kind == Some(OsStr::new("dumb")) => Err(Unfit::Dumb),
        _ => Ok(()),
    }
}

/// False when `NO_COLOR` is set to anything (no-color.org).
pub fn colour_wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_needs_a_terminal_on_both_sides_that_is_not_dumb() {
        let xterm = Some(OsStr::new("xterm-256color"));
        assert_eq!(judge(true, true, xterm), Ok(()));
        assert_eq!(judge(true, true, None), Ok(()));
        assert_eq!(judge(true, true, Some(OsStr::new(""))), Ok(()));
        assert_eq!(judge(false, true, xterm), Err(Unfit::NotATerminal("input")));
        assert_eq!(judge(true, false, xterm), Err(Unfit::NotATerminal("output")));
        assert_eq!(judge(true, true, Some(OsStr::new("dumb"))), Err(Unfit::Dumb));
    }

    #[test]
    fn what_is_said_fits_one_line_and_names_what_works() {
        for unfit in [Unfit::NotATerminal("input"), Unfit::Dumb] {
            let said = unfit.to_string();
            assert!(said.contains("dogwatch incident list") && !said.contains('\n'), "{said}");
        }
    }
}
