//! Attaching to a server at a Unix socket.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use tokio::{net::UnixStream, time::timeout};

use super::{Connect, Connection};
use crate::app::Role;

/// A socket whose server has a full queue does not answer at all.
const DEADLINE: Duration = Duration::from_secs(2);

/// Connects to the server at this path, and to nothing else.
#[derive(Debug, Clone)]
pub struct Dial(pub PathBuf);

#[async_trait]
impl Connect for Dial {
    async fn connect(&mut self) -> Result<Connection, String> {
        let failed = |why: &dyn std::fmt::Display| format!("no server at {}: {why}", self.0.display());
        match timeout(DEADLINE, UnixStream::connect(&self.0)).await {
            Ok(Ok(stream)) => Ok(Connection { io: Box::new(stream), role: Role::Attached }),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(failed(&"it does not answer")),
        }
    }
}
