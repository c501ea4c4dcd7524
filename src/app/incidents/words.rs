//! How actions and their outcomes are told.

use crate::{
    app::{NoticeKind, page::Tone, prompt::Aim},
    core::{
        action::{Action, Edit, Outcome, Verb},
        board::Board,
        id::IncidentKey,
        text::Shown,
    },
};

/// `#12 disk full`, or `3 incidents`, or the title of what is made.
pub(super) fn subject(aims: &[Aim], verb: &Verb) -> String {
    match (aims, verb) {
        ([], Verb::Create(new)) => format!("{} on {}", Shown::line(&new.title), new.service.name),
        ([one], _) => format!("{} {}", one.name(), one.title),
        (many, _) => format!("{} incidents", many.len()),
    }
}

/// While it is under way.
pub(super) fn doing(verb: &Verb) -> &'static str {
    match verb {
        Verb::Acknowledge => "acknowledging",
        Verb::Resolve { .. } => "resolving",
        Verb::HandOff { .. } => "handing off",
        Verb::Note { .. } => "adding a note to",
        Verb::Snooze { .. } => "snoozing",
        Verb::Escalate { .. } => "escalating",
        Verb::Merge { .. } => "merging",
        Verb::Edit(_) => "changing",
        Verb::AddResponders { .. } => "asking for help with",
        Verb::StatusUpdate { .. } => "sending a status update on",
        Verb::RunWorkflow { .. } => "running a workflow on",
        Verb::ResolveAlert { .. } => "resolving an alert of",
        Verb::Create(_) => "creating",
        Verb::Arrange(_) => "arranging",
    }
}

/// What was done, before the name of the incident.
fn done(verb: &Verb) -> String {
    match verb {
        Verb::Acknowledge => "acknowledged".into(),
        Verb::Resolve { .. } => "resolved".into(),
        Verb::HandOff { to, .. } => format!("handed off to {}:", to.name()),
        Verb::Note { .. } => "note added to".into(),
        Verb::Snooze { .. } => "snoozed".into(),
        Verb::Escalate { level } => format!("escalated to level {level}:"),
        Verb::Merge { name, .. } => format!("merged into {name}:"),
        Verb::Edit(Edit::Title(_)) => "title set:".into(),
        Verb::Edit(Edit::Urgency(_)) => "urgency set:".into(),
        Verb::Edit(Edit::Priority(_)) => "priority set:".into(),
        Verb::Edit(Edit::Field { field, .. }) => format!("{} set:", field.name),
        Verb::AddResponders { to, .. } => {
            let names: Vec<_> = to.iter().map(|to| to.name().as_str()).collect();
            format!("asked {} to respond to", names.join(", "))
        }
        Verb::StatusUpdate { .. } => "status update sent on".into(),
        Verb::RunWorkflow { workflow } => format!("{} started on", workflow.name),
        Verb::ResolveAlert { alert } => format!("alert {} resolved of", alert.name),
        Verb::Create(_) => "created".into(),
        Verb::Arrange(what) => format!("{} done:", what.word()),
    }
}

pub(super) fn standing(action: &Action) -> NoticeKind {
    let ended_badly = |o: &Outcome| o.is_final() && !matches!(o, Outcome::Confirmed { .. } | Outcome::TakenBack);
    if action.outcomes.iter().any(|(_, outcome)| ended_badly(outcome)) {
        NoticeKind::Bad
    } else if action.is_final() {
        NoticeKind::Good
    } else {
        NoticeKind::Working
    }
}

/// The incident of an action, by its number and title where they are known.
fn named(board: &Board, action: &Action, key: &IncidentKey) -> String {
    match (board.incidents.get(key), &action.verb) {
        (Some(incident), _) => format!("{} {}", board.name(incident), incident.state.title),
        (None, Verb::Create(new)) => Shown::line(&new.title).to_string(),
        (None, _) => board.name_of(key),
    }
}

/// What was asked for: `acknowledge #12 disk full`, `resolve 3 incidents`.
pub(super) fn called(board: &Board, action: &Action) -> String {
    let word = action.verb.word();
    match action.outcomes.as_slice() {
        [(key, _)] => format!("{word} {}", named(board, action, key)),
        many => format!("{word} {} incidents", many.len()),
    }
}

/// The incident of an action by its number, without its title; else `next`.
pub(super) fn in_short(board: &Board, action: &Action) -> String {
    let incident = match action.outcomes.as_slice() {
        [(key, _)] => board.incidents.get(key).filter(|incident| incident.state.number.is_some()),
        _ => None,
    };
    incident.map_or_else(|| "next".to_owned(), |incident| board.name(incident))
}

pub(super) fn summary(board: &Board, action: &Action) -> String {
    let named = |key: &IncidentKey| named(board, action, key);
    match action.outcomes.as_slice() {
        [(key, Outcome::Confirmed { notice })] => {
            let notice = notice.as_ref().map(|notice| format!(" ({notice})")).unwrap_or_default();
            format!("{} {}{notice}", done(&action.verb), named(key))
        }
        [(key, outcome)] if outcome.is_final() => {
            format!("{} {}: {}", action.verb.word(), named(key), outcome_words(outcome))
        }
        [(key, _)] => format!("{} {} …", doing(&action.verb), named(key)),
        many => {
            let start = if action.is_final() { action.verb.word() } else { doing(&action.verb) };
            format!("{start} {} incidents: {}", many.len(), tally(many))
        }
    }
}

/// `2 confirmed, 1 failed: not found`.
fn tally(outcomes: &[(IncidentKey, Outcome)]) -> String {
    let mut counts: Vec<(&'static str, usize)> = vec![];
    for (_, outcome) in outcomes {
        match counts.iter_mut().find(|(word, _)| *word == outcome.word()) {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome.word(), 1)),
        }
    }
    let counts: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let reason = outcomes.iter().find_map(|(_, outcome)| reason(outcome));
    match reason {
        Some(reason) => format!("{}: {reason}", counts.join(", ")),
        None => counts.join(", "),
    }
}

fn reason(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Pending { .. } | Outcome::TakenBack | Outcome::Sent | Outcome::Confirmed { .. } => None,
        Outcome::Partly { failed: reason, .. }
        | Outcome::Failed { reason }
        | Outcome::Conflict { reason, .. }
        | Outcome::Unknown { reason } => Some(reason.as_str()),
    }
}

/// An outcome with all that is known about it.
pub(in crate::app) fn outcome_words(outcome: &Outcome) -> String {
    let word = outcome.word();
    match outcome {
        Outcome::Pending { .. } | Outcome::Sent | Outcome::Confirmed { notice: None } => outcome.words(),
        Outcome::TakenBack => format!("{word}, nothing was sent"),
        Outcome::Confirmed { notice: Some(notice) } => format!("{word} ({notice})"),
        Outcome::Partly { done, failed } => format!("{word}: {done}, but {failed}"),
        Outcome::Failed { reason } => format!("{word}: {reason}"),
        Outcome::Conflict { now, reason, .. } => format!("not sent, it is {} now: {reason}", now.word()),
        Outcome::Unknown { reason } => format!("not known whether it is done: {reason}"),
    }
}

/// The mark for an outcome in a row, and its tone; none for what went well or was taken back.
pub fn outcome_mark(outcome: &Outcome) -> Option<(char, Tone)> {
    match outcome {
        Outcome::Pending { .. } | Outcome::Sent => Some(('…', Tone::Caution)),
        Outcome::Confirmed { .. } | Outcome::TakenBack => None,
        Outcome::Partly { .. } | Outcome::Failed { .. } => Some(('x', Tone::Alarm)),
        Outcome::Conflict { .. } | Outcome::Unknown { .. } => Some(('?', Tone::Caution)),
    }
}
