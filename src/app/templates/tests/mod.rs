//! What the templates view promises.

mod aids;
mod drafts;
mod versions;

use super::*;
use crate::{
    app::{
        Event, View,
        fixtures::{answer, change, delivery, model, press, requests, type_text},
        keys::{BINDINGS, Binding, Scope},
        update,
    },
    core::{
        board::Change,
        delivery::Verdict,
        id::DeliveryId,
        template::{Fault, Preview, Subject, Version},
        text::ShownBody,
    },
    proto::Request,
};

fn templates() -> Model {
    let mut model = model(80, 24);
    press(&mut model, "4");
    model
}

/// The first template, open, with `text`; its preview is asked for and not answered.
fn editing(text: &str) -> (Model, Vec<Effect>) {
    editing_in(templates(), text)
}

fn editing_in(mut model: Model, text: &str) -> (Model, Vec<Effect>) {
    let effects = press(&mut model, "enter");
    let text = Answer::Template { name: "chat".into(), text: text.into() };
    let effects = answer(&mut model, &effects, Ok(text));
    (model, effects)
}

fn rendered(text: &str) -> Answer {
    let preview =
        Preview::Rendered { output: ShownBody::new(text), json: Ok(()), bytes: text.len() as u64, warnings: vec![] };
    Answer::Preview { preview }
}

fn render(text: &str) -> Request {
    Request::Render { text: text.into(), on: Subject::default() }
}

fn asked(effects: &[Effect]) -> Vec<Request> {
    requests(effects).into_iter().map(|(_, request)| request).collect()
}

fn open_text(model: &Model) -> String {
    model.templates.editor.as_ref().expect("an open editor").text()
}

fn notice(model: &Model) -> &str {
    model.notice.as_ref().map_or("", |notice| notice.text.as_str())
}

#[test]
fn enter_asks_for_the_text_once_and_opens_it_with_its_preview() {
    let mut model = templates();
    let effects = press(&mut model, "enter enter");
    assert_eq!(asked(&effects), [Request::Template { name: "chat".into() }]);

    let text = Answer::Template { name: "chat".into(), text: "{{a}}\n".into() };
    let effects = answer(&mut model, &effects, Ok(text));
    assert_eq!(asked(&effects), [render("{{a}}\n")]);
    assert_eq!(open_text(&model), "{{a}}\n");
    assert!(model.templates.unsaved().is_empty());
}

#[test]
fn a_template_that_answers_too_late_does_not_open() {
    let mut model = templates();
    let effects = press(&mut model, "enter esc");
    let text = Answer::Template { name: "chat".into(), text: "x".into() };
    answer(&mut model, &effects, Ok(text));
    assert!(model.templates.editor.is_none());
}

#[test]
fn a_template_that_cannot_be_read_says_why() {
    let mut model = templates();
    let effects = press(&mut model, "enter");
    answer(&mut model, &effects, Err("no such template".into()));
    assert_eq!(notice(&model), "chat was not opened: no such template");
}

#[test]
fn one_preview_is_asked_for_at_a_time_and_the_newest_text_wins() {
    let (mut model, effects) = editing("");
    assert_eq!(type_text(&mut model, "abc"), vec![]);

    let effects = answer(&mut model, &effects, Ok(rendered("")));
    assert_eq!(asked(&effects), [render("abc")]);
    assert!(!model.templates.editor.as_ref().expect("open").preview.is_current());
    assert_eq!(answer(&mut model, &effects, Ok(rendered("abc"))), vec![]);
    assert!(model.templates.editor.as_ref().expect("open").preview.is_current());
}

#[test]
fn a_late_preview_is_dropped() {
    let (mut model, first) = editing("one");
    press(&mut model, "esc");
    let again = press(&mut model, "enter");
    let text = Answer::Template { name: "chat".into(), text: "two".into() };
    answer(&mut model, &again, Ok(text));

    answer(&mut model, &first, Ok(rendered("one")));
    assert!(model.templates.editor.as_ref().expect("open").preview.last.is_none());
}

#[test]
fn a_preview_that_never_comes_is_asked_for_again() {
    let (mut model, _) = editing("one");
    let later = model.now + jiff::SignedDuration::from_secs(11);
    update(&mut model, Event::Ticked(later));
    assert_eq!(asked(&change(&mut model, Change::Templates(vec![]))), [render("one")]);
}

#[test]
fn every_letter_goes_into_the_text_and_ctrl_c_and_ctrl_z_do_not() {
    let (mut model, _) = editing("");
    assert_eq!(press(&mut model, "q 1 2 3 4 ? / n j tab"), vec![]);
    assert_eq!(open_text(&model), "q1234?/nj ");
    assert_eq!(model.view, View::Templates);

    let quit = "ctrl-c".parse().expect("chord");
    let suspend = "ctrl-z".parse().expect("chord");
    assert_eq!((typed(&mut model, quit), typed(&mut model, suspend)), (None, None));
}

#[test]
fn undo_and_redo_change_the_preview_too() {
    let (mut model, effects) = editing("");
    type_text(&mut model, "a");
    let effects = answer(&mut model, &effects, Ok(rendered("")));
    answer(&mut model, &effects, Ok(rendered("a")));

    let effects = press(&mut model, "ctrl-u");
    assert_eq!(asked(&effects), [render("")]);
    answer(&mut model, &effects, Ok(rendered("")));
    assert_eq!(asked(&press(&mut model, "ctrl-r")), [render("a")]);
}

#[test]
fn a_draft_survives_esc_and_reopening() {
    let (mut model, _) = editing("saved");
    type_text(&mut model, "un");
    press(&mut model, "esc");
    assert_eq!(model.templates.unsaved(), ["chat"]);
    press(&mut model, "k");
    assert!(model.templates.editor.is_none());
    assert!(rows(&model)[0].unsaved);
    assert_eq!(model.templates.unsaved(), ["chat"]);

    assert_eq!(asked(&press(&mut model, "enter")), [render("unsaved")]);
    assert_eq!(open_text(&model), "unsaved");
    assert_eq!(model.templates.unsaved(), ["chat"]);
}

#[test]
fn leaving_unsaved_text_asks_and_esc_stays() {
    let (mut model, _) = editing("");
    type_text(&mut model, "a");
    press(&mut model, "esc x esc");
    assert_eq!(open_text(&model), "a");

    press(&mut model, "esc y");
    assert!(model.templates.editor.is_none() && model.templates.unsaved().is_empty());
}

#[test]
fn leaving_unchanged_text_asks_nothing() {
    let (mut model, _) = editing("a");
    type_text(&mut model, "b");
    press(&mut model, "backspace esc");
    assert!(model.templates.editor.is_none() && model.templates.unsaved().is_empty());
}

#[test]
fn saving_sends_the_text_and_what_it_was_edited_from_once() {
    let (mut model, _) = editing("old");
    type_text(&mut model, "new ");
    let effects = press(&mut model, "ctrl-s ctrl-s");
    let save = Request::SaveTemplate { name: "chat".into(), text: "new old".into(), base: Some("old".into()) };
    assert_eq!(asked(&effects), [save]);

    type_text(&mut model, "er");
    answer(&mut model, &effects, Ok(Answer::Saved { name: "chat".into() }));
    assert_eq!(notice(&model), "chat is saved");
    assert_eq!(model.templates.unsaved(), ["chat"], "typed after saving");
    let effects = press(&mut model, "backspace backspace ctrl-s");
    assert_eq!(asked(&effects), vec![], "nothing to save");
}

#[test]
fn a_refused_save_says_why_and_keeps_the_text() {
    let (mut model, _) = editing("old");
    type_text(&mut model, "x");
    let effects = press(&mut model, "ctrl-s");
    answer(&mut model, &effects, Err("another was saved meanwhile".into()));

    assert_eq!(notice(&model), "chat was not saved: another was saved meanwhile");
    assert_eq!(open_text(&model), "xold");
    assert_eq!(model.templates.unsaved(), ["chat"]);
}

#[test]
fn a_save_that_is_confirmed_after_leaving_settles_the_draft() {
    let (mut model, _) = editing("old");
    type_text(&mut model, "x");
    let effects = press(&mut model, "ctrl-s");
    press(&mut model, "esc k");
    answer(&mut model, &effects, Ok(Answer::Saved { name: "chat".into() }));
    assert!(model.templates.unsaved().is_empty());
}

#[test]
fn a_new_template_has_a_checked_name_and_starts_empty() {
    let mut model = templates();
    press(&mut model, "n enter");
    assert!(model.templates.naming.is_some(), "no name yet");
    type_text(&mut model, "Pa ge_1");
    assert_eq!(model.templates.naming.as_ref().expect("naming").as_str(), "age_1");
    press(&mut model, "enter");
    assert_eq!(open_text(&model), "");

    type_text(&mut model, "x");
    press(&mut model, "esc k");
    let names: Vec<_> = rows(&model).iter().map(|row| (row.name.to_owned(), row.summary.is_some())).collect();
    assert_eq!(names.last(), Some(&("age_1".to_owned(), false)));
    press(&mut model, "G enter");
    let save = Request::SaveTemplate { name: "age_1".into(), text: "x".into(), base: None };
    assert_eq!(asked(&press(&mut model, "ctrl-s")), [save]);
}

#[test]
fn the_name_of_a_template_that_exists_opens_that_one() {
    let mut model = templates();
    press(&mut model, "n");
    type_text(&mut model, "chat");
    assert_eq!(asked(&press(&mut model, "enter")), [Request::Template { name: "chat".into() }]);
}

#[test]
fn the_preview_is_rendered_on_the_delivery_that_was_picked() {
    let (mut model, effects) = editing("t");
    answer(&mut model, &effects, Ok(rendered("t")));
    press(&mut model, "ctrl-d");
    let pick = model.templates.editor.as_ref().expect("open").pick.as_ref().expect("a list");
    let rows = pick.rows(&model);
    let subjects: Vec<_> = rows.iter().map(Source::subject).take(4).collect();
    let accepted = [6, 2, 1].map(|id| Subject::Delivery(DeliveryId(id)));
    assert_eq!(subjects[..3], accepted, "accepted ones only");
    assert_eq!(subjects[3], Subject::Sample("incident.acknowledged".into()));

    type_text(&mut model, "annotated");
    let effects = press(&mut model, "enter");
    assert_eq!(asked(&effects), [Request::Render { text: "t".into(), on: Subject::Delivery(DeliveryId(2)) }]);
    assert_eq!(open_text(&model), "t");
}

#[test]
fn the_list_of_deliveries_opens_at_the_one_chosen_before_however_far_down_and_stays_there() {
    let mut model = model(40, 12);
    let came_in = |model: &mut Model, ids: std::ops::Range<i64>| {
        for id in ids {
            change(model, Change::Delivery(Box::new(delivery(id, 1, Verdict::Accepted, "incident.annotated"))));
        }
    };
    came_in(&mut model, 10..40);
    press(&mut model, "4");
    let (mut model, effects) = editing_in(model, "t");
    answer(&mut model, &effects, Ok(rendered("t")));
    press(&mut model, &format!("ctrl-d {} enter", "down ".repeat(12)));
    assert_eq!(model.templates.source.subject(), Subject::Delivery(DeliveryId(27)));
    let at_hand = |model: &Model| {
        let pick = model.templates.editor.as_ref().expect("open").pick.as_ref().expect("a list");
        pick.cursor.selected().cloned()
    };

    press(&mut model, "ctrl-d");

    assert_eq!(at_hand(&model), Some(Subject::Delivery(DeliveryId(27))));
    came_in(&mut model, 40..60);
    assert_eq!(at_hand(&model), Some(Subject::Delivery(DeliveryId(27))));
}

#[test]
fn leaving_the_list_of_deliveries_changes_nothing() {
    let (mut model, effects) = editing("t");
    answer(&mut model, &effects, Ok(rendered("t")));
    assert_eq!(press(&mut model, "ctrl-d down esc"), vec![]);
    assert_eq!(model.templates.source, Source::default());
}

#[test]
fn pasted_text_goes_in_without_its_hidden_characters_and_says_so() {
    let (mut model, effects) = editing("");
    answer(&mut model, &effects, Ok(rendered("")));
    let effects = update(&mut model, Event::Pasted("a\r\n{{b}}\u{202e}\u{1b}".into()));

    assert_eq!(asked(&effects), [render("a\n{{b}}")]);
    assert_eq!(notice(&model), "pasted without 2 hidden characters");
}

#[test]
fn a_hidden_character_that_is_typed_is_left_out_and_marks_stay_on_their_letter() {
    let (mut model, _) = editing("");
    type_text(&mut model, "e\u{301}\u{202e}\u{200b}");
    assert_eq!(open_text(&model), "e\u{301}");
    assert_eq!(notice(&model), "a hidden character: left out");
}

#[test]
fn what_was_said_about_the_text_goes_with_the_next_key_and_other_news_stay() {
    let (mut model, _) = editing("");
    update(&mut model, Event::Pasted("\u{202e}".into()));
    press(&mut model, "x");
    assert_eq!(notice(&model), "");

    model.say(NoticeKind::Bad, "acknowledging failed");
    press(&mut model, "x");
    assert_eq!(notice(&model), "acknowledging failed");
}

#[test]
fn a_text_with_hidden_characters_is_only_shown_until_they_are_taken_out() {
    let (mut model, effects) = editing("a\u{202e}b");
    assert_eq!(asked(&effects), [render("a\u{202e}b")], "the preview is of the real text");
    let shown = |model: &Model| model.templates.editor.as_ref().expect("open").area.lines().join("\n");
    assert_eq!(shown(&model), "a⟨U+202E⟩b");
    press(&mut model, "x enter backspace ctrl-x delete");
    assert_eq!(asked(&press(&mut model, "ctrl-s")), vec![]);
    assert_eq!(shown(&model), "a⟨U+202E⟩b");

    press(&mut model, "c");
    assert_eq!((open_text(&model), model.templates.unsaved()), ("ab".into(), vec!["chat"]));
    let save = Request::SaveTemplate { name: "chat".into(), text: "ab".into(), base: Some("a\u{202e}b".into()) };
    assert_eq!(asked(&press(&mut model, "ctrl-s")), [save]);
}

#[test]
fn line_ends_of_other_systems_are_no_change() {
    let (mut model, _) = editing("a\r\nb");
    assert_eq!(open_text(&model), "a\nb");
    assert!(model.templates.unsaved().is_empty());
    type_text(&mut model, "x");
    let save = Request::SaveTemplate { name: "chat".into(), text: "xa\nb".into(), base: Some("a\r\nb".into()) };
    assert_eq!(asked(&press(&mut model, "ctrl-s")), [save]);
}

#[test]
fn the_fault_is_marked_only_while_it_is_of_the_text_on_the_screen() {
    let (mut model, effects) = editing("{{#if}}");
    let fault = Fault { message: Shown::line("if takes an argument"), line: 1, column: 3 };
    let broken = Answer::Preview { preview: Preview::Broken(fault) };
    answer(&mut model, &effects, Ok(broken));
    assert!(model.templates.editor.as_ref().expect("open").preview.fault().is_some());

    type_text(&mut model, "x");
    assert!(model.templates.editor.as_ref().expect("open").preview.fault().is_none());
}

#[test]
fn a_long_preview_scrolls_no_further_than_its_end() {
    let (mut model, effects) = editing("t");
    answer(&mut model, &effects, Ok(rendered(&"line\n".repeat(20))));
    for _ in 0..50 {
        press(&mut model, "alt-down");
    }
    let end = model.templates.editor.as_ref().expect("open").scroll;
    assert!((5..20).contains(&end), "{end}");
    press(&mut model, "alt-up");
    assert_eq!(model.templates.editor.as_ref().expect("open").scroll, end - 1);
}

#[test]
fn quitting_with_unsaved_text_asks_once_and_any_other_key_stays() {
    let (mut model, _) = editing("saved");
    type_text(&mut model, "un");

    assert_eq!(press(&mut model, "ctrl-c"), []);
    assert!(notice(&model).contains("not saved: chat"), "{}", notice(&model));
    press(&mut model, "x");
    assert_eq!(press(&mut model, "ctrl-c"), []);
    assert_eq!(press(&mut model, "ctrl-c"), [Effect::Quit]);
}

#[test]
fn saving_a_broken_template_says_that_it_is_broken_and_where() {
    let broken = || {
        let fault = Fault { message: Shown::line("if takes an argument"), line: 1, column: 3 };
        Ok(Answer::Preview { preview: Preview::Broken(fault) })
    };
    let said = "chat is saved, but it is broken: line 1, column 3: if takes an argument";
    let saved = || Ok(Answer::Saved { name: "chat".into() });

    let (mut model, effects) = editing("{{#if}}");
    answer(&mut model, &effects, broken());
    let preview = type_text(&mut model, "x");
    answer(&mut model, &preview, broken());
    let save = press(&mut model, "ctrl-s");
    answer(&mut model, &save, saved());
    assert_eq!(notice(&model), said);

    let preview = type_text(&mut model, "y");
    let save = press(&mut model, "ctrl-s");
    answer(&mut model, &save, saved());
    assert_eq!(notice(&model), "chat is saved", "not known yet");
    answer(&mut model, &preview, broken());
    assert_eq!(notice(&model), said);

    let fault = Fault { message: Shown::line("expected `,`"), line: 2, column: 1 };
    let not_json =
        Preview::Rendered { output: ShownBody::new("{\n"), json: Err(fault.clone()), bytes: 2, warnings: vec![] };
    let preview = type_text(&mut model, "j");
    answer(&mut model, &preview, Ok(Answer::Preview { preview: not_json }));
    let save = press(&mut model, "ctrl-s");
    answer(&mut model, &save, saved());
    assert_eq!(notice(&model), "chat is saved, but its output is not JSON: line 2, column 1: expected `,`");

    let plain = Preview::Rendered { output: ShownBody::new("z"), json: Err(fault), bytes: 1, warnings: vec![] };
    let preview = type_text(&mut model, "z");
    answer(&mut model, &preview, Ok(Answer::Preview { preview: plain }));
    let save = press(&mut model, "ctrl-s");
    answer(&mut model, &save, saved());
    assert_eq!(notice(&model), "chat is saved");
}

#[test]
fn a_character_left_out_of_a_name_is_told_until_the_name_is_given() {
    let mut model = templates();
    press(&mut model, "n");
    type_text(&mut model, "Page");
    assert_eq!(notice(&model), "`P` is left out: a name has lower-case letters, digits, - and _ only");
    press(&mut model, "enter");
    assert_eq!(notice(&model), "");

    let mut model = templates();
    press(&mut model, "n");
    update(&mut model, Event::Pasted("page two".into()));
    assert!(notice(&model).starts_with("some of it is left out"), "{}", notice(&model));
    press(&mut model, "esc");
    assert_eq!(notice(&model), "");
}

#[test]
fn the_keys_of_the_text_do_what_the_help_says() {
    let cases = [
        ("x ctrl-u", "one two\nthree"),
        ("x ctrl-u ctrl-r", "xone two\nthree"),
        ("end ctrl-w", "one \nthree"),
        ("alt-d", " two\nthree"),
        ("ctrl-right ctrl-j", "two\nthree"),
        ("ctrl-right ctrl-left x", "xone two\nthree"),
        ("ctrl-right ctrl-k", "one \nthree"),
        ("shift-right shift-right ctrl-x", "e two\nthree"),
        ("end shift-left ctrl-x home ctrl-y", "oone tw\nthree"),
        ("shift-down ctrl-x", "three"),
        ("alt-> shift-up ctrl-x", "three"),
        ("alt-> alt-< x", "xone two\nthree"),
        ("shift-down shift-right tab", "  one two\n  three"),
        ("shift-down shift-right tab shift-tab", "one two\nthree"),
    ];
    let mut pressed = vec![];
    for (keys, expected) in cases {
        let (mut model, _) = editing("one two\nthree");
        press(&mut model, keys);
        assert_eq!(open_text(&model), expected, "{keys}");
        pressed.extend(keys.split(' '));
    }
    let of_the_text = |binding: &&Binding| binding.scope == Scope::Editor && binding.action == Action::Edit;
    let told = BINDINGS.iter().filter(of_the_text);
    for key in told.flat_map(|binding| binding.keys) {
        assert!(pressed.contains(key), "{key} is not tried");
    }
}

fn unanswered(model: &mut Model, effects: &[Effect]) {
    let (id, _) = requests(effects).last().cloned().expect("a request");
    let effects = update(model, Event::Unanswered { id, reason: "the connection broke".into() });
    assert_eq!(effects, [], "there is nobody to ask yet");
}

#[test]
fn a_save_without_an_answer_is_not_called_not_saved() {
    let (mut model, _) = editing("old");
    type_text(&mut model, "x");
    let effects = press(&mut model, "ctrl-s");
    unanswered(&mut model, &effects);

    assert_eq!(notice(&model), "whether chat was saved is not known: the connection broke");
    assert_eq!(model.templates.unsaved(), ["chat"]);
}

#[test]
fn a_preview_that_the_broken_link_left_unanswered_is_asked_for_again_over_the_next() {
    let (mut model, effects) = editing("old");
    unanswered(&mut model, &effects);
    update(&mut model, Event::Detached { reason: "closed".into() });

    let board = Box::new(crate::app::fixtures::board());
    let access = crate::proto::Access::Act { actor: "alice".into() };
    let effects = update(&mut model, Event::Attached { board, access, role: crate::app::Role::Owner });

    assert_eq!(asked(&effects), [render("old")]);
}

#[test]
fn a_template_that_was_asked_for_without_an_answer_may_be_asked_for_again() {
    let mut model = templates();
    let effects = press(&mut model, "enter");
    unanswered(&mut model, &effects);
    assert_eq!(notice(&model), "chat was not opened: the connection broke");
    assert_eq!(asked(&press(&mut model, "enter")), [Request::Template { name: "chat".into() }]);
}
