//! Checks against servers in memory, where time stands still unless all wait for it, and against the practice
//! server where there is TLS.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

use super::group::Told;
use super::input::{self, Item};
use super::many::Many;
use super::phases::Walk;
use super::report::BadLine;
use super::*;
use crate::jobs::credentials::LoginOptions;
use crate::jobs::practice::Authority;
use crate::jobs::sandbox;
use crate::net::dial::DialOptions;
use crate::net::tls::TlsOptions;
use crate::secret::Secret;
use crate::session::server::auth::PASSWORD;
use crate::session::server::character::CHARACTERS;
use crate::session::server::{Facts, NAME, Server, Step, scenario};
use crate::target::Target;
use crate::wire::reply::Reply;

fn options() -> Options {
    let timeout = Duration::from_secs(30);
    Options {
        through: Through::Tls,
        tls_required: false,
        dial: DialOptions { timeout, ..DialOptions::default() },
        timeout,
        hello_name: "client.alt.test".into(),
        tls: TlsOptions::default(),
        insecure: false,
        login: None,
        allow_cleartext: false,
        sender: String::new(),
        recipient: "postmaster@contoso.test".to_owned(),
        relay_test: false,
        warn_days: 14,
        fail_days: None,
        warn_after: None,
        fail_after: None,
        reverse: None,
        retries: 0,
        all_addresses: false,
        mx: None,
    }
}

/// A server that follows lines: `S: text`, `S! text` without a line end, `LF text` with half of one, `C: beginning of a line`, `wait 5`
/// (seconds), `hold`; then it closes. Gives what the client said.
async fn play(script: &'static str, mut stream: DuplexStream) -> String {
    let mut said = Vec::new();
    for step in script.lines() {
        match step.split_at_checked(3) {
            Some(("S: ", text)) => stream.write_all(format!("{text}\r\n").as_bytes()).await.unwrap(),
            Some(("S! ", text)) => stream.write_all(text.as_bytes()).await.unwrap(),
            Some(("LF ", text)) => stream.write_all(format!("{text}\n").as_bytes()).await.unwrap(),
            Some(("C: ", start)) => {
                let from = said.len();
                while !said[from..].ends_with(b"\n") {
                    said.push(stream.read_u8().await.unwrap());
                }
                let line = String::from_utf8_lossy(&said[from..]);
                assert!(line.starts_with(start), "{start} was wanted, and {line} came");
            }
            _ if step == "hold" => {
                let _ = stream.read_to_end(&mut said).await;
            }
            _ => sleep(Duration::from_secs(step.strip_prefix("wait ").unwrap().parse().unwrap())).await,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Checks a server in memory; gives what it heard too.
async fn check_script(options: Options, script: &'static str) -> (Report, String) {
    let (ours, theirs) = duplex(64 * 1024);
    let server = tokio::spawn(play(script, theirs));
    let checker = Checker::new(options);
    let endpoint = Endpoint::new(Target::new("mx.contoso.test", 25));
    let mut walk = Walk::new(&checker, &endpoint, None);
    let result = walk.proceed(Box::new(ours)).await;
    let mut report = walk.report;
    judge(&mut report, &checker.options, result);
    (report, server.await.unwrap())
}

fn shown(report: &Report) -> String {
    let phase = report.failed_phase().map(|phase| phase.kind.name()).unwrap_or_default();
    format!("{} {}: {}", report.verdict.level.word(), phase, report.verdict.sentence)
}

// P7, P11
#[tokio::test(start_paused = true)]
async fn each_place_where_a_check_can_stop_has_its_phase_and_its_sentence() {
    let table: &[(&str, &str)] = &[
        ("S: 220 mx.contoso.test\nC: EHLO client.alt.test\nS: 250-mx.contoso.test\nS: 250 SIZE 10\nC: QUIT", "warn : no STARTTLS"),
        ("hold", "FAILED banner: no greeting within 30 s"),
        ("C: \x16\x03\nS: HTTP/1.1 400 Bad Request\nhold", "FAILED banner: not SMTP: a web server (HTTP)"),
        ("", "FAILED banner: closed before the greeting"),
        ("S! 220-half", "FAILED banner: closed before the greeting"),
        ("S: HTTP/1.1 400 Bad Request", "FAILED banner: not SMTP: a web server (HTTP)"),
        ("S: SSH-2.0-OpenSSH_9.2", "FAILED banner: not SMTP: an SSH server"),
        ("S: * OK IMAP4rev1", "FAILED banner: not SMTP: an IMAP server"),
        ("S: +OK POP3", "FAILED banner: not SMTP: a POP3 server"),
        ("S! \x15\x03\x01\x00\x02\x02\x46", "FAILED banner: not SMTP: TLS (this port expects encryption from the first byte)"),
        ("S: 554 no service", "FAILED banner: greets with a refusal (554)"),
        ("S: 421 too many", "FAILED banner: greets with a refusal (421)"),
        ("S: 220 mx\nC: EHLO\nS: 550 no\nC: HELO\nS: 550 no\nC: QUIT", "FAILED ehlo: EHLO refused (550)"),
        ("S: 220 mx\nC: EHLO\nS: 421 no\nC: QUIT", "FAILED ehlo: EHLO refused (421)"),
        ("S: 220 mx\nC: EHLO\nS: 502 what\nC: HELO client.alt.test\nS: 250 mx\nC: QUIT", "warn : only HELO"),
        ("S: 220 mx\nC: EHLO\nS: 550 no\nC: HELO", "FAILED ehlo: EHLO refused (550)"),
        ("S: 220 mx\nC: EHLO\nS: 550 no\nC: HELO\nhold", "FAILED ehlo: EHLO refused (550)"),
        ("S: 220 mx\nC: EHLO\nS: 550 no\nC: HELO\nS: what", "FAILED ehlo: EHLO refused (550)"),
        ("S: 220 mx\nC: EHLO\nS: 550 no\nC: HELO\nS: 354 what", "FAILED ehlo: EHLO refused (550)"),
        ("S: 220 mx\nC: EHLO\nS: 550 no\nC: HELO\nS: 421 later", "FAILED ehlo: EHLO refused (550)"),
        ("S: 220 mx\nC: EHLO\nhold", "FAILED ehlo: no reply to EHLO within 30 s"),
        ("S: 220 mx\nC: EHLO", "FAILED ehlo: closed instead of the reply to EHLO"),
        ("S: 220 mx\nC: EHLO\nS: what", "FAILED ehlo: no SMTP reply to EHLO"),
        (
            "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 no\nC: QUIT",
            "FAILED starttls: STARTTLS refused (454 4.7.0)",
        ),
        (
            "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nS: 250 evil",
            "FAILED starttls: plain text behind the 220",
        ),
    ];
    for (script, want) in table {
        let (report, said) = check_script(options(), script).await;
        assert!(shown(&report).starts_with(want), "{script}\n{}", shown(&report));
        assert!(!said.contains("DATA") && !said.contains("MAIL"), "{said}");
    }
}

// P9, P10, P55
#[tokio::test(start_paused = true)]
async fn what_comes_behind_the_last_reply_is_no_success() {
    let hello = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 AUTH PLAIN\n";
    let mail = "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\n";
    // How far, what comes before the last reply, that reply, and the phase that fails.
    let table = [
        (Through::Greeting, String::new(), "220 mx", "banner", "the greeting"),
        (Through::Hello, "S: 220 mx\nC: EHLO\n".to_owned(), "250 mx", "ehlo", "the reply to EHLO"),
        (Through::Tls, "S: 220 mx\nC: EHLO\n".to_owned(), "250 mx", "ehlo", "the reply to EHLO"),
        (Through::Auth, format!("{hello}C: AUTH PLAIN\n"), "235 ok", "auth", "the reply to AUTH"),
        (Through::Mail, mail.to_owned(), "250 ok", "mail", "the reply to MAIL FROM"),
        (Through::Recipient, format!("{mail}S: 250 ok\nC: RCPT\n"), "250 ok", "rcpt", "the reply to RCPT TO"),
    ];
    for (through, before, last, phase, what) in table {
        for extra in ["554 go away", "220 mx", "250 ok", "535 more", "421 bye"] {
            let script: &'static str = format!("{before}S: {last}\nS: {extra}\nhold").leak();
            let login = LoginOptions { is_wanted: true, user: Some("logon".to_owned()), ..LoginOptions::default() };
            let login = Credentials { options: login, secret: Some(Secret::new("x".to_owned())) };
            let login = Some(login).filter(|_| through == Through::Auth);
            let (report, _) = check_script(Options { through, login, allow_cleartext: true, ..options() }, script).await;
            let (want, class) = match &extra[..3] {
                "421" => (format!("FAILED {phase}: closes right behind {what} (421)"), Class::TryLater),
                code => (format!("FAILED {phase}: a reply that nobody asked for ({code})"), Class::Lost),
            };
            assert_eq!((shown(&report), report.verdict.class()), (want, Some(class)), "{script:?}");
        }
    }
    // An end without a word changes nothing.
    let (report, _) = check_script(Options { through: Through::Greeting, ..options() }, "S: 220 mx").await;
    assert_eq!(shown(&report), "ok : ok");
}

#[tokio::test(start_paused = true)]
async fn a_slow_greeting_is_waited_for_and_told() {
    let script = "wait 25\nS: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 STARTTLS\nC: QUIT";
    let (report, _) = check_script(Options { through: Through::Hello, ..options() }, script).await;
    assert_eq!(shown(&report), "warn : slow banner");
    assert_eq!(report.time(PhaseKind::Greeting), Some(Duration::from_secs(25)));
}

#[tokio::test(start_paused = true)]
async fn a_greeting_in_the_last_moments_is_one() {
    // Who was silent until then is asked in another way.
    let script = "wait 30\nS: 220 mx\nhold";
    let late = Duration::from_millis(30_500);
    let table = [(Through::Greeting, "warn : slow banner"), (Through::Tls, "FAILED : greeted too late for EHLO within 30 s")];
    for (through, want) in table {
        let (report, said) = check_script(Options { through, timeout: late, ..options() }, script).await;
        assert_eq!(shown(&report), want);
        assert_eq!(report.reply(PhaseKind::Greeting).map(Reply::first_text), Some(&b"mx"[..]));
        assert!(said.starts_with("\x16\x03"), "{said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_the_last_moments_is_taken_for_what_it_is() {
    let table = [
        // It had begun before: nothing else is asked.
        ("wait 29\nS! 220 mx\nwait 1\nS:  ESMTP\nhold", "warn : slow banner", ""),
        ("wait 30\nS: 220-mx\nwait 0\nS: 220 go\nhold", "warn : slow banner", "\x16\x03"),
        ("wait 30\nS: \nwait 0\nS: 220 mx\nhold", "warn : slow banner", "\x16\x03"),
        ("wait 30\nS: 421 busy\nhold", "FAILED banner: greets with a refusal (421)", "\x16\x03"),
        ("wait 30\nS: hello\nhold", "FAILED banner: not SMTP", "\x16\x03"),
        ("wait 30\nS: 220-mx\nS! 220-still\nhold", "FAILED banner: no end of the greeting within 30 s", "\x16\x03"),
        // That is about our question.
        ("wait 30\nS: 500 5.5.1 command unrecognized\nhold", "FAILED banner: no greeting within 30 s", "\x16\x03"),
        ("wait 30\nS: 250 fine\nhold", "FAILED banner: no greeting within 30 s", "\x16\x03"),
        ("wait 30\nS: 554 SMTP synchronization error\nhold", "FAILED banner: no greeting within 30 s", "\x16\x03"),
    ];
    for (script, want, heard) in table {
        let timeout = Duration::from_millis(30_500);
        let (report, said) = check_script(Options { through: Through::Greeting, timeout, ..options() }, script).await;
        assert_eq!(shown(&report), want, "{script:?}");
        assert!(said.starts_with(heard) && heard.is_empty() != said.contains('\x16'), "{script:?}: {said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_provoked_is_read_however_it_is_cut() {
    let script = "wait 30\nS! \x15\nwait 0\nS! \x03\nwait 0\nS! \x01\x00\nhold";
    let (report, _) = check_script(Options { timeout: Duration::from_secs(31), ..options() }, script).await;
    assert_eq!(shown(&report), "FAILED banner: not SMTP: TLS (this port expects encryption from the first byte)");
}

#[tokio::test(start_paused = true)]
async fn what_failed_by_being_slow_is_not_told_as_a_delay_on_purpose() {
    for script in ["hold", "wait 20\nS: 554 no", "S: 220 mx\nC: EHLO\nhold"] {
        let (report, _) = check_script(options(), script).await;
        assert_eq!(report.verdict.level, Level::Failed);
        assert!(report.notices.iter().all(|notice| notice.kind != NoticeKind::Slow), "{script:?}: {:?}", report.notices);
    }
}

// P7
#[tokio::test(start_paused = true)]
async fn one_deadline_holds_for_all_phases_and_a_trickle_does_not_move_it() {
    let table: &[(&str, &str)] = &[
        ("wait 20\nS: 220 mx\nC: EHLO\nwait 20\nS: 250 mx", "FAILED ehlo: no reply to EHLO within 10 s"),
        ("S! 2\nwait 9\nS! 2\nwait 9\nS! 0\nwait 9\nS!  \nwait 9\nS: mx", "FAILED banner: no end of the greeting within 30 s"),
    ];
    for (script, want) in table {
        let started = Instant::now();
        let (ours, theirs) = duplex(1024);
        let server = tokio::spawn(async move {
            let mut theirs = theirs;
            // A server whose client has gone is of no interest.
            for step in script.lines() {
                let done = match step.split_at_checked(3) {
                    Some(("S: ", text)) => theirs.write_all(format!("{text}\r\n").as_bytes()).await,
                    Some(("S! ", text)) => theirs.write_all(text.as_bytes()).await,
                    Some(("C: ", _)) => theirs.read(&mut [0; 100]).await.map(|_| ()),
                    _ => {
                        sleep(Duration::from_secs(step[5..].parse().unwrap())).await;
                        Ok(())
                    }
                };
                if done.is_err() {
                    return;
                }
            }
        });
        let checker = Checker::new(options());
        let endpoint = Endpoint::new(Target::new("mx.contoso.test", 25));
        let mut walk = Walk::new(&checker, &endpoint, None);
        let result = walk.proceed(Box::new(ours)).await;
        let mut report = walk.report;
        judge(&mut report, &checker.options, result);
        assert_eq!(shown(&report), *want);
        assert!(started.elapsed() <= Duration::from_secs(31), "{:?}", started.elapsed());
        server.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_begun_and_taken_back_and_no_message_is_sent() {
    let table: &[(Through, &str, &str, &str)] = &[
        (Through::Greeting, "S: 220 mx\nC: QUIT", "ok : ok", "QUIT\r\n"),
        (
            Through::Mail,
            "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT",
            "warn : no STARTTLS",
            "EHLO client.alt.test\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n",
        ),
        (
            Through::Recipient,
            "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 550 5.1.1 no such user\nC: RSET\nS: 250 ok\nC: QUIT",
            "FAILED rcpt: RCPT TO refused (550 5.1.1)",
            "EHLO client.alt.test\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster@contoso.test>\r\nRSET\r\nQUIT\r\n",
        ),
        (
            Through::Mail,
            "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 451 later\nC: QUIT",
            "FAILED mail: MAIL FROM refused (451)",
            "EHLO client.alt.test\r\nMAIL FROM:<>\r\nQUIT\r\n",
        ),
    ];
    for (through, script, want, said) in table {
        let (report, heard) = check_script(Options { through: *through, ..options() }, script).await;
        assert_eq!((shown(&report).as_str(), heard.as_str()), (*want, *said));
    }
}

#[cfg(feature = "dns")]
#[tokio::test(start_paused = true)]
async fn smtputf8_is_declared_where_an_address_needs_it_and_nowhere_else() {
    const OFFERED: &str =
        "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 SMTPUTF8\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT";
    const TAKEN: &str = "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT";
    const NOTHING: &str = "S: 220 mx\nC: EHLO\nS: 250 mx\nC: QUIT";
    let fine = "MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n";
    let table = [
        (OFFERED, "a@a.test", "b@b.test", fine),
        (OFFERED, "gr\u{e5}@a.test", "b@b.test", "MAIL FROM:<gr\u{e5}@a.test> SMTPUTF8\r\nRCPT TO:<b@b.test>\r\n"),
        (OFFERED, "", "\u{3b4}@b.test", "MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<\u{3b4}@b.test>\r\n"),
        (OFFERED, "a@a.test", "b@b\u{fc}cher.test", "MAIL FROM:<a@a.test> SMTPUTF8\r\nRCPT TO:<b@b\u{fc}cher.test>\r\n"),
        (TAKEN, "a@a.test", "b@b.test", fine),
        (TAKEN, "a@b\u{fc}cher.test", "b@b.test", "MAIL FROM:<a@xn--bcher-kva.test>\r\nRCPT TO:<b@b.test>\r\n"),
        (TAKEN, "", "b@b\u{fc}cher.test", "MAIL FROM:<>\r\nRCPT TO:<b@xn--bcher-kva.test>\r\n"),
        (NOTHING, "gr\u{e5}@a.test", "b@b.test", ""),
        (NOTHING, "a@a.test", "\u{3b4}@b.test", ""),
    ];
    for (script, sender, recipient, want) in table {
        let (sender, recipient) = (sender.to_owned(), recipient.to_owned());
        let options = Options { through: Through::Recipient, sender, recipient, ..options() };
        let (report, said) = check_script(options, script).await;
        assert_eq!(report.verdict.level == Level::Failed, want.is_empty(), "{report:?}");
        assert!(want.is_empty() || said.contains(want), "{said}");
        if want.is_empty() {
            assert!(shown(&report).starts_with("FAILED mail: no SMTPUTF8 for ") && !said.contains("MAIL"), "{} {said}", shown(&report));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_worth_noticing_is_noticed() {
    use NoticeKind::{InternalName, MaskedGreeting, MaskedKeywords, NoStartTls, Odd, OtherNameInHello};
    let table: &[(&str, &[NoticeKind])] = &[
        ("S: 220 ******0*2******\nC: EHLO\nS: 250-mx\nS: 250 XXXXXXXA\nC: QUIT", &[MaskedGreeting, MaskedKeywords, NoStartTls]),
        ("S: 220 server.contoso.local\nC: EHLO\nS: 250 mx.contoso.test\nC: QUIT", &[InternalName, NoStartTls, OtherNameInHello]),
        ("LF 220 mx\nC: EHLO\nS: 250 mx\nC: QUIT", &[Odd, NoStartTls]),
    ];
    for (script, want) in table {
        let (report, _) = check_script(options(), script).await;
        let kinds: Vec<NoticeKind> = report.notices.iter().map(|notice| notice.kind).collect();
        assert_eq!(kinds, *want, "{report:?}");
        // P14
        assert!(report.notices.iter().all(|notice| !notice.text.contains(char::is_control)));
    }
}

#[tokio::test(start_paused = true)]
async fn slowness_and_a_missing_starttls_fail_where_that_is_wished() {
    const SLOW: &str = "wait 5\nS: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 STARTTLS\nC: QUIT";
    let seconds = |count| Some(Duration::from_secs(count));
    let hello = |warn_after, fail_after| Options { through: Through::Hello, warn_after, fail_after, ..options() };
    let table = [
        (hello(seconds(6), None), "ok : ok"),
        (hello(seconds(4), None), "warn : slow"),
        (hello(seconds(1), seconds(4)), "FAILED : slow: 5000 ms, and 4000 ms are allowed"),
    ];
    for (options, want) in table {
        assert_eq!(shown(&check_script(options, SLOW).await.0), want);
    }
    let strict = Options { tls_required: true, ..options() };
    let (report, _) = check_script(strict, "S: 220 mx\nC: EHLO\nS: 250 mx\nC: QUIT").await;
    assert_eq!((shown(&report).as_str(), report.verdict.class()), ("FAILED starttls: no STARTTLS", Some(Class::Tls)));
    // What is not offered because EHLO is refused has that as its reason.
    let only_helo = "S: 220 mx\nC: EHLO\nS: 550 5.7.1 banned\nC: HELO\nS: 250 mx\nC: QUIT";
    let (report, _) = check_script(Options { tls_required: true, ..options() }, only_helo).await;
    let want = ("FAILED starttls: no STARTTLS: EHLO refused (550 5.7.1)", Some(Class::Tls));
    assert_eq!((shown(&report).as_str(), report.verdict.class()), want);
    let login = LoginOptions { is_wanted: true, user: Some("logon".to_owned()), ..LoginOptions::default() };
    let login = Some(Credentials { options: login, secret: Some(Secret::new("x".to_owned())) });
    let (report, _) = check_script(Options { login, through: Through::Auth, ..options() }, only_helo).await;
    let want = ("FAILED auth: no login offered: EHLO refused (550 5.7.1)", Some(Class::Login));
    assert_eq!((shown(&report).as_str(), report.verdict.class()), want);
}

// ---- the practice server -----------------------------------------------------------------------

/// The practice server in memory, sans-IO: no port, no sleep.
async fn practise(mut stream: DuplexStream) {
    let facts = Facts {
        name: NAME.to_owned(),
        client: "[192.0.2.7]".to_owned(),
        date: "today".to_owned(),
        serial: 1,
        now: 0,
        random: [7; 32],
        token: "token".to_owned(),
    };
    let mut server = Server::new(&CHARACTERS[0], None, facts);
    let mut steps = server.greet();
    let mut bytes = [0; 1024];
    loop {
        for step in steps {
            match step {
                Step::Write(bytes) => stream.write_all(&bytes).await.unwrap(),
                Step::Close => return,
                _ => {}
            }
        }
        match stream.read(&mut bytes).await {
            Ok(count @ 1..) => steps = server.receive(&bytes[..count]),
            _ => return,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_practice_server_in_memory_is_checked_to_the_recipient() {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(practise(theirs));
    let checker = Checker::new(Options { through: Through::Hello, ..options() });
    let endpoint = Endpoint::new(Target::new(NAME, 25));
    let mut walk = Walk::new(&checker, &endpoint, None);
    assert_eq!(walk.proceed(Box::new(ours)).await, Ok(()));
    let report = walk.report;
    let kinds: Vec<PhaseKind> = report.phases.iter().map(|phase| phase.kind).collect();
    assert_eq!(kinds, [PhaseKind::Greeting, PhaseKind::Hello]);
    assert!(report.offer.unwrap().has("STARTTLS"));
}

/// Checks the practice server with a fault, on a port of its own.
async fn check_scenario(name: &str, change: impl FnOnce(&mut Options)) -> Report {
    let authority = Authority::new().unwrap();
    let scenario = scenario::lookup(name);
    let character = &CHARACTERS[0];
    let offer: Vec<&'static str> = crate::sasl::MECHANISMS.iter().filter(|known| known.name == "PLAIN").map(|known| known.name).collect();
    let tls = authority.tls(scenario, &offer).unwrap();
    let (listener, address) = sandbox::bind(None).await.unwrap();
    let server = sandbox::Options { character, scenario, tls, implicit_tls: false, offer, token: "token".to_owned() };
    let serving = tokio::spawn(sandbox::serve(listener, server));
    let mut options = Options { tls: TlsOptions { extra_roots: vec![authority.root()], ..TlsOptions::default() }, ..options() };
    change(&mut options);
    let checker = Checker::new(options).practising(Some(NAME));
    let report = checker.check(&Endpoint::new(Target::new("127.0.0.1", address.port())), None).await;
    serving.abort();
    report
}

#[tokio::test]
async fn tls_and_its_faults_are_told() {
    let table = [
        ("", "ok : ok"),
        ("tls12", "ok : ok"),
        ("expired", "FAILED certificate: the certificate expired 12 days ago"),
        ("self-signed", "FAILED certificate: the certificate is self-signed"),
        ("wrong-name", "FAILED certificate: the certificate is not for mail.contoso.test"),
        ("missing-intermediate", "FAILED certificate: the issuer is not known and not sent along (Practice Issuing CA 1)"),
        ("tls-alert", "FAILED tls: TLS failed: the server ended it with the alert handshake_failure"),
        ("starttls-injection", "FAILED starttls: plain text behind the 220 to STARTTLS"),
        ("starttls-stripped", "warn : no STARTTLS"),
        ("internal-name", "warn : internal name in the greeting"),
    ];
    for (name, want) in table {
        let report = check_scenario(name, |_| {}).await;
        assert_eq!(shown(&report), want, "{name}");
        let tls = report.verdict.class() == Some(Class::Tls);
        assert_eq!(report.verdict.level == Level::Failed, tls, "{name}");
    }
}

#[tokio::test]
async fn with_k_faults_are_warnings_and_the_days_of_a_certificate_count() {
    let report = check_scenario("expired", |options| options.insecure = true).await;
    assert_eq!(shown(&report), "warn : the certificate expired 12 days ago");
    let report = check_scenario("", |options| options.warn_days = 91).await;
    assert_eq!(shown(&report), "warn : cert ends in 90 days");
    let report = check_scenario("", |options| options.fail_days = Some(91)).await;
    assert_eq!(shown(&report), "FAILED certificate: certificate ends in 90 days");
    // Whose faults are passed over ends all the same.
    let passed_over = |options: &mut Options| (options.insecure, options.warn_days) = (true, 91);
    let report = check_scenario("self-signed", passed_over).await;
    assert_eq!(shown(&report), "warn : the certificate is self-signed; cert ends in 90 days");
    let passed_over = |options: &mut Options| (options.insecure, options.fail_days) = (true, Some(91));
    let report = check_scenario("self-signed", passed_over).await;
    assert_eq!(shown(&report), "FAILED certificate: certificate ends in 90 days");
    let report = check_scenario("expired", passed_over).await;
    assert_eq!(shown(&report), "warn : the certificate expired 12 days ago");
}

// P23, P24
#[tokio::test]
async fn a_login_is_carried_out_inside_verified_tls_only() {
    let login = |password: &str| {
        let options = LoginOptions { is_wanted: true, user: Some("logon".to_owned()), ..LoginOptions::default() };
        Some(Credentials { options, secret: Some(Secret::new(password.to_owned())) })
    };
    let table = [
        ("", PASSWORD, false, "ok : ok"),
        ("", "wrong", false, "FAILED auth: login refused (535 5.7.8)"),
        ("starttls-stripped", PASSWORD, false, "FAILED auth: login would be unencrypted"),
        ("expired", PASSWORD, false, "FAILED certificate: the certificate expired 12 days ago"),
        ("expired", PASSWORD, true, "FAILED auth: login withheld: certificate not verified"),
    ];
    for (name, password, insecure, want) in table {
        let change = |options: &mut Options| {
            options.through = Through::Recipient;
            options.login = login(password);
            options.insecure = insecure;
        };
        let report = check_scenario(name, change).await;
        let got = shown(&report).replace("535 5.7.3", "535 5.7.8");
        assert_eq!(got, want, "{name} {password}");
        assert!(!format!("{report:?}").contains(password) || password == "wrong");
    }
}

// ---- lists -------------------------------------------------------------------------------------

async fn told(many: &mut Many) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(told) = many.next().await {
        all.push(match told {
            Told::Report(report) => format!("{}: {}", report.target.port, shown(&report)),
            Told::Compared(comparison) => comparison.sentences.join(" "),
            Told::Bad(line) => format!("line {}", line.number),
        });
    }
    all
}

// P43
#[tokio::test]
async fn a_list_tells_each_target_once_and_bad_lines_by_number() {
    let (listener, silent) = sandbox::bind(None).await.unwrap();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let timeout = Duration::from_millis(300);
    let options = Options { timeout, dial: DialOptions { timeout, ..DialOptions::default() }, ..options() };
    let port = silent.port();
    let named = |port: u16| Item::Named(vec![Target::new("127.0.0.1", port)]);
    let mut items = vec![named(port), Item::Bad(BadLine { number: 2, words: "x".to_owned() }), named(port), named(dead)];
    items.push(Item::Named(vec![Target::new("127.0.0.1", port), Target::new("127.0.0.2", port)]));
    let mut many = Many::new(Arc::new(Checker::new(options)), input::given(items), 2, None);
    let mut all = told(&mut many).await;
    all.sort();
    // Twice the silent one: at two addresses.
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(all.iter().filter(|line| line.ends_with("no greeting within 0.3 s")).count(), 1, "{all:?}");
    assert_eq!(all.iter().filter(|line| line.contains("connection refused")).count(), 2, "{all:?}");
    assert!(all.contains(&"line 2".to_owned()));
    assert_eq!((many.begun, many.duplicates, many.total()), (3, 2, Some(3)));
    drop(listener);
}

#[test]
fn the_future_of_a_check_is_small() {
    let checker = Checker::new(options());
    let endpoint = Endpoint::new(Target::new("127.0.0.1", 25));
    let size = std::mem::size_of_val(&checker.check(&endpoint, None));
    assert!(size <= 6 * 1024, "{size}");
}
