//! The resolver against a name server of the tests, over UDP on loopback.
#![cfg(feature = "dns")]

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::mx::{MxError, mail_servers};
use super::*;
use crate::net::dial::{DialOptions, Family};
use crate::net::resolve::resolve;
use crate::net::zone::parse_address;

#[allow(unreachable_pub)]
#[path = "../../../tests/it/support/dns.rs"]
mod server;

use server::{NameServer, name_server};

const ZONE: &str = "
    contoso.test                 MX 20 mx2.contoso.test
    contoso.test                 MX 10 mx1.contoso.test
    contoso.test                 MX 20 mail.contoso.test
    contoso.test                 MX 30 MX1.contoso.test
    mx1.contoso.test             A 192.0.2.1
    mx1.contoso.test             AAAA 2001:db8::1
    mx2.contoso.test             A 192.0.2.2
    _25._tcp.mx1.contoso.test    TLSA 3 1 1 ab01
    1.2.0.192.in-addr.arpa       PTR mx1.contoso.test
    1.0.0.127.in-addr.arpa       PTR here.contoso.test
    one.test                     CNAME two.test
    two.test                     CNAME mx1.contoso.test
    mail-alias.test              CNAME contoso.test
    dangling.test                CNAME gone.test
    empty-alias.test             CNAME known.test
    loop1.test                   CNAME loop2.test
    loop2.test                   CNAME loop1.test
    known.test                   NODATA
    null.test                    MX 0 .
    mixed.test                   MX 0 .
    mixed.test                   MX 10 mx1.contoso.test
    broken.test                  SERVFAIL
    closed.test                  REFUSED
    silent.test                  SILENT
    half.test                    SILENT AAAA
    half.test                    A 127.0.0.1
    _25._tcp.old.test            FORMERR EDNS
    _25._tcp.old.test            TLSA 3 1 1 ab01
    large.test                   TCP
    large.test                   MX 10 mx1.contoso.test
";

fn zone() -> (NameServer, Resolver) {
    let server = name_server(ZONE);
    let resolver = Resolver::new(Some(server.address)).unwrap();
    (server, resolver)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[tokio::test]
async fn each_kind_of_record_is_read() {
    let (server, resolver) = zone();
    let answer = resolver.addresses("mx1.contoso.test", Family::Any, soon()).await.unwrap();
    assert_eq!(answer.records, ["2001:db8::1", "192.0.2.1"].map(|address| address.parse::<IpAddr>().unwrap()));
    assert!(answer.aliases.is_empty() && !answer.authentic);
    let tlsa = resolver.tlsa("mx1.contoso.test", 25, soon()).await.unwrap();
    assert_eq!(tlsa.records, [Tlsa { usage: 3, selector: 1, matching: 1, data: vec![0xab, 1] }]);
    // Also for loopback the name server is asked, not a table.
    for (address, name) in [("192.0.2.1", "mx1.contoso.test"), ("127.0.0.1", "here.contoso.test")] {
        assert_eq!(resolver.ptr(address.parse().unwrap(), soon()).await.unwrap().records, [name]);
    }
    assert_eq!(server.questions(), 5);
}

#[tokio::test]
async fn a_kind_of_address_that_is_never_answered_does_not_eat_up_the_time() {
    let (_server, resolver) = zone();
    let (asked, limit) = (Instant::now(), Duration::from_secs(20));
    let answer = resolver.addresses("half.test", Family::Any, asked + limit).await.unwrap();
    assert_eq!(answer.records, [IpAddr::from([127, 0, 0, 1])]);
    // Far from the limit, and far from what a busy machine needs.
    assert!(asked.elapsed() < limit / 2, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_name_server_from_before_edns_is_asked_again_without_it() {
    let (server, resolver) = zone();
    let answer = resolver.tlsa("old.test", 25, soon()).await.unwrap();
    assert_eq!((answer.records.len(), server.questions()), (1, 2));
}

#[tokio::test]
async fn an_address_of_the_other_version_is_none_for_who_is_bound_to_one() {
    let (server, resolver) = zone();
    let options = |bind: &str| DialOptions { bind: parse_address(bind).ok(), resolver: Some(resolver.clone()), ..DialOptions::default() };
    for (bind, want) in [("", 2), ("127.0.0.1", 1), ("::1", 1)] {
        let found = resolve("mx1.contoso.test", 25, &options(bind), soon()).await.unwrap();
        assert_eq!(found.addresses.len(), want, "{bind}");
        assert!(bind.is_empty() || found.addresses[0].is_ipv6() == (bind == "::1"));
    }
    drop(server);
}

#[tokio::test]
async fn aliases_are_followed_and_told() {
    let (_server, resolver) = zone();
    let answer = resolver.addresses("one.test", Family::Any, soon()).await.unwrap();
    assert_eq!(answer.aliases, ["two.test", "mx1.contoso.test"]);
    assert_eq!(answer.records.len(), 2);
    assert_eq!(resolver.addresses("dangling.test", Family::Any, soon()).await, Err(DnsError::NoSuchName));
    for (name, aliases) in [("empty-alias.test", &["known.test"][..]), ("loop1.test", &["loop2.test"]), ("known.test", &[])] {
        let aliases = aliases.iter().map(|&alias| alias.to_owned()).collect();
        assert_eq!(resolver.addresses(name, Family::Any, soon()).await, Err(DnsError::NoData { aliases }), "{name}");
    }
}

#[tokio::test]
async fn each_failure_is_told_apart() {
    let (_server, resolver) = zone();
    for (name, error) in [
        ("no-such.test", DnsError::NoSuchName),
        ("broken.test", DnsError::Refused("SERVFAIL")),
        ("closed.test", DnsError::Refused("REFUSED")),
        ("a..test", DnsError::BadName),
    ] {
        assert_eq!(resolver.mx(name, soon()).await, Err(error.clone()), "{name}");
        assert_eq!(resolver.addresses(name, Family::Any, soon()).await, Err(error), "{name}");
    }
}

#[tokio::test]
async fn a_silent_name_server_is_not_waited_for_beyond_the_deadline() {
    // P7
    let (_server, resolver) = zone();
    let started = Instant::now();
    let soon = started + Duration::from_millis(200);
    assert_eq!(resolver.mx("silent.test", soon).await, Err(DnsError::TimedOut));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn that_nobody_listens_is_seen_at_once() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let found = Resolver::new(Some(nobody)).unwrap().mx("contoso.test", soon()).await;
    assert!(matches!(&found, Err(DnsError::Unreachable(words)) if words.contains("refused")), "{found:?}");
}

#[tokio::test]
async fn what_does_not_fit_comes_over_tcp() {
    let (_server, resolver) = zone();
    let answer = resolver.mx("large.test", soon()).await.unwrap();
    assert_eq!(answer.records, [Mx { preference: 10, host: "mx1.contoso.test".to_owned() }]);
}

#[tokio::test]
async fn another_name_server_is_asked_where_one_does_not_know() {
    let table = [
        ("x.test SERVFAIL", "x.test MX 5 mx.test", 20_000, Ok(5)),
        ("x.test SILENT", "x.test MX 5 mx.test", 20_000, Ok(5)),
        ("x.test REFUSED", "x.test SILENT", 2_000, Err(DnsError::Refused("REFUSED"))),
        ("y.test A 192.0.2.1", "x.test MX 5 mx.test", 20_000, Err(DnsError::NoSuchName)),
    ];
    for (first, second, within, want) in table {
        let servers = [name_server(first), name_server(second)];
        let resolver = Resolver::of(servers.iter().map(|server| server.address).collect());
        let found = resolver.mx("x.test", Instant::now() + Duration::from_millis(within)).await;
        assert_eq!(found.map(|answer| answer.records[0].preference), want, "{first}, {second}");
    }
}

#[tokio::test]
async fn mail_servers_come_in_order_and_each_once() {
    let (_server, resolver) = zone();
    let hosts = |found: &mx::MailServers| found.servers.iter().map(|mx| format!("{} {}", mx.preference, mx.host)).collect::<Vec<_>>();
    let found = mail_servers("contoso.test", &resolver, soon()).await.unwrap();
    assert_eq!(hosts(&found), ["10 mx1.contoso.test", "20 mx2.contoso.test", "20 mail.contoso.test"]);
    assert!(!found.implicit && !found.null_among_others);
    let found = mail_servers("mail-alias.test", &resolver, soon()).await.unwrap();
    assert_eq!((found.aliases.as_slice(), found.servers.len()), (&["contoso.test".to_owned()][..], 3));
    let found = mail_servers("mixed.test", &resolver, soon()).await.unwrap();
    assert_eq!((hosts(&found), found.null_among_others), (vec!["10 mx1.contoso.test".to_owned()], true));
    let found = mail_servers("known.test", &resolver, soon()).await.unwrap();
    assert_eq!((hosts(&found), found.implicit), (vec!["0 known.test".to_owned()], true));
}

#[tokio::test]
async fn a_domain_without_mail_says_which_way() {
    let (_server, resolver) = zone();
    for (domain, error) in [
        ("null.test", MxError::Null),
        ("no-such.test", MxError::Dns(DnsError::NoSuchName)),
        ("broken.test", MxError::Dns(DnsError::Refused("SERVFAIL"))),
    ] {
        assert_eq!(mail_servers(domain, &resolver, soon()).await, Err(error), "{domain}");
    }
}

#[test]
fn a_name_server_is_an_address() {
    for (text, want) in [
        ("192.0.2.53", "192.0.2.53:53"),
        ("192.0.2.53:5353", "192.0.2.53:5353"),
        ("2001:db8::53", "[2001:db8::53]:53"),
        ("[2001:db8::53]", "[2001:db8::53]:53"),
        ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
    ] {
        assert_eq!(parse_server(text).map(|address| address.to_string()), Ok(want.to_owned()));
    }
    for text in ["", "ns.contoso.test", "192.0.2.53:0", "192.0.2.53:x", "[::1"] {
        assert!(parse_server(text).is_err(), "{text}");
    }
}
