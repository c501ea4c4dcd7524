//! Whether I am on call, and when next: asked for when this view is looked at, a season ahead, because a week of
//! shifts seldom holds one's next turn.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{Effect, Model, View, wait::Wait},
    core::{
        board::AccountBoard,
        freshness::Standing,
        id::{AccountName, UserId},
        oncall::OnCall,
        rota::turns,
        span::Span,
        text::Shown,
    },
    proto::{Answer, Request, RequestId},
};

/// How far ahead is asked: providers tell no more than ninety days.
const AHEAD: SignedDuration = SignedDuration::from_hours(89 * 24);
/// An answer of this age is asked for again.
const OLD: SignedDuration = SignedDuration::from_mins(5);

/// What was heard of one's own duties.
#[derive(Debug, Clone)]
struct Heard {
    user: UserId,
    at: Timestamp,
    /// Until when it was asked for.
    until: Timestamp,
    duties: Result<Vec<OnCall>, Shown>,
}

/// What this view knows of it, by account.
#[derive(Debug, Default)]
pub struct Mine {
    waiting: BTreeMap<AccountName, (Wait, UserId, Timestamp)>,
    heard: BTreeMap<AccountName, Heard>,
}

/// Whether I have the pager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now<'a> {
    On {
        duty: &'a OnCall,
        others: usize,
    },
    Off,
    /// Who is on call is not known.
    NotKnown,
}

/// When I have it next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<'a> {
    Duty(&'a OnCall),
    /// Not before then.
    NotBefore(Timestamp),
    Asking,
    NotKnown(&'a str),
}

/// How I stand at an account; `None`: nobody knows who I am there.
pub fn standing<'a>(model: &'a Model, board: &'a AccountBoard) -> Option<(Now<'a>, Next<'a>)> {
    let me = model.me(board)?;
    let theirs = board.account.provider_time(model.now);
    let heard = model.oncall.mine.heard.get(&board.account.name).filter(|heard| heard.user == me.id);
    let running = |duties| on(turns(duties, &me.id, theirs).0.as_slice());
    let now = match board.account.on_call_standing(model.now) {
        Standing::Waiting | Standing::Down { .. } => None,
        Standing::Fresh { .. } | Standing::Stale { .. } => running(&board.oncalls).or_else(|| {
            // Who came after a shift that ended was not told yet, however new that news is.
            let told = !board.oncalls.is_empty() && !board.oncalls.iter().any(|on| on.has_ended(theirs));
            told.then_some(Now::Off)
        }),
    };
    // My own duties were asked for ahead: they may tell what the board does not yet.
    let ahead = || running(heard?.duties.as_ref().ok()?);
    let now = now.or_else(ahead).unwrap_or(Now::NotKnown);
    let next = match heard {
        Some(Heard { duties: Ok(duties), until, .. }) => {
            turns(duties, &me.id, theirs).1.map_or(Next::NotBefore(*until), Next::Duty)
        }
        Some(Heard { duties: Err(why), .. }) => Next::NotKnown(why.as_str()),
        None if model.oncall.mine.waiting.contains_key(&board.account.name) => Next::Asking,
        None => Next::NotKnown("not asked"),
    };
    Some((now, next))
}

fn on<'a>(running: &[&'a OnCall]) -> Option<Now<'a>> {
    let (duty, others) = running.split_first()?;
    Some(Now::On { duty, others: others.len() })
}

/// Asks where the answer is missing or old, while the view is looked at.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    if model.view != View::OnCall {
        return vec![];
    }
    let accounts = model.board.accounts.values().filter(|board| board.account.rest_off.is_none());
    let wanted = accounts.filter_map(|board| Some((board.account.name.clone(), model.me(board)?.id.clone())));
    let wanted: Vec<_> = wanted.filter(|(account, user)| is_due(model, account, user)).collect();
    let mut effects = vec![];
    for (account, user) in wanted {
        let from = model.board.provider_time(&account, model.now);
        let span = Span { from, to: from.checked_add(AHEAD).unwrap_or(from) };
        let request = Request::Duties { account: account.clone(), user: user.clone(), span };
        if let Some((wait, effect)) = Wait::ask(model, request) {
            model.oncall.mine.waiting.insert(account, (wait, user, span.to));
            effects.push(effect);
        }
    }
    effects
}

fn is_due(model: &Model, account: &AccountName, user: &UserId) -> bool {
    let mine = &model.oncall.mine;
    let waiting = mine.waiting.get(account).is_some_and(|(wait, asked, _)| asked == user && !wait.overdue(model.now));
    let fresh = mine
        .heard
        .get(account)
        .is_some_and(|heard| heard.user == *user && model.now.duration_since(heard.at).abs() < OLD);
    !waiting && !fresh
}

/// What was heard is old: the schedules may have changed.
pub(super) fn forget(model: &mut Model) {
    for heard in model.oncall.mine.heard.values_mut() {
        heard.at = Timestamp::MIN;
    }
}

/// An answer; `None`: not to this.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let mine = &mut model.oncall.mine;
    let account = mine.waiting.iter().find(|(_, (wait, ..))| wait.is(id)).map(|(account, _)| account.clone())?;
    let (_, user, until) = mine.waiting.remove(&account)?;
    let duties = match answer {
        Ok(Answer::Duties { duties }) => Ok(duties.clone()),
        Ok(_) => Err("the server answered something else".into()),
        Err(reason) => Err(Shown::line(reason)),
    };
    mine.heard.insert(account, Heard { user, at: model.now, until, duties });
    Some(vec![])
}

pub(super) fn detached(model: &mut Model) {
    model.oncall.mine.waiting.clear();
}
