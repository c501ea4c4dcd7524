//! `dogwatch handoff`: what whoever comes next must know of the shift.

use clap::ValueEnum;
use jiff::{Timestamp, tz::TimeZone};

use super::{Exit, Failure, Outcome, Places, client::Client, output};
use crate::{
    app::duty::{Duty, duty},
    core::{
        handoff::{Handoff, TEMPLATE, USUAL, begun, zone_text},
        query::Clock,
    },
    proto::{Answer, Request},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Since when: `8h` ago, `20:00`, `fri 08:00`, a date. Else since you are on call, else the last 12 hours.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The template that makes the text: `handoff`, or one of your own.
    #[arg(long, value_name = "NAME", default_value = TEMPLATE)]
    template: String,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    /// What the template is made from, and the text.
    Json,
}

pub(super) async fn run(places: &Places, args: Args) -> Outcome {
    let zone = TimeZone::system();
    let since = args.since.as_deref().map(|text| begun(text, Clock { now: Timestamp::now(), zone: &zone }));
    let since = since.transpose().map_err(|why| Failure::new(Exit::Usage, format!("--since: {why}")))?;
    let mut client = Client::open(places).await?;
    let outcome = print(&mut client, &args, since, &zone).await;
    client.close().await;
    outcome
}

async fn print(client: &mut Client, args: &Args, since: Option<Timestamp>, zone: &TimeZone) -> Outcome {
    client.ask_the_providers().await?;
    let now = Timestamp::now();
    let on_call = match duty(&client.board, client.access(), now) {
        Duty::On { since: Some(at), .. } if at < now => Some(at),
        _ => None,
    };
    let from = since.or(on_call).or_else(|| now.checked_sub(USUAL).ok()).unwrap_or(now);
    let request = Request::Handoff { template: args.template.clone(), from, zone: zone_text(zone) };
    let Answer::Handoff { handoff } = client.ask(request).await? else {
        return Err(Failure::new(Exit::Failed, "the server answered something else"));
    };
    if args.format == Format::Json {
        output::json(&handoff)?;
    }
    ending(client, args, &handoff)
}

/// Prints the text, and says how far it can be relied on.
fn ending(client: &Client, args: &Args, handoff: &Handoff) -> Outcome {
    let text = handoff.text.as_ref().map_err(|fault| {
        let place = format!("template {}, line {}, column {}", handoff.template, fault.line, fault.column);
        Failure::new(Exit::Failed, format!("{place}: {}", fault.message))
    })?;
    if args.format == Format::Text {
        output::line(text.as_str().trim_end());
    }
    for doubt in &handoff.facts.doubts {
        output::complain(doubt.as_str());
    }
    Ok(match (client.doubts().is_empty(), handoff.facts.doubts.is_empty()) {
        (false, _) => Exit::Stale,
        (true, false) => Exit::Partly,
        (true, true) => Exit::Done,
    })
}
