//! The shared host: the socket that other users reach the server by, and who of them acts as whom.
//! A person who is not named here may look, and nothing else.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::de::DeValue;

use super::{
    SecretRef,
    fields::{Section, kind},
    file::Reading,
    values,
};
use crate::core::id::AccountName;

/// A Unix socket's path has at most 108 bytes on Linux, the last of them zero.
const SOCKET_PATH: usize = 107;
/// As `useradd` allows them.
const NAME: usize = 32;

/// `[server]`: how other users of this host reach the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where `serve` listens for them beside its own socket. Absolute.
    pub socket: Option<PathBuf>,
    /// The group that may connect to `socket`; without one, only its owner.
    pub group: Option<String>,
    /// Where figures for Prometheus can be had; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
}

/// A user of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    Login(String),
    Uid(u32),
}

/// `[[person]]`: as whom a user of this host acts.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonSettings {
    pub user: User,
    /// Where this holds; `None`: at every account.
    pub account: Option<AccountName>,
    pub acts: Acts,
}

/// How a person's actions go out.
#[derive(Debug, Clone, PartialEq)]
pub enum Acts {
    /// With the account's key, in the name of this address.
    As { email: String },
    /// With a token of their own, which never leaves the server.
    With { token: SecretRef },
}

impl PersonSettings {
    /// Their own token, if they have one, and whose it is in words.
    pub fn token(&self) -> Option<(String, &SecretRef)> {
        let Acts::With { token } = &self.acts else { return None };
        let name = match &self.user {
            User::Login(name) => name.clone(),
            User::Uid(uid) => format!("uid {uid}"),
        };
        Some((format!("token of person {name}"), token))
    }

    fn same_place(&self, other: &Self) -> bool {
        self.user == other.user && self.account == other.account
    }
}

impl Reading<'_, '_> {
    pub(super) fn server(&mut self, section: &Section<'_>) -> ServerSettings {
        let socket = self.value(section, "socket", socket);
        let group = self.value(section, "group", |text| login(text, "group"));
        if let (None, Some(group)) = (section.get("socket"), section.get("group")) {
            self.to.add(group.span(), "`group` says who may use `socket`: name that too");
        }
        let metrics = self.value(section, "metrics", |text| values::listen("metrics", text));
        ServerSettings { socket, group, metrics }
    }

    pub(super) fn people(&mut self, root: &Section<'_>, accounts: &[AccountName]) -> Vec<PersonSettings> {
        let mut people: Vec<PersonSettings> = vec![];
        for section in self.sections(root, "person") {
            let Some(person) = self.person(&section, accounts) else { continue };
            if people.iter().any(|known| known.same_place(&person)) {
                self.to.add(section.at.clone(), "a second [[person]] for this user");
            }
            people.push(person);
        }
        people
    }

    fn person(&mut self, section: &Section<'_>, accounts: &[AccountName]) -> Option<PersonSettings> {
        let user = self.user(section);
        let account = self.value(section, "account", |text| {
            let known = accounts.iter().find(|name| name.as_str() == text);
            known.cloned().ok_or_else(|| format!("there is no [[account]] named \"{}\"", text.escape_debug()))
        });
        let email = self.value(section, "email", |text| values::address("email", text));
        let token = section.get("token").and_then(|value| self.secret("token", value));
        let acts = match (section.get("email"), section.get("token")) {
            (Some(_), None) => Acts::As { email: email? },
            (None, Some(value)) => {
                if accounts.len() > 1 && section.get("account").is_none() {
                    self.to.add(value.span(), "a token is good for one account: say which with `account`");
                }
                Acts::With { token: token? }
            }
            _ => {
                self.to.add(section.at.clone(), "[[person]] needs either `email` or `token`");
                return None;
            }
        };
        Some(PersonSettings { user: user?, account, acts })
    }

    fn user(&mut self, section: &Section<'_>) -> Option<User> {
        let value = section.need("user", self.to)?;
        let read = match value.get_ref() {
            DeValue::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                Err("`user`: a number is written without quotes".to_owned())
            }
            DeValue::String(text) => login(text, "user").map(User::Login),
            DeValue::Integer(number) => {
                let uid = u32::from_str_radix(number.as_str(), number.radix());
                uid.map(User::Uid).map_err(|_| "`user`: a uid is a number from 0 to 4294967295".to_owned())
            }
            other => Err(format!("`user` must be a login in quotes or a uid, this is {}", kind(other))),
        };
        read.map_err(|message| self.to.add(value.span(), message)).ok()
    }
}

fn socket(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if !path.is_absolute() || path.file_name().is_none() || text.len() > SOCKET_PATH {
        return Err(format!("`socket` must be an absolute path of at most {SOCKET_PATH} bytes"));
    }
    Ok(path.to_owned())
}

/// The name of a user or a group.
fn login(text: &str, key: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.@$\\".contains(&b);
    if text.is_empty() || text.len() > NAME || text.starts_with('-') || !text.bytes().all(plain) {
        return Err(format!("`{key}` must be the name of a {key} of this host"));
    }
    Ok(text.to_owned())
}

/// What is allowed but probably not meant.
pub(super) fn advise(server: &ServerSettings, people: &[PersonSettings], out: &mut Vec<String>) {
    if let (Some(socket), None) = (&server.socket, &server.group) {
        out.push(format!("server.socket {} has no group: nobody but its owner can connect", socket.display()));
    }
    if people.iter().any(|person| person.user == User::Uid(0) || person.user == User::Login("root".to_owned())) {
        out.push("a [[person]] is root: actions then do not tell who it was".to_owned());
    }
}
