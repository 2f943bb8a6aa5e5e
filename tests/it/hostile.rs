//! Servers that want to do harm, or are broken beyond sense.

use std::time::Duration;

use crate::support::run::{Done, ehlo_to};
use crate::support::scripted::serve;

/// P6: 64 MiB.
const MOST_MEMORY: u64 = 64 * 1024;

fn within_memory(done: &Done) {
    assert!(done.memory < MOST_MEMORY, "{} KiB", done.memory);
}

#[test]
fn a_line_without_end_is_given_up() {
    // P6
    for flood in
        ["forever 250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "forever \\0", "forever \\xff\\xfe\\x1b"]
    {
        let server = serve(&format!("S: 220 mx\nC: EHLO a\n{flood}"));
        let done = ehlo_to(server.port, &[]).stdin("EHLO a\nQUIT\n").status(6).any_out().err("too long").err("32 KiB").check();
        within_memory(&done);
        server.finish();
    }
}

#[test]
fn a_reply_without_end_is_given_up() {
    // P6
    for (flood, limit) in [
        (
            "forever 250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\r\\n",
            "256 KiB",
        ),
        ("forever 250-x\\r\\n", "2000 lines"),
        ("S: 250-x\nforever \\r\\n", "2000 lines"),
    ] {
        let server = serve(&format!("S: 220 mx\nC: EHLO a\n{flood}"));
        let done = ehlo_to(server.port, &[]).stdin("EHLO a\nQUIT\n").status(6).any_out().err("too long").err(limit).check();
        within_memory(&done);
        server.finish();
    }
}

#[test]
fn a_flood_of_replies_ends_a_script_and_takes_no_memory() {
    // P6 P9
    for flood in ["forever 250 x\\r\\n", "forever x\\r\\n", "forever \\r\\n"] {
        let server = serve(&format!("S: 220 mx\nC: EHLO a\n{flood}"));
        let done = ehlo_to(server.port, &["--timeout", "2"]).stdin("EHLO a\nNOOP\nQUIT\n").any().start().finish();
        assert!(matches!(done.status, Some(5 | 6)), "{flood}: {:?}", done.status);
        within_memory(&done);
        server.finish();
    }
}

#[test]
fn many_lines_within_the_limits_are_all_shown() {
    // P6 P13: RFC 4954 §4 asks for lines of 12288 octets.
    let long = "x".repeat(12_288 - 6);
    let many = (0..1000).map(|n| format!("X-{n}")).collect::<Vec<_>>().join(" ");
    let server = serve(&format!("S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250-{long}\nS: 250 AUTH {many}\nC: QUIT\nS: 221 bye"));
    let done = ehlo_to(server.port, &[]).stdin("EHLO a\nQUIT\n").out(long).out("X-999").any_err().check();
    server.finish();
    assert!(done.err().contains("and 992 more"), "{}", done.err());
}

#[test]
fn a_trickle_does_not_extend_the_time() {
    // P7: the limit is for the whole reply.
    let slow = "250-mx\\r\\n".repeat(40);
    for (dialogue, input) in [
        (format!("trickle 100ms {slow}\nhold"), ""),
        (format!("S: 220 mx\nC: NOOP\ntrickle 100ms {slow}\nhold"), "NOOP\n"),
        (format!("S: 220 mx\nC: AUTH LOGIN\ntrickle 100ms {slow}\nhold"), "AUTH LOGIN\n"),
        (format!("S: 220 mx\nC: DATA\nS: 354 go\nmessage\ntrickle 100ms {slow}\nhold"), "DATA\n.\n"),
    ] {
        let server = serve(&dialogue);
        let done = ehlo_to(server.port, &["--timeout", "1"]).stdin(input).status(5).any().check();
        assert!(done.took < Duration::from_secs(8), "{:?}", done.took);
        assert!(done.err().contains("within 1 s"), "{}", done.err());
        server.end();
    }
}

#[test]
fn the_farewell_is_not_waited_for_beyond_its_time() {
    // P7
    let server = serve("S: 220 mx\nC: QUIT\nhold");
    let done = ehlo_to(server.port, &[]).stdin("").any().start().finish();
    assert!(done.took < Duration::from_secs(15), "{:?}", done.took);
    server.end();
}

#[test]
fn after_a_time_out_no_late_reply_is_taken_for_another() {
    // P8
    let server = serve("S: 220 mx\nC: NOOP\nwait 1500ms\nS: 250 late\nhold");
    let done = ehlo_to(server.port, &["--timeout", "1", "--keep-going"]).stdin("NOOP\nRSET\nQUIT\n").status(5).any().check();
    assert_eq!(server.end().lines(), ["NOOP"]);
    assert!(!done.out().contains("late"), "{}", done.out());
}

#[test]
fn a_reply_that_comes_before_its_command_is_nobodys_answer() {
    // P9
    let server = serve("S: 220 mx\nwait 100ms\nS: 250 unasked\nhold");
    let mut running = ehlo_to(server.port, &[]).open_stdin().start();
    running.wait_out("unasked");
    let done = running.finish();
    assert_eq!(done.status, Some(6), "{}", done.all());
    assert!(done.err().contains("Nobody asked"), "{}", done.err());
    assert_eq!(server.end().text(), "");
}

#[test]
fn a_second_reply_in_the_same_segment_is_nobodys_answer() {
    // P9 P31: neither the next command's, nor the message's.
    for (dialogue, input, sent) in [
        ("S! 220 mx\\r\\n250 early\\r\\n\nhold", "NOOP\nQUIT\n", &[][..]),
        ("S: 220 mx\nC: NOOP\nS! 250 fine\\r\\n250 and again\\r\\n\nhold", "NOOP\nRCPT TO:<a@b.test>\nQUIT\n", &["NOOP"]),
        ("S: 220 mx\nC: DATA\nS! 354 go on\\r\\n250 queued\\r\\n\nhold", "DATA\ntext\n.\nQUIT\n", &["DATA"]),
        ("S: 220 mx\nC: NOOP\nS! 250 fine\\r\\nand more\\r\\n\nhold", "NOOP\nQUIT\n", &["NOOP"]),
    ] {
        let server = serve(dialogue);
        let done = ehlo_to(server.port, &["--timeout", "5"]).stdin(input).status(6).any().check();
        assert!(!done.err().contains("accepted"), "{}", done.all());
        assert_eq!(server.end().lines(), sent, "{dialogue}");
    }
}

#[test]
fn a_login_that_asks_without_end_is_given_up() {
    // P27
    let asks = "S: 334 UGFzc3dvcmQ6\nC: *\n".repeat(40);
    let server = serve(&format!("S: 220 mx\nC: AUTH LOGIN\n{asks}hold"));
    let answers = "answer\n".repeat(40);
    let done = ehlo_to(server.port, &["--allow-cleartext"])
        .stdin(format!("AUTH LOGIN\n{answers}"))
        .status(8)
        .any_out()
        .err("asks without end")
        .check();
    let lines = server.end().lines();
    assert!(lines.len() <= 24, "{} lines", lines.len());
    assert_eq!(lines.last().map(String::as_str), Some("*"), "{}", done.all());
}

#[test]
fn a_challenge_of_a_mebibyte_harms_nobody() {
    // P26 P6
    let server = serve("S: 220 mx\nC: AUTH LOGIN\nS! 334 \nforever QUFB");
    let done = ehlo_to(server.port, &[]).stdin("AUTH LOGIN\nlogon\n").status(6).any_out().err("too long").check();
    within_memory(&done);
    server.finish();
    let long = "QUFB".repeat(7000);
    let server = serve(&format!("S: 220 mx\nC: AUTH LOGIN\nS: 334 {long}\nC: *\nS: 501 no\nC: QUIT\nS: 221 bye"));
    ehlo_to(server.port, &[]).stdin("AUTH LOGIN\n*\n").status(8).any().check();
    server.finish();
}

#[test]
fn every_byte_that_is_no_text_is_shown_escaped_everywhere() {
    // P14 P15: in the greeting, replies, challenges, the log, and standard error.
    let mut bytes: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    bytes.extend("\u{202e}\u{2066}\u{200b}\u{2028}\u{2029}\u{feff}\u{9b}31m\u{e0001}\u{1b}]0;x\u{7}".bytes());
    let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let server = serve(&format!(
        "S: 220 {escaped}\nC: EHLO a\nS: 250-{escaped}\nS: 250 AUTH {escaped}\nC: AUTH LOGIN\nS: 334 {escaped}\nC: *\nS: 501 {escaped}\nC: VRFY x\nS: 550 5.7.1 {escaped}\nC: QUIT\nS! 221 {escaped}"
    ));
    let done = ehlo_to(server.port, &["-l", "log", "--keep-going"]).stdin("EHLO a\nAUTH LOGIN\n*\nVRFY x\nQUIT\n").any().start().finish();
    let log = std::fs::read(done.folder.path().join("log")).unwrap();
    for (name, stream) in [("stdout", &done.stdout), ("stderr", &done.stderr), ("log", &log)] {
        let text = std::str::from_utf8(stream).unwrap();
        let odd = text
            .chars()
            .find(|c| *c != '\n' && (c.is_control() || "\u{202e}\u{2066}\u{200b}\u{2028}\u{2029}\u{feff}\u{e0001}".contains(*c)));
        assert_eq!(odd, None, "{name}: {text:?}");
    }
    for line in done.out().lines() {
        // P16
        assert!(line.starts_with("<  ") || line.starts_with("<! ") || line.starts_with(">  "), "{line:?}");
    }
    server.end();
}

const BEFORE_TLS: &str = "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n";

#[test]
fn bytes_behind_the_220_to_starttls_are_refused() {
    // P17
    let server = serve(&format!("{BEFORE_TLS}S: 220 go ahead\\r\\n250 injected\nhold"));
    ehlo_to(server.port, &["--keep-going"])
        .stdin("EHLO a\nSTARTTLS\nEHLO a\nMAIL FROM:<a@b.test>\n")
        .status(7)
        .any_out()
        .err("before the handshake")
        .check();
    assert_eq!(server.end().lines(), ["EHLO a", "STARTTLS"]);
}

#[test]
fn without_the_tls_that_was_asked_for_nothing_goes_on() {
    // P19
    for (answer, status) in [
        ("S: 454 not now\nhold", &[7, 9][..]),
        ("S: 501 no\nhold", &[1, 7]),
        ("S: 220 go ahead\nclose", &[6, 7]),
        ("S: 220 go ahead\nC! \\x16\\x03\nclose", &[6, 7]),
        ("S: 220 go ahead\nC! \\x16\\x03\nreset", &[6, 7]),
        ("S: 220 go ahead\nC! \\x16\\x03\nS: 250 no TLS here\nhold", &[6, 7]),
        ("S: 220 go ahead\nC! \\x16\\x03\nS! \\x15\\x03\\x03\\0\\x02\\x02\\x28\nhold", &[7]),
        ("S: 220 go ahead\nC! \\x16\\x03\nforever \\x16\\x03\\x03\\x40\\0", &[7]),
        ("S: 220 go ahead\nhold", &[5, 7]),
    ] {
        let server = serve(&format!("{BEFORE_TLS}{answer}"));
        let done = ehlo_to(server.port, &["--timeout", "2"]).stdin("EHLO a\nSTARTTLS\nNOOP\nMAIL FROM:<a@b.test>\n").any().start().finish();
        assert!(done.status.is_some_and(|got| status.contains(&got)), "{answer}: {:?}\n{}", done.status, done.all());
        assert!(!done.err().is_empty() && !done.all().contains("panicked at"), "{answer}: {}", done.all());
        within_memory(&done);
        let sent = server.end().text();
        assert!(!sent.contains("NOOP") && !sent.contains("MAIL"), "{answer}: {sent:?}");
    }
}
