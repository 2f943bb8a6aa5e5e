//! The log and `:save` (P41).

use std::path::Path;

use crate::support::run::ehlo_to;
use crate::support::scripted::serve;

const TALK: &str = "S: 220 mx\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye";

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_log_is_private_and_holds_the_conversation() {
    // P41
    let server = serve(TALK);
    let done = ehlo_to(server.port, &["-l", "session.txt"]).stdin("NOOP\nQUIT\n").any_out().err("Logging to session.txt").check();
    server.finish();
    let path = done.folder.path().join("session.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    for line in ["# ehlo ", "# server 127.0.0.1:", "<  220 mx", ">  NOOP", "<  250 ok", ">  QUIT", "<  221 bye"] {
        assert!(text.lines().any(|one| one.starts_with(line)), "{line}: {text}");
    }
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn an_existing_file_is_never_touched() {
    // P41
    let server = serve(TALK);
    let run = ehlo_to(server.port, &["-l", "session.txt"]);
    std::fs::write(run.folder().join("session.txt"), "precious").unwrap();
    std::fs::write(run.folder().join("session-2.txt"), "too").unwrap();
    let done = run.stdin("NOOP\nQUIT\n").any_out().err("session-3.txt").check();
    server.finish();
    let read = |name: &str| std::fs::read_to_string(done.folder.path().join(name)).unwrap();
    assert_eq!((read("session.txt").as_str(), read("session-2.txt").as_str()), ("precious", "too"));
    assert!(read("session-3.txt").contains("NOOP"));
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed() {
    // P41
    let server = serve(TALK);
    let run = ehlo_to(server.port, &["-l", "session.txt"]);
    std::fs::write(run.folder().join("target"), "precious").unwrap();
    std::os::unix::fs::symlink("target", run.folder().join("session.txt")).unwrap();
    let done = run.stdin("NOOP\nQUIT\n").any().start().finish();
    server.end();
    assert_eq!(std::fs::read_to_string(done.folder.path().join("target")).unwrap(), "precious");
}

#[test]
fn a_folder_that_is_not_there_is_told_before_connecting() {
    let server = serve(TALK);
    ehlo_to(server.port, &["-l", "no/such/session.txt"])
        .stdin("NOOP\n")
        .status(1)
        .err("The log no/such/session.txt cannot be written: ")
        .check();
    assert_eq!(server.end().connections, 0);
}

#[test]
fn the_log_survives_a_kill() {
    // P41: flushed with every line.
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 first\nC: RSET\nhold");
    let mut running = ehlo_to(server.port, &["-l", "session.txt"]).open_stdin().start();
    running.line("NOOP");
    running.line("RSET");
    server.wait_segments(2);
    let path = running.folder().join("session.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    running.kill();
    let done = running.finish();
    assert!(text.contains("250 first"), "{text}");
    let text = std::fs::read_to_string(done.folder.path().join("session.txt")).unwrap();
    assert!(text.contains(">  NOOP") && text.contains("<  250 first"), "{text}");
    server.end();
}

#[test]
fn a_full_disk_is_told_and_decides_the_status() {
    // P40
    if !Path::new("/dev/full").exists() {
        return;
    }
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye\nhold");
    // A device is no file that could be created anew; a link to it is none either: nothing is written.
    let done = ehlo_to(server.port, &["-l", "/dev/full"]).stdin("NOOP\nQUIT\n").any().start().finish();
    assert!(done.status != Some(0) || done.err().contains("Logging to"), "{}", done.all());
    assert!(!done.all().contains("panicked"), "{}", done.all());
    server.end();
}

#[test]
fn save_writes_what_was_said_so_far() {
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye");
    let done = ehlo_to(server.port, &[])
        .stdin("NOOP\n:save so-far.txt\n:save so-far.md\n:save so-far.txt\nQUIT\n")
        .any_out()
        .err("so-far-2.txt")
        .check();
    server.finish();
    let path = done.folder.path().join("so-far.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("<  250 ok") && !text.contains("QUIT"), "{text}");
    let markdown = std::fs::read_to_string(done.folder.path().join("so-far.md")).unwrap();
    assert!(markdown.starts_with("```\n") && markdown.ends_with("```\n"), "{markdown}");
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_log_begun_on_the_way_holds_what_follows() {
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 one\nC: RSET\nS: 250 two\nC: NOOP\nS: 250 three\nC: QUIT\nS: 221 bye");
    let done = ehlo_to(server.port, &[]).stdin("NOOP\n:log part.txt\nRSET\n:log off\nNOOP\nQUIT\n").any().check();
    server.finish();
    let text = std::fs::read_to_string(done.folder.path().join("part.txt")).unwrap();
    assert!(text.contains("250 two") && !text.contains("250 one") && !text.contains("250 three"), "{text}");
}

#[test]
fn a_script_writes_no_history() {
    // P42
    let server = serve(TALK);
    let run = ehlo_to(server.port, &[]);
    let path = run.folder().join("history");
    let done = run.env("EHLO_HISTORY", path.as_os_str()).stdin("NOOP\nQUIT\n").any().check();
    server.finish();
    assert!(!done.folder.path().join("history").exists());
}

#[test]
fn the_length_of_a_message_does_not_count_the_dot_that_ends_it() {
    let server = serve("S: 220 mx\nC: DATA\nS: 354 go\nmessage\nS: 250 ok\nC: QUIT\nS: 221 bye");
    let done = ehlo_to(server.port, &["-l", "session.txt"]).stdin("DATA\nSubject: a\n\nb\n.\nQUIT\n").any().start().finish();
    let length = server.finish().messages[0].len();
    let text = std::fs::read_to_string(done.folder.path().join("session.txt")).unwrap();
    assert!(length == 17 && text.contains(">  (17 bytes of message)\n"), "{length}: {text}");
}
