//! What reading and writing cost when the log has grown: a store with a million deliveries beside one with ten
//! thousand, both measured in turns within one run, so that the ratios hold whatever else the machine does.
//!
//! `cargo bench --bench log`. Takes some minutes and 2 GB of the temporary directory, which it gives back. With
//! `LOG_BENCH_DELIVERIES=100000` the large store is smaller.

use std::{
    env, fs,
    hint::black_box,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use dogwatch::{
    core::{
        delivery::{Decoded, Proof, Scheme, Timings, Verdict},
        id::{AccountName, DeliveryId, EventId, IncidentId, IncidentKey},
        text::Shown,
    },
    store::{Condition, Keep, NewDelivery, Pattern, Reader, Search, Store},
};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use tokio::runtime::Runtime;

const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;
/// Deliveries of one incident.
const EACH: u64 = 10;
const PAGE: u32 = 50;
const ROUNDS: usize = 41;
/// 17 November 2026.
const NOW: i64 = 1_794_900_000;
/// What is looked for, and how; it gives the number of lines found.
type Read<'r> = (&'r str, Box<dyn Fn(&Reader, i64) -> usize>);
const DICTIONARY: &[u8] = include_bytes!("../../assets/store/dictionary-1.txt");

fn main() {
    let large = env::var("LOG_BENCH_DELIVERIES").ok().and_then(|n| n.parse().ok()).unwrap_or(LARGE);
    let runtime = Runtime::new().expect("runtime");
    let dir = tempfile::tempdir().expect("temporary directory");
    let say = |line: &str| writeln!(std::io::stdout(), "{line}").expect("stdout");

    let stores = [(dir.path().join("small"), SMALL), (dir.path().join("large"), large)];
    for (path, deliveries) in &stores {
        let began = Instant::now();
        build(path, *deliveries);
        let built = began.elapsed();
        let slowest = runtime.block_on(index(path));
        let bytes = fs::metadata(path.join("dogwatch.db")).expect("database").len();
        say(&format!(
            "{deliveries:>9} deliveries: {} B each on disk; made in {built:.0?}, indexed in {:.0?}, slowest slice {slowest:.1?}",
            bytes / deliveries,
            began.elapsed().saturating_sub(built),
        ));
    }

    say(&format!("\n{:<44} {:>12} {:>12} {:>7}", "median", SMALL, large, "ratio"));
    reads(&stores, &say);
    starts(&stores, &say);
    ingest(&runtime, &stores[1].0, &dir.path().join("empty"), &say);
    prune(&runtime, &stores[1], &say);
}

/// Each read on the small store and on the large one, in turns.
fn reads(stores: &[(std::path::PathBuf, u64); 2], say: &impl Fn(&str)) {
    let readers = stores.each_ref().map(|(path, _)| Reader::open(path).expect("reader"));
    let text = |words: &str| Search::Is(Condition::Text(words.to_owned()));
    let page = |search: Search| {
        move |reader: &Reader, _: i64| reader.search(&search, None, PAGE).expect("search").deliveries.len()
    };
    let one = |reader: &Reader, of: i64| {
        let id = IncidentId::new(incident(u64::try_from(of).expect("positive") / 2 / EACH)).expect("id");
        reader.search(&Search::Is(Condition::Incident(id)), None, PAGE).expect("search").deliveries.len()
    };
    let types = Search::Is(Condition::EventType(Pattern::new("incident.*")));
    let both = Search::All(vec![text("kafka"), Search::Is(Condition::EventType(Pattern::new("*.resolved")))]);
    let all: [Read<'_>; 12] = [
        ("newest page", Box::new(|reader, _| reader.recent(None, PAGE).expect("page").len())),
        (
            "page in the middle",
            Box::new(|reader, of| reader.recent(Some(DeliveryId(of / 2)), PAGE).expect("page").len()),
        ),
        ("one incident's deliveries", Box::new(one)),
        ("counts", Box::new(|reader, _| reader.counts().expect("counts").len())),
        ("event type incident.*", Box::new(page(types))),
        ("word in one of 8", Box::new(page(text("replication")))),
        ("word in one of 2,500", Box::new(page(text("needle")))),
        ("beginning of a word", Box::new(page(text("certif")))),
        ("two words", Box::new(page(Search::All(vec![text("kafka"), text("certificate")])))),
        ("phrase", Box::new(page(text("replication lag at db-prod")))),
        ("word and event type", Box::new(page(both))),
        ("word that is nowhere", Box::new(page(text("unobtainium")))),
    ];
    for (name, read) in all {
        let mut times = [vec![], vec![]];
        for round in 0..ROUNDS {
            for which in [round % 2, 1 - round % 2] {
                let of = i64::try_from(stores[which].1).expect("few");
                let began = Instant::now();
                black_box(read(&readers[which], of));
                times[which].push(began.elapsed());
            }
        }
        line(name, times, say);
    }
}

/// From nothing to the first page.
fn starts(stores: &[(std::path::PathBuf, u64); 2], say: &impl Fn(&str)) {
    let mut times = [vec![], vec![]];
    for round in 0..ROUNDS {
        for which in [round % 2, 1 - round % 2] {
            let began = Instant::now();
            let store = Store::open(&stores[which].0).expect("open");
            let page = store.reader().expect("reader").recent(None, 500).expect("page");
            assert_eq!(page.len(), 500);
            times[which].push(began.elapsed());
            drop(store);
        }
    }
    line("start: open, migrate, first 500", times, say);
}

fn line(name: &str, times: [Vec<Duration>; 2], say: &impl Fn(&str)) {
    let [small, large] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    });
    say(&format!("{name:<44} {small:>9.1} us {large:>9.1} us {:>7.2}", large / small));
}

/// Deliveries recorded in a second by 128 senders, on the large store and on an empty one.
fn ingest(runtime: &Runtime, large: &Path, empty: &Path, say: &impl Fn(&str)) {
    const SENDERS: usize = 128;
    const SENT: usize = 30;
    let stores = [Store::open(empty).expect("open"), Store::open(large).expect("open")];
    let (mut rates, mut number) = ([vec![], vec![]], 10_000_000);
    for round in 0..11 {
        for which in [round % 2, 1 - round % 2] {
            let began = Instant::now();
            let senders: Vec<_> = (0..SENDERS)
                .map(|_| {
                    let (store, first) = (stores[which].clone(), number);
                    number += u64::try_from(SENT).expect("few");
                    runtime.spawn(async move {
                        for n in first..first + u64::try_from(SENT).expect("few") {
                            let recorded = store.record(delivery(n)).await.expect("recorded");
                            assert_eq!(recorded.summary.verdict, Verdict::Accepted);
                        }
                    })
                })
                .collect();
            for sender in senders {
                runtime.block_on(sender).expect("sent");
            }
            rates[which].push(f64::from(u32::try_from(SENDERS * SENT).expect("few")) / began.elapsed().as_secs_f64());
        }
    }
    let [empty, large] = rates.map(|mut rates| {
        rates.sort_unstable_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    let name = "ingest, 128 senders: empty, and large";
    say(&format!("{name:<44} {empty:>10.0}/s {large:>10.0}/s {:>7.2}", large / empty));
}

/// What housekeeping takes, and how long somebody waits who writes meanwhile.
fn prune(runtime: &Runtime, (path, deliveries): &(std::path::PathBuf, u64), say: &impl Fn(&str)) {
    let store = Store::open(path).expect("open");
    let now = Timestamp::from_second(NOW).expect("time");
    let keep = Keep { age: Duration::MAX, deliveries: deliveries - deliveries / 20, size: u64::MAX };
    runtime.block_on(async {
        beside(&store, "filling the index", || store.index_some(), say).await;
        beside(&store, "pruning", || store.prune_some(keep, now), say).await;
        beside(&store, "clearing the index", || store.index_some(), say).await;
        beside(&store, "giving pages back", || store.shrink_some(), say).await;
    });
}

/// Works in slices until there is no more to do; somebody else goes through the writer all the while.
async fn beside<Slice>(store: &Store, name: &str, mut slice: impl FnMut() -> Slice, say: &impl Fn(&str))
where
    Slice: Future<Output = Result<bool, dogwatch::store::StoreError>>,
{
    let other = store.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let waiting = tokio::spawn(async move {
        let mut waits = vec![];
        while stopped.try_recv().is_err() {
            let began = Instant::now();
            other.save(vec![]).await.expect("saved");
            waits.push(began.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waits
    });
    let mut slices = vec![];
    while timed(&mut slices, slice()).await {}
    let _ = stop.send(());
    let mut waits = waiting.await.expect("waited");
    slices.sort_unstable();
    waits.sort_unstable();
    let at =
        |times: &[Duration], permille: usize| times.get(times.len() * permille / 1000).copied().unwrap_or_default();
    say(&format!(
        "{name}: {} slices of {:.1?} (median); waiting beside it p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
        slices.len(),
        at(&slices, 500),
        at(&waits, 500),
        at(&waits, 990),
        waits.last().copied().unwrap_or_default(),
    ));
}

async fn timed(
    times: &mut Vec<Duration>,
    work: impl Future<Output = Result<bool, dogwatch::store::StoreError>>,
) -> bool {
    let began = Instant::now();
    let more = work.await.expect("done");
    times.push(began.elapsed());
    more
}

/// Fills the index; returns the slowest step.
async fn index(path: &Path) -> Duration {
    let store = Store::open(path).expect("open");
    let mut times = vec![];
    while timed(&mut times, store.index_some()).await {}
    times.into_iter().max().unwrap_or_default()
}

/// Writes the rows as `Store::record` would, but in one go and without waiting for the disk.
fn build(path: &Path, deliveries: u64) {
    drop(Store::open(path).expect("create"));
    let mut db = Connection::open(path.join("dogwatch.db")).expect("database");
    db.execute_batch("PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -200000")
        .expect("pragmas");
    let mut compressor = zstd::bulk::Compressor::with_dictionary(1, DICTIONARY).expect("packer");
    let tx = db.transaction().expect("transaction");
    {
        let mut insert = tx
            .prepare(
                "INSERT INTO delivery (at, account, verdict, applied, reason, status, event_id, event_type, incident,
                     subject, size, peer, headers, body, scheme, secret, changed, packed)
                 VALUES (?1, 'prod', 'accepted', 1, 'signed with env PD_SECRET', 202, ?2, ?3, ?4, ?5, ?6,
                     '192.0.2.1:5000', '', ?7, 'pagerduty-v3', 'env PD_SECRET', 'triggered', 1)",
            )
            .expect("insert");
        let mut know = tx.prepare("INSERT INTO known_event VALUES ('prod', ?1, ?2, zeroblob(32))").expect("insert");
        for n in 0..deliveries {
            let event = event(n);
            let headers = serde_json::to_string(&headers(n)).expect("headers");
            let packed = compressor.compress(format!("{headers}\n{}", event.body).as_bytes()).expect("packed");
            let at = (NOW - i64::try_from(deliveries - n).expect("few")) * 1_000_000_000;
            let size = i64::try_from(event.body.len()).expect("small");
            let kind = event.kind;
            insert.execute(params![at, event.id, kind, event.incident, event.title, size, packed]).expect("row");
            know.execute(params![event.id, tx.last_insert_rowid()]).expect("row");
        }
    }
    tx.commit().expect("commit");
}

fn delivery(n: u64) -> NewDelivery {
    let event = event(n);
    let account = AccountName::new("prod").expect("account");
    let id = IncidentId::new(event.incident).expect("id");
    NewDelivery {
        at: Timestamp::from_second(NOW).expect("time"),
        account: Some(account.clone()),
        proof: Some(Proof { scheme: Scheme::PagerdutyV3, secret: Shown::line("env PD_SECRET") }),
        timings: Timings { read_us: 100, check_us: 50, commit_us: None },
        verdict: Verdict::Accepted,
        reason: Shown::line("signed with env PD_SECRET"),
        status: 202,
        decoded: Some(Decoded {
            event_id: EventId::new(event.id).expect("id"),
            event_type: Shown::line(event.kind),
            occurred_at: None,
            incident: Some(IncidentKey { account, id }),
            subject: Some(Shown::line(&event.title)),
            observation: None,
        }),
        peer: "192.0.2.1:5000".to_owned(),
        headers: headers(n),
        body: event.body.into_bytes(),
    }
}

fn headers(n: u64) -> Vec<(String, String)> {
    let mut dice = fastrand::Rng::with_seed(n ^ 0xdead);
    let mut hex =
        |length| (0..length).map(|_| char::from_digit(dice.u32(..16), 16).expect("digit")).collect::<String>();
    [
        ("host", "hooks.example.net".to_owned()),
        ("user-agent", "PagerDuty-Webhook/V3.0".to_owned()),
        ("content-length", "2950".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("x-webhook-subscription", "PSUB001".to_owned()),
        ("x-webhook-id", format!("{}-{}-{}-{}-{}", hex(8), hex(4), hex(4), hex(4), hex(12))),
        ("x-pagerduty-signature", format!("v1={}", hex(64))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

struct Event {
    id: String,
    kind: &'static str,
    incident: String,
    title: String,
    body: String,
}

fn incident(n: u64) -> String {
    format!("Q{}", letters(&mut fastrand::Rng::with_seed(n), 13))
}

fn letters(dice: &mut fastrand::Rng, length: usize) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..length).map(|_| char::from(LETTERS[dice.usize(..LETTERS.len())])).collect()
}

/// An event of about 3 KB, the same for the same number.
fn event(n: u64) -> Event {
    const KINDS: [&str; 4] = ["incident.triggered", "incident.acknowledged", "incident.annotated", "incident.resolved"];
    const CAUSES: [&str; 8] = [
        "disk full on",
        "high cpu load on",
        "replication lag at",
        "connection refused by",
        "certificate expires at",
        "out of memory on",
        "error rate above limit for",
        "queue backlog of",
    ];
    const SERVICES: [&str; 6] = ["Billing API", "Checkout", "Search Cluster", "Payments Gateway", "Kafka EU", "Web"];
    const PEOPLE: [&str; 5] = ["Alice Adams", "Bob Brown", "Carla Cruz", "Dan Doe", "Eve Ernst"];
    let mut dice = fastrand::Rng::with_seed(n);
    let reference = |kind: &str, name: &str, n: usize| {
        let id = format!("P{}{n:03}", kind.get(..3).unwrap_or_default().to_uppercase());
        let (api, acme) = ("https://api.pagerduty.com", "https://acme.pagerduty.com");
        format!(
            r#"{{"html_url":"{acme}/{kind}s/{id}","id":"{id}","self":"{api}/{kind}s/{id}","summary":"{name}","type":"{kind}_reference"}}"#
        )
    };
    let person = |n: usize| reference("user", PEOPLE[n % PEOPLE.len()], n);
    // As real ones: the front rises with time, the rest is random.
    let (id, incident) = (format!("01{n:08}{}", letters(&mut dice, 16)), incident(n / EACH));
    let (kind, cause) = (KINDS[dice.usize(..KINDS.len())], CAUSES[dice.usize(..CAUSES.len())]);
    let role = ["db", "web", "api", "cache"][dice.usize(..4)];
    let place = ["prod", "stage"][dice.usize(..2)];
    let needle = if n.is_multiple_of(2_500) { " needle" } else { "" };
    let title = format!("{cause} {role}-{place}-{:02}.eu-{}.example.com{needle}", dice.u8(..60), dice.u8(..3));
    let service = dice.usize(..SERVICES.len());
    let at = format!("2026-11-{:02}T{:02}:{:02}:{:02}", dice.u8(1..29), dice.u8(..24), dice.u8(..60), dice.u8(..60));
    let body = format!(
        r#"{{"event":{{"id":"{id}","event_type":"{kind}","resource_type":"incident","occurred_at":"{at}.{:03}Z","agent":{},"client":null,"data":{{"id":"{incident}","type":"incident","self":"https://api.pagerduty.com/incidents/{incident}","html_url":"https://acme.pagerduty.com/incidents/{incident}","number":{n},"status":"triggered","incident_key":"{:032x}","created_at":"{at}Z","title":"{title}","service":{},"assignees":[{},{},{}],"escalation_policy":{},"teams":[{},{}],"priority":{},"urgency":"high","conference_bridge":{{"conference_number":"+1 555 {:07}","conference_url":"https://meet.example.com/{}"}},"custom_fields":[{{"id":"PFIELD1","name":"runbook","value":"https://wiki.example.com/runbooks/{role}-{}"}},{{"id":"PFIELD2","name":"region","value":"eu-{}"}}],"resolve_reason":null,"incident_type":{{"name":"incident_default"}}}}}}}}"#,
        dice.u16(..1000),
        person(dice.usize(..40)),
        dice.u128(..),
        reference("service", SERVICES[service], service),
        person(dice.usize(..40)),
        person(dice.usize(..40)),
        person(dice.usize(..40)),
        reference("escalation_policy", "Default escalation", dice.usize(..9)),
        reference("team", "Platform", dice.usize(..9)),
        reference("team", "Storage", dice.usize(..9)),
        reference("priority", "P1", dice.usize(..5)),
        dice.u32(..10_000_000),
        letters(&mut dice, 10).to_lowercase(),
        dice.u8(..99),
        dice.u8(..9),
    );
    Event { id, kind, incident, title, body }
}
