//! What several endpoints tell together: ports of one host, addresses of one name, mail servers of one domain.

use std::net::IpAddr;

use super::report::{Comparison, PhaseKind, Report};
use crate::explain::failure::Failure;
use crate::explain::notice;
use crate::text::printable_str;

/// An endpoint, as far as it is compared.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    host: String,
    port: u16,
    address: Option<IpAddr>,
    /// It is one of several addresses that are checked apart.
    apart: bool,
    domain: Option<String>,
    /// So many more mail servers the domain has.
    servers_left_out: usize,
    /// So many more addresses the host has.
    addresses_left_out: usize,
    how: How,
    short: String,
}

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It greeted, or connected where no greeting was wanted.
    Answers,
    /// It speaks, and does not let us in: a greeting that refuses, a certificate with faults.
    TurnsAway,
    /// Nothing came back to the request for a connection.
    Filtered,
    /// Nothing listens.
    Refused,
    /// Something else is wrong.
    Other,
}

impl Seen {
    fn is_dead(&self) -> bool {
        !matches!(self.how, How::Answers | How::TurnsAway)
    }

    pub(super) fn new(report: &Report, apart: bool) -> Self {
        let greeted = match report.phase(PhaseKind::Greeting) {
            Some(greeting) => greeting.ok,
            None => report.phase(PhaseKind::Connect).is_some_and(|connect| connect.ok) && report.verdict.failure.is_none(),
        };
        let spoke = report.reply(PhaseKind::Greeting).is_some() || report.time(PhaseKind::Handshake).is_some();
        let how = match &report.verdict.failure {
            _ if greeted => How::Answers,
            _ if spoke => How::TurnsAway,
            Some(Failure::ConnectTimedOut(_)) => How::Filtered,
            Some(Failure::Refused) => How::Refused,
            _ => How::Other,
        };
        Self {
            host: report.target.host.clone(),
            port: report.target.port,
            address: report.address.map(|address| address.ip()),
            apart,
            domain: report.domain.as_ref().map(|domain| domain.name.clone()),
            servers_left_out: report.domain.as_ref().map_or(0, |domain| domain.left_out),
            addresses_left_out: report.addresses_left_out,
            how,
            short: report.verdict.sentence.clone(),
        }
    }
}

/// What is to be said of endpoints that were named together, in their order; `None` when each says it all.
pub(super) fn compare(seen: &[Seen]) -> Option<Comparison> {
    let first = seen.first()?;
    let mut sentences = Vec::new();
    for host in distinct(seen, |one| &one.host) {
        let of_host: Vec<&Seen> = seen.iter().filter(|one| one.host == *host).collect();
        ports(host, &of_host, &mut sentences);
        for port in distinct(&of_host, |one| &one.port) {
            let of_port: Vec<&Seen> = of_host.iter().copied().filter(|one| one.port == *port && one.apart).collect();
            addresses(host, *port, &of_port, &mut sentences);
        }
    }
    if let Some(domain) = &first.domain {
        mail_servers(domain, seen, &mut sentences);
    }
    let name = first.domain.clone().unwrap_or_else(|| first.host.clone());
    (!sentences.is_empty()).then_some(Comparison { name, sentences })
}

/// Values in the order of their first appearance.
fn distinct<'a, T, K: PartialEq + ?Sized>(list: &'a [T], key: impl Fn(&'a T) -> &'a K) -> Vec<&'a K> {
    let mut found: Vec<&K> = Vec::new();
    for value in list.iter().map(key) {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn ports(host: &str, seen: &[&Seen], sentences: &mut Vec<String>) {
    let all = distinct(seen, |one| &one.port);
    if all.len() < 2 {
        return;
    }
    let host = printable_str(host);
    // Of several addresses the best counts.
    let best = |port: u16| seen.iter().filter(|one| one.port == port).map(|one| one.how).min_by_key(|how| *how as u8);
    let of = |how: How| all.iter().filter(|port| best(***port) == Some(how)).map(ToString::to_string).collect::<Vec<_>>();
    let answers =
        all.iter().filter(|port| matches!(best(***port), Some(How::Answers | How::TurnsAway))).map(ToString::to_string).collect::<Vec<_>>();
    let (filtered, refused) = (of(How::Filtered), of(How::Refused));
    let is_25 = |list: &[String]| if list.iter().any(|port| port == "25") { " (many networks let nobody out on port 25)" } else { "" };
    let (a, f, r) = (and(&answers), and(&filtered), and(&refused));
    let several = |list: &[String], one: &'static str, more: &'static str| if list.len() == 1 { one } else { more };
    let are_refused = format!("{r} {} refused", several(&refused, "is", "are"));
    let (port, be) = (several(&filtered, "port", "ports"), several(&filtered, "is", "are"));
    match (answers.is_empty(), filtered.is_empty(), refused.is_empty()) {
        (false, false, _) => sentences.push(format!(
            "{host}: nothing answers on {f}, and {a} {}: {port} {f} {be} filtered on the way or before the server{}.",
            several(&answers, "does", "do"),
            is_25(&filtered)
        )),
        (true, false, false) => sentences.push(format!(
            "{host}: {are_refused}, so the host is up; nothing answers on {f}: filtered on the way or before the server{}.",
            is_25(&filtered)
        )),
        (true, false, true) if filtered.len() == all.len() => {
            sentences.push(format!("{host}: no port of it answers: the host is down, or all that goes to it is filtered."));
        }
        (true, true, false) if refused.len() == all.len() => {
            sentences.push(format!("{host}: each port is refused: the host is up, and no mail service runs there."));
        }
        _ => {}
    }
    if !answers.is_empty() && !refused.is_empty() {
        sentences.push(format!(
            "{host}: {are_refused}, and {a} {}: the host is up, and nothing listens on {r}.",
            several(&answers, "answers", "answer")
        ));
    }
}

fn addresses(host: &str, port: u16, seen: &[&Seen], sentences: &mut Vec<String>) {
    if seen.len() < 2 {
        return;
    }
    if let Some(left_out) = seen.iter().map(|one| one.addresses_left_out).find(|count| *count > 0) {
        sentences.push(notice::addresses_left_out(host, seen.len(), left_out));
    }
    let host = printable_str(host);
    let dead: Vec<&&Seen> = seen.iter().filter(|one| one.is_dead()).collect();
    let alive = seen.len() - dead.len();
    let shown = |list: &[&&Seen]| {
        list.iter()
            .map(|one| format!("{} ({})", one.address.map(|ip| ip.to_string()).unwrap_or_default(), one.short))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let away: Vec<&&Seen> = seen.iter().filter(|one| one.how == How::TurnsAway).collect();
    if !away.is_empty() && away.len() < seen.len() {
        let (few, many) = (in_words(away.len()), in_words(seen.len()));
        let turn = if away.len() == 1 { "turns" } else { "turn" };
        sentences.push(format!("{host} port {port}: {few} of {many} addresses {turn} us away: {}.", shown(&away)));
    }
    if dead.is_empty() {
        return;
    }
    if alive == 0 {
        sentences.push(format!("{host} port {port}: none of its {} addresses answers.", seen.len()));
        return;
    }
    let list = shown(&dead);
    let six = |one: &Seen| one.address.is_some_and(|ip| ip.is_ipv6());
    let by_family = [true, false]
        .into_iter()
        .find(|family| dead.iter().all(|one| six(one) == *family) && seen.iter().all(|one| six(one) != *family || one.is_dead()));
    let family = match by_family {
        Some(true) => " IPv6 does not work there (or from here), IPv4 does.",
        Some(false) => " IPv4 does not work there (or from here), IPv6 does.",
        None => "",
    };
    let be = if dead.len() == 1 { "is" } else { "are" };
    let (few, many) = (in_words(dead.len()), in_words(seen.len()));
    sentences.push(format!(
        "{host} port {port}: {few} of {many} addresses {be} dead: {list}.{family} Who tries that first waits, or does not get through."
    ));
}

fn mail_servers(domain: &str, seen: &[Seen], sentences: &mut Vec<String>) {
    let hosts = distinct(seen, |one| &one.host);
    if let Some(left_out) = seen.iter().map(|one| one.servers_left_out).find(|count| *count > 0) {
        sentences.push(notice::mx_left_out(domain, hosts.len(), left_out));
    }
    if hosts.len() < 2 {
        return;
    }
    let domain = printable_str(domain);
    let alive = |host: &str| seen.iter().any(|one| one.host == host && !one.is_dead());
    let lets_in = |host: &str| seen.iter().any(|one| one.host == host && one.how == How::Answers);
    let why = |host: &str| seen.iter().find(|one| one.host == host).map(|one| one.short.clone()).unwrap_or_default();
    let dead: Vec<&&String> = hosts.iter().filter(|host| !alive(host)).collect();
    let next = hosts.iter().find(|host| alive(host));
    let away: Vec<&&String> = hosts.iter().filter(|host| alive(host) && !lets_in(host)).collect();
    if !away.is_empty() && away.len() < hosts.len() {
        let list = away.iter().map(|host| format!("{} ({})", printable_str(host), why(host))).collect::<Vec<_>>().join(", ");
        let turn = if away.len() == 1 { "turns" } else { "turn" };
        sentences.push(format!("{domain}: {} of {} mail servers {turn} us away: {list}.", in_words(away.len()), in_words(hosts.len())));
    }
    match (dead.first(), next) {
        (None, _) => {}
        (Some(_), None) => sentences.push(format!("{domain}: none of its {} mail servers answers: no mail arrives.", hosts.len())),
        (Some(first), Some(next)) if **first == hosts[0] => sentences.push(format!(
            "{domain}: its first mail server {} is dead ({}): mail is late and goes to {}.",
            printable_str(first),
            why(first),
            printable_str(next)
        )),
        (Some(_), Some(_)) => {
            let list = dead.iter().map(|host| format!("{} ({})", printable_str(host), why(host))).collect::<Vec<_>>().join(", ");
            let be = if dead.len() == 1 { "is" } else { "are" };
            sentences.push(format!("{domain}: {} of {} mail servers {be} dead: {list}.", in_words(dead.len()), in_words(hosts.len())));
        }
    }
}

fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

fn in_words(count: usize) -> String {
    ["no", "one", "two", "three", "four", "five", "six"].get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(host: &str, port: u16, address: &str, how: How) -> Seen {
        let short = match how {
            How::Answers => "ok",
            How::TurnsAway => "greets with a refusal (554)",
            How::Filtered => "no answer",
            How::Refused => "connection refused",
            How::Other => "the name does not exist",
        };
        let address = address.parse().ok();
        Seen {
            host: host.to_owned(),
            port,
            address,
            apart: address.is_some(),
            domain: None,
            servers_left_out: 0,
            addresses_left_out: 0,
            how,
            short: short.to_owned(),
        }
    }

    fn said(list: &[Seen]) -> String {
        compare(list).map(|comparison| comparison.sentences.join(" ")).unwrap_or_default()
    }

    #[test]
    fn ports_of_a_host_explain_each_other() {
        use How::{Answers, Filtered, Other, Refused, TurnsAway};
        let table: &[(&[(u16, How)], &str)] = &[
            (&[(465, Filtered), (587, TurnsAway)], "mx: nothing answers on 465, and 587 does: port 465 is filtered"),
            (&[(25, Answers), (587, Answers)], ""),
            (&[(25, Filtered)], ""),
            (
                &[(25, Filtered), (587, Answers)],
                "mx: nothing answers on 25, and 587 does: port 25 is filtered on the way or before the server (many",
            ),
            (
                &[(465, Filtered), (587, Answers)],
                "mx: nothing answers on 465, and 587 does: port 465 is filtered on the way or before the server.",
            ),
            (&[(25, Refused), (587, Answers)], "mx: 25 is refused, and 587 answers: the host is up, and nothing listens on 25."),
            (&[(25, Filtered), (587, Filtered)], "mx: no port of it answers: the host is down"),
            (&[(25, Refused), (587, Refused)], "mx: each port is refused: the host is up"),
            (&[(25, Filtered), (587, Refused)], "mx: 587 is refused, so the host is up; nothing answers on 25: filtered"),
            (&[(25, Other), (587, Other)], ""),
            (
                &[(25, Filtered), (465, Filtered), (587, Answers), (588, Answers)],
                "mx: nothing answers on 25 and 465, and 587 and 588 do: ports 25 and 465 are filtered on the way",
            ),
            (&[(25, Refused), (26, Refused), (587, Answers)], "mx: 25 and 26 are refused, and 587 answers: the host is up, and nothing"),
        ];
        for (ports, want) in table {
            let list: Vec<Seen> = ports.iter().map(|(port, how)| seen("mx", *port, "", *how)).collect();
            let got = said(&list);
            assert!(got.starts_with(want) && got.is_empty() == want.is_empty(), "{ports:?}: {got}");
        }
    }

    #[test]
    fn a_dead_address_is_told_from_a_dead_family() {
        use How::{Answers, Filtered, Refused, TurnsAway};
        let table: &[(&[(&str, How)], &str)] = &[
            (&[("192.0.2.1", TurnsAway), ("192.0.2.2", TurnsAway)], ""),
            (
                &[("192.0.2.1", Answers), ("192.0.2.2", TurnsAway)],
                "mx port 25: one of two addresses turns us away: 192.0.2.2 (greets with a refusal (554)).",
            ),
            (&[("192.0.2.1", Answers), ("192.0.2.2", Answers)], ""),
            (
                &[("192.0.2.1", Answers), ("192.0.2.2", Refused)],
                "mx port 25: one of two addresses is dead: 192.0.2.2 (connection refused). Who tries",
            ),
            (
                &[("2001:db8::1", Filtered), ("192.0.2.2", Answers)],
                "mx port 25: one of two addresses is dead: 2001:db8::1 (no answer). IPv6 does not",
            ),
            (&[("2001:db8::1", Filtered), ("192.0.2.2", Refused)], "mx port 25: none of its 2 addresses answers."),
        ];
        for (addresses, want) in table {
            let list: Vec<Seen> = addresses.iter().map(|(address, how)| seen("mx", 25, address, *how)).collect();
            let got = said(&list);
            assert!(got.starts_with(want) && got.is_empty() == want.is_empty(), "{addresses:?}: {got}");
        }
    }

    #[test]
    fn mail_servers_are_compared_in_their_order() {
        use How::{Answers, Filtered, TurnsAway};
        let table: &[(&[How], &str)] = &[
            (&[TurnsAway, TurnsAway], ""),
            (&[TurnsAway, Answers], "contoso.test: one of two mail servers turns us away: mx0 (greets with a refusal (554))."),
            (&[Answers, Answers], ""),
            (&[Filtered, Answers], "contoso.test: its first mail server mx0 is dead (no answer): mail is late and goes to mx1."),
            (&[Answers, Filtered], "contoso.test: one of two mail servers is dead: mx1 (no answer)."),
            (&[Filtered, Filtered], "contoso.test: none of its 2 mail servers answers: no mail arrives."),
        ];
        for (hosts, want) in table {
            let one = |(at, how): (usize, &How)| Seen { domain: Some("contoso.test".to_owned()), ..seen(&format!("mx{at}"), 25, "", *how) };
            let list: Vec<Seen> = hosts.iter().enumerate().map(one).collect();
            assert_eq!(said(&list), *want, "{hosts:?}");
        }
    }
}
