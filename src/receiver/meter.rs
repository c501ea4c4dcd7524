//! What is counted at the door. Labels are configured names and our own words, never anything a sender wrote.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::core::{delivery::Verdict, id::AccountName};

/// The account of what came to no door of ours; no account can be called so.
const NOBODY: &str = "-";
/// The verdict on what could not be stored: its sender was asked to try again.
const TURNED_AWAY: &str = "turned away";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    account: String,
    verdict: &'static str,
}

/// Counters of one receiver; a clone counts into the same.
#[derive(Debug, Clone)]
pub struct Meter {
    deliveries: Family<Kind, Counter>,
    commits: Histogram,
}

impl Default for Meter {
    fn default() -> Self {
        // From a quarter of a millisecond to eight seconds: senders give up after five.
        Self { deliveries: Family::default(), commits: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)) }
    }
}

impl Meter {
    /// Lets `registry` show what is counted here.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("deliveries", "Webhook deliveries by account and verdict", self.deliveries.clone());
        let help = "From asking for a delivery's commit to having it";
        registry.register_with_unit("commit", help, Unit::Seconds, self.commits.clone());
    }

    fn count(&self, account: Option<&AccountName>, verdict: &'static str) {
        let account = account.map_or_else(|| NOBODY.to_owned(), ToString::to_string);
        self.deliveries.get_or_create(&Kind { account, verdict }).inc();
    }

    /// A delivery with its verdict; of rejected ones also those of a flood, which are not written down.
    pub(super) fn counted(&self, account: Option<&AccountName>, verdict: Verdict) {
        self.count(account, verdict.word());
    }

    /// How long a sender waited until its delivery was safe.
    pub(super) fn committed(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    pub(super) fn turned_away(&self, account: Option<&AccountName>) {
        self.count(account, TURNED_AWAY);
    }
}
