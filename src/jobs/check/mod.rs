//! `check`: is a server reachable, how far does a session come, and where does it stop? Nothing is sent as mail.
//!
//! One endpoint goes through its phases under one deadline ([`Checker::check`]); what an operator names is
//! expanded into endpoints and compared ([`group`]); a list is worked off with a bound on what is in flight
//! ([`many`]).

pub mod compare;
pub mod group;
pub mod input;
mod login;
pub mod many;
mod notices;
pub mod options;
mod phases;
pub mod report;
#[cfg(test)]
mod tests;
pub mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, oneshot};

pub use options::{Credentials, Endpoint, Options, Through};
pub use phases::Ongoing;
use phases::Walk;
pub use report::{Comparison, Level, Notice, NoticeKind, Phase, PhaseKind, Report, Summary, Verdict};

use crate::explain::failure::{Class, Failure};
use crate::explain::route::{RouteFailure, Trouble};
use crate::explain::talk::{TalkFailure, quoted};
use crate::net::tls::{Roots, load_roots};

/// What all checks share.
pub struct Checker {
    /// The wishes.
    pub options: Options,
    /// Read once, by the first that needs them.
    roots: OnceCell<Result<Roots, String>>,
    /// The name of the practice server, which has one of its own whatever the address.
    practice: Option<&'static str>,
}

impl Checker {
    /// A checker with these wishes.
    pub fn new(options: Options) -> Self {
        Self { options, roots: OnceCell::new(), practice: None }
    }

    /// The server is the practice server inside this program, and has this name.
    #[must_use]
    pub fn practising(mut self, name: Option<&'static str>) -> Self {
        self.practice = name;
        self
    }

    /// Checks one endpoint, again if that was wished.
    pub async fn check(&self, endpoint: &Endpoint, ongoing: Option<Arc<Ongoing>>) -> Report {
        let mut tries = 1;
        let mut before = Vec::new();
        loop {
            let mut walk = Walk::new(self, endpoint, ongoing.clone());
            let result = walk.go(endpoint).await;
            let mut report = walk.report;
            report.tries = tries;
            judge(&mut report, &self.options, result);
            if tries > 1 {
                report.notices.push(retried(tries, &before));
            }
            if tries > self.options.retries || !may_pass(&report.verdict) {
                return report;
            }
            tries += 1;
            remember(&mut before, ended(&report));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn roots(&self) -> Result<&Roots, String> {
        let load = || async {
            let (file, extra) = (self.options.tls.ca_file.clone(), self.options.tls.extra_roots.clone());
            // On a thread of its own: those of the runtime may all wait for names.
            let (send, loaded) = oneshot::channel();
            std::thread::spawn(move || send.send(load_roots(file.as_deref(), extra)));
            loaded.await.unwrap_or_else(|_| Err("the root certificates were not read".to_owned()))
        };
        self.roots.get_or_init(load).await.as_ref().map_err(Clone::clone)
    }

    fn tls_name<'a>(&'a self, host: &'a str) -> &'a str {
        self.practice.unwrap_or(host)
    }
}

/// What is told of an endpoint that could not even be checked, after so long.
pub(super) fn unchecked(endpoint: &Endpoint, options: &Options, failure: Failure, took: Duration) -> Report {
    let mut report = Report::of(endpoint);
    report.took = took;
    report.phases.push(Phase::timed(PhaseKind::Resolve, Duration::ZERO, took, false));
    judge(&mut report, options, Err(failure));
    report
}

/// The verdict, from how it ended and from what was noticed.
fn judge(report: &mut Report, options: &Options, result: Result<(), Failure>) {
    let too_slow = options.fail_after.filter(|limit| result.is_ok() && report.took > *limit);
    let result = match too_slow {
        Some(limit) => Err(Failure::from(TalkFailure::TooSlow { took: report.took, limit })),
        None => result,
    };
    // To have reached oneself is no success of a mail domain, whatever answered.
    let result = if result.is_ok() && report.is_own_machine_by_mx() {
        Err(Failure::Route(RouteFailure { way: report.target.host.clone(), trouble: Trouble::OwnMachine }))
    } else {
        result
    };
    report.notices = notices::all(report, options);
    report.verdict = match result {
        Err(failure) => Verdict { level: Level::Failed, sentence: failure.short(), failure: Some(failure) },
        Ok(()) => judge_notices(&report.notices),
    };
}

/// How an earlier try ended, in the server's words where it said something.
fn ended(report: &Report) -> String {
    let refusal = report.failed_phase().and_then(|phase| phase.reply.as_ref()).filter(|reply| reply.is_refusal());
    let says = refusal.map(|reply| format!(": {}", quoted(reply.lines.iter()))).unwrap_or_default();
    format!("{}{says}", report.verdict.sentence)
}

/// Keeps the first few ends, each once.
fn remember(ends: &mut Vec<String>, end: String) {
    const FEW: usize = 3;
    if ends.len() < FEW && !ends.contains(&end) {
        ends.push(end);
    }
}

/// That it took several tries, and what came of those before.
fn retried(tries: u32, before: &[String]) -> Notice {
    let text = format!("It took {tries} tries. Before the last one: {}.", before.join("; "));
    Notice { kind: NoticeKind::Retried, short: format!("{tries} tries"), text }
}

/// The verdict on what went well: what is worth a warning, each once.
fn judge_notices(notices: &[Notice]) -> Verdict {
    let mut warnings: Vec<&str> = notices.iter().filter(|notice| notice.is_warning()).map(|notice| notice.short.as_str()).collect();
    warnings.dedup();
    if warnings.is_empty() {
        return Verdict { level: Level::Ok, sentence: "ok".to_owned(), failure: None };
    }
    Verdict { level: Level::Warn, sentence: warnings.join("; "), failure: None }
}

/// Whether another try may end otherwise.
fn may_pass(verdict: &Verdict) -> bool {
    match verdict.failure {
        None | Some(Failure::NoSuchName | Failure::NoAddress { .. } | Failure::UnknownZone(_)) => false,
        Some(Failure::Route(RouteFailure { trouble: Trouble::OwnMachine, .. })) => false,
        Some(_) => matches!(verdict.class(), Some(Class::Dns | Class::Connect | Class::Timeout | Class::Lost | Class::TryLater)),
    }
}
