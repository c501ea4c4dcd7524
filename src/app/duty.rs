//! Whether somebody is on call now, as far as is known.

use jiff::{SignedDuration, Timestamp};

use super::person::me;
use crate::{
    core::{
        board::{AccountBoard, Board},
        freshness::Standing,
        id::UserId,
        incident::Named,
    },
    proto::Access,
};

/// How old the news of a duty is, when it is not fresh.
pub type AsOf = Option<SignedDuration>;

/// How somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    On {
        level: u32,
        /// `None`: always on call.
        since: Option<Timestamp>,
        /// `None`: without an end.
        until: Option<Timestamp>,
        as_of: AsOf,
    },
    Off(AsOf),
    /// Not told who one is, or who is on call.
    Unknown,
}

/// How the person for whom the server takes one stands at `now`, over all accounts.
pub fn duty(board: &Board, access: &Access, now: Timestamp) -> Duty {
    let duties: Vec<_> = board.accounts.values().map(|known| at(known, me(access, known), now)).collect();
    let on = duties.iter().filter_map(|duty| match duty {
        Duty::On { level, as_of, .. } => Some(((*as_of, *level), *duty)),
        Duty::Off(_) | Duty::Unknown => None,
    });
    if let Some((_, on)) = on.min_by_key(|(rank, _)| *rank) {
        return on;
    }
    let off = |duty: &Duty| if let Duty::Off(as_of) = duty { Some(*as_of) } else { None };
    let oldest = duties.iter().map(off).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
    oldest.map_or(Duty::Unknown, Duty::Off)
}

/// How `me` stands at one account.
fn at(board: &AccountBoard, me: Option<&Named<UserId>>, now: Timestamp) -> Duty {
    let as_of = match board.account.on_call_standing(now) {
        Standing::Fresh { .. } => None,
        Standing::Stale { age, .. } => Some(age),
        Standing::Waiting | Standing::Down { .. } => return Duty::Unknown,
    };
    let theirs = board.account.provider_time(now);
    let current: Vec<_> = board.oncalls.iter().filter(|on| !on.has_ended(theirs)).collect();
    let (Some(me), false) = (me, current.is_empty()) else { return Duty::Unknown };
    // Who came after a shift that ended was not told yet, however new that news is.
    let told = current.len() == board.oncalls.len();
    match current.iter().filter(|on| on.user.id == me.id).min_by_key(|on| on.level) {
        Some(on) => Duty::On { level: on.level, since: on.start, until: on.end, as_of },
        None if told => Duty::Off(as_of),
        None => Duty::Unknown,
    }
}
