//! The message on the wire (P28 to P34).

use std::time::Duration;

use crate::support::run::ehlo_to;
use crate::support::scripted::serve;

const OPEN: &str = "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: DATA\nS: 354 go on\n";
const TYPED: &str = "MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\n";
const CLOSE: &str = "message\nS: 250 queued\nC: QUIT\nS: 221 bye";

/// What arrives when this is typed behind DATA.
fn arrives(body: &[u8]) -> Vec<u8> {
    let server = serve(&format!("{OPEN}{CLOSE}"));
    ehlo_to(server.port, &[]).stdin([TYPED.as_bytes(), body, b".\nQUIT\n"].concat()).any().check();
    server.finish().messages.remove(0)
}

#[test]
fn the_message_arrives_as_it_was_typed() {
    // P28 P29 P30
    let table: &[(&[u8], &[u8])] = &[
        (b"", b""),
        (b"text\n", b"text\r\n"),
        (b"text\r\n", b"text\r\n"),
        (b"\n\n", b"\r\n\r\n"),
        (b"..\n...\n.x\n", b"...\r\n....\r\n..x\r\n"),
        (b". \n.\t\n", b".. \r\n..\t\r\n"),
        (b"Subject: \xff\xfe\xc3\xa9\x08\x1b[31m\n", b"Subject: \xff\xfe\xc3\xa9\x08\x1b[31m\r\n"),
        (b":quit\n::x\nQUIT\nRSET\n", b":quit\r\n::x\r\nQUIT\r\nRSET\r\n"),
        (b"  indented  \n\t\n", b"  indented  \r\n\t\r\n"),
    ];
    for (typed, want) in table {
        let got = arrives(typed);
        assert_eq!(got, *want, "{:?} came as {:?}", String::from_utf8_lossy(typed), String::from_utf8_lossy(&got));
    }
}

#[test]
fn a_bare_cr_never_reaches_the_wire() {
    // P29
    let got = arrives(b"a\rb\r\r\nc\r.\rd\n");
    for (at, byte) in got.iter().enumerate() {
        assert!(*byte != b'\r' || got.get(at + 1) == Some(&b'\n'), "{:?}", String::from_utf8_lossy(&got));
        assert!(*byte != b'\n' || got.get(at.wrapping_sub(1)) == Some(&b'\r'), "{:?}", String::from_utf8_lossy(&got));
    }
}

#[test]
fn changes_on_the_way_are_told() {
    // P29
    let server = serve(&format!("{OPEN}{CLOSE}"));
    ehlo_to(server.port, &[]).stdin(format!("{TYPED}a\rb\n.\nQUIT\n")).any_out().err("line ends made CRLF").check();
    server.finish();
}

#[test]
fn long_lines_and_long_messages_arrive_whole() {
    // P35
    let long = vec![b'x'; 256 * 1024];
    assert_eq!(arrives(&[&long[..], b"\n"].concat()).len(), long.len() + 2);
    let line = [&[b'.'; 70][..], b"\n"].concat();
    let many: Vec<u8> = std::iter::repeat_n(&line[..], 40_000).collect::<Vec<_>>().concat();
    let got = arrives(&many);
    assert_eq!(got.len(), 40_000 * 73);
}

#[test]
fn a_nul_is_refused() {
    // P30 P32
    let server = serve(&format!("{OPEN}hold"));
    let typed = format!("{TYPED}a\0b\n.\nQUIT\n");
    ehlo_to(server.port, &[]).stdin(typed).status(1).any_out().err("NUL").err("nothing is delivered").check();
    let sent = server.end().text();
    assert!(!sent.contains("\r\n.\r\n") && !sent.contains("QUIT"), "{sent}");
}

#[test]
fn an_input_that_ends_in_the_message_delivers_nothing() {
    // P32
    for typed in ["text\n", "text", "text\n.x", ""] {
        let server = serve(&format!("{OPEN}hold"));
        ehlo_to(server.port, &[]).stdin(format!("{TYPED}{typed}")).status(1).any_out().err("nothing is delivered").check();
        let sent = server.end().text();
        assert!(!sent.contains("\r\n.\r\n") && !sent.contains("QUIT"), "{sent}");
    }
}

#[test]
fn a_dot_without_a_line_end_ends_the_message_too() {
    let server = serve(&format!("{OPEN}message\nS: 250 queued\nC: QUIT\nS: 221 bye"));
    ehlo_to(server.port, &[]).stdin(format!("{TYPED}text\n.")).any().check();
    assert_eq!(server.finish().messages, [b"text\r\n"]);
}

#[test]
fn lines_of_a_message_whose_data_is_refused_are_not_commands() {
    // P31
    for reply in ["554 5.5.1 no valid recipients", "451 later", "250 what", "221 bye"] {
        let server = serve(&format!("S: 220 mx\nC: DATA\nS: {reply}\nhold"));
        let typed = "DATA\nMAIL FROM:<evil@x.test>\nRCPT TO:<y@z.test>\n.\n";
        ehlo_to(server.port, &["--keep-going"]).stdin(typed).any().start().finish();
        let lines = server.end().lines();
        assert!(lines.iter().all(|line| line == "DATA" || line == "QUIT"), "{reply}: {lines:?}");
    }
}

#[test]
fn behind_a_refused_data_only_the_lines_of_a_message_are_passed_over() {
    // P31: they end with a lone dot; without one, what follows are commands.
    let table = [
        ("RSET\nNOOP\nQUIT\n", &["DATA", "RSET", "NOOP", "QUIT"][..]),
        ("RSET\nNOOP", &["DATA", "RSET", "NOOP", "QUIT"]),
        ("..\n.x\nNOOP\n", &["DATA", "..", ".x", "NOOP", "QUIT"]),
        ("RSET\n.\nNOOP\n", &["DATA", "NOOP", "QUIT"]),
        (".\nNOOP\n", &["DATA", "NOOP", "QUIT"]),
        ("text\n.", &["DATA", "QUIT"]),
        ("", &["DATA", "QUIT"]),
    ];
    for (behind, sent) in table {
        let rest: String =
            sent[1..].iter().map(|line| format!("C: {line}\nS: {}\n", if *line == "QUIT" { "221 bye" } else { "250 ok" })).collect();
        let server = serve(&format!("S: 220 mx\nC: DATA\nS: 503 no\n{rest}"));
        ehlo_to(server.port, &["--keep-going"]).stdin(format!("DATA\n{behind}")).status(1).any().check();
        assert_eq!(server.finish().lines(), sent, "{behind:?}");
    }
    // Without --keep-going the script is over.
    let server = serve("S: 220 mx\nC: DATA\nS: 503 no\nC: QUIT\nS: 221 bye");
    ehlo_to(server.port, &[]).stdin("DATA\nRSET\nQUIT\n").status(1).any().check();
    server.finish();
}

#[test]
fn lines_behind_a_refused_data_that_come_slowly_are_told_by_their_first() {
    // Whoever waits for the reply before the next line is not waited for in turn.
    let server = serve("S: 220 mx\nC: DATA\nS: 503 no\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye");
    let mut running = ehlo_to(server.port, &["--keep-going"]).open_stdin().start();
    running.wait_out("220 mx");
    running.line("DATA");
    running.wait_out("503 no");
    running.line("RSET");
    running.wait_out("250 ok");
    running.line("QUIT");
    assert_eq!(running.finish().status, Some(1));
    server.finish();
}

#[test]
fn data_is_said_only_after_a_recipient_was_accepted() {
    // P31
    let begin = "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 550 no\n";
    let (typed, after) = ("MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\n", "C: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye");
    for content in [
        "DATA\nSubject: x\n\nQUIT\n.\nNOOP\nQUIT\n",
        "BDAT 8 LAST\nRSET\n\nNOOP\nQUIT\n",
        "BDAT 0 LAST\nNOOP\n",
        ":data mail.eml\nNOOP\nQUIT\n",
        "DATA\nNOOP\nQUIT\n",
    ] {
        let server = serve(&format!("{begin}{after}"));
        let run = ehlo_to(server.port, &["--keep-going"]);
        std::fs::write(run.folder().join("mail.eml"), "x").unwrap();
        let done = run.stdin(format!("{typed}{content}")).status(1).any_out().err("not sent: no recipient was accepted.").check();
        assert!(!done.err().contains("message accepted"), "{}", done.all());
        server.finish();
    }
    // One is enough.
    let server =
        serve(&format!("{begin}C: RCPT TO:<e@d.test>\nS: 250 ok\nC: DATA\nS: 354 go\nmessage\nS: 250 queued\nC: QUIT\nS: 221 bye"));
    let input = format!("{typed}RCPT TO:<e@d.test>\nDATA\ntext\n.\nQUIT\n");
    ehlo_to(server.port, &["--keep-going"]).stdin(input).status(1).any_out().err("1 message accepted").check();
    assert_eq!(server.finish().messages, [b"text\r\n"]);
}

#[test]
fn a_line_that_is_too_long_is_named_with_its_length() {
    let long = "y".repeat(1500);
    let message = format!("Subject: x\n\nfirst\n{long}\nlast\n{long}\n");
    let said = "Line 4 of the message has 1500 octets; 998 are allowed (RFC 5321 section 4.5.3.1.6). 1 more line is too long.";
    for way in [format!("DATA\n{message}.\n"), ":data mail.eml\n".to_owned()] {
        let ends = [
            ("S: 500 5.0.0: Line too long\nC: QUIT\nS: 221 bye", 1),
            ("S: 250 queued\nC: QUIT\nS: 221 bye", 0),
            ("S: 554 spam\nC: QUIT\nS: 221 bye", 1),
            ("close", 6),
        ];
        for (end, status) in ends {
            let server = serve(&format!("{OPEN}message\n{end}"));
            let run = ehlo_to(server.port, &[]);
            std::fs::write(run.folder().join("mail.eml"), &message).unwrap();
            let done = run.stdin(format!("{}{way}QUIT\n", TYPED.trim_end_matches("DATA\n"))).status(status).any_out().err(said).check();
            assert_eq!(done.err().matches("998 are allowed").count(), 1, "{}", done.all());
            server.finish();
        }
    }
    // While it is under way.
    let server = serve(&format!("{OPEN}wait 100ms\nS: 500 5.5.2 line too long\nclose"));
    let mut running = ehlo_to(server.port, &[]).open_stdin().start();
    running.wait_out("220 mx");
    running.line(&format!("{TYPED}first\n{long}"));
    running.wait_out("line too long");
    let done = running.finish();
    assert!(done.err().contains("Line 2 of the message has 1500 octets"), "{}", done.all());
    server.end();
    // A message without such a line gets no such sentence.
    let server = serve(&format!("{OPEN}message\nS: 500 Line too long\nC: QUIT\nS: 221 bye"));
    let done = ehlo_to(server.port, &[]).stdin(format!("{TYPED}{}\n.\n", "x".repeat(998))).status(1).any().check();
    assert!(!done.err().contains("are allowed"), "{}", done.all());
    server.finish();
}

#[test]
fn a_command_that_is_too_long_is_told_its_length() {
    let table = [
        (format!("VRFY {}", "x".repeat(600)), "607 octets with its CRLF; 512 are allowed"),
        (format!("VRFY {}", "x".repeat(300)), "307 octets with its CRLF; 512 are allowed, so the server's limit is lower"),
        (format!("AUTH XFOO {}", "x".repeat(13_000)), "13012 octets with its CRLF; 12288 are allowed (RFC 4954"),
    ];
    for (line, words) in table {
        let server = serve("S: 220 mx\nC: *\nS: 500 5.5.6 Line too long\nC: QUIT\nS: 221 bye");
        let done = ehlo_to(server.port, &["--allow-cleartext"]).stdin(format!("{line}\nQUIT\n")).any().start().finish();
        assert!(done.err().contains(words), "{}", done.all());
        server.end();
    }
}

#[test]
fn a_file_goes_out_whole() {
    // P28 P29
    let server = serve(&format!("{OPEN}{CLOSE}"));
    let run = ehlo_to(server.port, &[]);
    std::fs::write(run.folder().join("mail.eml"), b"Subject: x\n\n.dot\r\nbare\rcr\nno end").unwrap();
    run.stdin("MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\n:data mail.eml\nQUIT\n").any_out().err("Changed on the way").check();
    assert_eq!(String::from_utf8_lossy(&server.finish().messages[0]), "Subject: x\r\n\r\n..dot\r\nbare\r\ncr\r\nno end\r\n");
}

#[test]
fn a_file_that_cannot_be_read_delivers_nothing() {
    // P32
    let server = serve("S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\nhold");
    ehlo_to(server.port, &[])
        .stdin("MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\n:data no-such.eml\n")
        .status(1)
        .any_out()
        .err("no-such.eml")
        .check();
    assert!(!server.end().text().contains("DATA"));
    let server = serve("S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\nC: DATA\nS: 354 go on\nhold");
    ehlo_to(server.port, &[]).stdin("MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\n:data .\n").status(1).any().check();
    assert!(!server.end().text().contains("\r\n.\r\n"));
}

#[test]
fn a_server_that_stops_reading_is_given_up() {
    // P34 P7
    let server = serve(&format!("{OPEN}stall"));
    let line = [&[b'x'; 998][..], b"\n"].concat();
    let body: Vec<u8> = std::iter::repeat_n(&line[..], 20_000).collect::<Vec<_>>().concat();
    let typed = [TYPED.as_bytes(), &body, b".\nQUIT\n"].concat();
    let done = ehlo_to(server.port, &["--timeout", "1"]).stdin(typed).status(5).any_out().err("took nothing more for 1 s").check();
    assert!(done.memory < 64 * 1024, "{} KiB", done.memory);
    server.end();
}

#[test]
fn a_reply_that_comes_within_the_message_is_shown() {
    // P34 P10
    let line = [&[b'x'; 998][..], b"\n"].concat();
    let body: Vec<u8> = std::iter::repeat_n(&line[..], 20_000).collect::<Vec<_>>().concat();
    for (words, status) in [("552 5.3.4 too large", &[1, 6][..]), ("421 4.3.2 going down", &[9, 6][..])] {
        for end in ["close", "reset", "hold"] {
            let server = serve(&format!("{OPEN}S: {words}\nwait 200ms\n{end}"));
            let typed = [TYPED.as_bytes(), &body, b".\nQUIT\n"].concat();
            let done = ehlo_to(server.port, &["--timeout", "5"]).stdin(typed).any().start().finish();
            assert!(done.out().contains(words), "{words} {end}: {}", done.all());
            assert!(done.status.is_some_and(|got| status.contains(&got)), "{words} {end}: {:?}\n{}", done.status, done.all());
            assert!(done.took < Duration::from_secs(20));
            server.end();
        }
    }
}
