//! Reading back: what became of something that was sent, when the answer was lost or leaves doubt.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::{
    Before,
    evidence::{Unclear, weigh},
    look::knows_better,
    send::{Taken, Work, judge},
};
use crate::{
    core::{
        action::{Action, Outcome, Step},
        id::IncidentKey,
        incident::{Observation, Status},
        text::Shown,
    },
    provider::Provider,
};

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
/// How far the provider's clock may lie behind where it is thought to be, where what happened since an action was asked for
/// is looked for.
const SKEW: SignedDuration = SignedDuration::from_secs(30);
/// At most so many looks tell how the provider's clock stands to ours.
const ANSWERS: usize = 2;

/// When `action` was asked for, or somewhat earlier, by the provider's clock, which answers of its have to tell first.
pub(super) async fn asked_at(provider: &dyn Provider, action: &Action, key: &IncidentKey) -> Timestamp {
    for _ in 0..ANSWERS {
        if provider.clock_skew().is_some() || provider.incident(&key.id).await.is_err() {
            break;
        }
    }
    let skew = provider.clock_skew().unwrap_or_default();
    action.at.checked_add(skew.saturating_sub(SKEW)).unwrap_or(action.at)
}

/// Finds out by reading what became of a step that was sent.
pub(super) async fn until_seen(work: &Work<'_>, step: &Step, key: &IncidentKey, before: &Before, cause: &str) -> Taken {
    match step {
        Step::StatusUpdate(_) | Step::RunWorkflow(_) => {
            let reason = format!("{cause}; whether it was done cannot be read back: look before asking again");
            Taken::of(Outcome::Unknown { reason: Shown::line(&reason) }, None)
        }
        Step::Acknowledge
        | Step::Resolve
        | Step::Assign(_)
        | Step::Snooze(_)
        | Step::MergeInto(_)
        | Step::Edit(
            crate::core::action::Edit::Title(_)
            | crate::core::action::Edit::Urgency(_)
            | crate::core::action::Edit::Priority(_),
        ) => in_the_incident(work, step, key, before, cause).await,
        Step::Escalate(_)
        | Step::Edit(crate::core::action::Edit::Field { .. })
        | Step::Note(_)
        | Step::AddResponders { .. }
        | Step::ResolveAlert(_) => Taken::of(by_its_signs(work, step, key, before, cause).await, None),
    }
}

async fn in_the_incident(work: &Work<'_>, step: &Step, key: &IncidentKey, before: &Before, cause: &str) -> Taken {
    let mut stands = None;
    for wait in work.desk.read_back {
        sleep(*wait).await;
        let Some(seen) = newest(work, key).await else {
            stands = None;
            continue;
        };
        stands = Some(match judge(work, step, &seen) {
            Outcome::Confirmed { .. } => match weigh(work, step, before, &seen).await {
                Ok(notice) => return Taken::of(Outcome::Confirmed { notice: Some(notice.into()) }, Some(seen)),
                Err(Unclear(how)) => Err(format!("{how}, so it cannot be told")),
            },
            // It may have been done, and then undone by whoever changed it.
            _ if seen.stamp.at > before.changed => {
                Err(format!("{}, and changed meanwhile, so it cannot be told", seen.state.status.word()))
            }
            _ => Ok(seen.state.status.word()),
        });
    }
    let outcome = match stands {
        None => not_seen_done(false, cause),
        Some(Ok(status)) => not_seen_done(true, &format!("{cause}; read back: not done, still {status}")),
        Some(Err(how)) => Outcome::Unknown { reason: Shown::line(&format!("{cause}; read back: {how}")) },
    };
    Taken::of(outcome, None)
}

/// The incident as it is now, where the provider's answer is no older than what is known.
async fn newest(work: &Work<'_>, key: &IncidentKey) -> Option<Observation> {
    let seen = work.to_read().await.incident(&key.id).await.ok()?;
    work.desk.observe(&seen).await;
    (!knows_better(work.desk, &seen)).then_some(seen)
}

/// After a crash: whether the incident was acknowledged to be snoozed, where the snooze itself did not turn out well.
pub(super) async fn was_acknowledged_for(
    work: &Work<'_>,
    step: &Step,
    key: &IncidentKey,
    before: &Before,
    outcome: &Outcome,
) -> bool {
    if !matches!(step, Step::Snooze(_)) || matches!(outcome, Outcome::Confirmed { .. }) {
        return false;
    }
    match newest(work, key).await {
        Some(seen) if seen.state.status == Status::Acknowledged => {
            weigh(work, &Step::Acknowledge, before, &seen).await.is_ok()
        }
        _ => false,
    }
}

/// Looks until the step's signs say that it was taken.
async fn by_its_signs(work: &Work<'_>, step: &Step, key: &IncidentKey, before: &Before, cause: &str) -> Outcome {
    let mut looked = false;
    for wait in work.desk.read_back {
        sleep(*wait).await;
        let signs = work.to_read().await.signs(&key.id, step, before.since).await;
        looked = matches!(signs, Ok(Some(_)));
        if signs.is_ok_and(|signs| signs.is_some_and(|signs| tells(step, signs, before))) {
            let notice = match step {
                Step::Note(_) => "the answer was lost, but a note of this text is there",
                _ => "the answer was lost; read back and found done",
            };
            return Outcome::Confirmed { notice: Some(notice.into()) };
        }
    }
    let missing = match step {
        Step::Note(_) => "the note is not there",
        Step::AddResponders { .. } if before.signs > 0 => {
            let reason = format!("{cause}; they had been asked before, so it cannot be told whether they were again");
            return Outcome::Unknown { reason: Shown::line(&reason) };
        }
        _ => "read back: not done",
    };
    not_seen_done(looked, &format!("{cause}; {missing}"))
}

/// Whether so many signs mean that the step was taken: one more than before, or where the sign is how something stands,
/// that it stands so.
fn tells(step: &Step, signs: usize, before: &Before) -> bool {
    match step {
        Step::Edit(_) | Step::ResolveAlert(_) => signs > 0,
        _ => signs > before.signs,
    }
}

/// Something that was sent and did not show itself as done in any look. `looked`: the last of them was answered;
/// earlier ones say little, as the provider may have been slow.
pub(in crate::server) fn not_seen_done(looked: bool, reason: &str) -> Outcome {
    if looked {
        Outcome::Failed { reason: Shown::line(reason) }
    } else {
        Outcome::Unknown { reason: Shown::line(&format!("{reason}, or so: nothing could be read back")) }
    }
}
