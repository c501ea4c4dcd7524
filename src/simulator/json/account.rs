//! People, teams, services, policies, priorities and schedules in full.

use serde_json::{Value, json};

use super::{
    super::{
        clock,
        world::{
            Account, PolicyIx, PriorityIx, ScheduleIx, ServiceIx, TeamIx, UserIx, World,
            account::{Feed, Layer, Maintenance, Target},
            slug,
        },
    },
    API, Includes, policy_thing, schedule_thing, service_thing, team_thing, user_thing, with,
};
use crate::core::incident::Status;

/// The type and name of a service's integration.
pub(crate) fn integration(feed: Feed) -> (&'static str, &'static str) {
    match feed {
        Feed::CloudWatch => ("aws_cloudwatch_inbound_integration_reference", "Amazon CloudWatch"),
        Feed::Prometheus => ("events_api_v2_inbound_integration_reference", "Prometheus"),
        Feed::Datadog => ("events_api_v2_inbound_integration_reference", "Datadog"),
        Feed::Nagios => ("nagios_inbound_integration_reference", "Nagios"),
        Feed::NewRelic => ("events_api_v2_inbound_integration_reference", "New Relic"),
        Feed::Email => ("generic_email_inbound_integration_reference", "Email Integration"),
    }
}

impl Account {
    pub(crate) fn user_json(&self, ix: UserIx, includes: &Includes) -> Value {
        let user = self.user(ix);
        let team = if includes.has("teams") { self.team_json(user.team) } else { self.team_ref(user.team) };
        let place = format!("{API}/users/{}", user.id);
        with(
            user_thing(user, "user"),
            json!({
                "name": user.name,
                "email": user.email,
                "time_zone": user.zone,
                "color": user.color,
                "role": user.role,
                "avatar_url": "https://pd-static-assets.pagerduty.com/users/blank-avatar.png",
                "description": format!("{}, invented", user.job_title),
                "invitation_sent": false,
                "job_title": user.job_title,
                "created_via_sso": false,
                "contact_methods": [{
                    "id": user.contact_method, "type": "email_contact_method_reference", "summary": "Default",
                    "self": format!("{place}/contact_methods/{}", user.contact_method), "html_url": null
                }],
                "notification_rules": [{
                    "id": user.notification_rule, "type": "assignment_notification_rule_reference", "summary": "Default",
                    "self": format!("{place}/notification_rules/{}", user.notification_rule), "html_url": null
                }],
                "teams": [team],
            }),
        )
    }

    pub(crate) fn team_json(&self, ix: TeamIx) -> Value {
        let team = self.team(ix);
        let more = json!({"name": team.name, "description": team.description, "default_role": "manager"});
        with(team_thing(team, "team"), more)
    }

    fn service_parts(&self, ix: ServiceIx, includes: &Includes) -> Value {
        let service = self.service(ix);
        let policy = if includes.has("escalation_policies") {
            self.policy_json(service.policy, &Includes::default())
        } else {
            self.policy_ref(service.policy)
        };
        let team = if includes.has("teams") { self.team_json(service.team) } else { self.team_ref(service.team) };
        with(
            service_thing(service, "service"),
            json!({
                "name": service.name,
                "description": format!(
                    "{} of the simulated account.\nRunbook: https://wiki.example.com/{}",
                    service.name,
                    slug(service.name)
                ),
                "auto_resolve_timeout": service.auto_resolve_timeout,
                "acknowledgement_timeout": service.acknowledgement_timeout,
                "created_at": clock::rest(service.created_at),
                "alert_creation": "create_alerts_and_incidents",
                "alert_grouping_parameters": {"type": "time", "config": {"timeout": 0}},
                "integrations": [self.integration_ref(ix)],
                "escalation_policy": policy,
                "teams": [team],
                "incident_urgency_rule": {
                    "type": "use_support_hours",
                    "during_support_hours": {"type": "constant", "urgency": "high"},
                    "outside_support_hours": {"type": "constant", "urgency": "high"}
                },
                "support_hours": {
                    "type": "fixed_time_per_day", "time_zone": self.zone, "start_time": "09:00:00",
                    "end_time": "17:00:00", "days_of_week": [1, 2, 3, 4, 5]
                },
                "scheduled_actions": [{
                    "type": "urgency_change", "at": {"type": "named_time", "name": "support_hours_start"},
                    "to_urgency": "high"
                }],
                "auto_pause_notifications_parameters": {"enabled": false, "timeout": 120},
            }),
        )
    }

    pub(crate) fn policy_json(&self, ix: PolicyIx, includes: &Includes) -> Value {
        let policy = self.policy(ix);
        let target = |target: &Target| match (*target, includes.has("targets")) {
            (Target::User(user), false) => self.user_ref(user),
            (Target::User(user), true) => self.user_json(user, &Includes::default()),
            (Target::Schedule(schedule), false) => self.schedule_ref(schedule),
            (Target::Schedule(schedule), true) => self.schedule_json(schedule),
        };
        let rules: Vec<Value> = policy
            .rules
            .iter()
            .map(|rule| {
                let targets: Vec<Value> = rule.targets.iter().map(target).collect();
                json!({"id": rule.id, "escalation_delay_in_minutes": rule.delay_minutes, "targets": targets})
            })
            .collect();
        let served = (0..self.services.len()).map(ServiceIx).filter(|s| self.service(*s).policy == ix);
        let services: Vec<Value> = served.map(|s| self.service_ref(s)).collect();
        let team = if includes.has("teams") { self.team_json(policy.team) } else { self.team_ref(policy.team) };
        with(
            policy_thing(policy, "escalation_policy"),
            json!({
                "name": policy.name,
                "description": policy.description,
                "on_call_handoff_notifications": "if_has_services",
                "escalation_rules": rules,
                "services": services,
                "num_loops": policy.loops,
                "teams": [team],
            }),
        )
    }

    pub(crate) fn priority_json(&self, ix: PriorityIx) -> Value {
        let priority = self.priority(ix);
        let more = json!({"type": "priority", "name": priority.name, "description": priority.description});
        with(self.priority_ref(ix), more)
    }

    /// Without anything rendered: that needs a window.
    pub(crate) fn schedule_json(&self, ix: ScheduleIx) -> Value {
        let schedule = self.schedule(ix);
        let uses = |p: &PolicyIx| self.policy(*p).rules.iter().any(|rule| rule.targets.contains(&Target::Schedule(ix)));
        let policies: Vec<Value> =
            (0..self.policies.len()).map(PolicyIx).filter(uses).map(|p| self.policy_ref(p)).collect();
        let mut members: Vec<UserIx> = schedule.layers.iter().flat_map(|l| l.users.iter().copied()).collect();
        members.sort_unstable();
        members.dedup();
        let people: Vec<Value> = members.into_iter().map(|u| self.user_ref(u)).collect();
        with(
            schedule_thing(schedule, "schedule"),
            json!({
                "name": schedule.name,
                "time_zone": schedule.zone,
                "description": schedule.description,
                "users": people,
                "teams": [self.team_ref(schedule.team)],
                "escalation_policies": policies,
            }),
        )
    }

    /// A layer's rules, without rendered entries; its times are written by `write`.
    pub(crate) fn layer_json(&self, layer: &Layer, write: &dyn Fn(jiff::Timestamp) -> String) -> Value {
        let users: Vec<Value> = layer.users.iter().map(|u| json!({"user": self.user_ref(*u)})).collect();
        let restriction = layer.daily.map(|daily| {
            json!({
                "type": "daily_restriction",
                "start_time_of_day": daily.from.strftime("%H:%M:%S").to_string(),
                "duration_seconds": daily.seconds
            })
        });
        json!({
            "id": layer.id,
            "name": layer.name,
            "start": write(layer.start),
            "end": null,
            "rotation_virtual_start": write(layer.start),
            "rotation_turn_length_seconds": layer.turn_seconds,
            "users": users,
            "restrictions": Vec::from_iter(restriction),
        })
    }
}

impl World {
    /// A service's status says how its open incidents stand.
    pub(crate) fn service_json(&self, ix: ServiceIx, includes: &Includes) -> Value {
        let open = || self.open().map(|i| self.incident(i)).filter(|i| i.service == ix);
        let status = match open().find(|i| i.status == Status::Triggered) {
            Some(_) => "critical",
            None if open().next().is_some() => "warning",
            None => "active",
        };
        let last = self.latest_of(ix).map(clock::rest);
        with(self.account.service_parts(ix, includes), json!({"status": status, "last_incident_timestamp": last}))
    }

    /// The same, with a word for maintenance.
    pub(crate) fn service_now(&self, ix: ServiceIx, includes: &Includes, now: jiff::Timestamp) -> Value {
        let runs = |one: &Maintenance| one.services.contains(&ix) && one.start <= now && now < one.end;
        let mut service = self.service_json(ix, includes);
        if self.account.maintenance.iter().any(runs) {
            service["status"] = json!("maintenance");
        }
        service
    }
}
