//! The list grouped by service: one line a group with all that it holds, counted.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line as Text, Span},
};

use super::{
    super::{
        parts::cell,
        theme::{Tone, style},
        words::{age, since},
    },
    Columns, row,
};
use crate::{
    app::{
        Model,
        attention::Novelty,
        incidents::{Group, GroupKey, Groups, Line},
        page::Piece,
    },
    core::text::{columns, fit},
};

/// The service's name may take so much; the counts are never cut.
const NAME: usize = 24;

pub(super) fn rows(model: &Model, groups: &Groups, widths: &Columns, frame: &mut Frame<'_>, area: Rect) {
    for (area, line) in area.rows().zip(groups.lines.iter().skip(groups.cursor.offset())) {
        let drawn = match line {
            Line::Group(key) => groups.group(key).map(|group| head(model, groups, key, group, area.width.into())),
            Line::Incident(key) => model.board.incidents.get(key).map(|incident| row(model, incident, widths)),
        };
        if let Some(drawn) = drawn {
            frame.render_widget(drawn, area);
        }
    }
}

/// `▸ > Payments API  9 trig 2 ack  +9 new  2m: disk full`.
fn head(model: &Model, groups: &Groups, key: &GroupKey, group: &Group, width: usize) -> Text<'static> {
    let selected = if groups.at_hand().is_some_and(|(known, _)| known == key) { "▸" } else { " " };
    let marked = &model.incidents.marked;
    let is_marked = !marked.is_empty() && group.members.iter().any(|key| marked.contains(key));
    let mark = if is_marked { "*" } else { " " };
    let fold = if groups.is_unfolded(key) { "v" } else { ">" };
    let mut pieces = vec![
        Piece::new(Tone::Accent, format!("{selected}{mark}{fold} ")),
        Piece::new(Tone::Strong, cell(&name(model, key, group), NAME.min(width / 3))),
    ];
    pieces.extend(counts(group));
    pieces.extend(news(model, group));
    let used: usize = pieces.iter().map(|piece| columns(&piece.text)).sum();
    let age = age(since(group.newest.0, model.board.provider_time(&key.0, model.now)));
    let newest = fit(&format!("  {age}: {}", group.newest.1), width.saturating_sub(used));
    pieces.push(Piece::new(Tone::Faint, newest));
    pieces.into_iter().map(|piece| Span::styled(piece.text, style(model, piece.tone))).collect()
}

/// The service; with its account where there are several.
fn name(model: &Model, (account, _): &GroupKey, group: &Group) -> String {
    if model.board.accounts.len() > 1 { format!("{account} {}", group.service) } else { group.service.to_string() }
}

fn counts(group: &Group) -> impl Iterator<Item = Piece> {
    let all = [
        (group.triggered, "trig", Tone::Alarm),
        (group.acknowledged, "ack", Tone::Caution),
        (group.resolved, "done", Tone::Faint),
    ];
    let piece = |(at, (count, word, tone))| {
        let space = if at == 0 { "  " } else { " " };
        Piece::new(tone, format!("{space}{count} {word}"))
    };
    all.into_iter().filter(|(count, _, _)| *count > 0).enumerate().map(piece)
}

/// How many of them are new or changed since somebody looked.
fn news(model: &Model, group: &Group) -> Option<Piece> {
    let (mut new, mut changed) = (0, 0);
    for novelty in group.members.iter().filter_map(|key| model.attention.news.of(key)) {
        match novelty {
            Novelty::New => new += 1,
            Novelty::Changed => changed += 1,
        }
    }
    let text = match (new, changed) {
        (0, 0) => return None,
        (new, 0) => format!("  +{new}"),
        (0, changed) => format!("  •{changed}"),
        (new, changed) => format!("  +{new} •{changed}"),
    };
    Some(Piece::new(Tone::Accent, text))
}
