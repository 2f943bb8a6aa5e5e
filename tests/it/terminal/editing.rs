//! Keys, pastes and lines typed ahead.

use super::prompt;
use crate::support::pty::{key, talk_to};
use crate::support::scripted::serve;

#[test]
fn no_key_but_enter_reaches_the_server() {
    let server = serve("S: 220 mx\nC: EHLO client\nS: 250 mx\nC: NOOP\nS: 250 ok\nC: EHLO client\nS: 250 mx\nC: QUIT\nS: 221 bye");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.send(&format!("EHLO clinet{}{}{}ent\r", key::BACKSPACE, key::BACKSPACE, key::BACKSPACE));
    pty.wait_for("250 mx");
    pty.wait_at(&prompt(server.port));
    pty.send(&format!("OOP{}N\r", key::HOME));
    pty.wait_for("250 ok");
    pty.wait_at(&prompt(server.port));
    pty.send(&format!("{}{}{}{}\r", key::UP, key::UP, key::LEFT, key::LEFT));
    pty.wait("the second EHLO", |screen| screen.matches("250 mx").count() == 2);
    pty.wait_at(&prompt(server.port));
    pty.line("QUIT");
    assert_eq!(pty.exit(), 0);
    let played = server.finish();
    assert_eq!(played.lines(), ["EHLO client", "NOOP", "EHLO client", "QUIT"]);
    // One segment for one command.
    assert_eq!(played.segments.len(), 4);
}

#[test]
fn a_bracketed_paste_of_lines_is_asked_about_and_sent_one_by_one() {
    // P35
    let server = serve("S: 220 mx\nC: NOOP\nquiet 100ms\nS: 250 one\nC: RSET\nS: 250 two\nC: VRFY x\nS: 252 three\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.send(&key::pasted("NOOP\nRSET\nVRFY x"));
    if !pty.shown().contains("3 lines pasted") {
        pty.send("\r");
    }
    pty.wait_for("3 lines pasted. Send one by one, waiting for each reply? [Y/n]");
    assert_eq!(server.segments(), 0);
    pty.send("y\r");
    pty.wait_for("252 three");
    pty.wait_at(&prompt(server.port));
    pty.send(key::CTRL_D);
    pty.exit();
    assert_eq!(&server.end().lines()[..3], ["NOOP", "RSET", "VRFY x"]);
}

#[test]
fn a_pasted_session_gives_its_commands_only() {
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 one\nC: RSET\nS: 250 two\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.send(&(key::pasted("220 other\n> NOOP\n< 250 ok\nC: RSET\nS: 250 ok\n") + "\r"));
    pty.wait_for("5 lines pasted, 2 of them commands.");
    pty.send("\r");
    pty.wait_for("250 two");
    pty.send(key::CTRL_D);
    pty.exit();
    assert_eq!(&server.end().lines()[..2], ["NOOP", "RSET"]);
}

#[test]
fn a_paste_that_is_not_wanted_is_not_sent() {
    let server = serve("S: 220 mx\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.send(&(key::pasted("NOOP\nRSET\n") + "\r"));
    pty.wait_for("2 lines pasted");
    pty.send("n\r");
    pty.wait_at(&prompt(server.port));
    pty.send(key::CTRL_D);
    pty.exit();
    assert_eq!(server.end().lines(), ["QUIT"]);
}

#[test]
fn lines_that_come_at_once_all_arrive_in_order() {
    // P35
    let server = serve(
        "S: 220 mx\nC: NOOP\nquiet 150ms\nS: 250 one\nC: RSET\nquiet 150ms\nS: 250 two\nC: VRFY x\nS: 252 three\nC: QUIT\nS: 221 bye",
    );
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.send("NOOP\rRSET\rVRFY x\rQUIT\r");
    assert_eq!(pty.exit(), 0, "{}", pty.shown());
    assert_eq!(server.finish().lines(), ["NOOP", "RSET", "VRFY x", "QUIT"]);
}

#[test]
fn lines_typed_ahead_wait_for_their_turn() {
    // P36
    let server = serve("wait 400ms\nS: 220 mx\nC: NOOP\nwait 600ms\nS: 250 one\nC: RSET\nS: 250 two\nC: QUIT\nS: 221 bye");
    let mut pty = talk_to(server.port, &[]).start();
    server.wait_connected();
    pty.send("NOOP\r");
    pty.wait_for("220 mx");
    pty.send("RSET\r");
    pty.send("QUIT\r");
    assert_eq!(pty.exit(), 0, "{}", pty.shown());
    assert_eq!(server.finish().lines(), ["NOOP", "RSET", "QUIT"]);
}

#[test]
fn a_long_pasted_line_arrives_whole() {
    // P35
    let long = format!("NOOP {}", "0123456789".repeat(2000));
    for bracketed in [true, false] {
        let server = serve("S: 220 mx\nC: *\nS: 250 long\nhold");
        let mut pty = talk_to(server.port, &[]).start();
        pty.wait_at(&prompt(server.port));
        let keys = if bracketed { key::pasted(&long) } else { long.clone() };
        pty.send(&(keys + "\r"));
        pty.wait_for("250 long");
        pty.send(key::CTRL_D);
        pty.exit();
        assert_eq!(server.end().lines()[0], long, "bracketed: {bracketed}");
    }
}

#[test]
fn a_long_line_typed_ahead_arrives_whole() {
    // P35 P36
    let long = format!("RSET {}", "0123456789".repeat(2000));
    let server = serve("S: 220 mx\nC: NOOP\nwait 1500ms\nS: 250 one\nC: *\nS: 250 long\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("NOOP");
    pty.wait_for("NOOP");
    pty.send(&format!("{long}\r"));
    pty.wait_for("250 long");
    pty.send(key::CTRL_D);
    pty.exit();
    assert_eq!(server.end().lines()[1], long);
}

#[test]
fn a_reply_that_nobody_asked_for_leaves_the_typed_line_alone() {
    // P37
    let server = serve(
        "S: 220 mx\nC: NOOP\nS: 250 ok\nwait 700ms\nS: 421 4.4.2 idle\nclose\nagain\nS: 220 mx again\nC: MAIL FROM:<user@alt.test>\nS: 250 sender\nhold",
    );
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("NOOP");
    pty.wait_for("250 ok");
    pty.send("MAIL FROM:<us");
    pty.wait_for("421 4.4.2 idle");
    pty.wait_for("The server closed the connection.");
    pty.wait_at(&format!("{} MAIL FROM:<us", prompt(server.port)));
    pty.send("er@alt.test>\r");
    pty.wait_for("Not sent: the connection is closed. Reconnect and send it? [Y/n]");
    pty.send("\r");
    pty.wait_for("220 mx again");
    pty.wait_for("250 sender");
    pty.wait_for("(mail)>");
    pty.send(key::CTRL_D);
    pty.exit();
    assert_eq!(&server.end().lines()[..2], ["NOOP", "MAIL FROM:<user@alt.test>"]);
}

#[test]
fn a_line_that_is_not_resent_comes_back_with_up() {
    // P37
    let server = serve("S: 220 mx\nclose");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_for("The server closed the connection");
    pty.line("MAIL FROM:<user@alt.test>");
    pty.wait_for("Reconnect and send it? [Y/n]");
    pty.send("n\r");
    pty.wait_at("not connected>");
    pty.send(key::UP);
    pty.wait_at("not connected> MAIL FROM:<user@alt.test>");
    server.end();
}

#[test]
fn after_a_reconnect_ehlo_is_said_again() {
    let server = serve("S: 220 mx\nC: EHLO me\nS: 250 mx\nclose\nagain\nS: 220 mx again\nC: EHLO me\nS: 250 mx\nC: NOOP\nS: 250 ok\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("EHLO me");
    pty.wait_for("The server closed the connection");
    pty.line("NOOP");
    pty.wait_for("[Y/n]");
    pty.send("y\r");
    pty.wait_for("250 ok");
    assert_eq!(server.end().lines(), ["EHLO me", "EHLO me", "NOOP"]);
}

#[test]
fn tab_completes_what_makes_sense() {
    let server = serve("S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250-STARTTLS\nS: 250 SIZE 1000\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("EHLO me");
    pty.wait_for("250 SIZE");
    pty.wait_at(&prompt(server.port));
    pty.send(&format!("MA{}", key::TAB));
    pty.wait_at_start(&format!("{} MAIL FROM:<", prompt(server.port)));
    pty.send(&format!("a@b.test> SI{}", key::TAB));
    pty.wait_at_start(&format!("{} MAIL FROM:<a@b.test> SIZE=", prompt(server.port)));
    pty.send(&format!("\x15:stat{}", key::TAB));
    pty.wait_at_start(&format!("{} :state", prompt(server.port)));
    pty.send(&format!("\x15STA{}", key::TAB));
    pty.wait_at_start(&format!("{} STARTTLS", prompt(server.port)));
    assert_eq!(server.end().lines(), ["EHLO me"]);
}

#[test]
fn a_header_word_is_held_back_once() {
    let server = serve("S: 220 mx\nC: BCC:<boss@contoso.test>\nS: 500 what\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("BCC:<boss@contoso.test>");
    pty.wait_for("SMTP has no BCC command");
    pty.wait_at(&prompt(server.port));
    pty.line("BCC:<boss@contoso.test>");
    pty.wait_for("500 what");
    assert_eq!(server.end().lines(), ["BCC:<boss@contoso.test>"]);
}

#[test]
fn a_mistyped_verb_is_sent_and_the_right_one_offered() {
    let server = serve("S: 220 mx\nC: MIAL FROM:<a@b.test>\nS: 500 5.3.3 Unrecognized command\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("MIAL FROM:<a@b.test>");
    pty.wait_for("Did you mean MAIL?");
    server.end();
}
