//! Requests that change something at a provider: checked, written down, and handed over to be carried out.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    actions::{self, Wait},
    desk::Desk,
    people::{Acting, Caller},
};
use crate::{
    core::{
        action::{Action, By, NewIncident, Target, Verb},
        board::Change,
        choices::ChoicesOf,
        id::{AccountName, ActionId, IncidentKey},
        text::Shown,
    },
    proto::Answer,
};

/// The most incidents that one action may name.
const TARGETS: usize = 1000;
/// The most bytes in which an action says what to do: the longest text, or services by the hundred.
const WORDS: usize = 256 * 1024;

impl Desk {
    /// `undoable`: it waits as long as the settings say, and can be taken back.
    pub(super) async fn act(
        self: &Arc<Self>,
        caller: &Caller,
        targets: Vec<Target>,
        verb: Verb,
        undoable: bool,
    ) -> Result<Answer, String> {
        if targets.is_empty() || targets.len() > TARGETS {
            return Err(format!("an action takes 1 to {TARGETS} incidents, not {}", targets.len()));
        }
        self.check(&verb, &targets)?;
        let targets = targets
            .into_iter()
            .map(|target| self.acting(caller, &target.key.account).map(|acting| (target, acting)))
            .collect::<Result<Vec<_>, String>>()?;
        let by = by(caller, targets.iter().map(|(_, acting)| acting));
        let keys = targets.iter().map(|(target, _)| target.key.clone()).collect();
        let (action, wait) = self.write_down(by, verb, keys, undoable).await?;
        let id = action.id;
        self.under_way.spawn(actions::carry_out(Arc::clone(self), action, targets, wait));
        Ok(Answer::Accepted { action: id })
    }

    /// Makes an incident.
    pub(super) async fn create(
        self: &Arc<Self>,
        caller: &Caller,
        account: AccountName,
        mut new: NewIncident,
        undoable: bool,
    ) -> Result<Answer, String> {
        if new.dedup_key.is_empty() {
            new.dedup_key = format!("dogwatch-{:016x}", fastrand::u64(..));
        }
        let key = IncidentKey { account, id: actions::placeholder(&new)? };
        let acting = self.acting(caller, &key.account)?;
        let verb = Verb::Create(Box::new(new));
        self.check(&verb, &[])?;
        let by = by(caller, [&acting].into_iter());
        let (action, wait) = self.write_down(by, verb, vec![key.clone()], undoable).await?;
        let id = action.id;
        self.under_way.spawn(actions::create(Arc::clone(self), action, key, acting, wait));
        Ok(Answer::Accepted { action: id })
    }

    /// Takes back an action of `caller`'s that was not sent yet.
    pub(super) fn take_back(&self, caller: &Caller, id: ActionId) -> Result<Answer, String> {
        self.waiting.take_back(id, caller.uid)?;
        Ok(Answer::TakenBack { action: id })
    }

    pub(super) async fn choices(&self, account: AccountName, of: ChoicesOf) -> Result<Answer, String> {
        let known = self.accounts.get(&account).ok_or_else(|| format!("there is no account `{account}`"))?;
        let provider = known.provider().await.map_err(|e| e.to_string())?;
        let choices = provider.choices(&of).await.map_err(|e| e.to_string())?;
        Ok(Answer::Choices { account, of, choices })
    }

    /// In whose name `caller` acts at `account`.
    pub(super) fn acting(&self, caller: &Caller, account: &AccountName) -> Result<Acting, String> {
        if !self.accounts.contains_key(account) {
            return Err(format!("there is no account `{account}`"));
        }
        self.people.acting(caller, account)
    }

    fn check(&self, verb: &Verb, targets: &[Target]) -> Result<(), String> {
        if let Some(objection) = verb.objection((self.now)()) {
            return Err(objection);
        }
        match verb {
            Verb::Merge { into, .. } if targets.iter().any(|target| target.key == *into) => {
                Err("an incident cannot be merged into itself".to_owned())
            }
            Verb::Merge { into, .. } if targets.iter().any(|target| target.key.account != into.account) => {
                Err("incidents of different accounts cannot be merged".to_owned())
            }
            Verb::Arrange(_) if !targets.is_empty() => Err("this is nothing that is done to an incident".to_owned()),
            Verb::Create(_) if !targets.is_empty() => Err("a new incident has no incident before it".to_owned()),
            _ => Ok(()),
        }
    }

    /// Nothing is sent that is not written down first.
    pub(super) async fn write_down(
        &self,
        by: By,
        verb: Verb,
        keys: Vec<IncidentKey>,
        undoable: bool,
    ) -> Result<(Action, Option<Wait>), String> {
        let verb = self.with_known_names(verb, &keys);
        let bytes = serde_json::to_string(&verb).map_or(usize::MAX, |text| text.len());
        if bytes > WORDS {
            let what = verb.word();
            return Err(format!("nothing was sent: {what} takes {bytes} bytes to say, at most {WORDS} are taken"));
        }
        tracing::info!(uid = by.uid, "{} of {} incidents is asked for", verb.word(), keys.len());
        let mut action = self
            .store
            .new_action((self.now)(), by, verb, keys)
            .await
            .map_err(|e| format!("nothing was sent: the action could not be written down: {e}"))?;
        // From when it can be seen: writing it down may have taken long.
        let now: Timestamp = (self.now)();
        let window = SignedDuration::try_from(self.waiting.window()).unwrap_or_default();
        action.due = (undoable && !window.is_zero()).then(|| now.checked_add(window).unwrap_or(now));
        let wait = action.due.map(|due| self.waiting.add(action.id, &action.by, due));
        self.hub.publish(Change::Action(Box::new(action.clone())));
        Ok((action, wait))
    }
}

/// For the log of actions.
pub(super) fn by<'a>(caller: &Caller, acting: impl Iterator<Item = &'a Acting>) -> By {
    let mut names: Vec<Shown> = acting.filter_map(Acting::name).collect();
    names.dedup();
    let name = names.iter().map(Shown::as_str).collect::<Vec<_>>().join(", ");
    By { actor: caller.login.clone(), uid: caller.uid, name: (!name.is_empty()).then(|| Shown::line(&name)) }
}
