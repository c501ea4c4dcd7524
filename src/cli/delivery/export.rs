//! Deliveries for elsewhere: lines of JSON, or a curl command.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;

use super::{Query, list, sign};
use crate::{
    cli::{Exit, Failure, Outcome, Places, output},
    core::{
        curl,
        delivery::{DeliverySummary, Format, Timings},
        id::DeliveryId,
    },
    receiver::Showing,
    server::log,
    store::{Reader, Search, StoredDelivery},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A query, or the number of one delivery.
    #[command(flatten)]
    query: Query,
    /// A curl command that sends the delivery again, byte for byte.
    #[arg(long)]
    curl: bool,
    /// Sign it anew, with the first secret of its account.
    #[arg(long, requires = "curl")]
    sign: bool,
}

/// A delivery as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    summary: &'a DeliverySummary,
    peer: &'a str,
    headers: &'a [(String, String)],
    timings: &'a Timings,
    /// Whether some of the body is not kept.
    cut: bool,
    #[serde(flatten)]
    body: Body<'a>,
    /// The first of what a target answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Cow<'a, str>>,
    /// What made the body that went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Text { body: &'a str },
    Bytes { body_base64: String },
}

pub(super) async fn run(places: &Places, reader: &Reader, args: Args) -> Outcome {
    let one = args.query.text().trim().parse().ok().map(DeliveryId);
    match one {
        Some(id) if args.curl => {
            let command = command(places, &super::stored(reader, id)?, args.sign).await?;
            output::line(command.trim_end());
        }
        _ if args.curl => {
            return Err(Failure::new(Exit::Usage, "a curl command is made of one delivery: give its number"));
        }
        Some(id) => output::line(&output::json_line(&line(&super::stored(reader, id)?))?),
        None => {
            let number = args.query.unknown_number(|| super::numbers_in(reader))?;
            let written = export(reader, &args.query.search(reader)?)?;
            return Ok(super::unless_unknown(number, written));
        }
    }
    Ok(Exit::Done)
}

/// Writes as it reads, oldest first: the log may be longer than memory. Returns how many.
fn export(reader: &Reader, search: &Search) -> Result<usize, Failure> {
    let mut out = Writing { reader, out: output::Lines::new(), written: 0 };
    if *search == Search::default() {
        let mut ids = reader.following(DeliveryId(0), list::PAGE)?;
        while let Some(last) = ids.last().copied()
            && out.write(&ids)?
        {
            ids = reader.following(last, list::PAGE)?;
        }
    } else {
        let mut found = list::all(reader, search, |line| Some(line.id))?;
        found.reverse();
        out.write(&found)?;
    }
    out.out.flush();
    Ok(out.written)
}

struct Writing<'r> {
    reader: &'r Reader,
    out: output::Lines,
    written: usize,
}

impl Writing<'_> {
    /// `false`: nobody reads on.
    fn write(&mut self, ids: &[DeliveryId]) -> Result<bool, Failure> {
        for id in ids {
            // One that was pruned since is no more.
            let Some(stored) = self.reader.delivery(*id)? else { continue };
            self.written += 1;
            if !self.out.add(&output::json_line(&line(&stored))?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn line(stored: &StoredDelivery) -> Line<'_> {
    let body = match std::str::from_utf8(&stored.body) {
        Ok(body) => Body::Text { body },
        Err(_) => Body::Bytes { body_base64: BASE64_STANDARD.encode(&stored.body) },
    };
    Line {
        summary: &stored.summary,
        peer: &stored.peer,
        headers: &stored.headers,
        timings: &stored.timings,
        cut: log::all_bytes(stored).is_err(),
        body,
        response: stored.summary.target.is_some().then(|| String::from_utf8_lossy(&stored.response)),
        format: stored.format,
    }
}

async fn command(places: &Places, stored: &StoredDelivery, sign: bool) -> Result<String, Failure> {
    let failed = |reason: &dyn std::fmt::Display| {
        Failure::new(Exit::Failed, format!("delivery {}: {reason}", stored.summary.id))
    };
    let body = log::all_bytes(stored).map_err(|reason| failed(&reason))?;
    let fresh = if sign { sign::headers(places, stored, body, None, Showing::Withheld).await? } else { vec![] };
    // What is in the store can be had whatever the configuration says.
    let door = places.settings().ok().map(|settings| settings.receiver.listen.to_string());
    Ok(curl::command(door.as_deref(), &stored.summary, &stored.headers, body, &fresh))
}
