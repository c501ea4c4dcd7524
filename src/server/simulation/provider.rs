//! The simulated provider: the truth, a ledger of everything that was done to it, and answers that fail, lie a little
//! or never come.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::{clock::now, lots};
use crate::{
    core::{
        action::{Assignee, NewIncident, Step as Asked},
        call::Purpose,
        choices::{Choices, ChoicesOf},
        detail::Detail,
        freshness::Identity,
        id::{IncidentId, IncidentKey, UserId},
        incident::{Observation, Status},
        oncall::OnCall,
    },
    provider::{
        Check, Directory, Provider, ProviderError, Schedules, Touch,
        pagerduty::world::{Incident, PEOPLE, Push, Step, person},
    },
    server::fake::account_name,
};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a client can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Status(Status),
    HandOff(UserId),
    Note(String),
}

/// Something that was done over REST.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) at: Timestamp,
    pub(super) id: IncidentId,
    pub(super) deed: Deed,
    /// For how long the incident had been resolved as the request came, where it was.
    pub(super) over_for: Option<SignedDuration>,
}

/// How an incident stood from a moment on.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) at: Timestamp,
    pub(super) incident: Incident,
}

impl Version {
    pub(super) fn words(&self) -> String {
        format!("{} from {}", self.incident.status.word(), self.at)
    }
}

pub(super) struct Inside {
    seed: u64,
    /// How often each thing was asked for.
    asked_for: BTreeMap<String, usize>,
    /// Of a hundred answers, so many are spoiled.
    pub(super) faults: u8,
    pub(super) incidents: BTreeMap<IncidentId, Vec<Version>>,
    pub(super) ledger: Vec<Done>,
    /// Webhooks that nobody has carried yet.
    pub(super) outbox: Vec<Push>,
    /// Deeds that are carried out though nobody waits for them any more.
    late: Vec<(Timestamp, Done)>,
    /// When the newest list of open incidents that was answered well was asked for.
    pub(super) listed: Option<Timestamp>,
    /// Of each list of open incidents.
    pages: u64,
    pub(super) spoiled: u64,
}

/// The provider; a clone is the same one.
#[derive(Clone)]
pub(super) struct Simulated(Arc<Mutex<Inside>>);

/// What becomes of one exchange.
struct Fate {
    before: Duration,
    after: Duration,
    spoil: Option<u8>,
    /// The answer is of so long ago.
    lag: Duration,
    /// For what else becomes of it.
    rng: Rng,
}

impl Simulated {
    pub(super) fn new(seed: u64, faults: u8) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            seed,
            asked_for: BTreeMap::new(),
            faults,
            incidents: BTreeMap::new(),
            ledger: vec![],
            outbox: vec![],
            late: vec![],
            listed: None,
            pages: if seed.is_multiple_of(2) { 1 } else { 100 },
            spoiled: 0,
        })))
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().expect("lock")
    }

    /// What becomes of one exchange hangs on what is asked for and how often it was before, not on what else happens.
    /// `weight`: how much more often than others this is spoiled.
    fn fate(&self, what: String, weight: u8) -> Fate {
        let mut inside = self.inside();
        let faults = inside.faults * weight;
        let mut rng = lots(inside.seed, (&what, inside.asked_for.get(&what)));
        *inside.asked_for.entry(what).or_default() += 1;
        let before = Duration::from_millis(rng.u64(..200));
        let slow = if rng.u8(..10) == 0 { 3_000 } else { 200 };
        let after = Duration::from_millis(rng.u64(..slow));
        let spoil = (rng.u8(..100) < faults).then(|| rng.u8(..6));
        let lag = if faults > 0 && rng.u8(..8) == 0 { Duration::from_millis(rng.u64(..3_000)) } else { Duration::ZERO };
        inside.spoiled += u64::from(spoil.is_some());
        Fate { before, after, spoil, lag, rng }
    }

    async fn read<T>(
        &self,
        what: impl Into<String>,
        read: impl FnOnce(&Inside, Timestamp, &mut Rng) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let mut fate = self.fate(what.into(), 1);
        sleep(fate.before).await;
        match fate.spoil {
            Some(0) => {
                sleep(PATIENCE).await;
                return Err(timed_out());
            }
            Some(1) => return Err(ProviderError::RateLimited { wait: Duration::from_secs(2) }),
            Some(2) => return Err(ProviderError::Unreadable { cause: "cut short".into() }),
            Some(_) => return Err(ProviderError::Broken { status: 500, reason: "oops".into() }),
            None => {}
        }
        let as_of = now().checked_sub(fate.lag).expect("in range");
        let answer = read(&self.inside(), as_of, &mut fate.rng);
        sleep(fate.after).await;
        answer
    }

    async fn write(&self, id: &IncidentId, deed: Deed) -> Result<Observation, ProviderError> {
        let mut seen = self.write_all(std::slice::from_ref(id), &deed).await?;
        seen.pop().ok_or_else(|| ProviderError::NotFound { what: id.to_string() })
    }

    /// Carries out a deed on all or none of these, perhaps; the answer may be lost whether or not it was.
    async fn write_all(&self, ids: &[IncidentId], deed: &Deed) -> Result<Vec<Observation>, ProviderError> {
        let (asked, mut fate) = (now(), self.fate(format!("{deed:?} of {ids:?}"), 3));
        sleep(fate.before).await;
        let Some(asked_for) = self.inside().accepted(ids, deed) else {
            return Err(ProviderError::Refused { status: 400, reason: "it is resolved already".into() });
        };
        match fate.spoil {
            // Done, but who asked never hears of it.
            Some(0) => {
                self.inside().carry_out_all(&asked_for);
                sleep(PATIENCE).await;
                return Err(timed_out());
            }
            Some(1) => {
                self.inside().carry_out_all(&asked_for);
                return Err(ProviderError::Broken { status: 502, reason: "bad gateway".into() });
            }
            // Not done.
            Some(2) => return Err(ProviderError::Broken { status: 500, reason: "oops".into() }),
            Some(3) => return Err(ProviderError::Refused { status: 400, reason: "no".into() }),
            Some(4) => {
                let wait = Duration::from_secs(fate.rng.u64(1..15));
                return Err(ProviderError::RateLimited { wait });
            }
            // Done later than anybody waits.
            Some(_) => {
                let due = now().checked_add(Duration::from_secs(20)).expect("in range");
                self.inside().late.extend(asked_for.into_iter().map(|done| (due, done)));
                sleep(PATIENCE).await;
                return Err(timed_out());
            }
            None => {}
        }
        self.inside().carry_out_all(&asked_for);
        let answer = ids.iter().map(|id| self.inside().observed(id, asked, now())).collect();
        sleep(fate.after).await;
        answer
    }
}

impl Inside {
    /// Something new goes wrong.
    pub(super) fn trigger(&mut self) {
        let number = u64::try_from(self.incidents.len()).expect("small") + 1;
        let (incident, push) = Incident::triggered(number, now());
        self.incidents.insert(incident.id.clone(), vec![Version { at: now(), incident }]);
        self.outbox.push(push);
    }

    pub(super) fn newest(&self) -> Option<IncidentId> {
        let began = |versions: &Vec<Version>| versions.first().map(|version| version.at);
        self.incidents.iter().max_by_key(|(_, versions)| began(versions)).map(|(id, _)| id.clone())
    }

    /// Somebody or something changes an incident, not through us.
    pub(super) fn happen(&mut self, id: &IncidentId, step: Step, who: usize) {
        self.change(id, |incident| incident.take(step, who, now()));
    }

    fn change(&mut self, id: &IncidentId, change: impl FnOnce(&mut Incident) -> Option<Push>) {
        let Some(versions) = self.incidents.get_mut(id) else { return };
        let mut incident = versions.last().expect("a version").incident.clone();
        self.outbox.extend(change(&mut incident));
        versions.push(Version { at: now(), incident });
    }

    fn allows(&self, id: &IncidentId, deed: &Deed) -> bool {
        let step = match deed {
            // It opens what is resolved.
            Deed::Status(Status::Acknowledged) | Deed::Note(_) => return self.incidents.contains_key(id),
            Deed::Status(_) => Step::Resolve,
            Deed::HandOff(_) => Step::Reassign,
        };
        self.at(id, now()).is_some_and(|incident| incident.can(step))
    }

    /// What is asked for now, on all of these or on none.
    fn accepted(&self, ids: &[IncidentId], deed: &Deed) -> Option<Vec<Done>> {
        let done =
            |id: &IncidentId| Done { at: now(), id: id.clone(), deed: deed.clone(), over_for: self.over_for(id) };
        ids.iter().all(|id| self.allows(id, deed)).then(|| ids.iter().map(done).collect())
    }

    /// For how long it has been resolved.
    fn over_for(&self, id: &IncidentId) -> Option<SignedDuration> {
        let versions = self.incidents.get(id)?.iter().rev();
        let first = versions.take_while(|version| !version.incident.status.is_open()).last()?;
        Some(now().duration_since(first.at))
    }

    fn carry_out_all(&mut self, asked_for: &[Done]) {
        for done in asked_for {
            self.carry_out(done.clone());
        }
    }

    fn carry_out(&mut self, done: Done) {
        if !self.allows(&done.id, &done.deed) {
            return;
        }
        let done = Done { at: now(), ..done };
        self.ledger.push(done.clone());
        self.change(&done.id, |incident| match &done.deed {
            Deed::Status(Status::Acknowledged) => Some(incident.acknowledge(now())),
            Deed::Status(_) => incident.take(Step::Resolve, 0, now()),
            Deed::HandOff(user) => incident.hand_to(user, now()),
            Deed::Note(text) => Some(incident.note(text, now())),
        });
    }

    /// Carries out what is late.
    pub(super) fn tick(&mut self) {
        for (_, done) in self.late.extract_if(.., |(due, _)| *due <= now()).collect::<Vec<_>>() {
            self.carry_out(done);
        }
    }

    /// The incident as it stood at `as_of`, or as it began.
    fn at(&self, id: &IncidentId, as_of: Timestamp) -> Option<&Incident> {
        let versions = self.incidents.get(id)?;
        let version = versions.iter().rev().find(|version| version.at <= as_of).or(versions.first())?;
        Some(&version.incident)
    }

    fn observed(&self, id: &IncidentId, asked: Timestamp, as_of: Timestamp) -> Result<Observation, ProviderError> {
        let found = self.at(id, as_of).ok_or_else(|| ProviderError::NotFound { what: id.to_string() })?;
        Ok(found.observed(&account_name(), asked))
    }

    /// Everything as it is now.
    pub(super) fn truth(&self) -> impl Iterator<Item = Observation> {
        self.incidents.keys().map(|id| self.observed(id, now(), now()).expect("there"))
    }

    /// What happened since `since`, as the log has it.
    fn touches(&self, since: Timestamp, as_of: Timestamp) -> Vec<Touch> {
        let told = |at: Timestamp| (since..=as_of).contains(&at);
        let of = |(id, versions): (&IncidentId, &Vec<Version>)| {
            let entries = versions.iter().enumerate().filter(|(_, version)| told(version.at));
            let touch = |(n, version): (usize, &Version)| Touch {
                at: version.at,
                incident: id.clone(),
                entry: format!("{id}-{n}"),
            };
            entries.map(touch).collect::<Vec<_>>()
        };
        self.incidents.iter().flat_map(of).collect()
    }

    fn all(&self, asked: Timestamp, as_of: Timestamp, wanted: impl Fn(&Incident) -> bool) -> Vec<Observation> {
        let found = self.incidents.keys().filter_map(|id| self.at(id, as_of)).filter(|incident| wanted(incident));
        found.map(|incident| incident.observed(&account_name(), asked)).collect()
    }
}

fn timed_out() -> ProviderError {
    ProviderError::TimedOut { address: "simulated".into(), within: PATIENCE }
}

fn deed(step: &Asked) -> Result<Deed, ProviderError> {
    Ok(match step {
        Asked::Acknowledge => Deed::Status(Status::Acknowledged),
        Asked::Resolve => Deed::Status(Status::Resolved),
        Asked::Assign(Assignee::User(user)) => Deed::HandOff(user.id.clone()),
        Asked::Note(text) => Deed::Note(text.clone()),
        other => return Err(ProviderError::Forbidden { reason: format!("{other:?} is not simulated") }),
    })
}

#[async_trait]
impl Provider for Simulated {
    /// In some lives a list is dear, so that the log of what happened is asked for instead.
    fn requests(&self) -> u64 {
        self.inside().pages
    }

    fn for_purpose(&self, _purpose: Purpose) -> Arc<dyn Provider> {
        Arc::new(self.clone())
    }

    async fn touched_since(&self, since: Timestamp) -> Result<Option<Vec<Touch>>, ProviderError> {
        let asked = now();
        let touches = self.read("touches", |inside, as_of, _| Ok(inside.touches(since, as_of))).await?;
        self.inside().listed = Some(asked);
        Ok(Some(touches))
    }

    async fn identity(&self) -> Result<Identity, ProviderError> {
        let user = person(PEOPLE[0]);
        let identity = Identity {
            name: user.name.clone(),
            email: None,
            user: Some(user),
            account_key: false,
            may_not_look: false,
        };
        self.read("identity", |_, _, _| Ok(identity)).await
    }

    async fn check(&self, _now: Timestamp) -> Result<Check, ProviderError> {
        Ok(Check { identity: self.identity().await?, abilities: vec![], clock_skew: None })
    }

    /// At times a page is cut, or a row slips from one page to the other.
    async fn open_incidents(&self) -> Result<Vec<Observation>, ProviderError> {
        let asked = now();
        let slipping = |inside: &Inside, as_of: Timestamp, rng: &mut Rng| {
            let mut open = inside.all(asked, as_of, |i| i.status.is_open());
            if inside.faults > 0 && !open.is_empty() && rng.u8(..6) == 0 {
                open.remove(rng.usize(..open.len()));
            }
            Ok(open)
        };
        let open = self.read("open", slipping).await?;
        self.inside().listed = Some(asked);
        Ok(open)
    }

    async fn resolved_incidents(&self, since: Timestamp) -> Result<Vec<Observation>, ProviderError> {
        let asked = now();
        let over = |i: &Incident| i.status == Status::Resolved && i.created() >= since;
        self.read("resolved", |inside, as_of, _| Ok(inside.all(asked, as_of, over))).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Observation, ProviderError> {
        let asked = now();
        self.read(id.to_string(), |inside, as_of, _| inside.observed(id, asked, as_of)).await
    }

    async fn detail(&self, id: &IncidentId, now: Timestamp) -> Result<Detail, ProviderError> {
        let key = IncidentKey { account: account_name(), id: id.clone() };
        Ok(Detail { fetched_at: now, ..Detail::of(key) })
    }

    async fn on_calls(&self) -> Result<Vec<OnCall>, ProviderError> {
        self.read("on call", |_, _, _| Ok(vec![])).await
    }

    async fn schedules(&self, _now: Timestamp) -> Result<Schedules, ProviderError> {
        Ok(Schedules::default())
    }

    async fn directory(&self) -> Result<Directory, ProviderError> {
        Ok(Directory::default())
    }

    fn acting_as(&self, _email: &str) -> Result<Arc<dyn Provider>, ProviderError> {
        Ok(Arc::new(self.clone()))
    }

    async fn take(&self, id: &IncidentId, step: &Asked) -> Result<Option<Observation>, ProviderError> {
        let seen = self.write(id, deed(step)?).await?;
        Ok((!matches!(step, Asked::Note(_))).then_some(seen))
    }

    async fn take_many(&self, ids: &[IncidentId], step: &Asked) -> Result<Vec<Observation>, ProviderError> {
        self.write_all(ids, &deed(step)?).await
    }

    async fn signs(
        &self,
        id: &IncidentId,
        step: &Asked,
        since: Option<Timestamp>,
    ) -> Result<Option<usize>, ProviderError> {
        let Asked::Note(text) = step else { return Ok(None) };
        let written = |inside: &Inside| {
            let same = |done: &&Done| done.id == *id && done.deed == Deed::Note(text.clone());
            let done = inside.ledger.iter().filter(same);
            Some(done.filter(|done| since.is_none_or(|since| done.at >= since)).count())
        };
        self.read(format!("notes of {id}"), |inside, _, _| Ok(written(inside))).await
    }

    async fn create_incident(&self, _new: &NewIncident) -> Result<Observation, ProviderError> {
        Err(ProviderError::Forbidden { reason: "nothing is made by hand here".to_owned() })
    }

    async fn created_incident(&self, _new: &NewIncident) -> Result<Option<Observation>, ProviderError> {
        Ok(None)
    }

    async fn choices(&self, _of: &ChoicesOf) -> Result<Choices, ProviderError> {
        Ok(Choices::Priorities(vec![]))
    }
}
