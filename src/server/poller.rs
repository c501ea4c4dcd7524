//! Asking a provider again and again: what webhooks do not tell, or did not deliver.
//!
//! A failed poll changes nothing but the freshness: the last list stays, with its age and the cause.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    account::{self, Account, NoProvider},
    desk::Desk,
    snapshot, wake,
};
use crate::{
    core::{
        board::Change,
        delivery::Verdict,
        freshness::{self, Failure, Freshness},
        id::{AccountName, IncidentKey},
        incident::Observation,
    },
    provider::{Directory, Provider, ProviderError},
};

/// On-call is asked for in each round, as it changes by the clock and by overrides; schedules and people change
/// rarely, and take many requests.
const SCHEDULES_EVERY: Duration = Duration::from_mins(10);
/// How far back resolved incidents are asked for at the start.
const RESOLVED_SINCE: SignedDuration = SignedDuration::from_hours(24);
/// A change this old at the provider should have been pushed by now.
const PUSH_GRACE: SignedDuration = SignedDuration::from_mins(1);
/// Incidents that left the open list and are asked for one by one in a round; the rest follows in the next.
const LEFT_AT_ONCE: usize = 50;
/// More than this that left are looked for among the resolved ones first, which takes a few requests for all.
const MANY_LEFT: usize = 10;
/// How far back resolved incidents are looked through for those that left.
const LEFT_SINCE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A pause between two rounds is at least this long before it counts as a gap.
const GAP: SignedDuration = SignedDuration::from_mins(2);
/// Asked for once more at the beginning of a round: how far the provider's clock is another is known roughly.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// Polls one account until `stop`.
pub async fn run(desk: Arc<Desk>, account: Arc<Account>, stop: CancellationToken) {
    let mut round = Round::new(desk, account);
    loop {
        let pause = round.poll().await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
            // Somebody wants to know: everything is asked for.
            () = round.account.look.notified() => round.schedules_due = Instant::now(),
        }
    }
}

struct Round {
    desk: Arc<Desk>,
    account: Arc<Account>,
    name: AccountName,
    schedules_due: Instant,
    /// Until when everything is known, resolved ones included; by the provider's clock.
    complete_to: Option<Timestamp>,
    /// When the last round began, by the clock on the wall and by that of the timers, and whether push was to tell
    /// what changes from then on: not what changed before this process looked for the first time, nor while this
    /// machine slept.
    asked: Option<(Timestamp, Instant)>,
    promised: bool,
    /// Changes that REST told first, and when: push has until the end of its grace to tell them too.
    unpushed: BTreeMap<IncidentKey, Timestamp>,
    push_grace: SignedDuration,
}

impl Round {
    fn new(desk: Arc<Desk>, account: Arc<Account>) -> Self {
        let name = account.settings.name.clone();
        Self {
            desk,
            account,
            name,
            schedules_due: Instant::now(),
            complete_to: None,
            asked: None,
            promised: false,
            unpushed: BTreeMap::new(),
            push_grace: PUSH_GRACE,
        }
    }

    /// One round; returns how long to wait for the next. Incidents and on-call fail each for itself.
    async fn poll(&mut self) -> Duration {
        let poll = self.account.settings.poll;
        let provider = match self.account.provider().await {
            Ok(provider) => provider,
            Err(NoProvider::NoToken) => return Duration::from_hours(1),
            Err(error) => {
                let failure = Failure { at: (self.desk.now)(), cause: error.shown(), unauthorised: false };
                self.note(|account| {
                    account.rest.failed(failure.clone());
                    account.on_call.failed(failure);
                });
                return poll;
            }
        };
        // Success is as of when it was asked for: an answer may take long.
        let asked_at = (self.desk.now)();
        self.begin(asked_at, Instant::now());
        let incidents = self.incidents(&*provider, asked_at).await;
        self.conclude(&*provider, &incidents, asked_at, |account| &mut account.rest);
        let on_call = self.on_call(&*provider, asked_at).await;
        self.conclude(&*provider, &on_call, asked_at, |account| &mut account.on_call);
        if incidents.is_ok() || on_call.is_ok() {
            snapshot::save(&self.desk, &self.name, asked_at).await;
        }
        match incidents.and(on_call) {
            Ok(()) => poll,
            Err(error) => {
                if matches!(error, ProviderError::Unauthorised { .. }) {
                    self.account.forget().await;
                    self.note(|account| account.identity = None);
                }
                account::pause_after(&error, poll)
            }
        }
    }

    fn begin(&mut self, now: Timestamp, timer: Instant) {
        let last = self.asked.replace((now, timer));
        self.promised = last.is_some_and(|(last, _)| !self.is_gap(last, now));
        if last.is_some_and(|(last, then)| wake::jump((last, then), (now, timer)).is_some()) {
            // What came before a change and what after it, a clock that was set does not tell.
            self.unpushed.clear();
        }
    }

    /// Says how far the clocks are apart, or that they agree again.
    fn compare_clocks(&self, provider: &dyn Provider) {
        let skew = provider.clock_skew().filter(|skew| skew.abs() > freshness::SKEW);
        self.note(|account| {
            let before = account.skew;
            account.skew = skew;
            match account.skew_words() {
                Some(words) if before.is_none() => tracing::warn!(account = %account.name, "{words}"),
                None if before.is_some() => tracing::info!(account = %account.name, "the clocks agree again"),
                Some(_) | None => {}
            }
        });
    }

    fn note(&self, change: impl FnOnce(&mut freshness::Account)) {
        self.desk.hub.account(&self.name, change);
    }

    fn conclude(
        &self,
        provider: &dyn Provider,
        outcome: &Result<(), ProviderError>,
        asked_at: Timestamp,
        part: impl FnOnce(&mut freshness::Account) -> &mut Freshness,
    ) {
        if let Err(error) = outcome {
            self.desk.metrics.poll_failed(&self.name);
            tracing::warn!(account = %self.name, %error, "poll failed");
        } else {
            // First: whoever waits for the success looks at the ages next.
            self.compare_clocks(provider);
        }
        self.note(|account| match outcome {
            Ok(()) => part(account).succeeded(asked_at),
            Err(error) => part(account).failed(account::failure(error, (self.desk.now)())),
        });
    }

    async fn on_call(&mut self, provider: &dyn Provider, asked_at: Timestamp) -> Result<(), ProviderError> {
        let oncalls = provider.on_calls().await?;
        self.desk.hub.publish(Change::OnCalls { account: self.name.clone(), oncalls });
        if Instant::now() < self.schedules_due {
            return Ok(());
        }
        let schedules = permitted(provider.schedules(theirs(provider, asked_at)).await)?;
        self.desk.hub.publish(Change::Schedules { account: self.name.clone(), schedules });
        let directory = permitted(provider.directory().await)?;
        let Directory { people, policies, policy_teams, escalation } = directory;
        self.desk.hub.publish(Change::Directory { account: self.name.clone(), people, policies, policy_teams });
        self.desk.hub.publish(Change::Escalation { account: self.name.clone(), policies: escalation });
        if let Some(rota) = provider.rota() {
            let services = permitted(rota.services(asked_at).await)?;
            self.desk.hub.publish(Change::Services { account: self.name.clone(), services });
        }
        self.schedules_due = Instant::now() + SCHEDULES_EVERY;
        Ok(())
    }

    async fn identify(&self, provider: &dyn Provider) -> Result<(), ProviderError> {
        let known = self.desk.hub.look(|b| b.accounts.get(&self.name).is_some_and(|a| a.account.identity.is_some()));
        if known {
            return Ok(());
        }
        let identity = match provider.identity().await {
            // A key that may not say whose it is may still see incidents.
            Err(ProviderError::Forbidden { .. }) => return Ok(()),
            answer => answer?,
        };
        let cannot_act = (identity.account_key && identity.user.is_none()).then(|| {
            "the key belongs to the account and `from` names none of its users: set `from` to your e-mail address"
                .into()
        });
        self.note(|account| {
            account.identity = Some(identity);
            account.cannot_act = cannot_act;
        });
        Ok(())
    }

    async fn incidents(&mut self, provider: &dyn Provider, asked_at: Timestamp) -> Result<(), ProviderError> {
        self.identify(provider).await?;
        let open = provider.open_incidents().await?;
        let listed: BTreeSet<IncidentKey> = open.iter().map(|seen| seen.key.clone()).collect();
        self.take(open, asked_at).await;
        self.look_after_those_that_left(provider, &listed).await?;
        let resolved = provider.resolved_incidents(self.resolved_wanted(theirs(provider, asked_at))).await?;
        self.take(resolved, asked_at).await;
        self.complete_to = Some(theirs(provider, asked_at));
        self.count_what_push_missed(asked_at);
        Ok(())
    }

    /// Since when resolved incidents have to be asked for, by the provider's clock: what began and ended between two
    /// rounds was in no list of open ones, and its webhooks may be lost.
    fn resolved_wanted(&self, now: Timestamp) -> Timestamp {
        let since = match self.complete_to {
            None => now.checked_sub(RESOLVED_SINCE),
            Some(last) => last.min(now).checked_sub(OVERLAP),
        };
        since.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn is_gap(&self, last: Timestamp, now: Timestamp) -> bool {
        let usual = SignedDuration::try_from(self.account.settings.poll).unwrap_or(SignedDuration::MAX);
        now.duration_since(last) > usual.saturating_mul(3).max(GAP)
    }

    /// Incidents that were open and are not in the list any more: each is asked for, because gone from a list
    /// is not the same as resolved.
    async fn look_after_those_that_left(
        &mut self,
        provider: &dyn Provider,
        listed: &BTreeSet<IncidentKey>,
    ) -> Result<(), ProviderError> {
        let left = self.left(listed);
        if left.len() > MANY_LEFT {
            self.look_among_the_resolved(provider, &left).await?;
        }
        let left = self.left(listed).into_iter().take(LEFT_AT_ONCE).map(|(key, _)| key);
        for key in left {
            let asked_at = (self.desk.now)();
            match provider.incident(&key.id).await {
                Ok(seen) => self.take(vec![seen], asked_at).await,
                // Gone, or moved to where this key may not look: nothing more can be said of it.
                Err(ProviderError::NotFound { .. } | ProviderError::Forbidden { .. }) => self.desk.forget(&key).await,
                // One that cannot be read does not keep the others from being shown.
                Err(error @ (ProviderError::Unreadable { .. } | ProviderError::Refused { .. })) => {
                    tracing::warn!(incident.id = %key.id, %error, "an incident cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What is open on the board and not in the list, and since when there is such an incident.
    fn left(&self, listed: &BTreeSet<IncidentKey>) -> Vec<(IncidentKey, Timestamp)> {
        self.desk.hub.look(|board| {
            let open = board.incidents.values().filter(|i| i.key.account == self.name && i.state.status.is_open());
            open.filter(|i| !listed.contains(&i.key)).map(|i| (i.key.clone(), i.state.created_at)).collect()
        })
    }

    async fn look_among_the_resolved(
        &mut self,
        provider: &dyn Provider,
        left: &[(IncidentKey, Timestamp)],
    ) -> Result<(), ProviderError> {
        let asked_at = (self.desk.now)();
        let earliest = theirs(provider, asked_at).checked_sub(LEFT_SINCE).unwrap_or(Timestamp::UNIX_EPOCH);
        let since = left.iter().map(|(_, created_at)| *created_at).min().unwrap_or(earliest).max(earliest);
        match provider.resolved_incidents(since).await {
            Ok(mut seen) => {
                let wanted: BTreeSet<&IncidentKey> = left.iter().map(|(key, _)| key).collect();
                seen.retain(|one| wanted.contains(&one.key));
                self.take(seen, asked_at).await;
                Ok(())
            }
            // One by one it may be had all the same.
            Err(error @ (ProviderError::Unreadable { .. } | ProviderError::Refused { .. })) => {
                tracing::warn!(account = %self.name, %error, "the resolved incidents cannot be listed");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn take(&mut self, seen: Vec<Observation>, asked_at: Timestamp) {
        let changed = self.desk.observe_all(&seen).await;
        if self.promised {
            self.unpushed.extend(changed.into_iter().map(|key| (key, asked_at)));
        }
    }

    /// Counts the changes that push has not told within its grace.
    fn count_what_push_missed(&mut self, now: Timestamp) {
        let grace = self.push_grace;
        let due: Vec<(IncidentKey, Timestamp)> =
            self.unpushed.extract_if(.., |_, seen_at| now.duration_since(*seen_at) >= grace).collect();
        let missed: Vec<Timestamp> = self.desk.hub.look(|board| {
            let pushed = |key: &IncidentKey, seen_at: Timestamp| {
                let about_it = board.deliveries.iter().filter(|d| d.incident.as_ref() == Some(key));
                about_it.filter(|d| d.verdict != Verdict::Rejected).any(|d| seen_at.duration_since(d.at) <= PUSH_GRACE)
            };
            let promised = |key: &IncidentKey| {
                board.incidents.get(key).is_some_and(|incident| self.account.scope.covers(&incident.state))
            };
            let due = due.iter().filter(|(key, seen_at)| promised(key) && !pushed(key, *seen_at));
            due.map(|(_, seen_at)| *seen_at).collect()
        });
        let Some(first) = missed.iter().min() else { return };
        self.account.doubt.notify_one();
        self.note(|account| {
            if account.push.off.is_none() {
                account.push.missed(u32::try_from(missed.len()).unwrap_or(u32::MAX), *first);
            }
        });
    }
}

/// What time it was at the provider when it was `ours` here, as far as its answers tell.
fn theirs(provider: &dyn Provider, ours: Timestamp) -> Timestamp {
    ours.checked_add(provider.clock_skew().unwrap_or_default()).unwrap_or(ours)
}

/// What this key may not see is nothing to it, and no failure of the rest.
fn permitted<T: Default>(answer: Result<T, ProviderError>) -> Result<T, ProviderError> {
    match answer {
        Err(error @ ProviderError::Forbidden { .. }) => {
            tracing::info!(%error, "left out");
            Ok(T::default())
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests;
