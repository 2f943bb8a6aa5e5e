//! The resolver: what is asked, and what an answer says. There is neither a cache nor a rule for special names, so
//! that what is reported is what a name server said.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::{Instant, timeout};

use super::exchange;
use super::{Answer, DnsError, Mx, Tlsa};
use crate::net::dial::Family;

/// How many CNAME records may lead from one name to the next.
const MAX_ALIASES: usize = 16;

/// When one kind of address is known, the other is waited for no longer than this: some name servers never answer
/// for AAAA. RFC 8305 §3 has 50 ms, and who looks for faults has more patience.
const OTHER_KIND: Duration = Duration::from_secs(1);

/// Asks name servers.
#[derive(Debug, Clone)]
pub struct Resolver {
    servers: Arc<[SocketAddr]>,
}

impl Resolver {
    /// A resolver that asks this name server, or those that the system is set to ask.
    ///
    /// # Errors
    /// The system's settings cannot be read or name no server.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, DnsError> {
        let servers = match server {
            Some(server) => vec![server],
            None => system_servers()?,
        };
        if servers.is_empty() {
            return Err(DnsError::Other("this machine is set to ask no name server; --resolver ADDRESS gives one".to_owned()));
        }
        Ok(Self::of(servers))
    }

    /// A resolver that asks these name servers, one after the other.
    pub(super) fn of(servers: Vec<SocketAddr>) -> Self {
        Self { servers: servers.into() }
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
    /// [`DnsError`]; one kind of address is enough, and of two failures the more telling one is given. Where one family
    /// is wanted and there are addresses of it, the others are not waited for.
    pub async fn addresses(&self, host: &str, family: Family, deadline: Instant) -> Result<Answer<IpAddr>, DnsError> {
        let name = name(host)?;
        let pick = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let mut six = pin!(self.ask(name.clone(), RecordType::AAAA, deadline, pick));
        let mut four = pin!(self.ask(name.clone(), RecordType::A, deadline, pick));
        let (six, four) = tokio::select! {
            six = &mut six => {
                let four = patiently(six.is_ok(), family == Family::V6, four).await;
                (six, four)
            }
            four = &mut four => (patiently(four.is_ok(), family == Family::V4, six).await, four),
        };
        match (six, four) {
            (Ok(mut six), Ok(four)) => {
                six.records.extend(four.records);
                six.authentic &= four.authentic;
                Ok(six)
            }
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
            (Err(six), Err(four)) => Err(if rank(&six) > rank(&four) { six } else { four }),
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
        // Without it no resolver says whether it has verified the answer.
        let dnssec_ok = matches!(kind, RecordType::MX | RecordType::TLSA);
        let answer = exchange::ask(&self.servers, Query::query(name.clone(), kind), dnssec_ok, deadline).await?;
        read(&answer, &name, kind, pick)
    }
}

/// The answer for the other kind of address.
async fn patiently<T>(one_is_known: bool, it_is_enough: bool, asking: impl Future<Output = Result<T, DnsError>>) -> Result<T, DnsError> {
    match (one_is_known, it_is_enough) {
        (false, _) => asking.await,
        (true, false) => timeout(OTHER_KIND, asking).await.unwrap_or(Err(DnsError::TimedOut)),
        (true, true) => Err(DnsError::TimedOut),
    }
}

/// Of two failures the one of the higher rank tells more.
fn rank(error: &DnsError) -> u8 {
    match error {
        DnsError::NoSuchName => 4,
        DnsError::Refused(_) => 3,
        DnsError::NoData { .. } => 0,
        DnsError::TimedOut => 1,
        _ => 2,
    }
}

/// The name servers that the system is set to ask.
fn system_servers() -> Result<Vec<SocketAddr>, DnsError> {
    let (config, _) = hickory_resolver::system_conf::read_system_conf()
        .map_err(|error| DnsError::Other(format!("this machine's settings for name servers cannot be read: {error}")))?;
    let mut servers = Vec::new();
    for server in config.name_servers() {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        let address = SocketAddr::new(server.ip, port);
        if !servers.contains(&address) {
            servers.push(address);
        }
    }
    Ok(servers)
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

fn read<T>(response: &Message, name: &Name, kind: RecordType, pick: impl Fn(&RData) -> Option<T>) -> Result<Answer<T>, DnsError> {
    let names = chain(response, name);
    let last = names.last().unwrap_or(name);
    let of_kind = response.answers.iter().filter(|record| record.record_type() == kind && record.name == *last);
    let records: Vec<T> = of_kind.filter_map(|record| pick(&record.data)).collect();
    let aliases: Vec<String> = names.iter().map(shown).collect();
    if !records.is_empty() {
        return Ok(Answer { records, aliases, authentic: response.metadata.authentic_data });
    }
    match response.metadata.response_code {
        ResponseCode::NoError => Err(DnsError::NoData { aliases }),
        code => Err(refused(code)),
    }
}

/// Where the CNAME records of the answer lead to, one name after the other.
fn chain(response: &Message, name: &Name) -> Vec<Name> {
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_other_kind_of_address_is_waited_for_as_long_as_it_may_matter() {
        let began = Instant::now();
        assert_eq!(patiently::<()>(true, true, pending()).await, Err(DnsError::TimedOut));
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(patiently::<()>(true, false, pending()).await, Err(DnsError::TimedOut));
        assert_eq!(began.elapsed(), OTHER_KIND);
        assert_eq!(patiently(false, true, ready(Ok(1))).await, Ok(1));
    }
}
