//! `[[target]]`: where outgoing webhooks go. The same tables stand in the configuration file, and in a file of the state
//! directory for those that were made in a console.

use std::{
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;
use secrecy::ExposeSecret as _;
use toml::de::{DeTable, DeValue};

use super::{
    ConfigError, Finding, SecretRef,
    fields::{Findings, Section, kind},
    file::Reading,
    places, secret,
};
use crate::core::{
    forward::{
        EventType,
        checks::{self, Address, MOST_HEADERS, MOST_RETRIES},
        names,
    },
    id::TargetName,
};

/// A target, with its secrets as references.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetSettings {
    pub name: TargetName,
    /// The whole address, https or http; knowing it can be all it takes to send there, so it may be a secret.
    pub url: SecretRef,
    pub basic: Option<BasicSettings>,
    /// Added to each request: name and value.
    pub headers: Vec<(String, SecretRef)>,
    /// The events that are sent; none by default.
    pub events: Vec<EventType>,
    pub enabled: bool,
    pub linked: bool,
    /// The name of a template of the library; `None`: the default body.
    pub template: Option<String>,
    /// Of incidents, in the query language; checked.
    pub filter: Option<String>,
    pub retries: u32,
    /// Signs with `webhook-signature` (Standard Webhooks).
    pub secret: Option<SecretRef>,
    pub allow_link_local: bool,
}

/// Basic authentication.
#[derive(Debug, Clone, PartialEq)]
pub struct BasicSettings {
    /// Without a colon.
    pub user: String,
    /// `None`: an empty one.
    pub password: Option<SecretRef>,
}

impl TargetSettings {
    /// Every secret reference, with the place it stands in. An address that is nothing but a host is no secret.
    pub fn secrets(&self) -> Vec<(String, &SecretRef)> {
        let name = &self.name;
        let is_plain = |text: &str| Address::read(text).is_ok_and(|address| !address.has_more);
        let plain = matches!(&self.url, SecretRef::Inline(text) if is_plain(text.expose_secret()));
        let url = (!plain).then(|| (format!("url of target {name}"), &self.url));
        let password = self.basic.as_ref().and_then(|basic| basic.password.as_ref());
        let password = password.map(|secret| (format!("password of target {name}"), secret));
        let headers = self.headers.iter().map(|(header, value)| (format!("header {header} of target {name}"), value));
        let signing = self.secret.as_ref().map(|secret| (format!("secret of target {name}"), secret));
        url.into_iter().chain(password).chain(headers).chain(signing).collect()
    }
}

impl Reading<'_, '_> {
    pub(super) fn targets(&mut self, root: &Section<'_>) -> Vec<TargetSettings> {
        let mut targets: Vec<TargetSettings> = vec![];
        for section in self.sections(root, "target") {
            let Some(target) = self.target(&section) else { continue };
            if targets.iter().any(|known| known.name == target.name) {
                let at = section.get("name").map_or(section.at.clone(), toml::Spanned::span);
                self.to.add(at, format!("a second target named `{}`", target.name));
            }
            targets.push(target);
        }
        targets
    }

    /// `None` when something that every target needs is missing or wrong: it has been said then.
    fn target(&mut self, section: &Section<'_>) -> Option<TargetSettings> {
        section.need("name", self.to);
        section.need("url", self.to);
        let name = self.value(section, "name", checks::name);
        let url = self.checked_secret(section, "url", |text| Address::read(text).map(drop));
        let basic = self.basic(section);
        let headers = self.headers(section, basic.is_some());
        let events = self.events(section);
        let enabled = section.flag("enabled", self.to).unwrap_or(true);
        let linked = section.flag("linked", self.to).unwrap_or_default();
        let template = self.value(section, "template", |text| checks::template(text).map(|()| text.to_owned()));
        let filter = self.value(section, "filter", |text| match checks::filter(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(wrong) => Err(format!("`filter`: {wrong}")),
        });
        let retries = self.retries(section);
        let secret = self.checked_secret(section, "secret", checks::signing);
        let allow_link_local = section.flag("allow_link_local", self.to).unwrap_or_default();
        let (name, url) = (name?, url?);
        Some(TargetSettings {
            name,
            url,
            basic,
            headers,
            events,
            enabled,
            linked,
            template,
            filter,
            retries,
            secret,
            allow_link_local,
        })
    }

    /// A secret, checked where it stands there itself.
    fn checked_secret(
        &mut self,
        section: &Section<'_>,
        key: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<SecretRef> {
        let value = section.get(key)?;
        let reference = self.secret(key, value)?;
        if let SecretRef::Inline(text) = &reference
            && let Err(wrong) = check(text.expose_secret())
        {
            self.to.add(value.span(), wrong);
            return None;
        }
        Some(reference)
    }

    fn basic(&mut self, section: &Section<'_>) -> Option<BasicSettings> {
        let user = self.value(section, "user", |text| checks::user(text).map(|()| text.to_owned()));
        let password = section.get("password").and_then(|value| self.secret("password", value));
        if let (None, Some(value)) = (section.get("user"), section.get("password")) {
            self.to.add(value.span(), "`password` needs `user` beside it");
        }
        Some(BasicSettings { user: user?, password })
    }

    fn headers(&mut self, section: &Section<'_>, has_user: bool) -> Vec<(String, SecretRef)> {
        let Some(value) = section.get("headers") else { return vec![] };
        let DeValue::Table(table) = value.get_ref() else {
            let what = kind(value.get_ref());
            self.to
                .add(value.span(), format!("`headers` must be a table, as in {{ \"X-Token\" = … }}, this is {what}"));
            return vec![];
        };
        if table.len() > MOST_HEADERS {
            self.to.add(value.span(), format!("at most {MOST_HEADERS} headers can be added"));
        }
        let mut headers: Vec<(String, SecretRef)> = vec![];
        for (name, value) in table {
            let text: &str = name.get_ref();
            let twice = headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(text));
            let wrong = match checks::header_name(text) {
                Err(wrong) => Some(wrong),
                Ok(()) if twice => Some(format!("a second header {text}")),
                Ok(()) if has_user && text.eq_ignore_ascii_case("authorization") => {
                    Some("either `user` or a header Authorization, not both".to_owned())
                }
                Ok(()) => None,
            };
            if let Some(wrong) = wrong {
                self.to.add(name.span(), wrong);
                continue;
            }
            let Some(reference) = self.secret(text, value) else { continue };
            if let SecretRef::Inline(said) = &reference
                && let Err(wrong) = checks::header_value(said.expose_secret())
            {
                self.to.add(value.span(), wrong);
            }
            headers.push((text.to_owned(), reference));
        }
        headers
    }

    fn events(&mut self, section: &Section<'_>) -> Vec<EventType> {
        let Some(value) = section.get("events") else { return vec![] };
        let DeValue::Array(items) = value.get_ref() else {
            let what = kind(value.get_ref());
            let form = "`events` must be a list, as in [\"incident.created\"]";
            self.to.add(value.span(), format!("{form}, this is {what}"));
            return vec![];
        };
        let mut events: Vec<EventType> = vec![];
        for item in items {
            let read = match item.get_ref() {
                DeValue::String(name) => checks::event(name),
                other => Err(format!("an event's name is a text in quotes, this is {}", kind(other))),
            };
            match read {
                Ok(event) if events.contains(&event) => self.to.add(item.span(), format!("`{event}` a second time")),
                Ok(event) => events.push(event),
                Err(wrong) => self.to.add(item.span(), wrong),
            }
        }
        events
    }

    fn retries(&mut self, section: &Section<'_>) -> u32 {
        let Some((number, at)) = section.number("retries", self.to) else { return 0 };
        let fits = u32::try_from(number).ok().filter(|number| *number <= MOST_RETRIES);
        if fits.is_none() {
            self.to.add(at, format!("`retries` must be from 0 to {MOST_RETRIES}"));
        }
        fits.unwrap_or_default()
    }
}

/// What is allowed but probably not meant.
pub(super) fn advise(targets: &[TargetSettings], out: &mut Vec<String>) {
    for target in targets {
        out.extend(advice(target).into_iter().map(|one| format!("target {}: {one}", target.name)));
    }
}

/// The same of one target, a sentence each.
pub fn advice(target: &TargetSettings) -> Vec<String> {
    let mut out = vec![];
    if target.events.is_empty() {
        out.push("it has no events: nothing is sent to it".to_owned());
    }
    out.extend(target.events.iter().filter_map(names::doubt));
    if let SecretRef::Inline(url) = &target.url
        && Address::read(url.expose_secret()).is_ok_and(|address| address.is_readable_on_the_way())
    {
        out.push("it is sent to over plain http: whoever is on the way can read and change it".to_owned());
    }
    if target.linked && target.template.is_some() {
        out.push("`linked` means nothing with a template".to_owned());
    }
    out
}

/// Whether what was typed says where a secret is, and is not the secret itself.
pub fn is_reference(text: &str) -> bool {
    text.starts_with('{')
}

/// Reads a secret as it was typed: itself, or where it is, as in `{ env = "CHAT_URL" }`; relative paths start beside
/// `path`.
pub fn typed(text: &str, path: &Path) -> Result<SecretRef, String> {
    let form = "is no reference, as in { env = \"NAME\" }; a secret that begins with { has to be in a file";
    if !is_reference(text) {
        return secret::from_toml(&DeValue::String(text.into()), |text| places::resolve(text, path));
    }
    let line = format!("secret = {text}");
    let document = DeTable::parse(&line).map_err(|_| form.to_owned())?;
    match document.get_ref().iter().next() {
        Some((_, value)) if document.get_ref().len() == 1 => {
            secret::from_toml(value.get_ref(), |text| places::resolve(text, path))
        }
        _ => Err(form.to_owned()),
    }
}

/// Checks the text of a file of targets alone.
pub fn parse(text: &str, path: &Path) -> Result<Vec<TargetSettings>, ConfigError> {
    let mut findings = Findings::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        findings.add(error.span().unwrap_or_default(), format!("not TOML: {}", error.message()));
    }
    let mut targets = vec![];
    if errors.is_empty() {
        let root = Section::new("", 0..0, document.get_ref(), &mut findings);
        for (key, _) in document.get_ref().iter().filter(|(key, _)| key.get_ref() != "target") {
            findings.add(key.span(), "nothing but [[target]] belongs into this file");
        }
        targets = Reading { path, to: &mut findings }.targets(&root);
    }
    let findings = findings.sorted();
    if findings.is_empty() { Ok(targets) } else { Err(ConfigError::Invalid { path: path.to_owned(), findings }) }
}

/// Reads a file of targets; none when there is no such file. One that others can open is refused.
pub fn load(path: &Path) -> Result<Vec<TargetSettings>, ConfigError> {
    let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
    let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits().cast_signed();
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(vec![]),
        Err(cause) => return Err(unreadable(cause)),
    };
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ConfigError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = vec![];
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.to_owned() })?;
    parse(&text, path)
}

/// Writes a file of targets that its owner alone can read: the former one or the new one, also after a crash. Nothing is
/// written that could not be read again.
pub fn save(targets: &[TargetSettings], path: &Path) -> Result<(), ConfigError> {
    let text = text(targets);
    parse(&text, path)?;
    let write = || -> io::Result<()> {
        let dir = path.parent().unwrap_or_else(|| Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".targets-").tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|cause| ConfigError::Unwritable { path: path.to_owned(), cause })
}

/// What is wrong with one target, in words: as if it stood in a file.
pub fn objections(target: &TargetSettings) -> Vec<String> {
    match parse(&text(std::slice::from_ref(target)), Path::new("")) {
        Err(ConfigError::Invalid { findings, .. }) => {
            findings.into_iter().map(|Finding { message, .. }| message).collect()
        }
        Err(other) => vec![other.to_string()],
        Ok(_) => vec![],
    }
}

/// Targets as they stand in a file.
fn text(targets: &[TargetSettings]) -> String {
    let mut out =
        "# Targets that were made in a console or with `dogwatch target`. dogwatch writes this file.\n".to_owned();
    for target in targets {
        out.push_str("\n[[target]]\n");
        let mut put = |key: &str, value: String| {
            let _ = writeln!(out, "{key} = {value}");
        };
        put("name", quoted(target.name.as_str()));
        put("url", reference(&target.url));
        if let Some(basic) = &target.basic {
            put("user", quoted(&basic.user));
            if let Some(password) = &basic.password {
                put("password", reference(password));
            }
        }
        if !target.headers.is_empty() {
            let headers = target.headers.iter().map(|(name, value)| format!("{} = {}", quoted(name), reference(value)));
            put("headers", format!("{{ {} }}", headers.collect::<Vec<_>>().join(", ")));
        }
        put("events", list(target.events.iter().map(EventType::as_str)));
        put("enabled", target.enabled.to_string());
        put("linked", target.linked.to_string());
        if let Some(template) = &target.template {
            put("template", quoted(template));
        }
        if let Some(filter) = &target.filter {
            put("filter", quoted(filter));
        }
        put("retries", target.retries.to_string());
        if let Some(secret) = &target.secret {
            put("secret", reference(secret));
        }
        put("allow_link_local", target.allow_link_local.to_string());
    }
    out
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", texts.map(quoted).collect::<Vec<_>>().join(", "))
}

fn reference(secret: &SecretRef) -> String {
    match secret {
        SecretRef::Env { variable } => format!("{{ env = {} }}", quoted(variable)),
        SecretRef::File { path } => format!("{{ file = {} }}", quoted(&path.to_string_lossy())),
        SecretRef::Command { argv } => format!("{{ command = {} }}", list(argv.iter().map(String::as_str))),
        SecretRef::Credential { name } => format!("{{ credential = {} }}", quoted(name)),
        SecretRef::Inline(secret) => quoted(secret.expose_secret()),
    }
}

#[cfg(test)]
mod tests;
