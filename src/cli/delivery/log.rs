//! The log that commands act on: of the server that was named or is shared, which is asked, or one's own, which is read
//! from its store.

use super::{Query, list};
use crate::{
    cli::{Exit, Failure, Places, client::Client, output},
    core::{
        delivery::{DeliverySummary, DeliveryView},
        id::{DeliveryId, EventId},
    },
    proto::{Answer, Request},
    server::{self, desk},
    store::Reader,
};

/// What `delivery list --format ids` lists where nothing is asked for.
const GENUINE: &str = "verdict:accepted,undecodable";

pub(super) enum Log {
    Server(Box<Client>),
    Store(Reader),
}

fn other_answer() -> Failure {
    Failure::new(Exit::Failed, "an answer to another question")
}

impl Log {
    pub(super) async fn open(places: &Places) -> Result<Self, Failure> {
        Ok(match places.server_before_own().await? {
            Some(stream) => Self::Server(Box::new(Client::attach(stream).await?)),
            None => Self::Store(super::read(&places.state_dir()?)?),
        })
    }

    /// Up to `limit` that the query finds, newest first, from anywhere in the log.
    pub(super) async fn newest(&mut self, query: &Query, limit: u32) -> Result<Vec<DeliverySummary>, Failure> {
        match self {
            Self::Store(reader) => Ok(list::newest(reader, &query.search(reader)?, limit)?),
            Self::Server(client) => asked(client, &query.fixed()?, limit, Some).await,
        }
    }

    /// Says what would stand among these lines, or before them, and is not kept any more. A server says that with its
    /// answer.
    pub(super) fn tell_fallen(&self, query: &Query, found: &[DeliverySummary], limit: u32) -> Result<(), Failure> {
        match self {
            Self::Store(reader) => Ok(list::tell_fallen(reader, &query.search(reader)?, found, limit)?),
            Self::Server(_) => Ok(()),
        }
    }

    /// The events of all that the query finds, newest first.
    pub(super) async fn event_ids(&mut self, query: &Query) -> Result<Vec<EventId>, Failure> {
        let event = |line: DeliverySummary| line.event_id;
        match self {
            Self::Store(reader) => Ok(list::all(reader, &query.search(reader)?, event)?),
            Self::Server(client) => {
                let text = query.fixed()?;
                asked(client, if text.is_empty() { GENUINE } else { &text }, u32::MAX, event).await
            }
        }
    }

    /// See [`Query::unknown_number`].
    pub(super) fn unknown_number(&self, query: &Query) -> Result<Option<u64>, Failure> {
        match self {
            Self::Store(reader) => query.unknown_number(|| super::numbers_in(reader)),
            Self::Server(client) => query.unknown_number(|| Ok(super::numbers(client.board.incidents.values()))),
        }
    }

    /// Why the log does not begin earlier, in words.
    pub(super) async fn let_go(&mut self) -> Result<Option<String>, Failure> {
        match self {
            Self::Store(reader) => Ok(reader.beginning()?.let_go()),
            Self::Server(client) => match client.ask(Request::Deliveries { before: DeliveryId(0), limit: 1 }).await? {
                Answer::Deliveries { let_go, .. } => Ok(let_go.map(|words| words.to_string())),
                _ => Err(other_answer()),
            },
        }
    }

    pub(super) async fn view(&mut self, id: DeliveryId) -> Result<DeliveryView, Failure> {
        match self {
            Self::Store(reader) => Ok(desk::view(super::stored(reader, id)?)),
            Self::Server(client) => match client.ask(Request::Delivery { id }).await? {
                Answer::Delivery { delivery } => Ok(*delivery),
                _ => Err(other_answer()),
            },
        }
    }

    /// The body as it came, and why some of it is missing, if it is.
    pub(super) async fn body(&mut self, id: DeliveryId) -> Result<(Vec<u8>, Option<String>), Failure> {
        if let Self::Store(reader) = self {
            let stored = super::stored(reader, id)?;
            let missing = server::log::all_bytes(&stored).err().map(|reason| reason.to_string());
            return Ok((stored.body, missing));
        }
        let view = self.view(id).await?;
        let (told, size) = (view.raw.0.len(), view.summary.size);
        let missing = u64::try_from(told).is_ok_and(|told| told < size).then(|| {
            format!("the server tells only the first {told} of its {size} bytes; what is kept is in its store")
        });
        Ok((view.raw.0, missing))
    }
}

/// What `pick` takes of up to `limit` that the server finds, newest first.
async fn asked<T>(
    client: &mut Client,
    query: &str,
    limit: u32,
    pick: impl Fn(DeliverySummary) -> Option<T>,
) -> Result<Vec<T>, Failure> {
    let (mut picked, mut before, mut left) = (vec![], None, limit);
    while left > 0 {
        let request = Request::SearchDeliveries { query: query.to_owned(), before, limit: left.min(list::PAGE) };
        let Answer::Found { deliveries, next, let_go } = client.ask(request).await? else { return Err(other_answer()) };
        if let Some(let_go) = let_go {
            output::complain(let_go.as_str());
        }
        left = left.saturating_sub(u32::try_from(deliveries.len()).unwrap_or(u32::MAX));
        picked.extend(deliveries.into_iter().filter_map(&pick));
        before = next;
        if before.is_none() {
            break;
        }
    }
    Ok(picked)
}
