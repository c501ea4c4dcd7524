//! What of the list lies above and below the window: how many incidents, and how many of them are urgent.

use crate::{
    app::{
        Model,
        incidents::{Groups, Line},
        page::{Piece, Tone},
    },
    core::{id::IncidentKey, incident::Incident, text::columns},
};

/// Incidents of the list that are not in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beyond {
    above: Hidden,
    below: Hidden,
}

/// Incidents on one side of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Hidden {
    all: usize,
    /// Those that are triggered with high urgency.
    urgent: usize,
}

impl Beyond {
    /// Of a window of so many lines.
    pub(super) fn of(model: &Model, height: u16) -> Self {
        let (state, height) = (&model.incidents, usize::from(height));
        if let Some(groups) = &state.groups {
            let offset = groups.cursor.offset();
            let (above, rest) = groups.lines.split_at(offset.min(groups.lines.len()));
            let below = rest.get(height..).unwrap_or_default();
            return Self { above: grouped(model, groups, above), below: grouped(model, groups, below) };
        }
        let (keys, above) = (state.rows.keys(), state.cursor.offset());
        let below = keys.len().saturating_sub(above + height);
        // The urgent ones stand first.
        let urgent = keys.partition_point(|key| is_urgent(model, key));
        Self {
            above: Hidden { all: above, urgent: urgent.min(above) },
            below: Hidden { all: below, urgent: urgent.saturating_sub(above + height) },
        }
    }

    /// The longest form that takes no more than `room` columns, else the shortest.
    pub(super) fn pieces(self, room: usize) -> Vec<Piece> {
        let wide = |form: &Vec<Piece>| form.iter().map(|piece| columns(&piece.text)).sum::<usize>();
        let [long, short, shortest] = self.forms();
        [long, short].into_iter().find(|form| wide(form) <= room).unwrap_or(shortest)
    }

    /// From the longest form to the shortest.
    fn forms(self) -> [Vec<Piece>; 3] {
        let above = self.above.words('▲', "above");
        let below = self.below.words('▼', "below");
        let piece = |hidden: Hidden, words: &str| {
            let tone = if hidden.urgent > 0 { Tone::Alarm } else { Tone::Accent };
            (hidden.all > 0).then(|| Piece::new(tone, format!(" {words}")))
        };
        [0, 1, 2].map(|form| {
            [piece(self.above, &above[form]), piece(self.below, &below[form])].into_iter().flatten().collect()
        })
    }
}

impl Hidden {
    fn add(&mut self, model: &Model, key: &IncidentKey) {
        self.all += 1;
        self.urgent += usize::from(is_urgent(model, key));
    }

    /// From the longest form to the shortest.
    fn words(self, mark: char, side: &str) -> [String; 3] {
        let Self { all, urgent } = self;
        if urgent == 0 {
            return [format!("{mark} {all} {side}"), format!("{mark}{all}"), format!("{mark}{all}")];
        }
        [
            format!("{mark} {all} {side}, {urgent} triggered high"),
            format!("{mark}{all}, {urgent} trig high"),
            format!("{mark}{all} ({urgent}!)"),
        ]
    }
}

/// Those in some lines of the grouped list; those of a folded group are all there, and told once.
fn grouped(model: &Model, groups: &Groups, lines: &[Line]) -> Hidden {
    let (mut hidden, mut folded) = (Hidden::default(), false);
    for line in lines {
        match line {
            Line::Incident(_) if folded => {}
            Line::Incident(key) => hidden.add(model, key),
            Line::Group(key) => {
                folded = !groups.is_unfolded(key);
                if let Some(group) = groups.group(key).filter(|_| folded) {
                    hidden.all += group.members.len();
                    hidden.urgent += group.urgent;
                }
            }
        }
    }
    hidden
}

fn is_urgent(model: &Model, key: &IncidentKey) -> bool {
    model.board.incidents.get(key).is_some_and(Incident::is_urgent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::fixtures::{change, incident, model, press},
        core::{board::Change, incident::Status},
    };

    /// The fixture's night and twelve triggered with high urgency, which are a storm: the list is grouped.
    fn busy() -> Model {
        let mut model = model(40, 12);
        for number in 0..12 {
            let new = incident(&format!("QNEW{number}"), 1300 + number, Status::Triggered, "Disk full", 20);
            change(&mut model, Change::Incident(Box::new(new)));
        }
        model
    }

    #[test]
    fn on_both_sides_the_urgent_ones_are_counted() {
        let mut model = busy();
        press(&mut model, "S");
        let all = model.incidents.rows.keys().len();
        let beyond = Beyond::of(&model, 5);
        assert_eq!(beyond.above, Hidden::default());
        assert_eq!(beyond.below, Hidden { all: all - 5, urgent: 9 });

        press(&mut model, "G");
        let above = model.incidents.cursor.offset();
        assert!(above > 0, "it is scrolled");
        assert_eq!(Beyond::of(&model, 5).above, Hidden { all: above, urgent: above.min(14) });
    }

    #[test]
    fn of_groups_the_incidents_are_counted_not_the_lines() {
        let mut model = busy();
        press(&mut model, "g");
        let lines = model.incidents.groups.as_ref().expect("grouped").lines.len();
        let all = model.incidents.rows.keys().len();
        assert!(lines < all, "{lines} lines");

        let Hidden { all: below, urgent } = Beyond::of(&model, 0).below;

        assert_eq!((below, urgent), (all, 14));
    }
}
