//! Carrying out actions: looked at right before, written down before it is sent, sent once, and read back
//! whenever the answer leaves doubt. What is shown as confirmed was seen to be so.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::{arrange, desk::Desk, people::Acting};
use crate::{
    core::{
        action::{Action, Assignee, Outcome, Target, Verb},
        board::Change,
        id::{ActionId, IncidentKey},
        incident::{Observation, Status},
        text::Shown,
    },
    provider::{Provider, ProviderError},
    store::{StoreError, Write},
};

/// Incidents of one action that are worked on at the same time.
const AT_ONCE: usize = 4;
/// When the answer to a write is lost: the pauses between looks at what became of it. A provider that is slow
/// may carry it out after we stopped waiting, so "not yet" is not "not done" before the last look.
pub const READ_BACK: &[Duration] = &[
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];
/// How far the provider's clock may lie behind ours, where what happened since an action was asked for is looked for.
const SKEW: SignedDuration = SignedDuration::from_secs(30);
/// At most so many looks tell how the provider's clock stands to ours.
const ANSWERS: usize = 2;
/// The pauses between looks at an incident whose answers are older than what is known.
const LAG: &[Duration] = &[Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// How often a provider that asks for patience (429) is waited for.
const PATIENCE: usize = 5;

/// Carries out `action` on each of `targets`, in the name that goes with it, publishing each outcome as it is
/// known.
pub async fn carry_out(desk: Arc<Desk>, action: Action, targets: Vec<(Target, Acting)>) {
    let id = action.id;
    let verb = action.verb;
    stream::iter(targets)
        .for_each_concurrent(AT_ONCE, |(target, acting)| {
            let (desk, verb) = (&desk, &verb);
            async move {
                let outcome = one(desk, id, verb, &target, &acting).await;
                record_last(desk, id, verb, &target.key, outcome).await;
            }
        })
        .await;
}

/// Settles what an earlier owner left open: what was sent is read back, what was not is not sent any more.
pub async fn settle(desk: Arc<Desk>, open: Vec<Action>) {
    for action in open {
        if let Verb::Arrange(what) = &action.verb {
            arrange::settle(&desk, &action, what).await;
            continue;
        }
        for (key, outcome) in &action.outcomes {
            let settled = match outcome {
                Outcome::Pending => Outcome::Failed { reason: "dogwatch ended before this was sent".into() },
                Outcome::Sent => match provider_of(&desk, key, &Acting::Owner).await {
                    Ok(provider) => settle_sent(&desk, &*provider, &action, key).await,
                    Err(reason) => Outcome::Unknown { reason },
                },
                _ => continue,
            };
            record_last(&desk, action.id, &action.verb, key, settled).await;
        }
    }
}

/// How an incident stood before something was sent, to tell "not done" from "done, and changed again since".
#[derive(Debug, Clone, Copy)]
struct Before {
    /// Its last change.
    changed: Timestamp,
    /// Notes of the same text, counted from `since`.
    notes: usize,
    since: Option<Timestamp>,
}

async fn settle_sent(desk: &Desk, provider: &dyn Provider, action: &Action, key: &IncidentKey) -> Outcome {
    const CAUSE: &str = "dogwatch ended while this was on its way";
    let asked = asked_at(provider, action, key).await;
    let before = Before { changed: asked, notes: 0, since: Some(asked) };
    let outcome = read_back(desk, provider, &action.verb, key, before, CAUSE).await;
    match (&action.verb, &outcome) {
        (Verb::HandOff { to, note: Some(text) }, Outcome::Confirmed { .. }) => {
            with_note(outcome, to, find_note(desk, provider, key, text, before, CAUSE).await)
        }
        _ => outcome,
    }
}

/// When `action` was asked for, or somewhat earlier, by the provider's clock, which answers of its have to tell first.
async fn asked_at(provider: &dyn Provider, action: &Action, key: &IncidentKey) -> Timestamp {
    for _ in 0..ANSWERS {
        if provider.clock_skew().is_some() || provider.incident(&key.id).await.is_err() {
            break;
        }
    }
    let skew = provider.clock_skew().unwrap_or_default().min(SignedDuration::ZERO);
    action.at.checked_add(skew.saturating_sub(SKEW)).unwrap_or(action.at)
}

async fn one(desk: &Desk, id: ActionId, verb: &Verb, target: &Target, acting: &Acting) -> Outcome {
    let provider = match provider_of(desk, &target.key, acting).await {
        Ok(provider) => provider,
        Err(reason) => return Outcome::Failed { reason },
    };
    let now = match as_it_stands(desk, &*provider, &target.key).await {
        Ok(now) => now,
        Err(error) => {
            if let (ProviderError::Unauthorised { .. }, Some(account)) =
                (&error, desk.accounts.get(&target.key.account))
            {
                account.forget_for(acting).await;
            }
            return Outcome::Failed { reason: not_sent(&error) };
        }
    };
    if let Some(outcome) = meanwhile(verb, target, &now) {
        return outcome;
    }
    let notes = match notes_before(&*provider, verb, &target.key).await {
        Ok(notes) => notes,
        Err(error) => return Outcome::Failed { reason: not_sent(&error) },
    };
    let before = Before { changed: now.stamp.at, notes, since: None };
    if let Err(error) = record(desk, id, &target.key, Outcome::Sent).await {
        return Outcome::Failed {
            reason: Shown::line(&format!("not sent, because it could not be written down: {error}")),
        };
    }
    let outcome = send(desk, &*provider, verb, &target.key, before).await;
    if let Outcome::Failed { .. } = outcome
        && let Ok(now) = provider.incident(&target.key.id).await
    {
        // Refused perhaps because somebody was faster by the blink between our look and our request.
        desk.observe(&now).await;
        if !knows_better(desk, &now) {
            return meanwhile(verb, target, &now).unwrap_or(outcome);
        }
    }
    outcome
}

/// Looks at the incident, and again while the answer is older than what is known of it.
async fn as_it_stands(desk: &Desk, provider: &dyn Provider, key: &IncidentKey) -> Result<Observation, ProviderError> {
    for pause in LAG.iter().map(Some).chain([None]) {
        let now = patiently(|| provider.incident(&key.id)).await?;
        desk.observe(&now).await;
        if !knows_better(desk, &now) {
            return Ok(now);
        }
        if let Some(pause) = pause {
            sleep(*pause).await;
        }
    }
    Err(ProviderError::Unreadable { cause: "it is older than what webhooks told; try again in a moment".to_owned() })
}

fn knows_better(desk: &Desk, seen: &Observation) -> bool {
    desk.hub.look(|board| board.knows_better(seen))
}

pub(super) async fn provider_of(desk: &Desk, key: &IncidentKey, acting: &Acting) -> Result<Arc<dyn Provider>, Shown> {
    let account = desk.accounts.get(&key.account).ok_or_else(|| Shown::line("its account is not configured"))?;
    account.provider_for(acting).await.map_err(|e| e.shown())
}

/// Asks again after a 429, which nothing was done of, when the provider says so.
pub(super) async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    for _ in 0..PATIENCE {
        match ask().await {
            Err(ProviderError::RateLimited { wait }) => sleep(wait).await,
            answer => return answer,
        }
    }
    ask().await
}

fn not_sent(error: &ProviderError) -> Shown {
    Shown::line(&format!("not sent, because the incident could not be looked at first: {error}"))
}

/// What to do when the incident is not as the person saw it: `None` is "go on".
fn meanwhile(verb: &Verb, target: &Target, now: &Observation) -> Option<Outcome> {
    let status = now.state.status;
    let by = now.extra.as_ref().and_then(|extra| extra.changed_by.as_ref());
    let by = by.map(|name| format!(" by {name}")).unwrap_or_default();
    let conflict = |reason: String| Some(Outcome::Conflict { now: status, reason: Shown::line(&reason) });
    match (verb, status) {
        (Verb::Note { .. } | Verb::Arrange(_), _) => None,
        (Verb::Resolve, Status::Resolved) => {
            Some(Outcome::Confirmed { notice: Some(Shown::line(&format!("was resolved already{by}"))) })
        }
        (Verb::HandOff { .. } | Verb::Resolve, _) if target.seen == status => {
            let (seen, names) = (&target.assignees, &now.state.assignees);
            let same = seen.len() == names.len() && names.iter().all(|name| seen.contains(&name.id));
            let names: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
            if same { None } else { conflict(format!("it was assigned to {} meanwhile", names.join(", "))) }
        }
        _ if target.seen == status => None,
        (Verb::Acknowledge, Status::Resolved) => {
            conflict(format!("it was resolved{by} meanwhile; acknowledging would reopen it"))
        }
        (_, Status::Resolved) => conflict(format!("it was resolved{by} meanwhile")),
        (_, Status::Acknowledged) => conflict(format!("it was acknowledged{by} meanwhile")),
        (_, Status::Triggered) => conflict("it is triggered again".to_owned()),
    }
}

/// How often the same text stands among the notes already, so that one more can be told.
async fn notes_before(provider: &dyn Provider, verb: &Verb, key: &IncidentKey) -> Result<usize, ProviderError> {
    match note_of(verb) {
        None => Ok(0),
        Some(text) => Ok(count(&patiently(|| provider.note_texts(&key.id, None)).await?, text)),
    }
}

fn note_of(verb: &Verb) -> Option<&str> {
    match verb {
        Verb::Note { text } => Some(text),
        Verb::HandOff { note, .. } => note.as_deref(),
        Verb::Acknowledge | Verb::Resolve | Verb::Arrange(_) => None,
    }
}

fn count(notes: &[String], text: &str) -> usize {
    notes.iter().filter(|note| note.trim() == text.trim()).count()
}

async fn send(desk: &Desk, provider: &dyn Provider, verb: &Verb, key: &IncidentKey, before: Before) -> Outcome {
    let changed = match verb {
        Verb::Acknowledge => patiently(|| provider.set_status(&key.id, Status::Acknowledged)).await,
        Verb::Resolve => patiently(|| provider.set_status(&key.id, Status::Resolved)).await,
        Verb::HandOff { to, .. } => patiently(|| provider.hand_off(&key.id, to)).await,
        Verb::Note { text } => return post_note(desk, provider, key, text, before).await,
        Verb::Arrange(_) => return Outcome::Failed { reason: "this is nothing that is done to an incident".into() },
    };
    let outcome = match changed {
        Ok(seen) => {
            desk.observe(&seen).await;
            judge(verb, &seen)
        }
        Err(error) if error.leaves_doubt() => read_back(desk, provider, verb, key, before, &error.to_string()).await,
        Err(error) => Outcome::Failed { reason: error.shown() },
    };
    match (verb, &outcome) {
        (Verb::HandOff { to, note: Some(text) }, Outcome::Confirmed { .. }) => {
            with_note(outcome, to, post_note(desk, provider, key, text, before).await)
        }
        _ => outcome,
    }
}

/// A hand-off that is confirmed, with what became of its note. One that was only read back may have stood so before,
/// or by somebody else's hand.
fn with_note(handed_off: Outcome, to: &Assignee, note: Outcome) -> Outcome {
    let (Outcome::Failed { reason: failed } | Outcome::Unknown { reason: failed }) = note else { return handed_off };
    let done = match handed_off {
        Outcome::Confirmed { notice: Some(_) } => Shown::line(&format!("it was with {} when read back", to.name())),
        _ => "handed off".into(),
    };
    Outcome::Partly { done, failed: Shown::line(&format!("the note: {failed}")) }
}

/// Whether the incident, as the provider now shows it, is what was asked for.
fn judge(verb: &Verb, seen: &Observation) -> Outcome {
    let state = &seen.state;
    let done = match verb {
        Verb::Acknowledge => state.status == Status::Acknowledged,
        Verb::Resolve => state.status == Status::Resolved,
        Verb::HandOff { to: Assignee::User(user), .. } => state.assignees.iter().any(|a| a.id == user.id),
        Verb::HandOff { to: Assignee::EscalationPolicy(policy), .. } => {
            state.escalation_policy.as_ref().is_some_and(|known| known.id == policy.id)
        }
        Verb::Note { .. } => true,
        Verb::Arrange(_) => false,
    };
    if done {
        return Outcome::Confirmed { notice: None };
    }
    let reason = format!("the provider took it, but shows the incident {} and not as asked", state.status.word());
    Outcome::Failed { reason: Shown::line(&reason) }
}

async fn post_note(desk: &Desk, provider: &dyn Provider, key: &IncidentKey, text: &str, before: Before) -> Outcome {
    let doubt = match patiently(|| provider.add_note(&key.id, text)).await {
        Ok(()) => return Outcome::Confirmed { notice: None },
        Err(error) if error.leaves_doubt() => error,
        Err(error) => return Outcome::Failed { reason: error.shown() },
    };
    find_note(desk, provider, key, text, before, &doubt.to_string()).await
}

/// Looks until there are more notes of this text than before.
async fn find_note(
    desk: &Desk,
    provider: &dyn Provider,
    key: &IncidentKey,
    text: &str,
    before: Before,
    cause: &str,
) -> Outcome {
    let mut looked = false;
    for wait in desk.read_back {
        sleep(*wait).await;
        let notes = provider.note_texts(&key.id, before.since).await;
        looked = notes.is_ok();
        if notes.is_ok_and(|notes| count(&notes, text) > before.notes) {
            return Outcome::Confirmed { notice: Some("the answer was lost, but a note of this text is there".into()) };
        }
    }
    not_seen_done(looked, &format!("{cause}; the note is not there"))
}

/// Something that was sent and did not show itself as done in any look. `looked`: the last of them was answered;
/// earlier ones say little, as the provider may have been slow.
pub(super) fn not_seen_done(looked: bool, reason: &str) -> Outcome {
    if looked {
        Outcome::Failed { reason: Shown::line(reason) }
    } else {
        Outcome::Unknown { reason: Shown::line(&format!("{reason}, or so: nothing could be read back")) }
    }
}

/// Finds out by reading what became of something that was sent.
async fn read_back(
    desk: &Desk,
    provider: &dyn Provider,
    verb: &Verb,
    key: &IncidentKey,
    before: Before,
    cause: &str,
) -> Outcome {
    if let Verb::Note { text } = verb {
        return find_note(desk, provider, key, text, before, cause).await;
    }
    let mut stands = None;
    for wait in desk.read_back {
        sleep(*wait).await;
        let Ok(seen) = provider.incident(&key.id).await else {
            stands = None;
            continue;
        };
        desk.observe(&seen).await;
        if knows_better(desk, &seen) {
            stands = None;
            continue;
        }
        if let Outcome::Confirmed { .. } = judge(verb, &seen) {
            return Outcome::Confirmed { notice: Some("the answer was lost; read back and found done".into()) };
        }
        stands = Some((seen.state.status.word(), seen.stamp.at > before.changed));
    }
    match stands {
        None => not_seen_done(false, cause),
        Some((word, false)) => not_seen_done(true, &format!("{cause}; read back: not done, still {word}")),
        // It may have been done, and then undone by whoever changed it.
        Some((word, true)) => Outcome::Unknown {
            reason: Shown::line(&format!("{cause}; read back: {word}, and changed meanwhile, so it cannot be told")),
        },
    }
}

/// Shows an outcome and writes it down. A final outcome is not replaced.
pub(super) async fn record(desk: &Desk, id: ActionId, key: &IncidentKey, outcome: Outcome) -> Result<(), StoreError> {
    let _order = desk.order.lock().await;
    let changed = desk.hub.change(|board| {
        let Some(action) = board.actions.iter_mut().find(|a| a.id == id) else { return (vec![], None) };
        for (known, was) in &mut action.outcomes {
            if known == key && !was.is_final() {
                *was = outcome.clone();
            }
        }
        let action = Box::new(action.clone());
        (vec![Change::Action(action.clone())], Some(action))
    });
    match changed {
        Some(action) => desk.store.save(vec![Write::Action(action)]).await,
        None => Ok(()),
    }
}

/// The same for an outcome that is known whether or not it can be written down.
pub(super) async fn record_last(desk: &Desk, id: ActionId, verb: &Verb, key: &IncidentKey, outcome: Outcome) {
    desk.metrics.acted(verb, &outcome);
    tracing::info!(action.id = %id, incident.id = %key.id, "action {id}: {}", outcome.word());
    if let Err(error) = record(desk, id, key, outcome).await {
        tracing::error!(action.id = %id, incident.id = %key.id, %error, "an outcome could not be written down");
    }
}

#[cfg(test)]
mod tests;
