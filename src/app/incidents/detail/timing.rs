//! How long ago somebody took the incident, and what will happen to it by itself.

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{
        Model,
        page::{Page, Tone},
    },
    core::{
        action::{Outcome, Verb},
        incident::{Extra, Incident, Pending, Status},
        words::{ago, ahead, moment, since},
    },
};

use super::{
    super::{acting::last_action, next::next_paged},
    Opened,
};

/// Acknowledged longer ago than this, it may lie still.
const OLD: SignedDuration = SignedDuration::from_hours(1);
/// And this long ago, it may be forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(4);

/// When somebody took the incident last, as far as that is known.
pub fn acknowledged_at(incident: &Incident) -> Option<Timestamp> {
    let extra = incident.extra().filter(|_| incident.state.status == Status::Acknowledged)?;
    extra.acknowledged.iter().map(|(at, _)| *at).max()
}

/// How an acknowledgement of this age is judged, and in which words. What comes back by itself cannot be forgotten.
pub fn judged(age: SignedDuration, extra: &Extra) -> (Tone, &'static str) {
    let comes_back = extra.pending.iter().any(|pending| pending.what.as_str() == "unacknowledge");
    if age >= FORGOTTEN && !comes_back {
        (Tone::Alarm, "still in hand?")
    } else if age >= OLD {
        (Tone::Caution, "a while")
    } else {
        (Tone::Plain, "")
    }
}

pub(super) fn draw(page: &mut Page, model: &Model, opened: &Opened, incident: &Incident, extra: &Extra) {
    let theirs = model.board.provider_time(&incident.key.account, model.now);
    let snoozed = is_snoozed(model, opened, incident);
    for (at, who) in &extra.acknowledged {
        let age = since(*at, theirs);
        let sleeps = snoozed || incident.state.status != Status::Acknowledged;
        let (tone, words) = if sleeps { (Tone::Plain, "") } else { judged(age, extra) };
        let words = if words.is_empty() { String::new() } else { format!(": {words}") };
        let at = moment(*at, model.now, &model.zone);
        page.field("acked", tone, &format!("{} by {who} (at {at}){words}", ago(age)));
    }
    // Whom that pages, and when, stands on a line of its own.
    let told = matches!(next_paged(model, incident), Some((Tone::Caution | Tone::Alarm, _)));
    for pending in extra.pending.iter().filter(|pending| !(told && pending.what.as_str() == "escalate")) {
        let (name, words) = coming(pending, snoozed, theirs, &moment(pending.at, model.now, &model.zone));
        page.field(name, Tone::Caution, &words);
    }
}

/// What is to come, and in how long.
fn coming(pending: &Pending, snoozed: bool, theirs: Timestamp, at: &str) -> (&'static str, String) {
    let left = ahead(pending.at.duration_since(theirs));
    match pending.what.as_str() {
        "unacknowledge" if snoozed => ("snoozed", format!("until {at}: back to triggered {left}")),
        "unacknowledge" => ("will", format!("go back to triggered {left} (at {at}), unless somebody works on it")),
        "escalate" => ("will", format!("escalate {left} (at {at}), unless somebody acknowledges it")),
        "resolve" => ("will", format!("resolve by itself {left} (at {at})")),
        "urgency_change" => ("will", format!("change its urgency {left} (at {at})")),
        other => ("will", format!("{other} by itself {left} (at {at})")),
    }
}

/// A snooze and an acknowledgement end in the same way: only what was done last tells them apart.
fn is_snoozed(model: &Model, opened: &Opened, incident: &Incident) -> bool {
    if incident.state.status != Status::Acknowledged {
        return false;
    }
    let own = last_action(&model.board, &incident.key);
    let ours = own.filter(|(action, outcome)| {
        matches!(action.verb, Verb::Snooze { .. }) && matches!(outcome, Outcome::Confirmed { .. })
    });
    let ends =
        |kind: &str| matches!(kind, "snooze" | "acknowledge" | "unacknowledge" | "trigger" | "escalate" | "reopen");
    let timeline = opened.detail.iter().flat_map(|detail| &detail.timeline);
    match timeline.into_iter().find(|entry| ends(entry.kind.as_str())) {
        // What we did may be newer than the timeline.
        Some(last) if ours.is_none_or(|(action, _)| action.at < last.at) => last.kind.as_str() == "snooze",
        _ => ours.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::{ago as seconds_ago, now, shown};

    #[test]
    fn an_acknowledgement_grows_old_in_words_as_well_as_in_colour() {
        let lying = Extra::default();
        let at = |minutes| judged(SignedDuration::from_mins(minutes), &lying);
        assert_eq!(at(59), (Tone::Plain, ""));
        assert_eq!(at(60), (Tone::Caution, "a while"));
        assert_eq!(at(240), (Tone::Alarm, "still in hand?"));

        let pending = vec![Pending { what: shown("unacknowledge"), at: now() }];
        let snoozed = Extra { pending, ..Extra::default() };
        assert_eq!(judged(SignedDuration::from_mins(240), &snoozed), (Tone::Caution, "a while"));
    }

    #[test]
    fn what_is_to_come_is_counted_down() {
        let words = |what: &str, seconds: i64, snoozed| {
            let pending = Pending { what: shown(what), at: seconds_ago(-seconds) };
            let (name, words) = coming(&pending, snoozed, now(), "04:30");
            format!("{name} {words}")
        };

        assert_eq!(
            words("unacknowledge", 750, false),
            "will go back to triggered in 12 min (at 04:30), unless somebody works on it"
        );
        assert_eq!(words("unacknowledge", 17_000, true), "snoozed until 04:30: back to triggered in 4 h 43 min");
        assert_eq!(words("escalate", 45, false), "will escalate in 45 s (at 04:30), unless somebody acknowledges it");
        assert_eq!(words("resolve", -5, false), "will resolve by itself any moment (at 04:30)");
        assert_eq!(words("new_thing", 60, false), "will new_thing by itself in 1 min (at 04:30)");
    }
}
