//! The names of events that are known, for whoever has to choose some. The set stays open: others can be asked for too.

use super::EventType;
use crate::core::query::nearest;

/// What an event with a shared name is, in a few words.
pub fn meaning(name: &str) -> &'static str {
    match name {
        EventType::CREATED => "it was triggered",
        EventType::ACKNOWLEDGED | EventType::RESOLVED => "the first time",
        EventType::REJECTED | EventType::DROPPED => "never at PagerDuty",
        EventType::TIMEOUT => "it was escalated",
        EventType::HANDOFF => "it has other assignees",
        _ => "",
    }
}

/// What providers call events that are told under a shared name, and that name.
const TOLD_AS: [(&str, &str); 4] = [
    ("incident.triggered", EventType::CREATED),
    ("incident.reassigned", EventType::HANDOFF),
    ("incident.delegated", EventType::HANDOFF),
    ("incident.escalated", EventType::TIMEOUT),
];

/// What `PagerDuty` tells of incidents beside the shared names, under its own.
pub const OWN: [&str; 14] = [
    "incident.annotated",
    "incident.conference_bridge.updated",
    "incident.custom_field_values.updated",
    "incident.incident_type.changed",
    "incident.priority_updated",
    "incident.reopened",
    "incident.responder.added",
    "incident.responder.replied",
    "incident.role.assigned",
    "incident.service_updated",
    "incident.status_update_published",
    "incident.unacknowledged",
    "incident.workflow.completed",
    "incident.workflow.started",
];

/// Why an event by this name will hardly come; `None`: it is a known one.
pub fn doubt(event: &EventType) -> Option<String> {
    let name = event.as_str();
    if let Some((_, shared)) = TOLD_AS.iter().find(|(own, _)| *own == name) {
        return Some(format!("`{name}` is told as `{shared}`"));
    }
    let known: Vec<&str> = EventType::SHARED.into_iter().chain(OWN).collect();
    if known.contains(&name) {
        return None;
    }
    let near = nearest(name, &known).map(|near| format!(", perhaps `{near}`"));
    Some(format!("`{name}` is no event that is known here{}", near.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_will_hardly_come_is_told_with_the_one_that_was_meant() {
        let said = |name: &str| doubt(&EventType::new(name).expect("name"));

        assert_eq!(said("incident.created"), None);
        assert_eq!(said("incident.annotated"), None);
        assert_eq!(said("incident.triggered").as_deref(), Some("`incident.triggered` is told as `incident.created`"));
        let near = "`incident.create` is no event that is known here, perhaps `incident.created`";
        assert_eq!(said("incident.create").as_deref(), Some(near));
        assert!(said("zzz").expect("doubt").ends_with("known here"));
        assert!(EventType::SHARED.iter().all(|name| !meaning(name).is_empty()));
    }
}
