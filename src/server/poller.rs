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
    snapshot,
};
use crate::{
    core::{
        board::Change,
        delivery::Verdict,
        freshness::{self, Failure, Freshness},
        id::{AccountName, IncidentKey},
        incident::Observation,
    },
    provider::{Provider, ProviderError},
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
    resolved_seen: bool,
    looked_before: bool,
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
            resolved_seen: false,
            looked_before: false,
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
                let failure = Failure { at: Timestamp::now(), cause: error.shown(), unauthorised: false };
                self.note(|account| {
                    account.rest.failed(failure.clone());
                    account.on_call.failed(failure);
                });
                return poll;
            }
        };
        // Success is as of when it was asked for: an answer may take long.
        let asked_at = Timestamp::now();
        let incidents = self.incidents(&*provider, asked_at).await;
        self.conclude(&incidents, asked_at, |account| &mut account.rest);
        let on_call = self.on_call(&*provider, asked_at).await;
        self.conclude(&on_call, asked_at, |account| &mut account.on_call);
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

    fn note(&self, change: impl FnOnce(&mut freshness::Account)) {
        self.desk.hub.account(&self.name, change);
    }

    fn conclude(
        &self,
        outcome: &Result<(), ProviderError>,
        asked_at: Timestamp,
        part: impl FnOnce(&mut freshness::Account) -> &mut Freshness,
    ) {
        if let Err(error) = outcome {
            tracing::warn!(account = %self.name, %error, "poll failed");
        }
        self.note(|account| match outcome {
            Ok(()) => part(account).succeeded(asked_at),
            Err(error) => part(account).failed(account::failure(error, Timestamp::now())),
        });
    }

    async fn on_call(&mut self, provider: &dyn Provider, asked_at: Timestamp) -> Result<(), ProviderError> {
        let oncalls = provider.on_calls().await?;
        self.desk.hub.publish(Change::OnCalls { account: self.name.clone(), oncalls });
        if Instant::now() < self.schedules_due {
            return Ok(());
        }
        let schedules = permitted(provider.schedules(asked_at).await)?;
        self.desk.hub.publish(Change::Schedules { account: self.name.clone(), schedules });
        let directory = permitted(provider.directory().await)?;
        let (people, policies) = (directory.people, directory.policies);
        self.desk.hub.publish(Change::Directory { account: self.name.clone(), people, policies });
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
        if !self.resolved_seen {
            let since = asked_at.checked_sub(RESOLVED_SINCE).unwrap_or(Timestamp::UNIX_EPOCH);
            let resolved = provider.resolved_incidents(since).await?;
            self.take(resolved, asked_at).await;
            self.resolved_seen = true;
        }
        self.count_what_push_missed(asked_at);
        self.looked_before = true;
        Ok(())
    }

    /// Incidents that were open and are not in the list any more: each is asked for, because gone from a list
    /// is not the same as resolved.
    async fn look_after_those_that_left(
        &mut self,
        provider: &dyn Provider,
        listed: &BTreeSet<IncidentKey>,
    ) -> Result<(), ProviderError> {
        let left: Vec<IncidentKey> = self.desk.hub.look(|board| {
            let open = board.incidents.values().filter(|i| i.key.account == self.name && i.state.status.is_open());
            open.map(|i| i.key.clone()).filter(|key| !listed.contains(key)).take(LEFT_AT_ONCE).collect()
        });
        for key in left {
            let asked_at = Timestamp::now();
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

    async fn take(&mut self, seen: Vec<Observation>, asked_at: Timestamp) {
        let changed = self.desk.observe_all(&seen).await;
        // What changed before this process looked for the first time was never promised by push.
        if self.looked_before {
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
mod tests {
    use super::*;
    use crate::{
        core::{freshness::Standing, incident::Status},
        server::fake::{self, Fake, key},
    };

    struct Setup {
        fake: Fake,
        round: Round,
        _dir: tempfile::TempDir,
    }

    fn setup() -> Setup {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let account = desk.accounts.get(&fake::account_name()).expect("known");
        Setup { fake, round: Round::new(desk, account), _dir: dir }
    }

    impl Setup {
        fn status(&self, id: &str) -> Option<Status> {
            self.round.desk.hub.look(|b| b.incidents.get(&key(id)).map(|i| i.state.status))
        }

        fn account(&self) -> crate::core::freshness::Account {
            self.round.desk.hub.look(|b| b.accounts[&fake::account_name()].account.clone())
        }
    }

    fn broken() -> ProviderError {
        ProviderError::Broken { status: 500, reason: "oops".into() }
    }

    #[tokio::test]
    async fn a_failed_poll_keeps_the_list_and_says_how_old_it_is_and_why() {
        let mut setup = setup();
        setup.fake.put("P1", Status::Triggered, 0);
        setup.round.poll().await;
        let success = setup.account().rest.last_success;
        setup.fake.fail_reads(broken(), 1);

        setup.round.poll().await;

        assert_eq!(setup.status("P1"), Some(Status::Triggered));
        let account = setup.account();
        assert_eq!(account.rest.last_success, success);
        let Standing::Stale { cause, .. } = account.rest_standing(Timestamp::now()) else { panic!("not stale") };
        assert!(cause.as_str().contains("500"), "{cause}");
    }

    #[tokio::test]
    async fn what_left_the_open_list_is_asked_for_and_only_then_called_resolved() {
        let mut setup = setup();
        setup.fake.put("P1", Status::Triggered, 0);
        setup.round.poll().await;
        setup.fake.put("P1", Status::Resolved, 10);

        setup.round.poll().await;

        assert_eq!(setup.status("P1"), Some(Status::Resolved));
    }

    #[tokio::test]
    async fn an_incident_that_the_provider_does_not_know_any_more_is_forgotten() {
        let mut setup = setup();
        setup.fake.put("P1", Status::Triggered, 0);
        setup.round.poll().await;
        setup.fake.remove("P1");

        setup.round.poll().await;

        assert_eq!(setup.status("P1"), None);
    }

    #[tokio::test]
    async fn changes_that_push_should_have_told_are_counted_but_not_those_of_the_first_poll() {
        let mut setup = setup();
        setup.fake.put("P1", Status::Triggered, 0);
        setup.round.poll().await;
        assert_eq!(setup.account().push.missed, 0);
        setup.fake.put("P1", Status::Acknowledged, 10);
        setup.fake.put("P2", Status::Triggered, 10);

        setup.round.poll().await;
        assert_eq!(setup.account().push.missed, 0, "push may still tell");
        setup.round.push_grace = SignedDuration::ZERO;
        setup.round.poll().await;
        setup.round.poll().await;

        assert_eq!(setup.account().push.missed, 2);
    }

    #[tokio::test]
    async fn on_call_that_cannot_be_had_does_not_make_incidents_stale() {
        let mut setup = setup();
        setup.fake.fail_on_calls(ProviderError::Forbidden { reason: "scope".into() });
        setup.fake.put("P1", Status::Triggered, 0);

        setup.round.poll().await;

        let account = setup.account();
        assert!(matches!(account.rest_standing(Timestamp::now()), Standing::Fresh { .. }));
        assert!(matches!(account.on_call_standing(Timestamp::now()), Standing::Down { .. }));
    }

    #[tokio::test]
    async fn what_was_resolved_long_ago_is_let_go() {
        let setup = setup();
        let desk = &setup.round.desk;
        desk.observe(&setup.fake.put("P1", Status::Resolved, 0)).await;
        desk.observe(&setup.fake.put("P2", Status::Triggered, 0)).await;
        let (_, mut feed) = desk.hub.subscribe();
        let stop = CancellationToken::new();
        let tidying = tokio::spawn(super::super::tidy(Arc::clone(desk), stop.clone()));

        while !matches!(&*feed.recv().await.expect("change"), Change::Forgotten(gone) if *gone == key("P1")) {}

        assert_eq!((setup.status("P1"), setup.status("P2")), (None, Some(Status::Triggered)));
        stop.cancel();
        tidying.await.expect("ends");
    }

    #[tokio::test]
    async fn refused_credentials_and_rate_limits_are_waited_out() {
        let mut setup = setup();
        setup.fake.fail_reads(ProviderError::Unauthorised { advice: "key".into() }, 1);
        assert_eq!(setup.round.poll().await, Duration::from_mins(1));
        assert!(setup.account().rest.failure.is_some_and(|f| f.unauthorised));

        setup.fake.fail_reads(ProviderError::RateLimited { wait: Duration::from_secs(7) }, 1);
        assert_eq!(setup.round.poll().await, Duration::from_secs(7));
    }

    #[tokio::test]
    async fn a_start_without_network_shows_what_was_known_with_its_age() {
        let mut setup = setup();
        setup.fake.put("P1", Status::Triggered, 0);
        setup.round.poll().await;
        let before = setup.account().rest.last_success;

        let store = setup.round.desk.store.clone();
        let mut board = crate::core::board::Board::default();
        board.apply(&Change::Account(Box::new(super::super::first_look(&fake::settings()))));
        let (board, _) = store.read(move |reader| super::super::restore(reader, board)).await.expect("restored");

        assert!(board.incidents.contains_key(&key("P1")));
        let account = &board.accounts[&fake::account_name()].account;
        assert_eq!((account.rest.last_success, account.rest.failure.clone()), (before, None));
    }
}
