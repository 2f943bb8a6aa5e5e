//! The server's side of a mechanism, for the practice server.

use super::client::Channel;
use crate::secret::Secret;

/// The server, its one account, and what it knows of the connection.
#[derive(Debug)]
pub struct Host {
    /// The server's name.
    pub name: String,
    /// The domain of its users: the realm, and for NTLM the `NetBIOS` name is its first label.
    pub domain: String,
    /// The names of the one user, in any case.
    pub users: Vec<String>,
    /// The user's password.
    pub password: Secret<String>,
    /// The access token that is accepted.
    pub token: Secret<String>,
    /// The user that the TLS client certificate names.
    pub certificate_user: Option<String>,
    /// Random bytes, fresh for each connection.
    pub random: [u8; 32],
    /// Milliseconds since 1970.
    pub now: u64,
    /// What binds a login to the TLS channel.
    pub channel: Channel,
    /// Mechanisms with channel binding are offered.
    pub offers_binding: bool,
    /// Scenario: the proof that the server owes the client is wrong.
    pub lies: bool,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            name: String::new(),
            domain: "contoso.test".to_owned(),
            users: Vec::new(),
            password: Secret::new(String::new()),
            token: Secret::new(String::new()),
            certificate_user: None,
            random: [0; 32],
            now: 0,
            channel: Channel::default(),
            offers_binding: false,
            lies: false,
        }
    }
}

impl Host {
    /// Whether this is a name of the user.
    pub fn knows(&self, user: &str) -> bool {
        self.users.iter().any(|known| known.to_lowercase() == user.to_lowercase())
    }

    /// Lets the user in or not.
    pub(super) fn judge(&self, user: &str, right: bool) -> Turn {
        if self.knows(user) && right { Turn::Accept(user.to_owned()) } else { Turn::Refuse }
    }
}

/// What the server does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Sends this challenge.
    Challenge(Vec<u8>),
    /// Lets this user in.
    Accept(String),
    /// Refuses the login.
    Refuse,
    /// The client's message is not of the mechanism's form.
    Malformed,
}

/// The server's side of one login.
pub trait Server: std::fmt::Debug + Send {
    /// Takes the client's message, or begins when there is none yet.
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn;
}
