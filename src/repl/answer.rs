//! Answers within AUTH: plain text in, base64 out; passwords hidden; never over a clear line without a yes.

use zeroize::Zeroize;

use super::commands;
use super::editor::{Given, drop_type_ahead};
use super::{Outcome, Repl};
use crate::explain::login::exposure;
use crate::explain::protection::Unsafe;
use crate::jobs::protection::why_unsafe;
use crate::render::{Row, Sign};
use crate::sasl::{self, Exposure};
use crate::secret::Secret;
use crate::session::client::Answer;
use crate::session::dialogue::Question;
use crate::session::{Security, Session, redact};
use crate::wire::base64::{self, NotBase64};
use crate::wire::command::Command;

impl Repl {
    /// Whether the next line must be read hidden.
    pub(super) fn wants_password(&self, question: Question) -> bool {
        let asked = question == Question::Password || (question == Question::UserNameAndPassword && self.plain_user.is_some());
        self.is_terminal() && asked
    }

    /// Reads a password from the terminal, hidden, and sends it if it may go out.
    pub(super) async fn password_turn(&mut self) {
        let Some(password) = self.read_hidden("password> ", "a password").await else {
            if self.outcome.is_none() {
                self.cancel_login().await;
            }
            return;
        };
        if password.expose().is_empty() {
            self.screen.note("Nothing was typed. * cancels the login.");
        } else if self.may_expose(Exposure::Secret).await {
            self.answer_password(password).await;
        } else {
            self.cancel_login().await;
        }
    }

    /// Reads a line from the terminal without showing it; `None` when the login is to be cancelled.
    pub(super) async fn read_hidden(&mut self, prompt: &str, what: &str) -> Option<Secret<Vec<u8>>> {
        let dropped = self.queue.len();
        self.queue.clear();
        if dropped > 0 {
            self.screen.note(format!("{dropped} waiting line(s) dropped: {what} is only answered from the keyboard."));
        }
        if drop_type_ahead() {
            self.screen.note(format!("What was typed ahead is dropped: {what} is only answered at its prompt."));
        }
        b"(password)".as_slice().clone_into(&mut self.memory.typed);
        let prompt = self.styled_prompt(prompt);
        if let Some(terminal) = &self.terminal {
            terminal.hidden();
        }
        self.source.ask_password(prompt);
        match self.wait_for_operator().await {
            Given::Password { password } => (password.expose().as_slice() != b"*").then_some(password),
            Given::Interrupted | Given::Ahead(_) | Given::End => None,
            Given::Failed(words) => {
                self.input_failed(&words);
                None
            }
            Given::Line(mut line) => {
                line.zeroize();
                None
            }
        }
    }

    /// A typed line while the server waits for an answer.
    pub(super) async fn answer_line(&mut self, question: Question, mut line: Vec<u8>) {
        if line.trim_ascii() == b"*" {
            self.expect_no_answers();
            self.cancel_login().await;
            return;
        }
        // A script's line may be a password that begins with a colon: only the names of local commands are some.
        let is_local = |name: &str| self.is_terminal() || commands::is_name(name);
        match super::input::read(&line) {
            super::input::Typed::Local { name, arguments } if is_local(name) => {
                commands::run(self, name, arguments).await;
                return;
            }
            super::input::Typed::Command(rest) if line.starts_with(b"::") && is_escaped(rest) => line = rest.to_vec(),
            _ => {}
        }
        if !self.is_terminal()
            && line.is_empty()
            && self.plain_user.is_none()
            && matches!(question, Question::UserName | Question::UserNameAndPassword)
        {
            self.screen.warning("The script's line for the user name is empty: the login is cancelled.");
            self.give_up_login().await;
            return;
        }
        let what = if matches!(question, Question::Base64 { .. }) { "the answer" } else { "the user name" };
        if !self.may_be_answer(&line, what).await {
            return;
        }
        match question {
            Question::UserName if self.settings.raw_answers => self.send_as_typed(line).await,
            Question::UserName => self.answer_user_name(&line).await,
            // A script's line may be the whole message.
            Question::UserNameAndPassword if self.plain_user.is_none() && !self.is_terminal() && redact::is_plain_message(&line) => {
                if self.may_expose(Exposure::Secret).await {
                    self.send_as_typed(line).await;
                } else {
                    self.refuse_clear_text(Exposure::Secret).await;
                }
            }
            Question::UserNameAndPassword if self.plain_user.is_none() && !self.settings.raw_answers => {
                let name = String::from_utf8_lossy(&line).trim().to_owned();
                if !name.is_empty() {
                    self.plain_user = Some(name);
                }
            }
            Question::Password | Question::UserNameAndPassword => {
                if self.may_expose(Exposure::Secret).await {
                    self.answer_password(Secret::new(std::mem::take(&mut line))).await;
                } else {
                    self.refuse_clear_text(Exposure::Secret).await;
                }
            }
            Question::Base64 { .. } => self.answer_base64(line).await,
        }
    }

    async fn answer_user_name(&mut self, line: &[u8]) {
        let name = String::from_utf8_lossy(line).trim().to_owned();
        if name.is_empty() {
            return;
        }
        if let Some(decoded) = base64::looks_encoded(name.as_bytes()) {
            let shown = crate::text::printable_str(&decoded).into_owned();
            // A script cannot be asked: what decodes to clean text was encoded on purpose.
            let unchanged =
                self.ask_hidden(&format!("*  That is already base64 for \"{shown}\". Send it unchanged?"), true).await.unwrap_or(true);
            if unchanged {
                self.login_lines.note_encoded();
                self.send_as_typed(name.into_bytes()).await;
                return;
            }
        }
        self.give(&Answer::Message(Secret::new(name.into_bytes()))).await;
    }

    async fn answer_password(&mut self, password: Secret<Vec<u8>>) {
        // Who wrote the user name in base64 wrote the password so too.
        let encoded = !self.is_terminal() && self.login_lines.is_encoded() && base64::decode(password.expose()).is_ok();
        if encoded {
            self.screen.note("The answers of this login are in base64 already: they are sent as they are.");
        }
        let answer = match self.plain_user.take() {
            _ if self.settings.raw_answers || encoded => Answer::AsTyped(password),
            None => Answer::Message(password),
            Some(user) => Answer::Message(sasl::plain::message("", &user, password.expose())),
        };
        self.give(&answer).await;
    }

    async fn answer_base64(&mut self, line: Vec<u8>) {
        let trouble = match base64::decode(&line) {
            Ok(_) => None,
            Err(NotBase64::Character(at)) => Some(format!("That is not valid base64 (character {at}).")),
            Err(NotBase64::Length) => Some("That is not valid base64 (a character is missing at its end).".to_owned()),
        };
        if let Some(trouble) = trouble {
            self.screen.hint(trouble);
            if !self.is_terminal() && !self.settings.raw_answers && !self.login_lines.is_of_unknown_mechanism() {
                // Nobody can be asked, and what follows may be the password.
                self.screen.warning("The script's line is no answer to this: the login is cancelled, and the script ends here.");
                self.give_up_login().await;
                return;
            }
            if self.ask_hidden("*  Send it anyway?", false).await == Some(false) {
                return;
            }
        }
        let dialogue = self.session().and_then(|session| session.dialogue());
        let exposes = dialogue.filter(|dialogue| dialogue.would_say(&line).hidden.is_some()).map(|dialogue| exposure(&dialogue.mechanism));
        let exposes = exposes.unwrap_or(Exposure::Nothing);
        if !self.may_expose(exposes).await {
            self.refuse_clear_text(exposes).await;
            return;
        }
        self.send_as_typed(line).await;
    }

    /// Sends an answer without looking into it.
    pub(super) async fn send_as_typed(&mut self, line: Vec<u8>) {
        self.give(&Answer::AsTyped(Secret::new(line))).await;
    }

    /// `*`: gives the login up (RFC 4954 section 4).
    pub(super) async fn cancel_login(&mut self) {
        self.plain_user = None;
        self.memory.cancelling = true;
        self.give(&Answer::Cancel).await;
        let goes_on = self.session().is_some_and(|session| session.dialogue().is_some());
        let again = std::mem::replace(&mut self.memory.cancelling, goes_on);
        if !goes_on {
            return;
        }
        if self.memory.cancelled_before && again || !self.is_terminal() {
            self.drop_connection("Closed: the server asks on although the login was cancelled.");
            if !self.is_terminal() {
                self.outcome.get_or_insert(Outcome::LoginRefused);
            }
        } else {
            self.memory.cancelled_before = true;
            self.screen.warning(
                "The server asks on although the login was cancelled: a protocol error. Cancelled once more, the connection is closed.",
            );
        }
    }

    /// Puts an answer on the wire, shows what may be seen of it, and waits for the reply.
    pub(super) async fn give(&mut self, answer: &Answer) {
        if !self.is_open() {
            self.screen.note("Not sent: the connection is closed.");
            return;
        }
        let mechanism = self.session().and_then(Session::dialogue).map(|dialogue| dialogue.mechanism.clone()).unwrap_or_default();
        if self.carrying.is_none() && !matches!(answer, Answer::Cancel) {
            self.count_answer();
        }
        let Some(connection) = &mut self.connection else { return };
        let sent = connection.answer(answer);
        let open = match answer {
            Answer::Message(message) if sent.hidden.is_none() => base64::encode(message.expose()),
            Answer::AsTyped(line) if sent.hidden.is_none() => crate::text::printable(line.expose()).into_owned(),
            _ => "*".to_owned(),
        };
        self.screen
            .row(Row::new(Sign::Sent, sent.hidden.as_deref().map_or(open, |hidden| crate::text::printable_str(hidden).into_owned())));
        if let Some(said) = &sent.description {
            self.tell_answer(&mechanism, said);
        }
        self.settle().await;
        let endless = self.session().is_some_and(|session| session.dialogue_is_endless() && session.dialogue().is_some());
        if endless && !matches!(answer, Answer::Cancel) {
            self.screen.warning("The server asks without end: the login is cancelled.");
            self.memory.cancelled_before = true;
            Box::pin(self.cancel_login()).await;
        }
    }

    /// Whether a login that gives this away may go out now. Asks at a terminal; a script needs `--allow-cleartext` (P23,
    /// P47).
    pub(super) async fn may_expose(&mut self, exposes: Exposure) -> bool {
        let security = self.session().map_or(Security::Clear, Session::security);
        let practice = self.options.practice.is_some() && security == Security::Clear;
        if !exposes.needs_consent() || self.options.allow_cleartext || practice || security == Security::Verified {
            return true;
        }
        if !self.is_terminal() {
            return false;
        }
        let question = format!("!  {}", self.why_unsafe().question(exposes));
        self.ask_hidden(&question, false).await == Some(true)
    }

    /// What the connection lacks, where a password is not safe on it.
    fn why_unsafe(&self) -> Unsafe {
        let report = self.secure.report.as_ref().filter(|_| self.is_encrypted());
        why_unsafe(report).unwrap_or(Unsafe::Certificate)
    }

    async fn refuse_clear_text(&mut self, exposes: Exposure) {
        if !self.is_terminal() {
            let words = self.why_not_sent("Not sent", exposes);
            self.screen.warning(words);
        }
        self.cancel_login().await;
        if !self.is_terminal() {
            self.outcome = Some(Outcome::ClearTextRefused);
        }
    }

    pub(super) fn why_not_sent(&self, what: &str, exposes: Exposure) -> String {
        let why = self.why_unsafe();
        let remedy = why.remedy().map(|remedy| format!(" {remedy}")).unwrap_or_default();
        format!("{what}: {}.{remedy} --allow-cleartext sends it anyway.", why.reason(exposes))
    }

    /// Whether a command line may go out: an AUTH with credentials in it needs a yes on a clear line.
    pub(super) async fn may_send_credentials(&mut self, line: &[u8]) -> bool {
        let exposes = match Command::parse(line) {
            Command::Auth { mechanism, .. } => exposure(&mechanism),
            // A login that is written in another way gives the password away all the same.
            _ if redact::hides(line) => Exposure::Secret,
            _ => return true,
        };
        if self.carrying.is_some() || !redact::hides(line) || self.may_expose(exposes).await {
            return true;
        }
        if self.is_terminal() {
            self.screen.note("Not sent.");
        } else {
            let words = self.why_not_sent("AUTH not sent", exposes);
            self.screen.warning(words);
            self.outcome = Some(Outcome::ClearTextRefused);
        }
        false
    }
}

/// Whether a line behind a second colon would be a local command without it.
fn is_escaped(line: &[u8]) -> bool {
    matches!(super::input::read(line), super::input::Typed::Local { name, .. } if commands::is_name(name))
}
