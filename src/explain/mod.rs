//! What a reply means in its situation, and what may be wrong when there is none.

pub mod blob;
pub mod certificate;
pub mod connecting;
pub mod failure;
pub mod handshake;
pub mod hello;
pub mod line;
pub mod login;
pub mod notice;
pub mod old_tls;
pub mod place;
pub mod protection;
pub mod reply;
pub mod route;
pub mod talk;
pub mod words;
