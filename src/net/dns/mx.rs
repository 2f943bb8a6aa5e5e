//! Where the mail of a domain goes: its MX records, read as RFC 5321 §5.1 and RFC 7505 say.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{DnsError, Mx, Resolver};

/// No more mail servers of a domain than this are looked at, and no more addresses of a name (P52): real ones have a
/// dozen, and each costs two questions.
pub const MOST: usize = 50;

/// The mail servers of a domain, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServers {
    /// Never empty, at most [`MOST`]; by preference, and equal ones in the order of the answer. Each host once.
    pub servers: Vec<Mx>,
    /// So many more there are, of which nothing is known but that.
    pub left_out: usize,
    /// The domain has no MX record: its own address stands in for one.
    pub implicit: bool,
    /// Among other records there is one that says that no mail is taken, which then means nothing.
    pub null_among_others: bool,
    /// The names that the domain was led to by CNAME records.
    pub aliases: Vec<String>,
    /// The name server says that it has verified the answer with DNSSEC.
    pub authentic: bool,
}

/// Why a domain has no mail servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MxError {
    /// The domain says that it takes no mail (RFC 7505).
    Null,
    /// The question was not answered.
    Dns(DnsError),
}

/// Looks the mail servers of a domain up. Their addresses are not looked at.
///
/// # Errors
/// [`MxError`]; a domain that exists and has no MX record is no error.
pub async fn mail_servers(domain: &str, resolver: &Resolver, deadline: Instant) -> Result<MailServers, MxError> {
    match resolver.mx(domain, deadline).await {
        Ok(answer) => {
            let mut found = order(answer.records).ok_or(MxError::Null)?;
            (found.aliases, found.authentic) = (answer.aliases, answer.authentic);
            Ok(found)
        }
        Err(DnsError::NoData { aliases }) => {
            let servers = vec![Mx { preference: 0, host: domain.to_owned() }];
            Ok(MailServers { servers, left_out: 0, implicit: true, null_among_others: false, aliases, authentic: false })
        }
        Err(error) => Err(MxError::Dns(error)),
    }
}

/// `None` when the records say that no mail is taken.
fn order(mut records: Vec<Mx>) -> Option<MailServers> {
    records.sort_by_key(|mx| mx.preference);
    let mut known = HashSet::new();
    let all = records.len();
    records.retain(|mx| mx.host != ".");
    let null_among_others = records.len() < all;
    records.retain(|mx| known.insert(mx.host.to_ascii_lowercase()));
    let left_out = records.len().saturating_sub(MOST);
    records.truncate(MOST);
    let found = MailServers { servers: records, left_out, implicit: false, null_among_others, aliases: Vec::new(), authentic: false };
    (!found.servers.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_mail_servers_are_looked_at_and_the_preferred_ones() {
        // P52
        let mx = |number: u16| Mx { preference: 2000 - number, host: format!("mx{number}.test") };
        let found = order((1..=2000).map(mx).collect()).unwrap();
        assert_eq!((found.servers.len(), found.left_out), (MOST, 1950));
        assert_eq!((found.servers[0].host.as_str(), found.servers[MOST - 1].host.as_str()), ("mx2000.test", "mx1951.test"));
        // The same host again is not another one.
        let doubled = (1..=100).map(|number| mx(number % 50 + 1)).collect();
        assert_eq!(order(doubled).map(|found| (found.servers.len(), found.left_out)), Some((50, 0)));
        assert_eq!(order(vec![Mx { preference: 0, host: ".".to_owned() }]), None);
    }
}
