//! A provider in memory whose answers can be spoiled, for tests of what the server makes of them.

mod rota;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::{
    account::{Account, Accounts},
    desk::Desk,
    hub::Hub,
    people::People,
};
use crate::{
    config::{AccountSettings, ProviderKind},
    core::{
        action::{Assignee, Edit, NewIncident, Step},
        board::{Board, Change},
        call::{Budget, Purpose},
        choices::{Choices, ChoicesOf},
        context::Context,
        detail::Detail,
        forward::{EventType, Kept, TargetState, TargetSummary},
        freshness::{self, Freshness, Identity, Push},
        id::{AccountName, IncidentId, IncidentKey, ServiceId, SubscriptionId, TargetName, UserId},
        incident::{Extra, Named, Observation, Pending, Stamp, State, Status, Urgency},
        oncall::OnCall,
        subscription::{self, Created, Filter, NewSubscription, Subscription},
        text::Shown,
    },
    forward::{Forwarder, Target},
    provider::{Check, Directory, Provider, ProviderError, Rota, Schedules, Subscriptions, Touch},
    store::Store,
    template::{Library, Limits, Renderer},
};

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

#[async_trait]
impl Provider for Fake {
    fn budget(&self) -> Option<Budget> {
        self.inside().budget
    }

    fn for_purpose(&self, _purpose: Purpose) -> Arc<dyn Provider> {
        Arc::new(self.clone())
    }

    async fn touched_since(&self, since: Timestamp) -> Result<Option<Vec<Touch>>, ProviderError> {
        let late = |log: &Vec<Touch>| log.iter().filter(|touch| touch.at >= since).cloned().collect();
        self.read(|inside| Ok(inside.log.as_ref().map(late)))
    }

    fn clock_skew(&self) -> Option<SignedDuration> {
        self.inside().skew
    }

    async fn identity(&self) -> Result<Identity, ProviderError> {
        self.inside().identities += 1;
        self.read(|_| {
            Ok(Identity {
                name: "alice".into(),
                email: None,
                user: Some(person("alice")),
                account_key: false,
                may_not_look: false,
            })
        })
    }

    async fn check(&self, _now: Timestamp) -> Result<Check, ProviderError> {
        Ok(Check { identity: self.identity().await?, abilities: vec![], clock_skew: None })
    }

    async fn open_incidents(&self) -> Result<Vec<Observation>, ProviderError> {
        self.inside().lists += 1;
        let open = |i: &Inside| Ok(i.incidents.values().filter(|seen| seen.state.status.is_open()).cloned().collect());
        let answer = self.read(open);
        if std::mem::take(&mut self.inside().lost_list) {
            std::future::pending::<()>().await;
        }
        let slow = self.inside().slow_list.take();
        if let Some(other) = slow {
            self.pass_and_resolve(&other).await;
        }
        answer
    }

    async fn resolved_incidents(&self, since: Timestamp) -> Result<Vec<Observation>, ProviderError> {
        self.inside().histories.push(since);
        self.read(|i| {
            let resolved = |seen: &&Observation| !seen.state.status.is_open() && seen.state.created_at >= since;
            Ok(i.incidents.values().filter(resolved).cloned().collect())
        })
    }

    async fn prepare_writes(&self) -> Result<(), ProviderError> {
        self.inside().preparations += 1;
        let slow = self.inside().slow_preparation.take();
        if let Some((go_on, other)) = slow {
            go_on.notified().await;
            self.pass_and_resolve(&other).await;
        }
        let unprepared = self.inside().unprepared.take();
        let Some((error, times)) = unprepared.filter(|(_, times)| *times > 0) else { return Ok(()) };
        self.inside().unprepared = Some((error.clone(), times - 1));
        Err(error)
    }

    async fn incident(&self, id: &IncidentId) -> Result<Observation, ProviderError> {
        self.inside().singles += 1;
        if let Some(error) = self.inside().hidden.get(id) {
            return Err(error.clone());
        }
        let slow = self.inside().slow.remove(id);
        if let Some((go_on, other)) = slow {
            go_on.notified().await;
            self.pass_and_resolve(&other).await;
        }
        self.read(|i| i.incidents.get(id).cloned().ok_or_else(|| ProviderError::NotFound { what: id.to_string() }))
    }

    async fn context(
        &self,
        key: &IncidentKey,
        _service: Option<&ServiceId>,
        now: Timestamp,
    ) -> Result<Context, ProviderError> {
        self.inside().contexts += 1;
        self.read(|_| Ok(Context::nothing(key.clone(), now)))
    }

    async fn detail(&self, id: &IncidentId, now: Timestamp) -> Result<Detail, ProviderError> {
        let key = IncidentKey { account: account_name(), id: id.clone() };
        self.inside().details += 1;
        self.read(|_| Ok(Detail { fetched_at: now, ..Detail::of(key) }))
    }

    async fn on_calls(&self) -> Result<Vec<OnCall>, ProviderError> {
        if self.inside().hangs {
            std::future::pending::<()>().await;
        }
        self.read(|inside| inside.on_calls.clone())
    }

    async fn schedules(&self, now: Timestamp) -> Result<Schedules, ProviderError> {
        let found = self.inside().rota.schedules(now);
        self.read(|_| Ok(found))
    }

    async fn directory(&self) -> Result<Directory, ProviderError> {
        self.read(|_| Ok(Directory::default()))
    }

    async fn take(&self, id: &IncidentId, step: &Step) -> Result<Option<Observation>, ProviderError> {
        self.inside().requests.push(vec![id.clone()]);
        if self.inside().refused.contains(id) {
            self.inside().writes += 1;
            return Err(ProviderError::Forbidden { reason: "not your team".into() });
        }
        self.write(|inside| inside.take(id, step))
    }

    async fn take_many(&self, ids: &[IncidentId], step: &Step) -> Result<Vec<Observation>, ProviderError> {
        self.inside().requests.push(ids.to_vec());
        if let Some(bad) = ids.iter().find(|id| self.inside().refused.contains(*id)) {
            self.inside().writes += 1;
            return Err(ProviderError::Refused { status: 400, reason: format!("Incident {bad} Not Found") });
        }
        self.write(|inside| ids.iter().filter_map(|id| inside.take(id, step)).collect())
    }

    async fn signs(
        &self,
        id: &IncidentId,
        step: &Step,
        since: Option<Timestamp>,
    ) -> Result<Option<usize>, ProviderError> {
        // What it has are from long ago.
        self.read(|inside| {
            let signs = inside.signs.iter().filter(|(known, signed)| known == id && signed == step).count();
            Ok((!inside.signless).then_some(if since.is_none() { signs } else { 0 }))
        })
    }

    async fn create_incident(&self, new: &NewIncident) -> Result<Observation, ProviderError> {
        self.write(|inside| {
            let mut seen = observation("PNEW", Status::Triggered, 0);
            seen.state.title = Shown::line(&new.title);
            seen.state.dedup_key = Some(Shown::line(&new.dedup_key));
            inside.incidents.insert(seen.key.id.clone(), seen.clone());
            seen
        })
    }

    async fn created_incident(&self, new: &NewIncident) -> Result<Option<Observation>, ProviderError> {
        let has_it =
            |seen: &&Observation| seen.state.dedup_key.as_ref().is_some_and(|known| known.as_str() == new.dedup_key);
        self.read(|inside| Ok(inside.incidents.values().find(has_it).cloned()))
    }

    async fn choices(&self, _of: &ChoicesOf) -> Result<Choices, ProviderError> {
        self.read(|_| Ok(Choices::Priorities(vec![])))
    }

    fn subscriptions(&self) -> Option<&dyn Subscriptions> {
        Some(self)
    }

    fn rota(&self) -> Option<&dyn Rota> {
        Some(self)
    }

    fn acting_as(&self, email: &str) -> Result<Arc<dyn Provider>, ProviderError> {
        Ok(Arc::new(Self(Arc::clone(&self.0), Some(email.to_owned()))))
    }
}

#[async_trait]
impl Subscriptions for Fake {
    fn needed_events(&self) -> &'static [&'static str] {
        &[]
    }

    async fn list(&self) -> Result<Vec<Subscription>, ProviderError> {
        let mut inside = self.inside();
        inside.looks += 1;
        inside.subscriptions.clone()
    }

    async fn create(&self, _new: &NewSubscription) -> Result<Created, ProviderError> {
        Err(timed_out())
    }

    async fn enable(&self, subscription: &Subscription) -> Result<Subscription, ProviderError> {
        Ok(subscription.clone())
    }

    async fn delete(&self, _id: &SubscriptionId) -> Result<(), ProviderError> {
        Err(timed_out())
    }

    async fn ping(&self, _id: &SubscriptionId) -> Result<(), ProviderError> {
        self.inside().pings += 1;
        Ok(())
    }
}

pub(super) fn settings() -> AccountSettings {
    AccountSettings {
        name: account_name(),
        provider: ProviderKind::PagerDuty,
        base_url: "http://127.0.0.1:1".into(),
        token: None,
        from: None,
        poll: Duration::from_secs(30),
        webhook: None,
    }
}

/// A desk over `fake` with a store in `dir`.
pub(super) fn desk(fake: &Fake, dir: &std::path::Path) -> Arc<Desk> {
    desk_of(settings(), Arc::new(fake.clone()), dir)
}

/// The same for other settings and another provider.
pub(super) fn desk_of(settings: AccountSettings, provider: Arc<dyn Provider>, dir: &std::path::Path) -> Arc<Desk> {
    let mut board = Board::default();
    let account = freshness::Account {
        name: account_name(),
        provider: "fake".into(),
        identity: None,
        cannot_act: None,
        rest_off: None,
        skew: None,
        left: vec![],
        barred: std::collections::BTreeMap::new(),
        lacks: vec![],
        rest: Freshness::default(),
        on_call: Freshness::default(),
        poll_seconds: 30,
        push: Push::default(),
    };
    board.apply(&Change::Account(Box::new(account)));
    let account = Account::with_provider(settings, provider);
    Arc::new(parts(Hub::new(board), Store::open(dir).expect("store"), Accounts::new([account]), dir, Timestamp::now))
}

/// A target that wants to know of everything, and takes nothing for now, so that everything it is to be told waits.
pub(super) fn want_everything(desk: &Desk) {
    const ALSO: [&str; 7] = [
        "incident.annotated",
        "incident.priority_updated",
        "incident.reopened",
        "incident.responder.added",
        "incident.service_updated",
        "incident.unacknowledged",
        "incident.workflow.started",
    ];
    let events = EventType::SHARED.iter().chain(&ALSO).filter_map(|name| EventType::new(name));
    let target = Target {
        name: chat(),
        url: String::new().into(),
        basic: None,
        headers: vec![],
        events: events.collect(),
        filter: None,
        enabled: true,
        linked: false,
        template: None,
        retries: 0,
        signing: None,
        allow_link_local: false,
    };
    let summary = TargetSummary {
        name: chat(),
        kept: Kept::Config,
        address: Shown::default(),
        user: None,
        headers: vec![],
        signed: false,
        events: target.events.clone(),
        linked: false,
        template: None,
        filter: None,
        retries: 0,
        allow_link_local: false,
        state: TargetState::Broken { reason: "as the test says".into() },
        failing_since: None,
        last: None,
        waiting: 0,
    };
    desk.forwarder.set(vec![(target, summary)]);
}

/// Its name.
pub(super) fn chat() -> TargetName {
    "chat".parse().expect("name")
}

/// One that shows on `hub` what it does.
fn forwarder(hub: &Hub, store: &Store, now: fn() -> Timestamp) -> Forwarder {
    let hub = hub.clone();
    Forwarder::new(store.clone(), vec!["false".into()], now, vec![], Arc::new(move |change| hub.publish(change)))
}

/// A desk of these parts, for which it is `now`.
pub(super) fn parts(hub: Hub, store: Store, accounts: Accounts, dir: &std::path::Path, now: fn() -> Timestamp) -> Desk {
    let forwarder = forwarder(&hub, &store, now);
    Desk {
        hub,
        store,
        accounts,
        forwarder,
        renderer: Renderer::new(vec!["false".into()], Limits::default()),
        rendering: super::desk::rendering(),
        seeing: super::desk::seeing(),
        library: Library::open(&dir.join("templates")),
        under_way: TaskTracker::new(),
        waiting: super::actions::undo::Waiting::default(),
        at_work: super::actions::AtWork::default(),
        ending: tokio_util::sync::CancellationToken::new(),
        integrations: super::outbox::Integrations::default(),
        order: tokio::sync::Mutex::default(),
        unsaved: super::unsaved::Unsaved::default(),
        looks: super::look::Looks::default(),
        now,
        read_back: READ_BACK,
        people: People::default(),
        reload: tokio::sync::mpsc::channel(1).0,
        metrics: super::metrics::Metrics::default(),
        calls: super::calls::Calls::default(),
        details: super::details::Details::default(),
        contexts: super::contexts::Contexts::default(),
        runbooks: super::contexts::Runbooks::default(),
        audit: super::audit::Audit::in_dir(dir),
        targets: super::targets::Targets::open(dir, vec![]),
    }
}
