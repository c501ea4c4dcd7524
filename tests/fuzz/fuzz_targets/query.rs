//! Queries: any text is read or refused at a place within it; what was read prints as the same query and asks for the
//! same, also with its times fixed; completing what is being typed never breaks it.

#![no_main]

use dogwatch::core::{
    board::Board,
    query::{self, BadQuery, Clock, delivery, incident, oncall},
};
use jiff::{Timestamp, tz::TimeZone};
use libfuzzer_sys::fuzz_target;

fn is_within(text: &str, bad: &BadQuery) {
    assert!((1..=text.chars().count() + 1).contains(&bad.column), "{bad}");
}

/// Reads `text` and what it prints as, and says whether that is the same.
fn is_steady<T: PartialEq>(text: &str, printed: &str, read: impl Fn(&str) -> Result<T, BadQuery>) {
    match read(text) {
        Ok(asked) => assert!(read(printed).is_ok_and(|again| again == asked), "{text:?} {printed:?}"),
        Err(bad) => is_within(text, &bad),
    }
}

fuzz_target!(|text: &str| {
    incident::complete(text, incident::FIELDS, |field| incident::vocabulary(&Board::default(), field)).advance();
    let query = match query::parse(text) {
        Ok(query) => query,
        Err(bad) => return is_within(text, &bad),
    };
    assert_eq!(query::parse(&query.to_string()).as_ref(), Ok(&query));
    let clock = Clock { now: Timestamp::UNIX_EPOCH, zone: &TimeZone::UTC };
    let printed = query.to_string();
    is_steady(text, &printed, |text| incident::read(text, clock));
    is_steady(text, &printed, oncall::read);
    let wanted = match delivery::check(&query, clock) {
        Ok(wanted) => wanted,
        Err(bad) => return is_within(text, &bad),
    };
    let fixed = delivery::fixed(&query, clock).expect("it was read").to_string();
    assert_eq!(delivery::read(&fixed, clock), Ok(wanted));
});
