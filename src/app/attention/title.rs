//! The title of the window: how much is open, and whether that can be relied on. Nothing from outside stands in it.

use crate::{
    app::{Effect, Link, Model, troubles::is_zero_true},
    core::{notify::WindowTitle, text::Shown},
};

/// Gives the window another title, if what it has is not true any more.
pub(super) fn changed(model: &mut Model) -> Option<Effect> {
    if model.attention.settings.title == WindowTitle::Untouched {
        return None;
    }
    let title = words(model);
    if model.attention.title.as_ref() == Some(&title) {
        return None;
    }
    let effect = Effect::Title(Shown::line(&title));
    model.attention.title = Some(title);
    Some(effect)
}

fn words(model: &Model) -> String {
    let counts = model.board.counts();
    let is_true = is_zero_true(model);
    let open = match (counts.triggered, counts.acknowledged) {
        _ if matches!(model.link, Link::Connecting) => "connecting".to_owned(),
        (0, 0) if !is_true => "open: not known".to_owned(),
        (0, 0) => "nothing open".to_owned(),
        (triggered, acked) if is_true => format!("{triggered} triggered, {acked} acked"),
        (triggered, acked) => format!("{triggered} triggered?, {acked} acked?"),
    };
    let (new, changed) = model.attention.news.counts();
    let news = match (new, changed) {
        (0, 0) => String::new(),
        (new, 0) => format!(", {new} new"),
        (0, changed) => format!(", {changed} changed"),
        (new, changed) => format!(", {new} new, {changed} changed"),
    };
    let storm = if model.attention.storm.is_on() { "STORM, " } else { "" };
    format!("{storm}{open}{news} - dogwatch")
}
