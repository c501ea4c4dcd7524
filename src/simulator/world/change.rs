//! The changes of state that `PagerDuty` knows, each with its line in the timeline and its webhook.
//! Whether a change is allowed has been asked before (`update`, `Objection`); here it simply happens.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{clock, json},
    Agent, Audience, Event, Incident, IncidentIx, PolicyIx, PriorityIx, ServiceIx, UserIx, World,
    incident::{Alert, Entry, LogEntry, Note, Timers, Via},
};
use crate::core::incident::{Status, Urgency};

/// What a new incident is made of.
#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) title: String,
    pub(crate) service: ServiceIx,
    pub(crate) urgency: Urgency,
    pub(crate) agent: Agent,
    pub(crate) priority: Option<PriorityIx>,
    /// `incident_key`; made up when absent.
    pub(crate) key: Option<String>,
    /// Severity, details and contexts of the alert behind it; none for one made by hand.
    pub(crate) alert: Option<(&'static str, Value, Vec<Value>)>,
    /// The service's own when absent.
    pub(crate) policy: Option<PolicyIx>,
    /// Assigned directly instead of through the policy.
    pub(crate) assignee: Option<UserIx>,
    pub(crate) kind: Option<String>,
}

/// Where people meet about what is gravest.
fn bridge(number: u64) -> Value {
    let room = 1000 + number;
    serde_json::json!({
        "conference_number": format!("+1 555 0100,,{room}#"),
        "conference_url": format!("https://meet.example.com/{room}"),
    })
}

impl World {
    pub(crate) fn trigger(&mut self, new: Trigger, now: Timestamp) -> IncidentIx {
        let ix = IncidentIx(self.incidents.len());
        let (agent, assignee, urgency) = (new.agent, new.assignee, new.urgency);
        let incident = self.fresh(new, now);
        self.by_id.insert(incident.id.clone(), ix);
        self.open.insert(ix);
        let entry = incident.trigger_entry.clone();
        self.incidents.push(incident);
        let how =
            if matches!(agent, Agent::User(_)) { "through the website or API" } else { "through the integration API" };
        self.log_with_id(ix, entry, Entry::Trigger, agent, format!("Triggered {how}."), now);
        match assignee {
            Some(user) => self.assign(ix, &[user], Via::Direct, now),
            None => self.start_level(ix, 0, now),
        }
        self.tell(ix, "incident.triggered", agent, now);
        self.log_assigned(ix, agent, now);
        if let (Some(user), Agent::User(by)) = (assignee, agent)
            && user == by
        {
            // Made for oneself: acknowledged at once, and nobody is paged.
            self.acknowledge(ix, user, now);
        } else if urgency == Urgency::High {
            self.notify(ix, now);
        }
        ix
    }

    fn fresh(&mut self, new: Trigger, now: Timestamp) -> Incident {
        let dice = &mut self.dice;
        let service = self.account.service(new.service);
        let key = new.key.unwrap_or_else(|| dice.key());
        let trigger_entry = dice.long_id();
        let alert = new.alert.map(|(severity, details, contexts)| Alert {
            id: dice.long_id(),
            title: new.title.clone(),
            key: key.clone(),
            created_at: now,
            resolved_at: None,
            severity,
            details,
            contexts,
            service: new.service,
            trigger_entry: trigger_entry.clone(),
        });
        let number = 1201 + u64::try_from(self.incidents.len()).unwrap_or_default();
        let is_grave = new.priority.is_some() && new.priority == self.account.find_priority("P1");
        Incident {
            id: dice.long_id(),
            number,
            title: new.title,
            key,
            service: new.service,
            urgency: new.urgency,
            status: Status::Triggered,
            priority: new.priority,
            created_at: now,
            updated_at: now,
            status_at: now,
            status_by: new.agent,
            resolved_at: None,
            reopened_at: None,
            policy: new.policy.unwrap_or(service.policy),
            level: 0,
            walked: 0,
            assignments: vec![],
            via: Via::Policy,
            acknowledgements: vec![],
            timers: Timers { resolve: service.auto_resolve_timeout.map(|s| clock::after(now, s)), ..Timers::default() },
            merged_into: None,
            kind: new.kind.unwrap_or_else(|| "incident_default".to_owned()),
            bridge: (is_grave && matches!(new.agent, Agent::Service(_))).then(|| bridge(number)),
            alerts: alert.into_iter().collect(),
            notes: vec![],
            log: vec![],
            responders: vec![],
            fields: BTreeMap::new(),
            trigger_entry,
            told_at: clock::after(now, -1),
        }
    }

    /// The user takes it. A resolved incident is opened again by this, as at `PagerDuty`.
    pub(crate) fn acknowledge(&mut self, ix: IncidentIx, by: UserIx, now: Timestamp) {
        let incident = self.incident(ix);
        let agent = Agent::User(by);
        if incident.status == Status::Resolved {
            self.open_again(ix, agent, now);
            self.assign_keeping_via(ix, &[by], now);
            self.log_reopened(ix, agent, now);
        } else if incident.acknowledgements.iter().any(|(_, user)| *user == by) {
            return;
        }
        let timeout = self.account.service(self.incident(ix).service).acknowledgement_timeout;
        self.assign_keeping_via(ix, &[by], now);
        self.end_snooze(ix, now);
        let incident = self.incident_mut(ix);
        if incident.status != Status::Acknowledged {
            incident.timers.unacknowledge = timeout.map(|s| clock::after(now, s));
        }
        incident.timers.escalate = None;
        incident.acknowledgements.push((now, by));
        self.stand(ix, Status::Acknowledged, agent, now);
        let name = self.account.user(by).name;
        self.log(ix, Entry::Acknowledge(timeout), agent, format!("Acknowledged by {name}."), now);
        self.tell(ix, "incident.acknowledged", agent, now);
    }

    /// Nobody has it any more: the time is up, the snooze is over, or somebody gave it back.
    pub(crate) fn unacknowledge(&mut self, ix: IncidentIx, agent: Agent, now: Timestamp) {
        let level = self.incident(ix).level;
        self.end_snooze(ix, now);
        let incident = self.incident_mut(ix);
        incident.acknowledgements.clear();
        incident.timers.unacknowledge = None;
        self.stand(ix, Status::Triggered, agent, now);
        self.restart_escalation(ix, level, now);
        let by = self.by(agent);
        self.log(ix, Entry::Unacknowledge, agent, format!("Unacknowledged {by}."), now);
        self.tell(ix, "incident.unacknowledged", agent, now);
        self.notify(ix, now);
    }

    pub(crate) fn resolve(&mut self, ix: IncidentIx, agent: Agent, resolution: Option<String>, now: Timestamp) {
        let incident = self.incident_mut(ix);
        incident.assignments.clear();
        incident.acknowledgements.clear();
        incident.timers = Timers::default();
        incident.resolved_at = Some(now);
        incident.alerts.iter_mut().for_each(|a| a.resolved_at = a.resolved_at.or(Some(now)));
        self.stand(ix, Status::Resolved, agent, now);
        self.open.remove(&ix);
        let by = self.by(agent);
        self.log(ix, Entry::Resolve(resolution), agent, format!("Resolved {by}."), now);
        self.tell(ix, "incident.resolved", agent, now);
    }

    /// A resolved incident is triggered again; whom it is assigned to is decided by the caller, who then tells.
    fn open_again(&mut self, ix: IncidentIx, agent: Agent, now: Timestamp) {
        let resolve_after = self.account.service(self.incident(ix).service).auto_resolve_timeout;
        self.open.insert(ix);
        let incident = self.incident_mut(ix);
        incident.resolved_at = None;
        incident.reopened_at = Some(now);
        incident.merged_into = None;
        incident.walked = 0;
        incident.timers.resolve = resolve_after.map(|s| clock::after(now, s));
        self.stand(ix, Status::Triggered, agent, now);
    }

    fn log_reopened(&mut self, ix: IncidentIx, agent: Agent, now: Timestamp) {
        let by = self.by(agent);
        self.log(ix, Entry::Reopen, agent, format!("Reopened {by}."), now);
        self.tell(ix, "incident.reopened", agent, now);
    }

    /// Opens a resolved incident for whoever its policy names now.
    pub(crate) fn reopen(&mut self, ix: IncidentIx, agent: Agent, now: Timestamp) {
        self.open_again(ix, agent, now);
        self.incident_mut(ix).via = Via::Policy;
        self.start_level(ix, 0, now);
        self.log_reopened(ix, agent, now);
        self.log_assigned(ix, agent, now);
        self.notify(ix, now);
    }

    /// Given to these people by hand. An acknowledgement of somebody else does not bind them: it is triggered again.
    pub(crate) fn reassign(&mut self, ix: IncidentIx, users: &[UserIx], agent: Agent, now: Timestamp) {
        self.assign(ix, users, Via::Direct, now);
        self.end_snooze(ix, now);
        let incident = self.incident_mut(ix);
        incident.timers.escalate = None;
        let kept = incident.acknowledgements.iter().any(|(_, u)| users.contains(u));
        if incident.status == Status::Acknowledged && !kept {
            incident.acknowledgements.clear();
            self.stand(ix, Status::Triggered, agent, now);
        }
        if !kept {
            self.incident_mut(ix).timers.unacknowledge = None;
        }
        self.log_assigned(ix, agent, now);
        self.tell(ix, "incident.reassigned", agent, now);
        self.notify(ix, now);
    }

    /// Handed to another policy: it begins at that policy's first level.
    pub(crate) fn delegate(&mut self, ix: IncidentIx, policy: PolicyIx, agent: Agent, now: Timestamp) {
        let incident = self.incident_mut(ix);
        incident.policy = policy;
        incident.walked = 0;
        self.back_to_triggered(ix, agent, now);
        self.start_level(ix, 0, now);
        let to: Vec<UserIx> = self.assignees(ix);
        let (name, by) = (self.account.policy(policy).name, self.by(agent));
        self.log(ix, Entry::Delegate(to), agent, format!("Delegated to {name} {by}."), now);
        self.tell(ix, "incident.delegated", agent, now);
        self.notify(ix, now);
    }

    /// To a level of its policy, counted from 0.
    pub(crate) fn escalate(&mut self, ix: IncidentIx, level: usize, agent: Agent, now: Timestamp) {
        self.back_to_triggered(ix, agent, now);
        self.start_level(ix, level, now);
        let to = self.assignees(ix);
        let (names, by) = (self.names(&to), self.by(agent));
        self.log(ix, Entry::Escalate(to), agent, format!("Escalated to {names} {by}."), now);
        self.tell(ix, "incident.escalated", agent, now);
        self.notify(ix, now);
    }

    fn back_to_triggered(&mut self, ix: IncidentIx, agent: Agent, now: Timestamp) {
        self.end_snooze(ix, now);
        let incident = self.incident_mut(ix);
        incident.acknowledgements.clear();
        incident.timers.unacknowledge = None;
        if incident.status != Status::Triggered {
            self.stand(ix, Status::Triggered, agent, now);
        }
    }

    pub(crate) fn snooze(&mut self, ix: IncidentIx, seconds: i64, by: UserIx, now: Timestamp) {
        let until = clock::after(now, seconds);
        let incident = self.incident_mut(ix);
        incident.timers.snoozed = true;
        incident.timers.unacknowledge = Some(until);
        let name = self.account.user(by).name;
        let summary = format!("Snoozed by {name} until {}.", clock::rest(until));
        self.log(ix, Entry::Snooze(until), Agent::User(by), summary, now);
    }

    /// A snooze holds the other time-outs back; from its end they run anew.
    fn end_snooze(&mut self, ix: IncidentIx, now: Timestamp) {
        let service = self.account.service(self.incident(ix).service);
        let (forget, resolve) = (service.acknowledgement_timeout, service.auto_resolve_timeout);
        let timers = &mut self.incident_mut(ix).timers;
        if std::mem::take(&mut timers.snoozed) {
            timers.unacknowledge = forget.map(|s| clock::after(now, s));
            timers.resolve = resolve.map(|s| clock::after(now, s));
        }
    }

    /// The sources' alerts go over to the target, and the sources are resolved. Those that are the target itself are left alone.
    pub(crate) fn merge(&mut self, target: IncidentIx, sources: &[IncidentIx], by: UserIx, now: Timestamp) {
        for &source in sources.iter().filter(|s| **s != target) {
            let alerts = std::mem::take(&mut self.incident_mut(source).alerts);
            self.incident_mut(target).alerts.extend(alerts);
            self.incident_mut(source).merged_into = Some(target);
            if self.incident(source).status != Status::Resolved {
                self.resolve(source, Agent::User(by), None, now);
            }
        }
        self.incident_mut(target).updated_at = now;
    }

    /// Adds a note; its place in the incident's list comes back.
    pub(crate) fn annotate(&mut self, ix: IncidentIx, by: UserIx, content: &str, now: Timestamp) -> usize {
        let note = Note { id: self.dice.short_id(), user: by, content: content.to_owned(), at: now };
        let data = json::event::note(self.incident(ix), &note);
        let notes = &mut self.incident_mut(ix).notes;
        notes.push(note);
        let place = notes.len() - 1;
        let summary = format!("Note added by {}.", self.account.user(by).name);
        self.log(ix, Entry::Annotate(content.to_owned()), Agent::User(by), summary, now);
        self.tell_with(ix, "incident.annotated", Agent::User(by), data, now);
        place
    }

    /// Status, since when, and through whom.
    fn stand(&mut self, ix: IncidentIx, status: Status, agent: Agent, now: Timestamp) {
        let incident = self.incident_mut(ix);
        incident.status = status;
        incident.status_at = now;
        incident.status_by = agent;
        incident.updated_at = now;
    }

    /// Assigns whoever is on call at `level` and starts the clock of that level.
    pub(super) fn start_level(&mut self, ix: IncidentIx, level: usize, now: Timestamp) {
        let users = self.account.on_call(self.incident(ix).policy, level, now);
        self.assign(ix, &users, Via::Policy, now);
        self.restart_escalation(ix, level, now);
    }

    fn restart_escalation(&mut self, ix: IncidentIx, level: usize, now: Timestamp) {
        let incident = self.incident(ix);
        let delay = self.account.policy(incident.policy).rules.get(level).map(|r| r.delay_minutes * 60);
        let climbs = incident.via == Via::Policy && incident.urgency == Urgency::High;
        let incident = self.incident_mut(ix);
        incident.level = level;
        incident.timers.escalate = delay.filter(|_| climbs).map(|s| clock::after(now, s));
    }

    fn assign_keeping_via(&mut self, ix: IncidentIx, users: &[UserIx], now: Timestamp) {
        let via = self.incident(ix).via;
        self.assign(ix, users, via, now);
    }

    /// Who was assigned before keeps his time.
    fn assign(&mut self, ix: IncidentIx, users: &[UserIx], via: Via, now: Timestamp) {
        let incident = self.incident_mut(ix);
        let since = |user| incident.assignments.iter().find(|(_, u)| *u == user).map_or(now, |(at, _)| *at);
        let assignments = users.iter().map(|&user| (since(user), user)).collect();
        incident.assignments = assignments;
        incident.via = via;
        incident.updated_at = now;
    }

    pub(crate) fn assignees(&self, ix: IncidentIx) -> Vec<UserIx> {
        self.incident(ix).assignments.iter().map(|(_, user)| *user).collect()
    }

    fn names(&self, users: &[UserIx]) -> String {
        let names: Vec<_> = users.iter().map(|u| self.account.user(*u).name).collect();
        names.join(", ")
    }

    /// `by Mira Okafor`, `through the integration API`, `due to timeout`.
    fn by(&self, agent: Agent) -> String {
        match agent {
            Agent::User(user) => format!("by {}", self.account.user(user).name),
            Agent::Service(_) => "through the integration API".to_owned(),
            Agent::Timeout => "due to timeout".to_owned(),
        }
    }

    fn log_assigned(&mut self, ix: IncidentIx, agent: Agent, now: Timestamp) {
        let to = self.assignees(ix);
        let (names, by) = (self.names(&to), self.by(agent));
        self.log(ix, Entry::Assign(to), agent, format!("Assigned to {names} {by}."), now);
    }

    /// The telephones ring.
    fn notify(&mut self, ix: IncidentIx, now: Timestamp) {
        let service = Agent::Service(self.incident(ix).service);
        for user in self.assignees(ix) {
            let summary = format!("Notified {} by push notification.", self.account.user(user).name);
            self.log(ix, Entry::Notify(user), service, summary, now);
        }
    }

    pub(super) fn log(&mut self, ix: IncidentIx, entry: Entry, agent: Agent, summary: String, now: Timestamp) {
        let id = self.dice.long_id();
        self.log_with_id(ix, id, entry, agent, summary, now);
    }

    fn log_with_id(&mut self, ix: IncidentIx, id: String, entry: Entry, agent: Agent, summary: String, at: Timestamp) {
        let incident = self.incident_mut(ix);
        incident.updated_at = at;
        incident.log.push(LogEntry { id, entry, at, agent, summary });
    }

    /// Puts a webhook about the incident as it stands now into the outbox.
    pub(super) fn tell(&mut self, ix: IncidentIx, kind: &'static str, agent: Agent, now: Timestamp) {
        if self.audience == Audience::Subscribed {
            let data = json::event::incident(self, ix);
            self.tell_with(ix, kind, agent, data, now);
        }
    }

    pub(super) fn tell_with(&mut self, ix: IncidentIx, kind: &'static str, agent: Agent, data: Value, now: Timestamp) {
        if self.audience == Audience::Nobody {
            return;
        }
        let id = self.dice.event_id();
        let incident = &mut self.incidents[ix.0];
        // Two things in one request still happen one after the other.
        let earliest = incident.told_at.saturating_add(jiff::SignedDuration::from_millis(1)).unwrap_or(now);
        incident.told_at = now.max(earliest);
        let at = incident.told_at;
        self.outbox.push(Event::new(&self.account, &self.incidents[ix.0], kind, agent, (id, at), data));
    }
}
