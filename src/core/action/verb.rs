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
/// The longest text that somebody writes for an action, in characters: every console is told of it.
pub const LONGEST_TEXT: usize = 25_000;

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

    /// What it changes beside each incident that it is for.
    pub fn also_changes(&self) -> Option<&IncidentKey> {
        match self {
            Self::Merge { into, .. } => Some(into),
            _ => None,
        }
    }

    /// What in it cannot be, before anybody is asked; `now` is the time to snooze from.
    pub fn objection(&self, now: Timestamp) -> Option<String> {
        if let Some(too_long) = self.text().and_then(|(name, text)| too_long(name, text, LONGEST_TEXT)) {
            return Some(too_long);
        }
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

    /// The text that somebody wrote for it, beside a title, and what it is called.
    fn text(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Note { text: note } | Self::Resolve { note: Some(note) } | Self::HandOff { note: Some(note), .. } => {
                Some(("the note", note))
            }
            Self::StatusUpdate { message } => Some(("the status update", message)),
            Self::AddResponders { message, .. } => Some(("the message to responders", message)),
            Self::Edit(Edit::Field { value, .. }) => Some(("the value of the field", value)),
            Self::Create(new) => new.details.as_deref().map(|details| ("the text of details", details)),
            Self::Acknowledge
            | Self::Resolve { note: None }
            | Self::HandOff { note: None, .. }
            | Self::Snooze { .. }
            | Self::Escalate { .. }
            | Self::Merge { .. }
            | Self::Edit(Edit::Title(_) | Edit::Urgency(_) | Edit::Priority(_))
            | Self::RunWorkflow { .. }
            | Self::ResolveAlert { .. }
            | Self::Arrange(_) => None,
        }
    }

    /// The same without what is too long of its text: of an action from before texts had a bound.
    #[must_use]
    pub fn cut(mut self) -> Self {
        let text = match &mut self {
            Self::Note { text: note } | Self::Resolve { note: Some(note) } | Self::HandOff { note: Some(note), .. } => {
                note
            }
            Self::StatusUpdate { message } | Self::AddResponders { message, .. } => message,
            Self::Edit(Edit::Field { value, .. } | Edit::Title(value)) => value,
            Self::Create(new) => match &mut new.details {
                Some(details) => details,
                None => return self,
            },
            _ => return self,
        };
        if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
            text.truncate(end);
            text.shrink_to_fit();
        }
        self
    }
}

fn bad_title(title: &str) -> Option<String> {
    let title = title.trim();
    if title.is_empty() { Some("the title is empty".to_owned()) } else { too_long("the title", title, LONGEST_TITLE) }
}

fn too_long(name: &str, text: &str, most: usize) -> Option<String> {
    let length = text.chars().count();
    (length > most).then(|| format!("{name} has {length} characters, at most {most} are taken"))
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

    /// Every verb with this text in it.
    fn saying(text: &str) -> Vec<Verb> {
        let (note, message) = (Some(text.to_owned()), text.to_owned());
        let user = |id: &str| Named { id: crate::core::id::UserId::new(id).expect("id"), name: id.into() };
        let service = Named { id: ServiceId::new("S1").expect("id"), name: "Checkout".into() };
        let title = "down".to_owned();
        let new = NewIncident { service, title, urgency: Urgency::High, details: note.clone(), dedup_key: "k".into() };
        vec![
            Verb::Note { text: message.clone() },
            Verb::Resolve { note: note.clone() },
            Verb::HandOff { to: Assignee::User(user("U1")), note },
            Verb::StatusUpdate { message: message.clone() },
            Verb::AddResponders { to: vec![Assignee::User(user("U1"))], message: message.clone() },
            Verb::Edit(Edit::Field { field: field(FieldKind::Text), value: message }),
            Verb::Create(Box::new(new)),
        ]
    }

    #[test]
    fn a_text_has_a_bound_which_is_named_and_what_was_kept_of_a_longer_one_is_cut_to_it() {
        let now = Timestamp::UNIX_EPOCH;
        let (fits, longer) = ("ä".repeat(LONGEST_TEXT), "ä".repeat(LONGEST_TEXT + 1));

        for (right, wrong) in saying(&fits).into_iter().zip(saying(&longer)) {
            assert_eq!(right.objection(now), None, "{}", right.word());
            let said = wrong.objection(now).unwrap_or_default();
            assert!(said.contains("has 25001 characters, at most 25000 are taken"), "{}: {said}", wrong.word());
            assert_eq!(wrong.cut(), right.clone());
            assert_eq!(right.clone().cut(), right);
        }
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
