//! How a screen or a command of this process gets its server: the shared one, this user's running one, or
//! by becoming it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::net::UnixStream;

use super::{output, worker_command};
use crate::{
    app,
    config::Settings,
    run::{Connect, Connection},
    server::{
        Options, Server,
        keeper::Load,
        ownership::{self, Role},
        shared::{self, SHARED_SOCKET, SharedError},
    },
};

/// How long a server that is starting or leaving is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Waiting this long at the end needs no words.
const UNREMARKABLE: Duration = Duration::from_millis(500);
/// Bytes in the pipe between the two halves of one process.
const PIPE: usize = 256 * 1024;

/// The server that this process may have become.
#[derive(Clone, Default)]
pub(super) struct Owned(Arc<Mutex<Option<Server>>>);

impl Owned {
    /// Stops the server, if there is one, and waits for it.
    pub(super) async fn stop(&self) {
        let server = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(server) = server else { return };
        if !server.finish_actions(UNREMARKABLE).await {
            output::complain("finishing what was asked for…");
        }
        server.stop().await;
    }
}

/// Whether a server of another user is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shared {
    /// In the usual place.
    First,
    /// The state directory was named: no.
    Never,
    /// At this socket, and no other server will do.
    Only(PathBuf),
}

impl Shared {
    /// A line to it; `None` when there is none to be had and another server will do.
    pub(super) async fn dial(&self) -> Result<Option<UnixStream>, SharedError> {
        match self {
            Self::First => shared::dial(SHARED_SOCKET.as_ref()).await,
            Self::Never => Ok(None),
            Self::Only(path) => match shared::dial_named(path).await? {
                None => Err(SharedError::Unusable { path: path.clone(), reason: "no server listens there".into() }),
                found => Ok(found),
            },
        }
    }
}

/// Looks for a server, or becomes it.
pub(super) struct Connector {
    pub(super) state_dir: PathBuf,
    pub(super) shared: Shared,
    /// A line to the shared server that is there already: the first connection.
    pub(super) first: Option<UnixStream>,
    /// What to serve with if there is no server; or why that cannot be known.
    pub(super) settings: Result<Settings, String>,
    /// How the settings are read again.
    pub(super) load: Load,
    /// Whether to listen for webhooks when this process becomes the server.
    pub(super) receive: bool,
    pub(super) owned: Owned,
}

#[async_trait]
impl Connect for Connector {
    async fn connect(&mut self) -> Result<Connection, String> {
        if let Some(connection) = self.to_own_server() {
            return Ok(connection);
        }
        if let Some(stream) = self.first.take() {
            return Ok(Connection { io: Box::new(stream), role: app::Role::Attached });
        }
        let refused = match self.shared.dial().await {
            Ok(Some(stream)) => return Ok(Connection { io: Box::new(stream), role: app::Role::Attached }),
            Ok(None) => None,
            Err(error) => Some(error.to_string()),
        };
        if let (Shared::Only(_), Some(refused)) = (&self.shared, &refused) {
            return Err(refused.clone());
        }
        match ownership::attach_or_own(&self.state_dir, PATIENCE).await.map_err(|e| e.to_string())? {
            Role::Console(stream) => Ok(Connection { io: Box::new(stream), role: app::Role::Attached }),
            Role::Owner { lease, socket } => {
                let options = Options {
                    // Who was to use the shared server has no settings: its refusal is the news.
                    settings: self.settings.clone().map_err(|why| refused.unwrap_or(why))?,
                    load: Arc::clone(&self.load),
                    state_dir: self.state_dir.clone(),
                    receive: self.receive,
                    worker: worker_command(),
                };
                let server = Server::start(options, lease, socket).await.map_err(|e| e.to_string())?;
                *self.owned.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
                self.to_own_server().ok_or_else(|| "the server ended at once".to_owned())
            }
        }
    }
}

impl Connector {
    fn to_own_server(&self) -> Option<Connection> {
        let owned = self.owned.0.lock().unwrap_or_else(PoisonError::into_inner);
        let server = owned.as_ref()?;
        let (ours, theirs) = tokio::io::duplex(PIPE);
        server.serve_own_console(theirs);
        Some(Connection { io: Box::new(ours), role: app::Role::Owner })
    }
}
