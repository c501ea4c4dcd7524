//! What searches promise, on real files.

use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    plan::Plan,
    run::{Covered, Way, ways},
    *,
};
use crate::{
    core::text::Shown,
    store::{
        Applied, NewDelivery, Reader, Store, Write,
        tests::{delivery, event, incident_key, store},
    },
};

fn text(words: &str) -> Search {
    Search::Is(Condition::Text(words.to_owned()))
}

fn event_type(pattern: &str) -> Search {
    Search::Is(Condition::EventType(Pattern::new(pattern)))
}

fn incident(id: &str) -> Search {
    Search::Is(Condition::Incident(incident_key(id).id))
}

fn not(search: Search) -> Search {
    Search::Not(Box::new(search))
}

/// An accepted delivery of this type, about this incident, with this body.
fn about(n: usize, event_type: &str, id: &str, body: &str) -> NewDelivery {
    let mut new = event(&format!("E{n}"));
    let decoded = new.decoded.as_mut().expect("decoded");
    decoded.event_type = Shown::line(event_type);
    decoded.incident = Some(incident_key(id));
    decoded.subject = None;
    new.body = body.as_bytes().to_vec();
    new
}

async fn index(store: &Store) {
    while store.index_some().await.expect("indexed") {}
}

/// The numbers of all that fit, from pages of `limit`.
fn found(reader: &Reader, search: &Search, limit: u32) -> Vec<i64> {
    let (mut all, mut before) = (vec![], None);
    loop {
        let found = reader.search(search, before, limit).expect("search");
        assert!(found.deliveries.len() <= usize::try_from(limit).expect("small"));
        all.extend(found.deliveries.iter().map(|line| line.id.0));
        assert!(found.next.is_none() || found.next != before, "no progress");
        before = found.next;
        if before.is_none() {
            return all;
        }
    }
}

/// Five deliveries and two refused ones, the first four of them in the index.
async fn night() -> (TempDir, Store) {
    let (dir, store) = store();
    let all = [
        about(1, "incident.triggered", "P1", r#"{"title":"disk full on db-01"}"#),
        about(2, "incident.acknowledged", "P1", r#"{"agent":"Alice Adams"}"#),
        about(3, "incident.triggered", "P2", r#"{"title":"replication lag","host":"db-02"}"#),
        delivery(Verdict::Rejected, None, b"forged: disk full"),
        NewDelivery { status: 401, peer: "198.51.100.7:99".into(), ..delivery(Verdict::Rejected, None, b"junk") },
    ];
    for new in all {
        store.record(new).await.expect("recorded");
    }
    index(&store).await;
    for new in [about(6, "service.updated", "P3", "lag of the disk"), about(7, "incident.resolved", "P1", "full")] {
        store.record(new).await.expect("recorded");
    }
    (dir, store)
}

#[tokio::test]
async fn each_condition_finds_what_it_names_newest_first() {
    let (_dir, store) = night().await;
    store
        .save(vec![Write::Applied(vec![Applied {
            id: DeliveryId(2),
            changed: Some(Shown::line("acknowledged")),
            commit_us: None,
        }])])
        .await
        .expect("saved");
    let reader = store.reader().expect("reader");
    let at = crate::store::tests::delivery(Verdict::Accepted, None, b"").at;
    let prod = crate::store::tests::account("prod");
    let later = at + jiff::SignedDuration::from_nanos(1);
    let cases: [(Search, &[i64]); 27] = [
        (Search::default(), &[7, 6, 5, 4, 3, 2, 1]),
        (Search::Any(vec![]), &[]),
        (Search::Is(Condition::Verdict(Verdict::Rejected)), &[5, 4]),
        (Search::Is(Condition::Verdict(Verdict::Accepted)), &[7, 6, 3, 2, 1]),
        (event_type("incident.triggered"), &[3, 1]),
        (event_type("INCIDENT.*ed"), &[7, 3, 2, 1]),
        (event_type("nothing.*"), &[]),
        (incident("P1"), &[7, 2, 1]),
        (Search::Any(vec![incident("P1"), incident("P2"), incident("P1")]), &[7, 3, 2, 1]),
        (Search::All(vec![incident("P1"), event_type("*triggered")]), &[1]),
        (not(incident("P1")), &[6, 5, 4, 3]),
        (Search::Is(Condition::Account(prod)), &[7, 6, 5, 4, 3, 2, 1]),
        (Search::Is(Condition::Status(400..=499)), &[5]),
        (Search::Is(Condition::Peer(Pattern::containing("51.100."))), &[5]),
        (Search::Is(Condition::Changed), &[2]),
        (Search::Is(Condition::Altered), &[]),
        (Search::Is(Condition::Since(at)), &[7, 6, 5, 4, 3, 2, 1]),
        (Search::Is(Condition::Until(at)), &[]),
        (Search::Is(Condition::Since(later)), &[]),
        (Search::Is(Condition::Until(later)), &[7, 6, 5, 4, 3, 2, 1]),
        (Search::All(vec![Search::Is(Condition::Since(Timestamp::MIN)), incident("P2")]), &[3]),
        (Search::Is(Condition::Size(4..=4)), &[7, 5]),
        (Search::Is(Condition::Scheme(Some(Scheme::Basic))), &[]),
        (Search::Is(Condition::EventId(Pattern::new("e3"))), &[3]),
        (Search::Is(Condition::Line("cknowl".into())), &[2]),
        (Search::Is(Condition::Line("ject".into())), &[5, 4]),
        (Search::Is(Condition::Secret(Pattern::new("env *"))), &[7, 6, 5, 4, 3, 2, 1]),
    ];

    for (search, ids) in cases {
        assert_eq!(found(&reader, &search, 100), ids, "{search:?}");
        assert_eq!(found(&reader, &search, 1), ids, "one by one: {search:?}");
        let fits = |id: &i64| reader.fits(&search, DeliveryId(*id)).expect("judged");
        assert_eq!((1..=9).rev().filter(fits).collect::<Vec<_>>(), ids, "each by itself: {search:?}");
    }
}

#[tokio::test]
async fn words_are_found_in_every_part_and_in_what_is_not_indexed_yet() {
    let (_dir, store) = night().await;
    let reader = store.reader().expect("reader");
    let cases: [(Search, &[i64]); 16] = [
        (text("lag"), &[6, 3]),
        (text("replicat"), &[3]),
        (text("eplication"), &[]),
        (text("disk full"), &[4, 1]),
        (text("full d"), &[]),
        (text("disk f"), &[]),
        (text("disk fu"), &[4, 1]),
        (text("full disk"), &[]),
        (text("DB-0"), &[]),
        (text("db-02"), &[3]),
        (text("triggered"), &[3, 1]),
        (text("p1"), &[7, 2, 1]),
        (text("because"), &[7, 6, 5, 4, 3, 2, 1]),
        (Search::Any(vec![text("alice"), text("forged")]), &[4, 2]),
        (Search::All(vec![text("disk full"), not(text("forged")), not(text("alice"))]), &[1]),
        (Search::All(vec![text("lag"), event_type("service.*")]), &[6]),
    ];

    for (search, ids) in &cases {
        assert_eq!(found(&reader, search, 100), *ids, "{search:?}");
        assert_eq!(found(&reader, search, 1), *ids, "one by one: {search:?}");
    }

    index(&store).await;
    for (search, ids) in &cases {
        assert_eq!(found(&reader, search, 2), *ids, "indexed: {search:?}");
    }
}

#[tokio::test]
async fn the_shortest_way_is_taken() {
    let (_dir, store) = night().await;
    let reader = store.reader().expect("reader");
    let plan = |search: &Search| reader.look(|db| Plan::of(search, db)).expect("plan");

    assert_eq!(plan(&Search::All(vec![text("disk"), incident("P1")])), Plan::Incidents(vec!["P1".into()]));
    assert_eq!(plan(&not(incident("P1"))), Plan::Everything);
    assert_eq!(plan(&Search::Any(vec![incident("P1"), text("x")])), Plan::Everything);
    let rejected = Search::Is(Condition::Verdict(Verdict::Rejected));
    assert_eq!(plan(&Search::All(vec![text("disk"), rejected])), Plan::Verdicts(vec![Verdict::Rejected]));
    assert_eq!(plan(&event_type("service.*")), Plan::Types(vec!["service.updated".into()]));
    let Plan::Words { query, rest } = plan(&Search::All(vec![text("disk fu"), text("lag")])) else {
        panic!("words have an index");
    };
    assert_eq!(query, r#"(("disk" AND ("full" OR "§fu"*))) AND ((("lag" OR "§lag"*)))"#);
    assert_eq!(rest, Search::All(vec![text("disk fu")]));
}

#[tokio::test]
async fn the_way_by_event_type_is_taken_where_that_is_rare_or_there_is_no_other() {
    let (dir, store) = night().await;
    index(&store).await;
    let reader = store.reader().expect("reader");
    let plan = |search: &Search| reader.look(|db| Plan::of(search, db)).expect("plan");
    let with_word = |pattern: &str| Search::All(vec![text("disk"), event_type(pattern)]);
    let types = |names: &[&str]| Plan::Types(names.iter().map(|name| (*name).to_owned()).collect());
    let counted = |name: &str, deliveries: i64| {
        let sql = "INSERT INTO tally VALUES ('prod', 'accepted', ?1, ?2)";
        crate::store::tests::other(&dir).execute(sql, rusqlite::params![name, deliveries]).expect("counted");
    };
    counted("few", 2_000);
    counted("some", 4_000);
    counted("often", 5_000);
    counted("most", 100_000 - 11_000 - 7);
    (0..60).for_each(|n| counted(&format!("kind.{n}"), 0));

    assert_eq!(plan(&with_word("few")), types(&["few"]));
    assert!(matches!(plan(&with_word("some")), Plan::Words { .. }));
    assert_eq!(plan(&event_type("some")), types(&["some"]));
    assert_eq!(plan(&event_type("often")), Plan::Everything);
    assert_eq!(plan(&event_type("kind.*")), Plan::Everything, "too many names to ask for one by one");
    assert!(matches!(plan(&with_word("kind.*")), Plan::Words { .. }));
    assert_eq!(plan(&with_word("no.such")), Plan::Nothing);
}

#[tokio::test]
async fn large_bodies_go_into_the_index_a_few_at_once() {
    let (_dir, store) = store();
    for n in 0..3 {
        let body = format!("needle{n} {}", "hay ".repeat(140_000));
        store.record(about(n, "incident.triggered", "P1", &body)).await.expect("recorded");
    }
    let reader = store.reader().expect("reader");

    assert_eq!(store.index_some().await, Ok(true));

    assert_eq!(reader.look(crate::store::index::indexed), Ok(2));
    index(&store).await;
    assert_eq!(found(&reader, &text("needle2"), 10), [3]);
}

#[tokio::test]
async fn the_index_does_not_fall_into_ever_more_parts() {
    let (_dir, store) = store();
    for n in 0..30 {
        store.record(about(n, "incident.triggered", "P1", "disk full")).await.expect("recorded");
        index(&store).await;
    }

    let sql = "SELECT count(DISTINCT segid) FROM delivery_text_idx";
    let parts = store.reader().expect("reader").look(|db| db.query_row(sql, [], |row| row.get::<_, i64>(0)));

    assert!(parts.as_ref().is_ok_and(|parts| (1..15).contains(parts)), "{parts:?}");
}

/// How a statement is carried out.
fn steps(reader: &Reader, way: &Way<'_>) -> Vec<String> {
    let explained = |db: &rusqlite::Connection| {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {}", way.sql))?;
        statement.query_map(rusqlite::params_from_iter(&way.parameters), |row| row.get("detail"))?.collect()
    };
    reader.look(explained).expect("explained")
}

#[tokio::test]
async fn each_way_reads_an_index_in_its_order() {
    let (_dir, store) = night().await;
    let reader = store.reader().expect("reader");
    let rejected = |verdict| Search::Is(Condition::Verdict(verdict));
    let searches = [
        Search::default(),
        Search::Any(vec![incident("P1"), incident("P2")]),
        Search::Any(vec![rejected(Verdict::Rejected), rejected(Verdict::Duplicate), rejected(Verdict::Undecodable)]),
        event_type("incident.*"),
        text("disk"),
    ];

    for search in searches {
        let plan = reader.look(|db| Plan::of(&search, db)).expect("plan");
        let covered = Covered { filed: 4, indexed: 4 };
        let ways = ways(&plan, &search, i64::MAX, covered);
        let steps: Vec<String> = ways.iter().flat_map(|way| steps(&reader, way)).collect();
        assert!(!steps.is_empty() && !steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
        let scans = steps.iter().any(|step| step.starts_with("SCAN") && !step.contains("VIRTUAL TABLE"));
        assert!(!scans, "{steps:#?}");
    }
}

#[tokio::test]
async fn a_search_that_takes_long_says_how_far_it_came_and_goes_on_from_there() {
    let (_dir, store) = store();
    for n in 0..200 {
        store
            .record(about(n, "incident.triggered", "P1", if n == 3 { "needle" } else { "hay" }))
            .await
            .expect("recorded");
    }
    let reader = store.reader().expect("reader");
    let (mut before, mut calls, mut all) = (None, 0, vec![]);

    loop {
        let found = reader.search_within(Duration::ZERO, &text("needle"), before, 10).expect("search");
        all.extend(found.deliveries.iter().map(|line| line.id.0));
        calls += 1;
        before = found.next;
        if before.is_none() {
            break;
        }
    }

    assert_eq!((all.as_slice(), calls), (&[4][..], 4));
}

#[tokio::test]
async fn pruned_ones_leave_the_index_and_their_words_find_nothing() {
    let (_dir, store) = night().await;
    index(&store).await;
    let rows = |store: &Store| {
        let reader = store.reader().expect("reader");
        reader.look(|db| db.query_row("SELECT count(*) FROM delivery_text_docsize", [], |row| row.get::<_, i64>(0)))
    };
    assert_eq!(rows(&store), Ok(7));
    let all = (1..=7).map(|id| Applied { id: DeliveryId(id), changed: None, commit_us: None }).collect();
    store.save(vec![Write::Applied(all)]).await.expect("saved");
    let keep = crate::store::Keep { age: Duration::MAX, deliveries: 2, size: u64::MAX };

    while store.prune_some(keep, Timestamp::UNIX_EPOCH).await.expect("pruned") {}
    let reader = store.reader().expect("reader");
    assert_eq!(found(&reader, &text("disk"), 10), [6]);
    index(&store).await;

    assert_eq!(rows(&store), Ok(2));
    let words = |db: &rusqlite::Connection| {
        db.prepare("SELECT word FROM word ORDER BY word")?.query_map([], |row| row.get(0))?.collect()
    };
    let words: Vec<String> = reader.look(words).expect("words");
    assert!(words.contains(&"disk".to_owned()) && !words.contains(&"alice".to_owned()), "{words:?}");
    assert_eq!(found(&reader, &text("disk"), 10), [6]);
    assert_eq!(found(&reader, &text("replication"), 10), Vec::<i64>::new());
    assert_eq!(reader.check(), Ok(()));
}

#[test]
fn a_pattern_takes_everything_but_its_stars_literally() {
    let fits = |pattern: &str, text: &str| Pattern::new(pattern).matches(text);
    for (pattern, text) in [
        ("a*", "abc"),
        ("*c", "abc"),
        ("*", ""),
        ("a*c", "ac"),
        ("*b*", "abc"),
        ("", ""),
        ("a**c", "abc"),
        ("%_[", "%_["),
    ] {
        assert!(fits(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("a", "abc"), ("a*b", "abc"), ("ab*bc", "abc"), ("", "a"), ("%", "abc"), ("a?c", "abc")] {
        assert!(!fits(pattern, text), "{pattern} {text}");
    }
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["disk", "full", "lag", "dis", "d", "db01x23y", "db01x9", "ÄRGER", "x y"]);
    prop::collection::vec(word, 1..4).prop_map(|words| words.join("-"))
}

fn searches() -> impl Strategy<Value = Search> {
    let one = prop_oneof![
        words().prop_map(|words| text(&words)),
        (0..3usize).prop_map(|n| incident(["P1", "P2", "P3"][n])),
        (0..3usize).prop_map(|n| event_type(["incident.*", "*.updated", "incident.resolved"][n])),
        Just(Search::Is(Condition::Verdict(Verdict::Rejected))),
    ];
    one.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(not),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Search::All),
            prop::collection::vec(inner, 0..3).prop_map(Search::Any),
        ]
    })
}

/// The meaning of a search, said in another way.
fn means(search: &Search, line: &DeliverySummary, body: &str) -> bool {
    match search {
        Search::Not(search) => !means(search, line, body),
        Search::All(all) => all.iter().all(|one| means(one, line, body)),
        Search::Any(any) => any.iter().any(|one| means(one, line, body)),
        Search::Is(Condition::Verdict(verdict)) => line.verdict == *verdict,
        Search::Is(Condition::Incident(id)) => line.incident.as_ref().is_some_and(|key| key.id == *id),
        Search::Is(Condition::EventType(pattern)) => {
            line.event_type.as_ref().is_some_and(|is| pattern.matches(is.as_str()))
        }
        Search::Is(Condition::Text(wanted)) => {
            let split = |text: &str| -> Vec<String> {
                text.to_lowercase()
                    .split(|c: char| !c.is_alphanumeric())
                    .filter(|w| !w.is_empty())
                    .map(str::to_owned)
                    .collect()
            };
            let wanted = split(wanted);
            let (last, first) = wanted.split_last().expect("words");
            split(body).windows(wanted.len()).any(|window| {
                let (at_last, at_first) = window.split_last().expect("as many");
                let goes_on = last.chars().count() > 1 && at_last.starts_with(last.as_str());
                at_first == first && (at_last == last || goes_on)
            })
        }
        Search::Is(other) => panic!("not made here: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_exactly_what_it_means_however_much_is_indexed(
        deliveries in prop::collection::vec((words(), 0..3usize, 0..4usize), 1..12),
        indexed in 0..12usize,
        all in prop::collection::vec(searches(), 1..12),
        limit in 1..5u32,
    ) {
        let (_dir, store) = store();
        let runtime = Runtime::new().expect("runtime");
        let mut lines = vec![];
        for (n, (body, id, of)) in deliveries.iter().enumerate() {
            if n == indexed {
                runtime.block_on(index(&store));
            }
            let types = ["incident.triggered", "incident.resolved", "service.updated"];
            let new = match types.get(*of) {
                Some(event_type) => about(n, event_type, ["P1", "P2", "P3"][*id], body),
                None => delivery(Verdict::Rejected, None, body.as_bytes()),
            };
            lines.push((runtime.block_on(store.record(new)).expect("recorded").summary, body));
        }
        let reader = store.reader().expect("reader");
        for search in all {
            let fits = lines.iter().rev().filter(|(line, body)| means(&search, line, body));
            let fits: Vec<i64> = fits.map(|(line, _)| line.id.0).collect();
            prop_assert_eq!(found(&reader, &search, limit), fits, "{:?}", search);
        }
    }
}
