//! Why a session that had begun did not come as far as it should: after the greeting.

use std::time::Duration;

use super::certificate;
use super::failure::{Class, Diagnosis, diagnosis, seconds};
use super::handshake::{self, HandshakeFailure};
use super::hello::{self, HelloRefusal, HeloEnd, Other};
use super::line::Sent;
use super::notice;
use super::old_tls::OldTls;
use super::place::Place;
use super::protection::Unsafe;
use super::reply::{Fact, Situation, explain};
use crate::sasl::Exposure;
use crate::text::{days, printable, printable_str};
use crate::wire::code;
use crate::wire::reply::Reply;

/// What only the reply to EHLO can offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// STARTTLS (RFC 3207).
    StartTls,
    /// A login (RFC 4954).
    Login,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TalkFailure {
    /// A command was refused: a login, MAIL, RCPT.
    Refused {
        /// Where.
        situation: Situation,
        /// The refusal.
        reply: Reply,
    },
    /// A recipient was accepted whose domain is not hosted there: the domain, and the reply.
    Relays {
        /// The domain.
        domain: String,
        /// The reply to RCPT.
        reply: Reply,
    },
    /// The relay test came to no result: MAIL or RCPT was refused for another reason.
    RelayUnknown {
        /// Where.
        situation: Situation,
        /// The refusal.
        reply: Reply,
    },
    /// EHLO or LHLO was refused; where EHLO was refused for good, HELO was tried after it and came to nothing either.
    HelloRefused {
        /// Which.
        verb: &'static str,
        /// The refusal.
        reply: Reply,
        /// The other of SMTP and LMTP may be spoken there.
        other: Other,
        /// What became of HELO, where it was tried.
        helo: Option<HeloEnd>,
        /// What was sent, and what was known then.
        sent: Sent,
    },
    /// EHLO was refused and HELO taken, which offers nothing.
    OnlyHelo {
        /// The refusal of EHLO.
        reply: Reply,
        /// What was wanted and is not offered so.
        lacks: Lacks,
    },
    /// No complete reply to this within the limit.
    Silent {
        /// The verb.
        verb: String,
        /// The limit.
        after: Duration,
    },
    /// The greeting came so late that nothing was left of the limit for this.
    NoTimeLeft {
        /// The verb.
        verb: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The connection ended in place of the reply to this.
    Lost {
        /// The verb.
        verb: String,
        /// The system's words; `None` when the server closed it.
        words: Option<String>,
    },
    /// What came in place of the reply to this is none.
    Odd {
        /// The verb.
        verb: String,
        /// What came.
        line: Vec<u8>,
    },
    /// A positive reply that cannot answer this: the server is out of step (P48).
    OutOfStep {
        /// The verb.
        verb: String,
        /// The codes that answer it.
        due: String,
        /// What came.
        reply: Reply,
    },
    /// A reply that nobody asked for came before the one to this.
    Unasked {
        /// The verb.
        verb: String,
        /// What came.
        reply: Reply,
    },
    /// A reply that nobody asked for came behind the last one (P9).
    Behind {
        /// What it came behind: "the greeting", "the reply to EHLO".
        what: String,
        /// What came.
        reply: Reply,
    },
    /// An address beyond ASCII was to be sent, and the server does not offer SMTPUTF8: the address.
    NoSmtpUtf8 {
        /// As the operator gave it.
        address: String,
    },
    /// STARTTLS is not offered.
    NoStartTls,
    /// STARTTLS is offered and refused.
    StartTlsRefused(Reply),
    /// Plain text came behind the 220 to STARTTLS.
    Injected,
    /// The handshake failed.
    Handshake(HandshakeFailure),
    /// The server and this program have no version and suite in common; asked again, it chose an old one.
    OldTls(OldTls),
    /// The roots to verify by, or what else TLS needs, cannot be had: in words.
    TlsOptions(String),
    /// The certificate has faults.
    Certificate(Vec<(certificate::Kind, String)>),
    /// The certificate ends in so many days, which is too soon.
    CertificateEnds(i64),
    /// No login that could be used is offered; what is.
    NoLogin {
        /// The mechanisms.
        offered: Vec<String>,
        /// The one that was asked for.
        wanted: Option<&'static str>,
        /// Where logins stand in the offer instead, in a sentence.
        elsewhere: Option<String>,
        /// It was asked inside TLS.
        in_tls: bool,
    },
    /// The password would go over a connection on which it is not safe.
    Unprotected(Unsafe),
    /// The login cannot be carried out, in words.
    LoginImpossible(String),
    /// The server has not proved that it knows the password, in words.
    NotTheServer(String),
    /// It works, and takes longer than was allowed.
    TooSlow {
        /// How long it took.
        took: Duration,
        /// What was allowed.
        limit: Duration,
    },
}

impl TalkFailure {
    /// The kind of failure.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Refused { situation, reply } if situation.verb == "AUTH" && reply.class() != Some(code::Class::Transient) => Class::Login,
            Self::Refused { reply, .. } | Self::RelayUnknown { reply, .. } | Self::HelloRefused { reply, .. } => match reply.class() {
                Some(code::Class::Transient) => Class::TryLater,
                _ => Class::Refused,
            },
            Self::Behind { reply, .. } if reply.has_code(421) => Class::TryLater,
            Self::NoSmtpUtf8 { .. } | Self::Relays { .. } => Class::Refused,
            Self::Silent { .. } | Self::NoTimeLeft { .. } | Self::TooSlow { .. } => Class::Timeout,
            Self::Lost { .. } | Self::Odd { .. } | Self::OutOfStep { .. } | Self::Unasked { .. } | Self::Behind { .. } => Class::Lost,
            Self::NoStartTls
            | Self::OnlyHelo { lacks: Lacks::StartTls, .. }
            | Self::StartTlsRefused(_)
            | Self::Injected
            | Self::Handshake(_)
            | Self::OldTls(_)
            | Self::TlsOptions(_)
            | Self::Certificate(_)
            | Self::CertificateEnds(_) => Class::Tls,
            Self::OnlyHelo { lacks: Lacks::Login, .. }
            | Self::NoLogin { .. }
            | Self::Unprotected(_)
            | Self::LoginImpossible(_)
            | Self::NotTheServer(_) => Class::Login,
        }
    }

    /// A few words, for a table.
    pub(super) fn short(&self) -> String {
        match self {
            Self::Refused { situation, reply } if situation.verb == "AUTH" => format!("login refused ({})", code_of(reply)),
            Self::Refused { situation, reply } => format!("{} refused ({})", printable_str(&situation.verb), code_of(reply)),
            Self::Relays { domain, reply } => format!("relays: RCPT TO for {} accepted ({})", printable_str(domain), code_of(reply)),
            Self::RelayUnknown { situation, reply } => {
                format!("relaying not known: {} refused ({})", printable_str(&situation.verb), code_of(reply))
            }
            Self::HelloRefused { verb, reply, .. } => format!("{verb} refused ({})", code_of(reply)),
            Self::Silent { verb, after } => format!("no reply to {} within {}", printable_str(verb), seconds(*after)),
            Self::NoTimeLeft { verb, limit } => format!("greeted too late for {verb} within {}", seconds(*limit)),
            Self::Lost { verb, words: None } => format!("closed instead of the reply to {}", printable_str(verb)),
            Self::Lost { verb, words: Some(_) } => format!("lost instead of the reply to {}", printable_str(verb)),
            Self::Odd { verb, .. } => format!("no SMTP reply to {}", printable_str(verb)),
            Self::OutOfStep { verb, reply, .. } => format!("out of step: {} to {}", code_of(reply), printable_str(verb)),
            Self::Behind { what, reply } if reply.has_code(421) => format!("closes right behind {} (421)", printable_str(what)),
            Self::Unasked { reply, .. } | Self::Behind { reply, .. } => format!("a reply that nobody asked for ({})", code_of(reply)),
            Self::NoSmtpUtf8 { address } => format!("no SMTPUTF8 for {}", printable_str(address)),
            Self::NoStartTls => "no STARTTLS".to_owned(),
            Self::OnlyHelo { reply, lacks: Lacks::StartTls } => format!("no STARTTLS: EHLO refused ({})", code_of(reply)),
            Self::OnlyHelo { reply, lacks: Lacks::Login } => format!("no login offered: EHLO refused ({})", code_of(reply)),
            Self::StartTlsRefused(reply) if !reply.is_refusal() => format!("STARTTLS not begun ({})", code_of(reply)),
            Self::StartTlsRefused(reply) => format!("STARTTLS refused ({})", code_of(reply)),
            Self::Injected => "plain text behind the 220 to STARTTLS".to_owned(),
            Self::Handshake(failure) => format!("TLS failed: {}", printable_str(&failure.words)),
            Self::OldTls(old) => format!("TLS failed: it speaks {}", old.spoken()),
            Self::TlsOptions(words) => printable_str(words).into_owned(),
            Self::Certificate(faults) => faults.iter().map(|(_, words)| printable_str(words).into_owned()).collect::<Vec<_>>().join("; "),
            Self::CertificateEnds(left) => format!("certificate ends in {}", days(*left)),
            Self::NoLogin { .. } => "no usable login offered".to_owned(),
            Self::Unprotected(lack) => lack.short(),
            Self::LoginImpossible(words) => format!("login not possible: {}", printable_str(words)),
            Self::NotTheServer(words) => format!("login accepted without proof: {}", printable_str(words)),
            Self::TooSlow { took, limit } => format!("slow: {} ms, and {} ms are allowed", took.as_millis(), limit.as_millis()),
        }
    }
}

/// Puts it into words.
pub(super) fn diagnose(failure: &TalkFailure, at: &Place) -> Diagnosis {
    let words = Words { place: at.shown(), at };
    match failure {
        TalkFailure::Refused { situation, reply } => words.refused(situation, reply),
        TalkFailure::Relays { domain, reply } => diagnosis(
            format!("{} relays: it accepted a recipient at {}", words.place, printable_str(domain)),
            &format!("{} You say that this domain is not hosted there, and nobody has logged in.", said(reply)),
            &[
                "The server relays for anybody (an open relay).",
                "It relays for the address that you connect from (mynetworks, a receive connector).",
                "It accepts every recipient, and rejects or drops the message later.",
            ],
            &["Repeat it from an outside address that is not trusted.", "On Postfix: postconf mynetworks smtpd_relay_restrictions"],
        ),
        TalkFailure::RelayUnknown { situation, reply } => {
            let refused = words.refused(situation, reply);
            let happened = format!("{} Nothing is known about relaying: the refusal has another reason.", refused.happened);
            Diagnosis { happened, ..refused }
        }
        TalkFailure::OutOfStep { verb, due, reply } => diagnosis(
            format!("{} answers {} with {}", words.place, printable_str(verb), code_of(reply)),
            &format!(
                "{} {}",
                said(reply),
                if verb == "AUTH" { notice::login_not_ended(reply.code) } else { notice::out_of_step(reply.code, verb, due) }
            ),
            &[
                "The server, or the proxy before it, sends a reply too many, and each later one answers an earlier command.",
                "A device on the way answers in its place.",
            ],
            &["A session (ehlo HOST PORT) shows who says what, and when."],
        ),
        TalkFailure::HelloRefused { verb, reply, other, helo, sent } => {
            hello::diagnose(&HelloRefusal { verb, reply, other: *other, helo: helo.as_ref(), sent }, at)
        }
        TalkFailure::OnlyHelo { reply, lacks } => hello::only_helo(reply, *lacks, at),
        TalkFailure::Behind { what, reply } if reply.has_code(421) => diagnosis(
            format!("{} closes the session right behind {}", words.place, printable_str(what)),
            &format!("{} Nobody asked for it: a server may say 421 at any moment.", said(reply)),
            &["The server is shutting down, or it is too busy."],
            &["Try again later.", "Look at the server's log: it says why."],
        ),
        TalkFailure::Unasked { verb, reply } => words.unasked(&format!("before the reply to {}", printable_str(verb)), reply),
        TalkFailure::Behind { what, reply } => words.unasked(&format!("behind {}", printable_str(what)), reply),
        TalkFailure::Silent { .. }
        | TalkFailure::NoTimeLeft { .. }
        | TalkFailure::Lost { .. }
        | TalkFailure::Odd { .. }
        | TalkFailure::TooSlow { .. } => words.connection(failure),
        TalkFailure::NoSmtpUtf8 { address } => diagnosis(
            format!("{} does not offer SMTPUTF8, which {} needs", words.place, printable_str(address)),
            "The address is beyond ASCII, and MAIL must then declare SMTPUTF8 (RFC 6531). Nothing was sent.",
            &["Internationalized mail is not enabled on the server, or its software does not support it."],
            &["Use an address in ASCII.", "On the server: Postfix smtputf8_enable = yes, and SMTPUTF8 in the reply to EHLO."],
        ),
        TalkFailure::NoStartTls | TalkFailure::StartTlsRefused(_) | TalkFailure::Injected => words.starttls(failure),
        TalkFailure::Handshake(failure) => handshake::diagnose(failure, at),
        TalkFailure::OldTls(_) | TalkFailure::TlsOptions(_) => words.tls(failure),
        TalkFailure::Certificate(faults) => words.certificate(faults),
        TalkFailure::CertificateEnds(left) => diagnosis(
            format!("The certificate of {} ends in {}", words.place, days(*left)),
            "All is well today. From that day on clients, DANE and MTA-STS senders stop.",
            &["The renewal does not run, or what it brings is not bound to SMTP."],
            &["Renew it, and restart the mail service with it."],
        ),
        TalkFailure::NoLogin { .. } | TalkFailure::Unprotected(_) | TalkFailure::LoginImpossible(_) | TalkFailure::NotTheServer(_) => {
            words.login(failure)
        }
    }
}

struct Words<'a> {
    /// `mx.contoso.test port 25`
    place: String,
    at: &'a Place,
}

impl Words<'_> {
    /// The facts about replies say what it means.
    fn refused(&self, situation: &Situation, reply: &Reply) -> Diagnosis {
        let what = if situation.verb == "AUTH" { "the login" } else { &situation.verb };
        let headline = format!("{} refused {} ({})", self.place, printable_str(what), code_of(reply));
        let says = said(reply);
        let by_hand = format!("By hand:  ehlo {}", self.at.arguments());
        match explain(situation, reply) {
            Some(fact) => of_fact(headline, &says, &fact, by_hand),
            None => diagnosis(headline, &says, &["The server's own rules."], &["Read its text; ask its administrator.", &by_hand]),
        }
    }

    fn unasked(&self, when: &str, reply: &Reply) -> Diagnosis {
        diagnosis(
            format!("{} sends a reply that nobody asked for", self.place),
            &format!("It came {when}. {}", said(reply)),
            &[
                "A server that is out of step: every reply would be taken for that to another command.",
                "A device on the way answers in its place.",
            ],
            &["A session (ehlo HOST PORT) shows who says what, and when."],
        )
    }

    fn connection(&self, failure: &TalkFailure) -> Diagnosis {
        let place = &self.place;
        match failure {
            TalkFailure::Silent { verb, after } => diagnosis(
                format!("{place} did not answer {} within {}", printable_str(verb), seconds(*after)),
                "It greeted, took the command, and sent no complete reply.",
                &[
                    "It waits itself: for a name server, a block list, a directory, the server behind it.",
                    "It delays on purpose (tarpit).",
                    "A firewall on the way swallows the answer.",
                ],
                &["Wait longer: --timeout 300", "On the server: what does its log say, and are its name servers alive?"],
            ),
            TalkFailure::NoTimeLeft { verb, limit } => diagnosis(
                format!("{place} greeted too late: {} is the limit for all, and nothing was left for {verb}", seconds(*limit)),
                "It greeted within the last moments.",
                &["It delays its greeting on purpose (tarpit), or waits for a name server or a block list."],
                &["Wait longer: --timeout 300"],
            ),
            TalkFailure::Lost { verb, words } => diagnosis(
                match words {
                    Some(words) => format!("{place} was lost instead of a reply to {}: {}", printable_str(verb), printable_str(words)),
                    None => format!("{place} closed the connection instead of a reply to {}", printable_str(verb)),
                },
                "It greeted, and the connection ended when the command had been sent.",
                &["The server does not like your address or the command.", "Its process died.", "A device on the way cuts the connection."],
                &["Look at the server's log: it says why.", "Try from another network."],
            ),
            TalkFailure::TooSlow { took, limit } => diagnosis(
                format!("{place} took {} ms, and {} ms are allowed", took.as_millis(), limit.as_millis()),
                "It works, but slower than --crit allows.",
                &["The server is loaded, or waits for a name server.", "The network is slow."],
                &["-v shows in which phase the time goes."],
            ),
            other => {
                let (verb, line) =
                    if let TalkFailure::Odd { verb, line } = other { (verb.as_str(), line.as_slice()) } else { ("", &[][..]) };
                diagnosis(
                    format!("{place} does not answer {} as SMTP does", printable_str(verb)),
                    &format!("It says: {}", printable(&line[..line.len().min(200)])),
                    &["It is not a mail server, or a broken one.", "A device on the way answers in its place."],
                    &["Is this the right port?"],
                )
            }
        }
    }

    fn starttls(&self, failure: &TalkFailure) -> Diagnosis {
        let place = &self.place;
        match failure {
            TalkFailure::NoStartTls => diagnosis(
                format!("{place} does not offer STARTTLS"),
                "The reply to EHLO has no STARTTLS: whatever is said there can be read on the way.",
                &["TLS is not configured: no certificate, or not for this port.", "A device on the way takes it out of the reply."],
                &[
                    "On the server: Postfix smtpd_tls_security_level = may; Exchange: a certificate bound to SMTP.",
                    "From another network, is it the same?",
                ],
            ),
            TalkFailure::StartTlsRefused(reply) => diagnosis(
                format!(
                    "{place} offers STARTTLS and {} ({})",
                    if reply.is_refusal() { "refuses it" } else { "does not begin it" },
                    code_of(reply)
                ),
                &said(reply),
                &["Its certificate or key cannot be read.", "It is out of something TLS needs (randomness, a process)."],
                &["Look at the server's log: it says why."],
            ),
            _ => diagnosis(
                format!("{place} sent plain text behind the 220 to STARTTLS"),
                "Replies came that were not encrypted, before the handshake. The connection was closed.",
                &["Somebody on the way injects replies (RFC 3207 section 6).", "The server is broken."],
                &["From another network, is it the same?"],
            ),
        }
    }

    fn tls(&self, failure: &TalkFailure) -> Diagnosis {
        match failure {
            TalkFailure::OldTls(old) => diagnosis(
                format!(
                    "{} speaks {}, {}",
                    self.place,
                    old.spoken(),
                    if old.version_is_old { "which is too old" } else { "which ehlo does not" }
                ),
                &format!("The handshake failed; asked again, the server chose this. {}", old.meaning()),
                &[old.likely()],
                &[old.next(), "A build with the feature legacy-tls can talk to it: --tls-min 1.0"],
            ),
            other => diagnosis(
                format!("TLS cannot be started: {}", other.short()),
                "This is a matter of this machine; the server has not been asked.",
                &["A file with certificates is not there, cannot be read in time, or is not what it should be."],
                &["Look at --cacert, --cert and --key, and at the certificates of this machine."],
            ),
        }
    }

    fn certificate(&self, faults: &[(certificate::Kind, String)]) -> Diagnosis {
        let words: Vec<_> = faults.iter().map(|(_, words)| printable_str(words).into_owned()).collect();
        let mut likely: Vec<String> = Vec::new();
        for advice in faults.iter().map(|(kind, _)| certificate::advice(*kind)) {
            if !likely.iter().any(|known| known == advice) {
                likely.push(advice.to_owned());
            }
        }
        Diagnosis {
            headline: format!("{} has a certificate with a fault: {}", self.place, words.join("; ")),
            happened: "TLS was agreed on, and the certificate does not prove whose server it is.".to_owned(),
            likely,
            next: vec!["With -k the check goes on in spite of it.".to_owned()],
        }
    }

    fn login(&self, failure: &TalkFailure) -> Diagnosis {
        let place = &self.place;
        match failure {
            TalkFailure::NoLogin { offered, wanted, elsewhere, in_tls } => {
                let list = if offered.is_empty() { "none".to_owned() } else { printable_str(&offered.join(", ")).into_owned() };
                let which = wanted.map_or_else(|| "no login that can be used".to_owned(), |name| format!("no AUTH {name}"));
                let usual = if *in_tls {
                    "Logins are switched off on this port (25 is often without)."
                } else {
                    "It offers logins only inside TLS."
                };
                let likely = [elsewhere.as_deref().unwrap_or(usual), "It wants another kind of credentials (a token, a certificate)."];
                let next = ["Submission ports are 587 and 465.", advice_of_method(offered)];
                diagnosis(
                    format!("{place} offers {which}"),
                    &format!("The login methods that it offers here: {list}."),
                    &likely,
                    &next[usize::from(self.at.lmtp)..],
                )
            }
            TalkFailure::Unprotected(lack) => {
                let remedy = lack.remedy();
                let next = [remedy.as_deref(), Some("--allow-cleartext sends it anyway.")];
                diagnosis(
                    format!("The password was not sent to {place}"),
                    &format!("{}.", capital(&lack.reason(Exposure::Secret))),
                    &["The server offers only methods that show the password, or let it be guessed from what they send."],
                    &next.into_iter().flatten().collect::<Vec<_>>(),
                )
            }
            TalkFailure::NotTheServer(words) => diagnosis(
                format!("{place} has not proved that it knows the password: {}", printable_str(words)),
                "The server accepted the login, and did not give the proof that this method demands of it.",
                &["Somebody else answers in its place.", "The server's implementation is broken."],
                &["Change the password if the server is not yours."],
            ),
            other => {
                let words = if let TalkFailure::LoginImpossible(words) = other { printable_str(words).into_owned() } else { String::new() };
                diagnosis(
                    format!("The login at {place} cannot be carried out: {words}"),
                    "The method does not go on from here, and the login was given up.",
                    &["The credentials are not what this method needs.", "The server's challenge is not what the method says."],
                    &["--auth METHOD takes another one."],
                )
            }
        }
    }
}

/// What the facts about replies say. A check has no session in which one could type `:help`.
pub(super) fn of_fact(headline: String, says: &str, fact: &Fact, by_hand: String) -> Diagnosis {
    let mut next: Vec<String> = fact.next().filter(|step| !step.starts_with(':')).map(capital).collect();
    if next.is_empty() {
        next.push(by_hand);
    }
    Diagnosis { next, headline, happened: format!("{says} {}", fact.meaning), likely: fact.likely().map(capital).collect() }
}

/// `550 5.7.1`
pub(super) fn code_of(reply: &Reply) -> String {
    reply.status().map_or_else(|| reply.code.to_string(), |status| format!("{} {status}", reply.code))
}

/// What the server said, as far as one wants to read it.
pub fn said(reply: &Reply) -> String {
    format!("It says {}.", quoted(reply.lines.iter()))
}

/// Lines of a server, the first few of them and of each the beginning.
pub fn quoted<'a>(lines: impl Iterator<Item = &'a [u8]>) -> String {
    let lines: Vec<_> = lines.take(4).map(|line| printable(&line[..line.len().min(200)]).into_owned()).collect();
    format!("\"{}\"", lines.join(" / "))
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What `--auth` can do where no method of the offer will do by itself.
fn advice_of_method(offered: &[String]) -> &'static str {
    if offered.iter().any(|name| crate::sasl::lookup(name).is_some()) {
        "--auth METHOD takes one of those that it offers."
    } else {
        "--auth METHOD tries one anyway."
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Caller;
    use super::*;
    use crate::explain::failure::{self, Failure};
    use crate::wire::reply::{Received, ReplyParser};

    fn reply(text: &str) -> Reply {
        let mut parser = ReplyParser::default();
        parser.push(format!("{text}\r\n").as_bytes());
        match parser.next_received() {
            Ok(Some(Received::Reply(reply))) => reply,
            other => panic!("{other:?}"),
        }
    }

    fn refused(verb: &str, text: &str) -> TalkFailure {
        TalkFailure::Refused { situation: Situation { verb: verb.to_owned(), ..Situation::default() }, reply: reply(text) }
    }

    fn hello(text: &str) -> TalkFailure {
        TalkFailure::HelloRefused { verb: "EHLO", other: Other::Unlikely, reply: reply(text), helo: None, sent: Sent::default() }
    }

    #[test]
    fn what_can_be_typed_in_a_session_only_is_no_advice_for_a_check() {
        let table = [
            ("RCPT TO", "500 5.5.2 what", "EHLO shows what the server offers"),
            ("NOOP", "501 5.5.4 syntax", "By hand:  ehlo mx.alt.test 25"),
        ];
        for (verb, text, rest) in table {
            let words = diagnose(&refused(verb, text), &Place::new("mx.alt.test", 25).for_caller(Caller::Check));
            assert_eq!(words.next, [rest], "{verb} {text}");
        }
    }

    #[test]
    fn every_failure_has_words_and_a_class_of_its_own_and_shows_no_control_byte() {
        let odd = || "x\x1b[31m".to_owned();
        let second = Duration::from_millis(1500);
        let table = [
            (refused("RCPT TO", "550 5.7.1 Unable to relay\x1b"), Class::Refused, "RCPT TO refused (550 5.7.1)"),
            (
                TalkFailure::Relays { domain: odd(), reply: reply("250 \x1b") },
                Class::Refused,
                r"relays: RCPT TO for x\x1b[31m accepted (250)",
            ),
            (
                TalkFailure::RelayUnknown {
                    situation: Situation { verb: "RCPT TO".to_owned(), ..Situation::default() },
                    reply: reply("450 later"),
                },
                Class::TryLater,
                "relaying not known: RCPT TO refused (450)",
            ),
            (refused("RCPT TO", "450 later"), Class::TryLater, "RCPT TO refused (450)"),
            (refused("MAIL FROM", "552 \x07"), Class::Refused, "MAIL FROM refused (552)"),
            (refused("AUTH", "535 5.7.8 no"), Class::Login, "login refused (535 5.7.8)"),
            (hello("550 no"), Class::Refused, "EHLO refused (550)"),
            (hello("421 no"), Class::TryLater, "EHLO refused (421)"),
            (TalkFailure::Silent { verb: odd(), after: second }, Class::Timeout, r"no reply to x\x1b[31m within 1.5 s"),
            (TalkFailure::Lost { verb: odd(), words: Some(odd()) }, Class::Lost, r"lost instead of the reply to x\x1b[31m"),
            (TalkFailure::Lost { verb: "EHLO".to_owned(), words: None }, Class::Lost, "closed instead of the reply to EHLO"),
            (TalkFailure::Odd { verb: odd(), line: vec![7; 300] }, Class::Lost, r"no SMTP reply to x\x1b[31m"),
            (TalkFailure::Behind { what: odd(), reply: reply("550 \x1b") }, Class::Lost, "a reply that nobody asked for (550)"),
            (TalkFailure::Behind { what: odd(), reply: reply("421 \x1b") }, Class::TryLater, r"closes right behind x\x1b[31m (421)"),
            (
                TalkFailure::OutOfStep { verb: odd(), due: "2yz".to_owned(), reply: reply("354 \x1b") },
                Class::Lost,
                r"out of step: 354 to x\x1b[31m",
            ),
            (TalkFailure::NoSmtpUtf8 { address: odd() }, Class::Refused, r"no SMTPUTF8 for x\x1b[31m"),
            (TalkFailure::NoStartTls, Class::Tls, "no STARTTLS"),
            (TalkFailure::OnlyHelo { reply: reply("550 \x1b"), lacks: Lacks::StartTls }, Class::Tls, "no STARTTLS: EHLO refused (550)"),
            (TalkFailure::OnlyHelo { reply: reply("550 \x1b"), lacks: Lacks::Login }, Class::Login, "no login offered: EHLO refused (550)"),
            (TalkFailure::StartTlsRefused(reply("454 \x1b")), Class::Tls, "STARTTLS refused (454)"),
            (TalkFailure::Injected, Class::Tls, "plain text behind the 220 to STARTTLS"),
            (
                TalkFailure::Handshake(HandshakeFailure { words: odd(), why: handshake::Why::Other, narrowed_by: Vec::new() }),
                Class::Tls,
                r"TLS failed: x\x1b[31m",
            ),
            (
                TalkFailure::OldTls(OldTls { version: "TLS 1.0".to_owned(), suite: odd(), version_is_old: true }),
                Class::Tls,
                r"TLS failed: it speaks TLS 1.0 with x\x1b[31m",
            ),
            (TalkFailure::TlsOptions(odd()), Class::Tls, r"x\x1b[31m"),
            (
                TalkFailure::Certificate(vec![(certificate::Kind::Expired, odd()), (certificate::Kind::WrongName, "b".to_owned())]),
                Class::Tls,
                r"x\x1b[31m; b",
            ),
            (TalkFailure::CertificateEnds(3), Class::Tls, "certificate ends in 3 days"),
            (
                TalkFailure::NoLogin { offered: vec![odd()], wanted: None, elsewhere: Some("x".to_owned()), in_tls: true },
                Class::Login,
                "no usable login offered",
            ),
            (TalkFailure::Unprotected(Unsafe::Clear), Class::Login, "login would be unencrypted"),
            (TalkFailure::Unprotected(Unsafe::Certificate), Class::Login, "login withheld: certificate not verified"),
            (TalkFailure::LoginImpossible(odd()), Class::Login, r"login not possible: x\x1b[31m"),
            (TalkFailure::NotTheServer(odd()), Class::Login, r"login accepted without proof: x\x1b[31m"),
            (TalkFailure::TooSlow { took: second, limit: second }, Class::Timeout, "slow: 1500 ms, and 1500 ms are allowed"),
        ];
        for (talk, class, short) in table {
            let failure = Failure::from(talk);
            assert_eq!((failure.class(), failure.short().as_str()), (class, short));
            let words = failure::diagnose(&failure, &Place::new("mx.alt.test", 25));
            let all = [vec![words.headline.clone(), words.happened.clone()], words.likely.clone(), words.next.clone()].concat();
            // P14
            assert!(all.iter().all(|text| !text.contains(char::is_control) && !text.is_empty()), "{failure:?}: {all:?}");
            assert!(!words.likely.is_empty() && !words.next.is_empty(), "{failure:?}");
        }
    }
}
