//! The server that answers now has another store than the one before: what was known by the numbers and names of that
//! one is let go of, so that nothing is done to what another one calls the same.

use super::{Effect, Model, NoticeKind, arranging, handoff, incidents, prompt, targets, templates, webhooks};

/// Why it is not known what became of an action that the other server had taken.
pub(super) const ANOTHER: &str = "another server answers now, which knows nothing of it";

/// After the new board was taken over.
pub(super) fn parted(model: &mut Model) -> Vec<Effect> {
    let closed = [prompt::parted(model), handoff::parted(model), webhooks::parted(model), targets::parted(model)];
    if closed.contains(&true) {
        model.say(NoticeKind::Bad, "another server answers now: what was open of the earlier one is closed");
    }
    templates::parted(model);
    arranging::parted(model);
    incidents::parted(model);
    handoff::ask_anew(model)
}
