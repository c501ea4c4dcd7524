//! A query for deliveries, in the words of the store.

use crate::{
    core::{
        board::Board,
        delivery::{Direction, Verdict},
        id::IncidentKey,
        incident::Incident,
        query::{
            Literal,
            delivery::{Condition, Wanted},
        },
    },
    store::{Condition as Stored, Pattern, Search},
};

/// What the store is to look for. `numbered` knows the incidents with a number, of all accounts.
pub fn of(wanted: &Wanted, numbered: impl Fn(u64) -> Vec<IncidentKey>) -> Search {
    if wanted.is_empty() {
        return Search::default();
    }
    let any = |conditions: &Vec<Condition>| Search::Any(conditions.iter().map(|one| search(one, &numbered)).collect());
    let literal = |literal: &Literal<Vec<Condition>>| match literal {
        Literal::Is(conditions) => any(conditions),
        Literal::Not(conditions) => Search::Not(Box::new(any(conditions))),
    };
    Search::Any(wanted.groups.iter().map(|group| Search::All(group.iter().map(literal).collect())).collect())
}

fn search(condition: &Condition, numbered: &impl Fn(u64) -> Vec<IncidentKey>) -> Search {
    let pattern = |glob: &crate::core::query::delivery::Glob| Pattern::new(glob.as_str());
    Search::Is(match condition {
        Condition::Word(word) => return by_word(word, numbered),
        Condition::Number(number) => return Search::Any(numbered(*number).into_iter().map(of_incident).collect()),
        Condition::IncidentOf(account, id) => {
            return of_incident(IncidentKey { account: account.clone(), id: id.clone() });
        }
        Condition::Unsigned => return unsigned(),
        Condition::Text(phrase) => Stored::Text(phrase.as_str().to_owned()),
        Condition::Verdict(verdict) => Stored::Verdict(*verdict),
        Condition::EventType(glob) => Stored::EventType(pattern(glob)),
        Condition::Account(name) => Stored::Account(name.clone()),
        Condition::Incident(id) => Stored::Incident(id.clone()),
        Condition::EventId(glob) => Stored::EventId(pattern(glob)),
        Condition::Status(range) => Stored::Status(range.clone()),
        Condition::From(glob) => Stored::Peer(pattern(glob)),
        Condition::Scheme(scheme) => Stored::Scheme(*scheme),
        Condition::Secret(glob) => Stored::Secret(pattern(glob)),
        Condition::Altered => Stored::Altered,
        Condition::Changed => Stored::Changed,
        Condition::Since(at) => Stored::Since(*at),
        Condition::Until(at) => Stored::Until(*at),
        Condition::Size(range) => Stored::Size(range.clone()),
        Condition::Took(range) => Stored::Latency(range.clone()),
        Condition::Direction(Direction::Outgoing) => return went_out(),
        Condition::Direction(Direction::Incoming) => return Search::Not(Box::new(went_out())),
        Condition::Target(name) => Stored::Target(name.clone()),
    })
}

fn by_word(word: &str, numbered: &impl Fn(u64) -> Vec<IncidentKey>) -> Search {
    let number = word.strip_prefix('#').unwrap_or(word).parse().ok();
    let incidents = number.map(numbered).unwrap_or_default().into_iter().map(of_incident);
    Search::Any(std::iter::once(Search::Is(Stored::Line(word.to_owned()))).chain(incidents).collect())
}

fn of_incident(key: IncidentKey) -> Search {
    Search::All(vec![Search::Is(Stored::Account(key.account)), Search::Is(Stored::Incident(key.id))])
}

fn went_out() -> Search {
    Search::Any([Verdict::Sent, Verdict::Failed].map(|verdict| Search::Is(Stored::Verdict(verdict))).to_vec())
}

fn unsigned() -> Search {
    let all = crate::core::delivery::Scheme::ALL.into_iter().filter(|scheme| !scheme.is_signed());
    Search::Any(all.map(|scheme| Search::Is(Stored::Scheme(Some(scheme)))).collect())
}

/// The incidents on the board with this number.
pub fn numbered(board: &Board, number: u64) -> Vec<IncidentKey> {
    among(board.incidents.values(), number)
}

/// Those of `incidents` with this number.
pub fn among<'a>(incidents: impl IntoIterator<Item = &'a Incident>, number: u64) -> Vec<IncidentKey> {
    let with = incidents.into_iter().filter(|incident| incident.state.number == Some(number));
    with.map(|incident| incident.key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        core::{
            delivery::{Decoded, DeliverySummary, Proof, Scheme, Timings, Verdict},
            forward::EventType,
            id::{AccountName, EventId, IncidentId},
            query::{
                self, Clock, Truth,
                delivery::{Record, judge},
            },
            text::Shown,
        },
        store::{About, Applied, Attempt, Ended, NewDelivery, Reader, Store, Then, Write},
    };

    /// What a delivery may be made of; few values, so that queries meet them.
    #[derive(Debug, Clone)]
    struct Made {
        minutes: i64,
        verdict: Verdict,
        kind: usize,
        incident: usize,
        scheme: usize,
        peer: usize,
        text: usize,
        changed: usize,
    }

    const KINDS: [&str; 4] = ["incident.triggered", "incident.resolved", "service.updated", "Ping"];
    const INCIDENTS: [&str; 3] = ["Q1DISK", "Q2LATE", "Q3"];
    const PEERS: [&str; 3] = ["203.0.113.7:50112", "[2001:db8::1]:443", "198.51.100.9:1"];
    const TEXTS: [&str; 5] = ["Disk 97 % full on db-3", "p99 latency", "夜間バッチ failed", "x", "Straße İ é"];
    const CHANGES: [Option<&str>; 3] = [None, Some("triggered -> resolved"), Some("nothing: this was known already")];
    const NUMBER: u64 = 1201;
    const TARGETS: [&str; 2] = ["chat", "jira"];

    fn now() -> Timestamp {
        "2025-06-10T02:17:30Z".parse().expect("time")
    }

    fn new(made: &Made, at: usize) -> NewDelivery {
        let account: AccountName = ["prod", "eu"][at % 2].parse().expect("id");
        let incident = INCIDENTS
            .get(made.incident)
            .map(|id| IncidentKey { account: account.clone(), id: IncidentId::new(*id).expect("id") });
        let genuine = made.verdict != Verdict::Rejected;
        let text = TEXTS[made.text];
        let decoded = (made.verdict == Verdict::Accepted).then(|| Decoded {
            event_id: EventId::new(format!("01EVENT{}", at % 5)).expect("id"),
            event_type: KINDS[made.kind].into(),
            occurred_at: None,
            incident,
            subject: (made.kind != 3).then(|| text.into()),
            observation: None,
        });
        let proof = Scheme::ALL.get(made.scheme).filter(|_| genuine);
        NewDelivery {
            at: now() - jiff::SignedDuration::from_mins(made.minutes),
            account: (made.kind != 2 || genuine).then_some(account),
            proof: proof.map(|scheme| Proof { scheme: *scheme, secret: "env PD_SECRET".into() }),
            timings: Timings::default(),
            verdict: made.verdict,
            reason: if genuine { "signed" } else { "no signature matches" }.into(),
            status: if genuine { 202 } else { 401 },
            decoded,
            peer: PEERS[made.peer].into(),
            headers: vec![],
            body: serde_json::to_vec(&serde_json::json!({ "title": text, "at": at / 3 })).expect("json"),
        }
    }

    /// The same, if it went out.
    fn attempt(made: &Made, at: usize) -> Option<Ended> {
        if !matches!(made.verdict, Verdict::Sent | Verdict::Failed) {
            return None;
        }
        let like = new(&Made { verdict: Verdict::Accepted, ..made.clone() }, at);
        let about = like.decoded.map(|told| About {
            event: told.event_id.to_string(),
            kind: EventType::new(told.event_type.as_str()).expect("name"),
            incident: told.incident,
            title: told.subject.unwrap_or_default(),
        });
        let attempt = Attempt {
            at: like.at,
            target: TARGETS[made.text % 2].parse().expect("name"),
            about: about.filter(|_| made.kind != 3),
            verdict: made.verdict,
            reason: if made.verdict == Verdict::Sent { "200 OK" } else { "no answer within 5 s" }.into(),
            status: if made.verdict == Verdict::Sent { 200 } else { 0 },
            peer: "https://hooks.example.com".into(),
            headers: vec![],
            body: like.body,
            response: vec![],
            format: None,
            timings: Timings { commit_us: Some(1_000 * u64::try_from(at).expect("small")), ..Timings::default() },
        };
        Some(Ended { attempt, then: Then::Nothing, standing: None })
    }

    fn any_made() -> impl Strategy<Value = Made> {
        let verdict = prop_oneof![
            3 => Just(Verdict::Accepted),
            1 => Just(Verdict::Rejected),
            1 => Just(Verdict::Undecodable),
            1 => Just(Verdict::Sent),
            1 => Just(Verdict::Failed),
        ];
        (verdict, 0..120i64, 0..4usize, 0..5usize, 0..12usize, 0..3usize, 0..5usize, 0..3usize).prop_map(
            |(verdict, minutes, kind, incident, scheme, peer, text, changed)| Made {
                minutes,
                verdict,
                kind,
                incident,
                scheme,
                peer,
                text,
                changed,
            },
        )
    }

    /// What queries are made of.
    const TERMS: &[&str] = &[
        "verdict:rejected",
        "verdict:accepted,duplicate",
        "type:incident.*",
        "type:triggered",
        "type:ping",
        "Ping",
        "from:203.0.113.7",
        "from:2001:db8::1",
        "from:203.0.113",
        "from:198.*",
        "account:prod",
        "account:nowhere",
        "incident:Q1DISK",
        "incident:eu/Q2LATE",
        "incident:#1201",
        "incident:#7",
        "#1201",
        "1201",
        "status:401",
        "status:2xx",
        "status:>400",
        "scheme:none",
        "scheme:bearer,hmac",
        "secret:pd_",
        "secret:env",
        "secret:*x",
        "event:01EVENT1",
        "event:*2",
        "is:altered",
        "is:unsigned",
        "is:changed",
        "since:1h",
        "until:30m",
        "age:>1h",
        "age:<10m",
        "size:>40",
        "size:0..50",
        "took:<1s",
        "took:>10ms",
        "direction:in",
        "direction:out",
        "target:chat",
        "target:jira,nope",
        "verdict:sent",
        "verdict:failed,rejected",
        "chat",
        "status:200",
        "disk",
        "DISK",
        "9",
        "é",
        "straße",
        "İ",
        "q3",
        "signed",
        "prod",
        "\"disk 97\"",
        "\"disk fu\"",
        "\"on DB 3\"",
        "\"夜間\"",
        "\"バッチ\"",
        "\"チ failed\"",
        "\"title p99\"",
        "\"x\"",
        "\"nope\"",
        "\"9\"",
        "\"i̇ é\"",
        "or",
    ];

    fn any_query() -> impl Strategy<Value = String> {
        let term = prop::sample::select(TERMS);
        prop::collection::vec((any::<bool>(), term), 1..5).prop_map(|terms| {
            let last = terms.len() - 1;
            let words = terms.into_iter().enumerate().map(|(at, (not, term))| match (term, not) {
                ("or", _) if at == 0 || at == last => "ping".to_owned(),
                ("or", _) => "or ping or".to_owned(),
                (term, true) => format!("!{term}"),
                (term, false) => term.to_owned(),
            });
            words.collect::<Vec<_>>().join(" ").replace("or ping or or ping or", "or ping or")
        })
    }

    async fn filled(dir: &std::path::Path, made: &[Made]) -> Vec<DeliverySummary> {
        let store = Store::open(dir).expect("store");
        for (at, made) in made.iter().enumerate() {
            if let Some(ended) = attempt(made, at) {
                store.end(ended).await.expect("recorded");
                continue;
            }
            let summary = store.record(new(made, at)).await.expect("recorded").summary;
            let changed = CHANGES[made.changed].map(Shown::line);
            let applied = Applied { id: summary.id, changed, commit_us: None };
            store.save(vec![Write::Applied(vec![applied])]).await.expect("applied");
        }
        store.read(|reader| reader.recent(None, 1000)).await.expect("lines")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_live_log_and_the_store_agree(
            made in prop::collection::vec(any_made(), 1..30),
            queries in prop::collection::vec(any_query(), 12),
        ) {
            let dir = tempfile::tempdir().expect("tempdir");
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let lines = runtime.expect("runtime").block_on(filled(dir.path(), &made));
            let reader = Reader::open(dir.path()).expect("reader");
            let disk = IncidentKey { account: "prod".parse().expect("id"), id: "Q1DISK".parse().expect("id") };
            for text in queries {
                let wanted = query::delivery::read(&text, Clock { now: now(), zone: &TimeZone::UTC }).expect(&text);
                let numbers = |number| if number == NUMBER { vec![disk.clone()] } else { vec![] };
                let search = of(&wanted, numbers);
                let found = reader.search(&search, None, 1000).expect("found");
                prop_assert_eq!(found.next, None);
                for line in &lines {
                    let number = (line.incident.as_ref() == Some(&disk)).then_some(NUMBER);
                    let is_found = found.deliveries.iter().any(|found| found.id == line.id);
                    match judge(&wanted, &Record { line, number }) {
                        Truth::Yes => prop_assert!(is_found, "{} misses {:?}", text, line),
                        Truth::No => prop_assert!(!is_found, "{} finds {:?}", text, line),
                        Truth::Perhaps => {}
                    }
                    prop_assert_eq!(reader.fits(&search, line.id).expect("judged"), is_found, "{}", text);
                }
            }
        }
    }
}
