//! A taken delivery as a record of the intake: what was found at the door as one line of JSON, then the body as it came.

use jiff::Timestamp;

use super::{super::NewDelivery, segments::Lost};
use crate::core::{
    delivery::{Timings, Verdict},
    text::Shown,
};

/// What stands before its body. Fails only where JSON does.
pub(super) fn head(new: &NewDelivery) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, new)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Fails with what is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<NewDelivery, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no end of its head")?;
    let (head, body) = bytes.split_at(end);
    let new: NewDelivery = serde_json::from_slice(head).map_err(|error| error.to_string())?;
    Ok(NewDelivery { body: body.get(1..).unwrap_or_default().to_owned(), ..new })
}

/// What is kept of a record that cannot be read, as when a later dogwatch wrote it: all of it, as the body of a delivery
/// of nobody.
pub(super) fn unreadable(record: Vec<u8>, cause: &str) -> NewDelivery {
    of_nobody(record, &format!("taken, but its record in the intake cannot be read: {cause}"))
}

/// What tells in the log of records that are missing, with what stands in their place.
pub(super) fn lost(lost: Lost) -> NewDelivery {
    let reason = lost.words();
    of_nobody(lost.bytes, &reason)
}

fn of_nobody(body: Vec<u8>, reason: &str) -> NewDelivery {
    NewDelivery {
        at: Timestamp::now(),
        account: None,
        proof: None,
        timings: Timings::default(),
        verdict: Verdict::Undecodable,
        reason: Shown::line(reason),
        status: 202,
        decoded: None,
        peer: String::new(),
        headers: vec![],
        body,
    }
}
