//! What the templates view promises.

use super::{preview::Standing, *};
use crate::{
    app::{
        Event, View,
        fixtures::{answer, change, model, press, requests, type_text},
        keys::{BINDINGS, Binding, Scope},
        update,
    },
    core::{
        board::Change,
        delivery::{DeliverySummary, Verdict},
        id::DeliveryId,
        template::{Fault, Preview, Subject, TemplateHistory, TemplateVersion},
        text::ShownBody,
    },
};

fn templates() -> Model {
    let mut model = model(80, 24);
    press(&mut model, "4");
    model
}

/// The first template, open, with `text`; its preview is asked for and not answered.
fn editing(text: &str) -> (Model, Vec<Effect>) {
    let mut model = templates();
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

/// A console whose disk holds these drafts.
fn with_drafts(drafts: &[(&str, &str, Option<&str>)]) -> Model {
    let mut model = templates();
    let kept = |(number, (name, text, base)): (i64, &(&str, &str, Option<&str>))| {
        let at = model.now - jiff::SignedDuration::from_mins(number);
        let draft = KeptDraft { name: (*name).into(), text: (*text).into(), base: base.map(str::to_owned), at };
        (DraftId(format!("{name}.{number}")), draft)
    };
    let drafts = (1..).zip(drafts).map(kept).collect();
    update(&mut model, Event::FoundDrafts(FoundDrafts { drafts, elsewhere: vec!["night-mail".into()] }));
    model
}

/// What goes to disk: the text kept, or `None` for a draft that is dropped.
fn kept(effects: &[Effect]) -> Vec<(String, Option<String>)> {
    let kept = |effect: &Effect| match effect {
        Effect::KeepDraft { id, draft } => Some((id.0.clone(), Some(draft.text.clone()))),
        Effect::DropDraft { id } => Some((id.0.clone(), None)),
        _ => None,
    };
    effects.iter().filter_map(kept).collect()
}

fn one_kept(id: &str, text: &str) -> Vec<(String, Option<String>)> {
    vec![(id.to_owned(), Some(text.to_owned()))]
}

fn tick(model: &mut Model, milliseconds: i64) -> Vec<Effect> {
    let now = model.now + jiff::SignedDuration::from_millis(milliseconds);
    update(model, Event::Ticked(now))
}

#[test]
fn typed_text_is_on_disk_a_second_later_whether_one_types_on_or_not() {
    let mut model = with_drafts(&[]);
    let effects = press(&mut model, "enter");
    answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "old".into() }));

    assert_eq!(kept(&type_text(&mut model, "a")), []);
    assert!(model.templates.is_behind());
    assert_eq!(kept(&tick(&mut model, 500)), []);
    assert_eq!(kept(&type_text(&mut model, "b")), []);
    assert_eq!(kept(&tick(&mut model, 500)), one_kept("chat", "abold"));
    assert!(!model.templates.is_behind());
    assert_eq!(kept(&tick(&mut model, 5000)), [], "nothing new, nothing written");
}

#[test]
fn leaving_quitting_and_a_hang_up_keep_the_text_at_once() {
    let open = || {
        let mut model = with_drafts(&[]);
        let effects = press(&mut model, "enter");
        answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "old".into() }));
        type_text(&mut model, "x");
        model
    };
    assert_eq!(kept(&press(&mut open(), "esc k")), one_kept("chat", "xold"));
    let mut model = open();
    press(&mut model, "ctrl-c");
    assert!(notice(&model).contains("keeps it as a draft"), "{}", notice(&model));
    let effects = press(&mut model, "ctrl-c");
    assert_eq!((kept(&effects), effects.last()), (one_kept("chat", "xold"), Some(&Effect::Quit)));
    let effects = update(&mut open(), Event::Ended);
    assert_eq!((kept(&effects), effects.last()), (one_kept("chat", "xold"), Some(&Effect::Quit)));
}

#[test]
fn a_saved_or_discarded_text_leaves_the_disk() {
    let mut model = with_drafts(&[]);
    let effects = press(&mut model, "enter");
    answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "old".into() }));
    type_text(&mut model, "x");
    tick(&mut model, 1000);

    let effects = press(&mut model, "ctrl-s");
    let effects = answer(&mut model, &effects, Ok(Answer::Saved { name: "chat".into() }));
    assert_eq!(kept(&effects), [("chat".to_owned(), None)]);

    type_text(&mut model, "y");
    tick(&mut model, 1000);
    assert_eq!(kept(&press(&mut model, "esc y")), [("chat".to_owned(), None)]);
}

#[test]
fn a_disk_that_fails_is_told_once_and_tried_again() {
    let mut model = with_drafts(&[]);
    let effects = press(&mut model, "enter");
    answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "old".into() }));
    type_text(&mut model, "x");
    tick(&mut model, 1000);
    let failed = || Event::KeptDraft { id: DraftId("chat".into()), result: Err("no space left".into()) };

    update(&mut model, failed());
    assert_eq!(notice(&model), "unsaved text is not kept on disk: no space left");
    assert_eq!(kept(&tick(&mut model, 1000)), one_kept("chat", "xold"));
    model.notice = None;
    update(&mut model, failed());
    assert_eq!(notice(&model), "");
}

#[test]
fn without_a_place_for_drafts_nothing_is_written_and_quitting_says_that_it_loses() {
    let (mut model, _) = editing("old");
    type_text(&mut model, "x");
    assert_eq!(kept(&tick(&mut model, 5000)), []);
    press(&mut model, "ctrl-c");
    assert!(notice(&model).contains("loses it"), "{}", notice(&model));
}

#[test]
fn a_draft_of_an_earlier_console_is_marked_and_goes_on_where_it_was() {
    let mut model = with_drafts(&[("chat", "mine", Some("old"))]);
    assert_eq!(notice(&model), "unsaved text was kept of chat: enter in the templates view restores it");
    let rows: Vec<_> =
        rows(&model).iter().map(|row| (row.name.to_owned(), row.kept_at.is_some(), row.elsewhere)).collect();
    assert_eq!(rows[0], ("chat".into(), true, false));
    assert!(rows.iter().any(|row| *row == ("night-mail".into(), false, true)));

    let effects = press(&mut model, "enter");
    let effects = answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "old".into() }));

    assert_eq!(open_text(&model), "mine");
    assert_eq!(notice(&model), "chat: your unsaved text of 04:16 is restored; ctrl-s saves it");
    assert_eq!(asked(&effects), [render("mine")]);
    let save = Request::SaveTemplate { name: "chat".into(), text: "mine".into(), base: Some("old".into()) };
    assert_eq!(asked(&press(&mut model, "ctrl-s")), [save]);
}

#[test]
fn a_draft_of_a_template_that_changed_meanwhile_asks_before_it_goes_on() {
    let open = || {
        let mut model = with_drafts(&[("chat", "mine", Some("old"))]);
        let effects = press(&mut model, "enter");
        answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "theirs".into() }));
        assert!(model.templates.editor.is_none() && model.templates.differs.is_some());
        model
    };
    let mut model = open();
    press(&mut model, "r");
    assert_eq!(open_text(&model), "mine");
    let save = Request::SaveTemplate { name: "chat".into(), text: "mine".into(), base: Some("theirs".into()) };
    assert_eq!(asked(&press(&mut model, "ctrl-s")), [save], "knowing what it takes the place of");

    let mut model = open();
    assert_eq!(kept(&press(&mut model, "d")), [("chat.1".to_owned(), None)]);
    assert_eq!(open_text(&model), "theirs");

    let mut model = open();
    assert_eq!(kept(&press(&mut model, "esc")), one_kept("chat.1", "mine"), "later");
    assert_eq!(model.templates.unsaved(), ["chat"]);
}

#[test]
fn a_draft_that_was_saved_after_all_is_dropped() {
    let mut model = with_drafts(&[("chat", "mine", Some("old"))]);
    let effects = press(&mut model, "enter");
    let effects = answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "mine".into() }));
    assert_eq!(kept(&effects), [("chat.1".to_owned(), None)]);
    assert!(model.templates.unsaved().is_empty());
}

#[test]
fn drafts_of_one_template_from_two_consoles_come_one_after_the_other() {
    let mut model = with_drafts(&[("new-one", "newer", None), ("new-one", "older", None)]);
    press(&mut model, "G enter");
    assert_eq!(open_text(&model), "newer");
    assert_eq!(kept(&press(&mut model, "esc y")), [("new-one.1".to_owned(), None)]);
    press(&mut model, "G enter");
    assert_eq!(open_text(&model), "older");
}

#[test]
fn a_save_that_is_refused_because_another_was_saved_shows_both() {
    let (mut model, _) = editing("old");
    type_text(&mut model, "x");
    let save = press(&mut model, "ctrl-s");
    let effects = answer(&mut model, &save, Err("saved by somebody else".into()));
    assert_eq!(asked(&effects), [Request::Template { name: "chat".into() }]);
    answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "theirs".into() }));
    assert!(model.templates.differs.is_some());
    press(&mut model, "r");
    let save = Request::SaveTemplate { name: "chat".into(), text: "xold".into(), base: Some("theirs".into()) };
    assert_eq!(asked(&press(&mut model, "ctrl-s")), [save]);
}

fn fields() -> Answer {
    let value = serde_json::json!({ "event": { "type": "x" }, "incident": { "title": "t" } });
    Answer::TemplateContext { context: Box::new(crate::core::field::Field::of(&value)) }
}

fn suggestions(model: &Model) -> Vec<String> {
    let completion = &model.templates.editor.as_ref().expect("open").completion;
    completion.iter().flat_map(|one| &one.candidates).map(|one| one.text.clone()).collect()
}

#[test]
fn suggestions_come_while_typing_and_the_fields_are_asked_for_once() {
    let (mut model, effects) = editing("");
    answer(&mut model, &effects, Ok(rendered("")));
    let effects = type_text(&mut model, "{{inci");
    let context: Vec<_> =
        asked(&effects).into_iter().filter(|request| matches!(request, Request::TemplateContext { .. })).collect();
    assert_eq!(context, [Request::TemplateContext { on: Subject::default() }]);
    assert_eq!(suggestions(&model), Vec::<String>::new(), "no helper is called so");

    let (id, _) = requests(&effects).into_iter().find(|(_, request)| *request == context[0]).expect("asked");
    update(&mut model, Event::Answered { id, answer: Ok(fields()) });
    assert_eq!(suggestions(&model), ["incident"], "now that the fields are known");
    press(&mut model, "tab");
    type_text(&mut model, ".");
    assert_eq!(suggestions(&model), ["title"]);
    press(&mut model, "enter");
    assert_eq!(open_text(&model), "{{incident.title");
    press(&mut model, "ctrl-u");
    assert_eq!(open_text(&model), "{{incident.");
}

#[test]
fn esc_closes_the_suggestions_first_and_enter_then_is_a_new_line() {
    let (mut model, _) = editing("");
    type_text(&mut model, "{{up");
    assert_eq!(suggestions(&model)[0], "upcase");
    press(&mut model, "esc");
    assert_eq!((suggestions(&model).len(), model.templates.editor.is_some()), (0, true));
    press(&mut model, "enter");
    assert_eq!(open_text(&model), "{{up\n");
}

#[test]
fn a_field_of_the_tree_goes_into_the_text_as_a_tag_or_into_one() {
    let (mut model, _) = editing("");
    let effects = press(&mut model, "ctrl-t");
    answer(&mut model, &effects, Ok(fields()));
    press(&mut model, "down enter esc");
    assert_eq!(open_text(&model), "{{event.type}}");
    type_text(&mut model, "{{upcase ");
    press(&mut model, "ctrl-t down enter esc");
    assert_eq!(open_text(&model), "{{event.type}}{{upcase event.type");
    assert!(model.templates.editor.is_some(), "esc closed the tree only");
}

#[test]
fn the_search_goes_to_the_finds_and_leaves_the_text_alone() {
    let (mut model, _) = editing("one two\ntwo");
    press(&mut model, "ctrl-f t w");
    let cursor = |model: &Model| model.templates.editor.as_ref().expect("open").cursor();
    assert_eq!(cursor(&model), (0, 4));
    press(&mut model, "enter");
    assert_eq!(cursor(&model), (1, 0));
    press(&mut model, "up esc");
    assert_eq!((cursor(&model), open_text(&model).as_str()), ((0, 4), "one two\ntwo"));
    press(&mut model, "alt-n alt-n alt-p");
    assert_eq!(cursor(&model), (1, 0));
}

#[test]
fn a_key_jumps_to_the_other_end_of_a_block() {
    let (mut model, _) = editing("{{#if a}}\nx\n{{/if}}");
    press(&mut model, "alt-m");
    assert_eq!(model.templates.editor.as_ref().expect("open").cursor(), (2, 0));
    press(&mut model, "alt-m alt-m");
    assert_eq!(notice(&model), "");
    press(&mut model, "up alt-m");
    assert!(notice(&model).starts_with("no bracket or block"), "{}", notice(&model));
}

#[test]
fn the_output_is_compared_with_that_of_the_saved_text_on_the_same_delivery() {
    let (mut model, effects) = editing("old");
    answer(&mut model, &effects, Ok(rendered("old\n")));
    let saved = press(&mut model, "ctrl-o");
    assert_eq!(asked(&saved), [render("old")]);
    answer(&mut model, &saved, Ok(rendered("old\n")));
    let standing = |model: &Model| model.templates.editor.as_ref().expect("open").preview.standing();
    assert_eq!(standing(&model), Some(Standing::Same));

    let effects = type_text(&mut model, "x");
    assert_eq!(asked(&effects), [render("xold")], "the saved one is not rendered again");
    answer(&mut model, &effects, Ok(rendered("xold\n")));
    assert_eq!(standing(&model), Some(Standing::Different { new: 1, gone: 1 }));
    press(&mut model, "ctrl-o");
    assert_eq!(standing(&model), None);
}

#[test]
fn the_log_is_searched_for_a_delivery_by_the_server_too() {
    let (mut model, effects) = editing("t");
    answer(&mut model, &effects, Ok(rendered("t")));
    press(&mut model, "ctrl-d");
    let effects = type_text(&mut model, "old");
    let search = |query: &str| Request::SearchDeliveries { query: query.into(), before: None, limit: 200 };
    assert_eq!(asked(&effects), [search("o")], "one question at a time");
    let effects = answer(&mut model, &effects, Ok(Answer::Found { deliveries: vec![], next: None }));
    assert_eq!(asked(&effects), [search("old")]);
    let old = DeliverySummary {
        subject: Some(Shown::line("an old one")),
        ..crate::app::fixtures::delivery(-7, 90_000, Verdict::Accepted, "incident.triggered")
    };
    answer(&mut model, &effects, Ok(Answer::Found { deliveries: vec![old], next: None }));
    let effects = press(&mut model, "enter");
    assert_eq!(asked(&effects), [Request::Render { text: "t".into(), on: Subject::Delivery(DeliveryId(-7)) }]);

    press(&mut model, "ctrl-d");
    type_text(&mut model, "is:");
    assert!(model.templates.editor.as_ref().expect("open").pick.as_ref().expect("a list").wrong.is_some());
}

fn history(present: Option<u32>, former: &[u32]) -> Answer {
    let version = |number| TemplateVersion { number, saved_at: None, by: None, bytes: 3 };
    let former = former.iter().map(|number| version(*number)).collect();
    let history = TemplateHistory { present: present.map(version), former, built_in: true };
    Answer::TemplateHistory { name: "chat".into(), history }
}

/// The versions of the first template, shown, the newest read.
fn versions(text: &str) -> Model {
    let (mut model, effects) = editing("now");
    answer(&mut model, &effects, Ok(rendered("now")));
    let effects = press(&mut model, "alt-v");
    assert_eq!(asked(&effects), [Request::TemplateHistory { name: "chat".into() }]);
    let effects = answer(&mut model, &effects, Ok(history(Some(0), &[2, 1])));
    let version = Version::Number(2);
    assert_eq!(asked(&effects), [Request::TemplateVersion { name: "chat".into(), version }]);
    let read = Answer::TemplateVersion { name: "chat".into(), version, text: text.into() };
    answer(&mut model, &effects, Ok(read));
    model
}

#[test]
fn a_former_version_goes_into_the_editor_unsaved() {
    let mut model = versions("then");
    press(&mut model, "enter");
    assert_eq!((open_text(&model).as_str(), model.templates.unsaved()), ("then", vec!["chat"]));
    press(&mut model, "ctrl-u");
    assert_eq!(open_text(&model), "now");
}

#[test]
fn a_former_version_is_restored_when_it_was_confirmed() {
    let mut model = versions("then");
    assert_eq!(asked(&press(&mut model, "r esc r n")), []);
    let effects = press(&mut model, "r y");
    let restore = Request::RestoreTemplate { name: "chat".into(), version: Version::Number(2), base: "now".into() };
    assert_eq!(asked(&effects), [restore]);
    let effects = answer(&mut model, &effects, Ok(Answer::Saved { name: "chat".into() }));
    assert!(asked(&effects).contains(&Request::TemplateHistory { name: "chat".into() }), "the list is another");
    assert_eq!((open_text(&model).as_str(), model.templates.unsaved().len()), ("then", 0));
    assert!(notice(&model).starts_with("version 2 of chat is the present one again"), "{}", notice(&model));
}

#[test]
fn unsaved_text_is_not_lost_by_restoring() {
    let mut model = versions("then");
    press(&mut model, "esc x alt-v");
    press(&mut model, "r");
    assert!(notice(&model).starts_with("there is unsaved text"), "{}", notice(&model));
    assert_eq!(open_text(&model), "xnow");
}

#[test]
fn the_versions_are_a_key_away_from_the_list() {
    let mut model = templates();
    let effects = press(&mut model, "v");
    assert_eq!(asked(&effects), [Request::Template { name: "chat".into() }]);
    let effects = answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "now".into() }));
    assert!(asked(&effects).contains(&Request::TemplateHistory { name: "chat".into() }));
}

#[test]
fn the_persons_own_editor_gets_the_text_and_gives_it_back() {
    let mut model = with_drafts(&[]);
    let effects = press(&mut model, "enter");
    answer(&mut model, &effects, Ok(Answer::Template { name: "chat".into(), text: "old".into() }));
    let effects = press(&mut model, "ctrl-e");
    let out = Effect::EditExternally { id: DraftId("chat".into()), name: "chat".into(), text: "old".into() };
    assert_eq!((kept(&effects), effects.last()), (one_kept("chat", "old"), Some(&out)), "on disk, should this end");

    let edited = |text| Event::Edited { name: "chat".into(), text };
    let effects = update(&mut model, edited(Ok("new\u{202e}".into())));
    assert_eq!((open_text(&model).as_str(), notice(&model)), ("new", "taken over without 1 hidden character"));
    assert_eq!(kept(&effects), one_kept("chat", "new"));
    press(&mut model, "ctrl-u ctrl-e");

    let effects = update(&mut model, edited(Err(Shown::line("`vi` ended with 1"))));
    assert_eq!((open_text(&model).as_str(), notice(&model)), ("old", "nothing was changed: `vi` ended with 1"));
    assert_eq!(kept(&effects), [("chat".to_owned(), None)]);
}
