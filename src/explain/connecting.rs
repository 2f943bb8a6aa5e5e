//! Why no connection came about.

use super::failure::{Diagnosis, Failure, diagnosis, seconds};
use super::place::Place;
use crate::text::printable_str;

/// Networks that let nobody out let nobody out here.
const BLOCKED: u16 = 25;

/// Puts it into words.
pub(super) fn diagnose(failure: &Failure, place: &Place) -> Diagnosis {
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
            format!("No route to {at}"),
            "This machine or a router on the way knows no path to the address.",
            &[
                "This machine has no network, or none of this IP version.",
                "A VPN is not up.",
                "A firewall answers that the host cannot be reached.",
            ],
            if place.is_name() { &["Does any other host answer?", "Try -4 or -6."] } else { &["Does any other host answer?"] },
        ),
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
    if place.port() == BLOCKED { "From another network?  Then it is 1, else 2 or 3." } else { "From another network, is it the same?" }
}

/// The port for the other kind of mail.
pub(super) fn other_port(place: &Place) -> String {
    let other = if place.port() == 25 { 587 } else { 25 };
    format!("Does this one answer on {other}?  {} {} {other}", place.program(), place.host())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn all(words: &Diagnosis) -> String {
        [vec![words.headline.clone(), words.happened.clone()], words.likely.clone(), words.next.clone()].concat().join("\n")
    }

    #[test]
    fn a_silent_address_is_explained_by_what_it_is() {
        let silent = Failure::ConnectTimedOut(Duration::from_secs(3));
        let check = |host, port| Place::new(host, port).in_check();
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
    fn the_ip_version_is_a_choice_for_names_only() {
        let words = |host| all(&diagnose(&Failure::NoRoute, &Place::new(host, 25)));
        assert!(words("mx.alt.test").contains("Try -4 or -6.") && !words("192.0.2.25").contains("-4"));
    }
}
