//! The way of webhooks, broken and mended with the real binary: what the screen says, what `doctor` finds, and what
//! `dogwatch webhook` does about it.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use dogwatch::simulator::{Simulator, Webhook};
use serde_json::Value;
use support::{
    eventually, night,
    simulated::{self, TOKEN, ask},
};

mod support;

const SECRET: &str = "the-right-one";

struct Setup {
    simulator: Simulator,
    door: SocketAddr,
    dir: tempfile::TempDir,
}

/// `dogwatch serve`, killed at the end.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With a subscription that signs with [`SECRET`], or with none.
async fn setup(subscribed: bool) -> Setup {
    let door = night::reserve_port();
    let webhook = Webhook { url: format!("http://{door}/hooks/prod/4b1d"), secret: SECRET.into() };
    let simulator = simulated::start(([127, 0, 0, 1], 0).into(), 3, subscribed.then_some(webhook)).await;
    let dir = tempfile::tempdir().expect("tempdir");
    let config = format!(
        r#"
        [receiver]
        listen = "{door}"

        [[account]]
        name = "prod"
        provider = "pagerduty"
        base_url = "{}"
        token = {{ env = "PD_TOKEN" }}

        [account.webhook]
        url_key = {{ file = "key" }}
        secrets = [{{ file = "secret" }}]
        public_url = "http://{door}"
        "#,
        simulator.url()
    );
    fs::write(dir.path().join("config.toml"), config).expect("config");
    let setup = Setup { simulator, door, dir };
    setup.write("key", "4b1d");
    setup
}

impl Setup {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).expect("new");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
    }

    /// Puts something else into the configuration.
    fn alter(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("config.toml")).expect("config");
        assert!(text.contains(from), "{text}");
        self.write("config.toml", &text.replace(from, to));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(night::BIN);
        command.args(args).env_clear().env("PD_TOKEN", TOKEN);
        command.env("DOGWATCH_CONFIG", self.path("config.toml")).env("DOGWATCH_STATE_DIR", self.path("state"));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary runs")
    }

    fn serve(&self) -> Served {
        let child = self.command(&["serve"]).stderr(Stdio::null()).spawn().expect("the binary runs");
        let served = Served(child);
        eventually("the door is open", || {
            ask(self.door, "GET /readyz", &[], b"").is_ok_and(|(status, _)| status == 200)
        });
        served
    }

    fn trigger(&self, title: &str) {
        let order = serde_json::json!({"title": title}).to_string();
        let provider = simulated::address(&self.simulator);
        assert_eq!(ask(provider, "POST /_sim/incidents", &[], order.as_bytes()).expect("an answer").0, 201);
    }

    /// What doctor says of a link of the chain: its state and words.
    fn link(&self, link: &str) -> (String, String) {
        let found: Value = serde_json::from_slice(&self.run(&["doctor", "--json"]).stdout).expect("json");
        let what = format!("push prod: {link}");
        let finding = found.as_array().expect("list").iter().find(|finding| finding["what"] == what);
        let finding = finding.unwrap_or_else(|| panic!("no {what} in {found:#}"));
        let text = |key: &str| finding[key].as_str().expect("text").to_owned();
        (text("state"), text("says"))
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_disables_the_subscription_and_doctor_mends_it_once_the_secret_is_right() {
    let setup = setup(true).await;
    setup.write("secret", "a-wrong-one");
    let served = setup.serve();
    for title in ["one", "two", "three"] {
        setup.trigger(title);
        let n = setup.simulator.stats().signed;
        eventually("it is refused", || setup.simulator.stats().dropped == n);
    }
    assert!(setup.simulator.stats().disabled);
    let (state, says) = setup.link("5 subscription");
    assert!(state == "wrong" && says.contains("disabled") && says.contains("webhook enable"), "{says}");
    let (state, says) = setup.link("7 refusals");
    assert!(state == "wrong" && says.contains("last 3 deliveries refused with 401"), "{says}");
    assert!(setup.link("result").1.ends_with("prod: 5 subscription"));
    let tried = setup.run(&["doctor", "--fix"]);
    assert_eq!(tried.status.code(), Some(1), "{}", said(&tried));
    assert!(said(&tried).contains("a delivery came and was refused"), "{}", said(&tried));

    drop(served);
    setup.write("secret", SECRET);
    let _served = setup.serve();
    let mended = setup.run(&["doctor", "--fix"]);

    assert_eq!(mended.status.code(), Some(0), "{}", said(&mended));
    assert!(said(&mended).contains("ping arrived after "), "{}", said(&mended));
    for link in ["3 door", "5 subscription", "6 deliveries", "7 refusals", "8 accepted", "9 board"] {
        let (state, says) = setup.link(link);
        assert_eq!(state, "ok", "{link}: {says}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_of_a_subscription_that_leads_to_an_old_key() {
    let setup = setup(true).await;
    setup.write("secret", SECRET);
    setup.write("key", "another");
    let _served = setup.serve();

    setup.trigger("one");
    eventually("it is refused", || setup.simulator.stats().dropped == 1);

    let (state, says) = setup.link("7 refusals");
    assert!(
        state == "wrong" && says.contains("404") && says.contains("wrong key in the path of account prod"),
        "{says}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_only_the_service_has_are_not_called_broken() {
    let setup = setup(true).await;
    setup.alter("secrets = [{ file = \"secret\" }]", "secrets = [{ credential = \"secret\" }]");

    let (state, says) = setup.link("2 secrets");
    let (subscription, _) = setup.link("5 subscription");

    assert_eq!(state, "note");
    assert!(
        says.starts_with("credential secret: only the service can read it, or, as root, `CREDENTIALS_DIRECTORY="),
        "{says}"
    );
    assert_eq!(subscription, "ok");
    setup.alter("{ file = \"key\" }", "{ credential = \"key\" }");
    setup.alter("{ env = \"PD_TOKEN\" }", "{ credential = \"token\" }");
    let doctor = setup.run(&["doctor"]);
    assert!(doctor.status.code() == Some(0) && !said(&doctor).contains("WRONG"), "{}", said(&doctor));
    assert!(setup.link("5 subscription").1.contains("credential token: only the service can read it"));
    let check = setup.run(&["config", "check", "--secrets"]);
    assert!(check.status.code() == Some(0) && said(&check).contains("credential key: only"), "{}", said(&check));
    let of_service = setup.command(&["doctor"]).env("CREDENTIALS_DIRECTORY", setup.dir.path()).output().expect("runs");
    assert!(said(&of_service).contains("credential token: no such file"), "{}", said(&of_service));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_the_wrong_form_is_named_as_the_server_takes_it() {
    let setup = setup(true).await;
    setup.write("secret", "no secret of Standard Webhooks");
    setup.alter("[account.webhook]", "[account.webhook]\nscheme = \"standard-webhooks\"");

    let (state, says) = setup.link("2 secrets");
    let check = setup.run(&["config", "check", "--secrets"]);

    assert!(state == "wrong" && says.contains("is no secret of Standard Webhooks"), "{state}: {says}");
    assert!(check.status.code() == Some(2) && said(&check).contains("is no secret of Standard"), "{}", said(&check));
    assert!(setup.link("result").1.ends_with("2 secrets"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_key_that_is_no_part_of_a_path_is_named_and_nothing_is_subscribed_with_it() {
    let setup = setup(true).await;
    setup.write("key", "ab/cd+ef==");
    setup.write("secret", SECRET);

    let (state, says) = setup.link("2 secrets");
    let check = setup.run(&["config", "check", "--secrets"]);
    let create = setup.run(&["webhook", "create"]);

    assert!(state == "wrong" && says.starts_with("file ") && says.contains("is no part of a path"), "{state}: {says}");
    for refused in [check, create] {
        let says = said(&refused);
        assert!(refused.status.code() == Some(2) && says.contains("is no part of a path"), "{says}");
        assert!(!says.contains("ab/cd"), "{says}");
    }
    setup.alter("{ file = \"key\" }", "\"ab/cd+ef==\"");
    let check = setup.run(&["config", "check"]);
    assert!(
        check.status.code() == Some(2) && said(&check).contains("inline: is no part of a path"),
        "{}",
        said(&check)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_made_its_secret_kept_in_the_file_that_waits_for_it_and_a_ping_arrives() {
    let setup = setup(false).await;
    let (state, says) = setup.link("5 subscription");
    assert!(state == "wrong" || says.contains("secret is missing"), "{says}");

    let made = setup.run(&["webhook", "create"]);

    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let secret = fs::read_to_string(setup.path("secret")).expect("the secret");
    assert_eq!(fs::metadata(setup.path("secret")).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(secret.trim().len() == 64 && !said(&made).contains(secret.trim()));
    let listed = said(&setup.run(&["webhook", "list"]));
    assert!(listed.contains("active") && listed.contains("here") && !listed.contains("4b1d"), "{listed}");
    let again = setup.run(&["webhook", "create"]);
    assert!(again.status.code() == Some(1) && said(&again).contains("leads here already"), "{}", said(&again));
    let _served = setup.serve();
    let pinged = setup.run(&["webhook", "ping"]);
    assert_eq!(pinged.status.code(), Some(0), "{}", said(&pinged));
    assert!(said(&pinged).starts_with("ping arrived after "), "{}", said(&pinged));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_whose_secret_would_have_no_place_to_go_is_not_made() {
    let setup = setup(false).await;
    setup.write("secret", "of another subscription");

    let refused = setup.run(&["webhook", "create"]);

    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("nowhere to put the new secret"), "{}", said(&refused));
    assert_eq!(setup.run(&["webhook", "list", "--json"]).stdout, b"[]\n");
    let elsewhere = setup.path("elsewhere").display().to_string();
    assert_eq!(setup.run(&["webhook", "create", "--secret-file", &elsewhere]).status.code(), Some(2));
    assert_eq!(setup.run(&["webhook", "ping"]).status.code(), Some(1));
    assert_eq!(setup.run(&["webhook", "ping", "--account", "other"]).status.code(), Some(2));
    simulated::set_faults(simulated::address(&setup.simulator), r#"{"status": 503}"#);
    assert_eq!(setup.run(&["webhook", "list"]).status.code(), Some(4));
}

#[test]
fn the_first_delivery_that_no_secret_fits_is_on_the_screen_within_a_second() {
    let night = night::night(3, night::Push::ByHand, "30s");
    let console = night.console();
    let body = night::triggered("01WRONG", "QWRONG", "signed by somebody else");

    assert_eq!(night.post_signed_with("another-secret", &body), Some(401));
    let refused = Instant::now();
    console.until("the alarm", |screen| screen.contains("WRONG SECRET?"));
    let shown = refused.elapsed();

    println!("a refusal is on the screen after {shown:?}");
    assert!(shown.as_secs_f64() < 1.0, "{shown:?}");
    night.post_until_accepted(&night::triggered("01RIGHT", "QRIGHT", "signed by the provider"));
    console.until("its end", |screen| !screen.contains("SECRET?"));
}
