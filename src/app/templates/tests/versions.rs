//! Former versions come back without losing anything.

use super::*;
use crate::core::template::{TemplateHistory, TemplateVersion};

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
