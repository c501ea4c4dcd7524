//! Sample deliveries, one of each event type, with made-up names: what a template is tried on where nothing came in.

/// Name (the event type) and body of each, in the order of [`SAMPLES`](crate::core::template::SAMPLES).
const BODIES: &[(&str, &str)] = &[
    ("incident.acknowledged", include_str!("../../assets/samples/incident.acknowledged.json")),
    (
        "incident.action_invocation.created",
        include_str!("../../assets/samples/incident.action_invocation.created.json"),
    ),
    (
        "incident.action_invocation.terminated",
        include_str!("../../assets/samples/incident.action_invocation.terminated.json"),
    ),
    (
        "incident.action_invocation.updated",
        include_str!("../../assets/samples/incident.action_invocation.updated.json"),
    ),
    ("incident.annotated", include_str!("../../assets/samples/incident.annotated.json")),
    (
        "incident.conference_bridge.updated",
        include_str!("../../assets/samples/incident.conference_bridge.updated.json"),
    ),
    (
        "incident.custom_field_values.updated",
        include_str!("../../assets/samples/incident.custom_field_values.updated.json"),
    ),
    ("incident.delegated", include_str!("../../assets/samples/incident.delegated.json")),
    ("incident.escalated", include_str!("../../assets/samples/incident.escalated.json")),
    ("incident.incident_type.changed", include_str!("../../assets/samples/incident.incident_type.changed.json")),
    ("incident.priority_updated", include_str!("../../assets/samples/incident.priority_updated.json")),
    ("incident.reassigned", include_str!("../../assets/samples/incident.reassigned.json")),
    ("incident.reopened", include_str!("../../assets/samples/incident.reopened.json")),
    ("incident.resolved", include_str!("../../assets/samples/incident.resolved.json")),
    ("incident.responder.added", include_str!("../../assets/samples/incident.responder.added.json")),
    ("incident.responder.replied", include_str!("../../assets/samples/incident.responder.replied.json")),
    ("incident.role.assigned", include_str!("../../assets/samples/incident.role.assigned.json")),
    ("incident.service_updated", include_str!("../../assets/samples/incident.service_updated.json")),
    ("incident.status_update_published", include_str!("../../assets/samples/incident.status_update_published.json")),
    ("incident.task.completed", include_str!("../../assets/samples/incident.task.completed.json")),
    ("incident.task.created", include_str!("../../assets/samples/incident.task.created.json")),
    ("incident.task.updated", include_str!("../../assets/samples/incident.task.updated.json")),
    ("incident.triggered", include_str!("../../assets/samples/incident.triggered.json")),
    ("incident.unacknowledged", include_str!("../../assets/samples/incident.unacknowledged.json")),
    ("incident.workflow.completed", include_str!("../../assets/samples/incident.workflow.completed.json")),
    ("incident.workflow.started", include_str!("../../assets/samples/incident.workflow.started.json")),
    ("pagey.ping", include_str!("../../assets/samples/pagey.ping.json")),
    ("service.created", include_str!("../../assets/samples/service.created.json")),
    (
        "service.custom_field_values.updated",
        include_str!("../../assets/samples/service.custom_field_values.updated.json"),
    ),
    ("service.deleted", include_str!("../../assets/samples/service.deleted.json")),
    ("service.updated", include_str!("../../assets/samples/service.updated.json")),
];

/// All samples: the event type, and the body of a delivery of it.
pub fn samples() -> impl Iterator<Item = (&'static str, &'static str)> {
    BODIES.iter().copied()
}

/// The body of the sample of this event type.
pub fn sample(event_type: &str) -> Option<&'static str> {
    BODIES.iter().find(|(known, _)| *known == event_type).map(|(_, body)| *body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::template::{SAMPLES, USUAL_SAMPLE};

    #[test]
    fn there_is_a_sample_of_each_event_type_and_each_says_so_itself() {
        let names: Vec<_> = samples().map(|(name, _)| name).collect();
        assert_eq!(names, SAMPLES);
        assert!(sample(USUAL_SAMPLE).is_some() && sample("no.such.event").is_none());
        for (name, body) in samples() {
            let body: serde_json::Value = serde_json::from_str(body).expect(name);
            assert_eq!(body["event"]["event_type"], name);
            assert!(body["event"]["data"]["type"].is_string(), "{name}");
        }
    }
}
