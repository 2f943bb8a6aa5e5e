//! Postfix: the walk that the program was made for, messages, logins, fixed answers.

use std::fs::File;
use std::io::{BufWriter, Write};

use tempfile::TempDir;

use super::support::{Ehlo, Mail, as_kept, assert_same, base64, count_mail, own_address, run};

pub(crate) const INBOX: &str = "postfix/testuser/new";
const ALLOW: &[&str] = &["--allow-cleartext"];
/// User, password. The last two have spaces, and characters beyond ASCII.
const USERS: &[(&str, &str)] = &[("alice", "wonderland"), ("logon", "My simple password"), ("utf8user", "pässwörd€")];

// ---- the walk ----------------------------------------------------------------------------------

#[test]
fn the_walk_from_banner_to_quit_tests_delivery_and_relaying() {
    let address = own_address();
    let script = format!(
        "EHLO client.alt.test\r\n\
         MAIL FROM: someone@alt.test\r\n\
         RCPT TO: foreignemail@external.test\r\n\
         RSET\r\n\
         MAIL FROM: someone@alt.test\r\n\
         RCPT TO: {address}\r\n\
         DATA\r\n\
         From: someone@alt.test\r\n\
         Subject: the walk\r\n\
         \r\n\
         Hello.\r\n\
         .\r\n\
         QUIT\r\n"
    );
    // The refusal is what the walk is after; it is a refusal all the same.
    run(&["--keep-going"], "postfix.smtp", script).exits(1).conversation(
        "<  220 mail.contoso.test ESMTP Postfix
         >  EHLO client.alt.test
         <  250-mail.contoso.test
         <  250-PIPELINING
         <  250-SIZE 335544320
         <  250-VRFY
         <  250-ETRN
         <  250-STARTTLS
         <  250-ENHANCEDSTATUSCODES
         <  250-8BITMIME
         <  250-DSN
         <  250-SMTPUTF8
         <  250 CHUNKING
         >  MAIL FROM: someone@alt.test
         <  250 2.1.0 Ok
         >  RCPT TO: foreignemail@external.test
         <! 554 5.7.1 <foreignemail@external.test>: Relay access denied
         >  RSET
         <  250 2.0.0 Ok
         >  MAIL FROM: someone@alt.test
         <  250 2.1.0 Ok
         >  RCPT TO: testuser+...
         <  250 2.1.5 Ok
         >  DATA
         <  354 End data with <CR><LF>.<CR><LF>
         ...
         <  250 2.0.0 Ok: queued as ...
         >  QUIT
         <  221 2.0.0 Bye",
    );
    let mail = Mail::wait(INBOX, &address);
    assert_same("the walk", mail.open(), &b"From: someone@alt.test\nSubject: the walk\n\nHello.\n"[..]);
}

#[test]
fn a_script_stops_at_the_refusal_of_relaying() {
    let script = "EHLO a\nMAIL FROM:<someone@alt.test>\nRCPT TO:<foreignemail@external.test>\nRSET\nQUIT\n";
    run(&[], "postfix.smtp", script)
        .exits(1)
        .shows("<! 554 5.7.1 <foreignemail@external.test>: Relay access denied")
        .never_shows(">  RSET");
}

#[test]
fn each_answer_to_a_recipient_has_its_exit_code() {
    let table = [
        ("testuser", "<  250 2.1.5 ", 0),
        ("discard", "<  250 2.1.5 ", 0),
        ("defer", "<! 450 4.2.0 ", 9),
        ("greylist", "<! 451 4.7.1 ", 9),
        ("full", "<! 452 4.2.2 ", 9),
        ("shutdown", "<! 421 4.3.2 ", 9),
        ("blocked", "<! 554 5.7.1 ", 1),
        ("nobody", "<! 550 5.1.1 ", 1),
    ];
    for (user, answer, code) in table {
        let script = format!("EHLO a\nMAIL FROM:<someone@alt.test>\nRCPT TO:<{user}@contoso.test>\nQUIT\n");
        run(&[], "postfix.smtp", script).exits(code).shows(answer);
    }
}

#[test]
fn silence_is_answered_with_421_and_the_program_ends_although_its_input_is_open() {
    let ehlo = Ehlo::start(&[], "postfix.idle");
    ehlo.type_in("EHLO client.alt.test\n");
    ehlo.wait_for("<! 421 4.4.2 mail.contoso.test Error: timeout exceeded");
    ehlo.ended().exits(6);
}

#[test]
fn before_starttls_a_submission_server_refuses_mail_and_login_with_530() {
    let refused = "<! 530 5.7.0 Must issue a STARTTLS command first";
    run(&[], "postfix.submission", "EHLO a\nMAIL FROM:<someone@alt.test>\n").exits(1).shows(refused);
    run(ALLOW, "postfix.submission", "EHLO a\nAUTH LOGIN\n").fails().shows(refused);
}

// ---- messages ----------------------------------------------------------------------------------

pub(crate) fn envelope(address: &str) -> String {
    format!("EHLO client.alt.test\nMAIL FROM:<someone@alt.test>\nRCPT TO:<{address}>\n")
}

/// Sends a message with `:data FILE`, and compares what arrives.
fn by_file(name: &str, message: &[u8], want: &[u8]) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("message.eml");
    std::fs::write(&file, message).unwrap();
    let address = own_address();
    let script = format!("{}:data {}\nQUIT\n", envelope(&address), file.display());
    run(&[], "postfix.smtp", script).exits(0).shows("<  250 2.0.0 Ok: queued as ");
    assert_same(name, Mail::wait(INBOX, &address).open(), want);
}

#[test]
fn a_file_arrives_byte_for_byte() {
    let table: &[(&str, &[u8])] = &[
        ("plain", b"one\r\ntwo\r\n"),
        ("leading dots", b".\r\n..\r\n...\r\n.a\r\n..b\r\n .c\r\n"),
        ("a lone dot and commands behind it", b"before\r\n.\r\nQUIT\r\n\r\n.\r\n\r\nafter\r\n"),
        ("a lone dot first", b".\r\n"),
        ("a lone dot last, its line not ended", b"text\r\n."),
        ("no end of the last line", b"one\r\nlast"),
        ("line ends of Unix", b"one\n.two\n.\n\nthree\n"),
        ("line ends of both kinds", b"one\n.two\r\n.\n.\r\nthree\n"),
        ("8-bit bytes", b"\xff\xfe\x80 latin1 \xe9\xe8, utf-8 \xc3\xa9, tab \t, escape \x1b, delete \x7f\r\n"),
        ("empty lines at the end", b"text\r\n\r\n\r\n"),
        ("nothing", b""),
    ];
    for (name, body) in table {
        let message = [b"From: someone@alt.test\r\nSubject: lab\r\n\r\n", *body].concat();
        by_file(name, &message, &as_kept(&message));
    }
}

#[test]
fn a_dot_as_the_first_byte_of_all_arrives() {
    // Postfix sets an empty line before a message that has no header.
    for message in [&b".first\r\n"[..], b".\r\n", b"..\r\n"] {
        by_file("no header", message, &[b"\n", &as_kept(message)[..]].concat());
    }
}

#[test]
fn message_of_a_megabyte_arrives_byte_for_byte() {
    // Every byte but NUL, CR and LF; lines from 0 to 997 bytes, some of them with dots in front.
    let mut message = b"From: someone@alt.test\r\nSubject: a megabyte\r\n\r\n".to_vec();
    let mut bytes = (1..=255_u8).filter(|byte| !b"\r\n".contains(byte)).cycle();
    for length in (0..998).cycle() {
        message.resize(message.len() + length % 4, b'.');
        message.extend(bytes.by_ref().take(length - length.min(length % 4)));
        message.extend(b"\r\n");
        if message.len() > 1 << 20 {
            break;
        }
    }
    by_file("a megabyte", &message, &as_kept(&message));
}

/// A message of so many MB whose dots come to all edges of a buffer: three lines of 73 bytes share no factor
/// with its size.
fn large_message(megabytes: usize) -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("large.eml");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    file.write_all(b"From: someone@alt.test\nSubject: megabytes\n\n").unwrap();
    for number in 0..=megabytes * 1_000_000 / 73 {
        writeln!(file, "{}{number:07} 012345678901234567890123456789012345678901234567890123456789012", [".", "x", "y"][number % 3])
            .unwrap();
    }
    drop(file.into_inner().unwrap());
    assert!(path.metadata().unwrap().len() > megabytes as u64 * 1_000_000);
    (folder, path)
}

/// Sends a large message and looks at what arrived, and at the memory that it took.
pub(crate) fn by_stream(flags: &[&str], server: &str, megabytes: usize) {
    let (_folder, path) = large_message(megabytes);
    let address = own_address();
    let ehlo = Ehlo::start(flags, server);
    ehlo.type_in(format!("{}:data {}\n", envelope(&address), path.display()));
    ehlo.wait_for("<  250 2.0.0 Ok: queued as ");
    let peak = ehlo.peak_memory();
    ehlo.type_in("QUIT\n");
    ehlo.finish().exits(0);
    assert_same("a large message", Mail::wait(INBOX, &address).open(), File::open(&path).unwrap());
    assert!(peak < 24 * 1024, "{peak} KiB");
}

#[test]
fn message_of_100_megabytes_arrives_byte_for_byte_within_24_mib_of_memory() {
    by_stream(&[], "postfix.smtp", 100);
}

#[test]
fn a_typed_message_arrives_byte_for_byte_with_its_leading_dots() {
    let address = own_address();
    let body = b"Subject: typed\r\n\r\n..two\r\n.one\r\n...\r\nQUIT\r\nutf-8 \xc3\xa9, latin1 \xe9\r\n\r\nend\r\n";
    let script = [envelope(&address).as_bytes(), b"DATA\r\n", body, b".\r\nQUIT\r\n"].concat();
    run(&[], "postfix.smtp", script).exits(0).shows("<  354 ").shows("<  250 2.0.0 Ok: queued as ").shows("<  221 ");
    assert_same("typed", Mail::wait(INBOX, &address).open(), &as_kept(body)[..]);
}

#[test]
fn a_refused_data_does_not_turn_the_message_into_commands() {
    let script = "EHLO a\nMAIL FROM:<someone@alt.test>\nRCPT TO:<blocked@contoso.test>\nDATA\nRSET\nSubject: x\n\ntext\n.\nQUIT\n";
    let outcome = run(&["--keep-going"], "postfix.smtp", script);
    outcome.exits(1).never_shows("<! 500").never_shows("<! 502").never_shows("<  250 2.0.0").shows("<  221 ");
}

#[test]
fn a_script_that_ends_within_the_message_delivers_nothing() {
    let address = own_address();
    let whole = format!("{}DATA\nSubject: x\n\nhalf a mess", envelope(&address));
    run(&[], "postfix.smtp", whole).fails().shows("<  354 ").never_shows("<  250 2.0.0");
    // A message that is sent after it arrives, and it alone.
    let second = format!("{}DATA\nSubject: second\n\n.\nQUIT\n", envelope(&address));
    run(&[], "postfix.smtp", second).exits(0);
    let mail = Mail::wait(INBOX, &address);
    assert_eq!(mail.bytes(), b"Subject: second\n\n");
    assert_eq!(count_mail(INBOX, &address), 1);
}

// ---- logins ------------------------------------------------------------------------------------

#[test]
fn a_typed_auth_login_is_encoded_and_accepted() {
    for (user, password) in USERS {
        run(ALLOW, "postfix.clear", format!("EHLO a\nAUTH LOGIN\n{user}\n{password}\nQUIT\n"))
            .exits(0)
            .conversation(
                "<  220 mail.contoso.test ESMTP Postfix
                 >  EHLO a
                 <  250-mail.contoso.test
                 ...
                 >  AUTH LOGIN
                 <  334 VXNlcm5hbWU6
                 ...
                 <  334 UGFzc3dvcmQ6
                 >  (password, hidden)
                 <  235 2.7.0 Authentication successful
                 >  QUIT
                 <  221 2.0.0 Bye",
            )
            .keeps_secret(user, password);
    }
}

#[test]
fn auth_login_with_the_user_name_in_the_command_asks_for_the_password_only() {
    run(ALLOW, "postfix.clear", "EHLO a\nAUTH LOGIN bG9nb24=\nMy simple password\nQUIT\n")
        .exits(0)
        .conversation(
            "...
             >  AUTH LOGIN ...
             <  334 UGFzc3dvcmQ6
             >  (password, hidden)
             <  235 2.7.0 Authentication successful
             >  QUIT
             <  221 2.0.0 Bye",
        )
        .keeps_secret("logon", "My simple password");
}

#[test]
fn a_typed_auth_plain_is_encoded_and_accepted() {
    for (user, password) in USERS {
        run(ALLOW, "postfix.clear", format!("EHLO a\nAUTH PLAIN\n{user}\n{password}\nQUIT\n"))
            .exits(0)
            .shows("<  235 2.7.0 Authentication successful")
            .keeps_secret(user, password);
    }
}

#[test]
fn auth_plain_in_one_line_goes_out_as_typed_and_is_not_shown() {
    for (user, password) in USERS {
        let message = base64(format!("\0{user}\0{password}").as_bytes());
        run(ALLOW, "postfix.clear", format!("EHLO a\nAUTH PLAIN {message}\nQUIT\n"))
            .exits(0)
            .shows("<  235 2.7.0 Authentication successful")
            .keeps_secret(user, password);
    }
}

#[test]
fn a_wrong_password_ends_the_script_with_code_8_and_stays_hidden() {
    let wrong = "not the right one";
    let in_one_line = format!("AUTH PLAIN {}", base64(format!("\0logon\0{wrong}").as_bytes()));
    for login in [&format!("AUTH LOGIN\nlogon\n{wrong}"), &format!("AUTH PLAIN\nlogon\n{wrong}"), &in_one_line] {
        run(ALLOW, "postfix.clear", format!("EHLO a\n{login}\nNOOP\n"))
            .exits(8)
            .shows("<! 535 5.7.8 Error: authentication failed")
            .never_shows(">  NOOP")
            .keeps_secret("logon", wrong);
    }
}

#[test]
fn a_password_is_not_sent_in_clear_unless_that_is_allowed() {
    let in_one_line = format!("AUTH PLAIN {}", base64(b"\0logon\0My simple password"));
    for login in ["AUTH LOGIN\nlogon\nMy simple password", "AUTH PLAIN\nlogon\nMy simple password", &in_one_line] {
        let outcome = run(&[], "postfix.clear", format!("EHLO a\n{login}\nQUIT\n"));
        outcome.fails().never_shows("<  235").keeps_secret("logon", "My simple password");
        assert!(outcome.stderr.contains("--allow-cleartext"), "{}", outcome.stderr);
    }
}
