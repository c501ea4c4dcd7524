//! Who is paged next, as this console can tell.

use crate::{
    app::{Model, page::Tone},
    core::{
        escalation::{self, Outlook, Whom},
        incident::{Incident, Status},
    },
};

/// What comes if nobody acknowledges, in a line for the detail; `None` when it is not triggered.
pub fn next_paged(model: &Model, incident: &Incident) -> Option<(Tone, String)> {
    let outlook = outlook(model, incident)?;
    let policy = incident.state.escalation_policy.as_ref().map_or("its policy", |policy| policy.name.as_str());
    let now = model.board.provider_time(&incident.key.account, model.now);
    let doubt = doubt(model, incident);
    let words = escalation::long(&outlook, policy, now, doubt.as_deref());
    Some((tone(&outlook, doubt.is_some()), words))
}

/// The same for a column of the list; empty when it is not triggered.
pub fn next_paged_short(model: &Model, incident: &Incident) -> String {
    let now = model.board.provider_time(&incident.key.account, model.now);
    let doubt = doubt(model, incident);
    outlook(model, incident).map_or_else(String::new, |outlook| escalation::short(&outlook, now, doubt.as_deref()))
}

/// What has to be said with the people, when who is on call is not fresh.
fn doubt(model: &Model, incident: &Incident) -> Option<String> {
    escalation::doubt(&model.board.accounts.get(&incident.key.account)?.account, model.now)
}

fn outlook(model: &Model, incident: &Incident) -> Option<Outlook> {
    if incident.state.status != Status::Triggered {
        return None;
    }
    let board = model.board.accounts.get(&incident.key.account)?;
    Some(escalation::outlook(incident, board, board.account.provider_time(model.now)))
}

fn tone(outlook: &Outlook, is_old: bool) -> Tone {
    match outlook {
        Outlook::Pages { whom: Whom::Nobody { .. }, .. } if !is_old => Tone::Alarm,
        Outlook::Pages { .. } => Tone::Caution,
        Outlook::Nobody(_) => Tone::Plain,
        Outlook::NotKnown(_) => Tone::Faint,
    }
}
