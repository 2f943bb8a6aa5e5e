//! Whether a password is safe on a connection: the one rule for sessions and checks (P20, P23).

use crate::explain::protection::Unsafe;
use crate::net::tls::{Doubt, TlsReport};

/// What the connection lacks; `None` where a password is safe. `report`: the handshake, if there was one.
pub fn why_unsafe(report: Option<&TlsReport>) -> Option<Unsafe> {
    let Some(report) = report else { return Some(Unsafe::Clear) };
    if !report.is_verified() {
        return Some(Unsafe::Certificate);
    }
    report.doubt.as_ref().map(|doubt| match doubt {
        Doubt::OldVersion => Unsafe::OldVersion(report.version.clone()),
        Doubt::NameFromDns { name, domain } => Unsafe::NameFromDns { name: name.clone(), domain: domain.clone() },
    })
}
