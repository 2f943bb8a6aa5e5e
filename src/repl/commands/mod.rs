//! Local commands, `:name`: one descriptor each. Help, completion and "did you mean" follow from the table.

mod check;
mod compose;
mod connection;
mod inspect;

use std::future::Future;
use std::pin::Pin;

use super::Repl;
use crate::text::printable_str;
use crate::wire::verb;

/// What Tab offers behind the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completes {
    /// Nothing.
    Nothing,
    /// File names.
    File,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Login mechanisms that the server offers.
    Mechanisms,
    /// Verbs and local commands.
    Topics,
}

type Run = for<'a> fn(&'a mut Repl, &'a str) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A local command.
pub(super) struct LocalCommand {
    /// Without the colon.
    pub(super) name: &'static str,
    /// Other names.
    pub(super) aliases: &'static [&'static str],
    /// The arguments, as help shows them.
    pub(super) arguments: &'static str,
    /// What it does, 60 columns at most.
    pub(super) summary: &'static str,
    /// What else one should know.
    pub(super) details: &'static str,
    /// What Tab offers behind the name.
    pub(super) completes: Completes,
    run: Run,
}

impl LocalCommand {
    /// What completion inserts: with a space where arguments follow.
    pub(super) fn completion(&self) -> String {
        if self.arguments.is_empty() { self.name.to_owned() } else { format!("{} ", self.name) }
    }
}

macro_rules! local {
    ($name:literal $aliases:expr, $arguments:literal, $completes:expr, $summary:literal, $details:literal, |$repl:ident, $text:ident| $body:expr) => {
        LocalCommand {
            name: $name,
            aliases: $aliases,
            arguments: $arguments,
            summary: $summary,
            details: $details,
            completes: $completes,
            run: |$repl, $text| Box::pin(async move { $body }),
        }
    };
}

/// All local commands, in the order of help.
pub(super) const COMMANDS: &[LocalCommand] = &[
    local!(
        "help" & ["?", "h"],
        "[verb|command]",
        Completes::Topics,
        "this list, or one verb or command at length",
        ":help mail shows the syntax of MAIL FROM.",
        |repl, text| repl.help(text)
    ),
    local!(
        "explain" & ["e"],
        "",
        Completes::Nothing,
        "the last refusal, or a reply that is given, at length",
        "Meaning, likely causes and what to do next.",
        |repl, text| repl.explain_command(text)
    ),
    local!(
        "state" & [],
        "",
        Completes::Nothing,
        "what is open, who is logged in, what is begun",
        "Also what the server offered and what it expects next.",
        |repl, _text| repl.state()
    ),
    local!(
        "ehlo" & [],
        "",
        Completes::Nothing,
        "says EHLO with our name and explains the offer",
        "The name is this machine's, or the one of --ehlo.",
        |repl, _text| repl.ehlo_explained().await
    ),
    local!(
        "starttls" & [],
        "",
        Completes::Nothing,
        "EHLO, STARTTLS and EHLO, and what the offers differ in",
        "STARTTLS typed by hand is sent as it is; then EHLO is up to you.",
        |repl, _text| repl.starttls_command().await
    ),
    local!(
        "tls" & [],
        "[save FILE]",
        Completes::Words(&["save "]),
        "what was negotiated, and the certificates",
        "save writes the chain as PEM.",
        |repl, text| repl.tls_command(text)
    ),
    local!(
        "auth" & ["login"],
        "[MECHANISM] [USER]",
        Completes::Mechanisms,
        "logs in: the best mechanism, or the one that is named",
        "The password is asked for, hidden. AUTH typed without the colon is sent as it is.",
        |repl, text| repl.auth_command(text).await
    ),
    local!(
        "answer" & ["go"],
        "[USER]",
        Completes::Nothing,
        "carries the login on from where it stands",
        "After AUTH was typed: asks for what is needed and answers challenge after challenge.",
        |repl, text| repl.answer_command(text).await
    ),
    local!(
        "ntlm" & [],
        "[USER]",
        Completes::Nothing,
        "the NTLM exchange, begun or carried on",
        "USER as DOMAIN\\user or user@domain.",
        |repl, text| repl.ntlm_command(text).await
    ),
    local!(
        "check" & [],
        "[HOST[:PORT]]",
        Completes::Nothing,
        "how far a session comes with this server, or another",
        "On a connection of its own: connect, greeting, EHLO, TLS and certificate, each with its time. Several ports: HOST:25,465,587.",
        |repl, text| repl.check_command(text).await
    ),
    local!(
        "connect" & ["open"],
        "HOST [PORT]",
        Completes::Nothing,
        "connects to another server",
        "The open connection is closed first.",
        |repl, text| repl.connect_command(text).await
    ),
    local!(
        "reconnect" & [],
        "",
        Completes::Nothing,
        "opens the connection again and says EHLO as before",
        "A login is repeated when its password comes from a file or a command; a typed one is not kept.",
        |repl, _text| {
            repl.reconnect().await;
        }
    ),
    local!(
        "close" & [],
        "",
        Completes::Nothing,
        "closes the connection without QUIT",
        "A message that is not ended is not delivered.",
        |repl, _text| repl.close_command()
    ),
    local!(
        "data" & ["file"],
        "FILE",
        Completes::File,
        "sends DATA and the file, and ends the message",
        "Line ends become CRLF, dots are doubled. Within DATA: adds the file and ends the message (:data), or only adds it (:file).",
        |repl, text| repl.data_command(text).await
    ),
    local!(
        "bdat" & [],
        "FILE",
        Completes::File,
        "sends the file with BDAT, as one chunk, byte for byte",
        "Only where the server offers CHUNKING. Typed, BDAT asks for its octets at bdat>, each line counted with its CRLF.",
        |repl, text| repl.bdat_command(text).await
    ),
    local!(
        "sample" & [],
        "",
        Completes::Nothing,
        "a minimal message, for now or for the next DATA",
        "From, To, Date, Message-ID, Subject and one line of text.",
        |repl, _text| repl.sample_command()
    ),
    local!(
        "edit" & [],
        "",
        Completes::Nothing,
        "composes the message in your editor",
        "VISUAL, else EDITOR, else vi (Windows: notepad). Before DATA: kept for the next DATA.",
        |repl, _text| repl.edit_command().await
    ),
    local!(
        "show" & [],
        "",
        Completes::Nothing,
        "the message as far as it is composed",
        "With line numbers; nothing is sent.",
        |repl, _text| repl.show_command()
    ),
    local!(
        "abort" & [],
        "",
        Completes::Nothing,
        "gives the message up by closing the connection",
        "SMTP knows no other way once DATA was accepted.",
        |repl, _text| repl.abort_command().await
    ),
    local!(
        "decode" & [],
        "TEXT",
        Completes::Nothing,
        "says what a 334, an AUTH line or a blob says",
        "The whole line may be given; what is secret stays hidden (ehlo decode --show-secrets shows it).",
        |repl, text| repl.decode_command(text)
    ),
    local!(
        "encode" & [],
        "TEXT",
        Completes::Nothing,
        "encodes text as base64",
        "Passwords are better typed at their prompt: this line stays on the screen.",
        |repl, text| repl.encode_command(text)
    ),
    local!(
        "raw" & [],
        "[TEXT]",
        Completes::Nothing,
        "sends bytes exactly; without TEXT: the last reply escaped",
        "\\r \\n \\t \\0 \\\\ and \\xNN are understood; CRLF is added unless TEXT has a line end or ends with \\c.",
        |repl, text| repl.raw_command(text).await
    ),
    local!(
        "log" & [],
        "FILE|off",
        Completes::File,
        "records the session from now on; secrets are left out",
        "An existing file is never touched: -2 is added to the name.",
        |repl, text| repl.log_command(text)
    ),
    local!(
        "save" & [],
        "FILE",
        Completes::File,
        "writes the session so far to a file",
        "The same text as a log; .md puts it in a code block.",
        |repl, text| repl.save_command(text)
    ),
    local!(
        "timing" & [],
        "[on|off]",
        Completes::Words(&["on", "off"]),
        "shows the time of every reply",
        "Replies of a second and more always show theirs.",
        |repl, text| repl.timing_command(text)
    ),
    local!(
        "timeout" & [],
        "[SECONDS]",
        Completes::Nothing,
        "the limit for each whole reply",
        "A trickle does not extend it.",
        |repl, text| repl.timeout_command(text)
    ),
    local!(
        "keepalive" & [],
        "[SECONDS|off]",
        Completes::Words(&["60", "off"]),
        "says NOOP while nothing is typed",
        "Off by default: it shows in the server's log.",
        |repl, text| repl.keepalive_command(text)
    ),
    local!(
        "set" & [],
        "[NAME [VALUE]]",
        Completes::Words(&["explain ", "hints ", "timing ", "auth ", "prompt "]),
        "shows or changes a setting",
        "Without a name: all settings and their values.",
        |repl, text| repl.set_command(text)
    ),
    local!(
        "history" & [],
        "[WORD]",
        Completes::Nothing,
        "earlier lines, or those that hold WORD",
        "Never answers to 334, message text or the arguments of AUTH.",
        |repl, text| repl.history_command(text)
    ),
    local!("clear" & [], "", Completes::Nothing, "clears the screen", "Ctrl-L does the same.", |repl, _text| repl
        .screen
        .progress("\x1b[H\x1b[2J")),
    local!(
        "quit" & ["q", "exit"],
        "",
        Completes::Nothing,
        "ends the session: QUIT if it can be said",
        "Ctrl-D on an empty line does the same.",
        |repl, _text| repl.quit_command().await
    ),
];

/// Finds a local command by its name, an alias, or the only name that it begins.
pub(super) fn find(name: &str) -> Option<&'static LocalCommand> {
    let name = name.to_ascii_lowercase();
    let exact = COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name.as_str()));
    exact.or_else(|| {
        let mut begun = COMMANDS.iter().filter(|command| !name.is_empty() && command.name.starts_with(&name));
        begun.next().filter(|_| begun.next().is_none())
    })
}

/// Whether this is the whole name or alias of a local command.
pub(super) fn is_name(name: &str) -> bool {
    COMMANDS
        .iter()
        .any(|command| command.name.eq_ignore_ascii_case(name) || command.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name)))
}

/// Runs a local command.
pub(super) async fn run(repl: &mut Repl, name: &str, arguments: &str) {
    match find(name) {
        Some(command) => {
            // `:file` within the message only adds the file.
            if name.eq_ignore_ascii_case("file") && repl.in_message() && repl.is_terminal() {
                repl.insert_file(arguments);
            } else {
                (command.run)(repl, arguments).await;
            }
        }
        None => repl.unknown_command(name),
    }
}

impl Repl {
    fn unknown_command(&mut self, name: &str) {
        let lower = name.to_ascii_lowercase();
        let nearest = COMMANDS.iter().map(|command| (verb::distance(&lower, command.name), command.name)).min();
        let meant = match nearest {
            Some((distance, name)) if distance <= 2 && distance < lower.len().max(1) => format!(" Did you mean :{name}?"),
            _ if verb::lookup(name).is_some() => " SMTP verbs are typed without the colon.".to_owned(),
            _ => " :help lists them.".to_owned(),
        };
        // Within a message the line may have been meant for it (P49).
        let message = if self.in_message() || self.in_chunk() {
            " The line is not in the message; :: at its start puts it there, with one colon."
        } else {
            ""
        };
        self.screen.hint(format!("There is no local command :{}.{meant}{message}", printable_str(name)));
        if !self.is_terminal() && !self.options.keep_going {
            self.outcome = Some(super::Outcome::Unfinished);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_complete_and_unique() {
        for (at, command) in COMMANDS.iter().enumerate() {
            assert!(command.summary.len() <= 60, "{}", command.name);
            assert!(!command.details.is_empty());
            let names = |command: &LocalCommand| [&[command.name], command.aliases].concat();
            for other in &COMMANDS[..at] {
                assert!(names(command).iter().all(|name| !names(other).contains(name)), "{}", command.name);
            }
        }
    }

    #[test]
    fn commands_are_found_by_name_alias_and_unique_beginning() {
        let table = [
            ("help", Some("help")),
            ("?", Some("help")),
            ("q", Some("quit")),
            ("stat", Some("state")),
            ("s", None),
            ("HELP", Some("help")),
            ("", None),
            ("xyz", None),
        ];
        for (typed, want) in table {
            assert_eq!(find(typed).map(|command| command.name), want, "{typed}");
        }
    }
}
