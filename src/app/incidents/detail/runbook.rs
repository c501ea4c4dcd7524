//! The runbook on a key. It is told by the alert, by a rule of the settings, or by the service's description: the first two come
//! with the detail, the last one with what lies around the incident, which is asked for then.

use crate::{
    app::{Effect, Link, Model, NoticeKind},
    core::runbook::Runbook,
};

use super::{Opened, around};

/// All that are known, the likeliest first.
pub(super) fn known(opened: &Opened) -> Vec<&Runbook> {
    let told = opened.detail.iter().flat_map(|detail| &detail.runbooks);
    let more = opened.around.told.iter().flat_map(|context| &context.runbooks);
    let mut all: Vec<&Runbook> = vec![];
    for one in told.chain(more) {
        if all.iter().all(|known| known.url != one.url) {
            all.push(one);
        }
    }
    all
}

/// Shows the address and copies it, now or when it is known.
pub(in crate::app::incidents) fn show(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &mut model.incidents.opened else { return vec![] };
    opened.wants_runbook = false;
    let all = known(opened);
    if let [first, others @ ..] = all.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!(", {} more in the detail", others.len()) };
        let words = format!("runbook: {} ({}{more}; copied, if the terminal allows it)", first.url, first.from);
        let url = first.url.as_str().to_owned();
        model.say(NoticeKind::Good, &words);
        return vec![Effect::Copy(url)];
    }
    look_further(model)
}

fn look_further(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &mut model.incidents.opened else { return vec![] };
    if opened.waiting.is_some() || opened.around.is_waiting() {
        opened.wants_runbook = true;
        model.say(NoticeKind::Working, "looking for the runbook…");
        return vec![];
    }
    if opened.around.is_settled() || !matches!(model.link, Link::Up(_)) {
        let doubt = if opened.doubts_runbook() { " (not all of it could be asked for)" } else { "" };
        let words = format!(
            "no runbook{doubt}: neither the alert, nor a [[runbook]] of the settings, nor the service's description names one"
        );
        model.say(NoticeKind::Bad, &words);
        return vec![];
    }
    opened.wants_runbook = true;
    model.say(NoticeKind::Working, "looking for the runbook in the service's description…");
    around::look(model)
}

/// Something was answered: the runbook that was asked for before may be in it.
pub(super) fn go_on(model: &mut Model) -> Vec<Effect> {
    let wanted = model.incidents.opened.as_ref().is_some_and(|opened| opened.wants_runbook);
    if wanted { show(model) } else { vec![] }
}

impl Opened {
    /// Whether something that might name one is not known.
    fn doubts_runbook(&self) -> bool {
        let whole = self.detail.as_ref().is_some_and(|detail| detail.missing.is_empty()) && self.failure.is_none();
        !whole || self.around.told.as_ref().is_none_or(|context| context.service.told().is_none())
    }
}
