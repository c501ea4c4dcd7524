//! Templates: read, saved with who did it, rendered for a preview, and their former versions.

use std::sync::Arc;

use serde_json::Value;

use super::{desk::Desk, people::Caller};
use crate::{
    core::{
        board::Change,
        delivery::Decode,
        field::Field,
        id::{AccountName, BadId},
        template::{Preview, Subject, Version},
        text::Shown,
    },
    proto::Answer,
    provider::pagerduty::Webhooks,
    template::{self, Delivered},
};

impl Desk {
    pub(super) fn template(&self, name: String) -> Result<Answer, String> {
        let text = self.library.read(&name).map_err(|e| e.to_string())?;
        Ok(Answer::Template { name, text })
    }

    pub(super) fn save_template(
        &self,
        caller: &Caller,
        name: String,
        text: &str,
        base: Option<&str>,
    ) -> Result<Answer, String> {
        let by = self.saver(caller);
        self.library.save_as(by.as_ref(), &name, text, base).map_err(|e| e.to_string())?;
        self.saved(name)
    }

    pub(super) fn restore_template(
        &self,
        caller: &Caller,
        name: String,
        version: Version,
        base: &str,
    ) -> Result<Answer, String> {
        let by = self.saver(caller);
        self.library.restore(by.as_ref(), &name, version, base).map_err(|e| e.to_string())?;
        self.saved(name)
    }

    fn saver(&self, caller: &Caller) -> Option<Shown> {
        self.access(caller).actor().map(Shown::line)
    }

    fn saved(&self, name: String) -> Result<Answer, String> {
        let templates = self.library.list().map_err(|e| e.to_string())?;
        self.hub.publish(Change::Templates(templates));
        Ok(Answer::Saved { name })
    }

    pub(super) fn template_history(&self, name: String) -> Result<Answer, String> {
        let history = self.library.history(&name).map_err(|e| e.to_string())?;
        Ok(Answer::TemplateHistory { name, history })
    }

    pub(super) fn template_version(&self, name: String, version: Version) -> Result<Answer, String> {
        let text = self.library.version(&name, version).map_err(|e| e.to_string())?;
        Ok(Answer::TemplateVersion { name, version, text })
    }

    pub(super) async fn preview(self: &Arc<Self>, caller: &Caller, text: &str, on: Subject) -> Result<Answer, String> {
        let mut turn = self.rendering.take(caller).await?;
        // That the one before ended the worker is not this user's doing.
        if let Err(fault) = self.renderer.warm_up().await {
            return Ok(Answer::Preview { preview: Preview::Broken(fault) });
        }
        turn.count();
        let context = self.context_on(on).await?;
        Ok(Answer::Preview { preview: self.renderer.preview(text, &context).await })
    }

    pub(super) async fn template_context(self: &Arc<Self>, caller: &Caller, on: Subject) -> Result<Answer, String> {
        let mut turn = self.seeing.take(caller).await?;
        turn.count();
        let context = self.context_on(on).await?;
        // Cleaning a large delivery takes milliseconds, which other tasks should not wait for.
        let field = aside(move || Field::of(&context)).await?;
        Ok(Answer::TemplateContext { context: Box::new(field) })
    }

    /// What a template sees when it is rendered on this. It is gathered from the whole board: for whoever has a turn.
    async fn context_on(self: &Arc<Self>, on: Subject) -> Result<Value, String> {
        let desk = Arc::clone(self);
        match on {
            Subject::Sample(event_type) => {
                let body = template::sample(&event_type).ok_or_else(|| format!("there is no sample {event_type}"))?;
                let account = self.any_account()?;
                aside(move || desk.sample(&account, body)).await
            }
            Subject::Delivery(id) => {
                let found = self.store.read(move |reader| reader.delivery(id)).await.map_err(|e| e.to_string())?;
                let stored = found.ok_or_else(|| format!("delivery {id} is not kept any more; choose another"))?;
                let account = stored.summary.account.ok_or_else(|| format!("delivery {id} belongs to no account"))?;
                aside(move || desk.seen(&Delivered { account: &account, id: Some(id), body: &stored.body })).await
            }
        }
    }

    /// How webhooks of an account are read, also of one that is not configured any more.
    pub(super) fn decode(&self, account: &AccountName) -> Arc<dyn Decode> {
        self.accounts.get(account).map_or_else(|| Arc::new(Webhooks) as Arc<dyn Decode>, |known| known.decode())
    }

    /// What a template sees of a delivery.
    pub(super) fn seen(&self, delivered: &Delivered<'_>) -> Value {
        let decode = self.decode(delivered.account);
        self.hub.look(|board| template::context(delivered, &*decode, board))
    }

    /// The account that a sample event is said to be of.
    pub(super) fn any_account(&self) -> Result<AccountName, String> {
        let first = self.accounts.all().keys().next().cloned();
        first.map_or_else(|| "example".parse().map_err(|e: BadId| e.to_string()), Ok)
    }
}

/// Does what takes milliseconds beside the runtime's workers, which others should not wait for.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use jiff::Timestamp;

    use super::*;
    use crate::{
        core::{id::DeliveryId, template::TemplateHistory},
        proto::Request,
        server::{
            desk::{Need, need},
            fake::{self, Fake},
            rate::Rate,
            turns::{GivesWay, Limits, Turns},
        },
    };

    async fn ask(desk: &std::sync::Arc<Desk>, request: Request) -> Result<Answer, String> {
        desk.answer(&Caller::ourselves(), request).await
    }

    async fn save(desk: &std::sync::Arc<Desk>, text: &str, base: Option<&str>) {
        let request = Request::SaveTemplate { name: "a".into(), text: text.into(), base: base.map(str::to_owned) };
        ask(desk, request).await.expect("saved");
    }

    async fn history(desk: &std::sync::Arc<Desk>) -> TemplateHistory {
        match ask(desk, Request::TemplateHistory { name: "a".into() }).await {
            Ok(Answer::TemplateHistory { history, .. }) => history,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_is_saved_and_restored_stands_in_the_history_with_who_did_it_and_every_console_hears_of_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        save(&desk, "one", None).await;
        save(&desk, "two", Some("one")).await;
        let version = Version::Number(1);

        let stale = Request::RestoreTemplate { name: "a".into(), version, base: "one".into() };
        assert!(ask(&desk, stale).await.expect_err("refused").contains("saved by somebody else"));
        let restore = Request::RestoreTemplate { name: "a".into(), version, base: "two".into() };
        assert_eq!(need(&restore), Need::Act);
        ask(&desk, restore).await.expect("restored");

        let history = history(&desk).await;
        let ourselves = Caller::ourselves();
        let who = history.present.iter().chain(&history.former).map(|version| version.by.clone());
        let actor = desk.access(&ourselves).actor().map(Shown::line);
        assert!(who.clone().count() == 3 && actor.is_some() && who.into_iter().all(|by| by == actor));
        let read = ask(&desk, Request::TemplateVersion { name: "a".into(), version: Version::Number(2) }).await;
        assert_eq!(
            read,
            Ok(Answer::TemplateVersion { name: "a".into(), version: Version::Number(2), text: "two".into() })
        );
        assert!(desk.hub.look(|board| board.templates.iter().any(|summary| summary.name == "a")));
    }

    #[tokio::test]
    async fn the_fields_are_those_of_the_sample_that_is_named() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let on = |event_type: &str| Subject::Sample(event_type.into());

        let answer = ask(&desk, Request::TemplateContext { on: on("incident.annotated") }).await;

        let Ok(Answer::TemplateContext { context }) = answer else { panic!("{answer:?}") };
        let raw = context.get("raw").and_then(|raw| raw.get("event")).and_then(|event| event.get("event_type"));
        assert_eq!(raw, Some(&Field::Text(Shown::line("incident.annotated"))));
        let unknown = ask(&desk, Request::TemplateContext { on: on("no.such") }).await.expect_err("refused");
        assert_eq!(unknown, "there is no sample no.such");
        let gone = ask(&desk, Request::TemplateContext { on: Subject::Delivery(DeliveryId(9)) }).await;
        assert!(gone.expect_err("refused").contains("choose another"));
    }

    #[tokio::test]
    async fn every_sample_can_be_previewed_on() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        for (event_type, _) in template::samples() {
            let on = Subject::Sample(event_type.to_owned());
            let context = desk.context_on(on).await.expect(event_type);
            let text = template::render_here("{{raw.event.event_type}}", &context).expect(event_type);
            assert_eq!(text, event_type);
        }
        let refused = desk.preview(&Caller::ourselves(), "{{read 'x'}}", Subject::default()).await;
        assert!(matches!(refused, Ok(Answer::Preview { preview: Preview::Broken(_) })), "{refused:?}");
    }

    #[tokio::test]
    async fn what_one_user_has_rendered_again_and_again_keeps_another_one_waiting_for_one_turn_only() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let caller = |uid| Caller { uid: Some(uid), login: "somebody".into() };
        let (guest, victim) = (caller(4_000_001), caller(4_000_002));
        let preview = |who| desk.preview(who, "x", Subject::default());
        let now = desk.rendering.take(&guest).await.expect("free");
        let mut guests: Vec<_> = (0..30).map(|_| Box::pin(preview(&guest))).collect();
        for one in &mut guests {
            assert!(one.as_mut().now_or_never().is_none());
        }
        let mut handoff = Box::pin(desk.handoff(&victim, "handoff".into(), Timestamp::now(), "UTC"));
        assert!(handoff.as_mut().now_or_never().is_none(), "that is rendered too");

        drop(now);
        let newest = guests.split_off(28);
        for one in guests {
            assert!(one.await.expect_err("gave way").contains("gave way to newer ones"));
        }
        let mut newest = newest.into_iter();
        assert!(newest.next().expect("two").await.is_ok());
        let last = async { newest.next().expect("two").await };
        let (told, ()) = tokio::join!(handoff, async { assert!(last.await.is_ok()) });

        assert!(matches!(told, Ok(Answer::Handoff { .. })), "{told:?}");
    }
    #[tokio::test]
    async fn nothing_is_gathered_from_the_board_for_who_has_no_turn() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let guest = Caller { uid: Some(4_000_001), login: "somebody".into() };
        let rendering = desk.rendering.take(&guest).await.expect("free");
        let seeing = desk.seeing.take(&guest).await.expect("free");
        let unknown = || Subject::Sample("no.such".into());
        let mut preview = Box::pin(desk.preview(&guest, "x", unknown()));
        let mut context = Box::pin(desk.template_context(&guest, unknown()));

        assert!(preview.as_mut().now_or_never().is_none() && context.as_mut().now_or_never().is_none());

        drop((rendering, seeing));
        assert!(matches!(preview.await, Ok(Answer::Preview { preview: Preview::Broken(_) })), "there is no worker");
        assert_eq!(context.await, Err("there is no sample no.such".into()));
    }

    #[tokio::test]
    async fn the_time_that_a_worker_takes_to_start_is_not_taken_from_who_waits_for_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut desk = fake::desk(&Fake::default(), dir.path());
        let alone = std::sync::Arc::get_mut(&mut desk).expect("nobody else has it");
        let time = Some(Rate { burst: 1, every: std::time::Duration::from_hours(1) });
        alone.rendering = Turns::new("the preview", Limits { waiting: 2, gives_way: GivesWay::Oldest, time });
        alone.renderer = template::Renderer::new(vec!["sleep".into(), "0.05".into()], template::Limits::default());
        let guest = Caller { uid: Some(4_000_001), login: "somebody".into() };

        for _ in 0..2 {
            let answer = desk.preview(&guest, "x", Subject::default()).await;
            assert!(matches!(answer, Ok(Answer::Preview { preview: Preview::Broken(_) })), "{answer:?}");
        }
    }
}
