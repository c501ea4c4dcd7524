//! Choosing what a test sends: a made-up event, or one that a delivery of the log told of.

use crate::{
    app::{
        Effect, Model, filter,
        list::{Cursor, Step},
    },
    core::{
        delivery::{DeliverySummary, Direction, Verdict},
        id::{DeliveryId, TargetName},
        keys::{Chord, Key},
        text::Shown,
    },
};

use super::asking::{self, Wish};

/// Lines above the choices.
pub const TITLE: u16 = 2;

/// The open list of what can be sent.
#[derive(Debug)]
pub struct Trial {
    pub target: TargetName,
    pub cursor: Cursor<Option<DeliveryId>>,
}

/// What can be sent: the made-up event, and what came in about incidents, newest first. Made anew each time, so that what comes
/// in is there; the hand stays where it is.
pub fn choices(model: &Model) -> Vec<Option<&DeliverySummary>> {
    let fits = |line: &&DeliverySummary| {
        let told = matches!(line.verdict, Verdict::Accepted | Verdict::Duplicate);
        line.direction == Direction::Incoming && told && line.incident.is_some()
    };
    std::iter::once(None).chain(model.board.deliveries.iter().filter(fits).map(Some)).collect()
}

fn ids(model: &Model) -> Vec<Option<DeliveryId>> {
    choices(model).into_iter().map(|choice| choice.map(|line| line.id)).collect()
}

/// Opens the list, with the made-up event at hand.
pub(super) fn open(model: &mut Model, target: TargetName) {
    let mut cursor = Cursor::default();
    cursor.select(Some(None));
    model.targets.trial = Some(Trial { target, cursor });
    settle(model);
}

/// A key while it is open.
pub(super) fn press(model: &mut Model, trial: Trial, chord: Chord) -> Vec<Effect> {
    let step = match chord.key {
        Key::Esc | Key::Char('q') => return vec![],
        Key::Enter => {
            return match trial.cursor.selected().copied() {
                Some(delivery) => asking::send(model, Wish::Test { target: trial.target, delivery }),
                None => keep(model, trial),
            };
        }
        Key::Down | Key::Char('j') => Step::Down,
        Key::Up | Key::Char('k') => Step::Up,
        Key::PageDown => Step::PageDown,
        Key::PageUp => Step::PageUp,
        Key::Home | Key::Char('g') => Step::Top,
        Key::End | Key::Char('G') => Step::Bottom,
        _ => return keep(model, trial),
    };
    let (ids, height) = (ids(model), height(model));
    let mut trial = trial;
    trial.cursor.step(step, &ids, height);
    keep(model, trial)
}

fn keep(model: &mut Model, trial: Trial) -> Vec<Effect> {
    model.targets.trial = Some(trial);
    vec![]
}

pub(super) fn settle(model: &mut Model) {
    if model.targets.trial.is_none() {
        return;
    }
    let (ids, height) = (ids(model), height(model));
    if let Some(trial) = &mut model.targets.trial {
        trial.cursor.settle(&ids, height);
    }
}

fn height(model: &Model) -> usize {
    filter::body(model).height.saturating_sub(TITLE).into()
}

/// A choice in words.
pub fn words(choice: Option<&DeliverySummary>) -> String {
    let Some(line) = choice else { return "a made-up incident that was triggered".to_owned() };
    let kind = line.event_type.as_ref().map_or("an event", Shown::as_str);
    let subject = line.subject.as_ref().map_or("", Shown::as_str);
    format!("{} {kind} {subject}", line.id)
}
