//! Every step once, through the client of the provider, on a simulated account.

use secrecy::SecretString;

use super::*;
use crate::{
    core::{
        action::{FieldKind, Step},
        choices::{Choices, ChoicesOf},
        id::AccountName,
    },
    provider::pagerduty::{PagerDuty, Settings},
    simulator::{self, Night, Simulator},
};

struct Account {
    _simulator: Simulator,
    pagerduty: Arc<PagerDuty>,
    desk: Arc<Desk>,
    _dir: tempfile::TempDir,
}

async fn account() -> Account {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let options = simulator::Options {
        listen,
        seed: 7,
        script: None,
        incidents: 12,
        webhook: None,
        token: None,
        night: Night::Quiet,
    };
    let simulator = simulator::start(options).await.expect("a simulator");
    let settings = Settings {
        account: AccountName::new("prod").expect("id"),
        base_url: simulator.url(),
        token: SecretString::from("y_NbAkKc66ryYTWUXYEu".to_owned()),
        from: None,
    };
    let pagerduty = Arc::new(PagerDuty::new(settings).expect("settings"));
    let dir = tempfile::tempdir().expect("tempdir");
    let desk = fake::desk_of(fake::settings(), pagerduty.clone(), dir.path());
    Account { _simulator: simulator, pagerduty, desk, _dir: dir }
}

/// The triggered incidents of high urgency, as a console saw them.
async fn targets(account: &Account) -> Vec<Target> {
    let open = account.pagerduty.open_incidents().await.expect("a list");
    account.desk.observe_all(open.clone()).await;
    let wanted = |seen: &&Observation| seen.state.status == Status::Triggered && seen.state.urgency == Urgency::High;
    let target = |seen: &Observation| Target {
        key: seen.key.clone(),
        seen: seen.state.status,
        assignees: seen.state.assignees.iter().map(|user| user.id.clone()).collect(),
    };
    open.iter().filter(wanted).map(target).collect()
}

#[tokio::test]
async fn every_step_is_taken_and_shows() {
    let account = account().await;
    let all = targets(&account).await;
    let (one, other) = (all[0].clone(), all[1].clone());
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let Choices::Priorities(priorities) = choices(&account, ChoicesOf::Priorities).await else { panic!() };
    let Choices::Workflows(workflows) = choices(&account, ChoicesOf::Workflows).await else { panic!() };
    let Choices::Fields(fields) = choices(&account, ChoicesOf::Fields(one.key.id.clone())).await else { panic!() };
    let Choices::Alerts(alerts) = choices(&account, ChoicesOf::Alerts(one.key.id.clone())).await else { panic!() };
    let people = account.pagerduty.directory().await.expect("people").people;
    let numbers = fields.iter().find(|field| field.kind == FieldKind::Integer).expect("a field").clone();
    assert!(workflows.iter().all(|(workflow, _)| workflow.name.as_str() != "Old paging tree"));
    for verb in [
        Verb::Escalate { level: 2 },
        Verb::Edit(Edit::Title("a better title".into())),
        Verb::Edit(Edit::Urgency(Urgency::Low)),
        Verb::Edit(Edit::Priority(Some(priorities[0].clone()))),
        Verb::Edit(Edit::Priority(None)),
        Verb::Edit(Edit::Field { field: numbers, value: "42".into() }),
        Verb::AddResponders { to: vec![Assignee::User(people[3].user.clone())], message: "help".into() },
        Verb::StatusUpdate { message: "we know".into() },
        Verb::RunWorkflow { workflow: workflows[0].0.clone() },
        Verb::ResolveAlert { alert: alerts[0].clone() },
        Verb::Snooze { until },
    ] {
        let mut target = one.clone();
        let known = account.desk.hub.look(|board| board.incidents[&one.key].state.clone());
        target.assignees = known.assignees.iter().map(|user| user.id.clone()).collect();
        let outcomes = act(&account.desk, vec![target], verb.clone()).await;
        assert_eq!(outcomes, [NONE], "{verb:?}");
        for step in verb.steps(Status::Acknowledged) {
            let signs = account.pagerduty.signs(&one.key.id, &step, None).await.expect("signs");
            let has_signs = !matches!(step, Step::StatusUpdate(_) | Step::RunWorkflow(_));
            if has_signs
                && !matches!(step, Step::Snooze(_) | Step::Edit(Edit::Title(_) | Edit::Urgency(_) | Edit::Priority(_)))
            {
                assert_eq!(signs, Some(1), "{step:?}");
            }
        }
    }
    let merge = Verb::Merge { into: one.key.clone(), name: "#1".into() };
    assert_eq!(act(&account.desk, vec![other], merge).await, [NONE]);
}

async fn choices(account: &Account, of: ChoicesOf) -> Choices {
    account.pagerduty.choices(&of).await.expect("choices")
}

#[tokio::test]
async fn many_are_acknowledged_by_one_request() {
    let account = account().await;
    let all = targets(&account).await;
    let count = all.len();

    let outcomes = act(&account.desk, all, Verb::Acknowledge).await;

    assert!(count > 2);
    assert_eq!(outcomes, vec![NONE; count]);
}

#[tokio::test]
async fn an_incident_is_made_once_for_one_key() {
    let account = account().await;
    let Choices::Services(services) = choices(&account, ChoicesOf::Services).await else { panic!() };
    let new = NewIncident {
        service: services[0].clone(),
        title: "by hand".into(),
        urgency: Urgency::High,
        details: None,
        dedup_key: "ours".into(),
    };

    let made = account.pagerduty.create_incident(&new).await.expect("made");
    let again = account.pagerduty.create_incident(&new).await;
    let found = account.pagerduty.created_incident(&new).await.expect("answered").expect("there");

    assert!(again.is_err_and(|error| !error.leaves_doubt()));
    assert_eq!(found.key, made.key);
}
