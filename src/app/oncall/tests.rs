//! What the on-call view promises.

use super::{
    lines::{Edge, Line, Place, Says, Stretch, lines},
    *,
};
use crate::{
    app::fixtures::{
        self, account_name, ago, alice, board, bob, carol, change, model, now, policy, press, schedule_name,
    },
    core::{
        board::Change,
        freshness::Failure,
        oncall::{OnCall, Schedule, Shift},
        text::Shown,
    },
};

fn on_call(board: crate::core::board::Board) -> Model {
    let mut model = fixtures::attached(board, 80, 24);
    press(&mut model, "2");
    model
}

fn with_people(people: Vec<OnCall>) -> Model {
    let mut model = on_call(board());
    change(&mut model, Change::OnCalls { account: account_name(), oncalls: people });
    model
}

fn via(level: u32, user: crate::core::incident::Named<crate::core::id::UserId>, schedule: &str, hours: i64) -> OnCall {
    OnCall {
        policy: policy(),
        level,
        user,
        schedule: Some(schedule_name(schedule, schedule)),
        start: Some(ago(3600)),
        end: Some(ago(-3600 * hours)),
    }
}

/// Level, name, whether it is me, through how many schedules, until when.
type Person = (Option<u32>, String, bool, usize, Option<jiff::Timestamp>);

fn people(model: &Model) -> Vec<Person> {
    let person = |line: Line<'_>| match line.says {
        Says::Person { level, name, me, via, end } => Some((level, name.to_string(), me, via.len(), end)),
        _ => None,
    };
    lines(model).into_iter().filter_map(person).collect()
}

fn stretches<'a>(lines: &[Line<'a>]) -> Vec<Stretch<'a>> {
    let stretch = |line: &Line<'a>| match line.says {
        Says::Shift(stretch) => Some(stretch),
        _ => None,
    };
    lines.iter().filter_map(stretch).collect()
}

#[test]
fn the_same_person_at_one_level_is_one_line_until_the_last_of_their_shifts_ends() {
    let model = with_people(vec![via(1, alice(), "A", 2), via(2, bob(), "A", 9), via(1, alice(), "B", 5)]);

    let expected = [
        (Some(1), "Alice Moreau".to_owned(), true, 2, Some(ago(-5 * 3600))),
        (Some(2), "Bob Okafor".to_owned(), false, 1, Some(ago(-9 * 3600))),
    ];
    assert_eq!(people(&model), expected);
}

#[test]
fn who_has_no_end_at_all_is_always_on_call() {
    let always = OnCall { schedule: None, start: None, end: None, ..via(1, alice(), "A", 2) };
    let model = with_people(vec![via(1, alice(), "A", 2), always]);

    assert_eq!(people(&model), [(Some(1), "Alice Moreau".to_owned(), true, 1, None)]);
}

#[test]
fn several_people_share_a_level_and_a_level_nobody_named_is_not_invented() {
    let model = with_people(vec![via(1, bob(), "A", 2), via(1, alice(), "A", 2), via(3, carol(), "A", 2)]);

    let levels: Vec<_> = people(&model).into_iter().map(|(level, name, ..)| (level, name)).collect();
    let expected = [(Some(1), "Alice Moreau"), (None, "Bob Okafor"), (Some(3), "Carol Lindqvist")];
    assert_eq!(levels, expected.map(|(level, name)| (level, name.to_owned())));
}

#[test]
fn a_gap_between_shifts_is_nobodys_and_past_shifts_are_gone() {
    let shift = |from: i64, to: i64| Shift {
        start: ago(-from * 3600),
        end: ago(-to * 3600),
        user: bob(),
        from_override: false,
    };
    let mut model = on_call(board());
    let schedule = Schedule {
        schedule: schedule_name("PSCHED1", "Primary"),
        zone: Shown::line("UTC"),
        shifts: vec![shift(-20, -10), shift(1, 2), shift(2, 3), shift(5, 6)],
        from: now(),
        to: ago(-7 * 24 * 3600),
    };
    change(&mut model, Change::Schedules { account: account_name(), schedules: vec![schedule] });

    let lines = lines(&model);
    let who: Vec<_> = stretches(&lines).iter().map(|s| (s.who.is_some(), s.now)).collect();
    assert_eq!(who, [(false, true), (true, false), (true, false), (false, false), (true, false)]);
    assert_eq!(stretches(&lines)[3].start, Edge::At(ago(-3 * 3600)));
}

#[test]
fn more_shifts_than_shown_are_counted() {
    let shift = |n: i64| Shift { start: ago(-n * 3600), end: ago(-(n + 1) * 3600), user: bob(), from_override: false };
    let mut model = on_call(board());
    let schedule = Schedule {
        schedule: schedule_name("PSCHED1", "Primary"),
        zone: Shown::line("UTC"),
        shifts: (0..9).map(shift).collect(),
        from: now(),
        to: ago(-7 * 24 * 3600),
    };
    change(&mut model, Change::Schedules { account: account_name(), schedules: vec![schedule] });

    let lines = lines(&model);
    assert_eq!(stretches(&lines).len(), 5);
    assert_eq!(lines.last().map(|line| &line.says), Some(&Says::More { shifts: 4, until: Edge::At(ago(-9 * 3600)) }));
}

#[test]
fn nobody_is_said_only_when_the_provider_said_so() {
    let says_nobody = |model: &Model| lines(model).iter().any(|line| line.says == Says::Nobody);
    let mut known = board();
    known.accounts.get_mut(&account_name()).expect("account").oncalls.clear();
    let mut unknown = known.clone();
    let asked = &mut unknown.accounts.get_mut(&account_name()).expect("account").account.on_call;
    asked.last_success = None;
    asked.failure = Some(Failure { at: now(), cause: Shown::line("401"), unauthorised: true });

    assert!(says_nobody(&on_call(known)));
    assert!(!says_nobody(&on_call(unknown)));
}

#[test]
fn the_selection_stays_on_its_person_and_skips_empty_lines() {
    let mut model = model(80, 24);
    let aaron = fixtures::user("PAARON1", "Aaron");
    press(&mut model, "2 j j j");
    let Some(Place::Person { user, .. }) = model.oncall.cursor.selected().cloned() else { panic!("no person") };
    assert_eq!(user, alice().id);

    let place = model.oncall.cursor.selected().cloned();
    let on_calls = |people| Change::OnCalls { account: account_name(), oncalls: people };
    change(&mut model, on_calls(vec![via(1, aaron, "A", 1), via(1, alice(), "B", 1)]));
    assert_eq!(model.oncall.cursor.selected(), place.as_ref());
    change(&mut model, on_calls(vec![via(1, bob(), "A", 1)]));
    assert_eq!(model.oncall.cursor.selected(), None);

    press(&mut model, "G g");
    for _ in 0..30 {
        press(&mut model, "j");
        assert!(!model.oncall.cursor.selected().expect("selected").is_between());
    }
}

#[test]
fn enter_goes_from_a_person_to_their_schedule() {
    let mut model = model(80, 24);
    press(&mut model, "2 j j j enter");

    let place = Place::Schedule { account: account_name(), id: schedule_name("PSCHED1", "").id };
    assert_eq!(model.oncall.cursor.selected(), Some(&place));
}

#[test]
fn enter_says_so_where_there_is_nothing_to_open() {
    let mut model = model(80, 24);
    press(&mut model, "2 j j j");
    assert!(opens(&model).is_some());

    press(&mut model, "G");
    let place = model.oncall.cursor.selected().cloned();
    assert_eq!(opens(&model), None);
    press(&mut model, "enter");
    assert_eq!(model.oncall.cursor.selected(), place.as_ref());
    assert!(model.notice.as_ref().expect("a word").text.as_str().starts_with("nothing to open here"));
}

#[test]
fn the_filter_leaves_people_and_shifts_with_their_headings() {
    let mut model = model(80, 24);
    press(&mut model, "2 / c a r o l");

    assert_eq!(people(&model).len(), 1);
    let lines = lines(&model);
    assert_eq!(stretches(&lines).len(), 1);
    assert!(matches!(lines[0].says, Says::Account { .. }));
    drop(lines);

    press(&mut model, "esc");
    assert_eq!(people(&model).len(), 3);
}

#[test]
fn a_shift_that_was_cut_keeps_its_place_and_its_cuts_are_no_hand_overs() {
    let shift = |from, to| Shift { start: from, end: to, user: bob(), from_override: false };
    let cut_at = |from: jiff::Timestamp, to: jiff::Timestamp| {
        let shifts = vec![shift(from, ago(-3600)), shift(ago(-3600), to)];
        let schedule =
            Schedule { schedule: schedule_name("PSCHED1", "Primary"), zone: Shown::line("UTC"), shifts, from, to };
        Change::Schedules { account: account_name(), schedules: vec![schedule] }
    };
    let mut model = on_call(board());
    change(&mut model, cut_at(now(), ago(-9000)));
    let seen = lines(&model);
    let edges: Vec<_> = stretches(&seen).iter().map(|s| (s.start, s.end)).collect();
    let hand_over = Edge::At(ago(-3600));
    assert_eq!(edges, [(Edge::Beyond(now()), hand_over), (hand_over, Edge::Beyond(ago(-9000)))]);
    drop(seen);

    press(&mut model, "G k");
    let place = model.oncall.cursor.selected().cloned();
    assert!(matches!(place, Some(Place::Shift { start: None, .. })));
    change(&mut model, cut_at(ago(-60), ago(-9060)));
    assert_eq!(model.oncall.cursor.selected(), place.as_ref(), "the next answer is cut elsewhere");
}
