//! A login within a check: the best mechanism, or the one that was named, carried out without a question.

use super::options::Credentials;
use super::phases::Walk;
use super::report::Login as Tried;
use super::words;
use crate::explain::failure::Failure;
use crate::explain::login::{listed_elsewhere, no_ntlm_v1};
use crate::explain::protection::Unsafe;
use crate::explain::talk::{Lacks, TalkFailure};
use crate::jobs::credentials::PasswordSource;
use crate::net::Connection;
use crate::net::hello_name::workstation;
use crate::sasl::{self, Channel, Client, Login, Mechanism, Needs, Proof, Trouble};
use crate::secret::Secret;
use crate::session::Security;
use crate::session::client::Answer;
use crate::session::dialogue::refuses_initial_response;
use crate::wire::base64;
use crate::wire::code;
use crate::wire::keyword::Capabilities;
use crate::wire::reply::Reply;

/// A longer command line than this, CRLF included, and AUTH is said alone (RFC 4954 §4, RFC 5321 §4.5.3.1.4).
const LONGEST_LINE: usize = 512;

/// Logs in; gives the reply that says so.
pub(super) async fn log_in(walk: &mut Walk<'_>, connection: &mut Connection, credentials: &Credentials) -> Result<Reply, Failure> {
    let offered = connection.session().capabilities().map(Capabilities::mechanisms).unwrap_or_default();
    let elsewhere = connection.session().capabilities().and_then(listed_elsewhere);
    let security = connection.session().security();
    let channel = walk.channel.clone();
    let mechanism = choose(walk, credentials, &offered, elsewhere.as_deref(), security, &channel)?;
    let mut login = prepare(walk, credentials, channel).await.map_err(impossible)?;
    login.offers_binding = offered.iter().filter_map(|name| sasl::lookup(name)).any(Mechanism::binds);
    walk.report.login = Some(Tried { mechanism: mechanism.name, user: login.user.clone() });
    let first = Exchange::begin(mechanism, &login, !credentials.options.no_initial_response)?;
    let mut exchange = Exchange { mechanism, client: first.client };
    let mut reply = walk.ask(connection, first.line.expose(), "AUTH").await?;
    if first.initial && refuses_initial_response(&reply) {
        let again = Exchange::begin(mechanism, &login, false)?;
        exchange.client = again.client;
        reply = walk.ask(connection, again.line.expose(), "AUTH").await?;
    }
    while reply.class() == Some(code::Class::Intermediate) {
        let message = match exchange.answer(connection, &login) {
            Ok(message) => message,
            Err(failure) => {
                connection.answer(&Answer::Cancel);
                let _ = walk.reply(connection, "AUTH").await;
                return Err(failure);
            }
        };
        connection.answer(&Answer::Message(message));
        reply = walk.reply(connection, "AUTH").await?;
    }
    exchange.judge(walk, connection, reply)
}

/// The mechanism, or why there is none.
fn choose(
    walk: &Walk<'_>,
    credentials: &Credentials,
    offered: &[String],
    elsewhere: Option<&str>,
    security: Security,
    channel: &Channel,
) -> Result<&'static Mechanism, Failure> {
    let is_safe = walk.lack.is_none() || walk.options.allow_cleartext;
    let in_tls = security != Security::Clear;
    let none = || {
        if let Some(reply) = walk.report.hello_refusal().cloned() {
            return Failure::from(TalkFailure::OnlyHelo { reply, lacks: Lacks::Login });
        }
        Failure::from(TalkFailure::NoLogin {
            offered: offered.to_vec(),
            wanted: credentials.options.mechanism.map(|known| known.name),
            elsewhere: elsewhere.map(str::to_owned),
            in_tls,
        })
    };
    let clear = || Failure::from(TalkFailure::Unprotected(walk.lack.as_deref().cloned().unwrap_or(Unsafe::Clear)));
    if let Some(wanted) = credentials.options.mechanism {
        if !sasl::may_name(wanted, offered) {
            return Err(none());
        }
        return if wanted.exposes.needs_consent() && !is_safe { Err(clear()) } else { Ok(wanted) };
    }
    let serves = |mechanism: &Mechanism| {
        let bound = !mechanism.binds() || channel.binding().is_some();
        bound
            && match mechanism.needs {
                Needs::Password => true,
                Needs::Certificate => walk.options.tls.identity.is_some() && credentials.secret.is_none(),
                Needs::Token | Needs::Ticket | Needs::Nothing => false,
            }
    };
    match sasl::best(offered, serves, !is_safe) {
        Some(mechanism) => Ok(mechanism),
        None if sasl::best(offered, serves, false).is_some() => Err(clear()),
        None => Err(none()),
    }
}

/// What a mechanism has to know. Where the password depends on the host, it is read now.
async fn prepare(walk: &Walk<'_>, credentials: &Credentials, channel: Channel) -> Result<Login, String> {
    let target = &walk.report.target;
    let mut user = credentials.options.user.clone().unwrap_or_default();
    let mut secret = credentials.secret.as_ref().map(|secret| Secret::new(secret.expose().clone()));
    if let PasswordSource::Netrc(path) = &credentials.options.password {
        if user.is_empty() {
            user = crate::jobs::credentials::netrc_user(path, &target.host).unwrap_or_default();
        }
        secret = credentials.options.password.read(&target.host, &user, walk.options.timeout).await?.map(|found| found.secret);
    }
    let mut random = [0; 32];
    // It fails only where the system has no source of randomness: then TLS could not be had either.
    let _ = aws_lc_rs::rand::fill(&mut random);
    Ok(Login {
        user,
        authzid: credentials.options.authzid.clone().unwrap_or_default(),
        secret,
        host: walk.options.tls.server_name.clone().unwrap_or_else(|| target.host.clone()),
        port: target.port,
        workstation: workstation(&walk.hello_name),
        random,
        now: words::now_ms(),
        channel: Channel { wanted: credentials.options.binding, ..channel },
        offers_binding: false,
        ntlm_v1: credentials.options.ntlm_v1,
    })
}

fn impossible(words: String) -> Failure {
    Failure::from(TalkFailure::LoginImpossible(words))
}

fn trouble(trouble: Trouble) -> Failure {
    Failure::from(match trouble {
        Trouble::NeedsUser => TalkFailure::LoginImpossible("there is no user name: -u USER".to_owned()),
        Trouble::NeedsSecret => {
            TalkFailure::LoginImpossible("there is no password: --password-file, --password-command or --netrc".to_owned())
        }
        Trouble::BadChallenge(why) => TalkFailure::LoginImpossible(format!("the challenge is not what it should be: {why}")),
        Trouble::Impossible(why) => TalkFailure::LoginImpossible(why),
        Trouble::NtlmV1(lacks) => TalkFailure::LoginImpossible(no_ntlm_v1(lacks)),
        Trouble::NotTheServer(why) => TalkFailure::NotTheServer(why.to_owned()),
    })
}

/// A login under way.
struct Exchange {
    mechanism: &'static Mechanism,
    client: Box<dyn Client>,
}

/// How it begins.
struct First {
    line: Secret<Vec<u8>>,
    client: Box<dyn Client>,
    /// The first message stands in the line.
    initial: bool,
}

impl Exchange {
    /// `AUTH NAME`, with the first message where the mechanism has one, it fits, and that form is wanted.
    fn begin(mechanism: &'static Mechanism, login: &Login, with_message: bool) -> Result<First, Failure> {
        let alone = || Secret::new(format!("AUTH {}", mechanism.name).into_bytes());
        let mut client = (mechanism.client)();
        if !mechanism.client_first || !with_message {
            return Ok(First { line: alone(), client, initial: false });
        }
        let message = client.step(None, login).map_err(trouble)?;
        let encoded = Secret::new(if message.expose().is_empty() { "=".to_owned() } else { base64::encode(message.expose()) });
        let line = Secret::new(format!("AUTH {} {}", mechanism.name, encoded.expose()).into_bytes());
        if line.expose().len() + 2 <= LONGEST_LINE {
            return Ok(First { line, client, initial: true });
        }
        Ok(First { line: alone(), client: (mechanism.client)(), initial: false })
    }

    fn answer(&mut self, connection: &Connection, login: &Login) -> Result<Secret<Vec<u8>>, Failure> {
        let session = connection.session();
        let Some(dialogue) = session.dialogue().filter(|_| !session.dialogue_is_endless()) else {
            return Err(impossible("the server asks without end".to_owned()));
        };
        let challenge =
            dialogue.to_answer(self.mechanism, &*self.client).map_err(|_| trouble(Trouble::BadChallenge("it is not base64")))?;
        self.client.step(challenge, login).map_err(trouble)
    }

    fn judge(&self, walk: &mut Walk<'_>, connection: &Connection, reply: Reply) -> Result<Reply, Failure> {
        if reply.has_code(235) {
            return match self.client.proof() {
                Proof::Failed(why) => Err(Failure::from(TalkFailure::NotTheServer(why.to_owned()))),
                Proof::Given | Proof::NotPartOfIt => Ok(reply),
            };
        }
        walk.refused(&reply);
        if reply.is_refusal() {
            let mut situation = walk.situation(connection, "AUTH");
            situation.user = walk.report.login.as_ref().map(|login| login.user.clone());
            return Err(Failure::from(TalkFailure::Refused { situation, reply }));
        }
        let line = reply.lines.first().unwrap_or_default().to_vec();
        Err(Failure::from(TalkFailure::Odd { verb: "AUTH".to_owned(), line }))
    }
}
