//! Templates: read, saved with who did it, rendered for a preview, and their former versions.

use std::sync::Arc;

use serde_json::Value;

use super::{desk::Desk, people::Caller};
use crate::{
    core::{
        board::Change,
        delivery::Decode,
        field::Field,
        id::{AccountName, BadId, DeliveryId},
        template::{Subject, Version},
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

    pub(super) async fn preview(&self, text: &str, on: Subject) -> Result<Answer, String> {
        let context = self.context_on(on).await?;
        Ok(Answer::Preview { preview: self.renderer.preview(text, &context).await })
    }

    pub(super) async fn template_context(&self, on: Subject) -> Result<Answer, String> {
        let context = self.context_on(on).await?;
        // Cleaning a large delivery takes milliseconds, which other tasks should not wait for.
        let field = tokio::task::spawn_blocking(move || Field::of(&context)).await.map_err(|e| e.to_string())?;
        Ok(Answer::TemplateContext { context: Box::new(field) })
    }

    /// What a template sees when it is rendered on this.
    async fn context_on(&self, on: Subject) -> Result<Value, String> {
        match on {
            Subject::Sample(event_type) => {
                let body = template::sample(&event_type).ok_or_else(|| format!("there is no sample {event_type}"))?;
                Ok(self.sample(&self.any_account()?, body))
            }
            Subject::Delivery(id) => self.context_of(id).await,
        }
    }

    async fn context_of(&self, id: DeliveryId) -> Result<Value, String> {
        let found = self.store.read(move |reader| reader.delivery(id)).await.map_err(|e| e.to_string())?;
        let stored = found.ok_or_else(|| format!("delivery {id} is not kept any more; choose another"))?;
        let account = stored.summary.account.ok_or_else(|| format!("delivery {id} belongs to no account"))?;
        Ok(self.seen(&Delivered { account: &account, id: Some(id), body: &stored.body }))
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
    fn any_account(&self) -> Result<AccountName, String> {
        let first = self.accounts.all().keys().next().cloned();
        first.map_or_else(|| "example".parse().map_err(|e: BadId| e.to_string()), Ok)
    }
}
