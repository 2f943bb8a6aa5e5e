//! STARTTLS typed by hand.

#[cfg(feature = "dns")]
use crate::support::dns::name_server;
use crate::support::pty::{at_terminal, key};
#[cfg(feature = "dns")]
use crate::support::scripted::serve_showing;
#[cfg(feature = "dns")]
use crate::tls::issued;

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
    pty.wait_for_words("The certificate is not in order: send the password anyway?");
    pty.send("n\r");
    pty.wait_for("501");
    pty.line(":tls");
    pty.wait_for("TLSA 3 1 1");
    pty.line(":quit");
    assert_eq!(pty.exit(), 0);
}

#[cfg(feature = "dns")]
#[test]
fn a_name_that_dns_gave_marks_the_prompt_and_asks_for_the_password() {
    let names = name_server("alt.test MX 10 mail.contoso.test\nmail.contoso.test A 127.0.0.1");
    let (root, shown) = issued();
    let server = serve_showing("tls\nS: 220 mx\nC: *\nS: 334 VXNlcm5hbWU6\nC: *\nS: 334 UGFzc3dvcmQ6\nC: *\nS: 501 cancelled\nhold", shown);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, root).unwrap();
    let (resolver, place) = (names.address.to_string(), format!("alt.test:{}", server.port));
    let flags = ["--tls", "--mx", "--resolver", &resolver, "--cacert", file.to_str().unwrap(), &place];
    let mut pty = at_terminal(flags.map(str::to_owned)).start();
    pty.wait_for_words("comes from an MX record of alt.test, which is not verified");
    pty.wait("the prompt", |screen| screen.trim_end().ends_with("tls!>"));
    pty.line("AUTH LOGIN");
    pty.wait_at_start("username>");
    pty.line("logon");
    pty.wait_hidden();
    pty.send("Marker-2f4c-9d81\r");
    pty.wait_for_words("The name mail.contoso.test comes from DNS alone: send the password anyway?");
    pty.send("n\r");
    pty.wait_for("501 cancelled");
    pty.line(":quit");
    assert_eq!(pty.exit(), 0);
    assert!(!server.end().text().contains("TWFya2Vy"));
}

#[test]
fn tls_with_another_word_is_an_error_with_the_usage() {
    let mut pty = at_terminal(["sandbox", "-S"]).start();
    pty.wait_at_start("mail.contoso.test tls>");
    pty.line(":tls chain");
    pty.wait_for_words("There is no :tls chain; :tls alone or :tls save FILE");
    pty.wait("the prompt", |screen| screen.trim_end().ends_with("tls>"));
    pty.line(":tls save");
    pty.wait_for_words("A file name is wanted: :tls save FILE");
    pty.wait("the prompt", |screen| screen.trim_end().ends_with("tls>"));
    pty.line(":tls save chain.pem");
    pty.wait_for_words("the certificates, as PEM");
    pty.line(":quit");
    let folder = pty.folder().to_owned();
    let saved = std::fs::read_to_string(folder.join("chain.pem")).unwrap();
    assert_eq!(saved.matches("-----BEGIN CERTIFICATE-----").count(), 2, "{saved}");
    assert_eq!(pty.exit(), 0);
}

#[test]
fn a_handshake_that_never_ends_is_told_and_can_be_given_up() {
    // P38
    let mut pty = at_terminal(["sandbox", "--scenario", "tls-silence"]).start();
    pty.wait_at_start("mail.contoso.test>");
    pty.line("EHLO me");
    pty.wait_for("STARTTLS");
    pty.wait("the prompt", |screen| screen.trim_end().ends_with("test>"));
    pty.line("STARTTLS");
    pty.wait_for_words("Waiting for the TLS handshake (up to 5 min; Ctrl-C gives up).");
    pty.send(key::CTRL_C);
    pty.wait_for_words("Stopped; the connection is closed.");
    pty.wait_at_start("not connected>");
    pty.line(":quit");
    assert_eq!(pty.exit(), 0);
}

#[test]
fn a_certificate_fits_any_terminal() {
    for width in [80, 60, 40] {
        let mut pty = at_terminal(["sandbox", "-S", "--scenario", "wrong-name"]).width(width).start();
        pty.wait_for_words("it is for www.contoso.test");
        pty.wait("the prompt", |screen| screen.trim_end().ends_with("tls!>"));
        pty.line(":tls");
        pty.wait_for_words("TLSA 3 1 1");
        pty.wait("the prompt", |screen| screen.trim_end().ends_with("tls!>"));
        pty.line(":quit");
        assert_eq!(pty.exit(), 0);
        // vt100 joins the rows that the terminal had to break.
        for row in pty.shown().lines() {
            assert!(row.chars().count() <= usize::from(width), "{width}: {row:?}\n{}", pty.shown());
        }
    }
}
