//! ANONYMOUS (RFC 4505): no login, only a trace of who it was, if anything.

use super::{ByHand, Client, Description, Exposure, Host, Login, Mechanism, Needs, Party, Said, Server, Trouble, Turn, Typed};
use crate::secret::Secret;

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "ANONYMOUS",
    source: "RFC 4505",
    summary: "no login, a trace of who it was",
    by_hand: ByHand::PlainText,
    needs: Needs::Nothing,
    client_first: true,
    exposes: Exposure::Nothing,
    typed: &[&[Typed::Message]],
    acknowledge: None,
    rank: 0,
    client: || Box::new(Anonymous),
    server: Some(|| Box::new(Anonymous)),
    describe,
};

/// The longest trace, in characters (RFC 4505 §2).
const LONGEST: usize = 255;

/// Both sides: there is nothing to remember between steps.
#[derive(Debug)]
struct Anonymous;

impl Client for Anonymous {
    fn step(&mut self, _challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        if login.user.chars().count() > LONGEST {
            return Err(Trouble::Impossible(format!("the trace (-u) is longer than {LONGEST} characters")));
        }
        Ok(Secret::new(login.user.clone().into_bytes()))
    }
}

impl Server for Anonymous {
    fn step(&mut self, message: Option<&[u8]>, _host: &Host) -> Turn {
        match message.map(std::str::from_utf8) {
            None => Turn::Challenge(Vec::new()),
            Some(Ok(trace)) if trace.chars().count() <= LONGEST => Turn::Accept("anonymous".to_owned()),
            Some(_) => Turn::Malformed,
        }
    }
}

fn describe(said: &Said<'_>) -> Option<Description> {
    match (said.from, said.bytes) {
        (Party::Server, b"") => Some(Description::new("go ahead")),
        (Party::Server, _) => None,
        (Party::Client, trace) => Some(Description::new("AUTH ANONYMOUS").open_if_any("trace", &String::from_utf8_lossy(trace))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::tests::{host, login, play};

    // RFC 4505 section 4.
    #[test]
    fn a_trace_is_given_and_whoever_it_is_let_in() {
        for trace in ["sirhc", "sirhc@example.com", ""] {
            assert_eq!(Client::step(&mut Anonymous, None, &login(trace, "")).unwrap().expose(), trace.as_bytes());
            assert_eq!(play(&MECHANISM, &login(trace, ""), &host("logon", "x")).0, Turn::Accept("anonymous".to_owned()));
        }
        assert!(Client::step(&mut Anonymous, None, &login(&"x".repeat(256), "")).is_err());
        for message in [&b"\xff"[..], &[b'x'; 256]] {
            assert_eq!(Server::step(&mut Anonymous, Some(message), &host("logon", "x")), Turn::Malformed);
        }
    }
}
