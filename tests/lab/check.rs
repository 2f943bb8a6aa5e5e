//! `ehlo check` against real servers.

use crate::support::{authority, run};

/// The check of a server whose certificate is the lab's, how it ends, and words of what it says.
fn check(server: &str, flags: &[&str], status: i32, words: &[&str]) {
    let ca = authority();
    let flags: Vec<&str> = ["check", "--ehlo", "client.contoso.test", "--cacert", &ca].iter().chain(flags).copied().collect();
    let outcome = run(&flags, server, "");
    outcome.exits(status);
    for word in words {
        assert!(outcome.stdout.contains(word), "no {word:?}\n{}", outcome.all());
    }
}

#[test]
fn each_server_is_reached_and_its_certificate_verified() {
    for server in ["postfix.smtp", "postfix.clear", "postfix.cyrus", "exim.smtp", "postfix.submission", "dovecot.submission"] {
        check(server, &["-S"], 0, &["ehlo-tls ", "TLS 1.3, certificate ", " verified, "]);
    }
    check("opensmtpd.submission", &["-S"], 0, &[" verified, "]);
    for server in ["postfix.smtps", "dovecot.submissions"] {
        check(server, &["--tls"], 0, &[" verified, "]);
    }
}

#[test]
fn who_speaks_something_else_is_named() {
    check("postfix.smtps", &["--timeout", "4"], 6, &["FAILED: not SMTP: TLS"]);
    check("dovecot.lmtp", &[], 1, &["FAILED: EHLO refused (", "lmtp://127.0.0.1:14024"]);
    // Its greeting, or what it says to who talks before that: which of them depends on who is faster.
    check("postfix.smtp", &["--tls"], 7, &["TLS failed: what answered is not TLS but \""]);
    check("postfix.smtp", &["--proxy-protocol", "v1"], 6, &["does not take the PROXY header"]);
}

#[test]
fn a_check_goes_as_far_as_is_wished_and_sends_no_message() {
    let login = ["--through", "auth", "-u", "testuser", "--password-command"];
    for server in ["postfix.submission", "dovecot.submission", "exim.smtp"] {
        check(server, &[&login[..], &["echo secret"]].concat(), 0, &["Logged in as testuser by "]);
        check(server, &[&login[..], &["echo wrong"]].concat(), 8, &["FAILED: login refused (535"]);
    }
    let relay = ["--through", "rcpt", "--from", "a@contoso.test", "--to", "x@external.test"];
    check("postfix.smtp", &relay, 1, &["FAILED: RCPT TO refused (5"]);
    check("postfix.smtp", &["--through", "rcpt", "--to", "testuser@contoso.test"], 0, &["rcpt "]);
}

#[test]
fn programs_are_told_in_their_own_forms() {
    check("postfix.smtp", &["--format", "nagios", "--cert-days", "2,1"], 0, &["SMTP OK - 127.0.0.1:14025 in ", "cert_days="]);
    check("postfix.smtp", &["--json"], 0, &["\"verdict\":\"ok\"", "\"event\":\"result\""]);
    check("postfix.smtp", &["--format", "prometheus"], 0, &["ehlo_check_certificate_verified{host=\"127.0.0.1\",port=\"14025\""]);
}
