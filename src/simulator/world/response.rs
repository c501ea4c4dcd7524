//! What people around an incident are asked and told: responders, status updates, workflows.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Agent, IncidentIx, UserIx, World,
    incident::{Entry, Responder},
};

impl World {
    /// Somebody is asked to join; once more to the same person changes only the message.
    pub(crate) fn ask_to_respond(&mut self, ix: IncidentIx, user: UserIx, by: UserIx, message: &str, now: Timestamp) {
        let responders = &mut self.incident_mut(ix).responders;
        responders.retain(|known| known.user != user);
        responders.push(Responder { user, by, message: message.to_owned(), at: now });
        let names = (self.account.user(user).name, self.account.user(by).name);
        let summary = format!("{} was asked to respond by {}.", names.0, names.1);
        self.log(ix, Entry::FieldChange, Agent::User(by), summary, now);
    }

    /// Gives its id.
    pub(crate) fn publish_status(&mut self, ix: IncidentIx, message: &str, by: UserIx, now: Timestamp) -> String {
        let summary = format!("Status update by {}: {message}", self.account.user(by).name);
        self.log(ix, Entry::FieldChange, Agent::User(by), summary, now);
        self.dice.short_id()
    }

    /// Gives the id of the run.
    pub(crate) fn start_workflow(&mut self, ix: IncidentIx, name: &str, now: Timestamp) -> String {
        self.log(ix, Entry::FieldChange, Agent::Timeout, format!("Workflow {name} started."), now);
        self.dice.short_id()
    }

    /// `false`: the incident has no such alert.
    pub(crate) fn resolve_alert(&mut self, ix: IncidentIx, id: &str, by: UserIx, now: Timestamp) -> bool {
        let Some(alert) = self.incident_mut(ix).alerts.iter_mut().find(|alert| alert.id == id) else { return false };
        alert.resolved_at = alert.resolved_at.or(Some(now));
        let summary = format!("Alert resolved: {}.", alert.title);
        self.log(ix, Entry::FieldChange, Agent::User(by), summary, now);
        true
    }

    /// Sets a custom field, or with null takes its value away.
    pub(crate) fn set_field(&mut self, ix: IncidentIx, id: &'static str, value: Value) {
        self.incident_mut(ix).fields.insert(id, value);
    }
}
