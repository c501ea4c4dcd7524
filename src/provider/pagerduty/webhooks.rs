//! Version 3 webhooks. Whatever has a usable `event.id` is decoded; what else is understood of it is a gain.

use serde_json::Value;

use super::{
    incidents::{incident_id, state},
    wire,
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
        let mut json: Value = serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
        let event = json.get_mut("event").map(Value::take).filter(Value::is_object);
        let event = event.ok_or("the body has no `event`")?;
        let event: wire::Event = serde_json::from_value(event).map_err(|error| format!("the event: {error}"))?;
        let id = event.id.as_deref().ok_or("the event has no `id`")?;
        let event_id = EventId::new(id).map_err(|error| format!("the event's id: {error}"))?;
        let subject: wire::Subject = serde_json::from_value(event.data.clone()).unwrap_or_default();
        let is_incident = subject.kind.as_deref() == Some("incident");
        let incident = if is_incident { whole(&event.data) } else { None };
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

fn whole(data: &Value) -> Option<wire::Incident> {
    serde_json::from_value(data.clone()).ok()
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
