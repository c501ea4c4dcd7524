//! The lines between server and console, read at either end: any bytes are a message or an error; a message that is
//! sent on says the same, and changes a board.

#![no_main]

use std::{fmt::Debug, io::Cursor};

use dogwatch::{
    core::board::Board,
    proto::{FromConsole, FromServer, wire},
};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

/// As the server takes from a console.
const LIMIT: usize = 1024 * 1024;

fn received<M: DeserializeOwned>(bytes: &[u8]) -> Vec<M> {
    let mut line = wire::line_of_at_most(LIMIT, Cursor::new(bytes.to_vec()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    runtime.block_on(async {
        let mut messages = vec![];
        while let Ok(message) = wire::receive(&mut line).await {
            messages.push(message);
        }
        messages
    })
}

fn sent_on<M: Serialize + DeserializeOwned + PartialEq + Debug>(messages: &[M]) {
    for message in messages {
        let text = wire::text(message).expect("JSON");
        assert_eq!(text.matches('\n').count(), 1, "one line");
        assert_eq!(received::<M>(text.as_bytes()).as_slice(), std::slice::from_ref(message));
    }
}

fuzz_target!(|bytes: &[u8]| {
    sent_on(&received::<FromConsole>(bytes));
    let messages = received::<FromServer>(bytes);
    sent_on(&messages);
    let mut board = Board::default();
    for message in messages {
        match message {
            FromServer::Snapshot { board: whole } => board = *whole,
            FromServer::Changed { change } => board.apply(&change),
            FromServer::Hello { .. }
            | FromServer::Refused { .. }
            | FromServer::Answer { .. }
            | FromServer::Access { .. }
            | FromServer::UpToDate
            | FromServer::Heartbeat => {}
        }
    }
});
