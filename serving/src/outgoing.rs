//! Requests to addresses that an organizer has named. They must not reach what only this machine can reach, so every
//! address that a name resolves to is checked, and the connection goes to a checked one: a name that resolves otherwise
//! a moment later changes nothing. Redirects are not followed, and no proxy is asked.

use chrono::DateTime;
use domain::Timestamp;
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use url::{Host, Url};

const CONNECTING: Duration = Duration::from_secs(5);
/// As the specification of Standard Webhooks recommends: 15 to 30 seconds.
const PATIENCE: Duration = Duration::from_secs(15);
const LONGEST_URL: usize = 2_000;

pub struct Outgoing {
    client: Client,
    allow_private: bool,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
}

/// How long the header asks to wait: seconds, or until a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some(Timestamp::from_millis(until.timestamp_millis()).since(now))
}

impl Outgoing {
    /// `allow_private`: private addresses and plain HTTP too.
    pub fn new(allow_private: bool) -> anyhow::Result<Self> {
        let client = Client::builder()
            .dns_resolver(Checked { allow_private })
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECTING)
            .timeout(PATIENCE)
            .user_agent(concat!("bilten/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, allow_private })
    }

    /// Whether requests may go there, as far as the address itself tells. What its name resolves to is checked each
    /// time that one goes.
    pub fn check(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("this is no URL: {error}"))?;
        if url.as_str().len() > LONGEST_URL {
            return Err(format!("a URL has at most {LONGEST_URL} characters"));
        }
        if url.scheme() != "https" && !(self.allow_private && url.scheme() == "http") {
            return Err("the URL begins with https://".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL here has no user and no password".into());
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err("the URL has no host".into()),
        };
        match literal.filter(|address| !self.allow_private && !is_public(*address)) {
            Some(_) => Err("the address is not a public one".into()),
            None => Ok(url),
        }
    }

    /// The answer, whose body nobody reads. The error names no address.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: String) -> Result<Answer, String> {
        let url = self.check(url)?;
        let sent = self.client.post(url).headers(headers).body(body).send().await;
        match sent {
            Ok(answer) => Ok(Answer {
                status: answer.status().as_u16(),
                retry_after: retry_after(answer.headers(), Timestamp::now()),
            }),
            Err(error) if error.is_timeout() => Err("there was no answer in time".into()),
            Err(error) if refused(&error) => Err("the name leads to an address that is not a public one".into()),
            Err(error) if error.is_connect() => Err("no connection could be made".into()),
            Err(_) => Err("the connection broke".into()),
        }
    }
}

/// Resolves names, and refuses one that leads anywhere private.
struct Checked {
    allow_private: bool,
}

#[derive(Debug)]
struct NotPublic;

impl std::fmt::Display for NotPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name leads to an address that is not a public one")
    }
}

impl std::error::Error for NotPublic {}

fn refused(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<NotPublic>() {
            return true;
        }
        source = error.source();
    }
    false
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !allow_private && found.iter().any(|address| !is_public(address.ip())) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public Internet, by IANA's registries of special-purpose addresses.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const PRIVATE_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Shared between a provider and its customers (CGNAT).
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Link-local, and with it the metadata of many clouds.
    ([169, 254, 0, 0], 16),
    // A cloud's metadata on a public address.
    ([168, 63, 129, 16], 32),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast, reserved, broadcast.
    ([224, 0, 0, 0], 3),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    let inside = |&(net, length): &([u8; 4], u32)| (bits ^ u32::from_be_bytes(net)) >> (32 - length) == 0;
    !PRIVATE_V4.iter().any(inside)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        // Other addresses in disguise: mapped and compatible IPv4, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Teredo and other protocols; documentation.
        [0x2001, 0..0x200, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..0x1000, ..] => false,
        // Only this part of the space is given out: not unspecified, loopback, unique local, link-local, multicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_pass() {
        for public in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "223.255.255.255",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for public in [
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn an_address_is_checked_in_every_way_to_write_it() {
        let strict = Outgoing::new(false).unwrap();
        for url in [
            "http://example.org/",
            "ftp://example.org/",
            "https://user:password@example.org/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://017700000001/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://[fd00:ec2::254]/",
            "https://169.254.169.254/latest/meta-data",
            "not a URL",
        ] {
            assert!(strict.check(url).is_err(), "{url}");
        }
        assert!(strict.check("https://hooks.example.org/bilten?a=b").is_ok());
        assert!(
            strict
                .check(&format!("https://example.org/{}", "a".repeat(2_000)))
                .is_err()
        );
        let lenient = Outgoing::new(true).unwrap();
        assert!(lenient.check("http://127.0.0.1:8080/").is_ok() && lenient.check("ftp://example.org").is_err());
    }

    #[test]
    fn an_answer_says_in_seconds_or_by_a_date_when_to_come_again() {
        let now = Timestamp::from_millis(784_111_777_000 - 90_000);
        let asked = |value: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(
            (asked("120"), asked("Sun, 06 Nov 1994 08:49:37 GMT")),
            (Some(120), Some(90))
        );
        assert_eq!(asked("Sat, 05 Nov 1994 08:49:37 GMT"), Some(0), "it is over");
        assert_eq!((asked("soon"), asked("-1")), (None, None));
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_before_a_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let strict = Outgoing::new(false).unwrap();
        let url = format!("https://localhost:{port}/");
        let refused = strict.post(&url, HeaderMap::new(), String::new()).await.unwrap_err();
        assert_eq!(refused, "the name leads to an address that is not a public one");
        let came = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(came.is_err(), "nobody has connected");
    }
}
