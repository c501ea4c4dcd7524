//! What can be asked for. Texts are as typed: clean them ([`Shown::line`]) before showing them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Assignee, Step};
use crate::core::{
    arrangement::Arrangement,
    id::{AlertId, FieldId, IncidentKey, PriorityId, ServiceId, WorkflowId},
    incident::{Named, Status, Urgency},
    text::Shown,
};

/// `PagerDuty` takes 1 s to a week.
pub const LONGEST_SNOOZE: Duration = Duration::from_hours(7 * 24);
/// Longer titles are cut by `PagerDuty` or refused; its own events take no more.
const LONGEST_TITLE: usize = 1024;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Acknowledge,
    Resolve {
        note: Option<String>,
    },
    HandOff {
        to: Assignee,
        note: Option<String>,
    },
    Note {
        text: String,
    },
    /// Quiet until then; what is triggered is acknowledged first, as only that can be snoozed.
    Snooze {
        until: Timestamp,
    },
    /// To this level of its escalation policy, counted from 1.
    Escalate {
        level: u32,
    },
    /// Each becomes a part of `into` and is resolved thereby.
    Merge {
        into: IncidentKey,
        /// The name of `into` in prompts and log.
        name: Shown,
    },
    Edit(Edit),
    /// Asks people to join in; the assignees stay.
    AddResponders {
        to: Vec<Assignee>,
        message: String,
    },
    /// Goes to those who follow the incident, by e-mail.
    StatusUpdate {
        message: String,
    },
    RunWorkflow {
        workflow: Named<WorkflowId>,
    },
    /// One of the incident's alerts.
    ResolveAlert {
        alert: Named<AlertId>,
    },
    /// Something new; it has no target.
    Create(Box<NewIncident>),
    /// On something other than incidents; it has no target either.
    Arrange(Box<Arrangement>),
}

/// One change to what an incident says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    Title(String),
    Urgency(Urgency),
    /// `None`: no priority.
    Priority(Option<Named<PriorityId>>),
    /// An empty value removes it.
    Field {
        field: Field,
        value: String,
    },
}

/// A custom field of incidents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub id: FieldId,
    pub name: Shown,
    pub kind: FieldKind,
    /// What it holds now, as text; several values are separated by commas.
    pub value: Shown,
}

/// What a custom field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    Integer,
    Number,
    Boolean,
    /// Several texts.
    List,
}

/// An incident to be made by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewIncident {
    pub service: Named<ServiceId>,
    pub title: String,
    pub urgency: Urgency,
    pub details: Option<String>,
    /// Made up by us, so that it can be looked up whether it was created; one key is created once.
    pub dedup_key: String,
}

impl Verb {
    /// The word for it in prompts, commands and the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Resolve { .. } => "resolve",
            Self::HandOff { .. } => "hand off",
            Self::Note { .. } => "note",
            Self::Snooze { .. } => "snooze",
            Self::Escalate { .. } => "escalate",
            Self::Merge { .. } => "merge",
            Self::Edit(Edit::Title(_)) => "set title",
            Self::Edit(Edit::Urgency(_)) => "set urgency",
            Self::Edit(Edit::Priority(_)) => "set priority",
            Self::Edit(Edit::Field { .. }) => "set field",
            Self::AddResponders { .. } => "add responders",
            Self::StatusUpdate { .. } => "status update",
            Self::RunWorkflow { .. } => "run workflow",
            Self::ResolveAlert { .. } => "resolve alert",
            Self::Create(_) => "create",
            Self::Arrange(what) => what.word(),
        }
    }

    /// The requests that it takes on an incident of this status, in order.
    pub fn steps(&self, status: Status) -> Vec<Step> {
        let note = |text: &Option<String>| text.clone().map(Step::Note);
        match self.clone() {
            Self::Acknowledge => vec![Step::Acknowledge],
            Self::Resolve { note: text } if status == Status::Resolved => note(&text).into_iter().collect(),
            Self::Resolve { note: text } => [Step::Resolve].into_iter().chain(note(&text)).collect(),
            Self::HandOff { to, note: text } => [Step::Assign(to)].into_iter().chain(note(&text)).collect(),
            Self::Note { text } => vec![Step::Note(text)],
            Self::Snooze { until } if status == Status::Triggered => vec![Step::Acknowledge, Step::Snooze(until)],
            Self::Snooze { until } => vec![Step::Snooze(until)],
            Self::Escalate { level } => vec![Step::Escalate(level)],
            Self::Merge { into, .. } => vec![Step::MergeInto(into.id)],
            Self::Edit(edit) => vec![Step::Edit(edit)],
            Self::AddResponders { to, message } => vec![Step::AddResponders { to, message }],
            Self::StatusUpdate { message } => vec![Step::StatusUpdate(message)],
            Self::RunWorkflow { workflow } => vec![Step::RunWorkflow(workflow.id)],
            Self::ResolveAlert { alert } => vec![Step::ResolveAlert(alert.id)],
            Self::Create(_) | Self::Arrange(_) => vec![],
        }
    }

    /// What in it cannot be, before anybody is asked; `now` is the time to snooze from.
    pub fn objection(&self, now: Timestamp) -> Option<String> {
        match self {
            Self::Note { text } if text.trim().is_empty() => Some("the note is empty".to_owned()),
            Self::StatusUpdate { message } if message.trim().is_empty() => {
                Some("the status update is empty".to_owned())
            }
            Self::Edit(Edit::Title(title)) => bad_title(title),
            Self::Create(new) => bad_title(&new.title),
            Self::AddResponders { to, .. } if to.is_empty() => Some("nobody is named to respond".to_owned()),
            Self::Escalate { level: 0 } => Some("levels are counted from 1".to_owned()),
            Self::Snooze { until } => {
                let length = until.duration_since(now);
                let longest = SignedDuration::try_from(LONGEST_SNOOZE).unwrap_or(SignedDuration::MAX);
                let fits = length >= SignedDuration::from_secs(1) && length <= longest;
                (!fits).then(|| "a snooze lasts from 1 second to 7 days".to_owned())
            }
            Self::Edit(Edit::Field { field, value }) => field.objection(value),
            _ => None,
        }
    }
}

fn bad_title(title: &str) -> Option<String> {
    match title.trim().chars().count() {
        0 => Some("the title is empty".to_owned()),
        1..=LONGEST_TITLE => None,
        more => Some(format!("the title has {more} characters, at most {LONGEST_TITLE} are taken")),
    }
}

impl Field {
    fn objection(&self, value: &str) -> Option<String> {
        let value = value.trim();
        let fits = value.is_empty()
            || match self.kind {
                FieldKind::Text | FieldKind::List => true,
                FieldKind::Integer => value.parse::<i64>().is_ok(),
                FieldKind::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
                FieldKind::Boolean => matches!(value, "true" | "false"),
            };
        (!fits).then(|| format!("{} takes {}, not {value:?}", self.name, self.kind.word()))
    }
}

impl FieldKind {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "texts separated by commas",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn field(kind: FieldKind) -> Field {
        Field { id: FieldId::new("F1").expect("id"), name: "Region".into(), kind, value: Shown::default() }
    }

    #[test]
    fn what_is_triggered_is_acknowledged_before_it_is_snoozed() {
        let until = Timestamp::UNIX_EPOCH;
        let snooze = Verb::Snooze { until };
        assert_eq!(snooze.steps(Status::Triggered), [Step::Acknowledge, Step::Snooze(until)]);
        assert_eq!(snooze.steps(Status::Acknowledged), [Step::Snooze(until)]);
    }

    #[test]
    fn a_snooze_is_as_long_as_the_provider_takes() {
        let now = Timestamp::UNIX_EPOCH;
        let refused = |length| Verb::Snooze { until: now + length }.objection(now).is_some();
        assert!(refused(-HOUR) && refused(SignedDuration::ZERO) && refused(HOUR * 169));
        assert!(!refused(SignedDuration::from_secs(1)) && !refused(HOUR * 168));
    }

    #[test]
    fn an_empty_text_is_refused_and_so_is_a_value_that_the_field_does_not_take() {
        let now = Timestamp::UNIX_EPOCH;
        let refused = |verb: Verb| verb.objection(now).is_some();
        assert!(refused(Verb::Note { text: " \n".into() }));
        assert!(refused(Verb::Edit(Edit::Title(" ".into()))));
        assert!(refused(Verb::AddResponders { to: vec![], message: String::new() }));
        for (kind, good, bad) in
            [(FieldKind::Integer, "-3", "3.5"), (FieldKind::Number, "3.5", "NaN"), (FieldKind::Boolean, "false", "no")]
        {
            let edit = |value: &str| Verb::Edit(Edit::Field { field: field(kind), value: value.into() });
            assert!(!refused(edit(good)) && !refused(edit("")) && refused(edit(bad)), "{kind:?}");
        }
    }
}
