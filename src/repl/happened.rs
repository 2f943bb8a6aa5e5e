//! What is shown and done when the session tells something.

use super::settings::Explain;
use super::{Outcome, Repl};
use crate::explain::notice;
use crate::explain::reply::{Fact, Situation, explain};
use crate::jobs::circumstances;
use crate::net::Connection;
use crate::render::{Row, Sign, human};
use crate::session::{Ending, Event, Expected, Judgement, Security, Session, redact};
use crate::text::{printable, printable_str};
use crate::wire::command::Command;
use crate::wire::reply::Reply;
use crate::wire::{address, foreign};

/// Replies that take this long are worth a remark.
const SLOW: std::time::Duration = std::time::Duration::from_secs(1);

/// Below a reply that answers nothing (P9).
const UNASKED: &str = "Nobody asked for this reply: the server is out of step, or somebody answers in its place.";

impl Repl {
    /// Shows an event and draws its consequences.
    pub(super) fn happened(&mut self, event: Event) {
        match event {
            Event::Reply { reply, to, judgement, took } => self.replied(&reply, &to, judgement, took),
            Event::Unsolicited(reply) => self.unasked(&reply),
            Event::Stray { line, foreign, to } => self.strayed(&line, foreign, to.as_ref()),
            Event::Ended(ending) => self.ended(&ending),
        }
        self.update_log();
    }

    fn replied(&mut self, reply: &Reply, to: &Expected, judgement: Judgement, took: std::time::Duration) {
        if self.keepalives > 0 && *to == Expected::Command(Command::Other("NOOP".to_owned())) {
            self.keepalives -= 1;
            if judgement == Judgement::Done {
                return;
            }
        }
        self.show_reply(reply);
        self.memory.reply = Some(reply.lines.clone());
        self.memory.quit_answered = *to == Expected::Command(Command::Quit);
        if self.settings.timing || took >= SLOW {
            self.screen.note(format!("(reply after {})", human::duration(took)));
        }
        self.remarks(reply, to, judgement);
        match judgement {
            Judgement::Done | Judgement::Continue => {}
            Judgement::Refused => self.refused(reply, to),
            Judgement::OutOfStep => self.out_of_step(reply, to),
            Judgement::Malformed => self.stop_script_unless_delivered(Outcome::Lost, Some(to)),
        }
        self.consequences(to, judgement);
    }

    fn show_reply(&mut self, reply: &Reply) {
        if self.options.raw && !self.is_terminal() {
            for line in reply.lines.iter() {
                self.screen.bytes(&[line, b"\r\n"].concat());
            }
            return;
        }
        self.screen.show(&human::reply(reply));
    }

    /// What is worth noticing about a reply that is no refusal.
    fn remarks(&mut self, reply: &Reply, to: &Expected, judgement: Judgement) {
        let done = judgement == Judgement::Done;
        self.tell_oddities(reply);
        if to.is_fate() {
            self.tell_long_lines(notice::is_about_line_length(reply));
        }
        if let Some(usual) = to.usual_instead(reply).filter(|_| *to != Expected::Greeting) {
            self.screen.note(notice::unusual(reply.code, usual, to.subject()));
        }
        if let Some(foreign) = foreign::guess(reply.first_text()).filter(|_| !reply.is_well_formed()) {
            self.screen.hint(format!("This looks like {}.", foreign.describe()));
        }
        match to {
            Expected::Greeting => {
                for remark in notice::greeting(reply, &self.target.host) {
                    self.screen.hint(remark);
                }
            }
            Expected::Command(Command::Ehlo) if done => {
                if let Some(offer) = self.connection.as_ref().and_then(|connection| connection.session().capabilities()) {
                    let (summary, remarks) = notice::capabilities(offer);
                    self.screen.note(summary);
                    remarks.into_iter().for_each(|remark| self.screen.hint(remark));
                }
                self.compare_offers();
            }
            Expected::PrdrDot if judgement == Judgement::Continue => {
                self.screen.note("A reply for each recipient follows, and one for the message.");
            }
            Expected::Verdict(recipient) => {
                let recipient = printable_str(recipient);
                self.screen.note(format!("For {recipient}: {}.", if done { "accepted" } else { "not accepted" }));
            }
            Expected::Command(Command::Rcpt(Some(recipient))) if done => self.remark_on_relaying(recipient),
            _ => {}
        }
        if judgement == Judgement::Continue && matches!(to, Expected::Answer(_) | Expected::Command(Command::Auth { .. })) {
            self.show_challenge();
        }
    }

    /// What departed from the grammar: harmless habits of the server are told once.
    fn tell_oddities(&mut self, reply: &Reply) {
        for oddity in &reply.oddities {
            let known = self.memory.told.oddities.contains(oddity);
            if !known {
                self.memory.told.oddities.push(*oddity);
            }
            if !known || !oddity.is_harmless() {
                self.screen.hint(notice::oddity(*oddity, reply));
            }
        }
    }

    /// A recipient that neither the greeting nor the host's name suggests was accepted without a login: mostly it is
    /// hosted there, so the operator is asked, once for each domain.
    fn remark_on_relaying(&mut self, recipient: &str) {
        let Some(domain) = address::domain(recipient) else { return };
        let session = self.connection.as_ref().map(Connection::session);
        let lmtp = self.target.protocol == crate::target::Protocol::Lmtp
            || self.memory.hello_line.as_ref().is_some_and(|line| line.trim_ascii_start().to_ascii_uppercase().starts_with(b"LHLO"));
        // The practice server has said what it hosts, and relays for nobody.
        let local = lmtp || self.target.socket.is_some() || self.options.practice.is_some();
        if local || !self.is_terminal() || session.is_some_and(|session| session.user().is_some()) {
            return;
        }
        let greeting =
            session.and_then(|session| session.greeting()).map(|reply| String::from_utf8_lossy(reply.first_text()).to_lowercase());
        let greeted = greeting.as_deref().and_then(|text| text.split(' ').next()).unwrap_or_default().to_owned();
        let lower = domain.to_lowercase();
        let is_name = |name: &str| name.contains('.') && crate::host::ip_of(name).is_none();
        let related = |name: &str| registered(name) == registered(&lower) || lower.ends_with(&format!(".{name}"));
        let names: Vec<&str> = [greeted.as_str(), self.target.host.as_str()].into_iter().filter(|name| is_name(name)).collect();
        if names.is_empty() || names.iter().any(|name| related(&name.to_lowercase())) {
            return;
        }
        if self.memory.told.relay.contains(&lower) {
            return;
        }
        let domain = printable_str(domain).into_owned();
        self.memory.told.relay.push(lower);
        self.screen.hint(format!("Accepted for {domain}: hosted here? If not, this is an open relay. (RSET to stop here.)"));
    }

    fn refused(&mut self, reply: &Reply, to: &Expected) {
        let situation = self.situation(to);
        if situation.verb == "AUTH" && self.wants_other_form(reply) {
            return;
        }
        if self.answers_header(reply, to) {
            return self.header_not_taken(reply, situation);
        }
        let fact = explain(&situation, reply);
        let code = reply.code.number();
        let is_quit = *to == Expected::Command(Command::Quit);
        let early = *to == Expected::Greeting && fact.as_ref().is_some_and(Fact::is_about_talking_early);
        let for_header = early && self.options.dial.header.is_some();
        let meant = match to {
            Expected::Command(Command::Other(verb)) if matches!(reply.code.number(), 500 | 502) => super::input::did_you_mean(verb),
            _ => None,
        };
        let again = *to == Expected::Command(Command::StartTls) && self.is_encrypted();
        if again {
            self.screen.hint("The connection is encrypted already: STARTTLS is said once. :tls shows what was negotiated.");
        } else if let Some(meant) = meant {
            let back = if self.is_terminal() { " (Up brings the line back.)" } else { "" };
            self.screen.hint(format!("Did you mean {meant}?{back}"));
        } else if is_quit && self.is_delivered(Some(to)) {
            self.screen.hint(format!("QUIT is answered by {code} instead of 221; what was accepted stays accepted."));
        } else if notice::is_about_line_length(reply) && self.knows_long_line(to) {
            // Which line it is has been said, and says it all.
        } else if !(self.memory.cancelling || *to == Expected::Greeting && (situation.lacks_certificate || for_header)) {
            // (The diagnosis of an opening that failed tells of the certificate and of the header.)
            self.explain_refusal(reply, &situation);
        }
        if situation.verb == "AUTH" {
            self.look_at_login(fact.as_ref().is_some_and(Fact::goes_by_more_than_the_code));
        }
        if *to == Expected::Command(Command::StartTls) && !again {
            // TLS was asked for and is not to be had: nothing more goes out in clear (P19).
            self.stop_script_always(Outcome::Tls);
        }
        let is_login = situation.verb == "AUTH";
        let for_certificate = fact.is_some_and(|fact| fact.is_about_our_certificate());
        self.memory.refusal = Some(Box::new((situation, reply.clone())));
        let outcome = match code {
            _ if for_certificate => Outcome::Tls,
            _ if for_header => Outcome::Lost,
            400..500 => Outcome::TryLater(code),
            _ if is_login => Outcome::LoginRefused,
            _ => Outcome::Refused(code),
        };
        if is_quit {
            self.stop_script_unless_delivered(outcome, Some(to));
        } else {
            self.stop_script(outcome);
        }
    }

    /// Whether the refusal of our first line is that of our PROXY header, which was taken for a command: such a server
    /// is one reply behind.
    fn answers_header(&self, reply: &Reply, to: &Expected) -> bool {
        let is_first = matches!(to, Expected::Command(Command::Ehlo | Command::Helo | Command::Quit)) && self.memory.hello_line.is_none();
        is_first && self.options.dial.header.is_some() && matches!(reply.code.number(), 500 | 502 | 503)
    }

    fn header_not_taken(&mut self, reply: &Reply, situation: Situation) {
        self.screen
            .hint("Probably this port took the PROXY header for a command, and this is the answer to it. Leave out --proxy-protocol.");
        self.memory.refusal = Some(Box::new((situation, reply.clone())));
        if !self.is_terminal() {
            // Also when it comes in the place of the farewell.
            self.first_refusal.get_or_insert(Outcome::Lost);
        }
        self.stop_script_always(Outcome::Lost);
    }

    /// Says which lines of the message are longer than SMTP allows, once: a fact, and where the server says so the reason
    /// for its refusal.
    fn tell_long_lines(&mut self, is_reason: bool) {
        let lines = self.session().and_then(Session::long_lines);
        let Some(lines) = lines.filter(|_| !std::mem::replace(&mut self.message.long_lines_told, true)) else { return };
        let words = notice::long_lines(lines);
        if is_reason {
            self.screen.hint(words);
        } else {
            self.screen.note(words);
        }
    }

    /// A line was refused as too long: says how long it is, where that is known.
    fn knows_long_line(&mut self, to: &Expected) -> bool {
        match to {
            Expected::Command(Command::Bdat { .. }) => {
                self.tell_long_lines(true);
                self.session().and_then(Session::long_lines).is_some()
            }
            Expected::Command(command) => {
                self.screen.hint(notice::long_command(command.verb(), self.memory.command.len() + 2));
                true
            }
            to => to.is_fate() && self.session().and_then(Session::long_lines).is_some(),
        }
    }

    /// Where the refusal came.
    fn situation(&self, to: &Expected) -> Situation {
        let verb = match to {
            Expected::Greeting => "greeting".to_owned(),
            Expected::Command(Command::Auth { .. }) | Expected::Answer(_) => "AUTH".to_owned(),
            Expected::Command(command) => command.verb().to_owned(),
            Expected::FinalDot | Expected::PrdrDot | Expected::Verdict(_) => "the end of DATA".to_owned(),
            Expected::Raw => String::new(),
        };
        let address = match to {
            Expected::Command(Command::Mail(address) | Command::Rcpt(address)) => address.as_deref(),
            _ => None,
        };
        Situation {
            verb,
            host: self.target.host.clone(),
            user: self.session().and_then(|session| session.claimed_user()).map(str::to_owned),
            domain: address.and_then(address::domain).map(str::to_owned),
            lacks_certificate: self.lacks_client_certificate(),
            sent: self.session().map(circumstances::of).unwrap_or_default(),
        }
    }

    /// The `?` line below a refusal: in full once, then its first sentence.
    fn explain_refusal(&mut self, reply: &Reply, situation: &Situation) {
        let Some(fact) = explain(situation, reply).filter(|_| self.settings.explain != Explain::Off) else { return };
        let text = fact.hint(situation, reply);
        let again = self.memory.explained.contains(&fact.id) || self.settings.explain == Explain::Short;
        let text = if again { text.split_inclusive(". ").next().unwrap_or(&text).trim_end().to_owned() } else { text };
        self.memory.explained.push(fact.id);
        let more = if self.is_terminal() { "  :explain" } else { "" };
        self.screen.hint(format!("{text}{more}"));
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.session().is_some_and(|session| session.security() != Security::Clear)
    }

    fn consequences(&mut self, to: &Expected, judgement: Judgement) {
        let done = judgement == Judgement::Done;
        match to {
            Expected::Command(Command::StartTls) if done && self.is_encrypted() => {
                self.screen.warning("The server now waits for a second handshake inside TLS, which is never done: nothing more can be said, and the connection is closed. :reconnect opens another.");
                self.drop_connection("");
                self.stop_script_always(Outcome::Tls);
            }
            Expected::Command(Command::Ehlo | Command::Helo) if done => {
                self.memory.hello_line = Some(self.memory.command.clone());
            }
            Expected::Command(Command::Data) if judgement == Judgement::Continue => self.begin_message(),
            Expected::Command(Command::Data) if !self.is_terminal() && !self.message.streaming && self.tour.is_none() => {
                self.message.is_unwanted = true;
            }
            _ => {}
        }
    }

    /// A positive reply that cannot answer what was sent: it belongs to something else (P9, P27, P48).
    fn out_of_step(&mut self, reply: &Reply, to: &Expected) {
        match to {
            Expected::Command(Command::StartTls) => {
                self.screen.hint(format!("{} is no answer to STARTTLS (220 is): nothing is encrypted.", reply.code));
                self.stop_script_always(Outcome::Tls);
            }
            Expected::Answer(_) | Expected::Command(Command::Auth { .. }) if self.memory.cancelling => {}
            Expected::Answer(_) | Expected::Command(Command::Auth { .. }) => {
                self.screen.hint(notice::login_not_ended(reply.code));
                self.stop_script(Outcome::LoginRefused);
            }
            _ => {
                self.screen.hint(notice::out_of_step(reply.code, to.subject(), &to.due()));
                if *to == Expected::Command(Command::Quit) {
                    self.stop_script_unless_delivered(Outcome::OutOfStep, Some(to));
                } else {
                    self.stop_script_always(Outcome::OutOfStep);
                }
            }
        }
    }

    fn unasked(&mut self, reply: &Reply) {
        self.show_reply(reply);
        self.tell_oddities(reply);
        self.memory.reply = Some(reply.lines.clone());
        if self.memory.quit_answered {
            self.screen.warning("Nobody asked for this reply: it came behind the answer to QUIT, and changes nothing.");
            return;
        }
        let is_refusal = reply.is_refusal();
        if is_refusal && self.options.dial.header.is_some() && self.memory.command.is_empty() {
            self.screen.hint("Nothing was sent but the PROXY header: this port takes it for a command. Leave out --proxy-protocol.");
        } else if reply.has_code(421) && self.is_delivered(None) {
            self.screen.hint("The server closes the connection; the messages that it accepted stay accepted.");
            return;
        } else if is_refusal
            && self.in_message()
            && notice::is_about_line_length(reply)
            && self.session().and_then(Session::long_lines).is_some()
        {
            self.tell_long_lines(true);
        } else if is_refusal {
            let situation = Situation { verb: "no command".to_owned(), ..self.situation(&Expected::Raw) };
            // 421 may come at any moment (RFC 5321 §3.8). Another code answers nothing here, so it tells no cause alone.
            let closes = reply.has_code(421);
            if !closes {
                self.screen.hint(UNASKED);
            }
            if closes || explain(&situation, reply).is_some_and(|fact| fact.goes_by_more_than_the_code()) {
                self.explain_refusal(reply, &situation);
            }
            self.memory.refusal = Some(Box::new((situation, reply.clone())));
        } else {
            self.screen.hint(UNASKED);
        }
        self.stop_script(Outcome::Lost);
    }

    fn strayed(&mut self, line: &[u8], foreign: Option<foreign::Foreign>, to: Option<&Expected>) {
        self.screen.row(human::stray(line));
        let what = foreign.map(|foreign| format!(" It looks like {}.", foreign.describe())).unwrap_or_default();
        if to.is_some() || foreign.is_some() {
            self.screen.hint(format!("This is not an SMTP reply.{what}"));
        }
        match to {
            Some(Expected::Command(Command::Quit)) => self.stop_script_unless_delivered(Outcome::Lost, to),
            _ => self.stop_script(Outcome::Lost),
        }
    }

    fn ended(&mut self, ending: &Ending) {
        let farewell = self.said_quit();
        if matches!(ending, Ending::TooLong { .. } | Ending::Flood) {
            // That the server breaks all bounds says more than that a login was not finished.
            self.expect_no_answers();
        }
        let asked = matches!(ending, Ending::Closed { announced: true, .. });
        let mut rows = human::ending(ending);
        if self.is_terminal() && !asked && !matches!(ending, Ending::ClosedByUs) && rows.is_empty() {
            rows.push(Row::warning("The server closed the connection."));
        }
        self.screen.show(&rows);
        if ending.awaited().is_some_and(Expected::is_fate) {
            self.tell_long_lines(false);
        }
        self.explain_end_inside_tls(ending);
        self.message.draft.clear();
        self.plain_user = None;
        self.tell_closed(asked, farewell);
        let outcome = match ending {
            Ending::TimedOut { .. } => Outcome::TimedOut,
            Ending::Lost { by_tls: true, .. } => Outcome::Tls,
            Ending::ClosedByUs => return,
            Ending::Closed { announced: true, .. } => {
                if self.is_delivered(None) && !self.is_terminal() {
                    self.over_since = Some(tokio::time::Instant::now());
                }
                return;
            }
            _ => Outcome::Lost,
        };
        self.stop_script_unless_delivered(outcome, ending.awaited());
    }

    /// Ends a script, unless all that it has asked for is delivered: then only what it says next can be undone (P12).
    fn stop_script_unless_delivered(&mut self, outcome: Outcome, awaited: Option<&Expected>) {
        if !self.is_delivered(awaited) {
            self.stop_script_always(outcome);
        } else if !self.is_terminal() {
            self.over_since = Some(tokio::time::Instant::now());
        }
    }

    /// After QUIT or 421 the server has hung up.
    pub(super) fn tell_closed(&mut self, asked: bool, farewell: bool) {
        if !asked {
            return;
        }
        let age = self.connection.as_ref().map(Connection::age).unwrap_or_default();
        let count = self.messages_accepted();
        let messages = match count {
            0 => String::new(),
            1 => " 1 message accepted.".to_owned(),
            _ => format!(" {count} messages accepted."),
        };
        self.memory.told.accepted |= farewell;
        let silence = self.memory.sent_at.map(|at| at.elapsed()).filter(|silence| *silence >= SLOW);
        let silence = silence.map(|silence| format!(" after {} of silence", human::duration(silence))).unwrap_or_default();
        if farewell {
            self.screen.note(format!("Closed after {}.{messages}", human::duration(age)));
            if self.source.is_drained() {
                self.outcome.get_or_insert(Outcome::Quit);
            }
        } else {
            self.screen.warning(format!("The server closed the connection{silence}."));
        }
    }

    /// Ends a script, unless it is to go on after refusals.
    fn stop_script(&mut self, outcome: Outcome) {
        let refusal = matches!(outcome, Outcome::Refused(_) | Outcome::TryLater(_) | Outcome::LoginRefused);
        if self.options.keep_going && refusal {
            self.first_refusal.get_or_insert(outcome);
            return;
        }
        self.stop_script_always(outcome);
    }

    fn stop_script_always(&mut self, outcome: Outcome) {
        if !self.is_terminal() {
            self.outcome.get_or_insert(outcome);
        }
    }

    /// Shows a line of ours that went out by itself.
    pub(super) fn show_sent(&mut self, line: &[u8]) {
        self.screen.row(Row::new(Sign::Sent, printable(&redact::command(line))));
    }
}

/// The last two labels of a name: near enough to what was registered for a remark.
fn registered(name: &str) -> Vec<&str> {
    name.rsplit('.').take(2).collect()
}
