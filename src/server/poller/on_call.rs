//! Who is on call, the schedules, and to whom can be handed off: asked for beside the incidents, which never wait for it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{Asker, Part, pace, permitted, theirs};
use crate::{
    core::board::Change,
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

    async fn ask(&mut self, provider: &dyn Provider, asked_at: Timestamp) -> Result<(), ProviderError> {
        let oncalls = provider.on_calls().await?;
        self.asker.desk.hub.publish(Change::OnCalls { account: self.asker.name.clone(), oncalls });
        if Instant::now() < self.schedules_due {
            return Ok(());
        }
        let schedules = permitted(provider.schedules(theirs(provider, asked_at)).await)?;
        self.asker.desk.hub.publish(Change::Schedules { account: self.asker.name.clone(), schedules });
        let directory = permitted(provider.directory().await)?;
        let Directory { people, policies, policy_teams, escalation } = directory;
        self.asker.desk.hub.publish(Change::Directory {
            account: self.asker.name.clone(),
            people,
            policies,
            policy_teams,
        });
        let account = self.asker.name.clone();
        self.asker.desk.hub.publish(Change::Escalation { account: account.clone(), policies: escalation });
        if let Some(rota) = provider.rota() {
            let services = permitted(rota.services(asked_at).await)?;
            self.asker.desk.hub.publish(Change::Services { account, services });
        }
        self.schedules_due = Instant::now() + SCHEDULES_EVERY;
        Ok(())
    }
}
