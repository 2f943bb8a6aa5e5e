//! SCRAM (RFC 5802, RFC 7677) and its -PLUS forms (channel binding by RFC 9266 or RFC 5929 §4): the client
//! proves that it knows the password without saying it, and the server proves that it does too.

mod client;
mod keys;
mod message;
mod server;
#[cfg(test)]
mod tests;

use super::{ByHand, Description, Exposure, Mechanism, Needs, Party, Said, Typed};
use keys::Hash;
use message::{Final, First, Outcome, Salting};

/// More rounds of hashing than this are refused: a server could keep this machine busy for hours (P27).
const MAX_ITERATIONS: u32 = 1_000_000;
/// What RFC 7677 §4 asks for at least.
const MIN_ITERATIONS: u32 = 4096;

/// SCRAM-SHA-1.
pub const SHA_1: Mechanism = mechanism::<0, false>("SCRAM-SHA-1", "RFC 5802", 50);
/// SCRAM-SHA-256.
pub const SHA_256: Mechanism = mechanism::<1, false>("SCRAM-SHA-256", "RFC 7677", 55);
/// SCRAM-SHA-512.
pub const SHA_512: Mechanism = mechanism::<2, false>("SCRAM-SHA-512", "draft-melnikov-scram-sha-512", 60);
/// SCRAM-SHA-1-PLUS.
pub const SHA_1_PLUS: Mechanism = mechanism::<0, true>("SCRAM-SHA-1-PLUS", "RFC 5802, RFC 9266", 70);
/// SCRAM-SHA-256-PLUS.
pub const SHA_256_PLUS: Mechanism = mechanism::<1, true>("SCRAM-SHA-256-PLUS", "RFC 7677, RFC 9266", 75);
/// SCRAM-SHA-512-PLUS.
pub const SHA_512_PLUS: Mechanism = mechanism::<2, true>("SCRAM-SHA-512-PLUS", "draft-melnikov-scram-sha-512, RFC 9266", 80);

const fn mechanism<const HASH: usize, const BINDS: bool>(name: &'static str, source: &'static str, rank: u8) -> Mechanism {
    Mechanism {
        name,
        source,
        summary: if BINDS { "salted proofs of both sides, bound to the TLS channel" } else { "salted proofs of both sides" },
        by_hand: ByHand::Base64,
        needs: Needs::Password,
        client_first: true,
        exposes: Exposure::SlowGuesses,
        typed: &[&[Typed::Message], &[Typed::Message]],
        acknowledge: Some(""),
        rank,
        client: || Box::new(client::Proving::new(Form { hash: Hash::ALL[HASH], binds: BINDS })),
        server: Some(|| Box::new(server::Checking::new(Form { hash: Hash::ALL[HASH], binds: BINDS }))),
        describe,
    }
}

/// One of the six mechanisms.
#[derive(Debug, Clone, Copy)]
struct Form {
    hash: Hash,
    /// -PLUS.
    binds: bool,
}

/// The part of the exchange that both proofs cover (RFC 5802 §3, `AuthMessage`), as it grows.
#[derive(Debug)]
struct Exchange {
    /// The gs2 header, with its last comma.
    header: String,
    /// The client's first message without the header.
    bare: String,
    /// The client's nonce.
    nonce: String,
}

impl Exchange {
    fn new(first: &First<'_>) -> Self {
        Self { header: first.header.whole.to_owned(), bare: first.header.rest.to_owned(), nonce: first.nonce.to_owned() }
    }

    /// The client's last message up to its proof; `binding` is the channel's data.
    fn unproved(&self, binding: &[u8], nonce: &str) -> String {
        format!("c={},r={nonce}", message::encode(&[self.header.as_bytes(), binding].concat()))
    }

    fn covered(&self, server_first: &str, unproved: &str) -> String {
        format!("{},{server_first},{unproved}", self.bare)
    }
}

fn describe(said: &Said<'_>) -> Option<Description> {
    let text = std::str::from_utf8(said.bytes).ok()?;
    match said.from {
        Party::Client if text.is_empty() => Some(Description::new("SCRAM: the client has no more to say")),
        Party::Client => {
            First::parse(text).map(|first| describe_first(&first)).or_else(|| Final::parse(text).map(|last| describe_final(&last)))
        }
        Party::Server if text.is_empty() => Some(Description::new("go ahead")),
        Party::Server => {
            Salting::parse(text).map(|asked| describe_salting(&asked)).or_else(|| Outcome::parse(text).map(|end| describe_outcome(&end)))
        }
    }
}

fn describe_first(first: &First<'_>) -> Description {
    let binding = match first.header.flag {
        "n" => "none",
        "y" => "none, because the server seems to offer none",
        flag => flag.trim_start_matches("p="),
    };
    let out =
        Description::new("SCRAM client-first message").open_if_any("authorize as", &first.header.authzid).open("user", first.user.as_str());
    out.open("nonce", first.nonce).open("channel binding", binding)
}

fn describe_final(last: &Final<'_>) -> Description {
    let out = Description::new("SCRAM client-final message");
    let header = message::decode(last.binding).unwrap_or_default();
    let length = header.iter().enumerate().filter(|(_, byte)| **byte == b',').nth(1).map_or(header.len(), |(at, _)| at + 1);
    let data = match header.len() - length {
        0 => String::new(),
        more => format!(" and {more} bytes of the channel"),
    };
    let out = out.open("channel binding", format!("{}{data}", String::from_utf8_lossy(&header[..length])));
    out.open("nonce", last.nonce).hidden("proof", last.proof.as_bytes())
}

fn describe_salting(asked: &Salting<'_>) -> Description {
    let out = Description::new("SCRAM server-first message").open("nonce", asked.nonce).open("salt", asked.salt);
    let out = out.open("iterations", asked.iterations.to_string());
    match few(asked.iterations) {
        Some(sentence) => out.remark(sentence),
        None => out,
    }
}

fn describe_outcome(end: &Outcome<'_>) -> Description {
    let out = Description::new("SCRAM server-final message");
    match end {
        // Passwords can be tried on it as on the client's proof.
        Outcome::Signature(signature) => out.hidden("server signature", signature.as_bytes()),
        Outcome::Error(name) => out.open("error", *name).remark(message::error(name)),
    }
}

/// What is to be said of a small number of iterations.
fn few(iterations: u32) -> Option<String> {
    let sentence = || format!("The server hashes the password {iterations} times only; RFC 7677 asks for {MIN_ITERATIONS} at least.");
    (iterations < MIN_ITERATIONS).then(sentence)
}
