//! Ctrl-C, Ctrl-D and signals in every state, and what is left of the terminal (P38, P39).

use rustix::process::Signal;

use super::prompt;
use crate::support::pty::{Pty, key, talk_to};
use crate::support::scripted::{Played, Scripted, serve};

const LOGIN: &str = "S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 334 UGFzc3dvcmQ6\n";
const DATA: &str = "S: 220 mx\nC: DATA\nS: 354 go on\n";

/// The program in a shell that watches the terminal's modes, in front of a server.
fn begin(dialogue: &str, flags: &[&str]) -> (Scripted, Pty) {
    let server = serve(dialogue);
    let mut pty = talk_to(server.port, flags).start_in_shell();
    pty.wait_at(&prompt(server.port));
    (server, pty)
}

fn at_password(end: &str) -> (Scripted, Pty) {
    let (server, mut pty) = begin(&format!("{LOGIN}{end}"), &["--allow-cleartext"]);
    pty.line("AUTH LOGIN");
    pty.wait_at("username>");
    pty.line("logon");
    pty.wait_hidden();
    (server, pty)
}

fn at_data() -> (Scripted, Pty) {
    let (server, mut pty) = begin(&format!("{DATA}hold"), &[]);
    pty.line("DATA");
    pty.wait_at("data>");
    pty.line("half a line");
    pty.wait_at("data>");
    (server, pty)
}

fn no_message(played: &Played) {
    // P32
    assert!(!played.text().contains("\r\n.\r\n"), "{}", played.text());
}

#[test]
fn ctrl_d_at_the_prompt_says_quit() {
    let (server, mut pty) = begin("S: 220 mx\nC: QUIT\nS: 221 bye", &[]);
    pty.send(key::CTRL_D);
    assert_eq!(pty.exit_with_same_modes(), 0);
    server.finish();
}

#[test]
fn quit_ends_and_restores() {
    let (server, mut pty) = begin("S: 220 mx\nC: QUIT\nS: 221 bye", &[]);
    pty.line("QUIT");
    assert_eq!(pty.exit_with_same_modes(), 0);
    assert!(pty.shown().contains("Closed after"));
    server.finish();
}

#[test]
fn a_silent_server_holds_nobody_at_the_farewell() {
    // P7 P38
    let (server, mut pty) = begin("S: 220 mx\nC: QUIT\nhold", &[]);
    pty.send(key::CTRL_D);
    assert_eq!(pty.exit_with_same_modes(), 0);
    server.finish();
}

#[test]
fn ctrl_c_at_the_prompt_clears_the_line_and_twice_leaves() {
    // P38
    let (server, mut pty) = begin("S: 220 mx\nhold", &[]);
    pty.send("NOOP half");
    pty.wait_for("NOOP half");
    pty.send(key::CTRL_C);
    pty.wait_at(&prompt(server.port));
    pty.send(key::CTRL_C);
    pty.wait_for("Ctrl-D or QUIT ends");
    pty.wait_at(&prompt(server.port));
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
    assert_eq!(server.end().text(), "");
}

#[test]
fn a_line_between_two_ctrl_c_starts_the_count_anew() {
    let (server, mut pty) = begin("S: 220 mx\nC: NOOP\nS: 250 ok\nhold", &[]);
    pty.send(key::CTRL_C);
    pty.wait_for("Ctrl-D or QUIT ends");
    pty.line("NOOP");
    pty.wait_for("250 ok");
    pty.send(key::CTRL_C);
    pty.wait("the note again", |screen| screen.matches("Ctrl-D or QUIT ends").count() == 2);
    pty.send(key::CTRL_D);
    assert_eq!(pty.exit_with_same_modes(), 0);
    server.end();
}

#[test]
fn ctrl_c_while_a_reply_is_awaited_asks_what_to_do() {
    // P38
    let (server, mut pty) = begin("S: 220 mx\nC: NOOP\nhold", &[]);
    pty.line("NOOP");
    pty.wait_for("Waiting for the reply to NOOP");
    pty.send(key::CTRL_C);
    pty.wait_for("Still waiting.");
    pty.send("c\r");
    pty.wait_at("not connected>");
    pty.send(key::CTRL_D);
    assert_eq!(pty.exit_with_same_modes(), 0);
    server.end();
}

#[test]
fn ctrl_c_twice_while_a_reply_is_awaited_leaves() {
    // P38
    let (server, mut pty) = begin("S: 220 mx\nC: NOOP\nhold", &[]);
    pty.line("NOOP");
    pty.wait_for("Waiting for the reply to NOOP");
    pty.send(key::CTRL_C);
    pty.wait_for("Still waiting.");
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
    server.end();
}

#[test]
fn a_reply_that_comes_while_one_is_asked_about_waiting_is_taken() {
    // P38
    let (server, mut pty) = begin("S: 220 mx\nC: NOOP\nwait 1800ms\nS: 250 at last\nC: RSET\nS: 250 two\nhold", &[]);
    pty.line("NOOP");
    pty.wait_for("Waiting for the reply to NOOP");
    pty.send(key::CTRL_C);
    pty.wait_for("Still waiting.");
    pty.wait_for("250 at last");
    pty.send("\r");
    pty.wait_at(&prompt(server.port));
    pty.line("RSET");
    pty.wait_for("250 two");
    pty.send(key::CTRL_D);
    pty.exit_with_same_modes();
    server.end();
}

#[test]
fn ctrl_c_while_connecting_gives_up() {
    // P38
    let server = serve("hold");
    let mut pty = talk_to(server.port, &[]).start_in_shell();
    pty.wait_for("waiting for the greeting");
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
    server.end();
}

#[test]
fn ctrl_c_and_ctrl_d_at_the_user_name_cancel_the_login() {
    // P38
    for key in [key::CTRL_C, key::CTRL_D] {
        let (server, mut pty) = begin("S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye", &[]);
        pty.line("AUTH LOGIN");
        pty.wait_at("username>");
        pty.send(key);
        pty.wait_for("501 cancelled");
        pty.wait_at(&prompt(server.port));
        pty.line("QUIT");
        assert_eq!(pty.exit_with_same_modes(), 0);
        server.finish();
    }
}

#[test]
fn ctrl_c_and_ctrl_d_at_the_password_cancel_the_login() {
    // P38
    for key in [key::CTRL_C, key::CTRL_D] {
        let (server, mut pty) = at_password("C: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye");
        pty.send(key);
        pty.wait_for("501 cancelled");
        pty.wait_at(&prompt(server.port));
        pty.line("QUIT");
        assert_eq!(pty.exit_with_same_modes(), 0);
        server.finish();
    }
}

#[test]
fn a_second_ctrl_c_or_a_ctrl_d_in_the_message_leaves() {
    // P32 P38
    for first in [key::CTRL_C, key::CTRL_D] {
        for second in [key::CTRL_C, key::CTRL_D] {
            let (server, mut pty) = at_data();
            pty.send(first);
            pty.wait_for("[y/N]");
            pty.send(second);
            assert_eq!(pty.exit_with_same_modes(), 130, "{first:?} {second:?}");
            no_message(&server.end());
        }
    }
}

#[test]
fn a_second_ctrl_c_leaves_also_while_the_message_is_sent() {
    // P32 P34 P38
    let (server, mut pty) = begin("S: 220 mx\nC: DATA\nS: 354 go on\nstall", &[]);
    std::fs::write(pty.folder().join("big.eml"), "0123456789012345678\n".repeat(1 << 20)).unwrap();
    pty.line(":data big.eml");
    pty.wait_for("354 go on");
    pty.send(key::CTRL_C);
    pty.wait_for("Close? [y/N]");
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
    no_message(&server.end());
}

#[test]
fn a_second_ctrl_c_leaves_wherever_the_first_one_was() {
    // P38: no line was entered between them.
    let (server, mut pty) = begin("S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\nhold", &[]);
    pty.line("AUTH LOGIN");
    pty.wait_at("username>");
    pty.send(key::CTRL_C);
    pty.wait_for("501 cancelled");
    pty.wait_at(&prompt(server.port));
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
    server.end();

    let (server, mut pty) = at_password("C: *\nhold");
    pty.send(key::CTRL_C);
    pty.wait_for("Waiting for");
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
    server.end();

    let (server, mut pty) = begin("S: 220 mx\nhold", &[]);
    pty.send(&(key::pasted("NOOP\nRSET\n") + "\r"));
    pty.wait_for("[Y/n]");
    pty.send(key::CTRL_C);
    pty.wait_at(&prompt(server.port));
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
    assert_eq!(server.end().text(), "");
}

#[test]
fn ctrl_c_in_the_message_gives_it_up_after_a_yes() {
    // P32 P38
    let (server, mut pty) = at_data();
    pty.send(key::CTRL_C);
    pty.wait_for("Closing the connection is the only way; nothing is delivered. Close? [y/N]");
    pty.send("n\r");
    pty.wait_at("data>");
    pty.send(key::CTRL_C);
    pty.wait("the question again", |screen| screen.matches("Close? [y/N]").count() == 2);
    pty.send("y\r");
    pty.wait_at("not connected>");
    pty.send(key::CTRL_D);
    assert_eq!(pty.exit_with_same_modes(), 0);
    no_message(&server.end());
}

#[test]
fn ctrl_d_in_the_message_asks_and_sends_only_after_a_yes() {
    let (server, mut pty) = at_data();
    pty.send(key::CTRL_D);
    pty.wait_for("End the message and send it? [y/N]");
    pty.send("\r");
    pty.wait_at("data>");
    pty.send(key::CTRL_D);
    pty.wait("the question again", |screen| screen.matches("send it? [y/N]").count() == 2);
    no_message_yet(&mut pty);
    let played = server.end();
    assert!(played.text().contains("\r\n.\r\n"), "{}", played.text());
}

fn no_message_yet(pty: &mut Pty) {
    pty.send("y\r");
    pty.wait_for("Waiting for the reply to the message");
    pty.send(key::CTRL_C);
    pty.wait_for("Still waiting.");
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
}

fn ehlo_id(pty: &Pty) -> rustix::process::Pid {
    // The shell's only child is the program.
    let shell = pty.id();
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap_or_default();
    let id = children.split_whitespace().next().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("the shell {shell} has no child"));
    rustix::process::Pid::from_raw(id).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_in_any_state_restores_the_terminal() {
    // P39
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        type State = fn() -> (Scripted, Pty);
        let states: [State; 4] = [
            || begin("S: 220 mx\nhold", &[]),
            || at_password("hold"),
            at_data,
            || {
                let (server, mut pty) = begin("S: 220 mx\nC: NOOP\nhold", &[]);
                pty.line("NOOP");
                pty.wait_for("Waiting for the reply to NOOP");
                (server, pty)
            },
        ];
        for (name, state) in ["prompt", "password", "message", "waiting"].into_iter().zip(states) {
            let (server, mut pty) = state();
            eprintln!("{signal:?} at the {name}");
            rustix::process::kill_process(ehlo_id(&pty), signal).unwrap();
            assert_eq!(pty.exit_with_same_modes(), status);
            no_message(&server.end());
        }
    }
}

/// Not a test by itself: the terminal of [`a_lost_terminal_ends_the_program`], in a process of its own.
#[test]
fn host_of_a_terminal() {
    let Ok(port) = std::env::var("EHLO_TEST_TERMINAL_HOST") else { return };
    let port: u16 = port.parse().unwrap();
    let mut pty = talk_to(port, &[]).start();
    pty.wait_at(&prompt(port));
    // Not caught by the test harness, so that the parent can read it.
    std::fs::write(std::env::var("EHLO_TEST_ID_FILE").unwrap(), pty.id().to_string()).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_lost_terminal_ends_the_program() {
    // P39
    use std::time::{Duration, Instant};
    let server = serve("S: 220 mx\nhold");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let mut host = std::process::Command::new(std::env::current_exe().unwrap());
    host.args(["--exact", "terminal::leaving::host_of_a_terminal"]).env("EHLO_TEST_TERMINAL_HOST", server.port.to_string());
    let mut host = host.env("EHLO_TEST_ID_FILE", &file).stdout(std::process::Stdio::null()).spawn().unwrap();
    let end = Instant::now() + crate::support::DEADLINE;
    let id = loop {
        match std::fs::read_to_string(&file).ok().and_then(|text| text.parse::<u32>().ok()) {
            Some(id) => break id,
            None => assert!(Instant::now() < end, "the program did not start"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    host.kill().unwrap();
    host.wait().unwrap();
    let lost = Instant::now();
    let alive = || std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while alive() {
        assert!(lost.elapsed() < Duration::from_secs(3), "still there after {:?}", lost.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    server.end();
}
