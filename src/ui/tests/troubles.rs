//! What is wrong, in the header: the link, the provider, push, on-call, the door.

use jiff::SignedDuration;

use super::{both, failure, rest_failing};
use crate::{
    app::{
        Event, Model,
        fixtures::{self, account_name, ago, attached, board, board_with, change, key, model, press, shown},
        troubles::is_zero_true,
        update,
    },
    core::{
        board::{Board, Change},
        freshness::{Door, Push, Sight},
        left::{Fate, Left},
        push::Subscribed,
    },
    proto::Access,
    ui::snapshot::screen,
};

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
fn incidents_that_left_the_view() {
    let left = |id: &str, name: &str, fate| Left { id: id.parse().expect("id"), name: shown(name), at: ago(200), fate };
    let left = vec![left("Q1DISK", "#1 Disk", Fate::Asked), left("QGONE", "#77 Mail queue is long", Fate::Unknown)];
    both("left_the_view", |width, height| attached(board_with(|account| account.left = left.clone()), width, height));
    let unseen = vec![Left { fate: Fate::Unseen, ..left[0].clone() }, left[1].clone()];
    both("left_the_lists", |width, height| {
        attached(board_with(|account| account.left = unseen.clone()), width, height)
    });
    both("left_the_lists_in_full", |width, height| {
        let mut model = attached(board_with(|account| account.left = unseen.clone()), width, height);
        press(&mut model, "!");
        model
    });
    let gone = vec![Left { fate: Fate::Unknown, ..left[0].clone() }];
    both("left_the_view_opened", |width, height| {
        let mut model = attached(board_with(|account| account.left = gone.clone()), width, height);
        press(&mut model, "enter");
        change(&mut model, Change::Forgotten(key("Q1DISK")));
        model
    });
}

/// A night on which much is wrong.
fn troubled(width: u16, height: u16) -> Model {
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
}

#[test]
fn everything_is_wrong_at_once() {
    both("troubles", troubled);
}

#[test]
fn what_the_lines_above_the_list_cut_off_is_read_on_a_key() {
    both("troubles_in_full", |width, height| {
        let mut model = troubled(width, height);
        press(&mut model, "3 !");
        model
    });
    both("troubles_none", |width, height| {
        let mut model = attached(board(), width, height);
        press(&mut model, "!");
        model
    });
}

#[test]
fn a_sheet_that_grows_shorter_stays_in_sight() {
    let mut model = troubled(40, 12);
    press(&mut model, "! G");
    model.board.accounts.values_mut().for_each(|known| known.account.rest.succeeded(ago(1)));
    model.board.door = Door::Closed;

    let seen = screen(&model, 40, 12);

    assert!(seen.contains("refused, the last"), "{seen}");
    assert!(!seen.contains("STALE"), "{seen}");
}

#[test]
fn the_key_that_opens_a_sheet_closes_it_and_the_other_one_s_turns_it() {
    let mut model = troubled(80, 24);
    let title = |model: &Model| screen(model, 80, 24).lines().nth(2).unwrap_or_default().trim().to_owned();
    press(&mut model, "!");
    assert_eq!(title(&model), "What is wrong now");
    press(&mut model, "?");
    assert_eq!(title(&model), "Keys in Incidents");
    press(&mut model, "! !");
    assert!(title(&model).starts_with("! prod: STALE"), "{}", title(&model));
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
    both("on_call_old_detail", |width, height| {
        let mut model = attached(on_call_failing(Some(3 * 3600)), width, height);
        press(&mut model, "enter");
        model
    });
    let told = |board: Board| {
        let mut model = attached(board, 160, 40);
        press(&mut model, "!");
        screen(&model, 160, 40)
    };
    let words = ["is STALE, as of 3h ago: the provider answered 500: oops", "is not known: the provider answered 500"];
    for (success, words) in [Some(3 * 3600), None].into_iter().zip(words) {
        let screen = told(on_call_failing(success));
        assert!(screen.contains(&format!("! prod: who is on call {words}")), "{screen}");
    }
    assert!(told(board_with(|account| account.on_call.last_success = None)).contains("not every source has answered"));
    assert!(told(board()).contains("Nothing: every source has answered lately."));
}

#[test]
fn what_the_key_may_not_see_is_said_among_what_is_wrong_and_people_are_as_last_seen() {
    let barred =
        || board_with(|account| drop(account.barred.insert(Sight::Schedules, shown("not permitted: no scope"))));
    let lacks =
        |account: &mut crate::core::freshness::Account| account.lacks = vec![shown("the schedule Odd is left out")];
    let mut model = attached(board_with(lacks), 80, 24);
    press(&mut model, "!");
    assert!(screen(&model, 80, 24).contains("! prod: the schedule Odd is left out"));
    both("barred_sheet", |width, height| {
        let mut model = attached(barred(), width, height);
        press(&mut model, "!");
        model
    });
    let mut model = attached(barred(), 120, 40);
    assert!(!screen(&model, 120, 40).contains("schedules cannot be seen"), "it is no trouble of the day");
    press(&mut model, "enter");
    let screen = screen(&model, 120, 40);
    assert!(screen.contains("Bob Okafor (L2 of Payments), as last seen"), "{screen}");
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
            format!("the store is damaged: end dogwatch, move {at} aside together with its -wal and -shm"),
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
fn the_clock_alone_turns_a_silent_source_stale() {
    let mut model = model(80, 24);
    assert!(!screen(&model, 80, 24).contains("STALE"));

    update(&mut model, Event::Ticked(fixtures::now() + SignedDuration::from_secs(120)));

    assert!(screen(&model, 80, 24).contains("STALE, as of 2m ago"));
}

#[test]
fn what_was_taken_and_is_not_shown_yet_is_told_and_no_zero_is_true_before_it_is() {
    both("unshown", |width, height| {
        let mut board = board();
        board.unshown = 1_204;
        attached(board, width, height)
    });
    let mut model = model(80, 24);
    assert!(is_zero_true(&model));
    model.board.unshown = 1;
    assert!(!is_zero_true(&model));
    assert!(screen(&model, 80, 24).contains("1 webhook taken, not shown yet"));
}

/// Something left the view a while ago, and now a secret is wrong.
fn left_and_wrong(width: u16, height: u16) -> Model {
    let left = Left { id: "Q1DISK".parse().expect("id"), name: shown("#1 Disk"), at: ago(900), fate: Fate::Unknown };
    let board = board_with(|account| {
        account.left = vec![left];
        account.push.rejected = 3;
        account.push.unproved = 3;
    });
    attached(board, width, height)
}

#[test]
fn an_old_caution_does_not_hide_an_alarm() {
    both("alarm_first", left_and_wrong);
}

#[test]
fn settings_that_are_refused_are_told_in_the_editor_too() {
    let refused = |width, height| {
        let mut board = board();
        board.upkeep.settings =
            Some(shown("settings read again: refused, the former stay in force: config.toml:3: no"));
        attached(board, width, height)
    };
    both("refused_settings_new_template", |width, height| {
        let mut model = refused(width, height);
        press(&mut model, "4 n x enter a b");
        model
    });
    both("refused_settings_templates", |width, height| {
        let mut model = refused(width, height);
        press(&mut model, "4");
        model
    });
}

#[test]
fn a_refusal_to_whoever_may_only_look_shrinks_after_it_was_read() {
    both("look_only_read", |width, height| {
        let mut model = model(width, height);
        let reason =
            "the server runs as dogwatch, and rdguest is not in its group oncall, which may act: ask its owner";
        update(&mut model, Event::Allowed(Access::Watch { reason: reason.into() }));
        press(&mut model, "a");
        assert!(screen(&model, width, height).contains("you may look"));
        update(&mut model, Event::Ticked(ago(-10)));
        model
    });
}
