use super::*;
use crate::sasl::tests::{host, login, play};
use crate::sasl::{Channel, Description, Host, Party, Said, Server, Turn};

const USER: &str = "Domain\\User";
const PASSWORD: &str = "Password";
const NONCE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const OWN: [u8; 8] = [0xaa; 8];
const VERSION: [u8; 8] = [5, 1, 0x28, 0x0a, 0, 0, 0, 15];

/// A section of MS-NLMP 4.2: its challenge, its authenticate message, and what is in that.
struct Example {
    challenge: Vec<u8>,
    authenticate: Vec<u8>,
    flags: u32,
    lm: Vec<u8>,
    nt: Vec<u8>,
    session_key: Vec<u8>,
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

// MS-NLMP 4.2.2
fn version_one() -> Example {
    Example {
        challenge: unhex(
            "4e544c4d53535000020000000c000c0038000000338202e20123456789abcdef00000000000000000000000000000000
             060070170000000f530065007200760065007200",
        ),
        authenticate: unhex(
            "4e544c4d5353500003000000180018006c00000018001800840000000c000c00480000000800080054000000
             100010005c000000100010009c000000358280e20501280a0000000f44006f006d00610069006e0055007300650072
             0043004f004d0050005500540045005200
             98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13 67c43011f30298a2ad35ece64f16331c44bdbed927841f94
             518822b1b3f350c8958682ecbb3e3cb7",
        ),
        flags: 0xe280_8235,
        lm: unhex("98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13"),
        nt: unhex("67c43011f30298a2ad35ece64f16331c44bdbed927841f94"),
        session_key: unhex("518822b1b3f350c8958682ecbb3e3cb7"),
    }
}

// MS-NLMP 4.2.3
fn session_security() -> Example {
    Example {
        challenge: unhex(
            "4e544c4d53535000020000000c000c003800000033820a820123456789abcdef00000000000000000000000000000000
             060070170000000f530065007200760065007200",
        ),
        authenticate: unhex(
            "4e544c4d5353500003000000180018006c00000018001800840000000c000c00480000000800080054000000
             100010005c000000000000009c000000358208820501280a0000000f44006f006d00610069006e0055007300650072
             0043004f004d0050005500540045005200
             aaaaaaaaaaaaaaaa00000000000000000000000000000000 7537f803ae367128ca458204bde7caf81e97ed2683267232",
        ),
        flags: 0x8208_8235,
        lm: unhex("aaaaaaaaaaaaaaaa00000000000000000000000000000000"),
        nt: unhex("7537f803ae367128ca458204bde7caf81e97ed2683267232"),
        session_key: Vec::new(),
    }
}

// MS-NLMP 4.2.4
fn version_two() -> Example {
    Example {
        challenge: unhex(
            "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000
             060070170000000f530065007200760065007200
             02000c0044006f006d00610069006e0001000c00530065007200760065007200 00000000",
        ),
        authenticate: unhex(
            "4e544c4d5353500003000000180018006c00000054005400840000000c000c00480000000800080054000000
             100010005c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e0055007300650072
             0043004f004d0050005500540045005200
             86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa 68cd0ab851e51c96aabc927bebef6a1c
             01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e00
             01000c005300650072007600650072000000000000000000 c5dad2544fc979909 4ce1ce90bc9d03e",
        ),
        flags: 0xe288_8235,
        lm: unhex("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"),
        nt: unhex(
            "68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000
             02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000",
        ),
        session_key: unhex("c5dad2544fc9799094ce1ce90bc9d03e"),
    }
}

fn examples() -> [Example; 3] {
    [version_one(), session_security(), version_two()]
}

/// The login of the examples.
fn example_login() -> Login {
    let mut login = login(USER, PASSWORD);
    login.random[..8].copy_from_slice(&OWN);
    login.workstation = "COMPUTER".to_owned();
    login
}

#[test]
fn the_specifications_messages_are_made() {
    for example in examples() {
        let message = Authenticate {
            flags: example.flags,
            lm: example.lm.into(),
            nt: example.nt.into(),
            domain: "Domain".to_owned(),
            user: "User".to_owned(),
            workstation: "COMPUTER".to_owned(),
            session_key: example.session_key.into(),
            version: VERSION,
            mic: None,
        };
        assert_eq!(message.encode().unwrap(), example.authenticate);
    }
    let pairs = [(pair::DOMAIN, message::utf16("Domain")), (pair::COMPUTER, message::utf16("Server"))];
    let want = version_two().challenge;
    let challenge = Challenge::read(&want).unwrap();
    assert_eq!((challenge.target.as_str(), challenge.system, challenge.nonce), ("Server", Some((6, 0, 6000)), NONCE));
    assert_eq!(challenge.encode(&message::pairs(&pairs).unwrap()).unwrap(), want);
}

#[test]
fn the_specifications_responses_are_computed() {
    let hash = response::nt_hash(PASSWORD);
    assert_eq!(hash::hex(hash.expose()), "a4f49c406510bdcab6824ee7c30fd852");
    assert_eq!(response::version_one(&hash, NONCE).to_vec(), version_one().nt);
    assert_eq!(response::with_session_security(&hash, NONCE, OWN).to_vec(), session_security().nt);

    let key = response::version_two_key(&hash, "User", "Domain");
    assert_eq!(hash::hex(key.expose()), "0c868a403bfd7a93a3001ef22ef02e3f");
    let example = version_two();
    let challenge = Challenge::read(&example.challenge).unwrap();
    let pairs: Vec<_> = challenge.pairs.iter().map(|(id, value)| (*id, value.to_vec())).collect();
    let (nt, session_key) = response::version_two(&key, NONCE, &response::blob(0, OWN, &message::pairs(&pairs).unwrap()));
    assert_eq!(nt, example.nt);
    assert_eq!(hash::hex(session_key.expose()), "8de40ccadbc14a82f15cb0ad0de95ca3");
    assert_eq!(response::lm_version_two(&key, NONCE, OWN), example.lm);
}

#[test]
fn the_client_answers_the_specifications_challenges() {
    let [one, security, two] = examples();
    for (example, remark) in [(one, "is NTLMv1: it is weak"), (security, "is NTLMv1 with extended session security: it is weak")] {
        let (answer, remarks) = answer_to(&example.challenge, &Login { ntlm_v1: true, ..example_login() });
        let answer = Authenticate::read(&answer).unwrap();
        assert_eq!((answer.domain.as_str(), answer.user.as_str(), answer.workstation.as_str()), ("Domain", "User", "COMPUTER"));
        assert_eq!(answer.nt, example.nt);
        assert!(remarks.len() == 1 && remarks[0].contains(remark), "{remarks:?}");
    }
    let (answer, remarks) = answer_to(&two.challenge, &example_login());
    let answer = Authenticate::read(&answer).unwrap();
    // Without a timestamp of the server there is an LM response too.
    assert!(answer.mic.is_some() && answer.lm == two.lm && remarks.is_empty());
}

// P47
#[test]
fn the_first_version_is_not_made_unless_it_is_allowed_nor_is_a_password_asked_for() {
    let [one, security, two] = examples();
    let table = [(one, Some(WANTS_OLDEST)), (security, Some(WANTS_V1)), (two, None)];
    for (example, want) in table {
        for secret in [None, Some(crate::secret::Secret::new(PASSWORD.to_owned()))] {
            let mut client = Answering::default();
            let login = Login { secret, ..example_login() };
            client.step(Some(b""), &login).unwrap();
            let got = client.step(Some(&example.challenge), &login).map(|_| ());
            let otherwise = if login.secret.is_some() { Ok(()) } else { Err(Trouble::NeedsSecret) };
            assert_eq!(got, want.map_or(otherwise, |lacks| Err(Trouble::NtlmV1(lacks))));
        }
    }
}

#[test]
fn the_server_takes_the_specifications_answers() {
    for example in examples() {
        for (password, want) in [(PASSWORD, Turn::Accept("User".to_owned())), ("password", Turn::Refuse)] {
            let mut server = server::Asking { said: Some((message::negotiate(OFFERED), example.challenge.clone())) };
            assert_eq!(server.step(Some(&example.authenticate), &host("User", password)), want);
        }
    }
}

/// The client's third message and its remarks.
fn answer_to(challenge: &[u8], login: &Login) -> (Vec<u8>, Vec<String>) {
    let mut client = Answering::default();
    client.step(Some(b""), login).unwrap();
    let answer = client.step(Some(challenge), login).unwrap().expose().clone();
    (answer, client.remarks())
}

/// The three messages of a login, the server waiting for the last.
fn exchange(login: &Login, host: &Host) -> (server::Asking, [Vec<u8>; 3]) {
    let (mut client, mut server) = (Answering::default(), server::Asking::default());
    let negotiate = client.step(None, login).unwrap().expose().clone();
    let Turn::Challenge(challenge) = server.step(Some(&negotiate), host) else { panic!("no challenge") };
    let authenticate = client.step(Some(&challenge), login).unwrap().expose().clone();
    assert_eq!(client.remarks(), [""; 0]);
    (server, [negotiate, challenge, authenticate])
}

#[test]
fn the_first_challenge_is_answered_whatever_it_says() {
    let asked: [Option<&[u8]>; 4] = [None, Some(b""), Some(b"NTLM supported"), Some(b"\xff\0")];
    for challenge in asked {
        let first = Answering::default().step(challenge, &Login::default()).unwrap();
        assert_eq!(Negotiate::read(first.expose()).unwrap().flags, OFFERED, "{challenge:?}");
    }
}

#[test]
fn every_form_of_a_name_gets_in() {
    let mut host = host("logon", "x");
    host.users.push("logon@contoso.test".to_owned());
    for (name, domain, user) in [
        ("logon", "CONTOSO", "logon"),
        ("CONTOSO\\Logon", "CONTOSO", "Logon"),
        ("other\\logon", "other", "logon"),
        ("logon@contoso.test", "", "logon@contoso.test"),
    ] {
        let (mut server, [.., last]) = exchange(&login(name, "x"), &host);
        let read = Authenticate::read(&last).unwrap();
        assert_eq!((read.domain.as_str(), read.user.as_str()), (domain, user));
        assert_eq!(server.step(Some(&last), &host), Turn::Accept(user.to_owned()));
    }
    let (turn, _) = play(&MECHANISM, &login("somebody", "x"), &host);
    assert_eq!(turn, Turn::Refuse);
}

#[test]
fn what_the_proof_does_not_cover_the_mic_does() {
    let (login, host) = (Login { workstation: "DESK".to_owned(), ..login("logon", "x") }, host("logon", "x"));
    let (_, [_, _, last]) = exchange(&login, &host);
    let desk = last.windows(8).position(|part| part == message::utf16("DESK")).unwrap();
    for at in [MIC.start, MIC.end - 1, desk, 60] {
        let (mut server, [_, _, mut changed]) = exchange(&login, &host);
        changed[at] ^= 0x20;
        assert_eq!(server.step(Some(&changed), &host), Turn::Refuse, "byte {at}");
    }
    let (mut server, _) = exchange(&login, &host);
    assert_eq!(server.step(Some(&last), &host), Turn::Accept("logon".to_owned()));
}

#[test]
fn a_login_of_another_tls_channel_is_refused() {
    let channel = |data: &[u8]| Channel { server_end_point: Some(data.to_vec()), ..Channel::default() };
    let accepted = Turn::Accept("logon".to_owned());
    let table = [
        (channel(b"one"), channel(b"one"), accepted.clone()),
        (channel(b"one"), channel(b"two"), Turn::Refuse),
        (channel(b"one"), Channel::default(), accepted.clone()),
        (Channel::default(), channel(b"two"), accepted),
    ];
    for (clients, servers, want) in table {
        let login = Login { channel: clients.clone(), ..login("logon", "x") };
        let host = Host { channel: servers.clone(), ..host("logon", "x") };
        assert_eq!(play(&MECHANISM, &login, &host).0, want, "{clients:?} {servers:?}");
    }
}

#[test]
fn a_first_message_made_by_hand_is_gone_on_from() {
    // As Windows sends it.
    let typed = unhex("4e544c4d53535000010000000782 08a2 00000000000000000000000000000000 0a00f4570000000f");
    let (login, host) = (login("logon", "x"), host("logon", "x"));
    let (mut client, mut server) = (Answering::default(), server::Asking::default());
    client.adopt(&typed, Some(b"")).unwrap();
    let Turn::Challenge(challenge) = server.step(Some(&typed), &host) else { panic!("no challenge") };
    let answer = client.step(Some(&challenge), &login).unwrap();
    assert_eq!(server.step(Some(answer.expose()), &host), Turn::Accept("logon".to_owned()));

    assert!(matches!(Answering::default().adopt(b"hello", None), Err(Trouble::Impossible(_))));
    client.adopt(answer.expose(), Some(&challenge)).unwrap();
    assert_eq!(client.step(Some(&challenge), &login).unwrap_err(), Trouble::BadChallenge("the login was complete"));
}

// P27
#[test]
fn a_part_outside_of_the_message_is_told() {
    let (login, host) = (login("logon", "x"), host("logon", "x"));
    let (_, [negotiate, challenge, authenticate]) = exchange(&login, &host);
    let table: [(&[u8], usize, u8, &str); 8] = [
        (&challenge, 0, b'X', "it does not begin with NTLMSSP"),
        (&challenge, 8, 3, "it is another of the three messages"),
        (&challenge, 13, 0xff, "a part of it lies outside of it"),
        (&challenge, 19, 0xff, "a part of it lies outside of it"),
        (&challenge, 41, 0xff, "a part of it lies outside of it"),
        (&challenge, 47, 0x80, "a part of it lies outside of it"),
        // The length of the first pair.
        (&challenge, 56 + 14 + 3, 0xff, "its target information runs past its end"),
        (&challenge[..31], 0, b'N', "it is cut short"),
    ];
    for (message, at, byte, want) in table {
        let mut client = Answering::default();
        client.step(None, &login).unwrap();
        let mut message = message.to_vec();
        message[at] = byte;
        assert_eq!(client.step(Some(&message), &login).unwrap_err(), Trouble::BadChallenge(want), "byte {at}");
    }
    for at in [13, 19, 21, 27, 29, 37, 45, 53] {
        let mut server = server::Asking::default();
        server.step(Some(&negotiate), &host);
        let mut message = authenticate.clone();
        (message[at], message[at / 8 * 8 + 4]) = (0xff, 1);
        assert_eq!(server.step(Some(&message), &host), Turn::Malformed, "byte {at}");
    }
}

// P27
#[test]
fn no_cut_and_no_changed_byte_makes_either_side_panic() {
    let (login, host) = (login("logon", "x"), host("logon", "x"));
    let (_, messages) = exchange(&login, &host);
    for (number, message) in messages.iter().enumerate() {
        let cut = (0..message.len()).map(|end| message[..end].to_vec());
        let changed = (0..message.len() * 3).map(|at| {
            let mut changed = message.clone();
            changed[at / 3] = [0, 0x7f, 0xff][at % 3];
            changed
        });
        for damaged in cut.chain(changed) {
            let mut client = Answering::default();
            client.step(None, &login).unwrap();
            let _ = client.step(Some(&damaged), &login);
            let mut server = server::Asking::default();
            let first = if number == 0 { &damaged } else { &messages[0] };
            if let Turn::Challenge(_) = server.step(Some(first), &host) {
                let _ = server.step(Some(&damaged), &host);
            }
            for from in [Party::Client, Party::Server] {
                let _ = description::describe(&Said { from, number, bytes: &damaged, answering: None, now: 1 });
            }
        }
    }
}

#[test]
fn names_that_no_length_can_count_are_not_sent() {
    let (mut client, mut server) = (Answering::default(), server::Asking::default());
    let login = login(&"x".repeat(40_000), "x");
    let negotiate = client.step(None, &login).unwrap();
    let Turn::Challenge(challenge) = server.step(Some(negotiate.expose()), &host("logon", "x")) else { panic!("no challenge") };
    assert_eq!(client.step(Some(&challenge), &login).unwrap_err(), too_long());
}

fn described(from: Party, number: usize, bytes: &[u8], now: u64) -> Description {
    description::describe(&Said { from, number, bytes, answering: None, now }).unwrap()
}

#[test]
fn the_messages_are_laid_open() {
    const MINUTE: u64 = 60_000;
    let now = 1_700_000_000_000;
    let login = Login { workstation: "DESK".to_owned(), ..login("CONTOSO\\logon", "open sesame") };
    let host = Host { name: "mail01.contoso.test".to_owned(), now, ..host("logon", "open sesame") };
    let (_, [negotiate, challenge, authenticate]) = exchange(&login, &host);

    let first = described(Party::Client, 0, &negotiate, 0);
    assert_eq!(first.title, "NTLM 1 of 3: negotiate");
    assert_eq!(first.text("flags"), Some("Unicode, OEM, request target, NTLM, always sign, extended session security"));

    let second = described(Party::Server, 1, &challenge, now + 3 * MINUTE);
    assert_eq!(second.title, "NTLM 2 of 3: challenge from CONTOSO, server MAIL01 (mail01.contoso.test), Windows build 20348");
    assert!(!second.has_secret() && second.remarks.is_empty());
    for (name, want) in [("server", "MAIL01"), ("domain in DNS", "contoso.test"), ("forest", "contoso.test")] {
        assert_eq!(second.text(name), Some(want));
    }
    for (here, want) in [(now + 7 * MINUTE, "7 minutes behind this"), (now - 600 * MINUTE, "10 hours ahead of this")] {
        assert!(described(Party::Server, 1, &challenge, here).remarks[0].contains(want));
    }

    let third = described(Party::Client, 1, &authenticate, now);
    assert_eq!(third.title, "NTLM 3 of 3: authenticate");
    for (name, want) in [
        ("user", "logon"),
        ("domain", "CONTOSO"),
        ("workstation", "DESK"),
        ("response of", "NTLMv2"),
        ("service", "SMTPSVC/mail.contoso.test"),
    ] {
        assert_eq!(third.text(name), Some(want));
    }
    // The empty LM response is no secret.
    assert_eq!(third.secrets().count(), 2);
}

#[test]
fn an_answer_that_cannot_be_read_stays_hidden() {
    let cut = &version_two().authenticate[..120];
    let described = described(Party::Client, 1, cut, 0);
    assert_eq!(described.secrets().next().unwrap().expose(), cut);
    let text = description::describe(&Said { from: Party::Server, number: 0, bytes: b"NTLM supported", answering: None, now: 0 }).unwrap();
    assert_eq!(text.text("text"), Some("NTLM supported"));
}
