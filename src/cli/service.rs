//! What a service manager gives to `dogwatch serve` (sockets) and hears from it (how it stands).
//! Without one, nothing here does anything.

use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::{
    net::{TcpListener, UnixListener},
    time::sleep,
};

use super::{Exit, Failure};
use crate::server::{Given, Server};

/// Between two looks at what is to be told.
const LOOK: Duration = Duration::from_secs(1);

/// The sockets that were passed on: a TCP one is the door for webhooks, Unix ones are for consoles.
pub(super) fn given() -> Result<Given, Failure> {
    let mut passed = ListenFd::from_env();
    let mut given = Given::default();
    for at in 0..passed.len() {
        if let Ok(Some(unix)) = passed.take_unix_listener(at) {
            unix.set_nonblocking(true)?;
            given.control.push(UnixListener::from_std(unix)?);
        } else if let Ok(Some(tcp)) = passed.take_tcp_listener(at) {
            if given.door.is_some() {
                return Err(unusable("two TCP sockets", "one is the door for webhooks: leave the other out"));
            }
            tcp.set_nonblocking(true)?;
            given.door = Some(TcpListener::from_std(tcp)?);
        } else {
            return Err(unusable("a socket that is neither TCP nor a Unix stream", "check the socket unit"));
        }
    }
    Ok(given)
}

fn unusable(what: &str, advice: &str) -> Failure {
    Failure::new(Exit::Usage, format!("the service manager passed on {what}: {advice}"))
}

/// Tells that the service is ready, then how it stands whenever that changes, and that it is alive as often as is
/// asked for. Never ends.
pub(super) async fn report(server: &Server) {
    let mut told = server.status();
    say(&[NotifyState::Ready, NotifyState::Status(&told)]);
    // Half of the time after which silence counts as death.
    let beat = sd_notify::watchdog_enabled().map(|within| within / 2);
    let pause = beat.unwrap_or(LOOK).min(LOOK);
    loop {
        sleep(pause).await;
        if beat.is_some() {
            say(&[NotifyState::Watchdog]);
        }
        let now = server.status();
        if now != told {
            say(&[NotifyState::Status(&now)]);
            told = now;
        }
    }
}

/// Tells that the end has begun.
pub(super) fn stopping() {
    say(&[NotifyState::Stopping, NotifyState::Status("finishing what was asked for")]);
}

fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
