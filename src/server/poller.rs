//! Asking a provider again and again: what webhooks do not tell, or did not deliver.
//!
//! A failed poll changes nothing but the freshness: the last list stays, with its age and the cause. Where the list is
//! long, most rounds ask what happened and then only for that; and no round spends what actions may need.

mod left;
mod on_call;
mod pace;

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
use tokio_util::sync::CancellationToken;

use self::left::{Answer, LeftOnes};
use super::{
    account::{self, Account, NoProvider},
    desk::Desk,
    snapshot, wake,
};
use crate::{
    core::{
        call::Purpose,
        freshness::{self, Failure, Freshness},
        id::{AccountName, IncidentId, IncidentKey},
        incident::Observation,
    },
    provider::{Provider, ProviderError},
};

/// How far back resolved incidents are asked for at the start.
const RESOLVED_SINCE: SignedDuration = SignedDuration::from_hours(24);
/// A change this old at the provider should have been pushed by now.
const PUSH_GRACE: SignedDuration = SignedDuration::from_mins(1);
/// Lists that take no more requests than this are asked for in each round: that is hardly more than to ask what changed.
const FEW: u64 = 4;
/// Longer ones at least so often, as a log may lack something.
const ALL_EVERY: Duration = Duration::from_mins(5);
/// Or when somebody wants to know, if the last time is so long ago.
const ALL_WHEN_WANTED: Duration = Duration::from_mins(1);
/// Asked for once more of what happened: an entry may come late into the log.
const LOG_OVERLAP: SignedDuration = SignedDuration::from_mins(1);
/// Observations that are taken in together: everything else waits meanwhile.
const TAKEN_TOGETHER: usize = 500;
/// A pause between two rounds is at least this long before it counts as a gap.
const GAP: SignedDuration = SignedDuration::from_mins(2);
/// Asked for once more at the beginning of a round: how far the provider's clock is another is known roughly.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// Polls one account until `stop`: its incidents, and who is on call, neither of which waits for the other.
pub async fn run(desk: Arc<Desk>, account: Arc<Account>, stop: CancellationToken) {
    let wanted = Notify::new();
    let asker = Asker::new(desk, account);
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = incidents(Round::new(asker.clone()), &wanted) => {}
        () = on_call::run(asker, &wanted) => {}
    }
}

async fn incidents(mut round: Round, wanted: &Notify) {
    let account = Arc::clone(&round.asker.account);
    loop {
        let pause = round.poll().await;
        tokio::select! {
            biased;
            // Somebody wants to know: everything is asked for.
            () = account.look.notified() => {
                round.is_wanted(Instant::now());
                wanted.notify_one();
            }
            () = sleep(pause) => {}
        }
    }
}

/// Who asks one account's provider, and where it notes what came of it.
#[derive(Clone)]
struct Asker {
    desk: Arc<Desk>,
    account: Arc<Account>,
    name: AccountName,
}

/// One of an account's sources.
type Part = fn(&mut freshness::Account) -> &mut Freshness;

impl Asker {
    fn new(desk: Arc<Desk>, account: Arc<Account>) -> Self {
        let name = account.settings.name.clone();
        Self { desk, account, name }
    }

    /// A way to the provider for one round, or how long to wait because there is none.
    async fn provider(&self, part: Part) -> Result<Arc<dyn Provider>, Duration> {
        match self.account.provider().await {
            Ok(provider) => Ok(provider.for_purpose(Purpose::Poll)),
            Err(NoProvider::NoToken) => Err(Duration::from_hours(1)),
            Err(error) => {
                let failure = Failure { at: (self.desk.now)(), cause: error.shown(), unauthorised: false };
                self.note(|account| part(account).failed(failure));
                Err(self.account.settings.poll)
            }
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

    fn conclude(&self, provider: &dyn Provider, outcome: &Result<(), ProviderError>, asked_at: Timestamp, part: Part) {
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

    /// After a failure: how long to wait. A key that was refused is read again.
    fn pause_after(&self, error: &ProviderError) -> Duration {
        if matches!(error, ProviderError::Unauthorised { .. }) {
            self.account.forget();
            self.note(|account| account.identity = None);
        }
        account::pause_after(error, self.account.settings.poll)
    }
}

struct Round {
    asker: Asker,
    /// Until when everything is known, resolved ones included; by the provider's clock.
    complete_to: Option<Timestamp>,
    /// When the last round ended, by the clock on the wall and by that of the timers, and whether push was to tell
    /// what changes from then on: not what changed before this process looked for the first time, nor while this
    /// machine slept.
    ended: Option<(Timestamp, Instant)>,
    /// How long the next one was to wait for.
    pause: Duration,
    promised: bool,
    /// When the whole list was last asked for with success, and when it has to be again.
    all_at: Option<Instant>,
    all_due: Instant,
    /// Up to where the provider's log is read.
    log: Option<Log>,
    left: LeftOnes,
    /// Requests that a round takes which asks for everything, and one which asks for changes.
    cost: Cost,
    /// Changes that REST told first, and when: push has until the end of its grace to tell them too.
    unpushed: BTreeMap<IncidentKey, Timestamp>,
    push_grace: SignedDuration,
}

/// How far the provider's log of what happened is read.
struct Log {
    since: Timestamp,
    /// Entries since then that were seen to.
    seen: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    all: u64,
    changes: u64,
}

impl Round {
    fn new(asker: Asker) -> Self {
        Self {
            asker,
            complete_to: None,
            ended: None,
            pause: Duration::ZERO,
            promised: false,
            all_at: None,
            all_due: Instant::now(),
            log: None,
            left: LeftOnes::default(),
            cost: Cost::default(),
            unpushed: BTreeMap::new(),
            push_grace: PUSH_GRACE,
        }
    }

    fn is_wanted(&mut self, now: Instant) {
        if self.all_at.is_none_or(|at| now.duration_since(at) > ALL_WHEN_WANTED) {
            self.all_due = now;
        }
    }

    /// One round; returns how long to wait for the next.
    async fn poll(&mut self) -> Duration {
        let provider = match self.asker.provider(REST).await {
            Ok(provider) => provider,
            Err(pause) => return pause,
        };
        // Success is as of when it was asked for: an answer may take long.
        let asked_at = (self.asker.desk.now)();
        self.begin(asked_at, Instant::now());
        let outcome = self.incidents(&*provider, asked_at).await;
        self.asker.conclude(&*provider, &outcome, asked_at, REST);
        self.pause = match outcome {
            Ok(()) => {
                snapshot::save(&self.asker.desk, &self.asker.name, asked_at).await;
                self.pause(&*provider)
            }
            Err(error) => self.asker.pause_after(&error),
        };
        self.ended = Some(((self.asker.desk.now)(), Instant::now()));
        self.pause
    }

    /// Until the next round, as the budget allows; how fresh things can be is told by it.
    fn pause(&self, provider: &dyn Provider) -> Duration {
        let poll = self.asker.account.settings.poll;
        let whole = Instant::now() + poll >= self.all_due;
        let pause = pace::pause(provider.budget(), if whole { self.cost.all } else { self.cost.changes }, poll);
        let seconds = u32::try_from(pause.as_secs()).unwrap_or(u32::MAX);
        self.asker.note(|account| {
            if account.poll_seconds != seconds {
                tracing::info!(account = %account.name, "polls every {seconds} s, as the rate limit allows");
                account.poll_seconds = seconds;
            }
        });
        pause
    }

    fn begin(&mut self, now: Timestamp, timer: Instant) {
        let last = self.ended;
        self.promised = last.is_some_and(|(last, _)| !self.is_gap(last, now));
        if !self.promised {
            self.all_due = timer;
        }
        if last.is_some_and(|(last, then)| wake::jump((last, then), (now, timer)).is_some()) {
            // What came before a change and what after it, a clock that was set does not tell.
            self.unpushed.clear();
            self.all_due = timer;
        }
    }

    async fn identify(&self, provider: &dyn Provider) -> Result<(), ProviderError> {
        let known = self
            .asker
            .desk
            .hub
            .look(|b| b.accounts.get(&self.asker.name).is_some_and(|a| a.account.identity.is_some()));
        if known {
            return Ok(());
        }
        let identity = match provider.identity().await {
            // A key that may not say whose it is may still see incidents.
            Err(ProviderError::Forbidden { .. }) => return Ok(()),
            answer => answer?,
        };
        let is_nobody = identity.user.is_none() && !identity.may_not_look;
        let cannot_act = (identity.account_key && is_nobody).then(|| {
            "the key belongs to the account and `from` names none of its users: set `from` to your e-mail address"
                .into()
        });
        self.asker.note(|account| {
            account.identity = Some(identity);
            account.cannot_act = cannot_act;
        });
        Ok(())
    }

    async fn incidents(&mut self, provider: &dyn Provider, asked_at: Timestamp) -> Result<(), ProviderError> {
        self.identify(provider).await?;
        if Instant::now() < self.all_due && self.changes(provider, asked_at).await? {
            self.cost.changes = provider.requests();
        } else {
            self.everything(provider, asked_at).await?;
            self.cost.all = provider.requests();
            let now = Instant::now();
            self.all_at = Some(now);
            self.all_due = if self.cost.all <= FEW { now } else { now + ALL_EVERY };
        }
        let looked = self.look_after_those_that_left(provider).await;
        self.tell_which_left(asked_at);
        looked?;
        self.complete_to = Some(theirs(provider, asked_at));
        self.count_what_push_missed(asked_at);
        Ok(())
    }

    /// The whole list, and what was over between two of them.
    async fn everything(&mut self, provider: &dyn Provider, asked_at: Timestamp) -> Result<(), ProviderError> {
        let open = provider.open_incidents().await?;
        let listed: BTreeSet<IncidentKey> = open.iter().map(|seen| seen.key.clone()).collect();
        self.take(open, asked_at).await;
        if let Some(left) = self.many_to_look_for(&listed) {
            self.look_among_the_resolved(provider, &left).await?;
        }
        self.note_those_that_left(&listed);
        let resolved = provider.resolved_incidents(self.resolved_wanted(theirs(provider, asked_at))).await?;
        self.take(resolved, asked_at).await;
        self.log = Some(Log { since: log_since(provider, asked_at), seen: BTreeSet::new() });
        Ok(())
    }

    /// Asks what happened since the last round, and then for that alone. `false`: nothing was asked for, because
    /// everything is the shorter way, or the only one.
    async fn changes(&mut self, provider: &dyn Provider, asked_at: Timestamp) -> Result<bool, ProviderError> {
        let Some(log) = &self.log else { return Ok(false) };
        let Some(touches) = provider.touched_since(log.since).await? else { return Ok(false) };
        let new = touches.iter().filter(|touch| !log.seen.contains(&touch.entry));
        let changed: BTreeSet<IncidentId> = new.map(|touch| touch.incident.clone()).collect();
        if u64::try_from(changed.len()).unwrap_or(u64::MAX) >= self.cost.all {
            return Ok(false);
        }
        for id in changed {
            let key = IncidentKey { account: self.asker.name.clone(), id };
            if matches!(self.ask_for(provider, &key).await?, Answer::None { .. }) {
                // The list may show it all the same.
                return Ok(false);
            }
        }
        let since = log_since(provider, asked_at);
        let seen = touches.into_iter().filter(|touch| touch.at >= since).map(|touch| touch.entry).collect();
        self.log = Some(Log { since, seen });
        Ok(true)
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
        let usual = self.pause.max(self.asker.account.settings.poll);
        let usual = SignedDuration::try_from(usual).unwrap_or(SignedDuration::MAX);
        now.duration_since(last) > usual.saturating_mul(3).max(GAP)
    }

    async fn take(&mut self, seen: Vec<Observation>, asked_at: Timestamp) {
        let mut seen = seen.into_iter();
        loop {
            let some: Vec<Observation> = seen.by_ref().take(TAKEN_TOGETHER).collect();
            if some.is_empty() {
                return;
            }
            let changed = self.asker.desk.observe_all(some).await;
            if self.promised {
                self.unpushed.extend(changed.into_iter().map(|key| (key, asked_at)));
            }
        }
    }

    /// Counts the changes that push has not told within its grace.
    fn count_what_push_missed(&mut self, now: Timestamp) {
        let grace = self.push_grace;
        let due: Vec<(IncidentKey, Timestamp)> =
            self.unpushed.extract_if(.., |_, seen_at| now.duration_since(*seen_at) >= grace).collect();
        let missed: Vec<Timestamp> = self.asker.desk.hub.look(|board| {
            let pushed = |key: &IncidentKey, seen_at: Timestamp| {
                let about_it = board.deliveries.iter().filter(|d| d.incident.as_ref() == Some(key));
                about_it.filter(|d| d.tells()).any(|d| seen_at.duration_since(d.at) <= PUSH_GRACE)
            };
            let promised = |key: &IncidentKey| {
                board.incidents.get(key).is_some_and(|incident| self.asker.account.scope.covers(&incident.state))
            };
            let due = due.iter().filter(|(key, seen_at)| promised(key) && !pushed(key, *seen_at));
            due.map(|(_, seen_at)| *seen_at).collect()
        });
        let Some(first) = missed.iter().min() else { return };
        self.asker.account.doubt.notify_one();
        self.asker.note(|account| {
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

/// From where the provider's log has to be read in the next round, if this one asked at `asked_at`.
fn log_since(provider: &dyn Provider, asked_at: Timestamp) -> Timestamp {
    theirs(provider, asked_at).checked_sub(LOG_OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH)
}

const REST: Part = |account| &mut account.rest;

#[cfg(test)]
mod tests;
