//! What the escalation clock promises.

use proptest::prelude::*;

use super::*;
use crate::core::{
    freshness::tests::account,
    id::{AccountName, IncidentId, IncidentKey},
    incident::{Observation, Pending, Stamp},
    oncall::{OnCall, Schedule, Shift},
};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + 60 * minute).expect("small")
}

fn user(name: &str) -> Named<UserId> {
    Named { id: UserId::new(name).expect("id"), name: name.into() }
}

fn named_policy() -> Named<PolicyId> {
    Named { id: PolicyId::new("E1").expect("id"), name: "Payments".into() }
}

fn named_schedule() -> Named<ScheduleId> {
    Named { id: ScheduleId::new("S1").expect("id"), name: "Primary".into() }
}

/// Level 1: ann until minute 60, then bob. Level 2: carol. Level 3: dan.
fn board(repeats: u32) -> AccountBoard {
    let rule = |delay, responder| Rule { delay, responders: vec![responder] };
    let rules = vec![
        rule(5, Responder::Schedule(named_schedule())),
        rule(10, Responder::User(user("carol"))),
        rule(15, Responder::User(user("dan"))),
    ];
    let shift = |from, to, name| Shift { start: at(from), end: at(to), user: user(name), from_override: false };
    let on = |level, name, end| OnCall {
        policy: named_policy(),
        level,
        user: user(name),
        schedule: (level == 1).then(named_schedule),
        start: None,
        end,
    };
    AccountBoard {
        account: account("prod"),
        oncalls: vec![on(1, "ann", Some(at(60))), on(2, "carol", None), on(3, "dan", None)],
        schedules: vec![Schedule {
            schedule: named_schedule(),
            zone: "UTC".into(),
            shifts: vec![shift(0, 60, "ann"), shift(60, 120, "bob")],
            from: at(0),
            to: at(180),
        }],
        escalation: vec![Policy { policy: named_policy(), rules, repeats }],
        ..AccountBoard::of(account("prod"))
    }
}

fn triggered(who: &str) -> State {
    State {
        status: Status::Triggered,
        urgency: Urgency::High,
        title: "disk full".into(),
        number: None,
        priority: None,
        service: None,
        escalation_policy: Some(named_policy()),
        assignees: vec![user(who)],
        teams: vec![],
        created_at: at(10),
        url: None,
        dedup_key: None,
    }
}

fn incident(state: State, extra: Option<Extra>) -> Incident {
    let key = IncidentKey { account: AccountName::new("prod").expect("id"), id: IncidentId::new("P1").expect("id") };
    let stamp = if extra.is_some() { Stamp::rest(at(10), at(10)) } else { Stamp::push(at(10)) };
    Incident::first(Observation { key, stamp, state, extra })
}

fn assigned(minute: i64) -> Extra {
    Extra { assigned_at: Some(at(minute)), via: Some(Via::EscalationPolicy), ..Extra::default() }
}

fn escalating(minute: i64) -> Extra {
    Extra { pending: vec![Pending { what: "escalate".into(), at: at(minute) }], ..assigned(10) }
}

fn told(incident: &Incident, board: &AccountBoard, minute: i64) -> String {
    long(&outlook(incident, board, at(minute)), "Payments", at(minute), None)
}

#[test]
fn the_providers_own_word_is_told_as_it_is() {
    let seen = incident(triggered("ann"), Some(escalating(15)));

    assert_eq!(told(&seen, &board(0), 11), "in 4 min: carol (L2 of Payments)");
    assert_eq!(told(&seen, &board(0), 15), "any moment: carol (L2 of Payments)");
    assert_eq!(short(&outlook(&seen, &board(0), at(11)), at(11), None), "4m carol");
}

#[test]
fn without_it_the_rules_and_the_last_assignment_tell_about_when() {
    let seen = incident(triggered("carol"), Some(assigned(20)));

    assert_eq!(told(&seen, &board(0), 23), "in about 7 min: dan (L3 of Payments)");
    assert_eq!(short(&outlook(&seen, &board(0), at(23)), at(23), None), "~7m dan");
    assert!(told(&seen, &board(0), 30).starts_with("not known: it should have escalated by now"));
}

#[test]
fn from_the_last_level_it_starts_again_or_ends_or_that_is_not_known() {
    let last = incident(triggered("dan"), Some(assigned(20)));
    assert!(told(&last, &board(0), 21).starts_with("nobody: the last level was called"));
    assert!(told(&last, &board(2), 21).starts_with("not known: the last level was called"));

    let again = incident(triggered("dan"), Some(escalating(65)));
    assert_eq!(told(&again, &board(2), 61), "in 4 min: bob (L1 of Payments)");
}

#[test]
fn whoever_has_the_shift_by_then_is_named_and_a_gap_is_told_loudly() {
    let late = Extra { assigned_at: Some(at(20)), ..escalating(130) };
    let dan = incident(triggered("dan"), Some(late));

    assert_eq!(told(&dan, &board(1), 125), "in 5 min: ! nobody is on call at L1 of Payments");
    let beyond = incident(triggered("dan"), Some(Extra { ..escalating(500) }));
    assert!(told(&beyond, &board(1), 125).ends_with(": who that is is not known"));
}

#[test]
fn what_does_not_escalate_is_said_with_the_reason() {
    let direct = Extra { via: Some(Via::Direct), ..assigned(10) };
    assert!(told(&incident(triggered("zoe"), Some(direct)), &board(0), 11).contains("assigned directly"));
    let low = State { urgency: Urgency::Low, ..triggered("ann") };
    assert!(told(&incident(low, Some(assigned(10))), &board(0), 11).contains("low urgency"));
    let acked = State { status: Status::Acknowledged, ..triggered("ann") };
    assert!(told(&incident(acked, Some(escalating(15))), &board(0), 11).contains("acknowledged"));
}

#[test]
fn webhooks_alone_tell_of_the_first_level_only() {
    assert_eq!(told(&incident(triggered("ann"), None), &board(0), 12), "in about 3 min: carol (L2 of Payments)");
    assert!(told(&incident(triggered("ann"), None), &board(0), 16).starts_with("not known: webhooks do not tell"));
    assert!(told(&incident(triggered("carol"), None), &board(0), 12).starts_with("not known: webhooks do not tell"));
}

#[test]
fn who_is_on_several_levels_or_on_none_is_not_guessed_at() {
    let mut twice = board(0);
    twice.escalation[0].rules[2].responders.push(Responder::User(user("carol")));
    assert!(told(&incident(triggered("carol"), Some(assigned(20))), &twice, 21).contains("not on call on just one"));
    assert!(told(&incident(triggered("zoe"), Some(assigned(20))), &board(0), 21).contains("not on call on just one"));
    let strange = AccountBoard { escalation: vec![], ..board(0) };
    assert!(told(&incident(triggered("ann"), Some(assigned(20))), &strange, 21).contains("rules of its policy"));
}

fn any_extra() -> impl Strategy<Value = Option<Extra>> {
    let pending = proptest::option::of(-10..300i64);
    let via = prop_oneof![Just(None), Just(Some(Via::EscalationPolicy)), Just(Some(Via::Direct))];
    let extra = (pending, proptest::option::of(-10..300i64), via).prop_map(|(pending, assigned_at, via)| Extra {
        pending: pending.map(|minute| Pending { what: "escalate".into(), at: at(minute) }).into_iter().collect(),
        assigned_at: assigned_at.map(at),
        via,
        ..Extra::default()
    });
    proptest::option::of(extra)
}

fn any_incident() -> impl Strategy<Value = Incident> {
    let status = prop_oneof![Just(Status::Triggered), Just(Status::Acknowledged), Just(Status::Resolved)];
    let people = proptest::sample::subsequence(vec!["ann", "bob", "carol", "dan", "zoe"], 0..3);
    (status, any::<bool>(), people, any_extra()).prop_map(|(status, low, people, extra)| {
        let urgency = if low { Urgency::Low } else { Urgency::High };
        let assignees = people.into_iter().map(user).collect();
        incident(State { status, urgency, assignees, ..triggered("ann") }, extra)
    })
}

proptest! {
    #[test]
    fn certain_is_only_what_the_provider_said_and_what_it_said_is_always_told(
        seen in any_incident(), now in -20..400i64, repeats in 0..3u32
    ) {
        let said = seen.extra().and_then(escalates_at).filter(|_| seen.state.status == Status::Triggered);

        let outlook = outlook(&seen, &board(repeats), at(now));

        let certain = match &outlook {
            Outlook::Pages { when: When::At(at), .. } => Some(*at),
            Outlook::Pages { when: When::About(_), .. } | Outlook::Nobody(_) | Outlook::NotKnown(_) => None,
        };
        prop_assert_eq!(certain, said);
    }

    #[test]
    fn what_is_expected_lies_ahead_and_names_only_who_is_on_call_by_then(
        seen in any_incident(), now in -20..400i64, repeats in 0..3u32
    ) {
        let board = board(repeats);

        let outlook = outlook(&seen, &board, at(now));

        if let Outlook::Pages { when, whom } = &outlook {
            if let When::About(when) = when {
                prop_assert!(*when > at(now));
                prop_assert_eq!(seen.state.urgency, Urgency::High);
            }
            if let Whom::People { level, people } = whom {
                let called = people_at(&board, &board.escalation[0], *level, when.at()).expect("known");
                prop_assert_eq!(people, &called);
            }
        }
        if seen.state.status != Status::Triggered {
            prop_assert!(matches!(outlook, Outlook::Nobody(_)));
        }
    }

    #[test]
    fn words_are_found_for_everything(seen in any_incident(), now in -20..400i64) {
        let outlook = outlook(&seen, &board(1), at(now));

        prop_assert!(!long(&outlook, "Payments", at(now), None).is_empty());
        prop_assert_eq!(short(&outlook, at(now), None).is_empty(), seen.state.status != Status::Triggered);
    }
}
