//! Answers within AUTH: plain text in, base64 out; passwords hidden; never over a clear line without a yes.

use zeroize::Zeroize;

use super::commands;
use super::editor::{Given, drop_type_ahead};
use super::{Outcome, Repl};
use crate::render::{Row, Sign};
use crate::sasl;
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
        let Some(password) = self.read_hidden("password> ").await else {
            if self.outcome.is_none() {
                self.cancel_login().await;
            }
            return;
        };
        if password.expose().is_empty() {
            self.screen.note("Nothing was typed. * cancels the login.");
        } else if self.clear_text_is_allowed().await {
            self.answer_password(password).await;
        } else {
            self.cancel_login().await;
        }
    }

    /// Reads a line from the terminal without showing it; `None` when the login is to be cancelled.
    pub(super) async fn read_hidden(&mut self, prompt: &str) -> Option<Secret<Vec<u8>>> {
        let dropped = self.queue.len();
        self.queue.clear();
        if dropped > 0 {
            self.screen.note(format!("{dropped} waiting line(s) dropped: a password is only read from the keyboard."));
        }
        if drop_type_ahead() {
            self.screen.note("What was typed ahead is dropped: a password is only read at its prompt.");
        }
        b"(password)".as_slice().clone_into(&mut self.memory.typed);
        let prompt = self.styled_prompt(prompt);
        if let Some(terminal) = &self.terminal {
            terminal.hidden();
        }
        self.source.ask_password(prompt);
        match self.wait_for_operator().await {
            Given::Password { password } => (password.expose().as_slice() != b"*").then_some(password),
            Given::Interrupted | Given::End => None,
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
            self.cancel_login().await;
            return;
        }
        if let super::input::Typed::Local { name, arguments } = super::input::read(&line)
            && self.is_terminal()
        {
            commands::run(self, name, arguments).await;
            return;
        }
        match question {
            Question::UserName if self.settings.raw_answers => self.send_as_typed(line).await,
            Question::UserName => self.answer_user_name(&line).await,
            Question::UserNameAndPassword if self.plain_user.is_none() && !self.settings.raw_answers => {
                let name = String::from_utf8_lossy(&line).trim().to_owned();
                if !name.is_empty() {
                    self.plain_user = Some(name);
                }
            }
            Question::Password | Question::UserNameAndPassword => {
                if self.clear_text_is_allowed().await {
                    self.answer_password(Secret::new(std::mem::take(&mut line))).await;
                } else {
                    self.refuse_clear_text().await;
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
            let unchanged = self.ask(&format!("*  That is already base64 for \"{shown}\". Send it unchanged?"), true).await.unwrap_or(true);
            if unchanged {
                self.send_as_typed(name.into_bytes()).await;
                return;
            }
        }
        self.give(&Answer::Message(Secret::new(name.into_bytes()))).await;
    }

    async fn answer_password(&mut self, password: Secret<Vec<u8>>) {
        let answer = match self.plain_user.take() {
            _ if self.settings.raw_answers => Answer::AsTyped(password),
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
            if self.ask("*  Send it all the same?", false).await == Some(false) {
                return;
            }
        }
        let mechanism = self.session().and_then(|session| session.dialogue()).map(|dialogue| dialogue.mechanism.clone());
        if is_readable(mechanism.as_deref().unwrap_or_default()) && !self.clear_text_is_allowed().await {
            self.refuse_clear_text().await;
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

    /// Whether a password may go out now. Asks at a terminal; a script needs `--allow-cleartext` (P23).
    pub(super) async fn clear_text_is_allowed(&mut self) -> bool {
        let security = self.session().map_or(Security::Clear, Session::security);
        let practice = self.options.practice.is_some() && security == Security::Clear;
        if self.options.allow_cleartext || practice || security == Security::Verified {
            return true;
        }
        if !self.is_terminal() {
            return false;
        }
        let question = match security {
            Security::Clear => "!  Send the password unencrypted?",
            _ => "!  The certificate is not in order: send the password all the same?",
        };
        self.ask(question, false).await == Some(true)
    }

    async fn refuse_clear_text(&mut self) {
        if !self.is_terminal() {
            let words = self.why_not_sent("Not sent");
            self.screen.warning(words);
        }
        self.cancel_login().await;
        if !self.is_terminal() {
            self.outcome = Some(Outcome::ClearTextRefused);
        }
    }

    pub(super) fn why_not_sent(&self, what: &str) -> String {
        let why = match self.session().map_or(Security::Clear, Session::security) {
            Security::Clear => "this connection is not encrypted, and the password could be read on the way",
            _ => "the certificate is not in order, and the password could reach somebody else",
        };
        format!("{what}: {why}. --allow-cleartext sends it all the same.")
    }

    /// Whether a command line may go out: an AUTH with credentials in it needs a yes on a clear line.
    pub(super) async fn may_send_credentials(&mut self, line: &[u8]) -> bool {
        let Command::Auth { mechanism, .. } = Command::parse(line) else { return true };
        if self.carrying.is_some() || !redact::hides(line) || !is_readable(&mechanism) {
            return true;
        }
        if self.clear_text_is_allowed().await {
            return true;
        }
        if self.is_terminal() {
            self.screen.note("Not sent.");
        } else {
            let words = self.why_not_sent("AUTH not sent");
            self.screen.warning(words);
            self.outcome = Some(Outcome::ClearTextRefused);
        }
        false
    }
}

/// Whether an answer of this mechanism carries what whoever reads the line can use.
fn is_readable(mechanism: &str) -> bool {
    sasl::lookup(mechanism).is_none_or(|known| known.readable)
}
