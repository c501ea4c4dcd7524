//! Who is on call, the schedules, and to whom can be handed off: asked for beside the incidents, which never wait for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{Asker, Part, pace, theirs};
use crate::{
    core::{
        board::Change,
        freshness::{self, Sight},
        id::{ScheduleId, UserId},
        oncall::Schedule,
        rota::{called, contradictions},
        service::{Service, Window},
        text::Shown,
    },
    provider::{Directory, Provider, ProviderError, Schedules},
    server::snapshot,
};

/// On-call is asked for in each round, as it changes by the clock and by overrides; schedules and people change
/// rarely, and take many requests.
const SCHEDULES_EVERY: Duration = Duration::from_mins(10);
/// So long after a hand-over it is asked who has it: clocks are told in seconds.
const AFTER_HAND_OVER: Duration = Duration::from_secs(1);
/// Where the answer still names who had it, it is asked again, until this much later.
const AGAIN: Duration = Duration::from_secs(5);
const LAG: SignedDuration = SignedDuration::from_secs(30);
const ON_CALL: Part = |account| &mut account.on_call;

/// Asks for ever; at once when it is wanted.
pub(super) async fn run(asker: Asker, wanted: &Notify) {
    let mut round = OnCall::new(asker);
    loop {
        let pause = round.poll().await;
        tokio::select! {
            biased;
            () = wanted.notified() => round.schedules_due = Instant::now(),
            () = sleep(pause) => {}
        }
    }
}

pub(super) struct OnCall {
    asker: Asker,
    schedules_due: Instant,
    /// Who was on call last against what the schedules say. Of what stays so, asking again brings nothing.
    contradictions: BTreeSet<(ScheduleId, UserId)>,
}

impl OnCall {
    pub(super) fn new(asker: Asker) -> Self {
        Self { asker, schedules_due: Instant::now(), contradictions: BTreeSet::new() }
    }

    /// One round; returns how long to wait for the next.
    pub(super) async fn poll(&mut self) -> Duration {
        let provider = match self.asker.provider(ON_CALL).await {
            Ok(provider) => provider,
            Err(pause) => return pause,
        };
        let asked_at = (self.asker.desk.now)();
        let outcome = self.ask(&*provider, asked_at).await;
        self.asker.conclude(&*provider, &outcome, asked_at, ON_CALL);
        match outcome {
            Ok(()) => {
                snapshot::save(&self.asker.desk, &self.asker.name, asked_at).await;
                let (budget, cost) = (provider.budget(), provider.requests());
                let pause = pace::pause(budget, cost, self.asker.account.settings.poll);
                let hand_over = self.next_hand_over(&*provider).filter(|_| pace::can_spare(budget, cost));
                hand_over.map_or(pause, |hand_over| hand_over.min(pause))
            }
            Err(error) => self.asker.pause_after(&error),
        }
    }

    /// How long until somebody's time is over, and who has it then can be asked for. An answer of that very moment may
    /// still name who had it.
    fn next_hand_over(&self, provider: &dyn Provider) -> Option<Duration> {
        let now = theirs(provider, (self.asker.desk.now)());
        let wait = |end: Timestamp| match Duration::try_from(end.duration_since(now)) {
            Ok(left) => Some(left + AFTER_HAND_OVER),
            Err(_) if now.duration_since(end) < LAG => Some(AGAIN),
            Err(_) => None,
        };
        self.asker.desk.hub.look(|board| {
            let known = board.accounts.get(&self.asker.name)?;
            known.oncalls.iter().filter_map(|on| wait(on.end?)).min()
        })
    }

    /// A round in which nothing is taken for known.
    #[cfg(test)]
    pub(super) async fn ask_for_all(&mut self) {
        self.schedules_due = Instant::now();
        self.poll().await;
    }

    async fn ask(&mut self, provider: &dyn Provider, asked_at: Timestamp) -> Result<(), ProviderError> {
        let oncalls = provider.on_calls().await?;
        self.asker.desk.hub.publish(Change::OnCalls { account: self.asker.name.clone(), oncalls });
        if self.find_contradictions(theirs(provider, asked_at)) {
            self.schedules_due = Instant::now();
        }
        if Instant::now() < self.schedules_due {
            return Ok(());
        }
        let (desk, account) = (Arc::clone(&self.asker.desk), self.asker.name.clone());
        let (name, hub) = (|| account.clone(), &desk.hub);
        let mut barred = BTreeMap::new();
        let schedules = provider.schedules(theirs(provider, asked_at)).await;
        let mut lacks = None;
        if let Some(found) = permitted(schedules, Sight::Schedules, &mut barred)? {
            let Schedules { all, lacks: left_out, barred: newer } = found;
            let schedules = self.with_those_last_seen(all, newer, &mut barred);
            lacks = Some(left_out);
            hub.publish(Change::Schedules { account: name(), schedules });
            self.find_contradictions(theirs(provider, asked_at));
        }
        if let Some(directory) = permitted(provider.directory().await, Sight::People, &mut barred)? {
            let Directory { people, policies, policy_teams, escalation } = directory;
            hub.publish(Change::Directory { account: name(), people, policies, policy_teams });
            hub.publish(Change::Escalation { account: name(), policies: escalation });
        }
        if let Some(rota) = provider.rota() {
            let services = permitted(rota.services().await, Sight::Services, &mut barred)?;
            let windows = permitted(rota.windows().await, Sight::Windows, &mut barred)?;
            self.publish_services(services, windows, asked_at);
        }
        let is_news = |known: &freshness::Account| {
            known.barred != barred || lacks.as_ref().is_some_and(|lacks| *lacks != known.lacks)
        };
        if hub.look(|board| board.accounts.get(&name()).is_some_and(|known| is_news(&known.account))) {
            self.asker.note(|account| {
                account.barred = barred;
                account.lacks = lacks.unwrap_or_else(|| std::mem::take(&mut account.lacks));
            });
        }
        self.schedules_due = Instant::now() + SCHEDULES_EVERY;
        Ok(())
    }
}

impl OnCall {
    /// Notes who is on call against the schedules, as after an override; `true` when that is new.
    fn find_contradictions(&mut self, now: Timestamp) -> bool {
        let found = self.asker.desk.hub.look(|board| {
            board.accounts.get(&self.asker.name).map(|known| contradictions(known, now)).unwrap_or_default()
        });
        let is_new = !found.is_subset(&self.contradictions);
        self.contradictions = found;
        is_new
    }

    /// Schedules that are called and that the key may not see stay as they were last seen. Where none is called that
    /// is not listed, the account has none of the newer system, and nothing is barred.
    fn with_those_last_seen(
        &self,
        mut listed: Vec<Schedule>,
        newer: Option<Shown>,
        barred: &mut BTreeMap<Sight, Shown>,
    ) -> Vec<Schedule> {
        let Some(cause) = newer else { return listed };
        self.asker.desk.hub.look(|board| {
            let Some(known) = board.accounts.get(&self.asker.name) else { return };
            let mut unseen = called(known);
            unseen.retain(|id| !listed.iter().any(|one| one.schedule.id == **id));
            if !unseen.is_empty() {
                barred.insert(Sight::ShiftSchedules, cause);
                listed.extend(known.schedules.iter().filter(|one| unseen.contains(&one.schedule.id)).cloned());
                listed.sort_by(|a, b| a.schedule.name.cmp(&b.schedule.name));
            }
        });
        listed
    }

    /// Of what may not be seen stays what was known.
    fn publish_services(&self, services: Option<Vec<Service>>, windows: Option<Vec<Window>>, asked_at: Timestamp) {
        if services.is_none() && windows.is_none() {
            return;
        }
        let (account, hub) = (self.asker.name.clone(), &self.asker.desk.hub);
        let known = hub.look(|board| board.accounts.get(&account).map(|known| known.services.clone()));
        let mut all = known.unwrap_or_default();
        if let Some(services) = services {
            (all.services, all.as_of) = (services, Some(asked_at));
        }
        all.windows = windows.unwrap_or(all.windows);
        hub.publish(Change::Services { account, services: all });
    }
}

/// What this key may not see is noted, and is no failure of the rest: what was known of it stays.
fn permitted<T>(
    answer: Result<T, ProviderError>,
    sight: Sight,
    barred: &mut BTreeMap<Sight, Shown>,
) -> Result<Option<T>, ProviderError> {
    match answer {
        Err(error @ ProviderError::Forbidden { .. }) => {
            barred.insert(sight, error.shown());
            Ok(None)
        }
        answer => answer.map(Some),
    }
}
