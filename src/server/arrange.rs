//! Carrying out arrangements: overrides and maintenance windows. Like actions on incidents they are looked at right
//! before, written down before they are sent, sent once, and read back whenever the answer leaves doubt.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::{
    acting::by,
    actions::{CAUSE, Way, ended_well, not_seen_done, patiently, record, record_last},
    desk::Desk,
    people::{Acting, Caller},
    rota::NO_ROTA,
};
use crate::{
    core::{
        action::{Action, Outcome, Verb},
        arrangement::{Arrangement, Cover, MOST},
        id::{AccountName, ActionId, IncidentKey, ServiceId},
        incident::Named,
        oncall::Schedule,
        rota::replaced,
        service::Window,
        span::Span,
        text::Shown,
    },
    proto::Answer,
    provider::{Added, Provider, ProviderError, Removed, Rota},
};

/// What begins in the past, a provider lets begin now: so much later counts as the same.
const SLACK: SignedDuration = SignedDuration::from_mins(5);
/// The longest description of a maintenance window, in characters.
const DESCRIPTION: usize = 1000;

impl Desk {
    /// Writes an arrangement down and has it carried out.
    pub(super) async fn arrange(
        self: &Arc<Self>,
        caller: &Caller,
        account: AccountName,
        what: Arrangement,
    ) -> Result<Answer, String> {
        check(&what)?;
        let acting = self.acting(caller, &account)?;
        let keys = what.keys(&account);
        if keys.len() != what.parts() {
            return Err("a part of it has no usable id".to_owned());
        }
        let by = by(caller, std::iter::once(&acting));
        let (action, _) = self.write_down(by, Verb::Arrange(Box::new(what)), keys, false).await?;
        let id = action.id;
        self.under_way.spawn(carry_out(Arc::clone(self), action, acting));
        Ok(Answer::Accepted { action: id })
    }
}

fn check(what: &Arrangement) -> Result<(), String> {
    let parts = what.parts();
    if parts == 0 || parts > MOST {
        return Err(format!("an arrangement takes 1 to {MOST} parts, not {parts}"));
    }
    let sane = |span: &Span| {
        if span.to > span.from { Ok(()) } else { Err("it ends before it begins".to_owned()) }
    };
    match what {
        Arrangement::AddOverrides { covers, .. } => covers.iter().try_for_each(|cover| sane(&cover.span)),
        Arrangement::StartMaintenance { services, .. } if services.is_empty() => Err("it names no service".to_owned()),
        Arrangement::StartMaintenance { description, .. } if description.chars().count() > DESCRIPTION => {
            Err(format!("the description has more than {DESCRIPTION} characters"))
        }
        Arrangement::StartMaintenance { span, .. } => sane(span),
        Arrangement::RemoveOverrides { .. } | Arrangement::EndMaintenance { .. } => Ok(()),
    }
}

async fn carry_out(desk: Arc<Desk>, action: Action, acting: Acting) {
    let Verb::Arrange(what) = &action.verb else { return };
    let Some((first, _)) = action.outcomes.first() else { return };
    let way = Way::new(&desk, &action.by, first.account.clone(), acting);
    let keys: Vec<IncidentKey> = action.outcomes.iter().map(|(key, _)| key.clone()).collect();
    ended_well(&desk, action.id, &action.verb, &keys, all(&desk, &action, what, &way)).await;
    if let Some(account) = desk.accounts.get(&first.account) {
        // The board shows what came of it with the next look.
        account.look.notify_one();
    }
}

/// One part after the other: of overrides that overlap, the last one made wins.
async fn all(desk: &Desk, action: &Action, what: &Arrangement, way: &Way) {
    for (at, (key, _)) in action.outcomes.iter().enumerate() {
        let outcome = one(desk, action.id, what, at, key, way).await;
        record_last(desk, action.id, &action.verb, vec![(key.clone(), outcome)]).await;
    }
}

/// What became of a part that an earlier owner sent.
pub(super) async fn settle_sent(desk: &Desk, provider: &dyn Provider, what: &Arrangement, at: usize) -> Outcome {
    match provider.rota() {
        Some(rota) => read_back(desk, rota, what, at, CAUSE).await,
        None => Outcome::Unknown { reason: NO_ROTA.into() },
    }
}

async fn one(desk: &Desk, id: ActionId, what: &Arrangement, at: usize, key: &IncidentKey, way: &Way) -> Outcome {
    let provider = match way.now(desk).await {
        Ok((_, provider)) => provider,
        Err(reason) => return Outcome::Failed { reason },
    };
    let Some(rota) = provider.rota() else { return Outcome::Failed { reason: NO_ROTA.into() } };
    match patiently(|| look(rota, what, at, (desk.now)())).await {
        Ok(Look::Open) => {}
        Ok(Look::Done) => return Outcome::Confirmed { notice: Some(already(what).into()) },
        Ok(Look::Changed { who }) => {
            let reason = format!("not sent: {who} has that time by now; look again");
            return Outcome::Failed { reason: Shown::line(&reason) };
        }
        Err(error) => {
            let reason = format!("not sent, because it could not be looked at first: {error}");
            return Outcome::Failed { reason: Shown::line(&reason) };
        }
    }
    if let Err(error) = record(desk, id, &[(key.clone(), Outcome::Sent)]).await {
        let reason = format!("not sent, because it could not be written down: {error}");
        return Outcome::Failed { reason: Shown::line(&reason) };
    }
    match patiently(|| send(rota, what, at)).await {
        Ok(Sent::Known(outcome)) => outcome,
        Ok(Sent::InDoubt { given, cause }) => {
            let whole = read_back(desk, rota, what, at, cause.as_str()).await;
            if matches!(whole, Outcome::Confirmed { .. }) {
                return whole;
            }
            let failed = format!("{cause}; read back: the rest is not seen as given; look at the schedule");
            Outcome::Partly { done: given, failed: Shown::line(&failed) }
        }
        Err(error) if error.leaves_doubt() => read_back(desk, rota, what, at, &error.to_string()).await,
        Err(error) => Outcome::Failed { reason: error.shown() },
    }
}

fn already(what: &Arrangement) -> &'static str {
    match what {
        Arrangement::AddOverrides { .. } => "has that time already, nothing was sent",
        Arrangement::RemoveOverrides { .. } => "it was gone already",
        Arrangement::StartMaintenance { .. } => "there is such a window already, nothing was sent",
        Arrangement::EndMaintenance { .. } => "it was over already",
    }
}

/// How a part stands at the provider.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Done,
    Open,
    /// Not as the person saw it: somebody else has that time.
    Changed {
        who: String,
    },
}

async fn look(rota: &dyn Rota, what: &Arrangement, at: usize, now: Timestamp) -> Result<Look, ProviderError> {
    let is_done = match what {
        Arrangement::AddOverrides { schedule, covers } => {
            let Some(cover) = covers.get(at) else { return Ok(Look::Done) };
            return Ok(look_at_cover(&rota.shifts(schedule, cover.span).await?, cover));
        }
        Arrangement::RemoveOverrides { schedule, overrides } => {
            let Some(known) = overrides.get(at) else { return Ok(Look::Done) };
            let found = rota.overrides(&schedule.id, Span { from: known.start, to: known.end }).await?;
            !found.iter().any(|one| one.id == known.id && one.end > now)
        }
        Arrangement::StartMaintenance { services, span, description } => {
            let windows = rota.windows().await?;
            windows.iter().any(|window| is_meant(window, services, *span, description))
        }
        Arrangement::EndMaintenance { windows } => {
            let Some(meant) = windows.get(at) else { return Ok(Look::Done) };
            !rota.windows().await?.iter().any(|known| known.id == meant.id && known.end > now)
        }
    };
    Ok(if is_done { Look::Done } else { Look::Open })
}

fn look_at_cover(schedule: &Schedule, cover: &Cover) -> Look {
    if has(schedule, cover) {
        return Look::Done;
    }
    let (people, _) = replaced(schedule, cover.span.from, cover.span.to);
    let others: Vec<_> = people.iter().filter(|one| one.id != cover.user.id).collect();
    let seen: Vec<_> = cover.replaces.iter().filter(|one| one.id != cover.user.id).collect();
    let same = others.len() == seen.len() && others.iter().all(|one| seen.iter().any(|known| known.id == one.id));
    if same {
        return Look::Open;
    }
    let names: Vec<&str> = others.iter().map(|one| one.name.as_str()).collect();
    let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    Look::Changed { who: names }
}

/// Whether the person has the whole time already.
fn has(schedule: &Schedule, cover: &Cover) -> bool {
    let late = cover.span.from.checked_add(SLACK).unwrap_or(cover.span.from).min(cover.span.to);
    let mut reached: Option<Timestamp> = None;
    for shift in schedule.shifts.iter().filter(|shift| shift.user.id == cover.user.id) {
        match reached {
            None if shift.start <= late && shift.end > cover.span.from => reached = Some(shift.end),
            Some(end) if shift.start <= end => reached = Some(end.max(shift.end)),
            _ => {}
        }
    }
    let others_too = schedule
        .shifts
        .iter()
        .any(|shift| shift.user.id != cover.user.id && shift.start < cover.span.to && shift.end > late);
    !others_too && reached.is_some_and(|end| end >= cover.span.to)
}

fn is_meant(window: &Window, services: &[Named<ServiceId>], span: Span, description: &str) -> bool {
    let near = |a: Timestamp, b: Timestamp| a.duration_since(b).abs() <= SLACK;
    let all = services.iter().all(|one| window.services.iter().any(|known| known.id == one.id));
    let same_words = window.description == Shown::line(description);
    all && window.services.len() == services.len()
        && same_words
        && near(window.start, span.from)
        && near(window.end, span.to)
}

/// What the answer to a part says.
enum Sent {
    Known(Outcome),
    /// So much was given, and the answer to the rest was lost.
    InDoubt {
        given: Shown,
        cause: Shown,
    },
}

/// Sends a part, once. An error is of the whole request.
async fn send(rota: &dyn Rota, what: &Arrangement, at: usize) -> Result<Sent, ProviderError> {
    let done = Outcome::Confirmed { notice: None };
    Ok(Sent::Known(match what {
        Arrangement::AddOverrides { schedule, covers } => {
            let cover = covers.get(at).map(std::slice::from_ref).unwrap_or_default();
            match rota.add_overrides(&schedule.id, cover).await?.pop() {
                Some(Added::Made) => done,
                Some(Added::There) => Outcome::Confirmed { notice: Some(already(what).into()) },
                Some(Added::Partly { failed }) => Outcome::Partly { done: "a part of the time".into(), failed },
                Some(Added::InDoubt { given, cause }) => return Ok(Sent::InDoubt { given, cause }),
                Some(Added::Refused { reason }) => Outcome::Failed { reason },
                None => Outcome::Unknown { reason: "the provider's answer does not speak of it".into() },
            }
        }
        Arrangement::RemoveOverrides { schedule, overrides } => match overrides.get(at) {
            Some(known) => removed(rota.remove_override(&schedule.id, &known.id).await?),
            None => done,
        },
        Arrangement::StartMaintenance { services, span, description } => {
            let made = rota.start_maintenance(services, *span, description).await?;
            let lacks = services.iter().filter(|one| !made.services.iter().any(|known| known.id == one.id));
            let lacks: Vec<&str> = lacks.map(|one| one.name.as_str()).collect();
            match lacks.as_slice() {
                [] => done,
                lacks => Outcome::Partly {
                    done: "a window was made".into(),
                    failed: Shown::line(&format!("it does not hold {}", lacks.join(", "))),
                },
            }
        }
        Arrangement::EndMaintenance { windows } => match windows.get(at) {
            Some(window) => removed(rota.end_maintenance(&window.id).await?),
            None => done,
        },
    }))
}

fn removed(removed: Removed) -> Outcome {
    let notice = match removed {
        Removed::Gone => None,
        Removed::CutShort => Some("it was running, and ends now".into()),
        Removed::OverAlready => Some("it was over already".into()),
    };
    Outcome::Confirmed { notice }
}

/// Finds out by reading what became of a part that was sent.
async fn read_back(desk: &Desk, rota: &dyn Rota, what: &Arrangement, at: usize, cause: &str) -> Outcome {
    let mut last = None;
    for wait in desk.read_back {
        sleep(*wait).await;
        last = look(rota, what, at, (desk.now)()).await.ok();
        if last == Some(Look::Done) {
            return Outcome::Confirmed { notice: Some("the answer was lost; read back and found done".into()) };
        }
    }
    if let Some(Look::Changed { who }) = last {
        // As it was when it was sent it is not either: a part of it may have been done.
        let reason = format!("{cause}; read back: {who} has that time by now, or a part of it; look at the schedule");
        return Outcome::Unknown { reason: Shown::line(&reason) };
    }
    not_seen_done(last.is_some(), &format!("{cause}; read back: not done"))
}

#[cfg(test)]
mod tests;
