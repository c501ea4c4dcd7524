//! What a provider last said beside its incidents, kept for a start without network.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use crate::{
    core::{
        board::AccountBoard,
        escalation::Policy,
        freshness::{Freshness, Identity},
        id::{AccountName, PolicyId},
        incident::Named,
        oncall::{OnCall, Person, Schedule},
        service::Services,
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

/// Puts what was kept for an account onto its board, with the age that it has.
pub fn restore(reader: &Reader, known: &mut AccountBoard) -> Result<(), StoreError> {
    let Some((_, json)) = reader.snapshot(&known.account.name, KIND)? else { return Ok(()) };
    // One written by another version is worth nothing but a poll.
    let Ok(kept) = serde_json::from_str::<Snapshot>(&json) else { return Ok(()) };
    known.account.rest = Freshness { last_success: kept.rest.last_success, failure: None };
    known.account.on_call = Freshness { last_success: kept.on_call.last_success, failure: None };
    known.oncalls = kept.oncalls;
    known.schedules = kept.schedules;
    known.people = kept.people;
    known.policies = kept.policies;
    known.escalation = kept.escalation;
    known.services = kept.services;
    Ok(())
}
