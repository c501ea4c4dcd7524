//! Sending the events that wait on disk, in order, until the provider has taken them.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::{
    config::IntegrationSettings,
    core::text::Shown,
    provider::{ProviderError, pagerduty::Events},
    store::{Outbox, Outgoing, StoreError},
};

/// Between two looks at what waits.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause after failures in a row.
const LONGEST: Duration = Duration::from_mins(2);

/// The integrations of the settings.
#[derive(Debug, Default)]
pub struct Integrations(RwLock<Arc<Vec<IntegrationSettings>>>);

impl Integrations {
    pub fn new(integrations: &[IntegrationSettings]) -> Self {
        let known = Self::default();
        known.set(integrations);
        known
    }

    /// Takes other settings; they hold from the next look at what waits.
    pub fn set(&self, integrations: &[IntegrationSettings]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(integrations.to_vec());
    }

    fn all(&self) -> Arc<Vec<IntegrationSettings>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What became of one event.
#[derive(Debug)]
pub enum Sent {
    Taken,
    /// It waits on, and why.
    Waits(Shown),
    /// The provider will never take it; it is put aside.
    Refused(Shown),
}

/// Sends what waits, oldest first; an integration of which one waits on keeps its later ones waiting too, as a resolve
/// must not overtake its trigger. `None`: somebody else is sending.
pub async fn flush(
    outbox: &Outbox,
    integrations: &[IntegrationSettings],
) -> Result<Option<Vec<(PathBuf, Outgoing, Sent)>>, StoreError> {
    let Some(_turn) = outbox.turn()? else { return Ok(None) };
    let mut stuck: BTreeMap<String, Shown> = BTreeMap::new();
    let mut told = vec![];
    for (path, waiting) in outbox.all()? {
        let waiting = match waiting {
            Ok(waiting) => waiting,
            Err(reason) => {
                tracing::error!("an event that waits cannot be read: {reason}");
                continue;
            }
        };
        let sent = match stuck.get(&waiting.integration) {
            Some(reason) => Sent::Waits(reason.clone()),
            None => send(integrations, &waiting).await,
        };
        match &sent {
            Sent::Taken => outbox.done(&path)?,
            Sent::Refused(_) => outbox.refused(&path)?,
            Sent::Waits(reason) => drop(stuck.insert(waiting.integration.clone(), reason.clone())),
        }
        told.push((path, waiting, sent));
    }
    Ok(Some(told))
}

async fn send(integrations: &[IntegrationSettings], waiting: &Outgoing) -> Sent {
    let Some(known) = integrations.iter().find(|known| known.name.as_str() == waiting.integration) else {
        return Sent::Waits(Shown::line(&format!("no [[integration]] is called {}", waiting.integration)));
    };
    let key = match known.routing_key.read().await {
        Ok(key) => key,
        Err(error) => return Sent::Waits(Shown::line(&error.to_string())),
    };
    let events = match Events::new(&known.base_url) {
        Ok(events) => events,
        Err(error) => return Sent::Waits(Shown::line(&error.to_string())),
    };
    match events.send(&key, &waiting.event).await {
        Ok(()) => Sent::Taken,
        // Sent again after a lost answer, it is the same alert: the dedup key says so.
        Err(error) if error.leaves_doubt() => Sent::Waits(error.shown()),
        Err(
            error @ (ProviderError::Unreachable { .. }
            | ProviderError::RateLimited { .. }
            | ProviderError::Unauthorised { .. }
            | ProviderError::Forbidden { .. }),
        ) => Sent::Waits(error.shown()),
        Err(error) => Sent::Refused(error.shown()),
    }
}

/// Sends what commands have left behind, as long as the server runs.
pub(super) async fn run(desk: Arc<Desk>, outbox: Outbox, stop: CancellationToken) {
    let mut pause = PAUSE;
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
        let integrations = desk.integrations.all();
        match flush(&outbox, &integrations).await {
            Ok(told) => {
                let waits = told.iter().flatten().any(|(_, _, sent)| matches!(sent, Sent::Waits(_)));
                told.iter().flatten().for_each(tell);
                pause = if waits { (pause * 2).min(LONGEST) } else { PAUSE };
            }
            Err(error) => {
                tracing::error!(%error, "events that wait cannot be sent");
                pause = LONGEST;
            }
        }
    }
}

fn tell((_, waiting, sent): &(PathBuf, Outgoing, Sent)) {
    let (what, to) = (waiting.event.action.word(), &waiting.integration);
    match sent {
        Sent::Taken => tracing::info!("an event ({what}) that waited was taken by {to}"),
        Sent::Waits(reason) => tracing::warn!("an event ({what}) for {to} waits on: {reason}"),
        Sent::Refused(reason) => tracing::error!("an event ({what}) was refused by {to} and is put aside: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{method, path},
    };

    use super::*;
    use crate::{
        config::SecretRef,
        core::event::{EventAction, tests::event},
    };

    fn integration(base_url: &str) -> IntegrationSettings {
        let routing_key = SecretRef::Inline("0123456789abcdef0123456789abcdef".to_owned().into());
        IntegrationSettings { name: "checkout".into(), routing_key, base_url: base_url.to_owned() }
    }

    fn outbox(dir: &std::path::Path) -> Outbox {
        let outbox = Outbox::in_state_dir(dir);
        for (second, action) in [EventAction::Trigger, EventAction::Resolve].into_iter().enumerate() {
            let since = Timestamp::from_second(1_700_000_000 + i64::try_from(second).expect("small")).expect("time");
            outbox.put(&Outgoing { integration: "checkout".into(), event: event(action), since }).expect("kept");
        }
        outbox
    }

    async fn answering(status: u16) -> MockServer {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_json(serde_json::json!({ "status": "x", "message": "y" }));
        Mock::given(method("POST")).and(path("/v2/enqueue")).respond_with(answer).mount(&server).await;
        server
    }

    #[tokio::test]
    async fn what_is_taken_leaves_the_disk_in_order() {
        let (dir, server) = (tempfile::tempdir().expect("tempdir"), answering(202).await);
        let outbox = outbox(dir.path());

        flush(&outbox, &[integration(&server.uri())]).await.expect("flushed");

        assert!(outbox.all().expect("list").is_empty());
        let sent: Vec<serde_json::Value> = server
            .received_requests()
            .await
            .expect("requests")
            .iter()
            .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
            .collect();
        assert_eq!(
            sent.iter().map(|body| body["event_action"].as_str()).collect::<Vec<_>>(),
            [Some("trigger"), Some("resolve")]
        );
    }

    #[tokio::test]
    async fn what_cannot_be_sent_waits_and_nothing_overtakes_it() {
        for status in [429, 500, 401] {
            let (dir, server) = (tempfile::tempdir().expect("tempdir"), answering(status).await);
            let outbox = outbox(dir.path());

            flush(&outbox, &[integration(&server.uri())]).await.expect("flushed");

            assert_eq!(outbox.all().expect("list").len(), 2, "{status}");
            assert_eq!(server.received_requests().await.expect("requests").len(), 1, "{status}");
        }
        let dir = tempfile::tempdir().expect("tempdir");
        let outbox = outbox(dir.path());
        flush(&outbox, &[integration("http://127.0.0.1:1")]).await.expect("flushed");
        assert_eq!(outbox.all().expect("list").len(), 2);
    }

    #[tokio::test]
    async fn what_is_refused_for_good_is_put_aside_and_holds_up_nothing() {
        let (dir, server) = (tempfile::tempdir().expect("tempdir"), answering(400).await);
        let outbox = outbox(dir.path());

        let told = flush(&outbox, &[integration(&server.uri())]).await.expect("flushed").expect("our turn");

        assert!(told.iter().all(|(_, _, sent)| matches!(sent, Sent::Refused(_))), "{told:?}");
        assert!(outbox.all().expect("list").is_empty());
    }
}
