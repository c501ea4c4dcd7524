//! What a query for incidents means.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::core::{
    action::{Action, By, Outcome, Verb},
    board::{AccountBoard, Board, tests::summary},
    delivery::{DeliverySummary, Proof, Scheme, Verdict},
    detail::{Detail, NEWER},
    freshness::tests::account,
    id::{ActionId, IncidentKey, PolicyId, ServiceId, TeamId, UserId},
    incident::{Extra, Incident, Named, Pending, Stamp, tests::observation},
    oncall::Person,
    query::{BadQuery, Clock, Literal, parse},
    text::Shown,
};

fn now() -> Timestamp {
    "2025-06-10T02:17:30Z".parse().expect("time")
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn wanted(text: &str) -> Result<Wanted, BadQuery> {
    read(text, Clock { now: now(), zone: &TimeZone::UTC })
}

fn named<Id: std::str::FromStr<Err: std::fmt::Debug>>(id: &str, name: &str) -> Named<Id> {
    Named { id: id.parse().expect("id"), name: name.into() }
}

fn ann() -> Named<UserId> {
    named("U1", "Ann Moreau")
}

/// Acknowledged by Ann 90 minutes ago, three hours after it was triggered; due to come back by itself.
fn latency() -> Incident {
    let mut seen = observation(Status::Acknowledged, Stamp::rest(ago(90), now()), "p99 latency at checkout");
    let state = &mut seen.state;
    (state.number, state.priority) = (Some(1201), Some("P2".into()));
    state.service = Some(named::<ServiceId>("S1", "Payments API"));
    state.escalation_policy = Some(named::<PolicyId>("E1", "Nights"));
    state.teams = vec![named::<TeamId>("T1", "Payments")];
    state.assignees = vec![ann()];
    state.created_at = ago(270);
    let pending = vec![Pending { what: "unacknowledge".into(), at: ago(-30) }];
    seen.extra = Some(Extra { acknowledged: vec![(ago(90), "Ann Moreau".into())], pending, ..Extra::default() });
    Incident::first(seen)
}

fn known() -> AccountBoard {
    let mut known = AccountBoard::of(account("prod"));
    known.people = vec![Person { user: ann(), email: Some("ann@example.com".into()) }];
    known
}

fn truth_of(incident: &Incident, text: &str) -> Truth {
    let (known, me) = (known(), ann().id);
    let record =
        Record { incident, account: Some(&known), now: now(), me: Some(&me), marked: true, noted: Truth::Perhaps };
    judge(&wanted(text).expect(text), &record)
}

fn truth(text: &str) -> Truth {
    truth_of(&latency(), text)
}

#[test]
fn every_field_finds_what_it_says() {
    for text in [
        "",
        "latency CHECKOUT moreau payments p2 acknowledged 1201 #1201 prod",
        "chkout pymnts !pymts",
        "\"p99 lat\" \"payments a\" !\"p99lat\"",
        "status:acked status:Acknowledged status:triggered,acked !status:resolved status:open",
        "urgency:high !urgency:low",
        "priority:p2 !priority:none priority:P* priority:p1,p2",
        "service:payments service:S1 service:pay*api service:pay* !service:pay*x team:T1 team:payments !team:web",
        "assignee:me assignee:ann assignee:U1 assignee:ann@example.com !assignee:none !assignee:bob",
        "policy:nights policy:E1",
        "number:1201 number:#1201 number:>1200 number:1200..1210 !number:1202",
        "account:prod !account:eu",
        "since:5h until:4h since:2025-06-09 !since:1h age:>4h age:<5h !age:>5h",
        "acked:>1h acked:<2h !acked:>2h",
        "is:open is:acked is:high is:mine is:marked is:snoozed !is:unsigned !is:unassigned",
        "nowhere or status:resolved or latency",
    ] {
        assert_eq!(truth(text), Truth::Yes, "{text}");
    }
}

#[test]
fn a_number_that_is_like_another_is_another() {
    assert_eq!(truth("1221"), Truth::No);
    assert_eq!(truth("120"), Truth::Yes, "its beginning stands there");

    let port = Incident::first(observation(Status::Triggered, Stamp::push(now()), "port 8443 closed"));
    assert_eq!((truth_of(&port, "843"), truth_of(&port, "closd")), (Truth::No, Truth::Yes));
}

#[test]
fn what_is_not_known_is_neither_so_nor_not_so() {
    let mut seen = observation(Status::Acknowledged, Stamp::push(now()), "told by webhook");
    seen.state.assignees = vec![ann()];
    let incident = Incident::first(seen);
    let record = Record {
        incident: &incident,
        account: None,
        now: now(),
        me: None,
        marked: false,
        noted: Noted::default().truth(&incident.key),
    };
    for text in ["has:note", "!has:note", "is:mine", "!assignee:me", "acked:>1h", "!acked:>1h", "is:snoozed"] {
        assert_eq!(judge(&wanted(text).expect(text), &record), Truth::Perhaps, "{text}");
    }
    for text in ["service:pay", "!service:pay", "policy:nights", "service:a or policy:b"] {
        assert_eq!(judge(&wanted(text).expect(text), &record), Truth::Perhaps, "{text}: it was not told");
    }
    let mut open = incident.clone();
    (open.state.status, open.state.assignees) = (Status::Triggered, vec![]);
    let record = Record { incident: &open, ..record };
    for text in ["is:mine", "acked:>1h", "is:snoozed"] {
        assert_eq!(judge(&wanted(text).expect(text), &record), Truth::No, "{text}");
    }
}

#[test]
fn a_wrong_field_or_value_is_told_with_its_column_and_the_nearest_word() {
    for (text, said) in [
        ("disk sttus:open", "column 6: no field `sttus`, perhaps `status:`; what is no field goes into quotes"),
        ("status:open,aked", "column 13: status: `aked` is not known, perhaps `acked`"),
        ("urgency:loud", "column 9: urgency: `loud` is not known; there are high, low"),
        ("has:link", "column 5: has: `link` is not known; there are note"),
        ("number:12a", "column 8: number: `12a` is no number; as `1201`, `>1200` or `1200..1210`"),
        ("age:2h", "column 5: age: `2h` is no age; as `>2h` or `<30m`"),
        ("since:1h,2h", "column 10: `since:` takes one value"),
        (
            "until:tomorrow",
            "column 7: until: `tomorrow` is no time; as `1h`, `7d`, `2025-06-10` or `2025-06-10T04:00Z`",
        ),
    ] {
        assert_eq!(wanted(text).map_err(|bad| bad.to_string()), Err(said.to_owned()), "{text}");
    }
}

#[test]
fn an_age_in_a_query_is_judged_by_the_time_of_judging_and_says_when_it_turns() {
    let (incident, query) = (latency(), wanted("age:>5h").expect("query"));
    let at = |now| Record { incident: &incident, account: None, now, me: None, marked: false, noted: Truth::Perhaps };
    assert_eq!(judge(&query, &at(now())), Truth::No);

    let turn = next_turn(&query, &at(now())).expect("it will be five hours old");

    assert_eq!(judge(&query, &at(turn - SignedDuration::from_nanos(1))), Truth::No);
    assert_eq!(judge(&query, &at(turn)), Truth::Yes);
    assert_eq!(next_turn(&query, &at(turn)), None);
}

#[test]
fn only_a_query_that_asks_for_resolved_ones_names_them() {
    let mut seen = observation(Status::Resolved, Stamp::push(ago(90)), "over");
    seen.state.number = Some(7);
    let incident = Incident::first(seen);
    let record =
        Record { incident: &incident, account: None, now: now(), me: None, marked: false, noted: Truth::Perhaps };
    let names = |text: &str| names_resolved(&wanted(text).expect(text), &record);

    for text in ["status:resolved", "is:resolved over", "nowhere or status:triggered,resolved", "!status:open"] {
        assert!(names(text), "{text}");
    }
    for text in ["", "over", "number:7", "status:resolved nowhere", "!status:resolved", "!status:triggered"] {
        assert!(!names(text), "{text}");
    }
}

#[test]
fn a_note_is_known_of_by_a_signed_webhook_by_opening_and_by_leaving_it_here() {
    let key = latency().key;
    let delivery = |scheme| DeliverySummary {
        verdict: Verdict::Accepted,
        event_type: Some("incident.annotated".into()),
        incident: Some(key.clone()),
        proof: Some(Proof { scheme, secret: "env PD_SECRET".into() }),
        ..summary(7)
    };
    let mut noted = Noted::default();
    assert_eq!(noted.truth(&key), Truth::Perhaps);
    assert!(!noted.take_delivery(&delivery(Scheme::Bearer)), "nobody signed it");

    assert!(noted.take_delivery(&delivery(Scheme::PagerdutyV3)));
    assert!(!noted.take_delivery(&delivery(Scheme::PagerdutyV3)), "no news");

    assert_eq!(noted.truth(&key), Truth::Yes);
    let action = |outcome| Action {
        id: ActionId(1),
        at: now(),
        by: By { actor: "ann".into(), uid: None, name: None },
        verb: Verb::Note { text: "hello".into() },
        outcomes: vec![(key.clone(), outcome)],
        due: None,
    };
    let mut noted = Noted::default();
    assert_eq!(noted.take_action(&action(Outcome::Sent)), []);
    assert!(noted.take_detail(&Detail { fetched_at: ago(-1), ..Detail::of(key.clone()) }), "read before it was sent");
    assert_eq!(noted.take_action(&action(Outcome::Confirmed { notice: None })), std::slice::from_ref(&key));
}

#[test]
fn a_known_note_is_not_taken_away_by_what_is_older_or_could_not_be_fetched_anew() {
    let key = latency().key;
    let webhook = DeliverySummary {
        at: ago(10),
        verdict: Verdict::Accepted,
        event_type: Some("incident.annotated".into()),
        incident: Some(key.clone()),
        proof: Some(Proof { scheme: Scheme::PagerdutyV3, secret: "env PD_SECRET".into() }),
        ..summary(7)
    };
    let read = |minutes| Detail { fetched_at: ago(minutes), ..Detail::of(key.clone()) };
    let mut noted = Noted::default();
    assert!(noted.take_detail(&read(20)));
    assert_eq!(noted.truth(&key), Truth::No);

    assert!(noted.take_delivery(&webhook));
    assert!(!noted.take_detail(&read(11)), "asked before the note, answered after the webhook");
    let old = Detail { missing: vec![Shown::line(&format!("{NEWER}: the provider answered 500"))], ..read(5) };
    assert!(!noted.take_detail(&old));
    assert_eq!(noted.truth(&key), Truth::Yes);

    assert!(noted.take_detail(&read(5)), "somebody took it away");
    assert!(!noted.take_delivery(&webhook), "the log is read again");
    assert_eq!(noted.truth(&key), Truth::No);
}

#[test]
fn the_values_of_a_field_come_from_the_board() {
    let mut board = Board::default();
    board.incidents.insert(latency().key, latency());
    board.accounts.insert("prod".parse().expect("name"), known());

    assert_eq!(vocabulary(&board, "service"), ["Payments API"]);
    assert_eq!(vocabulary(&board, "assignee"), ["me", "none", "Ann Moreau"]);
    assert_eq!(vocabulary(&board, "priority"), ["none", "P2"]);
    assert_eq!((vocabulary(&board, "account"), vocabulary(&board, "nofield")), (vec!["prod".to_owned()], vec![]));
}

#[test]
fn every_field_has_values_to_complete_and_every_fixed_value_is_understood() {
    let mut board = Board::default();
    board.incidents.insert(latency().key, latency());
    board.accounts.insert("prod".parse().expect("name"), known());
    for (field, _) in FIELDS.iter().filter(|(field, _)| *field != "number") {
        let values = vocabulary(&board, field);
        assert!(!values.is_empty(), "{field}");
        for value in values {
            let text = format!("{field}:{}", crate::core::query::written(&value));
            assert!(wanted(&text).is_ok(), "{text}");
        }
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let field = proptest::sample::select(FIELDS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let value = proptest::sample::select(vec![
        "open", "acked", "high", "P2", "none", "pay", "me", ">1h", "<2h", "1201", "2h", "note", "mine", "marked",
        "prod",
    ]);
    let term = prop_oneof![
        (field, value.clone(), any::<bool>()).prop_map(|(f, v, n)| format!("{}{f}:{v}", if n { "!" } else { "" })),
        value.prop_map(str::to_owned),
        Just("or".to_owned()),
        "[a-z#0-9]{1,6}",
        "\"[a-z 0-9]{0,6}\"",
    ];
    prop::collection::vec(term, 0..5).prop_map(|terms| terms.join(" "))
}

fn any_incident() -> impl Strategy<Value = Incident> {
    let status = prop_oneof![Just(Status::Triggered), Just(Status::Acknowledged), Just(Status::Resolved)];
    (status, any::<bool>(), any::<bool>(), 0..300_i64, "[a-p ]{0,9}").prop_map(|(status, rest, with, age, title)| {
        let stamp = if rest { Stamp::rest(ago(age / 2), now()) } else { Stamp::push(ago(age / 2)) };
        let mut seen = observation(status, stamp, &title);
        seen.state.created_at = ago(age);
        if with {
            (seen.state.assignees, seen.state.priority) = (vec![ann()], Some(Shown::line("P2")));
            seen.state.service = Some(named::<ServiceId>("S1", "Payments API"));
        }
        Incident::first(seen)
    })
}

proptest! {
    #[test]
    fn a_query_that_is_printed_and_read_again_asks_for_the_same(text in any_text()) {
        if let (Ok(query), Ok(asked)) = (parse(&text), wanted(&text)) {
            prop_assert_eq!(wanted(&query.to_string()), Ok(asked));
        }
    }

    #[test]
    fn the_judge_of_the_negated_is_the_opposite(text in any_text(), incident in any_incident()) {
        let (known, me) = (known(), ann().id);
        let record = Record {
            incident: &incident, account: Some(&known), now: now(), me: Some(&me), marked: false, noted: Truth::Perhaps,
        };
        let Ok(wanted) = wanted(&text) else { return Ok(()) };
        for term in wanted.terms() {
            let is = Wanted { groups: vec![vec![Literal::Is(term.clone())]] };
            let not = Wanted { groups: vec![vec![Literal::Not(term.clone())]] };
            prop_assert_eq!(judge(&not, &record), !judge(&is, &record));
        }
    }

    #[test]
    fn no_text_makes_reading_or_judging_panic(text in "[a-z0-9:.,*!\"#/<>@ ]{0,30}", incident in any_incident()) {
        if wanted(&text).is_ok() {
            truth_of(&incident, &text);
        }
    }

    #[test]
    fn what_is_wrong_lies_within_the_text(text in any::<String>()) {
        if let Err(bad) = wanted(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&bad.column));
        }
    }

    #[test]
    fn until_it_turns_a_query_says_the_same(text in any_text(), incident in any_incident(), later in 0..400_i64) {
        let at = |now| Record { incident: &incident, account: None, now, me: None, marked: false, noted: Truth::Perhaps };
        let Ok(wanted) = wanted(&text) else { return Ok(()) };
        let then = ago(-later);
        if next_turn(&wanted, &at(now())).is_none_or(|turn| turn > then) {
            prop_assert_eq!(judge(&wanted, &at(now())), judge(&wanted, &at(then)));
        }
    }
}

#[test]
fn an_incident_key_with_an_account_is_what_its_name_means() {
    let key: IncidentKey = latency().key;
    assert!(IncidentName::parse(&key.to_string()).expect("name").is_of(&latency()));
}
