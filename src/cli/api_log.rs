//! `dogwatch api-log`: the newest calls to providers. Only the dogwatch that made them knows them, so one must run.

use super::{Exit, Failure, Outcome, Places, client::Client, output};
use crate::{
    core::{
        call::{ApiCall, Budget, End},
        id::AccountName,
    },
    proto::{Answer, Request},
    server::ownership,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Calls and budgets as JSON.
    #[arg(long)]
    json: bool,
    /// How many calls, newest first; 1000 at most.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

pub(super) async fn run(places: &Places, args: &Args) -> Outcome {
    let (calls, budgets) = ask(places, args.limit).await?;
    if args.json {
        let budgets: Vec<_> = budgets.iter().map(|(account, budget)| json_budget(account, budget)).collect();
        output::json(&serde_json::json!({ "calls": calls, "budgets": budgets }))?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = calls.iter().map(row).collect();
    output::table(&["TIME (UTC)", "ACCOUNT", "FOR", "CALL", "PATH", "END", "MS", "LEFT", "REQUEST ID"], &rows);
    for (account, budget) in &budgets {
        output::line(&words(account, budget));
    }
    Ok(Exit::Done)
}

async fn ask(places: &Places, limit: u32) -> Result<(Vec<ApiCall>, Vec<(AccountName, Budget)>), Failure> {
    let shared = places.shared().dial().await.map_err(|refused| Failure::new(Exit::Failed, refused))?;
    let own = ownership::dial(&ownership::socket_path(&places.state_dir()?)).await;
    if shared.is_none() && !matches!(own, Ok(Some(_))) {
        return Err(Failure::new(
            Exit::Failed,
            "no dogwatch runs here, and none that ended left its API log: start one",
        ));
    }
    drop((shared, own));
    let mut client = Client::open(places).await?;
    let answer = client.ask(Request::ApiLog { after: 0, limit }).await;
    client.close().await;
    match answer? {
        Answer::ApiLog { calls, budgets } => Ok((calls, budgets)),
        _ => Err(Failure::new(Exit::Failed, "an answer to another question")),
    }
}

fn json_budget(account: &AccountName, budget: &Budget) -> serde_json::Value {
    serde_json::json!({
        "account": account, "limit": budget.limit, "left": budget.left, "reserve": budget.reserve,
        "resets_in": budget.resets_in,
    })
}

fn row(call: &ApiCall) -> Vec<String> {
    let end = match &call.end {
        End::Status(status) => status.to_string(),
        End::Failed(why) => why.to_string(),
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    vec![
        call.at.to_string(),
        call.account.to_string(),
        call.purpose.word().to_owned(),
        call.method.to_string(),
        call.path.to_string(),
        end,
        call.took.to_string(),
        or_none(call.left.map(|left| left.to_string())),
        or_none(call.request_id.as_ref().map(ToString::to_string)),
    ]
}

fn words(account: &AccountName, budget: &Budget) -> String {
    let limit = budget.limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let Budget { left, reserve, resets_in, .. } = budget;
    format!("{account}: {left}{limit} requests left, full in {resets_in} s, {reserve} kept for actions")
}
