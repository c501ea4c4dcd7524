//! What the store promises, on real files.

mod calls;
mod directory;
mod forwards;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    pin::Pin,
    task::{Context, Waker},
};

use futures_util::future::join_all;
use proptest::prelude::*;
use rusqlite::TransactionBehavior;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::core::{
    action::{By, LONGEST_TEXT, Outcome},
    delivery::Scheme,
    id::{EventId, IncidentId, StoreId},
    incident::{Observation, Stamp, State, Status, Urgency},
};

/// For tests in which something has to take too long.
const IMPATIENT: Waits = Waits { commit: Duration::from_millis(150), lock: Duration::from_millis(200) };
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

pub(super) fn account(name: &str) -> AccountName {
    AccountName::new(name).expect("account")
}

pub(super) fn incident_key(id: &str) -> IncidentKey {
    IncidentKey { account: account("prod"), id: IncidentId::new(id).expect("id") }
}

pub(super) fn delivery(verdict: Verdict, event: Option<&str>, body: &[u8]) -> NewDelivery {
    NewDelivery {
        at: Timestamp::new(1_700_000_000, 123_456_789).expect("time"),
        account: Some(account("prod")),
        verdict,
        reason: Shown::line("because"),
        status: 202,
        decoded: event.map(|id| Decoded {
            event_id: EventId::new(id).expect("event id"),
            event_type: Shown::line("incident.triggered"),
            occurred_at: None,
            incident: Some(incident_key("P1")),
            subject: Some(Shown::line("disk full")),
            observation: None,
        }),
        proof: Some(Proof { scheme: Scheme::PagerdutyV3, secret: Shown::line("env PD_SECRET") }),
        timings: Timings { read_us: 5, check_us: 7, commit_us: None },
        peer: "192.0.2.1:5000".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_vec(),
    }
}

pub(crate) fn event(id: &str) -> NewDelivery {
    delivery(Verdict::Accepted, Some(id), id.as_bytes())
}

pub(crate) fn incident(id: &str, status: Status) -> Incident {
    let state = State {
        status,
        urgency: Urgency::High,
        title: Shown::line("disk full"),
        number: Some(7),
        priority: None,
        service: None,
        escalation_policy: None,
        assignees: vec![],
        teams: vec![],
        created_at: Timestamp::UNIX_EPOCH,
        url: None,
        dedup_key: None,
    };
    let stamp = Stamp::push(Timestamp::UNIX_EPOCH);
    Incident::first(Observation { key: incident_key(id), stamp, state, extra: None })
}

/// A directory, and the store in it.
pub(crate) fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("tempdir");
    let store = Store::open(dir.path()).expect("open");
    (dir, store)
}

fn impatient_store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("tempdir");
    let store = Store::open_with(dir.path(), IMPATIENT).expect("open");
    (dir, store)
}

/// A connection as another program could have it.
pub(crate) fn other(dir: &TempDir) -> Connection {
    Connection::open(files::path_in(dir.path())).expect("connect")
}

pub(super) fn event_ids(reader: &Reader) -> Vec<String> {
    let mut ids = vec![];
    let visit = |id: &EventId| {
        ids.push(id.to_string());
        std::ops::ControlFlow::Continue(())
    };
    reader.event_ids(visit).expect("event ids");
    ids
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

pub(super) async fn verdict(store: &Store, new: NewDelivery) -> Verdict {
    store.record(new).await.expect("recorded").summary.verdict
}

/// Tries until it is recorded.
pub(super) async fn recorded_at_last(store: &Store, id: &str) -> Recorded {
    let tries = async {
        loop {
            if let Ok(recorded) = store.record(event(id)).await {
                return recorded;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, tries).await.expect("recorded within the deadline")
}

/// Asks while the store is locked, so that no commit is quick enough to have answered.
fn pending_behind_a_lock<T>(dir: &TempDir, asked: Pin<&mut impl Future<Output = T>>) {
    let mut db = other(dir);
    let lock = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("lock");
    assert!(asked.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    lock.rollback().expect("unlock");
}

/// Waits until an intake has begun: until then it tries by itself, and what is broken before is known before a delivery comes.
pub(crate) fn until_followed(db: &rusqlite::Connection) {
    let began = std::time::Instant::now();
    while db.query_row("SELECT commits FROM probe", [], |row| row.get::<_, i64>(0)).expect("read") == 0 {
        assert!(began.elapsed() < DEADLINE, "no intake began");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_reopened_store_has_everything_as_it_was() {
    let (dir, store) = store();
    let accepted = store.record(event("E1")).await.expect("recorded").summary;
    let applied = store.record(event("E2")).await.expect("recorded").summary;
    store.record(delivery(Verdict::Undecodable, None, b"{")).await.expect("recorded");
    let by = By { actor: "alice".into(), uid: Some(1001), name: Some("alice@example.com".into()) };
    let mut action =
        store.new_action(Timestamp::UNIX_EPOCH, by, Verb::Acknowledge, vec![incident_key("P1")]).await.expect("action");
    let later = Timestamp::new(5, 42).expect("time");
    let snapshot =
        |json: &str| Write::Snapshot { account: account("prod"), kind: "oncalls", at: later, json: json.into() };
    let writes = vec![
        Write::Incident(Box::new(incident("P1", Status::Triggered))),
        Write::Incident(Box::new(incident("P1", Status::Resolved))),
        Write::Incident(Box::new(incident("P2", Status::Triggered))),
        Write::Forget(incident_key("P2")),
        Write::Applied(vec![Applied {
            id: applied.id,
            changed: Some(Shown::line("acknowledged")),
            commit_us: Some(900),
        }]),
        Write::Committed(vec![(accepted.id, 400)]),
        snapshot("old"),
        snapshot("[]"),
    ];
    store.save(writes).await.expect("saved");
    drop(store);

    let store = Store::open(dir.path()).expect("reopen");
    let reader = store.reader().expect("reader");
    let log = reader.recent(None, 10).expect("recent");
    assert_eq!(log.iter().map(|line| line.verdict.word()).collect::<Vec<_>>(), ["undecodable", "accepted", "accepted"]);
    let applied = DeliverySummary { changed: Some(Shown::line("acknowledged")), latency_us: Some(912), ..applied };
    let accepted = DeliverySummary { latency_us: Some(412), ..accepted };
    assert_eq!(log[1..], [applied.clone(), accepted.clone()]);
    assert_eq!(reader.recent(Some(applied.id), 10).expect("older"), std::slice::from_ref(&accepted));
    let stored = reader.delivery(accepted.id).expect("delivery").expect("there");
    assert_eq!((stored.body.as_slice(), stored.peer.as_str()), (b"E1".as_slice(), "192.0.2.1:5000"));
    assert_eq!(stored.headers, event("E1").headers);
    assert_eq!(stored.summary, accepted);
    assert_eq!(reader.delivery(DeliveryId(99)).expect("delivery"), None);
    let waiting = reader.unapplied().expect("unapplied").into_iter().map(|one| (one.summary.id, one.account, one.body));
    assert_eq!(waiting.collect::<Vec<_>>(), [(accepted.id, account("prod"), b"E1".to_vec())]);
    assert_eq!(reader.incidents().expect("incidents"), [incident("P1", Status::Resolved)]);
    assert_eq!(reader.snapshot(&account("prod"), "oncalls").expect("snapshot"), Some((later, "[]".to_owned())));
    assert_eq!(reader.snapshot(&account("prod"), "schedules").expect("snapshot"), None);
    assert_eq!(reader.unsettled_actions().expect("unsettled"), [action.clone()]);

    action.outcomes[0].1 = Outcome::Confirmed { notice: None };
    store.save(vec![Write::Action(Box::new(action.clone()))]).await.expect("saved");

    assert_eq!(reader.unsettled_actions().expect("unsettled"), []);
    assert_eq!(reader.actions(5).expect("actions"), [action]);
    assert_eq!(reader.check(), Ok(()));
}

#[tokio::test]
async fn a_text_from_before_texts_had_a_bound_is_read_back_cut() {
    let (_dir, store) = store();
    let by = By { actor: "alice".into(), uid: Some(7), name: None };
    let verb = Verb::Note { text: "y".repeat(1_000_000) };

    store.new_action(Timestamp::UNIX_EPOCH, by, verb, vec![incident_key("P1")]).await.expect("action");

    let cut = Verb::Note { text: "y".repeat(LONGEST_TEXT) };
    let read = |reader: &Reader| Ok((reader.actions(5)?, reader.unsettled_actions()?));
    let (newest, unsettled) = store.read(read).await.expect("read");
    assert_eq!((&newest[0].verb, &unsettled[0].verb), (&cut, &cut));
}

#[tokio::test]
async fn what_is_recorded_can_be_read_elsewhere_the_moment_it_is_answered() {
    let (dir, store) = store();
    let elsewhere = Reader::open(dir.path()).expect("reader");

    for n in 0..20 {
        let recorded = store.record(event(&format!("E{n}"))).await.expect("recorded");
        assert_eq!(elsewhere.recent(None, 1).expect("recent"), [recorded.summary]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twins_at_the_same_moment_exactly_one_is_accepted() {
    let (_dir, store) = store();

    for n in 0..20 {
        let twin = || {
            tokio::spawn({
                let (store, id) = (store.clone(), format!("E{n}"));
                async move { verdict(&store, event(&id)).await }
            })
        };
        let verdicts: Vec<_> = join_all([twin(), twin(), twin()]).await.into_iter().map(|v| v.expect("join")).collect();
        assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Accepted).count(), 1, "{verdicts:?}");
        assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Duplicate).count(), 2, "{verdicts:?}");
    }
}

#[tokio::test]
async fn a_duplicate_names_the_delivery_it_repeats_and_is_nothing_new() {
    let (_dir, store) = store();
    let first = store.record(event("E1")).await.expect("recorded").summary;

    let second = store.record(event("E1")).await.expect("recorded").summary;

    assert_eq!(second.verdict, Verdict::Duplicate);
    assert!(second.reason.as_str().ends_with(&format!("the same event as delivery {}", first.id)), "{}", second.reason);
    let reader = store.reader().expect("reader");
    assert_eq!(event_ids(&reader), ["E1"]);
    assert_eq!(reader.unapplied().expect("unapplied").len(), 1);
}

#[tokio::test]
async fn the_same_id_at_two_accounts_is_two_events() {
    let (_dir, store) = store();
    let at_lab = NewDelivery { account: Some(account("lab")), ..event("E1") };

    assert_eq!(verdict(&store, event("E1")).await, Verdict::Accepted);
    assert_eq!(verdict(&store, at_lab).await, Verdict::Accepted);
}

#[tokio::test]
async fn an_undecodable_body_sent_again_is_a_duplicate_but_no_event() {
    let (_dir, store) = store();
    let broken = |body: &[u8]| delivery(Verdict::Undecodable, None, body);

    assert_eq!(verdict(&store, broken(b"{")).await, Verdict::Undecodable);
    assert_eq!(verdict(&store, broken(b"{")).await, Verdict::Duplicate);
    assert_eq!(verdict(&store, broken(b"[")).await, Verdict::Undecodable);
    let reader = store.reader().expect("reader");
    assert_eq!(event_ids(&reader), Vec::<String>::new());
    assert_eq!(reader.unapplied().expect("unapplied"), []);
}

#[tokio::test]
async fn rejected_ones_and_duplicates_are_kept_in_rings_and_their_bodies_cut() {
    let (_dir, store) = store();
    let first = store.record(event("E1")).await.expect("recorded").summary;
    let rejected = || delivery(Verdict::Rejected, None, b"forged");
    for _ in 0..=rings::RING / 100 {
        join_all((0..100).map(|_| verdict(&store, rejected()))).await;
        join_all((0..100).map(|_| verdict(&store, event("E1")))).await;
    }
    let large = vec![b'x'; rings::RING_BODY + 1];
    let last = store.record(delivery(Verdict::Rejected, None, &large)).await.expect("recorded").summary;

    let reader = store.reader().expect("reader");
    let log = reader.recent(None, 10_000).expect("recent");
    let count = |verdict| log.iter().filter(|line| line.verdict == verdict).count();
    assert_eq!((count(Verdict::Rejected), count(Verdict::Duplicate)), (2_000, 2_000));
    assert_eq!((log.first(), log.last()), (Some(&last), Some(&first)));
    let stored = reader.delivery(last.id).expect("delivery").expect("there");
    assert_eq!((stored.body.len(), stored.summary.size), (64 * 1024, 64 * 1024 + 1));
    assert_eq!(reader.check(), Ok(()));
}

#[tokio::test]
async fn a_large_duplicate_keeps_the_beginning_of_its_body_only() {
    let (_dir, store) = store();
    let body: Vec<u8> = (0..100 * 1024_u32).map(|n| n.to_le_bytes()[0]).collect();
    let large = || NewDelivery { body: body.clone(), ..event("E1") };

    let [first, again] = [store.record(large()).await, store.record(large()).await];

    let reader = store.reader().expect("reader");
    let kept = |recorded: Result<Recorded, StoreError>| {
        let id = recorded.expect("recorded").summary.id;
        reader.delivery(id).expect("delivery").expect("there")
    };
    assert!(kept(first).body == body);
    let again = kept(again);
    assert!(again.body == body[..64 * 1024]);
    assert_eq!((again.summary.size, again.headers), (100 * 1024, event("E1").headers));
}

#[tokio::test]
async fn times_beyond_what_is_kept_are_the_nearest_that_are() {
    let (_dir, store) = store();
    for at in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        store.record(NewDelivery { at, ..delivery(Verdict::Rejected, None, b"") }).await.expect("recorded");
    }

    let log = store.reader().expect("reader").recent(None, 3).expect("recent");

    let years: Vec<_> = log.iter().map(|line| line.at.strftime("%Y").to_string()).collect();
    assert_eq!(years, ["2262", "1970", "1677"]);
}

#[tokio::test]
async fn the_rhythm_of_an_account_is_that_of_its_own_new_and_genuine_deliveries() {
    let (_dir, store) = store();
    let at = |second| Timestamp::from_second(second).expect("time");
    let mut ping = event("E4");
    ping.decoded.as_mut().expect("decoded").event_type = Shown::line("pagey.ping");
    let all = [
        event("E1"),
        event("E1"),
        delivery(Verdict::Undecodable, None, b"{"),
        delivery(Verdict::Rejected, None, b"forged"),
        ping,
        NewDelivery { account: Some(account("lab")), ..event("E5") },
        event("E6"),
    ];
    for (second, new) in (1..).zip(all) {
        store.record(NewDelivery { at: at(second), ..new }).await.expect("recorded");
    }

    let reader = store.reader().expect("reader");
    assert_eq!(reader.rhythm(&account("prod"), 10), Ok(vec![at(7), at(3), at(1)]));
    assert_eq!(reader.rhythm(&account("prod"), 2), Ok(vec![at(7), at(3)]));
}

#[tokio::test]
async fn one_bad_row_fails_alone_and_the_others_of_its_batch_are_stored() {
    let (dir, store) = store();
    let mut db = other(&dir);
    db.execute_batch(
        "CREATE TRIGGER bad BEFORE INSERT ON delivery WHEN NEW.event_id = 'BAD'
         BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    )
    .expect("trigger");
    // While another holds the lock, all of it queues into one batch behind the first.
    let lock = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("lock");
    let ids = ["E1", "E2", "BAD", "E3", "E4"];
    let records = join_all(ids.map(|id| store.record(event(id))));
    let unlocked = async { lock.rollback().expect("unlock") };

    let (outcomes, ()) = tokio::join!(records, unlocked);

    let stored: Vec<_> = ids.into_iter().zip(&outcomes).filter(|(_, o)| o.is_ok()).map(|(id, _)| id).collect();
    assert_eq!(stored, ["E1", "E2", "E3", "E4"]);
    assert!(matches!(outcomes[2], Err(StoreError::Unstorable { .. })), "{:?}", outcomes[2]);
    assert_eq!(event_ids(&store.reader().expect("reader")), stored);
}

#[tokio::test]
async fn after_a_failed_batch_nothing_of_it_counts_as_stored_and_the_next_one_works() {
    let (dir, store) = store();
    // The last of the batch meets a store that cannot take it.
    let trigger = "CREATE TRIGGER bad BEFORE INSERT ON delivery WHEN NEW.event_id = 'E3'
                   BEGIN INSERT INTO nowhere VALUES (1); END";
    let mut db = other(&dir);
    db.execute_batch(trigger).expect("trigger");
    let lock = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("lock");
    let records = join_all(["E0", "E1", "E2", "E3"].map(|id| store.record(event(id))));

    let (outcomes, ()) = tokio::join!(records, async { lock.rollback().expect("unlock") });

    let stored = event_ids(&store.reader().expect("reader"));
    let told: Vec<_> = outcomes.iter().flatten().filter_map(|done| done.summary.event_id.clone()).collect();
    assert_eq!(told.iter().map(EventId::as_str).collect::<Vec<_>>(), stored);
    assert!(!stored.iter().any(|id| ["E1", "E2", "E3"].contains(&id.as_str())), "{stored:?}");

    other(&dir).execute_batch("DROP TRIGGER bad").expect("heal");
    for id in ["E1", "E2", "E3"] {
        assert_eq!(verdict(&store, event(id)).await, Verdict::Accepted);
    }
}

#[tokio::test]
async fn what_is_stored_after_its_sender_gave_up_is_announced_and_its_retry_is_a_duplicate() {
    // The lock is freed when the sender has given up, but before the writer has.
    let waits = Waits { commit: Duration::from_millis(50), lock: DEADLINE };
    let dir = tempfile::tempdir().expect("tempdir");
    let store = Store::open_with(dir.path(), waits).expect("open");
    let mut db = other(&dir);
    let lock = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("lock");
    let unheard = Arc::new(Notify::new());

    let late = store.record_or_notify(event("E1"), Some(Arc::clone(&unheard))).await;
    assert_eq!(late, Err(StoreError::Late { within: waits.commit }));
    lock.rollback().expect("unlock");

    timeout(DEADLINE, unheard.notified()).await.expect("announced");
    assert_eq!(event_ids(&store.reader().expect("reader")), ["E1"]);
    assert_eq!(recorded_at_last(&store, "E1").await.summary.verdict, Verdict::Duplicate);
}

#[tokio::test]
async fn an_answer_that_nobody_took_is_announced() {
    let (dir, store) = store();
    let unheard = Arc::new(Notify::new());
    let mut asked = Box::pin(store.record_or_notify(event("E1"), Some(Arc::clone(&unheard))));
    pending_behind_a_lock(&dir, asked.as_mut());

    // Wherever the commit stands now, before or behind its answer.
    drop(asked);

    timeout(DEADLINE, unheard.notified()).await.expect("announced");
    assert_eq!(event_ids(&store.reader().expect("reader")), ["E1"]);
}

#[tokio::test]
async fn an_answer_given_but_never_looked_at_is_announced() {
    let (dir, store) = store();
    let unheard = Arc::new(Notify::new());
    let mut asked = Box::pin(store.record_or_notify(event("E1"), Some(Arc::clone(&unheard))));
    pending_behind_a_lock(&dir, asked.as_mut());
    // Answered later than the first, so that one is answered now.
    store.record(event("E2")).await.expect("recorded");

    drop(asked);

    timeout(DEADLINE, unheard.notified()).await.expect("announced");
}

#[tokio::test]
async fn a_locked_store_fails_within_the_deadline_and_goes_on_by_itself() {
    let (dir, store) = impatient_store();
    let mut db = other(&dir);
    let lock = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("lock");

    assert!(store.record(event("E1")).await.is_err());
    assert!(store.save(vec![]).await.is_err());
    assert!(store.ready().await.is_err());

    lock.rollback().expect("unlock");
    recorded_at_last(&store, "E2").await;
    store.ready().await.expect("ready again");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let (dir, store) = impatient_store();
    let mut db = other(&dir);
    let lock = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("lock");
    let ids: Vec<_> = (0..QUEUE + 2 * 256).map(|n| format!("E{n}")).collect();

    let outcomes = join_all(ids.iter().map(|id| store.record(event(id)))).await;

    assert!(outcomes.contains(&Err(StoreError::Busy)));
    assert!(outcomes.iter().all(Result::is_err));
    lock.rollback().expect("unlock");
    recorded_at_last(&store, "later").await;
}

#[test]
fn a_store_is_told_from_another_and_stays_the_one_that_it_is() {
    let ((dir, store), (_other, other)) = (store(), store());
    let id = |store: &Store| store.reader().expect("reader").store_id().expect("an id");
    let was = id(&store);
    assert_ne!(was, StoreId::default());
    assert_ne!(was, id(&other));
    let copy = dir.path().join("copy");
    store.reader().expect("reader").backup(&copy).expect("copied");

    drop(store);

    assert_eq!(id(&Store::open(dir.path()).expect("opened again")), was);
    let place = tempfile::tempdir().expect("tempdir");
    std::fs::rename(&copy, place.path().join("dogwatch.db")).expect("put in place");
    assert_eq!(
        std::fs::read_dir(dir.path())
            .expect("dir")
            .flatten()
            .filter(|file| file.path().to_string_lossy().contains("copy"))
            .count(),
        0
    );
    assert_ne!(id(&Store::open(place.path()).expect("a copy")), was, "it counts on from earlier");
}

#[test]
fn a_store_of_another_version_is_refused_in_plain_words() {
    let (dir, store) = store();
    drop(store);
    other(&dir).pragma_update(None, "user_version", 1_000).expect("version");

    let refused = Store::open(dir.path()).err().expect("refused");
    assert!(refused.to_string().contains("newer dogwatch (schema 1000, this one knows 9)"), "{refused}");
    assert_eq!(Reader::open(dir.path()).err(), Some(refused));

    other(&dir).pragma_update(None, "user_version", 0).expect("version");
    assert!(matches!(Reader::open(dir.path()).err(), Some(StoreError::Older { .. })));
}

#[test]
fn a_reader_says_when_there_is_no_store_and_makes_none() {
    let dir = tempfile::tempdir().expect("tempdir");

    let missing = Reader::open(dir.path()).err().expect("missing");

    assert!(missing.to_string().starts_with("there is no store at"), "{missing}");
    assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 0);
}

#[tokio::test]
async fn damage_is_found_and_named() {
    let (dir, store) = store();
    store.record(event("E1")).await.expect("recorded");
    drop(store);
    other(&dir).execute_batch("PRAGMA foreign_keys = off; DELETE FROM known_event").expect("delete");
    let reader = Reader::open(dir.path()).expect("reader");
    assert!(reader.check().expect_err("orphan").contains("the events of 1 deliveries would be taken a second time"));
    drop(reader);

    fs::write(files::path_in(dir.path()), vec![b'x'; 64 * 1024]).expect("write");
    for refused in [Store::open(dir.path()).err(), Reader::open(dir.path()).err()] {
        assert!(matches!(refused, Some(StoreError::Corrupt { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn reading_and_writing_go_on_side_by_side() {
    let (_dir, store) = store();
    let ids: Vec<_> = (0..200).map(|n| format!("E{n}")).collect();
    let recording = join_all(ids.iter().map(|id| store.record(event(id))));
    let reading = join_all((0..20).map(|_| store.read(|reader| reader.recent(None, 1_000))));

    let (recorded, read) = tokio::join!(recording, reading);

    assert!(recorded.iter().all(Result::is_ok));
    assert!(read.iter().all(Result::is_ok));
    assert_eq!(store.read(|reader| reader.recent(None, 1_000)).await.expect("recent").len(), 200);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_with_repeated_ids_leaves_one_accepted_row_for_each(
        ids in prop::collection::vec((0..6u8, 0..2u8), 1..40),
        at_once in 1..8usize,
    ) {
        let (_dir, store) = store();
        let runtime = Runtime::new().expect("runtime");
        let of = |(id, at): (u8, u8)| NewDelivery {
            account: Some(account(if at == 0 { "prod" } else { "lab" })),
            ..event(&format!("E{id}"))
        };
        for together in ids.chunks(at_once) {
            let done = runtime.block_on(join_all(together.iter().map(|id| store.record(of(*id)))));
            prop_assert!(done.iter().all(Result::is_ok));
        }

        let log = store.reader().expect("reader").recent(None, 1_000).expect("recent");
        let of_verdict = |verdict| log.iter().filter(|line| line.verdict == verdict).count();
        let distinct = ids.iter().collect::<std::collections::BTreeSet<_>>().len();
        prop_assert_eq!(of_verdict(Verdict::Accepted), distinct);
        prop_assert_eq!(of_verdict(Verdict::Duplicate), ids.len() - distinct);
    }
}
