//! What becomes of actions on a provider whose answers are spoiled.

mod create;
mod lost;
mod many;
mod meanwhile;
mod simulated;
mod steps;
mod turns;
mod undo;

use super::{read_back::asked_at, *};
use crate::{
    config::{Acts, PersonSettings, SecretRef, User},
    core::{
        action::{Assignee, By, Edit, NewIncident, Target},
        board::Board,
        id::{AlertId, DeliveryId, IncidentId, ServiceId, WorkflowId},
        incident::{Named, Observation, Status, Urgency},
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

    let [Outcome::Conflict { now: Status::Resolved, reason, .. }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
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

    let [Outcome::Conflict { reason, assignees, .. }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(
        (reason.as_str(), assignees.as_slice()),
        ("it was assigned to alice meanwhile", &[person("alice").id][..])
    );
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

    let [Outcome::Conflict { now: Status::Resolved, reason, .. }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
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

/// A row of an earlier owner, whose end came while it was on its way.
async fn sent(desk: &Desk, ids: &[&str]) -> Action {
    let keys = ids.iter().map(|id| key(id)).collect();
    let by = By { actor: "alice".into(), uid: None, name: None };
    let verb = Verb::Resolve { note: None };
    let mut action = desk.store.new_action(jiff::Timestamp::now(), by, verb, keys).await.expect("row");
    action.outcomes.iter_mut().for_each(|(_, outcome)| *outcome = Outcome::Sent);
    desk.hub.publish(Change::Action(Box::new(action.clone())));
    action
}

/// Of each outcome, the newest action first.
fn words(board: &Board) -> Vec<&'static str> {
    board.actions.iter().flat_map(|action| &action.outcomes).map(|(_, outcome)| outcome.word()).collect()
}

#[tokio::test]
async fn after_a_crash_one_that_takes_long_to_tell_keeps_no_other_from_being_settled() {
    const PAUSES: &[Duration] = &[Duration::ZERO, Duration::from_hours(1)];
    let Setup { fake, mut desk, _dir } = setup();
    Arc::get_mut(&mut desk).expect("alone").read_back = PAUSES;
    fake.put("P1", Status::Triggered, 0);
    for id in ["P2", "P3"] {
        fake.put(id, Status::Resolved, 0);
    }
    let first = sent(&desk, &["P1", "P2"]).await;
    let second = sent(&desk, &["P3"]).await;
    let (_, mut feed) = desk.hub.subscribe();

    let settling = tokio::spawn(settle(Arc::clone(&desk), vec![first, second]));

    let settled = async {
        while desk.hub.look(words) != ["confirmed", "sent", "confirmed"] {
            feed.recv().await.expect("change");
        }
    };
    let deadline = tokio::time::timeout(Duration::from_secs(10), settled).await;
    assert!(deadline.is_ok(), "{:?}", desk.hub.look(|board| board.actions.clone()));
    settling.abort();
}

#[tokio::test]
async fn after_a_crash_with_a_clock_far_ahead_what_was_done_since_is_looked_for_by_the_provider_s_clock() {
    let Setup { fake, desk, _dir } = setup();
    let by = By { actor: "alice".into(), uid: None, name: None };
    let verb = Verb::Note { text: "seen".into() };
    let action = desk.store.new_action(jiff::Timestamp::now(), by, verb, vec![key("P1")]).await.expect("row");

    for (apart, earlier) in [(0, 30), (-600, 630), (600, -570)] {
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
