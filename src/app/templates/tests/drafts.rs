//! Text that is not saved is not lost.

use super::*;

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
fn a_draft_can_be_had_without_a_server() {
    let mut model = with_drafts(&[("chat", "mine", Some("old"))]);
    update(&mut model, Event::Detached { reason: "the server went away".into() });
    assert_eq!(asked(&press(&mut model, "enter")), []);
    assert_eq!((open_text(&model).as_str(), model.templates.unsaved()), ("mine", vec!["chat"]));
}

#[test]
fn the_name_of_a_draft_that_was_found_opens_that_one() {
    let mut model = with_drafts(&[("page", "mine", None)]);
    press(&mut model, "n p a g e enter");
    assert_eq!(open_text(&model), "mine");
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
