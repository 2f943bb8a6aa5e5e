//! `ehlo decode` and `ehlo encode`: what goes to standard output, what to standard error, and with which status.

use std::time::Duration;

use crate::support::run::{Done, ehlo};

const PLAIN: &str = "AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=";
const MARKER: &str = "Marker-2f4c-9d81";
/// {"alg":"RS256"}, {"aud":"smtp","exp":1700000000}, and no signature worth the name.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJzbXRwIiwiZXhwIjoxNzAwMDAwMDAwfQ.c2lnbmF0dXJl";
const LOGIN: &str = "AUTH LOGIN\n334 VXNlcm5hbWU6\nbG9nb24=\n334 UGFzc3dvcmQ6\nTWFya2VyLTJmNGMtOWQ4MQ==\n235 2.7.0 ok\n";

fn decoded(flags: &[&str], pasted: impl Into<Vec<u8>>) -> Done {
    ehlo([&["decode"], flags].concat()).stdin(pasted).any().start().finish()
}

#[test]
fn what_it_says_is_on_standard_output_and_what_it_is_on_standard_error() {
    let table: &[(&[&str], &str, i32, &str, &str)] = &[
        (&[], "VXNlcm5hbWU6", 0, "Username:\n", ""),
        (&["-v"], "VXNlcm5hbWU6", 0, "Username:\n", "note: text, 9 bytes\n"),
        (&[], "334 VXNlcm5hbWU6\r\n", 0, "Username:\n", ""),
        (&[], "\"VXNlcm5h\"\n\"bWU6\"", 0, "Username:\n", ""),
        (&[], "bG9nb24", 0, "logon\n", "note: The base64 is odd: the padding (=) at its end is missing.\n"),
        (&["-q"], "bG9nb24", 0, "logon\n", ""),
        (&["--as", "base64url"], "w7_Dv3g", 0, "ÿÿx\n", ""),
        (&[], PLAIN, 0, "user: logon\npassword: (hidden)\n", "note: user name and password\nnote: --show-secrets shows what is hidden.\n"),
        (&["-q"], &format!("AUTH PLAIN {PLAIN}"), 0, "user: logon\npassword: (hidden)\n", ""),
        (&["-q", "--show-secrets"], PLAIN, 0, "user: logon\npassword: Marker-2f4c-9d81\n", ""),
        (&["-q", "--show-secrets", "--as", "base64"], PLAIN, 0, "\\x00logon\\x00Marker-2f4c-9d81\n", ""),
        (&["-q", "--as", "base64"], PLAIN, 0, "user: logon\npassword: (hidden)\n", ""),
        (&["-q"], TOKEN, 0, "token: (hidden)\ntoken audience: smtp\nexpires: 2023-11-14 22:13:20 UTC\n", ""),
        (
            &["-q"],
            LOGIN,
            0,
            "C: AUTH LOGIN\nS: Username:\nC: user name\n   user: logon\nS: Password:\nC: password\n   password: (hidden)\n",
            "",
        ),
        (&[], "R3L832U=", 0, "Gr\\xfc\\xdfe\n", "note: It is not UTF-8 (byte 3); in Latin-1 it says \"Grüße\".\n"),
        (&[], "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", 0, "Grüße\n", ""),
        (&["--as", "qp"], "Gr=C3=BC=C3=9Fe=\n!\nb\n", 0, "Grüße!\nb\n", ""),
        (&["--as", "xtext"], "a+2Bb", 0, "a+b\n", ""),
        (
            &["--as", "xtext"],
            "a+2",
            1,
            "",
            "error: this is not xtext: character 4 does not belong there\nnote: A + stands before two hexadecimal digits; there is neither space nor =.\n",
        ),
        (
            &[],
            "not base64!",
            1,
            "",
            "error: this is not base64: character 11 (!) does not belong there\nnote: Give the blob alone, or the line or login that it stands in; --as tells what it is.\n",
        ),
        (&["-q"], "AUTH PLAIN bG9nb24=", 1, "answer: (hidden)\n", ""),
        (&[], "", 1, "", "error: there is nothing to decode\nnote: Give a blob, a line or a login.\n"),
    ];
    for (flags, pasted, status, out, err) in table {
        let done = decoded(flags, *pasted);
        assert_eq!((done.status, done.out().as_str(), done.err().as_str()), (Some(*status), *out, *err), "{flags:?} {pasted}");
    }
}

#[test]
fn arguments_are_words_of_a_line_or_lines() {
    let table: &[(&[&str], &str)] = &[
        (&["334", "VXNlcm5hbWU6"], "Username:\n"),
        (&["334 VXNlcm5hbWU6"], "Username:\n"),
        (&["AUTH", "PLAIN", PLAIN], "user: logon\npassword: (hidden)\n"),
        (
            &["AUTH LOGIN bG9nb24=", "334 UGFzc3dvcmQ6", "c2VjcmV0"],
            "C: AUTH LOGIN\nC: user name\n   user: logon\nS: Password:\nC: password\n   password: (hidden)\n",
        ),
    ];
    for (args, out) in table {
        ehlo([&["decode", "-q"], *args].concat()).stdout(*out).check();
    }
    ehlo(["decode", "--as", "nonsense", "x"]).status(2).err("possible values: base64, base64url, word, qp, xtext, PLAIN").check();
}

// P14, P15
#[test]
fn nothing_that_acts_on_a_terminal_comes_out() {
    let inputs: [&[u8]; 9] = [
        b"G1szMW0HCg==",
        b"\x1b]0;title\x07",
        b"\x9b\xff\xfe",
        b"AUTH \x1b[2J eA==",
        b"334 \x1b[2J\nAGEbWzJKAGI=",
        b"AUTH PLAIN AGEbWzJKABtbMko=",
        b"=?utf-8?Q?=1B[2J=E2=80=AE?=",
        b"=?\x1b[2J?Q?a?=",
        b"eyJzdGF0dXMiOiJcdTAwMWJbMkoifQ==",
    ];
    for input in inputs {
        for flags in [&["-v"][..], &["--show-secrets"], &["--as", "qp"], &["--as", "word"], &["--as", "xtext"], &["--as", "ntlm"]] {
            let done = decoded(flags, input);
            let odd = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!done.all().contains(odd) && done.status.is_some_and(|status| status <= 1), "{:?}", done.all());
        }
    }
}

// P24
#[test]
fn a_secret_is_shown_only_when_that_is_asked_for() {
    let encoded = "TWFya2VyLTJmNGMtOWQ4MQ==";
    let inputs = [
        PLAIN.to_owned(),
        format!("AUTH PLAIN {PLAIN}"),
        LOGIN.to_owned(),
        LOGIN.replace("AUTH LOGIN\n", ""),
        format!("334 UGFzc3dvcmQ6\n{encoded}"),
        format!("AUTH X-NEW\n334\n{encoded}"),
        format!("AUTH PLAIN {encoded}"),
        // user=logon, auth=Bearer MARKER
        "dXNlcj1sb2dvbgFhdXRoPUJlYXJlciBNYXJrZXItMmY0Yy05ZDgxAQE=".to_owned(),
    ];
    for input in inputs {
        for flags in [&["-v"][..], &["--as", "base64"], &["--as", "plain"], &["--as", "login"], &["--as", "xoauth2"]] {
            let done = decoded(flags, input.as_str());
            // As base64 alone, a password has no place by which it could be known.
            let bare = flags == ["--as", "base64"] && input.contains("334");
            assert!(bare || !done.all().contains("2f4c"), "{flags:?} {input}\n{}", done.all());
        }
        assert!(decoded(&["--show-secrets"], input.as_str()).out().contains(MARKER), "{input}");
    }
}

// P26, P27
#[test]
fn a_mebibyte_of_anything_is_read_in_a_moment() {
    let many = |text: &str| text.repeat((1 << 20) / text.len()).into_bytes();
    let inputs = [
        many("A"),
        many("AAAA\n"),
        many("334 PDFAeD4=\nAGEAYg==\n"),
        many("AUTH PLAIN AGEAYg==\n"),
        many("<. A\n"),
        many("=?utf-8?Q?a?= "),
        many("=?"),
        many("=3D"),
        many("{\"status\":"),
        many("n,,n="),
        many("\"'"),
        many("\u{1b}"),
        vec![0xff; 1 << 20],
    ];
    for input in inputs {
        let beginning = String::from_utf8_lossy(&input[..20]).into_owned();
        for flags in [&["-v"][..], &["--as", "qp"], &["--as", "word"]] {
            let done = decoded(flags, input.clone());
            assert!(done.took < Duration::from_secs(20) && done.status.is_some_and(|status| status <= 1), "{beginning}: {:?}", done.took);
        }
    }
}

#[test]
fn what_was_encoded_can_be_decoded() {
    for text in ["Grüße aus Köln", "a+b=c d?_", "日本語の件名は長いことがあるので折り返される必要があります。とても長いのです。", "x"]
    {
        for form in ["base64", "word", "qp", "xtext"] {
            let made = ehlo(["encode", "--as", form, text]).any_out().check().out();
            assert!(made.is_ascii() && made.lines().all(|line| line.len() <= 76 || form != "word"), "{made}");
            let flags = if form == "base64" { vec!["decode"] } else { vec!["decode", "--as", form] };
            ehlo(flags).stdin(made).stdout(format!("{text}\n")).check();
        }
    }
    ehlo(["encode", "--as", "word"]).stdin("Gr\u{fc}\u{df}e\r\n").stdout("=?utf-8?B?R3LDvMOfZQ==?=\n").check();
    ehlo(["encode", "--as", "word"]).stdin(&b"Gr\xfc\xdfe"[..]).status(2).err("not UTF-8").check();
    ehlo(["encode", "--as", "qp"]).stdin(&b"Gr\xfc\xdfe \n"[..]).stdout("Gr=FC=DFe=20\n").check();
}

#[test]
fn logins_are_made_of_a_user_name_and_a_secret_that_is_no_argument() {
    let table: &[(&[&str], &str, &str)] = &[
        (&["plain"], "AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=\n", "note: this holds the password: anybody can turn it back\n"),
        (&["PLAIN", "-q", "--authzid", "boss"], "Ym9zcwBsb2dvbgBNYXJrZXItMmY0Yy05ZDgx\n", ""),
        (&["login", "-q"], "bG9nb24=\nTWFya2VyLTJmNGMtOWQ4MQ==\n", ""),
        (
            &["xoauth2"],
            "dXNlcj1sb2dvbgFhdXRoPUJlYXJlciBNYXJrZXItMmY0Yy05ZDgxAQE=\n",
            "note: this holds the token: anybody can turn it back\n",
        ),
        (&["oauthbearer", "-q"], "bixhPWxvZ29uLAFhdXRoPUJlYXJlciBNYXJrZXItMmY0Yy05ZDgxAQE=\n", ""),
    ];
    for (args, out, err) in table {
        let all = [&["encode", "logon", "--as"], *args].concat();
        let sources = [
            ehlo([&all[..], &["--password-stdin"]].concat()).stdin(format!("{MARKER}\nmore\n")),
            ehlo([&all[..], &["--password-command", "echo Marker-2f4c-9d81"]].concat()),
            ehlo(all.clone()).env("EHLO_PASSWORD", MARKER),
        ];
        for run in sources {
            let done = run.any().start().finish();
            assert_eq!((done.status, done.out().as_str(), done.err().as_str()), (Some(0), *out, *err), "{args:?}");
        }
    }
    let run = ehlo(["encode", "-q", "--as", "plain", "logon", "--password-file", "secret"]);
    std::fs::write(run.folder().join("secret"), MARKER).unwrap();
    run.stdout(format!("{PLAIN}\n")).any_err().check();
}

#[test]
fn a_login_that_cannot_be_made_is_refused_with_advice() {
    let table: &[(&[&str], &str)] = &[
        (&["--as", "plain", "logon"], "there is no terminal to ask for the password at: --password-file"),
        (&["--as", "xoauth2", "logon"], "there is no terminal to ask for the token at"),
        (&["--as", "plain"], "a user name is wanted: ehlo encode --as plain USER"),
        (&["--as", "plain", "logon", "secret"], "only the user name is an argument"),
        (&["--as", "plain", "logon:secret"], "a password on the command line can be read by others"),
        (&["--as", "plain", "--password-stdin", "lo\u{7}gon"], "control character"),
        (&["--as", "plain", "--password-stdin", "logon"], "the first line of the input, which is the password, is empty"),
        (&["--as", "plain", "--password-file", "none", "logon"], "no password: the password file none cannot be read"),
        (&["--password-stdin", "x"], "only for --as plain"),
        (&["--as", "ntlm", "logon"], "possible values: base64, word, qp, xtext, PLAIN, LOGIN, XOAUTH2, OAUTHBEARER"),
    ];
    for (args, err) in table {
        ehlo([&["encode"], *args].concat()).status(2).err(*err).check();
    }
    let done = ehlo(["encode", "--as", "xoauth2", "--password-stdin", "logon"]).stdin("a\u{1}b\n").status(2).any_err().check();
    assert!(done.err().contains("a byte 01") && !done.out().contains("dXNl"), "{}", done.all());
}
