//! Events that go out: what a script or a person tells the provider of, to open, acknowledge or resolve an alert, or
//! to put a change on record. The fields are those of `PagerDuty`'s Events API v2.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventAction {
    Trigger,
    Acknowledge,
    Resolve,
    /// Puts a change on record; it pages nobody.
    Change,
}

impl EventAction {
    pub fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
            Self::Change => "change",
        }
    }
}

/// How bad it is, as the sender sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Critical,
    Error,
    Warning,
    Info,
}

/// A web address with what to call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub href: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// An event as it is kept until it is sent. Texts are as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub action: EventAction,
    /// By which the alert is known; at most 255 characters. An event for a change has none.
    pub dedup_key: String,
    /// At most 1024 characters; of a trigger or a change only, like all that follow.
    pub summary: String,
    /// The machine or program it is about.
    pub source: String,
    pub severity: Severity,
    pub at: Timestamp,
    pub component: Option<String>,
    pub group: Option<String>,
    pub class: Option<String>,
    pub custom_details: BTreeMap<String, Value>,
    pub links: Vec<Link>,
    /// Addresses of pictures, `https` only.
    pub images: Vec<String>,
    /// The monitoring that it comes from, and its address.
    pub client: Option<Link>,
}

const LONGEST_SUMMARY: usize = 1024;
const LONGEST_KEY: usize = 255;
/// The provider refuses larger requests; the rest of the request needs some room too.
const LARGEST: usize = 500 * 1024;

impl Event {
    /// What the provider would refuse, in words for whoever wrote it.
    pub fn objection(&self) -> Option<String> {
        let told = matches!(self.action, EventAction::Trigger | EventAction::Change);
        let keyed = self.action != EventAction::Change;
        let insecure = self.images.iter().find(|image| !image.starts_with("https://"));
        let length = |text: &str| text.chars().count();
        if told && self.summary.trim().is_empty() {
            return Some("the summary is empty".to_owned());
        }
        if length(&self.summary) > LONGEST_SUMMARY {
            let given = length(&self.summary);
            return Some(format!("the summary has {given} characters, at most {LONGEST_SUMMARY} are taken"));
        }
        if keyed && self.dedup_key.is_empty() {
            return Some(format!("{} needs the dedup key of the alert", self.action.word()));
        }
        if length(&self.dedup_key) > LONGEST_KEY {
            return Some(format!("the dedup key is longer than {LONGEST_KEY} characters"));
        }
        if let Some(image) = insecure {
            return Some(format!("an image must be at an https address, not {image:?}"));
        }
        let size = serde_json::to_vec(self).map_or(usize::MAX, |text| text.len());
        (size > LARGEST).then(|| format!("the event has {} KiB, at most {} are taken", size / 1024, LARGEST / 1024))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn event(action: EventAction) -> Event {
        Event {
            action,
            dedup_key: if action == EventAction::Change { String::new() } else { "disk/db-3".to_owned() },
            summary: "disk full".to_owned(),
            source: "db-3".to_owned(),
            severity: Severity::Critical,
            at: Timestamp::UNIX_EPOCH,
            component: None,
            group: None,
            class: None,
            custom_details: BTreeMap::from([("free".to_owned(), Value::from(3))]),
            links: vec![],
            images: vec![],
            client: None,
        }
    }

    #[test]
    fn what_the_provider_would_refuse_is_refused_at_once_and_says_why() {
        use EventAction::{Acknowledge, Change, Trigger};
        let fine = [event(Trigger), event(Acknowledge), event(Change)];
        assert!(fine.iter().all(|event| event.objection().is_none()));
        for (bad, why) in [
            (Event { summary: " ".into(), ..event(Trigger) }, "summary is empty"),
            (Event { summary: "x".repeat(1025), ..event(Change) }, "1025 characters"),
            (Event { dedup_key: String::new(), ..event(Acknowledge) }, "needs the dedup key"),
            (Event { dedup_key: "x".repeat(256), ..event(Trigger) }, "longer than 255"),
            (Event { images: vec!["http://x/y.png".into()], ..event(Trigger) }, "https"),
            (
                Event { custom_details: [("log".into(), "x".repeat(600 * 1024).into())].into(), ..event(Trigger) },
                "at most 500",
            ),
        ] {
            let said = bad.objection().unwrap_or_default();
            assert!(said.contains(why), "{why}: {said}");
        }
    }
}
