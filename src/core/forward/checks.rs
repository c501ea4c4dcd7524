//! What a target's settings may be, and the sentence for when they are not: the same for the configuration file, for
//! what is typed in a console, and for commands. No sentence repeats a value that may be a secret.

use jiff::{Timestamp, tz::TimeZone};

use super::EventType;
use crate::core::{
    id::TargetName,
    query::{self, BadQuery, Clock, incident::Condition, incident::Wanted},
    text::Shown,
};

/// How often a failed attempt can be made again.
pub const MOST_RETRIES: u32 = 10;
/// Headers that can be added.
pub const MOST_HEADERS: usize = 20;
/// Bytes of an address.
pub const LONGEST_ADDRESS: usize = 2048;
/// Bytes of a filter: as many as can be typed.
const LONGEST_FILTER: usize = 256;
/// Bytes of what a header says.
const LONGEST_VALUE: usize = 4096;

/// Headers that belong to the request itself, or that dogwatch sends in any case.
const TAKEN: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "transfer-encoding",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// An address that can be sent to, taken apart as far as that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Scheme, host and port in lower case: all of it that may be shown.
    pub origin: Shown,
    host: String,
    is_https: bool,
    /// Whether there is more than the origin.
    pub has_more: bool,
}

impl Address {
    /// Reads an address; knowing it can be all it takes to send there, so the error does not repeat it.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST_ADDRESS {
            return Err(format!("`url` is longer than {LONGEST_ADDRESS} bytes"));
        }
        let is_https = starts_with(text, "https://");
        let scheme = if is_https { "https://" } else { "http://" };
        if !is_https && !starts_with(text, "http://") {
            return Err("`url` must begin with https:// or http://".to_owned());
        }
        let is_part = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{}|".contains(&b);
        if !text.bytes().all(is_part) {
            return Err("`url` has a character that no address has: escape it, as in %20".to_owned());
        }
        if text.contains('#') {
            return Err("`url` must not hold a `#`: what stands behind it is never sent".to_owned());
        }
        let rest = text.get(scheme.len()..).unwrap_or_default();
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("`url` must not hold a user or password: they go into `user` and `password`".to_owned());
        }
        let host = host_of(authority)?.to_ascii_lowercase();
        let origin = Shown::line(&format!("{scheme}{}", authority.to_ascii_lowercase()));
        let has_more = !matches!(rest.get(authority.len()..), None | Some("" | "/"));
        Ok(Self { origin, host, is_https, has_more })
    }

    /// Whether what is sent can be read on its way.
    pub fn is_readable_on_the_way(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let here = bare == "localhost" || bare == "::1" || bare.starts_with("127.");
        !self.is_https && !here
    }
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// The host of `host:port`.
fn host_of(authority: &str) -> Result<&str, String> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inner, after)) => {
            let inner_is_address =
                !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_hexdigit() || b":.".contains(&b));
            if !inner_is_address {
                return Err("`url`: what stands in the brackets is no IPv6 address".to_owned());
            }
            (
                authority.get(..inner.len() + 2).unwrap_or_default(),
                after.strip_prefix(':').or_else(|| after.is_empty().then_some("80")),
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("80")),
        },
    };
    let named =
        |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b));
    if !named(host) {
        return Err("`url` names no host".to_owned());
    }
    match port.and_then(|port| port.parse::<u16>().ok()) {
        Some(1..) => Ok(host),
        Some(0) | None => Err("`url`: the port must be a number from 1 to 65535".to_owned()),
    }
}

/// A target's name: it stands in queries and on command lines, so only what needs no quotes there.
pub fn name(text: &str) -> Result<TargetName, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if text.len() > 64 || !starts || !text.bytes().all(plain) {
        return Err("a target's name is 1 to 64 letters, digits, `-`, `_` or `.`, the first a letter or digit".into());
    }
    TargetName::new(text).map_err(|bad| bad.to_string())
}

/// The name of an event that is to be sent.
pub fn event(text: &str) -> Result<EventType, String> {
    if text.contains('*') || text.eq_ignore_ascii_case("all") {
        return Err("name each event, as in \"incident.created\": there is no way to say all of them".to_owned());
    }
    EventType::new(text)
        .ok_or_else(|| "an event's name is 1 to 128 visible characters, as in \"incident.created\"".into())
}

/// The user of Basic authentication.
pub fn user(text: &str) -> Result<(), String> {
    let fits = !text.is_empty() && text.len() <= 256 && !text.contains(':') && !text.chars().any(char::is_control);
    fits.then_some(()).ok_or_else(|| "`user` must not be empty and must not hold `:`".to_owned())
}

/// The name of a header that is added.
pub fn header_name(text: &str) -> Result<(), String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(is_token) {
        return Err("a header's name is letters, digits and `-`".to_owned());
    }
    let lower = text.to_ascii_lowercase();
    if TAKEN.contains(&lower.as_str()) {
        return Err(format!("the header {lower} is dogwatch's own and cannot be set"));
    }
    Ok(())
}

/// What a header that is added says.
pub fn header_value(text: &str) -> Result<(), String> {
    let fits = text.len() <= LONGEST_VALUE && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    fits.then_some(()).ok_or_else(|| format!("a header's value is visible ASCII, {LONGEST_VALUE} bytes at most"))
}

/// The name of a template, as the library has them.
pub fn template(text: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    fits.then_some(()).ok_or_else(|| "a template's name is 1 to 64 lower-case letters, digits, `-` and `_`".to_owned())
}

/// Which incidents are meant. Nobody looks when an event is sent, so nothing in it can be about whoever looks; its
/// moments are in UTC.
pub fn filter(text: &str) -> Result<Wanted, BadQuery> {
    if text.trim().is_empty() || text.len() > LONGEST_FILTER || text.contains(char::is_control) {
        return Err(BadQuery::new(1, format!("a filter is 1 to {LONGEST_FILTER} bytes of text on one line")));
    }
    let clock = Clock { now: Timestamp::UNIX_EPOCH, zone: &TimeZone::UTC };
    let terms = query::parse(text)?;
    let wanted = query::incident::check(&terms, clock)?;
    // Both have the same conditions in the same order.
    for (term, conditions) in terms.terms().zip(wanted.terms()) {
        if conditions.iter().any(|one| matches!(one, Condition::Mine | Condition::Marked)) {
            let message = "nobody looks when an event is sent, so there is no `mine`, `me` and `marked`";
            return Err(BadQuery::new(term.column, message));
        }
    }
    Ok(wanted)
}

/// A secret for signatures (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64.
pub fn signing(text: &str) -> Result<(), String> {
    let bytes = text.strip_prefix("whsec_").map(|key| key.trim_end_matches('='));
    let is_base64 = |key: &&str| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b));
    let length = bytes.filter(is_base64).map(|key| key.len() * 3 / 4);
    let fits = length.is_some_and(|length| (24..=64).contains(&length));
    fits.then_some(()).ok_or_else(|| "`secret` must be `whsec_` and 24 to 64 bytes in base64".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_shown_without_what_may_be_secret() {
        for (text, origin, has_more) in [
            ("https://hooks.example.com/T0/B0/xyz", "https://hooks.example.com", true),
            ("HTTPS://Hooks.Example.COM:8443", "https://hooks.example.com:8443", false),
            ("http://127.0.0.1:9000/", "http://127.0.0.1:9000", false),
            ("http://[::1]:9000/x?y=1", "http://[::1]:9000", true),
            ("https://example.com?key=1", "https://example.com", true),
        ] {
            let read = Address::read(text).expect(text);
            assert_eq!((read.origin.as_str(), read.has_more), (origin, has_more), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for bad in [
            "hunter2",
            "ftp://hunter2",
            "https://",
            "https:///hunter2",
            "https://alice:hunter2@example.com/",
            "https://example.com/#hunter2",
            "https://example.com/hunter2 x",
            "https://exämple.com/hunter2",
            "https://example.com:hunter2/",
            "https://example.com:0/hunter2",
            "https://[hunter2]/",
            "https://[::1]hunter2/",
            "https://[::1/hunter2",
        ] {
            let said = Address::read(bad).expect_err(bad);
            assert!(!said.contains("hunter2"), "{bad}: {said}");
        }
        assert!(Address::read(&format!("https://e.com/{}", "x".repeat(LONGEST_ADDRESS))).is_err());
    }

    #[test]
    fn only_plain_http_to_another_machine_can_be_read_on_its_way() {
        let is = |text: &str| Address::read(text).expect(text).is_readable_on_the_way();
        assert!(is("http://chat.internal/x") && is("http://10.0.0.7/"));
        assert!(
            ["https://chat.internal/x", "http://localhost:1/", "http://127.0.0.9/", "http://[::1]/"]
                .iter()
                .all(|t| !is(t))
        );
    }

    #[test]
    fn a_filter_is_a_query_for_incidents_that_nobody_looks_at() {
        assert!(filter("account:prod service:\"Payments API\" urgency:high or team:db !status:resolved").is_ok());

        let said = |text: &str| filter(text).expect_err(text).to_string();
        assert!(said("urgency:loud").starts_with("column 9: urgency: `loud`"), "{}", said("urgency:loud"));
        assert!(said("urgency:high is:mine").starts_with("column 14: nobody looks"));
        assert!(said("assignee:me").starts_with("column 1: nobody looks"));
        assert!(said("!is:marked").contains("nobody looks"));
        assert!(said(" ").starts_with("column 1: a filter is"));
    }

    #[test]
    fn names_and_values_are_bounded() {
        assert!(name("chat").is_ok() && name("a.b-c_9").is_ok());
        assert!(["", "-x", "a b", "é", "a:b", &"x".repeat(65)].iter().all(|bad| name(bad).is_err()));
        assert!(event("incident.created").is_ok() && event("service.custom_field_value.updated").is_ok());
        assert!(["*", "incident.*", "all", "ALL", "", "a b"].iter().all(|bad| event(bad).is_err()));
        assert!(header_name("X-Token").is_ok() && header_name("Authorization").is_ok());
        assert!(["", "X Y", "X:", "é", "Content-Type", "webhook-id"].iter().all(|bad| header_name(bad).is_err()));
        assert!(header_value("Bearer x").is_ok() && header_value("a\r\nb").is_err() && header_value("é").is_err());
        assert!(user("alice").is_ok() && user("a:b").is_err() && user("").is_err());
        assert!(template("slack").is_ok() && template("../x").is_err() && template("").is_err());
        assert!(signing(&format!("whsec_{}", "A".repeat(32))).is_ok());
        assert!(
            ["whsec_", "hunter2", "whsec_äää", &format!("whsec_{}", "A".repeat(90))]
                .iter()
                .all(|bad| signing(bad).is_err())
        );
    }
}
