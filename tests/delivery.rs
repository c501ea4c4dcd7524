//! The log's commands as scripts see them: the real binary on a store that was filled here.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use dogwatch::{
    core::{
        delivery::{Decode as _, Proof, Scheme, Timings, Verdict},
        id::{AccountName, DeliveryId},
        incident::Incident,
    },
    provider::pagerduty::Webhooks,
    store::{Applied, Keep, NewDelivery, Store, Write},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;
use support::PATIENCE;

mod support;

const BIN: &str = env!("CARGO_BIN_EXE_dogwatch");
const TRIGGERED: &str = include_str!("fixtures/pagerduty/webhook_real.triggered.json");
const CONFIG: &str = "[[account]]\nname = \"prod\"\nprovider = \"pagerduty\"\n[account.webhook]\nurl_key = { env = \"KEY\" }\n\
                      secrets = [{ env = \"PD_SECRET\" }]\n";

struct Setup {
    store: Store,
    dir: tempfile::TempDir,
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::write(dir.path().join("config.toml"), CONFIG).expect("config");
    let store = Store::open(&dir.path().join("state")).expect("store");
    Setup { store, dir }
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BIN);
    command
        .args(args)
        .env_clear()
        .env("KEY", "key")
        .env("PD_SECRET", "it is a secret")
        .env("TZ", "UTC")
        .env("DOGWATCH_CONFIG", dir.join("config.toml"))
        .env("DOGWATCH_STATE_DIR", dir.join("state"));
    command
}

/// As `PagerDuty` signs with the secret of the test.
fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"it is a secret").expect("any length");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

impl Setup {
    async fn put(&self, verdict: Verdict, body: &[u8]) -> DeliveryId {
        let account: AccountName = "prod".parse().expect("id");
        let decoded = Webhooks.decode(&account, body).ok();
        let genuine = verdict != Verdict::Rejected;
        let new = NewDelivery {
            at: Timestamp::now(),
            proof: genuine.then(|| Proof { scheme: Scheme::PagerdutyV3, secret: "env PD_SECRET".into() }),
            timings: Timings { read_us: 400, check_us: 60, commit_us: None },
            verdict,
            reason: if genuine { "signed" } else { "no signature" }.into(),
            status: if genuine { 202 } else { 401 },
            decoded: decoded.filter(|_| verdict == Verdict::Accepted),
            account: Some(account),
            peer: "203.0.113.7:50112".into(),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("authorization".into(), "•••".into()),
                ("x-pagerduty-signature".into(), "v1=old".into()),
            ],
            body: body.to_vec(),
        };
        self.store.record(new).await.expect("stored").summary.id
    }

    fn run(&self, args: &[&str]) -> Output {
        command(self.dir.path(), args).output().expect("the binary runs")
    }

    fn said(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn ids(&self, args: &[&str]) -> Vec<i64> {
        let found: Value = serde_json::from_str(&self.said(args)).expect("json");
        found.as_array().expect("a list").iter().filter_map(|line| line["id"].as_i64()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_finds_by_line_and_by_body_and_a_wrong_one_points_at_its_column() {
    let setup = setup();
    setup.put(Verdict::Accepted, TRIGGERED.as_bytes()).await;
    setup.put(Verdict::Rejected, b"POST nonsense here").await;

    assert_eq!(setup.ids(&["delivery", "search", "verdict:rejected", "since:1h", "--json"]), [2]);
    assert_eq!(setup.ids(&["delivery", "search", "\"nonsense here\"", "--json"]), [2]);
    assert_eq!(setup.ids(&["delivery", "list", "type:triggered or from:203.0.113.7", "--json"]), [2, 1]);
    assert_eq!(setup.said(&["delivery", "list", "--format", "ids"]), "01FKZSRAPTMF55RE69G8BQHGC6\n");
    let wrong = setup.run(&["delivery", "search", "x", "verdct:rejected"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said.contains("column 3: no field `verdct`, perhaps `verdict:`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_body_is_no_answer_to_who_asks_for_it() {
    let setup = setup();
    setup.put(Verdict::Rejected, &vec![b'x'; 70_000]).await;

    let shown = setup.run(&["delivery", "show", "1", "--raw"]);

    assert_eq!((shown.status.code(), shown.stdout.len()), (Some(1), 64 * 1024));
    let said = String::from_utf8_lossy(&shown.stderr);
    assert_eq!(said, "dogwatch: delivery 1: only the first 65536 of its 70000 bytes are kept\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_and_exported_is_what_came() {
    let setup = setup();
    let hostile = b"\xff\x1b[2J\0";
    setup.put(Verdict::Accepted, TRIGGERED.as_bytes()).await;
    setup.put(Verdict::Undecodable, hostile).await;

    assert_eq!(setup.run(&["delivery", "show", "2", "--raw"]).stdout, hostile);
    assert!(setup.said(&["delivery", "show", "1", "--timing"]).contains("proof    pagerduty-v3 with env PD_SECRET"));
    assert!(setup.said(&["delivery", "show", "1", "--headers"]).starts_with("content-type: application/json\n"));
    let lines: Vec<Value> =
        setup.said(&["delivery", "export"]).lines().map(|line| serde_json::from_str(line).expect("json")).collect();
    assert_eq!(lines.iter().map(|line| line["id"].as_i64()).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(lines[0]["body"], TRIGGERED);
    assert_eq!(lines[1]["body_base64"], "/xtbMkoA");
    assert_eq!(setup.said(&["delivery", "export", "type:nothing"]), "");
    let curl = setup.said(&["delivery", "export", "1", "--curl"]);
    assert!(curl.contains("x-pagerduty-signature: v1=old") && curl.contains("not kept: authorization."), "{curl}");
    let signed = setup.said(&["delivery", "export", "1", "--curl", "--sign"]);
    let fresh = signature(TRIGGERED.as_bytes());
    assert!(signed.contains(&fresh) && !signed.contains("v1=old") && !signed.contains("it is a secret"), "{signed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_the_same_of_what_the_sender_waited() {
    let setup = setup();
    let id = setup.put(Verdict::Rejected, b"x").await;
    let unknown = setup.said(&["delivery", "show", "1", "--timing"]);
    assert!(unknown.contains("401, perhaps") && !setup.said(&["delivery", "show", "1"]).contains(" us"), "{unknown}");

    setup.store.save(vec![Write::Committed(vec![(id, 2_940)])]).await.expect("noted");

    let waited = 400 + 60 + 2_940;
    let list: Value = serde_json::from_str(&setup.said(&["delivery", "list", "--json"])).expect("json");
    assert_eq!(list[0]["latency_us"], waited);
    let exported: Value = serde_json::from_str(&setup.said(&["delivery", "export"])).expect("json");
    assert_eq!(exported["latency_us"], waited);
    assert!(setup.said(&["delivery", "show", "1"]).contains(&format!("{waited} us")));
    assert!(setup.said(&["delivery", "show", "1", "--timing"]).contains(&format!("401 after {waited} us")));
    assert_eq!(setup.ids(&["delivery", "search", "took:>3399us", "took:<3401us", "--json"]), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_reaches_the_beginning_says_why_the_log_does_not_begin_earlier() {
    let setup = setup();
    for n in 0..3 {
        setup.put(Verdict::Accepted, TRIGGERED.replace("01FKZSRAPTMF55RE69G8BQHGC6", &n.to_string()).as_bytes()).await;
    }
    let noted = |args: &[&str]| String::from_utf8(setup.run(args).stderr).expect("UTF-8");
    assert_eq!(noted(&["delivery", "list"]), "", "nothing was let go");
    let ids = (1..=3).map(|id| Applied { id: DeliveryId(id), changed: None, commit_us: None });
    setup.store.save(vec![Write::Applied(ids.collect())]).await.expect("applied");

    let keep = Keep { age: Duration::MAX, deliveries: 1, size: u64::MAX };
    while setup.store.prune_some(keep, Timestamp::now()).await.expect("pruned") {}

    assert_eq!(noted(&["delivery", "list"]), "dogwatch: the log begins here; 2 older let go: too many\n");
    assert_eq!(noted(&["delivery", "list", "--limit", "1"]), "", "there may be more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_reaches_what_fell_out_of_a_ring_says_how_many_there_were() {
    let setup = setup();
    setup.put(Verdict::Accepted, TRIGGERED.as_bytes()).await;
    for _ in 0..21 {
        futures_util::future::join_all((0..100).map(|_| setup.put(Verdict::Rejected, b"forged"))).await;
    }
    let noted = |args: &[&str]| String::from_utf8(setup.run(args).stderr).expect("UTF-8");

    let gone = "dogwatch: 100 rejected ones before are not kept any more\n";
    assert_eq!(noted(&["delivery", "list", "verdict:rejected", "--limit", "5000"]), gone);
    assert_eq!(noted(&["delivery", "list", "--json", "--limit", "5000"]), gone);
    assert_eq!(noted(&["delivery", "list", "verdict:rejected"]), "", "the newest are there");
    assert_eq!(noted(&["delivery", "list", "verdict:accepted"]), "");
    assert_eq!(noted(&["delivery", "list", "verdict:rejected", "account:other"]), "");
}

/// One request, as it came, answered with a redirect.
fn one_request(listener: TcpListener) -> Receiver<String> {
    let (told, requests) = channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let (mut read, mut chunk) = (vec![], [0; 4096]);
        while !String::from_utf8_lossy(&read).contains("END-OF-BODY") {
            let n = stream.read(&mut chunk).expect("read");
            read.extend_from_slice(&chunk[..n]);
        }
        let answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 7\r\n\r\nmoved\x1b\n";
        stream.write_all(answer.as_bytes()).expect("answer");
        told.send(String::from_utf8_lossy(&read).into_owned()).expect("told");
    });
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_sent_again_with_a_fresh_signature_and_no_redirect_is_followed() {
    let setup = setup();
    let body = format!("{TRIGGERED} END-OF-BODY");
    setup.put(Verdict::Undecodable, body.as_bytes()).await;
    setup.put(Verdict::Rejected, b"x").await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}/hooks/prod/key", listener.local_addr().expect("address"));
    let requests = one_request(listener);

    let output = setup.run(&["delivery", "replay", "1", "--to", &url]);

    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("answered 302 Found: moved␛") && output.status.code() == Some(1), "{said}");
    let request = requests.recv_timeout(PATIENCE).expect("a request");
    let fresh = signature(body.as_bytes());
    assert!(request.contains(&format!("x-pagerduty-signature: {fresh}\r\n")), "{request}");
    assert!(!request.contains("authorization") && !request.contains("v1=old"), "{request}");
    let refused = setup.run(&["delivery", "replay", "2", "--to", &url]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("rejected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_shown_as_it_is_goes_only_to_whom_one_said_to_show_it() {
    let setup = setup();
    fs::write(setup.dir.path().join("config.toml"), format!("{CONFIG}scheme = \"bearer\"\n")).expect("config");
    let body = format!("{TRIGGERED} END-OF-BODY");
    setup.put(Verdict::Undecodable, body.as_bytes()).await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}/hooks/prod/key", listener.local_addr().expect("address"));
    let refusal = |args: &[&str]| {
        let output = setup.run(args);
        assert!(!output.status.success());
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };

    let curl = refusal(&["delivery", "export", "1", "--curl", "--sign"]);
    let unasked = refusal(&["delivery", "replay", "1", "--to", &url]);
    let unencrypted = refusal(&["delivery", "replay", "1", "--to", "http://203.0.113.7/", "--show-secret"]);
    let requests = one_request(listener);
    let sent = refusal(&["delivery", "replay", "1", "--to", &url, "--show-secret"]);

    assert!(curl.contains("--show-secret") && unasked.contains("--show-secret"), "{curl}{unasked}");
    assert!(unencrypted.contains("use https") && sent.contains("answered 302"), "{unencrypted}{sent}");
    let request = requests.recv_timeout(PATIENCE).expect("a request");
    assert!(request.contains("authorization: Bearer it is a secret\r\n"), "{request}");
    assert!(![curl, unasked, unencrypted, sent].iter().any(|said| said.contains("it is a secret")));
}

/// A program that runs until the end of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_each_delivery_once_and_ends_when_nobody_reads() {
    let setup = setup();
    for n in 0..3 {
        setup.put(Verdict::Undecodable, format!("old {n}").as_bytes()).await;
    }
    let args = ["delivery", "tail", "-n", "2", "--json", "verdict:undecodable"];
    let child = command(setup.dir.path(), &args).stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut tail = Running(child);
    let mut lines = BufReader::new(tail.0.stdout.take().expect("stdout")).lines();
    let mut next = move || {
        let line: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("json");
        line["id"].as_i64().expect("id")
    };
    let mut ids = vec![next(), next()];

    for n in 0..700 {
        let verdict = if n % 7 == 0 { Verdict::Rejected } else { Verdict::Undecodable };
        setup.put(verdict, format!("new {n}").as_bytes()).await;
    }
    ids.extend((0..600).map(|_| next()));

    let wanted: Vec<i64> = (2..=3).chain((4..704).filter(|id| (id - 4) % 7 != 0)).collect();
    assert_eq!(ids, wanted);
    drop(next);
    support::eventually("the tail ends", || tail.0.try_wait().expect("wait").is_some());
    assert!(tail.0.wait().expect("ended").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_could_not_be_written_is_said_and_ends_with_1() {
    let setup = setup();
    setup.put(Verdict::Accepted, TRIGGERED.as_bytes()).await;
    for args in [
        "delivery list",
        "delivery list --json",
        "delivery list --format ids",
        "delivery list --format ids verdict:accepted",
        "delivery show 1 --raw",
        "delivery export",
        "delivery export verdict:accepted",
        "delivery export 1",
        "delivery export 1 --curl",
        "delivery tail",
        "status --format json",
        "incident list --json",
        "action list --json",
        "template show plain",
        "config path",
        "--help",
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
        let args: Vec<&str> = args.split(' ').collect();
        let ended = command(setup.dir.path(), &args).stdout(full).output().expect("the binary runs");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("No space left on device"), "{args:?}: {said}");
    }
}

#[test]
fn where_nothing_at_all_can_be_written_a_command_ends_as_it_would() {
    let dir = tempfile::tempdir().expect("tempdir");
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
    for (args, code) in [("--help", 1), ("nonsense", 2), ("delivery list", 1)] {
        let mut command = command(dir.path(), &args.split(' ').collect::<Vec<_>>());
        let ended = command.stdout(full()).stderr(full()).status().expect("the binary runs");
        assert_eq!(ended.code(), Some(code), "{args}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_is_no_failure() {
    let setup = setup();
    for _ in 0..40 {
        setup.put(Verdict::Undecodable, &[b'x'; 10_000]).await;
    }
    for args in ["delivery list --json", "delivery export", "delivery export verdict:undecodable"] {
        let args: Vec<&str> = args.split(' ').collect();
        let mut child = command(setup.dir.path(), &args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success() && ended.stderr.is_empty(), "{args:?}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_exported_from_the_oldest_to_the_newest() {
    let setup = setup();
    for n in 0..1010 {
        let verdict = if n % 2 == 0 { Verdict::Rejected } else { Verdict::Undecodable };
        setup.put(verdict, b"x").await;
    }
    let exported = |args: &[&str]| -> Vec<i64> {
        let id = |line: &str| serde_json::from_str::<Value>(line).expect("json")["id"].as_i64().expect("id");
        setup.said(args).lines().map(id).collect()
    };

    assert_eq!(exported(&["delivery", "export"]), (1..=1010).collect::<Vec<_>>());
    assert_eq!(exported(&["delivery", "export", "verdict:rejected"]), (1..=1010).step_by(2).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_of_an_incident_that_gets_its_number_later_and_an_unknown_number_is_said() {
    let setup = setup();
    let unknown = "no incident #37 is known";
    setup.put(Verdict::Rejected, b"x").await;
    let listed = setup.run(&["delivery", "list", "incident:#37", "--json"]);
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(listed.status.code() == Some(1) && said.contains(unknown), "{said}");
    let exported = setup.run(&["delivery", "export", "#37"]);
    assert!(exported.status.code() == Some(1) && exported.stdout.is_empty(), "{exported:?}");
    assert_eq!(setup.ids(&["delivery", "list", "#37 or verdict:rejected", "--json"]), [1]);
    let child = command(setup.dir.path(), &["delivery", "tail", "incident:#37", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut tail = Running(child);
    let mut said = String::new();
    BufReader::new(tail.0.stderr.take().expect("stderr")).read_line(&mut said).expect("a line");
    assert!(said.contains(unknown), "{said}");

    let account: AccountName = "prod".parse().expect("id");
    let decoded = Webhooks.decode(&account, TRIGGERED.as_bytes()).expect("a webhook");
    let incident = Incident::first(decoded.observation.expect("an incident"));
    assert_eq!(incident.state.number, Some(37));
    setup.store.save(vec![Write::Incident(Box::new(incident))]).await.expect("saved");
    let id = setup.put(Verdict::Accepted, TRIGGERED.as_bytes()).await;
    let applied = Applied { id, changed: Some("new incident".into()), commit_us: Some(100) };
    setup.store.save(vec![Write::Applied(vec![applied])]).await.expect("saved");

    let mut line = String::new();
    BufReader::new(tail.0.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
    assert_eq!(serde_json::from_str::<Value>(&line).expect("json")["id"], id.0);
    assert_eq!(setup.ids(&["delivery", "list", "incident:#37", "--json"]), [id.0]);
}
