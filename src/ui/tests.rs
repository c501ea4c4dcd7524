//! Screens, as a person sees them: each state at 80x24 and at the smallest size.

use jiff::SignedDuration;

use super::{
    fixtures::{self, account_name, ago, attached, board, board_with, change, key, model, press, shown, type_text},
    snapshot::screen,
};
use crate::{
    app::{Event, Model, View, update},
    core::{
        action::{Outcome, Verb},
        board::{Board, Change},
        freshness::{Door, Failure, Push},
        incident::{Observation, Stamp, Status},
        push::Subscribed,
    },
    proto::Answer,
};

/// Snapshots `setup` at both sizes.
fn both(name: &str, setup: impl Fn(u16, u16) -> Model) {
    for (width, height) in [(80, 24), (40, 12)] {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&setup(width, height), width, height));
    }
}

/// Snapshots the fixture's night after these keys.
fn keys(name: &str, names: &str) {
    both(name, |width, height| {
        let mut model = model(width, height);
        press(&mut model, names);
        model
    });
}

/// A board on which nothing is open.
fn quiet(with: impl FnOnce(&mut Board)) -> Board {
    let mut board = board();
    board.incidents.retain(|_, incident| incident.key == key("Q7OLD0"));
    with(&mut board);
    board
}

fn failure(cause: &str, unauthorised: bool) -> Failure {
    Failure { at: ago(10), cause: shown(cause), unauthorised }
}

fn rest_failing(board: &mut Board, success: Option<i64>, cause: &str, unauthorised: bool) {
    let rest = &mut board.accounts.get_mut(&account_name()).expect("account").account.rest;
    rest.last_success = success.map(ago);
    rest.failure = Some(failure(cause, unauthorised));
}

#[test]
fn the_list() {
    keys("list", "");
}

#[test]
fn the_list_on_a_wide_screen() {
    insta::assert_snapshot!(screen(&model(140, 24), 140, 24));
}

#[test]
fn the_list_at_sixty_columns() {
    insta::assert_snapshot!(screen(&model(60, 16), 60, 16));
}

#[test]
fn the_list_without_colour() {
    let mut model = model(80, 24);
    model.colour = false;
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn the_list_of_two_accounts() {
    both("two_accounts", |width, height| {
        let mut board = board();
        let mut other = board.accounts[&account_name()].clone();
        other.account.name = "eu".parse().expect("name");
        rest_failing(&mut board, Some(200), "the provider answered 500: Internal Server Error", false);
        board.accounts.insert(other.account.name.clone(), other);
        attached(board, width, height)
    });
}

#[test]
fn marks_and_resolved_ones_shown() {
    keys("marked", "v space shift-down shift-down");
}

#[test]
fn the_filter_while_typing() {
    both("filter_typing", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "space /");
        type_text(&mut model, "moreau p2");
        model
    });
}

#[test]
fn the_filter_kept() {
    both("filter_kept", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "/");
        type_text(&mut model, "db");
        press(&mut model, "enter");
        model
    });
}

#[test]
fn the_filter_that_nothing_matches() {
    both("filter_none", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "/");
        type_text(&mut model, "nonsense");
        model
    });
}

#[test]
fn actions_under_way_and_failed() {
    both("action_marks", |width, height| {
        let mut model = model(width, height);
        let outcomes = [
            ("Q1DISK", Outcome::Sent),
            ("Q2LATE", Outcome::Failed { reason: shown("not permitted") }),
            ("Q3CERT", Outcome::Unknown { reason: shown("no answer in 10 s") }),
        ];
        change(&mut model, Change::Action(Box::new(fixtures::action(2, Verb::Acknowledge, &outcomes))));
        model
    });
}

#[test]
fn a_failed_action_says_why() {
    both("action_failed", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "space shift-down space a enter");
        fixtures::answer(&mut model, &effects, Ok(Answer::Accepted { action: crate::core::id::ActionId(9) }));
        let reason = shown("refused with 400: Incident Already Resolved, and the requester may not act on this team");
        let outcomes = [("Q1DISK", Outcome::Confirmed { notice: None }), ("Q2LATE", Outcome::Failed { reason })];
        change(&mut model, Change::Action(Box::new(fixtures::action(9, Verb::Acknowledge, &outcomes))));
        model
    });
}

#[test]
fn an_action_under_way() {
    keys("action_sent", "a enter");
}

#[test]
fn nothing_open() {
    both("empty_fresh", |width, height| attached(quiet(|_| {}), width, height));
}

#[test]
fn nothing_known_yet() {
    both("empty_waiting", |width, height| {
        let mut board = quiet(|board| board.incidents.clear());
        board.accounts.get_mut(&account_name()).expect("account").account.rest.last_success = None;
        attached(board, width, height)
    });
}

#[test]
fn nothing_open_when_last_heard_of() {
    both("empty_stale", |width, height| {
        let board = quiet(|board| rest_failing(board, Some(400), "the provider answered 500: oops", false));
        attached(board, width, height)
    });
}

#[test]
fn never_an_answer() {
    both("empty_down", |width, height| {
        let board = quiet(|board| rest_failing(board, None, "api.pagerduty.com cannot be reached: refused", false));
        attached(board, width, height)
    });
}

#[test]
fn the_key_is_refused() {
    both("empty_refused", |width, height| {
        let board = quiet(|board| rest_failing(board, None, "401, is it an Events key?", true));
        attached(board, width, height)
    });
}

#[test]
fn webhooks_only() {
    both("empty_no_token", |width, height| {
        let mut board = board_with(|account| {
            account.rest_off = Some(shown("no token"));
            account.cannot_act = Some(shown("no token"));
            account.identity = None;
            account.rest.last_success = None;
        });
        board.incidents.clear();
        attached(board, width, height)
    });
}

#[test]
fn no_account() {
    both("empty_no_account", |width, height| attached(Board::default(), width, height));
}

#[test]
fn before_the_server_answers() {
    both("connecting", |width, height| Model::new(fixtures::now(), fixtures::zone(), (width, height)));
}

#[test]
fn the_link_is_lost() {
    both("link_lost", |width, height| {
        let mut model = model(width, height);
        update(&mut model, Event::Detached { reason: "the other side closed the connection".into() });
        update(&mut model, Event::Ticked(ago(-70)));
        model
    });
}

#[test]
fn a_stale_list_stays() {
    both("stale", |width, height| {
        let mut board = board();
        rest_failing(&mut board, Some(200), "the provider answered 500: Internal Server Error", false);
        attached(board, width, height)
    });
}

#[test]
fn everything_is_wrong_at_once() {
    both("troubles", |width, height| {
        let mut board = board_with(|account| {
            account.rest.last_success = Some(ago(4000));
            account.rest.failure = Some(failure("rate limit reached, next request in 40 s", false));
            account.push.rejected = 3;
            account.push.last_rejection = Some(shown("no signature matches any configured secret"));
            account.push.missed(2, ago(90));
            account.cannot_act = Some(shown("from is not set"));
        });
        board.door = Door::Taken { address: "127.0.0.1:8484".into(), by: shown("another program") };
        attached(board, width, height)
    });
}

/// The fixture's night where the clock here differs by so many seconds: it shows what it shows when it is right.
fn skewed(ahead: i64, width: u16, height: u16) -> Model {
    let board = board_with(|account| {
        account.skew = Some(SignedDuration::from_secs(-ahead));
        account.rest.succeeded(ago(12 - ahead));
        account.on_call.succeeded(ago(12 - ahead));
        account.push.last_delivery = Some(ago(5 - ahead));
    });
    let mut model = attached(board, width, height);
    update(&mut model, Event::Ticked(ago(-ahead)));
    model
}

#[test]
fn a_clock_that_is_ahead_is_said_and_the_ages_of_incidents_are_right() {
    both("clock_ahead", |width, height| skewed(600, width, height));
}

#[test]
fn a_clock_that_is_behind_is_said_in_each_view() {
    for view in ["2", "3", "4"] {
        both(&format!("clock_behind_{view}"), |width, height| {
            let mut model = skewed(-3600, width, height);
            press(&mut model, view);
            model
        });
    }
}

/// A night on which something is wrong with push alone.
fn pushed(name: &str, wrong: impl Fn(&mut Push)) {
    both(name, |width, height| attached(board_with(|account| wrong(&mut account.push)), width, height));
}

#[test]
fn push_is_silent_though_polling_found_changes() {
    pushed("push_silent", |push| {
        push.last_delivery = Some(ago(7500));
        push.missed(3, ago(90));
    });
}

#[test]
fn a_ping_went_unanswered() {
    pushed("push_no_ping", |push| {
        push.last_delivery = Some(ago(90_000));
        push.unanswered = Some(ago(60));
    });
}

#[test]
fn the_first_webhook_that_no_secret_fits() {
    pushed("push_wrong_secret", |push| {
        push.rejected = 1;
        push.unproved = 1;
        push.last_rejection = Some(shown("the signature was not made with the secret configured here"));
    });
}

#[test]
fn the_provider_has_disabled_the_subscription() {
    pushed("push_disabled", |push| push.subscribed = Subscribed::Disabled { until: ago(-80_000) });
}

#[test]
fn no_subscription_leads_here() {
    pushed("push_missing", |push| push.subscribed = Subscribed::Missing);
}

#[test]
fn the_subscription_is_switched_off() {
    pushed("push_inactive", |push| push.subscribed = Subscribed::Inactive);
}

#[test]
fn the_detail_while_it_is_asked_for() {
    keys("detail_asking", "enter");
}

fn detailed(width: u16, height: u16) -> Model {
    let mut model = model(width, height);
    let effects = press(&mut model, "enter");
    fixtures::answer(&mut model, &effects, Ok(Answer::Detail { detail: Box::new(fixtures::detail()) }));
    model
}

#[test]
fn the_detail() {
    both("detail", detailed);
}

#[test]
fn the_detail_scrolled_to_its_end() {
    both("detail_end", |width, height| {
        let mut model = detailed(width, height);
        press(&mut model, "G");
        model
    });
}

#[test]
fn the_detail_that_could_not_be_fetched() {
    both("detail_failed", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "j j j enter");
        fixtures::answer(&mut model, &effects, Err("api.pagerduty.com did not answer within 10 s".into()));
        model
    });
}

#[test]
fn the_detail_with_parts_missing() {
    both("detail_missing", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "enter");
        let mut detail = fixtures::detail();
        detail.alerts.clear();
        detail.missing = vec![shown("alerts: the provider answered 500: oops")];
        fixtures::answer(&mut model, &effects, Ok(Answer::Detail { detail: Box::new(detail) }));
        model
    });
}

#[test]
fn acknowledging_one() {
    keys("prompt_acknowledge", "a");
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
        let outcomes = [("Q1DISK", Outcome::Conflict { now: Status::Resolved, reason })];
        change(&mut model, Change::Action(Box::new(fixtures::action(9, Verb::Acknowledge, &outcomes))));
        model
    });
}

/// Acknowledging and a note went out, and no answer came.
fn in_doubt(width: u16, height: u16) -> Model {
    let mut model = model(width, height);
    press(&mut model, "n x");
    for keys in ["ctrl-s", "a enter"] {
        let effects = press(&mut model, keys);
        let (id, _) = fixtures::requests(&effects)[0];
        let reason = "the connection broke before the answer came".into();
        update(&mut model, Event::Unanswered { id, reason });
    }
    model
}

#[test]
fn an_action_without_an_answer() {
    both("in_doubt", in_doubt);
}

#[test]
fn asking_again_for_what_may_be_done() {
    for (name, keys) in [("in_doubt_again", "esc a"), ("in_doubt_note", "esc n"), ("in_doubt_detail", "esc enter")] {
        both(name, |width, height| {
            let mut model = in_doubt(width, height);
            press(&mut model, keys);
            model
        });
    }
}

/// A board whose news of on-call are so old, or were never there.
fn on_call_failing(success: Option<i64>) -> Board {
    board_with(|account| {
        account.on_call.last_success = success.map(ago);
        account.on_call.failure = Some(failure("the provider answered 500: oops", false));
    })
}

#[test]
fn old_news_of_on_call_are_not_a_plain_claim() {
    both("on_call_old", |width, height| attached(on_call_failing(Some(3 * 3600)), width, height));
    both("on_call_old_hand_off", |width, height| {
        let mut model = attached(on_call_failing(Some(3 * 3600)), width, height);
        press(&mut model, "h");
        model
    });
}

#[test]
fn whether_one_is_on_call_is_claimed_only_of_fresh_news() {
    let mut not_mine = on_call_failing(Some(3 * 3600));
    let oncalls = &mut not_mine.accounts.get_mut(&account_name()).expect("account").oncalls;
    oncalls.retain(|on| on.user != fixtures::alice());
    let mut ended = on_call_failing(Some(3 * 3600));
    ended.accounts.get_mut(&account_name()).expect("account").oncalls[0].end = Some(ago(60));
    let cases = [
        (board(), "ON CALL L1 until 08:00 CEST"),
        (on_call_failing(Some(3 * 3600)), "on call L1 until 08:00 CEST as of 3h ago"),
        (not_mine, "not on call as of 3h ago"),
        (ended, "on call: not known"),
        (on_call_failing(None), "on call: not known"),
    ];
    for (board, claim) in cases {
        let screen = screen(&attached(board, 160, 24), 160, 24);
        assert!(screen.contains(claim), "{claim}: {screen}");
        assert_eq!(screen.contains("ON CALL"), claim.starts_with("ON CALL"), "{claim}");
    }
}

#[test]
fn handing_off_claims_nothing_about_on_call_that_is_not_known() {
    let mut model = attached(on_call_failing(None), 80, 24);
    press(&mut model, "h");
    let screen = screen(&model, 80, 24);
    assert!(screen.contains("on call: not known") && !screen.contains("on call L1"), "{screen}");
}

#[test]
fn a_store_that_cannot_commit_is_loud() {
    let cause = "the database cannot be written: database or disk is full";
    both("door_failing", |width, height| {
        let mut board = board();
        board.door = Door::Failing { address: "127.0.0.1:8484".into(), cause: shown(cause) };
        attached(board, width, height)
    });
}

#[test]
fn why_webhooks_get_503_is_said_with_what_to_do() {
    let at = "/home/alice/.local/state/dogwatch/dogwatch.db";
    let causes = [
        ("door_full", format!("no room left on the disk: free some, and it goes on by itself ({at})")),
        (
            "door_locked",
            format!("the store is locked by another program: end that one, and it goes on by itself ({at})"),
        ),
        (
            "door_damaged",
            format!("the store is damaged: move {at} aside together with its -wal and -shm, then start with a new one"),
        ),
        (
            "door_read_only",
            format!("the store cannot be written (Read-only file system): see to the permissions of {at}"),
        ),
    ];
    for (name, cause) in causes {
        both(name, |width, height| {
            let mut board = board();
            board.door = Door::Failing { address: "127.0.0.1:8484".into(), cause: shown(&cause) };
            attached(board, width, height)
        });
    }
}

#[test]
fn a_priority_that_no_incident_has_takes_no_column() {
    both("list_without_priorities", |width, height| {
        let mut board = board();
        board.incidents.values_mut().for_each(|incident| incident.state.priority = None);
        attached(board, width, height)
    });
}

#[test]
fn the_help_page() {
    keys("help", "?");
}

#[test]
fn the_help_page_scrolled() {
    keys("help_end", "? G");
}

#[test]
fn the_link_is_copied() {
    keys("link", "o");
}

#[test]
fn too_small() {
    insta::assert_snapshot!(screen(&model(39, 12), 39, 12));
    insta::assert_snapshot!(screen(&model(20, 3), 20, 3));
}

#[test]
fn drawing_never_panics_however_small_or_large_the_screen() {
    for names in ["", "enter", "a", "h", "h tab", "h enter", "n", "?", "/ x", "2", "3", "4"] {
        for (width, height) in [(1, 1), (2, 1), (1, 2), (3, 3), (39, 11), (40, 12), (41, 13), (80, 1), (500, 200)] {
            let mut model = model(80, 24);
            press(&mut model, names);
            screen(&model, width, height);
            update(&mut model, Event::Resized { width, height });
            screen(&model, width, height);
        }
    }
}

#[test]
fn wide_and_combining_characters_stay_in_their_columns() {
    let mut model = model(80, 24);
    let mut incident = fixtures::incident("QWIDE", 1300, Status::Triggered, "日本語テスト".repeat(9).as_str(), 60);
    incident.state.service.as_mut().expect("service").name = shown("サービス監視基盤です");
    incident.state.assignees[0].name = shown("e\u{301}\u{301}e\u{301} Zoë");
    change(&mut model, Change::Incident(Box::new(incident)));
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn the_clock_alone_turns_a_silent_source_stale() {
    let mut model = model(80, 24);
    assert!(!screen(&model, 80, 24).contains("STALE"));

    update(&mut model, Event::Ticked(fixtures::now() + SignedDuration::from_secs(120)));

    assert!(screen(&model, 80, 24).contains("STALE, as of 2m ago"));
}

#[test]
fn nothing_is_ever_said_to_be_open_to_nobody_by_a_source_that_does_not_answer() {
    let causes = [(Some(400), false), (Some(5), true), (None, false), (None, true)];
    for (success, unauthorised) in causes {
        let board = quiet(|board| rest_failing(board, success, "429", unauthorised));
        let screen = screen(&attached(board, 80, 24), 80, 24);
        assert!(screen.contains("not known"), "{screen}");
        assert!(!screen.contains("nothing open"), "{screen}");
    }
}

#[test]
fn the_other_views_have_the_same_header_and_footer() {
    let mut model = model(80, 24);
    model.view = View::OnCall;
    let text = screen(&model, 80, 24);
    assert!(text.contains("[2 On-call]") && text.contains("? help"), "{text}");
}

#[test]
fn what_nobody_signed_has_a_word_in_the_list_and_in_the_incident() {
    let told = || {
        let mut board = board();
        let known = board.incidents.get_mut(&key("Q1DISK")).expect("incident");
        let seen =
            Observation { key: known.key.clone(), stamp: Stamp::push(ago(1)), state: known.state.clone(), extra: None };
        assert!(known.merge(&seen.unsigned(ago(1))));
        board
    };
    both("unsigned_list", |width, height| attached(told(), width, height));
    both("unsigned_incident", |width, height| {
        let mut model = attached(told(), width, height);
        press(&mut model, "enter");
        model
    });
}
