//! A provider in memory whose answers can be spoiled, for tests of what the server makes of them.

mod desks;
mod provider;
mod rota;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::{
    core::{
        action::{Assignee, Edit, Step},
        call::Budget,
        id::{AccountName, IncidentId, IncidentKey, SubscriptionId, UserId},
        incident::{Extra, Named, Observation, Pending, Stamp, State, Status, Urgency},
        oncall::OnCall,
        subscription::{self, Filter, Subscription},
        text::Shown,
    },
    provider::{ProviderError, Touch},
};

pub(super) use self::desks::{chat, desk, desk_of, parts, settings, want_everything};

/// Looks of a test do not take half a minute.
const READ_BACK: &[Duration] = &[Duration::ZERO, Duration::from_millis(1), Duration::from_millis(2)];

/// What happens to the next call.
#[derive(Debug, Clone)]
pub(super) enum Spoil {
    /// Nothing is spoiled.
    Not,
    /// The write is carried out, but the answer is lost.
    AnswerLost,
    /// Nothing is carried out and no answer comes.
    Silence,
    /// A clear refusal.
    Error(ProviderError),
    /// The write is carried out, and what is made of the answer fails through a mistake of ours.
    Mistake,
    /// Everything was given this status by somebody else a moment before, and the write is refused.
    Overtaken(Status, ProviderError),
}

struct Inside {
    incidents: BTreeMap<IncidentId, Observation>,
    /// What was done beside incidents.
    signs: Vec<(IncidentId, Step)>,
    /// Nothing can be read back of what was done beside incidents.
    signless: bool,
    /// The incidents of each write.
    requests: Vec<Vec<IncidentId>>,
    /// Every write that names one of these is refused.
    refused: BTreeSet<IncidentId>,
    writes: usize,
    next_write: VecDeque<Spoil>,
    reads: Option<ProviderError>,
    failing_reads: usize,
    /// Reads that work before those fail.
    spared_reads: usize,
    /// Those that cannot be had alone, and why.
    hidden: BTreeMap<IncidentId, ProviderError>,
    on_calls: Result<Vec<OnCall>, ProviderError>,
    subscriptions: Result<Vec<Subscription>, ProviderError>,
    pings: usize,
    looks: usize,
    skew: Option<SignedDuration>,
    /// Lists of open incidents that were asked for, single incidents, and details.
    lists: usize,
    /// Lists of resolved ones, by since when.
    histories: Vec<Timestamp>,
    singles: usize,
    details: usize,
    contexts: usize,
    /// What happened, as the provider's log has it, where it tells.
    log: Option<Vec<Touch>>,
    budget: Option<Budget>,
    hangs: bool,
    /// In whose name each write was made; `None`: the account's own.
    names: Vec<Option<String>>,
    rota: rota::Kept,
    /// The next look at each of these waits until it is let go on, for seconds, and the other is resolved by somebody
    /// meanwhile.
    slow: BTreeMap<IncidentId, (Arc<Notify>, IncidentId)>,
    /// The next list of open incidents takes 8 s, and this one is resolved by somebody meanwhile.
    slow_list: Option<IncidentId>,
    /// The next list of open incidents never comes.
    lost_list: bool,
    /// The next time a write is prepared waits until it is let go on, for seconds, and this one is resolved by somebody
    /// meanwhile.
    slow_preparation: Option<(Arc<Notify>, IncidentId)>,
    /// Writes cannot be prepared so often.
    unprepared: Option<(ProviderError, usize)>,
    preparations: usize,
    /// How often it was asked who acts.
    identities: usize,
}

impl Default for Inside {
    fn default() -> Self {
        Self {
            incidents: BTreeMap::new(),
            signs: vec![],
            signless: false,
            requests: vec![],
            refused: BTreeSet::new(),
            writes: 0,
            next_write: VecDeque::new(),
            reads: None,
            failing_reads: 0,
            spared_reads: 0,
            hidden: BTreeMap::new(),
            on_calls: Ok(vec![]),
            subscriptions: Ok(vec![]),
            pings: 0,
            looks: 0,
            skew: None,
            lists: 0,
            histories: vec![],
            singles: 0,
            details: 0,
            contexts: 0,
            log: None,
            budget: None,
            hangs: false,
            names: vec![],
            rota: rota::Kept::default(),
            slow: BTreeMap::new(),
            slow_list: None,
            lost_list: false,
            slow_preparation: None,
            unprepared: None,
            preparations: 0,
            identities: 0,
        }
    }
}

/// The provider; a clone is the same one.
#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<Inside>>, Option<String>);

pub(super) fn account_name() -> AccountName {
    AccountName::new("prod").expect("id")
}

pub(super) fn key(id: &str) -> IncidentKey {
    IncidentKey { account: account_name(), id: IncidentId::new(id).expect("id") }
}

pub(super) fn person(name: &str) -> Named<UserId> {
    Named { id: UserId::new(format!("P{name}")).expect("id"), name: name.into() }
}

/// The clock stands still as long as this is held, also by one who is not waited for any more.
struct Paused;

impl Paused {
    fn now() -> Self {
        tokio::time::pause();
        Self
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

fn timed_out() -> ProviderError {
    ProviderError::TimedOut { address: "fake".into(), within: Duration::from_secs(15) }
}

fn observation(id: &str, status: Status, second: i64) -> Observation {
    let at = Timestamp::from_second(1_700_000_000 + second).expect("small");
    let state = State {
        status,
        urgency: Urgency::High,
        title: Shown::line(&format!("{id} is down")),
        number: Some(7),
        priority: None,
        service: None,
        escalation_policy: None,
        assignees: vec![person("alice")],
        teams: vec![],
        created_at: at,
        url: None,
        dedup_key: None,
    };
    let extra = Some(Extra { changed_by: Some("Bob".into()), ..Extra::default() });
    Observation { key: key(id), stamp: Stamp::rest(at, at), state, extra }
}

impl Inside {
    /// Takes a step as the provider would; gives the incident where its answer shows it.
    fn take(&mut self, id: &IncidentId, step: &Step) -> Option<Observation> {
        let known = self.incidents.get_mut(id).expect("incident");
        match step {
            Step::Acknowledge => {
                known.state.status = Status::Acknowledged;
                let acknowledged = (known.stamp.at, Shown::line("alice"));
                known.extra.get_or_insert_default().acknowledged.push(acknowledged);
            }
            Step::Resolve => known.state.status = Status::Resolved,
            Step::Assign(Assignee::User(user)) => known.state.assignees = vec![user.clone()],
            Step::Assign(Assignee::EscalationPolicy(policy)) => known.state.escalation_policy = Some(policy.clone()),
            Step::Edit(Edit::Title(title)) => known.state.title = Shown::line(title),
            Step::Edit(Edit::Urgency(urgency)) => known.state.urgency = *urgency,
            Step::Edit(Edit::Priority(one)) => known.state.priority = one.as_ref().map(|one| one.name.clone()),
            Step::Snooze(until) => {
                let at = until.checked_add(self.skew.unwrap_or_default()).expect("small");
                let pending = Pending { what: "unacknowledge".into(), at };
                known.extra.get_or_insert_default().pending = vec![pending];
            }
            Step::MergeInto(into) => {
                known.state.status = Status::Resolved;
                known.extra.get_or_insert_default().merged_into = Some(into.clone());
            }
            _ => {
                self.signs.push((id.clone(), step.clone()));
                return None;
            }
        }
        known.stamp.at = known.stamp.at.checked_add(SignedDuration::from_secs(1)).expect("small");
        Some(known.clone())
    }
}

impl Fake {
    /// Puts an incident there, as if the provider's other users had made it so at `second`.
    pub(super) fn put(&self, id: &str, status: Status, second: i64) -> Observation {
        let seen = observation(id, status, second);
        let mut inside = self.inside();
        inside.incidents.insert(seen.key.id.clone(), seen.clone());
        if let Some(log) = &mut inside.log {
            let entry = format!("R{}", log.len());
            log.push(Touch { at: Timestamp::now(), incident: seen.key.id.clone(), entry });
        }
        drop(inside);
        seen
    }

    /// The same, of what `by` acknowledged at `at`.
    pub(super) fn put_acknowledged(&self, id: &str, by: &str, at: Timestamp) {
        let mut seen = self.put(id, Status::Acknowledged, 0);
        seen.stamp.at = at;
        seen.extra.get_or_insert_default().acknowledged = vec![(at, Shown::line(by))];
        self.inside().incidents.insert(seen.key.id.clone(), seen);
    }

    /// Gives an incident to these, as somebody else would.
    pub(super) fn assign(&self, id: &str, to: &[&str]) {
        let mut inside = self.inside();
        let known = inside.incidents.get_mut(&key(id).id).expect("incident");
        known.state.assignees = to.iter().map(|name| person(name)).collect();
        known.extra.get_or_insert_default().assigned_at = Some(known.stamp.at);
    }

    /// The next look at `id` waits until it is let go on; it then took 8 s, in which somebody resolved `other`.
    pub(super) fn slow(&self, id: &str, other: &str) -> Arc<Notify> {
        let go_on = Arc::new(Notify::new());
        self.inside().slow.insert(key(id).id, (Arc::clone(&go_on), key(other).id));
        go_on
    }

    /// The next list of open incidents takes 8 s, in which somebody resolves `other`, which was on an earlier page.
    pub(super) fn slow_list(&self, other: &str) {
        self.inside().slow_list = Some(key(other).id);
    }

    /// The next list of open incidents never comes.
    pub(super) fn lose_list(&self) {
        self.inside().lost_list = true;
    }

    /// The next time a write is prepared waits until it is let go on; it then took 8 s, in which somebody resolved `other`.
    pub(super) fn slow_preparation(&self, other: &str) -> Arc<Notify> {
        let go_on = Arc::new(Notify::new());
        self.inside().slow_preparation = Some((Arc::clone(&go_on), key(other).id));
        go_on
    }

    /// The next writes cannot be prepared.
    pub(super) fn fail_preparations(&self, error: ProviderError, times: usize) {
        self.inside().unprepared = Some((error, times));
    }

    pub(super) fn preparations(&self) -> usize {
        self.inside().preparations
    }

    pub(super) fn identities(&self) -> usize {
        self.inside().identities
    }

    /// Every incident as a look at it tells.
    pub(super) fn all(&self) -> Vec<Observation> {
        self.inside().incidents.values().cloned().collect()
    }

    /// Changes an incident's status within the second of its last change, as a later answer tells it.
    pub(super) fn put_again(&self, id: &str, status: Status) {
        let mut inside = self.inside();
        let known = inside.incidents.get_mut(id).expect("incident");
        known.state.status = status;
        known.stamp.asked = known.stamp.asked.checked_add(SignedDuration::from_millis(900)).expect("small");
    }

    /// An incident that began at `created_at`.
    pub(super) fn put_created(&self, id: &str, status: Status, created_at: Timestamp) {
        self.put(id, status, 0);
        let mut inside = self.inside();
        inside.incidents.get_mut(id).expect("incident").state.created_at = created_at;
    }

    /// A subscription to webhooks in this state, as the only one.
    pub(super) fn subscribe(&self, url: &str, state: subscription::State) {
        let id = SubscriptionId::new("PSUB001").expect("id");
        let (url, description, events) = (url.into(), Shown::default(), vec![]);
        let one = Subscription { id, url, description, state, filter: Filter::Account, events };
        self.inside().subscriptions = Ok(vec![one]);
    }

    /// Subscriptions are refused from now on.
    pub(super) fn fail_subscriptions(&self, error: ProviderError) {
        self.inside().subscriptions = Err(error);
    }

    pub(super) fn pings(&self) -> usize {
        self.inside().pings
    }

    pub(super) fn looks(&self) -> usize {
        self.inside().looks
    }

    /// From now on it tells what happened.
    pub(super) fn keep_a_log(&self) {
        self.inside().log = Some(vec![]);
    }

    pub(super) fn set_budget(&self, budget: Budget) {
        self.inside().budget = Some(budget);
    }

    /// How often the list of open incidents was asked for, and how often a single one.
    pub(super) fn asked(&self) -> (usize, usize) {
        let inside = self.inside();
        (inside.lists, inside.singles)
    }

    /// Since when lists of resolved incidents were asked for.
    pub(super) fn histories(&self) -> Vec<Timestamp> {
        self.inside().histories.clone()
    }

    pub(super) fn details(&self) -> usize {
        self.inside().details
    }

    /// How often what lies around an incident was asked for.
    pub(super) fn contexts(&self) -> usize {
        self.inside().contexts
    }

    pub(super) fn remove(&self, id: &str) {
        self.inside().incidents.remove(id);
    }

    /// It cannot be had alone any more.
    pub(super) fn hide(&self, id: &str, error: ProviderError) {
        self.inside().hidden.insert(IncidentId::new(id).expect("id"), error);
    }

    /// It can be had alone again.
    pub(super) fn show(&self, id: &str) {
        self.inside().hidden.remove(id);
    }

    pub(super) fn set_clock_apart(&self, seconds: i64) {
        self.inside().skew = Some(SignedDuration::from_secs(seconds));
    }

    pub(super) fn spoil_next_write(&self, spoil: Spoil) {
        self.inside().next_write.push_back(spoil);
    }

    /// The next `times` reads fail with `error`.
    pub(super) fn fail_reads(&self, error: ProviderError, times: usize) {
        let mut inside = self.inside();
        inside.reads = Some(error);
        inside.failing_reads = times;
    }

    /// The same, but after `spared` reads that work.
    pub(super) fn fail_reads_after(&self, spared: usize, error: ProviderError, times: usize) {
        self.fail_reads(error, times);
        self.inside().spared_reads = spared;
    }

    /// On-calls are refused from now on.
    pub(super) fn fail_on_calls(&self, error: ProviderError) {
        self.inside().on_calls = Err(error);
    }

    /// Who is on call from now on.
    pub(super) fn set_on_calls(&self, on_calls: Vec<OnCall>) {
        self.inside().on_calls = Ok(on_calls);
    }

    /// Who is on call is never answered.
    pub(super) fn hang_on_calls(&self) {
        self.inside().hangs = true;
    }

    pub(super) fn writes(&self) -> usize {
        self.inside().writes
    }

    /// The incidents of each write, in order.
    pub(super) fn requests(&self) -> Vec<Vec<IncidentId>> {
        self.inside().requests.clone()
    }

    /// A write on this one is refused, and one on many that names it is refused whole.
    pub(super) fn refuse(&self, id: &str) {
        self.inside().refused.insert(IncidentId::new(id).expect("id"));
    }

    /// What is done beside incidents cannot be read back from now on.
    pub(super) fn hide_signs(&self) {
        self.inside().signless = true;
    }

    pub(super) fn titles(&self) -> Vec<Shown> {
        self.inside().incidents.values().map(|seen| seen.state.title.clone()).collect()
    }

    pub(super) fn names(&self) -> Vec<Option<String>> {
        self.inside().names.clone()
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let note = |(_, step): &(IncidentId, Step)| if let Step::Note(text) = step { Some(text.clone()) } else { None };
        self.inside().signs.iter().filter_map(note).collect()
    }

    pub(super) fn status(&self, id: &str) -> Status {
        self.inside().incidents.get(id).expect("incident").state.status
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.lock().expect("lock")
    }

    /// 8 s pass, in which somebody resolves this one.
    async fn pass_and_resolve(&self, id: &IncidentId) {
        if let Some(known) = self.inside().incidents.get_mut(id) {
            known.state.status = Status::Resolved;
            known.stamp.at = known.stamp.at.checked_add(SignedDuration::from_secs(1)).expect("small");
        }
        let _goes_on = Paused::now();
        tokio::time::advance(Duration::from_secs(8)).await;
    }

    fn read<T>(&self, read: impl FnOnce(&Inside) -> Result<T, ProviderError>) -> Result<T, ProviderError> {
        let mut inside = self.inside();
        if inside.spared_reads > 0 {
            inside.spared_reads -= 1;
        } else if inside.failing_reads > 0 {
            inside.failing_reads -= 1;
            return Err(inside.reads.clone().expect("an error"));
        }
        read(&inside)
    }

    fn write<T>(&self, write: impl FnOnce(&mut Inside) -> T) -> Result<T, ProviderError> {
        let mut inside = self.inside();
        inside.writes += 1;
        inside.names.push(self.1.clone());
        match inside.next_write.pop_front() {
            None | Some(Spoil::Not) => Ok(write(&mut inside)),
            Some(Spoil::AnswerLost) => {
                write(&mut inside);
                Err(timed_out())
            }
            Some(Spoil::Silence) => Err(timed_out()),
            Some(Spoil::Mistake) => {
                write(&mut inside);
                drop(inside);
                panic!("a mistake");
            }
            Some(Spoil::Error(error)) => Err(error),
            Some(Spoil::Overtaken(status, error)) => {
                for known in inside.incidents.values_mut() {
                    known.state.status = status;
                    known.stamp.at = known.stamp.at.checked_add(SignedDuration::from_secs(1)).expect("small");
                }
                Err(error)
            }
        }
    }
}
