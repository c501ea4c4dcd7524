//! How the account looks in JSON. A reference names a thing; with `include[]` the full object stands in its place.
//! The keys and their types are checked against the shapes of `PagerDuty`'s own examples.

pub(crate) mod account;
pub(crate) mod context;
pub(crate) mod event;
pub(crate) mod incident;

use std::fmt::Display;

use serde_json::{Value, json};

use super::world::{
    Account, Agent, PolicyIx, PriorityIx, ScheduleIx, ServiceIx, TeamIx, UserIx,
    account::{Kind, Policy, Schedule, Service, Team, User},
};

/// Where the objects say they live. Nothing answers there: the base address is the simulator's own.
pub(crate) const API: &str = "https://api.pagerduty.com";
pub(crate) const WEB: &str = "https://dogwatch.pagerduty.com";

/// The `include[]` values of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Includes(pub(crate) Vec<String>);

impl Includes {
    pub(crate) fn has(&self, what: &str) -> bool {
        self.0.iter().any(|i| i == what)
    }
}

/// `{id, type, summary, self, html_url}`; `place` is the path of the collection, `page` that of its web page.
pub(crate) fn thing(id: &str, kind: &str, summary: impl Display, place: &str, page: &str) -> Value {
    json!({
        "id": id,
        "type": kind,
        "summary": summary.to_string(),
        "self": format!("{API}/{place}/{id}"),
        "html_url": format!("{WEB}/{page}/{id}"),
    })
}

/// `base` with the keys of `more` behind its own.
pub(crate) fn with(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

fn user_thing(user: &User, kind: &str) -> Value {
    thing(&user.id, kind, user.name, "users", "users")
}

fn team_thing(team: &Team, kind: &str) -> Value {
    thing(&team.id, kind, team.name, "teams", "teams")
}

fn service_thing(service: &Service, kind: &str) -> Value {
    thing(&service.id, kind, service.name, "services", "service-directory")
}

fn policy_thing(policy: &Policy, kind: &str) -> Value {
    thing(&policy.id, kind, policy.name, "escalation_policies", "escalation_policies")
}

fn schedule_thing(schedule: &Schedule, kind: &str) -> Value {
    thing(&schedule.id, kind, schedule.name, "schedules", "schedules")
}

impl Account {
    pub(crate) fn user_ref(&self, ix: UserIx) -> Value {
        user_thing(self.user(ix), "user_reference")
    }

    pub(crate) fn team_ref(&self, ix: TeamIx) -> Value {
        team_thing(self.team(ix), "team_reference")
    }

    pub(crate) fn service_ref(&self, ix: ServiceIx) -> Value {
        service_thing(self.service(ix), "service_reference")
    }

    pub(crate) fn policy_ref(&self, ix: PolicyIx) -> Value {
        policy_thing(self.policy(ix), "escalation_policy_reference")
    }

    pub(crate) fn schedule_ref(&self, ix: ScheduleIx) -> Value {
        let schedule = self.schedule(ix);
        let kind = match schedule.kind {
            Kind::Layers => "schedule_reference",
            Kind::Shifts => "schedule_v3_reference",
        };
        schedule_thing(schedule, kind)
    }

    /// Priorities have no page of their own.
    pub(crate) fn priority_ref(&self, ix: PriorityIx) -> Value {
        let priority = self.priority(ix);
        let self_ = format!("{API}/priorities/{}", priority.id);
        json!({"id": priority.id, "type": "priority_reference", "summary": priority.name, "self": self_})
    }

    /// Who did something; a time-out is the service's doing.
    pub(crate) fn agent_ref(&self, agent: Agent, service: ServiceIx) -> Value {
        match agent {
            Agent::User(user) => self.user_ref(user),
            Agent::Service(service) => self.service_ref(service),
            Agent::Timeout => self.service_ref(service),
        }
    }

    pub(crate) fn integration_ref(&self, ix: ServiceIx) -> Value {
        let service = self.service(ix);
        let place = format!("services/{}/integrations", service.id);
        let (kind, name) = account::integration(service.feed);
        thing(&service.integration, kind, name, &place, &place)
    }
}
