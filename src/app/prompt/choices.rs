//! What can be chosen from in a prompt, and what each choice means. What only the provider knows is asked for.

use jiff::{SignedDuration, Timestamp};

use super::{Aim, Wish};
use crate::{
    app::Model,
    core::{
        action::{Assignee, Edit, Field, NewIncident, Verb},
        board::AccountBoard,
        choices::{Choices, ChoicesOf},
        freshness::{Sight, Standing},
        id::{AlertId, IncidentKey, PriorityId, ServiceId, WorkflowId},
        incident::{Named, Urgency},
        query::Clock,
        span,
        text::Shown,
        words::{ago, moment},
    },
};

/// One line of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub name: String,
    /// What else is to be known.
    pub about: String,
    pub means: Means,
}

/// What it is that is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    HandOff(Assignee),
    SnoozeUntil(Timestamp),
    Escalate(u32),
    MergeInto(IncidentKey),
    Title(Shown),
    Urgency(Urgency),
    Priority(Option<Named<PriorityId>>),
    Field(Field),
    Responder(Assignee),
    Workflow(Named<WorkflowId>),
    Alert(Named<AlertId>),
    /// The service of a new incident.
    Service(Named<ServiceId>),
}

/// A text that goes with a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    None,
    May(&'static str),
    Must(&'static str),
}

impl Means {
    /// Which text goes with it.
    pub fn words(&self) -> Words {
        match self {
            Self::HandOff(_) => Words::May("note"),
            Self::Responder(_) => Words::May("message"),
            Self::Title(_) | Self::Service(_) => Words::Must("title"),
            Self::Field(_) => Words::May("value"),
            _ => Words::None,
        }
    }

    /// What stands in the text before it is changed.
    pub(super) fn first_words(&self) -> &str {
        match self {
            Self::Title(title) => title.as_str(),
            Self::Field(field) => field.value.as_str(),
            _ => "",
        }
    }

    /// What is to be done, with the text that goes with it.
    pub(super) fn verb(&self, name: &str, words: &str) -> Verb {
        let text = words.trim().to_owned();
        match self.clone() {
            Self::HandOff(to) => Verb::HandOff { to, note: Some(text).filter(|note| !note.is_empty()) },
            Self::SnoozeUntil(until) => Verb::Snooze { until },
            Self::Escalate(level) => Verb::Escalate { level },
            Self::MergeInto(into) => Verb::Merge { into, name: Shown::line(name) },
            Self::Title(_) => Verb::Edit(Edit::Title(text)),
            Self::Urgency(urgency) => Verb::Edit(Edit::Urgency(urgency)),
            Self::Priority(priority) => Verb::Edit(Edit::Priority(priority)),
            Self::Field(field) => Verb::Edit(Edit::Field { field, value: text }),
            Self::Responder(to) => Verb::AddResponders { to: vec![to], message: text },
            Self::Workflow(workflow) => Verb::RunWorkflow { workflow },
            Self::Alert(alert) => Verb::ResolveAlert { alert },
            Self::Service(service) => Verb::Create(Box::new(NewIncident {
                service,
                title: text,
                urgency: Urgency::High,
                details: None,
                dedup_key: String::new(),
            })),
        }
    }
}

fn choice(name: impl Into<String>, about: impl Into<String>, means: Means) -> Choice {
    Choice { name: name.into(), about: about.into(), means }
}

/// What is known without asking, and what else is to be asked for.
pub(super) fn of(model: &Model, wish: Wish, aims: &[Aim], board: &AccountBoard) -> (Vec<Choice>, Vec<ChoicesOf>) {
    let one = match aims {
        [one] => Some(one.target.key.id.clone()),
        _ => None,
    };
    match wish {
        Wish::HandOff => (people(model, board, Means::HandOff), vec![]),
        Wish::AddResponders => (people(model, board, Means::Responder), vec![]),
        Wish::Snooze => (snoozes(model), vec![]),
        Wish::Escalate => (levels(model, aims, board), vec![]),
        Wish::Merge => (merges(model, aims), vec![]),
        Wish::Edit => {
            (edits(model, aims), [ChoicesOf::Priorities].into_iter().chain(one.map(ChoicesOf::Fields)).collect())
        }
        Wish::RunWorkflow => (vec![], vec![ChoicesOf::Workflows]),
        Wish::ResolveAlert => (vec![], one.map(ChoicesOf::Alerts).into_iter().collect()),
        Wish::Create => (vec![], vec![ChoicesOf::Services]),
        Wish::Acknowledge | Wish::Resolve | Wish::Note | Wish::StatusUpdate | Wish::Arrange => (vec![], vec![]),
    }
}

/// What the provider told.
pub(super) fn told(choices: Choices) -> Vec<Choice> {
    match choices {
        Choices::Priorities(priorities) => priorities
            .into_iter()
            .map(Some)
            .chain([None])
            .map(|priority| {
                let name = priority.as_ref().map_or("no priority", |one| one.name.as_str()).to_owned();
                choice(name, "priority", Means::Priority(priority))
            })
            .collect(),
        Choices::Workflows(workflows) => {
            let one = |(workflow, about): (Named<WorkflowId>, Shown)| {
                choice(workflow.name.as_str(), about.as_str(), Means::Workflow(workflow.clone()))
            };
            workflows.into_iter().map(one).collect()
        }
        Choices::Services(services) => {
            let one = |service: Named<ServiceId>| choice(service.name.as_str(), "", Means::Service(service.clone()));
            services.into_iter().map(one).collect()
        }
        Choices::Fields(fields) => {
            let one = |field: Field| {
                let about = if field.value.as_str().is_empty() { "not set" } else { field.value.as_str() };
                choice(field.name.as_str(), format!("custom field: {about}"), Means::Field(field.clone()))
            };
            fields.into_iter().map(one).collect()
        }
        Choices::Alerts(alerts) => {
            let one =
                |alert: Named<AlertId>| choice(alert.name.as_str(), alert.id.to_string(), Means::Alert(alert.clone()));
            alerts.into_iter().map(one).collect()
        }
    }
}

/// What the typed text itself says.
pub(super) fn typed(model: &Model, wish: Wish, text: &str) -> Option<Choice> {
    match wish {
        Wish::Snooze => {
            let clock = Clock { now: model.now, zone: &model.zone };
            let span = span::read(text, clock).ok().filter(|span| span.from <= model.now)?;
            Some(choice(text.trim(), until(model, span.to), Means::SnoozeUntil(span.to)))
        }
        Wish::Escalate => {
            let level = text.trim().trim_start_matches(['L', 'l']).parse().ok().filter(|level| *level > 0)?;
            Some(choice(format!("level {level}"), "as typed", Means::Escalate(level)))
        }
        _ => None,
    }
}

fn until(model: &Model, at: Timestamp) -> String {
    format!("until {}", moment(at, model.now, &model.zone))
}

fn snoozes(model: &Model) -> Vec<Choice> {
    const SPANS: [(&str, i64); 6] =
        [("15 minutes", 15), ("30 minutes", 30), ("1 hour", 60), ("2 hours", 120), ("4 hours", 240), ("8 hours", 480)];
    let spans = SPANS.into_iter().filter_map(|(name, minutes)| {
        let at = model.now.checked_add(SignedDuration::from_mins(minutes)).ok()?;
        Some(choice(name, until(model, at), Means::SnoozeUntil(at)))
    });
    let morning = typed(model, Wish::Snooze, "until 09:00");
    spans.chain(morning).collect()
}

/// The levels of the incidents' policy, with who is on call there now.
fn levels(model: &Model, aims: &[Aim], board: &AccountBoard) -> Vec<Choice> {
    let policy = |aim: &Aim| Some(model.board.incidents.get(&aim.target.key)?.state.escalation_policy.clone()?.id);
    let policies: Vec<_> = aims.iter().map(policy).collect();
    let same = policies.windows(2).all(|pair| pair[0] == pair[1]);
    let Some(Some(policy)) = policies.into_iter().next().filter(|_| same) else { return vec![] };
    let mut on_call: Vec<_> = board.oncalls.iter().filter(|on| on.policy.id == policy).collect();
    on_call.sort_by_key(|on| on.level);
    let as_of = as_of(model, board).unwrap_or_else(|| "not known now, was ".into());
    let mut out: Vec<Choice> = vec![];
    let theirs = board.account.provider_time(model.now);
    for on in on_call {
        let over = if on.has_ended(theirs) { "whoever follows " } else { "" };
        match out.iter_mut().find(|known| known.means == Means::Escalate(on.level)) {
            Some(known) => known.about = format!("{}, {over}{}", known.about, on.user.name),
            None => out.push(choice(
                format!("level {}", on.level),
                format!("{as_of}pages {over}{}", on.user.name),
                Means::Escalate(on.level),
            )),
        }
    }
    out
}

/// The other open incidents of the account.
fn merges(model: &Model, aims: &[Aim]) -> Vec<Choice> {
    let Some(first) = aims.first() else { return vec![] };
    let account = &first.target.key.account;
    let mut others: Vec<_> = model
        .board
        .incidents
        .values()
        .filter(|other| other.key.account == *account && other.state.status.is_open())
        .filter(|other| aims.iter().all(|aim| aim.target.key != other.key))
        .collect();
    others.sort_by_key(|other| std::cmp::Reverse(other.state.created_at));
    let one = |other: &crate::core::incident::Incident| {
        let name = other.name();
        let service = other.state.service.as_ref().map(|service| format!(" ({})", service.name)).unwrap_or_default();
        choice(name, format!("{}{service}", other.state.title), Means::MergeInto(other.key.clone()))
    };
    others.into_iter().map(one).collect()
}

fn edits(model: &Model, aims: &[Aim]) -> Vec<Choice> {
    let mut out = vec![];
    if let [one] = aims {
        out.push(choice("title", one.title.as_str(), Means::Title(one.title.clone())));
    }
    let is = |urgency: Urgency| {
        let known = |aim: &Aim| model.board.incidents.get(&aim.target.key).is_some_and(|i| i.state.urgency == urgency);
        if aims.iter().all(known) { "urgency, as it is" } else { "urgency" }
    };
    out.push(choice("high", is(Urgency::High), Means::Urgency(Urgency::High)));
    out.push(choice("low", is(Urgency::Low), Means::Urgency(Urgency::Low)));
    out
}

/// How certain it is who is on call: what to say before it; `None`: it is not known at all.
fn as_of(model: &Model, board: &AccountBoard) -> Option<String> {
    match board.account.on_call_standing(model.now) {
        Standing::Fresh { .. } => Some(String::new()),
        Standing::Stale { age, .. } => Some(format!("{}: ", ago(age))),
        Standing::Waiting | Standing::Down { .. } => None,
    }
}

/// What to say before people and policies that the key may not see any more: they are as they were.
pub(super) fn last_seen(board: &AccountBoard) -> &'static str {
    if board.account.barred.contains_key(&Sight::People) { "as last seen: " } else { "" }
}

/// People on call now by level, then everybody else by name, then the escalation policies.
fn people(model: &Model, board: &AccountBoard, means: fn(Assignee) -> Means) -> Vec<Choice> {
    let mut out: Vec<(Assignee, String)> = vec![];
    let as_of = as_of(model, board);
    let theirs = board.account.provider_time(model.now);
    let known = board.oncalls.iter().filter(|on| as_of.is_some() && !on.has_ended(theirs));
    let mut on_call: Vec<_> = known.collect();
    let as_of_words = as_of.as_deref().unwrap_or_default();
    let all_told = on_call.len() == board.oncalls.len();
    let off =
        if as_of.is_some() && all_told { format!("{as_of_words}not on call") } else { "on call: not known".into() };
    on_call.sort_by(|a, b| (a.level, &a.user.name, &a.policy.name).cmp(&(b.level, &b.user.name, &b.policy.name)));
    for on in on_call {
        let to = Assignee::User(on.user.clone());
        let until = on.end.map(|end| format!(" {}", until(model, end))).unwrap_or_default();
        let about = format!("{as_of_words}on call L{} {}{until}", on.level, on.policy.name);
        match out.iter_mut().find(|(known, _)| *known == to) {
            Some((_, known)) => *known = format!("{known}, L{} {}", on.level, on.policy.name),
            None => out.push((to, about)),
        }
    }
    let seen = last_seen(board);
    let mut people: Vec<_> = board.people.iter().collect();
    people.sort_by(|a, b| a.user.name.cmp(&b.user.name));
    for person in people {
        let is_new = !out.iter().any(|(to, _)| matches!(to, Assignee::User(user) if user.id == person.user.id));
        if is_new {
            let email = person.email.as_ref().map(|email| format!(", {email}")).unwrap_or_default();
            out.push((Assignee::User(person.user.clone()), format!("{seen}{off}{email}")));
        }
    }
    for policy in &board.policies {
        let about = format!("{seen}escalation policy, starts at level 1");
        out.push((Assignee::EscalationPolicy(policy.clone()), about));
    }
    out.into_iter().map(|(to, about)| choice(to.name().as_str(), about, means(to.clone()))).collect()
}
