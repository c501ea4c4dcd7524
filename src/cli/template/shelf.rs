//! Where templates are: with the dogwatch that runs, or else in the files of the state directory.

use std::path::Path;

use crate::{
    cli::{Exit, Failure, Places, client::Client, connect::Shared},
    core::{
        template::{TemplateHistory, TemplateSummary, Version},
        text::Shown,
    },
    proto::{Answer, Request},
    server::{ownership, people::Caller},
    template::{Library, LibraryError},
};

/// The templates, whoever holds them.
pub(super) enum Shelf {
    Server(Box<Client>),
    Files(Library),
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Self {
        let exit = if matches!(error, LibraryError::BadName) { Exit::Usage } else { Exit::Failed };
        Self::new(exit, error)
    }
}

fn other_answer() -> Failure {
    Failure::new(Exit::Failed, "an answer to another question")
}

impl Shelf {
    /// Asks the dogwatch that runs, the shared one first; starts none.
    pub(super) async fn open(places: &Places) -> Result<Self, Failure> {
        let state_dir = places.state_dir()?;
        let shared = places.shared();
        let stream = match (shared.dial().await, &shared) {
            (Ok(Some(stream)), _) => Some(stream),
            (Err(refused), Shared::Only(_)) => return Err(Failure::new(Exit::Failed, refused)),
            (Ok(None) | Err(_), _) => {
                let own = ownership::dial(&ownership::socket_path(&state_dir)).await;
                own.map_err(|error| Failure::new(Exit::Failed, error))?
            }
        };
        match stream {
            Some(stream) => Ok(Self::Server(Box::new(Client::attach(stream).await?))),
            None => Ok(Self::files(&state_dir)),
        }
    }

    fn files(state_dir: &Path) -> Self {
        Self::Files(Library::open(&state_dir.join("templates")))
    }

    pub(super) fn list(&self) -> Result<Vec<TemplateSummary>, Failure> {
        match self {
            Self::Server(client) => Ok(client.board.templates.clone()),
            Self::Files(library) => Ok(library.list()?),
        }
    }

    /// Whether there is a template of this name.
    pub(super) fn has(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.list()?.iter().any(|summary| summary.name == name))
    }

    pub(super) async fn read(&mut self, name: &str) -> Result<String, Failure> {
        match self {
            Self::Files(library) => Ok(library.read(name)?),
            Self::Server(client) => match client.ask(Request::Template { name: name.to_owned() }).await? {
                Answer::Template { text, .. } => Ok(text),
                _ => Err(other_answer()),
            },
        }
    }

    pub(super) async fn version(&mut self, name: &str, version: Version) -> Result<String, Failure> {
        match self {
            Self::Files(library) => Ok(library.version(name, version)?),
            Self::Server(client) => {
                match client.ask(Request::TemplateVersion { name: name.to_owned(), version }).await? {
                    Answer::TemplateVersion { text, .. } => Ok(text),
                    _ => Err(other_answer()),
                }
            }
        }
    }

    pub(super) async fn history(&mut self, name: &str) -> Result<TemplateHistory, Failure> {
        match self {
            Self::Files(library) => Ok(library.history(name)?),
            Self::Server(client) => match client.ask(Request::TemplateHistory { name: name.to_owned() }).await? {
                Answer::TemplateHistory { history, .. } => Ok(history),
                _ => Err(other_answer()),
            },
        }
    }

    /// Saves a text that was edited from `base`.
    pub(super) async fn save(&mut self, name: &str, text: &str, base: Option<String>) -> Result<(), Failure> {
        match self {
            Self::Files(library) => Ok(library.save_as(Some(&ourselves()), name, text, base.as_deref())?),
            Self::Server(client) => {
                client.ask(Request::SaveTemplate { name: name.to_owned(), text: text.to_owned(), base }).await?;
                Ok(())
            }
        }
    }

    pub(super) async fn restore(&mut self, name: &str, version: Version, base: String) -> Result<(), Failure> {
        match self {
            Self::Files(library) => Ok(library.restore(Some(&ourselves()), name, version, &base).map(drop)?),
            Self::Server(client) => {
                client.ask(Request::RestoreTemplate { name: name.to_owned(), version, base }).await?;
                Ok(())
            }
        }
    }
}

/// Who saves, where the files are written here.
fn ourselves() -> Shown {
    Shown::line(&Caller::ourselves().login.to_string())
}
