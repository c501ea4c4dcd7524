//! What a state directory holds of the world, without a server: for whoever may not start one.

use std::path::Path;

use jiff::Timestamp;

use super::{first_look, snapshot, targets};
use crate::{
    config::Settings,
    core::board::{AccountBoard, Board},
    store::{Reader, StoreError},
};

/// The incidents, who is on call, and how targets stand, as the last server of `dir` left them. It is as old as it says.
pub fn kept(dir: &Path, settings: &Settings) -> Result<Board, StoreError> {
    let reader = Reader::open(dir)?;
    let mut board = Board { unshown: reader.unentered()?, ..Board::default() };
    let targets = targets::kept(dir, settings.targets.clone(), Some(&reader))?.all;
    board.targets = targets.into_iter().map(|one| one.summary).collect();
    for settings in &settings.accounts {
        let mut known = AccountBoard::of(first_look(settings));
        snapshot::restore(&reader, &mut known, Timestamp::now())?;
        known.account.identity = snapshot::identity(&reader, &known.account.name)?;
        board.accounts.insert(known.account.name.clone(), known);
    }
    for incident in reader.incidents()? {
        if board.accounts.contains_key(&incident.key.account) {
            board.incidents.insert(incident.key.clone(), incident);
        }
    }
    Ok(board)
}
