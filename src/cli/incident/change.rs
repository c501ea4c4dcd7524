//! What else is done to incidents: snooze, escalate, merge, edit, ask for help, and make one.

use std::borrow::Borrow;

use clap::{Subcommand, ValueEnum};
use jiff::{Timestamp, tz::TimeZone};

use super::{Which, act, escalation_policy, exactly_one, exit, find::find, person, report};
use crate::{
    cli::{Exit, Failure, Outcome as CommandOutcome, client::Client},
    core::{
        action::{Assignee, Edit, Field, NewIncident, Verb},
        choices::{Choices, ChoicesOf},
        id::{AccountName, AlertId, IncidentKey, PriorityId, ServiceId, WorkflowId},
        incident::{Named, Urgency},
        query::Clock,
        span,
        text::Shown,
    },
    proto::{Answer, Request},
};

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Snooze: quiet for a time or until a time. What is triggered is acknowledged first.
    Snooze {
        #[command(flatten)]
        which: Which,
        /// For so long, as in 45m or 2h; at most 7 days.
        #[arg(long = "for", value_name = "LENGTH", required_unless_present = "until", conflicts_with = "until")]
        length: Option<String>,
        /// Until that time of this machine's clock, as in 09:00.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Escalate to a level of the escalation policy.
    Escalate {
        #[command(flatten)]
        which: Which,
        /// Counted from 1.
        #[arg(long)]
        level: u32,
    },
    /// Merge into another incident.
    Merge {
        #[command(flatten)]
        which: Which,
        /// The incident that stays: number, id, account/id, or web address.
        #[arg(long)]
        into: String,
    },
    /// Change the title.
    Title {
        #[command(flatten)]
        which: Which,
        #[arg(long)]
        title: String,
    },
    /// Change the urgency.
    Urgency {
        #[command(flatten)]
        which: Which,
        #[arg(long, value_enum)]
        urgency: UrgencyWord,
    },
    /// Set the priority, or take it away.
    Priority {
        #[command(flatten)]
        which: Which,
        /// A priority's name or id, or `none`.
        #[arg(long)]
        priority: String,
    },
    /// Set a custom field.
    Field {
        #[command(flatten)]
        which: Which,
        /// The field's name or id.
        #[arg(long)]
        field: String,
        /// Empty: no value.
        #[arg(long)]
        value: String,
    },
    /// Ask others to respond too.
    Responders {
        #[command(flatten)]
        which: Which,
        /// People's names, e-mail addresses or ids.
        #[arg(long)]
        to: Vec<String>,
        /// Names or ids of escalation policies.
        #[arg(long)]
        policy: Vec<String>,
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// Send a status update to those who follow the incident, by e-mail.
    StatusUpdate {
        #[command(flatten)]
        which: Which,
        #[arg(long, short)]
        message: String,
    },
    /// Run an incident workflow.
    Workflow {
        #[command(flatten)]
        which: Which,
        /// The workflow's name or id.
        #[arg(long)]
        workflow: String,
    },
    /// Resolve one alert of an incident.
    ResolveAlert {
        #[command(flatten)]
        which: Which,
        /// The alert's id or its whole summary.
        #[arg(long)]
        alert: String,
    },
    /// Make an incident by hand.
    Create {
        /// The service's name or id.
        #[arg(long)]
        service: String,
        #[arg(long)]
        title: String,
        #[arg(long, value_enum, default_value_t = UrgencyWord::High)]
        urgency: UrgencyWord,
        /// What is to be known about it.
        #[arg(long)]
        details: Option<String>,
        /// While an incident with this key is open on the service, no second one is made.
        #[arg(long)]
        dedup_key: Option<String>,
        /// Where, when there are several accounts.
        #[arg(long)]
        account: Option<AccountName>,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum UrgencyWord {
    High,
    Low,
}

impl From<UrgencyWord> for Urgency {
    fn from(word: UrgencyWord) -> Self {
        match word {
            UrgencyWord::High => Self::High,
            UrgencyWord::Low => Self::Low,
        }
    }
}

pub(super) async fn run(client: &mut Client, command: Command) -> CommandOutcome {
    let (which, verb) = match command {
        Command::Snooze { which, length, until } => {
            let text = length.or(until.map(|until| format!("until {until}"))).unwrap_or_default();
            (which, Verb::Snooze { until: end(&text)? })
        }
        Command::Escalate { which, level } => (which, Verb::Escalate { level }),
        Command::Merge { which, into } => {
            let into = find(client, &into)?;
            let name = Shown::line(&into.to_string());
            (which, Verb::Merge { into, name })
        }
        Command::Title { which, title } => (which, Verb::Edit(Edit::Title(title))),
        Command::Urgency { which, urgency } => (which, Verb::Edit(Edit::Urgency(urgency.into()))),
        Command::Priority { which, priority } => {
            let priority = priority_of(client, &which, &priority).await?;
            (which, Verb::Edit(Edit::Priority(priority)))
        }
        Command::Field { which, field, value } => {
            let field = field_of(client, &which, &field).await?;
            (which, Verb::Edit(Edit::Field { field, value }))
        }
        Command::Responders { which, to, policy, message } => {
            let people = to.iter().map(|name| person(client, name).map(Assignee::User));
            let policies = policy.iter().map(|name| escalation_policy(client, name).map(Assignee::EscalationPolicy));
            let to = people.chain(policies).collect::<Result<_, _>>()?;
            (which, Verb::AddResponders { to, message })
        }
        Command::StatusUpdate { which, message } => (which, Verb::StatusUpdate { message }),
        Command::Workflow { which, workflow } => {
            let workflow = workflow_of(client, &which, &workflow).await?;
            (which, Verb::RunWorkflow { workflow })
        }
        Command::ResolveAlert { which, alert } => {
            let alert = alert_of(client, &which, &alert).await?;
            (which, Verb::ResolveAlert { alert })
        }
        Command::Create { service, title, urgency, details, dedup_key, account, json } => {
            let account = the_account(client, account)?;
            let service = service_of(client, &account, &service).await?;
            let dedup_key = dedup_key.unwrap_or_default();
            let new = NewIncident { service, title, urgency: urgency.into(), details, dedup_key };
            let action = client.create(account, new).await?;
            report(&action, json)?;
            return Ok(exit(&action.outcomes));
        }
    };
    if let Some(objection) = verb.objection(Timestamp::now()) {
        return Err(Failure::new(Exit::Usage, objection));
    }
    act(client, which, verb).await
}

/// The end of a span that is typed.
fn end(text: &str) -> Result<Timestamp, Failure> {
    let clock = Clock { now: Timestamp::now(), zone: &TimeZone::system() };
    let span = span::read(text, clock).map_err(|reason| Failure::new(Exit::Usage, format!("`{text}`: {reason}")))?;
    Ok(span.to)
}

/// The first incident that is meant; what is chosen from is its account's.
fn account_of(client: &Client, which: &Which) -> Result<IncidentKey, Failure> {
    which.first(client)
}

fn the_account(client: &Client, named: Option<AccountName>) -> Result<AccountName, Failure> {
    let accounts: Vec<_> = client.board.accounts.keys().cloned().collect();
    match (named, accounts.as_slice()) {
        (Some(named), all) if all.contains(&named) => Ok(named),
        (Some(named), _) => Err(Failure::new(Exit::Usage, format!("there is no account `{named}`"))),
        (None, [one]) => Ok(one.clone()),
        (None, []) => Err(Failure::new(Exit::Failed, "no account is configured")),
        (None, _) => Err(Failure::new(Exit::Usage, "there are several accounts: say which with --account")),
    }
}

async fn choices(client: &mut Client, account: AccountName, of: ChoicesOf) -> Result<Choices, Failure> {
    match client.ask(Request::Choices { account, of }).await? {
        Answer::Choices { choices, .. } => Ok(choices),
        _ => Err(Failure::new(Exit::Failed, "the server answered another question")),
    }
}

fn is_called<Id: Borrow<str>>(id: &Id, name: &Shown, text: &str) -> bool {
    id.borrow() == text || name.as_str().eq_ignore_ascii_case(text)
}

async fn priority_of(client: &mut Client, which: &Which, text: &str) -> Result<Option<Named<PriorityId>>, Failure> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let account = account_of(client, which)?.account;
    let Choices::Priorities(all) = choices(client, account, ChoicesOf::Priorities).await? else { return Ok(None) };
    let found = all.into_iter().filter(|one| is_called(&one.id, &one.name, text)).collect();
    exactly_one(client, found, "priority", text).map(Some)
}

async fn field_of(client: &mut Client, which: &Which, text: &str) -> Result<Field, Failure> {
    let key = account_of(client, which)?;
    let all = match choices(client, key.account, ChoicesOf::Fields(key.id)).await? {
        Choices::Fields(all) => all,
        _ => vec![],
    };
    let found = all.into_iter().filter(|one| is_called(&one.id, &one.name, text)).collect();
    exactly_one(client, found, "custom field", text)
}

async fn workflow_of(client: &mut Client, which: &Which, text: &str) -> Result<Named<WorkflowId>, Failure> {
    let account = account_of(client, which)?.account;
    let all = match choices(client, account, ChoicesOf::Workflows).await? {
        Choices::Workflows(all) => all,
        _ => vec![],
    };
    let found = all.into_iter().map(|(one, _)| one).filter(|one| is_called(&one.id, &one.name, text)).collect();
    exactly_one(client, found, "incident workflow", text)
}

async fn alert_of(client: &mut Client, which: &Which, text: &str) -> Result<Named<AlertId>, Failure> {
    let [incident] = which.named() else {
        return Err(Failure::new(Exit::Usage, "an alert belongs to one incident: name one"));
    };
    let key = find(client, incident)?;
    let all = match choices(client, key.account, ChoicesOf::Alerts(key.id)).await? {
        Choices::Alerts(all) => all,
        _ => vec![],
    };
    let found = all.into_iter().filter(|one| is_called(&one.id, &one.name, text)).collect();
    exactly_one(client, found, "alert that is not resolved", text)
}

async fn service_of(client: &mut Client, account: &AccountName, text: &str) -> Result<Named<ServiceId>, Failure> {
    let all = match choices(client, account.clone(), ChoicesOf::Services).await? {
        Choices::Services(all) => all,
        _ => vec![],
    };
    let found = all.into_iter().filter(|one| is_called(&one.id, &one.name, text)).collect();
    exactly_one(client, found, "service", text)
}
