//! What is short to say of TLS, and the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::explain::certificate::Kind;
use crate::explain::connecting::way;
use crate::explain::handshake::{HandshakeFailure, Why};
use crate::jobs::opening::cause_failure;
use crate::net::dial::Cause;
use crate::net::tls::verdict::Fault;
use crate::net::tls::{TlsCause, TlsFailure, TlsOptions};
use crate::text::{self, printable, printable_str};
use crate::wire::foreign;
use crate::wire::reply::looks_like_reply;

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs().cast_signed()).unwrap_or_default()
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// A fault in a few words, and its kind.
pub(super) fn fault(fault: &Fault, now: i64) -> (Kind, String) {
    let days = |seconds: i64| text::days(seconds / 86_400);
    match fault {
        Fault::Unreadable(words) => (Kind::Unreadable, format!("the certificate cannot be read ({})", printable_str(words))),
        Fault::Expired { at } => (Kind::Expired, format!("the certificate expired {} ago", days(now - at))),
        Fault::NotYetValid { from } => (Kind::NotYetValid, format!("the certificate begins in {}", days(from - now))),
        Fault::IssuerExpired(name) => (Kind::IssuerExpired, format!("the issuer's certificate has expired ({})", printable_str(name))),
        Fault::WrongName { wanted, .. } => (Kind::WrongName, format!("the certificate is not for {}", printable_str(wanted))),
        Fault::SelfSigned => (Kind::SelfSigned, "the certificate is self-signed".to_owned()),
        Fault::UnknownIssuer { roots: 0, .. } => (Kind::UnknownIssuer, "there are no root certificates to verify by".to_owned()),
        Fault::UnknownIssuer { issuer, .. } => (Kind::UnknownIssuer, format!("the issuer is not known ({})", printable_str(issuer))),
        Fault::MissingIntermediate { issuer } => {
            (Kind::MissingIntermediate, format!("the issuer is not known and not sent along ({})", printable_str(issuer)))
        }
        Fault::CaAsServer => (Kind::CaAsServer, "the certificate is that of an authority".to_owned()),
        Fault::OldVersion(version) => (Kind::OldVersion, format!("the certificate is of X.509 version {version}")),
        Fault::WeakKey(bits) => (Kind::WeakKey, format!("the key is too short (RSA {bits})")),
        Fault::WeakSignature(name) => (Kind::WeakSignature, format!("the signature can be forged ({})", printable_str(name))),
        Fault::WrongUsage => (Kind::WrongUsage, "the certificate is not meant for servers".to_owned()),
        Fault::WronglySigned { issuer } => (Kind::WronglySigned, format!("a signature of the chain is wrong ({})", printable_str(issuer))),
        Fault::BadSignature => (Kind::BadSignature, "the server does not hold the certificate's key".to_owned()),
        Fault::Unproven => (Kind::Unproven, "the server has not proved that it holds the certificate's key".to_owned()),
        Fault::Other(words) => (Kind::Other, format!("the certificate is not accepted ({})", printable_str(words))),
    }
}

/// Why a handshake failed, in a few words.
pub(super) fn handshake(cause: &TlsCause) -> String {
    match cause {
        TlsCause::Alert(name) => format!("the server ended it with the alert {}", printable_str(name)),
        TlsCause::Closed => "the server closed the connection".to_owned(),
        TlsCause::Reset => "the connection was reset".to_owned(),
        TlsCause::NotTls(head) => {
            let line = head.split(|&b| b == b'\n').next().unwrap_or_default().trim_ascii_end();
            let looks = foreign::guess(head).map(|foreign| format!(", it looks like {}", foreign.describe())).unwrap_or_default();
            format!("what answered is not TLS but \"{}\"{looks}", printable(&line[..line.len().min(60)]))
        }
        TlsCause::Incompatible(what) => format!("nothing in common ({})", printable_str(what)),
        TlsCause::TimedOut(_) => "it did not end in time".to_owned(),
        TlsCause::Options(words) | TlsCause::Other(words) => printable_str(words).into_owned(),
    }
}

/// A failed handshake, for what is said of it. `named`: a name was sent.
pub(super) fn handshake_failure(failure: &TlsFailure, options: &TlsOptions, named: bool) -> HandshakeFailure {
    let why = match &failure.cause {
        TlsCause::NotTls(head) if looks_like_reply(head) => Why::PlainSmtp,
        TlsCause::NotTls(_) => Why::OtherService,
        TlsCause::Alert(name) if name == "unrecognized_name" && named => Why::UnknownName,
        TlsCause::Alert(name) if name == "unrecognized_name" => Why::NameWanted,
        TlsCause::Alert(name) if matches!(name.as_str(), "protocol_version" | "handshake_failure" | "insufficient_security") => {
            Why::NothingInCommon
        }
        TlsCause::Incompatible(_) => Why::NothingInCommon,
        TlsCause::Closed | TlsCause::Reset => Why::Cut,
        TlsCause::TimedOut(_) => Why::Silent,
        TlsCause::Alert(_) | TlsCause::Options(_) | TlsCause::Other(_) => Why::Other,
    };
    HandshakeFailure { words: handshake(&failure.cause), why, narrowed_by: options.narrowed_by() }
}

/// Why an address was not reached, in a few words.
pub fn cause(cause: &Cause) -> String {
    way(&cause_failure(cause, Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::Version;

    #[test]
    fn a_failed_handshake_is_told_apart_by_its_cause() {
        let alert = |name: &str| TlsCause::Alert(name.to_owned());
        let table = [
            (TlsCause::NotTls(b"220 mx ESMTP\r\n".to_vec()), true, Why::PlainSmtp),
            (TlsCause::NotTls(b"554-mx No SMTP".to_vec()), true, Why::PlainSmtp),
            (TlsCause::NotTls(b"HTTP/1.1 400 Bad Request".to_vec()), true, Why::OtherService),
            (alert("unrecognized_name"), true, Why::UnknownName),
            (alert("unrecognized_name"), false, Why::NameWanted),
            (alert("protocol_version"), true, Why::NothingInCommon),
            (alert("internal_error"), true, Why::Other),
            (TlsCause::Reset, true, Why::Cut),
            (TlsCause::TimedOut(Duration::from_secs(1)), true, Why::Silent),
        ];
        let options = TlsOptions { min: Some(Version::Tls13), max: Some(Version::Tls13), ..TlsOptions::default() };
        for (cause, named, why) in table {
            let failure = TlsFailure { cause, client_certificate_asked: false };
            let told = handshake_failure(&failure, &options, named);
            assert_eq!((told.why, told.narrowed_by), (why, vec!["--tls-min 1.3".to_owned()]), "{failure:?}");
        }
        let low = TlsOptions { max: Some(Version::Tls12), groups: vec!["X25519".to_owned()], ..TlsOptions::default() };
        assert_eq!(low.narrowed_by(), ["--tls-max 1.2", "--tls-groups X25519"]);
    }
}
