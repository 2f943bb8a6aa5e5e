//! Where the mail of a domain goes: its MX records, read as RFC 5321 §5.1 and RFC 7505 say.

use tokio::time::Instant;

use super::{DnsError, Mx, Resolver};

/// The mail servers of a domain, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServers {
    /// Never empty; by preference, and equal ones in the order of the answer. Each host once.
    pub servers: Vec<Mx>,
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
            Ok(MailServers { servers, implicit: true, null_among_others: false, aliases, authentic: false })
        }
        Err(error) => Err(MxError::Dns(error)),
    }
}

/// `None` when the records say that no mail is taken.
fn order(mut records: Vec<Mx>) -> Option<MailServers> {
    records.sort_by_key(|mx| mx.preference);
    let mut servers: Vec<Mx> = Vec::new();
    let mut null_among_others = false;
    for mx in records {
        if mx.host == "." {
            null_among_others = true;
        } else if !servers.iter().any(|known| known.host.eq_ignore_ascii_case(&mx.host)) {
            servers.push(mx);
        }
    }
    let found = MailServers { servers, implicit: false, null_among_others, aliases: Vec::new(), authentic: false };
    (!found.servers.is_empty()).then_some(found)
}
