//! Single values: what each may be, and the sentence for when it is not.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::ProviderKind;
use crate::core::id::AccountName;

const POLL_SHORTEST: Duration = Duration::from_secs(5);
const POLL_LONGEST: Duration = Duration::from_hours(1);
/// When `poll` is not set.
pub(super) const POLL_USUAL: Duration = Duration::from_secs(30);

/// An address of this machine, with a port.
pub(super) fn listen(key: &str, text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{key}` must be address and port, as in \"127.0.0.1:8484\""))
}

/// An account's name: it stands in the webhook's path, so only what needs no escaping there.
pub(super) fn account_name(text: &str) -> Result<AccountName, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if text.len() > 64 || !starts || !text.bytes().all(plain) {
        return Err("an account's name is 1 to 64 letters, digits, `-`, `_` or `.`, the first a letter or digit".into());
    }
    AccountName::new(text).map_err(|e| e.to_string())
}

pub(super) fn provider(text: &str) -> Result<ProviderKind, String> {
    match text {
        "pagerduty" => Ok(ProviderKind::PagerDuty),
        other if other.eq_ignore_ascii_case("pagerduty") => Err("write the provider as \"pagerduty\"".into()),
        other => Err(format!("provider \"{}\" is not supported; supported: \"pagerduty\"", other.escape_debug())),
    }
}

/// Where `PagerDuty`'s REST API is, by service region.
pub(super) fn region(text: &str) -> Result<String, String> {
    match text {
        "us" => Ok("https://api.pagerduty.com".to_owned()),
        "eu" => Ok("https://api.eu.pagerduty.com".to_owned()),
        other => Err(format!("region \"{}\" is not known; \"us\" or \"eu\"", other.escape_debug())),
    }
}

/// Where `PagerDuty`'s Events API is, by service region.
pub(super) fn events_region(text: &str) -> Result<String, String> {
    match text {
        "us" => Ok("https://events.pagerduty.com".to_owned()),
        "eu" => Ok("https://events.eu.pagerduty.com".to_owned()),
        other => Err(format!("region \"{}\" is not known; \"us\" or \"eu\"", other.escape_debug())),
    }
}

/// What an integration is called on the command line.
pub(super) fn integration_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic();
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        return Err("an integration's name is 1 to 64 visible characters without spaces".into());
    }
    Ok(text.to_owned())
}

/// An own address. The token goes there, so it must be https unless it stays on this machine.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|cause| format!("`base_url` is no web address: {cause}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`base_url` must not hold a user or password: the token goes into `token`".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("`base_url` must end after the path: no `?` or `#`".into());
    }
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" if !host.is_empty() => {}
        "http" if is_loopback(host) => {}
        "http" => return Err("`base_url` must be https: plain http would send the token readable (allowed to 127.0.0.1, [::1] and localhost)".into()),
        other => return Err(format!("`base_url` must be https, not {other}")),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// What senders reach this machine by, before `/hooks/…`.
pub fn public_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|cause| format!("`public_url` is no web address: {cause}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`public_url` must not hold a user or password".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("`public_url` must end after the path: no `?` or `#`".into());
    }
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("`public_url` must be https (or http), not {}", url.scheme()));
    }
    if url.path().split('/').any(|part| part == "hooks") {
        return Err("`public_url` must end before /hooks: account and key are added to it".into());
    }
    // As typed: some senders sign it.
    Ok(text.trim_end_matches('/').to_owned())
}

/// The name of a header, in lower case.
pub(super) fn header(text: &str) -> Result<String, String> {
    let name = reqwest::header::HeaderName::try_from(text);
    name.map(|name| name.as_str().to_owned()).map_err(|_| "a header's name is letters, digits and `-`".to_owned())
}

/// What stands before a signature or a secret in its header.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let fits = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    fits.then(|| text.to_owned()).ok_or_else(|| "`prefix` must be visible ASCII".to_owned())
}

/// The user of Basic.
pub(super) fn user(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && !text.contains(':') && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned()).ok_or_else(|| "`user` must not be empty and must not hold `:`".to_owned())
}

/// How far a signed time may lie from ours.
pub(super) fn tolerance(text: &str) -> Result<Duration, String> {
    let fits = |length: &Duration| (Duration::from_secs(1)..=Duration::from_hours(1)).contains(length);
    let wrong = "`tolerance` must be a length of time from \"1s\" to \"1h\", as in \"5m\"";
    duration(text).filter(fits).ok_or_else(|| wrong.to_owned())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The address for the `From` header.
pub(super) fn from(text: &str) -> Result<String, String> {
    address("from", text)
}

/// An e-mail address: visible ASCII with one `@` between two parts.
pub(super) fn address(key: &str, text: &str) -> Result<String, String> {
    let parts = text.split_once('@').filter(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.')
    });
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"<>,;\"()".contains(&b));
    if parts.is_none() || !plain || text.len() > 254 {
        return Err(format!("`{key}` must be an e-mail address, as in \"alice@example.com\""));
    }
    Ok(text.to_owned())
}

/// A length of time such as `30s`, `2m`, `1h`, `1m30s`.
pub(super) fn poll(text: &str) -> Result<Duration, String> {
    let length = duration(text).ok_or("`poll` must be a length of time, as in \"30s\" or \"2m\"")?;
    if !(POLL_SHORTEST..=POLL_LONGEST).contains(&length) {
        return Err("`poll` must be from \"5s\" to \"1h\"".into());
    }
    Ok(length)
}

const UNDO_LONGEST: Duration = Duration::from_mins(1);

/// How long an action waits, such as `5s`; `0s` sends at once.
pub(super) fn undo_window(text: &str) -> Result<Duration, String> {
    let length = duration(text).ok_or("`undo_window` must be a length of time, as in \"5s\"")?;
    if length > UNDO_LONGEST {
        return Err("`undo_window` must be from \"0s\" to \"1m\"".into());
    }
    Ok(length)
}

const KEEP_SHORTEST: Duration = Duration::from_hours(24);
const KEEP_LONGEST: Duration = Duration::from_hours(3660 * 24);
/// With fewer a single night would not fit.
pub(super) const FEWEST_DELIVERIES: u64 = 1_000;
const SMALLEST_SIZE: u64 = 64 * 1024 * 1024;

/// How long deliveries are kept, such as `90d`.
pub(super) fn keep(text: &str) -> Result<Duration, String> {
    let length = duration(text).ok_or("`keep` must be a length of time, as in \"90d\"")?;
    if !(KEEP_SHORTEST..=KEEP_LONGEST).contains(&length) {
        return Err("`keep` must be from \"1d\" to \"3660d\"".into());
    }
    Ok(length)
}

/// How large the store may be, such as `2GiB`.
pub(super) fn keep_size(text: &str) -> Result<u64, String> {
    let size = size(text).ok_or("`keep_size` must be a size, as in \"500MiB\" or \"2GiB\"")?;
    if size < SMALLEST_SIZE {
        return Err("`keep_size` must be at least \"64MiB\"".into());
    }
    Ok(size)
}

/// A number of MiB, GiB or TiB.
fn size(text: &str) -> Option<u64> {
    let units = [("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let (digits, shift) =
        units.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), shift)))?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // As many bytes as SQLite can count.
    digits.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|size| i64::try_from(*size).is_ok())
}

/// A length of time, such as `1h30m`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (0u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let (seconds, after) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
            .into_iter()
            .find_map(|(unit, seconds)| Some((seconds, tail.strip_prefix(unit)?)))?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_bounded() {
        assert_eq!(poll("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(poll("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(poll("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(undo_window("0s"), Ok(Duration::ZERO));
        assert!(undo_window("61s").is_err() && undo_window("5").is_err());
        for bad in ["", "30", "s", "4s", "61m", "2h", "-5s", "1.5m", "30 s", "99999999999999999999s", "30sm"] {
            assert!(poll(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn how_much_is_kept_is_read_and_bounded() {
        assert_eq!(keep("90d"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(keep("1d12h"), Ok(Duration::from_hours(36)));
        for bad in ["", "90", "23h", "3661d", "1y", "-1d", "99999999999999999999d", "300000000000000000d"] {
            assert!(keep(bad).is_err(), "{bad:?}");
        }
        assert_eq!(keep_size("64MiB"), Ok(64 << 20));
        assert_eq!(keep_size("2 GiB"), Ok(2 << 30));
        for bad in ["", "GiB", "2", "2GB", "63MiB", "-2GiB", "+2GiB", "1.5GiB", "8388608TiB", "99999999999999999999TiB"]
        {
            assert!(keep_size(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_never_goes_out_over_plain_http() {
        for good in ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:1/", "https://pd.example.com/x/"] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        assert_eq!(base_url("http://127.0.0.1:9000/").as_deref(), Ok("http://127.0.0.1:9000"));
        for bad in [
            "http://example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "https://user:secret@example.com",
            "https://example.com/?x=1",
            "nothing",
            "",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_public_url_ends_before_the_path_of_the_hooks() {
        assert_eq!(public_url("https://pager.example.com/").as_deref(), Ok("https://pager.example.com"));
        assert_eq!(public_url("http://example.com:8080/behind/").as_deref(), Ok("http://example.com:8080/behind"));
        for bad in [
            "https://example.com/hooks/prod/4b1d",
            "https://u:p@example.com",
            "https://example.com/?a",
            "ftp://example.com",
            "example.com",
        ] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_an_e_mail_address_can_act() {
        assert!(from("alice@example.com").is_ok());
        for bad in ["alice", "alice@", "@example.com", "a b@example.com", "a@b@c", "a@b\r\nX: y", "A <a@b.c>", "é@b.c"]
        {
            assert!(from(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_account_name_fits_into_a_path() {
        assert!(account_name("prod-eu_1.a").is_ok());
        for bad in ["", ".", "..", "a/b", "a b", "é", "-a", &"x".repeat(65)] {
            assert!(account_name(bad).is_err(), "{bad:?}");
        }
    }
}
