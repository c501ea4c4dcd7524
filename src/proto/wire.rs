//! The lines themselves, over any byte stream: a Unix socket, or an in-memory pipe within one process.

use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio_util::codec::{Framed, FramedRead, LinesCodec, LinesCodecError};

use super::FromConsole;

/// The longest line: a snapshot of tens of thousands of incidents.
pub const LINE_LIMIT: usize = 64 * 1024 * 1024;
/// The longest request that a server takes, in bytes: a template, or an action on a thousand incidents.
pub const REQUEST_LIMIT: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the connection broke: {0}")]
    Line(#[from] LinesCodecError),
    #[error("a message that does not belong to this protocol: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the other side closed the connection")]
    Closed,
    #[error("too long for a request: {} KiB, where the server takes {} KiB; in parts it goes", .bytes.div_ceil(1024), REQUEST_LIMIT / 1024)]
    TooLong { bytes: usize },
    #[error("a message of {bytes} bytes, and a line takes {LINE_LIMIT}")]
    NoLine { bytes: usize },
}

/// One end of the conversation.
pub type Line<Io> = Framed<Io, LinesCodec>;

pub fn line<Io: AsyncRead + AsyncWrite>(io: Io) -> Line<Io> {
    Framed::new(io, LinesCodec::new_with_max_length(LINE_LIMIT))
}

/// The same for an end that takes no line longer than `limit` bytes.
pub fn line_of_at_most<Io: AsyncRead + AsyncWrite>(limit: usize, io: Io) -> Line<Io> {
    Framed::new(io, LinesCodec::new_with_max_length(limit))
}

/// The half of an end that hears the other side.
pub type Ear<Io> = FramedRead<ReadHalf<Io>, LinesCodec>;
/// The half that speaks to it.
pub type Mouth<Io> = WriteHalf<Io>;

/// An end in two halves, so that one goes on while the other waits.
pub fn halves<Io: AsyncRead + AsyncWrite>(io: Io) -> (Ear<Io>, Mouth<Io>) {
    halves_of_at_most(LINE_LIMIT, io)
}

/// The same for an end that takes no line longer than `limit` bytes.
pub fn halves_of_at_most<Io: AsyncRead + AsyncWrite>(limit: usize, io: Io) -> (Ear<Io>, Mouth<Io>) {
    let (ear, mouth) = tokio::io::split(io);
    (FramedRead::new(ear, LinesCodec::new_with_max_length(limit)), mouth)
}

/// A console's message as it stands on the line, unless it is too long for a server.
pub fn request_text(message: &FromConsole) -> Result<String, WireError> {
    let text = text(message)?;
    if text.len() > REQUEST_LIMIT { Err(WireError::TooLong { bytes: text.len() }) } else { Ok(text) }
}

/// A message as it stands on the line, its end included.
pub fn text(message: &impl Serialize) -> Result<String, WireError> {
    let mut text = serde_json::to_string(message)?;
    text.push('\n');
    Ok(text)
}

/// Sends lines as they are. Not safe to drop half-way.
pub async fn send_text<Io: AsyncWrite + Unpin>(line: &mut Line<Io>, text: &str) -> Result<(), WireError> {
    // Past the codec, whose buffer would keep the size of the largest message for good. It is empty: `send` flushes.
    say_text(line.get_mut(), text).await
}

/// The same with one half.
pub async fn say_text(mouth: &mut (impl AsyncWrite + Unpin), text: &str) -> Result<(), WireError> {
    mouth.write_all(text.as_bytes()).await.map_err(LinesCodecError::Io)?;
    mouth.flush().await.map_err(LinesCodecError::Io)?;
    Ok(())
}

pub async fn send<Io: AsyncWrite + Unpin>(line: &mut Line<Io>, message: &impl Serialize) -> Result<(), WireError> {
    Ok(line.send(serde_json::to_string(message)?).await?)
}

/// The next message. Safe to drop half-way: a part of a line stays in the buffer.
pub async fn receive<Io: AsyncRead + Unpin, M: DeserializeOwned>(line: &mut Line<Io>) -> Result<M, WireError> {
    let text = line.next().await.ok_or(WireError::Closed)??;
    Ok(serde_json::from_str(&text)?)
}

/// The same with one half.
pub async fn hear<Io: AsyncRead, M: DeserializeOwned>(ear: &mut Ear<Io>) -> Result<M, WireError> {
    let text = ear.next().await.ok_or(WireError::Closed)??;
    Ok(serde_json::from_str(&text)?)
}
