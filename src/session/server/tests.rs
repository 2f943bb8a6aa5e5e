//! Dialogues as one reads them: `C:` is sent, `S:` has to come, in this order and nothing else.
//! `S: (waits 2s)`, `S: (closes)`, `S: (cuts)` and `S: (begins TLS)` are steps, `C: (TLS)` says that TLS stands; `[LF]` stands for a line end without CR.

use std::fmt::Write as _;

use super::character::CHARACTERS;
use super::scenario::SCENARIOS;
use super::*;

pub(super) const EXCHANGE: &str = "exchange";
pub(super) const POSTFIX: &str = "postfix";
/// Mon, 23 Nov 2026 15:19:44 +0000
pub(super) const NOW: u64 = 1_795_447_184_000;
pub(super) const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJsb2dvbiJ9.c2lnbmVk";

fn facts() -> Facts {
    Facts {
        name: NAME.into(),
        client: "[127.0.0.1]".into(),
        date: "Mon, 23 Nov 2026 08:19:44 -0700".into(),
        serial: 0,
        now: NOW,
        random: [7; 32],
        token: TOKEN.into(),
    }
}

pub(super) fn server(character: &str, scenario: &str) -> Server {
    let scenario = (!scenario.is_empty()).then(|| scenario::lookup(scenario).unwrap());
    Server::new(character::lookup(character).unwrap(), scenario, facts())
}

/// The `S:` lines of these steps; consecutive writes are read as one stream.
pub(super) fn shown(steps: Vec<Step>) -> String {
    let mut out = String::new();
    let mut stream = Vec::new();
    let flush = |stream: &mut Vec<u8>, out: &mut String| {
        for line in stream.split_inclusive(|&byte| byte == b'\n') {
            let (text, end) = match line {
                [text @ .., b'\r', b'\n'] => (text, ""),
                [text @ .., b'\n'] => (text, "[LF]"),
                text => (text, "[no end]"),
            };
            writeln!(out, "S: {}{end}", String::from_utf8_lossy(text)).unwrap();
        }
        stream.clear();
    };
    for step in steps {
        match step {
            Step::Write(bytes) => stream.extend(bytes),
            Step::Pause(time) => {
                flush(&mut stream, &mut out);
                writeln!(out, "S: (waits {time:?})").unwrap();
            }
            Step::Close | Step::Cut | Step::StartTls => {
                flush(&mut stream, &mut out);
                let what = if step == Step::Close {
                    "closes"
                } else if step == Step::Cut {
                    "cuts"
                } else {
                    "begins TLS"
                };
                writeln!(out, "S: ({what})").unwrap();
            }
        }
    }
    flush(&mut stream, &mut out);
    out
}

fn dialogue_with(mut server: Server, script: &str) {
    let script: Vec<&str> = script.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect();
    let mut got = shown(server.greet());
    for line in script.iter().filter_map(|line| line.strip_prefix("C:")) {
        writeln!(got, "C:{line}").unwrap();
        if line == " (TLS)" {
            server.tls_started(TlsFacts::default());
        } else {
            got += &shown(server.receive(format!("{}\r\n", line.strip_prefix(' ').unwrap_or(line)).as_bytes()));
        }
        got += &shown(server.more());
    }
    let got: Vec<&str> = got.lines().collect();
    assert_eq!(got, script, "\n{}", got.join("\n"));
}

pub(super) fn dialogue(character: &str, scenario: &str, script: &str) {
    dialogue_with(server(character, scenario), script);
}

const EXCHANGE_WALK: &str = "
    S: 220 mail.contoso.test Microsoft ESMTP MAIL Service ready at Mon, 23 Nov 2026 08:19:44 -0700
    C: EHLO client.alt.test
    S: 250-mail.contoso.test Hello [127.0.0.1]
    S: 250-SIZE 37748736
    S: 250-PIPELINING
    S: 250-DSN
    S: 250-ENHANCEDSTATUSCODES
    S: 250-STARTTLS
    S: 250-AUTH NTLM LOGIN
    S: 250-8BITMIME
    S: 250-BINARYMIME
    S: 250 CHUNKING
    C: MAIL FROM: someone@alt.test
    S: 250 2.1.0 Sender OK
    C: RCPT TO:<foreignemail@external.test>
    S: 550 5.7.1 Unable to relay
    C: RSET
    S: 250 2.0.0 Resetting
    C: AUTH LOGIN
    S: 334 VXNlcm5hbWU6
    C: bG9nb24=
    S: 334 UGFzc3dvcmQ6
    C: TXkgc2ltcGxlIHBhc3N3b3Jk
    S: 235 2.7.0 Authentication successful
    C: mail from:<someone@alt.test> size=1000 BODY=8BITMIME
    S: 250 2.1.0 Sender OK
    C: rcpt to:<foreignemail@external.test> NOTIFY=NEVER
    S: 250 2.1.5 Recipient OK
    C: RCPT TO: postmaster@contoso.test
    S: 250 2.1.5 Recipient OK
    C: DATA
    S: 354 Start mail input; end with <CRLF>.<CRLF>
    C: From: <someone@alt.test>
    C: Message-ID: <20261123152011.4f1c@client.alt.test>
    C: Subject: test
    C:
    C: ..a line that begins with a dot
    C: ..
    C: QUIT
    C: .
    S: 250 2.6.0 <20261123152011.4f1c@client.alt.test> [InternalId=47975] Queued mail for delivery
    C: QUIT
    S: 221 2.0.0 Service closing transmission channel
    S: (closes)
    C: NOOP
";

const POSTFIX_WALK: &str = r"
    S: 220 mail.contoso.test ESMTP Postfix
    C: ehlo client.alt.test
    S: 250-mail.contoso.test
    S: 250-PIPELINING
    S: 250-SIZE 10240000
    S: 250-VRFY
    S: 250-STARTTLS
    S: 250-AUTH PLAIN LOGIN
    S: 250-ENHANCEDSTATUSCODES
    S: 250-8BITMIME
    S: 250-DSN
    S: 250-SMTPUTF8
    S: 250 CHUNKING
    C: MAIL FROM: someone@alt.test
    S: 250 2.1.0 Ok
    C: RCPT TO:<foreignemail@external.test>
    S: 554 5.7.1 <foreignemail@external.test>: Relay access denied
    C: DATA
    S: 554 5.5.1 Error: no valid recipients
    C: RSET
    S: 250 2.0.0 Ok
    C: AUTH LOGIN
    S: 334 VXNlcm5hbWU6
    C: Q09OVE9TT1xsb2dvbg==
    S: 334 UGFzc3dvcmQ6
    C: TXkgc2ltcGxlIHBhc3N3b3Jk
    S: 235 2.7.0 Authentication successful
    C: MAIL FROM:<>
    S: 250 2.1.0 Ok
    C: RCPT TO:<foreignemail@external.test>
    S: 250 2.1.5 Ok
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: ..
    C: .
    S: 250 2.0.0 Ok: queued as 4F1C2A0B3D
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closes)
";

#[test]
fn exchange_goes_through_the_whole_walk() {
    dialogue(EXCHANGE, "", EXCHANGE_WALK);
}

#[test]
fn postfix_goes_through_the_whole_walk() {
    dialogue(POSTFIX, "", POSTFIX_WALK);
}

#[test]
fn bytes_may_be_cut_anywhere() {
    for (character, script) in [(EXCHANGE, EXCHANGE_WALK), (POSTFIX, POSTFIX_WALK)] {
        let lines = script.lines().filter_map(|line| line.trim_start().strip_prefix("C:"));
        let mut bytes: Vec<u8> = lines.flat_map(|line| format!("{}\r\n", line.trim_start()).into_bytes()).collect();
        let at = bytes.windows(4).position(|window| window == b"QUIT").unwrap();
        // A chunk whose bytes look like commands, in the same stream.
        bytes.splice(at..at, *b"BDAT 9\r\nRSET\r\n\r\n\n");
        let whole = {
            let mut server = server(character, "");
            server.greet();
            shown(server.receive(&bytes))
        };
        for size in [1, 2, 3, 7, 100] {
            let mut server = server(character, "");
            server.greet();
            let steps = bytes.chunks(size).flat_map(|piece| server.receive(piece)).collect();
            assert_eq!(shown(steps), whole, "{character} by {size}");
        }
    }
}

#[test]
fn exchange_wants_the_right_order() {
    dialogue(
        EXCHANGE,
        "",
        "
        S: 220 mail.contoso.test Microsoft ESMTP MAIL Service ready at Mon, 23 Nov 2026 08:19:44 -0700
        C: MAIL FROM:<a@alt.test>
        S: 503 5.5.2 Send hello first
        C: STARTTLS
        S: 503 5.5.2 Send hello first
        C: AUTH LOGIN
        S: 503 5.5.2 Send hello first
        C: EHLO
        S: 501 5.5.4 Invalid domain name
        C: HELO client.alt.test
        S: 250 mail.contoso.test Hello [127.0.0.1]
        C: AUTH LOGIN
        S: 503 5.5.2 Send hello first
        C: RCPT TO:<postmaster@contoso.test>
        S: 503 5.5.2 Need mail command
        C: DATA
        S: 503 5.5.2 Need mail command
        C: MAIL FROM:<a@alt.test>
        S: 250 2.1.0 Sender OK
        C: MAIL FROM:<a@alt.test>
        S: 503 5.5.2 Sender already specified
        C: DATA
        S: 503 5.5.2 Need rcpt command
        C: XYZZY
        S: 500 5.3.3 Unrecognized command
        C:
        S: 500 5.3.3 Unrecognized command
        C: STARTTLS now
        S: 501 5.5.4 Invalid arguments
        C: NOOP
        S: 250 2.0.0 OK
        C: VRFY postmaster
        S: 252 2.1.5 Cannot VRFY user
        C: HELP
        S: 214-This server supports the following commands:
        S: 214 HELO EHLO STARTTLS RCPT DATA RSET MAIL QUIT HELP AUTH BDAT
        C: RSET now
        S: 501 5.5.4 Invalid arguments
        ",
    );
}

#[test]
fn postfix_wants_the_right_order() {
    dialogue(
        POSTFIX,
        "",
        "
        S: 220 mail.contoso.test ESMTP Postfix
        C: RCPT TO:<postmaster>
        S: 503 5.5.1 Error: need MAIL command
        C: DATA
        S: 503 5.5.1 Error: need RCPT command
        C: EHLO
        S: 501 Syntax: EHLO hostname
        C: AUTH PLAIN
        S: 503 5.5.1 Error: send HELO/EHLO first
        C: MAIL someone
        S: 501 5.5.4 Syntax: MAIL FROM:<address>
        C: MAIL FROM:<a@alt.test> XYZ=1
        S: 555 5.5.4 Unsupported option: XYZ=1
        C: MAIL FROM:<a@alt.test> SIZE=10240001
        S: 552 5.3.4 Message size exceeds fixed limit
        C: MAIL FROM:<a@alt.test> SIZE=much
        S: 501 5.5.4 Bad message size syntax
        C: MAIL FROM:<a@>
        S: 501 5.1.7 Bad sender address syntax
        C: MAIL FROM:<a@alt.test> SIZE=10240000
        S: 250 2.1.0 Ok
        C: MAIL FROM:<a@alt.test>
        S: 503 5.5.1 Error: nested MAIL command
        C: RCPT TO:<>
        S: 501 5.1.3 Bad recipient address syntax
        C: RCPT
        S: 501 5.5.4 Syntax: RCPT TO:<address>
        C: RCPT TO:<{name}@alt.test>
        S: 554 5.7.1 <{name}@alt.test>: Relay access denied
        C: RCPT TO:<Postmaster>
        S: 250 2.1.5 Ok
        C: DATA now
        S: 501 5.5.4 Syntax: DATA
        C: MIAL
        S: 502 5.5.2 Error: command not recognized
        C:
        S: 500 5.5.2 Error: bad syntax
        C: VRFY
        S: 501 5.5.4 Syntax: VRFY address
        C: VRFY postmaster
        S: 252 2.0.0 postmaster
        C: NOOP
        S: 250 2.0.0 Ok
        ",
    );
}

#[test]
fn starttls_makes_postfix_forget_everything() {
    dialogue(
        POSTFIX,
        "",
        "
        S: 220 mail.contoso.test ESMTP Postfix
        C: EHLO client.alt.test
        S: 250-mail.contoso.test
        S: 250-PIPELINING
        S: 250-SIZE 10240000
        S: 250-VRFY
        S: 250-STARTTLS
        S: 250-AUTH PLAIN LOGIN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-8BITMIME
        S: 250-DSN
        S: 250-SMTPUTF8
        S: 250 CHUNKING
        C: AUTH PLAIN AGxvZ29uAE15IHNpbXBsZSBwYXNzd29yZA==
        S: 235 2.7.0 Authentication successful
        C: MAIL FROM:<>
        S: 250 2.1.0 Ok
        C: starttls
        S: 220 2.0.0 Ready to start TLS
        S: (begins TLS)
        C: NOOP in plain text, thrown away
        C: (TLS)
        C: RCPT TO:<postmaster>
        S: 503 5.5.1 Error: need MAIL command
        C: AUTH PLAIN
        S: 503 5.5.1 Error: send HELO/EHLO first
        C: EHLO client.alt.test
        S: 250-mail.contoso.test
        S: 250-PIPELINING
        S: 250-SIZE 10240000
        S: 250-VRFY
        S: 250-AUTH PLAIN LOGIN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-8BITMIME
        S: 250-DSN
        S: 250-SMTPUTF8
        S: 250 CHUNKING
        C: AUTH PLAIN AGxvZ29uAE15IHNpbXBsZSBwYXNzd29yZA==
        S: 235 2.7.0 Authentication successful
        C: STARTTLS
        S: 554 5.5.1 Error: TLS already active
        C: QUIT
        S: 221 2.0.0 Bye
        S: (closes)
        ",
    );
}

#[test]
fn what_came_behind_starttls_in_plain_text_is_thrown_away() {
    // CVE-2011-0411, on the server's side.
    for rest in ["NOOP\r\n", "NO", "AUTH LOGIN\r\n"] {
        let mut server = server(EXCHANGE, "");
        server.receive(b"EHLO a\r\n");
        assert_eq!(shown(server.receive(format!("STARTTLS\r\n{rest}").as_bytes())), "S: 220 2.0.0 SMTP server ready\nS: (begins TLS)\n");
        server.tls_started(TlsFacts::default());
        assert_eq!(shown(server.receive(b"MAIL FROM:<>\r\n")), "S: 503 5.5.2 Send hello first\n", "{rest}");
    }
}

#[test]
fn tls_from_the_first_byte_is_tls() {
    let mut server = server(EXCHANGE, "");
    server.tls_started(TlsFacts::default());
    assert!(shown(server.greet()).starts_with("S: 220 "));
    assert!(!shown(server.receive(b"EHLO a\r\n")).contains("STARTTLS"));
    assert_eq!(shown(server.receive(b"STARTTLS\r\n")), "S: 503 5.5.2 Only one STARTTLS command can be issued per session\n");
}

#[test]
fn mail_is_taken_for_the_own_domain_only() {
    let table = [
        ("user@contoso.test", true),
        ("User@CONTOSO.TEST", true),
        ("user@sub.contoso.test", true),
        ("postmaster", true),
        ("user@notcontoso.test", false),
        ("user@contoso.test.alt.test", false),
        ("user@[192.0.2.1]", false),
        ("\"x@contoso.test\"@alt.test", false),
    ];
    for (recipient, want) in table {
        assert_eq!(is_local(recipient), want, "{recipient}");
    }
}

/// A server that has taken a sender and a recipient.
fn with_recipient(character: &str) -> Server {
    let mut server = server(character, "");
    server.receive(b"EHLO a\r\nMAIL FROM:<a@alt.test>\r\nRCPT TO:<postmaster@contoso.test>\r\n");
    server
}

#[test]
fn chunks_are_counted_to_the_byte() {
    let mut server = with_recipient(EXCHANGE);
    let got = shown(server.receive(
        b"BDAT 18\r\nMessage-ID: <a@b>\nBDAT 4\r\n\r\n.\rBDAT 0\r\nRCPT TO:<a@contoso.test>\r\nDATA\r\nbdat 2 last\r\n\r\nNOOP\r\n",
    ));
    assert_eq!(
        got,
        "S: 250 2.6.0 CHUNK received OK, 18 octets\n\
         S: 250 2.6.0 CHUNK received OK, 4 octets\n\
         S: 250 2.6.0 CHUNK received OK, 0 octets\n\
         S: 503 5.5.2 Bad sequence of commands\n\
         S: 503 5.5.2 Bad sequence of commands\n\
         S: 250 2.6.0 <a@b> [InternalId=47975] Queued mail for delivery\n\
         S: 250 2.0.0 OK\n"
    );
    let refused = shown(server.receive(b"BDAT 6 LAST\r\nQUIT\r\nBDAT x\r\nBDAT 1 FIRST\r\nBDAT\r\n"));
    assert_eq!(refused, "S: 503 5.5.2 Need mail command\n".to_owned() + &"S: 501 5.5.4 Invalid arguments\n".repeat(3));
}

#[test]
fn messages_are_numbered_and_named_when_they_have_no_name() {
    let mut server = with_recipient(EXCHANGE);
    let one = shown(server.receive(b"DATA\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@contoso.test>\r\nDATA\r\n.\r\n"));
    assert!(one.contains("250 2.6.0 <47975@mail.contoso.test> [InternalId=47975] Queued"), "{one}");
    assert!(one.contains("250 2.6.0 <47976@mail.contoso.test> [InternalId=47976] Queued"), "{one}");
}

#[test]
fn only_crlf_dot_crlf_ends_a_message() {
    let mut server = with_recipient(POSTFIX);
    server.receive(b"DATA\r\n");
    for piece in [&b"a\n.\r\n"[..], b"b\r\n.\n", b"\r\n.\rx\r\n", b"c\n.\n", b"\r\n..\r\n"] {
        assert_eq!(server.receive(piece), []);
    }
    assert_eq!(shown(server.receive(b".\r\n")), "S: 250 2.0.0 Ok: queued as 4F1C2A0B3D\n");
}

#[test]
fn lines_and_messages_beyond_the_limit_are_refused_and_not_kept() {
    for character in CHARACTERS {
        let mut server = with_recipient(character.name);
        let long = vec![b'A'; 1 << 20];
        assert_eq!(server.receive(&long), []);
        assert!(shown(server.receive(b"\r\nNOOP\r\n")).starts_with(&format!("S: {}\nS: 250", character.words.too_long)));
        server.receive(b"DATA\r\n");
        for _ in 0..=character.size >> 20 {
            assert_eq!(server.receive(&long), []);
        }
        assert_eq!(shown(server.receive(b"\r\n.\r\n")), format!("S: {}\n", character.words.too_large));
        assert!(shown(server.receive(b"DATA\r\n")).starts_with("S: 503"));
    }
}

#[test]
fn what_the_client_sent_comes_back_without_control_characters() {
    let mut server = server(POSTFIX, "");
    assert_eq!(server.receive(b"VRFY a\r\x1bb\r\n"), [Step::Write(b"252 2.0.0 a??b\r\n".to_vec())]);
    assert_eq!(shown(server.receive(b"MAIL FROM:<a\x00@b>\r\n")), "S: 501 5.1.7 Bad sender address syntax\n");
}

#[test]
fn recipients_are_limited() {
    let mut server = with_recipient(POSTFIX);
    let all = b"RCPT TO:<a@contoso.test>\r\n".repeat(MAX_RECIPIENTS);
    assert!(shown(server.receive(&all)).ends_with("S: 250 2.1.5 Ok\nS: 452 4.5.3 Error: too many recipients\n"));
}

#[test]
fn silence_ends_the_connection() {
    let mut exchange = server(EXCHANGE, "");
    assert_eq!(exchange.idle_limit(), Some(Duration::from_mins(10)));
    assert_eq!(shown(exchange.idle()), "S: 421 4.4.1 Connection timed out\nS: (closes)\n");
    assert_eq!(exchange.idle(), []);
    let mut postfix = server(POSTFIX, "idle-421");
    assert_eq!(postfix.idle_limit(), Some(Duration::from_secs(20)));
    assert_eq!(shown(postfix.idle()), "S: 421 4.4.2 mail.contoso.test Error: timeout exceeded\nS: (closes)\n");
}

#[test]
fn scenarios_at_the_greeting() {
    let table = [
        ("no-greeting", "C: EHLO a\nC: QUIT\nS: (closes)"),
        ("close-at-once", "S: (closes)\nC: EHLO a"),
        ("slow-greeting", "S: (waits 6s)\nS: 220 mail.contoso.test ESMTP Postfix\nC: NOOP\nS: 250 2.0.0 Ok"),
        ("greeting-421", "S: 421 4.3.2 mail.contoso.test Service not available, closing transmission channel\nS: (closes)"),
        (
            "greeting-554",
            "S: 554 5.7.1 mail.contoso.test No SMTP service for [127.0.0.1]\nC: EHLO a\n\
             S: 503 5.5.1 Bad sequence of commands\nC: QUIT\nS: 221 2.0.0 Bye\nS: (closes)",
        ),
        ("internal-name", "S: 220 myserver.contoso.local ESMTP Postfix\nC: HELO a\nS: 250 myserver.contoso.local"),
        ("tarpit", "S: (waits 2s)\nS: 220 mail.contoso.test ESMTP Postfix\nC: NOOP\nS: (waits 2s)\nS: 250 2.0.0 Ok"),
        ("bare-lf", "S: 220 mail.contoso.test ESMTP Postfix[LF]\nC: NOOP\nS: 250 2.0.0 Ok[LF]"),
        (
            "unsolicited",
            "S: 220 mail.contoso.test ESMTP Postfix\nC: NOOP\nS: 250 2.0.0 Ok\nS: 250 2.1.5 Nobody asked for this\n\
             C: RSET\nS: 250 2.0.0 Ok",
        ),
        (
            "mixed-codes",
            "S: 220 mail.contoso.test ESMTP Postfix\nC: EHLO a\nS: 250-mail.contoso.test\nS: 550-5.7.1 Not for you\n\
             S: 250 HELP\nC: AUTH LOGIN\nS: 503 5.5.1 Error: send HELO/EHLO first",
        ),
    ];
    for (scenario, script) in table {
        dialogue(POSTFIX, scenario, script);
    }
}

#[test]
fn scenario_masked_banner() {
    dialogue(
        EXCHANGE,
        "masked-banner",
        "
        S: 220 **************************0*2******
        C: EHLO a
        S: 250-mail.contoso.test Hello [127.0.0.1]
        S: 250-SIZE 37748736
        S: 250-PIPELINING
        S: 250-DSN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-XXXXXXXA
        S: 250-AUTH NTLM LOGIN
        S: 250-8BITMIME
        S: 250-BINARYMIME
        S: 250 CHUNKING
        C: STARTTLS
        S: 502 5.3.3 Command not implemented
        ",
    );
}

#[test]
fn scenarios_of_starttls() {
    let table = [
        ("starttls-stripped", "502 5.3.3 Command not implemented", ""),
        ("starttls-refused", "454 4.7.0 TLS not available due to temporary reason", ""),
        ("starttls-injection", "220 2.0.0 SMTP server ready", "S: 250-mail.contoso.test\nS: 250 AUTH PLAIN LOGIN\nS: (begins TLS)\n"),
        ("expired", "220 2.0.0 SMTP server ready", "S: (begins TLS)\n"),
        ("no-greeting", "", ""),
    ];
    for (scenario, reply, more) in table {
        let mut server = server(EXCHANGE, scenario);
        server.greet();
        let offer = shown(server.receive(b"EHLO a\r\n"));
        assert_eq!(offer.contains("STARTTLS"), !["starttls-stripped", "no-greeting"].contains(&scenario), "{scenario}");
        let want = if reply.is_empty() { String::new() } else { format!("S: {reply}\n{more}") };
        assert_eq!(shown(server.receive(b"STARTTLS\r\n")), want, "{scenario}");
    }
}

#[test]
fn scenario_truncated_tls() {
    let mut server = server(EXCHANGE, "truncated-tls");
    server.greet();
    server.receive(b"EHLO a\r\nSTARTTLS\r\n");
    server.tls_started(TlsFacts::default());
    let steps = server.receive(b"EHLO a\r\nQUIT\r\n");
    assert!(matches!(steps.as_slice(), [Step::Write(_), Step::Cut]), "{steps:?}");
}

#[test]
fn scenario_garbage() {
    let steps = server(EXCHANGE, "garbage").greet();
    let [Step::Write(greeting), Step::Write(noise)] = steps.as_slice() else { panic!("{steps:?}") };
    assert!(greeting.starts_with(b"220 "));
    assert!(noise.contains(&0x1b) && noise.contains(&0) && std::str::from_utf8(noise).is_err() && noise.ends_with(b"\r\n"));
}

#[test]
fn scenario_byte_by_byte() {
    let mut server = server(POSTFIX, "byte-by-byte");
    let greeting = b"220 mail.contoso.test ESMTP Postfix\r\n";
    let want = greeting.iter().flat_map(|&byte| [Step::Write(vec![byte]), Step::Pause(Duration::from_millis(4))]);
    assert_eq!(server.greet(), want.collect::<Vec<_>>());
}

#[test]
fn scenario_endless_reply() {
    let mut server = server(EXCHANGE, "endless-reply");
    server.greet();
    assert_eq!(server.more(), []);
    assert_eq!(shown(server.receive(b"EHLO a\r\nQUIT\r\n")), "S: 250-mail.contoso.test Hello [127.0.0.1]\n");
    for _ in 0..10_000 {
        let steps = server.more();
        let [Step::Write(bytes)] = steps.as_slice() else { panic!("{steps:?}") };
        assert!(bytes.len() < 4096 && bytes.starts_with(b"250-") && bytes.ends_with(b"\r\n"));
    }
    assert_eq!(server.receive(b"QUIT\r\n"), []);
}

/// The answers behind the greeting and EHLO.
pub(super) fn after_hello(scenario: &str, lines: &[&str]) -> Vec<String> {
    let mut server = server(EXCHANGE, scenario);
    server.greet();
    server.receive(b"EHLO a\r\n");
    lines.iter().map(|line| shown(server.receive(format!("{line}\r\n").as_bytes())).trim_end().to_owned()).collect()
}

#[test]
fn scenarios_of_a_message() {
    let (mail, sender_ok, recipient_ok) = ("MAIL FROM:<a@alt.test>", "S: 250 2.1.0 Sender OK", "S: 250 2.1.5 Recipient OK");
    let need_recipient = "S: 503 5.5.2 Need rcpt command";
    let (one, two) = ("RCPT TO:<one@contoso.test>", "RCPT TO:<two@contoso.test>");
    assert_eq!(
        after_hello("greylisting", &[mail, one, "RCPT TO:<ONE@contoso.test>", two, two, "RCPT TO:<a@alt.test>"]),
        [
            sender_ok,
            "S: 451 4.7.1 <one@contoso.test>: Greylisted, please try again later",
            recipient_ok,
            "S: 451 4.7.1 <two@contoso.test>: Greylisted, please try again later",
            recipient_ok,
            "S: 550 5.7.1 Unable to relay",
        ]
    );
    assert_eq!(after_hello("full-disk", &[mail, one, "DATA"]), [sender_ok, "S: 452 4.3.1 Insufficient system storage", need_recipient]);
    assert_eq!(after_hello("close-after-rcpt", &[mail, one, "DATA"]), [sender_ok, "S: 250 2.1.5 Recipient OK\nS: (closes)", ""]);
    assert_eq!(
        after_hello("refuse-data", &["DATA", mail, one, "DATA", "NOOP"]),
        ["S: 503 5.5.2 Need mail command", sender_ok, recipient_ok, "S: 554 5.7.1 Message refused", "S: 250 2.0.0 OK"]
    );
}

#[test]
fn every_scenario_withstands_any_bytes() {
    let noise: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let tls = b"\x80\r\nEHLO a\r\nRSET\r\nSTARTTLS\r\n";
    let talk = b"EHLO a\r\nAUTH LOGIN\r\n\xff\r\nMAIL FROM:<\xffa@b>\r\nRCPT TO:<postmaster>\r\nBDAT 99999999999999999999\r\nDATA\r\n";
    for scenario in SCENARIOS {
        for character in CHARACTERS {
            let mut server = Server::new(character, Some(scenario), facts());
            server.greet();
            for bytes in [&talk[..], &noise, b"\r\n", talk, &noise, tls] {
                let steps = server.receive(bytes);
                let closed = steps.contains(&Step::Close) || steps.contains(&Step::StartTls);
                assert!(!closed || server.receive(talk).is_empty(), "{}", scenario.name);
            }
        }
    }
}

#[test]
fn a_parameter_that_is_not_taken_leaves_the_transaction_as_it_was() {
    let after_hello = |server: &mut Server, line: &str| shown(server.receive(format!("{line}\r\n").as_bytes()));
    let table = [
        ("exchange", "MAIL FROM:<b@alt.test> RET=ALL", "501 5.5.4 Invalid arguments"),
        ("exchange", "MAIL FROM:<b@alt.test> SIZE=much", "501 5.5.4 Invalid arguments"),
        ("exchange", "MAIL FROM:<b@alt.test> SIZE=37748737", "552 5.3.4 Message size exceeds fixed maximum message size"),
        ("exchange", "MAIL FROM:<b@alt.test> BODY=BINARYMIME", "250 2.1.0 Sender OK"),
        ("exchange", "RCPT TO:<a@contoso.test> NOTIFY=foo", "501 5.5.4 Invalid arguments"),
        ("postfix", "MAIL FROM:<b@alt.test> BODY=BINARYMIME", "555 5.5.4 Unsupported option: BODY=BINARYMIME"),
        ("postfix", "MAIL FROM:<b@alt.test> RET=ALL", "501 5.5.4 Bad RET parameter syntax"),
        ("postfix", "MAIL FROM:<b\u{e4}@alt.test>", "553 5.6.7 Must declare SMTPUTF8 to send unicode address"),
        ("postfix", "MAIL FROM:<b\u{e4}@alt.test> SMTPUTF8", "250 2.1.0 Ok"),
        ("postfix", "RCPT TO:<a@contoso.test> NOTIFY=foo", "501 5.5.4 Error: Bad NOTIFY parameter syntax"),
        ("postfix", "RCPT TO:<a@contoso.test> SIZE=1", "555 5.5.4 Unsupported option: SIZE=1"),
        ("postfix", "RCPT TO:<\u{e4}@contoso.test>", "553 5.6.7 Must declare SMTPUTF8 to send unicode address"),
    ];
    for (character, line, want) in table {
        let mut server = server(character, "");
        server.receive(b"EHLO a\r\n");
        if line.starts_with("RCPT") {
            server.receive(b"MAIL FROM:<a@alt.test>\r\n");
        }
        assert_eq!(after_hello(&mut server, line), format!("S: {want}\n"), "{character}: {line}");
        let data = after_hello(&mut server, "DATA");
        let in_transaction = line.starts_with("RCPT") || want.starts_with("250");
        let no_recipient = ["Need rcpt command", "no valid recipients"].iter().any(|words| data.contains(words));
        assert_eq!(no_recipient, in_transaction, "{character}: {line}: {data}");
    }
}

#[test]
fn mail_for_the_hosted_domains_is_taken_and_for_others_it_is_not() {
    let takes = |recipient: &str| {
        let mut server = server("exchange", "");
        server.receive(b"EHLO a\r\nMAIL FROM:<a@alt.test>\r\n");
        shown(server.receive(format!("RCPT TO: {recipient}\r\n").as_bytes())).starts_with("S: 250")
    };
    for hosted in ["postmaster@contoso.com", "a@CONTOSO.test", "a@contoso.local", "a@mail.contoso.com"] {
        assert!(takes(hosted), "{hosted}");
    }
    for other in ["a@notcontoso.com", "a@contoso.com.alt.test", "a@contoso.org", "a@external.test"] {
        assert!(!takes(other), "{other}");
    }
}
