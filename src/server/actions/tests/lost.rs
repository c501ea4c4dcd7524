//! Answers that are lost: what stood so before is not taken for what was done.

use super::*;
use crate::server::account::Account;

fn hand_to(name: &str) -> Verb {
    Verb::HandOff { to: Assignee::User(person(name)), note: None }
}

fn unknown(outcomes: &[Outcome]) -> &str {
    let [Outcome::Unknown { reason }] = outcomes else { panic!("{outcomes:?}") };
    reason.as_str()
}

#[tokio::test]
async fn a_lost_hand_off_to_one_of_two_is_not_done_while_both_have_it() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P5", Status::Triggered, 0);
    fake.assign("P5", &["alice", "bob"]);
    fake.spoil_next_write(Spoil::Silence);
    let seen = Target { assignees: vec![person("alice").id, person("bob").id], ..target("P5", Status::Triggered) };

    let outcomes = act(&desk, vec![seen], hand_to("alice")).await;

    let [Outcome::Failed { reason }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(reason.as_str().contains("not done"), "{reason}");
}

#[tokio::test]
async fn a_lost_hand_off_to_whoever_has_it_already_is_not_known_to_be_done() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P5", Status::Triggered, 0);
    fake.assign("P5", &["alice"]);
    fake.spoil_next_write(Spoil::Silence);

    let outcomes = act(&desk, vec![target("P5", Status::Triggered)], hand_to("alice")).await;

    assert!(unknown(&outcomes).contains("with alice, as it was before"), "{outcomes:?}");
}

#[tokio::test]
async fn a_lost_acknowledge_of_what_somebody_else_acknowledged_is_not_known_to_be_done() {
    let Setup { fake, desk, _dir } = setup();
    fake.put_acknowledged("P6", "bob", jiff::Timestamp::now());
    fake.spoil_next_write(Spoil::Silence);

    let outcomes = act(&desk, vec![target("P6", Status::Acknowledged)], Verb::Acknowledge).await;

    assert!(unknown(&outcomes).contains("acknowledged by bob, and no new acknowledgement by alice"), "{outcomes:?}");
}

#[tokio::test]
async fn a_lost_acknowledge_that_put_our_name_beside_anothers_is_found() {
    let Setup { fake, desk, _dir } = setup();
    fake.put_acknowledged("P6", "bob", jiff::Timestamp::now());
    fake.spoil_next_write(Spoil::AnswerLost);

    let outcomes = act(&desk, vec![target("P6", Status::Acknowledged)], Verb::Acknowledge).await;

    assert!(matches!(outcomes.as_slice(), [Outcome::Confirmed { notice: Some(_) }]), "{outcomes:?}");
}

#[tokio::test]
async fn what_the_provider_does_not_tell_the_acknowledgers_of_was_acknowledged_if_it_was_not_so_before() {
    for (before, known) in [(Status::Triggered, true), (Status::Acknowledged, false)] {
        let Setup { fake, desk, _dir } = setup();
        fake.put("P6", before, 0);
        let lost = ProviderError::TimedOut { address: "fake".into(), within: Duration::from_secs(15) };
        fake.spoil_next_write(Spoil::Overtaken(Status::Acknowledged, lost));

        let outcomes = act(&desk, vec![target("P6", before)], Verb::Acknowledge).await;

        assert_eq!(matches!(outcomes.as_slice(), [Outcome::Confirmed { .. }]), known, "{outcomes:?}");
        assert_eq!(matches!(outcomes.as_slice(), [Outcome::Unknown { .. }]), !known, "{outcomes:?}");
    }
}

#[tokio::test]
async fn after_a_crash_the_acknowledge_before_a_snooze_that_did_not_come_is_told() {
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    for (name, word) in [("alice", "partly done"), ("bob", "unknown")] {
        let Setup { fake, desk, _dir } = setup();
        let by = By { actor: "alice".into(), uid: None, name: None };
        let verb = Verb::Snooze { until };
        let mut action = desk.store.new_action(jiff::Timestamp::now(), by, verb, vec![key("P1")]).await.expect("row");
        action.outcomes[0].1 = Outcome::Sent;
        desk.hub.publish(Change::Action(Box::new(action.clone())));
        fake.put_acknowledged("P1", name, action.at);

        settle(Arc::clone(&desk), vec![action]).await;

        let outcome = desk.hub.look(|board| board.actions[0].outcomes[0].1.clone());
        assert_eq!(outcome.word(), word, "{outcome:?}");
        if let Outcome::Partly { done, failed } = &outcome {
            assert_eq!(done.as_str(), "acknowledged");
            assert!(failed.as_str().starts_with("the snooze: "), "{failed}");
        }
    }
}

#[tokio::test]
async fn after_a_crash_what_somebody_else_acknowledged_is_not_taken_for_ours() {
    for (name, word) in [("alice", "confirmed"), ("bob", "unknown")] {
        let Setup { fake, desk, _dir } = setup();
        let by = By { actor: "alice".into(), uid: None, name: None };
        let at = jiff::Timestamp::now();
        let mut action = desk.store.new_action(at, by, Verb::Acknowledge, vec![key("P1")]).await.expect("row");
        action.outcomes[0].1 = Outcome::Sent;
        desk.hub.publish(Change::Action(Box::new(action.clone())));
        fake.put_acknowledged("P1", name, action.at);

        settle(Arc::clone(&desk), vec![action]).await;

        assert_eq!(desk.hub.look(|board| board.actions[0].outcomes[0].1.word()), word);
    }
}

#[tokio::test]
async fn after_a_crash_who_acted_is_asked_for_once_and_by_the_settings() {
    // At two accounts it was in two names.
    for (said, word) in [("alice@example.com, alice@other.example", "confirmed"), ("former@example.com", "unknown")] {
        let Setup { fake, desk, _dir } = setup();
        desk.people.set(&[named("alice", "alice@example.com")]);
        let by = By { actor: "alice".into(), uid: Some(4_000_001), name: Some(said.into()) };
        let (at, keys) = (jiff::Timestamp::now(), ["P1", "P2"].map(key).to_vec());
        let mut action = desk.store.new_action(at, by, Verb::Acknowledge, keys).await.expect("row");
        action.outcomes.iter_mut().for_each(|(_, outcome)| *outcome = Outcome::Sent);
        desk.hub.publish(Change::Action(Box::new(action.clone())));
        for id in ["P1", "P2"] {
            fake.put_acknowledged(id, "alice", action.at);
        }

        settle(Arc::clone(&desk), vec![action]).await;

        assert_eq!(desk.hub.look(words), [word; 2]);
        assert_eq!(fake.identities(), usize::from(word == "confirmed"));
    }
}

#[tokio::test]
async fn after_a_crash_a_provider_that_is_out_of_reach_is_waited_for() {
    const PAUSES: &[Duration] = &[Duration::ZERO, Duration::ZERO];
    let Setup { fake, mut desk, _dir } = setup();
    Arc::get_mut(&mut desk).expect("alone").read_back = PAUSES;
    fake.put("P1", Status::Resolved, 0);
    let action = sent(&desk, &["P1"]).await;
    let away = ProviderError::Unreachable { address: "fake".into(), cause: "no route".into(), maybe_sent: false };
    fake.fail_reads(away, 10);

    settle(Arc::clone(&desk), vec![action]).await;

    assert_eq!(desk.hub.look(words), ["confirmed"]);
}

#[tokio::test]
async fn after_a_crash_it_is_read_back_by_the_settings_of_the_moment() {
    const PAUSES: &[Duration] = &[Duration::ZERO, Duration::from_millis(1)];
    let revoked = ProviderError::Unauthorised { advice: "revoked".into() };
    let away = ProviderError::Unreachable { address: "fake".into(), cause: "no route".into(), maybe_sent: false };
    // Before it has answered at all, and while it is read back.
    for (gone, there) in [(away, "http://127.0.0.1:2"), (revoked, fake::settings().base_url.as_str())] {
        let Setup { fake, mut desk, _dir } = setup();
        Arc::get_mut(&mut desk).expect("alone").read_back = PAUSES;
        let action = sent(&desk, &["P1"]).await;
        if matches!(gone, ProviderError::Unauthorised { .. }) {
            fake.set_clock_apart(0);
        }
        fake.fail_reads(gone.clone(), usize::MAX);
        let settling = tokio::spawn(settle(Arc::clone(&desk), vec![action]));
        while fake.asked().1 == 0 {
            tokio::task::yield_now().await;
        }

        let anew = Fake::default();
        anew.put("P1", Status::Resolved, 0);
        let settings = crate::config::AccountSettings { base_url: there.to_owned(), ..fake::settings() };
        desk.accounts.set([Arc::new(Account::with_provider(settings, Arc::new(anew)))]);
        settling.await.expect("settled");

        assert_eq!(desk.hub.look(words), ["confirmed"], "{gone}");
    }
}

#[tokio::test]
async fn after_a_crash_an_account_that_does_not_answer_keeps_nothing_of_another_from_being_settled() {
    let Setup { fake, desk, _dir } = setup();
    let ids: Vec<String> = (0..READ_AT_ONCE).map(|n| format!("P{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let _never: Vec<_> = ids.iter().map(|id| fake.slow(id, id)).collect();
    let (there, name) = (Fake::default(), crate::core::id::AccountName::new("zeta").expect("name"));
    there.put("P1", Status::Resolved, 0);
    let settings = crate::config::AccountSettings { name: name.clone(), ..fake::settings() };
    let known = desk.accounts.get(&key("P1").account).expect("ours");
    desk.accounts.set([known, Arc::new(Account::with_provider(settings, Arc::new(there)))]);
    let (first, mut second) = (sent(&desk, &ids).await, sent(&desk, &["P1"]).await);
    second.outcomes[0].0.account = name;
    desk.hub.publish(Change::Action(Box::new(second.clone())));
    let (_, mut feed) = desk.hub.subscribe();

    let settling = tokio::spawn(settle(Arc::clone(&desk), vec![first, second]));

    let settled = async {
        while desk.hub.look(|board| words(board)[0] == "sent") {
            feed.recv().await.expect("change");
        }
    };
    let deadline = tokio::time::timeout(Duration::from_secs(10), settled).await;
    assert!(deadline.is_ok(), "{:?}", desk.hub.look(|board| board.actions[0].clone()));
    assert_eq!(desk.hub.look(|board| words(board)[..2].to_vec()), ["confirmed", "sent"]);
    settling.abort();
}

#[tokio::test]
async fn after_a_crash_what_was_never_sent_is_told_before_anything_is_read_back() {
    let Setup { fake, desk, _dir } = setup();
    let ids: Vec<String> = (0..READ_AT_ONCE).map(|n| format!("P{n}")).collect();
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let _never: Vec<_> = ids.iter().map(|id| fake.slow(id, id)).collect();
    ids.push("Q1");
    let mut action = sent(&desk, &ids).await;
    action.outcomes[READ_AT_ONCE].1 = Outcome::Pending { waits_for: None };
    desk.hub.publish(Change::Action(Box::new(action.clone())));

    let settling = tokio::spawn(settle(Arc::clone(&desk), vec![action]));
    while fake.asked().1 < READ_AT_ONCE {
        tokio::task::yield_now().await;
    }

    let told = desk.hub.look(|board| board.actions[0].outcomes[READ_AT_ONCE].1.clone());
    assert_eq!(told, Outcome::Failed { reason: "dogwatch ended before this was sent".into() });
    settling.abort();
}

#[tokio::test]
async fn a_mistake_of_ours_is_told_of_what_it_leaves_open() {
    let Setup { fake: _fake, desk, _dir } = setup();
    let mut action = sent(&desk, &["P1", "P2", "P3"]).await;
    action.outcomes[0].1 = Outcome::Pending { waits_for: None };
    action.outcomes[1].1 = NONE;
    desk.hub.publish(Change::Action(Box::new(action.clone())));
    let keys: Vec<IncidentKey> = action.outcomes.iter().map(|(key, _)| key.clone()).collect();

    ended_well(&desk, action.id, &action.verb, &keys, async { panic!("a mistake") }).await;

    assert_eq!(desk.hub.look(words), ["failed", "confirmed", "unknown"]);
}

#[tokio::test]
async fn a_snooze_is_confirmed_though_the_clocks_are_far_apart() {
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    for apart in [-600, 600] {
        for spoil in [Spoil::Not, Spoil::AnswerLost] {
            let Setup { fake, desk, _dir } = setup();
            fake.set_clock_apart(apart);
            fake.put("P1", Status::Acknowledged, 0);
            fake.spoil_next_write(spoil);

            let outcomes = act(&desk, vec![target("P1", Status::Acknowledged)], Verb::Snooze { until }).await;

            assert!(matches!(outcomes.as_slice(), [Outcome::Confirmed { .. }]), "{apart}: {outcomes:?}");
        }
    }
}

#[tokio::test]
async fn a_lost_snooze_until_when_it_was_snoozed_already_is_not_known_to_be_done() {
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Acknowledged, 0);
    let snooze = || act(&desk, vec![target("P1", Status::Acknowledged)], Verb::Snooze { until });
    assert_eq!(snooze().await, [NONE]);
    fake.spoil_next_write(Spoil::Silence);

    let outcomes = snooze().await;

    assert!(unknown(&outcomes).contains("snoozed until then, as it was before"), "{outcomes:?}");
}

#[tokio::test]
async fn who_acts_is_asked_once_however_many_are_read_back() {
    let Setup { fake, desk, _dir } = setup();
    let ids = ["P1", "P2", "P3"];
    for id in ids {
        fake.put_acknowledged(id, "bob", jiff::Timestamp::now());
    }
    fake.spoil_next_write(Spoil::Silence);

    let outcomes = act(&desk, ids.map(|id| target(id, Status::Acknowledged)).to_vec(), Verb::Acknowledge).await;

    assert!(outcomes.iter().all(|one| matches!(one, Outcome::Unknown { .. })), "{outcomes:?}");
    assert_eq!(fake.identities(), 1);
}
