//! What a provider last said beside its incidents, kept for a start without network.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use crate::{
    core::{
        board::AccountBoard,
        escalation::Policy,
        freshness::{Failure, Freshness, Identity},
        id::{AccountName, PolicyId},
        incident::Named,
        oncall::{OnCall, Person, Schedule},
        service::Services,
        text::Shown,
    },
    store::{Reader, StoreError, Write},
};

const KIND: &str = "account";

#[derive(Serialize, Deserialize)]
struct Snapshot {
    identity: Option<Identity>,
    rest: Freshness,
    on_call: Freshness,
    oncalls: Vec<OnCall>,
    schedules: Vec<Schedule>,
    people: Vec<Person>,
    policies: Vec<Named<PolicyId>>,
    #[serde(default)]
    escalation: Vec<Policy>,
    #[serde(default)]
    services: Services,
}

/// Keeps what is on the board for `account`, as of `at`.
pub async fn save(desk: &Desk, account: &AccountName, at: Timestamp) {
    let taken = desk.hub.look(|board| {
        board.accounts.get(account).map(|known| Snapshot {
            identity: known.account.identity.clone(),
            rest: known.account.rest.clone(),
            on_call: known.account.on_call.clone(),
            oncalls: known.oncalls.clone(),
            schedules: known.schedules.clone(),
            people: known.people.clone(),
            policies: known.policies.clone(),
            escalation: known.escalation.clone(),
            services: known.services.clone(),
        })
    });
    let Some(Ok(json)) = taken.map(|snapshot| serde_json::to_string(&snapshot)) else { return };
    let write = Write::Snapshot { account: account.clone(), kind: KIND, at, json };
    if let Err(error) = desk.store.save(vec![write]).await {
        tracing::warn!(%account, %error, "the last answers could not be kept");
    }
}

/// Who the credentials of an account belonged to when that was asked last: to show what is whose, never to act.
pub fn identity(reader: &Reader, account: &AccountName) -> Result<Option<Identity>, StoreError> {
    let Some((_, json)) = reader.snapshot(account, KIND)? else { return Ok(None) };
    Ok(serde_json::from_str::<Snapshot>(&json).ok().and_then(|kept| kept.identity))
}

/// What is dated later than that was dated by a clock that was ahead; less is its being set a little.
const AHEAD: SignedDuration = SignedDuration::from_secs(5);

/// Puts what was kept for an account onto its board, with the age that it has at `now`.
pub fn restore(reader: &Reader, known: &mut AccountBoard, now: Timestamp) -> Result<(), StoreError> {
    let Some((_, json)) = reader.snapshot(&known.account.name, KIND)? else { return Ok(()) };
    // One written by another version is worth nothing but a poll.
    let Ok(kept) = serde_json::from_str::<Snapshot>(&json) else { return Ok(()) };
    known.account.rest = aged(&kept.rest, now);
    known.account.on_call = aged(&kept.on_call, now);
    known.oncalls = kept.oncalls;
    known.schedules = kept.schedules;
    known.people = kept.people;
    known.policies = kept.policies;
    known.escalation = kept.escalation;
    known.services = kept.services;
    known.services.as_of = known.services.as_of.filter(|at| is_past(*at, now));
    Ok(())
}

/// As it was kept; of what is dated after `now` nobody knows how old it is.
fn aged(kept: &Freshness, now: Timestamp) -> Freshness {
    match kept.last_success {
        Some(at) if !is_past(at, now) => {
            let cause = Shown::line("what is kept was dated by a clock that was ahead, so its age is not known");
            Freshness { last_success: None, failure: Some(Failure { at: now, cause, unauthorised: false }) }
        }
        last_success => Freshness { last_success, failure: None },
    }
}

fn is_past(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) <= AHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::{board::Change, freshness::Standing},
        server::fake,
    };

    #[tokio::test]
    async fn what_was_kept_by_a_clock_that_was_ahead_is_not_taken_for_new() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = fake::Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let now = (desk.now)();
        let name = fake::key("P1").account;
        desk.hub.account(&name, |account| {
            account.rest.succeeded(now);
            account.on_call.succeeded(now);
        });
        let mut known = desk.hub.look(|board| board.accounts[&name].clone());
        known.services.as_of = Some(now);
        desk.hub.publish(Change::Services { account: name.clone(), services: known.services.clone() });
        save(&desk, &name, now).await;
        let restored = |at: Timestamp| {
            let (mut known, reader) = (known.clone(), Reader::open(dir.path()).expect("store"));
            restore(&reader, &mut known, at).expect("kept");
            known
        };

        let hours = |hours| SignedDuration::from_hours(hours);
        let (before, after) = (restored(now - hours(2)), restored(now + hours(2)));

        let standings =
            |known: &AccountBoard, at| [known.account.rest_standing(at), known.account.on_call_standing(at)];
        for standing in standings(&before, now - hours(2)) {
            let Standing::Down { cause } = standing else { panic!("{standing:?}") };
            assert!(cause.as_str().contains("not known"), "{cause}");
        }
        assert_eq!((before.services.as_of, after.services.as_of), (None, Some(now)));
        for standing in standings(&after, now + hours(2)) {
            assert!(matches!(standing, Standing::Stale { age, .. } if age == hours(2)), "{standing:?}");
        }
        let Standing::Fresh { .. } = restored(now - SignedDuration::from_secs(1)).account.rest_standing(now) else {
            panic!("a clock that is set by a second is no clock that was ahead")
        };
    }
}
