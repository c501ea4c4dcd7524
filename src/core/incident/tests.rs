//! One incident, whatever order its observations come in.

use super::*;
use crate::core::id::{AccountName, IncidentId};
use proptest::prelude::*;

pub(in crate::core) fn observation(status: Status, stamp: Stamp, title: &str) -> Observation {
    Observation {
        key: IncidentKey { account: AccountName::new("prod").expect("id"), id: IncidentId::new("P1").expect("id") },
        stamp,
        state: State {
            status,
            urgency: Urgency::High,
            title: Shown::line(title),
            number: Some(1),
            priority: None,
            service: None,
            escalation_policy: None,
            assignees: vec![],
            teams: vec![],
            created_at: Timestamp::UNIX_EPOCH,
            url: None,
            dedup_key: None,
        },
        extra: (stamp.source == Source::Rest).then(Extra::default),
    }
}

fn with_alerts(alerts: u32, seen: Observation) -> Observation {
    let of = seen.state.gist();
    Observation { extra: Some(Extra { alerts: Some((alerts, 0)), of, ..Extra::default() }), ..seen }
}

#[test]
fn who_is_on_call_has_something_to_do_until_it_is_resolved() {
    let all = [Status::Triggered, Status::Acknowledged, Status::Resolved];

    assert_eq!(all.map(Status::is_open), [true, true, false]);
}

#[test]
fn a_difference_is_told_in_words() {
    let before = observation(Status::Triggered, Stamp::push(seconds(0)), "a").state;
    let mut after = before.clone();
    assert_eq!(before.difference(&after), "");

    after.status = Status::Acknowledged;
    after.title = Shown::line("b");
    after.service = None;
    after.teams = vec![Named { id: TeamId::new("T1").expect("id"), name: "Payments".into() }];
    assert_eq!(before.difference(&after), "triggered -> acknowledged, title \"b\", teams");

    let user = |name: &str| Named { id: UserId::new(name).expect("id"), name: name.into() };
    let mut taken = after.clone();
    (taken.urgency, taken.assignees) = (Urgency::Low, vec![user("Ann"), user("Bob")]);
    assert_eq!(after.difference(&taken), "urgency low, assigned to Ann and Bob");
    assert_eq!(taken.difference(&after), "urgency high, assigned to nobody");
}

fn seconds(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).expect("small")
}

pub(in crate::core) fn any_observation() -> impl Strategy<Value = Observation> {
    let status = prop_oneof![Just(Status::Triggered), Just(Status::Acknowledged), Just(Status::Resolved)];
    (status, 0..6i64, 0..6i64, 0..3, "[ab]", 0..3u32).prop_map(|(status, at, ours, source, title, alerts)| {
        let (at, ours) = (seconds(at * 500), seconds(ours * 20_000));
        match source {
            0 => with_alerts(alerts, observation(status, Stamp::rest(at, ours), &title)),
            1 => observation(status, Stamp::push(at), &title),
            _ => observation(status, Stamp::push(at), &title).unsigned(ours),
        }
    })
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_ends_in_the_same_incident(
        (history, shuffled) in prop::collection::vec(any_observation(), 1..9)
            .prop_flat_map(|h| {
                let twice: Vec<_> = h.iter().chain(&h).cloned().collect();
                (Just(h), Just(twice).prop_shuffle())
            })
    ) {
        let fold = |all: &[Observation]| {
            let mut incident = Incident::first(all[0].clone());
            for seen in &all[1..] { incident.merge(seen); }
            incident
        };
        prop_assert_eq!(fold(&history), fold(&shuffled));
    }
}

/// A hint about `at`, received at `received`.
fn hint(status: Status, at: i64, received: i64) -> Observation {
    observation(status, Stamp::push(seconds(at)), "t").unsigned(seconds(received))
}

fn rest(status: Status, at: i64, asked: i64) -> Observation {
    observation(status, Stamp::rest(seconds(at), seconds(asked)), "t")
}

#[test]
fn what_nobody_signed_is_shown_as_such_until_the_provider_was_asked() {
    let mut incident = Incident::first(hint(Status::Triggered, 10_000, 10_100));
    assert!(incident.is_unconfirmed());
    assert_eq!(incident.headline(), "(unsigned) t");

    assert!(incident.merge(&rest(Status::Triggered, 10_000, 10_200)), "the mark goes, and the screen hears of it");
    assert!(!incident.is_unconfirmed());
    assert_eq!(incident.headline(), "t");

    assert!(incident.merge(&hint(Status::Acknowledged, 20_000, 20_100)));
    assert_eq!((incident.state.status, incident.is_unconfirmed()), (Status::Acknowledged, true));
}

#[test]
fn a_lie_from_the_future_ends_with_the_provider_s_next_answer() {
    let mut incident = Incident::first(rest(Status::Triggered, 1_000, 2_000));

    assert!(incident.merge(&hint(Status::Resolved, 9_000_000, 3_000)));
    assert!(incident.merge(&rest(Status::Triggered, 1_000, 4_000)));

    assert_eq!((incident.state.status, incident.is_unconfirmed()), (Status::Triggered, false));
    assert!(!incident.merge(&hint(Status::Resolved, 9_000_000, 3_000)));
}

#[test]
fn an_old_hint_changes_nothing_and_what_was_asked_before_it_came_does_not_confirm_it() {
    let mut incident = Incident::first(rest(Status::Acknowledged, 5_000, 6_000));
    incident.merge(&hint(Status::Triggered, 4_000, 7_000));
    assert_eq!((incident.state.status, incident.is_unconfirmed()), (Status::Acknowledged, false));

    assert!(incident.merge(&hint(Status::Resolved, 8_000, 9_000)));
    incident.merge(&rest(Status::Acknowledged, 5_000, 8_500));
    assert_eq!((incident.state.status, incident.is_unconfirmed()), (Status::Resolved, true));
}

#[test]
fn the_mark_goes_with_the_provider_s_answer_though_that_tells_nothing_new() {
    let mut incident = Incident::first(rest(Status::Triggered, 1_000, 2_000));
    incident.merge(&hint(Status::Triggered, 5_000, 5_100));
    assert!(incident.is_unconfirmed());

    assert!(incident.merge(&rest(Status::Triggered, 1_000, 5_100)), "the screen hears of it");
    assert!(!incident.is_unconfirmed(), "asked at the moment it came, or later");
}

#[test]
fn what_only_rest_tells_is_news_when_it_is_other_than_before_and_is_shown_with_no_newer_state() {
    let look = |asked, alerts| with_alerts(alerts, rest(Status::Triggered, 1_000, asked));
    let alerts = |incident: &Incident| incident.extra().and_then(|extra| extra.alerts);
    let mut incident = Incident::first(look(2_000, 1));

    assert!(!incident.merge(&look(3_000, 1)));
    assert!(incident.merge(&look(5_000, 2)));
    assert!(!incident.merge(&look(4_000, 1)), "overtaken");
    assert_eq!(alerts(&incident), Some((2, 0)));

    incident.merge(&observation(Status::Acknowledged, Stamp::push(seconds(6_000)), "t"));
    assert_eq!(alerts(&incident), None, "it tells of the time before");
    incident.merge(&with_alerts(3, rest(Status::Acknowledged, 6_000, 7_000)));
    assert_eq!(alerts(&incident), Some((3, 0)));
}

#[test]
fn what_only_rest_tells_holds_though_the_webhook_of_the_same_change_names_a_later_second() {
    let look = |status, asked| with_alerts(1, rest(status, 13_000, asked));
    let push = |status| observation(status, Stamp::push(seconds(14_030)), "t");
    let mut incident = Incident::first(look(Status::Acknowledged, 14_200));
    incident.merge(&push(Status::Acknowledged));
    assert_eq!(incident.extra(), None, "perhaps it was asked before that");

    assert!(!incident.merge(&look(Status::Acknowledged, 44_200)));
    assert!(incident.merge(&look(Status::Acknowledged, 74_200)), "the screen hears of it");

    assert_eq!(incident.extra().and_then(|extra| extra.alerts), Some((1, 0)));
    let mut other = Incident::first(push(Status::Resolved));
    other.merge(&look(Status::Acknowledged, 74_200));
    assert_eq!(other.extra(), None, "an answer from a copy that lags behind");
}

#[test]
fn an_incident_that_was_kept_before_there_were_hints_can_be_read() {
    let incident = Incident::first(rest(Status::Triggered, 1_000, 2_000));
    let text = serde_json::to_string(&incident).expect("json");

    assert!(!text.contains("doubt"));
    assert_eq!(serde_json::from_str::<Incident>(&text).expect("incident"), incident);
}

#[test]
fn a_newer_reopen_reopens_and_a_late_trigger_does_not() {
    let mut incident = Incident::first(observation(Status::Resolved, Stamp::push(seconds(5000)), "t"));

    assert!(!incident.merge(&observation(Status::Triggered, Stamp::push(seconds(1000)), "t")));
    assert_eq!(incident.state.status, Status::Resolved);
    assert!(incident.merge(&observation(Status::Triggered, Stamp::push(seconds(6000)), "t")));
    assert_eq!(incident.state.status, Status::Triggered);
}

#[test]
fn of_two_answers_that_name_the_same_second_the_later_asked_one_counts() {
    let (resolved, reopened) = (Stamp::rest(seconds(1000), seconds(1100)), Stamp::rest(seconds(1000), seconds(1900)));
    let mut incident = Incident::first(observation(Status::Triggered, reopened, "t"));

    assert!(!incident.merge(&observation(Status::Resolved, resolved, "t")));
    assert_eq!(incident.state.status, Status::Triggered);
}

#[test]
fn a_later_time_of_the_same_state_is_news_and_another_look_at_it_is_none() {
    let mut incident = Incident::first(observation(Status::Triggered, Stamp::push(seconds(1000)), "t"));
    let look = |at, asked| observation(Status::Triggered, Stamp::rest(seconds(at), seconds(asked)), "t");

    assert!(incident.merge(&look(4000, 5000)), "else a restart would forget what is older");
    assert!(!incident.merge(&look(4000, 9000)));
}

#[test]
fn only_what_the_times_leave_open_is_doubted() {
    let known = Incident::first(observation(Status::Resolved, Stamp::rest(seconds(1000), seconds(1100)), "t"));
    let doubts = |status, stamp| known.doubts(&observation(status, stamp, "t"));

    assert!(doubts(Status::Triggered, Stamp::push(seconds(1800))));
    assert!(doubts(Status::Triggered, Stamp::rest(seconds(1000), seconds(1050))));
    assert!(!doubts(Status::Triggered, Stamp::push(seconds(2000))), "newer");
    assert!(!doubts(Status::Triggered, Stamp::push(seconds(900))), "older");
    assert!(!doubts(Status::Resolved, Stamp::push(seconds(1800))), "the same");
}

#[test]
fn within_one_second_the_api_outranks_an_earlier_webhook() {
    let mut incident = Incident::first(observation(Status::Acknowledged, Stamp::push(seconds(1700)), "t"));

    assert!(incident.merge(&observation(Status::Resolved, Stamp::rest(seconds(1000), seconds(1800)), "t")));
    assert_eq!(incident.state.status, Status::Resolved);
}
