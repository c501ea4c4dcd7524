//! When it is asked who is on call, and what is made of the answers.

use super::*;
use crate::{
    core::{
        id::{PolicyId, ScheduleId},
        incident::Named,
        oncall::{OnCall, Schedule, Shift},
        text::Shown,
    },
    provider::Schedules,
};

fn from_now(seconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(seconds)
}

fn called(id: &str) -> Named<ScheduleId> {
    Named { id: ScheduleId::new(id).expect("id"), name: id.into() }
}

/// They have it for so many seconds more, by the schedule `S1`.
fn on_call(name: &str, left: i64) -> OnCall {
    OnCall {
        policy: Named { id: PolicyId::new("E1").expect("id"), name: "Payments".into() },
        level: 1,
        user: fake::person(name),
        schedule: Some(called("S1")),
        start: None,
        end: Some(from_now(left)),
    }
}

/// A schedule with one person on it for the next hour.
fn schedule(id: &str, name: &str) -> Schedule {
    let (from, to) = (from_now(-60), from_now(3600));
    let shift = Shift { start: from, end: to, user: fake::person(name), from_override: false };
    Schedule { schedule: called(id), zone: "UTC".into(), shifts: vec![shift], from, to }
}

impl Setup {
    fn set_schedules(&self, all: Vec<Schedule>) {
        self.fake.set_schedules(Schedules { all, ..Schedules::default() });
    }

    /// The known schedules, and who is on each.
    fn schedules(&self) -> Vec<(String, String)> {
        let told = |one: &Schedule| (one.schedule.id.to_string(), one.shifts[0].user.name.to_string());
        let hub = &self.round.asker.desk.hub;
        hub.look(|board| board.accounts[&fake::account_name()].schedules.iter().map(told).collect())
    }
}

#[tokio::test]
async fn who_has_it_after_a_hand_over_is_asked_for_when_it_happens() {
    let mut setup = setup();
    let mut pause = async |left: i64, apart: i64, spare: u64| {
        setup.fake.set_on_calls(vec![on_call("alice", left), on_call("bob", left + 3600)]);
        setup.fake.set_clock_apart(apart);
        setup.fake.set_budget(Budget { limit: None, left: 100 + spare, reserve: 100, resets_in: 60 });
        setup.on_call.poll().await.as_secs_f64()
    };

    assert!((19.0..=21.0).contains(&pause(20, 0, 100).await), "a second after it");
    assert!((9.0..=11.0).contains(&pause(20, 10, 100).await), "by the provider's clock");
    assert!((4.9..=5.0).contains(&pause(-2, 0, 100).await), "it was named again, although it was over");
    assert!((30.0..=30.0).contains(&pause(-60, 0, 100).await), "named for ever");
    assert!((30.0..=30.0).contains(&pause(600, 0, 100).await), "the next round is before it");
    assert!((60.0..=60.0).contains(&pause(20, 0, 0).await), "nothing can be spared for it");
}

#[tokio::test]
async fn an_override_that_was_made_elsewhere_has_the_schedules_asked_for_at_once_and_no_more_than_once() {
    let mut setup = setup();
    setup.set_schedules(vec![schedule("S1", "alice")]);
    setup.fake.set_on_calls(vec![on_call("alice", 600)]);
    setup.on_call.poll().await;
    setup.on_call.poll().await;
    assert_eq!((setup.schedules()[0].1.as_str(), setup.fake.schedule_lists()), ("alice", 1));

    setup.set_schedules(vec![schedule("S1", "bob")]);
    setup.fake.set_on_calls(vec![on_call("bob", 600)]);
    setup.on_call.poll().await;
    assert_eq!((setup.schedules()[0].1.as_str(), setup.fake.schedule_lists()), ("bob", 2));

    // What the provider goes on telling in two ways is asked for once more, and then with the others.
    setup.fake.set_on_calls(vec![on_call("carol", 600)]);
    for _ in 0..3 {
        setup.on_call.poll().await;
    }
    assert_eq!(setup.fake.schedule_lists(), 3);
}

#[tokio::test]
async fn schedules_of_the_newer_system_that_are_called_and_may_not_be_seen_any_more_stay_and_are_said_to() {
    let mut setup = setup();
    setup.set_schedules(vec![schedule("S0", "bob"), schedule("S1", "alice"), schedule("S2", "carol")]);
    setup.fake.set_on_calls(vec![on_call("alice", 600)]);
    setup.on_call.poll().await;
    let without = |lacks: &[&str]| Schedules {
        all: vec![schedule("S0", "bob")],
        lacks: lacks.iter().map(|words| Shown::line(words)).collect(),
        barred: Some("not permitted: no scope".into()),
    };
    setup.fake.set_schedules(without(&["20 of 120 schedules are not asked for"]));

    setup.on_call.ask_for_all().await;

    let ids = |setup: &Setup| setup.schedules().into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(&setup), ["S0", "S1"], "S2 may be gone: nobody calls it");
    let words = [
        "shift-based schedules cannot be seen with this key: not permitted: no scope",
        "20 of 120 schedules are not asked for",
    ];
    assert_eq!(setup.account().lacking(), words);

    setup.fake.set_schedules(without(&[]));
    setup.fake.set_on_calls(vec![]);
    setup.on_call.ask_for_all().await;
    assert_eq!(
        (ids(&setup), setup.account().lacking()),
        (vec!["S0".to_owned()], vec![]),
        "the account has none of them"
    );
}
