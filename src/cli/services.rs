//! `dogwatch service`: how the services stand, and who is on call for them. (`service.rs` is about service managers.)

use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{Exit, Outcome, Places, client::Client, oncall::local, output};
use crate::core::{
    board::AccountBoard,
    freshness::Sight,
    id::{AccountName, PolicyId, ServiceId, UserId},
    incident::Named,
    rota::has_turned,
    service::{Condition, Window, condition, open},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// All services, the worst first: open incidents, policy, who is on call, maintenance.
    List {
        #[arg(long)]
        json: bool,
    },
}

/// A service with all that is known of it.
#[derive(Serialize)]
struct Row<'a> {
    account: &'a AccountName,
    service: &'a Named<ServiceId>,
    condition: Condition,
    triggered: usize,
    acknowledged: usize,
    policy: Option<&'a Named<PolicyId>>,
    /// Level 1 of its policy; null: not known.
    on_call: Option<Vec<&'a Named<UserId>>>,
    maintenance: Vec<&'a Window>,
}

pub(super) async fn run(places: &Places, command: &Command) -> Outcome {
    let Command::List { json } = command;
    let mut client = Client::open(places).await?;
    let outcome = match client.ask_the_providers().await {
        Ok(()) => list(&client, *json),
        Err(failure) => Err(failure),
    };
    client.close().await;
    outcome
}

fn rows<'a>(client: &'a Client, board: &'a AccountBoard) -> Vec<Row<'a>> {
    let now = board.account.provider_time(Timestamp::now());
    let account = &board.account.name;
    let open = open(&client.board, account);
    let services = board.services.services.iter().map(|service| {
        let (triggered, acknowledged) = open.get(&service.service.id).copied().unwrap_or_default();
        let maintenance = board.services.windows_of(&service.service.id, now);
        let policy = service.policy.as_ref();
        Row {
            account,
            service: &service.service,
            condition: condition(service, (triggered, acknowledged), &maintenance, now),
            triggered,
            acknowledged,
            policy,
            on_call: policy.and_then(|policy| on_call(board, &policy.id, now)),
            maintenance,
        }
    });
    services.collect()
}

/// Who is on level 1 of a policy; `None`: not known, nor is who came after somebody whose time is over.
fn on_call<'a>(board: &'a AccountBoard, policy: &PolicyId, now: Timestamp) -> Option<Vec<&'a Named<UserId>>> {
    board.account.on_call.last_success?;
    let here = board.oncalls.iter().filter(|on| on.level == 1 && on.policy.id == *policy);
    (!has_turned(&board.oncalls, policy, 1, now)).then(|| here.map(|on| &on.user).collect())
}

fn list(client: &Client, json: bool) -> Outcome {
    let mut all: Vec<Row<'_>> = client.board.accounts.values().flat_map(|board| rows(client, board)).collect();
    all.sort_by(|a, b| (a.condition, &a.service.name, a.account).cmp(&(b.condition, &b.service.name, b.account)));
    let mut doubts = client.doubts();
    doubts.extend(client.doubts_about(&[Sight::Services, Sight::Windows]));
    doubts.dedup();
    if json {
        output::json(&json!({ "services": all, "trusted": doubts.is_empty(), "doubts": doubts }))?;
    } else if !all.is_empty() {
        output::table(
            &["ACCOUNT", "ID", "SERVICE", "STANDS", "TRIGGERED", "ACKED", "ON CALL", "POLICY", "MAINTENANCE"],
            &all.iter().map(cells).collect::<Vec<_>>(),
        );
    } else if doubts.is_empty() {
        output::line("no services");
    }
    for doubt in &doubts {
        output::complain(doubt);
    }
    Ok(if doubts.is_empty() { Exit::Done } else { Exit::Stale })
}

fn cells(row: &Row<'_>) -> Vec<String> {
    let on_call = match row.on_call.as_deref() {
        None => "?".to_owned(),
        Some([]) => "! nobody".to_owned(),
        Some(users) => users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>().join(", "),
    };
    let window = row.maintenance.first().map(|window| format!("{} – {}", local(window.start), local(window.end)));
    vec![
        row.account.to_string(),
        row.service.id.to_string(),
        row.service.name.to_string(),
        row.condition.word().to_owned(),
        row.triggered.to_string(),
        row.acknowledged.to_string(),
        on_call,
        row.policy.map(|policy| policy.name.to_string()).unwrap_or_default(),
        window.unwrap_or_default(),
    ]
}
