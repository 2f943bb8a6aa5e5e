//! The resolver, on the pool of name servers of hickory: below its cache and its rules for special names,
//! so that what is reported is what a name server said.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer as _};
use hickory_resolver::net::{DnsError as Wire, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use tokio::time::{Instant, timeout_at};

use super::{Answer, DnsError, Mx, Tlsa};

/// How long one question may take, however late the deadline is: a dead name server is known by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many CNAME records may lead from one name to the next.
const MAX_ALIASES: usize = 16;

/// Asks name servers. Clones share the connections.
#[derive(Clone)]
pub struct Resolver {
    pool: NameServerPool<TokioRuntimeProvider>,
    server: Option<SocketAddr>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Resolver {
    /// A resolver that asks this name server, or those that the system is set to ask.
    ///
    /// # Errors
    /// The system's settings cannot be read or name no server.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, DnsError> {
        let config = match server {
            Some(server) => only(server),
            None => hickory_resolver::system_conf::read_system_conf().map_err(|error| DnsError::Other(settings(&error)))?.0,
        };
        if config.name_servers().is_empty() {
            return Err(DnsError::Other("this machine is set to ask no name server; --resolver ADDRESS gives one".to_owned()));
        }
        let mut options = ResolverOpts::default();
        options.timeout = PATIENCE;
        let tls = TlsConfig::new().map_err(|error| DnsError::Other(error.to_string()))?;
        let context = Arc::new(PoolContext::new(options, tls));
        let pool = NameServerPool::from_config(config.name_servers().to_vec(), context, TokioRuntimeProvider::default());
        Ok(Self { pool, server })
    }

    /// The mail servers of a domain, in the order of the answer.
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn mx(&self, domain: &str, deadline: Instant) -> Result<Answer<Mx>, DnsError> {
        self.ask(name(domain)?, RecordType::MX, deadline, |data| match data {
            RData::MX(mx) => Some(Mx { preference: mx.preference, host: shown(&mx.exchange) }),
            _ => None,
        })
        .await
    }

    /// The addresses of a host, IPv6 before IPv4, each kind in the order of its answer.
    ///
    /// # Errors
    /// [`DnsError`]; one kind of address is enough, and of two failures the more telling one is given.
    pub async fn addresses(&self, host: &str, deadline: Instant) -> Result<Answer<IpAddr>, DnsError> {
        let name = name(host)?;
        let pick = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let (six, four) =
            tokio::join!(self.ask(name.clone(), RecordType::AAAA, deadline, pick), self.ask(name.clone(), RecordType::A, deadline, pick));
        match (six, four) {
            (Ok(mut six), Ok(four)) => {
                six.records.extend(four.records);
                six.authentic &= four.authentic;
                Ok(six)
            }
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
            (Err(DnsError::NoData { .. }), Err(other)) | (Err(other), Err(_)) => Err(other),
        }
    }

    /// The names of an address.
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn ptr(&self, address: IpAddr, deadline: Instant) -> Result<Answer<String>, DnsError> {
        self.ask(Name::from(address), RecordType::PTR, deadline, |data| match data {
            RData::PTR(name) => Some(shown(&name.0)),
            _ => None,
        })
        .await
    }

    /// What DANE says of the certificate of a host's port (RFC 6698 §3).
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn tlsa(&self, host: &str, port: u16, deadline: Instant) -> Result<Answer<Tlsa>, DnsError> {
        self.ask(name(&format!("_{port}._tcp.{host}"))?, RecordType::TLSA, deadline, |data| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        })
        .await
    }

    async fn ask<T>(
        &self,
        name: Name,
        kind: RecordType,
        deadline: Instant,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, DnsError> {
        let mut options = DnsRequestOptions::default();
        // Without it no resolver says whether it has verified the answer.
        options.edns_set_dnssec_ok = matches!(kind, RecordType::MX | RecordType::TLSA);
        let asking = self.pool.lookup(Query::query(name.clone(), kind), options).first_answer();
        match timeout_at(deadline, asking).await {
            Err(_) => Err(DnsError::TimedOut),
            Ok(Err(error)) => Err(failed(&error)),
            Ok(Ok(response)) => read(&response, &name, kind, pick),
        }
    }
}

fn only(server: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    ResolverConfig::from_parts(None, Vec::new(), vec![NameServerConfig::new(server.ip(), true, connections.into())])
}

fn settings(error: &NetError) -> String {
    format!("this machine's settings for name servers cannot be read: {error}")
}

/// A whole name: nothing is appended to it.
fn name(text: &str) -> Result<Name, DnsError> {
    let mut name = Name::from_ascii(text).map_err(|_| DnsError::BadName)?;
    name.set_fqdn(true);
    Ok(name)
}

fn shown(name: &Name) -> String {
    let text = name.to_ascii();
    if name.is_root() { ".".to_owned() } else { text.strip_suffix('.').unwrap_or(&text).to_owned() }
}

fn read<T>(response: &DnsResponse, name: &Name, kind: RecordType, pick: impl Fn(&RData) -> Option<T>) -> Result<Answer<T>, DnsError> {
    let names = chain(response, name);
    let last = names.last().unwrap_or(name);
    let of_kind = response.answers.iter().filter(|record| record.record_type() == kind && record.name == *last);
    let records: Vec<T> = of_kind.filter_map(|record| pick(&record.data)).collect();
    let aliases: Vec<String> = names.iter().map(shown).collect();
    if !records.is_empty() {
        return Ok(Answer { records, aliases, authentic: response.authentic_data });
    }
    match response.response_code {
        ResponseCode::NoError => Err(DnsError::NoData { aliases }),
        code => Err(refused(code)),
    }
}

/// Where the CNAME records of the answer lead to, one name after the other.
fn chain(response: &DnsResponse, name: &Name) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    while names.len() < MAX_ALIASES {
        let at = names.last().unwrap_or(name);
        let next = response.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *at => Some(target.0.clone()),
            _ => None,
        });
        match next {
            Some(next) if next != *name && !names.contains(&next) => names.push(next),
            _ => break,
        }
    }
    names
}

fn failed(error: &NetError) -> DnsError {
    match error {
        NetError::Dns(Wire::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NoError => DnsError::NoData { aliases: Vec::new() },
            code => refused(code),
        },
        NetError::Dns(Wire::ResponseCode(code)) => refused(*code),
        NetError::Timeout => DnsError::TimedOut,
        NetError::Io(error) => DnsError::Unreachable(crate::net::dial::system_words(error)),
        NetError::NoConnections => DnsError::Unreachable("no connection to it could be made".to_owned()),
        other => DnsError::Other(format!("the name server's answer cannot be used: {other}")),
    }
}

fn refused(code: ResponseCode) -> DnsError {
    match code {
        ResponseCode::NXDomain => DnsError::NoSuchName,
        ResponseCode::ServFail => DnsError::Refused("SERVFAIL"),
        ResponseCode::Refused => DnsError::Refused("REFUSED"),
        ResponseCode::FormErr => DnsError::Refused("FORMERR"),
        ResponseCode::NotImp => DnsError::Refused("NOTIMP"),
        other => DnsError::Refused(other.to_str()),
    }
}
