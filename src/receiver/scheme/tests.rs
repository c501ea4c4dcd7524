//! Each way of proving who sent it, with the vectors of those who made it, and what becomes of a single changed byte.

use std::collections::BTreeMap;

use ::hmac::{Hmac, KeyInit as _, Mac as _};
use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::*;
use crate::core::sender::{Algorithm, Encoding, HmacDemand, Part, TOLERANCE};

const NOW: i64 = 1_700_000_000;
const BODY: &str = r#"{"event":{"id":"E1"}}"#;
const STANDARD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PATH: &str = "/hooks/prod/key?a=1";
const PUBLIC: &str = "https://hooks.example.com";

/// A request that can be changed.
#[derive(Debug, Clone)]
pub(in crate::receiver) struct Letter {
    method: Method,
    uri: Uri,
    pub(in crate::receiver) headers: HeaderMap,
    body: Vec<u8>,
}

impl Letter {
    fn new(headers: &[(&'static str, String)], body: &str) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("value"));
        }
        let uri = Uri::from_static(PATH);
        Self { method: Method::POST, uri, headers: map, body: body.as_bytes().to_vec() }
    }

    fn shown_to(&self, gate: &Gate, second: i64) -> Result<Proof, Refused> {
        let request = Presented { method: &self.method, uri: &self.uri, headers: &self.headers, body: &self.body };
        gate.check(&request, Timestamp::from_second(second).expect("second"))
    }
}

fn named(name: &str, value: &str) -> NamedSecret {
    NamedSecret { name: name.to_owned(), value: SecretString::from(value) }
}

fn gate(demand: &Demand, secret: &str) -> Gate {
    Gate::new(demand, &[named("env A", secret)])
}

fn sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn sha512(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn standard(id: &str, second: &str, body: &str) -> Letter {
    let key = STANDARD.decode(STANDARD_SECRET.trim_start_matches("whsec_")).expect("base64");
    let tag = STANDARD.encode(sha256(&key, format!("{id}.{second}.{body}").as_bytes()));
    let headers = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", second.to_owned()),
        ("webhook-signature", format!("v1,{tag}")),
    ];
    Letter::new(&headers, body)
}

fn slack(second: &str, body: &str) -> Letter {
    let tag = hex::encode(sha256(b"shhh", format!("v0:{second}:{body}").as_bytes()));
    let headers = [("x-slack-request-timestamp", second.to_owned()), ("x-slack-signature", format!("v0={tag}"))];
    Letter::new(&headers, body)
}

fn pagerduty(body: &str) -> Letter {
    Letter::new(&[(HEADER, format!("v1={}", hex::encode(sha256(b"shhh", body.as_bytes()))))], body)
}

fn generic() -> Demand {
    Demand::Hmac(HmacDemand {
        header: "x-sig".to_owned(),
        prefix: "s=".to_owned(),
        algorithm: Algorithm::Sha512,
        encoding: Encoding::Base64,
        signed: [Part::Method, Part::Path, Part::Header("x-id".to_owned()), Part::Text(".".to_owned())]
            .into_iter()
            .chain([Part::Timestamp, Part::Text(".".to_owned()), Part::Body])
            .collect(),
        timestamp: Some(("x-at".to_owned(), TOLERANCE)),
    })
}

fn generic_letter(path: &str, second: &str, body: &str) -> Letter {
    let text = format!("POST{path}M1.{second}.{body}");
    let tag = STANDARD.encode(sha512(b"shhh", text.as_bytes()));
    Letter::new(&[("x-sig", format!("s={tag}")), ("x-id", "M1".to_owned()), ("x-at", second.to_owned())], body)
}

fn splunk(path: &str, body: &str, text: &str) -> Letter {
    let tag = STANDARD.encode(sha1(b"shhh", format!("{PUBLIC}{path}{text}").as_bytes()));
    Letter::new(&[("x-victorops-signature", tag)], body)
}

/// Every scheme that signs, its secret, and a genuine request.
fn genuine() -> Vec<(Demand, &'static str, Letter)> {
    let mut all = signed(PATH, NOW, BODY);
    all.truncate(4);
    all.push((Demand::SplunkOncall { url: PUBLIC.to_owned() }, "shhh", splunk(PATH, "b=2&a=1", "a1b2")));
    all
}

/// `body`, which is no form, as each scheme that signs would send it to `path`.
pub(in crate::receiver) fn signed(path: &str, second: i64, body: &str) -> Vec<(Demand, &'static str, Letter)> {
    let now = second.to_string();
    vec![
        (Demand::PagerdutyV3, "shhh", pagerduty(body)),
        (Demand::StandardWebhooks { tolerance: TOLERANCE }, STANDARD_SECRET, standard("M1", &now, body)),
        (Demand::SlackV0 { tolerance: TOLERANCE }, "shhh", slack(&now, body)),
        (generic(), "shhh", generic_letter(path, &now, body)),
        (Demand::SplunkOncall { url: PUBLIC.to_owned() }, "shhh", splunk(path, body, body)),
    ]
}

/// The same for those that only show a secret.
pub(in crate::receiver) fn unsigned(body: &str) -> Vec<(Demand, &'static str, Letter)> {
    let shown = |name, value: &str| Letter::new(&[(name, value.to_owned())], body);
    let header = Demand::Header { name: "x-webhook-id".to_owned(), prefix: String::new() };
    vec![
        (Demand::Basic { user: "alice".to_owned() }, "other", basic("alice:other")),
        (Demand::Bearer, "other", shown("authorization", "Bearer other")),
        (header, "other", shown("x-webhook-id", "other")),
        (Demand::SecretUrl, "a long enough key of the path", Letter::new(&[], body)),
    ]
}

fn basic(text: &str) -> Letter {
    Letter::new(&[("authorization", format!("Basic {}", STANDARD.encode(text)))], BODY)
}

#[derive(Deserialize)]
struct Vector {
    scheme: String,
    name: String,
    secret: String,
    headers: BTreeMap<String, String>,
    body: String,
    valid: bool,
    now: Option<i64>,
}

#[test]
fn all_62_vectors_of_those_who_made_the_schemes_come_out_right() {
    let text = include_str!("../../../tests/fixtures/webhooks/vectors.json");
    let vectors: Vec<Vector> = serde_json::from_str(text).expect("vectors");
    let github = Demand::Hmac(HmacDemand {
        header: "x-hub-signature-256".to_owned(),
        prefix: "sha256=".to_owned(),
        algorithm: Algorithm::Sha256,
        encoding: Encoding::Hex,
        signed: vec![Part::Body],
        timestamp: None,
    });

    let mut genuine = 0;
    for vector in &vectors {
        let demand = match vector.scheme.as_str() {
            "pagerduty-v3" => Demand::PagerdutyV3,
            "standard-webhooks" => Demand::StandardWebhooks { tolerance: TOLERANCE },
            "github" => github.clone(),
            other => panic!("{other}"),
        };
        let mut letter = Letter::new(&[], &vector.body);
        for (name, value) in &vector.headers {
            let name = HeaderName::try_from(name.as_str()).expect("name");
            letter.headers.append(name, HeaderValue::from_str(value).expect("value"));
        }

        let found = letter.shown_to(&gate(&demand, &vector.secret), vector.now.unwrap_or(NOW));

        assert_eq!(found.is_ok(), vector.valid, "{}: {found:?}", vector.name);
        genuine += usize::from(vector.valid);
    }
    assert_eq!((vectors.len(), genuine), (62, 12));
}

#[test]
fn all_174_of_wycheproof_come_out_right_and_a_part_of_a_tag_is_none() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        test_groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Group {
        tag_size: usize,
        tests: Vec<Case>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Case {
        tc_id: u32,
        key: String,
        msg: String,
        tag: String,
        result: String,
    }
    let text = include_str!("../../../tests/fixtures/webhooks/wycheproof_hmac_sha256.json");
    let file: File = serde_json::from_str(text).expect("cases");
    let bytes = |text: &str| hex::decode(text).expect("hex");

    let (mut all, mut accepted) = (0, 0);
    for group in &file.test_groups {
        for case in &group.tests {
            let tags = [bytes(&case.tag)];
            let fits = mac::fitting(Algorithm::Sha256, &bytes(&case.key), &[&bytes(&case.msg)], &tags) > 0;

            assert_eq!(fits, case.result == "valid" && group.tag_size == 256, "{}", case.tc_id);
            (all, accepted) = (all + 1, accepted + usize::from(fits));
        }
    }
    assert_eq!((all, accepted), (174, 33));
}

#[test]
fn a_worked_example_of_splunk_on_call_is_genuine() {
    #[derive(Deserialize)]
    struct Example {
        public_url_as_configured: String,
        auth_code: String,
        headers: BTreeMap<String, String>,
        body: String,
    }
    let text = include_str!("../../../tests/fixtures/webhooks/splunk_oncall.json");
    let example: Example = serde_json::from_str(text).expect("example");
    let public: Uri = example.public_url_as_configured.parse().expect("address");
    let url = format!("https://{}", public.host().expect("host"));
    let mut letter =
        Letter::new(&[("x-victorops-signature", example.headers["X-VictorOps-Signature"].clone())], &example.body);
    letter.uri = public.path().parse().expect("path");

    let found = letter.shown_to(&gate(&Demand::SplunkOncall { url }, &example.auth_code), NOW);

    assert_eq!(found.expect("genuine").scheme, Scheme::SplunkOncall);
}

#[test]
fn genuine_requests_of_every_signed_scheme_are_taken_and_named() {
    for (demand, secret, letter) in genuine() {
        let proof = letter.shown_to(&gate(&demand, secret), NOW).expect("genuine");

        assert_eq!(proof, Proof { scheme: demand.scheme(), secret: "env A".into() });
        assert_eq!(proof.words(), "signed with env A");
        assert!(matches!(
            letter.shown_to(&Gate::new(&demand, &[]), NOW),
            Err(Refused::WrongSignature(0) | Refused::WrongSecret(0))
        ));
        assert!(!Gate::new(&demand, &[]).is_loaded());
    }
}

#[test]
fn a_sender_that_signs_with_the_old_and_the_new_secret_has_both_named() {
    let secrets = [named("env NEW", "new"), named("env OTHER", "other"), named("env OLD", "old")];
    let sign = |key: &str| format!("v1={}", hex::encode(sha256(key.as_bytes(), BODY.as_bytes())));
    let gate = Gate::new(&Demand::PagerdutyV3, &secrets);
    let named = |value: String| Letter::new(&[(HEADER, value)], BODY).shown_to(&gate, NOW).map(|proof| proof.words());

    assert_eq!(named(format!("{},{}", sign("old"), sign("new"))), Ok("signed with env NEW and env OLD".to_owned()));
    assert_eq!(named(sign("old")), Ok("signed with env OLD".to_owned()));
    assert_eq!(named(sign("forger")), Err(Refused::WrongSignature(3)));
}

#[test]
fn no_more_than_sixteen_signatures_are_looked_at() {
    for (demand, secret, mut letter) in genuine() {
        let header = match demand.scheme() {
            Scheme::PagerdutyV3 => HEADER,
            Scheme::StandardWebhooks => "webhook-signature",
            Scheme::SlackV0 => "x-slack-signature",
            Scheme::Hmac => "x-sig",
            _ => "x-victorops-signature",
        };
        let right = letter.headers[header].clone();
        let with = |before: usize, letter: &mut Letter| {
            letter.headers.remove(header);
            for _ in 0..before {
                letter.headers.append(header, HeaderValue::from_static("nothing"));
            }
            letter.headers.append(header, right.clone());
            letter.shown_to(&gate(&demand, secret), NOW)
        };

        assert!(with(15, &mut letter).is_ok(), "{demand:?}");
        assert!(with(16, &mut letter).is_err(), "{demand:?}");
    }
}

#[test]
fn five_minutes_either_way_are_taken_and_no_second_more() {
    for (demand, secret, letter) in genuine() {
        let timed = !matches!(demand.scheme(), Scheme::PagerdutyV3 | Scheme::SplunkOncall);
        let gate = gate(&demand, secret);

        for near in [NOW - 300, NOW + 300] {
            assert!(letter.shown_to(&gate, near).is_ok(), "{demand:?}");
        }
        for far in [NOW - 301, NOW + 301, 0, 100_000_000_000] {
            let found = letter.shown_to(&gate, far);
            assert_eq!(matches!(found, Err(Refused::Untimely { .. })), timed, "{demand:?}");
        }
    }
    let late = standard("M1", &NOW.to_string(), BODY);
    let demand = Demand::StandardWebhooks { tolerance: TOLERANCE };
    let told = late.shown_to(&gate(&demand, STANDARD_SECRET), NOW + 301).expect_err("late").to_string();
    assert!(told.starts_with("signed with env A, but 301 s ago by our clock, and at most 300 s are taken"), "{told}");
}

#[test]
fn no_time_however_it_is_written_is_more_than_a_refusal() {
    let times = ["", "-1", "+1700000000", "1e9", "1.7e9", "1700000000.0", " 1700000000x", "９", "99999999999999999999"];
    let extremes = [i64::MIN.to_string(), i64::MAX.to_string()];
    for time in times.into_iter().chain(extremes.iter().map(String::as_str)).filter(|time| time.is_ascii()) {
        let demand = Demand::StandardWebhooks { tolerance: TOLERANCE };
        assert!(standard("M1", time, BODY).shown_to(&gate(&demand, STANDARD_SECRET), NOW).is_err(), "{time}");
        let demand = Demand::SlackV0 { tolerance: TOLERANCE };
        assert!(slack(time, BODY).shown_to(&gate(&demand, "shhh"), NOW).is_err(), "{time}");
        assert!(generic_letter(PATH, time, BODY).shown_to(&gate(&generic(), "shhh"), NOW).is_err(), "{time}");
    }
}

#[test]
fn what_is_signed_must_be_there_once() {
    let now = NOW.to_string();
    let cases = [
        (Demand::StandardWebhooks { tolerance: TOLERANCE }, STANDARD_SECRET, standard("M1", &now, BODY), "webhook-id"),
        (
            Demand::StandardWebhooks { tolerance: TOLERANCE },
            STANDARD_SECRET,
            standard("M1", &now, BODY),
            "webhook-timestamp",
        ),
        (Demand::SlackV0 { tolerance: TOLERANCE }, "shhh", slack(&now, BODY), "x-slack-request-timestamp"),
        (generic(), "shhh", generic_letter(PATH, &now, BODY), "x-id"),
    ];
    for (demand, secret, letter, header) in cases {
        let gate = gate(&demand, secret);
        let (mut without, mut twice) = (letter.clone(), letter.clone());
        without.headers.remove(header);
        twice.headers.append(header, letter.headers[header].clone());

        assert_eq!(without.shown_to(&gate, NOW), Err(Refused::Missing(header.to_owned())));
        assert_eq!(twice.shown_to(&gate, NOW), Err(Refused::Several(header.to_owned())));
    }
}

#[test]
fn secrets_of_standard_webhooks_have_24_to_64_bytes_with_padding_or_without() {
    let usable = |text: &str| unusable(&Demand::StandardWebhooks { tolerance: TOLERANCE }, &named("env A", text));

    for size in [24, 25, 26, 64] {
        let padded = STANDARD.encode(vec![7; size]);
        for text in [format!("whsec_{padded}"), format!("whsec_{}", padded.trim_end_matches('=')), padded] {
            assert_eq!(usable(&text), None, "{size}");
        }
    }
    for size in [0, 1, 23, 65] {
        let text = format!("whsec_{}", STANDARD.encode(vec![7; size]));
        assert!(usable(&text).is_some_and(|why| why.starts_with("env A: is no secret of Standard")), "{size}");
    }
    assert!(usable("whsec_no base64 at all, but long enough").is_some());
    assert!(unusable(&Demand::SecretUrl, &named("env A", "too-short")).is_some());
    assert!(unusable(&Demand::Bearer, &named("env A", "")).is_some());
}

#[test]
fn a_key_of_the_path_is_one_part_of_it_as_it_stands() {
    let wrong = |demand: &Demand, key: &str| unusable_key(demand, &named("env KEY", key));

    for good in ["4b1d", "A-b_c.d~e", "...", "ab+cd==", "a:b@c;d,e!$&'()*"] {
        assert_eq!(wrong(&Demand::PagerdutyV3, good), None, "{good}");
    }
    for bad in ["ab/cd+ef==", "a?b", "a#b", "%41", "a b", r"a\b", "käse", ".", ".."] {
        let said = wrong(&Demand::PagerdutyV3, bad).expect(bad);
        assert!(said.starts_with("env KEY: is no part of a path, as `url_key` has to be"), "{said}");
        assert!(!said.contains(bad) || bad == ".", "{said}");
    }
    assert!(wrong(&Demand::PagerdutyV3, "").expect("empty").ends_with("is empty"));
    assert!(wrong(&Demand::SecretUrl, "too-short").is_some() && wrong(&Demand::PagerdutyV3, "short").is_none());
}

#[test]
fn user_and_password_token_and_header_are_compared_whole() {
    let demand = Demand::Basic { user: "alice".to_owned() };
    let gate_of = |demand: &Demand| Gate::new(demand, &[named("env A", "pass:word"), named("env B", "other")]);
    let proof = basic("alice:other").shown_to(&gate_of(&demand), NOW).expect("right");
    assert_eq!(proof.words(), "unsigned, let in by env B (basic)");
    assert!(basic("alice:pass:word").shown_to(&gate_of(&demand), NOW).is_ok());
    for wrong in ["alice:pass:wor", "alice:pass:word ", "bob:other", "alice", "", "alice:"] {
        assert!(basic(wrong).shown_to(&gate_of(&demand), NOW).is_err(), "{wrong}");
    }

    let bearer = |value: &str| {
        Letter::new(&[("authorization", value.to_owned())], BODY).shown_to(&gate_of(&Demand::Bearer), NOW)
    };
    assert!(bearer("bearer  other").is_ok());
    for wrong in ["other", "Bearer", "Bearer ", "Bearer othe", "Bearer other x", "Basic other"] {
        assert!(bearer(wrong).is_err(), "{wrong}");
    }

    let demand = Demand::Header { name: "x-token".to_owned(), prefix: "Token ".to_owned() };
    let header = |value: &str| Letter::new(&[("x-token", value.to_owned())], BODY).shown_to(&gate_of(&demand), NOW);
    assert!(header("Token other").is_ok());
    for wrong in ["other", "Token othe", "token other", "Token  other"] {
        assert!(header(wrong).is_err(), "{wrong}");
    }
    let mut twice = Letter::new(&[("x-token", "Token other".to_owned())], BODY);
    twice.headers.append("x-token", HeaderValue::from_static("Token x"));
    assert_eq!(twice.shown_to(&gate_of(&demand), NOW), Err(Refused::Several("x-token".to_owned())));
}

#[test]
fn the_key_of_the_path_is_enough_only_where_that_was_asked_for() {
    let alone = gate(&Demand::SecretUrl, "a long enough key of the path");
    let letter = Letter::new(&[], BODY);

    assert_eq!(letter.shown_to(&alone, NOW).expect("known").words(), "unsigned, let in by env A (secret-url)");
    for scheme in genuine() {
        assert!(letter.shown_to(&gate(&scheme.0, scheme.1), NOW).is_err());
    }
}

#[test]
fn forms_are_sorted_and_unescaped_as_their_sender_does() {
    let gate = gate(&Demand::SplunkOncall { url: PUBLIC.to_owned() }, "shhh");
    let cases = [
        ("b=2&a=1", "a1b2"),
        ("a=%22x+y%22&b=", "a\"x y\"b"),
        ("a=100%&b=%zz%4", "a100%b%zz%4"),
        ("&&a=1=2&c", "a1=2c"),
        ("a=2&a=1", "a2a1"),
        ("n=%C3%A4", "nä"),
        ("", ""),
    ];
    for (body, text) in cases {
        assert!(splunk(PATH, body, text).shown_to(&gate, NOW).is_ok(), "{body}");
    }
}

/// Everything of a letter that its scheme signs, as places to change.
fn places(letter: &Letter) -> Vec<(Option<HeaderName>, usize)> {
    let of_body = (0..letter.body.len()).map(|at| (None, at));
    let of_headers =
        letter.headers.iter().flat_map(|(name, value)| (0..value.len()).map(move |at| (Some(name.clone()), at)));
    of_body.chain(of_headers).collect()
}

fn flipped(letter: &Letter, place: &(Option<HeaderName>, usize), bits: u8) -> Option<Letter> {
    let mut changed = letter.clone();
    match place {
        (None, at) => changed.body[*at] ^= bits,
        (Some(name), at) => {
            let mut value = letter.headers[name].as_bytes().to_vec();
            value[*at] ^= bits;
            changed.headers.insert(name.clone(), HeaderValue::from_bytes(&value).ok()?);
        }
    }
    Some(changed)
}

/// What the signature means: letters in hex have no case, blanks, padding and commas around base64 say nothing, a form's `+`
/// is a blank, and what divides a form is not signed.
fn means_the_same(a: &Letter, b: &Letter) -> bool {
    let words = |letter: &Letter| {
        let values = letter.headers.iter().map(|(name, value)| {
            let text = value.to_str().unwrap_or_default().to_owned();
            let hex = name == HEADER || name == "x-slack-signature";
            (name.clone(), if hex { text.to_lowercase() } else { text.trim().trim_end_matches(['=', ',']).to_owned() })
        });
        values.collect::<Vec<_>>()
    };
    let text = |letter: &Letter| {
        let form = !letter.body.starts_with(b"{");
        let signed = letter.body.iter().filter(|byte| !(form && b"&=".contains(byte)));
        signed.map(|&byte| if form && byte == b'+' { b' ' } else { byte }).collect::<Vec<_>>()
    };
    text(a) == text(b) && words(a) == words(b)
}

proptest! {
    #[test]
    fn one_changed_byte_in_any_signed_part_is_refused(which in 0_usize..5, at in any::<prop::sample::Index>(), bits in 1_u8..) {
        let (demand, secret, letter) = genuine().swap_remove(which);
        let places = places(&letter);
        let changed = flipped(&letter, &places[at.index(places.len())], bits);
        let changed = changed.filter(|changed| !means_the_same(changed, &letter));
        prop_assume!(changed.is_some());

        prop_assert!(changed.expect("changed").shown_to(&gate(&demand, secret), NOW).is_err());
    }

    #[test]
    fn another_method_or_path_is_refused_where_it_is_signed(path in "/[a-z]{1,10}") {
        for (demand, secret, letter) in genuine() {
            let moved = Letter { uri: path.parse().expect("path"), ..letter.clone() };
            let signed = matches!(demand.scheme(), Scheme::Hmac | Scheme::SplunkOncall);
            prop_assert_eq!(moved.shown_to(&gate(&demand, secret), NOW).is_err(), signed);
        }
    }

    #[test]
    fn no_headers_whatever_make_a_check_panic(value in "[ -~]{0,80}", body in prop::collection::vec(any::<u8>(), 0..80)) {
        for (demand, secret, mut letter) in genuine() {
            for name in letter.headers.keys().cloned().collect::<Vec<_>>() {
                let mut changed = letter.clone();
                changed.headers.insert(name, HeaderValue::from_str(&value).expect("visible"));
                let _ = changed.shown_to(&gate(&demand, secret), NOW);
            }
            letter.body.clone_from(&body);
            let _ = letter.shown_to(&gate(&demand, secret), NOW);
        }
    }
}

/// Every form of a demand that shows something, with a secret for it.
fn showing() -> Vec<(Demand, &'static str)> {
    let hmac = |prefix: &str, algorithm, encoding, timestamp: Option<&str>, signed: Vec<Part>| {
        let timestamp = timestamp.map(|name| (name.to_owned(), TOLERANCE));
        let (header, prefix) = ("x-signature".to_owned(), prefix.to_owned());
        (Demand::Hmac(HmacDemand { header, prefix, algorithm, encoding, signed, timestamp }), "a secret")
    };
    let text = |text: &str| Part::Text(text.to_owned());
    let all = vec![Part::Method, text("|"), Part::Path, Part::Timestamp, Part::Header("x-more".to_owned()), Part::Body];
    let of_header = vec![Part::Header("x-time".to_owned()), Part::Body];
    vec![
        (Demand::PagerdutyV3, "a secret"),
        (Demand::StandardWebhooks { tolerance: TOLERANCE }, STANDARD_SECRET),
        (Demand::SlackV0 { tolerance: TOLERANCE }, "a secret"),
        hmac("v=", Algorithm::Sha1, Encoding::Hex, None, vec![Part::Body]),
        hmac("v=", Algorithm::Sha256, Encoding::Base64, Some("x-time"), all),
        hmac("v=", Algorithm::Sha512, Encoding::Hex, Some("x-time"), of_header),
        hmac("HMAC ", Algorithm::Sha256, Encoding::Base64, None, vec![Part::Body]),
        hmac(" v1, s=", Algorithm::Sha256, Encoding::Hex, None, vec![Part::Body]),
        (Demand::SplunkOncall { url: PUBLIC.to_owned() }, "a secret"),
        (Demand::Basic { user: "alice".to_owned() }, "a: secret"),
        (Demand::Bearer, "a-secret"),
        (Demand::Header { name: "x-key".to_owned(), prefix: "Key ".to_owned() }, "a secret"),
    ]
}

proptest! {
    #[test]
    fn what_is_signed_here_is_taken_by_the_door_and_by_no_other_secret(body in "[ -~]{1,200}", second in 0..4_000_000_000_i64) {
        let kept = [("webhook-id".to_owned(), "msg_1".to_owned()), ("x-more".to_owned(), "more".to_owned())];
        let now = Timestamp::from_second(second).expect("second");
        for (demand, secret) in showing() {
            let draft = Draft { path: Some(PATH), headers: &kept, body: body.as_bytes() };
            let fresh = sign(&demand, &SecretString::from(secret), Showing::Allowed, &draft, now).expect("signed");
            let mut letter = Letter::new(&[], &body);
            for (name, value) in kept.iter().chain(&fresh) {
                let name: HeaderName = name.parse().expect("a name");
                letter.headers.append(name, HeaderValue::from_str(value).expect("value"));
            }

            let proof = letter.shown_to(&gate(&demand, secret), second).expect("taken");
            prop_assert_eq!(proof.scheme, demand.scheme());
            let other = if secret == STANDARD_SECRET { "whsec_D2FVsBQIhrscChlQIMV+b5sSYspob7oD" } else { "another" };
            prop_assert!(letter.shown_to(&gate(&demand, other), second).is_err());
        }
    }
}

#[test]
fn a_secret_that_is_shown_as_it_is_is_not_handed_out_and_what_is_missing_is_named() {
    let signed = |demand: &Demand, path| {
        let draft = Draft { path, headers: &[], body: BODY.as_bytes() };
        sign(demand, &SecretString::from(STANDARD_SECRET), Showing::Withheld, &draft, Timestamp::UNIX_EPOCH)
    };
    let header = Demand::Header { name: "x-key".to_owned(), prefix: String::new() };
    for shown in [Demand::Basic { user: "u".to_owned() }, Demand::Bearer, header] {
        let said = signed(&shown, Some(PATH)).expect_err("withheld");
        assert!(said.contains(shown.scheme().word()) && !said.contains(STANDARD_SECRET), "{said}");
    }
    let missing = |demand: &Demand| signed(demand, None).expect_err("missing");
    assert!(missing(&Demand::StandardWebhooks { tolerance: TOLERANCE }).contains("webhook-id header"));
    assert!(missing(&Demand::SplunkOncall { url: PUBLIC.to_owned() }).contains("replay --to"));
    assert_eq!(signed(&Demand::SecretUrl, None), Ok(vec![]), "the path says it all");
}
