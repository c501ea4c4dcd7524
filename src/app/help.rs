//! The help page, from the same table as the keys.

use super::{
    Model, View,
    keys::{BINDINGS, Binding, Scope},
    page::{Page, Piece, Tone},
};
use crate::core::{
    query::{delivery, incident},
    words::wrap,
};

/// Columns for the keys.
const KEYS: usize = 14;

/// The help for the view that is shown, as lines of `width`.
pub fn page(model: &Model, width: usize) -> Vec<Vec<Piece>> {
    let view = model.view;
    let mut page = Page::new(width);
    page.text(0, Tone::Strong, &format!("Keys in {}", view.name()));
    section(&mut page, width, Scope::In(view));
    if view == View::Templates {
        page.heading("Keys in the text of a template");
        section(&mut page, width, Scope::Editor);
    }
    if view == View::Webhooks {
        page.heading("What / looks for");
        for (example, meaning) in LANGUAGE.iter().chain(delivery::FIELDS) {
            row(&mut page, width, example, meaning);
        }
    }
    if view == View::Targets {
        page.heading("How targets stand");
        for (mark, meaning) in STANDING {
            row(&mut page, width, mark, meaning);
        }
    }
    if view == View::Incidents {
        page.heading("What / and V look for");
        for (example, meaning) in incident::LANGUAGE.iter().chain(incident::FIELDS) {
            row(&mut page, width, example, meaning);
        }
        views(&mut page, model, width);
    }
    page.heading("Keys everywhere");
    section(&mut page, width, Scope::Everywhere);
    page.heading("Marks");
    for (mark, meaning) in MARKS {
        row(&mut page, width, mark, meaning);
    }
    page.lines
}

fn views(page: &mut Page, model: &Model, width: usize) {
    if model.incidents.views.all.is_empty() {
        return;
    }
    page.heading("Saved views");
    for view in &model.incidents.views.all {
        let key = view.key.map_or_else(|| "f".to_owned(), |key| key.to_string());
        row(page, width, &key, &format!("{}: {}", view.name, view.query));
    }
}

const LANGUAGE: &[(&str, &str)] = &[
    ("disk full", "both words, in what the log shows"),
    ("\"disk full\"", "one after the other, also in the body"),
    ("!disk", "not this; ! goes before anything"),
    ("a or b", "either side of it"),
    ("field:a,b", "the field is one of these:"),
];

const STANDING: &[(&str, &str)] = &[
    ("+ on", "events are sent to it"),
    ("~ failing", "so they are, but it took none since the time that is told"),
    ("- off", "somebody switched it off: what happens meanwhile is not sent later"),
    ("! DISABLED", "it failed for more than three days: x switches it on, and it begins anew"),
    ("? broken", "a secret or its template cannot be read: events wait until they can be sent"),
];

const MARKS: &[(&str, &str)] = &[
    ("▸", "the selected line"),
    ("*", "marked: keys that act mean all the marked ones"),
    ("+ •", "new, or changed, since you looked; off when the hand is on it"),
    ("! ~ -", "triggered, acknowledged, resolved"),
    ("… x ?", "an action under way, failed, not sent or its end unknown; open the incident to read why"),
];

fn section(page: &mut Page, width: usize, scope: Scope) {
    for Binding { keys, help, .. } in BINDINGS.iter().filter(|binding| binding.scope == scope) {
        row(page, width, &keys.join(" "), help);
    }
}

fn row(page: &mut Page, width: usize, keys: &str, meaning: &str) {
    for (at, line) in wrap(meaning, width.saturating_sub(KEYS)).into_iter().enumerate() {
        let keys = if at == 0 { keys } else { "" };
        page.line(vec![Piece::new(Tone::Accent, format!("{keys:<KEYS$}")), Piece::new(Tone::Plain, line)]);
    }
}
