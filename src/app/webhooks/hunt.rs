//! What the log is searched for. What is loaded is judged here, live; what is not, and what only the whole delivery
//! tells, by the server, which is asked when the query is entered, and further back on demand.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{Effect, Model, wait::Wait},
    core::{
        delivery::DeliverySummary,
        id::DeliveryId,
        query::{
            self, BadQuery, Clock, Truth,
            delivery::{Record, Wanted, judge},
            incident::before_last_word,
        },
        text::Shown,
    },
    proto::{Answer, Request, RequestId},
};

/// Found deliveries asked for at a time.
const PAGE: u32 = 200;
/// Found deliveries kept; the oldest are dropped, and the search ends there.
const KEPT: usize = 5000;
/// The shortest time between two questions about what came in.
const PAUSE: SignedDuration = SignedDuration::from_secs(2);

/// A query, and what the server found by it.
#[derive(Debug, Default)]
pub struct Hunt {
    /// What was typed, as far as it was understood.
    text: String,
    /// What that means now.
    wanted: Wanted,
    /// What is wrong with what stands there by now.
    pub wrong: Option<BadQuery>,
    found: BTreeMap<DeliveryId, DeliverySummary>,
    pub reach: Reach,
    /// From where the search goes on; `None`: from the newest.
    pub next: Option<DeliveryId>,
    /// The newest line that the server was asked about, and when.
    asked: Option<(DeliveryId, Timestamp)>,
    /// The open question about what came in since.
    news: Option<Wait>,
}

/// How far back the server has searched.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// It was not asked yet.
    #[default]
    Nowhere,
    Asked(Wait),
    /// As far as [`Hunt::next`].
    Part,
    /// To the beginning of the log.
    Whole,
    Failed(Shown),
}

impl Hunt {
    /// Whether everything is meant.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Takes `text` in. While its last word is not understood, what stands before it holds; where that is not
    /// understood either, what held before goes on to hold.
    pub(super) fn read(&mut self, text: &str, clock: Clock<'_>) {
        let wrong = match query::delivery::read(text, clock) {
            Ok(wanted) => {
                self.hold(text, wanted);
                None
            }
            Err(wrong) => {
                let before = before_last_word(text);
                if let Ok(wanted) = query::delivery::read(before, clock) {
                    self.hold(before, wanted);
                }
                Some(wrong)
            }
        };
        self.wrong = wrong;
    }

    /// What the server found is kept while the same is asked for.
    fn hold(&mut self, text: &str, wanted: Wanted) {
        let text = text.trim_end();
        if text == self.text {
            self.wanted = wanted;
        } else {
            *self = Self { text: text.to_owned(), wanted, ..Self::default() };
        }
    }

    pub(super) fn found(&self, id: DeliveryId) -> Option<&DeliverySummary> {
        self.found.get(&id)
    }

    /// Found ones older than `before`, newest first.
    pub(super) fn older(&self, before: Option<DeliveryId>) -> impl Iterator<Item = &DeliverySummary> {
        let end = before.unwrap_or(DeliveryId(i64::MAX));
        self.found.range(..end).rev().map(|(_, line)| line)
    }

    /// Whether `line` is wanted, as far as it can be told by now. `number` is its incident's.
    pub(super) fn admits(&self, line: &DeliverySummary, number: Option<u64>) -> bool {
        match self.judge(line, number) {
            Truth::Yes => true,
            Truth::Perhaps => self.found.contains_key(&line.id),
            Truth::No => false,
        }
    }

    pub(super) fn judge(&self, line: &DeliverySummary, number: Option<u64>) -> Truth {
        judge(&self.wanted, &Record { line, number })
    }

    fn take(&mut self, lines: &[DeliverySummary]) {
        self.found.extend(lines.iter().map(|line| (line.id, line.clone())));
        while self.found.len() > KEPT {
            self.found.pop_first();
        }
    }

    /// The link broke: what was asked will not be answered.
    pub(super) fn detached(&mut self) {
        self.news = None;
        if matches!(self.reach, Reach::Asked(_)) {
            self.reach = Reach::Failed(Shown::line("the link to the server broke"));
        }
    }
}

/// Asks the server to search, or to search further back; nothing while that is being done or is done.
pub(super) fn further(model: &mut Model) -> Vec<Effect> {
    let hunt = &model.webhooks.hunt;
    let waiting = match &hunt.reach {
        Reach::Asked(wait) => !wait.overdue(model.now),
        Reach::Whole => true,
        Reach::Nowhere | Reach::Part | Reach::Failed(_) => false,
    };
    if waiting || hunt.is_empty() {
        return vec![];
    }
    let before = hunt.next;
    let Some(request) = request(model, before) else { return vec![] };
    let newest = model.webhooks.log.newest();
    let Some((wait, effect)) = Wait::ask_aloud(model, request) else { return vec![] };
    let (hunt, now) = (&mut model.webhooks.hunt, model.now);
    hunt.reach = Reach::Asked(wait);
    if before.is_none() {
        hunt.asked = newest.map(|id| (id, now));
    }
    vec![effect]
}

/// Asks about lines that came in since the server was asked, and that only it can judge.
pub(super) fn news(model: &mut Model) -> Vec<Effect> {
    let hunt = &model.webhooks.hunt;
    let Some((asked, at)) = hunt.asked else { return vec![] };
    let waiting = hunt.news.is_some_and(|wait| !wait.overdue(model.now));
    if waiting || model.now.duration_since(at).abs() < PAUSE || hunt.is_empty() {
        return vec![];
    }
    let mut new = model.webhooks.log.lines().iter().take_while(|line| line.id > asked);
    if !new.any(|line| hunt.judge(line, super::number(model, line)) == Truth::Perhaps) {
        return vec![];
    }
    let Some(request) = request(model, None) else { return vec![] };
    let newest = model.webhooks.log.newest();
    let Some((wait, effect)) = Wait::ask(model, request) else { return vec![] };
    let (hunt, now) = (&mut model.webhooks.hunt, model.now);
    hunt.news = Some(wait);
    hunt.asked = newest.map(|id| (id, now));
    vec![effect]
}

/// The query as the server gets it: with moments in place of times ago, as they are told here.
fn request(model: &Model, before: Option<DeliveryId>) -> Option<Request> {
    let query = query::parse(&model.webhooks.hunt.text).ok()?;
    let query = query::delivery::fixed(&query, clock(model)).ok()?.to_string();
    Some(Request::SearchDeliveries { query, before, limit: PAGE })
}

pub(crate) fn clock(model: &Model) -> Clock<'_> {
    Clock { now: model.now, zone: &model.zone }
}

/// An answer; `false`: not one that is waited for here.
pub(super) fn answered(hunt: &mut Hunt, id: RequestId, answer: &Result<Answer, String>) -> bool {
    if hunt.news.take_if(|wait| wait.is(id)).is_some() {
        if let Ok(Answer::Found { deliveries, .. }) = answer {
            hunt.take(deliveries);
        }
        return true;
    }
    if !matches!(&hunt.reach, Reach::Asked(wait) if wait.is(id)) {
        return false;
    }
    hunt.reach = match answer {
        Ok(Answer::Found { deliveries, next }) => {
            hunt.take(deliveries);
            hunt.next = next.or(hunt.next);
            let full = hunt.found.len() >= KEPT;
            if next.is_none() || full { Reach::Whole } else { Reach::Part }
        }
        other => Reach::Failed(super::why(other)),
    };
    true
}
