//! The commands, one file each. Printing is done here and nowhere else.

mod action;
mod api_log;
mod backup;
mod client;
mod config;
mod connect;
mod console;
mod delivery;
mod demo;
mod doctor;
mod event;
mod handoff;
mod incident;
mod logging;
mod maintenance;
mod oncall;
mod output;
mod serve;
mod service;
mod services;
mod simulate;
mod status;
mod target;
mod template;
mod webhook;

use std::{ffi::OsString, fmt::Display, io, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};

use connect::Shared;
use tokio::net::UnixStream;

use crate::{
    config::{self as settings, ConfigError, Settings},
    server::{keeper::Load, shared::SHARED_SOCKET},
};

/// How a command ended, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done, and the answer can be trusted.
    Done = 0,
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Some of several failed.
    Partly = 3,
    /// The provider cannot be reached, or what is known is stale.
    Stale = 4,
}

/// Why a command could not do its work: the sentence to print, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    exit: Exit,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { message: format!("{message}"), exit }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

type Outcome = Result<Exit, Failure>;

/// A console for people on call: live incidents, who is on call, the webhook log, and templates.
///
/// Without a command: the console. It attaches to the dogwatch of yours that runs already, or becomes it.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where things are.
#[derive(Debug, Clone, clap::Args)]
struct Places {
    /// The configuration file.
    #[arg(long, global = true, env = "DOGWATCH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of the store, the lock and the socket.
    #[arg(long, global = true, env = "DOGWATCH_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Attach to the server at this socket and to no other. Else `/run/dogwatch/control.sock`, if somebody serves
    /// there, goes before a server of one's own.
    #[arg(long, global = true, env = "DOGWATCH_SOCKET", value_name = "FILE")]
    socket: Option<PathBuf>,
}

impl Places {
    fn config_path(&self) -> Result<PathBuf, Failure> {
        match &self.config {
            Some(path) => Ok(path.clone()),
            None => Ok(settings::default_config_path()?),
        }
    }

    fn shared(&self) -> Shared {
        match (&self.socket, &self.state_dir) {
            (Some(socket), _) => Shared::Only(socket.clone()),
            (None, Some(_)) => Shared::Never,
            (None, None) => Shared::First,
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        Ok(settings::load(&self.config_path()?)?)
    }

    /// Reads the settings anew each time it is called.
    fn load_again(&self) -> Load {
        let places = self.clone();
        Arc::new(move || places.settings().map_err(|failure| failure.message))
    }

    /// A line to the server that goes before one's own: the one that was named, or the shared one. `None`: one's own
    /// store is the one that commands act on.
    async fn server_before_own(&self) -> Result<Option<UnixStream>, Failure> {
        let shared = self.shared();
        match (shared.dial().await, shared) {
            (Ok(found), _) => Ok(found),
            (Err(refused), Shared::Only(_)) => Err(Failure::new(Exit::Failed, refused)),
            (Err(refused), Shared::First | Shared::Never) => {
                output::complain(&format!("{refused}: what follows is from {}", self.state_dir()?.display()));
                Ok(None)
            }
        }
    }

    /// The directory of one's own store, for what is read from its files alone. Refused where commands act on another
    /// one: `what` begins the sentence.
    async fn own_store(&self, what: &str) -> Result<PathBuf, Failure> {
        if self.server_before_own().await?.is_none() {
            return self.state_dir();
        }
        let server = self.socket.as_deref().unwrap_or(SHARED_SOCKET.as_ref()).display();
        let why = format!(
            "{what} from the files of a store, and the server at {server} keeps its own: as its user, name its directory \
             with --state-dir, and no socket"
        );
        Err(Failure::new(Exit::Usage, why))
    }

    fn state_dir(&self) -> Result<PathBuf, Failure> {
        match &self.state_dir {
            Some(dir) => Ok(dir.clone()),
            None => Ok(settings::default_state_dir()?),
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// A night on call with a simulated PagerDuty: no account, no configuration.
    Demo(demo::Args),
    /// Receive, poll and act without a screen.
    Serve(serve::Args),
    /// Incidents: list, show, and act on them.
    #[command(subcommand)]
    Incident(incident::Command),
    /// Who did what: the log of actions.
    #[command(subcommand)]
    Action(action::Command),
    /// What the running dogwatch asked of the providers, and what is left of their rate limits.
    ApiLog(api_log::Args),
    /// Tell the provider of something: open, acknowledge and resolve alerts, and put changes on record.
    #[command(subcommand)]
    Event(event::Command),
    /// Who is on call now and next, whether it is me, schedules, overrides, load.
    Oncall(oncall::Args),
    /// Services: how they stand, and who is on call for them.
    #[command(subcommand)]
    Service(services::Command),
    /// Maintenance windows of services: list, start, end.
    #[command(subcommand)]
    Maintenance(maintenance::Command),
    /// The webhook log.
    #[command(subcommand)]
    Delivery(delivery::Command),
    /// The provider's subscriptions to its webhooks: list, make, switch on, test.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Templates of outgoing webhooks.
    #[command(subcommand)]
    Template(template::Command),
    /// Targets of outgoing webhooks: list, make, switch, test.
    #[command(subcommand)]
    Target(target::Command),
    /// The configuration file.
    #[command(subcommand)]
    Config(config::Command),
    /// Test the connections, the credentials and the store, and say what to do.
    Doctor(doctor::Args),
    /// Copy the store to a file, also while dogwatch runs.
    Backup(backup::Args),
    /// A simulated PagerDuty on this machine.
    Simulate(simulate::Args),
    /// One line on how it stands, for the status line of tmux and others: asks the dogwatch that runs, starts none.
    Status(status::Args),
    /// The hand-off of a shift: what is open and whose, what was resolved, what was noted.
    Handoff(handoff::Args),
    /// Renders templates for the server.
    #[command(hide = true)]
    RenderWorker,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(told) => return told_off(&told),
    };
    if matches!(args.command, Some(Command::RenderWorker)) {
        return exit_code(crate::template::worker(io::stdin(), io::stdout()));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("no threads to work with: {error}"));
            return exit_code(Exit::Failed as i32);
        }
    };
    // The screen runs on this thread, everything spawned on the workers: a terminal that nobody reads
    // cannot hold up the receiver.
    let ended = runtime.block_on(run(args));
    runtime.shutdown_background();
    match ended {
        Ok(code) => exit_code(code),
        Err(failure) => {
            output::complain(&failure.message);
            output::finish(failure.exit);
            exit_code(failure.exit as i32)
        }
    }
}

/// Help and version are clap's. What it says of a wrong command line repeats the words that were given, and so is
/// cleaned like all that comes from elsewhere.
fn told_off(told: &clap::Error) -> ExitCode {
    if told.use_stderr() {
        let text = told.to_string();
        output::complain(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    } else {
        output::is_written(&told.print());
    }
    match output::finish(Exit::Done) {
        Exit::Done => exit_code(told.exit_code()),
        lost => exit_code(lost as i32),
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

async fn run(args: Args) -> Result<i32, Failure> {
    let places = args.places;
    let exit = match args.command {
        None => return Box::pin(console::run(&places)).await,
        Some(Command::Demo(args)) => return Box::pin(demo::run(args)).await,
        Some(Command::Serve(args)) => serve::run(&places, &args).await?,
        Some(Command::Incident(command)) => incident::run(&places, command).await?,
        Some(Command::Action(command)) => action::run(&places, &command).await?,
        Some(Command::ApiLog(args)) => api_log::run(&places, &args).await?,
        Some(Command::Oncall(args)) => oncall::run(&places, args).await?,
        Some(Command::Event(command)) => event::run(&places, command).await?,
        Some(Command::Service(command)) => services::run(&places, &command).await?,
        Some(Command::Maintenance(command)) => maintenance::run(&places, command).await?,
        Some(Command::Delivery(command)) => delivery::run(&places, command).await?,
        Some(Command::Webhook(command)) => webhook::run(&places, command).await?,
        Some(Command::Template(command)) => template::run(&places, command).await?,
        Some(Command::Target(command)) => target::run(&places, command).await?,
        Some(Command::Config(command)) => config::run(&places, command).await?,
        Some(Command::Doctor(args)) => doctor::run(&places, args).await?,
        Some(Command::Backup(args)) => backup::run(&places, &args).await?,
        Some(Command::Simulate(args)) => simulate::run(args).await?,
        Some(Command::Status(args)) => status::run(&places, &args).await?,
        Some(Command::Handoff(args)) => handoff::run(&places, args).await?,
        Some(Command::RenderWorker) => Exit::Failed,
    };
    Ok(output::finish(exit) as i32)
}

/// The command line that starts a render worker: this program again.
fn worker_command() -> Vec<OsString> {
    // The file itself, so that an upgrade under a running dogwatch does not start another version's worker.
    vec!["/proc/self/exe".into(), "render-worker".into()]
}
