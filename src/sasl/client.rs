//! The client's side of a mechanism: challenges in, answers out.

use crate::secret::Secret;

/// Who logs in, and all that a mechanism has to know of its surroundings.
///
/// # Shape
/// The secret is lent for each step and kept by no mechanism: a client asks for what it lacks by
/// [`Trouble::NeedsUser`] and [`Trouble::NeedsSecret`], and the step is then taken again.
#[derive(Debug, Default)]
pub struct Login {
    /// Who logs in (authcid); `DOMAIN\user` and `user@domain` are understood where it matters.
    pub user: String,
    /// Whose rights are wanted, empty for the user's own (authzid).
    pub authzid: String,
    /// The password or the access token.
    pub secret: Option<Secret<String>>,
    /// The server, as the operator named it.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The name of this machine.
    pub workstation: String,
    /// Random bytes, fresh for each login.
    pub random: [u8; 32],
    /// Milliseconds since 1970.
    pub now: u64,
    /// What binds the login to the TLS channel.
    pub channel: Channel,
    /// The server offers a mechanism with channel binding, or it is not known whether it does.
    pub offers_binding: bool,
    /// NTLM may answer in its first version.
    pub ntlm_v1: bool,
}

impl Login {
    /// The user name, or the question for it.
    pub(super) fn known_user(&self) -> Result<&str, Trouble> {
        if self.user.is_empty() { Err(Trouble::NeedsUser) } else { Ok(&self.user) }
    }

    /// User name and secret, or the question for what is missing.
    pub(super) fn known(&self) -> Result<(&str, &str), Trouble> {
        let user = self.known_user()?;
        let secret = self.secret.as_ref().ok_or(Trouble::NeedsSecret)?;
        Ok((user, secret.expose()))
    }
}

/// What a TLS channel offers for channel binding (RFC 5056); all `None` without TLS.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Channel {
    /// `tls-exporter` (RFC 9266), 32 bytes.
    pub exporter: Option<Vec<u8>>,
    /// `tls-server-end-point` (RFC 5929 §4): a hash of the server's certificate.
    pub server_end_point: Option<Vec<u8>>,
    /// Which one is wanted; the exporter first unless the operator says otherwise.
    pub wanted: Option<Binding>,
}

/// A type of channel binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// RFC 9266.
    Exporter,
    /// RFC 5929 §4.
    ServerEndPoint,
}

impl Binding {
    /// As registered with IANA.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exporter => "tls-exporter",
            Self::ServerEndPoint => "tls-server-end-point",
        }
    }
}

impl Channel {
    /// The binding to use and its data.
    pub fn binding(&self) -> Option<(Binding, &[u8])> {
        let all = [(Binding::Exporter, &self.exporter), (Binding::ServerEndPoint, &self.server_end_point)];
        let mut there = all.into_iter().filter_map(|(kind, data)| data.as_deref().map(|data| (kind, data)));
        there.find(|(kind, _)| self.wanted.is_none_or(|wanted| wanted == *kind))
    }

    /// The data of one type.
    pub fn data(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.exporter.as_deref(),
            "tls-server-end-point" => self.server_end_point.as_deref(),
            _ => None,
        }
    }
}

/// Whether the server has shown that it knows the password too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The mechanism has no such thing.
    NotPartOfIt,
    /// It has, and was right.
    Given,
    /// It should have, and did not, or it was wrong: somebody else may be speaking. In words.
    Failed(&'static str),
}

/// Why a mechanism cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The user name is wanted: the step is to be taken again with it.
    NeedsUser,
    /// The password or token is wanted: the step is to be taken again with it.
    NeedsSecret,
    /// The challenge is not what the mechanism says.
    BadChallenge(&'static str),
    /// The mechanism cannot be used here.
    Impossible(String),
    /// NTLM: the server asks for the first version of the answer, which was not allowed. Says what it lacks.
    NtlmV1(&'static str),
    /// The server is not who it says, or does not know the password.
    NotTheServer(&'static str),
}

/// The client's side of one login.
pub trait Client: std::fmt::Debug + Send {
    /// The next message: the first one when there is no challenge to answer, else the answer to it.
    ///
    /// # Errors
    /// [`Trouble`]; after `NeedsUser` and `NeedsSecret` the same step can be taken again.
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble>;

    /// Takes over a message that the operator has sent by hand, as if it had been made here.
    ///
    /// # Errors
    /// [`Trouble`] when there is no going on from it.
    fn adopt(&mut self, _sent: &[u8], _answering: Option<&[u8]>) -> Result<(), Trouble> {
        Ok(())
    }

    /// Whether the next step reads the challenge that it is given. One that it does not read means "go ahead", whatever it
    /// says.
    fn reads_challenge(&self) -> bool {
        true
    }

    /// Whether a challenge is only a question in words, from which nothing is computed.
    fn only_asks(&self) -> bool {
        false
    }

    /// What the server has proved; asked once it has accepted the login.
    fn proof(&self) -> Proof {
        Proof::NotPartOfIt
    }

    /// What the operator should know of how the login was made, as whole sentences.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}
