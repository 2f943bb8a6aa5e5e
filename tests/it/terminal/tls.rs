//! STARTTLS typed by hand.

use crate::support::pty::at_terminal;

#[test]
fn starttls_is_typed_and_the_session_goes_on_with_every_letter() {
    // `openssl s_client` ends at a line that begins with R or Q.
    let mut pty = at_terminal(["sandbox"]).start();
    pty.wait_at_start("mail.contoso.test>");
    pty.line("EHLO client.alt.test");
    pty.wait_for("STARTTLS");
    pty.wait_at_start("mail.contoso.test>");
    pty.line("STARTTLS");
    pty.wait_for("verified");
    pty.wait_for("Say EHLO again");
    for (line, answer) in [
        ("EHLO client.alt.test", "CHUNKING"),
        ("RSET", "Resetting"),
        ("MAIL FROM:<someone@alt.test>", "Sender OK"),
        ("RCPT TO:<postmaster@contoso.test>", "Recipient OK"),
        ("DATA", "Start mail input"),
    ] {
        pty.wait("the prompt", |screen| screen.trim_end().ends_with('>'));
        pty.line(line);
        pty.wait_for(answer);
    }
    pty.wait("the prompt", |screen| screen.trim_end().ends_with("data>"));
    pty.send("Subject: letters\r\rRegards,\rQ\rR\rQUIT\r.\r");
    pty.wait_for("Queued mail");
    pty.wait_at_start("mail.contoso.test tls>");
    pty.line("QUIT");
    pty.wait_for("1 message accepted");
    assert_eq!(pty.exit(), 0);
}

#[test]
fn a_faulty_certificate_marks_the_prompt_and_holds_the_password_back() {
    // P20
    let mut pty = at_terminal(["sandbox", "--scenario", "expired"]).start();
    pty.wait_at_start("mail.contoso.test>");
    pty.line(":starttls");
    pty.wait_for("The certificate expired");
    pty.wait_at_start("mail.contoso.test tls!>");
    pty.line("AUTH LOGIN");
    pty.wait_at_start("username>");
    pty.line("logon");
    pty.wait_hidden();
    pty.send("My simple password\r");
    pty.wait_for_words("The certificate is not in order: send the password all the same?");
    pty.send("n\r");
    pty.wait_for("501");
    pty.line(":tls");
    pty.wait_for("TLSA 3 1 1");
    pty.line(":quit");
    assert_eq!(pty.exit(), 0);
}
