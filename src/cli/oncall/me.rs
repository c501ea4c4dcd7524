//! Whether I am on call, and when next.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Client, Exit, Failure, Outcome, local, me, output};
use crate::{
    core::{
        id::{AccountName, UserId},
        incident::Named,
        oncall::OnCall,
        rota::turns,
        span::Span,
    },
    proto::{Answer, Request},
};

/// Providers tell no more than ninety days.
const AHEAD: SignedDuration = SignedDuration::from_hours(89 * 24);

pub(super) async fn tell(client: &mut Client, json: bool) -> Outcome {
    let who = |board| me(client, board).cloned().ok_or_else(|| client.unknown(board));
    let accounts: Vec<(AccountName, Result<Named<UserId>, String>)> =
        client.board.accounts.values().map(|board| (board.account.name.clone(), who(board))).collect();
    let (mut rows, mut on, mut lacks) = (vec![], false, client.on_call_doubts());
    for (account, user) in accounts {
        let user = match user {
            Ok(user) => user,
            Err(why) => {
                lacks.push(format!("{account}: it is not known who you are there: {why}"));
                continue;
            }
        };
        let now = client.board.provider_time(&account, Timestamp::now());
        let span = Span { from: now, to: now.checked_add(AHEAD).unwrap_or(now) };
        let request = Request::Duties { account: account.clone(), user: user.id.clone(), span };
        let duties = match client.ask(request).await {
            Ok(Answer::Duties { duties }) => duties,
            Ok(_) => return Err(Failure::new(Exit::Failed, "the server answered another question")),
            Err(failure) => {
                lacks.push(format!("{account}: {failure}"));
                continue;
            }
        };
        let (running, next) = turns(&duties, &user.id, now);
        on |= !running.is_empty();
        if json {
            rows.push(
                json!({ "account": account, "you": user, "on_call": running, "next": next, "asked_until": span.to }),
            );
        } else {
            print(&account, &user, &running, next, span.to);
        }
    }
    if json {
        output::json(&json!({ "on_call": on, "accounts": rows, "trusted": lacks.is_empty(), "doubts": lacks }))?;
    }
    for lack in &lacks {
        output::complain(lack);
    }
    Ok(match (on, lacks.is_empty()) {
        (true, true) => Exit::Done,
        (false, true) => Exit::Failed,
        (_, false) => Exit::Stale,
    })
}

fn print(account: &AccountName, user: &Named<UserId>, running: &[&OnCall], next: Option<&OnCall>, asked: Timestamp) {
    if running.is_empty() {
        output::line(&format!("{account}: {} is not on call now", user.name));
    }
    for on in running {
        let until = on.end.map_or_else(|| "always".to_owned(), |end| format!("until {}", local(end)));
        output::line(&format!("{account}: {} is ON CALL at L{} of {} {until}", user.name, on.level, on.policy.name));
    }
    match next {
        Some(on) => {
            let from = on.start.map_or_else(|| "now".to_owned(), local);
            let till = on.end.map(|end| format!(" till {}", local(end))).unwrap_or_default();
            output::line(&format!("{account}: next from {from}{till}, at L{} of {}", on.level, on.policy.name));
        }
        None => output::line(&format!("{account}: nothing further before {}", local(asked))),
    }
}
