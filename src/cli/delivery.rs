//! `dogwatch delivery`: the webhook log, read straight from the store, also beside a running server.

use std::{
    io::{self, BufWriter, Write as _},
    ops::ControlFlow,
};

use clap::{Subcommand, ValueEnum};

use super::{Exit, Failure, Outcome, Places, output};
use crate::{
    core::id::DeliveryId,
    server::desk,
    store::{Reader, StoreError},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The newest deliveries, or the ids of all that are stored.
    List {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// The same as `--format json`.
        #[arg(long)]
        json: bool,
        /// How many, newest first.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One delivery with headers and body.
    Show {
        /// The delivery's number.
        id: i64,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    /// Every stored event's id, one line for each row, oldest first.
    Ids,
    Json,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

pub(super) fn run(places: &Places, command: &Command) -> Outcome {
    let reader = Reader::open(&places.state_dir()?)?;
    match *command {
        Command::List { format, json, limit } => list(&reader, if json { Format::Json } else { format }, limit),
        Command::Show { id, json } => show(&reader, DeliveryId(id), json),
    }
}

fn list(reader: &Reader, format: Format, limit: u32) -> Outcome {
    match format {
        Format::Ids => {
            let mut out = BufWriter::new(io::stdout().lock());
            // A reader that has left (`| head`) wants no more.
            reader.event_ids(|id| match writeln!(out, "{id}") {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })?;
        }
        Format::Json => output::json(&reader.recent(None, limit)?)?,
        Format::Table => {
            let rows: Vec<Vec<String>> = reader
                .recent(None, limit)?
                .into_iter()
                .map(|delivery| {
                    vec![
                        delivery.id.to_string(),
                        delivery.at.to_string(),
                        delivery.verdict.word().to_owned(),
                        delivery.status.to_string(),
                        delivery.account.map(|account| account.to_string()).unwrap_or_default(),
                        delivery.event_type.map(|kind| kind.to_string()).unwrap_or_default(),
                        delivery.incident.map(|key| key.id.to_string()).unwrap_or_default(),
                        delivery.reason.to_string(),
                    ]
                })
                .collect();
            output::table(
                &["NUMBER", "TIME (UTC)", "VERDICT", "ANSWER", "ACCOUNT", "EVENT", "INCIDENT", "REASON"],
                &rows,
            );
        }
    }
    Ok(Exit::Done)
}

fn show(reader: &Reader, id: DeliveryId, json: bool) -> Outcome {
    let Some(stored) = reader.delivery(id)? else {
        return Err(Failure::new(Exit::Failed, format!("delivery {id} is not kept (any more)")));
    };
    let view = desk::view(stored);
    if json {
        output::json(&view)?;
        return Ok(Exit::Done);
    }
    let summary = &view.summary;
    output::line(&format!("{}  {}  {} ({})", summary.id, summary.at, summary.verdict.word(), summary.status));
    output::line(&format!("{}  from {}, {} us", summary.reason, view.peer, summary.latency_us));
    for (name, value) in &view.headers {
        output::line(&format!("{name}: {value}"));
    }
    output::line("");
    output::line(view.body.as_str());
    Ok(Exit::Done)
}
