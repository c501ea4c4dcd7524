//! `dogwatch status`: one line on how it stands, for status lines. Asks the server that runs, else reads what is kept;
//! never starts one, and never says of old news that they are new.

use std::{path::Path, time::Duration};

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tokio::{net::UnixStream, time::timeout};

use super::{
    Exit, Failure, Outcome, Places,
    client::{self, Client},
    connect::Shared,
    output,
};
use crate::{
    app::{
        duty::{Duty, duty},
        person::me,
    },
    core::{
        board::Board,
        forward::TargetSummary,
        freshness::{Account, Door},
        incident::Status,
        words::{self, age, ago, moment, since, zone_name},
    },
    proto::Access,
    server::{kept, ownership, people::Caller, shared::SharedError},
};

/// A status line does not wait longer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub(super) struct Args {
    #[arg(long, value_enum, default_value_t = Format::Plain)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For `status-right "#(dogwatch status --format tmux)"`.
    Tmux,
    Json,
    Plain,
}

/// Where it is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Server,
    /// No server runs.
    Store,
}

/// How many, and how many of them are mine where it is known who I am.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    all: usize,
    mine: Option<usize>,
}

/// How old it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nobody is asked: webhooks tell what they tell.
    Told,
    /// Somebody has not answered yet.
    Never,
    /// When the one answered whose answer is the oldest.
    At(Timestamp),
}

/// What is wrong with the webhooks that should come in.
fn webhook_troubles(board: &Board) -> Vec<String> {
    let door = match &board.door {
        Door::Failing { cause, .. } => Some(format!("webhooks get 503: {cause}")),
        Door::Open { .. } | Door::Closed | Door::Taken { .. } | Door::Refused { .. } => None,
    };
    let of_account = |account: &Account| {
        let (name, push) = (&account.name, &account.push);
        let refused = words::count(push.unproved as usize, "webhook", "webhooks");
        let secret = push.has_wrong_secret().then(|| format!("{name}: WRONG SECRET? {refused} refused"));
        let silent = push.silence().map(|_| format!("{name}: push is silent"));
        let subscribed = push.subscribed.trouble().map(|trouble| format!("{name}: {trouble}"));
        secret.into_iter().chain(subscribed).chain(silent)
    };
    door.into_iter().chain(board.accounts.values().flat_map(|known| of_account(&known.account))).collect()
}

/// How the targets of outgoing webhooks stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Targets {
    all: usize,
    /// Those that should be sent to and that nothing reaches.
    down: usize,
    /// Attempts that wait.
    waiting: u64,
}

impl Targets {
    fn of(all: &[TargetSummary]) -> Self {
        Self {
            all: all.len(),
            down: all.iter().filter(|target| target.is_down()).count(),
            waiting: all.iter().map(|target| u64::from(target.waiting)).sum(),
        }
    }

    /// Nothing, where all is well.
    fn words(self) -> Option<String> {
        let down = (self.down > 0).then(|| words::count(self.down, "target does not work", "targets do not work"));
        let waiting = usize::try_from(self.waiting).unwrap_or(usize::MAX);
        let waiting = (waiting > 0).then(|| words::count(waiting, "attempt waits", "attempts wait"));
        let both: Vec<String> = down.into_iter().chain(waiting).collect();
        (!both.is_empty()).then(|| both.join(", "))
    }
}

/// All that is said.
#[derive(Debug)]
struct Standing {
    triggered: Count,
    acknowledged: Count,
    /// How many of these the provider does not show, so that they may be over.
    unseen: usize,
    duty: Duty,
    known: Known,
    source: Source,
    targets: Targets,
    /// What keeps webhooks from coming in; empty while nothing does.
    webhooks: Vec<String>,
    /// Why this cannot be relied on; empty when it can.
    doubts: Vec<String>,
    now: Timestamp,
    zone: TimeZone,
}

pub(super) async fn run(places: &Places, args: &Args) -> Outcome {
    let theirs = places.shared().dial().await;
    let (board, access, source) = match known(places, theirs).await {
        Ok(known) => known,
        Err(failure) => {
            unknown(args.format, &failure)?;
            return Err(failure);
        }
    };
    let standing = Standing::of(&board, &access, source, Timestamp::now(), TimeZone::system());
    match args.format {
        Format::Plain => output::line(&standing.plain()),
        Format::Tmux => output::line(&standing.tmux(crate::term::colour_wanted())),
        Format::Json => output::line(&output::json_line(&standing.json())?),
    }
    Ok(if standing.doubts.is_empty() { Exit::Done } else { Exit::Stale })
}

/// Nothing is known: a status line must not look as if nothing were open.
fn unknown(format: Format, failure: &Failure) -> Result<(), Failure> {
    match format {
        Format::Plain | Format::Tmux => output::line("open: not known"),
        Format::Json => output::line(&output::json_line(&json!({ "trusted": false, "doubts": [failure.message] }))?),
    }
    Ok(())
}

/// What can be known; `theirs` is the line to the shared server, or why there is none.
async fn known(
    places: &Places,
    theirs: Result<Option<UnixStream>, SharedError>,
) -> Result<(Board, Access, Source), Failure> {
    let state_dir = places.state_dir()?;
    let (mut stream, refused) = match (theirs, places.shared()) {
        (Ok(stream), _) => (stream, None),
        (Err(refused), Shared::Only(_)) => return Err(Failure::new(Exit::Failed, refused)),
        (Err(refused), _) => (None, Some(refused)),
    };
    if stream.is_none() {
        let own = ownership::dial(&ownership::socket_path(&state_dir)).await;
        stream = own.map_err(|error| Failure::new(Exit::Failed, error))?;
    }
    // Who was to use the shared server keeps nothing here: its refusal is the news.
    let refused = |failure| refused.map_or(failure, |refused| Failure::new(Exit::Failed, refused));
    let Some(stream) = stream else { return stored(places, &state_dir).map_err(refused) };
    let silent = || Failure::new(Exit::Stale, "the server did not answer in time");
    let client = timeout(PATIENCE, Client::attach(stream)).await.map_err(|_| silent())??;
    let (board, access) = client.into_known();
    Ok((board, access, Source::Server))
}

fn stored(places: &Places, state_dir: &Path) -> Result<(Board, Access, Source), Failure> {
    let settings = places.settings()?;
    let board = kept(state_dir, &settings)
        .map_err(|error| Failure::new(Exit::Stale, format!("no dogwatch runs, and nothing is kept: {error}")))?;
    Ok((board, Access::Act { actor: Caller::ourselves().login.to_string() }, Source::Store))
}

impl Standing {
    fn of(board: &Board, access: &Access, source: Source, now: Timestamp, zone: TimeZone) -> Self {
        let mut doubts = client::doubts(board, now);
        if source == Source::Store {
            doubts.insert(0, "no dogwatch runs: this is what the last one knew".to_owned());
        }
        let accounts = board.accounts.values().map(|known| &known.account);
        let asked = accounts.filter(|account| account.rest_off.is_none()).map(|account| account.rest.last_success);
        let known = match asked.min() {
            None => Known::Told,
            Some(None) => Known::Never,
            Some(Some(at)) => Known::At(at),
        };
        Self {
            triggered: count(board, access, Status::Triggered),
            acknowledged: count(board, access, Status::Acknowledged),
            unseen: board.accounts.values().map(|known| known.account.unseen()).sum(),
            duty: duty(board, access, now),
            known,
            source,
            targets: Targets::of(&board.targets),
            webhooks: webhook_troubles(board),
            doubts,
            now,
            zone,
        }
    }

    fn plain(&self) -> String {
        let unseen = match self.unseen {
            0 => String::new(),
            unseen => format!(", {unseen} of them by webhooks alone"),
        };
        let open = format!(
            "{}, {}{unseen}",
            counted(self.triggered, "triggered", self.doubts.is_empty()),
            counted(self.acknowledged, "acked", self.doubts.is_empty())
        );
        let old = match self.known {
            Known::Told => "by webhooks only".to_owned(),
            Known::Never => "no answer yet".to_owned(),
            Known::At(at) => format!("as of {}", ago(since(at, self.now))),
        };
        let source = if self.source == Source::Store { ", no dogwatch runs" } else { "" };
        let targets = self.targets.words().map(|words| format!("; {words}")).unwrap_or_default();
        let webhooks: String = self.webhooks.iter().flat_map(|words| ["; ", words]).collect();
        format!("{open}; {}; {old}{source}{webhooks}{targets}", self.duty_words())
    }

    fn duty_words(&self) -> String {
        let old = |as_of: Option<SignedDuration>| as_of.map(|old| format!(" as of {}", ago(old))).unwrap_or_default();
        match self.duty {
            Duty::On { level, until, as_of, .. } => format!("on call L{level}{}{}", self.until(until), old(as_of)),
            Duty::Off(as_of) => format!("not on call{}", old(as_of)),
            Duty::Unknown => "on call: not known".to_owned(),
        }
    }

    fn until(&self, until: Option<Timestamp>) -> String {
        let words = |until| format!(" until {} {}", moment(until, self.now, &self.zone), zone_name(until, &self.zone));
        until.map(words).unwrap_or_default()
    }

    /// Short, and marked where it cannot be relied on.
    fn tmux(&self, colour: bool) -> String {
        let sure = self.doubts.is_empty();
        let style = |style: &str, text: String| {
            if colour { format!("#[{style}]{}#[default]", escaped(&text)) } else { escaped(&text) }
        };
        let loud = |count: Count, name: &str, colour: &str| {
            let text = counted(count, name, sure);
            if count.all == 0 { escaped(&text) } else { style(colour, text) }
        };
        let mut parts = vec![loud(self.triggered, "trig", "fg=red,bold"), loud(self.acknowledged, "ack", "fg=yellow")];
        if self.unseen > 0 {
            parts.push(format!("({} by webhooks)", self.unseen));
        }
        match self.duty {
            Duty::On { level, until, as_of: None, .. } => {
                parts.push(escaped(&format!("L{level}{}", self.until(until))));
            }
            Duty::On { level, as_of: Some(_), .. } => parts.push(format!("L{level}?")),
            Duty::Off(None) => {}
            Duty::Off(Some(_)) | Duty::Unknown => parts.push("on call?".to_owned()),
        }
        if !self.webhooks.is_empty() {
            parts.push(style("fg=red", "webhooks!".to_owned()));
        }
        if self.targets.down > 0 {
            parts.push(style("fg=red", format!("{} down", words::count(self.targets.down, "target", "targets"))));
        }
        if !sure {
            let old = match self.known {
                Known::Told => "not running".to_owned(),
                Known::Never => "no answer yet".to_owned(),
                Known::At(at) => format!("{} old", age(since(at, self.now))),
            };
            parts.push(style("fg=red", old));
        }
        parts.join(" ")
    }

    fn json(&self) -> Value {
        let count = |count: Count| json!({ "all": count.all, "mine": count.mine });
        let on_call = match self.duty {
            Duty::On { level, since, until, as_of } => {
                json!({ "on_call": true, "level": level, "since": since, "until": until, "stale": as_of.is_some() })
            }
            Duty::Off(as_of) => json!({ "on_call": false, "stale": as_of.is_some() }),
            Duty::Unknown => json!({ "on_call": null }),
        };
        let as_of = if let Known::At(at) = self.known { Some(at) } else { None };
        json!({
            "triggered": count(self.triggered),
            "acknowledged": count(self.acknowledged),
            "by_webhooks_alone": self.unseen,
            "duty": on_call,
            "as_of": as_of,
            "source": if self.source == Source::Server { "server" } else { "store" },
            "targets": { "all": self.targets.all, "down": self.targets.down, "waiting": self.targets.waiting },
            "webhooks": self.webhooks,
            "trusted": self.doubts.is_empty(),
            "doubts": self.doubts,
        })
    }
}

fn count(board: &Board, access: &Access, status: Status) -> Count {
    let all = board.incidents.values().filter(|incident| incident.state.status == status);
    let mine = |known: &crate::core::board::AccountBoard| {
        let me = me(access, known)?;
        let ours = all.clone().filter(|incident| incident.key.account == known.account.name);
        Some(ours.filter(|incident| incident.state.assignees.iter().any(|user| user.id == me.id)).count())
    };
    let mine = board.accounts.values().map(mine).fold(None, |sum: Option<usize>, mine| match (sum, mine) {
        (None, mine) => mine,
        (sum, mine) => sum.map(|sum| sum + mine.unwrap_or_default()),
    });
    Count { all: all.count(), mine }
}

/// `3 triggered (1 mine)`; with a question mark where it is not sure.
fn counted(count: Count, name: &str, sure: bool) -> String {
    let doubt = if sure { "" } else { "?" };
    let mine = count.mine.filter(|_| count.all > 0).map(|mine| format!(" ({mine} mine)")).unwrap_or_default();
    format!("{} {name}{doubt}{mine}", count.all)
}

/// tmux reads styles and variables behind `#`.
fn escaped(text: &str) -> String {
    text.replace('#', "##")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::fixtures::{board, board_with, board_with_targets, now, zone},
        core::{
            left::{Fate, Left},
            push::Subscribed,
        },
    };

    fn alice() -> Access {
        Access::Act { actor: "alice".into() }
    }

    fn standing(board: &Board, source: Source) -> Standing {
        Standing::of(board, &alice(), source, now(), zone())
    }

    #[test]
    fn it_says_how_many_are_open_how_many_are_mine_and_until_when_i_am_on_call() {
        let standing = standing(&board(), Source::Server);

        let plain = "3 triggered (3 mine), 2 acked (1 mine); on call L1 until 08:00 CEST; as of 10s ago";
        assert_eq!(standing.plain(), plain);
        assert_eq!(standing.tmux(false), "3 trig (3 mine) 2 ack (1 mine) L1 until 08:00 CEST");
        let json = standing.json();
        assert_eq!(json["targets"], json!({ "all": 0, "down": 0, "waiting": 0 }));
        assert_eq!((&json["trusted"], &json["triggered"]["mine"]), (&json!(true), &json!(3)));
        assert_eq!(json["duty"]["until"], json!("2025-06-10T06:00:00Z"));
    }

    #[test]
    fn what_no_server_vouches_for_is_never_said_without_its_age() {
        let standing = standing(&board(), Source::Store);

        assert!(standing.plain().contains("3 triggered? ("), "{}", standing.plain());
        assert!(standing.plain().ends_with("as of 10s ago, no dogwatch runs"), "{}", standing.plain());
        assert_eq!(standing.tmux(true).matches("10s old").count(), 1);
        assert_eq!(standing.json()["trusted"], json!(false));
    }

    #[test]
    fn how_many_are_open_by_webhooks_alone_is_said() {
        let left = Left { id: "Q1DISK".parse().expect("id"), name: "#1 Disk".into(), at: now(), fate: Fate::Unseen };
        let standing = standing(&board_with(|account| account.left = vec![left]), Source::Server);

        let said = "2 acked (1 mine), 1 of them by webhooks alone; on call";
        assert!(standing.plain().contains(said), "{}", standing.plain());
        assert!(standing.tmux(false).contains("2 ack (1 mine) (1 by webhooks) L1"), "{}", standing.tmux(false));
        assert_eq!(standing.json()["by_webhooks_alone"], json!(1));
    }

    #[test]
    fn an_account_that_never_answered_is_no_quiet_night() {
        let board = board_with(|account| account.rest.last_success = None);
        let standing = standing(&board, Source::Server);

        assert!(standing.plain().contains('?') && standing.plain().contains("no answer yet"), "{}", standing.plain());
        assert!(!standing.doubts.is_empty());
    }

    #[test]
    fn webhooks_that_cannot_come_in_are_told_and_those_that_are_not_shown_make_it_doubtful() {
        let mut board = board();
        assert_eq!(standing(&board, Source::Server).json()["webhooks"], json!([]));
        board.door = Door::Failing { address: "127.0.0.1:8484".to_owned(), cause: "no room".into() };
        board.unshown = 3;
        for known in board.accounts.values_mut() {
            known.account.push.unproved = 2;
            known.account.push.subscribed = Subscribed::Inactive;
        }
        let standing = standing(&board, Source::Server);

        let said = "webhooks get 503: no room; prod: WRONG SECRET? 2 webhooks refused; prod: the webhook subscription is \
                    switched off";
        assert!(standing.plain().contains(said), "{}", standing.plain());
        assert!(standing.tmux(false).contains(" webhooks!"), "{}", standing.tmux(false));
        assert_eq!(standing.json()["trusted"], json!(false));
        assert_eq!(standing.json()["doubts"], json!(["3 webhooks taken, not shown yet"]));
    }

    #[tokio::test]
    async fn who_is_not_let_in_by_the_shared_server_and_keeps_nothing_hears_of_that_one() {
        let dir = tempfile::tempdir().expect("tempdir");
        let (config, state) = (dir.path().join("none.toml"), dir.path().join("none"));
        let places = Places { config: Some(config), state_dir: Some(state), socket: None };
        let (path, user, group) = ("/run/dogwatch/control.sock".into(), "guest".to_owned(), "oncall".to_owned());

        let refused = known(&places, Err(SharedError::NoMember { path, user, group })).await.expect_err("nothing");

        let said = refused.to_string();
        assert!(said.contains("only the members of the group oncall in, and you (guest) are none"), "{said}");
    }

    #[test]
    fn targets_that_do_not_work_and_attempts_that_wait_are_counted() {
        let standing = standing(&board_with_targets(), Source::Server);

        assert!(standing.plain().ends_with("; 2 targets do not work, 12 attempts wait"), "{}", standing.plain());
        assert!(standing.tmux(false).ends_with(" 2 targets down"), "{}", standing.tmux(false));
        assert_eq!(standing.json()["targets"], json!({ "all": 4, "down": 2, "waiting": 12 }));
    }

    #[test]
    fn nothing_in_a_line_for_tmux_is_a_format_of_somebody_else() {
        assert_eq!(escaped("#(reboot) #[fg=red] #S"), "##(reboot) ##[fg=red] ##S");
        let line = standing(&board_with_targets(), Source::Server).tmux(true);
        for style in line.split("#[").skip(1) {
            let known = ["fg=red,bold]", "fg=yellow]", "fg=red]", "default]"];
            assert!(known.iter().any(|known| style.starts_with(known)), "{line}");
        }
    }
}
