//! `dogwatch`: the console.

use super::{
    Exit, Failure, Places,
    connect::{Connector, Owned, Shared},
    logging,
};
use crate::{
    config::Settings,
    core::{notify::Notify, view::SavedViews},
    run::{self, Memory, Options},
    server::ownership,
    term,
};

pub(super) async fn run(places: &Places) -> Result<i32, Failure> {
    let state_dir = places.state_dir()?;
    let settings = places.settings();
    let shared = places.shared();
    let theirs = shared.dial().await;
    if let (Shared::Only(_), Err(refused)) = (&shared, &theirs) {
        return Err(Failure::new(Exit::Failed, refused));
    }
    if let (Err(failure), Ok(None) | Err(_)) = (&settings, &theirs)
        && !someone_serves(&state_dir).await
    {
        let message = theirs.err().map_or_else(|| failure.message.clone(), |refused| refused.to_string());
        return Err(Failure::new(failure.exit, message));
    }
    let prepared = ownership::prepare(&state_dir).map_err(|e| Failure::new(Exit::Failed, e));
    let memory = match prepared.and_then(|()| Ok(logging::to_file(&state_dir)?)) {
        // Who uses the shared server may have no place of their own, and then keeps no log.
        Err(failure) if !matches!(theirs, Ok(Some(_))) => return Err(failure),
        Err(_) => Memory::none(),
        Ok(()) => Memory::in_directory(state_dir.clone()),
    };
    let look = match &settings {
        // Whoever has settings goes on by them, and is told that it is not the shared server.
        Ok(settings) => Look { warning: theirs.as_ref().err().map(ToString::to_string), ..Look::of(settings) },
        // Who uses the shared server needs no settings, but is told when there are some that cannot be read.
        Err(failure) => {
            let there = places.config_path().is_ok_and(|path| path.exists());
            Look { warning: there.then(|| failure.message.clone()), ..Look::default() }
        }
    };
    let connector = Connector {
        state_dir,
        shared,
        first: theirs.ok().flatten(),
        settings: settings.map_err(|failure| failure.message),
        load: places.load_again(),
        receive: true,
        owned: Owned::default(),
    };
    screen(connector, look, memory).await
}

/// What the settings of whoever looks say of the screen.
#[derive(Default)]
pub(super) struct Look {
    pub(super) views: SavedViews,
    pub(super) notify: Notify,
    pub(super) warning: Option<String>,
    pub(super) secret_variables: Vec<String>,
}

impl Look {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            views: settings.views.clone(),
            notify: settings.notify.clone(),
            warning: None,
            secret_variables: settings.secret_variables(),
        }
    }
}

pub(super) async fn someone_serves(state_dir: &std::path::Path) -> bool {
    matches!(ownership::dial(&ownership::socket_path(state_dir)).await, Ok(Some(_)))
}

/// Runs the screen on what `connector` finds, then stops what it started.
pub(super) async fn screen(connector: Connector, look: Look, memory: Memory) -> Result<i32, Failure> {
    let owned = connector.owned.clone();
    let Look { views, notify, warning, secret_variables } = look;
    let zone = jiff::tz::TimeZone::system();
    let options = Options { zone, colour: term::colour_wanted(), views, notify, memory, warning, secret_variables };
    // All that the screen shows is in there, which is much for a stack.
    let ended = Box::pin(run::screen(connector, options)).await;
    owned.stop().await;
    match ended {
        Ok(exit) => Ok(exit.0.into()),
        Err(error) => {
            let exit = if error.exit_code() == 2 { Exit::Usage } else { Exit::Failed };
            Err(Failure::new(exit, error))
        }
    }
}
