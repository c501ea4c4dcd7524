//! Who is on each level now, who follows and when; and the levels with nobody.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{Client, Outcome, local, output, trusted};
use crate::core::{
    board::AccountBoard,
    id::{AccountName, PolicyId, ScheduleId, UserId},
    incident::Named,
    rota::{Edge, Relief, empty_levels, relief},
};

/// One level of one policy.
#[derive(Serialize)]
struct Rung<'a> {
    account: &'a AccountName,
    policy: Named<PolicyId>,
    level: u32,
    /// Empty: nobody.
    now: Vec<Holder<'a>>,
    next: Vec<Follower<'a>>,
}

#[derive(Serialize)]
struct Holder<'a> {
    person: &'a Named<UserId>,
    /// Null: named directly by the policy.
    schedule: Option<&'a Named<ScheduleId>>,
    /// Null: always.
    until: Option<Timestamp>,
}

/// Who follows on a schedule.
#[derive(Serialize)]
struct Follower<'a> {
    schedule: &'a Named<ScheduleId>,
    /// Null: nobody, or not known.
    person: Option<&'a Named<UserId>>,
    gap: bool,
    /// Null: the one who is on now stays beyond what is known.
    from: Option<Timestamp>,
    /// Null: not known.
    until: Option<Timestamp>,
}

pub(super) fn list(client: &Client, json: bool) -> Outcome {
    let levels: Vec<Rung<'_>> = client.board.accounts.values().flat_map(levels).collect();
    if json {
        let doubts = client.on_call_doubts();
        output::json(&json!({ "levels": levels, "trusted": doubts.is_empty(), "doubts": doubts }))?;
    } else {
        print(&levels);
    }
    Ok(trusted(client))
}

fn levels(board: &AccountBoard) -> Vec<Rung<'_>> {
    let now = board.account.provider_time(Timestamp::now());
    let account = &board.account.name;
    let mut out: Vec<Rung<'_>> = vec![];
    for on in board.oncalls.iter().filter(|on| on.end.is_none_or(|end| end > now)) {
        let at = out.iter().position(|level| level.policy.id == on.policy.id && level.level == on.level);
        let at = at.unwrap_or_else(|| {
            out.push(Rung { account, policy: on.policy.clone(), level: on.level, now: vec![], next: vec![] });
            out.len() - 1
        });
        let Some(level) = out.get_mut(at) else { continue };
        level.now.push(Holder { person: &on.user, schedule: on.schedule.as_ref(), until: on.end });
        let told = |schedule: &Named<ScheduleId>| level.next.iter().any(|known| known.schedule.id == schedule.id);
        let schedule = on.schedule.as_ref().filter(|schedule| !told(schedule));
        level.next.extend(schedule.and_then(|schedule| follower(board, schedule, now)));
    }
    for gap in empty_levels(board) {
        let known = gap.schedules.iter().filter_map(|schedule| {
            board.schedules.iter().map(|known| &known.schedule).find(|known| known.id == schedule.id)
        });
        let next = known.filter_map(|schedule| follower(board, schedule, now)).collect();
        out.push(Rung { account, policy: gap.policy, level: gap.level, now: vec![], next });
    }
    out.sort_by(|a, b| (&a.policy.name, &a.policy.id, a.level).cmp(&(&b.policy.name, &b.policy.id, b.level)));
    out
}

fn follower<'a>(board: &'a AccountBoard, schedule: &'a Named<ScheduleId>, now: Timestamp) -> Option<Follower<'a>> {
    let known = board.schedules.iter().find(|known| known.schedule.id == schedule.id)?;
    Some(match relief(known, now) {
        Relief::Person(stretch) => {
            let until = match stretch.end {
                Edge::At(end) => Some(end),
                Edge::Beyond(_) => None,
            };
            Follower { schedule, person: stretch.who, gap: false, from: stretch.start.known(), until }
        }
        Relief::Gap { from, until } => Follower { schedule, person: None, gap: true, from: Some(from), until },
        Relief::Beyond(_) => Follower { schedule, person: None, gap: false, from: None, until: None },
    })
}

fn print(levels: &[Rung<'_>]) {
    let rows: Vec<Vec<String>> = levels
        .iter()
        .map(|level| {
            let now = level.now.iter().map(|holder| match holder.until {
                Some(until) => format!("{} until {}", holder.person.name, local(until)),
                None => format!("{} always", holder.person.name),
            });
            let now: Vec<String> = now.collect();
            let now = if now.is_empty() { "! NOBODY".to_owned() } else { now.join(", ") };
            let next: Vec<String> = level.next.iter().map(following).collect();
            vec![
                level.account.to_string(),
                level.policy.name.to_string(),
                level.level.to_string(),
                now,
                next.join("; "),
            ]
        })
        .collect();
    output::table(&["ACCOUNT", "POLICY", "LEVEL", "NOW", "NEXT"], &rows);
}

fn following(next: &Follower<'_>) -> String {
    let from = next.from.map(|from| format!(" from {}", local(from))).unwrap_or_default();
    match (next.person, next.gap) {
        (Some(person), _) => format!("{}{from}", person.name),
        (None, true) => format!("! NOBODY{from}"),
        (None, false) => "the same, beyond what is known".to_owned(),
    }
}
