//! The message at `data>`, and `:edit`.

use super::prompt;
use crate::support::pty::{Pty, key, talk_to};
use crate::support::scripted::{Scripted, serve};

const OPEN: &str = "S: 220 mx\nC: MAIL FROM:<a@b.test>\nS: 250 sender\nC: RCPT TO:<c@d.test>\nS: 250 recipient\n";

fn at_recipient(dialogue: &str, env: &[(&str, &str)]) -> (Scripted, Pty) {
    let server = serve(&format!("{OPEN}{dialogue}"));
    let start = talk_to(server.port, &[]);
    let mut pty = env.iter().fold(start, |start, (name, value)| start.env(name, value)).start();
    pty.wait_at(&prompt(server.port));
    pty.line("MAIL FROM:<a@b.test>");
    pty.wait_for("(mail)>");
    pty.line("RCPT TO:<c@d.test>");
    pty.wait_for("(1 rcpt)>");
    (server, pty)
}

#[test]
fn a_typed_message_arrives_with_its_dots() {
    // P28
    let (server, mut pty) = at_recipient("C: DATA\nS: 354 go on\nmessage\nS: 250 queued\nhold", &[]);
    pty.line("DATA");
    pty.wait_at("data>");
    for line in ["Subject: x", "", ".dot", "..", ". ", "::colon", "QUIT"] {
        pty.line(line);
        pty.wait_at("data>");
    }
    assert!(pty.shown().contains("A dot at the beginning of a line is doubled for you."));
    assert!(pty.shown().contains("You are in the message"), "{}", pty.shown());
    pty.line(".");
    pty.wait_for("250 queued");
    pty.wait_at(&prompt(server.port));
    pty.send(key::CTRL_D);
    pty.exit();
    let history = std::fs::read_to_string(pty.folder().join("history")).unwrap();
    // P42
    assert_eq!(history, "MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nDATA\n");
    let message = String::from_utf8(server.end().messages.remove(0)).unwrap();
    assert_eq!(message, "Subject: x\r\n\r\n..dot\r\n...\r\n.. \r\n:colon\r\nQUIT\r\n");
}

#[test]
fn a_pasted_message_is_taken_without_a_question() {
    let (server, mut pty) = at_recipient("C: DATA\nS: 354 go on\nmessage\nS: 250 queued\nhold", &[]);
    pty.line("DATA");
    pty.wait_at("data>");
    pty.send(&(key::pasted("Subject: x\n\n:quit\n250 not a reply\n> quoted\n.\n") + "\r"));
    pty.wait_for("250 queued");
    let message = String::from_utf8(server.end().messages.remove(0)).unwrap();
    assert_eq!(message, "Subject: x\r\n\r\n:quit\r\n250 not a reply\r\n> quoted\r\n");
}

#[test]
fn octets_of_a_chunk_are_typed_until_all_are_there() {
    // P30 P42
    let (server, mut pty) = at_recipient(
        "C! BDAT 14\\r\\n\nC! QUIT\\r\\n\\r\\n:x\\r\\nhi\nS: 250 fourteen\nC! BDAT 2 LAST\\r\\n\nC! \\r\\n\nS: 250 queued\nhold",
        &[],
    );
    pty.line("BDAT 14");
    pty.wait_at("(14 left) bdat>");
    for (line, left) in [("QUIT", "(8 left) bdat>"), ("", "(6 left) bdat>"), ("::x", "(2 left) bdat>")] {
        pty.line(line);
        pty.wait_at(left);
    }
    pty.line("far too long");
    pty.wait_for("Not taken: the line has 14 octets with its line end, and 2 are left.");
    pty.line("hi");
    pty.wait_for("250 fourteen");
    assert!(pty.shown().contains("without a line end"), "{}", pty.shown());
    pty.line("BDAT 2 LAST");
    pty.wait_at("(2 left) bdat>");
    pty.line("");
    pty.wait_for("250 queued");
    pty.send(key::CTRL_D);
    pty.exit();
    let history = std::fs::read_to_string(pty.folder().join("history")).unwrap();
    assert_eq!(history, "MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\nBDAT 14\nBDAT 2 LAST\n");
    server.end();
}

#[test]
fn a_chunk_that_is_begun_is_given_up_as_a_message_is() {
    // P32 P38
    for by in [key::CTRL_C, key::CTRL_D, ":abort\r"] {
        let (server, mut pty) = at_recipient("C! BDAT 14 LAST\\r\\n\nhold", &[]);
        pty.line("BDAT 14 LAST");
        pty.wait_at("(14 left) bdat>");
        pty.line("half");
        pty.wait_at("(8 left) bdat>");
        pty.send(by);
        pty.wait_for("nothing is delivered. Close?");
        pty.line("y");
        pty.wait_for("nothing is delivered.");
        pty.wait_at("not connected>");
        let text = server.end().text();
        assert!(text.ends_with("BDAT 14 LAST\r\n"), "{text}");
    }
}

#[test]
fn a_bdat_that_is_refused_while_its_octets_are_typed_takes_none_of_them() {
    // P31
    let (server, mut pty) = at_recipient("C! BDAT 14 LAST\\r\\n\nS: 502 what\nC: NOOP\nS: 250 fine\nhold", &[]);
    pty.line("BDAT 14 LAST");
    pty.wait_for("502 what");
    pty.line("RSET");
    pty.wait_for("The line is dropped, not sent");
    pty.line("NOOP");
    pty.wait_for("250 fine");
    server.end();
}

#[test]
fn a_pasted_chunk_and_a_file_go_out_whole() {
    let hello = "C: EHLO a\nS: 250-mx\nS: 250 CHUNKING\n";
    let (server, mut pty) = at_recipient(
        &format!("{hello}C! BDAT 10\\r\\n\nC! # a\\r\\n\\r\\nb\\r\\n\nS: 250 ten\nC! BDAT 3 LAST\\r\\n\nC! a\\nb\nS: 250 queued\nhold"),
        &[],
    );
    std::fs::write(pty.folder().join("m.eml"), "a\nb").unwrap();
    pty.line("EHLO a");
    pty.wait_for("CHUNKING");
    pty.send(&(key::pasted("BDAT 10\n# a\n\nb\n:bdat m.eml\n") + "\r"));
    pty.wait_for("Send one by one");
    pty.line("y");
    pty.wait_for("250 ten");
    pty.wait_for("250 queued");
    assert!(pty.shown().contains(">  BDAT 3 LAST"), "{}", pty.shown());
    server.end();
}

#[test]
fn commands_behind_a_pasted_chunk_of_a_wrong_size_are_no_content() {
    // P49
    let (server, mut pty) = at_recipient("C! BDAT 9 LAST\\r\\n\nhold", &[]);
    pty.send(&(key::pasted("BDAT 9 LAST\nab\nlonger\nRSET\nQUIT\n") + "\r"));
    pty.wait_for("Send one by one");
    pty.line("y");
    pty.wait_for("Not taken: the line has 8 octets");
    pty.wait_for("2 pasted lines are dropped, not sent");
    assert!(server.end().text().ends_with("BDAT 9 LAST\r\n"));
}

#[test]
fn a_sample_is_filled_in() {
    let (server, mut pty) = at_recipient("C: DATA\nS: 354 go on\nmessage\nS: 250 queued\nhold", &[]);
    pty.line("DATA");
    pty.wait_at("data>");
    pty.line(":sample");
    pty.wait_for("Subject: ehlo test");
    pty.line(".");
    pty.wait_for("250 queued");
    let message = String::from_utf8(server.end().messages.remove(0)).unwrap();
    for line in ["From: <a@b.test>\r\n", "To: <c@d.test>\r\n", "Date: ", "Message-ID: <", "Subject: ehlo test"] {
        assert!(message.contains(line), "{line}: {message}");
    }
}

#[test]
fn abort_closes_after_a_yes() {
    // P32
    let (server, mut pty) = at_recipient("C: DATA\nS: 354 go on\nhold", &[]);
    pty.line("DATA");
    pty.wait_at("data>");
    pty.line("text");
    pty.line(":abort");
    pty.wait_for("nothing is delivered. Close? [y/N]");
    pty.send("y\r");
    pty.wait_at("not connected>");
    assert!(!server.end().text().contains("text"));
}

#[test]
fn the_editor_of_the_environment_composes() {
    let dialogue = "C: DATA\nS: 354 go on\nmessage\nS: 250 queued\nhold";
    for name in ["EDITOR", "VISUAL"] {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("edit.sh");
        std::fs::write(&script, "test -t 0 || exit 1\nprintf 'From: <me@b.test>\\nSubject: edited\\n\\n.by a script\\n' >\"$1\"\n")
            .unwrap();
        let editor = format!("sh {}", script.display());
        let temp = folder.path().to_string_lossy().into_owned();
        let (server, mut pty) = at_recipient(dialogue, &[(name, &editor), ("TMPDIR", &temp)]);
        pty.line(":edit");
        pty.wait_for("composed. Kept for the next DATA.");
        pty.line("DATA");
        pty.wait_for("Use the prepared message");
        pty.send("\r");
        pty.wait_for("250 queued");
        let message = String::from_utf8(server.end().messages.remove(0)).unwrap();
        assert_eq!(message, "From: <me@b.test>\r\nSubject: edited\r\n\r\n..by a script\r\n");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["edit.sh"]);
    }
}

#[test]
fn an_editor_that_fails_changes_nothing() {
    for editor in ["false", "no-such-editor-anywhere"] {
        let (server, mut pty) = at_recipient("hold", &[("EDITOR", editor)]);
        pty.line(":edit");
        pty.wait_for(editor);
        pty.wait_for("(1 rcpt)>");
        pty.line(":show");
        pty.wait_for("Nothing is composed yet.");
        server.end();
    }
}

#[test]
fn a_421_in_the_message_is_shown_at_once() {
    // P10 P37
    let (server, mut pty) = at_recipient("C: DATA\nS: 354 go on\nwait 600ms\nS: 421 4.4.2 too slow\nclose", &[]);
    pty.line("DATA");
    pty.wait_at("data>");
    pty.send("half a li");
    pty.wait_for("421 4.4.2 too slow");
    pty.wait_at("data> half a li");
    pty.send("ne\r");
    pty.wait("another prompt or a question", |screen| screen.trim_end().ends_with('>') || screen.trim_end().ends_with("[Y/n]"));
    // What was meant for the message must not become a command.
    assert!(!server.end().text().contains("half a line"), "{}", pty.shown());
}

#[test]
fn a_long_message_goes_out_from_a_file() {
    let dialogue = "C: DATA\nS: 354 go on\nmessage\nS: 250 queued\nhold";
    let (server, mut pty) = at_recipient(dialogue, &[]);
    let text = "0123456789".repeat(7) + "\n";
    std::fs::write(pty.folder().join("mail.eml"), text.repeat(40_000)).unwrap();
    pty.line(":data mail.eml");
    pty.wait_for("250 queued");
    assert_eq!(server.end().messages[0].len(), 40_000 * 72);
}

#[test]
fn quit_in_the_message_asks_first() {
    // P49
    let server = serve("S: 220 mx\nC: DATA\nS: 354 go\nmessage\nS: 250 ok\nC: QUIT\nS: 221 bye");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("DATA");
    pty.wait_at("data>");
    pty.line(":quit");
    pty.wait_for_words("would not be delivered. Leave? [y/N]");
    pty.line("n");
    pty.wait_at("data>");
    pty.line("text");
    pty.wait_at("data>");
    pty.line(".");
    pty.wait_at(&prompt(server.port));
    pty.line("QUIT");
    assert_eq!(pty.exit(), 0);
    assert_eq!(server.finish().messages, [b"text\r\n"]);
}
