//! Every mechanism of a login, on every server that has it: with the right password and a wrong one, with a
//! password that has spaces, and with names and passwords beyond ASCII.

use crate::row::Expect::{self, Fails, Held, In, Out};
use crate::row::Given::{self, Nothing, Right, Token, Wrong};
use crate::row::How::{self, Clear, Guarded, Starttls, Tls};
use crate::row::{Row, check};

/// The answers of a server to a login.
struct Answers {
    accepted: &'static str,
    refused: &'static str,
}

const DOVECOT: Answers = Answers { accepted: "<  235 2.7.0 Logged in.", refused: "<! 535 5.7.8 Authentication failed." };
const POSTFIX: Answers =
    Answers { accepted: "<  235 2.7.0 Authentication successful", refused: "<! 535 5.7.8 Error: authentication failed: " };
const EXIM: Answers = Answers { accepted: "<  235 Authentication succeeded", refused: "<! 535 Incorrect authentication data" };
const OPENSMTPD: Answers = Answers { accepted: "<  235 2.0.0 Authentication succeeded", refused: "<! 535 Authentication failed" };

// ---- mechanisms with a password ----------------------------------------------------------------

const BY_DOVECOT: &[&str] = &["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"];
const BY_CYRUS: &[&str] = &["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"];
const BY_EXIM: &[&str] = &["PLAIN", "LOGIN", "CRAM-MD5"];
const BY_OPENSMTPD: &[&str] = &["PLAIN", "LOGIN"];

/// Every mechanism with the right password of every kind of user, and with a wrong one.
fn with_passwords(server: &'static str, how: How, mechanisms: &[&'static str], answers: &Answers) -> Vec<Row> {
    let (accepted, refused) = (In(answers.accepted), Out(answers.refused));
    let logins = [
        ("alice", Right, accepted),
        ("alice", Wrong, refused),
        ("nobody", Wrong, refused),
        // a password with spaces; one beyond ASCII, beyond Latin-1 too; a name and a password in Latin-1
        ("logon", Right, accepted),
        ("utf8user", Right, accepted),
        ("üser", Right, accepted),
    ];
    let rows = |mechanism: &&'static str| {
        let mechanism = *mechanism;
        logins.map(|(user, given, expect)| Row { server, how, mechanism, user, given, certificate: None, flags: &[], expect })
    };
    mechanisms.iter().flat_map(rows).collect()
}

#[test]
fn dovecot_with_starttls() {
    check(&with_passwords("dovecot.submission", Starttls, BY_DOVECOT, &DOVECOT));
}

#[test]
fn dovecot_with_tls_from_the_first_byte() {
    check(&with_passwords("dovecot.submissions", Tls, BY_DOVECOT, &DOVECOT));
}

#[test]
fn postfix_and_dovecot_with_starttls() {
    check(&with_passwords("postfix.submission", Starttls, BY_DOVECOT, &POSTFIX));
}

#[test]
fn postfix_and_dovecot_in_clear() {
    check(&with_passwords("postfix.clear", Clear, BY_DOVECOT, &POSTFIX));
}

#[test]
fn postfix_and_cyrus_sasl_with_starttls() {
    check(&with_passwords("postfix.cyrus", Starttls, BY_CYRUS, &POSTFIX));
}

#[test]
fn exim_with_starttls() {
    check(&with_passwords("exim.smtp", Starttls, BY_EXIM, &EXIM));
}

#[test]
fn exim_in_clear() {
    check(&with_passwords("exim.smtp", Clear, BY_EXIM, &EXIM));
}

#[test]
fn opensmtpd_with_starttls() {
    check(&with_passwords("opensmtpd.submission", Starttls, BY_OPENSMTPD, &OPENSMTPD));
}

#[test]
fn a_password_is_not_sent_in_clear_unless_that_is_allowed() {
    let row = |server, mechanism| Row {
        server,
        how: Guarded,
        mechanism,
        user: "alice",
        given: Right,
        certificate: None,
        flags: &[],
        expect: Held("--allow-cleartext"),
    };
    let rows = ["postfix.clear", "postfix.cyrus", "exim.smtp", "dovecot.submission"]
        .map(|server| ["PLAIN", "LOGIN"].map(|mechanism| row(server, mechanism)));
    check(&rows.concat());
}

// ---- NTLM --------------------------------------------------------------------------------------

fn ntlm(server: &'static str, how: How, logins: &[(&'static str, Given, Expect)]) -> Vec<Row> {
    let row = |&(user, given, expect): &_| Row { server, how, mechanism: "NTLM", user, given, certificate: None, flags: &[], expect };
    logins.iter().map(row).collect()
}

#[test]
fn ntlm_by_samba_which_wants_the_second_version_and_checks_the_mic() {
    for (server, how, answers) in
        [("dovecot.submission", Starttls, &DOVECOT), ("dovecot.submissions", Tls, &DOVECOT), ("postfix.clear", Clear, &POSTFIX)]
    {
        let (accepted, refused) = (In(answers.accepted), Out(answers.refused));
        check(&ntlm(
            server,
            how,
            &[
                ("alice", Right, accepted),
                ("alice", Wrong, refused),
                ("nobody", Wrong, refused),
                ("logon", Right, accepted),
                ("utf8user", Right, accepted),
                // in the key of the second version, the name is in capital letters
                ("üser", Right, accepted),
                ("CONTOSO\\alice", Right, accepted),
                ("OTHER\\alice", Right, refused),
            ],
        ));
    }
}

/// By servers that do not negotiate the second version: without `--ntlmv1` nothing of the password goes out.
#[test]
fn ntlm_by_servers_that_send_no_target_information() {
    for (server, how, answers) in [("postfix.cyrus", Starttls, &POSTFIX), ("exim.smtp", Starttls, &EXIM), ("exim.smtp", Clear, &EXIM)] {
        let (accepted, refused) = (In(answers.accepted), Out(answers.refused));
        let rows = ntlm(
            server,
            how,
            &[
                ("alice", Right, accepted),
                ("alice", Wrong, refused),
                ("logon", Right, accepted),
                // They take each byte of their own UTF-8 for a character, and refuse what is right.
                ("utf8user", Right, refused),
            ],
        );
        check(&rows.into_iter().map(|row| Row { flags: &["--ntlmv1"], ..row }).collect::<Vec<_>>());
        check(&ntlm(server, how, &[("alice", Right, Held("--ntlmv1"))]));
    }
}

// ---- tokens ------------------------------------------------------------------------------------

#[test]
fn tokens_are_accepted_and_refused() {
    let servers =
        [("dovecot.submission", Starttls, &DOVECOT), ("dovecot.submissions", Tls, &DOVECOT), ("postfix.submission", Starttls, &POSTFIX)];
    for (server, how, answers) in servers {
        let (accepted, refused) = (In(answers.accepted), Out(answers.refused));
        let logins = [
            ("testuser", "testuser.valid", accepted),
            ("utf8user", "utf8user.valid", accepted),
            ("üser", "üser.valid", accepted),
            ("testuser", "testuser.expired", refused),
            ("testuser", "testuser.audience", refused),
            ("alice", "testuser.valid", refused),
            // the JSON of the refusal comes before it
            ("testuser", "testuser.expired", Out("<  334 eyJ")),
        ];
        for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
            let row =
                |(user, name, expect)| Row { server, how, mechanism, user, given: Token(name), certificate: None, flags: &[], expect };
            check(&logins.map(row));
        }
    }
}

// ---- without a password ------------------------------------------------------------------------

#[test]
fn external_goes_by_the_client_certificate() {
    for (server, how, answers) in
        [("dovecot.submission", Starttls, &DOVECOT), ("dovecot.submissions", Tls, &DOVECOT), ("exim.smtp", Starttls, &EXIM)]
    {
        let (accepted, refused) = (In(answers.accepted), Out(answers.refused));
        let logins = [
            ("testuser", Some("testuser"), accepted),
            ("üser", Some("üser"), accepted),
            ("alice", Some("testuser"), refused),
            // The name is right, who signed it is not known. Exim does not offer EXTERNAL then.
            ("testuser", Some("stranger"), Fails),
            ("testuser", None, Fails),
        ];
        let row =
            |(user, certificate, expect)| Row { server, how, mechanism: "EXTERNAL", user, given: Nothing, certificate, flags: &[], expect };
        check(&logins.map(row));
    }
}

#[test]
fn anonymous_is_let_in_where_it_is_offered() {
    let table = [
        ("postfix.clear", Clear, In(POSTFIX.accepted)),
        ("postfix.cyrus", Starttls, In(POSTFIX.accepted)),
        ("postfix.submission", Starttls, Fails),
        ("dovecot.submission", Starttls, Fails),
        ("exim.smtp", Starttls, Fails),
    ];
    let row = |(server, how, expect)| Row {
        server,
        how,
        mechanism: "ANONYMOUS",
        user: "trace@alt.test",
        given: Nothing,
        certificate: None,
        flags: &[],
        expect,
    };
    check(&table.map(row));
}

/// By the ticket of testuser, which is of no use to others.
#[cfg(feature = "gssapi")]
#[test]
fn gssapi_goes_by_the_ticket() {
    let servers = [
        ("dovecot.submission", Starttls, &DOVECOT),
        ("dovecot.submissions", Tls, &DOVECOT),
        ("postfix.submission", Starttls, &POSTFIX),
        ("postfix.cyrus", Starttls, &POSTFIX),
    ];
    for (server, how, answers) in servers {
        let logins = [("testuser", In(answers.accepted)), ("alice", Fails)];
        let row = |(user, expect)| Row { server, how, mechanism: "GSSAPI", user, given: Nothing, certificate: None, flags: &[], expect };
        check(&logins.map(row));
    }
}
