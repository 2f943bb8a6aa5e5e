//! Faults to practise on: what the practice server does otherwise, as a list of quirks.

use std::time::Duration;

/// A server with a fault.
#[derive(Debug)]
pub struct Scenario {
    /// As given on the command line.
    pub name: &'static str,
    /// What happens, 60 columns at most.
    pub summary: &'static str,
    /// What is different from the character's usual way.
    pub quirks: &'static [Quirk],
}

/// The moment of a reply: what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Every reply.
    Every,
    /// The connection.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// NOOP.
    Noop,
    /// STARTTLS, when it is done.
    StartTls,
    /// Anything else.
    Other,
}

impl At {
    /// Whether a quirk for this moment applies at that one.
    pub fn covers(self, moment: Self) -> bool {
        self == Self::Every || self == moment
    }
}

/// One thing that the server does otherwise. The texts are templates like the characters'.
#[derive(Debug)]
pub enum Quirk {
    /// It calls itself this.
    Name(&'static str),
    /// It never says a word.
    Silent,
    /// It says this where it would agree, and does not do what was asked.
    Say(At, &'static str),
    /// The same, but only the first time for each address.
    SayFirst(At, &'static str),
    /// It answers every command but QUIT with this.
    OnlyQuit(&'static str),
    /// This line of the EHLO reply is lost, or another stands in its place; the server does not know it.
    Keyword(&'static str, Option<&'static str>),
    /// The reply comes late.
    Wait(At, Duration),
    /// Behind the reply come these bytes.
    Append(At, &'static [u8]),
    /// Then it closes.
    Close(At),
    /// The list in the EHLO reply has no end.
    EndlessHello,
    /// How long it waits for a command.
    Idle(Duration),
    /// Lines end with LF alone.
    BareLf,
    /// It sends single bytes with this time in between.
    ByteByByte(Duration),
    /// AUTH offers these mechanisms.
    Mechanisms(&'static [&'static str]),
    /// AUTH is offered and known only inside TLS.
    AuthInTls,
    /// AUTH outside TLS is answered with this.
    AuthNeedsTls(&'static str),
    /// AUTH with the first mechanism of the offer is answered with this.
    FirstUnusable(&'static str),
    /// AUTH with an initial response is answered with this.
    NoInitialResponse(&'static str),
    /// Other words behind a 334, as they stand here.
    Challenge {
        /// The mechanism, or any.
        of: Option<&'static str>,
        /// The number of the challenge in its dialogue, from 0, or any.
        number: Option<usize>,
        /// The words.
        text: &'static str,
    },
    /// AUTH LOGIN asks for the password before the user name.
    PasswordFirst,
    /// AUTH asks again and again.
    PromptsForever,
    /// No password is right, no token, no certificate.
    NoLogin,
    /// The proof that the server knows the password too is wrong.
    Lies,
    /// TLS is not as it should be.
    Tls(TlsQuirk),
    /// After its first reply inside TLS it closes without TLS' farewell.
    CutTls,
}

/// What is otherwise about TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsQuirk {
    /// The certificate is signed with its own key.
    SelfSigned,
    /// It has ended.
    Expired,
    /// It is for other names.
    WrongName,
    /// The certificate of its issuer is not sent.
    NoIntermediate,
    /// The client has to show a certificate.
    ClientCertificate,
    /// There is no TLS 1.3.
    Only12,
    /// The first message of the client is answered with this fatal alert (RFC 8446 §6).
    Alert(u8),
    /// The first message of the client is not answered.
    Silence,
}

impl Scenario {
    /// What is otherwise about TLS, in no order.
    pub fn tls(&self) -> impl Iterator<Item = TlsQuirk> {
        self.quirks.iter().filter_map(|quirk| match quirk {
            Quirk::Tls(tls) => Some(*tls),
            _ => None,
        })
    }
}

const fn scenario(name: &'static str, summary: &'static str, quirks: &'static [Quirk]) -> Scenario {
    Scenario { name, summary, quirks }
}

const GARBAGE: &[u8] = b"\x1b]0;pwned\x07\x1b[2J\x00\x9b31m\xfe\xffQ7!\x01\x1b[1;1H\r\n\x80\x81 \x7f\x08\x08~%\xe2\x80\xae\x00\x0b\r\n";

const INJECTED: &[u8] = b"250-mail.contoso.test\r\n250 AUTH PLAIN LOGIN\r\n";
const NOT_BASE64: &str = "VXNl*cm5h(bWU6";
/// Mechanisms in which the client speaks first.
const CLIENT_FIRST: &[&str] = &["PLAIN", "XOAUTH2", "LOGIN"];
const TOKENS: &[&str] = &["XOAUTH2", "OAUTHBEARER"];
/// Mechanisms in which the server proves that it knows the password.
const PROVING: &[&str] = &["SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5"];
/// RFC 8446 §6.2.
const HANDSHAKE_FAILURE: u8 = 40;

/// All scenarios, from the connection to the end of a message.
pub const SCENARIOS: &[Scenario] = &[
    scenario("no-greeting", "the server takes the connection and says nothing", &[Quirk::Silent]),
    scenario("slow-greeting", "the greeting comes after 6 seconds", &[Quirk::Wait(At::Greeting, Duration::from_secs(6))]),
    scenario(
        "greeting-421",
        "421 instead of a greeting: busy, try later",
        &[Quirk::Say(At::Greeting, "421 4.3.2 {name} Service not available, closing transmission channel"), Quirk::Close(At::Greeting)],
    ),
    scenario(
        "greeting-554",
        "554 instead of a greeting: no mail service for you",
        &[Quirk::Say(At::Greeting, "554 5.7.1 {name} No SMTP service for {client}"), Quirk::OnlyQuit("503 5.5.1 Bad sequence of commands")],
    ),
    scenario("close-at-once", "the connection is closed without a word", &[Quirk::Silent, Quirk::Close(At::Greeting)]),
    scenario("internal-name", "the greeting gives away an internal name", &[Quirk::Name("myserver.contoso.local")]),
    scenario(
        "masked-banner",
        "a firewall masks the greeting and STARTTLS",
        &[Quirk::Say(At::Greeting, "220 **************************0*2******"), Quirk::Keyword("STARTTLS", Some("XXXXXXXA"))],
    ),
    scenario("garbage", "control characters and noise behind the greeting", &[Quirk::Append(At::Greeting, GARBAGE)]),
    scenario("tarpit", "every reply takes 2 seconds", &[Quirk::Wait(At::Every, Duration::from_secs(2))]),
    scenario("byte-by-byte", "every reply comes in single bytes", &[Quirk::ByteByByte(Duration::from_millis(4))]),
    scenario("bare-lf", "lines end with LF instead of CRLF", &[Quirk::BareLf]),
    scenario(
        "mixed-codes",
        "the lines of the EHLO reply carry different codes",
        &[Quirk::Say(At::Hello, "250-{name}\r\n550-5.7.1 Not for you\r\n250 HELP")],
    ),
    scenario("endless-reply", "the EHLO reply never ends", &[Quirk::EndlessHello]),
    scenario(
        "unsolicited",
        "after NOOP comes a reply that nobody asked for",
        &[Quirk::Append(At::Noop, b"250 2.1.5 Nobody asked for this\r\n")],
    ),
    scenario("idle-421", "the server hangs up after 20 seconds of silence", &[Quirk::Idle(Duration::from_secs(20))]),
    scenario("starttls-stripped", "a device on the way takes STARTTLS out of the offer", &[Quirk::Keyword("STARTTLS", None)]),
    scenario(
        "starttls-refused",
        "STARTTLS is offered, then refused",
        &[Quirk::Say(At::StartTls, "454 4.7.0 TLS not available due to temporary reason")],
    ),
    scenario("starttls-injection", "a reply in plain text comes with the 220 to STARTTLS", &[Quirk::Append(At::StartTls, INJECTED)]),
    scenario("self-signed", "nobody vouches for the certificate", &[Quirk::Tls(TlsQuirk::SelfSigned)]),
    scenario("expired", "the certificate expired 12 days ago", &[Quirk::Tls(TlsQuirk::Expired)]),
    scenario("wrong-name", "the certificate is for other names", &[Quirk::Tls(TlsQuirk::WrongName)]),
    scenario("missing-intermediate", "the certificate comes without that of its issuer", &[Quirk::Tls(TlsQuirk::NoIntermediate)]),
    scenario("client-certificate", "TLS only for clients with a certificate of their own", &[Quirk::Tls(TlsQuirk::ClientCertificate)]),
    scenario("tls12", "the server does not know TLS 1.3", &[Quirk::Tls(TlsQuirk::Only12)]),
    scenario("tls-alert", "the TLS handshake fails with an alert", &[Quirk::Tls(TlsQuirk::Alert(HANDSHAKE_FAILURE))]),
    scenario("tls-silence", "the TLS handshake is never answered", &[Quirk::Tls(TlsQuirk::Silence)]),
    scenario("truncated-tls", "after the first reply in TLS the connection is cut", &[Quirk::CutTls]),
    scenario("wrong-password", "no login succeeds, whatever the password", &[Quirk::NoLogin]),
    scenario("password-first", "AUTH LOGIN asks for the password before the user", &[Quirk::PasswordFirst]),
    scenario(
        "odd-prompts",
        "AUTH LOGIN asks with nothing, then with plain text",
        &[
            Quirk::Challenge { of: Some("LOGIN"), number: Some(0), text: "" },
            Quirk::Challenge { of: Some("LOGIN"), number: Some(1), text: "Now the other one, please!" },
        ],
    ),
    scenario("auth-loop", "AUTH asks again and again without an end", &[Quirk::PromptsForever]),
    scenario("bad-base64", "the challenges of AUTH are not base64", &[Quirk::Challenge { of: None, number: None, text: NOT_BASE64 }]),
    scenario("empty-challenge", "AUTH asks with an empty 334", &[Quirk::Challenge { of: None, number: None, text: "" }]),
    scenario(
        "ntlm-empty",
        "only NTLM is offered; it begins with an empty 334",
        &[Quirk::Mechanisms(&["NTLM"]), Quirk::Challenge { of: Some("NTLM"), number: Some(0), text: "" }],
    ),
    scenario(
        "auth-in-clear",
        "no TLS, and only logins whose password can be read",
        &[Quirk::Keyword("STARTTLS", None), Quirk::Mechanisms(&["LOGIN", "PLAIN"])],
    ),
    scenario(
        "auth-needs-tls",
        "AUTH is offered without TLS, but refused there",
        &[Quirk::AuthNeedsTls("538 5.7.11 Encryption required for requested authentication mechanism")],
    ),
    scenario("auth-in-tls", "AUTH is offered inside TLS only", &[Quirk::AuthInTls]),
    scenario(
        "auth-unusable",
        "the first mechanism of the offer is refused (504)",
        &[Quirk::FirstUnusable("504 5.7.4 Unrecognized authentication type")],
    ),
    scenario(
        "initial-501",
        "AUTH with an initial response is refused (501)",
        &[Quirk::NoInitialResponse("501 5.5.2 Syntax error in parameters or arguments"), Quirk::Mechanisms(CLIENT_FIRST)],
    ),
    scenario(
        "initial-504",
        "AUTH with an initial response is refused (504)",
        &[Quirk::NoInitialResponse("504 5.7.4 Unrecognized authentication type"), Quirk::Mechanisms(CLIENT_FIRST)],
    ),
    scenario("token-refused", "no token is right: a 334 with JSON says so", &[Quirk::NoLogin, Quirk::Mechanisms(TOKENS)]),
    scenario("false-server", "the server's proof that it knows the password is wrong", &[Quirk::Lies, Quirk::Mechanisms(PROVING)]),
    scenario(
        "greylisting",
        "every recipient is put off once",
        &[Quirk::SayFirst(At::Rcpt, "451 4.7.1 <{address}>: Greylisted, please try again later")],
    ),
    scenario("full-disk", "no recipient is accepted: the disk is full", &[Quirk::Say(At::Rcpt, "452 4.3.1 Insufficient system storage")]),
    scenario("close-after-rcpt", "the connection is closed after the first RCPT", &[Quirk::Close(At::Rcpt)]),
    scenario("refuse-data", "DATA is refused after good recipients", &[Quirk::Say(At::Data, "554 5.7.1 Message refused")]),
];

/// Finds a scenario by its name.
pub fn lookup(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_complete() {
        for (at, scenario) in SCENARIOS.iter().enumerate() {
            assert!(!scenario.summary.is_empty() && scenario.summary.len() <= 60, "{}", scenario.name);
            assert!(!scenario.quirks.is_empty(), "{}", scenario.name);
            assert!(SCENARIOS[..at].iter().all(|other| other.name != scenario.name), "{} twice", scenario.name);
            assert_eq!(lookup(scenario.name).map(|found| found.name), Some(scenario.name));
        }
    }
}
