//! `dogwatch`: the console.

use super::{
    Exit, Failure, Places,
    connect::{Connector, Owned},
    logging,
};
use crate::{
    run::{self, Options},
    server::ownership,
    term,
};

pub(super) async fn run(places: &Places) -> Result<i32, Failure> {
    let state_dir = places.state_dir()?;
    let settings = places.settings();
    let named = places.state_dir.is_some();
    if let Err(failure) = &settings
        && !someone_serves(&state_dir, named).await
    {
        return Err(Failure::new(failure.exit, &failure.message));
    }
    ownership::prepare(&state_dir).map_err(|e| Failure::new(Exit::Failed, e))?;
    logging::to_file(&state_dir)?;
    let connector = Connector {
        state_dir,
        named,
        settings: settings.map_err(|failure| failure.message),
        load: places.load_again(),
        receive: true,
        owned: Owned::default(),
    };
    screen(connector).await
}

pub(super) async fn someone_serves(state_dir: &std::path::Path, named: bool) -> bool {
    let own = ownership::dial(&ownership::socket_path(state_dir)).await;
    let shared = if named { Ok(None) } else { ownership::dial(ownership::SHARED_SOCKET.as_ref()).await };
    matches!(own, Ok(Some(_))) || matches!(shared, Ok(Some(_)))
}

/// Runs the screen on what `connector` finds, then stops what it started.
pub(super) async fn screen(connector: Connector) -> Result<i32, Failure> {
    let owned = connector.owned.clone();
    let options = Options { zone: jiff::tz::TimeZone::system(), colour: term::colour_wanted() };
    let ended = run::screen(connector, options).await;
    owned.stop().await;
    match ended {
        Ok(exit) => Ok(exit.0.into()),
        Err(error) => {
            let exit = if error.exit_code() == 2 { Exit::Usage } else { Exit::Failed };
            Err(Failure::new(exit, error))
        }
    }
}
