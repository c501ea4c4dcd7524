//! Queries: any text is read or refused at a place within it; what was read prints as the same query, and with its
//! times fixed it asks for the same.

#![no_main]

use dogwatch::core::query::{self, BadQuery, Clock, delivery};
use jiff::{Timestamp, tz::TimeZone};
use libfuzzer_sys::fuzz_target;

fn is_within(text: &str, bad: &BadQuery) {
    assert!((1..=text.chars().count() + 1).contains(&bad.column), "{bad}");
}

fuzz_target!(|text: &str| {
    let query = match query::parse(text) {
        Ok(query) => query,
        Err(bad) => return is_within(text, &bad),
    };
    assert_eq!(query::parse(&query.to_string()).as_ref(), Ok(&query));
    let clock = Clock { now: Timestamp::UNIX_EPOCH, zone: &TimeZone::UTC };
    let wanted = match delivery::check(&query, clock) {
        Ok(wanted) => wanted,
        Err(bad) => return is_within(text, &bad),
    };
    let fixed = delivery::fixed(&query, clock).expect("it was read").to_string();
    assert_eq!(delivery::read(&fixed, clock), Ok(wanted));
});
