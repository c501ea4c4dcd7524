//! What lies around the incidents that were looked at, kept with its age: it costs many requests, so it is asked for once, and
//! again only when somebody insists or it is old. And the settings' runbooks, which go with it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use jiff::{SignedDuration, Timestamp};

use super::{
    desk::Desk,
    people::Caller,
    turns::{GivesWay, Limits, Turns},
};
use crate::{
    core::{
        call::Purpose,
        context::{Context, Part, Service},
        detail::Detail,
        id::IncidentKey,
        runbook::{self, Rule, Runbook},
    },
    proto::Answer,
};

/// The ones that were looked at longest ago go first.
const MOST: usize = 200;
/// Older ones are asked for again when somebody looks.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(30);
/// One that is not whole is asked for again sooner.
const HALF_GOOD_FOR: SignedDuration = SignedDuration::from_mins(1);
/// Questions of one user that wait for their turn.
const WAITING: usize = 8;

/// Those that are kept; the one that was looked at last comes last.
pub struct Contexts {
    kept: Mutex<VecDeque<Context>>,
    /// One question at a time, so that two who look at the same ask once; of each user in turn.
    asking: Arc<Turns>,
}

impl Default for Contexts {
    fn default() -> Self {
        let limits = Limits { waiting: WAITING, gives_way: GivesWay::Newest, time: None };
        Self { kept: Mutex::default(), asking: Turns::new("what lies around an incident", limits) }
    }
}

impl Contexts {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Context>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of `key`, if it is good enough at `now` to ask nobody.
    fn get(&self, key: &IncidentKey, now: Timestamp) -> Option<Context> {
        let mut kept = self.kept();
        let at = kept.iter().position(|one| one.key == *key)?;
        let age = now.duration_since(kept.get(at)?.fetched_at);
        let good_for = if kept.get(at)?.failures().is_empty() { GOOD_FOR } else { HALF_GOOD_FOR };
        if age.is_negative() || age >= good_for {
            return None;
        }
        let one = kept.remove(at)?;
        kept.push_back(one.clone());
        Some(one)
    }

    fn put(&self, context: Context) {
        let mut kept = self.kept();
        kept.retain(|one| one.key != context.key);
        kept.push_back(context);
        if kept.len() > MOST {
            kept.pop_front();
        }
    }

    /// The service of an incident, as far as it is known.
    pub(super) fn service(&self, key: &IncidentKey) -> Option<Service> {
        let kept = self.kept();
        kept.iter().find(|one| one.key == *key).and_then(|one| one.service.told().cloned().flatten())
    }
}

/// The rules of the settings by which runbooks are found.
#[derive(Default)]
pub struct Runbooks(RwLock<Vec<Rule>>);

impl Runbooks {
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(RwLock::new(rules))
    }

    pub fn set(&self, rules: Vec<Rule>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }
}

impl Desk {
    /// What lies around an incident: the kept one while it is good.
    pub(super) async fn context(&self, caller: &Caller, key: IncidentKey) -> Result<Answer, String> {
        if let Some(context) = self.contexts.get(&key, (self.now)()) {
            return Ok(self.around(context));
        }
        let _one_at_a_time = self.contexts.asking.take(caller).await?;
        match self.contexts.get(&key, (self.now)()) {
            Some(context) => Ok(self.around(context)),
            None => self.ask_context(key).await,
        }
    }

    /// The same, asked of the provider in any case.
    pub(super) async fn context_anew(&self, caller: &Caller, key: IncidentKey) -> Result<Answer, String> {
        let _one_at_a_time = self.contexts.asking.take(caller).await?;
        self.ask_context(key).await
    }

    async fn ask_context(&self, key: IncidentKey) -> Result<Answer, String> {
        let account =
            self.accounts.get(&key.account).ok_or_else(|| format!("there is no account `{}`", key.account))?;
        let provider = account.provider().await.map_err(|e| e.to_string())?.for_purpose(Purpose::Context);
        let service = self.hub.look(|board| {
            let service = board.incidents.get(&key)?.state.service.as_ref();
            service.map(|service| service.id.clone())
        });
        let asked = provider.context(&key, service.as_ref(), (self.now)()).await;
        let mut context = asked.map_err(|error| error.to_string())?;
        self.tell_what_is_known(&mut context);
        self.contexts.put(context.clone());
        Ok(self.around(context))
    }

    /// Of the related incidents that the board knows, it knows more than the provider tells in its list.
    fn tell_what_is_known(&self, context: &mut Context) {
        let key = context.key.clone();
        for part in [&mut context.related, &mut context.past] {
            let Part::Told(similar) = part else { continue };
            self.hub.look(|board| {
                for one in similar.iter_mut() {
                    let place = IncidentKey { account: key.account.clone(), id: one.id.clone() };
                    let Some(known) = board.incidents.get(&place) else { continue };
                    one.number = one.number.or(known.state.number);
                    one.url = one.url.take().or_else(|| known.state.url.clone());
                }
            });
        }
    }

    /// A context with its runbooks, as the settings are now.
    fn around(&self, mut context: Context) -> Answer {
        let service = context.service.told().and_then(Option::as_ref);
        context.runbooks = self.runbooks_of(&context.key, self.details.peek(&context.key).as_ref(), service);
        Answer::Context { context: Box::new(context) }
    }

    pub(super) fn runbooks_of(
        &self,
        key: &IncidentKey,
        detail: Option<&Detail>,
        service: Option<&Service>,
    ) -> Vec<Runbook> {
        let rules = self.runbooks.0.read().unwrap_or_else(PoisonError::into_inner);
        self.hub.look(|board| runbook::find(detail, board.incidents.get(key), &rules, service))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::{
        core::{incident::Status, text::ShownBody},
        provider::ProviderError,
        server::fake::{self, Fake, key},
    };

    async fn look(desk: &Desk) -> Context {
        match desk.context(&Caller::ourselves(), key("P1")).await.expect("a context") {
            Answer::Context { context } => *context,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_lies_around_an_incident_is_asked_for_once_whatever_happens_to_it_until_somebody_insists() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;

        let (first, second) = tokio::join!(look(&desk), look(&desk));
        desk.observe(&fake.put("P1", Status::Acknowledged, 10)).await;
        assert_eq!((look(&desk).await, fake.contexts()), (first.clone(), 1));
        assert_eq!(second, first);
        desk.context_anew(&Caller::ourselves(), key("P1")).await.expect("a context");

        assert_eq!(fake.contexts(), 2);
    }

    #[tokio::test]
    async fn one_that_cannot_be_had_is_an_error_and_nothing_else_is_harmed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        fake.fail_reads(ProviderError::Broken { status: 500, reason: "oops".into() }, 1);

        let failed = desk.context(&Caller::ourselves(), key("P1")).await.expect_err("no context");

        assert!(failed.contains("500"), "{failed}");
        assert_eq!(look(&desk).await.key, key("P1"));
    }

    #[tokio::test]
    async fn runbooks_come_with_the_detail_by_the_rules_as_they_are_now_and_by_the_service_once_it_is_known() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
        let urls = async || match desk.detail(key("P1")).await.expect("a detail") {
            Answer::Detail { detail } => detail.runbooks.iter().map(|one| one.url.to_string()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(urls().await, [""; 0]);

        desk.runbooks.set(vec![Rule { service: None, title: None, url: "https://wiki.example/{id}".into() }]);
        assert_eq!(urls().await, ["https://wiki.example/P1"]);
        let service = Service { description: ShownBody::new("Runbook: https://wiki.example/s"), ..Service::default() };
        let now = (desk.now)();
        desk.contexts.put(Context { service: Part::Told(Some(service)), ..Context::nothing(key("P1"), now) });

        assert_eq!(urls().await, ["https://wiki.example/P1", "https://wiki.example/s"]);
    }

    #[test]
    fn what_is_kept_is_bounded_old_ones_are_asked_for_again_and_halves_sooner() {
        let contexts = Contexts::default();
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        for n in 0..=MOST {
            contexts.put(Context::nothing(key(&format!("P{n}")), at(0)));
        }

        assert!(contexts.get(&key("P0"), at(0)).is_none() && contexts.get(&key("P1"), at(29)).is_some());
        assert!(contexts.get(&key("P1"), at(30)).is_none());
        contexts.put(Context { past: Part::Failed("oops".into()), ..Context::nothing(key("P1"), at(0)) });
        assert!(contexts.get(&key("P1"), at(0)).is_some() && contexts.get(&key("P1"), at(1)).is_none());
    }

    #[tokio::test]
    async fn questions_of_one_user_wait_for_each_other_up_to_a_bound_and_another_is_next() {
        let (fake, dir) = (Fake::default(), tempfile::tempdir().expect("tempdir"));
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
        let caller = |uid| Caller { uid: Some(uid), login: "somebody".into() };
        let (guest, victim) = (caller(4_000_001), caller(4_000_002));
        let now = desk.contexts.asking.take(&guest).await.expect("free");
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(desk.context_anew(&guest, key("P1")))).collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none());
        }

        let refused = desk.context_anew(&guest, key("P1")).await.expect_err("too many");

        assert!(refused.contains("too many of yours wait"), "{refused}");
        let mut other = Box::pin(desk.context(&victim, key("P1")));
        assert!(other.as_mut().now_or_never().is_none());
        drop(now);
        waiting.remove(0).await.expect("the first");
        other.await.expect("the second");
        assert_eq!(fake.contexts(), 1, "what was asked for meanwhile is not asked again");
    }
}
