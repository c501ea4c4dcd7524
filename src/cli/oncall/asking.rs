//! Of whom it is asked: a query, or the usual questions as options.

use std::collections::BTreeSet;

use crate::{
    cli::{Exit, Failure, client::Client},
    core::{
        board::AccountBoard,
        oncall::OnCall,
        query::{
            Truth,
            oncall::{Condition, Record, Wanted, judge, read},
            written,
        },
        words,
    },
};

#[derive(clap::Args)]
pub(in crate::cli) struct Asking {
    /// Words, or `team:` `policy:` `user:` `schedule:` `level:` `account:`, with `!` and `or`.
    query: Vec<String>,
    /// For this team: a part of its name, or its id.
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// By this escalation policy.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// This person: `me`, a name, or an e-mail address.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Who is on call of those that are asked for.
pub(super) struct Found<'a> {
    pub(super) rows: Vec<(&'a AccountBoard, &'a OnCall)>,
    /// Why there may be more.
    pub(super) doubt: Option<String>,
}

impl Asking {
    pub(super) fn is_empty(&self) -> bool {
        self.query.is_empty() && [&self.team, &self.policy, &self.user].iter().all(|one| one.is_none())
    }

    /// Fails where the query cannot be understood.
    pub(super) fn wanted(&self) -> Result<Wanted, Failure> {
        let mut query =
            read(&self.query.join(" ")).map_err(|wrong| Failure::new(Exit::Usage, format!("the query, {wrong}")))?;
        for (field, value) in [("team", &self.team), ("policy", &self.policy), ("user", &self.user)] {
            let Some(value) = value else { continue };
            let more = read(&format!("{field}:{}", written(value)));
            let more = more.map_err(|wrong| Failure::new(Exit::Usage, format!("--{field}, {wrong}")))?;
            query = query.and(&more);
        }
        Ok(query)
    }
}

pub(super) fn find<'a>(client: &'a Client, wanted: &Wanted) -> Result<Found<'a>, Failure> {
    let mut found = Found { rows: vec![], doubt: None };
    let mut not_known = 0;
    let accounts = client.board.accounts.values();
    for (account, on_call) in accounts.flat_map(|account| account.oncalls.iter().map(move |on_call| (account, on_call)))
    {
        match judge(wanted, &Record { on_call, account, me: client.me(account) }) {
            Truth::Yes => found.rows.push((account, on_call)),
            Truth::Perhaps => not_known += 1,
            Truth::No => {}
        }
    }
    if not_known > 0 {
        let more = words::count(not_known, "more entry may be meant", "more entries may be meant");
        found.doubt = Some(format!("{more}: which teams their policies have, or who you are, is not known"));
    }
    if found.rows.is_empty() && not_known == 0 {
        named(client, wanted)?;
    }
    Ok(found)
}

/// Fails when a name that is asked for is nobody's: that nobody is on call would be another answer.
fn named(client: &Client, wanted: &Wanted) -> Result<(), Failure> {
    for condition in wanted.terms().flatten() {
        let (what, part, known) = match condition {
            Condition::Team(part) => ("team", part, teams(client)),
            Condition::Policy(part) => ("escalation policy", part, policies(client)),
            Condition::User(part) if !part.is_address() => ("person", part, people(client)),
            _ => continue,
        };
        if !known.iter().any(|(id, name)| part.means(id, name)) {
            let names: BTreeSet<_> = known.into_iter().map(|(_, name)| name).collect();
            let names: Vec<_> = names.into_iter().take(NAMED).collect();
            let names =
                if names.is_empty() { "none is known".to_owned() } else { format!("there are {}", names.join(", ")) };
            return Err(Failure::new(Exit::Failed, format!("no {what} matches `{}`; {names}", part.as_str())));
        }
    }
    Ok(())
}

/// Names given where one is not known.
const NAMED: usize = 20;

fn teams(client: &Client) -> Vec<(String, String)> {
    let all = client.board.accounts.values().flat_map(|account| account.policy_teams.values().flatten());
    all.map(|team| (team.id.to_string(), team.name.to_string())).collect()
}

fn policies(client: &Client) -> Vec<(String, String)> {
    let all = client.board.accounts.values().flat_map(|account| &account.policies);
    all.map(|policy| (policy.id.to_string(), policy.name.to_string())).collect()
}

fn people(client: &Client) -> Vec<(String, String)> {
    let all = client.board.accounts.values().flat_map(|account| &account.people);
    all.map(|person| (person.user.id.to_string(), person.user.name.to_string())).collect()
}
