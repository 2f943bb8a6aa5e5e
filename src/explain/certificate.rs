//! Faults of certificates: what each means for mail, and what to do next.

/// The kinds of faults, as far as their advice differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Broken encoding.
    Unreadable,
    /// Past its end.
    Expired,
    /// Before its beginning.
    NotYetValid,
    /// A certificate of the chain is past its end.
    IssuerExpired,
    /// For another name.
    WrongName,
    /// Signed by itself.
    SelfSigned,
    /// From an unknown issuer.
    UnknownIssuer,
    /// The chain is not complete.
    MissingIntermediate,
    /// A certificate authority used as a server.
    CaAsServer,
    /// X.509 version 1 or 2.
    OldVersion,
    /// Too short a key.
    WeakKey,
    /// A hash that can be forged.
    WeakSignature,
    /// Not for servers.
    WrongUsage,
    /// A wrong signature in the chain.
    WronglySigned,
    /// A wrong signature in the handshake.
    BadSignature,
    /// A signature in the handshake that could not be checked.
    Unproven,
    /// Anything else.
    Other,
}

/// What the fault means for mail and what to do.
pub fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Expired => {
            "Mail from most servers still comes in (they do not verify), but clients, DANE and MTA-STS senders stop. Renew it and bind it to SMTP."
        }
        Kind::NotYetValid => "Clients, DANE and MTA-STS senders stop until then. Is the clock of the server, or of this machine, right?",
        Kind::IssuerExpired => "Clients and MTA-STS senders stop. Install the issuer's current certificate beside the server's own.",
        Kind::WrongName => {
            "Clients and MTA-STS senders stop; most other servers do not look. Use the name of the certificate, or have one issued for this name; --servername asks for another."
        }
        Kind::SelfSigned => {
            "Most servers do not verify and DANE (3 1 1) can name it, but clients and MTA-STS senders stop. Use one from a known authority, or trust this one: --cacert FILE."
        }
        Kind::UnknownIssuer => {
            "Right for a private authority: give its root with --cacert FILE. From outside, clients and MTA-STS senders stop."
        }
        Kind::MissingIntermediate => {
            "Install the full chain on the server: some clients fetch what is missing, others stop. For a private authority, give its root with --cacert FILE."
        }
        Kind::CaAsServer => "Strict clients refuse it. Have a server certificate issued by this authority.",
        Kind::OldVersion => "It cannot carry names; clients refuse it. Have a new one issued (X.509 version 3).",
        Kind::WeakKey => "Clients refuse it. Make a new key of 2048 bits or more (or EC P-256) and have a certificate issued for it.",
        Kind::WeakSignature => "Clients refuse it. Have it issued again with SHA-256.",
        Kind::WrongUsage => "It was issued for another purpose (its extended key usage lacks serverAuth). Have one issued for servers.",
        Kind::WronglySigned => {
            "Was the authority made anew? Then install its new root (--cacert FILE), or have the server's certificate issued again."
        }
        Kind::BadSignature => {
            "Somebody else answers with this server's certificate, or the server has another key installed beside it: compare the two on the server."
        }
        Kind::Unproven => "Anybody who has seen this certificate can show it. Have a new one issued that every client can check.",
        Kind::Unreadable | Kind::Other => {
            "Mail from most servers still comes in (they do not verify), but clients, DANE and MTA-STS senders stop."
        }
    }
}
