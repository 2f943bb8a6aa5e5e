//! Why no connection came about.

use std::net::IpAddr;

use super::failure::{Diagnosis, Failure, diagnosis, seconds};
use super::place::Place;
use crate::host::address_and_zone;
use crate::text::printable_str;

/// Networks that let nobody out let nobody out here.
const BLOCKED: u16 = 25;

/// Puts it into words. An address with a zone may fail for its sake.
pub(super) fn diagnose(failure: &Failure, place: &Place) -> Diagnosis {
    let mut words = of_failure(failure, place);
    let zone = address_and_zone(place.host()).and_then(|(_, zone)| zone);
    let may_be = matches!(
        failure,
        Failure::NoRoute | Failure::HostUnreachable | Failure::Unusable(_) | Failure::ConnectOther(_) | Failure::ConnectTimedOut(_)
    );
    if let Some(zone) = zone.filter(|_| may_be) {
        words.first(
            // Of a name it is known that there is one.
            &if zone.parse::<u32>().is_ok() {
                format!("The host is not reached by the interface {zone}, or there is none of that number.")
            } else {
                format!("The host is not reached by the interface {zone}.")
            },
            "List the interfaces: ip -6 addr (Windows: netsh interface ipv6 show interfaces)".to_owned(),
        );
    }
    words
}

fn of_failure(failure: &Failure, place: &Place) -> Diagnosis {
    let at = place.shown();
    let resolved = if place.is_name() { "The name resolved. " } else { "" };
    match failure {
        Failure::Refused => diagnosis(
            format!("{at} refused the connection"),
            "The host answered at once that nothing listens on this port. It is up and reachable.",
            &["The mail service is stopped, or listens on another port or address.", "A firewall refuses in its place."],
            &["On the server: is the service running, and on which addresses?", &other_port(place)],
        ),
        Failure::NoRoute => diagnosis(
            format!("No route from here to {at}"),
            "This machine knows no way to the network of the address. Nothing was sent.",
            &["This machine has no network, or none of this IP version.", "A VPN is not up."],
            &with_ip_version("Does any other host answer?", place),
        ),
        Failure::HostUnreachable => diagnosis(
            format!("{at} cannot be reached"),
            "A router or a firewall on the way, or this machine itself, says that the host cannot be reached.",
            &[
                "The host is off, or the address is old: nobody answers for it in its network.",
                "A firewall that forbids it looks the same (ICMP \"administratively prohibited\").",
                "A router on the way has lost the path, or a VPN is not up.",
            ],
            &with_ip_version("Does any other host of that network answer?", place),
        ),
        Failure::ConnectReset => diagnosis(
            format!("{at} reset the connection as soon as it stood"),
            "The connection was accepted and cut at once, before anything was said.",
            &[
                "A filter before the server, or the server itself, does not want your address.",
                "A load balancer has no server behind it that works.",
                "A firewall on the way cuts it.",
            ],
            &["Look at the server's log: it says why.", "From another network, is it the same?"],
        ),
        Failure::Unusable(words) => diagnosis(
            format!("Nothing can be sent to {at}: {}", printable_str(words)),
            "The operating system refused before anything was sent.",
            &[
                "A route of this machine discards what goes there (Linux: ip route ... blackhole).",
                "The address is none to connect to, such as a link-local one of IPv6 without its interface.",
            ],
            &[
                "Look at the routes of this machine: ip route get ADDRESS (Windows: route print)",
                "A link-local address is given with its interface: fe80::1%eth0",
            ],
        ),
        Failure::UnknownZone(zone) => diagnosis(
            format!("This machine has no interface '{}', by which {at} would be reached", printable_str(zone)),
            "What stands behind the % of an IPv6 address names a network interface of this machine. Nothing was sent.",
            &["A typing error.", "The interface has another name here, or is gone."],
            &["List the interfaces: ip -6 addr (Windows: netsh interface ipv6 show interfaces)"],
        ),
        Failure::Unreached(addresses) => several(addresses, place),
        Failure::ConnectTimedOut(after) => diagnosis(
            format!("No answer from {at} within {} (connecting)", seconds(*after)),
            &format!("{resolved}The connection request went out and nothing came back, neither yes nor no. SMTP never began."),
            silent(place),
            &[
                &format!("Does any other server answer on {}?  {} OTHER-SERVER {0}", place.port(), place.program()),
                &other_port(place),
                elsewhere(place),
            ],
        ),
        Failure::Prohibited => diagnosis(
            format!("Connecting to {at} is forbidden"),
            "The operating system or a firewall on the way says that this is not allowed.",
            &["A local firewall or security policy.", "A router on the way refuses by policy."],
            &["Look at the firewall rules of this machine.", &other_port(place)],
        ),
        Failure::BadLocalAddress(words) => diagnosis(
            format!("The local address cannot be used: {}", printable_str(words)),
            "The address given with -b does not belong to this machine, or not to this IP version.",
            &["A typing error in -b."],
            &["List this machine's addresses: ip addr (Windows: ipconfig)"],
        ),
        _ => {
            let detail = if let Failure::ConnectOther(words) = failure { printable_str(words).into_owned() } else { String::new() };
            diagnosis(
                format!("{at} cannot be connected to: {detail}"),
                "The operating system reports a failure before SMTP began.",
                &["See its words above."],
                &[&other_port(place)],
            )
        }
    }
}

/// Advice, and the other IP version for a name, which may have both.
fn with_ip_version(advice: &'static str, place: &Place) -> Vec<&'static str> {
    let mut next = vec![advice];
    next.extend(place.is_name().then_some("Try -4 or -6."));
    next
}

/// How an address fails, in a word or two.
pub fn way(failure: &Failure) -> String {
    let words = match failure {
        Failure::Refused => "refused",
        Failure::NoRoute => "no route",
        Failure::HostUnreachable => "unreachable",
        Failure::ConnectReset => "reset",
        Failure::ConnectTimedOut(_) => "no answer",
        Failure::Prohibited => "forbidden",
        Failure::BadLocalAddress(words) | Failure::ConnectOther(words) | Failure::Unusable(words) => {
            return printable_str(words).into_owned();
        }
        other => return other.short(),
    };
    words.to_owned()
}

/// Addresses that fail alike, in the order of their first.
fn alike(addresses: &[(IpAddr, Failure)]) -> Vec<(String, &Failure)> {
    let mut found: Vec<(Vec<String>, &Failure)> = Vec::new();
    for (address, failure) in addresses {
        match found.iter_mut().find(|(_, known)| *known == failure) {
            Some((list, _)) => list.push(address.to_string()),
            None => found.push((vec![address.to_string()], failure)),
        }
    }
    let list = |list: &[String]| match list {
        [one] => one.clone(),
        [one, other] => format!("{one}, {other}"),
        [one, more @ ..] => format!("{one} and {} more", more.len()),
        [] => String::new(),
    };
    found.into_iter().map(|(addresses, failure)| (list(&addresses), failure)).collect()
}

/// `192.0.2.17 no answer; 192.0.2.18 refused`
pub(super) fn ways(addresses: &[(IpAddr, Failure)]) -> String {
    alike(addresses).iter().map(|(list, failure)| format!("{list} {}", way(failure))).collect::<Vec<_>>().join("; ")
}

/// What holds for each kind of failure, with the addresses it holds for.
fn several(addresses: &[(IpAddr, Failure)], place: &Place) -> Diagnosis {
    let (mut happened, mut likely, mut next) = (Vec::new(), Vec::new(), Vec::<String>::new());
    for (list, failure) in alike(addresses) {
        let words = diagnose(failure, place);
        happened.push(format!("{list}: {}", words.happened));
        likely.extend(words.likely.into_iter().take(2).map(|cause| format!("{list}: {cause}")));
        for advice in words.next {
            // It counts the causes of one kind.
            if advice != BY_NUMBER && !next.contains(&advice) {
                next.push(advice);
            }
        }
    }
    let (count, host, port) = (addresses.len(), place.host(), place.port());
    Diagnosis {
        headline: format!("None of the {count} addresses of {host} can be connected to on port {port}: {}", ways(addresses)),
        happened: happened.join(" "),
        likely,
        next,
    }
}

/// What another network tells about the causes of silence on port 25.
const BY_NUMBER: &str = "From another network?  Then it is 1, else 2 or 3.";

/// What may swallow a request for a connection: many networks let nobody out to port 25, and to no other port for mail.
fn silent(place: &Place) -> &'static [&'static str] {
    match place.port() {
        BLOCKED => &[
            "Port 25 is blocked on the way out of this network (very common at homes, offices and clouds).",
            "A firewall before the server drops it.",
            "The host is down, or the address is old.",
        ],
        _ => &["A firewall before the server, or on the way out of this network, drops it.", "The host is down, or the address is old."],
    }
}

/// What another network tells about the causes above.
fn elsewhere(place: &Place) -> &'static str {
    if place.port() == BLOCKED { BY_NUMBER } else { "From another network, is it the same?" }
}

/// The port for the other kind of mail, which LMTP has not.
fn other_port(place: &Place) -> String {
    if place.lmtp {
        return elsewhere(place).to_owned();
    }
    let other = if place.port() == 25 { 587 } else { 25 };
    format!("Does this one answer on {other}?  {} {} {other}", place.program(), place.host())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::place::Caller;
    use super::*;

    fn all(words: &Diagnosis) -> String {
        [vec![words.headline.clone(), words.happened.clone()], words.likely.clone(), words.next.clone()].concat().join("\n")
    }

    #[test]
    fn a_silent_address_is_explained_by_what_it_is() {
        let silent = Failure::ConnectTimedOut(Duration::from_secs(3));
        let check = |host, port| Place::new(host, port).for_caller(Caller::Check);
        let table: &[(Place, &[&str], &[&str])] = &[
            (
                Place::new("mx.alt.test", 25),
                &["The name resolved.", "Port 25 is blocked", "answer on 25?  ehlo OTHER-SERVER 25"],
                &["check"],
            ),
            (
                check("192.0.2.25", 587),
                &["answer on 587?  ehlo check OTHER-SERVER 587", "ehlo check 192.0.2.25 25", "on the way out of this network"],
                &["resolved", "is blocked", "it is 1"],
            ),
        ];
        for (place, there, missing) in table {
            let words = all(&diagnose(&silent, place));
            assert!(there.iter().all(|text| words.contains(text)) && !missing.iter().any(|text| words.contains(text)), "{words}");
        }
    }

    #[test]
    fn addresses_that_fail_in_different_ways_are_each_told_with_their_own() {
        // P43
        let address = |last| IpAddr::from([192, 0, 2, last]);
        let silent = Failure::ConnectTimedOut(Duration::from_secs(3));
        let failure = Failure::Unreached(vec![
            (address(18), Failure::Refused),
            (address(17), silent),
            (address(19), Failure::Refused),
            (address(20), Failure::NoRoute),
        ]);
        let ways = "192.0.2.18, 192.0.2.19 refused; 192.0.2.17 no answer; 192.0.2.20 no route";
        assert_eq!(failure.short(), format!("none of its 4 addresses can be connected to: {ways}"));
        assert_eq!(failure.class().status(), 4);
        let words = diagnose(&failure, &Place::new("both.alt.test", 25));
        assert_eq!(words.headline, format!("None of the 4 addresses of both.alt.test can be connected to on port 25: {ways}"));
        let all = all(&words);
        for text in [
            "192.0.2.18, 192.0.2.19: The host answered at once",
            "192.0.2.17: The name resolved. The connection request went out",
            "192.0.2.17: Port 25 is blocked",
            "192.0.2.20: A VPN is not up.",
            "is the service running",
        ] {
            assert!(all.contains(text), "{text}: {all}");
        }
        assert!(!all.contains("it is 1"), "{all}");
        assert_eq!(words.next.iter().filter(|advice| advice.contains("Does this one answer")).count(), 1);
    }

    #[test]
    fn a_host_that_cannot_be_reached_is_no_missing_route() {
        let words = |failure| all(&diagnose(&failure, &Place::new("192.0.2.25", 25)));
        assert!(words(Failure::HostUnreachable).contains("a firewall on the way"));
        assert!(!words(Failure::HostUnreachable).contains("oute from here"));
        assert!(words(Failure::NoRoute).contains("No route from here") && !words(Failure::NoRoute).contains("irewall"));
        assert!(words(Failure::Unusable("Invalid argument".to_owned())).contains("blackhole"));
        assert!(words(Failure::ConnectReset).contains("reset the connection as soon as it stood"));
    }

    #[test]
    fn the_ip_version_is_a_choice_for_names_only() {
        let words = |host| all(&diagnose(&Failure::NoRoute, &Place::new(host, 25)));
        assert!(words("mx.alt.test").contains("Try -4 or -6.") && !words("192.0.2.25").contains("-4"));
    }

    #[test]
    fn of_an_address_with_a_zone_the_interface_may_be_the_wrong_one() {
        let words = |failure, host| all(&diagnose(&failure, &Place::new(host, 25)));
        let named = "not reached by the interface 99, or there is none of that number";
        assert!(words(Failure::NoRoute, "fe80::1%99").contains(named));
        assert!(words(Failure::ConnectOther("No such device".to_owned()), "fe80::1%99").contains(named));
        assert!(!words(Failure::Refused, "fe80::1%99").contains("interface"));
        assert!(!words(Failure::NoRoute, "fe80::1").contains("interface"));
    }
}
