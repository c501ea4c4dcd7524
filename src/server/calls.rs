//! The newest calls to the providers, for the API log. A ring: old ones make room, so it never grows.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{core::call::ApiCall, provider::Heard};

/// Calls that are kept.
const KEPT: usize = 1000;

#[derive(Default)]
struct Ring {
    /// Oldest first.
    calls: VecDeque<ApiCall>,
    last: u64,
}

/// A handle to the one ring of this server.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<Ring>>);

impl Calls {
    /// Where calls are told.
    pub fn ear(&self) -> Heard {
        let calls = self.clone();
        Arc::new(move |call| calls.add(call))
    }

    fn add(&self, call: ApiCall) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.last += 1;
        let call = ApiCall { number: ring.last, ..call };
        ring.calls.push_back(call);
        if ring.calls.len() > KEPT {
            ring.calls.pop_front();
        }
    }

    /// Calls with a number greater than `after`, newest first, at most `limit`.
    pub fn newest(&self, after: u64, limit: usize) -> Vec<ApiCall> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.calls.iter().rev().take_while(|call| call.number > after).take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::call::{End, Purpose},
        server::fake,
    };

    fn call() -> ApiCall {
        ApiCall {
            number: 0,
            at: jiff::Timestamp::UNIX_EPOCH,
            account: fake::account_name(),
            purpose: Purpose::Poll,
            method: "GET".into(),
            path: "/incidents".into(),
            end: End::Status(200),
            took: 7,
            request_id: None,
            left: Some(900),
        }
    }

    #[test]
    fn the_api_log_is_newest_first_bounded_and_told_from_where_one_stopped() {
        let calls = Calls::default();
        let ear = calls.ear();
        for _ in 0..KEPT + 200 {
            ear(call());
        }
        let numbers = |after, limit| calls.newest(after, limit).iter().map(|call| call.number).collect::<Vec<_>>();

        assert_eq!(calls.newest(0, usize::MAX).len(), KEPT);
        assert_eq!(numbers(1197, 10), [1200, 1199, 1198]);
        assert_eq!(numbers(0, 2), [1200, 1199]);
        assert_eq!(numbers(1200, 10), [0; 0]);
    }
}
