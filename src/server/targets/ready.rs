//! From settings to a target that can be sent to: its secrets read and checked, its template's text.

use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    config::{SecretRef, TargetSettings},
    core::{
        forward::{
            Kept, TargetState, TargetSummary,
            checks::{self, Address},
        },
        id::TargetName,
        text::Shown,
    },
    forward::{Basic, Signing, Target},
    template::Library,
};

/// The secrets of a target.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    url: SecretString,
    /// Scheme and host of it.
    address: Shown,
    password: Option<SecretString>,
    /// In the order of the settings.
    headers: Vec<SecretString>,
    signing: Option<SecretString>,
}

/// Reads the secrets of a target, and checks what could not be checked before. The error repeats none of them.
pub(super) async fn read(settings: &TargetSettings) -> Result<Secrets, String> {
    let url = one(&settings.url).await?;
    let address = Address::read(url.expose_secret()).map_err(|wrong| named(&settings.url, &wrong))?.origin;
    let password = match settings.basic.as_ref().and_then(|basic| basic.password.as_ref()) {
        Some(reference) => Some(one(reference).await?),
        None => None,
    };
    let mut headers = vec![];
    for (name, reference) in &settings.headers {
        let value = one(reference).await?;
        checks::header_value(value.expose_secret()).map_err(|wrong| format!("header {name}: {wrong}"))?;
        headers.push(value);
    }
    let signing = match &settings.secret {
        Some(reference) => {
            let secret = one(reference).await?;
            checks::signing(secret.expose_secret()).map_err(|wrong| named(reference, &wrong))?;
            Some(secret)
        }
        None => None,
    };
    Ok(Secrets { url, address, password, headers, signing })
}

async fn one(reference: &SecretRef) -> Result<SecretString, String> {
    reference.read().await.map_err(|error| error.to_string())
}

fn named(reference: &SecretRef, wrong: &str) -> String {
    format!("{}: {wrong}", reference.name())
}

/// A target for the forwarder, and what consoles are told of it.
pub(super) fn ready(
    kept: Kept,
    settings: &TargetSettings,
    secrets: &Result<Secrets, String>,
    library: &Library,
) -> (Target, TargetSummary) {
    let template = settings.template.as_ref().map(|name| library.read(name).map_err(|error| error.to_string()));
    let template = template.transpose();
    let reason = secrets.as_ref().err().or(template.as_ref().err());
    let state = match reason {
        Some(reason) => TargetState::Broken { reason: Shown::line(reason) },
        None => TargetState::On,
    };
    let address = match secrets {
        Ok(secrets) => secrets.address.clone(),
        Err(_) => told(&settings.url),
    };
    let target = target(settings, secrets.as_ref().ok(), template.unwrap_or_default());
    (target, summary(kept, settings, address, state))
}

/// What can be said of an address that was not read.
pub(super) fn told(url: &SecretRef) -> Shown {
    match url {
        SecretRef::Inline(text) => {
            Address::read(text.expose_secret()).map(|address| address.origin).unwrap_or_default()
        }
        reference => Shown::line(&reference.name()),
    }
}

fn target(settings: &TargetSettings, secrets: Option<&Secrets>, template: Option<String>) -> Target {
    let nothing = || SecretString::from(String::new());
    let password = || secrets.and_then(|secrets| secrets.password.clone()).unwrap_or_else(nothing);
    let values = secrets.iter().flat_map(|secrets| secrets.headers.iter().cloned());
    Target {
        name: settings.name.clone(),
        url: secrets.map_or_else(nothing, |secrets| secrets.url.clone()),
        basic: settings.basic.as_ref().map(|basic| Basic { user: basic.user.clone(), password: password() }),
        headers: settings.headers.iter().map(|(name, _)| name.clone()).zip(values).collect(),
        events: settings.events.clone(),
        // It was checked when it was read or typed.
        filter: settings.filter.as_deref().and_then(|text| checks::filter(text).ok()),
        enabled: settings.enabled,
        linked: settings.linked,
        template,
        retries: settings.retries,
        signing: secrets.and_then(|secrets| secrets.signing.clone()).map(|secret| Signing { secret }),
        allow_link_local: settings.allow_link_local,
    }
}

pub(super) fn summary(kept: Kept, settings: &TargetSettings, address: Shown, state: TargetState) -> TargetSummary {
    TargetSummary {
        name: settings.name.clone(),
        kept,
        address,
        user: settings.basic.as_ref().map(|basic| Shown::line(&basic.user)),
        headers: settings.headers.iter().map(|(name, _)| Shown::line(name)).collect(),
        signed: settings.secret.is_some(),
        events: settings.events.clone(),
        linked: settings.linked,
        template: settings.template.clone(),
        filter: settings.filter.clone(),
        retries: settings.retries,
        allow_link_local: settings.allow_link_local,
        state,
        failing_since: None,
        last: None,
        waiting: 0,
    }
}

/// A target of which nothing is known but its name, so that what waits for it goes on waiting.
pub(super) fn unknown(name: &TargetName, why: &Shown) -> (Target, TargetSummary) {
    let settings = TargetSettings {
        name: name.clone(),
        url: SecretRef::Inline(SecretString::from(String::new())),
        basic: None,
        headers: vec![],
        events: vec![],
        enabled: true,
        linked: false,
        template: None,
        filter: None,
        retries: 0,
        secret: None,
        allow_link_local: false,
    };
    let state = TargetState::Broken { reason: why.clone() };
    (target(&settings, None, None), summary(Kept::Here, &settings, Shown::default(), state))
}
