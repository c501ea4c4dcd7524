//! Lists of addresses: who may deliver, and whose word on a request's way is taken.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Where `PagerDuty` sends webhooks from, by service region: its page "Webhook IPs" as of August 2026. It changes now
/// and then, and a delivery from an address that is missing here is lost.
const PRESETS: &[(&str, &[[u8; 4]])] = &[
    (
        "pagerduty-us",
        &[
            [44, 242, 69, 192],
            [52, 89, 71, 166],
            [54, 213, 187, 133],
            [35, 86, 21, 47],
            [52, 88, 94, 18],
            [44, 238, 89, 29],
            [54, 241, 68, 46],
            [54, 176, 72, 216],
            [54, 177, 81, 67],
            [13, 56, 49, 27],
            [34, 210, 57, 30],
            [34, 210, 242, 134],
            [52, 34, 208, 156],
        ],
    ),
    (
        "pagerduty-eu",
        &[
            [18, 192, 91, 93],
            [18, 158, 120, 237],
            [18, 194, 177, 30],
            [18, 158, 199, 216],
            [3, 126, 25, 87],
            [18, 197, 187, 16],
            [54, 76, 3, 62],
            [54, 170, 2, 90],
            [52, 213, 188, 110],
            [54, 195, 179, 238],
            [34, 250, 91, 200],
            [54, 76, 225, 71],
        ],
    ),
];

/// An entry of `allow`: a network, an address, or the name of a known list.
pub(super) fn allowed(text: &str) -> Result<Vec<IpNet>, String> {
    if let Some((_, addresses)) = PRESETS.iter().find(|(name, _)| *name == text) {
        return Ok(addresses.iter().map(|address| IpNet::from(IpAddr::from(*address))).collect());
    }
    let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    let wrong = || {
        format!(
            "\"{}\" is neither a network, as in \"192.0.2.0/24\", nor a known list ({})",
            text.escape_debug(),
            names.join(", ")
        )
    };
    network(text).map(|network| vec![network]).ok_or_else(wrong)
}

/// An entry of `trusted_proxies`.
pub(super) fn proxy(text: &str) -> Result<Vec<IpNet>, String> {
    let found = network(text);
    let found = found.ok_or_else(|| {
        format!("\"{}\" is no address and no network, as in \"10.0.0.7\" or \"10.0.0.0/24\"", text.escape_debug())
    })?;
    if found.prefix_len() == 0 {
        return Err("everybody would be a trusted proxy, and could claim any address".to_owned());
    }
    Ok(vec![found])
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(canonical)
}

/// A network of version 4 that is written as one of version 6, as itself: the addresses that it is compared with are.
fn canonical(network: IpNet) -> IpNet {
    let (IpAddr::V4(address), IpNet::V6(_)) = (network.addr().to_canonical(), network) else { return network };
    let length = network.prefix_len().checked_sub(96).and_then(|length| Ipv4Net::new(address, length).ok());
    length.map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_version_4_is_one_however_it_is_written() {
        for (written, meant) in [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.7", "10.0.0.7/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:0:0/90", "::ffff:0:0/90"),
        ] {
            let meant = vec![meant.parse::<IpNet>().expect("network")];
            assert_eq!(allowed(written).as_ref(), Ok(&meant), "{written}");
            assert_eq!(proxy(written).as_ref(), Ok(&meant), "{written}");
        }
        assert!(proxy("::ffff:0:0/96").expect_err("everybody").contains("claim any address"));
    }
}
