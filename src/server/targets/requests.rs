//! What consoles and commands ask of targets. Each change is written down before it is in force, and who made it stands
//! in the audit file.

use std::path::Path;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Reread, Targets, ready::summary};
use crate::{
    config::{BasicSettings, SecretRef, TargetSettings, targets as file},
    core::{
        delivery::DeliverySummary,
        forward::{
            Event, Kept, TargetState,
            checks::Address,
            form::{Making, Secret, TargetForm},
        },
        id::{AccountName, DeliveryId, TargetName},
        template::Subject,
        text::Shown,
    },
    proto::Answer,
    server::{desk::Desk, people::Caller},
    template::sample,
};

impl Desk {
    /// Makes a target, or changes one that was made so.
    pub(in crate::server) async fn save_target(
        &self,
        caller: &Caller,
        form: TargetForm,
        making: Making,
        base: Option<&TargetForm>,
    ) -> Result<Answer, String> {
        let name = form.name.clone();
        let (settings, changed) = {
            let _one_after_the_other = self.targets.saving.lock().await;
            let former = self.targets.former(&name, making)?;
            let settings = made(&form, making, former.as_ref(), &self.targets.path)?;
            is_of_now(base, former.as_ref(), &settings)?;
            may_say(caller, &form, former.as_ref())?;
            keeps_secrets_at_home(&form, &settings, former.as_ref()).await?;
            let objections = file::objections(&settings);
            if !objections.is_empty() {
                return Err(objections.join("; "));
            }
            let changed = former.as_ref().map_or_else(Vec::new, |former| differences(former, &settings));
            self.targets
                .write(|here| {
                    here.retain(|known| known.name != name);
                    here.push(settings.clone());
                    here.sort_by(|a, b| a.name.cmp(&b.name));
                })
                .await?;
            (settings, changed)
        };
        let what = if matches!(making, Making::New { .. }) { "target made" } else { "target changed" };
        self.audit_target(caller, what, &name, &changed).await;
        self.put_targets(Reread::Nobodys).await;
        if let Making::New { on } = making {
            // One of the same name may have been switched, or have failed, before it was removed.
            self.forwarder.switch(&name, on).await?;
            self.tell_targets();
        }
        let advice = self.advice(&settings);
        Ok(Answer::TargetKept { name, advice })
    }

    fn advice(&self, settings: &TargetSettings) -> Vec<Shown> {
        let mut advice = file::advice(settings);
        if let Some(template) = &settings.template
            && let Err(error) = self.library.read(template)
        {
            advice.push(error.to_string());
        }
        advice.iter().map(|one| Shown::line(one)).collect()
    }

    /// Forgets a target that was made here.
    pub(in crate::server) async fn remove_target(&self, caller: &Caller, name: TargetName) -> Result<Answer, String> {
        {
            let _one_after_the_other = self.targets.saving.lock().await;
            self.targets.former(&name, Making::Changed)?;
            self.targets.write(|here| here.retain(|known| known.name != name)).await?;
        }
        self.audit_target(caller, "target removed", &name, &[]).await;
        self.put_targets(Reread::Nobodys).await;
        Ok(Answer::TargetKept { name, advice: vec![] })
    }

    pub(in crate::server) async fn switch_target(
        &self,
        caller: &Caller,
        name: TargetName,
        on: bool,
    ) -> Result<Answer, String> {
        self.forwarder.switch(&name, on).await?;
        self.tell_targets();
        self.audit_target(caller, if on { "target switched on" } else { "target switched off" }, &name, &[]).await;
        Ok(Answer::TargetKept { name, advice: vec![] })
    }

    /// Sends the event of a delivery or of a sample to a target at once.
    pub(in crate::server) async fn test_target(
        &self,
        caller: &Caller,
        name: TargetName,
        on: Subject,
    ) -> Result<Answer, String> {
        let (event, raw) = match on {
            Subject::Delivery(id) => self.told_by(id).await?,
            Subject::Sample(event_type) => self.made_up(&event_type)?,
        };
        // The template may have been saved a moment ago.
        self.put_targets(Reread::Nobodys).await;
        self.audit_target(caller, "target tested", &name, &[]).await;
        let id = self.forwarder.test(&name, event, raw).await?;
        Ok(Answer::Attempted { delivery: Box::new(self.line(id).await?) })
    }

    async fn line(&self, id: DeliveryId) -> Result<DeliverySummary, String> {
        let found = self.store.read(move |reader| reader.delivery(id)).await.map_err(|error| error.to_string())?;
        found.map(|stored| stored.summary).ok_or_else(|| format!("delivery {id} is not kept any more"))
    }

    /// The event of a delivery, and the provider's own JSON.
    async fn told_by(&self, id: DeliveryId) -> Result<(Event, Value), String> {
        let found = self.store.read(move |reader| reader.delivery(id)).await.map_err(|error| error.to_string())?;
        let stored = found.ok_or_else(|| format!("delivery {id} is not kept any more: choose another"))?;
        if stored.summary.target.is_some() {
            return self.sent_before(stored.summary).await;
        }
        let account = stored.summary.account.ok_or_else(|| format!("delivery {id} belongs to no account"))?;
        self.event(&account, Some(id), &stored.body).map_err(|why| format!("delivery {id}: {why}"))
    }

    /// The same of one that went out.
    async fn sent_before(&self, line: DeliverySummary) -> Result<(Event, Value), String> {
        let found = match line.event_id {
            Some(event) => self.store.read(move |reader| reader.event(event.as_str())).await,
            None => Ok(None),
        };
        let (event, body) = found.map_err(|error| error.to_string())?.ok_or_else(|| {
            format!("delivery {} went out, and its event is not kept (a test, perhaps): choose another", line.id)
        })?;
        Ok((event, body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default()))
    }

    pub(super) fn made_up(&self, event_type: &str) -> Result<(Event, Value), String> {
        let body = sample(event_type).ok_or_else(|| format!("there is no sample {event_type}"))?;
        let event = self.event(&self.any_account()?, None, body.as_bytes());
        event.map_err(|why| format!("sample {event_type}: {why}"))
    }

    fn event(&self, account: &AccountName, id: Option<DeliveryId>, body: &[u8]) -> Result<(Event, Value), String> {
        let decoded = self.decode(account).decode(account, body)?;
        let raw = serde_json::from_slice(body).unwrap_or_default();
        let event = self.hub.look(|board| Event::told_by(&decoded, id, board));
        event
            .map(|event| (event, raw))
            .ok_or_else(|| "it is about no incident, and targets are told of nothing else".to_owned())
    }

    pub(in crate::server) async fn resend_delivery(&self, caller: &Caller, id: DeliveryId) -> Result<Answer, String> {
        self.put_targets(Reread::Nobodys).await;
        self.forwarder.resend(id).await?;
        tracing::info!(uid = caller.uid, delivery = %id, "webhook {id} is sent again");
        self.audit_deed(caller, "webhook sent again", &[("delivery", json!(id))]).await;
        Ok(Answer::Resent { count: 1 })
    }

    pub(in crate::server) async fn resend_failed(
        &self,
        caller: &Caller,
        target: Option<&TargetName>,
    ) -> Result<Answer, String> {
        self.put_targets(Reread::Nobodys).await;
        let count = self.forwarder.resend_failed(target).await?;
        tracing::info!(uid = caller.uid, "failed webhooks are sent again: {count}");
        let more = [("target", json!(target)), ("count", json!(count))];
        self.audit_deed(caller, "failed webhooks sent again", &more).await;
        Ok(Answer::Resent { count })
    }

    /// Writes into the audit file who did something to a target.
    pub(super) async fn audit_target(
        &self,
        caller: &Caller,
        what: &'static str,
        name: &TargetName,
        changed: &[&'static str],
    ) {
        tracing::info!(uid = caller.uid, target = %name, "{what}: {name}");
        let changed = (!changed.is_empty()).then(|| ("changed", json!(changed)));
        let more: Vec<_> = [("target", json!(name))].into_iter().chain(changed).collect();
        self.audit_deed(caller, what, &more).await;
    }
}

impl Targets {
    /// The target that is to be changed, where that can be done here.
    fn former(&self, name: &TargetName, making: Making) -> Result<Option<TargetSettings>, String> {
        let known = self.known();
        if let Some(why) = &known.unread {
            return Err(format!("targets made here cannot be read, so none is changed: {why}"));
        }
        if known.configured.iter().any(|one| one.name == *name) {
            return Err(format!("target {name} stands in the configuration file: only there it can be changed"));
        }
        let former = known.here.iter().find(|one| one.name == *name).cloned();
        match (making, &former) {
            (Making::New { .. }, Some(_)) => Err(format!("there is a target {name} already")),
            (Making::Changed, None) => Err(format!("no target is called {name}")),
            (Making::New { .. }, None) | (Making::Changed, Some(_)) => Ok(former),
        }
    }

    /// Changes those made here: first on the disk, then in memory.
    async fn write(&self, change: impl FnOnce(&mut Vec<TargetSettings>)) -> Result<(), String> {
        let mut here = self.known().here.clone();
        change(&mut here);
        let (path, written) = (self.path.clone(), here.clone());
        let saved = tokio::task::spawn_blocking(move || file::save(&written, &path)).await;
        saved.map_err(|_| "writing was broken off".to_owned())?.map_err(|error| error.to_string())?;
        self.known().here = here;
        Ok(())
    }
}

/// The settings that a form makes, over those that were there.
fn made(
    form: &TargetForm,
    making: Making,
    former: Option<&TargetSettings>,
    path: &Path,
) -> Result<TargetSettings, String> {
    let secret = |key: &str, secret: &Secret, kept: Option<&SecretRef>| match secret {
        Secret::Kept => Ok(kept.cloned()),
        Secret::None => Ok(None),
        Secret::Typed(text) => {
            file::typed(text.expose(), path).map(Some).map_err(|problem| format!("`{key}`: {problem}"))
        }
    };
    let url = secret("url", &form.url, former.map(|former| &former.url))?;
    let basic = former.and_then(|former| former.basic.as_ref());
    let password = secret("password", &form.password, basic.and_then(|basic| basic.password.as_ref()))?;
    let mut headers = vec![];
    for (name, value) in &form.headers {
        let kept = former.and_then(|former| former.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        let value = secret(name, value, kept.map(|(_, value)| value))?;
        headers.push((name.clone(), value.ok_or_else(|| format!("the header {name} has no value"))?));
    }
    if form.user.is_none() && matches!(form.password, Secret::Typed(_)) {
        return Err("`password` needs `user` beside it".to_owned());
    }
    Ok(TargetSettings {
        name: form.name.clone(),
        url: url.ok_or("a target needs an address")?,
        basic: form.user.clone().map(|user| BasicSettings { user, password }),
        headers,
        events: form.events.clone(),
        enabled: match (making, former) {
            (Making::New { on }, _) => on,
            (Making::Changed, former) => former.is_none_or(|former| former.enabled),
        },
        linked: form.linked,
        template: form.template.clone(),
        filter: form.filter.clone(),
        retries: form.retries,
        secret: secret("secret", &form.secret, former.and_then(|former| former.secret.as_ref()))?,
        allow_link_local: form.allow_link_local,
    })
}

/// A form says all of a target, so one that was begun before another was saved would undo that one. To save the same
/// again undoes nothing.
fn is_of_now(
    base: Option<&TargetForm>,
    former: Option<&TargetSettings>,
    settings: &TargetSettings,
) -> Result<(), String> {
    let (Some(base), Some(former)) = (base, former) else { return Ok(()) };
    let now = summary(Kept::Here, former, Shown::default(), TargetState::On);
    if TargetForm::of(&now) == *base || former == settings {
        return Ok(());
    }
    let advice = "look at it as it is now, then change that";
    Err(format!("target {} was changed by somebody else meanwhile: {advice}", former.name))
}

/// What a reference leads to is read as the server's user, and may be run as that user; and what a metadata service
/// tells is the server's. So these are only for that user to say.
///
/// One that is there already may be kept in its place, but not typed again: in another place, or beside another address,
/// it would lead somewhere else.
fn may_say(caller: &Caller, form: &TargetForm, former: Option<&TargetSettings>) -> Result<(), String> {
    if caller.is_ours() {
        return Ok(());
    }
    let alone = [("url", &form.url), ("password", &form.password), ("secret", &form.secret)];
    let headers = form.headers.iter().map(|(name, value)| (name.as_str(), value));
    let is_reference = |secret: &Secret| matches!(secret, Secret::Typed(text) if file::is_reference(text.expose()));
    if let Some((place, _)) = alone.into_iter().chain(headers).find(|(_, secret)| is_reference(secret)) {
        return Err(format!("{place}: a reference is read as the server's user, so only that user can set one"));
    }
    let had_it = former.is_some_and(|former| former.allow_link_local);
    if form.allow_link_local && !had_it {
        return Err("only the server's user can allow link-local addresses".to_owned());
    }
    Ok(())
}

/// Kept secrets go to where they went before. Who could send them elsewhere could read them.
async fn keeps_secrets_at_home(
    form: &TargetForm,
    settings: &TargetSettings,
    former: Option<&TargetSettings>,
) -> Result<(), String> {
    let Some(former) = former.filter(|former| former.url != settings.url) else { return Ok(()) };
    let password = form.password == Secret::Kept && former.basic.as_ref().is_some_and(|basic| basic.password.is_some());
    let header = form.headers.iter().find(|(_, value)| *value == Secret::Kept).map(|(name, _)| name);
    let kept = match (password && form.user.is_some(), header) {
        (true, _) => "the password".to_owned(),
        (false, Some(name)) => format!("the header {name}"),
        (false, None) => return Ok(()),
    };
    let (was, is) = (origin(&former.url).await, origin(&settings.url).await);
    if was.is_some() && was == is {
        return Ok(());
    }
    Err(format!("the address is another host's: type {kept} too, so that it does not go there by mistake"))
}

async fn origin(url: &SecretRef) -> Option<Shown> {
    let url = url.read().await.ok()?;
    Address::read(url.expose_secret()).ok().map(|address| address.origin)
}

/// What is different, by the names of the keys.
fn differences(former: &TargetSettings, now: &TargetSettings) -> Vec<&'static str> {
    let user = |settings: &TargetSettings| settings.basic.as_ref().map(|basic| basic.user.clone());
    let password = |settings: &TargetSettings| settings.basic.as_ref().and_then(|basic| basic.password.clone());
    let all = [
        ("url", former.url != now.url),
        ("user", user(former) != user(now)),
        ("password", password(former) != password(now)),
        ("headers", former.headers != now.headers),
        ("events", former.events != now.events),
        ("linked", former.linked != now.linked),
        ("template", former.template != now.template),
        ("filter", former.filter != now.filter),
        ("retries", former.retries != now.retries),
        ("secret", former.secret != now.secret),
        ("allow_link_local", former.allow_link_local != now.allow_link_local),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
