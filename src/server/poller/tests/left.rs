//! What is promised of incidents that are in no list any more, where many of them cannot be had, or may not be seen.

use super::*;

fn forbidden() -> ProviderError {
    ProviderError::Forbidden { reason: "not yours".into() }
}

#[tokio::test]
async fn however_many_cannot_be_had_the_others_are_asked_for_and_each_of_them_again_in_its_turn() {
    let mut setup = setup();
    let ids: Vec<String> = (0..23).map(|n| format!("P{n:02}")).collect();
    for id in &ids {
        setup.fake.put(id, Status::Triggered, 0);
    }
    setup.round.poll().await;
    for (n, id) in ids.iter().enumerate() {
        setup.fake.put_created(id, Status::Resolved, Timestamp::UNIX_EPOCH);
        if n >= 3 {
            setup.fake.hide(id, broken());
        }
    }

    for _ in 0..7 {
        setup.round.poll().await;
    }
    let open = |setup: &Setup| ids.iter().filter(|id| setup.status(id) == Some(Status::Triggered)).count();
    assert_eq!(open(&setup), 20);
    setup.fake.show("P10");
    for _ in 0..7 {
        setup.round.poll().await;
    }

    assert_eq!((open(&setup), setup.status("P10")), (19, Some(Status::Resolved)));
}

#[tokio::test]
async fn those_that_this_key_may_not_see_bring_no_history_down_when_they_are_asked_for_again() {
    let mut setup = setup();
    setup.round.poll().await;
    for n in 0..12 {
        let id = format!("P{n}");
        setup.push(&id, ago(SignedDuration::from_hours(1))).await;
        setup.fake.hide(&id, forbidden());
    }
    setup.round.poll().await;
    let asked = (setup.fake.asked().1, setup.fake.histories().len());
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(11)).await;
    tokio::time::resume();

    setup.round.poll().await;

    let (singles, histories) = (setup.fake.asked().1, setup.fake.histories());
    assert_eq!(singles - asked.0, 12, "each of them");
    assert_eq!(histories.len() - asked.1, 1, "{histories:?}");
}

#[tokio::test]
async fn of_very_many_that_this_key_may_not_see_some_are_told_of_and_that_there_are_more() {
    let mut setup = setup();
    setup.round.poll().await;
    for n in 0..120 {
        let id = format!("P{n}");
        setup.push(&id, ago(SignedDuration::from_hours(1))).await;
        setup.fake.hide(&id, forbidden());
    }

    for _ in 0..3 {
        setup.round.poll().await;
    }

    assert_eq!(setup.left().len(), 100);
    let words = setup.account().left_words(Timestamp::now()).concat();
    assert!(words.starts_with("100 or more incidents open by webhooks alone"), "{words}");
}

#[tokio::test]
async fn what_another_address_does_not_know_goes_at_once_however_lately_the_former_one_told_of_it() {
    let mut setup = setup();
    setup.push("PUSHED", ago(SignedDuration::from_hours(1))).await;
    setup.push("UNSEEN", ago(SignedDuration::from_hours(1))).await;
    let listed = setup.fake.put("LISTED", Status::Triggered, 0);
    let now = Timestamp::now();
    let stamp = Stamp::rest(now, now);
    setup.round.asker.desk.observe(&Observation { stamp, ..listed }).await;
    setup.fake.remove("LISTED");
    setup.fake.hide("UNSEEN", forbidden());
    let desk = Arc::clone(&setup.round.asker.desk);

    desk.moved(&fake::account_name(), "https://elsewhere.example").await;
    setup.round.poll().await;

    assert_eq!((setup.status("PUSHED"), setup.status("LISTED")), (None, None));
    assert_eq!(setup.status("UNSEEN"), Some(Status::Triggered));
    let (left, gone) = (setup.left(), |id: &str| (id.to_owned(), Fate::Unknown));
    assert!(left.contains(&gone("PUSHED")) && left.contains(&gone("LISTED")), "{left:?}");
    assert!(left.contains(&("UNSEEN".to_owned(), Fate::Unseen)), "{left:?}");

    setup.push("PUSHED", Timestamp::now()).await;
    setup.round.poll().await;
    assert_eq!(setup.status("PUSHED"), Some(Status::Triggered), "told of since");
}
