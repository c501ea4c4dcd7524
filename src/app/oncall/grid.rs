//! The grid: one schedule by week (days down, hours across), or all schedules on one day. A letter stands for each
//! person, a small one where an override put them there; nobody, not known and a change within the hour have signs.

use jiff::{Span as Distance, Timestamp, civil::Date};

use crate::{
    app::{
        Effect, Model,
        keys::Action,
        list::{self, Step},
        page::{Piece, Tone},
        wait::Wait,
    },
    core::{
        board::AccountBoard,
        id::{AccountName, ScheduleId, UserId},
        incident::Named,
        oncall::Schedule,
        rota::grid::{Cell, Day, day, days},
        span::Span,
        text::{Shown, columns, fit},
        words,
    },
    proto::{Answer, Request, RequestId},
};

use super::lines::Place;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All schedules, one day.
    Day,
    /// One schedule, seven days.
    Week,
}

/// An open grid.
#[derive(Debug)]
pub struct Grid {
    pub extent: Extent,
    account: AccountName,
    schedule: Named<ScheduleId>,
    /// The day, or the first of the week.
    first: Date,
    /// First line shown.
    pub offset: usize,
    waiting: Option<Wait>,
    /// The shifts of another week than the board has, and when they came.
    fetched: Option<(Schedule, Timestamp)>,
    /// They may be others by now: they are asked for again, and shown meanwhile.
    outdated: bool,
    failure: Option<Shown>,
}

impl Grid {
    pub(super) fn account(&self) -> &AccountName {
        &self.account
    }
}

/// Days of a week.
const WEEK: usize = 7;
/// From this width on an hour has two cells.
const WIDE: u16 = 64;

/// Opens the grid on the schedule at hand, else on the first one.
pub(super) fn open(model: &mut Model, extent: Extent) -> Vec<Effect> {
    let Some((account, schedule)) = at_hand(model).or_else(|| first(model)) else {
        model.say(crate::app::NoticeKind::Bad, "no schedule is known yet");
        return vec![];
    };
    let today = model.now.to_zoned(model.zone.clone()).date();
    let former = model.oncall.grid.take().map(|grid| grid.first);
    let grid = Grid {
        extent,
        account,
        schedule,
        first: former.unwrap_or(today),
        offset: 0,
        waiting: None,
        fetched: None,
        outdated: false,
        failure: None,
    };
    model.oncall.grid = Some(grid);
    fetch(model, Wait::ask_aloud)
}

/// The schedule that the selected line is about.
pub(in crate::app) fn at_hand(model: &Model) -> Option<(AccountName, Named<ScheduleId>)> {
    if let Some(grid) = &model.oncall.grid {
        return Some((grid.account.clone(), grid.schedule.clone()));
    }
    let place = model.oncall.cursor.selected()?;
    let board = model.board.accounts.get(place.account())?;
    let named = |id: &ScheduleId| board.schedules.iter().find(|known| known.schedule.id == *id);
    let schedule = match place {
        Place::Schedule { id, .. } => named(id)?.schedule.clone(),
        Place::Shift { schedule, .. } | Place::Gap { schedule, .. } | Place::More { schedule, .. } => {
            named(schedule)?.schedule.clone()
        }
        Place::Person { policy, level, user, .. } => {
            let here = |on: &&crate::core::oncall::OnCall| {
                on.policy.id == *policy && on.level == *level && on.user.id == *user
            };
            board.oncalls.iter().filter(here).find_map(|on| on.schedule.clone())?
        }
        Place::Empty { schedule, .. } => named(schedule.as_ref()?)?.schedule.clone(),
        _ => return None,
    };
    Some((board.account.name.clone(), schedule))
}

fn first(model: &Model) -> Option<(AccountName, Named<ScheduleId>)> {
    let with_account =
        |board: &AccountBoard| Some((board.account.name.clone(), board.schedules.first()?.schedule.clone()));
    model.board.accounts.values().find_map(with_account)
}

/// A key of the table while the grid is open; `false`: it is none of the grid's.
pub(super) fn act(model: &mut Model, action: Action) -> Option<Vec<Effect>> {
    let lines = lines(model).len();
    let height = usize::from(super::filter::body(model).height);
    let grid = model.oncall.grid.as_mut()?;
    let days = if grid.extent == Extent::Week { 7 } else { 1 };
    match action {
        Action::Back => model.oncall.grid = None,
        Action::Earlier => return Some(turn(model, -days)),
        Action::Later => return Some(turn(model, days)),
        Action::DayGrid => return Some(open(model, Extent::Day)),
        Action::WeekGrid => return Some(open(model, Extent::Week)),
        action => {
            grid.offset = list::scroll(grid.offset, Step::of(action)?, lines, height);
        }
    }
    Some(vec![])
}

fn turn(model: &mut Model, days: i64) -> Vec<Effect> {
    if let Some(grid) = &mut model.oncall.grid {
        grid.first = grid.first.checked_add(Distance::new().days(days)).unwrap_or(grid.first);
        grid.failure = None;
    }
    fetch(model, Wait::ask_aloud)
}

/// The shifts may be others now: those that were asked for are asked for again.
pub(super) fn ask_again(model: &mut Model) -> Vec<Effect> {
    if let Some(grid) = &mut model.oncall.grid {
        grid.outdated = true;
    }
    fetch_outdated(model)
}

/// The same of those that could not be asked for again yet.
pub(super) fn fetch_outdated(model: &mut Model) -> Vec<Effect> {
    let asks = |grid: &Grid| grid.outdated && grid.waiting.is_none_or(|wait| wait.overdue(model.now));
    if model.oncall.grid.as_ref().is_some_and(asks) { fetch(model, Wait::ask) } else { vec![] }
}

/// Asks for the week that is shown, when the board does not hold it.
fn fetch(model: &mut Model, ask: fn(&mut Model, Request) -> Option<(Wait, Effect)>) -> Vec<Effect> {
    let Some(grid) = &model.oncall.grid else { return vec![] };
    if grid.extent == Extent::Day {
        return vec![];
    }
    let span = week(model, grid);
    let holds = |known: &Schedule| known.from <= span.from.max(model.now) && span.to <= known.to;
    let is_fetched = grid.fetched.as_ref().is_some_and(|(fetched, _)| holds(fetched));
    if known(model, grid).is_some_and(holds) || (is_fetched && !grid.outdated) {
        return vec![];
    }
    let (account, schedule) = (grid.account.clone(), grid.schedule.clone());
    let Some((wait, effect)) = ask(model, Request::Shifts { account, schedule, span }) else { return vec![] };
    if let Some(grid) = &mut model.oncall.grid {
        (grid.waiting, grid.outdated) = (Some(wait), false);
    }
    vec![effect]
}

/// The shifts that are shown of the week, and when they were told.
fn shown<'a>(model: &'a Model, grid: &'a Grid) -> Option<(&'a Schedule, Timestamp)> {
    let span = week(model, grid);
    let fetched = grid.fetched.as_ref().filter(|(known, _)| known.from < span.to && span.from < known.to);
    let known = || known(model, grid).map(|known| (known, told(model, &grid.account, known.from)));
    fetched.map(|(schedule, at)| (schedule, *at)).or_else(known)
}

/// By this host's clock, when the provider told what begins `from` then.
fn told(model: &Model, account: &AccountName, from: Timestamp) -> Timestamp {
    let ahead = model.board.provider_time(account, model.now).duration_since(model.now);
    from.checked_sub(ahead).unwrap_or(from)
}

/// When the oldest of all schedules was told, and whose it is.
fn oldest(model: &Model) -> Option<(Timestamp, &AccountName)> {
    let schedules = model.board.accounts.values().flat_map(|board| {
        let account = &board.account.name;
        board.schedules.iter().map(move |schedule| (told(model, account, schedule.from), account))
    });
    schedules.min()
}

fn week(model: &Model, grid: &Grid) -> Span {
    let start = |date: Date| date.to_zoned(model.zone.clone()).map_or(Timestamp::MAX, |at| at.timestamp());
    let after = grid.first.checked_add(Distance::new().days(7)).unwrap_or(grid.first);
    Span { from: start(grid.first), to: start(after) }
}

fn known<'a>(model: &'a Model, grid: &Grid) -> Option<&'a Schedule> {
    let board = model.board.accounts.get(&grid.account)?;
    board.schedules.iter().find(|known| known.schedule.id == grid.schedule.id)
}

/// An answer; `None`: not to this.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let grid = model.oncall.grid.as_mut().filter(|grid| grid.waiting.is_some_and(|wait| wait.is(id)))?;
    grid.waiting = None;
    match answer {
        Ok(Answer::Shifts { schedule }) => {
            (grid.fetched, grid.failure) = (Some(((**schedule).clone(), model.now)), None);
        }
        Ok(_) => grid.failure = Some("the server answered something else".into()),
        Err(reason) => grid.failure = Some(Shown::line(reason)),
    }
    // They were called outdated while the answer was on its way.
    Some(fetch_outdated(model))
}

pub(super) fn detached(model: &mut Model) {
    if let Some(grid) = &mut model.oncall.grid {
        grid.outdated = true;
        if grid.waiting.take().is_some() {
            grid.failure = Some("the link to the server broke".into());
        }
    }
}

/// The letters of the people in a grid, in order of appearance.
#[derive(Debug, Default)]
struct Letters(Vec<(UserId, Shown, char)>);

impl Letters {
    fn of(&mut self, who: &Named<UserId>) -> char {
        if let Some((_, _, letter)) = self.0.iter().find(|(id, ..)| *id == who.id) {
            return *letter;
        }
        let free = |letter: &char| !self.0.iter().any(|(_, _, taken)| taken == letter);
        let own = who.name.as_str().chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase());
        let letter = own.chain('A'..='Z').chain('0'..='9').find(free).unwrap_or('#');
        self.0.push((who.id.clone(), who.name.clone(), letter));
        letter
    }
}

/// The whole grid as lines.
pub fn lines(model: &Model) -> Vec<Vec<Piece>> {
    let Some(grid) = &model.oncall.grid else { return vec![] };
    let parts = if model.size.0 < WIDE { 1 } else { 2 };
    let mut letters = Letters::default();
    let mut out = vec![title(model, grid)];
    out.extend(age(model, grid));
    let rows = match grid.extent {
        Extent::Week => week_rows(model, grid, parts, &mut letters),
        Extent::Day => day_rows(model, grid, parts, &mut letters),
    };
    out.push(axis(model, grid.extent, parts));
    out.extend(rows);
    out.extend(legend(model, &letters));
    out
}

/// Why the shifts are not known, or not anew; and how old they are, when they are not of this minute.
fn age(model: &Model, grid: &Grid) -> Option<Vec<Piece>> {
    if grid.extent == Extent::Day {
        return age_of_all(model);
    }
    let span = week(model, grid);
    let told = shown(model, grid).filter(|(known, _)| known.from < span.to && span.from < known.to);
    let age = told.map(|(_, at)| words::since(at, model.now));
    let (tone, words) = match (&grid.failure, age) {
        (Some(failure), Some(age)) => (Tone::Alarm, format!("! as of {}, not asked again: {failure}", words::ago(age))),
        (Some(failure), None) => (Tone::Alarm, format!("! not known: {failure}")),
        (None, age) => (Tone::Faint, format!("as of {}", words::ago(age.filter(|age| age.as_mins() > 0)?))),
    };
    Some(vec![Piece::new(tone, words)])
}

/// How old the oldest schedules are, and whose where there are several accounts.
fn age_of_all(model: &Model) -> Option<Vec<Piece>> {
    let (at, account) = oldest(model)?;
    let age = Some(words::since(at, model.now)).filter(|age| age.as_mins() > 0)?;
    let account = if model.board.accounts.len() > 1 { format!("{account}: ") } else { String::new() };
    Some(vec![Piece::new(Tone::Faint, format!("{account}as of {}", words::ago(age)))])
}

fn title(model: &Model, grid: &Grid) -> Vec<Piece> {
    let zone = model
        .zone
        .iana_name()
        .map_or_else(|| words::zone_name(model.now, &model.zone), |name| words::zone_called(name).to_owned());
    let narrow = model.size.0 < WIDE;
    let date = grid.first.strftime(if narrow { "%-d %b" } else { "%a %-d %b %Y" });
    let (what, when) = match grid.extent {
        Extent::Week => (grid.schedule.name.as_str(), format!("7 days from {date}")),
        Extent::Day => ("All schedules", date.to_string()),
    };
    let asking = if grid.waiting.is_some() { "  asking…" } else { "" };
    let zone = if narrow { String::new() } else { format!("  times in {zone}") };
    let rest = format!("  {when}{zone}{asking}");
    let room = usize::from(model.size.0).saturating_sub(2 + columns(&rest));
    vec![Piece::new(Tone::Strong, fit(what, room)), Piece::new(Tone::Faint, rest)]
}

/// Columns of the names of the rows.
fn margin(model: &Model, extent: Extent) -> usize {
    match (extent, model.size.0 < WIDE) {
        (Extent::Week, true) => 8,
        (Extent::Week, false) | (Extent::Day, true) => 12,
        (Extent::Day, false) => 24,
    }
}

/// The hours above the cells, every third or sixth.
fn axis(model: &Model, extent: Extent, parts: usize) -> Vec<Piece> {
    let every = 12 / parts / 2;
    let hours = (0..24).step_by(every).map(|hour| format!("{hour:<width$}", width = every * parts));
    let margin = margin(model, extent);
    vec![Piece::new(Tone::Faint, format!("{:margin$}{}", "", hours.collect::<String>()))]
}

fn week_rows(model: &Model, grid: &Grid, parts: usize, letters: &mut Letters) -> Vec<Vec<Piece>> {
    let Some((schedule, _)) = shown(model, grid) else {
        return vec![vec![Piece::new(Tone::Caution, "! the schedule is not known any more")]];
    };
    let today = model.now.to_zoned(model.zone.clone()).date();
    let width = margin(model, Extent::Week);
    let rows = days(schedule, &model.zone, grid.first, WEEK, parts);
    rows.iter()
        .map(|day| {
            let mark = if day.date == today { '▸' } else { ' ' };
            let date = day.date.strftime(if width < 12 { "%a %-d" } else { "%a %-d %b" });
            row(&format!("{mark}{date}"), width, day, letters)
        })
        .collect()
}

/// A row for each schedule, below its account where there are several.
fn day_rows(model: &Model, grid: &Grid, parts: usize, letters: &mut Letters) -> Vec<Vec<Piece>> {
    let width = margin(model, Extent::Day);
    let several = model.board.accounts.len() > 1;
    let mut rows = vec![];
    for board in model.board.accounts.values().filter(|board| !board.schedules.is_empty()) {
        if several {
            rows.push(vec![Piece::new(Tone::Strong, board.account.name.as_str())]);
        }
        rows.extend(board.schedules.iter().map(|schedule| {
            let day = day(schedule, &model.zone, grid.first, parts);
            row(&fit(schedule.schedule.name.as_str(), width - 1), width, &day, letters)
        }));
    }
    rows
}

fn row(name: &str, width: usize, day: &Day<'_>, letters: &mut Letters) -> Vec<Piece> {
    let fill = width.saturating_sub(columns(name));
    let mut pieces = vec![Piece::new(Tone::Plain, format!("{name}{:fill$}", ""))];
    for cell in &day.cells {
        let (tone, sign) = match cell {
            Cell::One { who, from_override: false } => (Tone::Plain, letters.of(who)),
            Cell::One { who, from_override: true } => (Tone::Caution, letters.of(who).to_ascii_lowercase()),
            Cell::Several => (Tone::Accent, '+'),
            Cell::Gap => (Tone::Alarm, '!'),
            Cell::Unknown => (Tone::Faint, '?'),
            Cell::Skipped => (Tone::Faint, '_'),
        };
        match pieces.last_mut().filter(|last| last.tone == tone) {
            Some(last) => last.text.push(sign),
            None => pieces.push(Piece::new(tone, sign)),
        }
    }
    if day.hours != 24 {
        pieces.push(Piece::new(Tone::Caution, format!(" {} h", day.hours)));
    }
    pieces
}

fn legend(model: &Model, letters: &Letters) -> Vec<Vec<Piece>> {
    let mut page = crate::app::page::Page::new(usize::from(model.size.0).saturating_sub(2));
    let people: Vec<String> = letters.0.iter().map(|(_, name, letter)| format!("{letter} {name}")).collect();
    page.text(0, Tone::Plain, &people.join("  "));
    page.text(0, Tone::Faint, "small: by override  ! nobody  + change within  ? not known  _ skipped by the clock");
    page.lines
}
