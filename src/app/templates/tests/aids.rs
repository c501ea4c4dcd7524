//! What helps while one types: suggestions, fields, finds, pairs, comparison.

use super::*;
use crate::{
    app::templates::preview::Standing,
    core::delivery::{DeliverySummary, Verdict},
};

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
fn a_field_goes_into_a_loop_by_its_way_from_the_start() {
    let (mut model, _) = editing("{{#each event}}x{{/each}}");
    let effects = press(&mut model, "end ctrl-left ctrl-left ctrl-left ctrl-t");
    answer(&mut model, &effects, Ok(fields()));
    model.templates.editor.as_mut().expect("open").go_to(0, 16);
    press(&mut model, "down enter");
    assert_eq!(open_text(&model), "{{#each event}}x{{@root.event.type}}{{/each}}");
}

#[test]
fn what_is_folded_stays_folded_and_another_delivery_is_asked_for_its_fields() {
    let (mut model, effects) = editing("t");
    answer(&mut model, &effects, Ok(rendered("t")));
    let effects = press(&mut model, "ctrl-t");
    answer(&mut model, &effects, Ok(fields()));
    press(&mut model, "left");
    let tree = |model: &Model| {
        let editor = model.templates.editor.as_ref().expect("open");
        let root = model.templates.context.field(&model.templates.source).expect("known");
        editor.tree.as_ref().expect("a tree").rows(root).len()
    };
    assert_eq!(tree(&model), 3);

    let effects = press(&mut model, "ctrl-d enter");
    let on = Subject::Delivery(DeliveryId(6));
    assert!(asked(&effects).contains(&Request::TemplateContext { on }));
    answer(&mut model, &effects, Ok(fields()));
    assert_eq!(tree(&model), 3);
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
    let effects = answer(&mut model, &effects, Ok(Answer::Found { deliveries: vec![], next: None, let_go: None }));
    assert_eq!(asked(&effects), [search("old")]);
    let old = DeliverySummary {
        subject: Some(Shown::line("an old one")),
        ..crate::app::fixtures::delivery(-7, 90_000, Verdict::Accepted, "incident.triggered")
    };
    answer(&mut model, &effects, Ok(Answer::Found { deliveries: vec![old], next: None, let_go: None }));
    let effects = press(&mut model, "enter");
    assert_eq!(asked(&effects), [Request::Render { text: "t".into(), on: Subject::Delivery(DeliveryId(-7)) }]);

    press(&mut model, "ctrl-d");
    type_text(&mut model, "is:");
    assert!(model.templates.editor.as_ref().expect("open").pick.as_ref().expect("a list").wrong.is_some());
}
