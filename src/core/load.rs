//! Who was paged how often, and how often at night.
//!
//! Counted from the provider's notifications: what called a person (push, phone, text message) within one minute is
//! one page; e-mail wakes nobody and does not count. Night is from 22 to 7 o'clock on the person's own clock, where
//! the provider tells their zone, else on the viewer's.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{id::UserId, incident::Named, text::Shown};

/// One call to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub user: Named<UserId>,
    pub at: Timestamp,
    /// The person's zone, as the provider names it.
    pub zone: Option<Shown>,
}

/// What a person carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    pub user: Named<UserId>,
    pub pages: usize,
    pub at_night: usize,
    /// Nights with at least one page.
    pub broken_nights: usize,
    /// Whose clock says what is night.
    pub zone: String,
}

const NIGHT_FROM: i8 = 22;
const NIGHT_TO: i8 = 7;

/// What each person carried, the most at night first.
pub fn shares(pages: &[Page], viewer: &TimeZone) -> Vec<Share> {
    let mut by_person: BTreeMap<&UserId, Vec<&Page>> = BTreeMap::new();
    for page in pages {
        by_person.entry(&page.user.id).or_default().push(page);
    }
    let mut out: Vec<Share> = by_person.into_values().filter_map(|pages| share(&pages, viewer)).collect();
    out.sort_by(|a, b| (b.at_night, b.pages, &a.user.name).cmp(&(a.at_night, a.pages, &b.user.name)));
    out
}

fn share(pages: &[&Page], viewer: &TimeZone) -> Option<Share> {
    let first = pages.first()?;
    let named = first.zone.as_ref().and_then(|name| TimeZone::get(name.as_str()).ok());
    let zone = named.as_ref().unwrap_or(viewer);
    let mut minutes: Vec<i64> = pages.iter().map(|page| page.at.as_second().div_euclid(60)).collect();
    minutes.sort_unstable();
    minutes.dedup();
    let nights: Vec<_> = minutes.iter().filter_map(|minute| night(*minute, zone)).collect();
    let mut different = nights.clone();
    different.dedup();
    Some(Share {
        user: first.user.clone(),
        pages: minutes.len(),
        at_night: nights.len(),
        broken_nights: different.len(),
        zone: zone.iana_name().unwrap_or("local").to_owned(),
    })
}

/// The day on which the night began in which this minute lies, if it lies in one.
fn night(minute: i64, zone: &TimeZone) -> Option<jiff::civil::Date> {
    let there = Timestamp::from_second(minute.checked_mul(60)?).ok()?.to_zoned(zone.clone());
    match there.hour() {
        NIGHT_FROM.. => Some(there.date()),
        ..NIGHT_TO => there.date().yesterday().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str, at: &str, zone: Option<&str>) -> Page {
        let user = Named { id: UserId::new(name).expect("id"), name: name.into() };
        Page { user, at: at.parse().expect("time"), zone: zone.map(Shown::line) }
    }

    #[test]
    fn calls_of_one_minute_are_one_page_and_night_is_by_the_persons_own_clock() {
        let tokyo = Some("Asia/Tokyo");
        let pages = [
            page("ann", "2025-06-10T01:00:05Z", None),
            page("ann", "2025-06-10T01:00:40Z", None),
            page("ann", "2025-06-09T21:30:00Z", None),
            page("ann", "2025-06-10T12:00:00Z", None),
            page("aiko", "2025-06-10T01:00:00Z", tokyo),
            page("aiko", "2025-06-10T14:00:00Z", tokyo),
        ];

        let shares = shares(&pages, &TimeZone::get("Europe/Berlin").expect("zone"));

        let told: Vec<_> =
            shares.iter().map(|s| (s.user.name.as_str(), s.pages, s.at_night, s.broken_nights)).collect();
        assert_eq!(told, [("ann", 3, 2, 1), ("aiko", 2, 1, 1)]);
        assert_eq!(shares[1].zone, "Asia/Tokyo");
    }

    #[test]
    fn a_night_with_a_change_of_clocks_is_one_night() {
        let night = |at: &str| page("ann", at, Some("Europe/Berlin"));
        let pages = [night("2025-10-25T21:00:00Z"), night("2025-10-26T00:30:00Z"), night("2025-10-26T05:30:00Z")];

        let share = &shares(&pages, &TimeZone::UTC)[0];

        assert_eq!((share.at_night, share.broken_nights), (3, 1));
    }
}
