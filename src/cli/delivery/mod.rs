//! `dogwatch delivery`: the webhook log. Read straight from the store, also beside a running server; only what changes
//! the board goes through the server.

mod export;
mod list;
mod replay;
mod resend;
mod show;
mod sign;
mod tail;

use clap::{Subcommand, ValueEnum};
use jiff::{Timestamp, tz::TimeZone};

use super::{Exit, Failure, Outcome, Places};
use crate::{
    core::{
        id::DeliveryId,
        query::{self, Clock},
    },
    server::search,
    store::{Reader, Search, StoreError, StoredDelivery},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The newest deliveries, or the ids of all genuine events.
    List {
        #[command(flatten)]
        query: Query,
        #[command(flatten)]
        output: Output,
    },
    /// The newest deliveries that a query finds: `verdict:rejected since:1h "disk full"`.
    Search {
        #[command(flatten)]
        query: Query,
        #[command(flatten)]
        output: Output,
    },
    /// One delivery: what it is, and its body.
    Show(show::Args),
    /// Each delivery as it comes in, after the newest that are there.
    Tail(tail::Args),
    /// Deliveries as lines of JSON, oldest first, or one as a curl command.
    Export(export::Args),
    /// Apply a delivery again, or send it elsewhere with a fresh signature.
    Replay(replay::Args),
    /// Send outgoing deliveries again: some, or all that failed.
    Resend(resend::Args),
}

/// What to look for.
#[derive(clap::Args)]
pub(super) struct Query {
    /// Words, "text" also in bodies, `field:value`, `!not`, `or`; `?` in the console lists the fields.
    query: Vec<String>,
}

#[derive(clap::Args)]
pub(super) struct Output {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The same as `--format json`.
    #[arg(long)]
    json: bool,
    /// How many, newest first.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
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

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    let open = || {
        let reader = Reader::open(&places.state_dir()?)?;
        tell_waiting(reader.unentered()?);
        Ok::<_, Failure>(reader)
    };
    match command {
        Command::Search { query, .. } if query.query.is_empty() => {
            Err(Failure::new(Exit::Usage, "what to search for? As `verdict:rejected since:1h`"))
        }
        Command::List { query, output } | Command::Search { query, output } => list::run(&open()?, &query, &output),
        Command::Show(args) => show::run(&open()?, &args),
        Command::Tail(args) => tail::run(open()?, args).await,
        Command::Export(args) => export::run(places, &open()?, args).await,
        Command::Replay(args) => replay::run(places, args).await,
        Command::Resend(args) => resend::run(places, args).await,
    }
}

/// What was answered with 2xx is not here only because nobody has written it to the log yet.
fn tell_waiting(waiting: u64) {
    if waiting > 0 {
        super::output::complain(&format!(
            "{waiting} more were taken and are not in the log yet: a running dogwatch writes them there, else the next start"
        ));
    }
}

impl Query {
    fn text(&self) -> String {
        self.query.join(" ")
    }

    /// What it asks the store for, as of now and in this machine's zone.
    fn search(&self, reader: &Reader) -> Result<Search, Failure> {
        let text = self.text();
        let clock = Clock { now: Timestamp::now(), zone: &TimeZone::system() };
        let wanted = query::delivery::read(&text, clock)
            .map_err(|wrong| Failure::new(Exit::Usage, format!("the query, {wrong}")))?;
        if wanted.is_empty() {
            return Ok(Search::default());
        }
        let incidents = reader.incidents()?;
        Ok(search::of(&wanted, |number| search::among(&incidents, number)))
    }
}

fn stored(reader: &Reader, id: DeliveryId) -> Result<StoredDelivery, Failure> {
    let found = reader.delivery(id)?;
    found.ok_or_else(|| Failure::new(Exit::Failed, format!("delivery {id} is not kept (any more)")))
}
