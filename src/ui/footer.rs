//! The last line: which keys do what here, or what became of the last thing done. News that are too long
//! for one line grow upwards over the body, so that a reason is never cut off.

use jiff::SignedDuration;
use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
    widgets::Clear,
};

use super::{
    incidents::completions,
    prompt::tail,
    targets, templates,
    theme::{Tone, style},
    webhooks,
    words::wrap,
};
use crate::{
    app::{
        About, Model, Notice, NoticeKind, View,
        filter::Filter,
        handoff,
        incidents::{self, Typing},
        keys::{Action, BINDINGS, Scope},
        oncall::{self, grid::Extent},
        typing::takes_keys,
    },
    core::text::{Shown, columns, fit},
};

/// Lines that news may take.
const NEWS_LINES: usize = 3;
/// A refusal that any key brings again takes one line after so long.
const READ: SignedDuration = SignedDuration::from_secs(10);
/// Before what a query may become.
const TAB: &str = "tab ";

pub(super) type Hint = (&'static str, &'static str);

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if let Some(line) = &model.command.line {
        return command(model, line.as_str(), frame, area);
    }
    match &model.notice {
        Some(notice) => news(model, notice, frame, area),
        None => quiet(model, frame, area),
    }
}

/// What the query being typed may become, else the hints.
fn quiet(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    let typed =
        model.view == View::Incidents && model.prompt.is_none() && model.sheet.is_none() && model.handoff.is_none();
    let completions = if typed { completions(model, width.saturating_sub(TAB.len())) } else { String::new() };
    if completions.is_empty() {
        frame.render_widget(fitting(model, &hints(model), width), area);
        return;
    }
    let tab = Span::styled(TAB, style(model, Tone::Accent));
    frame.render_widget(Line::from(vec![tab, Span::raw(completions)]), area);
}

/// The command being typed; the cursor stands at its end.
fn command(model: &Model, text: &str, frame: &mut Frame<'_>, area: Rect) {
    let shown = tail(Shown::line(text).as_str(), usize::from(area.width).saturating_sub(2));
    let column = u16::try_from(columns(&shown) + 1).unwrap_or(u16::MAX);
    let line = Line::from(vec![Span::styled(":", style(model, Tone::Accent)), Span::raw(shown)]);
    frame.render_widget(line, area);
    frame.set_cursor_position(Position::new(area.x.saturating_add(column), area.y));
}

/// For how long the action that the notice tells of can still be taken back, or the next after one that was, and how;
/// empty where none can.
fn way_back(model: &Model, notice: &Notice) -> String {
    let this = incidents::can_be_taken_back(model, notice).map(|left| (String::new(), left));
    let next = || incidents::next_to_take_back(model, notice).map(|(name, left)| (format!("; {name}"), left));
    let Some((name, left)) = this.or_else(next) else { return String::new() };
    let keys = if takes_keys(model) { "esc then u" } else { "u" };
    format!("{name} sent in {} s, {keys} takes it back", left.as_secs() + 1)
}

fn news(model: &Model, notice: &Notice, frame: &mut Frame<'_>, area: Rect) {
    let (mark, tone) = match notice.kind {
        NoticeKind::Good => ("✓ ", Tone::Calm),
        NoticeKind::Working => ("… ", Tone::Caution),
        NoticeKind::Bad => ("! ", Tone::Alarm),
    };
    let width = usize::from(area.width).saturating_sub(mark.len().min(2));
    let way_back = way_back(model, notice);
    let mut lines = wrap(&format!("{}{way_back}", notice.text), width);
    // An open prompt must be seen whole: the keys that answer it may stand in its last line.
    let read = notice.about == About::Right && model.now.duration_since(notice.at).abs() >= READ;
    let most = if model.prompt.is_some() || read { 1 } else { NEWS_LINES };
    if lines.len() > most {
        // What is done is known; how it is taken back is not, so that is not cut off.
        lines = wrap(notice.text.as_str(), width);
        let rest = lines.split_off((most - 1).min(lines.len())).join(" ");
        lines.push(format!("{}{way_back}", fit(&rest, width.saturating_sub(columns(&way_back)))));
    }
    let height = u16::try_from(lines.len()).unwrap_or(1);
    let area = Rect { y: (area.y + 1).saturating_sub(height), height, ..area };
    frame.render_widget(Clear, area);
    for (at, (row, text)) in area.rows().zip(lines).enumerate() {
        let mark = if at == 0 { mark } else { "  " };
        frame.render_widget(Line::styled(format!("{mark}{text}"), style(model, tone)), row);
    }
}

/// What the keys do now, most wanted first; the last one is always shown.
fn hints(model: &Model) -> Vec<Hint> {
    if let Some(prompt) = &model.prompt {
        return prompt.hints();
    }
    if model.sheet.is_some() {
        return vec![("j/k", "scroll"), ("esc", "back")];
    }
    if let Some(open) = &model.handoff {
        return handoff::hints(open);
    }
    if model.calls.is_some() {
        return vec![("j/k", "select"), ("g", "newest"), ("esc", "back")];
    }
    let state = &model.incidents;
    if model.view == View::Incidents && state.picking.is_some() {
        return vec![("enter", "show"), ("j/k", "select"), ("esc", "back")];
    }
    match state.typing.filter(|_| model.view == View::Incidents) {
        Some(Typing::Filter) => return vec![("enter", "keep"), ("esc", "clear"), ("tab", "complete")],
        Some(Typing::Mark) => return vec![("enter", "mark"), ("esc", "leave it"), ("tab", "complete")],
        None => {}
    }
    if model.view == View::Incidents && state.opened.is_some() {
        let wanted =
            [Action::Acknowledge, Action::Resolve, Action::HandOff, Action::Note, Action::GoToDeliveries, Action::Link];
        let mut out = vec![("esc", "back")];
        out.extend(bound(model.view).filter(|(action, _)| wanted.contains(action)).map(|(_, hint)| hint));
        out.push(("?", "help"));
        return out;
    }
    if let Some(hints) = of_view(model) {
        return hints;
    }
    let in_list = |action: &Action| match action {
        action if webhooks::is_for_opened(*action) => false,
        Action::Open => model.view != View::OnCall || oncall::opens(model).is_some(),
        _ => true,
    };
    let (help, mut out): (Vec<_>, Vec<_>) =
        bound(model.view).filter(|(action, _)| in_list(action)).partition(|(action, _)| *action == Action::Help);
    out.extend(help);
    out.into_iter().map(|(_, hint)| hint).collect()
}

/// The hints of a view in which keys mean something else than the table says.
fn of_view(model: &Model) -> Option<Vec<Hint>> {
    match model.view {
        View::Incidents => None,
        View::OnCall => grid(model).or_else(|| filtering(&model.oncall.filter)),
        View::Webhooks => webhooks::hints(model).or_else(|| filtering(&model.webhooks.filter)),
        View::Templates => templates::hints(model).or_else(|| filtering(&model.templates.filter)),
        View::Services => filtering(&model.services.filter),
        View::Targets => targets::hints(model).or_else(|| filtering(&model.targets.filter)),
    }
}

fn grid(model: &Model) -> Option<Vec<Hint>> {
    let grid = model.oncall.grid.as_ref()?;
    let other = match grid.extent {
        Extent::Week => ("d", "day"),
        Extent::Day => ("w", "week"),
    };
    Some(vec![("esc", "back"), ("left/right", "turn"), other, ("t", "take"), ("?", "help")])
}

fn filtering(filter: &Filter) -> Option<Vec<Hint>> {
    filter.is_typing().then(|| vec![("enter", "keep"), ("esc", "clear")])
}

/// The hints of the table that hold in `view`.
pub(super) fn bound(view: View) -> impl Iterator<Item = (Action, Hint)> {
    let holds = move |scope| scope == Scope::In(view) || scope == Scope::Everywhere;
    let shown = BINDINGS.iter().filter(move |binding| holds(binding.scope) && !binding.hint.is_empty());
    shown.map(|binding| (binding.action, (binding.keys[0], binding.hint)))
}

/// As many hints as fit, and the last one in any case.
fn fitting(model: &Model, hints: &[Hint], width: usize) -> Line<'static> {
    let Some((last, others)) = hints.split_last() else { return Line::default() };
    let room = |hint: &Hint| columns(hint.0) + 1 + columns(hint.1) + 2;
    let mut used = room(last);
    let mut shown: Vec<&Hint> = vec![];
    for hint in others {
        if used + room(hint) > width + 2 {
            break;
        }
        used += room(hint);
        shown.push(hint);
    }
    shown.push(last);
    let mut line = Line::default();
    for (key, word) in shown {
        line.push_span(Span::styled(*key, style(model, Tone::Accent)));
        line.push_span(Span::styled(format!(" {word}  "), style(model, Tone::Faint)));
    }
    line
}
