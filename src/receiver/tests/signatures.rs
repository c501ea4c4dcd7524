//! What a signature lets in, and what is written down of it.

use super::*;

#[tokio::test]
async fn the_signature_vectors_behave_as_they_say() {
    #[derive(Deserialize)]
    struct Vector {
        name: String,
        secret: String,
        body: String,
        header: Option<String>,
        expect: String,
    }
    let file =
        FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pagerduty/webhook_signature_vectors.json");
    let vectors: Vec<Vector> = serde_json::from_slice(&fs::read(file).expect("file")).expect("vectors");
    assert_eq!(vectors.len(), 13);

    for vector in vectors {
        let house = house_with(vec![named("old", OLD_SECRET), named("the vector's", &vector.secret)], 1);
        let header: Vec<_> = vector.header.as_deref().map(|value| (HEADER, value)).into_iter().collect();
        let status = house.post("/hooks/prod/url-key", &header, vector.body.clone()).await;

        let accepted = vector.expect.starts_with("accept");
        assert_eq!(status, if accepted { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED }, "{}", vector.name);
        let kept = house.newest();
        assert_eq!(kept.body, vector.body.as_bytes(), "{}", vector.name);
        let verdict = if accepted { Verdict::Accepted } else { Verdict::Rejected };
        assert_eq!(kept.summary.verdict, verdict, "{}", vector.name);
    }
}

#[tokio::test]
async fn a_signed_delivery_is_stored_before_it_is_answered_and_told_with_the_secret_that_signed() {
    let mut house = house();

    assert_eq!(house.deliver(&event("E1")).await, StatusCode::ACCEPTED);

    let kept = house.newest();
    assert_eq!(kept.body, event("E1").as_bytes());
    assert_eq!(house.last(), (Verdict::Accepted, 202, "signed with env PD_SECRET".to_owned()));
    let told = house.told().await;
    assert!(told.summary.latency_us >= kept.timings.commit_us, "the commit is part of what the sender waited");
    assert_eq!(told.summary, kept.summary);
    assert_eq!(told.summary.event_id.expect("event").as_str(), "E1");
}

#[tokio::test]
async fn while_a_secret_is_changed_either_signs_and_any_signature_of_the_first_sixteen_does() {
    let house = house();
    let (good, other) = (sign(OLD_SECRET, event("E1").as_bytes()), sign("else", event("E1").as_bytes()));
    let post = async |headers: &[(&str, &str)]| house.post("/hooks/prod/url-key", headers, event("E1")).await;

    assert_eq!(post(&[(HEADER, &format!("v0=00, {other} ,\t{good}"))]).await, StatusCode::ACCEPTED);
    assert_eq!(house.last().2, "signed with env PD_OLD");
    assert_eq!(post(&[(HEADER, &other), (HEADER, &good)]).await, StatusCode::ACCEPTED);
    let behind = |count| format!("{}{good}", format!("{other},").repeat(count));
    assert_eq!(post(&[(HEADER, &behind(15))]).await, StatusCode::ACCEPTED);
    assert_eq!(post(&[(HEADER, &behind(16))]).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_missing_or_wrong_signature_is_401_and_kept_with_its_reason() {
    let mut house = house();
    let right = sign(SECRET, event("E1").as_bytes());
    let short = right.get(..35).expect("ascii");
    let cases = [
        (None, "no x-pagerduty-signature header"),
        (Some(""), "no usable v1 signature in the x-pagerduty-signature header"),
        (Some("v1=zz"), "no usable v1 signature in the x-pagerduty-signature header"),
        (Some("v1="), "the signature was made with none of the 2 secrets configured here"),
        (Some(short), "the signature was made with none of the 2 secrets configured here"),
        (
            Some(&sign("forger", event("E1").as_bytes())),
            "the signature was made with none of the 2 secrets configured here",
        ),
        (Some(&sign(SECRET, b"other")), "the signature was made with none of the 2 secrets configured here"),
    ];
    for (signature, reason) in cases {
        let headers: Vec<_> = signature.map(|value| (HEADER, value)).into_iter().collect();

        assert_eq!(house.post("/hooks/prod/url-key", &headers, event("E1")).await, StatusCode::UNAUTHORIZED);
        assert_eq!(house.last(), (Verdict::Rejected, 401, reason.to_owned()));
        let told = house.told().await;
        assert_eq!((told.summary.verdict, told.summary.account), (Verdict::Rejected, Some(account("prod"))));
    }
    assert_eq!(house.deliver(&event("E1")).await, StatusCode::ACCEPTED);
    assert_eq!(house.last().0, Verdict::Accepted, "a forged one must not make the genuine one a duplicate");
}

#[tokio::test]
async fn an_empty_body_is_rejected_even_when_signed() {
    let house = house();

    assert_eq!(house.deliver("").await, StatusCode::UNAUTHORIZED);
    assert_eq!(house.last().2, "empty body");
}
