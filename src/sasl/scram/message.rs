//! The messages of SCRAM (RFC 5802 §7): attributes of one letter, apart by commas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sasl::gs2;

/// The client's first message.
#[derive(Debug)]
pub(super) struct First<'a> {
    /// What it begins with; the rest is called bare.
    pub(super) header: gs2::Header<'a>,
    pub(super) user: String,
    pub(super) nonce: &'a str,
}

impl<'a> First<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let header = gs2::parse(text)?;
        let [user, nonce] = attributes(header.rest, ["n=", "r="])?;
        (!nonce.is_empty()).then_some(Self { user: gs2::unescape(user)?, nonce, header })
    }
}

/// The server's first message.
#[derive(Debug)]
pub(super) struct Salting<'a> {
    pub(super) nonce: &'a str,
    /// In base64.
    pub(super) salt: &'a str,
    pub(super) iterations: u32,
}

impl<'a> Salting<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let [nonce, salt, iterations] = attributes(text, ["r=", "s=", "i="])?;
        let digits = !iterations.is_empty() && iterations.bytes().all(|byte| byte.is_ascii_digit());
        // A number beyond all bounds is a number all the same: it is refused for its size.
        let iterations = digits.then(|| iterations.parse().unwrap_or(u32::MAX))?;
        Some(Self { nonce, salt, iterations })
    }
}

/// The client's last message.
#[derive(Debug)]
pub(super) struct Final<'a> {
    /// In base64.
    pub(super) binding: &'a str,
    pub(super) nonce: &'a str,
    /// All before the proof.
    pub(super) unproved: &'a str,
    /// In base64.
    pub(super) proof: &'a str,
}

impl<'a> Final<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (unproved, proof) = text.rsplit_once(",p=")?;
        let [binding, nonce] = attributes(unproved, ["c=", "r="])?;
        Some(Self { binding, nonce, unproved, proof })
    }
}

/// The server's last message.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    /// In base64.
    Signature(&'a str),
    Error(&'a str),
}

impl<'a> Outcome<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let first = text.split(',').next()?;
        let error = || first.strip_prefix("e=").map(Self::Error);
        first.strip_prefix("v=").map(Self::Signature).or_else(error)
    }
}

/// The values of the attributes at the beginning; what follows them are extensions, which may be passed over.
/// One in front, `m=`, may not, and there is no such extension.
fn attributes<'a, const N: usize>(text: &'a str, names: [&str; N]) -> Option<[&'a str; N]> {
    let mut parts = text.split(',');
    let mut out = [""; N];
    for (value, name) in out.iter_mut().zip(names) {
        *value = parts.next()?.strip_prefix(name)?;
    }
    Some(out)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The errors of RFC 5802 §7 as sentences.
pub(super) fn error(name: &str) -> &'static str {
    match name {
        "invalid-encoding" => "The server could not read a message of the client.",
        "extensions-not-supported" => "The server does not know an extension that the client used.",
        "invalid-proof" => "The proof is wrong: the password is not the one that the server knows.",
        "channel-bindings-dont-match" => {
            "The server sees another TLS channel than the client: something between them opens TLS, or they bind to different things."
        }
        "server-does-support-channel-binding" => {
            "The server offers channel binding, and the client said that it saw no such offer: somebody may have taken the -PLUS mechanism out of the list."
        }
        "channel-binding-not-supported" => "The server does no channel binding.",
        "unsupported-channel-binding-type" => "The server does not know this type of channel binding.",
        "unknown-user" => "The server does not know the user.",
        "invalid-username-encoding" => "The server could not read the user name.",
        "no-resources" => "The server is short of something; the same may work later.",
        "other-error" => "The server does not say what went wrong.",
        _ => "The server refuses with an error that RFC 5802 does not know.",
    }
}
