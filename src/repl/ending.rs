//! Interruptions and ends: Ctrl-C, Ctrl-D, the end of a script, and the farewell.

use std::time::Duration;

use super::snapshot::Mode;
use super::waiting::Said;
use super::{Outcome, Repl};
use crate::render::{Row, Sign};
use crate::session::{Expected, Session, Stage};
use crate::wire::command::Command;

impl Repl {
    pub(super) async fn interrupted(&mut self, mode: Mode) {
        if !self.is_terminal() {
            self.outcome = Some(Outcome::Interrupted);
            return;
        }
        match mode {
            Mode::Message | Mode::Chunk if self.outcome.is_some() => self.leave_message(),
            _ if self.outcome.is_some() => {}
            Mode::Answer(_) => self.cancel_login().await,
            Mode::Message | Mode::Chunk => self.abort_message(true).await,
            Mode::Command | Mode::Question => self.screen.note("Ctrl-D or QUIT ends politely; Ctrl-C once more leaves at once."),
        }
    }

    pub(super) async fn input_ended(&mut self, mode: Mode) {
        match mode {
            Mode::Message if self.is_terminal() => match self.ask_or_leave("*  End the message and send it?", false).await {
                Said::Yes => self.message_line(b".".to_vec()).await,
                Said::Left => self.leave_message(),
                Said::No | Said::Nothing => {}
            },
            Mode::Chunk if self.is_terminal() => self.abort_message(true).await,
            Mode::Message | Mode::Chunk => {
                self.screen.warning(
                    "The input ended inside the message: the connection is closed without the final dot, and nothing is delivered.",
                );
                self.drop_connection("");
                self.outcome = Some(Outcome::Unfinished);
            }
            Mode::Answer(_) => {
                self.cancel_login().await;
                if !self.is_terminal() {
                    self.outcome = Some(Outcome::LoginRefused);
                }
            }
            Mode::Command | Mode::Question => {
                self.outcome.get_or_insert(Outcome::Done);
            }
        }
    }

    pub(super) fn input_failed(&mut self, words: &str) {
        if self.outcome.is_none() {
            self.screen.warning(format!("The input cannot be read: {}.", crate::text::printable_str(words)));
            self.outcome = Some(Outcome::InputLost);
        }
    }

    /// Ends the session as politely as the state allows.
    pub(super) async fn leave(&mut self) -> Outcome {
        let mut outcome = self.outcome.take().unwrap_or(Outcome::Done);
        if matches!(outcome, Outcome::Done | Outcome::Quit) && self.has_unended_chunks() {
            self.screen.warning("A message was begun with BDAT and never ended with LAST: nothing of it was delivered.");
            outcome = Outcome::Unfinished;
        }
        let polite = matches!(
            outcome,
            Outcome::Done
                | Outcome::Quit
                | Outcome::Refused(_)
                | Outcome::TryLater(_)
                | Outcome::LoginRefused
                | Outcome::ClearTextRefused
                | Outcome::Tls
                | Outcome::NotOpened(_)
                | Outcome::Unfinished
        );
        let can_quit = self.connection.as_ref().is_some_and(|connection| {
            let session = connection.session();
            session.is_open() && matches!(session.stage(), Stage::Greeted | Stage::Ready) && !session.is_waiting() && !session.is_leaving()
        });
        if polite && can_quit {
            self.catch_up().await;
            let mut lost = self.outcome.take() == Some(Outcome::Lost);
            lost |= self.is_open() && self.say_quit().await;
            // A test of reach is over with a farewell, not with a cut (P11, P22); a message that was
            // taken stays taken (P12).
            if lost && outcome == Outcome::Done && self.terminal.is_none() && self.messages_accepted() == 0 {
                outcome = Outcome::Lost;
            }
        }
        if !matches!(outcome, Outcome::Done | Outcome::Quit) {
            self.tell_command().await;
        }
        self.hang_up().await;
        self.tell_accepted(matches!(outcome, Outcome::Done | Outcome::Quit));
        if matches!(outcome, Outcome::Done | Outcome::Quit)
            && let Some(refusal) = self.first_refusal.take()
            && !self.options.tour
        {
            outcome = refusal;
        }
        if self.log_broken && outcome == Outcome::Done {
            outcome = Outcome::OutputFailed("the log is not complete".to_owned());
        }
        if let Some(error) = self.screen.take_failure() {
            outcome = Outcome::output_failed(&error);
        }
        outcome
    }

    /// A local command or a file failed: told, and the end of a script.
    pub(super) fn local_error(&mut self, words: &str) {
        self.screen.warning(format!("{words}."));
        self.fails_script();
    }

    /// A script does not go on over a local command that failed.
    pub(super) fn fails_script(&mut self) {
        if !self.is_terminal() && !self.options.keep_going {
            self.outcome = Some(Outcome::Unfinished);
        }
    }

    /// At least one message was accepted, and nothing is begun or asked that is not done: what is left is the farewell,
    /// and how that goes changes nothing (P12).
    pub(super) fn is_delivered(&self, awaited: Option<&Expected>) -> bool {
        let begun = self.session().is_some_and(|session| session.transaction().is_begun());
        self.messages_accepted() > 0 && !begun && awaited.is_none_or(|awaited| *awaited == Expected::Command(Command::Quit))
    }

    /// Whether a script has said chunks of a message, and not the last one (P32).
    fn has_unended_chunks(&self) -> bool {
        !self.is_terminal() && self.session().is_some_and(|session| session.transaction().chunks_begun)
    }

    /// How many messages the servers have accepted so far.
    pub(super) fn messages_accepted(&self) -> u32 {
        self.accepted_before + self.session().map_or(0, Session::messages_accepted)
    }

    /// Says how many messages were accepted, where the usual closing words have not.
    fn tell_accepted(&mut self, all_done: bool) {
        if self.messages_accepted() == 0 || self.memory.told.accepted || self.is_terminal() {
            return;
        }
        let count = match self.messages_accepted() {
            1 => "1 message".to_owned(),
            count => format!("{count} messages"),
        };
        self.screen.note(if all_done { format!("{count} accepted.") } else { format!("{count} accepted before that; do not send again.") });
    }

    /// Closes, with the farewell of TLS.
    pub(super) async fn hang_up(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_politely().await;
            self.command = None;
        }
        self.update_log();
    }

    pub(super) fn said_quit(&self) -> bool {
        self.memory.command.trim_ascii().eq_ignore_ascii_case(b"QUIT")
    }

    /// Says QUIT and waits for the farewell, not for long; says whether the connection was lost instead.
    pub(super) async fn say_quit(&mut self) -> bool {
        let row = Row::new(Sign::Sent, "QUIT");
        self.screen.row(row);
        b"QUIT".as_slice().clone_into(&mut self.memory.command);
        let Some(connection) = &mut self.connection else { return false };
        connection.send(b"QUIT");
        let patience = if self.terminal.is_some() { 2 } else { 5 };
        let mut lost = false;
        let farewell = async {
            self.settle().await;
            // What came unasked is shown, and the farewell is still to come.
            while self.outcome == Some(Outcome::Lost) && self.session().is_some_and(|session| session.is_waiting() || session.has_events())
            {
                self.outcome = None;
                lost = true;
                self.settle().await;
            }
        };
        // A farewell that does not come in time is not worth more waiting.
        let _ = tokio::time::timeout(Duration::from_secs(patience), farewell).await;
        lost || self.outcome.take() == Some(Outcome::Lost)
    }
}
