//! The practice server: by itself, with a session on it, and with every fault that it knows.

use std::time::Duration;

use ehlo::sasl::Needs;

use crate::support::run::{Done, Running, ehlo, ehlo_to};

/// `ehlo sandbox --serve` at work, its port, and the token of its account if one is offered.
pub(crate) fn serving(args: &[&str]) -> (Running, u16, String) {
    let mut running = ehlo(["sandbox", "--serve"].iter().chain(args).copied().collect::<Vec<_>>()).open_stdin().start();
    let said = running.wait_out("ends it.");
    let port = said.split(" port ").nth(1).and_then(|rest| rest.split('.').next()).and_then(|port| port.parse().ok());
    let token = said.split("Token for ").nth(1).and_then(|rest| rest.split(": ").nth(1)).and_then(|rest| rest.split_whitespace().next());
    (running, port.unwrap_or_else(|| panic!("no port in {said:?}")), token.unwrap_or_default().to_owned())
}

fn scenarios() -> Vec<String> {
    let done = ehlo(["sandbox", "--list"]).any_out().check();
    let list = done.out();
    let rows = list.split("--scenario").nth(1).unwrap().lines().skip(1).take_while(|row| !row.is_empty());
    rows.map(|row| row.split_whitespace().next().unwrap().to_owned()).collect()
}

const SCRIPT: &str = "EHLO client.alt.test\nNOOP\nAUTH LOGIN\nlogon\nMy simple password\nMAIL FROM:<someone@alt.test>\nRCPT TO:<postmaster@contoso.test>\nDATA\nSubject: x\n\ntext\n.\nQUIT\n";

#[test]
fn a_message_can_be_delivered_to_either_server() {
    for kind in ["exchange", "postfix"] {
        let done = ehlo(["sandbox", "--as", kind]).stdin(SCRIPT).any().check();
        assert!(done.out().contains("235 2.7.0") && done.err().contains("1 message accepted"), "{}", done.all());
        assert!(!done.out().contains("simple"), "{}", done.out());
    }
}

#[test]
fn what_it_hosts_is_said_and_taken() {
    let script = "EHLO a.alt.test\nMAIL FROM: someone@alt.test\nRCPT TO: postmaster@contoso.com\nQUIT\n";
    let done = ehlo(["sandbox"]).stdin(script).any_out().err("Hosts contoso.test, contoso.com and contoso.local.").check();
    assert!(done.out().contains("250 2.1.5 Recipient OK"), "{}", done.all());
}

#[test]
fn a_parameter_with_a_bad_value_is_refused_as_on_a_real_server() {
    let script = "EHLO a.alt.test\nMAIL FROM:<a@alt.test>\nRCPT TO:<b@contoso.test> NOTIFY=foo\nQUIT\n";
    for (kind, words) in [("exchange", "501 5.5.4 Invalid arguments"), ("postfix", "501 5.5.4 Error: Bad NOTIFY parameter syntax")] {
        let done = ehlo(["sandbox", "--as", kind]).stdin(script).any().status(1).check();
        assert!(done.out().contains(words), "{}", done.all());
    }
}

#[test]
fn the_account_is_named_and_nothing_leaves_the_machine() {
    let done = ehlo(["sandbox"]).stdin("QUIT\n").any_out().err("logon / My simple password").err("Nothing leaves this").check();
    assert!(done.err().contains("on 127.0.0.1:"), "{}", done.err());
}

#[test]
fn every_scenario_ends_without_harm() {
    // P6 P7 P40
    let all = scenarios();
    assert!(all.len() >= 20, "{all:?}");
    let play = |name: &String| {
        let flags = ["sandbox", "--timeout", "8", "--keep-going", "--scenario", name];
        let done = ehlo(flags).stdin(SCRIPT).any().start().finish();
        let harmless = |done: &Done| done.status.is_some_and(|status| matches!(status, 0..=9)) && !done.all().contains("panicked at");
        assert!(harmless(&done), "{name}: {:?}\n{}", done.status, done.all());
        assert!(done.all().chars().all(|c| c == '\n' || !c.is_control()), "{name}: {:?}", done.all());
        assert!(done.memory < 64 * 1024, "{name}: {} KiB", done.memory);
        (name.clone(), done.status)
    };
    let ends: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            all.chunks(all.len().div_ceil(6)).map(|some| scope.spawn(move || some.iter().map(play).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|problem| std::panic::resume_unwind(problem))).collect()
    });
    let of = |name: &str| ends.iter().find(|(one, _)| one == name).and_then(|(_, status)| *status);
    for (name, status) in [
        ("no-greeting", 5),
        ("greeting-421", 9),
        ("greeting-554", 1),
        ("close-at-once", 6),
        ("mixed-codes", 6),
        ("endless-reply", 6),
        ("wrong-password", 8),
        ("full-disk", 9),
        ("close-after-rcpt", 6),
        ("refuse-data", 1),
        ("internal-name", 0),
        ("byte-by-byte", 0),
        ("bare-lf", 0),
        ("odd-prompts", 0),
        ("auth-in-clear", 0),
        ("auth-needs-tls", 8),
        ("auth-in-tls", 8),
        ("auth-unusable", 0),
    ] {
        assert_eq!(of(name), Some(status), "{name}");
    }
}

#[test]
fn the_server_serves_several_and_ends_on_a_signal() {
    let (running, port, _) = serving(&[]);
    for _ in 0..3 {
        ehlo_to(port, &[]).stdin("EHLO a\nQUIT\n").out("250-mail.contoso.test Hello").any_err().check();
    }
    #[cfg(unix)]
    {
        running.signal(rustix::process::Signal::INT);
        let done = running.finish();
        assert_eq!(done.status, Some(130), "{}", done.all());
        assert!(done.took < Duration::from_secs(20));
    }
    #[cfg(not(unix))]
    drop(running);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for args in [vec!["sandbox", "--serve", "-p", &port], vec!["sandbox", "-p", &port]] {
        let done = ehlo(args).any().start().finish();
        assert!(done.err().contains(&format!("cannot listen on port {port}")), "{}", done.err());
        assert_ne!(done.status, Some(0));
    }
}

#[test]
fn the_offer_is_what_was_asked_for() {
    let said = |flags: &[&str]| {
        let done = ehlo([&["sandbox"], flags].concat()).stdin("EHLO a\nQUIT\n").any().start().finish();
        assert_eq!(done.status, Some(0), "{flags:?}\n{}", done.all());
        let out = done.out();
        let offer = out.lines().find_map(|line| line.split_once("250-AUTH ").map(|(_, names)| names.to_owned()));
        (offer.unwrap_or_else(|| panic!("{}", done.all())), done.err())
    };
    assert_eq!(said(&["--offer", "cram-md5,Login"]).0, "CRAM-MD5 LOGIN");
    assert_eq!(said(&["--scenario", "auth-in-clear"]).0, "LOGIN PLAIN");
    assert_eq!(said(&["--scenario", "auth-in-clear", "--offer", "CRAM-MD5"]).0, "CRAM-MD5");
    let known = |needs| ehlo::sasl::MECHANISMS.iter().filter(move |known| known.server.is_some() && known.needs == needs);
    let (all, err) = said(&["--offer", "all"]);
    assert!(known(Needs::Password).filter(|known| !known.name.ends_with("-PLUS")).all(|known| all.contains(known.name)), "{all}");
    assert_eq!(err.contains("Token for "), known(Needs::Token).next().is_some(), "{err}");
    assert!(!said(&[]).1.contains("Token for "));
}

#[test]
fn a_mechanism_that_is_not_known_is_told_with_those_that_are() {
    let done = ehlo(["sandbox", "--serve", "--offer", "PLAIN,X-\x1bNONE"]).any().start().finish();
    assert_eq!(done.status, Some(2), "{}", done.all());
    assert!(done.err().contains("no mechanism 'X-\\x1bNONE': it has ") && done.err().contains("CRAM-MD5"), "{}", done.all());
}

#[test]
fn a_client_certificate_is_asked_for_where_a_mechanism_needs_it() {
    let made = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    for mechanism in ehlo::sasl::MECHANISMS.iter().filter(|known| known.server.is_some() && known.needs == Needs::Certificate) {
        let flags = ["sandbox", "-S", "--offer", &format!("{},LOGIN", mechanism.name)];
        let without = ehlo(flags).stdin("EHLO a\nQUIT\n").any().start().finish();
        assert!(without.status == Some(0) && without.out().contains("250-AUTH LOGIN\n"), "{}", without.all());
        let run = ehlo([&flags[..], &["--cert", "both.pem"]].concat());
        std::fs::write(run.folder().join("both.pem"), &pem).unwrap();
        let with = run.stdin("EHLO a\nQUIT\n").any().start().finish();
        assert!(with.out().contains(&format!("250-AUTH {} LOGIN\n", mechanism.name)), "{}", with.all());
    }
}

#[test]
fn the_tour_walks_by_itself_where_nobody_types() {
    let done = ehlo(["sandbox", "--tour"]).stdin("").any().check();
    for step in 1..=12 {
        assert!(done.out().contains(&format!("[{step}/12]")), "step {step}: {}", done.out());
    }
    for words in ["550 5.7.1 Unable to relay", "235 2.7.0", "1 message accepted", "221 2.0.0"] {
        assert!(done.out().contains(words), "{words}: {}", done.out());
    }
}
