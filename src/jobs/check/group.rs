//! What was named together: expanded into endpoints, checked at the same time, told in their order, compared.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::compare::{Seen, compare};
use super::options::Endpoint;
use super::report::{BadLine, Comparison, MailDomain, Report};
use super::{Checker, Ongoing, unchecked};
use crate::explain::failure::Failure;
use crate::jobs::opening::{dial_failure, mail_server_failure, mx_failure};
use crate::net::dial::Route;
use crate::net::dns::mx::mail_servers;
use crate::net::resolve::resolve;
use crate::target::Target;

/// What is told, in the order in which it becomes known.
#[derive(Debug)]
pub enum Told {
    /// An endpoint was checked.
    Report(Box<Report>),
    /// Those that were named together tell this.
    Compared(Comparison),
    /// A line of the list cannot be read.
    Bad(BadLine),
}

/// What is under way, for whoever waits.
#[derive(Debug, Default)]
pub struct Board(Mutex<Vec<Weak<Ongoing>>>);

impl Board {
    fn add(&self, name: String) -> Arc<Ongoing> {
        let ongoing = Arc::new(Ongoing::new(name));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&ongoing));
        ongoing
    }

    /// The check that has been under way for longest.
    pub fn oldest(&self) -> Option<Arc<Ongoing>> {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|one| one.strong_count() > 0);
        list.iter().find_map(Weak::upgrade)
    }
}

/// What a group shares with others.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) checker: Arc<Checker>,
    /// So many endpoints at the same time.
    pub(super) permits: Arc<Semaphore>,
    pub(super) board: Option<Arc<Board>>,
    pub(super) out: Sender<Told>,
}

impl Shared {
    /// An endpoint, when it is its turn.
    async fn check(&self, endpoint: &Endpoint) -> Report {
        // Never closed.
        let _permit = self.permits.acquire().await.ok();
        let ongoing = self.board.as_ref().map(|board| board.add(endpoint.target.to_string()));
        self.checker.check(endpoint, ongoing).await
    }

    async fn tell(&self, told: Told) {
        // Who does not listen any more does not want to know.
        let _ = self.out.send(told).await;
    }
}

/// Checks targets that were named together.
pub(super) async fn run(shared: Shared, mut targets: Vec<Target>) {
    let options = &shared.checker.options;
    if targets.len() == 1
        && options.mx.is_none()
        && !options.all_addresses
        && let Some(target) = targets.pop()
    {
        let report = shared.check(&Endpoint::new(target)).await;
        return shared.tell(Told::Report(Box::new(report))).await;
    }
    Box::pin(several(shared, targets)).await;
}

/// What a task came to. A fault of ours within it must not end as a host that is in no output.
pub(super) fn or_panic<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended {
        Ok(value) => Some(value),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

async fn several(shared: Shared, targets: Vec<Target>) {
    let found = expand(&shared.checker, targets).await;
    let apart = shared.checker.options.all_addresses;
    let mut running = JoinSet::new();
    let mut reports: Vec<Option<Report>> = Vec::new();
    for (at, endpoint) in found.into_iter().enumerate() {
        match endpoint {
            Found::Nothing(endpoint, failure, took) => {
                reports.push(Some(unchecked(&endpoint, &shared.checker.options, failure, took)));
            }
            Found::Endpoint(endpoint) => {
                reports.push(None);
                let shared = shared.clone();
                running.spawn(async move { (at, shared.check(&endpoint).await) });
            }
        }
    }
    let mut seen = Vec::new();
    let mut next = 0;
    loop {
        while let Some(report) = reports.get_mut(next).and_then(Option::take) {
            next += 1;
            seen.push(Seen::new(&report, apart && report.target.address().is_none()));
            shared.tell(Told::Report(Box::new(report))).await;
        }
        match running.join_next().await {
            Some(ended) => {
                if let Some((at, report)) = or_panic(ended) {
                    reports[at] = Some(report);
                }
            }
            None => break,
        }
    }
    if let Some(comparison) = compare(&seen) {
        shared.tell(Told::Compared(comparison)).await;
    }
}

/// What a name leads to.
enum Found {
    /// This is to be checked.
    Endpoint(Endpoint),
    /// Nothing that could be; this is known after so long.
    Nothing(Endpoint, Failure, Duration),
}

async fn expand(checker: &Checker, targets: Vec<Target>) -> Vec<Found> {
    let found = match &checker.options.mx {
        Some(_) => by_mx(checker, targets).await,
        None => targets.into_iter().map(|target| Found::Endpoint(Endpoint::new(target))).collect(),
    };
    if !checker.options.all_addresses {
        return found;
    }
    let mut all = Vec::new();
    for one in found {
        match one {
            Found::Endpoint(endpoint) => all.extend(each_address(checker, endpoint).await),
            nothing @ Found::Nothing(..) => all.push(nothing),
        }
    }
    all
}

/// Each mail server of a domain, in the order in which senders try them.
async fn by_mx(checker: &Checker, targets: Vec<Target>) -> Vec<Found> {
    let (Some(resolver), Some(first)) = (&checker.options.mx, targets.first()) else { return Vec::new() };
    let name = first.host.clone();
    let began = Instant::now();
    let found = match mail_servers(&name, resolver, Instant::now() + checker.options.timeout).await {
        Ok(found) => found,
        Err(error) => return vec![Found::Nothing(Endpoint::new(first.clone()), mx_failure(&error, &name), began.elapsed())],
    };
    let took = began.elapsed();
    let endpoints = found.servers.iter().flat_map(|mx| {
        targets.iter().map(|target| Endpoint {
            domain: Some(MailDomain {
                name: name.clone(),
                preference: mx.preference,
                implicit: found.implicit,
                null_among_others: found.null_among_others,
                took,
            }),
            ..Endpoint::new(Target { host: mx.host.clone(), ..target.clone() })
        })
    });
    endpoints.map(Found::Endpoint).collect()
}

async fn each_address(checker: &Checker, endpoint: Endpoint) -> Vec<Found> {
    let target = &endpoint.target;
    let straight = matches!(checker.options.dial.route, Route::Direct) && target.socket.is_none();
    if !straight || target.address().is_some() {
        return vec![Found::Endpoint(endpoint)];
    }
    let began = Instant::now();
    let deadline = began + checker.options.timeout;
    match resolve(&target.host, target.port, &checker.options.dial, deadline).await {
        Ok(resolved) => {
            let of = |address| Endpoint { address: Some(address), aliases: resolved.aliases.clone(), ..endpoint.clone() };
            resolved.addresses.iter().map(|address| Found::Endpoint(of(*address))).collect()
        }
        Err(error) => {
            let failure = dial_failure(&error, target, &checker.options.dial);
            let by_mx = endpoint.domain.as_ref().is_some_and(|domain| !domain.implicit);
            let failure = if by_mx { mail_server_failure(failure, &target.host) } else { failure };
            vec![Found::Nothing(endpoint, failure, began.elapsed())]
        }
    }
}
