//! Version 3 webhooks. Whatever has a usable `event.id` is decoded; what else is understood of it is a gain.

use serde::de::DeserializeOwned;

use super::{
    incidents::{incident_id, state},
    lenient, wire,
};
use crate::core::{
    delivery::{Decode, Decoded},
    id::{AccountName, EventId, IncidentId, IncidentKey},
    incident::{Observation, Stamp},
    text::Shown,
};

/// Reads the bodies of `PagerDuty`'s webhooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Webhooks;

impl Decode for Webhooks {
    fn decode(&self, account: &AccountName, body: &[u8]) -> Result<Decoded, String> {
        let event: wire::Event<wire::Subject> = event(body)?.ok_or("the body has no `event`")?;
        let id = event.id.as_deref().ok_or("the event has no `id`")?;
        let event_id = EventId::new(id).map_err(|error| format!("the event's id: {error}"))?;
        let subject = event.data.unwrap_or_default();
        let is_incident = subject.kind.as_deref() == Some("incident");
        let incident = if is_incident { whole(body) } else { None };
        let key = named_incident(&subject, incident.as_ref()).map(|id| IncidentKey { account: account.clone(), id });
        Ok(Decoded {
            event_id,
            event_type: Shown::line(event.kind.as_deref().unwrap_or("(no event type)")),
            occurred_at: event.occurred_at,
            subject: words(&subject, incident.as_ref()),
            observation: key.clone().and_then(|key| observation(key, incident?, event.occurred_at)),
            incident: key,
        })
    }
}

/// The `event` of a body, if it is an object, with its `data` read as a `D`.
fn event<D: DeserializeOwned>(body: &[u8]) -> Result<Option<wire::Event<D>>, String> {
    let read = |json: &[u8]| serde_json::from_slice::<lenient::Object<wire::Body<D>>>(json);
    let found = match read(body) {
        Ok(found) => found,
        // Broken, or a key stands twice in an object.
        Err(_) => again(body).map_err(|error| format!("the body is not JSON: {error}"))?,
    };
    Ok(found.0.and_then(|body| body.event))
}

fn again<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_value(serde_json::from_slice(body)?)
}

fn whole(body: &[u8]) -> Option<wire::Incident> {
    event(body).ok()??.data
}

/// Which incident an event is about: itself, one it refers to, or that of its first role assignment.
fn named_incident(subject: &wire::Subject, incident: Option<&wire::Incident>) -> Option<IncidentId> {
    if let Some(incident) = incident {
        return incident_id(incident.id.as_deref());
    }
    let of_role = || subject.incident_role_assignments.first()?.incident.as_ref();
    incident_id(subject.incident.as_ref().or_else(of_role)?.id.as_deref())
}

fn words(subject: &wire::Subject, incident: Option<&wire::Incident>) -> Option<Shown> {
    let title = incident.and_then(|incident| incident.title.as_deref().or(incident.summary.as_deref()));
    let own = || subject.content.as_deref().or(subject.message.as_deref()).or(subject.summary.as_deref());
    let referred = || subject.incident.as_ref()?.summary.as_deref();
    title.or_else(own).or_else(referred).map(Shown::line)
}

/// `None` when the state cannot be told: without a time it cannot be put in order, and a status that is not known
/// here must not be guessed. The next poll shows the incident as it is.
fn observation(
    key: IncidentKey,
    incident: wire::Incident,
    occurred_at: Option<jiff::Timestamp>,
) -> Option<Observation> {
    let at = occurred_at?;
    Some(Observation { key, stamp: Stamp::push(at), state: state(incident, at).ok()?, extra: None })
}
