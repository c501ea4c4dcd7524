//! The templates view, as a person sees it.

use crate::{
    app::{
        Effect, Event, Model,
        templates::drafts::{DraftId, FoundDrafts, KeptDraft},
        update,
    },
    core::{
        board::Board,
        template::{Fault, Preview, TemplateHistory, TemplateVersion, Version},
        text::ShownBody,
    },
    proto::Answer,
    ui::{
        fixtures::{answer, attached, board, now, press, shown, type_text, zone},
        snapshot::screen,
    },
};

const SIZES: [(u16, u16); 2] = [(80, 24), (40, 12)];
const WITH_WIDE: [(u16, u16); 3] = [(80, 24), (40, 12), (160, 40)];

/// Snapshots what `steps` make of the templates view, at these sizes.
fn at(sizes: &[(u16, u16)], name: &str, board: &Board, steps: impl Fn(&mut Model)) {
    for (width, height) in sizes {
        let mut model = attached(board.clone(), *width, *height);
        press(&mut model, "4");
        steps(&mut model);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&model, *width, *height));
    }
}

fn keys(name: &str, keys: &str) {
    at(&SIZES, name, &board(), |model| drop(press(model, keys)));
}

const TEXT: &str = "{\n  \"text\": \"{{event.data.title}}\",\n{{#each event.data.assignees}}\n\t\"to\": \"{{summary}}\"\n{{/each}}\n}\n";

/// Opens the first template with `text`; its preview is asked for.
fn open(model: &mut Model, text: &str) -> Vec<Effect> {
    let effects = press(model, "enter");
    answer(model, &effects, Ok(Answer::Template { name: "chat".into(), text: text.into() }))
}

fn editing(name: &str, preview: &Preview, then: impl Fn(&mut Model)) {
    at(&WITH_WIDE, name, &board(), |model| {
        let effects = open(model, TEXT);
        answer(model, &effects, Ok(Answer::Preview { preview: preview.clone() }));
        then(model);
    });
}

fn fault(message: &str, line: u32, column: u32) -> Fault {
    Fault { message: shown(message), line, column }
}

fn rendered(output: &str, json: Result<(), Fault>) -> Preview {
    Preview::Rendered { output: ShownBody::new(output), json, bytes: output.len() as u64, warnings: vec![] }
}

#[test]
fn what_is_perhaps_not_meant_stands_above_the_output() {
    let warned = |column| fault("`moment` reads a text with date.js: add datejs=false", 3, column);
    let warnings = (1..=5).map(warned).collect();
    let preview = Preview::Rendered { output: ShownBody::new("{}"), json: Ok(()), bytes: 2, warnings };

    editing("editor_warned", &preview, |_| {});
}

fn good() -> Preview {
    rendered("{\n  \"text\": \"Disk 97 % full on db-3\",\n    \"to\": \"Alice Moreau\"\n}\n", Ok(()))
}

#[test]
fn the_list() {
    keys("list", "j");
    keys("list_naming", "n p a g e");
    keys("list_bad_name", "n P a");
    keys("list_opening", "enter");
    keys("list_filter", "/ m a i l");
    keys("list_filter_none", "/ x y z enter");
    at(&SIZES, "list_empty", &Board { templates: vec![], ..board() }, |_| {});
}

#[test]
fn the_list_before_the_first_answer() {
    let mut model = Model::new(now(), zone(), (80, 24));
    press(&mut model, "4");
    insta::assert_snapshot!("list_connecting_80x24", screen(&model, 80, 24));
}

#[test]
fn a_template_that_cannot_be_opened() {
    at(&SIZES, "list_refused", &board(), |model| {
        let effects = press(model, "enter");
        answer(model, &effects, Err("chat.hbs: permission denied".into()));
    });
}

#[test]
fn text_left_unsaved_is_marked_in_the_list() {
    at(&SIZES, "list_unsaved", &board(), |model| {
        open(model, TEXT);
        type_text(model, "x");
        press(model, "esc k n n e w enter y esc k");
    });
}

#[test]
fn the_editor_with_its_preview() {
    editing("editor", &good(), |_| {});
    editing("editor_typing", &good(), |model| drop(type_text(model, "x")));
    editing("editor_saving", &good(), |model| {
        type_text(model, "x");
        press(model, "ctrl-s");
    });
    editing("editor_saved", &good(), |model| {
        type_text(model, "x");
        let effects = press(model, "ctrl-s");
        answer(model, &effects, Ok(Answer::Saved { name: "chat".into() }));
    });
}

#[test]
fn a_broken_template_that_was_saved() {
    let broken = Preview::Broken(fault("there is no helper `eech`", 3, 4));
    editing("editor_saved_broken", &broken, |model| {
        let effects = type_text(model, "x");
        answer(model, &effects, Ok(Answer::Preview { preview: broken.clone() }));
        let effects = press(model, "ctrl-s");
        answer(model, &effects, Ok(Answer::Saved { name: "chat".into() }));
    });
}

#[test]
fn an_editor_without_colour() {
    let mut model = attached(board(), 80, 24);
    model.colour = false;
    press(&mut model, "4");
    let effects = open(&mut model, TEXT);
    answer(&mut model, &effects, Ok(Answer::Preview { preview: good() }));
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn faults_say_where_they_are() {
    let broken =
        Preview::Broken(fault("there is no helper `eech`: did you mean `each`, of all the helpers there are?", 3, 4));
    editing("editor_broken", &broken, |_| {});
    let not_json = rendered(
        "{\n  \"text\": \"a\",\n  \"to\": \"b\"\n  \"to\": \"c\"\n}\n",
        Err(fault("expected `,` or `}`", 4, 3)),
    );
    editing("editor_not_json", &not_json, |_| {});
    editing("editor_nowhere", &Preview::Broken(fault("it ran for longer than 2 s", 0, 0)), |_| {});
    let mail = rendered("Disk 97 % full on db-3\n\nSince 04:17.\n", Err(fault("expected value", 1, 1)));
    editing("editor_plain_text", &mail, |_| {});
    editing("editor_empty", &rendered("", Err(fault("EOF while parsing a value", 1, 0))), |_| {});
}

#[test]
fn a_preview_that_cannot_be_had_says_why() {
    at(&SIZES, "editor_no_preview", &board(), |model| {
        let effects = open(model, TEXT);
        answer(model, &effects, Err("the render worker does not start".into()));
    });
    at(&SIZES, "editor_rendering", &board(), |model| drop(open(model, TEXT)));
    at(&SIZES, "editor_link_lost", &board(), |model| {
        open(model, TEXT);
        update(model, Event::Detached { reason: "the server went away".into() });
    });
    at(&SIZES, "editor_no_answer", &board(), |model| {
        open(model, TEXT);
        let later = model.now + jiff::SignedDuration::from_secs(11);
        update(model, Event::Ticked(later));
    });
}

#[test]
fn a_refused_save() {
    editing("editor_refused", &good(), |model| {
        type_text(model, "x");
        let effects = press(model, "ctrl-s");
        answer(model, &effects, Err("chat was saved by bob at 04:16; copy your text, open it again, and merge".into()));
    });
}

#[test]
fn leaving_with_unsaved_changes_asks() {
    editing("editor_leaving", &good(), |model| {
        type_text(model, "x");
        press(model, "esc");
    });
}

#[test]
fn hidden_characters_lock_the_text_and_are_left_out_of_pastes() {
    at(&SIZES, "editor_locked", &board(), |model| drop(open(model, "pay\u{202e}load\u{200b}\n")));
    at(&SIZES, "editor_pasted", &board(), |model| {
        open(model, "");
        update(model, Event::Pasted("a\u{200b}b\tc".into()));
    });
}

#[test]
fn choosing_a_delivery() {
    editing("pick", &good(), |model| drop(press(model, "ctrl-d down")));
    editing("pick_filter", &good(), |model| {
        press(model, "ctrl-d");
        type_text(model, "annot");
    });
    editing("pick_none", &good(), |model| {
        press(model, "ctrl-d");
        type_text(model, "xyz");
    });
    editing("pick_done", &good(), |model| {
        let effects = press(model, "ctrl-d down enter");
        answer(model, &effects, Ok(Answer::Preview { preview: good() }));
    });
}

#[test]
fn nothing_breaks_at_any_size() {
    for (width, height) in [(1, 1), (40, 12), (41, 13), (99, 12), (100, 12), (500, 200)] {
        let mut model = attached(board(), 80, 24);
        press(&mut model, "4");
        open(&mut model, TEXT);
        for steps in [
            "down end",
            "{ {",
            "esc ctrl-f x",
            "esc ctrl-t",
            "esc alt-v",
            "esc ctrl-o ctrl-d",
            "esc",
            "x esc",
            "k",
            "n",
        ] {
            press(&mut model, steps);
            update(&mut model, Event::Resized { width, height });
            screen(&model, width, height);
            update(&mut model, Event::Resized { width: 80, height: 24 });
        }
    }
}

fn fields() -> Answer {
    let value = serde_json::json!({
        "event": { "id": "01", "type": "incident.triggered", "time": "2025-06-10T02:17:30Z" },
        "incident": { "title": "Disk 97 % full on db-3", "number": 2201, "assignees": [{ "name": "Alice Moreau" }] },
        "raw": { "event": { "id": "01" } },
    });
    Answer::TemplateContext { context: Box::new(crate::core::field::Field::of(&value)) }
}

#[test]
fn suggestions_stand_at_the_cursor() {
    editing("editor_suggestions", &good(), |model| {
        press(model, "down end enter");
        let effects = type_text(model, "{{inc");
        answer(model, &effects, Ok(fields()));
        type_text(model, "ident.");
        press(model, "down");
    });
    editing("editor_helpers", &good(), |model| {
        press(model, "down down down down down down");
        type_text(model, "{{#wi");
    });
}

#[test]
fn the_fields_stand_in_the_place_of_the_preview() {
    editing("editor_fields", &good(), |model| {
        let effects = press(model, "ctrl-t");
        answer(model, &effects, Ok(fields()));
        press(model, "down down down down down down down right down");
    });
    editing("editor_fields_asking", &good(), |model| drop(press(model, "ctrl-t")));
    editing("editor_fields_failed", &good(), |model| {
        let effects = press(model, "ctrl-t");
        answer(model, &effects, Err("delivery 7 is not kept any more; choose another".into()));
    });
}

#[test]
fn what_is_found_and_what_belongs_together_is_marked() {
    editing("editor_found", &good(), |model| {
        press(model, "ctrl-f");
        type_text(model, "event");
        press(model, "enter");
    });
    editing("editor_not_found", &good(), |model| {
        press(model, "ctrl-f");
        type_text(model, "events");
    });
    editing("editor_selected", &good(), |model| drop(press(model, "down shift-down shift-right shift-right")));
}

#[test]
fn the_output_beside_that_of_the_saved_text() {
    let compared = |name: &str, saved: Preview| {
        editing(name, &good(), |model| {
            let effects = press(model, "ctrl-o");
            answer(model, &effects, Ok(Answer::Preview { preview: saved.clone() }));
        });
    };
    compared("editor_same", good());
    compared("editor_different", rendered("{\n  \"text\": \"Disk full\",\n    \"to\": \"Alice Moreau\"\n}\n", Ok(())));
    compared("editor_saved_gives_nothing", Preview::Broken(fault("there is no helper `eech`", 3, 4)));
}

fn versions(model: &mut Model) {
    let version = |number, ago, by: Option<&str>| TemplateVersion {
        number,
        saved_at: Some(crate::ui::fixtures::ago(ago)),
        by: by.map(shown),
        bytes: 105,
    };
    let effects = press(model, "alt-v");
    let former = vec![version(12, 90_000, Some("alice")), version(11, 900_000, None)];
    let history = TemplateHistory { present: Some(version(0, 600, Some("bob"))), former, built_in: true };
    let effects = answer(model, &effects, Ok(Answer::TemplateHistory { name: "chat".into(), history }));
    let text = TEXT.replace("title", "summary").replace("\t\"to\"", "\t\"for\"");
    let read = Answer::TemplateVersion { name: "chat".into(), version: Version::Number(12), text };
    answer(model, &effects, Ok(read));
}

#[test]
fn former_versions_and_what_is_different_since() {
    editing("history", &good(), versions);
    editing("history_confirming", &good(), |model| {
        versions(model);
        press(model, "r");
    });
    editing("history_asking", &good(), |model| drop(press(model, "alt-v")));
    editing("history_none", &good(), |model| {
        let effects = press(model, "alt-v");
        let history = TemplateHistory { present: None, former: vec![], built_in: false };
        answer(model, &effects, Ok(Answer::TemplateHistory { name: "chat".into(), history }));
    });
}

fn kept_draft(model: &mut Model, base: &str) {
    let text = TEXT.replace("title", "summary");
    let draft = KeptDraft { name: "chat".into(), text, base: Some(base.into()), at: crate::ui::fixtures::ago(3600) };
    let drafts = vec![(DraftId("chat.1".into()), draft)];
    update(model, Event::FoundDrafts(FoundDrafts { drafts, elsewhere: vec!["night-mail".into()] }));
}

#[test]
fn text_that_an_earlier_console_kept() {
    at(&SIZES, "list_drafts", &board(), |model| {
        kept_draft(model, TEXT);
        press(model, "j");
    });
    at(&WITH_WIDE, "editor_restored", &board(), |model| {
        kept_draft(model, TEXT);
        let effects = open(model, TEXT);
        answer(model, &effects, Ok(Answer::Preview { preview: good() }));
    });
    at(&WITH_WIDE, "draft_differs", &board(), |model| {
        kept_draft(model, "another");
        open(model, TEXT);
    });
}

#[test]
fn a_save_that_came_after_another() {
    editing("save_differs", &good(), |model| {
        let effects = type_text(model, "x");
        answer(model, &effects, Ok(Answer::Preview { preview: good() }));
        let effects = press(model, "ctrl-s");
        let effects = answer(model, &effects, Err("`chat` was saved by somebody else meanwhile".into()));
        let text = TEXT.replace("title", "summary");
        answer(model, &effects, Ok(Answer::Template { name: "chat".into(), text }));
    });
}

#[test]
fn a_long_line_scrolls_sideways_and_wide_characters_and_tabs_keep_their_columns() {
    at(&SIZES, "editor_sideways", &board(), |model| {
        let text = format!("{{\n\t\"日本\": \"{}\"\n\t\t\"é\u{301}\"\n}}", "夜間バッチ ".repeat(20));
        open(model, &text);
        press(model, "down end");
    });
}
