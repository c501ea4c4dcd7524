//! Incidents, alerts, notes and log entries as REST shows them.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    super::{
        clock,
        world::{
            Agent, Incident, IncidentIx, UserIx, World,
            incident::{Alert, Entry, LogEntry, Note, Responder, Timer, Via},
        },
    },
    API, Includes, WEB, thing, with,
};
use crate::core::incident::Urgency;

pub(crate) fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::High => "high",
        Urgency::Low => "low",
    }
}

fn summary(incident: &Incident) -> String {
    format!("[#{}] {}", incident.number, incident.title)
}

pub(crate) fn incident_ref(incident: &Incident) -> Value {
    thing(&incident.id, "incident_reference", summary(incident), "incidents", "incidents")
}

/// A log entry's id, type and addresses; its `self` names the incident, as `PagerDuty`'s does.
fn entry_thing(id: &str, kind: &str, summary: &str, incident: &Incident) -> Value {
    json!({
        "id": id,
        "type": kind,
        "summary": summary,
        "self": format!("{API}/log_entries/{id}?incident_id={}", incident.id),
        "html_url": format!("{WEB}/incidents/{}/log_entries/{id}", incident.id),
    })
}

impl World {
    pub(crate) fn incident_json(&self, ix: IncidentIx, includes: &Includes) -> Value {
        let incident = self.incident(ix);
        let base = thing(&incident.id, "incident", summary(incident), "incidents", "incidents");
        let (all, triggered) = incident.alert_counts();
        let resolve_reason = incident
            .merged_into
            .map(|to| json!({"type": "merge_resolve_reason", "incident": incident_ref(self.incident(to))}));
        let parts = with(
            json!({
                "incident_number": incident.number,
                "title": incident.title,
                "description": incident.title,
                "created_at": clock::rest(incident.created_at),
                "updated_at": clock::rest(incident.updated_at),
                "status": incident.status.word(),
                "incident_key": incident.key,
                "urgency": urgency(incident.urgency),
                "last_status_change_at": clock::rest(incident.status_at),
                "last_status_change_by": self.account.agent_ref(incident.status_by, incident.service),
                "resolved_at": incident.resolved_at.map(clock::rest),
                "alert_counts": {"all": all, "triggered": triggered, "resolved": all - triggered},
                "is_mergeable": true,
                "incident_type": {"name": incident.kind},
                "alert_grouping": null,
                "resolve_reason": resolve_reason,
                "conference_bridge": incident.bridge,
                "incidents_responders": incident.responders.iter().map(|one| self.responder_json(incident, one)).collect::<Vec<_>>(),
                "responder_requests": [],
            }),
            self.involved(incident, includes),
        );
        with(base, parts)
    }

    /// Whoever and whatever the incident refers to.
    fn involved(&self, incident: &Incident, includes: &Includes) -> Value {
        let account = &self.account;
        let none = Includes::default();
        let person = |user: UserIx, what: &str| {
            let full = includes.has(what) || includes.has("users");
            if full { account.user_json(user, &none) } else { account.user_ref(user) }
        };
        let assignments: Vec<Value> = incident
            .assignments
            .iter()
            .map(|(at, user)| json!({"at": clock::rest(*at), "assignee": person(*user, "assignees")}))
            .collect();
        let acknowledgements: Vec<Value> = incident
            .acknowledgements
            .iter()
            .map(|(at, user)| json!({"at": clock::rest(*at), "acknowledger": person(*user, "acknowledgers")}))
            .collect();
        let (service, policy) = (incident.service, incident.policy);
        let team = account.service(service).team;
        let full = |what: &str| includes.has(what);
        let priority = incident.priority;
        json!({
            "service": if full("services") { self.service_json(service, &none) } else { account.service_ref(service) },
            "escalation_policy":
                if full("escalation_policies") { account.policy_json(policy, &none) } else { account.policy_ref(policy) },
            "teams": [if full("teams") { account.team_json(team) } else { account.team_ref(team) }],
            "priority":
                priority.map(|p| if full("priorities") { account.priority_json(p) } else { account.priority_ref(p) }),
            "assignments": assignments,
            "assigned_via": if incident.via == Via::Policy { "escalation_policy" } else { "direct_assignment" },
            "acknowledgements": acknowledgements,
            "pending_actions": pending(incident),
            "first_trigger_log_entry": self.first_entry(incident, full("first_trigger_log_entries")),
        })
    }

    fn first_entry(&self, incident: &Incident, full: bool) -> Value {
        let first = incident.log.first();
        match first {
            Some(entry) if full => self.entry_json(incident, entry, &Includes::default()),
            _ => {
                let text = first.map_or("", |e| e.summary.as_str());
                entry_thing(&incident.trigger_entry, "trigger_log_entry_reference", text, incident)
            }
        }
    }

    pub(crate) fn alert_json(&self, incident: &Incident, alert: &Alert, includes: &Includes) -> Value {
        let place = format!("incidents/{}/alerts", incident.id);
        let service = alert.service;
        let none = Includes::default();
        let trigger = &alert.trigger_entry;
        with(
            thing(&alert.id, "alert", &alert.title, &place, "alerts"),
            json!({
                "created_at": clock::rest(alert.created_at),
                "status": if alert.resolved_at.is_some() { "resolved" } else { "triggered" },
                "resolved_at": alert.resolved_at.map(clock::rest),
                "alert_key": alert.key,
                "service":
                    if includes.has("services") { self.service_json(service, &none) } else { self.account.service_ref(service) },
                "first_trigger_log_entry": entry_thing(trigger, "trigger_log_entry_reference", "Triggered", incident),
                "body": {"type": "alert_body", "contexts": alert.contexts, "details": alert.details},
                "incident": incident_ref(incident),
                "suppressed": false,
                "severity": alert.severity,
                "integration": self.account.integration_ref(service),
            }),
        )
    }

    fn responder_json(&self, incident: &Incident, responder: &Responder) -> Value {
        json!({
            "state": "pending",
            "user": self.account.user_ref(responder.user),
            "incident": incident_ref(incident),
            "updated_at": clock::rest(responder.at),
            "message": responder.message,
            "requester": self.account.user_ref(responder.by),
            "requested_at": clock::rest(responder.at),
        })
    }

    pub(crate) fn note_json(&self, note: &Note, zone: &TimeZone) -> Value {
        let at = clock::zoned(note.at, zone);
        json!({
            "id": note.id,
            "user": self.account.user_ref(note.user),
            "channel": {"summary": "The PagerDuty website or APIs"},
            "content": note.content,
            "created_at": at,
            "updated_at": at,
        })
    }

    pub(crate) fn entry_json(&self, incident: &Incident, entry: &LogEntry, includes: &Includes) -> Value {
        let account = &self.account;
        let service = incident.service;
        let team = account.service(service).team;
        let none = Includes::default();
        let full = |what: &str| includes.has(what);
        let base = entry_thing(&entry.id, entry.entry.kind(), &entry.summary, incident);
        let common = json!({
            "created_at": clock::rest(entry.at),
            "agent": account.agent_ref(entry.agent, service),
            "channel": self.channel(incident, entry, full("channels")),
            "service": if full("services") { self.service_json(service, &none) } else { account.service_ref(service) },
            "incident": incident_ref(incident),
            "teams": [if full("teams") { account.team_json(team) } else { account.team_ref(team) }],
            "contexts": if entry.entry == Entry::Trigger { contexts(incident) } else { json!([]) },
            "event_details": {"description": incident.title},
        });
        with(with(base, common), self.entry_part(&entry.entry))
    }

    /// What only this kind of entry has.
    fn entry_part(&self, entry: &Entry) -> Value {
        match entry {
            Entry::Assign(users) | Entry::Escalate(users) | Entry::Delegate(users) => {
                let assignees: Vec<Value> = users.iter().map(|u| self.account.user_ref(*u)).collect();
                json!({"assignees": assignees})
            }
            Entry::Notify(user) => json!({"user": self.account.user_ref(*user)}),
            Entry::Acknowledge(timeout) => json!({"acknowledgement_timeout": timeout}),
            Entry::Snooze(until) => {
                json!({"changed_actions": [{"type": "unacknowledge", "at": clock::rest(*until)}]})
            }
            Entry::Resolve(Some(note)) => json!({"note": note}),
            Entry::Trigger
            | Entry::Unacknowledge
            | Entry::RepeatPath
            | Entry::ExhaustPath
            | Entry::Annotate(_)
            | Entry::Resolve(None)
            | Entry::Reopen
            | Entry::UrgencyChange
            | Entry::FieldChange => json!({}),
        }
    }

    /// Through which door it came; with everything the event brought when that was asked for.
    fn channel(&self, incident: &Incident, entry: &LogEntry, full: bool) -> Value {
        match (&entry.entry, entry.agent) {
            (Entry::Annotate(content), _) => json!({"type": "note", "summary": content}),
            (Entry::Notify(user), _) => {
                json!({"type": "auto", "notification": {"type": "push_notification", "status": "success",
                    "address": self.account.user(*user).email}})
            }
            (Entry::Trigger, Agent::Service(_)) if full => json!({
                "type": "api",
                "summary": incident.title,
                "details": incident.alerts.first().map(|a| a.details.clone()),
            }),
            (_, Agent::User(_)) => json!({"type": "website"}),
            (_, Agent::Service(_)) => json!({"type": "api"}),
            (_, Agent::Timeout) => json!({"type": "timeout"}),
        }
    }
}

fn contexts(incident: &Incident) -> Value {
    json!(incident.alerts.first().map_or(&[][..], |a| &a.contexts))
}

/// What will happen by itself, soonest first.
fn pending(incident: &Incident) -> Vec<Value> {
    let mut running: Vec<_> = incident.timers.running().collect();
    running.sort_unstable();
    let word = |timer| match timer {
        Timer::Escalate => "escalate",
        Timer::Unacknowledge => "unacknowledge",
        Timer::Resolve => "resolve",
    };
    running.into_iter().map(|(at, timer)| json!({"type": word(timer), "at": clock::rest(at)})).collect()
}
