//! STARTTLS and TLS from the first byte against real servers.

use crate::postfix::{INBOX, by_stream, envelope};
use crate::support::{Mail, assert_same, authority, own_address, run};

/// A login by LOGIN, in the lines of a script.
const LOGIN: &str = "AUTH LOGIN\ntestuser\nsecret\n";

#[test]
fn a_login_follows_starttls_without_further_leave_when_the_certificate_is_verified() {
    let ca = authority();
    for server in ["postfix.submission", "postfix.clear", "exim.smtp"] {
        let outcome = run(&["-S", "--cacert", &ca], server, format!("{LOGIN}QUIT\n"));
        outcome.exits(0).shows(">  STARTTLS").shows("<  235 ").shows(">  (password, hidden)").says("certificate of").says(" verified");
    }
}

#[test]
fn tls_from_the_first_byte_is_spoken_where_it_is_asked_for() {
    let ca = authority();
    run(&["--tls", "--cacert", &ca], "postfix.smtps", format!("EHLO a\n{LOGIN}QUIT\n")).exits(0).shows("<  220 ").shows("<  235 ");
}

#[test]
fn an_unknown_issuer_stops_a_script_before_any_further_command() {
    // P20
    let outcome = run(&["-S"], "postfix.smtp", "NOOP\nQUIT\n");
    outcome.exits(7).says("is no root known here").never_shows(">  NOOP");
    let outcome = run(&["-S", "-k"], "postfix.smtp", "NOOP\nQUIT\n");
    outcome.exits(0).says("is no root known here").shows(">  NOOP");
}

#[test]
fn a_faulty_certificate_gets_no_password_even_with_insecure() {
    // P20
    let outcome = run(&["-S", "-k"], "postfix.submission", format!("{LOGIN}QUIT\n"));
    outcome.exits(8).says("--allow-cleartext").never_shows("(password, hidden)");
}

#[test]
fn a_wrong_name_is_told_beside_the_names_that_are_right() {
    let ca = authority();
    let outcome = run(&["-S", "--cacert", &ca, "--servername", "mail.other.test"], "postfix.smtp", "QUIT\n");
    outcome.exits(7).says("is not for mail.other.test: it is for mail.contoso.test");
}

#[test]
fn starttls_typed_by_hand_wants_ehlo_again_and_offers_something_else() {
    let ca = authority();
    let script = format!("EHLO a\nSTARTTLS\nEHLO a\n{LOGIN}QUIT\n");
    let outcome = run(&["--cacert", &ca], "postfix.submission", script);
    outcome.exits(0).shows("<  235 ").shows("<  221 ");
}

#[test]
fn lines_that_begin_with_r_and_q_are_lines_like_others_inside_tls() {
    let ca = authority();
    let address = own_address();
    let body = b"Subject: letters\r\n\r\nRegards,\r\nQ\r\nR\r\nQUIT\r\n";
    let script = [envelope(&address).as_bytes(), b"DATA\r\n", body, b".\r\nRSET\r\nQUIT\r\n"].concat();
    run(&["-S", "--cacert", &ca], "postfix.smtp", script).exits(0).shows("<  250 2.0.0 Ok: queued as ").shows("<  221 ");
    assert_same("letters", Mail::wait(INBOX, &address).open(), &String::from_utf8_lossy(body).replace("\r\n", "\n").into_bytes()[..]);
}

#[test]
fn message_of_300_megabytes_arrives_through_tls_byte_for_byte_within_24_mib_of_memory() {
    let ca = authority();
    by_stream(&["-S", "--cacert", &ca], "postfix.smtp", 300);
}

#[test]
fn plain_text_to_a_tls_port_and_tls_to_a_plain_port_are_recognised() {
    run(&["--timeout", "1"], "postfix.smtps", "QUIT\n").exits(6).says("speaks TLS from the first byte").says("--tls");
    run(&["--tls"], "postfix.smtp", "QUIT\n").exits(7).says("This port begins in plain text");
}
