//! STARTTLS, the handshake, and the verdict on the certificate.

use tokio::time::{Instant, timeout_at};

use super::{Boxed, Walk};
use crate::explain::failure::Failure;
use crate::explain::talk::{Lacks, TalkFailure};
use crate::host::ip_of;
use crate::jobs::check::report::{PhaseKind, ServerCertificate, Tls};
use crate::jobs::check::words;
use crate::jobs::old_tls;
use crate::jobs::protection::why_unsafe;
use crate::net::Connection;
use crate::net::tls::{Reference, TlsCause, TlsFailure, TlsReport};
use crate::sasl::Channel;

impl Walk<'_> {
    pub(super) fn start_tls<'b>(&'b mut self, connection: &'b mut Connection) -> Boxed<'b, Result<(), Failure>> {
        Box::pin(async move {
            if !self.report.offer.as_ref().is_some_and(|offer| offer.has("STARTTLS")) {
                if !self.options.tls_required {
                    return Ok(());
                }
                self.begin(PhaseKind::StartTls);
                let refused = self.report.hello_refusal().cloned();
                let only_helo = |reply| TalkFailure::OnlyHelo { reply, lacks: Lacks::StartTls };
                return Err(Failure::from(refused.map_or(TalkFailure::NoStartTls, only_helo)));
            }
            self.begin(PhaseKind::StartTls);
            // The roots are read while the server thinks about it.
            let (checker, deadline) = (self.checker, self.deadline);
            let asking = async { (self.ask(connection, b"STARTTLS", "STARTTLS").await, Instant::now()) };
            let ((reply, at), _) = tokio::join!(asking, timeout_at(deadline, checker.roots()));
            let reply = reply?;
            if !reply.has_code(220) {
                self.refused(&reply);
                let situation = self.situation(connection, "STARTTLS");
                // 421 is not about TLS.
                let closes = reply.has_code(421);
                // Whatever else it is, no TLS comes of it (P19).
                let refused = if closes { TalkFailure::Refused { situation, reply } } else { TalkFailure::StartTlsRefused(reply) };
                return Err(Failure::from(refused));
            }
            // P17
            if !connection.take_injected().is_empty() {
                return Err(Failure::from(TalkFailure::Injected));
            }
            self.end_at(at, true, Some(reply));
            self.pass_over(at);
            self.handshake(connection).await?;
            self.hello(connection, PhaseKind::HelloInTls).await
        })
    }

    pub(super) fn handshake<'b>(&'b mut self, connection: &'b mut Connection) -> Boxed<'b, Result<(), Failure>> {
        Box::pin(async move {
            self.begin(PhaseKind::Handshake);
            let asked = Instant::now();
            let roots = timeout_at(self.deadline, self.checker.roots()).await;
            let roots = roots.unwrap_or_else(|_| Err("the root certificates were not read in time".to_owned()));
            let roots = roots.map_err(|words| Failure::from(TalkFailure::TlsOptions(words)))?;
            self.pass_over(asked);
            self.begin(PhaseKind::Handshake);
            let host = self.checker.tls_name(&self.report.target.host).to_owned();
            let mail_domain = self.report.domain.as_ref().map(|domain| domain.name.clone());
            let reference = Reference { host: &host, mail_domain: mail_domain.as_deref() };
            match connection.start_tls(reference, &self.options.tls, roots).await {
                Err(failure) => Err(self.handshake_failed(&failure).await),
                Ok(report) => {
                    self.done(None);
                    self.certificate(&report)
                }
            }
        })
    }

    async fn handshake_failed(&mut self, failure: &TlsFailure) -> Failure {
        // TLS from the first byte, and nothing came of it: why is for the program to say.
        let hung_up = matches!(failure.cause, TlsCause::Closed | TlsCause::Reset);
        if hung_up && self.command.is_some() && self.report.target.implicit_tls {
            return Failure::ClosedAtOnce { partial: false };
        }
        let tls = &self.options.tls;
        let name = self.sent_name();
        if old_tls::may_be_old(failure, tls) {
            let target = self.report.target.clone();
            let asking = old_tls::what_it_speaks(failure, &target, &self.options.dial, &self.hello_name, name.as_deref());
            if let Ok(Some(spoken)) = timeout_at(self.deadline, asking).await {
                return Failure::from(TalkFailure::OldTls(spoken));
            }
        }
        if failure.client_certificate_asked && tls.identity.is_none() {
            return Failure::CertificateWanted(words::handshake(&failure.cause));
        }
        Failure::from(TalkFailure::Handshake(words::handshake_failure(failure, tls, name.is_some())))
    }

    /// The name that goes out in the handshake (SNI): no address does.
    fn sent_name(&self) -> Option<String> {
        let tls = &self.options.tls;
        let name = tls.server_name.clone().unwrap_or_else(|| self.report.target.host.clone());
        Some(name).filter(|name| !tls.no_sni && ip_of(name).is_none())
    }

    fn certificate(&mut self, report: &TlsReport) -> Result<(), Failure> {
        self.begin(PhaseKind::Certificate);
        let now = words::now();
        let certificate = report.chain.first().filter(|leaf| leaf.unreadable.is_none()).map(|leaf| ServerCertificate {
            name: leaf.common_name.clone(),
            names: leaf.names.clone(),
            issuer: leaf.issuer_name.clone(),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            days_left: leaf.days_left(now),
            sha256: leaf.sha256.clone(),
        });
        self.channel = Channel { exporter: report.exporter.clone(), server_end_point: report.server_end_point.clone(), wanted: None };
        self.lack = why_unsafe(Some(report)).map(Box::new);
        let days = certificate.as_ref().map(|certificate| certificate.days_left);
        self.report.tls = Some(Tls {
            implicit: self.report.target.implicit_tls,
            version: report.version.clone(),
            suite: report.suite.clone(),
            group: report.group.clone(),
            certificate,
            trust: report.trust.clone(),
            client_certificate_asked: report.lacks_client_certificate(),
        });
        if !report.is_verified() && !self.options.insecure {
            let faults = report.trust.faults().iter().map(|fault| words::fault(fault, now)).collect();
            return Err(Failure::from(TalkFailure::Certificate(faults)));
        }
        if let Some(days) = days
            && !report.trust.is_expired()
            && self.options.fail_days.is_some_and(|limit| days < limit)
        {
            return Err(Failure::from(TalkFailure::CertificateEnds(days)));
        }
        self.end(report.is_verified(), None);
        Ok(())
    }
}
