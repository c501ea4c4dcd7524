//! Who was paged how often, and how often at night.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;

use super::{Client, Exit, Failure, Outcome, local, output};
use crate::{
    core::{
        id::AccountName,
        load::{Share, shares},
        query::{Clock, moment},
        span::Span,
    },
    proto::{Answer, Request},
};

/// The provider tells of less than three months at once.
const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How it is counted, for those who read it.
const COUNTED: &str = "counted from the provider's notifications by push, phone and text; those of one minute are one page, \
                       e-mail is left out; night is 22:00 to 07:00 in each person's zone";

pub(super) async fn tell(client: &mut Client, since: &str, until: Option<&str>, json: bool) -> Outcome {
    let span = span(since, until)?;
    let accounts: Vec<AccountName> = client.board.accounts.keys().cloned().collect();
    let zone = TimeZone::system();
    let (mut rows, mut lacks) = (vec![], vec![]);
    for account in accounts {
        match client.ask(Request::Pages { account: account.clone(), span }).await {
            Ok(Answer::Pages { pages }) => rows.push((account, shares(&pages, &zone))),
            Ok(_) => return Err(Failure::new(Exit::Failed, "the server answered another question")),
            Err(failure) => lacks.push(format!("{account}: {failure}")),
        }
    }
    if json {
        let accounts: Vec<_> =
            rows.iter().map(|(account, shares)| json!({ "account": account, "people": shares })).collect();
        let (from, to) = (span.from, span.to);
        output::json(
            &json!({ "from": from, "to": to, "counted": COUNTED, "accounts": accounts, "trusted": lacks.is_empty(), "doubts": lacks }),
        )?;
    } else {
        output::line(&format!("from {} till {}; {COUNTED}", local(span.from), local(span.to)));
        print(&rows);
    }
    for lack in &lacks {
        output::complain(lack);
    }
    Ok(match (rows.is_empty(), lacks.is_empty()) {
        (_, true) => Exit::Done,
        (false, false) => Exit::Partly,
        (true, false) => Exit::Stale,
    })
}

fn span(since: &str, until: Option<&str>) -> Result<Span, Failure> {
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let clock = Clock { now, zone: &zone };
    let read = |text: &str| {
        let wrong =
            || Failure::new(Exit::Usage, format!("`{text}` is no time: write 30d, 2025-06-01 or 2025-06-01T08:00"));
        moment(text, clock).ok_or_else(wrong)
    };
    let to = until.map(read).transpose()?.unwrap_or(now);
    let from = read(since)?;
    if from >= to {
        return Err(Failure::new(Exit::Usage, "--since is not before --until"));
    }
    if to.duration_since(from) > LONGEST {
        return Err(Failure::new(Exit::Usage, "the provider tells of 90 days at most: choose a shorter time"));
    }
    Ok(Span { from, to })
}

fn print(rows: &[(AccountName, Vec<Share>)]) {
    let row = |account: &AccountName, share: &Share| {
        vec![
            account.to_string(),
            share.user.name.to_string(),
            share.pages.to_string(),
            share.at_night.to_string(),
            share.broken_nights.to_string(),
            share.zone.clone(),
        ]
    };
    let cells: Vec<Vec<String>> =
        rows.iter().flat_map(|(account, shares)| shares.iter().map(move |share| row(account, share))).collect();
    if cells.is_empty() {
        output::line("nobody was paged");
        return;
    }
    output::table(&["ACCOUNT", "PERSON", "PAGES", "AT NIGHT", "BROKEN NIGHTS", "ZONE"], &cells);
}
