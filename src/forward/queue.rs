//! What waits for one target: for each incident in order, different incidents side by side.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    core::id::IncidentKey,
    store::{ForwardId, Queued},
};

/// No pause before an attempt is longer.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(2);
/// A clock on the wall that lost so much was set back.
const SET_BACK: SignedDuration = SignedDuration::from_mins(1);

/// The queue of a target. The front of an incident's line is ready, waits for its time, or is under way.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: BTreeMap<IncidentKey, VecDeque<Queued>>,
    ready: BTreeMap<ForwardId, IncidentKey>,
    later: BTreeMap<(Timestamp, ForwardId), IncidentKey>,
    length: usize,
    /// The last that was taken in.
    last: ForwardId,
    /// When it was last looked through, by the clock on the wall and by one that nobody sets.
    looked: Option<(Timestamp, Instant)>,
}

/// A time further ahead than any pause is one of before the clock was set back.
fn is_due(due: Timestamp, now: Timestamp) -> bool {
    due <= now || due.duration_since(now) > LONGEST_PAUSE
}

impl Queue {
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Up to where it is filled.
    pub(super) fn last(&self) -> ForwardId {
        self.last
    }

    pub(super) fn push(&mut self, waiting: Queued) {
        self.last = self.last.max(waiting.id);
        let line = self.lines.entry(waiting.incident.clone()).or_default();
        if line.front().is_some_and(|front| front.id == waiting.id) {
            // Under way since before the queue was emptied.
            return;
        }
        self.length += 1;
        if line.is_empty() {
            self.ready.insert(waiting.id, waiting.incident.clone());
        }
        line.push_back(waiting);
    }

    /// The first that may be sent at `now`, which is `steady` by a clock that nobody sets. Its incident waits until it is
    /// [`done`](Self::done) or put [`back`](Self::again).
    pub(super) fn next(&mut self, now: Timestamp, steady: Instant) -> Option<Queued> {
        self.keep_time(now, steady);
        while let Some(((due, id), key)) = self.later.first_key_value() {
            if !is_due(*due, now) {
                break;
            }
            self.ready.insert(*id, key.clone());
            self.later.pop_first();
        }
        while let Some((_, key)) = self.ready.pop_first() {
            let Some(front) = self.lines.get(&key).and_then(VecDeque::front) else { continue };
            if front.attempts == 0 || is_due(front.due, now) {
                return Some(front.clone());
            }
            self.later.insert((front.due, front.id), key);
        }
        None
    }

    /// Where the clock on the wall was set back, nothing waits longer for that.
    fn keep_time(&mut self, now: Timestamp, steady: Instant) {
        let Some((then, since)) = self.looked.replace((now, steady)) else { return };
        let passed = SignedDuration::try_from(steady.duration_since(since)).unwrap_or_default();
        let back = then.duration_since(now).saturating_add(passed);
        if back < SET_BACK {
            return;
        }
        for ((due, id), key) in mem::take(&mut self.later) {
            let due = due.checked_sub(back).unwrap_or(due);
            if let Some(front) = self.lines.get_mut(&key).and_then(VecDeque::front_mut) {
                front.due = due;
            }
            self.later.insert((due, id), key);
        }
    }

    /// When the next one is due that is not yet.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((due, _), _)| *due)
    }

    /// It is through; nothing happens if it does not wait any more.
    pub(super) fn done(&mut self, one: &Queued) {
        let Some(line) = self.line_of(one) else { return };
        line.pop_front();
        let next = line.front().map(|front| front.id);
        self.length -= 1;
        match next {
            Some(id) => drop(self.ready.insert(id, one.incident.clone())),
            None => drop(self.lines.remove(&one.incident)),
        }
    }

    /// It is tried again; nothing happens if it does not wait any more.
    pub(super) fn again(&mut self, one: &Queued, attempts: u32, due: Timestamp) {
        let Some(front) = self.line_of(one).and_then(VecDeque::front_mut) else { return };
        (front.attempts, front.due, front.begun) = (attempts, due, None);
        self.later.insert((due, one.id), one.incident.clone());
    }

    /// The line that it is in front of.
    fn line_of(&mut self, one: &Queued) -> Option<&mut VecDeque<Queued>> {
        self.lines.get_mut(&one.incident).filter(|line| line.front().is_some_and(|front| front.id == one.id))
    }

    /// Nothing waits any more but behind what is under way; it is to be filled from the beginning.
    pub(super) fn clear(&mut self) {
        let idle: BTreeSet<ForwardId> =
            self.ready.keys().copied().chain(self.later.keys().map(|(_, id)| *id)).collect();
        self.lines.retain(|_, line| {
            line.truncate(1);
            line.front().is_some_and(|front| !idle.contains(&front.id))
        });
        *self = Self { length: self.lines.len(), lines: mem::take(&mut self.lines), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("small")
    }

    fn key(id: &str) -> IncidentKey {
        IncidentKey { account: "prod".parse().expect("id"), id: id.parse().expect("id") }
    }

    fn waiting(id: i64, incident: &str) -> Queued {
        let id = ForwardId(id);
        Queued { id, event: format!("E{id}"), incident: key(incident), attempts: 0, begun: None, due: second(0) }
    }

    fn next(queue: &mut Queue, now: i64) -> Option<i64> {
        queue.next(second(now), Instant::now()).map(|waiting| waiting.id.0)
    }

    #[test]
    fn t48_one_incident_keeps_its_order_and_others_do_not_wait_for_it() {
        let mut queue = Queue::default();
        for one in [waiting(1, "A"), waiting(2, "A"), waiting(3, "B"), waiting(4, "A")] {
            queue.push(one);
        }

        assert_eq!((next(&mut queue, 1), next(&mut queue, 1), next(&mut queue, 1)), (Some(1), Some(3), None));
        queue.done(&waiting(1, "A"));
        assert_eq!((next(&mut queue, 1), next(&mut queue, 1)), (Some(2), None));
        queue.done(&waiting(3, "B"));
        queue.done(&waiting(2, "A"));
        assert_eq!((next(&mut queue, 1), queue.length()), (Some(4), 1));
    }

    #[test]
    fn what_is_tried_again_is_waited_for_by_its_incident_alone() {
        let mut queue = Queue::default();
        for one in [waiting(1, "A"), waiting(2, "A"), waiting(3, "B")] {
            queue.push(one);
        }
        assert_eq!(next(&mut queue, 1), Some(1));

        queue.again(&waiting(1, "A"), 1, second(60));

        assert_eq!((next(&mut queue, 59), next(&mut queue, 59)), (Some(3), None));
        assert_eq!(queue.next_due(), Some(second(60)));
        let again = queue.next(second(60), Instant::now()).expect("due");
        assert_eq!((again.id.0, again.attempts), (1, 1));
    }

    #[test]
    fn what_was_to_wait_in_an_earlier_run_waits_on() {
        let mut queue = Queue::default();
        queue.push(Queued { due: second(60), attempts: 1, ..waiting(1, "A") });

        assert_eq!((next(&mut queue, 59), queue.next_due(), next(&mut queue, 61)), (None, Some(second(60)), Some(1)));
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up() {
        let mut queue = Queue::default();
        queue.push(Queued { due: second(90_000), ..waiting(1, "A") });
        queue.push(Queued { due: second(90_000), attempts: 1, ..waiting(2, "B") });

        assert_eq!((next(&mut queue, 1), next(&mut queue, 1)), (Some(1), Some(2)));
    }

    #[test]
    fn a_clock_that_is_set_back_half_an_hour_lengthens_no_pause() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        let next = |queue: &mut Queue, now: i64, passed: u64| {
            let steady = start + Duration::from_secs(passed);
            queue.next(second(now), steady).map(|waiting| waiting.id.0)
        };
        queue.push(waiting(1, "A"));
        assert_eq!(next(&mut queue, 10_000, 0), Some(1));
        queue.again(&waiting(1, "A"), 1, second(10_060));

        assert_eq!((next(&mut queue, 8_205, 5), next(&mut queue, 8_259, 59)), (None, None));

        assert_eq!(queue.next_due(), Some(second(8_260)));
        assert_eq!(next(&mut queue, 8_260, 60), Some(1));
    }

    #[test]
    fn a_queue_that_is_emptied_is_filled_anew_behind_what_is_under_way() {
        let mut queue = Queue::default();
        let all = [waiting(1, "A"), waiting(2, "A"), waiting(3, "B"), waiting(4, "C")];
        all.iter().cloned().for_each(|one| queue.push(one));
        assert_eq!((next(&mut queue, 1), next(&mut queue, 1), next(&mut queue, 1)), (Some(1), Some(3), Some(4)));
        queue.again(&waiting(4, "C"), 1, second(60));

        queue.clear();
        assert_eq!((queue.length(), queue.last(), next(&mut queue, 61)), (2, ForwardId(0), None));
        all.iter().cloned().for_each(|one| queue.push(one));
        assert_eq!((queue.length(), queue.last()), (4, ForwardId(4)));

        assert_eq!((next(&mut queue, 61), next(&mut queue, 61)), (Some(4), None));
        queue.again(&waiting(1, "A"), 1, second(70));
        assert_eq!((next(&mut queue, 71), next(&mut queue, 71)), (Some(1), None));
        queue.done(&waiting(1, "A"));
        queue.done(&waiting(3, "B"));
        assert_eq!((next(&mut queue, 71), next(&mut queue, 71), queue.length()), (Some(2), None, 2));
    }
}
