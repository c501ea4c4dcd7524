//! Against a simulated provider over HTTP: how many requests things take, and that nothing is missed.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{super::*, sleep_an_hour};
use crate::{
    config::AccountSettings,
    core::{freshness::Standing, incident::Incident},
    provider::pagerduty::{PagerDuty, Settings},
    server::fake::{self, key},
    simulator::{self, Night, Simulator},
};

/// A round against a simulated provider with so many open incidents.
async fn simulated(incidents: usize) -> (Control, Round, tempfile::TempDir) {
    let control = Control::start(incidents).await;
    let token = SecretString::from("y_NbAkKc66ryYTWUXYEu");
    let settings = Settings { account: fake::account_name(), base_url: control.simulator.url(), token, from: None };
    let provider = Arc::new(PagerDuty::new(settings).expect("settings"));
    let dir = tempfile::tempdir().expect("tempdir");
    let settings = AccountSettings { base_url: control.simulator.url(), ..fake::settings() };
    let desk = fake::desk_of(settings, provider, dir.path());
    let account = desk.accounts.get(&fake::account_name()).expect("known");
    (control, Round::new(Asker::new(desk, account)), dir)
}

/// How many are open on the board, and how many requests a round took.
async fn open_after_a_round(control: &Control, round: &mut Round) -> (usize, u64) {
    let before = control.simulator.stats().requests;
    let provider = round.asker.account.provider().await.expect("a way").for_purpose(Purpose::Poll);
    round.incidents(&*provider, Timestamp::now()).await.expect("a good round");
    let is_open = |known: &&Incident| known.state.status.is_open();
    let open = round.asker.desk.hub.look(|board| board.incidents.values().filter(is_open).count());
    (open, control.simulator.stats().requests - before)
}

#[tokio::test]
async fn fifty_incidents_take_one_request_for_the_list() {
    let (control, mut round, _dir) = simulated(50).await;

    let first = open_after_a_round(&control, &mut round).await;

    assert_eq!(first, (50, 3), "whose key it is, the open ones, the resolved ones");
    assert_eq!(open_after_a_round(&control, &mut round).await, (50, 2));
}

#[tokio::test]
async fn after_a_long_list_a_round_takes_one_request_and_one_for_each_incident_that_changed() {
    let (control, mut round, _dir) = simulated(650).await;
    let (open, requests) = open_after_a_round(&control, &mut round).await;
    assert_eq!(open, 650);
    assert!((9..=13).contains(&requests), "{requests} requests");
    // What happened shortly before is looked at once.
    open_after_a_round(&control, &mut round).await;

    let made = control.post("/_sim/incidents", json!({"title": "new"})).await;
    control.set("resolved", &[IncidentId::new(made["incident"]["id"].as_str().expect("id")).expect("id")]).await;
    control.post("/_sim/incidents", json!({"title": "newer"})).await;
    let (open, requests) = open_after_a_round(&control, &mut round).await;

    assert_eq!((open, requests), (651, 3));
}

/// The simulated provider's own interface.
struct Control {
    simulator: Simulator,
    client: reqwest::Client,
}

impl Control {
    async fn start(incidents: usize) -> Self {
        let (listen, night) = (([127, 0, 0, 1], 0).into(), Night::Quiet);
        let options =
            simulator::Options { listen, seed: 7, script: None, incidents, webhook: None, token: None, night };
        let simulator = simulator::start(options).await.expect("simulator");
        // Fails only when there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        let control = Self { simulator, client };
        control.post("/_sim/quiet", Value::Null).await;
        control
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let sent = self.client.post(format!("{}{path}", self.simulator.url())).json(&body).send().await;
        sent.expect("sent").json().await.unwrap_or_default()
    }

    async fn ledger(&self) -> Vec<(IncidentKey, String)> {
        let got = self.client.get(format!("{}/_sim/incidents", self.simulator.url())).send().await.expect("sent");
        let all: Value = got.json().await.expect("json");
        let rows = all["incidents"].as_array().expect("rows").clone();
        let text = |row: &Value, key: &str| row[key].as_str().expect("text").to_owned();
        rows.iter().map(|row| (key(&text(row, "id")), text(row, "status"))).collect()
    }

    /// Somebody sets the status of these, at most 250 at a time.
    async fn set(&self, status: &str, ids: &[IncidentId]) {
        let one = |id: &IncidentId| json!({"id": id.as_str(), "type": "incident_reference", "status": status});
        for ids in ids.chunks(200) {
            let body = json!({"incidents": ids.iter().map(one).collect::<Vec<_>>()});
            let request = self.client.put(format!("{}/incidents", self.simulator.url())).json(&body);
            let request = request.header("authorization", "Token token=y_NbAkKc66ryYTWUXYEu");
            let request = request.header("accept", "application/vnd.pagerduty+json;version=2");
            let answer = request.send().await.expect("sent");
            assert!(answer.status().is_success(), "{}", answer.text().await.expect("text"));
        }
    }
}

#[tokio::test]
async fn an_hour_without_the_provider_and_five_hundred_changes_leave_no_difference_after_one_poll() {
    let (control, mut round, _dir) = simulated(100).await;
    let desk = Arc::clone(&round.asker.desk);
    round.poll().await;
    let open: Vec<IncidentId> = desk
        .hub
        .look(|b| b.incidents.values().filter(|i| i.state.status.is_open()).map(|i| i.key.id.clone()).collect());
    assert_eq!(open.len(), 100);
    control.post("/_sim/faults", json!({"status": 503})).await;
    round.poll().await;
    let stale = desk.hub.look(|b| b.accounts[&fake::account_name()].account.rest_standing(Timestamp::now()));
    assert!(matches!(stale, Standing::Stale { .. }), "{stale:?}");
    control.post("/_sim/faults", json!({})).await;
    control.set("resolved", &open[..60]).await;
    control.set("acknowledged", &open[60..]).await;
    let mut new = vec![];
    for n in 0..200 {
        let made = control.post("/_sim/incidents", json!({"title": format!("in the outage {n}")})).await;
        new.push(IncidentId::new(made["incident"]["id"].as_str().expect("id")).expect("id"));
    }
    control.set("acknowledged", &new[..100]).await;
    control.set("resolved", &new[..100]).await;
    sleep_an_hour(&mut round);
    let (asked_before, started) = (control.simulator.stats().requests, std::time::Instant::now());

    round.poll().await;

    let requests = control.simulator.stats().requests - asked_before;
    println!("500 changes caught up with in {:?} and {requests} requests", started.elapsed());
    let changed: BTreeSet<IncidentKey> = open.iter().chain(&new).map(|id| key(id.as_str())).collect();
    let ledger = control.ledger().await;
    let shown = |key: &IncidentKey| desk.hub.look(|b| b.incidents.get(key).map(|i| i.state.status.word()));
    let differences: Vec<_> = ledger
        .iter()
        .map(|(key, truth)| (key, truth, shown(key)))
        .filter(|(key, truth, shown)| {
            shown.map_or(changed.contains(key) || *truth != "resolved", |shown| shown != truth.as_str())
        })
        .collect();
    assert!(differences.is_empty(), "{} differences: {differences:?}", differences.len());
    assert!(requests < 40, "{requests} requests");
    control.simulator.stop().await;
}
