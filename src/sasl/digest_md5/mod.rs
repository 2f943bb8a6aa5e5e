//! DIGEST-MD5 (RFC 2831, made historic by RFC 6331): both sides prove the password by MD5 digests over the
//! other's nonce. Only `qop=auth`: TLS protects what follows.

mod client;
mod message;
mod server;
#[cfg(test)]
mod tests;

use super::{ByHand, Description, Exposure, Mechanism, Needs, Party, Said, Typed};

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "DIGEST-MD5",
    source: "RFC 2831",
    summary: "MD5 digests of both sides, historic",
    by_hand: ByHand::Base64,
    needs: Needs::Password,
    client_first: false,
    exposes: Exposure::Guesses,
    typed: &[&[Typed::Message]],
    acknowledge: Some(""),
    rank: 25,
    client: || Box::new(client::Answering::default()),
    server: Some(|| Box::new(server::Asking::default())),
    describe,
};

/// The service in the digest-uri.
const SERVICE: &str = "smtp";

/// What the client's directives are; others are hidden, for nobody knows what they hold.
const OPEN: [&str; 11] = ["charset", "username", "realm", "nonce", "nc", "cnonce", "digest-uri", "qop", "authzid", "maxbuf", "cipher"];

fn describe(said: &Said<'_>) -> Option<Description> {
    if said.bytes.is_empty() {
        return Some(Description::new(if said.from == Party::Server { "go ahead" } else { "DIGEST-MD5: the client has no more to say" }));
    }
    let all = message::directives(said.bytes)?;
    let has = |name: &str| all.iter().any(|(key, _)| key == name);
    let title = match said.from {
        Party::Server if has("nonce") => "DIGEST-MD5 challenge",
        Party::Server if has("rspauth") => "DIGEST-MD5 proof of the server",
        Party::Client if has("response") => "DIGEST-MD5 answer",
        _ => return None,
    };
    let mut out = Description::new(title);
    for (key, value) in &all {
        let open = if said.from == Party::Server { key != "rspauth" } else { OPEN.contains(&key.as_str()) };
        out = if open { out.open_bytes(key, value) } else { out.hidden(key, value) };
    }
    let stale = all.iter().any(|(key, value)| key == "stale" && value.eq_ignore_ascii_case(b"true"));
    Some(if stale { out.remark("The server's nonce had expired: the password may be right, and is asked for once more.") } else { out })
}
