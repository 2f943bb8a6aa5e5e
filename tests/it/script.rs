//! Lines from a pipe: each is sent as it is and its reply awaited.

use std::time::Duration;

use crate::support::run::ehlo_to;
use crate::support::scripted::{closed_port, serve};

#[test]
fn each_line_waits_for_the_reply_to_the_one_before() {
    // P35
    let server =
        serve("S: 220 mx\nC: EHLO a\nquiet 150ms\nS: 250 mx\nC: NOOP\nquiet 150ms\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye");
    ehlo_to(server.port, &["-q"]).stdin("EHLO a\nNOOP\nRSET\nQUIT\n").any_out().check();
    let played = server.finish();
    let segments: Vec<String> = played.segments.iter().map(|segment| String::from_utf8_lossy(segment).into_owned()).collect();
    assert_eq!(segments, ["EHLO a\r\n", "NOOP\r\n", "RSET\r\n", "QUIT\r\n"]);
}

#[test]
fn nothing_is_sent_before_the_greeting_is_complete() {
    // P9
    let server = serve(
        "quiet 200ms\nS: 220-mx\nquiet 200ms\nS! 220-more\nquiet 200ms\nS! \\r\\n220 ready\\r\nquiet 200ms\nS! \\n\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye",
    );
    ehlo_to(server.port, &[]).stdin("NOOP\nQUIT\n").out("220 ready").any_err().check();
    server.finish();
}

#[test]
fn no_input_at_all_is_a_test_of_reach() {
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    ehlo_to(server.port, &[]).stdin("").out("<  220 mx\n>  QUIT\n<  221 bye\n").err("Connected to").check();
    server.finish();
    ehlo_to(closed_port(), &[]).stdin("").status(4).err("refused").check();
}

#[test]
fn line_ends_marks_and_a_missing_last_line_end_make_no_difference() {
    // P35
    for input in
        ["NOOP\nQUIT\n", "NOOP\r\nQUIT\r\n", "\u{feff}NOOP\nQUIT\n", "NOOP\nQUIT", "\u{feff}NOOP\r\nQUIT", "\n\r\n  \nNOOP\n\nQUIT\n"]
    {
        let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye");
        ehlo_to(server.port, &[]).stdin(input).any().check();
        assert_eq!(server.finish().lines(), ["NOOP", "QUIT"], "{input:?}");
    }
}

#[test]
fn a_file_that_powershell_wrote_is_told_apart() {
    let server = serve("S: 220 mx\nhold");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("NOOP\r\n".bytes().flat_map(|byte| [byte, 0])).collect();
    ehlo_to(server.port, &[]).stdin(utf16).status(1).any_out().err("UTF-16").check();
    assert_eq!(server.end().text(), "");
}

#[test]
fn bytes_go_out_as_they_are() {
    // P35
    let line: Vec<u8> = [&b"NOOP \x08\x7f\xff\xfe\x1b[A\t\xc3\xa9 \x00"[..], &vec![b'y'; 256 * 1024]].concat();
    let server = serve("S: 220 mx\nC: *\nS: 250 ok\nC: QUIT\nS: 221 bye");
    let done = ehlo_to(server.port, &[]).stdin([&line[..], b"\nQUIT\n"].concat()).any().check();
    let sent = server.finish().bytes();
    assert!(sent == [&line[..], b"\r\nQUIT\r\n"].concat(), "{} bytes", sent.len());
    // P14
    assert!(!done.stdout.contains(&0x1b) && !done.stdout.contains(&0) && !done.stdout.contains(&8));
}

#[test]
fn a_script_stops_at_the_first_refusal() {
    for (reply, status) in [("550 5.1.1 no", 1), ("450 4.2.1 later", 9)] {
        let server = serve(&format!("S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: {reply}\nC: QUIT\nS: 221 bye"));
        ehlo_to(server.port, &[]).stdin("MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\n").status(status).any().check();
        assert_eq!(server.finish().lines(), ["MAIL FROM:<a@b.test>", "QUIT"]);
    }
}

#[test]
fn a_second_quit_after_the_farewell_is_not_sent() {
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye\nhold");
    let done = ehlo_to(server.port, &[]).stdin("QUIT\nNOOP\n").any().start().finish();
    assert_eq!(server.end().lines(), ["QUIT"], "{}", done.all());
}

#[test]
fn the_end_of_the_session_does_not_wait_for_the_input() {
    // P38
    let server = serve("S: 220 mx\nC: NOOP\nS: 421 4.3.2 down\nclose");
    let mut running = ehlo_to(server.port, &[]).open_stdin().start();
    running.wait_out("220 mx");
    running.line("NOOP");
    assert_eq!(running.finish().status, Some(9));
    server.finish();
}

#[test]
fn a_connection_that_dies_while_the_input_is_silent_is_told_at_once() {
    // P37
    let server = serve("S: 220 mx\nwait 100ms\nclose");
    let done = ehlo_to(server.port, &[]).open_stdin().start().finish();
    assert_eq!(done.status, Some(6), "{}", done.all());
    assert!(done.err().contains("closed the connection"), "{}", done.all());
    server.end();
}

#[test]
fn raw_gives_the_bytes_of_the_replies_and_nothing_else() {
    // P14: only by this flag.
    let server = serve("S: 220 mx \\e[31m\\xff\nC: NOOP\nS: 250-one\\0\nS: 250 two\nC: QUIT\nS: 221 bye");
    let done = ehlo_to(server.port, &["--raw"]).stdin("NOOP\nQUIT\n").any().check();
    server.finish();
    assert_eq!(done.stdout, b"220 mx \x1b[31m\xff\r\nNOOP\n250-one\0\r\n250 two\r\nQUIT\n221 bye\r\n".as_slice(), "{}", done.out());
    assert_eq!(done.err(), "");
}

#[test]
fn quiet_leaves_the_conversation() {
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye");
    ehlo_to(server.port, &["-q"]).stdin("NOOP\nQUIT\n").stdout("<  220 mx\n>  NOOP\n<  250 ok\n>  QUIT\n<  221 bye\n").check();
    server.finish();
}

#[test]
fn plain_says_words_for_signs() {
    let server = serve("S: 220 mx\nC: VRFY x\nS: 550 no\nC: QUIT\nS: 221 bye");
    let done = ehlo_to(server.port, &["--plain"])
        .stdin("VRFY x\n")
        .status(1)
        .any_err()
        .out("server: 220 mx\nclient: VRFY x\nserver error: 550 no\n")
        .check();
    server.finish();
    assert!(done.err().lines().all(|line| ["note: ", "hint: ", "warning: "].iter().any(|word| line.starts_with(word))), "{}", done.err());
}

#[test]
fn colour_is_only_used_when_it_is_wished() {
    let dialogue = "S: 220 mx\nC: VRFY x\nS: 550 no\nC: QUIT\nS: 221 bye";
    let colourful = |flags: &[&str], env: &[(&str, &str)]| {
        let server = serve(dialogue);
        let run = ehlo_to(server.port, flags).stdin("VRFY x\n").status(1).any();
        let done = env.iter().fold(run, |run, (name, value)| run.env(name, *value)).check();
        server.finish();
        done.all().contains('\x1b')
    };
    assert!(!colourful(&[], &[]));
    assert!(colourful(&["--color", "always"], &[]));
    assert!(colourful(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(colourful(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colourful(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colourful(&["--color", "always", "--plain"], &[]));
    assert!(!colourful(&["--color", "always"], &[("TERM", "dumb")]));
}

#[test]
fn local_commands_work_in_a_script() {
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC! HELP\\r\\n\nS: 214 none\nC: QUIT\nS: 221 bye");
    let done = ehlo_to(server.port, &[])
        .stdin(":encode Username:\n:decode 334 VXNlcm5hbWU6\nNOOP\n:raw HELP\n:state\n:quit\n")
        .any_err()
        .out("VXNlcm5hbWU6\nUsername:\n")
        .check();
    server.finish();
    assert!(done.err().contains("Next        EHLO"), "{}", done.all());
}

#[cfg(unix)]
#[test]
fn a_closed_output_is_a_quiet_end_and_a_full_one_an_error() {
    // P40
    use std::process::{Command, Stdio};
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye\nhold");
    let port = server.port;
    let line = format!("printf 'NOOP\\nQUIT\\n' | \"$0\" 127.0.0.1 {port} 2>err | true; cat err >&2");
    let done = Command::new("sh")
        .args(["-c", &line, env!("CARGO_BIN_EXE_ehlo")])
        .env("EHLO_HISTORY", "")
        .current_dir(tempfile::tempdir().unwrap().keep())
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&done.stderr).contains("panicked"), "{done:?}");
    server.end();
    if std::path::Path::new("/dev/full").exists() {
        let server = serve("S: 220 mx\nC: *\nS: 250 ok\nC: *\nS: 221 bye\nhold");
        let port = server.port.to_string();
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ehlo"));
        let done = command
            .args(["127.0.0.1", &port])
            .env("EHLO_HISTORY", "")
            .stdin(Stdio::null())
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!err.contains("panicked") && err.contains("cannot be written"), "{err}");
        assert!(done.status.code().is_some_and(|status| status != 0), "{done:?}");
        server.end();
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_ehlo")).args(["encode", "x"]).stdout(full).output().unwrap();
        assert!(done.status.code().is_some_and(|status| status != 0), "{done:?}");
    }
}

#[test]
fn a_reply_may_take_a_while() {
    let server = serve("S: 220 mx\nC: NOOP\nwait 1200ms\nS: 250 ok\nC: QUIT\nS: 221 bye");
    let done = ehlo_to(server.port, &[]).stdin("NOOP\nQUIT\n").any_out().err("(reply after 1.").check();
    server.finish();
    assert!(done.took > Duration::from_secs(1));
}

#[test]
fn lines_that_come_slowly_all_arrive() {
    // P35
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 one\nC: RSET\nS: 250 two\nC: NOOP\nS: 250 three\nC: RSET\nS: 250 four\nhold");
    let mut running = ehlo_to(server.port, &[]).open_stdin().start();
    running.wait_out("220 mx");
    for (line, reply) in [("NOOP", "one"), ("RSET", "two"), ("NOOP", "three"), ("RSET", "four")] {
        running.line(line);
        running.wait_out(reply);
    }
    assert_eq!(server.end().lines(), ["NOOP", "RSET", "NOOP", "RSET"]);
}
