//! TLS in the conversation: STARTTLS typed or asked for, TLS from the first byte, the verdict.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;

use super::signals::Signal;
use super::{Outcome, Repl};
use crate::jobs::old_tls;
use crate::net::tls::{Roots, TlsFailure, TlsReport, load_roots};
use crate::render::{Row, human, tls};
use crate::session::{Security, Session, Stage};
use crate::wire::keyword::Capabilities;

/// TLS of the session: what was wished, loaded and negotiated.
#[derive(Default)]
pub(super) struct Secure {
    /// Roots that are being read while something else is waited for.
    loading: Option<JoinHandle<Result<Roots, String>>>,
    roots: Option<Roots>,
    /// `:starttls` says the EHLO that follows.
    running: bool,
    /// What the last handshake on this connection brought.
    pub(super) report: Option<TlsReport>,
}

impl Repl {
    /// Begins to read the roots on another thread; done once.
    pub(super) fn begin_loading_roots(&mut self) {
        if self.secure.roots.is_none() && self.secure.loading.is_none() {
            let (file, extra) = (self.options.tls.ca_file.clone(), self.options.tls.extra_roots.clone());
            self.secure.loading = Some(tokio::task::spawn_blocking(move || load_roots(file.as_deref(), extra)));
        }
    }

    async fn roots(&mut self) -> Result<Roots, String> {
        self.begin_loading_roots();
        if let Some(loading) = self.secure.loading.take() {
            self.secure.roots = Some(loading.await.map_err(|_| "the root certificates were not read".to_owned())??);
        }
        self.secure.roots.clone().ok_or_else(|| "the root certificates were not read".to_owned())
    }

    /// After the 220 to STARTTLS.
    pub(super) async fn upgrade(&mut self) {
        let injected = self.connection.as_mut().map(crate::net::Connection::take_injected).unwrap_or_default();
        if !injected.is_empty() {
            let rows: Vec<Row> = injected
                .split(|&b| b == b'\n')
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                .filter(|line| !line.is_empty())
                .map(human::stray)
                .collect();
            self.screen.show(&rows);
            self.screen.warning("Plain text came behind the 220, before the handshake: somebody injects replies, or the server is broken (RFC 3207 sec. 6). It is refused, and the connection is closed.");
            self.drop_connection("");
            self.tls_failed();
            return;
        }
        if self.handshake().await && self.is_terminal() && !self.secure.running {
            self.screen.note("Say EHLO again: the server has forgotten the first one.");
        }
    }

    /// Does the handshake and shows its verdict; `false` when the connection is gone.
    pub(super) async fn handshake(&mut self) -> bool {
        let roots = match self.roots().await {
            Ok(roots) => roots,
            Err(words) => {
                self.screen.warning(format!("TLS cannot be started: {}.", crate::text::printable_str(&words)));
                self.drop_connection("");
                self.tls_failed();
                return false;
            }
        };
        // The practice server has its own name, whatever the address; another that is connected to later has not.
        let host = self.options.practice.map_or_else(|| self.target.host.clone(), str::to_owned);
        let options = self.options.tls.clone();
        let Self { connection: Some(connection), signals, .. } = self else { return false };
        let result: Result<TlsReport, TlsFailure> = tokio::select! {
            result = connection.start_tls(&host, &options, &roots) => result,
            signal = signals.next() => {
                if signal == Signal::Interrupt && !self.target.implicit_tls && self.terminal.is_some() {
                    self.screen.progress("\n");
                    self.drop_connection("Stopped; the connection is closed. :reconnect opens it again.");
                    return false;
                }
                self.outcome = Some(if signal == Signal::Interrupt { Outcome::Interrupted } else { Outcome::Signalled(signal) });
                return false;
            }
        };
        self.update_log();
        match result {
            Ok(report) => {
                let rows = if self.options.verbose > 0 { tls::details(&report, now()) } else { tls::report(&report, now()) };
                self.screen.show(&rows);
                let verified = report.is_verified();
                self.note_tls(&report);
                self.secure.report = Some(report);
                if !verified && !self.is_terminal() && !self.options.insecure {
                    self.screen.note("Stopped, since nobody can be asked: -k goes on in spite of these faults.");
                    self.tls_failed();
                    return false;
                }
                true
            }
            Err(failure) => {
                self.screen.show(&tls::failure(&failure, &self.options.tls));
                self.look_for_old_tls(&failure).await;
                if self.is_terminal() {
                    self.screen.note("The connection is closed. :reconnect opens it again.");
                }
                self.tls_failed();
                false
            }
        }
    }

    /// The log tells what was negotiated and what is wrong; the operator, that keys are written.
    fn note_tls(&mut self, report: &TlsReport) {
        let faults: String = report.faults.iter().map(|fault| format!(" {}", tls::sentence(fault, now()))).collect();
        if let Some(connection) = &mut self.connection {
            connection.note(format!("{}.{faults}", report.session()));
        }
        if let Some(path) = std::env::var_os("SSLKEYLOGFILE") {
            self.screen.note(format!(
                "The keys of this session are written to {} (SSLKEYLOGFILE).",
                crate::text::printable_str(&path.to_string_lossy())
            ));
        }
        self.update_log();
    }

    /// Nothing in common: a second connection finds out what the server speaks instead.
    async fn look_for_old_tls(&mut self, failure: &TlsFailure) {
        if !old_tls::may_be_old(failure, &self.options.tls) {
            return;
        }
        let name = self.options.tls.server_name.clone().or_else(|| self.target.address().is_none().then(|| self.target.host.clone()));
        let name = name.filter(|_| !self.options.tls.no_sni);
        let (target, dial, hello) = (self.target.clone(), self.options.dial.clone(), self.options.hello_name.clone());
        let Some(spoken) = old_tls::what_it_speaks(&target, &dial, &hello, name.as_deref()).await.and_then(|answer| answer.describe())
        else {
            return;
        };
        self.screen.warning(format!("Asked again, the server speaks {spoken}."));
        let way = if cfg!(feature = "legacy-tls") {
            "--tls-min 1.0 speaks it for a look."
        } else {
            "A build with the feature legacy-tls can talk to it."
        };
        self.screen.hint(format!(
            "This program speaks TLS 1.2 and 1.3 with modern ciphers: what is older is broken (RFC 8996), and clients refuse it. Update the server or its settings (Exchange: Schannel). {way}"
        ));
    }

    fn tls_failed(&mut self) {
        if !self.is_terminal() {
            self.outcome.get_or_insert(Outcome::Tls);
        }
    }

    /// `-S`, `:starttls`: EHLO, STARTTLS, EHLO, and what the two offers differ in. No fall-back (P19).
    pub(super) async fn start_tls(&mut self) {
        match self.session().map(Session::security) {
            None => return self.screen.note("Nothing is open."),
            Some(Security::Clear) => {}
            Some(_) => return self.screen.note("The connection is encrypted already."),
        }
        if self.session().is_some_and(|session| session.stage() == Stage::Greeted) {
            self.say_hello().await;
        }
        let before = self.session().and_then(Session::capabilities).cloned();
        if self.outcome.is_none() && !before.as_ref().is_some_and(|offer| offer.has("STARTTLS")) {
            self.screen.warning("STARTTLS is not offered here: nothing is encrypted.");
            self.tls_failed();
            return;
        }
        self.secure.running = true;
        if self.is_terminal() {
            self.show_sent(b"STARTTLS");
        }
        self.transmit(b"STARTTLS").await;
        self.secure.running = false;
        if self.session().is_none_or(|session| !session.is_open() || session.security() == Security::Clear) {
            // Whatever the refusal was, it is TLS that was asked for and not had (P19).
            if matches!(self.outcome, Some(Outcome::Refused(_) | Outcome::TryLater(_) | Outcome::Lost)) {
                self.outcome = None;
            }
            self.tls_failed();
            return;
        }
        if self.outcome.is_some() {
            return;
        }
        self.say_hello().await;
        if let (Some(before), Some(after)) = (before, self.session().and_then(Session::capabilities).cloned()) {
            self.tell_difference(&before, &after);
        }
    }

    fn tell_difference(&mut self, before: &Capabilities, after: &Capabilities) {
        let lines = |offer: &Capabilities| {
            offer
                .keywords
                .iter()
                // It is never offered inside (RFC 3207 section 4.2): that is no news.
                .filter(|keyword| !keyword.name.eq_ignore_ascii_case("STARTTLS"))
                .map(|keyword| [vec![keyword.name.clone()], keyword.parameters.clone()].concat().join(" "))
                .collect::<Vec<_>>()
        };
        let (before, after) = (lines(before), lines(after));
        let only = |one: &[String], other: &[String]| {
            one.iter()
                .filter(|line| !other.contains(line))
                .map(|line| crate::text::printable_str(line).into_owned())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (new, gone) = (only(&after, &before), only(&before, &after));
        let part = |words: &str, list: &str| if list.is_empty() { String::new() } else { format!(" {words}: {list}.") };
        let text = format!("Inside TLS the offer differs.{}{}", part("New", &new), part("Gone", &gone));
        if !new.is_empty() || !gone.is_empty() {
            self.screen.note(text);
        }
    }

    /// `:tls [save FILE]`
    pub(super) fn tls_command(&mut self, argument: &str) {
        let Some(report) =
            self.secure.report.as_ref().filter(|_| self.session().is_some_and(|session| session.security() != Security::Clear))
        else {
            self.screen.note("The connection is not encrypted. :starttls encrypts it, if the server offers that.");
            return;
        };
        match argument.strip_prefix("save").map(str::trim) {
            None => {
                let rows = tls::details(report, now());
                self.screen.show(&rows);
            }
            Some("") => self.local_error("A file name is wanted: :tls save FILE"),
            Some(path) => {
                let pem: String = report.chain.iter().map(crate::net::tls::certificate::Certificate::pem).collect();
                self.save_text(path, &pem, "the certificates, as PEM");
            }
        }
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs().cast_signed()).unwrap_or_default()
}
