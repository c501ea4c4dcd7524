//! Where things are on the screen: used by drawing, and by updates that need to know a height.

use ratatui::layout::{Constraint, Layout, Rect};

/// The screen, cut into its fixed parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Areas {
    /// Account, identity, counts, freshness, and the row of views.
    pub header: Rect,
    pub body: Rect,
    /// Hints, or a notice.
    pub footer: Rect,
}

/// Below this the screen only says that it is too small.
pub const SMALLEST: (u16, u16) = (40, 12);

pub fn areas(area: Rect) -> Areas {
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    Areas { header, body, footer }
}
