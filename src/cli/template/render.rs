//! `dogwatch template render`: one on an event, or a file of cases.

use std::{fs, path::PathBuf};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use crate::{
    cli::{Exit, Failure, Outcome, output, worker_command},
    core::{
        board::Board,
        id::AccountName,
        template::{Fault, Preview, SAMPLES},
        text::Shown,
    },
    provider::pagerduty::Webhooks,
    template::{self as templates, Cases, Delivered, Job, Limits, Renderer},
};

#[derive(Args)]
pub(in crate::cli) struct RenderArgs {
    #[arg(long, value_name = "FILE", required_unless_present = "cases")]
    template: Option<PathBuf>,
    /// The body of a webhook.
    #[arg(long, value_name = "FILE", requires = "template")]
    event: Option<PathBuf>,
    /// In its place a sample of this event type, such as incident.resolved.
    #[arg(long, value_name = "TYPE", requires = "template", conflicts_with = "event")]
    sample: Option<String>,
    /// Renders each case of this file, and prints a line of JSON for it: its id, and its output or error.
    #[arg(long, value_name = "FILE", conflicts_with = "template")]
    cases: Option<PathBuf>,
    /// The time that the template sees, in ISO 8601.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// The time zone that the template sees, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: RenderArgs) -> Outcome {
    match (&args.cases, &args.template) {
        (Some(cases), _) => render_cases(cases, &args).await,
        (None, Some(template)) => render(template, &event(&args)?, &args).await,
        (None, None) => Err(Failure::new(Exit::Usage, "give --template with --event or --sample, or --cases")),
    }
}

/// The body of the delivery to render on.
fn event(args: &RenderArgs) -> Result<Vec<u8>, Failure> {
    match (&args.event, &args.sample) {
        (Some(event), _) => read(event),
        (None, Some(event_type)) => {
            let unknown = || format!("there is no sample `{event_type}`; there are {}", SAMPLES.join(", "));
            let body = templates::sample(event_type).ok_or_else(|| Failure::new(Exit::Usage, unknown()))?;
            Ok(body.as_bytes().to_vec())
        }
        (None, None) => Err(Failure::new(Exit::Usage, "give --event or --sample")),
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|e| Failure::new(Exit::Usage, format!("{}: {e}", path.display())))
}

/// A renderer that sees the zone asked for, with a delivery's time.
fn renderer(args: &RenderArgs) -> Result<Renderer, Failure> {
    let zone = &args.zone;
    TimeZone::get(zone).map_err(|_| Failure::new(Exit::Usage, format!("there is no time zone `{zone}`")))?;
    Ok(Renderer::new(worker_command(), Limits { wall: Limits::DELIVERY, ..Limits::default() }).in_zone(zone))
}

async fn render_cases(path: &PathBuf, args: &RenderArgs) -> Outcome {
    let cases: Cases = serde_json::from_slice(&read(path)?)
        .map_err(|cause| Failure::new(Exit::Failed, format!("{}: {cause}", path.display())))?;
    let renderer = renderer(args)?;
    for case in &cases.cases {
        let line = match cases.job(case, args.now) {
            Err(error) => json!({ "id": case.id, "error": error }),
            Ok(job) => match renderer.run(job).await {
                Ok(made) => json!({ "id": case.id, "output": made.output }),
                Err(fault) => json!({ "id": case.id, "error": placed(&fault) }),
            },
        };
        output::line(&line.to_string());
    }
    Ok(Exit::Done)
}

/// `line:column message`
fn placed(fault: &Fault) -> String {
    if fault.line == 0 {
        fault.message.to_string()
    } else {
        format!("{}:{} {}", fault.line, fault.column, fault.message)
    }
}

async fn render(template: &PathBuf, body: &[u8], args: &RenderArgs) -> Outcome {
    let source = String::from_utf8(read(template)?)
        .map_err(|_| Failure::new(Exit::Failed, format!("{}: not UTF-8", template.display())))?;
    let account: AccountName = "example".parse().map_err(|e| Failure::new(Exit::Failed, e))?;
    let delivered = Delivered { account: &account, id: None, body };
    let context = templates::context(&delivered, &Webhooks, &Board::default());
    let renderer = renderer(args)?;
    let job = Job { now: args.now, ..Job::new(&source, &context) };
    if args.json {
        let preview = renderer.preview_job(job).await;
        output::json(&preview)?;
        return Ok(if matches!(preview, Preview::Rendered { .. }) { Exit::Done } else { Exit::Failed });
    }
    let at = |fault: &Fault| format!("{}:{}:{}: {}", template.display(), fault.line, fault.column, fault.message);
    let made = renderer.run(job).await.map_err(|fault| Failure::new(Exit::Failed, at(&fault)))?;
    output::verbatim(&made.output);
    for line in &made.log {
        output::complain(&format!("log: {}", Shown::line(line)));
    }
    if let Err(fault) = made.json {
        output::complain(&format!("not JSON (line {}, column {}): {}", fault.line, fault.column, fault.message));
    }
    Ok(Exit::Done)
}
