//! On what the preview is rendered: the built-in sample, or a delivery that really came in.

use crate::{
    app::{
        Model,
        filter::Filter,
        list::{Cursor, Step},
    },
    core::{
        delivery::{DeliverySummary, Direction, Verdict},
        id::DeliveryId,
        keys::{Chord, Key},
        text::Shown,
    },
};

/// What the preview is rendered on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    #[default]
    Sample,
    Delivery(Box<DeliverySummary>),
}

/// Which source, whatever else is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceId {
    Sample,
    Delivery(DeliveryId),
}

impl Source {
    pub fn id(&self) -> SourceId {
        match self {
            Self::Sample => SourceId::Sample,
            Self::Delivery(line) => SourceId::Delivery(line.id),
        }
    }

    /// The delivery as a request names it.
    pub(super) fn delivery(&self) -> Option<DeliveryId> {
        match self {
            Self::Sample => None,
            Self::Delivery(line) => Some(line.id),
        }
    }
}

/// The list from which a source is chosen. Typed text filters it.
#[derive(Debug, Default)]
pub struct Pick {
    pub cursor: Cursor<SourceId>,
    pub filter: Filter,
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
        pick.cursor.select(Some(source.id()));
        pick
    }

    /// The sample, and the deliveries that came in and were understood, newest first.
    pub fn rows(&self, model: &Model) -> Vec<Source> {
        let words = self.filter.words();
        let sample = words.admit(&["built-in sample"]).then_some(Source::Sample);
        let admits = |line: &&DeliverySummary| {
            let subject = line.subject.as_ref().map_or("", Shown::as_str);
            line.direction == Direction::Incoming
                && line.verdict == Verdict::Accepted
                && words.admit(&[line.event_type.as_ref().map_or("", Shown::as_str), subject])
        };
        let lines = model.webhooks.log.lines().iter().filter(admits);
        sample.into_iter().chain(lines.map(|line| Source::Delivery(Box::new(line.clone())))).collect()
    }

    pub(super) fn settle(&mut self, model: &Model, height: usize) {
        let ids: Vec<_> = self.rows(model).iter().map(Source::id).collect();
        self.cursor.settle(&ids, height);
    }

    pub(super) fn take(&mut self, model: &Model, chord: Chord, height: usize) -> Picked {
        let rows = self.rows(model);
        let step = match chord.key {
            Key::Esc => return Picked::Closed,
            Key::Enter => {
                let held = self.cursor.selected();
                let source = rows.into_iter().find(|source| Some(&source.id()) == held);
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
                self.settle(model, height);
                let ids: Vec<_> = self.rows(model).iter().map(Source::id).collect();
                self.cursor.select_first_if_none(&ids);
                return Picked::Open;
            }
        };
        let ids: Vec<_> = rows.iter().map(Source::id).collect();
        self.cursor.step(step, &ids, height);
        Picked::Open
    }
}
