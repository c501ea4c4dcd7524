//! Where a request comes from: its client's address, and whether that may knock at all.
//!
//! What a request says of its own way is believed from the right, only as far as trusted proxies have written it:
//! whatever a client puts there itself stands further left.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};

use axum::http::{HeaderMap, header};
use ipnet::IpNet;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
/// More proxies than this in a row are a lie or a loop.
const HOPS: usize = 32;

/// The networks of the receiver, which may be replaced while it runs; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Networks(Arc<RwLock<Arc<Known>>>);

#[derive(Debug, Default)]
pub(super) struct Known {
    allow: Option<Vec<IpNet>>,
    proxies: Vec<IpNet>,
}

impl Networks {
    /// `allow`: who may deliver where an account names nobody itself; `None` is everybody. `proxies`: whose word on
    /// where a request comes from is taken.
    pub fn new(allow: Option<Vec<IpNet>>, proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(Known { allow, proxies }))))
    }

    /// Takes other networks from the next request on, for every clone.
    pub fn set(&self, allow: Option<Vec<IpNet>>, proxies: Vec<IpNet>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Known { allow, proxies });
    }

    /// Whether many may come from this address because it stands for them.
    pub(super) fn is_proxy(&self, address: IpAddr) -> bool {
        holds(&self.now().proxies, address)
    }

    pub(super) fn now(&self) -> Arc<Known> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    /// Whether `client` may deliver; `own` is the list of the account, which stands in place of the general one.
    pub(super) fn allows(&self, own: Option<&[IpNet]>, client: &Client) -> bool {
        let Some(list) = own.or(self.allow.as_deref()) else { return true };
        client.address.is_some_and(|address| holds(list, address))
    }

    /// Who sent a request that came over a connection from `peer`.
    pub(super) fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Client {
        let Some(peer) = peer else { return Client::default() };
        let told = [by_x_forwarded_for(headers), by_forwarded(headers)];
        let mut ways = told.into_iter().flatten().map(|hops| self.walk(peer, &hops));
        match (ways.next(), ways.next()) {
            (None, _) => self.walk(peer, &[]),
            (Some(way), None) => way,
            // Proxies write the one or the other: what differs may be of the client's own making.
            (Some(one), Some(other)) if one.address == other.address => one,
            (Some(one), Some(_)) => Client { address: None, ..one },
        }
    }

    /// From the connection leftwards through what trusted proxies wrote.
    fn walk(&self, peer: SocketAddr, hops: &[Option<IpAddr>]) -> Client {
        let mut client = Client { address: Some(peer.ip().to_canonical()), via: vec![], peer: Some(peer) };
        for hop in hops.iter().rev() {
            match client.address {
                Some(address) if holds(&self.proxies, address) => client.via.push(address),
                _ => return client,
            }
            client.address = if client.via.len() > HOPS { None } else { *hop };
        }
        client
    }
}

/// Who sent a request, and through whom it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Client {
    /// `None`: not known, for example because a proxy did not say it.
    pub address: Option<IpAddr>,
    /// The trusted proxies, the nearest to us first.
    via: Vec<IpAddr>,
    peer: Option<SocketAddr>,
}

impl Client {
    /// For the log.
    pub(super) fn words(&self) -> String {
        let peer = self.peer.map(|peer| peer.to_string()).unwrap_or_default();
        if self.via.is_empty() {
            return peer;
        }
        let farther = self.via.iter().skip(1).rev().map(IpAddr::to_string);
        let through: Vec<String> = farther.chain([peer]).collect();
        format!("{} through {}", self.name(), through.join(", "))
    }

    /// Its address alone.
    pub(super) fn name(&self) -> String {
        self.address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string())
    }
}

fn holds(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// The hops of `X-Forwarded-For`, as its proxies wrote them; `None`: there is no such header.
fn by_x_forwarded_for(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let values = headers.get_all(X_FORWARDED_FOR).into_iter();
    let lines: Vec<String> = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let hops = lines.iter().flat_map(|line| line.split(',')).map(|hop| address(hop.trim()));
    (!lines.is_empty()).then(|| hops.collect())
}

/// The `for=` of each hop of `Forwarded` (RFC 7239).
fn by_forwarded(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let values = headers.get_all(header::FORWARDED).into_iter();
    let lines: Vec<String> = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let hops = lines.iter().flat_map(|line| divided(line, ',')).map(|hop| {
        let pairs = divided(hop, ';');
        let named = pairs.iter().filter_map(|pair| pair.split_once('='));
        let mut told = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        let (_, value) = told.next().filter(|_| told.next().is_none())?;
        let value = value.trim();
        address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
    });
    (!lines.is_empty()).then(|| hops.collect())
}

/// The pieces between separators that stand in no quotes.
fn divided(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let split = |c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    };
    text.split(split).collect()
}

/// An address as proxies write it: alone, with a port, version 6 also in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let found = bare.parse::<IpAddr>().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    found.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|net| net.parse().expect("network")).collect()
    }

    fn known(allow: &[&str], proxies: &[&str]) -> Known {
        Known { allow: Some(nets(allow)), proxies: nets(proxies) }
    }

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().expect("value"));
        }
        headers
    }

    fn client(known: &Known, peer: &str, list: &[(&'static str, &str)]) -> Client {
        known.client(Some(peer.parse().expect("peer")), &headers(list))
    }

    fn from(known: &Known, peer: &str, list: &[(&'static str, &str)]) -> Option<String> {
        client(known, peer, list).address.map(|address| address.to_string())
    }

    #[test]
    fn what_a_stranger_says_of_its_way_is_not_heard() {
        let known = known(&["44.242.69.192/32"], &["10.0.0.0/8"]);

        for lie in [("x-forwarded-for", "44.242.69.192"), ("forwarded", "for=44.242.69.192")] {
            assert_eq!(from(&known, "203.0.113.9:1", &[lie]).as_deref(), Some("203.0.113.9"));
        }
    }

    #[test]
    fn through_trusted_proxies_the_first_stranger_from_the_right_is_the_client() {
        let known = known(&[], &["10.0.0.0/8", "fd00::/8"]);
        let cases = [
            (vec![("x-forwarded-for", "203.0.113.9")], "203.0.113.9"),
            (vec![("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2")], "203.0.113.9"),
            (vec![("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9,10.0.0.2")], "203.0.113.9"),
            (vec![("x-forwarded-for", "nonsense, 203.0.113.9:8080")], "203.0.113.9"),
            (vec![("x-forwarded-for", "2001:db8::1")], "2001:db8::1"),
            (vec![("x-forwarded-for", "[2001:db8::1]:99")], "2001:db8::1"),
            (vec![("x-forwarded-for", "::ffff:203.0.113.9")], "203.0.113.9"),
            (
                vec![("forwarded", "for=1.1.1.1, For=\"[2001:db8::1]:4711\";proto=http, for=\"[fd00::1]\"")],
                "2001:db8::1",
            ),
            (vec![("forwarded", "proto=https;for=203.0.113.9;by=10.0.0.1")], "203.0.113.9"),
            (vec![("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "203.0.113.9")], "203.0.113.9"),
            (vec![("x-forwarded-for", "10.0.0.7, 10.0.0.8")], "10.0.0.7"),
            (vec![], "10.0.0.1"),
        ];

        for (told, expected) in cases {
            assert_eq!(from(&known, "10.0.0.1:1", &told).as_deref(), Some(expected), "{told:?}");
        }
        assert_eq!(from(&known, "[::ffff:10.0.0.1]:1", &[("x-forwarded-for", "1.2.3.4")]).as_deref(), Some("1.2.3.4"));
    }

    #[test]
    fn a_client_that_is_not_known_is_on_no_list() {
        let known = known(&["0.0.0.0/0", "::/0"], &["10.0.0.0/8"]);
        let cases = [
            vec![("x-forwarded-for", "unknown")],
            vec![("x-forwarded-for", "")],
            vec![("x-forwarded-for", "44.242.69.192, ")],
            vec![("forwarded", "for=_hidden")],
            vec![("forwarded", "proto=https")],
            vec![("forwarded", "for=1.1.1.1;for=44.242.69.192")],
            vec![("forwarded", "for=\"1.1.1.1, for=44.242.69.192")],
            vec![("forwarded", "for=44.242.69.192"), ("x-forwarded-for", "203.0.113.9")],
        ];

        for told in cases {
            let client = client(&known, "10.0.0.1:1", &told);
            assert_eq!(client.address, None, "{told:?}");
            assert!(!known.allows(None, &client), "{told:?}");
            assert!(client.words().starts_with("an unknown address through "), "{}", client.words());
        }
    }

    #[test]
    fn an_account_s_own_list_stands_in_place_of_the_general_one() {
        let known = known(&["192.0.2.0/24"], &[]);
        let peer = |address: &str| client(&known, &format!("{address}:1"), &[]);

        assert!(known.allows(None, &peer("192.0.2.7")));
        assert!(!known.allows(None, &peer("203.0.113.9")));
        assert!(known.allows(Some(&nets(&["203.0.113.0/24"])), &peer("203.0.113.9")));
        assert!(!known.allows(Some(&nets(&["203.0.113.0/24"])), &peer("192.0.2.7")));
        assert!(Known::default().allows(None, &Client::default()));
    }

    #[test]
    fn the_log_says_who_sent_it_and_through_whom_it_came() {
        let known = known(&[], &["10.0.0.0/8"]);
        let told = [("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.3, 10.0.0.2")];

        assert_eq!(
            client(&known, "10.0.0.1:443", &told).words(),
            "203.0.113.9 through 10.0.0.3, 10.0.0.2, 10.0.0.1:443"
        );
        assert_eq!(client(&known, "192.0.2.1:443", &told).words(), "192.0.2.1:443");
    }

    proptest! {
        #[test]
        fn nothing_that_a_client_writes_gives_it_another_address(
            lies in prop::collection::vec("[ -~]{0,40}", 0..4),
            proxies in 1..3_usize,
        ) {
            let known = known(&[], &["10.0.0.0/8"]);
            let (client_address, chain) = ("203.0.113.9", ["203.0.113.9", "10.0.0.3"]);
            let appended = chain.get(..proxies).expect("two").join(", ");
            let mut told: Vec<(&str, String)> = lies.iter().map(|lie| ("x-forwarded-for", lie.clone())).collect();
            match told.last_mut() {
                Some((_, last)) => *last = format!("{last}, {appended}"),
                None => told.push(("x-forwarded-for", appended)),
            }
            let told: Vec<(&'static str, &str)> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();

            prop_assert_eq!(from(&known, "10.0.0.1:1", &told), Some(client_address.to_owned()));
        }
    }
}
