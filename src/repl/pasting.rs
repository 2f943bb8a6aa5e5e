//! Lines of a paste: asked about once, then sent one by one, each only where it belongs.

use super::Repl;
use super::paste::{self, Begin, Queued};
use super::snapshot::Mode;
use crate::text::{cut, printable, printable_str};

/// So many of the lines that are left out are shown.
const LISTED: usize = 12;
/// And so many columns of each.
const LISTED_COLUMNS: usize = 100;

impl Repl {
    /// Takes a paste apart, shows what is left out of it, and queues the rest if the operator agrees. What belongs to
    /// an open message is taken without a question.
    pub(super) async fn take_paste(&mut self, mode: Mode, text: &str) {
        let begin = match mode {
            Mode::Command | Mode::Question => Begin::Command,
            Mode::Answer(_) => Begin::Answer,
            Mode::Message | Mode::Chunk => Begin::Content,
        };
        let pasted = paste::read(text, begin);
        self.list_left_out(&pasted.left_out);
        let (lines, content) = (pasted.lines(), pasted.content());
        let commands = pasted.queue.len() - content;
        let question = match (commands, content) {
            (0, 0) => {
                self.screen.note("There is no command in what was pasted.");
                return;
            }
            (0, _) => None,
            _ if pasted.left_out.is_empty() && content == 0 => Some(String::new()),
            (_, 0) => Some(format!(", {commands} of them commands")),
            (1, _) => Some(format!(", 1 of them a command and {content} of a message")),
            _ => Some(format!(", {commands} of them commands and {content} of a message")),
        };
        let agreed = match question {
            None => true,
            Some(which) => {
                let question = format!("*  {lines} lines pasted{which}. Send one by one, waiting for each reply?");
                self.ask(&question, true).await == Some(true)
            }
        };
        if agreed {
            self.queue.extend(pasted.queue);
        }
    }

    /// Nothing is left out in silence (P49).
    fn list_left_out(&mut self, left_out: &[String]) {
        for line in left_out.iter().take(LISTED) {
            let shown = printable_str(line.trim_end());
            let short = cut(&shown, LISTED_COLUMNS);
            let more = if short.len() < shown.len() { " …" } else { "" };
            self.screen.note(format!("left out: {short}{more}"));
        }
        match left_out.len().saturating_sub(LISTED) {
            0 => {}
            1 => self.screen.note("left out: 1 more line"),
            more => self.screen.note(format!("left out: {more} more lines")),
        }
    }

    /// The line, shown at its prompt, if it belongs where the session stands now. `None` where it does not: then it is
    /// dropped, with all that belongs to it, and that is said.
    pub(super) fn take_queued(&mut self, queued: Queued) -> Option<Vec<u8>> {
        let belongs = match (&queued, self.mode()) {
            // The size that was pasted with BDAT is wrong: what follows its content is none of it.
            (Queued::Command(_), Mode::Chunk) => false,
            (Queued::Command(_), _) | (Queued::Answer(_), Mode::Answer(_)) | (Queued::Content(_), Mode::Message | Mode::Chunk) => true,
            (Queued::Answer(_) | Queued::Content(_), _) => false,
        };
        if !belongs {
            self.drop_stranded(&queued);
            return None;
        }
        if self.is_terminal() {
            let text = format!("{}{}", self.prompt(), printable(&crate::session::redact::command(queued.line())));
            self.screen.result(&text);
        }
        Some(queued.into_line())
    }

    /// A message whose DATA was refused, answers to an AUTH that was: they must not go out as commands (P31, P46).
    fn drop_stranded(&mut self, first: &Queued) {
        let mut count = 1;
        let mut ended = first.ends_message();
        while !ended && let Some(next) = self.queue.pop_front_if(|next| std::mem::discriminant(next) == std::mem::discriminant(first)) {
            count += 1;
            ended = next.ends_message();
        }
        let lines = if count == 1 { "1 pasted line".to_owned() } else { format!("{count} pasted lines") };
        let is = if count == 1 { "is" } else { "are" };
        self.screen.warning(match first {
            Queued::Content(_) => format!("{lines} of a message {is} dropped, not sent: the server is not waiting for a message."),
            Queued::Command(_) => {
                format!(
                    "{lines} {is} dropped, not sent: the server still waits for {} of the octets that BDAT announced.",
                    self.octets_left()
                )
            }
            Queued::Answer(_) => format!("{lines} behind AUTH {is} dropped, not sent: the server did not ask for an answer."),
        });
    }

    /// What waits is not sent any more: the connection that it was meant for is gone, or the operator had enough.
    pub(super) fn drop_queue(&mut self) {
        match std::mem::take(&mut self.queue).len() {
            0 => {}
            1 => self.screen.note("1 waiting line is dropped, not sent."),
            count => self.screen.note(format!("{count} waiting lines are dropped, not sent.")),
        }
    }
}
