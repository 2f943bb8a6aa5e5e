//! What the subcommands do; values in, values out, nothing printed.

pub mod check;
pub mod circumstances;
pub mod credentials;
mod netrc;
pub mod old_tls;
pub mod opening;
pub mod practice;
pub mod protection;
pub mod sandbox;
