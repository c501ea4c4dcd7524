//! The service in operation: settings read again while deliveries stream in, its figures, and its log.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dogwatch::simulator::Simulator;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::process::{Pid, Signal, kill_process};
use sha2::Sha256;
use support::{
    eventually,
    night::{BIN, reserve_port, triggered},
    simulated::{self, TOKEN, ask},
};
use tokio::runtime::{self, Runtime};

mod support;

/// A provider, and `dogwatch serve` on it.
struct Service {
    door: SocketAddr,
    metrics: SocketAddr,
    provider: SocketAddr,
    dir: tempfile::TempDir,
    child: Child,
    simulator: Simulator,
    _runtime: Runtime,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn account(name: &str, provider: SocketAddr, secrets: &[&str]) -> String {
    let secrets: Vec<String> = secrets.iter().map(|secret| format!("\"{secret}\"")).collect();
    format!(
        "[[account]]\nname = \"{name}\"\nprovider = \"pagerduty\"\nbase_url = \"http://{provider}\"\n\
         token = \"{TOKEN}\"\npoll = \"5s\"\n[account.webhook]\nurl_key = \"k{name}\"\nsecrets = [{}]\n",
        secrets.join(", ")
    )
}

fn write_config(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).expect("config");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("mode");
}

fn service(incidents: usize, format: &str) -> Service {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let simulator = runtime.block_on(simulated::start(SocketAddr::from(([127, 0, 0, 1], 0)), incidents, None));
    let (door, metrics, provider) = (reserve_port(), reserve_port(), simulated::address(&simulator));
    let dir = tempfile::tempdir().expect("tempdir");
    let log = File::create(dir.path().join("log")).expect("log");
    let head = format!("[receiver]\nlisten = \"{door}\"\n[server]\nmetrics = \"{metrics}\"\n");
    write_config(&dir.path().join("config.toml"), &(head + &account("prod", provider, &["first"])));
    let child = Command::new(BIN)
        .env_clear()
        .env("DOGWATCH_LOG", "dogwatch=debug")
        .env("DOGWATCH_CONFIG", dir.path().join("config.toml"))
        .env("DOGWATCH_STATE_DIR", dir.path().join("state"))
        .args(["serve", "--log-format", format])
        .stderr(log)
        .spawn()
        .expect("the binary runs");
    let service = Service { door, metrics, provider, dir, child, simulator, _runtime: runtime };
    eventually("the door is open", || ask(door, "GET /readyz", &[], b"").is_ok_and(|(status, _)| status == 200));
    eventually("the figures are there", || ask(metrics, "GET /metrics", &[], b"").is_ok());
    service
}

impl Service {
    fn config(&self, door: SocketAddr, accounts: &[String]) {
        let head = format!("[receiver]\nlisten = \"{door}\"\n[server]\nmetrics = \"{}\"\n", self.metrics);
        write_config(&self.config_path(), &(head + &accounts.concat()));
    }

    fn config_path(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(BIN)
            .env_clear()
            .env("DOGWATCH_CONFIG", self.config_path())
            .env("DOGWATCH_STATE_DIR", self.dir.path().join("state"))
            .args(args)
            .output()
            .expect("the binary runs")
    }

    fn reload(&self) -> Output {
        self.run(&["config", "reload"])
    }

    fn hang_up(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, Signal::HUP).expect("it runs");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("log")
    }

    fn stored_ids(&self) -> BTreeSet<String> {
        let output = self.run(&["delivery", "list", "--format", "ids"]);
        String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
    }

    fn figures(&self) -> String {
        ask(self.metrics, "GET /metrics", &[], b"").expect("figures").1
    }
}

/// Puts a pair in the place of whatever stands in the files of that name.
fn put_pair(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let made = rcgen::generate_simple_self_signed(["door.example".to_owned()]).expect("pair");
    let parts = [("key", made.signing_key.serialize_pem()), ("certificate", made.cert.pem())];
    for (name, text) in parts {
        let new = dir.join("new");
        fs::write(&new, text).expect("written");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("mode");
        fs::rename(&new, dir.join(format!("{name}.pem"))).expect("in its place");
    }
}

#[test]
fn tls_begins_and_its_certificate_is_replaced_without_a_restart() {
    let service = service(0, "text");
    let plain = fs::read_to_string(service.config_path()).expect("config");
    put_pair(service.dir.path());
    let tls = "[receiver.tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n";
    write_config(&service.config_path(), &format!("{plain}{tls}"));
    // It talks to nobody who does not show the very certificate that is in the file.
    let door = || {
        let found = String::from_utf8(service.run(&["doctor"]).stdout).expect("UTF-8");
        found.lines().find(|line| line.contains(" receiver ")).expect("the door").to_owned()
    };
    assert!(door().contains("no TLS"), "{}", door());

    let said = String::from_utf8(service.reload().stdout).expect("UTF-8");
    assert!(said.contains("the door speaks TLS"), "{said}");
    assert!(door().contains("listens, and can commit"), "{}", door());
    assert_eq!(post(service.door, "prod", "first", b"{}"), None, "plain HTTP is over");

    put_pair(service.dir.path());
    eventually("the new certificate is shown", || door().contains("listens, and can commit"));

    let good = fs::read(service.dir.path().join("certificate.pem")).expect("certificate");
    fs::write(service.dir.path().join("certificate.pem"), "no certificate").expect("written");
    eventually("the log says so", || service.log().contains("the door's certificate is not used"));
    fs::write(service.dir.path().join("certificate.pem"), good).expect("written");
    assert!(door().contains("listens, and can commit"), "the former one is in force: {}", door());
}

fn post(door: SocketAddr, account: &str, secret: &str, body: &[u8]) -> Option<u16> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("hmac takes keys of any length");
    mac.update(body);
    let signature = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
    let headers = [("x-pagerduty-signature", signature.as_str())];
    ask(door, &format!("POST /hooks/{account}/k{account}"), &headers, body).ok().map(|(status, _)| status)
}

#[test]
fn a_rotated_secret_is_taken_at_a_hang_up_while_deliveries_stream_in_and_none_is_refused() {
    let service = service(0, "text");
    let (done, door) = (Arc::new(AtomicBool::new(false)), service.door);
    let streams: Vec<_> = (0..3)
        .map(|stream| {
            let done = Arc::clone(&done);
            thread::spawn(move || {
                let mut sent = vec![];
                while !done.load(Ordering::Relaxed) {
                    let id = format!("01STREAM{stream}N{:08}", sent.len());
                    let status = post(door, "prod", "first", &triggered(&id, &format!("Q{stream}"), "Streaming"));
                    sent.push((id, status));
                }
                sent
            })
        })
        .collect();

    service.config(door, &[account("prod", service.provider, &["first", "second"])]);
    service.hang_up();
    eventually("the new secret is taken", || {
        post(door, "prod", "second", &triggered("01ROTATED", "QNEW", "By the new secret")) == Some(202)
    });
    for _ in 0..5 {
        service.hang_up();
        assert!(service.reload().status.success());
    }
    done.store(true, Ordering::Relaxed);

    let sent: Vec<_> = streams.into_iter().flat_map(|stream| stream.join().expect("a stream")).collect();
    assert!(sent.len() > 20, "{}", sent.len());
    let refused: Vec<_> = sent.iter().filter(|(_, status)| *status != Some(202)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let posted: BTreeSet<String> = sent.into_iter().map(|(id, _)| id).collect();
    eventually("all of it stands in the log", || service.figures().contains("dogwatch_unentered 0"));
    let stored = service.stored_ids();
    assert_eq!(posted.difference(&stored).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");

    service.config(door, &[account("prod", service.provider, &["second"])]);
    assert!(service.reload().status.success());
    assert_eq!(post(door, "prod", "first", &triggered("01TOOLATE", "QOLD", "By the old one")), Some(401));
}

#[test]
fn a_command_knows_what_those_right_before_it_were_answered() {
    let service = service(0, "text");
    let done = |args: &[&str]| {
        let output = service.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    // Commands and consoles that come within moments of each other share a copy of the board.
    done(&["target", "list"]);

    done(&["target", "add", "chat", "--url", "http://127.0.0.1:9", "--event", "incident.created"]);
    assert!(done(&["target", "show", "chat"]).contains("http://127.0.0.1:9"));
    done(&["target", "edit", "chat", "--retries", "3"]);
    done(&["target", "edit", "chat", "--linked", "true"]);
    done(&["target", "disable", "chat"]);

    let listed: serde_json::Value = serde_json::from_str(&done(&["target", "list", "--json"])).expect("JSON");
    let chat = &listed[0];
    assert_eq!((&chat["retries"], &chat["linked"]), (&3.into(), &true.into()), "{chat}");
    assert_eq!(chat["state"]["state"], "off", "{chat}");
}

#[test]
fn a_reload_names_the_secret_that_is_another_one_behind_its_reference_and_never_what_it_is() {
    let service = service(0, "text");
    let file = service.dir.path().join("signing");
    write_config(&file, "first");
    let config = fs::read_to_string(service.config_path()).expect("config");
    write_config(&service.config_path(), &config.replace("\"first\"", "{ file = \"signing\" }"));
    assert!(service.reload().status.success());
    let said = || String::from_utf8(service.reload().stdout).expect("UTF-8");

    let same = said();
    write_config(&file, "second-hunter2");
    let rotated = said();

    assert!(same.contains("nothing is different\n") && same.contains("no secret of an account"), "{same}");
    let other = format!("prod: secret 1 (file {}) is another one", file.display());
    assert!(rotated.contains(&other) && !rotated.contains("nothing is different"), "{rotated}");
    let audit = fs::read_to_string(service.dir.path().join("state/audit.jsonl")).expect("the audit file");
    let log = service.log();
    for told in [&audit, &log] {
        assert!(told.contains(&other) && !told.contains("hunter2"), "{told}");
    }
    assert!(said().contains("nothing is different\n"));
}

#[test]
fn a_broken_file_keeps_the_former_settings_and_everybody_is_told_until_it_is_mended() {
    let service = service(0, "text");
    let good = fs::read_to_string(service.config_path()).expect("config");
    let missing = good.replace("\"first\"", "{ env = \"DOGWATCH_NOT_SET\" }");
    let tls = format!("{good}[receiver.tls]\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n");
    for (broken, why) in [("[receiver]\nlisten = 1", "listen"), (&missing, "DOGWATCH_NOT_SET"), (&tls, "none.pem")] {
        write_config(&service.config_path(), broken);

        let output = service.reload();

        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{output:?}");
        let body = triggered(&format!("01STILL{}", why.len()), "QSTILL", "Still served");
        assert_eq!(post(service.door, "prod", "first", &body), Some(202));
        eventually("the log says so", || service.log().contains("the former settings stay in force"));
    }
    write_config(&service.config_path(), &good);
    let output = service.reload();
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing is different"), "{output:?}");
}

#[test]
fn a_target_whose_secret_is_gone_keeps_the_former_settings_and_is_sent_to_as_before() {
    let service = service(0, "text");
    let file = service.dir.path().join("chat");
    write_config(&file, "http://127.0.0.1:9/x");
    let plain = fs::read_to_string(service.config_path()).expect("config");
    let target = "[[target]]\nname = \"chat\"\nurl = { file = \"chat\" }\nevents = [\"incident.created\"]\n";
    write_config(&service.config_path(), &format!("{plain}{target}"));
    assert!(service.reload().status.success());
    fs::remove_file(&file).expect("gone");

    let output = service.reload();

    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("target chat: file"), "{output:?}");
    let listed = String::from_utf8(service.run(&["target", "list", "--json"]).stdout).expect("UTF-8");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed[0]["state"]["state"], "on", "{listed}");
}

#[test]
fn a_reload_says_that_credentials_are_as_old_as_the_service_unless_systemd_refreshes_them() {
    let service = service(0, "text");
    let of_file = String::from_utf8(service.reload().stdout).expect("UTF-8");
    let config = fs::read_to_string(service.config_path()).expect("config");
    let integration = "[[integration]]\nname = \"jobs\"\nrouting_key = { credential = \"events\" }\n";
    write_config(&service.config_path(), &format!("{config}{integration}"));

    let of_systemd = String::from_utf8(service.reload().stdout).expect("UTF-8");

    assert!(of_systemd.contains("where events go is another") && of_systemd.contains("`systemctl restart dogwatch`"));
    assert!(!of_file.contains("systemctl"), "{of_file}");
}

#[test]
fn accounts_come_and_go_and_the_door_moves_without_a_restart() {
    let service = service(2, "text");
    let (provider, door) = (service.provider, reserve_port());
    let both = [account("prod", provider, &["first"]), account("second", provider, &["other"])];
    service.config(door, &both);

    let said = String::from_utf8(service.reload().stdout).expect("UTF-8");

    assert!(said.contains("account second is new") && said.contains(&format!("the door is on {door} now")), "{said}");
    assert_eq!(post(door, "second", "other", &triggered("01SECOND", "QSECOND", "Of the second")), Some(202));
    eventually("the old port is given back", || ask(service.door, "GET /healthz", &[], b"").is_err());
    let list = || String::from_utf8(service.run(&["incident", "list", "--json"]).stdout).expect("UTF-8");
    eventually("both are polled", || list().contains("\"second\""));

    service.config(door, &both[..1]);
    let said = String::from_utf8(service.reload().stdout).expect("UTF-8");

    assert!(said.contains("account second is not configured any more: its "), "{said}");
    assert!(!list().contains("\"second\""), "{}", list());
    assert_eq!(post(door, "second", "other", &triggered("01GONE", "QSECOND", "Nobody's")), Some(404));
}

#[test]
fn the_figures_count_by_our_own_words_and_no_stranger_makes_a_label() {
    let service = service(1, "text");
    let body = triggered("01FIGURES", "QFIG", "Figures");
    assert_eq!(post(service.door, "prod", "first", &body), Some(202));
    assert_eq!(post(service.door, "prod", "first", &body), Some(202));
    assert_eq!(post(service.door, "prod", "wrong", &body), Some(401));
    for n in 0..20 {
        assert_eq!(post(service.door, &format!("stranger{n}"), "x", &body), Some(404));
    }
    for line in [
        "dogwatch_poll_age_seconds{account=\"prod\"}",
        "dogwatch_deliveries_total{account=\"prod\",verdict=\"accepted\"} 1",
        "dogwatch_deliveries_total{account=\"prod\",verdict=\"duplicate\"} 1",
        "dogwatch_deliveries_total{account=\"prod\",verdict=\"rejected\"} 1",
        "dogwatch_deliveries_total{account=\"-\",verdict=\"rejected\"} 20",
        "dogwatch_commit_seconds_count 2",
        "dogwatch_writer_queue 0",
        "dogwatch_unentered 0",
        "dogwatch_start_time_seconds ",
        "dogwatch_build_info{version=",
        "# EOF",
    ] {
        eventually(line, || service.figures().contains(line));
    }
    let figures = service.figures();
    assert!(!figures.contains("stranger"), "{figures}");
    let said = || service.log().matches("the path names no account configured here").count();
    eventually("the log tells of strangers", || said() > 0);
    assert_eq!(said(), 1, "they do not choose how long it gets");
    assert!(ask(service.door, "GET /metrics", &[], b"").is_ok_and(|(status, _)| status == 404), "not at the open door");
}

#[test]
fn the_figures_tell_how_far_the_clock_is_off() {
    let service = service(1, "text");
    simulated::set_faults(service.provider, r#"{"date_seconds": 90}"#);

    let skew = || {
        let figures = service.figures();
        let line = figures.lines().find_map(|line| line.strip_prefix("dogwatch_clock_skew_seconds{account=\"prod\"} "));
        line.and_then(|value| value.parse::<f64>().ok())
    };
    eventually("the clock is behind", || skew().is_some_and(|skew| (85.0..91.0).contains(&skew)));
}

#[test]
fn the_api_log_tells_what_a_running_service_asked_and_without_one_there_is_none() {
    let mut service = service(3, "text");

    let log = || String::from_utf8(service.run(&["api-log", "--json"]).stdout).expect("UTF-8");
    let whole = |log: &str| log.contains("statuses[]=resolved") && log.contains("/oncalls?");
    eventually("the first round is over", || whole(&log()));
    let log = log();
    let read: serde_json::Value = serde_json::from_str(&log).expect("JSON");
    assert!(!log.contains(TOKEN), "{log}");
    assert_eq!((&read["budgets"][0]["account"], &read["budgets"][0]["reserve"]), (&"prod".into(), &96.into()));
    let list = read["calls"].as_array().expect("calls").iter().find(|call| call["path"] == "/users/me").expect("asked");
    assert_eq!((&list["end"]["status"], list["request_id"].as_str().map(str::len)), (&200.into(), Some(36)));

    service.child.kill().expect("it runs");
    service.child.wait().expect("it ends");
    let output = service.run(&["api-log"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("no dogwatch runs here"), "{words}");
}

/// A text in the forms in which it could leak.
fn forms(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let all = STANDARD.encode(bytes);
    vec![text.to_owned(), all.trim_end_matches('=').to_owned(), hex::encode(bytes), hex::encode_upper(bytes)]
}

#[test]
fn a_night_leaves_no_secret_no_body_and_no_person_in_the_log_and_each_event_is_one_line() {
    const TITLE: &str = "Canarytitle ends in \u{1b}[31mred\r\nINFO forged line";
    let service = service(2, "json");
    let people = service.simulator.users();
    for n in 0..20 {
        let body = triggered(&format!("01CANARY{n}"), &format!("QCANARY{n}"), TITLE);
        assert_eq!(post(service.door, "prod", "first", &body), Some(202));
        post(service.door, "prod", "canarywrong", &body);
        post(service.door, "\u{9b}canarypath", "canarywrong", &body);
    }
    let raw = b"{\"canaryjunk\": ";
    post(service.door, "prod", "first", raw);
    simulated::set_faults(service.provider, r#"{"status":401,"percent":100}"#);
    eventually("a poll fails", || service.log().contains("poll failed"));
    simulated::set_faults(service.provider, r#"{"status":200,"percent":0}"#);
    write_config(&service.config_path(), "[[account]]\nname = \"canaryconfig");
    service.hang_up();
    eventually("the reload is refused", || service.log().contains("former settings stay in force"));

    let log = service.log();

    assert!(log.contains("refused a delivery"), "{log}");
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(event["message"].is_string() && event["level"].is_string(), "{line}");
    }
    assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "nothing acts on a terminal");
    let mut canaries: Vec<String> =
        ["Canarytitle", "canaryjunk", "canaryconfig", "canarypath", "kprod", "\"first\"", TOKEN]
            .map(str::to_owned)
            .into();
    canaries.extend(people.iter().flat_map(|person| [person.name.clone(), person.email.clone()]));
    for canary in canaries.iter().flat_map(|canary| forms(canary)) {
        assert!(!log.contains(&canary), "{canary} in the log");
    }
}
