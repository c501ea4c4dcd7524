//! Where a provider lives: checked once, so that credentials never travel in the clear.

use std::net::IpAddr;

use reqwest::Url;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("the address {0:?} is not a web address such as https://api.pagerduty.com")]
    NoUrl(String),
    #[error("{0} would send the key unencrypted; http is for this machine (127.0.0.1, ::1, localhost) only, use https")]
    Unencrypted(String),
    #[error("the address of {0} must not hold a user name, a password, a query or a fragment")]
    Excess(String),
}

/// `https` anywhere, or `http` on this machine; an optional path before the provider's own.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl {
    url: Url,
    loopback: bool,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, BadAddress> {
        let nothing = || BadAddress::NoUrl(text.to_owned());
        let url = Url::parse(text.trim()).map_err(|_| nothing())?;
        let host = url.host_str().ok_or_else(nothing)?.to_owned();
        let loopback = is_loopback(&host);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(BadAddress::Unencrypted(host)),
            _ => return Err(nothing()),
        }
        let excess = !url.username().is_empty() || url.password().is_some();
        if excess || url.query().is_some() || url.fragment().is_some() {
            return Err(BadAddress::Excess(host));
        }
        Ok(Self { url, loopback })
    }

    /// Whether it is this machine: then no proxy is asked.
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether the connection is encrypted, so that certificates matter.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Host, and the port where it is not the usual one: what messages call it.
    pub(crate) fn address(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The address of a thing below it. `None` when a segment would climb out of the path.
    pub(crate) fn join(&self, segments: &[&str], query: &[(&str, String)]) -> Option<Url> {
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return None;
        }
        let mut url = self.url.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Some(url)
    }
}

/// Whether a URL's host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unencrypted_is_for_this_machine_only() {
        for good in ["https://api.pagerduty.com", "http://127.0.0.1:9000", "http://[::1]:80/", "http://localhost:1/pd"]
        {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["http://api.pagerduty.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example"]
        {
            assert!(matches!(BaseUrl::parse(bad), Err(BadAddress::Unencrypted(_))), "{bad}");
        }
        for bad in ["", "api.pagerduty.com", "ftp://127.0.0.1", "https://"] {
            assert!(matches!(BaseUrl::parse(bad), Err(BadAddress::NoUrl(_))), "{bad}");
        }
        for bad in ["https://me@api.pagerduty.com", "https://a.example/?x=1", "https://a.example/#x"] {
            assert!(matches!(BaseUrl::parse(bad), Err(BadAddress::Excess(_))), "{bad}");
        }
    }

    #[test]
    fn ids_cannot_leave_their_place_in_the_path() {
        let base = BaseUrl::parse("https://a.example/pd/").expect("base");

        let url = base.join(&["incidents", "P1/../x?y#z"], &[("statuses[]", "a b".to_owned())]).expect("url");

        assert_eq!(url.as_str(), "https://a.example/pd/incidents/P1%2F..%2Fx%3Fy%23z?statuses%5B%5D=a+b");
        assert!(base.join(&["incidents", ".."], &[]).is_none());
    }
}
