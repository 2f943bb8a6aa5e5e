//! Logins that are carried out for the operator: from the start, or from where the dialogue stands.

use std::time::{SystemTime, UNIX_EPOCH};

use super::editor::Given;
use super::signals::Signal;
use super::{Outcome, Repl};
use crate::explain::login::no_ntlm_v1;
use crate::jobs::credentials::PasswordSource;
use crate::net::hello_name::workstation;
use crate::sasl::{self, Channel, Client, Login, Mechanism, Needs, Party, Proof, Trouble};
use crate::secret::Secret;
use crate::session::client::Answer;
use crate::session::dialogue::refuses_initial_response;
use crate::session::{Security, Session};
use crate::text::printable_str;
use crate::wire::base64;
use crate::wire::keyword::Capabilities;
use crate::wire::reply::Reply;

/// A longer command line than this, CRLF included, and AUTH is said alone (RFC 4954 §4, RFC 5321 §4.5.3.1.4).
const LONGEST_LINE: usize = 512;

/// What the loop has to know of a login that is carried out.
#[derive(Debug, Default)]
pub(super) struct Carrying {
    /// The first answer stands in the line of AUTH: there is another form of it.
    has_initial_response: bool,
    /// The server refused that form.
    other_form_wanted: bool,
}

/// A login under way.
struct Carried {
    mechanism: &'static Mechanism,
    client: Box<dyn Client>,
    login: Login,
    /// How many logins the server had accepted before.
    before: u32,
}

/// The login was given up, and why was said: how a script ends by it.
struct GivenUp(Outcome);

impl GivenUp {
    /// For want of something that a login needs.
    fn incomplete() -> Self {
        Self(Outcome::LoginRefused)
    }
}

impl Repl {
    // ---- how it begins -------------------------------------------------------------------------

    /// `-u`, `--auth`: once connected.
    pub(super) async fn log_in(&mut self) {
        self.log_in_as(self.options.login.mechanism, None).await;
        let logged_in = self.session().is_some_and(|session| session.user().is_some());
        if !logged_in && !self.is_terminal() {
            self.outcome.get_or_insert(Outcome::LoginRefused);
        }
    }

    /// After a reconnect. The password is not kept, so that it must come from where it came at first.
    pub(super) async fn log_in_again(&mut self, user: &str) {
        if self.options.login.is_wanted && !matches!(self.options.login.password, PasswordSource::Prompt | PasswordSource::Input) {
            self.log_in().await;
        } else {
            self.screen.note(format!("{} is not logged in any more: passwords are not kept. :auth logs in again.", printable_str(user)));
        }
    }

    /// `:auth [MECHANISM] [USER]`
    pub(super) async fn auth_command(&mut self, arguments: &str) {
        if self.session().is_some_and(|session| session.dialogue().is_some()) {
            return self.local_error("A login is under way: :answer goes on with it, * cancels it");
        }
        let (first, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
        match (sasl::lookup(first), first.is_empty()) {
            (Some(mechanism), _) => self.log_in_as(Some(mechanism), Some(rest.trim())).await,
            (None, true) => self.log_in_as(None, None).await,
            (None, false) if rest.is_empty() => self.log_in_as(None, Some(first)).await,
            (None, false) => {
                let known = sasl::MECHANISMS.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
                self.local_error(&format!("'{}' is no mechanism that can be carried out; there are {known}", printable_str(first)));
            }
        }
    }

    /// `:ntlm [USER]`: begins it, or goes on with it.
    pub(super) async fn ntlm_command(&mut self, user: &str) {
        match self.session().and_then(Session::dialogue).map(|dialogue| dialogue.mechanism == "NTLM") {
            None => self.log_in_as(sasl::lookup("NTLM"), Some(user)).await,
            Some(true) => self.answer_command(user).await,
            Some(false) => self.local_error("Another login is under way: :answer goes on with it, * cancels it"),
        }
    }

    /// `:answer [USER]`: carries the open dialogue on from where it stands.
    pub(super) async fn answer_command(&mut self, user: &str) {
        let Some(dialogue) = self.session().and_then(Session::dialogue) else {
            return self.local_error("No login is under way: AUTH begins one by hand, :auth does all of it");
        };
        let Some(mechanism) = sasl::lookup(&dialogue.mechanism) else {
            let name = printable_str(&dialogue.mechanism).into_owned();
            return self.local_error(&format!("AUTH {name} cannot be carried out; base64 is sent as it is typed, * cancels"));
        };
        let (known_user, mut client) = (dialogue.user.clone(), (mechanism.client)());
        let mut challenge = None;
        let mut trouble = None;
        for message in dialogue.messages() {
            match message.from {
                Party::Server => challenge = Some(message.bytes.expose().as_slice()),
                Party::Client => trouble = client.adopt(message.bytes.expose(), challenge).err().or(trouble),
            }
        }
        if let Some(trouble) = trouble {
            self.tell_trouble(mechanism, &trouble);
            return;
        }
        let user = if user.is_empty() { self.plain_user.take().or(known_user) } else { Some(user.to_owned()) };
        let login = self.login(user.as_deref());
        self.expect_no_answers();
        self.carrying = Some(Carrying::default());
        let before = self.logins();
        self.carry_on(Carried { mechanism, client, login, before }).await;
        self.carrying = None;
    }

    /// A whole login. The mechanism is the best one unless it is said.
    async fn log_in_as(&mut self, wanted: Option<&'static Mechanism>, user: Option<&str>) {
        if !self.is_open() {
            return self.local_error("Nothing is open");
        }
        if self.session().is_some_and(|session| session.capabilities().is_none()) {
            self.say_hello().await;
        }
        if self.outcome.is_some() || !self.is_open() {
            return;
        }
        let Some(mechanism) = self.choose(wanted) else {
            self.fails_login();
            return;
        };
        self.carrying = Some(Carrying::default());
        let login = self.login(user);
        let before = self.logins();
        self.begin(Carried { mechanism, client: (mechanism.client)(), login, before }).await;
        self.carrying = None;
    }

    fn fails_login(&mut self) {
        self.fails_login_with(Outcome::LoginRefused);
    }

    fn fails_login_with(&mut self, outcome: Outcome) {
        if !self.is_terminal() {
            self.outcome.get_or_insert(outcome);
        }
    }

    // ---- which mechanism -----------------------------------------------------------------------

    fn choose(&mut self, wanted: Option<&'static Mechanism>) -> Option<&'static Mechanism> {
        let offered = self.session().and_then(Session::capabilities).map(Capabilities::mechanisms).unwrap_or_default();
        let found = match wanted {
            Some(mechanism) => Some(mechanism).filter(|_| sasl::may_name(mechanism, &offered)),
            None => sasl::best(&offered, |mechanism| self.serves(mechanism), false),
        };
        match found {
            None => {
                let words = self.why_none(wanted, &offered);
                self.screen.warning(words);
            }
            Some(mechanism) if !offered.iter().any(|name| name == mechanism.name) => {
                self.screen.note(format!(
                    "AUTH {} is not offered here; it is tried because you named it.{}",
                    mechanism.name,
                    self.inside_tls()
                ));
            }
            Some(_) => {}
        }
        found
    }

    /// Whether what the operator has is what the mechanism needs.
    fn serves(&self, mechanism: &Mechanism) -> bool {
        let bound = !mechanism.binds() || self.channel().binding().is_some();
        let has = match mechanism.needs {
            Needs::Password => true,
            // Who gives a password too wants to log in by it.
            Needs::Certificate => self.options.tls.identity.is_some() && self.options.login.password == PasswordSource::Prompt,
            Needs::Token | Needs::Ticket | Needs::Nothing => false,
        };
        bound && has
    }

    /// Where STARTTLS is offered there may be other logins behind it.
    fn inside_tls(&self) -> &'static str {
        let clear = self.session().is_some_and(|session| session.security() == Security::Clear);
        let tls_offered = self.session().and_then(Session::capabilities).is_some_and(|offer| offer.has("STARTTLS"));
        if clear && tls_offered { " Perhaps inside TLS: -S, or :starttls." } else { "" }
    }

    fn why_none(&self, wanted: Option<&Mechanism>, offered: &[String]) -> String {
        let inside = self.inside_tls();
        let list = offered.iter().map(|name| printable_str(name).into_owned()).collect::<Vec<_>>().join(", ");
        match (wanted, offered.is_empty()) {
            (_, true) => format!("The server offers no login here.{inside}"),
            (Some(mechanism), false) => format!("The server does not offer AUTH {} here, but {list}.{inside}", mechanism.name),
            (None, false) => format!(
                "None of what the server offers ({list}) can be used with a user name and a password; :auth NAME, or --auth NAME, tries one anyway.{inside}"
            ),
        }
    }

    /// What a mechanism has to know.
    fn login(&self, user: Option<&str>) -> Login {
        let options = &self.options.login;
        let mut random = [0; 32];
        // It fails only where the system has no source of randomness: then TLS could not be had either.
        let _ = aws_lc_rs::rand::fill(&mut random);
        let offered = self.session().and_then(Session::capabilities).map(Capabilities::mechanisms).unwrap_or_default();
        let user = user.filter(|user| !user.is_empty()).or(options.user.as_deref()).unwrap_or_default();
        Login {
            user: user.to_owned(),
            authzid: options.authzid.clone().unwrap_or_default(),
            secret: None,
            host: self.options.tls.server_name.as_deref().or(self.options.practice).unwrap_or(&self.target.host).to_owned(),
            port: self.target.port,
            workstation: workstation(&self.hello_name),
            random,
            now: super::now_ms(),
            channel: self.channel(),
            offers_binding: offered.iter().filter_map(|name| sasl::lookup(name)).any(Mechanism::binds),
            ntlm_v1: options.ntlm_v1,
        }
    }

    fn channel(&self) -> Channel {
        let report = self.secure.report.as_ref().filter(|_| self.session().is_some_and(|session| session.security() != Security::Clear));
        Channel {
            exporter: report.and_then(|report| report.exporter.clone()),
            server_end_point: report.and_then(|report| report.server_end_point.clone()),
            wanted: self.options.login.binding,
        }
    }

    // ---- the dialogue --------------------------------------------------------------------------

    /// Says AUTH, with the first message where the mechanism has one, and goes on from the reply.
    async fn begin(&mut self, mut carried: Carried) {
        let name = carried.mechanism.name;
        let mut line = Secret::new(format!("AUTH {name}"));
        let mut initial = false;
        if carried.mechanism.client_first && !self.options.login.no_initial_response {
            let message = match self.next_message(&mut carried, None).await {
                Ok(message) => message,
                Err(GivenUp(outcome)) => return self.fails_login_with(outcome),
            };
            let encoded = Secret::new(if message.expose().is_empty() { "=".to_owned() } else { base64::encode(message.expose()) });
            initial = line.expose().len() + encoded.expose().len() + 3 <= LONGEST_LINE;
            if initial {
                line = Secret::new(format!("AUTH {name} {}", encoded.expose()));
            } else {
                // The message is made again when it is asked for.
                carried.client = (carried.mechanism.client)();
            }
        }
        self.carrying = Some(Carrying { has_initial_response: initial, other_form_wanted: false });
        self.say(line.expose().as_bytes()).await;
        if self.carrying.as_ref().is_some_and(|carrying| carrying.other_form_wanted) {
            self.screen.hint(format!("The server does not take an answer in the same line: AUTH {name} is said alone."));
            self.carrying = Some(Carrying::default());
            carried.client = (carried.mechanism.client)();
            self.say(format!("AUTH {name}").as_bytes()).await;
        }
        self.carry_on(carried).await;
    }

    async fn say(&mut self, line: &[u8]) {
        if self.is_terminal() {
            self.show_sent(line);
        }
        self.transmit(line).await;
    }

    /// Answers challenge after challenge.
    async fn carry_on(&mut self, mut carried: Carried) {
        while self.outcome.is_none() {
            let Some(dialogue) = self.session().and_then(Session::dialogue) else { break };
            let Ok(challenge) = dialogue.to_answer(carried.mechanism, &*carried.client) else {
                self.tell_trouble(carried.mechanism, &Trouble::BadChallenge("it is not base64"));
                self.cancel_login().await;
                return self.fails_login();
            };
            let challenge = challenge.map(<[u8]>::to_vec);
            let message = match self.next_message(&mut carried, challenge.as_deref()).await {
                Ok(message) => message,
                Err(GivenUp(outcome)) => {
                    self.cancel_login().await;
                    return self.fails_login_with(outcome);
                }
            };
            self.give(&Answer::Message(message)).await;
        }
        // Not an earlier one, which a refused login leaves as it was.
        if self.logins() > carried.before {
            self.logged_in(&carried);
        }
    }

    fn logins(&self) -> u32 {
        self.session().map_or(0, Session::logins)
    }

    /// The next message, with what is lacking asked for.
    async fn next_message(&mut self, carried: &mut Carried, challenge: Option<&[u8]>) -> Result<Secret<Vec<u8>>, GivenUp> {
        loop {
            match carried.client.step(challenge, &carried.login) {
                Ok(message) => return Ok(message),
                Err(Trouble::NeedsUser) => carried.login.user = self.ask_user(carried.mechanism).await.ok_or_else(GivenUp::incomplete)?,
                Err(Trouble::NeedsSecret) => {
                    let secret = self.provide_secret(carried.mechanism, &carried.login.user).await?;
                    carried.login.secret = Some(secret);
                }
                Err(trouble) => {
                    self.tell_trouble(carried.mechanism, &trouble);
                    return Err(GivenUp::incomplete());
                }
            }
        }
    }

    fn tell_trouble(&mut self, mechanism: &Mechanism, trouble: &Trouble) {
        let name = mechanism.name;
        self.screen.warning(match trouble {
            Trouble::NeedsUser | Trouble::NeedsSecret => format!("AUTH {name} lacks a user name or a password."),
            Trouble::BadChallenge(why) => format!("The challenge is not one of {name}: {why}."),
            Trouble::Impossible(why) => format!("AUTH {name} cannot be done: {}.", printable_str(why)),
            Trouble::NtlmV1(lacks) => format!("AUTH {name} is cancelled: {}.", no_ntlm_v1(lacks)),
            Trouble::NotTheServer(why) => {
                format!("The server has not proved that it knows the password ({why}): somebody else may be answering in its place.")
            }
        });
    }

    /// The server has accepted the login: has it proved what it owes?
    fn logged_in(&mut self, carried: &Carried) {
        match carried.client.proof() {
            Proof::NotPartOfIt => {}
            Proof::Given => self.screen.note("The server has proved that it knows the password too."),
            Proof::Failed(why) => {
                self.tell_trouble(carried.mechanism, &Trouble::NotTheServer(why));
                self.fails_login();
            }
        }
        carried.client.remarks().into_iter().for_each(|sentence| self.screen.hint(printable_str(&sentence)));
    }

    /// A refusal while a login is carried out; `true` when the other form of AUTH is tried before it counts.
    pub(super) fn wants_other_form(&mut self, reply: &Reply) -> bool {
        let Some(carrying) = self.carrying.as_mut().filter(|carrying| carrying.has_initial_response) else { return false };
        carrying.has_initial_response = false;
        carrying.other_form_wanted = refuses_initial_response(reply);
        carrying.other_form_wanted
    }

    // ---- what is asked of the operator ---------------------------------------------------------

    async fn ask_user(&mut self, mechanism: &Mechanism) -> Option<String> {
        if let PasswordSource::Netrc(path) = &self.options.login.password
            && let Some(user) = crate::jobs::credentials::netrc_user(path, &self.target.host)
        {
            return Some(user);
        }
        if !self.is_terminal() {
            self.screen.warning(format!("AUTH {} wants a user name: -u USER.", mechanism.name));
            return None;
        }
        loop {
            let prompt = self.styled_prompt("username> ");
            match self.read(&prompt).await {
                Given::Line(line) => match String::from_utf8_lossy(&line).trim() {
                    "" => {}
                    "*" => return None,
                    name if name.strip_prefix(':').is_some_and(super::commands::is_name) => {
                        self.screen.note("The login waits for the user name; * cancels it.");
                    }
                    name if self.may_be_answer(name.as_bytes(), "the user name").await => return Some(name.to_owned()),
                    _ if self.outcome.is_some() => return None,
                    _ => {}
                },
                _ => return None,
            }
        }
    }

    /// The password or token, if it may go out.
    async fn provide_secret(&mut self, mechanism: &Mechanism, user: &str) -> Result<Secret<String>, GivenUp> {
        let secret = self.find_secret(mechanism, user).await.ok_or_else(GivenUp::incomplete)?;
        if self.may_expose(mechanism.exposes).await {
            return Ok(secret);
        }
        if self.is_terminal() {
            self.screen.note("Not sent.");
        } else {
            let words = self.why_not_sent("Not sent", mechanism.exposes);
            self.screen.warning(words);
        }
        Err(GivenUp(Outcome::ClearTextRefused))
    }

    async fn find_secret(&mut self, mechanism: &Mechanism, user: &str) -> Option<Secret<String>> {
        let source = &self.options.login.password;
        let read = tokio::select! {
            read = source.read(&self.target.host, user, self.options.limits.reply) => read,
            signal = self.signals.next_ending() => {
                if signal == Signal::Interrupt && self.is_terminal() {
                    self.screen.note("Stopped.");
                } else {
                    self.outcome = Some(if signal == Signal::Interrupt { Outcome::Interrupted } else { Outcome::Signalled(signal) });
                }
                return None;
            }
        };
        match read {
            Ok(Some(found)) => {
                if let Some(words) = found.warning {
                    self.screen.warning(printable_str(&words));
                }
                Some(found.secret)
            }
            Ok(None) => self.ask_secret(mechanism).await,
            Err(words) => {
                self.screen.warning(format!("No password: {}.", printable_str(&words)));
                None
            }
        }
    }

    async fn ask_secret(&mut self, mechanism: &Mechanism) -> Option<Secret<String>> {
        if self.is_terminal() {
            let what = if mechanism.needs == Needs::Token { "token> " } else { "password> " };
            let typed = self.read_hidden(what, "a password").await?;
            return self.as_text(&typed);
        }
        if self.options.login.password == PasswordSource::Input {
            return match self.password_line().await {
                Ok(secret) => Some(secret),
                Err(words) => {
                    self.screen.warning(format!("No password: {}.", printable_str(&words)));
                    None
                }
            };
        }
        self.screen.warning(
            "There is no terminal to ask for the password at: --password-file, --password-command, --password-stdin or --netrc gives it.",
        );
        None
    }

    fn as_text(&mut self, typed: &Secret<Vec<u8>>) -> Option<Secret<String>> {
        let text = std::str::from_utf8(typed.expose()).ok().map(|text| Secret::new(text.to_owned()));
        if text.is_none() {
            self.screen.warning("What was typed is not valid UTF-8: the terminal should use it.");
        }
        text
    }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}
