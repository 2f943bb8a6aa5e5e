//! Local commands about the connection and its settings.

use std::time::Duration;

use crate::net::Limits;
use crate::render::{Row, human};
use crate::repl::settings::SETTINGS;
use crate::repl::{Outcome, Repl};
use crate::target::Target;
use crate::text::printable_str;
use crate::wire::keyword;

impl Repl {
    /// `:ehlo`
    pub(super) async fn ehlo_explained(&mut self) {
        self.say_hello().await;
        let Some(offer) = self.session().and_then(|session| session.capabilities()).cloned() else { return };
        for offered in offer.keywords() {
            let meaning = keyword::lookup(offered.name()).map_or("not known here", |known| known.summary);
            self.screen.row(Row::field(&format!("{:<28} ", printable_str(&offered.words())), meaning));
        }
    }

    /// `:connect HOST [PORT]`
    pub(super) async fn connect_command(&mut self, arguments: &str) {
        let mut words = arguments.split_ascii_whitespace();
        let host = words.next().unwrap_or_default();
        match Target::parse(host, words.next()) {
            Ok(target) => self.connect_to(target).await,
            Err(error) => self.local_error(&format!("{error} (:connect HOST [PORT])")),
        }
    }

    /// `:starttls`
    pub(super) async fn starttls_command(&mut self) {
        self.start_tls().await;
    }

    /// `:close`
    pub(super) fn close_command(&mut self) {
        if self.is_open() {
            self.drop_connection("Closed. :reconnect opens it again.");
        } else {
            self.screen.note("Nothing is open.");
        }
    }

    /// `:quit`
    pub(super) async fn quit_command(&mut self) {
        if self.in_message() {
            // A pasted line may be meant for the message.
            if self.is_terminal() && self.ask("*  The message is not ended, and would not be delivered. Leave?", false).await != Some(true)
            {
                return;
            }
            self.screen.note("The message is not ended: it is not delivered.");
            self.outcome.get_or_insert(Outcome::Unfinished);
        }
        self.outcome.get_or_insert(Outcome::Done);
    }

    /// `:timeout [SECONDS]`
    pub(super) fn timeout_command(&mut self, arguments: &str) {
        if arguments.is_empty() {
            let limits = self.options.limits;
            self.screen.note(format!(
                "Each reply may take {}, the reply to a message {}.",
                human::duration(limits.reply),
                human::duration(limits.final_dot)
            ));
            return;
        }
        match seconds(arguments) {
            Some(limit) => {
                self.set_limits(Limits::new(Some(limit)));
                self.screen.note(format!("Each reply may take {}.", human::duration(limit)));
            }
            None => self.local_error("A number of seconds is wanted, such as :timeout 30"),
        }
    }

    /// `:keepalive [SECONDS|off]`
    pub(super) fn keepalive_command(&mut self, arguments: &str) {
        match (arguments, seconds(arguments)) {
            ("", _) => {
                let text =
                    self.settings.keepalive.map_or("off".to_owned(), |every| format!("NOOP after {} of silence", human::duration(every)));
                self.screen.note(format!("Keepalive: {text}."));
            }
            ("off", _) => {
                self.settings.keepalive = None;
                self.screen.note("Keepalive is off.");
            }
            (_, Some(every)) => {
                self.settings.keepalive = Some(every);
                self.screen.note(format!("NOOP is said after {} without a line.", human::duration(every)));
            }
            _ => self.local_error("A number of seconds or off is wanted, such as :keepalive 60"),
        }
    }

    /// `:timing [on|off]`
    pub(super) fn timing_command(&mut self, arguments: &str) {
        let value = if arguments.is_empty() { if self.settings.timing { "off" } else { "on" } } else { arguments };
        self.set_command(&format!("timing {value}"));
    }

    /// `:set [NAME [VALUE]]`
    pub(super) fn set_command(&mut self, arguments: &str) {
        let mut words = arguments.split_ascii_whitespace();
        let (name, value) = (words.next().unwrap_or_default(), words.next());
        if name.is_empty() {
            for setting in SETTINGS {
                let label = format!("{:<8} {:<6} ", setting.name, (setting.show)(&self.settings));
                self.screen.row(Row::field(&label, format!("{} ({})", setting.summary, setting.values.join("|"))));
            }
            return;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
            self.local_error(&format!("There is no setting '{}'; there are {}", printable_str(name), names.join(", ")));
            return;
        };
        match value {
            Some(value) if !setting.values.contains(&value) => {
                self.local_error(&format!("{} takes {}", setting.name, setting.values.join(" or ")));
                return;
            }
            Some(value) => (setting.change)(&mut self.settings, value),
            None => {}
        }
        self.screen.note(format!("{} is {}.", setting.name, (setting.show)(&self.settings)));
    }
}

/// A positive number of seconds, a day at most.
fn seconds(text: &str) -> Option<Duration> {
    text.trim_end_matches('s').trim().parse::<u64>().ok().filter(|n| (1..=86_400).contains(n)).map(Duration::from_secs)
}
