//! Where something failed, as far as what is said of it depends on that.

use crate::host::{in_url, ip_of};
use crate::text::printable_str;

/// The port on which TLS from the first byte is taken for granted (RFC 8314 §7.3).
const SUBMISSIONS: u16 = 465;

/// A server, and what was being done there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    host: String,
    port: u16,
    socket: Option<String>,
    /// LMTP is spoken, not SMTP.
    pub lmtp: bool,
    /// TLS from the first byte.
    pub implicit_tls: bool,
    /// The connection began with our header of the PROXY protocol.
    pub behind_header: bool,
    /// How what can be called is named.
    caller: Caller,
}

/// Who is told, and can call what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caller {
    /// Who began a session: `ehlo`.
    #[default]
    Session,
    /// Who called `ehlo check`.
    Check,
    /// Who typed `:check` in a session.
    CheckInSession,
}

impl Place {
    /// A port of a host, for a session in SMTP.
    pub fn new(host: &str, port: u16) -> Self {
        Self {
            host: printable_str(host).into_owned(),
            port,
            socket: None,
            lmtp: false,
            implicit_tls: false,
            behind_header: false,
            caller: Caller::Session,
        }
    }

    /// A socket of this machine in the place of the port.
    #[must_use]
    pub fn at_socket(self, path: Option<&str>) -> Self {
        Self { socket: path.map(|path| printable_str(path).into_owned()), ..self }
    }

    /// What is spoken there: LMTP, and TLS from the first byte.
    #[must_use]
    pub fn speaking(self, lmtp: bool, implicit_tls: bool) -> Self {
        Self { lmtp, implicit_tls, ..self }
    }

    /// Where the connection began with our header of the PROXY protocol.
    #[must_use]
    pub fn after_header(self) -> Self {
        Self { behind_header: true, ..self }
    }

    /// For somebody else than who began a session.
    #[must_use]
    pub fn for_caller(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    /// The host, or the path of the socket. Printable.
    pub fn host(&self) -> &str {
        self.socket.as_deref().unwrap_or(&self.host)
    }

    /// The port; of no meaning for a socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// It is a socket of this machine.
    pub fn is_socket(&self) -> bool {
        self.socket.is_some()
    }

    /// The host was given as a name, not as an address.
    pub fn is_name(&self) -> bool {
        self.socket.is_none() && ip_of(&self.host).is_none()
    }

    /// `mx.contoso.test port 25`, `unix:/run/smtp`: to stand in a sentence.
    pub fn shown(&self) -> String {
        match &self.socket {
            Some(path) => format!("unix:{path}"),
            None => format!("{} port {}", self.host, self.port),
        }
    }

    /// The arguments that lead there in SMTP: `mx.contoso.test 25`, `unix:/run/smtp`.
    pub fn as_smtp(&self) -> String {
        match &self.socket {
            Some(path) => format!("unix:{path}"),
            None => format!("{} {}", self.host, self.port),
        }
    }

    /// The arguments that lead there in LMTP: `lmtp://mx.contoso.test:24`, `lmtp:unix:/run/lmtp`.
    pub fn as_lmtp(&self) -> String {
        match &self.socket {
            Some(path) => format!("lmtp:unix:{path}"),
            None => self.as_url("lmtp"),
        }
    }

    /// The arguments that lead there as it was done now.
    pub fn arguments(&self) -> String {
        match (self.lmtp, self.implicit_tls) {
            (true, _) => self.as_lmtp(),
            (false, true) => format!("--tls {}", self.as_smtp()),
            (false, false) => self.as_smtp(),
        }
    }

    /// The arguments that lead there and into TLS.
    pub fn encrypted(&self) -> String {
        if self.implicit_tls { self.arguments() } else { format!("-S {}", self.arguments()) }
    }

    /// The program as it was called: `ehlo`, `ehlo check`, `:check`.
    pub fn program(&self) -> &'static str {
        match self.caller {
            Caller::Session => "ehlo",
            Caller::Check => "ehlo check",
            Caller::CheckInSession => ":check",
        }
    }

    /// The whole call that leads there by TLS from the first byte.
    pub fn call_with_tls(&self) -> String {
        let place = if self.lmtp { self.as_lmtp() } else { self.as_smtp() };
        match self.caller {
            Caller::Session => format!("ehlo --tls {place}"),
            // There is no other way to say that of them.
            Caller::CheckInSession if !self.lmtp && !self.is_socket() => format!(":check {}", self.as_url("smtps")),
            Caller::Check | Caller::CheckInSession => format!("ehlo check --tls {place}"),
        }
    }

    /// The whole call that leads there in clear; it encrypts by STARTTLS where that is wished.
    pub fn call_in_clear(&self, starttls: bool) -> String {
        // A check does that where it is offered. Without the scheme port 465 is taken for what it should be.
        let flag = if starttls && self.caller != Caller::CheckInSession { " -S" } else { "" };
        let place = match self.port {
            _ if self.lmtp => self.as_lmtp(),
            SUBMISSIONS if !self.is_socket() => self.as_url("smtp"),
            _ => self.as_smtp(),
        };
        format!("{}{flag} {place}", self.program())
    }

    /// The whole call for the mail servers of a domain, which a session has no command for.
    pub fn call_by_mx(&self, domain: &str) -> String {
        let program = if self.caller == Caller::Session { "ehlo" } else { "ehlo check" };
        format!("{program} --mx {domain}")
    }

    fn as_url(&self, scheme: &str) -> String {
        format!("{scheme}://{}:{}", in_url(&self.host), self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_and_written_as_arguments() {
        let mx = Place::new("mx.alt.test", 25);
        let lmtp = |place: Place| Place { lmtp: true, ..place };
        let table = [
            (mx.clone(), "mx.alt.test port 25", "mx.alt.test 25", "lmtp://mx.alt.test:25"),
            (Place { implicit_tls: true, ..mx.clone() }, "mx.alt.test port 25", "--tls mx.alt.test 25", "lmtp://mx.alt.test:25"),
            (lmtp(Place::new("::1", 24)), "::1 port 24", "lmtp://[::1]:24", "lmtp://[::1]:24"),
            (mx.clone().at_socket(Some("/run/a")), "unix:/run/a", "unix:/run/a", "lmtp:unix:/run/a"),
            (lmtp(mx.clone().at_socket(Some("/run/a"))), "unix:/run/a", "lmtp:unix:/run/a", "lmtp:unix:/run/a"),
        ];
        for (place, shown, arguments, as_lmtp) in table {
            assert_eq!((place.shown().as_str(), place.arguments().as_str(), place.as_lmtp().as_str()), (shown, arguments, as_lmtp));
        }
        assert!(mx.is_name() && !Place::new("192.0.2.1", 25).is_name() && !mx.clone().at_socket(Some("/a")).is_name());
        let (check, inside) = (mx.clone().for_caller(Caller::Check), mx.clone().for_caller(Caller::CheckInSession));
        assert_eq!(
            (check.call_with_tls().as_str(), inside.call_with_tls().as_str()),
            ("ehlo check --tls mx.alt.test 25", ":check smtps://mx.alt.test:25")
        );
        assert_eq!(
            (check.call_in_clear(true).as_str(), inside.call_in_clear(true).as_str()),
            ("ehlo check -S mx.alt.test 25", ":check mx.alt.test 25")
        );
        assert_eq!(lmtp(inside.clone()).call_with_tls(), "ehlo check --tls lmtp://mx.alt.test:25");
        assert_eq!(Place::new("::1", 465).call_in_clear(false), "ehlo smtp://[::1]:465");
        // P14
        assert!(!Place::new("a\x1b[31m", 25).shown().contains('\x1b'));
    }
}
