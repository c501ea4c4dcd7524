//! What is looked for: the line above the list with the filter and all that it hides, what is wrong with what is being
//! typed, what it may become, and the list of saved views. What is hidden is always counted.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::Line,
};

use super::super::{
    prompt::tail,
    theme::style,
    words::{count, moment},
};
use crate::{
    app::{
        Model,
        incidents::{QueryLine, Typing, candidates, matching},
        page::{Page, Piece, Tone},
    },
    core::text::{Shown, columns, fit},
};

/// The query is to have this much room beside longer words; or as much as it takes.
const ROOM: usize = 20;
/// Before less than this is seen of it, the words of what is new and of a storm give way.
const BEGINNING: usize = 8;

/// The filter while it is typed or holds, how many incidents there are, marked or not listed.
pub(super) fn summary(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.incidents;
    let width = usize::from(area.width);
    let head = head(model);
    let figures = fitting(model, &head, width);
    let room = width.saturating_sub(wide(&figures) + columns(&head.mark));
    let mut pieces = vec![];
    if head.typed {
        let typed = tail(&head.text, room.saturating_sub(1));
        let column = u16::try_from(columns(&head.mark) + columns(&typed)).unwrap_or(u16::MAX);
        frame.set_cursor_position(Position::new(area.x.saturating_add(column), area.y));
        pieces.push(Piece::new(Tone::Accent, format!("{}{typed} ", head.mark)));
    } else if !head.text.is_empty() {
        pieces.push(Piece::new(Tone::Accent, format!("{}{}", head.mark, fit(&head.text, room))));
    }
    pieces.extend(figures);
    if let Some(first) = pieces.first_mut().filter(|_| head.text.is_empty() && state.typing.is_none()) {
        first.text = first.text.trim_start().to_owned();
    }
    frame.render_widget(super::super::line(model, pieces), area);
}

/// What stands at the beginning of the line.
struct Head {
    /// What it is; never cut off.
    mark: String,
    text: String,
    typed: bool,
}

/// The query being typed with its cursor at the end, or the view and filter that are in force.
fn head(model: &Model) -> Head {
    let state = &model.incidents;
    let of = |mark: &str, line: &QueryLine, typed| Head {
        mark: mark.to_owned(),
        text: Shown::line(line.as_str()).to_string(),
        typed,
    };
    match (state.typing, state.view()) {
        (Some(Typing::Filter), _) => of("/", &state.filter, true),
        (Some(Typing::Mark), _) => of("V ", &state.marking, true),
        (None, Some(view)) => of(&format!("[{}] /", view.name), &state.filter, false),
        (None, None) if state.filter.is_empty() => of("", &state.filter, false),
        (None, None) => of("/", &state.filter, false),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Words {
    Long,
    Short,
    Fewest,
    /// Nothing of what is new, and of a storm its name.
    Bare,
    /// Nothing of a storm either.
    Barest,
}

/// The figures in the longest words that leave the filter its room.
fn fitting(model: &Model, head: &Head, width: usize) -> Vec<Piece> {
    let wanted = |words| {
        let room = if words < Words::Fewest { ROOM } else { BEGINNING };
        columns(&head.mark) + columns(&head.text).min(room) + 1
    };
    // Without a filter there is nothing to give way to.
    let last = if head.mark.is_empty() { Words::Fewest } else { Words::Barest };
    let all = [Words::Long, Words::Short, Words::Fewest, Words::Bare, Words::Barest];
    let mut fitting = vec![];
    for words in all.into_iter().filter(|words| *words <= last) {
        fitting = figures(model, words);
        if wanted(words) + wide(&fitting) <= width {
            break;
        }
    }
    fitting
}

fn wide(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| columns(&piece.text)).sum()
}

/// How many are listed, and how many are not, for each reason.
fn figures(model: &Model, words: Words) -> Vec<Piece> {
    let state = &model.incidents;
    let rows = &state.rows;
    let (listed, out, unknown) = (rows.keys().len(), rows.filtered_out(), rows.unknown());
    let mut pieces = vec![];
    pieces.extend(grouping(model, words));
    let mut say = |tone, long: String, short: String| {
        let text = if words == Words::Long { long } else { short };
        pieces.push(Piece::new(tone, format!("  {text}")));
    };
    if state.typing == Some(Typing::Mark) {
        let found = matching(model).len();
        say(Tone::Strong, format!("marks {found} of {listed}"), format!("+{found} of {listed}"));
    } else if state.filter.is_empty() {
        say(Tone::Plain, format!("{listed} listed"), format!("{listed} listed"));
    } else {
        let short = if words >= Words::Fewest { format!("{listed}") } else { format!("{listed} listed") };
        say(Tone::Strong, format!("{listed} listed"), short);
    }
    if out > 0 || !state.filter.is_empty() {
        say(Tone::Caution, format!("{out} filtered out"), format!("{out} out"));
    }
    if unknown > 0 {
        say(Tone::Caution, format!("{unknown} not known"), format!("{unknown}?"));
    }
    if !state.marked.is_empty() {
        let (long, short) = marked(model);
        say(Tone::Caution, long, short);
    }
    if let Some((long, short)) = news(model).filter(|_| words < Words::Bare) {
        say(Tone::Accent, long, short);
    }
    let (long, short) = resolved(model);
    say(Tone::Faint, long, short);
    pieces
}

/// That the list is grouped, and that there is a storm.
fn grouping(model: &Model, words: Words) -> Option<Piece> {
    let storm = &model.attention.storm;
    if words >= Words::Bare {
        let rages = words == Words::Bare && storm.is_on() && storm.in_a_minute() > 0;
        return rages.then(|| Piece::new(Tone::Alarm, "  STORM"));
    }
    let grouped = model.incidents.groups.is_some();
    let over = storm.ends().filter(|_| storm.in_a_minute() == 0);
    let (tone, long, short) = match (storm.is_on(), grouped, over) {
        (false, false, _) | (true, false, Some(_)) => return None,
        (false, true, _) => (Tone::Caution, "by service (S)".to_owned(), "by service (S)".to_owned()),
        (true, true, Some(ends)) => {
            let ends = moment(ends, model.now, &model.zone);
            let short =
                if words == Words::Short { format!("grouped till {ends} (S)") } else { "by service (S)".into() };
            (Tone::Caution, format!("storm over, by service until {ends} (S)"), short)
        }
        (true, true, None) => {
            (Tone::Alarm, format!("STORM {} in a minute, by service (S)", storm.in_a_minute()), "STORM (S)".to_owned())
        }
        (true, false, None) => {
            (Tone::Alarm, format!("STORM {} in a minute (S groups)", storm.in_a_minute()), "STORM (S)".to_owned())
        }
    };
    let text = if words == Words::Long { long } else { short };
    Some(Piece::new(tone, format!("  {text}")))
}

/// What is new since somebody looked.
fn news(model: &Model) -> Option<(String, String)> {
    let news = &model.attention.news;
    let since = moment(news.since()?, model.now, &model.zone);
    let (long, short) = match news.counts() {
        (0, 0) => return None,
        (new, 0) => (format!("+{new} new"), format!("+{new}")),
        (0, changed) => (format!("•{changed} changed"), format!("•{changed}")),
        (new, changed) => (format!("+{new} new •{changed} changed"), format!("+{new} •{changed}")),
    };
    Some((format!("{long} since {since} (z)"), format!("{short} (z)")))
}

fn marked(model: &Model) -> (String, String) {
    let (marked, unlisted) = (model.incidents.marked.len(), model.incidents.marked_unlisted());
    match unlisted {
        0 => (format!("* {marked} marked"), format!("*{marked}")),
        _ => (format!("* {marked} marked, {unlisted} not listed"), format!("*{marked} ({unlisted} off)")),
    }
}

fn resolved(model: &Model) -> (String, String) {
    let hidden = model.incidents.rows.hidden_resolved();
    if model.incidents.all_resolved {
        return ("resolved shown (v)".into(), "all (v)".into());
    }
    (format!("{hidden} resolved hidden (v)"), format!("{hidden} old (v)"))
}

/// What is wrong with the query that is being typed; `false`: nothing, or none is typed.
pub(super) fn complaint(model: &Model, frame: &mut Frame<'_>, area: Rect) -> bool {
    let state = &model.incidents;
    let line = match state.typing {
        Some(Typing::Filter) => &state.filter,
        Some(Typing::Mark) => &state.marking,
        None => return false,
    };
    let Some(wrong) = line.wrong() else { return false };
    let text = fit(&format!("! {}", Shown::line(&wrong.to_string())), area.width.into());
    frame.render_widget(Line::styled(text, style(model, Tone::Alarm)), area);
    true
}

/// What the last word may become, as far as there is room; empty where nothing can be said.
pub(in crate::ui) fn completions(model: &Model, width: usize) -> String {
    let candidates = candidates(model);
    let mut out = String::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let candidate = Shown::line(candidate);
        let left = candidates.len() - at;
        let space = if at == 0 { "" } else { "  " };
        let longer = format!("{out}{space}{candidate}");
        let more = if left > 1 { format!("  +{}", left - 1) } else { String::new() };
        if columns(&longer) + columns(&more) > width {
            return fit(&format!("{out}  +{left}"), width);
        }
        out = longer;
    }
    out
}

/// The saved views, in place of the list.
pub(super) fn views(model: &Model, picked: &Shown, frame: &mut Frame<'_>, area: Rect) {
    let all = &model.incidents.views.all;
    let height = usize::from(area.height.saturating_sub(2)).max(1);
    let at = all.iter().position(|view| view.name == *picked).unwrap_or_default();
    let mut page = Page::new(area.width.into());
    page.text(0, Tone::Strong, &count(all.len(), "saved view", "saved views"));
    page.blank();
    for view in all.iter().skip((at + 1).saturating_sub(height)).take(height) {
        let mark = if view.name == *picked { "▸ " } else { "  " };
        let key = view.key.map(|key| key.to_string()).unwrap_or_default();
        let start = format!("{key:<8}{}  ", view.name);
        let query =
            fit(&Shown::line(&view.query).to_string(), usize::from(area.width).saturating_sub(2 + columns(&start)));
        let pieces = [(Tone::Accent, mark.to_owned()), (Tone::Plain, start), (Tone::Faint, query)];
        page.line(pieces.into_iter().map(|(tone, text)| Piece::new(tone, text)).collect());
    }
    super::super::page(model, page.lines, 0, frame, area);
}
