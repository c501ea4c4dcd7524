//! `dogwatch serve`: the owner without a screen.

use std::{path::Path, time::Duration};

use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use super::{Exit, Failure, Outcome, Places, logging, service, worker_command};
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

pub(super) async fn run(places: &Places) -> Outcome {
    let settings = places.settings()?;
    let state_dir = places.state_dir()?;
    logging::to_stderr();
    // Before anything else is opened: the sockets are known by their numbers.
    let given = service::given()?;
    let (lease, socket) = own(&state_dir).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let shared = if given.control.is_empty() { shared_socket(&settings.server)? } else { None };
    let options = Options { settings, state_dir, receive: true, worker: worker_command() };
    let server = Server::start_with(options, lease, socket, given).await.map_err(|e| Failure::new(Exit::Failed, e))?;
    let _gone_at_the_end = shared.map(|(socket, shared)| {
        server.let_in(socket);
        shared
    });
    tokio::select! {
        () = service::report(&server) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    service::stopping();
    server.stop().await;
    Ok(Exit::Done)
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
    loop {
        let role = ownership::attach_or_own(state_dir, PATIENCE).await.map_err(|e| Failure::new(Exit::Failed, e))?;
        match role {
            Role::Owner { lease, socket } => return Ok((lease, socket)),
            Role::Console(_) if Instant::now() < give_up => sleep(RETRY).await,
            Role::Console(_) => {
                let running = format!("another dogwatch serves from {} already", state_dir.display());
                return Err(Failure::new(Exit::Failed, running));
            }
        }
    }
}
