//! Asking a provider again and again: what webhooks do not tell, or did not deliver.
//!
//! A failed poll changes nothing but the freshness: the last list stays, with its age and the cause.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

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
        freshness::Failure,
        id::{AccountName, IncidentKey},
        incident::Observation,
    },
    provider::{Provider, ProviderError},
};

/// On-call changes by the clock and by overrides, which no webhook tells.
const ON_CALL_EVERY: Duration = Duration::from_mins(1);
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
            () = round.account.look.notified() => {}
        }
    }
}

struct Round {
    desk: Arc<Desk>,
    account: Arc<Account>,
    name: AccountName,
    on_call_due: Instant,
    schedules_due: Instant,
    resolved_seen: bool,
    looked_before: bool,
}

impl Round {
    fn new(desk: Arc<Desk>, account: Arc<Account>) -> Self {
        let now = Instant::now();
        let name = account.settings.name.clone();
        Self { desk, account, name, on_call_due: now, schedules_due: now, resolved_seen: false, looked_before: false }
    }

    /// One round; returns how long to wait for the next.
    async fn poll(&mut self) -> Duration {
        let poll = self.account.settings.poll;
        let provider = match self.account.provider().await {
            Ok(provider) => provider,
            Err(NoProvider::NoToken) => return Duration::from_hours(1),
            Err(error) => {
                self.failed(Failure { at: Timestamp::now(), cause: error.shown(), unauthorised: false });
                return poll;
            }
        };
        match self.everything_due(&*provider).await {
            Ok(()) => {
                self.looked_before = true;
                let now = Timestamp::now();
                self.desk.hub.account(&self.name, |account| account.rest.succeeded(now));
                snapshot::save(&self.desk, &self.name, now).await;
                poll
            }
            Err(error) => {
                tracing::warn!(account = %self.name, %error, "poll failed");
                if matches!(error, ProviderError::Unauthorised { .. }) {
                    self.account.forget().await;
                }
                self.failed(account::failure(&error, Timestamp::now()));
                account::pause_after(&error, poll)
            }
        }
    }

    fn failed(&self, failure: Failure) {
        self.desk.hub.account(&self.name, |account| account.rest.failed(failure));
    }

    async fn everything_due(&mut self, provider: &dyn Provider) -> Result<(), ProviderError> {
        self.identify(provider).await?;
        self.incidents(provider).await?;
        if Instant::now() >= self.on_call_due {
            let oncalls = provider.on_calls().await?;
            self.desk.hub.publish(Change::OnCalls { account: self.name.clone(), oncalls });
            self.on_call_due = Instant::now() + ON_CALL_EVERY;
        }
        if Instant::now() >= self.schedules_due {
            let schedules = provider.schedules(Timestamp::now()).await?;
            self.desk.hub.publish(Change::Schedules { account: self.name.clone(), schedules });
            let directory = provider.directory().await?;
            let (people, policies) = (directory.people, directory.policies);
            self.desk.hub.publish(Change::Directory { account: self.name.clone(), people, policies });
            self.schedules_due = Instant::now() + SCHEDULES_EVERY;
        }
        Ok(())
    }

    async fn identify(&self, provider: &dyn Provider) -> Result<(), ProviderError> {
        let known = self.desk.hub.look(|b| b.accounts.get(&self.name).is_some_and(|a| a.account.identity.is_some()));
        if known {
            return Ok(());
        }
        let identity = provider.identity().await?;
        let cannot_act = (identity.account_key && identity.user.is_none()).then(|| {
            "the key belongs to the account and `from` names none of its users: set `from` to your e-mail address"
                .into()
        });
        self.desk.hub.account(&self.name, |account| {
            account.identity = Some(identity);
            account.cannot_act = cannot_act;
        });
        Ok(())
    }

    async fn incidents(&mut self, provider: &dyn Provider) -> Result<(), ProviderError> {
        let asked_at = Timestamp::now();
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
        Ok(())
    }

    /// Incidents that were open and are not in the list any more: each is asked for, because gone from a list
    /// is not the same as resolved.
    async fn look_after_those_that_left(
        &self,
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
                Err(ProviderError::NotFound { .. }) => self.desk.forget(&key).await,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn take(&self, seen: Vec<Observation>, asked_at: Timestamp) {
        let missed = self.desk.observe_all(&seen, |seen| asked_at.duration_since(seen.stamp.at) > PUSH_GRACE).await;
        // What changed before this process looked for the first time was never promised by push.
        if missed > 0 && self.looked_before {
            self.desk.hub.account(&self.name, |account| {
                if account.push.off.is_none() {
                    account.push.missed = account.push.missed.saturating_add(missed);
                }
            });
        }
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
        let account = Arc::clone(&desk.accounts[&fake::account_name()]);
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

        assert_eq!(setup.account().push.missed, 2);
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
