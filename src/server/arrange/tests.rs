//! What is promised of overrides and maintenance windows: done is only what shows itself as done.

use std::sync::Arc;

use super::*;
use crate::{
    core::{
        action::By,
        board::Change,
        id::{ScheduleId, ServiceId, UserId, WindowId},
        incident::Status,
    },
    proto::Request,
    provider::ProviderError,
    server::{
        actions,
        fake::{self, Fake, Spoil, account_name, person},
    },
};

struct Setup {
    fake: Fake,
    desk: Arc<Desk>,
    _dir: tempfile::TempDir,
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().expect("tempdir");
    let fake = Fake::default();
    let desk = fake::desk(&fake, dir.path());
    Setup { fake, desk, _dir: dir }
}

fn hours(from: i64, to: i64) -> Span {
    let now = Timestamp::now();
    let after = |hours: i64| now.checked_add(SignedDuration::from_hours(hours)).expect("near");
    Span { from: after(from), to: after(to) }
}

fn schedule() -> Named<ScheduleId> {
    Named { id: ScheduleId::new("S1").expect("id"), name: "Primary".into() }
}

fn service() -> Named<ServiceId> {
    Named { id: ServiceId::new("SVC1").expect("id"), name: "Checkout".into() }
}

fn cover(who: &str, span: Span, replaces: &[&str]) -> Cover {
    Cover { user: person(who), span, replaces: replaces.iter().map(|name| person(name)).collect() }
}

fn overriding(covers: Vec<Cover>) -> Arrangement {
    Arrangement::AddOverrides { schedule: schedule(), covers }
}

fn maintenance() -> Arrangement {
    Arrangement::StartMaintenance { services: vec![service()], span: hours(0, 1), description: "disk swap".into() }
}

/// Asks as a console would, and waits until all outcomes are final.
async fn arrange(desk: &Arc<Desk>, what: Arrangement) -> Vec<Outcome> {
    let (_, mut feed) = desk.hub.subscribe();
    let request = Request::Arrange { account: account_name(), what: Box::new(what) };
    let answer = desk.answer(&Caller::ourselves(), request).await.expect("accepted");
    let Answer::Accepted { action: id } = answer else { panic!("not accepted") };
    loop {
        if let Change::Action(action) = &*feed.recv().await.expect("change")
            && action.id == id
            && action.is_final()
        {
            return action.outcomes.iter().map(|(_, outcome)| outcome.clone()).collect();
        }
    }
}

fn done() -> Outcome {
    Outcome::Confirmed { notice: None }
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { reason } | Outcome::Unknown { reason } => reason.as_str(),
        Outcome::Partly { failed, .. } => failed.as_str(),
        Outcome::Confirmed { notice: Some(notice) } => notice.as_str(),
        other => other.word(),
    }
}

#[tokio::test]
async fn each_override_of_one_arrangement_has_its_own_outcome() {
    let Setup { fake, desk, _dir } = setup();
    fake.answer_override(Added::Made);
    fake.answer_override(Added::Refused { reason: "Override must end after its start".into() });
    fake.answer_override(Added::Partly { failed: "the answer shows 1 of 2 overrides as made".into() });

    let covers = [(0, 1), (2, 3), (4, 5)].map(|(from, to)| cover("bob", hours(from, to), &["alice"]));
    let outcomes = arrange(&desk, overriding(covers.to_vec())).await;

    assert_eq!(outcomes[0], done());
    assert!(matches!(&outcomes[1], Outcome::Failed { .. }), "{:?}", outcomes[1]);
    assert_eq!(reason(&outcomes[1]), "Override must end after its start");
    assert!(matches!(&outcomes[2], Outcome::Partly { .. }), "{:?}", outcomes[2]);
}

#[tokio::test]
async fn a_mistake_of_ours_in_one_part_is_told_of_all_that_it_leaves_open() {
    let Setup { fake, desk, _dir } = setup();
    fake.spoil_next_write(Spoil::Not);
    fake.spoil_next_write(Spoil::Mistake);

    let covers = [(0, 1), (2, 3), (4, 5)].map(|(from, to)| cover("bob", hours(from, to), &["alice"]));
    let outcomes = arrange(&desk, overriding(covers.to_vec())).await;

    assert_eq!(outcomes[0], done());
    assert!(matches!(&outcomes[1], Outcome::Unknown { .. }), "{:?}", outcomes[1]);
    assert_eq!(reason(&outcomes[1]), "dogwatch failed while this was on its way: look before asking again");
    assert_eq!(outcomes[2], Outcome::Failed { reason: "dogwatch failed before this was sent".into() });
    assert_eq!(fake.overrides_made(), 2);
}

#[tokio::test]
async fn nothing_is_sent_when_somebody_else_has_the_time_than_the_person_saw() {
    let Setup { fake, desk, _dir } = setup();
    fake.put_override("carol", hours(-1, 3));

    let outcomes = arrange(&desk, overriding(vec![cover("bob", hours(0, 1), &["alice"])])).await;

    assert_eq!(reason(&outcomes[0]), "not sent: carol has that time by now; look again");
    assert_eq!((fake.writes(), fake.overrides_made()), (0, 1));
}

#[tokio::test]
async fn who_has_the_time_already_is_not_put_there_twice() {
    let Setup { fake, desk, _dir } = setup();
    let span = hours(0, 1);

    let first = arrange(&desk, overriding(vec![cover("bob", span, &["alice"])])).await;
    let second = arrange(&desk, overriding(vec![cover("bob", span, &["alice"])])).await;

    assert_eq!(first, [done()]);
    assert_eq!(reason(&second[0]), "has that time already, nothing was sent");
    assert_eq!(fake.overrides_made(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_read_back_and_nothing_is_sent_again() {
    for (spoil, confirmed, made) in [(Spoil::AnswerLost, true, 1), (Spoil::Silence, false, 0)] {
        let Setup { fake, desk, _dir } = setup();
        fake.spoil_next_write(spoil.clone());

        let outcomes = arrange(&desk, overriding(vec![cover("bob", hours(0, 1), &["alice"])])).await;

        assert_eq!(matches!(outcomes[0], Outcome::Confirmed { .. }), confirmed, "{:?}", outcomes[0]);
        assert_eq!((fake.writes(), fake.overrides_made()), (1, made));
    }
}

#[tokio::test]
async fn a_cover_of_which_a_part_was_given_before_an_answer_was_lost_is_never_called_failed() {
    let half = Added::InDoubt { given: "1 of 2 parts of the time".into(), cause: "the provider answered 504".into() };
    let covering = |span| overriding(vec![cover("bob", span, &["alice"])]);
    let (before, after) = (Span { to: hours(1, 1).to, ..hours(0, 2) }, hours(0, 2));

    let Setup { fake, desk, _dir } = setup();
    fake.answer_override(half.clone());
    fake.put_override_with_the_answer("bob", before);
    let outcomes = arrange(&desk, covering(after)).await;
    let Outcome::Partly { done, failed } = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(done.as_str(), "1 of 2 parts of the time");
    assert!(failed.as_str().starts_with("the provider answered 504; read back: the rest is not seen"), "{failed}");

    let Setup { fake, desk, _dir } = setup();
    fake.answer_override(half);
    fake.put_override_with_the_answer("bob", after);
    let outcomes = arrange(&desk, covering(after)).await;
    assert!(matches!(outcomes[0], Outcome::Confirmed { .. }), "{outcomes:?}");
    assert_eq!(fake.writes(), 1);
}

#[tokio::test]
async fn a_lost_answer_after_which_somebody_else_has_the_time_is_not_known() {
    let Setup { fake, desk, _dir } = setup();
    let span = hours(0, 2);
    fake.spoil_next_write(Spoil::AnswerLost);
    fake.answer_override(Added::Made);
    fake.put_override_with_the_answer("carol", span);

    let outcomes = arrange(&desk, overriding(vec![cover("bob", span, &["alice"])])).await;

    assert!(matches!(outcomes[0], Outcome::Unknown { .. }), "{:?}", outcomes[0]);
    assert!(reason(&outcomes[0]).ends_with("carol has that time by now, or a part of it; look at the schedule"));
}

#[tokio::test]
async fn what_can_not_be_read_back_is_not_known() {
    let Setup { fake, desk, _dir } = setup();
    fake.spoil_next_write(Spoil::AnswerLost);
    fake.fail_reads_after(1, ProviderError::Broken { status: 500, reason: "oops".into() }, 9);

    let outcomes = arrange(&desk, overriding(vec![cover("bob", hours(0, 1), &["alice"])])).await;

    assert!(matches!(outcomes[0], Outcome::Unknown { .. }), "{:?}", outcomes[0]);
}

#[tokio::test]
async fn an_override_is_taken_away_once_and_one_that_is_gone_is_said_to_be() {
    let Setup { fake, desk, _dir } = setup();
    let known = fake.put_override("bob", hours(0, 2));
    let remove = || Arrangement::RemoveOverrides { schedule: schedule(), overrides: vec![known.clone()] };

    assert_eq!(arrange(&desk, remove()).await, [done()]);
    assert_eq!(reason(&arrange(&desk, remove()).await[0]), "it was gone already");
    assert_eq!(fake.writes(), 1);
}

#[tokio::test]
async fn maintenance_begins_once_and_ends() {
    let Setup { fake, desk, _dir } = setup();

    assert_eq!(arrange(&desk, maintenance()).await, [done()]);
    assert!(reason(&arrange(&desk, maintenance()).await[0]).contains("there is such a window already"));
    assert_eq!(fake.windows_made(), 1);

    let window = Named { id: WindowId::new("W0").expect("id"), name: "disk swap".into() };
    let end = || Arrangement::EndMaintenance { windows: vec![window.clone()] };
    assert_eq!(arrange(&desk, end()).await, [done()]);
    assert_eq!(reason(&arrange(&desk, end()).await[0]), "it was over already");
}

#[tokio::test]
async fn after_a_crash_what_was_sent_is_read_back_and_never_sent_again() {
    let Setup { fake, desk, _dir } = setup();
    let span = hours(0, 1);
    fake.put_override("bob", span);
    let what = overriding(vec![
        cover("bob", span, &["alice"]),
        cover("bob", hours(3, 4), &["alice"]),
        cover("bob", hours(5, 6), &["alice"]),
    ]);
    let keys = what.keys(&account_name());
    let by = By { actor: "alice".into(), uid: None, name: None };
    let verb = Verb::Arrange(Box::new(what));
    let mut action = desk.store.new_action(Timestamp::now(), by, verb, keys).await.expect("written");
    action.outcomes[0].1 = Outcome::Sent;
    action.outcomes[1].1 = Outcome::Sent;
    desk.hub.publish(Change::Action(Box::new(action.clone())));

    actions::settle(Arc::clone(&desk), vec![action]).await;

    let outcomes = desk.hub.look(|board| board.actions[0].outcomes.clone());
    assert!(matches!(outcomes[0].1, Outcome::Confirmed { .. }), "{:?}", outcomes[0]);
    assert!(reason(&outcomes[1].1).contains("not done"), "{:?}", outcomes[1]);
    assert_eq!(reason(&outcomes[2].1), "dogwatch ended before this was sent");
    assert_eq!(fake.writes(), 0);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_it_is_written_down() {
    let Setup { desk, _dir, .. } = setup();
    let nobody = overriding(vec![]);
    let backwards = overriding(vec![cover("bob", hours(2, 1), &[])]);
    let nowhere = Arrangement::StartMaintenance { services: vec![], span: hours(0, 1), description: String::new() };
    for (what, words) in [(nobody, "1 to 50 parts"), (backwards, "ends before"), (nowhere, "no service")] {
        let request = Request::Arrange { account: account_name(), what: Box::new(what) };

        let refused = desk.answer(&Caller::ourselves(), request).await.expect_err("refused");

        assert!(refused.contains(words), "{refused}");
    }
    assert!(desk.hub.look(|board| board.actions.is_empty()));
}

#[tokio::test]
async fn who_may_only_look_arranges_nothing_and_an_arrangement_is_no_action_on_incidents() {
    let Setup { fake, desk, _dir } = setup();
    let seen = fake.put("P1", Status::Triggered, 0);
    let what = Box::new(maintenance());
    let stranger = Caller { uid: Some(4_000_001), login: "mallory".into() };
    let request = Request::Arrange { account: account_name(), what: what.clone() };
    assert!(desk.answer(&stranger, request).await.expect_err("refused").contains("may look, not act"));

    let target = crate::core::action::Target { key: seen.key, seen: Status::Triggered, assignees: vec![] };
    let request = Request::Act { targets: vec![target], verb: Verb::Arrange(what), undoable: false };
    assert!(desk.answer(&Caller::ourselves(), request).await.expect_err("refused").contains("nothing that is done"));
    assert_eq!(fake.writes(), 0);
}

#[test]
fn having_the_time_means_the_whole_of_it_and_alone() {
    let span = hours(0, 4);
    let user = |name: &str| Named { id: UserId::new(format!("P{name}")).expect("id"), name: name.into() };
    let shift = |from, to, name: &str| crate::core::oncall::Shift {
        start: hours(from, to).from,
        end: hours(from, to).to,
        user: user(name),
        from_override: false,
    };
    let told = |shifts: Vec<crate::core::oncall::Shift>| {
        let schedule = Schedule { schedule: schedule(), zone: "UTC".into(), shifts, from: span.from, to: span.to };
        has(&schedule, &Cover { user: user("bob"), span, replaces: vec![] })
    };

    assert!(told(vec![shift(-1, 5, "bob")]));
    assert!(!told(vec![shift(-1, 2, "bob")]));
    assert!(!told(vec![shift(-1, 5, "bob"), shift(1, 2, "carol")]));
    assert!(!told(vec![shift(1, 5, "bob")]));
}
