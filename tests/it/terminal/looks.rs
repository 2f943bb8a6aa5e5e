//! Colour, plainness, narrow terminals.

use super::prompt;
use crate::support::pty::{key, talk_to};
use crate::support::scripted::serve;

const TALK: &str = "S: 220 mail.contoso.test Microsoft ESMTP MAIL Service ready at Mon, 23 Nov 2026 08:19:44 -0700\nC: EHLO me\nS: 250-mail.contoso.test Hello [198.51.100.7]\nS: 250-SIZE 37748736\nS: 250-STARTTLS\nS: 250 AUTH NTLM LOGIN\nC: MAIL FROM:<a@alt.test>\nS: 250 2.1.0 Sender OK\nC: RCPT TO:<x@external.test>\nS: 550 5.7.1 Unable to relay\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye";

/// A session with a bit of everything; gives the screen and the bytes.
fn session(width: u16, flags: &[&str], env: &[(&str, &str)]) -> (String, String) {
    let server = serve(TALK);
    let start = talk_to(server.port, flags).width(width);
    let mut pty = env.iter().fold(start, |start, (name, value)| start.env(name, value)).start();
    for (line, answer) in [
        ("EHLO me", "Offers"),
        ("MAIL FROM:<a@alt.test>", "Sender OK"),
        ("RCPT TO:<x@external.test>", "no open relay"),
        (":help mail", "Source"),
        (":state", "Next"),
        ("AUTH LOGIN", "Username:"),
        ("*", "501 cancelled"),
    ] {
        pty.wait("a prompt", |screen| screen.trim_end().ends_with(['>', ':']));
        pty.line(line);
        pty.wait_for_words(answer);
    }
    pty.wait("a prompt", |screen| screen.trim_end().ends_with(['>', ':']));
    pty.line("QUIT");
    assert_eq!(pty.exit(), 0, "{}", pty.shown());
    server.finish();
    (pty.shown(), pty.raw())
}

/// What sets a colour or another look.
fn has_colour(raw: &str) -> bool {
    raw.split("\x1b[").skip(1).any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

#[test]
fn no_own_line_is_wider_than_the_terminal() {
    for width in [80, 60, 40] {
        let (shown, raw) = session(width, &["--color", "never"], &[]);
        assert!(!has_colour(&raw));
        // vt100 joins the rows that the terminal had to break.
        for row in shown.lines() {
            assert!(row.chars().count() <= usize::from(width), "{width}: {row:?}\n{shown}");
        }
    }
}

#[test]
fn a_server_line_that_runs_over_keeps_its_mark() {
    // P16
    let (_, raw) = session(40, &["--color", "never"], &[]);
    assert!(raw.contains("<  220 mail.contoso.test Microsoft ESMTP\r\n<. "), "{raw}");
}

#[test]
fn colours_are_used_and_no_color_ends_them() {
    assert!(has_colour(&session(80, &[], &[]).1));
    assert!(!has_colour(&session(80, &[], &[("NO_COLOR", "1")]).1));
    assert!(!has_colour(&session(80, &[], &[("CLICOLOR", "0")]).1));
    assert!(!has_colour(&session(80, &["--color", "never"], &[]).1));
}

#[test]
fn plain_is_words_and_one_event_a_line() {
    for (flags, env) in [(&["--plain"][..], &[][..]), (&[], &[("EHLO_PLAIN", "1")])] {
        let (_, raw) = session(80, flags, env);
        assert!(!has_colour(&raw), "{raw:?}");
        for words in ["server: 250 2.1.0 Sender OK", "server error: 550 5.7.1", "note: Offers", "hint: This server"] {
            assert!(raw.contains(words), "{words}: {raw}");
        }
        assert!(!raw.contains("<  250"));
    }
}

#[test]
fn a_dumb_terminal_is_given_plain_text() {
    let (_, raw) = session(80, &[], &[("TERM", "dumb")]);
    assert!(!raw.contains('\x1b'), "{raw:?}");
    assert!(raw.contains("server: 250 2.1.0 Sender OK"), "{raw}");
}

#[test]
fn the_prompt_is_short_on_a_narrow_terminal() {
    let server = serve(
        "S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bG9nb25AY29udG9zby50ZXN0\nS: 334 UGFzc3dvcmQ6\nC: eA==\nS: 235 2.7.0 welcome\nhold",
    );
    let mut pty = talk_to(server.port, &["--allow-cleartext"]).width(40).start();
    pty.wait_at(&prompt(server.port));
    pty.line("AUTH LOGIN");
    pty.wait_at("username>");
    pty.line("logon@contoso.test");
    pty.wait_hidden();
    pty.line("x");
    pty.wait_for("235 2.7.0");
    pty.wait_at(&format!("logon@{}", prompt(server.port)));
    pty.send(key::CTRL_D);
    pty.exit();
    server.end();
}

#[test]
fn the_prompt_names_the_state_and_the_user() {
    let server = serve(
        "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 yes\nC: RCPT TO:<e@f.test>\nS: 250 also\nC: RSET\nS: 250 gone\nhold",
    );
    let mut pty = talk_to(server.port, &[]).start();
    let place = prompt(server.port).trim_end_matches('>').to_owned();
    pty.wait_at(&prompt(server.port));
    pty.line("MAIL FROM:<a@b.test>");
    pty.wait_at(&format!("{place} (mail)>"));
    pty.line("RCPT TO:<c@d.test>");
    pty.wait_at(&format!("{place} (1 rcpt)>"));
    pty.line("RCPT TO:<e@f.test>");
    pty.wait_at(&format!("{place} (2 rcpt)>"));
    pty.line("RSET");
    pty.wait_at(&prompt(server.port));
    server.end();
}

#[test]
fn hostile_bytes_do_nothing_to_the_terminal() {
    // P14 P15
    let server =
        serve("S: 220 mx \\e]0;owned\\x07\\e[2J\\x9b31m\\x08\\x08\\e[?1049h\nC: NOOP\nS: 250 \\e[1;1Hhome\\r\\x00 \\xe2\\x80\\xae\nhold");
    let mut pty = talk_to(server.port, &["--color", "never"]).start();
    pty.wait_for("220 mx \\x1b]0;owned\\x07\\x1b[2J");
    pty.wait_at(&prompt(server.port));
    pty.line("NOOP");
    pty.wait_for("250 \\x1b[1;1Hhome\\x0d\\x00 \\u{202e}");
    assert!(!pty.raw().contains("\x1b]0;") && !pty.raw().contains("\x1b[2J") && !pty.raw().contains("\x1b[?1049h"));
    server.end();
}

#[test]
fn a_server_that_comes_early_in_the_line_being_typed_cannot_hide() {
    // P16 P37: the text of an unasked reply stands above the prompt with its mark.
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nwait 500ms\nS: 250 mx> \\r*  note\nhold");
    let mut pty = talk_to(server.port, &["--color", "never"]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("NOOP");
    pty.wait_for("250 ok");
    pty.send("RSE");
    pty.wait_for("<  250 mx> \\x0d*  note");
    pty.wait_for("Nobody asked for this reply");
    pty.wait_at(&format!("{} RSE", prompt(server.port)));
    server.end();
}
