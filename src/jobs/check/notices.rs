//! What is worth noticing in a check that went well, or went some way.

use std::net::SocketAddr;
use std::time::Duration;

use super::options::{Options, Through};
use super::report::{Notice, NoticeKind, PhaseKind, Report};
use super::words;
use crate::explain::route::MX_NAMES_OWN_MACHINE;
use crate::explain::{notice, talk};
use crate::host::{is_loopback, is_own_machine, shown_ip};
use crate::net::dial::Route;
use crate::target::Protocol;
use crate::text::{self, printable_str};
use crate::wire::keyword::Capabilities;

/// A reply that takes longer is told.
const SLOW: Duration = Duration::from_secs(10);

/// All of them, warnings first.
pub(super) fn all(report: &Report, options: &Options) -> Vec<Notice> {
    let mut found = Found(Vec::new());
    greeting(report, &mut found);
    hello(report, options, &mut found);
    tls(report, options, &mut found);
    relaying(report, options, &mut found);
    slow(report, options, &mut found);
    way(report, options, &mut found);
    names(report, &mut found);
    found.0.sort_by_key(|notice| !notice.is_warning());
    found.0
}

struct Found(Vec<Notice>);

impl Found {
    fn add(&mut self, kind: NoticeKind, short: impl Into<String>, text: impl Into<String>) {
        let notice = Notice { kind, text: text.into(), short: short.into() };
        if !self.0.contains(&notice) {
            self.0.push(notice);
        }
    }
}

fn greeting(report: &Report, found: &mut Found) {
    let Some(reply) = report.reply(PhaseKind::Greeting) else { return };
    if let Some(text) = notice::masked(reply) {
        found.add(NoticeKind::MaskedGreeting, "masked greeting", text);
    } else if let Some(text) = notice::internal(reply, &report.target.host) {
        found.add(NoticeKind::InternalName, "internal name in the greeting", text);
    }
    let replies = [Some(reply), report.reply(PhaseKind::Hello)];
    for reply in replies.into_iter().flatten() {
        for oddity in &reply.oddities {
            found.add(NoticeKind::Odd, "odd reply", notice::oddity(*oddity, reply));
        }
    }
}

fn hello(report: &Report, options: &Options, found: &mut Found) {
    if let Some(refusal) = report.hello_refusal() {
        let code = refusal.status().map_or_else(|| refusal.code.to_string(), |status| format!("{} {status}", refusal.code));
        found.add(NoticeKind::OnlyHelo, format!("only HELO: EHLO refused ({code})"), notice::only_helo(refusal));
    }
    if let Some(text) = report.last_offer().map(notice::overwritten).unwrap_or_default().into_iter().next() {
        found.add(NoticeKind::MaskedKeywords, "masked keywords", text);
    }
    // What is spoken inside a machine or a data centre is often without.
    let outside = report.target.protocol == Protocol::Smtp && report.target.socket.is_none();
    // Who does not go as far as TLS misses nothing.
    let Some(offer) = report.offer.as_ref().filter(|_| options.through >= Through::Tls) else { return };
    let mechanisms = offer.mechanisms();
    let exposed =
        mechanisms.iter().any(|name| crate::sasl::lookup(name).is_some_and(|known| known.exposes == crate::sasl::Exposure::Secret));
    if !offer.has("STARTTLS") {
        if outside {
            let login = if exposed { " Logins are offered all the same: passwords can be read on the way." } else { "" };
            let text =
                format!("STARTTLS is not offered: nothing is encrypted. It is not configured, or a device on the way takes it out.{login}");
            found.add(NoticeKind::NoStartTls, "no STARTTLS", text);
        }
        return;
    }
    match &report.offer_in_tls {
        Some(inside) if inside.mechanisms().is_empty() && !mechanisms.is_empty() => {
            found.add(NoticeKind::LoginOnlyOutsideTls, "login only outside TLS", "A login is offered before STARTTLS and none inside TLS.");
        }
        Some(_) if exposed => {
            found.add(
                NoticeKind::LoginOutsideTlsToo,
                "login outside TLS too",
                "Passwords are taken outside TLS too: a client that is not set to demand TLS sends them in clear.",
            );
        }
        _ => {}
    }
}

/// The relay test went well: the server refused the recipient because it does not relay.
fn relaying(report: &Report, options: &Options, found: &mut Found) {
    let Some(reply) = report.reply(PhaseKind::Recipient).filter(|reply| options.relay_test && reply.is_refusal()) else { return };
    if report.phase(PhaseKind::Recipient).is_some_and(|phase| phase.ok) {
        let text = format!("It does not relay for {}, as it should be. {}", printable_str(&options.recipient), talk::said(reply));
        found.add(NoticeKind::RelayRefused, "relay refused", text);
    }
}

fn tls(report: &Report, options: &Options, found: &mut Found) {
    if report.offer_in_tls.as_ref().is_some_and(|offer| offer.has("STARTTLS")) {
        found.add(NoticeKind::StartTlsInTls, "STARTTLS inside TLS", notice::STARTTLS_AGAIN);
    }
    let Some(tls) = &report.tls else { return };
    let now = words::now();
    if options.insecure {
        for (_, words) in tls.trust.faults().iter().map(|fault| words::fault(fault, now)) {
            found.add(NoticeKind::Certificate, words.clone(), format!("In spite of -k: {words}."));
        }
    }
    // That it ends is news of a certificate with other faults too, where those are passed over.
    let counts = tls.is_verified() || options.insecure && !tls.trust.is_expired();
    if let Some(certificate) = tls.certificate.as_ref().filter(|certificate| counts && certificate.days_left < options.warn_days) {
        let left = text::days(certificate.days_left);
        found.add(NoticeKind::CertificateEnds, format!("cert ends in {left}"), format!("The certificate ends in {left}: renew it."));
    }
    if tls.client_certificate_asked {
        found.add(
            NoticeKind::ClientCertificateAsked,
            "asks for a certificate",
            "The server asked for a certificate of ours, and went on without one.",
        );
    }
}

fn slow(report: &Report, options: &Options, found: &mut Found) {
    for phase in report.phases.iter().filter(|phase| phase.ok && phase.took > SLOW) {
        let (name, took) = (phase.kind.name(), phase.took.as_secs());
        let why = match phase.kind {
            PhaseKind::Resolve => "a name server that is asked first may be dead",
            PhaseKind::Connect => "packets are lost, or an address that is tried first is dead",
            PhaseKind::Proxy => "the proxy, or its way to the server",
            PhaseKind::Handshake | PhaseKind::Certificate => "the server is loaded, or packets are lost",
            _ => "a delay on purpose (tarpit), or a wait for a name server or block list",
        };
        let text = format!("The phase {name} took {took} s: {why}. Clients with less patience give up.");
        found.add(NoticeKind::Slow, format!("slow {name}"), text);
    }
    if let Some(limit) = options.warn_after.filter(|limit| report.took > *limit) {
        let text = format!("All took {} ms, and {} ms is what --warn allows.", report.took.as_millis(), limit.as_millis());
        found.add(NoticeKind::Slow, "slow", text);
    }
}

/// About the way: dead addresses, MX records.
fn way(report: &Report, options: &Options, found: &mut Found) {
    let reached = report.attempts.iter().any(|tried| tried.cause.is_none());
    for tried in report.attempts.iter().filter(|_| reached) {
        if let Some(cause) = &tried.cause {
            let (ip, words) = (shown_ip(&tried.address), words::cause(cause));
            let whose = if matches!(options.dial.route, Route::Proxy(_)) { "proxy" } else { "host" };
            let text = format!("{ip} port {}: {words}. Another address of the {whose} answers.", tried.address.port());
            found.add(NoticeKind::DeadAddress, format!("{ip}: {words}"), text);
        }
    }
    for address in &report.passed_over {
        let (ip, port) = (shown_ip(address), address.port());
        let text = format!("{ip} port {port} had not answered when another address connected: --all-addresses tells whether it is dead.");
        found.add(NoticeKind::SilentAddress, format!("{ip}: no answer yet"), text);
    }
    // Of each address of a host that is checked by itself the comparison tells.
    if report.addresses_left_out > 0 && !options.all_addresses {
        let text = notice::addresses_left_out(&report.target.host, report.addresses.len(), report.addresses_left_out);
        found.add(NoticeKind::AddressesLeftOut, format!("{} more addresses", report.addresses_left_out), text);
    }
    let Some(domain) = &report.domain else { return };
    if report.is_own_machine_by_mx() {
        found.add(NoticeKind::MailDomain, MX_NAMES_OWN_MACHINE, notice::mx_names_own_machine(&report.target.host));
    } else if !is_own_machine(&report.target.host) {
        mail_server_address(report, found);
    }
    let Some(domain) = Some(domain).filter(|domain| !domain.implicit) else { return };
    if let Some(alias) = report.aliases.last() {
        let text = format!(
            "{} is an alias (CNAME) of {}: an MX record must not name an alias (RFC 2181 section 10.3), and some senders do not follow it.",
            printable_str(&report.target.host),
            printable_str(alias)
        );
        found.add(NoticeKind::MailDomain, "MX names an alias", text);
    }
    if domain.null_among_others {
        let text = format!(
            "One MX record of {} is \"0 .\", which must stand alone (RFC 7505): senders may give up or pass over it. Delete it.",
            printable_str(&domain.name)
        );
        found.add(NoticeKind::MailDomain, "null MX among others", text);
    }
    if report.target.address().is_some() {
        let text = format!(
            "The MX record of {} names an address, and must name a host (RFC 5321 section 5.1): senders do not find it.",
            printable_str(&domain.name)
        );
        found.add(NoticeKind::MailDomain, "MX names an address", text);
    }
}

/// A mail server at an address that leads others elsewhere, or nowhere: the one that was reached, or another one of it.
fn mail_server_address(report: &Report, found: &mut Found) {
    let mut all = report.address.iter().chain(&report.addresses).map(SocketAddr::ip);
    let itself = |address| report.reached_itself && report.address.is_some_and(|reached| reached.ip() == address);
    let remark = |address| notice::mx_address(&report.target.host, address, itself(address)).map(|text| (address, text));
    let Some((address, text)) = all.find_map(remark) else { return };
    let short = match () {
        () if is_loopback(address) => "loopback address",
        () if itself(address) => "this machine itself",
        () => "private address",
    };
    found.add(NoticeKind::MailServerAddress, short, text);
}

/// The names by which the server is known.
fn names(report: &Report, found: &mut Found) {
    let Some(greeted) = report.reply(PhaseKind::Greeting).and_then(|reply| name_of(reply.first_text())) else {
        return;
    };
    let hello = [&report.offer, &report.offer_in_tls].into_iter().flatten().find_map(|offer: &Capabilities| name_of(offer.greeting()));
    if let Some(hello) = hello.filter(|hello| !hello.eq_ignore_ascii_case(greeted)) {
        let (greeted, hello) = (printable_str(greeted), printable_str(hello));
        let text =
            format!("The greeting says {greeted}, the reply to EHLO {hello}: a proxy answers for one of them, or two settings differ.");
        found.add(NoticeKind::OtherNameInHello, "two names", text);
    }
    let Some(reverse) = &report.reverse_names else { return };
    if reverse.is_empty() {
        found.add(NoticeKind::ReverseName, "no PTR", "The address has no name (PTR): mail that this server sends is often refused.");
    } else if !reverse.iter().any(|name| name.eq_ignore_ascii_case(greeted)) {
        let text =
            format!("The address is named {} (PTR), and the greeting says {}.", printable_str(&reverse.join(", ")), printable_str(greeted));
        found.add(NoticeKind::ReverseName, "PTR is another name", text);
    }
}

/// The first word, if it may be the name of a host.
fn name_of(text: &[u8]) -> Option<&str> {
    let first = text.split(|&byte| byte == b' ').next().unwrap_or_default();
    let fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if first.contains(&b'.') && first.iter().all(fine) { std::str::from_utf8(first).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::options::Endpoint;
    use super::super::report::MailDomain;
    use super::*;
    use crate::target::Target;

    #[test]
    fn a_mail_server_at_an_address_that_others_cannot_use_is_remarked_on() {
        let remarks = |reached: &str, others: &[&str], itself: bool| {
            let domain = MailDomain {
                name: "a.test".to_owned(),
                preference: 10,
                implicit: false,
                null_among_others: false,
                left_out: 0,
                took: Duration::ZERO,
            };
            let mut report = Report::of(&Endpoint { domain: Some(domain), ..Endpoint::new(Target::new("mx.a.test", 25)) });
            report.address = reached.parse().ok();
            report.addresses = others.iter().map(|address| address.parse().unwrap()).collect();
            report.reached_itself = itself;
            let mut found = Found(Vec::new());
            mail_server_address(&report, &mut found);
            found.0.into_iter().map(|notice| (notice.short, notice.text, notice.kind.is_warning())).next()
        };
        let table: &[(&str, &[&str], bool, &str, &str)] = &[
            ("192.0.2.1:25", &[], false, "", ""),
            ("192.0.2.1:25", &[], true, "this machine itself", "mx.a.test is 192.0.2.1, an address of this machine itself."),
            ("127.0.0.1:25", &[], true, "loopback address", "mx.a.test is 127.0.0.1, a loopback address"),
            ("10.0.0.1:25", &[], false, "private address", "mx.a.test is 10.0.0.1, a private address"),
            ("[fd00::1]:25", &[], false, "private address", "mx.a.test is fd00::1, a private address"),
            // Another one was reached, and this one is as bad for who tries it.
            ("192.0.2.1:25", &["192.0.2.1:25", "10.0.0.1:25"], false, "private address", "mx.a.test is 10.0.0.1, a private address"),
            ("", &["10.0.0.1:25", "10.0.0.2:25"], false, "private address", "mx.a.test is 10.0.0.1, a private address"),
        ];
        for (reached, others, itself, short, text) in table {
            match remarks(reached, others, *itself) {
                None => assert!(short.is_empty(), "{reached} {others:?}"),
                Some((word, sentence, warns)) => {
                    assert!(word == *short && sentence.starts_with(text) && !text.is_empty() && !warns, "{reached}: {word}: {sentence}");
                }
            }
        }
    }
}
