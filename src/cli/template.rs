//! `dogwatch template`: render one on an event.

use std::{fs, path::PathBuf, time::Duration};

use clap::Subcommand;

use super::{Exit, Failure, Outcome, Places, output, worker_command};
use crate::{
    core::{
        id::AccountName,
        template::{Fault, Preview},
    },
    template::{self as templates, Library, Limits, Renderer},
};

/// A command may wait longer than a preview.
const WALL: Duration = Duration::from_secs(2);

#[derive(Subcommand)]
pub(super) enum Command {
    /// The templates: those that ship with dogwatch, and those saved.
    List {
        #[arg(long)]
        json: bool,
    },
    /// Renders a template file on an event file (the body of a webhook).
    Render {
        #[arg(long, value_name = "FILE")]
        template: PathBuf,
        #[arg(long, value_name = "FILE")]
        event: PathBuf,
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(places, json),
        Command::Render { template, event, json } => render(&template, &event, json).await,
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

async fn render(template: &PathBuf, event: &PathBuf, json: bool) -> Outcome {
    let source = String::from_utf8(read(template)?)
        .map_err(|_| Failure::new(Exit::Failed, format!("{}: not UTF-8", template.display())))?;
    let account: AccountName = "example".parse().map_err(|e| Failure::new(Exit::Failed, e))?;
    let context = templates::context(&account, &read(event)?);
    let renderer = Renderer::new(worker_command(), Limits { wall: WALL, ..Limits::default() });
    if json {
        let preview = renderer.preview(&source, &context).await;
        output::json(&preview)?;
        return Ok(if matches!(preview, Preview::Rendered { .. }) { Exit::Done } else { Exit::Failed });
    }
    let at = |fault: &Fault| format!("{}:{}:{}: {}", template.display(), fault.line, fault.column, fault.message);
    let made = renderer.render(&source, &context).await.map_err(|fault| Failure::new(Exit::Failed, at(&fault)))?;
    output::verbatim(&made.output);
    if let Err(fault) = made.json {
        output::complain(&format!("not JSON (line {}, column {}): {}", fault.line, fault.column, fault.message));
    }
    Ok(Exit::Done)
}
