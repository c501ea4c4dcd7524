//! What these prompts say.

use jiff::Timestamp;

use super::{Arranging, Stage, Thing, Wish};
use crate::{
    app::{Model, page::Tone},
    core::{
        escalation::in_time,
        rota::replaced,
        span::Span,
        text::Shown,
        words::{moment, zone_name},
    },
};

impl Arranging {
    pub fn title(&self) -> String {
        let on = self.schedule.as_ref().map(|schedule| format!(": {}", schedule.name)).unwrap_or_default();
        let service = self.service.as_ref().map_or("", |service| service.name.as_str());
        match (self.wish, self.stage) {
            (_, Stage::Schedule) => "Which schedule?".into(),
            (_, Stage::Person) => format!("Who{on}?"),
            (Wish::Take, Stage::When) => format!("Take the pager{on}, for how long?"),
            (Wish::Take, _) => format!("Take the pager{on}?"),
            (Wish::Override, Stage::When) => format!("Override{on}, from when till when?"),
            (Wish::Override, _) => format!("Override{on}?"),
            (Wish::RemoveOverride, Stage::Confirming) => format!("Remove this override{on}?"),
            (Wish::RemoveOverride, _) => format!("Remove which override{on}?"),
            (Wish::StartMaintenance, Stage::When) => format!("Maintenance of {service}, for how long?"),
            (Wish::StartMaintenance, Stage::Words) => format!("Maintenance of {service}: what for?"),
            (Wish::StartMaintenance, _) => format!("Put {service} into maintenance?"),
            (Wish::EndMaintenance, Stage::Confirming) => format!("End this maintenance of {service}?"),
            (Wish::EndMaintenance, _) => format!("End which maintenance of {service}?"),
        }
    }

    /// What is confirmed, in lines.
    pub fn question(&self, model: &Model) -> Vec<(Tone, String)> {
        let mut lines = vec![];
        match self.wish {
            Wish::Take | Wish::Override => {
                let who = self.user.as_ref().map_or("", |user| user.name.as_str());
                let you = if self.wish == Wish::Take { " (you)" } else { "" };
                lines.push((Tone::Strong, format!("{who}{you} has the pager")));
                lines.extend(self.span_lines(model));
                lines.extend(self.replaced_lines(model));
            }
            Wish::RemoveOverride => {
                if let Some(Thing::Override(known)) = &self.chosen {
                    let span = Span { from: known.start, to: known.end };
                    lines.push((Tone::Strong, format!("{} is taken off", known.user.name)));
                    lines.push((Tone::Plain, span_words(model, span)));
                    let runs = known.start <= model.board.provider_time(&self.account, model.now);
                    let words = if runs { "It runs now, and ends at once." } else { "It has not begun." };
                    lines.push((Tone::Plain, words.into()));
                    lines.push((Tone::Plain, "Whoever the schedule names has the pager then.".into()));
                }
            }
            Wish::StartMaintenance => {
                lines.push((Tone::Strong, "Nobody is called for new incidents of this service".into()));
                lines.extend(self.span_lines(model));
                let words = self.words.as_str().trim();
                let words = if words.is_empty() { "no description".into() } else { Shown::line(words).to_string() };
                lines.push((Tone::Plain, format!("what for: {words}")));
            }
            Wish::EndMaintenance => {
                if let Some(Thing::Window(window)) = &self.chosen {
                    lines.push((Tone::Strong, format!("{} ends now", window.name)));
                    lines.push((Tone::Plain, "New incidents call people again.".into()));
                }
            }
        }
        lines
    }

    fn span_lines(&self, model: &Model) -> Vec<(Tone, String)> {
        let Some(span) = self.span else { return vec![] };
        let mut lines = vec![(Tone::Plain, format!("{} ({})", span_words(model, span), in_time(span.length())))];
        if span.is_long() {
            lines.push((Tone::Alarm, format!("! that is {}: y confirms", in_time(span.length()))));
        }
        lines
    }

    fn replaced_lines(&self, model: &Model) -> Vec<(Tone, String)> {
        let (Some(span), Some(shifts)) = (self.span, self.known_shifts(model)) else {
            return vec![(Tone::Alarm, "! whose shift that is, is not known".into())];
        };
        let (people, gap) = replaced(shifts, span.from, span.to);
        let others = people.iter().filter(|one| self.user.as_ref().is_none_or(|user| user.id != one.id));
        let names: Vec<&str> = others.map(|one| one.name.as_str()).collect();
        let mut lines = vec![];
        match names.as_slice() {
            [] if people.is_empty() => lines.push((Tone::Plain, "in nobody's place: nobody has that time".into())),
            [] => lines.push((Tone::Caution, "who has that time already, at least in part".into())),
            names => lines.push((Tone::Caution, format!("in place of {}", names.join(", ")))),
        }
        if gap && !people.is_empty() {
            lines.push((Tone::Caution, "a part of that time has nobody now".into()));
        }
        lines
    }
}

/// `from 04:17 till 05:17 CEST`; both zones where the clocks are changed in between.
pub(super) fn span_words(model: &Model, span: Span) -> String {
    let at = |at: Timestamp| moment(at, model.now, &model.zone);
    let (first, last) = (zone_name(span.from, &model.zone), zone_name(span.to, &model.zone));
    let first = if first == last { String::new() } else { format!(" {first}") };
    format!("from {}{first} till {} {last}", at(span.from), at(span.to))
}
