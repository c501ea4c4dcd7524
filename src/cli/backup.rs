//! `dogwatch backup FILE`: a copy of the store, read beside a running server.

use std::path::PathBuf;

use super::{Exit, Failure, Outcome, Places, output};
use crate::{
    core::words,
    store::{BackupError, Reader},
};

/// To restore it: end dogwatch, move `dogwatch.db`, `dogwatch.db-wal` and `dogwatch.db-shm` of the state directory
/// aside, copy FILE to `dogwatch.db`, and start dogwatch.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The copy; a file that is not there yet.
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

pub(super) async fn run(places: &Places, args: &Args) -> Outcome {
    let reader = Reader::open(&places.own_store("a copy is made").await?)?;
    let made = reader.backup(&args.to).map_err(|error| match error {
        BackupError::Exists(_) => Failure::new(Exit::Usage, error),
        BackupError::Target { .. } | BackupError::Store(_) | BackupError::NotWhole(_) => {
            Failure::new(Exit::Failed, error)
        }
    })?;
    let deliveries = words::count(usize::try_from(made.deliveries).unwrap_or(usize::MAX), "delivery", "deliveries");
    output::line(&format!("{}: {deliveries}, {} bytes, checked", args.to.display(), made.bytes));
    let waiting = usize::try_from(reader.unentered()?).unwrap_or(usize::MAX);
    if waiting > 0 {
        let waiting = words::count(waiting, "delivery is", "deliveries are");
        output::complain(&format!(
            "{waiting} not in the copy: taken, and not in the log yet. They are in the intake files of the state directory"
        ));
    }
    Ok(Exit::Done)
}
