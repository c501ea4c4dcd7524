//! `dogwatch incident`: list, show, and act.

mod change;
mod find;
mod looking;
mod next;
mod show;
mod timeline;
mod which;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Exit, Failure, Outcome as CommandOutcome, Places, client::Client, oncall::missing, output};
use crate::core::{
    action::{Action, Assignee, Outcome, Target, Verb},
    freshness::Sight,
    id::{IncidentKey, PolicyId, UserId},
    incident::{Incident, Named, Urgency},
    text::Shown,
    words,
};
use find::{find, target};
use looking::{Found, Looking};
use which::{Chosen, Which};

/// Incidents that one action takes.
const AT_ONCE: usize = 1000;

#[derive(Subcommand)]
pub(super) enum Command {
    /// The open incidents, or those of them that a query finds: triggered before acknowledged, newest first.
    List {
        #[command(flatten)]
        looking: Looking,
        /// Resolved ones too, as far as they are kept; without this, a query finds them that asks for `status:resolved`.
        #[arg(long)]
        all: bool,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// The same as `--format json`.
        #[arg(long)]
        json: bool,
    },
    /// One incident with its alerts, notes and timeline, and what lies around it: past and related incidents, changes, impact.
    Show {
        /// Number, id, account/id, or web address.
        incident: String,
        /// Without what lies around it, which takes up to thirty requests to the provider.
        #[arg(long)]
        brief: bool,
        #[arg(long)]
        json: bool,
    },
    /// What happened to an incident, in order.
    Timeline {
        /// Number, id, account/id, or web address.
        incident: String,
        #[arg(long)]
        json: bool,
    },
    /// Acknowledge.
    Ack(Which),
    /// Resolve.
    Resolve {
        #[command(flatten)]
        which: Which,
        /// A note to leave in the same step.
        #[arg(long)]
        note: Option<String>,
    },
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
    #[command(flatten)]
    Change(change::Command),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    /// `id<TAB>status`, a line each.
    Tsv,
    Json,
}

pub(super) async fn run(places: &Places, command: Command) -> CommandOutcome {
    if let Command::List { looking, .. } = &command {
        looking.check(places)?;
    }
    let mut client = Client::open(places).await?;
    let outcome = with(places, &mut client, command).await;
    client.close().await;
    outcome
}

async fn with(places: &Places, client: &mut Client, command: Command) -> CommandOutcome {
    match &command {
        // What these look for is among the incidents; to the others people belong, too.
        Command::Show { .. }
        | Command::Timeline { .. }
        | Command::Ack(_)
        | Command::Resolve { .. }
        | Command::Note { .. } => {
            client.ask_for_incidents().await?;
        }
        Command::List { looking, .. } if looking.is_plain() => client.ask_for_incidents().await?,
        Command::List { .. } | Command::Handoff { .. } | Command::Change(_) => client.ask_the_providers().await?,
    }
    match command {
        Command::List { looking, all, format, json } => {
            list(client, &looking.find(places, client, all)?, if json { Format::Json } else { format })
        }
        Command::Timeline { incident, json } => timeline::run(client, &incident, json).await,
        Command::Show { incident, brief, json } => show::run(client, &incident, brief, json).await,
        Command::Ack(which) => act(client, which, Verb::Acknowledge).await,
        Command::Resolve { which, note } => act(client, which, Verb::Resolve { note }).await,
        Command::Handoff { which, to, policy, note } => {
            let to = assignee(client, to.as_deref(), policy.as_deref())?;
            act(client, which, Verb::HandOff { to, note }).await
        }
        Command::Note { which, message } => act(client, which, Verb::Note { text: message }).await,
        Command::Change(command) => change::run(client, command).await,
    }
}

/// Says why the answer cannot be trusted, and chooses the exit code by it.
fn trusted(client: &Client) -> Exit {
    judged(&client.doubts())
}

fn judged(doubts: &[String]) -> Exit {
    for doubt in doubts {
        output::complain(doubt);
    }
    if doubts.is_empty() { Exit::Done } else { Exit::Stale }
}

fn list(client: &Client, found: &Found<'_>, format: Format) -> CommandOutcome {
    let mut doubts = client.doubts();
    doubts.extend(found.doubt());
    match format {
        Format::Tsv => {
            for incident in &found.incidents {
                output::line(&format!("{}\t{}", incident.key.id, incident.state.status.word()));
            }
        }
        Format::Json => {
            let incidents: Vec<Value> = found.incidents.iter().map(|incident| as_json(client, incident)).collect();
            output::json(&json!({
                "incidents": incidents, "resolved_hidden": found.resolved_hidden, "not_known": found.not_known,
                "trusted": doubts.is_empty(), "doubts": doubts,
            }))?;
        }
        Format::Table => print_table(client, found),
    }
    Ok(judged(&doubts))
}

fn print_table(client: &Client, found: &Found<'_>) {
    if found.incidents.is_empty() {
        match client.webhooks_only().as_slice() {
            _ if !client.doubts().is_empty() || found.not_known > 0 => {}
            [] if found.is_filtered => output::line("no incidents that the query finds"),
            [] => output::line("no incidents"),
            only => {
                let only = only.join(", ");
                output::line(&format!("no incidents that webhooks told of; nothing else is known of {only}: no token"));
            }
        }
    } else {
        table(client, &found.incidents);
    }
    if found.is_filtered && found.resolved_hidden > 0 {
        let them = words::count(found.resolved_hidden, "resolved one matches", "resolved ones match");
        output::complain(&format!("{them} too: --all lists them"));
    }
}

fn table(client: &Client, incidents: &[&Incident]) {
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
        (None, _) => Err(missing(client, Sight::People, &format!("no {what} is called `{text}`"))),
    }
}

async fn act(client: &mut Client, which: Which, verb: Verb) -> CommandOutcome {
    let targets = match which.choose(client, &verb)? {
        Chosen::These(targets) => targets,
        Chosen::Said(exit) => return Ok(exit),
    };
    let mut outcomes = vec![];
    for some in targets.chunks(AT_ONCE) {
        let mut action = client.act(some.to_vec(), verb.clone()).await?;
        if which.even_if_changed() {
            insist(client, &mut action).await?;
        }
        report(&action, which.json())?;
        outcomes.extend(action.outcomes);
    }
    let exit = exit(&outcomes);
    // Nothing done while the provider is in trouble: trying again later may help.
    Ok(if exit == Exit::Failed && !client.doubts().is_empty() { Exit::Stale } else { exit })
}

/// Does again what met a conflict.
async fn insist(client: &mut Client, action: &mut Action) -> Result<(), Failure> {
    let again = conflicts(client, action)?;
    if again.is_empty() {
        return Ok(());
    }
    let second = client.act(again, action.verb.clone()).await?;
    for (key, outcome) in second.outcomes {
        if let Some(known) = action.outcomes.iter_mut().find(|(known, _)| *known == key) {
            known.1 = outcome;
        }
    }
    Ok(())
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

fn report(action: &Action, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(action);
    }
    for (key, outcome) in &action.outcomes {
        output::line(&format!("{key}  {}: {}", action.verb.word(), sentence(outcome)));
    }
    Ok(())
}

fn exit(outcomes: &[(IncidentKey, Outcome)]) -> Exit {
    let done = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Confirmed { .. })).count();
    let partly = outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Partly { .. }));
    match done {
        all if all == outcomes.len() => Exit::Done,
        0 if !partly => Exit::Failed,
        _ => Exit::Partly,
    }
}

fn sentence(outcome: &Outcome) -> String {
    let word = outcome.word();
    match outcome {
        Outcome::Pending { .. } | Outcome::TakenBack | Outcome::Sent | Outcome::Confirmed { notice: None } => {
            outcome.words()
        }
        Outcome::Confirmed { notice: Some(text) } => format!("{word} ({text})"),
        Outcome::Partly { done, failed } => format!("{done}, but {failed}"),
        Outcome::Failed { reason } | Outcome::Unknown { reason } => format!("{word}: {reason}"),
        Outcome::Conflict { reason, .. } => format!("{word}, nothing was sent: {reason} (--even-if-changed does it)"),
    }
}
