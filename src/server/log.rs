//! The log of deliveries: searched, and one of it applied again.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::{
    desk::{Desk, PAGE},
    ingest,
    people::Caller,
    search,
};
use crate::{
    core::{
        board::Change,
        delivery::Decode as _,
        id::DeliveryId,
        query::{self, Clock},
        text::Shown,
    },
    proto::Answer,
    provider::pagerduty::Webhooks,
    store::{Fallen, Found, StoredDelivery, Write},
};

impl Desk {
    /// What `query` finds before `before`; its times are told in UTC.
    pub(super) async fn search(&self, query: &str, before: Option<DeliveryId>, limit: u32) -> Result<Answer, String> {
        let clock = Clock { now: Timestamp::now(), zone: &TimeZone::UTC };
        let wanted = query::delivery::read(query, clock).map_err(|wrong| wrong.to_string())?;
        let search = self.hub.look(|board| search::of(&wanted, |number| search::numbered(board, number)));
        let limit = limit.min(PAGE);
        let read = self.store.read(move |reader| {
            let found = reader.search(&search, before, limit)?;
            let fallen = if found.next.is_none() { Fallen::words(&reader.fallen(&search)?) } else { None };
            Ok((found, fallen))
        });
        let (Found { deliveries, next }, fallen) = read.await.map_err(|error| error.to_string())?;
        Ok(Answer::Found { deliveries, next, let_go: fallen.map(|words| Shown::line(&words)) })
    }

    /// Applies a delivery once more, by the ordinary rules: doing so twice changes nothing more than doing it once.
    pub(super) async fn replay(&self, caller: &Caller, id: DeliveryId) -> Result<Answer, String> {
        let found = self.store.read(move |reader| reader.delivery(id)).await.map_err(|error| error.to_string())?;
        let stored = found.ok_or_else(|| format!("delivery {id} is not kept any more"))?;
        let whole = whole(&stored).map_err(|reason| format!("delivery {id} cannot be replayed: {reason}"))?;
        let account = stored.summary.account.clone().ok_or_else(|| format!("delivery {id} belongs to no account"))?;
        if !self.accounts.contains_key(&account) {
            return Err(format!("delivery {id} is of the account `{account}`, which is not configured any more"));
        }
        let decoded = Webhooks.decode(&account, whole).map_err(|cause| format!("delivery {id}: {cause}"))?;
        let decoded = decoded.shown_by(stored.summary.proof.as_ref(), stored.summary.at);
        let changed = {
            let _order = self.order.lock().await;
            let (change, changed) = self.hub.change(|board| {
                let (change, changed) = ingest::merge(board, decoded.observation.as_ref());
                (change.clone().into_iter().collect(), (change, changed))
            });
            if let Some(Change::Incident(incident)) = change {
                let writes = Arc::new(vec![Write::Incident(incident)]);
                if let Err(error) = self.store.save(Arc::clone(&writes)).await {
                    tracing::warn!(%error, "what a replay changed could not be kept; it is when the store works again");
                    self.unsaved.add(&writes);
                }
            }
            changed
        };
        self.audit_deed(caller, "delivery applied again", &[("delivery", json!(id)), ("changed", json!(changed))])
            .await;
        tracing::info!(uid = caller.uid, delivery = %id, "replayed delivery {id}: {changed}");
        Ok(Answer::Replayed { id, changed })
    }
}

/// The body, if it may be applied and all of it is there.
pub fn whole(stored: &StoredDelivery) -> Result<&[u8], Shown> {
    if let Some(reason) = stored.summary.cannot_be_replayed() {
        return Err(Shown::line(reason));
    }
    all_bytes(stored)
}

/// The body, if all of it is there.
pub fn all_bytes(stored: &StoredDelivery) -> Result<&[u8], Shown> {
    let (kept, size) = (stored.body.len(), stored.summary.size);
    if u64::try_from(kept).is_ok_and(|kept| kept < size) {
        return Err(Shown::line(&format!("only the first {kept} of its {size} bytes are kept")));
    }
    Ok(&stored.body)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use crate::{
        core::{
            delivery::{Decode as _, Timings, Verdict},
            id::DeliveryId,
            incident::Status,
        },
        proto::{Answer, Request},
        provider::pagerduty::Webhooks,
        server::{
            desk::Desk,
            fake::{self, Fake},
            people::Caller,
        },
        store::NewDelivery,
    };

    const TRIGGERED: &str = include_str!("../../tests/fixtures/pagerduty/webhook_real.triggered.json");

    fn act() -> Caller {
        Caller::ourselves()
    }

    async fn stored(desk: &Desk, verdict: Verdict, body: &[u8]) -> DeliveryId {
        let account = fake::account_name();
        let decoded = Webhooks.decode(&account, body).ok();
        let new = NewDelivery {
            at: Timestamp::now(),
            account: Some(account),
            proof: None,
            timings: Timings::default(),
            verdict,
            reason: "as the test says".into(),
            status: 202,
            decoded,
            peer: "127.0.0.1:1".into(),
            headers: vec![],
            body: body.to_vec(),
        };
        desk.store.record(new).await.expect("stored").summary.id
    }

    #[tokio::test]
    async fn a_delivery_replayed_twice_changes_nothing_more() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = std::sync::Arc::new(fake::desk(&Fake::default(), dir.path()));
        let id = stored(&desk, Verdict::Accepted, TRIGGERED.as_bytes()).await;

        let mut said = vec![];
        for _ in 0..2 {
            match desk.answer(&act(), Request::Replay { id }).await {
                Ok(Answer::Replayed { changed, .. }) => said.push(changed.to_string()),
                other => panic!("{other:?}"),
            }
        }

        assert_eq!(said, ["new incident, triggered", "nothing: this was known already"]);
        let audit = std::fs::read_to_string(dir.path().join("audit.jsonl")).expect("audit");
        let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(
            (lines.len(), &lines[0]["what"], &lines[0]["delivery"]),
            (2, &json!("delivery applied again"), &json!(id))
        );
        assert_eq!(lines[0]["who"], json!(act().login));
        let kept = desk.store.read(crate::store::Reader::incidents).await.expect("incidents");
        assert_eq!(kept.iter().map(|incident| incident.state.status).collect::<Vec<_>>(), [Status::Triggered]);
    }

    #[tokio::test]
    async fn who_has_looked_through_the_whole_log_is_told_what_is_not_kept_of_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        for _ in 0..21 {
            futures_util::future::join_all((0..100).map(|_| stored(&desk, Verdict::Rejected, b"forged"))).await;
        }
        let search = async |query: &str| {
            let request = Request::SearchDeliveries { query: query.to_owned(), before: None, limit: 1 };
            match desk.answer(&act(), request).await {
                Ok(Answer::Found { next: None, let_go, .. }) => let_go.map(|words| words.to_string()),
                other => panic!("{other:?}"),
            }
        };

        let gone = "100 rejected ones before are not kept any more";
        assert_eq!(search("verdict:rejected size:>1m").await.as_deref(), Some(gone));
        assert_eq!(search("verdict:accepted").await, None);
        match desk.answer(&act(), Request::Deliveries { before: DeliveryId(1), limit: 1 }).await {
            Ok(Answer::Deliveries { let_go, .. }) => assert_eq!(let_go, Some(gone.into())),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_is_not_genuine_not_whole_or_not_allowed_is_not_replayed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = std::sync::Arc::new(fake::desk(&Fake::default(), dir.path()));
        let rejected = stored(&desk, Verdict::Rejected, TRIGGERED.as_bytes()).await;
        let long = format!("{TRIGGERED}{}", " ".repeat(70_000));
        stored(&desk, Verdict::Accepted, long.as_bytes()).await;
        let cut = stored(&desk, Verdict::Accepted, long.as_bytes()).await;
        let altered = stored(&desk, Verdict::Accepted, TRIGGERED.as_bytes()).await;
        let watch = Caller::find(None).await;

        for (caller, id, word) in [
            (act(), rejected, "rejected"),
            (act(), cut, "only the first 65536"),
            (act(), altered, "not that of the first"),
            (act(), DeliveryId(99), "not kept"),
            (watch, cut, "not act"),
        ] {
            let answer = desk.answer(&caller, Request::Replay { id }).await;
            assert!(answer.as_ref().is_err_and(|said| said.contains(word)), "{word}: {answer:?}");
        }
    }
}
