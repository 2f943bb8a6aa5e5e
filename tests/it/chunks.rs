//! BDAT (RFC 3030): the octets behind it are content, and what is sent is whole (P30, P32, P35).

use crate::support::run::ehlo_to;
use crate::support::scripted::serve;

const HELLO: &str =
    "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 CHUNKING\nC: MAIL FROM:<a@b.test>\nS: 250 ok\nC: RCPT TO:<c@d.test>\nS: 250 ok\n";
const TYPED: &str = "EHLO a\nMAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\n";
const QUIT: &str = "C: QUIT\nS: 221 bye";

#[test]
fn the_octets_behind_bdat_are_content_as_they_stand() {
    // What stands in the script, what comes on the wire.
    let table = [
        ("BDAT 18 LAST\nSubject: x\n\nhi\n", r"BDAT 18 LAST\r\nSubject: x\r\n\r\nhi\r\n"),
        ("BDAT 18 LAST\r\nSubject: x\r\n\r\nhi\r\n", r"BDAT 18 LAST\r\nSubject: x\r\n\r\nhi\r\n"),
        ("bdat 33 last\nQUIT\n:quit\n.\n..\n* x\n250 ok\nRSET\n\n", r"bdat 33 last\r\nQUIT\r\n:quit\r\n.\r\n..\r\n* x\r\n250 ok\r\n"),
        ("BDAT 2 LAST\n\n", r"BDAT 2 LAST\r\n\r\n"),
        ("BDAT 8 LAST\na\0b\u{1}\u{e9}\n", r"BDAT 8 LAST\r\na\0b\x01\xc3\xa9\r\n"),
    ];
    for (script, wire) in table {
        // The third row has more lines than its size counts: those are commands again.
        let (script, more) =
            script.split_once("RSET\n\n").map_or((script.to_owned(), ""), |(head, _)| (format!("{head}RSET\n\n"), "C: RSET\nS: 250 ok\n"));
        let server = serve(&format!("{HELLO}C! {wire}\nS: 250 octets received\n{more}{QUIT}"));
        let done = ehlo_to(server.port, &[]).stdin(format!("{TYPED}{script}QUIT\n")).any_err().out("<  250 octets received\n").check();
        assert!(done.err().contains("1 message accepted."), "{}", done.all());
        server.finish();
    }
}

#[test]
fn chunks_follow_each_other_and_each_reply_is_awaited() {
    let server = serve(&format!(
        "{HELLO}C! BDAT 5\\r\\none\\r\\n\nquiet 50ms\nS: 250 5\nC! BDAT 7\\r\\n\\r\\ntwo\\r\\n\nquiet 50ms\nS: 250 7\nC: BDAT 0 LAST\nS: 250 all\n{QUIT}"
    ));
    let script = format!("{TYPED}BDAT 5\none\nBDAT 7\n\ntwo\nBDAT 0 LAST\nQUIT\n");
    let done = ehlo_to(server.port, &[]).stdin(script).any_err().out("<  250 5\n").out("<  250 7\n").out("<  250 all\n").check();
    assert!(done.err().contains("1 message accepted."), "{}", done.all());
    server.finish();
}

#[test]
fn a_wrong_size_is_told_with_the_right_one_and_nothing_of_the_chunk_is_sent() {
    // P32: size, content, and the words.
    let table = [
        // Counted with LF; between CR and LF; without the line end; inside a line.
        (15, "Subject: x\n\nhi\n", "BDAT 18"),
        (17, "Subject: x\n\nhi\n", "18 with it"),
        (16, "Subject: x\n\nhi\n", "14 octets end before that line"),
        (3, "Subject: x\n\nhi\n", "inside line 1"),
        // Too small by whole lines.
        (12, "Subject: x\n\nhi\n", "there are 18 octets"),
        // Too large: the command behind it and the end of the input.
        (19, "Subject: x\n\nhi\n", "inside line 4"),
        (60, "Subject: x\n\nhi\n", "24 octets are there"),
        (17_000_000, "x\n", ":bdat FILE sends a file of any size"),
    ];
    for (size, content, words) in table {
        for last in ["", " LAST"] {
            let server = serve(&format!("{HELLO}hold"));
            let script = format!("{TYPED}BDAT {size}{last}\n{content}QUIT\n");
            ehlo_to(server.port, &[]).stdin(script).status(1).any_out().err(words).err("nothing is delivered").check();
            let lines = server.end().lines();
            assert_eq!(lines.last().map(String::as_str), Some("RCPT TO:<c@d.test>"), "{lines:?}");
        }
    }
}

#[test]
fn an_input_that_ends_inside_a_chunk_is_not_finished() {
    // P32
    for script in ["BDAT 20 LAST\nhalf", "BDAT 20 LAST\n", "BDAT 20 LAST", "BDAT 5\none\nBDAT 9 LAST\ntwo\n"] {
        let first = if script.starts_with("BDAT 5") { "C! BDAT 5\\r\\none\\r\\n\nS: 250 5\n" } else { "" };
        let server = serve(&format!("{HELLO}{first}hold"));
        ehlo_to(server.port, &[]).stdin(format!("{TYPED}{script}")).status(1).any_out().err("The input ends inside").check();
        let text = server.end().text();
        assert!(!text.contains("LAST") && !text.contains("QUIT"), "{text}");
    }
    // By hand: the size alone goes out.
    let server = serve(&format!("{HELLO}C! BDAT 20\\r\\n\nhold"));
    ehlo_to(server.port, &[]).stdin(format!("{TYPED}:raw BDAT 20\nhalf\n")).status(1).any_out().err("nothing is delivered").check();
    server.end();
}

#[test]
fn arguments_that_are_none_of_bdat_end_a_script_and_nothing_of_the_content_is_sent() {
    // P30 P32
    for arguments in ["99999999999999999999 LAST", "LAST", "+4 LAST", "4 LATS", "4 LAST x", "four LAST", ""] {
        for flags in [&[][..], &["--keep-going"]] {
            let server = serve(&format!("{HELLO}hold"));
            let script = format!("{TYPED}BDAT {arguments}\nRSET\nQUIT\n");
            let words = "is not the syntax of BDAT, which is: BDAT octets [LAST].";
            ehlo_to(server.port, flags).stdin(script).status(1).any_out().err(words).err("nothing is delivered").check();
            let lines = server.end().lines();
            assert_eq!(lines.last().map(String::as_str), Some("RCPT TO:<c@d.test>"), "{lines:?}");
        }
    }
    let server = serve(&format!("{HELLO}C! BDAT  4\\tLAST\\r\\nab\\r\\n\nS: 250 queued\n{QUIT}"));
    ehlo_to(server.port, &[]).stdin(format!("{TYPED}BDAT  4\tLAST\nab\nQUIT\n")).any_out().err("1 message accepted.").check();
    server.finish();
}

#[test]
fn a_message_begun_with_bdat_and_never_ended_is_not_finished() {
    // P32: how the script ends, and what it says between.
    let words = "A message was begun with BDAT and never ended with LAST: nothing of it was delivered.";
    let chunk = "C! BDAT 5\\r\\none\\r\\n\nS: 250 5\n";
    let table = [
        ("BDAT 5\none\n", chunk, "", true),
        ("BDAT 5\none\nQUIT\n", chunk, "", true),
        ("BDAT 5\none\nNOOP\nQUIT\n", chunk, "C: NOOP\nS: 250 ok\n", true),
        ("BDAT 0\n", "C: BDAT 0\nS: 250 0\n", "", true),
        ("BDAT 5\none\nRSET\nQUIT\n", chunk, "C: RSET\nS: 250 ok\n", false),
        ("BDAT 5\none\nBDAT 0 LAST\n", chunk, "C: BDAT 0 LAST\nS: 250 queued\n", false),
    ];
    for (script, first, more, unfinished) in table {
        let server = serve(&format!("{HELLO}{first}{more}{QUIT}"));
        let run = ehlo_to(server.port, &[]).stdin(format!("{TYPED}{script}")).status(i32::from(unfinished));
        let done = run.any().check();
        assert_eq!(done.err().contains(words), unfinished, "{}", done.all());
        server.finish();
    }
}

#[test]
fn nothing_follows_a_refused_chunk() {
    // P30
    for flags in [&[][..], &["--keep-going"]] {
        let goes_on = !flags.is_empty();
        let rest = if goes_on { "C: RSET\nS: 250 ok\n" } else { "" };
        let server = serve(&format!("{HELLO}C! BDAT 5\\r\\none\\r\\n\nS: 552 too much\n{rest}{QUIT}"));
        let script = format!("{TYPED}BDAT 5\none\nBDAT 6\nQUIT\nBDAT 6 LAST\nRSET\nBDAT 0 LAST\nRSET\nQUIT\n");
        let done = ehlo_to(server.port, flags).stdin(script).status(1).any().check();
        assert_eq!(done.err().contains("the chunk before was refused"), goes_on, "{}", done.all());
        assert!(!done.err().contains("accepted."), "{}", done.all());
        server.finish();
    }
}

#[test]
fn a_server_that_does_not_know_bdat_gets_no_octets_as_commands() {
    let hello = HELLO.replace("S: 250-mx\nS: 250 CHUNKING", "S: 250 mx");
    for (reply, status) in [("502 5.5.1 not here", 1), ("421 4.3.2 no", 9)] {
        let server = serve(&format!("{hello}C: BDAT 6 LAST\nS: {reply}\n{}", if status == 1 { QUIT } else { "close" }));
        let done = ehlo_to(server.port, &["--keep-going"]).stdin(format!("{TYPED}BDAT 6 LAST\nRSET\nQUIT\n")).status(status).any().check();
        assert!(done.err().contains("The 6 octets behind BDAT are not sent."), "{}", done.all());
        assert!(!server.finish().lines().contains(&"RSET".to_owned()));
    }
    // One that knows it and does not say so.
    let server = serve(&format!("{hello}C: BDAT 6 LAST\nC! RSET\\r\\n\nS: 250 queued\n{QUIT}"));
    ehlo_to(server.port, &[]).stdin(format!("{TYPED}BDAT 6 LAST\nRSET\nQUIT\n")).any_out().err("1 message accepted.").check();
    server.finish();
}

#[test]
fn a_file_goes_out_as_one_chunk_byte_for_byte() {
    // P30
    let content: Vec<u8> = [&b"Subject: x\n\r\n.\0\xff\r"[..], &vec![b'y'; 300_000], b"end"].concat();
    let server = serve(&format!(
        "{HELLO}C: BDAT {} LAST\nC! {}\nS: 250 queued\n{QUIT}",
        content.len(),
        content.escape_ascii().to_string().replace("\\x00", "\\0")
    ));
    let run = ehlo_to(server.port, &[]);
    std::fs::write(run.folder().join("mail.bin"), &content).unwrap();
    let done = run.stdin(format!("{TYPED}:bdat mail.bin\nQUIT\n")).any_out().err("1 line ends with LF alone").check();
    assert!(done.err().contains("1 message accepted."), "{}", done.all());
    server.finish();
    // An empty one; one that is not there; a server that does not offer it.
    let server = serve(&format!("{HELLO}C: BDAT 0 LAST\nS: 250 queued\n{QUIT}"));
    let run = ehlo_to(server.port, &[]);
    std::fs::write(run.folder().join("empty"), b"").unwrap();
    run.stdin(format!("{TYPED}:bdat empty\nQUIT\n")).any().check();
    server.finish();
    let plain = HELLO.replace("S: 250-mx\nS: 250 CHUNKING", "S: 250 mx");
    for (hello, file, words) in
        [(HELLO, "none", "none: "), (HELLO, ".", "no regular file"), (&plain, "mail", ":data mail sends the file with DATA")]
    {
        let server = serve(&format!("{hello}{QUIT}"));
        let run = ehlo_to(server.port, &[]);
        std::fs::write(run.folder().join("mail"), b"x").unwrap();
        run.stdin(format!("{TYPED}:bdat {file}\nQUIT\n")).status(1).any_out().err(words).check();
        server.finish();
    }
}

#[test]
fn lmtp_answers_a_chunk_once_for_each_recipient() {
    let hello = HELLO.replace("EHLO", "LHLO") + "C: RCPT TO:<e@d.test>\nS: 250 ok\n";
    let server = serve(&format!("{hello}C! BDAT 2\\r\\n\\r\\n\nS: 250 so far\nC! BDAT 5 LAST\\r\\none\\r\\n\nS: 250 c\nS: 450 e\n{QUIT}"));
    let script = format!("{}RCPT TO:<e@d.test>\nBDAT 2\n\nBDAT 5 LAST\none\nQUIT\n", TYPED.replace("EHLO", "LHLO"));
    let done = ehlo_to(server.port, &[]).stdin(script).status(9).any().check();
    assert!(done.err().contains("For c@d.test: accepted.") && done.err().contains("For e@d.test: not accepted."), "{}", done.all());
    server.finish();
}

#[test]
fn octets_that_come_slowly_are_waited_for() {
    let server = serve(&format!("{HELLO}C! BDAT 10 LAST\\r\\none\\r\\ntwo\\r\\n\nS: 250 queued\n{QUIT}"));
    let mut running = ehlo_to(server.port, &[]).open_stdin().start();
    running.wait_out("220 mx");
    for line in format!("{TYPED}BDAT 10 LAST\none").lines() {
        running.line(line);
    }
    running.wait_out("RCPT TO");
    running.line("two");
    running.wait_out("250 queued");
    running.line("QUIT");
    assert_eq!(running.finish().status, Some(0));
    server.finish();
}
