//! `PUT /incidents`: what was asked is read and checked as a whole first, so that it happens entirely or not at all.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::json, Agent, IncidentIx, Objection, PolicyIx, PriorityIx, ServiceIx, UserIx, World, incident::Entry,
};
use crate::core::incident::{Status, Urgency};

/// What one item of a `PUT` asks for.
#[derive(Debug, Default)]
pub(crate) struct Update {
    status: Option<Status>,
    resolution: Option<String>,
    title: Option<String>,
    urgency: Option<Urgency>,
    priority: Option<Ranking>,
    /// Counted from 0.
    level: Option<usize>,
    assignees: Option<Vec<UserIx>>,
    policy: Option<PolicyIx>,
    kind: Option<String>,
    bridge: Option<Value>,
    service: Option<ServiceIx>,
}

/// What becomes of the priority.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ranking {
    Ranked(PriorityIx),
    Unranked,
}

impl Ranking {
    pub(crate) fn priority(self) -> Option<PriorityIx> {
        match self {
            Self::Ranked(priority) => Some(priority),
            Self::Unranked => None,
        }
    }
}

/// A status by its word.
pub(crate) fn status(word: &str) -> Option<Status> {
    [Status::Triggered, Status::Acknowledged, Status::Resolved].into_iter().find(|s| s.word() == word)
}

/// An urgency by its word.
pub(crate) fn urgency(word: &str) -> Option<Urgency> {
    match word {
        "high" => Some(Urgency::High),
        "low" => Some(Urgency::Low),
        _ => None,
    }
}

/// How severe the alert behind an incident of this urgency is.
pub(crate) fn severity(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::High => "critical",
        Urgency::Low => "warning",
    }
}

/// The text at `key`, if it is there.
fn text(item: &Value, key: &str) -> Result<Option<String>, Objection> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Objection::invalid(format!("{key} must be a string"))),
    }
}

/// The id of the reference at `key`, if it is there.
pub(crate) fn reference<'a>(item: &'a Value, key: &str) -> Result<Option<&'a str>, Objection> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(reference) => {
            let id = reference.get("id").and_then(Value::as_str);
            id.map(Some).ok_or_else(|| Objection::invalid(format!("{key} must be a reference with an id")))
        }
    }
}

impl World {
    /// Reads one item of a `PUT`; nothing happens yet.
    pub(crate) fn read_update(&self, item: &Value) -> Result<Update, Objection> {
        let kind = item.get("type").and_then(Value::as_str);
        if !matches!(kind, Some("incident" | "incident_reference")) {
            return Err(Objection::invalid("type must be incident or incident_reference"));
        }
        let status = text(item, "status")?.map(|w| status(&w).ok_or(Objection::InvalidStatus)).transpose()?;
        let urgency = text(item, "urgency")?;
        let urgency = urgency.map(|w| urgency_or(&w)).transpose()?;
        let service = reference(item, "service")?
            .map(|id| self.account.find_service(id).ok_or_else(|| Objection::invalid("Service Not Found")));
        let policy = reference(item, "escalation_policy")?
            .map(|id| self.account.find_policy(id).ok_or(Objection::PolicyNotFound));
        Ok(Update {
            status,
            resolution: text(item, "resolution")?,
            title: text(item, "title")?,
            urgency,
            priority: self.read_priority(item)?,
            level: read_level(item)?,
            assignees: self.read_assignees(item)?,
            policy: policy.transpose()?,
            kind: item.get("incident_type").map(|t| text(t, "name")).transpose()?.flatten(),
            bridge: item.get("conference_bridge").filter(|b| b.is_object()).cloned(),
            service: service.transpose()?,
        })
    }

    /// An object with an id, or just the name.
    pub(crate) fn read_priority(&self, item: &Value) -> Result<Option<Ranking>, Objection> {
        let word = match item.get("priority") {
            None => return Ok(None),
            Some(Value::Null) => return Ok(Some(Ranking::Unranked)),
            Some(Value::String(name)) => name.as_str(),
            Some(other) => other.get("id").and_then(Value::as_str).ok_or(Objection::InvalidPriority)?,
        };
        self.account.find_priority(word).map(|ix| Some(Ranking::Ranked(ix))).ok_or(Objection::InvalidPriority)
    }

    pub(crate) fn read_assignees(&self, item: &Value) -> Result<Option<Vec<UserIx>>, Objection> {
        let Some(list) = item.get("assignments") else { return Ok(None) };
        let list = list.as_array().ok_or_else(|| Objection::invalid("assignments must be a list"))?;
        let one = |assignment: &Value| {
            let id = reference(assignment, "assignee")?.ok_or(Objection::AssigneeNotFound)?;
            self.account.users.iter().position(|u| u.id == id).map(UserIx).ok_or(Objection::AssigneeNotFound)
        };
        let users = list.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        if users.is_empty() { Err(Objection::CannotReassign) } else { Ok(Some(users)) }
    }

    /// Whether the account would let this happen to the incident as it stands.
    pub(crate) fn check_update(&self, ix: IncidentIx, update: &Update, now: Timestamp) -> Result<(), Objection> {
        let incident = self.incident(ix);
        let resolved = incident.status == Status::Resolved;
        if resolved && update.status == Some(Status::Resolved) {
            return Err(Objection::AlreadyResolved);
        }
        if update.assignees.is_some() && update.policy.is_some() {
            return Err(Objection::invalid("only one of assignments and escalation_policy may be given"));
        }
        let reopens = update.status.is_some_and(Status::is_open);
        if resolved && !reopens && (update.assignees.is_some() || update.policy.is_some()) {
            return Err(Objection::CannotReassign);
        }
        let policy = update.policy.unwrap_or(incident.policy);
        if let Some(level) = update.level {
            let low = update.urgency.unwrap_or(incident.urgency) == Urgency::Low;
            if low || (resolved && !reopens) || level >= self.account.policy(policy).rules.len() {
                return Err(Objection::CannotEscalate);
            }
        }
        let level = update.level.unwrap_or(0);
        let calls = update.policy.is_some() || update.level.is_some();
        if calls && self.account.on_call(policy, level, now).is_empty() {
            return Err(Objection::NobodyOnCall);
        }
        Ok(())
    }

    /// Lets it happen. Fields first, then whose it is, then the status: an acknowledgement in the same request stands.
    pub(crate) fn apply_update(&mut self, ix: IncidentIx, update: Update, by: UserIx, now: Timestamp) {
        let agent = Agent::User(by);
        let was = self.incident(ix).status;
        self.apply_fields(ix, &update, agent, now);
        if was == Status::Resolved && update.status == Some(Status::Triggered) {
            self.reopen(ix, agent, now);
        } else if was == Status::Acknowledged && update.status == Some(Status::Triggered) {
            self.unacknowledge(ix, agent, now);
        } else if was == Status::Resolved && update.status == Some(Status::Acknowledged) {
            self.acknowledge(ix, by, now);
        }
        if let Some(users) = &update.assignees {
            self.reassign(ix, users, agent, now);
        }
        if let Some(policy) = update.policy {
            self.delegate(ix, policy, agent, now);
        }
        if let Some(level) = update.level {
            self.escalate(ix, level, agent, now);
        }
        match update.status {
            Some(Status::Resolved) => self.resolve(ix, agent, update.resolution, now),
            Some(Status::Acknowledged) => self.acknowledge(ix, by, now),
            Some(Status::Triggered) | None => {}
        }
    }

    fn apply_fields(&mut self, ix: IncidentIx, update: &Update, agent: Agent, now: Timestamp) {
        if let Some(title) = &update.title {
            self.incident_mut(ix).title.clone_from(title);
            self.log(ix, Entry::FieldChange, agent, "Title changed.".to_owned(), now);
        }
        if let Some(urgency) = update.urgency.filter(|u| *u != self.incident(ix).urgency) {
            self.incident_mut(ix).urgency = urgency;
            let word = json::incident::urgency(urgency);
            self.log(ix, Entry::UrgencyChange, agent, format!("Urgency changed to {word}."), now);
        }
        if let Some(ranking) = update.priority {
            self.incident_mut(ix).priority = ranking.priority();
            self.log(ix, Entry::FieldChange, agent, "Priority changed.".to_owned(), now);
            self.tell(ix, "incident.priority_updated", agent, now);
        }
        if let Some(kind) = &update.kind {
            self.incident_mut(ix).kind.clone_from(kind);
            self.log(ix, Entry::FieldChange, agent, format!("Incident type changed to {kind}."), now);
            self.tell(ix, "incident.incident_type.changed", agent, now);
        }
        if let Some(service) = update.service {
            self.incident_mut(ix).service = service;
            self.log(ix, Entry::FieldChange, agent, "Service changed.".to_owned(), now);
            self.tell(ix, "incident.service_updated", agent, now);
        }
        if let Some(bridge) = &update.bridge {
            self.incident_mut(ix).bridge = Some(bridge.clone());
            self.log(ix, Entry::FieldChange, agent, "Conference bridge changed.".to_owned(), now);
            let data = json::event::bridge(self.incident(ix), bridge);
            self.tell_with(ix, "incident.conference_bridge.updated", agent, data, now);
        }
    }
}

fn urgency_or(word: &str) -> Result<Urgency, Objection> {
    urgency(word).ok_or_else(|| Objection::invalid("urgency must be high or low"))
}

/// Levels are counted from 1 outside, from 0 inside.
fn read_level(item: &Value) -> Result<Option<usize>, Objection> {
    let Some(level) = item.get("escalation_level") else { return Ok(None) };
    let level = level.as_u64().and_then(|l| usize::try_from(l).ok()).and_then(|l| l.checked_sub(1));
    level.map(Some).ok_or(Objection::CannotEscalate)
}
