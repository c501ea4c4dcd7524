//! One delivery, opened: read, turned to one of its sides, scrolled, copied, replayed.

use super::{
    at_hand,
    detail::{self, Side},
    select_newest, settle, why,
};
use crate::{
    app::{
        Effect, Model, NoticeKind, filter, incidents,
        list::{self, Step},
        prompt::{Ask, Prompt},
        targets::{self, asking::Wish},
        wait::Wait,
    },
    core::{
        curl,
        delivery::{DeliverySummary, DeliveryView},
        id::DeliveryId,
        text::Shown,
    },
    proto::{Answer, Request, RequestId},
};

/// More than this no terminal takes onto its clipboard.
const COPIED: usize = 48 * 1024;

/// A delivery that was opened.
#[derive(Debug)]
pub struct Opened {
    pub summary: DeliverySummary,
    pub reading: Reading,
    pub side: Side,
    /// Raw bytes one by one; `None`: only where they are no text.
    pub hex: Option<bool>,
    /// Lines scrolled by.
    pub scroll: usize,
    /// The width for which the lines were counted, and how many they are.
    measured: Option<(usize, usize)>,
    /// It is to be copied as soon as it is read.
    copy: bool,
}

#[derive(Debug)]
pub enum Reading {
    Asked(Wait),
    Read(Box<DeliveryView>),
    Failed(Shown),
}

impl Opened {
    /// Whether the bytes are shown one by one.
    pub fn in_hex(&self) -> bool {
        let is_text = |view: &DeliveryView| std::str::from_utf8(&view.raw.0).is_ok();
        self.hex.unwrap_or_else(|| matches!(&self.reading, Reading::Read(view) if !is_text(view)))
    }

    /// Another text is shown.
    fn turned(&mut self) {
        (self.measured, self.scroll) = (None, 0);
    }
}

/// Opens the selected delivery; on an opened one that could not be read, asks again.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let summary = if let Some(opened) = &model.webhooks.open {
        match &opened.reading {
            Reading::Asked(wait) if !wait.overdue(model.now) => None,
            Reading::Read(_) => None,
            Reading::Asked(_) | Reading::Failed(_) => Some(opened.summary.clone()),
        }
    } else {
        select_newest(model);
        at_hand(model).cloned()
    };
    summary.map(|summary| read(model, summary)).unwrap_or_default()
}

fn read(model: &mut Model, summary: DeliverySummary) -> Vec<Effect> {
    let Some((wait, effect)) = Wait::ask_aloud(model, Request::Delivery { id: summary.id }) else { return vec![] };
    let (side, hex) = model.webhooks.open.as_ref().map(|opened| (opened.side, opened.hex)).unwrap_or_default();
    let reading = Reading::Asked(wait);
    model.webhooks.open = Some(Opened { summary, reading, side, hex, scroll: 0, measured: None, copy: false });
    let mut effects = vec![effect];
    effects.extend(settle(model));
    effects
}

/// An answer; `None`: not one that is waited for here.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    if let Some((_, delivery)) = model.webhooks.replaying.take_if(|(wait, _)| wait.is(id)) {
        match answer {
            Ok(Answer::Replayed { changed, .. }) => {
                model.say(NoticeKind::Good, &format!("delivery {delivery} applied again: {changed}"));
            }
            other => model.say(NoticeKind::Bad, &format!("delivery {delivery} was not replayed: {}", why(other))),
        }
        return Some(vec![]);
    }
    let waits = |open: &&mut Opened| matches!(&open.reading, Reading::Asked(wait) if wait.is(id));
    let opened = model.webhooks.open.as_mut().filter(waits)?;
    opened.measured = None;
    opened.reading = match answer {
        Ok(Answer::Delivery { delivery }) => Reading::Read(delivery.clone()),
        other => Reading::Failed(why(other)),
    };
    let mut effects = settle(model);
    if model.webhooks.open.as_mut().is_some_and(|opened| std::mem::take(&mut opened.copy)) {
        effects.extend(copy(model));
    }
    Some(effects)
}

/// The link broke: what was asked will not be answered.
pub(super) fn detached(model: &mut Model) {
    if let Some((_, delivery)) = model.webhooks.replaying.take() {
        model.say(NoticeKind::Bad, &format!("the link broke: whether delivery {delivery} was applied is not known"));
    }
    let opened = model.webhooks.open.as_mut();
    if let Some(opened) = opened.filter(|opened| matches!(opened.reading, Reading::Asked(_))) {
        opened.reading = Reading::Failed(Shown::line("the link to the server broke"));
        opened.measured = None;
    }
}

/// Turns the opened delivery to another side; opens it first.
pub(super) fn turn(model: &mut Model, side: Side) -> Vec<Effect> {
    let effects = if model.webhooks.open.is_none() { open(model) } else { vec![] };
    if let Some(opened) = &mut model.webhooks.open {
        opened.side = side;
        opened.turned();
    }
    scroll(model, None);
    effects
}

/// Shows the raw bytes as text, or one by one.
pub(super) fn toggle_hex(model: &mut Model) -> Vec<Effect> {
    let in_hex = model.webhooks.open.as_ref().is_some_and(|opened| opened.side == Side::Raw && opened.in_hex());
    let effects = turn(model, Side::Raw);
    if let Some(opened) = &mut model.webhooks.open {
        opened.hex = Some(!in_hex);
    }
    scroll(model, None);
    effects
}

/// Moves within the opened delivery, and keeps the place within its text.
pub(super) fn scroll(model: &mut Model, by: Option<Step>) {
    let body = filter::body(model);
    let (width, height) = (usize::from(body.width), usize::from(body.height.saturating_sub(detail::TITLE)));
    let Some(opened) = &model.webhooks.open else { return };
    let lines = match opened.measured {
        Some((at, lines)) if at == width => lines,
        _ => detail::page(model, opened, width).lines.len(),
    };
    if let Some(opened) = &mut model.webhooks.open {
        opened.measured = Some((width, lines));
        opened.scroll = match by {
            Some(by) => list::scroll(opened.scroll, by, lines, height),
            None => opened.scroll.min(lines.saturating_sub(height)),
        };
    }
}

/// What is known of the opened delivery may be more by now: what it changed.
pub(super) fn refresh(model: &mut Model) {
    let Some(opened) = &model.webhooks.open else { return };
    let known = model.webhooks.log.get(opened.summary.id).filter(|line| **line != opened.summary).cloned();
    if let (Some(known), Some(opened)) = (known, &mut model.webhooks.open) {
        if let Reading::Read(view) = &mut opened.reading {
            view.summary = known.clone();
        }
        opened.summary = known;
        opened.measured = None;
    }
}

/// Asks whether to apply the opened or selected delivery again, or to send it again if it went out; or says why that
/// cannot be.
pub(super) fn begin_replay(model: &mut Model) {
    select_newest(model);
    let Some(delivery) = at_hand(model).cloned() else {
        return model.say(NoticeKind::Bad, "there is no delivery to replay");
    };
    if let Some(target) = delivery.target.clone() {
        drop(targets::ask(model, Wish::Resend { target, delivery: delivery.id }));
        return;
    }
    let refused = incidents::may_act(model, &[], None).err().or_else(|| {
        let under_way = model.webhooks.replaying.as_ref().is_some_and(|(wait, _)| !wait.overdue(model.now));
        let reason = delivery.cannot_be_replayed().or(under_way.then_some("another one is being replayed"));
        reason.map(|reason| format!("delivery {}: {reason}", delivery.id))
    });
    match refused {
        Some(reason) => model.say(NoticeKind::Bad, &reason),
        None => model.prompt = Some(Prompt { aims: vec![], left_out: vec![], ask: Ask::Replay(Box::new(delivery)) }),
    }
}

/// Has a delivery applied again.
pub(in crate::app) fn replay(model: &mut Model, id: DeliveryId) -> Vec<Effect> {
    let Some((wait, effect)) = Wait::ask_aloud(model, Request::Replay { id }) else { return vec![] };
    model.webhooks.replaying = Some((wait, id));
    model.say(NoticeKind::Working, &format!("replaying delivery {id} …"));
    vec![effect]
}

/// Copies a curl command for the opened or selected delivery; reads it first.
pub(super) fn copy(model: &mut Model) -> Vec<Effect> {
    if model.webhooks.open.is_none() {
        let effects = open(model);
        if let Some(opened) = &mut model.webhooks.open {
            opened.copy = true;
        }
        return effects;
    }
    let Some(opened) = &mut model.webhooks.open else { return vec![] };
    let command = match &opened.reading {
        Reading::Read(view) => curl_of(view, model.board.door.address()),
        Reading::Asked(wait) if !wait.overdue(model.now) => {
            opened.copy = true;
            return vec![];
        }
        Reading::Asked(_) | Reading::Failed(_) => Err("it was not read; enter asks again".to_owned()),
    };
    match command {
        Ok(command) => {
            model.say(NoticeKind::Good, "a curl command that sends it again is copied, if the terminal allows it");
            vec![Effect::Copy(command)]
        }
        Err(reason) => {
            model.say(NoticeKind::Bad, &format!("nothing copied: {reason}"));
            vec![]
        }
    }
}

fn curl_of(view: &DeliveryView, door: Option<&str>) -> Result<String, String> {
    let (id, kept) = (view.summary.id, u64::try_from(view.raw.0.len()).unwrap_or(u64::MAX));
    if kept < view.summary.size {
        return Err(format!("only {kept} of its {} bytes are here", view.summary.size));
    }
    let headers: Vec<_> =
        view.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned())).collect();
    let command = curl::command(door, &view.summary, &headers, &view.raw.0, &[]);
    if command.len() > COPIED {
        return Err(format!("too large for a clipboard; `dogwatch delivery export {id} --curl` prints it"));
    }
    Ok(command)
}
