//! What of the list lies above and below the window: how many, and how many of those above are urgent.

use std::collections::BTreeSet;

use crate::{
    app::{
        Model,
        incidents::{Groups, Line},
        page::{Piece, Tone},
    },
    core::{
        id::IncidentKey,
        incident::{Status, Urgency},
        text::columns,
    },
};

/// Lines of the list that are not in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beyond {
    above: usize,
    /// Incidents above that are triggered with high urgency.
    urgent: usize,
    below: usize,
}

impl Beyond {
    /// Of a window of so many lines.
    pub(super) fn of(model: &Model, height: u16) -> Self {
        let state = &model.incidents;
        let (lines, above, hidden) = if let Some(groups) = &state.groups {
            (groups.lines.len(), groups.cursor.offset(), above_grouped(groups))
        } else {
            let (keys, offset) = (state.rows.keys(), state.cursor.offset());
            (keys.len(), offset, keys.iter().take(offset).collect())
        };
        let urgent = hidden.iter().filter(|key| is_urgent(model, key)).count();
        Self { above, urgent, below: lines.saturating_sub(above + usize::from(height)) }
    }

    /// The longest form that takes no more than `room` columns, else the shortest.
    pub(super) fn pieces(self, room: usize) -> Vec<Piece> {
        let wide = |form: &Vec<Piece>| form.iter().map(|piece| columns(&piece.text)).sum::<usize>();
        let [long, short, shortest] = self.forms();
        [long, short].into_iter().find(|form| wide(form) <= room).unwrap_or(shortest)
    }

    /// From the longest form to the shortest.
    fn forms(self) -> [Vec<Piece>; 3] {
        let Self { above, urgent, below } = self;
        let of = |words: [String; 3]| {
            let tone = if urgent > 0 { Tone::Alarm } else { Tone::Accent };
            let [plain, with_urgent, low] = words;
            let high = if urgent > 0 { with_urgent } else { plain };
            let above = (above > 0).then(|| Piece::new(tone, format!(" {high}")));
            let below = (below > 0).then(|| Piece::new(Tone::Accent, format!(" {low}")));
            above.into_iter().chain(below).collect()
        };
        [
            of([
                format!("▲ {above} above"),
                format!("▲ {above} above, {urgent} triggered high"),
                format!("▼ {below} below"),
            ]),
            of([format!("▲{above} above"), format!("▲{above}, {urgent} trig high"), format!("▼{below}")]),
            of([format!("▲{above}"), format!("▲{above} ({urgent}!)"), format!("▼{below}")]),
        ]
    }
}

/// The incidents in the lines above; those of a folded group are all there.
fn above_grouped(groups: &Groups) -> BTreeSet<&IncidentKey> {
    let mut keys = BTreeSet::new();
    for line in groups.lines.iter().take(groups.cursor.offset()) {
        match line {
            Line::Incident(key) => drop(keys.insert(key)),
            Line::Group(key) if groups.is_unfolded(key) => {}
            Line::Group(key) => keys.extend(groups.group(key).into_iter().flat_map(|group| &group.members)),
        }
    }
    keys
}

fn is_urgent(model: &Model, key: &IncidentKey) -> bool {
    let known = model.board.incidents.get(key).map(|incident| &incident.state);
    known.is_some_and(|state| state.status == Status::Triggered && state.urgency == Urgency::High)
}
