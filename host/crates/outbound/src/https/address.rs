//! The URL of another server, from the configuration or from a discovery document. Plain http to
//! another machine is refused, as are user information and fragments, which could contain a
//! password.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;

/// Longer addresses are refused.
const MAX_LENGTH: usize = 2 << 10;

/// Where a request may go without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// Nowhere.
    Never,
    /// To this machine, where nobody else listens.
    Loopback,
    /// To this machine, and to the link's own addresses, where clouds tell a machine who it is.
    Metadata,
}

/// An address that can be asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as they were written.
    pub(super) authority: String,
    path: String,
    query: Option<String>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it; the text is not repeated.
    pub fn parse(text: &str, plain: Plain) -> Result<Self, &'static str> {
        if text.len() > MAX_LENGTH {
            return Err("it is longer than 2 KiB");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("it holds a space, or a character that is not ASCII");
        }
        if text.contains('#') {
            return Err("it has a fragment (`#…`), which is not sent");
        }
        let uri: Uri = text.parse().map_err(|_| "it is not a valid URL")?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("it does not begin with https://");
        };
        if authority.as_str().contains('@') {
            return Err("it has user information before the host, which may include a password");
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = bare.unwrap_or(host).to_owned();
        if host.is_empty() {
            return Err("it names no host");
        }
        let secure = match scheme {
            "https" => true,
            "http" if plain.allows(&host) => false,
            "http" => return Err("plain http can be read and changed in transit"),
            _ => return Err("it does not begin with https://"),
        };
        let written = authority.as_str().strip_prefix(authority.host());
        let port = match (authority.port_u16(), written) {
            (None, Some("")) if secure => 443,
            (None, Some("")) => 80,
            (Some(port), _) if port > 0 => port,
            _ => return Err("its port is invalid"),
        };
        Ok(Address {
            secure,
            host,
            port,
            authority: authority.as_str().to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().map(ToOwned::to_owned),
        })
    }

    /// The same server, with these parts behind the path.
    pub fn below(&self, parts: &str) -> Address {
        Address {
            path: format!("{}/{parts}", self.path.trim_end_matches('/')),
            query: None,
            ..self.clone()
        }
    }

    /// The same place, with this query instead of its own.
    #[must_use]
    pub fn with_query(mut self, query: &str) -> Address {
        self.query = Some(query.to_owned());
        self
    }

    /// Whether it is on this machine's link, where clouds tell a machine who it is.
    pub fn is_on_link(&self) -> bool {
        self.host.parse().is_ok_and(is_on_link)
    }

    /// Host and port as they were written, as the header `Host` has them.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Path and query, as a request line has them.
    pub(super) fn target(&self) -> String {
        match &self.query {
            None => self.path.clone(),
            Some(query) => format!("{}?{query}", self.path),
        }
    }
}

/// Without the query, which may hold what only the other side should see.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Plain {
    fn allows(self, host: &str) -> bool {
        match self {
            Plain::Never => false,
            Plain::Loopback => is_loopback(host),
            Plain::Metadata => is_loopback(host) || host.parse().is_ok_and(is_on_link),
        }
    }
}

/// 169.254.0.0/16, and fd00:ec2::/32, which AWS uses like it.
fn is_on_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.segments().starts_with(&[0xfd00, 0x0ec2]),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_parts_and_does_not_show_its_query() {
        let address = Address::parse("https://idp.example:8443/a/keys?p=x", Plain::Never).unwrap();
        assert_eq!((address.host.as_str(), address.port), ("idp.example", 8443));
        assert_eq!(address.target(), "/a/keys?p=x");
        assert_eq!(address.to_string(), "https://idp.example:8443/a/keys");
        assert!(!format!("{address:?}").contains("p=x"));
        assert_eq!(address.below("more").target(), "/a/keys/more");
        assert_eq!(
            address.below("more").with_query("v=3").target(),
            "/a/keys/more?v=3"
        );
        let six = Address::parse("https://[::1]/", Plain::Never).unwrap();
        assert_eq!((six.host.as_str(), six.port), ("::1", 443));
        assert_eq!(six.below("v1/traces").target(), "/v1/traces");
    }

    #[test]
    fn what_is_no_address_or_no_safe_one_is_refused() {
        let long = format!("https://a/{}", "x".repeat(MAX_LENGTH));
        for bad in [
            "",
            "idp.example/keys",
            "/keys",
            "ftp://idp.example/",
            "file:///etc/passwd",
            "http://idp.example/keys",
            "http://localhost/keys",
            "https://user:password@idp.example/",
            "https://idp.example/#x",
            "https://idp.example:0/",
            "https://idp.example:99999/",
            "https://idp.example:/",
            "https:///keys",
            "https://idp.example/a b",
            "https://idp.example/\r\nX: y",
            "https://ïdp.example/",
            &long,
        ] {
            assert!(Address::parse(bad, Plain::Never).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_machines_metadata_may_be_asked_in_plain_text_and_nothing_else() {
        for (url, fine) in [
            ("http://169.254.169.254/latest", true),
            ("http://[fd00:ec2::23]/v1", true),
            ("http://127.0.0.1:8000/", true),
            ("http://169.255.0.1/", false),
            ("http://[fd00:ec3::1]/", false),
            ("http://metadata.google.internal/", false),
        ] {
            assert_eq!(Address::parse(url, Plain::Metadata).is_ok(), fine, "{url}");
            let loopback = Address::parse(url, Plain::Loopback).is_ok();
            assert_eq!(loopback, url.contains("127.0.0.1"), "{url}");
        }
    }

    #[test]
    fn plain_text_stays_on_this_machine_where_it_is_allowed() {
        for good in [
            "http://localhost:4318",
            "http://127.0.0.1:4318",
            "http://[::1]:4318",
        ] {
            assert!(Address::parse(good, Plain::Loopback).is_ok(), "{good}");
        }
        for bad in [
            "http://collector:4318",
            "http://10.0.0.1:4318",
            "http://localhost.example:4318",
        ] {
            assert!(Address::parse(bad, Plain::Loopback).is_err(), "{bad}");
        }
    }
}
