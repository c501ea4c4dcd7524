//! Which incidents are listed, and in which order. Kept up to date change by change, so that a key costs
//! the same with ten thousand incidents as with ten.
//!
//! Order: triggered, acknowledged, resolved; within these high urgency first; within these newest first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::{SignedDuration, Timestamp};

use crate::core::{
    board::Board,
    id::{AccountName, IncidentKey, UserId},
    incident::{Incident, Status, Urgency},
    query::{
        Truth,
        incident::{Noted, Record, Wanted, judge, names_resolved, next_turn},
    },
};

/// A resolved incident stays listed for so long, so that one sees how it ended.
const AFTERGLOW: SignedDuration = SignedDuration::from_mins(10);

/// What is to be listed, and what is known beside the board to tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) all_resolved: bool,
    pub(super) marked: &'a BTreeSet<IncidentKey>,
    pub(super) noted: &'a Noted,
    /// Who the person here is at each account, where that is known.
    pub(super) me: &'a BTreeMap<AccountName, UserId>,
}

impl<'a> Choice<'a> {
    pub(super) fn record(&self, incident: &'a Incident, board: &'a Board, now: Timestamp) -> Record<'a> {
        let key = &incident.key;
        Record {
            incident,
            account: board.accounts.get(&key.account),
            now: board.provider_time(&key.account, now),
            me: self.me.get(&key.account),
            marked: self.marked.contains(key),
            noted: self.noted.truth(key),
        }
    }
}

/// Where an incident stands among those that are listed; those of one rank stand in the order of their keys.
type Rank = (Status, Reverse<Urgency>, Reverse<Timestamp>);

/// Why an incident is listed, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Listed(Rank),
    FilteredOut,
    /// What the filter asks is not known of it.
    Unknown,
    /// Resolved for longer than [`AFTERGLOW`]; no open one ever is.
    Old,
}

/// The listed incidents, and how many are not listed for which reason.
#[derive(Debug, Default)]
pub struct Rows {
    keys: Vec<IncidentKey>,
    places: BTreeMap<IncidentKey, Place>,
    filtered_out: usize,
    unknown: usize,
    old: usize,
    /// When time alone may next change what is listed.
    next_expiry: Option<Timestamp>,
    /// How far the clock was from each provider's when that was worked out.
    clocks: Vec<Option<SignedDuration>>,
}

impl Rows {
    pub fn keys(&self) -> &[IncidentKey] {
        &self.keys
    }

    pub fn lists(&self, key: &IncidentKey) -> bool {
        matches!(self.places.get(key), Some(Place::Listed(_)))
    }

    /// Would be listed, if the filter let them.
    pub fn filtered_out(&self) -> usize {
        self.filtered_out
    }

    /// Not listed, because what the filter asks is not known of them.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// Resolved ones that are not listed.
    pub fn hidden_resolved(&self) -> usize {
        self.old
    }

    pub(super) fn rebuild(&mut self, board: &Board, choice: Choice<'_>, now: Timestamp) {
        *self = Self { clocks: clocks(board), ..Self::default() };
        let mut listed = vec![];
        for incident in board.incidents.values() {
            if let Place::Listed(rank) = self.put(incident, choice, board, now) {
                listed.push((rank, &incident.key));
            }
        }
        listed.sort_unstable();
        self.keys = listed.into_iter().map(|(_, key)| key.clone()).collect();
    }

    /// One incident is new, changed or forgotten, or something else is known of it.
    pub(super) fn changed(&mut self, board: &Board, key: &IncidentKey, choice: Choice<'_>, now: Timestamp) {
        self.take_out(key);
        let Some(incident) = board.incidents.get(key) else { return };
        if let Place::Listed(rank) = self.put(incident, choice, board, now) {
            self.keys.insert(self.position(rank, key), key.clone());
        }
    }

    /// Where one of this rank stands, or would.
    fn position(&self, rank: Rank, key: &IncidentKey) -> usize {
        self.keys.partition_point(|known| match self.places.get(known) {
            Some(Place::Listed(other)) => (other, known) < (&rank, key),
            _ => false,
        })
    }

    /// Whether what is listed is so no more, though no incident changed.
    pub(super) fn has_expired(&self, board: &Board, now: Timestamp) -> bool {
        self.next_expiry.is_some_and(|at| at <= now) || self.clocks != clocks(board)
    }

    fn take_out(&mut self, key: &IncidentKey) {
        match self.places.get(key).copied() {
            Some(Place::Listed(rank)) => drop(self.keys.remove(self.position(rank, key))),
            Some(Place::FilteredOut) => self.filtered_out -= 1,
            Some(Place::Unknown) => self.unknown -= 1,
            Some(Place::Old) => self.old -= 1,
            None => {}
        }
        self.places.remove(key);
    }

    fn put(&mut self, incident: &Incident, choice: Choice<'_>, board: &Board, now: Timestamp) -> Place {
        let place = self.place(incident, choice, board, now);
        match place {
            Place::Listed(_) => {}
            Place::FilteredOut => self.filtered_out += 1,
            Place::Unknown => self.unknown += 1,
            Place::Old => self.old += 1,
        }
        self.places.insert(incident.key.clone(), place);
        place
    }

    fn place(&mut self, incident: &Incident, choice: Choice<'_>, board: &Board, now: Timestamp) -> Place {
        let record = choice.record(incident, board, now);
        let turn = next_turn(choice.wanted, &record);
        self.expires_after(now, turn.map(|turn| turn.duration_since(record.now)));
        let by_age = incident.state.status == Status::Resolved && !choice.all_resolved;
        if by_age && !names_resolved(choice.wanted, &record) {
            let left = AFTERGLOW.saturating_sub(record.now.duration_since(incident.stamp.at));
            if !left.is_positive() {
                return Place::Old;
            }
            self.expires_after(now, Some(left));
        }
        match judge(choice.wanted, &record) {
            Truth::Yes => Place::Listed(rank(incident)),
            Truth::No => Place::FilteredOut,
            Truth::Perhaps => Place::Unknown,
        }
    }

    fn expires_after(&mut self, now: Timestamp, left: Option<SignedDuration>) {
        let Some(left) = left else { return };
        let expiry = now.checked_add(left).unwrap_or(Timestamp::MAX);
        self.next_expiry = Some(self.next_expiry.map_or(expiry, |known| known.min(expiry)));
    }
}

fn clocks(board: &Board) -> Vec<Option<SignedDuration>> {
    board.accounts.values().map(|known| known.account.skew).collect()
}

fn rank(incident: &Incident) -> Rank {
    let state = &incident.state;
    (state.status, Reverse(state.urgency), Reverse(state.created_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::{self, ago, board, incident, now};
    use crate::core::incident::Stamp;
    use crate::core::query::{Clock, incident::read};
    use proptest::prelude::*;

    /// What the query lists, with nothing known beside the board.
    struct Asking {
        wanted: Wanted,
        all_resolved: bool,
        marked: BTreeSet<IncidentKey>,
        noted: Noted,
        me: BTreeMap<AccountName, UserId>,
    }

    impl Asking {
        fn choice(&self) -> Choice<'_> {
            let Self { wanted, all_resolved, marked, noted, me } = self;
            Choice { wanted, all_resolved: *all_resolved, marked, noted, me }
        }
    }

    fn asking(query: &str) -> Asking {
        let clock = Clock { now: now(), zone: &fixtures::zone() };
        Asking {
            wanted: read(query, clock).expect(query),
            all_resolved: false,
            marked: BTreeSet::new(),
            noted: Noted::default(),
            me: BTreeMap::new(),
        }
    }

    fn numbers(rows: &Rows, board: &Board) -> Vec<u64> {
        rows.keys().iter().filter_map(|key| board.incidents[key].state.number).collect()
    }

    #[test]
    fn what_was_resolved_just_now_is_listed_though_the_clock_here_is_far_ahead() {
        let mut board = board();
        let mut rows = Rows::default();
        rows.rebuild(&board, asking("").choice(), now());
        let listed = rows.keys().to_vec();
        board.accounts.values_mut().for_each(|known| known.account.skew = Some(SignedDuration::from_mins(-10)));
        assert!(rows.has_expired(&board, now()), "the clocks are known to differ");

        rows.rebuild(&board, asking("").choice(), ago(-600));

        assert_eq!(rows.keys(), listed);
        assert!(!rows.has_expired(&board, ago(-600)));
    }

    #[test]
    fn triggered_before_acknowledged_before_resolved_high_before_low_newest_first() {
        let (mut rows, board) = (Rows::default(), board());
        rows.rebuild(&board, Asking { all_resolved: true, ..asking("") }.choice(), now());

        assert_eq!(numbers(&rows, &board), [1201, 1200, 1198, 1195, 1190, 1187, 1180]);
    }

    #[test]
    fn a_resolved_incident_leaves_the_list_after_ten_minutes_and_is_still_counted() {
        let mut board = Board::default();
        let mut done = incident("Q1", 1, Status::Resolved, "over", 600);
        done.stamp = Stamp::push(ago(0));
        board.incidents.insert(done.key.clone(), done);
        let mut rows = Rows::default();
        rows.rebuild(&board, asking("").choice(), now());
        assert_eq!((rows.keys().len(), rows.hidden_resolved()), (1, 0));
        assert!(!rows.has_expired(&board, ago(-599)));
        assert!(rows.has_expired(&board, ago(-600)));

        rows.rebuild(&board, asking("").choice(), ago(-600));

        assert_eq!((rows.keys().len(), rows.hidden_resolved()), (0, 1));
    }

    #[test]
    fn all_words_of_the_filter_must_occur_in_any_case() {
        let (mut rows, board) = (Rows::default(), board());
        let mut found = |text: &str| {
            rows.rebuild(&board, asking(text).choice(), now());
            (numbers(&rows, &board), rows.filtered_out())
        };
        assert_eq!(found("DISK"), (vec![1201], 5));
        assert_eq!(found("database okafor"), (vec![1190], 5));
        assert_eq!(found("#1200"), (vec![1200], 5));
        assert_eq!(found("q4queu"), (vec![1195], 5));
        assert_eq!(found("acknowledged"), (vec![1195, 1190], 4));
        assert_eq!(found("disk okafor"), (vec![], 6));
    }

    #[test]
    fn what_the_filter_asks_and_nobody_knows_is_counted_apart() {
        let (mut rows, board) = (Rows::default(), board());
        rows.rebuild(&board, asking("is:mine").choice(), now());
        assert_eq!((rows.keys().len(), rows.filtered_out(), rows.unknown()), (0, 1, 5));

        let me = [(fixtures::account_name(), fixtures::alice().id)].into();
        rows.rebuild(&board, Asking { me, ..asking("is:mine") }.choice(), now());
        assert_eq!((rows.keys().len(), rows.filtered_out(), rows.unknown()), (4, 2, 0));
    }

    #[test]
    fn whoever_asks_for_resolved_ones_gets_them_however_old() {
        let (mut rows, board) = (Rows::default(), board());

        rows.rebuild(&board, asking("status:resolved").choice(), now());

        assert_eq!((numbers(&rows, &board), rows.hidden_resolved()), (vec![1187, 1180], 0));
    }

    #[test]
    fn what_a_query_says_of_ages_comes_true_by_itself() {
        let (mut rows, board) = (Rows::default(), board());
        rows.rebuild(&board, asking("age:>5m is:triggered").choice(), now());
        assert_eq!(numbers(&rows, &board), [1200, 1198]);
        assert!(!rows.has_expired(&board, ago(-100)));

        assert!(rows.has_expired(&board, ago(-101)), "#1201 is 301 s old now");
        rows.rebuild(&board, asking("age:>5m is:triggered").choice(), ago(-101));
        assert_eq!(numbers(&rows, &board), [1201, 1200, 1198]);
    }

    const QUERIES: [&str; 7] =
        ["a", "!a", "is:open", "a or is:resolved", "age:>10m", "is:mine or has:note", "status:resolved age:<20m"];

    fn any_history() -> impl Strategy<Value = Vec<(u64, u8, bool, i64, bool)>> {
        prop::collection::vec((0..6u64, 0..3u8, any::<bool>(), 0..1500i64, any::<bool>()), 1..40)
    }

    fn seen(id: u64, status: u8, title: &str, age: i64) -> Incident {
        let status = [Status::Triggered, Status::Acknowledged, Status::Resolved][usize::from(status)];
        let mut seen = incident(&format!("Q{id}"), id, status, title, age);
        seen.state.assignees.clear();
        seen.state.service = None;
        seen.key.account = "x".parse().expect("name");
        seen
    }

    proptest! {
        #[test]
        fn change_by_change_gives_the_same_list_as_from_scratch(changes in any_history(), query in 0..QUERIES.len()) {
            let asking = asking(QUERIES[query]);
            let (mut board, mut rows) = (Board::default(), Rows::default());
            for (id, status, titled, age, forgotten) in changes {
                let seen = seen(id, status, if titled { "a" } else { "b" }, age);
                let key = seen.key.clone();
                if forgotten { board.incidents.remove(&key); } else { board.incidents.insert(key.clone(), seen); }
                rows.changed(&board, &key, asking.choice(), fixtures::now());
            }
            let mut fresh = Rows::default();
            fresh.rebuild(&board, asking.choice(), fixtures::now());
            prop_assert_eq!(rows.keys(), fresh.keys());
            prop_assert_eq!(
                (rows.filtered_out, rows.unknown, rows.old),
                (fresh.filtered_out, fresh.unknown, fresh.old)
            );
        }

        #[test]
        fn every_incident_is_listed_or_counted_and_no_open_one_is_hidden_by_its_age(
            history in any_history(), query in 0..QUERIES.len(), all_resolved in any::<bool>()
        ) {
            let mut board = Board::default();
            for (id, status, titled, age, _) in history {
                let seen = seen(id, status, if titled { "a" } else { "b" }, age * 1000);
                board.incidents.insert(seen.key.clone(), seen);
            }
            let mut rows = Rows::default();
            rows.rebuild(&board, Asking { all_resolved, ..asking(QUERIES[query]) }.choice(), fixtures::now());

            let counted = rows.keys().len() + rows.filtered_out() + rows.unknown() + rows.hidden_resolved();
            prop_assert_eq!(counted, board.incidents.len());
            let open = board.incidents.values().filter(|incident| incident.state.status.is_open());
            for incident in open {
                prop_assert!(rows.places.get(&incident.key) != Some(&Place::Old));
            }
            rows.rebuild(&board, asking("").choice(), fixtures::now());
            prop_assert!(board.incidents.values().all(|one| !one.state.status.is_open() || rows.lists(&one.key)));
        }
    }
}
