//! The API log: what was asked of the providers, newest first, over whatever view is open. While nothing is selected
//! the top is followed; a selection stays on its call whatever comes in above.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

use super::{
    Effect, Model, geometry,
    list::{Cursor, Step},
    wait::Wait,
};
use crate::{
    core::{
        call::{ApiCall, Budget},
        id::AccountName,
        text::Shown,
    },
    proto::{Answer, Request, RequestId},
};

/// Calls asked for at a time, and kept here.
const PAGE: u32 = 500;
/// Between two questions.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// The open log.
#[derive(Debug, Default)]
pub struct Calls {
    /// Newest first.
    lines: VecDeque<ApiCall>,
    pub budgets: Vec<(AccountName, Budget)>,
    pub cursor: Cursor<u64>,
    /// Why the last question was not answered.
    pub failure: Option<Shown>,
    /// The newest line when the top was last followed.
    seen: u64,
    waiting: Option<Wait>,
    asked_at: Option<Timestamp>,
}

impl Calls {
    pub fn lines(&self) -> &VecDeque<ApiCall> {
        &self.lines
    }

    /// Whether an answer came at all.
    pub fn is_known(&self) -> bool {
        self.asked_at.is_some() && (self.waiting.is_none() || !self.lines.is_empty())
    }

    pub fn selected(&self) -> Option<&ApiCall> {
        let number = self.cursor.selected()?;
        self.lines.iter().find(|call| call.number == *number)
    }

    /// How many came in above since the top was last followed.
    pub fn news(&self) -> usize {
        self.lines.iter().take_while(|call| call.number > self.seen).count()
    }

    fn follows(&self) -> bool {
        self.cursor.selected().is_none() && self.cursor.offset() == 0
    }

    fn take(&mut self, new: &[ApiCall]) {
        if u32::try_from(new.len()).is_ok_and(|new| new >= PAGE) {
            // There may be a hole before what is known.
            self.lines.clear();
        }
        let newest = self.lines.front().map_or(0, |call| call.number);
        new.iter().rev().filter(|call| call.number > newest).for_each(|call| self.lines.push_front(call.clone()));
        self.lines.truncate(PAGE.try_into().unwrap_or(usize::MAX));
    }
}

/// The parts of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Areas {
    pub title: Rect,
    /// What is left of each account's limit.
    pub budgets: Rect,
    pub heading: Rect,
    pub rows: Rect,
    /// All of the selected call.
    pub whole: Rect,
}

/// Lines for the selected call.
const WHOLE: u16 = 4;

pub fn areas(calls: &Calls, body: Rect) -> Areas {
    use ratatui::layout::{
        Constraint::{Fill, Length},
        Layout,
    };
    let most = (body.height / 4).max(1);
    let budgets = u16::try_from(calls.budgets.len()).unwrap_or(u16::MAX).min(most);
    let whole = if calls.cursor.selected().is_some() { WHOLE.min(body.height / 2) } else { 0 };
    let parts = [Length(1), Length(budgets), Length(1), Fill(1), Length(whole)];
    let [title, budgets, heading, rows, whole] = Layout::vertical(parts).areas(body);
    Areas { title, budgets, heading, rows, whole }
}

pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    model.calls = Some(Calls::default());
    ask(model)
}

fn ask(model: &mut Model) -> Vec<Effect> {
    let Some(calls) = &model.calls else { return vec![] };
    let after = calls.lines.front().map_or(0, |call| call.number);
    let asked = Wait::ask(model, Request::ApiLog { after, limit: PAGE });
    let now = model.now;
    let Some(calls) = &mut model.calls else { return vec![] };
    if asked.is_some() {
        calls.asked_at = Some(now);
    }
    let (wait, effect) = asked.unzip();
    calls.waiting = wait;
    effect.into_iter().collect()
}

/// Time has passed: there may be more.
pub(super) fn ticked(model: &mut Model) -> Vec<Effect> {
    let Some(calls) = &model.calls else { return vec![] };
    let now = model.now;
    let due = calls.asked_at.is_none_or(|at| now.duration_since(at).abs() >= PAUSE);
    let waits = calls.waiting.is_some_and(|wait| !wait.overdue(now));
    if due && !waits { ask(model) } else { vec![] }
}

/// The link stands anew, perhaps to another server, which counts its calls from the start.
pub(super) fn attached(model: &mut Model) -> Vec<Effect> {
    if model.calls.is_some() { open(model) } else { vec![] }
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let calls = model.calls.as_mut()?;
    calls.waiting.take_if(|wait| wait.is(id))?;
    calls.failure = match answer {
        Ok(Answer::ApiLog { calls: new, budgets }) => {
            calls.take(new);
            calls.budgets.clone_from(budgets);
            None
        }
        Ok(_) => Some(Shown::line("the server answered something else")),
        Err(reason) => Some(Shown::line(reason)),
    };
    settle(model);
    Some(vec![])
}

/// Lines or sizes changed.
pub(super) fn settle(model: &mut Model) {
    step(model, None);
}

/// Moves, or with `None` only keeps the place valid. To the top means to follow again.
pub(super) fn step(model: &mut Model, step: Option<Step>) {
    let body = geometry::areas(Rect::new(0, 0, model.size.0, model.size.1)).body;
    let Some(calls) = &mut model.calls else { return };
    let rows: Vec<u64> = calls.lines.iter().map(|call| call.number).collect();
    let height = |calls: &Calls| usize::from(areas(calls, body).rows.height);
    match step {
        Some(Step::Top) => calls.cursor = Cursor::default(),
        Some(step) => calls.cursor.step(step, &rows, height(calls)),
        None => {}
    }
    // The first selection takes room for the call's lines.
    calls.cursor.settle(&rows, height(calls));
    if calls.follows() {
        calls.seen = rows.first().copied().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{
        Event, View,
        fixtures::{answer, call, model, now, press, requests},
        update,
    };

    fn told(model: &mut Model, effects: &[Effect], numbers: std::ops::RangeInclusive<u64>) {
        let calls = numbers.rev().map(call).collect();
        answer(model, effects, Ok(Answer::ApiLog { calls, budgets: vec![] }));
    }

    fn numbers(model: &Model) -> Vec<u64> {
        model.calls.as_ref().expect("open").lines.iter().map(|call| call.number).collect()
    }

    fn later(model: &mut Model, seconds: i64) -> Vec<Effect> {
        let at = model.now + SignedDuration::from_secs(seconds);
        update(model, Event::Ticked(at))
    }

    #[test]
    fn the_api_log_opens_from_every_view_and_esc_leads_back() {
        for view in View::ALL {
            let mut model = model(80, 24);
            model.view = view;
            let asked = press(&mut model, "L");
            assert_eq!(requests(&asked)[0].1, Request::ApiLog { after: 0, limit: PAGE });

            press(&mut model, "esc");

            assert!(model.calls.is_none());
            assert_eq!(model.view, view);
        }
    }

    #[test]
    fn it_asks_each_second_for_what_is_new_and_never_twice_at_once() {
        let mut model = model(80, 24);
        let asked = press(&mut model, "L");
        assert_eq!(requests(&later(&mut model, 2)), [], "the first answer is still under way");
        told(&mut model, &asked, 1..=3);
        assert_eq!(requests(&update(&mut model, Event::Ticked(now()))), [], "too soon");

        let asked = later(&mut model, 1);
        assert_eq!(requests(&asked)[0].1, Request::ApiLog { after: 3, limit: PAGE });
        told(&mut model, &asked, 4..=5);

        assert_eq!(numbers(&model), [5, 4, 3, 2, 1]);
    }

    #[test]
    fn who_scrolled_stays_where_they_are_and_sees_how_many_came_until_g_follows_again() {
        let mut model = model(80, 24);
        let asked = press(&mut model, "L");
        told(&mut model, &asked, 1..=50);
        press(&mut model, "j j");
        let asked = later(&mut model, 1);
        told(&mut model, &asked, 51..=57);

        let calls = model.calls.as_ref().expect("open");
        assert_eq!((calls.selected().map(|call| call.number), calls.news()), (Some(49), 7));
        press(&mut model, "g");

        let calls = model.calls.as_ref().expect("open");
        assert_eq!((calls.selected(), calls.cursor.offset(), calls.news()), (None, 0, 0));
    }

    #[test]
    fn after_a_hole_and_after_another_server_nothing_old_is_shown() {
        let mut model = model(80, 24);
        let asked = press(&mut model, "L");
        told(&mut model, &asked, 1..=3);
        let asked = later(&mut model, 1);
        told(&mut model, &asked, 900..=1399);
        assert_eq!(numbers(&model).last(), Some(&900));

        let (board, access) = (Box::new(model.board.clone()), model.access.clone());
        let asked = update(&mut model, Event::Attached { board, access, role: crate::app::Role::Attached });
        let asked: Vec<_> =
            asked.into_iter().filter(|e| matches!(e, Effect::Send { request: Request::ApiLog { .. }, .. })).collect();
        told(&mut model, &asked, 1..=2);

        assert_eq!(numbers(&model), [2, 1]);
    }

    #[test]
    fn l_is_a_letter_while_something_is_typed_and_other_views_close_the_log() {
        let mut model = model(80, 24);
        press(&mut model, "/ L");
        assert!(model.calls.is_none());

        press(&mut model, "esc L 3");
        assert!(model.calls.is_none());
        assert_eq!(model.view, View::Webhooks);
    }
}
