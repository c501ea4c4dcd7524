//! `dogwatch template`: render one on an event, or a file of cases.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::{Exit, Failure, Outcome, Places, output, worker_command};
use crate::{
    core::{
        board::Board,
        id::AccountName,
        template::{Fault, Preview},
        text::Shown,
    },
    provider::pagerduty::Webhooks,
    template::{self as templates, Cases, Delivered, Job, Library, Limits, Renderer},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The templates: those that ship with dogwatch, and those saved.
    List {
        #[arg(long)]
        json: bool,
    },
    /// Renders a template file on an event file (the body of a webhook), or each case of a file.
    Render(RenderArgs),
}

#[derive(Args)]
pub(super) struct RenderArgs {
    #[arg(long, value_name = "FILE", required_unless_present = "cases", requires = "event")]
    template: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "template")]
    event: Option<PathBuf>,
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

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(places, json),
        Command::Render(args) => match (&args.cases, &args.template, &args.event) {
            (Some(cases), ..) => render_cases(cases, &args).await,
            (None, Some(template), Some(event)) => render(template, event, &args).await,
            _ => Err(Failure::new(Exit::Usage, "give --template and --event, or --cases")),
        },
    }
}

fn list(places: &Places, json: bool) -> Outcome {
    let templates = Library::open(&places.state_dir()?.join("templates")).list()?;
    if json {
        output::json(&templates)?;
    } else {
        for template in templates {
            let kind = if template.built_in { "built in" } else { "saved" };
            output::line(&format!("{}  {kind}", template.name));
        }
    }
    Ok(Exit::Done)
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

async fn render(template: &PathBuf, event: &PathBuf, args: &RenderArgs) -> Outcome {
    let source = String::from_utf8(read(template)?)
        .map_err(|_| Failure::new(Exit::Failed, format!("{}: not UTF-8", template.display())))?;
    let account: AccountName = "example".parse().map_err(|e| Failure::new(Exit::Failed, e))?;
    let body = read(event)?;
    let delivered = Delivered { account: &account, id: None, body: &body };
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
