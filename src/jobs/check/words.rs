//! What is short to say of TLS, and the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::explain::certificate::Kind;
use crate::explain::connecting::way;
use crate::jobs::opening::cause_failure;
use crate::net::dial::Cause;
use crate::net::tls::TlsCause;
use crate::net::tls::verdict::Fault;
use crate::text::{printable, printable_str};
use crate::wire::foreign;

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
    let days = |seconds: i64| match seconds / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    };
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
            (Kind::MissingIntermediate, format!("an intermediate certificate is missing ({})", printable_str(issuer)))
        }
        Fault::CaAsServer => (Kind::CaAsServer, "the certificate is that of an authority".to_owned()),
        Fault::OldVersion(version) => (Kind::OldVersion, format!("the certificate is of X.509 version {version}")),
        Fault::WeakKey(bits) => (Kind::WeakKey, format!("the key is too short (RSA {bits})")),
        Fault::WeakSignature(name) => (Kind::WeakSignature, format!("the signature can be forged ({})", printable_str(name))),
        Fault::WrongUsage => (Kind::WrongUsage, "the certificate is not meant for servers".to_owned()),
        Fault::WronglySigned { issuer } => (Kind::WronglySigned, format!("a signature of the chain is wrong ({})", printable_str(issuer))),
        Fault::BadSignature => (Kind::BadSignature, "certificate and key do not belong together".to_owned()),
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

/// Why an address was not reached, in a few words.
pub fn cause(cause: &Cause) -> String {
    way(&cause_failure(cause, Duration::ZERO))
}
