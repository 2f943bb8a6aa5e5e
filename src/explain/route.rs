//! Why the way to the server failed: a socket of this machine, a proxy, a program, a mail domain.

use std::time::Duration;

use super::failure::{Class, Diagnosis, diagnosis, seconds};
use super::place::Place;
use crate::text::{printable, printable_str};
use crate::wire::foreign::Foreign;

/// A way and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteFailure {
    /// The path of the socket, the proxy, the command line, the domain.
    pub way: String,
    /// What is wrong.
    pub trouble: Trouble,
}

/// What is wrong with the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such socket.
    SocketMissing,
    /// Nobody listens at the socket.
    SocketRefused,
    /// We may not use the socket.
    SocketForbidden,
    /// The system's words about the socket.
    SocketOther(String),
    /// The proxy itself was not reached, for this reason.
    ProxyUnreachable(String),
    /// The proxy wants a user name and a password, in its words.
    ProxyLoginWanted(String),
    /// The proxy does not take ours, in its words.
    ProxyLoginRefused(String),
    /// The proxy's rules forbid it, in its words.
    ProxyForbids(String),
    /// The proxy did not reach the server, in its words.
    ProxyNotReached(String),
    /// The proxy answered something else, in its words.
    ProxyRefused(String),
    /// A proxy of this kind cannot be asked for that, in words.
    ProxyNotAsked(String),
    /// It is no proxy; its first bytes.
    NotAProxy(Vec<u8>),
    /// The proxy hung up.
    ProxyClosed,
    /// The proxy said nothing.
    ProxySilent(Duration),
    /// The connection to the proxy broke, in the system's words.
    ProxyLost(String),
    /// The host holds letters that a shell would read.
    OddHost(String),
    /// The command was not started, in the system's words.
    CommandNotStarted(String),
    /// The command ended before the server greeted.
    CommandEnded {
        /// `exit status 255`.
        status: String,
        /// What it said on standard error.
        said: Vec<Vec<u8>>,
    },
    /// The command runs, and nothing has come out of it.
    CommandSilent(Duration),
    /// The connection broke while the header of the PROXY protocol was sent, in the system's words.
    HeaderLost(String),
    /// The domain takes no mail.
    NullMx,
    /// There is no such domain.
    NoSuchDomain,
    /// The mail servers were not learned, for this reason.
    NoMxAnswer(String),
    /// The only mail server has a name without address; it may not even exist.
    MxWithoutAddress {
        /// The name exists.
        exists: bool,
    },
    /// The MX record names the machine of whoever follows it.
    OwnMachine,
    /// So many mail servers, and none of them was reached.
    NoMailServer(usize),
    /// The host has no address, but these mail servers.
    MailDomain(Vec<String>),
}

/// In a few words, of an MX record.
pub const MX_NAMES_OWN_MACHINE: &str = "MX names the sender's own machine";

impl Trouble {
    /// The kind of failure.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::NullMx
            | Self::NoSuchDomain
            | Self::OwnMachine
            | Self::MxWithoutAddress { .. }
            | Self::NoMxAnswer(_)
            | Self::MailDomain(_) => Class::Dns,
            Self::CommandSilent(_) => Class::Timeout,
            _ => Class::Connect,
        }
    }

    /// A few words, for a table.
    pub(super) fn short(&self) -> String {
        let with = |what: &str, words: &str| format!("{what}: {}", printable_str(words));
        let words = match self {
            Self::SocketMissing => "no such socket",
            Self::SocketRefused => "nobody listens at the socket",
            Self::SocketForbidden => "the socket may not be used",
            Self::SocketOther(words) => return printable_str(words).into_owned(),
            Self::ProxyUnreachable(words) => return with("the proxy cannot be reached", words),
            Self::ProxyLoginWanted(words) => return with("the proxy wants a login", words),
            Self::ProxyLoginRefused(words) => return with("the proxy refused the login", words),
            Self::ProxyForbids(words) => return with("the proxy forbids it", words),
            Self::ProxyNotReached(words) => return with("not reached by the proxy", words),
            Self::ProxyRefused(words) => return with("the proxy refused", words),
            Self::ProxyNotAsked(words) => return with("the proxy was not asked", words),
            Self::NotAProxy(_) => "that is no proxy of this kind",
            Self::ProxyClosed => "the proxy hung up",
            Self::ProxySilent(_) => "the proxy said nothing",
            Self::ProxyLost(words) => return with("the connection to the proxy broke", words),
            Self::OddHost(_) => "not given to a command",
            Self::CommandNotStarted(words) => return with("the command cannot be started", words),
            Self::CommandEnded { status, .. } => return format!("the command ended ({})", printable_str(status)),
            Self::CommandSilent(after) => return format!("nothing came out of the command within {}", seconds(*after)),
            Self::HeaderLost(_) => "broke while the PROXY header was sent",
            Self::NullMx => "takes no mail (null MX)",
            Self::NoSuchDomain => "the domain does not exist",
            Self::NoMxAnswer(words) => return with("MX not looked up", words),
            Self::MxWithoutAddress { exists: true } => "the mail server has no address",
            Self::MxWithoutAddress { .. } => "the mail server does not exist",
            Self::OwnMachine => MX_NAMES_OWN_MACHINE,
            Self::NoMailServer(_) => "no mail server can be reached",
            Self::MailDomain(_) => "a mail domain, not a host (--mx)",
        };
        words.to_owned()
    }
}

/// Puts it into words.
pub(super) fn diagnose(failure: &RouteFailure, place: &Place) -> Diagnosis {
    let way = printable_str(&failure.way).into_owned();
    let words = Words { way: &way, host: place.host(), port: place.port(), place };
    let trouble = &failure.trouble;
    match trouble {
        Trouble::SocketMissing | Trouble::SocketRefused | Trouble::SocketForbidden | Trouble::SocketOther(_) => words.socket(trouble),
        Trouble::ProxyUnreachable(_) | Trouble::ProxyLoginWanted(_) | Trouble::ProxyLoginRefused(_) | Trouble::ProxyForbids(_) => {
            words.at_the_proxy(trouble)
        }
        Trouble::ProxyNotReached(_)
        | Trouble::ProxyRefused(_)
        | Trouble::ProxyNotAsked(_)
        | Trouble::NotAProxy(_)
        | Trouble::ProxyClosed
        | Trouble::ProxySilent(_)
        | Trouble::ProxyLost(_)
        | Trouble::HeaderLost(_) => words.behind_the_proxy(trouble),
        Trouble::OddHost(_) | Trouble::CommandNotStarted(_) | Trouble::CommandEnded { .. } | Trouble::CommandSilent(_) => {
            words.command(trouble)
        }
        Trouble::NullMx
        | Trouble::NoSuchDomain
        | Trouble::NoMxAnswer(_)
        | Trouble::MxWithoutAddress { .. }
        | Trouble::OwnMachine
        | Trouble::NoMailServer(_)
        | Trouble::MailDomain(_) => words.domain(trouble),
    }
}

/// So many mail servers are named in a sentence.
const FEW: usize = 8;

struct Words<'a> {
    way: &'a str,
    host: &'a str,
    port: u16,
    place: &'a Place,
}

impl Words<'_> {
    /// Of a proxy: not one of HTTP.
    fn is_socks(&self) -> bool {
        self.way.starts_with("socks")
    }

    fn socket(&self, trouble: &Trouble) -> Diagnosis {
        let path = self.way;
        match trouble {
            Trouble::SocketMissing => diagnosis(
                format!("There is no socket {path}"),
                "The path does not exist on this machine. Nothing was sent.",
                &[
                    "A typing error.",
                    "The service is stopped, and removed its socket.",
                    "The service runs in a chroot or a container, with paths of its own.",
                ],
                &[
                    "Is the service running?",
                    "Where does it say that its socket is?  Dovecot: doveconf -n service/lmtp; Postfix: master.cf",
                ],
            ),
            Trouble::SocketRefused => diagnosis(
                format!("Nobody listens at the socket {path}"),
                "The path exists, and the system refused the connection.",
                &[
                    "The service has ended without removing its socket.",
                    "The file is not a socket.",
                    "The socket is one for datagrams, such as that of a log.",
                ],
                &["Is the service running?"],
            ),
            Trouble::SocketForbidden => diagnosis(
                format!("You may not connect to the socket {path}"),
                "The system refused it: the socket or a folder above it is not open to this user.",
                &["The socket is for the mail system's own users only."],
                &[&format!("ls -l {path}"), "Try as root or as the user of the mail system: sudo -u postfix ehlo ..."],
            ),
            _ => {
                let detail = if let Trouble::SocketOther(words) = trouble { printable_str(words).into_owned() } else { String::new() };
                diagnosis(
                    format!("The socket {path} cannot be connected to: {detail}"),
                    "The operating system reports a failure before SMTP began.",
                    &["See its words above."],
                    &["Is the service running?"],
                )
            }
        }
    }

    fn at_the_proxy(&self, trouble: &Trouble) -> Diagnosis {
        let Self { way, host, port, .. } = self;
        match trouble {
            Trouble::ProxyUnreachable(words) => diagnosis(
                format!("The proxy {way} cannot be reached: {}", printable_str(words)),
                "The connection to the proxy failed. Nothing was learned about the mail server.",
                &["The proxy is down, or listens elsewhere.", "A typing error in --proxy."],
                &["Look at the proxy alone.", "Leave out --proxy, if there is a straight way."],
            ),
            Trouble::ProxyLoginWanted(words) => diagnosis(
                format!("The proxy {way} wants a user name and a password: {}", printable_str(words)),
                "The proxy asked for a login. Nothing was learned about the mail server.",
                &["It is open to known users only."],
                &["Name the user in the URL (USER@HOST:PORT) and set the variable EHLO_PROXY_PASSWORD to the password."],
            ),
            Trouble::ProxyLoginRefused(words) => diagnosis(
                format!("The proxy {way} does not accept the user name and the password: {}", printable_str(words)),
                "The proxy refused the login. Nothing was learned about the mail server.",
                &[
                    "A typing error in the user name, or in EHLO_PROXY_PASSWORD.",
                    if self.is_socks() {
                        "The proxy wants another kind of login (GSS-API), which is not spoken here."
                    } else {
                        "The proxy wants another kind of login (NTLM, Negotiate), which is not spoken here."
                    },
                ],
                &["Look at the proxy's log: it says why."],
            ),
            _ => {
                let detail = if let Trouble::ProxyForbids(words) = trouble { printable_str(words).into_owned() } else { String::new() };
                let lists = "Its list of clients or of destinations leaves this one out.";
                let (likely, next) = if self.is_socks() {
                    (
                        [lists, "Its rules know addresses or names only, and it was asked by the other."],
                        "Have it allowed: OpenSSH: PermitOpen, Dante: a socks pass rule.",
                    )
                } else {
                    (
                        ["Web proxies often lead to ports 443 and 563 only.", lists],
                        "Have the port allowed: tinyproxy: ConnectPort, squid: SSL_ports.",
                    )
                };
                diagnosis(
                    format!("The proxy {way} does not allow connections to {host} port {port}: {detail}"),
                    "The proxy answered that its rules forbid it. Nothing was learned about the mail server.",
                    &likely,
                    &["Try port 465 or 587.", next],
                )
            }
        }
    }

    fn behind_the_proxy(&self, trouble: &Trouble) -> Diagnosis {
        let Self { way, host, port, .. } = self;
        match trouble {
            Trouble::ProxyNotReached(words) => diagnosis(
                format!("The proxy {way} does not reach {host} port {port}: {}", printable_str(words)),
                "The proxy is up and tried. What it says is about the way from there to the mail server.",
                &[
                    "The name does not exist, or not for the proxy.",
                    "Nothing listens on the port, or a firewall behind the proxy drops it.",
                ],
                &["Compare with another way: without --proxy, or from another network.", "Does another port answer, by the same way?"],
            ),
            Trouble::ProxyRefused(words) => diagnosis(
                format!("The proxy {way} refuses: {}", printable_str(words)),
                "The proxy answered neither yes nor that it cannot reach the server.",
                &[if self.is_socks() {
                    "It does not do this, or not for addresses of this kind (IPv6, names)."
                } else {
                    "It does not do this for TCP in general (no CONNECT)."
                }],
                &["Look at the proxy's log."],
            ),
            Trouble::ProxyNotAsked(words) => diagnosis(
                format!("The proxy {way} cannot be asked: {}", printable_str(words)),
                "Its protocol has no form for that. The connection to the proxy stood, and nothing was said.",
                &["What was given goes with another kind of proxy."],
                &["socks5:// and http:// know names, IPv6 addresses and logins.", "The password comes from EHLO_PROXY_PASSWORD."],
            ),
            Trouble::NotAProxy(head) => self.not_a_proxy(head),
            Trouble::ProxyClosed => diagnosis(
                format!("The proxy {way} closed the connection without an answer"),
                "The connection to the proxy stood, and was closed when it was asked to lead to the server.",
                &[
                    "It is a proxy of another kind (SOCKS in the place of HTTP, or the reverse).",
                    "It does not want this client or this destination.",
                ],
                &["Try the other kind: socks5://, socks4:// or http://", "Look at the proxy's log."],
            ),
            Trouble::ProxySilent(after) => diagnosis(
                format!("The proxy {way} gave no answer within {}", seconds(*after)),
                "The connection to the proxy stood, and then nothing came back.",
                &["The proxy is waiting for the mail server, which does not answer it.", "It is a proxy of another kind, or none."],
                &["Wait longer: --connect-timeout 120", "Try the other kind: socks5://, socks4:// or http://"],
            ),
            Trouble::HeaderLost(words) => diagnosis(
                format!("{host} port {port} cut the connection while the PROXY header was sent: {}", printable_str(words)),
                "The header of --proxy-protocol goes out first of all; the connection broke there.",
                &["The server does not expect such a header on this port."],
                &["Leave out --proxy-protocol."],
            ),
            _ => {
                let detail = if let Trouble::ProxyLost(words) = trouble { printable_str(words).into_owned() } else { String::new() };
                diagnosis(
                    format!("The connection to the proxy {way} broke: {detail}"),
                    "It stood, and was cut before the proxy had answered.",
                    &["The proxy died, or a firewall cuts it."],
                    &["Try again.", "Look at the proxy's log."],
                )
            }
        }
    }

    fn not_a_proxy(&self, head: &[u8]) -> Diagnosis {
        let first = head.split(|&b| b == b'\r' || b == b'\n').next().unwrap_or_default();
        let looks = match crate::wire::foreign::guess(head) {
            Some(Foreign::Binary) | None if first.is_empty() => String::new(),
            Some(foreign) => format!(": it looks like {}", foreign.describe()),
            None => format!(": it says \"{}\"", printable(&first[..first.len().min(60)])),
        };
        diagnosis(
            format!("{} is not a proxy of that kind{looks}", self.way),
            "What answered there does not speak the proxy's protocol.",
            &["The wrong port.", "It is a proxy of another kind (SOCKS in the place of HTTP, or the reverse)."],
            &["Try the other kind: socks5://, socks4:// or http://"],
        )
    }

    fn command(&self, trouble: &Trouble) -> Diagnosis {
        match trouble {
            Trouble::OddHost(host) => diagnosis(
                format!("'{}' is not given to a command: a shell would read more than a name in it", printable_str(host)),
                "Only letters, digits, points, hyphens, underscores and colons are filled in for %h. Nothing was started.",
                &["A typing error."],
                &["Check the spelling."],
            ),
            Trouble::CommandSilent(after) => diagnosis(
                format!("Nothing came out of the command within {}: {}", seconds(*after), self.way),
                "The command runs. Whether it has reached the server is not known: an SMTP server speaks first.",
                &[
                    "The command still waits: for a host on the way, for a password, for the server.",
                    "The port expects TLS from the first byte (465 does), so both sides wait.",
                    "The server delays its greeting on purpose (tarpit), or waits for a DNS answer about you.",
                ],
                &["Run the command by itself: the server's greeting must come out of it.", "Wait longer: --timeout 300"],
            ),
            Trouble::CommandEnded { status, said } => {
                let last: Vec<String> = said.iter().rev().take(3).rev().map(|line| printable(line).into_owned()).collect();
                let says = if last.is_empty() { "It said nothing.".to_owned() } else { format!("It said: {}", last.join(" / ")) };
                diagnosis(
                    format!("The command ended ({status}) before the server greeted: {}", self.way),
                    &says,
                    &["The command could not reach the server, or not log in where it goes through.", "It is not installed, or misspelt."],
                    &["Run the command by itself: the server's greeting must come out of it."],
                )
            }
            _ => {
                let detail =
                    if let Trouble::CommandNotStarted(words) = trouble { printable_str(words).into_owned() } else { String::new() };
                diagnosis(
                    format!("The command cannot be started: {detail}"),
                    "The shell that runs --proxy-command was not started.",
                    &["Too many open files (ulimit -n) or processes (ulimit -u).", "There is no shell."],
                    &["Run the command by itself."],
                )
            }
        }
    }

    fn domain(&self, trouble: &Trouble) -> Diagnosis {
        let domain = self.way;
        match trouble {
            Trouble::NullMx => diagnosis(
                format!("{domain} says that it takes no mail (null MX)"),
                "Its only MX record is \"0 .\": nothing is to be delivered there, and senders give up at once (RFC 7505).",
                &["The domain is used for the web only.", "It was set by mistake."],
                &["If it should take mail: replace the record by the name of a mail server."],
            ),
            Trouble::NoSuchDomain => diagnosis(
                format!("The domain {domain} does not exist"),
                "The name server answered that there is no such name. Mail to it is returned.",
                &["A typing error.", "The domain has expired or its zone is broken."],
                &["Check the spelling.", "Is it the name of a server?  Then leave out --mx."],
            ),
            Trouble::MxWithoutAddress { exists } => diagnosis(
                format!("The mail server {domain} {}", if *exists { "has no address" } else { "does not exist" }),
                "The domain names it, and the name server has no A or AAAA record for it: nobody can deliver there.",
                &["A typing error in the MX record, or in the name of the host.", "The address record was deleted."],
                &["Set an address for the host, or name another one in the MX record."],
            ),
            Trouble::OwnMachine => diagnosis(
                format!("The MX record names {domain}, which is the sender's own machine"),
                "What answered here is this machine, not a mail server of the domain. Each sender that follows the record connects to itself.",
                &[
                    "The record was copied from the server's own settings.",
                    "The domain should take no mail: a null MX (\"0 .\", RFC 7505) says that.",
                ],
                &["Name the mail server in the MX record by its own full name."],
            ),
            Trouble::NoMailServer(count) => diagnosis(
                format!("None of the {count} mail servers of {domain} can be reached"),
                "Each was tried in order of preference; what happened stands above.",
                &[
                    "Port 25 is blocked on the way out of this network (very common at homes, offices and clouds).",
                    "The records are old, or all servers are down.",
                ],
                &["Does any other server answer on 25?", "From another network?"],
            ),
            Trouble::MailDomain(servers) => {
                let shown: Vec<_> = servers.iter().take(FEW).map(|server| printable_str(server)).collect();
                let more = if servers.len() > FEW { format!(" and {} more", servers.len() - FEW) } else { String::new() };
                diagnosis(
                    format!("{domain} is a mail domain, not a host: it has no address, but mail servers"),
                    &format!("Its mail goes to {}{more}.", shown.join(", ")),
                    &["Mail servers have names of their own, which the MX records of the domain tell."],
                    &[&self.place.call_by_mx(domain)],
                )
            }
            _ => {
                let detail = if let Trouble::NoMxAnswer(words) = trouble { printable_str(words).into_owned() } else { String::new() };
                diagnosis(
                    format!("The mail servers of {domain} could not be looked up: {detail}"),
                    "Without an answer to that question no sender can deliver; it tries again later.",
                    &["The name server that was asked is down or not reachable.", "The zone of the domain is broken (also its DNSSEC)."],
                    &["Ask another one: --resolver ADDRESS", "Give the name of a mail server, without --mx."],
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_has_words_of_its_own_and_shows_no_control_byte() {
        let odd = || "x\x1b[31m".to_owned();
        let troubles = [
            Trouble::SocketMissing,
            Trouble::SocketRefused,
            Trouble::SocketForbidden,
            Trouble::SocketOther(odd()),
            Trouble::ProxyUnreachable(odd()),
            Trouble::ProxyLoginWanted(odd()),
            Trouble::ProxyLoginRefused(odd()),
            Trouble::ProxyForbids(odd()),
            Trouble::ProxyNotReached(odd()),
            Trouble::ProxyRefused(odd()),
            Trouble::NotAProxy(b"220 mx\x1b ESMTP\r\n".to_vec()),
            Trouble::NotAProxy(b"SSH-2.0-x\r\n".to_vec()),
            Trouble::NotAProxy(Vec::new()),
            Trouble::ProxyClosed,
            Trouble::ProxySilent(Duration::from_secs(3)),
            Trouble::ProxyLost(odd()),
            Trouble::OddHost(odd()),
            Trouble::CommandNotStarted(odd()),
            Trouble::CommandEnded { status: "exit status 255".to_owned(), said: vec![b"\x1b]0;x\x07".to_vec()] },
            Trouble::CommandSilent(Duration::from_secs(3)),
            Trouble::HeaderLost(odd()),
            Trouble::NullMx,
            Trouble::NoSuchDomain,
            Trouble::NoMxAnswer(odd()),
            Trouble::MxWithoutAddress { exists: true },
            Trouble::MxWithoutAddress { exists: false },
            Trouble::OwnMachine,
            Trouble::NoMailServer(3),
            Trouble::MailDomain(vec![odd()]),
        ];
        let mut seen = std::collections::HashSet::new();
        for trouble in troubles {
            let words = diagnose(&RouteFailure { way: odd(), trouble: trouble.clone() }, &Place::new("mx.alt.test", 25));
            let all = [vec![words.headline.clone(), words.happened.clone()], words.likely.clone(), words.next.clone()].concat();
            // P14
            assert!(all.iter().all(|text| !text.contains(char::is_control) && !text.is_empty()), "{trouble:?}: {all:?}");
            assert!(seen.insert(words.headline.clone()), "{trouble:?}");
            assert!(!trouble.short().contains(char::is_control), "{trouble:?}");
        }
    }

    #[test]
    fn advice_fits_the_kind_of_the_proxy() {
        let troubles =
            [Trouble::ProxyForbids("no".to_owned()), Trouble::ProxyRefused("no".to_owned()), Trouble::ProxyLoginRefused("no".to_owned())];
        for trouble in troubles {
            for (way, web) in [("socks5://127.0.0.1:1080", false), ("socks4://127.0.0.1:1080", false), ("http://127.0.0.1:3128", true)] {
                let words = diagnose(&RouteFailure { way: way.to_owned(), trouble: trouble.clone() }, &Place::new("mx.alt.test", 25));
                let advice = [words.likely, words.next].concat().join(" ");
                let of_the_web = ["Web proxies", "squid", "CONNECT", "Negotiate"].iter().any(|word| advice.contains(word));
                assert_eq!(of_the_web, web, "{way} {trouble:?}: {advice}");
            }
        }
    }
}
