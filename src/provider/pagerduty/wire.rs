//! What `PagerDuty` sends, as it sends it. Nothing but ids is required, and even those are checked later:
//! arrays that "are never null" arrive as null, numbers as strings, and new values at any time.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::lenient;

/// A time as query parameters want it: UTC, whole seconds.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A reference, or the whole object in its place.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    /// Made for labels.
    #[serde(deserialize_with = "lenient::text")]
    pub(super) summary: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) email: Option<String>,
}

/// An incident of the REST API or of a webhook: what only one of them has is absent in the other.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Incident {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) urgency: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) title: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) summary: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) html_url: Option<String>,
    #[serde(rename = "incident_key", deserialize_with = "lenient::text")]
    pub(super) dedup_key: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) created_at: Option<Timestamp>,
    /// An object, or only its name.
    pub(super) priority: Value,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) service: Option<Reference>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) escalation_policy: Option<Reference>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) teams: Vec<Reference>,

    /// Webhooks only.
    #[serde(rename = "number", deserialize_with = "lenient::count")]
    pub(super) pushed_number: Option<u64>,
    /// Webhooks only.
    #[serde(deserialize_with = "lenient::list")]
    pub(super) assignees: Vec<Reference>,

    /// REST only, like all that follow.
    #[serde(rename = "incident_number", deserialize_with = "lenient::count")]
    pub(super) number: Option<u64>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) assignments: Vec<Assignment>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) assigned_via: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) updated_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) last_status_change_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) last_status_change_by: Option<Reference>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) acknowledgements: Vec<Acknowledgement>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) pending_actions: Vec<PendingAction>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) alert_counts: Option<AlertCounts>,
    /// Null unless it was merged into another.
    pub(super) resolve_reason: Value,
    /// Only where it was asked for.
    #[serde(deserialize_with = "lenient::part")]
    pub(super) conference_bridge: Option<Bridge>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bridge {
    /// Sometimes a number.
    #[serde(deserialize_with = "lenient::text")]
    pub(super) conference_number: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) conference_url: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Assignment {
    #[serde(deserialize_with = "lenient::time")]
    pub(super) at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) assignee: Option<Reference>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Acknowledgement {
    #[serde(deserialize_with = "lenient::time")]
    pub(super) at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) acknowledger: Option<Reference>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PendingAction {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlertCounts {
    #[serde(deserialize_with = "lenient::count")]
    pub(super) all: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    pub(super) triggered: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Alert {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) summary: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) severity: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) html_url: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) created_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) body: Option<AlertBody>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlertBody {
    /// An object or plain text.
    pub(super) details: Value,
    /// The fields of an event in common event format, where `details` is absent.
    pub(super) cef_details: Value,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) contexts: Vec<Link>,
}

/// A link or an image, of an alert or of a change.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) href: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) src: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) text: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) alt: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    #[serde(deserialize_with = "lenient::part")]
    pub(super) user: Option<Reference>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) content: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) created_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogEntry {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) incident: Option<Reference>,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) summary: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) created_at: Option<Timestamp>,
    /// Who did it: a reference.
    pub(super) agent: Value,
    /// Of any form; only `type` is promised.
    pub(super) channel: Value,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) event_details: Option<EventDetails>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) contexts: Vec<Link>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventDetails {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) description: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OnCall {
    #[serde(deserialize_with = "lenient::part")]
    pub(super) user: Option<Reference>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) schedule: Option<Reference>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) escalation_policy: Option<Reference>,
    #[serde(deserialize_with = "lenient::count")]
    pub(super) escalation_level: Option<u64>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) start: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) end: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Schedule {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) summary: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) time_zone: Option<String>,
    #[serde(rename = "final_schedule", deserialize_with = "lenient::part")]
    pub(super) resulting: Option<Rendered>,
    #[serde(rename = "overrides_subschedule", deserialize_with = "lenient::part")]
    pub(super) overrides: Option<Rendered>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Rendered {
    #[serde(deserialize_with = "lenient::list")]
    pub(super) rendered_schedule_entries: Vec<Entry>,
    /// Null when nothing was rendered.
    pub(super) rendered_coverage_percentage: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    #[serde(deserialize_with = "lenient::time")]
    pub(super) start: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) end: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) user: Option<Reference>,
}

/// A webhook's body.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound = "D: Deserialize<'de>")]
pub(super) struct Body<D> {
    #[serde(default = "nothing", deserialize_with = "lenient::part")]
    pub(super) event: Option<Event<D>>,
}

/// `event` of a webhook's body.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound = "D: Deserialize<'de>")]
pub(super) struct Event<D> {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    #[serde(default, rename = "event_type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(super) occurred_at: Option<Timestamp>,
    /// First read as what all have in common, then by its `type`.
    #[serde(default = "nothing", deserialize_with = "lenient::part")]
    pub(super) data: Option<D>,
}

fn nothing<T>() -> Option<T> {
    None
}

/// What webhooks' `data` have in common, whatever their `type`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Subject {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) incident: Option<Reference>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) incident_role_assignments: Vec<RoleAssignment>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) content: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) message: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) summary: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RoleAssignment {
    #[serde(deserialize_with = "lenient::part")]
    pub(super) incident: Option<Reference>,
}

/// One of the past or related incidents.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Similar {
    #[serde(deserialize_with = "lenient::part")]
    pub(super) incident: Option<Incident>,
    pub(super) score: Value,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) relationships: Vec<Relationship>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Relationship {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    /// Of another form for each type.
    pub(super) metadata: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Outlier {
    #[serde(deserialize_with = "lenient::part")]
    pub(super) incident: Option<OutlierIncident>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) incident_template: Option<OutlierPattern>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OutlierIncident {
    #[serde(deserialize_with = "lenient::part")]
    pub(super) occurrence: Option<Occurrence>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OutlierPattern {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) mined_text: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Occurrence {
    #[serde(deserialize_with = "lenient::count")]
    pub(super) count: Option<u64>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) category: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) since: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) until: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChangeEvent {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) summary: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) source: Option<String>,
    pub(super) custom_details: Value,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) links: Vec<Link>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) images: Vec<Link>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) correlation_reason: Option<Correlation>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Correlation {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) reason: Option<String>,
}

/// A business service, or one of the account's own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) summary: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) description: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) html_url: Option<String>,
}
