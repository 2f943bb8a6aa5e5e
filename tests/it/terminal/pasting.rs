//! Pasted sessions and messages (P49): a message arrives as it stands, and nothing is left out in silence.

use super::prompt;
use crate::support::pty::{Pty, key, talk_to};
use crate::support::scripted::{Scripted, serve};

const ENVELOPE: &str = "C: EHLO a\nS: 250 mx\nC: MAIL FROM:<a@b.test>\nS: 250 sender\nC: RCPT TO:<c@d.test>\nS: 250 recipient\n";

/// A message whose lines look like everything that is left out elsewhere.
const MESSAGE: &str = "Subject: x\n\n* 100 sheets\n200 envelopes\n# heading\n> quoted\n< less\n- list\n:colon\n::two\n\ttab\ntrailing  \n.dot\n..\nC: drive\numlaut ä\n\nQUIT\n";

/// The same on the wire.
fn on_the_wire() -> String {
    MESSAGE.replace("\n.", "\n..").replace('\n', "\r\n")
}

fn paste(dialogue: &str, text: &str) -> (Scripted, Pty) {
    let server = serve(dialogue);
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.send(&(key::pasted(text) + "\r"));
    (server, pty)
}

#[test]
fn a_pasted_session_leaves_its_message_as_it_stands() {
    // P49
    let text =
        format!("EHLO a\n250 mx\nMAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\n354 go ahead\n{MESSAGE}.\n250 queued\n\nQUIT\n221 bye\n");
    let dialogue = format!("S: 220 mx\n{ENVELOPE}C: DATA\nS: 354 go\nmessage\nS: 250 queued\nC: QUIT\nS: 221 bye");
    let (server, mut pty) = paste(&dialogue, &text);
    for line in ["left out: 250 mx", "left out: 354 go ahead", "left out: 250 queued", "left out: 221 bye"] {
        pty.wait_for(line);
    }
    pty.wait_for_words("28 lines pasted, 5 of them commands and 19 of a message. Send one by one, waiting for each reply? [Y/n]");
    assert_eq!(server.segments(), 0);
    pty.send("\r");
    assert_eq!(pty.exit(), 0);
    let played = server.finish();
    assert_eq!(String::from_utf8_lossy(&played.messages[0]), on_the_wire());
}

#[test]
fn a_pasted_session_with_marks_loses_them_in_its_message_too() {
    // P49
    let marked: String = MESSAGE.lines().map(|line| format!("C: {line}\n").replace("C: \n", "C:\n")).collect();
    let text = format!(
        "S: 220 mx\nC: EHLO a\nS: 250 mx\nC: MAIL FROM:<a@b.test>\nC: RCPT TO:<c@d.test>\nC: DATA\nS: 354 go\n{marked}C: .\nS: 250 queued\n"
    );
    let (server, mut pty) = paste(&format!("S: 220 mx\n{ENVELOPE}C: DATA\nS: 354 go\nmessage\nS: 250 queued\nhold"), &text);
    pty.wait_for("left out: S: 354 go");
    pty.wait_for("[Y/n]");
    pty.send("\r");
    pty.wait_for("250 queued");
    pty.wait_at(&prompt(server.port));
    assert_eq!(String::from_utf8_lossy(&server.end().messages[0]), on_the_wire());
}

#[test]
fn a_message_whose_data_is_refused_is_dropped_up_to_its_dot() {
    // P31
    let dialogue = "S: 220 mx\nC: DATA\nS: 503 no recipients\nC: NOOP\nS: 250 ok\nhold";
    let (server, mut pty) = paste(dialogue, "DATA\nRCPT TO:<x@y.test>\n\nQUIT\n.\nNOOP\n");
    pty.wait_for("[Y/n]");
    pty.send("\r");
    pty.wait_for_words("4 pasted lines of a message are dropped, not sent: the server is not waiting for a message.");
    pty.wait_for("250 ok");
    assert_eq!(server.end().lines(), ["DATA", "NOOP"]);
}

#[test]
fn answers_behind_an_auth_that_is_refused_are_dropped() {
    // P46
    let dialogue = "S: 220 mx\nC: AUTH LOGIN\nS: 504 no\nC: NOOP\nS: 250 ok\nhold";
    let (server, mut pty) = paste(dialogue, "AUTH LOGIN\n334 VXNlcm5hbWU6\nbG9nb24=\n334 UGFzc3dvcmQ6\ncGFzc3dvcmQ=\n235 ok\nNOOP\n");
    pty.wait_for("[Y/n]");
    pty.send("\r");
    pty.wait_for_words("2 pasted lines behind AUTH are dropped, not sent: the server did not ask for an answer.");
    pty.wait_for("250 ok");
    assert_eq!(server.end().lines(), ["AUTH LOGIN", "NOOP"]);
}

#[test]
fn a_paste_that_ends_within_the_message_leaves_the_operator_there() {
    // P49
    let (server, mut pty) = paste("S: 220 mx\nC: DATA\nS: 354 go\nmessage\nS: 250 queued\nhold", "DATA\nSubject: x\n\n250 pasted\n");
    pty.wait_for("[Y/n]");
    pty.send("\r");
    pty.wait_for("data> 250 pasted");
    pty.wait_at("data>");
    pty.send(&(key::pasted("* more\n\n# rows\n") + "\r"));
    pty.wait_for("data> # rows");
    pty.wait_at("data>");
    pty.line(".");
    pty.wait_for("250 queued");
    assert_eq!(String::from_utf8_lossy(&server.end().messages[0]), "Subject: x\r\n\r\n250 pasted\r\n* more\r\n\r\n# rows\r\n");
}

#[test]
fn commands_behind_the_dot_of_a_pasted_message_are_asked_about() {
    // P49
    let server = serve("S: 220 mx\nC: DATA\nS: 354 go\nmessage\nS: 250 queued\nC: NOOP\nS: 250 ok\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("DATA");
    pty.wait_at("data>");
    pty.send(&(key::pasted("x\n.\n250 queued\nNOOP\n") + "\r"));
    pty.wait_for("left out: 250 queued");
    pty.wait_for_words("4 lines pasted, 1 of them a command and 2 of a message.");
    pty.send("\r");
    pty.wait_for("250 ok");
    assert_eq!(server.end().messages, [b"x\r\n"]);
}

#[test]
fn a_paste_without_a_command_sends_nothing() {
    let (server, mut pty) = paste("S: 220 mx\nhold", "250-mx\x1b[31m\n250 ok\n");
    pty.wait_for("left out: 250-mx");
    pty.wait_for("There is no command in what was pasted.");
    pty.wait_at(&prompt(server.port));
    assert_eq!(server.end().text(), "");
}

#[test]
fn a_reply_that_is_typed_is_held_back_once() {
    // P49: a paste that the terminal does not mark comes as keys.
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC: RSET\nS: 250 two\nC: 250 ok\nS: 500 what\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.send("220 other\rNOOP\r250 done\r< 250 less\rS: 250 south\r* note\rC: EHLO x\r250-mx\r354\rRSET\r");
    pty.wait_for("250 two");
    pty.wait_at(&prompt(server.port));
    assert_eq!(pty.shown().matches("That looks like").count(), 8, "{}", pty.shown());
    pty.line("250 ok");
    pty.wait("the ninth", |screen| screen.matches("That looks like").count() == 9);
    assert!(pty.shown().contains("That looks like a server's reply; not sent. Enter it again to send it anyway."), "{}", pty.shown());
    pty.wait_at(&prompt(server.port));
    pty.line("250 ok");
    pty.wait_for("500 what");
    assert_eq!(server.end().lines(), ["NOOP", "RSET", "250 ok"]);
}

#[test]
fn keys_at_data_arrive_as_they_were_pressed() {
    // P49: also tabs and what only looks like a local command.
    let server = serve("S: 220 mx\nC: DATA\nS: 354 go\nmessage\nS: 250 queued\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("DATA");
    pty.wait_at("data>");
    pty.send("a\tb\r\tc\r250 d\r# e\r\r> f\r:nosuch\r.\r");
    pty.wait_for("250 queued");
    pty.wait_for_words("The line is not in the message");
    assert_eq!(String::from_utf8_lossy(&server.end().messages[0]), "a\tb\r\n\tc\r\n250 d\r\n# e\r\n\r\n> f\r\n");
}
