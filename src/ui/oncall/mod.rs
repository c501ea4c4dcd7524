//! The on-call view: people by policy and level, then the schedules' next shifts. Every time is in the
//! viewer's zone, which the title names; old data says how old it is.

use jiff::{SignedDuration, Timestamp};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use crate::{
    app::{
        Link, Model, filter,
        oncall::{
            TITLE, grid,
            lines::{Edge, Says, Stretch, TWO_LINES, lines},
            mine::{Next, Now},
        },
        page::Tone,
    },
    core::{
        rota::Relief,
        text::{Shown, fit},
        words,
    },
};

use super::parts::{self, cell, span};

/// From this width on, times say how far away they are.
const ROOMY: u16 = 100;
/// Days this near are told without their year.
const YEAR_UNSAID: SignedDuration = SignedDuration::from_hours(180 * 24);
/// Columns of a time of another day: `Tue 10 Jun 08:00`, `10 Jun 08:00`.
const MOMENT: usize = 16;
const SHORT: usize = 12;
/// Columns of the longest end: `until Tue 10 Jun 08:00, 6d 23h`.
const UNTIL: usize = 30;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.oncall;
    if let Some(grid) = &state.grid {
        return super::scrolled(model, grid::lines(model), grid.offset, frame, area);
    }
    let at = filter::list_areas(area, TITLE, &state.filter);
    title(model, frame, at.title);
    let lines = lines(model);
    if lines.is_empty() {
        parts::remarks(model, frame, at.rows, &[nothing(model)]);
    }
    let shown = lines.iter().skip(state.cursor.offset()).take(at.rows.height.into());
    for (line, y) in shown.zip(at.rows.y..) {
        let row = Rect { y, height: 1, ..at.rows };
        let selected = state.cursor.selected() == Some(&line.place);
        let mut spans = vec![parts::gutter(model, selected)];
        let theirs = model.board.provider_time(line.place.account(), model.now);
        spans.extend(says(model, theirs, &line.says, usize::from(area.width).saturating_sub(parts::GUTTER)));
        parts::line(frame, row, parts::selected(Line::from(spans), selected));
    }
    parts::beyond(model, frame, at.title, (state.cursor.offset(), at.rows.height), lines.len());
    parts::filter(model, frame, at.filter, &state.filter, "people, policies, schedules");
}

fn title(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let zone = format!("  times in {}", parts::zone(model));
    let spans = vec![span(model, Tone::Strong, "On call"), span(model, Tone::Faint, zone)];
    parts::line(frame, area, Line::from(spans));
}

fn nothing(model: &Model) -> (Tone, String) {
    if model.oncall.filter.is_set() {
        return (Tone::Plain, "Nothing here has these words.".into());
    }
    match &model.link {
        Link::Connecting => (Tone::Faint, "Connecting to the server…".into()),
        Link::Lost { .. } => (Tone::Caution, "! No server, and nothing was received before.".into()),
        Link::Up(_) => (Tone::Plain, "No account is configured. `dogwatch config init` writes a sample.".into()),
    }
}

fn says<'a>(model: &Model, theirs: Timestamp, says: &Says<'a>, width: usize) -> Vec<Span<'a>> {
    let narrow = model.size.0 < TWO_LINES;
    match says {
        Says::Account { name, as_of, shifts_as_of } => {
            let as_of = as_of.map(|age| format!("as of {}", words::ago(age)));
            let shifts = shifts_as_of
                .map(|age| format!("{} {}", if narrow { "shifts" } else { "shifts as of" }, words::ago(age)));
            let told: Vec<_> = as_of.into_iter().chain(shifts).collect();
            let told = if told.is_empty() { String::new() } else { format!("  {}", told.join(", ")) };
            vec![span(model, Tone::Strong, name.as_str()), span(model, Tone::Faint, told)]
        }
        Says::Trouble(tone, text) => vec![span(model, *tone, text.as_str())],
        Says::Policy(name) => heading(model, name, "escalation policy", width),
        Says::Person { level, name, me, via, end } => {
            let level = level.map_or(String::new(), |level| level.to_string());
            let mut spans = vec![span(model, Tone::Faint, format!("{} ", parts::right(&level, 2)))];
            let tone = if *me { Tone::Accent } else { Tone::Plain };
            if narrow {
                spans.push(span(model, tone, named(name, *me, width.saturating_sub(3))));
                return spans;
            }
            let room = width.saturating_sub(3 + 4 + UNTIL) / 2;
            let (text, until) = until(model, theirs, *end);
            spans.push(span(model, tone, cell(&named(name, *me, room), room)));
            spans.push(span(model, Tone::Faint, format!("  {}  ", cell(&through(via), room))));
            spans.push(span(model, until, text));
            spans
        }
        Says::Until { via, end } => {
            let (text, tone) = until(model, theirs, *end);
            let room = width.saturating_sub(5 + text.chars().count());
            vec![
                span(model, tone, format!("   {text}")),
                span(model, Tone::Faint, format!(", {}", fit(&through(via), room))),
            ]
        }
        Says::Schedule { name, .. } if narrow => heading(model, name, "schedule", width),
        Says::Schedule { name, zone } => {
            heading(model, name, &format!("schedule, kept in {}", words::zone_called(zone.as_str())), width)
        }
        Says::Shift(stretch) => shift(model, stretch, width, narrow),
        Says::Who(stretch) => {
            let mut spans = vec![Span::raw("    ")];
            spans.extend(who(model, stretch, width.saturating_sub(4)));
            spans
        }
        Says::More { shifts, until } => {
            let more = words::count(*shifts, "more stretch", "more stretches");
            let until = match *until {
                Edge::At(at) => format!("until {}", moment(model, at)),
                Edge::Beyond(at) => format!("beyond {}", day(model, at)),
            };
            vec![span(model, Tone::Faint, format!("    … {more}, {until}"))]
        }
        Says::NoShifts { after } => {
            let words = match after {
                Some(end) => format!("    ! no shift is known after {}", moment(model, *end)),
                None => "    nobody in the coming days".into(),
            };
            vec![span(model, Tone::Caution, words)]
        }
        Says::Nobody => vec![span(model, Tone::Plain, "nobody is on call, says the provider")],
        Says::NoSchedules => vec![span(model, Tone::Plain, "no schedules, says the provider")],
        Says::MeNow(now) => me_now(model, theirs, *now, width),
        Says::MeNext(next) => me_next(model, *next, width),
        Says::Then { who, me } => then(model, who, *me, width),
        Says::Empty { level, through } => {
            let names: Vec<&str> = through.iter().map(Shown::as_str).collect();
            let through = if names.is_empty() { String::new() } else { format!(" via {}", names.join(", ")) };
            vec![
                span(model, Tone::Faint, format!("{level:>2} ")),
                span(model, Tone::Alarm, fit(&format!("! NOBODY is on call{through}"), width.saturating_sub(3))),
            ]
        }
        Says::Blank => vec![],
    }
}

/// Whether I have the pager: `you: ON CALL L1 of Payments until today 08:00`.
fn me_now<'a>(model: &Model, theirs: Timestamp, now: Now<'_>, width: usize) -> Vec<Span<'a>> {
    let (tone, words) = match now {
        Now::On { duty, others } => {
            let (until, _) = until(model, theirs, duty.end);
            let others = if others > 0 { format!(", and {others} more") } else { String::new() };
            let policy = if model.size.0 < TWO_LINES { String::new() } else { format!(" of {}", duty.policy.name) };
            (Tone::Accent, format!("you: ON CALL L{}{policy} {until}{others}", duty.level))
        }
        Now::Off => (Tone::Plain, "you: not on call now".to_owned()),
        Now::NotKnown => (Tone::Caution, "you: on call or not is not known".to_owned()),
    };
    vec![span(model, tone, fit(&words, width))]
}

/// When I have it next: `next Thu 12 Jun 08:00 – Fri 13 Jun 08:00, L1 of Payments`.
fn me_next<'a>(model: &Model, next: Next<'_>, width: usize) -> Vec<Span<'a>> {
    let (tone, words) = match next {
        Next::Duty(duty) => {
            let from = duty.start.map_or_else(|| "now".to_owned(), |start| moment(model, start));
            let till = duty.end.map_or_else(String::new, |end| format!(" – {}", moment(model, end)));
            (Tone::Plain, format!("next {from}{till}, L{} of {}", duty.level, duty.policy.name))
        }
        Next::NotBefore(until) => (Tone::Plain, format!("next: not before {}", day(model, until))),
        Next::Asking => (Tone::Faint, "next: asking…".to_owned()),
        Next::NotKnown(why) => (Tone::Caution, format!("next: not known: {why}")),
    };
    vec![span(model, tone, format!("     {}", fit(&words, width.saturating_sub(5))))]
}

/// Who follows: `then Bob Okafor today 08:00 – Wed 11 Jun 08:00`.
fn then<'a>(model: &Model, who: &Relief<'_>, me: bool, width: usize) -> Vec<Span<'a>> {
    let narrow = model.size.0 < TWO_LINES;
    let (tone, words) = match who {
        Relief::Person(stretch) => {
            let (name, width) = (stretch.who.map_or("nobody", |who| who.name.as_str()), width.saturating_sub(8));
            let from = stretch.start.known().map_or_else(String::new, |start| format!(" {}", moment(model, start)));
            let till = match stretch.end {
                Edge::At(end) if !narrow => format!(" – {}", moment(model, end)),
                Edge::Beyond(end) if !narrow => format!(", beyond {}", day(model, end)),
                Edge::At(_) | Edge::Beyond(_) => String::new(),
            };
            let room = width.saturating_sub(from.chars().count() + till.chars().count());
            let tone = if me { Tone::Accent } else { Tone::Faint };
            (tone, format!("then {}{from}{till}", named(&Shown::line(name), me, room)))
        }
        Relief::Gap { from, until } => {
            let until = until.map_or_else(String::new, |until| format!(" – {}", moment(model, until)));
            (Tone::Alarm, format!("then ! NOBODY {}{until}", moment(model, *from)))
        }
        Relief::Beyond(to) => (Tone::Faint, format!("the same beyond {}", day(model, *to))),
    };
    vec![span(model, tone, format!("   {}", fit(&words, width.saturating_sub(3))))]
}

/// The name of something, and what it is.
fn heading<'a>(model: &Model, name: &Shown, what: &str, width: usize) -> Vec<Span<'a>> {
    let room = width.saturating_sub(what.chars().count() + 2);
    vec![span(model, Tone::Strong, fit(name.as_str(), room)), span(model, Tone::Faint, format!("  {what}"))]
}

fn named(name: &Shown, me: bool, width: usize) -> String {
    let you = if me { " (you)" } else { "" };
    format!("{}{you}", fit(name.as_str(), width.saturating_sub(you.len())))
}

fn through(via: &[&Shown]) -> String {
    if via.is_empty() {
        return "named directly".into();
    }
    let names: Vec<_> = via.iter().map(|name| name.as_str()).collect();
    format!("via {}", names.join(", "))
}

/// Until when, and how far that is when it is near, if it is `theirs` at the provider. What ended meanwhile is said to have ended.
fn until(model: &Model, theirs: Timestamp, end: Option<Timestamp>) -> (String, Tone) {
    let Some(end) = end else { return ("always".into(), Tone::Plain) };
    let at = moment(model, end);
    if end <= theirs {
        return (format!("! ended {at}"), Tone::Caution);
    }
    let minutes = end.duration_since(theirs).as_secs() / 60;
    let left = match minutes {
        _ if model.size.0 < TWO_LINES => String::new(),
        ..60 => format!(", {minutes}m"),
        60..1440 => format!(", {}h {}m", minutes / 60, minutes % 60),
        1440..10080 => format!(", {}d {}h", minutes / 1440, minutes % 1440 / 60),
        _ => String::new(),
    };
    (format!("until {at}{left}"), Tone::Plain)
}

/// A time that cannot be mistaken for that of another day: `today 08:00`, `Tue 10 Jun 08:00`.
fn moment(model: &Model, at: Timestamp) -> String {
    format!("{} {}", day(model, at), at.to_zoned(model.zone.clone()).strftime("%H:%M"))
}

/// `today`, `Tue 10 Jun`; with the year when it could be meant otherwise.
fn day(model: &Model, at: Timestamp) -> String {
    let date = at.to_zoned(model.zone.clone()).date();
    let today = model.now.to_zoned(model.zone.clone()).date();
    let near = date.duration_since(today).abs() < YEAR_UNSAID;
    let form = match (date == today, near, model.size.0 < TWO_LINES) {
        (true, ..) => "today",
        (_, true, false) => "%a %-d %b",
        (_, false, false) => "%a %-d %b %Y",
        (_, true, true) => "%-d %b",
        (_, false, true) => "%-d %b %Y",
    };
    date.strftime(form).to_string()
}

/// When a stretch is, in the four columns before and the words behind. Where it was cut, no time is told.
fn when(model: &Model, stretch: &Stretch<'_>, room: usize) -> (&'static str, String) {
    let now = if stretch.now { "now " } else { "    " };
    let start = stretch.start.known().filter(|_| stretch.who.is_some() || !stretch.now);
    match (start.map(|start| moment(model, start)), stretch.end) {
        (Some(start), Edge::At(end)) => (now, format!("{} – {}", cell(&start, room), moment(model, end))),
        (Some(start), Edge::Beyond(end)) if stretch.now => (now, format!("{start}, beyond {}", day(model, end))),
        (Some(start), Edge::Beyond(end)) => ("from", format!(" {start}, beyond {}", day(model, end))),
        (None, Edge::At(end)) => (now, format!("until {}", moment(model, end))),
        (None, Edge::Beyond(end)) => ("now,", format!(" beyond {}", day(model, end))),
    }
}

fn shift<'a>(model: &Model, stretch: &Stretch<'a>, width: usize, narrow: bool) -> Vec<Span<'a>> {
    let (now, times) = when(model, stretch, if narrow { SHORT } else { MOMENT });
    let mut spans = vec![span(model, Tone::Accent, now)];
    if narrow {
        spans.push(span(model, Tone::Plain, times));
        return spans;
    }
    spans.push(span(model, Tone::Plain, cell(&times, 2 * MOMENT + 5)));
    let length = if model.size.0 < ROOMY { String::new() } else { cell(&length(stretch), 8) };
    spans.push(span(model, Tone::Faint, length));
    spans.extend(who(model, stretch, width.saturating_sub(2 * MOMENT + 9)));
    spans
}

/// How long a stretch is: `12h`, `7d`; empty when that is not known.
fn length(stretch: &Stretch<'_>) -> String {
    let (Some(start), Some(end)) = (stretch.start.known(), stretch.end.known()) else { return String::new() };
    match end.duration_since(start).as_mins() {
        minutes @ ..60 => format!("{minutes}m"),
        minutes @ 60..2880 => format!("{}h", minutes / 60),
        minutes => format!("{}d", minutes / 1440),
    }
}

fn who<'a>(model: &Model, stretch: &Stretch<'a>, width: usize) -> Vec<Span<'a>> {
    let Some(name) = stretch.who else { return vec![span(model, Tone::Caution, "! nobody")] };
    let word = if stretch.from_override { "  override" } else { "" };
    let tone = if stretch.me { Tone::Accent } else { Tone::Plain };
    let name = named(name, stretch.me, width.saturating_sub(word.len()));
    vec![span(model, tone, name), span(model, Tone::Caution, word)]
}

#[cfg(test)]
mod tests;
