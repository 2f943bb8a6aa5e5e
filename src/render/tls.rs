//! What TLS brought, for a person.

use super::style::Row;
use crate::explain::certificate::{Kind, advice};
use crate::net::tls::certificate::Certificate;
use crate::net::tls::verdict::Fault;
use crate::net::tls::{TlsCause, TlsFailure, TlsOptions, TlsReport};
use crate::text::{printable, printable_str};

/// The rows after a handshake: one line when all is well, else every fault and what it means.
pub fn report(report: &TlsReport, now: i64) -> Vec<Row> {
    let mut rows = Vec::new();
    let session = report.session();
    let Some(leaf) = report.chain.first() else { return vec![Row::note(session)] };
    if report.is_verified() {
        rows.push(Row::note(format!("{session}; certificate of {} verified, {} days left.", leaf.common_name, leaf.days_left(now))));
    } else {
        for fault in &report.faults {
            rows.push(Row::warning(sentence(fault, now)));
        }
        rows.push(Row::block(format!("Subject  {:<28} Issuer  {}", leaf.common_name, leaf.issuer_name)));
        if !leaf.names.is_empty() {
            rows.extend(hanging("Names    ", &list(&leaf.names)).into_iter().map(Row::block));
        }
        rows.push(Row::block(format!("Key      {}, {}", leaf.key, leaf.signature)));
        rows.push(Row::block(format!("Serial   {}", leaf.serial)));
        rows.push(Row::block(format!("Session  {session}")));
        if let Some(fault) = report.faults.first() {
            rows.push(Row::hint(advice(kind(fault))));
        }
    }
    if report.client_certificate_asked.is_some() && !report.client_certificate_given {
        rows.push(Row::note("The server asked for a certificate of ours, and none was given (--cert FILE, --key FILE)."));
    }
    rows
}

/// Everything, as `:tls` shows it.
pub fn details(report: &TlsReport, now: i64) -> Vec<Row> {
    let yes_no = |given: bool| if given { "given" } else { "not given" };
    let mut lines = vec![
        format!("Session     {}, {}", report.version, report.suite),
        format!("Exchange    {}", if report.group.is_empty() { "not known" } else { &report.group }),
        format!("Handshake   {}, {}", report.kind, super::human::duration(report.took)),
        format!("Name sent   {}", report.sni.as_deref().map_or_else(|| "none (SNI)".to_owned(), |name| printable_str(name).into_owned())),
        format!("ALPN        {}", report.alpn.as_deref().map_or_else(|| "none".to_owned(), |alpn| printable(alpn).into_owned())),
        format!("OCSP        {}", if report.ocsp > 0 { format!("stapled, {} bytes", report.ocsp) } else { "not stapled".to_owned() }),
    ];
    lines.push(match report.client_certificate_asked {
        None => "Client      no certificate of ours was asked for".to_owned(),
        Some(issuers) => {
            format!("Client      our certificate was asked for ({issuers} issuers named), {}", yes_no(report.client_certificate_given))
        }
    });
    for (at, certificate) in report.chain.iter().enumerate() {
        lines.push(String::new());
        lines.extend(describe(at, report.chain.len(), certificate, now));
    }
    let mut rows: Vec<Row> = lines.into_iter().map(Row::block).collect();
    if report.is_verified() {
        rows.push(Row::note("Chain, name and dates are verified."));
    }
    for fault in &report.faults {
        rows.push(Row::warning(sentence(fault, now)));
        rows.push(Row::hint(advice(kind(fault))));
    }
    rows
}

fn describe(at: usize, of: usize, certificate: &Certificate, now: i64) -> Vec<String> {
    let mut lines = vec![format!("Certificate {} of {of}", at + 1)];
    if let Some(words) = &certificate.unreadable {
        lines.push(format!("Unreadable  {words}"));
        lines.push(format!("SHA-256     {}", certificate.sha256));
        return lines;
    }
    let left = certificate.days_left(now);
    let life = if left >= 0 { format!("{left} days left") } else { format!("ended {} ago", days((now - certificate.not_after) / 86_400)) };
    lines.extend(hanging("Subject     ", &certificate.subject));
    if !certificate.names.is_empty() {
        lines.extend(hanging("Names       ", &list(&certificate.names)));
    }
    lines.extend(hanging("Issuer      ", &certificate.issuer));
    lines.push(format!("Valid       {} to {} ({life})", date(certificate.not_before), date(certificate.not_after)));
    lines.push(format!("Key         {}, signed with {}", certificate.key, certificate.signature));
    lines.push(format!("Serial      {}", certificate.serial));
    lines.push(format!("SHA-256     {}", certificate.sha256));
    lines.push(format!("TLSA 3 1 1  {}", certificate.spki_sha256));
    lines
}

/// A label and a long text below which it goes on indented.
fn hanging(label: &str, text: &str) -> Vec<String> {
    let rows = crate::text::wrap(text, 77 - label.len());
    rows.iter()
        .enumerate()
        .map(|(at, row)| if at == 0 { format!("{label}{row}") } else { format!("{}{row}", " ".repeat(label.len())) })
        .collect()
}

/// A fault in one sentence.
pub fn sentence(fault: &Fault, now: i64) -> String {
    match fault {
        Fault::Unreadable(words) => format!("The certificate cannot be read: {}.", printable_str(words)),
        Fault::Expired { at } => format!("The certificate expired {} ago ({} UTC).", days((now - at) / 86_400), date(*at)),
        Fault::NotYetValid { from } => {
            format!("The certificate is not valid yet: it begins in {} ({} UTC).", days((from - now) / 86_400), date(*from))
        }
        Fault::IssuerExpired(name) => format!("The certificate of its issuer {} has expired.", printable_str(name)),
        Fault::WrongName { wanted, names, common_name_matches } => {
            let wanted = printable_str(wanted);
            if *common_name_matches {
                format!("The certificate names {wanted} only as its common name, which is not looked at any more: it has no DNS names.")
            } else {
                format!("The certificate is not for {wanted}: it is for {}.", list(names))
            }
        }
        Fault::SelfSigned => "The certificate is self-signed: nobody vouches for it.".to_owned(),
        Fault::UnknownIssuer { issuer, roots } if *roots == 0 => {
            format!("The certificate cannot be verified: this machine has no root certificates (issuer {}).", printable_str(issuer))
        }
        Fault::UnknownIssuer { issuer, .. } => format!("The certificate's issuer {} is not known here.", printable_str(issuer)),
        Fault::MissingIntermediate { issuer } => {
            format!(
                "The server sends its own certificate alone, and its issuer {} is no root known here: an intermediate certificate is missing, or the authority is private.",
                printable_str(issuer)
            )
        }
        Fault::CaAsServer => "The certificate is that of an authority (CA), not of a server.".to_owned(),
        Fault::OldVersion(version) => format!("The certificate is of X.509 version {version}; version 3 is wanted."),
        Fault::WeakKey(bits) => format!("The key is too short: RSA of {bits} bits; 2048 are wanted."),
        Fault::WeakSignature(name) => format!("The certificate is signed with {}, which can be forged.", printable_str(name)),
        Fault::WrongUsage => "The certificate is not meant for servers.".to_owned(),
        Fault::WronglySigned { issuer } => format!(
            "The certificate is not signed by the {} that is known here: by another of that name, or it was changed.",
            printable_str(issuer)
        ),
        Fault::BadSignature => "A signature is wrong: certificate and key do not belong together.".to_owned(),
        Fault::Other(words) => format!("The certificate is not accepted: {}.", printable_str(words)),
    }
}

fn kind(fault: &Fault) -> Kind {
    match fault {
        Fault::Unreadable(_) => Kind::Unreadable,
        Fault::Expired { .. } => Kind::Expired,
        Fault::NotYetValid { .. } => Kind::NotYetValid,
        Fault::IssuerExpired(_) => Kind::IssuerExpired,
        Fault::WrongName { .. } => Kind::WrongName,
        Fault::SelfSigned => Kind::SelfSigned,
        Fault::UnknownIssuer { .. } => Kind::UnknownIssuer,
        Fault::MissingIntermediate { .. } => Kind::MissingIntermediate,
        Fault::CaAsServer => Kind::CaAsServer,
        Fault::OldVersion(_) => Kind::OldVersion,
        Fault::WeakKey(_) => Kind::WeakKey,
        Fault::WeakSignature(_) => Kind::WeakSignature,
        Fault::WrongUsage => Kind::WrongUsage,
        Fault::WronglySigned { .. } => Kind::WronglySigned,
        Fault::BadSignature => Kind::BadSignature,
        Fault::Other(_) => Kind::Other,
    }
}

/// Why there is no TLS.
pub fn failure(failure: &TlsFailure, options: &TlsOptions) -> Vec<Row> {
    let (sentence, advice) = match &failure.cause {
        TlsCause::Alert(name) => {
            (format!("The server ended the TLS handshake with the alert {}.", printable_str(name)), alert_advice(name, options))
        }
        TlsCause::Closed => (
            "The server closed the connection in the TLS handshake.".to_owned(),
            "An old server that cannot agree, or a device on the way that forbids TLS.",
        ),
        TlsCause::Reset => (
            "The connection was reset in the TLS handshake.".to_owned(),
            "An old server that cannot agree, or a device on the way that forbids TLS.",
        ),
        TlsCause::NotTls(head) if head.starts_with(b"220") => (
            format!("What answered is not TLS but: \"{}\"", printable(head.trim_ascii_end())),
            "This port begins in plain text: leave out --tls; -S encrypts it by STARTTLS.",
        ),
        TlsCause::NotTls(head) => (
            format!("What answered is not TLS but: \"{}\"", printable(head.trim_ascii_end())),
            "The server goes on in plain text although it agreed to TLS: it is broken, or a device on the way interferes.",
        ),
        TlsCause::Incompatible(what) => (
            format!("The server and this program have no TLS in common ({}).", printable_str(what)),
            "The server's TLS is too old or too narrow.",
        ),
        TlsCause::TimedOut(after) => (
            format!("The TLS handshake did not end within {}.", super::human::duration(*after)),
            "The server does not answer the first message: a device on the way may swallow it.",
        ),
        TlsCause::Options(words) | TlsCause::Other(words) => (format!("TLS could not be started: {}.", printable_str(words)), ""),
    };
    let mut rows = vec![Row::warning(sentence)];
    if failure.client_certificate_asked {
        rows.push(Row::note("Before that it asked for a certificate of ours (--cert FILE, --key FILE)."));
    }
    if !advice.is_empty() {
        rows.push(Row::hint(advice));
    }
    rows
}

fn alert_advice(name: &str, options: &TlsOptions) -> &'static str {
    match name {
        "protocol_version" | "handshake_failure" if options.is_narrowed() => {
            "Nothing in common with what --tls-min, --tls-max and --tls-groups leave over: try without them."
        }
        "unrecognized_name" | "handshake_failure" if options.no_sni => "The server may want a name, and none was sent: leave out --no-sni.",
        "protocol_version" => {
            "The server speaks only TLS 1.0 or 1.1, which this program does not: they are broken (RFC 8996). Update the server."
        }
        "handshake_failure" => "Nothing in common: the server wants old ciphers, or a certificate of ours, or does not like the name sent.",
        "unrecognized_name" => "The server has no certificate for the name that was sent: --servername NAME asks for another.",
        "certificate_required" | "bad_certificate" => "The server wants a certificate of ours: --cert FILE, --key FILE.",
        "unknown_ca" | "certificate_unknown" => "The server does not accept the issuer of our certificate.",
        _ => "",
    }
}

/// Days in words.
fn days(count: i64) -> String {
    match count {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    }
}

/// `2026-11-11 23:59:59`.
fn date(seconds: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => {
            format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", at.year(), u8::from(at.month()), at.day(), at.hour(), at.minute(), at.second())
        }
        Err(_) => "an impossible date".to_owned(),
    }
}

/// Names, the first ten.
fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(10).map(|name| printable_str(name).into_owned()).collect();
    let more = if names.len() > 10 { format!(" and {} more", names.len() - 10) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
