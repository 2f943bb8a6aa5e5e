//! TLS as a script meets it, on the practice server and its faults.

use crate::support::run::{Done, ehlo};

fn starttls(scenario: &str, more: &[&str]) -> Done {
    let mut args = vec!["sandbox", "-S", "--timeout", "2"];
    if !scenario.is_empty() {
        args.extend(["--scenario", scenario]);
    }
    ehlo(args.into_iter().chain(more.iter().copied()).collect::<Vec<_>>()).any().start().finish()
}

#[test]
fn every_fault_has_its_sentence_and_stops_a_script() {
    // P17 P19 P20 P22
    let table = [
        ("", 0, "certificate of mail.contoso.test verified"),
        ("tls12", 0, "TLS 1.2"),
        ("self-signed", 7, "is self-signed"),
        ("expired", 7, "The certificate expired"),
        ("wrong-name", 7, "The certificate is not for"),
        ("missing-intermediate", 7, "sends its own certificate alone"),
        ("client-certificate", 7, "certificate_required"),
        ("starttls-refused", 7, "STARTTLS is refused"),
        ("starttls-stripped", 7, "STARTTLS is not offered"),
        ("starttls-injection", 7, "Plain text came behind the 220"),
        ("tls-alert", 7, "the alert handshake_failure"),
        ("tls-silence", 7, "did not end within 2 s"),
        ("truncated-tls", 6, "close_notify"),
    ];
    for (scenario, status, words) in table {
        let done = starttls(scenario, &[]);
        assert_eq!(done.status, Some(status), "{scenario}\n{}", done.all());
        assert!(done.err().contains(words), "{scenario}: {words:?}\n{}", done.all());
    }
}

#[test]
fn nothing_is_said_in_clear_after_a_refusal_or_an_injection() {
    // P17 P19
    for scenario in ["starttls-stripped", "starttls-injection", "self-signed"] {
        let done = ehlo(["sandbox", "-S", "--scenario", scenario]).stdin("MAIL FROM:<a@b.test>\n").any().start().finish();
        assert!(!done.out().contains("MAIL FROM"), "{scenario}\n{}", done.all());
    }
}

#[test]
fn insecure_goes_on_and_tells_the_fault_all_the_same() {
    for scenario in ["self-signed", "expired", "wrong-name"] {
        let done = ehlo(["sandbox", "-S", "-k", "--scenario", scenario]).stdin("NOOP\nQUIT\n").any().start().finish();
        assert_eq!(done.status, Some(0), "{}", done.all());
        assert!(done.err().contains("!  The certificate") && done.out().contains(">  NOOP"), "{}", done.all());
    }
}

#[test]
fn tls_from_the_first_byte_meets_the_same_verdicts() {
    for (scenario, status, words) in [
        ("expired", 7, "The certificate expired"),
        ("client-certificate", 7, "ended TLS before its greeting"),
        ("tls-alert", 7, "handshake_failure"),
    ] {
        let done = ehlo(["sandbox", "--tls", "--scenario", scenario]).any().start().finish();
        assert_eq!(done.status, Some(status), "{scenario}\n{}", done.all());
        assert!(done.err().contains(words), "{scenario}\n{}", done.all());
    }
}

#[test]
fn a_certificate_of_ours_is_given_where_it_is_asked_for() {
    let made = rcgen::generate_simple_self_signed(vec!["client.alt.test".to_owned()]).unwrap();
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    for versions in [["--tls-min", "1.3"], ["--tls-max", "1.2"]] {
        let run = ehlo(
            ["sandbox", "-S", "--scenario", "client-certificate", "--cert", "both.pem"].into_iter().chain(versions).collect::<Vec<_>>(),
        );
        std::fs::write(run.folder().join("both.pem"), &pem).unwrap();
        let done = run.stdin("QUIT\n").any().start().finish();
        assert_eq!(done.status, Some(0), "{versions:?}\n{}", done.all());
    }
    // None is given: TLS 1.2 refuses in the handshake.
    let done = starttls("client-certificate", &["--tls-max", "1.2"]);
    assert_eq!(done.status, Some(7), "{}", done.all());
    assert!(done.err().contains("asked for a certificate of ours"), "{}", done.all());
}

#[test]
fn wishes_are_checked_before_anything_is_connected_to() {
    let table: [(&[&str], &str); 5] = [
        (&["--tls-min", "1.3", "--tls-max", "1.2"], "higher than"),
        (&["--tls-groups", "nosuch"], "not a key exchange group"),
        (&["--cacert", "no/such.pem"], "no/such.pem"),
        (&["--cert", "no/such.pem"], "no/such.pem"),
        (&["-S", "--tls"], "cannot be used with"),
    ];
    for (flags, words) in table {
        let done = ehlo(flags.iter().copied().chain(["127.0.0.1", "1"]).collect::<Vec<_>>()).any().start().finish();
        assert_eq!(done.status, Some(2), "{flags:?}\n{}", done.all());
        assert!(done.err().contains(words), "{flags:?}\n{}", done.all());
    }
}

#[test]
fn versions_and_groups_are_taken_as_wished() {
    for (flags, words) in
        [(["--tls-max", "1.2"], "TLS 1.2, "), (["--tls-min", "1.3"], "TLS 1.3, "), (["--tls-groups", "secp384r1"], ", secp384r1; ")]
    {
        let done = starttls("", &flags);
        assert!(done.status == Some(0) && done.err().contains(words), "{flags:?}\n{}", done.all());
    }
    // Nothing wished: the group that is safe against quantum computers.
    assert!(starttls("", &[]).err().contains("X25519MLKEM768"));
}

#[test]
fn the_keys_are_logged_when_the_environment_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let done = ehlo(["sandbox", "-S"]).env("SSLKEYLOGFILE", &path).any().start().finish();
    assert_eq!(done.status, Some(0), "{}", done.all());
    let keys = std::fs::read_to_string(&path).unwrap();
    assert!(keys.contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET "), "{keys}");
}
