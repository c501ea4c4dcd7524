//! What is said right after a hand-over, before anybody was asked who has it now.

use jiff::Timestamp;

use super::{
    lines::{Says, lines},
    mine::{Now, standing},
};
use crate::{
    app::{
        Model,
        duty::{Duty, duty},
        fixtures::{account_name, alice, answer, board, bob, carol, model, press, time, user},
        prompt::Ask,
        services,
    },
    core::{
        board::AccountBoard,
        handoff::{Next, next},
        rota::Relief,
    },
    proto::Answer,
};

/// Alice's shift ended 20 s ago; the last round was 10 s before that, and is not old.
fn handed_over() -> Model {
    let mut model = model(80, 24);
    model.now = time("2025-06-10T06:00:20Z");
    let account = &mut known(&mut model).account;
    account.on_call.last_success = Some(time("2025-06-10T05:59:50Z"));
    account.rest.last_success = account.on_call.last_success;
    model
}

fn known(model: &mut Model) -> &mut AccountBoard {
    model.board.accounts.get_mut(&account_name()).expect("account")
}

fn mine(model: &Model) -> Now<'_> {
    standing(model, &model.board.accounts[&account_name()]).expect("me").0
}

#[test]
fn who_follows_is_who_came_after_the_one_whose_time_is_over() {
    let model = handed_over();

    let follower = lines(&model).into_iter().find_map(|line| match line.says {
        Says::Then { who: Relief::Person(stretch), .. } => Some((stretch.who?.id.clone(), stretch.start.known())),
        _ => None,
    });

    // Bob by another schedule is on level 2, and has the same follower.
    assert_eq!(follower, Some((bob().id, Some(time("2025-06-10T06:00:00Z")))));
}

#[test]
fn nobody_is_told_that_they_are_not_on_call() {
    let model = handed_over();

    assert_eq!(duty(&model.board, &model.access, model.now), Duty::Unknown);
    assert_eq!(mine(&model), Now::NotKnown);
}

#[test]
fn my_own_duties_tell_that_i_have_it_now() {
    let mut model = handed_over();
    let mut duty = known(&mut model).oncalls[0].clone();
    (duty.start, duty.end) = (duty.end, Some(time("2025-06-10T18:00:00Z")));
    let effects = press(&mut model, "2");

    answer(&mut model, &effects, Ok(Answer::Duties { duties: vec![duty.clone()] }));

    assert_eq!(mine(&model), Now::On { duty: &duty, others: 0 });
}

#[test]
fn a_service_is_not_said_to_have_nobody() {
    let mut model = handed_over();
    let first = |model: &Model| {
        let rows = services::rows(model);
        let row = rows.iter().find(|row| row.service.service.name.as_str() == "Edge").expect("listed");
        (row.on_call.names.iter().map(ToString::to_string).collect::<Vec<_>>(), row.on_call.lacks_some)
    };
    assert_eq!(first(&model), (vec![], true));

    known(&mut model).oncalls[2].level = 1;
    assert_eq!(first(&model), (vec!["Carol Lindqvist".to_owned()], true), "who has no end has it still");

    known(&mut model).oncalls.remove(0);
    assert_eq!(first(&model), (vec!["Carol Lindqvist".to_owned()], false));
}

#[test]
fn nothing_goes_to_the_one_whose_time_is_over() {
    let about = |keys: &str, name: &str| {
        let mut model = handed_over();
        press(&mut model, keys);
        let Some(Ask::Pick(pick)) = model.prompt.map(|prompt| prompt.ask) else { panic!("no list") };
        pick.listed.into_iter().find(|choice| choice.name == name).expect("listed").about
    };

    assert_eq!(about("x", "level 1"), "pages whoever follows Alice Moreau");
    assert_eq!(about("h", "Alice Moreau"), "on call: not known");
}

#[test]
fn what_i_pass_on_without_a_schedule_of_mine_goes_to_who_came_after_them() {
    let (mut model, now): (_, Timestamp) = (handed_over(), time("2025-06-10T06:00:20Z"));
    known(&mut model).oncalls[1].user = carol();
    let stranger = user("PDAVE01", "Dave").id;
    let incidents = board().incidents;
    let disk = incidents.values().next().expect("incident");
    let goes_to = |known: &AccountBoard| next(known, &stranger, disk, now);

    assert_eq!(goes_to(known(&mut model)), Some(Next { user: bob(), from: None }));

    known(&mut model).schedules.clear();
    let told = goes_to(known(&mut model)).map(|next| next.user);
    assert_eq!(told, Some(carol()), "and not to {}", alice().name);
}
