//! On what a preview is rendered, or what a test sends: a delivery that really came in, found among all that are logged,
//! or a sample.

use std::collections::BTreeMap;

use super::{
    Effect, Model,
    filter::Filter,
    list::{Cursor, Step},
    templates,
    wait::Wait,
    webhooks::hunt::clock,
};
use crate::{
    core::{
        delivery::{DeliverySummary, Direction, Verdict},
        id::DeliveryId,
        keys::{Chord, Key},
        query::{
            self, BadQuery, Truth,
            delivery::{Record, Wanted, judge},
        },
        template::{SAMPLES, Subject, USUAL_SAMPLE},
        text::Shown,
    },
    proto::{Answer, Request, RequestId},
};

/// Deliveries asked for.
const PAGE: u32 = 200;

/// A delivery or a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The sample of this event type.
    Sample(&'static str),
    Delivery(Box<DeliverySummary>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Sample(USUAL_SAMPLE)
    }
}

impl Source {
    /// As a request names it.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Sample(event_type) => Subject::Sample((*event_type).to_owned()),
            Self::Delivery(line) => Subject::Delivery(line.id),
        }
    }
}

/// What one is chosen for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Purpose {
    #[default]
    Preview,
    /// A target can be told of incidents alone.
    Test,
}

/// The list from which a source is chosen. Typed text is a query for deliveries, as in the webhooks view: judged here
/// over those that are loaded, and by the server over all.
#[derive(Debug, Default)]
pub struct Pick {
    pub cursor: Cursor<Subject>,
    pub filter: Filter,
    purpose: Purpose,
    /// What is wrong with the query.
    pub wrong: Option<BadQuery>,
    wanted: Wanted,
    found: BTreeMap<DeliveryId, DeliverySummary>,
    /// The query that the server was asked last.
    searched: String,
    search: Option<Wait>,
    /// Why it did not answer.
    pub failed: Option<Shown>,
}

/// What became of a key in the list.
pub(super) enum Picked {
    /// The list stays open.
    Open,
    Closed,
    Source(Source),
}

impl Pick {
    pub(super) fn at(source: &Source) -> Self {
        let mut pick = Self::default();
        pick.filter.open();
        // From a sample, the newest delivery is what one goes to.
        pick.cursor.select(Some(source.subject()).filter(|subject| matches!(subject, Subject::Delivery(_))));
        pick.cursor.hold();
        pick
    }

    /// What a test may send; a made-up incident that was triggered stands first, and is at hand.
    pub(super) fn for_a_test() -> Self {
        let mut pick = Self { purpose: Purpose::Test, ..Self::default() };
        pick.filter.open();
        pick.cursor.select(Some(Subject::default()));
        pick
    }

    /// Whether the server is looking.
    pub fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// The deliveries that came in and were understood, newest first, and the samples.
    pub fn rows(&self, model: &Model) -> Vec<Source> {
        let words = self.filter.words();
        let mut deliveries: BTreeMap<DeliveryId, &DeliverySummary> = BTreeMap::new();
        if self.filter.is_set() {
            deliveries.extend(self.found.values().map(|line| (line.id, line)));
        }
        deliveries.extend(model.webhooks.log.lines().iter().map(|line| (line.id, line)));
        let deliveries = deliveries.into_values().rev().filter(|line| self.admits(model, line));
        let deliveries = deliveries.map(|line| Source::Delivery(Box::new(line.clone())));
        let samples =
            SAMPLES.iter().filter(|event_type| words.admit(&["sample", event_type]) && self.offers(event_type));
        let (first, samples): (Vec<_>, Vec<_>) = samples.partition(|event_type| self.stands_first(event_type));
        let sample = |event_type: &'static str| Source::Sample(event_type);
        first
            .into_iter()
            .copied()
            .map(sample)
            .chain(deliveries)
            .chain(samples.into_iter().copied().map(sample))
            .collect()
    }

    fn offers(&self, event_type: &str) -> bool {
        self.purpose == Purpose::Preview || event_type.starts_with("incident.")
    }

    fn stands_first(&self, event_type: &str) -> bool {
        self.purpose == Purpose::Test && event_type == USUAL_SAMPLE
    }

    fn admits(&self, model: &Model, line: &DeliverySummary) -> bool {
        if line.direction != Direction::Incoming || line.verdict != Verdict::Accepted {
            return false;
        }
        if self.purpose == Purpose::Test && line.incident.is_none() {
            return false;
        }
        let number = line.incident.as_ref().and_then(|key| model.board.incidents.get(key)?.state.number);
        match judge(&self.wanted, &Record { line, number }) {
            Truth::Yes => true,
            Truth::Perhaps => self.searched == self.filter.as_str().trim() && self.found.contains_key(&line.id),
            Truth::No => false,
        }
    }

    pub(super) fn settle(&mut self, model: &mut Model, height: usize) -> Vec<Effect> {
        self.read(model);
        let effects = self.search(model);
        self.place(model, height);
        effects
    }

    fn place(&mut self, model: &Model, height: usize) {
        let subjects: Vec<_> = self.rows(model).iter().map(Source::subject).collect();
        self.cursor.settle(&subjects, height);
        self.cursor.hold_first_if_none(&subjects);
    }

    /// Takes in what is typed. What cannot be understood changes nothing but what is said about it.
    fn read(&mut self, model: &Model) {
        match query::delivery::read(self.filter.as_str(), clock(model)) {
            Ok(wanted) => (self.wanted, self.wrong) = (wanted, None),
            Err(wrong) => self.wrong = Some(wrong),
        }
    }

    /// Asks the server, when something else is typed than it was asked and no answer is waited for.
    fn search(&mut self, model: &mut Model) -> Vec<Effect> {
        self.search.take_if(|wait| wait.overdue(model.now));
        let text = self.filter.as_str().trim();
        if text.is_empty() || self.wrong.is_some() || self.search.is_some() || text == self.searched {
            return vec![];
        }
        let Ok(query) = query::parse(text) else { return vec![] };
        let Ok(query) = query::delivery::fixed(&query, clock(model)) else { return vec![] };
        let request = Request::SearchDeliveries { query: query.to_string(), before: None, limit: PAGE };
        let Some((wait, effect)) = Wait::ask(model, request) else { return vec![] };
        text.clone_into(&mut self.searched);
        self.search = Some(wait);
        vec![effect]
    }

    /// An answer; `false`: none that is waited for here.
    pub(super) fn answered(&mut self, id: RequestId, answer: &Result<Answer, String>) -> bool {
        if self.search.take_if(|wait| wait.is(id)).is_none() {
            return false;
        }
        match answer {
            Ok(Answer::Found { deliveries, .. }) => {
                self.failed = None;
                self.found = deliveries.iter().map(|line| (line.id, line.clone())).collect();
            }
            other => self.failed = Some(Shown::line(templates::why(other))),
        }
        true
    }

    /// What was asked will not be answered.
    pub(super) fn detached(&mut self) {
        if self.search.take().is_some() {
            self.searched.clear();
        }
    }

    pub(super) fn take(&mut self, model: &Model, chord: Chord, height: usize) -> Picked {
        let step = match chord.key {
            Key::Esc => return Picked::Closed,
            Key::Enter => {
                let held = self.cursor.selected();
                let source = self.rows(model).into_iter().find(|source| Some(&source.subject()) == held);
                return source.map_or(Picked::Open, Picked::Source);
            }
            Key::Down => Step::Down,
            Key::Up => Step::Up,
            Key::PageDown => Step::PageDown,
            Key::PageUp => Step::PageUp,
            Key::Home => Step::Top,
            Key::End => Step::Bottom,
            _ => {
                self.filter.take(chord);
                self.read(model);
                self.place(model, height);
                return Picked::Open;
            }
        };
        let subjects: Vec<_> = self.rows(model).iter().map(Source::subject).collect();
        self.cursor.step(step, &subjects, height);
        Picked::Open
    }
}
