//! A target as it is sent to: its settings, with the secrets read.

use secrecy::SecretString;

use crate::core::{forward::EventType, id::TargetName, query::incident::Wanted};

/// Where events go, and in which words.
#[derive(Debug, Clone)]
pub struct Target {
    pub name: TargetName,
    /// The whole address; a secret, as for many services knowing it is all it takes.
    pub url: SecretString,
    pub basic: Option<Basic>,
    /// Headers that are added: name and value.
    pub headers: Vec<(String, SecretString)>,
    /// The events that are sent, by name; others are not.
    pub events: Vec<EventType>,
    /// Of incidents, as the query language says; `None`: all.
    pub filter: Option<Wanted>,
    pub enabled: bool,
    /// Whether the default body holds what the incident refers to.
    pub linked: bool,
    /// The text of the template; `None`, or one of blanks alone: the default body.
    pub template: Option<String>,
    /// How often a failed attempt is made again, each time later.
    pub retries: u32,
    pub signing: Option<Signing>,
    /// Whether link-local and metadata addresses may be sent to.
    pub allow_link_local: bool,
}

/// Basic authentication (RFC 7617).
#[derive(Debug, Clone)]
pub struct Basic {
    /// Without a colon.
    pub user: String,
    pub password: SecretString,
}

/// The secret of a `webhook-signature` (Standard Webhooks 1.0).
#[derive(Debug, Clone)]
pub struct Signing {
    pub secret: SecretString,
}
