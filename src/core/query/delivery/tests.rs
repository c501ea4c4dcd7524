//! What a query for deliveries means.

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::core::{
    delivery::{DeliverySummary, Direction, Proof},
    id::{DeliveryId, EventId, IncidentKey},
    query::{Clock, parse},
    text::Shown,
};

fn now() -> Timestamp {
    "2025-06-10T02:17:30Z".parse().expect("time")
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let clock = Clock { now: now(), zone: &TimeZone::UTC };
    read(text, clock).map_err(|bad| bad.to_string())
}

fn line() -> DeliverySummary {
    let account: AccountName = "prod".parse().expect("id");
    DeliverySummary {
        id: DeliveryId(7),
        at: "2025-06-10T02:00:00Z".parse().expect("time"),
        direction: Direction::Incoming,
        verdict: Verdict::Duplicate,
        reason: "signed with env PD_SECRET; the same event as delivery 2".into(),
        status: 202,
        event_id: Some(EventId::new("01EVENT7").expect("id")),
        event_type: Some("incident.triggered".into()),
        incident: Some(IncidentKey { account: account.clone(), id: IncidentId::new("Q1DISK").expect("id") }),
        subject: Some("Disk 97 % full on db-3".into()),
        latency_us: Some(1800),
        size: 2311,
        proof: Some(Proof { scheme: Scheme::Bearer, secret: "env PD_SECRET".into() }),
        altered: true,
        changed: Some("triggered -> acknowledged".into()),
        target: None,
        account: Some(account),
    }
}

fn truth(text: &str) -> Truth {
    judge(&wanted(text).expect(text), &Record { line: &line(), number: Some(1201) })
}

#[test]
fn every_field_finds_what_it_says() {
    for text in [
        "",
        "dupl trigg 97 #1201 1201 PROD q1disk",
        "verdict:duplicate",
        "verdict:accepted,duplicate !verdict:rejected",
        "type:incident.* type:triggered type:Incident.Triggered",
        "account:prod incident:Q1DISK incident:prod/Q1DISK incident:#1201 !incident:#1202 !incident:eu/Q1DISK",
        "status:202 status:2xx status:200..299 status:<300 !status:>=300",
        "scheme:bearer !scheme:none secret:pd_sec secret:env* !secret:env*x",
        "event:01event7 event:*7 !event:01",
        "is:altered is:unsigned is:changed",
        "since:1h until:1m since:2025-06-10 age:>10m age:<1d !since:10m",
        "size:2311 size:>2k !size:>3k took:<2ms took:1800us",
        "\"disk 97 fu\" \"FULL on DB 3\"",
        "nowhere or verdict:rejected or disk",
    ] {
        assert_eq!(truth(text), Truth::Yes, "{text}");
    }
}

#[test]
fn what_only_the_whole_delivery_tells_is_left_open() {
    for text in ["from:1.2.3.4", "!from:1.2.3.4", "\"nowhere in the line\"", "!\"isk\"", "\"d\""] {
        assert_eq!(truth(text), Truth::Perhaps, "{text}");
    }
    assert_eq!(truth("!\"disk 97\""), Truth::No, "the subject says it");
    assert_eq!(truth("from:1.2.3.4 verdict:rejected"), Truth::No);
}

#[test]
fn what_is_written_without_blanks_is_found_by_any_part_of_it() {
    let line = DeliverySummary { subject: Some("夜間バッチ failed on db障害2".into()), ..line() };
    let truth = |text: &str| judge(&wanted(&format!("\"{text}\"")).expect(text), &Record { line: &line, number: None });

    for text in ["夜間", "バッチ", "間バ", "チ FAILED", "害", "db", "障害2", "夜間バッチ failed on db障害2"]
    {
        assert_eq!(truth(text), Truth::Yes, "{text}");
    }
    for text in ["夜バ", "バッチ夜", "faile db", "db2", "on d"] {
        assert_eq!(truth(text), Truth::Perhaps, "{text}");
    }
}

#[test]
fn nothing_changed_is_no_change() {
    let mut line = line();
    line.changed = Some(Shown::line("nothing: a newer state was known"));
    let record = Record { line: &line, number: None };
    assert_eq!(judge(&wanted("is:changed").expect("query"), &record), Truth::No);
}

#[test]
fn a_wrong_field_or_value_is_told_with_its_column_and_the_nearest_word() {
    for (text, said) in [
        ("disk verdct:rejected", "column 6: no field `verdct`, perhaps `verdict:`; what is no field goes into quotes"),
        ("verdict:accepted,rejeted", "column 18: verdict: `rejeted` is not known, perhaps `rejected`"),
        ("is:green", "column 4: is: `green` is not known; there are altered, unsigned, changed"),
        ("status:40x", "column 8: status: `40x` is no status; as `401`, `4xx` or `>=500`"),
        (
            "since:yesterday",
            "column 7: since: `yesterday` is no time; as `1h`, `7d`, `2025-06-10` or `2025-06-10T04:00Z`",
        ),
        ("age:2h", "column 5: age: `2h` is no age; as `>2h` or `<30m`"),
        ("since:1h,2h", "column 10: `since:` takes one value"),
        ("from:10.0.0.0/8", "column 6: from: `10.0.0.0/8`: networks are written with *, as `203.0.113.*`"),
        ("disk !\"🔥\"", "column 7: \"🔥\" has no letter or digit; what stands in quotes is found by its words"),
        ("incident:#x", "column 10: incident: `#x` is no number; as `#1201`"),
    ] {
        assert_eq!(wanted(text), Err(said.to_owned()), "{text}");
    }
    for (text, column) in [("https://example.com", 1), ("size:big", 6), ("took:5", 6), ("scheme:v3", 8)] {
        assert!(wanted(text).is_err_and(|said| said.starts_with(&format!("column {column}: "))), "{text}");
    }
}

#[test]
fn a_fixed_query_means_the_same_later_and_elsewhere() {
    let clock = Clock { now: now(), zone: &TimeZone::get("Europe/Berlin").expect("zone") };
    let query = parse("disk since:2h !age:>1h until:2025-06-10T04:00").expect("query");

    let fixed = fixed(&query, clock).expect("times").to_string();

    assert_eq!(fixed, "disk since:2025-06-10T00:17:30Z !until:2025-06-10T01:17:30Z until:2025-06-10T02:00:00Z");
    let later = Clock { now: now() + jiff::SignedDuration::from_hours(9), zone: &TimeZone::UTC };
    assert_eq!(read(&fixed, later), check(&query, clock));
}

proptest! {
    #[test]
    fn no_text_makes_reading_or_judging_panic(text in "[a-z0-9:.,*!\"#/<> ]{0,30}") {
        if let Ok(wanted) = wanted(&text) {
            let line = line();
            judge(&wanted, &Record { line: &line, number: None });
        }
    }
}
