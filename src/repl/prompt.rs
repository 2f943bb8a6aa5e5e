//! The prompt: who, where, in which state, in words.

use crate::session::dialogue::Question;
use crate::session::{Security, Session, Stage};
use crate::target::Target;
use crate::text::{printable_str, width};

/// Below this width the host is cut to its first label.
const NARROW: usize = 60;

/// `[user@]host[ (state)]> `, or what is asked within AUTH, or `data> `.
pub(super) fn prompt(session: Option<&Session>, target: &Target, with_port: bool, columns: usize) -> String {
    let Some(session) = session.filter(|session| session.is_open()) else { return "not connected> ".to_owned() };
    if session.stage() == Stage::Message {
        return "data> ".to_owned();
    }
    if session.stage() == Stage::Chunk {
        return "bdat> ".to_owned();
    }
    if let Some(dialogue) = session.dialogue() {
        return match dialogue.challenge.asks {
            Question::UserName | Question::UserNameAndPassword => "username> ".to_owned(),
            Question::Password => "password> ".to_owned(),
            Question::Base64 { .. } => format!("auth {}> ", printable_str(&dialogue.mechanism.to_ascii_lowercase())),
        };
    }
    let whole = place(session, target, with_port, false);
    let place = if columns < NARROW || width(&whole) * 2 > columns { place(session, target, with_port, true) } else { whole };
    let tls = match session.security() {
        Security::Clear => "",
        Security::Verified => " tls",
        Security::Unverified => " tls!",
    };
    format!("{place}{tls}{}> ", state(session))
}

fn place(session: &Session, target: &Target, with_port: bool, short: bool) -> String {
    let is_address = target.address().is_some();
    if let Some(path) = &target.socket {
        let user = session.user().map(|user| format!("{}@", printable_str(user))).unwrap_or_default();
        return format!("{user}{}", printable_str(if short { path.rsplit('/').next().unwrap_or(path) } else { path }));
    }
    let host = if short && !is_address { target.host.split('.').next().unwrap_or_default() } else { &target.host };
    let port = if with_port || !matches!(target.port, 24 | 25 | 465 | 587) { format!(":{}", target.port) } else { String::new() };
    let host = if target.host.contains(':') && !port.is_empty() { format!("[{host}]") } else { host.to_owned() };
    let user = session.user().map(|user| {
        let user = if short { user.split('@').next().unwrap_or_default() } else { user };
        format!("{}@", printable_str(user))
    });
    format!("{}{}{port}", user.unwrap_or_default(), printable_str(&host))
}

fn state(session: &Session) -> String {
    let transaction = session.transaction();
    match (transaction.sender.is_some(), transaction.accepted.len()) {
        (_, count @ 1..) => format!(" ({count} rcpt)"),
        (true, 0) => " (mail)".to_owned(),
        (false, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn session(lines: &[&str]) -> Session {
        let mut session = Session::new();
        for line in lines {
            match line.split_once(' ') {
                Some(("C:", command)) => session.send(Duration::ZERO, command.as_bytes(), &mut Vec::new()),
                Some(("S:", reply)) => session.receive(Duration::ZERO, format!("{reply}\r\n").as_bytes()),
                _ => panic!("{line}"),
            }
            while session.next_event().is_some() {}
        }
        session
    }

    #[test]
    fn the_state_is_said_in_words() {
        let target = Target::new("mail.contoso.test", 25);
        let hello = ["S: 220 mx", "C: EHLO a", "S: 250 mx"];
        let table: &[(&[&str], usize, &str)] = &[
            (&["S: 220 mx"], 80, "mail.contoso.test> "),
            (&["S: 220 mx"], 50, "mail> "),
            (&["C: MAIL FROM:<a@b>", "S: 250 ok"], 80, "mail.contoso.test (mail)> "),
            (
                &["C: MAIL FROM:<a@b>", "S: 250 ok", "C: RCPT TO:<c@d>", "S: 250 ok", "C: RCPT TO:<e@f>", "S: 550 no"],
                80,
                "mail.contoso.test (1 rcpt)> ",
            ),
            (&["C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6"], 80, "username> "),
            (&["C: AUTH LOGIN bG9nb24=", "S: 334 UGFzc3dvcmQ6"], 80, "password> "),
            (&["C: AUTH LOGIN bG9nb24=", "S: 235 ok"], 80, "logon@mail.contoso.test> "),
            (&["C: AUTH NTLM", "S: 334 NTLM supported"], 80, "auth ntlm> "),
            (&["C: DATA", "S: 354 go on"], 80, "data> "),
            (&["C: QUIT", "S: 221 bye"], 80, "mail.contoso.test> "),
        ];
        for (lines, columns, want) in table {
            let all: Vec<&str> =
                if lines[0].starts_with("S: 220") { lines.to_vec() } else { hello.iter().chain(lines.iter()).copied().collect() };
            assert_eq!(prompt(Some(&session(&all)), &target, false, *columns), *want, "{lines:?}");
        }
        assert_eq!(prompt(None, &target, false, 80), "not connected> ");
        let local = Target::new("::1", 2525);
        assert_eq!(prompt(Some(&session(&["S: 220 mx"])), &local, false, 80), "[::1]:2525> ");
    }
}
