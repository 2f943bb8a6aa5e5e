//! TLS in the conversation: STARTTLS typed or asked for, TLS from the first byte, the verdict.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;

use super::signals::Signal;
use super::{Outcome, Repl};
use crate::explain::notice;
use crate::explain::old_tls::OldTls;
use crate::jobs::old_tls;
use crate::jobs::protection::why_unsafe;
use crate::net::tls::{Reference, Roots, TlsFailure, TlsOptions, TlsReport, key_log, load_roots};
use crate::render::{Row, human, tls};
use crate::session::{Ending, Security, Session, Stage};
use crate::text::{lossy, printable_str};
use crate::wire::keyword::Capabilities;

/// TLS of the session: what was wished, loaded and negotiated.
#[derive(Default)]
pub(super) struct Secure {
    /// Roots that are being read while something else is waited for.
    loading: Option<JoinHandle<Result<Roots, String>>>,
    roots: Option<Roots>,
    /// `:starttls` says the EHLO that follows.
    running: bool,
    /// What the server said of itself before STARTTLS, until EHLO is said inside.
    before: Option<Before>,
    /// What is wrong with our certificate was told.
    own_told: bool,
    /// The mail domain whose MX record named the host; `None` when the operator named it.
    pub(super) mail_domain: Option<String>,
    /// What the last handshake on this connection brought.
    pub(super) report: Option<TlsReport>,
}

impl Secure {
    /// What was learnt of a server is not true of the next connection.
    pub(super) fn forget_server(&mut self) {
        (self.report, self.before) = (None, None);
    }
}

/// The server as it was before STARTTLS.
struct Before {
    name: String,
    offer: Option<Capabilities>,
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
            let roots = loading.await.map_err(|_| "the root certificates were not read".to_owned())??;
            self.tell_of_roots(&roots);
            self.secure.roots = Some(roots);
        }
        self.secure.roots.clone().ok_or_else(|| "the root certificates were not read".to_owned())
    }

    fn tell_of_roots(&mut self, roots: &Roots) {
        let why = roots.trouble.as_deref().map(|words| format!(" ({})", printable_str(words))).unwrap_or_default();
        if roots.count == 0 {
            self.screen.warning(format!("No root certificates were found{why}: no certificate can be verified. --cacert FILE gives some."));
        } else if !why.is_empty() {
            self.screen.hint(format!("Some root certificates could not be read{why}."));
        }
    }

    /// After the 220 to STARTTLS.
    pub(super) async fn upgrade(&mut self) {
        self.secure.before = self.session().map(|session| {
            let offer = session.capabilities().cloned();
            let greeting = session.greeting().map(|reply| lossy(reply.first_text()).into_owned());
            Before { name: offer.as_ref().map_or(greeting.unwrap_or_default(), |offer| lossy(offer.greeting()).into_owned()), offer }
        });
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
                self.screen.warning(format!("TLS cannot be started: {}.", printable_str(&words)));
                self.drop_connection("");
                self.tls_failed();
                return false;
            }
        };
        // The practice server has its own name, whatever the address; another that is connected to later has not.
        let host = self.options.practice.map_or_else(|| self.target.host.clone(), str::to_owned);
        let options = self.options.tls.clone();
        self.tell_of_own_certificate();
        let Some(result) = self.handshake_or_signal(&host, &options, &roots).await else { return false };
        self.update_log();
        match result {
            Ok(report) => {
                let rows = if self.options.verbose > 0 { tls::details(&report, now()) } else { tls::report(&report, now()) };
                self.screen.show(&rows);
                self.remark_on_doubt(&report);
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
                self.handshake_failed(&failure).await;
                if self.is_terminal() {
                    self.screen.note("The connection is closed. :reconnect opens it again.");
                }
                self.tls_failed();
                false
            }
        }
    }

    /// Why a password is not safe although the certificate is in order.
    fn remark_on_doubt(&mut self, report: &TlsReport) {
        if let Some(remark) = why_unsafe(Some(report)).and_then(|lack| lack.remark()) {
            self.screen.hint(remark);
        }
    }

    /// `None` when a signal ended it, and what that means was done.
    async fn handshake_or_signal(&mut self, host: &str, options: &TlsOptions, roots: &Roots) -> Option<Result<TlsReport, TlsFailure>> {
        let patient = self.is_terminal();
        let Self { connection: Some(connection), signals, screen, secure, .. } = self else { return None };
        let limit = human::duration(connection.limits_mut().reply);
        let ended_by = {
            let reference = Reference { host, mail_domain: secure.mail_domain.as_deref() };
            let handshake = connection.start_tls(reference, options, roots);
            let slow = tokio::time::sleep(Duration::from_secs(1));
            tokio::pin!(handshake, slow);
            loop {
                tokio::select! {
                    result = &mut handshake => return Some(result),
                    signal = signals.next() => {
                        if signal != Signal::Continue {
                            break signal;
                        }
                    }
                    () = &mut slow, if patient && !slow.is_elapsed() => {
                        screen.note(format!("Waiting for the TLS handshake (up to {limit}; Ctrl-C gives up)."));
                    }
                }
            }
        };
        self.handshake_interrupted(ended_by);
        None
    }

    fn handshake_interrupted(&mut self, signal: Signal) {
        if signal == Signal::Interrupt && !self.target.implicit_tls && self.terminal.is_some() {
            self.screen.progress("\n");
            self.drop_connection("Stopped; the connection is closed. :reconnect opens it again.");
            return;
        }
        self.outcome = Some(if signal == Signal::Interrupt { Outcome::Interrupted } else { Outcome::Signalled(signal) });
    }

    /// The log tells what was negotiated and what is wrong; the operator, that keys are written.
    fn note_tls(&mut self, report: &TlsReport) {
        let mut faults: String = report.trust.faults().iter().map(|fault| format!(" {}", tls::sentence(fault, now()))).collect();
        if let Some(remark) = why_unsafe(Some(report)).and_then(|lack| lack.remark()) {
            faults = format!(" {remark}");
        }
        if let Some(connection) = &mut self.connection {
            connection.note(format!("{}.{faults}", report.session()));
        }
        if let Some((path, written)) = key_log() {
            let path = printable_str(&path.to_string_lossy()).into_owned();
            match written {
                Ok(()) => self.screen.note(format!("The keys of this session are written to {path} (SSLKEYLOGFILE).")),
                Err(error) => {
                    let words = crate::net::dial::system_words(&error);
                    self.screen.warning(format!("The keys of this session cannot be written to {path} (SSLKEYLOGFILE): {words}."));
                }
            }
        }
        self.update_log();
    }

    fn tell_of_own_certificate(&mut self) {
        let Some(ours) = self.options.tls.identity.as_ref().filter(|_| !self.secure.own_told) else { return };
        let rows = tls::own_certificate(&ours.certificate, now());
        self.secure.own_told = true;
        self.screen.show(&rows);
    }

    /// What happened, what the server speaks instead if that is old, and else what usually helps.
    async fn handshake_failed(&mut self, failure: &TlsFailure) {
        self.screen.show(&tls::failure(failure));
        if let Some(spoken) = self.look_for_old_tls(failure).await {
            self.screen.show(&tls::older(&spoken));
            return;
        }
        let attempt = tls::Attempt { options: &self.options.tls, implicit: self.target.implicit_tls, named: self.name_to_send().is_some() };
        if let Some(advice) = tls::failure_advice(failure, attempt) {
            self.screen.row(advice);
        }
    }

    /// The name that is sent in the handshake (SNI): none for an address.
    fn name_to_send(&self) -> Option<String> {
        let host = self.options.practice.unwrap_or(&self.target.host);
        let name = self.options.tls.server_name.as_deref().unwrap_or(host);
        (!self.options.tls.no_sni && crate::host::ip_of(name).is_none()).then(|| name.to_owned())
    }

    /// Nothing in common: a second connection finds out what the server speaks instead.
    async fn look_for_old_tls(&mut self, failure: &TlsFailure) -> Option<OldTls> {
        if !old_tls::may_be_old(failure, &self.options.tls) {
            return None;
        }
        let name = self.name_to_send();
        let (target, dial, hello) = (self.target.clone(), self.options.dial.clone(), self.hello_name.clone());
        old_tls::what_it_speaks(failure, &target, &dial, &hello, name.as_deref()).await
    }

    /// Inside TLS the server asked for our certificate, and got none.
    pub(super) fn lacks_client_certificate(&self) -> bool {
        self.is_encrypted() && self.secure.report.as_ref().is_some_and(TlsReport::lacks_client_certificate)
    }

    /// A connection that ends inside TLS before EHLO was accepted, or by an alert: the server may not like
    /// our certificate, or the lack of one.
    pub(super) fn explain_end_inside_tls(&mut self, ending: &Ending) {
        let Some(report) = self.secure.report.as_ref().filter(|report| report.client_certificate_asked.is_some()) else { return };
        let by_tls = matches!(ending, Ending::Lost { by_tls: true, .. });
        let at_once = self.is_encrypted() && self.session().is_some_and(|session| session.capabilities().is_none());
        let cut = matches!(ending, Ending::Lost { .. } | Ending::Closed { announced: false, .. });
        if by_tls && report.client_certificate_given {
            self.screen.hint("The server does not accept our certificate: its log says why (issuer, dates, purpose).");
        } else if !report.client_certificate_given && (by_tls || cut && at_once) {
            self.screen.hint(
                "In the handshake it had asked for a certificate of ours and got none: that is the likely reason. --cert FILE and --key FILE give one.",
            );
        }
    }

    /// EHLO was accepted inside TLS: what is different from before.
    pub(super) fn compare_offers(&mut self) {
        let Some(session) = self.session().filter(|session| session.security() != Security::Clear) else { return };
        let Some(offer) = session.capabilities().cloned() else { return };
        let again = offer.has("STARTTLS") && !std::mem::replace(&mut self.memory.told.starttls_again, true);
        if let Some(before) = self.secure.before.take() {
            if let Some(text) = before.offer.and_then(|before| notice::difference(&before, &offer)) {
                self.screen.note(text);
            }
            if let Some(text) = notice::other_name(&before.name, &lossy(offer.greeting())) {
                self.screen.hint(text);
            }
        }
        if again {
            self.screen.hint(notice::STARTTLS_AGAIN);
        }
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
            // The refusal, or the end, was shown and decides the exit status; STARTTLS does not follow it (P19).
            if self.outcome.is_some() || !self.is_open() {
                return;
            }
        }
        let offer = self.session().and_then(Session::capabilities);
        if !offer.is_some_and(|offer| offer.has("STARTTLS")) {
            if offer.is_some() {
                self.screen.warning("STARTTLS is not offered here: nothing is encrypted.");
                self.screen
                    .hint("Not configured, or a device on the way takes it out of the reply. Typed by hand it is sent all the same.");
            } else {
                self.screen.warning("Only the reply to EHLO can offer STARTTLS, and EHLO was not accepted: nothing is encrypted.");
            }
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
    }

    /// `:tls [save FILE]`
    pub(super) fn tls_command(&mut self, argument: &str) {
        let Some(report) = self.secure.report.as_ref().filter(|_| self.is_encrypted()) else {
            self.screen.note("The connection is not encrypted. :starttls encrypts it, if the server offers that.");
            return;
        };
        match argument.split_once(' ').map_or((argument, ""), |(word, rest)| (word, rest.trim())) {
            ("", _) => {
                let report = report.clone();
                self.screen.show(&tls::details(&report, now()));
                self.remark_on_doubt(&report);
            }
            ("save", "") => self.local_error("A file name is wanted: :tls save FILE"),
            ("save", path) => {
                let pem: String = report.chain.iter().map(crate::net::tls::certificate::Certificate::pem).collect();
                self.save_text(path, &pem, "the certificates, as PEM");
            }
            (word, _) => self.local_error(&format!("There is no :tls {}; :tls alone or :tls save FILE", printable_str(word))),
        }
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs().cast_signed()).unwrap_or_default()
}
