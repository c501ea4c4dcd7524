//! Taking the pager, and overrides: what is asked, what is sent, and that a slip does no harm.

use crate::{
    app::{
        Effect, Event, Model, NoticeKind, Role,
        fixtures::{
            account_name, action, ago, alice, answer, board, bob, change, model, now, press, requests, schedule_name,
            time, type_text,
        },
        prompt::{Ask, Prompt},
        update,
    },
    core::{
        action::{Action, By, Outcome, Verb},
        arrangement::Arrangement,
        board::{Board, Change},
        id::{ActionId, OverrideId, StoreId, UserId},
        incident::Named,
        oncall::{OnCall, Schedule, Shift},
        rota::Override,
    },
    proto::{Access, Answer, Request},
};

/// The on-call view with the hand on the first schedule.
fn on_schedule() -> Model {
    let mut model = model(80, 24);
    press(&mut model, "2 / p r i m a r y enter G");
    for _ in 0..20 {
        press(&mut model, "k");
        if matches!(model.oncall.cursor.selected(), Some(super::Place::Schedule { .. })) {
            return model;
        }
    }
    panic!("no schedule is listed")
}

fn asked(effects: &[Effect]) -> Option<Arrangement> {
    requests(effects).into_iter().find_map(|(_, request)| match request {
        Request::Arrange { what, .. } => Some(*what),
        _ => None,
    })
}

fn question(model: &Model) -> String {
    match &model.prompt {
        Some(Prompt { ask: Ask::Arrange(arranging), .. }) => {
            arranging.question(model).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn wrong(model: &Model) -> Option<String> {
    match &model.prompt {
        Some(Prompt { ask: Ask::Arrange(arranging), .. }) => arranging.wrong.clone(),
        _ => None,
    }
}

#[test]
fn taking_the_pager_names_whose_shift_it_is_and_from_when_till_when_before_anything_is_sent() {
    let mut model = on_schedule();
    press(&mut model, "t");
    type_text(&mut model, "until 09:00");

    assert_eq!(press(&mut model, "enter"), []);

    let told = question(&model);
    assert!(told.contains("Alice Moreau (you) has the pager"), "{told}");
    assert!(told.contains("from 04:17 till 09:00 CEST (4 h 42 min)"), "{told}");
    assert!(told.contains("in place of Bob Okafor"), "{told}");
    let Some(Arrangement::AddOverrides { schedule, covers }) = asked(&press(&mut model, "enter")) else {
        panic!("not sent")
    };
    assert_eq!(schedule, schedule_name("PSCHED1", "Payments primary"));
    assert_eq!((covers.len(), &covers[0].user, covers[0].span.to), (1, &alice(), time("2025-06-10T07:00:00Z")));
    assert_eq!(covers[0].replaces, [alice(), bob()]);
    assert!(model.prompt.is_none());
}

#[test]
fn the_number_of_an_incident_is_not_taken_for_minutes() {
    let mut model = on_schedule();
    press(&mut model, "t 1 2 0 1 enter");

    assert!(wrong(&model).is_some_and(|why| why.contains("1201 of what?")));
    assert_eq!(question(&model).lines().count(), 2, "{}", question(&model));
}

#[test]
fn more_than_a_day_wants_another_key_than_enter() {
    let mut model = on_schedule();
    press(&mut model, "t 2 d enter");
    assert!(question(&model).contains("! that is 2 d 0 h: y confirms"), "{}", question(&model));

    assert_eq!(asked(&press(&mut model, "enter")), None);
    assert!(asked(&press(&mut model, "y")).is_some());
}

#[test]
fn escape_leaves_every_step_and_sends_nothing() {
    for keys in ["t esc", "t 1 h enter esc", "O esc", "O enter esc", "O enter 1 h enter esc"] {
        let mut model = on_schedule();

        let effects = press(&mut model, keys);

        assert_eq!((asked(&effects), model.prompt.is_none()), (None, true), "{keys}");
    }
}

#[test]
fn somebody_else_is_put_on_a_schedule_by_name() {
    let mut model = on_schedule();
    press(&mut model, "O");
    type_text(&mut model, "carol");
    press(&mut model, "enter");
    type_text(&mut model, "18:00-22:00");
    press(&mut model, "enter");

    let Some(Arrangement::AddOverrides { covers, .. }) = asked(&press(&mut model, "enter")) else { panic!("not sent") };

    assert_eq!(covers[0].user.name.as_str(), "Carol Lindqvist");
    assert_eq!(covers[0].span.from, time("2025-06-10T16:00:00Z"));
}

#[test]
fn shifts_that_are_not_on_the_board_are_asked_for_before_it_is_confirmed() {
    let mut model = on_schedule();
    press(&mut model, "t");
    type_text(&mut model, "2025-06-30 08:00 for 8h");
    let effects = press(&mut model, "enter");
    let Some((_, Request::Shifts { span, .. })) = requests(&effects).into_iter().next() else { panic!("not asked") };
    assert_eq!(press(&mut model, "enter"), []);

    let shift = Shift { start: span.from, end: span.to, user: bob(), from_override: false };
    let schedule = Schedule {
        schedule: schedule_name("PSCHED1", "Payments primary"),
        zone: "UTC".into(),
        shifts: vec![shift],
        from: span.from,
        to: span.to,
    };
    answer(&mut model, &effects, Ok(Answer::Shifts { schedule: Box::new(schedule) }));

    assert!(question(&model).contains("in place of Bob Okafor"), "{}", question(&model));
    let Some(Arrangement::AddOverrides { covers, .. }) = asked(&press(&mut model, "enter")) else { panic!("not sent") };
    assert_eq!(covers[0].replaces, [bob()]);
}

#[test]
fn an_override_is_chosen_among_those_there_are_and_taken_away_by_its_id() {
    let mut model = on_schedule();
    let effects = press(&mut model, "D");
    let known = |id: &str, user, from: i64, to: i64| Override {
        id: OverrideId::new(id).expect("id"),
        start: ago(-from),
        end: ago(-to),
        user,
    };
    let overrides = vec![known("Q1", bob(), 3600, 7200), known("Q2", alice(), 90_000, 99_000)];
    answer(&mut model, &effects, Ok(Answer::Overrides { overrides }));
    press(&mut model, "down enter");

    let Some(Arrangement::RemoveOverrides { overrides, .. }) = asked(&press(&mut model, "enter")) else {
        panic!("not sent")
    };

    assert_eq!(overrides.iter().map(|known| known.id.as_str()).collect::<Vec<_>>(), ["Q2"]);
}

#[test]
fn without_overrides_or_without_an_answer_that_is_said() {
    for (told, words) in [
        (Ok(Answer::Overrides { overrides: vec![] }), "no override in the coming"),
        (Err("rate limit reached".to_owned()), "nothing was sent: rate limit reached"),
    ] {
        let mut model = on_schedule();
        let effects = press(&mut model, "D");

        answer(&mut model, &effects, told);

        assert!(model.prompt.is_none());
        let text = model.notice.as_ref().map(|notice| notice.text.to_string()).unwrap_or_default();
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn each_part_is_told_with_its_own_outcome_and_done_only_when_it_is() {
    let mut model = on_schedule();
    press(&mut model, "t 1 h enter");
    let effects = press(&mut model, "enter");
    let what = asked(&effects).expect("sent");
    answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(7) }));
    let keys = what.keys(&account_name());
    let by = By { actor: "alice".into(), uid: None, name: None };
    let verb = Verb::Arrange(Box::new(what));
    let told = |model: &mut Model, outcome: Outcome| {
        let outcomes = vec![(keys[0].clone(), outcome)];
        let action = Action { id: ActionId(7), at: now(), by: by.clone(), verb: verb.clone(), outcomes, due: None };
        change(model, Change::Action(Box::new(action)));
        let notice = model.notice.clone().expect("a notice");
        (notice.kind, notice.text.to_string())
    };

    assert_eq!(told(&mut model, Outcome::Sent).0, NoticeKind::Working);
    let partly = Outcome::Partly { done: "a part of the time".into(), failed: "refused with 400".into() };
    let (kind, text) = told(&mut model, partly);

    assert_eq!(kind, NoticeKind::Bad);
    assert!(text.contains("a part of the time, but refused with 400"), "{text}");
}

#[test]
fn a_request_without_an_answer_is_in_doubt_and_never_called_done() {
    let mut model = on_schedule();
    press(&mut model, "t 1 h enter");
    let effects = press(&mut model, "enter");
    let (id, _) = requests(&effects).last().cloned().expect("sent");

    crate::app::update(&mut model, crate::app::Event::Unanswered { id, reason: "the line broke".into() });

    let notice = model.notice.clone().expect("a notice");
    assert_eq!(notice.kind, NoticeKind::Bad);
    assert!(notice.text.as_str().contains("not known whether it is done"), "{}", notice.text);
}

#[test]
fn my_duties_are_asked_for_when_i_look_and_the_next_one_is_told() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "2");
    let Some((_, Request::Duties { user, span, .. })) = requests(&effects).into_iter().next() else {
        panic!("not asked")
    };
    assert_eq!((user, span.from), (alice().id, now()));
    assert_eq!(requests(&press(&mut model, "1 2")), [], "it is asked once");

    let next = OnCall {
        policy: crate::app::fixtures::policy(),
        level: 2,
        user: alice(),
        schedule: None,
        start: Some(ago(-900_000)),
        end: Some(ago(-990_000)),
    };
    answer(&mut model, &effects, Ok(Answer::Duties { duties: vec![next.clone()] }));

    let board = &model.board.accounts[&account_name()];
    let (now, told) = super::mine::standing(&model, board).expect("I am known");
    assert!(matches!(now, super::mine::Now::On { duty, .. } if duty.level == 1));
    assert_eq!(told, super::mine::Next::Duty(&next));
}

#[test]
fn the_grid_asks_for_a_week_that_the_board_does_not_hold() {
    let mut model = on_schedule();
    assert_eq!(requests(&press(&mut model, "w")), []);
    let effects = press(&mut model, "right");
    let Some((_, Request::Shifts { span, .. })) = requests(&effects).into_iter().next() else { panic!("not asked") };
    assert_eq!((span.from, span.length().as_hours()), (time("2025-06-16T22:00:00Z"), 168));

    press(&mut model, "esc");
    assert!(model.oncall.grid.is_none());
}

/// Next week in the grid, of which the answer named `user`.
fn next_week(user: &Named<UserId>) -> Model {
    let mut model = on_schedule();
    press(&mut model, "w");
    let asked = press(&mut model, "right");
    tell(&mut model, &asked, user);
    model
}

fn tell(model: &mut Model, asked: &[Effect], user: &Named<UserId>) -> Vec<Effect> {
    let (from, to) = (time("2025-06-16T22:00:00Z"), time("2025-06-23T22:00:00Z"));
    let shift = Shift { start: from, end: to, user: user.clone(), from_override: false };
    let schedule = schedule_name("PSCHED1", "Payments primary");
    let schedule = Schedule { schedule, zone: "UTC".into(), shifts: vec![shift], from, to };
    answer(model, asked, Ok(Answer::Shifts { schedule: Box::new(schedule) }))
}

fn grid(model: &Model) -> String {
    let lines = super::grid::lines(model).into_iter();
    lines.map(|pieces| pieces.into_iter().map(|piece| piece.text).collect::<String>() + "\n").collect()
}

fn asks_for_shifts(effects: &[Effect]) -> bool {
    requests(effects).iter().any(|(_, request)| matches!(request, Request::Shifts { .. }))
}

#[test]
fn a_week_in_the_grid_is_asked_for_again_when_it_may_be_another_and_stays_meanwhile() {
    let schedules = board().accounts.remove(&account_name()).expect("account").schedules;
    let verb = Verb::Arrange(Box::new(Arrangement::RemoveOverrides {
        schedule: schedule_name("PSCHED1", "Payments primary"),
        overrides: vec![],
    }));
    let done = Change::Action(Box::new(action(9, verb, &[("X", Outcome::Confirmed { notice: None })])));
    for news in [None, Some(Change::Schedules { account: account_name(), schedules }), Some(done)] {
        let mut model = next_week(&bob());
        assert!(grid(&model).contains("B Bob Okafor"));

        let asked = match news {
            None => press(&mut model, "ctrl-r"),
            Some(news) => change(&mut model, news),
        };

        assert!(asks_for_shifts(&asked));
        assert!(grid(&model).contains("B Bob Okafor") && grid(&model).contains("asking…"), "{}", grid(&model));
        tell(&mut model, &asked, &alice());
        assert!(grid(&model).contains("A Alice Moreau") && !grid(&model).contains("Bob"), "{}", grid(&model));
    }
}

#[test]
fn a_week_in_the_grid_says_how_old_it_is_and_is_asked_for_again_over_a_new_link() {
    let mut model = next_week(&bob());
    assert!(!grid(&model).contains("as of"));
    update(&mut model, Event::Ticked(ago(-130)));
    assert!(grid(&model).contains("as of 2m ago"), "{}", grid(&model));

    update(&mut model, Event::Detached { reason: "gone".into() });
    let access = Access::Act { actor: "alice".into() };
    let asked = update(&mut model, Event::Attached { board: Box::new(board()), access, role: Role::Attached });

    assert!(asks_for_shifts(&asked));
    let (id, _) = requests(&asked).into_iter().find(|(_, one)| matches!(one, Request::Shifts { .. })).expect("asked");
    update(&mut model, Event::Answered { id, answer: Err("it did not answer".into()) });
    assert!(grid(&model).contains("! as of 2m ago, not asked again: it did not answer"), "{}", grid(&model));
}

#[test]
fn while_another_view_is_looked_at_nothing_is_worked_out_here_and_its_place_is_found_again() {
    let mut model = model(80, 24);
    press(&mut model, "2 j j j");
    let held = model.oncall.cursor.selected().cloned();
    assert!(matches!(held, Some(super::Place::Person { .. })));

    press(&mut model, "1");
    change(&mut model, Change::OnCalls { account: account_name(), oncalls: vec![] });
    assert_eq!(model.oncall.cursor.selected(), held.as_ref());

    press(&mut model, "2");
    assert_eq!(model.oncall.cursor.selected(), None);
}

#[test]
fn what_another_server_or_nobody_knows_of_is_in_doubt_once_and_for_all() {
    let numbered_alike = action(7, Verb::Note { text: "x".into() }, &[("Q1DISK", Outcome::Confirmed { notice: None })]);
    for (store, actions) in [(StoreId(2), vec![numbered_alike]), (StoreId(1), vec![])] {
        let mut model = on_schedule();
        press(&mut model, "t 1 h enter");
        let effects = press(&mut model, "enter");
        answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(7) }));

        let board = Box::new(Board { store, actions: actions.into(), ..board() });
        let access = Access::Act { actor: "alice".into() };
        update(&mut model, Event::Attached { board, access, role: Role::Attached });

        let notice = model.notice.take().expect("a notice");
        assert_eq!(notice.kind, NoticeKind::Bad);
        assert!(notice.text.as_str().contains("not known whether it is done"), "{}", notice.text);
    }
}
