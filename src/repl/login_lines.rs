//! Which lines belong to AUTH, and that no other use is made of them (P46).
//!
//! A script's lines are sent one after the other. Behind AUTH they are answers, and one of them is a password: where the
//! server does not ask for them, or asks for something else, none of them may go out, be shown, or be logged. A person
//! who types on is asked.

use std::time::Duration;

use zeroize::Zeroize as _;

use super::editor::Given;
use super::signals::Signal;
use super::snapshot::Mode;
use super::{Outcome, Repl};
use crate::jobs::credentials::{PasswordSource, first_line};
use crate::sasl::{self, Mechanism, Typed};
use crate::secret::Secret;
use crate::session::Session;
use crate::session::client::Answer;
use crate::session::dialogue::Question;
use crate::text::printable_str;
use crate::wire::command::Command;

/// How long is waited for a line of a script that ends anyway, to see whether one was left over.
const LEFT_OVER: Duration = Duration::from_millis(250);

/// What the next lines are for.
#[derive(Debug, Default)]
pub(super) struct LoginLines {
    /// The password of `--password-stdin`, until it is used.
    password: Option<Result<Secret<String>, String>>,
    has_password_line: bool,
    answers: Option<Answers>,
    /// At a terminal: a login ended before it asked for all of its answers, and no command was sent since.
    ended_early: bool,
    /// AUTH was sent last, in whatever way and with whatever end: no command was sent since.
    is_last: bool,
}

/// The lines behind an AUTH.
#[derive(Debug)]
struct Answers {
    mechanism: String,
    /// What there is to type, message by message; `None` where the mechanism is not known: one line at least, and as
    /// many as are asked for.
    messages: Option<Vec<&'static [Typed]>>,
    /// So many messages were sent.
    sent: usize,
    acknowledged: bool,
    /// The user name was written in base64.
    encoded: bool,
}

impl LoginLines {
    /// The user name of this login is base64 already.
    pub(super) fn note_encoded(&mut self) {
        if let Some(answers) = &mut self.answers {
            answers.encoded = true;
        }
    }

    /// Whether the user name of this login was base64 already.
    pub(super) fn is_encoded(&self) -> bool {
        self.answers.as_ref().is_some_and(|answers| answers.encoded)
    }

    /// Whether nothing is known of what the mechanism of this login wants.
    pub(super) fn is_of_unknown_mechanism(&self) -> bool {
        self.answers.as_ref().is_some_and(|answers| answers.messages.is_none())
    }
}

impl Answers {
    /// What follows a command line; `None` when that is no AUTH. `encoded`: each message is one line of base64.
    fn behind(line: &[u8], encoded: bool) -> Option<Self> {
        let Command::Auth { mechanism, initial_response } = Command::parse(line) else { return None };
        let typed = |known: &'static Mechanism| known.typed.iter().map(|lines| if encoded { &lines[..1] } else { *lines }).collect();
        let messages: Option<Vec<_>> = sasl::lookup(&mechanism).map(typed);
        Some(Self { mechanism, messages, sent: usize::from(initial_response), acknowledged: false, encoded: false })
    }

    /// What the next lines are, without the first of a message where `half` of it was given.
    fn left(&self, half: bool) -> Vec<Typed> {
        let Some(messages) = &self.messages else {
            return if self.sent == 0 { vec![Typed::Message] } else { Vec::new() };
        };
        messages.iter().skip(self.sent).flat_map(|lines| lines.iter().copied()).skip(usize::from(half)).collect()
    }
}

/// What to do with a question of the server in a script.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// The next line answers it.
    Line,
    /// The mechanism has a word for it.
    Acknowledge(&'static str),
    /// The login is given up, and why.
    Cancel(String),
}

fn turn(answers: &Answers, question: Question, half: bool) -> Turn {
    let name = printable_str(&answers.mechanism);
    match (answers.left(half).first(), question) {
        (Some(Typed::Password), Question::UserName) => Turn::Cancel(
            "The server asks for the user name, and the script's next line is the password: the login is cancelled.".to_owned(),
        ),
        (Some(_), _) => Turn::Line,
        (None, _) if answers.messages.is_none() => Turn::Line,
        (None, _) => match sasl::lookup(&answers.mechanism).and_then(|known| known.acknowledge).filter(|_| !answers.acknowledged) {
            Some(text) => Turn::Acknowledge(text),
            None => Turn::Cancel(format!(
                "The server asks for more than AUTH {name} has to say, and perhaps asks without end: the login is cancelled."
            )),
        },
    }
}

impl Repl {
    /// AUTH was said, in whatever way: the lines behind it are for that.
    pub(super) fn expect_answers(&mut self, line: &[u8]) {
        self.login_lines.ended_early = false;
        self.login_lines.is_last = matches!(Command::parse(line), Command::Auth { .. });
        if let Some(answers) = Answers::behind(line, self.settings.raw_answers) {
            self.login_lines.answers = Some(answers).filter(|_| self.carrying.is_none());
        }
    }

    /// Whether a line typed at the prompt may go out as a command. What is no verb, right behind a login that ended too
    /// early, may be its user name or password: it is held back, and the operator is asked.
    pub(super) async fn may_be_command(&mut self, line: &[u8]) -> bool {
        if self.login_lines.is_last && !self.is_terminal() && !super::input::is_like_verb(line) {
            // A line too many: the password, more often than not.
            self.screen
                .warning("The script ends here: the line behind the login is no SMTP command. It may hold a password, and is not sent.");
            self.outcome.get_or_insert(Outcome::LoginRefused);
            return false;
        }
        if !self.login_lines.ended_early || super::input::is_like_verb(line) {
            return true;
        }
        let question = "*  That is no SMTP command, and may be an answer to the AUTH that has just ended. Send it as a command?";
        if self.ask_hidden(question, false).await == Some(true) {
            return true;
        }
        if self.outcome.is_none() {
            self.screen.note("Not sent. AUTH begins a login again.");
        }
        false
    }

    /// Whether a line typed where the server asks within AUTH may be its answer: a command is held back, and the operator
    /// is asked. `what`: it would be sent as.
    pub(super) async fn may_be_answer(&mut self, line: &[u8], what: &str) -> bool {
        let Some(verb) = super::input::command_verb(line).filter(|_| self.is_terminal()) else { return true };
        let question = format!("*  {verb} is an SMTP command. Send it as {what}?");
        if self.ask_hidden(&question, false).await == Some(true) {
            return true;
        }
        if self.outcome.is_none() {
            self.screen.note("Not sent. The server still waits for an answer; * cancels the login.");
        }
        false
    }

    /// The script leaves the rest of the login to somebody else, or gives it up.
    pub(super) fn expect_no_answers(&mut self) {
        self.login_lines.answers = None;
    }

    /// A message of the script went out.
    pub(super) fn count_answer(&mut self) {
        if let Some(answers) = &mut self.login_lines.answers {
            answers.sent += 1;
        }
    }

    /// A question that no line of the script is to answer: answered, or the login is cancelled. `false` where the next
    /// line answers it.
    pub(super) async fn answers_without_line(&mut self) -> bool {
        let (Mode::Answer(question), false) = (self.mode(), self.is_terminal()) else { return false };
        let half = self.plain_user.is_some();
        let Some(answers) = &mut self.login_lines.answers else { return false };
        match turn(answers, question, half) {
            Turn::Line => return false,
            Turn::Acknowledge(text) => {
                answers.acknowledged = true;
                self.give(&Answer::Message(Secret::new(text.as_bytes().to_vec()))).await;
            }
            Turn::Cancel(words) => {
                self.screen.warning(words);
                self.give_up_login().await;
            }
        }
        true
    }

    /// Cancels a script's login, and ends the script: what follows in it may be a password.
    pub(super) async fn give_up_login(&mut self) {
        self.login_lines.answers = None;
        self.cancel_login().await;
        self.outcome.get_or_insert(Outcome::LoginRefused);
    }

    /// The server has ended a login before it asked for all of a script's answers: what is left of them is dropped unseen,
    /// and the script ends. Nobody can tell a password from a command.
    pub(super) async fn drop_answers(&mut self) {
        let is_asked = self.session().and_then(Session::dialogue).is_some();
        if is_asked && self.outcome.is_none() {
            return;
        }
        let Some(answers) = self.login_lines.answers.take() else { return };
        if self.is_terminal() {
            self.login_lines.ended_early = !answers.left(false).is_empty();
            return;
        }
        let ends_by_server = matches!(
            self.outcome,
            None | Some(Outcome::LoginRefused | Outcome::Lost | Outcome::TryLater(_) | Outcome::Refused(_) | Outcome::OutOfStep)
        );
        if answers.left(false).is_empty() || !ends_by_server || !self.has_line_left().await {
            return;
        }
        let name = format!("AUTH {}", printable_str(&answers.mechanism)).trim_end().to_owned();
        self.screen.warning(format!(
            "The script ends here: the server did not ask for the answers to {name}, and the lines behind it, which may hold a password, are not sent."
        ));
        self.outcome = Some(Outcome::LoginRefused);
    }

    /// Whether the script goes on. The line that says so is dropped.
    async fn has_line_left(&mut self) -> bool {
        let patience = if self.outcome.is_some() { LEFT_OVER } else { Duration::MAX };
        loop {
            let given = tokio::select! {
                given = tokio::time::timeout(patience, self.source.given()) => given,
                signal = self.signals.next_ending() => {
                    self.outcome = Some(ended_by(signal));
                    return false;
                }
            };
            match given {
                Ok(Given::Line(mut line)) => {
                    let is_blank = line.trim_ascii().is_empty();
                    line.zeroize();
                    if !is_blank {
                        return true;
                    }
                }
                Ok(_) | Err(_) => return false,
            }
        }
    }

    /// `--password-stdin`: the first line of a script is no command, whether a login needs it or not.
    pub(super) async fn take_password_line(&mut self) {
        let is_due = !self.is_terminal() && self.options.login.password == PasswordSource::Input;
        if !is_due || std::mem::replace(&mut self.login_lines.has_password_line, true) {
            return;
        }
        let given = tokio::select! {
            given = self.source.given() => given,
            signal = self.signals.next_ending() => {
                self.outcome = Some(ended_by(signal));
                return;
            }
        };
        self.login_lines.password = Some(match given {
            Given::Line(line) => first_line(line).map_err(|words| format!("the first line of the input {words}")),
            Given::Failed(words) => Err(words),
            _ => Err("the first line of the input should hold it (--password-stdin)".to_owned()),
        });
    }

    /// The password of `--password-stdin`, once.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn password_line(&mut self) -> Result<Secret<String>, String> {
        self.take_password_line().await;
        let used = || Err("the first line of the input was used already (--password-stdin)".to_owned());
        self.login_lines.password.take().unwrap_or_else(used)
    }
}

/// How a script ends by a signal.
fn ended_by(signal: Signal) -> Outcome {
    if signal == Signal::Interrupt { Outcome::Interrupted } else { Outcome::Signalled(signal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // P46
    #[test]
    fn the_lines_behind_auth_are_counted_by_its_mechanism() {
        use Typed::{Message, Password, UserName};
        let table: &[(&str, &[Typed])] = &[
            ("AUTH LOGIN", &[UserName, Password]),
            (" auth login bG9nb24=", &[Password]),
            ("AUTH LOGIN =", &[Password]),
            ("AUTH PLAIN", &[UserName, Password]),
            ("AUTH PLAIN AGEAYg==", &[]),
            ("AUTH CRAM-MD5", &[Message]),
            ("AUTH NTLM", &[Message, Message]),
            ("AUTH SCRAM-SHA-256 biwsbj1h", &[Message]),
            ("AUTH XOAUTH2", &[Message]),
            ("AUTH X-NEW", &[Message]),
            ("AUTH X-NEW abcd", &[]),
            ("AUTH", &[Message]),
            ("X-EXPS LOGIN", &[UserName, Password]),
        ];
        for (line, want) in table {
            assert_eq!(Answers::behind(line.as_bytes(), false).unwrap().left(false), *want, "{line}");
        }
        assert!(Answers::behind(b"NOOP", false).is_none());
        assert_eq!(Answers::behind(b"AUTH PLAIN", true).unwrap().left(false).len(), 1);
        assert_eq!(Answers::behind(b"AUTH PLAIN", false).unwrap().left(true), [Password]);
    }

    // P46
    #[test]
    fn a_line_answers_only_the_question_that_it_is_for() {
        let cancels = |turn: &Turn| matches!(turn, Turn::Cancel(_));
        let answers = |line: &str, sent: usize| {
            let mut answers = Answers::behind(line.as_bytes(), false).unwrap();
            answers.sent += sent;
            answers
        };
        let base64 = Question::Base64 { binary: false };
        assert_eq!(turn(&answers("AUTH LOGIN", 0), Question::UserName, false), Turn::Line);
        assert_eq!(turn(&answers("AUTH LOGIN", 1), Question::Password, false), Turn::Line);
        // Hidden, as the other way round it would not be.
        assert_eq!(turn(&answers("AUTH LOGIN", 0), Question::Password, false), Turn::Line);
        assert!(cancels(&turn(&answers("AUTH LOGIN", 1), Question::UserName, false)));
        assert!(cancels(&turn(&answers("AUTH LOGIN", 2), Question::Password, false)));
        assert!(cancels(&turn(&answers("AUTH LOGIN bG9nb24=", 0), Question::UserName, false)));
        assert!(cancels(&turn(&answers("AUTH CRAM-MD5", 1), base64, false)));
        assert_eq!(turn(&answers("AUTH XOAUTH2 abcd", 0), base64, false), Turn::Acknowledge(""));
        assert_eq!(turn(&answers("AUTH OAUTHBEARER", 1), base64, false), Turn::Acknowledge("\u{1}"));
        assert_eq!(turn(&answers("AUTH X-NEW", 5), base64, false), Turn::Line);
        let again = Answers { acknowledged: true, ..answers("AUTH XOAUTH2 abcd", 0) };
        assert!(cancels(&turn(&again, base64, false)));
    }
}
