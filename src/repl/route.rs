//! The way to the server: straight, through a socket, a proxy, a program, or by the MX records of a domain;
//! and all that is said on the way.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::signals::Signal;
use super::{Outcome, Repl};
use crate::explain::failure::{Failure, diagnose};
use crate::explain::notice;
use crate::explain::route::{RouteFailure, Trouble};
use crate::host::{ip_of, is_loopback, is_own_machine, is_private, shown_ip};
use crate::jobs::opening::{self, command_silent, dial_failure, mail_server_failure, mx_failure, or_mail_domain};
use crate::net::Connection;
use crate::net::command::how_it_ended;
use crate::net::dial::{DialEvent, DialOptions, Dialed, Peer, Route, dial};
use crate::net::dns::Resolver;
use crate::net::dns::mx::{MailServers, MxError, mail_servers};
use crate::net::resolve::Resolved;
use crate::render::{Row, human};
use crate::target::Target;
use crate::text::{printable, printable_str};

/// How long a command may take to end once its connection has.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many mail servers of a domain are listed unless more detail is wanted.
const MANY: usize = 8;

impl Repl {
    /// Connects to the target; to a mail server of the domain, if one was asked for. `None` when a signal
    /// came, and what that means was done.
    pub(super) async fn find_a_way(&mut self) -> Result<Option<Dialed>, Failure> {
        if self.target.implicit_tls || self.options.starttls {
            self.begin_loading_roots();
        }
        // Once: to connect again is to connect to the server that was found.
        if std::mem::take(&mut self.options.mx) {
            return self.dial_mail_server().await;
        }
        let (target, options) = (self.target.clone(), self.options.dial.clone());
        match self.dial(&target, &options, false).await {
            Err(failure) => match self.unless_stopped(or_mail_domain(failure, &target, &options, None)).await {
                Some(failure) => Err(failure),
                None => Ok(None),
            },
            dialed => dialed,
        }
    }

    /// The mail servers of the target, which is a domain, one after the other.
    async fn dial_mail_server(&mut self) -> Result<Option<Dialed>, Failure> {
        let domain = self.target.host.clone();
        let mut options = self.options.dial.clone();
        let deadline = Instant::now() + options.timeout;
        let resolver = options.resolver.take().map_or_else(|| Resolver::new(None), Ok);
        let resolver = resolver.map_err(|error| mx_failure(&MxError::Dns(error), &domain))?;
        // The addresses too, so that aliases are seen.
        options.resolver = Some(resolver.clone());
        let found = match self.unless_stopped(mail_servers(&domain, &resolver, deadline)).await {
            Some(found) => found.map_err(|error| mx_failure(&error, &domain))?,
            None => return Ok(None),
        };
        self.tell_mail_servers(&domain, &found);
        self.secure.mail_domain = Some(domain.clone());
        let count = found.servers.len();
        for mx in found.servers {
            self.target = Target { host: mx.host, ..self.target.clone() };
            let target = self.target.clone();
            let failure = match self.dial(&target, &options, true).await {
                Err(failure) => mail_server_failure(failure, &target.host),
                dialed => {
                    self.by_mx = true;
                    return dialed;
                }
            };
            if count == 1 {
                return Err(failure);
            }
            self.screen.warning(diagnose(&failure, &opening::place(&target)).headline);
        }
        self.target.host.clone_from(&domain);
        Err(Failure::Route(RouteFailure { way: domain, trouble: Trouble::NoMailServer(count) }))
    }

    fn tell_mail_servers(&mut self, domain: &str, found: &MailServers) {
        let domain = printable_str(domain);
        if let Some(alias) = found.aliases.last() {
            self.screen.note(format!("{domain} is an alias (CNAME) of {}.", printable_str(alias)));
        }
        if found.implicit {
            self.screen.note(format!("{domain} has no MX record: mail goes to its own address (RFC 5321 sec. 5.1)."));
            return;
        }
        let list = found.servers.iter().map(|mx| format!("{} ({})", printable_str(&mx.host), mx.preference)).collect::<Vec<_>>();
        let shown = if self.options.verbose > 0 { list.len() } else { list.len().min(MANY) };
        let more = if shown < list.len() { format!(" and {} more", list.len() - shown) } else { String::new() };
        self.screen.note(format!("The mail of {domain} goes to {}{more}.", list[..shown].join(", ")));
        if found.left_out > 0 {
            self.screen.note(notice::mx_left_out(&domain, list.len(), found.left_out));
        }
        if found.null_among_others {
            self.screen
                .hint("One MX record is \"0 .\", which must stand alone (RFC 7505): senders may give up or pass over it. Delete it.");
        }
        if let Some(mx) = found.servers.iter().find(|mx| is_own_machine(&mx.host)) {
            self.screen.hint(notice::mx_names_own_machine(&mx.host));
        }
        let odd = found.servers.iter().find(|mx| ip_of(&mx.host).is_some());
        if let Some(mx) = odd {
            self.screen.hint(format!(
                "An MX record names the address {}, and must name a host (RFC 5321 sec. 5.1): senders do not find it.",
                mx.host
            ));
        }
    }

    /// Waits, unless a signal ends it.
    async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            let signal = tokio::select! {
                biased;
                result = &mut work => return Some(result),
                signal = self.signals.next() => signal,
            };
            if signal != Signal::Continue {
                self.outcome = Some(if signal == Signal::Interrupt { Outcome::Interrupted } else { Outcome::Signalled(signal) });
                return None;
            }
        }
    }

    async fn dial(&mut self, target: &Target, options: &DialOptions, by_mx: bool) -> Result<Option<Dialed>, Failure> {
        let whom = match &options.route {
            Route::Proxy(proxy) => proxy.host.clone(),
            Route::Direct | Route::Command(_) => target.host.clone(),
        };
        // What is looked up here for a proxy is the proxy.
        let by_mx = by_mx && matches!(options.route, Route::Direct);
        let mut telling = Telling { whom, verbose: self.options.verbose > 0, by_mx, several: false };
        let (tell, mut told) = unbounded_channel::<Row>();
        let mut on = |event: DialEvent<'_>| {
            for row in telling.rows(&event) {
                // The other end stands below.
                let _ = tell.send(row);
            }
        };
        let dialing = dial(target, options, &mut on);
        tokio::pin!(dialing);
        let slow = tokio::time::sleep(Duration::from_secs(1));
        tokio::pin!(slow);
        let mut waiting = self.is_terminal();
        let result = loop {
            tokio::select! {
                biased;
                Some(row) = told.recv() => self.screen.row(row),
                result = &mut dialing => break result,
                signal = self.signals.next() => {
                    if signal == Signal::Continue {
                        continue;
                    }
                    self.outcome = Some(if signal == Signal::Interrupt { Outcome::Interrupted } else { Outcome::Signalled(signal) });
                    return Ok(None);
                }
                () = &mut slow, if waiting => {
                    waiting = false;
                    let limit = human::duration(options.timeout);
                    self.screen.note(format!("{}: connecting (up to {limit}; Ctrl-C gives up)", place(target)));
                }
            }
        };
        while let Ok(row) = told.try_recv() {
            self.screen.row(row);
        }
        result.map(Some).map_err(|error| dial_failure(&error, target, options))
    }

    /// Takes over a stream that stands.
    pub(super) fn connected(&mut self, dialed: Dialed) {
        let Dialed { stream, peer, local, timings } = dialed;
        self.hello_name = self.options.hello_name.on(local);
        let took = human::duration(timings.after_name());
        let text = match (&peer, &self.options.dial.route) {
            (Peer::Socket, _) => format!("Connected to {} in {took}", place(&self.target)),
            (Peer::Address(address), _) => match self.target.address() {
                Some(_) => format!("Connected to {} port {} in {took}", self.target.host, address.port()),
                None => {
                    format!("{} is {}; connected to port {} in {took}", printable_str(&self.target.host), shown_ip(address), address.port())
                }
            },
            (Peer::Proxy(_), Route::Proxy(proxy)) => {
                format!("Connected to {} through the proxy {} in {took}", place(&self.target), printable_str(&proxy.to_string()))
            }
            (Peer::Proxy(_), _) => format!("Connected to {} through a proxy in {took}", place(&self.target)),
            (Peer::Command(_), _) => format!("{}: the command has been started; the server is behind it", place(&self.target)),
        };
        self.screen.note(&text);
        // Of loopback and private addresses was told when they were looked up.
        if let (true, Peer::Address(address)) = (std::mem::take(&mut self.by_mx), &peer)
            && local.is_some_and(|local| local.ip() == address.ip())
            && !is_loopback(address.ip())
            && !is_private(address.ip())
            && let Some(remark) = notice::mx_address(&self.target.host, address.ip(), true)
        {
            self.screen.note(remark);
        }
        let mut connection = Connection::new(stream, self.options.limits);
        connection.note(text);
        self.connection = Some(connection);
        self.attach_log();
        self.command = if let Peer::Command(watch) = peer { Some(watch) } else { None };
        self.memory.told.clear_text = false;
        self.memory.told.starttls_again = false;
        self.secure.forget_server();
        self.restart_log();
    }

    /// When the command has ended, that is why there is no greeting; of one that runs and is silent no more is known.
    pub(super) async fn or_command_failure(&mut self, failure: Option<Failure>) -> Option<Failure> {
        if let (Some(Failure::NoGreeting(after)), Route::Command(template)) = (&failure, &self.options.dial.route) {
            let silent = command_silent(template, *after);
            self.tell_command().await;
            return Some(silent);
        }
        if !matches!(failure, Some(Failure::ClosedAtOnce { .. } | Failure::LostAtOnce(_))) {
            self.tell_command().await;
            return failure;
        }
        let ended = match self.command.take() {
            Some(watch) => watch.ended(PATIENCE).await,
            None => None,
        };
        match (ended, &self.options.dial.route) {
            (Some((status, said)), Route::Command(template)) => {
                let trouble = Trouble::CommandEnded { status: how_it_ended(status), said };
                Some(Failure::Route(RouteFailure { way: template.to_string(), trouble }))
            }
            _ => failure,
        }
    }

    /// What the command has said, and how it ended once the connection has.
    pub(super) async fn tell_command(&mut self) {
        let Some(watch) = self.command.clone() else { return };
        self.tell_said(&watch.said());
        if self.is_open() {
            return;
        }
        self.command = None;
        // By itself at first: how it ends may say why the connection did.
        let ended = watch.ended(PATIENCE).await;
        if let Some(connection) = &mut self.connection {
            connection.hang_up();
        }
        if let Some((status, said)) = ended {
            self.tell_said(&said);
            if !status.success() {
                self.screen.note(format!("The command ended ({}).", how_it_ended(status)));
            }
        }
    }

    /// Where the session is.
    pub(super) fn place(&self) -> String {
        place(&self.target)
    }

    fn tell_said(&mut self, said: &[Vec<u8>]) {
        for line in said {
            self.screen.note(format!("The command says: {}", printable(line)));
        }
    }
}

/// `mx1.contoso.test port 25`, or the socket.
fn place(target: &Target) -> String {
    match &target.socket {
        Some(_) => printable_str(&target.to_string()).into_owned(),
        None => format!("{} port {}", printable_str(&target.host), target.port),
    }
}

/// What is said of the events of dialling.
struct Telling {
    /// Whose name and addresses they are about.
    whom: String,
    verbose: bool,
    /// The host was named by an MX record.
    by_mx: bool,
    /// There are several addresses.
    several: bool,
}

impl Telling {
    fn rows(&mut self, event: &DialEvent<'_>) -> Vec<Row> {
        let detail = self.several || self.verbose;
        match event {
            DialEvent::Resolved(resolved) => self.resolved(resolved),
            DialEvent::Trying(address) if self.verbose => {
                vec![Row::note(format!("{} port {}: connecting", shown_ip(address), address.port()))]
            }
            DialEvent::Failed(attempt) if detail => vec![human::attempt(attempt)],
            DialEvent::PassedOver(address) if detail => {
                vec![Row::note(format!("{} port {}: no answer until another address connected", shown_ip(address), address.port()))]
            }
            DialEvent::Header(words) => vec![Row::note(format!("PROXY header sent: {words}"))],
            DialEvent::Proxied { took } if self.verbose => vec![Row::note(format!("The proxy answered in {}", human::duration(*took)))],
            DialEvent::Trying(_)
            | DialEvent::Failed(_)
            | DialEvent::PassedOver(_)
            | DialEvent::Connected { .. }
            | DialEvent::Proxied { .. } => Vec::new(),
        }
    }

    fn resolved(&mut self, resolved: &Resolved) -> Vec<Row> {
        let whom = printable_str(&self.whom);
        self.several = resolved.addresses.len() > 1;
        let mut rows = Vec::new();
        if let Some(alias) = resolved.aliases.last() {
            rows.push(Row::note(format!("{whom} is an alias (CNAME) of {}", printable_str(alias))));
            if self.by_mx {
                rows.push(Row::hint("An MX record must not name an alias (RFC 2181 sec. 10.3): some senders do not follow it."));
            }
        }
        let by_name = ip_of(&self.whom).is_none();
        if by_name && (self.several || self.verbose) {
            let list = resolved.addresses.iter().map(shown_ip).collect::<Vec<_>>().join(", ");
            let took = if self.verbose { format!(" ({})", human::duration(resolved.took)) } else { String::new() };
            rows.push(Row::note(format!("{whom} is {list}{took}")));
        }
        let led_by_mx = self.by_mx && by_name && !is_own_machine(&self.whom);
        let remark = |address: &SocketAddr| notice::mx_address(&self.whom, address.ip(), false);
        rows.extend(resolved.addresses.iter().filter(|_| led_by_mx).find_map(remark).map(Row::note));
        if resolved.left_out > 0 {
            rows.push(Row::note(notice::addresses_left_out(&self.whom, resolved.addresses.len(), resolved.left_out)));
        }
        rows
    }
}
