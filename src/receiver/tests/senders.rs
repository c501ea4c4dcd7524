//! Who may come in: every scheme through the routes, the addresses, and replays.

use std::net::SocketAddr;

use axum::http::HeaderMap;

use super::{
    super::scheme::tests::{Letter, signed, unsigned},
    *,
};
use crate::core::{delivery::Scheme, incident::Source, sender::TOLERANCE};

const PATH: &str = "/hooks/prod/url-key";

/// Every scheme with its secret, and a genuine letter with `body`.
fn every_scheme(body: &str) -> Vec<(Demand, &'static str, Letter)> {
    signed(PATH, 0, body).into_iter().chain(unsigned(body)).collect()
}

fn house_for(demand: &Demand, secret: &str) -> House {
    house_of(hook_of(demand.clone(), vec![named("env A", secret)]), 100, Networks::default())
}

fn post(headers: &HeaderMap, body: &str) -> HttpRequest<Body> {
    let mut request = HttpRequest::post(PATH).body(Body::from(body.to_owned())).expect("request");
    request.headers_mut().extend(headers.clone());
    request
}

fn coming_from(peer: &str, mut request: HttpRequest<Body>) -> HttpRequest<Body> {
    request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("peer")));
    request
}

#[tokio::test]
async fn every_scheme_takes_what_is_genuine_and_nothing_else() {
    let body = event("E1");
    for (demand, secret, letter) in every_scheme(&body) {
        let house = house_for(&demand, secret);

        assert_eq!(house.ask(post(&letter.headers, &body)).await.status(), StatusCode::ACCEPTED, "{demand:?}");
        let proof = house.newest().summary.proof.expect("proof");
        assert_eq!((proof.scheme, proof.secret.as_str()), (demand.scheme(), "env A"));

        let house = house_for(&demand, "another secret of some length, never used");
        let expected = match demand.scheme() {
            // Only the path counts, and it is right.
            Scheme::SecretUrl => StatusCode::ACCEPTED,
            // Not a secret in the form of Standard Webhooks, so none is loaded.
            Scheme::StandardWebhooks => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        };
        assert_eq!(house.ask(post(&letter.headers, &body)).await.status(), expected, "{demand:?}");
        if demand != Demand::SecretUrl {
            let house = house_for(&demand, secret);
            assert_eq!(house.ask(post(&HeaderMap::new(), &body)).await.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(house.last().0, Verdict::Rejected);
        }
    }
}

#[tokio::test]
async fn whatever_the_scheme_a_secret_that_is_not_read_yet_costs_no_delivery() {
    let body = event("E1");
    for (demand, _, letter) in every_scheme(&body) {
        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let secrets = if demand == Demand::SecretUrl { vec![] } else { vec![named("env OLD", other)] };
        for secrets in [vec![], secrets] {
            let hook = Hook { unread: 1, ..hook_of(demand.clone(), secrets) };
            let house = house_of(hook, 100, Networks::default());

            let answer = house.ask(post(&letter.headers, &body)).await;

            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{demand:?}");
            assert_eq!(answer.headers()["retry-after"], "5");
        }
    }
}

#[tokio::test]
async fn whatever_the_scheme_sizes_are_exact() {
    for (size, status) in [(LIMIT, 202), (LIMIT + 1, 413)] {
        let body = event_of(size);
        for (demand, secret, letter) in every_scheme(&body) {
            let house = house_for(&demand, secret);
            assert_eq!(house.ask(post(&letter.headers, &body)).await.status(), status, "{size} {demand:?}");
        }
    }
}

#[tokio::test]
async fn rightly_signed_but_out_of_time_is_to_be_tried_again_because_our_clock_may_be_wrong() {
    let body = event("E1");
    let late = i64::try_from(TOLERANCE.as_secs()).expect("small") + 1;
    for (demand, secret, letter) in signed(PATH, late, &body) {
        let house = house_for(&demand, secret);
        let timed = !matches!(demand.scheme(), Scheme::PagerdutyV3 | Scheme::SplunkOncall);

        let answer = house.ask(post(&letter.headers, &body)).await;

        let expected = if timed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::ACCEPTED };
        assert_eq!(answer.status(), expected, "{demand:?}");
        if timed {
            assert_eq!(answer.headers()["retry-after"], "5");
            let (verdict, _, reason) = house.last();
            assert_eq!(verdict, Verdict::Rejected);
            assert!(reason.starts_with("signed with env A, but 301 s ahead by our clock"), "{reason}");
        }
    }
}

#[tokio::test]
async fn what_nobody_signed_is_marked_and_told_as_a_hint_only() {
    let body = event("E1");
    for (demand, secret, letter) in every_scheme(&body) {
        let mut house = house_for(&demand, secret);
        house.ask(post(&letter.headers, &body)).await;

        let arrival = house.told().await;
        let source = arrival.observation.expect("observation").stamp.source;

        let hint = !demand.scheme().is_signed();
        assert_eq!(source, if hint { Source::Unsigned } else { Source::Push }, "{demand:?}");
        assert_eq!(arrival.summary.caution(), hint.then_some("unsigned"));
        assert_eq!(house.last().2.starts_with("unsigned, let in by env A"), hint);
    }
}

#[tokio::test]
async fn a_secret_in_a_header_never_reaches_the_log_whatever_the_header_is_called() {
    let body = event("E1");
    for (demand, secret, letter) in unsigned(&body) {
        let house = house_for(&demand, secret);
        for path in [PATH, "/hooks/prod/wrong"] {
            let mut request = post(&letter.headers, &body);
            *request.uri_mut() = path.parse().expect("path");
            house.ask(request).await;

            for (name, value) in house.newest().headers {
                assert!(!value.contains("other") && !value.contains("b3RoZXI"), "{demand:?} {name}: {value}");
            }
        }
    }
}

#[tokio::test]
async fn only_the_named_addresses_may_deliver_and_only_who_knows_the_key_hears_of_it() {
    let body = event("E1");
    let signature = sign(SECRET, body.as_bytes());
    let general = || Networks::new(Some(vec!["192.0.2.0/24".parse().expect("network")]), vec![]);
    let house = house_of(hook(vec![named("env PD_SECRET", SECRET)]), 100, general());
    let from = |peer: &str, path: &str| coming_from(peer, request(path, &[(HEADER, &signature)], body.clone()));

    assert_eq!(house.ask(from("203.0.113.9:1", PATH)).await.status(), StatusCode::FORBIDDEN);
    let refused = (Verdict::Rejected, 403, "203.0.113.9 is not among the addresses that `allow` names".to_owned());
    assert_eq!(house.last(), refused);
    for path in ["/hooks/prod/wrong", "/hooks/nobody/url-key"] {
        assert_eq!(house.ask(from("203.0.113.9:1", path)).await.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(house.ask(from("192.0.2.9:1", PATH)).await.status(), StatusCode::ACCEPTED);

    let own = Some(vec!["203.0.113.9/32".parse().expect("network")]);
    let house = house_of(Hook { allow: own, ..hook(vec![named("env PD_SECRET", SECRET)]) }, 100, general());
    assert_eq!(house.ask(from("203.0.113.9:1", PATH)).await.status(), StatusCode::ACCEPTED);
    assert_eq!(house.ask(from("192.0.2.9:1", PATH)).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_s_address_counts_and_is_kept_with_the_proxy_s() {
    let (allow, proxies) = ("192.0.2.0/24".parse().expect("network"), "10.0.0.0/8".parse().expect("network"));
    let networks = Networks::new(Some(vec![allow]), vec![proxies]);
    let house = house_of(hook(vec![named("env PD_SECRET", SECRET)]), 100, networks);
    let body = event("E1");
    let signature = sign(SECRET, body.as_bytes());
    let through = |peer: &str, told: &str| {
        coming_from(peer, request(PATH, &[(HEADER, &signature), ("x-forwarded-for", told)], body.clone()))
    };

    assert_eq!(house.ask(through("10.0.0.1:44", "1.1.1.1, 192.0.2.9")).await.status(), StatusCode::ACCEPTED);
    assert_eq!(house.newest().peer, "192.0.2.9 through 10.0.0.1:44");
    assert_eq!(house.ask(through("10.0.0.1:44", "192.0.2.9, 203.0.113.5")).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(house.newest().peer, "203.0.113.5 through 10.0.0.1:44");
    assert_eq!(house.ask(through("203.0.113.5:44", "192.0.2.9")).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(house.newest().peer, "203.0.113.5:44");
}

#[tokio::test]
async fn a_known_event_with_other_content_is_a_duplicate_and_flagged() {
    let mut house = house();
    let altered = event("E1").replace("incident.triggered", "incident.resolved") + " ";
    house.deliver(&event("E1")).await;
    house.deliver(&event("E1")).await;
    assert!(!house.newest().summary.altered);

    assert_eq!(house.deliver(&altered).await, StatusCode::ACCEPTED);

    let line = house.newest().summary;
    assert_eq!((line.verdict, line.altered, line.caution()), (Verdict::Duplicate, true, Some("altered")));
    assert!(line.reason.as_str().ends_with("the same event as delivery 1, but with other content"), "{}", line.reason);
    let told = [house.told().await, house.told().await, house.told().await];
    assert_eq!(told.iter().filter(|arrival| arrival.observation.is_some()).count(), 1);
}

#[tokio::test]
async fn the_replay_of_an_event_whose_delivery_was_pruned_is_still_a_duplicate() {
    let house = house();
    house.deliver(&event("E1")).await;
    assert_eq!(house.log().len(), 1, "entered");
    let db = rusqlite::Connection::open(house.dir.path().join("dogwatch.db")).expect("connect");
    db.execute("DELETE FROM delivery", []).expect("pruned");
    assert_eq!(house.log(), []);

    let replay = [(HEADER, &*sign(SECRET, event("E1").as_bytes())), ("x-webhook-id", "another")];
    assert_eq!(house.post(PATH, &replay, event("E1")).await, StatusCode::ACCEPTED);

    assert_eq!(house.last().0, Verdict::Duplicate);
}

#[tokio::test]
async fn whose_body_breaks_off_is_asked_to_retry() {
    let broken = Body::from_stream(stream::iter([Err::<&str, _>(std::io::Error::other("gone"))]));

    let answer = house().ask(request("/hooks/prod/url-key", &[], broken)).await;

    assert_eq!(
        (answer.status(), &answer.headers()["retry-after"].as_bytes()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"5".as_slice())
    );
}
