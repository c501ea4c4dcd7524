//! `dogwatch serve`: the owner without a screen.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure, Outcome, Places, logging, worker_command};
use crate::server::{
    Options, Server,
    ownership::{self, Role},
};

pub(super) async fn run(places: &Places) -> Outcome {
    let settings = places.settings()?;
    let state_dir = places.state_dir()?;
    logging::to_stderr();
    let role = ownership::attach_or_own(&state_dir, Duration::from_secs(5))
        .await
        .map_err(|e| Failure::new(Exit::Failed, e))?;
    let Role::Owner { lease, socket } = role else {
        let running = format!("another dogwatch serves from {} already", state_dir.display());
        return Err(Failure::new(Exit::Failed, running));
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let options = Options { settings, state_dir, receive: true, worker: worker_command() };
    let server = Server::start(options, lease, socket).await.map_err(|e| Failure::new(Exit::Failed, e))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    server.stop().await;
    Ok(Exit::Done)
}
