//! The door: whatever stands in the headers, who did not sign gets in at no scheme, and who did gets in whatever the
//! body is.
//!
//! An input is a byte that chooses the scheme, then lines of headers, an empty line, and the body.

#![no_main]

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderName, HeaderValue, Request, StatusCode},
};
use dogwatch::{
    core::{
        id::AccountName,
        sender::{Algorithm, Demand, Encoding, HmacDemand, Part},
    },
    provider::pagerduty::Webhooks,
    receiver::{Hook, NamedSecret, Networks, Receiver, router},
    store::Store,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::{
    runtime::Runtime,
    sync::{Notify, mpsc},
};
use tower::ServiceExt as _;

const SECRET: &str = "c2lnbmVkIHdpdGggYSBzZWNyZXQgb2YgdGhpcyBkb29y";
const TOLERANCE: Duration = Duration::from_secs(300);
/// Deliveries until another store is begun.
const FULL: usize = 20_000;
/// Those that have a signature over the body, and those whose secret is sent.
const SCHEMES: [fn() -> Demand; 8] = [
    || Demand::PagerdutyV3,
    || Demand::StandardWebhooks { tolerance: TOLERANCE },
    || Demand::SlackV0 { tolerance: TOLERANCE },
    || Demand::Hmac(hmac_demand()),
    || Demand::SplunkOncall { url: "https://dogwatch.example".to_owned() },
    || Demand::Basic { user: "sender".to_owned() },
    || Demand::Bearer,
    || Demand::Header { name: "x-token".to_owned(), prefix: "token ".to_owned() },
];

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime"));

thread_local! {
    static HOUSE: RefCell<Option<House>> = const { RefCell::new(None) };
}

struct House {
    app: Router,
    taken: usize,
    _arrivals: mpsc::Receiver<dogwatch::receiver::Arrival>,
    // After the router, which holds the store.
    _dir: TempDir,
}

fn hmac_demand() -> HmacDemand {
    HmacDemand {
        header: "x-signature".to_owned(),
        prefix: "sha512=".to_owned(),
        algorithm: Algorithm::Sha512,
        encoding: Encoding::Base64,
        signed: vec![Part::Method, Part::Path, Part::Header("x-id".to_owned()), Part::Timestamp, Part::Body],
        timestamp: Some(("x-time".to_owned(), TOLERANCE)),
    }
}

fn hook(number: usize, demand: Demand) -> Hook {
    let secret = NamedSecret { name: "env SECRET".to_owned(), value: SecretString::from(SECRET) };
    Hook {
        account: AccountName::new(&format!("a{number}")).expect("a name"),
        url_key: Some(SecretString::from("key")),
        demand,
        secrets: vec![secret],
        unread: 0,
        allow: None,
        decode: Arc::new(Webhooks),
    }
}

fn house() -> House {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let hooks = SCHEMES.iter().enumerate().map(|(number, demand)| hook(number, demand())).collect();
    let (sender, arrivals) = mpsc::channel(1);
    let (missed, now) = (Arc::new(Notify::new()), || Timestamp::UNIX_EPOCH);
    let receiver = Receiver::new(hooks, Networks::default(), store, sender, missed, now).expect("an intake");
    House { app: router(receiver), taken: 0, _arrivals: arrivals, _dir: dir }
}

fn answer(request: Request<Body>) -> StatusCode {
    HOUSE.with_borrow_mut(|house| {
        if house.as_ref().is_some_and(|house| house.taken >= FULL) {
            *house = None;
        }
        let house = house.get_or_insert_with(self::house);
        house.taken += 1;
        RUNTIME.block_on(house.app.clone().oneshot(request)).expect("infallible").status()
    })
}

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = bytes.windows(at.len()).position(|window| window == at);
    found.map_or((bytes, &[]), |found| (&bytes[..found], &bytes[found + at.len()..]))
}

fuzz_target!(|input: &[u8]| {
    let Some((scheme, rest)) = input.split_first() else { return };
    let (head, body) = split(rest, b"\n\n");
    let number = usize::from(*scheme) % SCHEMES.len();
    let mut request = Request::post(format!("/hooks/a{number}/key")).body(Body::from(body.to_vec())).expect("request");
    for line in head.split(|byte| *byte == b'\n') {
        let (name, value) = split(line, b": ");
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            request.headers_mut().append(name, value);
        }
    }
    let status = answer(request);
    assert!(status.is_client_error(), "unsigned, and answered {status}");

    let signed = Request::post("/hooks/a0/key").header("x-pagerduty-signature", signature(body));
    let status = answer(signed.body(Body::from(body.to_vec())).expect("request"));
    assert!(body.is_empty() || status == StatusCode::ACCEPTED, "signed, and answered {status}");
});
