//! The look before sending: an action is for what the person saw, and for nothing else.

use std::collections::BTreeMap;

use tokio::time::sleep;

use super::{AT_ONCE, Before, LAG, each, patiently, send::Work};
use crate::{
    core::{
        action::{Outcome, Step, Target, Verb},
        id::IncidentKey,
        incident::{Incident, Observation, Status},
        text::Shown,
    },
    provider::{Provider, ProviderError},
    server::desk::Desk,
};

/// Rows of an open list that come with one request.
const PAGE: usize = 100;

/// An incident that stands as the person saw it.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) target: Target,
    pub(super) steps: Vec<Step>,
    pub(super) before: Before,
}

type Seen = Result<Observation, ProviderError>;

/// How the targets stand now: one by one, or by the open list where that takes fewer requests.
pub(super) async fn at_all(work: &Work<'_>, targets: Vec<Target>) -> Vec<(Target, Seen)> {
    let account = &targets[0].key.account;
    let open = work.desk.hub.look(|board| {
        let open = |known: &&Incident| known.state.status.is_open();
        board.incidents.values().filter(open).filter(|known| known.key.account == *account).count()
    });
    let mut listed = BTreeMap::new();
    if targets.len() > AT_ONCE.max(open / PAGE + 1)
        && let Ok(all) = work.provider.open_incidents().await
    {
        work.desk.observe_all(all.clone()).await;
        listed.extend(all.into_iter().map(|seen| (seen.key.clone(), seen)));
    }
    let listed = &listed;
    let looks = targets.into_iter().map(|target| async move {
        let seen = match listed.get(&target.key) {
            Some(seen) if !knows_better(work.desk, seen) => Ok(seen.clone()),
            _ => as_it_stands(work.desk, &*work.provider, &target.key).await,
        };
        (target, seen)
    });
    each(looks.collect()).await
}

/// Looks at the incident, and again while the answer is older than what is known of it.
async fn as_it_stands(desk: &Desk, provider: &dyn Provider, key: &IncidentKey) -> Seen {
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

pub(super) fn knows_better(desk: &Desk, seen: &Observation) -> bool {
    desk.hub.look(|board| board.knows_better(seen))
}

/// The incident could not be looked at, so nothing was sent.
async fn unseen(work: &Work<'_>, target: &Target, error: &ProviderError) -> Outcome {
    if let (ProviderError::Unauthorised { .. }, Some(account)) = (error, work.desk.accounts.get(&target.key.account)) {
        account.forget_for(work.acting).await;
    }
    Outcome::Failed {
        reason: Shown::line(&format!("not sent, because the incident could not be looked at first: {error}")),
    }
}

/// What to send for an incident that was seen so; else what is to be said instead.
pub(super) async fn ready(work: &Work<'_>, target: Target, seen: Seen) -> Result<Ready, Outcome> {
    let now = match seen {
        Ok(now) => now,
        Err(error) => return Err(unseen(work, &target, &error).await),
    };
    if let Some(outcome) = meanwhile(work.verb, &target, &now) {
        return Err(outcome);
    }
    let steps = work.verb.steps(now.state.status);
    let mut before = Before { changed: now.stamp.at, ..Before::default() };
    for step in steps.iter().filter(|step| step.is_done_in(&now).is_none()) {
        match patiently(|| work.provider.signs(&target.key.id, step, None)).await {
            Ok(signs) => before.signs = signs.unwrap_or_default(),
            Err(error) => return Err(unseen(work, &target, &error).await),
        }
    }
    Ok(Ready { target, steps, before })
}

/// What an action minds of all that may have happened since the person looked.
enum Minds {
    /// That somebody else took or closed it: what was meant for the incident as it stood is not done to another.
    Everything,
    /// That too, and that it was assigned to others: closing it or handing it on takes it from them.
    Assignees,
    /// Only that it is over.
    Resolution,
    Nothing,
}

fn minds(verb: &Verb) -> Minds {
    match verb {
        Verb::Acknowledge => Minds::Everything,
        Verb::Resolve { .. } | Verb::HandOff { .. } | Verb::Escalate { .. } | Verb::Merge { .. } => Minds::Assignees,
        Verb::Snooze { .. }
        | Verb::AddResponders { .. }
        | Verb::StatusUpdate { .. }
        | Verb::RunWorkflow { .. }
        | Verb::ResolveAlert { .. } => Minds::Resolution,
        Verb::Note { .. } | Verb::Edit(_) | Verb::Create(_) | Verb::Arrange(_) => Minds::Nothing,
    }
}

/// What to do when the incident is not as the person saw it: `None` is "go on".
pub(super) fn meanwhile(verb: &Verb, target: &Target, now: &Observation) -> Option<Outcome> {
    let status = now.state.status;
    let by = now.extra.as_ref().and_then(|extra| extra.changed_by.as_ref());
    let by = by.map(|name| format!(" by {name}")).unwrap_or_default();
    let assignees = || now.state.assignees.iter().map(|user| user.id.clone()).collect();
    let conflict =
        |reason: String| Some(Outcome::Conflict { now: status, assignees: assignees(), reason: Shown::line(&reason) });
    match (minds(verb), status) {
        (Minds::Nothing, _) => None,
        (_, Status::Resolved) if matches!(verb, Verb::Resolve { note: None }) => {
            Some(Outcome::Confirmed { notice: Some(Shown::line(&format!("was resolved already{by}"))) })
        }
        (Minds::Assignees, _) if target.seen == status => others(target, now).and_then(conflict),
        _ if target.seen == status => None,
        (_, Status::Resolved) if matches!(verb, Verb::Acknowledge) => {
            conflict(format!("it was resolved{by} meanwhile; acknowledging would reopen it"))
        }
        (_, Status::Resolved) => conflict(format!("it was resolved{by} meanwhile")),
        (Minds::Resolution, _) => None,
        (_, Status::Acknowledged) => conflict(format!("it was acknowledged{by} meanwhile")),
        (_, Status::Triggered) => conflict("it is triggered again".to_owned()),
    }
}

/// Who has it now, if that is somebody else than the person saw.
fn others(target: &Target, now: &Observation) -> Option<String> {
    let (seen, names) = (&target.assignees, &now.state.assignees);
    let same = seen.len() == names.len() && names.iter().all(|name| seen.contains(&name.id));
    let names: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    (!same).then(|| format!("it was assigned to {} meanwhile", names.join(", ")))
}
