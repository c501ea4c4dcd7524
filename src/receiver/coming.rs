//! A delivery whose body is still coming. Whatever ends it before the body is whole (its time, its sender, the door that
//! needs the room), it leaves a line in the log like any other that is rejected.

use std::{mem, time::Duration};

use axum::{body::Body, http::StatusCode, response::Response};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use super::{
    Receiver, microseconds,
    request::{self, Taken},
    too_slow, unavailable,
};
use crate::{
    core::{
        delivery::{Timings, Verdict},
        id::AccountName,
        text::Shown,
    },
    store::NewDelivery,
};

/// Until when a body has to be whole, and how long after the head that is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub at: Instant,
    pub after: Duration,
}

/// Why a body is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It took longer than this.
    Late(Duration),
    /// Its sender went, or what came is no body.
    Broken,
    /// The connection was closed from here.
    Closed,
}

/// Dropped before the body is whole, it is written down.
pub(super) struct Coming {
    pub receiver: Receiver,
    /// Whose door it is, where the key of the path is right.
    pub account: Option<AccountName>,
    pub peer: String,
    pub headers: Vec<(String, String)>,
    pub started: Instant,
    pub taken: Taken,
    /// Somebody else sees to it now.
    pub over: bool,
}

impl Coming {
    /// Reads the body and keeps the first `keep` bytes.
    pub(super) async fn read(&mut self, body: Body, keep: usize, deadline: Option<Deadline>) -> Result<(), Cut> {
        let reading = request::take(body, keep, &mut self.taken);
        let read = match deadline {
            Some(Deadline { at, after }) => match timeout_at(at, reading).await {
                Ok(read) => read.map_err(|_| Cut::Broken),
                Err(_) => Err(Cut::Late(after)),
            },
            None => reading.await.map_err(|_| Cut::Broken),
        };
        self.over = true;
        // Of one that is too large the rest is read for its sender's sake only.
        if self.taken.is_too_large() { Ok(()) } else { read }
    }

    /// All of it: the body, whose it is, and the headers.
    pub(super) fn came(mut self) -> (Taken, Option<AccountName>, String, Vec<(String, String)>) {
        (mem::take(&mut self.taken), self.account.take(), mem::take(&mut self.peer), mem::take(&mut self.headers))
    }

    /// Writes down that it was cut off, and answers.
    pub(super) async fn reject(mut self, cut: Cut) -> Response {
        let line = self.line(cut);
        self.receiver.0.write_down(line).await;
        match cut {
            Cut::Late(_) => too_slow(),
            Cut::Broken | Cut::Closed => unavailable(&"the body broke off"),
        }
    }

    fn line(&mut self, cut: Cut) -> NewDelivery {
        let part = self.taken.part();
        let reason = match cut {
            Cut::Late(after) => format!("the body was not complete after {} s: {part}", after.as_secs_f32()),
            Cut::Broken => format!("the body broke off: {part}"),
            Cut::Closed => {
                format!("closed before the body was complete, to make room or at the end of dogwatch: {part}")
            }
        };
        NewDelivery {
            at: (self.receiver.0.now)(),
            account: self.account.take(),
            verdict: Verdict::Rejected,
            reason: Shown::line(&reason),
            status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            proof: None,
            timings: Timings { read_us: microseconds(self.started.elapsed()), check_us: 0, commit_us: None },
            decoded: None,
            peer: mem::take(&mut self.peer),
            headers: mem::take(&mut self.headers),
            body: mem::take(&mut self.taken.bytes),
        }
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let runtime = Handle::try_current().ok().filter(|_| !self.over);
        let Some(runtime) = runtime else { return };
        let (line, receiver) = (self.line(Cut::Closed), self.receiver.clone());
        runtime.spawn(async move { receiver.0.write_down(line).await });
    }
}
