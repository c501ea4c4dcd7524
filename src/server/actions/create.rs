//! Making an incident. It goes by a key of our own, so that one that was asked for is never made twice and can be
//! looked up when the answer is lost.

use std::sync::Arc;

use tokio::time::sleep;

use super::{
    ended_well, patiently,
    read_back::not_seen_done,
    record, record_last, record_last_as,
    undo::{Undo, Wait},
    way::Way,
};
use crate::{
    core::{
        action::{Action, NewIncident, Outcome, Verb},
        id::{IncidentId, IncidentKey},
        incident::Observation,
        text::Shown,
    },
    provider::Provider,
    server::{desk::Desk, people::Acting},
};

/// Carries it out; `key` is what it goes by in the log until the provider has given it an id.
pub async fn create(desk: Arc<Desk>, action: Action, key: IncidentKey, acting: Acting, wait: Option<Wait>) {
    let Verb::Create(new) = &action.verb else { return };
    let way = Way::new(&desk, &action.by, key.account.clone(), acting);
    let work = carry_out(&desk, &action, new, &key, &way, wait);
    ended_well(&desk, action.id, &action.verb, std::slice::from_ref(&key), work).await;
}

async fn carry_out(desk: &Desk, action: &Action, new: &NewIncident, key: &IncidentKey, way: &Way, wait: Option<Wait>) {
    let (id, verb, key) = (action.id, &action.verb, key.clone());
    let undo = Undo::new(desk, id, wait);
    undo.window().await;
    let way = tokio::select! {
        biased;
        () = undo.taken_back() => None,
        way = way.now(desk) => Some(way),
    };
    let Some(way) = way.filter(|_| undo.goes_out()) else {
        return record_last(desk, id, verb, vec![(key, Outcome::TakenBack)]).await;
    };
    let provider = match way {
        Ok((_, provider)) => provider,
        Err(reason) => return record_last(desk, id, verb, vec![(key, Outcome::Failed { reason })]).await,
    };
    if let Err(error) = record(desk, id, &[(key.clone(), Outcome::Sent)]).await {
        let reason = Shown::line(&format!("not sent, because it could not be written down: {error}"));
        return record_last(desk, id, verb, vec![(key, Outcome::Failed { reason })]).await;
    }
    let (known_as, outcome) = send(desk, &*provider, new, &key).await;
    record_last_as(desk, id, verb, &key, known_as, outcome).await;
}

/// What it goes by before it has an id.
pub fn placeholder(new: &NewIncident) -> Result<IncidentId, String> {
    IncidentId::new(new.dedup_key.clone()).map_err(|error| format!("the dedup key is {error}"))
}

async fn send(desk: &Desk, provider: &dyn Provider, new: &NewIncident, key: &IncidentKey) -> (IncidentKey, Outcome) {
    match patiently(|| provider.create_incident(new)).await {
        Ok(seen) => made(desk, &seen, None).await,
        Err(error) if error.leaves_doubt() => settle(desk, provider, new, key, &error.to_string()).await,
        Err(error) => (key.clone(), Outcome::Failed { reason: error.shown() }),
    }
}

/// Looks for what was sent.
pub(super) async fn settle(
    desk: &Desk,
    provider: &dyn Provider,
    new: &NewIncident,
    key: &IncidentKey,
    cause: &str,
) -> (IncidentKey, Outcome) {
    let mut looked = false;
    for wait in desk.read_back {
        sleep(*wait).await;
        let found = provider.created_incident(new).await;
        looked = found.is_ok();
        if let Ok(Some(seen)) = found {
            return made(desk, &seen, Some("the answer was lost, but it is there")).await;
        }
    }
    (key.clone(), not_seen_done(looked, &format!("{cause}; no such incident is there")))
}

async fn made(desk: &Desk, seen: &Observation, notice: Option<&'static str>) -> (IncidentKey, Outcome) {
    desk.observe(seen).await;
    (seen.key.clone(), Outcome::Confirmed { notice: notice.map(Into::into) })
}
