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

pub fn is_too_small((width, height): (u16, u16)) -> bool {
    width < SMALLEST.0 || height < SMALLEST.1
}

pub fn areas(area: Rect) -> Areas {
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    Areas { header, body, footer }
}

/// Where text that scrolls stands: the last column is left for the marks that say there is more.
pub fn text(body: Rect) -> Rect {
    Rect { width: body.width.saturating_sub(2), ..body }
}

/// The parts of the list of incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncidentList {
    /// What is wrong with the sources; as many lines as fit without crowding out the list.
    pub troubles: Rect,
    /// How many are listed, and the filter.
    pub summary: Rect,
    /// The names of the columns.
    pub columns: Rect,
    pub rows: Rect,
}

pub fn incident_list(body: Rect, troubles: usize) -> IncidentList {
    let most = (body.height / 6).max(1);
    let lines = u16::try_from(troubles).unwrap_or(u16::MAX).min(most);
    let [troubles, summary, columns, rows] = Layout::vertical([
        Constraint::Length(lines),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
    ])
    .areas(body);
    IncidentList { troubles, summary, columns, rows }
}

/// A box for a prompt with so many lines inside, in the middle of `body`.
pub fn prompt(body: Rect, lines: usize) -> Rect {
    let height = u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2).min(body.height);
    let width = body.width.min(76);
    let left = body.x + (body.width - width) / 2;
    let top = body.y + (body.height - height) / 2;
    Rect::new(left, top, width, height)
}

/// The parts of the box in which something is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    pub frame: Rect,
    pub filter: Rect,
    pub choices: Rect,
    pub text: Rect,
}

pub fn pick(body: Rect) -> Pick {
    let frame = prompt(body, 16);
    let [filter, choices, text] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(inside(frame));
    Pick { frame, filter, choices, text }
}

/// The inside of a frame with a border and a column of air at each side.
pub fn inside(frame: Rect) -> Rect {
    let width = frame.width.saturating_sub(4);
    let height = frame.height.saturating_sub(2);
    Rect::new(frame.x + frame.width.min(2), frame.y + frame.height.min(1), width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_keeps_rows_at_the_smallest_size_whatever_is_wrong() {
        let body = areas(Rect::new(0, 0, SMALLEST.0, SMALLEST.1)).body;
        assert_eq!(incident_list(body, 9).rows.height, 6);
        assert_eq!(pick(body).choices.height, 5);
    }

    #[test]
    fn nothing_lies_outside_however_small_the_screen() {
        for (width, height) in [(1, 1), (2, 2), (3, 5), (40, 12), (500, 200)] {
            let screen = Rect::new(0, 0, width, height);
            let body = areas(screen).body;
            let pick = pick(body);
            for part in [prompt(body, 30), pick.choices, pick.text, incident_list(body, 3).rows] {
                assert_eq!(part.intersection(screen).area(), part.area(), "{width}x{height}");
            }
        }
    }
}
