//! A login as it is shown: challenges laid open, answers of ours too, and what a refused one looks like.

use super::settings::Explain;
use super::{Repl, now_ms};
use crate::explain::{blob, login};
use crate::render::{description, human};
use crate::sasl::{self, Exposure};
use crate::session::Security;

impl Repl {
    /// What the last challenge says and what can be done.
    pub(super) fn show_challenge(&mut self) {
        let Some(dialogue) = self.connection.as_ref().and_then(|connection| connection.session().dialogue()) else { return };
        let (mechanism, challenge, said) = (dialogue.mechanism.clone(), dialogue.challenge.clone(), dialogue.describe_challenge(now_ms()));
        if login::exposure(&mechanism) == Exposure::Secret {
            self.warn_of_clear_text();
        }
        if self.screen.quiet {
            return;
        }
        if self.settings.raw_answers {
            if let (Ok(decoded), false) = (&challenge.decoded, challenge.holds_secret) {
                self.screen.note(format!("The challenge says \"{}\".", blob::describe(decoded).text));
            }
            return;
        }
        let carried = self.carrying.is_some();
        self.screen.show(&human::challenge(&mechanism, &challenge, said.as_ref(), carried));
    }

    fn warn_of_clear_text(&mut self) {
        let clear = self.session().is_some_and(|session| session.security() == Security::Clear);
        if !clear || self.memory.told.clear_text || !self.is_terminal() || self.options.raw {
            return;
        }
        self.memory.told.clear_text = true;
        let offered = self.session().and_then(|session| session.capabilities()).is_some_and(|offer| offer.has("STARTTLS"));
        let way_out = if offered { " STARTTLS is offered;" } else { "" };
        let text = if self.options.practice.is_some() {
            "This connection is not encrypted: elsewhere the password could be read on the way. (The practice server is on this machine.)"
                .to_owned()
        } else {
            format!("This connection is not encrypted: the password could be read on the way.{way_out} * cancels this login.")
        };
        self.screen.warning(text);
    }

    /// What an answer of ours says, where a person could not read it off the line.
    pub(super) fn tell_answer(&mut self, mechanism: &str, said: &sasl::Description) {
        let is_plain = sasl::lookup(mechanism).is_some_and(|known| known.by_hand == sasl::ByHand::PlainText);
        if !is_plain && !self.options.raw && !self.screen.quiet && !said.title.is_empty() {
            self.screen.show(&description::rows(said));
        }
    }

    /// What can be seen in the bytes of a login that was refused. They are forgotten then.
    pub(super) fn look_at_login(&mut self, reason_is_known: bool) {
        let Some(connection) = &mut self.connection else { return };
        let Some(dialogue) = connection.take_refused_login() else { return };
        let session = connection.session();
        let refused = login::Refused {
            mechanism: &dialogue.mechanism,
            lines: dialogue.messages().iter().map(|message| (message.from, message.line.expose().as_slice())).collect(),
            encrypted: session.security() != Security::Clear,
            tls_offered: session.capabilities().is_some_and(|offer| offer.has("STARTTLS")),
            reason_is_known,
            now: now_ms(),
        };
        if self.settings.explain != Explain::Off && !self.memory.cancelling {
            login::findings(&refused).into_iter().for_each(|sentence| self.screen.hint(sentence));
        }
    }
}
