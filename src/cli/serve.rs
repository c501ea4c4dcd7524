//! `dogwatch serve`: the owner without a screen.

use std::{path::Path, time::Duration};

use tokio::{
    net::UnixListener,
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};

use super::{
    Exit, Failure, Outcome, Places,
    logging::{self, Format},
    service, worker_command,
};
use crate::{
    config::ServerSettings,
    server::{
        Options, Server,
        lease::Lease,
        ownership::{self, Role},
        shared::{self, Shared},
    },
};

/// How long another owner is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub(super) struct Args {
    /// How the log on standard error is written: for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text, env = "DOGWATCH_LOG_FORMAT")]
    log_format: Format,
}

pub(super) async fn run(places: &Places, args: &Args) -> Outcome {
    let settings = places.settings()?;
    let state_dir = places.state_dir()?;
    logging::to_stderr(args.log_format);
    // Before anything else is opened: the sockets are known by their numbers.
    let given = service::given()?;
    let (lease, socket) = own(&state_dir).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let shared = if given.control.is_empty() { shared_socket(&settings.server)? } else { None };
    let load = places.load_again();
    let options = Options { settings, load, state_dir, receive: true, worker: worker_command() };
    let started = Server::start_with(options, lease, socket, given).await;
    let server = started.map_err(|error| Failure::new(Exit::Failed, error.at_an_end()))?;
    let _gone_at_the_end = shared.map(|(socket, shared)| {
        server.let_in(socket);
        shared
    });
    tokio::select! {
        () = service::report(&server) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reload_at_each(&mut hang_up, &server) => {}
    }
    service::stopping();
    server.stop().await;
    Ok(Exit::Done)
}

/// What came of it stands in the log.
async fn reload_at_each(hang_up: &mut Signal, server: &Server) {
    while hang_up.recv().await.is_some() {
        drop(server.reload().await);
    }
    std::future::pending::<()>().await;
}

/// The configured socket for other users, if there is one.
fn shared_socket(settings: &ServerSettings) -> Result<Option<(UnixListener, Shared)>, Failure> {
    let Some(path) = &settings.socket else { return Ok(None) };
    let bound = shared::bind(path, settings.group.as_deref());
    bound.map(Some).map_err(|e| Failure::new(Exit::Failed, e))
}

/// Becomes the owner. A command that owns for a moment is waited for; a console is not.
async fn own(state_dir: &Path) -> Result<(Lease, UnixListener), Failure> {
    let give_up = Instant::now() + PATIENCE;
    let running = format!("another dogwatch serves from {} already", state_dir.display());
    let mut told = false;
    loop {
        let role = ownership::attach_or_own(state_dir, PATIENCE).await.map_err(|e| Failure::new(Exit::Failed, e))?;
        match role {
            Role::Owner { lease, socket } => return Ok((lease, socket)),
            Role::Console(_) if Instant::now() < give_up => {
                if !std::mem::replace(&mut told, true) {
                    tracing::info!("{running}; waiting up to {} s for it to end", PATIENCE.as_secs());
                }
                sleep(RETRY).await;
            }
            Role::Console(_) => return Err(Failure::new(Exit::Failed, running)),
        }
    }
}
