//! What happens between the look and the sending.

use tokio::sync::broadcast;

use super::*;

const MOMENT: Duration = Duration::from_millis(1);

fn limited(status: Status) -> Spoil {
    Spoil::Overtaken(status, ProviderError::RateLimited { wait: MOMENT })
}

/// Asks, and does not wait for what becomes of it.
pub(super) async fn ask(desk: &Arc<Desk>, ids: &[&str], verb: Verb) -> ActionId {
    let targets = ids.iter().map(|id| target(id, Status::Triggered)).collect();
    let request = Request::Act { targets, verb, undoable: false };
    match desk.answer(&Caller::ourselves(), request).await.expect("accepted") {
        Answer::Accepted { action } => action,
        other => panic!("{other:?}"),
    }
}

pub(super) fn outcome_of(desk: &Desk, id: ActionId, at: usize) -> Outcome {
    desk.hub.look(|board| board.actions.iter().find(|action| action.id == id).expect("known").outcomes[at].1.clone())
}

#[tokio::test]
async fn what_is_resolved_while_an_acknowledge_waits_for_the_rate_limit_is_not_reopened() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.spoil_next_write(limited(Status::Resolved));

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    let [Outcome::Conflict { now: Status::Resolved, reason, .. }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(reason.as_str().contains("acknowledging would reopen it"), "{reason}");
    assert_eq!((fake.status("P1"), fake.writes()), (Status::Resolved, 1));
}

#[tokio::test]
async fn what_a_webhook_told_while_the_provider_still_shows_the_time_before_is_not_acted_on() {
    let Setup { fake, desk, _dir } = setup();
    let seen = fake.put("P1", Status::Triggered, 0);
    let later = seen.stamp.at.checked_add(jiff::SignedDuration::from_secs(60)).expect("small");
    let state = crate::core::incident::State { assignees: vec![person("carol")], ..seen.state.clone() };
    let stamp = crate::core::incident::Stamp::push(later);
    desk.observe(&Observation { stamp, state, extra: None, ..seen }).await;

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], hand_off(None)).await;

    let [Outcome::Conflict { reason, .. }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(reason.as_str(), "it was assigned to carol meanwhile");
    assert_eq!(fake.writes(), 0);
}

#[tokio::test]
async fn of_many_that_wait_for_the_rate_limit_none_that_was_resolved_is_reopened() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2"] {
        fake.put(id, Status::Triggered, 0);
    }
    fake.spoil_next_write(limited(Status::Resolved));

    let targets = ["P1", "P2"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    assert!(outcomes.iter().all(|one| matches!(one, Outcome::Conflict { now: Status::Resolved, .. })), "{outcomes:?}");
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn while_it_waits_for_the_rate_limit_it_is_not_said_to_be_sent() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::Error(ProviderError::RateLimited { wait: MOMENT }));
    let (_, mut feed) = desk.hub.subscribe();

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    let mut words = vec![];
    loop {
        match feed.try_recv() {
            Ok(change) => {
                if let Change::Action(action) = &*change {
                    words.push(action.outcomes[0].1.word());
                }
            }
            Err(broadcast::error::TryRecvError::Lagged(_)) => panic!("too much"),
            Err(_) => break,
        }
    }
    assert_eq!(outcomes, [NONE]);
    assert_eq!(words, ["pending", "sent", "pending", "sent", "confirmed"]);
}

#[tokio::test]
async fn what_is_resolved_while_another_of_the_same_action_is_looked_at_is_not_reopened() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P3", "P4"] {
        fake.put(id, Status::Triggered, 0);
    }
    fake.slow("P4", "P3").notify_one();

    let targets = ["P3", "P4"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    assert!(matches!(outcomes[0], Outcome::Conflict { now: Status::Resolved, .. }), "{outcomes:?}");
    assert_eq!(outcomes[1], NONE);
    assert_eq!((fake.status("P3"), fake.requests()), (Status::Resolved, vec![vec![key("P4").id]]));
}

#[tokio::test]
async fn actions_on_one_incident_are_carried_out_one_after_the_other() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P3", "P4", "P5"] {
        fake.put(id, Status::Triggered, 0);
    }
    let go_on = fake.slow("P4", "P5");

    let first = ask(&desk, &["P4", "P3"], Verb::Acknowledge).await;
    while fake.asked().1 < 2 {
        tokio::task::yield_now().await;
    }
    let second = ask(&desk, &["P3", "P4"], Verb::Resolve { note: None }).await;
    for _ in 0..100 {
        desk.store.save(vec![]).await.expect("saved");
    }
    go_on.notify_one();
    desk.under_way.close();
    desk.under_way.wait().await;

    assert_eq!([outcome_of(&desk, first, 0), outcome_of(&desk, first, 1)], [NONE, NONE]);
    let told = outcome_of(&desk, second, 0);
    assert!(matches!(told, Outcome::Conflict { now: Status::Acknowledged, .. }), "{told:?}");
    assert_eq!([fake.status("P3"), fake.status("P4")], [Status::Acknowledged; 2]);
}

#[tokio::test]
async fn a_snooze_that_waited_for_the_rate_limit_is_not_sent_for_what_was_resolved() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::Not);
    fake.spoil_next_write(limited(Status::Resolved));
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Snooze { until }).await;

    let [Outcome::Partly { done, failed }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!((done.as_str(), fake.writes()), ("acknowledged", 2));
    assert!(failed.as_str().starts_with("the snooze: it was resolved"), "{failed}");
}

#[tokio::test]
async fn what_is_resolved_while_a_long_list_is_read_is_not_reopened() {
    let Setup { fake, desk, _dir } = setup();
    let ids = ["P1", "P2", "P3", "P4", "P5", "P6"];
    for id in ids {
        fake.put(id, Status::Triggered, 0);
    }
    fake.slow_list("P3");

    let outcomes = act(&desk, ids.map(|id| target(id, Status::Triggered)).to_vec(), Verb::Acknowledge).await;

    assert_eq!((fake.status("P3"), fake.asked().0), (Status::Resolved, 1));
    assert!(matches!(outcomes[2], Outcome::Conflict { now: Status::Resolved, .. }), "{outcomes:?}");
    assert!(outcomes.iter().enumerate().all(|(n, outcome)| n == 2 || *outcome == NONE), "{outcomes:?}");
}

#[tokio::test]
async fn what_a_webhook_told_and_the_person_saw_is_acted_on_while_the_provider_still_shows_the_time_before() {
    let Setup { fake, desk, _dir } = setup();
    let seen = fake.put("P1", Status::Triggered, 0);
    let later = seen.stamp.at.checked_add(jiff::SignedDuration::from_secs(60)).expect("small");
    let state = crate::core::incident::State { assignees: vec![person("carol")], ..seen.state.clone() };
    let stamp = crate::core::incident::Stamp::push(later);
    desk.observe(&Observation { stamp, state, extra: None, ..seen }).await;
    let shown = desk.hub.look(|board| Target::at(&board.incidents[&key("P1")]));
    assert_eq!(shown.assignees, [person("carol").id]);

    let outcomes = act(&desk, vec![shown], Verb::Resolve { note: None }).await;

    assert_eq!((outcomes, fake.status("P1")), (vec![NONE], Status::Resolved));
}

/// Each of the first writings-down takes 3 s; while the last one is made, a webhook tells that it was resolved.
async fn write_down_slowly(desk: Arc<Desk>, mut feed: broadcast::Receiver<Arc<Change>>) {
    let mut left = super::super::look::ROUNDS;
    while left > 0 {
        let change = feed.recv().await.expect("change");
        let Change::Action(action) = &*change else { continue };
        if action.outcomes[0].1 != Outcome::Sent {
            continue;
        }
        left -= 1;
        if left > 0 {
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(3)).await;
            tokio::time::resume();
        } else {
            let mut known = desk.hub.look(|board| board.incidents[&key("P1")].clone());
            let later = known.stamp.at.checked_add(jiff::SignedDuration::from_secs(60)).expect("small");
            known.stamp = crate::core::incident::Stamp::push(later);
            known.state.status = Status::Resolved;
            desk.hub.publish(Change::Incident(Box::new(known)));
        }
    }
}

#[tokio::test]
async fn what_a_webhook_told_while_it_was_written_down_for_the_last_time_is_not_reopened() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let (_, feed) = desk.hub.subscribe();
    let slowly = tokio::spawn(write_down_slowly(Arc::clone(&desk), feed));

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    slowly.await.expect("written down as often");
    assert!(matches!(outcomes[0], Outcome::Conflict { now: Status::Resolved, .. }), "{outcomes:?}");
    assert_eq!((fake.status("P1"), fake.writes()), (Status::Triggered, 0));
}

#[tokio::test]
async fn what_is_resolved_while_it_is_asked_in_whose_name_it_goes_out_is_not_reopened() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.slow_preparation("P1").notify_one();

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    assert!(matches!(outcomes[0], Outcome::Conflict { now: Status::Resolved, .. }), "{outcomes:?}");
    assert_eq!((fake.status("P1"), fake.writes()), (Status::Resolved, 0));
}

#[tokio::test]
async fn where_it_cannot_be_told_in_whose_name_it_goes_out_nothing_is_said_to_be_sent() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.fail_preparations(ProviderError::Forbidden { reason: "in whose name?".into() }, 1);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    let [Outcome::Failed { reason }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(reason.as_str().contains("in whose name?"), "{reason}");
    assert_eq!((fake.asked(), fake.writes()), ((0, 0), 0));
}
