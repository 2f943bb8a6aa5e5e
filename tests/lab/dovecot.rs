//! Dovecot: its submission service, and LMTP, which is SMTP with another first word.

use super::support::{Mail, assert_same, own_address, run};

#[test]
fn submission_greets_and_answers_ehlo() {
    run(&[], "dovecot.submission", "EHLO client.alt.test\r\nQUIT\r\n").exits(0).conversation(
        "<  220 mail.contoso.test Dovecot lab ready.
         >  EHLO client.alt.test
         <  250-mail.contoso.test
         ...
         >  QUIT
         <  221 2.0.0 Bye",
    );
}

#[test]
fn submission_wants_a_login_before_mail_and_passes_mail_on_after_it() {
    run(&[], "dovecot.submission", "EHLO a\nMAIL FROM:<someone@alt.test>\n").exits(1).shows("<! 530 5.7.0 ");

    let address = own_address();
    let script = format!(
        "EHLO a\nAUTH LOGIN\nlogon\nMy simple password\nMAIL FROM:<logon@contoso.test>\nRCPT TO:<{address}>\n\
         DATA\nSubject: submitted\n\n.dot\n.\nQUIT\n"
    );
    run(&["--allow-cleartext"], "dovecot.submission", script).exits(0).shows("<  235 2.7.0 ").keeps_secret("logon", "My simple password");
    let mail = Mail::wait("postfix/testuser/new", &address);
    let kept = mail.bytes();
    // Dovecot adds a Received field of its own below Postfix's.
    assert!(kept.ends_with(b"\nSubject: submitted\n\n.dot\n"), "{}", kept.escape_ascii());
}

#[test]
fn lmtp_can_be_spoken_by_hand() {
    run(&[], "dovecot.lmtp", "EHLO a\n").exits(1).shows("<! 500 5.5.1 ");

    let address = own_address();
    let script = format!("LHLO a\nMAIL FROM:<someone@alt.test>\nRCPT TO:<{address}>\nDATA\nSubject: lmtp\n\n..two\n.\nQUIT\n");
    run(&[], "dovecot.lmtp", script).exits(0).shows("<  250 2.0.0 ").shows("<  221 2.0.0 ");
    let mail = Mail::wait("dovecot/testuser/Maildir/new", &address);
    assert_same("lmtp", mail.open(), &b"Subject: lmtp\n\n..two\n"[..]);
}
