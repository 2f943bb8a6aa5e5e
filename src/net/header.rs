//! The header of the PROXY protocol, with which a load balancer tells the server whom it speaks for: sent
//! before everything else, also before TLS (the protocol's specification, versions 1 and 2).

use std::net::SocketAddr;

use proxy_header::{ProxiedAddress, ProxyHeader};

/// What header is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    version: Version,
    speaks_for: SpeaksFor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// One line of text.
    One,
    /// Binary.
    Two,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SpeaksFor {
    /// The two ends of the connection, as they are.
    Itself,
    /// Nobody: UNKNOWN in version 1, LOCAL in version 2, as health checks send it.
    Nobody,
    /// A client at the first address, that connected to the second.
    Client(SocketAddr, SocketAddr),
}

/// How `--proxy-protocol` is written.
const SYNTAX: &str = "v1 or v2, or with addresses v2,SOURCE:PORT,DESTINATION:PORT, or v2,local";

impl Header {
    /// Reads `v1`, `v2`, `v1,192.0.2.1:4711,192.0.2.25:25`, `v2,local`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let version = match parts[0] {
            "v1" | "1" => Version::One,
            "v2" | "2" => Version::Two,
            _ => return Err(format!("give {SYNTAX}")),
        };
        let address = |text: &str| {
            text.parse::<SocketAddr>().map_err(|_| format!("an address is written 192.0.2.1:4711 or [2001:db8::1]:4711; give {SYNTAX}"))
        };
        let speaks_for = match parts[1..] {
            [] => SpeaksFor::Itself,
            ["local" | "unknown"] => SpeaksFor::Nobody,
            [source, destination] => {
                let (source, destination) = (address(source)?, address(destination)?);
                if source.is_ipv4() != destination.is_ipv4() {
                    return Err("source and destination must be addresses of one IP version".to_owned());
                }
                SpeaksFor::Client(source, destination)
            }
            _ => return Err(format!("give {SYNTAX}")),
        };
        Ok(Self { version, speaks_for })
    }

    /// The bytes to send and what they say, for a connection with these ends, where they are known.
    pub fn encode(&self, ends: Option<(SocketAddr, SocketAddr)>) -> (Vec<u8>, String) {
        let addresses = match (self.speaks_for, ends) {
            (SpeaksFor::Client(source, destination), _) | (SpeaksFor::Itself, Some((source, destination))) => Some((source, destination)),
            (SpeaksFor::Itself, None) | (SpeaksFor::Nobody, _) => None,
        };
        let header = match addresses {
            Some((source, destination)) => ProxyHeader::with_address(ProxiedAddress::stream(source, destination)),
            None => ProxyHeader::with_local(),
        };
        let mut bytes = Vec::new();
        // A `Vec` takes all that is written; addresses of two IP versions were refused.
        let written = match self.version {
            Version::One => header.encode_v1(&mut bytes),
            Version::Two => header.encode_v2(&mut bytes),
        };
        debug_assert!(written.is_ok(), "{written:?}");
        let number = if self.version == Version::One { 1 } else { 2 };
        let whom = match addresses {
            Some((source, destination)) => format!("from {source} to {destination}"),
            None if self.version == Version::One => "for an unknown client".to_owned(),
            None => "for this machine itself (LOCAL)".to_owned(),
        };
        (bytes, format!("version {number}, {whom}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_its_bytes() {
        let ends = Some(("127.0.0.1:5000".parse().unwrap(), "127.0.0.1:25".parse().unwrap()));
        let table: &[(&str, &[u8], &str)] = &[
            ("v1", b"PROXY TCP4 127.0.0.1 127.0.0.1 5000 25\r\n", "version 1, from 127.0.0.1:5000 to 127.0.0.1:25"),
            ("v1,local", b"PROXY UNKNOWN\r\n", "version 1, for an unknown client"),
            (
                "v1,[2001:db8::1]:1,[2001:db8::2]:25",
                b"PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\n",
                "version 1, from [2001:db8::1]:1 to [2001:db8::2]:25",
            ),
            (
                "v2, 192.0.2.1:258, 192.0.2.2:25",
                b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x01\x02\0\x19",
                "version 2, from 192.0.2.1:258 to 192.0.2.2:25",
            ),
            ("v2,local", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "version 2, for this machine itself (LOCAL)"),
        ];
        for (text, bytes, words) in table {
            let got = Header::parse(text).unwrap().encode(ends);
            assert_eq!((got.0.escape_ascii().to_string(), got.1.as_str()), (bytes.escape_ascii().to_string(), *words), "{text}");
        }
        assert_eq!(Header::parse("v1").unwrap().encode(None).0, b"PROXY UNKNOWN\r\n");
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in [
            "",
            "v3",
            "v1,",
            "v1,127.0.0.1:1",
            "v1,127.0.0.1,127.0.0.1",
            "v2,127.0.0.1:1,[::1]:1",
            "v1,a:1,b:2",
            "v1,127.0.0.1:1,127.0.0.1:2,x",
        ] {
            assert!(Header::parse(text).is_err(), "{text}");
        }
    }
}
