//! Lists over several pages, and what is fetched with an incident.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::watch, time::timeout};

use super::*;
use crate::{
    core::detail::Detail,
    provider::{Provider as _, ProviderError},
};

fn number(request: &Request, name: &str) -> usize {
    let found = request.url.query_pairs().find(|(key, _)| key == name);
    found.and_then(|(_, value)| value.parse().ok()).expect(name)
}

fn pairs(request: &Request) -> Vec<(String, String)> {
    request.url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// One page of `rows`, at most `most` of them, as `PagerDuty` would cut it.
fn page(rows: &[Value], request: &Request, most: usize) -> ResponseTemplate {
    let (offset, limit) = (number(request, "offset"), number(request, "limit").min(most));
    if offset + limit > 10_000 {
        return ResponseTemplate::new(400).set_body_json(json!({ "error": { "message": "Invalid Input Provided" } }));
    }
    let shown: Vec<_> = rows.iter().skip(offset).take(limit).collect();
    let mut body = json!({ "incidents": shown });
    if offset + shown.len() < rows.len() {
        body["more"] = json!(true);
    }
    ok(body)
}

fn numbered(count: usize) -> Vec<Value> {
    (0..count).map(|n| incident(&format!("P{n}"))).collect()
}

async fn serving(respond: impl Fn(&Request) -> ResponseTemplate + Send + Sync + 'static) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(matchers::path("/incidents")).respond_with(respond).mount(&server).await;
    server
}

async fn ids(server: &MockServer) -> Vec<String> {
    let seen = client_of(server).open_incidents().await.expect("a list");
    seen.iter().map(|seen| seen.key.id.to_string()).collect()
}

#[tokio::test]
async fn the_open_list_is_asked_for_however_old_and_in_order_of_creation() {
    let server = serving(|request| page(&numbered(1), request, 100)).await;

    assert_eq!(ids(&server).await, ["P0"]);

    let expected = [
        ("date_range", "all"),
        ("statuses[]", "triggered"),
        ("statuses[]", "acknowledged"),
        ("sort_by", "created_at:asc"),
        ("limit", "100"),
        ("offset", "0"),
        ("total", "true"),
    ];
    assert_eq!(pairs(&requests(&server).await[0]), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn resolved_incidents_are_not_asked_for_beyond_the_longest_range() {
    let server = serving(|request| page(&[], request, 100)).await;

    client_of(&server).resolved_incidents(jiff::Timestamp::UNIX_EPOCH).await.expect("a list");

    let since = pairs(&requests(&server).await[0]).into_iter().find(|(key, _)| key == "since").expect("since").1;
    let age = jiff::Timestamp::now().duration_since(since.parse().expect("time"));
    assert!(age > jiff::SignedDuration::from_hours(179 * 24) && age < jiff::SignedDuration::from_hours(181 * 24));
}

#[tokio::test]
async fn pages_are_counted_by_what_came_not_by_what_was_asked_for() {
    for most in [1, 2, 7, 100] {
        let server = serving(move |request| page(&numbered(23), request, most)).await;

        assert_eq!(ids(&server).await.len(), 23, "pages of {most}");
    }
}

#[tokio::test]
async fn incidents_that_vanish_while_pages_are_read_take_no_other_with_them() {
    let (all, asked) = (numbered(350), AtomicUsize::new(0));
    let server = serving(move |request| {
        let before = asked.fetch_add(1, Ordering::SeqCst);
        // Before the second page 30 incidents of the first are resolved; before the third another 150.
        let gone = [0, 30].get(before).copied().unwrap_or(180);
        page(&all[gone..], request, 100)
    })
    .await;

    let found = ids(&server).await;

    for n in 180..350 {
        assert!(found.contains(&format!("P{n}")), "P{n} is missing");
    }
    assert_eq!(found.len(), found.iter().collect::<std::collections::HashSet<_>>().len());
}

#[tokio::test]
async fn a_list_that_shrinks_to_less_than_was_read_is_read_again() {
    let (all, asked) = (numbered(150), AtomicUsize::new(0));
    let server = serving(move |request| {
        let gone = if asked.fetch_add(1, Ordering::SeqCst) == 0 { 0 } else { 90 };
        page(&all[gone..], request, 100)
    })
    .await;

    let found = ids(&server).await;

    assert!((90..150).all(|n| found.contains(&format!("P{n}"))), "{found:?}");
}

#[tokio::test]
async fn a_server_that_knows_no_pages_is_asked_twice_at_most() {
    let one = ok(json!({ "incidents": [incident("P1")], "limit": 1, "offset": 0, "more": true }));
    let server = serving(move |_| one.clone()).await;

    assert_eq!(ids(&server).await, ["P1"]);
    assert_eq!(requests(&server).await.len(), 2);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_to_its_end_is_an_error_not_a_shorter_list() {
    let endless = ok(json!({ "incidents": [], "more": true }));
    let other = ok(json!({ "things": [] }));
    let null = ok(json!({ "incidents": null }));
    let odd = ok(json!({ "incidents": [incident("P1"), { "id": "P2", "status": "odd" }] }));
    for (answer, words) in [(endless, "empty page"), (other, "missing"), (null, "missing"), (odd, "incident \"P2\"")] {
        let server = serving(move |_| answer.clone()).await;

        let error = client_of(&server).open_incidents().await.expect_err("not whole");

        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn more_rows_of_one_moment_than_pagerduty_shows_are_an_error_that_says_so() {
    let most = |count: usize| {
        let rows = numbered(count);
        serving(move |request| page(&rows, request, 100))
    };

    assert_eq!(ids(&most(9_990).await).await.len(), 9_990);
    let error = client_of(&most(10_050).await).open_incidents().await.expect_err("too many");

    assert!(error.to_string().contains("more than 10000"), "{error}");
}

/// What a list with `since` shows of these, in order of creation.
fn created_since(rows: &[Value], request: &Request) -> Vec<Value> {
    let since = pairs(request).into_iter().find(|(key, _)| key == "since").map(|(_, value)| value);
    let late = |row: &&Value| since.as_ref().is_none_or(|since| row["created_at"].as_str() >= Some(since.as_str()));
    rows.iter().filter(late).cloned().collect()
}

#[tokio::test]
async fn more_rows_than_pagerduty_shows_in_pages_are_read_in_spans_of_time() {
    let mut rows = numbered(10_250);
    for (n, row) in rows.iter_mut().enumerate() {
        row["created_at"] = json!(format!("2026-01-01T{:02}:{:02}:{:02}Z", n / 3600, n / 60 % 60, n % 60));
    }
    let server = serving(move |request| page(&created_since(&rows, request), request, 100)).await;

    let found: std::collections::HashSet<String> = ids(&server).await.into_iter().collect();

    assert_eq!(found.len(), 10_250);
    let asked = requests(&server).await;
    assert!(asked.iter().all(|one| number(one, "offset") + number(one, "limit") <= 10_000));
    assert!(asked.len() < 115, "{} requests", asked.len());
}

/// The same page with the count of all rows, as `total=true` asks for it.
fn counted(rows: &[Value], request: &Request) -> ResponseTemplate {
    let (offset, limit) = (number(request, "offset"), number(request, "limit"));
    let shown: Vec<_> = rows.iter().skip(offset).take(limit).collect();
    let more = offset + shown.len() < rows.len();
    ok(json!({ "incidents": shown, "more": more, "total": rows.len() }))
}

#[tokio::test]
async fn the_pages_behind_the_first_are_read_side_by_side_and_each_once() {
    let (peak, under_way) = (watch::Sender::new(0), Arc::new(AtomicUsize::new(0)));
    let (rows, told) = (numbered(1000), peak.clone());
    let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let (rows, told, under_way) = (rows.clone(), told.clone(), Arc::clone(&under_way));
        async move {
            let url = reqwest::Url::parse(&format!("http://x{}", request.uri())).expect("url");
            let part = |name: &str| url.query_pairs().find(|(key, _)| key == name).and_then(|(_, v)| v.parse().ok());
            let (offset, limit): (usize, usize) = (part("offset").expect("offset"), part("limit").expect("limit"));
            let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
            told.send_if_modified(|peak| std::mem::replace(peak, now.max(*peak)) < now);
            if offset > 0 {
                // No page is answered before another one is asked for too.
                let _ = timeout(Duration::from_secs(10), told.subscribe().wait_for(|peak| *peak > 1)).await;
            }
            under_way.fetch_sub(1, Ordering::SeqCst);
            let shown: Vec<_> = rows.iter().skip(offset).take(limit).cloned().collect();
            let more = offset + shown.len() < rows.len();
            axum::Json(json!({ "incidents": shown, "more": more, "total": rows.len() }))
        }
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = client(settings(&url));
    let found = client.open_incidents().await.expect("a list");

    assert_eq!(found.len(), 1000);
    assert!(client.requests() <= 12, "{} requests", client.requests());
    let most = *peak.borrow();
    assert!((2..=4).contains(&most), "{most} at the same time");
}

#[tokio::test]
async fn incidents_that_shift_while_pages_are_read_side_by_side_are_not_taken_for_gone() {
    for seed in 0..8 {
        let (all, state) = (numbered(1500), Mutex::new((fastrand::Rng::with_seed(seed), vec![false; 1500])));
        let gone = Arc::new(Mutex::new(vec![]));
        let left = Arc::clone(&gone);
        let server = serving(move |request| {
            let (rng, over) = &mut *state.lock().expect("lock");
            // Before each page some are resolved, anywhere.
            for _ in 0..rng.usize(..40) {
                over[rng.usize(..1500)] = true;
            }
            *left.lock().expect("lock") = over.clone();
            let open: Vec<Value> =
                all.iter().zip(&*over).filter(|(_, over)| !**over).map(|(row, _)| row.clone()).collect();
            counted(&open, request)
        })
        .await;

        let found: std::collections::HashSet<String> = ids(&server).await.into_iter().collect();

        let gone = gone.lock().expect("lock").clone();
        let missing: Vec<usize> = (0..1500).filter(|n| !gone[*n] && !found.contains(&format!("P{n}"))).collect();
        assert!(missing.is_empty(), "seed {seed}: open and not in the list: {missing:?}");
    }
}

#[tokio::test]
async fn a_failing_second_page_fails_the_list() {
    let all = numbered(150);
    let server = serving(move |request| match number(request, "offset") {
        0 => page(&all, request, 100),
        _ => ResponseTemplate::new(500),
    })
    .await;

    let error = client_of(&server).open_incidents().await.expect_err("half a list");

    assert!(matches!(error, ProviderError::Broken { status: 500, .. }), "{error:?}");
}

async fn detail_with(answers: [ResponseTemplate; 3]) -> Result<Detail, ProviderError> {
    let server = MockServer::start().await;
    for (part, answer) in ["alerts", "notes", "log_entries"].iter().zip(answers) {
        on(&server, "GET", &format!("/incidents/P1/{part}"), answer).await;
    }
    client_of(&server).detail(&incident_id("P1"), jiff::Timestamp::UNIX_EPOCH).await
}

fn notes() -> ResponseTemplate {
    let note =
        |at: &str, words: &str| json!({ "created_at": at, "content": words, "user": { "id": "U1", "summary": "Ann" } });
    ok(json!({ "notes": [note("2026-01-01T00:00:00Z", "first"), note("2026-01-01T00:00:00-01:00", "second"), 7] }))
}

#[tokio::test]
async fn a_part_of_the_detail_that_fails_is_named_and_the_rest_is_shown_newest_first() {
    let alerts = ok(json!({ "alerts": [{ "id": "A1", "summary": "disk", "body": { "details": { "free": "1%" } } }] }));

    let detail = detail_with([alerts, notes(), ResponseTemplate::new(500)]).await.expect("two of three");

    assert_eq!(detail.notes.iter().map(|note| note.content.as_str()).collect::<Vec<_>>(), ["second", "first"]);
    assert_eq!(detail.alerts[0].details.as_ref().and_then(|tree| tree.say("free")), Some("1%"));
    let missing: Vec<_> = detail.missing.iter().map(ToString::to_string).collect();
    let expected = ["timeline: the provider answered 500: Internal Server Error", "notes: 1 could not be read"];
    assert_eq!(missing, expected);
}

#[tokio::test]
async fn notes_which_know_no_pages_are_asked_for_without_one() {
    let server = MockServer::start().await;
    on(&server, "GET", "/incidents/P1/notes", notes()).await;
    on(&server, "GET", "/incidents/P1/alerts", ok(json!({ "alerts": [] }))).await;
    on(&server, "GET", "/incidents/P1/log_entries", ok(json!({ "log_entries": [] }))).await;

    client_of(&server).detail(&incident_id("P1"), jiff::Timestamp::UNIX_EPOCH).await.expect("a detail");

    let asked = requests(&server).await;
    let notes: Vec<_> = asked.iter().filter(|one| one.url.path().ends_with("/notes")).collect();
    assert_eq!((notes.len(), notes[0].url.query()), (1, None));
}

#[tokio::test]
async fn what_happened_since_is_read_from_the_log_unless_there_is_too_much_of_it_or_it_is_not_shown() {
    let entry = |n: usize| {
        let incident = json!({ "id": format!("P{}", n % 3), "type": "incident_reference" });
        json!({ "id": format!("R{n}"), "type": "x_log_entry", "created_at": "2026-01-01T00:00:00Z", "incident": incident })
    };
    let touched = async |count: usize, status: u16| {
        let server = MockServer::start().await;
        let entries: Vec<Value> = (0..count).map(entry).collect();
        let answer = move |request: &Request| {
            let (offset, limit) = (number(request, "offset"), number(request, "limit"));
            let shown: Vec<_> = entries.iter().skip(offset).take(limit).collect();
            let body = json!({ "log_entries": shown, "more": offset + shown.len() < entries.len() });
            ResponseTemplate::new(status).set_body_json(body)
        };
        Mock::given(matchers::path("/log_entries")).respond_with(answer).mount(&server).await;
        let touched = client_of(&server).touched_since(jiff::Timestamp::UNIX_EPOCH).await;
        (touched, requests(&server).await.len())
    };

    let (few, asked) = touched(150, 200).await;
    let few = few.expect("an answer").expect("told");
    assert_eq!((few.len(), few[4].incident.as_str(), few[4].entry.as_str(), asked), (150, "P1", "R4", 2));
    let (many, asked) = touched(5000, 200).await;
    assert_eq!((many, asked < 8), (Ok(None), true));
    assert_eq!(touched(1, 403).await.0, Ok(None));
    assert!(touched(1, 500).await.0.is_err(), "not known is not nothing");
}

#[tokio::test]
async fn a_detail_of_which_nothing_comes_is_an_error() {
    let gone = ResponseTemplate::new(404);

    let error = detail_with([gone.clone(), gone.clone(), gone]).await.expect_err("nothing");

    assert!(matches!(error, ProviderError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_long_list_of_alerts_is_cut_and_the_cut_is_said() {
    let alerts: Vec<_> = (0..100).map(|n| json!({ "id": format!("A{n}"), "summary": "x" })).collect();
    let entries = ok(json!({ "log_entries": [] }));

    let detail =
        detail_with([ok(json!({ "alerts": alerts, "more": true })), notes(), entries]).await.expect("a detail");

    assert_eq!((detail.alerts.len(), detail.missing[0].as_str()), (100, "alerts: only the first 100 are shown"));
}

#[tokio::test]
async fn shifts_come_with_the_list_or_else_one_schedule_at_a_time() {
    let server = MockServer::start().await;
    let entry = json!({ "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "user": { "id": "U1" } });
    let rendered = json!({ "rendered_schedule_entries": [entry], "rendered_coverage_percentage": 100.0 });
    let with = json!({ "id": "S1", "name": "with", "final_schedule": rendered });
    let gap = json!({ "id": "S2", "name": "nobody",
        "final_schedule": { "rendered_schedule_entries": [], "rendered_coverage_percentage": 0.0 } });
    let without = json!({ "id": "S3", "name": "without" });
    let gone = json!({ "id": "S4", "name": "gone" });
    on(&server, "GET", "/schedules", ok(json!({ "schedules": [with, gap, without, gone] }))).await;
    let whole = json!({ "id": "S3", "name": "without", "time_zone": "Europe/Oslo", "final_schedule": rendered });
    on(&server, "GET", "/schedules/S3", ok(json!({ "schedule": whole }))).await;

    let found = client_of(&server).schedules("2026-01-01T00:00:00.5Z".parse().expect("time")).await.expect("schedules");
    let found = found.all;

    let told: Vec<_> = found.iter().map(|one| (one.schedule.name.as_str(), one.shifts.len())).collect();
    assert_eq!(told, [("nobody", 0), ("with", 1), ("without", 1)]);
    let last = requests(&server).await.into_iter().find(|one| one.url.path() == "/schedules/S3").expect("asked");
    let expected = [
        ("since", "2026-01-01T00:00:00Z"),
        ("until", "2026-01-08T00:00:00Z"),
        ("time_zone", "UTC"),
        ("overflow", "true"),
    ];
    assert_eq!(pairs(&last), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let cut =
        |one: &crate::core::oncall::Schedule| (one.cuts_start_of(&one.shifts[0]), one.cuts_end_of(&one.shifts[0]));
    assert_eq!(cut(&found[1]), (true, false), "the window begins where it was asked for, to the second");
}

#[tokio::test]
async fn the_directory_holds_people_and_policies() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users", ok(json!({ "users": [{ "id": "U1", "name": "Ann", "email": "a@example.com" }] })))
        .await;
    let policies = json!({ "escalation_policies": [{ "id": "E1", "name": "Default" }] });
    on(&server, "GET", "/escalation_policies", ok(policies)).await;

    let directory = client_of(&server).directory().await.expect("directory");

    assert_eq!(directory.people[0].email.as_ref().expect("email").as_str(), "a@example.com");
    assert_eq!(directory.policies[0].name.as_str(), "Default");
}
