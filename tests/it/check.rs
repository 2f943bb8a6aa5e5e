//! `ehlo check` through the program: where it stops, lists, what it says and how it ends.

use std::fmt::Write as _;
use std::net::TcpListener;
#[cfg(unix)]
use std::process::Command;
#[cfg(target_os = "linux")]
use std::process::Stdio;
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::time::Instant;

#[cfg(target_os = "linux")]
use crate::support::DEADLINE;
#[cfg(feature = "dns")]
use crate::support::dns::name_server;
use crate::support::run::{Run, ehlo};
use crate::support::scripted::{Scripted, closed_port, serve};

pub(crate) const FINE: &str = "S: 220 mx.contoso.test ESMTP\nC: EHLO a\nS: 250-mx.contoso.test\nS: 250 SIZE 10\nC: QUIT\nS: 221 bye";

/// A text as it was before it was wrapped.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(port: u16, flags: &[&str]) -> Run {
    let place = format!("127.0.0.1:{port}");
    ehlo(["check", "--ehlo", "a"].into_iter().chain(flags.iter().copied()).chain([place.as_str()]).map(str::to_owned).collect::<Vec<_>>())
}

/// A server, the flags, the status, and words of standard output.
struct Row {
    server: &'static str,
    flags: &'static [&'static str],
    status: i32,
    words: &'static [&'static str],
}

const fn row(server: &'static str, status: i32, words: &'static [&'static str]) -> Row {
    Row { server, flags: &[], status, words }
}

#[test]
fn each_end_of_a_check_has_its_status_its_sentence_and_its_advice() {
    // P11 P44
    let table = [
        row(FINE, 0, &["warn: no STARTTLS", "connect ", "banner ", "total ", "<  220 mx.contoso.test ESMTP"]),
        Row { flags: &["--through", "ehlo"], ..row(FINE, 0, &["  ok\n"]) },
        Row { flags: &["--through", "connect"], ..row("hold", 0, &["  ok\n"]) },
        Row { flags: &["--through", "banner"], ..row("S: 220 mx\nC: QUIT\nS: 221 bye", 0, &["  ok\n"]) },
        Row { flags: &["--through", "tls"], ..row(FINE, 7, &["FAILED: no STARTTLS (starttls, ", "TLS is not configured"]) },
        Row { flags: &["-S"], ..row(FINE, 7, &["FAILED: no STARTTLS"]) },
        Row { flags: &["--timeout", "1"], ..row("hold", 5, &["FAILED: no greeting within 1 s (banner, 1 s)", "Wait longer"]) },
        row("close", 6, &["FAILED: closed before the greeting (banner, "]),
        row("S: HTTP/1.1 400 Bad Request\nhold", 6, &["FAILED: not SMTP: a web server (HTTP)"]),
        row("S: SSH-2.0-OpenSSH_9.2\nhold", 6, &["FAILED: not SMTP: an SSH server"]),
        row("S: * OK IMAP4rev1\nhold", 6, &["FAILED: not SMTP: an IMAP server"]),
        row("S! \\x15\\x03\\x01\\0\\x02\\x02\\x46\nclose", 6, &["FAILED: not SMTP: TLS", "ehlo check --tls"]),
        row("S: 554 no service\nhold", 1, &["FAILED: greets with a refusal (554)", "<! 554 no service", "Your address is blocked there."]),
        row("S: 421 busy\nclose", 9, &["FAILED: greets with a refusal (421)", "Try again in some minutes."]),
        // P2 P11: what came is shown, whatever it is.
        row("S: hello there\\e[2J\nhold", 6, &["FAILED: not SMTP (banner, ", "<! hello there\\x1b[2J\n"]),
        row("S! 220-mx\\r\\n220-still\nclose", 6, &["FAILED: closed before the greeting", "<! 220-mx\n<! 220-still\n"]),
        row("S: 220 mx\nC: EHLO a\nS: hm\nhold", 6, &["FAILED: no SMTP reply to EHLO", "<! hm\n"]),
        row("S: 220 mx\nC: EHLO a\nS: 250-mx\nclose", 6, &["FAILED: closed instead of the reply to EHLO", "<! 250-mx\n"]),
        row(
            "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 250 fine\nC: QUIT\nS: 221 bye",
            7,
            &["FAILED: STARTTLS not begun (250) (starttls, "],
        ),
        row("S: 220 mx\nC: EHLO a\nS: 502 what\nC: HELO a\nS: 250 mx\nC: QUIT\nS: 221 bye", 0, &["warn: only HELO"]),
        row(
            "S: 220 mx\nC: EHLO a\nS: 550 no\nC: HELO a\nS: 550 no\nC: QUIT\nS: 221 bye",
            1,
            &["FAILED: EHLO refused (550)", "--ehlo NAME"],
        ),
        row("S: 220 mx\nC: EHLO a\nclose", 6, &["FAILED: closed instead of the reply to EHLO"]),
        row(
            "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 no\nC: QUIT\nS: 221 bye",
            7,
            &["FAILED: STARTTLS refused (454 4.7.0)", "<! 454 4.7.0 no"],
        ),
        row("S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nclose", 7, &["FAILED: TLS failed: "]),
        row(
            "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls\nhold",
            7,
            &["the certificate is not for 127.0.0.1; the certificate is self-signed (certificate, ", "TLS 1.3, certificate "],
        ),
        // P48 P55
        row(
            "S: 220 mx\nC: EHLO a\nS: 220 mx ESMTP\nhold",
            6,
            &["FAILED: out of step: 220 to EHLO (ehlo, ", "220 is a greeting", "<  220 mx ESMTP"],
        ),
        row(
            "S: 220 mx\nC: EHLO a\nS: 354 go\nhold",
            6,
            &["FAILED: out of step: 354 to EHLO (ehlo, ", "354 does not answer EHLO (2yz does)"],
        ),
        Row {
            flags: &["--through", "mail"],
            ..row("S: 220 mx\nC: EHLO a\nS: 250 mx\nC: MAIL FROM:<>\nS: 354 go\nhold", 6, &["FAILED: out of step: 354 to MAIL FROM"])
        },
        Row {
            flags: &["--through", "mail"],
            ..row("S: 220 mx\nC: EHLO a\nS: 250 mx\nC: MAIL FROM:<>\nS: 571 denied\nC: QUIT\nhold", 1, &["FAILED: MAIL FROM refused (571)"])
        },
        Row {
            flags: &["-k"],
            ..row(
                "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls\nC: EHLO a\nS: 250 mx\nC: QUIT\nhold",
                0,
                &["warn: the certificate is not for 127.0.0.1", "not verified"],
            )
        },
        Row {
            flags: &["--tls"],
            ..row(
                "S: 220 mail.contoso.test ESMTP\nhold",
                7,
                &["FAILED: TLS failed: what answered is not TLS", "begun with the first byte", "ehlo check -S 127.0.0.1 "],
            )
        },
        Row {
            flags: &["--through", "rcpt", "--to", "<x@external.test>", "--from", "me@alt.test"],
            ..row(
                "S: 220 mx\nC: EHLO a\nS: 250 mx\nC: MAIL FROM:<me@alt.test>\nS: 250 ok\nC: RCPT TO:<x@external.test>\nS: 550 5.7.1 Unable to relay\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye",
                1,
                &["FAILED: RCPT TO refused (550 5.7.1) (rcpt, ", "A relay test from outside"],
            )
        },
    ];
    for Row { server: script, flags, status, words } in table {
        let server = serve(script);
        let mut run = check(server.port, flags).status(status);
        for word in words {
            run = run.out(*word);
        }
        let done = run.check();
        assert_eq!(done.out().contains("What happened"), status != 0, "{}", done.out());
        assert!(!server.end().text().contains("DATA"));
    }
}

/// What a relay test gets to hear at RCPT, and what is said of it in each format.
#[test]
fn a_relay_test_fails_where_the_server_relays_and_knows_nothing_where_it_is_refused_for_another_reason() {
    let table = [
        (
            "250 2.1.5 ok",
            1,
            "FAILED: relays: RCPT TO for external.test accepted (250 2.1.5)",
            Some("You say that this domain is not hosted"),
        ),
        ("550 5.7.1 Unable to relay", 0, "  warn: no STARTTLS", None),
        ("554 5.7.1 <x@external.test>: Relay access denied", 0, "  warn: no STARTTLS", None),
        ("450 4.2.0 Greylisted", 9, "FAILED: relaying not known: RCPT TO refused (450 4.2.0)", Some("Nothing is known about relaying")),
        ("454 4.7.1 Relay access denied", 9, "relaying not known", Some("Nothing is known about relaying")),
        ("550 5.1.8 Sender domain does not exist", 1, "relaying not known", Some("Nothing is known about relaying")),
        ("550 no", 1, "relaying not known", Some("Nothing is known about relaying")),
    ];
    let flags = ["--through", "rcpt", "--to", "x@external.test", "--relay-test"];
    for (reply, status, headline, happened) in table {
        let script = format!(
            "S: 220 mx\nC: EHLO a\nS: 250 mx\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<x@external.test>\nS: {reply}\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye"
        );
        let text = check(serve(&script).port, &flags).status(status).out("").check().out();
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(headline) && happened.is_none_or(|words| flat.contains(words)), "{reply}: {text}");
        assert_eq!(text.contains("It does not relay for x@external.test"), status == 0, "{text}");
        let (word, nagios) = if status == 0 { ("warn", 1) } else { ("failed", 2) };
        for (format, status, words) in [("json", status, word), ("csv", status, word), ("nagios", nagios, "SMTP")] {
            let flags = [&flags[..], &["--format", format]].concat();
            let out = check(serve(&script).port, &flags).status(status).out("").check().out().to_lowercase();
            assert!(out.contains(&words.to_lowercase()), "{format}: {out}");
            assert!(word == "warn" && format != "json" || out.contains("relay"), "{format}: {out}");
        }
    }
}

#[test]
fn an_address_goes_out_as_it_was_given_or_is_refused_before_anything_is_connected_to() {
    // P33
    let taken = [
        "\"odd user\"@a.test",
        "\"a@b\"@a.test",
        "\"a\\\"b\"@a.test",
        "o'neil@a.test",
        "x@[192.0.2.1]",
        "x@[IPv6:::1]",
        "postmaster",
        "@a.test:b@c.test",
    ];
    for address in taken {
        let server = serve("S: 220 mx\nC: EHLO a\nS: 250 mx\nC: *\nS: 250 ok\nC: *\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye");
        check(server.port, &["--through", "rcpt", "-f", address, "-t", address]).any_out().check();
        let lines = server.finish().lines();
        assert_eq!(lines[1..3], [format!("MAIL FROM:<{address}>"), format!("RCPT TO:<{address}>")]);
    }
    let refused = [
        "a b@a.test",
        "c@a.test> X=1",
        "c@a.test\r\nDATA",
        "a@a.test\n",
        "\"open@a.test",
        "\"a\"> X=1",
        "a@b@c.test",
        "<>",
        "a@",
        "@a.test",
    ];
    for address in refused {
        let server = serve("hold");
        check(server.port, &["--through", "rcpt", "-t", address]).status(2).err("is not an address: ").check();
        assert_eq!(server.end().connections, 0, "{address}");
    }
}

#[test]
fn who_gives_no_name_says_a_full_name_or_the_address_of_the_connection() {
    // What the name of this machine is depends on the machine: both forms are right.
    let is_fine = |name: &str| name == "[127.0.0.1]" || name.contains('.') && !name.starts_with('[') && !name.starts_with("localhost");
    let server = serve("S: 220 mx\nC: *\nS: 250 mx\nC: QUIT\nS: 221 bye");
    ehlo(["check", &format!("127.0.0.1:{}", server.port)]).any_out().check();
    let said = server.finish().lines();
    assert!(said[0].strip_prefix("EHLO ").is_some_and(is_fine), "{said:?}");
    let server = serve("S: 220 mx\nC: *\nS: 250 mx\nC: *\nS: 221 bye\nclose");
    ehlo(["-S", "127.0.0.1", &server.port.to_string()]).status(7).any().check();
    let said = server.end().lines();
    assert!(said[0].strip_prefix("EHLO ").is_some_and(is_fine), "{said:?}");
    // What the operator gives goes out as it is.
    let server = serve("S: 220 mx\nC: EHLO M\u{dc}LLER_PC\nS: 250 mx\nC: QUIT\nS: 221 bye");
    ehlo(["check", "--ehlo", "M\u{dc}LLER_PC", &format!("127.0.0.1:{}", server.port)]).any_out().check();
    server.finish();
}

#[test]
fn a_name_that_tls_cannot_send_is_a_mistake_and_nothing_is_connected_to() {
    // P33
    let server = serve("hold");
    check(server.port, &["--servername", "x y"]).status(2).err("--servername: 'x y' cannot be used as a name in TLS").check();
    assert_eq!(server.end().connections, 0);
}

#[test]
fn a_greeting_that_began_is_no_silence() {
    // P7, P11; and nothing is said into the middle of it.
    let server = serve("S: 220-mx delays\nhold");
    let words = "no end of the greeting within 1 s";
    let done = check(server.port, &["--timeout", "1"]).status(5).out(words).out("It says \"220-mx delays\", and more").check();
    assert!(!done.out().contains("expects TLS"), "{}", done.out());
    assert_eq!(server.end().text(), "");
}

#[test]
fn a_reply_that_nobody_asked_for_is_told_and_421_is_421_at_any_moment() {
    // P9, P10
    let closes = &["421 4.3.2 going down"][..];
    let table: &[(&'static str, &[&str], i32, &[&str])] = &[
        (
            "S! 220 mx\\r\\n250 extra\\r\\n\nC: EHLO a\nS: 250 mx\nhold",
            &[],
            6,
            &["FAILED: a reply that nobody asked for (250)", "250 extra"],
        ),
        ("S: 220 mx\nC: EHLO a\nS! 250-mx\\r\\n250 STARTTLS\\r\\n250 twice\\r\\n\nC: STARTTLS\nhold", &[], 6, &["250 twice"]),
        ("S! 220 mx\\r\\n421 4.3.2 going down\\r\\n\nC: EHLO a\nclose", &[], 9, closes),
        ("S: 220 mx\nC: EHLO a\nS! 250-mx\\r\\n250 STARTTLS\\r\\n421 4.3.2 going down\\r\\n\nC: STARTTLS\nclose", &[], 9, closes),
        ("S: 220 mx\nC: EHLO a\nS! 250-mx\\r\\n250 STARTTLS\\r\\n\nC: STARTTLS\nS: 421 4.3.2 going down\nclose", &[], 9, closes),
    ];
    for (script, flags, status, words) in table {
        let server = serve(script);
        words.iter().fold(check(server.port, flags).status(*status), |run, word| run.out(*word)).check();
        server.end();
    }
}

#[test]
fn what_comes_behind_the_last_reply_fails_in_all_formats() {
    // P9, P10, P55
    let hello = "S: 220 mx\nC: EHLO a\n";
    let login = format!("{hello}S: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGxvZ29uAHNlY3JldA==\n");
    let login_flags = &["--through", "auth", "-u", "logon", "--password-stdin", "--allow-cleartext"][..];
    let table = [
        (String::new(), "220 a", &["--through", "banner"][..]),
        (hello.to_owned(), "250 m", &["--through", "ehlo"]),
        (hello.to_owned(), "250 m", &[]),
        (login, "235 ok", login_flags),
        (
            format!("{hello}S: 250 mx\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<c@d.test>\n"),
            "250 ok",
            &["--through", "rcpt", "--to", "c@d.test"],
        ),
    ];
    for (before, last, flags) in table {
        for (extra, status) in [("550 no", 6), ("220 mx", 6), ("421 bye", 9)] {
            for format in ["text", "json", "csv", "nagios"] {
                let server = serve(&format!("{before}S! {last}\\r\\n{extra}\\r\\n\nclose"));
                let all = [flags, &["--format", format]].concat();
                let status = if format == "nagios" { 2 } else { status };
                let done = check(server.port, &all).stdin("secret\n").status(status).any().check();
                assert!(!done.out().contains("Logged in") && done.out().contains(&extra[..3]), "{all:?} {extra}\n{}", done.all());
                server.end();
            }
        }
    }
    // The reply to QUIT is not judged.
    for bye in ["S: 550 no", "S: 421 bye", "S! 221 bye\\r\\n550 no\\r\\n"] {
        let server = serve(&format!("S: 220 mx\nC: QUIT\n{bye}\nhold"));
        check(server.port, &["--through", "banner"]).out("  ok\n").check();
        server.end();
    }
}

#[test]
fn a_port_for_load_balancers_is_among_the_causes_of_a_silent_end_and_of_silence() {
    // P54
    let words = "It waits for a PROXY header, as behind a load balancer.";
    for (script, flags, status) in [("close", &[][..], 6), ("hold", &["--timeout", "1"], 5)] {
        let server = serve(script);
        let done = check(server.port, flags).status(status).any_out().check();
        // As a cause among others, and not the first of them.
        assert!(
            one_line(&done.out()).contains(words)
                && one_line(&done.out()).contains("--proxy-protocol v1 (or v2)")
                && !done.out().contains("1. It waits for a PROXY"),
            "{}",
            done.out()
        );
        server.end();
        let server = serve(script);
        let port = server.port.to_string();
        let done = ehlo(["127.0.0.1", &port].iter().chain(flags)).status(status).any().check();
        assert!(one_line(&done.err()).contains(words), "{}", done.err());
        server.end();
    }
}

#[test]
fn a_header_of_the_proxy_protocol_is_named_where_it_may_be_the_cause() {
    let not_taken = &["FAILED: does not take the PROXY header (502)", "502 5.5.2 what", "Leave out --proxy-protocol."][..];
    let may_be = &["1. The port does not expect the header of --proxy-protocol", "Leave out --proxy-protocol."][..];
    let (one, two) = (&["--proxy-protocol", "v1"][..], &["--proxy-protocol", "v2,local"][..]);
    let table: &[(&'static str, &[&str], i32, &[&str])] = &[
        // The answer to the header comes behind the greeting, before EHLO is said or after it.
        ("C: *\nS! 220 mx\\r\\n502 5.5.2 what\\r\\n\nhold", one, 6, not_taken),
        ("C: *\nS: 220 mx\nC: EHLO a\nS: 502 5.5.2 what\nS: 250 mx\nhold", one, 6, not_taken),
        // Postfix and Exim look whether the client talks before the greeting: then that is what it says.
        (
            "C: *\nS: 554 5.5.0 Error: SMTP protocol synchronization\nhold",
            one,
            6,
            &["FAILED: does not take the PROXY header (554)", "554 5.5.0 Error", "Leave out --proxy-protocol."],
        ),
        ("C! \\r\\n\\r\\n\\0\\r\\nQUIT\\n\\x20\\0\\0\\0\nclose", two, 6, may_be),
        ("C: *\nS: 220 mx\nC: EHLO a\nclose", one, 6, may_be),
        ("C: *\nS: 554 no\nhold", one, 1, may_be),
        (
            "C: *\nS: 220 mx\nC: EHLO a\nS: 250 mx\nC: MAIL FROM:<>\nS: 550 no\nhold",
            &["--proxy-protocol", "v1", "--through", "mail"],
            1,
            &["FAILED: MAIL FROM refused (550)"],
        ),
        // None was sent, and one is wanted (Exim).
        (
            "S: 220 mx\nC: EHLO a\nS: 503 Command refused, required Proxy negotiation failed\nC: HELO a\nS: 503 no\nhold",
            &[],
            1,
            &["FAILED: EHLO refused (503)", "--proxy-protocol v1 or v2"],
        ),
    ];
    for (script, flags, status, words) in table {
        let server = serve(script);
        let done = words.iter().fold(check(server.port, flags).status(*status), |run, word| run.out(*word)).check();
        assert!(*status != 1 || words == &may_be || !done.out().contains("Leave out --proxy"), "{}", done.out());
        server.end();
    }
}

#[test]
fn lmtp_and_smtp_are_not_mixed_up() {
    let table: &[(&'static str, &str, &[&str])] = &[
        (
            "S: 220 mx LMTP\nC: EHLO a\nS: 500 what\nC: HELO a\nS: 500 what\nhold",
            "",
            &["EHLO refused (500)", "This is LMTP: lmtp://127.0.0.1:"],
        ),
        (
            "S: 220 mx ESMTP\nC: LHLO a\nS: 500 what\nhold",
            "lmtp://",
            &["LHLO refused (500)", "It speaks SMTP, not LMTP.", "ehlo check 127.0.0.1 "],
        ),
    ];
    for (script, scheme, words) in table {
        let server = serve(script);
        let run = ehlo(["check", "--ehlo", "a", &format!("{scheme}127.0.0.1:{}", server.port)]).status(1);
        let done = words.iter().fold(run, |run, word| run.out(*word)).check();
        assert!(scheme.is_empty() || !done.out().contains("EHLO"), "{}", done.out());
        server.end();
    }
}

#[test]
fn a_closed_port_and_an_unknown_name_are_told_as_such() {
    let port = closed_port();
    check(port, &[]).status(4).out("FAILED: connection refused (connect, ").out("nothing listens on this port").check();
    let done = ehlo(["check", "no-such-host.invalid"]).status(3).any_out().check();
    assert!(done.out().contains("no-such-host.invalid:25") && done.out().contains("What happened"), "{}", done.out());
}

#[cfg(feature = "dns")]
#[test]
fn addresses_that_are_dead_in_different_ways_are_not_told_as_one() {
    // P43: to the second one nothing can be sent, which this machine itself says.
    let names = name_server("both.test A 127.0.0.1\nboth.test A 255.255.255.255");
    let place = format!("both.test:{}", closed_port());
    let resolver = names.address.to_string();
    let run = ehlo(["check", "--resolver", &resolver, &place]).status(4);
    let done = run.out(format!("{place}  FAILED: none of its 2 addresses can be connected to: ")).check();
    for words in ["127.0.0.1 refused", "127.0.0.1: The host answered at once", "255.255.255.255: ", "127.0.0.1 port "] {
        assert!(done.out().contains(words), "{words}: {}", done.out());
    }
}

#[test]
fn several_ports_of_a_host_are_compared() {
    let server = serve(FINE);
    let place = format!("127.0.0.1:{},{}", server.port, closed_port());
    let done = ehlo(["check", "--ehlo", "a", &place]).status(10).out("RESULT  HOST").check();
    let words = format!("and {} answers: the host is up, and nothing listens on", server.port);
    assert!(done.out().contains(&words), "{}", done.out());
    assert!(done.out().contains("2 hosts: 0 ok, 1 warn, 1 failed in "), "{}", done.out());
    server.end();
}

#[test]
fn a_host_and_a_port_may_stand_apart() {
    let server = serve(FINE);
    ehlo(["check", "--ehlo", "a", "127.0.0.1", &server.port.to_string()]).out("no STARTTLS").check();
    server.end();
}

#[cfg(unix)]
#[test]
fn a_command_that_runs_is_no_connection_yet() {
    let place = format!("127.0.0.1:{}", closed_port());
    for (command, through, status, words) in [
        ("false", "connect", 4, "FAILED: the command ended (exit status 1) (banner, "),
        ("exec sh -c 'exit 3'", "connect", 4, "FAILED: the command ended (exit status 3) (banner, "),
        ("kill -9 $$", "connect", 4, "FAILED: the command ended (signal 9) (banner, "),
        ("sleep 600", "connect", 5, "FAILED: nothing came out of the command within 1 s (banner, "),
        ("sleep 600", "tls", 5, "The command runs. Whether it has reached the server"),
        // It is not ended by us before it has said why.
        ("exec 1>&-; sleep 0.1; exit 3", "tls", 4, "FAILED: the command ended (exit status 3) (banner, "),
        // Our own bytes are no TLS server's.
        ("cat", "tls", 6, "FAILED: not SMTP: an echo (our own bytes come back) (banner, "),
        ("printf '220 mx\\r\\n'; read quit", "connect", 0, "  ok\n"),
        ("false", "tls", 4, "FAILED: the command ended (exit status 1) (banner, "),
    ] {
        let flags = ["--timeout", "1", "--through", through, "--proxy-command", command, &place];
        let done = ehlo(["check"].into_iter().chain(flags)).status(status).out(words).check();
        assert!(!done.out().contains("connect 0 ms"), "{}", done.out());
    }
    let place = format!("smtps://{place}");
    let done = ehlo(["check", "--proxy-command", "false", &place]).status(4).out("FAILED: the command ended (exit status 1) (tls, ");
    done.out("What happened").check();
}

#[test]
fn through_a_proxy_the_proxy_is_not_taken_for_the_host() {
    let ask = "C: CONNECT mx.alt.test:25 HTTP/1.1\nC: Host: mx.alt.test:25\nC: \n";
    let through = |port: u16, scheme: &str, flags: &[&str]| {
        let args = ["check".to_owned(), "--ehlo".to_owned(), "a".to_owned(), "mx.alt.test".to_owned(), "--proxy".to_owned()];
        ehlo(args.into_iter().chain([format!("{scheme}://127.0.0.1:{port}")]).chain(flags.iter().map(|&flag| flag.to_owned())))
    };
    let fine = format!("{ask}S! HTTP/1.1 200 OK\\r\\n\\r\\n\n{FINE}");
    let server = serve(&fine);
    let done = through(server.port, "http", &[]).out("mx.alt.test:25  warn: no STARTTLS\n").out(", proxy ").check();
    assert!(!done.out().contains("127.0.0.1"), "{}", done.out());
    server.end();
    let server = serve(&fine);
    let done = through(server.port, "http", &["--json"]).any_out().check();
    let line: serde_json::Value = serde_json::from_str(done.out().lines().next().unwrap()).unwrap();
    assert_eq!((&line["address"], &line["attempts"][0]["address"]), (&serde_json::Value::Null, &"127.0.0.1".into()));
    server.end();
    // What it says itself stands in the first line.
    for (scheme, script, words, advice) in [
        ("http", "S! HTTP/1.1 403 Filtered\\r\\n\\r\\n", "the proxy forbids it: 403 Filtered", "squid"),
        ("http", "S! HTTP/1.1 504 Too late\\r\\n\\r\\n", "not reached by the proxy: 504 Too late", "without --proxy"),
        ("http", "S! HTTP/1.1 407 Who\\r\\n\\r\\n", "the proxy wants a login: 407 Who", "EHLO_PROXY_PASSWORD"),
        (
            "socks5",
            "S! \\x05\\0\nC! \\x05\nS! \\x05\\x02\\0\\x01\\0\\0\\0\\0\\0\\0",
            "the proxy forbids it: not allowed by its rules (SOCKS reply 2)",
            "PermitOpen",
        ),
    ] {
        let begin = if scheme == "http" { ask } else { "C! \\x05\\x01\\0\n" };
        let server = serve(&format!("{begin}{script}\nhold"));
        through(server.port, scheme, &[]).status(4).out(format!("mx.alt.test:25  FAILED: {words} (proxy, ")).out(advice).check();
        server.end();
    }
    let port = closed_port();
    let words = format!("mx.alt.test:25  FAILED: the proxy cannot be reached: 127.0.0.1 port {port} refused the connection (proxy, ");
    through(port, "socks5", &[]).status(4).out(words).check();
}

// ---- lists -------------------------------------------------------------------------------------

fn lines(servers: &[&Scripted]) -> String {
    servers.iter().fold(String::new(), |mut text, server| {
        let _ = writeln!(text, "127.0.0.1:{}", server.port);
        text
    })
}

#[test]
fn a_list_with_mixed_results_tells_each_of_them_and_ends_with_10() {
    // P43
    let (one, two) = (serve(FINE), serve("S: 554 no\nhold"));
    let list = format!(
        "\u{feff}# mail servers\r\n\r\n{}127.0.0.1:{}\r\nnot a host line\n127.0.0.1:{}  # again\n127.0.0.1:{}",
        lines(&[&one, &two]),
        closed_port(),
        one.port,
        one.port
    );
    let done = ehlo(["check", "--ehlo", "a", "-i", "-"]).stdin(list).status(10).any().check();
    let (out, err) = (done.out(), done.err());
    // A head, three rows, the sum and a hint.
    assert_eq!(out.lines().count(), 6, "{out}");
    assert!(out.starts_with("RESULT  HOST"), "{out}");
    let rows: Vec<&str> = out.lines().filter(|line| line.starts_with("FAILED") || line.starts_with("warn")).collect();
    assert_eq!(rows.len(), 3, "{out}");
    assert!(out.contains("3 hosts: 0 ok, 1 warn, 2 failed (1 refused, 1 connect) in ") || out.contains("(1 connect, 1 refused)"), "{out}");
    assert!(out.contains("; 1 line not understood; 2 named again and passed over"), "{out}");
    assert!(err.starts_with("line 6: ") && err.lines().count() == 1, "{err}");
    assert_eq!(one.end().connections, 1);
    two.end();
}

#[test]
fn flags_of_tls_hold_for_the_lines_of_a_list_too() {
    let server = serve("tls\nS: 220 mx\nC: EHLO a\nS: 250 mx\nC: QUIT\nhold");
    let list = lines(&[&server]);
    let done = ehlo(["check", "--ehlo", "a", "--tls", "-k", "-i", "-"]).stdin(list).any_out().check();
    assert!(done.out().contains("warn    smtps://127.0.0.1:"), "{}", done.out());
    server.end();
}

#[test]
fn a_list_that_fails_alike_has_the_status_of_its_failures() {
    let list = format!("127.0.0.1:{}\n127.0.0.1:{}\n", closed_port(), closed_port());
    let done = ehlo(["check", "-q", "-i", "-"]).stdin(list).any_out().status(4).check();
    assert!(done.out().lines().all(|line| line.contains("FAILED: connection refused")), "{}", done.out());
}

#[test]
fn a_list_without_hosts_is_wrong_usage() {
    ehlo(["check", "-i", "-"]).stdin("# nothing\n").status(2).any_out().err("there is no host in the list").check();
    ehlo(["check", "-i", "."]).status(2).err(". is a folder").check();
    ehlo(["check", "-i", "-"]).stdin(b"\xff\xfem\0x\0\n\0").status(2).err("UTF-16").check();
    ehlo(["check", "-i", "no-such-file"]).status(2).err("no-such-file: No such file").check();
    ehlo(["check"]).status(2).any_err().check();
}

#[test]
fn forty_silent_hosts_take_one_time_out() {
    // P43
    let silent: Vec<TcpListener> = (0..40).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let list: String = silent.iter().map(|one| format!("{}\n", one.local_addr().unwrap())).collect();
    let done = ehlo(["check", "-i", "-", "--timeout", "2"]).stdin(list).status(5).any_out().check();
    assert_eq!(done.out().matches("no greeting within 2 s").count(), 40, "{}", done.out());
    assert!(done.took < Duration::from_secs(4), "{:?}", done.took);
}

#[test]
fn no_more_than_j_hosts_are_checked_at_the_same_time() {
    let silent: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let list: String = silent.iter().map(|one| format!("{}\n", one.local_addr().unwrap())).collect();
    let done = ehlo(["check", "-i", "-", "--timeout", "0.5", "-j", "1"]).stdin(list).status(5).any_out().check();
    assert!(done.took >= Duration::from_secs(1), "{:?}", done.took);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_also_who_still_reads_a_list_for_watch() {
    // P38
    let running = ehlo(["check", "--ehlo", "a", "-i", "-", "--watch", "5"]).open_stdin().start();
    running.wait_catches_interrupt();
    running.signal(rustix::process::Signal::INT);
    assert_eq!(running.finish().status, Some(130));
}

#[cfg(unix)]
#[test]
fn ctrl_c_tells_what_is_done() {
    // P38 P44
    let server = serve(FINE);
    let silent = serve("hold");
    let mut running = ehlo(["check", "--ehlo", "a", "-i", "-"]).open_stdin().start();
    running.line(lines(&[&server, &silent]).trim_end());
    running.wait_out("no STARTTLS");
    silent.wait_connected();
    running.signal(rustix::process::Signal::INT);
    let done = running.finish();
    assert_eq!(done.status, Some(130), "{}", done.all());
    assert!(done.out().contains("1 host: 0 ok, 1 warn, 0 failed in ") && done.out().contains("interrupted"), "{}", done.out());
    server.end();
    silent.end();
}

#[cfg(unix)]
#[test]
fn roots_that_are_never_read_do_not_move_the_limit() {
    let folder = tempfile::TempDir::new().unwrap();
    let roots = folder.path().join("roots");
    assert!(Command::new("mkfifo").arg(&roots).status().unwrap().success());
    let server = serve("S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nhold");
    let words = "FAILED: the root certificates were not read in time (tls, ";
    check(server.port, &["--timeout", "1"]).env("SSL_CERT_FILE", roots).status(7).out(words).check();
    server.end();
}

#[cfg(unix)]
#[test]
fn ctrl_c_tells_what_was_waited_for() {
    let silent = serve("hold");
    let running = check(silent.port, &[]).start();
    silent.wait_connected();
    running.signal(rustix::process::Signal::INT);
    let done = running.finish();
    let words = format!("interrupted: waiting for 127.0.0.1:{} (", silent.port);
    assert!(done.status == Some(130) && done.err().contains(&words), "{}", done.all());
    silent.end();
}

#[cfg(unix)]
#[test]
fn ctrl_c_tells_also_what_is_done_and_waits_for_its_turn() {
    // Named together, so told in their order, and the first is silent. The third is begun when the second is done.
    let (first, second, third) = (serve("hold"), serve(FINE), serve("hold"));
    let ports = format!("127.0.0.1:{},{},{}", first.port, second.port, third.port);
    let running = ehlo(["check", "--ehlo", "a", "-j", "2", &ports]).start();
    first.wait_connected();
    third.wait_connected();
    running.signal(rustix::process::Signal::INT);
    let done = running.finish();
    assert_eq!(done.status, Some(130), "{}", done.all());
    assert!(done.out().contains("1 host: 0 ok, 1 warn, 0 failed in "), "{}", done.out());
    second.end();
    first.end();
    third.end();
}

#[cfg(target_os = "linux")]
#[test]
fn who_has_stopped_reading_does_not_hold_up_the_end() {
    // P38
    let bad: String = (0..20_000).map(|number| format!("no host at all {number}\n")).collect();
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("hosts"), bad).unwrap();
    let (unread, pipe) = std::io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ehlo"));
    command.args(["check", "-i", "hosts", "--format", "json"]).current_dir(folder.path()).stdout(pipe).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + DEADLINE;
    // Of 64 KiB; where a write ends, a part of a page may stay free.
    while rustix::io::ioctl_fionread(&unread).unwrap() < 40 * 1024 {
        assert!(Instant::now() < until, "the pipe is not filled");
        std::thread::sleep(Duration::from_millis(10));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_has_its_status_and_a_reader_who_has_gone_has_none() {
    // P40 P44
    let place = format!("127.0.0.1:{}", closed_port());
    for args in [&["--format", "text"][..], &["--format", "json"], &["--format", "csv"], &["--format", "prometheus"], &["127.0.0.2:1"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let failed = "error: the output cannot be written: No space left on device\n";
        for (out, status, words) in [(Stdio::from(full), 1, failed), (Stdio::from(closed), 0, "")] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ehlo"));
            let output = command.arg("check").arg(&place).args(args).stdout(out).output().unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), &*err), (Some(status), words), "{args:?}");
        }
    }
    // A plugin that cannot say its state is unknown.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ehlo"));
    assert_eq!(command.args(["check", &place, "--format", "nagios"]).stdout(full).output().unwrap().status.code(), Some(3));
}

#[cfg(unix)]
#[test]
fn one_port_with_tls_and_without_is_two_hosts() {
    let server = serve("S: 220 mx\nclose");
    let (clear, tls) = (format!("127.0.0.1:{}", server.port), format!("smtps://127.0.0.1:{}", closed_port()));
    let done = ehlo(["check", "--ehlo", "a", &clear, &tls]).status(10).any_out().check();
    assert!(done.out().contains(&format!("FAILED  {clear} ")) && done.out().contains(&format!("FAILED  {tls} ")), "{}", done.out());
    server.end();
}

#[cfg(unix)]
#[test]
fn few_open_files_mean_fewer_hosts_at_the_same_time() {
    let silent: Vec<TcpListener> = (0..20).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let list: String = silent.iter().map(|one| format!("{}\n", one.local_addr().unwrap())).collect();
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("hosts"), list).unwrap();
    let script = format!("ulimit -n 24; exec {} check -q -i hosts --timeout 0.5", env!("CARGO_BIN_EXE_ehlo"));
    let output = Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out.matches("no greeting within 0.5 s").count(), 20, "{out}{err}");
    assert!(err.contains("only 24 open files are allowed (ulimit -n): 4 hosts at the same time, not 64"), "{err}");
}

#[cfg(unix)]
#[test]
fn few_open_files_are_enough_for_the_commands_that_are_started() {
    let list: String = (1..=100).map(|port| format!("127.0.0.1:{port}\n")).collect();
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("hosts"), list).unwrap();
    let check = |limit: u32, rest: &str| {
        let script = format!("ulimit -n {limit}; exec {} check -i hosts {rest}", env!("CARGO_BIN_EXE_ehlo"));
        let output = Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let command = "printf '220 mx\\r\\n'; cat > /dev/null";
    let (out, err) = check(40, &format!("-q -j 1000 --through banner --proxy-command \"{command}\""));
    assert_eq!(out.matches("  ok\n").count(), 100, "{out}{err}");
    assert!(err.contains("only 40 open files are allowed (ulimit -n): 4 hosts at the same time, not 1000"), "{err}");
}

/// Waits until there is a file with a number, and gives it.
#[cfg(target_os = "linux")]
fn number_in(path: &std::path::Path) -> i32 {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(number) = std::fs::read_to_string(path).ok().and_then(|text| text.strip_suffix('\n')?.parse().ok()) {
            return number;
        }
        assert!(Instant::now() < end, "{} was never written", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a process has ended; whether somebody has reaped it is another matter.
#[cfg(target_os = "linux")]
#[track_caller]
fn ends(id: i32) {
    let end = Instant::now() + DEADLINE;
    while std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|text| !text.contains(") Z ")) {
        assert!(Instant::now() < end, "{id} still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_ends_with_the_check_whatever_ends_that() {
    // P38
    use rustix::process::{Pid, Signal, kill_process};
    let both = "echo $$ > first; sh -c 'echo $$ > second; sleep 600; true'; true";
    let alone = "exec sh -c 'echo $$ > first; echo $$ > second; exec sleep 600'";
    for (command, signal, status) in [
        (both, Some(Signal::TERM), 143),
        (both, Some(Signal::INT), 130),
        (both, None, 5),
        (alone, Some(Signal::TERM), 143),
        (alone, None, 5),
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        // Without a terminal, from wherever the tests are run.
        let mut program = Command::new("setsid");
        program.arg(env!("CARGO_BIN_EXE_ehlo")).args(["check", "-q", "127.0.0.1:1,2", "--proxy-command", command]);
        program.args(["--timeout", if signal.is_some() { "60" } else { "1" }]);
        let mut check = program.current_dir(folder.path()).stdout(Stdio::null()).spawn().unwrap();
        let (first, second) = (number_in(&folder.path().join("first")), number_in(&folder.path().join("second")));
        if let Some(signal) = signal {
            kill_process(Pid::from_child(&check), signal).unwrap();
        }
        assert_eq!(check.wait().unwrap().code(), Some(status));
        ends(first);
        ends(second);
    }
}

#[cfg(unix)]
#[test]
fn a_watch_marks_what_has_changed() {
    let fine = "S: 220 mx\nC: EHLO a\nS: 250 mx\nC: QUIT\nS: 221 bye\nclose";
    let server = serve(&format!("{fine}\nagain\nS: 421 busy\nclose\nagain\nhold"));
    let mut running = check(server.port, &["--through", "ehlo", "--watch", "0.2", "--plain"]).start();
    running.wait_out("[changed, was ok]");
    running.signal(rustix::process::Signal::INT);
    let done = running.finish();
    assert_eq!(done.status, Some(130), "{}", done.all());
    assert!(done.out().contains("FAILED: greets with a refusal (421)"), "{}", done.out());
    server.end();
}

#[test]
fn what_fails_for_now_is_tried_again_where_that_is_wished() {
    let script = "S: 421-4.7.0 Too many\nS: 421 4.7.0 from you\nclose\nagain\nS: 220 mx\nC: EHLO a\nS: 250 mx\nC: QUIT\nS: 221 bye";
    let server = serve(script);
    // What the server said the first time is not forgotten.
    let words = "It took 2 tries. Before the last one: greets with a refusal (421): \"421-4.7.0 Too many / 421 4.7.0 from you\".";
    check(server.port, &["--through", "ehlo", "--retry", "1"]).out("  ok\n").out(words).check();
    assert_eq!(server.end().connections, 2);
    let server = serve("S: 554 no\nhold");
    check(server.port, &["--retry", "3"]).status(1).out("554").check();
    assert_eq!(server.end().connections, 1);
}

#[test]
fn v_draws_the_phases_and_q_gives_the_verdict_alone() {
    let server = serve("wait 300ms\nS: 220 mx\nC: EHLO a\nS: 250 mx\nC: QUIT\nS: 221 bye");
    let done = check(server.port, &["-v", "--through", "ehlo"]).out("connect  |=").check();
    let bar = |name: &str| done.out().lines().find(|line| line.trim_start().starts_with(name)).unwrap().matches('=').count();
    assert!(bar("banner") > 30 && bar("ehlo") <= 5, "{}", done.out());
    assert!(done.out().is_ascii());
    server.end();
    let server = serve(FINE);
    let port = server.port;
    check(port, &["-q"]).stdout(format!("127.0.0.1:{port}  warn: no STARTTLS\n")).check();
    server.end();
}

#[test]
fn hostile_text_of_a_server_cannot_look_like_ours() {
    // P14 P16
    let server = serve("S: 220 mx \\e[31m\\x07\nC: EHLO a\nS: 250 mx\nC: QUIT\nS: 221 bye");
    let done = check(server.port, &["-v"]).any_out().check();
    assert!(done.out().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", done.out());
    server.end();
}

#[test]
fn wrong_usage_is_told_before_anything_is_connected_to() {
    // P33
    let server = serve("hold");
    let place = format!("127.0.0.1:{}", server.port);
    let table: &[(&[&str], &str)] = &[
        (&["--through", "rcpt"], "wants a recipient"),
        (&["--to", "a@b.test"], "--to is for --through rcpt"),
        (&["--through", "rcpt", "--to", "a@b\r\nDATA"], "is not an address"),
        (&["--through", "rcpt", "--to", "a@b> x"], "is not an address"),
        (&["--through", "auth"], "wants a user"),
        (&["-u", "logon"], "does not go that far"),
        (&["-u", "logon:secret", "--through", "auth"], "user name alone"),
        (&["-j", "0"], "--parallel"),
        (&["--cert-days", "x"], "give days"),
        (&["--cert-days", "14,30"], "has to be the higher one"),
        (&["-w", "5", "-c", "1"], "--warn allows more time than --crit"),
        (&["--through", "nowhere"], "nowhere"),
        (&["-i", "-"], "cannot be used with"),
    ];
    for (flags, words) in table {
        let args = ["check"].into_iter().chain(flags.iter().copied()).chain([place.as_str()]);
        ehlo(args.map(str::to_owned).collect::<Vec<_>>()).status(2).err(*words).check();
    }
    ehlo(["check", "user@contoso.test"]).status(2).err("mail address").check();
    ehlo(["check", &place, "127.0.0.1", "587"]).status(2).err("'587' is a number and not a host").check();
    assert_eq!(server.end().connections, 0);
}

#[test]
fn a_password_is_read_once_and_told_nowhere() {
    // P24
    let server =
        serve("S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGxvZ29uAHNlY3JldC13b3Jk\nS: 235 ok\nC: QUIT\nS: 221 bye");
    let flags = ["-v", "--through", "auth", "-u", "logon", "--password-stdin", "--allow-cleartext"];
    let done = check(server.port, &flags).stdin("secret-word\n").out("Logged in as logon by PLAIN").check();
    assert!(!done.all().contains("secret-word") && !done.all().contains("AGxvZ29u"), "{}", done.all());
    server.end();
    let server = serve("S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 AUTH PLAIN\nC: QUIT\nS: 221 bye");
    let flags = ["--through", "auth", "-u", "logon", "--password-stdin"];
    check(server.port, &flags).stdin("secret-word\n").status(8).out("FAILED: login would be unencrypted").check();
    assert!(!server.end().text().contains("AUTH"));
}

#[test]
fn a_challenge_that_is_no_base64_ends_a_login() {
    // P26
    let server =
        serve("S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 Username:\nC: *\nS: 501 no\nC: QUIT\nS: 221 bye");
    let flags = ["--through", "auth", "-u", "logon", "--password-stdin", "--allow-cleartext"];
    let words = "FAILED: login not possible: the challenge is not what it should be: it is not base64";
    check(server.port, &flags).stdin("secret-word\n").status(8).out(words).check();
    server.end();
}

#[test]
fn a_login_that_is_refused_for_now_is_tried_again_where_that_is_wished() {
    let refused = "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 AUTH LOGIN PLAIN\nC: AUTH PLAIN AGxvZ29uAHNlY3JldC13b3Jk\nS: 454 4.7.0 later\nC: QUIT\nS: 221 bye";
    let server = serve(&format!("{refused}\nagain\n{refused}"));
    let flags = ["--through", "auth", "-u", "logon", "--password-stdin", "--allow-cleartext", "--retry", "1"];
    check(server.port, &flags).stdin("secret-word\n").status(9).out("FAILED: login refused (454 4.7.0)").out("It took 2 tries.").check();
    assert_eq!(server.end().connections, 2);
}

#[test]
fn a_check_that_fails_in_a_script_ends_the_session_politely() {
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    let port = server.port.to_string();
    let dead = format!("127.0.0.1:{}", closed_port());
    let run = |input: String| ehlo(["--ehlo", "a", "127.0.0.1", &port]).stdin(input).any();
    run(format!(":check {dead}\nNOOP\n")).status(4).out(">  QUIT\n<  221 bye\n").check();
    server.end();
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    let port = server.port.to_string();
    let run = |input: &str| ehlo(["--ehlo", "a", "127.0.0.1", &port]).stdin(input).any();
    run(":check 127.0.0.1 25 26\n").status(1).err("'26' is one word too many").check();
    server.end();
}

#[test]
fn check_inside_a_session_uses_a_connection_of_its_own() {
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    let other = serve("S: 220 other.contoso.test\nC: EHLO a\nS: 250 mx\nC: QUIT\nS: 221 bye");
    let input = format!(":check 127.0.0.1:{}\n", other.port);
    let port = server.port.to_string();
    let run = ehlo(["--ehlo", "a", "127.0.0.1", &port]).stdin(input).out("other.contoso.test").out("warn: no STARTTLS");
    run.err("Connected to").check();
    server.end();
    other.end();
}

// ---- names -------------------------------------------------------------------------------------

#[cfg(feature = "dns")]
mod names {
    use super::*;
    use crate::support::dns::{NameServer, name_server};

    const ZONE: &str = "
        null.test      MX 0 .
        gone.test      MX 10 nowhere.test
        alias.test     MX 10 also.test
        also.test      CNAME live.test
        live.test      A 127.0.0.1
        dead.test      A 127.0.0.2
        late.test      MX 10 dead.test
        late.test      MX 20 live.test
        both.test      A 127.0.0.1
        both.test      A 127.0.0.2
        known.test     NODATA
        broken.test    SERVFAIL
        silent.test    SILENT
    ";

    fn look(names: &NameServer, host: &str, port: u16, flags: &[&str]) -> Run {
        let (server, place) = (names.address.to_string(), format!("{host}:{port}"));
        let args = ["check", "--ehlo", "a", "--timeout", "2", "--resolver", &server, &place].into_iter().chain(flags.iter().copied());
        ehlo(args.map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn each_fault_of_a_name_has_its_sentence() {
        let names = name_server(ZONE);
        let table: &[(&str, &[&str], i32, &[&str])] = &[
            ("missing.test", &[], 3, &["FAILED: the name does not exist (dns, "]),
            ("known.test", &[], 3, &["FAILED: the name has no address"]),
            ("broken.test", &[], 3, &["FAILED: not looked up: the name server answered SERVFAIL"]),
            ("silent.test", &[], 3, &["FAILED: no answer from the name server"]),
            ("null.test", &["--mx"], 3, &["takes no mail (null MX)", "1 host: 0 ok", "What happened"]),
            ("gone.test", &["--mx"], 3, &["the mail server does not exist"]),
            ("missing.test", &["--mx"], 3, &["the domain does not exist"]),
        ];
        for (host, flags, status, words) in table {
            let mut run = look(&names, host, 25, flags).status(*status);
            for word in *words {
                run = run.out(*word);
            }
            run.check();
        }
    }

    #[test]
    fn each_mail_server_is_checked_in_its_order_and_a_dead_first_one_is_told() {
        let names = name_server(ZONE);
        let server = serve(FINE);
        let done = look(&names, "late.test", server.port, &["--mx"]).status(10).any_out().check();
        let rows: Vec<String> = done.out().lines().map(str::to_owned).collect();
        assert!(rows[1].contains("dead.test") && rows[1].contains("MX 10; 127.0.0.2; connection refused"), "{rows:#?}");
        assert!(rows[2].contains("live.test") && rows[2].contains("MX 20"), "{rows:#?}");
        assert!(rows[3].contains("late.test: its first mail server dead.test is dead (connection refused): mail is late"), "{rows:#?}");
        server.end();
        let server = serve(FINE);
        look(&names, "alias.test", server.port, &["--mx"]).out("MX names an alias").check();
        server.end();
    }

    #[test]
    fn an_mx_record_that_names_the_senders_own_machine_is_no_success() {
        // P44, P54
        let zone = "own.test MX 10 localhost\nlocalhost A 127.0.0.1\nliteral.test MX 10 127.0.0.1\n\
                    fine.test MX 10 mx1.fine.test\nmx1.fine.test A 127.0.0.1";
        let names = name_server(zone);
        let own = "which is the sender's own machine: each sender that follows it connects to itself";
        let loopback = "mx1.fine.test is 127.0.0.1, a loopback address";
        let failed = "MX names the sender's own machine";
        for (domain, words, failure) in
            [("own.test", own, Some(failed)), ("literal.test", own, Some(failed)), ("fine.test", loopback, None)]
        {
            let (status, plugin) = if failure.is_some() { (3, 2) } else { (0, 1) };
            let run = |flags: &[&str], status| {
                let server = serve(FINE);
                let done = look(&names, domain, server.port, &[&["--mx"], flags].concat()).status(status).any_out().check();
                server.end();
                one_line(&done.out())
            };
            let text = run(&["-v"], status);
            assert!(text.contains(words) && failure.is_none_or(|words| text.contains(words)), "{text}");
            let json = run(&["--json"], status);
            let kind = if failure.is_some() { r#""kind":"mail-domain""# } else { r#""kind":"mail-server-address""# };
            assert!(json.contains(words) && json.contains(kind), "{json}");
            let csv = run(&["--format", "csv"], status);
            assert!(csv.contains(failure.unwrap_or("loopback address")), "{csv}");
            let nagios = run(&["--format", "nagios"], plugin);
            assert!(failure.is_none_or(|words| nagios.contains(words)), "{nagios}");
            let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
            let port = server.port.to_string();
            ehlo(["--mx", domain, &port, "--resolver", &names.address.to_string()]).any_out().err(words).check();
            server.finish();
        }
        // Another try would not change that: there is one connection only.
        let server = serve(FINE);
        look(&names, "own.test", server.port, &["--mx", "--retry", "2"]).status(3).any_out().check();
        assert_eq!(server.end().connections, 1);
        // A domain without MX record may be there too.
        let names = name_server("fine.test A 127.0.0.1");
        let server = serve(FINE);
        look(&names, "fine.test", server.port, &["--mx", "-v"]).out("fine.test is 127.0.0.1, a loopback address").check();
        server.end();
        // Its own machine is what the operator named.
        let names = name_server("localhost A 127.0.0.1");
        let server = serve(FINE);
        let done = look(&names, "localhost", server.port, &["--mx"]).any_out().check();
        assert!(!done.out().contains("own machine"), "{}", done.out());
        server.end();
    }

    #[test]
    fn a_domain_with_very_many_mail_servers_costs_few_questions() {
        // P52
        let rows: Vec<String> = (0..2000).map(|number| format!("m.t MX {} {number}.t", 200 - number / 10)).collect();
        let names = name_server(&format!("m.t TCP\n{}", rows.join("\n")));
        let words = "m.t has 2000 mail servers: only the first 50 in order of preference are looked at, and 1950 are left out.";
        let done = look(&names, "m.t", closed_port(), &["--mx"]).status(3).out(words).check();
        assert!(done.out().contains(" 1990.t:") && !done.out().contains(" 1000.t:") && done.out().contains("50 hosts: "), "{}", done.out());
        // MX over UDP (and then over TCP), A and AAAA of each.
        assert!((1..=101).contains(&names.questions()), "{}", names.questions());
        let done = look(&names, "m.t", closed_port(), &["--mx", "--json"]).status(3).any_out().check();
        assert!(done.out().contains(r#""left_out":1950"#) && one_line(&done.out()).contains(words), "{}", done.out());
        let asked = names.questions();
        ehlo(["--mx", "m.t", "--resolver", &names.address.to_string()]).status(4).any_out().err(words).check();
        assert!(names.questions() - asked <= 101, "{}", names.questions() - asked);
    }

    #[test]
    fn no_more_than_so_many_addresses_of_a_name_are_looked_at() {
        // P52
        let rows: Vec<String> = (1..=60).map(|last| format!("many.test A 127.0.1.{last}")).collect();
        let names = name_server(&rows.join("\n"));
        let words = "many.test has 60 addresses: only 50 are looked at, and 10 are left out.";
        let flags = ["--all-addresses", "--format", "json"];
        let done = look(&names, "many.test", closed_port(), &flags).status(4).any_out().check();
        assert_eq!(done.out().matches(r#""event":"check""#).count(), 50);
        assert!(done.out().contains(words), "{}", done.out());
        let done = look(&names, "many.test", closed_port(), &["--json"]).status(4).any_out().check();
        assert!(done.out().contains(words) && done.out().contains(r#""addresses_left_out":10"#), "{}", done.out());
        assert_eq!(done.out().matches(r#""cause":"refused""#).count(), 50);
        let (port, resolver) = (closed_port().to_string(), names.address.to_string());
        ehlo(["many.test", &port, "--resolver", &resolver]).status(4).any_out().err(words).check();
    }

    #[test]
    fn the_rows_of_several_domains_say_which_one() {
        let names = name_server(ZONE);
        let (server, other) = (serve(&format!("{FINE}\nagain\n{FINE}")), closed_port());
        let list = format!("late.test:{}\nalias.test:{other}\n", server.port);
        let flags = ["check", "--mx", "--ehlo", "a", "-i", "-", "--resolver", &names.address.to_string()].map(str::to_owned);
        let done = ehlo(flags).stdin(list).status(10).any_out().check();
        assert!(done.out().contains("MX 20 of late.test") && done.out().contains("MX 10 of alias.test"), "{}", done.out());
        drop(server);
    }

    #[test]
    fn every_address_of_a_name_is_checked_and_compared() {
        let names = name_server(ZONE);
        let server = serve(FINE);
        let done = look(&names, "both.test", server.port, &["--all-addresses"]).status(10).any_out().check();
        assert!(done.out().contains("one of two addresses is dead: 127.0.0.2 (connection refused)."), "{}", done.out());
        server.end();
        let server = serve(FINE);
        let done = look(&names, "both.test", server.port, &[]).any_out().check();
        assert!(done.out().contains("(127.0.0.1)  warn: "), "{}", done.out());
        server.end();
    }

    #[test]
    fn the_name_of_the_address_is_compared_with_the_greeting_where_that_is_wished() {
        for (zone, words) in [
            ("1.0.0.127.in-addr.arpa PTR other.contoso.test", "named other.contoso.test (PTR), and the greeting says mx.contoso.test"),
            ("x.test A 127.0.0.1", "has no name (PTR)"),
        ] {
            let names = name_server(zone);
            let server = serve(FINE);
            look(&names, "127.0.0.1", server.port, &["--ptr"]).out(words).check();
            server.end();
        }
        // What nobody has answered is not known.
        let names = name_server("1.0.0.127.in-addr.arpa SERVFAIL");
        let server = serve(FINE);
        let done = look(&names, "127.0.0.1", server.port, &["--ptr"]).any_out().check();
        assert!(!done.out().contains("PTR"), "{}", done.out());
        server.end();
    }
}
