//! What a state directory holds of the world, without a server: for whoever may not start one.

use std::path::Path;

use super::{first_look, snapshot};
use crate::{
    config::AccountSettings,
    core::board::{AccountBoard, Board},
    store::{Reader, StoreError},
};

/// The incidents and who is on call, as the last server of `dir` left them. It is as old as it says.
pub fn kept(dir: &Path, accounts: &[AccountSettings]) -> Result<Board, StoreError> {
    let reader = Reader::open(dir)?;
    let mut board = Board::default();
    for settings in accounts {
        let mut known = AccountBoard::of(first_look(settings));
        snapshot::restore(&reader, &mut known)?;
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
