//! Actions that went out and were never answered: whether they are done is not known here. Such a doubt
//! stays on its incidents until the board shows the action, or a later one of ours like it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    app::{Model, NoticeKind, prompt::Wish},
    core::{
        action::{Action, Verb},
        id::{ActionId, IncidentKey, StoreId},
        incident::Status,
        text::Shown,
        words::clock,
    },
    proto::RequestId,
};

/// An action that this console sent to the server.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) verb: Verb,
    pub(super) subject: String,
    pub(super) keys: Vec<IncidentKey>,
    /// The first of those that were asked for by the same key: they are taken back together.
    pub(super) with: RequestId,
    pub(super) at: Timestamp,
    /// Where it was to be written down.
    pub(super) store: StoreId,
    /// The newest action known there by then: what came of this one has a higher number.
    pub(super) after: Option<ActionId>,
}

/// Those without an answer.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    asked: BTreeMap<RequestId, Asked>,
    /// What was said last about doubts, and about how many.
    said: Option<(Shown, usize)>,
}

impl Doubts {
    /// It was answered after all.
    pub(super) fn remove(&mut self, id: RequestId) -> Option<Asked> {
        self.asked.remove(&id)
    }
}

/// Remembers that `asked` has no answer, and says so: together with earlier doubts that still stand there.
pub(super) fn add(model: &mut Model, id: RequestId, asked: Asked, why: &str) {
    let earlier = unsay(model);
    let text = match earlier {
        0 => format!("{} {}: not known whether it is done: {why}", asked.verb.word(), asked.subject),
        _ => format!("{} actions: not known whether they are done (? marks them): {why}", earlier + 1),
    };
    model.say(NoticeKind::Bad, &text);
    let doubts = &mut model.incidents.tracking.doubts;
    doubts.said = Some((Shown::line(&text), earlier + 1));
    doubts.asked.insert(id, asked);
}

/// Takes back what was said about doubts, if it still stands there: about how many that was.
pub(super) fn unsay(model: &mut Model) -> usize {
    let Some((said, count)) = model.incidents.tracking.doubts.said.take() else { return 0 };
    model.notice.take_if(|notice| notice.text == said).map_or(0, |_| count)
}

/// Takes out the doubts that the board has resolved; gives those of which it shows the action.
pub(super) fn settle(model: &mut Model) -> Vec<(ActionId, (RequestId, Asked))> {
    let mut found = vec![];
    for (id, asked) in std::mem::take(&mut model.incidents.tracking.doubts.asked) {
        if let Some(action) = shown(model, &asked) {
            found.push((action, (id, asked)));
        } else if asked.keys.iter().any(|key| is_standing(model, &asked, key)) {
            model.incidents.tracking.doubts.asked.insert(id, asked);
        }
    }
    found
}

/// Whether the doubt says something about this incident. What another server does not know of, its own may still tell.
fn is_standing(model: &Model, asked: &Asked, key: &IncidentKey) -> bool {
    let is_kept = model.board.incidents.contains_key(key) || asked.store != model.board.store;
    is_kept && !is_over(model, asked, key)
}

/// The action on the board that came of `asked`.
fn shown(model: &Model, asked: &Asked) -> Option<ActionId> {
    let keys: BTreeSet<_> = asked.keys.iter().collect();
    let same = |action: &&Action| {
        action.verb == asked.verb && action.outcomes.iter().map(|(key, _)| key).collect::<BTreeSet<_>>() == keys
    };
    ours_since(model, asked).filter(same).last().map(|action| action.id)
}

/// What this console's user asked for since, here or elsewhere, newest first. The numbers of another store tell nothing:
/// what it holds is compared by the clock.
fn ours_since<'a>(model: &'a Model, asked: &Asked) -> impl Iterator<Item = &'a Action> {
    let me = model.access.actor();
    let (after, at, is_same_store) = (asked.after, asked.at, asked.store == model.board.store);
    let is_later = move |action: &&Action| if is_same_store { Some(action.id) > after } else { action.at > at };
    let since = model.board.actions.iter().take_while(is_later);
    since.filter(move |action| Some(action.by.actor.as_str()) == me)
}

/// Whether a later action of ours says more about this incident than the doubt does.
fn is_over(model: &Model, asked: &Asked, key: &IncidentKey) -> bool {
    let like = |verb: &Verb| match Wish::of(verb) {
        wish if wish.repeats() => *verb == asked.verb,
        wish => wish.is(&asked.verb),
    };
    let covers = |action: &Action| like(&action.verb) && action.outcomes.iter().any(|(known, _)| known == key);
    ours_since(model, asked).any(covers)
}

/// Whether the incident stands where the action would have brought it, whoever did it.
fn is_moot(model: &Model, asked: &Asked, key: &IncidentKey) -> bool {
    let now = model.board.incidents.get(key).map(|incident| incident.state.status);
    match asked.verb {
        Verb::Acknowledge => now.is_some_and(|now| now != Status::Triggered),
        Verb::Resolve { .. } => now == Some(Status::Resolved),
        _ => false,
    }
}

/// What was asked for on this incident and may or may not be done, in words.
pub fn doubt(model: &Model, key: &IncidentKey) -> Option<String> {
    let stands =
        |asked: &&Asked| asked.keys.contains(key) && !is_over(model, asked, key) && !is_moot(model, asked, key);
    let standing = model.incidents.tracking.doubts.asked.values().filter(stands);
    let words = |asked: &Asked| format!("{} at {}", asked.verb.word(), clock(asked.at, &model.zone));
    let words: Vec<_> = standing.map(words).collect();
    let asked = (!words.is_empty()).then(|| format!("asked already, outcome not known: {}", words.join(", ")));
    let both: Vec<_> = asked.into_iter().chain(left(model, key)).collect();
    (!both.is_empty()).then(|| both.join("; "))
}

/// That it left the view, in words.
pub(super) fn left(model: &Model, key: &IncidentKey) -> Option<String> {
    let account = &model.board.accounts.get(&key.account)?.account;
    Some(account.left(&key.id)?.words(model.now))
}
