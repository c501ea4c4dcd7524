//! The on-call view, as a person sees it.

use crate::{
    app::{Event, Model, update},
    core::{
        board::Board,
        freshness::{Door, Failure, Sight},
        id::AccountName,
        oncall::{OnCall, Shift},
    },
    ui::{
        fixtures::{
            account_name, ago, attached, board, board_of_two, bob, carol, now, policy, press, schedule_name, shown,
            user, zone,
        },
        snapshot::screen,
    },
};

/// Snapshots the on-call view of `board` after these keys, at both sizes.
fn both(name: &str, board: &Board, keys: &str) {
    for (width, height) in [(80, 24), (40, 12)] {
        let mut model = attached(board.clone(), width, height);
        press(&mut model, "2");
        press(&mut model, keys);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&model, width, height));
    }
}

fn board_with(change: impl FnOnce(&mut crate::core::board::AccountBoard)) -> Board {
    let mut board = board();
    change(board.accounts.get_mut(&account_name()).expect("account"));
    board
}

fn failure(cause: &str) -> Failure {
    Failure { at: ago(5), cause: shown(cause), unauthorised: false }
}

#[test]
fn who_is_on_call_and_who_is_next() {
    both("on_call", &board(), "j j j");
    both("on_call_end", &board(), "G");
}

#[test]
fn on_a_wide_screen_shifts_say_their_length() {
    let mut model = attached(board(), 120, 40);
    press(&mut model, "2");
    insta::assert_snapshot!(screen(&model, 120, 40));
}

#[test]
fn several_policies_people_and_accounts() {
    let mut board = board_with(|account| {
        let database =
            crate::core::incident::Named { name: shown("Databases: critical and everything else"), ..policy() };
        let database =
            crate::core::incident::Named { id: crate::core::id::PolicyId::new("PPOLDB1").expect("id"), ..database };
        let person = |level, user, schedule: &str, hours: i64| OnCall {
            policy: database.clone(),
            level,
            user,
            schedule: Some(schedule_name(&schedule.replace(' ', "-"), schedule)),
            start: Some(ago(60)),
            end: Some(ago(-3600 * hours)),
        };
        account.oncalls.extend([
            person(1, carol(), "Primary", 5),
            person(1, carol(), "Holidays", 90),
            person(1, bob(), "Primary", -1),
            person(
                2,
                user("PLONG01", "Maximiliane von Hohenlohe-Waldenburg 日本語"),
                "A schedule with a very long name",
                9000,
            ),
        ]);
    });
    let name = AccountName::new("staging").expect("name");
    let mut other = board.accounts[&account_name()].clone();
    other.account.name = name.clone();
    other.oncalls.clear();
    other.schedules.clear();
    board.accounts.insert(name, other);
    both("on_call_many", &board, "");
    both("on_call_many_end", &board, "G");
}

#[test]
fn gaps_overrides_and_shifts_left_out() {
    let board = board_with(|account| {
        let shift = |from: i64, to: i64, from_override| Shift {
            start: ago(-3600 * from),
            end: ago(-3600 * to),
            user: bob(),
            from_override,
        };
        account.oncalls.truncate(1);
        account.schedules.truncate(2);
        account.schedules[0].shifts = vec![
            shift(2, 8, false),
            shift(8, 9, true),
            shift(20, 200, false),
            shift(200, 201, false),
            shift(201, 202, false),
        ];
        account.schedules[1].shifts = vec![shift(-9, -2, false)];
    });
    both("on_call_gaps", &board, "G");
}

#[test]
fn where_an_answer_was_cut_nobody_takes_over() {
    let board = board_with(|account| {
        let shift = |from: i64, to: i64| Shift { start: ago(from), end: ago(to), user: bob(), from_override: false };
        let hours = 3600;
        account.oncalls.truncate(1);
        for schedule in &mut account.schedules {
            (schedule.from, schedule.to) = (ago(60), ago(-160 * hours));
        }
        account.schedules[0].shifts = vec![shift(60, -30 * hours), shift(-30 * hours, -160 * hours)];
        account.schedules[1].shifts = vec![shift(60, -160 * hours)];
        let third = crate::core::oncall::Schedule {
            schedule: schedule_name("PSCHED3", "Known whole"),
            shifts: vec![shift(50 * hours, -30 * hours), shift(-30 * hours, -190 * hours)],
            ..account.schedules[1].clone()
        };
        account.schedules.push(third);
        let long = crate::core::oncall::Schedule {
            schedule: schedule_name("PSCHED4", "Many"),
            shifts: (0..6)
                .map(|n| shift(if n == 0 { 60 } else { -n * hours }, if n == 5 { -160 } else { -n - 1 } * hours))
                .collect(),
            ..account.schedules[1].clone()
        };
        account.schedules.push(long);
    });
    both("on_call_cut", &board, "G");
    let mut model = attached(board, 120, 40);
    press(&mut model, "2");
    insta::assert_snapshot!("on_call_cut_120x40", screen(&model, 120, 40));
}

#[test]
fn at_the_turn_of_the_year_times_are_whole_and_a_far_year_is_named() {
    let mut model = attached(board(), 80, 24);
    let told = |model: &Model, at: &str| super::moment(model, at.parse().expect("time"));
    model.now = "2025-12-30T12:00:00Z".parse().expect("time");
    assert_eq!(told(&model, "2026-01-02T07:00:00Z"), "Fri 2 Jan 08:00");
    assert_eq!(told(&model, "2026-12-29T07:00:00Z"), "Tue 29 Dec 2026 08:00");
    model.size.0 = 40;
    assert_eq!(told(&model, "2025-12-30T12:30:00Z"), "today 13:30");
}

#[test]
fn a_filter_that_finds_and_one_that_does_not() {
    both("on_call_filter", &board(), "/ c a r o l");
    both("on_call_filter_kept", &board(), "/ s e c o n d enter");
    both("on_call_filter_none", &board(), "/ x y z");
}

#[test]
fn old_data_says_so_and_why() {
    let board = board_with(|account| {
        account.account.on_call.last_success = Some(ago(20_000));
        account.account.on_call.failure = Some(failure("PagerDuty answered 500 Internal Server Error"));
        account.oncalls[0].end = Some(ago(600));
        let schedule = &mut account.schedules[0];
        schedule.from = ago(20_000);
        schedule.shifts[0].end = ago(600);
        schedule.shifts[1].start = ago(600);
    });
    both("on_call_stale", &board, "");
}

#[test]
fn shifts_that_are_older_than_who_is_on_call_say_so() {
    let board = board_with(|account| account.schedules.iter_mut().for_each(|schedule| schedule.from = ago(500)));
    both("on_call_older_shifts", &board, "");
}

#[test]
fn what_is_left_out_of_the_schedules_is_said_above_them() {
    let board = board_with(|account| {
        account.account.barred.insert(Sight::ShiftSchedules, shown("not permitted: no scope"));
        account.account.lacks =
            vec![shown("20 of 120 schedules are not asked for: the list did not bring their shifts")];
    });
    both("on_call_lacks", &board, "");
}

#[test]
fn whatever_is_wrong_what_i_am_stands_on_the_first_screen() {
    let long = "the provider says a lot ".repeat(20);
    let wrong = [
        board_with(|account| account.account.lacks = vec![shown(&long)]),
        board_with(|account| {
            account.account.on_call.last_success = Some(ago(20_000));
            account.account.on_call.failure = Some(failure(&long));
        }),
    ];
    for board in wrong {
        let mut model = attached(board, 40, 12);

        press(&mut model, "2");

        let screen = screen(&model, 40, 12);
        assert!(screen.contains("you: ON CALL L1") && screen.contains("! "), "{screen}");
    }
}

#[test]
fn nothing_known_looks_other_than_nobody_on_call() {
    let empty = |change: fn(&mut crate::core::board::AccountBoard)| {
        board_with(|account| {
            account.oncalls.clear();
            account.schedules.clear();
            change(account);
        })
    };
    both("on_call_nobody", &empty(|_| {}), "");
    both("on_call_waiting", &empty(|account| account.account.on_call.last_success = None), "");
    let down = empty(|account| {
        account.account.on_call.last_success = None;
        account.account.on_call.failure = Some(failure("connection refused"));
    });
    both("on_call_down", &down, "");
    both("on_call_no_token", &empty(|account| account.account.rest_off = Some(shown("no token is configured"))), "");
    both("on_call_no_account", &Board { door: Door::Closed, ..Board::default() }, "");
}

#[test]
fn before_the_first_answer_and_without_a_link() {
    let mut model = Model::new(now(), zone(), (80, 24));
    press(&mut model, "2");
    insta::assert_snapshot!("on_call_connecting_80x24", screen(&model, 80, 24));
    update(&mut model, Event::Detached { reason: "the server went away".into() });
    insta::assert_snapshot!("on_call_lost_80x24", screen(&model, 80, 24));
}

#[test]
fn without_colour_every_meaning_is_in_words() {
    let mut model = attached(board(), 80, 24);
    model.colour = false;
    press(&mut model, "2 j");
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn utc_is_called_utc_under_all_its_names() {
    for name in ["Etc/UTC", "UTC", "Zulu"] {
        let mut model = attached(board(), 80, 24);
        model.zone = jiff::tz::TimeZone::get(name).expect("zone");
        press(&mut model, "2");
        let screen = screen(&model, 80, 24);
        assert!(screen.contains("times in UTC\n"), "{screen}");
    }
}

#[test]
fn no_schedules_is_what_the_provider_says() {
    for width in [80, 40] {
        let mut model = attached(board_with(|account| account.schedules.clear()), width, 24);
        press(&mut model, "2");
        let screen = screen(&model, width, 24);
        assert!(screen.contains("no schedules, says the provider"), "{screen}");
    }
}

#[test]
fn the_week_as_a_grid_and_the_day_of_all_schedules() {
    both("grid_week", &board(), "/ p r i m a r y enter G w");
    both("grid_day", &board(), "d");
}

#[test]
fn the_day_of_all_schedules_says_how_old_the_oldest_of_them_are() {
    let old = board_with(|account| account.schedules[0].from = ago(20_000));
    both("grid_day_old", &old, "d");
    let mut two = board_of_two();
    let eu = two.accounts.get_mut(&AccountName::new("eu").expect("name")).expect("account");
    eu.schedules.clone_from(&old.accounts[&account_name()].schedules);
    let mut model = attached(two, 80, 24);
    press(&mut model, "2 d");
    assert!(screen(&model, 80, 24).contains("eu: as of 5h ago"));
}

#[test]
fn the_day_of_all_schedules_says_whose_they_are_where_there_are_several_accounts() {
    let mut two = board_of_two();
    let schedules = two.accounts[&account_name()].schedules.clone();
    let eu = two.accounts.get_mut(&AccountName::new("eu").expect("name")).expect("account");
    eu.schedules = schedules.into_iter().take(1).collect();
    both("grid_day_accounts", &two, "d");
}

#[test]
fn a_week_in_which_the_clocks_go_back_keeps_its_columns() {
    let mut board = board_with(|account| {
        let schedule = &mut account.schedules[0];
        let time = crate::ui::fixtures::time;
        schedule.from = time("2025-10-23T22:00:00Z");
        schedule.to = time("2025-11-01T00:00:00Z");
        let shift = |from, to, user| Shift { start: time(from), end: time(to), user, from_override: false };
        schedule.shifts = vec![
            shift("2025-10-23T22:00:00Z", "2025-10-26T01:00:00Z", bob()),
            shift("2025-10-26T01:00:00Z", "2025-11-01T00:00:00Z", carol()),
        ];
        account.schedules.truncate(1);
    });
    board.incidents.clear();
    let mut model = attached(board, 80, 24);
    update(&mut model, Event::Ticked("2025-10-24T10:00:00Z".parse().expect("time")));
    press(&mut model, "2 w");
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn taking_the_pager_says_whose_shift_it_is() {
    both("take_when", &board(), "/ p r i m a r y enter G t");
    both("take_confirm", &board(), "/ p r i m a r y enter G t 6 h enter");
    both("take_which_schedule", &board(), "t");
}

#[test]
fn when_i_am_next_is_told_once_it_is_known() {
    let next = OnCall {
        policy: policy(),
        level: 1,
        user: crate::ui::fixtures::alice(),
        schedule: None,
        start: Some(ago(-186_150)),
        end: Some(ago(-272_550)),
    };
    for (width, height) in [(80, 24), (40, 12)] {
        let mut model = attached(board(), width, height);
        let effects = press(&mut model, "2");
        let answer = crate::proto::Answer::Duties { duties: vec![next.clone()] };
        crate::ui::fixtures::answer(&mut model, &effects, Ok(answer));
        insta::assert_snapshot!(format!("me_next_{width}x{height}"), screen(&model, width, height));
    }
}
