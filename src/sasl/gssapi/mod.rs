//! GSSAPI (RFC 4752): a Kerberos login (RFC 4121), and then an agreement on the security layer, which in
//! SMTP is none.
//!
//! The client needs the machine's Kerberos and is there with the cargo feature `gssapi` only; what the
//! messages say can be told without it.

#[cfg(feature = "gssapi")]
mod kerberos;

use super::{ByHand, Client, Description, Exposure, Mechanism, Needs, Party, Said, Typed};

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "GSSAPI",
    source: "RFC 4752",
    summary: "logs in with a Kerberos ticket",
    by_hand: ByHand::Binary,
    needs: Needs::Ticket,
    client_first: true,
    exposes: Exposure::Nothing,
    typed: &[&[Typed::Message], &[Typed::Message]],
    acknowledge: None,
    rank: if cfg!(feature = "gssapi") { 90 } else { 0 },
    client,
    server: None,
    describe,
};

#[cfg(feature = "gssapi")]
fn client() -> Box<dyn Client> {
    Box::new(kerberos::Answering::default())
}

#[cfg(not(feature = "gssapi"))]
fn client() -> Box<dyn Client> {
    Box::new(without::Absent)
}

#[cfg(not(feature = "gssapi"))]
mod without {
    use super::super::{Client, Login, Trouble};
    use crate::secret::Secret;

    /// A client that says what is missing.
    #[derive(Debug)]
    pub(super) struct Absent;

    impl Client for Absent {
        fn step(&mut self, _challenge: Option<&[u8]>, _login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
            let how = "build with --features gssapi, which needs the headers of libkrb5 and libclang";
            Err(Trouble::Impossible(format!("this build has no Kerberos: {how}")))
        }
    }
}

/// `1.2.840.113554.1.2.2`: Kerberos 5 (RFC 1964).
const KERBEROS: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];

/// Security layers (RFC 4752 §3.3).
const LAYERS: &[(u8, &str)] = &[(1, "none"), (2, "integrity"), (4, "confidentiality")];

/// Tickets are never shown: what is sealed with a service's password can be cracked offline.
fn describe(said: &Said<'_>) -> Option<Description> {
    if said.bytes.is_empty() {
        return Some(Description::new("GSSAPI: go on"));
    }
    if let Some(plain) = unwrapped(said.bytes) {
        return layers(said.from, &plain);
    }
    let title = match (token_kind(said.bytes), said.from) {
        (Some([1, 0]), _) => "GSSAPI: Kerberos ticket and authenticator",
        (Some([2, 0]), _) => "GSSAPI: the server's proof",
        (Some([3, 0]), _) => "GSSAPI: Kerberos error",
        (_, Party::Client) => "GSSAPI message",
        (_, Party::Server) => return None,
    };
    Some(Description::new(title).hidden("token", said.bytes))
}

/// The kind of a token that stands in its frame (RFC 4121 §4.1), which is `60 length OID kind`.
fn token_kind(bytes: &[u8]) -> Option<[u8; 2]> {
    let at = bytes.windows(KERBEROS.len()).take(8).position(|window| window == KERBEROS)?;
    bytes.get(at + KERBEROS.len()..)?.first_chunk().copied().filter(|_| bytes[0] == 0x60)
}

/// The text of a token that is signed but not sealed (RFC 4121 §4.2.4, §4.2.6.2): behind 16 bytes text and
/// checksum, turned around by the count at 6.
fn unwrapped(token: &[u8]) -> Option<Vec<u8>> {
    let (head, body) = token.split_first_chunk::<16>()?;
    let sealed = head[2] & 2 != 0;
    if head[..2] != [5, 4] || sealed || body.is_empty() {
        return None;
    }
    let count = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let mut text = body.to_vec();
    text.rotate_left(count(6) % body.len());
    text.truncate(body.len().checked_sub(count(4))?);
    Some(text)
}

/// What one side offers or chooses, and how long a message it takes.
fn layers(from: Party, text: &[u8]) -> Option<Description> {
    let ([mask, size @ ..], name) = text.split_first_chunk::<4>()?;
    let names: Vec<&str> = LAYERS.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| *name).collect();
    let (title, what) = match from {
        Party::Server => ("GSSAPI: security layers on offer", "layers"),
        Party::Client => ("GSSAPI: security layer chosen", "layer"),
    };
    let size = size.iter().fold(0_u32, |size, &byte| size << 8 | u32::from(byte));
    let described = Description::new(title).open(what, names.join(", ")).open("largest message", size.to_string());
    Some(described.open_if_any("authorize as", &String::from_utf8_lossy(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As [`unwrapped`] takes it: `text` and `checksum`, turned.
    fn wrapped(text: &[u8], checksum: &[u8], turned: u8) -> Vec<u8> {
        let mut body = [text, checksum].concat();
        body.rotate_right(turned.into());
        let length = u8::try_from(checksum.len()).unwrap();
        [&[5, 4, 0, 0xff, 0, length, 0, turned, 0, 0, 0, 0, 0, 0, 0, 1], body.as_slice()].concat()
    }

    fn described(from: Party, bytes: &[u8]) -> Option<Description> {
        describe(&Said { from, number: 0, bytes, answering: None, now: 0 })
    }

    // RFC 4752 section 3.1
    #[test]
    fn the_agreement_on_the_layer_is_laid_open() {
        for turned in [0, 12, 15] {
            let offer = described(Party::Server, &wrapped(&[7, 0, 1, 0], &[0xcc; 12], turned)).unwrap();
            assert_eq!(offer.text("layers"), Some("none, integrity, confidentiality"));
            assert_eq!(offer.text("largest message"), Some("256"));
        }
        let choice = described(Party::Client, &wrapped(b"\x01\0\0\0logon", &[0xcc; 12], 12)).unwrap();
        assert_eq!((choice.text("layer"), choice.text("authorize as")), (Some("none"), Some("logon")));
    }

    #[test]
    fn tokens_are_named_and_hidden() {
        for (kind, want) in [(1, "GSSAPI: Kerberos ticket and authenticator"), (2, "GSSAPI: the server's proof")] {
            let token = [&[0x60, 0x82, 1, 2], KERBEROS, &[kind, 0, 0x6e, 0x82]].concat();
            let described = described(Party::Client, &token).unwrap();
            assert_eq!(described.title, want);
            assert_eq!(described.secrets().next().unwrap().expose(), &token);
        }
        assert!(described(Party::Client, b"what is this").unwrap().has_secret());
        assert!(described(Party::Server, b"what is this").is_none());
    }

    // P27
    #[test]
    fn no_cut_and_no_changed_byte_makes_it_panic() {
        let token = wrapped(&[7, 0, 1, 0], &[0xcc; 12], 12);
        let cut = (0..token.len()).map(|end| token[..end].to_vec());
        let changed = (0..token.len()).map(|at| {
            let mut changed = token.clone();
            changed[at] = 0xff;
            changed
        });
        for damaged in cut.chain(changed) {
            let _ = (described(Party::Client, &damaged), described(Party::Server, &damaged));
        }
    }

    #[cfg(not(feature = "gssapi"))]
    #[test]
    fn a_build_without_kerberos_says_how_to_get_it() {
        use crate::sasl::{Login, Trouble};
        let Err(Trouble::Impossible(why)) = (MECHANISM.client)().step(None, &Login::default()) else { panic!("no trouble") };
        assert!(why.contains("--features gssapi"), "{why}");
        assert_eq!(MECHANISM.rank, 0);
    }
}
