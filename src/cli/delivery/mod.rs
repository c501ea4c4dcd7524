//! `dogwatch delivery`: the webhook log. Read straight from the store, also beside a running server of one's own; only
//! what changes the board goes through that server. Where a server was named, or one is shared, its log is the one that is
//! read and acted on: never one's own beside it.

mod export;
mod list;
mod log;
mod replay;
mod resend;
mod show;
mod sign;
mod tail;

use std::{cell::OnceCell, collections::HashSet, path::Path};

use clap::{Subcommand, ValueEnum};
use jiff::{Timestamp, tz::TimeZone};

use self::log::Log;
use super::{Exit, Failure, Outcome, Places, output};
use crate::{
    core::{
        id::{DeliveryId, IncidentKey},
        incident::Incident,
        query::{self, BadQuery, Clock, delivery::Condition},
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
    match command {
        Command::Search { query, .. } if query.query.is_empty() => {
            Err(Failure::new(Exit::Usage, "what to search for? As `verdict:rejected since:1h`"))
        }
        Command::List { query, output } | Command::Search { query, output } => {
            list::run(&mut Log::open(places).await?, &query, &output).await
        }
        Command::Show(args) => show::run(&mut Log::open(places).await?, &args).await,
        Command::Tail(args) => tail::run(own(places, "the log is followed").await?, args).await,
        Command::Export(args) => export::run(places, &own(places, "deliveries are exported").await?, args).await,
        Command::Replay(args) => replay::run(places, args).await,
        Command::Resend(args) => resend::run(places, args).await,
    }
}

/// One's own store, where that is the one which is acted on.
async fn own(places: &Places, what: &str) -> Result<Reader, Failure> {
    read(&places.own_store(what).await?)
}

fn read(state_dir: &Path) -> Result<Reader, Failure> {
    let reader = Reader::open(state_dir)?;
    tell_waiting(reader.unentered()?);
    Ok(reader)
}

/// What was answered with 2xx is not here only because nobody has written it to the log yet.
fn tell_waiting(waiting: u64) {
    if waiting > 0 {
        output::complain(&format!(
            "{waiting} more were taken and are not in the log yet: a running dogwatch writes them there, else the next start"
        ));
    }
}

impl Query {
    fn text(&self) -> String {
        self.query.join(" ")
    }

    fn made<T>(&self, make: impl FnOnce(&str, Clock<'_>) -> Result<T, BadQuery>) -> Result<T, Failure> {
        let clock = Clock { now: Timestamp::now(), zone: &TimeZone::system() };
        make(&self.text(), clock).map_err(|wrong| Failure::new(Exit::Usage, format!("the query, {wrong}")))
    }

    /// What it asks the store for, as of now and in this machine's zone.
    fn search(&self, reader: &Reader) -> Result<Search, Failure> {
        Ok(self.search_among(|| reader.incidents())?.0)
    }

    /// The same, and where it asks for incidents by number, all that have one now: they are read only then, as there may
    /// be many.
    fn search_among(
        &self,
        incidents: impl Fn() -> Result<Vec<Incident>, StoreError>,
    ) -> Result<(Search, Option<HashSet<IncidentKey>>), Failure> {
        let wanted = self.made(query::delivery::read)?;
        let known = OnceCell::new();
        let search = search::of(&wanted, |number| {
            known.get_or_init(&incidents).as_ref().map_or(vec![], |all| search::among(all, number))
        });
        let known = known.into_inner().transpose()?.map(|all| {
            let numbered = all.into_iter().filter(|incident| incident.state.number.is_some());
            numbered.map(|incident| incident.key).collect()
        });
        Ok((search, known))
    }

    /// The same as a text that means it anywhere.
    fn fixed(&self) -> Result<String, Failure> {
        let fixed = self.made(|text, clock| query::delivery::fixed(&query::parse(text)?, clock))?;
        Ok(fixed.to_string())
    }

    /// The first incident it asks for by `#` and number that is none of `known`, which are asked for only if there is one.
    fn unknown_number(&self, known: impl FnOnce() -> Result<HashSet<u64>, StoreError>) -> Result<Option<u64>, Failure> {
        let wanted = self.made(query::delivery::read)?;
        let number = |condition: &Condition| match condition {
            Condition::Number(number) => Some(*number),
            Condition::Word(word) => word.strip_prefix('#')?.parse().ok(),
            _ => None,
        };
        let mut numbers: Vec<u64> = wanted.terms().flatten().filter_map(number).collect();
        if !numbers.is_empty() {
            let known = known()?;
            numbers.retain(|number| !known.contains(number));
        }
        Ok(numbers.first().copied())
    }
}

/// By which numbers incidents can be asked for.
fn numbers<'a>(known: impl IntoIterator<Item = &'a Incident>) -> HashSet<u64> {
    known.into_iter().filter_map(|incident| incident.state.number).collect()
}

fn numbers_in(reader: &Reader) -> Result<HashSet<u64>, StoreError> {
    Ok(numbers(&reader.incidents()?))
}

fn not_known(number: u64) -> String {
    format!(
        "no incident #{number} is known (any more), so what came about it is found by its id only, as `incident:Q1ABC`: \
         numbers are kept for as long as resolved incidents are"
    )
}

/// How a command ends that found so many: nothing, where it could not look for all, is no answer.
fn unless_unknown(number: Option<u64>, found: usize) -> Exit {
    let Some(number) = number else { return Exit::Done };
    output::complain(&not_known(number));
    if found == 0 { Exit::Failed } else { Exit::Done }
}

fn stored(reader: &Reader, id: DeliveryId) -> Result<StoredDelivery, Failure> {
    let found = reader.delivery(id)?;
    found.ok_or_else(|| Failure::new(Exit::Failed, format!("delivery {id} is not kept (any more)")))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{core::incident::Status, store::tests::incident};

    #[test]
    fn incidents_are_read_only_where_one_is_asked_for_by_its_number() {
        let asked = |words: &str, known: Vec<Incident>| {
            let (query, reads) = (Query { query: vec![words.to_owned()] }, Cell::new(0));
            let read = || {
                reads.set(reads.get() + 1);
                Ok(known.clone())
            };
            let (_, numbered) = query.search_among(read).expect("a query");
            query.unknown_number(|| Ok(numbers(&read()?))).expect("a query");
            (reads.get(), numbered.map(|all| all.len()))
        };
        let seventh = || vec![incident("P1", Status::Triggered)];

        for words in ["", "verdict:accepted", "incident:P1 since:1h \"disk full\""] {
            assert_eq!(asked(words, seventh()), (0, None), "{words}");
        }
        assert_eq!(asked("incident:#7 or #7", seventh()), (2, Some(1)), "once for each");
        assert_eq!(asked("#7", vec![]), (2, Some(0)), "it may come yet");
    }
}
