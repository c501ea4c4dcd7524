//! Sending what is no event of an incident: a text that somebody wants a target to have, at once.

use std::time::Instant;

use jiff::Timestamp;

use super::{
    Forwarder, Inner, Target,
    attempt::{self, microseconds, peer},
    in_words,
    outcome::Taken,
    send::Letter,
};
use crate::{
    core::{
        board::Change,
        delivery::{DeliverySummary, Timings, Verdict},
        forward::EventType,
        id::TargetName,
        text::Shown,
    },
    store::{About, Attempt, Ended, Then},
};

/// Something to send as it is.
#[derive(Debug, Clone)]
pub struct Post {
    pub kind: EventType,
    /// What the log says it is about.
    pub title: Shown,
    /// JSON.
    pub body: Vec<u8>,
}

impl Forwarder {
    /// Sends a post to a target at once, past its queue, and gives its line of the log. It counts neither for nor against
    /// the target.
    pub async fn post(&self, name: &TargetName, post: Post) -> Result<DeliverySummary, String> {
        let lane = self.lane(name)?;
        if let Some(reason) = lane.broken() {
            return Err(format!("target {name} cannot be sent to: {reason}"));
        }
        let setup = lane.setup();
        let now = (self.0.now)();
        let id = format!("post_{:032x}", fastrand::u128(..));
        let attempt = sent(&self.0, &setup.target, &id, post, now).await;
        let ended = Ended { attempt, then: Then::Nothing, standing: None };
        let told = self.0.store.end(ended).await.map_err(in_words)?;
        (self.0.tell)(Change::Delivery(Box::new(told.clone())));
        Ok(told)
    }
}

async fn sent(inner: &Inner, target: &Target, id: &str, post: Post, now: Timestamp) -> Attempt {
    let Post { kind, title, body } = post;
    let about = About { event: id.to_owned(), kind, incident: None, title };
    let began = Instant::now();
    let (verdict, words, status, response, headers, body) = match Letter::new(target, id, body.clone(), now) {
        Ok(letter) => {
            let outcome = attempt::exchange(inner, target, &letter).await;
            let verdict = if outcome.taken == Taken::Yes { Verdict::Sent } else { Verdict::Failed };
            (verdict, outcome.words, outcome.status, outcome.response, letter.loggable(), letter.body)
        }
        Err(wrong) => (Verdict::Failed, wrong.to_owned(), 0, vec![], vec![], body),
    };
    Attempt {
        at: (inner.now)(),
        target: target.name.clone(),
        about: Some(about),
        verdict,
        reason: Shown::line(&words),
        status,
        peer: peer(target),
        headers,
        body,
        response,
        format: None,
        timings: Timings { commit_us: Some(microseconds(began)), ..Timings::default() },
    }
}
