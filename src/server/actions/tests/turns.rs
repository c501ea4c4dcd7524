//! Whose turn it is: nothing waits for what it has nothing to do with, and what waits says so and can be taken back.

use super::{
    meanwhile::{ask, outcome_of},
    *,
};
use crate::{
    core::action::WaitsFor,
    server::{account::Account, fake::account_name},
};

/// Until the board is so.
async fn until(desk: &Desk, wish: impl Fn(&Board) -> bool) {
    let (_, mut feed) = desk.hub.subscribe();
    let wished = async {
        while !desk.hub.look(&wish) {
            feed.recv().await.expect("change");
        }
    };
    let deadline = tokio::time::timeout(Duration::from_secs(20), wished).await;
    assert!(deadline.is_ok(), "{:?}", desk.hub.look(|board| board.actions.clone()));
}

/// An acknowledge of `id` that hangs in its look until it is let go on.
async fn stuck(fake: &Fake, desk: &Arc<Desk>, id: &str) -> (ActionId, Arc<tokio::sync::Notify>) {
    fake.put("P9", Status::Triggered, 0);
    let (before, go_on) = (fake.asked().1, fake.slow(id, "P9"));
    let action = ask(desk, &[id], Verb::Acknowledge).await;
    while fake.asked().1 == before {
        tokio::task::yield_now().await;
    }
    (action, go_on)
}

fn waits_for(action: ActionId) -> Outcome {
    Outcome::Pending { waits_for: Some(WaitsFor::Action(action)) }
}

async fn ended(desk: &Desk) {
    desk.under_way.close();
    desk.under_way.wait().await;
}

#[tokio::test]
async fn one_that_is_stuck_holds_up_neither_the_others_of_an_action_nor_other_actions_on_them() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2", "P3"] {
        fake.put(id, Status::Triggered, 0);
    }
    let (first, go_on) = stuck(&fake, &desk, "P2").await;

    let second = ask(&desk, &["P1", "P2", "P3"], Verb::Acknowledge).await;
    until(&desk, |board| words(board)[..3] == ["confirmed", "pending", "confirmed"]).await;
    let third = act(&desk, vec![target("P1", Status::Acknowledged)], Verb::Resolve { note: None }).await;

    assert_eq!((third, outcome_of(&desk, second, 1)), (vec![NONE], waits_for(first)));
    assert_eq!(outcome_of(&desk, second, 1).words(), format!("pending: waits for action {first}"));
    go_on.notify_one();
    ended(&desk).await;
    let told = outcome_of(&desk, second, 1);
    assert!(matches!(told, Outcome::Conflict { now: Status::Acknowledged, .. }), "{told:?}");
    assert_eq!(outcome_of(&desk, first, 0), NONE);
}

#[tokio::test]
async fn one_whose_look_hangs_holds_up_no_other_of_the_same_action() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2", "P3", "P4"] {
        fake.put(id, if id == "P4" { Status::Resolved } else { Status::Triggered }, 0);
    }
    fake.put("P9", Status::Triggered, 0);
    let go_on = fake.slow("P2", "P9");

    let action = ask(&desk, &["P1", "P2", "P3", "P4"], Verb::Acknowledge).await;
    until(&desk, |board| words(board) == ["confirmed", "pending", "confirmed", "conflict"]).await;

    assert_eq!(fake.requests().len(), 1, "those that were looked at go out together");
    go_on.notify_one();
    ended(&desk).await;
    assert_eq!(outcome_of(&desk, action, 1), NONE);
}

/// So much later, once `wish` holds.
async fn later_than(time: Duration, wish: impl Fn() -> bool) {
    while !wish() {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

const TWO_SECONDS: Duration = Duration::from_millis(2100);

#[tokio::test]
async fn a_list_that_does_not_come_holds_up_none() {
    let Setup { fake, desk, _dir } = setup();
    let ids = ["P1", "P2", "P3", "P4", "P5"];
    for id in ids {
        fake.put(id, Status::Triggered, 0);
    }
    fake.lose_list();

    ask(&desk, &ids, Verb::Acknowledge).await;
    later_than(TWO_SECONDS, || fake.asked().0 == 1).await;

    until(&desk, |board| words(board) == ["confirmed"; 5]).await;
    assert_eq!(fake.asked().0, 1);
}

#[tokio::test]
async fn those_whose_second_look_hangs_hold_up_no_other_of_the_same_action() {
    let Setup { fake, desk, _dir } = setup();
    let ids = ["P1", "P2", "P3", "P4", "P5", "P6"];
    for id in ids.into_iter().chain(["P9"]) {
        fake.put(id, Status::Triggered, 0);
    }
    let (_, mut feed) = desk.hub.subscribe();
    let provider = fake.clone();
    let hang = tokio::spawn(async move {
        let is_sent = |action: &Action| action.outcomes[0].1 == Outcome::Sent;
        while !matches!(&*feed.recv().await.expect("change"), Change::Action(action) if is_sent(action)) {}
        // Written down so slowly that all looks are old by then.
        let go_on = ["P1", "P2", "P3", "P4"].map(|id| provider.slow(id, "P9"));
        provider.lose_list();
        let asked = provider.asked();
        later_than(TWO_SECONDS, || true).await;
        later_than(TWO_SECONDS, || provider.asked().0 > asked.0).await;
        later_than(TWO_SECONDS, || provider.asked().1 >= asked.1 + 4).await;
        go_on
    });

    ask(&desk, &ids, Verb::Acknowledge).await;
    until(&desk, |board| words(board)[4..] == ["confirmed"; 2]).await;

    assert_eq!(desk.hub.look(|board| words(board)[..4].to_vec()), ["pending"; 4]);
    for (at, go_on) in hang.await.expect("all hang").iter().enumerate() {
        go_on.notify_one();
        until(&desk, |board| words(board)[at] == "confirmed").await;
    }
}

#[tokio::test]
async fn those_whose_look_before_the_next_step_hangs_hold_up_no_other_of_the_same_action() {
    let Setup { fake, desk, _dir } = setup();
    let ids = ["P1", "P2", "P3", "P4", "P5", "P6"];
    for id in ids.into_iter().chain(["P9"]) {
        fake.put(id, Status::Triggered, 0);
    }
    fake.spoil_next_write(Spoil::Not);
    for _ in ids {
        fake.spoil_next_write(Spoil::Error(ProviderError::RateLimited { wait: MOMENT }));
    }
    let hang = ["P1", "P2", "P3", "P4"].map(|id| fake.slow(id, "P9"));

    ask(&desk, &ids, Verb::Snooze { until: in_eight_hours() }).await;
    later_than(TWO_SECONDS, || fake.asked().1 >= hang.len()).await;
    until(&desk, |board| words(board)[4..] == ["confirmed"; 2]).await;

    assert_eq!(desk.hub.look(|board| words(board)[..4].to_vec()), ["sent"; 4]);
    for (at, go_on) in hang.iter().enumerate() {
        go_on.notify_one();
        until(&desk, |board| words(board)[at] == "confirmed").await;
    }
}

#[tokio::test]
async fn two_actions_that_each_hold_what_the_other_waits_for_both_end() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2"] {
        fake.put(id, Status::Triggered, 0);
    }
    let (first, go_on) = stuck(&fake, &desk, "P2").await;
    let note = |text: &str| Verb::Note { text: text.into() };

    let second = ask(&desk, &["P2", "P1"], note("one")).await;
    let third = ask(&desk, &["P1", "P2"], note("two")).await;
    until(&desk, |board| words(board)[..4] == ["confirmed", "pending", "pending", "confirmed"]).await;
    go_on.notify_one();
    ended(&desk).await;

    for (action, at) in [(first, 0), (second, 0), (second, 1), (third, 0), (third, 1)] {
        assert_eq!(outcome_of(&desk, action, at), NONE);
    }
    assert_eq!(fake.notes().len(), 4);
}

#[tokio::test]
async fn while_it_waits_for_its_turn_an_action_can_be_taken_back() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let (first, go_on) = stuck(&fake, &desk, "P1").await;
    desk.waiting.set_window(MOMENT);
    let targets = vec![target("P1", Status::Triggered)];
    let request = Request::Act { targets, verb: Verb::Resolve { note: None }, undoable: true };
    let Ok(Answer::Accepted { action }) = desk.answer(&Caller::ourselves(), request).await else { panic!() };
    until(&desk, |board| board.actions[0].outcomes[0].1 == waits_for(first)).await;
    assert!(desk.hub.look(|board| board.actions[0].waits()));

    let back = desk.answer(&Caller::ourselves(), Request::TakeBack { action }).await;
    until(&desk, |board| board.actions[0].is_final()).await;

    assert_eq!((back, outcome_of(&desk, action, 0)), (Ok(Answer::TakenBack { action }), Outcome::TakenBack));
    go_on.notify_one();
    ended(&desk).await;
    assert_eq!((outcome_of(&desk, first, 0), fake.writes()), (NONE, 1));
}

#[tokio::test]
async fn what_is_taken_back_while_it_is_looked_at_has_no_other_end() {
    for verb in [Verb::Acknowledge, Verb::Resolve { note: None }] {
        let Setup { fake, desk, _dir } = setup();
        fake.put("P1", Status::Triggered, 0);
        desk.waiting.set_window(MOMENT);
        let go_on = fake.slow("P1", "P1");
        let request = Request::Act { targets: vec![target("P1", Status::Triggered)], verb, undoable: true };
        let Ok(Answer::Accepted { action }) = desk.answer(&Caller::ourselves(), request).await else { panic!() };
        while fake.asked().1 == 0 {
            tokio::task::yield_now().await;
        }

        let back = desk.answer(&Caller::ourselves(), Request::TakeBack { action }).await;
        go_on.notify_one();
        ended(&desk).await;

        assert_eq!((back, outcome_of(&desk, action, 0)), (Ok(Answer::TakenBack { action }), Outcome::TakenBack));
    }
}

#[tokio::test]
async fn what_is_taken_back_keeps_no_turn_though_what_it_asked_the_provider_hangs() {
    let ids = ["P1", "P2", "P3", "P4", "P5"];
    for (asked, hangs_in_list) in [(&ids[..1], false), (&ids[..], true)] {
        let Setup { fake, desk, _dir } = setup();
        for id in ids {
            fake.put(id, Status::Triggered, 0);
        }
        desk.waiting.set_window(MOMENT);
        let _never = (!hangs_in_list).then(|| fake.slow("P1", "P1"));
        fake.lose_list();
        let targets = asked.iter().map(|id| target(id, Status::Triggered)).collect();
        let request = Request::Act { targets, verb: Verb::Acknowledge, undoable: true };
        let Ok(Answer::Accepted { action }) = desk.answer(&Caller::ourselves(), request).await else { panic!() };
        while fake.asked() == (0, 0) {
            tokio::task::yield_now().await;
        }

        let back = desk.answer(&Caller::ourselves(), Request::TakeBack { action }).await;
        let other = act(&desk, vec![target("P1", Status::Triggered)], Verb::Resolve { note: None }).await;

        assert_eq!((back, other), (Ok(Answer::TakenBack { action }), vec![NONE]));
        ended(&desk).await;
        assert_eq!(fake.asked().0, usize::from(hangs_in_list));
        assert_eq!((outcome_of(&desk, action, 0), fake.writes()), (Outcome::TakenBack, 1));
    }
}

#[tokio::test]
async fn once_something_of_it_was_sent_the_rest_is_not_said_to_wait_for_being_taken_back() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2"] {
        fake.put(id, Status::Triggered, 0);
    }
    let (_, go_on) = stuck(&fake, &desk, "P2").await;
    desk.waiting.set_window(MOMENT);
    let targets = ["P1", "P2"].map(|id| target(id, Status::Triggered)).to_vec();
    let request = Request::Act { targets, verb: Verb::Acknowledge, undoable: true };
    let Ok(Answer::Accepted { action }) = desk.answer(&Caller::ourselves(), request).await else { panic!() };
    until(&desk, |board| words(board)[..2] == ["confirmed", "pending"]).await;

    let late = desk.answer(&Caller::ourselves(), Request::TakeBack { action }).await;

    assert!(late.is_err_and(|reason| reason.contains("was sent")));
    assert!(!desk.hub.look(|board| board.actions[0].waits()));
    go_on.notify_one();
    ended(&desk).await;
}

#[tokio::test]
async fn while_one_waits_for_the_rate_limit_another_action_is_carried_out() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let limit = || ProviderError::RateLimited { wait: Duration::from_hours(1) };
    fake.spoil_next_write(Spoil::Error(limit()));
    let limited = Outcome::Pending { waits_for: Some(WaitsFor::RateLimit) };

    let first = ask(&desk, &["P1"], Verb::Acknowledge).await;
    until(&desk, |board| board.actions[0].outcomes[0].1 == limited).await;
    let second = act(&desk, vec![target("P1", Status::Triggered)], hand_off(None)).await;
    // Also where the look before was what took too much.
    fake.fail_reads(limit(), 1);
    let third = ask(&desk, &["P1"], Verb::Note { text: "seen".into() }).await;
    until(&desk, |board| board.actions[0].outcomes[0].1 == limited).await;
    let fourth = act(&desk, vec![target("P1", Status::Triggered)], Verb::Note { text: "me too".into() }).await;

    assert_eq!((second, fourth), (vec![NONE], vec![NONE]));
    assert_eq!((outcome_of(&desk, first, 0), outcome_of(&desk, third, 0)), (limited.clone(), limited));
}

#[tokio::test]
async fn what_may_not_ask_yet_in_whose_name_it_goes_out_waits_for_the_rate_limit_without_a_turn() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.fail_preparations(ProviderError::RateLimited { wait: Duration::from_hours(1) }, 2);
    let limited = Outcome::Pending { waits_for: Some(WaitsFor::RateLimit) };

    let first = ask(&desk, &["P1"], Verb::Acknowledge).await;
    until(&desk, |board| board.actions[0].outcomes[0].1 == limited).await;
    let second = act(&desk, vec![target("P1", Status::Triggered)], Verb::Note { text: "seen".into() }).await;
    an_hour_later().await;
    ended(&desk).await;

    assert_eq!((second, outcome_of(&desk, first, 0)), (vec![NONE], NONE));
}

/// What waits for the rate limit for an hour.
async fn limited(fake: &Fake, desk: &Arc<Desk>, verb: Verb) -> ActionId {
    fake.put("P1", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::Error(ProviderError::RateLimited { wait: Duration::from_hours(1) }));
    let action = ask(desk, &["P1"], verb).await;
    let limited = Outcome::Pending { waits_for: Some(WaitsFor::RateLimit) };
    until(desk, |board| board.actions[0].outcomes[0].1 == limited).await;
    action
}

fn in_eight_hours() -> jiff::Timestamp {
    jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(8)).expect("in range")
}

fn sent_before(later: ActionId) -> Shown {
    Shown::line(&format!("not sent: action {later}, asked for later, was sent before this"))
}

async fn an_hour_later() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_hours(1)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn what_waited_for_the_rate_limit_does_not_undo_what_was_asked_for_later() {
    let title = |title: &str| Verb::Edit(Edit::Title(title.into()));
    let field = |id: &str| {
        let id = crate::core::id::FieldId::new(id).expect("id");
        let kind = crate::core::action::FieldKind::Text;
        let field = crate::core::action::Field { id, name: "x".into(), kind, value: "".into() };
        Verb::Edit(Edit::Field { field, value: "y".into() })
    };
    let note = |text: &str| Verb::Note { text: text.into() };
    let cases = [
        (title("one"), title("two"), true),
        (title("one"), Verb::Edit(Edit::Urgency(Urgency::Low)), false),
        (field("F1"), field("F1"), true),
        (field("F1"), field("F2"), false),
        (note("one"), note("two"), false),
    ];
    for (earlier, later, is_undone) in cases {
        let Setup { fake, desk, _dir } = setup();
        let first = limited(&fake, &desk, earlier.clone()).await;
        let told = act(&desk, vec![target("P1", Status::Triggered)], later.clone()).await;
        let second = desk.hub.look(|board| board.actions[0].id);

        an_hour_later().await;
        ended(&desk).await;

        let reason = sent_before(second);
        let expected = if is_undone { Outcome::Failed { reason } } else { NONE };
        assert_eq!((told, outcome_of(&desk, first, 0)), (vec![NONE], expected), "{earlier:?} {later:?}");
        assert_eq!(fake.writes(), if is_undone { 2 } else { 3 });
    }
}

#[tokio::test]
async fn what_waited_to_be_taken_back_does_not_undo_what_was_asked_for_later() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let one = |title: &str| (vec![target("P1", Status::Triggered)], Verb::Edit(Edit::Title(title.into())));
    desk.waiting.set_window(Duration::from_mins(1));
    let (targets, verb) = one("first");
    let request = Request::Act { targets, verb, undoable: true };
    desk.answer(&Caller::ourselves(), request).await.expect("accepted");
    let first = desk.hub.look(|board| board.actions[0].id);
    assert!(desk.hub.look(|board| board.actions[0].due.is_some()), "it waits");

    let (targets, verb) = one("second");
    assert_eq!(act(&desk, targets, verb).await, [NONE]);
    let second = desk.hub.look(|board| board.actions[0].id);
    desk.ending.cancel();
    ended(&desk).await;

    assert_eq!(outcome_of(&desk, first, 0), Outcome::Failed { reason: sent_before(second) });
    assert_eq!((fake.titles(), fake.writes()), (vec!["second".into()], 1));
}

#[tokio::test]
async fn what_was_done_in_part_holds_back_an_earlier_one_as_the_rest_may_be_done_too() {
    let Setup { fake, desk, _dir } = setup();
    let verb = Verb::Snooze { until: in_eight_hours() };
    let first = limited(&fake, &desk, verb.clone()).await;
    let by = desk.hub.look(|board| board.actions[0].by.clone());
    let (later, _) = desk.write_down(by, verb.clone(), vec![key("P1")], false).await.expect("written down");
    let partly = Outcome::Partly { done: "acknowledged".into(), failed: "the snooze: its answer was lost".into() };
    record_last(&desk, later.id, &verb, vec![(key("P1"), partly)]).await;

    an_hour_later().await;
    ended(&desk).await;

    assert_eq!(outcome_of(&desk, first, 0), Outcome::Failed { reason: sent_before(later.id) });
}

#[tokio::test]
async fn once_the_rate_limit_is_over_it_is_said_for_which_action_it_waits() {
    let Setup { fake, desk, _dir } = setup();
    let first = limited(&fake, &desk, Verb::Note { text: "seen".into() }).await;
    let (second, go_on) = stuck(&fake, &desk, "P1").await;

    an_hour_later().await;
    until(&desk, |board| board.actions[1].outcomes[0].1 == waits_for(second)).await;

    go_on.notify_one();
    ended(&desk).await;
    assert_eq!([outcome_of(&desk, first, 0), outcome_of(&desk, second, 0)], [NONE, NONE]);
}

#[tokio::test]
async fn for_whom_something_waits_is_shown_and_not_written_down() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let (first, go_on) = stuck(&fake, &desk, "P1").await;
    ask(&desk, &["P1"], Verb::Note { text: "seen".into() }).await;

    until(&desk, |board| board.actions[0].outcomes[0].1 == waits_for(first)).await;

    desk.store.save(vec![]).await.expect("saved");
    let kept = desk.store.read(|reader| reader.actions(1)).await.expect("read");
    assert_eq!(kept[0].outcomes[0].1, Outcome::PENDING);
    go_on.notify_one();
    ended(&desk).await;
}

#[tokio::test]
async fn a_merge_waits_for_whoever_works_on_the_incident_that_it_goes_into() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2"] {
        fake.put(id, Status::Triggered, 0);
    }
    let (first, go_on) = stuck(&fake, &desk, "P2").await;

    let merge = ask(&desk, &["P1"], Verb::Merge { into: key("P2"), name: "#7".into() }).await;
    until(&desk, |board| board.actions[0].outcomes[0].1 == waits_for(first)).await;
    let meanwhile = act(&desk, vec![target("P1", Status::Triggered)], Verb::Note { text: "seen".into() }).await;

    assert_eq!((meanwhile, fake.writes()), (vec![NONE], 1));
    go_on.notify_one();
    ended(&desk).await;
    assert_eq!([outcome_of(&desk, first, 0), outcome_of(&desk, merge, 0)], [NONE, NONE]);
}

#[tokio::test]
async fn what_waited_while_the_settings_changed_goes_out_neither_by_the_former_nor_by_the_new_ones() {
    let (alice, bob) = (named("alice", "alice@x.org"), named("bob", "bob@x.org"));
    let elsewhere = Fake::default();
    for why in ["its account is at another address", "acts in another name", "bob (uid 4000002) is no [[person]]"] {
        let Setup { fake, desk, _dir } = setup();
        desk.people.set(&[alice.clone(), bob.clone()]);
        fake.put("P1", Status::Triggered, 0);
        let (first, go_on) = stuck(&fake, &desk, "P1").await;
        let targets = vec![target("P1", Status::Triggered)];
        let request = Request::Act { targets, verb: Verb::Note { text: "seen".into() }, undoable: false };
        let Ok(Answer::Accepted { action }) = desk.answer(&caller(BOB, "bob"), request).await else { panic!() };
        until(&desk, |board| board.actions[0].outcomes[0].1 == waits_for(first)).await;

        if why.contains("address") {
            let settings = crate::config::AccountSettings { base_url: "http://127.0.0.1:2".into(), ..fake::settings() };
            desk.accounts.set([Arc::new(Account::with_provider(settings, Arc::new(elsewhere.clone())))]);
            assert!(desk.accounts.contains_key(&account_name()));
        } else if why.contains("name") {
            desk.people.set(&[named("bob", "robert@x.org")]);
        } else {
            desk.people.set(std::slice::from_ref(&alice));
        }
        go_on.notify_one();
        ended(&desk).await;

        let told = outcome_of(&desk, action, 0);
        let Outcome::Failed { reason } = &told else { panic!("{told:?}") };
        assert!(reason.as_str().contains("the settings changed") && reason.as_str().contains(why), "{reason}");
        assert_eq!((fake.notes().len(), elsewhere.writes()), (0, 0));
    }
}

#[tokio::test]
async fn who_may_not_act_any_more_once_it_was_looked_at_does_not() {
    for people in [vec![], vec![named("bob", "robert@x.org")]] {
        let Setup { fake, desk, _dir } = setup();
        desk.people.set(&[named("bob", "bob@x.org")]);
        for id in ["P1", "P9"] {
            fake.put(id, Status::Triggered, 0);
        }
        let go_on = fake.slow("P1", "P9");
        let targets = vec![target("P1", Status::Triggered)];
        let request = Request::Act { targets, verb: Verb::Acknowledge, undoable: false };
        let Ok(Answer::Accepted { action }) = desk.answer(&caller(BOB, "bob"), request).await else { panic!() };
        while fake.asked().1 == 0 {
            tokio::task::yield_now().await;
        }

        desk.people.set(&people);
        go_on.notify_one();
        ended(&desk).await;

        let told = outcome_of(&desk, action, 0);
        let Outcome::Failed { reason } = &told else { panic!("{told:?}") };
        assert!(reason.as_str().contains("the settings changed"), "{reason}");
        assert_eq!(fake.writes(), 0);
    }
}

#[tokio::test]
async fn a_token_that_was_replaced_while_an_action_waited_is_the_one_it_goes_out_by() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let (first, go_on) = stuck(&fake, &desk, "P1").await;
    let note = ask(&desk, &["P1"], Verb::Note { text: "seen".into() }).await;
    until(&desk, |board| board.actions[0].outcomes[0].1 == waits_for(first)).await;
    let anew = Fake::default();
    anew.put("P1", Status::Acknowledged, 60);

    desk.accounts.set([Arc::new(Account::with_provider(fake::settings(), Arc::new(anew.clone())))]);
    go_on.notify_one();
    ended(&desk).await;

    assert_eq!((outcome_of(&desk, note, 0), fake.notes().len(), anew.notes().len()), (NONE, 0, 1));
}

const MOMENT: Duration = Duration::from_millis(1);
