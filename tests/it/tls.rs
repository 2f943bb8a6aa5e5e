//! TLS as a script meets it, on the practice server and its faults.

use crate::support::run::{Done, ehlo, ehlo_to};
use crate::support::scripted::{Shown, serve, serve_showing};

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
        ("missing-intermediate", 7, "issuer Practice Issuing CA 1 is no root known here, and the server does not send its certificate"),
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
        ("client-certificate", 7, "wants a certificate of yours: the server ended TLS with the alert certificate_required"),
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

#[cfg(unix)]
#[test]
fn a_file_without_an_end_is_read_to_a_limit() {
    // P52
    for flag in ["--cacert", "--cert"] {
        let done = ehlo([flag, "/dev/zero", "127.0.0.1", "1"]).any().start().finish();
        assert_eq!(done.status, Some(2), "{flag}: {}", done.all());
        assert!(done.err().contains("/dev/zero: it holds more than 16 MiB"), "{flag}: {}", done.all());
        assert!(done.memory < 64 * 1024, "{flag}: {} KiB", done.memory);
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

/// A script through STARTTLS with a scripted server whose certificate is nobody's; what stands on standard error.
fn inside(before: &str, tls: &str, after: &str, flags: &[&str], status: i32) -> String {
    let hello = "S: 220 mail.contoso.test\nC: *\nS: 250-mail.contoso.test\nS: 250-SIZE 100\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go";
    let server = serve(&format!("{}\n{tls}\n{after}", if before.is_empty() { hello } else { before }));
    let flags = [&["-S", "-k"], flags].concat();
    let done = ehlo_to(server.port, &flags).stdin("QUIT\n").any().status(status).check();
    server.finish();
    done.err()
}

#[test]
fn what_a_server_changes_inside_tls_is_told() {
    let same = inside("", "tls", "C: *\nS: 250-MAIL.contoso.test Hello\nS: 250 SIZE 100\nC: QUIT\nS: 221 bye", &[], 0);
    assert!(!same.contains("Inside TLS") && !same.contains("STARTTLS is offered"), "{same}");
    let other = "C: *\nS: 250-back.contoso.test Hello\nS: 250-SIZE 200\nS: 250 STARTTLS\nC: QUIT\nS: 221 bye";
    let told = inside("", "tls", other, &[], 0);
    for words in [
        "Inside TLS the offer differs. New: SIZE 200. Gone: SIZE 100.",
        "Inside TLS the server calls itself back.contoso.test, before it mail.contoso.test:",
        "STARTTLS is offered inside TLS again",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words}\n{told}");
    }
}

#[test]
fn a_refusal_for_want_of_a_certificate_of_ours_is_understood() {
    let wanted = "The server wants a certificate of yours";
    let likely = "asked for a certificate of ours and got none: that is the likely reason";
    let postfix = "C: *\nS: 421 4.7.1 mail.contoso.test Error: No client certificate presented";
    let table = [
        (postfix, 7, wanted),
        ("C: *\nS: 554 5.7.1 no", 1, "asked for a certificate of yours and got none: that may be why"),
        ("C: *\nclose", 6, likely),
        ("C: *\ncut", 6, likely),
    ];
    for (after, status, words) in table {
        let told = inside("", "tls asking", after, &[], status);
        assert!(told.contains(words) && !told.contains("try again later"), "{after}: {words}\n{told}");
        // Nobody asked for it: then it is not the reason.
        let told = inside("", "tls", after, &[], if after == postfix { 7 } else { status });
        assert!(!told.contains(words), "{after}\n{told}");
    }
    // After EHLO was accepted, an end has other reasons.
    let told = inside("", "tls asking", "C: *\nS: 250 mx\nC: QUIT\nclose", &[], 6);
    assert!(!told.contains(likely), "{told}");
}

#[test]
fn starttls_inside_tls_is_not_taken_for_a_lack_of_tls() {
    // P18
    let script = |reply: &str| {
        let server = serve(&format!(
            "S: 220 mx\nC: *\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls\nC: *\nS: 250 mx\nC: STARTTLS\nS: {reply}"
        ));
        ehlo_to(server.port, &["-S", "-k"]).stdin("STARTTLS\nNOOP\n").any().start().finish()
    };
    let refused = script("503 5.5.1 TLS already\nC: QUIT\nS: 221 bye");
    assert!(refused.status == Some(1) && refused.err().contains("is encrypted already: STARTTLS is said once"), "{}", refused.all());
    let taken = script("220 go");
    assert!(taken.status == Some(7) && taken.err().contains("waits for a second handshake inside TLS"), "{}", taken.all());
    assert!(!taken.out().contains("NOOP"), "{}", taken.all());
}

#[test]
fn a_greeting_refused_for_want_of_a_certificate_is_diagnosed_once() {
    let server = serve("tls asking\nS: 421 4.7.1 Error: No client certificate presented");
    let done = ehlo_to(server.port, &["--tls", "-k"]).any().status(7).check();
    assert!(done.err().contains(" wants a certificate of yours: 421\n") && !done.err().contains("\n?  The server"), "{}", done.all());
    server.finish();
}

/// A certificate for a client and its key, PEM, with the key's own beside it.
fn client(change: impl FnOnce(&mut rcgen::CertificateParams)) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["client.alt.test".to_owned()]).unwrap();
    change(&mut params);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_certificate_of_ours_that_will_not_be_liked_is_told_first() {
    use time::{Duration, OffsetDateTime};
    let now = OffsetDateTime::now_utc();
    let expired = client(|params| (params.not_before, params.not_after) = (now - Duration::days(90), now - Duration::hours(3 * 24 + 1)));
    let early = client(|params| params.not_before = now + Duration::hours(2 * 24 + 1));
    let server = client(|params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth]);
    let good = client(|params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth]);
    let table = [
        (expired, "!  Our certificate (--cert) expired 3 days ago ("),
        (early, "!  Our certificate (--cert) is not valid yet: it begins in 2 days ("),
        (server, "!  Our certificate (--cert) is not meant for clients"),
        (good, ""),
    ];
    for ((cert, key), words) in table {
        let run = ehlo(["sandbox", "-S", "--scenario", "client-certificate", "--cert", "ours.pem", "--key", "ours.key"]);
        std::fs::write(run.folder().join("ours.pem"), cert).unwrap();
        std::fs::write(run.folder().join("ours.key"), key).unwrap();
        let done = run.stdin("QUIT\n").any().check();
        let told = done.err().contains("Our certificate");
        assert!(done.err().contains(words) && told != words.is_empty(), "{words}\n{}", done.all());
        assert!(!told || done.err().find("Our certificate") < done.err().find("TLS 1.3, "), "{}", done.all());
    }
}

#[test]
fn files_for_a_certificate_of_ours_that_do_not_fit_are_refused_by_name() {
    let ((cert, key), (_, other)) = (client(|_| {}), client(|_| {}));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let table = [
        (cert.as_str(), other.as_str(), "ours.key: the key is not that of the certificate in ours.pem"),
        (&cert, encrypted, "ours.key: the key is encrypted; 'openssl pkey"),
        (&cert, &cert, "ours.key: it holds no private key"),
        (&key, &key, "ours.pem: it holds no certificate"),
        ("noise", &key, "ours.pem: it holds no certificate"),
    ];
    for (cert, key, words) in table {
        let run = ehlo(["127.0.0.1", "1", "--cert", "ours.pem", "--key", "ours.key"]);
        std::fs::write(run.folder().join("ours.pem"), cert).unwrap();
        std::fs::write(run.folder().join("ours.key"), key).unwrap();
        let done = run.any().status(2).check();
        assert!(done.err().contains(words), "{words}\n{}", done.all());
    }
}

#[test]
fn plain_text_in_the_place_of_tls_is_told_with_the_flag_that_would_work() {
    let table = [
        ("S: 220 mx ESMTP\nhold", &["--tls"][..], "-S in the place of --tls"),
        ("C! \\x16\nS: HTTP/1.1 400 Bad Request", &["--tls"], "It looks like a web server"),
        (
            "S: 220 mx\nC: *\nS: 250 STARTTLS\nC: *\nS: 220 go\nC! \\x16\nS: 500 what",
            &["-S"],
            "goes on in plain text although it agreed to TLS",
        ),
    ];
    for (dialogue, flags, words) in table {
        let server = serve(&dialogue.replace("S: 250 STARTTLS", "S: 250-mx\nS: 250 STARTTLS"));
        let done = ehlo_to(server.port, flags).any().status(7).check();
        assert!(done.err().contains("What answered is not TLS but: ") && done.err().contains(words), "{words}\n{}", done.all());
    }
}

#[test]
fn an_alert_about_a_name_depends_on_whether_one_was_sent() {
    // unrecognized_name (RFC 8446 section 6).
    let alert = "C! \\x16\nS! \\x15\\x03\\x03\\0\\x02\\x02\\x70\nhold";
    for (flags, words) in [
        (&["--tls"][..], "none was sent: --servername NAME sends one"),
        (&["--tls", "--servername", "a.test"], "no certificate for the name that was sent"),
        (&["--tls", "--servername", "a.test", "--no-sni"], "none was sent"),
    ] {
        let server = serve(alert);
        let done = ehlo_to(server.port, flags).any().status(7).check();
        assert!(done.err().contains("the alert unrecognized_name") && done.err().contains(words), "{words}\n{}", done.all());
    }
}

#[test]
fn an_old_server_is_asked_again_and_one_hint_says_what_it_means() {
    // P21: the alert protocol_version, then a ServerHello of TLS 1.0 with TLS_RSA_WITH_3DES_EDE_CBC_SHA.
    let seven = "\\x07".repeat(32);
    let hello = format!("\\x16\\x03\\x01\\0\\x2a\\x02\\0\\0\\x26\\x03\\x01{seven}\\0\\0\\x0a\\0");
    let server = serve(&format!("C! \\x16\nS! \\x15\\x03\\x01\\0\\x02\\x02\\x46\nagain\nC! \\x16\nS! {hello}\nhold"));
    let done = ehlo_to(server.port, &["--tls"]).any().status(7).check();
    assert!(done.err().contains("Asked again, the server speaks TLS 1.0 with TLS_RSA_WITH_3DES_EDE_CBC_SHA."), "{}", done.all());
    assert_eq!(done.err().lines().filter(|line| line.starts_with('?')).count(), 1, "{}", done.all());
    // It says no more when it is asked again: then the alert is explained.
    let server = serve("C! \\x16\nS! \\x15\\x03\\x01\\0\\x02\\x02\\x46\nagain\nC! \\x16");
    let done = ehlo_to(server.port, &["--tls"]).any().status(7).check();
    assert_eq!(done.err().lines().filter(|line| line.starts_with('?')).count(), 1, "{}", done.all());
    assert!(done.err().contains("speaks only TLS 1.0 or 1.1"), "{}", done.all());
    server.end();
}

#[test]
fn tls_12_with_suites_that_are_not_had_here_is_told_by_the_suite() {
    // The alert handshake_failure; asked again, a ServerHello of TLS 1.2 with TLS_RSA_WITH_AES_256_CBC_SHA256.
    let seven = "\\x07".repeat(32);
    let hello = format!("\\x16\\x03\\x03\\0\\x2a\\x02\\0\\0\\x26\\x03\\x03{seven}\\0\\0\\x3d\\0");
    let dialogue = format!("C! \\x16\nS! \\x15\\x03\\x03\\0\\x02\\x02\\x28\nagain\nC! \\x16\nS! {hello}\nhold");
    for job in [["check"].as_slice(), &[]] {
        let server = serve(&dialogue);
        let place = format!("127.0.0.1:{}", server.port);
        let done = ehlo([job, &["--tls", &place]].concat()).any().status(7).check();
        let told = done.all().split_whitespace().collect::<Vec<_>>().join(" ");
        for words in ["TLS 1.2 with TLS_RSA_WITH_AES_256_CBC_SHA256", "without forward secrecy and a cipher in CBC mode", "legacy-tls"] {
            assert!(told.contains(words), "{words}\n{}", done.all());
        }
        // RFC 8996 is about TLS 1.0 and 1.1.
        assert!(!told.contains("RFC 8996") && !told.contains("too old"), "{}", done.all());
    }
}

#[test]
fn a_cut_is_an_error_before_the_farewell_and_none_after_it() {
    // P22
    let told = inside("", "tls", "C: *\nS: 250 mx\nC: QUIT\nS: 221 bye\ncut", &[], 0);
    assert!(!told.contains("close_notify"), "{told}");
    let told = inside("", "tls", "C: *\nS: 250-mx\nS! 250 SI\ncut", &[], 6);
    assert!(told.contains("close_notify") && told.contains("The reply above is not complete"), "{told}");
}

#[test]
fn what_cannot_be_read_or_written_for_tls_is_told() {
    let run = |name: &str| ehlo(["sandbox", "-S"]).env(name, "no/such/file").any().status(0).check();
    let keys = run("SSLKEYLOGFILE");
    assert!(keys.err().contains("cannot be written to no/such/file") && !keys.err().contains("are written to"), "{}", keys.all());
    let roots = run("SSL_CERT_FILE");
    assert!(roots.err().contains("Some root certificates could not be read"), "{}", roots.all());
}

#[cfg(unix)]
#[test]
fn the_key_log_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    ehlo(["sandbox", "-S"]).env("SSLKEYLOGFILE", &path).any().check();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_second_greeting_inside_tls_is_out_of_step_in_every_format() {
    // P55: it comes before EHLO or behind it; each later reply would count for the command before.
    let before = "S: 220 mx\nC: *\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls";
    let ends = ["S: 220 mx again\nC: *\nS: 250-mx\nS: 250 SIZE 9", "C: *\nS: 220 mx again\nS: 250-mx\nS: 250 SIZE 9"];
    let after = "C: *\nS: 250 ok\nC: *\nS: 250 ok\nhold";
    for end in ends {
        let dialogue = format!("{before}\n{end}\n{after}");
        for (format, status, word) in [
            ("text", 6, "FAILED: out of step: 220 to EHLO"),
            ("json", 6, "\"verdict\":\"failed\""),
            ("nagios", 2, "SMTP CRITICAL"),
            ("csv", 6, ",failed,lost,ehlo-tls,6,out of step: 220 to EHLO"),
        ] {
            let server = serve(&dialogue);
            let place = format!("127.0.0.1:{}", server.port);
            let done = ehlo(["check", "--through", "mail", "-k", "--format", format, &place]).any().status(status).check();
            assert!(done.out().contains(word), "{format}: {}", done.all());
            assert!(!server.end().text().contains("MAIL"));
        }
        let server = serve(&dialogue);
        let done = ehlo_to(server.port, &["-S", "-k"]).stdin("MAIL FROM:<a@alt.test>\n").any().status(6).check();
        assert!(done.err().contains("220 is a greeting") && !done.out().contains("MAIL"), "{}", done.all());
        server.end();
    }
}

/// An authority, and a certificate in its own likeness: subject and public key of its root, for mail.contoso.test, with
/// an extension that nobody knows and a signature of no worth. The handshake is signed with another key.
fn forged_root() -> (rcgen::CertifiedIssuer<'static, rcgen::KeyPair>, Shown) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    let named = |name: &str, names: Vec<String>| {
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let authority = || {
        let mut params = named("Contoso Root", Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (root, namesake) = (authority(), authority());
    let mut params = named("Contoso Root", vec!["mail.contoso.test".to_owned()]);
    let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    params.custom_extensions = vec![extension];
    let forged = params.signed_by(root.key(), &namesake).unwrap().der().clone();
    (root, Shown { chain: vec![forged], key: KeyPair::generate().unwrap() })
}

#[test]
fn a_forged_root_gets_no_password() {
    // P45
    let inside = "C: *\nS: 250-mx\nS: 250 AUTH PLAIN LOGIN\nC: *\nS: 235 welcome\nhold";
    let starttls = format!("S: 220 mx\nC: *\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls\n{inside}");
    let from_the_start = format!("tls\nS: 220 mx\n{inside}");
    let login = ["-u", "logon", "--password-file", "pw", "--servername", "mail.contoso.test"];
    for (dialogue, how) in [(&starttls, "-S"), (&from_the_start, "--tls")] {
        for store in [["--cacert", "root.pem"].as_slice(), &[]] {
            for job in [["check", "--through", "auth"].as_slice(), &[]] {
                let (root, shown) = forged_root();
                let server = serve_showing(dialogue, shown);
                let place = format!("127.0.0.1:{}", server.port);
                let run = ehlo([job, &[how], store, &login, &[&place]].concat());
                std::fs::write(run.folder().join("root.pem"), root.pem()).unwrap();
                std::fs::write(run.folder().join("pw"), "Marker-2f4c-9d81\n").unwrap();
                let trusted = run.folder().join("root.pem");
                let run = if store.is_empty() { run.env("SSL_CERT_FILE", trusted) } else { run };
                let done = run.stdin("MAIL FROM:<a@alt.test>\n").any().start().finish();
                assert_eq!(done.status, Some(7), "{job:?} {how} {store:?}\n{}", done.all());
                assert!(done.all().contains("is self-signed"), "{}", done.all());
                let wire = server.end().text();
                assert!(!wire.contains("AUTH") && !wire.contains("MAIL"), "{wire}");
            }
        }
    }
}

#[test]
fn a_certificate_given_with_cacert_is_verified_and_gets_the_password() {
    // P45: byte for byte, whether it is that of an authority or not; and only by who has its key.
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    let dialogue = "tls\nS: 220 mx\nC: *\nS: 250-mx\nS: 250 AUTH PLAIN\nC: *\nS: 235 welcome\nC: QUIT\nS: 221 bye";
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        for honest in [true, false] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["mail.contoso.test".to_owned()]).unwrap();
            params.is_ca = is_ca;
            let certificate = params.self_signed(&key).unwrap();
            let key = if honest { key } else { KeyPair::generate().unwrap() };
            let server = serve_showing(dialogue, Shown { chain: vec![certificate.der().clone()], key });
            let flags = ["--tls", "--servername", "mail.contoso.test", "--cacert", "own.pem", "-u", "logon", "--password-file", "pw"];
            let run = ehlo_to(server.port, &flags);
            std::fs::write(run.folder().join("own.pem"), certificate.pem()).unwrap();
            std::fs::write(run.folder().join("pw"), "Marker-2f4c-9d81\n").unwrap();
            let done = run.any().start().finish();
            assert_eq!(done.status, Some(if honest { 0 } else { 7 }), "{}", done.all());
            assert_eq!(done.err().contains(" verified, "), honest, "{}", done.all());
            assert_eq!(server.end().text().contains("AUTH PLAIN"), honest);
        }
    }
}

#[test]
fn starttls_is_not_said_after_a_refused_ehlo_and_the_refusal_decides() {
    // P19
    let table: &[(&str, &[&str], i32, &str)] = &[
        ("S: 421-4.7.0 Too many\nS: 421 4.7.0 connections\nclose", &["-S"], 9, "<! 421-4.7.0 Too many\n<! 421 4.7.0 connections"),
        ("S: 550 5.7.1 banned by list.test\nclose", &["-S"], 1, "<! 550 5.7.1 banned by list.test"),
        ("S: 550 5.7.1 banned by list.test\nC: QUIT\nS: 221 bye", &["-S"], 1, "<! 550 5.7.1 banned by list.test"),
        ("S: 550 5.7.1 banned by list.test\nC: QUIT\nS: 221 bye", &["-S", "--keep-going"], 7, "<! 550 5.7.1 banned by list.test"),
    ];
    for (script, flags, status, words) in table {
        let server = serve(&format!("S: 220 mx\nC: EHLO a\n{script}"));
        let done = ehlo_to(server.port, &[&["--ehlo", "a"], *flags].concat()).status(*status).out(*words).any_err().check();
        let said = "Only the reply to EHLO can offer STARTTLS, and EHLO was not accepted: nothing is encrypted.";
        assert_eq!(done.err().contains(said), flags.contains(&"--keep-going"), "{}", done.err());
        assert!(!server.end().text().contains("STARTTLS"));
    }
}

/// An authority, PEM, and a server's certificate that it has issued for mail.contoso.test.
#[cfg(feature = "dns")]
pub(crate) fn issued() -> (String, Shown) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["mail.contoso.test".to_owned()]).unwrap().signed_by(&key, &root).unwrap();
    (root.pem(), Shown { chain: vec![leaf.der().clone()], key })
}

#[cfg(feature = "dns")]
#[test]
fn a_name_that_dns_gave_gets_no_password_without_leave() {
    use crate::support::dns::name_server;
    let zone = "alt.test MX 10 mail.contoso.test\ncontoso.test MX 10 mail.contoso.test\nmail.contoso.test A 127.0.0.1";
    let names = name_server(zone);
    let resolver = names.address.to_string();
    let dialogue = "tls\nS: 220 mx\nC: *\nS: 250-mx\nS: 250 AUTH PLAIN\nC: *\nS: 235 welcome\nC: QUIT\nS: 221 bye";
    let table: [(&str, &[&str], bool); 4] = [
        ("alt.test", &[], false),
        ("alt.test", &["--allow-cleartext"], true),
        ("alt.test", &["--servername", "mail.contoso.test"], true),
        ("contoso.test", &[], true),
    ];
    for job in [["check", "--through", "auth"].as_slice(), &[]] {
        for (domain, flags, sent) in table {
            let (root, shown) = issued();
            let server = serve_showing(dialogue, shown);
            let place = format!("{domain}:{}", server.port);
            let login = ["--tls", "--mx", "--resolver", &resolver, "--cacert", "root.pem", "-u", "logon", "--password-file", "pw"];
            let run = ehlo([job, &login, flags, &[&place]].concat());
            std::fs::write(run.folder().join("root.pem"), root).unwrap();
            std::fs::write(run.folder().join("pw"), "Marker-2f4c-9d81\n").unwrap();
            let done = run.any().status(if sent { 0 } else { 8 }).check();
            let told = done.all().split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(server.end().text().contains("AUTH"), sent, "{}", done.all());
            assert!(!job.is_empty() || told.contains(" cert verified, "), "{}", done.all());
            if !sent {
                for words in [
                    "he name mail.contoso.test comes from an MX record of alt.test, which is not verified",
                    "--servername mail.contoso.test",
                ] {
                    assert!(told.contains(words), "{words}\n{}", done.all());
                }
            }
        }
    }
}
