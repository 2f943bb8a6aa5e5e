//! SASL mechanisms (RFC 4422), one file each: descriptor, client's and server's steps, and what each
//! message says.
//!
//! Messages are bytes; their base64 and the 334 around it belong to `wire` and `session`. There is no
//! randomness and no clock here: both come with [`Login`] and [`Host`]. A mechanism that is not in the
//! table can still be typed by hand: its challenges are shown, and base64 goes out as typed.

pub mod anonymous;
pub mod client;
pub mod cram_md5;
pub mod description;
pub mod digest_md5;
pub mod external;
pub mod gs2;
pub mod gssapi;
pub mod hash;
pub mod login;
pub mod ntlm;
pub mod oauthbearer;
pub mod plain;
pub mod prep;
pub mod scram;
pub mod server;
pub mod token;
pub mod xoauth2;

pub use client::{Binding, Channel, Client, Login, Proof, Trouble};
pub use description::{Description, Field, Party, Places, Said, Value};
pub use server::{Host, Server, Turn};

/// What is known of a mechanism.
#[derive(Debug)]
pub struct Mechanism {
    /// As registered with IANA.
    pub name: &'static str,
    /// Where it is defined.
    pub source: &'static str,
    /// What it is, 60 columns at most.
    pub summary: &'static str,
    /// How it can be typed.
    pub by_hand: ByHand,
    /// What the client must have.
    pub needs: Needs,
    /// The client speaks first: its first message can stand behind `AUTH NAME` (RFC 4954 §4).
    pub client_first: bool,
    /// What a login gives away to whoever reads the line.
    pub exposes: Exposure,
    /// What a person types where AUTH stands alone: the lines of each message. What only closes a login is left out.
    pub typed: &'static [&'static [Typed]],
    /// What the client says where the server has said its last word and waits: an error in XOAUTH2, its proof in SCRAM.
    pub acknowledge: Option<&'static str>,
    /// The highest that the credentials serve is taken by itself; 0 only when it is asked for.
    pub rank: u8,
    /// The client's side, at its beginning.
    pub client: fn() -> Box<dyn Client>,
    /// The server's side, at its beginning; `None` where the practice server cannot play it.
    pub server: Option<fn() -> Box<dyn Server>>,
    /// What a message says; `None` when it is not of this mechanism's form.
    pub describe: fn(&Said<'_>) -> Option<Description>,
}

impl Mechanism {
    /// It binds the login to the TLS channel, and is of no use without [`Channel::binding`]. RFC 5802 §4 keeps
    /// the suffix for that.
    pub fn binds(&self) -> bool {
        self.name.ends_with("-PLUS")
    }
}

/// What a login gives away to whoever reads the line, or answers in the server's place (P47). Later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposure {
    /// Nothing that lets anybody in.
    Nothing,
    /// What guesses of the password can be tried against, each at the cost of thousands of rounds of hashing.
    SlowGuesses,
    /// What guesses of the password can be tried against, billions a second.
    Guesses,
    /// The same, and somebody in between can log in elsewhere with it at once.
    GuessesAndRelay,
    /// The password or token itself.
    Secret,
}

impl Exposure {
    /// It belongs on a line that is encrypted, to a server that is verified; anywhere else somebody has to agree.
    pub fn needs_consent(self) -> bool {
        self >= Self::Guesses
    }
}

/// A line that a person types for a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// The user name.
    UserName,
    /// The password.
    Password,
    /// A message in base64.
    Message,
}

/// What the operator can do at a challenge of a mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByHand {
    /// Type plain text; it is encoded.
    PlainText,
    /// Type base64 made elsewhere.
    Base64,
    /// An exchange of binary messages that a person cannot make up.
    Binary,
}

/// What a client must have to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A user name and a password.
    Password,
    /// A user name and an OAuth 2.0 access token.
    Token,
    /// A TLS client certificate; a user name may be given.
    Certificate,
    /// A Kerberos ticket; a user name may be given.
    Ticket,
    /// Nothing; a name may be given as a trace.
    Nothing,
}

/// The known mechanisms, in the order in which help lists them.
pub const MECHANISMS: &[Mechanism] = &[
    plain::MECHANISM,
    login::MECHANISM,
    cram_md5::MECHANISM,
    digest_md5::MECHANISM,
    scram::SHA_1,
    scram::SHA_256,
    scram::SHA_512,
    scram::SHA_1_PLUS,
    scram::SHA_256_PLUS,
    scram::SHA_512_PLUS,
    xoauth2::MECHANISM,
    oauthbearer::MECHANISM,
    ntlm::MECHANISM,
    gssapi::MECHANISM,
    external::MECHANISM,
    anonymous::MECHANISM,
];

/// Finds a mechanism, in any case.
pub fn lookup(name: &str) -> Option<&'static Mechanism> {
    MECHANISMS.iter().find(|mechanism| mechanism.name.eq_ignore_ascii_case(name))
}

/// What a message says, in the words of its mechanism.
pub fn describe(mechanism: &str, said: &Said<'_>) -> Option<Description> {
    lookup(mechanism).and_then(|known| (known.describe)(said))
}

/// The mechanism to log in with: of those that the server offers and the credentials serve, the one with
/// the highest rank. `exposed` leaves out those that give too much away on such a line.
pub fn best(offered: &[String], serves: impl Fn(&Mechanism) -> bool, exposed: bool) -> Option<&'static Mechanism> {
    let known = offered.iter().filter_map(|name| lookup(name));
    known
        .filter(|mechanism| mechanism.rank > 0 && serves(mechanism) && !(exposed && mechanism.exposes.needs_consent()))
        .max_by_key(|known| known.rank)
}

/// Whether a mechanism that the operator names may be tried: it is offered, or nothing of what is offered is known, so
/// that only trying tells.
pub fn may_name(wanted: &Mechanism, offered: &[String]) -> bool {
    offered.iter().any(|name| name.eq_ignore_ascii_case(wanted.name)) || !offered.iter().any(|name| lookup(name).is_some())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::secret::Secret;

    /// What both sides see of the same TLS channel.
    pub(crate) fn channel() -> Channel {
        Channel { exporter: Some(vec![7; 32]), server_end_point: Some(vec![9; 32]), wanted: None }
    }

    /// Credentials and surroundings for the tests of mechanisms.
    pub(crate) fn login(user: &str, password: &str) -> Login {
        Login {
            user: user.to_owned(),
            secret: Some(Secret::new(password.to_owned())),
            host: "mail.contoso.test".to_owned(),
            channel: channel(),
            offers_binding: true,
            ..Login::default()
        }
    }

    /// A server that knows one user.
    pub(crate) fn host(user: &str, password: &str) -> Host {
        Host {
            name: "mail.contoso.test".to_owned(),
            users: vec![user.to_owned()],
            password: Secret::new(password.to_owned()),
            token: Secret::new(password.to_owned()),
            channel: channel(),
            offers_binding: true,
            ..Host::default()
        }
    }

    /// Lets both sides of a mechanism talk until one has enough; the server's verdict, and the client's of the server.
    pub(crate) fn play(mechanism: &Mechanism, login: &Login, host: &Host) -> (Turn, Result<Proof, Trouble>) {
        let (mut client, mut server) = ((mechanism.client)(), mechanism.server.unwrap()());
        let mut answer = mechanism.client_first.then(|| client.step(None, login));
        for _ in 0..10 {
            let given = match answer {
                Some(Err(trouble)) => return (Turn::Refuse, Err(trouble)),
                Some(Ok(ref message)) => Some(message.expose().as_slice()),
                None => None,
            };
            match server.step(given, host) {
                Turn::Challenge(challenge) => answer = Some(client.step(Some(&challenge), login)),
                turn => return (turn, Ok(client.proof())),
            }
        }
        panic!("{} does not end", mechanism.name);
    }

    #[test]
    fn descriptors_are_complete() {
        for (at, mechanism) in MECHANISMS.iter().enumerate() {
            assert!(mechanism.summary.len() <= 60 && !mechanism.source.is_empty());
            assert_eq!(mechanism.name, mechanism.name.to_ascii_uppercase());
            assert!(MECHANISMS[..at].iter().all(|other| other.name != mechanism.name), "{} twice", mechanism.name);
        }
    }

    #[test]
    fn every_mechanism_lets_the_right_password_in_and_no_other() {
        let secret = |mechanism: &&Mechanism| matches!(mechanism.needs, Needs::Password | Needs::Token);
        for mechanism in MECHANISMS.iter().filter(secret).filter(|mechanism| mechanism.server.is_some()) {
            for (user, password) in [("logon", "My simple password"), ("logon", "pässwörd€"), ("logon", "a b\\c:\"d\"")] {
                let (turn, proof) = play(mechanism, &login(user, password), &host(user, password));
                assert_eq!(turn, Turn::Accept(user.to_owned()), "{} {password}", mechanism.name);
                assert!(!matches!(proof, Ok(Proof::Failed(_)) | Err(_)), "{} {proof:?}", mechanism.name);
                let (turn, _) = play(mechanism, &login(user, "wrong"), &host(user, password));
                assert_eq!(turn, Turn::Refuse, "{}", mechanism.name);
            }
        }
    }

    #[test]
    fn every_mechanism_asks_for_what_it_lacks() {
        for mechanism in MECHANISMS.iter().filter(|mechanism| matches!(mechanism.needs, Needs::Password | Needs::Token)) {
            let (_, result) = play(mechanism, &Login { secret: None, ..login("logon", "") }, &host("logon", "x"));
            assert_eq!(result, Err(Trouble::NeedsSecret), "{}", mechanism.name);
            let (_, result) = play(mechanism, &login("", ""), &host("logon", "x"));
            assert_eq!(result, Err(Trouble::NeedsUser), "{}", mechanism.name);
        }
    }

    // P26, P27
    #[test]
    fn no_challenge_and_no_answer_makes_a_mechanism_panic() {
        let long = vec![b'a'; 70_000];
        let blobs: [&[u8]; 9] = [b"", b"\0", b"=", b"\xff\xfe", b"NTLMSSP\0\x02\0\0\0", b"r=,s=,i=", b"nonce=\"", b"{\"status\":", &long];
        for mechanism in MECHANISMS {
            for blob in blobs {
                let mut client = (mechanism.client)();
                for _ in 0..3 {
                    let _ = client.step(Some(blob), &login("logon", "x"));
                }
                if let Some(server) = mechanism.server {
                    let mut server = server();
                    let _ = server.step(None, &host("logon", "x"));
                    for _ in 0..3 {
                        let _ = server.step(Some(blob), &host("logon", "x"));
                    }
                }
                for (from, number) in [(Party::Client, 0), (Party::Client, 1), (Party::Server, 0), (Party::Server, 1)] {
                    let _ = (mechanism.describe)(&Said { from, number, bytes: blob, answering: None, now: 0 });
                }
            }
        }
    }

    #[test]
    fn the_strongest_that_serves_is_taken() {
        let offered = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let password = |mechanism: &Mechanism| mechanism.needs == Needs::Password;
        let unbound = |mechanism: &Mechanism| password(mechanism) && !mechanism.binds();
        let plus = offered("SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN");
        assert_eq!(best(&plus, password, false).map(|known| known.name), Some("SCRAM-SHA-1-PLUS"));
        assert_eq!(best(&plus, unbound, false).map(|known| known.name), Some("SCRAM-SHA-512"));
        // P47
        let table = [
            ("LOGIN PLAIN", false, Some("PLAIN")),
            ("LOGIN NTLM CRAM-MD5 DIGEST-MD5 PLAIN X-NEW", true, None),
            ("LOGIN NTLM SCRAM-SHA-1", true, Some("SCRAM-SHA-1")),
        ];
        for (names, clear, want) in table {
            assert_eq!(best(&offered(names), password, clear).map(|known| known.name), want, "{names}");
        }
    }
}
