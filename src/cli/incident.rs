//! `dogwatch incident`: list, show, and act.

mod next;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Exit, Failure, Outcome as CommandOutcome, Places, client::Client, output};
use crate::{
    core::{
        action::{Action, Assignee, Outcome, Target, Verb},
        detail::Detail,
        id::{IncidentKey, PolicyId, UserId},
        incident::{Incident, Named, Status, Urgency},
        text::{Shown, ShownBody},
        words,
    },
    proto::{Answer, Request},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The open incidents: triggered before acknowledged, newest first.
    List {
        /// Resolved ones too, as far as they are kept.
        #[arg(long)]
        all: bool,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// The same as `--format json`.
        #[arg(long)]
        json: bool,
    },
    /// One incident with its alerts, notes and timeline.
    Show {
        /// Id, number, or account/id.
        incident: String,
        #[arg(long)]
        json: bool,
    },
    /// Acknowledge.
    Ack(Which),
    /// Resolve.
    Resolve(Which),
    /// Hand off to a person or to an escalation policy.
    Handoff {
        #[command(flatten)]
        which: Which,
        /// A person's name, e-mail address or id.
        #[arg(long, required_unless_present = "policy", conflicts_with = "policy")]
        to: Option<String>,
        /// An escalation policy's name or id.
        #[arg(long)]
        policy: Option<String>,
        /// A note to leave in the same step.
        #[arg(long)]
        note: Option<String>,
    },
    /// Add a note.
    Note {
        #[command(flatten)]
        which: Which,
        /// The text of the note.
        #[arg(long, short)]
        message: String,
    },
}

#[derive(clap::Args)]
pub(super) struct Which {
    /// Ids, numbers, or account/id.
    #[arg(required = true)]
    incidents: Vec<String>,
    /// Act also when the incident stands elsewhere than expected by the time of acting.
    #[arg(long)]
    even_if_changed: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    /// `id<TAB>status`, a line each.
    Tsv,
    Json,
}

pub(super) async fn run(places: &Places, command: Command) -> CommandOutcome {
    let mut client = Client::open(places).await?;
    let outcome = with(&mut client, command).await;
    client.close().await;
    outcome
}

async fn with(client: &mut Client, command: Command) -> CommandOutcome {
    client.ask_the_providers().await?;
    match command {
        Command::List { all, format, json } => list(client, all, if json { Format::Json } else { format }),
        Command::Show { incident, json } => show(client, &incident, json).await,
        Command::Ack(which) => act(client, which, Verb::Acknowledge).await,
        Command::Resolve(which) => act(client, which, Verb::Resolve).await,
        Command::Handoff { which, to, policy, note } => {
            let to = assignee(client, to.as_deref(), policy.as_deref())?;
            act(client, which, Verb::HandOff { to, note }).await
        }
        Command::Note { which, message } => act(client, which, Verb::Note { text: message }).await,
    }
}

/// Says why the answer cannot be trusted, and chooses the exit code by it.
fn trusted(client: &Client) -> Exit {
    let doubts = client.doubts();
    for doubt in &doubts {
        output::complain(doubt);
    }
    if doubts.is_empty() { Exit::Done } else { Exit::Stale }
}

fn list(client: &Client, all: bool, format: Format) -> CommandOutcome {
    let mut incidents: Vec<&Incident> =
        client.board.incidents.values().filter(|i| all || i.state.status.is_open()).collect();
    incidents.sort_by_key(|i| (i.state.status, std::cmp::Reverse((i.state.created_at, i.key.clone()))));
    match format {
        Format::Tsv => {
            for incident in incidents {
                output::line(&format!("{}\t{}", incident.key.id, incident.state.status.word()));
            }
        }
        Format::Json => {
            let doubts = client.doubts();
            let incidents: Vec<Value> = incidents.into_iter().map(|incident| as_json(client, incident)).collect();
            output::json(&json!({ "incidents": incidents, "trusted": doubts.is_empty(), "doubts": doubts }))?;
        }
        Format::Table => print_table(client, &incidents),
    }
    Ok(trusted(client))
}

fn print_table(client: &Client, incidents: &[&Incident]) {
    if incidents.is_empty() {
        match client.webhooks_only().as_slice() {
            _ if !client.doubts().is_empty() => {}
            [] => output::line("no incidents"),
            only => {
                let only = only.join(", ");
                output::line(&format!("no incidents that webhooks told of; nothing else is known of {only}: no token"));
            }
        }
        return;
    }
    let now = Timestamp::now();
    let rows: Vec<Vec<String>> = incidents
        .iter()
        .map(|incident| {
            let state = &incident.state;
            vec![
                incident.key.id.to_string(),
                state.number.map(|n| format!("#{n}")).unwrap_or_default(),
                state.status.word().to_owned(),
                urgency(state.urgency).to_owned(),
                words::age(client.board.provider_time(&incident.key.account, now).duration_since(state.created_at)),
                state.service.as_ref().map(|s| s.name.to_string()).unwrap_or_default(),
                names(&state.assignees),
                incident.headline(),
            ]
        })
        .collect();
    output::table(&["ID", "NUMBER", "STATUS", "URGENCY", "AGE", "SERVICE", "ASSIGNEE", "TITLE"], &rows);
}

fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::High => "high",
        Urgency::Low => "low",
    }
}

fn names<Id>(named: &[Named<Id>]) -> String {
    named.iter().map(|n| n.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn as_json(client: &Client, incident: &Incident) -> Value {
    let state = &incident.state;
    json!({
        "account": incident.key.account,
        "id": incident.key.id,
        "number": state.number,
        "status": state.status,
        "urgency": state.urgency,
        "priority": state.priority,
        "title": state.title,
        "unconfirmed": incident.is_unconfirmed(),
        "service": state.service,
        "escalation_policy": state.escalation_policy,
        "assignees": state.assignees,
        "created_at": state.created_at,
        "as_of": incident.stamp.at,
        "next_paged": next::as_json(client, incident),
        "url": state.url,
    })
}

/// The incident that `text` names; asks the providers for one that is not on the board.
fn find(client: &Client, text: &str) -> Result<IncidentKey, Failure> {
    let number = text.trim_start_matches('#').parse::<u64>().ok();
    let (account, id) = text.split_once('/').map_or((None, text), |(account, id)| (Some(account), id));
    let matches: Vec<&Incident> = client
        .board
        .incidents
        .values()
        .filter(|incident| {
            let here = account.is_none_or(|account| incident.key.account.as_str() == account);
            here && (incident.key.id.as_str() == id || (number.is_some() && incident.state.number == number))
        })
        .collect();
    match matches.as_slice() {
        [one] => Ok(one.key.clone()),
        [] => Err(unknown(client, &format!("there is no incident `{text}` among those known"))),
        several => {
            let keys: Vec<String> = several.iter().map(|i| i.key.to_string()).collect();
            Err(Failure::new(Exit::Usage, format!("`{text}` names several incidents: {}", keys.join(", "))))
        }
    }
}

async fn show(client: &mut Client, text: &str, json: bool) -> CommandOutcome {
    let key = find(client, text)?;
    let answer = client.ask(Request::Detail { key: key.clone() }).await;
    let incident = client.board.incidents.get(&key).cloned();
    let Some(incident) = incident else {
        return Err(Failure::new(Exit::Failed, format!("incident {key} is gone")));
    };
    let detail = match answer {
        Ok(Answer::Detail { detail }) => Some(*detail),
        Ok(_) => return Err(Failure::new(Exit::Failed, "the server answered another question")),
        Err(failure) => {
            output::complain(&format!("alerts, notes and timeline are not known: {failure}"));
            None
        }
    };
    if json {
        output::json(&json!({ "incident": as_json(client, &incident), "detail": detail }))?;
    } else {
        print_state(client, &incident);
        detail.iter().for_each(print_detail);
    }
    let Some(detail) = detail else { return Ok(Exit::Stale) };
    for missing in &detail.missing {
        output::complain(missing.as_str());
    }
    let trusted = trusted(client);
    Ok(if detail.missing.is_empty() { trusted } else { Exit::Partly })
}

fn print_state(client: &Client, incident: &Incident) {
    let state = &incident.state;
    let number = state.number.map(|number| format!("#{number}  ")).unwrap_or_default();
    output::line(&format!("{number}{}  {}", incident.key, incident.headline()));
    output::line(&format!("{}, {} urgency, since {}", state.status.word(), urgency(state.urgency), state.created_at));
    if let Some(service) = &state.service {
        output::line(&format!("service   {}", service.name));
    }
    if let Some(policy) = &state.escalation_policy {
        output::line(&format!("policy    {}", policy.name));
    }
    output::line(&format!("assigned  {}", names(&state.assignees)));
    if let Some(words) = next::words(client, incident) {
        output::line(&format!("next      {words}"));
    }
    if let Some(url) = &state.url {
        output::line(&format!("link      {url}"));
    }
}

fn print_detail(detail: &Detail) {
    for line in detail.description.iter().flat_map(ShownBody::lines) {
        output::line(&format!("  {line}"));
    }
    for alert in &detail.alerts {
        output::line(&format!("\nalert     {} ({})", alert.summary, alert.status));
        for (path, value) in &alert.details {
            output::line(&format!("  {path}: {}", value.as_str().replace('\n', "\n    ")));
        }
    }
    for note in &detail.notes {
        output::line(&format!("\nnote      {} {}", note.at, note.author));
        output::line(&format!("  {}", note.content.as_str().replace('\n', "\n  ")));
    }
    output::line("");
    for entry in &detail.timeline {
        output::line(&format!("{}  {}", entry.at, entry.summary));
    }
}

fn assignee(client: &Client, to: Option<&str>, policy: Option<&str>) -> Result<Assignee, Failure> {
    match (to, policy) {
        (Some(to), _) => person(client, to).map(Assignee::User),
        (None, Some(policy)) => escalation_policy(client, policy).map(Assignee::EscalationPolicy),
        (None, None) => Err(Failure::new(Exit::Usage, "name whom to hand off to: --to or --policy")),
    }
}

fn person(client: &Client, text: &str) -> Result<Named<UserId>, Failure> {
    let people = client.board.accounts.values().flat_map(|known| &known.people);
    let same = |name: &Shown| name.as_str().eq_ignore_ascii_case(text);
    let found: Vec<_> = people
        .filter(|p| p.user.id.as_str() == text || same(&p.user.name) || p.email.as_ref().is_some_and(same))
        .map(|p| p.user.clone())
        .collect();
    exactly_one(client, found, "person", text)
}

fn escalation_policy(client: &Client, text: &str) -> Result<Named<PolicyId>, Failure> {
    let policies = client.board.accounts.values().flat_map(|known| &known.policies);
    let found: Vec<_> =
        policies.filter(|p| p.id.as_str() == text || p.name.as_str().eq_ignore_ascii_case(text)).cloned().collect();
    exactly_one(client, found, "escalation policy", text)
}

fn exactly_one<T>(client: &Client, mut found: Vec<T>, what: &str, text: &str) -> Result<T, Failure> {
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), more) => {
            Err(Failure::new(Exit::Usage, format!("`{text}` names {} of the kind {what}: use the id", more + 1)))
        }
        (None, _) => Err(unknown(client, &format!("no {what} is called `{text}`"))),
    }
}

/// Something that is not there; when not all is known it may be there all the same.
fn unknown(client: &Client, what: &str) -> Failure {
    let doubts = client.doubts();
    match doubts.first() {
        None => Failure::new(Exit::Failed, what),
        Some(doubt) => Failure::new(Exit::Stale, format!("{what}, but not all is known: {doubt}")),
    }
}

async fn act(client: &mut Client, which: Which, verb: Verb) -> CommandOutcome {
    let mut targets = vec![];
    for text in &which.incidents {
        let key = find(client, text)?;
        let mut target = target(client, &key)?;
        // A command expects an open incident: one that is resolved gives a conflict, so that nothing is
        // reopened by a command typed from memory.
        if !target.seen.is_open() {
            target.seen = Status::Triggered;
        }
        targets.push(target);
    }
    targets.sort_by(|a, b| a.key.cmp(&b.key));
    targets.dedup_by(|a, b| a.key == b.key);
    let mut action = client.act(targets, verb.clone()).await?;
    if which.even_if_changed {
        let again = conflicts(client, &action)?;
        if !again.is_empty() {
            let second = client.act(again, verb).await?;
            for (key, outcome) in second.outcomes {
                if let Some(known) = action.outcomes.iter_mut().find(|(known, _)| *known == key) {
                    known.1 = outcome;
                }
            }
        }
    }
    let exit = report(&action, which.json)?;
    // Nothing done while the provider is in trouble: trying again later may help.
    Ok(if exit == Exit::Failed && !client.doubts().is_empty() { Exit::Stale } else { exit })
}

fn target(client: &Client, key: &IncidentKey) -> Result<Target, Failure> {
    let known = client.board.incidents.get(key).map(Target::at);
    known.ok_or_else(|| Failure::new(Exit::Failed, format!("incident {key} is gone")))
}

/// What met a conflict, as it stands now.
fn conflicts(client: &Client, action: &Action) -> Result<Vec<Target>, Failure> {
    let mut targets = vec![];
    for (key, outcome) in &action.outcomes {
        if let Outcome::Conflict { now, .. } = outcome {
            targets.push(Target { seen: *now, ..target(client, key)? });
        }
    }
    Ok(targets)
}

fn report(action: &Action, json: bool) -> CommandOutcome {
    if json {
        output::json(action)?;
    } else {
        for (key, outcome) in &action.outcomes {
            output::line(&format!("{key}  {}: {}", action.verb.word(), sentence(outcome)));
        }
    }
    let done = action.outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Confirmed { .. })).count();
    let partly = action.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Partly { .. }));
    Ok(match done {
        all if all == action.outcomes.len() => Exit::Done,
        0 if !partly => Exit::Failed,
        _ => Exit::Partly,
    })
}

fn sentence(outcome: &Outcome) -> String {
    let word = outcome.word();
    match outcome {
        Outcome::Pending | Outcome::Sent | Outcome::Confirmed { notice: None } => word.to_owned(),
        Outcome::Confirmed { notice: Some(text) } => format!("{word} ({text})"),
        Outcome::Partly { done, failed } => format!("{done}, but {failed}"),
        Outcome::Failed { reason } | Outcome::Unknown { reason } => format!("{word}: {reason}"),
        Outcome::Conflict { reason, .. } => format!("{word}, nothing was sent: {reason} (--even-if-changed does it)"),
    }
}
