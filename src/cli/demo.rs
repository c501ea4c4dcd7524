//! `dogwatch demo`: a simulated PagerDuty, a server and the console, over real HTTP with real signatures,
//! in a temporary directory.

mod robot;

use std::{collections::BTreeSet, net::SocketAddr, ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::{
    Exit, Failure,
    client::Client,
    connect::{Connector, Owned, Shared},
    console, output,
};
use crate::{
    config::{AccountSettings, ProviderKind, ReceiverSettings, SecretRef, Settings, TargetSettings, WebhookSettings},
    core::{
        action::Outcome,
        delivery::Verdict,
        forward::EventType,
        id::{AccountName, EventId},
        notify::Notify,
        sender::Demand,
        view::{SavedView, SavedViews},
    },
    run::Memory,
    simulator::{self, Night, Options, Simulator, Webhook},
    store::Reader,
    term,
};

const URL_KEY: &str = "demo";
/// How long the last webhooks may take to arrive and be applied.
const DRAIN: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(super) struct Args {
    /// Without a terminal: a robot is on call, and one JSON object is printed at the end.
    #[arg(long)]
    headless: bool,
    /// How long a headless demo runs, for example `30s`.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, default_value = "30s")]
    length: Duration,
    /// The figures as JSON, which a headless demo prints anyway.
    #[arg(long, requires = "headless")]
    json: bool,
    /// The same seed gives the same night.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// `30s` or `2m`.
fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as `30s` or `2m`");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match unit {
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(wrong()),
    }
}

/// What a headless demo prints.
#[derive(Debug, Serialize)]
struct Figures {
    /// Events that the simulator signed.
    signed: u64,
    /// Of these, answered with 2xx.
    delivered: u64,
    /// Of these, on the board.
    applied: u64,
    /// Answered with 2xx and not in the store.
    lost: u64,
    /// Event ids that stand in the log as accepted more than once.
    duplicates_shown: usize,
    incidents: usize,
    actions: Actions,
}

#[derive(Debug, Default, Serialize)]
struct Actions {
    confirmed: usize,
    failed: usize,
}

pub(super) async fn run(args: Args) -> Result<i32, Failure> {
    if !args.headless {
        term::check().map_err(|unfit| Failure::new(Exit::Failed, unfit))?;
    }
    let temp = tempfile::Builder::new().prefix("dogwatch-demo-").tempdir()?;
    let secret = SecretString::from(format!("demo-{:032x}", fastrand::u128(..)));
    let door = free_port()?;
    let pace = if args.headless { Duration::from_millis(250) } else { Duration::from_secs(4) };
    let options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        seed: args.seed,
        script: None,
        incidents: 6,
        webhook: Some(Webhook { url: format!("http://{door}/hooks/demo/{URL_KEY}"), secret: secret.clone() }),
        token: None,
        night: Night::Paced { mean: pace },
    };
    let simulator = simulator::start(options).await.map_err(|e| Failure::new(Exit::Failed, e))?;
    let connector = Connector {
        state_dir: temp.path().join("state"),
        shared: Shared::Never,
        first: None,
        settings: Ok(Settings {
            targets: if args.headless { vec![] } else { targets(&simulator)? },
            ..settings(&simulator, door, secret)?
        }),
        load: Arc::new(|| Err("the demo has no configuration to read again".to_owned())),
        receive: true,
        owned: Owned::default(),
    };
    let ended = if args.headless {
        headless(connector, &simulator, args.length).await
    } else {
        Box::pin(console(connector)).await
    };
    simulator.stop().await;
    ended
}

async fn console(connector: Connector) -> Result<i32, Failure> {
    crate::server::ownership::prepare(&connector.state_dir).map_err(|e| Failure::new(Exit::Failed, e))?;
    super::logging::to_file(&connector.state_dir)?;
    let look = connector.settings.as_ref().map(console::Look::of).unwrap_or_default();
    console::screen(connector, look, Memory::none()).await
}

/// A port that was free a moment ago.
fn free_port() -> Result<SocketAddr, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn settings(simulator: &Simulator, door: SocketAddr, secret: SecretString) -> Result<Settings, Failure> {
    let name: AccountName = "demo".parse().map_err(|e| Failure::new(Exit::Failed, e))?;
    Ok(Settings {
        receiver: ReceiverSettings { listen: door, ..ReceiverSettings::default() },
        accounts: vec![AccountSettings {
            name,
            provider: ProviderKind::PagerDuty,
            base_url: simulator.url(),
            token: Some(SecretRef::Inline(SecretString::from("y_DemoDemoDemoDemo_1"))),
            from: None,
            poll: Duration::from_secs(10),
            webhook: Some(WebhookSettings {
                url_key: SecretRef::Inline(SecretString::from(URL_KEY)),
                secrets: vec![SecretRef::Inline(secret)],
                demand: Demand::PagerdutyV3,
                allow: None,
                public_url: Some(format!("http://{door}")),
                ping: true,
            }),
        }],
        views: views(),
        // It rains incidents here: what is a storm elsewhere is the weather.
        notify: Notify { storm: Some(30), ..Notify::default() },
        ..Settings::default()
    })
}

/// Two targets within the simulator: one that takes everything, and one that does not.
fn targets(simulator: &Simulator) -> Result<Vec<TargetSettings>, Failure> {
    let events = [EventType::CREATED, EventType::ACKNOWLEDGED, EventType::HANDOFF, EventType::RESOLVED];
    let target = |name: &str, sink: &str| {
        Ok::<_, Failure>(TargetSettings {
            name: name.parse().map_err(|e| Failure::new(Exit::Failed, e))?,
            url: SecretRef::Inline(SecretString::from(format!("{}/sink/{sink}", simulator.url()))),
            basic: None,
            headers: vec![],
            events: events.into_iter().filter_map(EventType::new).collect(),
            enabled: true,
            linked: false,
            template: None,
            filter: None,
            retries: 0,
            secret: None,
            allow_link_local: false,
        })
    };
    let chat = TargetSettings { template: Some("slack".into()), ..target("chat", "chat")? };
    let tickets =
        TargetSettings { linked: true, filter: Some("urgency:high".into()), retries: 3, ..target("tickets", "flaky")? };
    Ok(vec![chat, tickets])
}

/// A few, to try the keys on.
fn views() -> SavedViews {
    let view = |number: usize, (name, query): (&str, &str)| SavedView {
        name: name.into(),
        query: query.to_owned(),
        key: format!("alt-{}", number + 1).parse().ok(),
    };
    let all = [("mine", "is:mine is:open"), ("loud", "urgency:high is:open"), ("forgotten", "acked:>1h")];
    SavedViews { all: all.into_iter().enumerate().map(|(number, each)| view(number, each)).collect(), first: None }
}

async fn headless(connector: Connector, simulator: &Simulator, length: Duration) -> Result<i32, Failure> {
    let state_dir = connector.state_dir.clone();
    let mut client = Client::over(connector).await?;
    robot::be_on_call(&mut client, Instant::now() + length).await?;
    simulator.drain(DRAIN).await;
    wait_until_applied(&state_dir).await?;
    let figures = count(&client, simulator, &state_dir)?;
    client.close().await;
    output::json(&figures)?;
    let whole = figures.lost == 0 && figures.duplicates_shown == 0 && figures.applied == figures.delivered;
    Ok(if whole { Exit::Done } else { Exit::Failed } as i32)
}

async fn wait_until_applied(state_dir: &Path) -> Result<(), Failure> {
    let give_up = Instant::now() + DRAIN;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while !Reader::open(state_dir)?.unapplied()?.is_empty() {
        if timeout_at(give_up, tick.tick()).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn count(client: &Client, simulator: &Simulator, state_dir: &Path) -> Result<Figures, Failure> {
    let stats = simulator.stats();
    let reader = Reader::open(state_dir)?;
    let mut stored: BTreeSet<EventId> = BTreeSet::new();
    reader.event_ids(|id| {
        stored.insert(id.clone());
        ControlFlow::Continue(())
    })?;
    let unapplied = reader.unapplied()?.len();
    let lost = simulator.accepted_events().iter().filter(|id| !stored.contains(*id)).count();
    let mut actions = Actions::default();
    for (_, outcome) in client.board.actions.iter().flat_map(|action| &action.outcomes) {
        match outcome {
            Outcome::Confirmed { .. } => actions.confirmed += 1,
            _ => actions.failed += 1,
        }
    }
    Ok(Figures {
        signed: stats.signed,
        delivered: stats.delivered,
        applied: stored.len().saturating_sub(unapplied) as u64,
        lost: lost as u64,
        duplicates_shown: shown_twice(client),
        incidents: client.board.incidents.len(),
        actions,
    })
}

/// Events that the log on the board shows as accepted more than once.
fn shown_twice(client: &Client) -> usize {
    let accepted = client.board.deliveries.iter().filter(|delivery| delivery.verdict == Verdict::Accepted);
    let ids: Vec<&EventId> = accepted.filter_map(|delivery| delivery.event_id.as_ref()).collect();
    ids.len() - ids.iter().collect::<BTreeSet<_>>().len()
}
