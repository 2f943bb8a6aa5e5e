//! What people paste, and what is made of it.

use super::*;
use crate::sasl::Value;

const NOW: u64 = 1_795_447_184_000;

/// Every message on its line, fields behind the title, secrets as `*`; then the remarks.
fn seen(pasted: &str, form: Option<&str>) -> String {
    let wish = Wish { form: form.map(|name| Form::lookup(name).unwrap()), secrets: false, now: NOW };
    match read(pasted.as_bytes(), &wish) {
        Err(Unreadable { problem, advice }) => format!("{problem}; {advice}"),
        Ok(reading) => {
            let lines = reading.messages.iter().map(|message| match &message.content {
                Content::Command(line) => line.clone(),
                Content::Text(bytes) => printable(bytes).into_owned(),
                Content::Parts(parts) => {
                    let field = |value: &Value| match value {
                        Value::Open(text) => text.clone(),
                        Value::Moment(at) => at.to_string(),
                        Value::Hidden(_) => "*".to_owned(),
                    };
                    let fields: String = parts.fields.iter().map(|part| format!(" | {} {}", part.name, field(&part.value))).collect();
                    format!("[{}]{fields}", parts.title)
                }
            });
            lines.chain(reading.remarks.iter().map(|remark| format!("({remark})"))).collect::<Vec<_>>().join("\n")
        }
    }
}

#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (pasted, want) in table {
        assert_eq!(seen(pasted, None), *want, "{pasted}");
    }
}

#[test]
fn base64_is_read_in_any_dress() {
    for dress in [
        "VXNlcm5hbWU6",
        "334 VXNlcm5hbWU6",
        "\"VXNlcm5hbWU6\"",
        " VXNlcm5hbWU6\r\n",
        "'334 VXNlcm5hbWU6'",
        "<  334 VXNlcm5hbWU6",
        "S: 334 VXNlcm5hbWU6",
        "> VXNlcm5hbWU6",
        "VXNlcm5h\nbWU6\n",
        "\"VXNlcm5h\"\n\"bWU6\"",
    ] {
        assert_eq!(seen(dress, None), "Username:", "{dress}");
    }
    check(&[
        ("bG9nb24", "logon\n(The base64 is odd: the padding (=) at its end is missing.)"),
        (
            "w7_Dv3g",
            "ÿÿx\n(The base64 is odd: it uses the URL-safe alphabet (- and _).)\n(The base64 is odd: the padding (=) at its end is missing.)",
        ),
        ("bG9nb24K", "logon\\x0a\n(There is a line end inside the base64: echo adds one, printf '%s' and echo -n do not.)"),
        ("R3L832U=", "Gr\\xfc\\xdfe\n(It is not UTF-8 (byte 3); in Latin-1 it says \"Grüße\".)"),
        ("Ykc5bmIyND0=", "bG9nb24=\n(What it says is base64 again, for \"logon\": it seems to have been encoded twice.)"),
        ("/////w==", "\\xff\\xff\\xff\\xff"),
    ]);
    assert_eq!(seen("w7_Dv3g", Some("base64url")), "ÿÿx");
}

#[test]
fn a_message_is_known_by_its_form() {
    check(&[
        ("AGxvZ29uAHNlY3JldA==", "[user name and password] | user logon | password *"),
        ("AUTH PLAIN AGxvZ29uAHNlY3JldA==", "[user name and password] | user logon | password *"),
        ("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw", "[CRAM-MD5 answer] | user tim | digest *"),
        (
            "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
            "[CRAM-MD5 challenge] | text <1896.697170952@postoffice.reston.mci.net>",
        ),
        (
            "bixhPWIsbj11c2VyLHI9ZnlrbytkMmxiYg==",
            "[SCRAM client-first message] | authorize as b | user user | nonce fyko+d2lbb | channel binding none",
        ),
        ("n,,n=user,r=fyko", "[SCRAM client-first message] | user user | nonce fyko | channel binding none"),
        ("dXNlcj1hAWF1dGg9QmVhcmVyIHNlY3JldAEB", "[AUTH XOAUTH2] | user a | scheme Bearer | token *"),
        (
            "eyJzdGF0dXMiOiI0MDEifQ==",
            "[OAuth error] | status 401\n(The server does not take the token: it has expired or was withdrawn, or it is for another audience or another user.)",
        ),
        (
            "TlRMTVNTUAABAAAAB4IIAAAAAAAAAAAAAAAAAAAAAAA=",
            "[NTLM 1 of 3: negotiate] | flags Unicode, OEM, request target, NTLM, always sign, extended session security",
        ),
        ("TlRMTVNTUAACAAAA", "[NTLM message, damaged] | message *\n(The message is damaged: it is another of the three messages.)"),
        // {"alg":"RS256"} and {"aud":"smtp","exp":1700000000}
        (
            "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJzbXRwIiwiZXhwIjoxNzAwMDAwMDAwfQ.c2lnbmF0dXJl",
            "[OAuth 2.0 access token (JWT)] | token * | token audience smtp | expires 1700000000000\n(The token expired 1104 days ago.)",
        ),
        ("QUd4dloyOXVBSE5sWTNKbGRBPT0=", "[user name and password] | user logon | password *\n(It was encoded as base64 twice.)"),
        ("Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Subject: Grüße"),
    ]);
}

#[test]
fn a_form_can_be_told() {
    let table = [
        ("word", "=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("word", "Grüße", "there is no encoded word in it; =?utf-8?B?...?= is one: RFC 2047."),
        ("qp", "a=3Db=\nc", "a=bc"),
        (
            "qp",
            "a=3Xb",
            "this is not quoted-printable: character 4 does not belong there; A = stands before two hexadecimal digits or a line end.",
        ),
        ("XTEXT", "a+2Bb\n", "a+b"),
        (
            "xtext",
            "a b",
            "this is not xtext: character 2 does not belong there; A + stands before two hexadecimal digits; there is neither space nor =.",
        ),
        ("external", "bG9nb24=", "[AUTH EXTERNAL] | authorize as logon"),
        ("cram-md5", "PG9kZD4=", "[CRAM-MD5 challenge] | text <odd>"),
        ("login", "bG9nb24=", "[user name] | user logon"),
        ("login", "AGxvZ29uAHNlY3JldA==", "this is no message of LOGIN; It is one of PLAIN."),
        (
            "plain",
            "bG9nb24gc2VjcmV0",
            "this is no message of PLAIN; A PLAIN message is NUL user NUL password; the one that was sent has no NUL. AUTH PLAIN typed alone asks for both and makes it right.",
        ),
    ];
    for (form, pasted, want) in table {
        assert_eq!(seen(pasted, Some(form)), want, "{form} {pasted}");
    }
    let wish = Wish { form: Form::lookup("base64"), secrets: true, now: 0 };
    let reading = read(b"AGxvZ29uAHNlY3JldA==", &wish).unwrap();
    assert!(matches!(&reading.messages[0].content, Content::Text(bytes) if bytes == b"\0logon\0secret"));
}

// P24
#[test]
fn a_login_is_followed_and_its_secrets_are_hidden_by_their_place() {
    let login = "AUTH LOGIN\n[user name] | user logon\n[password] | password *";
    let asked = "AUTH LOGIN\nUsername:\n[user name] | user logon\nPassword:\n[password] | password *";
    check(&[
        ("AUTH LOGIN\n334 VXNlcm5hbWU6\nbG9nb24=\n334 UGFzc3dvcmQ6\nc2VjcmV0\n235 ok", asked),
        (
            "mail> AUTH LOGIN\n<  334 VXNlcm5hbWU6\n*  The server asks.\nusername> logon\n>  bG9nb24=\n<  334 UGFzc3dvcmQ6\npassword>\n>  (password, hidden)\n<  235 ok",
            "AUTH LOGIN\nUsername:\n[user name] | user logon\nPassword:\n[password, hidden]",
        ),
        ("334 VXNlcm5hbWU6\nbG9nb24=\n334 UGFzc3dvcmQ6\nc2VjcmV0", asked.trim_start_matches("AUTH LOGIN\n")),
        ("C: AUTH LOGIN bG9nb24=\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0", &login.replace("logon\n", "logon\nPassword:\n")),
        (
            "AUTH CRAM-MD5\n334 PDFAeD4=\ndGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw",
            "AUTH CRAM-MD5\n[CRAM-MD5 challenge] | text <1@x>\n[CRAM-MD5 answer] | user tim | digest *",
        ),
        ("AUTH PLAIN AGxvZ29uAHNlY3JldA==\n235 ok\nSubject: =?utf-8?Q?=C3=BC?=", "[user name and password] | user logon | password *"),
        ("AUTH X-NEW\n334 Pz8=\nc2VjcmV0", "AUTH X-NEW\n??\n[answer] | answer *"),
        (
            "EHLO a\n250-mx\n250 AUTH NTLM\nAUTH NTLM\n334 NTLM supported!\n*\n501 cancelled",
            "NTLM supported!\n(Line 5 is not base64: character 19 (!) does not belong there.)",
        ),
        ("AUTH PLAIN AGxvZ29u\nAHNlY3JldA==\n535 no", "[user name and password] | user logon | password *"),
        (
            "AUTH PLAIN bG9nb24Ac2VjcmV0",
            "[answer] | answer *\n(The NUL at the beginning of the PLAIN message is missing: NUL user NUL password. AUTH PLAIN typed alone asks for both and makes it right.)",
        ),
        ("AUTH LOGIN\n334 VXNlcm5hbWU6\nAGxvZ29uAHNlY3JldA==", "AUTH LOGIN\nUsername:\n[user name and password] | user logon | password *"),
        ("AUTH LOGIN\nbG9nb24=\nc2VjcmV0", login),
        ("C: AUTH LOGIN\nC: bG9nb24=\nC: c2VjcmV0\nS: 535 no\nC: QUIT", login),
        ("AUTH LOGIN\n334 VXNlcm5hbWU6\n*\n501 no", "Username:"),
    ]);
}

#[test]
fn what_cannot_be_read_is_placed() {
    let advice = "Give the blob alone, or the line or login that it stands in; --as tells what it is.";
    check(&[
        ("not base64!", &format!("this is not base64: character 11 (!) does not belong there; {advice}")),
        ("334 VXN!", &format!("this is not base64: character 8 (!) does not belong there; {advice}")),
        ("VXNl\n \"Vü==\"", &format!("this is not base64: line 2, character 4 (ü) does not belong there; {advice}")),
        ("VXN\u{1b}", &format!("this is not base64: character 4 (\\x1b) does not belong there; {advice}")),
        ("abcde", &format!("this is not base64: a character is missing at its end, or one is too many; {advice}")),
        ("Gr=C3=BC", "this is not base64: character 4 (C) does not belong there; If it is quoted-printable: --as qp."),
        ("joe+40x@", "this is not base64: character 8 (@) does not belong there; If it is xtext: --as xtext."),
        ("", "there is nothing to decode; Give a blob, a line or a login."),
        ("250 OK", "this is a reply without a blob; Only a 334 has one."),
        ("AUTH PLAIN", "there is no message of a login in it; A 334 line, an AUTH line with a response, or a blob has one."),
    ]);
}

#[test]
fn a_challenge_is_put_in_words() {
    let table = [
        ("VXNlcm5hbWU6", "Username:", true),
        ("VXNlciBOYW1lAA==", "User Name", true),
        ("", "", true),
        ("G1szMW1y", r"\x1b[31mr", false),
        ("TlRMTVNTUAABAAAAB4IIAAAAAAAAAAAAAAAAAAAAAAA=", "NTLM 1 of 3: negotiate", false),
        ("AGxvZ29uAE15IHNpbXBsZSBwYXNzd29yZA==", "user name and password", false),
        ("/////w==", r"\xff\xff\xff\xff", false),
    ];
    for (blob, text, is_text) in table {
        let challenge = describe(&base64::decode(blob.as_bytes()).unwrap());
        assert_eq!((challenge.text.as_str(), challenge.is_text), (text, is_text), "{blob}");
    }
}

#[test]
fn names_of_forms_are_found_in_any_case() {
    for name in Form::names() {
        assert!(Form::lookup(name).is_some() && Form::lookup(&name.to_lowercase()).is_some(), "{name}");
    }
    assert!(Form::lookup("none").is_none());
}
