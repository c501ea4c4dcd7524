//! Incidents made by hand.

use super::*;

fn new_incident() -> NewIncident {
    let service = Named { id: ServiceId::new("S1").expect("id"), name: "Web".into() };
    let (title, dedup_key) = ("by hand".to_owned(), "dogwatch-1".to_owned());
    NewIncident { service, title, urgency: Urgency::High, details: None, dedup_key }
}

/// Asks for an incident to be made, and waits for what becomes of it.
async fn create(desk: &Arc<Desk>) -> (IncidentKey, Outcome) {
    let (_, mut feed) = desk.hub.subscribe();
    let account = key("P1").account;
    let request = Request::Create { account, new: Box::new(new_incident()), undoable: false };
    desk.answer(&Caller::ourselves(), request).await.expect("accepted");
    loop {
        if let Change::Action(action) = &*feed.recv().await.expect("change")
            && action.is_final()
        {
            return action.outcomes[0].clone();
        }
    }
}

#[tokio::test]
async fn an_incident_made_by_hand_stands_in_the_log_under_its_own_id() {
    let Setup { fake, desk, _dir } = setup();

    let (made, outcome) = create(&desk).await;

    assert_eq!((made, outcome), (key("PNEW"), NONE));
    assert!(desk.hub.look(|board| board.incidents.contains_key(&key("PNEW"))));
    assert_eq!(fake.titles().len(), 1);
}

#[tokio::test]
async fn an_incident_whose_answer_is_lost_is_looked_up_and_never_made_twice() {
    for (spoil, made) in [(Spoil::AnswerLost, 1), (Spoil::Silence, 0)] {
        let Setup { fake, desk, _dir } = setup();
        fake.spoil_next_write(spoil);

        let (_, outcome) = create(&desk).await;

        assert_eq!((fake.titles().len(), fake.writes()), (made, 1));
        assert_eq!(matches!(outcome, Outcome::Confirmed { .. }), made == 1, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_mistake_of_ours_while_an_incident_is_made_is_told() {
    let Setup { fake, desk, _dir } = setup();
    fake.spoil_next_write(Spoil::Mistake);

    let (known_as, outcome) = create(&desk).await;

    let Outcome::Unknown { reason } = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason.as_str(), "dogwatch failed while this was on its way: look before asking again");
    assert_eq!((known_as.id.as_str(), fake.writes()), ("dogwatch-1", 1));
}

#[tokio::test]
async fn after_a_crash_an_incident_that_was_made_is_found_by_its_key() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P9", Status::Triggered, 0);
    let by = By { actor: "alice".into(), uid: None, name: None };
    let new = new_incident();
    let placeholder = IncidentKey { account: key("P1").account, id: IncidentId::new(&new.dedup_key).expect("id") };
    let verb = Verb::Create(Box::new(new.clone()));
    let mut action = desk.store.new_action(jiff::Timestamp::now(), by, verb, vec![placeholder]).await.expect("row");
    action.outcomes[0].1 = Outcome::Sent;
    desk.hub.publish(Change::Action(Box::new(action.clone())));
    fake.create_incident(&new).await.expect("made");

    settle(Arc::clone(&desk), vec![action]).await;

    let outcomes = desk.hub.look(|b| b.actions[0].outcomes.clone());
    assert_eq!(outcomes[0].0, key("PNEW"));
    assert!(matches!(&outcomes[0].1, Outcome::Confirmed { notice: Some(_) }), "{outcomes:?}");
}

#[tokio::test]
async fn an_incident_can_be_taken_back_as_long_as_the_way_to_the_provider_is_not_found() {
    let Setup { fake, desk, _dir } = setup();
    desk.waiting.set_window(Duration::from_millis(1));
    let _never = fake.slow_preparation("P1");
    let account = key("P1").account;
    let request = Request::Create { account, new: Box::new(new_incident()), undoable: true };
    let Ok(Answer::Accepted { action }) = desk.answer(&Caller::ourselves(), request).await else { panic!() };
    while fake.preparations() == 0 {
        tokio::task::yield_now().await;
    }

    let back = desk.answer(&Caller::ourselves(), Request::TakeBack { action }).await;
    assert_eq!(back, Ok(Answer::TakenBack { action }));
    desk.under_way.close();
    desk.under_way.wait().await;

    assert_eq!(desk.hub.look(|board| board.actions[0].outcomes[0].1.clone()), Outcome::TakenBack);
    assert_eq!(fake.writes(), 0);
}
