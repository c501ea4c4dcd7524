//! The one incident that somebody names: by number, id, account/id, or web address.

use super::{Client, Exit, Failure, output};
use crate::{
    core::{action::Target, detail::Detail, id::IncidentKey, query::incident::IncidentName},
    proto::{Answer, Request},
};

/// The incident that `text` names. One that is not on the board is at the only account there is, or at the one named with
/// it; whether it is really there, the provider says.
pub(super) fn find(client: &Client, text: &str) -> Result<IncidentKey, Failure> {
    let name = IncidentName::parse(text).map_err(|wrong| Failure::new(Exit::Usage, wrong))?;
    let known = client.board.incidents.values().filter(|incident| name.is_of(incident));
    let keys: Vec<&IncidentKey> = known.map(|incident| &incident.key).collect();
    match keys.as_slice() {
        [one] => Ok((*one).clone()),
        [] => elsewhere(client, &name)
            .ok_or_else(|| unknown(client, &format!("there is no incident `{text}` among those known"))),
        several => {
            let keys: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::new(Exit::Usage, format!("`{text}` names several incidents: {}", keys.join(", "))))
        }
    }
}

fn elsewhere(client: &Client, name: &IncidentName) -> Option<IncidentKey> {
    let mut accounts = client.board.accounts.values().map(|known| &known.account);
    let here = |account: &&crate::core::freshness::Account| name.account.as_ref().is_none_or(|it| *it == account.name);
    let asked: Vec<_> = accounts.by_ref().filter(here).collect();
    match asked.as_slice() {
        [one] if one.rest_off.is_none() => Some(IncidentKey { account: one.name.clone(), id: name.id.clone() }),
        _ => None,
    }
}

/// The same, of an incident that is on the board: only that can be acted on.
pub(super) fn target(client: &Client, key: &IncidentKey) -> Result<Target, Failure> {
    let known = client.board.incidents.get(key).map(Target::at);
    known.ok_or_else(|| unknown(client, &format!("there is no incident `{key}` among those known")))
}

/// Its alerts, notes and timeline; `None`, after saying why, where those are not to be had of a known incident.
pub(super) async fn detail(client: &mut Client, key: &IncidentKey) -> Result<Option<Detail>, Failure> {
    match client.ask(Request::DetailAnew { key: key.clone() }).await {
        Ok(Answer::Detail { detail }) => Ok(Some(*detail)),
        Ok(_) => Err(Failure::new(Exit::Failed, "the server answered another question")),
        Err(failure) if client.board.incidents.contains_key(key) => {
            output::complain(&format!("alerts, notes and timeline are not known: {failure}"));
            Ok(None)
        }
        Err(failure) => Err(unknown(
            client,
            &format!("there is no incident `{key}` among those known, nor to be asked for: {failure}"),
        )),
    }
}

/// Something that is not there; when not all is known it may be there all the same.
pub(super) fn unknown(client: &Client, what: &str) -> Failure {
    let doubts = client.doubts();
    match doubts.first() {
        None => Failure::new(Exit::Failed, what),
        Some(doubt) => Failure::new(Exit::Stale, format!("{what}, but not all is known: {doubt}")),
    }
}
