//! The resolver of a build without the feature `dns`: it knows nothing and says so.

use std::net::{IpAddr, SocketAddr};

use tokio::time::Instant;

use super::{Answer, DnsError, Mx, Tlsa};
use crate::net::dial::Family;

/// No resolver.
#[derive(Debug, Clone)]
pub struct Resolver(std::convert::Infallible);

#[allow(clippy::unused_async, reason = "the same signatures as in a build with the feature")]
impl Resolver {
    /// Always [`DnsError::NotBuilt`].
    pub fn new(_server: Option<SocketAddr>) -> Result<Self, DnsError> {
        Err(DnsError::NotBuilt)
    }

    /// Cannot be called.
    pub async fn mx(&self, _domain: &str, _deadline: Instant) -> Result<Answer<Mx>, DnsError> {
        match self.0 {}
    }

    /// Cannot be called.
    pub async fn addresses(&self, _host: &str, _family: Family, _deadline: Instant) -> Result<Answer<IpAddr>, DnsError> {
        match self.0 {}
    }

    /// Cannot be called.
    pub async fn ptr(&self, _address: IpAddr, _deadline: Instant) -> Result<Answer<String>, DnsError> {
        match self.0 {}
    }

    /// Cannot be called.
    pub async fn tlsa(&self, _host: &str, _port: u16, _deadline: Instant) -> Result<Answer<Tlsa>, DnsError> {
        match self.0 {}
    }
}
