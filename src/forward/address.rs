//! Addresses that nothing is sent to: those of the machine's own metadata, link-local ones, and our own door.
//!
//! Names are judged by what they resolve to at the moment of connecting, so that one that changes its mind gets nowhere.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::net::lookup_host;

/// Where clouds answer with credentials, beside the link-local networks.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
const METADATA_NAMES: [&str; 4] = ["metadata", "metadata.google.internal", "metadata.goog", "instance-data"];

/// An address that nothing is sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused: {0} is a link-local or metadata address (`allow_link_local` allows it)")]
pub(super) struct Forbidden(String);

impl Forbidden {
    fn new(what: &impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

/// Whether `ip` is link-local or a cloud's metadata.
fn is_forbidden(ip: IpAddr) -> bool {
    let ip = plain(ip);
    let local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    local || METADATA.contains(&ip)
}

/// An IPv4 address in the clothes of IPv6 (mapped, or of NAT64) as what it is.
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let [network @ .., high, low] = six.segments();
    let embedded = || {
        let [one, two] = high.to_be_bytes();
        let [three, four] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(one, two, three, four))
    };
    match network {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => embedded(),
        [0, 0, 0, 0, 0, 0] if high > 0 => embedded(),
        _ => ip,
    }
}

/// The address that a URL names itself.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether the URL itself names an address that nothing is sent to.
pub(super) fn check(url: &Url) -> Result<(), Forbidden> {
    if let Some(ip) = literal(url) {
        return if is_forbidden(ip) { Err(Forbidden::new(&ip)) } else { Ok(()) };
    }
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    if METADATA_NAMES.contains(&host.as_str()) { Err(Forbidden::new(&host)) } else { Ok(()) }
}

/// Whether the host is this machine by name or number: no proxy is asked for it.
pub(super) fn is_loopback(url: &Url) -> bool {
    literal(url).map_or_else(|| url.host_str() == Some("localhost"), |ip| reached(plain(ip)).is_loopback())
}

/// Whether the URL leads to `door`, where this dogwatch listens itself.
pub(super) async fn leads_to(url: &Url, door: SocketAddr) -> bool {
    if url.port_or_known_default() != Some(door.port()) {
        return false;
    }
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let Ok(found) = lookup_host((host, door.port())).await else { return false };
    let at = plain(door.ip());
    let here = |ip: IpAddr| if at.is_unspecified() { is_ours(ip) } else { ip == at };
    found.into_iter().any(|address| here(reached(plain(address.ip()))))
}

/// Where a connection to `ip` goes: one to no address in particular goes to this machine.
fn reached(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// Whether it is an address of this machine: only then can something be bound to it.
fn is_ours(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || UdpSocket::bind((ip, 0)).is_ok()
}

/// Resolves names as the system does, but to nothing that is forbidden.
pub(super) struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            if let Some(bad) = found.iter().find(|found| is_forbidden(found.ip())) {
                return Err(Forbidden(format!("{} ({})", name.as_str(), bad.ip())).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("url")
    }

    #[test]
    fn metadata_and_link_local_addresses_are_refused_however_they_are_written() {
        for bad in [
            "http://169.254.169.254/latest/meta-data",
            "http://2852039166/",
            "http://0xa9.0xfe.0xa9.0xfe/",
            "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://Metadata.Google.Internal/",
            "http://metadata.google.internal./",
        ] {
            assert!(check(&url(bad)).is_err(), "{bad}");
        }
        for fine in ["http://127.0.0.1:9/", "https://hooks.example.com/", "http://10.0.0.1/", "http://[::1]/"] {
            assert_eq!(check(&url(fine)), Ok(()), "{fine}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_what_is_forbidden_is_refused_at_the_moment_of_connecting() {
        assert!(is_forbidden("169.254.1.1".parse().expect("ip")));
        let name: Name = "localhost".parse().expect("name");
        assert!(Guarded.resolve(name).await.is_ok_and(|mut found| found.all(|it| it.ip().is_loopback())));
    }

    #[tokio::test]
    async fn t54_our_own_door_is_known_by_each_of_its_names() {
        let door: SocketAddr = "127.0.0.1:8484".parse().expect("address");
        let everywhere: SocketAddr = "0.0.0.0:8484".parse().expect("address");

        assert!(leads_to(&url("http://127.0.0.1:8484/hooks/prod/x"), door).await);
        assert!(leads_to(&url("http://localhost:8484/"), everywhere).await);
        assert!(leads_to(&url("http://[::ffff:127.0.0.1]:8484/"), door).await);
        for ours in ["http://0.0.0.0:8484/", "http://0:8484/", "http://[::ffff:0.0.0.0]:8484/"] {
            assert!(leads_to(&url(ours), door).await, "{ours}");
            assert!(is_loopback(&url(ours)), "{ours}");
        }
        assert!(leads_to(&url("http://[::]:8484/"), "[::1]:8484".parse().expect("address")).await);
        assert!(leads_to(&url("http://0.0.0.0:8484/"), "[::ffff:127.0.0.1]:8484".parse().expect("address")).await);
        assert!(!leads_to(&url("http://0.0.0.0:8485/"), door).await);
        assert!(!leads_to(&url("http://127.0.0.1:8485/"), door).await);
        assert!(!leads_to(&url("http://192.0.2.1:8484/"), everywhere).await);
    }
}
