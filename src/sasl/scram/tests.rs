use std::num::NonZeroU32;

use super::client::Proving;
use super::keys::Hash;
use super::message::{decode, encode};
use super::server::Checking;
use super::*;
use crate::sasl::tests::{channel, host, login, play};
use crate::sasl::{Binding, Channel, Client, Host, Login, Proof, Server, Trouble, Turn};

const RFC_5802: [&str; 4] = [
    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
];
const RFC_7677: [&str; 4] = [
    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
];

fn form(hash: Hash, binds: bool) -> Form {
    Form { hash, binds }
}

fn step(client: &mut Proving, challenge: &str, login: &Login) -> Result<String, Trouble> {
    client.step(Some(challenge.as_bytes()), login).map(|made| String::from_utf8(made.expose().clone()).unwrap())
}

fn unbound(user: &str, password: &str) -> Login {
    Login { channel: Channel::default(), ..login(user, password) }
}

fn described(from: Party, text: &str) -> Description {
    describe(&Said { from, number: 0, bytes: text.as_bytes(), answering: None, now: 0 }).unwrap()
}

/// A client that has sent the first message of RFC 5802.
fn named(login: &Login) -> Proving {
    let mut client = Proving::with_nonce(form(Hash::Sha1, false), "fyko+d2lbbFgONRv9qkxdawL");
    assert_eq!(step(&mut client, "", login).unwrap(), RFC_5802[0]);
    client
}

// RFC 5802 §5, RFC 7677 §3.
#[test]
fn the_rfcs_examples_are_played_by_both_sides() {
    for (hash, [first, asked, proved, signed], nonce) in
        [(Hash::Sha1, RFC_5802, "fyko+d2lbbFgONRv9qkxdawL"), (Hash::Sha256, RFC_7677, "rOprNGfwEbeRWgbNEkqO")]
    {
        let (user, host) = (unbound("user", "pencil"), host("user", "pencil"));
        let mut client = Proving::with_nonce(form(hash, false), nonce);
        for (challenge, want) in [("", first), (asked, proved), (signed, "")] {
            assert!(matches!(client.proof(), Proof::Failed(_)));
            assert_eq!(step(&mut client, challenge, &user).as_deref(), Ok(want));
        }
        assert_eq!((client.proof(), client.remarks().len()), (Proof::Given, 0));

        let parts = message::Salting::parse(asked).unwrap();
        let mut server = Checking::with_nonce(form(hash, false), parts.nonce.strip_prefix(nonce).unwrap(), &decode(parts.salt).unwrap());
        for (message, want) in [(first, asked), (proved, signed)] {
            assert_eq!(server.step(Some(message.as_bytes()), &host), Turn::Challenge(want.as_bytes().to_vec()));
        }
        assert_eq!(server.step(Some(b""), &host), Turn::Accept("user".to_owned()));
    }
}

// Computed with another implementation: Python's hashlib.pbkdf2_hmac and hmac.
#[test]
fn sha_512_agrees_with_another_implementation() {
    let mut client = Proving::with_nonce(form(Hash::Sha512, false), "rOprNGfwEbeRWgbNEkqO");
    let user = unbound("user", "pencil");
    step(&mut client, "", &user).unwrap();
    assert_eq!(step(&mut client, RFC_7677[1], &user).unwrap(), SHA_512_FINAL);
    assert_eq!(step(&mut client, SHA_512_SIGNATURE, &user).as_deref(), Ok(""));
    assert_eq!(client.proof(), Proof::Given);
}

const SHA_512_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==";
const SHA_512_SIGNATURE: &str = "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==";

#[test]
fn names_are_prepared_and_escaped() {
    let mut client = Proving::with_nonce(form(Hash::Sha1, false), "abc");
    let user = Login { authzid: "a,b=c".to_owned(), ..unbound("I\u{ad}X,=", "x") };
    let first = step(&mut client, "", &user).unwrap();
    assert_eq!(first, "n,a=a=2Cb=3Dc,n=IX=2C=3D,r=abc");
    let described = described(Party::Client, &first);
    assert_eq!((described.text("user"), described.text("authorize as")), (Some("IX,="), Some("a,b=c")));
    let mut client = Proving::new(form(Hash::Sha1, false));
    assert!(matches!(step(&mut client, "", &unbound("a\u{7}", "x")), Err(Trouble::Impossible(words)) if words.contains("user name")));
}

#[test]
fn the_header_says_what_is_known_of_channel_binding() {
    let table =
        [(channel(), true, "n,,"), (channel(), false, "y,,"), (Channel::default(), true, "n,,"), (Channel::default(), false, "n,,")];
    for (channel, offers_binding, want) in table {
        let user = Login { channel, offers_binding, ..login("user", "pencil") };
        assert!(step(&mut Proving::new(form(Hash::Sha1, false)), "", &user).unwrap().starts_with(want));
    }
    // A server that offers channel binding and hears that it does not is being lied about.
    let downgraded = Login { offers_binding: false, ..login("user", "pencil") };
    assert_eq!(play(&SHA_256, &downgraded, &host("user", "pencil")).0, Turn::Refuse);
    let honest = Host { offers_binding: false, ..host("user", "pencil") };
    assert_eq!(play(&SHA_256, &downgraded, &honest).0, Turn::Accept("user".to_owned()));
}

#[test]
fn the_plus_forms_bind_to_the_channel() {
    for (wanted, name) in
        [(None, "tls-exporter"), (Some(Binding::Exporter), "tls-exporter"), (Some(Binding::ServerEndPoint), "tls-server-end-point")]
    {
        let user = Login { channel: Channel { wanted, ..channel() }, ..login("user", "pencil") };
        let first = step(&mut Proving::new(form(Hash::Sha256, true)), "", &user).unwrap();
        assert!(first.starts_with(&format!("p={name},,n=user,")), "{first}");
        assert_eq!(described(Party::Client, &first).text("channel binding"), Some(name));
        assert_eq!(play(&SHA_256_PLUS, &user, &host("user", "pencil")), (Turn::Accept("user".to_owned()), Ok(Proof::Given)));
        // Somebody in the middle: two channels.
        let elsewhere = Host {
            channel: Channel { exporter: Some(vec![8; 32]), server_end_point: Some(vec![8; 32]), wanted: None },
            ..host("user", "pencil")
        };
        assert_eq!(play(&SHA_256_PLUS, &user, &elsewhere).0, Turn::Refuse);
    }
    let (_, result) = play(&SHA_1_PLUS, &unbound("user", "pencil"), &host("user", "pencil"));
    assert!(matches!(result, Err(Trouble::Impossible(words)) if words.contains("TLS channel")));
    let only_exporter = Channel { server_end_point: None, wanted: Some(Binding::ServerEndPoint), ..channel() };
    let (_, result) = play(&SHA_1_PLUS, &Login { channel: only_exporter, ..login("user", "pencil") }, &host("user", "pencil"));
    assert!(matches!(result, Err(Trouble::Impossible(words)) if words.contains("tls-server-end-point")));
}

// P27
#[test]
fn a_wrong_challenge_ends_the_login() {
    let user = unbound("user", "pencil");
    let nonce = "fyko+d2lbbFgONRv9qkxdawL3rfc";
    let table = [
        ("r=other,s=QSXCR+Q6sek8bf92,i=4096".to_owned(), "nonce"),
        (format!("r={nonce},s=QSXCR+Q6sek8bf92,i=1000001"), "1000000 times"),
        (format!("r={nonce},s=QSXCR+Q6sek8bf92,i=99999999999999999999"), "1000000 times"),
        (format!("r={nonce},s=QSXCR+Q6sek8bf92,i=0"), "0 iterations"),
        (format!("r={nonce},s=QSXCR+Q6sek8bf92,i=-1"), "iterations (i=)"),
        (format!("r={nonce},s=!,i=4096"), "salt is not base64"),
        (format!("r={nonce},s=,i=4096"), "salt is not base64"),
        (format!("m=x,r={nonce},s=QSXCR+Q6sek8bf92,i=4096"), "belong there"),
        ("e=unknown-user".to_owned(), "does not know the user"),
        (String::new(), "belong there"),
    ];
    for (challenge, words) in table {
        let mut client = named(&user);
        let trouble = format!("{:?}", step(&mut client, &challenge, &user).unwrap_err());
        assert!(trouble.contains(words), "{challenge}: {trouble}");
        assert!(matches!(client.proof(), Proof::Failed(_)));
    }
    assert!(matches!(step(&mut Proving::new(form(Hash::Sha1, false)), "r=x,s=eA==,i=1", &user), Err(Trouble::BadChallenge(_))));
}

#[test]
fn few_iterations_are_noticed_and_a_million_is_done() {
    let user = unbound("user", "pencil");
    for (iterations, remarks) in [(1, 1), (4095, 1), (4096, 0), (MAX_ITERATIONS, 0)] {
        let challenge = format!("r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXCR+Q6sek8bf92,i={iterations}");
        let mut client = named(&user);
        step(&mut client, &challenge, &user).unwrap();
        assert_eq!((client.remarks().len(), described(Party::Server, &challenge).remarks.len()), (remarks, remarks), "{iterations}");
    }
}

#[test]
fn a_server_that_does_not_prove_itself_is_told_apart() {
    let user = unbound("user", "pencil");
    for challenge in ["v=rmF9pqV8S7suAoZWja4dJRkFsKA=", "v=", "v=!", "", "welcome"] {
        let mut client = named(&user);
        step(&mut client, RFC_5802[1], &user).unwrap();
        assert!(matches!(step(&mut client, challenge, &user), Err(Trouble::NotTheServer(_))), "{challenge}");
        assert!(matches!(client.proof(), Proof::Failed(_)), "{challenge}");
        assert!(matches!(step(&mut client, RFC_5802[3], &user), Err(Trouble::BadChallenge(_))), "{challenge}");
    }
    let lying = Host { lies: true, ..host("user", "pencil") };
    let (_, result) = play(&SHA_512, &login("user", "pencil"), &lying);
    assert!(matches!(result, Err(Trouble::NotTheServer(_))));
}

#[test]
fn an_error_in_the_place_of_the_signature_is_put_into_words() {
    let user = unbound("user", "pencil");
    for (name, words) in [("invalid-proof", "password"), ("channel-bindings-dont-match", "TLS"), ("x-new", "RFC 5802")] {
        let mut client = named(&user);
        step(&mut client, RFC_5802[1], &user).unwrap();
        // The empty answer brings the server's 535.
        assert_eq!(step(&mut client, &format!("e={name}"), &user).as_deref(), Ok(""));
        assert!(client.remarks()[0].contains(words));
        assert!(matches!(client.proof(), Proof::Failed(_)));
        let described = described(Party::Server, &format!("e={name}"));
        assert!(described.text("error") == Some(name) && described.remarks[0].contains(words));
    }
}

#[test]
fn the_password_is_asked_for_when_the_proof_needs_it() {
    let mut user = Login { secret: None, ..unbound("user", "") };
    let mut client = named(&user);
    assert_eq!(step(&mut client, RFC_5802[1], &user), Err(Trouble::NeedsSecret));
    user.secret = unbound("user", "pencil").secret;
    assert_eq!(step(&mut client, RFC_5802[1], &user).as_deref(), Ok(RFC_5802[2]));
}

#[test]
fn what_was_typed_by_hand_is_taken_over() {
    // The user name went out by hand: nobody asks for it again.
    let user = unbound("", "pencil");
    let mut client = Proving::new(form(Hash::Sha1, false));
    client.adopt(RFC_5802[0].as_bytes(), None).unwrap();
    assert_eq!(step(&mut client, RFC_5802[1], &user).as_deref(), Ok(RFC_5802[2]));

    let mut client = Proving::new(form(Hash::Sha1, false));
    client.adopt(RFC_5802[0].as_bytes(), Some(b"")).unwrap();
    client.adopt(RFC_5802[2].as_bytes(), Some(RFC_5802[1].as_bytes())).unwrap();
    assert_eq!(step(&mut client, RFC_5802[3], &Login::default()), Err(Trouble::NeedsSecret));
    assert_eq!(step(&mut client, RFC_5802[3], &user).as_deref(), Ok(""));
    assert_eq!(client.proof(), Proof::Given);

    for message in [&b"user"[..], b"n,,n=user", b"x,,n=user,r=1", b"p=,,n=user,r=1", b"n,,n=us=er,r=1", b"\xff"] {
        assert!(Proving::new(form(Hash::Sha1, false)).adopt(message, None).is_err());
    }
    // Bound by hand to a channel that is not there.
    let mut client = Proving::new(form(Hash::Sha1, true));
    client.adopt(b"p=tls-unique,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", None).unwrap();
    assert!(
        matches!(step(&mut client, RFC_5802[1], &login("user", "pencil")), Err(Trouble::Impossible(words)) if words.contains("tls-unique"))
    );
}

#[test]
fn the_practice_server_checks_every_part() {
    let host = host("user", "pencil");
    let hash = Hash::Sha1;
    let salted = hash.salted("pencil", &[0; 14], NonZeroU32::new(4096).unwrap());
    let asked = format!("r=abc{},s={},i=4096", encode(&[0; 18]), encode(&[0; 14]));
    let nonce = &asked[2..asked.find(",s=").unwrap()];
    let prove = |unproved: &str| {
        let covered = format!("n=user,r=abc,{asked},{unproved}");
        format!("{unproved},p={}", encode(&hash.proof(&salted, &covered)))
    };
    let table = [
        (prove(&format!("c=biws,r={nonce}")), None),
        (prove(&format!("c=biws,r={nonce},x=extension")), None),
        (prove(&format!("c=biws,r={nonce}more")), Some(Turn::Refuse)),
        (prove(&format!("c=eSws,r={nonce}")), Some(Turn::Refuse)),
        (format!("c=biws,r={nonce}"), Some(Turn::Malformed)),
        (format!("c=biws,r={nonce},p="), Some(Turn::Refuse)),
        (String::new(), Some(Turn::Malformed)),
    ];
    for (message, want) in table {
        let mut server = Checking::new(form(hash, false));
        assert_eq!(server.step(Some(b"n,,n=user,r=abc"), &host), Turn::Challenge(asked.clone().into_bytes()));
        let turn = server.step(Some(message.as_bytes()), &host);
        assert!(want.as_ref().map_or(matches!(turn, Turn::Challenge(_)), |want| turn == *want), "{message}: {turn:?}");
    }
    for (message, binds, want) in [
        ("n,a=boss,n=user,r=abc", true, Turn::Refuse),
        ("p=tls-unique,,n=user,r=abc", true, Turn::Refuse),
        ("p=tls-exporter,,n=user,r=abc", false, Turn::Refuse),
        ("n,n=user,r=abc", false, Turn::Malformed),
    ] {
        assert_eq!(Checking::new(form(hash, binds)).step(Some(message.as_bytes()), &host), want, "{message}");
    }
    let (turn, _) = play(&SHA_1, &Login { authzid: "boss".to_owned(), ..unbound("user", "pencil") }, &host);
    assert_eq!(turn, Turn::Refuse);
}

// P24
#[test]
fn proof_and_signature_are_hidden() {
    for (from, text, secret) in
        [(Party::Client, RFC_5802[2], "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), (Party::Server, RFC_5802[3], "rmF9pqV8S7suAoZWja4dJRkFsKQ=")]
    {
        let described = described(from, text);
        assert_eq!(described.secrets().next().unwrap().expose(), secret.as_bytes());
        assert!(!format!("{described:?}").contains(secret));
    }
    let last = described(Party::Client, "c=cD10bHMtZXhwb3J0ZXIsLAEsLAI=,r=x,p=eA==");
    assert_eq!(last.text("channel binding"), Some("p=tls-exporter,, and 4 bytes of the channel"));
    assert!(describe(&Said { from: Party::Client, number: 0, bytes: b"hello", answering: None, now: 0 }).is_none());
}
