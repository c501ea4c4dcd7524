//! A target as somebody wrote it down in a console or with a command: on its way to the server, which alone keeps it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EventType, TargetSummary};
use crate::core::id::TargetName;

/// What was typed where a secret may stand. Not shown by anything that prints what it is a part of.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

/// A secret of a target that is made or changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// As it was; of a new target: none.
    #[default]
    Kept,
    None,
    /// The secret itself, or where it is, as the configuration file has it: `{ env = "CHAT_URL" }`.
    Typed(Hidden),
}

/// All that a target is made of, but where it is kept and whether it is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetForm {
    pub name: TargetName,
    pub url: Secret,
    /// Of Basic authentication.
    pub user: Option<String>,
    pub password: Secret,
    /// All headers that are to be added: name and value. One that is not named is taken away.
    pub headers: Vec<(String, Secret)>,
    pub events: Vec<EventType>,
    pub linked: bool,
    /// The name of a template of the library.
    pub template: Option<String>,
    /// Of incidents, in the query language.
    pub filter: Option<String>,
    pub retries: u32,
    /// What signatures are made with.
    pub secret: Secret,
    pub allow_link_local: bool,
}

impl TargetForm {
    /// A target of which only the name is known.
    pub fn new(name: TargetName) -> Self {
        Self {
            name,
            url: Secret::Kept,
            user: None,
            password: Secret::Kept,
            headers: vec![],
            events: vec![],
            linked: false,
            template: None,
            filter: None,
            retries: 0,
            secret: Secret::Kept,
            allow_link_local: false,
        }
    }

    /// One that changes nothing of a target.
    pub fn of(target: &TargetSummary) -> Self {
        Self {
            user: target.user.as_ref().map(ToString::to_string),
            headers: target.headers.iter().map(|name| (name.to_string(), Secret::Kept)).collect(),
            events: target.events.clone(),
            linked: target.linked,
            template: target.template.clone(),
            filter: target.filter.clone(),
            retries: target.retries,
            allow_link_local: target.allow_link_local,
            ..Self::new(target.name.clone())
        }
    }
}

/// What becomes of a target by that name when a form is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Making {
    /// There must be none yet. On from the start, or off until somebody switches it on.
    New { on: bool },
    /// There must be one.
    Changed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_prints_a_form_prints_what_was_typed() {
        let mut form = TargetForm::new("chat".parse().expect("name"));
        let typed = || Secret::Typed(Hidden::new("hunter2"));
        (form.url, form.password, form.secret) = (typed(), typed(), typed());
        form.headers = vec![("X-Token".into(), typed())];

        assert!(!format!("{form:?} {form:#?}").contains("hunter2"));
        let sent = serde_json::to_string(&form).expect("json");
        assert_eq!(serde_json::from_str::<TargetForm>(&sent).expect("form"), form);
    }
}
