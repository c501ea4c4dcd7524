//! `dogwatch event`: tell the provider of something, through an integration's routing key. Written down first, and
//! tried again by a running dogwatch when the network is away.

use std::collections::BTreeMap;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Exit, Failure, Outcome, Places, output};
use crate::{
    config::IntegrationSettings,
    core::{
        event::{Event, EventAction, Link, Severity},
        text::Shown,
    },
    server::outbox::{self, Sent},
    store::{Outbox, Outgoing},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Open an alert, or add to the one of the same dedup key.
    Trigger {
        #[command(flatten)]
        to: To,
        /// What is wrong; the title of the incident that comes of it.
        #[arg(long)]
        summary: String,
        /// By which the alert is known; made up and printed when absent.
        #[arg(long)]
        dedup_key: Option<String>,
        #[arg(long, value_enum, default_value_t = SeverityWord::Critical)]
        severity: SeverityWord,
        #[arg(long)]
        component: Option<String>,
        #[arg(long)]
        group: Option<String>,
        #[arg(long)]
        class: Option<String>,
        #[command(flatten)]
        told: Told,
        /// The monitoring that says so, as ADDRESS or ADDRESS=NAME.
        #[arg(long, value_name = "ADDRESS[=NAME]")]
        client: Option<String>,
    },
    /// Acknowledge an alert.
    Ack(Known),
    /// Resolve an alert.
    Resolve(Known),
    /// Put a change on record, such as a release. It pages nobody.
    Change {
        #[command(flatten)]
        to: To,
        /// What was changed.
        #[arg(long)]
        summary: String,
        #[command(flatten)]
        told: Told,
    },
    /// The events that wait to be sent.
    Queue {
        #[arg(long)]
        json: bool,
    },
    /// Send what waits now.
    Flush,
}

#[derive(clap::Args)]
pub(super) struct To {
    /// The name of an [[integration]] of the configuration; not needed when there is one only.
    #[arg(long, value_name = "INTEGRATION")]
    to: Option<String>,
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct Known {
    #[command(flatten)]
    to: To,
    #[arg(long)]
    dedup_key: String,
}

#[derive(clap::Args)]
pub(super) struct Told {
    /// What it is about; this machine's name when absent.
    #[arg(long)]
    source: Option<String>,
    /// A custom detail; several may be given.
    #[arg(long = "detail", value_name = "NAME=VALUE")]
    details: Vec<String>,
    /// Custom details as a JSON object.
    #[arg(long, value_name = "JSON")]
    details_json: Option<String>,
    /// A link, as ADDRESS or ADDRESS=TEXT; several may be given.
    #[arg(long = "link", value_name = "ADDRESS[=TEXT]")]
    links: Vec<String>,
    /// The https address of a picture; several may be given.
    #[arg(long = "image", value_name = "ADDRESS")]
    images: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SeverityWord {
    Critical,
    Error,
    Warning,
    Info,
}

impl From<SeverityWord> for Severity {
    fn from(word: SeverityWord) -> Self {
        match word {
            SeverityWord::Critical => Self::Critical,
            SeverityWord::Error => Self::Error,
            SeverityWord::Warning => Self::Warning,
            SeverityWord::Info => Self::Info,
        }
    }
}

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    let outbox = Outbox::in_state_dir(&places.state_dir()?);
    match command {
        Command::Trigger { to, summary, dedup_key, severity, component, group, class, told, client } => {
            let dedup_key = dedup_key.unwrap_or_else(|| format!("dogwatch-{:016x}", fastrand::u64(..)));
            let base = Event {
                summary,
                severity: severity.into(),
                component,
                group,
                class,
                ..plain(EventAction::Trigger, dedup_key)
            };
            let event = Event { client: client.as_deref().map(link), ..with(base, told)? };
            send(places, &outbox, &to, event).await
        }
        Command::Ack(known) => send(places, &outbox, &known.to, plain(EventAction::Acknowledge, known.dedup_key)).await,
        Command::Resolve(known) => send(places, &outbox, &known.to, plain(EventAction::Resolve, known.dedup_key)).await,
        Command::Change { to, summary, told } => {
            let event = with(Event { summary, ..plain(EventAction::Change, String::new()) }, told)?;
            send(places, &outbox, &to, event).await
        }
        Command::Queue { json } => queue(&outbox, json),
        Command::Flush => flush(places, &outbox).await,
    }
}

fn plain(action: EventAction, dedup_key: String) -> Event {
    Event {
        action,
        dedup_key,
        summary: String::new(),
        source: String::new(),
        severity: Severity::Critical,
        at: Timestamp::now(),
        component: None,
        group: None,
        class: None,
        custom_details: BTreeMap::new(),
        links: vec![],
        images: vec![],
        client: None,
    }
}

fn with(event: Event, told: Told) -> Result<Event, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let mut custom_details = BTreeMap::new();
    if let Some(text) = &told.details_json {
        let object: BTreeMap<String, Value> = serde_json::from_str(text)
            .map_err(|error| usage(format!("--details-json must be a JSON object: {error}")))?;
        custom_details.extend(object);
    }
    for detail in &told.details {
        let lack = || usage(format!("--detail must be NAME=VALUE, not {detail:?}"));
        let (name, value) = detail.split_once('=').ok_or_else(lack)?;
        custom_details.insert(name.to_owned(), Value::from(value));
    }
    let source = told.source.unwrap_or_else(this_machine);
    let links = told.links.iter().map(|text| link(text)).collect();
    Ok(Event { source, custom_details, links, images: told.images, ..event })
}

fn this_machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "unknown host".to_owned() } else { name.trim().to_owned() }
}

/// `ADDRESS` or `ADDRESS=TEXT`. An address may hold `=` itself, so it ends at the last one before a text without `/`.
fn link(text: &str) -> Link {
    match text.rsplit_once('=') {
        Some((href, name)) if !name.contains(['/', '&', '?']) && !href.contains('?') => {
            Link { href: href.to_owned(), text: Some(name.to_owned()) }
        }
        _ => Link { href: text.to_owned(), text: None },
    }
}

/// The integration that is meant.
fn integration(all: &[IntegrationSettings], named: Option<&str>) -> Result<String, Failure> {
    let usage = |message: String| Err(Failure::new(Exit::Usage, message));
    match (named, all) {
        (Some(named), all) if all.iter().any(|known| known.name == named) => Ok(named.to_owned()),
        (Some(named), _) => usage(format!("no [[integration]] is called `{named}`")),
        (None, [one]) => Ok(one.name.clone()),
        (None, []) => usage("no [[integration]] is configured: `dogwatch config init` writes a sample".to_owned()),
        (None, _) => usage("there are several [[integration]]s: say which with --to".to_owned()),
    }
}

/// Written down, then sent; what cannot be sent now stays written down.
async fn send(places: &Places, outbox: &Outbox, to: &To, event: Event) -> Outcome {
    let integrations = places.settings()?.integrations;
    let integration = integration(&integrations, to.to.as_deref())?;
    if let Some(objection) = event.objection() {
        return Err(Failure::new(Exit::Usage, objection));
    }
    let dedup_key = event.dedup_key.clone();
    let path = outbox.put(&Outgoing { integration, event, since: Timestamp::now() })?;
    let told = outbox::flush(outbox, &integrations).await?;
    let ours = told.iter().flatten().find(|(known, ..)| *known == path).map(|(_, _, sent)| sent);
    let (word, reason, exit) = match ours {
        Some(Sent::Taken) => ("taken", None, Exit::Done),
        Some(Sent::Refused(reason)) => ("refused", Some(reason.clone()), Exit::Failed),
        Some(Sent::Waits(reason)) => ("waits", Some(reason.clone()), Exit::Partly),
        None => ("waits", Some(Shown::line("another dogwatch is sending")), Exit::Partly),
    };
    if to.json {
        output::json(&json!({ "outcome": word, "dedup_key": dedup_key, "reason": reason }))?;
    } else {
        let key = if dedup_key.is_empty() { String::new() } else { format!("  {}", Shown::line(&dedup_key)) };
        output::line(&format!("{word}{key}"));
        if let Some(reason) = &reason {
            let then = if exit == Exit::Partly {
                "; a running dogwatch tries again, so does `dogwatch event flush`"
            } else {
                ""
            };
            output::complain(&format!("{reason}{then}"));
        }
    }
    Ok(exit)
}

fn queue(outbox: &Outbox, json: bool) -> Outcome {
    let all = outbox.all()?;
    let mut exit = Exit::Done;
    let mut read = vec![];
    for (_, waiting) in all {
        match waiting {
            Ok(waiting) => read.push(waiting),
            Err(reason) => {
                output::complain(&reason);
                exit = Exit::Partly;
            }
        }
    }
    if json {
        output::json(&read)?;
    } else {
        let row = |one: &Outgoing| {
            let event = &one.event;
            let line = |text: &str| Shown::line(text).to_string();
            vec![
                one.since.to_string(),
                line(&one.integration),
                event.action.word().to_owned(),
                line(&event.dedup_key),
                line(&event.summary),
            ]
        };
        let rows: Vec<_> = read.iter().map(row).collect();
        output::table(&["SINCE", "INTEGRATION", "EVENT", "DEDUP KEY", "SUMMARY"], &rows);
    }
    Ok(exit)
}

async fn flush(places: &Places, outbox: &Outbox) -> Outcome {
    let integrations = places.settings()?.integrations;
    let Some(told) = outbox::flush(outbox, &integrations).await? else {
        return Err(Failure::new(Exit::Partly, "another dogwatch is sending; look at `dogwatch event queue`"));
    };
    let mut exit = Exit::Done;
    for (_, waiting, sent) in &told {
        let what = format!("{}  {}", waiting.event.action.word(), Shown::line(&waiting.event.dedup_key));
        match sent {
            Sent::Taken => output::line(&format!("taken  {what}")),
            Sent::Waits(reason) | Sent::Refused(reason) => {
                output::complain(&format!("{what}: {reason}"));
                exit = Exit::Partly;
            }
        }
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_a_text_only_where_one_is_given() {
        let read = |text: &str| {
            let link = link(text);
            (link.href, link.text)
        };
        assert_eq!(read("https://x/y=Run book"), ("https://x/y".into(), Some("Run book".into())));
        for plain in ["https://x/y", "https://x/y?a=b", "https://x/?a=b&c=d/e"] {
            assert_eq!(read(plain), (plain.into(), None));
        }
    }
}
