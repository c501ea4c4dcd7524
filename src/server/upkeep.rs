//! What the store needs from time to time: its index filled, what is too old pruned, room given back.
//!
//! All of it in slices with pauses between them, so that deliveries always come first.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    config::StoreSettings,
    store::{Keep, Store, StoreError},
};

/// From a delivery until it is indexed: others that come with it go into the same slice.
const GATHER: Duration = Duration::from_millis(500);
/// Between two looks for what is not to be kept any more.
const PRUNE: Duration = Duration::from_mins(10);
/// Before something that failed is tried again.
const AGAIN: Duration = Duration::from_mins(1);
/// A pause lasts so many times as long as the slice before it took, from queue to commit: the busier the writer is,
/// the longer.
const PAUSE: u32 = 2;

/// Looks after the store until `stop`.
pub async fn run(store: Store, settings: StoreSettings, stop: CancellationToken) {
    let keep = Keep { age: settings.keep, deliveries: settings.keep_deliveries, size: settings.keep_size };
    tokio::select! {
        () = stop.cancelled() => {}
        () = indexing(&store) => {}
        () = pruning(&store, keep) => {}
    }
}

async fn indexing(store: &Store) {
    let grown = store.grown();
    loop {
        if let Err(error) = in_slices(|| store.index_some()).await {
            tracing::warn!(%error, "deliveries could not be indexed; searches look at them one by one: {error}");
            sleep(AGAIN).await;
        } else {
            grown.notified().await;
            sleep(GATHER).await;
        }
    }
}

async fn pruning(store: &Store, keep: Keep) {
    loop {
        let done = match in_slices(|| store.prune_some(keep, Timestamp::now())).await {
            Ok(()) => in_slices(|| store.shrink_some()).await,
            failed => failed,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "old deliveries could not be pruned: {error}");
        }
        // What was pruned leaves the index too.
        store.grown().notify_one();
        sleep(PRUNE).await;
    }
}

/// Until there is no more to do.
async fn in_slices<Slice>(mut slice: impl FnMut() -> Slice) -> Result<(), StoreError>
where
    Slice: Future<Output = Result<bool, StoreError>>,
{
    loop {
        let began = Instant::now();
        if !slice().await? {
            return Ok(());
        }
        sleep(began.elapsed() * PAUSE).await;
    }
}
