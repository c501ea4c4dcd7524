//! What keys mean: one table, from which the key bindings, the help page and the footer come.

use crate::core::keys::Chord;

use super::View;

/// Everything a key can do. The name in the table is public: it stands in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    Quit,
    Suspend,
    Help,
    NextView,
    PreviousView,
    ShowIncidents,
    ShowOnCall,
    ShowWebhooks,
    ShowTemplates,
    Refresh,
    Down,
    Up,
    Top,
    Bottom,
    PageDown,
    PageUp,
    Open,
    Back,
    Filter,
    Mark,
    MarkDown,
    MarkUp,
    Acknowledge,
    Resolve,
    HandOff,
    Note,
    Snooze,
    Escalate,
    Merge,
    EditIncident,
    AddResponders,
    StatusUpdate,
    RunWorkflow,
    ResolveAlert,
    CreateIncident,
    TakeBack,
    CommandLine,
    Link,
    ShowResolved,
    Save,
    PickDelivery,
    NewTemplate,
    PreviewDown,
    PreviewUp,
    GoToIncident,
    GoToDeliveries,
    Follow,
    ShowPretty,
    ShowRaw,
    ShowHeaders,
    ShowTiming,
    Hex,
    Replay,
    CopyCurl,
    /// What the editor of a template does by itself.
    Edit,
    ApiLog,
    ShowTroubles,
    TakePager,
    NewOverride,
    RemoveOverride,
    DayGrid,
    WeekGrid,
    Earlier,
    Later,
    ShowServices,
    StartMaintenance,
    EndMaintenance,
    MarkAll,
    MarkMatching,
    PickView,
    GroupByService,
    AllSeen,
    HandOffShift,
    Runbook,
    ShowTargets,
    NewTarget,
    EditTarget,
    SwitchTarget,
    TestTarget,
    RemoveTarget,
    ResendFailed,
    FindText,
    FindNext,
    FindPrevious,
    JumpPair,
    Complete,
    ShowFields,
    CompareSaved,
    ShowVersions,
    ExternalEditor,
}

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Everywhere,
    In(View),
    /// While the text of a template is edited; see [`resolve_in_editor`].
    Editor,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    pub action: Action,
    pub scope: Scope,
    /// The chords, in words; the first is the one the footer shows.
    pub keys: &'static [&'static str],
    /// What it does, for the help page.
    pub help: &'static str,
    /// One word for the footer; empty: not in the footer.
    pub hint: &'static str,
}

const fn row(
    action: Action,
    scope: Scope,
    keys: &'static [&'static str],
    hint: &'static str,
    help: &'static str,
) -> Binding {
    Binding { action, scope, keys, help, hint }
}

/// All bindings, in the order of help and footer.
pub const BINDINGS: &[Binding] = &[
    row(
        Action::Acknowledge,
        Scope::In(View::Incidents),
        &["a"],
        "ack",
        "acknowledge the marked incidents, or the selected one",
    ),
    row(
        Action::Resolve,
        Scope::In(View::Incidents),
        &["R"],
        "resolve",
        "resolve the marked incidents, or the selected one",
    ),
    row(
        Action::HandOff,
        Scope::In(View::Incidents),
        &["h"],
        "hand off",
        "hand off to a person or an escalation policy",
    ),
    row(Action::Note, Scope::In(View::Incidents), &["n"], "note", "add a note"),
    row(Action::Snooze, Scope::In(View::Incidents), &["s"], "snooze", "snooze for a time or until a time"),
    row(Action::Escalate, Scope::In(View::Incidents), &["x"], "", "escalate to a level of the policy"),
    row(Action::Merge, Scope::In(View::Incidents), &["m"], "", "merge into another incident"),
    row(Action::EditIncident, Scope::In(View::Incidents), &["e"], "", "change title, urgency, priority, custom fields"),
    row(Action::AddResponders, Scope::In(View::Incidents), &["+"], "", "ask somebody to respond too"),
    row(Action::StatusUpdate, Scope::In(View::Incidents), &["U"], "", "send a status update to those who follow"),
    row(Action::RunWorkflow, Scope::In(View::Incidents), &["W"], "", "run an incident workflow"),
    row(Action::ResolveAlert, Scope::In(View::Incidents), &["A"], "", "resolve one alert of the incident"),
    row(Action::CreateIncident, Scope::In(View::Incidents), &["N"], "", "create an incident"),
    row(Action::CommandLine, Scope::In(View::Incidents), &[":"], "", "type a command: :snooze 2h, :ack, :merge 1201"),
    row(Action::Mark, Scope::In(View::Incidents), &["space"], "mark", "mark or unmark the selected incident"),
    row(Action::MarkDown, Scope::In(View::Incidents), &["shift-down"], "", "mark and go down"),
    row(Action::MarkUp, Scope::In(View::Incidents), &["shift-up"], "", "mark and go up"),
    row(
        Action::MarkAll,
        Scope::In(View::Incidents),
        &["ctrl-a"],
        "",
        "mark all that is listed; if it all is marked, take these marks off",
    ),
    row(Action::MarkMatching, Scope::In(View::Incidents), &["V"], "", "mark the listed ones that a query finds"),
    row(Action::PickView, Scope::In(View::Incidents), &["f"], "", "choose a saved view"),
    row(
        Action::GroupByService,
        Scope::In(View::Incidents),
        &["S"],
        "",
        "group by service, or list one by one; a storm groups by itself",
    ),
    row(Action::AllSeen, Scope::In(View::Incidents), &["z"], "", "take the marks off what is new or changed"),
    row(Action::ShowResolved, Scope::In(View::Incidents), &["v"], "", "show or hide resolved incidents"),
    row(Action::Link, Scope::In(View::Incidents), &["o"], "link", "show the link and copy it"),
    row(Action::Runbook, Scope::In(View::Incidents), &["b"], "", "the runbook: show its address and copy it"),
    row(
        Action::GoToDeliveries,
        Scope::In(View::Incidents),
        &["w"],
        "webhooks",
        "the webhooks of the incident; esc comes back",
    ),
    row(Action::ShowPretty, Scope::In(View::Webhooks), &["p"], "pretty", "opened: what it is, and its body indented"),
    row(Action::ShowRaw, Scope::In(View::Webhooks), &["r"], "raw", "opened: the body as it came"),
    row(Action::ShowHeaders, Scope::In(View::Webhooks), &["h"], "headers", "opened: its headers"),
    row(
        Action::ShowTiming,
        Scope::In(View::Webhooks),
        &["t"],
        "timing",
        "opened: where its time went, what it changed, what proved it genuine",
    ),
    row(Action::Hex, Scope::In(View::Webhooks), &["x"], "hex", "opened: the raw body as text, or byte by byte"),
    row(Action::GoToIncident, Scope::In(View::Webhooks), &["i"], "incident", "open the delivery's incident"),
    row(Action::Follow, Scope::In(View::Webhooks), &["f"], "follow", "to the top, and follow what comes in"),
    row(
        Action::Replay,
        Scope::In(View::Webhooks),
        &["R"],
        "replay",
        "apply the delivery once more, or send it again if it went out; asks first",
    ),
    row(
        Action::CopyCurl,
        Scope::In(View::Webhooks),
        &["c"],
        "curl",
        "copy a curl command that sends the delivery again",
    ),
    row(Action::NewTemplate, Scope::In(View::Templates), &["n"], "new", "a new template"),
    row(Action::ShowVersions, Scope::In(View::Templates), &["v"], "versions", "the former versions: compare, restore"),
    row(
        Action::TakePager,
        Scope::In(View::OnCall),
        &["t"],
        "take",
        "take the pager: put yourself on a schedule for a time",
    ),
    row(Action::NewOverride, Scope::In(View::OnCall), &["O"], "override", "put somebody on a schedule for a time"),
    row(Action::RemoveOverride, Scope::In(View::OnCall), &["D"], "remove", "take an override away"),
    row(Action::WeekGrid, Scope::In(View::OnCall), &["w"], "week", "the schedule as a grid, by week"),
    row(Action::DayGrid, Scope::In(View::OnCall), &["d"], "day", "all schedules as a grid, by day"),
    row(Action::Earlier, Scope::In(View::OnCall), &["left"], "", "grid: a day or a week back"),
    row(Action::Later, Scope::In(View::OnCall), &["right"], "", "grid: a day or a week on"),
    row(
        Action::StartMaintenance,
        Scope::In(View::Services),
        &["m"],
        "maintenance",
        "put the selected service into maintenance for a time",
    ),
    row(Action::EndMaintenance, Scope::In(View::Services), &["D"], "end", "end a maintenance window of the service"),
    row(
        Action::SwitchTarget,
        Scope::In(View::Targets),
        &["x", "space"],
        "on/off",
        "switch the target on or off; asks first",
    ),
    row(
        Action::TestTarget,
        Scope::In(View::Targets),
        &["t"],
        "test",
        "send a test to the target: a made-up event, or one that a delivery told of",
    ),
    row(Action::NewTarget, Scope::In(View::Targets), &["n"], "new", "a new target"),
    row(Action::EditTarget, Scope::In(View::Targets), &["e"], "edit", "change the target's settings"),
    row(
        Action::ResendFailed,
        Scope::In(View::Targets),
        &["r"],
        "resend",
        "send again to the target what failed; asks first",
    ),
    row(Action::GoToDeliveries, Scope::In(View::Targets), &["w"], "log", "the target's attempts in the webhook log"),
    row(Action::RemoveTarget, Scope::In(View::Targets), &["D"], "remove", "remove the target; asks first"),
    row(Action::ResendFailed, Scope::In(View::Webhooks), &["F"], "", "send again all that failed; asks first"),
    row(Action::Open, Scope::Everywhere, &["enter"], "open", "open the selected line"),
    row(Action::Back, Scope::Everywhere, &["esc"], "", "one step back"),
    row(Action::Filter, Scope::Everywhere, &["/"], "filter", "filter the list while typing"),
    row(Action::Down, Scope::Everywhere, &["j", "down"], "", "down"),
    row(Action::Up, Scope::Everywhere, &["k", "up"], "", "up"),
    row(Action::Top, Scope::Everywhere, &["g", "home"], "", "to the top"),
    row(Action::Bottom, Scope::Everywhere, &["G", "end"], "", "to the bottom"),
    row(Action::PageDown, Scope::Everywhere, &["pgdn", "ctrl-f"], "", "a page down"),
    row(Action::PageUp, Scope::Everywhere, &["pgup", "ctrl-b"], "", "a page up"),
    row(Action::NextView, Scope::Everywhere, &["tab"], "view", "next view"),
    row(Action::PreviousView, Scope::Everywhere, &["shift-tab"], "", "previous view"),
    row(Action::ShowIncidents, Scope::Everywhere, &["1"], "", "incidents"),
    row(Action::ShowOnCall, Scope::Everywhere, &["2"], "", "on-call"),
    row(Action::ShowWebhooks, Scope::Everywhere, &["3"], "", "webhooks"),
    row(Action::ShowTemplates, Scope::Everywhere, &["4"], "", "templates"),
    row(Action::ShowServices, Scope::Everywhere, &["5"], "", "services"),
    row(Action::ShowTargets, Scope::Everywhere, &["6"], "", "targets of outgoing webhooks"),
    row(Action::Refresh, Scope::Everywhere, &["ctrl-r"], "", "ask the providers now"),
    row(Action::TakeBack, Scope::Everywhere, &["u"], "", "take back the last action while it waits"),
    row(Action::HandOffShift, Scope::Everywhere, &["H"], "", "hand off a shift: what whoever comes next must know"),
    row(Action::ApiLog, Scope::Everywhere, &["L"], "", "the API log: what was asked of the providers"),
    row(Action::ShowTroubles, Scope::Everywhere, &["!"], "", "all that is wrong now, in full"),
    row(Action::Help, Scope::Everywhere, &["?"], "help", "this page"),
    row(Action::Quit, Scope::Everywhere, &["q", "ctrl-c"], "quit", "quit"),
    row(Action::Suspend, Scope::Everywhere, &["ctrl-z"], "", "suspend; `fg` comes back"),
    row(Action::Save, Scope::Editor, &["ctrl-s"], "save", "save the template"),
    row(Action::Help, Scope::Editor, &["f1"], "keys", "this page"),
    row(Action::PickDelivery, Scope::Editor, &["ctrl-d"], "delivery", "choose the delivery for the preview"),
    row(Action::ShowFields, Scope::Editor, &["ctrl-t"], "fields", "the delivery's fields; enter puts one in"),
    row(Action::Complete, Scope::Editor, &["ctrl-space"], "", "what may stand here: helpers and fields"),
    row(Action::FindText, Scope::Editor, &["ctrl-f"], "find", "look for a text; enter, up: next, previous"),
    row(Action::FindNext, Scope::Editor, &["alt-n", "f3"], "", "the next find"),
    row(Action::FindPrevious, Scope::Editor, &["alt-p", "shift-f3"], "", "the previous find"),
    row(Action::JumpPair, Scope::Editor, &["alt-m"], "", "to the other end of the bracket or block"),
    row(Action::ExternalEditor, Scope::Editor, &["ctrl-e"], "$EDITOR", "go on in $VISUAL or $EDITOR"),
    row(Action::CompareSaved, Scope::Editor, &["ctrl-o"], "compare", "how the output differs from the saved text's"),
    row(Action::ShowVersions, Scope::Editor, &["alt-v"], "", "the former versions: compare, restore"),
    row(Action::PreviewDown, Scope::Editor, &["alt-down"], "", "scroll the preview down"),
    row(Action::PreviewUp, Scope::Editor, &["alt-up"], "", "scroll the preview up"),
    row(Action::Edit, Scope::Editor, &["ctrl-u"], "", "undo"),
    row(Action::Edit, Scope::Editor, &["ctrl-r"], "", "redo"),
    row(Action::Edit, Scope::Editor, &["ctrl-w", "alt-d"], "", "delete the word before, behind"),
    row(Action::Edit, Scope::Editor, &["ctrl-j", "ctrl-k"], "", "delete to the start, to the end of the line"),
    row(Action::Edit, Scope::Editor, &["shift-left", "shift-right", "shift-up", "shift-down"], "", "select"),
    row(Action::Edit, Scope::Editor, &["ctrl-x", "ctrl-y"], "", "cut what is selected, put it in"),
    row(Action::Edit, Scope::Editor, &["ctrl-left", "ctrl-right"], "", "a word back, on"),
    row(Action::Edit, Scope::Editor, &["tab", "shift-tab"], "", "move the selected lines in, out"),
    row(Action::Edit, Scope::Editor, &["home", "end"], "", "to the start, to the end of the line"),
    row(Action::Edit, Scope::Editor, &["alt-<", "alt->"], "", "to the first, to the last line"),
];

/// What `chord` means in `view`; a view's own bindings come before those that hold everywhere.
pub fn resolve(chord: Chord, view: View) -> Option<Action> {
    let wanted = chord.to_string();
    let bound = |scope: Scope| {
        BINDINGS.iter().find(|b| b.scope == scope && b.keys.contains(&wanted.as_str())).map(|b| b.action)
    };
    bound(Scope::In(view)).or_else(|| bound(Scope::Everywhere))
}

/// What `chord` means while the text of a template is edited, unless it is for the text itself.
pub fn resolve_in_editor(chord: Chord) -> Option<Action> {
    let wanted = chord.to_string();
    let bound = BINDINGS.iter().find(|b| b.scope == Scope::Editor && b.keys.contains(&wanted.as_str()));
    bound.map(|b| b.action).filter(|action| *action != Action::Edit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_in_the_table_is_a_key_and_means_one_thing() {
        for binding in BINDINGS {
            for key in binding.keys {
                let chord: Chord = key.parse().expect(key);
                assert_eq!(&chord.to_string(), key);
                let same = |b: &&Binding| b.scope == binding.scope && b.keys.contains(key);
                assert_eq!(BINDINGS.iter().filter(same).count(), 1, "{key} is bound twice");
            }
        }
    }
}
