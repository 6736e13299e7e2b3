//! The client's real address: `X-Forwarded-For` is only trusted from configured proxies.
//! Anyone else can write into that header whatever they like.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// `10.0.0.0/8`, or one address.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| one()).ok()
}

/// Whether it holds an address, in either of the forms that one of IPv4 has: `::ffff:10.0.0.1` is no
/// way around a rule.
fn holds(network: &IpNet, address: IpAddr) -> bool {
    let as_v6 = match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    network.contains(&address.to_canonical()) || network.contains(&IpAddr::V6(as_v6))
}

/// The client's address: the nearest one that is no configured proxy, read from the right, since
/// each proxy adds what it saw behind what it was told.
pub(crate) fn address<'h>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'h str>,
    proxies: &[IpNet],
) -> IpAddr {
    let trusted = |a| is_proxy(a, proxies);
    let mut nearest = peer;
    let mut told = forwarded.rev().flat_map(|line| line.rsplit(','));
    while trusted(nearest) {
        match told.next().map(|a| a.trim().parse::<IpAddr>()) {
            Some(Ok(address)) => nearest = address,
            // Nothing more was said, or nonsense: the proxy itself is what we know.
            Some(Err(_)) | None => break,
        }
    }
    nearest.to_canonical()
}

/// Whether this is a configured proxy.
pub(crate) fn is_proxy(peer: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|n| holds(n, peer))
}

/// What is counted as one client: an IPv4 address, or the IPv6 network of one customer, who has
/// 2^64 addresses to choose from.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, lines: &[&str], proxies: &[&str]) -> String {
        let proxies: Vec<_> = proxies.iter().map(|p| network(p).unwrap()).collect();
        address(peer.parse().unwrap(), lines.iter().copied(), &proxies).to_string()
    }

    #[test]
    fn only_configured_proxies_are_believed() {
        let proxies = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(from("192.0.2.9", &["1.1.1.1"], &proxies), "192.0.2.9");
        assert_eq!(from("10.0.0.1", &["1.1.1.1"], &proxies), "1.1.1.1");
        assert_eq!(from("10.0.0.1", &["1.1.1.1"], &[]), "10.0.0.1");
        // What the client itself wrote stands left of what the proxy saw.
        assert_eq!(from("10.0.0.1", &["6.6.6.6, 1.1.1.1"], &proxies), "1.1.1.1");
        let chain = ["6.6.6.6, 1.1.1.1", "10.2.2.2"];
        assert_eq!(from("10.0.0.1", &chain, &proxies), "1.1.1.1");
        assert_eq!(from("fd00::1", &["2001:db8::7"], &proxies), "2001:db8::7");
        assert_eq!(from("::ffff:10.0.0.1", &["1.1.1.1"], &proxies), "1.1.1.1");
        assert_eq!(from("10.0.0.1", &["nonsense"], &proxies), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[], &proxies), "10.0.0.1");
    }

    #[test]
    fn networks_are_bounded() {
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0", "a/8"] {
            assert_eq!(network(bad), None, "{bad}");
        }
        let holds = |text: &str, address: &str| {
            super::holds(&network(text).unwrap(), address.parse().unwrap())
        };
        assert!(holds("0.0.0.0/0", "8.8.8.8"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "8.8.8.8"));
        assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(holds("10.1.2.3", "::ffff:10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("10.1.2.3/8", "10.9.9.9"));
    }

    #[test]
    fn one_customer_counts_once() {
        let counted = |a: &str| super::counted(a.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("192.0.2.1"), "192.0.2.1");
    }
}
