//! What is asked before something is done.

use super::{both, keys};
use crate::{
    app::{
        Model, NoticeKind,
        fixtures::{self, attached, board_of_two, board_with, change, model, press, shown, type_text},
    },
    core::{
        action::{Outcome, Verb},
        board::Change,
        freshness::{Account, Sight},
        incident::Status,
    },
    proto::Answer,
    ui::snapshot::screen,
};

#[test]
fn acknowledging_one() {
    keys("prompt_acknowledge", "a");
}

#[test]
fn of_several_accounts_each_incident_is_named_with_its_own() {
    both("prompt_of_two_accounts", |width, height| {
        let mut model = attached(board_of_two(), width, height);
        press(&mut model, "shift-down shift-down a");
        model
    });
}

#[test]
fn an_incident_without_a_number_has_the_room_of_its_id_for_its_title() {
    both("prompt_without_number", |width, height| {
        let mut model = model(width, height);
        let title = "Replication lag of 90 s";
        let mut incident = fixtures::incident("QNUMBERLESS042", 1, Status::Triggered, title, 1);
        incident.state.number = None;
        change(&mut model, Change::Incident(Box::new(incident)));
        press(&mut model, "g g space j space a");
        model
    });
}

#[test]
fn resolving_many_of_which_some_are_left_out() {
    both("prompt_resolve_many", |width, height| {
        let mut model = model(width, height);
        for number in 0..9 {
            let title = format!("Replica {number} lags behind by more than the allowed ten minutes");
            let incident = fixtures::incident(&format!("QREP{number}"), 1300 + number, Status::Triggered, &title, 60);
            change(&mut model, Change::Incident(Box::new(incident)));
        }
        let marks = "shift-down ".repeat(15);
        press(&mut model, &format!("g {marks} R"));
        model
    });
}

#[test]
fn an_incident_that_changes_while_the_prompt_is_open() {
    both("prompt_changed", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "a");
        let incident = fixtures::incident("Q1DISK", 1201, Status::Resolved, "Disk 97 % full on db-3", 2);
        change(&mut model, Change::Incident(Box::new(incident)));
        model
    });
}

#[test]
fn handing_off_to_whom() {
    keys("prompt_hand_off", "h");
}

#[test]
fn handing_off_to_whom_where_the_key_may_not_see_people_any_more() {
    let barred = |account: &mut Account| {
        account.barred.insert(Sight::People, shown("not permitted: Access Denied"));
    };
    both("prompt_hand_off_barred", |width, height| {
        let mut model = attached(board_with(barred), width, height);
        press(&mut model, "h");
        model
    });
    both("prompt_hand_off_barred_nobody", |width, height| {
        let mut model = attached(board_with(barred), width, height);
        press(&mut model, "h");
        type_text(&mut model, "zoe");
        model
    });
}

#[test]
fn handing_off_to_whom_with_a_filter_and_a_note() {
    both("prompt_hand_off_note", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "h");
        type_text(&mut model, "bo");
        press(&mut model, "tab");
        type_text(&mut model, "see the runbook, WAL is growing");
        model
    });
}

#[test]
fn handing_off_for_sure() {
    both("prompt_hand_off_confirm", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "h down enter");
        model
    });
}

#[test]
fn handing_off_to_a_policy() {
    both("prompt_hand_off_policy", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "h end tab");
        type_text(&mut model, "db team please");
        press(&mut model, "enter");
        model
    });
}

#[test]
fn a_note() {
    both("prompt_note", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "n");
        type_text(&mut model, "Deleted old WAL files, watching the volume for another hour before I resolve.");
        press(&mut model, "enter");
        type_text(&mut model, "Bob knows.");
        model
    });
}

#[test]
fn a_conflict() {
    both("prompt_conflict", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "a enter");
        fixtures::answer(&mut model, &effects, Ok(Answer::Accepted { action: crate::core::id::ActionId(9) }));
        let reason = shown("Bob Okafor resolved it at 04:17:12");
        let assignees = fixtures::target("Q1DISK").assignees;
        let outcomes = [("Q1DISK", Outcome::Conflict { now: Status::Resolved, assignees, reason })];
        change(&mut model, Change::Action(Box::new(fixtures::action(9, Verb::Acknowledge, &outcomes))));
        let mut resolved = model.board.incidents[&fixtures::key("Q1DISK")].clone();
        resolved.state.status = Status::Resolved;
        change(&mut model, Change::Incident(Box::new(resolved)));
        model
    });
}

#[test]
fn a_conflict_that_is_an_old_story_by_now() {
    both("prompt_conflict_and_more", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "R enter");
        fixtures::answer(&mut model, &effects, Ok(Answer::Accepted { action: crate::core::id::ActionId(9) }));
        let reason = shown("it was assigned to Bob Okafor meanwhile");
        let conflict = Outcome::Conflict { now: Status::Triggered, assignees: vec![fixtures::bob().id], reason };
        let verb = Verb::Resolve { note: None };
        change(&mut model, Change::Action(Box::new(fixtures::action(9, verb, &[("Q1DISK", conflict)]))));
        let mut taken = model.board.incidents[&fixtures::key("Q1DISK")].clone();
        taken.state.assignees = vec![fixtures::carol()];
        change(&mut model, Change::Incident(Box::new(taken)));
        model
    });
}

#[test]
fn snoozing_for_how_long() {
    keys("prompt_snooze", "s");
}

#[test]
fn snoozing_for_sure() {
    keys("prompt_snooze_confirm", "s down enter");
}

#[test]
fn escalating_to_which_level() {
    keys("prompt_escalate", "x down");
}

#[test]
fn merging_for_sure() {
    keys("prompt_merge_confirm", "m enter");
}

#[test]
fn editing_while_the_provider_is_asked() {
    keys("prompt_edit", "e");
}

#[test]
fn a_new_title() {
    keys("prompt_edit_title", "e enter");
}

#[test]
fn asking_for_help() {
    keys("prompt_responders_confirm", "+ down enter");
}

#[test]
fn choosing_from_nothing_that_has_come() {
    keys("prompt_workflow", "W");
}

#[test]
fn resolving_with_a_note() {
    both("prompt_resolve_note", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "R tab");
        type_text(&mut model, "replaced the disk, rebuilt the index");
        model
    });
}

#[test]
fn a_command_line() {
    both("command_line", |width, height| {
        let mut model = model(width, height);
        press(&mut model, ":");
        type_text(&mut model, "snooze until 09:00");
        model
    });
}

#[test]
fn an_action_that_can_be_taken_back() {
    both("action_waits", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "a enter");
        fixtures::answer(&mut model, &effects, Ok(Answer::Accepted { action: crate::core::id::ActionId(9) }));
        change(&mut model, Change::Action(Box::new(fixtures::waiting(9, Verb::Acknowledge, &["Q1DISK"]))));
        model
    });
}

#[test]
fn after_one_was_taken_back_the_next_one_can_be() {
    both("action_next_waits", |width, height| {
        let mut model = model(width, height);
        for (id, keys, incident) in [(9, "a enter", "Q1DISK"), (10, "j a enter", "Q2LATE")] {
            let effects = press(&mut model, keys);
            fixtures::answer(&mut model, &effects, Ok(Answer::Accepted { action: crate::core::id::ActionId(id) }));
            change(&mut model, Change::Action(Box::new(fixtures::waiting(id, Verb::Acknowledge, &[incident]))));
        }
        press(&mut model, "u");
        let back = fixtures::action(10, Verb::Acknowledge, &[("Q2LATE", Outcome::TakenBack)]);
        change(&mut model, Change::Action(Box::new(back)));
        model
    });
}

#[test]
fn how_an_action_is_taken_back_is_told_where_the_key_does_it_and_of_that_action_alone() {
    let last_lines = |keys: &str, more: fn(&mut Model)| {
        let mut model = model(80, 24);
        let effects = press(&mut model, "a enter");
        fixtures::answer(&mut model, &effects, Ok(Answer::Accepted { action: crate::core::id::ActionId(9) }));
        change(&mut model, Change::Action(Box::new(fixtures::waiting(9, Verb::Acknowledge, &["Q1DISK"]))));
        press(&mut model, keys);
        more(&mut model);
        screen(&model, 80, 24).lines().take(24).skip(22).map(str::trim).collect::<Vec<_>>().join(" ")
    };
    for keys in ["", "2", "3", "4", "5", "6", "L", "H"] {
        let told = last_lines(keys, |_| {});
        assert!(told.ends_with("sent in 5 s, u takes it back"), "{keys}: {told}");
    }
    for keys in ["n", "/", "?", "H s", "2 /", "4 n", "V"] {
        let told = last_lines(keys, |_| {});
        assert!(told.ends_with("esc then u takes it back"), "{keys}: {told}");
    }
    let told = last_lines("", |model| model.say(NoticeKind::Working, "override Primary: Bob Okafor …"));
    assert!(!told.contains("takes it back"), "it is not the override that is taken back: {told}");
}
