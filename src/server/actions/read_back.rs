//! Reading back: what became of something that was sent, when the answer was lost or leaves doubt.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::{
    Before,
    look::knows_better,
    send::{Work, judge},
};
use crate::{
    core::{
        action::{Action, Outcome, Step},
        id::IncidentKey,
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
/// How far the provider's clock may lie behind ours, where what happened since an action was asked for is looked for.
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
    let skew = provider.clock_skew().unwrap_or_default().min(SignedDuration::ZERO);
    action.at.checked_add(skew.saturating_sub(SKEW)).unwrap_or(action.at)
}

/// Finds out by reading what became of a step that was sent.
pub(super) async fn until_seen(
    work: &Work<'_>,
    step: &Step,
    key: &IncidentKey,
    before: Before,
    cause: &str,
) -> Outcome {
    match step {
        Step::StatusUpdate(_) | Step::RunWorkflow(_) => Outcome::Unknown {
            reason: Shown::line(&format!("{cause}; whether it was done cannot be read back: look before asking again")),
        },
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
        | Step::ResolveAlert(_) => by_its_signs(work, step, key, before, cause).await,
    }
}

async fn in_the_incident(party: &Work<'_>, step: &Step, key: &IncidentKey, before: Before, cause: &str) -> Outcome {
    let mut stands = None;
    for wait in party.desk.read_back {
        sleep(*wait).await;
        let Ok(seen) = party.provider.incident(&key.id).await else {
            stands = None;
            continue;
        };
        party.desk.observe(&seen).await;
        if knows_better(party.desk, &seen) {
            stands = None;
            continue;
        }
        if let Outcome::Confirmed { .. } = judge(step, &seen) {
            return Outcome::Confirmed { notice: Some("the answer was lost; read back and found done".into()) };
        }
        stands = Some((seen.state.status.word(), seen.stamp.at > before.changed));
    }
    match stands {
        None => not_seen_done(false, cause),
        Some((status, false)) => not_seen_done(true, &format!("{cause}; read back: not done, still {status}")),
        // It may have been done, and then undone by whoever changed it.
        Some((status, true)) => Outcome::Unknown {
            reason: Shown::line(&format!("{cause}; read back: {status}, and changed meanwhile, so it cannot be told")),
        },
    }
}

/// Looks until the step's signs say that it was taken.
async fn by_its_signs(work: &Work<'_>, step: &Step, key: &IncidentKey, before: Before, cause: &str) -> Outcome {
    let mut looked = false;
    for wait in work.desk.read_back {
        sleep(*wait).await;
        let signs = work.provider.signs(&key.id, step, before.since).await;
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
fn tells(step: &Step, signs: usize, before: Before) -> bool {
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
