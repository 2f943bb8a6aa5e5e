//! Exim: a second implementation of it all, and one that hangs up on who talks before its turn.

use super::support::{Mail, as_kept, assert_same, base64, own_address, run};

const ALLOW: &[&str] = &["--allow-cleartext"];

#[test]
fn a_script_of_thirty_lines_is_never_early() {
    let addresses = [own_address(), own_address(), own_address()];
    let messages = addresses.each_ref().map(|address| {
        format!(
            "MAIL FROM:<someone@alt.test>\r\nRCPT TO:<{address}>\r\nRCPT TO:<alice@contoso.test>\r\n\
             DATA\r\nFrom: someone@alt.test\r\nSubject: thirty\r\n\r\n..dots\r\n.\r\n"
        )
    });
    let script = format!("EHLO client.alt.test\r\nNOOP\r\n{}QUIT\r\n", messages.concat());
    assert_eq!(script.lines().count(), 30);
    let outcome = run(&[], "exim.smtp", script);
    outcome
        .exits(0)
        .never_shows("<! ")
        .conversation("<  220 exim.contoso.test ESMTP Exim 4...\n>  EHLO client.alt.test\n...\n>  QUIT\n<  221 ...");
    for address in &addresses {
        let want = as_kept(b"From: someone@alt.test\r\nSubject: thirty\r\n\r\n..dots\r\n");
        assert_same(address, Mail::wait("exim/testuser/new", address).open(), &want[..]);
    }
}

#[test]
fn each_answer_to_a_recipient_has_its_exit_code() {
    let table = [
        ("testuser@contoso.test", "<  250 Accepted", 0),
        ("defer@contoso.test", "<! 451 mailbox busy, try later", 9),
        ("nobody@contoso.test", "<! 550 unknown user", 1),
        ("foreignemail@external.test", "<! 550 relay not permitted", 1),
        ("blocked@contoso.test", "<! 550-blocked by policy", 1),
        ("blocked@contoso.test", "<! 550 see the second line", 1),
    ];
    for (recipient, answer, code) in table {
        let script = format!("EHLO a\nMAIL FROM:<someone@alt.test>\nRCPT TO:<{recipient}>\nQUIT\n");
        run(&[], "exim.smtp", script).exits(code).shows(answer);
    }
}

#[test]
fn logins_by_hand_are_accepted_and_refused() {
    let (user, right, wrong) = ("logon", "My simple password", "not the right one");
    let plain = |password: &str| base64(format!("\0{user}\0{password}").as_bytes());
    let forms: [&dyn Fn(&str) -> String; 4] = [
        &|password| format!("AUTH LOGIN\n{user}\n{password}"),
        &|password| format!("AUTH LOGIN {}\n{password}", base64(user.as_bytes())),
        &|password| format!("AUTH PLAIN\n{user}\n{password}"),
        &|password| format!("AUTH PLAIN {}", plain(password)),
    ];
    for form in forms {
        run(ALLOW, "exim.smtp", format!("EHLO a\n{}\nQUIT\n", form(right)))
            .exits(0)
            .shows("<  235 Authentication succeeded")
            .keeps_secret(user, right);
        run(ALLOW, "exim.smtp", format!("EHLO a\n{}\nNOOP\n", form(wrong)))
            .exits(8)
            .shows("<! 535 Incorrect authentication data")
            .never_shows(">  NOOP")
            .keeps_secret(user, wrong);
    }
}
