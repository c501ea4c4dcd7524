//! Calling somebody who does not look: one by one, and in a storm once a minute for all.

use jiff::{SignedDuration, Timestamp};

use super::Presence;
use crate::{
    app::{Effect, Model, incidents::urgency_word},
    core::{
        incident::Incident,
        notify::Means,
        text::{Shown, fit},
    },
};

/// Two bells within this are one.
const ONE_BELL: SignedDuration = SignedDuration::from_secs(1);
/// Between two calls in a storm.
const STORM_PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// Columns of a notification: no desktop shows more.
const LONGEST: usize = 160;
/// Services named in a call; more are counted.
const NAMED: usize = 3;

/// What was called out since somebody looked.
#[derive(Debug, Default)]
pub(super) struct Calling {
    rung: Option<Timestamp>,
    /// The last call of a storm.
    told: Option<Timestamp>,
    /// By what to call for those that arrived since that call.
    held: Vec<Means>,
}

impl Calling {
    /// Somebody looks again.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }
}

/// Calls for one incident, as the settings say.
pub(super) fn call(model: &mut Model, incident: &Incident) -> Vec<Effect> {
    let means = model.attention.settings.means_for(&incident.state, model.now, &model.zone);
    if !model.attention.storm.is_on() {
        let text = words(model, incident);
        return means.into_iter().filter_map(|means| by(model, means, &text)).collect();
    }
    let held = &mut model.attention.calling.held;
    held.extend(means.into_iter().filter(|means| !held.contains(means)).collect::<Vec<_>>());
    call_for_storm(model)
}

/// Calls for what a storm brought since its last call, if that is due.
pub(super) fn ticked(model: &mut Model) -> Vec<Effect> {
    let waits = model.attention.presence == Presence::Away && !model.attention.calling.held.is_empty();
    if waits { call_for_storm(model) } else { vec![] }
}

fn call_for_storm(model: &mut Model) -> Vec<Effect> {
    let (now, calling) = (model.now, &mut model.attention.calling);
    if calling.held.is_empty() || calling.told.is_some_and(|told| now.duration_since(told).abs() < STORM_PAUSE) {
        return vec![];
    }
    calling.told = Some(now);
    let held = std::mem::take(&mut calling.held);
    let text = storm_words(model);
    held.into_iter().filter_map(|means| by(model, means, &text)).collect()
}

fn by(model: &mut Model, means: Means, text: &Shown) -> Option<Effect> {
    match means {
        Means::Desktop => Some(Effect::Notify(text.clone())),
        Means::Bell => {
            let rung = model.attention.calling.rung.replace(model.now);
            let just_now = rung.is_some_and(|rung| model.now.duration_since(rung).abs() < ONE_BELL);
            (!just_now).then_some(Effect::Ring)
        }
    }
}

/// `#1201 high, Database: disk full`.
fn words(model: &Model, incident: &Incident) -> Shown {
    let state = &incident.state;
    let name = model.board.name(incident);
    let service = state.service.as_ref().map(|service| format!(", {}", service.name)).unwrap_or_default();
    let text = format!("{name} {}{service}: {}", urgency_word(state.urgency), incident.headline());
    Shown::line(&fit(&text, LONGEST))
}

/// `14 incidents in a minute: Payments API 9, Database 5`.
fn storm_words(model: &Model) -> Shown {
    let storm = &model.attention.storm;
    let services = storm.services();
    let named: Vec<_> = services.iter().take(NAMED).map(|(name, count)| format!("{name} {count}")).collect();
    let more = services.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more services") } else { String::new() };
    let text = match storm.in_a_minute() {
        0 => "a storm of incidents".to_owned(),
        count => format!("{count} incidents in a minute: {}{more}", named.join(", ")),
    };
    Shown::line(&fit(&text, LONGEST))
}
