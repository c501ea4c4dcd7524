//! Looking after push: how the subscription stands at the provider, and whether a long silence is one.
//!
//! It only looks and asks for a test delivery; it never changes a subscription.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{account::Account, desk::Desk};
use crate::{
    core::{
        delivery::{DeliverySummary, Verdict},
        freshness::Push,
        id::AccountName,
        push::{self, DISABLED_FOR, Subscribed},
        subscription::{State, Subscription},
    },
    provider::{ProviderError, Subscriptions},
};

/// Between two looks at the provider's subscriptions.
const LOOK: Duration = Duration::from_mins(15);
/// However great the doubts, not sooner than this after the last look.
const SOONEST: Duration = Duration::from_mins(1);
/// Between two test deliveries.
const PING: Duration = Duration::from_hours(6);
/// How long a test delivery may take before it counts as lost.
const PATIENCE: Duration = Duration::from_mins(1);
/// Deliveries from which the usual gap is learned.
const RHYTHM: u32 = 200;

/// Looks after the push side of one account until `stop`.
pub async fn watch(desk: Arc<Desk>, account: Arc<Account>, stop: CancellationToken) {
    let mut watch = Watch { name: account.settings.name.clone(), desk, account, pinged: None };
    let account = Arc::clone(&watch.account);
    loop {
        let looked = Instant::now();
        // What was doubted until now is answered by this look.
        let _ = account.doubt.notified().now_or_never();
        let pause = tokio::select! {
            () = stop.cancelled() => return,
            pause = watch.look() => pause,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
            () = async { account.doubt.notified().await; sleep_until(looked + SOONEST).await } => {}
        }
    }
}

struct Watch {
    desk: Arc<Desk>,
    account: Arc<Account>,
    name: AccountName,
    /// When the last test delivery was asked for.
    pinged: Option<Instant>,
}

impl Watch {
    /// One look; returns how long to wait for the next. What goes wrong here is told by the poller if it matters.
    async fn look(&mut self) -> Duration {
        let Ok(provider) = self.account.provider().await else { return LOOK };
        let Some(subscriptions) = provider.subscriptions() else { return LOOK };
        match self.look_at(subscriptions).await {
            Ok(()) => LOOK,
            Err(ProviderError::RateLimited { wait }) => wait.max(LOOK),
            Err(error) => {
                tracing::info!(account = %self.name, %error, "how push is subscribed cannot be seen");
                LOOK
            }
        }
    }

    async fn look_at(&mut self, subscriptions: &dyn Subscriptions) -> Result<(), ProviderError> {
        let Some(webhook) = &self.account.settings.webhook else { return Ok(()) };
        // What keeps a secret from being read stands on the screen already.
        let Ok(url_key) = webhook.url_key.read().await else { return Ok(()) };
        let all = subscriptions.list().await?;
        let ours: Vec<Subscription> = all.into_iter().filter(|one| one.leads_to(&self.name, &url_key)).collect();
        if !ours.is_empty() {
            self.account.scope.set(ours.iter().map(|one| one.filter.clone()).collect());
        }
        let now = Timestamp::now();
        self.desk.hub.change(|board| {
            let refused = last_refusal(board.deliveries.iter(), &self.name);
            let Some(known) = board.accounts.get_mut(&self.name) else { return (vec![], ()) };
            let subscribed = judge(&ours, &known.account.push, refused, now);
            if subscribed == known.account.push.subscribed {
                return (vec![], ());
            }
            tracing::info!(account = %self.name, ?subscribed, "the webhook subscription");
            known.account.push.subscribed = subscribed;
            (vec![crate::core::board::Change::Account(Box::new(known.account.clone()))], ())
        });
        if let Some(active) = ours.iter().find(|one| one.state == State::Active).filter(|_| webhook.ping)
            && self.is_overdue(now).await
        {
            self.ping(subscriptions, active, now).await?;
        }
        Ok(())
    }

    /// Whether nothing came for much longer than usual, and no test was made lately.
    async fn is_overdue(&self, now: Timestamp) -> bool {
        if self.pinged.is_some_and(|at| at.elapsed() < PING) {
            return false;
        }
        let Some(last) = self.last_delivery() else { return false };
        let name = self.name.clone();
        let times = self.desk.store.read(move |reader| reader.rhythm(&name, RHYTHM)).await.unwrap_or_default();
        now.duration_since(last) > push::long_silence(push::usual_gap(times))
    }

    fn last_delivery(&self) -> Option<Timestamp> {
        self.desk.hub.look(|board| board.accounts.get(&self.name)?.account.push.last_delivery)
    }

    /// Asks for a test delivery and waits for it; the board says if it does not come.
    async fn ping(
        &mut self,
        subscriptions: &dyn Subscriptions,
        active: &Subscription,
        now: Timestamp,
    ) -> Result<(), ProviderError> {
        self.pinged = Some(Instant::now());
        let before = self.last_delivery();
        match subscriptions.ping(&active.id).await {
            // A key that may look but not change is no sign of anything.
            Err(ProviderError::Forbidden { .. }) => return Ok(()),
            asked => asked?,
        }
        tracing::info!(account = %self.name, "nothing was pushed for long: asked for a test delivery");
        sleep(PATIENCE).await;
        if self.last_delivery() == before {
            tracing::warn!(account = %self.name, "a test delivery was asked for and did not come");
            self.desk.hub.account(&self.name, |account| account.push.unanswered = Some(now));
        }
        Ok(())
    }
}

/// How we are subscribed. One subscription of ours that the provider disabled is worth an alarm whatever the others
/// do; one that somebody switched off beside an active one is meant so. That none leads here is told only where
/// nothing arrives: there may be something in between that passes deliveries on.
fn judge(ours: &[Subscription], push: &Push, refused: Option<Timestamp>, now: Timestamp) -> Subscribed {
    let some = |state: State| ours.iter().any(|one| one.state == state);
    if some(State::Disabled) {
        let told = if let Subscribed::Disabled { until } = push.subscribed { Some(until) } else { None };
        let after_refusal = refused.and_then(|at| at.checked_add(DISABLED_FOR).ok());
        let until = [after_refusal, told].into_iter().flatten().find(|until| *until > now);
        let latest = || now.checked_add(DISABLED_FOR).unwrap_or(Timestamp::MAX);
        return Subscribed::Disabled { until: until.unwrap_or_else(latest) };
    }
    if some(State::Active) {
        return Subscribed::Active;
    }
    if !ours.is_empty() {
        return Subscribed::Inactive;
    }
    let arrives = push.last_delivery.is_some() && push.silence().is_none();
    if arrives { Subscribed::Unknown } else { Subscribed::Missing }
}

/// When a delivery was last refused in the way that makes a provider drop it.
fn last_refusal<'a>(
    mut newest_first: impl Iterator<Item = &'a DeliverySummary>,
    account: &AccountName,
) -> Option<Timestamp> {
    let dropped = |status: u16| (400..500).contains(&status) && status != 429;
    let refused = newest_first.find(|delivery| {
        delivery.concerns(account) && delivery.verdict == Verdict::Rejected && dropped(delivery.status)
    });
    refused.map(|delivery| delivery.at)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        config::{AccountSettings, SecretRef, WebhookSettings},
        core::{board::Change, delivery::Direction, id::DeliveryId, push::Witness},
        server::fake::{self, Fake},
    };

    const OURS: &str = "https://example.com/hooks/prod/4b1d";

    struct Setup {
        fake: Fake,
        watch: Watch,
        _dir: tempfile::TempDir,
    }

    fn setup() -> Setup {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let webhook = WebhookSettings {
            url_key: SecretRef::Inline("4b1d".into()),
            secrets: vec![SecretRef::Inline("s3cret".into())],
            demand: crate::core::sender::Demand::default(),
            allow: None,
            public_url: None,
            ping: true,
        };
        let settings = AccountSettings { webhook: Some(webhook), ..fake::settings() };
        let desk = fake::desk_of(settings, Arc::new(fake.clone()), dir.path());
        let account = desk.accounts.get(&fake::account_name()).expect("known");
        let watch = Watch { name: fake::account_name(), desk, account, pinged: None };
        Setup { fake, watch, _dir: dir }
    }

    impl Setup {
        fn push(&self) -> Push {
            self.watch.desk.hub.look(|board| board.accounts[&fake::account_name()].account.push.clone())
        }

        fn last_delivery(&self, hours_ago: i64) {
            let at = Timestamp::now() - SignedDuration::from_hours(hours_ago);
            self.watch.desk.hub.account(&fake::account_name(), |account| account.push.delivered(at));
        }

        fn refuse(&self, id: i64, at: Timestamp) {
            let summary = DeliverySummary {
                id: DeliveryId(id),
                at,
                direction: Direction::Incoming,
                account: Some(fake::account_name()),
                verdict: Verdict::Rejected,
                reason: "no secret fits".into(),
                status: 401,
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
            };
            self.watch.desk.hub.publish(Change::Delivery(Box::new(summary)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_subscription_that_was_disabled_is_told_until_a_day_after_the_last_refusal_and_then_over() {
        let mut setup = setup();
        setup.fake.subscribe(OURS, State::Disabled);
        let refused = Timestamp::now() - SignedDuration::from_hours(3);
        setup.refuse(1, refused);

        setup.watch.look().await;

        let until = refused + SignedDuration::from_hours(24);
        assert_eq!(setup.push().subscribed, Subscribed::Disabled { until });
        setup.fake.subscribe(OURS, State::Active);
        setup.watch.look().await;
        assert_eq!(setup.push().subscribed, Subscribed::Active);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_refusal_in_the_log_the_end_of_a_day_off_does_not_move_with_each_look() {
        let mut setup = setup();
        setup.fake.subscribe(OURS, State::Disabled);
        setup.watch.look().await;
        let first = setup.push().subscribed;

        setup.watch.look().await;

        assert_eq!(setup.push().subscribed, first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_subscription_is_told_only_where_nothing_arrives() {
        let mut setup = setup();
        setup.fake.subscribe("https://relay.example.com/elsewhere", State::Active);
        setup.last_delivery(1);
        setup.watch.look().await;
        assert_eq!(setup.push().subscribed, Subscribed::Unknown, "somebody passes them on");

        setup.watch.desk.hub.account(&fake::account_name(), |account| account.push.missed(1, Timestamp::now()));
        setup.watch.look().await;

        assert_eq!(setup.push().subscribed, Subscribed::Missing);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_may_not_look_raises_no_alarm() {
        let mut setup = setup();
        setup.fake.fail_subscriptions(ProviderError::Forbidden { reason: "Access Denied".into() });

        assert_eq!(setup.watch.look().await, LOOK);

        let push = setup.push();
        assert_eq!((push.subscribed, push.silence()), (Subscribed::Unknown, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_silence_is_tested_once_and_alarms_only_when_the_test_does_not_arrive() {
        let mut setup = setup();
        setup.fake.subscribe(OURS, State::Active);
        setup.last_delivery(23);
        setup.watch.look().await;
        assert_eq!(setup.fake.pings(), 0, "three a day may be all there is");
        setup.last_delivery(25);

        setup.watch.look().await;

        let witness = setup.push().silence().map(|silence| silence.witness);
        assert!(matches!(witness, Some(Witness::Ping(_))), "{witness:?}");
        setup.watch.look().await;
        assert_eq!(setup.fake.pings(), 1, "not again so soon");
        setup.last_delivery(0);
        assert_eq!(setup.push().silence(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_test_that_arrives_says_that_the_night_is_quiet() {
        let mut setup = setup();
        setup.fake.subscribe(OURS, State::Active);
        setup.last_delivery(25);
        let hub = setup.watch.desk.hub.clone();
        let arriving = tokio::spawn(async move {
            sleep(Duration::from_secs(2)).await;
            hub.account(&fake::account_name(), |account| account.push.delivered(Timestamp::now()));
        });

        setup.watch.look().await;

        arriving.await.expect("arrives");
        assert_eq!((setup.fake.pings(), setup.push().silence()), (1, None));
    }

    #[tokio::test(start_paused = true)]
    async fn doubts_are_looked_into_soon_but_not_all_the_time() {
        let setup = setup();
        setup.fake.subscribe(OURS, State::Active);
        let (desk, account, stop) = (setup.watch.desk, setup.watch.account, CancellationToken::new());
        let watching = tokio::spawn(watch(desk, Arc::clone(&account), stop.clone()));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(setup.fake.looks(), 1);

        for _ in 0..90 {
            account.doubt.notify_one();
            sleep(Duration::from_secs(1)).await;
        }

        assert_eq!(setup.fake.looks(), 2, "once a minute at most");
        sleep(Duration::from_mins(40)).await;
        assert_eq!(setup.fake.looks(), 5, "every quarter of an hour");
        stop.cancel();
        watching.await.expect("ends");
    }
}
