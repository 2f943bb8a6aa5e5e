//! The tour: the founding walk-through of mail testing by hand, in twelve steps on the practice server.

use super::Repl;
use super::paste::Queued;
use crate::render::Row;

/// One step: what to look at, and what to type.
struct Step {
    text: &'static str,
    line: &'static str,
}

/// The steps. What is typed is up to the operator; a step is done when its verb was typed.
const STEPS: &[Step] = &[
    Step { text: "The greeting: the server is up and says who it is. Say who you are:", line: "EHLO client.alt.test" },
    Step {
        text: "The answer lists what the server offers: logins (AUTH), sizes, DSN. Begin a message, as somebody from outside:",
        line: "MAIL FROM:<someone@alt.test>",
    },
    Step {
        text: "The sender is accepted, and the prompt says (mail). Name a recipient that the server hosts:",
        line: "RCPT TO:<postmaster@contoso.test>",
    },
    Step {
        text: "Now the relay test: a recipient that it does not host. From outside this must be refused:",
        line: "RCPT TO:<foreignemail@external.test>",
    },
    Step { text: "550 5.7.1 Unable to relay: as it should be. Send the message to the recipient that was accepted:", line: "DATA" },
    Step { text: "The server waits for headers, an empty line and the text. Fill in a sample:", line: ":sample" },
    Step { text: "A lone dot ends the message:", line: "." },
    Step { text: "250: the server has taken the message and is responsible for it now. Next, a login:", line: "AUTH LOGIN" },
    Step { text: "334 VXNlcm5hbWU6 is base64 for \"Username:\". Type the name as it is; it is encoded for you:", line: "logon" },
    Step { text: "The password is read hidden. On this server it is:", line: "My simple password" },
    Step {
        text: "235: logged in, and the prompt says so. Try the outside recipient again by MAIL FROM and RCPT TO, or forget the message begun:",
        line: "RSET",
    },
    Step { text: "That was the whole walk. End the session:", line: "QUIT" },
];

/// Where the tour stands.
#[derive(Debug, Default)]
pub(super) struct Tour {
    shown: usize,
    step: usize,
    /// Commands that were typed so far, to see progress.
    started: bool,
}

impl Repl {
    /// Shows the step that is due. Without a terminal the tour types by itself.
    pub(super) fn tour_step(&mut self) {
        let terminal = self.is_terminal();
        let Some(tour) = &mut self.tour else { return };
        if std::mem::replace(&mut tour.started, true) {
            tour.step = next_step(tour.step, &self.memory.typed, self.outcome.is_some());
        }
        let Some(step) = STEPS.get(tour.step) else {
            self.tour = None;
            return;
        };
        if tour.shown <= tour.step {
            tour.shown = tour.step + 1;
            let head = format!("[{}/{}] {}", tour.step + 1, STEPS.len(), step.text);
            self.screen.row(Row::note(head));
            self.screen.row(Row::block(format!("   {}", step.line)));
        }
        if !terminal {
            self.queue.push_back(Queued::Command(step.line.as_bytes().to_vec()));
        }
    }
}

/// The step after `typed`: the next one when the line begins like the one that was asked for.
fn next_step(step: usize, typed: &[u8], over: bool) -> usize {
    let Some(asked) = STEPS.get(step) else { return step };
    let word = |line: &[u8]| line.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_ascii_uppercase();
    let free = asked.line == "logon" || asked.line == "My simple password";
    let done = !over && (word(typed) == word(asked.line.as_bytes()) || free && !typed.is_empty());
    if done { step + 1 } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_done_when_its_verb_was_typed() {
        assert_eq!(STEPS.len(), 12);
        assert_eq!(next_step(0, b"ehlo me", false), 1);
        assert_eq!(next_step(0, b"NOOP", false), 0);
        assert_eq!(next_step(8, b"anybody", false), 9);
        assert_eq!(next_step(6, b"text", false), 6);
        assert_eq!(next_step(6, b".", false), 7);
    }
}
