//! `dogwatch template`: the templates of outgoing webhooks, as the console shows them. A dogwatch that runs is asked, so
//! that its consoles see what changes and its history says who did it; else the files are read and written here.

mod check;
mod edit;
mod history;
mod render;
mod shelf;

use std::path::PathBuf;

use clap::Subcommand;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{Exit, Outcome, Places, output};
use crate::core::{
    template::{TemplateSummary, Version},
    words::date_and_clock,
};
use shelf::Shelf;

#[derive(Subcommand)]
pub(super) enum Command {
    /// The templates: those that ship with dogwatch, and those saved.
    List {
        #[arg(long)]
        json: bool,
    },
    /// The text of a template.
    Show {
        name: String,
        /// A former version: its number from the history, or `built-in`.
        #[arg(long, value_name = "VERSION")]
        version: Option<Version>,
        #[arg(long)]
        json: bool,
    },
    /// Edits a template, or makes a new one, in $VISUAL or $EDITOR, and saves it.
    Edit {
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Renders a template file on an event file (the body of a webhook), or each case of a file.
    Render(render::RenderArgs),
    /// Says what is wrong with templates, by name or file, and what to know about them.
    Check {
        #[arg(required = true, value_name = "FILE_OR_NAME")]
        templates: Vec<PathBuf>,
        #[arg(long)]
        json: bool,
    },
    /// The versions of a template: when each was saved, by whom, and how long it is.
    History {
        name: String,
        /// How a former version differs from the present text.
        #[arg(long, value_name = "VERSION")]
        diff: Option<Version>,
        #[arg(long)]
        json: bool,
    },
    /// Makes a former version (its number, or `built-in`) the present one. What it takes the place of is kept.
    Restore {
        name: String,
        version: Version,
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::Render(args) => render::run(args).await,
        Command::Check { templates, json } => check::run(places, &templates, json).await,
        Command::List { json } => list(&mut Shelf::open(places).await?, json),
        Command::Show { name, version, json } => show(&mut Shelf::open(places).await?, name, version, json).await,
        Command::Edit { name, json } => {
            // Nobody needs settings for it.
            let secret = places.settings().map(|settings| settings.secret_variables()).unwrap_or_default();
            edit::run(&mut Shelf::open(places).await?, name, &secret, json).await
        }
        Command::History { name, diff, json } => {
            let mut shelf = Shelf::open(places).await?;
            match diff {
                Some(version) => history::difference(&mut shelf, name, version, json).await,
                None => history::list(&mut shelf, name, json).await,
            }
        }
        Command::Restore { name, version, json } => restore(&mut Shelf::open(places).await?, name, version, json).await,
    }
}

fn list(shelf: &mut Shelf, json: bool) -> Outcome {
    let templates = shelf.list()?;
    if json {
        output::json(&templates)?;
        return Ok(Exit::Done);
    }
    let row = |template: &TemplateSummary| {
        let kind = if template.built_in { "built-in" } else { "saved" };
        let saved_at = template.saved_at.map(|at| date_and_clock(at, &TimeZone::UTC)).unwrap_or_default();
        vec![template.name.clone(), kind.to_owned(), saved_at]
    };
    output::table(&["NAME", "KIND", "SAVED (UTC)"], &templates.iter().map(row).collect::<Vec<_>>());
    Ok(Exit::Done)
}

async fn show(shelf: &mut Shelf, name: String, version: Option<Version>, json: bool) -> Outcome {
    let text = match version {
        Some(version) => shelf.version(&name, version).await?,
        None => shelf.read(&name).await?,
    };
    if json {
        output::json(&json!({ "name": name, "text": text }))?;
    } else {
        output::verbatim(text.strip_suffix('\n').unwrap_or(&text));
    }
    Ok(Exit::Done)
}

async fn restore(shelf: &mut Shelf, name: String, version: Version, json: bool) -> Outcome {
    let base = shelf.read(&name).await?;
    shelf.restore(&name, version, base).await?;
    if json {
        output::json(&json!({ "name": name, "restored": version.to_string() }))?;
    } else {
        output::line(&format!("{name}: {version} is the present version again"));
    }
    Ok(Exit::Done)
}
