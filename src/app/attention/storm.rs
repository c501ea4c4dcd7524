//! More at once than anybody can read one by one.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::core::{incident::Incident, text::Shown};

/// Arrivals are counted over this.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// A storm is over when it was no more for so long: it comes in gusts.
const LULL: SignedDuration = SignedDuration::from_mins(5);
/// Arrivals that are remembered; more than can be read in a minute.
const MOST: usize = 20_000;

/// What arrived lately, and whether it is a storm.
#[derive(Debug, Default)]
pub struct Storm {
    arrivals: VecDeque<(Timestamp, Shown)>,
    /// When there were too many last, while the storm lasts.
    last: Option<Timestamp>,
}

impl Storm {
    pub fn is_on(&self) -> bool {
        self.last.is_some()
    }

    /// When it is over at the latest, if nothing more comes.
    pub fn ends(&self) -> Option<Timestamp> {
        self.last.map(|last| last.checked_add(LULL).unwrap_or(last))
    }

    /// How many arrived within the last minute.
    pub fn in_a_minute(&self) -> usize {
        self.arrivals.len()
    }

    /// The services that called within the last minute, most calls first.
    pub(super) fn services(&self) -> Vec<(&Shown, usize)> {
        let mut counts: Vec<(&Shown, usize)> = vec![];
        for (_, service) in &self.arrivals {
            match counts.iter_mut().find(|(known, _)| *known == service) {
                Some((_, count)) => *count += 1,
                None => counts.push((service, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// What is listed can be read at once: the storm is over when nothing came for a minute.
    pub(super) fn can_be_read(&mut self) {
        self.last.take_if(|_| self.arrivals.is_empty());
    }

    pub(super) fn arrived(&mut self, incident: &Incident, limit: Option<usize>, now: Timestamp) {
        let service = incident.state.service.as_ref();
        let service = service.map_or_else(|| Shown::line("no service"), |service| service.name.clone());
        self.arrivals.push_back((now, service));
        self.ticked(now);
        if limit.is_some_and(|limit| self.arrivals.len() > limit) {
            self.last = Some(now);
        }
    }

    /// The clock may be set in either direction.
    pub(super) fn ticked(&mut self, now: Timestamp) {
        let is_past = |at: Timestamp, length: SignedDuration| now.duration_since(at).abs() >= length;
        while self.arrivals.len() > MOST || self.arrivals.front().is_some_and(|(at, _)| is_past(*at, WINDOW)) {
            self.arrivals.pop_front();
        }
        self.last.take_if(|last| is_past(*last, LULL));
    }
}
