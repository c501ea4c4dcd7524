//! The hand-off of a shift: facts from the board, notes from the providers, and a template that makes text of them.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::{desk::Desk, people::Caller, templates::aside};
use crate::{
    core::{
        board::Board,
        detail::Note,
        handoff::{At, Handoff, LONGEST, USUAL, gather, speaks_of, zone_of},
        id::{AccountName, IncidentKey},
        template::Preview,
        text::Shown,
    },
    proto::Answer,
    template::Delivered,
};

/// Incidents whose notes are asked for: each costs the provider requests, of which there are so many a minute.
const NOTED: usize = 20;
/// Asked for at the same time.
const AT_ONCE: usize = 4;

impl Desk {
    /// Tells of the time since `from`, by the clock of `zone`, in the words of a template.
    pub(super) async fn handoff(
        &self,
        caller: &Caller,
        name: String,
        from: Timestamp,
        zone: &str,
    ) -> Result<Answer, String> {
        let source = self.library.read(&name).map_err(|error| error.to_string())?;
        let (zone, now) = (zone_of(zone)?, (self.now)());
        if now.duration_since(from) > LONGEST {
            return Err("a hand-off tells of 31 days at most".into());
        }
        let (hub, at) = (self.hub.clone(), zone.clone());
        let mut seeing = self.seeing.take(caller).await?;
        seeing.count();
        let keys = aside(move || hub.look(|board| noted(board, &At { from, now, zone: &at }))).await?;
        drop(seeing);
        let (notes, missing) = self.notes(keys).await;
        let mut turn = self.rendering.take(caller).await?;
        // That the one before ended the worker is not this user's doing; what is wrong with it is told below.
        let _ = self.renderer.warm_up().await;
        turn.count();
        let hub = self.hub.clone();
        let made = aside(move || {
            let facts = hub.look(|board| gather(board, &notes, missing, At { from, now, zone: &zone }));
            serde_json::to_value(&facts).map(|context| (facts, context))
        });
        let (facts, context) = made.await?.map_err(|error| error.to_string())?;
        let text = match self.renderer.preview(&source, &context).await {
            Preview::Rendered { output, .. } => Ok(output),
            Preview::Broken(fault) => Err(fault),
        };
        drop(turn);
        Ok(Answer::Handoff { handoff: Box::new(Handoff { template: name, text, facts }) })
    }

    /// What a template is shown on when nothing else is chosen: a made-up delivery, and the last 12 hours for a template
    /// of hand-offs. The names of the two are different.
    pub(super) fn sample(&self, account: &AccountName, body: &str) -> Value {
        let mut sample = self.seen(&Delivered { account, id: None, body: body.as_bytes() });
        let now = (self.now)();
        let from = now.checked_sub(USUAL).unwrap_or(now);
        let at = At { from, now, zone: &TimeZone::UTC };
        let facts = self.hub.look(|board| gather(board, &BTreeMap::new(), vec![], at));
        if let (Some(sample), Ok(Value::Object(facts))) = (sample.as_object_mut(), serde_json::to_value(&facts)) {
            sample.extend(facts);
        }
        sample
    }

    /// The notes on the first of these, and what could not be fetched.
    async fn notes(&self, keys: Vec<IncidentKey>) -> (BTreeMap<IncidentKey, Vec<Note>>, Vec<Shown>) {
        let (mut notes, mut missing) = (BTreeMap::new(), vec![]);
        let left = keys.len().saturating_sub(NOTED);
        let asked = stream::iter(keys.into_iter().take(NOTED));
        let asked = asked.map(|key| async move { (key.clone(), self.detail(key).await) });
        let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
        for (key, answer) in answers {
            match answer {
                Ok(Answer::Detail { detail }) => {
                    let lost = detail.lacks("notes");
                    missing.extend(lost.map(|lost| Shown::line(&format!("{}: {lost}", self.name_of(&key)))));
                    notes.insert(key, detail.notes);
                }
                Ok(_) => {}
                Err(why) => missing.push(Shown::line(&format!("notes of {}: {why}", self.name_of(&key)))),
            }
        }
        if left > 0 {
            missing.push(Shown::line(&format!("the notes of {left} more incidents were not asked for")));
        }
        (notes, missing)
    }

    fn name_of(&self, key: &IncidentKey) -> String {
        self.hub.look(|board| board.name_of(key))
    }
}

/// The incidents of a hand-off whose provider can be asked for notes.
fn noted(board: &Board, at: &At<'_>) -> Vec<IncidentKey> {
    let is_asked =
        |key: &IncidentKey| board.accounts.get(&key.account).is_some_and(|known| known.account.rest_off.is_none());
    speaks_of(board, at).into_iter().map(|incident| incident.key.clone()).filter(is_asked).collect()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        core::incident::Status,
        proto::Request,
        provider::ProviderError,
        server::{
            fake::{self, Fake, key},
            people::Caller,
        },
    };

    #[tokio::test]
    async fn a_hand_off_that_cannot_be_made_is_refused_in_words() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let now = (desk.now)();
        let ask = |template: &str, hours: i64, zone: &str| Request::Handoff {
            template: template.into(),
            from: now - SignedDuration::from_hours(hours),
            zone: zone.into(),
        };
        for (request, words) in [
            (ask("nothing", 8, "UTC"), "no template `nothing`"),
            (ask("handoff", 24 * 40, "UTC"), "31 days"),
            (ask("handoff", 8, "Mars/Olympus"), "time zone"),
            (ask("../etc/passwd", 8, "UTC"), "name"),
        ] {
            let refused = desk.answer(&Caller::ourselves(), request).await.expect_err(words);
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[tokio::test]
    async fn notes_that_cannot_be_fetched_are_named_and_the_rest_is_told() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        for n in 0..NOTED + 3 {
            desk.observe(&fake.put(&format!("P{n}"), Status::Triggered, 0)).await;
        }
        let keys = desk.hub.look(|board| board.incidents.keys().cloned().collect());

        let (notes, missing) = desk.notes(keys).await;

        let told = missing.iter().map(Shown::as_str).filter(|text| text.contains("3 more incidents")).count();
        assert_eq!(told, 1, "{missing:?}");
        assert_eq!(notes.len() + missing.len() - 1, NOTED, "{missing:?}");
    }

    #[tokio::test]
    async fn notes_that_are_old_as_nothing_newer_could_be_fetched_are_named() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
        desk.detail(key("P1")).await.expect("a detail");
        desk.details.overtaken(&key("P1"));
        fake.fail_reads(ProviderError::Broken { status: 500, reason: "oops".into() }, 1);

        let (notes, missing) = desk.notes(vec![key("P1")]).await;

        assert_eq!(notes.len(), 1, "better than none");
        assert!(missing.iter().any(|lost| lost.as_str().contains("anything newer")), "{missing:?}");
    }

    #[tokio::test]
    async fn what_a_hand_off_is_made_of_is_gathered_when_its_turn_has_come() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let caller = |uid| Caller { uid: Some(uid), login: "somebody".into() };
        let (guest, waits) = (caller(4_000_001), caller(4_000_002));
        let turn = desk.rendering.take(&guest).await.expect("free");
        let mut handoff = Box::pin(desk.handoff(&waits, "handoff".into(), (desk.now)(), "UTC"));
        let others = async {
            while !desk.rendering.waits(&waits) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            told = &mut handoff => panic!("{told:?}"),
            () = others => {}
        }

        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
        assert!(handoff.as_mut().now_or_never().is_none());
        drop(turn);

        let Ok(Answer::Handoff { handoff }) = handoff.await else { panic!("no hand-off") };
        assert_eq!(handoff.facts.counts.open, 1);
    }
}
