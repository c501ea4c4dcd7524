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
    id::{AccountName, IncidentKey, PolicyId, TeamId},
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
            (Some(known), Some(_)) => {
                let now = self.incidents.get(&seen.key).map_or(&known.state, |incident| &incident.state);
                let difference = known.state.difference(now);
                if difference.is_empty() { "what only REST tells".to_owned() } else { difference }
            }
            (Some(known), None) if known.state == seen.state => format!("{NOTHING}: this was known already"),
            (Some(_), None) => format!("{NOTHING}: a newer state was known"),
        };
        (change, Shown::line(&told))
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
pub(super) mod tests {
    use super::*;
    use crate::core::{
        action::{Action, By, Outcome, Verb},
        delivery::{Direction, Verdict},
        freshness::tests::account,
        id::{ActionId, DeliveryId, IncidentId, UserId},
        incident::{
            Stamp,
            tests::{any_observation, observation},
        },
    };
    use proptest::prelude::*;

    pub(in crate::core) fn summary(id: i64) -> DeliverySummary {
        DeliverySummary {
            id: DeliveryId(id),
            at: Timestamp::UNIX_EPOCH,
            direction: Direction::Incoming,
            account: None,
            verdict: Verdict::Accepted,
            reason: Shown::default(),
            status: 202,
            event_id: None,
            event_type: None,
            incident: None,
            subject: None,
            latency_us: Some(1),
            size: 1,
            proof: None,
            altered: false,
            changed: None,
            target: None,
        }
    }

    fn delivery(id: i64) -> Change {
        Change::Delivery(Box::new(summary(id)))
    }

    #[test]
    fn the_log_is_newest_first_bounded_and_without_repetitions() {
        let mut board = Board::default();
        for id in [3, 1, 2, 3, 2] {
            board.apply(&delivery(id));
        }
        assert_eq!(board.deliveries.iter().map(|d| d.id.0).collect::<Vec<_>>(), [3, 2, 1]);
        for id in 0..2000 {
            board.apply(&delivery(id));
        }
        assert_eq!(board.deliveries.len(), LOG_LENGTH);
        assert_eq!(board.deliveries[0].id.0, 1999);
    }

    #[test]
    fn an_action_under_way_is_never_dropped_for_newer_ones() {
        let action = |id: i64, outcome: Outcome| {
            let key = IncidentKey { account: "prod".parse().expect("id"), id: "P1".parse().expect("id") };
            Change::Action(Box::new(Action {
                id: ActionId(id),
                at: Timestamp::UNIX_EPOCH,
                by: By { actor: "alice".into(), uid: None, name: None },
                verb: Verb::Resolve { note: None },
                outcomes: vec![(key, outcome)],
                due: None,
            }))
        };
        let mut board = Board::default();
        board.apply(&action(0, Outcome::Sent));
        for id in 1..=2 * i64::try_from(ACTIONS_LENGTH).expect("small") {
            board.apply(&action(id, Outcome::Confirmed { notice: None }));
        }

        assert_eq!(board.actions.len(), ACTIONS_LENGTH);
        assert_eq!(board.actions.back().map(|a| a.id), Some(ActionId(0)));
    }

    #[test]
    fn a_board_reads_back_as_it_was_written() {
        let mut board = Board::default();
        board.apply(&delivery(7));
        let text = serde_json::to_string(&board).expect("json");
        assert_eq!(serde_json::from_str::<Board>(&text).expect("board"), board);
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("small")
    }

    fn push(status: Status, at: i64) -> Observation {
        observation(status, Stamp::push(second(at)), "disk full")
    }

    fn name(text: &str) -> AccountName {
        text.parse().expect("name")
    }

    fn of(account: &str, seen: Observation) -> Observation {
        Observation { key: IncidentKey { account: name(account), ..seen.key }, ..seen }
    }

    #[test]
    fn the_log_says_what_an_observation_did() {
        let mut board = Board::default();
        let mut told = |seen: &Observation| {
            let (change, told) = board.observe_told(seen);
            (change.is_some(), told.to_string())
        };
        let rest = observation(Status::Acknowledged, Stamp::rest(second(20), second(30)), "disk full");

        assert_eq!(told(&push(Status::Triggered, 10)), (true, "new incident, triggered".to_owned()));
        assert_eq!(told(&push(Status::Triggered, 10)), (false, format!("{NOTHING}: this was known already")));
        assert_eq!(told(&push(Status::Acknowledged, 20)), (true, "triggered -> acknowledged".to_owned()));
        assert_eq!(told(&push(Status::Resolved, 15)), (false, format!("{NOTHING}: a newer state was known")));
        assert_eq!(told(&rest), (true, "what only REST tells".to_owned()));
    }

    #[test]
    fn another_look_is_asked_for_where_nobody_signed_or_the_times_leave_it_open_and_nowhere_else() {
        let mut board = Board::default();
        board.observe(&push(Status::Resolved, 10));

        assert!(board.doubts(&push(Status::Triggered, 10)), "which came last?");
        assert!(board.doubts(&push(Status::Triggered, 20).unsigned(second(21))));
        assert!(!board.doubts(&push(Status::Triggered, 20)));
        assert!(!board.doubts(&of("lab", push(Status::Triggered, 10))), "nothing is known of that one");
    }

    proptest! {
        #[test]
        fn a_console_that_takes_over_every_change_shows_what_the_server_knows(
            history in prop::collection::vec(any_observation(), 1..9)
        ) {
            let (mut server, mut console) = (Board::default(), Board::default());
            for seen in &history {
                if let Some(change) = server.observe(seen) { console.apply(&change); }
            }

            let shown = |board: &Board| -> Vec<_> {
                let all = board.incidents.values();
                all.map(|one| (one.headline(), one.state.clone(), one.stamp.at, one.extra().cloned())).collect()
            };
            prop_assert_eq!(shown(&console), shown(&server));
        }
    }

    proptest! {
        /// Peer fault: a list that was asked for before a webhook came, and arrives after it, or the other way round.
        #[test]
        fn a_poll_and_webhooks_that_race_end_in_the_same_board_in_either_order(
            seen in prop::collection::vec((any_observation(), 0..3_u8), 1..12), cut in 0..12_usize
        ) {
            let named = |(seen, n): (Observation, u8)| {
                let key = IncidentKey { id: IncidentId::new(format!("P{n}")).expect("id"), ..seen.key };
                Observation { key, ..seen }
            };
            let seen: Vec<Observation> = seen.into_iter().map(named).collect();
            let (polled, pushed): (Vec<_>, Vec<_>) = seen.into_iter().partition(|seen| seen.stamp.source == Source::Rest);
            let end = |order: &[&[Observation]]| {
                let mut board = Board::default();
                order.iter().flat_map(|part| part.iter()).for_each(|seen| drop(board.observe(seen)));
                let all = board.incidents.values();
                all.map(|one| (one.headline(), one.state.clone(), one.stamp.at, one.extra().cloned())).collect::<Vec<_>>()
            };
            let (before, after) = pushed.split_at(cut.min(pushed.len()));

            let first = end(&[&polled, &pushed]);

            prop_assert_eq!(&end(&[&pushed, &polled]), &first);
            prop_assert_eq!(&end(&[before, &polled, after]), &first);
        }
    }

    fn user(id: &str) -> Named<UserId> {
        Named { id: id.parse().expect("id"), name: id.into() }
    }

    fn push_of(rejected: u32) -> Push {
        Push { rejected, ..Push::default() }
    }

    #[test]
    fn every_change_reaches_the_board_and_twice_is_as_once() {
        let policy = || Named { id: "EP1".parse().expect("id"), name: "web".into() };
        let oncall =
            OnCall { policy: policy(), level: 1, user: user("U1"), schedule: None, start: None, end: Some(second(9)) };
        let schedule = Schedule {
            schedule: Named { id: "S1".parse().expect("id"), name: "nights".into() },
            zone: "UTC".into(),
            shifts: vec![],
            from: second(0),
            to: second(9),
        };
        let person = Person { user: user("U1"), email: None };
        let teams: BTreeMap<_, _> =
            [(policy().id, vec![Named { id: "T1".parse().expect("id"), name: "nights".into() }])].into();
        let template = TemplateSummary { name: "slack".to_owned(), saved_at: None, built_in: true };
        let door = Door::Open { address: "127.0.0.1:8484".to_owned() };
        let upkeep = Upkeep { settings: Some("line 3".into()), certificate: None, targets: None };
        let incident = Incident::first(push(Status::Triggered, 10));
        let changes = [
            Change::Account(Box::new(account("prod"))),
            Change::OnCalls { account: name("prod"), oncalls: vec![oncall.clone()] },
            Change::Schedules { account: name("prod"), schedules: vec![schedule.clone()] },
            Change::Directory {
                account: name("prod"),
                people: vec![person.clone()],
                policies: vec![policy()],
                policy_teams: teams.clone(),
            },
            // What is known of its people outlives another look at the account itself.
            Change::Account(Box::new(Account { poll_seconds: 60, ..account("prod") })),
            Change::Incident(Box::new(incident.clone())),
            Change::Templates(vec![template.clone()]),
            Change::Door(door.clone()),
            Change::Upkeep(upkeep.clone()),
            Change::Unshown(3),
            Change::Push { account: name("prod"), push: Box::new(push_of(3)) },
        ];

        let mut board = Board::default();
        for change in changes.iter().flat_map(|change| [change, change]) {
            board.apply(change);
        }

        let prod = AccountBoard {
            account: Account { poll_seconds: 60, push: push_of(3), ..account("prod") },
            oncalls: vec![oncall],
            schedules: vec![schedule],
            people: vec![person],
            policies: vec![policy()],
            policy_teams: teams,
            ..AccountBoard::of(account("prod"))
        };
        let whole = Board {
            incidents: [(incident.key.clone(), incident)].into(),
            accounts: [(name("prod"), prod)].into(),
            templates: vec![template],
            door,
            upkeep,
            unshown: 3,
            ..Board::default()
        };
        assert_eq!(board, whole);
    }

    #[test]
    fn what_is_forgotten_or_not_watched_any_more_leaves_the_board_and_nothing_else_does() {
        let mut board = Board::default();
        let other = IncidentKey { account: name("prod"), id: IncidentId::new("P2").expect("id") };
        for seen in [push(Status::Triggered, 1), of("lab", push(Status::Triggered, 1))] {
            board.apply(&Change::Account(Box::new(account(seen.key.account.as_str()))));
            board.observe(&seen);
        }
        board.observe(&Observation { key: other.clone(), ..push(Status::Triggered, 1) });

        board.apply(&Change::Forgotten(other));
        assert_eq!(board.incidents.keys().map(ToString::to_string).collect::<Vec<_>>(), ["lab/P1", "prod/P1"]);

        board.apply(&Change::Unwatched(name("lab")));
        assert_eq!(board.incidents.keys().map(ToString::to_string).collect::<Vec<_>>(), ["prod/P1"]);
        assert_eq!(board.accounts.keys().map(AccountName::as_str).collect::<Vec<_>>(), ["prod"]);
    }

    #[test]
    fn the_header_counts_each_incident_where_it_stands() {
        let mut board = Board::default();
        let all = [(Status::Triggered, 3), (Status::Acknowledged, 2), (Status::Resolved, 1)];
        for (status, n) in all.into_iter().flat_map(|(status, many)| (0..many).map(move |n| (status, n))) {
            board.observe(&of(&format!("{}-{n}", status.word()), push(status, 1)));
        }

        assert_eq!(board.counts(), Counts { triggered: 3, acknowledged: 2, resolved: 1 });
    }
}
