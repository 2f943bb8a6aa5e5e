//! One server for each row of the table of exit statuses (P44), and every failure in its own words.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::run::{ehlo, ehlo_to};
use crate::support::scripted::{closed_port, serve};

/// A conversation: flags, what the server does, what is typed, the status, and words of standard error.
struct Row {
    flags: &'static [&'static str],
    server: &'static str,
    input: &'static str,
    status: i32,
    words: &'static [&'static str],
}

const fn row(server: &'static str, input: &'static str, status: i32, words: &'static [&'static str]) -> Row {
    Row { flags: &[], server, input, status, words }
}

#[test]
fn each_end_of_a_session_has_its_status() {
    // P10 P11 P44
    let table = [
        row("S: 220 mx\nC: QUIT\nS: 221 bye", "", 0, &[]),
        row("S: 220 mx\nC: QUIT\nS: 221 bye", "QUIT\n", 0, &["Closed after"]),
        row("S: 220 mx\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye", "NOOP\n", 0, &[]),
        row("S: 220 mx\nC: VRFY x\nS: 550 no\nC: QUIT\nS: 221 bye", "VRFY x\n", 1, &["?  "]),
        row("S: 220 mx\nC: VRFY x\nS: 450 later\nC: QUIT\nS: 221 bye", "VRFY x\n", 9, &["?  "]),
        row("S: 220 mx\nC: NOOP\nS: 421 later\nclose", "NOOP\n", 9, &["?  "]),
        row("S: 220 mx\nC: NOOP\nclose", "NOOP\n", 6, &["instead of the reply to NOOP"]),
        row("S: 220 mx\nC: NOOP\nS! 250-half\nclose", "NOOP\n", 6, &["instead of the reply to NOOP", "not complete"]),
        row("S: 220 mx\nC: NOOP\nwait 50ms\nreset", "NOOP\n", 6, &["reset"]),
        row("S: 220 mx\nC: NOOP\nS: HTTP/1.1 400 Bad Request\nhold", "NOOP\n", 6, &["not an SMTP reply", "web server"]),
        row("S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 no\nC: QUIT\nS: 221 bye", "AUTH LOGIN\n*\n", 8, &[]),
        row("S: 220 mx\nC: AUTH X\nS: 504 no\nC: QUIT\nS: 221 bye", "AUTH X\n", 8, &["?  "]),
        row("S: 220 mx\nC: DATA\nS: 354 go\nhold", "DATA\ntext\n", 1, &["nothing is delivered"]),
        row("S: 220 mx\nC: QUIT\nS: 221 bye", ":nonsense\n", 1, &["no local command :nonsense"]),
        Row { flags: &["--timeout", "1"], ..row("S: 220 mx\nC: NOOP\nhold", "NOOP\n", 5, &["within 1 s", "the reply to NOOP"]) },
        Row {
            flags: &["--keep-going"],
            ..row("S: 220 mx\nC: VRFY x\nS: 550 no\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye", "VRFY x\nNOOP\n", 1, &["?  "])
        },
    ];
    for Row { flags, server, input, status, words } in table {
        let server = serve(server);
        let mut run = ehlo_to(server.port, flags).stdin(input).status(status).any_out().err("Connected to 127.0.0.1 port");
        for word in words {
            run = run.err(*word);
        }
        run.check();
        server.end();
    }
}

#[test]
fn a_command_is_done_only_by_the_class_of_reply_that_it_needs() {
    // P48 P55: out of step, the session of a script is over, and nothing more is said.
    let message = "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: DATA\nS: 354 go\n";
    let typed = "MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\ntext\n.\nQUIT\n";
    let after_message = |reply: &str| format!("{message}message\nS: {reply}\nhold");
    let table = [
        ("S: 220 mx\nC: EHLO a\nS: 220 mx ESMTP\nhold".to_owned(), "EHLO a\nQUIT\n", "220 is a greeting, but the reply to EHLO is due"),
        ("S: 220 mx\nC: EHLO a\nS: 334 go\nhold".to_owned(), "EHLO a\nQUIT\n", "334 does not answer EHLO (2yz does)"),
        ("S: 220 mx\nC: MAIL FROM:<>\nS: 354 go\nhold".to_owned(), "MAIL FROM:<>\nQUIT\n", "354 does not answer MAIL FROM"),
        ("S: 220 mx\nC: RCPT TO:<c@d.test>\nS: 354 go\nhold".to_owned(), "RCPT TO:<c@d.test>\nDATA\nx\n.\n", "354 does not answer RCPT TO"),
        ("S: 220 mx\nC: RCPT TO:<c@d.test>\nS: 221 bye\nhold".to_owned(), "RCPT TO:<c@d.test>\nQUIT\n", "221 does not answer RCPT TO"),
        ("S: 220 mx\nC: NOOP\nS: 220 mx\nhold".to_owned(), "NOOP\nQUIT\n", "220 is a greeting"),
        ("S: 220 mx\nC: RSET\nS: 300 what\nhold".to_owned(), "RSET\nQUIT\n", "300 does not answer RSET"),
        ("S: 220 mx\nC: QUIT\nS: 354 go\nhold".to_owned(), "QUIT\n", "354 does not answer QUIT (221 does)"),
        (after_message("354 go on"), typed, "354 does not answer the message (2yz does)"),
        (after_message("334 x"), typed, "334 does not answer the message"),
        (message.replace("354 go", "250 ok") + "hold", typed, "250 does not answer DATA (354 does)"),
    ];
    for (server, input, words) in table {
        for flags in [&[][..], &["--keep-going"]] {
            let server = serve(&server);
            let done = ehlo_to(server.port, flags).stdin(input).status(6).any_out().err(words).check();
            assert!(!done.err().contains("accepted."), "{}", done.all());
            let last = server.finish().lines().pop().unwrap_or_default();
            assert!(input.starts_with("QUIT") || last != "QUIT", "{}", done.all());
        }
    }
}

#[test]
fn delivered_stays_delivered_however_the_session_ends() {
    // P12
    let message = "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: DATA\nS: 354 go\nmessage\n";
    let typed = "MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\ntext\n.\n";
    // What happens from the last reply on, and whether that is worth a warning.
    let table = [
        ("S: 250 queued\nclose", "!  The"),
        ("S: 250 queued\nreset", "!  The"),
        ("S: 250 queued\nwait 100ms\nclose", "!  The"),
        ("S! 250 queued\\r\\n421 4.3.2 going down\\r\\n\nclose", "stay accepted"),
        ("S: 250 queued\nwait 50ms\nS: 421 4.3.2 going down\nclose", "stay"),
        ("S: 250 queued\nC: QUIT\nclose", "instead of the reply to QUIT"),
        ("S: 250 queued\nC: QUIT\nwait 50ms\nreset", "instead of the reply to QUIT"),
        ("S: 250 queued\nC: QUIT\nS: 421 4.3.2 busy\nclose", "QUIT is answered by 421 instead of 221"),
        ("S: 250 queued\nC: QUIT\nS: 421 4.3.2 busy\nhold", "QUIT is answered by 421 instead of 221"),
        ("S: 250 queued\nC: QUIT\nS: 500 what\nhold", "QUIT is answered by 500 instead of 221"),
        ("S: 250 queued\nC: QUIT\nS: 250 ok\nhold", "250 is unusual for QUIT (221 is the code)"),
        ("S: 250 queued\nC: QUIT\nS: 354 go\nhold", "354 does not answer QUIT"),
        ("S: 250 queued\nC: QUIT\nS: 650 x\nhold", "650 is no code of SMTP"),
        ("S: 250 queued\nC: QUIT\nS: bye\nhold", "not an SMTP reply"),
        ("S: 250 queued\nC: QUIT\nS! 221-bye\\r\\n\nclose", "instead of the reply to QUIT"),
        ("S: 250 queued\nC: QUIT\nhold", "No complete reply within 1 s"),
    ];
    for (server, warning) in table {
        for end in ["QUIT\n", ""] {
            if end.is_empty() && server.ends_with("C: QUIT\nhold") {
                // The farewell of our own is not waited for as long.
                continue;
            }
            let server = serve(&format!("{message}{server}"));
            let input = format!("{typed}{end}");
            let done = ehlo_to(server.port, &["--timeout", "1"]).stdin(input).status(0).any().check();
            assert!(
                done.err().contains("1 message accepted.") && (end.is_empty() || done.err().contains(warning)),
                "{warning}: {}",
                done.all()
            );
            assert!(!done.err().contains("Not now"), "{}", done.all());
            server.end();
        }
    }
    // Nor is a script waited for that says nothing more.
    let server = serve(&format!("{message}S: 250 queued\nclose"));
    let mut running = ehlo_to(server.port, &[]).open_stdin().start();
    running.wait_out("220 mx");
    typed.lines().for_each(|line| running.line(line));
    let done = running.finish();
    assert_eq!(done.status, Some(0), "{}", done.all());
    assert!(done.took < Duration::from_secs(10), "{:?}", done.took);
    server.end();
    // What was begun after the message, or asked, is not done.
    for (server, more, status) in [
        ("C: NOOP\nclose", "NOOP\nQUIT\n", 6),
        ("C: NOOP\nS: 421 busy\nclose", "NOOP\nQUIT\n", 9),
        ("close", "MAIL FROM:<a@b.test>\nQUIT\n", 6),
        ("C: MAIL FROM:<a@b.test>\nS: 250 ok\nC: QUIT\nclose", "MAIL FROM:<a@b.test>\nQUIT\n", 6),
    ] {
        let server = serve(&format!("{message}S: 250 queued\n{server}"));
        let done = ehlo_to(server.port, &[]).stdin(format!("{typed}{more}")).status(status).any().check();
        assert!(done.err().contains("1 message accepted before that; do not send again."), "{}", done.all());
        server.end();
    }
}

#[test]
fn each_recipient_of_lmtp_and_prdr_has_its_verdict() {
    // P11
    let begin = |hello: &str, mail: &str| {
        format!(
            "S: 220 mx\nC: {hello} a\nS: 250-mx\nS: 250 PRDR\nC: {mail}\nS: 250 ok\nC: RCPT TO:<b@d.test>\nS: 250 ok\n\
             C: RCPT TO:<no@d.test>\nS: 550 no\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: RCPT TO:<e@d.test>\nS: 250 ok\nC: DATA\nS: 354 go\nmessage\n"
        )
    };
    let typed = |hello: &str, mail: &str| {
        let rcpt = ["b", "no", "c", "e"].map(|name| format!("RCPT TO:<{name}@d.test>\n")).concat();
        format!("{hello} a\n{mail}\n{rcpt}DATA\ntext\n.\nQUIT\n")
    };
    let (plain, prdr) = ("MAIL FROM:<a@b.test>", "MAIL FROM:<a@b.test> SIZE=9 prdr");
    let quit = "C: QUIT\nS: 221 bye";
    // Hello, MAIL, what comes behind the dot, the status, and whether the message counts as accepted.
    let table = [
        ("LHLO", plain, "S: 250 b\nS: 250 c\nS: 250 e", true),
        ("LHLO", plain, "S: 550 b\nS: 250 c\nS: 450 e", true),
        ("LHLO", plain, "S: 550 b\nwait 50ms\nS: 452 c\nwait 50ms\nS: 571 e", false),
        ("EHLO", prdr, "S: 353 parts\nS: 250 b\nS: 550 c\nS: 250 e\nS: 250 queued", true),
        ("EHLO", prdr, "S: 353 parts\nwait 50ms\nS: 550 b\nwait 50ms\nS: 550 c\nS: 550 e\nS: 550 nobody", false),
        ("EHLO", prdr, "S: 353 parts\nS: 550 b\nS: 550 c\nS: 550 e\nS: 250 nobody", false),
        ("EHLO", prdr, "S: 353 parts\nS: 250 b\nS: 250 c\nS: 250 e\nS: 451 not now", false),
        ("EHLO", prdr, "S: 250 queued for all", true),
    ];
    for (hello, mail, fate, accepted) in table {
        let server = serve(&format!("{}{fate}\n{quit}", begin(hello, mail)));
        // --keep-going: one recipient is refused at RCPT. (The first refusal decides the status.)
        let done = ehlo_to(server.port, &["--keep-going"]).stdin(typed(hello, mail)).status(1).any().check();
        for line in fate.lines().filter_map(|line| line.strip_prefix("S: ")) {
            assert!(done.out().contains(line), "{line}: {}", done.all());
        }
        assert_eq!(done.err().contains("1 message accepted"), accepted, "{fate}: {}", done.all());
        assert!(!done.err().contains("Nobody asked"), "{}", done.all());
        if fate.contains('b') && !fate.contains("for all") {
            let word = if fate.contains("550 b") { "not accepted" } else { "accepted" };
            assert!(done.err().contains(&format!("For b@d.test: {word}.")), "{}", done.all());
        }
        server.finish();
    }
    // A script that stops at the first refusal waits for the others, however they arrive.
    for gap in ["", "wait 80ms\n"] {
        let fate = format!("S: 550 b\n{gap}S: 250 c\n{gap}S: 250 e\n{quit}");
        let server = serve(&(begin("LHLO", plain).replace("C: RCPT TO:<no@d.test>\nS: 550 no\n", "") + &fate));
        let input = typed("LHLO", plain).replace("RCPT TO:<no@d.test>\n", "");
        let run = ehlo_to(server.port, &[]).stdin(input).status(1).any_err();
        let done = run.out("<! 550 b\n").out("<  250 c\n<  250 e\n>  QUIT\n").check();
        assert!(done.err().contains("For e@d.test: accepted.") && done.err().contains("1 message accepted"), "{}", done.all());
        server.finish();
    }
    // 353 is nothing where PRDR was not asked for, and no other 3yz is anything where it was.
    for (mail, code) in [(plain, "353"), (prdr, "354")] {
        let server = serve(&(begin("EHLO", mail) + &format!("S: {code} what\nhold")));
        ehlo_to(server.port, &["--keep-going"])
            .stdin(typed("EHLO", mail))
            .status(6)
            .any_out()
            .err(format!("{code} does not answer the message"))
            .check();
        server.end();
    }
}

#[test]
fn a_second_refusal_of_a_login_is_no_farewell() {
    // P9: however it arrives, it came before QUIT or is for AUTH alone.
    let both = "S! 535 5.7.8 no\\r\\n535 5.7.8 no\\r\\n\nC: QUIT\nS: 221 bye";
    for refused in
        [both, "S: 535 5.7.8 no\nC: QUIT\nS: 535 5.7.8 no\nS: 221 bye", "S: 535 5.7.8 no\nC: QUIT\nS: 535 5.7.8 no\nwait 50ms\nS: 221 bye"]
    {
        for flags in [&["--allow-cleartext"][..], &["--keep-going", "--allow-cleartext"]] {
            let server = serve(&format!("S: 220 mx\nC: AUTH PLAIN AGEAYg==\n{refused}"));
            let done = ehlo_to(server.port, flags).stdin("AUTH PLAIN AGEAYg==\nQUIT\n").any().start().finish();
            // Where the script goes on, what nobody asked for ends it all the same.
            let goes_on = flags.len() == 2;
            assert_eq!(done.status, Some(if goes_on { 6 } else { 8 }), "{}", done.all());
            assert_eq!(done.out().matches("<! 535 5.7.8 no\n").count(), 2, "{}", done.all());
            assert!(goes_on || done.out().ends_with("<  221 bye\n"), "{}", done.all());
            server.end();
        }
    }
}

#[test]
fn a_server_that_closes_right_behind_its_last_reply_has_answered() {
    // P12: by chance the end of the connection was seen first.
    let message =
        "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: DATA\nS: 354 go\nmessage\nS: 250 queued\n";
    let typed = "MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\ntext\n.\nQUIT\n";
    for round in 0..30 {
        let end = ["close", "reset"][round % 2];
        let server = serve(&format!("{message}{end}"));
        let done = ehlo_to(server.port, &[]).stdin(typed).status(0).any_err().out("<  250 queued\n").check();
        assert!(done.err().contains("1 message accepted."), "{}", done.all());
        server.end();
    }
}

#[test]
fn after_the_farewell_the_connection_is_closed_at_once() {
    for behind in ["", "S! 221 bye\\r\\n250 more\\r\\n\nhold"] {
        let farewell = if behind.is_empty() { "S: 221 bye\nhold" } else { behind };
        let server = serve(&format!("S: 220 mx\nC: QUIT\n{farewell}"));
        let done = ehlo_to(server.port, &[]).stdin("QUIT\n").any().start().finish();
        assert!(done.took < Duration::from_secs(1), "{:?}\n{}", done.took, done.all());
        assert_eq!(done.out().contains("<  250 more"), !behind.is_empty(), "{}", done.all());
        assert!(done.err().contains("Closed after"), "{}", done.all());
        server.end();
    }
}

#[test]
fn what_comes_behind_the_farewell_is_shown_and_changes_nothing() {
    // P9 P12
    let message = "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: DATA\nS: 354 go\nmessage\n";
    let typed = "MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\ntext\n.\n";
    let delivered = format!("{message}S: 250 queued\n");
    for (server, input) in [("S: 220 mx\n", ""), (delivered.as_str(), typed)] {
        for quit in ["", "QUIT\n"] {
            for extra in ["550 5.7.1 no", "250 more", "421 later"] {
                let server = serve(&format!("{server}C: QUIT\nS! 221 bye\\r\\n{extra}\\r\\n\nhold"));
                let done = ehlo_to(server.port, &[]).stdin(format!("{input}{quit}")).any().check();
                assert!(done.out().contains(extra), "{}", done.all());
                let words = "!  Nobody asked for this reply: it came behind the answer to QUIT, and changes nothing.";
                assert!(done.err().contains(words) && !done.err().contains("?  "), "{}", done.all());
                assert_eq!(done.err().contains("1 message accepted."), !input.is_empty(), "{}", done.all());
                server.end();
            }
        }
    }
}

#[test]
fn a_refusal_that_nobody_asked_for_is_told_as_one() {
    // P9: the code alone names no cause, as it answers nothing.
    let message = "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: DATA\nS: 354 go\nmessage\n";
    let typed = "MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\ntext\n.\nQUIT\n";
    for extra in ["550 no", "450 no", "500 no", "250 no"] {
        let server = serve(&format!("{message}S! 250 queued\\r\\n{extra}\\r\\n\nhold"));
        let done = ehlo_to(server.port, &[]).stdin(typed).status(6).any().check();
        assert!(done.err().contains("?  Nobody asked for this reply"), "{}", done.all());
        assert_eq!(done.err().matches("?  ").count(), 1, "{}", done.all());
        assert!(done.err().contains("1 message accepted before that; do not send again."), "{}", done.all());
        server.end();
    }
}

#[test]
fn the_first_digit_decides_and_the_usual_code_is_named() {
    // P48 P2
    let data = |code: &str| {
        format!("S: 220 mx\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: DATA\nS: {code} go\nmessage\nS: 260 queued\nC: QUIT\nS: 221 bye")
    };
    let typed = "RCPT TO:<c@d.test>\nDATA\ntext\n.\nQUIT\n";
    for code in ["352", "300", "399"] {
        let server = serve(&data(code));
        let words = format!("{code} is unusual for DATA (354 is the code)");
        ehlo_to(server.port, &[]).stdin(typed).any_out().err(words).err("1 message accepted").check();
        server.finish();
    }
    for (code, status) in [("571", 1), ("585", 1), ("591", 1), ("471", 9), ("599", 1)] {
        let server = serve(&format!("S: 220 mx\nC: RCPT TO:<c@d.test>\nS: {code} 5.7.1 denied\nC: QUIT\nS: 221 bye"));
        let shown = format!("<! {code} 5.7.1 denied\n");
        let done = ehlo_to(server.port, &[]).stdin("RCPT TO:<c@d.test>\n").status(status).any_err().out(shown).check();
        assert!(!done.err().contains("no code of SMTP"), "{}", done.all());
        server.finish();
    }
}

#[test]
fn each_way_of_not_connecting_has_its_status_and_its_words() {
    // P11 P44
    let table = [
        row("close", "", 6, &["closed the connection before its greeting"]),
        row("S! 220-half\nclose", "", 6, &["closed the connection before its greeting", "in the middle"]),
        row("wait 50ms\nreset", "", 6, &["broke before the greeting"]),
        row("S: 554 no service here\nhold", "", 1, &["refuses to talk (554)"]),
        row("S: 421 busy\nclose", "", 9, &["does not want to talk now (421)"]),
        row("S: 354 what\nhold", "", 6, &["does not greet as an SMTP server"]),
        row("S: SSH-2.0-OpenSSH_9.2\nhold", "", 6, &["an SSH server"]),
        row("S: +OK POP3 ready\nhold", "", 6, &["a POP3 server"]),
        row("S: * OK IMAP4rev1 ready\nhold", "", 6, &["an IMAP server"]),
        row("S: HTTP/1.0 200 OK\nhold", "", 6, &["a web server"]),
        row("S! \\x15\\x03\\x01\\0\\x02\\x02\\x46\nclose", "", 6, &["TLS"]),
        row("S! \\x00\\x01\\x02\\xff\\n\nhold", "", 6, &["a binary protocol"]),
        Row { flags: &["--timeout", "1"], ..row("hold", "", 5, &["no greeting within 1 s"]) },
        Row { flags: &["--timeout", "1"], ..row("C! \\x16\\x03\nS: HTTP/1.1 400 Bad Request\nhold", "", 6, &["a web server"]) },
        row("forever x", "", 6, &["sent more than a reply may have"]),
    ];
    let mut headlines = HashSet::new();
    for Row { flags, server, input, status, words } in table {
        let server = serve(server);
        let mut run = ehlo_to(server.port, flags).stdin(input).status(status).any_out();
        for word in words {
            run = run.err(*word);
        }
        let done = run.err("What happened").err("Likely").err("Next").check();
        let headline = done.err().lines().find(|line| line.starts_with("!  ")).unwrap().replace(&server.port.to_string(), "PORT");
        headlines.insert(headline);
        server.end();
    }
    assert!(headlines.len() >= 12, "{headlines:#?}");
}

#[test]
fn a_closed_port_is_told_as_one() {
    let port = closed_port();
    let done = ehlo_to(port, &[]).status(4).err("refused the connection").err("What happened").check();
    assert!(done.took < Duration::from_secs(10));
}

#[test]
fn a_name_that_does_not_exist_is_told_as_one() {
    // Names under .invalid never resolve (RFC 6761 §6.4); without a network the resolver itself fails.
    let done = ehlo(["no-such-host.invalid"]).status(3).any_err().check();
    assert!(done.err().contains("no-such-host.invalid") && done.err().contains("What happened"), "{}", done.err());
}

#[test]
fn an_address_that_is_not_ours_cannot_be_bound_to() {
    let server = serve("hold");
    ehlo_to(server.port, &["-b", "192.0.2.77"]).status(4).err("The local address cannot be used").check();
    assert_eq!(server.end().connections, 0);
}

#[test]
fn an_address_of_the_other_kind_is_told_as_one() {
    let server = serve("hold");
    ehlo_to(server.port, &["-6"]).status(2).err("is not an address of the IP version that -4 or -6 asks for").check();
    assert_eq!(server.end().connections, 0);
}

#[test]
fn wrong_usage_is_2_and_nothing_is_connected_to() {
    let server = serve("hold");
    let port = server.port.to_string();
    let table: &[(&[&str], &str)] = &[
        (&["--no-such-flag"], "--no-such-flag"),
        (&["127.0.0.1", "99999"], "not a port"),
        (&["127.0.0.1", "0"], "not a port"),
        (&["127.0.0.1", "smtpp"], "not a port"),
        (&["127.0.0.1", &port, "more"], "more"),
        (&["127.0.0.1", &port, "-p", "26"], "two ports"),
        (&["user@contoso.test"], "mail address"),
        (&["http://127.0.0.1"], "http://"),
        (&["smtpx://127.0.0.1"], "smtpx://"),
        (&["127.0.0.1", &port, "--timeout", "0"], "seconds"),
        (&["127.0.0.1", &port, "--timeout", "soon"], "seconds"),
        (&["127.0.0.1", &port, "-4", "-6"], "cannot be used with"),
        (&["127.0.0.1", &port, "-u", "logon:secret"], "user name alone"),
        (&["127.0.0.1", &port, "-b", "nowhere"], "nowhere"),
        (&["--timeout", "5", "decode", "YQ=="], "stands before the command"),
        (&["dekode", "YQ=="], "did you mean the command 'ehlo decode'"),
        (&["sandbox", "--as", "sendmail"], "no server of the manner"),
        (&["sandbox", "--scenario", "greylistin"], "did you mean greylisting"),
    ];
    for (args, words) in table {
        ehlo(args.to_vec()).status(2).err(*words).check();
    }
    assert_eq!(server.end().connections, 0);
}

#[test]
fn control_bytes_in_arguments_are_refused_before_connecting() {
    // P33
    let server = serve("hold");
    let port = server.port.to_string();
    for odd in ["\r", "\n", "\u{1b}[31m", "\u{7f}", "\u{1}", "\u{9b}"] {
        let (host, name) = (format!("127.0.0{odd}.1"), format!("a{odd}b"));
        for args in [vec![&*host, &*port], vec!["127.0.0.1", &*port, "--ehlo", &*name], vec!["127.0.0.1", &*port, "-u", &*name]] {
            let done = ehlo(args.clone()).status(2).any_err().check();
            let err = done.err();
            assert!(err.starts_with("error: "), "{args:?}: {err:?}");
            assert!(err.chars().all(|c| c == '\n' || !c.is_control()), "{args:?}: {err:?}");
        }
    }
    assert_eq!(server.end().connections, 0);
}

#[test]
fn the_program_alone_shows_its_short_help() {
    let done = ehlo([""; 0]).status(2).any().check();
    assert!(done.all().contains("ehlo sandbox --tour"), "{}", done.all());
}

#[test]
fn interrupted_is_130_and_terminated_143() {
    // P38 P44
    #[cfg(unix)]
    for (signal, status) in [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143), (rustix::process::Signal::HUP, 129)]
    {
        for server in ["S: 220 mx\nhold", "hold", "S: 220 mx\nC: NOOP\nhold", "S: 220 mx\nC: DATA\nS: 354 go\nhold"] {
            let waits = server.contains("C: ");
            let greets = server.contains("S: 220");
            let word = server.split("C: ").nth(1).map_or("", |rest| rest.lines().next().unwrap());
            let server = serve(server);
            let mut running = ehlo_to(server.port, &[]).open_stdin().start();
            if greets {
                running.wait_out("220 mx");
            } else {
                server.wait_connected();
            }
            if waits {
                running.line(word);
                running.wait_out(if word == "DATA" { "354" } else { word });
            }
            running.signal(signal);
            let done = running.finish();
            assert_eq!(done.status, Some(status), "{}", done.all());
            assert!(done.took < Duration::from_secs(15));
            // P32
            assert!(!server.end().text().contains("\r\n.\r\n"));
        }
    }
}
