//! What the log is searched for. What is loaded is judged here, live; what is not, and what only the whole delivery
//! tells, by the server, which is asked when the query is entered, and further back on demand.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{State, log::Log};
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
/// Found deliveries kept; older ones are dropped, and the search ends there.
const KEPT: usize = 5000;
/// Older than any line.
const NONE: DeliveryId = DeliveryId(0);
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
    /// What the whole log would hold besides, and does not keep any more.
    pub let_go: Option<Shown>,
    /// From where the search goes on; `None`: from the newest.
    pub next: Option<DeliveryId>,
    /// The newest line up to which all is judged that only the server can judge, and when it was asked last.
    asked: Option<(DeliveryId, Timestamp)>,
    news: News,
}

/// What becomes of lines that came in since the server was asked.
#[derive(Debug, Clone, Copy, Default)]
enum News {
    #[default]
    Nothing,
    /// The server did not judge them; it is asked again after a while.
    Refused(Wait),
    /// The server judges those up to `newest`.
    Asked { wait: Wait, newest: DeliveryId },
    /// It found so many that there are more to come, older than `before`.
    Part { before: DeliveryId, newest: DeliveryId },
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
    /// So many were found that older ones are not kept.
    Full,
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

    /// Whether lines came in that the server would not judge.
    pub fn lacks_news(&self) -> bool {
        matches!(self.news, News::Refused(_))
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
            self.reach = Reach::Full;
        }
    }

    /// Takes in what the server found among the lines up to `newest`; from `next` on it did not look yet.
    fn judged(&mut self, lines: &[DeliverySummary], next: Option<DeliveryId>, newest: DeliveryId) {
        self.take(lines);
        let Some((asked, at)) = self.asked else { return };
        self.news = match next.filter(|next| *next > asked) {
            Some(before) => News::Part { before, newest },
            None => News::Nothing,
        };
        if matches!(self.news, News::Nothing) {
            self.asked = Some((newest, at));
        }
    }

    /// Whether lines may have come and gone between those the server was asked about and those that are loaded; or it is
    /// another log.
    fn is_cut_off(&self, log: &Log) -> bool {
        let Some((asked, _)) = self.asked else { return false };
        let newest = log.newest().unwrap_or(NONE);
        newest < asked || log.oldest().is_some_and(|oldest| asked < oldest)
    }

    /// Forgets what was found.
    pub(super) fn start_over(&mut self) {
        let Self { text, wanted, wrong, .. } = std::mem::take(self);
        *self = Self { text, wanted, wrong, ..Self::default() };
    }

    /// The link broke: what was asked will not be answered.
    pub(super) fn detached(&mut self) {
        if matches!(self.news, News::Asked { .. }) {
            self.news = News::Nothing;
        }
        if matches!(self.reach, Reach::Asked(_)) {
            self.reach = Reach::Failed(Shown::line("the link to the server broke"));
        }
    }
}

/// Asks the server to search, or to search further back; nothing while that is being done or is done.
pub(super) fn further(model: &mut Model) -> Vec<Effect> {
    let waiting = match &model.webhooks.hunt.reach {
        Reach::Asked(wait) => !wait.overdue(model.now),
        Reach::Whole | Reach::Full => true,
        Reach::Nowhere | Reach::Part | Reach::Failed(_) => false,
    };
    if waiting { vec![] } else { search(model, Wait::ask_aloud) }
}

/// Where what was found does not join what is loaded any more, the search begins again.
pub(super) fn rejoin(model: &mut Model) -> Vec<Effect> {
    let webhooks = &mut model.webhooks;
    if !webhooks.hunt.is_cut_off(&webhooks.log) {
        return vec![];
    }
    webhooks.hunt.start_over();
    search(model, Wait::ask)
}

fn search(model: &mut Model, ask: fn(&mut Model, Request) -> Option<(Wait, Effect)>) -> Vec<Effect> {
    let before = model.webhooks.hunt.next;
    let Some(request) = request(model, before).filter(|_| !model.webhooks.hunt.is_empty()) else { return vec![] };
    let Some((wait, effect)) = ask(model, request) else { return vec![] };
    let newest = model.webhooks.log.newest().unwrap_or(NONE);
    let (hunt, now) = (&mut model.webhooks.hunt, model.now);
    hunt.reach = Reach::Asked(wait);
    if before.is_none() {
        hunt.asked = Some((newest, now));
    }
    vec![effect]
}

/// Asks about lines that came in since the server was asked, and that only it can judge.
pub(super) fn news(model: &mut Model) -> Vec<Effect> {
    let hunt = &model.webhooks.hunt;
    let Some((asked, at)) = hunt.asked.filter(|_| !hunt.is_empty()) else { return vec![] };
    let (before, newest) = match hunt.news {
        News::Part { before, newest } => (Some(before), newest),
        News::Asked { wait, .. } | News::Refused(wait) if !wait.overdue(model.now) => return vec![],
        News::Asked { .. } | News::Refused(_) | News::Nothing => match unjudged(model, asked) {
            Some(newest) if model.now.duration_since(at).abs() >= PAUSE => (None, newest),
            _ => return vec![],
        },
    };
    let Some(request) = request(model, before) else { return vec![] };
    let Some((wait, effect)) = Wait::ask(model, request) else { return vec![] };
    let (hunt, now) = (&mut model.webhooks.hunt, model.now);
    hunt.news = News::Asked { wait, newest };
    hunt.asked = Some((asked, now));
    vec![effect]
}

/// The newest line, if only the server can judge some that came in after `asked`.
fn unjudged(model: &Model, asked: DeliveryId) -> Option<DeliveryId> {
    let State { hunt, log, .. } = &model.webhooks;
    let mut new = log.lines().iter().take_while(|line| line.id > asked);
    let any = new.any(|line| hunt.judge(line, super::number(model, line)) == Truth::Perhaps);
    log.newest().filter(|_| any)
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
    if let News::Asked { wait, newest } = hunt.news
        && wait.is(id)
    {
        match answer {
            Ok(Answer::Found { deliveries, next, .. }) => hunt.judged(deliveries, *next, newest),
            _ => hunt.news = News::Refused(wait),
        }
        return true;
    }
    if !matches!(&hunt.reach, Reach::Asked(wait) if wait.is(id)) {
        return false;
    }
    hunt.reach = match answer {
        Ok(Answer::Found { next: None, .. }) => Reach::Whole,
        Ok(Answer::Found { .. }) => Reach::Part,
        other => Reach::Failed(super::why(other)),
    };
    if let Ok(Answer::Found { deliveries, next, let_go }) = answer {
        hunt.let_go.clone_from(let_go);
        hunt.next = next.or(hunt.next);
        hunt.take(deliveries);
    }
    true
}
