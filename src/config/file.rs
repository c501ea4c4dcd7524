//! From the text of the file to [`Settings`]. Everything that is wrong is said at once.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use toml::de::{DeTable, DeValue};

use super::{
    AccountSettings, ActionSettings, ConfigError, IntegrationSettings, ReceiverSettings, SecretRef, Settings,
    StoreSettings, TlsSettings,
    fields::{Field, Findings, Section, kind},
    networks, places, secret, values,
};

/// Reads and checks the file, and who else can open it.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
    let mut file = File::open(path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
        _ => unreadable(cause),
    })?;
    let meta = file.metadata().map_err(unreadable)?;
    let mut bytes = vec![];
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.to_owned() })?;
    let settings = parse(&text, path)?;
    check_keeper(&settings, path, meta.mode() & 0o777, meta.uid())?;
    Ok(settings)
}

/// Who may read a secret may act with it. Who may change the file may have a key sent to an address of theirs, act in
/// anybody's name, or run anything.
fn check_keeper(settings: &Settings, path: &Path, mode: u32, owner: u32) -> Result<(), ConfigError> {
    let secrets = settings.secrets();
    if mode & 0o077 != 0 && secrets.iter().any(|(_, secret)| matches!(secret, SecretRef::Inline(_))) {
        return Err(ConfigError::Exposed { path: path.to_owned(), mode });
    }
    if secrets.is_empty() && settings.people.is_empty() {
        return Ok(());
    }
    if mode & 0o022 != 0 {
        return Err(ConfigError::Changeable { path: path.to_owned(), mode });
    }
    if ![0, rustix::process::geteuid().as_raw()].contains(&owner) {
        return Err(ConfigError::Foreign { path: path.to_owned(), owner });
    }
    Ok(())
}

/// Checks the text of a file; `path` is for messages, and relative paths in it start beside `path`.
pub fn parse(text: &str, path: &Path) -> Result<Settings, ConfigError> {
    let mut findings = Findings::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        findings.add(error.span().unwrap_or_default(), format!("not TOML: {}", error.message()));
    }
    let settings = if errors.is_empty() {
        let root = Section::new("", 0..0, document.get_ref(), &mut findings);
        Reading { path, to: &mut findings }.settings(&root)
    } else {
        Settings::default()
    };
    let findings = findings.sorted();
    if findings.is_empty() { Ok(settings) } else { Err(ConfigError::Invalid { path: path.to_owned(), findings }) }
}

/// A value checked by one of `values`, with its complaint put where the value stands.
pub(super) struct Reading<'r, 't> {
    pub(super) path: &'r Path,
    pub(super) to: &'r mut Findings<'t>,
}

impl Reading<'_, '_> {
    fn settings(&mut self, root: &Section<'_>) -> Settings {
        let receiver = root.section("receiver", "receiver", self.to).map(|s| self.receiver(&s)).unwrap_or_default();
        let server = root.section("server", "server", self.to).map(|s| self.server(&s)).unwrap_or_default();
        let mut accounts: Vec<AccountSettings> = vec![];
        for section in self.sections(root, "account") {
            let Some(account) = self.account(&section) else { continue };
            if accounts.iter().any(|known| known.name == account.name) {
                let at = section.get("name").map_or(section.at.clone(), toml::Spanned::span);
                self.to.add(at, format!("a second account named `{}`", account.name));
            }
            accounts.push(account);
        }
        let store = root.section("store", "store", self.to).map(|s| self.store(&s)).unwrap_or_default();
        let actions = root.section("actions", "actions", self.to).map(|s| self.actions(&s)).unwrap_or_default();
        let integrations = self.integrations(root);
        let names: Vec<_> = accounts.iter().map(|account| account.name.clone()).collect();
        let people = self.people(root, &names);
        let views = self.views(root);
        let notify = root.section("notify", "notify", self.to).map(|s| self.notify(&s)).unwrap_or_default();
        let runbooks = self.runbooks(root);
        let targets = self.targets(root);
        Settings { receiver, server, people, store, actions, accounts, views, notify, runbooks, integrations, targets }
    }

    fn store(&mut self, section: &Section<'_>) -> StoreSettings {
        let usual = StoreSettings::default();
        let keep_deliveries =
            section.number("keep_deliveries", self.to).map_or(usual.keep_deliveries, |(number, at)| {
                if number < values::FEWEST_DELIVERIES {
                    self.to.add(at, format!("`keep_deliveries` must be at least {}", values::FEWEST_DELIVERIES));
                }
                number
            });
        StoreSettings {
            keep: self.value(section, "keep", values::keep).unwrap_or(usual.keep),
            keep_deliveries,
            keep_size: self.value(section, "keep_size", values::keep_size).unwrap_or(usual.keep_size),
        }
    }

    fn actions(&mut self, section: &Section<'_>) -> ActionSettings {
        let usual = ActionSettings::default();
        let undo_window = self.value(section, "undo_window", values::undo_window).unwrap_or(usual.undo_window);
        ActionSettings { undo_window }
    }

    fn receiver(&mut self, section: &Section<'_>) -> ReceiverSettings {
        let usual = ReceiverSettings::default();
        let listen = self.value(section, "listen", |text| values::listen("listen", text)).unwrap_or(usual.listen);
        let tls = section.section("tls", "receiver.tls", self.to).and_then(|s| self.tls(&s));
        let allow = self.networks(section, "allow", networks::allowed);
        let trusted_proxies = self.networks(section, "trusted_proxies", networks::proxy).unwrap_or_default();
        ReceiverSettings { listen, allow, trusted_proxies, tls }
    }

    fn tls(&mut self, section: &Section<'_>) -> Option<TlsSettings> {
        section.need("certificate", self.to);
        section.need("key", self.to);
        let path = self.path;
        let file = |text: &str| {
            if text.is_empty() { Err("must name a file".to_owned()) } else { Ok(places::resolve(text, path)) }
        };
        let certificate = self.value(section, "certificate", file);
        let key = self.value(section, "key", file);
        Some(TlsSettings { certificate: certificate?, key: key? })
    }

    /// Sections that there can be several of.
    pub(super) fn sections<'a>(&mut self, root: &Section<'a>, name: &'static str) -> Vec<Section<'a>> {
        self.sections_of(root, name, name)
    }

    /// The same within a section: `key` is what they are called there, `name` what they are called in whole.
    pub(super) fn sections_of<'a>(&mut self, parent: &Section<'a>, key: &str, name: &'static str) -> Vec<Section<'a>> {
        let Some(value) = parent.get(key) else { return vec![] };
        let DeValue::Array(items) = value.get_ref() else {
            self.to.add(value.span(), format!("{name}s are written [[{name}]], in two brackets each"));
            return vec![];
        };
        let mut out = vec![];
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => out.push(Section::new(name, item.span(), table, self.to)),
                other => self.to.add(item.span(), format!("each {name} must be a section, this is {}", kind(other))),
            }
        }
        out
    }

    /// `None` when something that every account needs is missing or wrong: it has been said then.
    fn account(&mut self, section: &Section<'_>) -> Option<AccountSettings> {
        section.need("name", self.to);
        section.need("provider", self.to);
        let name = self.value(section, "name", values::account_name);
        let provider = self.value(section, "provider", values::provider);
        let base_url = self.address(section);
        let token = section.get("token").and_then(|value| self.secret("token", value));
        let from = self.value(section, "from", values::from);
        let poll = self.value(section, "poll", values::poll).unwrap_or(values::POLL_USUAL);
        let webhook = section.section("webhook", "account.webhook", self.to).and_then(|s| self.webhook(&s));
        Some(AccountSettings { name: name?, provider: provider?, base_url: base_url?, token, from, poll, webhook })
    }

    fn integrations(&mut self, root: &Section<'_>) -> Vec<IntegrationSettings> {
        let mut integrations: Vec<IntegrationSettings> = vec![];
        for section in self.sections(root, "integration") {
            section.need("name", self.to);
            section.need("routing_key", self.to);
            let name = self.value(&section, "name", values::integration_name);
            let routing_key = section.get("routing_key").and_then(|value| self.secret("routing_key", value));
            let base_url = self.events_address(&section);
            let (Some(name), Some(routing_key), Some(base_url)) = (name, routing_key, base_url) else { continue };
            if integrations.iter().any(|known| known.name == name) {
                let at = section.get("name").map_or(section.at.clone(), toml::Spanned::span);
                self.to.add(at, format!("a second integration named `{name}`"));
            }
            integrations.push(IntegrationSettings { name, routing_key, base_url });
        }
        integrations
    }

    /// Where the events of a region go, or another place.
    fn events_address(&mut self, section: &Section<'_>) -> Option<String> {
        match (section.get("region"), section.get("base_url")) {
            (Some(_), Some(own)) => {
                self.to.add(own.span(), "either `region` or `base_url`, not both");
                None
            }
            (_, Some(_)) => self.value(section, "base_url", values::base_url),
            (Some(_), None) => self.value(section, "region", values::events_region),
            (None, None) => values::events_region("us").ok(),
        }
    }

    fn address(&mut self, section: &Section<'_>) -> Option<String> {
        match (section.get("region"), section.get("base_url")) {
            (Some(_), Some(own)) => {
                self.to.add(own.span(), "either `region` or `base_url`, not both");
                None
            }
            (_, Some(_)) => self.value(section, "base_url", values::base_url),
            (Some(_), None) => self.value(section, "region", values::region),
            (None, None) => values::region("us").ok(),
        }
    }

    pub(super) fn secrets(&mut self, value: Field<'_>) -> Vec<SecretRef> {
        let DeValue::Array(items) = value.get_ref() else {
            self.to.add(value.span(), "`secrets` must be a list, as in [{ env = \"PD_SECRET\" }]");
            return vec![];
        };
        if items.is_empty() {
            self.to.add(value.span(), "`secrets` is empty: no webhook could be told from a forged one");
        }
        items.iter().filter_map(|item| self.secret("secrets", item)).collect()
    }

    pub(super) fn secret(&mut self, key: &str, value: Field<'_>) -> Option<SecretRef> {
        let path = self.path;
        match secret::from_toml(value.get_ref(), |text| places::resolve(text, path)) {
            Ok(reference) => Some(reference),
            Err(problem) => {
                self.to.add(value.span(), format!("`{key}`: {problem}"));
                None
            }
        }
    }

    pub(super) fn value<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, at) = section.text(key, self.to)?;
        check(text).map_err(|message| self.to.add(at, message)).ok()
    }
}
