//! From a name to a stream: the phases before the server says anything.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{Ongoing, PROVOKED, Walk};
use crate::explain::failure::Failure;
use crate::explain::route::{RouteFailure, Trouble};
use crate::jobs::check::options::Endpoint;
use crate::jobs::check::report::{Phase, PhaseKind, Report, Tried};
use crate::jobs::opening::{command_silent, dial_failure, mail_server_failure, or_mail_domain};
use crate::net::command::how_it_ended;
use crate::net::connection::Stream;
use crate::net::dial::{DialError, DialEvent, DialOptions, Dialed, Peer, Route, dial, dial_address};
use crate::net::dns::DnsError;
use crate::net::dns::mx::MOST;

impl Walk<'_> {
    pub(super) async fn connect(&mut self, endpoint: &Endpoint) -> Result<Dialed, Failure> {
        let by_name = endpoint.address.is_none() && endpoint.target.address().is_none() && endpoint.target.socket.is_none();
        let looked_up = by_name && matches!(self.options.dial.route, Route::Direct);
        self.begin(if looked_up { PhaseKind::Resolve } else { PhaseKind::Connect });
        if let Some(address) = endpoint.address {
            let deadline = self.deadline.min(Instant::now() + self.options.dial.timeout);
            let result = dial_address(address, &self.options.dial, deadline).await;
            return result.map_err(|attempt| {
                let tried = Tried { address, cause: Some(attempt.cause.clone()), took: attempt.took };
                self.report.attempts.push(tried);
                dial_failure(&DialError::Unreachable(vec![attempt]), &endpoint.target, &self.options.dial)
            });
        }
        let options = self.options;
        // What a look-up before took is not there any more.
        let shorter = (!endpoint.spent.is_zero()).then(|| {
            let left = self.deadline.saturating_duration_since(Instant::now());
            Box::new(DialOptions { timeout: left.min(options.dial.timeout), ..options.dial.clone() })
        });
        let way = shorter.as_deref().unwrap_or(&options.dial);
        let result = {
            let report = &mut self.report;
            let ongoing = self.ongoing.as_deref();
            let by_proxy = matches!(options.dial.route, Route::Proxy(_));
            dial(&endpoint.target, way, &mut |event| note(report, by_proxy, ongoing, &event)).await
        };
        match result {
            Ok(dialed) => Ok(dialed),
            Err(error) => {
                // Of several dead addresses none stands for the host.
                if self.report.attempts.len() > 1 {
                    self.report.address = None;
                }
                let kind = failed_in(&error);
                self.resolved(kind);
                let failure = dial_failure(&error, &endpoint.target, &options.dial);
                if endpoint.domain.as_ref().is_some_and(|domain| !domain.implicit) {
                    return Err(mail_server_failure(failure, &endpoint.target.host));
                }
                Err(if looked_up {
                    Box::pin(or_mail_domain(failure, &endpoint.target, &options.dial, Some(self.deadline))).await
                } else {
                    failure
                })
            }
        }
    }

    /// Dialling failed in this phase: those before it went well.
    fn resolved(&mut self, kind: PhaseKind) {
        let Some((open, since)) = self.open.filter(|(open, _)| *open != kind) else { return };
        let tried: Duration = self.report.attempts.iter().map(|tried| tried.took).max().unwrap_or_default();
        let took = since.elapsed().saturating_sub(tried);
        if open == PhaseKind::Resolve {
            self.report.phases.push(Phase::timed(open, since - self.begun, took, true));
            self.open = Some((kind, since + took));
        } else {
            self.open = Some((kind, since));
        }
    }

    pub(super) fn connected(&mut self, dialed: Dialed) -> Box<dyn Stream> {
        let Dialed { stream, peer, local, timings } = dialed;
        self.hello_name = self.options.hello_name.on(local);
        self.open = None;
        let mut start = Duration::ZERO;
        if let Some(resolve) = timings.resolve {
            self.add(PhaseKind::Resolve, resolve, &mut start);
        }
        // Where several addresses were tried, that is part of it. That a program runs is no connection yet.
        if !matches!(peer, Peer::Command(_)) {
            let connecting = self.begun.elapsed().saturating_sub(start + timings.proxy.unwrap_or_default());
            self.add(PhaseKind::Connect, connecting, &mut start);
        }
        if let Some(proxy) = timings.proxy {
            self.add(PhaseKind::Proxy, proxy, &mut start);
        }
        match peer {
            Peer::Address(address) | Peer::Proxy(address) => {
                // Which address the proxy connects to it does not tell.
                self.report.address = matches!(peer, Peer::Address(_)).then_some(address);
                self.report.reached_itself = self.report.address.is_some() && local.is_some_and(|local| local.ip() == address.ip());
                self.report.attempts.push(Tried { address, cause: None, took: timings.connect });
            }
            Peer::Socket => {}
            Peer::Command(watch) => self.command = Some(watch),
        }
        stream
    }

    /// When the command has ended, that is why the connection has; of one that runs and is silent no more is known.
    pub(super) async fn or_command_failure(&mut self, failure: Failure) -> Failure {
        // What has shaken hands has come through.
        let shook_hands = self.report.tls.is_some();
        if let (Failure::NoGreeting(after), Route::Command(template), false) = (&failure, &self.options.dial.route, shook_hands) {
            return command_silent(template, *after);
        }
        let early = matches!(failure, Failure::ClosedAtOnce { .. } | Failure::LostAtOnce(_));
        let (true, Some(watch), Route::Command(template)) = (early, self.command.take(), &self.options.dial.route) else { return failure };
        match watch.ended(PROVOKED).await {
            Some((status, said)) => Failure::Route(RouteFailure {
                way: template.to_string(),
                trouble: Trouble::CommandEnded { status: how_it_ended(status), said },
            }),
            None => failure,
        }
    }

    pub(super) async fn look_for_names(&mut self) {
        let (Some(resolver), Some(address)) = (&self.options.reverse, self.report.address) else { return };
        let deadline = self.deadline.min(Instant::now() + Duration::from_secs(3));
        self.report.reverse_names = match resolver.ptr(address.ip(), deadline).await {
            Ok(answer) => Some(answer.records.into_iter().take(MOST).collect()),
            Err(DnsError::NoSuchName | DnsError::NoData { .. }) => Some(Vec::new()),
            // Nobody knows.
            Err(_) => None,
        };
    }
}

/// What dialling tells.
fn note(report: &mut Report, by_proxy: bool, ongoing: Option<&Ongoing>, event: &DialEvent<'_>) {
    match event {
        DialEvent::Resolved(resolved) => {
            if resolved.addresses.len() > 1 {
                report.addresses.clone_from(&resolved.addresses);
            }
            report.addresses_left_out = resolved.left_out;
            if !resolved.aliases.is_empty() && !by_proxy {
                report.aliases.clone_from(&resolved.aliases);
            }
            if let Some(ongoing) = ongoing {
                ongoing.phase.store(PhaseKind::Connect as u8, Ordering::Relaxed);
            }
        }
        DialEvent::Failed(attempt) => {
            report.attempts.push(Tried { address: attempt.address, cause: Some(attempt.cause.clone()), took: attempt.took });
            if !by_proxy {
                report.address = Some(attempt.address);
            }
        }
        DialEvent::PassedOver(address) => report.passed_over.push(*address),
        DialEvent::Trying(_) | DialEvent::Connected { .. } | DialEvent::Proxied { .. } | DialEvent::Header(_) => {}
    }
}

/// In which phase dialling failed.
fn failed_in(error: &DialError) -> PhaseKind {
    match error {
        DialError::NoSuchName | DialError::NoAddress { .. } | DialError::Resolver(_) | DialError::ResolverSilent => PhaseKind::Resolve,
        DialError::UnknownZone(_) | DialError::Unreachable(_) | DialError::Socket(_) | DialError::Header(_) => PhaseKind::Connect,
        DialError::ProxyUnreachable(_) | DialError::Proxy(_) | DialError::Command(_) => PhaseKind::Proxy,
    }
}
