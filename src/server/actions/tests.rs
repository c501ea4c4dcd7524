use super::{read_back::asked_at, *};
use crate::{
    config::{Acts, PersonSettings, SecretRef, User},
    core::{
        action::{Assignee, By, Edit, NewIncident, Target},
        id::{DeliveryId, IncidentId, ServiceId, WorkflowId},
        incident::{Named, Observation, Urgency},
    },
    proto::{Answer, Request},
    server::{
        fake::{self, Fake, Spoil, key, person},
        people::Caller,
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

fn target(id: &str, seen: Status) -> Target {
    Target { key: key(id), seen, assignees: vec![person("alice").id] }
}

/// No test runs as one of these.
const ALICE: u32 = 4_000_001;
const BOB: u32 = 4_000_002;

fn caller(uid: u32, login: &str) -> Caller {
    Caller { uid: Some(uid), login: login.into() }
}

fn named(login: &str, email: &str) -> PersonSettings {
    PersonSettings { user: User::Login(login.into()), account: None, acts: Acts::As { email: email.into() } }
}

/// Asks as a console would, and waits until all outcomes are final.
async fn act(desk: &Arc<Desk>, targets: Vec<Target>, verb: Verb) -> Vec<Outcome> {
    let (_, mut feed) = desk.hub.subscribe();
    let answer =
        desk.answer(&Caller::ourselves(), Request::Act { targets, verb, undoable: false }).await.expect("accepted");
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

fn hand_off(note: Option<&str>) -> Verb {
    Verb::HandOff { to: Assignee::User(person("bob")), note: note.map(str::to_owned) }
}

#[tokio::test]
async fn an_acknowledge_is_confirmed_by_what_the_provider_shows() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    assert_eq!(outcomes, [Outcome::Confirmed { notice: None }]);
    assert_eq!(fake.status("P1"), Status::Acknowledged);
    assert_eq!(desk.hub.look(|b| b.incidents[&key("P1")].state.status), Status::Acknowledged);
}

#[tokio::test]
async fn an_acknowledge_never_reopens_what_was_resolved_meanwhile() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Resolved, 0);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    let [Outcome::Conflict { now: Status::Resolved, reason }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(reason.as_str().contains("by Bob"), "{reason}");
    assert_eq!(fake.writes(), 0);

    let again = act(&desk, vec![target("P1", Status::Resolved)], Verb::Acknowledge).await;
    assert_eq!(again, [Outcome::Confirmed { notice: None }]);
}

#[tokio::test]
async fn a_hand_off_of_what_somebody_took_meanwhile_asks_again() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Acknowledged, 0);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], hand_off(None)).await;

    assert!(matches!(outcomes[0], Outcome::Conflict { now: Status::Acknowledged, .. }), "{outcomes:?}");
    assert_eq!(fake.writes(), 0);
}

#[tokio::test]
async fn a_hand_off_of_what_was_handed_to_somebody_else_meanwhile_asks_again() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let seen = Target { assignees: vec![person("carol").id], ..target("P1", Status::Triggered) };

    let outcomes = act(&desk, vec![seen], hand_off(None)).await;

    let [Outcome::Conflict { reason, .. }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(reason.as_str(), "it was assigned to alice meanwhile");
    assert_eq!(fake.writes(), 0);
}

#[tokio::test]
async fn a_provider_that_asks_for_patience_gets_it() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let wait = std::time::Duration::from_millis(1);
    fake.fail_reads(ProviderError::RateLimited { wait }, 2);
    fake.spoil_next_write(Spoil::Error(ProviderError::RateLimited { wait }));

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    assert_eq!(outcomes, [Outcome::Confirmed { notice: None }]);
}

#[tokio::test]
async fn refused_because_somebody_was_faster_is_a_conflict_that_says_so() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let refused = ProviderError::Refused { status: 400, reason: "Cannot process reassign action".into() };
    fake.spoil_next_write(Spoil::Overtaken(Status::Resolved, refused));

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], hand_off(None)).await;

    let [Outcome::Conflict { now: Status::Resolved, reason }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(reason.as_str().contains("resolved by Bob"), "{reason}");
}

#[tokio::test]
async fn resolving_what_is_resolved_sends_nothing_and_says_who_did_it() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Resolved, 0);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Resolve { note: None }).await;

    let [Outcome::Confirmed { notice: Some(notice) }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(notice.as_str(), "was resolved already by Bob");
    assert_eq!(fake.writes(), 0);
}

#[tokio::test]
async fn each_incident_has_its_own_outcome() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.put("P2", Status::Resolved, 0);

    let targets = ["P1", "P2", "P3"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    assert_eq!(outcomes.iter().map(Outcome::word).collect::<Vec<_>>(), ["confirmed", "conflict", "failed"]);
}

#[tokio::test]
async fn a_lost_answer_is_read_back_and_never_sent_twice() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::AnswerLost);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Resolve { note: None }).await;

    assert!(matches!(&outcomes[0], Outcome::Confirmed { notice: Some(_) }), "{outcomes:?}");
    assert_eq!(fake.writes(), 1);
}

#[tokio::test]
async fn silence_is_told_as_not_done_when_the_incident_shows_it_was_not() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::Silence);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    let [Outcome::Failed { reason }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(reason.as_str().contains("read back: not done, still triggered"), "{reason}");
    assert_eq!(fake.writes(), 1);
}

#[tokio::test]
async fn a_note_whose_answer_is_lost_is_posted_once() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::AnswerLost);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Note { text: "on it".into() }).await;

    assert!(matches!(&outcomes[0], Outcome::Confirmed { notice: Some(_) }), "{outcomes:?}");
    assert_eq!(fake.notes(), ["on it"]);
}

#[tokio::test]
async fn the_same_note_posted_before_does_not_pass_for_this_one() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let note = || Verb::Note { text: "looking".into() };
    act(&desk, vec![target("P1", Status::Triggered)], note()).await;
    fake.spoil_next_write(Spoil::Silence);

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], note()).await;

    assert!(matches!(&outcomes[0], Outcome::Failed { .. }), "{outcomes:?}");
}

#[tokio::test]
async fn a_hand_off_that_worked_without_its_note_says_both_and_how_it_is_known() {
    for (spoil, known) in [(Spoil::Not, "handed off"), (Spoil::AnswerLost, "it was with bob when read back")] {
        let Setup { fake, desk, _dir } = setup();
        fake.put("P1", Status::Triggered, 0);
        fake.spoil_next_write(spoil);
        fake.spoil_next_write(Spoil::Error(ProviderError::Refused { status: 400, reason: "too many notes".into() }));

        let outcomes = act(&desk, vec![target("P1", Status::Triggered)], hand_off(Some("yours"))).await;

        let [Outcome::Partly { done, failed }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
        assert_eq!(done.as_str(), known);
        assert!(failed.as_str().contains("too many notes"), "{failed}");
    }
}

#[tokio::test]
async fn who_may_only_look_cannot_act() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    desk.people.set(&[named("alice", "alice@x.org")]);
    let bob = caller(BOB, "bob");
    let act = Request::Act {
        targets: vec![target("P1", Status::Triggered)],
        verb: Verb::Resolve { note: None },
        undoable: false,
    };
    let save = Request::SaveTemplate { name: "x".into(), text: "x".into(), base: None };

    for request in [act, save] {
        let refusal = desk.answer(&bob, request).await.expect_err("refused");
        assert!(refusal.starts_with("you may look, not act: bob (uid 4000002) is no [[person]]"), "{refusal}");
    }

    assert_eq!(fake.writes(), 0);
    assert!(desk.store.read(|reader| reader.actions(1)).await.expect("read").is_empty());
    assert!(desk.library.read("x").is_err());
    let looks = [
        Request::Detail { key: key("P1") },
        Request::Deliveries { before: DeliveryId(9), limit: 9 },
        Request::Actions { limit: 9 },
        Request::Refresh,
    ];
    for request in looks {
        desk.answer(&bob, request).await.expect("looked");
    }
}

#[tokio::test]
async fn an_action_goes_out_in_the_name_of_who_asked_and_is_written_down_so() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    desk.people.set(&[named("alice", "alice@x.org"), named("bob", "bob@x.org")]);
    for (uid, login, seen, verb) in [
        (ALICE, "alice", Status::Triggered, Verb::Acknowledge),
        (BOB, "bob", Status::Acknowledged, Verb::Resolve { note: None }),
    ] {
        let request = Request::Act { targets: vec![target("P1", seen)], verb, undoable: false };
        desk.answer(&caller(uid, login), request).await.expect("accepted");
        desk.under_way.close();
        desk.under_way.wait().await;
        desk.under_way.reopen();
    }

    let kept = desk.store.read(|reader| reader.actions(9)).await.expect("read");

    let name = |email: &str| Some(email.to_owned());
    assert_eq!(fake.names(), [name("alice@x.org"), name("bob@x.org")]);
    let by = |login: &str, uid, email: &str| By { actor: login.into(), uid: Some(uid), name: Some(email.into()) };
    let kept: Vec<By> = kept.into_iter().map(|action| action.by).collect();
    assert_eq!(kept, [by("bob", BOB, "bob@x.org"), by("alice", ALICE, "alice@x.org")]);
}

#[tokio::test]
async fn the_token_of_a_person_that_cannot_be_read_sends_nothing_with_anothers() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let token = SecretRef::Env { variable: "DOGWATCH_NO_SUCH_VARIABLE".into() };
    desk.people.set(&[PersonSettings { acts: Acts::With { token }, ..named("alice", "") }]);

    let request = Request::Act {
        targets: vec![target("P1", Status::Triggered)],
        verb: Verb::Resolve { note: None },
        undoable: false,
    };
    desk.answer(&caller(ALICE, "alice"), request).await.expect("accepted");
    desk.under_way.close();
    desk.under_way.wait().await;

    let outcome = desk.hub.look(|board| board.actions[0].outcomes[0].1.clone());
    assert!(matches!(&outcome, Outcome::Failed { reason } if reason.as_str().contains("is not set")), "{outcome:?}");
    assert_eq!(fake.writes(), 0);
}

#[tokio::test]
async fn what_somebody_changed_after_a_lost_answer_is_not_said_to_be_undone() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    let lost = ProviderError::TimedOut { address: "fake".into(), within: Duration::from_secs(15) };
    fake.spoil_next_write(Spoil::Overtaken(Status::Resolved, lost));

    let outcomes = act(&desk, vec![target("P1", Status::Triggered)], Verb::Acknowledge).await;

    let [Outcome::Unknown { reason }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(reason.as_str().contains("changed meanwhile"), "{reason}");
}

#[tokio::test]
async fn what_the_last_look_could_not_see_is_not_said_to_be_undone() {
    for verb in [Verb::Acknowledge, Verb::Note { text: "on it".into() }] {
        let Setup { fake, desk, _dir } = setup();
        fake.put("P1", Status::Triggered, 0);
        fake.spoil_next_write(Spoil::Silence);
        // The provider is slow: it may carry it out after the one look that was answered.
        let before = if matches!(verb, Verb::Note { .. }) { 2 } else { 1 };
        let broken = ProviderError::Broken { status: 500, reason: "oops".into() };
        fake.fail_reads_after(before + 1, broken, 2);

        let outcomes = act(&desk, vec![target("P1", Status::Triggered)], verb).await;

        assert!(matches!(outcomes.as_slice(), [Outcome::Unknown { .. }]), "{outcomes:?}");
    }
}

#[tokio::test]
async fn after_a_crash_what_was_sent_is_read_back_and_what_was_not_is_left() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Resolved, 0);
    fake.put("P2", Status::Triggered, 0);
    let keys = vec![key("P1"), key("P2")];
    let by = By { actor: "alice".into(), uid: None, name: None };
    let mut action =
        desk.store.new_action(jiff::Timestamp::now(), by, Verb::Resolve { note: None }, keys).await.expect("row");
    action.outcomes[0].1 = Outcome::Sent;
    desk.hub.publish(Change::Action(Box::new(action.clone())));

    settle(Arc::clone(&desk), vec![action]).await;

    let outcomes = desk.hub.look(|b| b.actions[0].outcomes.clone());
    assert!(matches!(outcomes[0].1, Outcome::Confirmed { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[1].1, Outcome::Failed { .. }), "{outcomes:?}");
    assert_eq!(fake.writes(), 0);
}

#[tokio::test]
async fn after_a_crash_with_a_clock_far_ahead_what_was_done_since_is_looked_for_by_the_provider_s_clock() {
    let Setup { fake, desk, _dir } = setup();
    let by = By { actor: "alice".into(), uid: None, name: None };
    let verb = Verb::Note { text: "seen".into() };
    let action = desk.store.new_action(jiff::Timestamp::now(), by, verb, vec![key("P1")]).await.expect("row");

    for (apart, earlier) in [(0, 30), (-600, 630), (600, 30)] {
        fake.set_clock_apart(apart);
        let since = asked_at(&fake, &action, &key("P1")).await;
        assert_eq!(action.at.duration_since(since).as_secs(), earlier, "{apart}");
    }
}

/// The incident as an unsigned webhook tells of it, later than everything the provider says.
fn hint(fake: &Fake, status: Status) -> Observation {
    let mut seen = fake.put("P1", Status::Triggered, 0);
    seen.state.status = status;
    seen.stamp.at = jiff::Timestamp::MAX;
    let received = seen.stamp.asked.checked_sub(jiff::SignedDuration::from_millis(1)).expect("small");
    Observation { extra: None, ..seen }.unsigned(received)
}

fn every_verb() -> [Verb; 4] {
    [Verb::Acknowledge, Verb::Resolve { note: None }, hand_off(Some("yours")), Verb::Note { text: "seen".into() }]
}

#[tokio::test]
async fn what_nobody_signed_is_confirmed_by_the_provider_before_anything_is_sent() {
    for verb in every_verb() {
        let Setup { fake, desk, _dir } = setup();
        desk.observe(&hint(&fake, Status::Triggered)).await;
        assert!(desk.hub.look(|board| board.incidents[&key("P1")].is_unconfirmed()));

        let outcomes = act(&desk, vec![target("P1", Status::Triggered)], verb.clone()).await;

        assert!(matches!(outcomes.as_slice(), [Outcome::Confirmed { .. }]), "{verb:?}: {outcomes:?}");
        assert!(!desk.hub.look(|board| board.incidents[&key("P1")].is_unconfirmed()), "{verb:?}");
    }
}

#[tokio::test]
async fn a_lie_that_nobody_signed_leads_to_no_action() {
    for verb in [Verb::Resolve { note: None }, hand_off(None)] {
        let Setup { fake, desk, _dir } = setup();
        desk.observe(&hint(&fake, Status::Acknowledged)).await;

        let outcomes = act(&desk, vec![target("P1", Status::Acknowledged)], verb.clone()).await;

        assert!(matches!(outcomes.as_slice(), [Outcome::Conflict { now: Status::Triggered, .. }]), "{outcomes:?}");
        assert_eq!(fake.writes(), 0, "{verb:?}");
        assert_eq!(desk.hub.look(|board| board.incidents[&key("P1")].state.status), Status::Triggered);
    }
}

#[tokio::test]
async fn while_the_provider_cannot_confirm_it_nothing_is_sent() {
    for verb in every_verb() {
        let Setup { fake, desk, _dir } = setup();
        desk.observe(&hint(&fake, Status::Triggered)).await;
        fake.fail_reads(ProviderError::NotFound { what: "P1".into() }, 9);

        let outcomes = act(&desk, vec![target("P1", Status::Triggered)], verb.clone()).await;

        let [Outcome::Failed { reason }] = outcomes.as_slice() else { panic!("{verb:?}: {outcomes:?}") };
        assert!(reason.as_str().starts_with("not sent, because the incident could not be looked at first"), "{reason}");
        assert_eq!(fake.writes(), 0);
        assert!(desk.hub.look(|board| board.incidents[&key("P1")].is_unconfirmed()));
    }
}

#[tokio::test]
async fn an_account_that_only_receives_says_so_instead_of_acting() {
    for verb in every_verb() {
        let Setup { fake, desk, _dir } = setup();
        desk.accounts.set([Arc::new(crate::server::account::Account::new(fake::settings(), &desk.calls))]);
        desk.observe(&hint(&fake, Status::Triggered)).await;

        let outcomes = act(&desk, vec![target("P1", Status::Triggered)], verb).await;

        let [Outcome::Failed { reason }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
        assert_eq!(reason.as_str(), "no token is configured for this account, so it can only receive webhooks");
    }
}

const NONE: Outcome = Outcome::Confirmed { notice: None };

#[tokio::test]
async fn many_go_out_by_one_request_and_each_gets_its_own_outcome() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2", "P3"] {
        fake.put(id, Status::Triggered, 0);
    }
    fake.put("P4", Status::Resolved, 0);

    let targets = ["P1", "P2", "P3", "P4"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    assert_eq!(outcomes[..3], [NONE, NONE, NONE]);
    assert!(matches!(outcomes[3], Outcome::Conflict { now: Status::Resolved, .. }), "{outcomes:?}");
    assert_eq!(fake.requests(), [["P1", "P2", "P3"].map(|id| key(id).id)]);
}

#[tokio::test]
async fn one_that_spoils_a_request_for_many_spoils_only_itself() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2", "P3"] {
        fake.put(id, Status::Triggered, 0);
    }
    fake.refuse_among_many("P2");
    let forbidden = ProviderError::Forbidden { reason: "not your team".into() };
    // After the request for all come those for each, of which the second is refused again.
    fake.spoil_next_write(Spoil::Not);
    fake.spoil_next_write(Spoil::Error(forbidden));

    let targets = ["P1", "P2", "P3"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    assert_eq!((&outcomes[0], &outcomes[2]), (&NONE, &NONE));
    assert!(matches!(&outcomes[1], Outcome::Failed { reason } if reason.as_str().contains("not your team")));
    assert_eq!((fake.status("P1"), fake.status("P2")), (Status::Acknowledged, Status::Triggered));
}

#[tokio::test]
async fn many_whose_answer_is_lost_are_read_back_one_by_one() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.put("P2", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::AnswerLost);

    let targets = ["P1", "P2"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    let read_back =
        |o: &Outcome| matches!(o, Outcome::Confirmed { notice: Some(notice) } if notice.as_str().contains("read back"));
    assert!(outcomes.iter().all(read_back), "{outcomes:?}");
    assert_eq!(fake.writes(), 1);
}

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
