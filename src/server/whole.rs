//! The board as one message. It is never longer than a console takes: what is least missed is left out, as a console that
//! cannot be told the rest is blind.

use serde::Serialize;

use crate::{
    core::{
        action::Action,
        board::{Board, LeftOut},
        id::{ActionId, IncidentKey},
    },
    proto::{
        FromServer,
        wire::{self, WireError},
    },
};

/// Bytes of the most that a board can say of what it lacks.
const SAYS_SO: usize = 100;

/// The message, of `longest` bytes at most.
pub(super) fn message(board: Board, longest: usize) -> Result<String, WireError> {
    let whole = FromServer::Snapshot { board: Box::new(board) };
    let text = wire::text(&whole)?;
    let bytes = text.len();
    if bytes <= longest {
        return Ok(text);
    }
    drop(text);
    let FromServer::Snapshot { mut board } = whole else { return Err(WireError::NoLine { bytes }) };
    // What says so has its bytes too.
    leave_out(&mut board, bytes.saturating_sub(longest).saturating_add(SAYS_SO));
    let LeftOut { resolved, actions } = board.left_out;
    tracing::warn!(
        "the board has {bytes} bytes, more than a console takes: consoles are not told of the {actions} oldest actions \
         and the {resolved} oldest resolved incidents"
    );
    let text = wire::text(&FromServer::Snapshot { board })?;
    if text.len() > longest { Err(WireError::NoLine { bytes: text.len() }) } else { Ok(text) }
}

/// Takes the oldest actions that are done off the board, then the oldest resolved incidents, until it has `excess` bytes
/// less or there are no more; the board says how many these were.
fn leave_out(board: &mut Board, mut excess: usize) {
    let actions: Vec<(ActionId, usize)> =
        board.actions.iter().rev().filter(|action| Action::is_final(action)).map(|one| (one.id, size(one))).collect();
    let actions = fewest(actions, &mut excess);
    board.actions.retain(|action| !actions.contains(&action.id));
    let mut resolved: Vec<_> = board.incidents.values().filter(|incident| !incident.state.status.is_open()).collect();
    resolved.sort_by_key(|incident| incident.stamp.at);
    let resolved: Vec<(IncidentKey, usize)> =
        resolved.into_iter().map(|incident| (incident.key.clone(), size(incident))).collect();
    let resolved = fewest(resolved, &mut excess);
    for key in &resolved {
        board.incidents.remove(key);
    }
    board.left_out = LeftOut { resolved: resolved.len(), actions: actions.len() };
}

/// As many of these, each with its size, as `excess` takes; it is less by them afterwards.
fn fewest<T>(these: Vec<(T, usize)>, excess: &mut usize) -> Vec<T> {
    let mut out = vec![];
    for (one, size) in these {
        if *excess == 0 {
            break;
        }
        *excess = excess.saturating_sub(size);
        out.push(one);
    }
    out
}

fn size(one: &impl Serialize) -> usize {
    serde_json::to_string(one).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        core::{
            action::{By, Outcome, Verb},
            board::Change,
            incident::Status,
        },
        server::fake::{Fake, key},
    };

    fn action(id: i64, outcome: Outcome) -> Change {
        let by = By { actor: "alice".into(), uid: Some(1), name: None };
        let verb = Verb::Note { text: "y".repeat(10_000) };
        let outcomes = vec![(key("P1"), outcome)];
        Change::Action(Box::new(Action { id: ActionId(id), at: Timestamp::UNIX_EPOCH, by, verb, outcomes, due: None }))
    }

    fn board() -> Board {
        let (fake, mut board) = (Fake::default(), Board::default());
        for n in 0..20 {
            let status = if n % 2 == 0 { Status::Triggered } else { Status::Resolved };
            board.observe(&fake.put(&format!("P{n}"), status, n));
        }
        board.apply(&action(1, Outcome::Sent));
        for id in 2..12 {
            board.apply(&action(id, Outcome::Confirmed { notice: None }));
        }
        board
    }

    fn told(longest: usize) -> Option<Board> {
        let text = message(board(), longest).ok()?;
        assert!(text.len() <= longest, "{} bytes of {longest}", text.len());
        match serde_json::from_str(&text).expect("a message") {
            FromServer::Snapshot { board } => Some(*board),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_board_that_no_console_could_take_is_told_without_the_oldest_actions_and_resolved_incidents() {
        let whole = message(board(), usize::MAX).expect("a message").len();
        assert_eq!(told(whole), Some(board()));

        let shorter = told(whole - 25_000).expect("fits");
        let ids: Vec<_> = shorter.actions.iter().map(|action| action.id.0).collect();
        assert_eq!((ids, shorter.incidents.len()), (vec![11, 10, 9, 8, 7, 6, 5, 1], 20), "one is under way");
        assert_eq!(shorter.left_out.words().expect("said"), "not shown, there are too many: the 3 oldest actions");

        let shortest = told(whole - 103_500).expect("fits");
        assert_eq!(shortest.actions.len(), 1);
        assert!(!shortest.incidents.contains_key(&key("P1")) && shortest.incidents.contains_key(&key("P19")));
        assert_eq!(shortest.counts().triggered, 10, "what is open is told in any case");
        assert_eq!(shortest.left_out, LeftOut { resolved: 20 - shortest.incidents.len(), actions: 10 });
        assert_eq!(told(1000), None);
    }
}
