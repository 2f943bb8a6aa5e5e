use super::client::Answering;
use super::message::{Answer, directives};
use super::server::Asking;
use super::*;
use crate::sasl::tests::{host, login, play};
use crate::sasl::{Client, Host, Login, Proof, Server, Trouble, Turn};

const CHALLENGE: &str = "realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",algorithm=md5-sess,charset=utf-8";

fn chris() -> Login {
    Login { host: "elwood.innosoft.com".to_owned(), ..login("chris", "secret") }
}

fn step(client: &mut Answering, challenge: &str, login: &Login) -> Result<String, Trouble> {
    client.step(Some(challenge.as_bytes()), login).map(|made| String::from_utf8(made.expose().clone()).unwrap())
}

/// A client that has answered the challenge of the RFC.
fn answered(login: &Login) -> Answering {
    let mut client = Answering::with_nonce("imap", "OA6MHXh6VqTrRk");
    step(&mut client, CHALLENGE, login).unwrap();
    client
}

// RFC 2831 §4.
#[test]
fn the_rfcs_examples_are_played_by_both_sides() {
    let table = [
        (
            "imap",
            ("OA6MG9tEQGm2hh", "OA6MHXh6VqTrRk"),
            "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",nc=00000001,\
             cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",response=d388dad90d4bbd760a152321f2143af7,qop=auth",
            "rspauth=ea40f60335c427b5527b84dbabcdfffd",
        ),
        (
            "acap",
            ("OA9BSXrbuRhWay", "OA9BSuZWMSpW8m"),
            "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA9BSXrbuRhWay\",nc=00000001,\
             cnonce=\"OA9BSuZWMSpW8m\",digest-uri=\"acap/elwood.innosoft.com\",response=6084c6db3fede7352c551284490fd0fc,qop=auth",
            "rspauth=2f0b3d7c3c2e486600ef710726aa2eae",
        ),
    ];
    for (service, (nonce, cnonce), answer, proof) in table {
        let host = Host { domain: "elwood.innosoft.com".to_owned(), ..host("chris", "secret") };
        let mut server = Asking::with_nonce(service, nonce);
        let challenge = CHALLENGE.replace("OA6MG9tEQGm2hh", nonce);
        assert_eq!(server.step(None, &host), Turn::Challenge(challenge.clone().into_bytes()));
        let mut client = Answering::with_nonce(service, cnonce);
        assert_eq!(step(&mut client, &challenge, &chris()).unwrap(), answer);
        assert!(matches!(client.proof(), Proof::Failed(_)));
        assert_eq!(server.step(Some(answer.as_bytes()), &host), Turn::Challenge(proof.as_bytes().to_vec()));
        assert_eq!(step(&mut client, proof, &chris()).as_deref(), Ok(""));
        assert_eq!(client.proof(), Proof::Given);
        assert_eq!(server.step(Some(b""), &host), Turn::Accept("chris".to_owned()));
    }
}

#[test]
fn directives_are_read_as_the_rfc_has_them() {
    type Case = (&'static str, Option<&'static [(&'static str, &'static str)]>);
    let table: [Case; 15] = [
        ("a=b", Some(&[("a", "b")])),
        (" A = b , c=\"d\" ,, ", Some(&[("a", "b"), ("c", "d")])),
        (r#"a="b\"c\\d,e=f""#, Some(&[("a", "b\"c\\d,e=f")])),
        ("a=,b=\"\"", Some(&[("a", ""), ("b", "")])),
        ("a=b=c", Some(&[("a", "b=c")])),
        ("", None),
        (",", None),
        ("a", None),
        ("=b", None),
        ("a b=c", None),
        ("a=\"b", None),
        ("a=\"b\\", None),
        ("a=\"b\"c", None),
        ("a=b\"c", None),
        ("\u{e9}=b", None),
    ];
    for (text, want) in table {
        let read = directives(text.as_bytes());
        let want = want.map(|all| all.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect());
        assert_eq!(read, want, "{text}");
    }
    assert!(directives(&[b"a=", &[b'x'; 4095][..]].concat()).is_none());
}

#[test]
fn a_realm_is_chosen() {
    let table = [
        ("logon", "", "username=\"logon\",nonce", 0),
        ("logon@contoso.test", "", "username=\"logon@contoso.test\",nonce", 0),
        ("logon", "realm=\"one\",", "username=\"logon\",realm=\"one\",", 0),
        ("logon", "realm=\"one\",realm=\"two\",", "username=\"logon\",realm=\"one\",", 1),
        ("logon@TWO", "realm=\"one\",realm=\"two\",", "username=\"logon\",realm=\"two\",", 0),
        ("logon@else", "realm=\"one\",", "username=\"logon@else\",realm=\"one\",", 0),
        ("@one", "realm=\"one\",", "username=\"@one\",realm=\"one\",", 0),
        ("a\"b", "realm=\"o\\\\ne\",", "username=\"a\\\"b\",realm=\"o\\\\ne\",", 0),
    ];
    for (user, realms, want, remarks) in table {
        let mut client = Answering::default();
        let made = step(&mut client, &format!("{realms}nonce=\"x\",algorithm=md5-sess"), &login(user, "secret")).unwrap();
        assert!(made.starts_with(want), "{made}");
        assert_eq!(client.remarks().len(), remarks, "{user}");
    }
}

#[test]
fn names_are_hashed_as_they_are_sent() {
    let answer = |user: &str, utf8| Answer {
        user: user.to_owned(),
        realm: Some(b"r".to_vec()),
        nonce: b"n".to_vec(),
        cnonce: b"c".to_vec(),
        count: b"00000001".to_vec(),
        uri: b"smtp/h".to_vec(),
        authzid: None,
        utf8,
    };
    // Computed with Python's hashlib over UTF-8.
    let table = [
        ("j\u{fc}rg", "p\u{e4}ss", "abc650472f3b19e5ba56fb15200685f2"),
        ("j\u{fc}rg", "p\u{e4}ss\u{20ac}", "45dcc40e4cecc0606c536dde1d6c0628"),
        ("\u{142}", "p\u{e4}ss", "e8bd31cfb4d3e14f170dd02239d4a18b"),
    ];
    for (user, password, want) in table {
        assert_eq!(answer(user, true).response(password), want);
        let message = answer(user, true).compose("");
        assert!(message.windows(user.len()).any(|window| window == user.as_bytes()));
    }
    assert!(answer("j\u{fc}rg", false).compose("").windows(4).any(|window| window == b"j\xfcrg"));
    let read = Answer::parse(&answer("j\u{fc}rg", false).compose("x")).unwrap().0;
    assert_eq!((read.user.as_str(), read.utf8), ("j\u{fc}rg", false));
    for (user, password) in [("\u{20ac}", "x"), ("x", "\u{20ac}")] {
        let result = step(&mut Answering::default(), "nonce=\"x\",algorithm=md5-sess", &login(user, password));
        assert!(matches!(result, Err(Trouble::Impossible(words)) if words.contains("Latin-1")));
    }
}

// P26
#[test]
fn a_challenge_that_cannot_be_answered_is_told() {
    let table = [
        ("", "directives"),
        ("nonce=\"x", "directives"),
        ("realm=\"x\",algorithm=md5-sess", "one nonce"),
        ("nonce=\"x\",nonce=\"y\",algorithm=md5-sess", "one nonce"),
        ("nonce=\"x\"", "md5-sess"),
        ("nonce=\"x\",algorithm=md5-sess,qop=\"auth-int,auth-conf\"", "qop=auth"),
    ];
    for (challenge, words) in table {
        let trouble = format!("{:?}", step(&mut Answering::default(), challenge, &chris()).unwrap_err());
        assert!(trouble.contains(words), "{challenge}: {trouble}");
    }
    assert!(step(&mut Answering::default(), "nonce=\"x\",algorithm=MD5-SESS,qop=\"auth-int, AUTH\"", &chris()).is_ok());
}

#[test]
fn a_server_that_does_not_prove_itself_is_told_apart() {
    for challenge in ["rspauth=ea40f60335c427b5527b84dbabcdfffe", "rspauth=", "", "welcome", CHALLENGE] {
        let mut client = answered(&chris());
        assert!(matches!(step(&mut client, challenge, &chris()), Err(Trouble::NotTheServer(_))), "{challenge}");
        assert!(matches!(client.proof(), Proof::Failed(_)), "{challenge}");
        assert!(matches!(step(&mut client, challenge, &chris()), Err(Trouble::BadChallenge(_))), "{challenge}");
    }
    let lying = Host { lies: true, ..host("logon", "x") };
    assert!(matches!(play(&MECHANISM, &login("logon", "x"), &lying).1, Err(Trouble::NotTheServer(_))));
}

#[test]
fn an_expired_nonce_is_answered_again() {
    let mut client = answered(&chris());
    let again = format!("{},stale=true", CHALLENGE.replace("OA6MG9tEQGm2hh", "OA9BSXrbuRhWay"));
    let made = step(&mut client, &again, &chris()).unwrap();
    assert!(made.contains("nonce=\"OA9BSXrbuRhWay\",nc=00000001") && client.remarks().len() == 1, "{made}");
    // The same nonce is no new one.
    assert!(matches!(step(&mut client, &again, &chris()), Err(Trouble::NotTheServer(_))));
    let described = describe(&Said { from: Party::Server, number: 1, bytes: again.as_bytes(), answering: None, now: 0 }).unwrap();
    assert!(described.remarks[0].contains("expired"));
}

#[test]
fn an_answer_typed_by_hand_is_taken_over() {
    let mut sent = Answering::with_nonce("imap", "OA6MHXh6VqTrRk");
    let sent = step(&mut sent, CHALLENGE, &chris()).unwrap();
    let mut client = Answering::default();
    client.adopt(sent.as_bytes(), Some(CHALLENGE.as_bytes())).unwrap();
    let proof = "rspauth=ea40f60335c427b5527b84dbabcdfffd";
    assert_eq!(step(&mut client, proof, &Login::default()), Err(Trouble::NeedsSecret));
    assert_eq!(step(&mut client, proof, &login("", "secret")).as_deref(), Ok(""));
    assert_eq!(client.proof(), Proof::Given);
    assert!(Answering::default().adopt(b"username=x", None).is_err());
}

#[test]
fn the_practice_server_checks_every_part() {
    let host = host("logon", "x");
    let ask = || {
        let mut server = Asking::with_nonce("smtp", "n");
        let Turn::Challenge(challenge) = server.step(None, &host) else { panic!("no challenge") };
        (server, challenge)
    };
    let good = |change: &dyn Fn(&mut Answer)| {
        let mut answer = Answer {
            user: "logon".to_owned(),
            realm: Some(b"contoso.test".to_vec()),
            nonce: b"n".to_vec(),
            cnonce: b"c".to_vec(),
            count: b"00000001".to_vec(),
            uri: b"smtp/h".to_vec(),
            authzid: None,
            utf8: true,
        };
        change(&mut answer);
        answer.compose(&answer.response("x"))
    };
    let accepted: [&dyn Fn(&mut Answer); 3] = [&|_| (), &|answer| answer.realm = None, &|answer| answer.authzid = Some(b"logon".to_vec())];
    for change in accepted {
        assert!(matches!(ask().0.step(Some(&good(change)), &host), Turn::Challenge(_)));
    }
    let refused: [&dyn Fn(&mut Answer); 7] = [
        &|answer| answer.realm = Some(b"else".to_vec()),
        &|answer| answer.nonce = b"m".to_vec(),
        &|answer| answer.cnonce = Vec::new(),
        &|answer| answer.count = b"00000002".to_vec(),
        &|answer| answer.uri = b"imap/h".to_vec(),
        &|answer| answer.authzid = Some(b"boss".to_vec()),
        &|answer| answer.user = "boss".to_owned(),
    ];
    for (number, change) in refused.into_iter().enumerate() {
        assert_eq!(ask().0.step(Some(&good(change)), &host), Turn::Refuse, "{number}");
    }
    let int = String::from_utf8(good(&|_| ())).unwrap().replace("qop=auth", "qop=auth-int");
    for message in [&b""[..], b"username", int.as_bytes()] {
        assert_eq!(ask().0.step(Some(message), &host), Turn::Malformed);
    }
    assert_eq!(Asking::default().step(Some(b"initial"), &host), Turn::Malformed);
}

// P24
#[test]
fn digests_are_hidden() {
    let said = |from, text: &'static str| describe(&Said { from, number: 0, bytes: text.as_bytes(), answering: None, now: 0 });
    let answer = said(Party::Client, "username=\"chris\",response=d388dad90d4bbd760a152321f2143af7,x=y").unwrap();
    let proof = said(Party::Server, "rspauth=ea40f60335c427b5527b84dbabcdfffd").unwrap();
    assert_eq!((answer.text("username"), answer.secrets().count(), proof.secrets().count()), (Some("chris"), 2, 1));
    let seen = format!("{answer:?} {proof:?}");
    assert!(!seen.contains("d388") && !seen.contains("ea40") && !seen.contains("\"y\""));
    let challenge = said(Party::Server, CHALLENGE).unwrap();
    assert_eq!((challenge.text("realm"), challenge.has_secret()), (Some("elwood.innosoft.com"), false));
    assert!(said(Party::Client, "nonce=x").is_none() && said(Party::Server, "response=x").is_none());
}
