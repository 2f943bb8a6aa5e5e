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
