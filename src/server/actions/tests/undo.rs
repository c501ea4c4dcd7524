//! The time in which an action can be taken back.

use super::*;

/// An action that waits, and its number.
async fn waiting(desk: &Arc<Desk>) -> ActionId {
    desk.waiting.set_window(std::time::Duration::from_mins(1));
    let targets = vec![target("P1", Status::Triggered)];
    let request = Request::Act { targets, verb: Verb::Acknowledge, undoable: true };
    match desk.answer(&Caller::ourselves(), request).await.expect("accepted") {
        Answer::Accepted { action } => action,
        other => panic!("{other:?}"),
    }
}

async fn finished(desk: &Arc<Desk>) -> Action {
    desk.under_way.close();
    desk.under_way.wait().await;
    desk.hub.look(|board| board.actions[0].clone())
}

#[tokio::test]
async fn what_is_taken_back_in_time_is_never_sent() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let action = waiting(&desk).await;
    assert!(desk.hub.look(|board| board.actions[0].waits()));

    let stranger = desk.answer(&caller(ALICE, "alice"), Request::TakeBack { action }).await;
    let back = desk.answer(&Caller::ourselves(), Request::TakeBack { action }).await;
    let again = desk.answer(&Caller::ourselves(), Request::TakeBack { action }).await;

    assert!(stranger.is_err() && again.is_err());
    assert_eq!(back, Ok(Answer::TakenBack { action }));
    assert_eq!(finished(&desk).await.outcomes[0].1, Outcome::TakenBack);
    assert_eq!((fake.writes(), fake.status("P1")), (0, Status::Triggered));
}

#[tokio::test]
async fn the_end_of_the_server_sends_what_waits() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let action = waiting(&desk).await;

    desk.ending.cancel();

    assert_eq!(finished(&desk).await.outcomes[0].1, NONE);
    assert_eq!(fake.status("P1"), Status::Acknowledged);
    let late = desk.answer(&Caller::ourselves(), Request::TakeBack { action }).await;
    assert!(late.is_err_and(|reason| reason.contains("cannot be taken back any more")));
}

#[tokio::test]
async fn when_its_time_is_over_it_is_sent_once() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    desk.waiting.set_window(std::time::Duration::from_millis(1));
    let targets = vec![target("P1", Status::Triggered)];
    let request = Request::Act { targets, verb: Verb::Acknowledge, undoable: true };
    desk.answer(&Caller::ourselves(), request).await.expect("accepted");

    assert_eq!(finished(&desk).await.outcomes[0].1, NONE);
    assert_eq!(fake.writes(), 1);
}
