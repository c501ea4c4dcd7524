//! `dogwatch oncall`: who has the pager now and next, whether it is me, the schedules, overrides, and the load.

mod asking;
mod load;
mod me;
mod next;
mod now;
mod overrides;
mod schedule;

use clap::Subcommand;
use jiff::{Timestamp, tz::TimeZone};

use super::{Exit, Failure, Outcome, Places, client::Client, output};
use crate::core::{
    board::AccountBoard,
    freshness::Sight,
    id::{AccountName, ScheduleId, UserId},
    incident::Named,
    query::{Clock, oncall::Wanted},
    span::{self, Span},
    words,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    asking: asking::Asking,
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Who is on call now, level by level: all, or those that are asked for. The same as no command.
    Now(asking::Asking),
    /// Who is on each level now, who follows and when; levels with nobody.
    Next,
    /// Whether I am on call, and when next. Ends with 0 when I am, with 1 when I am not.
    Me,
    /// The shifts of a schedule, or of all, in the coming days; gaps and overrides are shown as such.
    Schedule {
        /// Name or id.
        schedule: Option<String>,
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=90))]
        days: u16,
    },
    /// Put myself on a schedule for a time.
    Take {
        /// Name or id of the schedule.
        schedule: String,
        #[command(flatten)]
        when: When,
    },
    /// Overrides: put somebody on a schedule, or take one away.
    #[command(subcommand)]
    Override(overrides::Command),
    /// Who was paged how often, and how often at night.
    Load {
        /// From when on: `30d`, or a date.
        #[arg(long, default_value = "30d")]
        since: String,
        /// Till when; now unless said.
        #[arg(long)]
        until: Option<String>,
    },
}

/// A span of time on the command line.
#[derive(clap::Args)]
pub(super) struct When {
    /// `30m`, `until 09:00`, `18:00-22:00`, `tue 08:00 for 12h`, `2025-06-12 08:00 until 20:00`; in this machine's zone.
    #[arg(required = true, num_args = 1.., value_name = "WHEN")]
    when: Vec<String>,
    /// More than 24 hours are meant.
    #[arg(long)]
    long: bool,
}

impl When {
    /// The span, by the clock of `account`'s provider.
    pub(super) fn read(&self, client: &Client, account: &AccountName) -> Result<Span, Failure> {
        let (now, zone) = (client.board.provider_time(account, Timestamp::now()), TimeZone::system());
        let span = span::read(&self.when.join(" "), Clock { now, zone: &zone });
        let span = span.map_err(|why| Failure::new(Exit::Usage, format!("when: {why}")))?;
        if span.is_long() && !self.long {
            let length = crate::core::escalation::in_time(span.length());
            return Err(Failure::new(Exit::Usage, format!("that is {length}: say --long if it is meant")));
        }
        Ok(span)
    }
}

pub(super) async fn run(places: &Places, args: Args) -> Outcome {
    let asked = match &args.command {
        Some(Command::Now(asking)) => asking.wanted()?,
        _ => args.asking.wanted()?,
    };
    if args.command.is_some() && !args.asking.is_empty() {
        return Err(Failure::new(Exit::Usage, "a query goes with no command but `now`"));
    }
    let mut client = Client::open(places).await?;
    let outcome = with(&mut client, args, &asked).await;
    client.close().await;
    outcome
}

async fn with(client: &mut Client, args: Args, asked: &Wanted) -> Outcome {
    client.ask_for_all_but_incidents().await?;
    let Some(command) = args.command else { return now::list(client, asked, args.json) };
    match command {
        Command::Now(_) => now::list(client, asked, args.json),
        Command::Next => next::list(client, args.json),
        Command::Me => me::tell(client, args.json).await,
        Command::Schedule { schedule, days } => schedule::show(client, schedule.as_deref(), days, args.json).await,
        Command::Take { schedule, when } => overrides::take(client, &schedule, &when, args.json).await,
        Command::Override(command) => overrides::run(client, command, args.json).await,
        Command::Load { since, until } => load::tell(client, &since, until.as_deref(), args.json).await,
    }
}

/// Complains of what keeps the answer from being trusted, and chooses the exit code by it.
fn trusted(client: &Client) -> Exit {
    told(&client.on_call_doubts())
}

fn told(doubts: &[String]) -> Exit {
    for doubt in doubts {
        output::complain(doubt);
    }
    if doubts.is_empty() { Exit::Done } else { Exit::Stale }
}

/// A time on this machine's clock, with the zone: `2025-06-10 08:00 CEST`.
pub(super) fn local(at: Timestamp) -> String {
    let zone = TimeZone::system();
    let there = at.to_zoned(zone.clone());
    format!("{} {}", there.strftime("%Y-%m-%d %H:%M"), words::zone_name(at, &zone))
}

/// The schedule that is meant.
pub(super) fn find_schedule(client: &Client, text: &str) -> Result<(AccountName, Named<ScheduleId>), Failure> {
    let each = |board: &'_ AccountBoard| {
        let named = board.schedules.iter().map(|known| known.schedule.clone());
        named.map(|schedule| (board.account.name.clone(), schedule)).collect::<Vec<_>>()
    };
    let is_meant = |schedule: &Named<ScheduleId>| {
        schedule.id.as_str() == text || schedule.name.as_str().eq_ignore_ascii_case(text)
    };
    let mut found: Vec<_> = client.board.accounts.values().flat_map(each).filter(|(_, one)| is_meant(one)).collect();
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), more) => Err(Failure::new(Exit::Usage, format!("`{text}` names {} schedules: use the id", more + 1))),
        (None, _) => Err(missing(client, Sight::Schedules, &format!("no schedule is called `{text}`"))),
    }
}

/// Something that is not there; when not all is known it may be there all the same.
pub(super) fn missing(client: &Client, sight: Sight, what: &str) -> Failure {
    match client.doubts_about(&[sight]).first() {
        None => Failure::new(Exit::Failed, what),
        Some(doubt) => Failure::new(Exit::Stale, format!("{what}, but not all is known: {doubt}")),
    }
}

/// Who runs the command, at an account: whom the server takes them for.
fn me<'a>(client: &Client, board: &'a AccountBoard) -> Option<&'a Named<UserId>> {
    client.person(board)
}
