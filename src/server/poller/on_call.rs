//! Who is on call, the schedules, and to whom can be handed off: asked for beside the incidents, which never wait for it.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{Asker, Part, pace, theirs};
use crate::{
    core::{
        board::Change,
        freshness::Sight,
        service::{Service, Window},
        text::Shown,
    },
    provider::{Directory, Provider, ProviderError},
    server::snapshot,
};

/// On-call is asked for in each round, as it changes by the clock and by overrides; schedules and people change
/// rarely, and take many requests.
const SCHEDULES_EVERY: Duration = Duration::from_mins(10);
const ON_CALL: Part = |account| &mut account.on_call;

/// Asks for ever; at once when it is wanted.
pub(super) async fn run(asker: Asker, wanted: &Notify) {
    let mut round = OnCall::new(asker);
    loop {
        let pause = round.poll().await;
        tokio::select! {
            () = sleep(pause) => {}
            () = wanted.notified() => round.schedules_due = Instant::now(),
        }
    }
}

pub(super) struct OnCall {
    asker: Asker,
    schedules_due: Instant,
}

impl OnCall {
    pub(super) fn new(asker: Asker) -> Self {
        Self { asker, schedules_due: Instant::now() }
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
                pace::pause(provider.budget(), provider.requests(), self.asker.account.settings.poll)
            }
            Err(error) => self.asker.pause_after(&error).await,
        }
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
        if Instant::now() < self.schedules_due {
            return Ok(());
        }
        let (name, hub) = (|| self.asker.name.clone(), &self.asker.desk.hub);
        let mut barred = BTreeMap::new();
        let schedules = provider.schedules(theirs(provider, asked_at)).await;
        if let Some(schedules) = permitted(schedules, Sight::Schedules, &mut barred)? {
            hub.publish(Change::Schedules { account: name(), schedules });
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
        if hub.look(|board| board.accounts.get(&name()).is_some_and(|known| known.account.barred != barred)) {
            self.asker.note(|account| account.barred = barred);
        }
        self.schedules_due = Instant::now() + SCHEDULES_EVERY;
        Ok(())
    }
}

impl OnCall {
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
