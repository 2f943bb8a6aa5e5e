//! The ways to a server that are not a plain connection: proxies, a program, a socket, the PROXY protocol,
//! the MX records of a domain; and LMTP.

#[cfg(feature = "dns")]
use crate::support::dns::name_server;
use crate::support::run::{ehlo, ehlo_to};
use crate::support::scripted::{closed_port, serve};

#[test]
fn the_header_of_the_proxy_protocol_goes_out_first() {
    let line = "C! PROXY TCP4 192.0.2.7 192.0.2.25 4711 25\\r\\n\nS: 220 mx\nC: QUIT\nS: 221 bye";
    let server = serve(line);
    ehlo_to(server.port, &["--proxy-protocol", "v1,192.0.2.7:4711,192.0.2.25:25"])
        .any_out()
        .err("PROXY header sent: version 1, from 192.0.2.7:4711 to 192.0.2.25:25")
        .check();
    server.finish();
    let server = serve("C! \\r\\n\\r\\n\\0\\r\\nQUIT\\n\\x20\\0\\0\\0\nS: 220 mx\nC: QUIT\nS: 221 bye");
    ehlo_to(server.port, &["--proxy-protocol", "v2,local"]).any_out().err("PROXY header sent: version 2").check();
    server.finish();
    let server = serve("C: *\nS: 220 mx\nC: QUIT\nS: 221 bye");
    ehlo_to(server.port, &["--proxy-protocol", "v1", "-q"]).any().check();
    let lines = server.finish().lines();
    assert!(lines[0].starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "), "{lines:?}");
}

#[test]
fn a_header_that_the_server_does_not_expect_is_recognised() {
    let server = serve("C: *\nS: 220 mx\nS: 500 5.5.2 command not recognized\nhold");
    ehlo_to(server.port, &["--proxy-protocol", "v1"]).status(6).any_out().err("Leave out --proxy-protocol").check();
    server.end();
    // The same when it comes only after our first line.
    for (stdin, line) in [("", "QUIT"), ("EHLO a\nNOOP\n", "EHLO a"), ("HELO a\n", "HELO a")] {
        let server = serve(&format!("C: *\nS: 220 mx\nC: {line}\nS: 500 5.5.2 command not recognized\nhold"));
        let words = "Probably this port took the PROXY header for a command";
        ehlo_to(server.port, &["--proxy-protocol", "v1"]).stdin(stdin).status(6).any_out().err(words).check();
        server.end();
    }
    let server = serve("C: *\nS: 554 SMTP synchronization error\nhold");
    ehlo_to(server.port, &["--proxy-protocol", "v1"]).status(6).any_out().err("does not take the PROXY header (554)").check();
    server.end();
    let server = serve("C: *\nclose");
    let words = "1. The port does not expect the header of --proxy-protocol";
    ehlo_to(server.port, &["--proxy-protocol", "v1"]).status(6).any_out().err(words).check();
    server.end();
}

#[test]
fn http_connect_leads_to_the_server() {
    let ask = "C: CONNECT mx.alt.test:25 HTTP/1.1\nC: Host: mx.alt.test:25\n";
    let server = serve(&format!("{ask}C: \nS! HTTP/1.1 200 OK\\r\\n\\r\\n220 mx\\r\\n\nC: QUIT\nS: 221 bye"));
    let url = format!("http://127.0.0.1:{}", server.port);
    ehlo(["mx.alt.test", "--proxy", &url]).any_out().err(format!("Connected to mx.alt.test port 25 through the proxy {url} in")).check();
    server.finish();
    // P24: the password comes from the environment, and is seen on the wire only.
    let login = "C: Proxy-Authorization: Basic YWxpY2U6bWFya2VyLTQ3MTE=\n";
    let server = serve(&format!("{ask}{login}C: \nS! HTTP/1.1 407 No\\r\\n\\r\\n\nhold"));
    let url = format!("http://alice@127.0.0.1:{}", server.port);
    let done = ehlo(["mx.alt.test", "--proxy", &url, "-vv", "-l", "log"])
        .env("EHLO_PROXY_PASSWORD", "marker-4711")
        .status(4)
        .err("does not accept the user name and the password")
        .check();
    let log = std::fs::read_to_string(done.folder.path().join("log")).unwrap_or_default();
    assert!(!done.all().contains("marker-4711") && !done.all().contains("YWxpY2U6") && !log.contains("marker"), "{}", done.all());
    server.end();
}

#[cfg(unix)]
#[test]
fn a_command_is_given_no_password() {
    // P24
    let command = "echo \"220 mx $EHLO_PASSWORD$EHLO_PROXY_PASSWORD.\"; read line; echo 221 bye";
    let run = ehlo(["mx.alt.test", "--proxy-command", command]).stdin("QUIT\n").any();
    let done = run.env("EHLO_PASSWORD", "marker-4711").env("EHLO_PROXY_PASSWORD", "marker-4712").check();
    assert!(done.out().contains("220 mx .") && !done.all().contains("marker"), "{}", done.all());
}

#[test]
fn what_a_proxy_refuses_is_told_as_the_proxys() {
    let table = [
        ("http", "S! HTTP/1.1 403 Filtered\\e[31m\\r\\n\\r\\n", "does not allow connections to mx.alt.test port 25: 403 Filtered\\x1b"),
        ("http", "S! HTTP/1.1 504 Gateway Timeout\\r\\n\\r\\n", "does not reach mx.alt.test port 25: 504 Gateway Timeout"),
        ("http", "S! HTTP/1.1 407 Who\\r\\n\\r\\n", "wants a user name and a password"),
        ("http", "S: 220 mx.alt.test ESMTP", "is not a proxy of that kind: it says"),
        ("http", "close", "closed the connection without an answer"),
        (
            "socks5",
            "S! \\x05\\0\nC! \\x05\nS! \\x05\\x05\\0\\x01\\0\\0\\0\\0\\0\\0",
            "does not reach mx.alt.test port 25: connection refused",
        ),
        ("socks5", "S! \\x05\\xff", "wants a user name and a password"),
        ("socks5", "S: SSH-2.0-x", "is not a proxy of that kind"),
    ];
    for (scheme, script, words) in table {
        let begin = if scheme == "http" { "C: *\nC: *\nC: *\n" } else { "C! \\x05\\x01\\0\n" };
        let server = serve(&format!("{begin}{script}\nhold"));
        let url = format!("{scheme}://127.0.0.1:{}", server.port);
        let done = ehlo(["mx.alt.test", "--proxy", &url]).status(4).err(words).err("What happened").err("Next").check();
        // P14
        assert!(done.err().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", done.err());
        server.end();
    }
    let url = format!("socks5://127.0.0.1:{}", closed_port());
    ehlo(["mx.alt.test", "--proxy", &url]).status(4).err("The proxy").err("cannot be reached").check();
}

#[cfg(unix)]
#[test]
fn a_program_leads_to_the_server() {
    let script = "printf '220 behind\\r\\n'; read line; printf \"221 %h %p 100%%%%\\r\\n\"; echo 'a \\033[31mnote' >&2; sleep 0";
    let done = ehlo(["mx.alt.test", "2525", "--proxy-command", script])
        .out("<  220 behind")
        .out("<  221 mx.alt.test 2525 100%")
        .err("mx.alt.test port 2525: the command has been started")
        .check();
    assert!(!done.err().contains('\x1b'));
}

#[cfg(unix)]
#[test]
fn a_program_that_fails_says_why() {
    // P14
    for (command, words) in [
        ("printf 'no way \\033[31m\\n' >&2; exit 7", &["ended (exit status 7) before the server greeted", "It said: no way \\x1b[31m"][..]),
        ("no-such-program-here %h", &["ended (exit status 127)", "not found"]),
        ("kill -9 $$", &["ended (signal 9)", "It said nothing."]),
    ] {
        let mut run = ehlo(["mx.alt.test", "--proxy-command", command]).status(4).err("What happened").err("the command has been started");
        for word in words {
            run = run.err(*word);
        }
        run.check();
    }
    // P33: nothing that a shell reads is handed to it.
    let done = ehlo(["$(touch${IFS}owned)", "--proxy-command", "echo %h"]).status(4).err("a shell would read more than a name").check();
    assert!(!done.folder.path().join("owned").exists());
}

#[cfg(unix)]
#[test]
fn a_program_that_is_silent_is_not_taken_for_a_server() {
    for (command, status, words) in [
        ("echo 'still waiting' >&2; sleep 600", 5, "Nothing came out of the command within 1 s"),
        ("cat", 6, "it looks like an echo (our own bytes come back)"),
    ] {
        let done = ehlo(["mx.alt.test", "--timeout", "1", "--proxy-command", command]).status(status).err(words).any_out().check();
        assert!(!done.all().contains("accepted the connection"), "{}", done.all());
        assert_eq!(done.err().contains("The command says: still waiting"), status == 5, "{}", done.all());
    }
}

#[cfg(unix)]
#[test]
fn how_the_program_ends_in_the_middle_of_a_session_is_told() {
    ehlo(["mx.alt.test", "--proxy-command", "printf '220 mx\\r\\n'; read line; echo 'tunnel broke' >&2; exit 9"])
        .stdin("NOOP\n")
        .status(6)
        .any_out()
        .err("connection")
        .err("The command says: tunnel broke")
        .err("The command ended (exit status 9).")
        .check();
}

#[cfg(unix)]
#[test]
fn a_program_ends_with_the_session() {
    // It writes its process id and then listens to nothing.
    let command = "echo $$ > pid; printf '220 mx\\r\\n'; read line; printf '221 bye\\r\\n'; exec sleep 600";
    let done = ehlo(["mx.alt.test", "--proxy-command", command]).any().check();
    let id: i32 = std::fs::read_to_string(done.folder.path().join("pid")).unwrap().trim().parse().unwrap();
    let end = std::time::Instant::now() + crate::support::DEADLINE;
    while rustix::process::test_kill_process(rustix::process::Pid::from_raw(id).unwrap()).is_ok() {
        assert!(std::time::Instant::now() < end, "{id} still runs");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn a_socket_of_this_machine_is_talked_to() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("lmtp");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 here\r\n").unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut heard = Vec::new();
        for reply in ["250-here\r\n250 8BITMIME\r\n", "221 bye\r\n"] {
            heard.push(lines.next().unwrap().unwrap());
            stream.write_all(reply.as_bytes()).unwrap();
        }
        heard
    });
    let target = format!("lmtp:unix:{}", path.display());
    ehlo([target.as_str(), "--ehlo", "me"]).stdin(":ehlo\n").any_out().err(format!("Connected to {target} in")).check();
    assert_eq!(server.join().unwrap(), ["LHLO me", "QUIT"]);
    for (target, words) in [(folder.path().join("gone"), "There is no socket"), (path, "Nobody listens at the socket")] {
        ehlo([format!("unix:{}", target.display())]).status(4).err(words).err("What happened").check();
    }
}

#[test]
fn lmtp_says_lhlo_and_hears_a_reply_for_each_recipient() {
    let server = serve("S: 220 mx\nC: LHLO me\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 not now\nC: QUIT\nS: 221 bye");
    let target = format!("lmtp://127.0.0.1:{}", server.port);
    ehlo([target.as_str(), "--ehlo", "me", "-S"]).status(7).any().check();
    server.finish();
    let server = serve(
        "S: 220 mx\nC: LHLO me\nS: 250 mx\nC: MAIL FROM:<a@alt.test>\nS: 250 ok\nC: RCPT TO:<b@alt.test>\nS: 250 ok\nC: RCPT TO:<c@alt.test>\nS: 250 ok\nC: DATA\nS: 354 go\nmessage\nS: 250 b\nS: 452 c is full\nC: QUIT\nS: 221 bye",
    );
    let target = format!("lmtp://127.0.0.1:{}", server.port);
    ehlo([target.as_str(), "--ehlo", "me"])
        .stdin("LHLO me\nMAIL FROM:<a@alt.test>\nRCPT TO:<b@alt.test>\nRCPT TO:<c@alt.test>\nDATA\nhi\n.\n")
        .status(9)
        .out("<  250 b")
        .out("<! 452 c is full")
        .any_err()
        .check();
    server.finish();
}

#[test]
fn the_route_is_kept_by_connect_and_reconnect() {
    let ask = |host: &str| format!("C: CONNECT {host} HTTP/1.1\nC: Host: {host}\nC: \nS! HTTP/1.1 200 OK\\r\\n\\r\\n220 mx\\r\\n\n");
    let server = serve(&format!(
        "{}hold\nagain\n{}hold\nagain\n{}C: LHLO me\nS: 250 mx\nC: QUIT\nS: 221 bye",
        ask("a.test:25"),
        ask("a.test:25"),
        ask("b.test:24")
    ));
    let url = format!("http://127.0.0.1:{}", server.port);
    ehlo(["a.test", "--proxy", &url, "--ehlo", "me"]).stdin(":reconnect\n:connect lmtp://b.test\n:ehlo\n").any().check();
    assert_eq!(server.finish().connections, 3);
}

#[cfg(feature = "dns")]
#[test]
fn the_mail_server_of_a_domain_is_found() {
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    let names = name_server(
        "contoso.test     MX 20 live.contoso.test
         contoso.test     MX 10 dead.contoso.test
         dead.contoso.test NODATA
         live.contoso.test CNAME real.contoso.test
         real.contoso.test A 127.0.0.1",
    );
    let (address, port) = (names.address.to_string(), server.port.to_string());
    ehlo(["--mx", "contoso.test", &port, "--resolver", &address])
        .any_out()
        .err("The mail of contoso.test goes to dead.contoso.test (10), live.contoso.test (20).")
        .err("The mail server dead.contoso.test has no address")
        .err("live.contoso.test is an alias (CNAME) of real.contoso.test")
        .err("An MX record must not name an alias")
        .err("live.contoso.test is 127.0.0.1; connected to port")
        .check();
    server.finish();
}

#[cfg(feature = "dns")]
#[test]
fn what_is_wrong_with_a_mail_domain_is_told() {
    let port = closed_port().to_string();
    let names = name_server(
        "null.test       MX 0 .
         broken.test     SERVFAIL
         gone.test       MX 10 nowhere.test
         two.test        MX 10 a.two.test
         two.test        MX 10 b.two.test
         a.two.test      A 127.0.0.1
         b.two.test      A 127.0.0.1
         implicit.test   A 127.0.0.1
         mixed.test      MX 0 .
         mixed.test      MX 10 a.two.test
         number.test     MX 10 127.0.0.1
         odd.test        MX 10 a\u{1b}[31m.test",
    );
    let address = names.address.to_string();
    for (domain, status, words) in [
        ("null.test", 3, "null.test says that it takes no mail (null MX)"),
        ("no-such.test", 3, "The domain no-such.test does not exist"),
        ("broken.test", 3, "the name server answered SERVFAIL"),
        ("gone.test", 3, "The mail server nowhere.test does not exist"),
        ("two.test", 4, "None of the 2 mail servers of two.test can be reached"),
        ("implicit.test", 4, "implicit.test has no MX record: mail goes to its own address"),
        ("mixed.test", 4, "must stand alone"),
        ("number.test", 4, "An MX record names the address 127.0.0.1"),
        ("odd.test", 3, "a\\"),
    ] {
        let done = ehlo(["--mx", domain, &port, "--resolver", &address]).status(status).err(words).err("What happened").check();
        // P14
        assert!(done.err().chars().all(|c| c == '\n' || !c.is_control()), "{domain}: {:?}", done.err());
    }
}

#[cfg(feature = "dns")]
#[test]
fn a_host_that_is_a_mail_domain_is_recognised() {
    let names = name_server("contoso.test MX 10 mx1.contoso.test\nbare.test NODATA\nnull.test MX 0 .");
    let address = names.address.to_string();
    for (host, words) in [
        ("contoso.test", "contoso.test is a mail domain, not a host"),
        ("bare.test", "bare.test exists but has no address"),
        ("null.test", "null.test says that it takes no mail"),
    ] {
        ehlo([host, "--resolver", &address]).status(3).err(words).check();
    }
    ehlo(["contoso.test", "--resolver", &address]).status(3).err("ehlo --mx contoso.test").check();
}

#[cfg(feature = "dns")]
#[test]
fn a_name_is_looked_up_at_the_given_name_server() {
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    let names = name_server("xn--bcher-kva.test A 127.0.0.1\nsilent.test SILENT");
    let (address, port) = (names.address.to_string(), server.port.to_string());
    ehlo(["bücher.test", &port, "--resolver", &address]).any_out().err("xn--bcher-kva.test is 127.0.0.1; connected").check();
    server.finish();
    // P7
    ehlo(["silent.test", "--resolver", &address, "--connect-timeout", "1"]).status(3).err("No answer from the name server").check();
    assert!(names.questions() >= 4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_local_address_is_given_with_its_interface() {
    // Nothing has this address: how it fails is for the system to say, but it was understood.
    for args in [&["fe80::1%lo", "2"][..], &["[fe80::1%lo]:2"], &["smtp://[fe80::1%25lo]:2"], &["fe80::1%1", "2"]] {
        let done = ehlo(args.iter().copied().chain(["--connect-timeout", "1"])).status(4).any_out().any_err().check();
        assert!(done.err().contains("fe80::1%") && !done.err().contains("has no interface"), "{}", done.err());
    }
    let words = "This machine has no interface 'no-such', by which fe80::1%no-such port 25 would be reached";
    ehlo(["fe80::1%no-such"]).status(4).any_out().err(words).check();
    ehlo(["check", "[fe80::1%no-such]:25"]).status(4).out("FAILED: this machine has no interface 'no-such' (connect, ").check();
    let done = ehlo(["check", "--json", "-i", "-"]).stdin("fe80::1%no-such").status(4).any_out().check();
    assert!(done.out().contains(r#""host":"fe80::1%no-such""#) && done.out().contains(r#""port":25"#), "{}", done.out());
    for flag in ["--bind", "--resolver"] {
        ehlo(["mx.alt.test", flag, "fe80::1%no-such"]).status(2).any_out().err("this machine has no interface 'no-such'").check();
    }
    ehlo(["mx.alt.test", "--proxy", "socks5://[fe80::1%25no-such]:1080"]).status(4).any_out().err("no interface 'no-such'").check();
    let server = serve("hold");
    let proxy = format!("http://127.0.0.1:{}", server.port);
    ehlo(["fe80::1%lo", "--proxy", &proxy]).status(4).any_out().err("on this machine only").check();
    server.end();
    // The interface of an address that needs none is of no account.
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else { return };
    let place = format!("[::1%lo]:{}", listener.local_addr().unwrap().port());
    let greeting = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 mx\r\n").unwrap();
        let mut heard = [0; 6];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(b"221 bye\r\n").unwrap();
    });
    ehlo([place]).any_out().err("Connected to ::1%lo port ").check();
    greeting.join().unwrap();
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (args, words) in [
        (&["unix:/x", "--proxy", "socks5://127.0.0.1:1"][..], "a socket is on this machine"),
        (&["unix:/x", "--mx"], "a socket is on this machine"),
        (&["unix:/x", "25"], "a socket has no port"),
        (&["127.0.0.1", "--mx"], "wants a mail domain"),
        (&["x", "--proxy", "socks5://127.0.0.1:1", "--proxy-command", "cat"], "cannot be used with"),
        (&["x", "--proxy", "socks5://u:secret@127.0.0.1:1"], "EHLO_PROXY_PASSWORD"),
        (&["x", "--proxy", "socks5://u@127.0.0.1:1"], "EHLO_PROXY_PASSWORD"),
        (&["x", "--proxy-command", "nc %x"], "%h stands for the host"),
        (&["x", "--proxy-protocol", "v3"], "--proxy-protocol: give v1 or v2"),
        (&["x", "--resolver", "ns.alt.test"], "give the address of a name server"),
        (&["x:25,587"], "several ports"),
        (&["--mx", "decode", "YQ=="], "the flag or argument --mx stands before the command"),
        (&["user@contoso.test"], "--mx contoso.test"),
    ] {
        ehlo(args.to_vec()).status(2).err(words).check();
    }
}

#[cfg(not(feature = "dns"))]
#[test]
fn a_build_without_look_ups_says_so() {
    ehlo(["contoso.test", "--resolver", "127.0.0.1"]).status(2).err("--features dns").check();
    ehlo(["bücher.test"]).status(2).err("xn--").check();
}
