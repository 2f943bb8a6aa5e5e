//! `ehlo check` at a terminal: the line that tells what is waited for, and Ctrl-C.

use super::prompt;
use crate::check::FINE;
use crate::support::pty::{at_terminal, key, talk_to};
use crate::support::scripted::serve;

#[test]
fn the_line_of_waiting_fits_and_is_gone_after_ctrl_c() {
    // P38
    for width in [80, 40] {
        let (fine, silent) = (serve(FINE), serve("hold"));
        let place = format!("127.0.0.1:{},{}", fine.port, silent.port);
        let mut pty = at_terminal(["check", "--ehlo", "a", &place]).width(width).start();
        pty.wait_for("(banner, ");
        let shown = pty.shown();
        let line = shown.lines().find(|line| line.starts_with("... ")).unwrap().trim_end().to_owned();
        assert!(line.ends_with(" s)") && line.len() <= usize::from(width) - 4, "{shown}");
        pty.send(key::CTRL_C);
        assert_eq!(pty.exit(), 130);
        let shown = pty.shown();
        assert!(!shown.contains("waiting for") && shown.replace('\n', " ").contains("interrupted, with 1"), "{shown}");
        fine.end();
        silent.end();
    }
}

#[test]
fn ctrl_c_ends_a_check_inside_a_session_and_nothing_else() {
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 still here\nC: QUIT\nS: 221 bye");
    let silent = serve("hold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line(&format!(":check 127.0.0.1:{}", silent.port));
    silent.wait_connected();
    pty.send(key::CTRL_C);
    pty.wait_at(&prompt(server.port));
    pty.line("NOOP");
    pty.wait_for("250 still here");
    pty.wait_at(&prompt(server.port));
    pty.line("QUIT");
    assert_eq!(pty.exit(), 0);
    server.end();
    silent.end();
}
