//! Completion by state and by what EHLO offered, and ghost hints of the syntax. All from the tables in
//! `wire`, `sasl` and the local commands.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Result};

use super::commands::{self, Completes};
use super::snapshot::{Mode, Snapshot};
use super::terminal::Terminal;
use crate::text;
use crate::wire::address;
use crate::wire::verb::{self, Verb, When};

/// Header names offered at the beginning of a line of the message.
const HEADERS: &[&str] = &["From: ", "To: ", "Subject: ", "Date: ", "Message-ID: "];
/// No hints on narrower terminals.
const NARROWEST: usize = 50;

/// rustyline's helper: looks at a copy of the session's state.
pub(super) struct Helper {
    snapshot: Arc<Mutex<Snapshot>>,
    files: FilenameCompleter,
    color: bool,
}

impl Helper {
    /// A helper; without colour there are no ghost hints, for they could not be told from text.
    pub(super) fn new(snapshot: Arc<Mutex<Snapshot>>, color: bool) -> Self {
        Self { snapshot, files: FilenameCompleter::new(), color }
    }

    fn look(&self) -> Snapshot {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl rustyline::Helper for Helper {}
impl Validator for Helper {}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let head = &line[..pos];
        if let Some(name) = head.strip_prefix(':').and_then(|rest| rest.split_once(' ')).map(|(name, _)| name)
            && commands::find(name).is_some_and(|command| command.completes == Completes::File)
        {
            return self.files.complete(line, pos, context);
        }
        let (start, candidates) = complete(head, &self.look());
        Ok((start, candidates.into_iter().map(|text| Pair { display: text.trim_end().to_owned(), replacement: text }).collect()))
    }
}

impl Hinter for Helper {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<String> {
        let snapshot = self.look();
        if !self.color || !snapshot.hints || pos < line.len() {
            return None;
        }
        let columns = Terminal::width().unwrap_or(80);
        let ghost = hint(line, &snapshot)?;
        // A hint that wraps would stay on the screen: it is cut to what the row can hold.
        let free = columns.checked_sub(snapshot.prompt_width + text::width(line) + 1)?;
        let ghost = text::cut(&ghost, free);
        (columns >= NARROWEST && !ghost.is_empty()).then(|| ghost.to_owned())
    }
}

impl Highlighter for Helper {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }
}

/// Whether the line of a message is the beginning of a header's name that Tab completes.
pub(super) fn begins_header(line: &str) -> bool {
    !line.is_empty() && !starting_with(HEADERS.iter().map(|&header| header.to_owned()), line).is_empty()
}

/// Where the completed word starts, and what it may become.
pub(super) fn complete(head: &str, snapshot: &Snapshot) -> (usize, Vec<String>) {
    if let Some(rest) = head.strip_prefix(':') {
        return complete_local(rest, snapshot);
    }
    match snapshot.mode {
        Mode::Message => (0, starting_with(HEADERS.iter().map(|&header| header.to_owned()), head)),
        Mode::Answer(_) | Mode::Chunk | Mode::Question => (head.len(), Vec::new()),
        Mode::Command => complete_command(head, snapshot),
    }
}

fn complete_local(rest: &str, snapshot: &Snapshot) -> (usize, Vec<String>) {
    let Some((name, argument)) = rest.split_once(' ') else {
        return (1, starting_with(commands::COMMANDS.iter().map(super::commands::LocalCommand::completion), rest));
    };
    let start = 1 + name.len() + 1;
    let words: Vec<String> = match commands::find(name).map(|command| &command.completes) {
        Some(Completes::Words(words)) => words.iter().map(|&word| word.to_owned()).collect(),
        Some(Completes::Topics) => {
            let names = commands::COMMANDS.iter().map(|command| command.name).chain(verb::VERBS.iter().map(|verb| verb.name));
            names.map(str::to_lowercase).collect()
        }
        Some(Completes::Mechanisms) => snapshot.mechanisms.iter().filter(|name| crate::sasl::lookup(name).is_some()).cloned().collect(),
        _ => Vec::new(),
    };
    (start, starting_with(words.into_iter(), argument))
}

fn complete_command(head: &str, snapshot: &Snapshot) -> (usize, Vec<String>) {
    if !snapshot.greeted {
        return (0, Vec::new());
    }
    let upper = head.to_ascii_uppercase();
    if ["EHLO ", "HELO ", "LHLO "].iter().any(|verb| upper.starts_with(verb)) {
        return (5, starting_with([snapshot.own_name.clone()].into_iter(), &head[5..]));
    }
    if upper.starts_with("AUTH ") {
        return (5, starting_with(snapshot.mechanisms.iter().cloned(), &head[5..]));
    }
    for (verb, opening) in [("MAIL", "MAIL FROM:<"), ("RCPT", "RCPT TO:<")] {
        if upper.starts_with(opening) {
            return complete_path(head, opening.len(), verb, snapshot);
        }
    }
    let now = verb::VERBS.iter().filter(|verb| makes_sense(verb, snapshot));
    (0, starting_with(now.map(|verb| verb.template.to_owned()), head))
}

/// The address in brackets, then the parameters that EHLO offered.
fn complete_path(head: &str, opening: usize, verb: &str, snapshot: &Snapshot) -> (usize, Vec<String>) {
    let Some(closed) = address::closing_bracket(&head[opening..]) else {
        let addresses = snapshot.addresses.iter().map(|address| format!("{address}>"));
        return (opening, starting_with(addresses, &head[opening..]));
    };
    let start = head.rfind(' ').map_or(head.len(), |at| at + 1).max(opening + closed + 1);
    let parameters = verb::PARAMETERS.iter().filter(|one| one.verb == verb && snapshot.offers(one.keyword));
    let spaced = start == opening + closed + 1;
    let texts = parameters.map(|one| if spaced { format!(" {}", one.text) } else { one.text.to_owned() });
    (start, starting_with(texts, &head[start..]))
}

fn makes_sense(verb: &Verb, snapshot: &Snapshot) -> bool {
    match verb.when {
        When::Always => true,
        When::Greeting => !snapshot.hello && !snapshot.lmtp,
        When::Idle => snapshot.hello && !snapshot.mail,
        When::Mail => snapshot.mail,
        When::Recipient => snapshot.recipient,
        When::Offered("LMTP") => snapshot.lmtp && !snapshot.hello,
        When::Offered("CHUNKING") => snapshot.recipient && snapshot.offers("CHUNKING"),
        When::Offered(keyword) => snapshot.hello && !snapshot.mail && snapshot.offers(keyword),
    }
}

/// Those that begin with what is typed, in any case; the case of what was typed is kept.
fn starting_with(candidates: impl Iterator<Item = String>, typed: &str) -> Vec<String> {
    let fits = |candidate: &String| {
        candidate.len() >= typed.len() && candidate.is_char_boundary(typed.len()) && candidate[..typed.len()].eq_ignore_ascii_case(typed)
    };
    let lower = !typed.is_empty() && typed.chars().any(char::is_lowercase) && !typed.chars().any(char::is_uppercase);
    candidates
        .filter(fits)
        .map(|candidate| {
            let tail = &candidate[typed.len()..];
            let is_verb = verb::VERBS.iter().any(|verb| verb.template == candidate);
            format!("{typed}{}", if lower && is_verb { tail.to_ascii_lowercase() } else { tail.to_owned() })
        })
        .collect()
}

/// The ghost behind what is typed: the rest of the verb's syntax, or the last address.
pub(super) fn hint(line: &str, snapshot: &Snapshot) -> Option<String> {
    if snapshot.mode != Mode::Command || line.is_empty() || line.starts_with(':') {
        return None;
    }
    let upper = line.to_ascii_uppercase();
    let verb = verb::VERBS.iter().find(|verb| {
        let known = upper.split(' ').next().unwrap_or_default();
        known == verb.name || verb.name.starts_with(&upper) && makes_sense(verb, snapshot)
    })?;
    if upper.len() <= verb.syntax.len() && verb.syntax.to_ascii_uppercase().starts_with(&upper) {
        return Some(verb.syntax[line.len()..].to_owned());
    }
    let opening = verb.template;
    if upper == opening { snapshot.addresses.first().map(|address| format!("{address}>")) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            greeted: true,
            hello: true,
            offered: ["SIZE", "DSN", "AUTH", "8BITMIME"].map(str::to_owned).to_vec(),
            mechanisms: ["NTLM", "LOGIN"].map(str::to_owned).to_vec(),
            own_name: "client.alt.test".to_owned(),
            addresses: vec!["someone@alt.test".to_owned()],
            hints: true,
            ..Snapshot::default()
        }
    }

    #[test]
    fn completion_follows_the_state_and_the_offer() {
        let idle = snapshot();
        let begun = Snapshot { mail: true, ..snapshot() };
        let reached = Snapshot { mail: true, recipient: true, ..snapshot() };
        let fresh = Snapshot { hello: false, ..snapshot() };
        let lmtp = Snapshot { hello: false, lmtp: true, ..snapshot() };
        let silent = Snapshot { greeted: false, ..snapshot() };
        let table: &[(&Snapshot, &str, usize, &[&str])] = &[
            (&silent, "E", 0, &[]),
            (&fresh, "", 0, &["EHLO ", "HELO ", "NOOP", "HELP", "QUIT"]),
            (&lmtp, "", 0, &["LHLO ", "NOOP", "HELP", "QUIT"]),
            (&lmtp, "lhlo ", 5, &["client.alt.test"]),
            (&idle, "m", 0, &["mail from:<"]),
            (&idle, "MA", 0, &["MAIL FROM:<"]),
            (&idle, "ST", 0, &[]),
            (&begun, "r", 0, &["rcpt to:<", "rset"]),
            (&reached, "D", 0, &["DATA"]),
            (&idle, "EHLO ", 5, &["client.alt.test"]),
            (&idle, "auth l", 5, &["lOGIN"]),
            (&idle, "MAIL FROM:<s", 11, &["someone@alt.test>"]),
            (&idle, "MAIL FROM:<a@b> S", 16, &["SIZE="]),
            (&idle, "MAIL FROM:<a@b> B", 16, &["BODY=7BIT", "BODY=8BITMIME"]),
            (&begun, "RCPT TO:<a@b> N", 14, &["NOTIFY=NEVER", "NOTIFY=SUCCESS,FAILURE,DELAY"]),
            (&idle, ":stat", 1, &["state"]),
            (&idle, ":help mai", 6, &["mail"]),
        ];
        for (snapshot, head, start, want) in table {
            let (at, candidates) = complete(head, snapshot);
            assert_eq!((at, candidates.iter().map(String::as_str).collect::<Vec<_>>()), (*start, want.to_vec()), "{head}");
        }
    }

    #[test]
    fn hints_show_the_rest_of_the_syntax() {
        let table = [
            ("MAIL", Some(" FROM:<address> [parameters]")),
            ("mail f", Some("ROM:<address> [parameters]")),
            ("MAIL FROM:<", Some("address> [parameters]")),
            ("MAIL FROM:<x", None),
            ("AUTH", Some(" <mechanism> [initial-response]")),
            ("XYZ", None),
            ("", None),
        ];
        for (line, want) in table {
            assert_eq!(hint(line, &snapshot()).as_deref(), want, "{line}");
        }
        let asked = Snapshot { mode: Mode::Question, ..snapshot() };
        assert_eq!(hint("MAIL", &asked), None);
    }
}
