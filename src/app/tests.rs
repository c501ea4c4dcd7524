//! The console as a whole: keys in, effects out.

use super::{
    Effect, Event, Link, Model, NoticeKind, Role, View,
    fixtures::{self, ago, answer, model, now, press, requests},
    keys::{Action, BINDINGS},
    prompt::Ask,
    update,
};
use crate::proto::{Access, Answer, Request};

#[test]
fn q_and_ctrl_c_quit_and_ctrl_z_suspends() {
    let mut model = model(80, 24);
    model.link = Link::Up(Role::Attached);
    assert_eq!(press(&mut model, "q"), [Effect::Quit]);
    assert_eq!(press(&mut model, "ctrl-c"), [Effect::Quit]);
    assert_eq!(press(&mut model, "ctrl-z"), [Effect::Suspend]);
    assert_eq!(update(&mut model, Event::Ended), [Effect::Quit]);
}

#[test]
fn the_owner_is_suspended_only_when_asked_twice_in_a_row() {
    let told = |model: &Model| model.notice.as_ref().map(|notice| notice.text.to_string());
    for place in ["", "n x", "/ x", "2", "?"] {
        let mut model = model(80, 24);
        press(&mut model, place);
        assert_eq!(press(&mut model, "ctrl-z"), []);
        let text = told(&model).expect("a warning");
        assert!(text.contains("receives no webhooks") && text.contains("ctrl-z again"), "{text}");

        press(&mut model, "down");
        assert_eq!(told(&model), None, "{place}: taken back");
        assert_eq!(press(&mut model, "ctrl-z"), [], "{place}");
        assert_eq!(press(&mut model, "ctrl-z"), [Effect::Suspend], "{place}");

        assert_eq!(told(&model), None, "{place}");
        assert_eq!(press(&mut model, "ctrl-z"), [], "{place}: back in the foreground, it is asked anew");
    }
}

#[test]
fn asking_to_suspend_does_not_answer_the_question_whether_to_quit() {
    let mut model = model(80, 24);
    press(&mut model, "4 n x enter y");
    assert_eq!(press(&mut model, "ctrl-c"), []);
    assert_eq!(press(&mut model, "ctrl-z"), []);
    assert_eq!(press(&mut model, "ctrl-c"), []);
    assert_eq!(press(&mut model, "ctrl-c"), [Effect::Quit]);
}

#[test]
fn q_is_a_letter_while_something_is_typed_and_ctrl_c_still_quits() {
    for typing in ["/", "n", "h"] {
        let mut model = model(80, 24);
        assert_eq!(press(&mut model, &format!("{typing} q ? 2 tab")), []);
        assert_eq!(model.view, View::Incidents);
        assert_eq!(press(&mut model, "ctrl-c"), [Effect::Quit]);
    }
}

#[test]
fn tab_and_numbers_go_from_view_to_view() {
    let mut model = model(80, 24);
    press(&mut model, "tab");
    assert_eq!(model.view, View::OnCall);
    press(&mut model, "shift-tab shift-tab");
    assert_eq!(model.view, View::Targets);
    press(&mut model, "shift-tab");
    assert_eq!(model.view, View::Services);
    model.view = View::Incidents;
    press(&mut model, "3");
    assert_eq!(model.view, View::Webhooks);
}

#[test]
fn a_screen_that_is_too_small_takes_no_key_but_quit() {
    let mut model = model(39, 24);
    assert_eq!(press(&mut model, "a enter R enter j space"), []);
    assert!(model.prompt.is_none() && model.incidents.marked.is_empty());
    assert_eq!(press(&mut model, "q"), [Effect::Quit]);

    update(&mut model, Event::Resized { width: 80, height: 24 });
    press(&mut model, "n x");
    update(&mut model, Event::Resized { width: 30, height: 5 });

    assert_eq!(press(&mut model, "q"), [], "a half-typed note is not thrown away by a letter");
    assert_eq!(press(&mut model, "ctrl-c"), [Effect::Quit]);
}

#[test]
fn escape_goes_back_one_step_at_a_time() {
    let mut model = model(80, 24);
    press(&mut model, "space / d b enter enter ?");

    press(&mut model, "esc");
    assert!(model.sheet.is_none() && model.incidents.opened.is_some());
    press(&mut model, "esc");
    assert!(model.incidents.opened.is_none() && !model.incidents.filter.is_empty());
    press(&mut model, "esc");
    assert!(model.incidents.filter.is_empty() && !model.incidents.marked.is_empty());
    press(&mut model, "esc");
    assert!(model.incidents.marked.is_empty());
    assert_eq!(press(&mut model, "esc"), []);
}

#[test]
fn help_scrolls_no_further_than_its_end_and_has_every_binding() {
    let mut model = model(80, 24);
    press(&mut model, "? G");
    let end = model.sheet;
    press(&mut model, "j pgdn");
    assert_eq!(model.sheet, end);
    press(&mut model, "g");
    assert_eq!(model.sheet.map(|sheet| sheet.offset), Some(0));

    for view in View::ALL {
        model.view = view;
        let page = super::help::page(&model, 120);
        let text: String = page.iter().flatten().map(|piece| piece.text.as_str()).collect();
        let holds = |b: &&super::keys::Binding| {
            let editor = b.scope == super::keys::Scope::Editor && view == View::Templates;
            matches!(b.scope, super::keys::Scope::Everywhere) || b.scope == super::keys::Scope::In(view) || editor
        };
        for binding in BINDINGS.iter().filter(holds) {
            assert!(text.contains(binding.help), "{:?}", binding.action);
        }
    }
}

#[test]
fn good_news_go_with_the_next_key_and_bad_news_stay_while_looking_around() {
    let mut model = model(80, 24);
    model.say(NoticeKind::Good, "done");
    press(&mut model, "j");
    assert!(model.notice.is_none());

    model.say(NoticeKind::Bad, "failed");
    press(&mut model, "j k G");
    assert!(model.notice.is_some());
    press(&mut model, "enter");
    model.say(NoticeKind::Bad, "failed");
    press(&mut model, "esc");
    assert!(model.notice.is_none() && model.incidents.opened.is_some(), "one step, not two");
}

#[test]
fn refreshing_is_asked_for_and_answered() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "ctrl-r");
    assert_eq!(requests(&effects).into_iter().map(|(_, request)| request).collect::<Vec<_>>(), [Request::Refresh]);

    answer(&mut model, &effects, Err("too often".into()));

    assert!(model.notice.as_ref().expect("notice").text.as_str().contains("too often"));
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let mut model = model(80, 24);
    let effects = update(&mut model, Event::Answered { id: 99, answer: Ok(Answer::Refreshing) });
    assert_eq!(effects, []);
    assert!(model.notice.is_none());
}

#[test]
fn a_lost_link_says_since_when_however_often_it_is_lost() {
    let mut model = model(80, 24);
    update(&mut model, Event::Detached { reason: "closed".into() });
    assert_eq!(model.link, Link::Lost { reason: "closed".into(), since: now() });
    assert_eq!(press(&mut model, "ctrl-r a enter"), []);

    update(&mut model, Event::Ticked(ago(-30)));
    update(&mut model, Event::Detached { reason: "nobody answers".into() });

    assert_eq!(model.link, Link::Lost { reason: "nobody answers".into(), since: now() });
}

#[test]
fn every_action_of_the_table_can_be_pressed_anywhere_without_harm() {
    for view in View::ALL {
        for binding in BINDINGS.iter().filter(|b| b.action != Action::Quit) {
            let mut model = model(80, 24);
            model.view = view;
            press(&mut model, binding.keys[0]);
        }
    }
}

#[test]
fn every_printable_key_reaches_every_field_that_takes_text() {
    let all: String = ('!'..='~').collect();
    let typed = |open: &str| {
        let mut model = model(80, 24);
        press(&mut model, open);
        let effects = fixtures::type_text(&mut model, &all);
        assert_eq!(effects, [], "{open}: no key does anything else");
        model
    };
    assert_eq!(typed("/").incidents.filter.as_str(), all);
    assert_eq!(typed("V").incidents.marking.as_str(), all);
    assert_eq!(typed("2 /").oncall.filter.as_str(), all);
    assert_eq!(typed("3 /").webhooks.filter.as_str(), all);
    assert_eq!(typed("4 /").templates.filter.as_str(), all);
    assert_eq!(typed(":").command.line.map(|line| line.as_str().to_owned()), Some(all.clone()));
    let asked = |open: &str| typed(open).prompt.expect("a prompt").ask;
    assert!(matches!(asked("n"), Ask::Text(_, editor) if editor.lines() == [all.clone()]));
    assert!(matches!(asked("R tab"), Ask::Resolve { note, .. } if note.as_str() == all));
    assert!(matches!(asked("h"), Ask::Pick(pick) if pick.filter.as_str() == all));
    assert!(matches!(asked("h tab"), Ask::Pick(pick) if pick.text.as_str() == all));
}

#[test]
fn that_there_is_no_link_is_not_said_any_longer_than_that_is_so() {
    for keys in ["a", "R", "ctrl-r", "2 t", "4 enter"] {
        let mut model = model(80, 24);
        update(&mut model, Event::Detached { reason: "closed".into() });
        press(&mut model, keys);
        let said = model.notice.as_ref().map(|notice| notice.text.to_string());
        assert!(said.as_ref().is_some_and(|said| said.starts_with("no link to the server")), "{keys}: {said:?}");

        let access = Access::Act { actor: "alice".into() };
        update(&mut model, Event::Attached { board: Box::new(fixtures::board()), access, role: Role::Attached });

        assert_eq!(model.notice, None, "{keys}");
    }
}

#[test]
fn a_refusal_holds_no_longer_than_the_right_is_missing() {
    let mut model = model(80, 24);
    update(&mut model, Event::Allowed(Access::Watch { reason: "no".into() }));
    press(&mut model, "a");
    assert!(model.notice.is_some());

    update(&mut model, Event::Allowed(Access::Act { actor: "alice".into() }));

    assert_eq!(model.notice, None);
}

#[test]
fn whoever_may_only_look_is_told_before_anything_is_chosen_or_typed() {
    for keys in ["a", "R", "n", "N", "2 t", "2 O", "4 n", "6 n"] {
        let mut model = model(80, 24);
        update(&mut model, Event::Allowed(Access::Watch { reason: "not of the group".into() }));

        press(&mut model, keys);

        let said = model.notice.as_ref().map(|notice| notice.text.as_str());
        assert_eq!(said, Some("you may look, not act: not of the group"), "{keys}");
        assert!(model.prompt.is_none() && model.templates.naming.is_none() && model.targets.form.is_none(), "{keys}");
    }
}
