//! Everything known now. The server's board merges observations into changes; a console's applies the
//! changes. Both end with the same content.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    action::Action,
    delivery::{DeliverySummary, NOTHING},
    escalation::Policy,
    forward::TargetSummary,
    freshness::{Account, Door, Push, Upkeep},
    id::{AccountName, IncidentKey, PolicyId, StoreId, TeamId},
    incident::{Incident, Named, Observation, Source, Status},
    oncall::{OnCall, Person, Schedule},
    service::Services,
    template::TemplateSummary,
    text::Shown,
    words::count,
};

/// Lines of the webhook log kept on the board; older ones are asked for.
pub const LOG_LENGTH: usize = 500;
/// Actions kept on the board.
pub const ACTIONS_LENGTH: usize = 200;

/// What changed: always the whole new value of one thing, so that applying it twice is harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Incident(Box<Incident>),
    /// No longer kept (old and resolved, or gone at the provider).
    Forgotten(IncidentKey),
    Account(Box<Account>),
    OnCalls {
        account: AccountName,
        oncalls: Vec<OnCall>,
    },
    Schedules {
        account: AccountName,
        schedules: Vec<Schedule>,
    },
    Directory {
        account: AccountName,
        people: Vec<Person>,
        policies: Vec<Named<PolicyId>>,
        #[serde(default)]
        policy_teams: BTreeMap<PolicyId, Vec<Named<TeamId>>>,
    },
    Delivery(Box<DeliverySummary>),
    Action(Box<Action>),
    Templates(Vec<TemplateSummary>),
    Door(Door),
    /// Not configured any more: the account leaves the board, and its incidents with it.
    Unwatched(AccountName),
    Upkeep(Upkeep),
    Escalation {
        account: AccountName,
        policies: Vec<Policy>,
    },
    Services {
        account: AccountName,
        services: Services,
    },
    Targets(Vec<TargetSummary>),
    /// See [`Board::unshown`].
    Unshown(u64),
    /// What changes with every delivery, without the rest of what is known of the account.
    Push {
        account: AccountName,
        push: Box<Push>,
    },
}

/// What belongs to one account beside its incidents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountBoard {
    pub account: Account,
    #[serde(default)]
    pub oncalls: Vec<OnCall>,
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    #[serde(default)]
    pub people: Vec<Person>,
    #[serde(default)]
    pub policies: Vec<Named<PolicyId>>,
    /// The policies with their rules.
    #[serde(default)]
    pub escalation: Vec<Policy>,
    #[serde(default)]
    pub services: Services,
    /// A policy that is not in it: its teams are not known.
    #[serde(default)]
    pub policy_teams: BTreeMap<PolicyId, Vec<Named<TeamId>>>,
}

impl AccountBoard {
    /// An account of which nothing else is known.
    pub fn of(account: Account) -> Self {
        Self {
            account,
            oncalls: vec![],
            schedules: vec![],
            people: vec![],
            policies: vec![],
            escalation: vec![],
            services: Services::default(),
            policy_teams: BTreeMap::new(),
        }
    }
}

/// How many incidents stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub triggered: usize,
    pub acknowledged: usize,
    pub resolved: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// Where the numbers of deliveries and actions below come from.
    #[serde(default)]
    pub store: StoreId,
    #[serde(with = "as_list")]
    pub incidents: BTreeMap<IncidentKey, Incident>,
    pub accounts: BTreeMap<AccountName, AccountBoard>,
    /// Newest first, at most [`LOG_LENGTH`].
    pub deliveries: VecDeque<DeliverySummary>,
    /// Newest first, at most [`ACTIONS_LENGTH`].
    pub actions: VecDeque<Action>,
    pub templates: Vec<TemplateSummary>,
    pub door: Door,
    #[serde(default)]
    pub upkeep: Upkeep,
    /// By name.
    #[serde(default)]
    pub targets: Vec<TargetSummary>,
    /// Deliveries that were answered with 2xx and are not in the log, so in nothing that is shown; 0 while none waits for
    /// much longer than usual.
    #[serde(default)]
    pub unshown: u64,
    /// What a console was not told of, as no line takes all.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// What a board lacks of the one that it was made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Resolved incidents, the oldest.
    pub resolved: usize,
    /// Actions that are done, the oldest.
    pub actions: usize,
}

impl LeftOut {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The same in words.
    pub fn words(&self) -> Option<String> {
        let of = |n: usize, what: &str| (n > 0).then(|| format!("the {n} oldest {what}"));
        let both: Vec<_> =
            of(self.resolved, "resolved incidents").into_iter().chain(of(self.actions, "actions")).collect();
        (!both.is_empty()).then(|| format!("not shown, there are too many: {}", both.join(" and ")))
    }
}

impl Board {
    /// That what is shown lacks deliveries, in words.
    pub fn unshown_words(&self) -> Option<String> {
        let deliveries = usize::try_from(self.unshown).unwrap_or(usize::MAX);
        (deliveries > 0).then(|| format!("{} taken, not shown yet", count(deliveries, "webhook", "webhooks")))
    }

    /// What is shown of this delivery, while it is among the newest. A number alone is not enough: a store that was exchanged
    /// for another one counts anew.
    pub fn shown(&self, line: &DeliverySummary) -> Option<&DeliverySummary> {
        let at = self.deliveries.partition_point(|shown| shown.id > line.id);
        let is_same =
            |shown: &&DeliverySummary| (shown.id, shown.at, &shown.event_id) == (line.id, line.at, &line.event_id);
        self.deliveries.get(at).filter(is_same)
    }

    /// Whether so many newer deliveries are shown that this one has no place among them.
    pub fn is_too_old(&self, line: &DeliverySummary) -> bool {
        let is_older = |oldest: &DeliverySummary| line.id < oldest.id && line.at <= oldest.at;
        self.deliveries.len() >= LOG_LENGTH && self.deliveries.back().is_some_and(is_older)
    }

    /// Merges an observation; `None` when it is older than what is known, or a repetition.
    pub fn observe(&mut self, seen: &Observation) -> Option<Change> {
        if self.incidents.contains_key(&seen.key) { self.merge(seen) } else { Some(self.first(seen.clone())) }
    }

    /// The same, where `seen` is not needed any more: a long list does not take room twice.
    pub fn take(&mut self, seen: Observation) -> Option<Change> {
        if self.incidents.contains_key(&seen.key) { self.merge(&seen) } else { Some(self.first(seen)) }
    }

    fn merge(&mut self, seen: &Observation) -> Option<Change> {
        let known = self.incidents.get_mut(&seen.key)?;
        known.merge(seen).then(|| Change::Incident(Box::new(known.clone())))
    }

    fn first(&mut self, seen: Observation) -> Change {
        let incident = Incident::first(seen);
        let change = Change::Incident(Box::new(incident.clone()));
        self.incidents.insert(incident.key.clone(), incident);
        change
    }

    /// Whether only another look at the provider can tell if `seen` is true and newer than what is known. To be asked before
    /// it is observed.
    pub fn doubts(&self, seen: &Observation) -> bool {
        seen.stamp.source == Source::Unsigned || self.incidents.get(&seen.key).is_some_and(|known| known.doubts(seen))
    }

    /// Whether the incident stood otherwise later than this tells: providers answer from copies that lag behind. What
    /// nobody signed does not count.
    pub fn knows_better(&self, seen: &Observation) -> bool {
        let later = |known: &Incident| known.stamp > seen.stamp && known.stamp.source != Source::Unsigned;
        self.incidents.get(&seen.key).is_some_and(|known| later(known) && known.state.status != seen.state.status)
    }

    /// Merges an observation like [`observe`](Self::observe), and says what that did, in words.
    pub fn observe_told(&mut self, seen: &Observation) -> (Option<Change>, Shown) {
        let before = self.incidents.get(&seen.key).cloned();
        let change = self.observe(seen);
        let told = match (&before, &change) {
            (None, _) => format!("new incident, {}", seen.state.status.word()),
            (Some(known), Some(_)) => known.news(self.incidents.get(&seen.key).unwrap_or(known)),
            (Some(known), None) if known.state == seen.state => format!("{NOTHING}: this was known already"),
            (Some(_), None) => format!("{NOTHING}: a newer state was known"),
        };
        (change, Shown::line(&told))
    }

    /// An incident as people call it; with its account where there are several, as each has numbers of its own: `prod #1201`.
    pub fn name(&self, incident: &Incident) -> String {
        self.told_apart(&incident.key, incident.name())
    }

    /// The same, by its id where it is not known.
    pub fn name_of(&self, key: &IncidentKey) -> String {
        self.told_apart(key, self.incidents.get(key).map_or_else(|| key.id.to_string(), Incident::name))
    }

    /// Of which incident it became a part, by number and title: `#1201 disk full`. `None` of one that was not merged.
    pub fn merged_into(&self, incident: &Incident) -> Option<String> {
        let id = incident.extra()?.merged_into.clone()?;
        let into = IncidentKey { account: incident.key.account.clone(), id };
        let known = self.incidents.get(&into).map(|other| format!("{} {}", other.name(), other.state.title));
        Some(known.unwrap_or_else(|| into.id.to_string()))
    }

    fn told_apart(&self, key: &IncidentKey, name: String) -> String {
        if self.accounts.len() > 1 { format!("{} {name}", key.account) } else { name }
    }

    /// Takes over a change as it is.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Incident(incident) => {
                self.incidents.insert(incident.key.clone(), (**incident).clone());
            }
            Change::Forgotten(key) => {
                self.incidents.remove(key);
            }
            Change::Account(account) => self.set_account(account),
            Change::OnCalls { account, oncalls } => {
                if let Some(board) = self.accounts.get_mut(account) {
                    board.oncalls.clone_from(oncalls);
                }
            }
            Change::Schedules { account, schedules } => {
                if let Some(board) = self.accounts.get_mut(account) {
                    board.schedules.clone_from(schedules);
                }
            }
            Change::Directory { account, people, policies, policy_teams } => {
                if let Some(board) = self.accounts.get_mut(account) {
                    board.people.clone_from(people);
                    board.policies.clone_from(policies);
                    board.policy_teams.clone_from(policy_teams);
                }
            }
            Change::Delivery(delivery) => {
                put_newest_first(&mut self.deliveries, (**delivery).clone(), |d| d.id.0, LOG_LENGTH);
            }
            Change::Action(action) => {
                put_newest_first(&mut self.actions, (**action).clone(), |a| a.id.0, usize::MAX);
                self.drop_old_actions();
            }
            Change::Templates(templates) => self.templates.clone_from(templates),
            Change::Door(door) => self.door = door.clone(),
            Change::Unwatched(account) => {
                self.accounts.remove(account);
                self.incidents.retain(|key, _| key.account != *account);
            }
            Change::Upkeep(upkeep) => self.upkeep = upkeep.clone(),
            Change::Unshown(deliveries) => self.unshown = *deliveries,
            Change::Push { account, push } => {
                if let Some(board) = self.accounts.get_mut(account) {
                    board.account.push.clone_from(push);
                }
            }
            Change::Escalation { account, policies } => {
                if let Some(board) = self.accounts.get_mut(account) {
                    board.escalation.clone_from(policies);
                }
            }
            Change::Services { account, services } => {
                if let Some(board) = self.accounts.get_mut(account) {
                    board.services.clone_from(services);
                }
            }
            Change::Targets(targets) => self.targets.clone_from(targets),
        }
    }

    fn set_account(&mut self, account: &Account) {
        if let Some(board) = self.accounts.get_mut(&account.name) {
            board.account = account.clone();
            return;
        }
        self.accounts.insert(account.name.clone(), AccountBoard::of(account.clone()));
    }

    /// Lets the oldest go, but none that is still under way.
    fn drop_old_actions(&mut self) {
        while self.actions.len() > ACTIONS_LENGTH {
            let Some(oldest) = self.actions.iter().rposition(Action::is_final) else { return };
            self.actions.remove(oldest);
        }
    }

    /// What time it is at the provider of `account` when it is `now` here.
    pub fn provider_time(&self, account: &AccountName, now: Timestamp) -> Timestamp {
        self.accounts.get(account).map_or(now, |known| known.account.provider_time(now))
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for incident in self.incidents.values() {
            match incident.state.status {
                Status::Triggered => counts.triggered += 1,
                Status::Acknowledged => counts.acknowledged += 1,
                Status::Resolved => counts.resolved += 1,
            }
        }
        counts
    }
}

/// Replaces the item with the same number, or puts the new one in its place by number.
fn put_newest_first<T>(items: &mut VecDeque<T>, item: T, number: impl Fn(&T) -> i64, limit: usize) {
    let at = items.partition_point(|known| number(known) > number(&item));
    match items.get_mut(at) {
        Some(known) if number(known) == number(&item) => *known = item,
        _ => items.insert(at, item),
    }
    items.truncate(limit);
}

/// JSON objects have text keys; the incidents carry their own.
mod as_list {
    use super::{BTreeMap, Incident, IncidentKey};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        incidents: &BTreeMap<IncidentKey, Incident>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(incidents.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<IncidentKey, Incident>, D::Error> {
        let list = Vec::<Incident>::deserialize(from)?;
        Ok(list.into_iter().map(|incident| (incident.key.clone(), incident)).collect())
    }
}

#[cfg(test)]
pub(super) mod tests;
