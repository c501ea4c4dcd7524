//! A `PagerDuty` account for tests of order: pure, told when each thing happens, and heard only through the bytes of
//! its webhooks (times in milliseconds) and the rows of its REST answers (whole seconds).
//!
//! Every change moves `updated_at`; not every change has a webhook.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::incidents;
use crate::core::{
    id::{AccountName, IncidentId, UserId},
    incident::{Named, Observation, Status},
};

/// Who works here; the first is the one that the key belongs to.
pub(crate) const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// What can happen to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Acknowledge,
    Unacknowledge,
    Resolve,
    Reopen,
    Escalate,
    Delegate,
    Reassign,
    Reprioritise,
    MoveService,
    /// No webhook tells of these two.
    Retitle,
    ChangeUrgency,
    /// These say nothing of the incident's state.
    Annotate,
    AddResponder,
    ResponderReplies,
    PublishUpdate,
    ChangeFields,
    AssignRole,
    StartWorkflow,
}

impl Step {
    pub(crate) const ALL: [Self; 18] = [
        Self::Acknowledge,
        Self::Unacknowledge,
        Self::Resolve,
        Self::Reopen,
        Self::Escalate,
        Self::Delegate,
        Self::Reassign,
        Self::Reprioritise,
        Self::MoveService,
        Self::Retitle,
        Self::ChangeUrgency,
        Self::Annotate,
        Self::AddResponder,
        Self::ResponderReplies,
        Self::PublishUpdate,
        Self::ChangeFields,
        Self::AssignRole,
        Self::StartWorkflow,
    ];

    /// The event's type and the type of its `data`; `None` for what no webhook tells.
    fn event(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Acknowledge => ("incident.acknowledged", "incident"),
            Self::Unacknowledge => ("incident.unacknowledged", "incident"),
            Self::Resolve => ("incident.resolved", "incident"),
            Self::Reopen => ("incident.reopened", "incident"),
            Self::Escalate => ("incident.escalated", "incident"),
            Self::Delegate => ("incident.delegated", "incident"),
            Self::Reassign => ("incident.reassigned", "incident"),
            Self::Reprioritise => ("incident.priority_updated", "incident"),
            Self::MoveService => ("incident.service_updated", "incident"),
            Self::Retitle | Self::ChangeUrgency => return None,
            Self::Annotate => ("incident.annotated", "incident_note"),
            Self::AddResponder => ("incident.responder.added", "incident_responder"),
            Self::ResponderReplies => ("incident.responder.replied", "incident_responder"),
            Self::PublishUpdate => ("incident.status_update_published", "incident_status_update"),
            Self::ChangeFields => ("incident.custom_field_values.updated", "incident_field_values"),
            Self::AssignRole => ("incident.role.assigned", "incident_role_assignment"),
            Self::StartWorkflow => ("incident.workflow.started", "incident_workflow_instance"),
        })
    }
}

/// One webhook, not yet signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) event_id: String,
    pub(crate) at: Timestamp,
    pub(crate) body: Vec<u8>,
    /// Whether it tells the incident's state.
    pub(crate) tells: bool,
}

/// One incident as the provider has it.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    pub(crate) id: IncidentId,
    number: u64,
    title: String,
    pub(crate) status: Status,
    high: bool,
    priority: Option<u64>,
    service: u64,
    policy: String,
    assignees: Vec<usize>,
    created: Timestamp,
    updated: Timestamp,
    acknowledged: Vec<(Timestamp, usize)>,
    /// When it last came to somebody.
    assigned: Timestamp,
    changed_by: usize,
    pub(crate) notes: Vec<String>,
    events: u64,
}

impl Incident {
    /// A new one, and the webhook that tells of it.
    pub(crate) fn triggered(number: u64, at: Timestamp) -> (Self, Push) {
        let mut new = Self {
            id: IncidentId::new(format!("Q{number}")).expect("id"),
            number,
            title: format!("service {number} is down"),
            status: Status::Triggered,
            high: true,
            priority: None,
            service: number % 3,
            policy: "PLEVELS".to_owned(),
            assignees: vec![0],
            created: at,
            updated: at,
            acknowledged: vec![],
            assigned: at,
            changed_by: 0,
            notes: vec![],
            events: 0,
        };
        let push = new.push("incident.triggered", "incident", at);
        (new, push)
    }

    /// Lets `step` happen at `at`, by `who`. `None`: nothing changed, or nothing that a webhook tells.
    pub(crate) fn take(&mut self, step: Step, who: usize, at: Timestamp) -> Option<Push> {
        if !self.can(step) {
            return None;
        }
        self.updated = at;
        match step {
            Step::Acknowledge => (self.status, self.acknowledged) = (Status::Acknowledged, vec![(at, who)]),
            Step::Unacknowledge => (self.status, self.acknowledged) = (Status::Triggered, vec![]),
            Step::Resolve => {
                (self.status, self.acknowledged) = (Status::Resolved, vec![]);
                self.assignees.clear();
            }
            Step::Reopen => (self.status, self.assignees) = (Status::Triggered, vec![who]),
            Step::Escalate => (self.status, self.assignees, self.acknowledged) = (Status::Triggered, vec![who], vec![]),
            Step::Delegate => self.policy = format!("PPOLICY{who}"),
            Step::Reassign => self.assignees = if who == 0 { vec![0] } else { vec![who, who - 1] },
            Step::Reprioritise => self.priority = Some(self.priority.map_or(1, |known| known % 5 + 1)),
            Step::MoveService => self.service += 1,
            Step::Retitle => self.title.push('!'),
            Step::ChangeUrgency => self.high = !self.high,
            Step::Annotate => self.notes.push(format!("note {}", self.notes.len())),
            Step::AddResponder
            | Step::ResponderReplies
            | Step::PublishUpdate
            | Step::ChangeFields
            | Step::AssignRole
            | Step::StartWorkflow => {}
        }
        if matches!(step, Step::Reopen | Step::Escalate | Step::Reassign) {
            self.assigned = at;
        }
        if matches!(step, Step::Acknowledge | Step::Unacknowledge | Step::Resolve | Step::Reopen) {
            self.changed_by = who;
        }
        let (event, data) = step.event()?;
        Some(self.push(event, data, at))
    }

    pub(crate) fn can(&self, step: Step) -> bool {
        match step {
            Step::Acknowledge => self.status == Status::Triggered,
            Step::Unacknowledge => self.status == Status::Acknowledged,
            Step::Reopen => self.status == Status::Resolved,
            Step::Resolve | Step::Escalate | Step::Delegate | Step::Reassign => self.status.is_open(),
            _ => true,
        }
    }

    /// A note that somebody writes over REST.
    pub(crate) fn note(&mut self, text: &str, at: Timestamp) -> Push {
        self.notes.push(text.to_owned());
        self.updated = at;
        self.push("incident.annotated", "incident_note", at)
    }

    /// An acknowledge by the owner of the key over REST, which adds a name to those that are there and opens what is
    /// resolved.
    pub(crate) fn acknowledge(&mut self, at: Timestamp) -> Push {
        if self.status == Status::Resolved {
            (self.assignees, self.assigned) = (vec![0], at);
        }
        (self.status, self.updated, self.changed_by) = (Status::Acknowledged, at, 0);
        self.acknowledged.retain(|(_, who)| *who != 0);
        self.acknowledged.push((at, 0));
        self.push("incident.acknowledged", "incident", at)
    }

    /// Whether the owner of the key acknowledged it at `since` or later.
    pub(crate) fn is_acknowledged_since(&self, since: Timestamp) -> bool {
        self.acknowledged.iter().any(|(at, who)| *who == 0 && *at >= since)
    }

    /// Whether it was given to this person, and to nobody else, at `since` or later.
    pub(crate) fn is_with_since(&self, user: &UserId, since: Timestamp) -> bool {
        self.is_with(user) && self.assigned >= since
    }

    /// Whether it is assigned to this person, and to nobody else.
    fn is_with(&self, user: &UserId) -> bool {
        let is_theirs = |who: &usize| person(PEOPLE[*who]).id == *user;
        !self.assignees.is_empty() && self.assignees.iter().all(is_theirs)
    }

    /// A hand-over to one person over REST.
    pub(crate) fn hand_to(&mut self, user: &UserId, at: Timestamp) -> Option<Push> {
        let who = PEOPLE.iter().position(|name| person(name).id == *user)?;
        (self.assignees, self.assigned) = (vec![who], at);
        self.updated = at;
        Some(self.push("incident.reassigned", "incident", at))
    }

    fn push(&mut self, event: &str, data: &str, at: Timestamp) -> Push {
        self.events += 1;
        let event_id = format!("{}-{}", self.id, self.events);
        let body = json!({ "event": {
            "id": event_id, "event_type": event, "resource_type": "incident",
            "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "agent": reference(person(PEOPLE[self.changed_by]).id.as_str(), "user_reference", PEOPLE[self.changed_by]),
            "client": null, "data": self.data(data),
        }});
        Push { event_id, at, body: body.to_string().into_bytes(), tells: data == "incident" }
    }

    fn data(&self, kind: &str) -> Value {
        let incident = reference(self.id.as_str(), "incident_reference", &self.title);
        match kind {
            "incident" => self.pushed(),
            "incident_role_assignment" => {
                json!({ "type": kind, "incident_role_assignments": [{"incident": incident}] })
            }
            _ => json!({ "type": kind, "id": "PX", "incident": incident, "content": "words", "message": "words" }),
        }
    }

    fn common(&self) -> Value {
        json!({
            "id": self.id.as_str(), "type": "incident", "status": self.status.word(), "title": self.title,
            "html_url": format!("https://acme.example/incidents/{}", self.id), "incident_key": format!("key-{}", self.id),
            "created_at": seconds(self.created), "urgency": if self.high { "high" } else { "low" },
            "service": reference(&format!("PSERVICE{}", self.service), "service_reference", "a service"),
            "escalation_policy": reference(&self.policy, "escalation_policy_reference", "a policy"),
            "teams": [reference("PTEAM", "team_reference", "a team")],
            "priority": self.priority.map(|p| reference(&format!("PP{p}"), "priority_reference", &format!("P{p}"))),
        })
    }

    fn people(&self) -> impl Iterator<Item = Value> {
        self.assignees.iter().map(|who| {
            let somebody = person(PEOPLE[*who]);
            reference(somebody.id.as_str(), "user_reference", somebody.name.as_str())
        })
    }

    fn pushed(&self) -> Value {
        let mut row = self.common();
        row["number"] = json!(self.number);
        row["assignees"] = self.people().collect();
        row
    }

    fn row(&self) -> Value {
        let mut row = self.common();
        let acknowledger = |who: usize| reference(person(PEOPLE[who]).id.as_str(), "user_reference", PEOPLE[who]);
        row["incident_number"] = json!(self.number);
        row["updated_at"] = json!(seconds(self.updated));
        row["assignments"] =
            self.people().map(|who| json!({ "at": seconds(self.assigned), "assignee": who })).collect();
        row["acknowledgements"] = self
            .acknowledged
            .iter()
            .map(|(at, who)| json!({ "at": seconds(*at), "acknowledger": acknowledger(*who) }))
            .collect();
        row["last_status_change_by"] = acknowledger(self.changed_by);
        row["alert_counts"] = json!({ "all": 1, "triggered": u64::from(self.status.is_open()) });
        row
    }

    /// What REST answers of it, to what was asked at `asked`.
    pub(crate) fn observed(&self, account: &AccountName, asked: Timestamp) -> Observation {
        incidents::observed(account, self.row(), asked).expect("a readable row")
    }

    pub(crate) fn created(&self) -> Timestamp {
        self.created
    }
}

/// Somebody of [`PEOPLE`].
pub(crate) fn person(name: &str) -> Named<UserId> {
    Named { id: UserId::new(format!("P{}", name.to_uppercase())).expect("id"), name: name.into() }
}

fn reference(id: &str, kind: &str, summary: &str) -> Value {
    json!({ "id": id, "type": kind, "summary": summary, "self": format!("https://api.example/{id}"), "html_url": null })
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
