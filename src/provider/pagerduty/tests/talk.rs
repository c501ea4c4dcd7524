//! One exchange: what is sent, what each answer means, what is tried again.

use std::sync::{Arc, Mutex};

use super::*;
use crate::{
    core::{
        action::Step,
        call::{ApiCall, End, Purpose},
    },
    provider::{Provider as _, ProviderError, http::BadAddress, pagerduty::SetupError},
};

#[tokio::test]
async fn a_read_carries_key_and_version_and_no_sender() {
    let server = MockServer::start().await;
    on(&server, "GET", "/incidents/P1", ok(json!({ "incident": incident("P1") }))).await;

    client_of(&server).incident(&incident_id("P1")).await.expect("an incident");

    let requests = requests(&server).await;
    assert_eq!(header(&requests[0], "authorization"), Some("Token token=y_NbAkKc66ryYTWUXYEu"));
    assert_eq!(header(&requests[0], "accept"), Some("application/vnd.pagerduty+json;version=2"));
    assert_eq!(header(&requests[0], "user-agent"), Some(concat!("dogwatch/", env!("CARGO_PKG_VERSION"))));
    assert_eq!((header(&requests[0], "from"), header(&requests[0], "content-type")), (None, None));
}

#[tokio::test]
async fn each_status_is_told_apart_and_no_message_holds_the_key() {
    let text = format!("sorry, {TOKEN}");
    let words = "sorry, [key]".to_owned();
    let refused = |status| ProviderError::Refused { status, reason: words.clone() };
    let cases = [
        (400, refused(400)),
        (402, ProviderError::Forbidden { reason: words.clone() }),
        (403, ProviderError::Forbidden { reason: words.clone() }),
        (404, ProviderError::NotFound { what: "incidents/P1".to_owned() }),
        (408, ProviderError::Broken { status: 408, reason: words.clone() }),
        (422, refused(422)),
        (500, ProviderError::Broken { status: 500, reason: words.clone() }),
        (503, ProviderError::Broken { status: 503, reason: words.clone() }),
    ];
    for (status, expected) in cases {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_json(json!({ "error": { "message": text } }));
        on(&server, "GET", "/incidents/P1", answer).await;

        let error = client_of(&server).incident(&incident_id("P1")).await.expect_err("refused");

        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn a_refused_key_gets_advice_that_fits_its_form() {
    let server = MockServer::start().await;
    on(&server, "GET", "/incidents/P1", ResponseTemplate::new(401).set_body_raw("", "text/html")).await;
    let advice = async |token: &str| {
        let pagerduty = client(Settings { token: token.into(), ..settings(&server.uri()) });
        let error = pagerduty.incident(&incident_id("P1")).await.expect_err("refused");
        let ProviderError::Unauthorised { advice } = error else { panic!("{error:?}") };
        advice
    };

    assert!(advice(TOKEN).await.contains("another region than 127.0.0.1:"));
    assert!(advice(&"e".repeat(32)).await.contains("Events integration"));
}

#[tokio::test]
async fn a_read_is_tried_again_after_trouble_at_the_server() {
    let server = MockServer::start().await;
    let trouble = Mock::given(matchers::any()).respond_with(ResponseTemplate::new(500));
    trouble.up_to_n_times(2).with_priority(1).mount(&server).await;
    on(&server, "GET", "/incidents/P1", ok(json!({ "incident": incident("P1") }))).await;

    client_of(&server).incident(&incident_id("P1")).await.expect("the third attempt works");

    assert_eq!(requests(&server).await.len(), 3);
}

#[tokio::test]
async fn a_read_is_given_up_after_three_attempts_and_a_refusal_at_once() {
    for (status, attempts) in [(502, 3), (408, 3), (400, 1), (401, 1), (404, 1), (429, 1)] {
        let server = MockServer::start().await;
        on(&server, "GET", "/incidents/P1", ResponseTemplate::new(status)).await;

        client_of(&server).incident(&incident_id("P1")).await.expect_err("refused");

        assert_eq!(requests(&server).await.len(), attempts, "{status}");
    }
}

#[tokio::test]
async fn after_a_429_nothing_is_sent_until_the_window_is_over() {
    let server = MockServer::start().await;
    let limit = json!({ "error": { "message": "Rate Limit Exceeded", "code": 2020 } });
    let answer = ResponseTemplate::new(429).insert_header("ratelimit-reset", "20").set_body_json(limit);
    on(&server, "GET", "/incidents/P1", answer).await;
    let pagerduty = client_of(&server);

    let first = pagerduty.incident(&incident_id("P1")).await;
    let second = pagerduty.open_incidents().await;
    let third = pagerduty.take(&incident_id("P1"), &Step::Note("hello".into())).await;

    assert_eq!(first, Err(ProviderError::RateLimited { wait: Duration::from_secs(20) }));
    let Err(ProviderError::RateLimited { wait }) = second else { panic!("{second:?}") };
    assert!(wait > Duration::from_secs(10) && wait < Duration::from_secs(20), "{wait:?}");
    assert!(matches!(third, Err(ProviderError::RateLimited { .. })), "{third:?}");
    assert_eq!(requests(&server).await.len(), 1);
}

/// The answer, with what is left of a limit of a hundred.
fn with_left(answer: ResponseTemplate, left: &str) -> ResponseTemplate {
    let answer = answer.insert_header("ratelimit-limit", "100").insert_header("ratelimit-remaining", left);
    answer.insert_header("ratelimit-reset", "30")
}

#[tokio::test]
async fn polls_stop_at_the_reserve_and_actions_go_on() {
    let server = MockServer::start().await;
    let shown = ok(json!({ "incident": incident("P1") }));
    on(&server, "GET", "/incidents/P1", with_left(shown.clone(), "9")).await;
    on(&server, "PUT", "/incidents/P1", with_left(shown, "5")).await;
    on(&server, "GET", "/users/me", with_left(ok(person()), "6")).await;
    let pagerduty = client_of(&server);
    let (poll, action) = (pagerduty.for_purpose(Purpose::Poll), pagerduty.for_purpose(Purpose::Action));
    let id = incident_id("P1");
    poll.incident(&id).await.expect("nothing was told yet");

    let stopped = poll.incident(&id).await;
    let acted = action.take(&id, &Step::Acknowledge).await;

    let Err(ProviderError::RateLimited { wait }) = stopped else { panic!("{stopped:?}") };
    assert!(wait > Duration::from_secs(20), "{wait:?}");
    assert!(acted.is_ok(), "{acted:?}");
    assert_eq!(asked(&server).await, ["GET /incidents/P1", "GET /users/me", "PUT /incidents/P1"]);
    let budget = pagerduty.budget().expect("told");
    assert_eq!((budget.limit, budget.left, budget.reserve), (Some(100), 5, 10));
}

#[tokio::test]
async fn every_call_is_told_to_the_api_log_with_its_end_and_nothing_secret() {
    let server = MockServer::start().await;
    let answer = with_left(ok(json!({ "incident": incident("P1") })), "77").insert_header("x-request-id", "r-1");
    on(&server, "GET", "/incidents/P1", answer).await;
    on(&server, "GET", "/users/me", account_key()).await;
    on(&server, "GET", "/users", ok(json!({ "users": [] }))).await;
    let heard = Arc::new(Mutex::new(Vec::<ApiCall>::new()));
    let ear = Arc::clone(&heard);
    let of_ann = Settings { from: Some("ann@example.com".into()), ..settings(&server.uri()) };
    let ear: crate::provider::Heard = Arc::new(move |call| ear.lock().expect("lock").push(call));
    let pagerduty = client(of_ann).heard_by(Arc::clone(&ear));
    let nobody = client(settings("http://127.0.0.1:1")).heard_by(ear);

    pagerduty.for_purpose(Purpose::Detail).incident(&incident_id("P1")).await.expect("an incident");
    pagerduty.for_purpose(Purpose::Poll).incident(&incident_id("P2")).await.expect_err("not there");
    pagerduty.identity().await.expect("an identity");
    nobody.for_purpose(Purpose::Action).incident(&incident_id("P1")).await.expect_err("nobody there");

    let heard = heard.lock().expect("lock").clone();
    let told: Vec<_> = heard.iter().map(|call| (call.purpose, call.path.as_str(), call.end.clone())).collect();
    let expected = [
        (Purpose::Detail, "/incidents/P1", End::Status(200)),
        (Purpose::Poll, "/incidents/P2", End::Status(404)),
        (Purpose::Upkeep, "/users/me", End::Status(400)),
        (Purpose::Upkeep, "/users?query=…&limit=100&offset=0", End::Status(200)),
    ];
    assert_eq!(told[..4], expected);
    assert!(told[4..].iter().all(|(purpose, _, end)| *purpose == Purpose::Action && matches!(end, End::Failed(_))));
    assert_eq!(heard[0].request_id.as_ref().map(crate::core::text::Shown::as_str), Some("r-1"));
    assert_eq!((heard[0].left, heard[1].left), (Some(77), None));
    let all = format!("{heard:?}");
    assert!(!all.contains(TOKEN) && !all.contains("ann@"), "{all}");
}

#[tokio::test]
async fn an_address_longer_than_proxies_take_is_not_sent() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", account_key()).await;
    let from = Some(format!("{}@example.com", "a".repeat(4096)));

    let refused = client(Settings { from, ..settings(&server.uri()) }).identity().await;

    assert!(matches!(refused, Err(ProviderError::Refused { status: 414, .. })), "{refused:?}");
    assert_eq!(asked(&server).await, ["GET /users/me"]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"incidents\":[";
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{\"incidents\":[";
    for bytes in [cut, whole] {
        let error = client(settings(&hanging_up_after(bytes).await)).open_incidents().await.expect_err("cut short");

        assert!(matches!(error, ProviderError::Unreadable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_and_not_asked_for_again() {
    let server = MockServer::start().await;
    on(&server, "GET", "/incidents", ResponseTemplate::new(200).set_body_string(" ".repeat(3 << 20))).await;
    let limits = Limits { body: 2 << 20, ..limits() };
    let pagerduty = PagerDuty::with_limits(settings(&server.uri()), limits).expect("settings");

    let error = pagerduty.open_incidents().await.expect_err("too large");

    assert_eq!(error, ProviderError::Unreadable { cause: "more than 2 MiB".to_owned() });
    assert_eq!(requests(&server).await.len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = MockServer::start().await;
    let elsewhere = format!("{}/elsewhere", server.uri());
    on(&server, "GET", "/incidents", ResponseTemplate::new(302).insert_header("location", elsewhere.as_str())).await;

    let error = client_of(&server).open_incidents().await.expect_err("redirected");

    assert!(matches!(error, ProviderError::Refused { status: 302, .. }), "{error:?}");
    assert_eq!(asked(&server).await, ["GET /incidents"]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let server = MockServer::start().await;
    on(&server, "GET", "/incidents/P1", ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let short = Duration::from_millis(300);
    let limits = Limits { exchange: short, read: short, ..limits() };
    let pagerduty = PagerDuty::with_limits(settings(&server.uri()), limits).expect("settings");

    let error = pagerduty.incident(&incident_id("P1")).await.expect_err("too late");

    assert!(matches!(error, ProviderError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn where_nothing_listens_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    drop(listener);

    let error = client(settings(&format!("http://{address}"))).open_incidents().await.expect_err("nobody there");

    assert!(matches!(error, ProviderError::Unreachable { maybe_sent: false, .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("{address} cannot be reached: Connection refused")), "{error}");
}

#[tokio::test]
async fn https_is_spoken_with_tls_or_not_at_all() {
    let server = MockServer::start().await;
    on(&server, "GET", "/incidents", ok(json!({ "incidents": [] }))).await;
    let base = server.uri().replace("http://", "https://");

    let error = client(settings(&base)).open_incidents().await.expect_err("no TLS there");

    assert!(matches!(error, ProviderError::Unreachable { maybe_sent: false, .. }), "{error:?}");
    assert_eq!(requests(&server).await.len(), 0);
}

#[tokio::test]
async fn localhost_is_this_machine() {
    let server = MockServer::start().await;
    on(&server, "GET", "/incidents", ok(json!({ "incidents": [] }))).await;
    let base = server.uri().replace("127.0.0.1", "localhost");

    assert_eq!(client(settings(&base)).open_incidents().await, Ok(vec![]));
}

#[test]
fn settings_that_would_leak_the_key_or_cannot_work_are_refused() {
    let refused = |settings| PagerDuty::new(settings).expect_err("refused");
    let good = settings("https://api.eu.pagerduty.com");

    assert!(PagerDuty::new(good.clone()).is_ok());
    let open = refused(Settings { base_url: "http://api.pagerduty.com".to_owned(), ..good.clone() });
    assert_eq!(open, SetupError::Address(BadAddress::Unencrypted("api.pagerduty.com".to_owned())));
    for token in ["", "  ", "Bearer ", "a\nb"] {
        assert_eq!(refused(Settings { token: token.into(), ..good.clone() }), SetupError::BadToken, "{token:?}");
    }
    for from in ["ann", "ann@example.com\r\nX-Evil: 1"] {
        let error = refused(Settings { from: Some(from.to_owned()), ..good.clone() });
        assert!(matches!(error, SetupError::BadFrom(_)), "{error:?}");
    }
}

#[test]
fn the_key_is_in_no_debug_output() {
    let pagerduty = client(settings("https://api.pagerduty.com"));
    assert!(!format!("{pagerduty:?}").contains(TOKEN));
}
