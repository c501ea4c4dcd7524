//! What the console and its render worker say to each other: a length in four bytes, then JSON.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{Limits, render::Job};
use crate::core::template::Fault;

/// No frame is longer, in bytes: the longest output with each of its bytes escaped, and room to spare.
const LONGEST: u32 = 16 * 1024 * 1024;

/// To the worker. The first is always [`Ask::Start`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    Start { limits: Limits, zone: String },
    Render(Box<Job>),
}

/// From the worker, one for each ask.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// The limits are in force.
    Ready,
    Rendered {
        output: String,
        /// Whether the output is JSON.
        json: Result<(), Fault>,
        /// What the template logged.
        log: Vec<String>,
    },
    Broken(Fault),
}

/// `message` as a frame.
pub(super) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("too much to send"))?;
    if let Some(head) = frame.first_chunk_mut() {
        *head = length.to_be_bytes();
    }
    Ok(frame)
}

fn length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(head);
    if length > LONGEST {
        return Err(io::Error::other("a frame that is too long"));
    }
    usize::try_from(length).map_err(io::Error::other)
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(io::Error::other)
}

pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}

/// The next frame; an error at the end of the input too.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let mut body = vec![0; length(head)?];
    from.read_exact(&mut body)?;
    decode(&body)
}

pub(super) async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let mut body = vec![0; length(head)?];
    from.read_exact(&mut body).await?;
    decode(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_and_a_wild_length_is_refused() {
        let ask = Ask::Render(Box::new(Job::new("{{a}}", &serde_json::json!({"a": "é"}))));
        let frame = encode(&ask).expect("frame");

        let Ask::Render(job) = read(&mut frame.as_slice()).expect("ask") else { panic!("another ask") };
        assert_eq!((job.text.as_str(), job.context.as_str()), ("{{a}}", r#"{"a":"é"}"#));
        assert!(read::<Ask>(&mut &frame[..frame.len() - 1]).is_err());
        assert!(read::<Ask>(&mut [0xff; 8].as_slice()).is_err());
        assert!(read::<Ask>(&mut [].as_slice()).is_err());
    }
}
