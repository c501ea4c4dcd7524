//! What stands where no incident is listed. "Nothing open" is said only of a source that has answered and
//! still answers; anything else is said as what it is.

use ratatui::{Frame, layout::Rect};

use super::super::{
    theme::Tone,
    words::{ago, count},
};
use crate::{
    app::{Link, Model, page::Page},
    core::{
        freshness::{Account, Standing},
        text::Shown,
    },
};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let mut page = Page::new(area.width.into());
    page.blank();
    say(&mut page, model);
    super::super::page(model, page.lines, 0, frame, area);
}

fn say(page: &mut Page, model: &Model) {
    let state = &model.incidents;
    let (filtered, unknown) = (state.rows.filtered_out(), state.rows.unknown());
    let filter = Shown::line(state.filter.as_str());
    if unknown > 0 {
        let hidden = count(unknown, "incident may match", "incidents may match");
        page.text(2, Tone::Caution, &format!("{hidden} “{filter}”: what it asks is not known of them."));
    }
    if filtered > 0 {
        let hidden = count(filtered, "incident does", "incidents do");
        page.text(2, Tone::Caution, &format!("{hidden} not match “{filter}”. Esc clears the filter."));
    }
    if filtered + unknown > 0 {
        return;
    }
    match &model.link {
        Link::Connecting => return page.text(2, Tone::Caution, "Connecting to the server…"),
        Link::Lost { .. } => {
            page.text(2, Tone::Alarm, "Not known: the link to the server is gone.");
            page.text(2, Tone::Plain, "It is being looked for.");
            return;
        }
        Link::Up(_) => {}
    }
    if model.board.accounts.is_empty() {
        page.text(2, Tone::Caution, "No account is configured. `dogwatch config init` writes a sample.");
        return;
    }
    for board in model.board.accounts.values() {
        let (tone, text) = account(model, &board.account);
        page.text(2, tone, &text);
    }
    let hidden = state.rows.hidden_resolved();
    if hidden > 0 {
        page.text(2, Tone::Faint, &format!("{hidden} resolved: v shows them."));
    }
}

fn account(model: &Model, account: &Account) -> (Tone, String) {
    let name = &account.name;
    if account.rest_off.is_some() {
        let text = "webhooks only: no open incident came in, and what was open before is not known.";
        return (Tone::Caution, format!("{name}: {text}"));
    }
    let refused = account.rest.failure.as_ref().is_some_and(|failure| failure.unauthorised);
    match account.rest_standing(model.now) {
        Standing::Waiting => (Tone::Caution, format!("{name}: waiting for the first answer…")),
        Standing::Fresh { age } if model.board.unshown > 0 => {
            let waiting = format!("nothing open as of {}, but webhooks wait that are not shown yet.", ago(age));
            (Tone::Caution, format!("{name}: {waiting}"))
        }
        Standing::Fresh { age } => (Tone::Calm, format!("{name}: nothing open, as of {}.", ago(age))),
        Standing::Stale { cause, .. } | Standing::Down { cause } if refused => {
            (Tone::Alarm, format!("{name}: not known, the key is refused: {cause} (`dogwatch doctor` says more)"))
        }
        Standing::Stale { age, cause } => {
            (Tone::Alarm, format!("{name}: not known. Nothing was open {}; since then: {cause}", ago(age)))
        }
        Standing::Down { cause } => (Tone::Alarm, format!("{name}: not known, there was no answer yet: {cause}")),
    }
}
