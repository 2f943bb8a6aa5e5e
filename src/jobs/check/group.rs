//! What was named together: expanded into endpoints, checked at the same time, told in their order, compared.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::compare::{Seen, compare};
use super::options::{Endpoint, Options};
use super::report::{BadLine, Comparison, MailDomain, Report, Waiting};
use super::{Checker, Ongoing, unchecked};
use crate::explain::failure::Failure;
use crate::jobs::opening::{dial_failure, mail_server_failure, mx_failure};
use crate::net::dial::{DialError, Route};
use crate::net::dns::Resolver;
use crate::net::dns::mx::mail_servers;
use crate::net::resolve::{Resolved, resolve};
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

    /// The first few checks that are under way.
    pub fn under_way(&self) -> Vec<Waiting> {
        const FEW: usize = 3;
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = list.iter().filter_map(Weak::upgrade);
        alive.map(|one| Waiting { name: one.name.clone(), phase: one.phase(), since: one.since.elapsed() }).take(FEW).collect()
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
    pub(super) out: UnboundedSender<Told>,
}

impl Shared {
    /// An endpoint, when it is its turn.
    async fn check(&self, endpoint: &Endpoint) -> Report {
        // Never closed.
        let _permit = self.permits.acquire().await.ok();
        let ongoing = self.board.as_ref().map(|board| board.add(endpoint.target.to_string()));
        self.checker.check(endpoint, ongoing).await
    }

    /// A look-up of this name, when it is its turn; it is under way for as long as the value lives.
    async fn turn(&self, name: &str) -> (Option<SemaphorePermit<'_>>, Option<Arc<Ongoing>>) {
        let permit = self.permits.acquire().await.ok();
        (permit, self.board.as_ref().map(|board| board.add(name.to_owned())))
    }

    fn tell(&self, told: Told) {
        // Who does not listen any more does not want to know.
        let _ = self.out.send(told);
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
        return shared.tell(Told::Report(Box::new(report)));
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
    let found = expand(&shared, targets).await;
    let mut group = Group { shared, running: JoinSet::new(), reports: VecDeque::new(), told: 0, seen: Vec::new() };
    for endpoint in found {
        group.begin(endpoint);
    }
    loop {
        group.tell_in_order();
        match group.running.join_next().await {
            Some(ended) => group.ended(ended),
            None => break,
        }
    }
    if let Some(comparison) = compare(&group.seen) {
        group.shared.tell(Told::Compared(comparison));
    }
}

/// Endpoints that were named together. They are told in their order; whatever is done when the group is given up is
/// told then.
struct Group {
    shared: Shared,
    running: JoinSet<(usize, Report)>,
    /// Those that were not told yet; `None` is under way.
    reports: VecDeque<Option<Report>>,
    /// How many were told.
    told: usize,
    seen: Vec<Seen>,
}

impl Group {
    fn begin(&mut self, endpoint: Found) {
        match endpoint {
            Found::Nothing(endpoint, failure, took) => {
                self.reports.push_back(Some(unchecked(&endpoint, &self.shared.checker.options, failure, took)));
            }
            Found::Endpoint(endpoint) => {
                let (at, shared) = (self.reports.len(), self.shared.clone());
                self.reports.push_back(None);
                self.running.spawn(async move { (at, shared.check(&endpoint).await) });
            }
        }
    }

    fn ended(&mut self, ended: Result<(usize, Report), JoinError>) {
        if let Some((at, report)) = or_panic(ended) {
            self.reports[at - self.told] = Some(report);
        }
    }

    fn tell_in_order(&mut self) {
        while let Some(Some(report)) = self.reports.pop_front_if(|report| report.is_some()) {
            self.told += 1;
            self.tell(report);
        }
    }

    fn tell(&mut self, report: Report) {
        let apart = self.shared.checker.options.all_addresses && report.target.address().is_none();
        self.seen.push(Seen::new(&report, apart));
        self.shared.tell(Told::Report(Box::new(report)));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        while let Some(ended) = self.running.try_join_next() {
            self.ended(ended);
        }
        std::mem::take(&mut self.reports).into_iter().flatten().for_each(|report| self.tell(report));
    }
}

/// What a name leads to.
enum Found {
    /// This is to be checked.
    Endpoint(Endpoint),
    /// Nothing that could be; this is known after so long.
    Nothing(Endpoint, Failure, Duration),
}

async fn expand(shared: &Shared, targets: Vec<Target>) -> Vec<Found> {
    let options = &shared.checker.options;
    let found = match &options.mx {
        Some(resolver) => by_mx(shared, resolver, targets).await,
        None => targets.into_iter().map(|target| Found::Endpoint(Endpoint::new(target))).collect(),
    };
    if options.all_addresses { by_address(shared, found).await } else { found }
}

/// Each mail server of a domain, in the order in which senders try them.
async fn by_mx(shared: &Shared, resolver: &Resolver, targets: Vec<Target>) -> Vec<Found> {
    let Some(first) = targets.first() else { return Vec::new() };
    let name = first.host.clone();
    let _turn = shared.turn(&name).await;
    let began = Instant::now();
    let found = match mail_servers(&name, resolver, began + shared.checker.options.dial.timeout).await {
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
                left_out: found.left_out,
                took,
            }),
            spent: took,
            ..Endpoint::new(Target { host: mx.host.clone(), ..target.clone() })
        })
    });
    endpoints.map(Found::Endpoint).collect()
}

/// What a look-up brought, and how long it took.
type LookedUp = (Result<Resolved, DialError>, Duration);

/// Each address of each host. A host is looked up once, whatever ports of it were named.
async fn by_address(shared: &Shared, found: Vec<Found>) -> Vec<Found> {
    let mut running = JoinSet::new();
    let mut asked = HashSet::new();
    for one in &found {
        if let Found::Endpoint(endpoint) = one
            && has_addresses(endpoint, &shared.checker.options)
            && asked.insert(endpoint.target.host.clone())
        {
            let (shared, target, spent) = (shared.clone(), endpoint.target.clone(), endpoint.spent);
            running.spawn(async move {
                let looked_up = look_up(&shared, &target, spent).await;
                (target.host, looked_up)
            });
        }
    }
    let mut known = HashMap::new();
    while let Some(ended) = running.join_next().await {
        known.extend(or_panic(ended));
    }
    let apart = |one: Found| match one {
        Found::Endpoint(endpoint) => match known.get(&endpoint.target.host) {
            Some(looked_up) => each_address(endpoint, looked_up, &shared.checker.options),
            None => vec![Found::Endpoint(endpoint)],
        },
        nothing @ Found::Nothing(..) => vec![nothing],
    };
    found.into_iter().flat_map(apart).collect()
}

/// Whether it is a name that we look up ourselves.
fn has_addresses(endpoint: &Endpoint, options: &Options) -> bool {
    let target = &endpoint.target;
    matches!(options.dial.route, Route::Direct) && target.socket.is_none() && target.address().is_none()
}

async fn look_up(shared: &Shared, target: &Target, spent: Duration) -> LookedUp {
    let _turn = shared.turn(&target.host).await;
    let dial = &shared.checker.options.dial;
    let began = Instant::now();
    let deadline = began + dial.timeout.saturating_sub(spent);
    (resolve(&target.host, target.port, dial, deadline).await, began.elapsed())
}

/// The address, its zone kept.
fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

fn each_address(endpoint: Endpoint, (result, took): &LookedUp, options: &Options) -> Vec<Found> {
    let target = &endpoint.target;
    match result {
        Ok(resolved) => {
            let of = |address: &SocketAddr| Endpoint {
                address: Some(with_port(*address, target.port)),
                aliases: resolved.aliases.clone(),
                addresses_left_out: resolved.left_out,
                spent: endpoint.spent + *took,
                ..endpoint.clone()
            };
            resolved.addresses.iter().map(|address| Found::Endpoint(of(address))).collect()
        }
        Err(error) => {
            let failure = dial_failure(error, target, &options.dial);
            let by_mx = endpoint.domain.as_ref().is_some_and(|domain| !domain.implicit);
            let failure = if by_mx { mail_server_failure(failure, &target.host) } else { failure };
            vec![Found::Nothing(endpoint, failure, *took)]
        }
    }
}
