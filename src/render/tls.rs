//! What TLS brought, for a person.

use super::style::Row;
use crate::explain::certificate::{Kind, advice};
use crate::explain::old_tls::OldTls;
use crate::net::tls::certificate::Certificate;
use crate::net::tls::verdict::Fault;
use crate::net::tls::{TlsCause, TlsFailure, TlsOptions, TlsReport};
use crate::text::{printable, printable_str};
use crate::wire::foreign;
use crate::wire::reply::looks_like_reply;

/// The rows after a handshake: one line when all is well, else every fault and what it means.
pub fn report(report: &TlsReport, now: i64) -> Vec<Row> {
    let session = report.session();
    let mut rows = match report.chain.first() {
        None => vec![Row::note(session)],
        Some(leaf) if report.is_verified() => {
            vec![Row::note(format!("{session}; certificate of {} verified, {} days left.", leaf.common_name, leaf.days_left(now)))]
        }
        Some(leaf) => faulty(report, leaf, now),
    };
    if report.lacks_client_certificate() {
        rows.push(Row::note("The server asked for a certificate of ours, and none was given (--cert FILE, --key FILE)."));
    }
    rows
}

/// Every fault, the certificate in short, then what the faults mean.
fn faulty(report: &TlsReport, leaf: &Certificate, now: i64) -> Vec<Row> {
    let mut rows: Vec<Row> = report.trust.faults().iter().map(|fault| Row::warning(sentence(fault, now))).collect();
    let mut field = |label: &str, text: &str| rows.push(Row::field(&format!("{label:<9}"), text));
    field("Subject", &leaf.common_name);
    if !leaf.names.is_empty() {
        field("Names", &list(&leaf.names));
    }
    field("Issuer", &leaf.issuer_name);
    field("Key", &format!("{}, {}", leaf.key, leaf.signature));
    field("Serial", &leaf.serial);
    field("Session", &report.session());
    let mut meanings: Vec<&str> = report.trust.faults().iter().map(|fault| advice(kind(fault))).collect();
    meanings.dedup();
    rows.extend(meanings.into_iter().map(Row::hint));
    rows
}

/// Everything, as `:tls` shows it.
pub fn details(report: &TlsReport, now: i64) -> Vec<Row> {
    let mut rows = session(report);
    for (at, certificate) in report.chain.iter().enumerate() {
        rows.push(Row::block(""));
        rows.extend(describe(at, report.chain.len(), certificate, now));
    }
    if report.is_verified() {
        rows.push(Row::note("Chain, name, dates and the signature of the handshake are verified."));
    }
    for fault in report.trust.faults() {
        rows.push(Row::warning(sentence(fault, now)));
        rows.push(Row::hint(advice(kind(fault))));
    }
    rows
}

/// What was negotiated.
fn session(report: &TlsReport) -> Vec<Row> {
    let ours = match (report.client_certificate_asked, report.client_certificate_given) {
        (None, _) if report.through_openssl => "not known whether a certificate of ours was asked for".to_owned(),
        (None, _) => "no certificate of ours was asked for".to_owned(),
        (Some(issuers), given) => {
            let issuers = if issuers == 1 { "1 issuer".to_owned() } else { format!("{issuers} issuers") };
            format!("our certificate was asked for ({issuers} named), {}", if given { "given" } else { "not given" })
        }
    };
    let fields = [
        ("Session", format!("{}, {}", report.version, report.suite)),
        ("Exchange", if report.group.is_empty() { "not known".to_owned() } else { report.group.clone() }),
        ("Handshake", format!("{}, {}", report.kind, super::human::duration(report.took))),
        ("Name sent", report.sni.as_deref().map_or_else(|| "none (SNI)".to_owned(), |name| printable_str(name).into_owned())),
        ("ALPN", report.alpn.as_deref().map_or_else(|| "none".to_owned(), |alpn| printable(alpn).into_owned())),
        ("OCSP", if report.ocsp > 0 { format!("stapled, {} bytes", report.ocsp) } else { "not stapled".to_owned() }),
        ("Client", ours),
    ];
    fields.into_iter().map(|(label, text)| wide(label, text)).collect()
}

fn describe(at: usize, of: usize, certificate: &Certificate, now: i64) -> Vec<Row> {
    let mut rows = vec![Row::block(format!("Certificate {} of {of}", at + 1))];
    let mut field = |label: &str, text: &str| rows.push(wide(label, text));
    if let Some(words) = &certificate.unreadable {
        field("Unreadable", words);
        field("SHA-256", &certificate.sha256);
        return rows;
    }
    let left = certificate.days_left(now);
    let life = if left >= 0 { format!("{left} days left") } else { format!("ended {} ago", days((now - certificate.not_after) / 86_400)) };
    field("Subject", &certificate.subject);
    if !certificate.names.is_empty() {
        field("Names", &list(&certificate.names));
    }
    field("Issuer", &certificate.issuer);
    field("Valid", &format!("{} to {} ({life})", date(certificate.not_before), date(certificate.not_after)));
    field("Key", &format!("{}, signed with {}", certificate.key, certificate.signature));
    field("Serial", &certificate.serial);
    field("SHA-256", &certificate.sha256);
    field("TLSA 3 1 1", &certificate.spki_sha256);
    rows
}

fn wide(label: &str, text: impl AsRef<str>) -> Row {
    Row::field(&format!("{label:<12}"), text)
}

/// What a server will hardly like about our certificate.
pub fn own_certificate(certificate: &Certificate, now: i64) -> Vec<Row> {
    let mut rows = Vec::new();
    if now > certificate.not_after {
        let ago = days((now - certificate.not_after) / 86_400);
        rows.push(Row::warning(format!("Our certificate (--cert) expired {ago} ago ({} UTC).", date(certificate.not_after))));
    }
    if now < certificate.not_before {
        let wait = days((certificate.not_before - now) / 86_400);
        rows.push(Row::warning(format!(
            "Our certificate (--cert) is not valid yet: it begins in {wait} ({} UTC).",
            date(certificate.not_before)
        )));
    }
    if certificate.not_for_clients {
        rows.push(Row::warning("Our certificate (--cert) is not meant for clients (its extended key usage lacks clientAuth)."));
    }
    if let Some(words) = &certificate.unreadable {
        rows.push(Row::warning(format!("Our certificate (--cert) cannot be read: {words}.")));
    }
    rows
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
                "The certificate's issuer {} is no root known here, and the server does not send its certificate: an intermediate one is missing, or the authority is private.",
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
        Fault::BadSignature => "The signature of the handshake is wrong: the server does not hold the key of this certificate.".to_owned(),
        Fault::Unproven => {
            "The server has not proved that it holds the key of this certificate: this program's TLS library cannot check it.".to_owned()
        }
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
        Fault::Unproven => Kind::Unproven,
        Fault::Other(_) => Kind::Other,
    }
}

/// How a handshake was begun, as far as the advice on its failure depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The wishes.
    pub options: &'a TlsOptions,
    /// TLS from the first byte, without STARTTLS.
    pub implicit: bool,
    /// A name was sent (SNI).
    pub named: bool,
}

/// Why there is no TLS.
pub fn failure(failure: &TlsFailure) -> Vec<Row> {
    let sentence = match &failure.cause {
        TlsCause::Alert(name) => format!("The server ended the TLS handshake with the alert {}.", printable_str(name)),
        TlsCause::Closed => "The server closed the connection in the TLS handshake.".to_owned(),
        TlsCause::Reset => "The connection was reset in the TLS handshake.".to_owned(),
        TlsCause::NotTls(head) => {
            let line = head.split(|&b| b == b'\n').next().unwrap_or_default();
            format!("What answered is not TLS but: \"{}\"", printable(line.trim_ascii_end()))
        }
        TlsCause::Incompatible(what) => format!("The server and this program have no TLS in common ({}).", printable_str(what)),
        TlsCause::TimedOut(after) => format!("The TLS handshake did not end within {}.", super::human::duration(*after)),
        TlsCause::Options(words) | TlsCause::Other(words) => format!("TLS could not be started: {}.", printable_str(words)),
    };
    let mut rows = vec![Row::warning(sentence)];
    if failure.client_certificate_asked {
        rows.push(Row::note("Before that it asked for a certificate of ours (--cert FILE, --key FILE)."));
    }
    rows
}

/// What a failure usually means and what to try; nothing when its sentence says it all.
pub fn failure_advice(failure: &TlsFailure, attempt: Attempt<'_>) -> Option<Row> {
    let advice = match &failure.cause {
        TlsCause::Alert(name) => alert_advice(name, failure.client_certificate_asked, attempt)?,
        TlsCause::Closed | TlsCause::Reset if failure.client_certificate_asked => missing_certificate(attempt.options),
        TlsCause::Closed | TlsCause::Reset if attempt.options.has_long_hello() => {
            "An old server that cannot agree, or a device on the way that forbids TLS or does not like its long first message: --tls-groups X25519 makes it short."
        }
        TlsCause::Closed | TlsCause::Reset => "An old server that cannot agree, or a device on the way that forbids TLS.",
        TlsCause::NotTls(head) if attempt.implicit && looks_like_reply(head) => {
            "This port begins in plain text: -S in the place of --tls encrypts it by STARTTLS; without either (smtp://HOST:PORT) nothing is encrypted."
        }
        TlsCause::NotTls(head) if attempt.implicit => return Some(Row::hint(other_service(head))),
        TlsCause::NotTls(_) => {
            "The server goes on in plain text although it agreed to TLS: it is broken, or a device on the way interferes."
        }
        TlsCause::Incompatible(_) if attempt.options.is_narrowed() => NARROWED,
        TlsCause::Incompatible(_) => "The server's TLS is too old or too narrow.",
        TlsCause::TimedOut(_) if attempt.options.has_long_hello() => {
            "The server does not answer the first message: a device on the way may swallow it because it is long (--tls-groups X25519 makes it short)."
        }
        TlsCause::TimedOut(_) => "The server does not answer the first message: a device on the way may swallow it.",
        TlsCause::Options(_) | TlsCause::Other(_) => return None,
    };
    Some(Row::hint(advice))
}

const NARROWED: &str = "Nothing in common with what --tls-min, --tls-max and --tls-groups leave over: try without them.";

fn other_service(head: &[u8]) -> String {
    let what = foreign::guess(head).map(|foreign| format!("It looks like {}. ", foreign.describe())).unwrap_or_default();
    format!("{what}SMTP inside TLS is usual on port 465; on 25 and 587 it begins in plain text (-S encrypts it).")
}

fn missing_certificate(options: &TlsOptions) -> &'static str {
    if options.identity.is_none() {
        "The server wants a certificate of ours: --cert FILE, --key FILE."
    } else {
        "The server does not accept our certificate: its log says why (issuer, dates, purpose)."
    }
}

fn alert_advice(name: &str, asked: bool, attempt: Attempt<'_>) -> Option<&'static str> {
    let advice = match name {
        "certificate_required" => missing_certificate(attempt.options),
        // They are all that old servers say when they get no certificate, or not the right one.
        "handshake_failure" | "bad_certificate" | "access_denied" if asked => missing_certificate(attempt.options),
        "protocol_version" | "handshake_failure" if attempt.options.is_narrowed() => NARROWED,
        "unrecognized_name" | "handshake_failure" if !attempt.named => {
            "The server may want to be told the name that is meant, and none was sent: --servername NAME sends one."
        }
        "protocol_version" => {
            "The server speaks only TLS 1.0 or 1.1, which this program does not: they are broken (RFC 8996). Update the server."
        }
        "handshake_failure" => "Nothing in common: the server wants old ciphers, or a certificate of ours, or does not like the name sent.",
        "unrecognized_name" => "The server has no certificate for the name that was sent: --servername NAME asks for another.",
        "unknown_ca" => "The server does not know the issuer of our certificate.",
        "certificate_expired" => "Our certificate has expired.",
        "bad_certificate" | "certificate_unknown" | "unsupported_certificate" | "certificate_revoked" | "access_denied" => {
            "The server does not accept our certificate: its log says why (issuer, dates, purpose)."
        }
        _ => return None,
    };
    Some(advice)
}

/// What a server speaks instead, found out by asking again.
pub fn older(old: &OldTls) -> [Row; 2] {
    let way =
        if cfg!(feature = "legacy-tls") { "--tls-min 1.0 talks to it." } else { "A build with the feature legacy-tls can talk to it." };
    [
        Row::warning(format!("Asked again, the server speaks {}.", old.spoken())),
        Row::hint(format!("{} Likely: {} {} {way}", old.meaning(), old.likely(), old.next())),
    ]
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
