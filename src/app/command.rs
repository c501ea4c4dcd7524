//! The command line: `:snooze 2h`, `:handoff bob: yours now`. A command opens the same prompt as a key does, filled in.

use super::{
    Effect, Model, NoticeKind, incidents,
    keys::Action,
    prompt::{Preset, Wish},
    typing::TypedLine,
};
use crate::core::{
    keys::{Chord, Key},
    query::nearest,
};

/// What the line remembers.
#[derive(Debug, Default)]
pub struct CommandLine {
    /// What is being typed; `None`: no command is.
    pub line: Option<TypedLine>,
    /// Commands of before, the newest last.
    history: Vec<String>,
    /// Which of them is shown, counted from the newest.
    at: Option<usize>,
}

/// Commands that are remembered.
const HISTORY: usize = 50;

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Everything behind the name is a text.
    Text(Wish),
    /// What is chosen, and behind a colon the text that goes with it.
    Choose(Wish),
    /// The same where what is chosen is named by the command.
    Named(Wish, &'static str),
    Key(Action),
}

/// The commands, in the order of the help.
const COMMANDS: &[(&str, Does)] = &[
    ("ack", Does::Text(Wish::Acknowledge)),
    ("resolve", Does::Text(Wish::Resolve)),
    ("snooze", Does::Choose(Wish::Snooze)),
    ("handoff", Does::Choose(Wish::HandOff)),
    ("escalate", Does::Choose(Wish::Escalate)),
    ("merge", Does::Choose(Wish::Merge)),
    ("note", Does::Text(Wish::Note)),
    ("title", Does::Named(Wish::Edit, "title")),
    ("urgency", Does::Choose(Wish::Edit)),
    ("priority", Does::Choose(Wish::Edit)),
    ("field", Does::Choose(Wish::Edit)),
    ("responders", Does::Choose(Wish::AddResponders)),
    ("status-update", Does::Text(Wish::StatusUpdate)),
    ("workflow", Does::Choose(Wish::RunWorkflow)),
    ("resolve-alert", Does::Choose(Wish::ResolveAlert)),
    ("create", Does::Choose(Wish::Create)),
    ("shift", Does::Key(Action::HandOffShift)),
    ("undo", Does::Key(Action::TakeBack)),
    ("group", Does::Key(Action::GroupByService)),
    ("seen", Does::Key(Action::AllSeen)),
    ("refresh", Does::Key(Action::Refresh)),
    ("troubles", Does::Key(Action::ShowTroubles)),
    ("help", Does::Key(Action::Help)),
    ("quit", Does::Key(Action::Quit)),
];

/// The names of all commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, _)| *name)
}

pub(super) fn open(model: &mut Model) {
    model.command.line = Some(TypedLine::default());
    model.command.at = None;
}

/// A key while a command is typed; `None`: none is.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let state = &mut model.command;
    let line = state.line.as_mut()?;
    match chord.key {
        Key::Esc => state.line = None,
        Key::Backspace if line.is_empty() => state.line = None,
        Key::Enter => {
            let text = line.as_str().trim().to_owned();
            state.line = None;
            return Some(run(model, &text));
        }
        Key::Tab => complete(line),
        Key::Up => recall(state, 1),
        Key::Down => recall(state, -1),
        _ => drop(line.take(chord)),
    }
    Some(vec![])
}

/// Pasted text; `false`: no command is being typed.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    let Some(line) = &mut model.command.line else { return false };
    line.insert(text);
    true
}

/// The rest that all commands share which begin so.
fn complete(line: &mut TypedLine) {
    let typed = line.as_str().to_owned();
    let fitting: Vec<_> = names().filter(|name| name.starts_with(&typed)).collect();
    let Some(first) = fitting.first() else { return };
    let shared =
        (typed.len()..=first.len()).rev().find(|end| fitting.iter().all(|name| name.get(..*end) == first.get(..*end)));
    line.insert(shared.and_then(|end| first.get(typed.len()..end)).unwrap_or_default());
    if fitting.len() == 1 {
        line.insert(" ");
    }
}

/// Shows an older command, or with `-1` a newer one.
fn recall(state: &mut CommandLine, by: isize) {
    let at = state.at.map_or(Some(0).filter(|_| by > 0), |at| at.checked_add_signed(by));
    let text = at.and_then(|at| state.history.iter().rev().nth(at)).cloned();
    if text.is_none() && by > 0 {
        return;
    }
    state.at = at;
    let mut line = TypedLine::default();
    line.insert(&text.unwrap_or_default());
    state.line = Some(line);
}

fn run(model: &mut Model, text: &str) -> Vec<Effect> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if name.is_empty() {
        return vec![];
    }
    model.command.history.retain(|known| known != text);
    model.command.history.push(text.to_owned());
    let surplus = model.command.history.len().saturating_sub(HISTORY);
    model.command.history.drain(..surplus);
    let rest = rest.trim();
    let Some(does) = command(name) else {
        let known: Vec<_> = names().collect();
        let near = nearest(name, &known).map(|near| format!(" Did you mean :{near}?")).unwrap_or_default();
        model.say(NoticeKind::Bad, &format!("there is no command :{name}.{near} tab completes, ? lists the keys"));
        return vec![];
    };
    match does {
        Does::Text(Wish::Acknowledge) if !rest.is_empty() => {
            model.say(NoticeKind::Bad, &format!(":{name} takes nothing behind it; mark incidents with space"));
            vec![]
        }
        Does::Text(wish) => incidents::begin_with(model, wish, &Preset { choice: "", text: rest }),
        Does::Named(wish, choice) => incidents::begin_with(model, wish, &Preset { choice, text: rest }),
        Does::Choose(wish) => {
            // A clock time has a colon too, but no space behind it.
            let (choice, text) = rest.split_once(": ").unwrap_or((rest, ""));
            incidents::begin_with(model, wish, &Preset { choice: choice.trim(), text: text.trim() })
        }
        Does::Key(action) => super::act(model, action),
    }
}

/// The command of this name, or the only one that begins so.
fn command(name: &str) -> Option<Does> {
    let mut fitting = COMMANDS.iter().filter(|(known, _)| known.starts_with(name));
    let exact = COMMANDS.iter().find(|(known, _)| *known == name);
    exact.or_else(|| fitting.next().filter(|_| fitting.next().is_none())).map(|(_, does)| *does)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            fixtures::{bob, model, press, requests, type_text},
            prompt::{Ask, Stage},
        },
        core::action::{Assignee, Verb},
        proto::Request,
    };

    fn run(model: &mut Model, text: &str) -> Vec<Effect> {
        press(model, ":");
        type_text(model, text);
        press(model, "enter")
    }

    fn sent(effects: &[Effect]) -> Option<Verb> {
        requests(effects).into_iter().find_map(|(_, request)| match request {
            Request::Act { verb, .. } => Some(verb),
            _ => None,
        })
    }

    fn stage(model: &Model) -> Stage {
        match &model.prompt.as_ref().expect("a prompt").ask {
            Ask::Pick(pick) => pick.stage,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_fills_the_prompt_in_and_asks_before_it_is_done() {
        let mut model = model(80, 24);

        assert_eq!(sent(&run(&mut model, "handoff okafor: yours now")), None);
        assert_eq!(stage(&model), Stage::Confirming);
        let verb = sent(&press(&mut model, "enter"));

        assert_eq!(verb, Some(Verb::HandOff { to: Assignee::User(bob()), note: Some("yours now".into()) }));
    }

    #[test]
    fn a_time_with_a_colon_is_a_time_and_not_a_text() {
        let mut model = model(80, 24);
        run(&mut model, "snooze until 09:00");

        let Some(Verb::Snooze { until }) = sent(&press(&mut model, "enter")) else { panic!("no snooze") };

        // 09:00 in Berlin.
        assert_eq!(until, crate::app::fixtures::time("2025-06-10T07:00:00Z"));
    }

    #[test]
    fn a_command_that_does_not_exist_names_the_nearest_and_does_nothing() {
        let mut model = model(80, 24);

        assert_eq!(run(&mut model, "snoze 2h"), vec![]);

        let notice = model.notice.as_ref().expect("a notice");
        assert!(notice.text.as_str().contains("Did you mean :snooze?"), "{}", notice.text);
        assert!(model.prompt.is_none());
    }

    #[test]
    fn tab_completes_as_far_as_the_commands_agree_and_up_brings_back_what_was_typed() {
        let mut model = model(80, 24);
        let line = |model: &Model| model.command.line.as_ref().map(|line| line.as_str().to_owned());
        press(&mut model, ":");
        type_text(&mut model, "re");
        press(&mut model, "tab");
        assert_eq!(line(&model).as_deref(), Some("re"));
        type_text(&mut model, "so");
        press(&mut model, "tab");
        assert_eq!(line(&model).as_deref(), Some("resolve"));
        press(&mut model, "ctrl-u");
        type_text(&mut model, "sn");
        press(&mut model, "tab");
        assert_eq!(line(&model).as_deref(), Some("snooze "));
        press(&mut model, "esc");

        run(&mut model, "undo");
        press(&mut model, ": up");
        assert_eq!(line(&model).as_deref(), Some("undo"));
        press(&mut model, "down");
        assert_eq!(line(&model).as_deref(), Some(""));
    }
}
