//! The webhook log as far as it was read: what the board holds, and the older pages asked for. Always one
//! stretch without holes, newest first, each delivery once.

use std::collections::VecDeque;

use crate::core::{delivery::DeliverySummary, id::DeliveryId};

/// Lines kept; the oldest are dropped, and asked for again when they are wanted.
const LIMIT: usize = 5000;

#[derive(Debug, Default)]
pub struct Log {
    lines: VecDeque<DeliverySummary>,
}

impl Log {
    pub fn lines(&self) -> &VecDeque<DeliverySummary> {
        &self.lines
    }

    pub fn newest(&self) -> Option<DeliveryId> {
        self.lines.front().map(|line| line.id)
    }

    pub fn oldest(&self) -> Option<DeliveryId> {
        self.lines.back().map(|line| line.id)
    }

    pub fn get(&self, id: DeliveryId) -> Option<&DeliverySummary> {
        self.lines.get(self.place(id)).filter(|line| line.id == id)
    }

    fn place(&self, id: DeliveryId) -> usize {
        self.lines.partition_point(|line| line.id > id)
    }

    /// Whether there is room for no older line.
    pub fn is_full(&self) -> bool {
        self.lines.len() >= LIMIT
    }

    /// Takes over what the board holds: always the newest lines. Says whether older ones were dropped.
    pub(super) fn follow(&mut self, board: &VecDeque<DeliverySummary>) -> bool {
        let newest = board.front().map(|line| line.id);
        let is_another = self.newest() > newest;
        // Single lines may be known of a stretch that is not: what counts is where the board ends.
        let hole = match (self.oldest(), board.back().map(|line| line.id)) {
            (Some(known), Some(oldest)) => known < oldest && self.get(oldest).is_none(),
            _ => false,
        };
        if is_another || hole {
            self.lines.clear();
        }
        for line in board {
            self.put(line);
        }
        self.cut() || is_another || hole
    }

    /// Takes over a line that has just been told. Says whether older ones were dropped.
    pub(super) fn take(&mut self, line: &DeliverySummary, board: &VecDeque<DeliverySummary>) -> bool {
        let held = board.binary_search_by(|held| line.id.cmp(&held.id)).is_ok();
        // One that is too old for the board may be missing here, or stand behind a hole; what is known of it is newer.
        let missing = self.oldest().is_some_and(|oldest| oldest < line.id) && self.get(line.id).is_none();
        if held || missing {
            self.put(line);
        }
        self.cut()
    }

    fn cut(&mut self) -> bool {
        let too_long = self.lines.len() > LIMIT;
        self.lines.truncate(LIMIT);
        too_long
    }

    /// Adds an older page, as far as it joins what is known: `before` is what was asked.
    pub(super) fn append(&mut self, before: DeliveryId, page: &[DeliverySummary]) {
        if self.oldest() != Some(before) {
            return;
        }
        for line in page.iter().take(LIMIT.saturating_sub(self.lines.len())) {
            self.put(line);
        }
    }

    fn put(&mut self, line: &DeliverySummary) {
        let at = self.place(line.id);
        match self.lines.get_mut(at) {
            Some(known) if known == line => {}
            Some(known) if known.id == line.id => *known = line.clone(),
            _ => self.lines.insert(at, line.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        app::fixtures::delivery,
        core::{
            board::{Board, Change},
            delivery::Verdict,
        },
    };

    fn board(ids: impl Iterator<Item = i64>) -> VecDeque<DeliverySummary> {
        ids.map(|id| delivery(id, 10, Verdict::Accepted, "incident.triggered")).collect()
    }

    fn ids(log: &Log) -> Vec<i64> {
        log.lines.iter().map(|line| line.id.0).collect()
    }

    #[test]
    fn lines_that_leave_the_board_stay_in_the_log() {
        let mut log = Log::default();
        log.follow(&board((1..=3).rev()));
        log.follow(&board((2..=4).rev()));
        assert_eq!(ids(&log), [4, 3, 2, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn line_by_line_gives_the_same_log_as_following_the_whole_board(numbers in prop::collection::vec(1..40_i64, 1..60)) {
            let put = |held: &mut Board, id: i64, ago: i64| {
                let line = delivery(id, ago, Verdict::Accepted, "incident.triggered");
                held.apply(&Change::Delivery(Box::new(line.clone())));
                line
            };
            let (mut held, mut by_line, mut followed) = (Board::default(), Log::default(), Log::default());
            (1..=500).for_each(|id| drop(put(&mut held, id, 1)));
            by_line.follow(&held.deliveries);
            followed.follow(&held.deliveries);

            for (ago, number) in (2..).zip(numbers) {
                let line = put(&mut held, 480 + number, ago);
                by_line.take(&line, &held.deliveries);
                followed.follow(&held.deliveries);
            }

            prop_assert_eq!(by_line.lines, followed.lines);
        }
    }

    /// How deliveries come to a console.
    #[derive(Debug, Clone, Copy)]
    enum Way {
        OneByOne,
        /// In a fresh snapshot.
        Together,
        /// The newest before all others, which come in a fresh snapshot.
        NewestFirst,
        /// The same, but those come one by one.
        NewestBefore,
        /// As a page of older ones.
        Older,
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_log_is_one_stretch_without_holes(
            steps in prop::collection::vec((
                prop::sample::select(vec![Way::OneByOne, Way::Together, Way::NewestFirst, Way::NewestBefore, Way::Older]),
                1..800_i64,
            ), 1..10),
        ) {
            let (mut held, mut log, mut last) = (Board::default(), Log::default(), 0);
            for (way, lines) in steps {
                let (first, new) = (last + 1, last + lines);
                let mut arrive = |id: i64, log: Option<&mut Log>| {
                    let line = delivery(id, 10, Verdict::Accepted, "incident.triggered");
                    held.apply(&Change::Delivery(Box::new(line.clone())));
                    log.map(|log| log.take(&line, &held.deliveries));
                };
                if matches!(way, Way::NewestFirst | Way::NewestBefore) {
                    arrive(new, Some(&mut log));
                }
                match way {
                    Way::OneByOne | Way::NewestBefore => (first..=new).for_each(|id| arrive(id, Some(&mut log))),
                    Way::Together | Way::NewestFirst => (first..=new).for_each(|id| arrive(id, None)),
                    Way::Older => {
                        let before = log.oldest().unwrap_or(DeliveryId(1));
                        log.append(before, board((1.max(before.0 - lines)..before.0).rev()).make_contiguous());
                    }
                }
                last = if matches!(way, Way::Older) { last } else { new };
                log.follow(&held.deliveries);

                prop_assert_eq!(log.newest().map_or(0, |id| id.0), last);
                prop_assert!(ids(&log).windows(2).all(|two| two[0] == two[1] + 1), "{:?}", ids(&log));
            }
        }
    }

    #[test]
    fn a_line_that_is_too_old_for_the_board_is_not_put_behind_a_hole() {
        let held = board([900, 899].into_iter());
        let mut log = Log::default();
        log.follow(&held);
        log.take(&board([3].into_iter())[0], &held);
        assert_eq!(ids(&log), [900, 899]);
    }

    #[test]
    fn older_pages_join_once_and_only_where_they_belong() {
        let mut log = Log::default();
        log.follow(&board([9, 8].into_iter()));
        let page: Vec<_> = board([8, 7, 6].into_iter()).into();

        log.append(DeliveryId(8), &page);
        log.append(DeliveryId(8), &page);
        assert_eq!(ids(&log), [9, 8, 7, 6]);
    }

    #[test]
    fn after_a_long_absence_nothing_is_shown_across_the_hole() {
        let mut log = Log::default();
        log.follow(&board([3, 2].into_iter()));
        assert!(log.follow(&board([900, 899].into_iter())));
        assert_eq!(ids(&log), [900, 899]);
    }

    #[test]
    fn a_single_line_that_is_known_does_not_hide_the_hole_behind_it() {
        let mut log = Log::default();
        log.follow(&board([950, 3, 2].into_iter()));
        assert!(log.follow(&board((900..=960).rev())));
        assert_eq!(ids(&log), (900..=960).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_line_that_was_missing_is_put_in_its_place_however_old() {
        let held = board([900, 899].into_iter());
        let mut log = Log::default();
        log.follow(&board([899, 5].into_iter()));
        log.follow(&held);
        log.take(&board([7].into_iter())[0], &held);
        assert_eq!(ids(&log), [900, 899, 7, 5]);
    }

    #[test]
    fn another_log_replaces_this_one() {
        let mut log = Log::default();
        log.follow(&board([9, 8].into_iter()));
        log.follow(&board([1].into_iter()));
        assert_eq!(ids(&log), [1]);
        log.follow(&board([].into_iter()));
        assert_eq!(ids(&log), Vec::<i64>::new());
    }
}
