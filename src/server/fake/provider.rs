//! What the fake answers.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{Fake, Inside, account_name, observation, person, timed_out};
use crate::{
    core::{
        action::{NewIncident, Step},
        call::{Budget, Purpose},
        choices::{Choices, ChoicesOf},
        context::Context,
        detail::Detail,
        freshness::Identity,
        id::{IncidentId, IncidentKey, ServiceId, SubscriptionId},
        incident::{Observation, Status},
        oncall::OnCall,
        subscription::{Created, NewSubscription, Subscription},
        text::Shown,
    },
    provider::{Check, Directory, Provider, ProviderError, Rota, Schedules, Subscriptions, Touch},
};

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
