//! Which incidents are listed, and in which order. Kept up to date change by change, so that a key costs
//! the same with ten thousand incidents as with ten.
//!
//! Order: triggered, acknowledged, resolved; within these high urgency first; within these newest first.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};

use crate::core::{
    board::Board,
    id::IncidentKey,
    incident::{Incident, Status, Urgency},
    text::Shown,
};

/// A resolved incident stays listed for so long, so that one sees how it ended.
const AFTERGLOW: SignedDuration = SignedDuration::from_mins(10);

/// What is to be listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Lower-case words that must all occur.
    pub(super) words: Vec<String>,
    pub(super) all_resolved: bool,
}

/// Why an incident is listed, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Listed,
    FilteredOut,
    /// Resolved for longer than [`AFTERGLOW`].
    Old,
}

/// The listed incidents, and how many are not listed for which reason.
#[derive(Debug, Default)]
pub struct Rows {
    keys: Vec<IncidentKey>,
    places: BTreeMap<IncidentKey, Place>,
    filtered_out: usize,
    old: usize,
    /// When the next resolved one has been listed for long enough.
    next_expiry: Option<Timestamp>,
    /// How far the clock was from each provider's when that was worked out.
    clocks: Vec<Option<SignedDuration>>,
}

impl Rows {
    pub fn keys(&self) -> &[IncidentKey] {
        &self.keys
    }

    pub fn lists(&self, key: &IncidentKey) -> bool {
        self.places.get(key) == Some(&Place::Listed)
    }

    /// Would be listed, if the filter let them.
    pub fn filtered_out(&self) -> usize {
        self.filtered_out
    }

    /// Resolved ones that are not listed.
    pub fn hidden_resolved(&self) -> usize {
        self.old
    }

    pub(super) fn rebuild(&mut self, board: &Board, choice: &Choice, now: Timestamp) {
        *self = Self { clocks: clocks(board), ..Self::default() };
        let mut listed = vec![];
        for incident in board.incidents.values() {
            if self.put(incident, choice, board, now) == Place::Listed {
                listed.push(incident);
            }
        }
        listed.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        self.keys = listed.into_iter().map(|incident| incident.key.clone()).collect();
    }

    /// One incident is new, changed or forgotten.
    pub(super) fn changed(&mut self, board: &Board, key: &IncidentKey, choice: &Choice, now: Timestamp) {
        self.take_out(key);
        let Some(incident) = board.incidents.get(key) else { return };
        if self.put(incident, choice, board, now) == Place::Listed {
            let before =
                |key: &IncidentKey| board.incidents.get(key).is_some_and(|known| order(known) < order(incident));
            let at = self.keys.partition_point(before);
            self.keys.insert(at, key.clone());
        }
    }

    /// Whether what is listed is so no more, though no incident changed.
    pub(super) fn has_expired(&self, board: &Board, now: Timestamp) -> bool {
        self.next_expiry.is_some_and(|at| at <= now) || self.clocks != clocks(board)
    }

    fn take_out(&mut self, key: &IncidentKey) {
        match self.places.remove(key) {
            Some(Place::Listed) => self.keys.retain(|known| known != key),
            Some(Place::FilteredOut) => self.filtered_out -= 1,
            Some(Place::Old) => self.old -= 1,
            None => {}
        }
    }

    fn put(&mut self, incident: &Incident, choice: &Choice, board: &Board, now: Timestamp) -> Place {
        let place = self.place(incident, choice, board, now);
        match place {
            Place::Listed => {}
            Place::FilteredOut => self.filtered_out += 1,
            Place::Old => self.old += 1,
        }
        self.places.insert(incident.key.clone(), place);
        place
    }

    fn place(&mut self, incident: &Incident, choice: &Choice, board: &Board, now: Timestamp) -> Place {
        if incident.state.status == Status::Resolved && !choice.all_resolved {
            let theirs = board.provider_time(&incident.key.account, now);
            let left = AFTERGLOW.saturating_sub(theirs.duration_since(incident.stamp.at));
            if !left.is_positive() {
                return Place::Old;
            }
            let expiry = now.checked_add(left).unwrap_or(Timestamp::MAX);
            self.next_expiry = Some(self.next_expiry.map_or(expiry, |known| known.min(expiry)));
        }
        if matches(incident, &choice.words) { Place::Listed } else { Place::FilteredOut }
    }
}

fn clocks(board: &Board) -> Vec<Option<SignedDuration>> {
    board.accounts.values().map(|known| known.account.skew).collect()
}

fn order(incident: &Incident) -> (Status, Reverse<Urgency>, Reverse<Timestamp>, &IncidentKey) {
    let state = &incident.state;
    (state.status, Reverse(state.urgency), Reverse(state.created_at), &incident.key)
}

/// Whether all `words` occur in what the row and the detail say about the incident.
fn matches(incident: &Incident, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let state = &incident.state;
    let number = state.number.map(|n| format!("#{n}")).unwrap_or_default();
    let mut text: Vec<&str> = vec![state.title.as_str(), state.status.word(), &number];
    text.extend([incident.key.id.as_str(), incident.key.account.as_str()]);
    text.extend(state.service.iter().map(|service| service.name.as_str()));
    text.extend(state.assignees.iter().map(|user| user.name.as_str()));
    text.extend(state.priority.iter().map(Shown::as_str));
    text.extend(incident.is_unconfirmed().then_some("unsigned"));
    let text = text.join("\n").to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::{self, ago, board, incident, now};
    use crate::core::incident::Stamp;
    use proptest::prelude::*;

    fn numbers(rows: &Rows, board: &Board) -> Vec<u64> {
        rows.keys().iter().filter_map(|key| board.incidents[key].state.number).collect()
    }

    #[test]
    fn what_was_resolved_just_now_is_listed_though_the_clock_here_is_far_ahead() {
        let mut board = board();
        let mut rows = Rows::default();
        rows.rebuild(&board, &Choice::default(), now());
        let listed = rows.keys().to_vec();
        board.accounts.values_mut().for_each(|known| known.account.skew = Some(SignedDuration::from_mins(-10)));
        assert!(rows.has_expired(&board, now()), "the clocks are known to differ");

        rows.rebuild(&board, &Choice::default(), ago(-600));

        assert_eq!(rows.keys(), listed);
        assert!(!rows.has_expired(&board, ago(-600)));
    }

    #[test]
    fn triggered_before_acknowledged_before_resolved_high_before_low_newest_first() {
        let (mut rows, board) = (Rows::default(), board());
        rows.rebuild(&board, &Choice { all_resolved: true, ..Choice::default() }, now());

        assert_eq!(numbers(&rows, &board), [1201, 1200, 1198, 1195, 1190, 1187, 1180]);
    }

    #[test]
    fn a_resolved_incident_leaves_the_list_after_ten_minutes_and_is_still_counted() {
        let mut board = Board::default();
        let mut done = incident("Q1", 1, Status::Resolved, "over", 600);
        done.stamp = Stamp::push(ago(0));
        board.incidents.insert(done.key.clone(), done);
        let mut rows = Rows::default();
        rows.rebuild(&board, &Choice::default(), now());
        assert_eq!((rows.keys().len(), rows.hidden_resolved()), (1, 0));
        assert!(!rows.has_expired(&board, ago(-599)));
        assert!(rows.has_expired(&board, ago(-600)));

        rows.rebuild(&board, &Choice::default(), ago(-600));

        assert_eq!((rows.keys().len(), rows.hidden_resolved()), (0, 1));
    }

    #[test]
    fn all_words_of_the_filter_must_occur_in_any_case() {
        let (mut rows, board) = (Rows::default(), board());
        let mut found = |text: &str| {
            let words = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
            rows.rebuild(&board, &Choice { words, all_resolved: false }, now());
            (numbers(&rows, &board), rows.filtered_out())
        };
        assert_eq!(found("DISK"), (vec![1201], 5));
        assert_eq!(found("database okafor"), (vec![1190], 5));
        assert_eq!(found("#1200"), (vec![1200], 5));
        assert_eq!(found("q4queu"), (vec![1195], 5));
        assert_eq!(found("acknowledged"), (vec![1195, 1190], 4));
        assert_eq!(found("disk okafor"), (vec![], 6));
    }

    proptest! {
        #[test]
        fn change_by_change_gives_the_same_list_as_from_scratch(
            changes in prop::collection::vec((0..6u64, 0..3u8, any::<bool>(), 0..1500i64, any::<bool>()), 1..40)
        ) {
            let choice = Choice { words: vec!["a".into()], all_resolved: false };
            let (mut board, mut rows) = (Board::default(), Rows::default());
            for (id, status, titled, age, forgotten) in changes {
                let status = [Status::Triggered, Status::Acknowledged, Status::Resolved][usize::from(status)];
                let title = if titled { "a" } else { "b" };
                let mut seen = incident(&format!("Q{id}"), id, status, title, age);
                seen.state.assignees.clear();
                seen.state.service = None;
                seen.key.account = "x".parse().expect("name");
                let key = seen.key.clone();
                if forgotten { board.incidents.remove(&key); } else { board.incidents.insert(key.clone(), seen); }
                rows.changed(&board, &key, &choice, fixtures::now());
            }
            let mut fresh = Rows::default();
            fresh.rebuild(&board, &choice, fixtures::now());
            prop_assert_eq!(rows.keys(), fresh.keys());
            prop_assert_eq!((rows.filtered_out, rows.old), (fresh.filtered_out, fresh.old));
        }
    }
}
