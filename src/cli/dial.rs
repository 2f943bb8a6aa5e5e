//! From the flags of connecting to options: what goes together is checked here, before anything is sent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::args::DialArgs;
use crate::net::command::Template;
use crate::net::dial::{DialOptions, Family, Route};
use crate::net::dns::{Resolver, parse_server};
use crate::net::header::Header;
use crate::net::proxy::{Kind, Proxy};
use crate::secret::{PROXY_PASSWORD, Secret};
use crate::target::Target;

/// How to connect to a target.
pub(super) fn options(args: &DialArgs, target: &Target) -> anyhow::Result<DialOptions> {
    let family = match (args.ipv4, args.ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    };
    fits(args, target, family)?;
    let server = args.resolver.as_deref().map(parse_server).transpose().map_err(anyhow::Error::msg).context("--resolver")?;
    Ok(DialOptions {
        family,
        bind: args.bind,
        timeout: args.connect_timeout.unwrap_or(Duration::from_secs(30)),
        resolver: server.map(|server| Resolver::new(Some(server))).transpose().context("--resolver")?,
        route: route(args)?,
        header: args.proxy_protocol.as_deref().map(Header::parse).transpose().map_err(anyhow::Error::msg).context("--proxy-protocol")?,
    })
}

/// What the target and the flags ask for goes together.
fn fits(args: &DialArgs, target: &Target, family: Family) -> anyhow::Result<()> {
    let elsewhere = args.proxy.is_some() || args.proxy_command.is_some();
    if target.socket.is_some() && (elsewhere || args.mx || args.bind.is_some() || family != Family::Any) {
        bail!("a socket is on this machine: --proxy, --proxy-command, --mx, -b, -4 and -6 do not go with it");
    }
    let Some(address) = target.address() else { return Ok(()) };
    if args.mx {
        bail!("{address} is an address, and --mx wants a mail domain, such as contoso.com");
    }
    if !elsewhere && (family == Family::V4 && address.is_ipv6() || family == Family::V6 && address.is_ipv4()) {
        bail!("{address} is not an address of the IP version that -4 or -6 asks for");
    }
    Ok(())
}

fn route(args: &DialArgs) -> anyhow::Result<Route> {
    match (&args.proxy, &args.proxy_command) {
        (Some(url), _) => {
            let mut proxy = Proxy::parse(url).map_err(anyhow::Error::msg).context("--proxy")?;
            if proxy.user.is_some() && proxy.kind != Kind::Socks4 {
                match std::env::var(PROXY_PASSWORD) {
                    Ok(password) => proxy.password = Some(Secret::new(password)),
                    Err(_) => bail!("--proxy names a user: set the variable {PROXY_PASSWORD} to the password"),
                }
            }
            Ok(Route::Proxy(Arc::new(proxy)))
        }
        (None, Some(line)) => Ok(Route::Command(Template::parse(line).map_err(anyhow::Error::msg).context("--proxy-command")?)),
        (None, None) => Ok(Route::Direct),
    }
}
