//! What a template sees of a delivery: exactly what it would see if the delivery's event were sent.

use serde_json::Value;

use crate::core::{
    board::Board,
    delivery::Decode,
    forward::{Event, payload},
    id::{AccountName, DeliveryId},
};

/// A delivery as `PagerDuty` sends it, with made-up names: what is previewed when there is no real one.
pub const SAMPLE_BODY: &str = include_str!("../../assets/samples/incident.triggered.json");

/// A delivery to show a template on.
#[derive(Debug, Clone, Copy)]
pub struct Delivered<'d> {
    pub account: &'d AccountName,
    /// `None`: it is not in the log.
    pub id: Option<DeliveryId>,
    pub body: &'d [u8],
}

/// What a template sees on a delivery, see [`payload::FIELDS`]: `event`, `incident` (null where the delivery names none
/// that is known), its other name `alert`, and `raw`, the delivery itself, or its text when it is not JSON.
pub fn context(delivered: &Delivered<'_>, decode: &dyn Decode, board: &Board) -> Value {
    let Delivered { account, id, body } = *delivered;
    let raw =
        serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
    let decoded = decode.decode(account, body).ok();
    match decoded.as_ref().and_then(|decoded| Event::told_by(decoded, id, board)) {
        Some(event) => event.context(&raw),
        None => payload::bare_context(account, decoded.as_ref(), &raw, board),
    }
}

/// [`context`] of [`SAMPLE_BODY`].
pub fn sample_context(account: &AccountName, decode: &dyn Decode, board: &Board) -> Value {
    context(&Delivered { account, id: None, body: SAMPLE_BODY.as_bytes() }, decode, board)
}
