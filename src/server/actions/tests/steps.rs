//! The steps beyond acknowledging, resolving, handing off and noting.

use super::*;

#[tokio::test]
async fn a_note_that_fails_beside_a_resolve_that_worked_is_told_as_that() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Acknowledged, 0);
    fake.spoil_next_write(Spoil::Not);
    fake.spoil_next_write(Spoil::Error(ProviderError::Forbidden { reason: "no notes".into() }));

    let verb = Verb::Resolve { note: Some("disk replaced".into()) };
    let outcomes = act(&desk, vec![target("P1", Status::Acknowledged)], verb).await;

    let [Outcome::Partly { done, failed }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!((done.as_str(), failed.as_str()), ("resolved", "the note: not permitted: no notes"));
    assert_eq!((fake.status("P1"), fake.notes().len()), (Status::Resolved, 0));
}

#[tokio::test]
async fn a_snooze_of_what_is_triggered_acknowledges_first_and_says_when_only_that_worked() {
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    for refused in [false, true] {
        let Setup { fake, desk, _dir } = setup();
        fake.put("P1", Status::Triggered, 0);
        if refused {
            fake.spoil_next_write(Spoil::Not);
            fake.spoil_next_write(Spoil::Error(ProviderError::Refused { status: 400, reason: "no".into() }));
        }

        let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Snooze { until }).await;

        assert_eq!(fake.status("P1"), Status::Acknowledged);
        match outcomes.as_slice() {
            [Outcome::Confirmed { notice: None }] if !refused => {}
            [Outcome::Partly { done, failed }] if refused => {
                assert_eq!(done.as_str(), "acknowledged");
                assert!(failed.as_str().starts_with("the snooze: "), "{failed}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_merged_is_confirmed_by_the_incident_that_went_in() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.put("P2", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::AnswerLost);

    let verb = Verb::Merge { into: key("P2"), name: "#7".into() };
    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], verb.clone()).await;
    let into_itself = desk
        .answer(
            &Caller::ourselves(),
            Request::Act { targets: vec![target("P2", Status::Triggered)], verb, undoable: false },
        )
        .await;

    assert!(matches!(&outcomes[0], Outcome::Confirmed { notice: Some(_) }), "{outcomes:?}");
    assert!(into_itself.is_err_and(|reason| reason.contains("into itself")));
}

#[tokio::test]
async fn what_cannot_be_read_back_is_unknown_and_not_called_done_or_failed() {
    for verb in [
        Verb::StatusUpdate { message: "we know".into() },
        Verb::RunWorkflow { workflow: Named { id: WorkflowId::new("W1").expect("id"), name: "Call".into() } },
    ] {
        let Setup { fake, desk, _dir } = setup();
        fake.put("P1", Status::Triggered, 0);
        fake.hide_signs();
        fake.spoil_next_write(Spoil::AnswerLost);

        let outcomes = act(&desk, vec![target("P1", Status::Triggered)], verb).await;

        assert!(matches!(&outcomes[0], Outcome::Unknown { .. }), "{outcomes:?}");
    }
}

#[tokio::test]
async fn an_escalation_whose_answer_is_lost_is_found_by_its_sign() {
    for (spoil, done) in [(Spoil::AnswerLost, true), (Spoil::Silence, false)] {
        let Setup { fake, desk, _dir } = setup();
        fake.put("P1", Status::Triggered, 0);
        fake.spoil_next_write(spoil);

        let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Escalate { level: 2 }).await;

        assert_eq!(matches!(&outcomes[0], Outcome::Confirmed { .. }), done, "{outcomes:?}");
        assert_eq!(matches!(&outcomes[0], Outcome::Failed { .. }), !done, "{outcomes:?}");
    }
}

#[tokio::test]
async fn an_edit_goes_through_whatever_happened_meanwhile_and_a_responder_is_not_asked_to_what_is_over() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Resolved, 0);

    let edit = Verb::Edit(Edit::Title("disk of db-3 full".into()));
    let edited = act(&desk, vec![target("P1", Status::Triggered)], edit).await;
    let asked = Verb::AddResponders { to: vec![Assignee::User(person("bob"))], message: "help".into() };
    let asked = act(&desk, vec![target("P1", Status::Triggered)], asked).await;

    assert_eq!(edited, [NONE]);
    assert!(matches!(&asked[0], Outcome::Conflict { now: Status::Resolved, .. }), "{asked:?}");
}

#[tokio::test]
async fn who_had_been_asked_before_may_or_may_not_be_asked_again_when_the_answer_is_lost() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let ask = Verb::AddResponders { to: vec![Assignee::User(person("bob"))], message: "help".into() };
    assert_eq!(act(&desk, vec![target("P1", Status::Triggered)], ask.clone()).await, [NONE]);
    fake.spoil_next_write(Spoil::Silence);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], ask).await;

    assert!(matches!(&outcomes[0], Outcome::Unknown { .. }), "{outcomes:?}");
}

#[tokio::test]
async fn an_alert_that_is_resolved_is_so_whoever_did_it() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let alert = Named { id: AlertId::new("A1").expect("id"), name: "disk".into() };
    let resolve = Verb::ResolveAlert { alert };
    assert_eq!(act(&desk, vec![target("P1", Status::Triggered)], resolve.clone()).await, [NONE]);
    fake.spoil_next_write(Spoil::Silence);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], resolve).await;

    assert!(matches!(&outcomes[0], Outcome::Confirmed { notice: Some(_) }), "{outcomes:?}");
}
